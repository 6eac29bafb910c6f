"""What follows from numbers, follows from the printed ones: limits, verdicts, flags, curves."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from headway import messages, tables
from headway.disclosure import PRESETS, SHAPES, release
from headway.disclosure.precision import widen
from headway.messages import read, withhold
from headway.outcomes import claims
from headway.outcomes.care.control_charts import find_signals
from tests.unit.disclosure_attack import attack
from tests.unit.disclosure_attack_tables import invert_wilson
from tests.unit.simulated_clinic import CLINIC, printed, simulated

NAN = float("nan")
STRICT = ("opensafely", "cms")  # nhs has the numbers of opensafely


@pytest.mark.parametrize("preset", STRICT)
def test_every_table_of_the_clinic_is_read(preset: str) -> None:
    """No released table is empty but those of single people: the attack sees them all."""
    found = simulated(*CLINIC)[1]
    assert {n for n in tables.RELEASED if not len(found[n])} == set()
    assert (printed(preset)["claims"]["verdict"] != "not recorded").any()


# Verdicts


def verdict(row: dict[str, Any]) -> set[str]:
    """What a row of claims may say, from its printed numbers and the code of its rule."""
    low, high = row["ci_low"], row["ci_high"]
    (rule,) = messages.read(row["rule"]) or []
    kind, limits = rule.id.removeprefix("claim.rule."), rule.values
    if row["causal"] or kind == "description" or np.isnan([row["estimate"], low, high]).any():
        return {"cannot tell"}
    if kind == "lower":
        yes, no = high < 0, low >= 0
    elif kind == "higher":
        yes, no = low > 0, high <= 0
    elif kind.startswith("within"):
        first, last = limits["low"], limits["high"]
        yes, no = low >= first and high <= last, high < first or low > last
    else:
        yes, no = low >= limits["value"], high < limits["value"]
    if no:
        return {"not supported"}
    return {"supported"} if yes else {"cannot tell"}


@pytest.mark.parametrize("preset", STRICT)
def test_a_verdict_follows_from_the_printed_interval(preset: str) -> None:
    rows = printed(preset)["claims"].to_dict("records")
    told = [r for r in rows if r["verdict"] != "not recorded"]
    assert len(told) > 20
    for r in told:
        assert r["verdict"] in verdict(r), (r["row"], r["part"])
        if r["redacted"]:
            assert r["verdict"] == "cannot tell"


def test_a_verdict_on_a_border_is_reached_again() -> None:
    """Below 0 by 0.04 is printed as 0.0, so that no benefit or harm is left to see."""
    found = simulated(*CLINIC)[1]
    rows = found["claims"].copy()
    at = rows.index[rows["label"] == "fees.minutes_first"][0]
    (rule,) = messages.read(rows.at[at, "rule"]) or []
    assert rule.id == "claim.rule.within"
    high = rule.values["high"]
    rows.loc[at, ["estimate", "ci_low", "ci_high"]] = [high - 1, high - 2, high + 0.4]
    rows.loc[at, ["verdict", "reason"]] = ["cannot tell", "claim.reason.both_sides"]
    rows.loc[at, "interval"] = "interval.bootstrap_pairs"
    out = release({**found, "claims": rows}, PRESETS["cms"])["claims"].loc[at]
    assert out["ci_high"] == high
    assert out["verdict"] == "supported"
    assert out["reason"] == "claim.reason.within"


def test_a_verdict_is_reached_again_from_the_code_of_the_rule() -> None:
    """`judge_again` on the code says what `judge` says on the rule, over a grid of intervals."""
    for part in claims.load_claims().parts:
        scale = max(abs(v) for v in (part.rule.low, part.rule.high, part.rule.value, 1.0) if v == v)
        for low in np.linspace(-2, 2, 9):
            for width in (0.0, 0.3, 1.5):
                numbers = (scale * low, scale * low, scale * (low + width))
                expected = claims.judge(part.rule, part.causal, *numbers)
                again = claims.judge_again(part.rule.code, part.causal, *numbers)
                assert again[0] == expected[0], part
                assert again[1] in (None, expected[1])


@pytest.mark.parametrize("preset", STRICT)
def test_beyond_and_flags_follow_from_the_printed_limits(preset: str) -> None:
    out = printed(preset)
    rows = out["expected"]
    less = rows["side"] == "less"
    clear = (rows["diff_ci_high"] < 0).where(~less, rows["diff_ci_low"] > 0)
    assert (rows["beyond"] == (clear & ~rows["redacted"])).all()
    rows = out["funnel"]
    outside = (rows["difference"] < rows["low_998"]) | (rows["difference"] > rows["high_998"])
    assert (rows["flag"] == outside).all()
    assert not rows.loc[rows["redacted"], "flag"].any()
    rows = out["traps"]
    assert not rows.loc[rows["redacted"], "flagged"].any()
    assert rows.loc[rows["redacted"], "detail"].isna().all()
    for r in rows[rows["flagged"]].to_dict("records"):
        for low in re.findall(r"\(([-\d.]+) to", r["detail"]):
            assert r["id"] != "dropout_if_not_better" or float(low) > 0
    for (_, kind), part in out["control_chart"].groupby(["chart", "kind"]):
        own = part[~part["redacted"] & part["value"].notna()]
        for _, phase in own.groupby("phase"):
            sigma = (phase["high"] - phase["centre"]) / 3
            if kind == "p" or sigma.isna().any() or not (sigma > 0).all():
                continue
            beyond = find_signals((phase["value"] - phase["centre"]) / sigma)[0]
            said = phase["signals"].str.contains("beyond_3_sigma", na=False).to_numpy()
            near = np.abs(np.abs(phase["value"] - phase["centre"]) / sigma - 3) < 0.2
            assert ((said == beyond) | near).all()


def chart(n: list[float], count: list[float]) -> pd.DataFrame:
    """Make a p chart as it stands before disclosure control."""
    share = np.array(count) / np.array(n)
    centre = sum(count) / sum(n)
    half = 3 * np.sqrt(centre * (1 - centre) / np.array(n))
    rows = {"chart": "lost", "label": "lost", "kind": "p", "unit": "percent", "phase": 1}
    frame = pd.DataFrame({"month": range(len(n)), "n": n, "count": count})
    frame = frame.assign(
        **rows,
        value=100 * share,
        centre=100 * centre,
        low=100 * np.maximum(centre - half, 0),
        high=100 * (centre + half),
        redacted=False,
    )
    return tables.conform("control_chart", frame)


@pytest.mark.parametrize("preset", STRICT)
def test_limits_of_a_chart_tell_no_hidden_month(preset: str) -> None:
    """Sigma is sqrt(p (1 - p) / n): from exact limits every n follows, from a centre the rest."""
    frame = chart([41.0, 3.0, 38.0, 44.0], [18.0, 2.0, 19.0, 12.0])
    p = frame["centre"] / 100
    implied = p * (1 - p) / ((frame["high"] - frame["centre"]) / 300) ** 2
    assert np.allclose(implied, frame["n"])
    out = release({"control_chart": frame}, PRESETS[preset])["control_chart"]
    assert out.loc[1, ["value", "centre", "low", "high", "count"]].isna().all()
    shown = out[~out["redacted"]]
    centre = 100 * shown["count"].sum() / shown["n"].sum()
    assert np.allclose(shown["centre"], centre, atol=0.0501)
    half = 300 * np.sqrt(centre / 100 * (1 - centre / 100) / shown["n"])
    assert np.allclose(shown["high"], centre + half, atol=0.0501)


@pytest.mark.parametrize("preset", STRICT)
def test_who_stands_beyond_either_limit_of_a_released_funnel_is_flagged(preset: str) -> None:
    """Eight therapists of 25 people and a standard error of 1: 6 days off is six of them."""
    off = [6.0, 0.5, -0.5, 0.2, -0.2, 0.4, -0.4, -6.0]
    rows = {"outcome": "frequency", "unit": "days_per_28", "n": 25.0, "expected": -3.0, "se": 1.0}
    frame = pd.DataFrame({"therapist": [f"T{i}" for i in range(8)], "difference": off})
    frame = frame.assign(**rows, observed=frame["difference"] - 3, flag=False, redacted=False)
    true = {"funnel": tables.conform("funnel", frame)}
    out = release(true, PRESETS[preset])["funnel"]
    assert out["flag"].tolist() == [True, *[False] * 6, True]
    assert out["difference"].tolist() == off
    # The others of each are at 0 and 6 or -6: the target is without the one that stands out.
    assert out.loc[1:6, "target"].abs().max() < 0.15
    assert (out.loc[[0, 7], "z"].abs() > 5).all()


# Numbers no finer than they may be


@pytest.mark.parametrize("preset", STRICT)
def test_no_estimate_is_finer_than_its_number_of_people_lets_it_be(preset: str) -> None:
    found, out = simulated(*CLINIC)[1], printed(preset)
    for name, shape in SHAPES.items():
        rows = out[name]
        own = rows[rows[shape.only[0]] == shape.only[1]] if shape.only else rows
        if shape.count and "unit" in rows:
            own = own[
                ~(own["unit"].eq("percent") & found[name].loc[own.index, shape.count].notna())
            ]
        for column in shape.numbers:
            values = own[column].dropna() * (100 if name in ("dose", "cohort") else 10)
            if column in shape.fine or name in ("sensitivity", "claims", "checks"):
                values = own[column].dropna() * 100
            assert np.allclose(values, values.round(), atol=1e-6), (name, column)
    for name in ("claims", "cost", "sensitivity", "dose"):
        people = out[name][~out[name]["unit"].isna()]
        mean = people[people["unit"].str.contains("days per 28$|hours$|0-10$")]
        assert np.allclose(mean["estimate"].dropna() * 10, (mean["estimate"].dropna() * 10).round())
    fees = out["cost"][out["cost"]["unit"].isin(["USD", "minutes", "currency.not_recorded"])]
    for value in fees["estimate"].dropna():
        assert float(f"{value:.3g}") == value


def test_an_interval_is_that_of_the_fewest_people_printed_alike() -> None:
    """Student's t by the textbook; a correlation's interval by Fisher's z, on its own scale."""
    rules = PRESETS["opensafely"]
    for printed_n, members in ((45, range(43, 48)), (10, range(8, 13))):
        seen: set[tuple[float, ...]] = set()
        for n in members:
            sd, r = 4.0, 0.45
            half = stats.t.ppf(0.975, n - 1) * sd / np.sqrt(n)
            z, step = np.arctanh(r), 1.96 * np.sqrt((1 + r**2 / 2) / (n - 3))
            frame = pd.DataFrame(
                {
                    "estimate": [2.0, r],
                    "ci_low": [2 - half, np.tanh(z - step)],
                    "ci_high": [2 + half, np.tanh(z + step)],
                    "interval": ["interval.t", "interval.fisher_z_spearman"],
                }
            )
            assert rules.round(n) == printed_n
            columns = ("estimate", "ci_low", "ci_high")
            widen(frame, np.ones(2, bool), columns, pd.Series([float(n)] * 2), rules)
            seen.add(tuple(frame[["ci_low", "ci_high"]].to_numpy().round(9).ravel()))
        assert len(seen) == 1
        fewest = min(members)
        expected = stats.t.ppf(0.975, fewest - 1) * 4.0 / np.sqrt(fewest)
        assert next(iter(seen))[1] == pytest.approx(2 + expected)


