"""R's metafor: effects -> a CSV and a script that refits them; a user's CSV -> a review's rows.

The columns are metafor's own argument names, so that ``escalc()`` on the raw ones and ``rma(yi,
vi)`` on the others give what Headway gives.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.config.review import Comparison, Review
from headway.effects.measures import FAMILIES, MEASURES, arrange
from headway.effects.units import UNITS
from headway.ingest.adapters.exchange import (
    Basket,
    ImportedRows,
    Row,
    Sheet,
    as_text,
    check_defaults,
    make_contrast,
    missing_columns,
    read_sheet,
    to_float,
    write_number,
    write_rows,
)
from headway.messages import say_in_english
from headway.tables import guard

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "comparison",
    "label",
    "study",
    "year",
    "subgroup",
    "arms",
    "timepoint",
    "unit",
    "basis",
    "measure",
    "n1i",
    "m1i",
    "sd1i",
    "n2i",
    "m2i",
    "sd2i",
    "ai",
    "bi",
    "ci",
    "di",
    "ni",
    "ri",
    "yi",
    "vi",
    "pooled",
    "slab",
    "why_not",
    "instrument",
)
_NUMBERS = (*COLUMNS[10:24], "sei")
# Columns that name a trial, and sets of columns of which a file has at least one.
_NAMES = ("study", "trial", "author", "slab")
_SETS = (("ai", "ci"), ("m1i", "m2i"), ("yi", "vi"), ("yi", "sei"))
# Kind of a row's numbers -> measures on them, the first where the file names none.
_KINDS = {
    "means": list(FAMILIES["two_groups"].measures),
    "events": list(FAMILIES["counts"].measures),
    "paired": list(FAMILIES["paired"].measures),
    "effects": ["MD"],
}


def write_metafor(effects: pd.DataFrame, path: Path) -> None:
    """Write every row of the table `effects` in metafor's columns.

    Raw numbers stand where ``escalc()`` of the row's `measure` takes them: ``n1i m1i sd1i n2i m2i
    sd2i``, or ``ai bi ci di``, or ``m1i m2i sd1i sd2i ni ri`` (for SMCR `sd1i` is the SD before
    treatment). Where a paper prints the SD of the change itself, `m1i` and `sd1i` are the change
    and its SD, and ``m2i = sd2i = ri = 0``. Numbers have as many digits as give back the same
    number; missing ones are ``NA``, missing text is empty, `pooled` is TRUE or FALSE.

    Parameters
    ----------
    effects
        Table `effects` of one review.
    path
        File to write. ``read.csv(path)`` reads it.
    """
    effects = effects.assign(year=effects["year"].astype("float64"))
    alike = effects.duplicated(["comparison", "trial"], keep=False)
    rows = []
    for row, twice in zip(effects.itertuples(), alike, strict=True):
        own = f", {row.instrument}" if isinstance(row.instrument, str) else ""
        label = f"{row.trial}: {row.arms}, {row.timepoint}{own}" if twice else row.trial
        texts = {
            "comparison": row.comparison,
            "label": row.label,
            "study": row.trial,
            "subgroup": row.subgroup,
            "arms": row.arms,
            "timepoint": row.timepoint,
            "unit": row.unit,
            "basis": row.basis,
            "measure": row.measure,
            "slab": label,
            "instrument": row.instrument,
            "why_not": row.why_not if row.pooled else say_in_english(row.why_not),
        }
        cells = {name: guard(as_text(value)) for name, value in texts.items()}
        numbers = {"year": row.year, "yi": row.yi, "vi": row.vi, **_as_raw(row)}
        cells |= {name: write_number(value, "NA") for name, value in numbers.items()}
        cells["pooled"] = "TRUE" if row.pooled else "FALSE"
        rows.append([cells.get(name, "NA") for name in COLUMNS])
    write_rows(path, COLUMNS, rows)


def _as_raw(row: Any) -> dict[str, float]:
    """Put the summaries of one row where escalc() takes them."""
    if row.basis != "arms":
        return {}
    if row.measure == "MC" and math.isnan(row.r) and not math.isnan(row.vi):
        sd = math.sqrt(row.vi * row.n1)
        return {"ni": row.n1, "m1i": row.yi, "m2i": 0.0, "sd1i": sd, "sd2i": 0.0, "ri": 0.0}
    if row.measure in _KINDS["events"]:
        cells = arrange(row.measure, row._asdict())
        sizes = {"n1i": row.n1, "n2i": row.n2}
        return sizes | {f"{cell}i": number for cell, number in cells.items()}
    first, second = row.sd1, row.sd2
    if MEASURES[row.measure].sd1_before:
        first, second = second, first
    raw = {"m1i": row.mean1, "m2i": row.mean2, "sd1i": first, "sd2i": second}
    if row.measure in _KINDS["means"]:
        return raw | {"n1i": row.n1, "n2i": row.n2}
    return raw | {"ni": row.n1, "ri": row.r} if row.measure in _KINDS["paired"] else {}


@dataclass(slots=True)
class _Comparison:
    """The rows of one comparison of a file, of one estimand."""

    id: str
    label: str
    kinds: set[str] = field(default_factory=set)
    measures: set[str] = field(default_factory=set)
    units: set[str] = field(default_factory=set)
    arm_kinds: set[str] = field(default_factory=set)
    subgroups: set[str] = field(default_factory=set)
    pooled: set[str] = field(default_factory=set)
    left: dict[str, str] = field(default_factory=dict)


def has_columns(sheet: Sheet) -> bool:
    """Tell whether a sheet has the columns that `read_metafor` needs."""
    has = sheet.headers.__contains__
    return any(map(has, _NAMES)) and any(all(map(has, names)) for names in _SETS)


def read_metafor(path: Path, defaults: Mapping[str, str] | None = None) -> ImportedRows:
    """Read a CSV in metafor's columns: one that `write_metafor` wrote, or a user's own.

    Each row needs a name (``study``, ``trial``, ``author`` or ``slab``; the year is added to an
    author, and to a study whose name stands for several years) and one of ``ai bi ci di``, ``ai
    n1i ci n2i``, ``n1i m1i sd1i n2i m2i sd2i``, ``ni m1i m2i sd1i sd2i ri``, or ``yi`` with ``vi``
    or ``sei``. The first of these that a row has numbers in is taken; means beside counts are two
    results. Empty cells and NA are missing.

    Parameters
    ----------
    path
        The file; delimiter and spelling of the header as for `read_revman`.
    defaults
        As for `read_revman`: what metafor's columns do not hold.

    Returns
    -------
    ImportedRows
        One outcome and one comparison per `comparison` and `outcome` (or ``endpoint``) of the file
        (``imported`` without either); where it holds means and counts of one outcome, each is a
        comparison of its own. Several effects of one study are told apart by `instrument`
        (``instrument``, ``scale``, or a ``measure`` that is no code of metafor), else by a number.
        A correlation `ri` is kept as the SD of the change it implies, in a row of kind `change`
        beside the final one; Headway finds it there where `time_days` is given.

    Raises
    ------
    InputError
        The file cannot be read, or lacks the columns; `defaults` cannot be used.
    """
    given = check_defaults(defaults)
    sheet = read_sheet(path)
    has = sheet.headers.__contains__
    if not any(map(has, _NAMES)):
        raise missing_columns(sheet, ["study"], "remedy.metafor_study")
    if not any(all(map(has, names)) for names in _SETS):
        remedy = "remedy.metafor_numbers"
        raise missing_columns(sheet, ["yi", "sei"], remedy)
    basket = Basket(given)
    basket.problems += sheet.broken
    basket.reported += len(sheet.broken)
    comparisons: dict[tuple[str, ...], _Comparison] = {}
    apart = _find_apart(sheet.rows)
    years: dict[str, set[str]] = {}
    for row in sheet.rows:
        years.setdefault(_name_study(row), set()).add(row.text("year"))
    alike = {name for name, several in years.items() if len(several) > 1}
    for row in sheet.rows:
        _read_row(row, basket, comparisons, alike, apart)
    return _finish(sheet, basket, list(comparisons.values()))


def _read_row(
    row: Row,
    basket: Basket,
    comparisons: dict[tuple[str, ...], _Comparison],
    alike: set[str],
    apart: set[tuple[str, str]],
) -> None:
    """Turn one row into arms or a contrast, or report it; one with two results into both."""
    given = basket.given
    v = _read_numbers(row)
    trial = _name_study(row)
    year = row.text("year").removesuffix(".0")
    dated = year.isascii() and year.isdigit()
    if trial and dated and year not in trial and (trial in alike or not row.text("study", "trial")):
        trial = f"{trial} {year}"
    if not trial:
        row.report("required", "problem.no_study_name", "study", "remedy.no_study_name")
    kinds = _find_kinds(v)
    if not kinds and not row.problems:
        row.report("no_numbers", "problem.no_numbers_of_a_measure", remedy="remedy.metafor_numbers")
    subgroup = row.text("subgroup")
    timepoint, arm_kind = _split_timepoint(
        row.text("timepoint", "time", "followup") or given["timepoint"]
    )
    measure = row.text("measure").upper()
    instrument = row.text("instrument", "scale")
    if measure not in MEASURES:  # a file of one's own may call so what was measured
        instrument, measure = instrument or row.text("measure"), ""
    shared = {
        "trial": trial,
        "year": year if dated else "",
        "condition": given["condition"] or subgroup,
        "unit": row.text("unit") if row.text("unit") in UNITS else given["unit"],
        "instrument": instrument,
        "timepoint": timepoint,
        "source": given["source"] or row.file,
        "note": f"subgroup: {subgroup}" if subgroup else "",
    }
    arms: list[dict[str, str]] = []
    contrasts: list[dict[str, str]] = []
    found = []
    for kind in kinds or [""]:
        comparison = _find_comparison(row, kind, comparisons, apart)
        own_arms, own = _read_kind(row, v, kind, arm_kind or given["kind"], measure)
        if arm_kind or kind == "paired":
            # post - pre, as Headway and metafor's MC have it.
            for arm in own_arms:
                arm |= {"positive_means": "worse"} if arm["kind"] == "change" else {}
        shared["outcome"] = comparison.id
        arms += [shared | arm for arm in own_arms]
        contrasts += [shared | contrast for contrast in own]
        found.append((comparison, kind, own_arms))
    if not basket.keep(row, arms, contrasts, several=True):
        return
    for comparison, kind, own_arms in found:
        comparison.kinds.add(kind)
        comparison.measures.add(measure)
        comparison.units.add("participants" if kind == "events" else shared["unit"])
        comparison.arm_kinds |= {arm["kind"] for arm in own_arms}
        comparison.subgroups |= {subgroup} - {""}
        if row.text("pooled").upper() in ("FALSE", "F", "0"):
            comparison.left[trial] = row.text("whynot") or "not pooled in the file it comes from"
        else:
            comparison.pooled.add(trial)


def _read_numbers(row: Row) -> dict[str, str]:
    v = {name: row.number(name) for name in _NUMBERS if name != "ci"}
    # Where there are no counts, a column `ci` is an interval in words.
    v["ci"] = row.number("ci") if row.text("ai") else ""
    return v


def _name_outcome(row: Row) -> tuple[str, str]:
    """Name what tells the rows of a file apart into comparisons: comparison and outcome."""
    return row.text("comparison"), row.text("outcome", "endpoint")


def _find_apart(rows: list[Row]) -> set[tuple[str, str]]:
    """Find outcomes of which a row holds both means and counts: two results, never one."""
    found = set()
    for row in rows:
        seen = len(row.problems)
        if len(_find_kinds(_read_numbers(row))) > 1:
            found.add(_name_outcome(row))
        del row.problems[seen:]
    return found


def _find_comparison(
    row: Row,
    kind: str,
    comparisons: dict[tuple[str, ...], _Comparison],
    apart: set[tuple[str, str]],
) -> _Comparison:
    """Find the comparison of a row, or make it: one per comparison, outcome and kind of result."""
    name = _name_outcome(row)
    split = kind if name in apart and kind in ("means", "events") else ""
    key = (*name, "paired" if kind == "paired" else "", split)
    if key not in comparisons:
        words = [*name, {"means": "means", "events": "counts"}.get(split, "")]
        text = ": ".join(word for word in words if word)
        label = row.text("label")
        if label:
            label = ": ".join(word for word in (label, *words[1:]) if word)
        id = _name(text or "imported", {c.id for c in comparisons.values()})
        comparisons[key] = _Comparison(id, label or text or "Imported rows")
    return comparisons[key]


def _read_kind(
    row: Row, v: Mapping[str, str], kind: str, arm_kind: str, measure: str
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Read one result of a row: its arms, or its effect."""
    if row.problems:
        return [], []
    one, _, two = row.text("arms").partition(" v ")
    sides = (one or "experimental", two or "control")
    if kind == "events":
        return _read_counts(row, v, sides), []
    if kind == "means":
        return _read_means(v, sides, arm_kind), []
    if kind == "paired":
        stated = _split_timepoint(row.text("timepoint", "time", "followup"))[1]
        return _read_paired(row, v, row.text("arms") or "experimental", measure, stated), []
    return [], [_read_effect(row, v, sides, measure)]


