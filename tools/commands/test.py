"""tools/test [--training] [--only WORD …]

Everything the checks run, each step with its time, with a summary at the end; exits non-zero when
a step failed. The assets that the tests read are fetched first. A clean clone takes some 15 to 30
minutes, nearly all of it compiling; a second run a few minutes.

  --training    also the tests that train (makes environments with PyTorch and with LightGBM)
  --only WORD   only steps whose name contains WORD; may be repeated
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from commands.build import claim_target
from fetch.environments import (
    CONTRACT_ENVIRONMENT,
    RANKING_ENVIRONMENT,
    TEST_ENVIRONMENT,
    TRAINING_ENVIRONMENT,
    ensure_environment,
)
from fetch.places import CHECKOUT, TOOLS, Cache, cache_from, child_environment, locked
from fetch.prepare import prepare
from fetch.prerequisites import check_prerequisites
from fetch.report import SetupError, say


@dataclass(frozen=True)
class Step:
    name: str
    command: tuple[str, ...]
    folder: Path = CHECKOUT
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Outcome:
    step: Step
    passed: bool
    seconds: float


# Marker of tests → the environment they train in.
TRAININGS = {"training": TRAINING_ENVIRONMENT, "ranking": RANKING_ENVIRONMENT}
# Programs that a check needs and not every machine has, with what cannot be checked without them.
OPTIONAL_PROGRAMS = {"systemd-analyze": "the syntax of tools/systemd/marquee.service"}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tools/test", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--training", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--only", action="append", default=[], help=argparse.SUPPRESS)
    options = parser.parse_args()
    cache = cache_from(os.environ)
    try:
        check_prerequisites(rust=True)
        model_dir = os.environ.get("MARQUEE_MODEL_DIR")
        prepare(cache, Path(model_dir).absolute() if model_dir else None)
        python, trainers = environments(cache, options.training)
        steps = [
            *rust_steps(trainers),
            *python_steps(python, trainers),
            *content_steps(),
            contract_step(cache),
        ]
    except SetupError as error:
        say(str(error))
        return 1
    chosen = [
        step for step in steps if not options.only or any(w in step.name for w in options.only)
    ]
    environment = child_environment(cache)
    claim_target(environment)
    outcomes = [run_step(step, environment) for step in chosen]
    return summarise(outcomes, skipped_checks())


def environments(cache: Cache, training: bool) -> tuple[str, dict[str, str]]:
    """The Python of the tests, and for each kind of training its own."""
    with locked(cache):
        python = str(ensure_environment(cache, TEST_ENVIRONMENT))
        trainers = {
            marker: str(ensure_environment(cache, environment))
            for marker, environment in (TRAININGS if training else {}).items()
        }
    return python, trainers


def rust_steps(trainers: dict[str, str]) -> list[Step]:
    # With PyTorch at hand, the test of tools/MODELS.md trains in earnest.
    training = tuple(
        ("MARQUEE_TRAINING_PYTHON", python)
        for marker, python in trainers.items()
        if marker == "training"
    )
    lints = ("cargo", "clippy", "--release", "--all-targets", "--locked", "--", "-D", "warnings")
    documents = ("cargo", "doc", "--release", "--no-deps", "--locked", "--document-private-items")
    return [
        Step("rust format", ("cargo", "fmt", "--check")),
        Step("rust lints", lints),
        Step("rust tests", ("cargo", "test", "--release", "--locked"), environment=training),
        Step("rust documents", documents, environment=(("RUSTDOCFLAGS", "-D warnings"),)),
    ]


def python_steps(python: str, trainers: dict[str, str]) -> list[Step]:
    def step(name: str, *arguments: str, with_python: str = python) -> Step:
        return Step(name, (with_python, "-m", *arguments), TOOLS)

    steps = [
        step("python format", "ruff", "format", "--check", "."),
        step("python lints", "ruff", "check", "."),
        step("python types", "mypy", "."),
        step("script types", "mypy", "--scripts-are-modules", "check_overviews"),
        step("python tests", "pytest", "-m", " and ".join(f"not {m}" for m in TRAININGS)),
        step(
            "manifests", "marquee_models.manifest", *(str(path) for path in committed_artifacts())
        ),
    ]
    for marker, trainer in trainers.items():
        steps.append(step(f"python {marker}", "pytest", "-m", marker, with_python=trainer))
    return steps


def contract_step(cache: Cache) -> Step:
    """A daemon against its own contract, with the program that the tests have built."""
    with locked(cache):
        python = ensure_environment(cache, CONTRACT_ENVIRONMENT)
    marquee = Path(child_environment(cache)["CARGO_TARGET_DIR"]) / "release" / "marquee"
    command = (sys.executable, "-m", "commands.contract", str(python.parent / "st"), str(marquee))
    return Step("http contract", command, TOOLS)


def committed_artifacts() -> list[Path]:
    manifests = [
        path
        for folder in ("data/artifacts", "tests/fixtures/artifacts")
        for path in (CHECKOUT / folder).rglob("manifest.json")
    ]
    return sorted(path.parent for path in manifests)


def content_steps() -> list[Step]:
    script = TOOLS / "check_overviews"
    candidates = [script] if script.is_file() else sorted(script.glob("check*"))
    return [Step("overviews", (str(path),)) for path in candidates if os.access(path, os.X_OK)]


def run_step(step: Step, environment: dict[str, str]) -> Outcome:
    say(f"── {step.name}: {' '.join(shorten(word) for word in step.command)}")
    started = time.monotonic()
    full = {**environment, **dict(step.environment)}
    passed = subprocess.run(step.command, cwd=step.folder, env=full, check=False).returncode == 0
    seconds = time.monotonic() - started
    say(f"── {step.name}: {'passed' if passed else 'FAILED'} after {seconds:.1f} s")
    return Outcome(step, passed, seconds)


def shorten(word: str) -> str:
    """Paths inside the checkout and the environment's Python, as a person would write them."""
    if word.endswith("/bin/python"):
        return "python"
    return os.path.relpath(word, CHECKOUT) if word.startswith(f"{CHECKOUT}/") else word


def skipped_checks() -> list[str]:
    return [
        f"{what} ({program} is not installed)"
        for program, what in OPTIONAL_PROGRAMS.items()
        if shutil.which(program) is None
    ]


def summarise(outcomes: list[Outcome], skipped: Sequence[str] = ()) -> int:
    print("\nsummary of the steps:", flush=True)
    for outcome in outcomes:
        mark = "ok    " if outcome.passed else "FAILED"
        print(f"  {mark} {outcome.seconds:8.1f} s  {outcome.step.name}")
    for check in skipped:
        print(f"  skipped            {check}")
    n_failed = sum(not outcome.passed for outcome in outcomes)
    print(
        f"{len(outcomes) - n_failed} passed, {n_failed} failed, {len(skipped)} skipped", flush=True
    )
    return 1 if n_failed or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
