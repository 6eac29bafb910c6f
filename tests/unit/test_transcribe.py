"""`headway transcribe`: a sheet for two readers; only what both read alike enters the review."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
import yaml

from headway import config
from headway.cli import main
from headway.ingest import transcription, trials
from headway.messages import LANGUAGES, say_in_english
from headway.report import check
from headway.reviews.analyse import analyse_review
from tests.conftest import ROOT
from tests.unit.review_builder import ARMS, ARMS_HEADER, write_review

SHIPPED = ROOT / "data" / "raw" / "trials" / "falsiroli_maistrello_2018"
ASKED: dict[str, Any] = {
    "columns": {"outcome": "frequency", "timepoint": "3 months", "kind": "final"},
    "treatment": {"arm": "massage", "technique": "manual"},
    "control": {"arm": "care", "comparator": "usual_care"},
    "figures": [{"place": "Figure 2", "trials": ["Low 2001", "Ahn 2002"]}],
}
# Cell of Figure 2 -> what both readers type.
READ = {
    f"1.{row}.{arm}.{column}": value
    for row, numbers in ((1, ("20", "8.20", "4", "21", "10.5", "5")),
                         (2, ("30", "7", "3.5", "30", "9", "3")))
    for (arm, column), value in zip(
        [(a, c) for a in ("treatment", "control") for c in ("n", "mean", "sd")],
        numbers,
        strict=True,
    )
}  # fmt: skip


def review(place: Path, arms: str = ARMS_HEADER, **changes: Any) -> Path:
    """Write a review with one figure to read, and make its sheet."""
    mapped = {"arms": {"path": "arms.csv", "may_be_empty": True}}
    asked = ASKED | changes
    folder = write_review(place / "r", {"arms.csv": arms}, mapped, transcribe=asked)
    assert main(["transcribe", str(folder)]) == 0
    return folder


def fill(
    folder: Path,
    one: dict[str, Any],
    two: dict[str, Any] | None = None,
    names: tuple[str | None, str | None] = ("AB", "CD"),
    edit: Callable[[Any], object] = lambda sheet: None,
) -> Path:
    """Type the entries of both readers into a review's sheet, by cell."""
    path = folder / transcription.NAME
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[1]
    for place, name in zip(("H1", "I1"), names, strict=True):
        sheet[place].value = name
        sheet[place].data_type = "s"
    for line in range(3, sheet.max_row + 1):
        for column, own in (("H", one), ("I", one if two is None else two)):
            cell = sheet[f"{column}{line}"]
            cell.value = own.get(sheet[f"A{line}"].value)
            if isinstance(cell.value, str):
                cell.data_type = "s"
    edit(sheet)
    book.save(path)
    return path


