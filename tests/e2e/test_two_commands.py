"""The README's commands as a stranger runs them: a fresh clone in a folder with spaces.

The tests share one clone and build on each other in the order of this file. The clone is of the
last commit: what is not committed is not tested.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import ROOT, SHARED

pytestmark = pytest.mark.e2e

NOWHERE = "http://127.0.0.1:9"
OFFLINE = {
    **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), NOWHERE),
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE),
    **dict.fromkeys(("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), NOWHERE),
    "PIP_NO_INDEX": "1",
    "UV_OFFLINE": "1",
}
# What a new clone must not inherit from the run that tests it.
INHERITED = re.compile(r"VIRTUAL_ENV|PYTHON(PATH|HOME)|PYTEST_\w+|COV_\w+|MAKE(FLAGS|LEVEL)|CORES")
WAITING = {
    "haeuser_2009_fibromyalgia": ("trials", "haeuser2009/haeuser2009.csv"),
    "vickers2004": ("clinics", "vickers2004/vickers2004_acupuncture_headache_raw.csv"),
    "vickers_2004": ("trials", ""),  # reads the clinic's file
}
TYPED = """\
Miller 2012,2012,TTH,pressure,treatment,manual,,frequency,days_per_28,12 weeks,84,final,40,9.1,5.2
Miller 2012,2012,TTH,care,control,,usual_care,frequency,days_per_28,12 weeks,84,final,41,12.0,5.6
Okafor 2016,2016,TTH,pressure,treatment,manual,,frequency,days_per_28,12 weeks,84,final,25,8.0,5.9
Okafor 2016,2016,TTH,care,control,,usual_care,frequency,days_per_28,12 weeks,84,final,24,10.4,6.1
Silva 2019,2019,TTH,pressure,treatment,manual,,frequency,days_per_28,12 weeks,84,final,30,8.8,5.2
Silva 2019,2019,TTH,care,control,,usual_care,frequency,days_per_28,12 weeks,84,final,30,12.4,5.6
"""
NOTEBOOKS = ("reproduce_a_meta_analysis", "audit_a_clinic")
LEAKY = """\
schema_version: 1
id: leaky
title: A clinic with a column too many
source: made up
licence: none
files:
  diary:
    path: diary.csv
    columns: {patient_id: code, day: day, headache: headache}
