"""What the import of another program's rows says at its end: its doubts, and a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from headway.messages import say, t, term

if TYPE_CHECKING:
    from headway.ingest.adapters.exchange import ImportedRows

_LISTED = 20  # doubts said one by one; all stand in imported_doubts.csv
_WIDEST = 60
_COUNTS = ("rows", "as_shown", "totals", "reproduced", "not_estimable", "doubts")


def write_doubts(rows: ImportedRows) -> Iterator[str]:
    """Say what the numbers of the file do not give, with both numbers, the first of them."""
    for doubt in rows.doubts[:_LISTED]:
        yield say_doubt(doubt)
    if len(rows.doubts) > _LISTED:
        yield t("imported.more_doubts", n=len(rows.doubts) - _LISTED)


def say_doubt(doubt: dict[str, Any]) -> str:
    """Say one doubt: its place, what the file shows and what its numbers give."""
    place = ", ".join(text for text in (doubt["analysis"], doubt["trial"][:80]) if text)
    numbers = {"shown": write_three(doubt["shown"]), "found": write_three(doubt["recomputed"])}
    ids = {"row": "imported.row", "total": "imported.total", "control": "imported.control"}
    text = t(ids[doubt["rule"]], place=place, **numbers)
    return t("imported.choice", text=text, choice=doubt["choice"]) if doubt["choice"] else text


def write_three(numbers: Sequence[float]) -> str:
    """Write an estimate with its limits, six significant digits each."""
    if math.isnan(numbers[0]):
        return t("imported.nothing")
    estimate, low, high = (f"{x:.6g}" for x in numbers)
    return f"{estimate} ({low}; {high})"


def write_summary(rows: ImportedRows) -> Iterator[str]:
    """Write the table at the end: of each analysis its settings, rows, totals and doubts."""
    if not rows.summary:
        return
    if rows.texts:
        yield t("imported.texts", n=rows.texts)
    head = [say(term("imported", name)) for name in ("analysis", "settings", *_COUNTS)]
    body = [_list_cells(one) for one in rows.summary]
    sums = [sum(_count(one)[i] for one in rows.summary) for i in range(len(_COUNTS))]
    body.append([t("imported.all"), "", *map(str, sums)])
    yield from _lay_out([head, *body])


def _count(one: dict[str, Any]) -> list[int]:
    names = ("rows", "rows_agree", "totals", "reproduced", "not_estimable", "doubts")
    return [int(one[name]) for name in names]


def _list_cells(one: dict[str, Any]) -> list[str]:
    settings = str(one["settings"])
    settings = settings if len(settings) <= _WIDEST else f"{settings[: _WIDEST - 1]}…"
    settings += " *" if {"method", "model", "measure"} & {*one["assumed"]} else ""
    return [str(one["analysis"]), settings, *map(str, _count(one))]


def _lay_out(table: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lay a table out in columns: words to the left, numbers to the right."""
    rows = [list(row) for row in table]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