def run(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["transcribe", str(folder), *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "arms.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def line_of(folder: Path, cell: str) -> int:
    sheet = openpyxl.load_workbook(folder / transcription.NAME).worksheets[1]
    return next(i for i in range(1, sheet.max_row + 1) if sheet[f"A{i}"].value == cell)


# ---- the shipped sheet ---------------------------------------------------------------------------


def test_the_shipped_sheet_is_what_the_command_makes(tmp_path: Path) -> None:
    document = config.load_review(SHIPPED)
    made = tmp_path / "made.xlsx"
    transcription.write_sheet(document, made)
    assert made.read_bytes() == (SHIPPED / transcription.NAME).read_bytes(), (
        "run: headway transcribe falsiroli_maistrello_2018"
    )
    with zipfile.ZipFile(made) as parts:
        assert {part.date_time for part in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"1980-01-01T00:00:00Z" in parts.read("docProps/core.xml")


def test_the_shipped_sheet_asks_for_every_trial_of_the_six_results_and_says_how_long() -> None:
    document = config.load_review(SHIPPED)
    with (SHIPPED / "pooled.csv").open(encoding="utf-8", newline="") as stream:
        pooled = {(r["outcome"], r["subgroup"]): int(r["k"]) for r in csv.DictReader(stream)}
    asked = {
        (str(f.columns["outcome"]), str(f.columns["condition"])): f.unnamed
        for f in document.transcribe.figures
    }
    assert asked == pooled
    # A name, what the controls got, and n, mean and SD of two arms; 20 seconds each.
    cells = 8 * sum(pooled.values())
    minutes = cells * 20 // 60
    sheet = openpyxl.load_workbook(SHIPPED / transcription.NAME).worksheets
    assert sheet[1].max_row - 2 == cells
    readme = " ".join((SHIPPED / "README.md").read_text(encoding="utf-8").split())
    for text in (readme, document.statement, str(sheet[0]["A2"].value)):
        assert f"{cells} cells" in text and f"{minutes} minutes" in text
    assert "20 seconds a cell" in readme


def made_up(seed: int = 7) -> dict[str, str]:
    """Make numbers up for every cell of the shipped sheet, by its id."""
    rng = np.random.default_rng(seed)
    document = config.load_review(SHIPPED)
    out = {}
    for i, figure in enumerate(document.transcribe.figures, start=1):
        for j in range(1, figure.unnamed + 1):
            out |= {f"{i}.{j}.trial": f"Trial {'ABCDEF'[i - 1]}{j}", f"{i}.{j}.comparator": "sham"}
            for arm, level in (("treatment", 8), ("control", 10)):
                out |= {
                    f"{i}.{j}.{arm}.n": str(rng.integers(12, 60)),
                    f"{i}.{j}.{arm}.mean": f"{level + rng.normal(0, 1.5):.2f}",
                    f"{i}.{j}.{arm}.sd": f"{rng.uniform(1, 4):.2f}",
                }
    return out


def pool(typed: dict[str, str], figure: int, k: int) -> tuple[float, float, float]:
    """Pool differences of means by DerSimonian and Laird, written out."""
    cells = [
        [[float(typed[f"{figure}.{j}.{arm}.{c}"]) for c in ("n", "mean", "sd")]
         for arm in ("treatment", "control")]
        for j in range(1, k + 1)
    ]  # fmt: skip
    (n1, m1, s1), (n2, m2, s2) = np.array(cells).transpose(1, 2, 0)
    y, v = m1 - m2, s1**2 / n1 + s2**2 / n2
    w = 1 / v
    q = (w * (y - (w * y).sum() / w.sum()) ** 2).sum()
    excess = (q - (k - 1)) / (w.sum() - (w**2).sum() / w.sum()) if k > 1 else 0.0
    w = 1 / (v + max(0.0, excess))
    estimate, half = (w * y).sum() / w.sum(), 1.959963984540054 / np.sqrt(w.sum())
    return estimate, estimate - half, estimate + half


def judge(folder: Path) -> Any:
    document = config.load_review(folder)
    found = trials.read_review(folder, document)
    made = analyse_review(found.arms, found.contrasts, found.published, document)
    return made["reproduction"].set_index(["quantity", "part"])


def test_the_six_results_get_verdicts_the_moment_the_sheet_is_filled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(SHIPPED, tmp_path / SHIPPED.name)
    typed = made_up()
    with (folder / "pooled.csv").open(encoding="utf-8", newline="") as stream:
        printed = list(csv.DictReader(stream))
    for i, row in enumerate(printed, start=1):
        result = pool(typed, i, int(row["k"]))
        row |= {c: f"{x:.2f}" for c, x in zip(("effect", "ci_low", "ci_high"), result, strict=True)}
    printed[-1]["effect"] = f"{float(printed[-1]['effect']) + 0.05:.2f}"  # a misprint
    with (folder / "pooled.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, printed[0])
        writer.writeheader()
        writer.writerows(printed)
    assert judge(folder)["verdict"].eq("not recomputable").all()
    fill(folder, typed, {c: x.replace(".", ",") for c, x in typed.items()})
    code, out, err = run(folder, capsys)
    assert (code, err) == (0, "")
    assert "15 of 15 rows of the figures are in the review" in out
    found = judge(folder)["verdict"]
    assert found.groupby("part").size().to_dict() == dict.fromkeys(
        ("ci_high", "ci_low", "estimate", "k"), 6
    )
    assert found.pop(("duration_migraine", "estimate")) == "not reproduced"
    assert found.eq("reproduced").all()
    # One trial of a result is enough to leave it open, and the others stay judged.
    kept = [r for r in (folder / "arms.csv").read_text().splitlines() if "Trial A1" not in r]
    (folder / "arms.csv").write_text("\n".join(kept) + "\n")
    found = judge(folder)["verdict"]
    assert found["frequency_tth"].eq("not recomputable").all()
    assert found["intensity_tth"].eq("reproduced").all()


# ---- what enters ---------------------------------------------------------------------------------


def test_a_row_in_which_both_agree_enters_with_both_readers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)
    fill(folder, READ, READ | {"1.1.treatment.mean": 8.2})
    code, out, _ = run(folder, capsys)
    assert code == 0 and "2 of 2 rows" in out
    first, second, *others = rows(folder)
    assert len(others) == 2
    assert (first["trial"], first["arm"], first["role"]) == ("Low 2001", "massage", "treatment")
    # 8.20 and the number 8.2 are one number; the longer one is what is printed.
    assert (first["n"], first["mean"], first["sd"]) == ("20", "8.20", "4")
    assert (second["arm"], second["comparator"], second["mean"]) == ("care", "usual_care", "10.5")
    assert first["status"] == "transcribed" and first["unit"] == "days_per_28"
    assert "Figure 2, row 1" in first["source"] and "AB" in first["source"]
    assert "CD" in first["source"]
    before = (folder / "arms.csv").read_bytes()
    code, out, _ = run(folder, capsys)
    assert code == 0 and "no file changed" in out
    assert (folder / "arms.csv").read_bytes() == before


def test_contrasts_enter_from_a_figure_of_effects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {"effect_type": "difference", "positive_means": "treatment_minus_control"}
    figure = {"place": "Fig. 3", "trials": ["Low 2001"], "into": "contrasts", "columns": columns}
    mapped = {
        "contrasts": {"path": "c.csv", "may_be_empty": True, "decimal": ",", "delimiter": ";"}
    }
    asked = ASKED | {"figures": [figure], "columns": {"outcome": "frequency", "timepoint": "after"}}
    folder = write_review(tmp_path / "r", {"x": ""}, mapped, transcribe=asked)
    assert main(["transcribe", str(folder)]) == 0
    fill(folder, {"1.1.effect": "\u22121.5", "1.1.ci_low": "-2.5", "1.1.ci_high": "-0.50"})
    code, out, err = run(folder, capsys)
    assert (code, err) == (0, "") and "1 of 1 rows" in out
    assert "-2,5;-0,50" in (folder / "c.csv").read_text(encoding="utf-8")
    found = trials.read_review(folder, config.load_review(folder)).contrasts.iloc[0]
    assert (found["effect"], found["ci_low"], found["ci_high"]) == (-1.5, -2.5, -0.5)
    assert (found["treatment_arm"], found["comparator"]) == ("massage", "usual_care")


def test_where_they_differ_nothing_enters_and_the_line_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)
    fill(folder, READ, READ | {"1.2.control.sd": "3.1"})
    code, out, err = run(folder, capsys)
    assert code == 12 and "1 of 2 rows" in out and "differently 1" in out
    line = line_of(folder, "1.2.control.sd")
    assert f"line {line}, column 'sd'" in err and "[readers_differ]" in err and "3.1" not in err
    assert {r["trial"] for r in rows(folder)} == {"Low 2001"}
    # Once they have looked again, the row enters; and goes when they no longer agree.
    fill(folder, READ)
    assert run(folder, capsys)[0] == 0 and len(rows(folder)) == 4
    fill(folder, READ, READ | {"1.1.treatment.n": "2"})
    assert run(folder, capsys)[0] == 12
    assert {r["trial"] for r in rows(folder)} == {"Ahn 2002"}


def test_a_corrected_reading_replaces_the_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path, figures=[{"place": "Figure 2", "unnamed": 2}])
    named = READ | {"1.1.trial": "Löw 2001", "1.2.trial": "Ahn 2002"}
    fill(folder, named)
    assert run(folder, capsys)[0] == 0
    fill(folder, named | {"1.1.trial": "Low 2001", "1.1.control.mean": "11"})
    assert run(folder, capsys)[0] == 0
    assert sorted({r["trial"] for r in rows(folder)}) == ["Ahn 2002", "Low 2001"]
    assert [r["mean"] for r in rows(folder) if r["trial"] == "Low 2001"] == ["8.20", "11"]


@pytest.mark.parametrize("names", [("AB", None), ("AB", "CD")])
def test_one_reader_alone_enters_nothing_and_is_no_error(
    names: tuple[str, str | None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)
    fill(folder, READ, {}, names)
    code, out, _ = run(folder, capsys)
    assert code == 0 and "0 of 2 rows" in out and "typed by one 12, empty 0" in out
    assert rows(folder) == []


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        ((None, "CD"), "reader_unnamed"),
        (("AB", " "), "reader_unnamed"),
        (("A.B.", "a b"), "one_reader_twice"),
        (("AB", "AB"), "one_reader_twice"),
    ],
)
def test_both_readers_are_named_and_are_two(
    names: tuple[str | None, str], rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)
    fill(folder, READ, names=names)
    code, _, err = run(folder, capsys)
    assert code == 12 and f"[{rule}]" in err and "line 1," in err
    assert rows(folder) == []


