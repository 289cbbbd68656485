"""Services as processes: started on a free port, watched through /proc, ended by their id."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetch.report import SetupError, say

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# How often a service that starts is asked. Times of starts are as exact as this.
POLL_S = 0.005
PATIENCE_S = 600.0
END_PATIENCE_S = 30.0
# A service is at rest when it takes less than this share of one processor over so many seconds.
REST_SHARE, REST_S = 0.02, 1.0


@dataclass(frozen=True)
class Program:
    """How a service is started; `arguments` makes the command line for a port."""

    name: str
    arguments: Callable[[int], Sequence[str]]
    environment: Mapping[str, str]
    log: Path


@dataclass(frozen=True)
class Running:
    program: Program
    process: subprocess.Popen[bytes]
    port: int
    started: float

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str) -> tuple[int, Any]:
        """Status and body; (0, None) while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (ConnectionError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()

    def seconds_until(self, path: str) -> float:
        """Since the start, until the path is answered with 200."""
        while self.ask(path)[0] != 200:
            self.must_live()
            if time.monotonic() - self.started > PATIENCE_S:
                raise SetupError(f"{self.program.name} did not answer {path}")
            time.sleep(POLL_S)
        return time.monotonic() - self.started

    def must_live(self) -> None:
        if self.process.poll() is not None:
            said = self.program.log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise SetupError(f"{self.program.name} ended:\n{said}")

    def wait_for_rest(self) -> None:
        """Until whatever is computed in the background is done."""
        before = self.processor_s()
        while True:
            time.sleep(REST_S)
            self.must_live()
            now = self.processor_s()
            if now - before < REST_SHARE * REST_S:
                return
            before = now

    def processor_s(self) -> float:
        return processor_s(Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii"))

    def memory_mb(self) -> dict[str, float]:
        """Resident now, and at most so far."""
        return memory_mb(Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii"))


def processor_s(stat: str) -> float:
    """User and system time out of /proc/PID/stat; the name in it may hold anything but `)`."""
    fields = stat[stat.rindex(")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def memory_mb(status: str) -> dict[str, float]:
    """Out of /proc/PID/status, where a process that has just ended has none of it."""
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    names = {"resident": "VmRSS", "peak": "VmHWM"}
    return {
        name: int(lines[line].split()[0]) * 1024 / 1e6
        for name, line in names.items()
        if line in lines
    }


@contextmanager
def running(program: Program) -> Iterator[Running]:
    port = free_port()
    with program.log.open("wb") as log:
        started = time.monotonic()
        process = subprocess.Popen(
            list(program.arguments(port)),
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield Running(program, process, port, started)
    finally:
        process.terminate()
        try:
            process.wait(END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def ending_well() -> Iterator[None]:
    """What goes wrong is said in a line, and every end, a signal too, takes the way out on which
    the services are ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    except (SetupError, ValueError) as error:
        say(str(error))
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        say("stopped; nothing is written")
        raise SystemExit(130) from None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def busy_s() -> float:
    """Processor time of the whole machine so far, idle time left out."""
    fields = [
        int(field) for field in Path("/proc/stat").read_text("ascii").split("\n")[0].split()[1:]
    ]
    return (sum(fields[:3]) + sum(fields[5:8])) / TICKS_PER_S
