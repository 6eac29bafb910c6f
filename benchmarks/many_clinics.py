"""Many clinics of 100 people: CPU seconds of one more, a folder that joins, and planning.

python benchmarks/many_clinics.py [--few 4] [--many 20] [--planned 500] [--people 100]

The whole workflow runs `few` and then `many` clinics from nothing; the difference is what a clinic
costs beyond a fixed start. Then one folder joins, and its jobs are counted. Last, `planned`
finished clinics are planned (`-n`) after a change to one file of one of them, and a run is timed
that has nothing to do. Every fourth clinic is simulated with a seed of its own; the others are
copies of these.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OWN = 4  # one clinic in so many is simulated
JOBS_OF_A_CLINIC = 3
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}


@dataclass(frozen=True)
class Run:
    """A run of the workflow: wall and CPU seconds, and what it said."""

    wall: float
    cpu: float
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
    command += ["--workflow-profile", str(ROOT / "profiles" / "default"), "--cores", "all"]
    command += [*more, "--config", "trials=[]", "notebooks=False"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stdout[-3000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(time.perf_counter() - start, cpu, done.stdout)


def build(base: Path, clinics: int, people: int) -> tuple[Path, Run]:
    """Run so many clinics from nothing."""
    folder = base / f"of_{clinics}"
    for i in range(clinics):
        add_clinic(folder / "data", i, people)
    return folder, run(folder)


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


def study(base: Path, few: int, many: int, planned: int, people: int) -> list[str]:
    """Measure everything; one line each."""
    _, small = build(base, few, people)
    folder, large = build(base, many, people)
    each = (large.cpu - small.cpu) / (many - few)
    start = small.cpu - few * each
    add_clinic(folder / "data", many, people)
    joined = run(folder)
    finish(folder, planned)
    nothing = run(folder)
    path = folder / "data" / "raw" / "clinics" / "clinic_0000" / "diary.csv"
    text = path.read_bytes()
    path.unlink()  # others are links to it
    path.write_bytes(text + text.splitlines(keepends=True)[-1])
    plan = run(folder, "-n", "--quiet", "all")
    return [
        f"CPU seconds of one more clinic of {people}: {each:.1f} (and {start:.1f} for the start); "
        f"{few} clinics {small.cpu:.0f}, {many} clinics {large.cpu:.0f}, wall {large.wall:.0f}",
        f"one folder more: {joined.jobs} jobs ({JOBS_OF_A_CLINIC} of its own, 2 of the index), "
        f"wall {joined.wall:.1f}, CPU {joined.cpu:.1f}",
        f"{planned} clinics, nothing to do: wall {nothing.wall:.1f}, CPU {nothing.cpu:.1f}, "
        f"{nothing.jobs} jobs",
        f"{planned} clinics, planned with one changed file: wall {plan.wall:.1f}, "
        f"CPU {plan.cpu:.1f}",
    ]


def main() -> None:
    """Read the arguments and print the lines."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("few", 4), ("many", 20), ("planned", 500), ("people", 100)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        print(*study(Path(base), **vars(asked)), sep="\n")


if __name__ == "__main__":
    main()
