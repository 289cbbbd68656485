"""Where things are: the checkout, the cache folder and what it holds."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fetch.report import say

CHECKOUT = Path(__file__).resolve().parents[2]
TOOLS = CHECKOUT / "tools"
RUNTIME_VERSION = "1.32.0"
ENCODER_NAME = "all-mpnet-base-v2"
# The forms of the text encoder, by what its weights are, and the names of the artifacts.
ENCODERS = {"fp32": ENCODER_NAME, "int8": f"{ENCODER_NAME}-int8"}
NETWORK_NAME = "rating-network-ml-100k"


@dataclass(frozen=True)
class Cache:
    root: Path

    @property
    def downloads(self) -> Path:
        return self.root / "downloads"

    @property
    def runtime_library(self) -> Path:
        return self.root / "onnxruntime" / RUNTIME_VERSION / "libonnxruntime.so"

    @property
    def encoder_release(self) -> Path:
        return self.root / ENCODER_NAME

    def encoder_artifact(self, weights: str) -> Path:
        return self.root / "artifacts" / ENCODERS[weights]

    @property
    def movielens(self) -> Path:
        return self.root / "data" / "ml-100k"

    @property
    def target(self) -> Path:
        return self.root / "target"


def cache_from(environment: Mapping[str, str]) -> Cache:
    """`MARQUEE_CACHE`, else `marquee` in `XDG_CACHE_HOME`, else `~/.cache/marquee`."""
    if environment.get("MARQUEE_CACHE"):
        return Cache(Path(environment["MARQUEE_CACHE"]).expanduser().absolute())
    if environment.get("XDG_CACHE_HOME"):
        return Cache(Path(environment["XDG_CACHE_HOME"]).absolute() / "marquee")
    return Cache(Path.home() / ".cache" / "marquee")


@contextmanager
def locked(cache: Cache) -> Iterator[None]:
    """One process at a time prepares the cache; the lock dies with its holder."""
    cache.root.mkdir(parents=True, exist_ok=True)
    with (cache.root / ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another command is preparing the cache; waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def child_environment(cache: Cache) -> dict[str, str]:
    """The environment for the commands started here: the user's, and where the cache is."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["MARQUEE_CACHE"] = str(cache.root)
    environment.setdefault("ORT_DYLIB_PATH", str(cache.runtime_library))
    # ONNX Runtime would keep a file of usage events in the user's cache folder.
    environment["ORT_DISABLE_TELEMETRY"] = "1"
    target = environment.get("CARGO_TARGET_DIR") or str(cache.target)
    environment["CARGO_TARGET_DIR"] = str(Path(target).absolute())
    return environment
