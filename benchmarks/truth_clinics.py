"""Lines of the truth report that stand on a clinic's page, and on the registry's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from truth_lines import (
    AFTER,
    BEFORE,
    EARLIER,
    NAN,
    NEXT,
    Hits,
    Line,
    Rng,
    World,
    covers,
    draw_clinics,
    family,
    take_visits,
)

from headway import meta
from headway.federation import funnel as clinics_funnel
from headway.outcomes.care import clustered, control_charts, cost_per_day, dose, funnel, safety
from headway.outcomes.care.turnbull import estimate_free, fit_turnbull, restrict_mean
from headway.outcomes.change import change, reliable
from headway.outcomes.change.attrition import compare_sources, newcombe_interval, welch_interval
from headway.outcomes.claims import rules
from headway.outcomes.expectation import (
    benchmark,
    checks,
    imputation,
    judge,
    longitudinal,
    regression,
    traps,
)

CLINIC, REGISTRY = "clinic", "registry"
N = 60

# --- change ---------------------------------------------------------------------------------------

_PEOPLE = f"{N} people"
_CHANGE = {
    "change_mean": Line(
        f"mean change, {_PEOPLE}",
        CLINIC,
        "t",
        ("interval.t", "cohort.ci", "specifications.ci", "benchmark.ci", "window_means.ci"),
    ),
    "change_mean_bca": Line(
        f"mean change, {_PEOPLE}",
        CLINIC,
        "BCa bootstrap",
        ("interval.bca",),
    ),
    "smcr": Line(
        f"mean change over SD before (SMCR), {_PEOPLE}", CLINIC, "Wald", ("interval.wald",)
    ),
    "smcrh": Line(
        f"mean change over SD before, unequal variances (SMCRH), {_PEOPLE}",
        CLINIC,
        "Wald",
        ("interval.wald",),
    ),
    "romc": Line(
        f"log ratio of means after and before, {_PEOPLE}",
        CLINIC,
        "Wald",
        ("interval.wald", "benchmark.romc"),
    ),
    "smcc": Line(
        f"mean change over its own SD (SMCC), {_PEOPLE}", CLINIC, "Wald", ("interval.wald",)
    ),
    "responders_30": Line(
        f"share with 30 % fewer days, {_PEOPLE}", CLINIC, "Wilson", ("interval.wilson", "cohort.ci")
    ),
    "responders_50": Line(
        f"share with half the days or fewer, {_PEOPLE}", CLINIC, "Wilson", ("interval.wilson",)
    ),
    "responders_75": Line(
        f"share with 75 % fewer days, {_PEOPLE}", CLINIC, "Wilson", ("interval.wilson",)
    ),
    "worsened_30": Line(
        f"share with 30 % more days, {_PEOPLE}", CLINIC, "Wilson", ("interval.wilson",)
    ),
}


def _find_changes(world: World) -> dict[str, float]:
    """Compute what `change.summarise_change` estimates, of everyone who has both windows."""
    p = world.people
    x, y = p["pre"][p["paired"]], p["post"][p["paired"]]
    d, had = y - x, x > 0
    ratio = np.round(y[had] / x[had], 12)
    mean = float(d.mean())
    return {
        "change_mean": mean,
        "change_mean_bca": mean,
        "smcr": mean / float(x.std()),
        "smcrh": mean / float(x.std()),
        "romc": float(np.log(y.mean() / x.mean())),
        "smcc": mean / float(d.std()),
        "responders_30": 100 * float((ratio <= 0.7).mean()),
        "responders_50": 100 * float((ratio <= 0.5).mean()),
        "responders_75": 100 * float((ratio <= 0.25).mean()),
        "worsened_30": 100 * float((ratio >= 1.3).mean()),
    }


def _hold_changes(world: World, rng: Rng, runs: int, n: int) -> Iterator[Hits]:
    truth, p = _find_changes(world), world.people
    for run, idx in enumerate(draw_clinics(world, rng, runs, n, p["paired"])):
        found = change.summarise_change(
            p["pre"][idx], p["post"][idx], unit="", replicates=999, seed=run
        )
        yield {s.id: covers(s.ci_low, truth[s.id], s.ci_high) for s in found if s.id in truth}


@family("change", _CHANGE)
def hold_changes(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Hold the block on change of a clinic of usual size."""
    yield from _hold_changes(world, rng, runs, N)


