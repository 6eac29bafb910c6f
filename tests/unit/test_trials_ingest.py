"""Published numbers as printed -> canonical rows, or one clear problem per thing that is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headway import config
from headway.errors import ConfigError, InputError
from headway.ingest import trials
from headway.messages import say
from tests.unit.review_builder import ARMS, ARMS_HEADER, CONTRASTS, REVIEW, write_review


def read(folder: Path) -> trials.Published:
    return trials.read_review(folder, config.load_review(folder))


def problems(folder: Path) -> list[tuple[str, str, int | None]]:
    with pytest.raises(InputError) as caught:
        read(folder)
    return [(p.rule, p.column, p.line) for p in caught.value.problems]


def test_signs_are_made_post_minus_pre_and_treatment_minus_control(tmp_path: Path) -> None:
    folder = write_review(
        tmp_path / "r",
        {"arms.csv": ARMS, "c.csv": CONTRASTS},
        mapped={"arms": {"path": "arms.csv"}, "contrasts": {"path": "c.csv"}},
    )
    found = read(folder)
    changes = found.arms[found.arms["kind"] == "change"]
    assert changes["mean"].tolist() == [-3, -1]
    assert changes["printed_mean"].tolist() == [3, 1]
    row = found.contrasts.iloc[0]
    month = 28 / 30.4375
    assert np.allclose(
        [row["effect"], row["ci_low"], row["ci_high"]],
        [-2 * month, -3 * month, -1 * month],
        rtol=1e-12,
    )
    assert row["printed_effect"] == 2
    assert row["unit"] == "days_per_28"
    assert row["unit_printed"] == "days_per_month"
    # Half the interval over the normal quantile, in days per 28.
    assert np.isclose(row["se"], month * 1 / 1.959963984540054, rtol=1e-12)


def test_a_better_change_of_an_outcome_where_high_is_good_stays_positive(tmp_path: Path) -> None:
    outcomes = {"frequency": {"unit": "days_per_28", "lower_is_better": False}}
    found = read(write_review(tmp_path / "r", outcomes=outcomes))
    assert found.arms.loc[found.arms["kind"] == "change", "mean"].tolist() == [3, 1]


def test_a_change_without_a_declared_sign_is_refused(tmp_path: Path) -> None:
    found = problems(write_review(tmp_path / "r", {"arms.csv": ARMS.replace("4,better", "4,")}))
    assert found == [
        ("sign_not_declared", "positive_means", 4),
        ("sign_not_declared", "positive_means", 5),
    ]


def test_a_contrast_without_a_declared_sign_is_refused(tmp_path: Path) -> None:
    text = CONTRASTS.replace("control_minus_treatment", "")
    folder = write_review(tmp_path / "r", {"c.csv": text}, mapped={"contrasts": {"path": "c.csv"}})
    assert problems(folder) == [("sign_not_declared", "positive_means", 2)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (",20,8,4,", ",20,8,-4,", ("negative_sd", "sd", 2)),
        (",20,8,4,", ",1,8,4,", ("n_too_small", "n", 2)),
        (",20,8,4,", ",0,8,4,", ("n_too_small", "n", 2)),
        (",20,8,4,", ',20,"8,5",4,', ("decimal_comma", "mean", 2)),
        (",20,8,4,", ",20,8-Apr,4,", ("spreadsheet_date", "mean", 2)),
        (",20,8,4,", ",20,04/08/2018,4,", ("spreadsheet_date", "mean", 2)),
        (",20,8,4,", ",20,about 8,4,", ("not_a_number", "mean", 2)),
        (",20,8,4,", ",20,inf,4,", ("not_a_number", "mean", 2)),
        (",20,8,4,", ",20,,4,", None),
        (
            "massage,treatment,manual,,frequency,days_per_28,3 months,84,final",
            "massage,treatment,manual,,frequency,days_per_fortnight,3 months,84,final",
            ("unknown_word", "unit", 2),
        ),
        (
            "massage,treatment,manual,,frequency",
            "massage,treatment,manual,,freqency",
            ("unknown_outcome", "outcome", 2),
        ),
        ("massage,treatment,manual", "massage,treated,manual", ("unknown_word", "role", 2)),
        ("care,control,,usual_care", "care,control,,", ("required", "comparator", 3)),
        ("A 2001,2001,massage", ",2001,massage", ("required", "trial", 2)),
        ("A 2001,2001,care,control", "A 2001,2001,care,control,extra", ("field_count", "", 3)),
    ],
)
def test_each_kind_of_bad_row_is_one_problem_with_its_place(
    tmp_path: Path, old: str, new: str, expected: tuple[str, str, int] | None
) -> None:
    folder = write_review(tmp_path / "r", {"arms.csv": ARMS.replace(old, new, 1)})
    if expected is None:  # a missing mean is shown and not pooled, never an error and never 0
        assert np.isnan(read(folder).arms["mean"].iloc[0])
    else:
        assert expected in problems(folder)


def test_everything_wrong_is_reported_at_once_and_no_cell_is_quoted(tmp_path: Path) -> None:
    text = ARMS.replace(",20,8,4,", ",20,8,-4,").replace(",21,10,5,", ",21,SECRET,5,")
    contrasts = CONTRASTS.replace("2,1,3", "2,3,1")
    folder = write_review(
        tmp_path / "r",
        {"arms.csv": text, "c.csv": contrasts},
        mapped={"arms": {"path": "arms.csv"}, "contrasts": {"path": "c.csv"}},
    )
    with pytest.raises(InputError) as caught:
        read(folder)
    assert {p.rule for p in caught.value.problems} == {
        "negative_sd",
        "not_a_number",
        "limits_reversed",
    }
    assert {p.file for p in caught.value.problems} == {"arms.csv", "c.csv"}
    assert "SECRET" not in str(caught.value)


def test_many_rows_with_one_fault_do_not_drown_the_others(tmp_path: Path) -> None:
    rows = "".join(
        f"T{i},2001,massage,treatment,manual,,frequency,days_per_28,3 months,84,final,20,8,-4,,"
        "retrieved,T1\n"
        for i in range(140)
    )
    with pytest.raises(InputError) as caught:
        read(write_review(tmp_path / "r", {"arms.csv": ARMS_HEADER + rows}))
    assert len(caught.value.problems) == 101
    assert caught.value.problems[-1].count == 40


def test_the_same_arm_twice_is_a_problem(tmp_path: Path) -> None:
    second = ARMS.splitlines(keepends=True)[1]
    assert problems(write_review(tmp_path / "r", {"arms.csv": ARMS + second})) == [
        ("duplicate", "trial", 6)
    ]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "empty_file"),
        (b"\n\n", "empty_file"),
        (ARMS.replace(",", ";").encode(), "missing_column"),
        (b"trial,trial,arm\n", "duplicate_column"),
        (ARMS.encode().replace(b"care", b"caf\xe9"), "unreadable"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, rule: str) -> None:
    assert problems(write_review(tmp_path / "r", {"arms.csv": content}))[0][0] == rule


@pytest.mark.parametrize(
    ("before", "line"),
    [("", 6), ("\n\n", 8), (ARMS.splitlines()[1].replace("T1", '"T\n1"') + "\n", 8)],
    ids=["at once", "below blank lines", "below a cell of two lines"],
)
def test_a_stray_quote_is_said_with_the_line_where_its_row_begins(
    tmp_path: Path, before: str, line: int
) -> None:
    text = ARMS + before + '"C" 2003,2003\n'
    folder = write_review(tmp_path / "r", {"arms.csv": text})
    assert problems(folder) == [("unreadable", "", line)]


def test_a_statistic_near_0_gives_no_infinite_spread(tmp_path: Path) -> None:
    """A t of 1e-320 is a slip; 3 / t is beyond any number, and must not be pooled as one."""
    lines = [line + ("," if i else ",t") for i, line in enumerate(ARMS.splitlines())]
    lines[3] = lines[3].replace(",3,4,", ",3,,") + "1e-320"
    folder = write_review(tmp_path / "a", {"arms.csv": "\n".join(lines) + "\n"})
    assert problems(folder) == [("not_allowed", "sd", 4)]
    header, row = CONTRASTS.splitlines()
    text = f"{header},t\n{row.replace(',2,1,3,', ',2,,,')},1e-320\n"
    spec = {"contrasts": {"path": "c.csv"}}
    folder = write_review(tmp_path / "c", {"c.csv": text}, mapped=spec)
    assert problems(folder) == [("not_allowed", "se", 2)]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + ARMS.encode(),
        ARMS.replace("\n", "\r\n").encode(),
        ARMS.replace("\n", "\n\n").encode(),
        ARMS.replace(",8,", ", 8 ,").encode(),
    ],
    ids=["BOM", "CRLF", "blank lines", "spaces"],
)
def test_habits_of_spreadsheets_change_nothing(tmp_path: Path, content: bytes) -> None:
    plain = read(write_review(tmp_path / "a")).arms.drop(columns=["line"])
    other = read(write_review(tmp_path / "b", {"arms.csv": content})).arms.drop(columns=["line"])
    assert plain.equals(other)


def test_semicolons_decimal_commas_and_latin_1_are_declared(tmp_path: Path) -> None:
    text = ARMS.replace(",", ";").replace(";8;", ";8,5;").replace("care", "Üblich")
    spec = {"path": "arms.csv", "delimiter": ";", "decimal": ",", "encoding": "latin-1"}
    folder = write_review(
        tmp_path / "r", {"arms.csv": text.encode("latin-1")}, mapped={"arms": spec}
    )
    text = (
        (folder / "arms.csv").read_bytes().decode("latin-1").replace("usual_Üblich", "usual_care")
    )
    (folder / "arms.csv").write_bytes(text.encode("latin-1"))
    found = read(folder).arms
    assert found["mean"].iloc[0] == 8.5
    assert found["arm"].iloc[1] == "Üblich"


def test_a_header_without_rows_is_refused_unless_the_file_is_declared_to_wait(
    tmp_path: Path,
) -> None:
    folder = write_review(tmp_path / "r", {"arms.csv": ARMS_HEADER})
    assert problems(folder) == [("no_rows", "", None)]
    spec = {"path": "arms.csv", "may_be_empty": True}
    folder = write_review(tmp_path / "s", {"arms.csv": ARMS_HEADER}, mapped={"arms": spec})
    assert len(read(folder).arms) == 0


def test_wide_rows_become_two_arms_with_codes_and_joined_columns(tmp_path: Path) -> None:
    text = "who;year;what;type;n1;m1;s1;n2;m2;s2\nX;1999;HA;diff;10;-2;3;12;-1;3,5\n"
    spec = {
        "path": "w.csv",
        "delimiter": ";",
        "decimal": ",",
        "columns": {
            "trial": {"columns": ["who", "year"]},
            "outcome": {"column": "what", "codes": {"HA": "frequency"}},
            "kind": {"column": "type", "codes": {"diff": "change"}},
        },
        "wide": {
            "treatment": {"n": "n1", "mean": "m1", "sd": "s1", "arm": {"value": "massage"}},
            "control": {
                "n": "n2",
                "mean": "m2",
                "sd": "s2",
                "arm": {"value": "none"},
                "comparator": {"value": "no_treatment"},
            },
        },
        "constants": {
            "unit": "days_per_28",
            "timepoint": "after",
            "positive_means": "worse",
            "status": "retrieved",
            "source": "file",
        },
    }
    found = read(write_review(tmp_path / "r", {"w.csv": text}, mapped={"arms": spec})).arms
    assert found["trial"].tolist() == ["X 1999", "X 1999"]
    assert found["role"].tolist() == ["treatment", "control"]
    assert found["mean"].tolist() == [-2, -1]
    assert found["sd"].tolist() == [3, 3.5]
    assert found["line"].tolist() == [2, 2]


def test_an_unknown_code_is_a_problem_not_a_blank(tmp_path: Path) -> None:
    spec = {
        "path": "arms.csv",
        "columns": {"kind": {"column": "kind", "codes": {"final": "final"}}},
    }
    folder = write_review(tmp_path / "r", mapped={"arms": spec})
    assert ("unknown_code", "kind", 4) in problems(folder)


def test_baseline_rows_stand_beside_the_later_rows_of_their_arm(tmp_path: Path) -> None:
    base = (
        "A 2001,2001,massage,treatment,manual,,frequency,days_per_28,before,,baseline,25,15,6,,"
        "retrieved,T1\n"
    )
    found = read(write_review(tmp_path / "r", {"arms.csv": ARMS + base})).arms
    row = found[
        (found["trial"] == "A 2001") & (found["arm"] == "massage") & (found["kind"] == "final")
    ].iloc[0]
    assert (row["baseline_n"], row["baseline_mean"], row["baseline_sd"]) == (25, 15, 6)
    other = found[(found["arm"] == "care") & (found["kind"] == "final")].iloc[0]
    assert np.isnan(other["baseline_mean"])


def test_a_standard_error_or_interval_stands_in_for_a_missing_sd(tmp_path: Path) -> None:
    header = ARMS_HEADER.replace(",sd,", ",sd,se,ci_low,ci_high,")
    rows = (
        "A,2001,m,treatment,manual,,frequency,days_per_28,t,84,final,25,8,,1,,,,retrieved,T\n"
        "A,2001,c,control,,sham,frequency,days_per_28,t,84,final,100,8,,,7.02,8.98,,retrieved,T\n"
    )
    found = read(write_review(tmp_path / "r", {"arms.csv": header + rows})).arms
    assert found["sd"].iloc[0] == 5  # 1 x sqrt(25)
    assert np.isclose(found["sd"].iloc[1], 0.98 / 1.959963984540054 * 10, rtol=1e-12)
    assert found["sd_from"].tolist() == ["origin.standard_error", "origin.confidence_interval"]


def test_names_that_point_at_nothing_are_found(tmp_path: Path) -> None:
    folder = write_review(
        tmp_path / "r",
        comparisons=[{**REVIEW["comparisons"][0], "outcome": "frequncy"}],
        published=[
            {"id": "x", "label": "x", "estimate": "1", "recompute": {"comparison": "none"}},
            {"id": "y", "label": "y", "recompute": {"comparison": "main"}},
        ],
    )
    rules = [p[0] for p in problems(folder)]
    assert rules == ["unknown_outcome", "unknown_comparison", "published"]


def test_findings_and_targets_that_point_at_nothing_are_found(tmp_path: Path) -> None:
    folder = write_review(
        tmp_path / "r",
        findings=[{"comparison": "none"}],
        published=[
            {"id": "x", "label": "x", "estimate": "1", "recompute": {"trial": "A 2001"}},
            {
                "id": "y",
                "label": "y",
                "estimate": "1",
                "recompute": {
                    "trial": "A 2001",
                    "outcome": "frequency",
                    "timepoint": "end",
                    "adjust": ["age"],
                },
            },
        ],
    )
    rules = [p[0] for p in problems(folder)]
    assert rules == ["unknown_comparison", "recompute", "unknown_covariate"]


def test_a_published_number_without_quotes_is_refused_with_the_reason(tmp_path: Path) -> None:
    """0.30 without quotes would lose its last digit, and with it the precision."""
    folder = write_review(
        tmp_path / "r",
        published=[
            {"id": "x", "label": "x", "estimate": 0.30, "recompute": {"comparison": "main"}}
        ],
    )
    with pytest.raises(ConfigError, match="estimate"):
        config.load_review(folder)


@pytest.mark.parametrize("kind", ["arms", "contrasts"])
def test_two_years_under_one_name_are_refused_by_line(tmp_path: Path, kind: str) -> None:
    """Fox 2012 and Fox 2014 are two trials; their arms were averaged into one."""
    text = ARMS.replace("A 2001,2001", "Fox,2012").replace("B 2002,2002", "Fox,2014")
    if kind == "contrasts":
        row = CONTRASTS.splitlines(keepends=True)[-1].replace("C 2003,2003", "Fox,2012")
        text = CONTRASTS.splitlines(keepends=True)[0] + row + row.replace("2012", "2014")
    folder = write_review(
        tmp_path / "r", {f"{kind}.csv": text}, mapped={kind: {"path": f"{kind}.csv"}}
    )
    _, _, problems = trials.read_files(folder, config.load_review(folder))
    found = [p for p in problems if p.rule == "two_years"]
    assert [p.line for p in found] == ([4, 5] if kind == "arms" else [3])
    assert "author and year" in say(found[0].remedy)
    named = {"trial": {"columns": ["trial", "year"]}}
    folder = write_review(
        tmp_path / "s",
        {f"{kind}.csv": text},
        mapped={kind: {"path": f"{kind}.csv", "columns": named}},
    )
    assert not trials.read_files(folder, config.load_review(folder))[2]
