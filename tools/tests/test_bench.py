"""The pure parts of tools/bench: what wrk and perf print, ratios, questions, the page."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from bench.costs import costs, folded, largest
from bench.costs import parse as parse_stacks
from bench.load import LoadError, Questions, drive, write_paths
from bench.load import parse as parse_load
from bench.processes import memory_mb, processor_s
from bench.questions import (
    LENGTHS,
    PROMPT_TOKENS,
    DataSet,
    Film,
    new_user_paths,
    prompts,
    read_data,
    title_paths,
    user_paths,
)
from bench.report import Report, Table, number, page, write_report
from bench.tables import (
    P50,
    PEER,
    RATE,
    Goal,
    Sample,
    Samples,
    failures,
    load_goals,
    load_table,
    stage_table,
)
from bench.vector_index import table as vector_table
from bench.vector_index import understand
from fetch.report import SetupError

WRK = """Running 2s test @ http://127.0.0.1:1
  1 threads and 8 connections
  300 requests in 2.00s, 1.00MB read
{"requests": 300, "duration_us": 2000000, "bytes": 99, "p50_us": 1500, "p90_us": 2000, \
"p99_us": 9000, "max_us": 20000, "bad_status": 1, "broken": 2, "timeouts": 4}
"""

PERF = """answer-1
\t  6e4944 core::slice::sort::quicksort::h0123456789abcdef (/opt/marquee)
\t  5c5c2e marquee::math::top_k::best::hfedcba9876543210 (/opt/marquee)
\t  655b7d marquee::engine::list (/opt/marquee)
\tffffffffffffffff [unknown] ([unknown])

answer-1
\t  5c5c2e marquee::math::top_k::best (/opt/marquee)
\t  655b7d marquee::engine::list (/opt/marquee)

text-encoder
\t  83983c [unknown] (/cache/libonnxruntime.so)
\t  7e72d5 [unknown] (/cache/libonnxruntime.so)
\t  655b7d <marquee::inference::Worker as core::ops::Drop>::drop (/opt/marquee)

text-encoder
\t  83983c [unknown] (/cache/libonnxruntime.so)

tokio
\tffffffff81 tcp_sendmsg ([kernel.kallsyms])
"""


def test_reads_the_line_of_the_load_generator() -> None:
    loaded = parse_load(WRK)
    assert (loaded.n_requests, loaded.rate, loaded.n_failed) == (300, 150.0, 7)
    assert (loaded.p50_ms, loaded.p90_ms, loaded.p99_ms, loaded.max_ms) == (1.5, 2.0, 9.0, 20.0)


@pytest.mark.parametrize("output", ["", "no JSON", WRK + WRK, WRK.replace(": 300,", ": 0,")])
def test_refuses_what_it_does_not_understand(output: str) -> None:
    with pytest.raises(LoadError):
        parse_load(output)


class Recorder(BaseHTTPRequestHandler):
    """Answers everything, and 500 to a path that asks for it."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        self.send_response(500 if self.path == "/bad" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    Recorder.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_asks_what_the_file_says(address: str, tmp_path: Path) -> None:
    wrk = shutil.which("wrk") or ""
    once = write_paths(tmp_path / "paths", [f"/{n}" for n in range(200_000)])
    loaded = drive(wrk, address, Questions(once.file, once.n_paths, once=True), 3, 1)
    assert loaded.n_requests > 3 and loaded.n_failed == 0
    # wrk looks at the first question before it asks.
    assert max(Recorder.asked.values()) == 1 and "/1" in Recorder.asked
    few = write_paths(tmp_path / "few", ["/a", "/bad"])
    assert drive(wrk, address, few, 1, 1).n_failed > 0
    assert set(Recorder.asked) > {"/a", "/bad"}
    with pytest.raises(LoadError, match="too few"):
        drive(wrk, address, Questions(few.file, 2, once=True), 1, 1)


def sample(system: str, round: int, p50: float, rate: float, failed: int = 0) -> Sample:
    values = {"p50_ms": p50, "p99_ms": 2 * p50, "rate": rate, "processor_ms": p50}
    return Sample(system, "user", 8, round, values, failed)


SAMPLES = Samples(
    (
        sample(PEER, 0, 50.0, 20.0),
        sample("ours", 0, 0.5, 4000.0),
        sample(PEER, 1, 100.0, 10.0),
        sample("ours", 1, 0.5, 4000.0),
        sample(PEER, 2, 60.0, 18.0),
        sample("ours", 2, 2.0, 1000.0, failed=3),
    )
)


