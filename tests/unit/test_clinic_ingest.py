"""Raw files -> processed tables: every row is kept or accounted for, and no value is invented."""

from __future__ import annotations

from pathlib import Path

import pytest

from headway import config
from headway.errors import ConfigError, InputError
from headway.ingest import clinics
from headway.tables import read_parquet
from tests.unit.clinic_builder import DIARY, ingest, write_clinic

FULL = {
    "path": "diary.csv",
    "columns": {
        "patient_id": "code",
        "day": "day",
        "headache": "headache",
        "intensity": "worst",
        "duration_hours": "hours",
    },
}


def test_each_broken_row_is_quarantined_with_its_line_and_rule(tmp_path: Path) -> None:
    text = (
        "code,day,headache,worst,hours\n"
        "P1,1,1,5,2\n"  # 2 kept
        "P1,2,1,5\n"  # 3 too few fields
        "P1,2,0,,\n"  # 4 kept
        ",3,1,5,2\n"  # 5 no code
        "P1,x,1,5,2\n"  # 6 no day
        "P1,4,1,12,2\n"  # 7 kept, one cell missing
        "P1,5,2,5,2\n"  # 8 kept, headache unreadable
        "P1,6,1,5,2\n"  # 9 kept (first of two alike)
        "P1,6,1,5,2\n"  # 10 repeated
        "P1,7,1,5,2\n"  # 11 contradicts 12
        "P1,7,0,,\n"  # 12
        "P1,8,1,5,2,9\n"  # 13 too many fields
        "P1,9,1,NA,1.5\n"  # 14 kept
    )
    folder = write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": FULL})
    accounts, quarantine, out = ingest(folder)
    found = {(int(r.line), r.rule, r.scope) for r in quarantine.itertuples()}
    assert found == {
        (3, "missing_columns", "row"),
        (5, "missing_key", "row"),
        (6, "not_a_number", "row"),
        (7, "out_of_range", "cell"),
        (8, "out_of_range", "cell"),
        (10, "duplicate_row", "row"),
        (11, "conflicting_duplicate", "row"),
        (12, "conflicting_duplicate", "row"),
        (13, "too_many_columns", "row"),
    }
    account = accounts["diary.csv"]
    assert (account.rows_in, account.kept, account.quarantined) == (13, 6, 7)
    days = read_parquet(out / "days.parquet").set_index("day")
    assert sorted(days.index) == [1, 2, 4, 5, 6, 9]
    assert days.loc[4, ["intensity"]].isna().all()
    assert days["headache"].isna().to_dict()[5]


def test_units_codes_decimals_and_missing_markers(tmp_path: Path) -> None:
    spec = {
        "path": "diary.csv",
        "delimiter": ";",
        "decimal": ",",
        "encoding": "latin-1",
        "missing": ["", "k. A."],
        "columns": {
            "patient_id": "code",
            "day": "Tag",
            "headache": {"column": "Schmerz", "codes": {"ja": 1, "nein": 0}},
            "intensity": {"column": "Stärke", "unit": "vas_0_100"},
            "duration_hours": {"column": "Minuten", "unit": "minutes"},
        },
    }
    text = "code;Tag;Schmerz;Stärke;Minuten\nP1;1;ja;55,5;90\nP1;2;nein;k. A.;\n"
    folder = write_clinic(tmp_path / "c", {"diary.csv": text.encode("latin-1")}, {"diary": spec})
    _, quarantine, out = ingest(folder)
    days = read_parquet(out / "days.parquet")
    assert len(quarantine) == 0
    assert days["headache"].tolist() == [1, 0]
    assert days["intensity"].tolist()[0] == pytest.approx(5.55, rel=1e-12)
    assert days["duration_hours"].tolist()[0] == 1.5
    assert days[["intensity", "duration_hours"]].isna().all(axis=1).tolist() == [False, True]


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b""])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_bom_and_line_ends_change_nothing(tmp_path: Path, start: bytes, newline: str) -> None:
    text = newline.join(["code,day,headache", "P1,1,1", "P1,2,0", ""])
    folder = write_clinic(tmp_path / "c", {"diary.csv": start + text.encode()}, {"diary": DIARY})
    accounts, quarantine, _ = ingest(folder)
    assert accounts["diary.csv"].kept == 2
    assert len(quarantine) == 0


