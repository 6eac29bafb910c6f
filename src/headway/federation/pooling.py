"""Summaries -> the tables of a registry: two stages, first each clinic's change, then the clinics.

Each clinic's mean change and its standard error come from its own summary; they are pooled with
random effects of clinics (`headway.meta.pool`: REML, Hartung-Knapp with the ad hoc floor, t
prediction interval). Nothing here turns an uncontrolled change into anything else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headway import effects, meta
from headway.errors import UNCOMPUTABLE
from headway.federation.funnel import FEW, LEAST, QUANTILES, find_limits
from headway.federation.reading import Offered, find_unit, read_preset
from headway.federation.summary import COUNTS, MANY_DAYS
from headway.messages import Message, join, term
from headway.tables import OUTCOMES, TECHNIQUES, conform, empty

if TYPE_CHECKING:
    import pandas as pd

NAN = float("nan")
METHOD, TEST, LEVEL = "REML", "adhoc", 0.95
FEWEST_PEOPLE = 3  # with a known change, below which a clinic's own spread is next to unknown
CLINICS_PER_COVARIATE = 10
_FIELDS = ("mean_change", "sd_change", "n")
_COPIED = (
    *("n", "of", "mean_before", "mean_after", "mean_change", "sd_change", "se"),
    *COUNTS,
)


@dataclass(frozen=True, slots=True)
class Registry:
    """The tables `contributions`, `registry`, `registry_clinics` and `registry_case_mix`."""

    contributions: pd.DataFrame
    pooled: pd.DataFrame
    clinics: pd.DataFrame
    case_mix: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """List the tables by the names of their contracts."""
        return {
            "contributions": self.contributions,
            "registry": self.pooled,
            "registry_clinics": self.clinics,
            "registry_case_mix": self.case_mix,
        }


def build_registry(offered: Sequence[Offered]) -> Registry:
    """Pool every outcome over the clinics that report it.

    Parameters
    ----------
    offered
        `reading.read_summaries`, after `reading.hold_together`.
    """
    import pandas as pd

    usable = sorted((o for o in offered if o.usable), key=lambda o: o.name)
    summaries = [o.summary for o in usable if o.summary is not None]
    clinics, pooled = [], []
    for pair in list_pairs(summaries):
        rows = [_describe(s, row) for s in summaries for row in _find(s, pair)]
        made = _pool(rows, "MC")
        _place(rows, made)
        clinics += rows
        pooled += [made, _pool(rows, "SMCR")]
    primary = [r for r in clinics if r["primary"]]
    columns = list(empty("registry_clinics").columns)
    frame = pd.DataFrame(clinics, columns=columns) if clinics else empty("registry_clinics")
    return Registry(
        conform("contributions", pd.DataFrame([_contribute(o, primary) for o in offered])),
        conform("registry", pd.DataFrame(pooled)) if pooled else empty("registry"),
        conform("registry_clinics", frame),
        _regress(primary, summaries),
    )


def list_pairs(summaries: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """List outcomes with their pairs of windows: the primary one, those of its time, the others."""
    main = {
        (o["outcome"], o["comparison"]) for s in summaries for o in s["outcomes"] if o["primary"]
    }
    times = {comparison for _, comparison in main}
    order = list(OUTCOMES)

    def rank(pair: tuple[str, str]) -> tuple[Any, ...]:
        outcome, comparison = pair
        known = order.index(outcome) if outcome in order else len(order)
        return pair not in main, comparison not in times, comparison, known, outcome

    pairs = {(o["outcome"], o["comparison"]) for s in summaries for o in s["outcomes"]}
    return sorted(pairs, key=rank)


def _find(summary: Mapping[str, Any], pair: tuple[str, str]) -> list[Mapping[str, Any]]:
    return [o for o in summary["outcomes"] if (o["outcome"], o["comparison"]) == pair]


def _describe(summary: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Take a clinic's row apart, with what pooling needs of it."""
    missing = [f for f in _FIELDS if row[f] is None]
    why = ""
    if missing:
        hidden = f"{row['outcome']}/{row['comparison']}/"
        told = any(w.startswith(hidden) for w in summary["disclosure"]["withheld"])
        id = "registry.why_withheld" if told else "registry.why_not_there"
        why = Message(id, fields=[term("field", f) for f in missing])
    elif row["n"] < FEWEST_PEOPLE:
        why = Message("registry.why_few", least=FEWEST_PEOPLE)
    elif not row["se"] > 0:
        why = Message("registry.why_no_spread")
    return {
        "outcome": row["outcome"],
        "comparison": row["comparison"],
        "clinic": summary["clinic"]["id"],
        "title": summary["clinic"]["title"],
        "unit": row["unit"],
        **{c: NAN if row[c] is None else row[c] for c in _COPIED},
        **_find_limits(row),
        "pooled": not why,
        "why_not": why or None,
        # Beside the table's columns.
        "primary": row["primary"],
        "label": row["label"],
        "half": find_unit(row) / 2,
        "range": (NAN, NAN) if row["n"] is None else read_preset(summary).range_of(row["n"]),
        "sd_before": row["sd_before"],
        "r": row["r"],
    }


