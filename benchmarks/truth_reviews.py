"""Lines of the truth report that stand on a review's page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from truth_lines import NAN, Array, Hits, Line, Rng, World, covers, family

from headway import effects, meta
from headway.messages import read
from headway.meta import bayes
from headway.meta.network import check_consistency, pool_network, read_arms, split_sides
from headway.meta.network.evidence import tabulate_evidence
from headway.meta.revman import count_rows, total
from headway.reviews.groups import fit_groups
from headway.reviews.integrity import granularity
from headway.reviews.reproduce import judge_number

REVIEW, PACKAGE = "review", "none (package)"
MEAN = 0.3  # true mean effect of both worlds
TAU2 = 0.06  # about as much as the sampling variance of a typical trial
TESTS = {
    "z": "Wald, normal",
    "t": "Wald, t, k - 1",
    "knha": "Hartung-Knapp",
    "adhoc": "Hartung-Knapp, ad hoc floor",
    "kr": "Kenward-Roger",
}


def _differ(drawn: dict[str, Array]) -> tuple[Array, Array]:
    """Mean differences and their sampling variances."""
    y = drawn["m1"] - drawn["m2"]
    return y, drawn["s1"] ** 2 / drawn["n1"] + drawn["s2"] ** 2 / drawn["n2"]


def _zip(**columns: Any) -> Iterator[Hits]:
    """Rows of a batch."""
    arrays = [np.asarray(v, float) for v in columns.values()]
    for values in zip(*arrays, strict=True):
        yield dict(zip(columns, values, strict=True))


def _inside(low: Any, truth: Any, high: Any) -> Array:
    low, high = np.asarray(low), np.asarray(high)
    return np.where(np.isnan(low) | np.isnan(high), NAN, (low <= truth) & (truth <= high))


@family(
    "pooled",
    {
        **{
            test: Line(
                "mean effect, 10 trials", REVIEW, words, (f"interval.pooled_{test}", "pooled.ci")
            )
            for test, words in TESTS.items()
        },
        "adhoc 4": Line(
            "mean effect, 4 trials", REVIEW, TESTS["adhoc"], ("interval.pooled_adhoc", "pooled.ci")
        ),
        "knha 4": Line("mean effect, 4 trials", REVIEW, TESTS["knha"], ("interval.pooled_knha",)),
        "one": Line("one trial, not pooled", REVIEW, "Wald, normal", ("interval.pooled_z_one",)),
        "p": Line(
            "p < .05 of no effect where there is none, 10 trials",
            REVIEW,
            TESTS["adhoc"],
            ("pooled.p_value",),
            most=7,
        ),
        "pi": Line(
            "prediction interval, 10 trials", REVIEW, "t, k - 1", ("pooled.pi", "bubbles.pi")
        ),
        "pi above": Line(
            "prediction interval, 10 trials, where τ² was estimated above 0",
            REVIEW,
            "t, k - 1",
            ("pooled.pi",),
        ),
        "pi 4": Line("prediction interval, 4 trials", REVIEW, "t, k - 1", ("pooled.pi",)),
        "q": Line(
            "p < .05 of Q where effects are equal, 10 trials",
            REVIEW,
            "chi-squared",
            ("pooled.q_p_value",),
            most=7,
        ),
        "tau2": Line("tau², 10 trials", PACKAGE, "Q-profile", ("tau2.q_profile",)),
    },
    share=4,
)
def hold_pooled(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Random effects of which the variance is that of a typical trial (I² of about 50 %)."""
    ten = world.draws.draw_trials(rng, runs, 10, TAU2)
    four = world.draws.draw_trials(rng, runs, 4, TAU2)
    same = world.draws.draw_trials(rng, runs, 10, 0.0)
    y, v = _differ(ten)
    fits = {test: meta.pool(y, v, method="REML", test=test) for test in TESTS}
    y4, v4 = _differ(four)
    few = {test: meta.pool(y4, v4, method="REML", test=test) for test in ("adhoc", "knha")}
    one = meta.pool(y[:, :1], v[:, :1], method="REML", test="adhoc")
    tau2 = meta.confint_tau2(y, v)
    new = _inside(fits["adhoc"].pi_low, ten["new"], fits["adhoc"].pi_high)
    none = meta.pool(y - MEAN, v, method="REML", test="adhoc")
    yield from _zip(
        **{test: _inside(f.ci_low, MEAN, f.ci_high) for test, f in fits.items()},
        **{f"{test} 4": _inside(f.ci_low, MEAN, f.ci_high) for test, f in few.items()},
        one=_inside(one.ci_low, ten["true"][:, 0], one.ci_high),
        p=np.asarray(none.p_value) < 0.05,
        pi=new,
        **{"pi above": np.where(np.asarray(fits["adhoc"].tau2) > 0, new, NAN)},
        **{"pi 4": _inside(few["adhoc"].pi_low, four["new"], few["adhoc"].pi_high)},
        q=np.asarray(meta.pool(*_differ(same), method="REML", test="adhoc").q_p_value) < 0.05,
        tau2=_inside(tau2.tau2_low, TAU2, tau2.tau2_high),
    )


