"""Write docs/howto/recording.xlsx, the workbook for a clinic that starts to record.

    python tools/recording_workbook.py                   the empty workbook
    python tools/recording_workbook.py --filled FILE     the same, filled in by a made-up clinic

`headway new-clinic` reads either; the filled one is what the tutorial practises on.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

ROOT = Path(__file__).resolve().parents[1]
EMPTY = ROOT / "docs" / "howto" / "recording.xlsx"
ROWS = 2000
# The simulator's word for a technique -> what the workbook's list offers.
TECHNIQUES = {
    "manual": "Manual therapy",
    "dry": "Dry needling",
    "wet": "Injection",
    "acu": "Acupuncture",
    "selfcare": "Self-care at home",
}
VISITS = (
    "Patient code",
    "Date of visit",
    "Treatment",
    "Therapist",
    "Headache days in the last 28 days",
    "Usual pain (0-10)",
    "Usual duration (hours)",
)
DIARY = (
    "Patient code",
    "Date",
    "Headache (yes/no)",
    "Worst pain (0-10)",
    "Hours of headache",
    "Pain relief tablets",
)
# Column -> what its cells may hold, in openpyxl's terms, and what is said of anything else.
RULES: dict[str, tuple[dict[str, str], str]] = {
    "Treatment": (
        {"type": "list", "formula1": f'"{",".join(dict.fromkeys(TECHNIQUES.values()))}"'},
        "Choose a treatment from the list.",
    ),
    "Headache (yes/no)": ({"type": "list", "formula1": '"yes,no"'}, "Write yes or no."),
    **{
        name: (
            {"type": "decimal", "operator": "between", "formula1": "0", "formula2": high},
            f"Write a number from 0 to {high}, or leave the cell empty.",
        )
        for name, high in (
            ("Headache days in the last 28 days", "28"),
            ("Usual pain (0-10)", "10"),
            ("Worst pain (0-10)", "10"),
            ("Usual duration (hours)", "72"),
            ("Hours of headache", "24"),
            ("Pain relief tablets", "20"),
        )
    },
    **{
        name: (
            {"type": "date", "operator": "greaterThan", "formula1": "36526"},
            "Write a date.",
        )
        for name in ("Date of visit", "Date")
    },
}


def _dress(sheet: Worksheet, headers: tuple[str, ...]) -> None:
    """Write the row of headers, the rules of each column and what the eye needs."""
    sheet.append(headers)
    sheet.freeze_panes = "B2"
    sheet.row_dimensions[1].height = 32
    for number, name in enumerate(headers, start=1):
        letter = get_column_letter(number)
        cell = sheet.cell(1, number)
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="DDE8EE")
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        sheet.column_dimensions[letter].width = max(13, len(name) * 0.7)
        if name in RULES:
            rule, words = RULES[name]
            check = DataValidation(allow_blank=True, showErrorMessage=True, error=words, **rule)
            check.add(f"{letter}2:{letter}{ROWS}")
            sheet.add_data_validation(check)
        if name.startswith("Date"):
            sheet.column_dimensions[letter].number_format = "yyyy-mm-dd"


def make_workbook() -> Workbook:
    """Make the empty workbook: one sheet for visits, one for the diary."""
    book = Workbook()
    book.properties.creator = "Headway"
    _dress(book.worksheets[0], VISITS)
    book.worksheets[0].title = "Visits"
    _dress(book.create_sheet("Diary"), DIARY)
    return book


def _number(cell: str) -> float | None:
    return float(cell) if cell not in ("", "NA") else None


def list_rows(patients: int, seed: int) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Simulate a clinic and list its rows with dates: the sheet, then the row."""
    from headway.simulate import simulate_clinic, write_clinic

    with tempfile.TemporaryDirectory() as made:
        write_clinic(simulate_clinic(n_patients=patients, seed=seed), Path(made), truth=False)
        visits, days = (
            list(csv.DictReader((Path(made) / name).read_text(encoding="utf-8").splitlines()))
            for name in ("sessions.csv", "diary.csv")
        )
    codes = dict.fromkeys(row["code"] for row in visits)
    first = {code: date(2025, 1, 7) + timedelta(days=5 * n % 200) for n, code in enumerate(codes)}
    seen = set()
    for row in visits:
        answers = (_number(row[name]) for name in ("hd28", "usual_intensity", "usual_hours"))
        on = first[row["code"]] + timedelta(days=int(row["visit_day"]))
        yield "Visits", (row["code"], on, TECHNIQUES[row["method"]], row["therapist"], *answers)
    for row in days:
        # The simulator types some rows twice, and some numbers wrongly; this clinic does not.
        if row["code"] not in first or (row["code"], row["day"]) in seen:
            continue
        seen.add((row["code"], row["day"]))
        on = first[row["code"]] + timedelta(days=int(row["day"]))
        pain, hours, tablets = (_number(row[name]) for name in ("worst_0_10", "hours", "tablets"))
        pain = None if pain is None or pain > 10 else pain
        had = {"1": "yes", "0": "no"}.get(row["headache"])
        yield "Diary", (row["code"], on, had, pain, hours, tablets)


def fill(book: Workbook, patients: int = 60, seed: int = 20260101) -> Workbook:
    """Fill the workbook with a made-up clinic of so many people."""
    at = dict.fromkeys(("Visits", "Diary"), 1)
    for name, row in list_rows(patients, seed):
        at[name] += 1
        for column, value in enumerate(row, start=1):
            cell = book[name].cell(at[name], column, value)
            if isinstance(value, date):
                cell.number_format = "yyyy-mm-dd"
    return book


def main() -> None:
    """Write the workbook that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filled", type=Path, help="write a filled workbook here instead")
    parser.add_argument("--patients", type=int, default=60)
    options = parser.parse_args()
    if options.filled:
        fill(make_workbook(), options.patients).save(options.filled)
    else:
        make_workbook().save(EMPTY)


if __name__ == "__main__":
    main()
