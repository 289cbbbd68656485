"""Trains the original rating network (original_network.py), for comparison.

A random fifth of the ratings is held out; after each epoch the network is judged on it, and the
best epoch is kept. Ids are replaced by "unknown" at random while training, each side by itself,
so that row 0 learns what a new user or movie looks like.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from tqdm import tqdm

from marquee_models.catalogue import UNKNOWN_ROW, Catalogue, rows_of
from marquee_models.interactions import Interactions
from marquee_models.original_network import OriginalNetwork, OriginalShape
from marquee_models.scaling import Scaling

# The columns of the catalogue's numeric features that the network takes.
N_NUMERIC = 3
JUDGE_BATCH = 65_536


@dataclass(frozen=True)
class OriginalSettings:
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

    def take(self, chosen: npt.NDArray[np.int64]) -> Examples:
        places = torch.from_numpy(chosen).to(self.users.device)
        return replace(
            self,
            users=self.users[places],
            movies=self.movies[places],
            places=self.places[places],
            values=self.values[places],
        )

    def features(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        places = self.places[batch]
        return self.numeric[places], self.genres[places]


@dataclass(frozen=True)
class Score:
    rmse: float
    mae: float


@dataclass(frozen=True)
class OriginalOutcome:
    weights: dict[str, npt.NDArray[Any]]
    scaling: Scaling
    train_losses: list[float]
    held_out_losses: list[float]
    metrics: dict[str, float]
    model: OriginalNetwork


def train_original(
    interactions: Interactions, catalogue: Catalogue, settings: OriginalSettings, device: str
) -> OriginalOutcome:
    torch.manual_seed(settings.seed)
    scaling = Scaling.fit(catalogue.numeric[1:, :N_NUMERIC], (False,) * N_NUMERIC)
    order = np.random.default_rng(settings.seed).permutation(len(interactions))
    n_held_out = round(settings.held_out * len(interactions))
    everything = examples(interactions, catalogue, scaling, device)
    fitted = everything.take(np.sort(order[n_held_out:]))
    judged = everything.take(np.sort(order[:n_held_out]))
    model = OriginalNetwork(
        OriginalShape(len(catalogue.users) + 1, len(catalogue.movies) + 1, len(catalogue.genres))
    ).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    scale = interactions.scale()
    train_losses, held_out_losses = [], []
    best: dict[str, Tensor] = {}
    best_epoch = 0
    for epoch in range(settings.epochs):
        train_losses.append(run_epoch(model, optimizer, fitted, settings, f"epoch {epoch + 1}"))
        held_out_losses.append(judge(model, judged, scale).rmse ** 2)
        if held_out_losses[-1] == min(held_out_losses):
            best_epoch = epoch + 1
            best = {name: value.detach().clone() for name, value in model.state_dict().items()}
    forget_untrained(best, fitted)
    model.load_state_dict(best)
    model.eval()
    return OriginalOutcome(
        weights={name: value.cpu().numpy() for name, value in best.items()},
        scaling=scaling,
        train_losses=train_losses,
        held_out_losses=held_out_losses,
        metrics={**measure(model, judged, scale), "best_epoch": float(best_epoch)},
        model=model,
    )


def examples(
    interactions: Interactions, catalogue: Catalogue, scaling: Scaling, device: str
) -> Examples:
    def tensor(values: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(device)

    rows = tensor(catalogue.movie_rows(interactions.movie_ids))
    numeric = scaling.apply(catalogue.numeric[:, :N_NUMERIC])
    return Examples(
        users=tensor(rows_of(interactions.user_ids, interactions.users_of_ratings())),
        movies=rows,
        places=rows,
        values=tensor(interactions.values),
        numeric=tensor(numeric.astype(np.float32)),
        genres=tensor(catalogue.genre_flags),
    )


def forget_untrained(weights: dict[str, Tensor], fitted: Examples) -> None:
    """A row without a rating to learn from has the values it started with: row 0 knows more."""
    for name, rows in (("user_embed.weight", fitted.users), ("item_embed.weight", fitted.movies)):
        table = weights[name]
        untrained = torch.ones(len(table), dtype=torch.bool, device=table.device)
        untrained[rows] = False
        table[untrained] = table[UNKNOWN_ROW].clone()


def run_epoch(
    model: OriginalNetwork,
    optimizer: torch.optim.Optimizer,
    data: Examples,
    settings: OriginalSettings,
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
    hidden = torch.rand(len(rows), device=rows.device) < share
    return torch.where(hidden, UNKNOWN_ROW, rows)


def judge(model: OriginalNetwork, data: Examples, scale: tuple[float, float]) -> Score:
    """Errors on ratings kept within the scale, as they are shown."""
    model.eval()
    predictions = []
    with torch.no_grad():
        for batch in torch.arange(len(data)).split(JUDGE_BATCH):
            rows = data.users[batch], data.movies[batch]
            predictions.append(model(*rows, *data.features(batch)))
    error = torch.cat(predictions).clamp(*scale).double() - data.values.double()
    return Score(rmse=float((error**2).mean().sqrt()), mae=float(error.abs().mean()))


def measure(model: OriginalNetwork, data: Examples, scale: tuple[float, float]) -> dict[str, float]:
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
