"""The loss gate: a clinic is refused where too much cannot be read, with the line that cures it."""

from __future__ import annotations

import copy
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import pytest
import yaml

from headway import config, messages
from headway.errors import ConfigError, InputError, Problem, RefusedError
from headway.ingest import clinics
from headway.messages import LANGUAGES, say, speaking
from headway.tables import read_parquet
from tests.unit.clinic_builder import DIARY, ingest, write_clinic

Rows = Sequence[Sequence[Any]]


def as_text(delimiter: str) -> Callable[[Rows], bytes]:
    return lambda rows: "".join(
        delimiter.join(str(cell) for cell in row) + "\n" for row in rows
    ).encode()


def as_workbook(rows: Rows) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def as_parquet(rows: Rows) -> bytes:
    head, *body = rows
    frame = pd.DataFrame(body, columns=list(head))
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect() as connection:
        path = Path(scratch) / "d.parquet"
        connection.execute(f"COPY (FROM frame) TO '{path}' (FORMAT parquet)")
        assert len(frame)  # DuckDB finds it by its name
        return path.read_bytes()


CONTAINERS = {
    "d.csv": as_text(","),
    "d.tsv": as_text("\t"),
    "d.xlsx": as_workbook,
    "d.parquet": as_parquet,
}


def refusal(folder: Path) -> tuple[Problem, ...]:
    """What a clinic is refused for."""
    with pytest.raises(clinics.LossError) as caught:
        ingest(folder)
    return caught.value.problems


def line_of(problem: Problem) -> str:
    """The line of clinic.yaml that a problem proposes."""
    (remedy,) = messages.read(problem.remedy) or []
    return str(remedy.values["line"])


def cure(folder: Path, kind: str, line: str, words: Sequence[str] = ()) -> None:
    """Write a proposed line into clinic.yaml, with the clinic's words for each `…`."""
    for word in words:
        line = line.replace('"…"', f'"{word}"', 1)
    assert "…" not in line
    document = yaml.safe_load((folder / "clinic.yaml").read_text())
    spec = document["files"][kind]
    proposed = yaml.safe_load(line)
    if isinstance(proposed, list):
        own = {entry["column"] for entry in proposed}
        spec["wide"] = [e for e in spec["wide"] if e["column"] not in own] + proposed
    elif set(proposed) & {"decimal", "offset_from", "window_from", "delimiter", "loss"}:
        spec |= proposed
    else:
        spec["columns"] |= proposed
    (folder / "clinic.yaml").write_text(yaml.safe_dump(document))


@dataclass(frozen=True)
class Case:
    """A column that is not read, the words that its cure needs, and the values that are right."""

    cells: Sequence[Any]
    right: Sequence[Any]
    canonical: str = "headache"
    own: str = "Spalte"
    words: Sequence[str] = ()
    kind: str = "diary"
    entry: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "German words": Case(
        ["schlimm", "gut", "schlimm", "gut"], [1, 0, 1, 0], words=["schlimm", "gut"]
    ),
    "Spanish words": Case(
        ["dolor", "nada", "dolor", "nada"], [1, 0, 1, 0], own="¿dolió?", words=["dolor", "nada"]
    ),
    "a letter each": Case(["K", "F", "K", "K"], [1, 0, 1, 1], own="day off", words=["K", "F"]),
    "signs": Case(["●", "○", "●", "○"], [1, 0, 1, 0], own="K: ja?", words=["●", "○"]),
    "words beside numbers": Case(
        ["9 Uhr", "frei", "9 Uhr", "frei"], [1, 0, 1, 0], own="no", words=["9 Uhr", "frei"]
    ),
    "codes that lack some": Case(
        ["a", "b", "c", "a"],
        [1, 0, 0, 1],
        entry={"codes": {"a": 1, "b": 0}},
        words=["z", "c"],
    ),
    "words of a scale": Case(
        ["leicht", "stark", "stark", "leicht"],
        [0, 10, 10, 0],
        "intensity",
        words=["leicht", "stark"],
    ),
    "a scale of 100": Case([55, 80, 35, 100], [5.5, 8, 3.5, 10], "intensity", own="VAS (0-100)"),
    "minutes": Case([90, 240, 30, 60], [1.5, 4, 0.5, 1], "duration_hours"),
    "decimal commas": Case(
        ["1,5", "4,25", "0,5", "10,0"],
        [1.5, 4.25, 0.5, 10],
        "duration_hours",
    ),
    "techniques": Case(
        ["Nadel", "Hand", "Nadel", "Hand"],
        ["dry_needling", "manual", "dry_needling", "manual"],
        "technique",
        kind="sessions",
        words=["Hand", "Nadel", "x1", "x2", "x3", "x4"],
    ),
}


