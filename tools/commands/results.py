"""tools/results [--foreign DIR] [--splits DIR] [NAME=FOLDER …]

Measures the recommendations and writes data/results.md with pictures beside it: nothing in that
page is written by hand. Without arguments MovieLens 100K is measured; each argument adds a data set
that `marquee import` reads. Both temporal splits train a ranking model on the training part
(LightGBM); rating prediction is measured on five shuffled folds, and on the first of them both
architectures of the rating network (PyTorch). Takes half an hour to an hour for each data set.

  --top-n         measures the lists only; what the page says of ratings stays as it is.
  --splits DIR    only writes the splits: DIR/movielens-100k-user/train.csv and test.csv, …-global,
                  and the same for each NAME. For whoever wants to make lists with another system.
  --foreign DIR   also judges lists of other systems on those splits: every CSV file in
                  DIR/movielens-100k-user, … (user_id,item_id,rank,score; 20 rows a person). The
                  file's name is the method's. All methods are also compared with `peers-blend`,
                  where there is one, and an about.txt beside the lists goes into the page.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from commands.evaluate import evaluate as evaluate_trained
from commands.evaluate import understand as understand_evaluation
from commands.run import build
from fetch.places import CHECKOUT, Cache, cache_from, child_environment
from fetch.prepare import prepare
from fetch.prerequisites import check_prerequisites
from fetch.report import SetupError, say

PAGE = CHECKOUT / "data" / "results.md"
PICTURES = CHECKOUT / "data" / "results"
# What other systems reach together: the list of this name is compared with, beside `ease`.
BLEND = "peers-blend"
ARCHITECTURES = ("history", "original")
N_FOLDS = 5
RATING_HEADING = "### Rating prediction, five folds"
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
    foreign: Path | None


@dataclass(frozen=True)
class Request:
    data_sets: dict[str, Path]
    foreign: Path | None
    splits: Path | None
    top_n: bool


def main() -> int:
    arguments = sys.argv[1:]
    if arguments in (["--help"], ["-h"]):
        print(__doc__)
        return 0
    cache = cache_from(os.environ)
    try:
        request = understand(arguments)
        check_prerequisites(rust=True)
        prepare(cache, None)
        data_sets = {"MovieLens 100K": cache.movielens, **request.data_sets}
        environment = child_environment(cache)
        marquee = str(build(environment))
        with tempfile.TemporaryDirectory(prefix="marquee-results-") as work:
            bench = Bench(cache, marquee, environment, Path(work), request.foreign)
            if request.splits is not None:
                write_splits(bench, data_sets, request.splits)
                return 0
            page = PAGE.read_text(encoding="utf-8") if request.top_n else ""
            sections = [section(bench, *data_set, page) for data_set in data_sets.items()]
    except SetupError as error:
        say(str(error))
        return 1
    PAGE.write_text("\n".join([introduction(), *sections]), encoding="utf-8")
    say(f"written: {PAGE}")
    return 0


def understand(arguments: list[str]) -> Request:
    parser = argparse.ArgumentParser(prog="tools/results", add_help=False, allow_abbrev=False)
    parser.add_argument("--foreign", type=Path)
    parser.add_argument("--splits", type=Path)
    parser.add_argument("--top-n", action="store_true")
    parser.add_argument("data_sets", nargs="*")
    options = parser.parse_args(arguments)
    if options.foreign is not None and not options.foreign.is_dir():
        raise SetupError(f"{options.foreign} is not a folder")
    foreign = None if options.foreign is None else options.foreign.absolute()
    data_sets = dict(map(named_folder, options.data_sets))
    return Request(data_sets, foreign, options.splits, options.top_n)


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
difference to `ease` in nDCG@10; more than two standard errors count. Where lists of other systems
were handed in, the last column is the same difference to `{BLEND}`.
"""


def write_splits(bench: Bench, data_sets: dict[str, Path], target: Path) -> None:
    for name, folder in data_sets.items():
        store = imported(bench, name, folder)
        for protocol in SPLITS:
            files = write_split(bench, store, protocol)
            shutil.copytree(files, target / files.name, dirs_exist_ok=True)
            say(f"written: {target / files.name}")


