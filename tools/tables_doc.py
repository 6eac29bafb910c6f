"""Write docs/tables.md, the data dictionary, from `headway.tables`: python tools/tables_doc.py."""

from __future__ import annotations

from pathlib import Path

from headway.tables import TABLES, Column

HEAD = """\
# Tables

Every table that the pipeline writes, from `src/headway/tables/` (`python tools/tables_doc.py`
writes this page; a test holds it against the code). Row-level tables stay in `data/processed/`;
only aggregate tables reach `results/`, and a clinic's only through disclosure control.
"""


def describe_values(column: Column) -> str:
    """Say in words what a column may hold."""
    parts = []
    if column.allowed:
        parts.append(", ".join(column.allowed))
    if column.low is not None or column.high is not None:
        low = "" if column.low is None else f"{column.low:g}"
        high = "" if column.high is None else f"{column.high:g}"
        parts.append(f"{low}…{high}")
    if column.pattern:
        parts.append("short codes")
    return "; ".join(parts)


def write() -> str:
    """Make the page."""
    out = [HEAD]
    for name, table in TABLES.items():
        out.append(f"\n## {name}\n\nOne row per {table.row}; {table.level}.")
        if table.key:
            out.append(f" Key: {', '.join(table.key)}.")
        out.append(
            "\n\n| column | type | unit | may be empty | values | meaning |\n"
            "|---|---|---|---|---|---|\n"
        )
        for label, column in table.columns.items():
            empty = "yes" if column.nullable else ""
            cells = (
                label,
                column.kind,
                column.unit,
                empty,
                describe_values(column),
                column.description,
            )
            out.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |\n")
    return "".join(out)


if __name__ == "__main__":
    page = Path(__file__).resolve().parents[1] / "docs" / "tables.md"
    page.write_text(write(), encoding="utf-8")
