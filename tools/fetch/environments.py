"""Python environments in the cache, named by what is in them.

The name holds a hash over the requirement files and the Python version: changed pins make a new
environment, and one that was interrupted has no stamp and is made again.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fetch.places import TOOLS, Cache
from fetch.report import SetupError, say

STAMP = ".complete"


@dataclass(frozen=True)
class Environment:
    """`requirements` are files in tools/requirements, installed in this order. What `base` has can
    be imported too and is not on the disk twice."""

    name: str
    requirements: tuple[str, ...]
    hint: str
    base: Environment | None = None

    def files(self) -> list[Path]:
        """All requirement files, those of the base first."""
        below = self.base.files() if self.base else []
        return below + [TOOLS / "requirements" / name for name in self.requirements]


TOOLS_ENVIRONMENT = Environment("tools", ("tools.txt",), "50 MB to fetch, half a minute")
TEST_ENVIRONMENT = Environment("test", ("tools.txt", "test.txt"), "120 MB to fetch, a minute")
TRAINING_ENVIRONMENT = Environment(
    "training", ("tools.txt", "training.txt"), "PyTorch: gigabytes, see tools/README.md; minutes"
)
RANKING_ENVIRONMENT = Environment(
    "ranking", ("tools.txt", "ranking.txt"), "LightGBM: 140 MB to fetch, a minute"
)
CONTRACT_ENVIRONMENT = Environment(
    "contract", ("contract.txt",), "schemathesis: 30 MB to fetch, half a minute"
)
GOLDEN_ENVIRONMENT = Environment(
    "golden", ("tools.txt", "training.txt", "golden.txt"), "PyTorch and the peers; minutes"
)

BENCH_ENVIRONMENT = Environment(
    "bench", ("bench.txt",), "FastAPI and uvicorn: 20 MB to fetch", base=GOLDEN_ENVIRONMENT
)


def ensure_environment(cache: Cache, environment: Environment) -> Path:
    """The environment's Python; made if it is not there."""
    base = ensure_environment(cache, environment.base) if environment.base else None
    folder = cache.root / f"venv-{environment.name}-{fingerprint(environment.files())}"
    python = folder / "bin" / "python"
    if (folder / STAMP).is_file() and python.exists():
        return python
    say(f"making the Python environment '{environment.name}' ({environment.hint})")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run_step([sys.executable, "-m", "venv", str(folder)])
    if base is not None:
        (packages(python) / "base.pth").write_text(f"{packages(base)}\n", encoding="utf-8")
    for name in environment.requirements:
        path = TOOLS / "requirements" / name
        # Closures with hashes are installed as they are; what the others need, pip resolves.
        hashed = "--hash=" in path.read_text(encoding="utf-8")
        strict = ["--no-deps", "--require-hashes", "--only-binary=:all:"] if hashed else []
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run_step([*pip, *strict, "-r", str(path)])
    (folder / STAMP).touch()
    remove_older(cache, environment.name, folder)
    return python


def packages(python: Path) -> Path:
    """Where the environment of this Python has its packages."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return python.parent.parent / "lib" / version / "site-packages"


def fingerprint(files: list[Path]) -> str:
    digest = hashlib.sha256(f"{sys.version_info[:3]} {sys.executable}".encode())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def run_step(command: list[str]) -> None:
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
        raise SetupError(
            f"`{' '.join(command)}` failed (its message is above). "
            "Without network nothing can be installed; start again when it is back."
        )


def remove_older(cache: Cache, name: str, keep: Path) -> None:
    for folder in cache.root.glob(f"venv-{name}-*"):
        if folder != keep:
            shutil.rmtree(folder, ignore_errors=True)
