"""tools/results [NAME=FOLDER …]

Measures the recommendations and writes data/results.md with pictures beside it: nothing in that
page is written by hand. Without arguments MovieLens 100K is measured; each argument adds a data set
that `marquee import` reads. Both temporal splits train a ranking model on the training part
(LightGBM); rating prediction is measured on five shuffled folds. Takes some ten minutes for each
data set.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.evaluate import evaluate as evaluate_trained
from commands.evaluate import understand
from commands.run import build
from fetch.places import CHECKOUT, Cache, cache_from, child_environment
from fetch.prepare import prepare
from fetch.prerequisites import check_prerequisites
from fetch.report import SetupError, say

PAGE = CHECKOUT / "data" / "results.md"
PICTURES = CHECKOUT / "data" / "results"
SPLITS = {
    "user": "the last fifth of each person's ratings is held out, and each is asked about at their "
    "last training rating",
    "global": "the last fifth of all ratings in time is held out, and everybody is asked about at "
    "the cut",
}


@dataclass(frozen=True)
class Bench:
    """What every measurement needs."""

    cache: Cache
    marquee: str
    environment: dict[str, str]
    work: Path


def main() -> int:
    arguments = sys.argv[1:]
    if arguments in (["--help"], ["-h"]):
        print(__doc__)
        return 0
    cache = cache_from(os.environ)
    try:
        check_prerequisites(rust=True)
        prepare(cache, None)
        data_sets = {"MovieLens 100K": cache.movielens, **dict(map(named_folder, arguments))}
        environment = child_environment(cache)
        marquee = str(build(environment))
        with tempfile.TemporaryDirectory(prefix="marquee-results-") as work:
            bench = Bench(cache, marquee, environment, Path(work))
            sections = [section(bench, name, folder) for name, folder in data_sets.items()]
    except SetupError as error:
        say(str(error))
        return 1
    PAGE.write_text("\n".join([introduction(), *sections]), encoding="utf-8")
    say(f"written: {PAGE}")
    return 0


def named_folder(argument: str) -> tuple[str, Path]:
    name, found, folder = argument.partition("=")
    if not found or not Path(folder).is_dir():
        raise SetupError(f"{argument} is not NAME=FOLDER")
    return name, Path(folder).absolute()


def introduction() -> str:
    return f"""# Results

Written by `tools/results`; do not edit. Machine: {os.cpu_count()} cores, {platform.machine()}.

Top-N: every movie unseen in training is ranked, nothing is sampled; relevant is a test rating of 4
or more of 5. `ranking-model` is the hybrid with boosted trees trained by `tools/train` on the
training part, `hybrid-linear` what the daemon fits by itself. "Difference" is the mean paired
difference to `ease` in nDCG@10; more than two standard errors count.
"""


def section(bench: Bench, name: str, folder: Path) -> str:
    say(f"measuring {name}")
    store = bench.work / slug(name)
    run(bench, [bench.marquee, "--data-dir", str(store), "import", str(folder)])
    parts = [f"## {name}\n"]
    for protocol, words in SPLITS.items():
        parts.append(top_n_part(bench, (name, folder), store, (protocol, words)))
    parts.append(rating_part(bench, name, store))
    return "\n".join(parts)


def top_n_part(
    bench: Bench, data_set: tuple[str, Path], store: Path, split: tuple[str, str]
) -> str:
    (name, folder), (protocol, words) = data_set, split
    files = bench.work / f"{slug(name)}-{protocol}"
    marquee = [bench.marquee, "--data-dir", str(store), "evaluate", "top-n"]
    run(bench, [*marquee, "--protocol", protocol, "--export-split", str(files), "--json"])
    picture = PICTURES / f"{slug(name)}-{protocol}.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    data = ["--train", str(files / "train.csv"), "--test", str(files / "test.csv")]
    ask_at = "user" if protocol == "user" else "end"
    shown = ["--movies", str(folder), "--ask-at", ask_at, "--cold-start", "--plot", str(picture)]
    report = trained(bench, ["top-n", *data, *shown, "--json"])
    parts = [f"### Top-N, {protocol} split\n\n{words[0].upper()}{words[1:]}.\n"]
    for group, methods in report["groups"].items():
        if methods and methods[0]["users"] > 1:
            parts.append(f"{group}, {methods[0]['users']} people:\n\n{top_n_table(methods)}\n")
    curve = " · ".join(
        f"{point['ratings']}: {point['ndcg_10']:.4f} ± {point['se']:.4f}"
        for point in report["cold_start"]
    )
    parts.append(f"nDCG@10 of newcomers by number of ratings: {curve}\n")
    parts.append(f"![nDCG@10](results/{picture.name})\n")
    return "\n".join(parts)


def top_n_table(methods: list[dict[str, Any]]) -> str:
    lines = [
        "| method | nDCG@10 | R@10 | R@20 | HR@10 | MRR@10 | coverage | novelty | difference |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for method in methods:
        ndcg, difference = method["ndcg_10"], method["difference"]
        means = " | ".join(
            f"{method[key]['mean']:.4f}" for key in ("recall_10", "recall_20", "hit_10", "mrr_10")
        )
        lines.append(
            f"| {method['method']} | {ndcg['mean']:.4f} ± {ndcg['se']:.4f} | {means} "
            f"| {method['coverage_10']:.3f} | {method['novelty_10']:.2f} "
            f"| {difference['mean']:+.4f} ± {difference['se']:.4f} |"
        )
    return "\n".join(lines)


def rating_part(bench: Bench, name: str, store: Path) -> str:
    say(f"predicting the ratings of {name}, five folds")
    marquee = [bench.marquee, "--data-dir", str(store), "evaluate", "rating", "--json"]
    lines = ["| method | RMSE | MAE | RMSE of each fold |", "|---|---|---|---|"]
    for method in json.loads(run(bench, marquee)):
        folds = " ".join(f"{fold['rmse']:.4f}" for fold in method["folds"])
        lines.append(
            f"| {method['method']} | {method['rmse']:.4f} | {method['mae']:.4f} | {folds} |"
        )
    return "### Rating prediction, five folds\n\n" + "\n".join(lines) + "\n"


def trained(bench: Bench, arguments: list[str]) -> Any:
    """What `tools/evaluate` answers."""
    target = bench.work / "answer.json"
    with target.open("wb") as stream:
        code = evaluate_trained(understand(arguments), bench.cache, stream)
    if code != 0:
        raise SetupError("the evaluation failed; its message is above")
    return json.loads(target.read_text(encoding="utf-8"))


def run(bench: Bench, command: list[str]) -> str:
    done = subprocess.run(
        command, env=bench.environment, check=False, stdout=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        raise SetupError(f"{' '.join(command)} failed; its message is above")
    return done.stdout


def slug(name: str) -> str:
    return "-".join(name.lower().split())


if __name__ == "__main__":
    sys.exit(main())
