"""A machine that fails a run: it says what happened and what to do, and the next run is clean.

After each failure every file under its own name has the bytes of an undisturbed run, the exit code
is not zero, and the same command, with the machine in order, ends with all of those bytes.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.failing import (
    Run,
    can_mount,
    clear,
    command,
    environment,
    prepare,
    read,
    room,
    run,
)

pytestmark = pytest.mark.e2e

mounting = pytest.mark.skipif(not can_mount(), reason="SKIPPED LOUDLY: it takes the right to mount")
GO_ON = "the machine could not go on: "
ENDED = "its process ended before it could say why"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the workflow once, undisturbed."""
    folder = prepare(tmp_path_factory.mktemp("whole") / "run")
    done = run(folder)
    assert done.code == 0, done.text
    return folder


@pytest.fixture
def again(whole: Path, tmp_path: Path) -> Path:
    """Copy the folder of the undisturbed run, with its times and without the last pages."""
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    clear(folder, "results")
    return folder


def check_failed(done: Run, *words: str) -> None:
    """Check that a run failed with these words, and with a line that cures it."""
    assert done.code != 0, done.text
    for word in words:
        assert word in done.text, done.text
    assert re.search(r"^ *What to do: \w", done.text, flags=re.M), done.text
    assert "Traceback" not in done.text, done.text
    assert "this is a bug" not in done.text, done.text


def check_whole(folder: Path, whole: Path) -> None:
    """Check that what stands there is whole."""
    expected = read(whole)
    assert [n for n, content in read(folder).items() if expected.get(n) != content] == []


def check_next(done: Run, folder: Path, whole: Path) -> None:
    """Check that a run ended with all files of the undisturbed one."""
    assert done.code == 0, done.text
    assert read(folder) == read(whole)


@mounting
@pytest.mark.parametrize("free", [0, 8, 120, 700])
def test_a_full_disk(whole: Path, tmp_path: Path, free: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    folder = disk / "run"
    with room(f"mount -t tmpfs -o size=256m none '{disk}'") as inside:
        seen = inside.see(folder)
        shutil.copytree(whole, seen)
        clear(seen, "results", "data/processed")
        (seen / "results").mkdir()
        (seen / "results" / ".gitkeep").touch()  # as in a checkout
        fill(inside.see(disk) / "ballast", free)
        done = inside.run(folder)
        check_failed(done, f"{GO_ON}No space left on device")
        check_whole(seen, whole)
        (inside.see(disk) / "ballast").unlink()
        check_next(inside.run(folder), seen, whole)


def fill(ballast: Path, free: int) -> None:
    """Fill a disk but for some KB."""
    state = os.statvfs(ballast.parent)
    size = state.f_bavail * state.f_frsize - free * 1024
    with ballast.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, size)


@mounting
@pytest.mark.parametrize("name", ["results", "data/processed", "."])
def test_a_folder_that_may_not_be_written_to(again: Path, whole: Path, name: str) -> None:
    (again / "results").mkdir()
    place = (again / name).resolve()
    line = f"mount --bind '{place}' '{place}' && mount -o remount,ro,bind '{place}'"
    with room(line) as inside:
        done = inside.run(again)
    check_failed(done, GO_ON)
    assert re.search(f"{GO_ON}(Read-only file system|Permission denied): ", done.text), done.text
    assert "give yourself the right to read and write there" in done.text
    assert (name if name != "." else ".snakemake") in done.text
    check_whole(again, whole)
    check_next(run(again), again, whole)


