"""tools/bench/page: writes data/speed.md from the results in data/speed."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.report import FOLDER, PAGE, page
from fetch.report import say


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools/bench/page", description=__doc__)
    parser.add_argument("--from", dest="folder", type=Path, default=FOLDER, help="of JSON files")
    parser.add_argument("--out", type=Path, default=PAGE, help="beside the folder")
    options = parser.parse_args()
    options.out.write_text(page(options.folder), encoding="utf-8")
    say(f"written: {options.out}")


if __name__ == "__main__":
    main()
