"""tools/bench/vectors: runs the measurement in an environment that draws."""

from __future__ import annotations

import os
import subprocess
import sys

from fetch.environments import RANKING_ENVIRONMENT, ensure_environment
from fetch.places import TOOLS, cache_from, child_environment, locked
from fetch.prerequisites import check_prerequisites
from fetch.report import SetupError, say


def main() -> int:
    cache = cache_from(os.environ)
    environment = {**child_environment(cache), "PYTHONPATH": str(TOOLS)}
    try:
        check_prerequisites(rust=False)
        with locked(cache):
            python = ensure_environment(cache, RANKING_ENVIRONMENT)
    except SetupError as error:
        say(str(error))
        return 1
    command = [str(python), "-m", "bench.vector_index", *sys.argv[1:]]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
