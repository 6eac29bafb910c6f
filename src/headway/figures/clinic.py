"""All figures of a clinic, from released tables only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.figures import theme
from headway.figures.benchmark import draw_benchmark
from headway.figures.change import draw_change
from headway.figures.clinic_more import draw_more
from headway.figures.durability import draw_durability
from headway.figures.responders import ORDER, draw_responders
from headway.figures.sensitivity import draw_clinic_specifications
from headway.figures.theme import Drawing
from headway.messages import speaking, t

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
        spread = _read_range(tables["expected"])
        shown = float(benchmark.loc[known, "change"].iloc[0])
        last = _read_last_change(tables["expected"], shown)
        out["benchmark"] = draw_benchmark(
            benchmark,
            expected=spread,
            expected_label=t("expected without treatment")
            if last is None
            else t("change expected without treatment,\ncounted from the last 4 weeks before"),
            last_change=last,
            stamp=mark,
        )
    if relapse["free_at_horizon"].notna().any():
        out["relapse"] = draw_durability(tables["relapse_curve"], relapse, stamp=mark)
    name = t(NAMES[main]) if main in NAMES else str(main).replace("_", " ")
    return out | draw_more(tables, name, mark)


def _read_range(expected: pd.DataFrame) -> tuple[float, float] | None:
    """Read the range of changes expected without treatment; None where it is not released."""
    # A hidden row does not repeat the range of the others.
    known = expected[["range_low", "range_high"]].dropna()
    return (float(known.iloc[0, 0]), float(known.iloc[0, 1])) if len(known) else None


def _read_last_change(expected: pd.DataFrame, own: float) -> float | None:
    """Read the change from the last window before alone, where it is another than `own`.

    The sources of `expected` start from that window also where the primary comparison starts from
    the mean of two.
    """
    known = expected.loc[expected["source"] == "mee_chua", "change"].dropna()
    if not len(known) or round(float(known.iloc[0]), 1) == round(own, 1):
        return None
    return float(known.iloc[0])
