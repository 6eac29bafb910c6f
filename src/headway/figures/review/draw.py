"""All figures of a review."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.effects.measures import MEASURES
from headway.effects.units import name_unit
from headway.errors import UNCOMPUTABLE, log_frames
from headway.figures import theme
from headway.figures.review.bubbles import draw_bubbles
from headway.figures.review.flow import draw_flow
from headway.figures.review.forest import draw_forest
from headway.figures.review.judgements import draw_risk_summary, draw_traffic_lights
from headway.figures.review.network import list_drawings
from headway.figures.review.posterior import draw_posterior
from headway.figures.review.refits import draw_refits_in_parts
from headway.figures.review.sheet import SCREEN, Form
from headway.figures.review.studies import draw_funnel
from headway.figures.specifications import draw_specifications
from headway.figures.theme import BLUE, FAINT, GREY, INK, ORANGE, Drawing
from headway.messages import capital, is_missing, say, t, term
from headway.reviews.reproduce import are_ratios

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Review

# More trials than this are not listed one by one below a specification curve.
MAX_LEVELS = 9


def draw_review(
    tables: Mapping[str, pd.DataFrame], review: Review, form: Form = SCREEN
) -> dict[str, Drawing]:
    """Draw all figures of a review: flow, risk of bias, and those of each comparison.

    Parameters
    ----------
    tables
        effects, pooled, multiverse, refits, small_studies, bubbles, bayes, bayes_trials,
        bayes_density, published, consistency, risk_of_bias, networks and those that begin with
        `network_`.
    review
        review.yaml with its defaults.
    form
        Room and type. Where it limits the height, a figure of many rows comes in parts, whose
        names end in `_part_1`, `_part_2` and so on.
    """
    out: dict[str, Drawing] = {}
    effects, pooled = tables["effects"], tables["pooled"]
    if review.flow:
        out["flow"] = draw_flow(review.flow)
    judged = tables["risk_of_bias"]
    out |= _draw_judgements(judged, effects, review.risk_of_bias.tool, form)
    for comparison in review.comparisons:
        own = effects[effects["comparison"] == comparison.id]
        if own["yi"].notna().any():
            declared = pooled[(pooled["comparison"] == comparison.id) & pooled["declared"]]
            low = review.outcomes[comparison.outcome].lower_is_better
            out |= _try(
                f"forest_{comparison.id}",
                comparison.label,
                draw_forest,
                own,
                declared,
                comparison,
                lower_is_better=low,
                level=review.level_of(comparison),
                judged=judged,
                columns=list_own(own, tables, comparison, review.forest.columns),
                show=review.forest.show,
                form=form,
            )
        out |= _draw_bayes(tables, comparison, form)
        out |= _draw_checks(tables, comparison, form)
        unit = review.outcomes[comparison.outcome].unit
        out |= _draw_moderators(tables["bubbles"], comparison, unit, review.level_of(comparison))
        curve = _list_ways(tables["multiverse"], comparison)
        if curve is not None:
            name = f"multiverse_{comparison.id}"
            out |= _try(name, comparison.label, _draw_multiverse, curve, comparison)
    for network in review.networks:
        try:
            listed = list_drawings(tables, network)
        except UNCOMPUTABLE as error:
            log_frames(error, f"network {network.id}")
            continue
        for name, (draw, *given) in listed.items():
            out |= _try(name, network.label, draw, *given)
    published = tables["published"]
    for outcome_id in dict.fromkeys(published["outcome"]):
        label = review.outcomes[outcome_id].label or outcome_id
        out |= _try(
            f"published_{outcome_id}",
            label,
            draw_published,
            published[published["outcome"] == outcome_id],
            tables["consistency"][tables["consistency"]["outcome"] == outcome_id],
            label,
        )
    for drawing in out.values():
        theme.write_commas(drawing.figure)
    return out


def _draw_judgements(
    judged: pd.DataFrame, effects: pd.DataFrame, main: str, form: Form
) -> dict[str, Drawing]:
    """Draw the judgements tool by tool, the review's own first; it counts who is not judged."""
    out: dict[str, Drawing] = {}
    tools = list(dict.fromkeys(judged["tool"]))
    for tool in sorted(tools, key=lambda tool: tool != main):
        own = judged[judged["tool"] == tool]
        elsewhere = set(judged["trial"]) - set(own["trial"])
        used = effects.loc[effects["pooled"], "trial"].drop_duplicates()
        trials = [x for x in used if x not in elsewhere] if tool == main else []
        name = "risk_of_bias" if tool == main else f"risk_of_bias_{tool}"
        out |= _name_all(name, draw_traffic_lights(own, tool, form.tall / form.width))
        out[f"{name}_summary"] = draw_risk_summary(own, tool, trials=trials)
    return out


