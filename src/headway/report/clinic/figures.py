"""Where each figure of a clinic's page stands, and the numbers beside it as a table.

A figure is for those who see it; its numbers stand as a table too: in a closed part right below
it, or in the table of the same section that its caption links to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.figures.clinic.cost import name_basis
from headway.messages import say, t, term
from headway.report import formats
from headway.report.clinic.care import name_technique
from headway.report.clinic.tables import Table, make_table, name_outcome, show_count

if TYPE_CHECKING:
    import pandas as pd

    from headway.disclosure import Preset
    from headway.figures.theme import Saved

# Figure -> the table of its section that holds its numbers.
_IN_SECTION = {
    "benchmark": "table-benchmark",
    "sensitivity": "table-sensitivity",
    "funnel": "table-funnel",
    "months": "table-months",
}
# Kind of figure, by how its name begins, and the place of the page that it goes to.
_PLACES = {
    "count": ("sensitivity", "specifications"),
    "fees": ("cost_",),
    "people": ("funnel",),
    "months": ("months",),
}


def place_figures(figures: Sequence[Saved]) -> dict[str, list[Saved]]:
    """Sort figures into the sections of the page: count, fees, people, months."""
    return {
        place: [f for start in starts for f in figures if f.name.startswith(start)]
        for place, starts in _PLACES.items()
    }


def find_data(
    figures: Sequence[Saved], released: Mapping[str, pd.DataFrame], preset: Preset
) -> dict[str, dict[str, Any]]:
    """Find the numbers behind each figure.

    Returns
    -------
    dict
        Name of the figure -> `href` of the table, or of the file beside the page, that holds its
        numbers, or `tables` to be written right below it.
    """
    out: dict[str, dict[str, Any]] = {}
    for name in (f.name for f in figures):
        if name in _IN_SECTION:
            out[name] = {"href": f"#{_IN_SECTION[name]}", "tables": []}
        elif name.startswith("responders_"):
            out[name] = {"href": "#table-responders", "tables": []}
        elif name.startswith("change_"):
            out[name] = {"href": "", "tables": _list_change(name[7:], released, preset)}
        elif name == "specifications":
            out[name] = {"href": "specifications.csv", "tables": []}  # too long for a page
        elif name == "relapse":
            out[name] = {"href": "", "tables": [_list_curve(released["relapse_curve"], preset)]}
        elif name.startswith("cost_"):
            currency, place = name[5:].rsplit("_", 1)
            tables = _list_plane(released, currency, int(place) - 1, preset)
            out[name] = {"href": "", "tables": tables}
    return out


def _list_change(outcome: str, released: Mapping[str, pd.DataFrame], preset: Preset) -> list[Table]:
    """List the means that a figure of change draws, and the people by their change."""
    cohort = released["cohort"]
    comparison = cohort.loc[cohort["primary"], "comparison"].iloc[0]

    def own(table: str) -> pd.DataFrame:
        frame = released[table]
        return frame[(frame["outcome"] == outcome) & (frame["comparison"] == comparison)]

    hidden, name = t(formats.HIDDEN), name_outcome(outcome)
    means = [
        [
            say(str(r["label"])),
            hidden if r["redacted"] else formats.number(r["mean"], 1),
            hidden if r["redacted"] else formats.limits(r["ci_low"], r["ci_high"], 1),
            show_count(r["n"], r["redacted"], preset),
        ]
        for r in own("window_means").sort_values("order").to_dict("records")
    ]
    tables = [
        make_table(
            t("page_one.means_of_outcome_in_each_window", outcome=name),
            ["page_one.window", "page_one.mean", "page_one.95_percent_ci_t", "change.n"],
            means,
            numeric=[1, 2, 3],
        )
    ]
    bins = [
        [_write_bin(r["bin_low"], r["bin_high"]), show_count(r["n"], r["redacted"], preset)]
        for r in own("change_histogram").to_dict("records")
    ]
    if bins:
        tables.append(
            make_table(
                t("page_one.people_by_their_change_in_outcome", outcome=name),
                ["page_one.change", "answer.people"],
                bins,
                numeric=[1],
            )
        )
    return tables


def _write_bin(low: float, high: float) -> str:
    if low == float("-inf"):
        return t("page_one.below_high", high=formats.as_text(float(high)))
    if high == float("inf"):
        return t("page_one.low_or_more", low=formats.as_text(float(low)))
    return t(
        "common.low_to_high", low=formats.as_text(float(low)), high=formats.as_text(float(high))
    )


def _list_curve(curve: pd.DataFrame, preset: Preset) -> Table:
    """List the steps of the curve without relapse, by the rule that is drawn."""
    own = curve[curve["rule"] == curve["rule"].iloc[0]] if len(curve) else curve
    rows = []
    for r in own.to_dict("records"):
        free = None if formats.missing(r["survival"]) else 100 * r["survival"]
        ends = (None, None)
        if not formats.missing(r["ci_low"]):
            ends = (100 * r["ci_low"], 100 * r["ci_high"])
        hidden = t(formats.HIDDEN)
        rows.append(
            [
                name_technique(r["group"]),
                formats.number(r["days"] / 7, 0),
                hidden if r["redacted"] else show_count(r["at_risk"], False, preset),
                hidden if r["redacted"] else formats.percent(free, 0, (free, *ends)),
                hidden if r["redacted"] else formats.limits(*ends, 0, (free,)),
            ]
        )
    heads = [
        "benchmark.group",
        "page_one.week",
        "over_time.at_risk",
        "page_one.without_relapse",
        "page_one.95_percent_ci_profile_likelihood",
    ]
    return make_table(
        t("page_one.steps_of_the_curve_without_relapse"), heads, rows, numeric=[1, 2, 3, 4]
    )


def _list_plane(
    released: Mapping[str, pd.DataFrame], currency: str, place: int, preset: Preset
) -> list[Table]:
    """List what the plane's point and shares are, and its replicates by difference."""
    plane, cost = released["cost_plane"], released["cost"]
    own = plane[plane["currency"] == currency]
    basis = list(dict.fromkeys(own["basis"]))[place]
    own = own[own["basis"] == basis]
    point = cost[
        (cost["currency"] == currency)
        & (cost["basis"] == basis)
        & cost["statistic"].isin(["mean_total", "days_a_year", "plane_fewer", "plane_more"])
    ]
    what = {"currency": term("currency", currency), "basis": name_basis(str(basis))}
    summary = [
        [
            say(r["label"]),
            formats.interval(r, 1),
            formats.coded("unit", r["unit"]),
            show_count(r["n"], r["redacted"], preset),
        ]
        for r in point.to_dict("records")
    ]
    cells = [
        [
            _write_bin(low, high),
            formats.percent(part["share"].sum(), 1),
            formats.limits(part["cost_low"].min(), part["cost_high"].max(), 0),
        ]
        for (low, high), part in own.groupby(["difference_low", "difference_high"], sort=True)
    ]
    return [
        make_table(
            t("page_one.fees_and_difference_currency_basis", **what),
            ["", "change.value_95_percent_ci_its_method", "change.unit", "change.n"],
            summary,
            numeric=[3],
        ),
        make_table(
            t("page_one.bootstrap_replicates_by_difference_currency", **what),
            [
                "page_one.headache_days_a_year_of_difference",
                "page_one.replicates",
                "page_one.mean_fees_from_and_to",
            ],
            cells,
            numeric=[1, 2],
        ),
    ]


def list_checks(table: pd.DataFrame, preset: Preset) -> Table | None:
    """Check how it went before treatment, and what arithmetic alone does."""
    own = table[table["id"].isin(["baseline_trend", "oldham"])]
    if not len(own):
        return None
    rows = [
        [
            f"{say(r['label'])}: {name_outcome(r['outcome'])}",
            formats.interval(r),
            show_count(r["n"], r["redacted"], preset),
            formats.coded("unit", r["unit"]),
            formats.as_text(r["note"]),
        ]
        for r in own.to_dict("records")
    ]
    heads = [
        "page_one.check",
        "change.value_95_percent_ci_its_method",
        "change.n",
        "change.unit",
        "page_one.how_to_read_it",
    ]
    return make_table(t("page_one.checks_of_what_was_before_treatment"), heads, rows, numeric=[2])
