"""Questionnaires: the facts of the notes, hand counts, and what the loader refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from headway.errors import ConfigError
from headway.messages import say
from headway.outcomes.change import instruments
from headway.outcomes.change.change import Statistic
from headway.report import formats

# name, threshold, points, of one person, source read; as noted from the sources.
PUBLISHED = [
    ("HIT-6", "castien_2012", 8, True, True),
    ("HIT-6", "smelt_2014_mean", 2.5, True, True),
    ("HIT-6", "smelt_2014_roc", 6, True, True),
    ("HIT-6", "smelt_2014_groups", 1.5, False, True),
    ("HIT-6", "houts_2020", 6, True, True),
    ("HIT-6", "coeytaux_2006", 2.3, False, False),
    ("MIDAS", "carvalho_2021", 4.5, True, False),
    ("HDI", "jacobson_1994", 29, True, False),
]


def by_id(statistics: list[Statistic]) -> dict[str, Statistic]:
    out = {s.id: s for s in statistics}
    assert len(out) == len(statistics)
    return out


def test_thresholds_are_the_published_ones() -> None:
    found = [
        (i.name, t.id, t.points, t.applies == "person", t.status == "retrieved")
        for i in instruments.load_instruments().values()
        for t in i.thresholds
    ]
    assert found == PUBLISHED


@pytest.mark.parametrize(
    ("name", "low", "high", "grades"),
    [
        ("HIT-6", 36, 78, ["49 or less", "50 to 55", "56 to 59", "60 or more"]),
        ("MIDAS", 0, 5 * 92, ["5 or less", "6 to 10", "11 to 20", "21 or more"]),
        ("HDI", 0, 100, []),
        ("PGIC", 1, 7, []),
    ],
)
def test_ranges_and_grades(name: str, low: float, high: float, grades: list[str]) -> None:
    known = instruments.describe(name)
    assert (known.low, known.high, known.better) == (low, high, "lower")
    assert [say(instruments._name_grade(known, g)) for g in known.grades] == grades
    scores = [low - 1, low - 0.01, low, (low + high) / 2, high, high + 0.01, np.nan, np.inf]
    found = instruments.out_of_range(name, scores)
    assert found.tolist() == [True, True, False, False, False, True, False, True]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        *((w, "HIT-6") for w in ("HIT-6", "hit6", "HIT 6", "Hit_6", "HIT-6 score", "hit‑6")),
        *((w, "MIDAS") for w in ("midas", "MIDAS total", "Migraine Disability Assessment")),
        *((w, "HDI") for w in ("hdi", "Headache Disability Inventory")),
        *((w, "PGIC") for w in ("pgic", "Patient global impression of change", "PGIC ")),
        *((w, None) for w in ("HIT", "SF-36", "", "HURT", "HIT-66")),
    ],
)
def test_names(written: str, name: str | None) -> None:
    assert instruments.canonical(written) == name
    if name is None:
        with pytest.raises(KeyError, match="none of the known"):
            instruments.out_of_range(written, [1])


def test_shares_by_hand_with_the_intervals_of_statsmodels() -> None:
    #        gain 8    7.9   6   2.5   0  -2.5  -6   -8
    pre = [68, 67.9, 60, 52.5, 50, 50, 50, 50]
    post = [60, 60.0, 54, 50.0, 50, 52.5, 56, 58]
    # A missing score, and one that the instrument cannot give, take the person out.
    found = by_id(instruments.summarise_scores("hit6", [*pre, np.nan, 35, 60], [*post, 50, 50, 79]))
    counts = {
        "hit6_castien_2012_better": 1,
        "hit6_castien_2012_worse": 1,
        "hit6_smelt_2014_mean_better": 4,
        "hit6_smelt_2014_mean_worse": 3,
        "hit6_smelt_2014_roc_better": 3,
        "hit6_smelt_2014_roc_worse": 2,
        "hit6_houts_2020_better": 3,
        "hit6_houts_2020_worse": 2,
        "hit6_grade_1_before": 0,
        "hit6_grade_2_before": 5,
        "hit6_grade_3_before": 0,
        "hit6_grade_4_before": 3,
        "hit6_grade_1_after": 0,
        "hit6_grade_2_after": 4,
        "hit6_grade_3_after": 2,
        "hit6_grade_4_after": 2,
    }
    assert list(found) == list(counts)
    for id, count in counts.items():
        low, high = proportion_confint(count, 8, method="wilson")
        s = found[id]
        assert (s.count, s.n) == (count, 8), id
        assert s.estimate == pytest.approx(100 * count / 8)
        assert (s.ci_low, s.ci_high) == pytest.approx((100 * low, 100 * high))


def test_a_threshold_is_not_missed_by_a_binary_fraction() -> None:
    assert 64.1 - 61.6 < 2.5
    found = by_id(instruments.summarise_scores("HIT-6", [64.1, 61.6], [61.6, 64.1]))
    assert found["hit6_smelt_2014_mean_better"].count == 1
    assert found["hit6_smelt_2014_mean_worse"].count == 1


def test_notes_name_source_population_and_doubt() -> None:
    hit6 = by_id(instruments.summarise_scores("HIT-6", [60], [50]))
    note = say(hit6["hit6_castien_2012_better"].note)
    assert note.startswith("Castien 2012; chronic tension-type headache; ROC")
    # Two scores of +-5 each: 5 * sqrt(2) = 7.07, which 8 exceeds and 6 does not.
    assert "unchanged person" not in note
    for id in ("hit6_houts_2020_worse", "hit6_smelt_2014_mean_better"):
        assert "differ by about 7 points (Kosinski 2003" in say(hit6[id].note)
    assert "chronic migraine" in say(hit6["hit6_houts_2020_worse"].note)
    midas = by_id(instruments.summarise_scores("MIDAS", [20], [10]))
    note = say(midas["midas_carvalho_2021_better"].note)
    assert "not checked" in note and "population not stated" in note and "differ" not in note
    assert "not checked" not in say(hit6["hit6_houts_2020_worse"].note)


@given(
    st.lists(st.tuples(st.integers(36, 78), st.integers(36, 78)), max_size=30),
)
def test_before_and_after_mirror_each_other(people: list[tuple[int, int]]) -> None:
    pre, post = np.array(people, float).reshape(-1, 2).T
    forward = by_id(instruments.summarise_scores("HIT-6", pre, post))
    backward = by_id(instruments.summarise_scores("HIT-6", post, pre))
    turn = {"better": "worse", "worse": "better", "before": "after", "after": "before"}
    for id, s in forward.items():
        stem, _, side = id.rpartition("_")
        assert s.count == backward[f"{stem}_{turn[side]}"].count
    for side in ("before", "after"):
        counts = [s.count for id, s in forward.items() if id.endswith(side)]
        assert sum(counts) == len(people)


def test_an_instrument_without_people_has_lines_without_numbers() -> None:
    for s in instruments.summarise_scores("HDI", [], []):
        assert (s.n, s.count) == (0, 0) and np.isnan([s.estimate, s.ci_low]).all()


def test_a_rating_has_no_score_before() -> None:
    with pytest.raises(ValueError, match="afterwards"):
        instruments.summarise_scores("PGIC", [1], [2])
    with pytest.raises(ValueError, match="same order"):
        instruments.summarise_scores("HDI", [1, 2], [2])


def test_pgic_by_hand_in_numbers_and_words() -> None:
    answers = [1, 2, "2", "Much improved", 3.0, "No change", 4, 5, "very much worse", "6"]
    unreadable = [None, "", 0, 8, 2.5, "better", np.nan, "nan"]
    found = by_id(instruments.summarise_pgic([*answers, *unreadable]))
    counts = {
        "pgic_very_much_improved": 1,
        "pgic_much_improved": 3,
        "pgic_minimally_improved": 1,
        "pgic_no_change": 2,
        "pgic_worse": 3,
        "pgic_at_least_much_improved": 4,
    }
    assert {id: s.count for id, s in found.items()} == counts
    for id, count in counts.items():
        low, high = proportion_confint(count, 10, method="wilson")
        s = found[id]
        assert s.n == 10 and s.estimate == pytest.approx(10 * count)
        assert (s.ci_low, s.ci_high) == pytest.approx((100 * low, 100 * high))
    notes = [say(found[f"pgic_{w}_improved"].note) for w in ("very_much", "much", "minimally")]
    assert [n.split()[0] for n in notes] == ["substantial", "moderate", "minimal"]
    assert all("Dworkin 2008" in n for n in notes)
    assert found["pgic_worse"].note == ""


def test_pgic_reads_what_a_table_holds() -> None:
    assert instruments.read_pgic(np.array([1, 7], np.int64)).tolist() == [1, 7]
    assert np.isnan(instruments.read_pgic([None, [], True])).all()
    assert [s.n for s in instruments.summarise_pgic([])] == [0] * 6


def broken(change: Callable[[dict[str, Any]], object], tmp_path: Path) -> str:
    document = yaml.safe_load(instruments.INSTRUMENT_FILE.read_text(encoding="utf-8"))
    change(document["instruments"])
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    with pytest.raises(ConfigError) as caught:
        instruments.load_instruments(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d["HDI"].pop("range"), ("HDI", "range")),
        (lambda d: d["HDI"].update(rnage=1), ("HDI", "rnage")),
        (lambda d: d["HDI"]["range"].update(low=100), ("HDI", "below range.high")),
        (lambda d: d["HDI"]["aliases"].append("hit 6"), ("HDI", "belongs to HIT-6")),
        (lambda d: d["HDI"]["thresholds"][0].pop("source"), ("HDI.thresholds.0", "source")),
        (lambda d: d["HDI"]["thresholds"][0].update(source="someone"), ("source", "its year")),
        (lambda d: d["HDI"]["thresholds"][0].update(status="sure"), ("status", "recalled")),
        (lambda d: d["HDI"]["thresholds"][0].update(points=-29), ("points", "above 0")),
        (lambda d: d["HDI"]["thresholds"][0].update(points=290), ("wider than the range",)),
        (lambda d: d["HIT-6"]["thresholds"][0].update(doi="doi.org/x"), ("doi",)),
        (lambda d: d["HIT-6"]["thresholds"][0].update(id="houts_2020"), ("used twice",)),
        (lambda d: d["HIT-6"]["grades"]["steps"][1].__setitem__(0, 49), ("HIT-6", "overlap")),
        (lambda d: d["HIT-6"]["grades"]["steps"][1].__setitem__(0, 51), ("HIT-6", "gap")),
        (lambda d: d["MIDAS"]["grades"]["steps"].pop(), ("MIDAS", "cover the range")),
        (lambda d: d["PGIC"]["steps"].pop(), ("PGIC", "one answer per step")),
        (lambda d: d["PGIC"].pop("importance"), ("PGIC", "needs a source")),
        (lambda d: d["HDI"].update(steps=[{"answer": "yes"}]), ("HDI", "only a rating")),
        (
            lambda d: d["PGIC"].update(thresholds=d["HIT-6"]["thresholds"][:2][1:]),
            ("PGIC", "no threshold"),
        ),
    ],
)
def test_a_broken_file_is_refused_with_its_place(
    change: Callable[[dict[str, Any]], object], told: tuple[str, ...], tmp_path: Path
) -> None:
    message = broken(change, tmp_path)
    for text in told:
        assert text in message
    assert "someone" not in message and "-29" not in message  # never the value


def test_words_for_readers_promise_nothing() -> None:
    for s in (
        *(s for n in ("HIT-6", "MIDAS", "HDI") for s in instruments.summarise_scores(n, [], [])),
        *instruments.summarise_pgic([]),
    ):
        assert formats.find_forbidden(f"{say(s.label)} {say(s.note)}") == []