@pytest.mark.parametrize(
    ("typed", "rule"),
    [
        ("about 8", "not_a_number"),
        ("1,204.5", "thousands"),
        ("8;2", "not_a_number"),
        ("#REF!", "not_a_number"),
        ("3-Apr", "spreadsheet_date"),
    ],
)
def test_a_cell_that_is_no_number_is_named(
    typed: str, rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)
    fill(folder, READ | {"1.1.control.mean": typed})
    code, out, err = run(folder, capsys)
    assert code == 12 and f"[{rule}]" in err and "1 of 2 rows" in out and "not readable 1" in out
    assert f"line {line_of(folder, '1.1.control.mean')}" in err and typed not in err


def test_a_reader_who_mixes_decimal_signs_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)
    fill(folder, READ, READ | {"1.1.control.mean": "10,5"})
    code, out, err = run(folder, capsys)
    assert code == 12 and "[decimal_comma]" in err and "1 of 2 rows" in out


def test_a_number_stored_as_one_follows_the_sign_of_the_texts_around_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)
    comma = {cell: text.replace(".", ",") for cell, text in READ.items()}
    fill(folder, READ, comma | {"1.1.control.mean": 10.5, "1.1.control.n": 21})
    assert run(folder, capsys)[0] == 0 and len(rows(folder)) == 4


