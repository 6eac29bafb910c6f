"""Hold rows and totals of an analysis against the numbers that its file shows for them.

What a row is (counts, means, a generic effect, O - E) and which measure it was pooled by, a sheet
of data rows does not say, and zeros may fill the columns that an analysis does not use. It is told
by the numbers that are filled and not zero, and by the effect and interval that the row itself
shows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from headway.errors import UNCOMPUTABLE
from headway.ingest.adapters.analyses import COUNTS, MEANS, NEEDED, RATIOS, Analysis, StudyRow
from headway.ingest.adapters.exchange import to_float
from headway.meta import revman

Array = NDArray[np.float64]
NAN = float("nan")
# How near a recomputed number must come to the one that a file shows, relative above 1.
CLOSE = 1e-5
NEAR = 0.02
LEVELS = (95.0, 99.0, 90.0, 80.0, 98.0, 99.9)
PARTS = ("estimate", "lower limit", "upper limit")
Numbers = tuple[float, float, float]
NONE: Numbers = (NAN, NAN, NAN)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read the rows of an analysis."""

    kind: str
    measure: str = ""
    logged: bool = False
    swap: bool = False

    @property
    def ratio(self) -> bool:
        """Whether it gives ratios."""
        return self.measure in RATIOS or self.kind == "o_e" or self.logged


