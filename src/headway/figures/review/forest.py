"""Forest plots: what stands in which line. `sheet` draws the lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.effects.measures import MEASURES, find_family
from headway.effects.shared import Scale
from headway.figures.review.judgements import read_lights
from headway.figures.review.sheet import ROW, SCREEN, Columns, Form, Line, draw_sheet, leaves_axis
from headway.figures.theme import Drawing, name_parts, write_effect, write_interval
from headway.messages import Message, capital, decimal, is_missing, read, say, t, write_number
from headway.reviews.totals import describe_row
from headway.tables.risk_tools import RISK_TOOLS

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison

__all__ = ["ROW", "draw_forest"]

# What stands beside a trial, by family of its measure.
_NUMBERS = {
    "counts": "forest.events_n",
    "proportions": "forest.events_n",
    "rates": "forest.events_person_years",
    "correlations": "forest.n_r",
    "reliability": "forest.n_alpha",
}
_SIDES = {
    "between_arm": ("forest.treated", "forest.control"),
    "within_arm": ("forest.after", "forest.before"),
}
MARK = " †"  # beside a trial whose numbers are not all printed
OVERALL = "overall"
_INTERVALS = {
    "z": "forest.interval_z",
    "t": "forest.interval_t",
    "knha": "forest.interval_knha",
    "adhoc": "forest.interval_adhoc",
    "kr": "forest.interval_kr",
}
# Intervals whose test has k - 1 degrees of freedom; of the others the table does not hold them.
_BY_TRIALS = ("t", "knha", "adhoc")
_DIFFERENCES = (
    "subgroups.difference",
    "subgroups.difference_common",
    "subgroups.difference_separate",
)


def draw_forest(
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    comparison: Comparison,
    *,
    lower_is_better: bool = True,
    level: float = 0.95,
    stamp: str = "",
    judged: pd.DataFrame | None = None,
    columns: Mapping[str, Sequence[str]] | None = None,
    show: str = "all",
    form: Form = SCREEN,
) -> list[Drawing]:
    """Draw one comparison: every trial, subgroups, their diamonds and the prediction interval.

    Parameters
    ----------
    effects
        Rows of table `effects` of this comparison.
    pooled
        Rows of table `pooled` of this comparison, of the declared model.
    comparison
        Its entry in review.yaml: label, estimand, measure.
    lower_is_better
        Which side of no difference favours the treatment.
    level
        Coverage of the intervals.
    stamp
        Text for the corner, such as SYNTHETIC.
    judged
        Table `risk_of_bias`; a light per domain stands beside each trial that is judged.
    columns
        Own columns: head -> a text per row of `effects`.
    show : {"all", "pooled"}
        Whether rows that are not pooled stand below the others.
    form
        Room and type of the sheet.

    Returns
    -------
    list of Drawing
        One, or its parts where the form limits the height.

    Notes
    -----
    Weights are percent of all trials where these are pooled, and a subgroup's weight is the sum of
    its trials'; where subgroups alone are pooled, each adds up to 100 %. A subgroup has its own
    between-trial variance, so that its estimate need not follow from weights of the total.
    """
    measure, estimand = comparison.measure, comparison.estimand
    whole, effects = effects, effects.reset_index(drop=True)
    if show == "pooled":
        effects = effects[effects["pooled"]]
    lights = {} if judged is None else read_lights(judged, comparison.outcome)
    used = {tool for trial in effects["trial"] for tool in lights.get(trial, {})}
    tools = [tool for tool in RISK_TOOLS if tool in used]
    extra = dict(columns or {})
    lines = _list_lines(effects, pooled, comparison, lights, extra)
    what = t(_NUMBERS.get(find_family(measure), "forest.n_mean"))
    sides = _SIDES.get(estimand, ("forest.arm",))
    figures, left_out = draw_sheet(
        lines,
        Columns(
            tuple(f"{t(side)}\n{what}" for side in sides),
            tuple(extra),
            (
                t("forest.measure_ci", measure=measure, percent=f"{100 * level:g}"),
                t("forest.weight"),
            ),
            tuple(tools),
        ),
        MEASURES[measure].scale,
        _name_sides(estimand, lower_is_better),
        stamp,
        form,
    )
    title = str(comparison.label)
    alt = _describe(whole, pooled, title, measure, 100 * level)
    lit = bool(tools) and "forest.no_lights" not in left_out
    scale = MEASURES[measure].scale
    caption = _caption(effects, pooled, estimand, 100 * level, lit, lines, scale)
    caption = " ".join([caption, *map(t, left_out)])
    return name_parts([Drawing(figure, title, alt, caption, wide=True) for figure in figures])


# ---- what stands in which line -------------------------------------------------------------------


def _list_lines(
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    comparison: Comparison,
    lights: Mapping[str, Mapping[str, Mapping[str, str]]],
    extra: Mapping[str, Sequence[str]],
) -> list[Line]:
    measure = comparison.measure

    def rows(part: pd.DataFrame, full: bool) -> list[Line]:
        return [
            _row(r, measure, full, lights.get(r["trial"], {}), [extra[c][i] for c in extra])
            for i, r in zip(part.index, part.to_dict("records"), strict=True)
        ]

    lines: list[Line] = []
    # Arms and time stand below each trial unless the plot is long and they are all alike.
    full = comparison.estimand != "between_arm" or len(effects) <= 14
    used = effects[effects["pooled"]]
    overall = pooled[pooled["subgroup"] == OVERALL]
    for group in [g for g in pooled["subgroup"] if g != OVERALL] or [None]:
        own = used if group is None else used[used["subgroup"] == group]
        if group is not None:
            lines.append(Line("heading", capital(str(group))))
        lines += rows(own, full)
        if group is not None:
            row = pooled[pooled["subgroup"] == group].iloc[0]
            label = t("forest.subtotal", group=str(group))
            lines += [*_summaries(row, measure, label, own["weight"].sum()), Line("gap")]
    if len(overall):
        row = overall.iloc[0]
        lines += _summaries(row, measure, t("forest.all_trials"), used["weight"].sum())
        lines += [Line("text", "", text) for text in _say_tests(row, measure)]
    rest = effects[~effects["pooled"]]
    if len(rest):
        lines += [Line("gap"), Line("heading", t("forest.not_pooled"))]
        lines += rows(rest, True)
    return lines


def _row(
    r: Mapping[str, Any],
    measure: str,
    full: bool,
    lights: Mapping[str, Mapping[str, str]],
    own: Sequence[str],
) -> Line:
    value, low, high = (_scale(r[c], measure) for c in ("yi", "ci_low", "ci_high"))
    detail = f"{r['arms']}, {r['timepoint']}" if full else ""
    if not r["pooled"]:
        detail += f": {say(r['why_not'])}"
    right = (_interval(value, low, high, measure), "")
    if math.isnan(value):
        right = (t("forest.no_estimate"), "")
    elif not math.isnan(r["weight"]):
        right = (right[0], _share(r["weight"]))
    kind = "row" if r["pooled"] else "open"
    left = tuple(_arm(r, i, find_family(measure)) for i in (1, 2))
    if r["basis"] == "contrast":
        adjusted = "effect_type.adjusted" in {m.id for m in read(str(r["note"])) or ()}
        left = (t("forest.adjusted" if adjusted else "forest.printed"), "")
    return Line(
        kind if not math.isnan(value) else "text",
        f"{r['trial']}{MARK if isinstance(r['recovered'], str) else ''}",
        detail,
        left,
        tuple(own),
        right,
        value,
        low,
        high,
        float(r["weight"]),
        lights,
    )


def _arm(r: Mapping[str, Any], i: int, family: str) -> str:
    n, mean, sd, events = (float(r[f"{c}{i}"]) for c in ("n", "mean", "sd", "events"))
    if not math.isnan(events):
        among = write_number(r[f"time{i}"], 1) if family == "rates" else f"{n:.0f}"
        return f"{events:.0f} / {among}"
    if i == 1 and family == "correlations":
        return f"{n:.0f}, {write_number(r['r'])}"
    if i == 1 and family == "reliability":
        return f"{n:.0f}, {write_number(r['alpha'])} ({r['items']:.0f})"
    if math.isnan(mean):
        return ""
    size = "" if math.isnan(n) else f"{n:.0f}, "
    spread = "" if math.isnan(sd) else f" ({write_number(sd, 1)})"
    return f"{size}{write_number(mean, 1)}{spread}"


def _summaries(row: Mapping[str, Any], measure: str, label: str, weight: float) -> list[Line]:
    """List the diamond, the prediction interval and the heterogeneity of a pooled estimate."""
    if row["k"] < 2:
        return [Line("text", t("forest.one_trial", label=label))]
    value, low, high, pi_low, pi_high = (
        _scale(row[c], measure) for c in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
    )
    if math.isnan(value):
        return [Line("text", label, t("fit.not_computable"))]
    right = (_interval(value, low, high, measure), _share(weight) if weight > 0 else "")
    out = [Line("diamond", label, right=right, value=value, low=low, high=high)]
    if not math.isnan(pi_low):
        ends = _interval(math.nan, pi_low, pi_high, measure)
        band = t("forest.prediction", percent=100 * row["level"])
        out.append(Line("band", band, right=(ends, ""), low=pi_low, high=pi_high))
    text = t(
        "forest.heterogeneity",
        q=write_number(row["q"]),
        df=f"{row['q_df']:.0f}",
        p=_p(row["q_p_value"]),
        i2=write_number(row["i2"], 0),
        tau2=write_number(row["tau2"], 3),
    )
    return [*out, Line("text", "", text)]


def _say_tests(row: Mapping[str, Any], measure: str) -> list[str]:
    """Say model, test of the overall effect and of the difference between subgroups."""
    if row["k"] < 2 or math.isnan(row["estimate"]):
        return []
    out = [t("forest.model", model=_name_model(row))]
    if not math.isnan(row["p_value"]) and row["se"] > 0:
        z = (row["estimate"] - MEASURES[measure].scale.null_yi) / row["se"]
        by_trials = row["test"] in _BY_TRIALS and row["weighting"] == "own"
        id = "forest.test_z" if row["test"] == "z" else "forest.test_t"
        id = "forest.test_t_df" if by_trials else id
        text = t(id, value=write_number(z), df=int(row["k"]) - 1, p=_p(row["p_value"]))
        out.append(text)
    note = row["note"]
    for message in [] if is_missing(note) else read(str(note)) or []:
        if message.id in _DIFFERENCES:
            out.append(_say_difference(message))
    return out


def _say_difference(message: Message) -> str:
    given = message.values
    places = {"df": given["df"], "p": _p(given["p"])}
    if "f" in given:
        return t("forest.groups_f", f=given["f"], df2=given["df2"], **places)
    return t("forest.groups_q", q=given["q"], **places)


# ---- words ---------------------------------------------------------------------------------------


def _name_model(row: Mapping[str, Any]) -> str:
    if row["weighting"] != "own":
        return say(describe_row(row))
    model = t("forest.common") if row["method"] == "EE" else t("forest.random", tau2=row["method"])
    interval = _INTERVALS.get(row["test"])
    return model if interval is None else f"{model}, {t(interval)}"


def _name_sides(estimand: str, lower_is_better: bool) -> tuple[str, ...]:
    """Say what the two sides of the axis mean; nothing where nothing is compared."""
    if estimand == "single_arm":
        return ()
    if estimand != "between_arm":
        return t("forest.less_after"), t("forest.more_after")
    names = (t("forest.favours_treatment"), t("forest.favours_control"))
    return names if lower_is_better else names[::-1]


def _describe(
    effects: pd.DataFrame, pooled: pd.DataFrame, title: str, measure: str, percent: float
) -> str:
    used, rest = effects[effects["pooled"]], effects[~effects["pooled"]]
    parts = [t("forest.alt", title=title)]
    for r in used.to_dict("records"):
        value, low, high = (_number(r[c], measure) for c in ("yi", "ci_low", "ci_high"))
        places = {"value": value, "low": low, "high": high, "percent": f"{percent:g}"}
        name = f"{r['trial']} ({r['arms']})"
        parts.append(t("forest.alt_row", trial=name, measure=measure, **places))
    for r in pooled.to_dict("records"):
        if r["k"] > 1:
            value, low, high = (_number(r[c], measure) for c in ("estimate", "ci_low", "ci_high"))
            places = {"value": value, "low": low, "high": high}
            group = t("forest.all_trials") if r["subgroup"] == OVERALL else r["subgroup"]
            parts.append(t("forest.alt_pooled", group=group, k=r["k"], **places))
    if not len(used):
        parts.append(t("forest.alt_none"))
    if len(rest):
        parts.append(t("forest.alt_rest", n=len(rest)))
    return " ".join(parts)


def _caption(
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    estimand: str,
    percent: float,
    judged: bool,
    lines: Sequence[Line],
    scale: Scale,
) -> str:
    mark = " " + t("forest.mark") if effects["recovered"].notna().any() else ""
    if not len(pooled):
        return t("forest.none_pooled") + mark
    parts = [t("forest.squares", percent=f"{percent:g}")]
    kinds = {line.kind for line in lines}
    if "diamond" in kinds:
        parts.append(t("forest.diamonds", model=_name_model(pooled.iloc[0])))
    if "band" in kinds:
        parts.append(t("forest.bars"))
    if leaves_axis(lines, scale):
        parts.append(t("forest.arrow"))
    if not effects["pooled"].all():
        parts.append(t("forest.circles"))
    groups = pooled["subgroup"].ne(OVERALL)
    if groups.any():
        parts.append(t("forest.weights_of_groups" if groups.all() else "forest.weights_of_all"))
    if judged:
        parts.append(t("forest.lights"))
    if estimand == "single_arm":
        parts.append(t("forest.single_arms"))
    elif estimand != "between_arm":
        parts.append(t("forest.within_arms"))
    return " ".join(parts) + mark


def _scale(value: Any, measure: str) -> float:
    return MEASURES[measure].scale.show(value)


def _number(value: Any, measure: str) -> str:
    return write_effect(_scale(value, measure), MEASURES[measure].scale.code == "ratio")


def _interval(value: float, low: float, high: float, measure: str) -> str:
    return write_interval(value, low, high, MEASURES[measure].scale.code == "ratio")


def _share(percent: float) -> str:
    """Write a weight; a small one is not 0."""
    if percent < 0.05:
        return decimal("< 0.1 %")
    return f"{100 if percent > 99.95 else write_number(percent, 1)} %"


def _p(value: float) -> str:
    return decimal("< 0.001" if value < 0.001 else f"{value:.3f}")
