"""Training the ranking model with LightGBM on made-up examples. Run by `tools/test --training`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from marquee_models.manifest import verify_artifact
from marquee_models.ranking_examples import FOLDER_NAME, Examples, TooFewExamplesError

pytestmark = pytest.mark.ranking

N_QUERIES, N_ROWS = 120, 20
NAMES = ("signal", "noise", "year")


def made_up(seed: int) -> Examples:
    """A movie is liked when the signal is strong and the year is right."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(N_QUERIES * N_ROWS, len(NAMES))).astype(np.float32)
    taste = 1.0 + features[:, 0] - 2.0 * np.abs(features[:, 2])
    taste += random.normal(size=len(features))
    return Examples(
        NAMES,
        (True, False, False),
        features,
        (taste > 0).astype(np.uint8),
        np.full(N_QUERIES, N_ROWS),
        np.ones(N_QUERIES, dtype=np.float32),
        (np.arange(N_QUERIES) % 3).astype(np.uint8),
    )


def write_export(folder: Path, examples: Examples) -> Path:
    inside = folder / FOLDER_NAME
    inside.mkdir(parents=True)
    features = [{"name": n, "rising": r} for n, r in zip(examples.names, examples.rising)]
    facts = {"format": 1, "features": features, "n_rows": len(examples.labels)}
    (inside / "examples.json").write_text(json.dumps({**facts, "n_queries": N_QUERIES}))
    examples.features.tofile(inside / "features.f32")
    examples.labels.tofile(inside / "labels.u8")
    examples.lengths.astype("<u4").tofile(inside / "queries.u32")
    examples.weights.tofile(inside / "weights.f32")
    examples.windows.tofile(inside / "windows.u8")
    return folder


@pytest.fixture(scope="module")
def settings() -> Any:
    from marquee_models.train_ranking import Settings

    return Settings(max_trees=40, members=2, min_rows_in_leaf=20)


@pytest.fixture(scope="module")
def outcome(settings: Any) -> Any:
    from marquee_models.train_ranking import train

    return train(made_up(0), settings, threads=1)


def test_learns_more_than_the_best_feature(outcome: Any) -> None:
    assert outcome.best_feature[0] == "signal"
    assert outcome.metrics["ndcg_at_10"] > outcome.best_feature[1] + 0.1
    assert outcome.importance["noise"] < outcome.importance["year"]
    assert sum(outcome.importance.values()) == pytest.approx(1.0)


def test_more_of_a_rising_feature_never_lowers_a_score(outcome: Any) -> None:
    rows = np.repeat(made_up(1).features[:50], 21, axis=0)
    rows[:, 0] = np.tile(np.linspace(-3, 3, 21), 50)
    scores = outcome.model.trees.score(rows).reshape(50, 21)
    assert (np.diff(scores, axis=1) >= -1e-6).all()


def test_the_runtime_scores_as_lightgbm_does(settings: Any) -> None:
    import onnxruntime

    from marquee_models.train_ranking import fit_members, predict
    from marquee_models.trees import Ensemble, read_lightgbm

    examples = made_up(0)
    # Values with many repetitions, as counts have them, and rows on the thresholds.
    examples.features[:, 1] = np.log1p(np.round(np.abs(examples.features[:, 1]) * 3))
    members = fit_members(examples, settings, range(2), (40, 1))
    trees = [tree for member in members for tree in read_lightgbm(member.dump_model(), 0.5)]
    ensemble = Ensemble(trees, len(NAMES))
    session = onnxruntime.InferenceSession(ensemble.graph().SerializeToString())
    on_thresholds = made_up(3).features[: len(ensemble.feature)]
    for row, feature, number in zip(on_thresholds, ensemble.feature, ensemble.number):
        row[max(feature, 0)] = number
    for rows in (examples.features, made_up(2).features, on_thresholds):
        (scores,) = session.run(None, {"features": rows})
        expected = predict(members, Examples(**{**vars(examples), "features": rows}), 40)
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)
        np.testing.assert_allclose(ensemble.score(rows), expected, rtol=0, atol=1e-5)


def test_every_window_is_held_out_alike(settings: Any) -> None:
    from marquee_models.train_ranking import hold_out

    windows: npt.NDArray[np.uint8] = np.repeat(np.arange(3, dtype=np.uint8), [50, 10, 5])
    held_out = hold_out(windows, settings)
    assert np.bincount(windows[held_out]).tolist() == [10, 2, 1]


def test_too_few_examples_are_refused(settings: Any) -> None:
    from marquee_models.train_ranking import train

    few = made_up(0).take(np.arange(N_QUERIES) < 15)
    with pytest.raises(TooFewExamplesError, match="there are 15 queries"):
        train(few, settings, threads=1)


def test_one_command_makes_the_same_artifact_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from marquee_models.train_ranking import main

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    export = write_export(tmp_path / "export", made_up(0))
    folders = [tmp_path / "one" / "model", tmp_path / "two" / "model"]
    for threads, folder in zip("12", folders):
        command = ["--data", str(export), "--out", str(folder), "--threads", threads]
        assert main([*command, "--max-trees", "10", "--min-rows-in-leaf", "20"]) == 0
        assert (folder.parent / "model-training.png").stat().st_size > 1000
    manifest = verify_artifact(folders[0])
    assert manifest["ranking_model"]["features"] == list(NAMES)
    assert manifest["training"]["metrics"]["n_queries"] == N_QUERIES
    assert manifest["training"]["settings"]["best_feature"] == "signal"
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes(), path.name
    capsys.readouterr()
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "no")]) == 1
    assert "--ranking-examples" in capsys.readouterr().out
