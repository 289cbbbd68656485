"""The two ONNX graphs of the original network; no PyTorch.

Weights are arrays by the names of the state dict (see original_network.py). A rating is

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
from marquee_models.scaling import Scaling

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]

BATCH_NORM_EPS = 1e-5


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


def folded(weights: Weights, linear: str, norm: str) -> tuple[Array, Array]:
    """Weight (inputs × outputs) and bias of a Linear with the BatchNorm after it, in float64."""
    get = {name: array.astype(np.float64) for name, array in weights.items()}
    scale = get[f"{norm}.weight"] / np.sqrt(get[f"{norm}.running_var"] + BATCH_NORM_EPS)
    weight = get[f"{linear}.weight"].T * scale
    bias = (get[f"{linear}.bias"] - get[f"{norm}.running_mean"]) * scale + get[f"{norm}.bias"]
    return weight, bias


def build_original_tower(weights: Weights, scaling: Scaling) -> onnx.ModelProto:
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
                scaling.write(g, numeric),
                *folded(weights, "extra_features.0", "extra_features.1"),
            ),
        ),
        g.op("Relu", g.linear(genres, *folded(weights, "genre_features.0", "genre_features.1"))),
    ]
    weight, bias = folded(weights, "mlp.0", "mlp.1")
    vector = g.linear(g.op("Concat", *parts, axis=1), weight[sizes.embedding :], bias)
    g.output("movie_vector", vector, ["n", sizes.hidden])
    return g.build()


def build_original_scorer(weights: Weights) -> onnx.ModelProto:
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
