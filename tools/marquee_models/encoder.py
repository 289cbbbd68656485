"""Exports a sentence encoder release as a `text-encoder` artifact.

    python -m marquee_models.encoder --model-dir DIR --out DIR [--name NAME] [--version VERSION]

The model folder is that of the release: `model.safetensors`, `tokenizer.json`, `config.json`. The
tokenizer of the release cuts texts at 128 tokens and pads to a fixed length; the artifact's copy
cuts where the manifest says and pads to the longest text of a batch.
"""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import safe_open
from tokenizers import Tokenizer

from marquee_models.encoder_graph import build_encoder_graph
from marquee_models.graph import save
from marquee_models.manifest import PROBE_NAME, Description, now_utc, publish
from marquee_models.mpnet import MpnetConfig, NumpyEncoder, read_config, weight_shapes

GRAPH_NAME = "encoder.onnx"
TOKENIZER_NAME = "tokenizer.json"
# What the release was tuned for (sentence_bert_config.json); longer texts are cut.
MAX_TOKENS = 384
PROBE_TEXTS = (
    "",
    "Western",
    "Amélie — «Le Fabuleux Destin» 東京物語 🎬 naïve façade",
    "A retired thief agrees to one last robbery so that his daughter can study.",
    "Two brothers cross the desert with a map that is wrong in a different way every morning. "
    * 40,
)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Exports a text encoder artifact.")
    parser.add_argument("--model-dir", type=Path, required=True, help="folder of the release")
    parser.add_argument("--out", type=Path, required=True, help="artifact folder to make")
    parser.add_argument("--name", default="all-mpnet-base-v2")
    parser.add_argument("--version", default="1")
    parser.add_argument("--license", default="Apache-2.0")
    parser.add_argument("--max-tokens", type=int, default=MAX_TOKENS)
    parser.add_argument("--created", type=parse_time, default=None, help="RFC 3339; default: now")
    options = parser.parse_args(arguments)
    export_encoder(options)


def export_encoder(options: argparse.Namespace) -> Path:
    config = read_config(options.model_dir)
    weights = read_weights(options.model_dir / "model.safetensors", config)
    tokenizer = adjusted_tokenizer(options.model_dir, config, options.max_tokens)
    pad_token = tokenizer["padding"]["pad_token"]
    description = Description(
        kind="text-encoder",
        name=options.name,
        version=options.version,
        license=options.license,
        created=options.created or now_utc(),
        section={
            "graph": GRAPH_NAME,
            "tokenizer": TOKENIZER_NAME,
            "dim": config.hidden_size,
            "max_tokens": options.max_tokens,
            "pad_id": config.pad_id,
            "pad_token": pad_token,
        },
    )

    def write_files(folder: Path) -> None:
        save(build_encoder_graph(config, weights), folder / GRAPH_NAME)
        text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
        (folder / TOKENIZER_NAME).write_text(text, encoding="utf-8")
        probe = build_probe(config, weights, text)
        (folder / PROBE_NAME).write_text(json.dumps(probe, ensure_ascii=False), encoding="utf-8")

    return publish(options.out, description, write_files)


def parse_time(text: str) -> datetime:
    """RFC 3339 with a zone; `Z` is not understood by Python 3.9 and 3.10."""
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if time.tzinfo is None:
        raise ValueError("a time needs a zone")
    return time


def read_weights(path: Path, config: MpnetConfig) -> dict[str, npt.NDArray[Any]]:
    """Only the tensors in use, each checked for its shape."""
    with safe_open(  # type: ignore[no-untyped-call, unused-ignore]
        str(path), framework="numpy"
    ) as tensors:
        n_tokens = tensors.get_slice("embeddings.word_embeddings.weight").get_shape()[0]
        shapes = weight_shapes(config, n_tokens)
        weights = {name: tensors.get_tensor(name) for name in shapes}
    for name, shape in shapes.items():
        if weights[name].shape != shape or weights[name].dtype != np.float32:
            raise ValueError(f"{name} is {weights[name].dtype}{weights[name].shape}, not {shape}")
    return weights


def adjusted_tokenizer(folder: Path, config: MpnetConfig, max_tokens: int) -> dict[str, Any]:
    if not 0 < max_tokens <= config.max_tokens:
        raise ValueError(f"the model can read at most {config.max_tokens} tokens")
    tokenizer: dict[str, Any] = json.loads((folder / TOKENIZER_NAME).read_text(encoding="utf-8"))
    pad_token = next(t["content"] for t in tokenizer["added_tokens"] if t["id"] == config.pad_id)
    tokenizer["truncation"] = {
        "direction": "Right",
        "max_length": max_tokens,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    tokenizer["padding"] = {
        "strategy": "BatchLongest",
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": config.pad_id,
        "pad_type_id": 0,
        "pad_token": pad_token,
    }
    return tokenizer


def build_probe(
    config: MpnetConfig, weights: dict[str, npt.NDArray[Any]], tokenizer_json: str
) -> dict[str, Any]:
    """What the daemon must compute; from the numpy pass, so a wrong graph cannot confirm itself."""
    tokenizer = Tokenizer.from_str(tokenizer_json)
    judge = NumpyEncoder(config, weights)
    embeddings = [judge.encode(tokenizer.encode(text).ids) for text in PROBE_TEXTS]
    return {
        "texts": list(PROBE_TEXTS),
        "embeddings": [[float(f"{value:.9g}") for value in vector] for vector in embeddings],
    }


if __name__ == "__main__":
    main()