def _name_study(row: Row) -> str:
    return row.text("study", "trial", "author", "slab")


def _find_kinds(v: Mapping[str, str]) -> list[str]:
    """Find what a row can be computed from: one result, or means beside counts."""
    counts = bool(v["ai"] and v["ci"])
    paired = bool(v["ni"] and v["m1i"] and v["m2i"] and not v["n1i"])
    means = bool(v["m1i"] and v["m2i"]) and not paired
    if counts and means and any(v[name] for name in ("sd1i", "sd2i")):
        return ["means", "events"]
    if counts:
        return ["events"]
    if paired:
        return ["paired"]
    if means:
        return ["means"]
    return ["effects"] if v["yi"] else []


def _read_counts(row: Row, v: Mapping[str, str], sides: tuple[str, str]) -> list[dict[str, str]]:
    """Read a two by two table; totals may stand in place of the non-events."""
    arms = []
    for number, (yes, no, role) in enumerate(
        (("ai", "bi", "treatment"), ("ci", "di", "control")), 1
    ):
        n = v[f"n{number}i"]
        if v[no]:
            total = to_float(v[yes]) + to_float(v[no])
            if n and float(n) != total:
                row.report(
                    "counts_disagree",
                    "problem.counts_disagree",
                    f"n{number}i",
                    "remedy.counts_disagree",
                )
            n = n or write_number(total)
        elif not n:
            row.report("required", "problem.lacks_n", f"n{number}i", "remedy.lacks_n")
        one = {"arm": sides[number - 1], "role": role, "kind": "events"}
        arms.append(one | {"n": n, "events": v[yes]})
    return arms


