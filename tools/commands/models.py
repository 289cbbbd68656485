"""The models folder of a data directory: what is there, and dropping an artifact into it."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from fetch.places import ENCODERS, Cache
from fetch.report import say

MANIFEST_NAME = "manifest.json"


def kinds_present(models: Path) -> set[str]:
    """The kinds of the artifacts anywhere below the folder; unreadable manifests count for
    nothing."""
    kinds = set()
    for path in models.rglob(MANIFEST_NAME):
        try:
            kinds.add(str(json.loads(path.read_text(encoding="utf-8"))["kind"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return kinds


def default_encoder(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """What a new data folder gets. 8-bit products pay, and are exact, where the processor sums them
    in one instruction (VNNI, AMX); without it sums of pairs saturate."""
    try:
        flags = cpuinfo.read_text(encoding="utf-8")
    except OSError:
        flags = ""
    return "int8" if re.search(r"\b(avx(512)?_vnni|amx_int8)\b", flags) else "fp32"


def place_encoder(cache: Cache, models: Path, weights: str, is_chosen: bool) -> None:
    """An encoder that is there stays, unless this one was chosen: then the other form goes, which
    the daemon might take for the newer one. Encoders of other makers are left alone."""
    target = models / ENCODERS[weights]
    if "text-encoder" in kinds_present(target if is_chosen else models):
        return
    place_artifact(cache.encoder_artifact(weights), target)
    for name in ENCODERS.values():
        if name != target.name:
            remove_artifact(models / name)
    say(f"the text encoder is in {target}")


def remove_artifact(folder: Path) -> None:
    """The manifest goes first: without it the rest is no artifact."""
    (folder / MANIFEST_NAME).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def place_artifact(source: Path, target: Path) -> None:
    """Hard links where the disk allows, else copies. The manifest comes last and by rename: a
    daemon that watches the folder never sees half an artifact."""
    hidden = target.parent / f".tmp-{target.name}-{os.getpid()}"
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    try:
        for path in sorted(source.iterdir()):
            if path.name != MANIFEST_NAME:
                link_or_copy(path, hidden / path.name)
        manifest = target.parent / f".tmp-{target.name}-{os.getpid()}.json"
        shutil.copyfile(source / MANIFEST_NAME, manifest)
        shutil.rmtree(target, ignore_errors=True)
        hidden.rename(target)
        manifest.rename(target / MANIFEST_NAME)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
