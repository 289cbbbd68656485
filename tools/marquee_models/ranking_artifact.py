"""Writes trees as a `ranking-model` artifact: one graph and a probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marquee_models.graph import save
from marquee_models.manifest import PROBE_NAME, Description, publish
from marquee_models.network_artifact import Label, write_json
from marquee_models.trees import Ensemble, FloatArray

GRAPH_NAME = "ranking_model.onnx"
MAX_PROBE_ROWS = 64


@dataclass(frozen=True)
class RankingModel:
    """`features` are the names of the trees' columns; `examples` some rows for the probe."""

    trees: Ensemble
    features: Sequence[str]
    examples: FloatArray


def publish_ranking_model(target: Path, model: RankingModel, label: Label) -> Path:
    if model.trees.n_features != len(model.features):
        raise ValueError("the trees and the names have different numbers of features")
    description = Description(
        kind="ranking-model",
        name=label.name,
        version=label.version,
        license=label.license,
        section={"graph": GRAPH_NAME, "features": list(model.features)},
        training=label.training,
        created=label.created,
    )

    def write_files(folder: Path) -> None:
        save(model.trees.graph(), folder / GRAPH_NAME)
        write_json(folder / PROBE_NAME, build_probe(model))

    return publish(target, description, write_files)


def build_probe(model: RankingModel) -> dict[str, Any]:
    """Rows from the whole range of the examples, and the scores that the plain reference gives."""
    n_rows = min(MAX_PROBE_ROWS, len(model.examples))
    places = np.linspace(0, len(model.examples) - 1, num=n_rows).round().astype(np.int64)
    rows = model.examples[places]
    return {
        "rows": [[float(f"{value:.9g}") for value in row] for row in rows],
        "scores": [float(f"{score:.9g}") for score in model.trees.score(rows)],
    }
