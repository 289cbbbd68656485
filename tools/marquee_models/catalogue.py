"""The movies that `marquee export` writes (movies.csv), as rows with features.

Row 0 stands for "unknown". Only rated movies and people with ratings get a row: an id that was
never trained would answer with noise, the unknown row answers with an average.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee_models.interactions import Interactions

# What a movie's numeric features may be; a network takes some of them, in an order of its own.
NUMERIC = ("vote_average", "vote_count", "popularity", "release_year")
UNKNOWN_ROW = 0
GENRES_THAT_SAY_NOTHING = {"", "unknown", "(no genres listed)"}


@dataclass(frozen=True)
class Movie:
    id: int
    title: str
    year: int | None
    genres: tuple[str, ...]
    vote_average: float
    vote_count: float
    popularity: float

    def numeric(self) -> tuple[float, ...]:
        """In the order of NUMERIC; missing is not a number."""
        year = math.nan if self.year is None else float(self.year)
        return self.vote_average, self.vote_count, self.popularity, year


@dataclass(frozen=True)
class Catalogue:
    """Known movies and users in row order (row 1 first), and the features of every row."""

    movies: tuple[Movie, ...]
    users: tuple[int, ...]
    genres: tuple[str, ...]
    # Row × NUMERIC, raw, NaN where missing; row 0 is all missing.
    numeric: npt.NDArray[np.float32]
    # Row × genre, one or zero.
    genre_flags: npt.NDArray[np.float32]

    def movie_rows(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return rows_of(self._movie_ids, ids)

    @cached_property
    def _movie_ids(self) -> npt.NDArray[np.int64]:
        return np.array([movie.id for movie in self.movies], dtype=np.int64)

    def vocabulary(self) -> dict[str, Any]:
        movies = [{"id": m.id, "title": m.title, "year": m.year} for m in self.movies]
        return {"movies": movies, "users": list(self.users)}


def rows_of(known: npt.NDArray[np.int64], ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """`known` rises; what is not in it has row 0."""
    if len(known) == 0:
        return np.zeros(ids.shape, dtype=np.int64)
    places = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return np.where(known[places] == ids, places + 1, UNKNOWN_ROW).astype(np.int64)


def read_movies(path: Path) -> dict[int, Movie]:
    movies = {}
    for line, row in rows(path, ("movieId", "title", "year", "genres", *NUMERIC[:3])):
        try:
            movie = read_movie(row)
        except ValueError as error:
            raise ValueError(f"{path.name}, line {line}: {error}") from error
        movies[movie.id] = movie
    return movies


def read_movie(row: dict[str, str]) -> Movie:
    genres = {name.strip() for name in row["genres"].split("|")}
    return Movie(
        id=int(row["movieId"]),
        title=row["title"],
        year=int(row["year"]) if row["year"] else None,
        genres=tuple(sorted(genres - GENRES_THAT_SAY_NOTHING)),
        vote_average=number(row["vote_average"]),
        vote_count=number(row["vote_count"]),
        popularity=number(row["popularity"]),
    )


def rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and fields."""
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


def build_catalogue(movies: dict[int, Movie], interactions: Interactions) -> Catalogue:
    ids = interactions.movies().tolist()
    known = [movies.get(id) or nameless(id) for id in ids]
    genres = sorted({genre for movie in movies.values() for genre in movie.genres})
    table = [nameless(0), *known]
    flags = [[float(genre in movie.genres) for genre in genres] for movie in table]
    return Catalogue(
        movies=tuple(known),
        users=tuple(interactions.user_ids.tolist()),
        genres=tuple(genres),
        numeric=np.array([movie.numeric() for movie in table], dtype=np.float32),
        genre_flags=np.array(flags, dtype=np.float32).reshape(len(table), len(genres)),
    )


def nameless(id: int) -> Movie:
    return Movie(id, "", None, (), math.nan, math.nan, math.nan)
