"""The tables `sensitivity` and `specifications` of a clinic: what each row is, against counts."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import config, tables
from headway.figures import theme
from headway.figures.clinic.sensitivity import draw_clinic_specifications, draw_sensitivity
from headway.messages import Message, say, term
from headway.outcomes.change import cohort
from headway.outcomes.change import windows as windows_of
from headway.outcomes.change.change import t_interval
from headway.outcomes.change.missingness import bound_change
from headway.outcomes.expectation import imputation, multiverse, sensitivity
from headway.tables import read_parquet
from tests.unit.clinic_builder import ingest, statistic

DEMO = Path(__file__).resolve().parents[2] / "data" / "raw" / "clinics" / "demo"
AXES = list(multiverse.AXES)


class Clinic:
    """A clinic with everything the two tables are made from."""

    def __init__(self, folder: Path) -> None:
        _, _, self.processed = ingest(folder)
        declared = config.load_clinic(folder)
        self.spec = replace(
            declared,
            bootstrap=replace(declared.bootstrap, replicates=200),
            sensitivity=replace(declared.sensitivity, imputations=5, cycles=4),
        )
        self.result = cohort.analyse_clinic(self.processed, self.spec)
        sessions, patients = (
            read_parquet(self.processed / f"{name}.parquet") for name in ("sessions", "patients")
        )
        self.windows = self.result["windows"]
        self.starters = cohort.find_starters(self.processed)
        self.groups = cohort.label_groups(sessions, patients, self.windows, self.starters)
        comparisons = windows_of.list_comparisons(self.spec, set(self.windows["source"]))
        self.primary = comparisons[0]
        self.people = cohort.describe_people(
            patients, self.windows, self.groups, comparisons, self.starters
        )
        self.courses = windows_of.find_courses(sessions, self.spec.course.gap_weeks)

    def sensitivity(self, spec: Any = None, **changes: Any) -> pd.DataFrame:
        arguments = {
            "windows": self.windows,
            "starters": self.starters,
            "comparison": self.primary,
            "characteristics": self.people,
            "therapists": self.groups.get("therapist"),
        } | changes
        return sensitivity.build_sensitivity(clinic=spec or self.spec, **arguments)

    def specifications(self, spec: Any = None, varied: Any = None) -> pd.DataFrame:
        return multiverse.build_specifications(
            self.windows, self.starters, self.primary, spec or self.spec, self.people, varied
        )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    return Clinic(shutil.copytree(DEMO, tmp_path_factory.mktemp("demo") / "demo"))


@pytest.fixture(scope="module")
def table(demo: Clinic) -> pd.DataFrame:
    return demo.sensitivity()


@pytest.fixture(scope="module")
def varied(demo: Clinic) -> dict[float, pd.DataFrame]:
    days = demo.processed / "days.parquet"
    return multiverse.vary_diary(days, demo.spec, demo.courses, demo.primary)


@pytest.fixture(scope="module")
def curve(demo: Clinic, varied: dict[float, pd.DataFrame]) -> pd.DataFrame:
    return demo.specifications(varied=varied)


def row(table: pd.DataFrame, id: str) -> pd.Series:
    return table.set_index("id").loc[id]


def at_least(days: int) -> str:
    return str(Message("choice.at_least", n=days))


def test_the_first_rows_are_what_the_cohort_says(demo: Clinic, table: pd.DataFrame) -> None:
    declared = statistic(demo.result, "primary", "change_mean")
    pairs = row(table, "complete_pairs")
    for name in ("estimate", "ci_low", "ci_high", "n", "of"):
        assert np.isclose(pairs[name], declared[name], rtol=1e-12), name
    bounds = bound_change(demo.windows, demo.starters, demo.primary, demo.spec)
    assert bounds is not None
    assert row(table, "bound_low")["estimate"] == bounds.low
    assert row(table, "bound_high")["estimate"] == bounds.high
    assert (table["of"] == len(demo.starters)).all()
    assert not table["redacted"].any()


def test_the_baseline_carried_forward_counts_who_it_cannot_hold(
    demo: Clinic, table: pd.DataFrame
) -> None:
    carried = row(table, "baseline_carried_forward")
    own = demo.windows[(demo.windows["source"] == "diary") & demo.windows["complete"]]
    own = own[(own["outcome"] == "frequency") & own["patient_id"].isin(demo.starters)]
    before = set(own.loc[own["window"] == "baseline", "patient_id"])
    pairs = demo.result["change"]
    pairs = pairs[(pairs["comparison"] == "primary") & (pairs["outcome"] == "frequency")]
    assert carried["n"] == len(before) < len(demo.starters)
    assert np.isclose(carried["estimate"], pairs["change"].sum() / len(before), rtol=1e-12)
    unknown = len(demo.starters) - len(before)
    assert f"{unknown} people without one are left out" in say(carried["note"])


def test_imputation_and_models_stand_on_everyone(demo: Clinic, table: pd.DataFrame) -> None:
    imputed = row(table, "multiple_imputation")
    assert imputed["n"] == len(demo.starters)
    assert imputed["ci_low"] < imputed["estimate"] < imputed["ci_high"]
    assert 0 < row(table, "missing_information")["estimate"] < 100
    for id in ("gee_binomial", "gee_poisson", "mixed_model"):
        assert row(table, id)["n"] >= row(table, "complete_pairs")["n"]
        # The demo's people are lost at random enough for all to agree within a day.
        assert abs(row(table, id)["estimate"] - imputed["estimate"]) < 1, id
    robust, corrected = row(table, "gee_binomial"), row(table, "gee_binomial_corrected")
    assert corrected["ci_low"] < robust["ci_low"] < robust["ci_high"] < corrected["ci_high"]
    ratio = row(table, "gee_binomial_ratio")
    assert (ratio["unit"], ratio["estimate"] < 1) == ("odds_ratio", robust["estimate"] < 0)


def test_therapists_count_from_ten_on(demo: Clinic, table: pd.DataFrame) -> None:
    few = row(table, "clustered_by_therapist")
    assert np.isnan(few["estimate"])
    assert "fewer than 10" in say(few["note"])
    none = row(demo.sensitivity(therapists=None), "clustered_by_therapist")
    assert "not recorded" in say(none["note"])
    labels = [f"T{i % 12}" for i in range(len(demo.starters))]
    many = pd.Series(labels, index=demo.starters)
    many.iloc[:30] = "several"
    found = row(demo.sensitivity(therapists=many), "clustered_by_therapist")
    assert np.isfinite(found["ci_low"])
    assert say(found["note"]).startswith("12 therapists; ")
    pairs = row(table, "complete_pairs")["n"]
    assert found["n"] + int(say(found["note"]).split("; ")[1].split()[0]) == pairs


def test_what_cannot_be_done_is_said(demo: Clinic) -> None:
    spec = replace(demo.spec, primary_outcome="intensity")
    note = say(row(demo.sensitivity(spec), "multiple_imputation")["note"])
    assert note.startswith("not done: intensity does not exist")
    few = demo.starters[:8]
    table = demo.sensitivity(starters=few)
    assert "fewer than 10" in say(row(table, "multiple_imputation")["note"])
    assert len(demo.sensitivity(starters=demo.starters[:0])) == 0
    assert len(demo.sensitivity(windows=demo.windows[:0])) == 0


@pytest.mark.parametrize("outcome", ["frequency", "intensity", "duration", "headache_index"])
def test_a_change_has_one_unit_in_every_table(demo: Clinic, outcome: str) -> None:
    unit = statistic(demo.result, "primary", "change_mean", outcome=outcome)["unit"]
    spec = replace(demo.spec, primary_outcome=outcome)
    assert row(demo.sensitivity(spec), "complete_pairs")["unit"] == unit
    assert set(demo.specifications(spec)["unit"]) == {unit}


def test_hours_that_were_asked_tip_in_hours(demo: Clinic) -> None:
    visits = windows_of.list_comparisons(demo.spec, {"visit"})[0]
    table = demo.sensitivity(replace(demo.spec, primary_outcome="duration"), comparison=visits)
    unit = say(term("unit", row(table, "tipping_mean")["unit"]))
    assert unit in ("hours, worse than imputed", "hours, better than imputed")


def test_the_declared_specification_is_the_declared_analysis(
    demo: Clinic, table: pd.DataFrame, curve: pd.DataFrame
) -> None:
    declared = curve[curve["declared"]]
    assert declared.index.tolist() == [0]
    main = statistic(demo.result, "primary", "change_mean")
    for name in ("estimate", "ci_low", "ci_high", "n", "of"):
        assert np.isclose(declared[name].iloc[0], main[name], rtol=1e-12), name
    imputed = row(table, "multiple_imputation")
    same = curve[(curve[AXES[:5]] == declared[AXES[:5]].iloc[0]).all(axis=1)]
    twin = same[same["lost"] == multiverse.IMPUTED].iloc[0]
    assert (twin["estimate"], twin["ci_low"]) == (imputed["estimate"], imputed["ci_low"])


def test_every_combination_is_there_once(curve: pd.DataFrame) -> None:
    """2 windows x 2 values x 3 rules x 2 lengths x 2 befores x 3 ways, and 2 x 3 imputations."""
    levels = {axis: curve[axis].nunique() for axis in AXES}
    assert levels == {
        "window": 2, "value": 2, "completeness": 3, "headache_day": 2, "before": 2, "lost": 4,
    }  # fmt: skip
    assert not curve.duplicated(AXES).any()
    assert curve["lost"].value_counts().to_dict() == {
        multiverse.PAIRS: 48, multiverse.CARRIED: 48, multiverse.WORST: 48, multiverse.IMPUTED: 6,
    }  # fmt: skip
    tables.validate("specifications", curve)
    worst = curve[curve["lost"] == multiverse.WORST].set_index(AXES[:5])["estimate"]
    pairs = curve[curve["lost"] == multiverse.PAIRS].set_index(AXES[:5])["estimate"]
    assert (worst > pairs).all()
    # 25 days leave fewer people than 14.
    n = curve[curve["lost"] == multiverse.PAIRS].groupby("completeness")["n"].max()
    assert n[at_least(25)] < n[at_least(20)] < n[at_least(14)]


def test_one_specification_by_hand(demo: Clinic, curve: pd.DataFrame) -> None:
    """4 hours, 14 days, counted, one window before: from the diary, day by day."""
    days = read_parquet(demo.processed / "days.parquet")
    treated = days["acute_medication"].fillna(0) > 0
    short = (days["duration_hours"] < 4) & ~treated & (days["headache"] == 1)
    days = days.assign(hit=days["headache"].astype("float64").where(~short, 0.0))
    days = days[days["hit"].notna() & days["patient_id"].isin(demo.starters)]

    def side(low: int, high: int) -> pd.DataFrame:
        own = days[days["day"].between(low, high)]
        return own.groupby("patient_id")["hit"].agg(["sum", "count"])

    again = demo.courses.set_index("patient_id")["next_start"]
    before, after = side(-28, -1), side(56, 83)
    after_full = after[(after["count"] >= 14) & ~(again.reindex(after.index) <= 83).fillna(False)]
    before_full = before[before["count"] >= 14]
    change = (after_full["sum"] - before_full["sum"]).dropna()
    choice = {
        "window": "window.weeks_9_to_12",
        "value": multiverse.COUNTED,
        "completeness": at_least(14),
        "headache_day": Message("choice.from_hours", hours=4.0),
        "before": multiverse.ONE,
    }
    own = curve[(curve[list(choice)] == pd.Series(choice)).all(axis=1)].set_index("lost")
    pairs = own.loc[multiverse.PAIRS]
    assert pairs["n"] == len(change)
    assert np.isclose(pairs["estimate"], change.mean(), rtol=1e-12)
    assert np.allclose((pairs["ci_low"], pairs["ci_high"]), t_interval(change.to_numpy()))
    carried = own.loc[multiverse.CARRIED]
    assert (carried["n"], carried["estimate"]) == (
        len(before_full), pytest.approx(change.sum() / len(before_full)),
    )  # fmt: skip
    worst_after = (after["sum"] + 28 - after["count"]).reindex(demo.starters).fillna(28.0)
    worst_after.update(after_full["sum"])
    fewest_before = before["sum"].reindex(demo.starters).fillna(0.0)
    worst = own.loc[multiverse.WORST]
    assert worst["n"] == len(demo.starters)
    assert np.isclose(worst["estimate"], (worst_after - fewest_before).mean(), rtol=1e-12)


def test_a_diary_without_lengths_has_one_headache_day(demo: Clinic, tmp_path: Path) -> None:
    days = read_parquet(demo.processed / "days.parquet").assign(duration_hours=np.nan)
    tables.write_parquet(days, tmp_path / "days.parquet")
    made = multiverse.vary_diary(tmp_path / "days.parquet", demo.spec, demo.courses, demo.primary)
    assert list(made) == [0.5]


def test_given_windows_need_not_be_declared(demo: Clinic) -> None:
    """A file of windows may name one `post_course`, of which clinic.yaml says nothing."""
    kept = {name: demo.spec.windows.named[name] for name in ("baseline", "post")}
    spec = replace(demo.spec, windows=replace(demo.spec.windows, named=kept))
    given = demo.windows[demo.windows["source"] == "diary"].assign(source="given")
    assert (given["window"] == "post_course").any()
    comparison = windows_of.list_comparisons(spec, {"given"})[0]
    ways = multiverse.build_specifications(given, demo.starters, comparison, spec, demo.people)
    assert ways["window"].nunique() == 1


def test_values_that_were_asked_have_fewer_axes(demo: Clinic) -> None:
    comparisons = windows_of.list_comparisons(demo.spec, {"visit"})
    asked = multiverse.build_specifications(
        demo.windows, demo.starters, comparisons[0], demo.spec, demo.people
    )
    assert set(asked["window"]) == {
        'window.asked_near_day{"day":84}',
        "window.asked_at_the_last_visit",
    }
    assert {c: asked[c].nunique() for c in AXES[1:5]} == dict.fromkeys(AXES[1:5], 1)
    worst = asked[asked["lost"] == multiverse.WORST].iloc[0]
    own = demo.windows[(demo.windows["source"] == "visit") & demo.windows["complete"]]
    own = own[own["outcome"] == "frequency"].pivot(
        index="patient_id", columns="window", values="value"
    )
    own = own.reindex(demo.starters)
    by_hand = own["post"].fillna(28) - own["baseline"].fillna(0)
    assert np.isclose(worst["estimate"], by_hand.mean(), rtol=1e-12)


def test_the_curve_is_drawn_with_its_numbers(curve: pd.DataFrame, tmp_path: Path) -> None:
    drawing = draw_clinic_specifications(curve, "headache days", stamp="SYNTHETIC")
    assert drawing is not None
    declared = curve.iloc[0]
    assert f"{len(curve)} specifications" in drawing.alt
    assert f"declared {declared['estimate']:.2f}".replace("-", "−") in drawing.alt
    assert "effect" not in drawing.alt + drawing.caption + drawing.title
    assert "SYNTHETIC" in drawing.alt
    saved = theme.save({"curve": drawing}, tmp_path)
    assert saved[0].svg.count("<svg") == 1
    withheld = curve.copy()
    withheld.loc[3:8, ["estimate", "ci_low", "ci_high"]] = np.nan
    drawing = draw_clinic_specifications(withheld, "headache days")
    assert drawing is not None
    assert "6 ways" in drawing.caption
    withheld.loc[0, ["estimate", "ci_low", "ci_high"]] = np.nan
    assert draw_clinic_specifications(withheld, "headache days") is None
    assert draw_clinic_specifications(tables.empty("specifications"), "headache days") is None


@pytest.mark.parametrize("seed", [1, 2])
def test_neither_order_nor_codes_move_a_result(
    demo: Clinic, varied: dict[float, pd.DataFrame], curve: pd.DataFrame, seed: int
) -> None:
    """Rows in another order, people under other codes: everything equal to 1e-9."""
    rng = np.random.default_rng(seed)
    codes = pd.Series(
        [f"q{i:04d}" for i in rng.permutation(len(demo.starters))], index=demo.starters
    )

    def rename(table: pd.DataFrame) -> pd.DataFrame:
        known = table[table["patient_id"].isin(demo.starters)]
        out = known.assign(patient_id=known["patient_id"].map(codes))
        return out.sample(frac=1, random_state=seed).reset_index(drop=True)

    def move(table: Any) -> Any:
        out = table.rename(index=codes)
        return out.iloc[rng.permutation(len(out))]

    starters = pd.Index(sorted(codes), name="patient_id")
    moved = {
        "windows": rename(demo.windows),
        "starters": starters,
        "comparison": demo.primary,
        "characteristics": move(demo.people),
    }
    many = pd.Series([f"T{i % 12}" for i in range(len(demo.starters))], index=demo.starters)
    before = demo.sensitivity(therapists=many)
    after = sensitivity.build_sensitivity(clinic=demo.spec, therapists=move(many), **moved)
    again = multiverse.build_specifications(
        clinic=demo.spec, varied={h: rename(t) for h, t in varied.items()}, **moved
    )
    for one, other in ((before, after), (curve, again)):
        pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-9)


def test_windows_with_an_open_end_are_as_declared(tmp_path: Path) -> None:
    """Kostecki-Dillon: all days before v all days after, one day is enough."""
    folder = shutil.copytree(DEMO.parent / "kostecki_dillon_1999", tmp_path / "k")
    clinic = Clinic(folder)
    days = clinic.processed / "days.parquet"
    varied = multiverse.vary_diary(days, clinic.spec, None, clinic.primary)
    found = clinic.specifications(varied=varied)
    assert set(found["completeness"]) == {at_least(1)}
    assert len(found) == 4
    declared = statistic(clinic.result, "all_days", "change_mean")
    assert np.isclose(found["estimate"].iloc[0], declared["estimate"], rtol=1e-12)
    table = clinic.sensitivity()
    assert "bound_low" not in set(table["id"])
    assert "nobody was lost to follow-up" in say(row(table, "tipping_mean")["note"])
    # All days before and after are two windows; those within them are no further ones.
    assert "188 windows" in say(row(table, "gee_binomial")["note"])


def test_the_other_assumptions_are_drawn_with_their_numbers(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    drawing = draw_sensitivity(table, "headache days", stamp="SYNTHETIC")
    assert drawing is not None
    for id in ("complete_pairs", "multiple_imputation", "mixed_model"):
        assert f"{row(table, id)['estimate']:.1f} (95 % CI".replace("-", "−") in drawing.alt
    assert f"{row(table, 'bound_high')['estimate']:.1f}.".replace("-", "−") in drawing.alt
    assert "one therapist" not in drawing.alt  # five of them: not done
    assert "effect" not in drawing.alt + drawing.caption + drawing.title
    theme.save({"assumptions": drawing}, tmp_path)
    nothing = table.copy()
    nothing.loc[nothing["id"] == "complete_pairs", "estimate"] = -0.04
    shown = draw_sensitivity(nothing, "headache days")
    assert shown is not None and ": 0.0 (95 % CI" in shown.alt  # zero has no sign
    withheld = table.copy()
    withheld.loc[withheld["id"] == "complete_pairs", ["estimate", "ci_low", "ci_high"]] = np.nan
    assert draw_sensitivity(withheld, "headache days") is None
    assert draw_sensitivity(tables.empty("sensitivity"), "headache days") is None


def test_above_the_limit_a_sample_is_imputed_and_it_is_said(
    demo: Clinic, table: pd.DataFrame
) -> None:
    """Everything but the imputation stands on all people, to the last digit."""
    spec = replace(demo.spec, sensitivity=replace(demo.spec.sensitivity, max_people=100))
    sides = imputation.before_and_after(demo.windows, demo.starters, demo.primary, "frequency")
    people = imputation.add_auxiliaries(sides, demo.windows, demo.primary, "frequency", demo.people)
    sample = imputation.draw_people(people, 100, 1)
    assert sample is not None
    assert len(sample.unique()) == 100
    found = demo.sensitivity(spec, sample=sample)
    sampled = found["note"].str.contains("assumed.sampled", regex=False).to_numpy()
    assert set(found["id"][sampled]) == {
        "multiple_imputation", "missing_information", "tipping_mean", "tipping_ci",
    }  # fmt: skip
    assert (found["n"][sampled] == 100).all()
    assert (found["of"] == len(demo.starters)).all()
    assert "random sample of 100 people" in say(row(found, "multiple_imputation")["note"])
    pd.testing.assert_frame_equal(found[~sampled], table[~sampled])


def test_a_sample_is_drawn_by_values_not_by_codes_or_order() -> None:
    rng = np.random.default_rng(3)
    people = pd.DataFrame(rng.normal(size=(500, 3)), columns=["pre", "post", "age"])
    people.loc[::7, "post"] = np.nan
    assert imputation.draw_people(people, 500, 1) is None
    one = imputation.draw_people(people, 60, 1)
    turned = people.iloc[rng.permutation(500)].set_index(np.arange(500) + 7000)
    two = imputation.draw_people(turned[["age", "post", "pre"]], 60, 1)
    assert one is not None
    assert two is not None
    first, second = people.loc[one], turned.loc[two]
    assert sorted(first["pre"]) == sorted(second["pre"])
    assert sorted(imputation.draw_people(people, 60, 2)) != sorted(one)


def test_an_imputation_in_a_sample_is_within_its_error_of_the_full_one() -> None:
    """4000 people of whom 30 % are lost at random given `pre`; 20 samples of 400 of them."""
    rng = np.random.default_rng(11)
    pre = rng.uniform(4, 24, 4000)
    post = np.clip(np.round(0.7 * pre + rng.normal(0, 4, 4000)), 0, 28)
    post[rng.random(4000) < 0.1 + 0.02 * (pre - 4)] = np.nan
    people = pd.DataFrame({"pre": pre, "post": post})

    def pool(table: pd.DataFrame) -> imputation.Pooled:
        imputed = imputation.impute_change(table, imputations=10, seed=1, cycles=2)
        assert imputed is not None
        return imputation.pool_change(imputed)

    full, found = pool(people), []
    for seed in range(20):
        sample = imputation.draw_people(people, 400, seed)
        assert sample is not None
        found.append(pool(people.loc[sample]))
    errors = np.array([(one.estimate - full.estimate) / one.se for one in found])
    assert abs(errors.mean()) < 4 / np.sqrt(20)
    assert 0.5 < errors.std(ddof=1) < 1.5
    assert abs(np.mean([one.se for one in found]) / full.se / np.sqrt(10) - 1) < 0.1
