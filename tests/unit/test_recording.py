"""The workbook and the sheet of paper for a clinic that starts to record."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from openpyxl import Workbook, load_workbook

from headway.ingest.proposals import make_clinic
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recording", ROOT / "tools/recording_workbook.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def list_cells(book: Workbook) -> dict[str, list[tuple[object, ...]]]:
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}


def list_rules(book: Workbook) -> list[tuple[str, ...]]:
    return [
        (sheet.title, str(rule.sqref), rule.type, rule.formula1, str(rule.formula2))
        for sheet in book.worksheets
        for rule in sheet.data_validations.dataValidation
    ]


def test_the_workbook_in_the_documents_is_the_one_that_the_tool_makes(tool: ModuleType) -> None:
    kept, made = load_workbook(ROOT / "docs/howto/recording.xlsx"), tool.make_workbook()
    assert list_cells(kept) == list_cells(made) == {"Visits": [tool.VISITS], "Diary": [tool.DIARY]}
    assert list_rules(kept) == list_rules(made)
    assert len(list_rules(kept)) == 10


def never(question: str, answers: object) -> None:
    raise AssertionError(f"asked: {question}")


def test_what_is_typed_into_it_is_taken_without_a_doubt(tool: ModuleType, tmp_path: Path) -> None:
    book = tool.fill(tool.make_workbook(), 20, 7)
    rows = {sheet.title: sheet.max_row - 1 for sheet in book.worksheets}
    book.save(tmp_path / "recording.xlsx")
    made = make_clinic(
        [tmp_path / "recording.xlsx"], "mine", tmp_path / "data", "opensafely", never
    )
    settings = (made.folder / "clinic.yaml").read_text(encoding="utf-8")
    assert "# ? " not in settings
    for column in ("technique", "therapist", "headache_days_28", "usual_intensity"):
        assert re.search(rf"^      {column}: ", settings, flags=re.M), column
    for column in ("headache", "intensity", "duration_hours", "acute_medication"):
        assert re.search(rf"^      {column}: ", settings, flags=re.M), column
    assert len(pd.read_csv(made.folder / "sessions.csv")) == rows["Visits"]
    assert len(pd.read_csv(made.folder / "diary.csv")) == rows["Diary"]


def test_every_treatment_of_the_list_is_known(tool: ModuleType, tmp_path: Path) -> None:
    from headway.config import load_yaml
    from headway.ingest.proposals.vocabulary import fold

    words = load_yaml(ROOT / "src/headway/ingest/proposals/vocabulary.yaml")["techniques"]
    read = {
        label: next(
            (name for name, forms in words.items() if any(re.search(f, fold(label)) for f in forms))
        )
        for label in tool.TECHNIQUES.values()
    }
    assert read == {
        "Manual therapy": "manual",
        "Dry needling": "dry_needling",
        "Injection": "wet_needling",
        "Acupuncture": "acupuncture",
        "Self-care at home": "self_care",
    }


def test_the_sheet_of_paper_asks_what_the_workbook_takes() -> None:
    text = (ROOT / "docs/howto/recording_sheet.html").read_text(encoding="utf-8")
    assert "size: A4" in text
    assert len(re.findall(r"<tr(?: class=\"week\")?><td>\d+</td>", text)) == 28
    head = re.search(r"<thead>(.*?)</thead>", text, flags=re.S)
    assert head is not None and head[1].count("<th>") == 6
    assert "src=" not in text and "href=" not in text  # nothing is fetched
