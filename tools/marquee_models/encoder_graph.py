"""Writes the MPNet sentence encoder as one ONNX graph, from its weights, without PyTorch.

Inputs `input_ids` and `attention_mask` (int64, batch × sequence), output `sentence_embedding`
(float32, batch × hidden size): pooled over the mask, unit length. The relative position bias
depends on the distance only, so its buckets are resolved here and the graph looks the bias up by
distance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from marquee_models.graph import GraphBuilder
from marquee_models.mpnet import (
    MIN_LENGTH,
    MIN_TOKEN_COUNT,
    MpnetConfig,
    position_buckets,
)

Weights = Mapping[str, npt.NDArray[Any]]
# Added to the scores of padding: the softmax then gives exactly zero.
MASKED = float(np.finfo(np.float32).min)


def build_encoder_graph(config: MpnetConfig, weights: Weights) -> onnx.ModelProto:
    return EncoderWriter(config, weights).write()


class EncoderWriter:
    """Writes the graph; the quantised one has other words and blocks."""

    def __init__(self, config: MpnetConfig, weights: Weights) -> None:
        self._config = config
        self._weights = weights
        self._graph = GraphBuilder("mpnet_sentence_encoder")

    def write(self) -> onnx.ModelProto:
        g = self._graph
        ids = g.input("input_ids", "int64", ["batch", "sequence"])
        mask = g.op(
            "Cast",
            g.input("attention_mask", "int64", ["batch", "sequence"]),
            to=onnx.TensorProto.FLOAT,
        )
        hidden = self._embed(ids)
        bias = g.op("Add", self._position_bias(ids), self._mask_bias(mask))
        for layer in range(self._config.n_layers):
            hidden = self._block(hidden, bias, f"encoder.layer.{layer}.")
        g.output("sentence_embedding", pool(g, hidden, mask), ["batch", self._config.hidden_size])
        return g.build()

    def _embed(self, ids: str) -> str:
        """Word + position; positions count the tokens that are not padding, from pad id + 1."""
        g = self._graph
        pad = g.constant(self._config.pad_id, np.int64)
        real = g.op("Cast", g.op("Not", g.op("Equal", ids, pad)), to=onnx.TensorProto.INT64)
        count = g.op("CumSum", real, g.constant(1, np.int64))
        positions = g.op("Add", g.op("Mul", count, real), pad)
        words = self._words(ids)
        places = g.op("Gather", self._constant("embeddings.position_embeddings.weight"), positions)
        return self._layer_norm(g.op("Add", words, places), "embeddings.LayerNorm")

    def _words(self, ids: str) -> str:
        return self._graph.op("Gather", self._constant("embeddings.word_embeddings.weight"), ids)

    def _position_bias(self, ids: str) -> str:
        """1 × heads × sequence × sequence, looked up by key position - query position."""
        g = self._graph
        longest = self._config.max_tokens - 1
        distances = np.arange(-longest, longest + 1)
        buckets = position_buckets(distances, self._config.n_buckets)
        table = self._weights["encoder.relative_attention_bias.weight"][buckets]
        length = g.op("Squeeze", g.op("Shape", ids, start=1, end=2))
        zero, one = g.constant(0, np.int64), g.constant(1, np.int64)
        places = g.op("Range", zero, length, one)
        rows = g.op("Unsqueeze", places, g.constant([1], np.int64))
        offset = g.op("Add", g.op("Sub", places, rows), g.constant(longest, np.int64))
        bias = g.op("Gather", g.constant(table), offset)
        heads_first = g.op("Transpose", bias, perm=[2, 0, 1])
        return g.op("Unsqueeze", heads_first, g.constant([0], np.int64))

    def _mask_bias(self, mask: str) -> str:
        g = self._graph
        hidden = g.op("Mul", g.op("Sub", g.constant(1.0), mask), g.constant(MASKED))
        return g.op("Unsqueeze", hidden, g.constant([1, 2], np.int64))

    def _block(self, hidden: str, bias: str, prefix: str) -> str:
        g = self._graph
        attended = self._linear(self._attention(hidden, bias, prefix), f"{prefix}attention.attn.o")
        residual = g.op("Add", attended, hidden)
        hidden = self._layer_norm(residual, f"{prefix}attention.LayerNorm")
        inner = g.op("Gelu", self._linear(hidden, f"{prefix}intermediate.dense"))
        outer = g.op("Add", self._linear(inner, f"{prefix}output.dense"), hidden)
        return self._layer_norm(outer, f"{prefix}output.LayerNorm")

    def _attention(self, hidden: str, bias: str, prefix: str) -> str:
        g = self._graph
        packed = g.linear(hidden, *self._packed(prefix))
        return self._mix(g.ops("Split", 3, packed, axis=-1, num_outputs=3), bias)

    def _mix(self, parts: list[str], bias: str) -> str:
        """The values, weighted by how well their keys answer the queries."""
        g = self._graph
        query, key, value = parts
        scores = g.op("MatMul", self._heads(query, [0, 2, 1, 3]), self._heads(key, [0, 2, 3, 1]))
        shares = g.op("Softmax", g.op("Add", scores, bias), axis=-1)
        mixed = g.op("MatMul", shares, self._heads(value, [0, 2, 1, 3]))
        joined = g.op("Transpose", mixed, perm=[0, 2, 1, 3])
        return g.op("Reshape", joined, g.constant([0, 0, self._config.hidden_size], np.int64))

    def _packed(self, prefix: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Weight and bias of query, key and value in one; 1/√head size is folded into the query."""
        names = [f"{prefix}attention.attn.{part}" for part in "qkv"]
        scale = [1.0 / math.sqrt(self._config.head_size), 1.0, 1.0]
        pairs = list(zip(names, scale))
        weight = np.concatenate([self._weights[f"{n}.weight"].T * s for n, s in pairs], axis=1)
        return weight, np.concatenate([self._weights[f"{n}.bias"] * s for n, s in pairs])

    def _heads(self, value: str, perm: list[int]) -> str:
        g = self._graph
        shape = g.constant([0, 0, self._config.n_heads, self._config.head_size], np.int64)
        return g.op("Transpose", g.op("Reshape", value, shape), perm=perm)

    def _linear(self, value: str, name: str) -> str:
        weight = self._weights[f"{name}.weight"].T
        return self._graph.linear(value, weight, self._weights[f"{name}.bias"])

    def _layer_norm(self, value: str, name: str) -> str:
        scale, offset = self._constant(f"{name}.weight"), self._constant(f"{name}.bias")
        epsilon = self._config.layer_norm_eps
        return self._graph.op("LayerNormalization", value, scale, offset, axis=-1, epsilon=epsilon)

    def _constant(self, name: str) -> str:
        return self._graph.constant(self._weights[name])


def pool(g: GraphBuilder, hidden: str, mask: str) -> str:
    """The mean over the tokens that the (float) mask keeps, at unit length."""
    axis = g.constant([1], np.int64)
    weights = g.op("Unsqueeze", mask, g.constant([2], np.int64))
    total = g.op("ReduceSum", g.op("Mul", hidden, weights), axis, keepdims=0)
    count = g.op("ReduceSum", mask, axis, keepdims=1)
    mean = g.op("Div", total, g.op("Max", count, g.constant(MIN_TOKEN_COUNT)))
    length = g.op("ReduceL2", mean, axis, keepdims=1)
    return g.op("Div", mean, g.op("Max", length, g.constant(MIN_LENGTH)))