def test_a_row_of_an_unknown_patient_is_quarantined(tmp_path: Path) -> None:
    folder = write_clinic(
        tmp_path / "c",
        {"diary.csv": "code,day,headache\nP1,1,1\nP2,1,1\n", "patients.csv": "code\nP1\n"},
        {"patients": {"path": "patients.csv", "columns": {"patient_id": "code"}}, "diary": DIARY},
    )
    _, quarantine, _ = ingest(folder)
    assert [(r.file, r.line, r.rule) for r in quarantine.itertuples()] == [
        ("diary.csv", 3, "unknown_patient")
    ]


def test_rows_of_another_arm_are_counted_as_not_selected(tmp_path: Path) -> None:
    spec = {
        "path": "w.csv",
        "columns": {"patient_id": "id"},
        "keep_where": {"group": [1]},
        "wide": [
            {"column": "f1", "window": "baseline", "outcome": "frequency", "unit": "days_per_28"}
        ],
    }
    folder = write_clinic(
        tmp_path / "c", {"w.csv": "id,group,f1\n1,1,5\n2,0,6\n3,,7\n"}, {"windows": spec}
    )
    account = ingest(folder)[0]["w.csv"]
    assert (account.rows_in, account.kept, account.not_selected) == (3, 1, 2)


def wide(**extra: object) -> dict[str, object]:
    later = {"column": "f2", "window": "post", "outcome": "frequency", "unit": "days_per_28"}
    return {
        "path": "w.csv",
        "columns": {"patient_id": "id"},
        "wide": [
            {"column": "f1", "window": "baseline", "outcome": "frequency", "unit": "days_per_28"},
            {**later, **extra},
        ],
    }


ZEROS = "id,f1,f2,score\n" + "".join(
    f"{i},{10 + i % 5},{0 if i < 8 else 6},{'' if i < 8 else 3}\n" for i in range(40)
)


def test_zeros_that_stand_beside_blanks_are_refused_until_declared(tmp_path: Path) -> None:
    folder = write_clinic(tmp_path / "c", {"w.csv": ZEROS}, {"windows": wide()})
    with pytest.raises(InputError) as caught:
        ingest(folder)
    (problem,) = caught.value.problems
    assert (problem.rule, problem.column, problem.count) == ("zero_coded_missing", "f2", 8)
    settled = write_clinic(
        tmp_path / "d",
        {"w.csv": ZEROS},
        {"windows": wide(zero_means_missing_when={"blank": "score"})},
    )
    accounts, _, out = ingest(settled)
    assert accounts["w.csv"].zeros_declared_missing == 8
    given = read_parquet(out / "given_windows.parquet")
    assert given.loc[given["window"] == "post", "value"].isna().sum() == 8


def test_zeros_that_are_answers_are_left_alone(tmp_path: Path) -> None:
    honest = ZEROS.replace(",,", ",1,").replace(",\n", ",2\n")
    folder = write_clinic(tmp_path / "c", {"w.csv": honest}, {"windows": wide()})
    assert ingest(folder)[0]["w.csv"].kept == 40


def test_every_problem_of_the_yaml_is_reported_at_once_with_a_suggestion(tmp_path: Path) -> None:
    folder = write_clinic(
        tmp_path / "c", {}, {"diary": {**DIARY, "delimeter": ";"}}, disclosure="secret", titel="x"
    )
    with pytest.raises(ConfigError) as caught:
        config.load_clinic(folder)
    text = str(caught.value)
    assert "did you mean 'delimiter'?" in text
    assert "did you mean 'title'?" in text
    assert "'disclosure'" in text


def test_a_header_that_does_not_match_is_refused_with_all_its_problems(tmp_path: Path) -> None:
    folder = write_clinic(
        tmp_path / "c",
        {"diary.csv": "code;day;headache\nP1;1;1\n"},
        {"diary": {**DIARY, "delimiter": ","}},
    )
    with pytest.raises(InputError) as caught:
        ingest(folder)
    assert sorted(p.column for p in caught.value.problems) == ["code", "day", "headache"]
    assert "delimiter" in str(caught.value)


def test_an_unknown_canonical_column_is_named(tmp_path: Path) -> None:
    spec = {"path": "diary.csv", "columns": {**DIARY["columns"], "severity": "x"}}
    folder = write_clinic(tmp_path / "c", {"diary.csv": "code,day,headache,x\n"}, {"diary": spec})
    with pytest.raises(InputError, match="unknown_canonical_column"):
        ingest(folder)


