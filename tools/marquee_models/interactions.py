"""Ratings by person, in memory or on disk.

`marquee export` writes ratings.csv in any order; training wants each person's ratings side by side,
oldest first. The file is read twice, in blocks: once to count, once to put every rating in its
place. With a folder the arrays are .npy files, mapped into memory as they are used, so that ratings
beyond the machine's memory can be trained on; without one they are in memory. What comes out is the
same.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

COLUMNS = ("userId", "movieId", "rating", "timestamp")
# Ratings read at a time: some 30 MB.
BLOCK_ROWS = 500_000

IntArray = npt.NDArray[np.int64]
Block = tuple[IntArray, IntArray, npt.NDArray[np.float32], IntArray]
Allocate = Callable[[str, Any, int], npt.NDArray[Any]]


@dataclass(frozen=True)
class Interactions:
    """The ratings of person `user_ids[u]` are at `offsets[u]` to `offsets[u + 1]`, oldest first,
    equal times by movie. `user_ids` rises; `timestamps` are seconds since 1970."""

    user_ids: IntArray
    offsets: IntArray
    movie_ids: IntArray
    values: npt.NDArray[np.float32]
    timestamps: IntArray

    def __len__(self) -> int:
        return len(self.values)

    def scale(self) -> tuple[float, float]:
        return float(np.min(self.values)), float(np.max(self.values))

    def users_of_ratings(self) -> IntArray:
        """The person of every rating."""
        return np.repeat(self.user_ids, np.diff(self.offsets))

    def movies(self) -> IntArray:
        """The rated movies, rising."""
        seen: set[int] = set()
        for start in range(0, len(self), BLOCK_ROWS):
            seen.update(np.unique(self.movie_ids[start : start + BLOCK_ROWS]).tolist())
        return np.array(sorted(seen), dtype=np.int64)


def read_interactions(path: Path, folder: Path | None = None) -> Interactions:
    """Reads ratings.csv; with a folder, into .npy files there (replacing older ones)."""
    counts: Counter[int] = Counter()
    for users, *_ in blocks(path):
        ids, n = np.unique(users, return_counts=True)
        counts.update(dict(zip(ids.tolist(), n.tolist())))
    if not counts:
        raise ValueError(f"{path} has no ratings")
    user_ids = np.array(sorted(counts), dtype=np.int64)
    offsets = np.cumsum([0, *(counts[id] for id in user_ids.tolist())], dtype=np.int64)
    allocate = in_memory if folder is None else on_disk(folder)
    placed = Interactions(
        user_ids,
        offsets,
        movie_ids=allocate("movie_ids", np.int64, int(offsets[-1])),
        values=allocate("values", np.float32, int(offsets[-1])),
        timestamps=allocate("timestamps", np.int64, int(offsets[-1])),
    )
    free = offsets[:-1].copy()
    for block in blocks(path):
        place(placed, free, block)
    for start, stop in zip(offsets[:-1], offsets[1:]):
        sort_history(placed, slice(start, stop))
    return placed


def in_memory(name: str, dtype: Any, n: int) -> npt.NDArray[Any]:  # noqa: ARG001
    return np.empty(n, dtype=dtype)


def on_disk(folder: Path) -> Allocate:
    folder.mkdir(parents=True, exist_ok=True)

    def allocate(name: str, dtype: Any, n: int) -> npt.NDArray[Any]:
        mapped: npt.NDArray[Any] = np.lib.format.open_memmap(
            folder / f"{name}.npy", mode="w+", dtype=dtype, shape=(n,)
        )
        return mapped

    return allocate


def place(target: Interactions, free: IntArray, block: Block) -> None:
    """Writes a block behind what each person has already; `free` is where that is."""
    users, movies, values, timestamps = block
    order = np.argsort(users, kind="stable")
    rows = np.searchsorted(target.user_ids, users[order])
    _, first, n = np.unique(rows, return_index=True, return_counts=True)
    rank = np.arange(len(rows)) - np.repeat(first, n)
    places = free[rows] + rank
    target.movie_ids[places] = movies[order]
    target.values[places] = values[order]
    target.timestamps[places] = timestamps[order]
    free[rows[first]] += n


def sort_history(target: Interactions, part: slice) -> None:
    order = np.lexsort((target.movie_ids[part], target.timestamps[part]))
    for column in (target.movie_ids, target.values, target.timestamps):
        column[part] = column[part][order]


def blocks(path: Path) -> Iterator[Block]:
    """User, movie, rating and time of `BLOCK_ROWS` ratings after the other."""
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.reader(stream)
        header = next(reader, [])
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise ValueError(f"{path} lacks the columns {', '.join(missing)}")
        columns = [header.index(name) for name in COLUMNS]
        rows: list[tuple[int, int, float, int]] = []
        for row in reader:
            rows.append(parse(row, columns, f"{path.name}, line {reader.line_num}"))
            if len(rows) == BLOCK_ROWS:
                yield as_block(rows)
                rows = []
    if rows:
        yield as_block(rows)


def parse(row: list[str], columns: list[int], place_in_file: str) -> tuple[int, int, float, int]:
    try:
        user, movie, value, timestamp = (row[column] for column in columns)
        parsed = int(user), int(movie), float(value), int(float(timestamp))
    except (ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"{place_in_file}: {error or 'a number is missing'}") from error
    if not math.isfinite(parsed[2]):
        raise ValueError(f"{place_in_file}: {row[columns[2]]!r} is not a rating")
    return parsed


def as_block(rows: list[tuple[int, int, float, int]]) -> Block:
    users, movies, values, timestamps = zip(*rows)
    return (
        np.array(users, dtype=np.int64),
        np.array(movies, dtype=np.int64),
        np.array(values, dtype=np.float32),
        np.array(timestamps, dtype=np.int64),
    )
