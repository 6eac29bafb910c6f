"""A proposed review's folder: its rows, and a review.yaml that gives its reasons."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from headway.effects.units import UNITS
from headway.ingest.proposals.published.settings import Review, Setting
from headway.ingest.proposals.write import flow, line
from headway.ingest.template import HEADERS
from headway.ingest.trials.columns import REQUIRED
from headway.messages import Message, say, speaking
from headway.tables import replacing_folder

MARK = "# Made by headway new-review; doubts are marked `# ?`"


def write_yaml(review: Review, name: str, source: str, language: str) -> str:
    """Write review.yaml, each line with its reason, doubts marked `# ? `."""
    with speaking(language):
        out = [MARK, "schema_version: 1", f"id: {name}", f"title: {flow(name.replace('_', ' '))}"]
        out.append(line(f"source: {flow(source)}", ["published.source"]))
        out.append(line("licence: to be stated", ["published.licence"]))
        out.append("outcomes:")
        for id_, setting in review.outcomes.items():
            out += _mark(f"{id_}: {flow(setting.value)}", setting, "  ")
        out.append("files:")
        for kind, rows in review.rows.items():
            out += [f"  {kind}:", f"    path: {kind}.csv", '    missing: [""]']
            out += [f"    # {text}" for text in _explain(review, kind, rows)]
        out.append("comparisons:")
        for setting in review.comparisons:
            out += _mark(f"- {flow(setting.value)}", setting, "  ")
    return "\n".join(out) + "\n"


def _mark(text: str, setting: Setting, indent: str) -> list[str]:
    doubts = [f"{indent}# ? {say(doubt)}" for doubt in setting.doubts]
    return [*doubts, line(f"{indent}{text}", setting.reasons)]


def _explain(review: Review, kind: str, rows: Sequence[dict[str, str]]) -> list[str]:
    """Say of each column of a file where it came from; what is in doubt is marked."""
    reasons: dict[str, str] = {}
    doubts: dict[str, str] = {}
    for found in review.found:
        if found.kind == kind:
            reasons = found.reasons | reasons
            doubts |= found.doubts
    out = [f"? {column}: {say(doubt)}" for column, doubt in doubts.items()]
    out += [f"{column}: {say(reason)}" for column, reason in reasons.items()]
    if rows and all(row["status"] == "retrieved" for row in rows):
        out.append(f"status: {say('published.status')}")
    return ["".join(c if c.isprintable() else " " for c in text) for text in out]


def as_csv(kind: str, rows: Sequence[dict[str, str]]) -> str:
    """Write the rows of a file: the columns that it must have, and those that hold something."""
    used = {key for row in rows for key, value in row.items() if value}
    known = dict.fromkeys([*HEADERS[kind], *REQUIRED[kind], "subgroup", "instrument"])
    header = [c for c in known if c in used or c in REQUIRED[kind]]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([row.get(c, "") for c in header] for row in rows)
    return stream.getvalue()


def write_folder(folder: Path, review: Review, text: str, source: str) -> list[Path]:
    """Write the folder of a new review: all of its files, or none."""
    assert all(s.value["unit"] in UNITS for s in review.outcomes.values())
    contents = {"review.yaml": text}
    contents |= {f"{kind}.csv": as_csv(kind, rows) for kind, rows in review.rows.items()}
    contents["README.md"] = f"# {folder.name}\n\n{say(Message('published.made_of', file=source))}\n"
    with replacing_folder(folder) as part:
        for name, content in contents.items():
            (part / name).write_text(content, encoding="utf-8", newline="\n")
    return [folder / name for name in contents]
