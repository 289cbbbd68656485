"""What `perf script` prints → who spends how much of the processor's time.

A sample belongs to the innermost function of this project on its stack, whatever library that
function was calling; where none is on it, to the thread and the library.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.report import Table

OURS = "marquee::"
HASH = re.compile(r"::h[0-9a-f]{16}$")
FRAME = re.compile(r"^\s+[0-9a-f]+ (?P<symbol>.*) \((?P<library>[^()]*(?:\([^()]*\))?)\)$")
N_SHOWN = 12
N_LEAVES = 2
LARGEST = 3


@dataclass(frozen=True)
class Frame:
    symbol: str
    library: str

    @property
    def is_ours(self) -> bool:
        return self.symbol.lstrip("<&").startswith(OURS)

    @property
    def label(self) -> str:
        """The runtime's library tells no names of its functions."""
        if self.library.startswith("[kernel"):
            return "the kernel"
        return self.library if self.symbol == "[unknown]" else self.symbol


@dataclass(frozen=True)
class Stack:
    """Innermost frame first."""

    thread: str
    frames: tuple[Frame, ...]

    @property
    def owner(self) -> str:
        ours = next((frame.symbol for frame in self.frames if frame.is_ours), None)
        return ours or f"thread {self.thread}, {self.leaf}"

    @property
    def leaf(self) -> str:
        return self.frames[0].label if self.frames else "[unknown]"


@dataclass(frozen=True)
class Cost:
    owner: str
    share: float
    leaves: tuple[tuple[str, float], ...]


def parse(lines: Iterable[str]) -> Iterator[Stack]:
    thread, frames = "", list[Frame]()
    for line in [*lines, ""]:
        found = FRAME.match(line)
        if found:
            name = HASH.sub("", found["symbol"])
            frames.append(Frame(name, found["library"].rsplit("/", 1)[-1]))
        elif line.strip():
            thread = line.strip()
        elif thread:
            yield Stack(thread, tuple(without_end(frames)))
            thread, frames = "", []


def without_end(frames: list[Frame]) -> list[Frame]:
    """Unwinding ends with an address that is none."""
    while frames and frames[-1].library == "[unknown]":
        frames = frames[:-1]
    return frames


def costs(stacks: Iterable[Stack]) -> list[Cost]:
    """Largest first; shares of all samples."""
    owners: Counter[str] = Counter()
    leaves: dict[str, Counter[str]] = {}
    for stack in stacks:
        owners[stack.owner] += 1
        leaves.setdefault(stack.owner, Counter())[stack.leaf] += 1
    total = sum(owners.values())
    return [
        Cost(
            owner,
            n / total,
            tuple((leaf, m / total) for leaf, m in leaves[owner].most_common(N_LEAVES)),
        )
        for owner, n in owners.most_common()
    ]


def cost_table(title: str, found: list[Cost], text: str) -> Table:
    rows = [
        [
            f"{cost.share:.1%}",
            f"`{cost.owner}`",
            ", ".join(f"`{leaf}` {share:.1%}" for leaf, share in cost.leaves),
        ]
        for cost in found[:N_SHOWN]
    ]
    return Table(title, ["share", "on behalf of", "most of it in"], rows, text)


def largest(found: list[Cost]) -> str:
    """The three largest costs, in a sentence."""
    names = [f"`{cost.owner}` ({cost.share:.0%})" for cost in found[:LARGEST]]
    return f"The largest costs: {', '.join(names)}."


def folded(stacks: Iterable[Stack]) -> list[str]:
    """As flame graphs are made of: outermost first, and how often."""
    counts: Counter[str] = Counter()
    for stack in stacks:
        names = [stack.thread, *(frame.label for frame in reversed(stack.frames))]
        counts[";".join(name.replace(";", ",") for name in names)] += 1
    return [f"{names} {n}" for names, n in sorted(counts.items())]
