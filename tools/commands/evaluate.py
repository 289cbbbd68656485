"""tools/evaluate top-n|rating --train T.csv --test S.csv [--movies DIR] [ARGUMENTS …]

Takes the arguments of `marquee evaluate`, builds, trains the models of the default configuration on
the train file alone, and runs `marquee evaluate` with them. The files are MovieLens CSV (userId,
movieId, rating, timestamp); DIR is a folder of movies that the importer reads.

  top-n     trains the ranking model (LightGBM)
  rating    trains the rating network (PyTorch)

What else `marquee evaluate` takes (--ask-at, --recommendations, --predictions, --json, …) is passed
on; see `tools/run evaluate --help`. Its answer goes to the output stream, everything else to the
error stream. The folders made on the way are temporary (TMPDIR says where).
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from commands.run import build
from commands.train import run_training
from fetch.places import Cache, cache_from, child_environment
from fetch.prepare import prepare
from fetch.prerequisites import check_prerequisites
from fetch.report import SetupError, say
from marquee_models.exit_codes import TOO_FEW_EXAMPLES


@dataclass(frozen=True)
class Task:
    """What is trained for it, and what the export must hold beside movies and ratings."""

    kind: str
    export_options: tuple[str, ...] = ()


TASKS = {
    "top-n": Task("ranking-model", ("--ranking-examples",)),
    "rating": Task("rating-network"),
}


@dataclass(frozen=True)
class Request:
    task: str
    train: Path
    test: Path
    movies: Path | None
    passed_on: tuple[str, ...]
    # Of the trainer.
    settings: tuple[str, ...] = ()

    def data_arguments(self) -> list[str]:
        """What tells marquee of the data to learn from."""
        movies = [] if self.movies is None else ["--movies", str(self.movies)]
        return ["--train", str(self.train), *movies]


def main() -> int:
    arguments = sys.argv[1:]
    if not arguments or arguments in (["--help"], ["-h"]):
        print(__doc__)
        return 0 if arguments else 2
    # Ends like an error does, so that the temporary folder goes too.
    signal.signal(signal.SIGTERM, stop)
    try:
        return evaluate(understand(arguments), cache_from(os.environ))
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return 130


def stop(*_: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


def understand(arguments: Sequence[str]) -> Request:
    parser = argparse.ArgumentParser(prog="tools/evaluate", add_help=False, allow_abbrev=False)
    parser.add_argument("task", choices=tuple(TASKS))
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--movies", type=Path)
    ours, passed_on = parser.parse_known_args(arguments)
    for path in (ours.train, ours.test):
        if not path.is_file():
            raise SetupError(f"{path} is not a file")
    if ours.movies is not None and not ours.movies.is_dir():
        raise SetupError(f"{ours.movies} is not a folder")
    return Request(ours.task, ours.train, ours.test, ours.movies, tuple(passed_on))


def evaluate(request: Request, cache: Cache, output: IO[bytes] | None = None) -> int:
    """`output` takes the answer; None: the output stream."""
    check_prerequisites(rust=True)
    prepare(cache, None)
    environment = child_environment(cache)
    marquee = str(build(environment))
    with tempfile.TemporaryDirectory(prefix="marquee-evaluate-") as folder:
        work = Path(folder)
        export(request, [marquee, "--data-dir", str(work / "data")], work / "export", environment)
        artifacts = work / "artifacts"
        artifacts.mkdir()
        train(request, cache, work / "export", artifacts)
        say("evaluating")
        sys.stderr.flush()
        command = [marquee, "--data-dir", str(work / "data"), "evaluate", request.task]
        data = [*request.data_arguments(), "--test", str(request.test)]
        models = ["--artifacts", str(artifacts)]
        whole = [*command, *data, *models, *request.passed_on]
        return subprocess.run(whole, env=environment, check=False, stdout=output).returncode


def export(request: Request, marquee: list[str], target: Path, environment: dict[str, str]) -> None:
    say(f"writing what is learnt from {request.train}")
    options = [*request.data_arguments(), *TASKS[request.task].export_options]
    command = [*marquee, "export", str(target), *options]
    if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode != 0:
        raise SetupError("marquee could not write it; its message is above")


def train(request: Request, cache: Cache, data: Path, artifacts: Path) -> None:
    kind = TASKS[request.task].kind
    say(f"training a {kind} on it")
    started = time.monotonic()
    arguments = ["--data", str(data), "--out", str(artifacts / kind), *request.settings]
    code = run_training(cache, kind, [*arguments, "--data-set", request.train.name])
    if code == TOO_FEW_EXAMPLES:
        say(f"going on without a {kind}, as the daemon would")
    elif code != 0:
        raise SetupError(f"training the {kind} failed; its message is above")
    else:
        say(f"trained in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
