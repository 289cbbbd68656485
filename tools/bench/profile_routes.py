"""tools/bench/profile: what the daemon spends its processor time on, route by route.

Drives each route with 8 clients while perf takes samples of the daemon, names the largest costs,
and writes profile.json, and with inferno a flame graph of each route, into data/speed, and the page
data/speed.md. Uses what tools/bench/run has set up, or sets it up.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from bench import report
from bench.load import find_wrk
from bench.processes import Running, ending_well, running
from bench.rounds import ROUTES, Asker
from bench.samples import SAMPLES_PER_S, check_perf, profiled
from bench.setting import (
    claimed,
    daemon_program,
    default_encoders,
    set_up,
    setting_for,
    wait_until_ready,
)
from fetch.places import ENCODERS, cache_from
from fetch.report import say

N_CLIENTS = 8


def main() -> None:
    options = understand()
    with ending_well():
        profile(options)


def understand() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/bench/profile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--dataset", type=Path, default=cache_from(os.environ).movielens, help="as of run")
    add("--seconds", type=int, default=15, help="of taking samples, for each route")
    add("--encoder", choices=tuple(ENCODERS), default=default_encoders()[0])
    add("--routes", nargs="+", choices=tuple(ROUTES), default=list(ROUTES))
    add("--out", type=Path, default=report.FOLDER, help="folder of the results")
    add("--marquee", type=Path, required=True, help="a program to measure instead of building one")
    return parser.parse_args()


def profile(options: argparse.Namespace) -> None:
    find_wrk()
    check_perf()
    setting = setting_for(cache_from(os.environ), options.marquee, options.dataset.absolute())
    options.out.mkdir(parents=True, exist_ok=True)
    with claimed(setting):
        set_up(setting, [options.encoder])
        with running(daemon_program(setting, options.encoder)) as service:
            wait_until_ready(service)
            service.wait_for_rest()
            asker = Asker(setting)
            tables = [one_route(options, service, asker, route) for route in options.routes]
    text = (
        f"{N_CLIENTS} clients; a sample of the stack {SAMPLES_PER_S} times a second of processor "
        f"time; {options.encoder} encoder; data set {options.dataset.name}. A sample counts for "
        "the innermost function of this project on its stack, else for the thread and the library."
    )
    title = "What the time is spent on"
    made = report.Report(title, "tools/bench/profile", text, tables, report.machine())
    path = report.write_report(options.out, "profile", made)
    report.renew_page(options.out)
    say(f"written: {path}")


def one_route(
    options: argparse.Namespace, service: Running, asker: Asker, route: str
) -> report.Table:
    say(f"{ROUTES[route]}: warming up")
    rate = asker.last(service, route, N_CLIENTS).rate
    say(f"{ROUTES[route]}: taking samples for {options.seconds} s")
    questions = asker.questions(route, asker.n_prompts(rate, N_CLIENTS, options.seconds))
    picture = options.out / f"profile-{route}.svg"
    case = route, N_CLIENTS

    def drive() -> float:
        return asker.drive(service, questions, case, options.seconds).rate

    table = profiled(service.process.pid, picture, ROUTES[route], drive)
    say(f"{ROUTES[route]}: {table.text}")
    return table


if __name__ == "__main__":
    main()