def section(bench: Bench, name: str, folder: Path, page: str) -> str:
    """What the page already says of the ratings stays."""
    say(f"measuring {name}")
    store = imported(bench, name, folder)
    parts = [f"## {name}\n"]
    for protocol, words in SPLITS.items():
        parts.append(top_n_part(bench, folder, store, (protocol, words)))
    ratings = ratings_of(name, page)
    parts += (
        [ratings]
        if ratings
        else [rating_part(bench, name, store), network_part(bench, name, store)]
    )
    return "\n".join(parts)


def ratings_of(name: str, page: str) -> str:
    """The part of the page, or nothing if there is none."""
    of_data_set = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    _, heading, after = of_data_set.partition(RATING_HEADING)
    return heading + after.rstrip("\n") + "\n" if heading else ""


def imported(bench: Bench, name: str, folder: Path) -> Path:
    """The data folder it is imported into."""
    store = bench.work / slug(name)
    run(bench, [bench.marquee, "--data-dir", str(store), "import", str(folder)])
    return store


def write_split(bench: Bench, store: Path, protocol: str) -> Path:
    """A folder with train.csv and test.csv."""
    files = bench.work / f"{store.name}-{protocol}"
    marquee = [bench.marquee, "--data-dir", str(store), "evaluate", "top-n"]
    run(bench, [*marquee, "--protocol", protocol, "--export-split", str(files), "--json"])
    return files


def top_n_part(bench: Bench, folder: Path, store: Path, split: tuple[str, str]) -> str:
    protocol, words = split
    files = write_split(bench, store, protocol)
    picture = PICTURES / f"{files.name}.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    data = ["--train", str(files / "train.csv"), "--test", str(files / "test.csv")]
    ask_at = "user" if protocol == "user" else "end"
    data += ["--movies", str(folder), "--ask-at", ask_at, "--json"]
    others = None if bench.foreign is None else bench.foreign / files.name
    lists = sorted(others.glob("*.csv")) if others is not None else []
    foreign = [word for path in lists for word in ("--foreign", str(path))]
    served = files / "default.csv"
    shown = ["--cold-start", "--plot", str(picture), "--recommendations", str(served)]
    report = trained(bench, ["top-n", *data, *shown, *foreign])
    to_blend: dict[str, Any] = {}
    if any(path.stem == BLEND for path in lists):
        own = served.rename(files / f"{report['default']}.csv")
        against = [*foreign, "--foreign", str(own), "--baseline", BLEND]
        command = [bench.marquee, "--data-dir", str(store), "evaluate", "top-n"]
        to_blend = json.loads(run(bench, [*command, *data, *against]))["groups"]
    parts = [f"### Top-N, {protocol} split\n\n{words[0].upper()}{words[1:]}.\n"]
    if others is not None and (others / "about.txt").is_file():
        parts.append((others / "about.txt").read_text(encoding="utf-8").strip() + "\n")
    for group, methods in report["groups"].items():
        if methods and methods[0]["users"] > 1:
            table = top_n_table(methods, to_blend.get(group, []))
            parts.append(f"{group}, {methods[0]['users']} people:\n\n{table}\n")
    curve = " · ".join(
        f"{point['ratings']}: {point['ndcg_10']:.4f} ± {point['se']:.4f}"
        for point in report["cold_start"]
    )
    parts.append(f"nDCG@10 of newcomers by number of ratings: {curve}\n")
    parts.append(f"![nDCG@10](results/{picture.name})\n")
    return "\n".join(parts)


