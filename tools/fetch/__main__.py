"""`python -m fetch`: prepares the cache and nothing else."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from fetch.places import cache_from
from fetch.prepare import prepare
from fetch.prerequisites import check_prerequisites
from fetch.report import SetupError, say


def main() -> int:
    parser = argparse.ArgumentParser(prog="fetch", description="Fetches what the daemon needs.")
    default = os.environ.get("MARQUEE_MODEL_DIR") or None
    parser.add_argument("--model-dir", type=Path, default=default, help="a model folder you have")
    options = parser.parse_args()
    try:
        check_prerequisites(rust=False)
        prepare(cache_from(os.environ), options.model_dir and Path(options.model_dir).absolute())
    except SetupError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
