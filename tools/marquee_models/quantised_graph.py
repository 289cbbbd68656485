"""The sentence encoder with 8-bit products, for ONNX Runtime.

Inputs and output are those of `encoder_graph`. Every product is

    x · W  ≈  step · (q(x) · q(W)) · scale        q(x) = round(x / step) + zero, in 0 … 255

with a scale for each column of W. The step is either fixed when the graph is made, from the ranges
of typical texts, or that of the row (the token) where one step for all loses too much; so a text's
embedding never depends on the texts in its batch.

What makes plain 8-bit products useless for this model is that a few input channels, the same for
every text, are many times larger than all others, so that little of the 8 bits is left for these.
A channel that is up to m times as large as the range is put in m times, as x/m shifted by multiples
of step/m: the sum of the m rounded numbers is x rounded to a whole step (Hermite's identity), and
each of them meets the same row of W. Among the other channels smaller ones are enlarged and their
rows of W made smaller. The inner channels of the feed-forward part, which spread most, form several
products by their size, the largest not quantised. Words are a table of 8-bit rows, each with its
scale.

Operators are chosen by their cost in ONNX Runtime 1.32: its fused attention, its fused sum and
normalisation and its fused bias and GELU take several times as long as the single operators.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from marquee_models.encoder_graph import EncoderWriter, Weights
from marquee_models.mpnet import Array, MpnetConfig, NumpyEncoder

RUNTIME_DOMAIN = "com.microsoft"
# How many channels may be beyond the range of a product, by the last part of the product's name.
N_OUTLIERS = {"q": 8, "o": 8, "intermediate": 12}
# Products whose rows have steps of their own.
STEP_BY_ROW = {"q"}
# A row's range counts as at least this share of the largest row's: outliers stay within few parts.
LEAST_SHARE = 0.4
# How far small channels are enlarged: 0 not at all, 1 to the size of the largest.
EVENNESS = 0.5
# Other texts may be a little beyond the ranges of the typical ones.
MARGIN = 1.1
# The inner channels by size: shares of them for the products of their own, largest channels first.
# The first is not quantised.
INNER_SHARES = (1 / 192, 15 / 192, 48 / 192, 128 / 192)
# The largest 8-bit weight: symmetric, so that no zero point is needed.
MAX_WEIGHT = 127
MIN_SIZE = 1e-6
# Nothing smaller leaves GELU. So of such rows the negative numbers need a small part of the range;
# a row's peak counts as at least so much that they fit.
SMALLEST_GELU = -0.17
LOWEST = -0.25

# Least and largest value of each input channel, by the name of the product.
Ranges = Mapping[str, npt.NDArray[Any]]


class RangeFinder(NumpyEncoder):
    """Remembers between what the inputs of every product were, channel by channel. In single
    precision and with an approximate GELU, both exact enough for that."""

    def __init__(self, config: MpnetConfig, weights: Weights) -> None:
        super().__init__(config, weights)
        self.ranges: dict[str, Array] = {}

    def _get(self, name: str) -> Array:
        return self._weights[name]

    def _linear(self, value: Array, name: str) -> Array:
        least, largest = self.ranges.get(name, (np.inf, -np.inf))
        bounds = [np.minimum(value.min(axis=0), least), np.maximum(value.max(axis=0), largest)]
        self.ranges[name] = np.stack(bounds)
        return super()._linear(value.astype(np.float32), name)

    def _gelu(self, value: Array) -> Array:
        inner = np.sqrt(2.0 / np.pi) * (value + 0.044715 * value**3)
        return np.asarray(0.5 * value * (1.0 + np.tanh(inner)), dtype=np.float32)


def find_ranges(config: MpnetConfig, weights: Weights, texts: Iterable[list[int]]) -> Ranges:
    """`texts` are token ids of typical texts; a few dozen are enough."""
    finder = RangeFinder(config, weights)
    for ids in texts:
        finder.encode(ids)
    return finder.ranges


def build_quantised_graph(config: MpnetConfig, weights: Weights, ranges: Ranges) -> onnx.ModelProto:
    return _QuantisedWriter(config, weights, ranges).write()


@dataclass(frozen=True)
class _Rows:
    """A quantised value, and what the weights and the product must know of it."""

    value: str
    step: float
    zero: int
    # Which row of the weights each column meets; those beyond the last row meet zeros.
    channels: npt.NDArray[Any]
    # By what the channels were divided.
    scale: npt.NDArray[Any]
    # The rows' own factors, if they have any.
    peak: str = ""


class _QuantisedWriter(EncoderWriter):
    def __init__(self, config: MpnetConfig, weights: Weights, ranges: Ranges) -> None:
        super().__init__(config, weights)
        self._ranges = ranges

    def _words(self, ids: str) -> str:
        g = self._graph
        numbers, scale = quantise(self._weights["embeddings.word_embeddings.weight"], axis=1)
        rows = g.op("Gather", g.constant(numbers, np.int8), ids)
        rows = g.op("Cast", rows, to=onnx.TensorProto.FLOAT)
        return g.op("Mul", rows, g.op("Gather", g.constant(scale), ids))

    def _block(self, hidden: str, bias: str, prefix: str) -> str:
        g = self._graph
        mixed = self._attention(hidden, bias, prefix)
        leaving = f"{prefix}attention.attn.o"
        attended = self._product(self._rows(mixed, leaving), leaving)
        hidden = self._layer_norm(g.op("Add", attended, hidden), f"{prefix}attention.LayerNorm")
        outer = g.op("Add", self._feed_forward(hidden, prefix), hidden)
        return self._layer_norm(outer, f"{prefix}output.LayerNorm")

    def _attention(self, hidden: str, bias: str, prefix: str) -> str:
        rows = self._rows(hidden, f"{prefix}attention.attn.q")
        weights, offsets = self._packed(prefix)
        parts = zip(np.split(weights, 3, axis=1), np.split(offsets, 3))
        return self._mix([self._in_8_bits(rows, weight, offset) for weight, offset in parts], bias)

    def _feed_forward(self, hidden: str, prefix: str) -> str:
        """The inner channels in groups of like size, each with products of its own."""
        g = self._graph
        into, out_of = f"{prefix}intermediate.dense", f"{prefix}output.dense"
        rows = self._rows(hidden, into)
        order = np.argsort(-self._ranges[out_of][1], kind="stable")
        ends = np.round(np.cumsum(INNER_SHARES) * len(order)).astype(int)[:-1]
        outer = ""
        for number, channels in enumerate(np.split(order, ends)):
            inner = g.op("Gelu", self._product(rows, into, channels))
            weight = self._weights[f"{out_of}.weight"][:, channels].T
            if number == 0:
                outer = g.linear(inner, weight, self._weights[f"{out_of}.bias"])
            else:
                rows_of_group = self._inner_rows(inner, len(channels))
                outer = g.op("Add", outer, self._in_8_bits(rows_of_group, weight))
        return outer

    def _inner_rows(self, value: str, n_channels: int) -> _Rows:
        """Of what leaves GELU: divided by the row's peak, all lies between `LOWEST` and 1."""
        g = self._graph
        peak = g.op("ReduceMax", value, g.constant([-1], np.int64), keepdims=1)
        peak = g.op("Max", peak, g.constant(SMALLEST_GELU / LOWEST))
        step, zero = step_and_zero(LOWEST, 1.0)
        rows = self._quantised(g.op("Div", value, peak), step, zero)
        return _Rows(rows, step, zero, np.arange(n_channels), np.ones(n_channels), peak)

    def _rows(self, value: str, name: str) -> _Rows:
        """Of the stream. Outliers come in parts at the end; where they were they count nothing."""
        g = self._graph
        kind = name.removesuffix(".dense").rsplit(".", 1)[-1]
        size = np.maximum(np.abs(self._ranges[name]).max(axis=0), MIN_SIZE)
        limit = np.sort(size)[-1 - N_OUTLIERS[kind]]
        is_outlier = size > limit
        scale = np.where(is_outlier, 1.0, (size / limit) ** EVENNESS)
        inverse = np.where(is_outlier, 0.0, 1.0 / scale)
        kept = g.op("Mul", value, g.constant(inverse))
        least, largest = (self._ranges[name] * inverse).min(), (self._ranges[name] * inverse).max()
        step, zero = step_and_zero(least * MARGIN, largest * MARGIN)
        peak = ""
        if kind in STEP_BY_ROW:
            least_peak = LEAST_SHARE * max(-least, largest)
            peak = g.op("ReduceMax", g.op("Abs", kept), g.constant([-1], np.int64), keepdims=1)
            peak = g.op("Max", peak, g.constant(least_peak))
            kept, size = g.op("Div", kept, peak), size / least_peak
            step, zero = step_and_zero(-1.0, 1.0)
        rows = self._quantised(kept, step, zero)
        channels = np.where(is_outlier, len(size), np.arange(len(size)))
        outliers = np.flatnonzero(is_outlier)
        if len(outliers) > 0:
            times = np.ceil(MARGIN * size[outliers] / (step * min(zero, 255 - zero))).astype(int)
            parts = self._parts(value, outliers, times, peak, step)
            rows = g.op("Concat", rows, self._quantised(parts, step, zero), axis=-1)
            channels = np.concatenate([channels, np.repeat(outliers, times)])
        return _Rows(rows, step, zero, channels, scale, peak)

    def _parts(self, value: str, outliers: Any, times: Any, peak: str, step: float) -> str:
        g = self._graph
        shifts = [(np.arange(n) + 0.5) / n - 0.5 for n in times]
        places = g.constant(np.repeat(outliers, times), np.int64)
        parts = g.op("Gather", value, places, axis=-1)
        if peak:
            parts = g.op("Div", parts, peak)
        parts = g.op("Mul", parts, g.constant(np.repeat(1.0 / times, times)))
        return g.op("Add", parts, g.constant(np.concatenate(shifts) * step))

    def _quantised(self, value: str, step: float, zero: int) -> str:
        g = self._graph
        return g.op("QuantizeLinear", value, g.constant(step), g.constant(zero, np.uint8))

    def _product(self, rows: _Rows, name: str, columns: Any = slice(None)) -> str:
        weight = self._weights[f"{name}.weight"][columns].T
        return self._in_8_bits(rows, weight, self._weights[f"{name}.bias"][columns])

    def _in_8_bits(
        self, rows: _Rows, weight: npt.NDArray[Any], bias: npt.NDArray[Any] | None = None
    ) -> str:
        g = self._graph
        with_zeros = np.concatenate([weight * rows.scale[:, None], np.zeros_like(weight[:1])])
        numbers, scale = quantise(with_zeros[rows.channels], axis=0)
        inputs = [rows.value, g.constant(numbers, np.int8), g.constant(rows.step)]
        inputs += [g.constant(scale[0]), g.constant(rows.zero, np.uint8)]
        if bias is not None and not rows.peak:
            inputs += ["", g.constant(bias)]
        product = g.op("MatMulIntegerToFloat", *inputs, domain=RUNTIME_DOMAIN)
        if rows.peak:
            product = g.op("Mul", product, rows.peak)
        if bias is not None and rows.peak:
            product = g.op("Add", product, g.constant(bias))
        return product


def step_and_zero(least: float, largest: float) -> tuple[float, int]:
    """The step, and the number of zero, with which the range is 0 … 255."""
    step = max(float(largest) - float(least), MIN_SIZE) / 255
    return step, min(max(round(-float(least) / step), 0), 255)


def quantise(weight: npt.NDArray[Any], axis: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """8-bit numbers and the scale of each row (`axis` 1) or column (0)."""
    largest = np.abs(weight).max(axis=axis, keepdims=True)
    scale = np.where(largest > 0, largest, 1.0) / MAX_WEIGHT
    return np.round(weight / scale).astype(np.int8), scale.astype(np.float32)
