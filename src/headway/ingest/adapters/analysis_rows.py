"""Analyses -> the rows, comparisons and published totals of a review.

Every row of a study is kept. One outcome and one comparison per analysis, with the analysis's own
settings; a row carries the number of its analysis and the name of its subgroup, and what the file
shows for it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headway.ingest.adapters.analyses import Analysis, StudyRow, name_trials
from headway.ingest.adapters.exchange import (
    Basket,
    ImportedRows,
    to_float,
    write_number,
)
from headway.ingest.adapters.shown import (
    Check,
    check_rows,
    check_totals,
    explain,
    identify,
    settle,
    share,
)
from headway.ingest.open.names import tidy

if TYPE_CHECKING:
    import pandas as pd

    from headway.errors import Problem

_STORED = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRows(ImportedRows):
    """Rows of analyses, with what their file shows for them.

    Attributes
    ----------
    rob : DataFrame
        One row per judgement on the risk of bias: trial, domain, judgement, and the outcome it was
        made for. It is kept beside the review: no column of arms.csv or contrasts.csv holds it.
    """

    rob: pd.DataFrame


def make_rows(
    analyses: list[Analysis],
    given: Mapping[str, str],
    *,
    lines: int,
    headings: int = 0,
    reported: Iterable[Problem] = (),
    left: Basket | None = None,
    judgements: list[dict[str, str]] | None = None,
) -> AnalysisRows:
    """Make a review's rows of analyses.

    Parameters
    ----------
    analyses
        As read; what their file does not say is settled here, by their numbers.
    given
        Values for what the file does not hold (`exchange.check_defaults`).
    lines
        Rows of the file that hold a study, or should.
    headings
        Lines that only name what stands below them.
    reported
        Problems of lines that are no rows, one each.
    left
        What was reported of rows that belong to no analysis.
    judgements
        Judgements on the risk of bias.
    """
    import pandas as pd

    complete(analyses)
    basket = left or Basket(given)
    broken = list(reported)
    basket.problems += broken
    basket.reported += len(broken)
    texts = 0
    outcomes: dict[str, dict[str, Any]] = {}
    comparisons, published = [], []
    for analysis in analyses:
        if analysis.kind == "other":
            texts += len(analysis.rows)
            continue
        for row in analysis.rows:
            _take(analysis, row, basket)
        if not any(row.taken for row in analysis.rows):
            continue
        outcomes[analysis.id] = {
            "label": analysis.label,
            "unit": _find_unit(analysis, given),
            "lower_is_better": True,
        }
        comparisons.append(_describe(analysis, given))
        published += _list_published(analysis)
    arms, contrasts = basket.frames()
    frame = pd.DataFrame(
        judgements or [], columns=["trial", "domain", "judgement", "outcome"], dtype=str
    )
    return AnalysisRows(
        arms=arms,
        contrasts=contrasts,
        outcomes=outcomes,
        comparisons=comparisons,
        published=published,
        problems=tuple(sorted(basket.problems, key=lambda p: p.line or 0)),
        rows_in=lines - headings - texts,
        rows_kept=basket.kept,
        rows_reported=basket.reported,
        headings=headings,
        texts=texts,
        undecided=(),
        summary=summarise(analyses),
        doubts=list_doubts(analyses),
        rob=frame,
    )


def complete(analyses: list[Analysis]) -> None:
    """Name trials and settle what the file does not say, by its numbers."""
    name_trials(analyses)
    for analysis in analyses:
        _name_subgroups(analysis)
        if analysis.kind == "other":
            continue
        undecided = any(row.kind == "" for row in analysis.rows) or not analysis.kind
        if undecided or (analysis.kind in ("events", "means") and not analysis.measure):
            identify(analysis)
        settle(analysis)
    share(analyses)


def _name_subgroups(analysis: Analysis) -> None:
    """Give every subgroup a name of its own; `overall` names all rows in a review."""
    names = {no: tidy(name) for no, name in analysis.subgroups.items()}
    alike = Counter(name.casefold() for name in names.values())
    for no, name in names.items():
        if alike[name.casefold()] > 1 or name.casefold() == "overall" or not name:
            name = f"{name} ({analysis.code_of(no)})".strip()
        analysis.subgroups[no] = name


def _take(analysis: Analysis, one: StudyRow, basket: Basket) -> None:
    """Turn a row into arms or a contrast, or report what its numbers cannot be."""
    row, given = one.row, basket.given
    if not one.trial:
        row.report("required", "problem.no_study_name", "study", "remedy.no_study_name")
    subgroup = analysis.name_of(one.subgroup)
    dated = one.year.isascii() and one.year.isdigit() and len(one.year) == 4
    notes = [*one.notes]
    notes += [f"year as printed: {one.year}"] if one.year and not dated else []
    level = "" if math.isnan(analysis.row_level) else write_number(analysis.row_level)
    estimate, low, high = one.shown
    shared = {
        "trial": one.trial,
        "year": one.year if dated else "",
        "outcome": analysis.id,
        "analysis": analysis.code,
        "subgroup": subgroup,
        "source": f"{given['source'] or row.file}, analysis {analysis.code}",
    }
    shown = {
        "shown_effect": estimate,
        "shown_ci_low": low,
        "shown_ci_high": high,
        "shown_level": level if estimate else "",
    }
    kind = one.kind or analysis.kind
    if kind in ("giv", "o_e"):
        arms = {"treatment_arm": analysis.arms[0], "control_arm": analysis.arms[1]}
        effect = _read_effect(analysis, one, kind, notes)
        note = {"note": "; ".join(text for text in notes if text)}
        one.taken = basket.keep(row, [], [shared | arms | effect | shown | note], strict=False)
        return
    note = {"note": "; ".join(text for text in notes if text)}
    sides = []
    for number, role in ((1, "treatment"), (2, "control")):
        names = ("mean", "sd", "n") if kind == "means" else ("events", "n")
        side = {name: one.values.get(f"{name}{number}", "") for name in names}
        side |= {"role": role, "arm": analysis.arms[number - 1]}
        side["kind"] = given["kind"] if kind == "means" else "events"
        sides.append(shared | side | note | (shown if number == 1 else {}))
    one.taken = basket.keep(row, sides, strict=False)


def _read_effect(analysis: Analysis, one: StudyRow, kind: str, notes: list[str]) -> dict[str, str]:
    """Read an effect with its standard error, on the scale on which it is pooled."""
    v = one.values
    people = [v.get("n1", ""), v.get("n2", "")]
    if any(to_float(n or "0") for n in people):
        notes.append(f"{people[0] or '?'} and {people[1] or '?'} participants")
    if kind == "o_e":
        off, spread = to_float(v.get("o_e", "")), to_float(v.get("variance", ""))
        notes.append(f"O - E {v.get('o_e', '') or '?'}, variance {v.get('variance', '') or '?'}")
        sound = spread > 0 and not math.isnan(off)
        return {
            "effect": write_number(off / spread) if sound else "",
            "se": write_number(1 / math.sqrt(spread)) if sound else "",
            "effect_type": "O - E and variance, log scale",
            "unit": "log_ratio",
        }
    logged = one.logged or bool(analysis.log)
    found = {
        "effect": v.get("effect", ""),
        "se": v.get("se", ""),
        "effect_type": "generic inverse variance" + (", log scale" if logged else ""),
    }
    if not found["effect"] or not to_float(found["se"]) > 0:
        found["se"] = ""  # without a spread there is no effect to pool
    return found | ({"unit": "log_ratio"} if logged else {})


def _find_unit(analysis: Analysis, given: Mapping[str, str]) -> str:
    if analysis.kind == "events":
        return "participants"
    return "log_ratio" if analysis.kind == "o_e" or analysis.log else given["unit"]


def _describe(analysis: Analysis, given: Mapping[str, str]) -> dict[str, Any]:
    """Describe the comparison that repeats an analysis by its own settings."""
    taken = [row for row in analysis.rows if row.taken]
    comparison: dict[str, Any] = {
        "id": analysis.id,
        "label": analysis.label,
        "outcome": analysis.id,
        "analysis": analysis.code,
        "estimand": "between_arm",
        "measure": analysis.measure or ("RATIO" if analysis.ratio else "MD"),
    }
    if analysis.method:
        comparison |= {"method": analysis.method, "model": analysis.model}
    if analysis.level == analysis.level:
        comparison["ci_level"] = analysis.level
    if analysis.model == "random":
        comparison |= {"tau2": analysis.tau2 or "DL", "ci": analysis.ci or "wald"}
    if analysis.prediction:
        comparison["prediction"] = True
    if analysis.swap:
        comparison["swap_events"] = True
    if analysis.totals not in ("", "all"):
        comparison["totals"] = analysis.totals
    if analysis.kind == "means":
        comparison["kinds"] = [given["kind"]]
    if any(row.subgroup for row in taken):
        comparison["subgroup_by"] = "subgroup"
    outside = [row.trial for row in taken if not row.in_total]
    if outside:
        reason = "the file counts it in its subgroup only"
        comparison["leave_out"] = dict.fromkeys(outside, reason)
    notes = [describe_settings(analysis)]
    if analysis.found:
        notes.append(f"told by its numbers: {', '.join(dict.fromkeys(analysis.found))}")
    if analysis.assumed:
        notes.append(f"assumed: {', '.join(dict.fromkeys(analysis.assumed))}")
    comparison["note"] = "; ".join(notes)
    return comparison


def describe_settings(analysis: Analysis) -> str:
    """Say in words how an analysis is pooled: ``RR, MH, random, 95 %``."""
    kinds = {"giv": analysis.measure_name or "generic inverse variance", "o_e": "O - E"}
    words = [analysis.measure or kinds.get(analysis.kind, ""), analysis.method, analysis.model]
    if analysis.model == "random" and (analysis.tau2, analysis.ci) not in (
        ("", ""),
        ("DL", "wald"),
    ):
        words += [analysis.tau2, analysis.ci]
    words += [f"{analysis.level:g} %"] if analysis.level == analysis.level else []
    words += ["events and non-events swapped"] if analysis.swap else []
    return ", ".join(w for w in words if w)


def _list_published(analysis: Analysis) -> list[dict[str, Any]]:
    """List the totals that the file shows, for review.yaml."""
    out = []
    for stored in analysis.stored:
        code = analysis.code_of(stored.subgroup)
        name = analysis.name_of(stored.subgroup)
        entry: dict[str, Any] = {
            "id": f"analysis_{code.replace('.', '_')}",
            "label": f"{code} {name or analysis.name}".strip(),
            "analysis": code,
        }
        if stored.estimable:
            estimate, low, high = map(_as_stored, stored.shown)
            entry |= {"estimate": estimate, "ci": [low, high], "level": analysis.level}
        else:
            entry["estimate"] = "not estimable"
        target = {"comparison": analysis.id}
        if stored.subgroup:
            target["subgroup"] = name
        out.append(entry | {"source": f"analysis {code}", "recompute": target})
    return out


def _as_stored(text: str) -> str:
    """Keep a number as the file stores it, where review.yaml can hold it so."""
    return text if _STORED.fullmatch(text) else write_number(to_float(text))


# ── what agrees ───────────────────────────────────────────────────────────────────────────────


def summarise(analyses: Iterable[Analysis]) -> list[dict[str, Any]]:
    """Count, for each analysis, rows and totals, and those that its own numbers give.

    Returns
    -------
    list of dict
        analysis, settings, rows, rows_shown (rows for which the file shows an effect), rows_agree,
        totals, reproduced, not_estimable (on both sides), doubts.
    """
    out = []
    for analysis in analyses:
        if analysis.kind == "other":
            continue
        rows = check_rows(analysis)
        shown = [check for _, check in rows if not math.isnan(check.shown[0])]
        totals = check_totals(analysis)
        counted = [check for check in totals if not math.isnan(check.shown[0])]
        none = [c for c in totals if math.isnan(c.shown[0]) and math.isnan(c.found[0])]
        out.append(
            {
                "analysis": analysis.code,
                "settings": describe_settings(analysis),
                "found": list(dict.fromkeys(analysis.found)),
                "assumed": list(dict.fromkeys(analysis.assumed)),
                "rows": len(analysis.rows),
                "rows_shown": len(shown),
                "rows_agree": sum(check.agrees for check in shown),
                "totals": len(totals) - len(none),
                "reproduced": sum(check.agrees for check in counted),
                "not_estimable": len(none),
                "doubts": len(_list_doubtful(rows))
                + sum(not check.agrees for check in totals)
                + len(_list_shared(analysis)),
            }
        )
    return out


def list_doubts(analyses: Iterable[Analysis]) -> list[dict[str, Any]]:
    """List what the numbers of a file do not give, with both numbers.

    Returns
    -------
    list of dict
        analysis, subgroup, trial (empty for a total), line, rule (``row``, ``total``, ``control``),
        shown and recomputed (three numbers each), choice (another that gives the total).
    """
    out: list[dict[str, Any]] = []
    for analysis in analyses:
        if analysis.kind == "other":
            continue
        for row, check in _list_doubtful(check_rows(analysis)):
            out.append(
                {
                    "analysis": analysis.code_of(row.subgroup),
                    "trial": row.trial,
                    "line": row.row.line,
                    "rule": "row",
                    "shown": check.shown,
                    "recomputed": check.found,
                    "choice": "",
                }
            )
        for stored, check in zip(analysis.stored, check_totals(analysis), strict=True):
            if not check.agrees:
                out.append(
                    {
                        "analysis": analysis.code_of(check.subgroup),
                        "trial": "",
                        "line": None,
                        "rule": "total",
                        "shown": check.shown,
                        "recomputed": check.found,
                        "choice": explain(analysis, check, stored.shown),
                    }
                )
        out += _list_shared(analysis)
    return out


def _list_doubtful(checks: Iterable[tuple[StudyRow, Check]]) -> list[tuple[StudyRow, Check]]:
    """List rows that show another effect, or say that they have none, than their numbers give."""
    return [
        (row, check)
        for row, check in checks
        if not check.agrees and (row.shown[0] or row.not_estimable)
    ]


def _list_shared(analysis: Analysis) -> list[dict[str, Any]]:
    """List rows of one study in one (sub)group whose control groups have the same numbers."""
    kinds = ("n2", "events2", "mean2", "sd2")
    seen: dict[tuple[str, ...], StudyRow] = {}
    out = []
    for row in analysis.rows:
        own = tuple(row.values.get(name, "") for name in kinds)
        key = (row.subgroup, row.study, *own)
        if row.study and key in seen and to_float(row.values.get("n2", "") or "0") > 0:
            out.append(
                {
                    "analysis": analysis.code_of(row.subgroup),
                    "trial": row.trial,
                    "line": row.row.line,
                    "rule": "control",
                    "shown": (math.nan,) * 3,
                    "recomputed": (math.nan,) * 3,
                    "choice": "",
                }
            )
        seen.setdefault(key, row)
    return out
