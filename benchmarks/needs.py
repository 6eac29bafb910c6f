"""Measure the memory and time of every rule's job beside what it asks of a cluster.

python benchmarks/needs.py [--people 300 3000 30000]

A copy of the workflow with the project's reviews and one simulated clinic of each size is run, job
after job. A line for each rule: the size of its source's files, the peak of its process (with the
largest that it started), its CPU time, and what workflow/resources.py asks for. It ends with 1 if a
job took more than it would have been given, less the processes that start a job on a cluster.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Python imports this in every process below; the last line of a job's is its own account.
ACCOUNT = """\
import atexit, os, resource, sys
def account():
    own, others = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    mb = max(own.ru_maxrss, 1) // 1024 + others.ru_maxrss // 1024
    seconds = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
    with open(os.environ["ACCOUNTS"], "a") as stream:
        stream.write(f"{sys.argv[0]}\\t{mb}\\t{seconds}\\n")
if any(".snakemake/scripts" in word for word in sys.orig_argv):
    atexit.register(account)
"""


@dataclass(frozen=True)
class Job:
    """What a job took, beside what it would have asked for."""

    rule: str
    size_mb: float
    peak_mb: int
    seconds: float
    asked_mb: int
    asked_minutes: int


def measure(folder: Path, people: int) -> list[Job]:
    """Run the workflow with a clinic of so many people; return its jobs."""
    from resources import measure as add_up
    from resources import memory, minutes

    from headway.simulate import simulate_clinic, write_clinic

    skip = shutil.ignore_patterns("__pycache__")
    for name in ("workflow", "src", "config", "profiles", "notebooks", "data/raw/trials"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    for name in ("Snakefile", "environment.yml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    clinic = folder / "data" / "raw" / "clinics" / "demo"
    write_clinic(simulate_clinic(n_patients=people, seed=1), clinic)
    shutil.copy(ROOT / "data/raw/clinics/demo/clinic.yaml", clinic)
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(ACCOUNT, encoding="utf-8")
    accounts = folder / "accounts.txt"
    path = os.pathsep.join(map(str, (folder / "site", folder / "src")))
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "ACCOUNTS": str(accounts)},
        check=True,
    )
    script = {"manuscript": "write_manuscript", "execute_notebook": "notebook"}
    sizes = {
        "clinic": add_up(clinic.iterdir()),
        "review": max(add_up(p.iterdir()) for p in (folder / "data/raw/trials").iterdir()),
    }
    found: dict[str, tuple[int, float]] = {}
    for line in accounts.read_text(encoding="utf-8").splitlines():
        name, mb, seconds = line.split("\t")
        match = re.search(r"(\w+)\.py$", name)
        rule = script.get(match[1], match[1]) if match else name
        before = found.get(rule, (0, 0.0))
        found[rule] = max(before[0], int(mb)), max(before[1], float(seconds))
    jobs = []
    for rule, (mb, seconds) in found.items():
        size = sizes.get(rule.rpartition("_")[2], 0)
        asked = memory(rule, size), minutes(rule, size)
        jobs.append(Job(rule, size / 1e6, mb, seconds, *asked))
    return jobs


def main() -> None:
    """Measure, and print a table of Markdown."""
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "workflow")]
    from resources import STARTERS_MB

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[300, 3000, 30000])
    options = parser.parse_args()
    print("| people | rule | files, MB | peak, MB | CPU, s | asked, MB | asked, min |")
    print("|---|---|---|---|---|---|---|")
    short = False
    for people in options.people:
        with tempfile.TemporaryDirectory(prefix="resources-") as folder:
            for job in measure(Path(folder) / "copy", people):
                print(
                    f"| {people} | {job.rule} | {job.size_mb:.2f} | {job.peak_mb} "
                    f"| {job.seconds:.1f} | {job.asked_mb} | {job.asked_minutes} |",
                    flush=True,
                )
                short |= job.peak_mb + STARTERS_MB > job.asked_mb
                short |= job.seconds > 60 * job.asked_minutes
    if short:
        raise SystemExit("a job took more than it asks for: see NEEDS in workflow/resources.py")


if __name__ == "__main__":
    main()