def _read_means(v: Mapping[str, str], sides: tuple[str, str], kind: str) -> list[dict[str, str]]:
    """Read means and SDs of two arms."""
    arms = []
    for number, role in ((1, "treatment"), (2, "control")):
        one = {"arm": sides[number - 1], "role": role, "kind": kind}
        one |= {
            name: v[f"{short}{number}i"]
            for name, short in (("n", "n"), ("mean", "m"), ("sd", "sd"))
        }
        arms.append(one)
    return arms


def _read_paired(
    row: Row, v: Mapping[str, str], arm: str, measure: str, arm_kind: str
) -> list[dict[str, str]]:
    """Read one arm measured twice.

    `arm_kind` is `final` where Headway itself assumed the correlation, and will again.
    """
    shared = {"arm": arm, "role": "treatment", "n": v["ni"]}
    second, r = to_float(v["sd2i"]), to_float(v["ri"])
    if to_float(v["m2i"]) == 0 and second == 0 and r == 0:
        return [shared | {"kind": "change", "mean": v["m1i"], "sd": v["sd1i"]}]
    turned = measure in MEASURES and MEASURES[measure].sd1_before
    post, pre = ("sd2i", "sd1i") if turned else ("sd1i", "sd2i")
    before = {"baseline_n": v["ni"], "baseline_mean": v["m2i"], "baseline_sd": v[pre]}
    final = shared | before | {"kind": "final", "mean": v["m1i"], "sd": v[post]}
    if abs(r) > 1:
        row.report("not_a_correlation", "problem.not_a_correlation", "ri", "remedy.check_column")
    if arm_kind == "final" or math.isnan(r) or not (v["sd1i"] and v["sd2i"]):
        return [final]
    first = to_float(v["sd1i"])
    spread = math.sqrt(max(first**2 + second**2 - 2 * r * first * second, 0.0))
    change = {
        "kind": "change",
        "mean": write_number(to_float(v["m1i"]) - to_float(v["m2i"])),
        "sd": write_number(spread),
        "status": "computed",
    }
    return [final, shared | before | change]


