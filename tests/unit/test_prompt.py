"""Questions at a terminal: answered, left open, stopped; and nothing asked where nobody is."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from headway.cli.prompt import ask
from tests.conftest import ROOT

DOWN, ENTER, CTRL_C = b"\x1b[B", b"\r", b"\x03"
ASK = (
    "from headway.cli.prompt import ask\n"
    "print('GOT', repr(ask('In which unit?', ['hours', 'minutes'])))\n"
)
# Every day could be a month.
VISITS = "Patient ID,Visit date,Treatment,Pain\n" + "".join(
    f"{i},0{1 + k}/0{1 + (i + k) % 9}/2021,manual,{i % 9}\n" for i in range(12) for k in range(3)
)


def at_a_terminal(
    words: Sequence[str], answers: Sequence[tuple[bytes, bytes]], cwd: Path
) -> tuple[int, str]:
    """Run a program at a terminal: wait for each text, then type; returns exit code and output."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    process = subprocess.Popen(
        [sys.executable, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(theirs)
    said, left, seen = b"", list(answers), 0
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the program is gone
            break
        said += part
        if b"\x1b[6n" in part:  # where is the cursor?
            os.write(ours, b"\x1b[1;1R")
        if left and left[0][0] in said[seen:]:
            seen = len(said)
            time.sleep(0.2)
            os.write(ours, left.pop(0)[1])
    os.close(ours)
    return process.wait(timeout=60), said.decode(errors="replace")


@pytest.mark.parametrize(
    ("typed", "got"),
    [(ENTER, "'hours'"), (DOWN + ENTER, "'minutes'"), (DOWN + DOWN + ENTER, "None")],
)
def test_an_answer_is_chosen_or_left_open(typed: bytes, got: str, tmp_path: Path) -> None:
    code, said = at_a_terminal(["-c", ASK], [(b"leave it open", typed)], tmp_path)
    assert code == 0, said
    assert f"GOT {got}" in said


def test_new_clinic_asks_only_what_it_cannot_tell(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text(VISITS)
    words = ["-m", "headway", "new-clinic", "v.csv", "--name", "mine"]
    code, said = at_a_terminal(words, [(b"leave it open", DOWN + ENTER)], tmp_path)
    assert "day first (dmy) or month first (mdy)" in said
    assert "mine is ready" in said.replace("\r\n  ", " "), said
    assert code == 0
    # Month first: the three visits of a person are in three months.
    days = (tmp_path / "data/raw/clinics/mine/sessions.csv").read_text().splitlines()[1:]
    assert max(int(line.split(",")[1]) for line in days) > 50


def test_ctrl_c_at_a_question_stops_the_command(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text(VISITS)
    words = ["-m", "headway", "new-clinic", "v.csv", "--name", "mine"]
    code, said = at_a_terminal(words, [(b"leave it open", CTRL_C)], tmp_path)
    assert code == 130
    assert "nothing was left half-written" in said
    assert not (tmp_path / "data" / "raw").exists()


def test_nobody_is_asked_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("In which unit?", ["hours", "minutes"]) is None
    assert capsys.readouterr().out == ""
