"""Individual data of a trial: read as declared, summarised as a paper would, adjusted by ANCOVA."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri, stdtrit

from headway import config
from headway.config.review import IpdFile, Review
from headway.errors import InputError
from headway.ingest import trials
from headway.messages import say
from headway.reviews.analyse import analyse_review
from headway.reviews.ipd import (
    Adjusted,
    ancova,
    change_unit,
    find_least,
    read_covariates,
    select,
    summarise,
)
from headway.reviews.search import Searcher
from tests.unit.review_builder import ARMS, write_review

SPEC: dict[str, Any] = {
    "path": "people.csv",
    "trial": "Example 2020",
    "source": "made for a test",
    "disclosure": "public",
    "arm": "group",
    "arms": {
        "massage": {"code": "m", "is": {"role": "treatment", "technique": "manual"}},
        "care": {"code": "c", "is": {"role": "control", "comparator": "usual_care"}},
    },
    "covariates": ["age"],
    "factors": ["centre"],
    "adjust": ["age"],
    "outcomes": [
        {
            "outcome": "frequency",
            "unit": "days_per_28",
            "baseline": "before",
            "value": "after",
            "timepoint": "end",
            "time_days": 84,
            "blank_means_missing": "kept",
        }
    ],
}


def people(n: int = 60, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    before = rng.normal(14, 4, n).round(1)
    treated = np.arange(n) % 2 == 0
    age = rng.integers(20, 70, n)
    after = 0.6 * before + 0.05 * age - 3 * treated + rng.normal(0, 2, n)
    return pd.DataFrame(
        {
            "name": [f"Person {i}" for i in range(n)],
            "group": np.where(treated, "m", "c"),
            "before": before,
            "after": after.round(2),
            "kept": 1,
            "age": age,
            "centre": rng.integers(1, 4, n),
        }
    )


def load(
    folder: Path, table: pd.DataFrame, spec: dict[str, Any] | None = None, **changes: Any
) -> tuple[Review, trials.Published]:
    write_review(
        folder,
        {"people.csv": table.to_csv(index=False)},
        mapped={"ipd": spec or SPEC},
        **changes,
    )
    review = config.load_review(folder)
    return review, trials.read_review(folder, review)


def test_arms_are_what_a_paper_would_print(tmp_path: Path) -> None:
    table = people()
    review, read = load(tmp_path / "r", table)
    arms, contrasts = summarise(read.ipd, review)
    final = arms[arms["kind"] == "final"].set_index("arm")
    own = table[table["group"] == "m"]
    assert final.loc["massage", "n"] == 30
    assert np.isclose(final.loc["massage", "mean"], own["after"].mean())
    assert np.isclose(final.loc["massage", "sd"], own["after"].std())
    change = arms[arms["kind"] == "change"].set_index("arm")
    assert np.isclose(change.loc["massage", "mean"], (own["after"] - own["before"]).mean())
    assert contrasts["effect_type"].tolist() == ["ANCOVA: baseline, age"]
    assert set(arms["status"]) == {"computed"}


def test_no_name_and_no_undeclared_column_is_carried_on(tmp_path: Path) -> None:
    _, read = load(tmp_path / "r", people())
    assert "Person" not in read.ipd.to_csv()
    assert set(json.loads(read.ipd["covariates"].iloc[0])) == {"age", "centre"}


def test_a_zero_of_someone_without_a_record_is_missing(tmp_path: Path) -> None:
    table = people().astype({"kept": object})
    table.loc[:9, "kept"] = None
    table.loc[:9, "after"] = 0
    review, read = load(tmp_path / "r", table)
    arms, _ = summarise(read.ipd, review)
    assert arms.loc[arms["kind"] == "final", "n"].tolist() == [25, 25]
    assert arms["mean"].notna().all()


def test_small_arms_of_restricted_data_are_withheld(tmp_path: Path) -> None:
    restricted = {**SPEC, "disclosure": "restricted"}
    for n, kept in ((14, 0), (16, 4)):  # arms of 7 and of 8
        review, read = load(tmp_path / f"r{n}", people(n), restricted)
        arms, contrasts = summarise(read.ipd, review)
        assert len(arms) == kept
        assert len(contrasts) == bool(kept)
        tables = analyse_review(
            read.arms, read.contrasts, read.published, review, read.risk_of_bias, read.ipd
        )
        assert bool(len(tables["effects"])) == bool(kept)


@pytest.mark.parametrize(("gone", "kept"), [(0, 2), (3, 1), (17, 1), (10, 2), (20, 1)])
def test_values_before_of_few_people_are_withheld(tmp_path: Path, gone: int, kept: int) -> None:
    # Of 20 people of an arm `gone` have no value before: with means of 20 and of 17 the three
    # would be known by subtraction.
    table = people(40)
    table.loc[table.index[table["group"] == "m"][:gone], "before"] = np.nan
    for disclosure in ("public", "restricted"):
        review, read = load(tmp_path / disclosure, table, {**SPEC, "disclosure": disclosure})
        arms, contrasts = summarise(read.ipd, review)
        own = arms[arms["arm"] == "massage"].set_index("kind")
        assert own.loc["final", "n"] == 20
        shown = kept if disclosure == "restricted" else 2 if gone < 20 else 1
        assert len(own) == shown
        assert np.isfinite(own.loc["final", "baseline_mean"]) == (shown == 2)
        assert np.isfinite(contrasts["effect"]).all() == (shown == 2)


@pytest.mark.parametrize(("known", "judged"), [(7, False), (8, True)])
def test_a_difference_adjusted_in_few_people_is_withheld(
    tmp_path: Path, known: int, judged: bool
) -> None:
    table = people(40)
    table["age"] = table["age"].astype(float)
    table.loc[table.index[table["group"] == "m"][known:], "age"] = np.nan
    place = {"trial": "Example 2020", "outcome": "frequency", "timepoint": "end"}
    printed = entry(
        {"estimate": 1.0, "ci_low": 0.0, "ci_high": 2.0},
        recompute={**place, "adjust": ["baseline", "age"]},
    )
    restricted = {**SPEC, "disclosure": "restricted"}
    review, read = load(tmp_path / "r", table, restricted, published=[printed])
    _, contrasts = summarise(read.ipd, review)
    assert np.isfinite(contrasts["effect"]).all() == judged
    found = analyse_review(
        read.arms, read.contrasts, read.published, review, read.risk_of_bias, read.ipd
    )["reproduction"]
    assert found["recomputed"].notna().all() == judged


@pytest.mark.parametrize(
    ("spec", "change", "expected"),
    [
        ({"covariates": ["weight"], "adjust": []}, None, {("weight", "missing_column")}),
        ({"covariates": ["email"], "adjust": []}, ("age", "email"), {("email", "email")}),
        ({}, ("cell", "after"), {("after", "not_a_number")}),
        ({}, ("cell", "group"), {("group", "unknown_arm")}),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    tmp_path: Path, spec: dict[str, Any], change: tuple[str, str] | None, expected: set[Any]
) -> None:
    table = people().astype({"after": object})
    if change and change[0] == "cell":
        table.loc[3, change[1]] = "secret"
    elif change:
        table = table.rename(columns={change[0]: change[1]})
    with pytest.raises(InputError) as caught:
        load(tmp_path / "r", table, {**SPEC, **spec})
    assert {(p.column, p.rule) for p in caught.value.problems} == expected
    assert "secret" not in str(caught.value)


def test_a_file_of_a_clinic_is_found_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "trials" / "r"
    write_review(folder, {"x.csv": ""}, mapped={"ipd": {**SPEC, "clinic": "old"}})
    (source,) = config.find_sources(tmp_path, "trials")
    assert not source.ready
    clinic = tmp_path / "raw" / "clinics" / "old"
    clinic.mkdir(parents=True)
    people().to_csv(clinic / "people.csv", index=False)
    (source,) = config.find_sources(tmp_path, "trials")
    assert source.ready
    assert clinic / "people.csv" in source.files
    assert len(trials.read_review(folder, config.load_review(folder)).ipd) == 60


@given(st.integers(0, 2**32 - 1), st.floats(-5, 5), st.floats(0.1, 10), st.floats(-50, 50))
def test_ancova_moves_with_its_unit(seed: int, effect: float, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    treated = np.arange(40) % 2 == 0
    before = rng.normal(size=40)
    after = before + effect * treated + rng.normal(size=40)
    one = ancova(after, treated, before)
    other = ancova(shift + scale * after, treated, 7 - 3 * before)
    assert np.allclose(
        [other.estimate, other.se, other.ci_low],
        np.array([one.estimate, one.se, one.ci_low]) * scale,
    )
    without = ancova(after, treated, np.empty((40, 0)))
    assert np.isclose(without.estimate, after[treated].mean() - after[~treated].mean())


def test_an_adjusted_difference_of_four_weeks_is_a_quarter_in_one() -> None:
    found = Adjusted(-2.0, 0.5, -3.0, -1.0, 60, 57)
    assert change_unit(found, "days_per_28", "days_per_week") == pytest.approx(
        {"estimate": -0.5, "ci_low": -0.75, "ci_high": -0.25}
    )
    with pytest.raises(LookupError, match="days_per_28 cannot"):
        change_unit(found, "days_per_28", "nrs_0_10")


def test_the_rows_of_one_trial_outcome_and_time_are_taken() -> None:
    every = [(t, o, p) for t in "AB" for o in ("days", "pain") for p in ("early", "end")]
    rows = pd.DataFrame(every, columns=["trial", "outcome", "timepoint"])
    for i, place in enumerate(every):
        assert select(rows, *place).index.tolist() == [i]


def test_public_numbers_may_stand_on_one_person_and_others_on_eight() -> None:
    assert find_least(None) == 8
    bare = IpdFile(path="x.csv", trial="x", source="x", arm="x", arms={}, outcomes=())
    assert find_least(bare) == 8
    assert find_least(replace(bare, disclosure="public")) == 1


def test_ancova_says_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="too few people with all"):
        ancova([1.0, 2.0], [True, True], np.empty((2, 0)))
    with pytest.raises(ValueError, match="too few"):
        ancova([1.0, 2.0], [True, False], np.empty((2, 0)))


def test_covariates_are_numbers_or_levels(tmp_path: Path) -> None:
    _, read = load(tmp_path / "r", people())
    found = read_covariates(read.ipd, ["baseline", "age", "centre"])
    assert found.shape == (60, 4)  # three centres are two columns
    assert set(np.unique(found[:, 2:])) == {0.0, 1.0}


def test_who_lacks_a_covariate_is_left_out(tmp_path: Path) -> None:
    table = people().astype({"centre": object, "age": object})
    table.loc[:4, "centre"] = "NA"
    _, read = load(tmp_path / "a", table)
    found = read_covariates(read.ipd, ["centre"])
    assert np.isnan(found[:5]).all() and np.isfinite(found[5:]).all()
    own = read.ipd
    truth = ancova(own["value"][5:], own["role"][5:].eq("treatment"), found[5:])
    assert ancova(own["value"], own["role"].eq("treatment"), found) == truth
    table["age"] = "NA"
    _, read = load(tmp_path / "b", table)
    assert np.isnan(read_covariates(read.ipd, ["age"])).all()


def entry(values: dict[str, float], digits: int = 2, **more: Any) -> dict[str, Any]:
    """Print what another choice would have given."""
    return {
        "id": "x",
        "label": "x",
        "estimate": f"{values['estimate']:.{digits}f}",
        "ci": [f"{values['ci_low']:.{digits}f}", f"{values['ci_high']:.{digits}f}"],
        **more,
    }


def test_the_search_finds_the_choice_that_was_made(tmp_path: Path) -> None:
    table = people()
    review, read = load(tmp_path / "a", table)
    own = read.ipd
    truth = ancova(
        own["value"], own["role"].eq("treatment"), read_covariates(own, ["baseline", "centre"])
    )
    values = {"estimate": truth.estimate, "ci_low": truth.ci_low, "ci_high": truth.ci_high}
    target = {"trial": "Example 2020", "outcome": "frequency", "timepoint": "end"}
    printed = entry(values, recompute={**target, "adjust": ["baseline", "age"]})
    review, read = load(tmp_path / "b", table, published=[printed])
    tables = analyse_review(
        read.arms, read.contrasts, read.published, review, read.risk_of_bias, read.ipd
    )
    found = tables["reproduction"]
    assert "not reproduced" in set(found["verdict"])
    texts = found["explanation"].dropna().map(say)
    assert texts.str.contains("Conjecture: adjusted for baseline, centre").any()
    # A number that nothing gives is said to be one.
    nonsense = entry({k: v + 40 for k, v in values.items()}, recompute=printed["recompute"])
    review, read = load(tmp_path / "c", table, published=[nonsense])
    tables = analyse_review(
        read.arms, read.contrasts, read.published, review, read.risk_of_bias, read.ipd
    )
    assert (
        tables["reproduction"]["explanation"]
        .map(say)
        .str.contains("none of the other choices")
        .all()
    )


@pytest.mark.parametrize("level", [None, 90])
@pytest.mark.parametrize("of", ["arms", "comparison", "people"])
def test_an_interval_is_recomputed_at_its_own_level(
    tmp_path: Path, of: str, level: float | None
) -> None:
    tail = 0.975 if level is None else 0.95
    place = {"trial": "A 2001", "outcome": "frequency", "timepoint": "3 months"}
    target: dict[str, Any] = {**place, "treatment_arm": "massage", "control_arm": "care"}
    table = people()
    value, half = 8.0 - 10.0, float(ndtri(tail)) * math.sqrt(4**2 / 20 + 5**2 / 21)
    if of == "comparison":
        target = {"comparison": "main"}
    elif of == "people":
        fit = ancova(table["after"], table["group"].eq("m"), table[["before"]])
        value, half = fit.estimate, float(stdtrit(fit.df, tail)) * fit.se
        target = {"trial": "Example 2020", "outcome": "frequency", "timepoint": "end"}
        target["adjust"] = ["baseline"]
    values = {"estimate": value, "ci_low": value - half, "ci_high": value + half}
    printed = entry(values, recompute=target, **({} if level is None else {"level": level}))
    if of == "people":
        review, read = load(tmp_path / "r", table, published=[printed])
    else:
        files = {"arms.csv": "".join(ARMS.splitlines(keepends=True)[:3])}
        write_review(tmp_path / "r", files, published=[printed])
        review = config.load_review(tmp_path / "r")
        read = trials.read_review(tmp_path / "r", review)
    found = analyse_review(
        read.arms, read.contrasts, read.published, review, read.risk_of_bias, read.ipd
    )["reproduction"]
    assert set(found["verdict"]) == {"reproduced"}
    # What the source declares is no other choice.
    parts = {"estimate": printed["estimate"], "ci_low": printed["ci"][0]}
    search = Searcher(review, read.arms, read.contrasts, read.ipd)
    assert not any("%" in say(one) for one in search(review.published[0], parts))


def test_the_search_finds_another_model_and_another_measure(tmp_path: Path) -> None:
    from headway.meta import pool
    from tests.unit.review_builder import ARMS_HEADER, REVIEW

    rng = np.random.default_rng(8)
    rows = ""
    for i in range(5):
        n, gain = int(rng.integers(20, 60)), rng.normal(2, 2)
        for arm, role, what, mean in (
            ("m", "treatment", "manual,", 10 - gain),
            ("c", "control", ",usual_care", 10.0),
        ):
            rows += (
                f"T{i},2001,{arm},{role},{what},frequency,days_per_28,end,84,final,{n},"
                f"{mean:.1f},4,,retrieved,T\n"
            )

    def read(folder: Path, published: list[Any]) -> Any:
        write_review(folder, {"arms.csv": ARMS_HEADER + rows}, published=published)
        review = config.load_review(folder)
        return review, trials.read_review(folder, review)

    review, found = read(tmp_path / "a", [])
    effects = analyse_review(found.arms, found.contrasts, found.published, review)["effects"]
    fit = pool(effects["yi"], effects["vi"], method="DL", test="z")
    values = {k: float(getattr(fit, k)) for k in ("estimate", "ci_low", "ci_high")}
    printed = entry(values, recompute={"comparison": REVIEW["comparisons"][0]["id"]})
    review, found = read(tmp_path / "b", [printed])
    guesses = Searcher(review, found.arms, found.contrasts)(
        review.published[0],
        {"estimate": printed["estimate"], "ci_low": printed["ci"][0], "ci_high": printed["ci"][1]},
    )
    assert "DL, z interval" in [say(guess) for guess in guesses]
    assert len(guesses) <= 3
