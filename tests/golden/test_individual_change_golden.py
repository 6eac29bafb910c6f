"""Reliable change and the lost of a public trial, against known answers and the file by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from headway.outcomes.change import attrition, reliable

FILE = "vickers2004_acupuncture_headache_raw.csv"


@pytest.fixture(scope="module")
def trial(shared: Path) -> pd.DataFrame:
    """Read the file with its stored zeros made missing, as its codebook would have to say."""
    rows = pd.read_csv(shared / "data" / "vickers2004" / FILE).set_index("id")
    for days, score in (("f2", "pk2"), ("f5", "pk5")):
        rows[days] = rows[days].where(rows[score].notna())
    return rows


def test_noise_of_usual_care(trial: pd.DataFrame, shared: Path) -> None:
    known = json.loads((shared / "golden" / "clinic.json").read_text())["untreated_test_retest_3m"]
    usual = trial[trial["group"] == 0]
    found = reliable.test_retest(usual["f1"], usual["f2"])
    assert found.n == int(usual["pk2"].notna().sum()) == 153
    assert found.r == pytest.approx(known["r"], abs=0.00051)
    assert found.sem == pytest.approx(known["sem_days"], abs=0.0051)
    assert found.threshold == pytest.approx(known["reliable_change_threshold_days"], abs=0.051)
    # The note's two variants: the standard deviation of completers, and of everyone.
    assert f"{found.threshold:.2f}" == "9.29" and "9.29" in known["note"]
    everyone = found.threshold * usual["f1"].std() / found.sd
    assert f"{everyone:.2f}" == "9.47" and "9.47" in known["note"]


def test_a_halving_from_16_days_is_within_the_noise(trial: pd.DataFrame) -> None:
    usual = trial[trial["group"] == 0]
    sem = reliable.test_retest(usual["f1"], usual["f2"]).sem
    assert reliable.classify([16], [8], sem).tolist() == ["unchanged"]
    assert reliable.classify_response([16], [8]).tolist() == ["at_least_50_better"]


def test_classes_of_the_acupuncture_arm_by_counting(trial: pd.DataFrame) -> None:
    usual, arm = trial[trial["group"] == 0], trial[trial["group"] == 1].dropna(subset=["f5"])
    sem = reliable.test_retest(usual["f1"], usual["f2"]).sem
    table = reliable.cross_tabulate(arm["f1"], arm["f5"], sem)
    limit = 1.96 * np.sqrt(2) * sem
    counts = dict.fromkeys(reliable.CLASSES, 0)
    for before, after in zip(arm["f1"], arm["f5"], strict=True):
        if after - before >= limit:
            counts["deteriorated"] += 1
        elif before - after >= limit:
            counts["recovered" if before >= 15 > after else "improved"] += 1
        else:
            counts["unchanged"] += 1
    assert table.groupby("class")["n"].sum().to_dict() == counts
    assert table["of"].eq(161).all() and min(counts.values()) > 0
    # 30.4 % of 161 in the known answers.
    assert table.loc[table["response"] == "at_least_50_better", "n"].sum() == 49


def test_the_lost_started_worse(trial: pd.DataFrame) -> None:
    """The notes have 17.1 v 15.9 headache days and a score of 29.3 v 25.6 points."""
    columns = ["f1", "pk1", "age", "sex", "migraine"]
    table = attrition.compare_lost(
        trial[columns], trial.index[trial["f5"].notna()], trial.index, categorical=["sex"]
    ).set_index("characteristic")
    assert (table["of_analysed"] == 301).all() and (table["of_lost"] == 100).all()
    days, score = table.loc["f1"], table.loc["pk1"]
    assert (f"{days['value_lost']:.1f}", f"{days['value_analysed']:.1f}") == ("17.1", "15.9")
    assert (f"{score['value_lost']:.1f}", f"{score['value_analysed']:.1f}") == ("29.3", "25.6")
    known = stats.ttest_ind(
        trial.loc[trial["pk5"].isna(), "pk1"],
        trial.loc[trial["pk5"].notna(), "pk1"],
        equal_var=False,
    ).confidence_interval(0.95)
    assert (score["ci_low"], score["ci_high"]) == pytest.approx((known.low, known.high))
    women = table[table["level"] == "1"].iloc[0]
    counted = trial[trial["pk5"].isna()]["sex"].value_counts()
    assert (women["count_lost"], women["n_lost"]) == (counted[1], 100)
