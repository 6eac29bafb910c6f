"""Cochrane reviews in all their forms: what each file says, row by row, and nothing lost."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import config
from headway.errors import InputError
from headway.ingest import trials
from headway.ingest.adapters.analyses import count_letters, read_level
from headway.ingest.adapters.analysis_rows import AnalysisRows
from headway.ingest.adapters.exchange import to_float
from headway.ingest.adapters.folder import write_folder
from headway.ingest.adapters.forms import find_program, read_file
from headway.ingest.adapters.revman import read_analyses, read_revman
from headway.ingest.adapters.revman_export import DATA_ROWS
from headway.messages import say
from headway.reviews.effects_table import build_effects
from headway.reviews.integrity import check_integrity

Z = 1.959963984540054


def close_to(value: float) -> Any:
    return pytest.approx(value, rel=1e-9)


# -- RevMan 5's file

STUDIES = """\
<STUDY ID="S1" NAME="Abel 2001" YEAR="2001"/>
<STUDY ID="S2" NAME="=cmd|' /C calc'!A0" YEAR=""/>
<STUDY ID="S3" NAME="Müller &amp; Söhne &lt;2003&gt;" YEAR="2003"/>
<STUDY ID="S4" NAME="Fox" YEAR="2012"/>
<STUDY ID="S5" NAME="Fox" YEAR="2014"/>
<STUDY ID="S6" NAME="{long}" YEAR="2015"/>
""".format(long="x" * 10_000)
COUNTS = """\
<DICH_OUTCOME NO="1" METHOD="MH" EFFECT_MEASURE="RR" RANDOM="NO" CI_STUDY="95" CI_TOTAL="95"
 SWAP_EVENTS="NO" TOTALS="YES" SUBGROUPS="YES" ESTIMABLE="YES" EFFECT_SIZE="0.5" CI_START="0.25"
 CI_END="1.0"><NAME>Relief</NAME>
<GROUP_LABEL_1>Massage</GROUP_LABEL_1><GROUP_LABEL_2>Care</GROUP_LABEL_2>
<DICH_SUBGROUP NO="1" ESTIMABLE="YES" EFFECT_SIZE="0.6" CI_START="0.3" CI_END="1.2">
<NAME>Adults</NAME>
<DICH_DATA STUDY_ID="S1" EVENTS_1="5" TOTAL_1="50" EVENTS_2="10" TOTAL_2="50" ESTIMABLE="YES"
 EFFECT_SIZE="0.5" CI_START="{low}" CI_END="{high}"/>
<DICH_DATA STUDY_ID="S2" EVENTS_1="0" TOTAL_1="40" EVENTS_2="0" TOTAL_2="41" ESTIMABLE="NO"
 EFFECT_SIZE="0.0" CI_START="0.0" CI_END="0.0"/>
</DICH_SUBGROUP>
<DICH_SUBGROUP NO="2" ESTIMABLE="NO" EFFECT_SIZE="0.0" CI_START="0.0" CI_END="0.0">
<NAME>Overall</NAME>
<DICH_DATA STUDY_ID="S1" EVENTS_1="0" TOTAL_1="50" EVENTS_2="0" TOTAL_2="50" ESTIMABLE="NO"/>
</DICH_SUBGROUP>
</DICH_OUTCOME>
"""
# RR = (5/50)/(10/50), its logarithm's variance 1/5 - 1/50 + 1/10 - 1/50.
LIMITS = [0.5 * math.exp(sign * Z * math.sqrt(0.26)) for sign in (-1, 1)]
COUNTS = COUNTS.format(low=LIMITS[0], high=LIMITS[1])
OTHERS = """\
<CONT_OUTCOME NO="2" EFFECT_MEASURE="SMD" RANDOM="YES" CI_STUDY="90" CI_TOTAL="99" TOTALS="SUB"
 ESTIMABLE="NO"><NAME>Days</NAME>
<CONT_DATA STUDY_ID="S3" MEAN_1="8.10" SD_1="4.2" TOTAL_1="20" MEAN_2="10" SD_2="5" TOTAL_2="21"/>
<CONT_DATA STUDY_ID="S4" MEAN_1="7" SD_1="4" TOTAL_1="1" MEAN_2="9" SD_2="0" TOTAL_2="22"/>
<CONT_DATA STUDY_ID="S5" MEAN_1="7" SD_1="4" TOTAL_1="20" MEAN_2="9" SD_2="4" TOTAL_2="22"/>
<CONT_DATA STUDY_ID="S5" MEAN_1="6" SD_1="4" TOTAL_1="19" MEAN_2="9" SD_2="4" TOTAL_2="22"/>
</CONT_OUTCOME>
<IV_OUTCOME NO="3" LOG_DATA="YES" RANDOM="NO" CI_STUDY="95" CI_TOTAL="90" TOTALS="YES"
 ESTIMABLE="YES" EFFECT_SIZE="0.8" CI_START="0.651332" CI_END="0.982602"><NAME>Relapse</NAME>
