"""A small run of the workflow, and machines that fail it: a full disk, a disk without rights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.unit.test_workflow import write_small

OUTPUTS = ("data/processed", "results")


@dataclass(frozen=True)
class Run:
    """How a run ended and what it said."""

    code: int
    text: str


def prepare(folder: Path) -> Path:
    """Copy the workflow, with one clinic of twelve people."""
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("workflow", "src", "config", "profiles", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    for name in ("Snakefile", "environment.yml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    clinic = write_small(folder / "data", "small")
    with (clinic / "clinic.yaml").open("a", encoding="utf-8") as stream:
        stream.write("bootstrap: {replicates: 200}\n")
    return folder


def command(*more: str) -> list[str]:
    """Give the command of a run."""
    return [sys.executable, "-m", "snakemake", "--cores", "2", *more]


def environment(folder: Path) -> dict[str, str]:
    """Give the environment in which a copy imports its own code, and writes no other there.

    The copy has no commit: what it makes is dated alike before and after midnight.
    """
    own = {"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    own |= {"SOURCE_DATE_EPOCH": "1764547200"}
    return {**os.environ, **own, "OMP_NUM_THREADS": "1"}


def run(folder: Path, *more: str, before: tuple[str, ...] = (), start: Path | None = None) -> Run:
    """Run the workflow to its end, by a command before its own where there is one."""
    done = subprocess.run(
        [*before, *command(*more)],
        cwd=start or folder,
        env=environment(folder),
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )
    return Run(done.returncode, done.stdout + done.stderr)


def read(folder: Path) -> dict[str, bytes]:
    """Read every file that stands under its own name (a part has a name with a dot)."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for top in OUTPUTS
        for path in sorted((folder / top).rglob("*"))
        if path.is_file() and not any(p[0] == "." for p in path.relative_to(folder).parts)
    }


def clear(folder: Path, *names: str) -> None:
    """Take outputs away."""
    for name in names:
        shutil.rmtree(folder / name)


@dataclass(frozen=True)
class Room:
    """A view of the machine in which something is mounted that no other process sees."""

    first: int

    def run(self, folder: Path, *more: str) -> Run:
        """Run the workflow in it."""
        into = ("nsenter", f"--mount=/proc/{self.first}/ns/mnt", "sh", "-c", 'cd "$0" && exec "$@"')
        return run(folder, *more, before=(*into, str(folder)), start=Path("/"))

    def see(self, folder: Path) -> Path:
        """Give the path by which others see a folder of it."""
        return Path(f"/proc/{self.first}/root") / folder.relative_to("/")


@contextmanager
def room(script: str) -> Iterator[Room]:
    """Make a room by a shell script that mounts; it ends with this process, however that ends."""
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-ec", f"{script}\necho made\nexec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdout is None or process.stdout.readline() != "made\n":
            raise RuntimeError("the room was not made")
        yield Room(process.pid)
    finally:
        process.kill()
        process.communicate()


def can_mount() -> bool:
    """Say whether this machine lets us mount."""
    if not (shutil.which("unshare") and shutil.which("nsenter")):
        return False
    line = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(line, capture_output=True, check=False).returncode == 0
