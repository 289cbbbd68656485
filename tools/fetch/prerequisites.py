"""What the machine must already have, each with a sentence that says how to get it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from fetch.places import CHECKOUT
from fetch.report import SetupError

MIN_PYTHON = (3, 9)
# Used only when the manifest names no version.
FALLBACK_RUST = (1, 88)
# The encoder, the runtime and a release build, with some room.
MIN_FREE_BYTES = 5_000_000_000
COMPILERS = ("c++", "g++", "clang++")
CPP17_PROBE = "#include <string_view>\nstatic_assert(__cplusplus >= 201703L);\n"


def check_prerequisites(*, rust: bool) -> None:
    """Raises one error that lists everything missing, so that nobody installs one thing at a
    time."""
    checks: list[Callable[[], str | None]] = [missing_python]
    if rust:
        extend_path_with_cargo_home()
        checks += [missing_rust, missing_compiler]
    problems = [problem for check in checks for problem in [check()] if problem]
    if problems:
        raise SetupError("this machine lacks something:\n  - " + "\n  - ".join(problems))


def missing_python() -> str | None:
    if sys.version_info[:2] < MIN_PYTHON:
        return f"Python {dotted(MIN_PYTHON)} or newer; this is {sys.version.split()[0]}."
    lacking = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if lacking:
        return (
            f"Python's {' and '.join(lacking)} for {sys.executable}. On Debian and Ubuntu: "
            "apt-get install python3-venv python3-pip."
        )
    return None


def needed_rust(manifest: Path) -> tuple[int, int]:
    """`rust-version` of Cargo.toml, so that the number stands in one place."""
    text = manifest.read_text(encoding="utf-8") if manifest.is_file() else ""
    found = re.search(r'^rust-version = "(\d+)\.(\d+)', text, re.MULTILINE)
    return (int(found[1]), int(found[2])) if found else FALLBACK_RUST


def missing_rust() -> str | None:
    needed = needed_rust(CHECKOUT / "Cargo.toml")
    advice = "Install it with rustup or update it with `rustup update stable`."
    if shutil.which("cargo") is None:
        return f"a Rust toolchain (cargo {dotted(needed)} or newer). {advice}"
    done = subprocess.run(["cargo", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"cargo (\d+)\.(\d+)", done.stdout)
    if found is None:
        return f"a working cargo: `cargo --version` says {(done.stdout + done.stderr).strip()!r}."
    if (int(found[1]), int(found[2])) < needed:
        return f"cargo {dotted(needed)} or newer; this is {done.stdout.strip()}. {advice}"
    return None


def missing_compiler() -> str | None:
    named = os.environ.get("CXX", "").split()
    candidates = [named] if named else [[name] for name in COMPILERS]
    for command in candidates:
        if shutil.which(command[0]) and compiles_cpp17(command):
            return None
    return (
        "a C++17 compiler (for the vector index). On Debian and Ubuntu: apt-get install g++; "
        f"looked for {', '.join(command[0] for command in candidates)}."
    )


def compiles_cpp17(command: list[str]) -> bool:
    done = subprocess.run(
        [*command, "-std=c++17", "-fsyntax-only", "-x", "c++", "-"],
        input=CPP17_PROBE,
        text=True,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def check_disk(folder: Path) -> None:
    """Only when something is to be fetched: a full disk half-way is a bad surprise."""
    existing = next(path for path in [folder, *folder.parents] if path.exists())
    free = shutil.disk_usage(existing).free
    if free < MIN_FREE_BYTES:
        raise SetupError(
            f"{folder} has {free / 1e9:.1f} GB free; {MIN_FREE_BYTES / 1e9:.0f} GB are needed. "
            "MARQUEE_CACHE=DIR puts the cache elsewhere."
        )


def extend_path_with_cargo_home() -> None:
    """rustup's folder is often missing from the path of non-login shells."""
    folder = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo") / "bin"
    if shutil.which("cargo") is None and (folder / "cargo").is_file():
        os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"


def dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