FAULTS = {
    # What the system does that has no memory left.
    "killed": "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()",
    "memory": "resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))",
    "less_memory": "resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))",
    "files": "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))",
}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("killed", (ENDED,)),
        ("memory", ()),  # MemoryError, or the process crashes
        ("less_memory", ()),
        ("files", (f"{GO_ON}File too large: ",)),
    ],
)
def test_a_job_without_memory_or_room(
    again: Path, whole: Path, fault: str, words: tuple[str, ...]
) -> None:
    script = again / "workflow" / "scripts" / "report_clinic.py"
    before = script.read_text(encoding="utf-8")
    lines = (
        "import os, resource, signal, threading\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    )
    changed = before.replace('if "snakemake" in', f'{lines}{FAULTS[fault]}\nif "snakemake" in')
    assert changed != before
    script.write_text(changed, encoding="utf-8")
    done = run(again)
    check_failed(done, "FAILED small: disclosure control", *words)
    assert GO_ON in done.text or ENDED in done.text
    check_whole(again, whole)
    script.write_text(before, encoding="utf-8")
    check_next(run(again), again, whole)


def test_two_runs_at_once_in_one_folder(again: Path, whole: Path) -> None:
    with subprocess.Popen(
        command(), cwd=again, env=environment(again), stderr=subprocess.PIPE, text=True
    ) as first:
        locks = again / ".snakemake" / "locks"
        until = time.monotonic() + 120
        # Snakemake writes two marks, of what is read and of what is written.
        while sum(p.stat().st_size > 0 for p in locks.glob("*.lock")) < 2:
            assert time.monotonic() < until
            time.sleep(0.05)
        first.send_signal(signal.SIGSTOP)  # at work, however fast it is
        try:
            second = run(again)
        finally:
            first.send_signal(signal.SIGCONT)
        said = first.communicate(timeout=300)[1]
    assert second.code != 0
    assert "another run is at work in this folder" in second.text, second.text
    assert "What to do: wait until it has ended" in second.text
    assert "Traceback" not in second.text
    check_next(Run(first.returncode, said), again, whole)


def test_a_clock_that_was_set_back(again: Path, whole: Path) -> None:
    """All files are from tomorrow; then one raw file changes, and changes back."""
    tomorrow = time.time() + 86400
    for name in ("data", "notebooks", "requirements.lock"):
        for path in [again / name, *(again / name).rglob("*")]:
            os.utime(path, (tomorrow, tomorrow))
    done = run(again)
    assert "bore times in the future (was the clock set back?)" in done.text
    check_next(done, again, whole)
    raw = again / "data" / "raw" / "clinics" / "small" / "d.csv"
    text = raw.read_text(encoding="utf-8")
    raw.write_text(text.replace(",1\n", ",0\n"), encoding="utf-8")
    done = run(again)
    assert done.code == 0, done.text
    assert read(again) != read(whole)
    raw.write_text(text, encoding="utf-8")
    os.utime(raw, (tomorrow, tomorrow))
    check_next(run(again), again, whole)
    assert "nothing to do" in run(again, "--dry-run").text


# The clock alone: files keep the disk's times, and what waits for a second waits for one.
FAKED = ("NO_FAKE_STAT=1", "FAKETIME_DONT_FAKE_MONOTONIC=1")


@pytest.mark.skipif(not shutil.which("faketime"), reason="SKIPPED LOUDLY: faketime is not here")
def test_a_machine_whose_clock_is_behind_its_disk(again: Path, whole: Path, tmp_path: Path) -> None:
    """The files' times are the disk's, two hours ahead of the programs' clock.

    Snakemake asks a scheduler that it finds for its settings, and waits for the answer by a sleep
    that faketime may end with an error; here it finds none.
    """
    (tmp_path / "bin").mkdir()
    for path in reversed([p for d in os.get_exec_path() if (p := Path(d)).is_dir()]):
        for program in path.iterdir():
            link = tmp_path / "bin" / program.name
            link.unlink(missing_ok=True)
            link.symlink_to(program)
    (tmp_path / "bin" / "scontrol").unlink(missing_ok=True)
    alone = f"PATH={tmp_path / 'bin'}"
    done = run(again, before=("env", alone, *FAKED, "faketime", "-f", "-2h"))
    check_next(done, again, whole)
