"""Writes a trained rating network as a `rating-network` artifact: two graphs, vocabulary, probe."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from marquee_models.graph import save
from marquee_models.manifest import PROBE_NAME, Description, Training, now_utc, publish
from marquee_models.network import (
    Dimensions,
    NumpyNetwork,
    Scaling,
    Weights,
    build_movie_tower,
    build_scorer,
)
from marquee_models.ratings import NUMERIC, Catalogue

TOWER_NAME = "movie_tower.onnx"
SCORER_NAME = "scorer.onnx"
VOCABULARY_NAME = "vocabulary.json"
MAX_PROBE_MOVIES = 16
MAX_PROBE_USERS = 4


@dataclass(frozen=True)
class TrainedNetwork:
    weights: Weights
    scaling: Scaling
    catalogue: Catalogue
    rating_scale: tuple[float, float]


@dataclass(frozen=True)
class Label:
    name: str
    version: str
    license: str
    training: Training | None
    created: datetime = field(default_factory=now_utc)


def publish_network(target: Path, network: TrainedNetwork, label: Label) -> Path:
    sizes = Dimensions.of(network.weights)
    catalogue = network.catalogue
    if (sizes.n_movies, sizes.n_users) != (len(catalogue.movies), len(catalogue.users)):
        raise ValueError("the vocabulary and the embeddings have different lengths")
    section = {
        "movie_tower": TOWER_NAME,
        "scorer": SCORER_NAME,
        "vocabulary": VOCABULARY_NAME,
        "n_movies": sizes.n_movies,
        "n_users": sizes.n_users,
        "hidden_dim": sizes.hidden,
        "numeric": list(NUMERIC),
        "genres": list(catalogue.genres),
        "rating_scale": list(network.rating_scale),
    }
    description = Description(
        kind="rating-network",
        name=label.name,
        version=label.version,
        license=label.license,
        section=section,
        training=label.training,
        created=label.created,
    )

    def write_files(folder: Path) -> None:
        save(build_movie_tower(network.weights, network.scaling), folder / TOWER_NAME)
        save(build_scorer(network.weights), folder / SCORER_NAME)
        write_json(folder / VOCABULARY_NAME, catalogue.vocabulary())
        write_json(folder / PROBE_NAME, build_probe(network))

    return publish(target, description, write_files)


def write_json(path: Path, value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    path.write_text(text + "\n", encoding="utf-8")


def build_probe(network: TrainedNetwork) -> dict[str, Any]:
    """Rows from the whole range, and a movie with each number missing; from the plain forward
    pass."""
    sizes = Dimensions.of(network.weights)
    rows = spread(sizes.n_movies, MAX_PROBE_MOVIES)
    users = spread(sizes.n_users, MAX_PROBE_USERS)
    numeric = network.catalogue.numeric[rows].copy()
    for place in range(min(len(NUMERIC), len(rows) - 1)):
        numeric[place + 1, place] = np.nan
    genres = network.catalogue.genre_flags[rows]
    judge = NumpyNetwork(network.weights, network.scaling)
    ratings = [judge.rate(np.full(len(rows), user), rows, numeric, genres) for user in users]
    return {
        "movie_row": rows.tolist(),
        "numeric": [[None if np.isnan(v) else float(v) for v in row] for row in numeric],
        "genres": [[int(flag) for flag in row] for row in genres],
        "movie_vectors": rounded(judge.movie_vectors(rows, numeric, genres)),
        "user_rows": users.tolist(),
        "ratings": rounded(np.array(ratings)),
    }


def spread(n_known: int, most: int) -> Any:
    """Row 0, the last row, and rows evenly between."""
    return np.unique(np.linspace(0, n_known, num=min(most, n_known + 1)).round().astype(np.int64))


def rounded(values: Any) -> list[list[float]]:
    return [[float(f"{value:.9g}") for value in row] for row in values]
