"""tools/run [--model-dir DIR] [MARQUEE ARGUMENTS …]

From a fresh clone to a serving daemon: checks what the machine has, fetches what is missing into
the cache folder, builds, and runs `marquee` with the arguments (none: `serve`). When the data
folder has no store yet, MovieLens 100K is imported first, and the models of the default data are
dropped in.

  tools/run                                         serve on 127.0.0.1:8000 from ./data
  tools/run --data-dir DIR serve --listen 127.0.0.1:9000
  tools/run import FOLDER                           any other command of marquee

The first time takes 5 to 15 minutes, most of it the build; later ones a second. Options of this
command itself:
  --model-dir DIR   (or MARQUEE_MODEL_DIR) an all-mpnet-base-v2 folder you already have
  --encoder FORM    (or MARQUEE_ENCODER) the text encoder: int8 (8-bit products: faster, smaller,
                    nearly the same vectors) or fp32 (as released). Default: what the data folder
                    has; else int8 where the processor has instructions for it
  MARQUEE_CACHE     where fetched files and the build go (default ~/.cache/marquee)
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from commands.build import claim_target
from commands.models import default_encoder, kinds_present, place_artifact, place_encoder
from fetch.places import (
    CHECKOUT,
    ENCODERS,
    NETWORK_NAME,
    Cache,
    cache_from,
    child_environment,
)
from fetch.prepare import prepare
from fetch.prerequisites import check_prerequisites
from fetch.report import SetupError, say

# Commands that read the store, so that an empty one is first filled with the default data.
DATA_COMMANDS = {"serve", "export"}
GLOBAL_OPTIONS_WITH_VALUE = {"--config", "--data-dir"}
INFORMATION = {"-h", "--help", "-V", "--version"}


@dataclass(frozen=True)
class Request:
    """The command line, understood as far as this command must."""

    marquee_arguments: list[str]
    command: str
    data_dir: Path
    model_dir: Path | None
    wants_data: bool
    # None: nobody chose.
    encoder: str | None = None


def main() -> int:
    try:
        request = understand(sys.argv[1:], os.environ.get("MARQUEE_MODEL_DIR"))
        if request is None:
            print(__doc__)
            return 0
        return run(request, cache_from(os.environ))
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("stopped; what is already there is kept")
        return 130


def understand(arguments: Sequence[str], model_dir: str | None) -> Request | None:
    """None: only this command's own help is asked for."""
    if list(arguments) in (["--help"], ["-h"]):
        return None
    ours, rest = take_option(list(arguments), "--model-dir")
    model_dir = ours or model_dir
    encoder, rest = take_option(rest, "--encoder")
    encoder = encoder or os.environ.get("MARQUEE_ENCODER") or None
    if encoder is not None and encoder not in ENCODERS:
        raise SetupError(f"--encoder is one of {', '.join(ENCODERS)}, not {encoder}")
    command, data_dir = scan(rest)
    informing = bool(INFORMATION.intersection(rest))
    if command is None and not informing:
        command, rest = "serve", [*rest, "serve"]
    if data_dir is None:
        data_dir = os.environ.get("MARQUEE_STORE__DATA_DIR") or configured_data_dir(rest)
    if data_dir is None:
        data_dir = str(CHECKOUT / "data")
        # Before the command, so that a --data-dir behind it would still win.
        rest = ["--data-dir", data_dir, *rest]
    return Request(
        marquee_arguments=rest,
        command=command or "",
        data_dir=Path(data_dir).absolute(),
        model_dir=Path(model_dir).absolute() if model_dir else None,
        wants_data=command in DATA_COMMANDS and not informing,
        encoder=encoder,
    )


def configured_data_dir(arguments: Sequence[str]) -> str | None:
    """`data_dir` of `[store]` in the configuration file that marquee will read, if it has one."""
    named = config_option(arguments)
    path = named[1] if named else os.environ.get("MARQUEE_CONFIG")
    if not path:
        return None
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None  # marquee says what is wrong with it
    section = ""
    for line in lines:
        header = re.match(r"\s*\[\s*([\w.-]+)\s*\]", line)
        if header:
            section = header[1] + "."
        setting = re.match(r"\s*([\w.-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", line)
        if setting and section + setting[1] == "store.data_dir":
            return setting[2] or setting[3]
    return None