@family(
    "one trial",
    {
        "MD": Line(
            "mean difference of a trial",
            REVIEW,
            "Wald",
            ("effects.ci", "network_effects.ci"),
        ),
        "SMD": Line("standardised mean difference of a trial", REVIEW, "Wald", ("effects.ci",)),
        "OR": Line("log odds ratio of a trial", REVIEW, "Wald", ("effects.ci",)),
        "RR": Line("log risk ratio of a trial", REVIEW, "Wald", ("effects.ci",)),
    },
    share=4,
)
def hold_trials(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Effects of single trials."""
    d = {
        k: v[:, 0] if v.ndim > 1 else v
        for k, v in world.draws.draw_trials(rng, runs, 1, TAU2).items()
    }
    arms = {"n1": d["n1"], "mean1": d["m1"], "sd1": d["s1"]}
    arms |= {"n2": d["n2"], "mean2": d["m2"], "sd2": d["s2"]}
    hits: dict[str, Array] = {}
    for code in ("MD", "SMD"):
        y, v = effects.escalc(code, **arms)
        half = 1.959964 * np.sqrt(v)
        hits[code] = _inside(y - half, d["true"], y + half)  # the SD within arms is 1
    # One trial a set, so that the risk of its own control arm is known by the odds ratio alone.
    t = {k: v[:, 0] for k, v in world.draws.draw_tables(rng, runs, 1, 0.5).items()}
    y, v = effects.escalc("OR", **_name_cells(t))
    half = 1.959964 * np.sqrt(v)
    hits["OR"] = _inside(y - half, 0.5, y + half)
    t = {k: v[:, 0] for k, v in world.draws.draw_tables(rng, runs, 1, 0.0).items()}
    y, v = effects.escalc("RR", **_name_cells(t))
    half = 1.959964 * np.sqrt(v)
    hits["RR"] = _inside(y - half, 0.0, y + half)
    yield from _zip(**hits)


def _name_cells(t: dict[str, Array]) -> dict[str, Array]:
    return {"a": t["e1"], "b": t["n1"] - t["e1"], "c": t["e2"], "d": t["n2"] - t["e2"]}


@family(
    "totals of counts",
    {
        "mh": Line(
            "odds ratio, 8 trials",
            REVIEW,
            "Mantel-Haenszel, Wald",
            ("interval.pooled_z", "consistency.ci"),
        ),
        "peto": Line("odds ratio, 8 trials", REVIEW, "Peto, Wald", ("interval.pooled_z",)),
    },
)
def hold_totals(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """One odds ratio for all trials, as RevMan pools it."""
    t = world.draws.draw_tables(rng, runs, 8, 0.5)
    for i in range(runs):
        one = {
            "events1": t["e1"][i],
            "n1": t["n1"][i],
            "events2": t["e2"][i],
            "n2": t["n2"][i],
        }
        mh = total(count_rows("OR", **one), method="MH", model="fixed")
        peto = total(count_rows("PETO", **one), method="Peto", model="fixed")
        yield {
            "mh": covers(mh.ci_low, 0.5, mh.ci_high),
            "peto": covers(peto.ci_low, 0.5, peto.ci_high),
        }


@family(
    "small studies",
    {
        "egger": Line(
            "p < .05 of Egger's test without small-study effects, 15 trials",
            REVIEW,
            "regression, t",
            ("small_studies.p_value", "small_studies.egger"),
            most=7,
        ),
        "limit": Line(
            "effect at infinite precision, 15 trials",
            REVIEW,
            "regression, t",
            ("small_studies.ci", "small_studies.egger"),
        ),
        "rank": Line(
            "p < .05 of the rank correlation without small-study effects, 15 trials",
            REVIEW,
            "Begg and Mazumdar",
            ("small_studies.rank_correlation",),
            most=7,
        ),
        "filled": Line(
            "mean effect after trim and fill, where nothing is missing, 15 trials",
            REVIEW,
            TESTS["adhoc"],
            ("small_studies.trim_and_fill",),
        ),
    },
    share=0.6,
)
def hold_small_studies(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Funnels from which nothing is missing."""
    y, v = _differ(world.draws.draw_trials(rng, runs, 15, TAU2))
    for one, var in zip(y, v, strict=True):
        egger = meta.regression_test(one, var, model="lm")
        filled = meta.trim_and_fill(one, var, method="REML", test="adhoc").fit
        yield {
            "egger": float(egger.p_value < 0.05),
            "limit": covers(egger.ci_low, MEAN, egger.ci_high),
            "rank": float(meta.rank_test(one, var).p_value < 0.05),
            "filled": covers(filled.ci_low, MEAN, filled.ci_high),
        }


@family(
    "subgroups and moderators",
    {
        "few": Line(
            "p < .05 of a difference between subgroups of 3 and 8 trials",
            REVIEW,
            "F, common tau²",
            ("subgroups.p",),
            most=7,
        ),
        "many": Line(
            "p < .05 of a difference between subgroups of 6 and 8 trials",
            REVIEW,
            "Welch's F, separate tau²",
            ("subgroups.p",),
            most=7,
        ),
        "slope": Line(
            "slope on a moderator, 14 trials",
            REVIEW,
            TESTS["adhoc"],
            ("moderators.ci", "bubbles.ci"),
        ),
        "p": Line(
            "p < .05 of a moderator that does nothing, 14 trials",
            REVIEW,
            TESTS["adhoc"],
            ("moderators.p_value", "moderators.qm_p_value"),
            most=7,
        ),
        "permuted": Line(
            "the same by permutation",
            REVIEW,
            "permutation, 500 draws",
            ("moderators.permutation",),
            most=7,
        ),
        "rest": Line(
            "p < .05 of the rest of Q where effects are equal, 14 trials",
            REVIEW,
            "chi-squared",
            ("moderators.qe_p_value",),
            most=7,
        ),
    },
    share=0.5,
)
def hold_moderators(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Trials that do not differ by group or moderator."""
    y, v = _differ(world.draws.draw_trials(rng, runs, 14, TAU2))
    same, var = _differ(world.draws.draw_trials(rng, runs, 14, 0.0))
    way = {"method": "REML", "test": "adhoc", "level": 0.95}
    for i in range(runs):
        x = rng.gamma(2, 1, 14)
        fit = meta.regress(y[i], v[i], {"x": x}, method="REML", test="adhoc")
        rest = meta.regress(same[i], var[i], {"x": x}, method="REML", test="adhoc")
        dealt = meta.permutation_test(y[i], v[i], {"x": x}, draws=500, seed=i)
        hits = {}
        for name, sizes in (("few", (3, 8)), ("many", (6, 8))):
            labels = ["a"] * sizes[0] + ["b"] * sizes[1]
            k = sum(sizes)
            told = fit_groups(y[i, :k], v[i, :k], labels, own=True, **way).note
            hits[name] = float(_read_p(told) < 0.05)
        at = fit.names.index("x")
        yield hits | {
            "slope": covers(fit.ci_low[at], 0.0, fit.ci_high[at]),
            "p": float(fit.p_value[at] < 0.05),
            "permuted": float(dealt.p_value[dealt.names.index("x")] < 0.05),
            "rest": float(rest.qe_p_value < 0.05),
        }


def _read_p(told: str) -> float:
    """Find the p value in the message on the difference of subgroups."""
    return float(next(m.values["p"] for m in read(told) if "p" in m.values))


@family(
    "several effects of a trial",
    {
        "cr2": Line(
            "mean effect, 12 trials with 3 effects; 14 with 1 to 5",
            REVIEW,
            "cluster-robust, CR2",
            ("interval.robust_cr2", "pooled.ci"),
        ),
        "cr1": Line(
            "mean effect, 12 trials with 3 effects; 14 with 1 to 5",
            PACKAGE,
            "cluster-robust, CR1",
            ("interval.robust_cr1",),
        ),
    },
    share=0.5,
)
def hold_dependent(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Effects of one trial whose errors are correlated; the model assumes .6."""
    for _ in range(runs):
        y, v, trial = world.draws.draw_dependent(rng)
        spread = meta.impute_covariance(v, trial, 0.6)
        levels = {"trial": trial.tolist(), "effect": list(range(len(y)))}
        try:
            fit = meta.fit_multilevel(y, spread, levels)
        except ArithmeticError:
            yield {"cr2": NAN, "cr1": NAN}
            continue
        two = meta.robust_inference(fit, trial.tolist())
        one = meta.robust_inference(fit, trial.tolist(), correction="CR1")
        yield {
            "cr2": covers(two.ci_low[0], MEAN, two.ci_high[0]),
            "cr1": covers(one.ci_low[0], MEAN, one.ci_high[0]),
        }


@family(
    "network",
    {
        "pair": Line(
            "effect of two of five treatments, 18 trials",
            REVIEW,
            TESTS["adhoc"],
            ("network_pairs.ci", "network_sensitivity.ci"),
        ),
        "p": Line(
            "p < .05 of a pair at its true effect",
            REVIEW,
            TESTS["adhoc"],
            ("network_pairs.p_value", "network_sensitivity.p_value"),
            most=7,
        ),
        "new": Line("prediction interval of the pair", REVIEW, "t", ("network_pairs.pi",)),
        "direct": Line(
            "direct evidence of a pair", REVIEW, TESTS["adhoc"], ("network_pairs.direct",)
        ),
        "indirect": Line(
            "indirect evidence of a pair", REVIEW, TESTS["adhoc"], ("network_pairs.indirect",)
        ),
        "side_direct": Line(
            "direct side of a split pair", REVIEW, TESTS["adhoc"], ("network_pairs.side_direct",)
        ),
        "side_indirect": Line(
            "indirect side of a split pair",
            REVIEW,
            TESTS["adhoc"],
            ("network_pairs.side_indirect",),
        ),
        "side": Line(
            "direct less indirect side, consistent network",
            REVIEW,
            TESTS["adhoc"],
            ("network_pairs.side_difference",),
        ),
        "side_p": Line(
            "p < .05 of that difference, consistent network",
            REVIEW,
            TESTS["adhoc"],
            ("network_pairs.side_p_value",),
            most=7,
        ),
        "slope": Line(
            "slope on a moderator of a network", REVIEW, TESTS["adhoc"], ("networks.slope",)
        ),
        "slope_p": Line(
            "p < .05 of a moderator of a network that does nothing",
            REVIEW,
            TESTS["adhoc"],
            ("networks.slope_p_value",),
            most=7,
        ),
        "designs": Line(
            "p < .05 of designs that disagree, random effects, consistent network",
            REVIEW,
            "chi-squared",
            ("network_consistency.p_value", "network_consistency.inconsistency_random"),
            most=7,
        ),
        "q": Line(
            "p < .05 of Q of a network with equal effects",
            REVIEW,
            "chi-squared",
            ("networks.q_p_value", "network_consistency.total"),
            most=7,
        ),
        "within": Line(
            "p < .05 of Q within designs, equal effects",
            REVIEW,
            "chi-squared",
            ("network_consistency.heterogeneity",),
            most=7,
        ),
        "between": Line(
            "p < .05 of Q between designs, equal effects",
            REVIEW,
            "chi-squared",
            ("network_consistency.inconsistency",),
            most=7,
        ),
    },
    share=0.5,
)
def hold_networks(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Consistent networks; a pair is drawn anew for each."""
    for _ in range(runs):
        rows, truth = world.draws.draw_network(rng, 0.04)
        network = _read(rows)
        fit = pool_network(network)
        frame = tabulate_evidence(fit).merge(
            split_sides(network), on=["treatment", "base"], how="left", suffixes=("", "_side")
        )
        known = frame[frame["k_direct"] > 0]
        row = known.iloc[int(rng.integers(len(known)))]
        one, other = fit.place(row["treatment"]), fit.place(row["base"])
        true = truth[int(row["treatment"][1:])] - truth[int(row["base"][1:])]
        new = true + float(np.diff(world.draws.draw_between(rng, 2, np.sqrt(0.02)))[0])
        t = (fit.estimate[one, other] - true) / fit.se[one, other]
        reach = (fit.ci_high[one, other] - fit.estimate[one, other]) / fit.se[one, other]
        calm = check_consistency(_read(world.draws.draw_network(rng, 0.0)[0]))
        x = rng.normal(0, 1, len(network.trials))
        _, _, low, high, p = next(iter(pool_network(network, moderator=x).moderator.values()))
        yield {
            "pair": covers(fit.ci_low[one, other], true, fit.ci_high[one, other]),
            "p": float(abs(t) > reach),
            "new": covers(fit.pi_low[one, other], new, fit.pi_high[one, other]),
            "direct": covers(row["direct_low"], true, row["direct_high"]),
            "indirect": covers(row["indirect_low"], true, row["indirect_high"]),
            "side_direct": covers(row["direct_low_side"], true, row["direct_high_side"]),
            "side_indirect": covers(row["indirect_low_side"], true, row["indirect_high_side"]),
            "side": covers(row["difference_low"], 0.0, row["difference_high"]),
            "side_p": NAN if np.isnan(row["p_value"]) else float(row["p_value"] < 0.05),
            "designs": float(check_consistency(network).random.p_value < 0.05),
            "slope": covers(low, 0.0, high),
            "slope_p": float(p < 0.05),
            "q": float(calm.total.p_value < 0.05),
            "within": float(calm.heterogeneity.p_value < 0.05),
            "between": float(calm.inconsistency.p_value < 0.05),
        }


def _read(rows: dict[str, Any]) -> Any:
    columns = {name: rows[name] for name in ("n", "mean", "sd")}
    return read_arms("MD", rows["trial"], rows["treatment"], **columns)


@family(
    "bayes",
    {
        "mu": Line(
            "mean effect, 8 trials, tau drawn from its prior",
            REVIEW,
            "credible, half-normal .3 on tau",
            ("bayes.mu",),
        ),
        "tau": Line(
            "tau, 8 trials, drawn from its prior",
            REVIEW,
            "credible, half-normal .3 on tau",
            ("bayes.tau",),
        ),
        "new": Line(
            "effect of a new trial, tau drawn from its prior",
            REVIEW,
            "credible, half-normal .3 on tau",
            ("bayes.new",),
        ),
        "trial": Line(
            "effect of a trial of the 8, shrunken",
            REVIEW,
            "credible, half-normal .3 on tau",
            ("bayes_trials.ci",),
        ),
        "fixed": Line(
            "mean effect, 8 trials, tau of .25 in every set",
            REVIEW,
            "credible, half-normal .3 on tau",
            ("bayes.mu",),
        ),
        "fixed_new": Line(
            "effect of a new trial, tau of .25 in every set",
            REVIEW,
            "credible, half-normal .3 on tau",
            ("bayes.new",),
        ),
    },
)
def hold_bayes(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """If the prior holds, a credible interval covers as often as it says."""
    prior = bayes.HalfNormal(0.3)
    tau = np.abs(rng.normal(0, 0.3, runs))
    drawn = world.draws.draw_trials(rng, runs, 8, tau**2)
    fixed = world.draws.draw_trials(rng, runs, 8, 0.25**2)
    one = bayes.pool_bayes(*_differ(drawn), tau=prior)
    two = bayes.pool_bayes(*_differ(fixed), tau=prior)
    first = np.asarray(one.trials.low)[:, 0], np.asarray(one.trials.high)[:, 0]
    yield from _zip(
        mu=_inside(one.mu.low, MEAN, one.mu.high),
        tau=_inside(one.tau.low, tau, one.tau.high),
        new=_inside(one.new.low, drawn["new"], one.new.high),
        trial=_inside(first[0], drawn["true"][:, 0], first[1]),
        fixed=_inside(two.mu.low, MEAN, two.mu.high),
        fixed_new=_inside(two.new.low, fixed["new"], two.new.high),
    )


@family(
    "reproduced",
    {
        "true": Line(
            "a true total `not reproduced`, 8 trials that print means and SDs to 2 decimals",
            REVIEW,
            "one unit of the last digit",
            ("verdict.not reproduced",),
            most=7,
        ),
        "coarse": Line(
            "the same, means and SDs printed to 1 decimal (SD within arms 1)",
            REVIEW,
            "one unit of the last digit",
            ("verdict.not reproduced",),
            most=7,
        ),
        "wrong": Line(
            "a total pooled without the largest trial `reproduced`",
            REVIEW,
            "one unit of the last digit",
            ("verdict.reproduced",),
            most=7,
        ),
    },
    share=2,
)
def hold_reproductions(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Print what a source pooled to two decimals, and pool again what its trials print."""
    d = world.draws.draw_trials(rng, runs, 8, TAU2)
    y, v = _differ(d)
    largest = np.arange(8) == np.argmin(v, axis=1)[:, None]
    printed = np.asarray(meta.pool(y, v, method="REML", test="z").estimate)
    without = np.asarray(meta.pool(y, v, method="REML", test="z", mask=~largest).estimate)

    def pool_rounded(digits: int) -> Array:
        coarse = {
            k: np.maximum(np.round(x, digits), 10.0**-digits)
            if k[0] == "s"
            else np.round(x, digits)
            for k, x in d.items()
            if k[0] in "ms"
        }
        return np.asarray(meta.pool(*_differ(d | coarse), method="REML", test="z").estimate)

    fine, rough = pool_rounded(2), pool_rounded(1)
    for i in range(runs):
        told, wrong = f"{printed[i]:.2f}", f"{without[i]:.2f}"
        yield {
            "true": float(judge_number(told, float(fine[i]))["verdict"] != "reproduced"),
            "coarse": float(judge_number(told, float(rough[i]))["verdict"] != "reproduced"),
            "wrong": float(judge_number(wrong, float(printed[i]))["verdict"] == "reproduced"),
        }


@family(
    "integrity",
    {
        "mean": Line(
            "a true mean of whole numbers that n cannot have",
            REVIEW,
            "GRIM",
            ("check.grim",),
            most=0.1,
        ),
        "sd": Line(
            "a true SD of whole numbers that n cannot have",
            REVIEW,
            "GRIMMER",
            ("check.grimmer",),
            most=0.1,
        ),
    },
    share=4,
)
def hold_integrity(world: World, rng: Rng, runs: int) -> Iterator[Hits]:
    """Means and SDs of whole days of 8 to 60 people, printed to two decimals."""
    days = world.people["true"][:, 1]
    for _ in range(runs):
        x = days[rng.integers(0, len(days), int(rng.integers(8, 61)))]
        mean, sd, n = round(float(x.mean()), 2), round(float(x.std(ddof=1)), 2), len(x)
        yield {
            "mean": float(not granularity.check_mean(mean, n, 1.0, 2)),
            "sd": float(not granularity.check_sd(mean, sd, n, 1.0, 2, 2)),
        }
