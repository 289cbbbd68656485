"""Manifests: what is written can be read, and what breaks the contract is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from golden.miniatures import write_miniatures
from marquee_models.manifest import (
    MANIFEST_NAME,
    SCHEMA_PATH,
    ManifestError,
    check_manifest,
    main,
    read_manifest,
    verify_artifact,
)

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {path.name: path for path in write_miniatures(tmp_path_factory.mktemp("artifacts"))}


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA_PATH.read_text("utf-8")))


def test_every_property_of_the_schema_is_described() -> None:
    def undescribed(node: Any, path: str) -> list[str]:
        found = []
        for name, child in node.get("properties", {}).items():
            if "description" not in child and "$ref" not in child:
                found.append(f"{path}.{name}")
            found += undescribed(child, f"{path}.{name}")
        return found

    schema = json.loads(SCHEMA_PATH.read_text("utf-8"))
    parts = {"": schema, **schema["$defs"]}
    assert [name for path, part in parts.items() for name in undescribed(part, path)] == []


@pytest.mark.parametrize(
    "name",
    ["tiny-encoder", "tiny-network", "tiny-original-network", "tiny-ranking", "tiny-item-item"],
)
def test_round_trip(artifacts: dict[str, Path], name: str) -> None:
    folder = artifacts[name]
    manifest = verify_artifact(folder)
    assert manifest["name"] == name
    assert {entry["path"] for entry in manifest["files"]} | {MANIFEST_NAME} == {
        path.name for path in folder.iterdir()
    }
    assert not list(folder.parent.glob(".tmp*"))


CHANGES: dict[str, Change] = {
    "unknown key": lambda m: m.update(extra=1),
    "unknown format": lambda m: m.update(format=2),
    "unknown kind": lambda m: m.update(kind="oracle"),
    "both sections": lambda m: m.update(rating_network={}),
    "no section": lambda m: m.pop("text_encoder"),
    "bad name": lambda m: m.update(name="../x"),
    "bad version": lambda m: m.update(version=""),
    "time without zone": lambda m: m.update(created="2026-01-01T00:00:00"),
    "unlisted graph": lambda m: m["text_encoder"].update(graph="other.onnx"),
    "unlisted probe": lambda m: m["probe"].update(file="other.json"),
    "path outside": lambda m: m["files"][0].update(path="../encoder.onnx"),
    "manifest lists itself": lambda m: m["files"][0].update(path="manifest.json"),
    "listed twice": lambda m: m["files"].append(m["files"][0]),
    "bad hash": lambda m: m["files"][0].update(sha256="A" * 64),
    "no dimension": lambda m: m["text_encoder"].update(dim=0),
    "unknown section key": lambda m: m["text_encoder"].update(pooling="mean"),
    "no tolerance": lambda m: m["probe"].update(tolerance=0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_refuses(artifacts: dict[str, Path], change: Change) -> None:
    manifest = copy.deepcopy(read_manifest(artifacts["tiny-encoder"]))
    change(manifest)
    with pytest.raises(ManifestError):
        check_manifest(manifest)


RANKING_CHANGES: dict[str, Change] = {
    "no features": lambda section: section.update(features=[]),
    "a feature twice": lambda section: section["features"].append(section["features"][0]),
    "a feature without a name": lambda section: section["features"].append(""),
    "unlisted graph": lambda section: section.update(graph="other.onnx"),
    "no graph": lambda section: section.pop("graph"),
    "unknown key": lambda section: section.update(trees=3),
}


@pytest.mark.parametrize("change", RANKING_CHANGES.values(), ids=RANKING_CHANGES.keys())
def test_refuses_a_ranking_model(artifacts: dict[str, Path], change: Change) -> None:
    manifest = copy.deepcopy(read_manifest(artifacts["tiny-ranking"]))
    change(manifest["ranking_model"])
    with pytest.raises(ManifestError):
        check_manifest(manifest)


ITEM_ITEM_CHANGES: dict[str, Change] = {
    "no movies": lambda section: section.update(n_movies=0),
    "long lists": lambda section: section.update(max_neighbours=10_001),
    "unlisted lists": lambda section: section.update(neighbours="other.safetensors"),
    "unlisted vocabulary": lambda section: section.update(vocabulary="other.json"),
    "unknown key": lambda section: section.update(users=3),
}


@pytest.mark.parametrize("change", ITEM_ITEM_CHANGES.values(), ids=ITEM_ITEM_CHANGES.keys())
def test_refuses_an_item_item_model(artifacts: dict[str, Path], change: Change) -> None:
    manifest = copy.deepcopy(read_manifest(artifacts["tiny-item-item"]))
    change(manifest["item_item_model"])
    with pytest.raises(ManifestError):
        check_manifest(manifest)


def test_changed_files_are_noticed(tmp_path: Path) -> None:
    folder = write_miniatures(tmp_path)[0]
    (folder / "encoder.onnx").write_bytes((folder / "encoder.onnx").read_bytes()[:-1] + b"!")
    with pytest.raises(ManifestError, match="not what the manifest says"):
        verify_artifact(folder)
    assert main([str(folder)]) == 1


def test_extra_files_are_noticed(tmp_path: Path) -> None:
    folder = write_miniatures(tmp_path)[0]
    (folder / "notes.txt").write_text("hello")
    with pytest.raises(ManifestError):
        verify_artifact(folder)


def test_writing_over_an_artifact_replaces_all_of_it(tmp_path: Path) -> None:
    folder = write_miniatures(tmp_path)[0]
    (folder / "notes.txt").write_text("from before")
    write_miniatures(tmp_path)
    verify_artifact(folder)


def test_the_same_bytes_every_time(tmp_path: Path, artifacts: dict[str, Path]) -> None:
    for again in write_miniatures(tmp_path):
        for path in again.iterdir():
            assert path.read_bytes() == (artifacts[again.name] / path.name).read_bytes(), path.name
