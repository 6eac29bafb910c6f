"""Subgroups of few trials: one tau2 for all, an F test, and what is printed is not touched.

The numbers of a common tau2 are R's metafor 3.8-1 (rma with mods = ~ group - 1, and ~ group with
knha for the test; REML, threshold 1e-12), Welch's those of R's oneway.test.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from headway import config, meta
from headway.ingest import trials
from headway.messages import LANGUAGES, say, speaking
from headway.reviews.analyse import analyse_review
from headway.reviews.groups import fit_groups
from tests.unit.review_builder import ARMS_HEADER, REVIEW, write_review

Y = np.array([-3.1, -1.2, -2.5, -0.4, -1.9, -3.3, -0.2, 0.6, -1.1])
V = np.array([0.6, 0.3, 0.5, 0.2, 0.9, 0.4, 0.35, 0.7, 0.25])
LABELS = list("abbbbbccc")
MODEL: dict[str, Any] = {"method": "REML", "test": "adhoc", "level": 0.95}


def test_small_subgroups_share_one_tau2() -> None:
    found = fit_groups(Y, V, LABELS, own=True, **MODEL)
    b, c = found.fits["b"], found.fits["c"]
    assert (b.estimate, c.estimate) == (
        pytest.approx(-1.77825754, abs=1e-7),
        pytest.approx(-0.32801004, abs=1e-7),
    )
    assert (b.se, c.se) == (pytest.approx(0.49981779, 1e-7), pytest.approx(0.64156412, 1e-7))
    assert b.tau2 == c.tau2 == pytest.approx(0.82873396, 1e-7)
    assert b.df == c.df == 6
    # A group of one is its trial, as printed.
    assert (found.fits["a"].estimate, found.fits["a"].se) == (-3.1, pytest.approx(math.sqrt(0.6)))
    assert found.fits["a"].k == 1 and found.fits["a"].tau2 == 0
    assert found.overall.estimate == meta.pool(Y, V).estimate
    assert "F = 2.91 on 2 and 6 df, p = 0.131" in say(found.note)
    assert "one trial alone makes up a" in say(found.note)


@pytest.mark.parametrize("test", ["z", "t", "knha", "adhoc", "kr"])
def test_differences_are_tested_by_f_whatever_the_interval(test: str) -> None:
    model = {**MODEL, "test": test}
    common = say(fit_groups(Y, V, LABELS, own=True, **model).note)
    assert "F = " in common and "Q = " not in common
    large = say(fit_groups(Y, V, list("aaaabbbbb"), own=True, **model).note)
    assert "a single τ²" in large
    enough = fit_groups(np.r_[Y, Y[:1]], np.r_[V, V[:1]], list("aaaaabbbbb"), own=True, **model)
    assert "Welch" in say(enough.note) and "a single τ²" not in say(enough.note)
    own = meta.pool(Y[:5], V[:5], **model)
    assert enough.fits["a"].tau2 == pytest.approx(own.tau2)


def test_a_number_that_was_printed_keeps_its_way() -> None:
    found = fit_groups(Y, V, LABELS, own=False, **MODEL)
    for name in "abc":
        at = [label == name for label in LABELS]
        assert found.fits[name].estimate == meta.pool(Y[at], V[at]).estimate
    assert "Q = " in say(found.note)


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_nothing_can_be_tested_the_reason_is_said(language: str) -> None:
    with speaking(language):
        each = say(fit_groups(Y[:3], V[:3], list("abc"), own=True, **MODEL).note)
        tested = say(fit_groups(Y, V, LABELS, own=True, **MODEL).note)
    for text in (each, tested):
        assert "nan" not in text.lower() and "–" not in text and "{" not in text
    assert "F = " not in each


def test_welch_is_that_of_raw_numbers() -> None:
    raw = ([1.1, 0.4, 2.0, 1.6, 0.2], [3.1, 2.2, 0.5, 4.4, 1.9, 2.7, 0.8])
    raw = (*raw, [-1, 2.5, 6.0, 0.3, 1.2, 4.1])
    y = np.concatenate(raw)
    labels = [name for name, own in zip("abc", raw, strict=True) for _ in own]
    # With next to no sampling error the Hartung-Knapp error is that of a plain mean.
    found = meta.subgroups(y, np.full(y.size, 1e-10), labels, test="knha", differences="f")
    assert found.q_between == pytest.approx(1.92189256087, rel=1e-6)
    assert (found.df, found.df2) == (2, pytest.approx(9.20803317151, rel=1e-6))
    assert found.p_value == pytest.approx(0.200665360301, rel=1e-6)
    with pytest.raises(ValueError, match="'wald' or 'f'"):
        meta.subgroups(y, np.ones(y.size), labels, differences="q")
    one = meta.subgroups(y, np.ones(y.size), ["z", *labels[1:]], differences="f")
    assert math.isnan(one.p_value) and "use a common tau2" in one.definition


# ---- how often a difference is found that is none ------------------------------------------------

SETS = 6000


def _draw(sizes: tuple[int, ...], tau2: tuple[float, ...]) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(20261130)
    group = np.repeat(np.arange(len(sizes)), sizes)
    v = np.exp(rng.normal(0, 0.8, (SETS, group.size)))
    return rng.normal(0, np.sqrt(v + np.array(tau2)[group])), v, group


@pytest.mark.parametrize("sizes", [(1, 5), (1, 1, 6), (2, 2), (4, 2), (2, 8)])
@pytest.mark.parametrize("tau2", [0.0, 1 / 3, 3.0])
def test_false_differences_of_small_subgroups(sizes: tuple[int, ...], tau2: float) -> None:
    """Near 5 %; the chi-squared test finds 24 % with groups of one and five and large tau2."""
    y, v, group = _draw(sizes, (tau2,) * len(sizes))
    member = {str(g): (group == g).astype(float) for g in range(1, len(sizes))}
    p = np.asarray(meta.regress(y, v, member, test="knha").qm_p_value)
    assert 0.04 < (p < 0.05).mean() < 0.07
    # The batch is what a single set has.
    for i in range(3):
        one = meta.subgroups(y[i], v[i], group, tau2="common", differences="f")
        assert one.p_value == pytest.approx(p[i], rel=1e-6)


@pytest.mark.parametrize("tau2", [(3.0, 3.0), (3.0, 0.0), (0.0, 3.0)])
def test_false_differences_of_larger_subgroups(tau2: tuple[float, float]) -> None:
    """At most 5 %, also where subgroups are not equally varied: each keeps its own tau2."""
    y, v, group = _draw((5, 10), tau2)
    fits = [meta.pool(y[:, group == g], v[:, group == g]) for g in (0, 1)]
    # Welch for two groups is a t test with Satterthwaite's degrees of freedom.
    a, b = (np.asarray(fit.se) ** 2 for fit in fits)
    t = (np.asarray(fits[0].estimate) - np.asarray(fits[1].estimate)) / np.sqrt(a + b)
    p = 2 * stats.t.sf(np.abs(t), (a + b) ** 2 / (a**2 / 4 + b**2 / 9))
    assert (p < 0.05).mean() < 0.06
    for i in range(3):
        one = meta.subgroups(y[i], v[i], group, differences="f")
        assert one.p_value == pytest.approx(p[i], rel=1e-6)


# ---- on files ------------------------------------------------------------------------------------


def arm(trial: str, treated: bool, condition: str, mean: float) -> str:
    what = "massage,treatment,manual," if treated else "sham,control,,sham"
    return (
        f"{trial},2001,{what},frequency,days_per_28,end,84,final,20,{mean},3,,retrieved,T,"
        f"{condition}\n"
    )


def write(folder: Path, means: dict[str, list[float]], **changes: Any) -> Path:
    rows = ARMS_HEADER.strip() + ",condition\n"
    for condition, own in means.items():
        for i, mean in enumerate(own):
            rows += arm(f"{condition} {i}", True, condition, mean)
            rows += arm(f"{condition} {i}", False, condition, 8)
    comparison = {**REVIEW["comparisons"][0], "subgroup_by": "condition"}
    return write_review(folder, {"arms.csv": rows}, comparisons=[comparison], **changes)


def analyse(folder: Path) -> dict[str, pd.DataFrame]:
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    return analyse_review(read.arms, read.contrasts, read.published, review, explore=False)


def test_a_printed_subgroup_is_held_against_that_subgroup_alone(tmp_path: Path) -> None:
    means = {"migraine": [3.0, 6.5], "tension": [7.0, 5.5, 8.5, 6.0, 4.5]}
    dl = {"method": "DL", "test": "z"}
    y = np.array(means["migraine"]) - 8
    alone = meta.pool(y, np.full(2, 2 * 9 / 20), **dl)
    entry = {
        "id": "printed",
        "label": "Migraine, as printed",
        "estimate": f"{alone.estimate:.2f}",
        "ci": [f"{alone.ci_low:.2f}", f"{alone.ci_high:.2f}"],
        "recompute": {"comparison": "main", "subgroup": "migraine"},
        "source": "Table 2",
        "positive_means": "treatment_minus_control",
    }
    for name, changes in (
        ("declared", {"model": dl}),
        ("its own", {"published": [{**entry, "model": dl}]}),
    ):
        changes.setdefault("published", [entry])
        folder = write(tmp_path / name.replace(" ", "_"), means, **changes)
        made = analyse(folder)
        assert set(made["reproduction"]["verdict"]) == {"reproduced"}
        rows = made["pooled"][made["pooled"]["declared"]].set_index("subgroup")
        assert rows.loc["migraine", "tau2"] == rows.loc["tension", "tau2"]
        assert rows.loc["migraine", "tau2"] != pytest.approx(alone.tau2, rel=1e-3)
        assert np.isnan(rows.loc["migraine", "pi_low"])
        assert "F = " in say(rows.loc["overall", "note"])


def test_trials_of_their_own_subgroups_are_not_compared(tmp_path: Path) -> None:
    made = analyse(write(tmp_path / "r", {"migraine": [5.0], "tension": [7.0], "mixed": [4.0]}))
    rows = made["pooled"][made["pooled"]["declared"]].set_index("subgroup")
    assert "cannot be tested: each holds one trial" in say(rows.loc["overall", "note"])
    assert rows.loc["migraine", "estimate"] == pytest.approx(-3)


@pytest.mark.parametrize("totals", ["all", "subgroups"])
@pytest.mark.parametrize("method", [None, "IV"])
@pytest.mark.parametrize("groups", ["aabb--", "aa----", "--aaaa"])
def test_trials_without_a_subgroup_are_one_of_their_own(
    tmp_path: Path, groups: str, method: str | None, totals: str
) -> None:
    rows = [
        f"T{i},2001,{arm},{role},{kinds},frequency,days_per_28,3 months,84,final,50,{mean},4,,"
        f"retrieved,T,{group.strip('-')}\n"
        for i, group in enumerate(groups)
        for arm, role, kinds, mean in (
            ("m", "treatment", "manual,", 8 + 0.3 * i),
            ("c", "control", ",usual_care", 10),
        )
    ]
    one = {**REVIEW["comparisons"][0], "subgroup_by": "subgroup", "totals": totals}
    one |= {} if method is None else {"method": method}
    header = ARMS_HEADER.strip() + ",subgroup\n"
    write_review(tmp_path / "r", {"arms.csv": header + "".join(rows)}, comparisons=[one])
    review = config.load_review(tmp_path / "r")
    read = trials.read_review(tmp_path / "r", review)
    pooled = analyse_review(read.arms, read.contrasts, read.published, review, explore=False)[
        "pooled"
    ].query("declared")
    found = dict(zip(pooled["subgroup"], pooled["k"], strict=True))
    expected = {group: groups.count(group) for group in groups}
    expected["not stated"] = expected.pop("-")
    assert found == expected | ({"overall": 6} if totals == "all" else {})
    assert pooled["estimate"].notna().all()
