"""The rating network without PyTorch: its weights, a plain forward pass, and its two ONNX graphs.

Weights are arrays by the names of the state dict (see rating_network.py). A rating is

    mlp( user_embed ++ item_embed ++ extra_features(numeric) ++ genre_features(genres) )

where each Linear but the last is followed by BatchNorm and ReLU. For serving it is cut in two at
the first layer of the MLP, which is linear in its input: `movie_tower` computes the movie's share
of that layer once per load, `scorer` adds the user's share and does the rest. BatchNorm is folded
into the Linear before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from marquee_models.graph import GraphBuilder

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]

BATCH_NORM_EPS = 1e-5


@dataclass(frozen=True)
class Scaling:
    """Standard scaling of the raw numeric features; a missing one becomes the mean, that is
    zero."""

    mean: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]

    @staticmethod
    def fit(numeric: Array) -> Scaling:
        """Over the rows that have a value; a feature without any, or constant, is only centred."""
        present = ~np.isnan(numeric)
        count = np.maximum(present.sum(axis=0), 1)
        filled = np.where(present, numeric, 0.0).astype(np.float64)
        mean = filled.sum(axis=0) / count
        square = np.where(present, (filled - mean) ** 2, 0.0).sum(axis=0) / count
        deviation = np.sqrt(square)
        return Scaling(mean, np.where(deviation > 0.0, deviation, 1.0))

    def apply(self, numeric: Array) -> Array:
        scaled = (numeric.astype(np.float64) - self.mean) / self.deviation
        return np.where(np.isnan(scaled), 0.0, scaled)


@dataclass(frozen=True)
class Dimensions:
    n_users: int
    n_movies: int
    embedding: int
    n_genres: int
    hidden: int

    @staticmethod
    def of(weights: Weights) -> Dimensions:
        """Row 0, "unknown", is not counted."""
        return Dimensions(
            n_users=len(weights["user_embed.weight"]) - 1,
            n_movies=len(weights["item_embed.weight"]) - 1,
            embedding=weights["user_embed.weight"].shape[1],
            n_genres=weights["genre_features.0.weight"].shape[1],
            hidden=weights["mlp.0.weight"].shape[0],
        )


class NumpyNetwork:
    """The judge: float64, nothing folded, nothing cut."""

    def __init__(self, weights: Weights, scaling: Scaling) -> None:
        self._weights = {name: array.astype(np.float64) for name, array in weights.items()}
        self._scaling = scaling

    def rate(self, user_rows: Array, movie_rows: Array, numeric: Array, genres: Array) -> Array:
        parts = [
            self._weights["user_embed.weight"][user_rows],
            self._weights["item_embed.weight"][movie_rows],
            self._block(self._scaling.apply(numeric), "extra_features.0", "extra_features.1"),
            self._block(genres.astype(np.float64), "genre_features.0", "genre_features.1"),
        ]
        hidden = self._block(np.concatenate(parts, axis=1), "mlp.0", "mlp.1")
        hidden = self._block(hidden, "mlp.4", "mlp.5")
        return np.asarray(self._linear(hidden, "mlp.8")[:, 0])

    def movie_vectors(self, movie_rows: Array, numeric: Array, genres: Array) -> Array:
        """The movie's share of the first layer: everything but the user, normalised, not yet cut at
        zero."""
        n_user = self._weights["user_embed.weight"].shape[1]
        parts = [
            np.zeros((len(movie_rows), n_user)),
            self._weights["item_embed.weight"][movie_rows],
            self._block(self._scaling.apply(numeric), "extra_features.0", "extra_features.1"),
            self._block(genres.astype(np.float64), "genre_features.0", "genre_features.1"),
        ]
        return self._normalise(self._linear(np.concatenate(parts, axis=1), "mlp.0"), "mlp.1")

    def _block(self, value: Array, linear: str, norm: str) -> Array:
        return np.maximum(self._normalise(self._linear(value, linear), norm), 0.0)

    def _linear(self, value: Array, name: str) -> Array:
        return np.asarray(value @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"])

    def _normalise(self, value: Array, name: str) -> Array:
        centred = value - self._weights[f"{name}.running_mean"]
        scaled = centred / np.sqrt(self._weights[f"{name}.running_var"] + BATCH_NORM_EPS)
        return np.asarray(scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"])


def folded(weights: Weights, linear: str, norm: str) -> tuple[Array, Array]:
    """Weight (inputs × outputs) and bias of a Linear with the BatchNorm after it, in float64."""
    get = {name: array.astype(np.float64) for name, array in weights.items()}
    scale = get[f"{norm}.weight"] / np.sqrt(get[f"{norm}.running_var"] + BATCH_NORM_EPS)
    weight = get[f"{linear}.weight"].T * scale
    bias = (get[f"{linear}.bias"] - get[f"{norm}.running_mean"]) * scale + get[f"{norm}.bias"]
    return weight, bias


def build_movie_tower(weights: Weights, scaling: Scaling) -> onnx.ModelProto:
    sizes = Dimensions.of(weights)
    g = GraphBuilder("rating_network_movie_tower")
    row = g.input("movie_row", "int64", ["n"])
    numeric = g.input("numeric", "float32", ["n", 3])
    genres = g.input("genres", "float32", ["n", sizes.n_genres])
    parts = [
        g.op("Gather", g.constant(weights["item_embed.weight"]), row),
        g.op(
            "Relu",
            g.linear(
                scaled(g, numeric, scaling),
                *folded(weights, "extra_features.0", "extra_features.1"),
            ),
        ),
        g.op("Relu", g.linear(genres, *folded(weights, "genre_features.0", "genre_features.1"))),
    ]
    weight, bias = folded(weights, "mlp.0", "mlp.1")
    vector = g.linear(g.op("Concat", *parts, axis=1), weight[sizes.embedding :], bias)
    g.output("movie_vector", vector, ["n", sizes.hidden])
    return g.build()


def scaled(g: GraphBuilder, numeric: str, scaling: Scaling) -> str:
    centred = g.op("Sub", numeric, g.constant(scaling.mean))
    value = g.op("Div", centred, g.constant(scaling.deviation))
    return g.op("Where", g.op("IsNaN", value), g.constant(0.0), value)


def build_scorer(weights: Weights) -> onnx.ModelProto:
    sizes = Dimensions.of(weights)
    g = GraphBuilder("rating_network_scorer")
    row = g.input("user_row", "int64", [1])
    movies = g.input("movie_vectors", "float32", ["n", sizes.hidden])
    weight, _ = folded(weights, "mlp.0", "mlp.1")
    user = g.op("Gather", g.constant(weights["user_embed.weight"]), row)
    share = g.op("MatMul", user, g.constant(weight[: sizes.embedding]))
    hidden = g.op("Relu", g.op("Add", movies, share))
    hidden = g.op("Relu", g.linear(hidden, *folded(weights, "mlp.4", "mlp.5")))
    rating = g.linear(hidden, weights["mlp.8.weight"].T, weights["mlp.8.bias"])
    g.output("rating", g.op("Squeeze", rating, g.constant([1], np.int64)), ["n"])
    return g.build()
