"""A clinic's summary, who may read it, and what is pooled of several."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from headway import disclosure, meta
from headway.errors import InputError, RefusedError
from headway.federation import funnel, reading
from headway.federation.definitions import find_differences
from headway.federation.hashes import hash_numbers
from headway.federation.pooling import Registry, build_registry
from headway.federation.reading import Offered
from headway.federation.summary import FIELDS, build_summary, write_summary
from headway.messages import read
from headway.tables import read_csv, write_csv
from tests.unit.registry_builder import (
    copy,
    make_clinic,
    make_pairs,
    make_tables,
    offer,
    seal,
    state,
    summarise,
    write,
)

Path_ = tuple[Any, ...]


def pool_primary(registry: Registry) -> dict[str, Any]:
    rows = registry.pooled
    made: dict[str, Any] = rows[rows["primary"] & rows["measure"].eq("MC")].iloc[0].to_dict()
    return made


def list_rules(offered: list[Offered]) -> dict[str, list[str]]:
    """List the rules that each file breaks."""
    return {one.file: [p.rule for p in one.problems] for one in offered}


def list_leaves(value: Any, at: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """List every value of a document with the way to it."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in items:
        if isinstance(one, dict | list):
            yield from list_leaves(one, (*at, key))
        else:
            yield (*at, key), one


def change(document: dict[str, Any], at: Path_, value: Any) -> dict[str, Any]:
    made = copy(document)
    place = made
    for key in at[:-1]:
        place = place[key]
    place[at[-1]] = value
    return made


# ---- the summary ---------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["opensafely", "cms", "nhs", "public"])
def test_a_summary_holds_released_numbers_and_nothing_else(preset: str) -> None:
    rules = disclosure.choose_preset(preset)
    pairs = {"frequency": make_pairs(1), "intensity": (make_pairs(2)[0] / 3, make_pairs(3)[0] / 3)}
    released = make_tables(pairs, rules)
    summary = build_summary(released, make_clinic(disclosure=preset), rules)
    cohort = released["cohort"]
    for row in summary["outcomes"]:
        own = cohort[cohort["outcome"].eq(row["outcome"])].set_index("statistic")
        for field, (statistic, column) in FIELDS.items():
            there = own.loc[statistic, column]
            assert (row[field] is None) == bool(np.isnan(there))
            assert row[field] is None or row[field] == there
            hidden = f"{row['outcome']}/primary/{field}" in summary["disclosure"]["withheld"]
            assert hidden == bool(own.loc[statistic, "redacted"])
        assert row["n"] == own.loc["change_mean", "n"] and row["of"] == own.loc["change_mean", "of"]
    assert len(write_summary(summary).encode()) < 50_000


def test_a_small_count_is_null_and_named_never_zero() -> None:
    summary = summarise("a", 5, "opensafely", n=30)
    row = summary["outcomes"][0]
    hidden = [f for f in ("responders_30", "responders_50", "worsened_30") if row[f] is None]
    assert hidden, "the made-up clinic has small counts"
    told = summary["disclosure"]
    assert {f"frequency/primary/{f}" for f in hidden} <= set(told["withheld"])
    assert (told["preset"], told["hidden_up_to"], told["rounded_to"]) == ("opensafely", 7, 5)


def test_a_pseudonym_leaves_no_trace_of_the_clinic() -> None:
    rules = disclosure.choose_preset("public")
    tables = make_tables({"frequency": make_pairs(1)}, rules)
    clinic = make_clinic("harbour", title="The Harbour Practice", description="by the harbour")
    text = write_summary(build_summary(tables, clinic, rules, alias="clinic_a"))
    assert "arbour" not in text and json.loads(text)["clinic"]["title"] == "clinic_a"


