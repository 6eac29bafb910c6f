"""The progress of a run: what is being done, how far it is, and a failing job's own error."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from snakemake_logger_plugin_headway import LINES_OF_A_LOG, LogHandler, read_batch, read_error

SNAKEFILE = """
import sys
from shlex import quote
sys.executable = quote(sys.executable)

rule all:
    input: "good.txt", "wrong.txt", "bug.txt", "silent.txt", "killed.txt", "after.txt"

rule make:
    output: "{name}.txt"
    log: "logs/{name}.log"
    message: "{wildcards.name}: making it"
    script: "make.py"

rule after:
    input: "wrong.txt"
    output: "after.txt"
    message: "what stands on it"
    shell: "touch {output}"
"""
MAKE = """
import os, signal, sys
sys.path.insert(0, SCRIPTS)
from headway.errors import InputError, Problem
from pathlib import Path

def main(snakemake):
    name = snakemake.wildcards.name
    for i in range(60):
        print("step", i)
    if name == "wrong":
        problem = Problem("wrong.csv", "unit", "is bad", line=3)
        raise InputError("wrong.csv cannot be used", [problem])
    if name == "bug":
        {}["a cell's " + "value"]
    if name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    Path(snakemake.output[0]).write_text("made")

if snakemake.wildcards.name == "silent":
    sys.exit(3)
from _job import run
run(main, snakemake, private=True)
"""
ENGINE = (
    "Traceback",
    "CalledProcessError",
    "RuleException",
    "WorkflowError",
    "Job stats",
    "jobid",
    "Building DAG",
    "Select jobs",
    "Exiting because",
    "Provided cores",
    "SNAKEMAKE",
)


def snakemake(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run Snakemake with the plugin and return its exit code and what it printed."""
    src = Path(__file__).resolve().parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--logger", "headway", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(src)},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def workdir(tmp_path_factory, repo_root) -> Path:
    """Lay out a small workflow in a folder with a space."""
    folder = tmp_path_factory.mktemp("a space") / "a run"
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE)
    scripts = str(repo_root / "workflow" / "scripts")
    (folder / "make.py").write_text(MAKE.replace("SCRIPTS", repr(scripts)))
    return folder


@pytest.fixture(scope="module")
def failed(workdir) -> tuple[int, str]:
    """Run the small workflow, in which four jobs fail, to the end."""
    return snakemake(workdir, "--keep-going")


def test_run_with_failing_jobs_exits_non_zero(failed):
    assert failed[0] != 0


def test_every_job_is_announced_with_its_place(failed):
    places = re.findall(r"^\[(\d)/(\d)\] (.*)$", failed[1], flags=re.M)
    assert [p[0] for p in places] == ["1", "2", "3", "4", "5"]
    assert {p[1] for p in places} == {"6"}
    assert {p[2] for p in places} == {
        f"{n}: making it" for n in ("good", "wrong", "bug", "silent", "killed")
    }


def test_run_ends_with_what_was_done(failed):
    last = failed[1].rstrip().splitlines()[-1]
    assert re.fullmatch(r"headway: 1 of 6 jobs done, 4 failed, 1 not finished, \d+ s", last)


def test_failing_job_shows_its_own_error_once(failed):
    text = failed[1]
    assert text.count("wrong.csv cannot be used") == 1
    assert "FAILED wrong: making it\n    headway: wrong.csv cannot be used\n" in text
    assert "wrong.csv, line 3: is bad [unit]" in text
    assert f"(log: {Path('logs') / 'wrong.log'})" in text
    assert "step 5" not in text


def test_bug_of_a_private_job_shows_its_place_and_not_its_message(failed):
    text = failed[1]
    block = text[text.index("FAILED bug") :]
    assert "in main" in block
    assert "KeyError: (withheld: it may repeat a cell)" in block
    assert "headway: this is a bug" in block
    assert "a cell's value" not in text


def test_job_without_a_log_says_so(failed):
    said = "FAILED silent: making it\n    headway: its process ended before it could say why"
    assert said in failed[1]


def test_killed_job_says_so_and_what_to_do(failed):
    block = failed[1][failed[1].index("FAILED killed") :].splitlines()
    assert block[1].startswith("    headway: its process ended before it could say why")
    assert block[2].startswith("      What to do: run fewer jobs at once (--cores 1)")
    assert block[3] == f"    (log: {Path('logs') / 'killed.log'})"


