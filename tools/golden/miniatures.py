"""Miniature artifacts for tests: a few KB each, complete, the same bytes every time.

    tools/golden/write miniatures

tiny-encoder   8 dimensions, each a topic ("space", "love", …): the vector of a text is the mean
               of its words' topics, so that tests can say what should be similar.
tiny-network   the default architecture, random weights for movies 1 to 6 and users 1 to 3.
tiny-original-network   the same movies and users, the original architecture.
tiny-item-item   each movie's neighbours are the next three, in a circle.
tiny-ranking   two trees over the daemon's own features: the score rises with the first.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from tokenizers import Tokenizer

from fetch.places import CHECKOUT
from marquee_models.catalogue import NUMERIC, Catalogue, Movie, build_catalogue
from marquee_models.encoder_graph import pool
from marquee_models.graph import GraphBuilder, save
from marquee_models.history_graphs import build_history_scorer, build_history_tower
from marquee_models.interactions import Interactions
from marquee_models.item_item import NeighbourLists
from marquee_models.item_item_artifact import publish_item_item_model
from marquee_models.manifest import PROBE_NAME, Description, publish
from marquee_models.network_artifact import ExportedNetwork, Label, publish_network, write_json
from marquee_models.original_graphs import build_original_scorer, build_original_tower
from marquee_models.ranking_artifact import RankingModel, publish_ranking_model
from marquee_models.scaling import Scaling
from marquee_models.trees import Branch, Ensemble, Leaf

CREATED = datetime(2026, 1, 1, tzinfo=timezone.utc)
SEED = 7
DIM = 8
MAX_TOKENS = 16
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
PAD_ID = 1
TOPICS = (
    ("space", "alien", "planet", "robot", "star", "ship", "astronaut", "galaxy"),
    ("love", "wedding", "kiss", "romance", "heart", "letter", "bride", "couple"),
    ("war", "soldier", "battle", "army", "general", "trench", "spy", "enemy"),
    ("crime", "detective", "murder", "heist", "police", "thief", "gangster", "bank"),
    ("ghost", "haunted", "vampire", "monster", "curse", "night", "fear", "blood"),
    ("joke", "comedy", "funny", "clown", "party", "prank", "silly", "holiday"),
    ("child", "school", "toy", "family", "dog", "magic", "king", "dragon"),
    ("song", "music", "dance", "band", "singer", "stage", "piano", "concert"),
)
PROBE_TEXTS = (
    "",
    "space",
    "café 東京 🎬",
    "A detective hunts the murder gang.",
    "robot love " * 20,
)
GENRES = ("Action", "Comedy", "Drama")
NUMBERS = ("One", "Two", "Three", "Four", "Five", "Six")
USERS = (1, 2, 3)
MAX_HISTORY = 5
# Where the daemon names its features; a model with other names is refused.
FEATURES_SOURCE = CHECKOUT / "src" / "recommend" / "ranking" / "features.rs"


def write_miniatures(folder: Path) -> list[Path]:
    return [
        write_tiny_encoder(folder / "tiny-encoder"),
        write_tiny_network(folder / "tiny-network"),
        write_tiny_original_network(folder / "tiny-original-network"),
        write_tiny_ranking(folder / "tiny-ranking"),
        write_tiny_item_item(folder / "tiny-item-item"),
    ]


def write_tiny_encoder(target: Path) -> Path:
    table = topic_table()
    tokenizer = tiny_tokenizer()
    description = Description(
        kind="text-encoder",
        name="tiny-encoder",
        version="1",
        license="MIT",
        section={
            "graph": "encoder.onnx",
            "tokenizer": "tokenizer.json",
            "dim": DIM,
            "max_tokens": MAX_TOKENS,
            "pad_id": PAD_ID,
            "pad_token": SPECIAL[PAD_ID],
        },
        created=CREATED,
    )

    def write_files(folder: Path) -> None:
        save(tiny_encoder_graph(table), folder / "encoder.onnx")
        write_json(folder / "tokenizer.json", tokenizer)
        write_json(folder / PROBE_NAME, tiny_encoder_probe(table, tokenizer))

    return publish(target, description, write_files)


def words() -> list[str]:
    return [*SPECIAL, *(word for topic in TOPICS for word in topic)]


def topic_table() -> npt.NDArray[np.float32]:
    """A word points along its topic, with a little noise so that no two words are the same."""
    table = np.random.default_rng(SEED).normal(scale=0.05, size=(len(words()), DIM))
    first = len(SPECIAL)
    for topic, members in enumerate(TOPICS):
        table[first : first + len(members), topic] += 1.0
        first += len(members)
    return table.astype(np.float32)


def tiny_encoder_graph(table: npt.NDArray[np.float32]) -> onnx.ModelProto:
    g = GraphBuilder("tiny_sentence_encoder")
    ids = g.input("input_ids", "int64", ["batch", "sequence"])
    mask = g.input("attention_mask", "int64", ["batch", "sequence"])
    kept = g.op("Cast", mask, to=onnx.TensorProto.FLOAT)
    hidden = g.op("Gather", g.constant(table), ids)
    g.output("sentence_embedding", pool(g, hidden, kept), ["batch", DIM])
    return g.build()


def tiny_tokenizer() -> dict[str, Any]:
    special = [
        {
            "id": id,
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for id, content in enumerate(SPECIAL)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": ["</s>", 2],
            "cls": ["<s>", 0],
            "trim_offsets": True,
            "add_prefix_space": False,
        },
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {word: id for id, word in enumerate(words())},
            "unk_token": "<unk>",
        },
    }


def tiny_encoder_probe(
    table: npt.NDArray[np.float32], tokenizer_json: dict[str, Any]
) -> dict[str, Any]:
    tokenizer = Tokenizer.from_str(json.dumps(tokenizer_json))
    tokenizer.enable_truncation(MAX_TOKENS)
    embeddings = []
    for text in PROBE_TEXTS:
        mean = table[tokenizer.encode(text).ids].astype(np.float64).mean(axis=0)
        embeddings.append([float(f"{v:.9g}") for v in mean / np.linalg.norm(mean)])
    return {"texts": list(PROBE_TEXTS), "embeddings": embeddings}


def write_tiny_network(target: Path) -> Path:
    """The default architecture, two members, with random weights."""
    catalogue = tiny_catalogue()
    scaling = Scaling.fit(catalogue.numeric[1:], (False, True, True, False))
    sizes = NetworkSizes(len(USERS), len(NUMBERS), len(NUMERIC), len(catalogue.genres))
    members = [random_history_weights(sizes, SEED + number) for number in range(2)]
    network = ExportedNetwork(
        build_history_tower(members, scaling),
        build_history_scorer(members),
        catalogue,
        NUMERIC,
        rating_scale=(1.0, 5.0),
        max_history=MAX_HISTORY,
    )
    return publish_network(target, network, Label("tiny-network", "1", "MIT", None, CREATED))


def write_tiny_original_network(target: Path) -> Path:
    catalogue = tiny_catalogue()
    scaling = Scaling.fit(catalogue.numeric[1:, :3], (False, False, False))
    sizes = NetworkSizes(len(USERS), len(NUMBERS), 3, len(catalogue.genres))
    weights = random_original_weights(sizes, SEED)
    network = ExportedNetwork(
        build_original_tower(weights, scaling),
        build_original_scorer(weights),
        catalogue,
        NUMERIC[:3],
        rating_scale=(1.0, 5.0),
        max_history=None,
    )
    label = Label("tiny-original-network", "1", "MIT", None, CREATED)
    return publish_network(target, network, label)


def tiny_catalogue() -> Catalogue:
    """Every user rated every movie."""
    movies = {
        id: Movie(
            id=id,
            title=f"Film {word}",
            year=2000 + id,
            genres=(GENRES[id % 3], GENRES[(id + id // 3) % 3]),
            vote_average=4.0 + 0.8 * id,
            vote_count=10.0 * id * id,
            popularity=1.5 * id,
        )
        for id, word in enumerate(NUMBERS, start=1)
    }
    pairs = [(user, movie) for user in USERS for movie in movies]
    interactions = Interactions(
        user_ids=np.array(USERS),
        offsets=np.arange(len(USERS) + 1) * len(movies),
        movie_ids=np.array([movie for _, movie in pairs]),
        values=np.array([1.0 + (user * movie) % 5 for user, movie in pairs], dtype=np.float32),
        timestamps=np.arange(len(pairs)),
    )
    return build_catalogue(movies, interactions)


@dataclass(frozen=True)
class NetworkSizes:
    """Known users and movies, features, and the widths of a network with random weights."""

    users: int
    movies: int
    numeric: int
    genres: int
    embedding: int = 4
    features: int = 5
    hidden: int = 8
    second: int = 6
    neighbour_heads: int = 2
    key: int = 3


class RandomWeights:
    """Collects arrays by name, everything non-trivial."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.arrays: dict[str, npt.NDArray[Any]] = {}

    def add(self, name: str, *shape: int, scale: float = 0.5) -> None:
        self.arrays[name] = self.random.normal(scale=scale, size=shape).astype(np.float32)

    def linear(self, name: str, n_in: int, n_out: int) -> None:
        self.add(f"{name}.weight", n_out, n_in)
        self.add(f"{name}.bias", n_out, scale=0.2)

    def norm(self, name: str, width: int) -> None:
        for part in ("weight", "running_var"):
            values = self.random.uniform(0.5, 1.5, size=width)
            self.arrays[f"{name}.{part}"] = values.astype(np.float32)
        self.add(f"{name}.bias", width, scale=0.2)
        self.add(f"{name}.running_mean", width, scale=0.2)


