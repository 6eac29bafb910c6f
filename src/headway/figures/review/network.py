"""Figures of a network of treatments: its graph, estimates, inconsistency and small trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headway.effects.measures import MEASURES
from headway.effects.units import name_unit
from headway.figures import fonts, theme
from headway.figures.theme import BLUE, FAINT, GREY, INK, ORANGE, Drawing, write_beside
from headway.messages import Message, is_missing, say, t, term, write_integer, write_number
from headway.meta import network as nma
from headway.reviews.networks.analyse import read_network

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Network

Array = NDArray[np.float64]
# Graph: the circle and the columns of names beside it, in inches.
CIRCLE, BESIDE, GAP = 3.6, 2.3, 0.22
LINE = 0.15  # height of a line of names
CLEAR = 0.22  # between two numbers, or a number and a node
# Above this number of edges their trials stand in the table alone.
MOST_EDGES = 60
# Prediction intervals stretch the axis up to this factor; beyond it an arrow stands.
MOST_WIDER = 2.5
# Rows of a net heat plot; cells with numbers; characters of names that stand at its rows.
MOST_ROWS, MOST_NUMBERED, MOST_NAMED = 24, 9, 34
SHADES = 10  # steps of colour
# Comparisons that a funnel tells apart by shape.
SHAPES = "osD^vP*X"


def name_treatment(code: Any) -> str:
    """Name a treatment in the reader's language; a review's own name stands as it is."""
    found = term("technique", code)
    return say(found) if isinstance(found, Message) else found


def draw_graph(ranks: pd.DataFrame, pairs: pd.DataFrame, title: str) -> Drawing:
    """Draw treatments and the trials that compare them directly.

    Parameters
    ----------
    ranks, pairs
        Rows of `network_ranks` and `network_pairs` of one network, the reference first.
    title
        Text.
    """
    codes = list(ranks["treatment"])
    people = dict(zip(codes, ranks["people"], strict=True))
    trials = dict(zip(codes, ranks["trials"], strict=True))
    counted = all(not is_missing(n) and n > 0 for n in people.values())
    told = {code: _say_node(code, people[code], trials[code]) for code in codes}
    names = {code: fonts.wrap(text, BESIDE - 0.1, 8.5) for code, text in told.items()}
    n = len(codes)
    # From the top round to the right, then up the left side.
    sides = [codes[: (n + 1) // 2], codes[: (n + 1) // 2 - 1 : -1]]
    tall = max(
        CIRCLE if n > 2 else 0.9, *(sum(LINE * len(names[c]) + GAP for c in side) for side in sides)
    )
    head = fonts.wrap(title, 2 * BESIDE + CIRCLE - 0.2, 10, bold=True)
    top = 0.2 + 0.17 * len(head)
    width, height = CIRCLE + 2 * BESIDE + 0.6, tall + top + 0.4
    angle = {code: np.pi / 2 - 2 * np.pi * (i + 0.5) / n for i, code in enumerate(codes)}
    if n == 2:
        angle = {codes[0]: 0.0, codes[1]: np.pi}
    radius = CIRCLE / 2 - 0.25
    at = {code: radius * np.array([np.cos(a), np.sin(a)]) for code, a in angle.items()}
    with theme.style():
        figure = theme.new_figure(width, height)
        axes = figure.add_axes((0, 0, 1, (height - top) / height))
        axes.set_xlim(-width / 2, width / 2)
        axes.set_ylim(-(height - top) / 2, (height - top) / 2)
        theme.quiet(axes)
        figure.text(0.01, 1 - 0.08 / height, "\n".join(head), fontweight="bold", va="top", size=10)
        direct = pairs[pairs["k_direct"] > 0]
        _draw_edges(axes, direct, at)
        weight = people if counted else trials
        most = max(weight.values())
        for code in codes:
            (node,) = axes.plot(
                *at[code], "o", color=BLUE, markeredgecolor="white", markeredgewidth=1.2, zorder=4,
                markersize=7 + 17 * np.sqrt(weight[code] / most),
            )  # fmt: skip
            theme.tip(axes, node, [told[code]])
        for side, way in zip(sides, (1, -1), strict=True):
            _write_names(axes, side, names, at, way, tall)
    edges = "; ".join(
        t("network.edge", one=name_treatment(r["treatment"]), other=name_treatment(r["base"]),
          n=int(r["k_direct"]))
        for r in direct.to_dict("records")
    )  # fmt: skip
    alt = t("network.graph_alt", title=title, treatments=list(told.values()), edges=edges)
    caption = t("network.graph_caption" if counted else "network.graph_caption_trials")
    if len(direct) > MOST_EDGES:
        caption += " " + t("network.graph_many")
    return Drawing(figure, title, alt, caption, wide=True)


def _say_node(code: str, people: float, trials: int) -> str:
    name, n = name_treatment(code), int(trials)
    if is_missing(people):
        return t("network.node_trials", name=name, n=n)
    return t("network.node", name=name, people=write_integer(people), n=n)


def _draw_edges(axes: Any, direct: pd.DataFrame, at: Mapping[str, Array]) -> None:
    """Draw edges, each with its number of trials where no other edge and no node is near."""
    most = max([1, *direct["k_direct"]])
    rows = direct.to_dict("records")
    ends = [(at[r["treatment"]], at[r["base"]]) for r in rows]
    taken = list(at.values())
    for i, r in enumerate(rows):
        (one, other), k = ends[i], int(r["k_direct"])
        (edge,) = axes.plot(
            [one[0], other[0]], [one[1], other[1]], color="#9aa4ad", solid_capstyle="round",
            linewidth=0.8 + 3.2 * np.sqrt(k / most) * (most > 1), zorder=1,
        )  # fmt: skip
        names = {"one": name_treatment(r["treatment"]), "other": name_treatment(r["base"])}
        theme.tip(axes, edge, [t("network.edge", **names, n=k)])
        if len(rows) > MOST_EDGES:
            continue
        parts = [0.5 + sign * step for step in np.arange(0, 0.3, 0.03) for sign in (1, -1)]
        spots = [one + part * (other - one) for part in parts]
        others = [each for k2, each in enumerate(ends) if k2 != i]
        spot = min(spots, key=lambda spot: _crowd(spot, taken, others))
        taken.append(spot)
        axes.text(
            *spot, str(k), size=7.5, ha="center", va="center", zorder=3,
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        )  # fmt: skip


def _crowd(spot: Array, taken: Sequence[Array], edges: Sequence[tuple[Array, Array]]) -> float:
    """Weigh how near a place, in inches, is to what is written already, and to other edges."""
    near = [float(np.hypot(*(spot - place))) for place in taken]
    crowd = sum(20 * max(0.0, CLEAR - d) for d in near)
    for start, end in edges:
        along = end - start
        part = np.clip((spot - start) @ along / (along @ along), 0, 1)
        crowd += max(0.0, 0.11 - float(np.hypot(*(spot - start - part * along))))
    return crowd


def _write_names(
    axes: Any,
    side: Sequence[str],
    names: Mapping[str, list[str]],
    at: Mapping[str, Array],
    way: int,
    tall: float,
) -> None:
    """Write names in a column beside the circle, near their nodes and clear of each other."""
    tops = []
    free = tall / 2
    need = sum(LINE * len(names[code]) + GAP for code in side)
    for code in side:
        height = LINE * len(names[code]) + GAP
        # No lower than leaves room for those that follow, no higher than those before leave.
        wanted = max(at[code][1] + height / 2, -tall / 2 + need)
        tops.append(min(free, wanted))
        free = tops[-1] - height
        need -= height
    for code, top in zip(side, tops, strict=True):
        y = top - (LINE * len(names[code]) + GAP) / 2
        x = way * (CIRCLE / 2 + 0.12)
        axes.plot(
            [at[code][0], x - way * 0.06], [at[code][1], y], color=FAINT, linewidth=0.8, zorder=0
        )
        axes.text(
            x, y, "\n".join(names[code]), size=8.5, va="center", ha="left" if way > 0 else "right"
        )


def draw_forest(
    pairs: pd.DataFrame, network: Network, reference: str, unit: str, *, title: str, level: float
) -> Drawing:
    """Draw every treatment against the reference, with confidence and prediction intervals.

    Parameters
    ----------
    pairs
        Rows of `network_pairs` of the network.
    network
        Its entry in review.yaml.
    reference, unit
        Codes.
    title
        Text.
    level : float
        Coverage.
    """
    scale = MEASURES[network.measure].scale
    ratio = scale.code == "ratio"
    own = pairs[pairs["base"].eq(reference)].sort_values(["estimate", "treatment"])
    with np.errstate(over="ignore"):
        value, low, high, pi_low, pi_high = (
            np.asarray(scale.back(own[c].to_numpy()), dtype=np.float64)
            for c in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
        )
    names = [fonts.wrap(name_treatment(code), 2.2, 8.5) for code in own["treatment"]]
    heights = np.array([max(1.0, 0.62 * len(lines)) for lines in names])
    places = np.cumsum(heights) - heights / 2 - 0.5
    head = fonts.wrap(title, 8.4, 10, bold=True)
    base = fonts.wrap(t("network.against", name=name_treatment(reference)), 2.2, 8.5, bold=True)
    top = 0.3 + 0.15 * len(head) + 0.15 * len(base)
    height = 0.3 * heights.sum() + 0.65 + top
    limits = _find_limits(np.concatenate([low, high, [scale.null]]), ratio)
    further = _find_limits(np.concatenate([low, high, pi_low, pi_high, [scale.null]]), ratio)
    if _span(further, ratio) < MOST_WIDER * _span(limits, ratio):
        limits = further
    with theme.style():
        figure = theme.new_figure(8.8, height)
        figure.text(0.01, 1 - 0.1 / height, "\n".join(head), fontweight="bold", va="top", size=10)
        axes = figure.add_axes((0.28, 0.6 / height, 0.36, (height - 0.6 - top) / height))
        axes.axvline(scale.null, color=GREY, linewidth=0.9)
        for i, y in enumerate(places):
            mark = _draw_interval(
                axes, y, (value[i], low[i], high[i], pi_low[i], pi_high[i]), limits
            )
            name = name_treatment(own["treatment"].iloc[i])
            told = theme.say_value(value[i], low[i], high[i], digits=2)
            theme.tip(axes, mark, [f"{name}: {told}"])
            write_beside(axes, 0, y, "\n".join(names[i]), "right", -10, "normal")
            numbers = theme.write_interval(value[i], low[i], high[i], ratio)
            write_beside(axes, 1, y, numbers, "left", 10, "normal")
            if np.isfinite(pi_low[i]):
                shown = theme.write_interval(float("nan"), pi_low[i], pi_high[i], ratio)
                write_beside(axes, 1, y, shown, "left", 130, "normal")
        axes.set_ylim(len(places) and places[-1] + 0.8, -0.8)
        if ratio:
            theme.set_ratio_axis(axes, *limits)
        else:
            axes.set_xlim(*limits)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(unit)
        _write_head(axes, 0, -10, "right", base)
        percent = f"{100 * level:g}"
        _write_head(axes, 1, 10, "left", [t("network.ci_head", percent=percent)])
        _write_head(axes, 1, 130, "left", [t("network.pi_head", percent=percent)])
        theme.write_commas(figure)
    rows = zip(own["treatment"], value, low, high, strict=True)
    listed = "; ".join(
        f"{name_treatment(c)} {theme.say_value(v, a, b, digits=2)}" for c, v, a, b in rows
    )
    places_of = {"title": title, "name": name_treatment(reference), "rows": listed}
    return Drawing(
        figure, title, t("network.forest_alt", **places_of), t("network.forest_caption"), wide=True
    )


def _find_limits(ends: Array, ratio: bool) -> tuple[float, float]:
    ends = ends[np.isfinite(ends) & ((ends > 0) if ratio else True)]
    reach = np.log(ends) if ratio else ends
    pad = 0.12 * max(float(np.ptp(reach)), 1e-6)
    low, high = float(reach.min() - pad), float(reach.max() + pad)
    return (float(np.exp(low)), float(np.exp(high))) if ratio else (low, high)


def _span(limits: tuple[float, float], ratio: bool) -> float:
    low, high = np.log(limits) if ratio else limits
    return float(high - low)


def _draw_interval(axes: Any, y: float, row: tuple[float, ...], limits: tuple[float, float]) -> Any:
    """Draw an estimate with both intervals; an arrow where one goes beyond the axis."""
    value, low, high, pi_low, pi_high = row
    for a, b, width, colour in ((pi_low, pi_high, 1.0, ORANGE), (low, high, 2.4, INK)):
        if not np.isfinite([a, b]).all():
            continue
        dashes = {"linestyle": (0, (3, 2))} if colour == ORANGE else {}
        axes.plot(np.clip([a, b], *limits), [y, y], color=colour, linewidth=width, **dashes)
        for outside, x, way in ((a < limits[0], limits[0], "<"), (b > limits[1], limits[1], ">")):
            if outside:
                axes.plot([x], [y], way, color=colour, markersize=5, clip_on=False)
    (mark,) = axes.plot([value], [y], "s", color=BLUE, markeredgecolor=INK, markersize=6)
    return mark


def _write_head(axes: Any, side: float, shift: float, align: str, lines: list[str]) -> None:
    axes.annotate(
        "\n".join(lines), (side, 1), xycoords="axes fraction", xytext=(shift, 6),
        textcoords="offset points", ha=align, va="bottom", fontsize=8.5, fontweight="bold",
        annotation_clip=False,
    )  # fmt: skip


def draw_heat(found: nma.Inconsistency, title: str) -> Drawing:
    """Draw the net heat plot: how designs pull on the network, and where they disagree.

    Parameters
    ----------
    found
        From :func:`headway.meta.network.check_consistency`.
    title
        Text.

    Notes
    -----
    Krahn, Binder and König (2013): the area of a grey square is the share that the column's direct
    effect has in the row's network estimate; the colour is by how much the row's inconsistency
    falls where the column's design is set free.
    """
    reach = np.abs(found.heat).max(axis=0) + np.abs(found.heat).max(axis=1)
    shown = np.sort(np.argsort(-reach, kind="stable")[:MOST_ROWS])
    hat, heat = found.hat[np.ix_(shown, shown)], found.heat[np.ix_(shown, shown)]
    rows = [found.rows[i] for i in shown]
    names, key = _name_rows(rows, found)
    n = len(rows)
    cell = min(0.62, max(0.27, 5.0 / n))
    wide = max(fonts.measure(name, 8) for name in names) + 0.3
    head = fonts.wrap(title, wide + n * cell + 0.6, 10, bold=True)
    top = 0.1 + 0.17 * len(head) + wide
    width, height = wide + n * cell + 0.8, n * cell + top + 0.3
    with theme.style():
        figure = theme.new_figure(max(width, 4.2), height)
        across = max(width, 4.2)
        axes = figure.add_axes((wide / across, 0.2 / height, n * cell / across, n * cell / height))
        _draw_cells(axes, hat, heat)
        axes.set_xlim(-0.5, n - 0.5)
        axes.set_ylim(n - 0.5, -0.5)
        theme.quiet(axes)
        for i, name in enumerate(names):
            axes.text(-0.65, i, name, ha="right", va="center", size=8)
            axes.text(i, -0.65, name, ha="center", va="bottom", size=8, rotation=90)
        figure.text(0.01, 1 - 0.08 / height, "\n".join(head), fontweight="bold", va="top", size=10)
    most = divmod(int(np.argmax(heat)), n)
    places: dict[str, Any] = {"title": title, "row": names[most[0]], "column": names[most[1]]}
    places["heat"] = float(heat[most])
    caption = t("network.heat_caption")
    if n < len(found.rows):
        caption += " " + t("network.heat_most", n=n, of=len(found.rows))
    if key:
        caption += " " + t("network.heat_key", names=key)
    return Drawing(figure, title, t("network.heat_alt", **places, key=key), caption, wide=True)


def _draw_cells(axes: Any, hat: Array, heat: Array) -> None:
    """Draw colour by heat with a number or a sign, and grey squares by the hat matrix.

    Squares of a look are one path, so that a page stays small.
    """
    n = len(heat)
    shade = np.abs(heat) / max(float(np.abs(heat).max()), 1e-12)
    step = np.ceil(shade * SHADES).astype(int)
    for colour, way in ((ORANGE, heat > 0), (BLUE, heat < 0)):
        for level in range(1, SHADES + 1):
            cells = np.argwhere(way & (step == level))
            _draw_squares(axes, cells, np.ones(len(cells)), colour, 0.85 * level / SHADES)
    ends = np.arange(n + 1) - 0.5
    axes.hlines(ends, -0.5, n - 0.5, color=FAINT, linewidth=0.5)
    axes.vlines(ends, -0.5, n - 0.5, color=FAINT, linewidth=0.5)
    cells = np.argwhere(np.abs(hat) > 0.005)
    sides = 0.92 * np.sqrt(np.minimum(np.abs(hat[tuple(cells.T)]), 1.0))
    _draw_squares(axes, cells, sides, "#b9c0c6", 0.8)
    if n <= MOST_NUMBERED:
        for i, j in np.argwhere(np.abs(heat) >= 0.05):
            axes.text(j, i, write_number(heat[i, j], 1), ha="center", va="center", size=7.5)
        return
    for mark, way in (("+", heat > 0), ("_", heat < 0)):
        y, x = np.nonzero(way & (shade > 0.1))
        axes.plot(x, y, mark, color=INK, markersize=5, linestyle="none")


def _draw_squares(axes: Any, cells: Any, sides: Array, colour: str, alpha: float) -> None:
    """Draw squares in cells (row, column) as one path."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if not len(cells):
        return
    corner = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5)])
    points = np.vstack([(j, i) + side * corner for (i, j), side in zip(cells, sides, strict=True)])
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(cells)
    axes.add_patch(PathPatch(Path(points, codes), facecolor=colour, alpha=alpha, edgecolor="none"))