def test_a_year_of_the_start_is_the_period_and_many_days_are_a_share() -> None:
    rules = disclosure.choose_preset("public")
    tables = make_tables({"frequency": make_pairs(1)}, rules)
    cohort = tables["cohort"]
    main = cohort[cohort["statistic"].eq("change_mean")]
    groups = {"year: 2031": 20.0, "year: 2034": 25.0, "baseline: at least 15 of 28 days": 33.0}
    more = [main.assign(group=g, n=n, primary=False) for g, n in groups.items()]
    tables["cohort"] = pd.concat([cohort, *more], ignore_index=True)
    summary = build_summary(tables, make_clinic(), rules)
    assert summary["period"] == {"from": 2031, "to": 2034}
    assert summary["case_mix"][-1] | {"value": 0} == {
        "characteristic": "days_15_or_more",
        "level": None,
        "measure": "percent",
        "value": 0,
        "count": 33,
        "n": 60,
    }
    assert summary["case_mix"][-1]["value"] == pytest.approx(55.0, rel=1e-12)
    assert len(summary["outcomes"]) == 1, "a group is no outcome"


# ---- pooling -------------------------------------------------------------------------------------


def test_without_suppression_summaries_pool_as_the_cohort_tables_do(tmp_path: Path) -> None:
    """Against the tables read back from disk, and against the people themselves."""
    rules = disclosure.choose_preset("public")
    y, v, exact = [], [], []
    summaries = []
    for i in range(6):
        pairs = {"frequency": make_pairs(i, 40 + 7 * i, -2 - i / 2)}
        write_csv(make_tables(pairs, rules)["cohort"], tmp_path / f"{i}.csv")
        cohort = read_csv("cohort", tmp_path / f"{i}.csv")
        by = cohort.set_index("statistic")["estimate"]
        n = cohort["n"].iloc[0]
        y.append(by["change_mean"])
        v.append(by["change_sd"] ** 2 / n)
        before, after = pairs["frequency"]
        exact.append((np.mean(after - before), np.var(after - before, ddof=1) / len(before)))
        tables = {"cohort": cohort, "lost": make_tables(pairs, rules)["lost"]}
        summaries.append(build_summary(tables, make_clinic(f"c{i}", disclosure="public"), rules))
    row = pool_primary(build_registry(offer(tmp_path / "in", summaries)))
    fit = meta.pool(y, v)
    for name in ("estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high", "tau2", "i2", "q"):
        assert row[name] == pytest.approx(getattr(fit, name), rel=1e-12, abs=1e-12), name
    people = meta.pool(*map(list, zip(*exact, strict=True)))
    assert row["estimate"] == pytest.approx(people.estimate, rel=1e-9)
    assert row["half_unit"] == 0 and row["loss_low"] == row["loss_high"] == row["estimate"]


def test_standardised_changes_are_those_of_the_cohort(tmp_path: Path) -> None:
    rules = disclosure.choose_preset("public")
    y, v, summaries = [], [], []
    for i in range(4):
        tables = make_tables({"frequency": make_pairs(i, 50 + i)}, rules)
        own = tables["cohort"].set_index("statistic").loc["smcr"]
        z = stats.norm.ppf(0.975)
        y.append(own["estimate"])
        v.append(((own["ci_high"] - own["ci_low"]) / (2 * z)) ** 2)
        summaries.append(build_summary(tables, make_clinic(f"c{i}", disclosure="public"), rules))
    rows = build_registry(offer(tmp_path, summaries)).pooled
    row = rows[rows["measure"].eq("SMCR")].iloc[0]
    fit = meta.pool(y, v)
    assert row["estimate"] == pytest.approx(fit.estimate, rel=1e-9)
    assert row["se"] == pytest.approx(fit.se, rel=1e-9)


def test_under_suppression_the_pooled_change_stays_within_the_loss_that_is_said(
    tmp_path: Path,
) -> None:
    """The change without suppression lies in the printed range; made-up clinics, many times."""
    moved = []
    for round_ in range(6):
        seeds = [100 * round_ + i for i in range(5)]
        rows = {
            preset: pool_primary(
                build_registry(
                    offer(
                        tmp_path / f"{round_}{preset}",
                        [
                            summarise(f"c{i}", seed, preset, n=25 + 9 * i, shift=-1 - i)
                            for i, seed in enumerate(seeds)
                        ],
                    )
                )
            )
            for preset in ("public", "opensafely")
        }
        exact, printed = rows["public"]["estimate"], rows["opensafely"]
        assert printed["loss_low"] <= exact <= printed["loss_high"]
        assert printed["loss_low"] < printed["estimate"] < printed["loss_high"]
        assert printed["half_unit"] == 0.05
        moved.append(abs(exact - printed["estimate"]))
    assert max(moved) > 1e-6, "rounding moves something, or nothing was tested"


