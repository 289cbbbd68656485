"""The graphs of both networks without PyTorch: against a plain pass, and for what they promise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from golden.miniatures import (
    NetworkSizes,
    random_history_weights,
    random_original_weights,
    write_tiny_network,
    write_tiny_original_network,
)
from marquee_models.history_graphs import build_history_scorer, build_history_tower
from marquee_models.original_graphs import (
    BATCH_NORM_EPS,
    build_original_scorer,
    build_original_tower,
    folded,
)
from marquee_models.scaling import Scaling

onnxruntime = pytest.importorskip("onnxruntime")

Array = npt.NDArray[Any]
SIZES = NetworkSizes(users=5, movies=40, numeric=3, genres=6)
SCALING = Scaling(np.array([6.0, 300.0, 12.0]), np.array([1.5, 900.0, 30.0]), (False,) * 3)
# Logarithms of votes and popularity.
STRAIGHTENED = Scaling(np.array([6.0, 4.0, 2.0]), np.array([1.5, 2.0, 1.0]), (False, True, True))


def session(model: Any) -> Any:
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


class NumpyNetwork:
    """The original network in float64, nothing folded, nothing cut."""

    def __init__(self, weights: dict[str, Array], scaling: Scaling) -> None:
        self._weights = {name: array.astype(np.float64) for name, array in weights.items()}
        self._scaling = scaling

    def rate(self, user_rows: Array, movie_rows: Array, numeric: Array, genres: Array) -> Array:
        parts = [
            self._weights["user_embed.weight"][user_rows],
            self._weights["item_embed.weight"][movie_rows],
            self._block(self._scaling.apply(numeric), "extra_features.0", "extra_features.1"),
            self._block(genres.astype(np.float64), "genre_features.0", "genre_features.1"),
        ]
        hidden = self._block(np.concatenate(parts, axis=1), "mlp.0", "mlp.1")
        hidden = self._block(hidden, "mlp.4", "mlp.5")
        return np.asarray(self._linear(hidden, "mlp.8")[:, 0])

    def movie_vectors(self, movie_rows: Array, numeric: Array, genres: Array) -> Array:
        """The movie's share of the first layer: everything but the user, normalised, not yet cut at
        zero."""
        n_user = self._weights["user_embed.weight"].shape[1]
        parts = [
            np.zeros((len(movie_rows), n_user)),
            self._weights["item_embed.weight"][movie_rows],
            self._block(self._scaling.apply(numeric), "extra_features.0", "extra_features.1"),
            self._block(genres.astype(np.float64), "genre_features.0", "genre_features.1"),
        ]
        return self._normalise(self._linear(np.concatenate(parts, axis=1), "mlp.0"), "mlp.1")

    def _block(self, value: Array, linear: str, norm: str) -> Array:
        return np.maximum(self._normalise(self._linear(value, linear), norm), 0.0)

    def _linear(self, value: Array, name: str) -> Array:
        return np.asarray(value @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"])

    def _normalise(self, value: Array, name: str) -> Array:
        centred = value - self._weights[f"{name}.running_mean"]
        scaled = centred / np.sqrt(self._weights[f"{name}.running_var"] + BATCH_NORM_EPS)
        return np.asarray(scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"])


@pytest.fixture(scope="module")
def weights() -> dict[str, Array]:
    return random_original_weights(SIZES, seed=11)


@pytest.fixture(scope="module")
def movies() -> dict[str, Any]:
    """Every row, with all combinations of missing numbers among the first."""
    random = np.random.default_rng(1)
    n = SIZES.movies + 1
    numeric = random.uniform([0, 0, 0], [10, 5000, 400], size=(n, 3)).astype(np.float32)
    for place in range(8):
        numeric[place, [bool(place & bit) for bit in (1, 2, 4)]] = np.nan
    genres = (random.random((n, SIZES.genres)) < 0.3).astype(np.float32)
    return {"movie_row": np.arange(n), "numeric": numeric, "genres": genres}


def test_the_original_equals_the_plain_pass(weights: Any, movies: dict[str, Any]) -> None:
    judge = NumpyNetwork(weights, SCALING)
    rows, numeric, genres = movies.values()
    (vectors,) = session(build_original_tower(weights, SCALING)).run(["movie_vector"], movies)
    expected = judge.movie_vectors(rows, numeric, genres)
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-5)
    scorer = session(build_original_scorer(weights))
    for user in range(SIZES.users + 1):
        inputs = {"user_row": np.array([user]), "movie_vectors": vectors}
        (rating,) = scorer.run(["rating"], inputs)
        expected = judge.rate(np.full(len(rows), user), rows, numeric, genres)
        assert rating.shape == (len(rows),)
        np.testing.assert_allclose(rating, expected, rtol=0, atol=1e-5)


def test_missing_numbers_are_the_mean(weights: Any) -> None:
    tower = session(build_original_tower(weights, SCALING))
    rows, genres = np.zeros(2, dtype=np.int64), np.zeros((2, SIZES.genres), dtype=np.float32)
    numeric = np.array([[np.nan] * 3, SCALING.mean], dtype=np.float32)
    inputs = {"movie_row": rows, "numeric": numeric, "genres": genres}
    (vectors,) = tower.run(None, inputs)
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(vectors[0], vectors[1], rtol=0, atol=1e-6)


def test_no_movies_and_one_movie(weights: Any, movies: dict[str, Any]) -> None:
    tower = session(build_original_tower(weights, SCALING))
    scorer = session(build_original_scorer(weights))
    for n in (0, 1):
        (vectors,) = tower.run(None, {name: value[:n] for name, value in movies.items()})
        (rating,) = scorer.run(None, {"user_row": np.array([0]), "movie_vectors": vectors})
        assert rating.shape == (n,)


def test_batch_norm_is_folded_exactly(weights: Any) -> None:
    weight, bias = folded(weights, "mlp.0", "mlp.1")
    value = np.random.default_rng(2).normal(size=(7, weight.shape[0]))
    linear = value @ weights["mlp.0.weight"].T.astype(np.float64) + weights["mlp.0.bias"]
    scale = weights["mlp.1.weight"] / np.sqrt(
        weights["mlp.1.running_var"].astype(np.float64) + BATCH_NORM_EPS
    )
    expected = (linear - weights["mlp.1.running_mean"]) * scale + weights["mlp.1.bias"]
    np.testing.assert_allclose(value @ weight + bias, expected, rtol=1e-12, atol=1e-12)


def test_scaling_leaves_gaps_and_constants_out() -> None:
    numeric = np.array([[1.0, 5.0, np.nan], [3.0, 5.0, np.nan], [np.nan, 5.0, np.nan]])
    scaling = Scaling.fit(numeric, (False,) * 3)
    assert scaling.mean.tolist() == [2.0, 5.0, 0.0]
    assert scaling.deviation.tolist() == [1.0, 1.0, 1.0]
    assert scaling.apply(numeric).tolist() == [[-1, 0, 0], [1, 0, 0], [0, 0, 0]]
    straightened = Scaling.fit(np.array([[np.e - 1], [np.e**3 - 1]]), (True,))
    np.testing.assert_allclose([straightened.mean, straightened.deviation], [[2.0], [1.0]])


class HistoryPair:
    """The two graphs of the default network with two members of random weights."""

    def __init__(self, movies: dict[str, Any], seeds: tuple[int, ...]) -> None:
        members = [random_history_weights(SIZES, seed) for seed in seeds]
        tower = session(build_history_tower(members, STRAIGHTENED))
        (self.vectors,) = tower.run(None, movies)
        self.scorer = session(build_history_scorer(members))

    def rate(self, user: int, places: list[int], ratings: list[float], ages: list[float]) -> Array:
        inputs = {
            "user_row": np.array([user]),
            "movie_vectors": self.vectors,
            "history_vectors": self.vectors[np.array(places, dtype=np.int64)],
            "history_ratings": np.array(ratings, dtype=np.float32),
            "history_ages": np.array(ages, dtype=np.float32),
        }
        rating: Array = self.scorer.run(["rating"], inputs)[0]
        assert rating.shape == (len(self.vectors),) and np.isfinite(rating).all()
        return rating


def test_the_tower_knows_the_overviews_by_row(movies: dict[str, Any]) -> None:
    """What is in the table counts, for the row it is of."""
    wider = NetworkSizes(SIZES.users, SIZES.movies, SIZES.numeric, SIZES.genres + 2)
    members = [random_history_weights(wider, 1)]
    n = SIZES.movies + 1
    table = np.zeros((n, 2), dtype=np.float32)
    plain, told = (
        session(build_history_tower(members, STRAIGHTENED, overviews)).run(None, movies)[0]
        for overviews in (table, table + 2.0 * (np.arange(n) == 7)[:, None])
    )
    different = np.abs(plain - told).max(axis=1) > 1e-3
    assert movies["movie_row"][different].tolist() == [7]


def test_members_are_averaged(movies: dict[str, Any]) -> None:
    known = ([3, 9, 27], [5.0, 1.0, 3.5], [4.0, 900.0, 1e7])
    alone = [HistoryPair(movies, (seed,)).rate(2, *known) for seed in (1, 2)]
    both = HistoryPair(movies, (1, 2)).rate(2, *known)
    np.testing.assert_allclose(both, (alone[0] + alone[1]) / 2, rtol=0, atol=1e-5)
    assert np.abs(alone[0] - alone[1]).max() > 0.01


def test_a_history_counts_by_film_rating_and_age_but_not_by_order(movies: dict[str, Any]) -> None:
    pair = HistoryPair(movies, (1, 2))
    base = pair.rate(2, [3, 9], [5.0, 1.0], [60.0, 1e6])
    np.testing.assert_allclose(
        base, pair.rate(2, [9, 3], [1.0, 5.0], [1e6, 60.0]), rtol=0, atol=1e-5
    )
    np.testing.assert_allclose(
        base, pair.rate(2, [3, 9], [5.0, 1.0], [-60.0, -1e6]), rtol=0, atol=1e-6
    )
    others = [
        pair.rate(1, [3, 9], [5.0, 1.0], [60.0, 1e6]),
        pair.rate(2, [3, 8], [5.0, 1.0], [60.0, 1e6]),
        pair.rate(2, [3, 9], [5.0, 4.0], [60.0, 1e6]),
        pair.rate(2, [3, 9], [5.0, 1.0], [1e6, 60.0]),
        pair.rate(2, [3], [5.0], [60.0]),
    ]
    assert min(np.abs(base - other).max() for other in others) > 1e-3


def test_strangers_new_movies_and_extreme_histories_have_finite_ratings(
    movies: dict[str, Any],
) -> None:
    pair = HistoryPair(movies, (1, 2))
    nothing: tuple[list[int], list[float], list[float]] = ([], [], [])
    stranger, known = pair.rate(0, *nothing), pair.rate(1, *nothing)
    assert np.abs(stranger - known).max() > 1e-3
    pair.rate(0, [0] * 600, [5.0] * 600, [0.0] * 600)
    pair.rate(1, [1, 2], [0.5, 10.0], [1e18, -1e18])


@pytest.mark.parametrize("write", [write_tiny_network, write_tiny_original_network])
def test_the_probe_is_what_the_graphs_say(tmp_path: Path, write: Any) -> None:
    folder = write(tmp_path / "tiny")
    probe = json.loads((folder / "probe.json").read_text())
    assert 0 in probe["movie_row"] and 0 in probe["user_rows"]
    assert any(None in row for row in probe["numeric"])
    numeric = [[np.nan if v is None else v for v in row] for row in probe["numeric"]]
    inputs = {
        "movie_row": np.array(probe["movie_row"]),
        "numeric": np.array(numeric, dtype=np.float32),
        "genres": np.array(probe["genres"], dtype=np.float32),
    }
    tower = onnxruntime.InferenceSession(str(folder / "movie_tower.onnx"))
    scorer = onnxruntime.InferenceSession(str(folder / "scorer.onnx"))
    (vectors,) = tower.run(None, inputs)
    np.testing.assert_allclose(vectors, np.array(probe["movie_vectors"]), rtol=0, atol=1e-5)
    histories = probe.get("histories", [None] * len(probe["user_rows"]))
    for user, history, expected in zip(probe["user_rows"], histories, probe["ratings"]):
        question = {"user_row": np.array([user]), "movie_vectors": vectors}
        if history is not None:
            question["history_vectors"] = vectors[np.array(history["movies"], dtype=np.int64)]
            question["history_ratings"] = np.array(history["ratings"], dtype=np.float32)
            question["history_ages"] = np.array(history["ages"], dtype=np.float32)
        (rating,) = scorer.run(None, question)
        np.testing.assert_allclose(rating, expected, rtol=0, atol=1e-5)
