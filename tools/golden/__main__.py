"""Writes golden fixtures: `tools/golden/write [NAME …]`, default all of NAMES."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from fetch.places import CHECKOUT, Cache, cache_from

FIXTURES = CHECKOUT / "tests" / "fixtures"
# Fixtures are read by people in reviews and by every clone.
MAX_BYTES = 400_000
NAMES = ("miniatures", "pearson", "weighted_profile", "sentence_transformers", "tfidf")


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools/golden/write", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument(
        "--overviews",
        type=Path,
        default=CHECKOUT / "data" / "overviews.csv",
        help="CSV with title, year and overview, the documents of the text methods",
    )
    options = parser.parse_args()
    names = options.names or list(NAMES)
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"unknown: {', '.join(unknown)}")
    cache = cache_from(os.environ)
    if "miniatures" in names:
        from golden.miniatures import write_miniatures

        for path in write_miniatures(FIXTURES / "artifacts"):
            print(path.relative_to(CHECKOUT))
    for name in names:
        if name != "miniatures":
            write_golden(name, golden(name, cache, options.overviews))


def golden(name: str, cache: Cache, overviews: Path) -> dict[str, Any]:
    """Each peer is imported only when its file is asked for."""
    if name in ("pearson", "weighted_profile"):
        from golden import collaborative, movielens

        correlation = movielens.item_pearson(cache.movielens)
        if name == "weighted_profile":
            return collaborative.weighted_profile(correlation)
        counts = movielens.user_by_movie(cache.movielens).count()
        return collaborative.pearson(correlation, counts)
    from golden import texts

    if name == "tfidf":
        return texts.tfidf(overviews, cache.movielens)
    return texts.sentence_transformers(cache.encoder_release, overviews, cache.movielens)


def write_golden(name: str, value: dict[str, Any]) -> None:
    path = FIXTURES / "golden" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
    if len(text.encode()) > MAX_BYTES:
        raise SystemExit(
            f"{path.name} would have {len(text.encode())} bytes, more than {MAX_BYTES}"
        )
    path.write_text(text, encoding="utf-8")
    print(f"{path.relative_to(CHECKOUT)}: {len(text.encode())} bytes")


if __name__ == "__main__":
    main()