def random_original_weights(sizes: NetworkSizes, seed: int) -> dict[str, npt.NDArray[Any]]:
    """Names and shapes of original_network.py; ratings come out around 3."""
    weights = RandomWeights(seed)
    weights.add("user_embed.weight", sizes.users + 1, sizes.embedding, scale=1.0)
    weights.add("item_embed.weight", sizes.movies + 1, sizes.embedding, scale=1.0)
    layers = (
        ("extra_features.0", "extra_features.1", sizes.numeric, sizes.embedding),
        ("genre_features.0", "genre_features.1", sizes.genres, sizes.embedding),
        ("mlp.0", "mlp.1", 4 * sizes.embedding, sizes.hidden),
        ("mlp.4", "mlp.5", sizes.hidden, sizes.second),
    )
    for name, norm_name, n_in, n_out in layers:
        weights.linear(name, n_in, n_out)
        weights.norm(norm_name, n_out)
    weights.linear("mlp.8", sizes.second, 1)
    weights.arrays["mlp.8.bias"] += np.float32(3.0)
    return weights.arrays


def random_history_weights(sizes: NetworkSizes, seed: int) -> dict[str, npt.NDArray[Any]]:
    """Names and shapes of history_network.py; ratings come out around 3."""
    weights = RandomWeights(seed)
    factors, heads = sizes.embedding, sizes.neighbour_heads + 2
    vector = 1 + 3 * factors + sizes.neighbour_heads * sizes.key + sizes.hidden
    weights.add("user_embed.weight", sizes.users + 1, factors)
    weights.add("user_bias.weight", sizes.users + 1, 1, scale=0.3)
    weights.add("item_embed.weight", sizes.movies + 1, sizes.embedding)
    weights.add("item_bias.weight", sizes.movies + 1, 1, scale=0.3)
    weights.linear("features", sizes.numeric + sizes.genres, sizes.features)
    weights.add("from_embedding.weight", vector, sizes.embedding, scale=0.3)
    weights.add("from_features.weight", vector, sizes.features, scale=0.2)
    weights.add("from_features.bias", vector, scale=0.1)
    for name in ("gain", "log_shrinkage"):
        weights.add(name, heads)
    weights.linear("mlp_0", 2 * factors + heads + 3, sizes.hidden)
    weights.linear("mlp_1", sizes.hidden, sizes.second)
    weights.linear("mlp_2", sizes.second, 1)
    return {
        **weights.arrays,
        "mean_rating": np.float32(3.0),
        "n_neighbour_heads": np.int64(sizes.neighbour_heads),
        "neighbour_seconds": np.float32(3600.0),
        "mood_seconds": np.array([10.0, 600.0], dtype=np.float32),
        "log_bias_shrinkage": np.float32(1.0),
    }