<EFFECT_MEASURE>Hazard Ratio</EFFECT_MEASURE>
<IV_DATA STUDY_ID="S6" ESTIMATE="-0.22314355131420976" SE="0.125" TOTAL_1="30" TOTAL_2="31"
 ESTIMABLE="YES" EFFECT_SIZE="0.8" CI_START="0.62616869" CI_END="1.02209718"/>
</IV_OUTCOME>
<IPD_OUTCOME NO="4" METHOD="EXP_O_E_VAR" RANDOM="NO" CI_STUDY="95" CI_TOTAL="95" TOTALS="YES"
 ESTIMABLE="YES" EFFECT_SIZE="0.6" CI_START="0.3" CI_END="1.2"><NAME>Death</NAME>
<EFFECT_MEASURE>Peto Odds Ratio</EFFECT_MEASURE>
<IPD_DATA STUDY_ID="S1" EVENTS_1="3" TOTAL_1="20" EVENTS_2="5" TOTAL_2="20" O_E="-2" VAR="4"
 ESTIMABLE="YES"/>
</IPD_OUTCOME>
<OTHER_OUTCOME NO="5"><NAME>In words</NAME>
<OTHER_DATA STUDY_ID="S1"><DESCRIPTION>better</DESCRIPTION></OTHER_DATA></OTHER_OUTCOME>
<DICH_OUTCOME NO="6" METHOD="PETO" EFFECT_MEASURE="PETO_OR" RANDOM="NO" SWAP_EVENTS="YES"
 CI_STUDY="95" CI_TOTAL="95" TOTALS="NO" ESTIMABLE="YES" EFFECT_SIZE="3" CI_START="2" CI_END="4">
