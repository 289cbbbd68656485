"""Training with PyTorch on a tiny made-up data set. Run by `tools/test --training`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee_models.manifest import verify_artifact

pytestmark = pytest.mark.training

N_USERS, N_MOVIES = 30, 20


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Users like one of two genres; a few numbers are missing."""
    folder = tmp_path_factory.mktemp("export")
    random = np.random.default_rng(0)
    movies = ["movieId,title,year,genres,vote_average,vote_count,popularity,overview"]
    for id in range(1, N_MOVIES + 1):
        average = "" if id % 7 == 0 else f"{random.uniform(4, 8):.2f}"
        genre = "Action" if id % 2 else "Drama"
        movies.append(f"{id},Film {id},{1980 + id},{genre},{average},{id},{0.5 * id},")
    ratings = ["userId,movieId,rating,timestamp"]
    for user in range(1, N_USERS + 1):
        for id in random.choice(np.arange(1, N_MOVIES + 1), size=12, replace=False):
            likes = user % 2 == id % 2
            value = np.clip(round(random.normal(4.5 if likes else 1.8, 0.5)), 1, 5)
            ratings.append(f"{user},{id},{value:g},{1000 + user}")
    (folder / "movies.csv").write_text("\n".join(movies) + "\n", encoding="utf-8")
    (folder / "ratings.csv").write_text("\n".join(ratings) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def outcome(export: Path) -> Any:
    from marquee_models.ratings import read_movies, read_ratings
    from marquee_models.train import Settings, train

    movies, ratings = read_movies(export / "movies.csv"), read_ratings(export / "ratings.csv")
    return train(movies, ratings, Settings(epochs=20, batch=32))


def test_learns(outcome: Any) -> None:
    assert min(outcome.held_out_losses) < 0.5 * outcome.held_out_losses[0]
    assert outcome.metrics["rmse"] < 1.0


def test_state_dict_has_the_names_of_the_contract(outcome: Any) -> None:
    linear = ("extra_features.0", "genre_features.0", "mlp.0", "mlp.4", "mlp.8")
    norms = ("extra_features.1", "genre_features.1", "mlp.1", "mlp.5")
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {"user_embed.weight", "item_embed.weight"}
    expected |= {f"{name}.{part}" for name in linear for part in parts[:2]}
    expected |= {f"{name}.{part}" for name in norms for part in parts}
    assert set(outcome.network.weights) == expected


def test_graphs_equal_pytorch(outcome: Any) -> None:
    import onnxruntime
    import torch

    from marquee_models.network import build_movie_tower, build_scorer

    network = outcome.network
    catalogue = network.catalogue
    n = len(catalogue.numeric)
    inputs = {
        "movie_row": np.arange(n),
        "numeric": catalogue.numeric,
        "genres": catalogue.genre_flags,
    }
    tower = build_movie_tower(network.weights, network.scaling).SerializeToString()
    (vectors,) = onnxruntime.InferenceSession(tower).run(None, inputs)
    scorer = onnxruntime.InferenceSession(build_scorer(network.weights).SerializeToString())
    numeric = torch.from_numpy(network.scaling.apply(catalogue.numeric).astype(np.float32))
    for user in range(len(catalogue.users) + 1):
        (rating,) = scorer.run(None, {"user_row": np.array([user]), "movie_vectors": vectors})
        with torch.no_grad():
            expected = outcome.model(
                torch.full((n,), user),
                torch.arange(n),
                numeric,
                torch.from_numpy(catalogue.genre_flags),
            ).numpy()
        np.testing.assert_allclose(rating, expected, rtol=0, atol=1e-5)


def test_the_plain_pass_equals_pytorch(outcome: Any) -> None:
    import torch

    from marquee_models.network import NumpyNetwork

    network = outcome.network
    rows, users = np.arange(5), np.array([0, 1, 2, 3, 0])
    numeric, genres = network.catalogue.numeric[:5], network.catalogue.genre_flags[:5]
    plain = NumpyNetwork(network.weights, network.scaling).rate(users, rows, numeric, genres)
    scaled = torch.from_numpy(network.scaling.apply(numeric).astype(np.float32))
    with torch.no_grad():
        parts = (torch.from_numpy(users), torch.from_numpy(rows), scaled, torch.from_numpy(genres))
        expected = outcome.model(*parts).numpy()
    np.testing.assert_allclose(plain, expected, rtol=0, atol=1e-5)


def test_unknown_rows_are_trained(outcome: Any) -> None:
    """A stranger's ratings are near the mean, not noise."""
    assert outcome.metrics["rmse_unknown_user"] < 2.0
    assert outcome.metrics["rmse_unknown_movie"] < 2.0


def test_one_command_makes_the_same_artifact_twice(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from marquee_models.train import main

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    folders = [tmp_path / "one" / "net", tmp_path / "two" / "net"]
    for folder in folders:
        main(["--data", str(export), "--out", str(folder), "--epochs", "2"])
        assert (folder.parent / "net-loss.png").stat().st_size > 1000
    manifest = verify_artifact(folders[0])
    assert manifest["rating_network"]["n_users"] == N_USERS
    assert manifest["training"]["metrics"]["rmse"] > 0
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes(), path.name