def list_own(
    effects: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    comparison: Comparison,
    columns: Sequence[str],
) -> dict[str, list[str]]:
    """List what the columns that a review shows hold for each effect.

    A column of the files is looked up in the trial's rows of this outcome, then in all of its
    rows; several values of a trial stand one after the other. Other columns are those of
    `effects`.
    """
    out: dict[str, list[str]] = {}
    for name in columns:
        held: dict[tuple[str, bool], dict[str, None]] = {}
        for frame in (tables["arms"], tables["contrasts"]):
            for trial, outcome, cells in zip(
                frame["trial"], frame["outcome"], frame["own"], strict=True
            ):
                cell = json.loads(cells).get(name) if isinstance(cells, str) and cells else None
                if cell is not None:
                    for key in {(trial, outcome == comparison.outcome), (trial, False)}:
                        held.setdefault(key, {})[cell] = None
        head = name.replace("_", " ")
        if held:
            out[head] = [
                ", ".join(held.get((trial, True)) or held.get((trial, False), {}))
                for trial in effects["trial"]
            ]
        elif name in effects.columns:
            out[head] = [_write_cell(cell) for cell in effects[name]]
    return out


def _write_cell(cell: Any) -> str:
    if is_missing(cell) or cell == "":
        return ""
    return say(cell) if isinstance(cell, str) else f"{float(cell):g}"


def _try(
    name: str, label: str, draw: Callable[..., Drawing | list[Drawing]], /, *given: Any, **more: Any
) -> dict[str, Drawing]:
    """Draw a figure; where its numbers cannot be drawn, a figure that says so."""
    try:
        with np.errstate(all="ignore"):
            drawn = draw(*given, **more)
    except UNCOMPUTABLE as error:
        log_frames(error, draw.__name__)
        drawn = say_instead(label)
    return _name_all(name, drawn if isinstance(drawn, list) else [drawn])


def _name_all(name: str, parts: Sequence[Drawing]) -> dict[str, Drawing]:
    if len(parts) == 1:
        return {name: parts[0]}
    return {f"{name}_part_{i}": part for i, part in enumerate(parts, start=1)}


def say_instead(title: str) -> Drawing:
    """Draw the sentence that a figure cannot be drawn."""
    text = t("fit.no_figure")
    with theme.style():
        figure = theme.new_figure(7.0, 0.8)
        figure.text(0.02, 0.5, text, va="center")
    return Drawing(figure, title, f"{title}. {text}", text)


def save_review(drawings: Mapping[str, Drawing], folder: Path) -> list[theme.Saved]:
    """Save a review's figures; one that cannot be saved is replaced by a sentence."""
    saved: list[theme.Saved] = []
    for name, drawing in drawings.items():
        try:
            saved += theme.save({name: drawing}, folder)
        except UNCOMPUTABLE as error:
            log_frames(error, name)
            saved += theme.save({name: say_instead(drawing.title)}, folder)
    return saved


def _draw_bayes(
    tables: Mapping[str, pd.DataFrame], comparison: Comparison, form: Form
) -> dict[str, Drawing]:
    """Draw the posteriors under the declared prior, where there are any."""
    bayes, trials, density = (
        tables[name][tables[name]["comparison"] == comparison.id]
        for name in ("bayes", "bayes_trials", "bayes_density")
    )
    declared = bayes[bayes["declared"] & bayes["mu_median"].notna()]
    if not len(declared):
        return {}
    return _try(
        f"posterior_{comparison.id}",
        comparison.label,
        draw_posterior,
        declared,
        trials,
        density,
        comparison,
        form=form,
    )


