"""Write the data dictionary from `headway.tables`: python tools/tables_doc.py.

docs/tables.md is for people; docs/reference/datapackage.json says the same as a Tabular Data
Package (Frictionless Table Schema) for programs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headway.tables import RELEASED, TABLES, Column, Table

HEAD = """\
# Tables

Every table that the pipeline writes, from `src/headway/tables/` (`python tools/tables_doc.py`
writes this page; a test compares it with the code). Row-level tables stay in `data/processed/`;
only aggregate tables reach `results/`, and a clinic's only through disclosure control, which does
with a column what its class says (`headway.tables.columns.Disclosure`; [rules](disclosure.md)).
Units are codes of the messages' family `unit`. [The same for programs](reference/dictionary.md).
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


# The package lists the files of one shipped clinic and one shipped review.
_CLINIC, _REVIEW = "clinics/demo", "trials/acupuncture_headache"
_RECORDS = (
    "patients", "sessions", "days", "days_amended", "questionnaires", "windows", "change",
)  # fmt: skip
_OF_A_REVIEW = ("arms", "contrasts", "ipd", "risk_of_bias", "published")
_TYPES = {"text": "string", "int": "integer", "float": "number", "bool": "boolean"}


def find_path(name: str) -> str:
    """Find where a build of the shipped sources writes a table, from the project's folder."""
    if name in _RECORDS:
        return f"data/processed/{_CLINIC}/{name}.parquet"
    if name == "follow_up":
        return f"data/processed/{_CLINIC}/patients.csv"
    if name == "quarantine":
        return f"data/processed/{_CLINIC}/{name}.csv"
    if name in _OF_A_REVIEW:
        return f"data/processed/{_REVIEW}/{name}.csv"
    if name.startswith("library"):
        return f"results/library/{name}.csv"
    return f"results/{_CLINIC if name in RELEASED else _REVIEW}/{name}.csv"


def describe_field(name: str, column: Column) -> dict[str, Any]:
    """Describe a column as a field of a Table Schema."""
    field: dict[str, Any] = {"name": name, "type": _TYPES[column.kind]}
    field["description"] = column.description
    if column.kind == "bool":
        field |= {"trueValues": ["True"], "falseValues": ["False"]}
    rules: dict[str, Any] = {} if column.nullable else {"required": True}
    if column.allowed:
        rules["enum"] = list(column.allowed)
    if column.pattern:
        rules["pattern"] = column.pattern
    for word, limit in (("minimum", column.low), ("maximum", column.high)):
        if limit is not None:
            rules[word] = int(limit) if column.kind == "int" else limit
    if rules:
        field["constraints"] = rules
    if column.unit:
        field["headway:unit"] = column.unit
    return field | {"headway:disclosure": describe_class(column)}


def describe_resource(name: str, table: Table) -> dict[str, Any]:
    """Describe a table as a resource of a Tabular Data Package."""
    path = find_path(name)
    schema: dict[str, Any] = {
        "fields": [describe_field(label, column) for label, column in table.columns.items()],
        "missingValues": [""],
    }
    if table.key:
        # A primary key has no blanks; where one may be blank, rows are still told apart by it.
        blank = any(table.columns[label].nullable for label in table.key)
        schema |= {"uniqueKeys": [list(table.key)]} if blank else {"primaryKey": list(table.key)}
    kind = path.rsplit(".", 1)[1]
    out = {"name": name, "path": path, "profile": "tabular-data-resource", "format": kind}
    if kind == "csv":
        out |= {"mediatype": "text/csv", "encoding": "utf-8"}
    return out | {
        "description": f"One row per {table.row}; {table.level}.",
        "headway:level": table.level,
        "schema": schema,
    }


def write_package() -> str:
    """Make the descriptor of the Tabular Data Package."""
    package = {
        "profile": "tabular-data-package",
        "name": "headway",
        "title": "Tables that Headway writes",
        "description": (
            "Paths are those of a build of the shipped sources, from the project's folder. "
            "Written by tools/tables_doc.py from the contracts in headway.tables."
        ),
        "licenses": [{"name": "MIT", "title": "MIT License, of the code and this description"}],
        "resources": [describe_resource(name, table) for name, table in TABLES.items()],
    }
    return json.dumps(package, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    docs = Path(__file__).resolve().parents[1] / "docs"
    (docs / "tables.md").write_text(write(), encoding="utf-8")
    (docs / "reference" / "datapackage.json").write_text(write_package(), encoding="utf-8")
