"""The two ONNX graphs of the default network; no PyTorch.

Weights are arrays by the names of the state dict (history_network.py, where the formula is). The
members of one artifact are averaged inside the graphs: a movie vector is the members' vectors one
after the other, and the scorer computes all members at once along a leading axis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from marquee_models.graph import GraphBuilder
from marquee_models.scaling import Scaling

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]

# Keeps exp() finite whatever the embeddings are.
MAX_SIMILARITY = 8.0
# Ratings of prior weight in the spread of a history, with a variance of one.
SPREAD_PRIOR = 5.0


@dataclass(frozen=True)
class HistorySizes:
    """Of one member; rows without row 0, "unknown"."""

    n_users: int
    n_movies: int
    n_features: int
    factors: int
    neighbour_heads: int
    key: int
    hidden: int

    @staticmethod
    def of(weights: Weights) -> HistorySizes:
        hidden = len(weights["mlp_0.bias"])
        factors = weights["user_embed.weight"].shape[1]
        n_keys = len(weights["from_features.bias"]) - 1 - 3 * factors - hidden
        neighbour_heads = int(weights["n_neighbour_heads"])
        return HistorySizes(
            n_users=len(weights["user_embed.weight"]) - 1,
            n_movies=len(weights["item_embed.weight"]) - 1,
            n_features=weights["features.weight"].shape[1],
            factors=factors,
            neighbour_heads=neighbour_heads,
            key=n_keys // neighbour_heads,
            hidden=hidden,
        )

    @property
    def parts(self) -> list[int]:
        keys = self.neighbour_heads * self.key
        return [1, self.factors, self.factors, self.factors, keys, self.hidden]


def build_history_tower(
    members: Sequence[Weights], scaling: Scaling, overviews: Array | None = None
) -> onnx.ModelProto:
    """`overviews`, by row, are part of the graph, so that whoever serves it need not have them."""
    sizes = HistorySizes.of(members[0])
    n_numeric = len(scaling.mean)
    n_overview = 0 if overviews is None else overviews.shape[1]
    n_genres = sizes.n_features - n_numeric - n_overview
    g = GraphBuilder("rating_network_movie_tower")
    row = g.input("movie_row", "int64", ["n"])
    numeric = g.input("numeric", "float32", ["n", n_numeric])
    genres = g.input("genres", "float32", ["n", n_genres])
    features = [scaling.write(g, numeric), genres]
    if overviews is not None and n_overview > 0:
        features.append(g.op("Gather", g.constant(overviews), row))
    inputs = g.op("Concat", *features, axis=1)
    vectors = [member_vector(g, weights, row, inputs) for weights in members]
    vector = vectors[0] if len(vectors) == 1 else g.op("Concat", *vectors, axis=1)
    g.output("movie_vector", vector, ["n", len(members) * sum(sizes.parts)])
    return g.build()


def member_vector(g: GraphBuilder, weights: Weights, row: str, inputs: str) -> str:
    features = g.linear(inputs, weights["features.weight"].T, weights["features.bias"])
    embedding = g.op("Gather", g.constant(weights["item_embed.weight"]), row)
    # The bias of its own goes to the first component.
    bias = g.op("Gather", g.constant(weights["item_bias.weight"]), row)
    first = np.eye(1, len(weights["from_features.bias"]))
    own = g.op(
        "Add",
        g.op("MatMul", embedding, g.constant(weights["from_embedding.weight"].T)),
        g.op("MatMul", bias, g.constant(first)),
    )
    shared = g.linear(
        g.op("Relu", features), weights["from_features.weight"].T, weights["from_features.bias"]
    )
    return g.op("Add", own, shared)


def build_history_scorer(members: Sequence[Weights]) -> onnx.ModelProto:
    """Axes: member, movie or known rating, component."""
    sizes = HistorySizes.of(members[0])
    dim = len(members) * sum(sizes.parts)
    g = GraphBuilder("rating_network_scorer")
    row = g.input("user_row", "int64", [1])
    movies = g.input("movie_vectors", "float32", ["n", dim])
    vectors = g.input("history_vectors", "float32", ["h", dim])
    ratings = g.input("history_ratings", "float32", ["h"])
    ages = g.input("history_ages", "float32", ["h"])
    scorer = Scorer(g, members, sizes)
    bias, factors, _, _, keys, share = scorer.split(movies)
    person = scorer.person(row)
    known = scorer.known(vectors, ratings, ages, person.bias)
    live = scorer.live(known, person)
    heads = scorer.neighbours(keys, known, live)
    agreement = g.op("Mul", factors, live.person)
    hidden = scorer.first_layer(share, agreement, heads, live)
    hidden = g.op("Relu", scorer.linear(hidden, "mlp_1"))
    gains = scorer.stack("gain")[:, : sizes.neighbour_heads, None]
    summands = [
        scorer.linear(hidden, "mlp_2"),
        bias,
        g.op("ReduceSum", agreement, g.constant([2], np.int64), keepdims=1),
        g.op("MatMul", heads, g.constant(gains)),
    ]
    rating = live.base
    for summand in summands:
        rating = g.op("Add", rating, summand)
    average = g.op("ReduceMean", rating, g.constant([0, 2], np.int64), keepdims=0)
    g.output("rating", average, ["n"])
    return g.build()


@dataclass(frozen=True)
class Person:
    bias: str  # [members, 1, 1]
    factors: str  # [members, 1, factors]


@dataclass(frozen=True)
class Known:
    """The history, with a first entry that stands for nothing, so that none is empty."""

    deviations: str  # [members, h, 1]
    counted: str  # [members, h, 2]: deviation and one; zeros in the first entry
    implicit: str  # [members, h, factors]
    explicit: str
    keys: str
    counts: str  # [1, h]
    n: str  # [1, 1]
    kept: str  # [h]: what age leaves of a weight in the neighbourhood
    mood: str  # [members, mood heads, h]: weights of the moods


@dataclass(frozen=True)
class Live:
    """What the history says of the person."""

    bias: str  # [members, 1, 1]
    person: str  # [members, 1, factors]
    summary: str  # [members, 1, mood heads + 3]: the order of mlp_0's inputs
    base: str  # [members, 1, 1]: mean rating, biases and moods


class Scorer:
    """The steps of the scorer, over stacked members."""

    def __init__(self, g: GraphBuilder, members: Sequence[Weights], sizes: HistorySizes) -> None:
        self.g, self.members, self.sizes = g, members, sizes

    def stack(self, name: str) -> Array:
        return np.stack([np.asarray(weights[name], dtype=np.float64) for weights in self.members])

    def linear(self, value: str, name: str) -> str:
        weight = self.stack(f"{name}.weight").transpose(0, 2, 1)
        return self.g.linear(value, weight, self.stack(f"{name}.bias")[:, None, :])

    def split(self, vectors: str) -> list[str]:
        """[n, members × parts] to one [members, n, part] each."""
        g, parts = self.g, self.sizes.parts
        shape = g.constant([0, len(self.members), sum(parts)], np.int64)
        stacked = g.op("Transpose", g.op("Reshape", vectors, shape), perm=[1, 0, 2])
        return g.ops("Split", len(parts), stacked, g.constant(parts, np.int64), axis=2)

    def person(self, row: str) -> Person:
        g = self.g
        table = np.concatenate([self.stack("user_bias.weight"), self.stack("user_embed.weight")], 2)
        known = g.op("Gather", g.constant(table), row, axis=1)
        sizes = g.constant([1, self.sizes.factors], np.int64)
        bias, factors = g.ops("Split", 2, known, sizes, axis=2)
        return Person(bias, factors)

    def known(self, vectors: str, ratings: str, ages: str, user_bias: str) -> Known:
        g = self.g
        nothing = g.constant(np.zeros((1, len(self.members) * sum(self.sizes.parts))))
        padded = self.split(g.op("Concat", nothing, vectors, axis=0))
        bias, _, implicit, explicit, keys, _ = padded
        none, one = g.constant([0.0]), g.constant([1.0])
        ones = g.op("Expand", one, g.op("Shape", ratings))
        counts = g.op("Concat", none, ones, axis=0)
        counted = g.op("Unsqueeze", counts, g.constant([1], np.int64))  # [h, 1]
        given = g.op("Concat", none, ratings, axis=0)
        given = g.op("Unsqueeze", given, g.constant([1], np.int64))
        centred = g.op("Sub", given, g.constant(self.stack("mean_rating")[:, None, None]))
        deviations = g.op("Sub", g.op("Sub", centred, bias), user_bias)
        deviations = g.op("Mul", deviations, counted)
        both = g.op("Add", g.op("Mul", deviations, g.constant([[1.0, 0.0]])), self.second(counted))
        age = g.op("Abs", g.op("Concat", none, ages, axis=0))
        near = g.op("Div", age, g.constant(self.members[0]["neighbour_seconds"]))
        moods = g.op("Div", age, g.constant(self.stack("mood_seconds")[:, :, None]))
        return Known(
            deviations=deviations,
            counted=both,
            implicit=implicit,
            explicit=explicit,
            keys=keys,
            counts=g.op("Unsqueeze", counts, g.constant([0], np.int64)),
            n=g.op("ReduceSum", counts, g.constant([0], np.int64), keepdims=1),
            kept=g.op("Reciprocal", g.op("Sqrt", g.op("Add", near, one))),
            mood=g.op("Reciprocal", g.op("Add", moods, one)),
        )

    def second(self, column: str) -> str:
        return self.g.op("Mul", column, self.g.constant([[0.0, 1.0]]))

    def live(self, known: Known, person: Person) -> Live:
        g = self.g
        total = g.op("MatMul", known.counts, known.deviations)
        shrinkage = np.exp(self.stack("log_bias_shrinkage"))[:, None, None]
        bias = g.op("Div", total, g.op("Add", known.n, g.constant(shrinkage)))
        relative = g.op("Mul", g.op("Sub", known.deviations, bias), known.explicit)
        rated = g.op("MatMul", known.counts, g.op("Add", known.implicit, relative))
        root = g.op("Sqrt", g.op("Add", known.n, g.constant(1.0)))
        factors = g.op("Add", person.factors, g.op("Div", rated, root))
        squares = g.op("MatMul", known.counts, g.op("Mul", known.deviations, known.deviations))
        prior = g.constant(SPREAD_PRIOR)
        spread = g.op("Div", g.op("Add", squares, prior), g.op("Add", known.n, prior))
        moods = self.moods(known, bias)
        length = g.op("Log", g.op("Add", known.n, g.constant(1.0)))
        length = g.op("Expand", length, g.constant([len(self.members), 1, 1], np.int64))
        summary = g.op("Concat", moods, bias, length, g.op("Sqrt", spread), axis=2)
        gains = self.stack("gain")[:, self.sizes.neighbour_heads :, None]
        base = g.op("Add", person.bias, g.op("MatMul", moods, g.constant(gains)))
        base = g.op("Add", base, g.constant(self.stack("mean_rating")[:, None, None]))
        return Live(bias, factors, summary, g.op("Add", base, bias))

    def moods(self, known: Known, bias: str) -> str:
        """[members, 1, mood heads]."""
        answers = self.answers(known.mood, known, bias, mood=True)
        return self.g.op("Transpose", answers, perm=[0, 2, 1])

    def answers(self, weights: str, known: Known, bias: str, mood: bool) -> str:
        """Weighted mean deviations [members, …, rows, 1] for weights [members, …, rows, h]."""
        g, near = self.g, self.sizes.neighbour_heads
        shrinkage = np.exp(self.stack("log_shrinkage"))
        if mood:
            counted, own, prior = known.counted, bias, shrinkage[:, near:, None]
        else:
            axis = g.constant([1], np.int64)
            counted, own = g.op("Unsqueeze", known.counted, axis), g.op("Unsqueeze", bias, axis)
            prior = shrinkage[:, :near, None, None]
        sums = g.op("MatMul", weights, counted)
        total, weight = g.ops("Split", 2, sums, g.constant([1, 1], np.int64), axis=-1)
        centred = g.op("Sub", total, g.op("Mul", own, weight))
        return g.op("Div", centred, g.op("Add", weight, g.constant(prior)))

    def neighbours(self, keys: str, known: Known, live: Live) -> str:
        """[members, n, neighbourhood heads]."""
        g = self.g
        scale = g.constant(1.0 / math.sqrt(self.sizes.key))
        left = g.op("Mul", self.by_head(keys, [0, 2, 1, 3]), scale)
        similarity = g.op("MatMul", left, self.by_head(known.keys, [0, 2, 3, 1]))
        similarity = g.op("Min", similarity, g.constant(MAX_SIMILARITY))
        weights = g.op("Mul", g.op("Exp", similarity), known.kept)
        answers = self.answers(weights, known, live.bias, mood=False)
        return g.op(
            "Transpose", g.op("Squeeze", answers, g.constant([3], np.int64)), perm=[0, 2, 1]
        )

    def by_head(self, keys: str, order: list[int]) -> str:
        """[members, rows, heads × key] to four axes, in this order."""
        shape = [0, 0, self.sizes.neighbour_heads, self.sizes.key]
        reshaped = self.g.op("Reshape", keys, self.g.constant(shape, np.int64))
        return self.g.op("Transpose", reshaped, perm=order)

    def first_layer(self, share: str, agreement: str, heads: str, live: Live) -> str:
        """mlp_0 in pieces: what is the same for all movies is computed once."""
        g, k, near = self.g, self.sizes.factors, self.sizes.neighbour_heads
        weight = self.stack("mlp_0.weight").transpose(0, 2, 1)
        person, agreed, near_heads, rest = np.split(weight, [k, 2 * k, 2 * k + near], axis=1)
        once = g.linear(live.person, person, self.stack("mlp_0.bias")[:, None, :])
        once = g.op("Add", once, g.op("MatMul", live.summary, g.constant(rest)))
        value = g.op("Add", g.op("MatMul", agreement, g.constant(agreed)), share)
        value = g.op("Add", value, g.op("MatMul", heads, g.constant(near_heads)))
        return g.op("Relu", g.op("Add", value, once))
