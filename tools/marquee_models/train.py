"""Trains the rating network on what `marquee export` writes, and makes an artifact of it.

    tools/train rating-network --data EXPORT_DIR --out DIR

A random fifth of the ratings is held out; after each epoch the network is judged on it, and the
best epoch is kept. Ids are replaced by "unknown" at random while training, each side by itself,
so that row 0 learns what a new user or movie looks like. The loss of every epoch goes into a
picture beside the artifact.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from tqdm import tqdm

from marquee_models.manifest import Training, now_utc
from marquee_models.network import Scaling
from marquee_models.network_artifact import Label, TrainedNetwork, publish_network
from marquee_models.plot import plot_losses
from marquee_models.rating_network import RatingNetwork, Shape
from marquee_models.ratings import (
    UNKNOWN_ROW,
    Catalogue,
    Movie,
    Ratings,
    build_catalogue,
    read_movies,
    read_ratings,
)

# The layers are too small for two threads to pay, and waiting threads suffer on a busy machine.
N_THREADS = 1
JUDGE_BATCH = 65_536


@dataclass(frozen=True)
class Settings:
    seed: int = 42
    epochs: int = 10
    batch: int = 256
    learning_rate: float = 0.003
    held_out: float = 0.2
    # The share of the ids, on each side, that a batch does not get to see.
    unknown_share: float = 0.1


@dataclass(frozen=True)
class Examples:
    """One entry per rating; the features stand once per movie, `places` points into them."""

    users: Tensor
    movies: Tensor
    places: Tensor
    values: Tensor
    numeric: Tensor
    genres: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def features(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        places = self.places[batch]
        return self.numeric[places], self.genres[places]


@dataclass(frozen=True)
class Score:
    rmse: float
    mae: float


@dataclass(frozen=True)
class Outcome:
    network: TrainedNetwork
    train_losses: list[float]
    held_out_losses: list[float]
    metrics: dict[str, float]
    model: RatingNetwork


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="tools/train rating-network", description="Trains the rating network."
    )
    parser.add_argument("--data", type=Path, required=True, help="folder made by `marquee export`")
    parser.add_argument("--out", type=Path, required=True, help="artifact folder to make")
    parser.add_argument("--name", default="rating-network")
    parser.add_argument("--version", default=None, help="default: the time of training")
    parser.add_argument("--license", default="MIT")
    parser.add_argument("--data-set", default="marquee export", help="named in the manifest")
    for name, default in asdict(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    options = parser.parse_args(arguments)
    settings = Settings(**{name: getattr(options, name) for name in asdict(Settings())})
    outcome = train(
        read_movies(options.data / "movies.csv"),
        read_ratings(options.data / "ratings.csv"),
        settings,
    )
    facts = Training(options.data_set, outcome.metrics, asdict(settings))
    version = options.version or now_utc().strftime("%Y%m%dT%H%M%SZ")
    publish_network(
        options.out, outcome.network, Label(options.name, version, options.license, facts)
    )
    plot_losses(
        options.out.with_name(f"{options.out.name}-loss.png"),
        outcome.train_losses,
        outcome.held_out_losses,
    )
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in outcome.metrics.items())
    print(f"{options.out}: {metrics}")


def train(movies: dict[int, Movie], ratings: Ratings, settings: Settings) -> Outcome:
    torch.set_num_threads(N_THREADS)
    torch.manual_seed(settings.seed)
    torch.use_deterministic_algorithms(True)
    training, held_out = split(ratings, settings)
    catalogue = build_catalogue(movies, training)
    scaling = Scaling.fit(catalogue.numeric[1:])
    fitted = examples(catalogue, movies, scaling, training)
    judged = examples(catalogue, movies, scaling, held_out)
    model = RatingNetwork(
        Shape(len(catalogue.users) + 1, len(catalogue.movies) + 1, len(catalogue.genres))
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    scale = ratings.scale()
    train_losses, held_out_losses = [], []
    best: dict[str, Tensor] = {}
    best_epoch = 0
    for epoch in range(settings.epochs):
        train_losses.append(run_epoch(model, optimizer, fitted, settings, f"epoch {epoch + 1}"))
        held_out_losses.append(judge(model, judged, scale).rmse ** 2)
        if held_out_losses[-1] == min(held_out_losses):
            best_epoch = epoch + 1
            best = {name: value.detach().clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best)
    model.eval()
    weights = {name: value.numpy() for name, value in best.items()}
    return Outcome(
        network=TrainedNetwork(weights, scaling, catalogue, scale),
        train_losses=train_losses,
        held_out_losses=held_out_losses,
        metrics={**measure(model, judged, scale), "best_epoch": float(best_epoch)},
        model=model,
    )


def split(ratings: Ratings, settings: Settings) -> tuple[Ratings, Ratings]:
    order = np.random.default_rng(settings.seed).permutation(len(ratings))
    n_held_out = round(settings.held_out * len(ratings))
    return ratings.take(np.sort(order[n_held_out:])), ratings.take(np.sort(order[:n_held_out]))


def examples(
    catalogue: Catalogue, movies: dict[int, Movie], scaling: Scaling, ratings: Ratings
) -> Examples:
    """A movie without a row keeps its own numbers and genres, as it will when it is served."""
    known = set(movies)
    ids = np.unique(ratings.movie_ids)
    table = [movies[id] if id in known else None for id in ids.tolist()]
    missing = (np.nan, np.nan, np.nan)
    numeric = np.array([movie.numeric if movie else missing for movie in table])
    genres = np.array(
        [
            [float(movie is not None and g in movie.genres) for g in catalogue.genres]
            for movie in table
        ]
    )
    places = np.searchsorted(ids, ratings.movie_ids)
    return Examples(
        users=torch.from_numpy(catalogue.user_rows(ratings.user_ids)),
        movies=torch.from_numpy(catalogue.movie_rows(ratings.movie_ids)),
        places=torch.from_numpy(places),
        values=torch.from_numpy(ratings.values),
        numeric=as_float32(scaling.apply(numeric)),
        genres=as_float32(genres),
    )


def as_float32(values: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def run_epoch(
    model: RatingNetwork,
    optimizer: torch.optim.Optimizer,
    data: Examples,
    settings: Settings,
    title: str,
) -> float:
    """The mean squared error over the epoch, as seen while training."""
    model.train()
    order = torch.randperm(len(data))
    total, n_seen = 0.0, 0
    for batch in tqdm(
        order.split(settings.batch), desc=title, unit="batch", leave=False, disable=None
    ):
        # BatchNorm has no variance for a single example.
        if len(batch) < 2:
            continue
        predicted = model(
            hide(data.users[batch], settings.unknown_share),
            hide(data.movies[batch], settings.unknown_share),
            *data.features(batch),
        )
        loss = nn.functional.mse_loss(predicted, data.values[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
        n_seen += len(batch)
    return total / max(n_seen, 1)


def hide(rows: Tensor, share: float) -> Tensor:
    return torch.where(torch.rand(len(rows)) < share, UNKNOWN_ROW, rows)


def judge(model: RatingNetwork, data: Examples, scale: tuple[float, float]) -> Score:
    """Errors on ratings kept within the scale, as they are shown."""
    model.eval()
    predictions = []
    with torch.no_grad():
        for batch in torch.arange(len(data)).split(JUDGE_BATCH):
            rows = data.users[batch], data.movies[batch]
            predictions.append(model(*rows, *data.features(batch)))
    error = torch.cat(predictions).clamp(*scale).double() - data.values.double()
    return Score(rmse=float((error**2).mean().sqrt()), mae=float(error.abs().mean()))


def measure(model: RatingNetwork, data: Examples, scale: tuple[float, float]) -> dict[str, float]:
    """The errors on the held-out ratings, also as if the user or the movie were new."""
    nobody = torch.full_like(data.users, UNKNOWN_ROW)
    known = judge(model, data, scale)
    strangers = replace(data, users=nobody)
    new_movies = replace(data, movies=nobody)
    metrics = {
        "rmse": known.rmse,
        "mae": known.mae,
        "rmse_unknown_user": judge(model, strangers, scale).rmse,
        "rmse_unknown_movie": judge(model, new_movies, scale).rmse,
    }
    return {name: round(value, 6) for name, value in metrics.items()}


if __name__ == "__main__":
    main()
