"""Rounds of load: the systems take turns, each asked the same questions for as long as it needs."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice

from tokenizers import Tokenizer

from bench.load import Loaded, LoadError, Questions, drive, find_wrk, write_paths
from bench.processes import Running, busy_s
from bench.questions import (
    LONG_LENGTHS,
    N_REPEATED,
    new_user_paths,
    prompts,
    read_data,
    text_path,
    title_paths,
    user_paths,
)
from bench.setting import Setting
from bench.tables import Sample

ROUTES = {
    "user": "user, prepared",
    "user-new": "user, new question",
    "user-network": "user, ranked by the same network, remembered",
    "title": "title → similar, prepared",
    "title-new": "title → similar, new question",
    "title-again": "title → similar, asked before",
    "prompt": "prompt, never seen",
    "prompt-again": "prompt, seen before",
}
BY_NETWORK = "rank_by=predicted_rating"
# Where another text encoder makes a difference.
ENCODING = "prompt"
# A run of the load generator is at least so many answers of each client long, up to a bound.
MIN_ANSWERS, MAX_SECONDS = 6, 60
# While its speed is not known a service is asked for so long, or longer if it answered nothing.
PROBE_SECONDS = (2, 10, 60)
# More prompts than are answered in the first of these; beyond them, what the last rate suggests.
N_PROBE_PROMPTS, PROMPT_MARGIN = 4_000, 2.0


class Asker:
    """What is asked on each route, and how fast whom answered the last time."""

    def __init__(self, setting: Setting) -> None:
        self.data = read_data(setting.export)
        self._wrk = find_wrk()
        self._folder = setting.root
        self._last: dict[tuple[str, str, int], Loaded] = {}
        tokenizer = Tokenizer.from_file(str(setting.cache.encoder_release / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()

        @cache
        def count_tokens(word: str) -> int:
            return len(tokenizer.encode(word, add_special_tokens=False).ids)

        self._prompts = prompts(self.data, count_tokens)
        prompts_again = [text_path(text) for text in islice(self._prompts, N_REPEATED)]
        titles = title_paths(self.data)
        titles_again = titles[:N_REPEATED]
        network = user_paths(self.data, BY_NETWORK)
        self._questions = {
            "user": self._write("user", user_paths(self.data)),
            "user-new": self._write("user-new", new_user_paths(self.data)),
            "user-network": self._write("user-network", network),
            "title": self._write("title", titles),
            "title-new": self._write("title-new", title_paths(self.data, LONG_LENGTHS)),
            "title-again": self._write("title-again", titles_again),
            "prompt-again": self._write("prompt-again", prompts_again),
        }
        # Before a route is measured that is about what was asked before. A list of the network is
        # remembered whatever its length: one for each person does.
        self._before = {
            "user-network": [f"/user_recommend/{user}?{BY_NETWORK}" for user in self.data.users],
            "title-again": titles_again,
            "prompt-again": prompts_again,
        }
        self._asked: set[tuple[str, str]] = set()
        # How far each service is in each list.
        self._first: Counter[tuple[str, str]] = Counter()

    def _write(self, route: str, paths: Sequence[str]) -> Questions:
        return write_paths(self._folder / f"{route}.paths", paths)

    def questions(self, route: str, n_prompts: int) -> Questions:
        """Prompts that were never given before, on the route that is about those."""
        if route != ENCODING:
            return self._questions[route]
        paths = [text_path(text) for text in islice(self._prompts, n_prompts)]
        return replace(self._write(route, paths), once=True)

    def ask_once(self, service: Running, route: str) -> None:
        """Everything that is to be asked again must have been asked."""
        if (service.program.name, route) not in self._asked:
            for path in self._before.get(route, []):
                service.ask(path)
            self._asked.add((service.program.name, route))

    def last(self, service: Running, route: str, n_clients: int) -> Loaded:
        """Warms up where nothing is known yet."""
        self.ask_once(service, route)
        key = service.program.name, route, n_clients
        for seconds in PROBE_SECONDS if key not in self._last else ():
            try:
                questions = self.questions(route, N_PROBE_PROMPTS)
                return self.drive(service, questions, (route, n_clients), seconds)
            except LoadError:
                if seconds == PROBE_SECONDS[-1]:
                    raise
        return self._last[key]

    def n_prompts(self, rate: float, n_clients: int, seconds: int) -> int:
        return int(PROMPT_MARGIN * rate * seconds) + 10 * n_clients + 100

    def drive(
        self, service: Running, questions: Questions, case: tuple[str, int], seconds: int
    ) -> Loaded:
        service.must_live()
        name, (route, n_clients) = service.program.name, case
        if not questions.once:
            questions = replace(questions, first=self._first[name, route])
        loaded = drive(self._wrk, service.address, questions, n_clients, seconds)
        self._first[name, route] += loaded.n_requests + n_clients
        self._last[name, route, n_clients] = loaded
        return loaded


def one_round(
    asker: Asker, services: Sequence[Running], case: tuple[str, int], round: tuple[int, int]
) -> Iterator[Sample]:
    """`round`: its number, and how many seconds each is asked at least."""
    n_round, least = round
    seconds, n_prompts = {}, 0
    for service in services:
        last = asker.last(service, *case)
        wanted = max(least, math.ceil(MIN_ANSWERS * last.p50_ms / 1000))
        seconds[service.program.name] = min(wanted, MAX_SECONDS)
        enough = asker.n_prompts(last.rate, case[1], seconds[service.program.name])
        n_prompts = max(n_prompts, enough)
    questions = asker.questions(case[0], n_prompts)
    for service in services:
        values, n_failed = measured(asker, service, case, (questions, seconds))
        # A slow one still works on what its clients did not wait for: that is not the next one's.
        service.wait_for_rest()
        yield Sample(service.program.name, *case, n_round, values, n_failed)


def measured(
    asker: Asker,
    service: Running,
    case: tuple[str, int],
    load: tuple[Questions, dict[str, int]],
) -> tuple[dict[str, float], int]:
    """Beside what the load generator says: whose processor time it took."""
    questions, seconds = load
    used, busy, generator = service.processor_s(), busy_s(), children_s()
    loaded = asker.drive(service, questions, case, seconds[service.program.name])
    used, busy = service.processor_s() - used, busy_s() - busy
    generator = children_s() - generator
    values = {
        **loaded.as_json(),
        "processor_ms": 1000 * used / loaded.n_requests,
        "others_share": max(0.0, busy - used - generator) / loaded.seconds,
    }
    return values, loaded.n_failed


def children_s() -> float:
    """Processor time of the load generators that have ended."""
    times = os.times()
    return times.children_user + times.children_system
