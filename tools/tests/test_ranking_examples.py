"""Reading the examples of the ranking model, and nDCG."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee_models.ranking_examples import Examples, ExamplesError, mean_ndcg_at, ndcg_at
from marquee_models.ranking_examples import read_examples as read


def write_examples(folder: Path, **changed: Any) -> Path:
    """Three queries of 3, 1 and 2 rows; the second has nothing that was liked."""
    parts: dict[str, Any] = {
        "features.f32": np.arange(12, dtype="<f4"),
        "labels.u8": np.array([0, 1, 1, 0, 1, 0], dtype="u1"),
        "queries.u32": np.array([3, 1, 2], dtype="<u4"),
        "weights.f32": np.array([1.0, 1.0, 3.0], dtype="<f4"),
        "windows.u8": np.array([0, 0, 1], dtype="u1"),
        **{name: value for name, value in changed.items() if name != "facts"},
    }
    for name, values in parts.items():
        values.tofile(folder / name)
    features = [{"name": "a", "rising": True}, {"name": "b", "rising": False}]
    facts = {"format": 1, "features": features, "n_rows": 6, "n_queries": 3}
    (folder / "examples.json").write_text(json.dumps({**facts, **changed.get("facts", {})}))
    return folder


def test_examples_are_read_and_taken_by_query(tmp_path: Path) -> None:
    examples = read(write_examples(tmp_path))
    assert (examples.names, examples.rising) == (("a", "b"), (True, False))
    assert examples.n_liked().tolist() == [2, 0, 1]
    some = examples.take(np.array([False, True, True]))
    assert some.features.tolist() == [[6, 7], [8, 9], [10, 11]]
    assert (some.labels.tolist(), some.lengths.tolist()) == ([0, 1, 0], [1, 2])
    assert (some.weights.tolist(), some.windows.tolist()) == ([1, 3], [0, 1])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"facts": {"format": 2}}, "format 1 is read"),
        ({"features.f32": np.zeros(11, "<f4")}, "has 11 numbers, not 12"),
        ({"features.f32": np.full(12, np.nan, "<f4")}, "not finite"),
        ({"labels.u8": np.full(6, 2, "u1")}, "label above 1"),
        ({"queries.u32": np.array([3, 1, 1], "<u4")}, "have 5 rows"),
        ({"weights.f32": np.full(3, -1, "<f4")}, "weight below 0"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, changed: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ExamplesError, match=expected):
        read(write_examples(tmp_path, **changed))


def test_ndcg_is_that_of_its_definition(tmp_path: Path) -> None:
    examples = read(write_examples(tmp_path))
    second, third = 1 / np.log2(3), 1 / np.log2(4)
    # Best first in the first query; the liked one second in the third.
    values = ndcg_at(10, examples, [0, 2, 1, 9, 1, 5])
    np.testing.assert_allclose(values, [1.0, np.nan, second])
    values = ndcg_at(10, examples, [3, 2, 1, 0, 5, 1])
    np.testing.assert_allclose(values, [(second + third) / (1 + second), np.nan, 1.0])
    np.testing.assert_allclose(ndcg_at(1, examples, [3, 2, 1, 0, 5, 1]), [0.0, np.nan, 1.0])
    # Equal scores keep the order of the rows.
    np.testing.assert_allclose(ndcg_at(1, examples, np.zeros(6)), [0.0, np.nan, 1.0])
    assert mean_ndcg_at(1, examples, np.zeros(6)) == pytest.approx(0.75)
    nothing = Examples(**{**vars(examples), "labels": np.zeros(6, "u1")})
    assert np.isnan(mean_ndcg_at(10, nothing, np.zeros(6)))
