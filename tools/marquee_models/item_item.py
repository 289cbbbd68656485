"""Item-item weights from who rated what: numpy alone.

ease    EASE^R (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data"): with X the
        people x movies matrix of ones and P = (X'X + ridge I)^-1, the weight from movie i to movie
        j is -P_ij / P_jj.
cosine  the cosine of the columns of X, times n / (n + shrinkage) for n people in common.

Both need the dense matrix of movies x movies; only the most-rated ones take part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marquee_models.interactions import Interactions

Matrix = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
# Longest history that the metrics rank for at a time, and how many movies an answer has.
BEST = 10


@dataclass(frozen=True)
class ItemItemSettings:
    method: str = "ease"
    # A dense matrix of this many rows and columns must fit into memory three times.
    max_movies: int = 10_000
    max_neighbours: int = 100
    ridge: float = 100.0
    shrinkage: float = 20.0
    # Share of each person's ratings, the newest ones, that the metrics are measured on.
    held_out: float = 0.1


@dataclass(frozen=True)
class Histories:
    """The columns (of the most-rated movies) that each person rated, oldest first."""

    columns: IntArray
    offsets: IntArray
    n_movies: int

    def of(self, person: int) -> IntArray:
        return self.columns[self.offsets[person] : self.offsets[person + 1]]

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True)
class NeighbourLists:
    """The neighbours of row r are `rows[starts[r]:starts[r + 1]]`, rising, with their weights."""

    starts: npt.NDArray[np.uint32]
    rows: npt.NDArray[np.uint32]
    weights: Matrix

    def of(self, row: int) -> tuple[npt.NDArray[np.uint32], Matrix]:
        part = slice(int(self.starts[row]), int(self.starts[row + 1]))
        return self.rows[part], self.weights[part]


def most_rated(interactions: Interactions, most: int) -> IntArray:
    """Ids of the movies that take part, rising."""
    ids, counts = np.unique(interactions.movie_ids, return_counts=True)
    chosen = np.lexsort((ids, -counts))[:most]
    return np.sort(ids[chosen]).astype(np.int64)


def histories_of(interactions: Interactions, movies: IntArray) -> Histories:
    places = np.minimum(np.searchsorted(movies, interactions.movie_ids), len(movies) - 1)
    takes_part = movies[places] == interactions.movie_ids
    counts = np.add.reduceat(takes_part, interactions.offsets[:-1], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Histories(places[takes_part].astype(np.int64), offsets, len(movies))


def without_newest(histories: Histories, share: float) -> tuple[Histories, list[IntArray]]:
    """Histories without the newest part of each, and that part."""
    kept, newest = [], []
    for person in range(len(histories)):
        history = histories.of(person)
        n = len(history) - int(len(history) * share)
        kept.append(history[:n])
        newest.append(history[n:])
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in kept])]).astype(np.int64)
    return Histories(np.concatenate(kept), offsets, histories.n_movies), newest


def fit(histories: Histories, settings: ItemItemSettings) -> Matrix:
    """Weights from row to column; zero on the diagonal."""
    weights = METHODS[settings.method](gram(histories), settings)
    np.fill_diagonal(weights, 0.0)
    return weights


def gram(histories: Histories) -> Matrix:
    """How many people rated both."""
    counts = np.zeros((histories.n_movies, histories.n_movies), dtype=np.float32)
    for person in range(len(histories)):
        rated = histories.of(person)
        counts[np.ix_(rated, rated)] += 1.0
    return counts


def ease(counts: Matrix, settings: ItemItemSettings) -> Matrix:
    counts[np.diag_indices_from(counts)] += np.float32(settings.ridge)
    inverse = np.linalg.inv(counts)
    return np.asarray(-inverse / np.diag(inverse), dtype=np.float32)


def cosine(counts: Matrix, settings: ItemItemSettings) -> Matrix:
    # A movie that nobody rated is like no other.
    norms = np.sqrt(np.maximum(np.diag(counts), 1.0))
    shrunk = counts * (counts / (counts + np.float32(settings.shrinkage)))
    return np.asarray(shrunk / np.outer(norms, norms), dtype=np.float32)


METHODS: dict[str, Callable[[Matrix, ItemItemSettings], Matrix]] = {"ease": ease, "cosine": cosine}


def nearest(weights: Matrix, most: int) -> NeighbourLists:
    """The largest weights of each row that are above zero."""
    starts, rows, values = [0], [], []
    for row in weights:
        best = np.argpartition(-row, min(most, len(row) - 1))[:most]
        best = np.sort(best[row[best] > 0.0])
        rows.append(best)
        values.append(row[best])
        starts.append(starts[-1] + len(best))
    return NeighbourLists(
        np.array(starts, dtype=np.uint32),
        np.concatenate(rows).astype(np.uint32),
        np.concatenate(values).astype(np.float32),
    )


def measure(
    lists: NeighbourLists, histories: Histories, newest: list[IntArray]
) -> dict[str, float]:
    """How well the sum of the weights from a history finds what was rated next."""
    gains = 1.0 / np.log2(np.arange(BEST) + 2)
    found, all_newest, ndcg = 0, 0, []
    for person, wanted in enumerate(newest):
        history = histories.of(person)
        if len(wanted) == 0 or len(history) == 0:
            continue
        scores = np.zeros(histories.n_movies, dtype=np.float32)
        for row in history.tolist():
            neighbours, weights = lists.of(row)
            scores[neighbours] += weights
        scores[history] = -np.inf
        order = np.lexsort((np.arange(len(scores)), -scores))[:BEST]
        hits = np.isin(order, wanted)
        found += int(hits.sum())
        all_newest += len(wanted)
        ndcg.append(float(gains[: len(order)][hits].sum() / gains[: min(BEST, len(wanted))].sum()))
    if not ndcg:
        return {}
    return {"ndcg_at_10": float(np.mean(ndcg)), "recall_at_10": found / all_newest}
