"""Files as clinics really export them: each is refused clearly or quarantined with its account.

Every case plants a token where the damage is. It may stand in no message, no log and no
quarantine; there is no traceback; rows in = kept + quarantined + not selected.
"""

from __future__ import annotations

import gzip
import io
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headway import cli
from headway.errors import InputError, RefusedError, UserError
from headway.tables import read_parquet
from tests.unit.clinic_builder import allow_losses, ingest, write_clinic

TOKEN = "Q7ZK"
HEAD = "code,day,headache,worst,hours\n"
GOOD = HEAD + "P1,-2,1,5,2.5\nP1,-1,0,,\n"
COLUMNS = allow_losses(
    {
        "patient_id": "code",
        "day": "day",
        "headache": "headache",
        "intensity": "worst",
        "duration_hours": "hours",
    }
)


@dataclass(frozen=True)
class Case:
    """A file, and what must become of it."""

    content: bytes | str
    refused: tuple[str, ...] = ()  # rules of the refusal; or, of a file that is read:
    found: frozenset[tuple[int, str, str]] = frozenset()  # line, rule, row or cell
    kept: int = 2
    name: str = "diary.csv"
    spec: dict[str, Any] = field(default_factory=dict)
    kind: str = "diary"
    more: dict[str, Any] = field(default_factory=dict)


def rows(*extra: str) -> str:
    return GOOD + "".join(f"{line}\n" for line in extra)


def cell(line: int, rule: str) -> frozenset[tuple[int, str, str]]:
    return frozenset({(line, rule, "cell")})


def row(line: int, rule: str) -> frozenset[tuple[int, str, str]]:
    return frozenset({(line, rule, "row")})