@pytest.mark.parametrize("preset", STRICT)
def test_limits_of_shares_give_the_printed_counts_and_no_others(preset: str) -> None:
    """Wilson's limits invert to (count, n): where one of them is hidden there are none."""
    assert invert_wilson(*(100 * v for v in (0.0546, 0.2338)))[:0] == []
    seen = 0
    for name in ("cohort", "safety", "claims"):
        rows = printed(preset)[name]
        rows = rows[rows["interval"].str.contains("wilson", na=False) & (rows["unit"] == "percent")]
        for r in rows.to_dict("records"):
            if np.isnan(r["count"]) or np.isnan(r["n"]):
                assert np.isnan(r["ci_low"]) or r["redacted"] is False
            elif seen < 12:
                assert (r["count"], r["n"]) in invert_wilson(r["ci_low"], r["ci_high"])
                seen += 1
    assert seen


@pytest.mark.parametrize("preset", STRICT)
def test_published_arms_do_not_give_the_exact_change_away(preset: str) -> None:
    found = simulated(*CLINIC)[1]["benchmark"]
    out = printed(preset)["benchmark"]
    clinic, arms = out[out["block"] == "clinic"], out[out["block"] == "arm"]
    assert clinic[["se", "df"]].isna().all(axis=None)
    assert len(arms)
    exact = found.loc[found["block"] == "clinic", "change"].iloc[0]
    implied = arms["difference"] + arms["change"]
    assert np.allclose(implied, clinic["change"].iloc[0])  # the printed one, from every arm
    assert abs(clinic["change"].iloc[0] - exact) > 1e-6


