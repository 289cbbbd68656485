"""Writes a rating network as a `rating-network` artifact: two graphs, vocabulary, probe."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from marquee_models.catalogue import NUMERIC, Catalogue
from marquee_models.graph import save
from marquee_models.manifest import PROBE_NAME, Description, Training, now_utc, publish

TOWER_NAME = "movie_tower.onnx"
SCORER_NAME = "scorer.onnx"
VOCABULARY_NAME = "vocabulary.json"
MAX_PROBE_MOVIES = 16
MAX_PROBE_USERS = 4
# Seconds since each rating of a probe's history.
PROBE_AGES = (3.0, 75.0, 5400.0, 86_400.0, 31_536_000.0)


@dataclass(frozen=True)
class ExportedNetwork:
    """The graphs and what they know. `numeric` names the tower's numeric features, in order;
    `max_history` is None for a scorer that takes no history."""

    movie_tower: onnx.ModelProto
    scorer: onnx.ModelProto
    catalogue: Catalogue
    numeric: tuple[str, ...]
    rating_scale: tuple[float, float]
    max_history: int | None

    @property
    def vector_dim(self) -> int:
        output = self.movie_tower.graph.output[0].type.tensor_type.shape
        return int(output.dim[1].dim_value)


@dataclass(frozen=True)
class Label:
    name: str
    version: str
    license: str
    training: Training | None
    created: datetime = field(default_factory=now_utc)


def publish_network(target: Path, network: ExportedNetwork, label: Label) -> Path:
    catalogue = network.catalogue
    section: dict[str, Any] = {
        "movie_tower": TOWER_NAME,
        "scorer": SCORER_NAME,
        "vocabulary": VOCABULARY_NAME,
        "n_movies": len(catalogue.movies),
        "n_users": len(catalogue.users),
        "vector_dim": network.vector_dim,
        "numeric": list(network.numeric),
        "genres": list(catalogue.genres),
        "rating_scale": list(network.rating_scale),
    }
    if network.max_history is not None:
        section["history"] = {"max_length": network.max_history}
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
        save(network.movie_tower, folder / TOWER_NAME)
        save(network.scorer, folder / SCORER_NAME)
        write_json(folder / VOCABULARY_NAME, catalogue.vocabulary())
        write_json(folder / PROBE_NAME, build_probe(network))

    return publish(target, description, write_files)


def write_json(path: Path, value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    path.write_text(text + "\n", encoding="utf-8")


def build_probe(network: ExportedNetwork) -> dict[str, Any]:
    """Rows from the whole range, a movie with each number missing, histories from none to long.
    The answers are those of ONNX's reference implementation, not of the runtime that will serve."""
    catalogue = network.catalogue
    rows = spread(len(catalogue.movies), MAX_PROBE_MOVIES)
    users = spread(len(catalogue.users), MAX_PROBE_USERS)
    columns = [NUMERIC.index(name) for name in network.numeric]
    numeric = catalogue.numeric[rows][:, columns]
    for place in range(min(len(columns), len(rows) - 1)):
        numeric[place + 1, place] = np.nan
    genres = catalogue.genre_flags[rows]
    tower, scorer = ReferenceEvaluator(network.movie_tower), ReferenceEvaluator(network.scorer)
    inputs = {"movie_row": rows, "numeric": numeric, "genres": genres}
    (vectors,) = tower.run(["movie_vector"], inputs)
    probe: dict[str, Any] = {
        "movie_row": rows.tolist(),
        "numeric": [[None if np.isnan(v) else float(v) for v in row] for row in numeric],
        "genres": [[int(flag) for flag in row] for row in genres],
        "movie_vectors": rounded(vectors),
        "user_rows": users.tolist(),
    }
    histories = [probe_history(network, number, len(rows)) for number in range(len(users))]
    if network.max_history is not None:
        probe["histories"] = histories
    ratings = []
    for user, history in zip(users.tolist(), histories):
        question: dict[str, Any] = {"user_row": np.array([user]), "movie_vectors": vectors}
        if network.max_history is not None:
            question["history_vectors"] = vectors[np.array(history["movies"], dtype=np.int64)]
            question["history_ratings"] = np.array(history["ratings"], dtype=np.float32)
            question["history_ages"] = np.array(history["ages"], dtype=np.float32)
        (rating,) = scorer.run(["rating"], question)
        ratings.append(rating)
    return {**probe, "ratings": rounded(np.array(ratings))}


def probe_history(network: ExportedNetwork, number: int, n_movies: int) -> dict[str, Any]:
    """Of the probe's user `number`: none for the first, then longer ones, over places in the
    probe's list of movies."""
    n = min(2 * number, n_movies, network.max_history or 0)
    low, high = network.rating_scale
    steps = np.linspace(high, low, num=max(n, 1))[:n]
    return {
        "movies": [(number + 3 * place) % n_movies for place in range(n)],
        "ratings": [round(float(value), 1) for value in steps],
        "ages": [PROBE_AGES[place % len(PROBE_AGES)] for place in range(n)],
    }


def spread(n_known: int, most: int) -> Any:
    """Row 0, the last row, and rows evenly between."""
    return np.unique(np.linspace(0, n_known, num=min(most, n_known + 1)).round().astype(np.int64))


def rounded(values: Any) -> list[list[float]]:
    return [[float(f"{value:.9g}") for value in row] for row in values]
