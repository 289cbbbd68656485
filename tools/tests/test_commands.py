"""The entry points: how arguments are understood, and a whole run with a fake cargo and marquee."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from commands.evaluate import understand as understand_evaluation
from commands.models import default_encoder, kinds_present, place_artifact, place_encoder
from commands.run import understand
from commands.test import Outcome, Step, skipped_checks, summarise
from fetch.assets import encoder_release, movielens, runtime
from fetch.place import STAMP, stamp_text
from fetch.places import CHECKOUT, ENCODERS, TOOLS, Cache
from fetch.prepare import encoder_stamp, exporter_fingerprint
from fetch.report import SetupError
from golden.miniatures import write_miniatures

DATA = str(CHECKOUT / "data")

FAKE_CARGO = """#!/usr/bin/env bash
if [ "$1" = --version ]; then echo "cargo 1.99.0 (fake)"; exit 0; fi
mkdir -p "$CARGO_TARGET_DIR/release"
cp "$(dirname "$0")/fake-marquee" "$CARGO_TARGET_DIR/release/marquee"
"""
FAKE_MARQUEE = """#!/usr/bin/env bash
echo "marquee $*" >> "$MARQUEE_CACHE/calls"
echo "$ORT_DYLIB_PATH" > "$MARQUEE_CACHE/library"
for word in "$@"; do
    if [ "$word" = import ]; then
        mkdir -p "$2/store"
        touch "$2/store/marquee.redb"
        if [ -e "$MARQUEE_CACHE/killed" ]; then rm "$MARQUEE_CACHE/killed"; kill -9 $$; fi
    fi
done
"""


@pytest.mark.parametrize(
    ("line", "passed_on", "command", "wants_data"),
    [
        ("", f"--data-dir {DATA} serve", "serve", True),
        ("--data-dir /x", "--data-dir /x serve", "serve", True),
        ("--data-dir=/x serve", "--data-dir=/x serve", "serve", True),
        ("--config c.toml serve", f"--data-dir {DATA} --config c.toml serve", "serve", True),
        ("export /out", f"--data-dir {DATA} export /out", "export", True),
        ("import /d", f"--data-dir {DATA} import /d", "import", False),
        ("check-config", f"--data-dir {DATA} check-config", "check-config", False),
        ("serve --help", f"--data-dir {DATA} serve --help", "serve", False),
        ("--version", f"--data-dir {DATA} --version", "", False),
    ],
)
def test_understands(line: str, passed_on: str, command: str, wants_data: bool) -> None:
    request = understand(line.split(), None)
    assert request is not None
    assert request.marquee_arguments == passed_on.split()
    assert (request.command, request.wants_data) == (command, wants_data)


def test_a_configured_data_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "my.toml"
    for text, expected in [
        ('[store]\n# data_dir = "no"\ndata_dir = "/mine"  # here\n', "/mine"),
        ("store.data_dir = '/mine'\n", "/mine"),
        ('[http]\ndata_dir = "/not/this"\n[store]\ncache_mib = 5\n', DATA),
    ]:
        config.write_text(text)
        given = expected if expected == DATA else None
        for words in ([f"--config={config}", "serve"], ["serve", "--config", str(config)]):
            request = understand(words, None)
            assert request is not None and request.data_dir == Path(expected)
            assert request.marquee_arguments == (["--data-dir", given] if given else []) + words
    config.write_text('[store]\ndata_dir = "/mine"\n')
    monkeypatch.setenv("MARQUEE_CONFIG", str(config))
    request = understand([], None)
    assert request is not None and request.data_dir == Path("/mine")
    monkeypatch.setenv("MARQUEE_STORE__DATA_DIR", "/environment")
    request = understand([], None)
    assert request is not None and request.data_dir == Path("/environment")
    assert request.marquee_arguments == ["serve"]


def test_model_folder_is_ours() -> None:
    for words in (["--model-dir", "/m", "serve"], ["--model-dir=/m", "serve"]):
        request = understand(words, "/ignored")
        assert request is not None and request.model_dir == Path("/m")
        assert "--model-dir" not in " ".join(request.marquee_arguments)
    request = understand([], "/from/environment")
    assert request is not None and request.model_dir == Path("/from/environment")
    with pytest.raises(SetupError):
        understand(["--model-dir"], None)


def test_the_encoder_is_ours_and_a_wrong_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    request = understand(["--encoder", "fp32", "serve"], None)
    assert request is not None and request.encoder == "fp32"
    assert "--encoder" not in request.marquee_arguments
    monkeypatch.setenv("MARQUEE_ENCODER", "int8")
    request = understand([], None)
    assert request is not None and request.encoder == "int8"
    with pytest.raises(SetupError, match="fp16"):
        understand(["--encoder=fp16"], None)


def test_a_chosen_encoder_takes_the_place_of_the_other(tmp_path: Path) -> None:
    cache, models = prepared_cache(tmp_path / "cache"), tmp_path / "models"
    place_encoder(cache, models, "fp32", is_chosen=False)
    place_encoder(cache, models, "int8", is_chosen=False)
    assert [path.name for path in models.iterdir()] == [ENCODERS["fp32"]], "what is there stays"
    place_encoder(cache, models, "int8", is_chosen=True)
    assert [path.name for path in models.iterdir()] == [ENCODERS["int8"]]
    assert kinds_present(models) == {"text-encoder"}
    assert kinds_present(cache.encoder_artifact("fp32")) == {"text-encoder"}, "hard links only"


def test_8_bit_products_are_the_default_where_they_are_exact(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    flags = {
        "fma avx2": "fp32",
        "avx512f avx512_vnni": "int8",
        "avx2 avx_vnni": "int8",
        "amx_bf16 amx_int8": "int8",
    }
    for text, expected in flags.items():
        cpuinfo.write_text(f"flags\t\t: {text} rdpid\n")
        assert default_encoder(cpuinfo) == expected
    assert default_encoder(tmp_path / "missing") == "fp32"


def test_help_is_ours_when_alone() -> None:
    assert understand(["--help"], None) is None


def test_places_an_artifact_whole(tmp_path: Path) -> None:
    source = write_miniatures(tmp_path / "made")[0]
    models = tmp_path / "models"
    assert kinds_present(models) == set()
    for _ in range(2):
        place_artifact(source, models / "deep" / "tiny")
    assert kinds_present(models) == {"text-encoder"}
    placed = models / "deep" / "tiny"
    assert {p.name for p in placed.iterdir()} == {p.name for p in source.iterdir()}
    assert (placed / "encoder.onnx").samefile(source / "encoder.onnx")
    assert [path.name for path in placed.parent.iterdir()] == ["tiny"]
    (placed / "manifest.json").write_text("{half")
    assert kinds_present(models) == set()


def prepared_cache(root: Path) -> Cache:
    """A cache that counts as complete: sparse files of the right sizes, and a tiny encoder."""
    cache = Cache(root)
    for asset in (runtime(cache), movielens(cache), encoder_release(cache)):
        asset.folder.mkdir(parents=True)
        (asset.folder / STAMP).write_text(stamp_text(asset.files), encoding="utf-8")
        for file in asset.files:
            path = asset.folder / file.path
            path.parent.mkdir(exist_ok=True)
            path.touch()
            os.truncate(path, file.size)
    tiny = write_miniatures(root / "made")[0]
    for weights in ENCODERS:
        place_artifact(tiny, cache.encoder_artifact(weights))
        encoder_stamp(cache, weights).write_text(exporter_fingerprint(), encoding="utf-8")
    return cache


def fake_environment(tmp_path: Path, cache: Cache) -> dict[str, str]:
    """For a child that finds our cargo first, and in which nothing of ours is set but the cache."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in (("cargo", FAKE_CARGO), ("fake-marquee", FAKE_MARQUEE)):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MARQUEE_")},
        "MARQUEE_CACHE": str(cache.root),
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
    }
    for name in ("CARGO_TARGET_DIR", "ORT_DYLIB_PATH"):
        environment.pop(name, None)
    return environment


