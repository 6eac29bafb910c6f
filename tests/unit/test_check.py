"""`headway check`: what a build would make of a source, in words and as JSON."""

from __future__ import annotations

import copy
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import headway
from headway.cli import main
from headway.ingest import clinics
from headway.messages import Message
from headway.report import check
from tests.unit.clinic_builder import DIARY, ingest, write_clinic
from tests.unit.review_builder import ARMS, write_review


def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Check a folder for programs; one document on stdout, nothing on stderr."""
    code = main(["check", "--json", str(folder)])
    said = capsys.readouterr()
    assert said.err == ""
    found: dict[str, Any] = json.loads(said.out)
    assert set(found) == {"name", "state", "problems", "files", "columns", "answers"}
    keys = {"file", "column", "line", "rule", "count", "message", "remedy"}
    assert all(set(problem) == keys for problem in found["problems"])
    assert (found["state"] == "ready") == (code == 0) == (not found["problems"])
    return code, found


def a_clinic(tmp_path: Path, text: str, **spec: Any) -> Path:
    return write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": {**DIARY, **spec}})


def test_a_clinic_that_is_ready_is_told_what_was_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"P1,{i},{i % 2},9,B\n" for i in range(20))
    columns = {**DIARY["columns"], "intensity": "pain"}
    folder = a_clinic(
        tmp_path,
        f"code,day,headache,pain,arm\n{rows}P1,20,1,11,B\nP1,20,1,11,B\nP1,21,1,9,A\n,22,1,9,B\n",
        columns=columns,
        keep_where={"arm": ["B"]},
    )
    code, found = run(folder, capsys)
    assert code == 0
    assert found["files"] == [
        {
            "file": "diary.csv",
            "rows": 24,
            "kept": 21,
            "quarantined": 2,
            "not_selected": 1,
            "rules": {"duplicate_row": 1, "missing_key": 1},
        }
    ]
    pain = next(c for c in found["columns"] if c["column"] == "pain")
    assert pain["mapped_to"] == "intensity"
    # Both copies of the row are filled and unread: 2 of 23.
    assert (pain["unread"], pain["unread_share"]) == (2, pytest.approx(2 / 23, abs=1e-6))
    assert main(["check", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "24 rows, 21 kept, 2 set aside (duplicate_row 1, missing_key 1), 1 not selected" in said
    assert "diary.csv, column pain: 2 cells not read" in said
    assert "c is ready" in said
    assert "headway audit c" in said
    assert "\033" not in said


def test_columns_that_nobody_reads_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "code,day,headache,mood,weather,note\nP1,1,1,3,4,5\nP1,2,0,2,1,5\n"
    code, found = run(a_clinic(tmp_path, text, drop=["note"]), capsys)
    assert code == 0
    assert [(c["column"], c["unread_share"]) for c in found["columns"] if not c["mapped_to"]] == [
        ("mood", 1.0),
        ("weather", 1.0),
    ]


SOURCES = {
    "identifiers": ("code,day,headache,m\nP1,1,1,a@example.org\n", {}, 13, "email"),
    "a column unread": ("code,day,headache\nP1,1,so\nP1,2,la\n", {}, 12, "unreadable_column"),
    "no row left": ("code,day,headache\n,1,1\n,2,0\n", {}, 12, "rows_set_aside"),
    "a missing column": ("code,tag,headache\nP1,1,1\n", {}, 12, "missing_column"),
    "mixed dates": (
        "code,seen,headache\nP1,2024-31-01,1\nP1,2024-01-05,1\n",
        {
            "columns": {"patient_id": "code", "headache": "headache"},
            "offset_from": {"column": "seen", "shifted": True},
        },
        12,
        "mixed_dates",
    ),
    "a key that is not known": ("code,day,headache\nP1,1,1\n", {"colums": {}}, 11, "unknown_key"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_check_and_build_refuse_alike(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, spec, code, rule = SOURCES[name]
    folder = a_clinic(tmp_path, text, **copy.deepcopy(spec))
    with pytest.raises(Exception) as caught:  # noqa: PT011  each has its own class
        ingest(folder)
    assert caught.value.exit_code == code
    seen, found = run(folder, capsys)
    assert seen == code
    assert found["problems"][0]["rule"] == rule
    assert [p["rule"] for p in found["problems"]] == [p.rule for p in caught.value.problems]
    assert main(["check", str(folder)]) == code
    said = capsys.readouterr()
    assert rule in said.err
    assert "c is refused" in said.out


def test_zeros_that_may_be_missing_are_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = [
        {"column": "f0", "window": "baseline", "outcome": "frequency", "unit": "days_per_28"},
        {"column": "f1", "window": "post", "outcome": "frequency", "unit": "days_per_28"},
    ]
    rows = "".join(f"P{i},9,{0 if i < 8 else 6},{'' if i < 8 else 40}\n" for i in range(30))
    folder = write_clinic(
        tmp_path / "c",
        {"w.csv": f"code,f0,f1,score\n{rows}"},
        {"windows": {"path": "w.csv", "columns": {"patient_id": "code"}, "wide": wide}},
    )
    code, found = run(folder, capsys)
    assert code == 12
    assert [(p["rule"], p["column"]) for p in found["problems"]] == [("zero_coded_missing", "f1")]


@pytest.mark.parametrize("broken", ["no folder", "no clinic.yaml", "no YAML"])
def test_what_is_no_source_is_refused_in_json_too(
    broken: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "c"
    if broken != "no folder":
        folder.mkdir()
    if broken == "no YAML":
        (folder / "clinic.yaml").write_text("files: [\n")
    code, found = run(folder, capsys)
    assert (code, found["name"], found["state"]) == (11, "c", "refused")


def test_a_review_is_checked_by_the_same_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(write_review(tmp_path / "good", {"arms.csv": ARMS}), capsys)[0] == 0
    bad = write_review(tmp_path / "bad", {"arms.csv": ARMS.replace("4,better", "4,")})
    code, found = run(bad, capsys)
    assert code == 12
    assert "sign_not_declared" in {p["rule"] for p in found["problems"]}
    for folder in (tmp_path / "good", bad):
        assert main(["check", str(folder)]) in (0, 12)
        said = capsys.readouterr()
        assert "bug" not in said.err


def test_answers_are_said_with_what_they_stand_on() -> None:
    """A question's words and its reason come from the catalogue, whatever its numbers count."""
    found = check.Checked(
        "c",
        answers=[
            {"question": "fees", "answered": True, "n": 9, "why": Message("account.none")},
            {
                "question": "own",
                "answered": False,
                "n": 0,
                "why": "account.unreadable",
                "remedy": "remedy.rename_file",
            },
        ],
    )
    said = [text for text, _ in check.write_lines(found)]
    assert said == [
        "fees: can be answered; none",
        "own: cannot be answered; unreadable or out of range. What to do: rename the file",
    ]
    assert found.as_dict()["answers"][1]["why"] == "unreadable or out of range"


