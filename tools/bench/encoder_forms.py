"""The 8-bit text encoder against the exact one and sentence-transformers: how alike the answers
are, how fast, and how far from what the machine can do.

    tools/bench/encoder [--texts N]      writes data/speed/encoder.md, and data/speed.md

Texts are the committed overviews, queries the judged prompts of the tests. Times are of the graph
alone, one session per form, in turns, so that whatever else the machine does meets all; processor
time beside the clock says how much of it was waiting. sentence-transformers is given its texts as a
person would: all at once, in its own batches of 32, tokenised inside; the forms tokenise too.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from bench.encoder_limits import limits
from bench.report import FOLDER, processor_name, renew_page
from fetch.places import CHECKOUT, ENCODERS, Cache, cache_from

PROMPTS = CHECKOUT / "tests" / "fixtures" / "prompts"
OVERVIEWS = CHECKOUT / "data" / "overviews.csv"
SECTION = FOLDER / "encoder.md"
# As the daemon batches (src/inference/text_encoder.rs).
MAX_BATCH, MAX_BATCH_TOKENS = 16, 256
MAX_TOKENS = 384
N_TOKENS = (8, 16, 20, 32, 100)
N_ROUNDS = 15
# Many texts are embedded in slices, the forms taking turns.
N_BULK_TEXTS, N_SLICES = 1000, 10
PEER = "sentence-transformers"
TOP = 10

Vectors = npt.NDArray[np.float32]


class Encoder:
    def __init__(self, artifact: Path, n_threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        graph = artifact / "encoder.onnx"
        self._session = onnxruntime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(artifact / "tokenizer.json"))
        self._tokenizer.no_padding()

    def run(self, texts: Sequence[list[int]]) -> Vectors:
        longest = max(len(ids) for ids in texts)
        ids = np.array([text + [1] * (longest - len(text)) for text in texts])
        mask = np.array([[1] * len(text) + [0] * (longest - len(text)) for text in texts])
        inputs = {"input_ids": ids, "attention_mask": mask}
        vectors: Vectors = self._session.run(["sentence_embedding"], inputs)[0]
        return vectors

    def tokenise(self, texts: Iterable[str]) -> list[list[int]]:
        return [list(self._tokenizer.encode(text).ids) for text in texts]

    def embed(self, texts: Sequence[str], one_by_one: bool = False) -> Vectors:
        tokenised = self.tokenise(texts)
        vectors: list[Vectors] = [np.empty(0, np.float32)] * len(texts)
        batches = [[n] for n in range(len(texts))] if one_by_one else in_batches(tokenised)
        for batch in batches:
            for place, vector in zip(batch, self.run([tokenised[n] for n in batch])):
                vectors[place] = vector
        return np.stack(vectors)


def in_batches(texts: Sequence[list[int]]) -> list[list[int]]:
    batches: list[list[int]] = []
    for place in sorted(range(len(texts)), key=lambda n: -len(texts[n])):
        last = batches[-1] if batches else []
        fits = last and len(texts[last[0]]) * (len(last) + 1) <= MAX_BATCH_TOKENS
        if fits and len(last) < MAX_BATCH:
            last.append(place)
        else:
            batches.append([place])
    return batches


def column(path: Path, name: str) -> list[str]:
    with path.open(newline="", encoding="utf-8") as stream:
        return [row[name] for row in csv.DictReader(stream)]


def best(queries: Vectors, documents: Vectors) -> npt.NDArray[np.int64]:
    return np.argsort(-(queries @ documents.T), axis=1, kind="stable")[:, :TOP]


def overlap(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> float:
    return float(np.mean([len(set(a) & set(b)) / TOP for a, b in zip(left, right)]))


def quality(forms: dict[str, Encoder]) -> list[str]:
    prompts = [column(path, "prompt") for path in sorted(PROMPTS.glob("*.csv"))]
    queries = list(dict.fromkeys(prompt for some in prompts for prompt in some))
    texts = column(OVERVIEWS, "overview")
    asked = {name: form.embed(queries, one_by_one=True) for name, form in forms.items()}
    held = {name: form.embed(texts) for name, form in forms.items()}
    in_company = forms["int8"].embed(queries)
    expected = best(asked["fp32"], held["fp32"])
    return [
        *table("what", "int8 against fp32"),
        f"| top-{TOP} overlap, {len(queries)} prompts on {len(texts)} overviews, all int8 | "
        f"{overlap(expected, best(asked['int8'], held['int8'])):.3f} |",
        f"| the same, prompts int8, overviews fp32 | "
        f"{overlap(expected, best(asked['int8'], held['fp32'])):.3f} |",
        f"| cosine of a prompt, mean and least | {cosines(asked['int8'], asked['fp32'])} |",
        f"| cosine of an overview, mean and least | {cosines(held['int8'], held['fp32'])} |",
        f"| a prompt alone and in a batch of others (int8), largest difference of a component | "
        f"{np.abs(asked['int8'] - in_company).max():.1e} |",
    ]


def cosines(left: Vectors, right: Vectors) -> str:
    products = (left * right).sum(axis=1)
    return f"{products.mean():.5f}, {products.min():.5f}"


def latency(artifacts: dict[str, Path]) -> tuple[list[str], dict[tuple[str, int], float]]:
    """Milliseconds of a single text: median of the clock, and of processor time. Also the seconds
    of processor time by form and number of tokens, on one thread."""
    random = np.random.default_rng(1)
    lines = table("tokens", "threads", *(f"{name} ms (processor)" for name in artifacts), "ratio")
    seconds: dict[tuple[str, int], float] = {}
    for n_threads in (1, 2):
        forms = {name: Encoder(path, n_threads) for name, path in artifacts.items()}
        for n_tokens in N_TOKENS:
            text = random.integers(1000, 20000, n_tokens).tolist()
            runs = {name: partial(form.run, [text]) for name, form in forms.items()}
            times = in_turns([runs] * N_ROUNDS)
            cells = [f"{1e3 * clock:.1f} ({1e3 * used:.1f})" for clock, used in times.values()]
            ratio = times["fp32"][0] / times["int8"][0]
            lines.append(f"| {n_tokens} | {n_threads} | {' | '.join(cells)} | {ratio:.1f} |")
            if n_threads == 1:
                seconds |= {(name, n_tokens): used for name, (_, used) in times.items()}
    return lines, seconds


def bulk(artifacts: dict[str, Path], release: Path, n_texts: int) -> list[str]:
    """Texts of the catalogue, all cores busy: one session that uses them all, or one for each."""
    texts = column(OVERVIEWS, "overview")[:n_texts]
    n_cores = os.cpu_count() or 1
    ways: dict[str, Callable[[list[str]], object]] = {PEER: peer(release)}
    for name, path in artifacts.items():
        shared = Encoder(path, n_cores)
        ways[f"{name}, {n_cores} threads"] = shared.embed
        ways[f"{name}, {n_cores} × 1 thread"] = side_by_side(path, n_cores)
    slices = [texts[first::N_SLICES] for first in range(N_SLICES)]
    rounds = [{name: partial(way, some) for name, way in ways.items()} for some in slices]
    times = in_turns(rounds)
    rates = {name: len(slices[0]) / clock for name, (clock, _) in times.items()}
    lines = table("way", "texts/s", f"ratio to {PEER}", "processor ms a text")
    for name, rate in rates.items():
        cost = 1e3 * times[name][1] / len(slices[0])
        lines.append(f"| {name} | {rate:.1f} | {rate / rates[PEER]:.2f} | {cost:.1f} |")
    return lines


def peer(release: Path) -> Callable[[list[str]], object]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(release), device="cpu", local_files_only=True)
    model.max_seq_length = MAX_TOKENS
    return lambda texts: model.encode(texts, normalize_embeddings=True, batch_size=32)


def side_by_side(path: Path, n_sessions: int) -> Callable[[list[str]], object]:
    sessions = [Encoder(path, 1) for _ in range(n_sessions)]
    pool = ThreadPoolExecutor(n_sessions)

    def embed(texts: list[str]) -> object:
        tokenised = sessions[0].tokenise(texts)
        batches = [[tokenised[n] for n in batch] for batch in in_batches(tokenised)]
        shares = [batches[first::n_sessions] for first in range(n_sessions)]

        def run(session: Encoder, share: list[list[list[int]]]) -> None:
            for batch in share:
                session.run(batch)

        return list(pool.map(run, sessions, shares))

    return embed


def in_turns(
    rounds: Sequence[Mapping[str, Callable[[], object]]],
) -> dict[str, tuple[float, float]]:
    """Median seconds of the clock and of the processor."""
    clocks: dict[str, list[float]] = {name: [] for name in rounds[0]}
    used: dict[str, list[float]] = {name: [] for name in rounds[0]}
    for runs in rounds:
        for name, run in runs.items():
            clock, processor = time.perf_counter(), time.process_time()
            run()
            clocks[name].append(time.perf_counter() - clock)
            used[name].append(time.process_time() - processor)
    return {
        name: (statistics.median(clocks[name]), statistics.median(used[name])) for name in clocks
    }


def table(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the text encoder.")
    parser.add_argument("--texts", type=int, default=N_BULK_TEXTS, help="overviews to embed")
    options = parser.parse_args()
    cache: Cache = cache_from(os.environ)
    artifacts = {name: cache.encoder_artifact(name) for name in ENCODERS}
    load_before = os.getloadavg()[0]
    one_text, seconds = latency(artifacts)
    parts = [
        ("How fast: one text", one_text),
        ("How fast: many texts", bulk(artifacts, cache.encoder_release, options.texts)),
        ("How far from the machine", limits(seconds)),
    ]
    forms = {name: Encoder(path, os.cpu_count() or 1) for name, path in artifacts.items()}
    parts.insert(0, ("How alike", quality(forms)))
    sizes = {name: (path / "encoder.onnx").stat().st_size for name, path in artifacts.items()}
    lines = [
        "# The text encoder with 8-bit products",
        "",
        f"Written by `tools/bench/encoder` on {os.cpu_count()} cores ({processor_name()}).",
        f"Load of the machine: {load_before:.1f} at first, {os.getloadavg()[0]:.1f} at the end.",
        "Graph files: "
        + ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in sizes.items())
        + ".",
    ]
    for title, rows in parts:
        lines += ["", f"## {title}", "", *rows]
    SECTION.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(SECTION.read_text(encoding="utf-8"))
    renew_page(SECTION.parent)


if __name__ == "__main__":
    main()
