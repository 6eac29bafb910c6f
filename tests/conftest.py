"""What all tests share: where the repository stands, and the data that are kept outside it."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests import timing

pytest_plugins = ["pytester"]

# Before numpy is imported: several workers, each with a thread for every processor, would wait for
# each other.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("HEADWAY_SHARED", ROOT / ".." / "shared")).resolve()


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """Return the root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of known answers and data that the project may not carry.

    A user does not have it, and the tests that need it are skipped; in CI its absence is a
    failure, so that no check disappears unseen.
    """
    if not (SHARED / "golden").is_dir():
        text = "HEADWAY_SHARED does not point at the shared data and known answers"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(f"SKIPPED LOUDLY: {text}")
    return SHARED


class Account:
    """What the ledgers of stored answers counted, in this process and in workers of pytest-xdist.

    A section enters as it was compared in this very run: nothing here is a constant.
    """

    def __init__(self) -> None:
        self.sections: list[dict[str, Any]] = []

    @staticmethod
    def read_own() -> list[dict[str, Any]]:
        """Return the counts of this process, if it opened a ledger."""
        ledger = sys.modules.get("tests.golden.ledger")
        return list(ledger.TALLY) if ledger is not None else []

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand the counts of a worker over."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["account"] = self.read_own()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take the counts of a worker."""
        self.sections += getattr(node, "workeroutput", {}).get("account", [])

    def write(self) -> list[str]:
        """Return the lines that a reader sees; none where no ledger was opened."""
        every = self.sections + self.read_own()
        if not every:
            return []
        lines = []
        for inside, where in ((True, "in the repository"), (False, "in HEADWAY_SHARED")):
            own = [s for s in every if s["name"].startswith("inside: ") == inside]
            if not own:
                lines.append(f"{where}: not in this run")
                continue
            compared, off = sum(s["compared"] for s in own), sum(s["off"] for s in own)
            line = f"{where}: {compared:,} numbers compared, {compared - off:,} agree"
            line += f"; {sum(s['excluded'] for s in own):,} left out with a reason"
            unfinished = [s["name"] for s in own if not s["closed"]]
            if unfinished:
                line += f"; NOT FINISHED: {', '.join(sorted(unfinished))}"
            lines.append(line)
        return lines

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say how many numbers were held against R's metafor, and how many agree."""
        lines = self.write()
        if lines:
            terminalreporter.section("held against R's metafor (tests/golden/README.md)")
            for line in lines:
                terminalreporter.write_line(line)


class Left:
    """How many tests a run left to which command; one line for each reason."""

    REASONS: ClassVar = {
        "slurm": "need a scheduler: pytest -m slurm",
        "e2e": "take a fresh clone through the commands: make e2e",
        "outside": "need data that the project may not carry (HEADWAY_SHARED): make test-all",
        "browser": "need a browser: make test-all",
        "slow": "are slow: make test-all",
    }

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count what is left, by the first reason that holds."""
        for item in items:
            marks = {mark.name for mark in item.iter_markers()}
            self.counts.update([next((r for r in self.REASONS if r in marks), "")])

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand the counts of a worker over; all workers collect the same tests."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["left"] = dict(self.counts)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take the counts of a worker."""
        self.counts = Counter(getattr(node, "workeroutput", {}).get("left", {})) or self.counts

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what was left, and where it runs."""
        told = [(self.counts[r], text) for r, text in self.REASONS.items() if self.counts[r]]
        if told:
            terminalreporter.section("left to other commands")
        for count, text in told:
            terminalreporter.write_line(f"{count:,} {text}")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the account of what was held against metafor, and of what was left."""
    config.pluginmanager.register(Account(), "headway-account")
    config.pluginmanager.register(Left(), "headway-left")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what tests/slow.txt names, and what needs data from outside."""
    slow = set(timing.read_list())
    for item in items:
        if timing.is_slow(item.nodeid, slow):
            item.add_marker(pytest.mark.slow)
        chosen = getattr(item, "callspec", None)
        if "shared" in getattr(item, "fixturenames", ()) or (
            chosen is not None and chosen.params.get("source") == "outside"
        ):
            item.add_marker(pytest.mark.outside)
