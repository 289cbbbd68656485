"""The picture of a training run. Needs matplotlib, which only training environments have."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib import pyplot

matplotlib.use("Agg")


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
