"""The wheel of this checkout, installed elsewhere and used in an empty folder.

The packages that it declares, and no others, are linked from the environment of the tests: what
is not declared is not there, and no network is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from headway.version import describe
from tests.conftest import ROOT
from tests.e2e.test_two_commands import INHERITED

pytestmark = pytest.mark.e2e

HOME = Path(sysconfig.get_path("purelib"))


def close_over(wanted: list[Requirement]) -> set[str]:
    """List all distributions that requirements lead to, by their own declarations."""
    todo, seen = list(wanted), set[tuple[str, str]]()
    while todo:
        one = todo.pop()
        for extra in ("", *one.extras):
            if (key := (canonicalize_name(one.name), extra)) not in seen:
                seen.add(key)
                more = map(Requirement, metadata.requires(one.name) or ())
                marked = [r for r in more if not r.marker or r.marker.evaluate({"extra": extra})]
                todo += marked
    return {name for name, _ in seen}


def link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copy2(source, target)


class Environment:
    """A new environment with the wheel and the packages that it declares."""

    def __init__(self, folder: Path, wheel: Path, extras: str) -> None:
        venv.create(folder, with_pip=False)
        self.python = folder / "bin" / "python"
        self.site = next((folder / "lib").glob("python3*/site-packages"))
        with zipfile.ZipFile(wheel) as archive:  # as an installer does, scripts aside
            archive.extractall(self.site)
        (found,) = metadata.distributions(path=[str(self.site)])
        declared = map(Requirement, found.requires or ())
        wanted = [r for r in declared if not r.marker or r.marker.evaluate({"extra": extras})]
        for name in close_over(wanted):
            for file in metadata.files(name) or ():
                if ".." not in file.parts and "__pycache__" not in file.parts:
                    link(HOME / file, self.site / file)

    def run(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python in a folder, with nothing of the run that tests it."""
        kept = {k: v for k, v in os.environ.items() if not INHERITED.fullmatch(k)}
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=folder,
            env=kept | {"PYTHONDONTWRITEBYTECODE": "1"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=900,
            check=False,
        )

    def files(self) -> set[Path]:
        """List the files that are installed."""
        return {p for p in self.site.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("wheel") / "a folder with spaces"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def wheel(base: Path) -> Path:
    """Build the wheel and the source archive, twice: they are the same."""
    made: list[Path] = []
    for name in ("one", "two"):
        command = [sys.executable, "-m", "hatchling", "build", "-d"]
        done = subprocess.run(
            [*command, str(base / name)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        made += sorted((base / name).iterdir())
    wheel, source, *again = made
    assert (wheel.suffix, source.suffix) == (".whl", ".gz")
    assert [p.read_bytes() for p in again] == [wheel.read_bytes(), source.read_bytes()]
    assert all(p.name.startswith(f"headway-{describe().split()[0]}") for p in made)
    return wheel


@pytest.fixture(scope="module")
def installed(base: Path, wheel: Path) -> Environment:
    return Environment(base / "pipeline environment", wheel, "pipeline")


def test_the_wheel_holds_the_package_and_the_workflow_and_no_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    ours = ["src/headway", "workflow", "profiles", "notebooks", "Snakefile"]
    command = ["git", "ls-files", *ours]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True)
    wanted = {f"headway/_workflow/{n}" for n in done.stdout.split() if not n.startswith("src/")}
    wanted |= {n.removeprefix("src/") for n in done.stdout.split() if n.startswith("src/")}
    assert wanted <= names
    held = {n for n in names if n.startswith("headway/")} - wanted
    beside = {f"headway/_workflow/{name}" for name in ("config/config.yaml", "environment.yml")}
    assert held == beside | {"headway/commit.txt"}


def test_the_core_computes_and_says_which_extra_the_pipeline_needs(base: Path, wheel: Path) -> None:
    core = Environment(base / "core environment", wheel, "")
    here = base / "core"
    shutil.copytree(ROOT / "data/raw/clinics/demo", here / "data/raw/clinics/demo")
    code = (
        "import headway, importlib.util; fit = headway.meta.pool([0.1, 0.3], [0.02, 0.03]); "
        "print(fit.methods_text()); print(importlib.util.find_spec('pandas'))"
    )
    done = core.run(here, "-c", code)
    assert done.returncode == 0, done.stdout
    assert f"Headway {describe()}" in done.stdout
    assert done.stdout.endswith("None\n")
    for command in (["audit", "demo"], ["build"], ["check", "demo"], ["simulate", "x"]):
        done = core.run(here, "-m", "headway", *command)
        assert done.returncode == 16, done.stdout
        assert "pip install 'headway[pipeline]'" in done.stdout
        assert "Traceback" not in done.stdout


def test_a_clinic_is_audited_in_an_empty_folder(base: Path, installed: Environment) -> None:
    here = base / "my clinics"
    here.mkdir()
    before = installed.files()
    for command, said in (
        (["--version"], f"headway {describe()}"),
        (["simulate", "data/raw/clinics/mine", "--patients", "40"], "40 people"),
        (["check", "mine"], "the gate found no identifier"),
        (["new-review", "typed"], "review.yaml"),
    ):
        done = installed.run(here, "-m", "headway", *command)
        assert done.returncode == 0, done.stdout
        assert said in done.stdout
    done = installed.run(here, "-m", "headway", "audit", "mine", "--cores", "2")
    assert done.returncode == 0, done.stdout
    page = (here / "results/clinics/mine/audit.html").read_text(encoding="utf-8")
    assert f"Headway {describe()}." in page
    assert (here / "data/processed/clinics/mine/days.parquet").is_file()
    assert {p.name for p in here.iterdir()} == {".snakemake", "data", "logs", "results"}
    assert installed.files() == before
    again = installed.run(here, "-m", "headway", "audit", "mine", "--cores", "2")
    assert "nothing to do" in again.stdout
    # A folder whose name is a number is a folder all the same.
    other = installed.run(here, "-m", "headway", "audit", "mine", "--results", "2026")
    assert other.returncode == 0, other.stdout
    assert (here / "2026/clinics/mine/audit.html").read_text(encoding="utf-8") == page


def test_only_the_pages_run_again_with_another_commit(base: Path, installed: Environment) -> None:
    here = base / "my clinics"
    page = here / "results/clinics/mine/audit.html"
    before = page.read_text(encoding="utf-8")
    tables = {p: p.read_bytes() for p in page.parent.glob("*.csv")}
    (installed.site / "headway" / "commit.txt").write_text("abcdef0\n", encoding="utf-8")
    done = installed.run(here, "-m", "headway", "audit", "mine", "--cores", "2")
    assert done.returncode == 0, done.stdout
    assert "3 of 3 jobs done" in done.stdout  # the page, the index, the end
    assert page.read_text(encoding="utf-8") == before.replace(
        describe(), f"{describe().split()[0]} (abcdef0)"
    )
    assert {p: p.read_bytes() for p in tables} == tables
