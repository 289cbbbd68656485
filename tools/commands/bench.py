"""tools/bench/run, profile and page: becomes a module of bench/, in the environment that it needs
and with a daemon that is built."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from commands.run import build, take_option
from fetch.environments import BENCH_ENVIRONMENT, ensure_environment
from fetch.places import TOOLS, Cache, cache_from, child_environment, locked
from fetch.prepare import prepare, prepare_release
from fetch.prerequisites import check_prerequisites
from fetch.report import SetupError, say

MODULES = {"run": "bench.compare", "profile": "bench.profile_routes", "page": "bench.page"}
INFORMATION = {"-h", "--help"}


def main() -> int:
    name, *arguments = sys.argv[1:]
    cache = cache_from(os.environ)
    try:
        check_prerequisites(rust=False)
        python, arguments = made_ready(cache, name, arguments)
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return 130
    variables = {**child_environment(cache), "PYTHONPATH": str(TOOLS)}
    sys.stderr.flush()
    return os.execve(python, [python, "-m", MODULES[name], *arguments], variables)


def made_ready(cache: Cache, name: str, arguments: list[str]) -> tuple[str, list[str]]:
    """The Python to take, and the arguments with the daemon among them."""
    if name == "page":
        return sys.executable, arguments
    with locked(cache):
        python = str(ensure_environment(cache, BENCH_ENVIRONMENT))
    if INFORMATION.intersection(arguments):
        return python, arguments
    prepare(cache, None)
    prepare_release(cache)
    return python, with_program(cache, arguments)


def with_program(cache: Cache, arguments: list[str]) -> list[str]:
    """Builds the daemon, unless --marquee names one."""
    named, rest = take_option(arguments, "--marquee")
    if named is None:
        check_prerequisites(rust=True)
        named = str(build(child_environment(cache)))
    return ["--marquee", str(Path(named).absolute()), *rest]


if __name__ == "__main__":
    sys.exit(main())
