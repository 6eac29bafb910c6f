"""The list of people to look at as a page, for the clinic's own eyes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from headway.messages import speaking, t
from headway.report import formats
from headway.report.clinic.tables import Table, make_table, name_outcome
from headway.report.render import render
from headway.tables import private, write_csv, write_text

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic

FILES = ("patients.csv", "patients.html")
MOST_ROWS = 1000  # of a table on the page; the file holds all of them
_REASONS = {
    "got_worse": "for_the_clinic.got_worse",
    "due": "for_the_clinic.due",
    "stopped_recording": "for_the_clinic.stopped_recording",
    "due_or_stopped": "for_the_clinic.due_or_stopped",
}


def write_patients(found: pd.DataFrame, clinic: Clinic, folder: Path) -> None:
    """Write `patients.csv` and `patients.html`, which their owner alone may read.

    Parameters
    ----------
    found
        Table `follow_up`.
    folder
        Where the clinic's other results are.

    Raises
    ------
    ValueError
        If the clinic's preset is another than `internal`.
    """
    if clinic.disclosure != "internal":
        raise ValueError("a list of people is for the clinic's own eyes: internal alone")
    write_csv(found, folder / FILES[0])
    write_text(build(found, clinic), folder / FILES[1])
    for name in FILES:
        private.restrict(folder / name)


def remove_patients(folder: Path) -> None:
    """Remove a list that was written while the clinic's preset was `internal`."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)


def build(found: pd.DataFrame, clinic: Clinic) -> str:
    """Write the page, in the clinic's language."""
    with speaking(clinic.language):
        return render(
            "patients.html",
            title=clinic.title,
            home="../../index.html",
            stamp=t("for_the_clinic.stamp"),
            language=clinic.language,
            tables=[
                _tabulate(found[found["reason"] == reason], text, clinic)
                for reason, text in _REASONS.items()
                if (found["reason"] == reason).any()
            ],
        )


def _tabulate(rows: pd.DataFrame, text: str, clinic: Clinic) -> Table:
    name = name_outcome(clinic.primary_outcome)
    heads = [
        "for_the_clinic.code",
        "for_the_clinic.before",
        "for_the_clinic.after",
        "for_the_clinic.last_day",
        "for_the_clinic.window",
    ]
    cells = [
        [
            str(r["patient_id"]),
            formats.number(r["pre"], 1),
            formats.number(r["post"], 1),
            formats.integer(r["last_day"]),
            formats.limits(r["window_from"], r["window_to"], 0),
        ]
        for r in rows.head(MOST_ROWS).to_dict("records")
    ]
    caption = t("for_the_clinic.caption", what=t(text), n=len(rows), outcome=name)
    if len(rows) > MOST_ROWS:
        caption += " " + t("for_the_clinic.first_rows", n=MOST_ROWS)
    return make_table(caption, heads, cells, numeric=[1, 2, 3, 4])