def test_where_counts_are_rounded_the_error_is_that_of_the_fewest_people(tmp_path: Path) -> None:
    summaries = [summarise(f"c{i}", i, "opensafely", n=60) for i in range(3)]
    rows = build_registry(offer(tmp_path, summaries)).clinics
    for row in rows.to_dict("records"):
        assert row["n"] == 60 and row["se"] == pytest.approx(row["sd_change"] / 58**0.5, rel=1e-12)


def test_one_clinic_is_not_pooled_and_two_have_no_prediction(tmp_path: Path) -> None:
    one = build_registry(offer(tmp_path / "1", [state("a", -2.0)]))
    row = pool_primary(one)
    assert row["k"] == 1 and np.isnan(row["estimate"]) and row["note"] == "registry.alone"
    assert one.contributions["state"].tolist() == ["not_pooled"]
    two = build_registry(offer(tmp_path / "2", [state("a", -2.0), state("b", -3.0)]))
    row = pool_primary(two)
    assert row["k"] == 2 and np.isfinite(row["ci_low"]) and np.isnan(row["pi_low"])
    assert np.isnan(row["target"]) and two.clinics["place"].isna().all()


def test_two_clinics_of_one_size_pool_as_on_paper(tmp_path: Path) -> None:
    """Equal errors: mean of the two, tau² = s² - v (REML, closed form for k equal variances)."""
    summaries = [state("a", -2.0, sd=5, n=100), state("b", -6.0, sd=5, n=100)]
    row = pool_primary(build_registry(offer(tmp_path, summaries)))
    v, s2 = 0.25, 8.0
    assert row["estimate"] == pytest.approx(-4.0, rel=1e-12)
    assert row["tau2"] == pytest.approx(s2 - v, rel=1e-6)
    assert row["se"] == pytest.approx((s2 / 2) ** 0.5, rel=1e-6)
    half = stats.t.ppf(0.975, 1) * row["se"]
    assert row["ci_low"] == pytest.approx(-4 - half, rel=1e-6)
    assert row["q"] == pytest.approx(8 / v, rel=1e-12)


def test_two_hundred_clinics_in_the_order_of_their_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    base = state("base", -2.0)
    summaries = []
    for i, shift in enumerate(rng.normal(0, 1.5, 200)):
        made = copy(base)
        made["clinic"] |= {"id": f"c{(37 * i) % 200:03d}", "title": f"t{i}"}
        row = made["outcomes"][0]
        row |= {"mean_after": 13.0 + shift, "mean_change": -2.0 + shift}
        summaries.append(seal(made))
    registry = build_registry(offer(tmp_path, summaries))
    assert registry.clinics["clinic"].tolist() == sorted(registry.clinics["clinic"])
    row = pool_primary(registry)
    assert row["k"] == 200 and row["n"] == 200 * 50
    assert row["pi_low"] < row["ci_low"] < row["estimate"] < row["ci_high"] < row["pi_high"]


def test_a_clinic_whose_spread_or_number_is_not_known_is_left_out_and_named(
    tmp_path: Path,
) -> None:
    two_people = state("two_people", -9.0, n=2)
    hidden = state("hidden", -9.0)
    hidden["outcomes"][0] |= {"sd_change": None, "se": None}
    hidden["disclosure"] |= {"withheld": ["frequency/primary/sd_change"]}
    flat = state("flat", -9.0, sd=0.0)
    others = [state("a", -2.0), state("b", -3.0), state("c", -1.0)]
    registry = build_registry(offer(tmp_path, [two_people, seal(hidden), flat, *others]))
    assert pool_primary(registry)["k"] == 3
    why = registry.clinics.set_index("clinic")["why_not"]
    told = {name: read(why[name])[0].id for name in ("two_people", "hidden", "flat")}  # type: ignore[index]
    assert told == {
        "two_people": "registry.why_few",
        "hidden": "registry.why_withheld",
        "flat": "registry.why_no_spread",
    }
    assert registry.clinics.set_index("clinic")["weight"].isna()["hidden"]
    state_of = registry.contributions.set_index("clinic")["state"]
    assert state_of["hidden"] == "not_pooled" and state_of["a"] == "pooled"


