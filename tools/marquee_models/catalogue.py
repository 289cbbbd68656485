"""The movies that `marquee export` writes (movies.csv), as rows with features.

Row 0 stands for "unknown". Rated movies, movies with an overview vector, and people with ratings
get a row: any other id has nothing to say that the unknown row would not.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
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
# Numbers that the vector of an overview is reduced to.
N_OVERVIEW = 32
Vectors = dict[int, npt.NDArray[np.float32]]
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
    overview: str = ""

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
    # Row × what is left of the overview's vector, scaled; no columns where there are no vectors.
    overviews: npt.NDArray[np.float32]

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
    genres = {name.strip(): None for name in row["genres"].split("|")}
    return Movie(
        id=int(row["movieId"]),
        title=row["title"],
        year=int(row["year"]) if row["year"] else None,
        genres=tuple(name for name in genres if name not in GENRES_THAT_SAY_NOTHING),
        vote_average=number(row["vote_average"]),
        vote_count=number(row["vote_count"]),
        popularity=number(row["popularity"]),
        overview=(row.get("overview") or "").strip(),
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


def overview_texts(movies: Mapping[int, Movie]) -> dict[int, str]:
    """What is embedded of the movies with an overview: the daemon's recipe `genres-overview`."""
    described = {id: movie for id, movie in movies.items() if movie.overview}
    return {id: " ".join([*movie.genres, movie.overview]) for id, movie in described.items()}


def build_catalogue(
    movies: Mapping[int, Movie],
    interactions: Interactions,
    vectors: Mapping[int, Any] | None = None,
) -> Catalogue:
    """`vectors` are those of the overviews, by movie."""
    vectors = {id: vector for id, vector in (vectors or {}).items() if id in movies}
    ids = sorted({*interactions.movies().tolist(), *vectors})
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
        overviews=reduced(vectors, ids),
    )


def nameless(id: int) -> Movie:
    return Movie(id, "", None, (), math.nan, math.nan, math.nan)


def reduced(vectors: Vectors, ids: Sequence[int], n: int = N_OVERVIEW) -> npt.NDArray[np.float32]:
    """Row 0 and a row for each of the movies: the principal components of the vectors, each with
    mean 0 and variance 1 over the movies that have one. The others, and row 0, are the mean."""
    known = [place for place, id in enumerate(ids, start=1) if id in vectors]
    if not known:
        return np.zeros((len(ids) + 1, 0), dtype=np.float32)
    centred = np.stack([vectors[ids[place - 1]] for place in known]).astype(np.float32)
    centred -= centred.mean(axis=0, dtype=np.float64)
    covariance = (centred.T @ centred / len(known)).astype(np.float64)
    variances, directions = np.linalg.eigh(covariance)
    # The largest last; directions in which the vectors do not differ say nothing.
    n = min(n, int((variances > 1e-9).sum()))
    chosen = directions[:, ::-1][:, :n] / np.sqrt(variances[::-1][:n])
    table = np.zeros((len(ids) + 1, n), dtype=np.float32)
    table[known] = centred @ chosen
    return table
