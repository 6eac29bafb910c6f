"""Twelve clinics with groups of one to seven people, against what an adversary can learn."""

from __future__ import annotations

from functools import cache

import pandas as pd
import pytest

from headway.disclosure import PRESETS, choose_preset, release
from tests.unit.disclosure_attack import Learned, attack
from tests.unit.disclosure_attack_values import learn
from tests.unit.small_clinics import SMALL, small_clinic

ALL = range(len(SMALL))


@cache
def learned() -> Learned:
    """Learn from all clinics which cells always agree."""
    return learn([small_clinic(i)[1] for i in ALL])


@pytest.mark.parametrize("clinic", ALL)
def test_rounded_counts_give_no_small_number_away(clinic: int) -> None:
    found, rules = small_clinic(clinic)[1], PRESETS["opensafely"]
    out = release(found, rules)
    adversary = attack(out, found, rules, learned())
    assert len(adversary.targets()) > 1000
    assert adversary.run(clinic) == {}
    nhs = release(found, PRESETS["nhs"])
    for name, table in out.items():
        pd.testing.assert_frame_equal(table, nhs[name])


@pytest.mark.parametrize("clinic", ALL)
def test_a_small_clinic_gives_no_number_away_under_a_rule_without_rounding(clinic: int) -> None:
    """Exact counts gave small numbers away; they are rounded."""
    found = small_clinic(clinic)[1]
    rules = choose_preset("cms")
    assert (rules.redact_up_to, rules.round_to) == (10, 5)
    out = release(found, rules)
    assert attack(out, found, rules, learned()).run(clinic) == {}


def test_whatever_hides_small_counts_rounds_the_others() -> None:
    for name, rules in PRESETS.items():
        used = choose_preset(name)
        assert (used.name, used.redact_up_to) == (rules.name, rules.redact_up_to)
        assert used.round_to == (1 if rules.open else 5)


def test_people_asked_are_hidden_in_every_table() -> None:
    """60 of 63 were asked: the number is hidden in safety, and so in claims."""
    found = small_clinic(2)[1]
    out = release(found, PRESETS["cms"])
    key = {"harm": "soreness", "group": "all", "per": "patient", "statistic": "share"}
    asked = found["safety"].query("reported == 'asked'")
    for column, value in key.items():
        asked = asked[asked[column] == value]
    assert asked["n"].tolist() == [60.0]
    assert out["safety"].loc[asked.index, "n"].isna().all()
    assert out["claims"].loc[out["claims"]["part"] == "soreness", "patients"].isna().all()
