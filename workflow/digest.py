"""Digest of the code that a rule stands on.

Snakemake watches a rule's script and nothing that the script imports. Each rule therefore carries
the digest of every module of the package that its script reaches, and of the templates and
schemas beside them, in `params`: editing one re-runs exactly the rules that stand on it.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
from functools import cache
from pathlib import Path

import headway

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(headway.__file__).resolve().parent
SCRIPTS = ROOT / "workflow" / "scripts"
# Code that a script runs without importing it. A notebook is an input of its rule, so only what
# it imports is looked at here.
RUNS = {
    "execute_notebook.py": sorted((ROOT / "notebooks").glob("*.ipynb")),
}
HOME = Path(".snakemake")
COMPILED = (".py", ".pyc")


def module_path(name: str) -> Path | None:
    """Find the file of a module of the package or beside the scripts; None for other modules."""
    top, *rest = name.split(".")
    base = PACKAGE.joinpath(*rest) if top == "headway" else SCRIPTS.joinpath(top, *rest)
    for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
        if path.is_file():
            return path
    return None


def module_name(path: Path) -> str:
    """Name a file of the package as an import would; the stem for any other file."""
    if not path.is_relative_to(PACKAGE):
        return path.stem
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(("headway", *(p for p in parts if p != "__init__")))


def read_source(path: Path) -> str:
    """Read a module, or the code cells of a notebook without their magic lines."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = (c for c in json.loads(text)["cells"] if c["cell_type"] == "code")
    lines = "\n".join("".join(c["source"]) for c in cells).splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))


class _Imports(ast.NodeVisitor):
    """Collect every name that an import could mean, except those for the type checker only."""

    def __init__(self, path: Path) -> None:
        name = module_name(path)
        self.package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self.names: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        test = node.test
        known = test.id if isinstance(test, ast.Name) else getattr(test, "attr", "")
        for child in node.orelse if known == "TYPE_CHECKING" else ast.iter_child_nodes(node):
            self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        self.names |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            parts = self.package.split(".")
            parts = parts[: len(parts) - node.level + 1]
            base = ".".join([*parts, base] if base else parts)
        # `from a import b`: b may be a module or a name in a.
        self.names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}


class Parsed:
    """What files import, by their content: parsing them all takes longer than a small run plans."""

    def __init__(self, store: Path = HOME / "headway_imports.json") -> None:
        self.store = store
        self.known: dict[str, list[str]] | None = None
        self.asked: dict[str, list[str]] = {}

    def names(self, path: Path) -> list[str]:
        """List every name that an import of a file could mean."""
        if self.known is None:
            self.known = _load(self.store)
        key = hashlib.sha256(f"{module_name(path)}\0".encode() + path.read_bytes()).hexdigest()
        found = self.known.get(key)
        if found is None:
            visitor = _Imports(path)
            visitor.visit(ast.parse(read_source(path)))
            found = sorted(visitor.names)
        self.asked[key] = found
        return found

    def save(self) -> None:
        """Keep what was asked for, unless it is what was kept; where it cannot be, it is lost."""
        if self.asked == self.known:
            return
        part = self.store.with_name(f"{self.store.name}.{os.getpid()}.part")
        try:
            part.write_text(json.dumps(self.asked), encoding="utf-8")
            part.replace(self.store)
        except OSError:
            part.unlink(missing_ok=True)


def _load(store: Path) -> dict[str, list[str]]:
    try:
        held = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    right = isinstance(held, dict) and all(isinstance(names, list) for names in held.values())
    return held if right else {}


PARSED = Parsed()


@cache
def imports(path: Path) -> frozenset[str]:
    """List the modules of this project that a file imports, anywhere in it."""
    return frozenset(name for name in PARSED.names(path) if module_path(name))


@cache
def modules_of(script: str) -> tuple[str, ...]:
    """List every module that a script reaches, directly or through others."""
    todo: set[str] = set()
    for path in (SCRIPTS / script, *RUNS.get(script, ())):
        todo |= imports(path)
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        path = module_path(name)
        if path is None or name in seen:
            continue
        seen.add(name)
        # Importing a.b.c runs a and a.b too.
        parts = name.split(".")
        todo |= {".".join(parts[:i]) for i in range(1, len(parts))}
        todo |= imports(path)
    return tuple(sorted(seen))


def data_of(name: str) -> set[Path]:
    """List the files that a module reads: its room's, or a namesake beside it."""
    path = module_path(name)
    out: set[Path] = set()
    if path is None or not path.is_relative_to(PACKAGE):
        return out
    if path.name == "__init__.py" and path.parent != PACKAGE:
        beside = path.parent.rglob("*")
    else:
        beside = path.parent.glob(f"{path.stem}.*")
    return out | {
        f for f in beside if f.is_file() and f.suffix not in COMPILED and not f.name.startswith(".")
    }


@cache
def files_of(script: str) -> tuple[Path, ...]:
    """List the files whose content a script's result depends on, the script aside."""
    out: set[Path] = set()
    for name in modules_of(script):
        path = module_path(name)
        if path is not None:
            out |= {path, *data_of(name)}
    return tuple(sorted(out))


def name_file(path: Path) -> str:
    """Name a file from the package or from the workflow, wherever they are installed."""
    base = PACKAGE.parent if path.is_relative_to(PACKAGE) else ROOT
    return path.relative_to(base).as_posix()


@cache
def digest(script: str) -> str:
    """Hash the files that a script stands on."""
    total = hashlib.sha256()
    for path in files_of(script):
        total.update(name_file(path).encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:16]