# Every case in one container, some in all of them.
TRIED = [(name, "d.tsv") for name in CASES]
TRIED += [
    (name, container)
    for name in ("Spanish words", "a scale of 100", "decimal commas", "codes that lack some")
    for container in ("d.csv", "d.xlsx", "d.parquet")
    if (name, container) != ("decimal commas", "d.csv")  # the delimiter stands in the cells
]


@pytest.mark.parametrize(("name", "container"), TRIED)
def test_the_proposed_line_makes_the_clinic_ready(
    name: str, container: str, tmp_path: Path
) -> None:
    case = CASES[name]
    rows = [["code", "Tag", case.own]]
    rows += [[f"P{i}", i, cell] for i, cell in enumerate(case.cells)]
    entry = {"column": case.own, **case.entry}
    spec = {
        "path": container,
        "columns": {"patient_id": "code", "day": "Tag", case.canonical: entry},
    }
    folder = write_clinic(
        tmp_path / "c",
        {container: CONTAINERS[container](rows)},
        {case.kind: spec},
        course={"start": 0},
    )
    (problem,) = refusal(folder)
    assert (problem.rule, problem.file, problem.column) == (
        "unreadable_column",
        container,
        case.own,
    )
    cure(folder, case.kind, line_of(problem), case.words)
    _, quarantine, out = ingest(folder)
    assert quarantine.empty
    table = {"diary": "days", "sessions": "sessions"}[case.kind]
    found = read_parquet(out / f"{table}.parquet").sort_values("day")[case.canonical]
    if isinstance(case.right[0], str):
        assert found.tolist() == list(case.right)
    else:
        assert found.astype(float).tolist() == pytest.approx(list(case.right))


@pytest.mark.parametrize(
    ("written", "form"),
    [
        (["05.03.2024", "06.03.2024", "31.03.2024"], "%d.%m.%Y"),
        (["03/05/2024", "03/06/2024", "03/31/2024"], "%m/%d/%Y"),
        (["31/03/2024", "05/03/2024", "06/03/2024"], "%d/%m/%Y"),
        (["2024/03/05", "2024/03/06", "2024/03/31"], "%Y/%m/%d"),
    ],
)
def test_the_proposed_format_reads_the_dates(
    written: Sequence[str], form: str, tmp_path: Path
) -> None:
    rows = [["code", "seen", "headache"], *([f"P{i}", d, i % 2] for i, d in enumerate(written))]
    spec = {
        "path": "d.csv",
        "columns": {"patient_id": "code", "headache": "headache"},
        "offset_from": {"column": "seen", "shifted": True},
    }
    folder = write_clinic(tmp_path / "c", {"d.csv": as_text(",")(rows)}, {"diary": spec})
    (problem,) = refusal(folder)
    # No row is left, however few they were.
    assert (problem.rule, problem.column, problem.count) == ("rows_set_aside", "seen", 3)
    line = line_of(problem)
    assert form in line
    cure(folder, "diary", line)
    accounts, quarantine, _ = ingest(folder)
    assert quarantine.empty
    assert accounts["d.csv"].kept == 3


def test_a_wide_column_is_cured_in_its_own_entry(tmp_path: Path) -> None:
    wide = [
        {"column": "h0", "window": "baseline", "outcome": "duration", "unit": "hours"},
        {"column": "h1", "window": "post", "outcome": "duration", "unit": "hours"},
    ]
    spec = {"path": "w.csv", "columns": {"patient_id": "code"}, "wide": wide}
    text = "code,h0,h1\nP1,4,240\nP2,5,90\nP3,6,60\n"
    folder = write_clinic(tmp_path / "c", {"w.csv": text}, {"windows": spec})
    (problem,) = refusal(folder)
    assert problem.column == "h1"
    cure(folder, "windows", line_of(problem))
    _, _, out = ingest(folder)
    given = read_parquet(out / "given_windows.parquet")
    assert given.loc[given["window"] == "post", "value"].tolist() == [4, 1.5, 1]


