"""The lock, conda's environment and .gitignore: what a fresh clone stands on."""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml


@pytest.fixture(scope="module")
def tool(repo_root: Path) -> ModuleType:
    path = repo_root / "tools/conda_environment.py"
    spec = importlib.util.spec_from_file_location("conda_environment", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def lock(repo_root: Path) -> str:
    return (repo_root / "requirements.lock").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def project(repo_root: Path) -> dict[str, Any]:
    return tomllib.loads((repo_root / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_lock_holds_exact_versions_and_hashes_and_nothing_else(lock: str) -> None:
    entry = re.compile(
        r"[a-z0-9._-]+(\[[a-z,]+\])?==[0-9][^ ;\\]*( ; [^\\\n]+)? \\\n"
        r"(    --hash=sha256:[0-9a-f]{64} \\\n)*    --hash=sha256:[0-9a-f]{64}\n"
    )
    entries = list(entry.finditer(lock))
    assert "".join(m.group() for m in entries) == lock  # no comment, option, address or path
    assert len(entries) > 100


def test_the_lock_works_on_other_systems_too(lock: str) -> None:
    """A universal lock carries the hashes of several wheels of a compiled package."""
    block = re.search(r"^duckdb==.*?(?=^\S)", lock, flags=re.MULTILINE | re.DOTALL)
    assert block is not None
    assert block.group().count("--hash") > 10
    assert "sys_platform == 'win32'" in lock


def test_every_dependency_is_in_the_lock_within_its_bounds(
    lock: str, project: dict[str, Any], tool: ModuleType
) -> None:
    from packaging.requirements import Requirement

    versions = tool.read_lock(lock)
    extras = project["project"]["optional-dependencies"]
    assert "polars" not in versions  # beside which others are timed
    wanted = [
        *project["project"]["dependencies"],
        *project["dependency-groups"]["dev"],
        *itertools.chain(*extras.values()),
        *project["build-system"]["requires"],
    ]
    for text in wanted:
        requirement = Requirement(text)
        if requirement.name == "headway":  # an extra that holds another one
            continue
        assert requirement.specifier.contains(versions[requirement.name.lower()]), text


def test_conda_gets_the_versions_of_the_lock(
    repo_root: Path, lock: str, project: dict[str, Any], tool: ModuleType
) -> None:
    from rattler import MatchSpec

    text = (repo_root / "environment.yml").read_text(encoding="utf-8")
    assert text == tool.write()
    document = yaml.safe_load(text)
    specs = [MatchSpec(d) for d in document["dependencies"] if isinstance(d, str)]
    versions = tool.read_lock(lock)
    direct = [n for n in tool.direct_names(project) if n not in tool.FROM_PIP]
    ours = {tool.CONDA_NAMES.get(n, n): n for n in [*direct, *tool.BUILD]}
    from_pip = document["dependencies"][-1]["pip"]
    assert from_pip == [*(f"{n}=={versions[n]}" for n in tool.FROM_PIP), "--editable ."]
    pinned = {
        str(s.name.normalized if hasattr(s.name, "normalized") else s.name): str(s.version)
        for s in specs
    }
    assert set(pinned) == {*ours, "python", "pip"}
    for conda_name, name in ours.items():
        assert pinned[conda_name] == f"=={versions[name]}", conda_name


def test_the_versions_of_the_package_agree(repo_root: Path, project: dict[str, Any]) -> None:
    citation = yaml.safe_load((repo_root / "CITATION.cff").read_text(encoding="utf-8"))
    released = re.findall(
        r"^## \[(\d[\d.]*)\] - (\d{4}-\d\d-\d\d)$", (repo_root / "CHANGELOG.md").read_text(), re.M
    )
    assert (citation["version"], citation["date-released"]) == released[0]
    assert project["tool"]["hatch"]["version"]["raw-options"]["fallback_version"] == released[0][0]
    assert released == sorted(released, key=lambda entry: entry[1], reverse=True)


@pytest.mark.parametrize(
    ("probe", "answer"),
    [("version_info", "Python 3.11 or later"), ("ensurepip", "apt install python3-venv")],
)
def test_the_environment_says_what_is_missing(
    repo_root: Path, tmp_path: Path, probe: str, answer: str
) -> None:
    """An interpreter that fails one probe stands in for one that is too old or lacks venv."""
    (tmp_path / "tools").mkdir()
    shutil.copy(repo_root / "tools/environment.sh", tmp_path / "tools")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncase "$2" in *{probe}*) exit 1 ;; esac\n', encoding="utf-8")
    python.chmod(0o755)
    done = subprocess.run(
        ["sh", "tools/environment.sh"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert answer in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_the_environment_is_remade_where_the_folder_was_moved(
    repo_root: Path, tmp_path: Path
) -> None:
    def plan() -> str:
        return subprocess.run(
            ["make", "--dry-run", "environment"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    folder = tmp_path.resolve() / "head way"
    (folder / "tools").mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "tools/environment.sh"):
        shutil.copy(repo_root / name, folder / name)
    assert "tools/environment.sh" in plan()
    (folder / ".venv").mkdir()
    (folder / ".venv" / ".stamp").write_text(f"{folder}\n", encoding="utf-8")
    assert "tools/environment.sh" not in plan()
    folder = folder.rename(tmp_path.resolve() / "moved")
    assert "tools/environment.sh" in plan()


@pytest.mark.parametrize("name", ["default", "slurm"])
def test_contents_are_compared_however_large_an_export_is(repo_root: Path, name: str) -> None:
    """By default Snakemake takes a touched file of more than 1 MB for a changed one."""
    text = (repo_root / "profiles" / name / "config.yaml").read_text(encoding="utf-8")
    profile = yaml.safe_load(text)
    assert profile["max-checksum-file-size"] >= 10**11
    assert profile["keep-going"] is True
    assert profile["logger"] == "headway"


def test_package_data_is_in_the_package(repo_root: Path) -> None:
    for path in ("simulate/simulate.yaml", "report/templates", "config/clinic.schema.yaml"):
        assert (repo_root / "src/headway" / path).exists(), path


SHIPPED = {
    "data/raw/clinics/demo": [
        "README.md",
        "clinic.yaml",
        "patients.csv",
        "sessions.csv",
        "diary.csv",
        "questionnaires.csv",
    ],
    "data/raw/clinics/kostecki_dillon_1999": [
        "README.md",
        "clinic.yaml",
        "kostecki_dillon_migraine_diary.csv",
    ],
    "data/raw/clinics/vickers2004": ["README.md", "clinic.yaml"],
    "data/raw/trials/acupuncture_headache": [
        "README.md",
        "review.yaml",
        "arms.csv",
        "contrasts.csv",
    ],
    "data/raw/trials/falsiroli_maistrello_2018": [
        "README.md",
        "review.yaml",
        "arms.csv",
        "pooled.csv",
        "transcription.xlsx",
    ],
    "data/raw/trials/haeuser_2009_fibromyalgia": ["README.md", "review.yaml"],
    "data/raw/trials/lee_done_2004_acupoint": ["README.md", "review.yaml", "lee2004.csv"],
    "data/raw/trials/manual_therapy_headache": [
        "README.md",
        "review.yaml",
        "arms.csv",
        "contrasts.csv",
    ],
    "data/raw/trials/other_nondrug_headache": ["README.md", "review.yaml", "arms.csv"],
}
DROPPED = [
    "data/raw/clinics/my_clinic/clinic.yaml",
    "data/raw/clinics/my_clinic/sessions.csv",
    "data/raw/clinics/my_clinic/export.xlsx",
    "data/raw/clinics/demo/export.csv",
    "data/raw/clinics/demo/old/patients.csv",
    "data/raw/clinics/vickers2004/vickers2004_acupuncture_headache_raw.csv",
    "data/raw/clinics/patients.csv",
    "data/raw/trials/haeuser_2009_fibromyalgia/haeuser2009.csv",
    "data/raw/trials/lee_done_2004_acupoint/ipd.csv",
    "data/raw/trials/my_review/review.yaml",
    "data/raw/trials/my_review/arms.csv",
    "data/raw/export.csv",
    "data/raw/my_clinic/sessions.csv",
    "data/backup/patients.csv",
    "patients.csv",
    "export.xlsx",
    "data/processed/clinics/demo/days.parquet",
    "results/clinics/demo/audit.html",
    "logs/ingest_clinic/demo.log",
    ".venv/pyvenv.cfg",
    "uv.lock",
]


def test_git_add_cannot_take_a_dropped_file(repo_root: Path, tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout

    git("init", "--quiet")
    shutil.copyfile(repo_root / ".gitignore", tmp_path / ".gitignore")
    shipped = [f"{folder}/{name}" for folder, names in SHIPPED.items() for name in names]
    shipped += ["data/processed/.gitkeep", "results/.gitkeep"]
    for name in [*shipped, *DROPPED]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")
    git("add", "-A")
    assert set(git("ls-files").split("\n")) - {""} == {".gitignore", *shipped}


def test_every_shipped_file_is_there(repo_root: Path) -> None:
    for folder, names in SHIPPED.items():
        for name in names:
            assert (repo_root / folder / name).is_file(), f"{folder}/{name}"
