"""Fits an item-item model on what `marquee export` writes, and makes an artifact of it.

    tools/train item-item-model --data EXPORT_DIR --out DIR [--method ease|cosine]

The lists serve `/v1/movies/{movie_id}/similar?method=item-item`. The metrics in the manifest are
of a model that was fitted without the newest part of each person's ratings; the one in the artifact
is fitted on all of them.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, fields
from pathlib import Path

from marquee_models.catalogue import nameless, read_movies
from marquee_models.interactions import read_interactions
from marquee_models.item_item import (
    METHODS,
    ItemItemSettings,
    fit,
    histories_of,
    measure,
    most_rated,
    nearest,
    without_newest,
)
from marquee_models.item_item_artifact import publish_item_item_model
from marquee_models.manifest import Training, now_utc
from marquee_models.network_artifact import Label


def main(arguments: list[str] | None = None) -> None:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    names = [part.name for part in fields(ItemItemSettings)]
    settings = ItemItemSettings(**{name: getattr(options, name) for name in names})
    interactions = read_interactions(options.data / "ratings.csv", options.work_dir)
    movies = read_movies(options.data / "movies.csv")
    ids = most_rated(interactions, settings.max_movies)
    histories = histories_of(interactions, ids)
    earlier, newest = without_newest(histories, settings.held_out)
    metrics = measure(nearest(fit(earlier, settings), settings.max_neighbours), earlier, newest)
    lists = nearest(fit(histories, settings), settings.max_neighbours)
    label = Label(
        options.name,
        options.version or now_utc().strftime("%Y%m%dT%H%M%SZ"),
        options.license,
        Training(options.data_set, metrics, asdict(settings)),
    )
    known = [movies.get(id) or nameless(id) for id in ids.tolist()]
    publish_item_item_model(options.out, known, lists, label)
    words = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    print(f"{options.out}: {len(known)} movies, {len(lists.rows)} neighbours, {words}")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/train item-item-model",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder made by `marquee export`")
    parser.add_argument("--out", type=Path, required=True, help="artifact folder to make")
    parser.add_argument("--name", default="item-item-model")
    parser.add_argument("--version", default=None, help="default: the time of training")
    parser.add_argument("--license", default="MIT")
    parser.add_argument("--data-set", default="marquee export", help="named in the manifest")
    parser.add_argument(
        "--work-dir",
        type=Path,
        default=None,
        help="keep the ratings in files here, for more of them than memory holds",
    )
    for name, default in asdict(ItemItemSettings()).items():
        choices = tuple(METHODS) if name == "method" else None
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(default), default=default, choices=choices
        )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
