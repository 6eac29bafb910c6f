"""All figures of a clinic, from released tables only."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import TYPE_CHECKING, Any

from headway.figures import theme
from headway.figures.benchmark import draw_benchmark
from headway.figures.change import draw_change
from headway.figures.durability import draw_durability
from headway.figures.responders import ORDER, draw_responders
from headway.figures.sensitivity import draw_clinic_specifications
from headway.figures.theme import Drawing
from headway.messages import speaking, t
from headway.outcomes.expected import judge, read_sources

if TYPE_CHECKING:
    import pandas as pd

NAMES = {
    "frequency": "headache days",
    "intensity": "intensity",
    "duration": "duration",
    "headache_index": "headache index",
    "headache_score": "headache score",
}
# Beyond these a page becomes a wall; every number is in the tables.
_MOST = 4


def draw_clinic(
    tables: Mapping[str, pd.DataFrame], clinic: Mapping[str, Any]
) -> dict[str, Drawing]:
    """Draw the outcomes of the primary comparison; responders for the primary outcome.

    Parameters
    ----------
    tables
        cohort, window_means, change_histogram, change_lines as disclosure control released them.
    clinic
        clinic.yaml with its defaults.
    """
    with speaking(clinic.get("language", "en")):
        drawings = _draw(tables, clinic)
        for drawing in drawings.values():
            theme.write_commas(drawing.figure)
        return drawings


def _draw(tables: Mapping[str, pd.DataFrame], clinic: Mapping[str, Any]) -> dict[str, Drawing]:
    cohort = tables["cohort"]
    primary = cohort[cohort["primary"]]
    if not len(primary):
        return {}
    comparison, main = primary["comparison"].iloc[0], primary["outcome"].iloc[0]
    mark = (
        t("SYNTHETIC")
        if clinic.get("synthetic")
        else (t("INTERNAL, not for release") if clinic.get("disclosure") == "internal" else "")
    )
    own = cohort[(cohort["comparison"] == comparison) & (cohort["group"] == "all")]
    outcomes = sorted(dict.fromkeys(own["outcome"]), key=lambda o: o != main)[:_MOST]
    out: dict[str, Drawing] = {}
    for outcome in outcomes:
        name = t(NAMES[outcome]) if outcome in NAMES else str(outcome).replace("_", " ")
        rows = own[own["outcome"] == outcome]
        change = rows[rows["statistic"] == "change_mean"].iloc[0].to_dict()

        def of(table: str, outcome: str = outcome) -> pd.DataFrame:
            frame = tables[table]
            return frame[(frame["outcome"] == outcome) & (frame["comparison"] == comparison)]

        out[f"change_{outcome}"] = draw_change(
            of("window_means"), of("change_histogram"), of("change_lines"), change, name, stamp=mark
        )
        if outcome == main:
            out[f"responders_{outcome}"] = draw_responders(
                rows[rows["statistic"].isin(ORDER)], name, stamp=mark
            )
            more = draw_clinic_specifications(tables["specifications"], name, stamp=mark)
            if more is not None:
                out["specifications"] = more
    benchmark, relapse = tables["benchmark"], tables["relapse"]
    known = benchmark["block"].eq("clinic") & benchmark["change"].notna()
    if known.any() and benchmark["block"].eq("arm").any():
        without = judge(read_sources(tables["expected"])) if len(tables["expected"]) else None
        spread = None if without is None or isnan(without.low) else (without.low, without.high)
        out["benchmark"] = draw_benchmark(benchmark, expected=spread, stamp=mark)
    if relapse["free_at_horizon"].notna().any():
        out["relapse"] = draw_durability(tables["relapse_curve"], relapse, stamp=mark)
    return out
