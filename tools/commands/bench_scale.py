"""tools/bench/scale: builds the daemon, then runs the ladder in an environment that draws."""

from __future__ import annotations

import os
import subprocess
import sys

from commands.run import build
from fetch.environments import RANKING_ENVIRONMENT, ensure_environment
from fetch.places import TOOLS, cache_from, child_environment, locked
from fetch.prerequisites import check_prerequisites
from fetch.report import SetupError, say


def main() -> int:
    cache = cache_from(os.environ)
    environment = {**child_environment(cache), "PYTHONPATH": str(TOOLS)}
    asks_for_help = bool({"-h", "--help"} & set(sys.argv[1:]))
    marquee: list[str] = []
    try:
        check_prerequisites(rust=not asks_for_help)
        with locked(cache):
            python = ensure_environment(cache, RANKING_ENVIRONMENT)
        if not asks_for_help and "--marquee" not in sys.argv[1:]:
            marquee = ["--marquee", str(build(environment))]
    except SetupError as error:
        say(str(error))
        return 1
    command = [str(python), "-m", "bench.scale", *marquee, *sys.argv[1:]]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