def _find_limits(row: Mapping[str, Any]) -> dict[str, float]:
    if row["mean_change"] is None or row["se"] is None:
        return {"ci_low": NAN, "ci_high": NAN}
    half = QUANTILES[0] * row["se"]
    return {"ci_low": row["mean_change"] - half, "ci_high": row["mean_change"] + half}


def _pool(rows: Sequence[dict[str, Any]], measure: str) -> dict[str, Any]:
    """Pool one outcome; a row of table `registry`."""
    used = [r for r in rows if r["pooled"]]
    first = rows[0]
    if measure == "SMCR":
        known = ("mean_before", "mean_after", "sd_before", "r")
        used = [r for r in used if not any(_unknown(r[c]) for c in known) and r["sd_before"] > 0]
        yi, vi = _standardise(used)
    else:
        yi = np.array([r["mean_change"] for r in used], float)
        vi = np.array([r["se"] for r in used], float) ** 2
    out = {
        "outcome": first["outcome"],
        "comparison": first["comparison"],
        "comparison_label": first["label"],
        "primary": any(r["primary"] for r in rows),
        "measure": measure,
        "unit": first["unit"] if measure == "MC" else "sd",
        "k": len(used),
        "of_clinics": len(rows),
        "n": sum(r["n"] for r in used) if used else NAN,
        "of": sum(r["of"] for r in used) if used else NAN,
        "method": METHOD,
        "test": TEST,
        "level": LEVEL,
    }
    if len(used) < 2:
        if measure == "MC" and used:
            used[0] |= {"pooled": False, "why_not": Message("registry.alone")}
        return out | {"note": Message("registry.alone" if used else "registry.none")}
    try:
        fit = meta.pool(yi, vi, method=METHOD, test=TEST, level=LEVEL)
    except UNCOMPUTABLE:
        return out | {"note": Message("fit.not_computable")}
    if measure == "MC":
        for row, weight in zip(used, fit.weights, strict=True):
            row["weight"] = float(weight)
        out |= _find_loss(used, fit)
    few = Message("registry.few_clinics_pooled") if len(used) < FEW else None
    numbers = (
        *("estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high"),
        *("tau2", "i2", "q", "q_df", "q_p_value"),
    )
    return out | {
        **{c: getattr(fit, c) for c in numbers},
        "ci_method": fit.ci_code,
        "pi_method": fit.pi_code,
        "note": join([str(fit.remark) or None, few]) or None,
    }


