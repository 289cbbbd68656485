"""tools/train KIND ARGUMENTS …

Makes a model artifact; drop the folder it writes anywhere below the daemon's models folder.

  tools/train rating-network --data EXPORT_DIR --out DIR
      trains with PyTorch on what `marquee export` wrote
  tools/train convert-checkpoint --checkpoint FILE --description FILE --movies DIR --out DIR
      takes a PyTorch checkpoint of the original network that was trained elsewhere
  tools/train ranking-model --data EXPORT_DIR --out DIR
      trains with LightGBM on what `marquee export --ranking-examples` wrote; needs no PyTorch
  tools/train item-item-model --data EXPORT_DIR --out DIR
      fits neighbour lists with numpy on what `marquee export` wrote; needs no PyTorch
  tools/train text-encoder --model-dir DIR --out DIR
      exports an MPNet sentence encoder; needs no PyTorch

`tools/train KIND --help` lists the options. The first training makes an environment with PyTorch in
the cache (see tools/README.md for its size). MARQUEE_TRAINING_PYTHON=/path/to/python uses one of
your own instead, with torch (lightgbm for the ranking model), numpy, onnx, tqdm and matplotlib; and
with onnxruntime and tokenizers, to embed overviews for the rating network.
"""

from __future__ import annotations

import os
import subprocess
import sys

from fetch.environments import (
    RANKING_ENVIRONMENT,
    TOOLS_ENVIRONMENT,
    TRAINING_ENVIRONMENT,
    Environment,
    ensure_environment,
)
from fetch.places import TOOLS, Cache, cache_from, child_environment, locked
from fetch.prerequisites import check_prerequisites
from fetch.report import SetupError, say

KINDS = {
    "rating-network": ("marquee_models.train", TRAINING_ENVIRONMENT),
    "convert-checkpoint": ("marquee_models.convert", TRAINING_ENVIRONMENT),
    "ranking-model": ("marquee_models.train_ranking", RANKING_ENVIRONMENT),
    "item-item-model": ("marquee_models.train_item_item", TOOLS_ENVIRONMENT),
    "text-encoder": ("marquee_models.encoder", TOOLS_ENVIRONMENT),
}


def main() -> int:
    arguments = sys.argv[1:]
    if not arguments or arguments[0] not in KINDS:
        print(__doc__)
        return 0 if arguments in (["--help"], ["-h"]) else 2
    try:
        check_prerequisites(rust=False)
        return run_training(cache_from(os.environ), arguments[0], arguments[1:])
    except SetupError as error:
        say(str(error))
        return 1


def run_training(cache: Cache, kind: str, arguments: list[str]) -> int:
    """The exit code of the module that makes this kind."""
    module, environment = KINDS[kind]
    python = python_for(cache, environment)
    variables = {**child_environment(cache), "PYTHONPATH": str(TOOLS)}
    command = [python, "-m", module, *arguments]
    # What it says is no answer of ours: the output stream may belong to one.
    return subprocess.run(command, env=variables, stdout=sys.stderr, check=False).returncode


def python_for(cache: Cache, environment: Environment) -> str:
    own = os.environ.get("MARQUEE_TRAINING_PYTHON")
    if own and environment in (TRAINING_ENVIRONMENT, RANKING_ENVIRONMENT):
        return own
    with locked(cache):
        return str(ensure_environment(cache, environment))


if __name__ == "__main__":
    sys.exit(main())