def test_only_the_outcomes_that_a_clinic_has_are_pooled(tmp_path: Path) -> None:
    rules = disclosure.choose_preset("public")
    both = {"frequency": make_pairs(1), "intensity": (make_pairs(2)[0] / 3, make_pairs(3)[0] / 3)}
    more = build_summary(make_tables(both, rules), make_clinic("x", disclosure="public"), rules)
    rows = build_registry(offer(tmp_path, [more, summarise("a", 5), summarise("b", 6)])).pooled
    k = rows[rows["measure"].eq("MC")].set_index("outcome")["k"]
    assert k["frequency"] == 3 and k["intensity"] == 1


# ---- case mix ------------------------------------------------------------------------------------


def test_a_slope_needs_ten_clinics(tmp_path: Path) -> None:
    def build(k: int) -> dict[str, Any]:
        mix = [{("age", None): 40.0 + i, ("sex", "female"): 70.0 + i % 4} for i in range(k)]
        made = [state(f"c{i:02d}", -2 + 0.1 * i, n=100, mix=mix[i]) for i in range(k)]
        frame = build_registry(offer(tmp_path / str(k), made)).case_mix
        return {str(r["characteristic"]): r for r in frame.to_dict("records")}

    few, enough = build(9), build(10)
    assert np.isnan(few["age"]["slope"]) and few["age"]["k"] == 9
    assert few["age"]["note"].startswith("registry.too_few_clinics")
    assert enough["age"]["slope"] == pytest.approx(0.1, rel=1e-9)
    assert (enough["age"]["lowest"], enough["age"]["highest"]) == (40, 49)


def test_a_slope_is_that_of_weighted_least_squares(tmp_path: Path) -> None:
    """With no variance between clinics: textbook WLS; its error has the floor of 1."""
    rng = np.random.default_rng(3)
    x = rng.normal(45, 5, 12)
    n = rng.integers(40, 200, 12)
    se = 5 / np.sqrt(n)
    y = -2 + 0.05 * (x - 45) + 0.2 * se * rng.standard_normal(12)
    made = [
        state(f"c{i:02d}", float(y[i]), n=int(n[i]), mix={("age", None): float(x[i])})
        for i in range(12)
    ]
    row = build_registry(offer(tmp_path, made)).case_mix.iloc[0]
    w = 1 / se**2
    centre = (w * x).sum() / w.sum()
    sxx = (w * (x - centre) ** 2).sum()
    assert row["tau2"] == 0
    assert row["slope"] == pytest.approx((w * (x - centre) * y).sum() / sxx, rel=1e-9)
    assert row["se"] == pytest.approx(sxx**-0.5, rel=1e-9)
    assert row["ci_high"] - row["ci_low"] == pytest.approx(
        2 * stats.t.ppf(0.975, 10) * sxx**-0.5, rel=1e-9
    )


def test_one_value_at_all_clinics_has_no_slope(tmp_path: Path) -> None:
    made = [state(f"c{i:02d}", -2 + 0.1 * i, mix={("age", None): 40.0}) for i in range(12)]
    row = build_registry(offer(tmp_path, made)).case_mix.iloc[0]
    assert np.isnan(row["slope"]) and row["note"] == "registry.no_slope"


# ---- funnel --------------------------------------------------------------------------------------


def test_limits_of_chance_are_those_of_the_closed_form() -> None:
    y, se = np.array([-1.0, -2.0, -3.0, -2.0]), np.array([0.5, 1.0, 0.5, 0.25])
    found = funnel.find_limits(y, se)
    w = 1 / se**2
    assert found.target == pytest.approx((w * y).sum() / w.sum(), rel=1e-12)
    assert found.chance[0] == pytest.approx(1.959963984540054 * se, rel=1e-12)
    assert found.chance[1] == pytest.approx(3.090232306167813 * se, rel=1e-12)
    assert found.z == pytest.approx((y - found.target) / se, rel=1e-12)


