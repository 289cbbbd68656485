"""The graph with 8-bit products against the exact pass, on a small random MPNet with outliers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from marquee_models.encoder import main
from marquee_models.manifest import verify_artifact
from marquee_models.mpnet import NumpyEncoder
from marquee_models.quantised_graph import (
    SECOND,
    build_quantised_graph,
    observe,
    quantise,
    step_and_zero,
)
from tests.conftest import N_TOKENS, SMALL, Weights
from tests.test_encoder import run

pytest.importorskip("onnxruntime")

OUTLIERS = [3, 17]


@pytest.fixture(scope="module")
def texts() -> list[list[int]]:
    random = np.random.default_rng(7)
    lengths = (2, 3, 9, 40, 131)
    return [[0, *random.integers(4, N_TOKENS, size=n - 2).tolist(), 2] for n in lengths]


@pytest.fixture(scope="module")
def weights_with_outliers(small_weights: Weights) -> Weights:
    """As in the real model: two channels of the stream are far larger than the others."""
    weights = {name: weight.copy() for name, weight in small_weights.items()}
    for name, weight in weights.items():
        if name.endswith("LayerNorm.weight"):
            weight[OUTLIERS] *= 40
    return weights


def test_nearly_equals_the_exact_pass(
    weights_with_outliers: Weights, texts: list[list[int]]
) -> None:
    weights = weights_with_outliers
    graph = build_quantised_graph(SMALL, weights, observe(SMALL, weights, texts))
    graph_bytes = graph.SerializeToString()
    judge = NumpyEncoder(SMALL, weights)
    expected = np.array([judge.encode(ids) for ids in texts])
    alone = np.concatenate([run(graph_bytes, [ids]) for ids in texts])
    assert (alone * expected).sum(axis=1).min() > 0.999
    np.testing.assert_allclose(run(graph_bytes, texts), alone, rtol=0, atol=1e-5, err_msg="company")


def test_the_second_byte_is_what_outliers_leave_to_the_others(
    weights_with_outliers: Weights, texts: list[list[int]]
) -> None:
    weights = weights_with_outliers
    inputs = observe(SMALL, weights, texts)
    sizes = inputs.largest["encoder.layer.0.intermediate.dense"]
    assert sorted(np.argsort(-sizes)[: len(OUTLIERS)].tolist()) == OUTLIERS
    judge = NumpyEncoder(SMALL, weights)
    expected = np.array([judge.encode(ids) for ids in texts])

    def distance(graph: onnx.ModelProto) -> float:
        found = np.concatenate([run(graph.SerializeToString(), [ids]) for ids in texts])
        return float(np.abs(found - expected).max())

    graph = build_quantised_graph(SMALL, weights, inputs)
    with_both = distance(graph)
    for tensor in graph.graph.initializer:
        # The share that the second byte counts with.
        if not tensor.dims and onnx.numpy_helper.to_array(tensor) == np.float32(1 / SECOND):
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array(0, np.float32), tensor.name))
    assert distance(graph) > 5 * with_both


def test_what_is_observed_does_not_depend_on_how_rows_are_folded(
    small_weights: Weights, texts: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    together = observe(SMALL, small_weights, texts)
    monkeypatch.setattr("marquee_models.quantised_graph.MANY_ROWS", 7)
    in_parts = observe(SMALL, small_weights, texts)
    assert together.moments.keys() == together.largest.keys() == in_parts.moments.keys()
    for name, moments in together.moments.items():
        np.testing.assert_allclose(in_parts.moments[name], moments, rtol=1e-3, atol=1e-3)


def test_the_step_covers_the_range_and_zero_is_a_step() -> None:
    for least, largest in ((-1.0, 1.0), (-0.25, 1.0), (-3.0, 0.0)):
        step, zero = step_and_zero(least, largest)
        assert 0 <= zero <= 255
        assert -zero * step == pytest.approx(least, abs=step)
        assert (255 - zero) * step == pytest.approx(largest, abs=step)


def test_weights_are_quantised_by_column_and_zeros_stay() -> None:
    weight = np.array([[1.0, 0.0, -8.0], [0.5, 0.0, 4.0]])
    numbers, scale = quantise(weight, axis=0)
    assert numbers.tolist() == [[127, 0, -127], [64, 0, 64]]
    np.testing.assert_allclose(numbers * scale, weight, atol=0.04)


def test_exports_an_artifact_that_says_what_it_is(
    small_release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    calibration = tmp_path / "texts.csv"
    calibration.write_text("overview\nlove war space\nmusic and love\n", encoding="utf-8")
    options: list[Any] = ["--max-tokens", "64", "--weights", "int8", "--calibration", calibration]
    folders = [tmp_path / "one" / "encoder", tmp_path / "two" / "encoder"]
    for folder in folders:
        main([str(word) for word in ("--model-dir", small_release, "--out", folder, *options)])
    manifest = verify_artifact(folders[0])
    assert manifest["name"] == "all-mpnet-base-v2-int8"
    assert manifest["probe"]["tolerance"] > 1e-3
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes(), path.name
    kinds = {node.op_type for node in onnx.load(folders[0] / "encoder.onnx").graph.node}
    assert "MatMulIntegerToFloat" in kinds
