"""A made-up data set of any size, in the layout of MovieLens CSV, the same bytes for the same seed.

    tools/bench/generate --out DIR [--movies N --users N --ratings N --seed N]

What matters for speed and memory is as in real data: few people rate much and few movies are rated
much (log-normal activity, Zipf-Mandelbrot popularity), tastes go together (groups of movies,
people who lean to some of them, latent factors in the ratings), people come back in visits, ratings
are half stars. Titles and overviews are made of some thousand words with the frequencies of a
language.
Memory is bounded by one chunk of people and the cumulated popularity of each group.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from bench.words import GENRES, THEMES, Language

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
# What is being written, how much more of it there is now, and how much there will be.
Tell = Callable[[str, int, int], None]

N_GROUPS = 32
N_FACTORS = 8
# Log-normal deviation of how much people rate; MovieLens 25M has about 1.2.
ACTIVITY = 1.2
LEAST_RATINGS, MOST_RATINGS = 15, 8_000
# Popularity of the movie of rank r is 1 / (r + FLATTENED) ** STEEPNESS.
STEEPNESS, FLATTENED = 1.1, 60.0
# How much more likely a movie of a group is there than its popularity says (log scale).
GROUP_PULL = 2.5
RATINGS_PER_CHUNK = 1_000_000
FIRST_TIME, LAST_TIME = 1_000_000_000, 1_700_000_000
DAY_S = 86_400
# Ratings of one visit, on average.
VISIT = 25


@dataclass(frozen=True)
class Sizes:
    movies: int
    users: int
    ratings: int
    seed: int


@dataclass(frozen=True)
class Movies:
    """What of the movies decides who rates them and how."""

    ids: Integers
    quality: Floats
    factors: Floats
    # One row per group: popularity within it, cumulated, ending at 1.
    cumulated: npt.NDArray[np.float64]


def make_movies(sizes: Sizes, random: np.random.Generator) -> tuple[Movies, Integers]:
    """The movies, and the group that each belongs to most."""
    n = sizes.movies
    rank = random.permutation(n)
    popularity = 1.0 / (rank + FLATTENED) ** STEEPNESS
    group = random.integers(0, N_GROUPS, n)
    cumulated = np.empty((N_GROUPS, n))
    for number in range(N_GROUPS):
        pull = GROUP_PULL * (group == number) + random.normal(0, 0.3, n)
        cumulated[number] = np.cumsum(popularity * np.exp(pull))
        cumulated[number] /= cumulated[number, -1]
    centres = random.normal(0, 0.5, (N_GROUPS, N_FACTORS))
    factors = centres[group] + random.normal(0, 0.3, (n, N_FACTORS))
    # Ids with gaps, as in data sets that have grown.
    ids = np.cumsum(random.integers(1, 4, n))
    quality = 0.25 * random.normal(0, 1, n) - 0.05 * np.log1p(rank / 1_000)
    made = Movies(ids, quality.astype(np.float32), factors.astype(np.float32), cumulated)
    return made, group


def activities(sizes: Sizes, random: np.random.Generator) -> Integers:
    """How much everybody rates; sums to the wanted number of ratings."""
    most = max(LEAST_RATINGS, min(MOST_RATINGS, sizes.movies // 4))
    least = min(LEAST_RATINGS, max(1, sizes.ratings // sizes.users))
    raw = random.lognormal(0, ACTIVITY, sizes.users)
    low, high = 0.0, float(sizes.ratings)
    for _ in range(60):
        factor = (low + high) / 2
        total = np.clip(raw * factor, least, most).sum()
        low, high = (factor, high) if total < sizes.ratings else (low, factor)
    counts = np.clip(raw * low, least, most).astype(np.int64)
    missing = sizes.ratings - int(counts.sum())
    if missing > 0:
        counts[random.choice(sizes.users, min(missing, sizes.users), replace=False)] += 1
    return np.minimum(counts, most)


def chunks(counts: Integers) -> Iterator[tuple[int, Integers]]:
    """People in groups of about a million ratings, with the number of the first."""
    start = 0
    ends = np.cumsum(counts)
    while start < len(counts):
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + RATINGS_PER_CHUNK)))
        yield start, counts[start:end]
        start = end


def choose(
    movies: Movies, counts: Integers, random: np.random.Generator
) -> tuple[Integers, Integers]:
    """Who rates what: places of people and movies, by person, nothing twice."""
    n_users, n_movies = len(counts), len(movies.ids)
    lean = random.dirichlet(np.full(N_GROUPS, 0.15), n_users).cumsum(axis=1)
    pairs = np.empty(0, np.int64)
    missing = counts.copy()
    # What was drawn twice is drawn again; after some rounds nearly nobody lacks anything.
    for _ in range(6):
        users = np.repeat(np.arange(n_users), missing + missing // 8)
        if not len(users):
            break
        groups = (lean[users] < random.random(len(users))[:, None]).sum(axis=1)
        groups = np.minimum(groups, N_GROUPS - 1)
        drawn = random.random(len(users))
        items = np.empty(len(users), np.int64)
        for group in range(N_GROUPS):
            mine = groups == group
            items[mine] = np.searchsorted(movies.cumulated[group], drawn[mine])
        items = np.minimum(items, n_movies - 1)
        pairs = np.union1d(pairs, users * n_movies + items)
        missing = np.maximum(counts - np.bincount(pairs // n_movies, minlength=n_users), 0)
    random.shuffle(pairs)
    pairs = pairs[np.argsort(pairs // n_movies, kind="stable")]
    users = pairs // n_movies
    # Of those who have too many the first count.
    starts = np.searchsorted(users, np.arange(n_users))
    kept = np.arange(len(users)) - starts[users] < counts[users]
    return users[kept], pairs[kept] % n_movies


def rate(
    movies: Movies, users: Integers, items: Integers, random: np.random.Generator
) -> tuple[Floats, Integers]:
    """Stars in halves, and times in visits; in time order for each person."""
    n_users = int(users[-1]) + 1 if len(users) else 0
    taste = random.normal(0, 0.6, (n_users, N_FACTORS)).astype(np.float32)
    level = random.normal(3.55, 0.4, n_users).astype(np.float32)
    liking = np.einsum("rf,rf->r", taste[users], movies.factors[items])
    noise = random.normal(0, 0.75, len(users)).astype(np.float32)
    stars = np.clip(np.round(2 * (level[users] + movies.quality[items] + liking + noise)), 1, 10)
    span = LAST_TIME - FIRST_TIME
    first = FIRST_TIME + (span * random.random(n_users)).astype(np.int64)
    place = np.arange(len(users)) - np.searchsorted(users, users)
    visit = place // VISIT
    # Visits are some weeks apart, shorter where time is running out; within one, some seconds.
    n_visits = np.zeros(n_users, np.int64)
    np.maximum.at(n_visits, users, visit + 1)
    apart = np.minimum(30 * DAY_S, (LAST_TIME - first) // np.maximum(n_visits, 1))
    times = first[users] + visit * apart[users] + (place % VISIT) * random.integers(5, 40)
    return (stars / 2).astype(np.float32), times


def write_ratings(
    path: Path, sizes: Sizes, movies: Movies, random: np.random.Generator, tell: Tell
) -> int:
    counts = activities(sizes, random)
    written = 0
    with path.open("w", encoding="ascii", newline="") as stream:
        stream.write("userId,movieId,rating,timestamp\n")
        for start, of_chunk in chunks(counts):
            users, items = choose(movies, of_chunk, random)
            stars, times = rate(movies, users, items, random)
            # By person and movie, as MovieLens writes it.
            order = np.lexsort((items, users))
            columns = ((users + start + 1), movies.ids[items], stars, times)
            rows = zip(*(column[order].tolist() for column in columns))
            stream.write("".join(map("%d,%d,%.1f,%d\n".__mod__, rows)))
            written += len(users)
            tell("ratings", len(users), sizes.ratings)
    return written


def write_movies(
    folder: Path, movies: Movies, group: Integers, random: np.random.Generator, tell: Tell
) -> None:
    language = Language(random)
    years = 2025 - np.minimum(random.exponential(22, len(group)).astype(np.int64), 100)
    with (folder / "movies.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["movieId", "title", "genres", "year", "overview"])
        for id, number, year in zip(movies.ids.tolist(), group.tolist(), years.tolist()):
            theme = THEMES[number % len(THEMES)]
            genres = "|".join(language.genres(GENRES, number))
            title = f"{language.title(theme)} ({year})"
            rows.writerow([id, title, genres, year, language.overview(theme)])
            tell("movies", 1, len(group))
    with (folder / "links.csv").open("w", encoding="ascii", newline="") as stream:
        stream.write("movieId,imdbId,tmdbId\n")
        stream.writelines(f"{id},{id + 100_000:07d},{id}\n" for id in movies.ids.tolist())


def tell_nobody(_what: str, _more: int, _total: int) -> None:
    pass


def generate(folder: Path, sizes: Sizes, tell: Tell = tell_nobody) -> int:
    """Writes the folder; returns the number of ratings, which repetitions make a little less."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(sizes.seed)
    movies, group = make_movies(sizes, random)
    write_movies(folder, movies, group, random, tell)
    return write_ratings(folder / "ratings.csv", sizes, movies, random, tell)


class Bars:
    """A progress bar for one thing after the other, where there is a terminal."""

    def __init__(self) -> None:
        self._bars: dict[str, Any] = {}

    def __call__(self, what: str, more: int, total: int) -> None:
        from tqdm import tqdm

        if what not in self._bars:
            self._bars[what] = tqdm(
                total=total, desc=what, unit_scale=True, file=sys.stderr, disable=None
            )
        self._bars[what].update(more)


def arguments() -> tuple[Path, Sizes]:
    parser = argparse.ArgumentParser(prog="tools/bench/generate", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--movies", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--ratings", type=int, default=30_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sizes = Sizes(given.movies, given.users, given.ratings, given.seed)
    if min(sizes.movies, sizes.users, sizes.ratings) < 1:
        parser.error("sizes are at least 1")
    return given.out, sizes


def main() -> None:
    folder, sizes = arguments()
    written = generate(folder, sizes, Bars())
    print(f"{sizes.movies} movies, {sizes.users} users, {written} ratings in {folder}")


if __name__ == "__main__":
    main()
