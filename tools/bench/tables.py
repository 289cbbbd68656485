"""Measurements of the rounds → medians, ratios, and whether the goals are reached."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.report import Table, number

PEER = "peer"


@dataclass(frozen=True)
class Measure:
    """`better`: whether more or less of it is better."""

    key: str
    title: str
    more_is_better: bool = False


P50 = Measure("p50_ms", "p50 ms")
RATE = Measure("rate", "requests/s", more_is_better=True)
PROCESSOR = Measure("processor_ms", "processor ms per request")
MEASURES = (P50, Measure("p99_ms", "p99 ms"), RATE, PROCESSOR)


@dataclass(frozen=True)
class Sample:
    """One run of the load generator; `values` by the keys of MEASURES."""

    system: str
    route: str
    n_clients: int
    round: int
    values: dict[str, float]
    n_failed: int = 0


@dataclass(frozen=True)
class Samples:
    all: tuple[Sample, ...]

    def values(self, system: str, route: str, n_clients: int, measure: Measure) -> dict[int, float]:
        """By round."""
        return {
            sample.round: sample.values[measure.key]
            for sample in self.all
            if (sample.system, sample.route, sample.n_clients) == (system, route, n_clients)
        }

    def median(self, system: str, route: str, n_clients: int, measure: Measure) -> float | None:
        values = self.values(system, route, n_clients, measure)
        return statistics.median(values.values()) if values else None

    def ratio(self, system: str, route: str, n_clients: int, measure: Measure) -> float | None:
        """How many times better than the peer: the median over the rounds that both ran in."""
        ours = self.values(system, route, n_clients, measure)
        peer = self.values(PEER, route, n_clients, measure)
        ratios = [better_by(measure, ours[n], peer[n]) for n in ours if n in peer]
        return statistics.median(ratios) if ratios else None

    def cases(self) -> list[tuple[str, str, int]]:
        """Route, system that is not the peer, clients; in the order of measuring."""
        found = dict.fromkeys(
            (sample.route, sample.system, sample.n_clients)
            for sample in self.all
            if sample.system != PEER
        )
        return list(found)


def better_by(measure: Measure, ours: float, peer: float) -> float:
    """Processor time is counted in ticks: what took less than one counts as one."""
    over, under = (ours, peer) if measure.more_is_better else (peer, ours)
    return over / under if under > 0.0 else float("inf")


def load_table(samples: Samples, titles: dict[str, str]) -> Table:
    rows = []
    for route, system, n_clients in samples.cases():
        cells = [cell(samples, (route, system, n_clients), measure) for measure in MEASURES]
        rows.append([titles[route], system, str(n_clients), *cells])
    columns = ["route", "daemon", "clients", *(measure.title for measure in MEASURES)]
    text = (
        "Each cell: peer → daemon, and in bold how many times better the daemon is; medians over "
        "the rounds, the ratio being the median of the rounds' ratios. Prepared: nobody has asked "
        "for the reply, but the daemon has made the list while it had nothing to do "
        "(`recommend.prepare_answers`), which the peer does not do. New: nothing of it was made "
        "before: people ask as of another time, titles for longer lists."
    )
    return Table("Under load", columns, rows, text)


def cell(samples: Samples, case: tuple[str, str, int], measure: Measure) -> str:
    route, system, n_clients = case
    ours = samples.median(system, route, n_clients, measure)
    peer = samples.median(PEER, route, n_clients, measure)
    if ours is None or peer is None:
        return ""
    ratio = samples.ratio(system, route, n_clients, measure)
    return f"{number(peer)} → {number(ours)} **{times(ratio)}**"


def times(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:,.0f}×" if ratio >= 10 else f"{ratio:.1f}×"


@dataclass(frozen=True)
class Goal:
    what: str
    measured: float | None
    bound: float
    at_least: bool
    unit: str = ""

    def row(self) -> list[str]:
        sign = "≥" if self.at_least else "≤"
        wanted = f"{sign} {number(self.bound)}{self.unit}"
        if self.measured is None:
            return [self.what, wanted, "", "not measured"]
        reached = self.measured >= self.bound if self.at_least else self.measured <= self.bound
        return [
            self.what,
            wanted,
            number(self.measured) + self.unit,
            "yes" if reached else "**no**",
        ]


def goal_table(goals: Iterable[Goal]) -> Table:
    rows = [goal.row() for goal in goals]
    return Table("Goals", ["goal", "wanted", "measured", "reached"], rows)


def load_goals(samples: Samples, system: str) -> list[Goal]:
    """`×` is against the peer in the same rounds."""

    def ratio(what: str, case: tuple[str, int, Measure], bound: float) -> Goal:
        return Goal(what, samples.ratio(system, *case), bound, True, "×")

    def p50(what: str, route: str) -> Goal:
        measured = samples.median(system, route, 1, P50)
        return Goal(f"{what}, p50, 1 client", measured, 0.5, False, " ms")

    return [
        ratio("user, prepared, requests/s, 8 clients", ("user", 8, RATE), 100),
        ratio("user, new question, requests/s, 8 clients", ("user-new", 8, RATE), 100),
        p50("user, prepared", "user"),
        p50("user, new question", "user-new"),
        ratio("title → similar, prepared, requests/s, 8 clients", ("title", 8, RATE), 500),
        ratio("title → similar, new question, requests/s, 8 clients", ("title-new", 8, RATE), 500),
        ratio(
            "title → similar, asked before, requests/s, 8 clients", ("title-again", 8, RATE), 500
        ),
        ratio("prompt seen before, requests/s, 8 clients", ("prompt-again", 8, RATE), 500),
        *prompt_goals(samples, system),
    ]


def prompt_goals(samples: Samples, system: str) -> list[Goal]:
    p50 = samples.ratio(system, "prompt", 1, P50)
    rate = samples.ratio(system, "prompt", 8, RATE)
    return [
        Goal(f"prompt never seen, p50, 1 client, {system}", p50, 6, True, "×"),
        Goal(f"prompt never seen, requests/s, 8 clients, {system}", rate, 8, True, "×"),
    ]


def stage_table(systems: Sequence[str], stages: dict[str, dict[str, list[float]]]) -> Table:
    """Rows of medians, the peer first: `stages[what][system]` holds a value per round."""
    rows = []
    for what, by_system in stages.items():
        medians = [median(by_system.get(system)) for system in systems]
        rows.append([what, *("" if value is None else number(value) for value in medians)])
    return Table("Start and memory", ["what", *systems], rows)


def median(values: Sequence[float] | None) -> float | None:
    return statistics.median(values) if values else None


def failures(samples: Samples) -> list[str]:
    return [
        f"{sample.n_failed} answers of {sample.system} failed ({sample.route}, "
        f"{sample.n_clients} clients, round {sample.round + 1})"
        for sample in samples.all
        if sample.n_failed > 0
    ]


def as_json(samples: Samples) -> list[dict[str, Any]]:
    return [
        {
            "system": sample.system,
            "route": sample.route,
            "clients": sample.n_clients,
            "round": sample.round,
            "failed": sample.n_failed,
            **sample.values,
        }
        for sample in samples.all
    ]