def test_a_name_finds_the_clinic_and_the_review_of_that_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw"
    (raw / "clinics").mkdir(parents=True)
    write_clinic(
        raw / "clinics" / "same", {"diary.csv": "code,day,headache\nP1,1,1\n"}, {"diary": DIARY}
    )
    (raw / "trials").mkdir()
    write_review(raw / "trials" / "same", {"arms.csv": ARMS})
    data = ["--data", str(tmp_path)]
    assert main(["check", "clinics/same", *data]) == 0
    assert f"headway audit same --data {tmp_path}" in capsys.readouterr().out
    assert main(["check", "trials/same", *data]) == 0
    assert "review.yaml" in capsys.readouterr().out


def test_a_bug_is_told_without_its_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("qzvx of P1".swapcase())

    monkeypatch.setattr(clinics, "ingest_clinic", fail)
    assert main(["check", str(a_clinic(tmp_path, "code,day,headache\nP1,1,1\n"))]) == 1
    said = capsys.readouterr()
    assert "this is a bug" in said.err
    assert "QZVX" not in said.out + said.err


def at_a_terminal(folder: Path, **environment: str) -> str:
    """Run the check at a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "headway", "check", str(folder)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(headway.__file__).parents[1]),
            "COLUMNS": "80",
            "TERM": "xterm",
            **environment,
        },
        check=False,
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        said += part
    os.close(ours)
    # What a carriage return goes back over (how long it has been reading) is no part of a line.
    return "\n".join(line.rpartition("\r")[2] for line in said.decode().split("\r\n"))


def test_a_terminal_gets_colours_and_short_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    a_clinic(tmp_path, "code,day,headache\nP1,1,so\nP1,2,la\n")
    said = at_a_terminal(Path("c"))
    assert "\033[31m" in said
    for mark in ("\033[31m", "\033[33m", "\033[0m"):
        said = said.replace(mark, "")
    assert max(map(len, said.splitlines())) <= 80
    assert "\033" not in at_a_terminal(Path("c"), NO_COLOR="1")