def test_a_ratio_is_the_median_of_those_of_the_rounds() -> None:
    assert SAMPLES.ratio("ours", "user", 8, P50) == 100.0
    assert SAMPLES.ratio("ours", "user", 8, RATE) == 200.0
    assert SAMPLES.ratio("ours", "user", 1, RATE) is None
    table = load_table(SAMPLES, {"user": "people"})
    assert table.columns[:4] == ["route", "daemon", "clients", "p50 ms"]
    assert table.rows == [
        [
            *("people", "ours", "8", "60 → 0.5 **100×**", "120 → 1 **100×**"),
            *("18 → 4,000 **200×**", "60 → 0.5 **100×**"),
        ]
    ]
    assert failures(SAMPLES) == ["3 answers of ours failed (user, 8 clients, round 3)"]


def test_time_that_cannot_be_seen_is_no_division_by_zero() -> None:
    still = Samples((sample(PEER, 0, 5.0, 1.0), sample("ours", 0, 0.0, 1.0)))
    assert still.ratio("ours", "user", 8, P50) == float("inf")


def test_goals_say_whether_they_are_reached() -> None:
    rows = {row[0]: row[1:] for row in (goal.row() for goal in load_goals(SAMPLES, "ours"))}
    assert rows["user, prepared, requests/s, 8 clients"] == ["≥ 100×", "200×", "yes"]
    assert rows["user, new question, p50, 1 client"][-1] == "not measured"
    assert Goal("memory", 500.0, 450.0, False, " MB").row()[-1] == "**no**"
    assert Goal("memory", 450.0, 450.0, False).row()[-1] == "yes"


def test_stages_are_medians_in_the_order_of_the_systems() -> None:
    table = stage_table([PEER, "ours"], {"start": {"ours": [1.0, 9.0, 2.0], PEER: [16.0]}})
    assert table.rows == [["start", "16", "2"]]
    assert stage_table(["ours"], {"start": {}}).rows == [["start", ""]]


def test_reads_what_the_kernel_tells_of_a_process() -> None:
    stat = "12 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 7 8 20 0 9"
    assert processor_s(stat) == pytest.approx(3.0)
    status = "Name:\tx\nVmHWM:\t  2000 kB\nVmRSS:\t  1000 kB\n"
    assert memory_mb(status) == {"resident": 1.024, "peak": 2.048}


def films(n: int) -> tuple[Film, ...]:
    words = random.Random(1)
    text = [" ".join(words.choice("abcdefgh") * 3 for _ in range(30)) for _ in range(n)]
    return tuple(Film(n, f"Title {n}", overview) for n, overview in enumerate(text))


def test_prompts_never_repeat_and_have_their_length() -> None:
    data = DataSet(films(50), (1,), Counter(), 0)
    first = list(islice(prompts(data, lambda _: 2), 5000))
    assert len(set(first)) == len(first)
    assert {len(text.split()) for text in first} == {(PROMPT_TOKENS - 2) // 2}
    assert first[:100] == list(islice(prompts(data, lambda _: 2), 100))
    with pytest.raises(ValueError, match="overviews"):
        next(prompts(DataSet((), (), Counter(), 0), lambda _: 1))


def test_titles_that_are_asked_name_one_film(tmp_path: Path) -> None:
    header = "movieId,title,year,genres,vote_average,vote_count,popularity,overview\n"
    lines = ['1,Heat,1995,,,,,"a, b"', "2,Twice,1,,,,,", "3,Twice,2,,,,,", "4,Unseen & Co,1,,,,,"]
    (tmp_path / "movies.csv").write_text(header + "\n".join(lines) + "\n")
    rated = "".join(f"{user},{film},3.0,{900 + user}\n" for user in range(40) for film in (1, 2, 3))
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + rated)
    data = read_data(tmp_path)
    assert data.users == tuple(range(40)) and data.films[0].overview == "a, b"
    asked = [parse_qs(urlsplit(path).query) for path in title_paths(data)]
    assert {query["input_text"][0] for query in asked} == {"Heat"}
    assert len({query["top_k"][0] for query in asked}) == len(asked) == len(LENGTHS)
    users = user_paths(data, "rank_by=predicted_rating")
    assert len(set(users)) == len(users) == 40 * len(LENGTHS)
    assert all("?rank_by=predicted_rating&top_k=" in path for path in users)
    new = new_user_paths(data)
    times = {parse_qs(urlsplit(path).query)["asked_at"][0] for path in new}
    assert len(set(new)) == len(new) == 40 * len(LENGTHS) and len(times) == len(LENGTHS)
    assert max(int(time) for time in times) < data.newest == 939