def top_n_table(methods: list[dict[str, Any]], to_blend: list[dict[str, Any]]) -> str:
    """`to_blend` are the same methods compared with the blend, if there is one."""
    last = f" to {BLEND} |" if to_blend else ""
    lines = [
        "| method | nDCG@10 | R@10 | R@20 | HR@10 | MRR@10 | coverage | novelty | difference |"
        + last,
        "|---|---|---|---|---|---|---|---|---|" + ("---|" if to_blend else ""),
    ]
    blended = {method["method"]: with_error(method["difference"]) for method in to_blend}
    for method in methods:
        ndcg = method["ndcg_10"]
        means = " | ".join(
            f"{method[key]['mean']:.4f}" for key in ("recall_10", "recall_20", "hit_10", "mrr_10")
        )
        lines.append(
            f"| {method['method']} | {ndcg['mean']:.4f} ± {ndcg['se']:.4f} | {means} "
            f"| {method['coverage_10']:.3f} | {method['novelty_10']:.2f} "
            f"| {with_error(method['difference'])} |"
            + (f" {blended.get(method['method'], '')} |" if to_blend else "")
        )
    return "\n".join(lines)


def with_error(difference: dict[str, float]) -> str:
    return f"{difference['mean']:+.4f} ± {difference['se']:.4f}"


def rating_part(bench: Bench, name: str, store: Path) -> str:
    say(f"predicting the ratings of {name}, five folds")
    marquee = [bench.marquee, "--data-dir", str(store), "evaluate", "rating", "--json"]
    lines = ["| method | RMSE | MAE | RMSE of each fold |", "|---|---|---|---|"]
    for method in json.loads(run(bench, marquee)):
        folds = " ".join(f"{fold['rmse']:.4f}" for fold in method["folds"])
        lines.append(
            f"| {method['method']} | {method['rmse']:.4f} | {method['mae']:.4f} | {folds} |"
        )
    return RATING_HEADING + "\n\n" + "\n".join(lines) + "\n"


def network_part(bench: Bench, name: str, store: Path) -> str:
    """Both networks on one fold. They see the movies of the store, overviews and all, but figures
    of the training part only."""
    say(f"training the rating networks for {name}")
    whole, files = bench.work / f"{store.name}-export", bench.work / f"{store.name}-fold"
    run(bench, [bench.marquee, "--data-dir", str(store), "export", str(whole)])
    write_fold(whole, files)
    data = ["--train", str(files / "train.csv"), "--test", str(files / "test.csv")]
    lines = ["| architecture | method | RMSE | MAE |", "|---|---|---|---|"]
    for architecture in ARCHITECTURES:
        request = ["rating", *data, "--movies", str(files), "--json"]
        for method in trained(bench, request, ("--architecture", architecture)):
            if method["method"].startswith("rating-network"):
                errors = f"{method['rmse']:.4f} | {method['mae']:.4f}"
                lines.append(f"| {architecture} | {method['method']} | {errors} |")
    return "### The rating network alone, one fold\n\n" + "\n".join(lines) + "\n"


def write_fold(export: Path, target: Path) -> None:
    """A fifth of the ratings at random as test.csv, the others as train.csv, and movies.csv without
    the figures that would tell of the test."""
    target.mkdir(parents=True, exist_ok=True)
    with (export / "ratings.csv").open(newline="", encoding="utf-8") as stream:
        header, *ratings = csv.reader(stream)
    random.Random(42).shuffle(ratings)
    n_test = len(ratings) // N_FOLDS
    for file, chosen in (("test.csv", ratings[:n_test]), ("train.csv", ratings[n_test:])):
        with (target / file).open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([header, *chosen])
    kept = ("movieId", "title", "year", "genres", "overview")
    with (export / "movies.csv").open(newline="", encoding="utf-8") as stream:
        movies = [[movie[column] for column in kept] for movie in csv.DictReader(stream)]
    with (target / "movies.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([kept, *movies])


def trained(bench: Bench, arguments: list[str], settings: tuple[str, ...] = ()) -> Any:
    """What `tools/evaluate` answers, with settings of the trainer."""
    request = replace(understand_evaluation(arguments), settings=settings)
    target = bench.work / "answer.json"
    with target.open("wb") as stream:
        code = evaluate_trained(request, bench.cache, stream)
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
