"""tools/bench/vectors: the vector index alone, from a size that a catalogue has to a million.

Runs `cargo bench --bench vectors` at each size (most of an hour and 5 GB for a million vectors) and
writes vectors.json and pictures into data/speed, and the page data/speed.md. With --log it takes
what earlier runs printed instead.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import report
from bench.report import number
from fetch.places import CHECKOUT
from fetch.report import SetupError, say

SIZES = (10_000, 100_000, 1_000_000)
STEP = re.compile(r"(\d+) of \d+ after (\d+) s")
BUILT = re.compile(r"(\d+) vectors of (\d+): built in (\d+) s \(\d+ a second\), (-?\d+) MB")
SEARCH = re.compile(r"search for (\d+): p50 ([\d.]+) ms, p99 ([\d.]+) ms, recall@\d+ ([\d.]+)")


@dataclass(frozen=True)
class Measured:
    """One size. `steps`: how many vectors were in after how many seconds."""

    vectors: int
    dim: int
    build_s: float
    memory_mb: float
    top_k: int
    p50_ms: float
    p99_ms: float
    recall: float
    steps: tuple[tuple[int, float], ...]


def main() -> int:
    options = parse()
    try:
        found = sorted(measure(options), key=lambda one: one.vectors)
    except SetupError as error:
        say(str(error))
        return 1
    raw = [asdict(one) for one in found]
    made = report.Report(
        "The vector index alone", "tools/bench/vectors", TEXT, [table(found)], report.machine(), raw
    )
    path = report.write_report(options.out, "vectors", made)
    draw(options.out, found)
    report.renew_page(options.out)
    print("\n".join(report.section("vectors", asdict(made))))
    say(f"written: {path}")
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/bench/vectors",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--vectors", type=int, nargs="+", default=list(SIZES), metavar="N")
    add("--log", type=Path, nargs="+", help="what earlier runs printed; nothing is run then")
    add("--out", type=Path, default=report.FOLDER, help="folder of the results")
    return parser.parse_args()


def measure(options: argparse.Namespace) -> Iterable[Measured]:
    for log in options.log or ():
        yield understand(log.read_text(encoding="utf-8").splitlines())
    for n in () if options.log else options.vectors:
        yield run(n)


def run(n: int) -> Measured:
    say(f"{n:,} vectors")
    command = ["cargo", "bench", "--bench", "vectors", "--", "--vectors", str(n)]
    lines = []
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", file=sys.stderr, flush=True)
            lines.append(line)
    if process.returncode != 0:
        raise SetupError(f"`{' '.join(command)}` failed; its message is above")
    return understand(lines)


def understand(lines: Sequence[str]) -> Measured:
    text = "\n".join(lines)
    built, search = BUILT.search(text), SEARCH.search(text)
    if built is None or search is None:
        raise SetupError("the bench did not print what it measured")
    vectors, dim, build_s, memory = (float(value) for value in built.groups())
    top_k, p50, p99, recall = (float(value) for value in search.groups())
    steps = tuple((int(n), float(seconds)) for n, seconds in STEP.findall(text))
    steps = (*steps, (int(vectors), build_s))
    return Measured(int(vectors), int(dim), build_s, memory, int(top_k), p50, p99, recall, steps)


TEXT = (
    "Vectors around a thousand centres, as texts lie around their subjects; built by one thread, "
    "as the daemon does, so that the same vectors give the same index; asked for those nearest to "
    "200 that are not in it, by one thread. Recall is against looking at all."
)


def table(found: Sequence[Measured]) -> report.Table:
    columns = ["vectors", "components", "built in s", "vectors/s", "MB", "p50 ms", "p99 ms"]
    rows = [
        [
            f"{one.vectors:,}",
            str(one.dim),
            number(one.build_s),
            number(one.vectors / max(one.build_s, 1.0)),
            number(one.memory_mb),
            number(one.p50_ms),
            number(one.p99_ms),
            f"{one.recall:.3f}",
        ]
        for one in found
    ]
    return report.Table("", [*columns, f"recall@{found[0].top_k}"], rows)


def draw(folder: Path, found: Sequence[Measured]) -> None:
    from matplotlib import pyplot

    from bench.plots import save

    for name, label, lines in (
        ("build", "s", {"built": [(one.vectors, one.build_s) for one in found]}),
        ("memory", "MB", {"index": [(one.vectors, one.memory_mb) for one in found]}),
        (
            "search",
            "ms",
            {
                "p50": [(one.vectors, one.p50_ms) for one in found],
                "p99": [(one.vectors, one.p99_ms) for one in found],
            },
        ),
    ):
        figure, axes = pyplot.subplots(figsize=(6.0, 4.0))
        for title, points in lines.items():
            axes.plot(*zip(*points), marker="o", label=title)
        if name == "build":
            largest = found[-1]
            axes.plot(*zip(*largest.steps), label=f"on the way to {largest.vectors:,}")
        axes.set(xscale="log", yscale="log", xlabel="vectors", ylabel=label)
        axes.legend()
        figure.tight_layout()
        save(figure, folder / f"vectors-{name}.svg")


if __name__ == "__main__":
    sys.exit(main())