@pytest.mark.parametrize("preset", STRICT)
def test_least_and_largest_values_are_not_printed(preset: str) -> None:
    out = printed(preset)
    thirds = out["dose"][out["dose"]["statistic"] == "mean_change_of_third"]
    for _, part in thirds.groupby("dose"):
        assert np.isnan(part["dose_low"].iloc[0])
        assert np.isnan(part["dose_high"].iloc[-1])
    few = simulated(*CLINIC)[1]["cost"]["n"] <= 4 * PRESETS[preset].redact_up_to
    assert out["cost"].loc[few, ["p25", "p75"]].isna().all(axis=None)


# Curves


def relapses(at_risk: list[float], events: list[float]) -> dict[str, pd.DataFrame]:
    risk, had = np.array(at_risk), np.array(events)
    common = {"rule": "one", "group": "all", "redacted": False}
    curve = pd.DataFrame({"window": range(len(risk)), "at_risk": risk, "events": had})
    gone = risk - had - np.append(risk[1:], 0)
    curve = curve.assign(**common, days=28.0 * curve["window"], censored=gone)
    curve["survival"] = np.cumprod(1 - had / risk)
    curve = curve.assign(lowest=curve["survival"], highest=curve["survival"])
    summary = {"rule_label": "one window", "n": risk[0], "events": had.sum(), "gaps": 0.0}
    summary |= {"followed": risk[1], "horizon_days": 56.0, "free_at_horizon": 100 * 0.8}
    summary |= {"rmst_days": 50.0, "rmst_low": 46.0, "rmst_high": 54.0}
    summary |= {"rmst_low_bound": 45.0, "rmst_high_bound": 55.0}
    return {
        "relapse": tables.conform("relapse", pd.DataFrame([common | summary])),
        "relapse_curve": tables.conform("relapse_curve", curve),
    }