def write_tiny_ranking(target: Path) -> Path:
    features = daemon_features()
    last = len(features) - 1
    trees = Ensemble(
        [
            Branch(0, 0.5, Branch(0, -0.5, Leaf(-1.0), Leaf(0.25)), Leaf(1.5)),
            Branch(last, 2.0, Leaf(0.0), Branch(1, 0.0, Leaf(0.125), Leaf(0.375))),
        ],
        len(features),
    )
    rows = np.random.default_rng(SEED).normal(scale=2.0, size=(8, len(features)))
    rows[0, 0], rows[1, 0] = 0.5, np.nextafter(np.float32(0.5), np.float32(1.0))
    model = RankingModel(trees, features, rows.astype(np.float32))
    return publish_ranking_model(target, model, Label("tiny-ranking", "1", "MIT", None, CREATED))


def write_tiny_item_item(target: Path) -> Path:
    movies = tiny_catalogue().movies
    n_movies = len(movies)
    rows, weights = [], []
    for row in range(n_movies):
        nearest = {(row + step) % n_movies: 1.0 / step for step in (1, 2, 3)}
        rows += sorted(nearest)
        weights += [nearest[other] for other in sorted(nearest)]
    lists = NeighbourLists(
        np.arange(0, 3 * n_movies + 1, 3, dtype=np.uint32),
        np.array(rows, dtype=np.uint32),
        np.array(weights, dtype=np.float32),
    )
    label = Label("tiny-item-item", "1", "MIT", None, CREATED)
    return publish_item_item_model(target, movies, lists, label)


def daemon_features() -> list[str]:
    """The first text of every entry of FEATURES, which is a feature's name."""
    source = FEATURES_SOURCE.read_text(encoding="utf-8")
    entries = source.split("const FEATURES:")[1].split("\n];")[0]
    return re.findall(r'(?:\w\(|name:)\s*"([a-z0-9_]+)"', entries)