def _read_effect(
    row: Row, v: Mapping[str, str], sides: tuple[str, str], measure: str
) -> dict[str, str]:
    """Read an effect with its variance or standard error."""
    vi, sei = to_float(v["vi"]), to_float(v["sei"])
    se = math.sqrt(vi) if vi > 0 else sei
    one = {"treatment_arm": sides[0], "control_arm": sides[1]}
    one["effect_type"] = f"effect as given ({measure})" if measure else "effect as given"
    if not se > 0:
        row.report(
            "no_standard_error",
            "problem.no_variance",
            "vi" if v["vi"] else "sei",
            "remedy.no_variance",
        )
        return one
    return one | make_contrast(v["yi"], repr(se))


def _split_timepoint(text: str) -> tuple[str, str]:
    """Split the kind of values from a time point, as the table `effects` joins them."""
    for kind in ("change", "final"):
        if text.endswith(f", {kind}"):
            return text.removesuffix(f", {kind}"), kind
    return text, ""


def _name(text: str, taken: set[str]) -> str:
    """Make an identifier of review.yaml that is not taken."""
    words = re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")
    name = words if words[:1].isalpha() else f"comparison_{words}".rstrip("_")
    number = 2
    found = name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def _finish(sheet: Sheet, basket: Basket, found: list[_Comparison]) -> ImportedRows:
    """Put the result together, with what review.yaml needs to know of it."""
    outcomes: dict[str, dict[str, Any]] = {}
    comparisons = []
    for one in found:
        if not one.kinds:
            continue
        # Arms before effects: a comparison of arms may hold printed differences too.
        kind = next(k for k in ("paired", "means", "events", "effects") if k in one.kinds)
        known = [m for m in _KINDS[kind] if m in one.measures]
        comparison: dict[str, Any] = {
            "id": one.id,
            "label": one.label,
            "outcome": one.id,
            "estimand": "within_arm" if kind == "paired" else "between_arm",
            "measure": known[0] if known else _KINDS[kind][0],
        }
        if kind == "means" and comparison["measure"] != "MD":
            comparison["kinds"] = sorted(one.arm_kinds, reverse=True)
        if one.subgroups and not basket.given["condition"]:
            comparison["subgroup_by"] = "condition"
        left = {trial: why for trial, why in one.left.items() if trial not in one.pooled}
        if left:
            comparison["leave_out"] = left
        comparisons.append(comparison)
        unit = one.units.pop() if len(one.units) == 1 else basket.given["unit"]
        outcomes[one.id] = {"label": one.label, "unit": unit, "lower_is_better": True}
    arms, contrasts = basket.frames()
    return ImportedRows(
        arms=arms,
        contrasts=contrasts,
        outcomes=outcomes,
        comparisons=comparisons,
        problems=tuple(sorted(basket.problems, key=lambda p: p.line or 0)),
        rows_in=len(sheet.rows) + len(sheet.broken),
        rows_kept=basket.kept,
        rows_reported=basket.reported,
        headings=0,
        undecided=basket.undecided(),
    )


