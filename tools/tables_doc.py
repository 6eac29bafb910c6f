"""Write docs/tables.md, the data dictionary, from `headway.tables`: python tools/tables_doc.py."""

from __future__ import annotations

from pathlib import Path

from headway.tables import TABLES, Column

HEAD = """\
# Tables

Every table that the pipeline writes, from `src/headway/tables/` (`python tools/tables_doc.py`
writes this page; a test holds it against the code). Row-level tables stay in `data/processed/`;
only aggregate tables reach `results/`, and a clinic's only through disclosure control, which does
with a column what its class says (`headway.tables.columns.Disclosure`, docs/disclosure.md). Units
are codes of the messages' family `unit`.
"""


# A longer list of codes is the standard's that the column names.
_MOST = 60


def describe_values(column: Column) -> str:
    """Say in words what a column may hold."""
    parts = []
    if column.allowed:
        many = len(column.allowed) > _MOST
        parts.append("its codes" if many else ", ".join(column.allowed))
    if column.low is not None or column.high is not None:
        low = "" if column.low is None else f"{column.low:g}"
        high = "" if column.high is None else f"{column.high:g}"
        parts.append(f"{low}…{high}")
    if column.pattern:
        parts.append("short codes")
    return "; ".join(parts)


def describe_class(column: Column) -> str:
    """Say in words what a column is to disclosure control."""
    rule = column.disclosure
    out = rule.kind.replace("_", "-")
    if rule.count:
        out += f" of {rule.count} in {', '.join(rule.n)}"
    elif rule.n:
        out += f" on {', '.join(rule.n)}"
    return out + (", computed again" if rule.again else "") + (", in blocks" if rule.blocks else "")


def write() -> str:
    """Make the page."""
    out = [HEAD]
    for name, table in TABLES.items():
        out.append(f"\n## {name}\n\nOne row per {table.row}; {table.level}.")
        if table.key:
            out.append(f" Key: {', '.join(table.key)}.")
        out.append(
            "\n\n| column | type | class | unit | may be empty | values | meaning |\n"
            "|---|---|---|---|---|---|---|\n"
        )
        for label, column in table.columns.items():
            empty = "yes" if column.nullable else ""
            cells = (
                label,
                column.kind,
                describe_class(column),
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
