"""The specification curve: every defensible way to analyse, sorted, over what each chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from headway.figures import fonts, theme
from headway.figures.theme import FAINT, GREY, INK, ORANGE, Drawing, read_column, write_beside
from headway.messages import keep_digits, t

MAX_DRAWN = 400
WIDTH = 8.6  # inches


def draw_specifications(
    choices: Mapping[str, Sequence[str]],
    estimate: ArrayLike,
    ci_low: ArrayLike,
    ci_high: ArrayLike,
    *,
    declared: int = 0,
    title: str = "Specification curve",
    x_label: str = "specifications, sorted by estimate",
    y_label: str = "effect",
    null: float = 0.0,
    null_name: str = "no effect",
    away_name: str = "interval without 0 (1 for ratios)",
) -> Drawing:
    """Draw all specifications of a multiverse, sorted, over what each of them chooses.

    Parameters
    ----------
    choices : mapping of str to sequence of str
        Factor to the level each specification takes; factors with one level are left out.
    estimate, ci_low, ci_high : array_like, shape (n,)
        In one unit.
    declared : int
        Number of the declared specification.
    title, x_label, y_label
        Texts.
    null, null_name, away_name : float, str, str
        No effect, its name, and what an interval does that leaves it out (a clinic's own change
        is never called an effect).

    Notes
    -----
    Simonsohn, Simmons and Nelson (2020). Of more than 400 specifications every m-th of the sorted
    ones is drawn, the ends and the declared one among them; the alt text counts all.
    """
    value = read_column(estimate, "estimate")
    n = value.size
    low, high = read_column(ci_low, "ci_low", n), read_column(ci_high, "ci_high", n)
    if n == 0:
        raise ValueError("there are no specifications to draw")
    order = np.argsort(value, kind="stable")
    place = int(np.flatnonzero(order == declared)[0])
    step = int(np.ceil(n / MAX_DRAWN))
    kept = np.unique(np.concatenate([np.arange(0, n, step), [place, n - 1]]))
    shown = order[kept]
    lists = {}
    for factor, levels in choices.items():
        if len(levels) != n:
            raise ValueError(f"factor {factor!r} must hold one level per specification")
        several = list(dict.fromkeys(levels))
        if len(several) > 1:
            lists[factor] = several
    rows = sum(len(levels) for levels in lists.values()) + 0.8 * len(lists)
    height = 3.4 + 0.2 * rows + 0.5
    away = (low > null) | (high < null)
    with theme.style():
        figure = theme.new_figure(WIDTH, height)
        figure.text(0.01, 1 - 0.1 / height, title, fontweight="bold", va="top", fontsize=10)
        names = [name for factor in lists for name in (factor, *lists[factor])]
        widest = max((fonts.measure(str(name), 8.5, bold=True) for name in names), default=0.0)
        left = min(max(0.27, (widest + 0.25) / WIDTH), 0.4)
        width = 0.97 - left
        curve = figure.add_axes((left, 1 - 3.05 / height, width, 2.3 / height))
        x = np.arange(shown.size)
        size = float(np.clip(320 / shown.size, 1.6, 5.0))
        for flag, colour, mark, label in (
            (True, INK, "s", away_name),
            (False, GREY, "o", t("specifications.interval_includes_it")),
        ):
            some = away[shown] == flag
            curve.vlines(x[some], low[shown][some], high[shown][some], color=FAINT, linewidth=0.9)
            (marks,) = curve.plot(
                x[some], value[shown][some], mark, color=colour if flag else "white",
                markeredgecolor=colour, markersize=size, markeredgewidth=0.7, linestyle="none",
                label=label,
            )  # fmt: skip
            own = shown[some]
            three = zip(value[own], low[own], high[own], strict=True)
            theme.tip(curve, marks, [theme.say_value(*each, digits=2) for each in three])
        at = int(np.flatnonzero(kept == place)[0])
        curve.vlines([at], low[declared], high[declared], color=ORANGE, linewidth=1.6)
        curve.plot(
            [at], [value[declared]], "D", color=ORANGE, markeredgecolor=INK, markersize=7,
            linestyle="none", label=t("specifications.declared"),
        )  # fmt: skip
        curve.axhline(null, color=GREY, linewidth=0.9)
        curve.set_xlim(-0.02 * shown.size - 1, 1.02 * shown.size)
        curve.set_ylabel(y_label)
        curve.set_xticks([])
        # A few endless intervals must not flatten the rest.
        ends = np.concatenate([low, high])
        ends = ends[np.isfinite(ends)]
        core = np.quantile(ends, [0.05, 0.95])
        span = max(core[1] - core[0], np.ptp(value))
        bottom = min(core[0], value.min(), null) - 0.1 * span
        top = max(core[1], value.max(), null) + 0.1 * span
        edge = 0.05 * span
        if np.ptp(ends) <= 2 * span:
            bottom, top = -np.inf, np.inf
        bottom, top = max(bottom, ends.min() - edge), min(top, ends.max() + edge)
        curve.set_ylim(bottom, top)
        for cut, at_edge, sign in (
            (low[shown] < bottom, bottom, "v"),
            (high[shown] > top, top, "^"),
        ):
            curve.plot(
                x[cut], np.full(int(cut.sum()), at_edge), sign, color=GREY, markersize=3,
                clip_on=False,
            )  # fmt: skip
        figure.legend(
            *curve.get_legend_handles_labels(), loc="upper right", ncols=3, frameon=False,
            fontsize=8.5, bbox_to_anchor=(0.985, 1 - 0.3 / height),
        )  # fmt: skip
        if lists:
            below = figure.add_axes((left, 0.42 / height, width, 0.2 * rows / height))
            y = 0.0
            for factor, levels in lists.items():
                write_beside(below, 0, y, factor, "right", -8, "bold")
                y += 0.8
                for level in levels:
                    taken = np.array([choices[factor][i] == level for i in shown])
                    below.plot(
                        x[taken], np.full(taken.sum(), y), "|", color=INK, markersize=6,
                        markeredgewidth=float(np.clip(160 / shown.size, 0.5, 2.0)),
                    )  # fmt: skip
                    text = _cut(str(level), left * WIDTH - 0.2)
                    write_beside(below, 0, y, text, "right", -8, "normal")
                    y += 1.0
            below.axvline(at, color=ORANGE, linewidth=1.0, zorder=0)
            below.set_ylim(y - 0.4, -0.6)
            below.set_xlim(curve.get_xlim())
            below.set_yticks([])
            below.set_xticks([])
            below.spines["left"].set_visible(False)
            below.set_xlabel(x_label)
    told = (value.min(), value.max(), value[declared], low[declared], high[declared])
    written = [theme.write_fixed(v, keep_digits(2, *told)) for v in told]
    same = np.sign(value - null) == np.sign(value[declared] - null)
    alt = t(
        "specifications.title_n_specifications_estimates_from_least",
        title=title,
        n=n,
        **dict(zip(("least", "most", "declared", "low", "high"), written, strict=True)),
        same=f"{100 * same.mean():.0f}",
        null=null_name,
        away=f"{100 * (same & away).mean():.0f}",
    )
    caption = t("specifications.above_each_way_to_analyse_sorted_with_its")
    if step > 1:
        caption += " " + t("specifications.every_step_th_of_n_is_drawn", step=step, n=n)
    return Drawing(figure, title, alt, caption, wide=True)


def _cut(name: str, inches: float) -> str:
    """Cut a name that is wider than its room."""
    lines = fonts.wrap(name, inches, 8.5)
    return name if len(lines) < 2 else f"{lines[0]} …"
