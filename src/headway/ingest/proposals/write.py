"""A clinic's folder: tables with codes and days, and a clinic.yaml that gives its reasons."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from headway import tables
from headway.ingest import gate
from headway.ingest.proposals.records import Entry
from headway.messages import Message, say, speaking

# The first line of a clinic.yaml that may be written to again.
MARK = "# Made by headway new-clinic; doubts are marked `# ?`"
_ORDER = ("patients", "sessions", "diary", "attacks", "windows")
# Columns that say whose a row is and when; their lines of clinic.yaml stand first.
_KEYS = ("patient_id", "day")


@dataclass(slots=True)
class Table:
    """A table as it is stored: `kind`.csv."""

    kind: str
    header: list[str]
    rows: list[list[str]]
    entries: Mapping[str, Entry]
    day_reason: str = ""

    def as_csv(self) -> str:
        """Write the table as text."""
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return stream.getvalue()


@dataclass(slots=True)
class Proposal:
    """What is proposed for a clinic: its tables, settings, and what was left out with reasons."""

    tables: list[Table]
    language: str
    settings: dict[str, Any] = field(default_factory=dict)
    dropped: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def write_yaml(proposal: Proposal, name: str, disclosure: str | None) -> str:
    """Write clinic.yaml: what is no default, each line with its reason, doubts marked `# ? `."""
    with speaking(proposal.language):
        lines = [MARK, f"# {say('proposal.head')}"]
        lines += ["schema_version: 1", f"id: {name}", f"title: {flow(name.replace('_', ' '))}"]
        lines.append(f"source: {flow(say('proposal.source'))}")
        lines.append(f"licence: {flow(say('proposal.licence'))}")
        if proposal.language != "en":
            lines.append(line(f"language: {proposal.language}", ["proposal.language"]))
        if disclosure and disclosure != "opensafely":
            lines.append(line(f"disclosure: {disclosure}", ["proposal.disclosure"]))
        for key, (value, reason) in proposal.settings.items():
            lines.append(line(f"{key}: {flow(value)}", [reason]))
        lines.append("files:")
        for table in sorted(proposal.tables, key=lambda t: _ORDER.index(t.kind)):
            lines += _write_file(table)
    return "\n".join(lines) + "\n"


def _write_file(table: Table) -> list[str]:
    lines = [f"  {table.kind}:", f"    path: {table.kind}.csv", "    columns:"]
    lines.append(line("      patient_id: patient_id", ["proposal.codes"]))
    if "day" in table.header:
        lines.append(line("      day: day", [table.day_reason]))
    wide = []
    for name in table.header:
        if name in _KEYS:
            continue
        entry = table.entries[name]
        if entry.window:
            wide.append((name, entry))
        else:
            lines += _mark(_write_column(name, entry), entry, "      ")
    if wide:
        lines.append("    wide:" if any(not e.off for _, e in wide) else "    # wide:")
        for name, entry in wide:
            lines += _mark(_write_window(name, entry), entry, "      ")
    return lines


def _mark(text: str, entry: Entry, indent: str) -> list[str]:
    """Write a line with its doubt above it; what is off is a comment."""
    out = [f"{indent}# ? {say(entry.doubt)}"] if entry.doubt else []
    return [*out, line(f"{indent}{'# ' * entry.off}{text}", entry.reasons)]


def _write_column(name: str, entry: Entry) -> str:
    how: dict[str, Any] = {"column": name}
    if entry.unit:
        how["unit"] = entry.unit
    if entry.codes:
        how["codes"] = dict(entry.codes)
    if len(how) == 1:
        return f"{name}: {name}"
    return f"{name}: {flow(how)}"


def _write_window(name: str, entry: Entry) -> str:
    how = {"column": name, "window": entry.window, "outcome": entry.outcome, "unit": entry.unit}
    return f"- {flow({k: v or '?' for k, v in how.items()})}"


def flow(value: Any) -> str:
    """Write a value as YAML on one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...").strip()


def line(text: str, reasons: Iterable[str]) -> str:
    """Write a line with its reasons as a comment behind it."""
    said = "; ".join(say(reason) for reason in reasons if reason)
    # YAML holds no control character, nor may a comment end before its line does.
    said = "".join(c if c.isprintable() else " " for c in said)
    return f"{text}  # {said}" if said else text


def hide_telling(entry: Entry, source: str) -> Entry:
    """Take the names of columns that are themselves a date or a person out of the reasons."""
    reasons = []
    for reason in entry.reasons:
        names = reason.values.get("name") if isinstance(reason, Message) else None
        telling = names and gate.check_header_cells(source, [str(names)])
        reasons.append("proposal.from_a_column" if telling else reason)
    return replace(entry, reasons=tuple(reasons))


def write_folder(folder: Path, proposal: Proposal, text: str | None) -> None:
    """Write the tables and, where it is given, clinic.yaml: all of them or none."""
    contents = {f"{table.kind}.csv": table.as_csv() for table in proposal.tables}
    if text is not None:
        contents["clinic.yaml"] = text
    with tables.replacing_folder(folder) as part:
        part.chmod(0o700)
        for name, content in contents.items():
            (part / name).write_text(content, encoding="utf-8", newline="\n")
            (part / name).chmod(0o600)
    folder.chmod(0o700)


def compare(folder: Path, proposal: Proposal) -> tuple[list[str], bool]:
    """Say what differs from the tables in a folder; and whether records of it would be lost.

    Returns
    -------
    tuple
        Messages; True where more than a fifth of the rows, or anybody, are no longer there.
    """
    said: list[str] = []
    lost = False
    for table in proposal.tables:
        path = folder / f"{table.kind}.csv"
        before = _read(path)
        keys = _count_keys(table.header, table.rows)
        if before is None:
            said.append(Message("proposal.new_table", file=path.name, n=len(table.rows)))
            continue
        header, rows = before
        old = _count_keys(header, rows)
        gone = sum((old - keys).values())
        people = {k[0] for k in old} - {k[0] for k in keys}
        lost = lost or bool(people) or gone > 0.2 * len(rows)
        said.append(
            Message(
                "proposal.changed",
                file=path.name,
                n=len(table.rows),
                before=len(rows),
                new=sum((keys - old).values()),
                gone=gone,
            )
        )
        more = [c for c in table.header if c not in header]
        if more:
            said.append(Message("proposal.more_columns", file=path.name, names=more))
    kept = {table.kind for table in proposal.tables}
    for kind in _ORDER:
        if kind not in kept and (folder / f"{kind}.csv").exists():
            lost = True
            said.append(Message("proposal.no_table", file=f"{kind}.csv"))
    return said, lost


def _read(path: Path) -> tuple[list[str], list[list[str]]] | None:
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = list(csv.reader(stream)) or [[]]
    return header, rows


def _count_keys(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Counter[tuple[str, ...]]:
    at = [header.index(key) for key in _KEYS if key in header]
    return Counter(tuple(row[i] for i in at) for row in rows)
