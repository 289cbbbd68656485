"""The 8-bit text encoder against the exact one: how alike the answers are, and how fast.

    tools/bench/encoder        writes tools/bench/encoder.md

Texts are the committed overviews, queries the judged prompts of the tests. Times are of the graph
alone, one session per form, in turns, so that whatever else the machine does meets both; processor
time beside the clock says how much of it was waiting.
"""

from __future__ import annotations

import csv
import os
import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from fetch.places import CHECKOUT, ENCODERS, TOOLS, Cache, cache_from

PROMPTS = CHECKOUT / "tests" / "fixtures" / "prompts"
OVERVIEWS = CHECKOUT / "data" / "overviews.csv"
PAGE = TOOLS / "bench" / "encoder.md"
# As the daemon batches (src/inference/text_encoder.rs).
MAX_BATCH, MAX_BATCH_TOKENS = 16, 256
N_TOKENS = (8, 16, 32, 100)
N_ROUNDS = 15
N_BULK_TEXTS, N_BULK_ROUNDS = 64, 5
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


def latency(artifacts: dict[str, Path]) -> list[str]:
    """Milliseconds of a single text: median of the clock, and of processor time."""
    random = np.random.default_rng(1)
    lines = table("tokens", "threads", *(f"{name} ms (processor)" for name in artifacts), "ratio")
    for n_threads in (1, 2):
        forms = {name: Encoder(path, n_threads) for name, path in artifacts.items()}
        for n_tokens in N_TOKENS:
            text = random.integers(1000, 20000, n_tokens).tolist()
            times = in_turns({name: [[text]] for name in forms}, forms, N_ROUNDS)
            cells = [f"{1e3 * clock:.1f} ({1e3 * used:.1f})" for clock, used in times.values()]
            ratio = times["fp32"][0] / times["int8"][0]
            lines.append(f"| {n_tokens} | {n_threads} | {' | '.join(cells)} | {ratio:.1f} |")
    return lines


def bulk(artifacts: dict[str, Path]) -> list[str]:
    texts = column(OVERVIEWS, "overview")
    sample = texts[:: len(texts) // N_BULK_TEXTS][:N_BULK_TEXTS]
    lines = table("threads", *(f"{name} texts/s" for name in artifacts), "ratio")
    for n_threads in (1, 2):
        forms = {name: Encoder(path, n_threads) for name, path in artifacts.items()}
        tokenised = next(iter(forms.values())).tokenise(sample)
        batches = [[tokenised[n] for n in batch] for batch in in_batches(tokenised)]
        times = in_turns(dict.fromkeys(forms, batches), forms, N_BULK_ROUNDS)
        rates = {name: len(sample) / clock for name, (clock, _) in times.items()}
        cells = " | ".join(f"{rate:.1f}" for rate in rates.values())
        lines.append(f"| {n_threads} | {cells} | {rates['int8'] / rates['fp32']:.1f} |")
    return lines


def in_turns(
    work: dict[str, list[list[list[int]]]], forms: dict[str, Encoder], n_rounds: int
) -> dict[str, tuple[float, float]]:
    """Median seconds of the clock and of the processor, the forms taking turns."""
    clocks: dict[str, list[float]] = {name: [] for name in forms}
    used: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(n_rounds):
        for name, form in forms.items():
            clock, processor = time.perf_counter(), time.process_time()
            for batch in work[name]:
                form.run(batch)
            clocks[name].append(time.perf_counter() - clock)
            used[name].append(time.process_time() - processor)
    return {
        name: (statistics.median(clocks[name]), statistics.median(used[name])) for name in forms
    }


def table(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def main() -> None:
    cache: Cache = cache_from(os.environ)
    artifacts = {name: cache.encoder_artifact(name) for name in ENCODERS}
    load_before = os.getloadavg()[0]
    parts = [("How fast: one text", latency(artifacts)), ("How fast: many texts", bulk(artifacts))]
    forms = {name: Encoder(path, os.cpu_count() or 1) for name, path in artifacts.items()}
    parts.insert(0, ("How alike", quality(forms)))
    sizes = {name: (path / "encoder.onnx").stat().st_size for name, path in artifacts.items()}
    lines = [
        "# The text encoder with 8-bit products",
        "",
        f"Written by `tools/bench/encoder` on {os.cpu_count()} cores ({platform.machine()}).",
        f"Load of the machine: {load_before:.1f} at first, {os.getloadavg()[0]:.1f} at the end.",
        "Graph files: "
        + ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in sizes.items())
        + ".",
    ]
    for title, rows in parts:
        lines += ["", f"## {title}", "", *rows]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
