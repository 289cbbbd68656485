"""The picture of tools/bench/run, and what pictures have in common. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib import pyplot

from bench.report import number
from bench.tables import P50, PEER, RATE, Measure, Samples, times

matplotlib.use("Agg")
# So that the same numbers give the same bytes, and few of them.
matplotlib.rcParams["svg.hashsalt"] = "marquee"
matplotlib.rcParams["svg.fonttype"] = "none"
BAR = 0.8
# Room for the numbers behind the longest bar, on a logarithmic axis.
ROOM = 30.0


def plot_load(path: Path, samples: Samples, titles: dict[str, str], clients: Sequence[int]) -> None:
    """Latency with the fewest clients, throughput with the number in the middle."""
    figure, panels = pyplot.subplots(1, 2, figsize=(13.0, 6.0), sharey=True)
    middle = sorted(clients)[len(clients) // 2]
    for axes, measure, n_clients in zip(panels, (P50, RATE), (min(clients), middle)):
        draw(axes, samples, list(titles), (measure, n_clients))
        axes.set_title(f"{measure.title}, {n_clients} client{'s' if n_clients > 1 else ''}")
    panels[0].set_yticks(range(len(titles)), list(titles.values()))
    panels[0].invert_yaxis()
    panels[0].legend(loc="upper right", fontsize=8)
    figure.tight_layout()
    save(figure, path)


def save(figure: matplotlib.figure.Figure, path: Path) -> None:
    """Without the time, so that the same numbers give the same file."""
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def draw(
    axes: matplotlib.axes.Axes, samples: Samples, routes: list[str], what: tuple[Measure, int]
) -> None:
    measure, n_clients = what
    systems = [PEER, *dict.fromkeys(system for _, system, _ in samples.cases())]
    width = BAR / len(systems)
    for place, system in enumerate(systems):
        found = [
            (n - BAR / 2 + width * (place + 0.5), value, label(samples, (system, route), what))
            for n, route in enumerate(routes)
            if (value := samples.median(system, route, n_clients, measure)) is not None
        ]
        at, values, labels = zip(*found) if found else ((), (), ())
        bars = axes.barh(at, values, width, label=system)
        axes.bar_label(bars, labels, fontsize=7, padding=2)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * ROOM)


def label(samples: Samples, of: tuple[str, str], what: tuple[Measure, int]) -> str:
    (system, route), (measure, n_clients) = of, what
    value = samples.median(system, route, n_clients, measure) or 0.0
    ratio = None if system == PEER else samples.ratio(system, route, n_clients, measure)
    return number(value) if ratio is None else f"{number(value)} ({times(ratio)})"
