"""Vectors of overviews: where they come from, and what is kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden.miniatures import write_tiny_encoder
from marquee_models import overviews
from marquee_models.overviews import ENCODE, NONE, Encoder, overview_vectors, read_vectors

TEXTS = {3: "Drama space robot", 8: "Comedy", 5: "love letter " * 3}


class CountingEncoder(Encoder):
    """Length of the text, and one."""

    asked: list[str]

    def encode(self, texts: Sequence[str]) -> Any:
        self.asked.extend(texts)
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)


def counting(folder: Path) -> CountingEncoder:
    encoder = CountingEncoder(folder, "identity")
    object.__setattr__(encoder, "asked", [])
    return encoder


def test_a_text_is_embedded_once(tmp_path: Path) -> None:
    encoder, path = counting(tmp_path), tmp_path / "cache" / "kept.npz"
    first = overviews.remembered(encoder, ["a", "bb", "a"], path)
    assert first.tolist() == [[1, 1], [2, 1], [1, 1]]
    second = overviews.remembered(encoder, ["ccc", "a"], path)
    assert second.tolist() == [[3, 1], [1, 1]]
    assert encoder.asked == ["a", "bb", "ccc"]
    assert [file.name for file in path.parent.iterdir()] == ["kept.npz"]


def test_the_file_does_not_grow_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overviews, "MAX_KEPT", 2)
    encoder, path = counting(tmp_path), tmp_path / "kept.npz"
    overviews.remembered(encoder, ["a", "bb"], path)
    overviews.remembered(encoder, ["ccc"], path)
    overviews.remembered(encoder, ["bb", "a"], path)
    assert encoder.asked == ["a", "bb", "ccc", "a"]


def test_without_encoder_or_overviews_there_are_no_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MARQUEE_CACHE", str(tmp_path))
    assert overview_vectors(TEXTS, ENCODE) == {}
    assert "no text encoder" in capsys.readouterr().out
    assert overview_vectors({}, ENCODE) == {}
    assert "no movie has an overview" in capsys.readouterr().out
    assert overview_vectors(TEXTS, NONE) == {}
    assert capsys.readouterr().out == ""


def test_a_file_of_vectors_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npz"
    np.savez(path, movie_ids=np.array([8, 3]), vectors=np.array([[1.0, 2.0], [3.0, 4.0]]))
    found = overview_vectors(TEXTS, str(path))
    assert {id: vector.tolist() for id, vector in found.items()} == {8: [1, 2], 3: [3, 4]}
    np.savez(path, movie_ids=np.array([8]), vectors=np.array([[np.nan, 2.0]]))
    with pytest.raises(ValueError, match="finite row"):
        read_vectors(path)
    np.savez(path, vectors=np.array([[1.0]]))
    with pytest.raises(ValueError, match="lacks movie_ids"):
        read_vectors(path)


@pytest.mark.training
def test_the_encoder_of_the_cache_folder_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The miniature encoder: a text is the mean of its words' topics."""
    monkeypatch.setenv("MARQUEE_CACHE", str(tmp_path))
    folder = write_tiny_encoder(tmp_path / "artifacts" / "all-mpnet-base-v2")
    found = overview_vectors(TEXTS, ENCODE)
    assert found[3].argmax() == 0 and found[5].argmax() == 1
    (kept,) = (tmp_path / "overview-vectors").iterdir()
    assert Encoder.of(folder).identity.startswith(kept.stem)
    for file in folder.glob("*.onnx"):
        file.unlink()
    again = overview_vectors(TEXTS, ENCODE)
    assert all((again[id] == found[id]).all() for id in TEXTS)
