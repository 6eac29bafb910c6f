"""A full disk, missing rights or memory fail a job in the system's words; no refusal is stored."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from headway import cli, tables
from headway.errors import (
    MACHINE_EXIT_CODE,
    ConfigError,
    InputError,
    Problem,
    UserError,
    describe_fault,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))
import ingest_clinic
import ingest_review

import _job

YAML = (
    "schema_version: 1\nid: one\ntitle: T\nsource: made up\nlicence: none\nsynthetic: true\n"
    "disclosure: internal\ncourse: {start: 0}\nfiles:\n  diary:\n    path: d.csv\n"
    "    columns: {patient_id: code, day: day, headache: head}\n"
)
FAULTS = [
    (OSError(errno.ENOSPC, "No space left on device", "/data/x.parquet"), "/data/x.parquet"),
    (PermissionError(errno.EACCES, "Permission denied", "d.csv"), "d.csv"),
    (OSError(errno.EIO, "Input/output error"), "Input/output error"),
    (MemoryError(), "Cannot allocate memory"),
    (ImportError("x.so: failed to map segment from shared object"), "Cannot allocate memory"),
    (duckdb.OutOfMemoryException("failed to allocate 'SECRET'"), "Cannot allocate memory"),
    (
        duckdb.IOException('IO Error: Could not write "/tmp/t": No space left on device SECRET'),
        "No space left on device: /tmp/t",
    ),
]


@pytest.fixture
def one(tmp_path) -> Path:
    """Make a small clinic."""
    folder = tmp_path / "raw" / "clinics" / "one"
    folder.mkdir(parents=True)
    (folder / "clinic.yaml").write_text(YAML)
    rows = [f"P{i},{day},{(i + day) % 2}\n" for i in range(12) for day in range(-28, 84)]
    (folder / "d.csv").write_text("code,day,head\n" + "".join(rows))
    return folder


def job(folder: Path, made: Path) -> SimpleNamespace:
    """Make what a rule hands to the script that reads a clinic."""
    names = {"clinic": "clinic.json", "status": "status.json", "account": "account.csv"}
    return SimpleNamespace(
        params=SimpleNamespace(folder=str(folder)),
        output=SimpleNamespace(**{k: str(made / v) for k, v in names.items()}),
        log=[str(made / "job.log")],
        threads=1,
        resources=SimpleNamespace(engine_mb=2000),
    )


@pytest.mark.parametrize(("fault", "words"), FAULTS)
def test_a_fault_of_the_machine_is_told_in_its_own_words(fault, words):
    text = describe_fault(fault)
    assert text is not None
    assert words in text
    assert "SECRET" not in text


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        ("ENOSPC", "make room on that disk"),
        ("EROFS", "give yourself the right to read and write there"),
        ("EACCES", "give yourself the right to read and write there"),
        ("ENOMEM", "run fewer jobs at once"),
        ("EIO", "see that the disk and the network work"),
    ],
)
def test_a_fault_of_the_machine_comes_with_what_cures_it(number, remedy):
    text = describe_fault(OSError(getattr(errno, number), "", "d.csv"))
    assert text is not None
    assert f": d.csv\n  What to do: {remedy}" in text


def test_a_disk_that_names_no_file_is_told_with_the_file(tmp_path):
    def write() -> None:
        with tables.replacing(tmp_path / "table.csv"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space") as raised:
        write()
    assert f"No space left on device: {tmp_path / 'table.csv'}\n" in describe_fault(raised.value)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "d.csv"),
        OSError(errno.EINVAL, "Invalid argument"),  # what a damaged archive leads to
        OSError("Not a gzipped file"),
        ImportError("No module named 'x'"),
        ValueError("x"),
        duckdb.InvalidInputException("No magic bytes"),
        duckdb.IOException('IO Error: No files found that match the pattern "d.csv"'),
        None,
    ],
)
def test_a_fault_of_a_file_is_none_of_the_machine(error):
    assert describe_fault(error) is None


@pytest.mark.parametrize("kind", [UserError, ConfigError, InputError])
@pytest.mark.parametrize(("fault", "words"), FAULTS)
def test_no_refusal_is_made_of_a_fault_of_the_machine(kind, fault, words):
    def read() -> None:
        try:
            raise fault
        except Exception:
            raise kind("it is damaged", [Problem("d.csv", "damaged", "is damaged")]) from None

    with pytest.raises(type(fault)) as raised:
        read()
    assert raised.value is fault


def test_a_refusal_is_made_of_a_fault_of_a_file():
    def read() -> None:
        try:
            raise OSError("Not a gzipped file")
        except OSError:
            raise InputError("it is damaged") from None

    with pytest.raises(InputError, match="it is damaged"):
        read()


@pytest.mark.parametrize(("fault", "words"), FAULTS)
def test_a_job_that_the_machine_fails_stores_nothing(one, tmp_path, monkeypatch, fault, words):
    def read(*arguments: object, **more: object) -> None:
        raise fault

    monkeypatch.setattr(ingest_clinic.clinics, "ingest_clinic", read)
    made = tmp_path / "made"
    with pytest.raises(SystemExit) as ended:
        _job.run(ingest_clinic.main, job(one, made), private=True)
    assert ended.value.code == MACHINE_EXIT_CODE
    log = (made / "job.log").read_text()
    assert log.startswith("headway: the machine could not go on: ")
    assert words in log
    assert "bug" not in log
    assert "SECRET" not in log
    assert not (made / "status.json").exists()


def test_a_job_whose_settings_may_not_be_read_stores_nothing(one, tmp_path, monkeypatch):
    real = Path.open

    def open_(path: Path, *arguments: object, **more: object) -> object:
        if path.name == "clinic.yaml":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", open_)
    made = tmp_path / "made"
    with pytest.raises(SystemExit):
        _job.run(ingest_clinic.main, job(one, made), private=True)
    assert f"Permission denied: {one / 'clinic.yaml'}" in (made / "job.log").read_text()
    assert not (made / "status.json").exists()


def test_a_review_that_the_machine_may_not_read_stores_nothing(tmp_path, monkeypatch):
    def read(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder / "review.yaml"))

    monkeypatch.setattr(ingest_review.config, "load_review", read)
    made = tmp_path / "made"
    with pytest.raises(SystemExit) as ended:
        _job.run(ingest_review.main, job(tmp_path, made))
    assert ended.value.code == MACHINE_EXIT_CODE
    assert [path.name for path in made.iterdir()] == ["job.log"]


def test_a_clinic_that_is_refused_keeps_file_line_and_rule(one, tmp_path):
    (one / "clinic.yaml").write_text(YAML + "disclosure: public\n")
    made = tmp_path / "made"
    _job.run(ingest_clinic.main, job(one, made), private=True)
    status = json.loads((made / "status.json").read_text())
    assert status["state"] == "refused"
    (problem,) = status["problems"]
    assert (problem["file"], problem["line"], problem["rule"]) == ("clinic.yaml", 13, "key_twice")


class FullLog(io.StringIO):
    """A log on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_on_a_full_disk_repeats_nothing_of_the_error(one, tmp_path, monkeypatch, capsys):
    def read(*arguments: object, **more: object) -> None:
        raise duckdb.IOException('IO Error: SECRET "/tmp/t": No space left on device')

    monkeypatch.setattr(ingest_clinic.clinics, "ingest_clinic", read)
    real = Path.open

    def open_(path: Path, *arguments: object, **more: object) -> object:
        full = path.name == "job.log"
        return FullLog() if full else real(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", open_)
    with pytest.raises(SystemExit) as ended:
        _job.run(ingest_clinic.main, job(one, tmp_path / "made"), private=True)
    assert ended.value.code == MACHINE_EXIT_CODE
    assert ended.value.__context__ is None
    said = capsys.readouterr().err
    assert "the machine could not go on: No space left on device: /tmp/t\n  What to do: " in said
    assert "SECRET" not in said
    assert "Traceback" not in said


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
sys.path.insert(0, {scripts!r})
from types import SimpleNamespace as N
import _job, ingest_clinic
made = {made!r}
names = dict(clinic="clinic.json", status="status.json", account="account.csv")
_job.run(ingest_clinic.main, N(
    params=N(folder={folder!r}), output=N(**{{k: made + "/" + v for k, v in names.items()}}),
    log=[made + "/job.log"], threads=1, resources=N(engine_mb=2000)), private=True)
"""


def test_a_disk_that_takes_no_more_fails_the_job_and_leaves_no_half_file(one, tmp_path):
    made = tmp_path / "made"
    script = LIMITED.format(
        scripts=str(Path(_job.__file__).parent), made=str(made), folder=str(one)
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == MACHINE_EXIT_CODE, done.stderr
    log = (made / "job.log").read_text()
    assert re.search("could not go on: (File too large|No space left|Cannot allocate)", log)
    assert not (made / "status.json").exists()
    assert not list(made.rglob("*.part"))
    assert "exception_type" not in log
    assert "P1" not in log


def test_the_command_line_says_it_without_a_traceback(one, monkeypatch, capsys):
    def look(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder / "clinic.yaml"))

    monkeypatch.setattr("headway.config.load_clinic", look)
    assert cli.main(["check", str(one)]) == MACHINE_EXIT_CODE
    assert "Permission denied" in capsys.readouterr().err


def test_a_file_that_could_not_be_written_leaves_nothing_behind(tmp_path):
    def write() -> None:
        with tables.replacing(tmp_path / "table.csv") as part:
            part.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write()
    assert list(tmp_path.iterdir()) == []
