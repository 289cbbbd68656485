"""The page of results: what is measured, and what stands in its tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from commands import results
from fetch.places import Cache
from fetch.report import SetupError


def method(name: str, difference: float) -> dict[str, Any]:
    means = ("ndcg_10", "recall_10", "recall_20", "hit_10", "mrr_10")
    return {
        "method": name,
        "users": 7,
        **{key: {"mean": 0.25, "se": 0.01} for key in means},
        "coverage_10": 0.5,
        "novelty_10": 2.0,
        "difference": {"mean": difference, "se": 0.002},
    }


def read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def test_the_command_line(tmp_path: Path) -> None:
    request = results.understand(["--foreign", str(tmp_path), f"Some films={tmp_path}"])
    assert request == results.Request({"Some films": tmp_path}, tmp_path, None, False)
    assert results.understand(["--top-n"]).top_n
    for arguments in (["some-folder"], ["--foreign", str(tmp_path / "missing")]):
        with pytest.raises(SetupError):
            results.understand(arguments)


def test_lists_of_other_systems_are_judged_and_compared_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = tmp_path / "lists" / "some-films-user"
    lists.mkdir(parents=True)
    for name in ("other.csv", "peers-blend.csv"):
        (lists / name).touch()
    (lists / "about.txt").write_text("Where the lists are from.\n", encoding="utf-8")
    work = tmp_path / "work"
    (work / "some-films-user").mkdir(parents=True)
    bench = results.Bench(Cache(tmp_path), "marquee", {}, work, lists.parent)
    commands: list[list[str]] = []

    def run(_: Any, command: list[str]) -> str:
        commands.append(command)
        methods = [method("ranking-model", 0.0125), method("ease", -0.01)]
        return json.dumps({"groups": {"everybody": methods}})

    def trained(_: Any, arguments: list[str]) -> Any:
        commands.append(arguments)
        Path(arguments[arguments.index("--recommendations") + 1]).write_text("of the default")
        methods = [method("ranking-model", 0.0233), method("ease", 0.0)]
        return {"default": "ranking-model", "groups": {"everybody": methods}, "cold_start": []}

    monkeypatch.setattr(results, "run", run)
    monkeypatch.setattr(results, "trained", trained)
    monkeypatch.setattr(results, "PICTURES", tmp_path / "pictures")
    part = results.top_n_part(bench, tmp_path, work / "some-films", ("user", "everybody is asked"))
    assert "Where the lists are from." in part
    assert "| difference | to peers-blend |\n" in part
    assert "| +0.0233 ± 0.0020 | +0.0125 ± 0.0020 |" in part
    assert "| +0.0000 ± 0.0020 | -0.0100 ± 0.0020 |" in part
    _, first, second = commands
    foreign = [first[place + 1] for place, word in enumerate(first) if word == "--foreign"]
    assert [Path(path).name for path in foreign] == ["other.csv", "peers-blend.csv"]
    own = second[len(second) - 1 - second[::-1].index("--foreign") + 1]
    assert Path(own).name == "ranking-model.csv" and Path(own).read_text() == "of the default"
    assert second[-2:] == ["--baseline", "peers-blend"]


def test_a_fold_tells_nothing_of_its_test(tmp_path: Path) -> None:
    ratings = ["userId,movieId,rating,timestamp", *(f"1,{id},3,{id}" for id in range(1, 12))]
    (tmp_path / "ratings.csv").write_text("\n".join(ratings) + "\n", encoding="utf-8")
    (tmp_path / "movies.csv").write_text(
        "movieId,title,year,genres,vote_average,vote_count,popularity,overview\n"
        '1,One,1999,Drama,7.5,12,3,"A film, about one"\n',
        encoding="utf-8",
    )
    results.write_fold(tmp_path, tmp_path / "fold")
    train, test = (read(tmp_path / "fold" / name) for name in ("train.csv", "test.csv"))
    assert (len(train), len(test)) == (1 + 9, 1 + 2)
    assert sorted(row[1] for row in train[1:] + test[1:]) == sorted(map(str, range(1, 12)))
    assert read(tmp_path / "fold" / "movies.csv") == [
        ["movieId", "title", "year", "genres", "overview"],
        ["1", "One", "1999", "Drama", "A film, about one"],
    ]


def test_keeps_what_the_page_says_of_ratings() -> None:
    ratings = f"{results.RATING_HEADING}\n\n| a |\n\n### The rating network alone\n\n| b |\n"
    page = f"# Results\n\n## Some films\n\n### Top-N\n\n{ratings}\n## Others\n\n### Top-N\n"
    assert results.ratings_of("Some films", page) == ratings
    assert results.ratings_of("Others", page) == ""
    assert results.ratings_of("films", page) == ""
