"""Which tests `make test` runs: measure what each costs, and write the list of the others.

Measure, on an idle machine (a file that exists is continued, so that a run can be stopped):

    HEADWAY_TIMES=times.jsonl python -m pytest -p tests.timing

and write `tests/slow.txt` from it:

    python -m tests.timing times.jsonl [--budget 275]

A cost is in CPU seconds of the process and of those it started; what a module's fixtures cost
falls to the first of its tests. The cheapest functions stay quick until the budget is spent, and of
every file the cheapest function stays, unless it alone costs more than 5 s; so do the answers of R
that the repository carries. What is on the list stays on it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LIST = HERE / "slow.txt"
# Measured apart, or of a folder that is slow as a whole.
APART = ("tests/e2e/", "tests/browser/")
# Quick whatever they cost: what `make test` counts at its end.
KEPT = (
    "tests/golden/test_oracle_",
    "tests/golden/test_stored",
    "tests/unit/test_provoked.py::test_a_small_file",
    "tests/golden/test_metafor_effects.py",
    "tests/golden/test_clinic_inside.py",
    "tests/golden/test_live_network.py::test_every_stored_number",
)
BUDGET, ALONE = 275.0, 5.0
HEAD = """\
# What `make test` leaves to `make test-all`: files, or functions of files (python -m tests.timing).
"""


def spent() -> float:
    """Return CPU seconds of this process and of those that it waited for."""
    import resource  # not on Windows, where nothing is measured

    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note what a test costs, where HEADWAY_TIMES names a file; tell Coverage which test runs."""
    module = sys.modules.get("coverage")
    if module and (running := module.Coverage.current()):
        running.switch_context(item.nodeid)
    before = spent()
    yield
    if os.environ.get("HEADWAY_TIMES"):
        with Path(os.environ["HEADWAY_TIMES"]).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps([item.nodeid, round(spent() - before, 3)]) + "\n")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was measured before."""
    name = os.environ.get("HEADWAY_TIMES")
    if not name or not Path(name).is_file():
        return
    known = {node for node, _ in map(json.loads, Path(name).read_text().splitlines())}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in known])
    items[:] = [item for item in items if item.nodeid not in known]


def name_function(node: str) -> str:
    """Return a test's file and function without its parameters."""
    return node.split("[", 1)[0]


def read_list(path: Path = LIST) -> list[str]:
    """Return the files and functions that are slow."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def is_slow(node: str, slow: set[str]) -> bool:
    """Whether the list holds a test, its function or its file."""
    return name_function(node) in slow or node.split("::", 1)[0] in slow


def choose_slow(times: Iterable[tuple[str, float]], budget: float = BUDGET) -> list[str]:
    """Return the functions that do not fit the budget; a file of which none does, as a whole."""
    cost: dict[str, float] = defaultdict(float)
    for node, seconds in times:
        if not node.startswith(APART):
            cost[name_function(node)] += seconds
    files: dict[str, list[str]] = defaultdict(list)
    for name in sorted(cost, key=lambda name: (cost[name], name)):
        files[name.split("::", 1)[0]].append(name)
    quick = {names[0] for names in files.values() if cost[names[0]] <= ALONE}
    quick |= {name for name in cost if name.startswith(KEPT)}
    left = budget - sum(cost[name] for name in quick)
    for name in sorted(cost.keys() - quick, key=lambda name: (cost[name], name)):
        left -= cost[name]
        if left < 0:
            break
        quick.add(name)
    slow = []
    for file, names in sorted(files.items()):
        own = [name for name in names if name not in quick]
        slow += [file] if len(own) == len(names) else sorted(own)
    return slow


def main() -> None:
    """Write the list."""
    parser = argparse.ArgumentParser(description="Write tests/slow.txt from measured times.")
    parser.add_argument("times", type=Path)
    parser.add_argument("--budget", type=float, default=BUDGET, help="CPU seconds in all")
    given = parser.parse_args()
    times = [json.loads(line) for line in given.times.read_text(encoding="utf-8").splitlines()]
    files = {*read_list(), *choose_slow(times, given.budget)}
    slow = sorted(name for name in files if name.split("::", 1)[0] not in files - {name})
    LIST.write_text(HEAD + "\n".join(slow) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