_HEAD = """\
# Refits with R's metafor what Headway pooled, from the CSV that Headway wrote beside this script:
#   Rscript reproduce.R
# Another copy of the CSV can be named: Rscript reproduce.R file.csv
suppressPackageStartupMessages(library(metafor))
arguments <- commandArgs(trailingOnly = TRUE)
d <- read.csv(if (length(arguments)) arguments[1] else {file}, encoding = "UTF-8")

# Effects from the raw numbers again: the largest difference from yi and vi in the file.
check <- function(rows) {{
  for (m in unique(rows$measure)) {{
    raw <- rows[rows$measure == m & rows$basis == "arms" & !is.na(rows$yi), ]
    if (nrow(raw) == 0) next
    e <- if (m %in% c({events})) {{
      escalc(m, ai = ai, bi = bi, ci = ci, di = di, data = raw, var.names = c("y", "v"))
    }} else if (m %in% c({means})) {{
      escalc(m, n1i = n1i, m1i = m1i, sd1i = sd1i, n2i = n2i, m2i = m2i, sd2i = sd2i, data = raw,
             var.names = c("y", "v"))
    }} else if (m %in% c({paired})) {{
      escalc(m, ni = ni, m1i = m1i, m2i = m2i, sd1i = sd1i, sd2i = sd2i, ri = ri, data = raw,
             var.names = c("y", "v"))
    }}
    if (is.null(e)) next
    cat(sprintf("  escalc(%s), %d rows: yi differ by %.1e, vi by %.1e at most\\n", m, nrow(raw),
                max(abs(e$y - raw$yi)), max(abs(e$v - raw$vi))))
  }}
}}

refit <- function(title, rows, method, test) {{
  cat("\\n", title, "\\n", sep = "")
  check(rows)
  if (nrow(rows) < 2) {{
    cat("  fewer than two studies: nothing to pool\\n")
    return(invisible())
  }}
  # metafor stops its search early by default; this asks for as many digits as Headway gives.
  tight <- 1e-11 * max(var(rows$yi), 1e-3 * mean(rows$vi))
  fit <- rma(yi, vi, data = rows, method = method, test = test, level = {level}, slab = slab,
             control = list(threshold = tight, tol = tight, maxiter = 10000))
  cat(sprintf("  %s, %s: k = %d, estimate = %.10g, se = %.10g, interval %.10g to %.10g\\n",
              method, test, fit$k, fit$beta[1], fit$se, fit$ci.lb, fit$ci.ub))
  cat(sprintf("  tau2 = %.10g, I2 = %.6g %%, Q = %.10g, p = %.6g\\n",
              fit$tau2, fit$I2, fit$QE, fit$QEp))
  if (all(rows$measure %in% c({ratios}))) {{
    cat(sprintf("  as a ratio: %.6g, %.6g to %.6g\\n", exp(fit$beta[1]), exp(fit$ci.lb),
                exp(fit$ci.ub)))
  }}
  invisible(fit)
}}
"""


