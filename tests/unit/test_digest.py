"""Editing a module re-runs exactly the rules that stand on it."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "workflow"))
import digest

SCRIPTS = sorted(p.name for p in (ROOT / "workflow" / "scripts").glob("[a-z]*.py"))
RULES = "\n".join(p.read_text() for p in sorted((ROOT / "workflow").rglob("*.smk")))

# An independent account of what a script reaches: Python's own compiler and importer, in a process
# of their own. Every import instruction in the bytecode of the script, and of each module that it
# leads to, is carried out, also those inside functions.
ACCOUNT = """
import dis, importlib, importlib.util, json, pathlib, sys
root = pathlib.Path(sys.argv[1])
sys.path[:0] = [str(root / "src"), str(root / "workflow" / "scripts")]
OURS = ("headway", "_job")

def wanted(source, package):
    source = source.replace("if TYPE_CHECKING:", "if False:").replace(
        "if typing.TYPE_CHECKING:", "if False:")
    todo, out = [compile(source, "x", "exec")], []
    while todo:
        code = todo.pop()
        todo += [c for c in code.co_consts if hasattr(c, "co_code")]
        steps = list(dis.get_instructions(code))
        for i, step in enumerate(steps):
            if step.opname != "IMPORT_NAME":
                continue
            level, names = steps[i - 2].argval, steps[i - 1].argval or ()
            name = step.argval
            if level:
                name = importlib.util.resolve_name("." * level + name, package)
            out.append((name, names))
    return out

def reach(source, package, seen):
    for name, names in wanted(source, package):
        if name.split(".")[0] not in OURS:
            continue
        module = importlib.import_module(name)
        found = [module]
        for item in names:
            try:
                found.append(importlib.import_module(f"{name}.{item}"))
            except ModuleNotFoundError:
                pass
        for module in found:
            parts = module.__name__.split(".")
            for i in range(1, len(parts) + 1):
                visit(sys.modules[".".join(parts[:i])], seen)

def visit(module, seen):
    if module.__name__ in seen:
        return
    seen.add(module.__name__)
    package = module.__spec__.parent
    if module.__file__:
        reach(pathlib.Path(module.__file__).read_text(), package, seen)