def _name_rows(
    rows: Sequence[tuple[int, str, str]], found: nma.Inconsistency
) -> tuple[list[str], list[str]]:
    """Name rows by their treatments, or by numbers with a key where names are long."""
    several = [len(design) > 2 for design in found.designs]
    sign = {number: "*" if several[number] else "" for number, _, _ in rows}
    plain = [
        t("network.versus", one=name_treatment(a), other=name_treatment(b)) + sign[number]
        for number, a, b in rows
    ]
    if max(map(len, plain)) <= MOST_NAMED:
        return plain, []
    codes = sorted({code for design in found.designs for code in design})
    place = {code: i + 1 for i, code in enumerate(codes)}
    short = [f"{place[a]} : {place[b]}{sign[number]}" for number, a, b in rows]
    return short, [f"{i} {name_treatment(code)}" for code, i in place.items()]


def draw_funnel(points: nma.Funnel, network: nma.Network, unit: str, title: str) -> Drawing:
    """Draw trials about the mean of their comparison, later treatments to the right.

    Parameters
    ----------
    points
        From :func:`headway.meta.network.adjust_funnel`.
    network
        What it was made of.
    unit, title
        Texts.
    """
    pairs = list(zip(points.treatment.tolist(), points.base.tolist(), strict=True))
    kinds = list(dict.fromkeys(pairs))
    told = len(kinds) <= len(SHAPES)
    bottom = 1.08 * float(points.se.max())
    reach = max(1.1 * float(np.abs(points.adjusted).max()), 2.1 * bottom)
    labels = []
    for one, other in kinds:
        names = network.treatments
        text = t(
            "network.versus", one=name_treatment(names[one]), other=name_treatment(names[other])
        )
        labels.append("\n".join(fonts.wrap(text, 2.9, 8.5)))
    lines = sum(1 + label.count("\n") for label in labels) if told else 0
    below = 0.75 + 0.17 * (lines + 1) / 2 if told else 0.6
    head = fonts.wrap(title, 6.2, 10, bold=True)
    top = 0.2 + 0.17 * len(head)
    height = 3.6 + below + top
    with theme.style():
        figure = theme.new_figure(6.4, height)
        axes = figure.add_axes((0.13, below / height, 0.83, 3.5 / height))
        figure.text(0.02, 1 - 0.08 / height, "\n".join(head), fontweight="bold", va="top", size=10)
        depth = np.array([0.0, bottom])
        axes.axvline(0, color=BLUE, linewidth=1.0)
        for sign in (-1, 1):
            axes.plot(sign * 1.96 * depth, depth, color=BLUE, linestyle="--", linewidth=1.0)
        for number, kind in enumerate(kinds):
            own = np.array([pair == kind for pair in pairs])
            (marks,) = axes.plot(
                points.adjusted[own], points.se[own], SHAPES[number] if told else "o",
                color=INK if number % 2 == 0 else "white", markeredgecolor=INK, markersize=6,
                linestyle="none", label=labels[number] if told else None,
            )  # fmt: skip
            trials = [network.trials[i] for i in network.trial[points.row[own]]]
            theme.tip(axes, marks, trials)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(bottom, 0)
        axes.set_xlabel(t("network.funnel_x", unit=unit))
        axes.set_ylabel(t("network.standard_error"))
        if told:
            figure.legend(loc="lower center", ncols=2, frameon=False, fontsize=8.5)
        theme.write_commas(figure)
    right = int((points.adjusted > 0).sum())
    alt = t("network.funnel_alt", title=title, n=len(pairs), right=right, left=len(pairs) - right)
    return Drawing(figure, title, alt, t("network.funnel_caption"))


