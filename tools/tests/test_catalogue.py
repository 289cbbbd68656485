"""Reading the export, and which ids get a row."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from marquee_models.catalogue import (
    build_catalogue,
    overview_texts,
    read_movies,
    reduced,
    rows_of,
)
from marquee_models.interactions import read_interactions

MOVIES = """movieId,title,year,genres,vote_average,vote_count,popularity,overview
3,"Godfather, The",1972,Drama|Crime,9.1,413,20.5,"A family, and its business"
1,Unseen,1999,Western,,0,,
7,No Facts,,(no genres listed),,,,
"""
RATINGS = """userId,movieId,rating,timestamp
12,3,5,100
4,7,3.5,101
12,7,1,102
4,99,2,103
"""


@pytest.fixture
def export(tmp_path: Path) -> Path:
    (tmp_path / "movies.csv").write_text(MOVIES, encoding="utf-8")
    (tmp_path / "ratings.csv").write_text(RATINGS, encoding="utf-8")
    return tmp_path


def test_rows_are_for_what_was_rated(export: Path) -> None:
    interactions = read_interactions(export / "ratings.csv")
    catalogue = build_catalogue(read_movies(export / "movies.csv"), interactions)
    assert catalogue.vocabulary() == {
        "movies": [
            {"id": 3, "title": "Godfather, The", "year": 1972},
            {"id": 7, "title": "No Facts", "year": None},
            {"id": 99, "title": "", "year": None},
        ],
        "users": [4, 12],
    }
    assert catalogue.genres == ("Crime", "Drama", "Western")
    assert catalogue.genre_flags.tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert np.isnan(catalogue.numeric[[0, 2, 3]]).all()
    assert catalogue.numeric[1].tolist() == pytest.approx([9.1, 413, 20.5, 1972])
    assert catalogue.movie_rows(np.array([[1, 3], [7, 99], [100, 3]])).tolist() == [
        [0, 1],
        [2, 3],
        [0, 1],
    ]
    assert rows_of(np.array([], dtype=np.int64), np.array([5])).tolist() == [0]


def test_a_film_with_an_overview_has_a_row_although_nobody_rated_it(export: Path) -> None:
    interactions = read_interactions(export / "ratings.csv")
    movies = read_movies(export / "movies.csv")
    assert overview_texts(movies) == {3: "Drama Crime A family, and its business"}
    # 5 is no movie of the catalogue.
    vectors = {1: np.array([1.0, 0.0, 2.0]), 3: np.array([3.0, 0.0, 2.0]), 5: np.zeros(3)}
    catalogue = build_catalogue(movies, interactions, vectors)
    assert [movie.id for movie in catalogue.movies] == [1, 3, 7, 99]
    # The one direction in which they differ, standardised; whoever has no vector is the mean.
    assert catalogue.overviews.shape == (5, 1)
    np.testing.assert_allclose(np.abs(catalogue.overviews[:, 0]), [0, 1, 1, 0, 0], atol=1e-6)
    assert catalogue.overviews[1] == -catalogue.overviews[2]


def test_overviews_are_reduced_to_what_tells_them_apart() -> None:
    random = np.random.default_rng(0)
    # Two directions of five carry nearly everything.
    plane = random.normal(size=(50, 2)) @ random.normal(size=(2, 5))
    points = plane + 1e-3 * random.normal(size=(50, 5))
    vectors = {id: row.astype(np.float32) for id, row in enumerate(points)}
    table = reduced(vectors, list(vectors), n=2)
    np.testing.assert_allclose(table[1:].mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(table[1:].std(axis=0), 1.0, atol=1e-5)
    solution, *_ = np.linalg.lstsq(np.c_[table[1:], np.ones(50)], plane, rcond=None)
    assert np.abs(np.c_[table[1:], np.ones(50)] @ solution - plane).max() < 0.02
    assert reduced({}, [4, 5]).shape == (3, 0)


def test_missing_numbers_are_not_zero(export: Path) -> None:
    movies = read_movies(export / "movies.csv")
    assert math.isnan(movies[1].vote_average) and movies[1].vote_count == 0.0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ratings.csv", "userId,movieId\n1,2\n", "lacks the columns rating"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n", "no ratings"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n1,2,,3\n", "line 2"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n1,2,nan,3\n", "line 2"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n1,2\n", "line 2"),
        ("movies.csv", MOVIES.replace("9.1", "inf"), "line 2"),
        ("movies.csv", MOVIES.replace("1972", "197x"), "line 2"),
    ],
)
def test_bad_files_are_reported_with_their_place(
    export: Path, name: str, content: str, message: str
) -> None:
    (export / name).write_text(content, encoding="utf-8")
    read = read_interactions if name == "ratings.csv" else read_movies
    with pytest.raises(ValueError, match=message):
        read(export / name)
