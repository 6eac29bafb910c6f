"""Kill runs at random moments and resume them: the same bytes, and never half a file.

python benchmarks/kill_and_resume.py [--kills 20] [--people 300] [--seed 20261126]

A copy of the workflow with one simulated clinic is run once undisturbed. Then, again and again from
nothing, its process group gets SIGKILL at a random moment: up to half a second after a random
number of its files is there, so that a busy machine spreads the moments no worse. Every file that
then stands under its own name must have its final bytes. The run is resumed by the
same command, and every file below data/processed and results must be as in the undisturbed run.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUTPUTS = ("data/processed", "results")


@dataclass(frozen=True)
class Kill:
    """One killed run: when, what stood there, what was wrong after the kill and at the end."""

    seconds: float
    finished: bool
    files: int
    halves: tuple[str, ...]
    different: tuple[str, ...]


def prepare(folder: Path, people: int) -> None:
    """Copy the workflow, and simulate one clinic beside it."""
    sys.path.insert(0, str(ROOT / "src"))
    from headway.simulate import simulate_clinic, write_clinic

    skip = shutil.ignore_patterns("__pycache__")
    for name in ("workflow", "src", "config", "profiles", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    for name in ("Snakefile", "environment.yml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    clinic = folder / "data" / "raw" / "clinics" / "demo"
    write_clinic(simulate_clinic(n_patients=people, seed=1), clinic)
    settings = (ROOT / "data/raw/clinics/demo/clinic.yaml").read_text(encoding="utf-8")
    (clinic / "clinic.yaml").write_text(
        f"{settings}\nbootstrap: {{replicates: 200}}\n", encoding="utf-8"
    )


def command(*more: str) -> list[str]:
    """Give the command that runs the workflow."""
    plain = [sys.executable, "-m", "snakemake", "--cores", "2", "--config", "notebooks=False"]
    return [*plain, *more]


def environment(folder: Path) -> dict[str, str]:
    """Give the environment in which the copy imports its own code."""
    return {**os.environ, "PYTHONPATH": str(folder / "src")}


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the workflow to its end."""
    return subprocess.run(
        command(*more),
        cwd=folder,
        env=environment(folder),
        text=True,
        capture_output=True,
        check=False,
    )


def outputs(folder: Path) -> Iterator[Path]:
    """List every output that stands under its own name (a part has a name with a dot)."""
    for top in OUTPUTS:
        # A folder may go while its parent is read (os.walk passes over that, rglob does not).
        for at, folders, files in os.walk(folder / top):
            folders[:] = [name for name in folders if name[0] != "."]
            yield from (Path(at, name) for name in files if name[0] != ".")


def read(folder: Path) -> dict[str, str]:
    """Hash every output."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(outputs(folder))
    }


def clear(folder: Path) -> None:
    """Take every output and all that the workflow remembers away."""
    for name in (*OUTPUTS, ".snakemake", "logs"):
        shutil.rmtree(folder / name, ignore_errors=True)


def kill_and_resume(folder: Path, whole: dict[str, str], after: int, pause: float) -> Kill:
    """Kill a run once some files are there, look at what stands there, resume it, and compare."""
    clear(folder)
    process = subprocess.Popen(
        command(),
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    start = time.perf_counter()
    while process.poll() is None and sum(1 for _ in outputs(folder)) < after:
        time.sleep(0.01)
    try:
        process.wait(timeout=pause)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    seconds = time.perf_counter() - start
    finished = process.wait() == 0
    left = read(folder)
    halves = tuple(name for name, digest in left.items() if whole.get(name) != digest)
    done = run(folder)
    if done.returncode:
        raise RuntimeError(f"the resumed run failed: {done.stderr[-3000:]}")
    now = read(folder)
    different = tuple(n for n in sorted({*now, *whole}) if now.get(n) != whole.get(n))
    return Kill(seconds, finished, len(left), halves, different)


def study(folder: Path, kills: int, people: int, seed: int) -> tuple[float, int, list[Kill]]:
    """Run undisturbed, then kill and resume; return its seconds, its files and every kill."""
    prepare(folder, people)
    start = time.perf_counter()
    done = run(folder)
    length = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"the undisturbed run failed: {done.stderr[-3000:]}")
    whole = read(folder)
    rng = random.Random(seed)
    moments = [(rng.randrange(len(whole)), rng.uniform(0, 0.5)) for _ in range(kills)]
    return length, len(whole), [kill_and_resume(folder, whole, *m) for m in moments]


def main() -> None:
    """Kill, resume, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20261126)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kill-"))
    try:
        length, files, found = study(folder / "copy", options.kills, options.people, options.seed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"an undisturbed run: {length:.1f} s, {files} files")
    for kill in found:
        print(
            f"killed after {kill.seconds:5.1f} s with {kill.files:3d} files: "
            f"{len(kill.halves)} not whole, {len(kill.different)} different in the end"
            + (" (it had finished)" if kill.finished else "")
        )
    wrong = [kill for kill in found if kill.halves or kill.different]
    print(f"{len(found)} kills, {len(wrong)} with a file that was not whole or not the same")
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
