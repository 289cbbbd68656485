"""The picture of a training run. Needs matplotlib, which only training environments have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib import pyplot

matplotlib.use("Agg")

# Features of which the importance is drawn.
MAX_BARS = 25


@dataclass(frozen=True)
class Curve:
    """Mean squared errors by epoch; `title` goes before the names in the legend."""

    title: str
    train: list[float]
    held_out: list[float]


def plot_losses(path: Path, curves: list[Curve]) -> None:
    """A training curve is higher at first than one would expect: dropout is on while it is
    measured."""
    figure, axes = pyplot.subplots(figsize=(7.0, 4.5))
    for number, curve in enumerate(curves):
        epochs = list(range(1, len(curve.train) + 1))
        color = f"C{number}"
        best = curve.held_out.index(min(curve.held_out))
        label = f"{curve.title}training (dropout on)"
        axes.plot(epochs, curve.train, linestyle="--", color=color, label=label)
        label = f"{curve.title}held out, kept epoch {epochs[best]}"
        axes.plot(epochs, curve.held_out, marker="o", color=color, label=label)
        axes.axvline(epochs[best], linestyle=":", color=color)
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean squared error")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def plot_ranking(
    path: Path, curve: list[float], best_feature: tuple[str, float], importance: dict[str, float]
) -> None:
    """`curve`: nDCG@10 on the held-out queries after each tree."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12.0, 5.5))
    trees = list(range(1, len(curve) + 1))
    best = curve.index(max(curve))
    left.plot(trees, curve, label="held out")
    left.axvline(trees[best], linestyle=":", color="grey", label=f"kept: {trees[best]} trees")
    left.axhline(best_feature[1], linestyle="--", color="grey", label=f"{best_feature[0]} alone")
    left.set_xlabel("trees")
    left.set_ylabel("nDCG@10")
    left.legend()
    first = sorted(importance, key=lambda name: -importance[name])[:MAX_BARS][::-1]
    right.barh(first, [importance[name] for name in first])
    right.set_xlabel("share of the gain of all splits")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
