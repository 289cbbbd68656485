"""The sentence encoder with 8-bit products, from ONNX Runtime's fused operators.

Inputs and output are those of `encoder_graph`. What makes plain 8-bit products useless for this
model is that a few input channels, the same for every text, are many times larger than all others,
so that little of the 8 bits is left for these. Hence each product is the sum of two:

    x · W  ≈  peak · (q(x / peak) · q(W))  +  x[outliers] · W[outliers]

`peak` is the largest magnitude in the row (the token) beside the outliers. Rows are scaled one by
one, so a text's embedding does not depend on the texts in its batch. Weights have a scale per
column. The inner channels of the feed-forward part, which spread most, are put in the order of
their size and form several such products. Words are a table of 8-bit rows, each with its scale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from marquee_models.encoder_graph import EncoderWriter, Weights
from marquee_models.mpnet import Array, MpnetConfig, NumpyEncoder

RUNTIME_DOMAIN = "com.microsoft"
# Channels computed apart, by the last part of the product's name. Twice or four times as many bring
# no measurable gain; what leaves attention has no such channels.
N_OUTLIERS = {"q": 8, "o": 0, "intermediate": 8}
# The inner channels by size: shares of them for the products of their own, largest channels first.
# The first is not quantised.
INNER_SHARES = (1 / 192, 15 / 192, 48 / 192, 128 / 192)
# The largest 8-bit weight: symmetric, so that no zero point is needed.
MAX_WEIGHT = 127
MIN_PEAK = 1e-6
# Nothing smaller leaves GELU. So of such rows the negative numbers need a small part of the range;
# a row's peak counts as at least so much that they fit.
SMALLEST_GELU = -0.17
LOWEST_OF_GELU = -0.25

# Largest magnitude of each input channel, by the name of the product.
Peaks = Mapping[str, npt.NDArray[Any]]


class PeakFinder(NumpyEncoder):
    """Remembers how large the inputs of every product became. In single precision and with an
    approximate GELU, both exact enough to tell channels apart by their size."""

    def __init__(self, config: MpnetConfig, weights: Weights) -> None:
        super().__init__(config, weights)
        self.peaks: dict[str, Array] = {}

    def _get(self, name: str) -> Array:
        return self._weights[name]

    def _linear(self, value: Array, name: str) -> Array:
        largest = np.abs(value).max(axis=0)
        self.peaks[name] = np.maximum(largest, self.peaks.get(name, 0.0))
        return super()._linear(value.astype(np.float32), name)

    def _gelu(self, value: Array) -> Array:
        inner = np.sqrt(2.0 / np.pi) * (value + 0.044715 * value**3)
        return np.asarray(0.5 * value * (1.0 + np.tanh(inner)), dtype=np.float32)


def find_peaks(config: MpnetConfig, weights: Weights, texts: Iterable[list[int]]) -> Peaks:
    """`texts` are token ids of typical texts; a few dozen are enough."""
    finder = PeakFinder(config, weights)
    for ids in texts:
        finder.encode(ids)
    return finder.peaks


def build_quantised_graph(config: MpnetConfig, weights: Weights, peaks: Peaks) -> onnx.ModelProto:
    return _QuantisedWriter(config, weights, peaks).write()


class _QuantisedWriter(EncoderWriter):
    def __init__(self, config: MpnetConfig, weights: Weights, peaks: Peaks) -> None:
        super().__init__(config, weights)
        self._peaks = peaks

    def _words(self, ids: str) -> str:
        g = self._graph
        numbers, scale = quantise(self._weights["embeddings.word_embeddings.weight"], axis=1)
        rows = g.op("Gather", g.constant(numbers, np.int8), ids)
        rows = g.op("Cast", rows, to=onnx.TensorProto.FLOAT)
        return g.op("Mul", rows, g.op("Gather", g.constant(scale), ids))

    def _block(self, hidden: str, bias: str, prefix: str) -> str:
        """Biases go into the operators that follow the products."""
        leaving = f"{prefix}attention.attn.o"
        mixed = self._attention(hidden, bias, prefix)
        attended = self._sum_of_two(mixed, self._weights[f"{leaving}.weight"].T, leaving)
        hidden = self._skip_norm(attended, hidden, leaving, f"{prefix}attention.LayerNorm")
        outer = self._feed_forward(hidden, prefix)
        return self._skip_norm(outer, hidden, f"{prefix}output.dense", f"{prefix}output.LayerNorm")

    def _feed_forward(self, hidden: str, prefix: str) -> str:
        g = self._graph
        into, out_of = f"{prefix}intermediate.dense", f"{prefix}output.dense"
        order = np.argsort(-self._peaks[out_of], kind="stable")
        inner = self._sum_of_two(hidden, self._weights[f"{into}.weight"][order].T, into)
        offset = g.constant(self._weights[f"{into}.bias"][order])
        inner = g.op("BiasGelu", inner, offset, domain=RUNTIME_DOMAIN)
        ends = np.round(np.cumsum(INNER_SHARES) * len(order)).astype(int)[:-1]
        weights = np.split(self._weights[f"{out_of}.weight"][:, order].T, ends)
        sizes = g.constant([len(weight) for weight in weights], np.int64)
        few, *others = g.ops("Split", len(weights), inner, sizes, axis=-1)
        outer = g.op("MatMul", few, g.constant(weights[0]))
        for values, weight in zip(others, weights[1:]):
            outer = g.op("Add", outer, self._in_8_bits(values, weight, LOWEST_OF_GELU))
        return outer

    def _attention(self, hidden: str, bias: str, prefix: str) -> str:
        g = self._graph
        weight, offset = self._packed(prefix)
        packed = self._sum_of_two(hidden, weight, f"{prefix}attention.attn.q")
        query, key, value = g.ops("Split", 3, packed, axis=-1, num_outputs=3)
        inputs = (query, key, value, g.constant(offset), "", bias)
        # The scale is folded into the query.
        options = {"num_heads": self._config.n_heads, "scale": 1.0}
        return g.op("MultiHeadAttention", *inputs, domain=RUNTIME_DOMAIN, **options)

    def _skip_norm(self, value: str, residual: str, product: str, norm: str) -> str:
        names = (f"{norm}.weight", f"{norm}.bias", f"{product}.bias")
        inputs = (value, residual, *(self._constant(name) for name in names))
        epsilon = self._config.layer_norm_eps
        return self._graph.op(
            "SkipLayerNormalization", *inputs, domain=RUNTIME_DOMAIN, epsilon=epsilon
        )

    def _sum_of_two(self, value: str, weight: npt.NDArray[Any], name: str) -> str:
        g = self._graph
        kind = name.removesuffix(".dense").rsplit(".", 1)[-1]
        outliers = np.sort(np.argsort(-self._peaks[name], kind="stable")[: N_OUTLIERS[kind]])
        if len(outliers) == 0:
            return self._in_8_bits(value, weight)
        is_kept = np.ones(len(weight))
        is_kept[outliers] = 0.0
        kept = g.op("Mul", value, g.constant(is_kept))
        product = self._in_8_bits(kept, weight * is_kept[:, None])
        few = g.op("Gather", value, g.constant(outliers, np.int64), axis=-1)
        return g.op("Add", product, g.op("MatMul", few, g.constant(weight[outliers])))

    def _in_8_bits(self, value: str, weight: npt.NDArray[Any], lowest: float = -1.0) -> str:
        """Rows at their own scale: after the division all lie between `lowest` and 1."""
        g = self._graph
        numbers, scale = quantise(weight, axis=0)
        peak = g.op("ReduceMax", g.op("Abs", value), g.constant([-1], np.int64), keepdims=1)
        peak = g.op("Max", peak, g.constant(MIN_PEAK if lowest == -1.0 else SMALLEST_GELU / lowest))
        step = (1.0 - lowest) / 255
        zero = g.constant(round(-lowest / step), np.uint8)
        step_size = g.constant(step)
        rows = g.op("QuantizeLinear", g.op("Div", value, peak), step_size, zero)
        inputs = (rows, g.constant(numbers, np.int8), step_size, g.constant(scale[0]), zero)
        product = g.op("MatMulIntegerToFloat", *inputs, domain=RUNTIME_DOMAIN)
        return g.op("Mul", product, peak)


def quantise(weight: npt.NDArray[Any], axis: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """8-bit numbers and the scale of each row (`axis` 1) or column (0)."""
    largest = np.abs(weight).max(axis=axis, keepdims=True)
    scale = np.where(largest > 0, largest, 1.0) / MAX_WEIGHT
    return np.round(weight / scale).astype(np.int8), scale.astype(np.float32)
