"""The workbook that two readers fill: a line for each cell of a figure, a column for each reader.

Its bytes depend on the review, the language and the libraries alone: no time of writing, nothing
compressed.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from headway.config.review import Review
from headway.effects.units import name_unit
from headway.ingest.trials.columns import ALLOWED
from headway.ingest.trials.figures import Line, count_minutes, list_lines, list_rows
from headway.messages import say, speaking, t, term
from headway.tables import printable, replacing

if TYPE_CHECKING:
    from openpyxl.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

NAME = "transcription.xlsx"
# What stands in the first column, in every language: the line of the readers' names, the header.
READERS, HEADER = "readers", "cell"
# Where it stands, by columns from 1: what the line is of, for people and for reading it back.
PLACE, TRIAL = 2, 4
ENTRIES = (8, 9)
_HEADS = (
    *("transcription.figure", "transcription.row", "transcription.trial", "transcription.arm"),
    *("transcription.outcome", "transcription.number"),
)
_STEPS = (
    *("transcription.time", "transcription.alone", "transcription.names", "transcription.typed"),
    *("transcription.nothing", "transcription.other", "transcription.difference"),
    "transcription.enter",
)
_WIDTHS = (22, 34, 7, 22, 24, 34, 26, 18, 18, 18)
_LINE = 15.0  # height of a line of text, in points
_FIRST = datetime(1980, 1, 1)
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*(<)")


def write_sheet(review: Review, path: Path, language: str = "en") -> None:
    """Write the empty sheet of a review: a page of instructions, and the lines to fill."""
    from openpyxl import Workbook

    book = Workbook()
    book.properties.creator, book.properties.title = "Headway", printable(review.title)
    book.properties.created = _FIRST
    with speaking(language):
        _write_instructions(book.worksheets[0], review)
        _write_lines(book.create_sheet(t("transcription.readings")), review)
    made = io.BytesIO()
    book.save(made)
    with (
        replacing(path) as part,
        zipfile.ZipFile(made) as parts,
        zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as out,
    ):
        for name in parts.namelist():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o600 << 16
            stamp = _FIRST.isoformat().encode() + b"Z"
            out.writestr(entry, _MODIFIED.sub(rb"\g<1>" + stamp + rb"\2", parts.read(name)))


def _put(sheet: Worksheet, line: int, column: int, text: str) -> Cell:
    """Write a text, which is never a formula."""
    cell: Cell = sheet.cell(line, column)
    cell.value = printable(text)
    cell.data_type = "s"
    return cell


def _write_instructions(sheet: Worksheet, review: Review) -> None:
    from openpyxl.styles import Alignment, Font

    cells, minutes = count_minutes(review)
    seconds = review.transcribe.seconds
    of = {"name": review.id, "cells": cells, "minutes": minutes, "seconds": seconds}
    sheet.title = t("transcription.instructions")
    sheet.column_dimensions["A"].width = 76
    _put(sheet, 1, 1, t("transcription.title", title=review.title)).font = Font(bold=True, size=14)
    for line, step in enumerate(_STEPS, start=2):
        _put(sheet, line, 1, t(step, **of))
    for line in range(1, len(_STEPS) + 2):
        sheet.cell(line, 1).alignment = Alignment(wrap_text=True, vertical="top")
        _fit(sheet, line, (76,), 1.5 if line == 1 else 1.0)
    sheet.protection.sheet = True
    sheet.page_setup.paperSize = 9
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _fit(sheet: Worksheet, line: int, widths: tuple[int, ...], size: float = 1.0) -> None:
    """Make a row as high as its longest text needs, with room for a wider font."""
    texts = [str(sheet.cell(line, i).value or "") for i in range(1, len(widths) + 1)]
    lines = max(math.ceil(size * len(x) / w) for x, w in zip(texts, widths, strict=True))
    sheet.row_dimensions[line].height = _LINE * size * max(lines, 1) + 3 * (size > 1)


def _write_lines(sheet: Worksheet, review: Review) -> None:
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side
    from openpyxl.utils import get_column_letter

    for column, width in enumerate(_WIDTHS, start=1):
        sheet.column_dimensions[get_column_letter(column)].width = width
    head = PatternFill("solid", fgColor="DDE8EE")
    edge = Side(style="thin", color="707070")
    _put(sheet, 1, 1, READERS)
    _put(sheet, 1, 2, t("transcription.name_here"))
    _put(sheet, 2, 1, HEADER)
    for column, name in enumerate(_HEADS, start=2):
        _put(sheet, 2, column, t(name))
    for number, column in enumerate(ENTRIES, start=1):
        _put(sheet, 2, column, t("transcription.reader", number=number))
    _put(sheet, 2, ENTRIES[1] + 1, t("transcription.difference_head"))
    last = 2
    for row in list_rows(review):
        for line in list_lines(review, row):
            last += 1
            _write_line(sheet, last, line, review)
    for cells in sheet.iter_rows(1, last, 1, len(_WIDTHS)):
        for cell in cells:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            if cell.row <= 2:
                cell.font, cell.fill = Font(bold=True), head
            if cell.column in ENTRIES and cell.row != 2:
                # As text a number keeps its last zeros, and 3-4 becomes no date.
                cell.number_format, cell.protection = "@", Protection(locked=False)
                cell.border = Border(edge, edge, edge, edge)
                cell.fill = PatternFill(fill_type=None)
    for at in range(1, last + 1):
        _fit(sheet, at, _WIDTHS[: ENTRIES[0] - 1])
    _dress(sheet, last)


def _write_line(sheet: Worksheet, at: int, line: Line, review: Review) -> None:
    row, arms = line.row, review.transcribe
    unnamed = t("transcription.unnamed", number=row.number)
    outcome = review.outcomes[row.columns["outcome"]]
    arm = {"treatment": arms.treatment, "control": arms.control}.get(line.role, {}).get("arm", "")
    unit = say(name_unit(row.columns["unit"]))
    label = outcome.label or row.columns["outcome"]
    number = say(term("transcribed", line.column))
    texts = (line.id, row.place, str(row.number), row.trial or unnamed, arm, f"{label} ({unit})")
    for column, text in enumerate((*texts, number), start=1):
        _put(sheet, at, column, text)
    sheet.cell(at, ENTRIES[1] + 1).value = _compare(at, line.is_number)


def _compare(at: int, is_number: bool) -> str:
    """Write the sheet's own formula of the difference of a line's two entries."""
    one, two = f"H{at}", f"I{at}"
    same, alone = t("transcription.same"), t("transcription.one_reader")

    def number(cell: str) -> str:
        plain = f'SUBSTITUTE(SUBSTITUTE(TRIM({cell}),",","."),"\u2212","-")'
        return f'_xlfn.NUMBERVALUE({plain},"."," ")'

    differ = '"≠"'
    if is_number:
        less = f"{number(one)}-{number(two)}"
        differ = f'IFERROR(IF({less}=0,"{same}","≠ "&ROUND({less},6)),"≠")'
    return (
        f'=IF(AND({one}="",{two}=""),"",IF(OR({one}="",{two}=""),"{alone}",'
        f'IF(EXACT(TRIM({one}),TRIM({two})),"{same}",{differ})))'
    )


def _dress(sheet: Worksheet, last: int) -> None:
    """Lock what is not to be typed, offer words where they are few, show what differs."""
    from openpyxl.formatting.rule import FormulaRule
    from openpyxl.styles import Font, PatternFill
    from openpyxl.worksheet.datavalidation import DataValidation

    sheet.freeze_panes = "B3"
    sheet.protection.sheet = True
    sheet.protection.formatColumns = sheet.protection.formatRows = False  # may be hidden, widened
    found = f"J3:J{max(last, 3)}"
    sheet.conditional_formatting.add(
        found,
        FormulaRule(['LEFT($J3,1)="≠"'], font=Font(bold=True, underline="single", color="7A0019"),
                    fill=PatternFill("solid", bgColor="FCE4E4")),
    )  # fmt: skip
    alone = t("transcription.one_reader")
    sheet.conditional_formatting.add(
        found, FormulaRule([f'$J3="{alone}"'], font=Font(italic=True, color="555555"))
    )
    for column, words in ALLOWED.items():
        own = [at for at in range(3, last + 1) if _column_of(sheet, at) == column]
        text = ",".join(words)
        if own and len(text) <= 255:
            offer = DataValidation(type="list", formula1=f'"{text}"', showErrorMessage=False)
            for at in own:
                offer.add(f"H{at}:I{at}")
            sheet.add_data_validation(offer)
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9
    sheet.page_setup.fitToHeight, sheet.sheet_properties.pageSetUpPr.fitToPage = 0, True
    sheet.print_title_rows = "1:2"


def _column_of(sheet: Worksheet, at: int) -> str:
    return str(sheet.cell(at, 1).value).rpartition(".")[2]
