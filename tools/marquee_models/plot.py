"""The picture of a training run. Needs matplotlib, which only training environments have."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib import pyplot

matplotlib.use("Agg")

# Features of which the importance is drawn.
MAX_BARS = 25


def plot_losses(path: Path, train: list[float], held_out: list[float]) -> None:
    """The training curve is higher at first than one would expect: dropout is on while it is
    measured."""
    epochs = list(range(1, len(train) + 1))
    figure, axes = pyplot.subplots(figsize=(7.0, 4.5))
    axes.plot(epochs, train, marker="o", label="training (dropout on)")
    axes.plot(epochs, held_out, marker="o", label="held out")
    best = held_out.index(min(held_out))
    axes.axvline(epochs[best], linestyle=":", color="grey", label=f"kept: epoch {epochs[best]}")
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