def test_a_wide_column_keeps_the_range_that_it_declares(tmp_path: Path) -> None:
    last = {"column": "h1", "window": "post", "outcome": "intensity", "unit": "score"}
    last |= {"low": 0, "high": 4, "zero_means_missing_when": {"blank": "h0"}}
    wide = [{**last, "column": "h0", "window": "baseline"}, last]
    del wide[0]["zero_means_missing_when"]
    spec = {"path": "w.csv", "columns": {"patient_id": "code"}, "wide": wide}
    text = "code,h0,h1\nP1,4,7\nP2,3,8\nP3,2,1\n"
    folder = write_clinic(tmp_path / "c", {"w.csv": text}, {"windows": spec})
    (problem,) = refusal(folder)
    assert "may hold 0 to 4" in str(problem)  # 7 on a scale that ends at 4 is no VAS
    assert yaml.safe_load(line_of(problem)) == [{**last, "loss": {"up_to": 0.5, "reason": "…"}}]


def test_windows_without_a_code_are_named(tmp_path: Path) -> None:
    spec = {
        "path": "w.csv",
        "columns": {"patient_id": "code"},
        "window_from": {"column": "when", "codes": {"vor": "baseline"}},
        "wide": [{"column": "d", "outcome": "frequency", "unit": "days_per_28"}],
    }
    text = "code,when,d\n" + "".join(f"P{i},{w},9\n" for i in range(12) for w in ("vor", "nach"))
    folder = write_clinic(tmp_path / "c", {"w.csv": text}, {"windows": spec})
    (problem,) = refusal(folder)
    assert (problem.rule, problem.column, problem.count) == ("rows_set_aside", "when", 12)
    cure(folder, "windows", line_of(problem), ["zuvor", "nach"])
    assert ingest(folder)[0]["w.csv"].kept == 24


def test_names_of_drugs_are_any_other_text(tmp_path: Path) -> None:
    rows = [f"P1,{i},1,{what}" for i, what in enumerate(["Triptan", "Ibuprofen 400 mg", "keins"])]
    spec = copy.deepcopy(DIARY)
    spec["columns"]["acute_medication"] = "Mittel"
    text = "\n".join(["code,day,headache,Mittel", *rows, ""])
    folder = write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": spec})
    (problem,) = refusal(folder)
    assert line_of(problem) == 'acute_medication: {column: Mittel, codes: {"…": 0, "*": 1}}'


# ---- how much is too much ------------------------------------------------------------------------


def diary(tmp_path: Path, cells: Sequence[str], **spec: Any) -> Path:
    text = "code,day,headache\n" + "".join(f"P1,{i},{cell}\n" for i, cell in enumerate(cells))
    return write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": {**DIARY, **spec}})


def test_a_fifth_may_be_lost_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    account = ingest(diary(tmp_path / "a", ["1"] * 8 + ["maybe"] * 2))[0]["diary.csv"]
    assert (account.kept, account.cells_quarantined) == (10, 2)
    (problem,) = refusal(diary(tmp_path / "b", ["1"] * 7 + ["maybe"] * 2))
    assert problem.count == 2
    with speaking("en"):
        assert "2 of 9 filled cells (22 %)" in say(problem.message)


def test_blanks_and_missing_markers_are_not_filled(tmp_path: Path) -> None:
    """Of 3 filled cells 1 is lost, a third, however many are blank."""
    (problem,) = refusal(diary(tmp_path, ["1", "0", "maybe"] + ["", "NA"] * 30))
    with speaking("en"):
        assert "1 of 3 filled cells" in say(problem.message)


