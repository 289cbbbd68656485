"""The load generator: wrk in a closed loop, each client asking again as soon as it has its answer.

wrk runs with one thread, so that one list of questions is walked through by all clients; it takes
some 10 µs of processor time for a request, from both services alike.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fetch.report import SetupError

SCRIPT = Path(__file__).with_name("load.lua")
HOW_TO_INSTALL = (
    "the load generator wrk is needed. On Debian and Ubuntu: apt-get install wrk; on other systems "
    "see https://github.com/wg/wrk."
)
# Far beyond what any answer takes, so that no client gives up.
TIMEOUT_S = 120


class LoadError(SetupError):
    """The load generator failed, or the service did."""


@dataclass(frozen=True)
class Loaded:
    """What one run of the load generator found."""

    n_requests: int
    seconds: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    n_failed: int

    @property
    def rate(self) -> float:
        return self.n_requests / self.seconds

    def as_json(self) -> dict[str, float]:
        return {**asdict(self), "rate": self.rate}


@dataclass(frozen=True)
class Questions:
    """A file of paths, and where in it to begin."""

    file: Path
    n_paths: int
    first: int = 0
    # Whether a path that was asked once must not be asked again.
    once: bool = False


def find_wrk() -> str:
    found = shutil.which("wrk")
    if found is None:
        raise SetupError(HOW_TO_INSTALL)
    return found


def drive(wrk: str, address: str, questions: Questions, n_clients: int, seconds: int) -> Loaded:
    command = wrk_command(wrk, address, questions, n_clients, seconds)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LoadError(f"wrk failed: {(done.stderr or done.stdout).strip()}")
    loaded = parse(done.stdout)
    if questions.once and questions.first + loaded.n_requests + n_clients > questions.n_paths:
        raise LoadError("there were too few questions that are asked only once")
    return loaded


def wrk_command(
    wrk: str, address: str, questions: Questions, n_clients: int, seconds: int
) -> list[str]:
    load = ["--threads", "1", "--connections", str(n_clients), "--duration", f"{seconds}s"]
    patience = ["--timeout", f"{TIMEOUT_S}s", "--script", str(SCRIPT)]
    return [wrk, *load, *patience, address, "--", str(questions.file), str(questions.first)]


def parse(output: str) -> Loaded:
    """The line of load.lua, among what wrk says for people."""
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if len(lines) != 1:
        raise LoadError(f"wrk said nothing that could be understood: {output.strip()!r}")
    found = json.loads(lines[0])
    if found["requests"] == 0:
        raise LoadError("not one request was answered")
    return Loaded(
        n_requests=found["requests"],
        seconds=found["duration_us"] / 1e6,
        p50_ms=found["p50_us"] / 1e3,
        p90_ms=found["p90_us"] / 1e3,
        p99_ms=found["p99_us"] / 1e3,
        max_ms=found["max_us"] / 1e3,
        n_failed=found["bad_status"] + found["broken"] + found["timeouts"],
    )


def write_paths(file: Path, paths: Sequence[str]) -> Questions:
    file.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    return Questions(file, len(paths))
