"""All figures of a review."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.figures.forest import RATIOS, Line, Words, draw_forest, draw_lines
from headway.figures.theme import Drawing, number

if TYPE_CHECKING:
    import pandas as pd

_CHECK = "Check of consistency, not the paper’s analysis"


def draw_review(
    tables: Mapping[str, pd.DataFrame], review: Mapping[str, Any]
) -> dict[str, Drawing]:
    """Draw a forest plot per comparison that has a row, and published results.

    Parameters
    ----------
    tables
        effects, pooled, published, consistency.
    review
        review.yaml with its defaults.
    """
    out: dict[str, Drawing] = {}
    effects, pooled = tables["effects"], tables["pooled"]
    outcomes = review.get("outcomes") or {}
    for comparison in review["comparisons"]:
        own = effects[effects["comparison"] == comparison["id"]]
        if not len(own):
            continue
        outcome = outcomes.get(comparison["outcome"], {})
        out[f"forest_{comparison['id']}"] = draw_forest(
            own,
            pooled[(pooled["comparison"] == comparison["id"]) & pooled["declared"]],
            title=str(comparison["label"]),
            measure=comparison["measure"],
            unit=str(own["unit"].iloc[0]),
            subgroups=comparison.get("subgroup_by") not in (None, "none"),
            lower_is_better=outcome.get("lower_is_better", True),
        )
    published = tables["published"]
    for name in dict.fromkeys(published["outcome"]):
        outcome = outcomes.get(name, {})
        out[f"published_{name}"] = draw_published(
            published[published["outcome"] == name],
            tables["consistency"][tables["consistency"]["outcome"] == name],
            outcome.get("label") or str(name),
            lower_is_better=outcome.get("lower_is_better", True),
        )
    return out


def draw_published(
    published: pd.DataFrame,
    consistency: pd.DataFrame,
    label: str,
    *,
    stamp: str = "",
    lower_is_better: bool = True,
) -> Drawing:
    """Draw published results and, apart from them, what they combine to.

    Parameters
    ----------
    published, consistency
        Rows of the two tables of one outcome.
    label
        The outcome in words.
    stamp
        Text for the corner.
    lower_is_better
        Which side of no difference favours the treatment, where the source says what a positive
        number means.
    """
    times = published["timepoint"].nunique() > 1
    ratio = bool(published["measure"].isin(RATIOS).all())
    lines = [Line("heading", "As published")]
    told = []
    for r in published.to_dict("records"):
        name = "all" if r["subgroup"] is None or r["subgroup"] != r["subgroup"] else r["subgroup"]
        name += f", {r['timepoint']}" if times else ""
        name += f" (k {r['k']})" if str(r["k"]) != "<NA>" and r["k"] == r["k"] else ""
        line = _line("row", name, float(r["effect"]), float(r["ci_low"]), float(r["ci_high"]))
        lines.append(line)
        told.append(f"Published, {name}: {line.right[0]}.")
    if len(consistency):
        lines += [Line("gap"), Line("heading", _CHECK)]
    for r in consistency.to_dict("records"):
        name = f"{r['model']} (k {r['k']})"
        line = _line("diamond", name, r["estimate"], r["ci_low"], r["ci_high"])
        lines.append(line)
        told.append(f"{_CHECK}, {name}: {line.right[0]}.")
    signs = set(published["positive_means"])
    sides = ("favours treatment", "favours control")
    if (signs == {"control_minus_treatment"}) == lower_is_better:
        sides = sides[::-1]
    known = len(signs) == 1 and signs <= {"treatment_minus_control", "control_minus_treatment"}
    title = f"Published results: {label}"
    words = Words(
        title=title,
        heads=(),
        results=("Estimate [95 % CI]",),
        axis=str(published["unit"].iloc[0]),
        sides=sides if known else ("", ""),
        stamp=stamp,
        ratio=ratio,
    )
    caption = (
        "Squares: as published, with 95 % CI. Diamonds: the published subgroup results "
        "combined, a check of consistency and not the paper’s analysis; k counts what is combined."
        " An arrow leaves the axis."
    )
    alt = f"{stamp + '. ' if stamp else ''}{title}, {words.axis}. {' '.join(told)}"
    return Drawing(draw_lines(lines, words), title, alt, caption, wide=True)


def _line(kind: str, name: str, value: float, low: float, high: float) -> Line:
    if math.isnan(value):
        return Line("text", name, right=("no estimate",))
    text = f"{number(value)} [{number(low)}, {number(high)}]"
    return Line(kind, name, right=(text,), value=value, low=low, high=high)
