"""Batches for the default network: what people rated, and what they had rated otherwise.

A window is a stretch of one person's ratings, oldest first, at most as long as the history that the
network takes when it serves. Every rating of a window is predicted from the other ones, either all
of them or only the earlier ones, with some left out at random, so that one network learns to use
short, long, past and whole histories. Batches are cut from `Interactions`, in memory or on disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marquee_models.interactions import BLOCK_ROWS, Interactions

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Windows:
    """Ratings `starts[w]` to `stops[w]` are of the person in row `users[w]` (row 1 first)."""

    users: IntArray
    starts: IntArray
    stops: IntArray

    @staticmethod
    def cut(interactions: Interactions, max_length: int) -> Windows:
        n = np.diff(interactions.offsets)
        pieces = -(-n // max_length)
        users = np.repeat(np.arange(len(n)), pieces)
        piece = np.arange(len(users)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        starts = interactions.offsets[users] + piece * max_length
        stops = np.minimum(starts + max_length, interactions.offsets[users + 1])
        return Windows(users + 1, starts, stops)


@dataclass(frozen=True)
class Cells:
    """Ratings as a table, one person a row; where `present` is false there is none."""

    places: IntArray
    movie_ids: IntArray
    values: npt.NDArray[np.float32]
    timestamps: IntArray
    present: BoolArray


@dataclass(frozen=True)
class Batch:
    """B people with at most T ratings to predict and L ratings known."""

    users: IntArray  # [B]
    targets: Cells  # [B, T]
    history: Cells  # [B, L]

    def others(self) -> BoolArray:
        """[B, T, L]: which known ratings are not the one to predict."""
        same = self.targets.places[:, :, None] == self.history.places[:, None, :]
        others: BoolArray = self.history.present[:, None, :] & ~same
        return others

    def ages(self) -> IntArray:
        """[B, T, L]: seconds from the known rating to the one to predict; negative if it came
        later."""
        return self.targets.timestamps[:, :, None] - self.history.timestamps[:, None, :]


def batches(
    windows: Windows, max_cells: int, random: np.random.Generator | None = None
) -> list[IntArray]:
    """Windows in groups of similar length, so that little is padding; a group's tables of length
    × length have at most `max_cells` cells, or it is a single window. Shuffled by `random`."""
    lengths = (windows.stops - windows.starts).astype(np.float64)
    if random is not None:
        lengths += random.uniform(0.0, np.maximum(8.0, 0.2 * lengths))
    groups: list[list[int]] = [[]]
    longest = 0
    for window in np.argsort(lengths, kind="stable").tolist():
        length = int(windows.stops[window] - windows.starts[window])
        longest = max(longest, length)
        if groups[-1] and (len(groups[-1]) + 1) * longest**2 > max_cells:
            groups.append([])
            longest = length
        groups[-1].append(window)
    arrays = [np.array(group, dtype=np.int64) for group in groups if group]
    order = np.arange(len(arrays)) if random is None else random.permutation(len(arrays))
    return [arrays[place] for place in order.tolist()]


def cut_batch(
    interactions: Interactions, windows: Windows, group: IntArray, held_out: BoolArray, judge: bool
) -> Batch:
    """The ratings of some windows. What is held out is never history; it is what is predicted when
    judging, and left alone when training."""
    targets, history = [], []
    for start, stop in zip(windows.starts[group].tolist(), windows.stops[group].tolist()):
        places = np.arange(start, stop)
        hidden = held_out[start:stop]
        history.append(places[~hidden])
        targets.append(places[hidden] if judge else history[-1])
    return Batch(windows.users[group], table(interactions, targets), table(interactions, history))


def table(interactions: Interactions, rows: list[IntArray]) -> Cells:
    width = max(len(row) for row in rows)
    places = np.full((len(rows), width), -1, dtype=np.int64)
    for place, row in enumerate(rows):
        places[place, : len(row)] = row
    present = places >= 0
    read = np.where(present, places, 0)
    return Cells(
        places,
        interactions.movie_ids[read],
        interactions.values[read],
        interactions.timestamps[read],
        present,
    )


def blocks_of(n: int) -> Iterator[slice]:
    """Slices that cover n ratings, each small enough for memory."""
    for start in range(0, n, BLOCK_ROWS):
        yield slice(start, start + BLOCK_ROWS)