@pytest.mark.parametrize("preset", STRICT)
def test_relapse_is_that_of_the_printed_curve(preset: str) -> None:
    found = relapses([62.0, 60.0, 51.0, 40.0], [0.0, 7.0, 9.0, 8.0])
    out = release(found, PRESETS[preset])
    curve, row = out["relapse_curve"], out["relapse"].iloc[0]
    assert row["events"] == curve["events"].sum()
    assert np.isnan(row["followed"])
    at = curve[curve["days"] <= row["horizon_days"]].iloc[-1]
    assert row["free_at_horizon"] == round(100 * at["survival"])
    # Midway between windows, and with every relapse at the start or the end of its own.
    ends = curve.loc[curve["days"] <= 56, "survival"].to_numpy()
    assert row["rmst_days"] == round(28 * ((ends[:-1] + ends[1:]) / 2).sum())
    assert row["rmst_low_bound"] == round(28 * ends[1:].sum())
    assert row["rmst_high_bound"] == round(28 * ends[:-1].sum())
    assert row["rmst_low"] < row["rmst_days"] < row["rmst_high"]
    assert (curve["lowest"] == curve["survival"]).all()
    # Who leaves follows from who is at risk, and is no single person.
    risk, events = curve["at_risk"].to_numpy(), curve["events"].to_numpy()
    assert np.allclose(curve["censored"].to_numpy()[:-1], risk[:-1] - events[:-1] - risk[1:])
    assert set(curve["censored"]) != set(found["relapse_curve"]["censored"])