out = {}
for script in sys.argv[2:]:
    path = root / "workflow" / "scripts" / script
    seen = set()
    sources = [path.read_text()]
    if script == "execute_notebook.py":
        for book in sorted((root / "notebooks").glob("*.ipynb")):
            cells = json.loads(book.read_text())["cells"]
            sources += ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    for source in sources:
        reach(source, "", seen)
    out[script] = sorted(seen)
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def account(repo_root) -> dict[str, list[str]]:
    """List what each script reaches, by Python's own account."""
    done = subprocess.run(
        [sys.executable, "-c", ACCOUNT, str(repo_root), *SCRIPTS],
        text=True,
        check=True,
        capture_output=True,
        timeout=120,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("script", SCRIPTS)
def test_modules_are_those_that_python_would_load(script, account):
    assert list(digest.modules_of(script)) == account[script]


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_rule_carries_the_digest_of_its_own_script(script):
    blocks = [b for b in re.split(r"^rule ", RULES, flags=re.M)[1:] if f"scripts/{script}" in b]
    assert blocks, f"no rule runs {script}"
    for block in blocks:
        assert f'code=digest("{script}")' in block


def test_no_module_imports_what_cannot_be_seen():
    """An import by a computed name would escape the digest; so would `headway.meta` unimported."""
    books = (ROOT / "notebooks").glob("*.ipynb")
    for path in [*digest.PACKAGE.rglob("*.py"), *digest.SCRIPTS.glob("*.py"), *books]:
        nodes = list(ast.walk(ast.parse(digest.read_source(path))))
        calls = {
            getattr(n.func, "attr", getattr(n.func, "id", ""))
            for n in nodes
            if isinstance(n, ast.Call)
        }
        # The package itself imports a room for who asks for it; nobody in this house does.
        # The gate loads checks of python-stdnum by name, which is no part of the package.
        known = (digest.PACKAGE / "__init__.py", digest.PACKAGE / "ingest/gate/checksums.py")
        allowed = {"import_module"} if path in known else set()
        hidden = {"import_module", "__import__", "exec", "eval", "iter_modules"}
        assert not calls & (hidden - allowed), path
        asked = {
            n.attr
            for n in nodes
            if isinstance(n, ast.Attribute)
            and isinstance(n.value, ast.Name)
            and n.value.id == "headway"
        }
        assert asked <= {"__doc__", "__file__", "__version__"}, path


def test_every_folder_of_the_package_is_a_package():
    folders = {p.parent for p in digest.PACKAGE.rglob("*.py")}
    assert [f for f in folders if not (f / "__init__.py").is_file()] == []


def test_every_data_file_belongs_to_a_module():
    names = [digest.module_name(p) for p in digest.PACKAGE.rglob("*.py")]
    owned = set().union(*(digest.data_of(name) for name in names))
    data = {
        p
        for p in digest.PACKAGE.rglob("*")
        if p.is_file()
        and p.suffix not in digest.COMPILED
        and p.name != "py.typed"
        and not p.name.startswith(".")
    }
    assert data <= owned


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Point the digest at a made-up package with every way to import."""
    files = {
        "src/headway/__init__.py": "",
        "src/headway/alone.py": "",
        "src/headway/alone.yaml": "a: 1\n",
        "src/headway/typing_only.py": "",
        "src/headway/room/__init__.py": "from .near import thing\n",
        "src/headway/room/near.py": "from ..alone import x\n",
        "src/headway/room/late.py": "def f():\n    from headway import lazy as y\n",
        "src/headway/room/templates/page.html": "<p>\n",
        "src/headway/lazy.py": "import json\n",
        "src/headway/unused.py": "",
        "workflow/scripts/_job.py": "",
        "workflow/scripts/helper.py": "import headway.room.late\n",
        "workflow/scripts/one.py": (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
            "    from headway import typing_only\nelse:\n    import helper\nimport _job\n"
        ),
        "workflow/scripts/two.py": "from headway import alone\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(digest, "ROOT", tmp_path)
    monkeypatch.setattr(digest, "PACKAGE", tmp_path / "src" / "headway")
    monkeypatch.setattr(digest, "SCRIPTS", tmp_path / "workflow" / "scripts")
    clear()
    yield tmp_path
    clear()


def clear() -> None:
    """Forget what was read."""
    for function in (digest.imports, digest.modules_of, digest.files_of, digest.digest):
        function.cache_clear()


def test_every_way_to_import_is_followed(small):
    assert digest.modules_of("one.py") == (
        "_job",
        "headway",
        "headway.alone",
        "headway.lazy",
        "headway.room",
        "headway.room.late",
        "headway.room.near",
        "helper",
    )
    assert digest.modules_of("two.py") == ("headway", "headway.alone")


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("src/headway/__init__.py", {"one.py", "two.py"}),
        ("src/headway/alone.py", {"one.py", "two.py"}),
        ("src/headway/alone.yaml", {"one.py", "two.py"}),
        ("src/headway/lazy.py", {"one.py"}),
        ("src/headway/room/near.py", {"one.py"}),
        ("src/headway/room/templates/page.html", {"one.py"}),
        ("workflow/scripts/helper.py", {"one.py"}),
        ("src/headway/unused.py", set()),
        ("src/headway/typing_only.py", set()),
    ],
)
def test_digest_moves_with_every_file_it_stands_on(small, file, changed):
    before = {s: digest.digest(s) for s in ("one.py", "two.py")}
    clear()
    (small / file).write_text((small / file).read_text() + "\n")
    after = {s: digest.digest(s) for s in ("one.py", "two.py")}
    assert {s for s in before if before[s] != after[s]} == changed


def test_digest_of_the_project_moves_with_every_module(monkeypatch):
    """Each module, template, schema and parameter file moves the scripts that name it, alone."""
    before = {s: digest.digest(s) for s in SCRIPTS}
    read = cache(Path.read_bytes)
    for file in sorted(set().union(*(digest.files_of(s) for s in SCRIPTS))):
        digest.digest.cache_clear()
        monkeypatch.setattr(Path, "read_bytes", lambda p, file=file: read(p) + b"\n" * (p == file))
        moved = {s for s in SCRIPTS if digest.digest(s) != before[s]}
        assert moved == {s for s in SCRIPTS if file in digest.files_of(s)}
    monkeypatch.undo()
    digest.digest.cache_clear()


# What a job of the real workflow opened and loaded, written by the job's own interpreter.
WITNESS = """
import atexit, os, sys
opened = set()

def hook(event, args):
    if event == "open" and isinstance(args[0], (str, bytes)):
        opened.add(os.fsdecode(args[0]))

def write():
    name = os.path.basename(sys.argv[0])
    if name.startswith("tmp") and name.endswith(".py"):
        with open(os.environ["WITNESS"], "a") as stream:
            for path in list(opened):
                print(name.split(".", 1)[1], os.path.abspath(path), sep="|", file=stream)

sys.addaudithook(hook)
atexit.register(write)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory, repo_root) -> tuple[Path, dict[str, str]]:
    """Run a small clinic in a copy of the repository, in a folder with a space."""
    from headway.simulate import simulate_clinic, write_clinic

    base = tmp_path_factory.mktemp("with space")
    copy = base / "a copy"
    skip = shutil.ignore_patterns("__pycache__", "processed")
    for name in ("workflow", "src", "config", "notebooks"):
        shutil.copytree(repo_root / name, copy / name, ignore=skip)
    for name in ("Snakefile", "environment.yml", "requirements.lock"):
        if (repo_root / name).is_file():
            shutil.copy(repo_root / name, copy)
        else:
            (copy / name).touch()
    clinic = copy / "data" / "raw" / "clinics" / "small"
    write_clinic(simulate_clinic(n_patients=40, seed=1), clinic)
    text = (repo_root / "data/raw/clinics/demo/clinic.yaml").read_text()
    text = re.sub(r"^id: demo$", "id: small", text, flags=re.M)
    (clinic / "clinic.yaml").write_text(text + "\nbootstrap: {replicates: 200}\n")
    (base / "sitecustomize.py").write_text(WITNESS)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{base}{os.pathsep}{copy / 'src'}",
        "WITNESS": str(base / "witness.txt"),
        "PYTHONDONTWRITEBYTECODE": "1",
        # What a process opens before it forks for several scripts would count for each of them.
        "HEADWAY_COLD_JOBS": "1",
    }
    done = snakemake(copy, environment)
    assert done.returncode == 0, done.stderr
    return copy, environment


