"""Other defensible choices that would give a published number which does not reproduce.

Every candidate is a conjecture. A choice counts only if it gives all printed parts (estimate and
limits) of the quantity within the review's tolerance; the fewest departures from what the review
declares come first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import MEASURES, find_family, list_kin
from headway.effects.units import convert
from headway.messages import Message, term
from headway.meta.pooling import pool
from headway.reviews.candidates import default_kinds
from headway.reviews.effects_table import build_effects
from headway.reviews.ipd import (
    BASELINE,
    ancova,
    change_unit,
    find_least,
    read_covariates,
    select,
)
from headway.reviews.reproduce import find_level, judge_number, turn
from headway.reviews.totals import pool_rows, term_model

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, PublishedResult, Review, ZeroEvents

MOST = 3  # candidates listed for one quantity
MOST_TRIALS = 40  # beyond it single trials are not left out: too many tries to mean anything
METHODS = ("EE", "DL", "REML", "ML", "PM", "HE", "HS", "SJ", "EB")
TESTS = ("z", "knha", "adhoc", "t")
LEVELS = (0.95, 0.9, 0.99)
Words = list[Message | str]
# Departures from what is declared, their names, and what they give.
Way = tuple[int, Message, dict[str, float]]


class Searcher:
    """Looks for other choices that give a published quantity.

    Parameters
    ----------
    review
        review.yaml with its defaults.
    arms, contrasts
        Tables of the contract.
    ipd
        Table `ipd`.
    """

    def __init__(
        self,
        review: Review,
        arms: pd.DataFrame,
        contrasts: pd.DataFrame,
        ipd: pd.DataFrame | None = None,
    ) -> None:
        self._review = review
        self._arms = arms
        self._contrasts = contrasts
        self._ipd = ipd

    def __call__(self, entry: PublishedResult, printed: Mapping[str, str]) -> list[Message]:
        """List up to three choices that give every printed part of a quantity."""
        target = entry.recompute
        if target.network is not None:
            return []  # its other models stand in network_sensitivity
        if target.moderator is not None:
            return []  # other moderators would be other questions
        if target.comparison is not None:
            totals = self._review.comparison(target.comparison).method and entry.model is None
            tried = self._try_totals(entry) if totals else self._try_pooled(entry)
        elif target.adjust is not None:
            tried = self._try_adjusted(entry)
        elif target.arm is not None:
            return []  # a mean has no other way to be computed
        else:
            tried = self._try_trial(entry)
        units = self._review.tolerance.units
        found: list[tuple[int, Message]] = []
        for departures, words, values in tried:
            if any(np.isnan(values[part]) for part in printed):
                continue
            judged = (judge_number(t, values[p], units)["verdict"] for p, t in printed.items())
            if all(verdict == "reproduced" for verdict in judged):
                found.append((departures, words))
        found.sort(key=lambda one: one[0])
        return list(dict.fromkeys(words for _, words in found))[:MOST]

    # ---- pooled estimates ------------------------------------------------------------------------

    def _try_pooled(self, entry: PublishedResult) -> Iterator[Way]:
        review, target = self._review, entry.recompute
        declared = entry.model or review.model
        comparison = review.comparison(target.comparison)
        stated = find_level(entry, review, comparison)
        levels = dict.fromkeys([stated, *LEVELS])
        for changes, frames, label in self._list_rows(comparison):
            other = replace(comparison, **changes)
            effects = build_effects(*frames, replace(review, comparisons=(other,)), check=False)
            own = effects[effects["pooled"]]
            if target.subgroup != "overall":
                own = own[own["subgroup"] == target.subgroup]
            for dropped in [None, *(own.index if 2 < len(own) <= MOST_TRIALS else [])]:
                used = own if dropped is None else own.drop(index=dropped)
                if not len(used):
                    continue
                y, v = used["yi"].to_numpy(), used["vi"].to_numpy()
                out: Words = []
                if dropped is not None:
                    out.append(Message("choice.without", trial=own.at[dropped, "trial"]))
                for method, test, level in product(METHODS, TESTS, levels):
                    if method == "EE" and test not in ("z", "t"):
                        continue
                    steps = [
                        (method != declared.method, method),
                        (test != declared.test, Message("choice.interval", test=test)),
                        (level != stated, _name_level(level)),
                    ]
                    words: Words = [*label, *out, *(text for changed, text in steps if changed)]
                    if not words:
                        continue
                    try:
                        fit = pool(y, v, method=method, test=test, level=level)
                    except (ValueError, ArithmeticError):
                        continue
                    values = self._present(fit, other, entry)
                    yield len(out) + len(words), _join(words), values

    def _try_totals(self, entry: PublishedResult) -> Iterator[Way]:
        """Try other methods, models, levels, measures and policies of RevMan's kind."""
        review, target = self._review, entry.recompute
        comparison = review.comparison(target.comparison)
        stated = find_level(entry, review, comparison)
        for other, rows_changed in _vary_rows(comparison, review):
            effects = build_effects(
                self._arms, self._contrasts, replace(review, comparisons=(other,)), check=False
            )
            own = effects[effects["pooled"]]
            if target.subgroup != "overall":
                own = own[own["subgroup"] == target.subgroup]
            for way, changed in _vary_models(other):
                for level in dict.fromkeys([stated, *LEVELS]):
                    words: Words = [*rows_changed, *changed]
                    words += [_name_level(level)] if level != stated else []
                    yield from self._try_total(own, way, entry, level, words)
            # One trial less is a departure of its own: with another besides, too many would fit.
            for dropped in own.index if not rows_changed and 2 < len(own) <= MOST_TRIALS else ():
                label: Words = [Message("choice.without", trial=own.at[dropped, "trial"])]
                rest = own.drop(index=dropped)
                yield from self._try_total(rest, comparison, entry, stated, label)

    def _try_total(
        self,
        rows: pd.DataFrame,
        way: Comparison,
        entry: PublishedResult,
        level: float,
        words: Words,
    ) -> Iterator[Way]:
        """Pool rows one way, where it departs from what is declared and can be computed."""
        if not words or not len(rows):
            return
        try:
            total = pool_rows(rows, way, self._review, level=level)
        except (ValueError, ArithmeticError):
            return
        yield len(words), _join(words), self._present(total, way, entry)

    def _list_rows(
        self, comparison: Comparison
    ) -> Iterator[tuple[dict[str, Any], tuple[pd.DataFrame, pd.DataFrame], Words]]:
        """List ways to choose the rows and the measure: what changes, and its name."""
        read = (self._arms, self._contrasts)
        yield {}, read, []
        for measure in list_kin(comparison.measure)[1:]:
            kinds = comparison.kinds or default_kinds(comparison.measure)
            yield {"measure": measure, "kinds": kinds}, read, [measure]
        if find_family(comparison.measure) == "two_groups":
            declared = list(comparison.kinds or default_kinds(comparison.measure))
            for kinds in (["final"], ["change"], ["final", "change"]):
                if kinds != declared:
                    yield {"kinds": tuple(kinds)}, read, [term("choice", "_".join(kinds))]
            if comparison.several_arms == "combine":
                yield {"several_arms": "split"}, read, [Message("choice.split")]
        recalled = tuple(
            frame.assign(status=frame["status"].replace("recalled", "computed")) for frame in read
        )
        if any(frame["status"].eq("recalled").any() for frame in read):
            yield {}, (recalled[0], recalled[1]), [Message("choice.recalled")]

    def _present(
        self, fit: Any, comparison: Comparison, entry: PublishedResult
    ) -> dict[str, float]:
        values = {p: float(getattr(fit, p)) for p in ("estimate", "ci_low", "ci_high")}
        measure = comparison.measure
        if MEASURES[measure].scale.code == "natural" and entry.unit is not None:
            unit = self._review.outcomes[comparison.outcome].unit
            factor = convert(unit, entry.unit)
            values = {part: v * (factor or np.nan) for part, v in values.items()}
        return turn(values, entry, measure)

    # ---- two arms of one trial -------------------------------------------------------------------

    def _try_trial(self, entry: PublishedResult) -> Iterator[Way]:
        from scipy.special import ndtri, stdtrit

        target, arms = entry.recompute, self._arms
        stated = find_level(entry, self._review)
        own = arms[
            (arms["trial"] == target.trial)
            & (arms["outcome"] == target.outcome)
            & arms["kind"].isin(["final", "change"])
        ]
        for (timepoint, kind), rows in own.groupby(["timepoint", "kind"], sort=False):
            one = rows[rows["arm"] == target.treatment_arm]
            two = rows[rows["arm"] == target.control_arm]
            if len(one) != 1 or len(two) != 1:
                continue
            a, b = one.iloc[0], two.iloc[0]
            place: Words = []
            if timepoint != target.timepoint:
                place.append(Message("choice.timepoint", timepoint=timepoint))
            if own["kind"].nunique() > 1 and kind == "change":
                place.append(Message("choice.change"))
            sizes: list[tuple[Any, Message | str]] = [((a["n"], b["n"]), "")]
            if not np.isnan([a["baseline_n"], b["baseline_n"]]).any():
                sizes.append(((a["baseline_n"], b["baseline_n"]), Message("choice.n_before")))
            for (n1, n2), people in sizes:
                numbers = np.array([n1, a["mean"], a["sd"], n2, b["mean"], b["sd"]], dtype=float)
                if np.isnan(numbers).any():
                    continue
                v1, v2 = a["sd"] ** 2 / n1, b["sd"] ** 2 / n2
                pooled = ((n1 - 1) * a["sd"] ** 2 + (n2 - 1) * b["sd"] ** 2) / (n1 + n2 - 2)
                welch = (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1))
                separate = float(np.sqrt(v1 + v2))
                common = float(np.sqrt(pooled * (1 / n1 + 1 / n2)))
                for level in dict.fromkeys([stated, *LEVELS]):
                    upper = (1 + level) / 2
                    for text, se, q in (
                        ("", separate, ndtri(upper)),
                        ("welch", separate, stdtrit(welch, upper)),
                        ("t", separate, stdtrit(n1 + n2 - 2, upper)),
                        ("pooled_normal", common, ndtri(upper)),
                        ("pooled_t", common, stdtrit(n1 + n2 - 2, upper)),
                    ):
                        words: Words = [*place, *([people] if people else [])]
                        words += [term("choice", text)] if text else []
                        if level != stated:
                            words.append(_name_level(level))
                        if not words:
                            continue
                        difference = float(a["mean"] - b["mean"])
                        factor = convert(a["unit"], entry.unit or a["unit"]) or np.nan
                        values = {
                            "estimate": difference * factor,
                            "ci_low": (difference - float(q) * se) * factor,
                            "ci_high": (difference + float(q) * se) * factor,
                        }
                        yield len(words), _join(words), turn(values, entry)

    # ---- individual data -------------------------------------------------------------------------

    def _try_adjusted(self, entry: PublishedResult) -> Iterator[Way]:
        if self._ipd is None or not len(self._ipd):
            return
        target, spec = entry.recompute, self._review.files.ipd
        own = select(self._ipd, *target.place)
        unit = self._review.outcomes[target.place[1]].unit
        declared = frozenset(target.adjust or ())
        names = [BASELINE, *(spec.covariates + spec.factors if spec else ())]
        treated = own["role"].eq("treatment")
        for size in range(len(names) + 1):
            for chosen in combinations(names, size):
                for gain in (False, True):
                    if gain and (BASELINE in chosen or own["baseline"].isna().all()):
                        continue
                    value = own["value"] - own["baseline"] if gain else own["value"]
                    try:
                        found = ancova(
                            value,
                            treated,
                            read_covariates(own, chosen),
                            level=find_level(entry, self._review),
                            least=find_least(spec),
                        )
                    except ValueError:
                        continue
                    distance = len(declared ^ set(chosen)) + (2 if gain else 0)
                    label: Words = [
                        Message("choice.adjusted", names=list(chosen))
                        if chosen
                        else Message("choice.unadjusted")
                    ]
                    label += [Message("choice.gain")] if gain else []
                    exact = change_unit(found, unit, entry.unit or unit)
                    if distance:
                        yield distance, _join(label), turn(exact, entry)
                    yield from _round_first(found, unit, entry, distance, label, exact)


