"""A clinic's released tables -> the summary that it gives away.

The summary is made of the tables that disclosure control has let go, and of nothing else: it
copies numbers that were printed, with the digits that they were printed with. What is computed
here (a standard error, a share of two counts) follows from those, so that whoever has the tables
learns nothing from the summary. A number that was hidden is null, and stands in `withheld`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.disclosure import Preset
from headway.disclosure.precision import find_decimals
from headway.federation.definitions import list_definitions
from headway.federation.hashes import hash_content, hash_program, hash_value
from headway.messages import is_missing
from headway.version import describe

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic

SCHEMA_VERSION = 1
# Released tables that a summary is made of.
SOURCES = ("cohort", "lost")
COUNTS = ("responders_30", "responders_50", "worsened_30")
# Field -> statistic of `cohort`, and the column that holds it.
FIELDS = {
    "mean_before": ("pre_mean", "estimate"),
    "sd_before": ("pre_sd", "estimate"),
    "mean_after": ("post_mean", "estimate"),
    "sd_after": ("post_sd", "estimate"),
    "mean_change": ("change_mean", "estimate"),
    "sd_change": ("change_sd", "estimate"),
    "ci_low": ("change_mean", "ci_low"),
    "ci_high": ("change_mean", "ci_high"),
    "r": ("r", "estimate"),
    **{name: (name, "count") for name in COUNTS},
}
MANY_DAYS = "days_15_or_more"
_MANY_DAYS_GROUP = "baseline: at least 15 of 28 days"
_YEAR = "year: "


def build_summary(
    tables: Mapping[str, pd.DataFrame], clinic: Clinic, preset: Preset, alias: str | None = None
) -> dict[str, Any]:
    """Build a clinic's summary.

    Parameters
    ----------
    tables
        `cohort` and `lost`, as released under `preset`.
    clinic
        clinic.yaml with its defaults.
    preset
        `headway.disclosure.choose_preset` of the clinic.
    alias
        Pseudonym that stands for the clinic's identifier and title.

    Returns
    -------
    dict
        Plain data that `summary.schema.yaml` allows.
    """
    cohort = tables["cohort"]
    withheld: list[str] = []
    outcomes = _list_outcomes(cohort, preset, withheld)
    definitions = list_definitions(clinic, cohort)
    summary: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "headway": describe(),
        "clinic": {
            "id": alias or clinic.id,
            "title": alias or clinic.title,
            "pseudonym": alias is not None,
            "condition": clinic.condition,
            "synthetic": clinic.synthetic,
        },
        "disclosure": {
            "preset": preset.name,
            "hidden_up_to": preset.redact_up_to,
            "rounded_to": preset.round_to,
            "withheld": withheld,
        },
        "period": _find_period(cohort),
        "definitions": definitions,
        "outcomes": outcomes,
        "case_mix": _list_case_mix(tables["lost"], cohort, withheld),
        "hashes": {
            "algorithm": "SHA-256",
            "definitions": hash_value(definitions),
            "program": hash_program(),
        },
    }
    summary["hashes"]["content"] = hash_content(summary)
    return summary


def write_summary(summary: Mapping[str, Any]) -> str:
    """Write a summary as the text of its file."""
    return json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def find_se(sd: Any, n: Any, preset: Preset) -> float | None:
    """Compute the standard error of a mean from a printed SD and a printed number of people.

    Where counts are rounded it is that of the fewest people whose number is printed so, as the
    intervals of the clinic's page are.
    """
    if is_missing(sd) or is_missing(n) or n < 1:
        return None
    return float(sd) / math.sqrt(preset.range_of(float(n))[0])


def _list_outcomes(
    cohort: pd.DataFrame, preset: Preset, withheld: list[str]
) -> list[dict[str, Any]]:
    own = cohort[cohort["group"].eq("all")]
    out = []
    for row in own[own["statistic"].eq("change_mean")].to_dict("records"):
        outcome, comparison = str(row["outcome"]), str(row["comparison"])
        part = own[own["outcome"].eq(outcome) & own["comparison"].eq(comparison)]
        by = {str(r["statistic"]): r for r in part.to_dict("records")}
        made: dict[str, Any] = {
            "outcome": outcome,
            "comparison": comparison,
            "label": str(row["comparison_label"]),
            "primary": bool(row["primary"]),
            "unit": str(row["unit"]),
            "decimals": _find_decimals(row, preset),
            "n": _count(row["n"]),
            "of": _count(row["of"]),
        }
        for field, (statistic, column) in FIELDS.items():
            found = by.get(statistic, {})
            write = _count if field in COUNTS else _real
            made[field] = write(found.get(column))
            if made[field] is None and found.get("redacted"):
                withheld.append(f"{outcome}/{comparison}/{field}")
        made["se"] = find_se(made["sd_change"], made["n"], preset)
        out.append(made)
    return out


def _find_decimals(row: Mapping[str, Any], preset: Preset) -> int | None:
    """Find the decimals that means were released with; None where they were not rounded."""
    import pandas as pd

    if preset.open or is_missing(row["estimate"]):
        return None
    values = pd.Series([float(row["estimate"])])
    return int(find_decimals(pd.Series([row["unit"]], dtype=object), values)[0])


def _find_period(cohort: pd.DataFrame) -> dict[str, int] | None:
    """Find the first and the last year in which people started, where the groups name years."""
    names = {str(g).removeprefix(_YEAR) for g in cohort["group"] if str(g).startswith(_YEAR)}
    years = [int(name) for name in names if name.isdigit()]
    return {"from": min(years), "to": max(years)} if years else None


def _list_case_mix(
    lost: pd.DataFrame, cohort: pd.DataFrame, withheld: list[str]
) -> list[dict[str, Any]]:
    """List what the analysed people were like before treatment."""
    out = []
    for row in lost.to_dict("records"):
        level = None if is_missing(row["level"]) else str(row["level"])
        one = {
            "characteristic": str(row["characteristic"]),
            "level": level,
            "measure": str(row["measure"]),
            "value": _real(row["value_analysed"]),
            "count": _count(row["count_analysed"]),
            "n": _count(row["n_analysed"]),
        }
        if one["value"] is not None:
            out.append(one)
        elif row["redacted"]:
            place = one["characteristic"] if level is None else f"{one['characteristic']}/{level}"
            withheld.append(f"case_mix/{place}")
    main = cohort[cohort["statistic"].eq("change_mean")]
    some, every = main[main["group"].eq(_MANY_DAYS_GROUP)], main[main["primary"]]
    if len(some) and len(every):
        count, n = _count(some["n"].iloc[0]), _count(every["n"].iloc[0])
        if count is None or not n:
            withheld.append(f"case_mix/{MANY_DAYS}")
        else:
            share: dict[str, Any] = {
                "measure": "percent",
                "value": 100 * count / n,
                "count": count,
                "n": n,
            }
            out.append({"characteristic": MANY_DAYS, "level": None, **share})
    return out


def _real(value: Any) -> float | None:
    return None if is_missing(value) or not math.isfinite(value) else float(value)


def _count(value: Any) -> int | None:
    return None if is_missing(value) else round(float(value))
