"""Numbers found from others travel with how they were found, into tables, effects and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import config
from headway.effects import recover
from headway.figures.review.forest import draw_forest
from headway.ingest import trials
from headway.ingest.template import HEADERS
from headway.messages import say
from headway.reviews.analyse import analyse_review, pool_review
from headway.reviews.effects_table import build_effects
from tests.unit.review_builder import REVIEW, write_review

COLUMNS = (*HEADERS["arms"], "t", "p")
CARE = {"arm": "care", "role": "control", "technique": "", "comparator": "usual_care"}


def row(**changes: object) -> str:
    values: dict[str, object] = {
        "trial": "A 2001",
        "arm": "massage",
        "role": "treatment",
        "technique": "manual",
        "outcome": "frequency",
        "unit": "days_per_28",
        "timepoint": "end",
        "time_days": 84,
        "kind": "final",
        "n": 30,
        "mean": 8,
        "sd": 5,
        "status": "retrieved",
        "source": "T",
    } | changes
    return ",".join(str(values.get(c, "")) for c in COLUMNS) + "\n"


def load(folder: Path, rows: str, **main: Any) -> tuple[dict[str, Any], trials.Published]:
    text = ",".join(COLUMNS) + "\n" + rows
    comparison = {**REVIEW["comparisons"][0], **main}
    write_review(folder, {"arms.csv": text}, comparisons=[comparison])
    review = config.load_review(folder)
    return review, trials.read_review(folder, review)


def effects(folder: Path, rows: str, **main: Any) -> pd.DataFrame:
    review, read = load(folder, rows, **main)
    return build_effects(read.arms, read.contrasts, review)


FIVE = {"range_low": 0, "q1": 5, "median": 8, "q3": 11, "range_high": 21}
BLANK = {"mean": "", "sd": ""}


@pytest.mark.parametrize(
    ("changes", "mean", "sd", "words"),
    [
        ({"sd": "", "se": 1}, 8, 30**0.5, "standard error"),
        ({"sd": "", "ci_low": 6, "ci_high": 10}, 8, recover.sd_from_ci(6, 10, 30), "interval"),
        (
            {**BLANK, **FIVE},
            recover.mean_from_five(0, 5, 8, 11, 21, 30),
            recover.sd_from_five(0, 5, 8, 11, 21, 30),
            "Luo 2018",
        ),
        (
            {**BLANK, "q1": 5, "median": 8, "q3": 11},
            recover.mean_from_quartiles(5, 8, 11, 30),
            recover.sd_from_iqr(5, 11, 30),
            "Wan 2014",
        ),
        (
            {**BLANK, "range_low": 0, "median": 8, "range_high": 21},
            recover.mean_from_range(0, 8, 21, 30),
            recover.sd_from_range(0, 21, 30),
            "range",
        ),
        (
            {"kind": "change", "mean": 3, "sd": "", "t": 2.5, "positive_means": "better"},
            -3,
            3 / 2.5 * 30**0.5,
            "paired t",
        ),
        (
            {"kind": "change", "mean": 3, "sd": "", "p": "0.02", "positive_means": "better"},
            -3,
            recover.sd_change_from_p(3, 0.02, 30),
            "paired p",
        ),
    ],
)
def test_an_arm_gets_its_numbers_and_says_how(
    tmp_path: Path, changes: dict[str, object], mean: float, sd: float, words: str
) -> None:
    control = {**CARE, "kind": changes.get("kind", "final"), "positive_means": "better"}
    found = effects(tmp_path / "r", row(**changes) + row(**control))
    one = found.iloc[0]
    assert np.allclose([one["mean1"], one["sd1"]], [float(mean), float(sd)], rtol=1e-12)
    assert one["pooled"]
    assert words in say(one["recovered"])
    assert "massage" in one["recovered"]
    assert "care" not in one["recovered"]


def test_a_bound_on_p_gives_no_spread(tmp_path: Path) -> None:
    changes = {"kind": "change", "positive_means": "better"}
    rows = row(**changes, sd="", p="<0.001") + row(**CARE, **changes)
    one = effects(tmp_path / "r", rows).iloc[0]
    assert not one["pooled"]
    assert "why_not.no_sd" in one["why_not"]


def test_units_are_converted_with_a_trace(tmp_path: Path) -> None:
    rows = row(unit="days_per_week", mean=2, sd=1) + row(**CARE, unit="days_per_week", mean=3, sd=1)
    one = effects(tmp_path / "r", rows).iloc[0]
    assert one["yi"] == -4
    assert say(one["recovered"]) == "converted from headache days per week"


def test_a_unit_that_nobody_states_is_never_pooled_even_with_its_like(tmp_path: Path) -> None:
    rows = row(unit="unknown") + row(**CARE, unit="unknown")
    text = ",".join(COLUMNS) + "\n" + rows
    outcomes = {"frequency": {"unit": "unknown"}}
    folder = write_review(tmp_path / "r", {"arms.csv": text}, outcomes=outcomes)
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    found = build_effects(read.arms, read.contrasts, review)
    assert not found["pooled"].any()
    assert found["why_not"].eq("why_not.unit_unstated").all()


def test_printed_rows_carry_no_mark(tmp_path: Path) -> None:
    one = effects(tmp_path / "r", row() + row(**CARE)).iloc[0]
    assert pd.isna(one["recovered"])


def test_a_change_without_an_sd_takes_it_from_before_after_and_r(tmp_path: Path) -> None:
    before = {"baseline_n": 30, "baseline_mean": 12, "baseline_sd": 6}
    rows = ""
    for arm in ({}, CARE):
        rows += row(**arm, **before) + row(
            **arm, **before, kind="change", mean=-3, sd="", positive_means="worse"
        )
    review, read = load(tmp_path / "r", rows)
    tables = analyse_review(read.arms, read.contrasts, read.published, review)
    one = tables["effects"].set_index("timepoint").loc["end, change"]
    expected = np.sqrt(6**2 + 5**2 - 2 * 0.7 * 6 * 5)
    assert np.allclose([one["sd1"], one["sd2"], one["r"]], [expected, expected, 0.7])
    assert "origin.assumed_r" in one["recovered"]
    # The assumption is a sensitivity axis: r = 0.5 and 0.8 beside it.
    assumed = tables["pooled"][tables["pooled"]["assumption"].notna()]
    assert set(assumed["assumption"].map(say)) == {"r = 0.5", "r = 0.8"}
    widths = assumed.assign(w=assumed["ci_high"] - assumed["ci_low"])
    assert widths[widths["assumption"].map(say) == "r = 0.5"]["w"].min() > (
        widths[widths["assumption"].map(say) == "r = 0.8"]["w"].max()
    )


def test_changes_are_derived_only_where_a_comparison_takes_nothing_else(tmp_path: Path) -> None:
    before = {"baseline_n": 30, "baseline_mean": 12, "baseline_sd": 6}
    rows = row(**before, mean=8) + row(**CARE, **before, mean=11)
    plain = effects(tmp_path / "a", rows)
    assert plain["timepoint"].tolist() == ["end, final"]
    derived = effects(tmp_path / "b", rows, kinds=["change"]).iloc[0]
    assert (derived["mean1"], derived["mean2"], derived["yi"]) == (-4, -1, -3)
    assert "origin.difference" in derived["recovered"]
    # Other people before than after: their change is not known.
    lost = rows.replace(",30,12,6", ",33,12,6")
    (left,) = effects(tmp_path / "c", lost, kinds=["change"]).to_dict("records")
    assert not left["pooled"] and "kind_not_taken" in left["why_not"]


def test_several_arms_become_one_or_share_their_control(tmp_path: Path) -> None:
    rows = row(mean=8, n=20) + row(arm="needling", mean=6, n=30) + row(**CARE, mean=11, n=40)
    combined = effects(tmp_path / "a", rows)
    assert len(combined) == 1
    assert combined["recovered"].iloc[0].startswith("recovered.combined")
    assert combined["n1"].iloc[0] == 50
    split = effects(tmp_path / "b", rows, several_arms="split")
    assert split["n2"].tolist() == [20, 20]
    assert split["n1"].tolist() == [20, 30]
    assert split["yi"].tolist() == [-3, -5]
    assert np.allclose(split["vi"], [25 / 20 + 25 / 20, 25 / 30 + 25 / 20])
    assert split["pooled"].all()
    assert split["recovered"].str.startswith("recovered.control_shared").all()
    # Nobody is counted twice.
    assert split[["n1", "n2"]].sum().sum() == 90


def test_events_of_a_shared_control_are_split_with_its_people(tmp_path: Path) -> None:
    header = (
        "trial,arm,role,technique,comparator,outcome,unit,timepoint,kind,n,events,status,source\n"
    )
    rows = header + (
        "A,m,treatment,manual,,frequency,participants,end,events,20,5,retrieved,T\n"
        "A,d,treatment,dry_needling,,frequency,participants,end,events,20,8,retrieved,T\n"
        "A,c,control,,sham,frequency,participants,end,events,40,20,retrieved,T\n"
    )
    comparison = {**REVIEW["comparisons"][0], "measure": "RR", "several_arms": "split"}
    folder = write_review(
        tmp_path / "r",
        {"arms.csv": rows},
        comparisons=[comparison],
        outcomes={"frequency": {"unit": "participants"}},
    )
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    found = build_effects(read.arms, read.contrasts, review)
    assert found["events2"].tolist() == [10, 10]
    assert np.allclose(np.exp(found["yi"]), [0.5, 0.8])


CONTRAST = (
    "trial,treatment_arm,control_arm,technique,comparator,outcome,unit,timepoint,time_days,"
    "effect_type,effect,ci_low,ci_high,se,t,f,p,n_total,positive_means,status,source\n"
)


@pytest.mark.parametrize(
    ("cells", "se", "words"),
    [
        (",,1.5,,,", 1.5, None),
        (",,,-2,,", 1.5, "from t"),
        (",,,,4,", 1.5, "from F"),
        (",,,,,0.04", float(recover.se_from_p(-3, 0.04, 100)), "from p, t"),
        ("-6,0,,,,", 3 / 1.959963984540054, "from the interval, normal"),
        (",,,,,<0.001", None, "p is only a bound"),
    ],
)
def test_a_difference_gets_its_error_and_says_how(
    tmp_path: Path, cells: str, se: float | None, words: str | None
) -> None:
    text = CONTRAST + (
        f"A,m,c,manual,sham,frequency,days_per_28,end,84,difference,-3,{cells},100,"
        "treatment_minus_control,retrieved,T\n"
    )
    folder = write_review(tmp_path / "r", {"c.csv": text}, mapped={"contrasts": {"path": "c.csv"}})
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    one = build_effects(read.arms, read.contrasts, review).iloc[0]
    if se is None:
        assert not one["pooled"]
        assert str(words) in say(one["why_not"])
        return
    # p of n = 100 uses t with 98 df; the function itself is tested elsewhere.
    assert np.isclose(one["vi"], se**2, rtol=1e-12)
    assert (pd.isna(one["recovered"])) if words is None else (words in say(one["recovered"]))


def test_the_forest_plot_marks_what_is_not_printed(tmp_path: Path) -> None:
    rows = row(sd="", se=1) + row(**CARE) + row(trial="B 2002") + row(**CARE, trial="B 2002")
    review, read = load(tmp_path / "r", rows)
    pooled, found = pool_review(build_effects(read.arms, read.contrasts, review), review)
    (drawing,) = draw_forest(found, pooled[pooled["declared"]], review.comparisons[0])
    texts = [t.get_text() for axes in drawing.figure.axes for t in axes.texts]
    assert "A 2001 †" in texts
    assert "B 2002" in texts
    assert "†" in drawing.caption
