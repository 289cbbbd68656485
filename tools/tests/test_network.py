"""The two graphs of the rating network against its plain forward pass; no PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from golden.miniatures import NetworkSizes, random_weights, write_tiny_network
from marquee_models.network import (
    BATCH_NORM_EPS,
    NumpyNetwork,
    Scaling,
    build_movie_tower,
    build_scorer,
    folded,
)

onnxruntime = pytest.importorskip("onnxruntime")

SIZES = NetworkSizes(users=5, movies=40, genres=6)
SCALING = Scaling(np.array([6.0, 300.0, 12.0]), np.array([1.5, 900.0, 30.0]))


def session(model: Any) -> Any:
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


@pytest.fixture(scope="module")
def weights() -> dict[str, npt.NDArray[np.float32]]:
    return random_weights(SIZES, seed=11)


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


def test_equals_the_plain_pass(weights: Any, movies: dict[str, Any]) -> None:
    judge = NumpyNetwork(weights, SCALING)
    rows, numeric, genres = movies.values()
    (vectors,) = session(build_movie_tower(weights, SCALING)).run(["movie_vector"], movies)
    expected = judge.movie_vectors(rows, numeric, genres)
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-5)
    scorer = session(build_scorer(weights))
    for user in range(SIZES.users + 1):
        inputs = {"user_row": np.array([user]), "movie_vectors": vectors}
        (rating,) = scorer.run(["rating"], inputs)
        expected = judge.rate(np.full(len(rows), user), rows, numeric, genres)
        assert rating.shape == (len(rows),)
        np.testing.assert_allclose(rating, expected, rtol=0, atol=1e-5)


def test_missing_numbers_are_the_mean(weights: Any) -> None:
    tower = session(build_movie_tower(weights, SCALING))
    rows, genres = np.zeros(2, dtype=np.int64), np.zeros((2, SIZES.genres), dtype=np.float32)
    numeric = np.array([[np.nan] * 3, SCALING.mean], dtype=np.float32)
    inputs = {"movie_row": rows, "numeric": numeric, "genres": genres}
    (vectors,) = tower.run(None, inputs)
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(vectors[0], vectors[1], rtol=0, atol=1e-6)


def test_no_movies_and_one_movie(weights: Any, movies: dict[str, Any]) -> None:
    tower, scorer = session(build_movie_tower(weights, SCALING)), session(build_scorer(weights))
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
    scaling = Scaling.fit(numeric)
    assert scaling.mean.tolist() == [2.0, 5.0, 0.0]
    assert scaling.deviation.tolist() == [1.0, 1.0, 1.0]
    assert scaling.apply(numeric).tolist() == [[-1, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_the_probe_is_what_the_graphs_say(tmp_path: Path) -> None:
    folder = write_tiny_network(tmp_path / "tiny")
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
    for user, expected in zip(probe["user_rows"], probe["ratings"]):
        answer = scorer.run(None, {"user_row": np.array([user]), "movie_vectors": vectors})
        np.testing.assert_allclose(answer[0], expected, rtol=0, atol=1e-5)
