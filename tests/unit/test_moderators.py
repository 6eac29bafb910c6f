"""Moderators of a review: values found in files, regressions, reasons for none, pages."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import config
from headway.errors import ConfigError, InputError
from headway.figures.review.draw import draw_review
from headway.ingest import trials
from headway.messages import LANGUAGES, missed, say, speaking
from headway.report.review import page
from headway.report.review.moderators import describe_moderators
from headway.reviews.analyse import analyse_review
from headway.reviews.moderators import regress_review
from headway.reviews.preview import preview_review
from tests.unit.pages_builder import READY
from tests.unit.review_builder import REVIEW, write_review

MAIN: dict[str, Any] = REVIEW["comparisons"][0]
HEADER = (
    "trial,year,arm,role,technique,comparator,outcome,unit,instrument,timepoint,time_days,kind,n,"
    "mean,sd,baseline_mean,positive_means,status,source,dose,place\n"
)
PLAIN = {"method": "EE", "test": "z"}


def pair(
    trial: str, mean: float, dose: object, place: str = "", *, year: int = 2001, n: int = 20,
    days: int = 84, before: object = "", instrument: str = "",
) -> str:  # fmt: skip
    """Write a trial whose control arm has 10 days; dose stands on the treatment arm alone."""
    shared = f"frequency,days_per_28,{instrument},end,{days},final,{n}"
    return (
        f"{trial},{year},t,treatment,manual,,{shared},{mean},4,,,retrieved,T1,{dose},{place}\n"
        f"{trial},{year},c,control,,usual_care,{shared},10,4,{before},,retrieved,T1,,{place}\n"
    )


DOSES = {"A 2001": 2, "B 2001": 4, "C 2001": 5, "D 2001": 8, "E 2001": 12, "F 2001": 13}
MEANS = (9.5, 9.0, 9.2, 8.1, 7.0, 7.4)
ARMS = HEADER + "".join(
    pair(name, mean, dose, "home" if dose < 6 else "clinic", year=2000 + i, n=20 + 5 * i)
    for i, ((name, dose), mean) in enumerate(zip(DOSES.items(), MEANS, strict=True))
)
DOSE = {"column": "dose", "label": "sessions", "unit": "session", "reason": "more may do more"}
PLACE = {"column": "place", "type": "factor", "reason": "who treats"}


def read(folder: Path, text: str = ARMS, *moderators: Any, **changes: Any) -> Any:
    comparison = {**MAIN, "moderators": list(moderators) or [DOSE], **changes.pop("main", {})}
    files = {"arms.csv": text, **changes.pop("files", {})}
    write_review(folder, files, comparisons=[comparison], **changes)
    review = config.load_review(folder)
    return review, trials.read_review(folder, review)


def analyse(
    folder: Path, text: str = ARMS, *moderators: Any, **changes: Any
) -> dict[str, pd.DataFrame]:
    review, found = read(folder, text, *moderators, **changes)
    return analyse_review(
        found.arms, found.contrasts, found.published, review, found.risk_of_bias, explore=False
    )


def slope(table: pd.DataFrame) -> pd.Series:
    return table[table["coefficient"] == "slope"].iloc[0]


def values(tables: dict[str, pd.DataFrame], column: str) -> dict[str, Any]:
    own = tables["bubbles"]
    own = own[own["mark"].eq("trial") & own["moderator"].eq(column)]
    return {r["trial"]: r["x"] if pd.isna(r["category"]) else r["category"]
            for r in own.to_dict("records")}  # fmt: skip


# ── numbers ───────────────────────────────────────────────────────────────────────────────────


def test_a_common_effect_slope_is_weighted_least_squares(tmp_path: Path) -> None:
    tables = analyse(tmp_path / "r", model=PLAIN)
    x = np.array(list(DOSES.values()), float)
    y = np.array(MEANS) - 10
    w = np.array([n / 32 for n in (20, 25, 30, 35, 40, 45)])
    centre = np.average(x, weights=w)
    spread = (w * (x - centre) ** 2).sum()
    row = slope(tables["moderators"])
    assert row["estimate"] == pytest.approx((w * (x - centre) * y).sum() / spread)
    assert row["se"] == pytest.approx(spread**-0.5)
    assert row["qm"] == pytest.approx((row["estimate"] / row["se"]) ** 2)
    assert row["k"] == 6 and row["left_out"] == 0
    assert "note.few_per_coefficient" in row["note"]
    line = tables["bubbles"][tables["bubbles"]["mark"] == "line"]
    intercept = tables["moderators"].iloc[0]["estimate"]
    assert line["yi"].to_numpy() == pytest.approx(
        intercept + row["estimate"] * line["x"].to_numpy()
    )
    assert (line["x"].min(), line["x"].max()) == (2, 13)
    assert tables["bubbles"]["weight"].sum() == pytest.approx(100)


@pytest.mark.parametrize("reference", ["home", "clinic", None])
def test_a_factor_is_a_difference_of_means(tmp_path: Path, reference: str | None) -> None:
    place = PLACE | ({"reference": reference} if reference else {})
    table = analyse(tmp_path / "r", ARMS, place, model=PLAIN)["moderators"]
    y, w = np.array(MEANS) - 10, np.array([20, 25, 30, 35, 40, 45]) / 32
    means = {name: np.average(y[at], weights=w[at])
             for name, at in (("home", slice(0, 3)), ("clinic", slice(3, 6)))}  # fmt: skip
    base = reference or "clinic"  # as frequent as the other: the first by name
    other = "home" if base == "clinic" else "clinic"
    row = table[table["coefficient"] == "difference"].iloc[0]
    assert (row["category"], row["reference"]) == (other, base)
    assert row["estimate"] == pytest.approx(means[other] - means[base])


def test_trials_are_dealt_in_every_way_where_there_are_few(tmp_path: Path) -> None:
    review, found = read(tmp_path / "r", model=PLAIN)
    tables = analyse_review(
        found.arms, found.contrasts, found.published, review, explore=False
    )  # fmt: skip
    assert tables["moderators"]["permutation_p"].isna().all()  # a check leaves it out
    table, _ = regress_review(
        tables["effects"], found.arms, found.contrasts, found.risk_of_bias, review
    )
    x = np.array(list(DOSES.values()), float)
    y, w = np.array(MEANS) - 10, np.array([20, 25, 30, 35, 40, 45]) / 32

    def z(order: tuple[int, ...]) -> float:
        yy, ww = y[list(order)], w[list(order)]
        off = x - np.average(x, weights=ww)
        return abs((ww * off * yy).sum() / np.sqrt((ww * off**2).sum()))

    whole = z(tuple(range(6)))
    reached = [z(order) >= whole * (1 - 1e-9) for order in itertools.permutations(range(6))]
    row = slope(table)
    assert row["permutation_p"] == pytest.approx(np.mean(reached))
    assert (row["arrangements"], row["exact"]) == (720, "yes")
    assert pd.isna(row["seed"])
    assert table.iloc[0][["permutation_p"]].isna().all()


def test_many_trials_are_dealt_by_a_seed_that_is_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    text = HEADER + "".join(
        pair(f"T{i} 2001", round(float(rng.normal(8, 1)), 2), i) for i in range(12)
    )
    review, found = read(tmp_path / "r", text)
    effects = analyse_review(
        found.arms, found.contrasts, found.published, review, explore=False
    )["effects"]  # fmt: skip
    given = (effects, found.arms, found.contrasts, found.risk_of_bias, review)
    first, again = (slope(regress_review(*given)[0]) for _ in range(2))
    assert first["permutation_p"] == again["permutation_p"]
    assert first["seed"] >= 0 and first["exact"] == "no"
    assert first["permutation_p"] == pytest.approx(first["p_value"], abs=0.1)


def test_together_each_stands_beside_the_others(tmp_path: Path) -> None:
    year = {"column": "year", "reason": "care changes"}
    tables = analyse(tmp_path / "r", ARMS, DOSE, year, model=PLAIN, main={"together": True})
    own = tables["moderators"]
    own = own[own["regression"] == "together"]
    x = np.column_stack([np.ones(6), list(DOSES.values()), 2000 + np.arange(6)])
    w = np.diag(np.array([20, 25, 30, 35, 40, 45]) / 32)
    want = np.linalg.solve(x.T @ w @ x, x.T @ w @ (np.array(MEANS) - 10))
    assert own["estimate"].to_numpy() == pytest.approx(want, rel=1e-6)
    assert own["coefficient"].tolist() == ["intercept", "slope", "slope"]


@settings(max_examples=10, deadline=None)
@given(factor=st.sampled_from([0.001, 0.5, 7.0, 1000.0]), shift=st.integers(-3000, 3000))
def test_the_unit_of_a_moderator_changes_its_slope_alone(
    tmp_path_factory: pytest.TempPathFactory, factor: float, shift: int
) -> None:
    moved = HEADER + "".join(
        pair(name, mean, factor * dose + shift)
        for (name, dose), mean in zip(DOSES.items(), MEANS, strict=True)
    )
    plain = HEADER + "".join(
        pair(name, mean, dose) for (name, dose), mean in zip(DOSES.items(), MEANS, strict=True)
    )
    one, two = (
        slope(analyse(tmp_path_factory.mktemp("r") / "r", text)["moderators"])
        for text in (plain, moved)
    )
    assert two["estimate"] * factor == pytest.approx(one["estimate"], rel=1e-6)
    for same in ("p_value", "tau2", "r2", "qe"):
        assert two[same] == pytest.approx(one[same], rel=1e-6, abs=1e-9)


# ── dependent effects ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rule", ["multilevel", "multivariate"])
def test_several_effects_of_a_trial_are_tested_by_trials(tmp_path: Path, rule: str) -> None:
    text = HEADER + "".join(
        pair(f"T{i} 2001", 10 - 0.2 * i + (0.3 if scale == "diary" else 0) + (i % 3) / 2, i,
             "abc"[i % 3], instrument=scale)
        for i in range(9)
        for scale in ("diary", "recall")
    )  # fmt: skip
    tables = analyse(tmp_path / "r", text, DOSE, PLACE, main={"several_effects": rule})
    row = slope(tables["moderators"])
    assert (row["k"], row["effects"], row["test"]) == (9, 18, "cr2")
    assert row["df"] < 8  # Satterthwaite's, of nine trials and two coefficients
    assert row["qm"] == pytest.approx(row["statistic"] ** 2)
    assert np.isnan(row["permutation_p"])
    assert -0.3 < row["estimate"] < -0.1
    line = tables["bubbles"][tables["bubbles"]["mark"] == "line"]
    first = tables["moderators"].iloc[0]
    at_zero = line[line["x"] == 0].iloc[0]
    assert at_zero["yi"] == pytest.approx(first["estimate"])
    assert at_zero["ci_low"] == pytest.approx(first["ci_low"])
    levels = tables["moderators"]
    levels = levels[levels["coefficient"] == "difference"]
    assert levels["qm"].isna().all() and levels["p_value"].notna().all()
    assert "moderators.no_joint_test" in levels["note"].iloc[0]


def test_arms_that_share_a_control_bring_their_covariance(tmp_path: Path) -> None:
    """Generalised least squares with the covariance 16/n of the shared control arm."""
    rows = HEADER
    for i, (name, dose) in enumerate(DOSES.items()):
        both = pair(name, MEANS[i], dose)
        treated, control = both.splitlines()
        second = treated.replace(",t,", ",t2,").replace(f",{MEANS[i]},", f",{MEANS[i] - 1},")
        rows += treated + "\n" + second.replace(f"T1,{dose},", f"T1,{dose + 3},")
        rows += "\n" + control + "\n"
    main = {"several_arms": "covariance"}
    row = slope(analyse(tmp_path / "r", rows, DOSE, main=main)["moderators"])
    y = np.array([m - 10 - d for m in MEANS for d in (0, 1)])
    x = np.column_stack([np.ones(12), [d + e for d in DOSES.values() for e in (0, 3)]])
    block = np.array([[1.6, 0.8], [0.8, 1.6]]) + row["tau2"] * np.array([[1, 0.5], [0.5, 1]])
    weight = np.linalg.inv(np.kron(np.eye(6), block))
    bread = np.linalg.inv(x.T @ weight @ x)
    assert row["estimate"] == pytest.approx((bread @ x.T @ weight @ y)[1], rel=1e-6)
    assert (row["k"], row["effects"]) == (6, 12)


# ── values ────────────────────────────────────────────────────────────────────────────────────


def test_a_trial_without_a_value_is_left_out_by_name(tmp_path: Path) -> None:
    gap = ARMS.replace("T1,4,home", "T1,,home").replace("T1,5,home", "T1,NA,home")
    row = slope(analyse(tmp_path / "r", gap)["moderators"])
    assert (row["k"], row["left_out"]) == (4, 2)
    assert say(row["left_out_trials"]) == "B 2001 (not printed); C 2001 (not printed)"


def test_arms_that_disagree_give_no_value(tmp_path: Path) -> None:
    second = ARMS.splitlines()[1].replace(",t,", ",t2,").replace("T1,2,", "T1,9,")
    tables = analyse(tmp_path / "r", ARMS + second + "\n")
    row = slope(tables["moderators"])
    assert say(row["left_out_trials"]) == "A 2001 (its rows hold several values)"
    assert np.isnan(values(tables, "dose")["A 2001"])


def test_what_is_known_of_every_trial(tmp_path: Path) -> None:
    text = HEADER + "".join(
        pair(f"T{i} 2001", 9 - i / 3, "", year=1990 + i, n=20 + i, days=80 + i, before=12 + i)
        for i in range(5)
    )
    names = ("year", "n", "time_days", "baseline_mean")
    tables = analyse(tmp_path / "r", text, *({"column": c, "reason": "x"} for c in names))
    for column, first, step in zip(names, (1990, 40, 80, 12), (1, 2, 1, 1), strict=True):
        assert list(values(tables, column).values()) == [first + step * i for i in range(5)]


def test_the_overall_risk_of_bias_is_a_factor(tmp_path: Path) -> None:
    risk = "trial,domain,judgement,signed_by\n" + "".join(
        f"{name},overall,{'low' if dose < 6 else 'high'},me\n" for name, dose in DOSES.items()
    )
    moderator = {"column": "risk_of_bias", "type": "factor", "reference": "low", "reason": "x"}
    tables = analyse(
        tmp_path / "r", ARMS, moderator, files={"rob.csv": risk},
        mapped={"arms": {"path": "arms.csv"}, "risk_of_bias": {"path": "rob.csv"}},
    )  # fmt: skip
    assert set(values(tables, "risk_of_bias").values()) == {"low", "high"}
    row = tables["moderators"].iloc[-1]
    assert (row["category"], row["reference"]) == ("high", "low")


def test_the_risk_of_the_control_arm_shares_its_error(tmp_path: Path) -> None:
    header = HEADER.replace("mean,sd,", "events,")
    text = header + "".join(
        f"T{i},2001,t,treatment,manual,,frequency,participants,,end,84,events,50,{5 + i},,,"
        f"retrieved,T1,,\nT{i},2001,c,control,,usual_care,frequency,participants,,end,84,events,"
        f"50,{10 + 3 * i},,,retrieved,T1,,\n"
        for i in range(6)
    )
    tables = analyse(
        tmp_path / "r", text, {"column": "control_risk", "reason": "x"},
        outcomes={"frequency": {"unit": "participants"}}, main={"measure": "RR"},
    )  # fmt: skip
    assert list(values(tables, "control_risk").values()) == [20 + 6 * i for i in range(6)]
    assert "moderators.shared_error" in slope(tables["moderators"])["note"]


def test_the_mean_before_is_part_of_a_change(tmp_path: Path) -> None:
    text = HEADER + "".join(
        pair(f"T{i} 2001", 9 - i / 3, "", before=12 + i)
        .replace("final", "change")
        .replace(",,retrieved", ",worse,retrieved")
        for i in range(6)
    )
    text = "".join(
        line.replace(",4,,worse", f",4,{10 + i},worse")
        for i, line in enumerate(text.splitlines(keepends=True))
    )
    before = {"column": "baseline_mean", "reason": "those worse off may change more"}
    main = {"estimand": "within_arm", "measure": "MC"}
    rows = analyse(tmp_path / "r", text, before, main=main)["moderators"]
    assert "regression to the mean" in say(slope(rows)["note"])


def test_decimal_commas_and_semicolons(tmp_path: Path) -> None:
    text = ARMS.replace(",", ";").replace("T1;12;", "T1;12,5;").replace(".", ",")
    arms = {"path": "arms.csv", "delimiter": ";", "decimal": ","}
    tables = analyse(tmp_path / "r", text, mapped={"arms": arms})
    assert values(tables, "dose")["E 2001"] == 12.5


def test_contrasts_have_moderators_too(tmp_path: Path) -> None:
    text = (
        "trial,year,treatment_arm,control_arm,technique,comparator,outcome,unit,timepoint,"
        "time_days,effect_type,effect,ci_low,ci_high,n_total,positive_means,status,source,dose\n"
    ) + "".join(
        f"T{i},2001,m,c,manual,usual_care,frequency,days_per_28,end,84,difference,{-i},{-i - 2},"
        f"{-i + 2},{90 + i},treatment_minus_control,retrieved,T1,{i}\n"
        for i in range(5)
    )
    people = {"column": "n", "reason": "size"}
    tables = analyse(
        tmp_path / "r", ARMS, DOSE, people, files={"c.csv": text},
        mapped={"contrasts": {"path": "c.csv"}},
    )  # fmt: skip
    assert slope(tables["moderators"])["estimate"] == pytest.approx(-1)
    assert list(values(tables, "n").values()) == [90, 91, 92, 93, 94]


# ── verdicts ──────────────────────────────────────────────────────────────────────────────────


def judge(folder: Path, **entry: Any) -> pd.DataFrame:
    published = {"id": "slope", "label": "slope", "source": "Table 3", **entry}
    published["recompute"] = {"comparison": "main", **entry["recompute"]}
    found = analyse(folder, ARMS, DOSE, PLACE, published=[published])
    # The model of a coefficient is not one that the comparison is pooled by.
    assert not (found["pooled"]["method"].eq("EE") & found["pooled"]["test"].eq("t")).any()
    return found["reproduction"].set_index("part")


def test_a_printed_coefficient_gets_a_verdict(tmp_path: Path) -> None:
    x = np.array(list(DOSES.values()), float)
    y, w = np.array(MEANS) - 10, np.array([20, 25, 30, 35, 40, 45]) / 32
    off = x - np.average(x, weights=w)
    want = (w * off * y).sum() / (w * off**2).sum()
    recompute = {"moderator": "dose"}
    model = {"method": "EE", "test": "z"}
    right = judge(tmp_path / "a", estimate=f"{want:.3f}", k=6, model=model, recompute=recompute)
    assert right.loc["estimate", "verdict"] == right.loc["k", "verdict"] == "reproduced"
    turned = judge(
        tmp_path / "b", estimate=f"{-want:.3f}", model=model, recompute=recompute,
        positive_means="control_minus_treatment",
    )  # fmt: skip
    assert turned.loc["estimate", "verdict"] == "reproduced"
    wrong = judge(tmp_path / "c", estimate=f"{want + 0.1:.3f}", model=model, recompute=recompute)
    assert wrong.loc["estimate", "verdict"] == "not reproduced"
    assert say(wrong.loc["estimate", "how"]).startswith("MD, EE, z, coefficient of dose, k = 6")


def test_a_printed_difference_of_levels_gets_a_verdict(tmp_path: Path) -> None:
    y, w = np.array(MEANS) - 10, np.array([20, 25, 30, 35, 40, 45]) / 32
    home, clinic = np.average(y[:3], weights=w[:3]), np.average(y[3:], weights=w[3:])
    half = 1.959964 * np.sqrt(1 / w[:3].sum() + 1 / w[3:].sum())
    gap = home - clinic
    found = judge(
        tmp_path / "a", estimate=f"{gap:.2f}", ci=[f"{gap - half:.2f}", f"{gap + half:.2f}"],
        model={"method": "EE", "test": "z"}, recompute={"moderator": "place", "level": "home"},
    )  # fmt: skip
    assert set(found["verdict"]) == {"reproduced"}
    found = judge(
        tmp_path / "b", estimate="1.0", recompute={"moderator": "place", "level": "moon"}
    )  # fmt: skip
    assert found.loc["estimate", "verdict"] == "not recomputable"
    with pytest.raises(InputError, match="doze"):
        judge(tmp_path / "c", estimate="1.0", recompute={"moderator": "doze"})


# ── what cannot be ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "moderator", "why"),
    [
        (HEADER + "".join(pair(n, 9, "") for n in DOSES), DOSE, "none_known"),
        (HEADER + "".join(pair(n, 9 - d / 9, 4) for n, d in DOSES.items()), DOSE, "constant"),
        (HEADER + "".join(pair(n, 9, 1, "home") for n in DOSES), PLACE, "one_level"),
        (HEADER + pair("A 2001", 9, 1) + pair("B 2001", 8, 2), DOSE, "too_few"),
        (ARMS, {**PLACE, "reference": "moon"}, "no_reference"),
    ],
)
def test_a_regression_that_cannot_be_says_why(
    tmp_path: Path, text: str, moderator: dict[str, Any], why: str
) -> None:
    tables = analyse(tmp_path / "r", text, moderator)
    (row,) = tables["moderators"].to_dict("records")
    assert row["note"].startswith(f"moderators.{why}")
    assert np.isnan(row["estimate"]) and pd.isna(row["coefficient"])
    assert len(tables["pooled"])
    assert not (tables["bubbles"]["mark"] == "line").any()
    # The check says so before anything is built.
    found = preview_review(tmp_path / "r", config.load_review(tmp_path / "r"))
    assert found.answers[0]["answered"]
    assert f"the moderator {moderator['column']} is not regressed on" in say(
        found.answers[0]["why"]
    )


def test_moderators_that_say_the_same_cannot_stand_together(tmp_path: Path) -> None:
    twice = {"column": "twice", "reason": "x"}
    lines = [HEADER.strip() + ",twice", *ARMS.splitlines()[1:]]
    for i, line in enumerate(lines[1:], 1):
        dose = line.split(",")[-2]
        lines[i] = f"{line},{2 * int(dose) if dose else ''}"
    tables = analyse(tmp_path / "r", "\n".join(lines) + "\n", DOSE, twice, main={"together": True})
    own = tables["moderators"]
    own = own[own["regression"] == "together"]
    assert set(own["note"]) == {"moderators.not_computable"}


def test_subgroups_are_not_reported_twice(tmp_path: Path) -> None:
    text = ARMS.replace(",place\n", ",condition\n")
    moderator = {"column": "condition", "type": "factor", "reason": "x"}
    main = {"subgroup_by": "condition", "together": True}
    tables = analyse(tmp_path / "r", text, DOSE, moderator, main=main)
    own = tables["moderators"]
    alone = own[own["regression"].eq("alone") & own["moderator"].eq("condition")]
    assert alone["note"].tolist() == ["moderators.as_subgroups"]
    assert "subgroups.difference" in tables["pooled"].loc[
        tables["pooled"]["subgroup"].eq("overall"), "note"
    ].iloc[0]  # fmt: skip
    together = own[own["regression"].eq("together") & own["moderator"].eq("condition")]
    assert together["estimate"].notna().all()
    # Where subgroups are pooled and not compared, the moderator is.
    apart = main | {"totals": "subgroups"}
    own = analyse(tmp_path / "s", text, moderator, main=apart)["moderators"]
    assert own["estimate"].notna().all()


def test_words_in_a_column_of_numbers_are_named_with_their_line(tmp_path: Path) -> None:
    text = ARMS.replace("T1,4,home", "T1,four,home")
    with pytest.raises(InputError) as caught:
        read(tmp_path / "r", text)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column) == ("arms.csv", 4, "dose")
    assert "four" not in str(caught.value)
    missing = {"arms": {"path": "arms.csv", "missing": ["", "four"]}}
    row = slope(analyse(tmp_path / "s", text, mapped=missing)["moderators"])
    assert row["left_out"] == 1
    factor = {**DOSE, "type": "factor"}
    assert len(analyse(tmp_path / "t", text, factor)["moderators"])


def test_a_number_has_no_reference_level(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path / "r", ARMS, {**DOSE, "reference": "2"})


def test_a_review_without_moderators_has_empty_tables(tmp_path: Path) -> None:
    tables = analyse(tmp_path / "r", main={"moderators": []})
    assert not len(tables["moderators"]) and not len(tables["bubbles"])


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_no_more_than_the_table(tmp_path: Path, language: str) -> None:
    gap = ARMS.replace("T1,4,home", "T1,,home")
    review, found = read(tmp_path / "r", gap, {**DOSE, "planned": True}, PLACE)
    tables = analyse_review(found.arms, found.contrasts, found.published, review, explore=False)
    own = regress_review(tables["effects"], found.arms, found.contrasts, found.risk_of_bias, review)
    tables |= {"moderators": own[0], "bubbles": own[1]}
    names = ("arms", "contrasts", "published", "risk_of_bias")
    tables |= {name: getattr(found, name) for name in names}
    missed.clear()
    review = replace(review, language=language)  # type: ignore[arg-type]
    with speaking(language):
        assert describe_moderators(review.comparisons[0], tables["moderators"])
        assert not missed
        drawn = draw_review(tables, review)
        html, _ = page.build(review, READY, tables, [])
    assert {name for name in drawn if name.startswith("bubbles")} == {"bubbles_main_1"}
    plain = " ".join(html.split())
    told = {
        "en": (
            "ecological bias",
            "one of 2 looks",
            "fewer than ten studies",
            "B 2001 (not printed)",
        ),
        "es": ("sesgo ecológico", "una de 2 miradas", "menos de diez estudios", "B 2001"),
        "de": ("ökologischer Fehlschluss", "von 2 Blicken", "weniger als zehn Studien", "B 2001"),
    }[language]
    for words in (*told, "more may do more", "sessions"):
        assert words in plain, words
    row = slope(own[0])
    shown = f"{abs(row['estimate']):.2f}"
    assert (shown.replace(".", ",") if language != "en" else shown) in plain
    assert f"{5:d}" in drawn["bubbles_main_1"].alt


def test_a_ratio_stands_on_a_log_axis_and_its_slope_is_a_factor(tmp_path: Path) -> None:
    header = HEADER.replace("mean,sd,", "events,")
    text = header + "".join(
        f"T{i},2001,t,treatment,manual,,frequency,participants,,end,84,events,50,{20 - 2 * i},,,"
        f"retrieved,T1,{i},\nT{i},2001,c,control,,usual_care,frequency,participants,,end,84,events,"
        f"50,20,,,retrieved,T1,,\n"
        for i in range(6)
    )
    review, found = read(
        tmp_path / "r", text, outcomes={"frequency": {"unit": "participants"}},
        main={"measure": "RR"},
    )  # fmt: skip
    tables = analyse_review(found.arms, found.contrasts, found.published, review, explore=False)
    names = ("arms", "contrasts", "published", "risk_of_bias")
    tables |= {name: getattr(found, name) for name in names}
    axes = draw_review(tables, review)["bubbles_main_1"].figure.axes[0]
    assert axes.get_yscale() == "log"
    html, _ = page.build(review, READY, tables, [])
    factor = np.exp(slope(tables["moderators"])["estimate"])
    assert f"{factor:.2f} times as large" in " ".join(html.split())
