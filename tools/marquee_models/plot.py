"""The picture of a training run. Needs matplotlib, which only training environments have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib import pyplot

matplotlib.use("Agg")


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