def cut_gzip() -> bytes:
    whole = gzip.compress(
        (HEAD + "".join(f"P{i},{i},1,{i % 11},{i % 7}\n" for i in range(9000))).encode()
    )
    return whole[: len(whole) // 2]


WHEN = {
    "columns": {"patient_id": "code", "headache": "headache"},
    "offset_from": {"column": "when", "shifted": True, "format": "%d/%m/%Y"},
}
CASES: dict[str, Case] = {
    "names over several columns above the header": Case(f"{TOKEN},,,Pain,\n{GOOD}"),
    "names over several columns, and no others": Case(
        f"{TOKEN},,,Pain,\nP1,1,1,5,2\n", ("missing_column",) * 5 + ("merged_header",)
    ),
    "title line above the header": Case(f"Export {TOKEN}\n{GOOD}"),
    "no header": Case(
        f"{TOKEN},1,1,5,2\nP1,2,0,,\n", ("missing_column",) * 5 + ("duplicate_column",)
    ),
    "a column twice": Case(
        f"code,day,headache,worst,hours,day\nP1,1,1,5,2,{TOKEN}\n", ("duplicate_column",)
    ),
    "dd/mm and mm/dd mixed": Case(
        f"code,when,headache\nP1,17/03/2024,1\nP1,03/18/2024,1\nP1,05/04/2024,0\n{TOKEN},06/04/2024,0\n",
        ("mixed_dates",),
        spec=WHEN,
    ),
    "5-7 turned into a date": Case(rows(f"P1,3,1,2024-07-05,{TOKEN}"), ("full_date",)),
    "5-7": Case(rows("P1,3,1,5-7,2"), found=cell(4, "not_a_number"), kept=3),
    "less than one": Case(rows("P1,3,1,<1,2"), found=cell(4, "not_a_number"), kept=3),
    "eight of ten": Case(rows("P1,3,1,8/10,2"), found=cell(4, "not_a_number"), kept=3),
    "a unit in the cell": Case(rows(f"P1,3,1,5 {TOKEN},2"), found=cell(4, "not_a_number"), kept=3),
    "trailing notes": Case(
        rows("", f"Exported by {TOKEN}", "Total: 2"),
        found=frozenset({(5, "missing_columns", "row"), (6, "missing_columns", "row")}),
    ),
    "a total line": Case(rows(f",{TOKEN},2,,"), found=row(4, "missing_key")),
    "duplicate visits": Case(rows("P1,-1,0,,"), found=row(4, "duplicate_row")),
    "a day twice with different answers": Case(
        rows("P1,-1,1,7,3"),
        found=frozenset({(3, "conflicting_duplicate", "row"), (4, "conflicting_duplicate", "row")}),
        kept=1,
    ),
    "negative duration": Case(rows("P1,3,1,5,-2"), found=cell(4, "out_of_range"), kept=3),
    "intensity 12": Case(rows("P1,3,1,12,2"), found=cell(4, "out_of_range"), kept=3),
    "thirty hours a day": Case(rows("P1,3,1,5,30"), found=cell(4, "out_of_range"), kept=3),
    "a day and a half": Case(rows("P1,3.5,1,5,2"), found=row(4, "not_a_number")),
    "yes and no without codes": Case(rows("P1,3,yes,5,2"), kept=3),
    "words without codes": Case(rows("P1,3,maybe,5,2"), found=cell(4, "not_a_number"), kept=3),
    "infinity": Case(
        rows("P1,3,1,inf,2", "P1,4,1,nan,2"),
        found=frozenset({(4, "not_a_number", "cell"), (5, "not_a_number", "cell")}),
        kept=4,
    ),
    "nothing but nan": Case(
        HEAD + "P1,1,1,nan,2\nP1,2,1,nan,2\n",
        found=frozenset({(2, "not_a_number", "cell"), (3, "not_a_number", "cell")}),
    ),
    "decimal commas undeclared": Case(
        rows('P1,3,1,"5,5",2'), found=cell(4, "not_a_number"), kept=3
    ),
    "an e-mail in a comment": Case(
        f"code,day,headache,worst,hours,note\nP1,1,1,5,2,ask {TOKEN.lower()}@example.org\n",
        ("email",),
    ),
    "a person in a comment": Case(
        f"code,day,headache,worst,hours,note\nP1,1,1,5,2,told Maria Lopez of {TOKEN}\n",
        ("person_name",),
    ),
    "an NHS number for a code": Case(
        GOOD + "".join(f"{n},1,1,5,2\n" for n in (9434765919, 9434765870)), ("nhs_number",)
    ),
    "BOM and CRLF": Case(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()),
    "UTF-16": Case(GOOD.encode("utf-16")),
    "Windows-1252": Case(
        GOOD.replace("worst", "Stärke").encode("cp1252"),
        spec={"columns": {**COLUMNS, "intensity": "Stärke"}},
    ),
    "semicolons": Case(GOOD.replace(",", ";")),
    "tabs": Case(GOOD.replace(",", "\t")),
    "NUL bytes": Case(f"{GOOD}P1,3,1,\0{TOKEN},2\n", ("not_text",)),
    "a binary file": Case(bytes(range(256)) * 40, ("not_text",)),
    "a 10 MB cell": Case(
        f"code,day,headache,worst,hours,note\nP1,1,1,5,2,\nP1,2,1,5,2,{TOKEN}{'x' * 10_000_000}\n",
        ("free_text",),
    ),
    "a 10 MB number": Case(rows(f"P1,3,1,5,{'1' * 10_000_000}"), ("free_text",)),
    "a quote that stays open": Case(rows(f'P1,3,1,5,"{TOKEN}', "P1,4,1,5,2"), ("open_quote",)),
    "a stray quote": Case(
        rows(f'P1,3,1,5,"2"{TOKEN}', "P1,4,1,5,2"), found=row(4, "unquoted_value"), kept=3
    ),
    "line ends within a cell": Case(
        'code,day,headache,worst,hours,what\nP1,1,1,5,2,"a\nb"\n,2,1,5,2,a\nP1,3,1,5,2,a\n',
        found=row(4, "missing_key"),
    ),
    "blank lines": Case(
        "code,day,headache,worst,hours\n\nP1,1,1,5,2\n\n\nP1,x,1,5,2\nP1,3,1,5,2\n",
        found=row(6, "not_a_number"),
    ),
    "rows of blanks": Case(
        rows(",,,,", " , ,,,"),
        found=frozenset({(4, "blank_row", "row"), (5, "blank_row", "row")}),
    ),
    "ragged rows": Case(
        rows(f"P1,3,1,{TOKEN}", f"P1,3,1,5,2,{TOKEN}"),
        found=frozenset({(4, "missing_columns", "row"), (5, "too_many_columns", "row")}),
    ),
    "a truncated gzip": Case(cut_gzip(), ("damaged_gzip",), name="diary.csv.gz"),
    "text called gzip": Case(GOOD, ("damaged_gzip",), name="diary.csv.gz"),
    "gzip": Case(gzip.compress(GOOD.encode()), name="diary.csv.gz"),
    "a formula cell": Case(rows("P1,3,1,=A1+1,2"), found=cell(4, "not_a_number"), kept=3),
    "an error of a spreadsheet": Case(
        rows("P1,3,1,#REF!,#DIV/0!"), found=frozenset({(4, "not_a_number", "cell")}), kept=3
    ),
    "an empty file": Case("", ("empty_file",)),
    "text called Parquet": Case(GOOD, ("damaged_parquet",), name="diary.parquet"),
    "an old workbook that is cut off": Case(
        b"\xd0\xcf\x11\xe0" + TOKEN.encode(), ("damaged_workbook",), name="diary.xls"
    ),
    "a name in the name of the file": Case(GOOD, ("full_date",), name="2024-03-17 diary.csv"),
    "a day with an exponent": Case(
        rows("P1,1e400,1,5,2", "P1,1e12,1,5,2"),
        found=frozenset({(4, "not_a_number", "row"), (5, "out_of_range", "row")}),
    ),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_hostile_file_is_refused_or_balanced(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]
    content = case.content if isinstance(case.content, bytes) else case.content.encode()
    spec = {"path": case.name, "columns": COLUMNS, **case.spec}
    folder = write_clinic(tmp_path / "c", {case.name: content}, {case.kind: spec}, **case.more)
    if case.refused:
        with pytest.raises((InputError, RefusedError)) as caught:
            ingest(folder)
        assert sorted(p.rule for p in caught.value.problems) == sorted(case.refused)
        assert all(p.message for p in caught.value.problems)
        assert not (tmp_path / "c_processed").exists()
        assert cli.main(["check", str(folder)]) == caught.value.exit_code or name.startswith(
            "dd/mm"
        )
        shown = str(caught.value) + "".join(capfd.readouterr())
        assert "Traceback" not in shown
    else:
        accounts, quarantine, out = ingest(folder)
        found = {(int(r.line), str(r.rule), str(r.scope)) for r in quarantine.itertuples()}
        assert found == case.found
        (account,) = accounts.values()
        assert account.kept == len(read_parquet(out / "days.parquet")) == case.kept
        assert account.rows_in == account.kept + account.quarantined + account.not_selected
        shown = quarantine.to_csv() + "".join(capfd.readouterr())
    assert TOKEN.lower() not in shown.lower()


def test_there_are_thirty_and_more() -> None:
    assert len(CASES) >= 30
    assert {bool(c.refused) for c in CASES.values()} == {True, False}


def test_two_patients_who_share_a_code_take_their_records_with_them(tmp_path: Path) -> None:
    folder = write_clinic(
        tmp_path / "c",
        {
            "p.csv": "code,sex\nP1,f\nP1,m\nP2,f\n",
            "diary.csv": "code,day,headache\nP1,1,1\nP2,1,0\n",
        },
        {
            "patients": {
                "path": "p.csv",
                "columns": {
                    "patient_id": "code",
                    "sex": {"column": "sex", "codes": {"f": "female", "m": "male"}},
                },
            },
            "diary": {
                "path": "diary.csv",
                "columns": {"patient_id": "code", "day": "day", "headache": "headache"},
            },
        },
    )
    _, quarantine, out = ingest(folder)
    assert {(r.file, r.line, r.rule) for r in quarantine.itertuples()} == {
        ("p.csv", 2, "conflicting_duplicate"),
        ("p.csv", 3, "conflicting_duplicate"),
        ("diary.csv", 2, "shared_code"),
    }
    assert read_parquet(out / "days.parquet")["patient_id"].tolist() == ["P2"]


def test_a_file_that_grows_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headway.ingest.open import staging

    folder = write_clinic(
        tmp_path / "c", {"diary.csv": GOOD}, {"diary": {"path": "diary.csv", "columns": COLUMNS}}
    )
    copy = staging._copy

    def while_the_export_goes_on(*arguments: Any) -> int:
        with (folder / "diary.csv").open("a") as stream:
            stream.write(f"P1,5,1,5,{TOKEN}\n")
        return copy(*arguments)

    monkeypatch.setattr(staging, "_copy", while_the_export_goes_on)
    with pytest.raises(InputError, match="changed while it was read") as caught:
        ingest(folder)
    assert TOKEN not in str(caught.value)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    folder = write_clinic(tmp_path / "c", {}, {"diary": {"path": "diary.csv", "columns": COLUMNS}})
    with pytest.raises(UserError, match="missing_file"):
        ingest(folder)


def test_a_log_of_a_job_holds_no_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script of the workflow writes the refusal to its log and status, and nothing more."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "workflow" / "scripts"))
    ingest_clinic = import_module("ingest_clinic")

    folder = write_clinic(
        tmp_path / "c",
        {"diary.csv": f"code,day,headache,note\nP1,1,1,mail {TOKEN.lower()}@example.org\n"},
        {
            "diary": {
                "path": "diary.csv",
                "columns": {"patient_id": "code", "day": "day", "headache": "headache"},
            }
        },
    )
    out = tmp_path / "out"
    out.mkdir()
    job = SimpleNamespace(
        input=SimpleNamespace(files=[str(folder / "clinic.yaml")]),
        output=SimpleNamespace(
            **{n: str(out / f"{n}.json") for n in ("clinic", "status")},
            account=str(out / "account.csv"),
        ),
        params=SimpleNamespace(folder=str(folder)),
        threads=1,
        resources=SimpleNamespace(engine_mb=2000),
    )
    with redirect_stdout(io.StringIO()) as log:
        ingest_clinic.main(job)
    written = log.getvalue() + "".join(
        p.read_text() for p in out.iterdir() if p.suffix in (".json", ".csv")
    )
    assert "email" in written
    assert TOKEN.lower() not in written
