"""The command line as one program: names and folders, help, completion, signals, terminals."""

from __future__ import annotations

import base64
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from headway.cli import main, parser
from headway.cli.places import find_place, locate
from headway.errors import ConfigError
from headway.tables import replacing_folder
from tests.conftest import ROOT
from tests.unit.clinic_builder import DIARY, write_clinic
from tests.unit.review_builder import ARMS, write_review
from tools.commands_doc import list_commands, write

ROWS = "code,day,headache\n" + "".join(
    f"P{i},{d},{d % 2}\n" for i in range(9) for d in range(-9, 9)
)
VISITS = "Patient ID,Visit date,Treatment\n" + "".join(
    f"{i},{2020 + i % 3}-0{1 + k}-1{i % 9},manual\n" for i in range(12) for k in range(3)
)


def headway(*words: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run the program as a user does, in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "headway", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def a_study(folder: Path, name: str = "mine") -> Path:
    """Make a data folder with a clinic in it; returns the clinic's folder."""
    spec = {"diary": {**DIARY}}
    return write_clinic(folder / "data" / "raw" / "clinics" / name, {"diary.csv": ROWS}, spec)


def test_the_page_of_commands_is_that_of_the_program(repo_root: Path) -> None:
    page = (repo_root / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == write(), "run: python tools/commands_doc.py"


def test_every_command_has_examples_and_each_is_understood() -> None:
    commands = {name: command for name, _, command in list_commands()}
    assert set(commands) >= {"new-clinic", "check", "audit", "new-review", "import", "reproduce"}
    for name, command in commands.items():
        examples = command.get_default("examples")
        assert examples, name
        for line in examples:
            words = shlex.split(line)
            assert words[:2] == ["headway", name]
            assert callable(parser().parse_args(words[1:]).run)
            assert line in command.format_help()


def test_a_source_is_found_by_name_or_folder_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = a_study(tmp_path / "study")
    other = a_study(tmp_path / "other")
    monkeypatch.chdir(tmp_path / "study")
    one = locate(Path("mine"), None)
    assert (one.kind, one.name, one.place.home) == ("clinics", "mine", None)
    assert one.page == Path("results/clinics/mine/audit.html")
    # A folder of exports that is called like the clinic is not the clinic.
    (tmp_path / "study" / "mine").mkdir()
    assert locate(Path("mine"), None).folder == Path("data/raw/clinics/mine")
    # From within the data, and from a folder beside them.
    (tmp_path / "study" / "notes").mkdir()
    for place in (folder, folder.parent, tmp_path / "study" / "notes"):
        monkeypatch.chdir(place)
        found = locate(Path("mine"), None)
        assert found.folder.resolve() == folder
        assert found.place.home == tmp_path / "study"
        assert found.place.results == tmp_path / "study" / "results"
    # A folder elsewhere has its own data and results.
    far = locate(other, None)
    assert far.place.data == tmp_path / "other" / "data"
    assert far.page == tmp_path / "other" / "results" / "clinics" / "mine" / "audit.html"
    assert locate(Path("clinics/mine"), tmp_path / "other" / "data").folder == other


def test_what_is_not_there_is_told_with_what_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["audit", "mine"]) == 11
    assert "headway new-clinic" in capsys.readouterr().err
    a_study(tmp_path)
    assert main(["audit", "yours"]) == 11
    assert "name one of these: mine" in capsys.readouterr().err
    assert main(["open", "mine"]) == 12
    assert "run: headway audit mine" in capsys.readouterr().err
    assert main(["open"]) == 12
    assert "run: headway build" in capsys.readouterr().err
    with pytest.raises(ConfigError):
        locate(Path("../mine"), None)


def test_a_command_names_the_one_that_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    a_study(tmp_path)
    write_review(tmp_path / "data" / "raw" / "trials" / "rev", {"arms.csv": ARMS})
    assert main(["audit", "rev"]) == 11
    assert "run: headway reproduce rev" in capsys.readouterr().err
    assert main(["reproduce", "mine"]) == 11
    assert "run: headway audit mine" in capsys.readouterr().err
    away = write_clinic(tmp_path / "away", {"diary.csv": ROWS}, {"diary": DIARY})
    assert main(["audit", str(away)]) == 11
    assert "move the folder into data/raw/clinics/" in capsys.readouterr().err
    assert main(["reproduce", str(tmp_path), "--out", str(tmp_path)]) == 11
    assert "--out FOLDER" in capsys.readouterr().err
    # What can be checked need not lie there.
    assert main(["check", str(away)]) == 0


def test_open_opens_the_page_and_prints_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    a_study(tmp_path)
    page = tmp_path / "results" / "clinics" / "mine" / "audit.html"
    page.parent.mkdir(parents=True)
    page.write_text("<p>")
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)) or True)
    assert main(["open", "mine"]) == 0
    assert opened == [page.as_uri()]
    assert capsys.readouterr().out == "results/clinics/mine/audit.html\n"
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    assert main(["open", "mine"]) == 0
    said = capsys.readouterr()
    assert said.out == "results/clinics/mine/audit.html\n"
    assert "no browser" in said.err


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("headway au", ["audit"]),
        ("headway audit m", ["mine", "morning"]),
        ("headway audit mo", ["morning"]),
        ("headway check ", ["mine", "morning", "rev"]),
        ("headway reproduce r", ["rev"]),
        ("headway check --data elsewhere a", ["abroad"]),
    ],
)
def test_a_shell_completes_commands_and_names(line: str, found: list[str], tmp_path: Path) -> None:
    for name in ("mine", "morning"):
        a_study(tmp_path, name)
    write_review(tmp_path / "data" / "raw" / "trials" / "rev", {"arms.csv": ARMS})
    (tmp_path / "data" / "raw" / "clinics" / "mist").mkdir()  # no clinic yet
    write_clinic(
        tmp_path / "elsewhere" / "raw" / "clinics" / "abroad", {"d.csv": ROWS}, {"diary": DIARY}
    )
    answer = tmp_path / "answer"
    headway(
        cwd=tmp_path,
        _ARGCOMPLETE="1",
        _ARGCOMPLETE_IFS="\n",
        _ARGCOMPLETE_STDOUT_FILENAME=str(answer),
        COMP_LINE=line,
        COMP_POINT=str(len(line)),
    )
    offered = answer.read_text().split("\n")
    assert set(found) <= {text.strip() for text in offered}
    assert "mist" not in " ".join(offered)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii:strict"])
