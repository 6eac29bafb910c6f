"""Where a mark is drawn is a number too: read back from the SVG, it is the one that was released.

Scales are read from ticks and their labels, marks from lines, bars and bands; nothing is taken
from the code that drew them.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headway.disclosure import choose_preset, release
from headway.figures import theme
from headway.figures.clinic.draw import draw_clinic
from tests.unit.small_clinics import small_clinic

CLINIC = 8  # of the small clinics one that has all of these figures
RULES = choose_preset("opensafely")
# Figure -> table, and its columns that are drawn on the vertical axis.
DRAWN = {
    "change_frequency": (
        ("window_means", ("mean", "ci_low", "ci_high")),
        ("change_histogram", ("n",)),
    ),
    "months": (("control_chart", ("value", "centre", "low", "high")),),
    "funnel": (("funnel", ("difference", "target", "low_95", "high_95", "low_998", "high_998")),),
    "relapse": (("relapse_curve", ("survival", "lowest", "highest", "ci_low", "ci_high")),),
}
SVG = "{http://www.w3.org/2000/svg}"
CORNER = re.compile(r"[MLC] (?:-?[\d.]+ -?[\d.]+ )*?-?[\d.]+ (-?[\d.]+)(?=\s|$)")
FAR = 0.05  # points: places are written to a hundredth


def list_axes(svg: str) -> list[ET.Element]:
    """List the axes of a figure."""
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    groups = ET.fromstring(svg, parser).iter(f"{SVG}g")
    return [g for g in groups if re.search(r"(^|-)axes_\d+$", g.get("id", ""))]


def read_heights(group: ET.Element) -> list[float]:
    """Read the heights of all corners and marks of a group, in points."""
    shapes = {id(p) for defs in group.iter(f"{SVG}defs") for p in defs.iter()}
    paths = [p.get("d", "") for p in group.iter(f"{SVG}path") if id(p) not in shapes]
    ys = [y for d in paths for y in CORNER.findall(" ".join(d.split()))]
    return [float(y) for y in ys] + [float(u.get("y", "nan")) for u in group.iter(f"{SVG}use")]


def read_marks(axes: ET.Element) -> Iterator[tuple[float, float]]:
    """Read the height of every corner and mark within the axes: as a number, and how exact."""
    named = {g.get("id", "").rsplit("-", 1)[-1]: g for g in axes if isinstance(g.tag, str)}
    ticks = []
    scale = next(g for name, g in named.items() if name.startswith("matplotlib.axis_") and any(
        "ytick" in t.get("id", "") for t in g))  # fmt: skip
    for tick in scale:
        label = next((c.text for c in tick.iter(ET.Comment)), None)
        if "ytick" in tick.get("id", "") and label:
            y = next(u.get("y") for u in tick.iter(f"{SVG}use") if u.get("y"))
            ticks.append((float(y or "nan"), float(label.strip().replace("−", "-"))))
    (y0, v0), (y1, v1) = ticks[0], ticks[-1]
    a_point = (v1 - v0) / (y1 - y0)
    frame = read_heights(next(iter(named.values())))
    top, bottom = min(frame), max(frame)
    marks = [g for name, g in named.items() if not re.match(r"matplotlib|text|legend", name)]
    for y in (y for group in marks for y in read_heights(group)):
        if top + FAR < y < bottom - FAR:
            yield v0 + (y - y0) * a_point, FAR * abs(a_point)


@cache
def printed() -> dict[str, pd.DataFrame]:
    return release(small_clinic(CLINIC)[1], RULES)


@cache
def saved(folder: Path, source: str) -> dict[str, str]:
    """Draw the clinic's figures from its released tables, or from those that nobody released."""
    clinic, found = small_clinic(CLINIC)
    shown = printed()
    if source == "unreleased":
        names = [table for tables in DRAWN.values() for table, _ in tables]
        shown = shown | {name: found[name] for name in names}
    clinic = replace(clinic, disclosure="opensafely", synthetic=False)
    drawings = draw_clinic(shown, clinic, RULES)
    made = theme.save({name: drawings[name] for name in DRAWN}, folder / source)
    return {drawing.name: drawing.svg for drawing in made}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("figures")


def find_others(name: str, svg: str) -> tuple[int, list[float]]:
    """Count the marks of a figure, and list those that stand at no released number."""
    released: list[float] = [0.0]
    for table, columns in DRAWN[name]:
        frame: pd.DataFrame = printed()[table]
        scale = 100 if name == "relapse" else 1
        for column in columns:
            released += [scale * v for v in frame[column].dropna()]
        if table == "change_histogram":  # a hidden bar has one height, whatever it hides
            released.append(0.12 * frame.loc[~frame["redacted"], "n"].max())
            own = frame[(frame["outcome"] == "frequency") & (frame["comparison"] == "primary")]
            released.append(0.12 * own.loc[~own["redacted"], "n"].max())
    marks = [mark for axes in list_axes(svg) for mark in read_marks(axes)]
    known = np.array(released)
    return len(marks), [v for v, near in marks if np.abs(known - v).min() > near]


@pytest.mark.parametrize("name", DRAWN)
def test_every_mark_stands_at_a_released_number(name: str, folder: Path) -> None:
    count, others = find_others(name, saved(folder, "released")[name])
    assert count >= 2
    assert others == []


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_of_unreleased_numbers_is_told(name: str, folder: Path) -> None:
    assert find_others(name, saved(folder, "unreleased")[name])[1]
