"""Imported rows -> the folder of a new review."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headway.errors import ConfigError
from headway.ingest.adapters.exchange import ImportedRows, write_number, write_rows
from headway.ingest.template import check_name
from headway.messages import Message
from headway.tables import guard, replacing_folder


def write_folder(rows: ImportedRows, folder: Path, *, source: str) -> list[Path]:
    """Write a new review's folder from imported rows.

    Parameters
    ----------
    rows
        What an adapter read.
    folder
        The folder to make; its name becomes the review's.
    source
        Where the rows come from.

    Returns
    -------
    list of Path
        The files written. Judgements of risk of bias stand in a file of their own that the review
        does not read: their domains and their judge must be typed by a person.

    Raises
    ------
    ConfigError
        If the name is not of small letters, digits and underscores, if the folder is there
        already, or if no row can be used.
    """
    import yaml

    check_name(folder.name)
    if folder.exists():
        raise ConfigError(Message("failure.folder_there", folder=folder.name))
    tables = {"arms": rows.arms, "contrasts": rows.contrasts}
    used = {kind: table for kind, table in tables.items() if len(table)}
    if not used:
        raise ConfigError("failure.no_row", rows.problems)
    document: dict[str, Any] = {
        "schema_version": 1,
        "id": folder.name,
        "title": folder.name,
        "source": source,
        "licence": "to be stated",
        "limitations": ["Rows were imported; units, times and kinds of arms are as given then."],
        "outcomes": rows.outcomes,
        # A subgroup may be called NA: only an empty cell is missing.
        "files": {kind: {"path": f"{kind}.csv", "missing": [""]} for kind in used},
        "comparisons": rows.comparisons,
    }
    if rows.published:
        document["published"] = rows.published
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True)
    with replacing_folder(folder) as part:
        written = [part / "review.yaml", part / "README.md"]
        written[0].write_text(text, encoding="utf-8")
        written[1].write_text(f"# {folder.name}\n\nImported from {source}.\n", encoding="utf-8")
        for kind, table in used.items():
            written.append(part / f"{kind}.csv")
            table.to_csv(written[-1], index=False, lineterminator="\n")
        judgements = getattr(rows, "rob", None)
        if judgements is not None and len(judgements):
            written.append(part / "imported_risk_of_bias.csv")
            judgements.to_csv(written[-1], index=False, lineterminator="\n")
        if rows.doubts:
            written.append(part / "imported_doubts.csv")
            _write_doubts(rows.doubts, written[-1])
    return [folder / path.name for path in written]


def _write_doubts(doubts: list[dict[str, Any]], path: Path) -> None:
    """Write what the file's own numbers do not give, with both numbers."""
    parts = ("estimate", "low", "high")
    columns = ["analysis", "trial", "line", "rule"]
    columns += [f"{side}_{part}" for side in ("shown", "recomputed") for part in parts]
    lines = []
    for doubt in doubts:
        numbers = [write_number(x) for side in ("shown", "recomputed") for x in doubt[side]]
        head = [doubt["analysis"], guard(doubt["trial"]), doubt["line"] or "", doubt["rule"]]
        lines.append([*map(str, head), *numbers, doubt["choice"]])
    write_rows(path, [*columns, "choice"], lines)
