"""The house: a room imports only rooms before it."""

from __future__ import annotations

import ast
from pathlib import Path

ORDER = (
    "errors",  # before all rooms: what every room raises
    "tables",
    "config",
    "messages",
    "effects",
    "meta",
    "ingest",
    "outcomes",
    "simulate",
    "disclosure",
    "figures",
    "report",
    "cli",
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
