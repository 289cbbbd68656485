"""The examples a ranking model learns from, as `marquee export --ranking-examples` writes them, and
how well scores order them.

A query is one person at one time in the past; its rows are the candidates of that time, and a label
says whether the person liked the movie later. The files, in `ranking-examples/`, little-endian:
`examples.json` {format, features: [{name, rising}], n_rows, n_queries}; `features.f32` n_rows ×
features; `labels.u8` 0 or 1 per row; and per query `queries.u32` (its number of rows),
`weights.f32` and `windows.u8` (the part of the past it comes from).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FOLDER_NAME = "ranking-examples"
FORMAT = 1


class ExamplesError(ValueError):
    """The files do not fit together."""


class TooFewExamplesError(ValueError):
    """There is too little to learn from."""


@dataclass(frozen=True)
class Examples:
    """N rows in Q queries. Of a rising feature more can only speak for a movie."""

    names: tuple[str, ...]
    rising: tuple[bool, ...]
    features: npt.NDArray[np.float32]  # N × features
    labels: npt.NDArray[np.uint8]  # N
    lengths: npt.NDArray[np.int64]  # Q
    weights: npt.NDArray[np.float32]  # Q
    windows: npt.NDArray[np.uint8]  # Q

    def query_of_row(self) -> npt.NDArray[np.int64]:
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def n_liked(self) -> npt.NDArray[np.int64]:
        """Liked movies among the candidates of each query."""
        counts = np.bincount(self.query_of_row(), self.labels, minlength=len(self.lengths))
        return counts.astype(np.int64)

    def take(self, queries: npt.NDArray[np.bool_]) -> Examples:
        """The queries for which the mask of length Q holds."""
        rows = np.repeat(queries, self.lengths)
        return Examples(
            self.names,
            self.rising,
            self.features[rows],
            self.labels[rows],
            self.lengths[queries],
            self.weights[queries],
            self.windows[queries],
        )


def read_examples(folder: Path) -> Examples:
    facts = json.loads((folder / "examples.json").read_text(encoding="utf-8"))
    if facts.get("format") != FORMAT:
        raise ExamplesError(f"{folder} has format {facts.get('format')}; format {FORMAT} is read")
    names = tuple(str(feature["name"]) for feature in facts["features"])
    n_rows, n_queries = int(facts["n_rows"]), int(facts["n_queries"])

    def read(name: str, dtype: str, count: int) -> Any:
        values = np.fromfile(folder / name, dtype=dtype)
        if len(values) != count:
            raise ExamplesError(f"{folder / name} has {len(values)} numbers, not {count}")
        if not np.isfinite(values).all():
            raise ExamplesError(f"{folder / name} has a number that is not finite")
        return values

    examples = Examples(
        names,
        tuple(bool(feature["rising"]) for feature in facts["features"]),
        read("features.f32", "<f4", n_rows * len(names)).reshape(n_rows, len(names)),
        read("labels.u8", "u1", n_rows),
        read("queries.u32", "<u4", n_queries).astype(np.int64),
        read("weights.f32", "<f4", n_queries),
        read("windows.u8", "u1", n_queries),
    )
    if examples.lengths.sum() != n_rows:
        raise ExamplesError(f"the queries of {folder} have {examples.lengths.sum()} rows")
    if (examples.labels > 1).any() or (examples.weights < 0).any():
        raise ExamplesError(f"{folder} has a label above 1 or a weight below 0")
    return examples


def ndcg_at(k: int, examples: Examples, scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """nDCG@k per query with binary gains (Järvelin & Kekäläinen 2002), best order among the
    candidates; NaN where nothing was liked. Equal scores keep the order of the rows."""
    query = examples.query_of_row()
    order = np.lexsort((-np.asarray(scores, dtype=np.float64), query))
    starts = np.cumsum(examples.lengths) - examples.lengths
    ranks = np.arange(len(query)) - starts[query]
    discounts = np.where(ranks < k, 1.0 / np.log2(ranks + 2.0), 0.0)
    gained = np.bincount(query, examples.labels[order] * discounts, minlength=len(starts))
    ideal = np.concatenate([[np.nan], np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))])
    best: npt.NDArray[np.float64] = ideal[np.minimum(examples.n_liked(), k)]
    return gained / best


def mean_ndcg_at(k: int, examples: Examples, scores: npt.ArrayLike) -> float:
    """The mean over the queries with something liked, by their weights."""
    values = ndcg_at(k, examples, scores)
    counted = ~np.isnan(values)
    if not examples.weights[counted].sum() > 0:
        return float("nan")
    return float(np.average(values[counted], weights=examples.weights[counted]))