def _vary_rows(comparison: Comparison, review: Review) -> Iterator[tuple[Comparison, Words]]:
    """Vary what a comparison's rows are: its measure, its policy for empty cells, the event."""
    yield comparison, []
    if comparison.measure not in ("RR", "OR", "RD"):
        return
    for measure in list_kin(comparison.measure)[1:]:
        yield replace(comparison, measure=measure), [measure]
    policies: tuple[ZeroEvents, ...] = ("not_estimable", "metafor")
    for policy in policies:
        if policy != review.zero_events_of(comparison):
            name = term("choice", f"zero_{policy}")
            yield replace(comparison, zero_events=policy), [name]
    yield (
        replace(comparison, swap_events=not comparison.swap_events),
        [Message("choice.swapped")],
    )


def _vary_models(comparison: Comparison) -> Iterator[tuple[Comparison, Words]]:
    """Vary how rows are pooled: method, model, estimator of tau2, interval."""
    counts = comparison.measure in ("RR", "OR", "RD")
    methods: dict[Any, None] = dict.fromkeys([comparison.method, *(["MH", "IV"] if counts else [])])
    ways: list[tuple[Any, ...]] = [("fixed", "DL", "wald")]
    ways += [("random", tau2, ci) for tau2 in ("DL", "REML") for ci in ("wald", "hksj")]
    own = (comparison.model, comparison.tau2, comparison.ci)
    own = ("fixed", "DL", "wald") if comparison.model == "fixed" else own
    for method in methods:
        for model, tau2, ci in ways:
            way = replace(comparison, method=method, model=model, tau2=tau2, ci=ci)
            words: Words = []
            if method != comparison.method:
                words.append(term("weighting", method))
            if (model, tau2, ci) != own:
                words.append(term_model(way))
            yield way, words


def _round_first(
    found: Any,
    unit: str,
    entry: PublishedResult,
    distance: int,
    label: Words,
    exact: Mapping[str, float],
) -> Iterator[Way]:
    """Turn four-week numbers into a year's by 13, before or after rounding them to a decimal."""
    if unit != "days_per_28" or entry.unit != "days_per_year":
        return
    numbers = {p: getattr(found, p) for p in exact}
    whole = [*label, Message("choice.times_13")]
    for digits, words in ((None, whole), (1, [*whole, Message("choice.rounded_first")])):
        values = {p: 13 * (x if digits is None else round(x, digits)) for p, x in numbers.items()}
        yield distance + 1, _join(words), turn(values, entry)


def _join(words: Words) -> Message:
    return Message("choice.together", words=words)


def _name_level(level: float) -> Message:
    return Message("choice.level", percent=100 * level)