def test_overdispersion_as_worked_by_hand() -> None:
    """Eleven clinics of SE 1 at -5 ... 5: the 10 % and 90 % quantiles are -4 and 4.

    Winsorised: 2 (4² + 4² + 3² + 2² + 1²) = 92, so phi = 9.2 and tau² = (92 - 10) / 10 = 8.2.
    """
    found = funnel.find_limits(np.arange(-5.0, 6.0), np.ones(11))
    assert found.target == pytest.approx(0, abs=1e-12)
    assert found.phi == pytest.approx(9.2, rel=1e-12)
    assert found.tau2 == pytest.approx(8.2, rel=1e-12)
    assert found.z_multiplicative == pytest.approx(np.arange(-5.0, 6.0) / 9.2**0.5, rel=1e-12)
    assert found.additive[0] == pytest.approx(np.full(11, 1.959963984540054 * 9.2**0.5), rel=1e-12)
    assert set(found.place) == {"inside"}


def test_one_far_clinic_among_thirty_alike_is_outside_and_none_of_the_others() -> None:
    rng = np.random.default_rng(2)
    y = np.append(rng.normal(-2, 0.5, 30), 3.0)
    found = funnel.find_limits(y, np.full(31, 0.5))
    assert found.place[-1] == "outside_998"
    assert sum(p == "outside_998" for p in found.place) == 1


def test_chance_alone_puts_about_one_in_twenty_outside() -> None:
    """30 000 clinics without differences: 5 % and 0.2 % nominal; winsorising never adds."""
    rng = np.random.default_rng(5)
    far = []
    for _ in range(300):
        se = rng.uniform(0.3, 1.5, 100)
        found = funnel.find_limits(rng.normal(-2, se), se)
        far += list(np.abs(found.z) > 1.959963984540054)
    assert np.mean(far) == pytest.approx(0.05, abs=0.006)


def test_clinics_that_differ_less_than_chance_do_not_narrow_the_limits() -> None:
    found = funnel.find_limits(np.full(10, -2.0), np.ones(10))
    assert found.phi == 0 and found.tau2 == 0
    assert found.additive[0] == pytest.approx(found.chance[0], rel=1e-12)
    assert found.z_multiplicative == pytest.approx(found.z, abs=1e-12)


def test_two_clinics_make_no_funnel() -> None:
    with pytest.raises(ValueError, match="three"):
        funnel.find_limits([1.0, 2.0], [1.0, 1.0])


# ---- definitions ---------------------------------------------------------------------------------

DEFINITIONS = list(list_leaves(summarise("a")["definitions"]))


