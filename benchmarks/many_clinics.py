"""Clinics of a run: CPU seconds of one more, a folder that joins, and planning.

The whole workflow runs fewer and more clinics from nothing; the difference is what a clinic costs
beyond a fixed start. Then one folder joins, and its jobs are counted. Last, finished clinics are
planned (`-n`) after a change to one file of one of them, and a run is timed that has nothing to do.
Every fourth clinic is simulated with a seed of its own; the others are copies of these.
`benchmarks/scale.py` prints what is measured here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rows import Cost

ROOT = Path(__file__).resolve().parents[1]
CORES = 2
OWN = 4  # one clinic in so many is simulated
JOBS_OF_A_CLINIC = 3
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
# A process of its own, so that memory and CPU time are those of one run and all that it starts.
_WATCHER = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
told = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
done = subprocess.run(sys.argv[1:], **told)
if done.returncode:
    sys.exit(done.stdout[-3000:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
cost = [time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6]
print(json.dumps([cost, done.stdout]))
"""


@dataclass(frozen=True)
class Run:
    """A run of the workflow with every process that it started, and what it said."""

    cost: Cost
    text: str

    @property
    def jobs(self) -> int:
        """Count the jobs that it did."""
        return len(re.findall(r"^\[ *\d+/\d+\]", self.text, flags=re.M))


def add_clinic(data: Path, i: int, people: int) -> None:
    """Make clinic number `i` below data/raw/clinics."""
    folder = data / "raw" / "clinics" / f"clinic_{i:04d}"
    model = folder.with_name(f"clinic_{i - i % OWN:04d}")
    if folder == model:
        command = [sys.executable, "-m", "headway", "simulate", str(folder)]
        command += ["--patients", str(people), "--seed", str(1000 + i)]
        subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)
    else:
        shutil.copytree(model, folder)
    path = folder / "clinic.yaml"
    text = re.sub(r"^id: .*$", f"id: {folder.name}", path.read_text("utf-8"), flags=re.M)
    path.write_text(text, encoding="utf-8")


def run(folder: Path, *more: str) -> Run:
    """Run the workflow on the data below a folder."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--workflow-profile", str(ROOT / "profiles" / "default"), "--cores", str(CORES)]
    command += [*more, "--config", "trials=[]", "notebooks=False"]
    done = subprocess.run(
        [sys.executable, "-c", _WATCHER, *command],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    cost, text = json.loads(done.stdout)
    return Run(Cost(*cost), text)


def build(folder: Path, clinics: int, people: int) -> Run:
    """Run so many clinics from nothing."""
    for i in range(clinics):
        add_clinic(folder / "data", i, people)
    return run(folder)


def finish(folder: Path, clinics: int) -> None:
    """Copy the outputs of a clinic that was built to others, and have them taken for their own."""
    for i in range(clinics):
        name, model = f"clinic_{i:04d}", f"clinic_{i - i % OWN:04d}"
        for top in ("data/raw/clinics", "data/processed/clinics", "results/clinics"):
            place = folder / top / name
            if place.exists():
                continue
            source = folder / top / model
            source = source if source.exists() else folder / top / "clinic_0000"
            shutil.copytree(source, place, copy_function=os.link)
            settings = place / "clinic.yaml"
            if settings.is_file():
                text = re.sub(r"^id: .*$", f"id: {name}", settings.read_text("utf-8"), flags=re.M)
                settings.unlink()
                settings.write_text(text, encoding="utf-8")
    run(folder, "--touch", "--quiet", "all")
    run(folder)  # the index of all of them


def study(
    base: Path, counts: Sequence[int], planned: int, people: int
) -> Iterator[tuple[str, int, Run]]:
    """Run everything: what was run, of how many clinics, and its cost.

    `counts` rise; the folder of the last is gone on with.

    Yields
    ------
    tuple
        `built` for each count, then `joined`, `idle` and `planned`.
    """
    for count in counts:
        folder = base / f"of_{count}"
        yield "built", count, build(folder, count, people)
        if count != counts[-1]:
            shutil.rmtree(folder)
    add_clinic(folder / "data", counts[-1], people)
    yield "joined", counts[-1] + 1, run(folder)
    finish(folder, planned)
    yield "idle", planned, run(folder)
    path = folder / "data" / "raw" / "clinics" / "clinic_0000" / "diary.csv"
    text = path.read_bytes()
    path.unlink()  # others are links to it
    path.write_bytes(text + text.splitlines(keepends=True)[-1])
    yield "planned", planned, run(folder, "-n", "--quiet", "all")
    shutil.rmtree(folder)
