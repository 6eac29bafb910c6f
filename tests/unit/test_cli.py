"""The command line: exit codes, and messages without values."""

from __future__ import annotations

from pathlib import Path

import pytest

from headway import tables
from headway.cli import main
from tests.unit.clinic_builder import DIARY, write_clinic
from tests.unit.pages_builder import RAW, analysed, review
from tests.unit.review_builder import ARMS, write_review


def test_check_passes_what_is_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(RAW / "clinics" / "demo")]) == 0
    assert "not a certificate" in capsys.readouterr().out
    assert main(["check", str(RAW / "trials" / "acupuncture_headache")]) == 0


def test_check_refuses_identifiers_without_repeating_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "code,day,headache,contact\n" + "".join(
        f"P{i},{i},1,qzvx{i}@example.org\n" for i in range(9)
    )
    folder = write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": DIARY})
    assert main(["check", str(folder)]) == 13
    said = capsys.readouterr()
    assert "contact" in said.err
    assert "qzvx" not in said.out + said.err


def test_check_names_what_is_wrong_with_a_review(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_review(tmp_path / "r", {"arms.csv": ARMS.replace("4,better", "4,")})
    assert main(["check", str(folder)]) == 12
    assert "sign_not_declared" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "nowhere")]) == 11


def test_simulate_writes_a_clinic_that_check_accepts(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    assert main(["simulate", str(folder), "--patients", "12", "--seed", "5"]) == 0
    assert (folder / "truth.json").is_file()
    (folder / "clinic.yaml").write_bytes((RAW / "clinics" / "demo" / "clinic.yaml").read_bytes())
    assert main(["check", str(folder)]) == 0
    assert main(["simulate", str(folder), "--patients", "0"]) == 12


def test_tables_come_back_as_they_were_written(tmp_path: Path) -> None:
    found = {**review("acupuncture_headache")[1], **analysed("demo")[1]}
    for name, table in found.items():
        if name in ("windows", "change"):
            continue  # kept as parquet
        tables.write_csv(table, tmp_path / f"{name}.csv")
        again = tables.read_csv(name, tmp_path / f"{name}.csv")
        assert again.dtypes.equals(table.dtypes), name
        assert len(again) == len(table), name
        tables.write_csv(again, tmp_path / "again.csv")
        assert (tmp_path / "again.csv").read_bytes() == (tmp_path / f"{name}.csv").read_bytes()


@pytest.mark.parametrize("name", sorted(tables.TABLES))
def test_empty_tables_come_back_too(name: str, tmp_path: Path) -> None:
    tables.write_csv(tables.empty(name), tmp_path / "t.csv")
    assert tables.read_csv(name, tmp_path / "t.csv").equals(tables.empty(name))
