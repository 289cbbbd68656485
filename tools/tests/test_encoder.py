"""The encoder graph against the plain forward pass, on a small random MPNet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from marquee_models.encoder import main
from marquee_models.encoder_graph import build_encoder_graph
from marquee_models.manifest import verify_artifact
from marquee_models.mpnet import NumpyEncoder, position_buckets, read_config
from tests.conftest import N_TOKENS, SMALL, Weights

onnxruntime = pytest.importorskip("onnxruntime")


def run(graph: bytes, texts: list[list[int]]) -> Any:
    longest = max(len(ids) for ids in texts)
    padded = [ids + [SMALL.pad_id] * (longest - len(ids)) for ids in texts]
    mask = [[1] * len(ids) + [0] * (longest - len(ids)) for ids in texts]
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    inputs = {"input_ids": np.array(padded), "attention_mask": np.array(mask)}
    return session.run(["sentence_embedding"], inputs)[0]


@pytest.fixture(scope="module")
def texts() -> list[list[int]]:
    random = np.random.default_rng(5)
    lengths = (2, 3, 9, 40, 131, SMALL.max_tokens)
    return [[0, *random.integers(4, N_TOKENS, size=n - 2).tolist(), 2] for n in lengths]


def test_equals_the_plain_pass(small_weights: Weights, texts: list[list[int]]) -> None:
    graph = build_encoder_graph(SMALL, small_weights).SerializeToString()
    judge = NumpyEncoder(SMALL, small_weights)
    expected = np.array([judge.encode(ids) for ids in texts])
    alone = np.concatenate([run(graph, [ids]) for ids in texts])
    np.testing.assert_allclose(alone, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(run(graph, texts), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1.0, rtol=0, atol=1e-5)


def test_positions_matter(small_weights: Weights) -> None:
    judge = NumpyEncoder(SMALL, small_weights)
    forward, backward = judge.encode([0, 5, 6, 7, 2]), judge.encode([0, 7, 6, 5, 2])
    assert np.abs(forward - backward).max() > 1e-3


def test_too_many_tokens_are_refused(small_weights: Weights) -> None:
    with pytest.raises(ValueError, match="tokens"):
        NumpyEncoder(SMALL, small_weights).encode([5] * (SMALL.max_tokens + 1))


def test_buckets_are_those_of_the_architecture() -> None:
    """Values from the reference implementation: exact below 8, logarithmic to 128, then one."""
    relative = np.array([-500, -128, -64, -20, -8, -7, -1, 0, 1, 7, 8, 20, 64, 128, 500])
    expected = [15, 15, 14, 10, 8, 7, 1, 0, 17, 23, 24, 26, 30, 31, 31]
    assert position_buckets(relative, 32).tolist() == expected


def test_exports_an_artifact_from_a_folder(
    small_release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    folders = [tmp_path / "one" / "encoder", tmp_path / "two" / "encoder"]
    for folder in folders:
        main(["--model-dir", str(small_release), "--out", str(folder), "--max-tokens", "64"])
    manifest = verify_artifact(folders[0])
    assert manifest["created"] == "2026-01-01T00:00:00Z"
    assert manifest["text_encoder"]["dim"] == SMALL.hidden_size
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes(), path.name

    probe = json.loads((folders[0] / "probe.json").read_text("utf-8"))
    tokenizer = Tokenizer.from_file(str(folders[0] / "tokenizer.json"))
    encoded = [encoding.ids for encoding in tokenizer.encode_batch(probe["texts"])]
    assert {len(ids) for ids in encoded} == {64}
    single = [tokenizer.encode(text).ids for text in probe["texts"]]
    graph = (folders[0] / "encoder.onnx").read_bytes()
    expected = np.array(probe["embeddings"])
    np.testing.assert_allclose(run(graph, single), expected, rtol=0, atol=1e-5)


def test_another_architecture_is_refused(small_release: Path) -> None:
    config = json.loads((small_release / "config.json").read_text())
    (small_release / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(ValueError, match="MPNet"):
        read_config(small_release)


def test_a_tensor_of_another_shape_is_refused(small_release: Path, tmp_path: Path) -> None:
    config = json.loads((small_release / "config.json").read_text())
    changed = {**config, "intermediate_size": SMALL.intermediate_size + 1}
    (small_release / "config.json").write_text(json.dumps(changed))
    with pytest.raises(ValueError, match="intermediate"):
        main(["--model-dir", str(small_release), "--out", str(tmp_path / "x")])
    assert not (tmp_path / "x").exists()