def test_a_whole_run(tmp_path: Path) -> None:
    cache = prepared_cache(tmp_path / "cache")
    environment = fake_environment(tmp_path, cache)
    data = tmp_path / "data"
    for _ in range(2):
        arguments = [str(TOOLS / "run"), "--data-dir", str(data), "serve", "--listen", "[::1]:0"]
        subprocess.run(arguments, env=environment, cwd=tmp_path, check=True)
    imported, *served = (cache.root / "calls").read_text().splitlines()
    assert imported.startswith(f"marquee --data-dir {data} import {cache.movielens}")
    assert served == [f"marquee --data-dir {data} serve --listen [::1]:0"] * 2
    assert (cache.root / "library").read_text().strip() == str(cache.runtime_library)
    assert "text-encoder" in kinds_present(data / "models")
    placed = data / "models" / ENCODERS[default_encoder()] / "manifest.json"
    assert json.loads(placed.read_text())["kind"] == "text-encoder"


def test_an_interrupted_import_is_made_again(tmp_path: Path) -> None:
    cache = prepared_cache(tmp_path / "cache")
    environment = fake_environment(tmp_path, cache)
    (cache.root / "killed").touch()
    data = tmp_path / "data"
    arguments = [str(TOOLS / "run"), "--data-dir", str(data), "serve"]
    outcomes = [
        subprocess.run(arguments, env=environment, cwd=tmp_path, check=False).returncode
        for _ in range(3)
    ]
    assert outcomes == [1, 0, 0]
    commands = [line.split()[3] for line in (cache.root / "calls").read_text().splitlines()]
    assert commands == ["import", "import", "serve", "serve"]
    assert not (data / "store" / ".default-import").exists()