def take_option(arguments: list[str], name: str) -> tuple[str | None, list[str]]:
    """Removes `name VALUE` or `name=VALUE` from the arguments."""
    for place, word in enumerate(arguments):
        if word == name:
            if place + 1 == len(arguments):
                raise SetupError(f"{name} needs a value")
            return arguments[place + 1], arguments[:place] + arguments[place + 2 :]
        if word.startswith(f"{name}="):
            return word.split("=", 1)[1], arguments[:place] + arguments[place + 1 :]
    return None, arguments


def scan(arguments: Sequence[str]) -> tuple[str | None, str | None]:
    """The marquee command (the first word that is no global option) and the data folder, if
    given."""
    command, data_dir, waiting = None, None, None
    for word in arguments:
        if waiting is not None:
            data_dir = word if waiting == "--data-dir" else data_dir
            waiting = None
        elif word in GLOBAL_OPTIONS_WITH_VALUE:
            waiting = word
        elif word.startswith("--data-dir="):
            data_dir = word.split("=", 1)[1]
        elif command is None and not word.startswith("-"):
            command = word
    return command, data_dir


def run(request: Request, cache: Cache) -> int:
    check_prerequisites(rust=True)
    models = request.data_dir / "models"
    is_there = request.encoder is None and "text-encoder" in kinds_present(models)
    encoder = request.encoder or default_encoder()
    prepare(cache, request.model_dir, () if is_there else (encoder,))
    environment = child_environment(cache)
    binary = build(environment)
    if request.wants_data:
        place_encoder(cache, models, encoder, request.encoder is not None)
        import_default_data(request, cache, binary, environment)
    arguments = [str(binary), *request.marquee_arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(binary, arguments, environment)


def build(environment: dict[str, str]) -> Path:
    """cargo looks for its settings from the folder it runs in, hence the checkout."""
    binary = Path(environment["CARGO_TARGET_DIR"]) / "release" / "marquee"
    if not binary.exists():
        say("building marquee (the first time 4 to 12 minutes)")
    claim_target(environment)
    started = time.monotonic()
    command = ["cargo", "build", "--release", "--locked", "--bin", "marquee"]
    quiet = ["--quiet"] if binary.exists() and not sys.stderr.isatty() else []
    done = subprocess.run(
        [*command, *quiet], cwd=CHECKOUT, env=environment, stdout=sys.stderr, check=False
    )
    if done.returncode != 0:
        raise SetupError("the build failed; cargo's message is above")
    if time.monotonic() - started > 5:
        say(f"built in {time.monotonic() - started:.0f} s")
    return binary


def import_default_data(
    request: Request, cache: Cache, binary: Path, environment: dict[str, str]
) -> None:
    store = request.data_dir / "store"
    # There from before the import until after it: an import that was killed is made again.
    unfinished = store / ".default-import"
    if (store / "marquee.redb").exists() and not unfinished.exists():
        return
    store.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    say(f"{request.data_dir} has no store yet: importing MovieLens 100K")
    options = config_option(request.marquee_arguments)
    command = [str(binary), *options, "--data-dir", str(request.data_dir), "import"]
    overviews = CHECKOUT / "data" / "overviews.csv"
    with_overviews = ["--overviews", str(overviews)] if overviews.is_file() else []
    arguments = [*command, str(cache.movielens), *with_overviews]
    if subprocess.run(arguments, env=environment, stdout=sys.stderr, check=False).returncode != 0:
        raise SetupError("the import failed; its message is above")
    unfinished.unlink()
    models = request.data_dir / "models"
    network = CHECKOUT / "data" / "artifacts" / NETWORK_NAME
    if network.is_dir() and "rating-network" not in kinds_present(models):
        place_artifact(network, models / NETWORK_NAME)


def config_option(arguments: Sequence[str]) -> list[str]:
    config, _ = take_option(list(arguments), "--config")
    return ["--config", config] if config else []


if __name__ == "__main__":
    sys.exit(main())
