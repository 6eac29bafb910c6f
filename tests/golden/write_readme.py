"""Write the tables of README.md from a run of the golden tests.

HEADWAY_LEDGER=ledger.jsonl python -m pytest tests/golden
python -m tests.golden.write_readme ledger.jsonl

Without a file, only the table of the engine is written.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

from tests.golden.engine import write_table
from tests.golden.ledger import README

HEADS = (
    ("", "| section | numbers compared | excluded |", "|---|---|---|"),
    (
        "## Worst differences",
        "| section | quantity | compared | worst difference | allowed |",
        "|---|---|---|---|---|",
    ),
    ("## Excluded", "| section | reason | numbers |", "|---|---|---|"),
)


def name_section(row: str) -> str:
    """Return the section that a row of a table is about."""
    return row.split("|")[1].strip()


def write_tables(lines: list[str], before: str) -> str:
    """Return the tables as Markdown; sections that were not run keep the rows they had before."""
    # A section that was run twice counts once.
    runs = {entry["row"]: entry for entry in map(json.loads, lines)}
    tables: tuple[list[str], list[str], list[str]] = ([], [], [])
    for row, entry in runs.items():
        section = name_section(row)
        tables[0].append(row)
        for name, (count, worst, bound, _) in entry["quantities"].items():
            tables[1].append(f"| {section} | {name} | {count} | {worst:.0e} | {bound:.0e} |")
        reasons: dict[str, int] = defaultdict(int)
        for reason, count in entry["excluded"].items():
            reasons[reason] += count
        tables[2].extend(f"| {section} | {r} | {count} |" for r, count in reasons.items())
    run = {name_section(row) for row in runs}
    out = []
    for (title, *head), rows in zip(HEADS, tables, strict=True):
        old = before.split("\n".join(head) + "\n", 1)[1].split("\n\n")[0].splitlines()
        kept = [row for row in old if row.startswith("| ") and name_section(row) not in run]
        out.append("\n".join([*([title, ""] if title else []), *head, *kept, *rows]))
    return "\n\n".join(out)


def replace(text: str, name: str, table: str) -> str:
    """Put a table between the marks of its name."""
    start, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, after = text.split(start)[0], text.split(end)[1]
    return f"{before}{start}\n{table}\n{end}{after}"


def main(path: str = "") -> None:
    """Replace what stands between the marks."""
    text = replace(README.read_text(encoding="utf-8"), "engine", write_table())
    if path:
        own = text.split("<!-- tables: begin -->")[1].split("<!-- tables: end -->")[0]
        tables = write_tables(Path(path).read_text(encoding="utf-8").splitlines(), own)
        text = replace(text, "tables", tables)
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:2])
