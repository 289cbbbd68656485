"""Trains a rating network on what `marquee export` writes, and makes an artifact of it.

    tools/train rating-network --data EXPORT_DIR --out DIR [--architecture history|original]

The default architecture, `history`, takes a person's live ratings as an input; `original` is the
network this project began with, for comparison. Part of the ratings is held out to decide when to
stop and for the metrics in the manifest. The loss of every epoch goes into a picture beside the
artifact.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Union

import numpy as np
import torch

from marquee_models.catalogue import (
    NUMERIC,
    Catalogue,
    build_catalogue,
    overview_texts,
    read_movies,
)
from marquee_models.history_graphs import build_history_scorer, build_history_tower
from marquee_models.interactions import Interactions, read_interactions
from marquee_models.manifest import Training, now_utc
from marquee_models.network_artifact import ExportedNetwork, Label, publish_network
from marquee_models.original_graphs import build_original_scorer, build_original_tower
from marquee_models.overviews import ENCODE, NONE, overview_vectors
from marquee_models.plot import Curve, plot_losses
from marquee_models.train_history import HistorySettings, prepare, train_members
from marquee_models.train_original import (
    N_NUMERIC,
    OriginalOutcome,
    OriginalSettings,
    train_original,
)

Settings = Union[HistorySettings, OriginalSettings]
ARCHITECTURES: dict[str, type[Any]] = {"history": HistorySettings, "original": OriginalSettings}


@dataclass(frozen=True)
class Outcome:
    network: ExportedNetwork
    curves: list[Curve]
    metrics: dict[str, float]


def main(arguments: list[str] | None = None) -> None:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    chosen = ARCHITECTURES[options.architecture]
    settings = chosen(**{part.name: getattr(options, part.name) for part in fields(chosen)})
    interactions = read_interactions(options.data / "ratings.csv", options.work_dir)
    movies = read_movies(options.data / "movies.csv")
    vectors = overview_vectors(overview_texts(movies), options.overview_vectors)
    catalogue = build_catalogue(movies, interactions, vectors)
    outcome = train(interactions, catalogue, settings, options)
    version = options.version or now_utc().strftime("%Y%m%dT%H%M%SZ")
    facts = {"architecture": options.architecture, **asdict(settings)}
    facts["overview_vectors"] = len(vectors)
    label = Label(
        options.name,
        version,
        options.license,
        Training(options.data_set, outcome.metrics, facts),
    )
    publish_network(options.out, outcome.network, label)
    plot_losses(options.out.with_name(f"{options.out.name}-loss.png"), outcome.curves)
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in outcome.metrics.items())
    print(f"{options.out}: {metrics}")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Two steps, because each architecture has settings of its own."""
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument("--architecture", choices=tuple(ARCHITECTURES), default="history")
    architecture = first.parse_known_args(arguments)[0].architecture
    parser = argparse.ArgumentParser(
        prog="tools/train rating-network",
        parents=[first],
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder made by `marquee export`")
    parser.add_argument("--out", type=Path, required=True, help="artifact folder to make")
    parser.add_argument("--name", default="rating-network")
    parser.add_argument("--version", default=None, help="default: the time of training")
    parser.add_argument("--license", default="MIT")
    parser.add_argument("--data-set", default="marquee export", help="named in the manifest")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, …")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU, for one operation")
    parser.add_argument(
        "--work-dir",
        type=Path,
        default=None,
        help="keep the ratings in files here, for more of them than memory holds",
    )
    if architecture == "history":
        parser.add_argument(
            "--overview-vectors",
            default=ENCODE,
            metavar="FILE",
            help=f"`{ENCODE}` them (default), `{NONE}`, or a .npz file with movie_ids and vectors",
        )
    else:
        parser.set_defaults(overview_vectors=NONE)
    for name, default in asdict(ARCHITECTURES[architecture]()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return parser.parse_args(arguments)


def train(
    interactions: Interactions,
    catalogue: Catalogue,
    settings: Settings,
    options: argparse.Namespace,
) -> Outcome:
    on_cpu = options.device == "cpu"
    # Read by CUDA's matrix products when they are first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True, warn_only=not on_cpu)
    if isinstance(settings, OriginalSettings):
        return original_outcome(interactions, catalogue, settings, options.device)
    return history_outcome(interactions, catalogue, settings, options.device)


def original_outcome(
    interactions: Interactions, catalogue: Catalogue, settings: OriginalSettings, device: str
) -> Outcome:
    trained = train_original(interactions, catalogue, settings, device)
    network = exported_original(trained, catalogue, interactions.scale())
    curve = Curve("", trained.train_losses, trained.held_out_losses)
    return Outcome(network, [curve], trained.metrics)


def exported_original(
    trained: OriginalOutcome, catalogue: Catalogue, scale: tuple[float, float]
) -> ExportedNetwork:
    return ExportedNetwork(
        build_original_tower(trained.weights, trained.scaling),
        build_original_scorer(trained.weights),
        catalogue,
        NUMERIC[:N_NUMERIC],
        scale,
        max_history=None,
    )


def history_outcome(
    interactions: Interactions, catalogue: Catalogue, settings: HistorySettings, device: str
) -> Outcome:
    setting = prepare(interactions, catalogue, settings, device)
    members = train_members(setting, settings)
    weights = [member.weights for member in members]
    network = ExportedNetwork(
        build_history_tower(weights, setting.scaling, catalogue.overviews),
        build_history_scorer(weights),
        catalogue,
        NUMERIC,
        interactions.scale(),
        max_history=settings.max_history,
    )
    curves = [
        Curve(f"member {number}: ", member.train_losses, member.held_out_losses)
        for number, member in enumerate(members, start=1)
    ]
    names = members[0].metrics
    metrics = {name: mean([member.metrics[name] for member in members]) for name in names}
    return Outcome(network, curves, metrics)


def mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 6)


if __name__ == "__main__":
    main()
