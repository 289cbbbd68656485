"""Makes what the peer loads, and the daemon's artifact of the same network.

    python -m bench.peer.prepare --data EXPORT_DIR --model-dir DIR --out DIR --artifact DIR

The data is what `marquee export` wrote, so both services know the same movies and ratings; the
original network is trained once and goes into a checkpoint for the peer and into an artifact for
the daemon.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sentence_transformers import SentenceTransformer

from bench.peer.files import PeerFiles
from bench.peer.texts import embedded_texts
from marquee_models.catalogue import Catalogue, build_catalogue, read_movies
from marquee_models.interactions import Interactions, read_interactions
from marquee_models.manifest import Training
from marquee_models.network_artifact import Label, publish_network
from marquee_models.train import exported_original
from marquee_models.train_original import OriginalOutcome, OriginalSettings, train_original

# As in the notebook this service goes back to: fewer people in common say nothing.
MIN_CORATERS = 10
ENCODE_BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--artifact", type=Path, required=True)
    options = parser.parse_args()
    files = PeerFiles(options.out)
    options.out.mkdir(parents=True, exist_ok=True)
    files.stamp.unlink(missing_ok=True)
    shutil.copyfile(options.data / "movies.csv", files.movies)
    interactions = read_interactions(options.data / "ratings.csv")
    catalogue = build_catalogue(read_movies(files.movies), interactions)
    print("training the original network", flush=True)
    trained = train(interactions, catalogue)
    write_checkpoint(files, trained, catalogue, interactions.scale())
    publish(options.artifact, trained, catalogue, interactions)
    print("correlating all pairs of movies", flush=True)
    ratings = pd.read_csv(options.data / "ratings.csv")
    np.save(files.similarities, correlations(ratings, catalogue))
    print("embedding the overviews", flush=True)
    np.save(files.overview_vectors, embed(options.model_dir, embedded_texts(files.movies)))
    files.stamp.touch()


def train(interactions: Interactions, catalogue: Catalogue) -> OriginalOutcome:
    """Batches are too small for more than one thread."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    trained = train_original(interactions, catalogue, OriginalSettings(), "cpu")
    torch.set_num_threads(n_threads)
    return trained


def write_checkpoint(
    files: PeerFiles, trained: OriginalOutcome, catalogue: Catalogue, scale: tuple[float, float]
) -> None:
    torch.save(trained.model.state_dict(), files.checkpoint)
    scaling = trained.scaling
    description = {
        "users": list(catalogue.users),
        "movies": [movie.id for movie in catalogue.movies],
        "genres": list(catalogue.genres),
        "scaler": {"mean": scaling.mean.tolist(), "scale": scaling.deviation.tolist()},
        "rating_scale": list(scale),
    }
    files.description.write_text(json.dumps(description), encoding="utf-8")


def publish(
    artifact: Path, trained: OriginalOutcome, catalogue: Catalogue, interactions: Interactions
) -> None:
    if artifact.exists():
        shutil.rmtree(artifact)
    network = exported_original(trained, catalogue, interactions.scale())
    training = Training("tools/bench", trained.metrics, {"architecture": "original"})
    publish_network(artifact, network, Label("original-network", "1", "MIT", training))


def correlations(ratings: pd.DataFrame, catalogue: Catalogue) -> npt.NDArray[np.float32]:
    """Pearson over the people who rated both; not a number where they are too few."""
    table = ratings.pivot_table(index="userId", columns="movieId", values="rating")
    pearson = table.corr(min_periods=MIN_CORATERS)
    order = [movie.id for movie in catalogue.movies]
    return np.asarray(pearson.reindex(index=order, columns=order), dtype=np.float32)


def embed(model_dir: Path, texts: list[str]) -> npt.NDArray[np.float32]:
    model = SentenceTransformer(str(model_dir), device="cpu")
    options = {"batch_size": ENCODE_BATCH, "normalize_embeddings": True}
    return np.asarray(model.encode(texts, show_progress_bar=True, **options), dtype=np.float32)


if __name__ == "__main__":
    main()
