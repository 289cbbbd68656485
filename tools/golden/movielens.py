"""MovieLens 100K as pandas sees it, from the files in the cache."""

from __future__ import annotations

from pathlib import Path

import pandas

MIN_PERIODS = 10


def user_by_movie(folder: Path) -> pandas.DataFrame:
    table = pandas.read_csv(folder / "ml-100k.inter", sep="\t")
    table.columns = [name.split(":")[0] for name in table.columns]
    return table.pivot_table(index="user_id", columns="item_id", values="rating")


def item_pearson(folder: Path) -> pandas.DataFrame:
    """Item × item Pearson correlation over the users who rated both, at least ten of them."""
    return user_by_movie(folder).corr(method="pearson", min_periods=MIN_PERIODS)


def significant(value: float) -> float:
    return float(f"{value:.8g}")