def _draw_checks(
    tables: Mapping[str, pd.DataFrame], comparison: Comparison, form: Form
) -> dict[str, Drawing]:
    """Draw the leave-one-out and cumulative results, and a funnel of ten trials or more."""
    out: dict[str, Drawing] = {}
    measure, name = comparison.measure, comparison.id
    entry = MEASURES[measure]
    scale = entry.scale.back
    effects, pooled, refits = tables["effects"], tables["pooled"], tables["refits"]
    whole = pooled[
        (pooled["comparison"] == name) & pooled["declared"] & (pooled["subgroup"] == "overall")
    ]
    own = refits[(refits["comparison"] == name) & (refits["subgroup"] == "overall")]
    if not len(whole):
        return out
    row = whole.iloc[0]
    unit = say(name_unit(entry.unit or row["unit"]))
    shown = measure if entry.scale.code == "ratio" else f"{measure}, {unit}"
    ends = tuple(float(scale(row[c])) for c in ("estimate", "ci_low", "ci_high"))
    for analysis, word, title in (
        ("leave one out", "forest.without", "forest.leave_one_out"),
        ("cumulative", "forest.and", "forest.cumulative"),
    ):
        part = own[own["analysis"] == analysis]
        if len(part):
            out |= _try(
                f"{analysis.replace(' ', '_')}_{name}",
                comparison.label,
                draw_refits_in_parts,
                [t(word, trial=str(trial)) for trial in part["trial"]],
                scale(part["estimate"]),
                scale(part["ci_low"]),
                scale(part["ci_high"]),
                (ends[0], ends[1], ends[2]),
                title=t(title, label=comparison.label),
                x_label=shown,
                null=entry.scale.null,
                ratio=entry.scale.code == "ratio",
                shape=form.tall / form.width,
                percent=100 * row["level"],
            )
    checks = tables["small_studies"]
    # Its shaded regions are around no effect.
    funnel = checks["comparison"].eq(name) & checks["check"].ne("none")
    if funnel.any() and not np.isnan(entry.scale.null):
        used = effects[(effects["comparison"] == name) & effects["pooled"]]
        out |= _try(
            f"funnel_{name}",
            comparison.label,
            draw_funnel,
            used["yi"],
            used["vi"],
            float(row["estimate"]),
            title=t("funnel.title", label=comparison.label),
            x_label=shown,
            null=entry.scale.null_yi,
            scale=entry.scale,
        )
    return out


def _draw_moderators(
    bubbles: pd.DataFrame, comparison: Comparison, unit: str, level: float
) -> dict[str, Drawing]:
    """Draw a bubble plot for each number that the comparison's effects were regressed on."""
    out: dict[str, Drawing] = {}
    entry = MEASURES[comparison.measure]
    back = entry.scale.back
    shown = f"{comparison.measure}, {say(name_unit(entry.unit or unit))}"
    shown = comparison.measure if entry.scale.code == "ratio" else shown
    for i, moderator in enumerate(comparison.moderators):
        own = bubbles[
            bubbles["comparison"].eq(comparison.id) & bubbles["moderator"].eq(moderator.column)
        ]
        line = own[own["mark"] == "line"]
        trials = own[own["mark"].eq("trial") & own["weight"].notna() & own["x"].notna()]
        if not len(line) or not len(trials):
            continue
        step = f" ({moderator.unit})" if moderator.unit else ""
        out |= _try(
            f"bubbles_{comparison.id}_{i + 1}",
            comparison.label,
            draw_bubbles,
            trials["x"],
            back(trials["yi"].to_numpy(float)),
            trials["weight"],
            title=f"{comparison.label}: {moderator.name}",
            line=(line["x"], *(back(line[c].to_numpy(float)) for c in ("yi", "ci_low", "ci_high"))),
            prediction=(
                back(line["pi_low"].to_numpy(float)),
                back(line["pi_high"].to_numpy(float)),
            ),
            names=[str(trial) for trial in trials["trial"]],
            x_label=f"{moderator.name}{step}",
            y_label=shown,
            null=entry.scale.null,
            ratio=entry.scale.code == "ratio",
            level=level,
        )
    return out


def _list_ways(multiverse: pd.DataFrame, comparison: Comparison) -> pd.DataFrame | None:
    """List the ways to analyse a difference between arms, in its declared unit."""
    own = multiverse[
        (multiverse["comparison"] == comparison.id) & (multiverse["subgroup"] == "overall")
    ]
    if comparison.estimand != "between_arm" or not len(own):
        return None
    return own[own["unit"] == own["unit"].iloc[0]]


def _draw_multiverse(own: pd.DataFrame, comparison: Comparison) -> Drawing:
    """Draw the specification curve."""
    unit, entry = own["unit"].iloc[0], MEASURES[comparison.measure]
    choices = {
        say(term("review_curve", label)): [say(term("option", level)) for level in own[column]]
        for label, column in (
            ("rows", "rows_used"),
            ("trials", "studies"),
            ("left_out", "left_out"),
            ("tau2", "method"),
        )
    }
    intervals = [say(term("pooled", f"by_{test}")) for test in own["test"]]
    if own["left_out"].nunique() > MAX_LEVELS:
        some, none = t("option.one_trial"), t("option.none")
        choices[t("review_curve.left_out")] = [
            none if trial == "none" else some for trial in own["left_out"]
        ]
    return draw_specifications(
        choices | {t("review_curve.interval"): intervals},
        entry.scale.back(own["estimate"]),
        entry.scale.back(own["ci_low"]),
        entry.scale.back(own["ci_high"]),
        title=t("review_curve.title", label=comparison.label),
        y_label=say(name_unit(entry.unit or unit)),
        null=entry.scale.null,
        null_name=t("review_curve.null"),
        away_name=t("review_curve.excludes", null=f"{entry.scale.null:g}"),
        x_label=t("specifications.specifications_sorted_by_estimate"),
    )