def test_a_formula_counts_by_its_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = review(tmp_path)

    def formula(sheet: Any) -> None:
        sheet[f"I{line_of(folder, '1.1.control.mean')}"] = "=21/2"

    path = fill(folder, READ, edit=formula)
    code, _, err = run(folder, capsys)
    assert code == 12 and "[not_a_number]" in err  # never worked out
    with zipfile.ZipFile(path) as parts:
        held = {name: parts.read(name) for name in parts.namelist()}
    name = "xl/worksheets/sheet2.xml"
    held[name], n = re.subn(rb"<f>21/2</f><v ?(/>|></v>)", b"<f>21/2</f><v>10.5</v>", held[name])
    assert n == 1
    with zipfile.ZipFile(path, "w") as parts:
        for part, content in held.items():
            parts.writestr(part, content)
    assert run(folder, capsys)[0] == 0 and len(rows(folder)) == 4


def test_nothing_printed_is_said_twice_and_is_no_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)
    fill(folder, READ | {"1.1.control.sd": "NA"}, READ | {"1.1.control.sd": "na"})
    assert run(folder, capsys)[0] == 0
    assert [r["sd"] for r in rows(folder)] == ["4", "", "3.5", "3"]
    fill(folder, READ | {"1.1.control.sd": "NA"}, READ)
    assert run(folder, capsys)[0] == 12 and len(rows(folder)) == 2


def test_lines_of_nothing_are_named_and_the_others_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)

    def edit(sheet: Any) -> None:
        sheet["A15"], sheet["H15"] = "9.9.mean", "3"
        sheet["A16"] = "1.1.treatment.n"
        for row in sheet.iter_rows(8, 8):
            for cell in row:
                cell.value = None

    fill(folder, READ, edit=edit)
    code, out, err = run(folder, capsys)
    assert code == 12 and "1 of 2 rows" in out
    assert "line 15: " in err and "line 16: " in err and "[lines_missing]" in err


def test_lines_may_be_sorted_and_columns_of_notes_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)

    def edit(sheet: Any) -> None:
        held = [[c.value for c in row] for row in sheet.iter_rows(3)]
        for line, values in enumerate(reversed(held), start=3):
            for column, value in enumerate(values, start=1):
                sheet.cell(line, column).value = value
        sheet["L3"] = "a remark"

    fill(folder, READ, edit=edit)
    code, _, err = run(folder, capsys)
    assert (code, err) == (0, "") and len(rows(folder)) == 4


