"""Page one says what could not be used, and from what it answers instead, before anything else."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headway import config, disclosure, tables
from headway.config.clinic import Clinic
from headway.ingest import clinics
from headway.outcomes import audit
from headway.outcomes.change import cohort
from headway.report import formats
from headway.report.clinic import page as clinic_page
from headway.report.clinic.losses import list_losses
from tests.unit.clinic_builder import DIARY, diary_text, write_clinic
from tests.unit.pages_builder import READY
from tests.unit.test_page_one import grade, page_one

VISITS = {
    "path": "visits.csv",
    "columns": {"patient_id": "code", "day": "day", "headache_days_28": "days"},
}
PEOPLE = [f"P{i}" for i in range(12)]
RECALL = "code,day,days\n" + "".join(
    f"{p},0,{14 + i % 4}\n{p},84,{8 + i % 3}\n" for i, p in enumerate(PEOPLE)
)


def build(folder: Path, flow: tuple[dict[str, Any], ...] = (), **changes: Any) -> tuple[str, Any]:
    """Take a clinic's files to its page, its figures left out; `flow` adds rows to the account."""
    clinic = config.load_clinic(folder)
    out = folder.parent / f"{folder.name}_processed"
    account = [*clinics.ingest_clinic(folder, clinic, out).as_flow(), *flow]
    found = audit.audit_clinic(out, clinic)
    rows = tables.conform("flow", pd.DataFrame(account))
    found["flow"] = cohort.join_flow(rows, found["flow"])
    clinic = replace(clinic, **changes)
    rules = disclosure.PRESETS[clinic.disclosure]
    released = disclosure.release({n: found[n] for n in disclosure.RULES}, rules)
    return clinic_page.build(clinic, READY, released, [], rules)


def first_words(page: str) -> str:
    """Take the text of a page from its title on."""
    body = re.sub(r"<[^>]+>", " ", page[page.index('<main id="main">') :])
    return re.sub(r"\s+", " ", unescape(body)).strip()


# ---- another source answers ----------------------------------------------------------------------

DAYS = [(p, d) for p in PEOPLE for d in [*range(-28, 0), *range(56, 84)]]
FIRST = {
    "en": "The diary could not be used, so this page rests on what people said at visits.",
    "es": "No hay datos utilizables en el diario, así que esta página se basa en lo que las",
    "de": "Für das Tagebuch gibt es keine verwendbaren Angaben; diese Seite stützt sich auf die",
}


@pytest.mark.parametrize("language", FIRST)
@pytest.mark.parametrize("cell", ["", 1])
def test_that_recall_stands_in_for_the_diary_is_the_first_sentence(
    tmp_path: Path, language: str, cell: object
) -> None:
    """A diary without an answer, or without a headache-free day, has no frequency."""
    files = {"visits.csv": RECALL, "diary.csv": diary_text([(*d, cell) for d in DAYS])}
    spec = {"diary": DIARY, "sessions": VISITS}
    folder = write_clinic(tmp_path / "c", files, spec, language=language, description="A clinic.")
    page, card = build(folder)
    assert first_words(page).startswith(FIRST[language])
    assert card["headline"][0].startswith(FIRST["en"])
    if language == "en":
        assert max(grade(page_one(page))) <= 7
        assert "fell from 15.5 to 9.0" in page_one(page)


def test_a_diary_that_cannot_be_used_is_named_first_where_nothing_answers(tmp_path: Path) -> None:
    files = {"diary.csv": diary_text([(*d, "") for d in DAYS])}
    page, card = build(write_clinic(tmp_path / "c", files, {"diary": DIARY}))
    assert first_words(page).startswith("The diary could not be used. The reason: no day in it")
    assert card["headline"][0].startswith("The diary could not be used. Nothing can be said")


def test_a_usable_diary_stands_in_for_nothing(tmp_path: Path) -> None:
    rows = [(p, d, int(d % 3 == 0 if d < 0 else d % 5 == 0)) for p, d in DAYS]
    files = {"visits.csv": "code,day,days\nP0,0,\nP0,84,\n", "diary.csv": diary_text(rows)}
    page, _ = build(write_clinic(tmp_path / "c", files, {"diary": DIARY, "sessions": VISITS}))
    assert "could not be used" not in page_one(page) and "Careful" not in page_one(page)


# ---- the banner ----------------------------------------------------------------------------------


def flow_row(account: str, item: str, step: str, n: float, of: float) -> dict[str, Any]:
    """Write a row of the account as the ingest does."""
    return {
        "account": account,
        "item": item,
        "step": step,
        "n": float(n),
        "of": float(of),
        "note": None,
        "redacted": False,
    }


def column_row(column: str, step: str, n: float, of: float) -> dict[str, Any]:
    return flow_row("column", f"diary.csv: {column}", step, n, of)


