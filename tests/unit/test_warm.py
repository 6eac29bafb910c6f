"""Jobs that are forked from a process with their imports done are jobs like any other."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm

from tests.conftest import ROOT
from tests.unit.test_workflow import run, settings, write_small

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has what it takes")

RUN = f"""
import os, sys
sys.path[:0] = [{str(ROOT / "workflow")!r}, {str(ROOT / "src")!r}]
import warm
print(warm.start(sys.executable, os.environ), flush=True)
input()
"""
SCRIPT = """
import os, sys
print(os.getppid(), "wave" in sys.modules, os.getcwd(), sys.argv[1:], os.environ.get("TOLD"))
import wave
sys.exit(int(os.environ.get("END", 0)))
"""
ONE = dict.fromkeys(warm.NAMES, "1")


class Run:
    """A run that keeps a process with imports done, and asks it for jobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, **ONE, "PYTHONPATH": str(folder)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.environment,
            cwd=folder,
            text=True,
        )
        assert self.process.stdout is not None
        self.python = self.process.stdout.readline().strip()
        (self.server,) = children(self.process.pid)

    def job(self, text: str, *arguments: str, name: str = "a.job.py") -> list[str]:
        """Make a script, and give the command that runs it."""
        (self.folder / name).write_text(text)
        return [*shlex.split(self.python), str(self.folder / name), *arguments]

    def ask(self, text: str = SCRIPT, *arguments: str, **told: str):
        """Run a script to its end."""
        return subprocess.run(
            self.job(text, *arguments),
            env={**self.environment, **told},
            cwd=self.folder,
            text=True,
            capture_output=True,
            check=False,
            timeout=60,
        )


def children(process: int) -> list[int]:
    """List the processes that one has started."""
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in path.read_text().split()]


def wait_for(happens, seconds: float = 20) -> bool:
    """Wait until something happens; whether it did."""
    until = time.monotonic() + seconds
    while not (happened := bool(happens())) and time.monotonic() < until:
        time.sleep(0.02)
    return happened


def is_gone(process: int) -> bool:
    """Tell whether a process has ended, whoever still has to take note of it."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Run]:
    """Start such a run, and end it."""
    one = Run(tmp_path)
    # The process needs a moment until it listens; whoever asks before starts Python.
    assert wait_for(lambda: one.ask("import os; print(os.getppid())").stdout == f"{one.server}\n")
    yield one
    one.process.kill()
    one.process.wait()


def test_a_job_has_its_folder_arguments_variables_and_exit_code(at_work: Run) -> None:
    first = at_work.ask(SCRIPT, "x y", TOLD="so", END="7")
    there = f"{at_work.server} False {at_work.folder} ['x y'] so\n"
    assert (first.returncode, first.stdout, first.stderr) == (7, there, "")


def test_the_second_job_of_a_script_finds_what_the_first_imported(at_work: Run) -> None:
    said = [at_work.ask().stdout.split()[1] for _ in range(3)]
    assert said == ["False", "True", "True"]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("import sys; sys.exit('a word')", 1, "a word\n"),
        ("import sys; sys.exit(None)", 0, ""),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("import os; os._exit(3)", 3, ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137, ""),
        ("import atexit, sys; atexit.register(print, 'bye', file=sys.stderr)", 0, "bye\n"),
    ],
)
def test_a_job_ends_as_it_would_in_python(at_work: Run, text: str, code: int, said: str) -> None:
    done = at_work.ask(text)
    assert done.returncode == code
    assert said in done.stderr


def test_a_job_with_other_threads_starts_python_itself(at_work: Run) -> None:
    done = at_work.ask(OMP_NUM_THREADS="2")
    assert done.returncode == 0
    assert int(done.stdout.split()[0]) != at_work.server


def test_a_job_starts_python_itself_once_threads_run_in_the_process(at_work: Run) -> None:
    """What another thread holds at the fork would be held for ever."""
    (at_work.folder / "held.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    text = "import os, held; print(os.getppid())"
    assert at_work.ask(text).stdout == f"{at_work.server}\n"
    second = at_work.ask(text)
    assert second.returncode == 0
    assert second.stdout != f"{at_work.server}\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_run_that_is_killed(at_work: Run, number: signal.Signals) -> None:
    long = subprocess.Popen(
        at_work.job("import time; time.sleep(600)", name="b.long.py"),
        env=at_work.environment,
        cwd=at_work.folder,
    )
    assert wait_for(lambda: children(at_work.server))
    (job,) = children(at_work.server)
    at_work.process.send_signal(number)
    assert wait_for(lambda: is_gone(at_work.server))
    assert wait_for(lambda: is_gone(job))
    assert long.wait(20) == 128 + signal.SIGKILL
    # Who asks now finds nobody, and starts Python.
    assert at_work.ask("print('cold')").stdout == "cold\n"


def test_a_job_ends_when_nobody_waits_for_it(at_work: Run) -> None:
    long = subprocess.Popen(
        at_work.job("import time; time.sleep(600)", name="b.long.py"),
        env=at_work.environment,
        cwd=at_work.folder,
    )
    assert wait_for(lambda: children(at_work.server))
    (job,) = children(at_work.server)
    long.kill()
    long.wait()
    assert wait_for(lambda: is_gone(job))
    assert at_work.ask().stdout.split()[0] == str(at_work.server)


def test_a_run_that_ends_waits_for_the_process(at_work: Run) -> None:
    assert at_work.process.stdin is not None
    at_work.process.stdin.write("\n")
    at_work.process.stdin.close()
    assert at_work.process.wait(20) == 0
    assert is_gone(at_work.server)


def test_what_is_prepared_is_there_once_and_starts_no_thread() -> None:
    """With a thread, no job could be forked any more; an open font would be read by two jobs."""
    text = """