def test_a_sheet_of_another_plan_is_not_read_as_this_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)
    fill(folder, READ)
    document = yaml.safe_load((folder / "review.yaml").read_text(encoding="utf-8"))
    document["transcribe"]["figures"].insert(0, {"place": "Figure 1", "trials": ["Z 1990"]})
    (folder / "review.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    code, out, err = run(folder, capsys)
    assert code == 12 and "0 of 3 rows" in out and "[not_asked]" in err
    assert rows(folder) == []


# ---- what stays ----------------------------------------------------------------------------------


def test_rows_of_other_origin_stay_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ARMS + (
        "Low 2001,2001,massage,treatment,manual,,frequency,days_per_28,3 months,84,final,"
        '50,9,4,,retrieved,"Table ""1"""\n'
    )
    folder = review(tmp_path, "\ufeff" + typed.replace("\n", "\r\n"))
    fill(folder, READ)
    code, out, err = run(folder, capsys)
    # The trial is there already, from a table: the reading of the figure is held back.
    assert code == 12 and "[duplicate]" in err and "1 of 2 rows" in out
    content = (folder / "arms.csv").read_bytes().decode("utf-8")
    assert content.startswith("\ufeff") and content.count("\r\n") == content.count("\n")
    with_new = content.removeprefix("\ufeff").replace("\r\n", "\n")
    assert with_new.startswith(typed)
    assert with_new.count("transcribed") == 2


def test_a_row_that_the_review_would_refuse_stays_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)
    fill(folder, READ | {"1.1.treatment.sd": "-4"})
    code, out, err = run(folder, capsys)
    assert code == 12 and "[negative_sd]" in err and "1 of 2 rows" in out
    assert f"line {line_of(folder, '1.1.treatment.sd')}" in err
    trials.read_review(folder, config.load_review(folder))


def test_it_stays_out_whatever_is_wrong_with_the_rows_that_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = ARMS.splitlines()[1].replace(",20,8,4,", ",20,8,-4,").replace("A 2001", "Old 1999")
    folder = review(tmp_path, ARMS_HEADER + older + "\n")
    fill(folder, READ | {"1.1.treatment.sd": "-4"})
    code, out, _ = run(folder, capsys)
    assert code == 12 and "1 of 2 rows" in out
    assert {row["trial"] for row in rows(folder)} == {"Old 1999", "Ahn 2002"}