def usable(folder: Path, rows: list[tuple[Any, ...]] = [], **extra: Any) -> Path:  # noqa: B006
    known = [(p, d, int(d % 3 == 0 if d < 0 else d % 5 == 0)) for p, d in DAYS]
    return write_clinic(folder, {"diary.csv": diary_text(known + rows)}, {"diary": DIARY}, **extra)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            "diary.csv, column “headache”: 30 of 672 filled cells could not be read. Those days",
        ),
        (
            "es",
            "diary.csv, columna «headache»: no se pudieron leer 30 de 672 celdas rellenas. Esos",
        ),
        (
            "de",
            "diary.csv, Spalte „headache“: 30 von 672 gefüllten Zellen waren nicht lesbar. Diese",
        ),
    ],
)
def test_a_column_of_which_more_than_two_percent_is_lost_is_on_page_one(
    tmp_path: Path, language: str, said: str
) -> None:
    folder = usable(tmp_path / "c", language=language)
    page, card = build(folder, (column_row("headache", "headache", 30, 672),))
    assert said in page_one(page)
    assert 'class="doubts losses"' in page
    assert card["headline"][0].startswith("Some of the records could not be used;")
    if language == "en":
        text = page_one(page)
        assert "They do not count as headache-free." in text
        assert text.count("But see the warning: the records may mislead.") == 2
        assert max(grade(text)) <= 7


@pytest.mark.parametrize(("n", "seen"), [(13, False), (14, True)])
def test_two_percent_is_the_border(tmp_path: Path, n: int, seen: bool) -> None:
    page, _ = build(usable(tmp_path / "c"), (column_row("pain", "intensity", n, 672),))
    assert ("column “pain”" in page_one(page)) == seen
    assert ("They count as not recorded, never as zero." in page_one(page)) == seen


def test_rows_that_could_not_be_used_are_on_page_one(tmp_path: Path) -> None:
    """Days that are said twice, once so and once so: 40 rows of 712."""
    rows = [(p, d, v) for p in PEOPLE[:4] for d in range(10, 15) for v in (0, 1)]
    page, _ = build(usable(tmp_path / "c", rows))
    assert "diary.csv: 40 of 712 rows could not be used. Those days are unknown." in page_one(page)


def test_rows_of_which_nothing_is_lost_are_no_news(tmp_path: Path) -> None:
    """Copies are no part of what was lost."""
    rows = [(p, d, 0) for p in PEOPLE[:4] for d in range(10, 15) for _ in (0, 1)]
    page, _ = build(usable(tmp_path / "c", rows))
    assert "could not be used" not in page_one(page)


# ---- under disclosure control --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "of", "said"),
    [
        (5, 100, "column “headache”: some of 100 filled cells could not be read."),
        (5, 10000, ""),  # at most 7 of 10 000
        (5, 6, "some of a hidden number of filled cells could not be read."),
        (33, 672, "35 of 670 filled cells could not be read."),
    ],
)
def test_small_numbers_stay_hidden_and_the_banner_stands(
    tmp_path: Path, n: int, of: int, said: str
) -> None:
    folder = usable(tmp_path / "c", disclosure="opensafely")
    page, _ = build(folder, (column_row("headache", "headache", n, of),))
    text = page_one(page)
    assert said in text if said else "could not be read" not in text
    assert f"{n} of" not in text


@pytest.mark.parametrize("preset", ["opensafely", "nhs", "cms"])
def test_lost_rows_are_not_added_to_the_rows_of_a_file(preset: str) -> None:
    steps = {"in_the_file": 120, "kept": 80, "quarantined": 40, "not_selected": 0, "lost": 30}
    rows = [flow_row("rows", "d.csv", step, n, 120) for step, n in steps.items()]
    rows.append(column_row("pain", "intensity", 9, 11))
    flow = tables.conform("flow", pd.DataFrame(rows))
    out = disclosure.release({"flow": flow}, disclosure.PRESETS[preset])["flow"]
    assert out.set_index("step")["n"]["in_the_file"] == 120
    column = out[out["account"] == "column"].iloc[0]
    assert formats.missing(column["n"]) == (preset == "cms")  # 9 is small where 10 is


def test_names_with_colons_are_taken_apart(tmp_path: Path) -> None:
    clinic: Clinic = config.load_clinic(usable(tmp_path / "c"))
    rows = [
        flow_row("rows", "a: b.csv", "in_the_file", 50, 50),
        flow_row("rows", "a: b.csv", "quarantined", 0, 50),
        flow_row("column", "a: b.csv: pain: worst", "intensity", 5, 50),
    ]
    flow = tables.conform("flow", pd.DataFrame(rows))
    (found,) = list_losses(flow, clinic, disclosure.PRESETS["public"])
    assert found["text"].startswith("a: b.csv, column “pain: worst”: 5 of 50 filled cells")
