"""The made-up data sets, and what the ladder makes of its measurements."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from bench.scale import measured_before, rated, sizes_of, table
from bench.synthetic import Sizes, generate

SIZES = Sizes(movies=400, users=300, ratings=12_000, seed=7)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_data_set_has_the_sizes_and_the_shape_that_were_asked_for(tmp_path: Path) -> None:
    written = generate(tmp_path, SIZES)
    movies, ratings = rows(tmp_path / "movies.csv"), rows(tmp_path / "ratings.csv")
    assert len(movies) == SIZES.movies
    assert written == len(ratings)
    assert 0.97 * SIZES.ratings < written <= SIZES.ratings
    known = {movie["movieId"] for movie in movies}
    pairs = Counter((rating["userId"], rating["movieId"]) for rating in ratings)
    assert max(pairs.values()) == 1
    assert {movie for _, movie in pairs} <= known
    assert {rating["rating"] for rating in ratings} <= {str(n / 2) for n in range(1, 11)}
    assert all(movie["title"].endswith(f"({movie['year']})") for movie in movies)
    by_movie = sorted(Counter(movie for _, movie in pairs).values(), reverse=True)
    assert sum(by_movie[:80]) > 0.4 * written, "a fifth of the movies has most of the ratings"
    users = [int(rating["userId"]) for rating in ratings]
    assert users == sorted(users)
    assert len(set(users)) == SIZES.users


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    def contents(name: str, seed: int) -> list[bytes]:
        folder = tmp_path / name
        generate(folder, Sizes(SIZES.movies, SIZES.users, SIZES.ratings, seed))
        return [path.read_bytes() for path in sorted(folder.iterdir())]

    first = contents("first", 1)
    assert contents("again", 1) == first
    assert contents("other", 2) != first


def test_titles_are_asked_for_as_often_as_they_are_rated(tmp_path: Path) -> None:
    generate(tmp_path, SIZES)
    asked = Counter(rated(tmp_path / "ratings.csv", np.random.default_rng(1)))
    given = Counter(rating["movieId"] for rating in rows(tmp_path / "ratings.csv"))
    most_rated = [movie for movie, _ in given.most_common(20)]
    assert set(asked) <= set(given)
    assert sum(asked[movie] for movie in most_rated) > 5 * sum(
        asked[movie] for movie, _ in given.most_common()[-20:]
    )


def test_the_largest_size_is_the_one_of_the_goals() -> None:
    assert sizes_of(30_000_000, 1) == Sizes(100_000, 200_000, 30_000_000, 1)
    assert sizes_of(1_000_000, 1).movies < 20_000


def test_the_table_has_a_column_for_each_size() -> None:
    route = {"p50_ms": 1.0, "p99_ms": 2.5, "per_s": 4000.0}
    both = {"user": route, "title": route}
    report: dict[str, Any] = {"routes": both, "while_fitting": both, "ratings": 1000}
    names = ["movies", "users", "import_per_s", "import_peak_mb", "store_mb", "start_s", "fitted_s"]
    names += ["memory_at_first_answer_mb", "memory_mb", "memory_peak_mb", "load_before"]
    names += ["clients", "seconds", "date", "processor"]
    for name in names:
        report[name] = 12.0
    costs = {"title": "User route", "columns": ["share"], "rows": [["14 %"]], "text": "Costs."}
    watched = {**report, "ratings": 3000, "profile": [costs]}
    text = table([report, watched, {**report, "ratings": 9000, "profile": []}])
    assert "| 1,000 ratings | 3,000 ratings | 9,000 ratings |" in text
    assert "1.0 / 2.5 (4,000/s)" in text
    assert "## What the time is spent on at 3,000 ratings\n\n### User route\n\nCosts.\n" in text
    assert "spent" not in table([report])


def test_sizes_measured_before_are_known_by_what_was_asked_for(tmp_path: Path) -> None:
    assert measured_before(tmp_path) == {}
    (tmp_path / "scale.json").write_text('[{"asked_for": 1000, "ratings": 990}]')
    assert measured_before(tmp_path) == {1000: {"asked_for": 1000, "ratings": 990}}
