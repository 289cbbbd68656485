"""tools/bench/encoder: runs the measurement in an environment that has the peer."""

from __future__ import annotations

import os
import subprocess
import sys

from fetch.environments import GOLDEN_ENVIRONMENT, ensure_environment
from fetch.places import TOOLS, cache_from, child_environment, locked
from fetch.prepare import prepare, prepare_release
from fetch.prerequisites import check_prerequisites
from fetch.report import SetupError, say


def main() -> int:
    cache = cache_from(os.environ)
    try:
        check_prerequisites(rust=False)
        prepare(cache, None)
        prepare_release(cache)
        with locked(cache):
            python = ensure_environment(cache, GOLDEN_ENVIRONMENT)
    except SetupError as error:
        say(str(error))
        return 1
    environment = {**child_environment(cache), "PYTHONPATH": str(TOOLS), "HF_HUB_OFFLINE": "1"}
    command = [str(python), "-m", "bench.encoder_forms", *sys.argv[1:]]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
