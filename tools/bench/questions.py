"""What is asked: paths for each route, the same for both services, from the data they share."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

SEED = 8
# Lists of so many to so many films are asked for: each length makes another question of one title
# or user, so that nobody can have remembered the reply.
LENGTHS = range(10, 41)
# Longer than what is prepared or remembered of any title.
LONG_LENGTHS = range(60, 91)
# What is asked again and again: so many different questions.
N_REPEATED = 50
PROMPT_TOKENS = 20


@dataclass(frozen=True)
class Film:
    id: int
    title: str
    overview: str


@dataclass(frozen=True)
class DataSet:
    """What `marquee export` wrote."""

    films: tuple[Film, ...]
    users: tuple[int, ...]
    raters: Counter[int]
    # Time of the newest rating.
    newest: int

    def titles(self) -> list[str]:
        """The best known first; what several films are called is left out."""
        count = Counter(film.title.lower() for film in self.films)
        known = [film for film in self.films if self.raters[film.id] > 0]
        known.sort(key=lambda film: (-self.raters[film.id], film.id))
        return [film.title for film in known if count[film.title.lower()] == 1]


def read_data(export: Path) -> DataSet:
    with (export / "movies.csv").open(newline="", encoding="utf-8") as stream:
        films = tuple(
            Film(int(row["movieId"]), row["title"], row["overview"])
            for row in csv.DictReader(stream)
        )
    raters: Counter[int] = Counter()
    users = set()
    newest = 0
    with (export / "ratings.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            raters[int(row["movieId"])] += 1
            users.add(int(row["userId"]))
            newest = max(newest, int(row["timestamp"]))
    return DataSet(films, tuple(sorted(users)), raters, newest)


def user_paths(data: DataSet, *parameters: str) -> list[str]:
    paths = (f"/user_recommend/{user}" for user in data.users)
    return shuffled(
        with_parameters(path, [*parameters, f"top_k={length}"])
        for path in paths
        for length in LENGTHS
    )


def new_user_paths(data: DataSet) -> list[str]:
    """Each as if asked at another time, so that no list can have been prepared."""
    paths = (f"/user_recommend/{user}" for user in data.users)
    return shuffled(
        with_parameters(path, [f"asked_at={data.newest - length}", f"top_k={length}"])
        for path in paths
        for length in LENGTHS
    )


def title_paths(data: DataSet, lengths: range = LENGTHS) -> list[str]:
    paths = [text_path(title) for title in data.titles()]
    return shuffled(
        with_parameters(path, [f"top_k={length}"]) for path in paths for length in lengths
    )


def shuffled(paths: Iterable[str]) -> list[str]:
    asked = list(paths)
    random.Random(SEED).shuffle(asked)
    return asked


def with_parameters(path: str, parameters: Sequence[str]) -> str:
    joint = "&" if "?" in path else "?"
    return path + joint + "&".join(parameters) if parameters else path


def text_path(text: str) -> str:
    return f"/title-or-prompt?input_text={quote(text, safe='')}"


def prompts(data: DataSet, count_tokens: Callable[[str], int]) -> Iterator[str]:
    """Endless, no two alike, of PROMPT_TOKENS tokens or one or two less: passages of two overviews
    one after the other."""
    source = random.Random(SEED)
    overviews = [words for film in data.films if len(words := film.overview.split()) >= 12]
    if len(overviews) < 2:
        raise ValueError("the data set has no overviews to make prompts of")
    seen = set()
    while True:
        text = prompt(source, overviews, count_tokens)
        if text not in seen:
            seen.add(text)
            yield text


def prompt(
    source: random.Random, overviews: Sequence[list[str]], count_tokens: Callable[[str], int]
) -> str:
    words: list[str] = []
    passage: list[str] = []
    n_tokens = 2  # what opens and closes a text
    while True:
        if not passage:
            words_of_film = source.choice(overviews)
            start = source.randrange(len(words_of_film) - 7)
            passage = words_of_film[start : start + 7]
        word = passage.pop(0)
        n_tokens += count_tokens(word)
        if n_tokens > PROMPT_TOKENS:
            return " ".join(words)
        words.append(word)
