"""Standard scaling of a movie's raw numeric features, in training and inside the graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee_models.graph import GraphBuilder

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Scaling:
    """(f(x) − mean) / deviation, f being log(1 + x) for the columns of `logarithmic`, else x. A
    missing number becomes the mean, that is zero."""

    mean: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]
    logarithmic: tuple[bool, ...]

    @staticmethod
    def fit(numeric: Array, logarithmic: tuple[bool, ...]) -> Scaling:
        """Over the rows that have a value; a feature without any, or constant, is only centred."""
        value = straightened(numeric, logarithmic)
        present = ~np.isnan(value)
        count = np.maximum(present.sum(axis=0), 1)
        filled = np.where(present, value, 0.0)
        mean = filled.sum(axis=0) / count
        square = np.where(present, (filled - mean) ** 2, 0.0).sum(axis=0) / count
        deviation = np.sqrt(square)
        return Scaling(mean, np.where(deviation > 0.0, deviation, 1.0), logarithmic)

    def apply(self, numeric: Array) -> Array:
        scaled = (straightened(numeric, self.logarithmic) - self.mean) / self.deviation
        return np.where(np.isnan(scaled), 0.0, scaled)

    def write(self, g: GraphBuilder, numeric: str) -> str:
        """The same in a graph."""
        value = numeric
        if any(self.logarithmic):
            positive = g.op("Max", numeric, g.constant(0.0))
            logarithm = g.op("Log", g.op("Add", positive, g.constant(1.0)))
            value = g.op("Where", g.constant([self.logarithmic], bool), logarithm, numeric)
        centred = g.op("Sub", value, g.constant(self.mean))
        scaled = g.op("Div", centred, g.constant(self.deviation))
        return g.op("Where", g.op("IsNaN", scaled), g.constant(0.0), scaled)


def straightened(numeric: Array, logarithmic: tuple[bool, ...]) -> Array:
    wide = numeric.astype(np.float64)
    return np.where(np.array(logarithmic), np.log1p(np.maximum(wide, 0.0)), wide)
