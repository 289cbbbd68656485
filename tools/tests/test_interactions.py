"""Ratings by person, in memory and on disk, and the batches that are cut from them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from marquee_models import interactions as module
from marquee_models.examples import Batch, Windows, batches, cut_batch
from marquee_models.interactions import Interactions, read_interactions

N_RATINGS = 400


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """In no order, many of them at the same time."""
    random = np.random.default_rng(5)
    pairs = random.permutation(40 * 30)[:N_RATINGS]
    lines = [
        f"{7 * (pair // 30) + 3},{pair % 30 + 1},{random.integers(1, 11) / 2},{random.integers(20)}"
        for pair in pairs.tolist()
    ]
    path = tmp_path / "ratings.csv"
    path.write_text("userId,movieId,rating,timestamp\n" + "\n".join(lines) + "\n")
    return path


def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", 37)


def test_every_persons_ratings_are_together_and_oldest_first(
    ratings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch)
    found = read_interactions(ratings)
    rows = [line.split(",") for line in ratings.read_text().splitlines()[1:]]
    expected = sorted((int(u), int(t), int(m), float(r)) for u, m, r, t in rows)
    columns = (found.users_of_ratings(), found.timestamps, found.movie_ids, found.values)
    assert list(zip(*(column.tolist() for column in columns))) == expected
    assert (
        np.diff(found.offsets).tolist()
        == np.unique([u for u, *_ in expected], return_counts=True)[1].tolist()
    )
    assert found.movies().tolist() == sorted({m for _, _, m, _ in expected})


def cut_all(interactions: Interactions, judge: bool) -> list[Batch]:
    windows = Windows.cut(interactions, max_length=8)
    held_out = np.random.default_rng(1).random(len(interactions)) < 0.3
    groups = batches(windows, 200, np.random.default_rng(2))
    return [cut_batch(interactions, windows, group, held_out, judge) for group in groups]


@pytest.mark.parametrize("judge", [False, True])
def test_from_disk_come_the_same_batches(
    ratings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judge: bool
) -> None:
    in_memory = cut_all(read_interactions(ratings), judge)
    small_blocks(monkeypatch)
    mapped = read_interactions(ratings, tmp_path / "work")
    assert isinstance(mapped.values, np.memmap) and mapped.values.filename
    on_disk = cut_all(mapped, judge)
    assert len(on_disk) == len(in_memory) > 5
    for left, right in zip(in_memory, on_disk):
        np.testing.assert_array_equal(left.users, right.users)
        for part in ("targets", "history"):
            for field in fields(getattr(left, part)):
                pair = (getattr(getattr(batch, part), field.name) for batch in (left, right))
                np.testing.assert_array_equal(*pair)


def test_every_rating_is_predicted_once_and_never_from_itself(ratings: Path) -> None:
    interactions = read_interactions(ratings)
    places = [
        place
        for judge in (False, True)
        for batch in cut_all(interactions, judge)
        for place in batch.targets.places[batch.targets.present].tolist()
    ]
    assert sorted(places) == list(range(N_RATINGS))
    for batch in cut_all(interactions, judge=False):
        others = batch.others()
        own = batch.targets.places[:, :, None] == batch.history.places[:, None, :]
        assert not (others & own).any()
        # One less than the person's known ratings, for every rating of theirs.
        n_known = batch.history.present.sum(axis=1, keepdims=True)
        counted = others.sum(axis=2)
        assert (counted == n_known - 1)[batch.targets.present].all()


def test_what_is_held_out_is_never_history(ratings: Path) -> None:
    interactions = read_interactions(ratings)
    held_out = np.random.default_rng(1).random(len(interactions)) < 0.3
    for batch in cut_all(interactions, judge=True):
        assert held_out[batch.targets.places[batch.targets.present]].all()
        assert not held_out[batch.history.places[batch.history.present]].any()


def test_a_batch_is_bounded_and_a_long_history_is_cut(ratings: Path) -> None:
    interactions = read_interactions(ratings)
    windows = Windows.cut(interactions, max_length=4)
    lengths = windows.stops - windows.starts
    assert lengths.max() == 4 and lengths.sum() == N_RATINGS
    for group in batches(windows, 50, np.random.default_rng(0)):
        assert len(group) * lengths[group].max() ** 2 <= 50 or len(group) == 1