# In this order where several fit equally well.
READINGS = (
    *(Reading("events", measure) for measure in ("RR", "OR", "RD", "PETO")),
    *(Reading("means", measure) for measure in ("MD", "SMD")),
    *(Reading("events", measure, swap=True) for measure in ("RR", "OR", "RD")),
    Reading("giv", logged=True),
    Reading("giv"),
    Reading("o_e"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """A number that a file shows, and what its own numbers give.

    Attributes
    ----------
    subgroup : str
        Number of the subgroup; empty for none.
    shown, found : tuple of float
        Estimate and limits, ratios as ratios; NaN where there is none.
    agrees : bool
        Whether all three are within `CLOSE`, or there is none on either side.
    """

    subgroup: str
    shown: Numbers
    found: Numbers
    agrees: bool


def holds(row: StudyRow, kind: str) -> bool:
    """Tell whether a row has the numbers of a kind of data, filled and not just zeros."""
    v = row.values
    if not all(v.get(name) for name in NEEDED[kind]):
        return False
    if kind == "events":
        return to_float(v["n1"]) > 0 and to_float(v["n2"]) > 0
    if kind == "means":
        return any(to_float(v[name]) for name in ("mean1", "sd1", "mean2", "sd2")) and (
            to_float(v["n1"]) > 0 and to_float(v["n2"]) > 0
        )
    return to_float(v["se" if kind == "giv" else "variance"]) > 0


def compute(rows: Sequence[StudyRow], reading: Reading) -> revman.Rows:
    """Compute effects of rows as one reading takes them; a row without its numbers has none."""
    names = NEEDED[reading.kind]
    numbers = {n: np.array([to_float(r.values.get(n, "")) for r in rows]) for n in names}
    if reading.kind == "events":
        a, m, c, n = (numbers[name] for name in COUNTS)
        bad = (a < 0) | (c < 0) | (a > m) | (c > n)
        numbers = {name: np.where(bad, NAN, value) for name, value in numbers.items()}
        return revman.count_rows(
            reading.measure,
            events1=numbers["events1"],
            n1=numbers["n1"],
            events2=numbers["events2"],
            n2=numbers["n2"],
            swap=reading.swap,
        )
    if reading.kind == "means":
        return revman.mean_rows(reading.measure, **{name: numbers[name] for name in MEANS})
    if reading.kind == "giv":
        return revman.generic_rows(numbers["effect"], numbers["se"])
    return revman.o_e_rows(numbers["o_e"], numbers["variance"])


def read_as(analysis: Analysis, row: StudyRow) -> Reading:
    """Return how a row of an analysis is read."""
    kind = row.kind or analysis.kind
    measure = analysis.measure if kind == analysis.kind else ""
    return Reading(kind, measure, logged=row.logged or bool(analysis.log), swap=analysis.swap)


def compute_rows(analysis: Analysis, rows: Sequence[StudyRow] | None = None) -> revman.Rows:
    """Compute the effects of an analysis's rows, or of some of them, as its settings say."""
    rows = analysis.rows if rows is None else rows
    readings = [read_as(analysis, row) for row in rows]
    if len(set(readings)) == 1:
        return compute(rows, readings[0])
    yi, vi = np.full(len(rows), NAN), np.full(len(rows), NAN)
    for reading in set(readings):
        if reading.kind not in NEEDED:
            continue
        at = np.array([r == reading for r in readings])
        part = compute(
            [row for row, r in zip(rows, readings, strict=True) if r == reading], reading
        )
        yi[at], vi[at] = part.yi, part.vi
    return revman.effect_rows(yi, vi, analysis.measure or "GIV")


def find_z(level: float) -> float:
    """Return the normal quantile of a level in percent."""
    return NormalDist().inv_cdf(0.5 + level / 200)


def limit(yi: Array, vi: Array, level: float, *, ratio: bool) -> Array:
    """Return effects with their limits (rows x 3), ratios as ratios."""
    half = find_z(level) * np.sqrt(vi)
    out = np.stack([yi, yi - half, yi + half], axis=1)
    with np.errstate(over="ignore"):
        return np.exp(out) if ratio else out


def _read_shown(rows: Sequence[StudyRow]) -> Array:
    return np.array([[to_float(t) for t in row.shown] for row in rows]).reshape(-1, 3)


def _find_step(rows: Sequence[StudyRow]) -> float:
    """Return the unit of the last decimal that the rows show, 1e-6 in the library's sheets."""
    decimals = [len(t.partition(".")[2]) for row in rows for t in row.shown if "e" not in t.lower()]
    return float(10.0 ** -max(decimals, default=6))


def is_close(found: Array, shown: Array, step: float = 0.0) -> NDArray[np.bool_]:
    """Tell which numbers agree, within `CLOSE` or a unit of the last decimal shown."""
    allowed = np.maximum(1.01 * step, CLOSE * np.maximum(1.0, np.abs(shown)))
    with np.errstate(invalid="ignore"):
        same = (np.abs(found - shown) <= allowed) & np.isfinite(shown)
    return same | (np.isinf(found) & (shown > 1e15))


def identify(analysis: Analysis) -> None:
    """Settle what the rows of an analysis are, and by which measure, where the file does not say.

    Changes `analysis` and its rows. What was told by the numbers stands in `found`; what no number
    tells, since no row shows an effect, in `assumed`.
    """
    rows = analysis.rows
    readings = [r for r in READINGS if _allows(analysis, r)]
    shown = _read_shown(rows)
    there = ~np.isnan(shown).any(axis=1)
    step = _find_step(rows)
    levels = [analysis.row_level] if analysis.row_level == analysis.row_level else list(LEVELS)
    best: tuple[int, Reading, float, NDArray[np.bool_]] | None = None
    for reading in readings:
        full = np.array([holds(row, reading.kind) for row in rows], dtype=bool)
        effects = compute(rows, reading)
        for level in levels:
            close = is_close(limit(effects.yi, effects.vi, level, ratio=reading.ratio), shown, step)
            same = close.all(axis=1) & full & there
            score = int(same.sum())
            if best is None or score > best[0]:
                best = (score, reading, level, same)
    if best is None or best[0] == 0:
        near = _find_near(rows, readings, shown)
        if near is None:
            _guess(analysis, readings)
            return
        best = (0, near, levels[0], np.zeros(len(rows), dtype=bool))
        analysis.own = True
    _, reading, level, same = best
    analysis.kind, analysis.swap = reading.kind, reading.swap
    if not analysis.measure and reading.measure:
        analysis.measure = reading.measure
    analysis.found.append("measure")
    if reading.kind in ("giv", "o_e"):
        analysis.log = reading.ratio
    analysis.row_level = level
    if math.isnan(analysis.level):
        analysis.level = level
    for row, agrees in zip(rows, same, strict=True):
        row.kind = reading.kind
        if not agrees and all(row.shown):
            _read_otherwise(row, reading, level, step)


def _find_near(
    rows: Sequence[StudyRow], readings: Sequence[Reading], shown: Array
) -> Reading | None:
    """Find the reading whose effects come within a fiftieth of those that every row shows.

    Another program's measure of the same name may differ a little: Hedges' g has an exact and an
    approximate correction. Each such row then is a doubt.
    """
    worst: list[tuple[float, int]] = []
    for order, reading in enumerate(readings):
        full = np.array([holds(row, reading.kind) for row in rows], dtype=bool)
        yi = compute(rows, reading).yi
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.exp(yi) if reading.ratio else yi
            off = np.abs(found - shown[:, 0]) / np.maximum(np.abs(shown[:, 0]), 0.01)
        off = off[full & ~np.isnan(off)]
        worst.append((float(off.max()) if len(off) else math.inf, order))
    least, order = min(worst, default=(math.inf, 0))
    return readings[order] if least < NEAR else None


def _read_otherwise(row: StudyRow, main: Reading, level: float, step: float) -> None:
    """Read one row in another way than its analysis, where that gives what the row shows."""
    if main.kind == "giv":
        return
    shown = _read_shown([row])
    for reading in READINGS:
        if reading.kind not in ("giv", "o_e") or reading.ratio != main.ratio:
            continue
        if not holds(row, reading.kind):
            continue
        one = compute([row], reading)
        if is_close(limit(one.yi, one.vi, level, ratio=reading.ratio), shown, step).all():
            row.kind, row.logged = reading.kind, reading.logged
            return


def _allows(analysis: Analysis, reading: Reading) -> bool:
    """Tell whether a reading keeps to what the file says."""
    if analysis.kind and reading.kind != analysis.kind:
        return False
    if analysis.measure and reading.measure and reading.measure != analysis.measure:
        return False
    known = reading.kind != "giv" or analysis.log is None
    return known or reading.logged == analysis.log


def _guess(analysis: Analysis, readings: Sequence[Reading]) -> None:
    """Settle the kind by which numbers are filled: no row shows an effect that they give."""
    rows = analysis.rows
    order = ("giv", "o_e", "means", "events")
    counts = {kind: sum(_fills(row, kind) for row in rows) for kind in order}
    kinds = [r.kind for r in readings] or list(order)
    known = [kind for kind in order if kind in kinds]
    # Where only numbers of people are filled, nobody had the event.
    known = known if any(counts.values()) else known[::-1]
    kind = analysis.kind or max(known, key=lambda k: counts[k])
    analysis.kind = kind
    if kind in ("events", "means") and not analysis.measure:
        analysis.measure = "RR" if kind == "events" else "MD"
        analysis.assumed.append("measure")
    if kind == "giv" and analysis.log is None:
        analysis.log = False
        analysis.assumed.append("scale")
    if kind == "o_e":
        analysis.log = True
    for row in rows:
        row.kind = kind


def _fills(row: StudyRow, kind: str) -> bool:
    """Tell whether a row has a number that only this kind of data has, and it is not 0."""
    own = {
        "giv": ("effect",),
        "o_e": ("o_e",),
        "means": ("mean1", "sd1", "mean2", "sd2"),
        "events": ("events1", "events2"),
    }[kind]
    return any(to_float(row.values.get(name, "") or "0") != 0 for name in own)


def check_rows(analysis: Analysis) -> list[tuple[StudyRow, Check]]:
    """Hold every row against the effect and interval that the file shows for it."""
    level = analysis.row_level if analysis.row_level == analysis.row_level else 95.0
    if not analysis.rows or analysis.kind not in NEEDED:
        return []
    effects = compute_rows(analysis)
    found = limit(effects.yi, effects.vi, level, ratio=analysis.ratio)
    found = np.where(effects.estimable[:, None], found, NAN)
    shown = _read_shown(analysis.rows)
    close = is_close(found, shown, _find_step(analysis.rows))
    close |= np.isnan(found) & np.isnan(shown)
    return [
        (row, Check(row.subgroup, _three(s), _three(f), bool(same.all())))
        for row, s, f, same in zip(analysis.rows, shown, found, close, strict=True)
    ]


def _three(values: Array) -> Numbers:
    return float(values[0]), float(values[1]), float(values[2])


# ── totals ────────────────────────────────────────────────────────────────────────────────────


def choose_rows(analysis: Analysis, subgroup: str) -> list[StudyRow]:
    """List the rows of a subgroup, or (without one) of the total over all."""
    if subgroup:
        return [row for row in analysis.rows if row.subgroup == subgroup]
    return [row for row in analysis.rows if row.in_total]


def total(
    analysis: Analysis, subgroup: str = "", settings: Mapping[str, str] | None = None
) -> Numbers:
    """Recompute a total by the settings of the analysis, or with some of them changed."""
    rows = choose_rows(analysis, subgroup)
    if not rows or analysis.kind not in NEEDED:
        return NONE
    found = pool(analysis, compute_rows(analysis, rows), settings)
    if found is None or not found.estimable:
        return NONE
    three = found.estimate, found.ci_low, found.ci_high
    if not analysis.ratio:
        return three
    with np.errstate(over="ignore"):
        return _three(np.exp(np.array(three)))


def pool(
    analysis: Analysis, rows: revman.Rows, settings: Mapping[str, str] | None = None
) -> revman.Total | None:
    """Pool rows by the settings of an analysis; None where its method does not fit its rows."""
    own = _name_settings(analysis) | dict(settings or {})
    if own["method"] == "MH" and rows.raw is None:
        own["method"] = "IV"
    level = analysis.level if analysis.level == analysis.level else 95.0
    try:
        return revman.total(
            rows,
            method=own["method"],
            model=own["model"],
            tau2=own["tau2"],
            ci=own["ci"],
            level=level / 100,
        )
    except UNCOMPUTABLE:
        return None


def _name_settings(analysis: Analysis) -> dict[str, str]:
    """Name the settings by which an analysis is pooled; defaults for those that it lacks."""
    return {
        "method": analysis.method or "IV",
        "model": analysis.model or "random",
        "tau2": analysis.tau2 or "DL",
        "ci": analysis.ci or "wald",
    }


def check_totals(analysis: Analysis) -> list[Check]:
    """Hold every stored total against its recomputation."""
    out = []
    for stored in analysis.stored:
        shown = _three(np.array([to_float(t) for t in stored.shown]))
        found = total(analysis, stored.subgroup)
        out.append(Check(stored.subgroup, shown, found, agree(shown, found, stored.shown)))
    return out


def agree(shown: Numbers, found: Numbers, texts: Sequence[str] = ()) -> bool:
    """Tell whether a total is the one that the file shows: all parts, or neither has one."""
    if math.isnan(shown[0]) or math.isnan(found[0]):
        return math.isnan(shown[0]) and math.isnan(found[0])
    decimals = [len(t.partition(".")[2]) for t in texts if t and "e" not in t.lower()]
    step = 10.0 ** -max(decimals, default=6)
    return bool(is_close(np.array(found), np.array(shown), step).all())


def list_alternatives(analysis: Analysis) -> Iterator[tuple[str, dict[str, str], Analysis]]:
    """List other choices that may stand behind a total: what they are called, and the analysis.

    Those that change the fewest settings come first.
    """
    return iter(
        sorted(_list_choices(analysis), key=lambda choice: _count_changes(analysis, choice))
    )


def _count_changes(analysis: Analysis, choice: tuple[str, dict[str, str], Analysis]) -> int:
    _, words, other = choice
    own = _name_settings(analysis)
    names = own if words["model"] == "random" == own["model"] else ("method", "model")
    changed = sum(words[name] != own[name] for name in names)
    return changed + (other.measure != analysis.measure) + (other.swap != analysis.swap)


def _list_choices(analysis: Analysis) -> Iterator[tuple[str, dict[str, str], Analysis]]:
    measures = {"events": ("RR", "OR", "RD", "PETO"), "means": ("MD", "SMD")}
    ways = [("MH", "fixed"), ("MH", "random"), ("IV", "fixed"), ("IV", "random")]
    ways = ways if analysis.kind == "events" else ways[2:]
    for measure in dict.fromkeys((analysis.measure, *measures.get(analysis.kind, ()))):
        for swap in (False, True) if analysis.kind == "events" else (False,):
            if swap and measure == "PETO":
                continue
            other = replace(analysis, measure=measure, swap=swap)
            for method, model in [("Peto", "fixed")] if measure == "PETO" else ways:
                for tau2, ci in (
                    (("DL", "wald"), ("REML", "wald"), ("DL", "hksj"), ("REML", "hksj"))
                    if model == "random"
                    else (("DL", "wald"),)
                ):
                    words = {"method": method, "model": model, "tau2": tau2, "ci": ci}
                    named = [measure, *(["swapped"] if swap else []), *words.values()]
                    shown = named if model == "random" else named[:-2]
                    yield " ".join(t for t in shown if t), words, other


def explain(analysis: Analysis, check: Check, texts: Sequence[str] = ()) -> str:
    """Name another choice that gives a stored total; empty where none does."""
    if math.isnan(check.shown[0]):
        return ""
    for name, words, other in list_alternatives(analysis):
        if agree(check.shown, total(other, check.subgroup, words), texts):
            return name
    for level in LEVELS:
        other = replace(analysis, level=level)
        if agree(check.shown, total(other, check.subgroup), texts):
            return f"{level:g} %"
    return ""


def settle(analysis: Analysis) -> None:
    """Find method, model, estimator and interval where the file does not say, by its numbers.

    Stored totals decide; without them the weights of the rows. What neither tells is assumed:
    Mantel-Haenszel for counts, inverse variance for others, random. Rows that RevMan did not make
    are left to the review's own model.
    """
    if analysis.kind not in NEEDED or (analysis.own and not analysis.stored):
        return
    if math.isnan(analysis.level):
        analysis.level = 95.0
        analysis.assumed.append("level")
    if math.isnan(analysis.row_level):
        analysis.row_level = analysis.level
    if analysis.kind == "o_e":
        analysis.method, analysis.model = "EXP_O_E", "fixed"
    elif analysis.measure == "PETO":
        analysis.method, analysis.model = "Peto", analysis.model or "fixed"
    need = [n for n in ("method", "model") if not getattr(analysis, n)]
    if analysis.model in ("random", ""):
        need += [n for n in ("tau2", "ci") if not getattr(analysis, n)]
    if not need:
        return
    fitting = _list_fitting(analysis)
    default = {"method": "MH" if analysis.kind == "events" else "IV", "model": "random"}
    default |= {"tau2": "DL", "ci": "wald"}
    for name in need:
        values = {way[name] for way in fitting}
        setattr(analysis, name, fitting[0][name] if fitting else default[name])
        if len(values) == 1 and (name in ("method", "model") or analysis.stored):
            analysis.found.append(name)
        elif name in ("method", "model"):
            analysis.assumed.append(name)


def _list_fitting(analysis: Analysis) -> list[dict[str, str]]:
    """List the ways to pool, among those that the file's own words allow, that give its numbers."""
    stated = {n: getattr(analysis, n) for n in ("method", "model", "tau2", "ci")}
    stored = [s for s in analysis.stored if s.estimable]
    weighed = sum(to_float(row.weight or "0") > 0 for row in analysis.rows)
    fitting = []
    for words in _list_ways(analysis):
        if any(value and words[name] != value for name, value in stated.items()):
            continue
        if stored:
            fits = all(
                agree(_three(np.array([to_float(t) for t in s.shown])), found, s.shown)
                for s in stored
                for found in [total(analysis, s.subgroup, words)]
            )
        else:
            fits = weighed > 1 and _weighs(analysis, words)
        if fits:
            fitting.append(words)
    return fitting


def share(analyses: Sequence[Analysis]) -> None:
    """Assume what most of a file's other analyses of the same kind say, where one says nothing."""
    for kind in ("events", "means", "giv"):
        own = [a for a in analyses if a.kind == kind and a.measure != "PETO"]
        known = [(a.method, a.model) for a in own if not {"method", "model"} & {*a.assumed}]
        if not known:
            continue
        method, model = Counter(known).most_common(1)[0][0]
        for one in own:
            if {"method", "model"} <= {*one.assumed} and not _list_fitting(
                replace(one, method="", model="")
            ):
                one.method, one.model = method, model


def _list_ways(analysis: Analysis) -> Iterator[dict[str, str]]:
    methods = ("MH", "IV") if analysis.kind == "events" else ("IV",)
    methods = (analysis.method,) if analysis.method else methods
    for tau2, ci in (("DL", "wald"), ("REML", "wald"), ("DL", "hksj"), ("REML", "hksj")):
        for method in methods:
            for model in ("random", "fixed"):
                if model == "random" or (tau2, ci) == ("DL", "wald"):
                    yield {"method": method, "model": model, "tau2": tau2, "ci": ci}


def _weighs(analysis: Analysis, words: Mapping[str, str]) -> bool:
    """Tell whether a way to pool gives the weights that the rows show, in all or by subgroup.

    A sheet gives weights in percent of the total, or of the subtotal where only those are shown.
    """
    shown = np.array([to_float(row.weight or "0") for row in analysis.rows])
    parts = [list(range(len(analysis.rows)))]
    if abs(shown.sum() - 100) > 0.01:
        by: dict[str, list[int]] = {}
        for i, row in enumerate(analysis.rows):
            by.setdefault(row.subgroup, []).append(i)
        parts = list(by.values())
    told = False
    for at in parts:
        rows = [analysis.rows[i] for i in at]
        found = pool(analysis, compute_rows(analysis, rows), words)
        if found is None or not (np.abs(found.weights - shown[at]) <= 2e-4).all():
            return False
        told = told or (shown[at] > 0).sum() > 1
    return told
