"""A measurement as a JSON file, and a folder of such files as a page.

Every command of this folder writes one file, NAME.json, with its pictures beside it (NAME.svg or
NAME-….svg). A NAME.md beside it is its section. Without one, a file that follows `Report` is shown
as it says, and of any other JSON every list of objects becomes a table, so that a measurement need
not know of this page.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fetch.places import CHECKOUT

FOLDER = CHECKOUT / "data" / "speed"
PAGE = CHECKOUT / "data" / "speed.md"
# The order of the page; what else is in the folder comes after.
FIRST = ("run", "profile", "encoder", "scale", "vectors")
TEXTS = (".json", ".md")
PICTURES = (".svg", ".png")
# What a report keeps for other uses than the page.
UNSHOWN = "raw"
MAX_ROWS = 200


@dataclass(frozen=True)
class Table:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    # Sentences before the table.
    text: str = ""


@dataclass(frozen=True)
class Report:
    title: str
    command: str
    text: str
    tables: Sequence[Table]
    machine: Mapping[str, Any]
    raw: Any = field(default_factory=dict)


def write_report(folder: Path, name: str, report: Report) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    text = json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")
    return path


def renew_page(folder: Path) -> None:
    """After a new result, unless it was written elsewhere."""
    if folder.resolve() == FOLDER:
        PAGE.write_text(page(folder), encoding="utf-8")


def machine() -> dict[str, Any]:
    """What of this machine times depend on; nothing that names it."""
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    }


def processor_name() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def page(folder: Path) -> str:
    """`folder` holds the JSON files; pictures are named relative to the page beside it."""
    lines = [
        "# Speed",
        "",
        "Written by `tools/bench/page` from the files in `data/speed`; do not edit. Each section",
        "names the command that measured it.",
    ]
    found = names(folder)
    if not found:
        lines += ["", "Nothing has been measured yet."]
    for name in found:
        lines += ["", *written(folder, name)]
        for picture in pictures(folder, name):
            lines += ["", f"![{picture.stem}]({folder.name}/{picture.name})"]
    return "\n".join(lines) + "\n"


def written(folder: Path, name: str) -> list[str]:
    """The section of a measurement; headings of its own text go one level down."""
    text = folder / f"{name}.md"
    if text.exists():
        lines = text.read_text(encoding="utf-8").strip().splitlines()
        return [f"#{line}" if line.startswith("#") else line for line in lines]
    content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return section(name, content)


def names(folder: Path) -> list[str]:
    files = folder.iterdir() if folder.is_dir() else ()
    found = {path.stem for path in files if path.suffix in TEXTS}
    return [name for name in FIRST if name in found] + sorted(found.difference(FIRST))


def pictures(folder: Path, name: str) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix in PICTURES and (path.stem == name or path.stem.startswith(f"{name}-"))
    )


def section(name: str, content: Any) -> list[str]:
    facts = content if isinstance(content, dict) else {"measured": content}
    title = facts.get("title", name.capitalize())
    command = facts.get("command", f"tools/bench/{name}")
    lines = [f"## {title}", "", f"`{command}`"]
    if isinstance(facts.get("machine"), dict):
        lines[-1] += f" on {machine_sentence(facts['machine'])}"
    if isinstance(facts.get("text"), str):
        lines += ["", facts["text"]]
    if is_report(facts):
        for table in facts["tables"]:
            lines += ["", *table_lines(Table(**table))]
        return lines
    known = {"title", "command", "machine", "text", UNSHOWN}
    rest = {key: value for key, value in facts.items() if key not in known}
    for table in tables_of(rest, ()):
        lines += ["", *table_lines(table)]
    return lines


def is_report(facts: Mapping[str, Any]) -> bool:
    tables = facts.get("tables")
    return isinstance(tables, list) and all(
        isinstance(table, dict) and {"columns", "rows"} <= set(table) for table in tables
    )


def machine_sentence(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{str(key).replace('_', ' ')} {shown(value)}" for key, value in facts.items())


def tables_of(value: Any, path: tuple[str, ...]) -> Iterator[Table]:
    """Lists of objects as tables; an object's plain values as one of two columns."""
    title = ", ".join(words.replace("_", " ") for words in path)
    if isinstance(value, dict):
        plain = [[key, shown(item)] for key, item in value.items() if is_plain(item)]
        if plain:
            yield Table(title, ("what", "measured"), plain)
        for key, item in value.items():
            if not is_plain(item):
                yield from tables_of(item, (*path, str(key)))
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        flat = [dict(leaves(item, "")) for item in value[:MAX_ROWS]]
        columns = list(dict.fromkeys(key for item in flat for key in item))
        rows = [[item.get(key, "") for key in columns] for item in flat]
        yield Table(title, [key.replace("_", " ") for key in columns], rows)


def leaves(item: Mapping[str, Any], before: str) -> Iterator[tuple[str, str]]:
    """The values of an object and of those within it, each with all names that lead to it."""
    for key, value in item.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{before}{key}, ")
        else:
            yield f"{before}{key}", shown(value)


def is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return not any(isinstance(item, (dict, list)) for item in value)
    return not isinstance(value, dict)


def shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(shown(item) for item in value)
    if isinstance(value, float):
        return number(value)
    return "" if value is None else str(value)


def number(value: float) -> str:
    """Three digits that count."""
    if value == 0.0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table_lines(table: Table) -> list[str]:
    lines = [f"### {table.title}", ""] if table.title else []
    if table.text:
        lines += [table.text, ""]
    lines.append(f"| {' | '.join(table.columns)} |")
    lines.append("|---" * len(table.columns) + "|")
    for row in table.rows:
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |")
    return lines
