"""tools/bench/generate: runs the generator in an environment that has numpy and tqdm."""

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
    try:
        check_prerequisites(rust=False)
        with locked(cache):
            python = ensure_environment(cache, RANKING_ENVIRONMENT)
    except SetupError as error:
        say(str(error))
        return 1
    environment = {**child_environment(cache), "PYTHONPATH": str(TOOLS)}
    command = [str(python), "-m", "bench.synthetic", *sys.argv[1:]]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
