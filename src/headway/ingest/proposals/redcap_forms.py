"""A flat export of REDCap as the tables that are in it: one for each repeating form or event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from headway.ingest.adapters import redcap
from headway.ingest.proposals.opening import Sheet
from headway.ingest.proposals.values import is_missing

_ADMIN = ("redcap_repeat_instance", "Repeat Instance", "redcap_data_access_group")


def is_export(sheet: Sheet) -> bool:
    """Tell whether a table is a flat export of REDCap with events or repeating forms."""
    return bool({*redcap.EVENT, *redcap.INSTRUMENT} & {*sheet.header})


def part(
    sheet: Sheet, fields: Mapping[str, redcap.Field]
) -> tuple[list[Sheet], list[tuple[str, str, str]]]:
    """Part an export into tables, its codes written as the labels of the dictionary.

    Returns
    -------
    tuple
        The tables, and what the dictionary says is an identifier: file, column, reason.
    """
    told = {p.column for p in redcap.gate(fields, sheet.header, (), sheet.name)}
    dropped = [(sheet.name, name, "proposal.marked") for name in sheet.header if name in told]
    plain = _label(_join_boxes(sheet, fields), fields, told)
    at = {name: i for i, name in enumerate(plain.header)}
    event = next((at[n] for n in redcap.EVENT if n in at), None)
    form = next((at[n] for n in redcap.INSTRUMENT if n in at), None)
    skip = {i for i in (form, *(at.get(n) for n in _ADMIN)) if i is not None}
    groups: dict[tuple[str, ...], list[int]] = {}
    by_event: dict[str, list[int]] = {}
    for r, row in enumerate(plain.rows):
        if form is not None and row[form]:
            groups.setdefault(("form", row[form]), []).append(r)
        else:
            by_event.setdefault(row[event] if event is not None else "", []).append(r)
    filled: dict[str, tuple[int, ...]] = {
        name: tuple(_filled(plain, rows, skip | {0, event if event is not None else 0}))
        for name, rows in by_event.items()
    }
    for name, rows in by_event.items():
        groups.setdefault(("event", *map(str, filled[name])), []).extend(rows)
    out = []
    for rows in groups.values():
        columns = _filled(plain, rows, skip)
        kept = [0, *(i for i in columns if i != 0)]
        if len(kept) < 2:
            continue
        out.append(_cut(plain, sorted(rows), kept))
    return out, dropped


def _cut(sheet: Sheet, rows: Sequence[int], columns: Sequence[int]) -> Sheet:
    return replace(
        sheet,
        header=tuple(sheet.header[i] for i in columns),
        rows=tuple(tuple(sheet.rows[r][i] for i in columns) for r in rows),
        lines=tuple(sheet.lines[r] for r in rows),
        texts=tuple(sheet.texts[i] for i in columns) if sheet.texts else (),
    )


def _filled(sheet: Sheet, rows: Sequence[int], skip: set[int]) -> list[int]:
    return [
        i for i in range(len(sheet.header)) if i not in skip and any(sheet.rows[r][i] for r in rows)
    ]


def _join_boxes(sheet: Sheet, fields: Mapping[str, redcap.Field]) -> Sheet:
    """Write the boxes of a question as one column of what is ticked."""
    questions: dict[str, dict[str, int]] = {}
    for i, name in enumerate(sheet.header):
        raw, found = name.split("___", 1), redcap.CHOICE.match(name)
        if len(raw) == 2:
            questions.setdefault(raw[0], {})[raw[1]] = i
        elif found:
            questions.setdefault(found[1].strip(), {})[found[2]] = i
    if not questions:
        return sheet
    first = {min(boxes.values()): name for name, boxes in questions.items()}
    inner = {i for boxes in questions.values() for i in boxes.values()}
    header = []
    columns: list[list[str]] = []
    for i, name in enumerate(sheet.header):
        if i in first:
            question = first[i]
            labels = _box_labels(question, fields)
            header.append(question)
            columns.append(_tick(sheet, questions[question], labels))
        elif i not in inner:
            header.append(name)
            columns.append(sheet.column(i))
    rows = tuple(zip(*columns, strict=True))
    return replace(sheet, header=tuple(header), rows=rows, texts=())


def _box_labels(question: str, fields: Mapping[str, redcap.Field]) -> dict[str, str]:
    choices = fields[question].choices if question in fields else {}
    return {redcap.as_box(code): label for code, label in choices.items()}


def _tick(sheet: Sheet, boxes: Mapping[str, int], labels: Mapping[str, str]) -> list[str]:
    out = []
    for row in sheet.rows:
        ticked = [
            labels.get(code, code)
            for code, i in boxes.items()
            if row[i].lower() in ("1", "checked", "1.0")
        ]
        named = [text for text in ticked if not is_missing(text) and not text.startswith("_")]
        out.append(" + ".join(named))
    return out


def _label(sheet: Sheet, fields: Mapping[str, redcap.Field], told: set[str]) -> Sheet:
    """Write codes as their labels, and leave out what identifies."""
    kept = [i for i, name in enumerate(sheet.header) if name not in told]
    columns = []
    for i in kept:
        choices = fields[sheet.header[i]].choices if sheet.header[i] in fields else {}
        columns.append([choices.get(cell, cell) for cell in sheet.column(i)])
    texts = tuple(fields[n].label if (n := sheet.header[i]) in fields else "" for i in kept)
    rows = tuple(zip(*columns, strict=True))
    return replace(sheet, header=tuple(sheet.header[i] for i in kept), rows=rows, texts=texts)
