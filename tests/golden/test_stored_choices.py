"""What is tried where a printed number does not reproduce, and what a check answers, stay as were.

That they are right is held by other tests. These see each way that is tried, with its numbers, and
each reason that is told. `tests/golden/write_stored.py` writes the answers.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from headway import config
from headway.ingest import trials
from headway.reviews import preview, search
from headway.tables import empty
from tests.golden.test_stored import MADE_UP, REMEDY, REVIEWS, STORED, assert_close_texts, stored
from tests.unit import test_individual
from tests.unit.full_review import write_full_review
from tests.unit.pages_builder import RAW

POOLED = ("main", "merged", "better", "rates")
TOTALS = ("unchanged", "web", "peto")
TRIALS = ("Trial 3", "Trial 11")
FEWEST = 3  # trials of which one is left out, to be quick


def list_lines(ways: Iterable[search.Way]) -> list[str]:
    return [f"{n} {words} {json.dumps(values)}" for n, words, values in ways]


def list_ways() -> dict[str, list[str]]:
    """List every way that the search tries, of the made-up review and of made-up people."""
    found: dict[str, list[str]] = {}
    with TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "MOST_TRIALS", FEWEST)
        folder = write_full_review(Path(place) / MADE_UP)
        review = config.load_review(folder)
        read = trials.read_review(folder, review)
        searcher = search.Searcher(review, read.arms, read.contrasts)
        entries = {entry.id: entry for entry in review.published}
        for name in POOLED + TOTALS:
            entry = entries["ratio" if name in TOTALS else "days"]
            target = replace(entry.recompute, comparison=name)
            entry = replace(entry, unit="days_per_week" if name == "main" else None)
            tried = searcher._try_totals if name in TOTALS else searcher._try_pooled
            found[name] = list_lines(tried(replace(entry, recompute=target)))
        for name in TRIALS:
            entry = entries["trial"]
            entry = replace(entry, recompute=replace(entry.recompute, trial=name))
            found[name] = list_lines(searcher._try_trial(entry))
        made = {"trial": "Example 2020", "outcome": "frequency", "timepoint": "end"}
        asked = {"id": "a", "label": "a", "estimate": "-3", "unit": "days_per_year"}
        asked["recompute"] = made | {"adjust": ["baseline"]}
        table = test_individual.people()
        review, read = test_individual.load(Path(place) / "people", table, published=[asked])
        searcher = search.Searcher(review, read.arms, read.contrasts, read.ipd)
        found["people"] = list_lines(searcher._try_adjusted(review.published[0]))
    return found


def list_answers(name: str) -> list[str]:
    """List what a check answers of each comparison and network, by a review's stored tables."""
    if name == MADE_UP:
        with TemporaryDirectory() as place:
            review = config.load_review(write_full_review(Path(place) / name))
    else:
        review = config.load_review(RAW / "trials" / name)
    tables = {table: empty(table) for table in ("effects", "pooled")} | stored(name)["tables"]
    found = [preview.answer_comparison(one, tables) for one in review.comparisons]
    found += [preview.answer_network(one, tables) for one in review.networks]
    return [json.dumps(one) for one in found]


def read(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(
        lzma.decompress((STORED / f"{name}.json.xz").read_bytes())
    )
    return found


def test_every_way_is_tried_that_was() -> None:
    found, kept = list_ways(), read("ways")
    assert set(found) == set(kept), REMEDY
    for name, ways in kept.items():
        assert_close_texts(found[name], ways, name)


@pytest.mark.parametrize("name", [*REVIEWS, MADE_UP])
def test_a_check_answers_what_it_did(name: str) -> None:
    assert list_answers(name) == read("answers")[name], REMEDY
