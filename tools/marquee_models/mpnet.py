"""MPNet sentence encoder: configuration, weights, and a forward pass in plain numpy.

The architecture is that of `transformers` MPNetModel (Song et al. 2020, "MPNet"): learned absolute
positions, one bucketed relative position bias shared by all layers, post-layer-norm blocks with
exact GELU. The sentence vector is the mean over the tokens, at unit length.

The forward pass works in float64 and shares nothing with the graph writer but the weights and the
bucket rule, so it can serve as the judge of the exported graph.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Distances from here on share one bucket; a constant of the architecture, not in config.json.
MAX_DISTANCE = 128
MIN_TOKEN_COUNT = 1e-9
MIN_LENGTH = 1e-12


@dataclass(frozen=True)
class MpnetConfig:
    hidden_size: int
    intermediate_size: int
    n_layers: int
    n_heads: int
    n_buckets: int
    n_positions: int
    layer_norm_eps: float
    pad_id: int

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.n_heads

    @property
    def max_tokens(self) -> int:
        """Positions are counted from pad id + 1."""
        return self.n_positions - self.pad_id - 1


def read_config(folder: Path) -> MpnetConfig:
    raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if raw.get("model_type") != "mpnet" or raw.get("hidden_act") != "gelu":
        raise ValueError(f"{folder / 'config.json'} does not describe an MPNet with GELU")
    return MpnetConfig(
        hidden_size=raw["hidden_size"],
        intermediate_size=raw["intermediate_size"],
        n_layers=raw["num_hidden_layers"],
        n_heads=raw["num_attention_heads"],
        n_buckets=raw["relative_attention_num_buckets"],
        n_positions=raw["max_position_embeddings"],
        layer_norm_eps=raw["layer_norm_eps"],
        pad_id=raw["pad_token_id"],
    )


def position_buckets(relative: Array, n_buckets: int) -> Array:
    """Bucket of key position - query position: half of the buckets for each direction, exact near
    zero, logarithmic farther away (as in T5). float32, because rounding decides at the borders."""
    half = n_buckets // 2
    exact = half // 2
    distance = np.abs(relative)
    ratio = np.maximum(distance, 1).astype(np.float32) / np.float32(exact)
    scaled = np.log(ratio) / np.float32(math.log(MAX_DISTANCE / exact)) * np.float32(half - exact)
    far = np.minimum(exact + scaled.astype(np.int64), half - 1)
    return np.asarray(np.where(relative > 0, half, 0) + np.where(distance < exact, distance, far))


def weight_shapes(config: MpnetConfig, n_tokens: int) -> dict[str, tuple[int, ...]]:
    """Every tensor the encoder reads, by its name in the release."""
    hidden, inner = config.hidden_size, config.intermediate_size
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (n_tokens, hidden),
        "embeddings.position_embeddings.weight": (config.n_positions, hidden),
        "embeddings.LayerNorm.weight": (hidden,),
        "embeddings.LayerNorm.bias": (hidden,),
        "encoder.relative_attention_bias.weight": (config.n_buckets, config.n_heads),
    }
    for layer in range(config.n_layers):
        prefix = f"encoder.layer.{layer}."
        for part in "qkvo":
            shapes[f"{prefix}attention.attn.{part}.weight"] = (hidden, hidden)
            shapes[f"{prefix}attention.attn.{part}.bias"] = (hidden,)
        shapes[f"{prefix}intermediate.dense.weight"] = (inner, hidden)
        shapes[f"{prefix}intermediate.dense.bias"] = (inner,)
        shapes[f"{prefix}output.dense.weight"] = (hidden, inner)
        shapes[f"{prefix}output.dense.bias"] = (hidden,)
        for norm in ("attention.LayerNorm", "output.LayerNorm"):
            shapes[f"{prefix}{norm}.weight"] = (hidden,)
            shapes[f"{prefix}{norm}.bias"] = (hidden,)
    return shapes


class NumpyEncoder:
    """The judge: slow, float64, one text at a time, no padding and so no mask."""

    def __init__(self, config: MpnetConfig, weights: Mapping[str, Array]) -> None:
        self._config = config
        self._weights = weights

    def encode(self, token_ids: list[int]) -> npt.NDArray[np.float64]:
        ids = np.array(token_ids, dtype=np.int64)
        if not 0 < len(ids) <= self._config.max_tokens:
            raise ValueError(f"{len(ids)} tokens; 1 to {self._config.max_tokens} are possible")
        words = self._weights["embeddings.word_embeddings.weight"][ids].astype(np.float64)
        first = self._config.pad_id + 1
        places = self._get("embeddings.position_embeddings.weight")[first : first + len(ids)]
        hidden = self._layer_norm(words + places, "embeddings.LayerNorm")
        bias = self._position_bias(len(ids))
        for layer in range(self._config.n_layers):
            hidden = self._block(hidden, bias, f"encoder.layer.{layer}.")
        mean = hidden.sum(axis=0) / max(float(len(ids)), MIN_TOKEN_COUNT)
        return np.asarray(mean / max(float(np.linalg.norm(mean)), MIN_LENGTH), dtype=np.float64)

    def _get(self, name: str) -> Array:
        return self._weights[name].astype(np.float64)

    def _linear(self, value: Array, name: str) -> Array:
        return np.asarray(value @ self._get(f"{name}.weight").T + self._get(f"{name}.bias"))

    def _layer_norm(self, value: Array, name: str) -> Array:
        centred = value - value.mean(axis=-1, keepdims=True)
        variance = (centred**2).mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(variance + self._config.layer_norm_eps)
        return np.asarray(scaled * self._get(f"{name}.weight") + self._get(f"{name}.bias"))

    def _position_bias(self, n_tokens: int) -> Array:
        places = np.arange(n_tokens)
        buckets = position_buckets(places[None, :] - places[:, None], self._config.n_buckets)
        bias = self._get("encoder.relative_attention_bias.weight")[buckets]
        return np.transpose(bias, (2, 0, 1))

    def _block(self, hidden: Array, bias: Array, prefix: str) -> Array:
        query, key, value = (
            self._heads(self._linear(hidden, f"{prefix}attention.attn.{part}")) for part in "qkv"
        )
        scores = query @ np.swapaxes(key, 1, 2) / math.sqrt(self._config.head_size) + bias
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        mixed = np.swapaxes(weights @ value, 0, 1).reshape(hidden.shape)
        attended = self._linear(mixed, f"{prefix}attention.attn.o") + hidden
        hidden = self._layer_norm(attended, f"{prefix}attention.LayerNorm")
        inner = self._gelu(self._linear(hidden, f"{prefix}intermediate.dense"))
        outer = self._linear(inner, f"{prefix}output.dense") + hidden
        return self._layer_norm(outer, f"{prefix}output.LayerNorm")

    def _gelu(self, value: Array) -> Array:
        return gelu(value)

    def _heads(self, value: Array) -> Array:
        shape = (len(value), self._config.n_heads, self._config.head_size)
        return np.swapaxes(value.reshape(shape), 0, 1)


def gelu(value: Array) -> Array:
    """x · Φ(x), the exact form."""
    erf = np.frompyfunc(math.erf, 1, 1)
    inner = np.asarray(erf(value / math.sqrt(2.0)), dtype=np.float64)
    return np.asarray(0.5 * value * (1.0 + inner))
