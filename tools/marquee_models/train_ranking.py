"""Trains the ranking model on what `marquee export DIR --ranking-examples` writes.

    tools/train ranking-model --data EXPORT_DIR --out DIR

LightGBM's LambdaMART: boosted trees that learn to put what a person liked before what they did not.
Some queries are held out to choose the number of trees and for the metrics in the manifest; the
model that is written has learnt from all queries. A picture beside the artifact shows the nDCG of
the held-out queries by number of trees, and what the trees look at.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Callable

import lightgbm
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from marquee_models.exit_codes import TOO_FEW_EXAMPLES
from marquee_models.manifest import Training, now_utc
from marquee_models.network_artifact import Label
from marquee_models.plot import plot_ranking
from marquee_models.ranking_artifact import RankingModel, publish_ranking_model
from marquee_models.ranking_examples import (
    FOLDER_NAME,
    Examples,
    ExamplesError,
    TooFewExamplesError,
    mean_ndcg_at,
    read_examples,
)
from marquee_models.trees import Ensemble, read_lightgbm

K = 10
# Fewer queries with something liked say too little, held out or to learn from.
MIN_QUERIES = 20


@dataclass(frozen=True)
class Settings:
    seed: int = 42
    # Models with seeds of their own whose scores are averaged. Each has its trees in every answer.
    members: int = 3
    # Of a member; the best number is chosen on the held-out queries. More take longer in every
    # new answer: 150 trees of 15 leaves some 0.2 ms for the hundred candidates they are asked for.
    max_trees: int = 150
    # Trees without a better nDCG after which no more are tried.
    patience: int = 50
    learning_rate: float = 0.1
    # Small trees: few features at a time say something about so few likes.
    leaves: int = 15
    min_rows_in_leaf: int = 100
    # Each tree sees a part of the features and of the rows, so that they differ.
    feature_share: float = 0.5
    row_share: float = 0.8
    l2_penalty: float = 10.0
    # Pairs count when one of the two is among the first so many: what is shown, and a margin.
    truncation: int = 20
    held_out_share: float = 0.2


@dataclass(frozen=True)
class Outcome:
    model: RankingModel
    metrics: dict[str, float]
    # nDCG@10 on the held-out queries after each tree, and of the best single feature.
    curve: list[float]
    best_feature: tuple[str, float]
    importance: dict[str, float]


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    settings = Settings(**{part.name: getattr(options, part.name) for part in fields(Settings)})
    folder = options.data / FOLDER_NAME
    if not folder.is_dir():
        print(f"{folder} is not there: `marquee export DIR --ranking-examples` makes it")
        return 1
    try:
        outcome = train(read_examples(folder), settings, options.threads)
    except ExamplesError as error:
        print(error)
        return 1
    except TooFewExamplesError as error:
        print(error)
        return TOO_FEW_EXAMPLES
    facts = {"best_feature": outcome.best_feature[0], **asdict(settings)}
    version = options.version or now_utc().strftime("%Y%m%dT%H%M%SZ")
    training = Training(options.data_set, outcome.metrics, facts)
    label = Label(options.name, version, options.license, training)
    publish_ranking_model(options.out, outcome.model, label)
    picture = options.out.with_name(f"{options.out.name}-training.png")
    plot_ranking(picture, outcome.curve, outcome.best_feature, outcome.importance)
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in outcome.metrics.items())
    print(f"{options.out}: {metrics} (best feature: {outcome.best_feature[0]})")
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/train ranking-model",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder made by `marquee export --ranking-examples`",
    )
    parser.add_argument("--out", type=Path, required=True, help="artifact folder to make")
    parser.add_argument("--name", default="ranking-model")
    parser.add_argument("--version", default=None, help="default: the time of training")
    parser.add_argument("--license", default="MIT")
    parser.add_argument("--data-set", default="marquee export", help="named in the manifest")
    parser.add_argument(
        "--threads", type=int, default=1, help="of the CPU; more pay on an idle machine only"
    )
    for name, default in asdict(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return parser.parse_args(arguments)


def train(examples: Examples, settings: Settings, threads: int) -> Outcome:
    examples = examples.take((examples.n_liked() > 0) & (examples.weights > 0))
    is_held_out = hold_out(examples.windows, settings)
    learn, judge = examples.take(~is_held_out), examples.take(is_held_out)
    if len(learn.lengths) < MIN_QUERIES or len(judge.lengths) == 0:
        raise TooFewExamplesError(
            f"there are {len(examples.lengths)} queries with a liked candidate; "
            f"at least {MIN_QUERIES} to learn from and one held out are needed"
        )
    first, curve = choose_trees(learn, judge, settings, threads)
    n_trees = 1 + int(np.argmax(curve))
    others = range(1, settings.members)
    judged = [first, *fit_members(learn, settings, others, (n_trees, threads))]
    best_feature = best_single_feature(judge)
    metrics = {
        f"ndcg_at_{K}": mean_ndcg_at(K, judge, predict(judged, judge, n_trees)),
        f"best_feature_ndcg_at_{K}": best_feature[1],
        "n_held_out_queries": float(len(judge.lengths)),
        "n_queries": float(len(examples.lengths)),
        "n_trees": float(n_trees * settings.members),
    }
    members = fit_members(examples, settings, range(settings.members), (n_trees, threads))
    scale = 1.0 / settings.members
    trees = [tree for member in members for tree in read_lightgbm(member.dump_model(), scale)]
    model = RankingModel(
        Ensemble(trees, len(examples.names)), examples.names, probe_rows(examples, settings)
    )
    gains = np.sum([member.feature_importance("gain") for member in members], axis=0)
    importance = dict(zip(examples.names, (gains / max(gains.sum(), 1e-30)).tolist()))
    return Outcome(model, metrics, curve, best_feature, importance)


def hold_out(windows: npt.NDArray[np.uint8], settings: Settings) -> npt.NDArray[np.bool_]:
    """The same share of the queries of every window, at random."""
    random = np.random.default_rng(settings.seed)
    held_out = np.zeros(len(windows), dtype=bool)
    for window in np.unique(windows):
        places = random.permutation(np.flatnonzero(windows == window))
        held_out[places[: round(len(places) * settings.held_out_share)]] = True
    return held_out


def parameters(examples: Examples, settings: Settings, seed: int, threads: int) -> dict[str, Any]:
    return {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [K],
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.min_rows_in_leaf,
        "feature_fraction": settings.feature_share,
        "bagging_fraction": settings.row_share,
        "bagging_freq": 1,
        "lambda_l2": settings.l2_penalty,
        "lambdarank_truncation_level": settings.truncation,
        # More of a rising feature never lowers a score: robust where the past says little.
        "monotone_constraints": [int(rising) for rising in examples.rising],
        "use_missing": False,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbose": -1,
    }


def data_set(examples: Examples, bins_of: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        examples.features,
        examples.labels,
        reference=bins_of,
        group=examples.lengths,
        weight=np.repeat(examples.weights, examples.lengths),
        free_raw_data=False,
    )


def choose_trees(
    learn: Examples, judge: Examples, settings: Settings, threads: int
) -> tuple[lightgbm.Booster, list[float]]:
    """A member that has learnt, and its nDCG on the queries to judge by after each tree."""
    evaluations: dict[str, Any] = {}
    learning = data_set(learn)
    with progress("choosing the number of trees", settings.max_trees) as step:
        booster = lightgbm.train(
            parameters(learn, settings, settings.seed, threads),
            learning,
            settings.max_trees,
            valid_sets=[data_set(judge, learning)],
            valid_names=["held_out"],
            callbacks=[
                lightgbm.record_evaluation(evaluations),
                lightgbm.early_stopping(settings.patience, verbose=False),
                step,
            ],
        )
    return booster, [float(value) for value in evaluations["held_out"][f"ndcg@{K}"]]


def fit_members(
    examples: Examples,
    settings: Settings,
    numbers: Sequence[int],
    n_trees_and_threads: tuple[int, int],
) -> list[lightgbm.Booster]:
    """The members of these numbers, from 0."""
    n_trees, threads = n_trees_and_threads
    data = data_set(examples)
    members = []
    for member in numbers:
        seeded = parameters(examples, settings, settings.seed + member, threads)
        with progress(f"member {member + 1} of {settings.members}", n_trees) as step:
            members.append(lightgbm.train(seeded, data, n_trees, callbacks=[step]))
    return members


@contextmanager
def progress(what: str, n_trees: int) -> Iterator[Callable[[Any], None]]:
    with tqdm(total=n_trees, desc=what, unit="tree", file=sys.stderr, disable=None) as bar:
        yield lambda _: bar.update(1) and None


def predict(
    members: list[lightgbm.Booster], examples: Examples, n_trees: int
) -> npt.NDArray[np.float64]:
    """The mean over the members, of the first trees of each."""
    rows = examples.features
    scores = [np.asarray(member.predict(rows, num_iteration=n_trees)) for member in members]
    mean: npt.NDArray[np.float64] = np.mean(scores, axis=0)
    return mean


def best_single_feature(examples: Examples) -> tuple[str, float]:
    """The feature that orders the queries best by itself, the larger the better."""
    values = [mean_ndcg_at(K, examples, column) for column in examples.features.T]
    best = int(np.argmax(values))
    return examples.names[best], values[best]


def probe_rows(examples: Examples, settings: Settings) -> npt.NDArray[np.float32]:
    random = np.random.default_rng(settings.seed)
    return examples.features[np.sort(random.permutation(len(examples.features))[:64])]


if __name__ == "__main__":
    sys.exit(main())
