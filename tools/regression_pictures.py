"""Draw regression to the mean for docs/explanation: people whom nobody treats.

Each made-up person has a usual number of headache days; a month scatters about it. That is all
there is: no treatment, no course, no season.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.figures.theme import BLUE, FAINT, GREY, INK, ORANGE, new_figure, style

PEOPLE, MONTHS, SEED = 2000, 12, 20260101
# A population of 9 days of 28, with a correlation of one month and the next near 0.6.
USUAL, BETWEEN, WITHIN = 9.0, 4.0, 3.3
ENTRY = 14


def draw_months() -> NDArray[np.float64]:
    """Draw headache days per 28, one row for each person and one column for each month."""
    rng = np.random.default_rng(SEED)
    usual = rng.normal(USUAL, BETWEEN, (PEOPLE, 1))
    return np.clip(np.round(rng.normal(usual, WITHIN, (PEOPLE, MONTHS))), 0, 28)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=140, bbox_inches="tight", metadata={"Software": None})


def draw_person(months: NDArray[np.float64], path: Path) -> None:
    """Draw one person, whose worst month brings them to the clinic."""
    worst = months[:, 5] == months.max(axis=1)
    settled = np.abs(months.mean(axis=1) - USUAL) < 1
    person = months[np.flatnonzero(worst & settled & (months[:, 5] >= ENTRY))[0]]
    with style():
        figure = new_figure(7, 3)
        axes = figure.subplots()
        at = np.arange(1, MONTHS + 1)
        axes.axhline(person.mean(), color=FAINT, linewidth=6, zorder=0)
        axes.text(
            MONTHS + 0.6, person.mean(), "usual\nlevel", va="center", color=GREY, clip_on=False
        )
        axes.plot(at, person, color=INK, marker="o", linewidth=1)
        axes.plot(at[5], person[5], marker="o", color=ORANGE, markersize=10)
        axes.annotate(
            "a bad month:\nthe person comes",
            (at[5], person[5]),
            (at[5] + 0.5, person[5] - 0.5),
            color=ORANGE,
            va="top",
        )
        axes.set(
            ylim=(0, 20),
            yticks=range(0, 21, 5),
            xlabel="month",
            ylabel="headache days per 28",
            xticks=at,
        )
        _save(figure, path)


def draw_pairs(months: NDArray[np.float64], path: Path) -> None:
    """Draw everyone's month against the next; those who come stand to the right."""
    before, after = months[:, 0], months[:, 1]
    comes = before >= ENTRY
    jitter = np.random.default_rng(SEED).uniform(-0.4, 0.4, (2, PEOPLE))
    with style():
        figure = new_figure(5.4, 5)
        axes = figure.subplots()
        for chosen, colour, words in (
            (~comes, GREY, "stay at home"),
            (comes, ORANGE, f"{ENTRY} days or more: come"),
        ):
            axes.plot(
                (before + jitter[0])[chosen],
                (after + jitter[1])[chosen],
                ".",
                color=colour,
                markersize=3,
                alpha=0.6,
                label=words,
            )
        axes.plot([0, 28], [0, 28], color=INK, linewidth=0.8)
        axes.text(24.3, 25.3, "no change", rotation=45, ha="center", va="center")
        axes.plot(before[comes].mean(), after[comes].mean(), "D", color=BLUE, markersize=9)
        axes.annotate(
            f"their mean: {before[comes].mean():.1f}, then {after[comes].mean():.1f}",
            (before[comes].mean(), after[comes].mean()),
            (before[comes].mean() - 2, 2),
            color=BLUE,
            arrowprops={"arrowstyle": "-", "color": BLUE},
        )
        axes.set(
            xlim=(-0.7, 28),
            ylim=(-0.7, 28),
            aspect="equal",
            xlabel="headache days, this month",
            ylabel="headache days, next month",
        )
        axes.legend(loc="upper left", frameon=False, markerscale=4)
        _save(figure, path)


def draw_two_windows(months: NDArray[np.float64], path: Path) -> None:
    """Draw the mean of those who come, from the month before the last to two months after."""
    comes = months[:, 5] >= ENTRY
    at = np.arange(-5, 7)
    mean = months[comes].mean(axis=0)
    with style():
        figure = new_figure(7, 3)
        axes = figure.subplots()
        axes.plot(at, mean, color=INK, marker="o", linewidth=1)
        axes.plot(0, mean[5], "o", color=ORANGE, markersize=10)
        axes.plot(-1, mean[4], "o", color=BLUE, markersize=10)
        axes.annotate("the month for\nwhich they come", (0, mean[5]), (0.3, mean[5]), color=ORANGE)
        axes.annotate(
            "the month before it\ntells the usual level",
            (-1, mean[4]),
            (-5, mean[5] - 1),
            color=BLUE,
            arrowprops={"arrowstyle": "-", "color": BLUE},
        )
        axes.set(
            ylim=(0, 20),
            yticks=range(0, 21, 5),
            xticks=at,
            xlabel="months from the visit (nobody is treated)",
            ylabel="mean headache\ndays per 28",
        )
        _save(figure, path)


def draw(out: Path) -> None:
    """Draw all of them into a folder."""
    months = draw_months()
    draw_person(months, out / "regression_person.png")
    draw_pairs(months, out / "regression_pairs.png")
    draw_two_windows(months, out / "regression_months.png")


if __name__ == "__main__":
    draw(Path(__file__).resolve().parents[1] / "docs" / "_made")
