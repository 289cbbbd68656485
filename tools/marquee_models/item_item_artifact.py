"""Writes neighbour lists as an `item-item-model` artifact: three tensors, vocabulary, probe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from marquee_models.catalogue import Movie
from marquee_models.item_item import NeighbourLists
from marquee_models.manifest import PROBE_NAME, Description, publish
from marquee_models.network_artifact import VOCABULARY_NAME, Label, spread, write_json

NEIGHBOURS_NAME = "neighbours.safetensors"
MAX_PROBE_QUESTIONS = 16
MAX_PROBE_MOVIES = 8


def publish_item_item_model(
    target: Path, movies: Sequence[Movie], lists: NeighbourLists, label: Label
) -> Path:
    if len(lists.starts) != len(movies) + 1:
        raise ValueError("the lists and the movies are of different numbers")
    longest = int(np.diff(lists.starts.astype(np.int64)).max(initial=0))
    description = Description(
        kind="item-item-model",
        name=label.name,
        version=label.version,
        license=label.license,
        section={
            "neighbours": NEIGHBOURS_NAME,
            "vocabulary": VOCABULARY_NAME,
            "n_movies": len(movies),
            "max_neighbours": max(longest, 1),
        },
        training=label.training,
        created=label.created,
    )
    known = [{"id": movie.id, "title": movie.title, "year": movie.year} for movie in movies]

    def write_files(folder: Path) -> None:
        tensors = {"starts": lists.starts, "rows": lists.rows, "weights": lists.weights}
        (folder / NEIGHBOURS_NAME).write_bytes(save(tensors))
        write_json(folder / VOCABULARY_NAME, {"movies": known})
        write_json(folder / PROBE_NAME, build_probe(lists))

    return publish(target, description, write_files)


def build_probe(lists: NeighbourLists) -> dict[str, Any]:
    """One seed and two: rows from the whole range; some of their neighbours, and a movie that is
    none of them."""
    n_movies = len(lists.starts) - 1
    first = [int(row) for row in spread(n_movies - 1, MAX_PROBE_QUESTIONS)]
    questions = [[row] for row in first] + [[row, (row + 1) % n_movies] for row in first[:4]]
    movies, scores = [], []
    for seeds in questions:
        totals = np.zeros(n_movies, dtype=np.float64)
        for seed in seeds:
            rows, weights = lists.of(seed)
            totals[rows] += weights
        totals /= len(seeds)
        best = np.lexsort((np.arange(n_movies), -totals))[:MAX_PROBE_MOVIES].tolist()
        asked = sorted({*best, int(totals.argmin())})
        movies.append(asked)
        scores.append([float(f"{totals[row]:.9g}") for row in asked])
    return {"seeds": questions, "movies": movies, "scores": scores}
