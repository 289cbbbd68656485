"""tools/bench/generate and vectors: runs a module of bench/ in an environment with numpy and tqdm
that can draw, without building anything."""

from __future__ import annotations

import os
import subprocess
import sys

from fetch.environments import RANKING_ENVIRONMENT, ensure_environment
from fetch.places import TOOLS, cache_from, child_environment, locked
from fetch.prerequisites import check_prerequisites
from fetch.report import SetupError, say


def main() -> int:
    name, *arguments = sys.argv[1:]
    cache = cache_from(os.environ)
    try:
        check_prerequisites(rust=False)
        with locked(cache):
            python = ensure_environment(cache, RANKING_ENVIRONMENT)
    except SetupError as error:
        say(str(error))
        return 1
    environment = {**child_environment(cache), "PYTHONPATH": str(TOOLS)}
    command = [str(python), "-m", f"bench.{name}", *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
