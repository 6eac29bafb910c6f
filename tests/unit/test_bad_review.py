"""A folder in which everything is wrong at once: one message per problem, nothing computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from headway import cli, config
from headway.errors import InputError
from headway.ingest import trials
from tests.unit.review_builder import ARMS_HEADER, REVIEW, write_review

ROWS = ARMS_HEADER + "".join(
    f"{row}\n"
    for row in (
        "Good,2001,massage,treatment,manual,,frequency,days_per_28,end,84,final,20,8,4,,retrieved,T",
        "Good,2001,care,control,,usual_care,frequency,days_per_28,end,84,final,20,9,4,,retrieved,T",
        "B,2001,massage,treatment,manual,,frequency,fortnights,end,84,final,20,8,4,,retrieved,T",
        "C,2001,massage,treatment,manual,,frequency,days_per_28,end,84,final,1,8,4,,retrieved,T",
        "D,2001,massage,treatment,manual,,frequency,days_per_28,end,84,final,20,8,-4,,retrieved,T",
        "E,2001,massage,treatment,manual,,frequncy,days_per_28,end,84,final,20,8,4,,retrieved,T",
        "Good,2001,care,control,,usual_care,frequency,days_per_28,end,84,final,20,9,4,,retrieved,T",
        'F,2001,massage,treatment,manual,,frequency,days_per_28,end,84,final,20,"8,5",4,,retrieved,T',
        "G,2001,massage,treatment,manual,,frequency,days_per_28,end,84,final,20,5-Jul,4,,retrieved,T",
        "H,2001,massage,treatment,manual,,frequency,days_per_28,end,84,final,20,8,4,,retrieved",
    )
)
CONTRASTS = (
    "trial,year,treatment_arm,control_arm,technique,comparator,outcome,unit,timepoint,time_days,"
    "effect_type,effect,ci_low,ci_high,p,positive_means,status,source\n"
    "I,2001,m,c,manual,sham,frequency,days_per_28,end,84,difference,-2,,,,treatment_minus_control,"
    "retrieved,T\n"
    "J,2001,m,c,manual,sham,frequency,days_per_28,end,84,difference,-2,-1,-3,,"
    "treatment_minus_control,retrieved,T\n"
    "K,2001,m,c,manual,sham,frequency,days_per_28,end,84,difference,-2,,,maybe,"
    "treatment_minus_control,retrieved,T\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_review(
        tmp_path / "bad",
        {
            "arms.csv": b"\xef\xbb\xbf" + ROWS.replace("\n", "\r\n").encode(),
            "contrasts.csv": CONTRASTS,
            "pooled.csv": b"",
            "risk.csv": "trial,domain,judgement,signed_by\ncaf\u00e9,overall,low,me\n".encode(
                "latin-1"
            ),
        },
        mapped={
            "arms": {"path": "arms.csv"},
            "contrasts": {"path": "contrasts.csv"},
            "pooled": {"path": "pooled.csv"},
            "risk_of_bias": {"path": "risk.csv"},
        },
    )


def test_every_problem_is_named_once_with_its_place_and_what_to_do(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        trials.read_review(folder, config.load_review(folder))
    found = caught.value.problems
    # CRLF and BOM are no problems: they are read as they are, and lines count as an editor does.
    assert {(p.file, p.line, p.column, p.rule) for p in found} == {
        ("arms.csv", 4, "unit", "unknown_word"),
        ("arms.csv", 5, "n", "n_too_small"),
        ("arms.csv", 6, "sd", "negative_sd"),
        ("arms.csv", 7, "outcome", "unknown_outcome"),
        ("arms.csv", 8, "trial", "duplicate"),
        ("arms.csv", 9, "mean", "decimal_comma"),
        ("arms.csv", 10, "mean", "spreadsheet_date"),
        ("arms.csv", 11, "", "field_count"),
        ("contrasts.csv", 2, "effect", "no_uncertainty"),
        ("contrasts.csv", 3, "ci_low", "limits_reversed"),
        ("contrasts.csv", 4, "p", "p_unreadable"),
        ("pooled.csv", None, "", "empty_file"),
        ("risk.csv", 2, "", "unreadable"),
    }
    assert len(found) == 13
    assert all(p.remedy for p in found)
    text = str(caught.value)
    assert "latin-1" in text
    for cell in ("8,5", "5-Jul", "frequncy", "fortnights", "maybe", "caf"):
        assert cell not in text, cell


def test_the_command_ends_in_failure_and_lists_them_all(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", str(folder)]) == InputError.exit_code != 0
    text = capsys.readouterr().err
    assert text.count("What to do:") == 13
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (ARMS_HEADER.encode(), "no_rows"),
        ("trial;arm\nA;m\n".encode("utf-16"), "unreadable"),
        (b'trial,arm\n"A,m\n', "unreadable"),
    ],
)
def test_a_file_without_use_is_one_problem(tmp_path: Path, content: bytes, rule: str) -> None:
    folder = write_review(tmp_path / "r", {"arms.csv": content})
    with pytest.raises(InputError) as caught:
        trials.read_review(folder, config.load_review(folder))
    assert [p.rule for p in caught.value.problems] == [rule]
    assert caught.value.problems[0].remedy


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = write_review(tmp_path / "r", {"other.csv": ""})
    with pytest.raises(InputError) as caught:
        trials.read_review(folder, config.load_review(folder))
    (problem,) = caught.value.problems
    assert (problem.file, problem.rule) == ("arms.csv", "missing_file")


def test_missing_columns_do_not_hide_bad_cells(tmp_path: Path) -> None:
    text = ARMS_HEADER.replace(",source", "") + (
        "A,2001,m,treatment,manual,,frequency,days_per_28,end,84,final,20,8,-4,,retrieved\n"
    )
    folder = write_review(tmp_path / "r", {"arms.csv": text})
    with pytest.raises(InputError) as caught:
        trials.read_review(folder, config.load_review(folder))
    assert {(p.column, p.rule) for p in caught.value.problems} == {
        ("source", "missing_column"),
        ("sd", "negative_sd"),
    }


def test_a_bad_file_leaves_the_good_one_unused(tmp_path: Path) -> None:
    good = REVIEW["files"]["arms"]
    folder = write_review(
        tmp_path / "r",
        {"arms.csv": ROWS, "c.csv": "trial\n"},
        mapped={"arms": good, "contrasts": {"path": "c.csv"}},
    )
    with pytest.raises(InputError) as caught:
        trials.read_review(folder, config.load_review(folder))
    assert {p.file for p in caught.value.problems} == {"arms.csv", "c.csv"}