def test_more_may_be_lost_with_a_reason(tmp_path: Path) -> None:
    loss = {"up_to": 0.5, "reason": "the 3 first weeks were written in words"}
    columns = {**DIARY["columns"], "headache": {"column": "headache", "loss": loss}}
    folder = diary(tmp_path, ["1"] * 6 + ["maybe"] * 4, columns=columns)
    found = clinics.ingest_clinic(folder, config.load_clinic(folder), tmp_path / "out")
    (row,) = [row for row in found.as_flow() if row["account"] == "column"]
    assert (row["item"], row["step"], row["n"], row["of"]) == (
        "diary.csv: headache",
        "headache",
        4,
        10,
    )
    with speaking("en"):
        assert loss["reason"] in say(row["note"])


@pytest.mark.parametrize("at", ["column", "file"])
def test_a_loss_needs_a_reason(at: str, tmp_path: Path) -> None:
    loss = {"loss": {"up_to": 0.5}}
    columns = {**DIARY["columns"], "headache": {"column": "headache", **loss}}
    spec = {"columns": columns} if at == "column" else loss
    with pytest.raises(ConfigError) as caught:
        ingest(diary(tmp_path, ["1"], **spec))
    assert "reason" in str(caught.value)


def rows_file(tmp_path: Path, good: int, bad: Sequence[str], **spec: Any) -> Path:
    text = "code,day,headache\n" + "".join(f"P1,{i},1\n" for i in range(good))
    text += "".join(f"{row}\n" for row in bad)
    return write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": {**DIARY, **spec}})


LOST_ROWS = {
    "missing_key": ",{i},1",
    "not_a_number": "P1,{i}th,1",
    "too_many_columns": "P1,{i},1,2",
    "missing_columns": "P1,{i}",
}


@pytest.mark.parametrize("rule", LOST_ROWS)
def test_few_rows_are_listed_and_many_refused(rule: str, tmp_path: Path) -> None:
    rows = [LOST_ROWS[rule].format(i=50 + i) for i in range(10)]
    account = ingest(rows_file(tmp_path / "nine", 20, rows[:9]))[0]["diary.csv"]
    assert (account.kept, account.lost, dict(account.rules)) == (20, 9, {rule: 9})
    (problem,) = refusal(rows_file(tmp_path / "ten", 20, rows))
    assert (problem.rule, problem.count) == ("rows_set_aside", 10)
    with speaking("en"):
        assert f"10 of 30 rows (33 %) cannot be used: {rule} 10" in say(problem.message)
    loss = {"up_to": 0.4, "reason": "a total line after each week"}
    assert ingest(rows_file(tmp_path / "said", 20, rows, loss=loss))[0]["diary.csv"].kept == 20


def test_rows_that_lose_nothing_do_not_count(tmp_path: Path) -> None:
    """Copies, blank rows and days after the end are set aside; what they say is not lost."""
    copies = ["P1,0,1"] * 20 + [",,"] * 20 + [f"P1,{200 + i},1" for i in range(20)]
    folder = rows_file(tmp_path, 20, copies)
    document = yaml.safe_load((folder / "clinic.yaml").read_text())
    document["course"] = {"start": 0, "end": 100}
    (folder / "clinic.yaml").write_text(yaml.safe_dump(document))
    account = ingest(folder)[0]["diary.csv"]
    assert (account.kept, account.lost, account.quarantined) == (20, 0, 60)


def test_a_file_of_which_no_row_is_left_is_refused_however_small(tmp_path: Path) -> None:
    (problem,) = refusal(rows_file(tmp_path, 0, [",1,1", ",2,0"]))
    assert (problem.rule, problem.column, problem.count) == ("rows_set_aside", "code", 2)


def test_people_whom_the_patients_file_lacks(tmp_path: Path) -> None:
    folder = write_clinic(
        tmp_path / "c",
        {
            "p.csv": "code\n" + "".join(f"A{i}\n" for i in range(20)),
            "diary.csv": "code,day,headache\n" + "".join(f"B{i},1,1\n" for i in range(20)),
        },
        {"patients": {"path": "p.csv", "columns": {"patient_id": "code"}}, "diary": DIARY},
    )
    (problem,) = refusal(folder)
    assert problem.remedy == "remedy.rows_unknown_patient"