def write_script(review: Review, csv: str = "metafor.csv") -> str:
    """Write an R script that refits a review's comparisons under its declared model.

    Parameters
    ----------
    review
        review.yaml with its defaults.
    csv
        Name of the file that `write_metafor` wrote, as seen from where the script is run.

    Returns
    -------
    str
        The script. It prints, per comparison and subgroup, how far ``escalc()`` on the raw numbers
        is from the effects in the file, and what ``rma()`` makes of these. metafor's ``rma()`` has
        no Kenward-Roger test; ``knha`` stands in its place, and the script says so.
    """
    method, test = review.model.method, review.model.test
    percent = write_number(round(100 * review.level, 10))
    codes = {kind: ", ".join(map(_quote, _KINDS[kind])) for kind in ("events", "means", "paired")}
    ratios = [_quote(code) for code, entry in MEASURES.items() if entry.scale.code == "ratio"]
    lines = [_HEAD.format(file=_quote(csv), level=percent, ratios=", ".join(ratios), **codes)]
    if test == "kr":
        test = "knha"
        lines.append('cat("rma() has no Kenward-Roger test: Hartung-Knapp is shown instead\\n")')
    for comparison in review.comparisons:
        rows = f"subset(d, comparison == {_quote(comparison.id)} & pooled)"
        title = _quote(comparison.label)
        model, told = _name_model(comparison, method, test)
        lines += [told] if told else []
        if comparison.grouping == "none":
            lines.append(f"refit({title}, {rows}, {model})")
            continue
        lines.append(f"rows <- {rows}")
        # Treated and untreated arms are not one population: no overall estimate by arm.
        if comparison.subgroup_by != "arm":
            lines.append(f"refit({title}, rows, {model})")
        lines.append("for (g in unique(rows$subgroup)) {")
        lines.append(f'  refit(paste0({title}, ": ", g), rows[rows$subgroup == g, ], {model})')
        lines.append("}")
    return "\n".join(lines) + "\n"


def _name_model(comparison: Comparison, method: str, test: str) -> tuple[str, str]:
    """Name the model that R is asked for, and say where Headway pools by other rules."""
    told = ""
    if comparison.method is not None:
        method = "EE" if comparison.model == "fixed" else comparison.tau2
        test = "knha" if comparison.ci == "hksj" and method != "EE" else "z"
        told = f"Headway pools the next comparison as RevMan does ({comparison.method})"
    elif comparison.dependence:
        told = "Headway pools the next comparison as dependent effects of its trials"
    if told:
        told = f'cat("\\n{told}: what rma() makes of the same effects can differ\\n")'
    return f"{_quote(method)}, {_quote(test)}", told


def _quote(text: str) -> str:
    """Write text as a string of R, in ASCII: R may run in any locale."""
    out = []
    for letter in text:
        code = ord(letter)
        if letter in '"\\':
            out.append(f"\\{letter}")
        elif 32 <= code < 127:
            out.append(letter)
        else:
            out.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return '"' + "".join(out) + '"'