@family(
    "small clinic",
    {
        "change_mean": Line("mean change, 15 people", CLINIC, "t", ("interval.t",)),
        "smcr": Line(
            "mean change over SD before (SMCR), 15 people", CLINIC, "Wald", ("interval.wald",)
        ),
        "romc": Line(
            "log ratio of means after and before, 15 people", CLINIC, "Wald", ("interval.wald",)
        ),
        "responders_50": Line(
            "share with half the days or fewer, 15 people", CLINIC, "Wilson", ("interval.wilson",)
        ),
    },
)
def hold_small_clinics(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Hold the same with 15 people."""
    yield from _hold_changes(world, rng, runs, 15)


@family(
    "large clinic",
    {
        "bca": Line(
            "mean change, 10 000 people", CLINIC, "BCa from moments", ("interval.bca_moments",)
        )
    },
)
def hold_large_clinics(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Hold the bootstrap of many people, by moments."""
    p, truth = world.people, _find_changes(world)["change_mean"]
    d = p["post"] - p["pre"]
    for idx in draw_clinics(world, rng, runs, change.MOMENTS_FROM, p["paired"]):
        low, high = change.bca_from_moments(d[idx])
        yield {"bca": covers(low, truth, high)}


@family(
    "individual change",
    {
        "reliable_improved": Line(
            f"share reliably improved, {_PEOPLE}", CLINIC, "Wilson", ("interval.wilson",)
        ),
        "reliable_deteriorated": Line(
            f"share reliably deteriorated, {_PEOPLE}", CLINIC, "Wilson", ("interval.wilson",)
        ),
        "steady": Line(
            "people without treatment or entry between two windows, reliably changed",
            CLINIC,
            "reliable change index",
            ("individual.class",),
            most=7,
        ),
    },
)
def hold_individuals(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Reliable change; the error of measurement is that of the world's own untreated people."""
    p = world.people
    first, second = p["untreated"][:, AFTER], p["untreated"][:, NEXT]
    sem = float((second - first).std() / np.sqrt(2))
    known = np.flatnonzero(p["paired"])
    kind = reliable.classify(p["pre"][known], p["post"][known], sem)
    truth = {
        "reliable_improved": 100 * np.isin(kind, ("improved", "recovered")).mean(),
        "reliable_deteriorated": 100 * (kind == "deteriorated").mean(),
    }
    for idx in draw_clinics(world, rng, runs, N, p["paired"]):
        found = reliable.summarise_individual(p["pre"][idx], p["post"][idx], sem)
        hits = {s.id: covers(s.ci_low, truth[s.id], s.ci_high) for s in found if s.id in truth}
        one = rng.integers(0, p["n"], 1)
        steady = reliable.classify(first[one], second[one], sem)[0]
        yield hits | {"steady": float(steady != "unchanged")}


@family(
    "the lost",
    {
        "mean": Line(
            "headache days before, lost - analysed, 90 started",
            CLINIC,
            "Welch",
            ("interval.welch", "lost.ci"),
        ),
        "share": Line(
            "share of women, lost - analysed, 90 started",
            CLINIC,
            "Newcombe",
            ("interval.newcombe", "lost.ci"),
        ),
        "lost": Line("share lost, 90 started", CLINIC, "Wilson", ("interval.wilson",)),
    },
)
def hold_lost(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Who was lost, against who was analysed."""
    p = world.people
    known = ~np.isnan(p["pre"])
    lost, x, woman = p["lost"], p["pre"], p["female"]
    means = x[known & lost].mean() - x[known & ~lost].mean()
    shares = woman[known & lost].mean() - woman[known & ~lost].mean()
    share = lost[known].mean()
    for idx in draw_clinics(world, rng, runs, 90, known):
        a, b = idx[lost[idx]], idx[~lost[idx]]
        _, low, high = welch_interval(x[a], x[b])
        low2, high2 = newcombe_interval(woman[a].sum(), len(a), woman[b].sum(), len(b))
        low3, high3 = change.wilson(len(a), len(idx))
        yield {
            "mean": covers(low, means, high),
            "share": covers(low2, shares, high2),
            "lost": covers(low3, share, high3),
        }


# --- what was expected ----------------------------------------------------------------------------


@family(
    "checks",
    {
        "trend": Line(
            f"trend before treatment, {_PEOPLE}", CLINIC, "t", ("interval.t", "checks.ci")
        ),
        "oldham": Line(
            f"Oldham's correlation of change with the mean, {_PEOPLE}",
            CLINIC,
            "Fisher z",
            ("interval.fisher_z", "checks.ci"),
        ),
    },
)
def hold_checks(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Trend before treatment, and Oldham's check."""
    p = world.people
    e, x, y = p["value"][:, EARLIER], p["pre"], p["post"]
    among = p["paired"] & ~np.isnan(e)
    trend = (x - e)[among].mean()
    r = np.corrcoef((y - x)[among], (y + x)[among])[0, 1]
    for idx in draw_clinics(world, rng, runs, N, among):
        one, two = checks.check_trend(e[idx], x[idx]), checks.check_oldham(x[idx], y[idx])
        yield {
            "trend": covers(one.ci_low, trend, one.ci_high),
            "oldham": covers(two.ci_low, r, two.ci_high),
        }


@family(
    "expected",
    {
        "paired": Line(
            f"change less expected, from the same people's windows, {_PEOPLE}",
            CLINIC,
            "paired t",
            ("interval.paired_t", "expected.diff_ci"),
        ),
        "arm": Line(
            f"change less that of a published arm of 50, {_PEOPLE}",
            CLINIC,
            "Welch, both errors",
            ("interval.welch_both", "expected.diff_ci", "benchmark.difference"),
        ),
        "mee_chua": Line(
            f"change at a population mean of 10 (Mee and Chua), {_PEOPLE}",
            CLINIC,
            "regression, t",
            ("interval.regression_t", "expected.diff_ci"),
        ),
        "known": Line(
            f"change less an expected fall taken as known, {_PEOPLE}",
            CLINIC,
            "t",
            ("interval.t_expected_known", "expected.diff_ci"),
        ),
        "error": Line(
            f"change less an expected fall with its error, {_PEOPLE}",
            CLINIC,
            "t and normal error",
            ("interval.t_expected_error", "cost.ci", "claims.ci"),
        ),
    },
)
def hold_expected(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Hold the change beside what would have been without treatment."""
    p = world.people
    e, x, y = p["value"][:, EARLIER], p["pre"], p["post"]
    among = p["paired"] & ~np.isnan(e)
    untreated = p["untreated"][:, AFTER] - p["untreated"][:, BEFORE]
    moved, alone = (y - x)[among].mean(), untreated.mean()
    paired = (y - e)[among].mean()
    slope = np.cov(x[among], y[among])[0, 1] / x[among].var(ddof=1)
    at10 = y[among].mean() + slope * (10 - x[among].mean()) - 10
    for idx in draw_clinics(world, rng, runs, N, among):
        _, low, high = judge.mean_t(y[idx] - e[idx], 0.95)
        arm = untreated[rng.integers(0, p["n"], 50)]
        se = float(arm.std(ddof=1) / np.sqrt(50))
        told = {"label": "", "change": float(arm.mean()), "se": se, "n": 50.0}
        (row,) = judge.expect_arms(x[idx], y[idx], [told])
        scan = regression.mee_chua(x[idx], y[idx], [10.0])
        d = y[idx] - x[idx]
        own = (float(d.mean()), *change.t_interval(d))
        known = cost_per_day.less_expected(*own, cost_per_day.Expected("", float(alone)))
        error = cost_per_day.less_expected(*own, cost_per_day.Expected("", float(arm.mean()), se))
        yield {
            "paired": covers(low, paired, high),
            "arm": covers(row.low, moved - alone, row.high),
            "mee_chua": covers(scan.ci_low[0], at10, scan.ci_high[0]),
            "known": covers(known[1], moved - alone, known[2]),
            "error": covers(error[1], moved - alone, error[2]),
        }


@family(
    "verdict without effect",
    {
        "further": Line(
            "verdict `further` without treatment, 120 people",
            CLINIC,
            "every expected course is cleared",
            ("verdict.further", "expected.beyond"),
            most=2.5,
        ),
        "less": Line(
            "verdict `less` without treatment, 120 people",
            CLINIC,
            "every expected course is cleared",
            ("verdict.less",),
            most=2.5,
        ),
    },
)
def hold_verdicts(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Count false verdicts on people who were not treated."""
    days = world.people["untreated"]
    for idx in draw_clinics(world, rng, runs, 120):
        kind = judge.judge_change(days[idx, EARLIER], days[idx, BEFORE], days[idx, AFTER]).kind
        yield {"further": float(kind == "further"), "less": float(kind == "less")}


@family(
    "benchmark",
    {
        "pooled": Line(
            "pooled change of six published arms",
            CLINIC,
            "Hartung-Knapp, ad hoc floor",
            ("interval.hartung_knapp_adhoc", "benchmark.ci"),
        ),
        "new": Line(
            "prediction interval of six published arms", CLINIC, "t, k - 1", ("benchmark.pi",)
        ),
        "difference": Line(
            f"clinic of {N} less the pooled arms",
            CLINIC,
            "Welch, both errors",
            ("benchmark.difference",),
        ),
    },
)
def hold_benchmark(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Arms of 20 to 80 untreated people, whose means differ with an SD of one day."""
    p = world.people
    moved = p["untreated"][:, AFTER] - p["untreated"][:, BEFORE]
    d = p["post"] - p["pre"]
    truth, own = float(moved.mean()), float(d[p["paired"]].mean())
    k = 6
    for idx in draw_clinics(world, rng, runs, N, p["paired"]):
        n = rng.integers(20, 80, k)
        between = world.draws.draw_between(rng, k + 1, 1.0)
        arms = [moved[rng.integers(0, p["n"], m)] + b for m, b in zip(n, between, strict=False)]
        mean, v = (
            np.array(x)
            for x in zip(*((a.mean(), a.var(ddof=1) / len(a)) for a in arms), strict=True)
        )
        fit = meta.pool(mean, v, method="REML", test="adhoc")
        ours = d[idx]
        se = float(ours.std(ddof=1) / np.sqrt(N))
        _, low, high = benchmark.welch_difference(
            float(ours.mean()), se, N - 1, float(fit.estimate), float(fit.se), k - 1
        )
        yield {
            "pooled": covers(fit.ci_low, truth, fit.ci_high),
            "new": covers(fit.pi_low, truth + between[k], fit.pi_high),
            "difference": covers(low, own - truth, high),
        }


# --- sensitivity ----------------------------------------------------------------------------------


_LOSS = {"": (1.5, 0.08), " strongly": (2.2, 0.25)}  # logit at 12 days before, and by the day


@family(
    "lost at random",
    {
        "imputed": Line(
            "mean change of all 60 who started, a quarter lost by the days before, imputed",
            CLINIC,
            "t, Rubin's rules",
            ("interval.t_rubin", "sensitivity.ci", "specifications.ci"),
        ),
        "pairs": Line(
            "the same from complete pairs alone", CLINIC, "t", ("interval.t", "sensitivity.ci")
        ),
        "imputed strongly": Line(
            "mean change of all 60 who started, most people with many days lost, imputed",
            CLINIC,
            "t, Rubin's rules",
            ("interval.t_rubin", "sensitivity.ci"),
        ),
        "pairs strongly": Line(
            "the same loss, complete pairs alone", CLINIC, "t", ("interval.t", "sensitivity.ci")
        ),
    },
    share=0.5,
)
def hold_imputed(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Lose people by their recorded days before, out of those with every value."""
    p = world.people
    among = p["paired"] & ~np.isnan(p["value"][:, EARLIER])
    e, x, y = p["value"][:, EARLIER], p["pre"], p["post"]
    truth = (y - x)[among].mean()
    for run, idx in enumerate(draw_clinics(world, rng, runs, N, among)):
        hits = {}
        for how, (start, slope) in _LOSS.items():
            gone = rng.random(N) < 1 / (1 + np.exp(start - slope * (x[idx] - 12)))
            left = np.where(gone, NAN, y[idx])
            table = pd.DataFrame({"pre": x[idx], "post": left, "earlier": e[idx]})
            imputed = imputation.impute_change(table, imputations=20, seed=run)
            found = None if imputed is None else imputation.pool_change(imputed)
            low, high = change.t_interval((y - x)[idx][~gone])
            hits[f"imputed{how}"] = (
                NAN if found is None else covers(found.ci_low, truth, found.ci_high)
            )
            hits[f"pairs{how}"] = covers(low, truth, high)
        yield hits


def _stack(world: World, idx: np.ndarray) -> pd.DataFrame:
    """Windows before and after of people, as `longitudinal.stack_windows` puts them."""
    p = world.people
    parts = [
        pd.DataFrame(
            {
                "person": np.arange(len(idx)),
                "level": name,
                "value": p["value"][idx, w],
                "count": p["hits"][idx, w],
                "days": p["observed"][idx, w],
            }
        )
        for name, w in (("before", BEFORE), ("after", AFTER))
    ]
    rows = pd.concat(parts, ignore_index=True)
    rows["complete"] = rows["value"].notna()
    rows["value"] = 28 * rows["count"] / rows["days"].where(rows["days"] > 0)
    rows = rows[rows["days"] > 0].sort_values("person", kind="stable", ignore_index=True)
    return rows.astype({"level": pd.CategoricalDtype(["after", "before"])})


@family(
    "all windows",
    {
        "days_robust": Line(
            f"change by GEE, days per 28, {_PEOPLE} started",
            CLINIC,
            "Wald, robust",
            ("interval.wald_robust", "sensitivity.ci"),
        ),
        "days_corrected": Line(
            f"change by GEE, days per 28, {_PEOPLE} started",
            CLINIC,
            "t, robust, Mancl-DeRouen",
            ("interval.t_robust", "sensitivity.ci"),
        ),
        "ratio_robust": Line(
            f"odds ratio by GEE, {_PEOPLE} started",
            CLINIC,
            "Wald, robust",
            ("interval.wald_robust",),
        ),
        "ratio_corrected": Line(
            f"odds ratio by GEE, {_PEOPLE} started",
            CLINIC,
            "t, robust, Mancl-DeRouen",
            ("interval.t_robust",),
        ),
        "rate_corrected": Line(
            f"rate ratio by GEE (Poisson), {_PEOPLE} started",
            CLINIC,
            "t, robust, Mancl-DeRouen",
            ("interval.t_robust",),
        ),
        "mixed": Line(
            f"change by mixed model, {_PEOPLE} started",
            CLINIC,
            "Wald",
            ("interval.wald", "sensitivity.ci"),
        ),
    },
    share=0.5,
)
def hold_windows(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Models of all windows; the truth is their fit to twenty thousand people."""
    if "windows" not in world.kept:
        everyone = _stack(world, np.arange(min(world.people["n"], 20_000)))
        world.kept["windows"] = [
            longitudinal.estimate_change(everyone, "binomial"),
            longitudinal.estimate_change(everyone, "poisson"),
            longitudinal.fit_mixed(everyone),
        ]
    odds, rate, mixed = world.kept["windows"]
    for idx in draw_clinics(world, rng, runs, N):
        rows = _stack(world, idx)
        one = longitudinal.estimate_change(rows, "binomial")
        two = longitudinal.estimate_change(rows, "poisson")
        three = longitudinal.fit_mixed(rows)
        hits = dict.fromkeys(hold_windows.lines, NAN)
        if one is not None:
            hits |= {
                "days_robust": covers(one.days_robust[0], odds.days, one.days_robust[1]),
                "days_corrected": covers(one.days_corrected[0], odds.days, one.days_corrected[1]),
                "ratio_robust": covers(one.ratio_robust[0], odds.ratio, one.ratio_robust[1]),
                "ratio_corrected": covers(
                    one.ratio_corrected[0], odds.ratio, one.ratio_corrected[1]
                ),
            }
        if two is not None:
            low, high = two.ratio_corrected
            hits["rate_corrected"] = covers(low, rate.ratio, high)
        if three is not None:
            hits["mixed"] = covers(three.ci_low, mixed.estimate, three.ci_high)
        yield hits


@family(
    "therapists",
    {
        "clustered": Line(
            "mean change of 12 therapists with 10 people each",
            CLINIC,
            "t, cluster-robust (CR1)",
            ("interval.t_cluster", "sensitivity.ci"),
        ),
        "flagged": Line(
            "a therapist out of 8 (30 people each) outside 99.8 %, none of whom differs",
            CLINIC,
            "funnel, t",
            ("funnel.flag",),
            most=2.5,
        ),
        "usual": Line(
            "the same, where therapists differ by the usual 0.7 % of the variance",
            CLINIC,
            "funnel, t",
            ("funnel.flag",),
            most=2.5,
        ),
    },
)
def hold_therapists(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Therapists who differ with an SD of 0.8 days; for flags, not at all, or as usual."""
    p = world.people
    d = p["post"] - p["pre"]
    truth, spread = d[p["paired"]].mean(), d[p["paired"]].std()
    usual = float(spread * np.sqrt(funnel.USUAL_ICC / (1 - funnel.USUAL_ICC)))
    code = np.repeat(np.arange(12), 10)
    label = np.repeat([f"T{t}" for t in range(8)], 30)
    among = np.flatnonzero(p["paired"])
    for idx in draw_clinics(world, rng, runs, 120, p["paired"]):
        own = d[idx] + world.draws.draw_between(rng, 12, 0.8)[code]
        found = longitudinal.cluster_change(own, code)
        flags = {}
        for name, sd in (("flagged", 0.0), ("usual", usual)):
            them = among[rng.integers(0, len(among), 240)]
            moved = d[them] + np.repeat(world.draws.draw_between(rng, 8, sd), 30)
            mix = funnel.expect_change(moved, label, pd.DataFrame({"before": p["pre"][them]}))
            more = mix.sd**2 * funnel.USUAL_ICC / (1 - funnel.USUAL_ICC)
            judged = funnel.judge_units(mix.difference, mix.covariance, mix.df, usual=more)
            flags[name] = float(judged.flag.any())
        yield flags | {
            "clustered": NAN if found is None else covers(found.ci_low, truth, found.ci_high)
        }


# --- doses, fees, harms ---------------------------------------------------------------------------


@family(
    "dose",
    {
        "spearman": Line(
            f"correlation of sessions with change, {_PEOPLE}",
            CLINIC,
            "Fisher z (Bonett and Wright)",
            ("interval.fisher_z_spearman", "dose.ci"),
        ),
        "slope": Line(
            f"change per session, {_PEOPLE}", CLINIC, "t, HC3", ("interval.t_hc3", "dose.ci")
        ),
        "mean": Line(f"mean sessions, {_PEOPLE}", CLINIC, "t", ("interval.t", "dose.ci")),
    },
)
def hold_dose(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """How much was given, against the change."""
    p = world.people
    d, x = p["post"] - p["pre"], p["sessions"]
    among = p["paired"] & (x > 0)
    r = float(spearmanr(x[among], d[among]).statistic)
    slope = np.cov(x[among], d[among])[0, 1] / x[among].var(ddof=1)
    mean = x[among].mean()
    for idx in draw_clinics(world, rng, runs, N, among):
        _, low, high = dose.spearman_interval(x[idx], d[idx])
        _, low2, high2 = dose.robust_slope(x[idx], d[idx])
        low3, high3 = change.t_interval(x[idx])
        yield {
            "spearman": covers(low, r, high),
            "slope": covers(low2, slope, high2),
            "mean": covers(low3, mean, high3),
        }


@family(
    "fees",
    {
        "mean": Line(
            f"mean fees, {_PEOPLE}",
            CLINIC,
            "t, corrected for skewness",
            ("interval.skewed", "cost.ci"),
        ),
        "few": Line(
            "mean fees, 20 people", CLINIC, "t, corrected for skewness", ("interval.skewed",)
        ),
        "median": Line(
            "median fees, 30 people", CLINIC, "order statistics", ("interval.order", "cost.ci")
        ),
        "per_day": Line(
            f"fees per headache day fewer, {_PEOPLE}, where it is given",
            CLINIC,
            "percentile bootstrap over pairs",
            ("interval.bootstrap_pairs", "cost.ci"),
        ),
    },
)
def hold_fees(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Fees, and what a headache day fewer costs."""
    p = world.people
    fees, d = p["fees"], p["post"] - p["pre"]
    among = p["paired"] & (fees > 0)
    mean, middle = fees[among].mean(), float(np.median(fees[among]))
    price = mean / (-cost_per_day.WINDOWS_PER_YEAR * d[among].mean())
    for run, idx in enumerate(draw_clinics(world, rng, runs, N, among)):
        found = cost_per_day.cost_per_day(
            fees[idx], d[idx], expected=None, replicates=999, seed=run
        )
        few = change.skewed_interval(fees[idx[:20]])
        half = clustered.order_median(fees[idx[:30]])
        yield {
            "mean": covers(found.cost_low, mean, found.cost_high),
            "few": covers(few[0], mean, few[1]),
            "median": covers(half.ci_low, middle, half.ci_high),
            "per_day": covers(found.ratio_low, price, found.ratio_high),
        }


@family(
    "harms",
    {
        "sore": Line(
            "share of sessions followed by soreness, 40 patients",
            CLINIC,
            "logit, cluster-robust, t",
            ("interval.logit_cluster", "safety.ci", "claims.ci"),
        ),
        "few": Line(
            "the same, 12 patients", CLINIC, "logit, cluster-robust, t", ("interval.logit_cluster",)
        ),
        "rare": Line(
            "share of sessions with an adverse event, 40 patients",
            CLINIC,
            "logit, cluster-robust, t; at 0 the rule of three over patients",
            ("interval.logit_cluster", "interval.rule_of_three_people"),
        ),
        "patients": Line(
            "share of patients with an adverse event, 40 patients",
            CLINIC,
            "Wilson; at 0 the rule of three",
            ("interval.wilson", "interval.rule_of_three"),
        ),
        "days": Line(
            "median days of soreness, 40 patients",
            CLINIC,
            "test inversion, cluster-robust",
            ("interval.inversion_cluster", "safety.ci"),
        ),
        "difference": Line(
            "soreness after wet less dry needling, 60 patients",
            CLINIC,
            "linearised, cluster-robust, t",
            ("interval.linearised_cluster", "claims.ci"),
        ),
        "people": Line(
            "mean days of soreness of two groups of sessions, people's means, 60 patients",
            CLINIC,
            "Welch, over people's means",
            ("interval.welch_people", "claims.ci"),
        ),
        "supported": Line(
            "claim of a share `supported` whose limit is the true share, 40 patients",
            CLINIC,
            "the interval lies above",
            ("claims.supported",),
            most=3.5,
        ),
        "not supported": Line(
            "the same claim `not supported`",
            CLINIC,
            "the interval lies below",
            ("claims.not supported",),
            most=3.5,
        ),
    },
)
def hold_harms(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Sessions that come several from each patient."""
    p = world.people
    days, event, wet = p["visit_soreness"], p["visit_event"], p["visit_wet"]
    person = p["visit_person"].astype(int)
    asked, known, needled = ~np.isnan(days), ~np.isnan(event), ~np.isnan(wet)
    has = (np.bincount(person, asked, p["n"]) > 0) & (np.bincount(person, known, p["n"]) > 0)
    asked, known = asked & has[person], known & has[person]
    sore = np.where(asked, days > 0, NAN)
    share, rare = sore[asked].mean(), event[known].mean()
    had = pd.Series(event[known]).groupby(person[known]).max()
    patients = had.mean()
    hurt = asked & (days > 0)
    middle = np.median(days[hurt])
    both = asked & needled
    gap = sore[both & (wet == 1)].mean() - sore[both & (wet == 0)].mean()

    def average(rows: np.ndarray, who: np.ndarray) -> np.ndarray:
        number = np.bincount(who)
        sums = np.bincount(who, days[rows])
        return sums[number > 0] / number[number > 0]

    groups = [np.flatnonzero(hurt & needled & (wet == w)) for w in (1, 0)]
    means = [average(rows, person[rows]).mean() for rows in groups]
    rule = rules.Rule("at_least", "claim.why.usually", value=100 * share)
    for idx in draw_clinics(world, rng, runs, 60, has):
        rows, who = take_visits(p, idx)
        forty = who < 40
        a, k, h = (forty & flag[rows] for flag in (asked, known, hurt))
        one = clustered.share(sore[rows[a]], who[a])
        twelve = a & (who < 12)
        few = clustered.share(sore[rows[twelve]], who[twelve])
        two = clustered.share(event[rows[k]], who[k])
        three = safety.count_patients(pd.Series(event[rows[k]]), pd.Series(who[k]))
        four = clustered.median(days[rows[h]], who[h])
        w, d = (both[rows] & (wet[rows] == x) for x in (1, 0))
        five = clustered.difference(sore[rows[w]], who[w], sore[rows[d]], who[d])
        w, d = (w & hurt[rows], d & hurt[rows])
        _, low, high = welch_interval(average(rows[w], who[w]), average(rows[d], who[d]))
        verdict, _ = rules.judge(
            rule, False, 100 * one.estimate, 100 * one.ci_low, 100 * one.ci_high
        )
        yield {
            "sore": covers(one.ci_low, share, one.ci_high),
            "few": covers(few.ci_low, share, few.ci_high),
            "rare": covers(two.ci_low, rare, two.ci_high),
            "patients": covers(three.ci_low, patients, three.ci_high),
            "days": covers(four.ci_low, middle, four.ci_high),
            "difference": covers(five.ci_low, gap, five.ci_high),
            "people": covers(low, means[0] - means[1], high),
            "supported": float(verdict == "supported"),
            "not supported": float(verdict == "not supported"),
        }


# --- over time ------------------------------------------------------------------------------------


@family(
    "relapse",
    {
        "free": Line(
            "share without relapse after 6 windows, 40 people",
            CLINIC,
            "profile likelihood",
            ("interval.profile_likelihood", "relapse.free", "relapse_curve.ci"),
        ),
        "mean": Line(
            "mean time without relapse up to 6 windows, 40 people",
            CLINIC,
            "profile likelihood",
            ("interval.profile_likelihood", "relapse.rmst"),
        ),
    },
)
def hold_relapses(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Relapses known to lie between two looks."""
    horizon = 6.0
    fine = np.linspace(0, horizon, 10_001)
    free = world.draws.find_free(fine)
    share, mean = float(free[-1]), float(np.trapezoid(free, fine))
    for _ in range(runs):
        left, right = world.draws.draw_relapses(rng, 40)
        fit = fit_turnbull(left, right, grid=np.arange(9.0))
        if not fit.is_known(horizon):
            yield {"free": NAN, "mean": NAN}
            continue
        one, two = estimate_free(fit, horizon), restrict_mean(fit, horizon)
        yield {
            "free": covers(one.ci_low, share, one.ci_high),
            "mean": covers(two.ci_low, mean, two.ci_high),
        }


_RULES = dict(
    zip(
        control_charts.RULES,
        (
            "beyond 3 sigma",
            "two of three beyond 2 sigma",
            "four of five beyond 1 sigma",
            "eight on one side",
        ),
        strict=True,
    )
)
MONTHS = 24


@family(
    "control charts",
    {
        "means": Line(
            f"a month of a steady course with a signal, means, {MONTHS} months",
            CLINIC,
            "XmR, Western Electric rules",
            ("control_chart.signals",),
            most=1.5,
        ),
        "shares": Line(
            f"a month of a steady course with a signal, shares, {MONTHS} months",
            CLINIC,
            "p chart, Western Electric rules",
            ("control_chart.signals",),
            most=1.5,
        ),
        **{
            rule: Line(
                f"the same, means: {label}", CLINIC, "XmR", (f"control_chart.{rule}",), most=1.5
            )
            for rule, label in _RULES.items()
        },
    },
)
def hold_charts(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Months of 15 people from one population; the share of a chart's months with a signal."""
    p = world.people
    d, half = p["post"] - p["pre"], (p["post"] <= 0.5 * p["pre"]) & (p["pre"] > 0)
    for idx in draw_clinics(world, rng, runs, 15 * MONTHS, p["paired"]):
        by = idx.reshape(MONTHS, 15)
        means = control_charts.chart_individuals(d[by].mean(axis=1))
        shares = control_charts.chart_shares(half[by].sum(axis=1), np.full(MONTHS, 15))
        yield {
            "means": float(means.signals.any(axis=0).mean()),
            "shares": float(shares.signals.any(axis=0).mean()),
            **dict(zip(_RULES, means.signals.mean(axis=1), strict=True)),
        }


# --- traps ----------------------------------------------------------------------------------------


@family(
    "traps in clean records",
    {
        "zero_coded_missing": Line(
            "zeros for missing values, 150 people",
            CLINIC,
            "Fisher, binomial and runs",
            ("trap.zero_coded_missing", "traps.flagged"),
            most=2.5,
        ),
        "unit_mix": Line(
            "two scales in one column, 150 people",
            CLINIC,
            "counts",
            ("trap.unit_mix", "traps.flagged"),
            most=2.5,
        ),
        "mnar_diary": Line(
            "diary kept mainly on headache days, 150 people",
            CLINIC,
            "99 % t, before and after",
            ("trap.mnar_diary", "traps.flagged"),
            most=2.5,
        ),
        "dropout_if_not_better": Line(
            "people left because they were not better, 150 people",
            CLINIC,
            "analysis of covariance, 98 % t",
            ("trap.dropout_if_not_better", "traps.flagged"),
            most=2.5,
        ),
    },
    share=0.5,
)
def hold_traps(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Count flags on records without a trap."""
    p = world.people
    said, observed = p["later_said"], p["later_observed"]
    answered = ~np.isnan(p["visit_answer"]) & (p["visit_day"] >= 28)
    for idx in draw_clinics(world, rng, runs, 150):
        number = pd.RangeIndex(len(idx))
        later = pd.Series(said[idx], number)
        entries = pd.Series(observed[idx], number)
        runs_of = pd.DataFrame(
            {"hits": p["days"][idx], "entries": p["entries"][idx], "run": p["run"][idx]}
        )
        zero = (
            traps.find_zero_answers(later, entries)[0]
            or traps.find_zero_spike(later)[0]
            or traps.find_free_runs(runs_of[runs_of["hits"] > 0])[0]
        )
        scores = pd.DataFrame(
            {
                "headache_days": p["days"][idx],
                "known": p["scored"][idx],
                "highest": p["highest"][idx],
            }
        )
        chosen = [
            compare_sources(
                pd.Series(p[f"{when}_diary"][idx], number),
                pd.Series(p[f"{when}_said"][idx], number),
                pd.Series(p[f"{when}_observed"][idx] / 28, number),
            ).flag
            for when in ("intake", "later")
        ]
        rows, who = take_visits(p, idx)
        keep = answered[rows]
        answers = pd.DataFrame(
            {
                "patient_id": who[keep],
                "day": p["visit_day"][rows[keep]].astype(float),
                "value": p["visit_answer"][rows[keep]],
                "before": p["intake_said"][idx][who[keep]],
            }
        )
        left = traps.compare_last_answers(answers, np.flatnonzero(p["lost"][idx]))
        seen = np.isfinite(left.ci_low)
        yield {
            "zero_coded_missing": float(zero),
            "unit_mix": float(traps.find_unit_mix(scores, 0).flagged),
            "mnar_diary": float(any(chosen)),
            "dropout_if_not_better": float(round(left.ci_low, 1) > 0) if seen else NAN,
        }


# --- registry -------------------------------------------------------------------------------------


@family(
    "registry",
    {
        "clinic": Line(
            "mean change of one clinic of 20 to 120 people",
            REGISTRY,
            "normal, from the standard error",
            ("registry_clinics.ci",),
        ),
        "pooled": Line(
            "mean change of 8 clinics (two stages)",
            REGISTRY,
            "Hartung-Knapp, ad hoc floor",
            ("interval.pooled_adhoc", "registry.ci"),
        ),
        "new": Line(
            "prediction interval of the next clinic", REGISTRY, "t, k - 1", ("registry.pi",)
        ),
        "slope": Line(
            "slope on one characteristic, 12 clinics",
            REGISTRY,
            "Hartung-Knapp, ad hoc floor",
            ("registry_case_mix.ci", "registry_case_mix.p_value"),
        ),
        "outside_95": Line(
            "a clinic of 20 outside 95 %, none of which differs",
            REGISTRY,
            "funnel, additive",
            ("registry_clinics.outside_95",),
            most=7,
        ),
        "outside_998": Line(
            "a clinic of 20 outside 99.8 %, none of which differs",
            REGISTRY,
            "funnel, additive",
            ("registry_clinics.outside_998",),
            most=1,
        ),
        "dispersion": Line(
            "p < .05 of the winsorised Q, 20 clinics, none of which differs",
            REGISTRY,
            "chi-squared",
            ("registry.dispersion_p_value",),
            most=7,
        ),
        "q": Line(
            "p < .05 of Q, 20 clinics, none of which differs",
            REGISTRY,
            "chi-squared",
            ("registry.q_p_value",),
            most=7,
        ),
    },
)
def hold_registry(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Clinics of 20 to 120 people whose true means differ with an SD of 0.8 days."""
    p = world.people
    d = (p["post"] - p["pre"])[p["paired"]]
    truth = float(d.mean())

    def draw(k: int, sd: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = rng.integers(20, 121, k)
        shift = world.draws.draw_between(rng, k, sd)
        own = [d[rng.integers(0, len(d), m)] for m in n]
        mean = np.array([x.mean() for x in own]) + shift
        return mean, np.array([x.std(ddof=1) / np.sqrt(len(x)) for x in own]), shift

    for _ in range(runs):
        y, se, shift = draw(13, 0.8)
        x = rng.normal(0, 1, 12)
        pooled = meta.pool(y[:8], se[:8] ** 2, method="REML", test="adhoc")
        slope = meta.regress(y[:12], se[:12] ** 2, {"x": x}, method="REML", test="adhoc")
        half = clinics_funnel.QUANTILES[0] * se[12]
        same, errors, _ = draw(20, 0.0)
        limits = clinics_funnel.find_limits(same, errors)
        at = slope.names.index("x")
        yield {
            "clinic": covers(y[12] - half, truth + shift[12], y[12] + half),
            "pooled": covers(pooled.ci_low, truth, pooled.ci_high),
            "new": covers(pooled.pi_low, truth + shift[12], pooled.pi_high),
            "slope": covers(slope.ci_low[at], 0.0, slope.ci_high[at]),
            # One clinic of each set, so that replicates are independent.
            "outside_95": float(limits.place[0] != "inside"),
            "outside_998": float(limits.place[0] == "outside_998"),
            "dispersion": float(limits.p_value < 0.05),
            "q": float(meta.pool(same, errors**2, method="REML", test="adhoc").q_p_value < 0.05),
        }
