"""What is embedded of a movie."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def embedded_texts(movies: Path) -> list[str]:
    """As the daemon by default, one per line of movies.csv: genres, overview, synopsis; a space
    between. May be empty."""
    table = pd.read_csv(movies, dtype=str, keep_default_na=False)
    parts = [table["genres"].str.replace("|", " ", regex=False), table["overview"]]
    if "synopsis" in table:
        parts.append(table["synopsis"])
    return [" ".join(filter(None, map(str.strip, texts))) for texts in zip(*parts)]