def list_drawings(
    tables: Mapping[str, pd.DataFrame], network: Network
) -> dict[str, tuple[Any, ...]]:
    """List the figures of a network: name -> what draws it and what it is given.

    Parameters
    ----------
    tables
        networks, network_effects, network_pairs, network_ranks.
    network
        Its entry in review.yaml.
    """
    whole = tables["networks"]
    whole = whole[whole["network"].eq(network.id) & whole["state"].eq("pooled")]
    if not len(whole):
        return {}
    row = whole.iloc[0]
    pairs = tables["network_pairs"]
    pairs = pairs[pairs["network"].eq(network.id)]
    ranks = tables["network_ranks"]
    ranks = ranks[ranks["network"].eq(network.id)]
    first = ranks["treatment"].ne(row["reference"])
    ranks = ranks.assign(first=first).sort_values(["first", "treatment"])
    made = read_network(tables["network_effects"], network.id)
    if made is None:
        return {}
    entry = MEASURES[network.measure]
    unit = say(name_unit(entry.unit or row["unit"]))
    shown = unit if entry.unit else f"{network.measure}, {unit}"
    label = network.label
    out: dict[str, tuple[Any, ...]] = {
        f"network_{network.id}": (draw_graph, ranks, pairs, t("network.graph", label=label)),
        f"network_forest_{network.id}": (
            _draw_forest_of, pairs, network, row, shown, t("network.forest", label=label),
        ),
    }  # fmt: skip
    found = nma.check_consistency(made)
    if found.inconsistency.df > 0:
        title = t("network.heat", label=label)
        out[f"network_heat_{network.id}"] = (draw_heat, found, title)
    if network.order and sorted(network.order) == sorted(made.treatments):
        points = nma.adjust_funnel(made, network.order)
        if len(points.adjusted):
            title = t("network.funnel", label=label)
            out[f"network_funnel_{network.id}"] = (draw_funnel, points, made, shown, title)
    return out


def _draw_forest_of(
    pairs: pd.DataFrame, network: Network, row: Any, unit: str, title: str
) -> Drawing:
    return draw_forest(
        pairs, network, row["reference"], unit, title=title, level=float(row["level"])
    )