def snakemake(copy: Path, environment: dict[str, str], *more: str):
    """Ask for the clinic's page."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "snakemake",
            "--cores",
            "2",
            "--logger",
            "headway",
            *more,
            "--",
            "results/clinics/small/audit.html",
        ],
        cwd=copy,
        env=environment,
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )


def to_run(run: tuple[Path, dict[str, str]]) -> set[str]:
    """List the rules that would run now."""
    done = snakemake(*run, "-n")
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"^(\w+): ", done.stdout + done.stderr, flags=re.M)) - {"headway"}


def test_nothing_is_to_run_after_a_run(run):
    assert to_run(run) == set()


def test_jobs_open_no_file_of_the_project_that_is_not_in_their_digest(run):
    copy, environment = run
    seen: dict[str, set[str]] = {}
    for line in Path(environment["WITNESS"]).read_text().splitlines():
        script, path = line.split("|")
        file = Path(path)
        if file.is_relative_to(copy) and file.suffix != ".pyc" and file.is_file():
            name = file.relative_to(copy).as_posix()
            if name.startswith(("src/headway/", "workflow/", "notebooks/")):
                seen.setdefault(script, set()).add(name)
    assert set(seen) == {"ingest_clinic.py", "analyse_clinic.py", "report_clinic.py"}
    for script, names in seen.items():
        known = {p.relative_to(ROOT).as_posix() for p in digest.files_of(script)}
        assert names <= known | {f"workflow/scripts/{script}"}


CLINIC_RULES = {"ingest_clinic", "analyse_clinic", "report_clinic"}


@pytest.mark.parametrize(
    ("patterns", "rules"),
    [
        (["ingest/gate/content.py"], CLINIC_RULES),
        (["outcomes/change/change.py"], {"analyse_clinic", "report_clinic"}),
        (
            ["report/clinic/page.py", "figures/clinic/draw.py", "disclosure/door.py"],
            {"report_clinic"},
        ),
        (["report/**/*.html*"], {"report_clinic"}),
        (["simulate/*", "cli/*.py", "ingest/trials/*.py"], set()),
    ],
)
def test_edited_files_rerun_the_rules_that_stand_on_them(run, patterns, rules):
    package = run[0] / "src" / "headway"
    files = [file for pattern in patterns for file in sorted(package.glob(pattern))]
    assert len(files) >= len(patterns)
    before = {file: file.read_text() for file in files}
    for file, text in before.items():
        file.write_text(text + "\n")
    try:
        assert to_run(run) == rules
    finally:
        for file, text in before.items():
            file.write_text(text)
