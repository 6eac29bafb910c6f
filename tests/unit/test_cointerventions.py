"""New preventive drugs: who is counted, what a file may say, what the page says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headway import config, disclosure
from headway.disclosure import PRESETS
from headway.outcomes import audit
from headway.outcomes.change.cointerventions import find_new_preventives
from headway.report.clinic import page as clinic_page
from headway.tables import RELEASED
from tests.unit.clinic_builder import DIARY, diary_text, ingest, write_clinic
from tests.unit.test_page_one import READY, page_one

NA = pd.NA
LANGUAGES = {
    "en": ("yes", "no", "started a new drug to prevent headache"),
    "es": ("sí", "no", "empezaron un fármaco nuevo para prevenir"),
    "de": ("ja", "nein", "ein neues vorbeugendes Medikament"),
}


def sessions_of(*rows: tuple[str, int, object]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["patient_id", "day", "new_preventive"])
    return frame.astype({"new_preventive": "Int64"})


def patients_of(**said: object) -> pd.DataFrame:
    frame = pd.DataFrame({"patient_id": list(said), "new_preventive": list(said.values())})
    return frame.astype({"new_preventive": "Int64"})


def test_who_has_an_answer_and_which() -> None:
    visits = sessions_of(
        ("later yes", 0, 0),
        ("later yes", 21, 1),
        ("later yes", 42, 0),
        ("never", 0, 0),
        ("never", 28, 0),
        ("no at intake", 0, 0),  # says nothing of the course
        ("yes at intake", 0, 1),
        ("blank", 28, NA),
        ("before", -20, 1),
        ("after the window", 90, 1),
    )
    found = find_new_preventives(patients_of(), visits, 83)
    assert found.to_dict() == {"later yes": 1, "never": 0, "yes at intake": 1}
    assert find_new_preventives(patients_of(), visits, None)["after the window"] == 1
    # One answer for the whole course; a yes of either file is a yes.
    both = find_new_preventives(patients_of(never=1, other=0, third=NA), visits, 83)
    assert both.to_dict() == {"later yes": 1, "never": 1, "other": 0, "yes at intake": 1}


def clinic_of(
    folder: Path, answers: list[str], entry: object, *, where: str = "sessions", **extra: object
) -> Path:
    """One person per answer, analysed, asked on day 40 (or once, in `patients`)."""
    rows, visits, people = [], ["code,day,begun"], ["code,begun"]
    for p, said in enumerate(answers):
        rows += [(f"P{p}", d, int(d % 2 == 0)) for d in range(-28, 0)]
        rows += [(f"P{p}", d, int(d % (3 + p % 3) == 0)) for d in range(56, 84)]
        visits += [f"P{p},0,", f"P{p},40,{said if where == 'sessions' else ''}"]
        people.append(f"P{p},{said}")
    columns = {"patient_id": "code", "day": "day"}
    spec = {
        "diary": DIARY,
        "sessions": {"path": "visits.csv", "columns": dict(columns)},
        "patients": {"path": "people.csv", "columns": {"patient_id": "code"}},
    }
    if entry is not None:
        spec[where]["columns"]["new_preventive"] = entry
    files = {
        "diary.csv": diary_text(rows),
        "visits.csv": "\n".join(visits) + "\n",
        "people.csv": "\n".join(people) + "\n",
    }
    return write_clinic(folder, files, spec, **extra)


def build(folder: Path) -> tuple[str, pd.DataFrame]:
    """Build a page; returns page one and the released cohort."""
    _, _, out = ingest(folder)
    clinic = config.load_clinic(folder)
    rules = PRESETS[clinic.disclosure]
    found = audit.audit_clinic(out, clinic)
    released = disclosure.release({name: found[name] for name in RELEASED}, rules)
    page, _ = clinic_page.build(clinic, READY, released, [], rules)
    return page_one(page), released["cohort"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("where", ["sessions", "patients"])
def test_the_page_says_how_many_of_those_asked(tmp_path: Path, language: str, where: str) -> None:
    yes, no, words = LANGUAGES[language]
    folder = clinic_of(
        tmp_path / "c", [yes] * 3 + [no] * 7 + [""] * 2, "begun", where=where, language=language
    )
    text, cohort = build(folder)
    row = cohort[cohort["statistic"] == "new_preventive"]
    assert len(row) == 1 and bool(row["primary"].iloc[0])
    assert row[["count", "n", "of"]].iloc[0].tolist() == [3, 10, 12]
    assert row["estimate"].iloc[0] == 30
    assert row["ci_low"].iloc[0] < 30 < row["ci_high"].iloc[0]
    said = next(s for s in text.split(". ") if words in s)
    assert "3" in said and "10" in said and "12" not in said


def test_names_of_drugs_and_none(tmp_path: Path) -> None:
    entry = {"column": "begun", "codes": {"none": 0, "*": 1}}
    folder = clinic_of(tmp_path / "c", ["A drug", "None", "another", "none"], entry)
    _, cohort = build(folder)
    row = cohort[cohort["statistic"] == "new_preventive"].iloc[0]
    assert (row["count"], row["n"]) == (2, 4)
    # Yes and none need no codes.
    plain = clinic_of(tmp_path / "p", ["yes", "none", "keine", "ninguno"], "begun")
    row = build(plain)[1].set_index("statistic").loc["new_preventive"]
    rows = row if isinstance(row, pd.Series) else row.iloc[0]
    assert (rows["count"], rows["n"]) == (1, 4)


@pytest.mark.parametrize("entry", [None, "begun"], ids=["no column", "nobody answered"])
def test_what_is_not_recorded_is_said(tmp_path: Path, entry: object) -> None:
    text, cohort = build(clinic_of(tmp_path / "c", [""] * 6, entry))
    assert "The records do not say who started a new drug to prevent headache." in text
    assert not (cohort["statistic"] == "new_preventive").any()


def test_a_small_number_is_not_shown(tmp_path: Path) -> None:
    folder = clinic_of(tmp_path / "c", ["yes"] * 3 + ["no"] * 57, "begun", disclosure="opensafely")
    text, cohort = build(folder)
    row = cohort[cohort["statistic"] == "new_preventive"].iloc[0]
    assert row["redacted"] and np.isnan(row["count"]) and np.isnan(row["estimate"])
    assert "is not shown: too few people" in text
    assert "3 of 60" not in text and "records do not say who" not in text
