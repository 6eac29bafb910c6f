"""Digest of the code that a rule stands on.

Snakemake watches a rule's script and nothing that the script imports. Each rule therefore carries
the digest of every module of the package that its script reaches, and of the templates and
schemas beside them, in `params`: editing one re-runs exactly the rules that stand on it.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "headway"
SCRIPTS = ROOT / "workflow" / "scripts"
# Files that are read, not imported, by a module.
DATA = {
    "headway.config": sorted((ROOT / "workflow" / "schemas").glob("*.yaml")),
}


def module_path(name: str) -> Path | None:
    """Find the file of a module of the package; None for other modules."""
    parts = name.split(".")
    if parts[0] != "headway":
        return None
    base = PACKAGE.joinpath(*parts[1:])
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


@cache
def imports(path: Path) -> frozenset[str]:
    """List the modules of the package that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
            if node.module.startswith("_"):
                names.add(node.module)
    return frozenset(n for n in names if n.split(".")[0] == "headway")


@cache
def modules_of(script: str) -> tuple[str, ...]:
    """List every module that a script reaches, directly or through others."""
    todo = set(imports(SCRIPTS / script)) | set(imports(SCRIPTS / "_job.py"))
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


@cache
def files_of(script: str) -> tuple[Path, ...]:
    """List the files whose content a script's result depends on, the script aside."""
    out = {SCRIPTS / "_job.py"}
    for name in modules_of(script):
        path = module_path(name)
        if path is None:
            continue
        out.add(path)
        out |= set(DATA.get(name, ()))
        if path.name == "__init__.py" and path.parent != PACKAGE:
            out |= {f for f in path.parent.rglob("*")
                    if f.is_file() and f.suffix not in (".py", ".pyc")}
        elif path.with_suffix(".yaml").is_file():
            out.add(path.with_suffix(".yaml"))
    return tuple(sorted(out))


@cache
def digest(script: str) -> str:
    """Hash the files that a script stands on."""
    total = hashlib.sha256()
    for path in files_of(script):
        total.update(path.relative_to(ROOT).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:16]
