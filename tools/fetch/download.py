"""Brings pinned wheels into the downloads folder through pip, which checks their SHA-256.

pip knows the user's registry, mirrors, proxies and certificates; nothing here does. A wheel that is
already there is checked and kept, a broken connection is resumed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from fetch.assets import Wheel
from fetch.place import sha256
from fetch.report import SetupError

RESUME_RETRIES = 20


def fetch_wheel(python: Path, wheel: Wheel, downloads: Path) -> Path:
    """What is there already is taken by its hash, without asking anyone."""
    downloads.mkdir(parents=True, exist_ok=True)
    present = find_downloaded(wheel, downloads)
    if present is not None:
        return present
    command = [
        str(python),
        *("-m", "pip", "download", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary=:all:", "--require-hashes"),
        # The wheels are large and used once: no second copy in pip's own cache.
        *("--no-cache-dir", "--resume-retries", str(RESUME_RETRIES)),
        *wheel.platform,
        *("--dest", str(downloads), "-r", str(wheel.pins)),
    ]
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
        raise SetupError(
            f"could not fetch what {wheel.pins.name} pins (pip's message is above). "
            "What is already there is kept: start again to go on."
        )
    fetched = find_downloaded(wheel, downloads)
    if fetched is None:
        raise SetupError(f"pip fetched something else than {wheel.pins.name} pins; see {downloads}")
    return fetched


def find_downloaded(wheel: Wheel, downloads: Path) -> Path | None:
    """The wheel that the pins describe, if all of it is there."""
    text = wheel.pins.read_text(encoding="utf-8")
    candidates = sorted(downloads.glob(f"{file_stem(wheel.pins)}-*.whl"))
    return next((path for path in candidates if f"sha256:{sha256(path)}" in text), None)


def file_stem(pins: Path) -> str:
    """`name-1.0` as wheel files spell it: runs of `-`, `_` and `.` in the name become `_`."""
    found = re.match(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", pins.read_text(encoding="utf-8"))
    if found is None:
        raise SetupError(f"{pins} pins no version")
    return f"{re.sub(r'[-_.]+', '_', found[1]).lower()}-{found[2]}"
