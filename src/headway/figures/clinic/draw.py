"""All figures of a clinic, from released tables only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from headway.figures import theme
from headway.figures.clinic.benchmark import draw_benchmark
from headway.figures.clinic.brief import say_stamp
from headway.figures.clinic.change import draw_change
from headway.figures.clinic.control_chart import draw_control_charts
from headway.figures.clinic.cost import draw_cost_plane
from headway.figures.clinic.durability import draw_durability
from headway.figures.clinic.funnel import draw_funnel
from headway.figures.clinic.responders import ORDER, draw_responders
from headway.figures.clinic.sensitivity import draw_clinic_specifications, draw_sensitivity
from headway.figures.theme import Drawing
from headway.messages import say, speaking, t, writing_released
from headway.outcomes.change.instruments import name_outcome
from headway.outcomes.expectation.verdict import read_verdict

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import ChartNote, Clinic
    from headway.disclosure import Preset

# Beyond these a page becomes a wall; every number is in the tables.
_MOST = 4
# Cost planes of one currency: the uncontrolled change, and the first that has taken off what
# would be expected without treatment. The others are rows of the table.
_PLANES = 2
_FEWEST_THERAPISTS = 2  # one dot is no comparison


def draw_clinic(
    tables: Mapping[str, pd.DataFrame], clinic: Clinic, preset: Preset
) -> dict[str, Drawing]:
    """Draw the outcomes of the primary comparison; responders for the primary outcome.

    Parameters
    ----------
    tables
        cohort, window_means, change_histogram, change_lines as disclosure control released them.
    clinic
        clinic.yaml with its defaults.
    preset
        The rules that they were released under.
    """
    with speaking(clinic.language), writing_released(not preset.open):
        drawings = _draw(tables, clinic)
        for drawing in drawings.values():
            theme.write_commas(drawing.figure)
        if preset.round_to == 1:
            return drawings
        rounded = t("preset.counts_rounded", to=preset.round_to)
        return {
            name: replace(drawing, caption=f"{drawing.caption} {rounded}")
            for name, drawing in drawings.items()
        }


def _draw(tables: Mapping[str, pd.DataFrame], clinic: Clinic) -> dict[str, Drawing]:
    cohort = tables["cohort"]
    primary = cohort[cohort["primary"]]
    if not len(primary):
        return {}
    comparison, main = primary["comparison"].iloc[0], primary["outcome"].iloc[0]
    mark = say_stamp(clinic)
    own = cohort[(cohort["comparison"] == comparison) & (cohort["group"] == "all")]
    outcomes = sorted(dict.fromkeys(own["outcome"]), key=lambda o: o != main)[:_MOST]
    out: dict[str, Drawing] = {}
    for outcome in outcomes:
        name = say(name_outcome(outcome))
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
            ways = tables["specifications"]
            own_ways = ways[ways["outcome"] == main]
            differ = own_ways["estimate"].round(9).nunique() > 1
            more = draw_clinic_specifications(own_ways, name, stamp=mark) if differ else None
            if more is not None:
                out["specifications"] = more
    benchmark, relapse = tables["benchmark"], tables["relapse"]
    known = benchmark["block"].eq("clinic") & benchmark["change"].notna()
    if known.any() and benchmark["block"].eq("arm").any():
        spread = _read_range(tables["expected"])
        shown = float(benchmark.loc[known, "change"].iloc[0])
        last = _read_judged_change(tables["expected"], shown)
        out["benchmark"] = draw_benchmark(
            benchmark,
            expected=spread,
            expected_label=t("expected.expected_without_treatment_2")
            if last is None
            else t("page_one.change_expected_of_people_with_both_windows"),
            last_change=last,
            stamp=mark,
        )
    if relapse["free_at_horizon"].notna().any():
        out["relapse"] = draw_durability(tables["relapse_curve"], relapse, stamp=mark)
    return out | _draw_further(tables, main, clinic.charts.notes, mark)


def _read_range(expected: pd.DataFrame) -> tuple[float, float] | None:
    """Read the range of changes expected without treatment; None where it is not released."""
    said = read_verdict(expected)
    return None if math.isnan(said.low) else (said.low, said.high)


def _read_judged_change(expected: pd.DataFrame, own: float) -> float | None:
    """Read the change of the people who are judged, where it is another than `own`."""
    judged = read_verdict(expected).change
    return None if math.isnan(judged) or round(judged, 1) == round(own, 1) else judged


def _draw_further(
    tables: Mapping[str, pd.DataFrame], main: str, notes: Sequence[ChartNote], stamp: str
) -> dict[str, Drawing]:
    """Draw what the tables `sensitivity`, `cost_plane`, `funnel` and `control_chart` hold.

    Parameters
    ----------
    tables
        As disclosure control released them.
    main
        Code of the primary outcome.
    notes
        What changed in the clinic, for the control charts.
    stamp
        Text for the corner, such as SYNTHETIC.
    """
    out: dict[str, Drawing] = {}
    ways = tables["sensitivity"]
    counted = draw_sensitivity(ways[ways["outcome"] == main], say(name_outcome(main)), stamp=stamp)
    if counted is not None:
        out["sensitivity"] = counted
    out |= _draw_planes(tables["cost_plane"], tables["cost"], stamp)
    funnel = tables["funnel"]
    if (funnel["z"].notna() & ~funnel["redacted"]).sum() >= _FEWEST_THERAPISTS:
        out["funnel"] = draw_funnel(funnel, stamp=stamp)
    months = tables["control_chart"]
    # A chart whose months are all hidden is a row of the table, and no empty frame.
    told = months["value"].notna() & ~months["redacted"]
    months = months[months["chart"].isin(months.loc[told, "chart"])]
    if len(months):
        out["months"] = draw_control_charts(months, notes, stamp=stamp)
    return out


def _draw_planes(plane: pd.DataFrame, cost: pd.DataFrame, stamp: str) -> dict[str, Drawing]:
    """Draw a plane per currency and basis; none where a part of it is withheld."""
    out = {}
    for currency, cells in plane.groupby("currency", sort=False):
        for i, basis in enumerate(list(dict.fromkeys(cells["basis"]))[:_PLANES]):
            own = cost[(cost["currency"] == currency) & (cost["basis"] == basis)]
            hidden = cells.loc[cells["basis"] == basis, "redacted"].any() or own["redacted"].any()
            if not hidden:
                out[f"cost_{currency}_{i + 1}"] = draw_cost_plane(
                    plane, cost, str(currency), str(basis), stamp=stamp
                )
    return out
