"""Whether the two services mean the same: otherwise their speeds could not be compared."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import Running
from bench.questions import DataSet, text_path
from bench.report import Table, number
from fetch.places import CHECKOUT
from fetch.report import SetupError

PROMPTS = CHECKOUT / "tests" / "fixtures" / "prompts"
TOP = 10
N_USERS, N_TITLES, N_PROMPTS = 25, 50, 200


@dataclass(frozen=True)
class Agreement:
    """`largest_difference` is that of the network's ratings of the same user and movie."""

    prompt_overlap: float
    user_overlap: float
    largest_difference: float
    titles_answered: tuple[float, float]
    # Prompts, users, titles.
    n_asked: tuple[int, int, int]


def judged_prompts() -> list[str]:
    found: dict[str, None] = {}
    for path in (PROMPTS / "ml-100k.csv", PROMPTS / "graded.csv"):
        with path.open(newline="", encoding="utf-8") as stream:
            found.update((row["prompt"], None) for row in csv.DictReader(stream))
    return list(found)


@dataclass(frozen=True)
class Sampled:
    """What both are asked: every so-manyth of all there is."""

    users: dict[int, set[int]]
    titles: Sequence[str]
    prompts: Sequence[str]


def sampled(data: DataSet, export: Path, divisor: int) -> Sampled:
    """`divisor`: how many times fewer than usual."""
    seen = seen_movies(export)
    users = spread(list(seen), N_USERS // divisor)
    titles = spread(data.titles(), N_TITLES // divisor)
    prompts = spread(judged_prompts(), N_PROMPTS // divisor)
    return Sampled({user: seen[user] for user in users}, titles, prompts)


def spread(everything: list[Any], n: int) -> list[Any]:
    return everything[:: max(1, len(everything) // n)][:n]


def compare(peer: Running, daemon: Running, asked: Sampled) -> Agreement:
    overlaps, differences = user_agreement(peer, daemon, asked.users)
    return Agreement(
        prompt_overlap=prompt_overlap(peer, daemon, asked.prompts),
        user_overlap=mean(overlaps),
        largest_difference=max(differences),
        titles_answered=(answered(peer, asked.titles), answered(daemon, asked.titles)),
        n_asked=(len(asked.prompts), len(asked.users), len(asked.titles)),
    )


def prompt_overlap(peer: Running, daemon: Running, prompts: Sequence[str]) -> float:
    """Both by meaning alone, over every overview."""
    overlaps = []
    for text in prompts:
        path = f"{text_path(text)}&top_k={TOP}&mode=prompt&method=semantic"
        theirs, ours = (ids(get(service, path)) for service in (peer, daemon))
        overlaps.append(len(set(theirs) & set(ours)) / TOP)
    return mean(overlaps)


def user_agreement(
    peer: Running, daemon: Running, seen: dict[int, set[int]]
) -> tuple[list[float], list[float]]:
    """The peer recommends what was seen, too; that is taken out before the lists are compared. The
    daemon's `score` is what the network says; its `predicted_rating` may be that of another model.
    """
    overlaps, differences = [], []
    for user in seen:
        path = f"/user_recommend/{user}?rank_by=predicted_rating&top_k="
        ours = get(daemon, f"{path}{TOP}")["recommendations"]
        # Enough that ten unseen ones are among them.
        everything = get(peer, f"{path}{len(seen[user]) + 50}")["recommendations"]
        ratings = {film["movie_id"]: film["predicted_rating"] for film in everything}
        unseen = [id for id in ids(everything) if id not in seen[user]][:TOP]
        overlaps.append(len(set(unseen) & set(ids(ours))) / TOP)
        differences += [
            abs(film["score"] - ratings[film["movie_id"]])
            for film in ours
            if film["movie_id"] in ratings and not at_the_end(film["score"])
        ]
    return overlaps, differences or [float("inf")]


def at_the_end(rating: float) -> bool:
    """The daemon keeps ratings within the scale, the peer does not."""
    return rating == round(rating)


def answered(service: Running, titles: Sequence[str]) -> float:
    return mean([float(len(get(service, text_path(title))) > 0) for title in titles])


def get(service: Running, path: str) -> Any:
    status, body = service.ask(path)
    if status != 200:
        raise SetupError(f"{service.program.name} answered {path} with {status}: {body}")
    return body


def ids(films: Iterable[dict[str, Any]]) -> list[int]:
    return [film["movie_id"] for film in films]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def seen_movies(export: Path) -> dict[int, set[int]]:
    seen: dict[int, set[int]] = {}
    with (export / "ratings.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            seen.setdefault(int(row["userId"]), set()).add(int(row["movieId"]))
    return seen


def agreement_table(found: dict[str, Agreement]) -> Table:
    rows = [
        [
            system,
            f"{one.prompt_overlap:.3f}",
            f"{one.user_overlap:.3f}",
            number(one.largest_difference),
            f"{one.titles_answered[0]:.2f}, {one.titles_answered[1]:.2f}",
        ]
        for system, one in found.items()
    ]
    columns = [
        "daemon",
        f"prompts: overlap of the best {TOP} by meaning",
        f"users: overlap of the best {TOP} by the network",
        "largest difference of a predicted rating",
        "share of titles with an answer, peer and daemon",
    ]
    n_prompts, n_users, n_titles = next(iter(found.values())).n_asked
    text = f"{n_prompts} judged prompts, {n_users} people, {n_titles} titles."
    return Table("Do they agree", columns, rows, text)
