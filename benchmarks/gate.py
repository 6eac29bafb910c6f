"""Score the de-identification gate on a labelled corpus of its own, and print it into docs/gate.md.

python benchmarks/gate.py [--list]

Every surface of gate_surfaces.yaml is put into the files of a made-up clinic on disk, and the gate
looks at them as `headway check` does. A surface counts as refused where a problem of the gate names
its file and column. `--list` names what passed and was to be refused, and the reverse.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "src"))

from headway import config  # noqa: E402
from headway.ingest.clinics.identity import check_gate  # noqa: E402
from headway.ingest.clinics.opening import staged_files  # noqa: E402

SURFACES, PAGE = HERE / "gate_surfaces.yaml", ROOT / "docs" / "gate.md"
START, END = "<!-- tables: begin -->", "<!-- tables: end -->"
ROWS, COLUMNS = 40, 40
# What is wanted of each part: share that is refused, at least; of harmless ones, at most.
WANTED = {"form or checksum": 0.97, "name of a column": 0.95, "person": 0.80, "harmless": 0.03}
Surface = Mapping[str, Any]


def read_surfaces() -> list[Surface]:
    """Read the corpus."""
    return list(yaml.safe_load(SURFACES.read_text(encoding="utf-8")))


@dataclass
class Folder:
    """A made-up clinic, and which surface stands in which file and column."""

    settings: dict[str, Any] = field(default_factory=dict)
    files: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tables: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    at: dict[tuple[str, str], str] = field(default_factory=dict)
    alone: str = ""

    def add(self, path: str, cells: Mapping[str, Sequence[str]], mapped: Mapping[str, str]) -> None:
        """Add a file with the cells of a few columns, the rest of each column empty."""
        own = {"code": [f"C{i:02d}" for i in range(ROWS)], "day": ["1"] * ROWS}
        of_people = "condition" in mapped
        columns = {"patient_id": "code"} | ({} if of_people else {"day": "day"}) | dict(mapped)
        self.tables[path] = own | {c: [*v, *[""] * (ROWS - len(v))] for c, v in cells.items()}
        kind = "patients" if of_people else "sessions"
        self.files.setdefault(kind, []).append({"path": path, "columns": columns})

    def write(self, folder: Path) -> Path:
        """Write the clinic's folder."""
        folder.mkdir(parents=True)
        for path, table in self.tables.items():
            with (folder / path).open("w", newline="", encoding="utf-8") as stream:
                rows = csv.writer(stream)
                rows.writerow(table)
                rows.writerows(zip(*table.values(), strict=True))
        document = {
            "schema_version": 1,
            "id": "made_up",
            "title": "A clinic",
            "source": "made up",
            "licence": "none",
            "disclosure": "internal",
            "files": self.files,
            **self.settings,
        }
        (folder / "clinic.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        return folder


def pack(surfaces: Sequence[Surface]) -> Iterator[Folder]:
    """Put many columns into one clinic; names of files and texts of clinic.yaml stand alone."""
    shared = Folder()
    columns: dict[str, list[Surface]] = {}
    for surface in surfaces:
        if surface["surface"] in ("file name", "clinic.yaml"):
            alone = Folder(alone=surface["id"])
            alone.add(surface.get("file", "s.csv"), {}, {})
            if "key" in surface:
                alone.settings[surface["key"]] = surface["text"]
            yield alone
        elif surface.get("mapped"):
            path, own = f"{surface['id']}.csv", surface.get("name", "column")
            shared.add(path, {own: surface["cells"]}, {surface["mapped"]: own})
            shared.at[path, own] = surface["id"]
        else:
            columns.setdefault(surface["label"], []).append(surface)
    for label, members in columns.items():
        # Columns of the same name go into different files.
        files: list[dict[str, Surface]] = []
        for surface in members:
            own = surface.get("name", f"item {surface['id']}")
            fits = (f for f in files if own not in f and len(f) < COLUMNS)
            home = next(fits, None)
            if home is None:
                files.append(home := {})
            home[own] = surface
        for number, held in enumerate(files):
            path = f"{label}{number}.csv"
            shared.add(path, {own: s["cells"] for own, s in held.items()}, {})
            shared.at |= {(path, own): s["id"] for own, s in held.items()}
    yield shared


def judge(surfaces: Sequence[Surface]) -> dict[str, set[str]]:
    """Run the gate; surface -> the rules that refused it."""
    found: dict[str, set[str]] = {s["id"]: set() for s in surfaces}
    with tempfile.TemporaryDirectory() as scratch:
        for number, made in enumerate(pack(surfaces)):
            folder = made.write(Path(scratch) / f"c{number}")
            clinic = config.load_clinic(folder)
            with staged_files(folder, clinic, None, 1) as (connection, stages, problems):
                assert not problems, [str(p) for p in problems]
                for problem in check_gate(connection, folder, stages, clinic):
                    place = (problem.file, problem.column)
                    found[made.alone or made.at[place]].add(problem.rule)
    return found


def part_of(surface: Surface) -> str:
    """Name the part of the corpus that a surface is scored in."""
    if surface["label"] == "legitimate":
        return "harmless"
    if surface["basis"] == "hard":
        return "no form says so"
    if surface["surface"] != "cells":
        return {"column name": "name of a column"}.get(surface["surface"], surface["surface"])
    return "person" if surface["basis"] == "person" else "form or checksum"


def write_tables(surfaces: Sequence[Surface], found: Mapping[str, set[str]]) -> str:
    """Write the shares as tables of Markdown: by part, kind and language."""
    lines = ["| part | surfaces | refused | in percent | wanted |", "|---|---|---|---|---|"]
    parts = [part_of(s) for s in surfaces]
    for part in dict.fromkeys(parts):
        members = [s for s, p in zip(surfaces, parts, strict=True) if p == part]
        wanted = WANTED.get(part)
        sign = "at most" if part == "harmless" else "at least"
        limit = "" if wanted is None else f"{sign} {100 * wanted:.0f}"
        lines.append(f"| {part} | {_share(members, found)} | {limit} |")
    counted = [s for s in surfaces if part_of(s) not in ("harmless", "no form says so")]
    harmless = [s for s in surfaces if part_of(s) == "harmless"]
    for title, key, members in (
        ("identifiers by kind", "kind", counted),
        ("identifiers by language", "language", counted),
        ("harmless by kind", "kind", harmless),
    ):
        lines += ["", f"| {title} | surfaces | refused | in percent |", "|---|---|---|---|"]
        for value in sorted({s[key] for s in members}):
            own = [s for s in members if s[key] == value]
            lines.append(f"| {value} | {_share(own, found)} |")
    return "\n".join(lines)


def _share(members: Sequence[Surface], found: Mapping[str, set[str]]) -> str:
    hits = sum(bool(found[s["id"]]) for s in members)
    return f"{len(members)} | {hits} | {100 * hits / len(members):.1f}"


def update_page(text: str, tables: str) -> str:
    """Put the tables into the page."""
    before, rest = text.split(START)
    return f"{before}{START}\n\n{tables}\n\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Score and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="name what was judged wrongly")
    options = parser.parse_args()
    surfaces = read_surfaces()
    found = judge(surfaces)
    if options.list:
        for surface in surfaces:
            if bool(found[surface["id"]]) != (surface["label"] == "identifier"):
                print(dict(surface), sorted(found[surface["id"]]))
    tables = write_tables(surfaces, found)
    print(tables)
    PAGE.write_text(update_page(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")


if __name__ == "__main__":
    main()
