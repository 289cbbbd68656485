"""tools/bench/run: the daemon against the peer service, on one machine in one run.

Both serve the same data with the same weights and are driven by the same load generator: a closed
loop of 1, 8 and 64 clients, in rounds in which they take turns, so that whatever else the machine
does meets both. Prints tables; writes run.json and run.svg into data/speed (named after another
data set than MovieLens 100K), and the page data/speed.md.

The first run sets up the peer: an environment with PyTorch (6 GB, shared with tools/golden), the
original network trained, overviews embedded; minutes. Later ones take up what is there.
"""

from __future__ import annotations

import argparse
import os
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import report
from bench.agreement import Agreement, Sampled, agreement_table, compare, sampled
from bench.load import find_wrk
from bench.plots import plot_load
from bench.processes import Program, Running, ending_well, running
from bench.questions import DataSet, read_data, text_path, title_paths, user_paths
from bench.report import number
from bench.rounds import ENCODING, ROUTES, Asker, one_round
from bench.setting import (
    Setting,
    claimed,
    daemon_name,
    daemon_program,
    default_encoders,
    peer_program,
    set_up,
    setting_for,
    wait_until_ready,
)
from bench.tables import (
    PEER,
    Goal,
    Sample,
    Samples,
    as_json,
    failures,
    goal_table,
    load_goals,
    load_table,
    median,
    prompt_goals,
    stage_table,
)
from fetch.places import ENCODERS, cache_from
from fetch.report import say

# With --quick, so many times fewer questions to compare answers.
QUICK_DIVISOR = 5


@dataclass(frozen=True)
class Plan:
    routes: tuple[str, ...]
    clients: tuple[int, ...]
    n_rounds: int
    seconds: int


def main() -> None:
    options = parse()
    plan = Plan(
        tuple(options.routes),
        tuple(options.clients),
        1 if options.quick else options.rounds,
        2 if options.quick else options.seconds,
    )
    with ending_well():
        measure(options, plan)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/bench/run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cache = cache_from(os.environ)
    add = parser.add_argument
    add("--dataset", type=Path, default=cache.movielens, help="any folder `marquee import` reads")
    add("--rounds", type=int, default=5)
    add("--seconds", type=int, default=6, help="of one run of the load generator, at least")
    add("--clients", type=int, nargs="+", default=[1, 8, 64])
    add("--routes", nargs="+", choices=tuple(ROUTES), default=list(ROUTES))
    add(
        "--encoder",
        dest="encoders",
        action="append",
        choices=tuple(ENCODERS),
        help="form of the text encoder; the first is asked on every route, another for new prompts "
        "(default: all, the daemon's default first)",
    )
    add("--quick", action="store_true", help="one round of two seconds, to see that it works")
    add("--out", type=Path, default=report.FOLDER, help="folder of the results")
    add("--name", help="of the results; default: run, or the data set's (one for each machine)")
    add("--marquee", type=Path, required=True, help="a program to measure instead of building one")
    options = parser.parse_args()
    options.name = options.name or ("run" if is_default(options) else options.dataset.name)
    return options


def measure(options: argparse.Namespace, plan: Plan) -> None:
    find_wrk()
    encoders = options.encoders or default_encoders()
    setting = setting_for(cache_from(os.environ), options.marquee, options.dataset.absolute())
    with claimed(setting):
        measure_claimed(options, plan, setting, encoders)


def measure_claimed(
    options: argparse.Namespace, plan: Plan, setting: Setting, encoders: list[str]
) -> None:
    set_up(setting, encoders)
    programs = {PEER: peer_program(setting)}
    programs.update((daemon_name(form), daemon_program(setting, form)) for form in encoders)
    load_before = os.getloadavg()[0]
    stages = starts(programs, plan.n_rounds, read_data(setting.export))
    with ExitStack() as stack:
        services = {
            name: stack.enter_context(running(program)) for name, program in programs.items()
        }
        asker = Asker(setting)
        asked = sampled(asker.data, setting.export, QUICK_DIVISOR if options.quick else 1)
        agreements = agree(services, asked)
        wait_until_idle(services)
        note_memory(stages, services, "resident before load, MB", "resident")
        samples = run_rounds(asker, list(services.values()), plan)
        note_memory(stages, services, "resident after load, MB", "resident")
        note_memory(stages, services, "resident at most, MB", "peak")
    size = f"{len(asker.data.films):,} films, {sum(asker.data.raters.values()):,} ratings"
    load = f"{load_before:.1f} before, {os.getloadavg()[0]:.1f} after"
    publish(options, plan, f"{size}. Load average: {load}.", (samples, stages, agreements))


def starts(
    programs: dict[str, Program], n_rounds: int, data: DataSet
) -> dict[str, dict[str, list[float]]]:
    """Seconds from the start of a process to its first answer of each kind, all files being in the
    system's cache."""
    paths = {
        "first answer to a user, s": user_paths(data)[0],
        "first answer to a title, s": title_paths(data)[0],
        "first answer to a prompt by meaning, s": (
            f"{text_path('a heist that goes wrong')}&mode=prompt&method=semantic"
        ),
    }
    stages: dict[str, dict[str, list[float]]] = {what: {} for what in paths}
    for n_round in range(n_rounds):
        for name, program in programs.items():
            with running(program) as service:
                seconds = {what: service.seconds_until(path) for what, path in paths.items()}
            for what, value in seconds.items():
                stages[what].setdefault(name, []).append(value)
            first = " / ".join(f"{value:.2f}" for value in seconds.values())
            say(f"start {n_round + 1} of {n_rounds}, {name}: first answers after {first} s")
    return stages


