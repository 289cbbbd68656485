"""Item-based collaborative filtering with pandas: `pearson.json` and `weighted_profile.json`."""

from __future__ import annotations

from typing import Any

import pandas

from golden.movielens import MIN_PERIODS, significant

# From the most rated to films with a handful of ratings, one of them below the threshold.
POPULARITY_RANKS = (0, 1, 5, 20, 60, 150, 300, 500, 800, 1000, 1100, 1300)
TOP = 50
CENTRE = 2.0
PROFILES: tuple[dict[int, float], ...] = (
    {50: 5.0},
    {50: 5.0, 172: 5.0, 133: 1.0},
    {1: 4.0, 71: 5.0, 588: 4.0, 95: 3.0, 288: 1.0, 219: 1.5},
    {98: 5.0, 100: 5.0, 127: 4.5, 56: 4.0, 64: 5.0, 174: 2.0, 313: 2.0, 118: 1.0},
    {286: 1.0, 258: 2.0, 294: 1.0, 9999: 5.0},
)


def pearson(correlation: pandas.DataFrame, counts: pandas.Series) -> dict[str, Any]:
    ranked = sorted(counts.index, key=lambda movie: (-counts[movie], movie))
    chosen = [ranked[rank] for rank in POPULARITY_RANKS]
    movies = []
    for movie in chosen:
        column = correlation[movie].drop(movie).dropna()
        neighbours = [[int(other), significant(value)] for other, value in column.items()]
        movies.append(
            {"movie_id": int(movie), "n_ratings": int(counts[movie]), "neighbours": neighbours}
        )
    return {
        "source": "pandas DataFrame.corr(method='pearson', min_periods=10) on user by movie",
        "min_periods": MIN_PERIODS,
        "movies": movies,
    }


def weighted_profile(correlation: pandas.DataFrame) -> dict[str, Any]:
    """Sum over the rated movies of similarity × (rating - 2); unknown similarities count nothing.
    Only movies with at least one known similarity are in the list."""
    return {
        "source": "sum over rated movies of pearson (min_periods=10) times (rating - 2)",
        "centre": CENTRE,
        "profiles": [
            {
                "rated": [[id, rating] for id, rating in profile.items()],
                "top": best(correlation, profile),
            }
            for profile in PROFILES
        ],
    }


def best(correlation: pandas.DataFrame, profile: dict[int, float]) -> list[list[float]]:
    known = [movie for movie in profile if movie in correlation.columns]
    weights = pandas.Series({movie: profile[movie] - CENTRE for movie in known})
    similar = correlation[known].dropna(how="all").drop(index=known, errors="ignore")
    scores = similar.fillna(0.0).mul(weights, axis=1).sum(axis=1)
    ranked = sorted(scores.items(), key=lambda pair: (-significant(pair[1]), pair[0]))
    return [[int(movie), significant(score)] for movie, score in ranked[:TOP]]
