"""Puts an artifact in place and describes it in `manifest.json` (contract:
schema/artifact.schema.json).

The files are made in a hidden folder beside the target, which is renamed into place; the manifest
comes last, also by rename. So a reader that sees a manifest sees a whole artifact.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

FORMAT = 1
MANIFEST_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20
KINDS = {
    "text-encoder": "text_encoder",
    "rating-network": "rating_network",
    "ranking-model": "ranking_model",
    "item-item-model": "item_item_model",
}
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
VERSION_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
PROBE_NAME = "probe.json"
PROBE_TOLERANCE = 1e-4
SCHEMA_PATH = Path(__file__).resolve().parents[2] / "schema" / "artifact.schema.json"


class ManifestError(ValueError):
    """The description does not fit the contract or the files beside it."""


def now_utc() -> datetime:
    """SOURCE_DATE_EPOCH, the usual variable for reproducible files, replaces the clock."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "") or str(int(time.time()))
    return datetime.fromtimestamp(int(seconds), tz=timezone.utc)


@dataclass(frozen=True)
class Training:
    """Facts for people: what the model learnt from, how well, with which settings."""

    data_set: str
    metrics: dict[str, float]
    settings: dict[str, Any]


@dataclass(frozen=True)
class Description:
    """What the writer must say; sizes and hashes are measured."""

    kind: str
    name: str
    version: str
    license: str
    section: dict[str, Any]
    training: Training | None = None
    created: datetime = field(default_factory=now_utc)
    probe_tolerance: float = PROBE_TOLERANCE


def publish(target: Path, description: Description, write_files: Callable[[Path], None]) -> Path:
    """Lets `write_files` fill a hidden folder, then makes it the artifact `target`."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = target.parent / f".tmp-{target.name}-{os.getpid()}"
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir()
    try:
        write_files(hidden)
        manifest = build_manifest(hidden, description)
        sync_folder(hidden)
        replace_folder(hidden, target)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    write_manifest(target, manifest)
    return target


def build_manifest(folder: Path, description: Description) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "kind": description.kind,
        "name": description.name,
        "version": description.version,
        "created": description.created.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "license": description.license,
        "files": [file_entry(path) for path in sorted(folder.iterdir())],
        KINDS.get(description.kind, "unknown"): description.section,
        "probe": {"file": PROBE_NAME, "tolerance": description.probe_tolerance},
    }
    if description.training is not None:
        manifest["training"] = {
            "data_set": description.training.data_set,
            "metrics": description.training.metrics,
            "settings": description.training.settings,
        }
    check_manifest(manifest)
    return manifest


def file_entry(path: Path) -> dict[str, Any]:
    if path.is_symlink() or not path.is_file():
        raise ManifestError(f"{path.name} is not a plain file")
    return {"path": path.name, "size": path.stat().st_size, "sha256": sha256(path)}


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if len(text.encode()) > MAX_MANIFEST_BYTES:
        raise ManifestError(f"the manifest is larger than {MAX_MANIFEST_BYTES} bytes")
    hidden = folder / f".tmp-{MANIFEST_NAME}"
    with hidden.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    hidden.replace(folder / MANIFEST_NAME)


def read_manifest(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
    check_manifest(manifest)
    return dict(manifest)


def check_manifest(manifest: dict[str, Any]) -> None:
    """The rules no schema can say, and the schema itself where jsonschema is installed."""
    kind = manifest.get("kind")
    if kind not in KINDS or {name for name in KINDS.values() if name in manifest} != {KINDS[kind]}:
        raise ManifestError(f"kind {kind!r} and the section that belongs to it do not agree")
    if not NAME_PATTERN.fullmatch(manifest["name"]):
        raise ManifestError(f"the name {manifest['name']!r} is not allowed")
    if not VERSION_PATTERN.fullmatch(manifest["version"]):
        raise ManifestError(f"the version {manifest['version']!r} is not allowed")
    paths = [entry["path"] for entry in manifest["files"]]
    section = manifest[KINDS[kind]]
    roles = ("graph", "tokenizer", "movie_tower", "scorer", "vocabulary", "neighbours")
    named = [section[role] for role in roles if role in section] + [manifest["probe"]["file"]]
    missing = sorted(set(named) - set(paths))
    if missing or len(set(paths)) != len(paths):
        raise ManifestError(f"files are missing or named twice: {missing or paths}")
    check_schema(manifest)


def check_schema(manifest: dict[str, Any]) -> None:
    try:
        import jsonschema
    except ImportError:
        return
    schema = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]
    if errors:
        raise ManifestError("; ".join(errors))


def verify_artifact(folder: Path) -> dict[str, Any]:
    """Reads the manifest and checks every byte it speaks of."""
    manifest = read_manifest(folder)
    expected = {entry["path"]: entry for entry in manifest["files"]}
    present = {path.name for path in folder.iterdir()} - {MANIFEST_NAME}
    if present != set(expected):
        raise ManifestError(f"{folder.name} holds {sorted(present)}, not {sorted(expected)}")
    for name, entry in expected.items():
        if file_entry(folder / name) != entry:
            raise ManifestError(f"{folder.name}/{name} is not what the manifest says")
    return manifest


def replace_folder(source: Path, target: Path) -> None:
    """Renames `source` over `target`. An old artifact first loses its manifest: it is gone as a
    whole."""
    if target.exists():
        (target / MANIFEST_NAME).unlink(missing_ok=True)
        old = target.parent / f".tmp-old-{target.name}-{os.getpid()}"
        target.rename(old)
        source.rename(target)
        shutil.rmtree(old)
    else:
        source.rename(target)


def sync_folder(folder: Path) -> None:
    """Waits until the bytes are on the disk, so that a manifest never outlives its files."""
    for path in [*folder.iterdir(), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def main(folders: list[str]) -> int:
    """`python -m marquee_models.manifest FOLDER …` checks artifacts: schema, sizes and hashes."""
    failures = 0
    for folder in folders:
        try:
            manifest = verify_artifact(Path(folder))
            print(
                f"{folder}: {manifest['kind']} {manifest['name']} {manifest['version']} is complete"
            )
        except (ManifestError, OSError, ValueError, KeyError) as error:
            failures += 1
            print(f"{folder}: {error}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