# Stands for the Python of the trainings: notes how it was called and makes the artifact's folder.
FAKE_TRAINER = """#!/usr/bin/env bash
echo "python $*" >> "$MARQUEE_CACHE/calls"
[ -e "$MARQUEE_CACHE/too-few" ] && exit 3
[ -e "$MARQUEE_CACHE/broken" ] && exit 1
echo "said by the trainer"
while [ "$1" != --out ]; do shift; done
mkdir "$2"
"""
# Answers with what it finds in the folder of artifacts.
EVALUATING_MARQUEE = """#!/usr/bin/env bash
echo "marquee $*" >> "$MARQUEE_CACHE/calls"
[ "$3" = evaluate ] || exit 0
while [ "$1" != --artifacts ]; do shift; done
echo "answer with $(ls "$2")"
exit 4
"""


def evaluate_with_fakes(
    tmp_path: Path, task: str, marker: str = ""
) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
    """The outcome of `tools/evaluate TASK`, and the words of every call; work folders become W."""
    cache = prepared_cache(tmp_path / "cache")
    environment = fake_environment(tmp_path, cache)
    trainer, marquee = tmp_path / "python", tmp_path / "bin" / "fake-marquee"
    for path, text in ((trainer, FAKE_TRAINER), (marquee, EVALUATING_MARQUEE)):
        path.write_text(text)
        path.chmod(0o755)
    if marker:
        (cache.root / marker).touch()
    work, movies = tmp_path / "work", tmp_path / "movies"
    for folder in (work, movies):
        folder.mkdir()
    for name in ("t.csv", "s.csv"):
        (tmp_path / name).touch()
    environment.update(TMPDIR=str(work), MARQUEE_TRAINING_PYTHON=str(trainer))
    options = ["--train", "t.csv", "--test=s.csv", "--movies", "movies", "--ask-at", "user"]
    command = [str(TOOLS / "evaluate"), task, *options, "--json"]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert list(work.iterdir()) == [], "temporary folders are removed"
    log = cache.root / "calls"
    lines = log.read_text().splitlines() if log.exists() else []
    temporary = rf"{re.escape(str(work))}/[^/ ]+"
    return done, [re.sub(temporary, "W", line).split() for line in lines]


@pytest.mark.parametrize(
    ("task", "module", "kind", "more"),
    [
        ("top-n", "train_ranking", "ranking-model", "--ranking-examples"),
        ("rating", "train", "rating-network", ""),
    ],
)
def test_evaluates_what_was_trained_on_the_train_file_alone(
    tmp_path: Path, task: str, module: str, kind: str, more: str
) -> None:
    done, (export, training, evaluation) = evaluate_with_fakes(tmp_path, task)
    data = "--train t.csv --movies movies"
    assert " ".join(export) == f"marquee --data-dir W/data export W/export {data} {more}".strip()
    options = f"--data W/export --out W/artifacts/{kind} --data-set t.csv"
    assert " ".join(training) == f"python -m marquee_models.{module} {options}"
    rest = "--test s.csv --artifacts W/artifacts --ask-at user --json"
    assert " ".join(evaluation) == f"marquee --data-dir W/data evaluate {task} {data} {rest}"
    # Its answer and its exit code are those of marquee; what is said on the way goes elsewhere.
    assert (done.returncode, done.stdout) == (4, f"answer with {kind}\n")
    assert "said by the trainer" in done.stderr


def test_too_little_to_train_on_is_evaluated_without_the_model(tmp_path: Path) -> None:
    done, calls = evaluate_with_fakes(tmp_path, "top-n", "too-few")
    assert len(calls) == 3
    assert (done.returncode, done.stdout) == (4, "answer with \n")
    assert "going on without a ranking-model" in done.stderr


def test_a_training_that_fails_ends_the_evaluation(tmp_path: Path) -> None:
    done, calls = evaluate_with_fakes(tmp_path, "rating", "broken")
    assert (len(calls), done.returncode, done.stdout) == (2, 1, "")
    assert "training the rating-network failed" in done.stderr


def test_missing_files_of_an_evaluation_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").touch()
    arguments = ["top-n", "--train", str(tmp_path / "t.csv"), "--test", "nowhere.csv"]
    with pytest.raises(SetupError, match=r"nowhere\.csv is not a file"):
        understand_evaluation(arguments)
    arguments[-1] = arguments[2]
    with pytest.raises(SetupError, match="is not a folder"):
        understand_evaluation([*arguments, "--movies", "nowhere"])
    with pytest.raises(SystemExit):
        understand_evaluation(["top-n", "--train", arguments[2]])


def test_what_was_not_checked_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    outcome = Outcome(Step("rust tests", ("true",)), passed=True, seconds=1.0)
    assert summarise([outcome], skipped_checks()) == 0
    said = capsys.readouterr().out
    assert "skipped            the syntax of tools/systemd/marquee.service" in said
    assert "1 passed, 0 failed, 1 skipped" in said
