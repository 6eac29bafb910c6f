"""The house: a room imports only rooms before it, and no module imports itself by any way round."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ORDER = (
    "version",
    "messages",  # before all rooms: sentences
    "errors",  # what every room raises
    "tables",
    "config",
    "effects",
    "meta",
    "simulate",
    "ingest",
    "reviews",
    "outcomes",
    "disclosure",
    "federation",
    "figures",
    "report",
    "cli",
    "__main__",
)


def find_imports(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            if node.module == "headway":
                rooms |= {alias.name for alias in node.names}
            elif (node.module or "").startswith("headway."):
                rooms.add((node.module or "").split(".")[1])
        elif isinstance(node, ast.Import):
            rooms |= {a.name.split(".")[1] for a in node.names if a.name.startswith("headway.")}
    return rooms & set(ORDER)


def test_data_flow_down_never_up(repo_root: Path) -> None:
    package = repo_root / "src" / "headway"
    seen = set()
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        if room == "__init__":
            assert find_imports(path) == set()
            continue
        seen.add(room)
        later = {r for r in find_imports(path) if ORDER.index(r) > ORDER.index(room)}
        assert later == set(), f"{path.relative_to(package)} imports {later}"
    assert seen == set(ORDER)


def test_no_circle_of_modules_however_late_or_typed_the_import(repo_root: Path) -> None:
    """Every import counts: those within functions, and those for the type checker alone."""
    import digest

    graph: dict[str, set[str]] = {}
    for path in (repo_root / "src" / "headway").rglob("*.py"):
        name = digest.module_name(path)
        found: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                within = {f"{base}.{alias.name}" for alias in node.names}
                modules = {full for full in within if digest.module_path(full)}
                # The package itself is meant only where a name of it is taken.
                found |= modules | ({base} if within - modules else set())
        graph[name] = {m for m in found if digest.module_path(m)} - {name}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert set(graph) <= set(order)
    assert len(order) > 150