def agree(services: dict[str, Running], asked: Sampled) -> dict[str, Agreement]:
    services[PEER].seconds_until("/openapi.json")
    found = {}
    for name, service in services.items():
        if name != PEER:
            wait_until_ready(service)
            found[name] = compare(services[PEER], service, asked)
            say(f"agreement of {name} with the peer: {found[name]}")
    return found


def wait_until_idle(services: dict[str, Running]) -> None:
    say("waiting until nothing is computed in the background")
    for service in services.values():
        service.wait_for_rest()


def note_memory(
    stages: dict[str, dict[str, list[float]]], services: dict[str, Running], what: str, key: str
) -> None:
    stages[what] = {name: [service.memory_mb()[key]] for name, service in services.items()}


def run_rounds(asker: Asker, services: list[Running], plan: Plan) -> Samples:
    steps = [(route, n_clients) for route in plan.routes for n_clients in plan.clients]
    samples: list[Sample] = []
    started = time.monotonic()
    n_all = len(steps) * plan.n_rounds
    for n_done in range(n_all):
        n_round, case = n_done // len(steps), steps[n_done % len(steps)]
        new = list(one_round(asker, asked(services, case[0]), case, (n_round, plan.seconds)))
        samples += new
        left = (time.monotonic() - started) / (n_done + 1) * (n_all - n_done - 1)
        found = "; ".join(
            f"{one.system} {number(one.values['p50_ms'])} ms, {number(one.values['rate'])}/s"
            for one in new
        )
        say(f"{n_done + 1} of {n_all}, {left / 60:.0f} min left: {case[0]}, {case[1]}: {found}")
    return Samples(tuple(samples))


def asked(services: list[Running], route: str) -> list[Running]:
    """A daemon with another encoder than the first differs in what it encodes."""
    return services if route == ENCODING else services[:2]


def publish(
    options: argparse.Namespace,
    plan: Plan,
    circumstances: str,
    found: tuple[Samples, dict[str, dict[str, list[float]]], dict[str, Agreement]],
) -> None:
    samples, stages, agreements = found
    systems = [PEER, *agreements]
    titles = {route: ROUTES[route] for route in plan.routes}
    tables = [
        goal_table(goals(samples, stages, agreements)),
        load_table(samples, titles),
        stage_table(systems, stages),
        agreement_table(agreements),
    ]
    others = median([sample.values["others_share"] for sample in samples.all]) or 0.0
    text = (
        "The peer is the service this project began as, built anew (`tools/bench/peer`): FastAPI, "
        "uvicorn, PyTorch, sentence-transformers, pandas. Same data, same network, same text "
        "encoder. The daemon recommends with the whole hybrid, trained ranking model included. "
        f"{circumstances} {plan.n_rounds} rounds of at least {plan.seconds} s, the "
        f"services in turns; other processes took {others:.2f} processors during the median run."
    )
    text += "".join(f" {sentence}." for sentence in failures(samples))
    raw = {
        "samples": as_json(samples),
        "stages": stages,
        "agreements": {name: asdict(one) for name, one in agreements.items()},
        "others_share": others,
    }
    machine = report.machine()
    title = f"The daemon and the Python service, {options.dataset.name}, {machine['processor']}"
    made = report.Report(title, command_line(options), text, tables, machine, raw)
    path = report.write_report(options.out, options.name, made)
    plot_load(options.out / f"{options.name}.svg", samples, titles, plan.clients)
    report.renew_page(options.out)
    print("\n".join(report.section(options.name, asdict(made))))
    say(f"written: {path}")


def command_line(options: argparse.Namespace) -> str:
    words = ["tools/bench/run"]
    if options.quick:
        words.append("--quick")
    if not is_default(options):
        words += ["--dataset", options.dataset.name]
    if options.name not in ("run", options.dataset.name):
        words += ["--name", options.name]
    return " ".join(words)


def is_default(options: argparse.Namespace) -> bool:
    return bool(options.dataset.absolute() == cache_from(os.environ).movielens)


def goals(
    samples: Samples, stages: dict[str, dict[str, list[float]]], agreements: dict[str, Agreement]
) -> list[Goal]:
    """The first daemon has the default encoder."""
    first, *others = agreements
    found = load_goals(samples, first)
    for name in others:
        found += prompt_goals(samples, name)
    start = next(iter(stages))
    memory = "resident after load, MB"
    for name, one in agreements.items():
        found.append(
            Goal(f"overlap with the peer's best ten, {name}", one.prompt_overlap, 0.97, True)
        )
    found.append(Goal("start to first answer", median(stages[start].get(first)), 1.0, False, " s"))
    for name in agreements:
        found.append(Goal(f"memory, {name}", median(stages[memory].get(name)), 450, False, " MB"))
    return found


if __name__ == "__main__":
    main()