<NAME>Harm</NAME>
<DICH_DATA STUDY_ID="S1" EVENTS_1="3" TOTAL_1="20" EVENTS_2="5" TOTAL_2="20"/></DICH_OUTCOME>
"""


def write_rm5(
    folder: Path, body: str = COUNTS + OTHERS, encoding: str = "utf-8", head: str = ""
) -> Path:
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n{head}<COCHRANE_REVIEW>\n'
    text += f"<STUDIES_AND_REFERENCES><STUDIES>{STUDIES}</STUDIES></STUDIES_AND_REFERENCES>"
    text += '<ANALYSES_AND_DATA><COMPARISON NO="1"><NAME>Massage</NAME>'
    text += f"{body}</COMPARISON></ANALYSES_AND_DATA></COCHRANE_REVIEW>\n"
    path = folder / "review.rm5"
    path.write_bytes(text.encode(encoding))
    return path


def write_outcomes(folder: Path, outcomes: str, encoding: str = "utf-8", save: str = "") -> Path:
    """Write an .rm5 of made-up outcomes that declares one encoding, and may be saved in another."""
    text = f'<?xml version="1.0" encoding="{encoding}"?><COCHRANE_REVIEW><ANALYSES_AND_DATA>'
    text += f"<COMPARISON NO='1'>{outcomes}</COMPARISON></ANALYSES_AND_DATA></COCHRANE_REVIEW>"
    path = folder / "own.rm5"
    path.write_bytes(text.encode(save or encoding))
    return path


def write_outcome(name: str, head: str = "NO='1'", shown: tuple[str, str, str] = ("",) * 3) -> str:
    """Write an outcome of one row; its total as shown, which need not be right."""
    total = "EFFECT_SIZE='{}' CI_START='{}' CI_END='{}'".format(*shown)
    return (
        f"<DICH_OUTCOME {head} METHOD='IV' EFFECT_MEASURE='RR' RANDOM='NO' TOTALS='YES' {total}>"
        f"<NAME>{name}</NAME><DICH_DATA STUDY_ID='S1' EVENTS_1='5' TOTAL_1='50' EVENTS_2='10' "
        "TOTAL_2='50'/></DICH_OUTCOME>"
    )


@pytest.mark.parametrize(
    ("encoding", "save", "name"),
    [
        ("windows-1250", "", "Łódź – ból"),
        ("koi8-r", "", "боль"),
        ("gb18030", "", "头痛"),
        ("shift_jis", "", "頭痛"),
        ("iso-8859-1", "cp1252", "Müller – “x”"),
        ("utf-8", "cp1252", "Müller – “x”"),
    ],
)
def test_letters_are_those_of_the_file(tmp_path: Path, encoding: str, save: str, name: str) -> None:
    path = write_outcomes(tmp_path, write_outcome(name), encoding, save)
    assert [a.name for a in read_analyses(path)] == [name]


def test_a_control_character_is_not_written_into_a_review(tmp_path: Path) -> None:
    path = write_outcomes(tmp_path, write_outcome("a&#x8d;b &#x9b;31m"))
    write_folder(read_file(path), tmp_path / "own", source="x")
    assert config.load_review(tmp_path / "own").outcomes["analysis_1_1"].label == "1.1 ab ›31m"
    path = tmp_path / "rows.csv"
    path.write_text(
        "Analysis group,Analysis number,Analysis name,Study,Experimental cases,Experimental N,"
        "Control cases,Control N\n1,1,a\x1b[31mb,S1,5,50,10,50\n",
        encoding="utf-8",
    )
    write_folder(read_file(path), tmp_path / "sheet", source="x")
    assert config.load_review(tmp_path / "sheet").outcomes["analysis_1_1"].label == "1.1 a[31mb"


def test_numbers_of_analyses_and_subgroups_are_their_own(tmp_path: Path) -> None:
    heads = ("NO='2'", "NO='2'", "NO='1'", "", f"NO='{'9' * 5000}'", "NO='7'")
    path = write_outcomes(tmp_path, "".join(write_outcome("x", head) for head in heads))
    assert [a.number for a in read_analyses(path)] == [2, 3, 1, 4, 5, 7]
    parts = "".join(
        f"<DICH_SUBGROUP NO='1'><NAME>{name}</NAME><DICH_DATA STUDY_ID='S' EVENTS_1='5' "
        "TOTAL_1='50' EVENTS_2='10' TOTAL_2='50'/></DICH_SUBGROUP>"
        for name in ("men", "women")
    )
    path = write_outcomes(tmp_path, f"<DICH_OUTCOME EFFECT_MEASURE='RR'>{parts}</DICH_OUTCOME>")
    (one,) = read_analyses(path)
    assert one.subgroups == {"1": "men", "2": "women"}
    assert [row.subgroup for row in one.rows] == ["1", "2"]


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "1e999", "n/a"])
def test_a_total_that_is_no_number_is_not_held_against_anything(tmp_path: Path, odd: str) -> None:
    good = write_outcomes(tmp_path, write_outcome("x", shown=("0.5", "0.2", "1.4")))
    assert len(read_analyses(good)[0].stored) == 1
    path = write_outcomes(tmp_path, write_outcome("x", shown=("0.5", "0.2", odd)))
    (one,) = read_analyses(path)
    assert one.stored == []
    write_folder(read_file(path), tmp_path / "own", source="x")
    assert config.load_review(tmp_path / "own").published == ()


def find_arms(found: AnalysisRows, code: str) -> list[tuple[str, ...]]:
    own = found.arms[found.arms["analysis"] == code]
    return [tuple(row) for row in own[["trial", "subgroup", "role", "n"]].to_numpy()]


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "windows-1252", "utf-16"])
def test_every_row_and_setting_of_a_revman_5_file(tmp_path: Path, encoding: str) -> None:
    found = read_file(write_rm5(tmp_path, encoding=encoding))
    assert found.problems == () and found.undecided == ()
    assert (found.rows_in, found.rows_kept, found.texts) == (10, 10, 1)
    assert isinstance(found, AnalysisRows)
    cmd = "=cmd|' /C calc'!A0"
    assert find_arms(found, "1.1") == [
        ("Abel 2001", "Adults", "treatment", "50"),
        ("Abel 2001", "Adults", "control", "50"),
        (cmd, "Adults", "treatment", "40"),
        (cmd, "Adults", "control", "41"),
        # `overall` names all rows of a comparison in a review.
        ("Abel 2001", "Overall (1.1.2)", "treatment", "50"),
        ("Abel 2001", "Overall (1.1.2)", "control", "50"),
    ]
    # Two trials of one author are two, and two arms of one study are two rows.
    assert [name for name, _, role, _ in find_arms(found, "1.2") if role == "treatment"] == [
        "Müller & Söhne <2003>",
        "Fox",
        "Fox 2014 a",
        "Fox 2014 b",
    ]
    names = ("analysis", "measure", "method", "model", "ci_level")
    assert [tuple(c.get(n) for n in names) for c in found.comparisons] == [
        ("1.1", "RR", "MH", "fixed", 95),
        ("1.2", "SMD", "IV", "random", 99),
        ("1.3", "RATIO", "IV", "fixed", 90),
        ("1.4", "RATIO", "EXP_O_E", "fixed", 95),
        ("1.6", "PETO", "Peto", "fixed", 95),
    ]
    assert found.comparisons[0]["subgroup_by"] == "subgroup"
    assert found.comparisons[1]["totals"] == "subgroups"
    assert found.comparisons[4]["totals"] == "none" and found.comparisons[4]["swap_events"]
    assert [(p["analysis"], p["estimate"], p.get("ci")) for p in found.published] == [
        ("1.1", "0.5", ["0.25", "1.0"]),
        ("1.1.1", "0.6", ["0.3", "1.2"]),
        ("1.1.2", "not estimable", None),
        ("1.3", "0.8", ["0.651332", "0.982602"]),
        ("1.4", "0.6", ["0.3", "1.2"]),
    ]
    assert found.published[2]["recompute"] == {
        "comparison": "analysis_1_1",
        "subgroup": "Overall (1.1.2)",
    }
    hazard, logrank = (found.contrasts.iloc[i] for i in (0, 1))
    assert hazard["trial"] == "x" * 10_000
    assert (hazard["effect"], hazard["se"]) == ("-0.22314355131420976", "0.125")
    assert (float(logrank["effect"]), float(logrank["se"])) == (-0.5, 0.5)
    assert set(found.contrasts["unit"]) == {"log_ratio"}


def test_letters_that_the_file_does_not_declare_are_read_all_the_same(tmp_path: Path) -> None:
    path = write_rm5(tmp_path)
    path.write_bytes(path.read_text(encoding="utf-8").encode("iso-8859-1"))
    assert "Müller & Söhne <2003>" in set(read_file(path).arms["trial"])
    bare = path.read_bytes().replace(b' encoding="utf-8"', b"")
    path.write_bytes(bare)
    assert "Müller & Söhne <2003>" in set(read_file(path).arms["trial"])


def test_rows_are_held_against_what_the_file_shows(tmp_path: Path) -> None:
    found = read_file(write_rm5(tmp_path))
    rows = [(d["analysis"], d["trial"]) for d in found.doubts if d["rule"] == "row"]
    assert rows == []
    wrong = COUNTS.replace('EVENTS_1="5"', 'EVENTS_1="6"')
    found = read_file(write_rm5(tmp_path, wrong))
    doubt = next(d for d in found.doubts if d["rule"] == "row")
    assert (doubt["analysis"], doubt["trial"]) == ("1.1.1", "Abel 2001")
    assert doubt["shown"] == (0.5, *LIMITS)
    half = Z * math.sqrt(1 / 6 - 1 / 50 + 1 / 10 - 1 / 50)
    assert doubt["recomputed"] == close_to((0.6, 0.6 * math.exp(-half), 0.6 * math.exp(half)))
    one = next(s for s in found.summary if s["analysis"] == "1.1")
    assert (one["rows"], one["rows_shown"], one["rows_agree"]) == (3, 1, 0)


def test_a_total_that_another_choice_gives_is_named(tmp_path: Path) -> None:
    # Two trials, fixed: MD weighted by the variances 1 and 4: -1.2; the file says random, -1.5.
    rows = "".join(
        f'<CONT_DATA STUDY_ID="{id}" MEAN_1="{mean}" SD_1="{sd}" TOTAL_1="50" MEAN_2="0" '
        f'SD_2="{sd}" TOTAL_2="50"/>'
        for id, mean, sd in (("S1", -1, 5), ("S3", -9, 10))
    )
    half = Z * math.sqrt(4 / 5)
    text = (
        '<CONT_OUTCOME NO="1" EFFECT_MEASURE="MD" RANDOM="YES" CI_STUDY="95" CI_TOTAL="95" '
        f'TOTALS="YES" ESTIMABLE="YES" EFFECT_SIZE="-2.6" CI_START="{-2.6 - half}" '
        f'CI_END="{-2.6 + half}"><NAME>x</NAME>{rows}</CONT_OUTCOME>'
    )
    found = read_file(write_rm5(tmp_path, text))
    doubt = next(d for d in found.doubts if d["rule"] == "total")
    assert doubt["shown"][0] == -2.6 and doubt["recomputed"][0] != pytest.approx(-2.6, abs=0.1)
    assert doubt["choice"] == "MD IV fixed"
    assert found.summary[0]["reproduced"] == 0 and found.summary[0]["totals"] == 1


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE a [<!ENTITY % a SYSTEM "http://127.0.0.1:9/a.dtd"> %a;]>',
        '<!DOCTYPE a [<!NOTATION n SYSTEM "x"><!ENTITY a SYSTEM "x" NDATA n>]>',
    ],
)
def test_entities_are_refused(tmp_path: Path, head: str) -> None:
    with pytest.raises(InputError) as caught:
        read_file(write_rm5(tmp_path, COUNTS, head=head))
    assert {p.rule for p in caught.value.problems} == {"entities"}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"<?xml version='1.0'?><feed/>", "no_review"),
        (b"<?xml version='1.0'?><COCHRANE_REVIEW><a>", "unreadable"),
        (b"<?xml version='1.0'?><COCHRANE_REVIEW>" + b"<a>" * 100_000, "unreadable"),
        (b"", "unreadable"),
    ],
)
def test_what_is_no_review_is_refused(tmp_path: Path, text: bytes, rule: str) -> None:
    path = tmp_path / "x.rm5"
    path.write_bytes(text)
    with pytest.raises(InputError) as caught:
        read_file(path)
    assert {p.rule for p in caught.value.problems} == {rule}


def test_impossible_counts_are_reported_by_line_and_without_their_value(tmp_path: Path) -> None:
    path = write_rm5(tmp_path, COUNTS.replace('EVENTS_1="5"', 'EVENTS_1="5371"'))
    found = read_file(path)
    assert (found.rows_in, found.rows_kept, found.rows_reported) == (3, 2, 1)
    (problem,) = found.problems
    assert problem.rule == "events_above_n" and "5371" not in str(problem)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert "5371" in lines[(problem.line or 0) - 1]


# -- sheets of data rows


def write_sheet(folder: Path, rows: list[dict[str, object]], *, filler: str = "0") -> Path:
    """Write data rows; columns that a row does not use hold `filler`."""
    path = folder / "rows.csv"
    numbers = DATA_ROWS[7:20]
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(DATA_ROWS)
        for row in rows:
            blank = {name: filler if name in numbers[:-1] else "" for name in DATA_ROWS}
            known = {"Analysis group": 1, "Analysis number": 1, "Analysis name": "Relief"}
            writer.writerow([(blank | known | row)[name] for name in DATA_ROWS])
    return path


def show(estimate: float, se: float, *, ratio: bool, z: float = Z) -> dict[str, object]:
    three = [estimate, estimate - z * se, estimate + z * se]
    three = [math.exp(x) for x in three] if ratio else three
    names = ("Mean", "CI start", "CI end")
    return {name: f"{x:.6f}" for name, x in zip(names, three, strict=True)}


def count(study: str, a: int, n: int, c: int, m: int) -> dict[str, object]:
    cells: dict[str, object] = {"Study": study, "Experimental cases": a, "Experimental N": n}
    return cells | {"Control cases": c, "Control N": m}


TABLES = [(12, 50, 22, 48), (5, 40, 9, 41), (20, 80, 31, 79), (3, 33, 4, 31)]


def effect_of(measure: str, a: int, n: int, c: int, m: int) -> tuple[float, float]:
    """Effect and standard error of two by two table without a zero, by their definitions."""
    b, d = n - a, m - c
    if measure == "RR":
        return math.log(a / n / (c / m)), math.sqrt(1 / a - 1 / n + 1 / c - 1 / m)
    if measure == "OR":
        return math.log(a * d / (b * c)), math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    if measure == "RD":
        return a / n - c / m, math.sqrt(a * b / n**3 + c * d / m**3)
    total = n + m
    v = n * m * (a + c) * (b + d) / (total**2 * (total - 1))
    return (a - n * (a + c) / total) / v, 1 / math.sqrt(v)


@pytest.mark.parametrize("filler", ["0", "", "0.0"])
@pytest.mark.parametrize(
    ("measure", "swap", "level", "z"),
    [
        ("RR", False, 95, Z),
        ("OR", False, 99, 2.5758293035489004),
        ("RD", False, 95, Z),
        ("PETO", False, 90, 1.6448536269514722),
        ("RR", True, 95, Z),
    ],
)
def test_counts_are_told_by_the_effects_that_they_give(
    tmp_path: Path, filler: str, measure: str, swap: bool, level: float, z: float
) -> None:
    rows = []
    for i, (a, n, c, m) in enumerate(TABLES):
        cells = (n - a, n, m - c, m) if swap else (a, n, c, m)
        yi, se = effect_of(measure, *cells)
        row = count(f"T{i} 2001", a, n, c, m) | show(yi, se, ratio=measure != "RD", z=z)
        if filler:  # the library's own filler: the error of the log ratio, and its square
            row |= {"GIV SE": se, "Variance": se**2}
        rows.append(row)
    found = read_file(write_sheet(tmp_path, rows, filler=filler))
    assert found.problems == () and found.doubts == [] and len(found.contrasts) == 0
    (one,) = found.comparisons
    assert (one["measure"], one["ci_level"]) == (measure, level)
    assert one.get("swap_events", False) == swap
    assert found.arms["events"].astype(float).tolist() == [x for t in TABLES for x in t[::2]]
    assert found.summary[0]["rows_agree"] == len(TABLES)


def test_means_generic_effects_and_log_rank_rows_are_told_too(tmp_path: Path) -> None:
    def mean(study: str, number: int, m1: float, m2: float) -> dict[str, object]:
        n, s1, s2 = 30, 4.0, 5.0
        cells: dict[str, object] = {"Study": study, "Analysis number": number}
        for name, m, s in (("Experimental", m1, s1), ("Control", m2, s2)):
            cells |= {f"{name} mean": m, f"{name} SD": s, f"{name} N": n}
        if number == 1:
            return cells | show(m1 - m2, math.sqrt((s1**2 + s2**2) / n), ratio=False)
        g = (m1 - m2) / math.sqrt((s1**2 + s2**2) / 2) * (1 - 3 / (4 * 2 * n - 9))
        se = math.sqrt(2 / n + g**2 / (2 * (2 * n - 3.94)))
        return cells | show(g, se, ratio=False)

    def generic(study: str, number: int, yi: float, ratio: bool) -> dict[str, object]:
        cells = {"Study": study, "Analysis number": number, "GIV Mean": yi, "GIV SE": 0.2}
        return cells | show(yi, 0.2, ratio=ratio)

    rows = [mean("A", 1, 0, 1.5), mean("B", 1, 0, 0), mean("A", 2, 8, 9), mean("B", 2, 7, 9.5)]
    rows += [generic("A", 3, -0.5, True), generic("B", 3, 0.25, True)]
    rows += [generic("A", 4, -0.5, False), generic("B", 4, 0.25, False)]
    logrank = {"Study": "A", "Analysis number": 5, "O-E": -2, "Variance": 4}
    rows.append(logrank | show(-0.5, 0.5, ratio=True))
    found = read_file(write_sheet(tmp_path, rows))
    assert found.problems == () and found.doubts == []
    measures = [(c["analysis"], c["measure"], c["method"]) for c in found.comparisons]
    assert measures == [
        ("1.1", "MD", "IV"),
        ("1.2", "SMD", "IV"),
        ("1.3", "RATIO", "IV"),
        ("1.4", "MD", "IV"),
        ("1.5", "RATIO", "EXP_O_E"),
    ]
    units = found.contrasts.groupby("analysis")["unit"].unique().map(list).to_dict()
    assert units == {"1.3": ["log_ratio"], "1.4": ["as_printed"], "1.5": ["log_ratio"]}
    assert sum(s["rows_agree"] for s in found.summary) == len(rows)


def test_the_weights_of_a_sheet_tell_how_it_was_pooled(tmp_path: Path) -> None:
    # Fixed, inverse variance and Mantel-Haenszel, by their definitions.
    effects = [effect_of("RR", *table) for table in TABLES]
    inverse = [1 / se**2 for _, se in effects]
    mantel = [c * n / (n + m) for _, n, c, m in TABLES]
    for weights, method in ((inverse, "IV"), (mantel, "MH")):
        rows = [
            count(f"T{i}", *table)
            | show(*effects[i], ratio=True)
            | {"Weight": f"{100 * weights[i] / sum(weights):.6f}"}
            for i, table in enumerate(TABLES)
        ]
        (one,) = read_file(write_sheet(tmp_path, rows)).comparisons
        # With tau2 = 0 any random analysis has the weights of the fixed inverse-variance one.
        said = (one["method"], one["model"]) == (method, "fixed")
        assert said or (method == "IV" and "assumed: method, model" in one["note"])


def test_a_sheet_that_shows_nothing_says_what_was_assumed(tmp_path: Path) -> None:
    rows = [count("A", 0, 30, 0, 31), count("B", 0, 20, 0, 21)]
    found = read_file(write_sheet(tmp_path, rows))
    assert found.rows_kept == 2 and found.comparisons[0]["measure"] == "RR"
    assert {"measure", "method", "model"} <= set(found.summary[0]["assumed"])
    assert "assumed: " in found.comparisons[0]["note"]


def test_a_row_that_shows_another_effect_is_a_doubt_with_both_numbers(tmp_path: Path) -> None:
    rows = [
        count(f"T{i}", *t) | show(*effect_of("RR", *t), ratio=True) for i, t in enumerate(TABLES)
    ]
    rows[2] |= {"Mean": "0.9", "CI start": "0.5", "CI end": "1.62"}
    found = read_file(write_sheet(tmp_path, rows))
    (doubt,) = found.doubts
    assert doubt["trial"] == "T2" and doubt["line"] == 4
    assert doubt["shown"] == (0.9, 0.5, 1.62)
    assert doubt["recomputed"][0] == close_to(20 / 80 / (31 / 79))
    shown = found.arms.loc[found.arms["trial"] == "T2", "shown_effect"].tolist()
    assert shown == ["0.9", ""]


def test_a_study_twice_with_one_control_is_two_rows_and_a_doubt(tmp_path: Path) -> None:
    tables = [
        ("Fox 2001", 10, 50, 18, 49),
        ("Fox 2001", 14, 52, 18, 49),
        ("Fox 2001 a", 9, 40, 15, 41),
    ]
    rows = [count(*t) | show(*effect_of("RR", *t[1:]), ratio=True) for t in tables]
    found = read_file(write_sheet(tmp_path, rows))
    assert found.arms["trial"].tolist()[::2] == ["Fox 2001 b", "Fox 2001 c", "Fox 2001 a"]
    assert [(d["rule"], d["trial"]) for d in found.doubts] == [("control", "Fox 2001 c")]


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_any_counts_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("sheet")
    small = st.integers(0, 30)
    names = st.sampled_from(["A 2001", "A  2001", "B", "é", "NA", "0", "=1+1", "a,b", 'q"'])
    rows = []
    for _ in range(data.draw(st.integers(1, 8))):
        n, m = data.draw(st.integers(0, 30)), data.draw(st.integers(0, 30))
        a, c = min(n, data.draw(small)), min(m, data.draw(small))
        row = count(data.draw(names), a, n, c, m)
        row["Subgroup"] = data.draw(st.sampled_from(["One", "Two", "overall", "NA"]))
        if a and c and a < n and c < m:
            row |= show(*effect_of("OR", a, n, c, m), ratio=True)
        rows.append(row)
    found = read_file(write_sheet(folder, rows))
    assert found.rows_kept == len(rows) and found.problems == ()
    taken = [to_float(x) for x in found.arms["events"]]
    wanted = [
        float(str(row[f"{side} cases"])) for row in rows for side in ("Experimental", "Control")
    ]
    assert taken == wanted
    key = ["trial", "role", "analysis", "subgroup"]
    assert not found.arms.duplicated(key).any()
    assert sum(s["rows_agree"] for s in found.summary) == sum("Mean" in row for row in rows)


# -- data packages

SETTINGS = (
    "Analysis group,Analysis number,Analysis name,Analysis group name,Data type,Log-scale data,"
    "Experimental group label,Control group label,Statistical method,Effect measure,"
    "Analysis model,{estimator}Subgroup estimates,Overall estimates,Swap event and non-event,"
    "{levels},Mean,CI start,CI end\n"
)


def write_package(folder: Path, files: dict[str, str]) -> Path:
    path = folder / "CD000000-dataPackage.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"CD000000-analysis-data/CD000000-{name}.csv", "\ufeff" + text)
        archive.writestr("CD000000-study-data/CD000000-study-information.csv", "Study,Notes\na,b\n")
        archive.writestr("CD000000-study-data/CD000000-included.ris", "TY  - JOUR\n")
    return path


def write_text(folder: Path, rows: list[dict[str, object]]) -> str:
    return write_sheet(folder, rows, filler="").read_text(encoding="utf-8-sig")


def pool_fixed(effects: list[tuple[float, float]]) -> tuple[float, float]:
    weights = [1 / se**2 for _, se in effects]
    mean = sum(w * y for w, (y, _) in zip(weights, effects, strict=True)) / sum(weights)
    return mean, 1 / math.sqrt(sum(weights))


def test_a_package_gives_settings_rows_and_totals(tmp_path: Path) -> None:
    effects = [effect_of("OR", *t) for t in TABLES]
    rows = [
        count(f"T{i}", *t)
        | show(*effects[i], ratio=True)
        | {"Subgroup": "Adults" if i else "Children"}
        for i, t in enumerate(TABLES)
    ]
    total = show(*pool_fixed(effects), ratio=True, z=1.6448536269514722)
    parts = {
        "Children": show(*effects[0], ratio=True, z=1.6448536269514722),
        "Adults": show(*pool_fixed(effects[1:]), ratio=True, z=1.6448536269514722),
    }
    first = SETTINGS.format(estimator="", levels="Study CI,Estimate CI")
    first += '1,1,Relief,Massage,Dichotomous,TRUE,Massage,"Care, usual",Inverse variance,'
    first += (
        f"Odds Ratio,Fixed effect,TRUE,TRUE,FALSE,95%,90%,{','.join(map(str, total.values()))}\n"
    )
    first += f"1,{'9' * 5000},Too long for a number,{',' * 16}\n"
    second = "Analysis group,Analysis number,Subgroup,Subgroup number,Mean,CI start,CI end\n"
    for number, (name, shown) in enumerate(parts.items(), 5):
        second += f"1,1,{name},{number},{','.join(map(str, shown.values()))}\n"
    files = {
        "overall-estimates-and-settings": first,
        "subgroup-estimates": second,
        "data-rows": write_text(tmp_path, rows),
    }
    found = read_file(write_package(tmp_path, files))
    assert found.problems == () and found.doubts == []
    (one,) = found.comparisons
    assert (one["measure"], one["method"], one["model"], one["ci_level"]) == (
        "OR",
        "IV",
        "fixed",
        90,
    )
    assert set(found.arms["arm"]) == {"Massage", "Care, usual"}
    assert [(p["analysis"], p["recompute"].get("subgroup")) for p in found.published] == [
        ("1.1", None),
        ("1.1.5", "Children"),
        ("1.1.6", "Adults"),
    ]
    assert found.summary[0]["reproduced"] == found.summary[0]["totals"] == 3


@pytest.mark.parametrize("ci", ["wald", "hksj"])
def test_a_package_that_names_no_interval_is_tried_under_both(tmp_path: Path, ci: str) -> None:
    # Three equal variances: DerSimonian and Laird's weights are equal, whatever tau2 is.
    ys, v = [-1.0, -0.2, 0.6], 0.04
    mean = sum(ys) / 3
    q = sum((y - mean) ** 2 for y in ys)
    tau2 = max(0.0, (q / v - 2) / (2 / v))
    se = math.sqrt((v + tau2) / 3)
    t = 4.302652729911275  # two degrees of freedom
    half = t * math.sqrt(q / 2 / 3) if ci == "hksj" else Z * se
    rows: list[dict[str, object]] = [
        {"Study": f"T{i}", "GIV Mean": y, "GIV SE": 0.2} | show(y, 0.2, ratio=False)
        for i, y in enumerate(ys)
    ]
    total = ",".join(f"{x:.6f}" for x in (mean, mean - half, mean + half))
    first = SETTINGS.format(estimator="", levels="Study CI,Estimate CI")
    first += "1,1,Relief,Massage,Generic inverse variance,FALSE,,,Inverse variance,"
    first += f"Mean Difference,Random effects,FALSE,TRUE,FALSE,95%,95%,{total}\n"
    files = {"overall-estimates-and-settings": first, "data-rows": write_text(tmp_path, rows)}
    found = read_file(write_package(tmp_path, files))
    assert found.doubts == [] and found.comparisons[0]["ci"] == ci
    assert found.summary[0]["reproduced"] == 1


def test_a_package_may_name_estimator_and_interval(tmp_path: Path) -> None:
    rows = [
        count(f"T{i}", *t) | show(*effect_of("RR", *t), ratio=True) for i, t in enumerate(TABLES)
    ]
    first = SETTINGS.format(
        estimator="Heterogeneity estimator,CI method,Prediction interval,", levels="CI/PI level"
    )
    first += "1,1,Relief,Massage,Dichotomous,TRUE,,,Mantel-Haenszel,Risk Ratio,Random effects,"
    first += "Restricted maximum-likelihood,HKSJ,TRUE,FALSE,FALSE,FALSE,95%,,,\n"
    files = {"overall-estimates-and-settings": first, "data-rows": write_text(tmp_path, rows)}
    (one,) = read_file(write_package(tmp_path, files)).comparisons
    assert (one["method"], one["tau2"], one["ci"], one["prediction"]) == (
        "MH",
        "REML",
        "hksj",
        True,
    )
    assert one["totals"] == "none"


@pytest.mark.parametrize(
    ("data", "rule"), [(b"PK\x03\x04broken", "unreadable"), (b"", "no_data_rows")]
)
def test_an_archive_without_data_rows_is_refused(tmp_path: Path, data: bytes, rule: str) -> None:
    path = tmp_path / "package.zip"
    if data:
        path.write_bytes(data)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "nothing")
    with pytest.raises(InputError) as caught:
        read_file(path)
    assert {p.rule for p in caught.value.problems} == {rule}


# -- which program, and the small things


def test_the_program_is_told_by_what_stands_in_the_file(tmp_path: Path) -> None:
    def put(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    assert find_program(write_rm5(tmp_path)) == "revman"
    assert find_program(write_sheet(tmp_path, [count("A", 1, 2, 3, 4)])) == "revman"
    assert find_program(put("m.csv", "study,yi,sei\nA,1,2\n")) == "metafor"
    renamed = tmp_path / "anything.txt"
    write_rm5(tmp_path).rename(renamed)
    assert find_program(renamed) == "revman"
    with pytest.raises(InputError) as caught:
        find_program(put("x.csv", "a,b\n1,2\n"))
    assert {p.rule for p in caught.value.problems} == {"form_unclear"}
    assert "--from" in str(caught.value)


def test_a_workbook_is_read_as_its_first_sheet(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["Study", "yi", "sei", "outcome"])
    for row in (["A", -0.5, 0.25, "pain"], ["B", 1, 0.5, "pain"], ["A", 0.125, 1, "days"]):
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    path = tmp_path / "rows.xlsx"
    path.write_bytes(stream.getvalue())
    found = read_file(path)
    assert found.problems == () and found.rows_kept == 3
    assert [c["outcome"] for c in found.comparisons] == ["pain", "days"]
    assert found.contrasts["effect"].tolist() == ["-0.5", "1", "0.125"]


def test_means_beside_counts_are_two_outcomes(tmp_path: Path) -> None:
    path = tmp_path / "both.csv"
    path.write_text(
        "study,n1i,m1i,sd1i,n2i,m2i,sd2i,ai,bi,ci,di\n"
        "A,40,6,3,41,8,3,12,28,20,21\nB,35,7,3,33,8,3,,,,\nC,,,,,,,5,15,6,14\n",
        encoding="utf-8",
    )
    found = read_file(path)
    assert found.problems == () and found.rows_kept == 3
    assert [(c["id"], c["measure"]) for c in found.comparisons] == [
        ("means", "MD"),
        ("counts", "RR"),
    ]
    by = found.arms.groupby("outcome")["trial"].unique().map(list).to_dict()
    assert by == {"means": ["A", "B"], "counts": ["A", "C"]}


def test_a_folder_of_old_exports_reads_as_its_analyses(tmp_path: Path) -> None:
    path = write_sheet(tmp_path, [count("A", 1, 20, 3, 20), count("B", 2, 20, 4, 20)])
    (one,) = read_analyses(path)
    assert (one.code, len(one.rows)) == ("1.1", 2)
    assert read_revman(path).rows_kept == 2


def test_levels_and_letters() -> None:
    assert [read_level(text) for text in ("95", "95%", "0.9", "99.9 %")] == [95, 95, 90, 99.9]
    assert all(math.isnan(read_level(text)) for text in ("", "x", "0", "100", "-5"))
    assert [count_letters(n) for n in (0, 25, 26, 27, 701, 702)] == [
        "a",
        "z",
        "aa",
        "ab",
        "zz",
        "aaa",
    ]


def test_a_review_keeps_the_doubts_about_its_imported_rows(tmp_path: Path) -> None:
    tables = [
        ("Fox 2001", 10, 50, 18, 49),
        ("Fox 2001", 14, 52, 18, 49),
        ("Lee 2002", 9, 40, 15, 41),
    ]
    rows = [count(*t) | show(*effect_of("RR", *t[1:]), ratio=True) for t in tables]
    rows[2] |= {"Mean": "0.9", "CI start": "0.5", "CI end": "1.62"}
    write_folder(read_file(write_sheet(tmp_path, rows)), tmp_path / "r", source="rows.csv")
    review = config.load_review(tmp_path / "r")
    read = trials.read_review(tmp_path / "r", review)
    effects = build_effects(read.arms, read.contrasts, review)
    found = check_integrity(read.arms, read.contrasts, read.published, review, effects)
    doubts = found[found["check"].isin(["shown", "control_twice"])].set_index("check")
    assert doubts["trial"].to_dict() == {"shown": "Lee 2002", "control_twice": "Fox 2001 b"}
    assert say(doubts.loc["shown", "printed"]).startswith("0.9")
    assert f"{9 / 40 / (15 / 41):.5g}" in say(doubts.loc["shown", "expected"])
