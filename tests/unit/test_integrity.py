"""Each doubt is raised by the fault it is about and by nothing that real people can give."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import config
from headway.config.review import Outcome
from headway.ingest import trials
from headway.reviews.integrity import arms as integrity_arms
from headway.reviews.integrity import check_integrity, literature
from tests.unit.review_builder import write_review

HEADER = (
    "trial,arm,role,comparator,outcome,unit,timepoint,time_days,kind,n,mean,sd,se,median,q1,q3,"
    "baseline_n,baseline_mean,baseline_sd,spread_label,positive_means,status,source\n"
)
COLUMNS = HEADER.strip().split(",")
CONTRAST = (
    "trial,treatment_arm,control_arm,outcome,unit,timepoint,effect_type,effect,ci_low,ci_high,se,"
    "p,n_total,positive_means,status,source\n"
)


def row(**changes: object) -> str:
    values: dict[str, object] = {
        "trial": "Example 2001",
        "arm": "massage",
        "role": "treatment",
        "outcome": "frequency",
        "unit": "days_per_28",
        "timepoint": "end",
        "kind": "final",
        "n": 40,
        "mean": 10.5,
        "sd": 6.1,
        "status": "retrieved",
        "source": "T",
    } | changes
    return ",".join(str(values.get(c, "")) for c in COLUMNS) + "\n"


def contrast(**changes: object) -> str:
    values: dict[str, object] = {
        "trial": "Example 2001",
        "treatment_arm": "massage",
        "control_arm": "care",
        "outcome": "frequency",
        "unit": "days_per_28",
        "timepoint": "end",
        "effect_type": "difference",
        "effect": "-2.0",
        "ci_low": "-4.0",
        "ci_high": "0.0",
        "positive_means": "treatment_minus_control",
        "status": "retrieved",
        "source": "T",
    } | changes
    return ",".join(str(values.get(c, "")) for c in CONTRAST.strip().split(",")) + "\n"


CARE = {"arm": "care", "role": "control", "comparator": "usual_care"}


def doubts(folder: Path, arms: str, contrasts: str = "", **changes: object) -> pd.DataFrame:
    files: dict[str, str | bytes] = {"arms.csv": HEADER + arms}
    mapped = {"arms": {"path": "arms.csv"}}
    if contrasts:
        files["contrasts.csv"] = CONTRAST + contrasts
        mapped["contrasts"] = {"path": "contrasts.csv"}
    outcomes = {
        "frequency": {"unit": "days_per_28"},
        "intensity": {"unit": "nrs_0_10", "steps": {"nrs_0_10": 1}},
        "pain": {"unit": "score", "scale": {"low": 0, "high": 3}},
    }
    write_review(folder, files, mapped, outcomes=outcomes, **changes)
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    return check_integrity(read.arms, read.contrasts, read.published, review)


def checks(folder: Path, arms: str, contrasts: str = "") -> list[tuple[str, str]]:
    found = doubts(folder, arms, contrasts)
    return list(zip(found["check"], found["severity"], strict=True))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"mean": 30}, [("mean_on_scale", "impossible")]),
        ({"mean": 28.4, "unit": "days_per_month"}, []),
        # 40 people between 0 and 28 with mean 2 spread by 7.3 at most; 12.0 for mean 6.
        ({"mean": "2.0", "sd": 7.5}, [("sd_on_scale", "impossible")]),
        ({"mean": 6, "sd": 11.4}, []),
        # SE 0.96 is the SE of an SD of 6.1.
        ({"sd": "", "se": 0.96}, []),
        ({"sd": "", "se": 6.1}, [("se_that_is_sd", "impossible")]),
        ({"spread_label": "se"}, [("se_that_is_sd", "doubt")]),
        ({"spread_label": "unstated"}, []),
        ({"sd": 0.96}, [("sd_that_may_be_se", "doubt")]),
        ({"sd": 0.05}, [("sd_beside_literature", "doubt")]),
        # Step 1 on 0-10, 15 people: 5.37 is no mean, 5.33 with SD 0.91 no SD.
        (
            {"outcome": "intensity", "unit": "nrs_0_10", "n": 15, "mean": "5.37", "sd": "2.1"},
            [("grim", "doubt")],
        ),
        (
            {"outcome": "intensity", "unit": "nrs_0_10", "n": 15, "mean": "5.33", "sd": "1.67"},
            [("grimmer", "doubt")],
        ),
        (
            {"outcome": "pain", "unit": "score", "mean": 3.2, "sd": 1},
            ["mean_on_scale"],
        ),
        ({"outcome": "pain", "unit": "score", "mean": 1.5, "sd": 1}, []),
        ({"baseline_n": 38}, [("people_add_up", "doubt")]),
        ({"baseline_mean": 35, "baseline_sd": 6}, [("extreme_change", "doubt")]),
        (
            {"mean": "", "sd": "", "median": 4, "q1": 3, "q3": 14},
            [("skewed_median", "note")],
        ),
        ({"mean": "", "sd": "", "median": 9, "q1": 5, "q3": 14}, []),
    ],
)
def test_each_fault_of_an_arm_raises_its_own_doubt(
    tmp_path: Path, changes: dict[str, object], expected: list[object]
) -> None:
    found = checks(tmp_path / "r", row(**changes))
    wanted = [e if isinstance(e, tuple) else (e, "impossible") for e in expected]
    assert found == wanted


def test_a_change_is_after_minus_before(tmp_path: Path) -> None:
    final = row(baseline_n=40, baseline_mean=14, baseline_sd=6)
    good = row(
        kind="change",
        mean=-3.5,
        sd=5,
        positive_means="worse",
        baseline_n=40,
        baseline_mean=14,
        baseline_sd=6,
    )
    assert checks(tmp_path / "a", final + good) == []
    wrong = good.replace("-3.5", "-5.3")
    assert checks(tmp_path / "b", final + wrong) == [("change_is_difference", "doubt")]
    # 6 and 6.1 with any r give at most 12.1.
    wide = good.replace(",-3.5,5,", ",-3.5,12.9,")
    found = checks(tmp_path / "c", final + wide)
    assert ("sd_of_change", "impossible") in found


def test_a_large_effect_between_arms_is_named(tmp_path: Path) -> None:
    arms = row(mean=4, sd=5) + row(**CARE, mean=20, sd=5)
    assert checks(tmp_path / "r", arms) == [("extreme_effect", "doubt")]


def test_rows_of_another_trial_are_recognised_and_shared_controls_are_not(tmp_path: Path) -> None:
    one = row(mean="10.53", sd="6.14")
    copied = row(trial="Other 2005", mean="10.53", sd="6.14")
    assert checks(tmp_path / "a", one + copied) == [("identical_rows", "doubt")]
    shared = row(trial="Example 2001 b", mean="10.53", sd="6.14")
    assert checks(tmp_path / "b", one + shared) == []
    # Round numbers agree by chance.
    plain = row(mean=10, sd=6) + row(trial="Other 2005", mean=10, sd=6)
    assert checks(tmp_path / "c", plain) == []


@pytest.mark.parametrize(
    ("people", "digits", "sd_digits"),
    [([0, 0, 4, 4], 1, 2), ([0, 2, 2, 3], 0, 1), ([1, 1, 1, 1.9], 2, 1), ([0, 0, 0.9], 0, 2)],
)
def test_what_people_gave_can_be_printed_rounded(
    people: list[float], digits: int, sd_digits: int
) -> None:
    values = np.array(people)
    mean, sd = round(values.mean(), digits), round(values.std(ddof=1), sd_digits)
    printed = {"n": len(people), "mean": mean, "sd": sd, "printed_mean": mean}
    printed |= {"range_low": values.min(), "range_high": values.max(), "mean_decimals": digits}
    printed |= {"sd_decimals": sd_digits}
    names = ("trial", "arm", "outcome", "timepoint", "file")
    where = {**dict.fromkeys(names, "x"), "line": 2, "unit": "score", "unit_printed": "score"}
    rows = pd.DataFrame([{**where, **printed}])
    assert list(integrity_arms.check_ranges(rows)) == []
    for wrong in ({"sd": 2 * sd + 1}, {"mean": mean + 9}):
        assert len(list(integrity_arms.check_ranges(rows.assign(**wrong)))) == 1


@given(st.lists(st.integers(0, 12), max_size=7), st.lists(st.integers(0, 12), min_size=1))
def test_means_are_alike_where_any_choice_of_them_is(theirs: list[int], mine: list[int]) -> None:
    one, other = (np.sort(np.array(x, dtype=float) / 15) for x in (theirs, mine[:4]))
    near = integrity_arms.NEAR
    any_choice = any(
        (np.abs(np.array(some) - other) <= near).all() for some in combinations(one, len(other))
    )
    assert integrity_arms._hold_alike(one, other) == any_choice


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"effect": "-3.0"}, ["centre"]),
        ({"effect_type": "risk ratio", "effect": 0.5, "ci_low": 0.25, "ci_high": 1.0}, []),
        (
            {"effect_type": "risk ratio", "effect": 0.62, "ci_low": 0.25, "ci_high": "1.00"},
            ["centre"],
        ),
        (
            {"effect_type": "OR", "effect": 0.5, "ci_low": -0.1, "ci_high": 1.1},
            ["ratio_above_zero"],
        ),
        # Estimate and limits of -2 +- 2 mean p = 0.05.
        ({"p": "0.05"}, []),
        ({"p": "0.046"}, []),
        ({"p": "0.3"}, ["p_value"]),
        ({"p": "<0.001"}, ["p_value"]),
        ({"p": "n.s."}, []),
        # Arms of 40 with SD 6: se 1.34, limits +-2.6; +-0.4 is far too narrow, +-9 too wide.
        ({"ci_low": -2.4, "ci_high": -1.6}, ["width"]),
        ({"ci_low": -11, "ci_high": 7}, ["width"]),
        ({"ci_low": -4.6, "ci_high": 0.6}, []),
        ({"n_total": 60}, ["people_add_up"]),
    ],
)
def test_each_fault_of_a_difference_raises_its_own_doubt(
    tmp_path: Path, changes: dict[str, object], expected: list[str]
) -> None:
    ratio = str(changes.get("effect_type", "")) in ("risk ratio", "OR")
    arms = row(mean=10, sd=6) + row(**CARE, mean=12, sd=6)
    if ratio:
        arms = row(timepoint="another", mean=10, sd=6)
    found = doubts(tmp_path / "r", arms, contrast(**changes))
    own = found[found["check"] != "difference_of_arms"]
    assert own["check"].tolist() == expected


def test_an_interval_too_narrow_for_its_people_is_named_without_arms(tmp_path: Path) -> None:
    arms = row(trial="Another 1999")
    narrow = contrast(effect=-2, ci_low=-2.05, ci_high=-1.95, n_total=80)
    assert checks(tmp_path / "a", arms, narrow) == [
        ("width", "doubt"),
        ("extreme_effect", "doubt"),
    ]
    wide = contrast(effect=-2, ci_low=-32, ci_high=28, n_total=80)
    assert checks(tmp_path / "b", arms, wide) == [("width", "impossible")]


@settings(deadline=None, max_examples=60)
@given(
    st.integers(8, 60),
    st.integers(8, 60),
    st.floats(4, 22),
    st.floats(-4, 4),
    st.integers(0, 2**32 - 1),
)
def test_honest_trials_are_never_called_impossible(
    n1: int, n2: int, level: float, gain: float, seed: int
) -> None:
    """Simulated diaries, printed to one decimal, with their interval and p: no impossibility."""
    from scipy import stats

    rng = np.random.default_rng(seed)
    before = rng.binomial(28, np.clip(rng.normal(level, 4, n1 + n2) / 28, 0.02, 0.98))
    shift = np.where(np.arange(n1 + n2) < n1, gain, 0)
    after = rng.binomial(28, np.clip((before + shift) / 28, 0.02, 0.98)).astype(float)
    a, b = after[:n1], after[n1:]
    if a.std(ddof=1) < 0.5 or b.std(ddof=1) < 0.5:
        return
    arms = pd.DataFrame(
        {
            "trial": "Example 2001",
            "outcome": "frequency",
            "arm": ["massage", "care"],
            "role": ["treatment", "control"],
            "instrument": None,
            "timepoint": "end",
            "kind": "final",
            "unit": "days_per_28",
            "unit_printed": "days_per_28",
            "n": [float(n1), float(n2)],
            "mean": [round(x.mean(), 1) for x in (a, b)],
            "printed_mean": [round(x.mean(), 1) for x in (a, b)],
            "sd": [round(x.std(ddof=1), 1) for x in (a, b)],
            "printed_sd": [round(x.std(ddof=1), 1) for x in (a, b)],
            "sd_from": "printed",
            "mean_from": "printed",
            "mean_decimals": 1,
            "sd_decimals": 1,
            "step": 1.0,
            "spread_label": None,
            "file": "a.csv",
            "line": [2, 3],
            **dict.fromkeys(
                ("range_low", "range_high", "baseline_n", "baseline_mean", "baseline_sd"), np.nan
            ),
        }
    )
    found = list(integrity_arms.check_arms(arms, {"frequency": Outcome(unit="days_per_28")}))
    assert not [d for d in found if d["severity"] == "impossible"]
    assert not [d for d in found if "grim" in d["check"]]
    assert stats.ttest_ind(a, b).pvalue >= 0


def test_the_literature_names_its_sources_and_stands_in_the_shipped_reviews() -> None:
    known = literature.read_literature()
    raw = Path(__file__).resolve().parents[2] / "data" / "raw" / "trials"
    shipped = pd.concat(
        [pd.read_csv(p) for p in sorted(raw.glob("*/arms.csv")) if len(pd.read_csv(p))]
    )
    keys = ["trial", "arm", "outcome", "timepoint", "kind"]
    joined = known.merge(shipped, on=keys, suffixes=("", "_shipped"), how="left")
    assert len(joined) == len(known) == 67
    factor = known["unit"].map(lambda u: literature.UNITS[u].factor)
    assert np.allclose(known["sd"], joined["sd_shipped"] * factor)
    assert known["source"].notna().all()
    assert not known["trial"].str.startswith("Ajimsha").any()  # the one that is doubted by it


def test_the_largest_sd_without_an_upper_end_is_one_person_s() -> None:
    people = np.array([0.0] * 9 + [50.0])
    found = integrity_arms.largest_sd(people.mean(), 10, 0.0, np.inf)
    assert np.isclose(found, people.std(ddof=1))
    assert np.isnan(integrity_arms.largest_sd(-1.0, 10, 0.0, 10.0))
