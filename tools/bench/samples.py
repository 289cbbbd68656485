"""Samples of what a program of ours does, taken by perf while something happens."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.costs import Stack, cost_table, costs, folded, largest, parse
from bench.processes import POLL_S
from bench.report import Table
from fetch.report import SetupError, say

SAMPLES_PER_S = 499
# A request of the daemon's lies within 8 kB of stack; perf copies so much for each sample.
CALL_GRAPH = "dwarf,8192"
INFERNO = "inferno-flamegraph"
# Narrower frames, in percent, are left out of the pictures.
MIN_WIDTH = "0.4"
PERF = (
    "perf is needed: package linux-perf on Debian, linux-tools-generic on Ubuntu; "
    "and kernel.perf_event_paranoid at most 2."
)


def check_perf() -> None:
    if shutil.which("perf") is None:
        raise SetupError(PERF)


@contextmanager
def sampling(pid: int, stacks: list[Stack]) -> Iterator[None]:
    """From here to the end of the block; the stacks are there after it."""
    with tempfile.TemporaryDirectory(prefix="marquee-profile-") as folder:
        recorded = Path(folder) / "perf.data"
        with recording(pid, recorded):
            yield
        stacks.extend(parse(script(recorded).splitlines()))


@contextmanager
def recording(pid: int, target: Path) -> Iterator[None]:
    how = ["--freq", str(SAMPLES_PER_S), "--call-graph", CALL_GRAPH, "--output", str(target)]
    command = ["perf", "record", "--quiet", *how, "--pid", str(pid)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as perf:
        try:
            # Its file is there once it would also end in good order.
            while not target.exists():
                if perf.poll() is not None:
                    raise SetupError(f"perf recorded nothing. {PERF}")
                time.sleep(POLL_S)
            yield
        finally:
            if perf.poll() is None:
                perf.send_signal(signal.SIGINT)
            perf.wait()


def script(recorded: Path) -> str:
    fields = ["--fields", "comm,ip,sym,dso", "--no-inline"]
    command = ["perf", "script", "--input", str(recorded), *fields]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SetupError(f"perf script failed: {done.stderr.strip()}")
    return done.stdout


def profiled(pid: int, picture: Path, title: str, drive: Callable[[], float]) -> Table:
    """What the program spends its time on while it is driven; `drive` returns requests/s."""
    stacks: list[Stack] = []
    with sampling(pid, stacks):
        rate = drive()
    draw(picture, stacks, title)
    found = costs(stacks)
    text = f"{largest(found)} While watched: {rate:,.0f} requests/s; {len(stacks)} samples."
    return cost_table(title[0].upper() + title[1:], found, text)


def draw(target: Path, stacks: list[Stack], title: str) -> None:
    """A flame graph, where there is a program that makes one."""
    if shutil.which(INFERNO) is None:
        say(f"no flame graph: {INFERNO} is not installed (cargo install inferno)")
        return
    command = [INFERNO, "--title", title, "--minwidth", MIN_WIDTH, "--deterministic"]
    lines = "".join(f"{line}\n" for line in folded(stacks))
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SetupError(f"{INFERNO} failed: {done.stderr.strip()}")
    target.write_text(done.stdout, encoding="utf-8")