import os, warm
from importlib import import_module
for module, function in warm.PREPARED:
    getattr(import_module(module), function)()
from headway.messages import entries
from headway.report.render import _environment
print(len(os.listdir("/proc/self/task")), entries.cache_info().misses)
print(sorted(name for _, name in _environment().cache.keys() if name == "clinic.html"))
if os.fork() == 0:
    from headway.figures import fonts
    from matplotlib.font_manager import _get_font
    print(_get_font.cache_info().currsize, fonts._open.cache_info().currsize)
"""
    path = os.pathsep.join(str(ROOT / name) for name in ("workflow", "src"))
    done = subprocess.run(
        [sys.executable, "-u", "-c", text],
        env={**os.environ, **ONE, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "1 1\n['clinic.html']\n0 0\n", done.stderr


def test_words_for_python_where_jobs_are_to_start_it_themselves() -> None:
    assert warm.start("/a b/python", {warm.OFF: "1"}) == "'/a b/python'"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the repository without its data to a folder with a space."""
    folder = tmp_path_factory.mktemp("with space") / "a copy"
    for name in ("workflow", "src", "config", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "environment.yml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    return folder


def read_outputs(folder: Path) -> dict[str, bytes]:
    """Read every file that a run made."""
    tops = ("results", "data/processed")
    files = [p for top in tops for p in sorted((folder / top).rglob("*")) if p.is_file()]
    # Times, and digests that are keyed with the folder's own secret.
    own = (
        *(".contents.json", ".snakemake_timestamp"),
        *("provenance.json", "ro-crate-metadata.json"),
    )
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files if p.name not in own}


def jobs(text: str) -> list[str]:
    """List the jobs that a run did, by their messages."""
    lines = [line.partition("] ")[2] for line in text.splitlines() if line.startswith("[")]
    return sorted(line for line in lines if line)


@pytest.fixture(scope="module")
def three(
    copy: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Run three small clinics."""
    folder = tmp_path_factory.mktemp("three")
    for name in ("a", "b", "c"):
        write_small(folder / "data", name)
    return folder, run(copy, *settings(folder))


PER_CLINIC = 3


def test_three_clinics_are_built_warm(three: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, done = three
    assert done.returncode == 0, done.stderr
    assert len(jobs(done.stderr)) == 3 * PER_CLINIC + 2  # and the index, and what is refused


def test_a_fourth_folder_runs_its_own_jobs_only(
    three: tuple[Path, subprocess.CompletedProcess[str]], copy: Path
) -> None:
    folder, _ = three
    write_small(folder / "data", "d")
    done = run(copy, *settings(folder))
    assert done.returncode == 0, done.stderr
    assert [line[0] for line in jobs(done.stderr) if line[1] == ":"] == ["d"] * PER_CLINIC
    assert len(jobs(done.stderr)) == PER_CLINIC + 2


def test_a_changed_file_runs_the_jobs_of_its_clinic_only_and_a_touched_one_none(
    three: tuple[Path, subprocess.CompletedProcess[str]], copy: Path
) -> None:
    folder, _ = three
    path = folder / "data" / "raw" / "clinics" / "b" / "d.csv"
    os.utime(path)
    assert "nothing to do" in run(copy, *settings(folder)).stderr
    path.write_text(path.read_text().replace("P1,5", "P1,6", 1) + "P3,90,0\n")
    done = run(copy, *settings(folder))
    assert done.returncode == 0, done.stderr
    assert [line[0] for line in jobs(done.stderr) if line[1] == ":"] == ["b"] * PER_CLINIC


def test_warm_and_cold_jobs_write_the_same_bytes(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for name in ("warm", "cold"):
        folder = tmp_path / "data here"
        for clinic in ("a", "b", "c"):
            write_small(folder / "data", clinic)
        if name == "cold":
            monkeypatch.setenv(warm.OFF, "1")
        done = run(copy, *settings(folder))
        assert done.returncode == 0, done.stderr
        made.append(read_outputs(folder))
        folder.rename(tmp_path / name)
    assert made[0].keys() == made[1].keys()
    assert [name for name in made[0] if made[0][name] != made[1][name]] == []
