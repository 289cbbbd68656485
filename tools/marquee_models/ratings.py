"""Reads what `marquee export` writes (ratings.csv, movies.csv) into arrays for training.

Row 0 stands for "unknown" on both sides. Only movies and users with ratings in the training part
get a row: an id that was never trained would answer with noise, the unknown row answers with an
average.
"""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

NUMERIC = ("vote_average", "vote_count", "popularity")
UNKNOWN_ROW = 0
# A movie with more rows of this kind than any real data set has is a broken file.
MAX_RATINGS = 200_000_000
GENRES_THAT_SAY_NOTHING = {"", "unknown", "(no genres listed)"}


@dataclass(frozen=True)
class Movie:
    id: int
    title: str
    year: int | None
    genres: tuple[str, ...]
    numeric: tuple[float, float, float]


@dataclass(frozen=True)
class Ratings:
    """One entry per rating: outside ids and the value."""

    user_ids: npt.NDArray[np.int64]
    movie_ids: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, places: npt.NDArray[np.int64]) -> Ratings:
        return Ratings(self.user_ids[places], self.movie_ids[places], self.values[places])

    def scale(self) -> tuple[float, float]:
        return float(np.min(self.values)), float(np.max(self.values))


@dataclass(frozen=True)
class Catalogue:
    """Known movies and users in row order (row 1 first), and the features of every row."""

    movies: tuple[Movie, ...]
    users: tuple[int, ...]
    genres: tuple[str, ...]
    # Row × 3, raw, NaN where missing; row 0 is all missing.
    numeric: npt.NDArray[np.float32]
    # Row × genre, one or zero.
    genre_flags: npt.NDArray[np.float32]

    def movie_rows(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return rows_of([movie.id for movie in self.movies], ids)

    def user_rows(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return rows_of(list(self.users), ids)

    def vocabulary(self) -> dict[str, Any]:
        movies = [{"id": m.id, "title": m.title, "year": m.year} for m in self.movies]
        return {"movies": movies, "users": list(self.users)}


def rows_of(known: list[int], ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """`known` is sorted; what is not in it has row 0."""
    sorted_ids = np.array(known, dtype=np.int64)
    if len(sorted_ids) == 0:
        return np.zeros(len(ids), dtype=np.int64)
    places = np.minimum(np.searchsorted(sorted_ids, ids), len(sorted_ids) - 1)
    return np.where(sorted_ids[places] == ids, places + 1, UNKNOWN_ROW).astype(np.int64)


def read_ratings(path: Path) -> Ratings:
    users, movies, values = array("q"), array("q"), array("f")
    for line, row in rows(path, ("userId", "movieId", "rating")):
        value = number(row["rating"])
        if math.isnan(value) or len(values) >= MAX_RATINGS:
            raise ValueError(f"{path.name}, line {line}: no rating, or more than {MAX_RATINGS}")
        users.append(int(row["userId"]))
        movies.append(int(row["movieId"]))
        values.append(value)
    if not values:
        raise ValueError(f"{path} has no ratings")
    return Ratings(
        np.array(users, dtype=np.int64),
        np.array(movies, dtype=np.int64),
        np.array(values, dtype=np.float32),
    )


def read_movies(path: Path) -> dict[int, Movie]:
    movies = {}
    for line, row in rows(path, ("movieId", "title", "year", "genres", *NUMERIC)):
        try:
            movie = read_movie(row)
        except ValueError as error:
            raise ValueError(f"{path.name}, line {line}: {error}") from error
        movies[movie.id] = movie
    return movies


def read_movie(row: dict[str, str]) -> Movie:
    average, count, popularity = (number(row[name]) for name in NUMERIC)
    genres = {name.strip() for name in row["genres"].split("|")}
    return Movie(
        id=int(row["movieId"]),
        title=row["title"],
        year=int(row["year"]) if row["year"] else None,
        genres=tuple(sorted(genres - GENRES_THAT_SAY_NOTHING)),
        numeric=(average, count, popularity),
    )


def rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and fields, one row at a time: rating files can be larger than memory."""
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        missing = sorted(set(columns) - set(reader.fieldnames or ()))
        if missing:
            raise ValueError(f"{path} lacks the columns {', '.join(missing)}")
        for row in reader:
            yield reader.line_num, row


def number(text: str) -> float:
    """Empty is missing; infinities are refused."""
    value = float(text) if text else math.nan
    if math.isinf(value):
        raise ValueError(f"{text!r} is not a finite number")
    return value


def build_catalogue(movies: dict[int, Movie], training: Ratings) -> Catalogue:
    ids = sorted(set(training.movie_ids.tolist()))
    nameless = Movie(0, "", None, (), (math.nan, math.nan, math.nan))
    known = [movies.get(id) or Movie(id, "", None, (), nameless.numeric) for id in ids]
    genres = sorted({genre for movie in movies.values() for genre in movie.genres})
    table = [nameless, *known]
    flags = [[float(genre in movie.genres) for genre in genres] for movie in table]
    return Catalogue(
        movies=tuple(known),
        users=tuple(sorted(set(training.user_ids.tolist()))),
        genres=tuple(genres),
        numeric=np.array([movie.numeric for movie in table], dtype=np.float32),
        genre_flags=np.array(flags, dtype=np.float32).reshape(len(table), len(genres)),
    )
