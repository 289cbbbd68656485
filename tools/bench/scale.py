"""How the daemon grows with the data: import, store, start, memory and latency at several sizes.

    tools/bench/scale [--ratings N …] [--out DIR] [--work DIR] [--seconds N] [--clients N]

At each size a data set is generated (see tools/bench/generate), imported into a fresh store, and
served by a daemon of its own, without models; movies and people grow with the ratings, to 100,000
and 200,000 at 30 million. Latencies are those of clients in a closed loop, each a process of its
own, on the same machine; while the daemon still fits in the background, and after it has fitted
and prepared answers. Titles are asked for as often as they are rated, people all alike. Writes
scale.json, scale.md and a picture per axis; sizes that the folder has from an earlier run stay, so
that one can be measured alone. With --profile, perf takes samples of the daemon during one more
round of each route, and the largest costs are named, with a flame graph where inferno is there.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import math
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from bench.processes import POLL_S, memory_mb, processor_s
from bench.report import Table, processor_name, table_lines
from bench.samples import check_perf, profiled
from bench.synthetic import Bars, Sizes, generate

LADDER = (1_000_000, 3_000_000, 10_000_000, 30_000_000)
# What is to be reached at the largest size.
GOALS = {
    "import_per_s": 500_000,
    "start_s": 10.0,
    "memory_mb": 2_500,
    "p99_ms": 25.0,
}
N_PATHS = 20_000
LONGEST_FIT_S = 3_600
# Longer than the daemon waits before it prepares answers.
REST_S = 4.0
Report = dict[str, Any]


@dataclass(frozen=True)
class Load:
    clients: int
    seconds: float


def sizes_of(ratings: int, seed: int) -> Sizes:
    """150 ratings a person; ten times the ratings have about three times the movies."""
    movies = min(100_000, max(100, round(100_000 * math.sqrt(ratings / LADDER[-1]))))
    return Sizes(movies, max(10, ratings // 150), ratings, seed)


def import_into(marquee: str, store: Path, folder: Path) -> Report:
    command = [marquee, "--data-dir", str(store), "import", "--no-overviews", str(folder)]
    started = time.perf_counter()
    peak = 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while True:
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            # What the system says of it afterwards counts what this process had when it forked.
            peak = max(peak, memory(process).get("peak", 0.0))
            time.sleep(POLL_S)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed")
    size = sum(path.stat().st_size for path in (store / "store").iterdir())
    return {
        "import_s": seconds,
        "import_cpu_s": used.ru_utime + used.ru_stime,
        "import_peak_mb": peak,
        "store_mb": size / 1e6,
    }


@contextmanager
def daemon(marquee: str, store: Path, log: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [marquee, "--data-dir", str(store), "serve", "--listen", "127.0.0.1:0"]
    environment = {**os.environ, "MARQUEE_LOG__FORMAT": "json"}
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=stream, text=True, env=environment
        )
        try:
            yield process, wait_for_address(process, log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=120)


def wait_for_address(process: subprocess.Popen[str], log: Path) -> str:
    while process.poll() is None:
        found = re.search(r'"address":"(127\.0\.0\.1:\d+)"', log.read_text())
        if found:
            return found[1]
        time.sleep(0.005)
    raise SystemExit(f"the daemon ended; its log is {log}")


def get(address: str, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection(address, timeout=120)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def wait_until_answered(address: str, path: str) -> None:
    while get(address, path)[0] != 200:
        time.sleep(0.005)


def wait_until_fitted(address: str) -> list[str]:
    """What nobody has dropped a model for stays waiting; returns what became of each part."""
    started = time.perf_counter()
    while time.perf_counter() - started < LONGEST_FIT_S:
        parts = json.loads(get(address, "/readyz")[1])["parts"]
        states = {part["part"]: part["state"] for part in parts}
        if not {states["hybrid"], states["rating-model"]} & {"waiting", "building"}:
            return [f"{part}: {state}" for part, state in states.items()]
        time.sleep(0.1)
    raise SystemExit("fitting takes longer than an hour")


def wait_for_rest(process: subprocess.Popen[str]) -> None:
    """Until nothing is made in the background: less than a twentieth of a processor."""
    while True:
        used = processor_seconds(process)
        time.sleep(REST_S)
        if processor_seconds(process) - used < REST_S / 20:
            return


def memory(process: subprocess.Popen[Any]) -> dict[str, float]:
    """Nothing of one that has just ended."""
    return memory_mb(Path(f"/proc/{process.pid}/status").read_text())


def processor_seconds(process: subprocess.Popen[str]) -> float:
    return processor_s(Path(f"/proc/{process.pid}/stat").read_text())


def client(address: str, paths: list[str], seconds: float, answers: Any) -> None:
    """Asks one after the other over one connection; the first tenth of the time does not count."""
    connection = HTTPConnection(address, timeout=120)
    times: list[float] = []
    n_bad = 0
    started = time.perf_counter()
    place = 0
    while (now := time.perf_counter()) - started < 1.1 * seconds:
        connection.request("GET", paths[place % len(paths)])
        reply = connection.getresponse()
        reply.read()
        if now - started >= 0.1 * seconds:
            times.append(time.perf_counter() - now)
            n_bad += reply.status != 200
        place += 1
    answers.put((times, n_bad))


def load(address: str, paths: list[str], load: Load) -> Report:
    answers: Any = multiprocessing.Queue()
    processes = [
        multiprocessing.Process(
            target=client, args=(address, paths[number :: load.clients], load.seconds, answers)
        )
        for number in range(load.clients)
    ]
    for process in processes:
        process.start()
    answered = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    times = np.sort(np.concatenate([times for times, _ in answered])) * 1e3
    return {
        "p50_ms": float(np.percentile(times, 50)),
        "p99_ms": float(np.percentile(times, 99)),
        "per_s": len(times) / load.seconds,
        "n_failed": sum(n_bad for _, n_bad in answered),
    }


def rate_of(address: str, paths: list[str], wanted: Load) -> float:
    return float(load(address, paths, wanted)["per_s"])


def paths_to_ask(folder: Path, sizes: Sizes) -> dict[str, list[str]]:
    random = np.random.default_rng(sizes.seed)
    with (folder / "movies.csv").open(newline="", encoding="utf-8") as stream:
        titles = {row["movieId"]: row["title"] for row in csv.DictReader(stream)}
    users = [
        f"/user_recommend/{user}" for user in random.integers(1, sizes.users + 1, N_PATHS).tolist()
    ]
    return {
        "user": users,
        "title": [
            f"/title-or-prompt?input_text={quote(titles[movie])}"
            for movie in rated(folder / "ratings.csv", random)
        ],
    }


def rated(path: Path, random: np.random.Generator) -> list[str]:
    """Movies of ratings anywhere in the file."""
    movies = []
    with path.open("rb") as stream:
        for place in random.integers(0, path.stat().st_size - 200, N_PATHS).tolist():
            stream.seek(place)
            stream.readline()
            # Blocks that begin within the header's line or the last one are passed over.
            row = stream.readline().split(b",")
            if len(row) == 4:
                movies.append(row[1].decode())
    return movies


def measure(given: argparse.Namespace, folder: Path, store: Path, sizes: Sizes) -> Report:
    paths = paths_to_ask(folder, sizes)
    wanted = Load(given.clients, given.seconds)
    profile: list[Table] = []
    with tempfile.TemporaryDirectory() as logs:
        started = time.perf_counter()
        with daemon(given.marquee, store, Path(logs) / "log") as (process, address):
            wait_until_answered(address, paths["user"][0])
            wait_until_answered(address, paths["title"][0])
            first_answer = time.perf_counter() - started
            at_first = memory(process)
            while_fitting = {name: load(address, some, wanted) for name, some in paths.items()}
            parts = wait_until_fitted(address)
            ready = time.perf_counter() - started
            used = processor_seconds(process)
            fitted = memory(process)
            wait_for_rest(process)
            after = {name: load(address, some, wanted) for name, some in paths.items()}
            served = memory(process)
            for route, some in paths.items() if given.profile else ():
                picture = given.out / f"scale-profile-{route}.svg"
                # From the other end: what was asked before is remembered.
                drive = partial(rate_of, address, some[::-1], wanted)
                profile.append(profiled(process.pid, picture, f"{route} route", drive))
    return {
        "start_s": first_answer,
        "fitted_s": ready,
        "fitted_cpu_s": used,
        "memory_at_first_answer_mb": at_first["resident"],
        "memory_fitted_mb": fitted["resident"],
        "memory_mb": served["resident"],
        "memory_peak_mb": served["peak"],
        "while_fitting": while_fitting,
        "routes": after,
        "parts": parts,
        "profile": [asdict(table) for table in profile],
    }


def rung(given: argparse.Namespace, ratings: int) -> Report:
    sizes = sizes_of(ratings, given.seed)
    folder, store = given.work / f"data-{ratings}", given.work / f"store-{ratings}"
    shutil.rmtree(store, ignore_errors=True)
    try:
        stamp = folder / "written"
        if not stamp.exists():
            stamp.write_text(str(generate(folder, sizes, Bars())))
        report: Report = {"movies": sizes.movies, "users": sizes.users, "asked_for": ratings}
        report["ratings"] = int(stamp.read_text())
        report |= {"clients": given.clients, "seconds": given.seconds}
        report["processor"] = processor_name()
        report["date"] = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        report["load_before"] = os.getloadavg()[0]
        report |= import_into(given.marquee, store, folder)
        report["import_per_s"] = report["ratings"] / report["import_s"]
        report |= measure(given, folder, store, sizes)
    finally:
        shutil.rmtree(store, ignore_errors=True)
        if not given.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return report


ROWS: tuple[tuple[str, str, str], ...] = (
    ("measured on", "date", "{}"),
    ("processor", "processor", "{}"),
    ("movies", "movies", "{:,.0f}"),
    ("people", "users", "{:,.0f}"),
    ("import, ratings/s", "import_per_s", "{:,.0f}"),
    ("import, peak memory, MB", "import_peak_mb", "{:,.0f}"),
    ("store, MB", "store_mb", "{:,.0f}"),
    ("start to the first answers, s", "start_s", "{:.1f}"),
    ("start to everything fitted, s (processor)", "fitted_s", "{:.0f}"),
    ("memory at the first answers, MB", "memory_at_first_answer_mb", "{:,.0f}"),
    ("memory, MB", "memory_mb", "{:,.0f}"),
    ("peak memory, MB", "memory_peak_mb", "{:,.0f}"),
    ("load of the machine before", "load_before", "{:.1f}"),
    ("clients, each in a closed loop", "clients", "{:.0f}"),
    ("seconds of a route", "seconds", "{:g}"),
)


def table(reports: list[Report]) -> str:
    header = ["", *(f"{report['ratings']:,} ratings" for report in reports)]
    rows = [[name, *(form.format(report[key]) for report in reports)] for name, key, form in ROWS]
    for when, title in (("routes", "fitted"), ("while_fitting", "while fitting")):
        for route in ("user", "title"):
            cells = []
            for report in reports:
                found = report[when][route]
                cells.append(
                    f"{found['p50_ms']:.1f} / {found['p99_ms']:.1f} ({found['per_s']:,.0f}/s)"
                )
            rows.append([f"{route} route, {title}: p50 / p99, ms", *cells])
    lines = [f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows]]
    about = (
        f"Written by `tools/bench/scale` on {os.cpu_count()} cores, which daemon and clients "
        "share. Columns of different days are of different versions."
    )
    goals = (
        f"Goals at 30 million: import {GOALS['import_per_s']:,}/s, start {GOALS['start_s']:g} s, "
        f"memory {GOALS['memory_mb']:,} MB, p99 {GOALS['p99_ms']:g} ms."
    )
    return "\n".join(
        ["# How it grows", "", about, "", goals, "", *lines, *profile_lines(reports), ""]
    )


def profile_lines(reports: list[Report]) -> list[str]:
    """Of the largest size that has one; pictures are of the last that was watched."""
    watched = [report for report in reports if report.get("profile")]
    if not watched:
        return []
    lines = ["", f"## What the time is spent on at {watched[-1]['ratings']:,} ratings"]
    for table in watched[-1]["profile"]:
        lines += ["", *table_lines(Table(**table))]
    return lines


def draw(folder: Path, reports: list[Report]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    axes_of = {
        "import": ("ratings/s imported", "import_per_s", {"": "import_per_s"}),
        "memory": ("MB", "memory_mb", {"served": "memory_mb", "peak": "memory_peak_mb"}),
        "start": ("s", "start_s", {"first answers": "start_s", "fitted": "fitted_s"}),
        "store": ("MB", None, {"": "store_mb"}),
    }
    n_ratings = [report["ratings"] for report in reports]

    def picture(name: str, label: str, goal: str | None, lines: dict[str, list[float]]) -> None:
        figure, axes = pyplot.subplots(figsize=(6.0, 4.0))
        for title, values in lines.items():
            axes.plot(n_ratings, values, marker="o", label=title or None)
        if goal:
            axes.axhline(GOALS[goal], linestyle=":", color="grey", label="goal at 30 million")
        axes.set(xscale="log", yscale="log", xlabel="ratings", ylabel=label)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
        figure.tight_layout()
        figure.savefig(folder / f"scale-{name}.svg")
        pyplot.close(figure)

    for name, (label, goal, keys) in axes_of.items():
        lines = {title: [report[key] for report in reports] for title, key in keys.items()}
        picture(name, label, goal, lines)
    latencies = {
        f"{route}, {title}": [report[when][route]["p99_ms"] for report in reports]
        for when, title in (("routes", "fitted"), ("while_fitting", "while fitting"))
        for route in ("user", "title")
    }
    picture("p99", "p99, ms", "p99_ms", latencies)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/bench/scale", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--ratings", type=int, nargs="+", default=list(LADDER), metavar="N")
    parser.add_argument("--out", type=Path, default=Path("scale"), metavar="DIR")
    parser.add_argument("--work", type=Path, metavar="DIR", help="3 GB for 30 million ratings")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each route")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--keep", action="store_true", help="generated data, for another run")
    parser.add_argument("--profile", action="store_true", help="say what the time is spent on")
    parser.add_argument("--marquee", required=True, metavar="FILE", help="default: built from here")
    return parser.parse_args()


def measured_before(out: Path) -> dict[int, Report]:
    """By the ratings that were asked for."""
    path = out / "scale.json"
    reports = json.loads(path.read_text()) if path.exists() else []
    return {report["asked_for"]: report for report in reports}


def main() -> None:
    given = arguments()
    if given.profile:
        check_perf()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="marquee-scale-") as temporary:
        given.work = given.work or Path(temporary)
        given.work.mkdir(parents=True, exist_ok=True)
        found = measured_before(given.out)
        for ratings in sorted(given.ratings):
            print(f"{ratings:,} ratings", file=sys.stderr)
            found[ratings] = rung(given, ratings)
            reports = [found[size] for size in sorted(found)]
            # After each size, so that a run that is broken off leaves what it has.
            (given.out / "scale.json").write_text(json.dumps(reports, indent=1) + "\n")
            (given.out / "scale.md").write_text(table(reports))
            draw(given.out, reports)
    print((given.out / "scale.md").read_text())


if __name__ == "__main__":
    main()