def test_every_loss_of_every_file_is_named_at_once_and_listed(tmp_path: Path) -> None:
    spec = copy.deepcopy(DIARY)
    spec["columns"] |= {"intensity": "pain", "duration_hours": "hours"}
    folder = write_clinic(
        tmp_path / "c",
        {
            "v.csv": "code,day,how\nP1,0,Hand\nP1,7,Hand\n",
            "diary.csv": "code,day,headache,pain,hours\nP1,1,schlimm,80,4\nP1,2,gut,,5\n",
        },
        {
            "sessions": {
                "path": "v.csv",
                "columns": {"patient_id": "code", "day": "day", "technique": "how"},
            },
            "diary": spec,
        },
    )
    found = {(p.file, p.column) for p in refusal(folder)}
    assert found == {("v.csv", "how"), ("diary.csv", "headache"), ("diary.csv", "pain")}
    out = tmp_path / "c_processed"
    listed = pd.read_csv(out / "quarantine.csv")
    assert {(r.file, r.line, r.column) for r in listed.itertuples()} == {
        ("v.csv", 2, "how"),
        ("v.csv", 3, "how"),
        ("diary.csv", 2, "headache"),
        ("diary.csv", 3, "headache"),
        ("diary.csv", 2, "pain"),
    }
    assert all(read_parquet(path).empty for path in out.glob("*.parquet"))


def test_what_the_gate_refuses_stands_beside_what_is_lost(tmp_path: Path) -> None:
    text = "code,day,headache,contact\nP1,1,schlimm,a@example.org\nP1,2,gut,b@example.org\n"
    folder = write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": DIARY})
    with pytest.raises(RefusedError) as caught:
        ingest(folder)
    assert {(p.column, p.rule) for p in caught.value.problems} >= {
        ("contact", "email"),
        ("headache", "unreadable_column"),
    }


def test_a_bad_header_of_one_file_hides_nothing_in_another(tmp_path: Path) -> None:
    folder = write_clinic(
        tmp_path / "c",
        {"p.csv": "kode\nP1\n", "diary.csv": "code,day,headache,m\nP1,1,1,a@example.org\n"},
        {"patients": {"path": "p.csv", "columns": {"patient_id": "code"}}, "diary": DIARY},
    )
    with pytest.raises((InputError, RefusedError)) as caught:
        ingest(folder)
    assert {(p.file, p.rule) for p in caught.value.problems} >= {
        ("p.csv", "missing_column"),
        ("diary.csv", "email"),
    }


def test_columns_without_a_loss_cost_no_row_of_the_account(tmp_path: Path) -> None:
    folder = diary(tmp_path, ["1", "0"])
    found = clinics.ingest_clinic(folder, config.load_clinic(folder), tmp_path / "out")
    assert not [row for row in found.as_flow() if row["account"] == "column"]
    assert {c.column: c.unread for c in found.columns} == {"code": 0, "day": 0, "headache": 0}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refusal_can_be_said_in_every_language(language: str, tmp_path: Path) -> None:
    (problem,) = refusal(diary(tmp_path, ["ab", "cd"]))
    with speaking(language):
        said = say(problem.message) + say(problem.remedy)
    assert "codes:" in said
    assert "`aa`" in said
    assert "ab`" not in said


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (["Anna", "Bo"], ["`aaaa`", "`aa`"]),
        (["12.03.", "1.4."], ["`9.9.`", "`99.99.`"]),
        (["頭痛", "痛"], ["`a`", "`aa`"]),
        (["Kopfschmerztage ab 1999"], ["`aaaa aa 9999`"]),
        (["👍", "??", "+"], ["`•`"]),
        (["a1 " * 15], ["`a9 a9 a9 a9 a9 a9 a9 a9…`"]),
        (["é́́", "x\u200by"], ["`a`", "`aa`"]),
    ],
)
def test_shapes_hold_no_letter_digit_or_sign_of_a_cell(
    cells: Sequence[str], shown: Sequence[str], tmp_path: Path
) -> None:
    (problem,) = refusal(diary(tmp_path, cells))
    (message,) = messages.read(problem.message) or []
    assert sorted(message.values["look"].values["shapes"]) == sorted(shown)
