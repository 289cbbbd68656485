"""The sentence encoder with 8-bit products, for ONNX Runtime.

Inputs and output are those of `encoder_graph`. What makes plain 8-bit products useless for this
model is that a few input channels, the same for every text, are many times larger than all others,
so that little of the 8 bits is left for these. So the stream's values are two bytes, the second
what the first left over, and every product is two with the same 8-bit weights:

    x · W  ≈  (step · (q(x) · q(W)) + step / 254 · (q(rest) · q(W))) · scale

with a scale for each column of W. The step is fixed when the graph is made, from the largest values
of typical texts, so a text's embedding never depends on the texts in its batch. Both products are
one operation, which reads the weights once.

The inner channels of the feed-forward part, most of the work, form groups by their size, each with
products of its own. The largest are not quantised, the rest one byte with a step for each row
(token). Weights are rounded together, by what typical texts multiply them with (`rounding`). Words
are a table of 8-bit rows with a scale for every few numbers.

Operators are chosen by their cost in ONNX Runtime 1.32: its fused attention, its fused sum and
normalisation and its fused bias and GELU take several times as long as the single operators.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from marquee_models.encoder_graph import EncoderWriter, Weights
from marquee_models.mpnet import Array, MpnetConfig, NumpyEncoder
from marquee_models.rounding import round_weights

RUNTIME_DOMAIN = "com.microsoft"
# Other texts may have values so many times as large as the typical ones.
MARGIN = 2.0
# The first byte's numbers are up to this; so many steps of the second are one of the first.
MAX_BYTE, SECOND = 127, 254
ZERO = 128
# So many rows of a product's inputs are multiplied at once.
MANY_ROWS = 1024
# Query, key and value have one input, which is told by the name of the query.
SAME_INPUT = ("attention.attn.k", "attention.attn.v")
# The inner channels by size: shares of them for the products of their own, largest channels first.
# The first is not quantised.
INNER_SHARES = (12 / 192, 36 / 192, 48 / 192, 96 / 192)
# The largest 8-bit weight: symmetric, so that no zero point is needed.
MAX_WEIGHT = 127
MIN_SIZE = 1e-6
# So many numbers of a word have a scale of their own, or as many as divide its length.
WORD_BLOCK = 32
# Nothing smaller leaves GELU. So of such rows the negative numbers need a small part of the range;
# a row's peak counts as at least so much that they fit.
SMALLEST_GELU = -0.17
LOWEST = -0.25


@dataclass(frozen=True)
class Inputs:
    """What the products are given by typical texts, by the name of the product."""

    # Largest absolute value of each channel.
    largest: dict[str, Array]
    # Sum of the products of each two channels: channels × channels.
    moments: dict[str, Array]


class Observer(NumpyEncoder):
    """Remembers what the inputs of the products were. In single precision and with an approximate
    GELU, both exact enough for that."""

    def __init__(self, config: MpnetConfig, weights: Weights) -> None:
        super().__init__(config, weights)
        self._largest: dict[str, Array] = {}
        self._moments: dict[str, Array] = {}
        # Rows that the moments do not have yet: many at once cost little more than a few.
        self._rows: dict[str, list[Array]] = {}

    def inputs(self) -> Inputs:
        for name in self._rows:
            self._fold(name)
        return Inputs(self._largest, self._moments)

    def _get(self, name: str) -> Array:
        return self._weights[name]

    def _linear(self, value: Array, name: str) -> Array:
        value = value.astype(np.float32)
        if not name.endswith(SAME_INPUT):
            known = self._largest.get(name, MIN_SIZE)
            self._largest[name] = np.maximum(np.abs(value).max(axis=0), known)
            self._rows.setdefault(name, []).append(value)
            if sum(map(len, self._rows[name])) >= MANY_ROWS:
                self._fold(name)
        return super()._linear(value, name)

    def _fold(self, name: str) -> None:
        rows = np.concatenate(self._rows[name])
        self._moments[name] = rows.T @ rows + self._moments.get(name, np.float32(0))
        self._rows[name] = [rows[:0]]

    def _gelu(self, value: Array) -> Array:
        inner = np.sqrt(2.0 / np.pi) * (value + 0.044715 * value * value * value)
        return np.asarray(0.5 * value * (1.0 + np.tanh(inner)), dtype=np.float32)


def observe(config: MpnetConfig, weights: Weights, texts: Iterable[list[int]]) -> Inputs:
    """`texts` are token ids of typical texts; a few dozen are enough."""
    observer = Observer(config, weights)
    for ids in texts:
        observer.encode(ids)
    return observer.inputs()


def build_quantised_graph(config: MpnetConfig, weights: Weights, inputs: Inputs) -> onnx.ModelProto:
    return _QuantisedWriter(config, weights, inputs).write()


@dataclass(frozen=True)
class _Bytes:
    """Values as two bytes: the first ones of all texts, then the second ones."""

    value: str
    step: float


@dataclass(frozen=True)
class _Rounded:
    """8-bit weights, input channels × outputs, and what they are divided by."""

    numbers: Array
    scale: Array
    bias: Array

    def columns(self, columns: Any) -> _Rounded:
        return _Rounded(self.numbers[:, columns], self.scale[columns], self.bias[columns])


class _QuantisedWriter(EncoderWriter):
    def __init__(self, config: MpnetConfig, weights: Weights, inputs: Inputs) -> None:
        super().__init__(config, weights)
        self._inputs = inputs

    def _words(self, ids: str) -> str:
        g = self._graph
        words = self._weights["embeddings.word_embeddings.weight"]
        n_words, length = words.shape
        blocks = words.reshape(n_words, -1, math.gcd(length, WORD_BLOCK))
        numbers, scale = quantise(blocks, axis=2)
        rows = g.op("Gather", g.constant(numbers, np.int8), ids)
        rows = g.op("Cast", rows, to=onnx.TensorProto.FLOAT)
        rows = g.op("Mul", rows, g.op("Gather", g.constant(scale), ids))
        return g.op("Reshape", rows, g.constant([0, 0, length], np.int64))

    def _block(self, hidden: str, bias: str, prefix: str) -> str:
        g = self._graph
        mixed = self._attention(hidden, bias, prefix)
        leaving = f"{prefix}attention.attn.o"
        attended = self._in_8_bits(self._bytes(mixed, leaving), self._rounded(leaving))
        hidden = self._layer_norm(g.op("Add", attended, hidden), f"{prefix}attention.LayerNorm")
        outer = g.op("Add", self._feed_forward(hidden, prefix), hidden)
        return self._layer_norm(outer, f"{prefix}output.LayerNorm")

    def _attention(self, hidden: str, bias: str, prefix: str) -> str:
        name = f"{prefix}attention.attn.q"
        values = self._bytes(hidden, name)
        packed = self._round(name, *self._packed(prefix))
        parts = np.split(np.arange(len(packed.bias)), 3)
        return self._mix([self._in_8_bits(values, packed.columns(part)) for part in parts], bias)

    def _feed_forward(self, hidden: str, prefix: str) -> str:
        """The inner channels in groups of like size, each with products of its own."""
        g = self._graph
        into, out_of = f"{prefix}intermediate.dense", f"{prefix}output.dense"
        values, entering = self._bytes(hidden, into), self._rounded(into)
        order = np.argsort(-self._inputs.largest[out_of], kind="stable")
        ends = np.round(np.cumsum(INNER_SHARES) * len(order)).astype(int)[:-1]
        exact, *groups = np.split(order, ends)
        weight = self._weights[f"{out_of}.weight"].T
        step = np.zeros_like(weight)
        for channels in groups:
            step[channels] = column_step(weight[channels])
        weight = round_weights(weight, step, MAX_WEIGHT, self._inputs.moments[out_of])
        inner = g.op("Gelu", self._in_8_bits(values, entering.columns(exact)))
        outer = g.linear(inner, weight[exact], self._weights[f"{out_of}.bias"])
        for channels in groups:
            inner = g.op("Gelu", self._in_8_bits(values, entering.columns(channels)))
            scale = step[channels[0]]
            numbers = np.round(weight[channels] / scale)
            outer = g.op("Add", outer, self._of_inner(inner, numbers, scale))
        return outer

    def _of_inner(self, value: str, numbers: Array, scale: Array) -> str:
        """With what leaves GELU: divided by the row's peak, all lies between `LOWEST` and 1."""
        g = self._graph
        peak = g.op("ReduceMax", value, g.constant([-1], np.int64), keepdims=1)
        peak = g.op("Max", peak, g.constant(SMALLEST_GELU / LOWEST))
        step, zero = step_and_zero(LOWEST, 1.0)
        row = self._quantised(g.op("Div", value, peak), step, zero)
        inputs = [row, g.constant(numbers, np.int8), g.constant(step)]
        inputs += [g.constant(scale), g.constant(zero, np.uint8)]
        return g.op("Mul", g.op("MatMulIntegerToFloat", *inputs, domain=RUNTIME_DOMAIN), peak)

    def _bytes(self, value: str, name: str) -> _Bytes:
        g = self._graph
        step = float(MARGIN * self._inputs.largest[name].max() / MAX_BYTE)
        first = self._quantised(value, step, ZERO)
        known = g.op("DequantizeLinear", first, g.constant(step), g.constant(ZERO, np.uint8))
        second = self._quantised(g.op("Sub", value, known), step / SECOND, ZERO)
        return _Bytes(g.op("Concat", first, second, axis=0), step)

    def _in_8_bits(self, values: _Bytes, weights: _Rounded) -> str:
        g = self._graph
        # The bias comes in with both bytes.
        bias = weights.bias / (1 + 1 / SECOND)
        inputs = [values.value, g.constant(weights.numbers, np.int8), g.constant(values.step)]
        inputs += [g.constant(weights.scale), g.constant(ZERO, np.uint8), "", g.constant(bias)]
        both = g.op("MatMulIntegerToFloat", *inputs, domain=RUNTIME_DOMAIN)
        first, second = g.ops("Split", 2, both, axis=0, num_outputs=2)
        return g.op("Add", first, g.op("Mul", second, g.constant(1 / SECOND)))

    def _quantised(self, value: str, step: float, zero: int) -> str:
        g = self._graph
        return g.op("QuantizeLinear", value, g.constant(step), g.constant(zero, np.uint8))

    def _rounded(self, name: str) -> _Rounded:
        return self._round(name, self._weights[f"{name}.weight"].T, self._weights[f"{name}.bias"])

    def _round(self, name: str, weight: Array, bias: Array) -> _Rounded:
        scale = column_step(weight)
        step = np.broadcast_to(scale, weight.shape)
        rounded = round_weights(weight, step, MAX_WEIGHT, self._inputs.moments[name])
        return _Rounded(np.round(rounded / scale), scale, bias)


def column_step(weight: Array) -> Array:
    """The step of each column with which its largest weight is `MAX_WEIGHT`."""
    return np.asarray(steps(weight, axis=0)[0])


def steps(weight: Array, axis: int) -> Array:
    """The same of what lies along an axis, for all weights of it."""
    largest = np.abs(weight).max(axis=axis, keepdims=True)
    return np.asarray(np.where(largest > 0, largest, 1.0) / MAX_WEIGHT)


def step_and_zero(least: float, largest: float) -> tuple[float, int]:
    """The step, and the number of zero, with which the range is 0 … 255."""
    step = max(float(largest) - float(least), MIN_SIZE) / 255
    return step, min(max(round(-float(least) / step), 0), 255)


def quantise(weight: Array, axis: int) -> tuple[Array, Array]:
    """8-bit numbers and the scale of what lies along an axis."""
    scale = steps(weight, axis)
    return np.round(weight / scale).astype(np.int8), scale.astype(np.float32)
