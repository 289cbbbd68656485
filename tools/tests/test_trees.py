"""Trees as an ONNX graph: what the runtime says equals the plain reference, and both the trees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from marquee_models.manifest import verify_artifact
from marquee_models.network_artifact import Label
from marquee_models.ranking_artifact import RankingModel, publish_ranking_model
from marquee_models.trees import (
    Branch,
    Ensemble,
    FloatArray,
    Leaf,
    Node,
    read_lightgbm,
    round_down,
)

N_FEATURES = 5


def random_tree(random: np.random.Generator, depth: int) -> Node:
    if depth == 0 or random.random() < 0.2:
        return Leaf(float(random.normal()))
    feature, threshold = int(random.integers(N_FEATURES)), round_down(float(random.normal()))
    left, right = random_tree(random, depth - 1), random_tree(random, depth - 1)
    return Branch(feature, threshold, left, right)


def descend(node: Node, row: FloatArray) -> float:
    while isinstance(node, Branch):
        node = node.left if row[node.feature] <= node.threshold else node.right
    return node.value


def run(ensemble: Ensemble, rows: FloatArray) -> FloatArray:
    session = onnxruntime.InferenceSession(ensemble.graph().SerializeToString())
    (scores,) = session.run(["score"], {"features": rows})
    return np.asarray(scores)


def test_graph_and_reference_equal_the_trees() -> None:
    random = np.random.default_rng(1)
    trees = [random_tree(random, depth=6) for _ in range(40)]
    rows = random.normal(size=(200, N_FEATURES)).astype(np.float32)
    # Some rows lie on thresholds.
    branches = [tree for tree in trees if isinstance(tree, Branch)]
    for row, tree in zip(rows, branches):
        row[tree.feature] = tree.threshold
    expected = [sum(descend(tree, row) for tree in trees) for row in rows]
    ensemble = Ensemble(trees, N_FEATURES)
    np.testing.assert_allclose(ensemble.score(rows), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(run(ensemble, rows), expected, rtol=0, atol=1e-5)
    assert run(ensemble, rows[:0]).shape == (0,)


@pytest.mark.parametrize("threshold", [0.1, -0.1, 1e-35, -1.1e-35, 1.0, 0.0, 3.3e38, 1 / 3])
def test_a_float32_decides_as_against_the_float64_threshold(threshold: float) -> None:
    rounded = np.float32(round_down(threshold))
    near = [np.nextafter(rounded, np.float32(side)) for side in (-np.inf, np.inf)]
    for value in [rounded, *near]:
        assert (value <= rounded) == (float(value) <= threshold)


def lightgbm_dump(**root: Any) -> dict[str, Any]:
    node = {
        "split_feature": 1,
        "threshold": 0.1,
        "decision_type": "<=",
        "missing_type": "None",
        "left_child": {"leaf_value": -2.0},
        "right_child": {"leaf_value": 4.0},
    }
    return {"tree_info": [{"tree_structure": {**node, **root}}]}


def test_a_lightgbm_dump_is_read() -> None:
    trees = read_lightgbm(lightgbm_dump(), scale=0.5)
    assert trees == [Branch(1, round_down(0.1), Leaf(-1.0), Leaf(2.0))]
    alone = {"tree_info": [{"tree_structure": {"leaf_value": 0.25}}]}
    single = Ensemble(read_lightgbm(alone), N_FEATURES)
    np.testing.assert_array_equal(run(single, np.zeros((3, N_FEATURES), np.float32)), [0.25] * 3)


@pytest.mark.parametrize("form", [{"missing_type": "NaN"}, {"decision_type": "=="}])
def test_other_decisions_are_refused(form: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="a tree decides by"):
        read_lightgbm(lightgbm_dump(**form))


def test_what_no_row_can_have_is_refused() -> None:
    for node in (Branch(N_FEATURES, 0.0, Leaf(0.0), Leaf(1.0)), Leaf(float("nan"))):
        with pytest.raises(ValueError, match="feature that is not there, or a number"):
            Ensemble([node], N_FEATURES)


def test_the_artifact_is_whole_and_its_probe_true(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    ensemble = Ensemble([random_tree(random, depth=4) for _ in range(5)], N_FEATURES)
    rows = random.normal(size=(100, N_FEATURES)).astype(np.float32)
    names = [f"feature_{number}" for number in range(N_FEATURES)]
    label = Label("small", "1", "MIT", None)
    folder = publish_ranking_model(tmp_path / "m", RankingModel(ensemble, names, rows), label)
    manifest = verify_artifact(folder)
    assert manifest["ranking_model"]["features"] == names
    probe = json.loads((folder / "probe.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(folder / manifest["ranking_model"]["graph"])
    (scores,) = session.run(None, {"features": np.array(probe["rows"], dtype=np.float32)})
    assert len(scores) == 64
    np.testing.assert_allclose(scores, probe["scores"], rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="different numbers of features"):
        publish_ranking_model(folder, RankingModel(ensemble, names[1:], rows), label)
