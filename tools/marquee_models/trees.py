"""Decision trees whose leaves are summed: from LightGBM's dump to an ONNX graph, with a plain
reference beside it.

The graph is one TreeEnsembleRegressor of ai.onnx.ml 3. Rows and thresholds are float32 there,
where LightGBM compares float64: a threshold is rounded down to the largest float32 not above it, so
that every float32 value goes the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import numpy.typing as npt
import onnx

from marquee_models.graph import GraphBuilder

INPUT_NAME = "features"
OUTPUT_NAME = "score"
NO_FEATURE = -1
# What is no further from zero is zero to LightGBM, and so above a threshold of minus this.
ZERO = float(np.float32(1e-35))
FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Leaf:
    value: float


@dataclass(frozen=True)
class Branch:
    """Rows whose feature is at most the threshold go left."""

    feature: int
    threshold: float
    left: Node
    right: Node


Node = Union[Branch, Leaf]


def round_down(value: float) -> float:
    """The largest float32 that LightGBM takes for not above a float64."""
    rounded = np.float32(value)
    if float(rounded) > value or value == -ZERO:
        rounded = np.nextafter(rounded, np.float32(-np.inf))
    return float(rounded)


def read_lightgbm(dump: dict[str, Any], scale: float = 1.0) -> list[Node]:
    """The trees of `Booster.dump_model()`, their leaves times `scale`."""
    return [read_node(tree["tree_structure"], scale) for tree in dump["tree_info"]]


def read_node(node: dict[str, Any], scale: float) -> Node:
    if "leaf_value" in node:
        return Leaf(node["leaf_value"] * scale)
    # Only plain comparisons are exported; the daemon's features are never missing.
    form = (node["decision_type"], node["missing_type"])
    if form != ("<=", "None"):
        raise ValueError(f"a tree decides by {form}; only '<=' without missing values is exported")
    return Branch(
        node["split_feature"],
        round_down(node["threshold"]),
        read_node(node["left_child"], scale),
        read_node(node["right_child"], scale),
    )


class Ensemble:
    """The nodes of all trees, each tree's in pre-order: the left child of a branch follows it.
    `places` are counted over all trees; `feature` is -1 at a leaf."""

    def __init__(self, trees: Sequence[Node], n_features: int) -> None:
        self.n_features = n_features
        self._nodes: list[tuple[int, float, int]] = []
        self.roots: list[int] = []
        for tree in trees:
            self.roots.append(len(self._nodes))
            self._add(tree)
        features, numbers, rights = zip(*self._nodes)
        self.feature: IntArray = np.array(features, dtype=np.int64)
        # A branch's threshold, a leaf's value.
        self.number: FloatArray = np.array(numbers, dtype=np.float32)
        self.right: IntArray = np.array(rights, dtype=np.int64)
        if self.feature.max() >= n_features or not np.isfinite(self.number).all():
            raise ValueError("a tree uses a feature that is not there, or a number not finite")

    def _add(self, node: Node) -> None:
        if isinstance(node, Leaf):
            self._nodes.append((NO_FEATURE, node.value, 0))
            return
        place = len(self._nodes)
        self._nodes.append((node.feature, node.threshold, 0))
        self._add(node.left)
        self._nodes[place] = (node.feature, node.threshold, len(self._nodes))
        self._add(node.right)

    def score(self, rows: FloatArray) -> npt.NDArray[np.float64]:
        """One score for each of n × n_features rows, summed in double precision."""
        scores = np.zeros(len(rows))
        every = np.arange(len(rows))
        for root in self.roots:
            places = np.full(len(rows), root)
            while (open_ := self.feature[places] != NO_FEATURE).any():
                values = rows[every, np.maximum(self.feature[places], 0)]
                steps = np.where(values <= self.number[places], places + 1, self.right[places])
                places = np.where(open_, steps, places)
            scores += self.number[places]
        return scores

    def graph(self) -> onnx.ModelProto:
        """features float32[n, n_features] → score float32[n]."""
        places = np.arange(len(self.feature))
        starts = np.array(self.roots)
        tree = np.searchsorted(starts, places, side="right") - 1
        node = places - starts[tree]
        is_leaf = self.feature == NO_FEATURE
        g = GraphBuilder("ranking_model")
        summed = g.op(
            "TreeEnsembleRegressor",
            g.input(INPUT_NAME, "float32", ["n", self.n_features]),
            domain="ai.onnx.ml",
            n_targets=1,
            nodes_treeids=tree.tolist(),
            nodes_nodeids=node.tolist(),
            nodes_featureids=np.maximum(self.feature, 0).tolist(),
            nodes_modes=np.where(is_leaf, "LEAF", "BRANCH_LEQ").tolist(),
            nodes_values=np.where(is_leaf, np.float32(0), self.number).tolist(),
            nodes_truenodeids=np.where(is_leaf, 0, node + 1).tolist(),
            nodes_falsenodeids=np.where(is_leaf, 0, self.right - starts[tree]).tolist(),
            target_treeids=tree[is_leaf].tolist(),
            target_nodeids=node[is_leaf].tolist(),
            target_ids=[0] * int(is_leaf.sum()),
            target_weights=self.number[is_leaf].tolist(),
        )
        flat = g.op("Reshape", summed, g.constant([-1], np.int64))
        g.output(OUTPUT_NAME, flat, ["n"])
        return g.build()
