"""Item-item models: the weights are those of the formulas, the artifact says what was fitted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from marquee_models import train_item_item
from marquee_models.interactions import Interactions
from marquee_models.item_item import (
    Histories,
    ItemItemSettings,
    NeighbourLists,
    fit,
    histories_of,
    measure,
    most_rated,
    nearest,
    without_newest,
)
from marquee_models.item_item_artifact import NEIGHBOURS_NAME, publish_item_item_model
from marquee_models.manifest import verify_artifact
from marquee_models.network_artifact import Label

N_PEOPLE, N_MOVIES = 40, 12


def random_interactions() -> Interactions:
    """Films 100 to 111, of which each person rated some, in an order of their own."""
    random = np.random.default_rng(3)
    rated = [random.permutation(N_MOVIES)[: random.integers(2, 9)] for _ in range(N_PEOPLE)]
    counts = [len(films) for films in rated]
    return Interactions(
        user_ids=np.arange(1, N_PEOPLE + 1),
        offsets=np.cumsum([0, *counts]),
        movie_ids=100 + np.concatenate(rated).astype(np.int64),
        values=np.full(sum(counts), 3.0, dtype=np.float32),
        timestamps=np.arange(sum(counts)),
    )


def matrix(histories: Histories) -> np.ndarray:
    ones = np.zeros((len(histories), histories.n_movies))
    for person in range(len(histories)):
        ones[person, histories.of(person)] = 1.0
    return ones


@pytest.fixture
def histories() -> Histories:
    interactions = random_interactions()
    return histories_of(interactions, most_rated(interactions, N_MOVIES))


def test_the_most_rated_movies_take_part(histories: Histories) -> None:
    interactions = random_interactions()
    movies = most_rated(interactions, 5)
    counts = {movie: int((interactions.movie_ids == movie).sum()) for movie in range(100, 112)}
    assert sorted(counts.values())[-5:] == sorted(counts[movie] for movie in movies.tolist())
    assert movies.tolist() == sorted(movies.tolist())
    few = histories_of(interactions, movies)
    assert len(few.columns) == sum(counts[movie] for movie in movies.tolist())
    assert matrix(histories).sum() == len(interactions)


def test_ease_solves_its_least_squares(histories: Histories) -> None:
    """Each column of B minimises |X_j - X b|^2 + ridge |b|^2 with b_j = 0."""
    ones, ridge = matrix(histories), 7.0
    weights = fit(histories, ItemItemSettings(ridge=ridge))
    for target in range(N_MOVIES):
        others = [movie for movie in range(N_MOVIES) if movie != target]
        part = ones[:, others]
        solved = np.linalg.solve(
            part.T @ part + ridge * np.eye(len(others)), part.T @ ones[:, target]
        )
        assert weights[others, target] == pytest.approx(solved, abs=1e-4)
    assert not np.diag(weights).any()


def test_cosine_is_shrunk_by_who_is_in_common(histories: Histories) -> None:
    ones = matrix(histories)
    weights = fit(histories, ItemItemSettings(method="cosine", shrinkage=2.0))
    common = ones[:, 0] @ ones[:, 1]
    plain = common / np.sqrt(ones[:, 0].sum() * ones[:, 1].sum())
    assert weights[0, 1] == pytest.approx(plain * common / (common + 2.0), abs=1e-6)
    unrated = Histories(np.array([0, 1]), np.array([0, 2]), 3)
    assert not fit(unrated, ItemItemSettings(method="cosine"))[2].any()


def test_lists_hold_the_largest_weights_in_the_order_of_rows() -> None:
    weights = np.array([[0, 3, -1, 2], [1, 0, 0, 0], [0, 0, 0, 0], [5, 6, 4, 0]], dtype=np.float32)
    lists = nearest(weights, 2)
    assert lists.starts.tolist() == [0, 2, 3, 3, 5]
    assert [lists.of(row)[0].tolist() for row in range(4)] == [[1, 3], [0], [], [0, 1]]
    assert lists.of(3)[1].tolist() == [5.0, 6.0]


def test_the_metrics_are_of_the_newest_ratings(histories: Histories) -> None:
    earlier, newest = without_newest(histories, 0.25)
    assert len(earlier.columns) + sum(map(len, newest)) == len(histories.columns)
    assert earlier.of(0).tolist() == histories.of(0)[: len(earlier.of(0))].tolist()
    # Whoever has rated film 0 rates film 1 next, and the lists know it.
    chain = Histories(np.zeros(3, dtype=np.int64), np.arange(4), 2)
    knows = nearest(np.array([[0, 1], [0, 0]], dtype=np.float32), 1)
    found = measure(knows, chain, [np.array([1])] * 3)
    assert found == {"ndcg_at_10": pytest.approx(1.0), "recall_at_10": 1.0}
    assert measure(knows, chain, [np.array([], dtype=np.int64)] * 3) == {}


def test_the_command_makes_an_artifact(tmp_path: Path) -> None:
    interactions = random_interactions()
    lines = ["userId,movieId,rating,timestamp"]
    for user, movie, time in zip(
        interactions.users_of_ratings(), interactions.movie_ids, interactions.timestamps
    ):
        lines.append(f"{user},{movie},3,{time}")
    (tmp_path / "ratings.csv").write_text("\n".join(lines) + "\n")
    header = "movieId,title,year,genres,vote_average,vote_count,popularity"
    movies = [header, *(f"{id},Film {id},2001,Drama,,," for id in range(100, 112))]
    (tmp_path / "movies.csv").write_text("\n".join(movies) + "\n")
    out = tmp_path / "model"
    arguments = f"--data {tmp_path} --out {out} --version 7 --max-neighbours 4 --held-out 0.3"
    train_item_item.main(arguments.split())
    manifest = verify_artifact(out)
    section = manifest["item_item_model"]
    assert (manifest["kind"], manifest["version"]) == ("item-item-model", "7")
    assert section["n_movies"] == N_MOVIES and 1 <= section["max_neighbours"] <= 4
    assert set(manifest["training"]["metrics"]) == {"ndcg_at_10", "recall_at_10"}
    tensors = load_file(out / NEIGHBOURS_NAME)
    assert {name: array.dtype.name for name, array in tensors.items()} == {
        "starts": "uint32",
        "rows": "uint32",
        "weights": "float32",
    }
    assert tensors["starts"][-1] == len(tensors["rows"]) == len(tensors["weights"])
    probe = json.loads((out / "probe.json").read_text())
    seeds, asked, scores = probe["seeds"][-1], probe["movies"][-1], probe["scores"][-1]
    rows = [slice(*tensors["starts"][[seed, seed + 1]].tolist()) for seed in seeds]
    for movie, score in zip(asked, scores):
        weights = [tensors["weights"][part][tensors["rows"][part] == movie].sum() for part in rows]
        assert score == pytest.approx(sum(weights) / len(seeds), abs=1e-6)


def test_lists_of_another_number_of_movies_are_refused(tmp_path: Path) -> None:
    empty = NeighbourLists(
        np.zeros(3, dtype=np.uint32), np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.float32)
    )
    with pytest.raises(ValueError, match="different numbers"):
        publish_item_item_model(tmp_path / "m", [], empty, Label("m", "1", "MIT", None))
