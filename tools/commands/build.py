"""Where cargo puts what it builds: a folder in the cache, so that a fresh clone need not compile
the dependencies again."""

from __future__ import annotations

import subprocess
from pathlib import Path

from fetch.places import CHECKOUT

# Cargo tells the packages of two checkouts apart by nothing but the age of their files, so the
# folder remembers whose build of this project it holds.
STAMP_NAME = ".marquee-checkout"


def claim_target(environment: dict[str, str]) -> None:
    """Removes what another checkout built of this project; the dependencies stay."""
    target = Path(environment["CARGO_TARGET_DIR"])
    stamp = target / STAMP_NAME
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == str(CHECKOUT):
        return
    if target.is_dir():
        clean = ["cargo", "clean", "--quiet", "--release", "--package", "marquee"]
        subprocess.run(clean, cwd=CHECKOUT, env=environment, check=False)
    target.mkdir(parents=True, exist_ok=True)
    stamp.write_text(str(CHECKOUT), encoding="utf-8")