def test_output_is_utf8_on_any_terminal(encoding: str, tmp_path: Path) -> None:
    name = "Übelkeit → ✓ 頭痛"
    text = "".join(f"{row},1\n" for row in ROWS.splitlines())
    text = text.replace("headache,1", f"headache,{name}")
    folder = write_clinic(tmp_path / "c", {"diary.csv": text}, {"diary": DIARY})
    done = headway("check", folder, cwd=tmp_path, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert name in done.stdout.decode("utf-8")
    # What no encoding holds is replaced.
    lost = os.fsencode(tmp_path) + b"/gone\xff"
    done = headway("check", os.fsdecode(lost), cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 11
    assert "/gone" in done.stderr.decode("utf-8")


def list_files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".headway" not in path.parts
    }


# What a command is doing when it is stopped -> where it stops: in the middle of a file.
HALT = """
import sys, time, pathlib
def halt(*given, **more):
    print("READY", flush=True)
    time.sleep(60)
def half(path, text, *given, **more):
    calls.append(path)
    if len(calls) == {at}:
        real(path, text[: len(text) // 2], *given, **more)
        halt()
    return real(path, text, *given, **more)
calls = []
import {module}
real = {module}.{name}
{module}.{name} = {how}
from headway.cli import main
sys.exit(main(sys.argv[1:]))
"""


def stop(script: str, words: Sequence[object], number: signal.Signals, cwd: Path) -> int:
    """Start a command, wait until it says READY, send a signal; returns the exit code."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    while (line := process.stdout.readline()) and b"READY" not in line:
        pass
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert b"Traceback" not in told, told.decode()
    assert b"nothing was left half-written" in told
    return process.returncode


WRITE = {"module": "pathlib", "name": "Path.write_text", "how": "half"}
STOPS = {
    "new-clinic": (["new-clinic", "v.csv", "--name", "new", "--yes"], {**WRITE, "at": 2}),
    "new-clinic again": (["new-clinic", "v.csv", "--name", "made", "--yes"], {**WRITE, "at": 1}),
    "new-review": (["new-review", "new"], {**WRITE, "at": 3}),
    "import": (["import", "m.csv", "new", "--set", "unit=points"], {**WRITE, "at": 2}),
    "simulate": (
        ["simulate", "data/raw/clinics/sim", "--patients", "5"],
        {"module": "headway.simulate", "name": "write_settings", "how": "halt", "at": 0},
    ),
    "check": (
        ["check", "mine"],
        {"module": "headway.config", "name": "load_clinic", "how": "halt", "at": 0},
    ),
}


@pytest.mark.parametrize("name", STOPS)
def test_a_stopped_command_leaves_nothing_half_written(name: str, tmp_path: Path) -> None:
    words, where = STOPS[name]
    number = signal.SIGTERM if "new" in name else signal.SIGINT
    a_study(tmp_path)
    (tmp_path / "v.csv").write_text(VISITS)
    (tmp_path / "m.csv").write_text(
        "study,measure,n1i,m1i,sd1i,n2i,m2i,sd2i\nA 2001,MD,20,3,1,20,4,1\nB 2002,MD,9,3,1,9,4,1\n"
    )
    if name == "new-clinic again":
        done = headway("new-clinic", "v.csv", "--name", "made", "--yes", cwd=tmp_path)
        assert b"sessions.csv" in done.stdout, done.stderr
        (tmp_path / "v.csv").write_text(VISITS + "0,2021-09-09,manual\n")
    before = list_files(tmp_path)
    folders = {p.name for p in (tmp_path / "data" / "raw").rglob("*") if p.is_dir()}
    assert stop(HALT.format(**where), words, number, tmp_path) == 130
    assert list_files(tmp_path) == before
    after = {p.name for p in (tmp_path / "data" / "raw").rglob("*") if p.is_dir()}
    assert after - folders <= {"trials"}


def test_files_of_a_folder_change_together_though_a_signal_comes(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for name in "ab":
        (folder / name).write_text("old")
    (folder / "c").write_text("mine")
    script = (
        "import os, signal, sys, pathlib\n"
        "from headway.tables import replacing_folder\n"
        "real = pathlib.Path.replace\n"
        "def replace(path, to):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(path, to)\n"
        "pathlib.Path.replace = replace\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with replacing_folder(pathlib.Path(sys.argv[1])) as part:\n"
        "    [(part / name).write_text('new') for name in 'ab']\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        check=False,
    )
    assert b"KeyboardInterrupt" in done.stderr
    assert list_files(tmp_path) == {"f/a": b"new", "f/b": b"new", "f/c": b"mine"}


def test_a_folder_that_could_not_be_written_whole_is_not_there(tmp_path: Path) -> None:
    def write_half() -> None:
        with replacing_folder(tmp_path / "f") as part:
            (part / "a").write_text("half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write_half()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "number"),
    [(["audit", "mine"], signal.SIGTERM), (["reproduce", "rev"], signal.SIGINT)],
)
def test_a_stopped_run_ends_its_jobs_and_unlocks_its_folder(
    words: list[str], number: signal.Signals, tmp_path: Path
) -> None:
    a_study(tmp_path)
    write_review(tmp_path / "data" / "raw" / "trials" / "rev", {"arms.csv": ARMS})
    process = subprocess.Popen(
        [sys.executable, "-m", "headway", *words, "--cores", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    assert process.stderr is not None
    while (line := process.stderr.readline()) and b"[1/" not in line:
        pass
    time.sleep(0.3)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told.decode()
    assert b"nothing was left half-written" in told
    assert list(tmp_path.rglob("*.part")) == []
    assert list((tmp_path / ".snakemake" / "locks").glob("*")) == []
    # What a job had begun is marked, and made again by the next run (rerun-incomplete).
    marks = (tmp_path / ".snakemake" / "incomplete").glob("*")
    begun = [base64.b64decode(path.name).decode() for path in marks]
    assert begun and not [name for name in begun if (tmp_path / name).exists()]
    running = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if p.is_file()]
    assert not [line for line in running if os.fsencode(tmp_path) in line]


def test_the_page_of_one_folder_of_data_is_found_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_place(None).data == Path("data")
    assert find_place(Path("d")).results == Path("results")
    assert find_place(Path("d"), Path("r")).results == Path("r")