@pytest.mark.parametrize("last", ["CANCELLED AT", "CANCELLED DUE TO TIME LIMIT", "OOM Killed"])
def test_what_slurm_says_of_a_job_that_it_ended_is_shown(tmp_path, last):
    path = tmp_path / "2.log"
    line = f"slurmstepd-node: error: *** JOB 3 ON node {last} ***"
    path.write_text(f"Building DAG of jobs...\n{line}\nsrun: error: node: task 0: Killed\n")
    assert read_batch(path) == [line]
    assert read_batch(tmp_path / "none.log") == []


def test_a_fault_of_the_machine_before_the_first_job_is_told_with_its_cure(tmp_path):
    (tmp_path / "Snakefile").write_text("raise OSError(30, 'Read-only file system', 'data/x')\n")
    code, text = snakemake(tmp_path)
    assert code != 0
    first, second = text.strip().splitlines()
    assert first == "headway: the machine could not go on: Read-only file system: data/x"
    assert second.startswith("  What to do: give yourself the right to read and write there")


def test_an_output_that_may_not_be_written_is_told_with_its_cure():
    handler = LogHandler.__new__(LogHandler)
    said = handler._explain(
        "ProtectedOutputException in rule a:\nWrite-protected output files for rule a:\n"
        "    output: a.txt\n    affected files:\n        data/a.txt\n",
        "ProtectedOutputException",
    )
    first, second = said.splitlines()
    assert first == "headway: the machine could not go on: Permission denied: data/a.txt"
    assert second.startswith("  What to do: give yourself the right")


@pytest.mark.parametrize("noise", ENGINE)
def test_engine_is_silent(failed, noise):
    assert noise not in failed[1]


def test_dry_run_lists_jobs_and_reasons(workdir, failed):
    code, text = snakemake(workdir, "-n")
    assert code == 0
    assert text.startswith("headway: 5 jobs would run\n")
    assert re.search(r"^make: wrong: making it\n    Missing output files: wrong.txt$", text, re.M)
    assert re.search(r"^after: what stands on it\n    Missing output files: after.txt", text, re.M)
    assert "good" not in text


def test_finished_run_says_that_nothing_is_to_do(workdir, failed):
    code, text = snakemake(workdir, "-n", "--", "good.txt")
    assert (code, text.strip()) == (0, "headway: nothing to do, everything is up to date")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('rule all:\n    input: "absent.csv"\n', "absent.csv"),
        ("rule x\n", "SyntaxError"),
        ("undefined_name\n", "name 'undefined_name' is not defined"),
    ],
)
def test_errors_before_the_first_job_are_shown(tmp_path, content, expected):
    (tmp_path / "Snakefile").write_text(content)
    code, text = snakemake(tmp_path)
    assert code != 0
    assert expected in text
    assert "jobs done" not in text


def test_own_error_in_a_snakefile_is_one_clear_message(tmp_path):
    (tmp_path / "Snakefile").write_text(
        "from headway.errors import ConfigError, Problem\n"
        "raise ConfigError('the settings are wrong', [Problem('config.yaml', 'key', 'is bad')])\n"
    )
    code, text = snakemake(tmp_path)
    assert code != 0
    assert text == "headway: the settings are wrong\n  - config.yaml: is bad [key]\n"


def test_missing_output_is_shown(tmp_path):
    (tmp_path / "Snakefile").write_text('rule a:\n    output: "a.txt"\n    shell: "true"\n')
    code, text = snakemake(tmp_path, "--latency-wait", "0")
    assert code != 0
    assert "MissingOutputException" in text
    assert re.search(r"headway: 0 of 1 job done, 1 not finished, \d+ s", text)


def test_locked_directory_is_shown(tmp_path):
    (tmp_path / "Snakefile").write_text('rule a:\n    output: "a.txt"\n    shell: "touch a.txt"\n')
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("a.txt\n")
    code, text = snakemake(tmp_path)
    assert code != 0
    first, second = text.strip().splitlines()
    assert first == "headway: another run is at work in this folder"
    assert second.startswith("  What to do: wait until it has ended")
    assert second.endswith("python -m snakemake --unlock")


def test_log_is_read_from_its_last_error(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("headway: an older one\nmore\nheadway: the last one\n  - detail\n")
    assert read_error(log) == ["headway: the last one", "  - detail"]


def test_long_error_is_cut_in_the_middle(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("headway: many\n" + "".join(f"  - {i}\n" for i in range(100)))
    lines = read_error(log)
    assert len(lines) == LINES_OF_A_LOG + 1
    assert lines[0] == "headway: many"
    assert lines[LINES_OF_A_LOG // 2] == "... 81 more lines ..."
    assert lines[-1] == "  - 99"


def test_log_without_a_mark_is_read_from_its_end(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("".join(f"{i}\n" for i in range(100)))
    assert read_error(log) == [str(i) for i in range(100 - LINES_OF_A_LOG, 100)]
