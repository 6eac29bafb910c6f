"""What jobs ask of a cluster: more for larger files and for later attempts, and enough."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import resources
from resources import NEEDS, ask, measure, memory, minutes

from headway.tables.engine import MEMORY_MB
from tests.conftest import ROOT

# Peaks of a job's own process (MB) and its CPU time (s), read from the system (getrusage) for
# simulated clinics of 300, 3,000 and 30,000 people, by the size of their files (MB).
MEASURED = [
    ("ingest_clinic", 1.2, 200, 2.4),
    ("ingest_clinic", 12.2, 271, 2.9),
    ("ingest_clinic", 122, 533, 9.3),
    ("analyse_clinic", 1.2, 277, 7.1),
    ("analyse_clinic", 12.2, 376, 23.9),
    ("analyse_clinic", 122, 1181, 43.4),
    ("report_clinic", 1.2, 295, 6.4),
    ("report_clinic", 12.2, 288, 6.5),
    ("report_clinic", 122, 307, 8.8),
    ("analyse_review", 0.17, 141, 7.4),
    ("report_review", 0.17, 271, 8.9),
]


@pytest.mark.parametrize(("rule", "mb", "peak", "seconds"), MEASURED)
def test_a_job_asks_for_more_than_was_measured_and_not_for_much_more(rule, mb, peak, seconds):
    size = int(mb * 1e6)
    needed = peak + resources.STARTERS_MB
    assert 1.2 * needed <= memory(rule, size) <= 3 * needed
    assert 60 * minutes(rule, size) >= 5 * seconds


def test_every_rule_asks_and_nothing_else_is_listed():
    found = {}
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        rules = re.split(r"^rule (\w+):$", path.read_text(), flags=re.M)[1:]
        found |= dict(zip(rules[::2], rules[1::2], strict=True))
    assert found.keys() == NEEDS.keys()
    for name, text in found.items():
        assert text.count("resources:\n") == 1
        assert f'**ask("{name}"' in text


@pytest.mark.parametrize("rule", sorted(NEEDS))
def test_a_later_attempt_asks_for_more(rule):
    assert memory(rule, 10**6, 2) == pytest.approx(2 * memory(rule, 10**6), abs=200)
    assert minutes(rule, 10**6, 3) == 4 * minutes(rule, 10**6)


def test_a_large_clinic_has_room_for_all_that_duckdb_may_take():
    for rule in ("ingest_clinic", "analyse_clinic"):
        for limit in (MEMORY_MB, 8000):
            assert memory(rule, 10**10, engine_mb=limit) >= limit + resources.STARTERS_MB


def test_a_rule_asks_by_the_wildcards_of_its_job():
    asked = ask("analyse_clinic", lambda w: {"a": 0, "b": 10**9}[w.clinic])
    small, large = (SimpleNamespace(clinic=name) for name in "ab")
    assert asked["mem_mb"](small, attempt=1) < asked["mem_mb"](large, attempt=1)
    assert asked["runtime"](small, attempt=1) < asked["runtime"](large, attempt=1)


def test_sizes_add_up_and_an_absent_file_counts_as_nothing(tmp_path: Path):
    (tmp_path / "a.csv").write_text("12345")
    (tmp_path / "b.csv").write_text("678")
    assert measure([tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv"]) == 8
