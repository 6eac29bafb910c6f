"""No suppressed count is recovered from everything that is published about a clinic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from headway import disclosure, tables
from headway.disclosure import PRESETS, release
from headway.disclosure.suppress import Ledger
from headway.messages import Message, say
from headway.outcomes.change.change import summarise_change
from tests.unit.disclosure_attack import Attack, attack
from tests.unit.simulated_clinic import CLINIC, printed, simulated

NAN = float("nan")
STRICT = ("opensafely", "cms", "nhs")
# People and seed; technique, setting, therapist, condition and baseline are families of groups.
CLINICS = ((16, 2, "real_effect"), CLINIC)


def primary_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Release with small counts hidden and the others rounded, and nothing more."""
    monkeypatch.setattr(Ledger, "protect", lambda self: self.hidden)


@pytest.mark.parametrize("preset", ["opensafely", "cms"])  # nhs has the numbers of opensafely
@pytest.mark.parametrize("clinic", CLINICS)
def test_no_suppressed_count_is_recovered(clinic: tuple[int, int, str], preset: str) -> None:
    found, rules = simulated(*clinic)[1], PRESETS[preset]
    adversary = attack(printed(preset, clinic), found, rules)
    assert len(adversary.targets()) > 100
    assert adversary.run() == {}


def test_the_attack_recovers_counts_where_only_small_ones_are_hidden(monkeypatch) -> None:
    found, rules = simulated(*CLINIC)[1], PRESETS["cms"]
    primary_only(monkeypatch)
    adversary = attack(release(found, rules), found, rules)
    assert len(adversary.run(tries=3, enough=5)) == 5


def test_what_is_left_is_worth_reading() -> None:
    """Protection by hiding everything would pass every attack."""
    for preset, least in (("opensafely", 0.6), ("cms", 0.6)):
        out = printed(preset)["cohort"]
        main = out[out["primary"]]
        assert (~main["redacted"]).mean() > least, preset
        assert not main.loc[main["statistic"] == "change_mean", "redacted"].any()


# Worst cases made by hand


def row(statistic: str, n: float, of: float, count: float = NAN, **other: object) -> dict:
    """Make a row of the cohort."""
    share = not np.isnan(count)
    return {
        "outcome": "frequency",
        "comparison": "primary",
        "comparison_label": "before v after",
        "group": "all",
        "primary": other.get("group", "all") == "all" and "comparison" not in other,
        "statistic": statistic,
        "label": statistic,
        "unit": "percent" if share else "days_per_28",
        "estimate": 100 * count / n if share else -3.0,
        "ci_low": -5.0,
        "ci_high": -1.0,
        "interval": "95 %, Wilson" if share else "95 %, t",
        "n": n,
        "of": of,
        "count": count,
        "redacted": False,
        "note": None,
        **other,
    }


def steps(people: dict[str, float]) -> pd.DataFrame:
    """Make the flow of people of the primary comparison."""
    rows = [
        {
            "account": "people",
            "item": "frequency: before v after",
            "step": step,
            "n": n,
            "of": people["started"],
            "redacted": False,
        }
        for step, n in people.items()
    ]
    return tables.conform("flow", pd.DataFrame(rows))


