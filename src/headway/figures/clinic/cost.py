"""The cost plane: where the bootstrap replicates of fees and difference in headache days lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.figures import theme
from headway.figures.theme import BLUE, FAINT, GREY, INK, ORANGE, Drawing
from headway.messages import decimal, say, t, term, write_integer

if TYPE_CHECKING:
    import pandas as pd


def draw_cost_plane(
    plane: pd.DataFrame, cost: pd.DataFrame, currency: str, basis: str, *, stamp: str = ""
) -> Drawing:
    """Draw the plane of one currency and basis.

    Parameters
    ----------
    plane, cost
        Tables `cost_plane` and `cost`.
    currency, basis
        Which of them.
    stamp
        Text for the corner, such as SYNTHETIC.
    """
    from matplotlib.patches import Rectangle

    cells = plane[(plane["currency"] == currency) & (plane["basis"] == basis)]
    rows = cost[(cost["currency"] == currency) & (cost["basis"] == basis)]
    found = rows.set_index("statistic")
    hidden = bool(cells["redacted"].any()) or bool(found["redacted"].any())
    title = t("charts.fees_and_difference_in_headache_days_basis", basis=name_basis(basis))
    stamped = f"{stamp}. " if stamp else ""
    caption = t("charts.each_square_is_a_set_of_bootstrap_replicates")
    with theme.style():
        figure = theme.new_figure(7.0, 4.4)
        axes = figure.add_axes((0.13, 0.14, 0.83, 0.70))
        theme.stamp(figure, stamp)
        if hidden or not len(cells):
            theme.quiet(axes)
            axes.text(0.5, 0.5, t("common.hidden"), ha="center", va="center", color=GREY)
            return Drawing(figure, title, f"{stamped}{title}. {t('charts.hidden')}", caption)
        most = cells["share"].max()
        for cell in cells.itertuples():
            fewer = cell.difference_high <= 0
            square = Rectangle(
                (cell.difference_low, cell.cost_low),
                cell.difference_high - cell.difference_low,
                cell.cost_high - cell.cost_low,
                facecolor=BLUE if fewer else ORANGE,
                hatch="" if fewer else r"\\",
                edgecolor="white" if fewer else INK,
                linewidth=0.4,
            )
            square.set_alpha(0.15 + 0.85 * cell.share / most)
            axes.add_patch(square)
        axes.axvline(0, color=INK, linewidth=1.2)
        point = (-found.loc["days_a_year", "estimate"], found.loc["mean_total", "estimate"])
        (mark,) = axes.plot(*point, marker="D", markersize=7, color=INK, markerfacecolor="white")
        fees = t("charts.mean_fees_per_patient_currency", currency=term("currency", currency))
        days = t("page_one.headache_days_a_year_of_difference")
        spent = write_integer(point[1])
        moved = ("+" if point[0] > 0 else "") + write_integer(point[0])
        theme.tip(axes, mark, [f"{fees}: {spent}; {days}: {moved}"])
        low, high = cells["difference_low"].min(), cells["difference_high"].max()
        pad = 0.06 * (max(high, 0) - min(low, 0))
        axes.set_xlim(min(low, 0) - pad, max(high, 0) + pad)
        bottom, top = cells["cost_low"].min(), cells["cost_high"].max()
        axes.set_ylim(bottom - 0.06 * (top - bottom), top + 0.2 * (top - bottom))
        axes.set_xlabel(t("charts.headache_days_a_year_of_difference_negative"))
        axes.set_ylabel(fees)
        axes.grid(color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        shares = [found.loc[s, "estimate"] for s in ("plane_fewer", "plane_more")]
        texts = [
            t("charts.fewer_days_share", share=_percent(shares[0])),
            t("charts.as_many_or_more_share", share=_percent(shares[1])),
        ]
        for x, text, side in ((0, texts[0], "left"), (1, texts[1], "right")):
            axes.text(x, 1.015, text, transform=axes.transAxes, ha=side, va="bottom", color=INK)
        figure.text(0.13, 0.915, title.replace(": ", "\n", 1), fontweight="bold", fontsize=8)
    alt = t(
        "charts.title_n_people_mean_fees_fees_currency_days",
        title=f"{stamped}{title}",
        n=write_integer(found.loc["mean_total", "n"]),
        fees=spent,
        currency=term("currency", currency),
        days=moved,
        fewer=_percent(shares[0]),
        more=_percent(shares[1]),
    )
    return Drawing(figure, title, alt, caption)


def name_basis(basis: str) -> str:
    """Name what fees are held against: the change as it is, or `less expected: source`."""
    _, _, source = basis.partition(": ")
    return t("fees.less_expected", source=say(source)) if source else t("fees.uncontrolled")


def _percent(share: float) -> str:
    """Write a share so that neither almost all nor almost none reads as all or none."""
    if 0 < share < 0.1:
        return t("charts.below_0_1_percent")
    if 99.9 < share < 100:
        return t("charts.above_99_9_percent")
    return decimal(f"{share:.1f} %")
