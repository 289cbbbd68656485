"""What a movie is about, as numbers that the default network reads beside its other features.

The overviews' vectors come from a text encoder's artifact, run by ONNX Runtime, of the same text
that the daemon embeds by default ("genres-overview"): the genres, then the overview. What was
embedded once is kept in the cache folder, so only the first training waits for it. Without an
encoder, or where no movie has an overview, a network is trained without.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fetch.places import ENCODERS, cache_from
from marquee_models.catalogue import Vectors

# `--overview-vectors`: besides these, a file.
ENCODE, NONE = "encode", "none"
LIBRARIES = ("onnxruntime", "tokenizers")
# Texts of a batch. They are encoded by length, so that little is padding.
BATCH = 16
# Vectors that the cache file keeps: 300 MB. More are embedded again each time.
MAX_KEPT = 200_000


@dataclass(frozen=True)
class Encoder:
    folder: Path
    # What the vectors depend on beside the texts.
    identity: str

    @staticmethod
    def of(folder: Path) -> Encoder:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        hashes = sorted(file["sha256"] for file in manifest["files"])
        return Encoder(folder, hashlib.sha256(" ".join(hashes).encode()).hexdigest())

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        import onnxruntime
        from tokenizers import Tokenizer
        from tqdm import tqdm

        manifest = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))
        section = manifest["text_encoder"]
        tokenizer = Tokenizer.from_file(str(self.folder / section["tokenizer"]))
        tokenizer.enable_truncation(section["max_tokens"])
        tokenizer.enable_padding(pad_id=section["pad_id"], pad_token=section["pad_token"])
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(str(self.folder / section["graph"]), options)
        vectors = np.empty((len(texts), section["dim"]), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        title = f"embedding overviews with {self.folder.name}"
        with tqdm(total=len(texts), desc=title, unit="text", leave=False, disable=None) as bar:
            for start in range(0, len(order), BATCH):
                places = order[start : start + BATCH]
                encoded = tokenizer.encode_batch([texts[place] for place in places])
                inputs = {
                    "input_ids": np.array([text.ids for text in encoded], dtype=np.int64),
                    "attention_mask": np.array(
                        [text.attention_mask for text in encoded], dtype=np.int64
                    ),
                }
                vectors[places] = session.run(None, inputs)[0]
                bar.update(len(places))
        return vectors


def overview_vectors(texts: Mapping[int, str], source: str) -> Vectors:
    """Of the movies with a text; none where there is nothing to make them with, which is said.
    `source` is what `--overview-vectors` takes."""
    if source == NONE:
        return {}
    if source != ENCODE:
        return read_vectors(Path(source))
    cache = cache_from(os.environ)
    folders = [cache.encoder_artifact(form) for form in ENCODERS]
    folder = next((folder for folder in folders if (folder / "manifest.json").is_file()), None)
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    reason = ""
    if not texts:
        reason = "no movie has an overview"
    elif folder is None:
        reason = f"no text encoder in {folders[0].parent} (tools/run lays one out)"
    elif missing:
        reason = f"this Python lacks {' and '.join(missing)}"
    if folder is None or reason:
        print(f"{reason}: training without overview vectors")
        return {}
    encoder = Encoder.of(folder)
    kept = cache.root / "overview-vectors" / f"{encoder.identity[:16]}.npz"
    vectors = remembered(encoder, list(texts.values()), kept)
    return dict(zip(texts, vectors))


def read_vectors(path: Path) -> Vectors:
    """A .npz file with `movie_ids` [n] and `vectors` [n, dimensions]."""
    with np.load(path, allow_pickle=False) as arrays:
        missing = {"movie_ids", "vectors"} - set(arrays.files)
        if missing:
            raise ValueError(f"{path} lacks {', '.join(sorted(missing))}")
        ids, vectors = arrays["movie_ids"], arrays["vectors"].astype(np.float32)
    if vectors.ndim != 2 or len(ids) != len(vectors) or not np.isfinite(vectors).all():
        raise ValueError(f"{path}: vectors are not a finite row for each of movie_ids")
    return dict(zip(ids.astype(np.int64).tolist(), vectors))


def remembered(encoder: Encoder, texts: Sequence[str], path: Path) -> npt.NDArray[np.float32]:
    """Vectors of the texts, in half precision: those that the file has from there, the others
    embedded and added to it."""
    keys = [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]
    known: dict[str, npt.NDArray[np.float16]] = {}
    if path.is_file():
        with np.load(path, allow_pickle=False) as arrays:
            known = dict(zip(arrays["keys"].tolist(), arrays["vectors"]))
    unknown = {key: text for key, text in zip(keys, texts) if key not in known}
    if unknown:
        found = encoder.encode(list(unknown.values())).astype(np.float16)
        known.update(zip(unknown, found))
        keep(known, path)
    return np.stack([known[key] for key in keys]).astype(np.float32)


def keep(known: Mapping[str, npt.NDArray[np.float16]], path: Path) -> None:
    """The newest, if there are too many; in one step, so that a killed training leaves no half."""
    newest = list(known.items())[-MAX_KEPT:]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial.npz")
    keys, vectors = zip(*newest)
    with partial.open("wb") as stream:
        np.savez(stream, keys=np.array(keys), vectors=np.stack(vectors))
    partial.replace(path)