"""


def without_network() -> list[str]:
    """Give the command that takes the network away, where the system lets us."""
    command = ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare"):
        return []
    done = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if done.returncode == 0 else []


def add_a_day(diary: Path) -> None:
    """Add a day without headache after the last row of a diary."""
    with diary.open(newline="", encoding="utf-8") as stream:
        last = list(csv.DictReader(stream))[-1]
    day = {**dict.fromkeys(last, ""), "code": last["code"], "headache": "0"}
    day["day"] = str(int(last["day"]) + 1)
    with diary.open("a", newline="", encoding="utf-8") as stream:
        csv.DictWriter(stream, list(last), lineterminator="\n").writerow(day)


@dataclass
class Run:
    """What a command said, how long it took, and which jobs it ran (each has its own log)."""

    code: int
    text: str
    seconds: float
    jobs: set[str]


@dataclass
class Clone:
    """A fresh clone, and the state of its results after the first command."""

    folder: Path
    results: dict[str, str] = field(default_factory=dict)

    def make(self, *arguments: str, offline: bool = False, pytest_options: str = "") -> Run:
        """Run make in the clone."""
        environment = {k: v for k, v in os.environ.items() if not INHERITED.fullmatch(k)}
        environment |= {"HEADWAY_SHARED": str(SHARED), "PYTEST_ADDOPTS": pytest_options}
        prefix = without_network() if offline else []
        before, began = self.logs(), time.monotonic()
        done = subprocess.run(
            [*prefix, "make", *arguments],
            cwd=self.folder,
            env=environment | (OFFLINE if offline else {}),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=2400,  # the second command runs every test, on whatever machine this is
            check=False,
        )
        seconds = time.monotonic() - began
        jobs = {name for name, stamp in self.logs().items() if before.get(name) != stamp}
        return Run(done.returncode, done.stdout, seconds, jobs)

    def logs(self) -> dict[str, int]:
        """List when each job last wrote its log."""
        logs = self.folder / "logs"
        return {
            p.relative_to(logs).with_suffix("").as_posix(): p.stat().st_mtime_ns
            for p in logs.rglob("*.log")
        }

    def hashes(self) -> dict[str, str]:
        """Hash every file of results/."""
        results = self.folder / "results"
        return {
            p.relative_to(results).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(results.rglob("*"))
            if p.is_file() and not p.name.startswith(".")
        }

    def git(self, *arguments: str) -> str:
        """Run git in the clone."""
        return subprocess.run(
            ["git", *arguments], cwd=self.folder, text=True, capture_output=True, check=True
        ).stdout

    def pages(self, *more: str) -> set[str]:
        """List the pages that a run must make: all shipped sources but those that wait."""
        raw = self.folder / "data" / "raw"
        names = {
            kind: {p.parent.name for p in raw.glob(f"{kind}/*/{file}")} - (WAITING.keys() - {*more})
            for kind, file in (("trials", "review.yaml"), ("clinics", "clinic.yaml"))
        }
        return {
            "index.html",
            "provenance.json",
            "ro-crate-metadata.json",
            *(f"trials/{name}/index.html" for name in names["trials"]),
            *(f"clinics/{name}/audit.html" for name in names["clinics"]),
            *(f"notebooks/{name}.html" for name in NOTEBOOKS),
        }


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """Clone the last commit; remove it at the end, since an environment is big."""
    folder = tmp_path_factory.mktemp("two_commands") / "a folder with spaces" / "head way"
    subprocess.run(
        ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True
    )
    yield Clone(folder)
    shutil.rmtree(folder, ignore_errors=True)


def test_the_first_command_ends_at_the_index_with_all_pages(clone: Clone) -> None:
    done = clone.make("CORES=2")
    assert done.code == 0, done.text
    clone.results = clone.hashes()
    assert clone.pages() <= clone.results.keys()
    index = (clone.folder / "results" / "index.html").read_text(encoding="utf-8")
    for name in WAITING:
        assert f"skipping {name}: waiting for" in done.text
        assert name in index
    for link in re.findall(r'href="([^"#:]+)"', index):
        assert (clone.folder / "results" / link).exists(), link
    assert clone.git("status", "--porcelain") == ""


def test_the_second_command_passes_the_tests_without_network(clone: Clone) -> None:
    # Where every test has just been run on a clean clone (`.ci/run`), a part of them shows that
    # the command needs nothing that the first one did not install.
    part = os.environ.get("HEADWAY_E2E_TESTS", "")
    done = clone.make("test", "CORES=2", offline=True, pytest_options=part)
    assert done.code == 0, done.text[-4000:]
    assert re.search(r"\d+ passed", done.text)


def test_the_first_command_again_does_nothing_without_network(clone: Clone) -> None:
    # The first start compiles what the tests did not import; the second is what a user waits for.
    clone.make("CORES=2", offline=True)
    done = clone.make("CORES=2", offline=True)
    assert done.code == 0, done.text
    assert done.jobs == set()
    print(f"nothing to do: {done.seconds:.1f} s")  # told, not tested: machines differ
    assert clone.hashes() == clone.results


def test_the_report_holds_every_page_and_every_figure(clone: Clone) -> None:
    done = subprocess.run(
        [clone.folder / ".venv/bin/python", "-m", "snakemake", "--report", "report.zip"],
        cwd=clone.folder,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(clone.folder / "report.zip") as archive:
        held = sorted(hashlib.sha256(archive.read(n)).hexdigest() for n in archive.namelist())
    pages = {n: h for n, h in clone.results.items() if n.endswith((".html", ".pdf", ".svg"))}
    # A clinic's list of people to look at is its own.
    assert {n for n, h in pages.items() if h not in held} == {
        n for n in pages if n.endswith("/patients.html")
    }
    (clone.folder / "report.zip").unlink()


def test_touched_raw_files_rerun_nothing(clone: Clone) -> None:
    for path in (clone.folder / "data" / "raw").rglob("*.*"):
        path.touch()
    done = clone.make("CORES=2")
    assert done.code == 0, done.text
    assert done.jobs == set()


def test_a_changed_clinic_reruns_that_clinic_and_what_stands_on_it(clone: Clone) -> None:
    add_a_day(clone.folder / "data/raw/clinics/demo/diary.csv")
    done = clone.make("CORES=2")
    assert done.code == 0, done.text
    assert done.jobs == {
        "ingest_clinic/demo",
        "analyse_clinic/demo",
        "report_clinic/demo",
        "notebook/audit_a_clinic",
        "index",
        "nothing_refused",
    }
    changed = {n for n, h in clone.hashes().items() if clone.results.get(n) != h}
    assert "provenance.json" in changed
    assert not [
        name for name in changed if "/" in name and "demo" not in name and "audit" not in name
    ]


def test_two_clean_runs_give_the_same_bytes(clone: Clone) -> None:
    clone.git("checkout", "--quiet", "--", "data")
    for name in ("results", "data/processed", "logs", ".snakemake"):
        shutil.rmtree(clone.folder / name)
    clone.git("checkout", "--quiet", "--", "results", "data/processed")
    done = clone.make("CORES=2")
    assert done.code == 0, done.text
    again = clone.hashes()
    assert again.keys() == clone.results.keys()
    assert [name for name, value in again.items() if clone.results[name] != value] == []
    assert {Path(name).suffix for name in again} >= {".csv", ".svg", ".png", ".html"}
    print(f"a clean run: {done.seconds:.1f} s")


def test_dropped_files_are_run_and_git_does_not_see_them(clone: Clone, shared: Path) -> None:
    for name, (kind, source) in WAITING.items():
        if source:
            shutil.copy(shared / "data" / source, clone.folder / "data" / "raw" / kind / name)
    type_a_review(clone.folder)
    done = clone.make("CORES=2")
    assert done.code == 0, done.text
    assert clone.pages(*WAITING) <= clone.hashes().keys()
    ran = {job.partition("/")[2] for job in done.jobs}
    # Every clinic is read beside the arms of every review; "": index and the end.
    beside = {"demo", "kostecki_dillon_1999", "audit_a_clinic"}
    assert ran == {*WAITING, *beside, "typed_here", ""}
    page = clone.folder / "results/trials/typed_here/index.html"
    assert "from 3 trials, 190 people" in page.read_text(encoding="utf-8")
    path = clone.folder / "results/trials/haeuser_2009_fibromyalgia/reproduction.csv"
    with path.open(newline="", encoding="utf-8") as stream:
        verdicts = [row["verdict"] for row in csv.DictReader(stream)]
    assert verdicts == ["reproduced"] * 15  # five estimates, each with two limits
    assert clone.git("status", "--porcelain") == ""


def type_a_review(folder: Path) -> None:
    """Make a review from the template and type three trials into it."""
    command = [str(folder / ".venv" / "bin" / "python"), "-m", "headway", "new-review"]
    subprocess.run([*command, "typed_here"], cwd=folder, check=True, capture_output=True)
    path = folder / "data/raw/trials/typed_here/arms.csv"
    header = path.read_text(encoding="utf-8").strip().split(",")
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, header, lineterminator="\n")
        writer.writeheader()
        for row in csv.reader(TYPED.splitlines()):
            cells = dict(zip(header, row, strict=False))
            writer.writerow({**cells, "status": "retrieved", "source": "Table 2"})


def test_a_clinic_with_identifiers_is_refused_and_the_others_stand(clone: Clone) -> None:
    # A review with a bad row is refused in the same run, and nothing of it is computed.
    arms = clone.folder / "data/raw/trials/typed_here/arms.csv"
    arms.write_text(arms.read_text(encoding="utf-8").replace(",40,9.1,", ",1,qzvx,"), "utf-8")
    folder = clone.folder / "data" / "raw" / "clinics" / "leaky"
    folder.mkdir()
    (folder / "clinic.yaml").write_text(LEAKY, encoding="utf-8")
    rows = "".join(f"qzvx{i},{i},1,someone{i}@qzvx.example\n" for i in range(1, 30))
    (folder / "diary.csv").write_text(f"code,day,headache,email\n{rows}", encoding="utf-8")
    # Another clinic changes in the same run: it is built all the same.
    add_a_day(clone.folder / "data/raw/clinics/demo/diary.csv")
    done = clone.make("CORES=2")
    assert done.code != 0
    assert {"report_clinic/demo", "notebook/audit_a_clinic", "index"} <= done.jobs
    assert "leaky" in done.text
    assert "email" in done.text
    names = clone.hashes().keys()
    assert clone.pages() <= names
    index = (clone.folder / "results" / "index.html").read_text(encoding="utf-8")
    refused = index.partition('id="refused"')[2].partition("</section>")[0]
    assert "leaky" in refused
    assert "email" in refused
    assert "typed_here" in refused
    assert "n_too_small" in refused
    assert "not_a_number" in refused
    effects = clone.folder / "results/trials/typed_here/effects.csv"
    assert len(effects.read_text(encoding="utf-8").splitlines()) == 1
    assert "qzvx" not in done.text
    for place in ("results", "data/processed", "logs", ".snakemake"):
        for path in (clone.folder / place).rglob("*"):
            assert not path.is_file() or b"qzvx" not in path.read_bytes(), path
    assert clone.git("status", "--porcelain").split() == ["M", "data/raw/clinics/demo/diary.csv"]


def test_a_deleted_page_is_made_again(clone: Clone) -> None:
    shutil.rmtree(clone.folder / "data" / "raw" / "clinics" / "leaky")
    shutil.rmtree(clone.folder / "data" / "raw" / "trials" / "typed_here")
    page = clone.folder / "results/clinics/kostecki_dillon_1999/audit.html"
    page.unlink()
    done = clone.make("CORES=2")
    assert done.code == 0, done.text
    assert page.is_file()


def test_a_mended_clinic_ends_well(clone: Clone) -> None:
    done = clone.make("CORES=2")
    assert done.code == 0, done.text
    assert "refused" not in (clone.folder / "results" / "index.html").read_text(encoding="utf-8")