def test_a_sample_belongs_to_the_innermost_function_of_ours() -> None:
    stacks = list(parse_stacks(PERF.splitlines()))
    found = {cost.owner: cost for cost in costs(stacks)}
    assert found["marquee::math::top_k::best"].share == pytest.approx(0.4)
    leaves = dict(found["marquee::math::top_k::best"].leaves)
    assert set(leaves) == {"core::slice::sort::quicksort", "marquee::math::top_k::best"}
    dropped = found["<marquee::inference::Worker as core::ops::Drop>::drop"]
    assert [leaf for leaf, _ in dropped.leaves] == ["libonnxruntime.so"]
    assert found["thread text-encoder, libonnxruntime.so"].share == pytest.approx(0.2)
    assert "thread tokio, the kernel" in found
    assert largest(costs(stacks)).startswith("The largest costs: `marquee::math::top_k::best` (40%")
    assert (
        "answer-1;marquee::engine::list;marquee::math::top_k::best;core::slice::sort::quicksort 1"
        in folded(stacks)
    )


def test_the_page_has_a_section_for_every_file(tmp_path: Path) -> None:
    folder = tmp_path / "speed"
    assert "Nothing has been measured yet." in page(folder)
    table = Table("Rows", ["a", "b"], [["1", "x|y"]], "Said before.")
    run = Report("The run", "tools/bench/run", "Why.", [table], {"cores": 2}, {"samples": [1]})
    write_report(folder, "run", run)
    other = {
        "command": "tools/bench/scale --all",
        "import": [{"rows": 10, "rate": {"per_s": 123456.7}}],
    }
    (folder / "scale.json").write_text(json.dumps({**other, "seed": 1, "raw": {"secret": 1}}))
    (folder / "zebra.json").write_text("[]")
    (folder / "zebra.md").write_text("# Of its own\n\nText.\n\n## Deeper\n")
    for name in ("run.svg", "scale-import.png", "scale.txt"):
        (folder / name).touch()
    text = page(folder)
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        *("## The run", "## Scale", "## Of its own"),
    ]
    assert (
        "`tools/bench/run` on cores 2" in text and "### Rows\n\nSaid before.\n\n| a | b |" in text
    )
    assert "| 1 | x\\|y |" in text and "samples" not in text and "secret" not in text
    assert "`tools/bench/scale --all`" in text
    assert "### import\n\n| rows | rate, per s |\n|---|---|\n| 10 | 123,457 |" in text
    assert "| what | measured |\n|---|---|\n| seed | 1 |" in text
    assert "![run](speed/run.svg)" in text and "![scale-import](speed/scale-import.png)" in text
    assert "## Of its own\n\nText.\n\n### Deeper\n" in text and "scale.txt" not in text
    assert page(folder) == text and "Nothing" not in text


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    from fetch.places import TOOLS

    folder = tmp_path / "speed"
    write_report(folder, "run", Report("The run", "x", "", [], {}))
    assert asdict(Report("", "", "", [], {}))["raw"] == {}
    command = [
        str(TOOLS / "bench" / "page"),
        "--from",
        str(folder),
        "--out",
        str(tmp_path / "p.md"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    assert "## The run" in (tmp_path / "p.md").read_text(encoding="utf-8")


def test_numbers_have_three_digits_that_count() -> None:
    assert [number(x) for x in (0.0, 0.01234, 1.005, 99.94, 12345.6)] == [
        *("0", "0.0123", "1", "99.9", "12,346"),
    ]


def test_reads_what_the_bench_of_the_vector_index_prints() -> None:
    printed = """64000 of 100000 after 148 s
100000 vectors of 768: built in 245 s (408 a second), 301 MB
search for 10: p50 2.93 ms, p99 7.03 ms, recall@10 0.998"""
    found = understand(printed.splitlines())
    assert (found.vectors, found.dim, found.build_s, found.memory_mb) == (100_000, 768, 245, 301)
    assert (found.top_k, found.p50_ms, found.p99_ms, found.recall) == (10, 2.93, 7.03, 0.998)
    assert found.steps == ((64_000, 148.0), (100_000, 245.0))
    row = vector_table([found]).rows[0]
    assert row == ["100,000", "768", "245", "408", "301", "2.93", "7.03", "0.998"]
    with pytest.raises(SetupError, match="did not print"):
        understand(printed.splitlines()[:2])
