"""Exports a sentence encoder release as a `text-encoder` artifact.

    python -m marquee_models.encoder --model-dir DIR --out DIR [--weights fp32|int8] …

`int8` has 8-bit products (see `quantised_graph`): smaller and faster, and nearly the same vectors.

The model folder is that of the release: `model.safetensors`, `tokenizer.json`, `config.json`. The
tokenizer of the release cuts texts at 128 tokens and pads to a fixed length; the artifact's copy
cuts where the manifest says and pads to the longest text of a batch.
"""

from __future__ import annotations

import argparse
import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from safetensors import safe_open
from tokenizers import Tokenizer

from marquee_models.encoder_graph import build_encoder_graph
from marquee_models.graph import save
from marquee_models.manifest import (
    PROBE_NAME,
    PROBE_TOLERANCE,
    Description,
    now_utc,
    publish,
)
from marquee_models.mpnet import MpnetConfig, NumpyEncoder, read_config, weight_shapes
from marquee_models.quantised_graph import build_quantised_graph, observe

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
# Typical texts, of which the quantised graph learns what its products are given. With so many
# overviews, and as many prompts, its vectors are a tenth nearer to the exact ones than with 64.
OVERVIEWS = Path(__file__).resolve().parents[2] / "data" / "overviews.csv"
N_CALIBRATION_TEXTS = 192
# Words of a prompt.
SHORTEST_PROMPT, LONGEST_PROMPT = 6, 20
# Largest difference of a component from the exact vector. The 8-bit graph's was 0.005 on 455
# prompts and these; a processor whose sums saturate should be found out.
INT8_TOLERANCE = 0.02


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Exports a text encoder artifact.")
    parser.add_argument("--model-dir", type=Path, required=True, help="folder of the release")
    parser.add_argument("--out", type=Path, required=True, help="artifact folder to make")
    parser.add_argument("--weights", choices=("fp32", "int8"), default="fp32")
    parser.add_argument(
        "--calibration",
        type=Path,
        default=OVERVIEWS,
        help="CSV file with a column `overview`: typical texts, read for int8 only",
    )
    parser.add_argument("--name", default=None, help="default: all-mpnet-base-v2[-int8]")
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
    tokenizer_json = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    pad_token = tokenizer["padding"]["pad_token"]
    is_int8 = options.weights == "int8"
    description = Description(
        kind="text-encoder",
        name=options.name or "all-mpnet-base-v2" + ("-int8" if is_int8 else ""),
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
        probe_tolerance=INT8_TOLERANCE if is_int8 else PROBE_TOLERANCE,
    )

    def build_graph() -> onnx.ModelProto:
        if not is_int8:
            return build_encoder_graph(config, weights)
        texts = calibration_texts(options.calibration, tokenizer_json)
        return build_quantised_graph(config, weights, observe(config, weights, texts))

    def write_files(folder: Path) -> None:
        save(build_graph(), folder / GRAPH_NAME)
        (folder / TOKENIZER_NAME).write_text(tokenizer_json, encoding="utf-8")
        probe = build_probe(config, weights, tokenizer_json)
        (folder / PROBE_NAME).write_text(json.dumps(probe, ensure_ascii=False), encoding="utf-8")

    return publish(options.out, description, write_files)


def calibration_texts(path: Path, tokenizer_json: str) -> list[list[int]]:
    """Token ids of texts that are spread evenly over the file, of a few words of each, as short as
    prompts are, and of odd ones: of an empty text some channels are larger than of any other."""
    with path.open(newline="", encoding="utf-8") as stream:
        texts = [row["overview"] for row in csv.DictReader(stream)]
    if not texts:
        raise ValueError(f"{path} has no overviews")
    tokenizer = Tokenizer.from_str(tokenizer_json)
    step = max(1, len(texts) // N_CALIBRATION_TEXTS)
    texts = texts[::step][:N_CALIBRATION_TEXTS]
    random = np.random.default_rng(0)
    prompts = [some_words(text, random) for text in texts]
    return [tokenizer.encode(text).ids for text in (*PROBE_TEXTS, *texts, *prompts)]


def some_words(text: str, random: np.random.Generator) -> str:
    words = text.split()
    length = int(random.integers(SHORTEST_PROMPT, LONGEST_PROMPT + 1))
    start = int(random.integers(max(1, len(words) - length + 1)))
    return " ".join(words[start : start + length])


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
