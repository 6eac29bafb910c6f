"""Write the tables of README.md from a run of the golden tests.

HEADWAY_LEDGER=ledger.jsonl python -m pytest tests/golden
python -m tests.golden.write_readme ledger.jsonl
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

from tests.golden.ledger import README

START, END = "<!-- tables: begin -->", "<!-- tables: end -->"


def write_tables(lines: list[str]) -> str:
    """Return the tables as Markdown."""
    # A section that was run twice counts once.
    runs = {entry["row"]: entry for entry in map(json.loads, lines)}
    out = ["| section | numbers compared | excluded |", "|---|---|---|", *runs]
    out += ["", "## Worst differences", ""]
    out += [
        "| section | quantity | compared | worst difference | allowed |",
        "|---|---|---|---|---|",
    ]
    reasons: dict[str, int] = defaultdict(int)
    for row, entry in runs.items():
        section = row.split("|")[1].strip()
        for name, (count, worst, bound, _) in entry["quantities"].items():
            out.append(f"| {section} | {name} | {count} | {worst:.0e} | {bound:.0e} |")
        for reason, count in entry["excluded"].items():
            reasons[f"{section} | {reason}"] += count
    out += ["", "## Excluded", "", "| section | reason | numbers |", "|---|---|---|"]
    out += [f"| {reason} | {count} |" for reason, count in reasons.items()]
    return "\n".join(out)


def main(path: str) -> None:
    """Replace what stands between the markers."""
    tables = write_tables(Path(path).read_text(encoding="utf-8").splitlines())
    text = README.read_text(encoding="utf-8")
    before, after = text.split(START)[0], text.split(END)[1]
    README.write_text(f"{before}{START}\n{tables}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