@pytest.mark.parametrize(
    "hostile",
    [
        '=HYPERLINK("http://x.example","y")',
        "+cmd|' /C calc'!A0",
        "@SUM(1)",
        "<img src=x onerror=a>",
    ],
)
def test_what_readers_type_becomes_no_formula_and_no_markup(
    hostile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = [{"place": hostile, "unnamed": 1}]
    folder = review(tmp_path, figures=figures)
    sheet = openpyxl.load_workbook(folder / transcription.NAME).worksheets[1]
    assert (sheet["B3"].value, sheet["B3"].data_type) == (hostile, "s")
    typed = {c: x for c, x in READ.items() if c.startswith("1.1.")} | {"1.1.trial": hostile}
    fill(folder, typed, names=(hostile, "CD"))
    code, _, err = run(folder, capsys)
    assert (code, err) == (0, "")
    for row in rows(folder):
        for cell in row.values():
            assert not cell.startswith(("=", "+", "@")), "a spreadsheet would run it"
    assert len(rows(folder)) == 2 and hostile in rows(folder)[0]["trial"]
    before = (folder / "arms.csv").read_bytes()
    assert run(folder, capsys)[0] == 0 and (folder / "arms.csv").read_bytes() == before


# ---- the command ---------------------------------------------------------------------------------


def test_an_empty_sheet_is_written_anew_and_a_filled_one_never(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)
    path = folder / transcription.NAME
    first = path.read_bytes()
    assert run(folder, capsys)[0] == 0 and path.read_bytes() == first
    assert run(folder, capsys, "--language", "de")[0] == 0 and path.read_bytes() != first
    assert "12 cells" in run(folder, capsys)[1] and path.read_bytes() == first
    fill(folder, {}, names=("AB", None))
    filled = path.read_bytes()
    assert "empty 12" in run(folder, capsys)[1] and path.read_bytes() == filled


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sheet_of_any_language_is_read(
    language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)
    run(folder, capsys, "--language", language)
    fill(folder, READ)
    elsewhere = tmp_path / "filled by two.xlsx"
    (folder / transcription.NAME).rename(elsewhere)
    assert run(folder, capsys, "--from", str(elsewhere))[0] == 0
    assert len(rows(folder)) == 4 and not (folder / transcription.NAME).exists()


def test_the_sheet_shows_differences_by_itself_and_not_by_colour_alone(tmp_path: Path) -> None:
    folder = review(tmp_path)
    sheet = openpyxl.load_workbook(folder / transcription.NAME).worksheets[1]
    assert sheet.protection.sheet and not sheet["H3"].protection.locked
    assert sheet["A3"].protection.locked and sheet["J3"].protection.locked
    assert sheet["H3"].number_format == "@"  # 3-4 becomes no date, 8.20 keeps its zero
    formulas = [sheet[f"J{line}"].value for line in range(3, sheet.max_row + 1)]
    assert all(f.startswith("=") and '"≠' in f and '"same"' in f for f in formulas)
    rules = [r for of in sheet.conditional_formatting for r in of.rules]
    assert len(rules) == 2
    assert any(rule.dxf.font.b and rule.dxf.font.u for rule in rules)


def test_check_says_how_far_the_sheet_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = review(tmp_path)

    def notes() -> str:
        return " ".join(map(say_in_english, check.note_transcription(folder, document)))

    document = config.load_review(folder)

    assert notes() == ""  # an empty sheet waits, and says so itself
    fill(folder, READ, {c: x for c, x in READ.items() if c.startswith("1.1.")})
    assert "typed alike 6" in notes() and "typed by one 6" in notes()
    assert "headway transcribe r" in notes()
    assert run(folder, capsys)[0] == 0
    assert "typed by one 6" in notes() and "headway transcribe r" not in notes()
    fill(folder, READ)
    assert run(folder, capsys)[0] == 0 and notes() == ""
    (folder / transcription.NAME).write_bytes(b"no workbook")
    assert "damaged_workbook" in notes()
    found = check.check_folder(folder)
    assert found.error is None and found.as_dict()["notes"] == [notes()]
    assert notes() in [text for text, _ in check.write_lines(found)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"figures": []}, "no_figures"),
        ({"columns": {"outcome": "sleep", "timepoint": "x", "kind": "final"}}, "unknown_outcome"),
        ({"columns": {"outcome": "frequency", "kind": "final"}}, "missing_column"),
        ({"control": {}}, "missing_column"),
        ({"per_trial": ["dosage"]}, "unknown_canonical_column"),
        (
            {"figures": [{"place": "F", "trials": ["A"]}, {"place": "F ", "trials": ["B"]}]},
            "duplicate",
        ),
        ({"figures": [{"place": "F", "trials": ["A"], "into": "contrasts"}]}, "transcribe_file"),
    ],
)
def test_what_review_yaml_lacks_is_said(
    changes: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_review(tmp_path / "r", {"arms.csv": ARMS}, transcribe=ASKED | changes)
    code, _, err = run(folder, capsys)
    assert code == 11 and f"[{said}]" in err
    assert not (folder / transcription.NAME).exists()


@pytest.fixture
def calc(tmp_path: Path) -> Callable[[Path, str], Path]:
    """Save a workbook by LibreOffice Calc."""
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if program is None:
        pytest.skip("LibreOffice is not installed: nothing was saved by it")

    def save(path: Path, kind: str) -> Path:
        target = tmp_path / "saved"
        subprocess.run(
            [program, "--headless", f"-env:UserInstallation={(tmp_path / 'own').as_uri()}",
             "--convert-to", kind, "--outdir", str(target), str(path)],
            capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        saved = target / f"{path.stem}.{kind}"
        if not saved.is_file():
            pytest.skip("LibreOffice has no Calc here: nothing was saved by it")
        return saved

    return save


@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_a_sheet_saved_by_libreoffice_is_read(
    kind: str,
    calc: Callable[[Path, str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = review(tmp_path)
    comma = {cell: text.replace(".", ",") for cell, text in READ.items()}
    saved = calc(fill(folder, READ, comma | {"1.2.control.n": "31"}), kind)
    code, out, err = run(folder, capsys, "--from", str(saved))
    assert code == 12 and "1 of 2 rows" in out
    assert f"line {line_of(folder, '1.2.control.n')}" in err
    if kind == "xlsx":
        shown = openpyxl.load_workbook(saved, data_only=True).worksheets[1]
        found = {shown[f"A{i}"].value: shown[f"J{i}"].value for i in range(3, 15)}
        assert found.pop("1.2.control.n") == "≠ -1"
        assert set(found.values()) == {"same"}