def made(rows: list[dict], **other: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {"cohort": tables.conform("cohort", pd.DataFrame(rows)), **other}


def groups(sizes: dict[str, int], lost: int = 0) -> list[dict]:
    total = sum(sizes.values())
    out = [row("change_mean", total, total + lost)]
    for name, n in sizes.items():
        out.append(row("change_mean", n, n, group=f"technique: {name}"))
    return out


def shares(n: int, of: int, **counts: int) -> list[dict]:
    return [row("change_mean", n, of)] + [row(s, n, of, c) for s, c in counts.items()]


def histogram(counts: list[int]) -> pd.DataFrame:
    rows = [
        {
            "outcome": "frequency",
            "comparison": "primary",
            "bin_low": 4.0 * i - 12,
            "bin_high": 4.0 * i - 8,
            "n": float(c),
            "redacted": False,
        }
        for i, c in enumerate(counts)
    ]
    return tables.conform("change_histogram", pd.DataFrame(rows))


PGIC = (
    "pgic_very_much_improved",
    "pgic_much_improved",
    "pgic_minimally_improved",
    "pgic_no_change",
    "pgic_worse",
)


def answers(*counts: int) -> list[dict]:
    n, both = sum(counts), counts[0] + counts[1]
    named = dict(zip(PGIC, counts, strict=True)) | {"pgic_at_least_much_improved": both}
    other = {"outcome": "PGIC", "comparison": "visit_recall"}
    main = [row("change_mean", 60, 80)]
    return main + [row(s, n, 80, c, **other) for s, c in named.items()]


CASES = {
    "one small group": ("cms", made(groups({"manual": 40, "dry": 30, "wet": 5}))),
    "two small groups": ("cms", made(groups({"manual": 40, "dry": 30, "wet": 2, "home": 3}))),
    "two groups of one": ("cms", made(groups({"manual": 40, "wet": 1, "home": 1}))),
    "two lost": ("cms", made([row("change_mean", 38, 40), row("bound_low", 40, 40)])),
    "two lost in the flow": (
        "cms",
        made(
            [row("change_mean", 38, 40)],
            flow=steps(
                {
                    "started": 40,
                    "any record before": 40,
                    "complete before": 39,
                    "any record after": 40,
                    "complete after": 39,
                    "analysed: complete on both sides": 38,
                    "not analysed": 2,
                }
            ),
        ),
    ),
    "steps of the ladder": (
        "cms",
        made(shares(60, 80, responders_75=20, responders_50=28, responders_30=30)),
    ),
    "shares of all who started": (
        "cms",
        made(
            [
                *shares(60, 80, responders_50=28, responders_30=30),
                row("responders_50_of_started", 80, 80, 28),
                row("responders_30_of_started", 80, 80, 30),
            ]
        ),
    ),
    "two without an answer about drugs": (
        "cms",
        made([*shares(60, 80, responders_50=28), row("new_preventive", 58, 80, 20)]),
    ),
    "two comparisons": (
        "cms",
        made(
            [
                row("change_mean", 38, 60),
                row("change_mean", 57, 60, comparison="last_visit", comparison_label="later"),
            ]
        ),
    ),
    # 12 people are printed as 10 and 8 as 10: four hidden groups fit only with 1 in each.
    "rounded, and yet": (
        "opensafely",
        made(groups({"manual": 8, "dry": 1, "wet": 1, "home": 1, "other": 1})),
    ),
    "five answers": ("cms", made(answers(20, 15, 12, 11, 3))),
    "bins": (
        "cms",
        made([row("change_mean", 60, 80)], change_histogram=histogram([14, 15, 3, 14, 14])),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_worst_cases_hold(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    preset, found = CASES[case]
    rules = PRESETS[preset]
    adversary = attack(release(found, rules), found, rules)
    assert adversary.targets()
    assert adversary.run() == {}
    primary_only(monkeypatch)  # and each of them is a worst case
    assert attack(release(found, rules), found, rules).run() != {}


@pytest.mark.parametrize("preset", ["opensafely", "cms"])
@pytest.mark.parametrize("seed", range(6))
def test_random_two_way_tables_hold(preset: str, seed: int) -> None:
    """Groups by share, with margins: the shape of the hardest suppression problems."""
    rng = np.random.default_rng(seed)
    labels = ["manual", "dry", "wet", "home"][: rng.integers(2, 5)]
    n = {g: int(rng.integers(1, 40)) for g in labels}
    total = sum(n.values())
    rows = [row("change_mean", total, total)]
    parts = {}
    for g in labels:
        split = rng.multinomial(n[g], rng.dirichlet([1, 1, 1]))
        kinds = ("reliable_improved", "reliable_unchanged", "reliable_deteriorated")
        parts[g] = dict(zip(kinds, split, strict=True))
    for s in next(iter(parts.values())):
        rows.append(row(s, total, total, float(sum(p[s] for p in parts.values()))))
    for g in labels:
        rows.append(row("change_mean", n[g], n[g], group=f"technique: {g}"))
        rows += [row(s, n[g], n[g], float(c), group=f"technique: {g}") for s, c in parts[g].items()]
    found, rules = made(rows), PRESETS[preset]
    adversary = attack(release(found, rules), found, rules)
    assert adversary.run(seed) == {}


def account_of_rows(kept: float, quarantined: float) -> pd.DataFrame:
    total = kept + quarantined
    steps = {"in_the_file": total, "kept": kept, "quarantined": quarantined}
    same = {"account": "rows", "item": "diary.csv", "of": total, "redacted": False}
    rows = [same | {"step": step, "n": n} for step, n in steps.items()]
    return tables.conform("flow", pd.DataFrame(rows))


@pytest.mark.parametrize("preset", STRICT)
def test_a_file_of_which_every_part_is_hidden_is_not_said_to_be_empty(preset: str) -> None:
    out = release({"flow": account_of_rows(5.0, 0.0)}, PRESETS[preset])["flow"].set_index("step")
    assert np.isnan(out.loc["in_the_file", "n"]) and out.loc["in_the_file", "redacted"]
    assert out["of"].isna().all() and out.loc["quarantined", "n"] == 0
    out = release({"flow": account_of_rows(0.0, 0.0)}, PRESETS[preset])["flow"].set_index("step")
    assert out.loc["in_the_file", "n"] == 0 and not out["redacted"].any()


def test_an_account_of_rows_does_not_tell_a_single_row() -> None:
    """The total of a file is printed as the sum of its printed parts."""
    for preset in STRICT:
        flow = account_of_rows(5599.0, 1.0)
        out = release({"flow": flow}, PRESETS[preset])["flow"].set_index("step")
        assert np.isnan(out.loc["quarantined", "n"])
        assert out.loc["in_the_file", "n"] == out.loc["kept", "n"]
        assert (out["of"] == out.loc["kept", "n"]).all()


@pytest.mark.parametrize("preset", STRICT)
def test_a_share_is_hidden_where_few_are_without_the_property(preset: str) -> None:
    out = release(made(shares(60, 80, worsened_30=57)), PRESETS[preset])["cohort"]
    assert out["redacted"].tolist() == [False, True]
    assert out.loc[1, ["estimate", "ci_low", "ci_high", "count"]].isna().all()
    assert out.loc[1, "n"] == 60


def test_remarks_on_files_and_the_gate_print_no_number() -> None:
    """A gate that asks for 7 and finds a hidden 1 to 7 would have found 7."""
    common = {"of": NAN, "redacted": False}
    rows = [
        {"account": "gate", "item": "patients", "step": "account.smallest_group", "n": 7.0}
        | {"note": Message("account.k_anonymity", n=7)},
        {"account": "rows", "item": "bundle.json", "step": "in_the_file", "n": 43.0}
        | {"note": Message("account.resources", n=46, ignored=["account.none"])},
        {"account": "rows", "item": "bundle.json", "step": "kept", "n": 43.0, "note": None},
    ]
    flow = tables.conform("flow", pd.DataFrame([r | common for r in rows]))
    for preset in ("opensafely", "nhs"):
        out = release({"flow": flow}, PRESETS[preset])["flow"].set_index("step")
        assert np.isnan(out.loc["account.smallest_group", "n"])
        assert "account" not in out.loc["account.smallest_group", "note"]
        assert "46" not in out.loc["in_the_file", "note"]
        assert out.loc["in_the_file", "n"] == 45


# What estimates tell of counts


@pytest.mark.parametrize("seed", range(6))
def test_a_printed_mean_fits_several_numbers_of_people(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for n in (8, 9, 11, 12, 18, 33, 41):
        pre, post = (rng.integers(0, 29, n).astype(float) for _ in range(2))
        exact = Fraction(float(pre.mean())).limit_denominator(60)
        assert n % exact.denominator == 0  # to twelve digits, the mean gives the number away
        rows = [
            row(s.id, s.n, s.n, s.count, estimate=s.estimate, ci_low=s.ci_low, ci_high=s.ci_high)
            | {"unit": s.unit or None, "interval": s.interval or None}
            for s in summarise_change(pre, post, unit="headache days per 28", replicates=50)
        ]
        for preset in ("opensafely", "nhs"):
            out = release(made(rows), PRESETS[preset])["cohort"].set_index("statistic")
            printed = out.loc["pre_mean"]
            candidates = np.arange(max(8, printed["n"] - 2), printed["n"] + 3)
            for statistic in ("pre_mean", "post_mean", "change_mean"):
                mean = out.loc[statistic, "estimate"]
                fits = [abs(np.round(mean * m) / m - mean) <= 0.05 + 1e-9 for m in candidates]
                assert sum(fits) >= 3
            # The interval is that of the fewest people printed alike, by the textbook formula,
            # so that it says the same whatever the number is.
            change, sd = post - pre, (post - pre).std(ddof=1)
            half = stats.t.ppf(0.975, candidates[0] - 1) * sd / np.sqrt(candidates[0])
            shown = out.loc["change_mean"]
            assert shown["ci_low"] == pytest.approx(change.mean() - half, abs=0.0501)
            assert shown["ci_high"] == pytest.approx(change.mean() + half, abs=0.0501)
            true = stats.t.interval(0.95, n - 1, change.mean(), sd / np.sqrt(n))
            assert shown["ci_low"] <= true[0] + 0.0501
            assert shown["ci_high"] >= true[1] - 0.0501


def test_remarks_name_no_number_of_people() -> None:
    pre = np.array([0.0, 0.0, *[10.0] * 40])
    rows = [
        row(s.id, s.n, s.n, s.count, estimate=s.estimate, note=s.note or None)
        for s in summarise_change(pre, pre / 2, unit="headache days per 28", replicates=50)
    ]
    found = made(rows)
    assert found["cohort"]["note"].dropna().map(say).str.contains("2 with 0 before").any()
    for preset in STRICT:
        notes = release(found, PRESETS[preset])["cohort"]["note"].dropna()
        assert not notes.map(say).str.contains(r"\d+ with 0 before").any()


def test_share_of_days_fits_several_numbers_of_people() -> None:
    """A share of 28 days of n people is a multiple of 100 / (28 n) percent."""
    for n in range(8, 13):
        share = 100 * (19 * n + 3) / (28 * n)
        found = made([row("completeness_pre", n, n, estimate=share, unit="percent of days")])
        mean = release(found, PRESETS["opensafely"])["cohort"]["estimate"].iloc[0]
        fits = [abs(np.round(mean * 0.28 * m) / (0.28 * m) - mean) <= 0.5 for m in range(8, 13)]
        assert all(fits)


def test_the_adversary_believes_nothing_false() -> None:
    """Every tie of the attack holds in the true counts; a false one would hide a leak."""
    found = simulated(*CLINIC)[1]
    adversary: Attack = attack(printed("cms"), found, PRESETS["cms"])
    for total, parts in adversary.ties:
        assert adversary.truth[total] == sum(adversary.truth[p] for p in parts)


def test_every_table_that_goes_on_has_a_rule() -> None:
    assert set(tables.RELEASED) <= set(disclosure.RULES)