@pytest.mark.parametrize("content", [b"", b"\n", b"code,day,headache\n"])
def test_empty_files_are_an_error_or_an_empty_account(tmp_path: Path, content: bytes) -> None:
    folder = write_clinic(tmp_path / "c", {"diary.csv": content}, {"diary": DIARY})
    if content.startswith(b"code"):
        assert ingest(folder)[0]["diary.csv"].rows_in == 0
    else:
        with pytest.raises(InputError, match="empty_file"):
            ingest(folder)


def test_a_file_that_is_not_text_is_an_error_without_its_content(tmp_path: Path) -> None:
    folder = write_clinic(
        tmp_path / "c",
        {"diary.csv": b"code,day,headache\nP1,1,1\n\xff\xfe\x00secret,2,1\n"},
        {"diary": DIARY},
    )
    with pytest.raises(InputError, match="NUL bytes") as caught:
        ingest(folder)
    assert "secret" not in str(caught.value)
    folder = write_clinic(
        tmp_path / "d",
        {"diary.csv": b"code,day,headache\nP1,1,1\n\xff\xfesecret,2,1\n"},
        {"diary": {**DIARY, "encoding": "utf-8"}},
    )
    with pytest.raises(InputError, match="line 3: is not utf-8 text") as caught:
        ingest(folder)
    assert "secret" not in str(caught.value)


def test_nothing_is_written_when_the_gate_refuses(tmp_path: Path) -> None:
    folder = write_clinic(
        tmp_path / "c", {"diary.csv": "code,day,headache,email\nP1,1,1,x\n"}, {"diary": DIARY}
    )
    with pytest.raises(Exception, match="refuses"):
        clinics.ingest_clinic(folder, config.load_clinic(folder), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_lines_are_right_among_many_rejected_rows(tmp_path: Path) -> None:
    """Rows that the engine rejects stand in blocks, in rows and alone; every line must hold."""
    import random

    rng = random.Random(7)
    lines, expected = ["code,day,headache,worst,hours"], set()
    for day in range(6000):
        line = len(lines) + 1
        kind = "bad" if 2048 <= day < 2060 else rng.choices(("bad", "cell", "ok"), (1, 1, 60))[0]
        if kind == "bad":
            lines.append(f"P1,{day},1")
            expected.add((line, "missing_columns"))
        elif kind == "cell":
            lines.append(f"P1,{day},1,<1,2")
            expected.add((line, "not_a_number"))
        elif day % 500 == 0:
            lines.append(f"P1,{day},1,55,2")
            expected.add((line, "out_of_range"))
        elif day % 777 == 0:
            lines += [f"P1,{day},1,5,2", f"P1,{day},1,5,2"]
            expected.add((line + 1, "duplicate_row"))
        else:
            lines.append(f"P1,{day},1,5,2")
    folder = write_clinic(
        tmp_path / "c",
        {"diary.csv": "\n".join(lines) + "\n"},
        {"diary": FULL},
        course={"plausible_years": 20},
    )
    accounts, quarantine, _ = ingest(folder)
    assert {(int(r.line), r.rule) for r in quarantine.itertuples()} == expected
    assert accounts["diary.csv"].rows_in == len(lines) - 1
    assert len({rule for _, rule in expected}) == 4


def test_clinics_that_are_read_at_the_same_time_leave_each_other_alone(tmp_path: Path) -> None:
    spec = {"diary": DIARY}
    text = "code,day,headache\nP1,1,1\n"
    folders = [write_clinic(tmp_path / n, {"diary.csv": text}, spec) for n in ("one", "two")]
    settings = [config.load_clinic(f) for f in folders]
    root = tmp_path / "scratch"
    left = root / ".staging-one-killed"
    left.mkdir(parents=True)
    (left / ".lock").touch()
    with clinics.judged(folders[0], settings[0], root) as first:
        assert not left.exists()
        with clinics.judged(folders[1], settings[1], root) as second:
            assert len(list(root.glob(".staging-*"))) == 2
            for found in (first, second):
                sql = found.select("days")
                assert found.connection.execute(f"SELECT count(*) FROM ({sql})").fetchone() == (1,)
    assert list(root.iterdir()) == []
