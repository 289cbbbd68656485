"""What several tests share: fake wheels, and a small random encoder."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fetch.assets import PinnedFile, Wheel
from golden.miniatures import tiny_tokenizer
from marquee_models.mpnet import MpnetConfig, weight_shapes

MakeWheel = Callable[..., Wheel]
Weights = dict[str, npt.NDArray[Any]]

SMALL = MpnetConfig(
    hidden_size=24,
    intermediate_size=48,
    n_layers=2,
    n_heads=3,
    n_buckets=32,
    n_positions=302,
    layer_norm_eps=1e-5,
    pad_id=1,
)
N_TOKENS = 68


def pinned(source: str, path: str, content: bytes) -> PinnedFile:
    return PinnedFile(source, path, len(content), hashlib.sha256(content).hexdigest())


def zip_bytes(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return stream.getvalue()


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip looks for wheels here and nowhere else."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def make_wheel(shelf: Path, tmp_path: Path) -> MakeWheel:
    """Puts a wheel on the shelf and pins it, by default with its true hash."""

    def make(name: str, members: dict[str, bytes], sha256: str | None = None) -> Wheel:
        stem = name.replace("-", "_")
        information = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
        tag = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        inside = {
            **members,
            f"{stem}-1.0.dist-info/METADATA": information,
            f"{stem}-1.0.dist-info/WHEEL": tag,
            f"{stem}-1.0.dist-info/RECORD": b"",
        }
        content = zip_bytes(inside)
        (shelf / f"{stem}-1.0-py3-none-any.whl").write_bytes(content)
        pins = tmp_path / f"{name}.txt"
        digest = sha256 or hashlib.sha256(content).hexdigest()
        pins.write_text(f"{name}==1.0 --hash=sha256:{digest}\n", encoding="utf-8")
        return Wheel(pins)

    return make


@pytest.fixture(scope="session")
def small_weights() -> Weights:
    """Random, with layer norms that do something."""
    random = np.random.default_rng(3)
    shapes = weight_shapes(SMALL, N_TOKENS)
    return {
        name: random.normal(loc=float("LayerNorm.weight" in name), scale=0.2, size=shape).astype(
            np.float32
        )
        for name, shape in shapes.items()
    }


@pytest.fixture
def small_release(tmp_path: Path, small_weights: Weights) -> Path:
    """A model folder like that of the release."""
    from safetensors.numpy import save_file

    folder = tmp_path / "release"
    folder.mkdir()
    save_file({**small_weights, "pooler.dense.bias": np.zeros(3)}, folder / "model.safetensors")
    (folder / "config.json").write_text(
        json.dumps(
            {
                "model_type": "mpnet",
                "hidden_act": "gelu",
                "hidden_size": SMALL.hidden_size,
                "intermediate_size": SMALL.intermediate_size,
                "num_hidden_layers": SMALL.n_layers,
                "num_attention_heads": SMALL.n_heads,
                "relative_attention_num_buckets": SMALL.n_buckets,
                "max_position_embeddings": SMALL.n_positions,
                "layer_norm_eps": SMALL.layer_norm_eps,
                "pad_token_id": SMALL.pad_id,
            }
        )
    )
    (folder / "tokenizer.json").write_text(json.dumps(tiny_tokenizer()), encoding="utf-8")
    return folder
