"""Makes an artifact of a checkpoint of the original network that was trained elsewhere.

    tools/train convert-checkpoint --checkpoint MODEL.pt --description MODEL.json
        --movies EXPORT_DIR --out DIR

The checkpoint is a file that `torch.save(model.state_dict(), …)` wrote, with the names of
original_network.py; its widths may differ. It is read as weights only: no code in it is run. The
description is what a state dict does not say (JSON):

    {"users": [id of embedding row 0, row 1, …],
     "movies": [id of embedding row 0, row 1, …],
     "genres": [name of genre column 0, 1, …],
     "scaler": {"mean": [3 numbers], "scale": [3 numbers]},
     "rating_scale": [lowest, highest]}

Ids are those of the data set; `mean` and `scale` are the StandardScaler's for vote average (0 to
10), vote count and popularity, in this order. The daemon knows a movie by id and title, so titles
are needed: from movies.csv (movieId, title, and year where there is one; MovieLens's "Title
(1995)" is understood) in the folder or at the path given by --movies.

Such a checkpoint has no row for a user or a movie that it does not know. The mean of the rows
stands for it: the average person's or movie's taste, before the layers that are not linear.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from marquee_models.catalogue import NUMERIC, Catalogue, Movie, nameless, read_movie
from marquee_models.network_artifact import ExportedNetwork, Label, publish_network
from marquee_models.original_graphs import build_original_scorer, build_original_tower
from marquee_models.original_network import OriginalNetwork, OriginalShape
from marquee_models.scaling import Scaling

N_NUMERIC = 3
EXPORT_COLUMNS = ("movieId", "title", "year", "genres", *NUMERIC[:N_NUMERIC])
TITLE_WITH_YEAR = re.compile(r"(?P<title>.*\S)\s*\((?P<year>\d{4})\)\s*")


class ConversionError(ValueError):
    """The checkpoint and what is said of it do not agree."""


@dataclass(frozen=True)
class ModelDescription:
    users: tuple[int, ...]
    movies: tuple[int, ...]
    genres: tuple[str, ...]
    scaling: Scaling
    rating_scale: tuple[float, float]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="tools/train convert-checkpoint",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="state dict of PyTorch")
    parser.add_argument("--description", type=Path, required=True, help="JSON, see above")
    parser.add_argument("--movies", type=Path, required=True, help="movies.csv or its folder")
    parser.add_argument("--out", type=Path, required=True, help="artifact folder to make")
    parser.add_argument("--name", default="converted-network")
    parser.add_argument("--version", default="1")
    parser.add_argument("--license", required=True, help="of the checkpoint")
    options = parser.parse_args(arguments)
    description = read_description(options.description)
    movies = options.movies / "movies.csv" if options.movies.is_dir() else options.movies
    weights = read_checkpoint(options.checkpoint, description)
    network = converted(weights, description, read_titles(movies))
    label = Label(options.name, options.version, options.license, training=None)
    publish_network(options.out, network, label)
    print(f"{options.out}: {len(description.movies)} movies, {len(description.users)} users")


def read_description(path: Path) -> ModelDescription:
    raw = json.loads(path.read_text(encoding="utf-8"))
    expected = {"users", "movies", "genres", "scaler", "rating_scale"}
    if not isinstance(raw, dict) or set(raw) != expected:
        raise ConversionError(f"{path} must have exactly the keys {', '.join(sorted(expected))}")
    for name in ("users", "movies", "genres"):
        if len(set(raw[name])) != len(raw[name]):
            raise ConversionError(f"{path}: something is twice in {name}")
    mean = np.array(raw["scaler"]["mean"], dtype=np.float64)
    scale = np.array(raw["scaler"]["scale"], dtype=np.float64)
    if mean.shape != (N_NUMERIC,) or scale.shape != (N_NUMERIC,) or not (scale > 0.0).all():
        raise ConversionError(f"{path}: scaler needs {N_NUMERIC} means and positive scales")
    low, high = (float(bound) for bound in raw["rating_scale"])
    return ModelDescription(
        users=tuple(int(id) for id in raw["users"]),
        movies=tuple(int(id) for id in raw["movies"]),
        genres=tuple(str(name) for name in raw["genres"]),
        scaling=Scaling(mean, scale, (False,) * N_NUMERIC),
        rating_scale=(low, high),
    )


def read_checkpoint(path: Path, description: ModelDescription) -> dict[str, npt.NDArray[Any]]:
    """The weights as they are, checked against the description and the layout."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    tables = {"user_embed.weight", "item_embed.weight"}
    if not isinstance(state, Mapping) or not tables <= set(state):
        raise ConversionError(f"{path} is not a state dict of the original network")
    rows = {"user": len(state["user_embed.weight"]), "movie": len(state["item_embed.weight"])}
    expected = {"user": len(description.users), "movie": len(description.movies)}
    if rows != expected:
        raise ConversionError(f"{path} has rows {rows}, the description {expected}")
    model = OriginalNetwork(
        OriginalShape(
            n_user_rows=rows["user"],
            n_movie_rows=rows["movie"],
            n_genres=len(description.genres),
            embedding=state["user_embed.weight"].shape[1],
            hidden=(len(state["mlp.0.bias"]), len(state["mlp.4.bias"])),
        )
    )
    try:
        model.load_state_dict(dict(state))
    except RuntimeError as error:
        raise ConversionError(f"{path} has another layout: {error}") from error
    return {name: value.float().numpy() for name, value in model.state_dict().items()}


def converted(
    weights: dict[str, npt.NDArray[Any]], description: ModelDescription, titles: dict[int, Movie]
) -> ExportedNetwork:
    untitled = [id for id in description.movies if id not in titles]
    if untitled:
        raise ConversionError(f"{len(untitled)} movies have no title, the first is {untitled[0]}")
    tables = {
        name: np.concatenate([weights[name].mean(axis=0, keepdims=True), weights[name]])
        for name in ("user_embed.weight", "item_embed.weight")
    }
    known = {**weights, **tables}
    return ExportedNetwork(
        build_original_tower(known, description.scaling),
        build_original_scorer(known),
        catalogue_of(description, [titles[id] for id in description.movies]),
        NUMERIC[:N_NUMERIC],
        description.rating_scale,
        max_history=None,
    )


def catalogue_of(description: ModelDescription, movies: list[Movie]) -> Catalogue:
    table = [nameless(0), *movies]
    flags = [[float(genre in movie.genres) for genre in description.genres] for movie in table]
    return Catalogue(
        movies=tuple(movies),
        users=description.users,
        genres=description.genres,
        numeric=np.array([movie.numeric() for movie in table], dtype=np.float32),
        genre_flags=np.array(flags, dtype=np.float32).reshape(len(table), len(description.genres)),
        overviews=np.zeros((len(table), 0), dtype=np.float32),
    )


def read_titles(path: Path) -> dict[int, Movie]:
    """Of our own export, or of MovieLens; columns that are not there are missing facts."""
    movies = {}
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            facts = {name: row.get(name) or "" for name in EXPORT_COLUMNS}
            dated = TITLE_WITH_YEAR.fullmatch(facts["title"])
            if dated and not facts["year"]:
                facts.update(dated.groupdict())
            movie = read_movie(facts)
            movies[movie.id] = movie
    return movies


if __name__ == "__main__":
    main()