def _unknown(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _standardise(used: Sequence[Mapping[str, Any]]) -> tuple[Any, Any]:
    """Compute standardised mean changes (metafor's SMCR: in SDs before treatment)."""
    if not used:
        return np.empty(0), np.empty(0)
    take = {c: np.array([r[c] for r in used], float) for c in ("sd_before", "r")}
    yi, vi = effects.escalc(
        "SMCR",
        n=np.array([r["range"][0] for r in used], float),
        mean1=np.array([r["mean_after"] for r in used], float),
        mean2=np.array([r["mean_before"] for r in used], float),
        sd1=take["sd_before"],
        r=take["r"],
    )
    return yi, vi


def _find_loss(used: Sequence[Mapping[str, Any]], fit: meta.Fit) -> dict[str, float]:
    """Find how far the pooled change could lie from the one without rounding.

    The means of all clinics are moved by half of their last unit, and the standard errors of all
    are those of the smallest SD and most people, or of the largest SD and fewest, whose numbers
    are printed so. A mixture of both ends is not tried.
    """
    half = np.array([r["half"] for r in used], float)
    y = np.array([r["mean_change"] for r in used], float)
    sd = np.array([r["sd_change"] for r in used], float)
    fewest, most = np.array([r["range"] for r in used], float).T
    out = {"half_unit": float(half.max())}
    fits = [fit]
    for spread, people in ((sd - half, most), (sd + half, fewest)):
        if (spread <= 0).any():
            continue
        fits.append(meta.pool(y, spread**2 / people, method=METHOD, test=TEST, level=LEVEL))
    moved = out["half_unit"]
    return out | {
        "loss_low": min(float(f.estimate) for f in fits) - moved,
        "loss_high": max(float(f.estimate) for f in fits) + moved,
        "loss_ci_low": min(float(f.ci_low) for f in fits) - moved,
        "loss_ci_high": max(float(f.ci_high) for f in fits) + moved,
    }


def _place(rows: Sequence[dict[str, Any]], pooled: dict[str, Any]) -> None:
    """Put the pooled clinics on a funnel; fills in their rows, and its centre into `pooled`."""
    used = [r for r in rows if r["pooled"]]
    if len(used) < LEAST:
        return
    found = find_limits([r["mean_change"] for r in used], [r["se"] for r in used])
    pooled |= {
        "target": found.target,
        "phi": found.phi,
        "funnel_tau2": found.tau2,
        "dispersion_p_value": found.p_value,
    }
    for i, row in enumerate(used):
        row |= {
            "z": found.z[i],
            "z_multiplicative": found.z_multiplicative[i],
            "z_additive": found.z_additive[i],
            "place": found.place[i],
        }
        for prefix, widths in (("chance_", found.chance), ("", found.additive)):
            for level, width in zip(("95", "998"), widths, strict=True):
                row[f"{prefix}low_{level}"] = found.target - width[i]
                row[f"{prefix}high_{level}"] = found.target + width[i]


# ---- case mix ------------------------------------------------------------------------------------


def list_covariates(outcome: str) -> list[tuple[str, str | None]]:
    """List the characteristics that are tried, fixed beforehand: each alone, in this order."""
    return [
        (f"{outcome}_before", None),
        (MANY_DAYS, None),
        ("age", None),
        ("sex", "female"),
        ("years_with_condition", None),
        *(("technique", technique) for technique in TECHNIQUES),
    ]


def _regress(
    rows: Sequence[Mapping[str, Any]], summaries: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """Regress the primary change on one characteristic at a time."""
    import pandas as pd

    used = [r for r in rows if r["pooled"]]
    if not used:
        return empty("registry_case_mix")
    of = {s["clinic"]["id"]: s["case_mix"] for s in summaries}
    out = []
    for characteristic, level in list_covariates(used[0]["outcome"]):
        known = [
            (row, float(one["value"]))
            for row in used
            for one in of[row["clinic"]]
            if (one["characteristic"], one["level"]) == (characteristic, level)
            and one["value"] is not None
        ]
        if known:
            out.append({"characteristic": characteristic, "level": level, **_regress_one(known)})
    return conform("registry_case_mix", pd.DataFrame(out)) if out else empty("registry_case_mix")


def _regress_one(known: Sequence[tuple[Mapping[str, Any], float]]) -> dict[str, Any]:
    x = np.array([value for _, value in known])
    out: dict[str, Any] = {"k": len(x), "lowest": x.min(), "highest": x.max()}
    if len(x) < CLINICS_PER_COVARIATE:
        return out | {"note": Message("registry.too_few_clinics", least=CLINICS_PER_COVARIATE)}
    yi = [row["mean_change"] for row, _ in known]
    vi = [row["se"] ** 2 for row, _ in known]
    try:
        fit = meta.regress(yi, vi, {"x": x}, method=METHOD, test=TEST, level=LEVEL)
    except UNCOMPUTABLE:
        return out | {"note": Message("registry.no_slope")}
    at = fit.names.index("x")
    names = {"slope": "estimate"} | {c: c for c in ("se", "ci_low", "ci_high", "p_value")}
    return out | {
        **{name: float(getattr(fit, own)[at]) for name, own in names.items()},
        "tau2": fit.tau2,
        "r2": fit.r2,
        "ci_method": fit.ci_code,
    }


# ---- who contributed -----------------------------------------------------------------------------


def _contribute(offered: Offered, primary: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    summary = offered.summary
    why: str | None = None
    state = "refused"
    out: dict[str, Any] = {"file": offered.file, "synthetic": False}
    if summary is not None:
        told, period, hashes = summary["disclosure"], summary["period"] or {}, summary["hashes"]
        own = [o for o in summary["outcomes"] if o["primary"]]
        out |= {
            "clinic": summary["clinic"]["id"],
            "title": summary["clinic"]["title"],
            "n": _number(own[0]["n"]) if own else NAN,
            "of": _number(own[0]["of"]) if own else NAN,
            "period_from": _number(period.get("from")),
            "period_to": _number(period.get("to")),
            "preset": told["preset"],
            "hidden_up_to": float(told["hidden_up_to"]),
            "rounded_to": float(told["rounded_to"]),
            "withheld": float(len(told["withheld"])),
            "synthetic": summary["clinic"]["synthetic"],
            "headway": summary["headway"],
            **{c: hashes[c] for c in ("program", "definitions", "content")},
        }
    if offered.problems:
        why = join([p.message for p in offered.problems])
    else:
        row = next((r for r in primary if r["clinic"] == offered.name), None)
        state = "pooled" if row is not None and row["pooled"] else "not_pooled"
        if row is None:
            why = Message("registry.no_primary")
        elif not row["pooled"]:
            why = str(row["why_not"])
    return out | {"state": state, "why": why}


def _number(value: Any) -> float:
    return NAN if value is None else float(value)