def _name_published(row: Mapping[str, Any]) -> str:
    group = row["subgroup"]
    name = capital(t("review_page.overall")) if is_missing(group) else str(group)
    return name if is_missing(row["k"]) else f"{name} (k {row['k']})"


def draw_published(published: pd.DataFrame, consistency: pd.DataFrame, label: str) -> Drawing:
    """Draw published results and, apart from them, what they combine to."""
    rows = [
        (
            textwrap.fill(_name_published(r), 38),
            r["effect"],
            r["ci_low"],
            r["ci_high"],
            True,
        )
        for r in published.to_dict("records")
    ]
    ratio, unit = are_ratios(published), ""
    null = 1.0 if ratio else 0.0
    consistency = consistency[consistency["estimate"].notna()]
    for r in consistency.to_dict("records"):
        rows.append((say(r["model"]), r["estimate"], r["ci_low"], r["ci_high"], False))
        unit = say(name_unit(r["unit"]))
    n_published = len(published)
    with theme.style():
        figure = theme.new_figure(9.0, 0.36 * (len(rows) + 2) + 1.0)
        axes = figure.add_axes((0.34, 0.22, 0.40, 0.66))
        spread = [v for row in rows[:n_published] for v in row[2:4]] + [null]
        spread = [v for v in [*spread, *(row[1] for row in rows)] if np.isfinite(v)]
        places = np.log(spread) if ratio else np.array(spread)
        pad = 0.35 * np.ptp(places) or 1.0
        ends = np.array([places.min() - pad, places.max() + pad])
        limits = tuple(np.exp(ends) if ratio else ends)
        texts = []
        for i, (name, value, low, high, printed) in enumerate(rows):
            y = i + (0 if printed else 1.0)
            colour = BLUE if printed else ORANGE
            axes.plot(np.clip([low, high], *limits), [y, y], color=colour, linewidth=1.6)
            for outside, x, way in (
                (low < limits[0], limits[0], "<"),
                (high > limits[1], limits[1], ">"),
            ):
                if outside:
                    axes.plot([x], [y], marker=way, color=colour, clip_on=False)
            axes.plot(
                [value],
                [y],
                marker="s" if printed else "D",
                color=colour,
                markersize=7,
                markeredgecolor=INK,
                markeredgewidth=0.6,
                linestyle="none",
            )
            texts.append((y, name, theme.write_interval(value, low, high, ratio)))
        axes.set_ylim(len(rows) + 1.0, -0.7)
        if ratio:
            theme.set_ratio_axis(axes, *limits)
        else:
            axes.set_xlim(*limits)
        axes.axvline(null, color=GREY, linewidth=0.9)
        axes.grid(axis="x", color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(unit)
        for y, name, numbers in texts:
            axes.annotate(
                name,
                (0, y),
                xycoords=("axes fraction", "data"),
                xytext=(-12, 0),
                textcoords="offset points",
                ha="right",
                va="center",
            )
            axes.annotate(
                numbers,
                (1, y),
                xycoords=("axes fraction", "data"),
                xytext=(12, 0),
                textcoords="offset points",
                ha="left",
                va="center",
            )
        if len(consistency):
            axes.annotate(
                t("published_figure.combined"),
                (0, n_published - 0.1),
                xycoords=("axes fraction", "data"),
                xytext=(-12, -2),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=8,
                color=GREY,
                fontstyle="italic",
            )
        figure.text(
            0.01,
            0.97,
            t("published_figure.heading", label=label),
            fontweight="bold",
            va="top",
            fontsize=10,
        )
    title = t("published_figure.title", label=label)
    alt = f"{title}. " + " ".join(
        t(
            "published_figure.alt_published" if row[4] else "published_figure.alt_combined",
            name=name.replace("\n", " "),
            numbers=numbers,
        )
        for row, (_, name, numbers) in zip(rows, texts, strict=True)
    )
    caption = t("published_figure.caption")
    if len(consistency):
        caption += " " + t("published_figure.diamonds")
    if any(row[2] < limits[0] or row[3] > limits[1] for row in rows):
        caption += " " + t("forest.arrow")
    return Drawing(figure, title, alt, caption, wide=True)
