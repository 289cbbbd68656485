"""A small builder for ONNX graphs written by hand.

Weights go in as initializers inside the one file (the daemon refuses external data), names are
counted up in the order of writing, and nothing depends on time or hashing, so the same calls give
the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Union

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
# Operators of other domains, with the version that is written.
OTHER_OPSETS = {"ai.onnx.ml": 3, "com.microsoft": 1}
# Written into the file; the oldest form that knows opset 20, so that older runtimes can read it.
IR_VERSION = 9
# A protobuf message cannot be larger, and the daemon takes single files only.
MAX_GRAPH_BYTES = 2**31 - 1

Dimension = Union[str, int]
ELEMENT_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}


class GraphBuilder:
    """Collects nodes and constants; `op` and `constant` give back the name of the new value."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._n_values = 0

    def input(self, name: str, dtype: str, shape: list[Dimension]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, ELEMENT_TYPES[dtype], shape))
        return name

    def output(self, name: str, value: str, shape: list[Dimension]) -> None:
        """Publishes `value` under `name` as float32."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name=f"output_{name}"))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def constant(self, array: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        name = self._next_name("constant")
        contiguous = np.array(array, dtype=dtype, order="C")
        self._initializers.append(numpy_helper.from_array(contiguous, name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def ops(self, kind: str, n_outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """The same for operators with more than one output."""
        outputs = [self._next_name(kind.lower()) for _ in range(n_outputs)]
        node = helper.make_node(kind, list(inputs), outputs, name=outputs[0], **attributes)
        self._nodes.append(node)
        return outputs

    def linear(self, value: str, weight: npt.ArrayLike, bias: npt.ArrayLike) -> str:
        """`value @ weight + bias`, the weight given as inputs × outputs."""
        product = self.op("MatMul", value, self.constant(weight))
        return self.op("Add", product, self.constant(bias))

    def build(self) -> onnx.ModelProto:
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, self._initializers
        )
        domains = sorted({node.domain for node in self._nodes} - {""})
        opsets = {"": OPSET, **{domain: OTHER_OPSETS[domain] for domain in domains}}
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(*opset) for opset in opsets.items()],
            producer_name="marquee_models",
        )
        model.ir_version = IR_VERSION
        return model

    def _next_name(self, prefix: str) -> str:
        self._n_values += 1
        return f"{prefix}_{self._n_values}"


def save(model: onnx.ModelProto, path: Path) -> None:
    size = model.ByteSize()
    if size > MAX_GRAPH_BYTES:
        raise ValueError(f"the graph has {size} bytes; one file can hold {MAX_GRAPH_BYTES}")
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