@pytest.mark.parametrize("preset", STRICT)
def test_the_claim_of_a_return_is_printed_as_in_its_table(preset: str) -> None:
    """Twelve digits of a mean would tell what its rounded curve hides."""
    found = relapses([62.0, 60.0, 51.0, 40.0], [0.0, 7.0, 9.0, 8.0])
    held = simulated(*CLINIC)[1]["claims"]
    at = held.index[held["part"] == "time_to_relapse"]
    held = held.loc[at].assign(
        verdict="cannot tell",
        estimate=50.0,
        ci_low=46.0,
        ci_high=54.0,
        n=62.0,
        of=90.0,
        unit="days",
    )
    out = release({**found, "claims": held}, PRESETS[preset])
    row, claim = out["relapse"].iloc[0], out["claims"].iloc[0]
    for own, shown in (
        ("rmst_days", "estimate"),
        ("rmst_low", "ci_low"),
        ("rmst_high", "ci_high"),
    ):
        assert claim[shown] == row[own]
    few = relapses([7.0, 6.0, 4.0, 3.0], [0.0, 1.0, 1.0, 0.0])
    hidden = release({**few, "claims": held.assign(n=7.0)}, PRESETS[preset])["claims"].iloc[0]
    assert hidden["redacted"] and np.isnan(hidden["estimate"])


def test_seven_relapses_are_not_known_from_two_kinds_of_rounding() -> None:
    """Hidden as 1 to 7 in fives, and 7 to 12 in blocks: only 7 is both."""
    found = relapses([62.0, 60.0, 51.0, 40.0], [0.0, 7.0, 0.0, 0.0])
    out = release(found, PRESETS["opensafely"])
    adversary = attack(out, found, PRESETS["opensafely"])
    assert ("relapsed", "one", "all") in adversary.targets()
    assert adversary.run() == {}
    spoiled = {**out, "relapse": out["relapse"].assign(events=NAN)}
    worse = attack(spoiled, found, PRESETS["opensafely"])
    worse.narrow(("relapsed", "one", "all"), 1, 7)  # what a hidden cell would say
    worse.narrow(("had", "one", "all", 1), 7, 12)
    assert ("relapsed", "one", "all") in worse.run()


def test_a_curve_of_seven_hides_itself_and_nothing_else() -> None:
    """A curve that is not printed tells no block, so that 7 stays one of 1 to 7."""
    everyone = relapses([62.0, 60.0, 51.0, 40.0], [0.0, 9.0, 9.0, 8.0])
    few = relapses([7.0, 6.0, 4.0, 3.0], [0.0, 1.0, 1.0, 0.0])
    both = {
        name: pd.concat(
            [everyone[name], few[name].assign(group="technique: acupuncture")], ignore_index=True
        )
        for name in everyone
    }
    out = release(both, PRESETS["opensafely"])
    row = out["relapse"].set_index("group")
    assert row.loc["all", "n"] == 60
    assert row["redacted"].to_dict() == {"all": False, "technique: acupuncture": True}
    assert attack(out, both, PRESETS["opensafely"]).run() == {}


# Remarks


def test_a_row_whose_number_is_hidden_keeps_its_estimate_and_says_so() -> None:
    out = printed("cms")
    rows = pd.concat([out[n] for n in ("sensitivity", "specifications", "cost", "dose")])
    bare = rows[rows["n"].isna() & rows["estimate"].notna()]
    assert len(bare) > 5
    assert bare["note"].str.contains("withheld.n", regex=False).all()
    assert not bare["redacted"].any()


@pytest.mark.parametrize("preset", STRICT)
def test_no_remark_of_any_table_names_a_number_of_people(preset: str) -> None:
    for name, frame in printed(preset).items():
        if name == "cohort":  # its remarks cite published samples; see test_disclosure_attack
            continue
        for column in {"note", "reason", "detail"} & set(frame.columns):
            said = frame[column].dropna()
            if "block" in frame:
                said = said[frame["block"] == "clinic"]
            assert said.map(read).notna().all(), (name, column)
            assert (said.map(withhold) == said).all(), (name, column)