def other(value: Any) -> Any:
    """Make another value that the schema allows."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return (
        {"start": "last_session", "last_session": "start"}.get(value, "other")
        if isinstance(value, str)
        else 5
    )


@pytest.mark.parametrize(
    ("at", "value"), DEFINITIONS, ids=[".".join(map(str, a)) for a, _ in DEFINITIONS]
)
def test_a_clinic_that_defines_anything_otherwise_is_refused_by_name(
    at: Path_, value: Any, tmp_path: Path
) -> None:
    changed = seal(change(summarise("b", 2), ("definitions", *at), other(value)))
    if at[0] in ("outcomes", "comparisons"):  # rows must agree with their own definitions
        changed["outcomes"][0]["unit"] = changed["definitions"]["outcomes"]["frequency"]["unit"]
        seal(changed)
    summaries = [summarise("a", 1), changed, summarise("c", 3)]
    with pytest.raises(RefusedError) as caught:
        offer(tmp_path, summaries)
    problems = caught.value.problems
    whole = at[0] in (
        "windows",
        "comparisons",
        "outcomes",
        "primary",
        "headache_day",
        "visit_recall",
    )
    name = ".".join(map(str, at[: 2 if whole else 1]))
    assert [(p.file, p.rule) for p in problems] == [("b.json", name)]
    assert f"`{name}`" in str(problems[0]) and "clinic a" in str(problems[0])
    assert "--definitions-of a" in str(problems[0])
    # With a clinic named, those that agree with it are pooled, and the other one is refused.
    offered = hold(tmp_path, "a")
    assert list_rules(offered) == {"a.json": [], "b.json": [name], "c.json": []}
    registry = build_registry(offered)
    assert pool_primary(registry)["k"] == 2
    assert registry.contributions.set_index("file")["state"]["b.json"] == "refused"


def hold(folder: Path, reference: str | None) -> list[Offered]:
    files = reading.find_files([folder])
    return reading.hold_together(reading.read_summaries(files), reference)


def test_a_window_is_told_in_days_and_where_to_set_it(tmp_path: Path) -> None:
    later = summarise("b", 2)
    later["definitions"]["windows"]["post"] |= {"from": 28, "to": 55}
    with pytest.raises(RefusedError) as caught:
        offer(tmp_path, [summarise("a", 1), seal(later)])
    text = str(caught.value)
    assert "`windows.post` is day 28 to day 55 from the start" in text
    assert "day 56 to day 83 from the start" in text and "`windows.named.post`" in text


def test_a_window_that_one_clinic_lacks_is_no_difference() -> None:
    one, two = summarise("a", 1)["definitions"], summarise("b", 2)["definitions"]
    del two["windows"]["followup_1"]
    assert find_differences([("a", one), ("b", two)]) == []


def test_what_the_named_clinic_lacks_is_held_between_the_others(tmp_path: Path) -> None:
    made = [summarise(id, i) for i, id in enumerate("abc")]
    del made[0]["definitions"]["windows"]["earlier"]
    made[2]["definitions"]["windows"]["earlier"]["min_days"] = 3
    offered = offer(tmp_path, [seal(m) for m in made], "a")
    assert list_rules(offered) == {"a.json": [], "b.json": [], "c.json": ["windows.earlier"]}


def test_definitions_of_a_clinic_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name one of these: a, b"):
        offer(tmp_path, [summarise("a", 1), summarise("b", 2)], "z")


# ---- what is refused -----------------------------------------------------------------------------

LEAVES = [(at, v) for at, v in list_leaves(summarise("a")) if at != ("hashes", "content")]


def test_whatever_is_changed_after_the_export_is_refused(tmp_path: Path) -> None:
    """Every value of a summary, one after the other, without its hash computed again."""
    base = summarise("a")
    files = []
    for i, (at, value) in enumerate(LEAVES):
        made = change(base, at, "0" * 64 if at[0] == "hashes" else other(value))
        path = tmp_path / f"{i}.json"
        path.write_text(json.dumps(made), encoding="utf-8")
        files.append((path.name, path))
    offered = reading.read_summaries(files)
    assert len(offered) == len(LEAVES) > 60
    assert [one.file for one in offered if not one.problems] == []


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("mean_change", -9.0, "contradicts.means"),
        ("mean_after", 20.0, "contradicts.means"),
        ("se", 0.01, "contradicts.se"),
        ("n", 6000, "contradicts.people"),
        ("responders_50", 5000, "contradicts.people"),
        ("ci_high", -20.0, "contradicts.limits"),
        ("unit", "hours", "contradicts.defined"),
    ],
)
def test_forged_numbers_contradict_themselves(
    field: str, value: Any, rule: str, tmp_path: Path
) -> None:
    made = summarise("a", 1)
    made["outcomes"][0][field] = value
    if field == "n":
        made["outcomes"][0]["se"] = made["outcomes"][0]["sd_change"] / value**0.5
    offered = offer(tmp_path, [seal(made), summarise("b", 2)])
    assert list_rules(offered) == {"a.json": ["contradiction"], "b.json": []}
    assert rule in str(offered[0].problems[0].message)


def test_counts_that_disclosure_rules_would_not_print_are_refused(tmp_path: Path) -> None:
    made = summarise("a", 1, "opensafely")
    row = made["outcomes"][0]
    row["responders_50"] = 13
    offered = offer(tmp_path, [seal(made)])
    assert "contradicts.disclosure" in str(offered[0].problems[0].message)


def test_internal_numbers_of_people_who_exist_are_refused(tmp_path: Path) -> None:
    made = [summarise(id, i, "internal", synthetic=id == "a") for i, id in enumerate("ab")]
    assert list_rules(offer(tmp_path, made)) == {"a.json": [], "b.json": ["not_for_release"]}


BROKEN = {
    "cut short": (lambda text: text[:200], "not_json"),
    "no text": (lambda text: "", "not_json"),
    "a list": (lambda text: "[1, 2]", "no_summary"),
    "another document": (lambda text: '{"headway": "0"}', "no_summary"),
    "a key twice": (lambda text: '{"headway": "0",' + text.lstrip()[1:], "not_json"),
    "not a number": (lambda text: text.replace('"n": 60', '"n": NaN'), "not_json"),
    "without end": (lambda text: text.replace('"n": 60', '"n": 1e999'), "type"),
    "deep": (lambda text: "[" * 100_000, "not_json"),
    "another version": (
        lambda text: text.replace('"schema_version": 1', '"schema_version": 2'),
        "schema_version",
    ),
    "a key nobody knows": (
        lambda text: text.replace('"period"', '"patients": [1], "period"'),
        "unknown_key",
    ),
    "large": (lambda text: text + " " * 1_000_001, "too_large"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_and_the_others_go_on(name: str, tmp_path: Path) -> None:
    edit, rule = BROKEN[name]
    write(tmp_path, [summarise("a", 1), summarise("b", 2)])
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    broken = edit(text)
    assert broken != text
    (tmp_path / "bad.json").write_text(broken, encoding="utf-8")
    offered = hold(tmp_path, None)
    rules = list_rules(offered)
    assert rule in rules["bad.json"]
    assert (rules["a.json"], rules["b.json"]) == ([], [])
    assert pool_primary(build_registry(offered))["k"] == 2


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00{")
    assert list_rules(hold(tmp_path, None)) == {"a.json": ["not_json"]}


def test_a_clinic_counts_once(tmp_path: Path) -> None:
    """A copy is refused and the first stays; two that differ are both refused."""
    same = summarise("a", 1)
    (tmp_path / "x").mkdir()
    write(tmp_path, [same, summarise("b", 2)])
    write(tmp_path / "x", [same])
    assert list_rules(hold(tmp_path, None)) == {"a.json": [], "b.json": [], "x/a.json": ["twice"]}
    write(tmp_path / "x", [summarise("a", 9)])
    rules = list_rules(hold(tmp_path, None))
    assert rules == {"a.json": ["twice"], "b.json": [], "x/a.json": ["twice"]}


def test_the_same_numbers_under_a_pseudonym_count_once(tmp_path: Path) -> None:
    twin = copy(summarise("a", 1))
    twin["clinic"] |= {"id": "z", "title": "z", "pseudonym": True}
    offered = offer(tmp_path, [summarise("a", 1), seal(twin), summarise("b", 2)])
    assert hash_numbers(twin) == hash_numbers(summarise("a", 1))
    assert list_rules(offered) == {"a.json": [], "z.json": ["twice"], "b.json": []}


def test_clinics_that_withhold_everything_are_no_copies_of_each_other(tmp_path: Path) -> None:
    made = [summarise(id, i, "opensafely", n=6) for i, id in enumerate("ab")]
    assert all(m["outcomes"][0]["mean_change"] is None for m in made)
    registry = build_registry(offer(tmp_path, made))
    assert list_rules(offer(tmp_path, made)) == {"a.json": [], "b.json": []}
    assert pool_primary(registry)["k"] == 0


def test_an_empty_folder_and_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="headway export"):
        reading.find_files([tmp_path])
    with pytest.raises(InputError):
        reading.find_files([tmp_path / "none"])


def test_a_message_about_a_summary_holds_none_of_its_numbers(tmp_path: Path) -> None:
    made = summarise("a", 1)
    made["outcomes"][0]["mean_change"] = -123.456
    offered = offer(tmp_path, [seal(made)])
    assert "123" not in str(offered[0].problems[0])
