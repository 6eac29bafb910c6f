"""Figures of the engine: nothing leaves the canvas, nothing meets, the alt text has the numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from headway import meta
from headway.figures import specifications as curves
from headway.figures import theme
from headway.figures.review import bubbles, refits, studies
from headway.figures.theme import Drawing

# The BCG vaccine trials (Colditz et al. 1994): log risk ratios and variances to four digits.
YI = np.array([-0.8893, -1.5854, -1.3481, -1.4416, -0.2175, -0.7861, -1.6209,
               0.0120, -0.4694, -1.3713, -0.3394, 0.4459, -0.0173])  # fmt: skip
VI = np.array([0.3256, 0.1946, 0.4154, 0.0200, 0.0512, 0.0069, 0.2230,
               0.0040, 0.0564, 0.0730, 0.0124, 0.5325, 0.0714])  # fmt: skip
NAMES = [f"Trial {i} of the nineteen-{40 + i}s" for i in range(13)]
LATITUDE = np.array([44, 55, 42, 52, 13, 44, 19, 13, 27, 42, 18, 33, 33], dtype=float)


def draw_funnel(y: np.ndarray, v: np.ndarray, names: list[str]) -> Drawing:
    filled = (np.array([0.3]), np.array([0.4]))
    estimate = meta.pool(y, v).estimate
    return studies.draw_funnel(y, v, float(estimate), filled=filled, x_label="log risk ratio")


def draw_radial(y: np.ndarray, v: np.ndarray, names: list[str]) -> Drawing:
    return studies.draw_radial(y, v, float(meta.pool(y, v).estimate))


def draw_baujat(y: np.ndarray, v: np.ndarray, names: list[str]) -> Drawing:
    return studies.draw_baujat(*meta.baujat(y, v), names)


def draw_labbe(y: np.ndarray, v: np.ndarray, names: list[str]) -> Drawing:
    risk2 = np.linspace(0.05, 0.6, y.size)
    risk1 = np.clip(risk2 * np.exp(y), 0, 1)
    return studies.draw_labbe(risk1, risk2, 1 / v, measure="RR", estimate=-0.7)


def draw_bubbles(y: np.ndarray, v: np.ndarray, names: list[str]) -> Drawing:
    x = np.resize(LATITUDE, y.size) + np.arange(y.size) / 10
    fit = meta.regress(y, v, {"latitude": x})
    grid = np.linspace(x.min(), x.max(), 21)
    p = fit.predict({"latitude": grid})
    return bubbles.draw_bubbles(
        x, y, fit.weights, line=(grid, p.estimate, p.ci_low, p.ci_high),
        prediction=(p.pi_low, p.pi_high), title="Effects and latitude", x_label="latitude",
    )  # fmt: skip


def draw_influence(y: np.ndarray, v: np.ndarray, names: list[str]) -> Drawing:
    found = meta.influence(y, v)
    columns = {"rstudent": found.rstudent, "DFFITS": found.dffits, "hat": found.hat}
    return studies.draw_influence(columns, names, found.influential)


def draw_left_out(y: np.ndarray, v: np.ndarray, names: list[str]) -> Drawing:
    fit, whole = meta.leave_one_out(y, v), meta.pool(y, v)
    return refits.draw_refits(
        [f"without {name}" for name in names], fit.estimate, fit.ci_low, fit.ci_high,
        (whole.estimate, whole.ci_low, whole.ci_high), title="Leaving one out",
        columns={"I²": [f"{x:.0f} %" for x in fit.i2]},
    )  # fmt: skip


def draw_cumulative(y: np.ndarray, v: np.ndarray, names: list[str]) -> Drawing:
    fit, whole = meta.cumulate(y, v), meta.pool(y, v)
    return refits.draw_refits(
        [f"and {name}" for name in names], fit.estimate, fit.ci_low, fit.ci_high,
        (whole.estimate, whole.ci_low, whole.ci_high), title="Adding one",
    )  # fmt: skip


def draw_gosh(y: np.ndarray, v: np.ndarray, names: list[str]) -> Drawing:
    found = meta.gosh(y[:12], v[:12], method="DL")
    return refits.draw_gosh(found.estimate, found.i2, without=~found.members[:, 0], name=names[0])


def draw_specifications(y: np.ndarray, v: np.ndarray, names: list[str]) -> Drawing:
    found = meta.explore_multiverse([meta.Effects({"measure": "RR"}, y, v, "log risk ratio")])
    listed = [f for f in found.choices if f != "left out" or y.size < 10]
    return curves.draw_specifications(
        {factor: found.choices[factor].tolist() for factor in listed},
        found.estimate, found.ci_low, found.ci_high,
        title="Every way to analyse: acupuncture v usual care or waiting list, headache days",
    )  # fmt: skip


DRAW: dict[str, Callable[[np.ndarray, np.ndarray, list[str]], Drawing]] = {
    "funnel": draw_funnel,
    "radial": draw_radial,
    "baujat": draw_baujat,
    "labbe": draw_labbe,
    "bubbles": draw_bubbles,
    "influence": draw_influence,
    "leave-one-out": draw_left_out,
    "cumulative": draw_cumulative,
    "gosh": draw_gosh,
    "specifications": draw_specifications,
}


def find_texts(drawing: Drawing) -> tuple[list, object]:
    canvas = FigureCanvasAgg(drawing.figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    texts = list(drawing.figure.texts)
    for legend in drawing.figure.legends:
        texts += legend.get_texts()
    for axes in drawing.figure.axes:
        texts += [*axes.texts, axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            texts += [
                tick.label1
                for tick in axis.get_major_ticks()
                if low <= tick.get_loc() <= high and axes.axison
            ]
    return [t for t in texts if t.get_text().strip() and t.get_visible()], renderer


def assert_legible(drawing: Drawing) -> None:
    texts, renderer = find_texts(drawing)
    whole = drawing.figure.bbox
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in texts]
    for words, box in boxes:
        inside = box.x0 >= whole.x0 - 1 and box.x1 <= whole.x1 + 1
        assert inside and box.y0 >= whole.y0 - 1 and box.y1 <= whole.y1 + 1, words
    for i, (words, box) in enumerate(boxes):
        # Boxes hold a margin above and below the letters.
        small = box.padded(-1.5)
        for other, there in boxes[i + 1 :]:
            assert not small.overlaps(there.padded(-1.5)), (words, other)


@pytest.mark.parametrize("name", DRAW)
@pytest.mark.parametrize("k", [3, 13])
def test_no_text_leaves_the_canvas_or_meets_another(name: str, k: int) -> None:
    assert_legible(DRAW[name](YI[:k], VI[:k], NAMES[:k]))


@pytest.mark.parametrize("name", ["influence", "leave-one-out", "cumulative", "funnel", "baujat"])
def test_long_lists_stay_legible(name: str) -> None:
    rng = np.random.default_rng(2)
    v = rng.uniform(0.01, 0.4, 100)
    y = rng.normal(-0.3, np.sqrt(v + 0.05))
    assert_legible(DRAW[name](y, v, [f"Author {i} 19{i:02d}" for i in range(100)]))


@pytest.mark.parametrize("name", DRAW)
def test_effects_without_spread_can_be_drawn(name: str) -> None:
    drawing = DRAW[name](np.full(4, 0.5) + 1e-9 * np.arange(4), np.full(4, 0.1), NAMES[:4])
    assert_legible(drawing)


@pytest.mark.parametrize("name", DRAW)
def test_alt_texts_hold_numbers_and_captions_say_how_to_read(name: str) -> None:
    drawing = DRAW[name](YI, VI, NAMES)
    assert any(character.isdigit() for character in drawing.alt)
    assert len(drawing.alt) > 60 and len(drawing.caption) > 40
    assert drawing.title and "nan" not in drawing.alt


def test_alt_texts_count_what_is_drawn() -> None:
    funnel = draw_funnel(YI, VI, NAMES)
    assert "13 trials, pooled effect −0.71" in funnel.alt and "added 1" in funnel.alt
    assert "fewer than ten" not in funnel.caption
    assert "fewer than ten" in draw_funnel(YI[:6], VI[:6], NAMES[:6]).caption
    assert "8 of them are significant" in funnel.alt
    assert (np.abs(YI) / np.sqrt(VI) > 1.96).sum() == 8
    left = draw_left_out(YI, VI, NAMES)
    assert "13 refits compared with all trials, −0.71" in left.alt
    assert "4,095 subsets" in draw_gosh(YI, VI, NAMES).alt
    curve = draw_specifications(YI, VI, NAMES)
    assert "140 specifications" in curve.alt and "declared −0.71" in curve.alt


def test_missing_refits_are_told_not_drawn() -> None:
    drawing = refits.draw_refits(
        ["a", "b"], [0.2, np.nan], [0.0, np.nan], [0.4, np.nan], (0.2, 0.0, 0.4), title="x"
    )
    texts, _ = find_texts(drawing)
    assert "not estimable" in [t.get_text() for t in texts]


def test_a_large_multiverse_is_thinned_and_says_so() -> None:
    rng = np.random.default_rng(1)
    n = 2000
    estimate = rng.normal(-0.4, 0.2, n)
    choices = {"measure": rng.choice(["RR", "OR", "RD"], n), "interval": rng.choice(["z", "t"], n)}
    drawing = curves.draw_specifications(choices, estimate, estimate - 0.3, estimate + 0.3)
    assert "2 000 specifications" in drawing.alt
    assert "Every 5th of 2 000 is drawn" in drawing.caption
    drawn = sum(
        len(line.get_xdata()) for line in drawing.figure.axes[0].lines if line.get_marker() in "so"
    )
    assert 390 < drawn < 420
    assert_legible(drawing)


def test_wrong_lengths_are_refused() -> None:
    for call in (
        lambda: studies.draw_funnel([1.0, 2.0], [1.0], 0.0),
        lambda: studies.draw_baujat([1.0], [1.0], []),
        lambda: curves.draw_specifications({"a": ["x"]}, [1.0, 2.0], [0.0, 1.0], [2.0, 3.0]),
        lambda: curves.draw_specifications({}, [], [], []),
        lambda: studies.draw_labbe([0.1], [0.2], [10], measure="IRR", estimate=0.0),
    ):
        with pytest.raises(ValueError, match=r"must hold|no specifications|measure must be"):
            call()


def test_figures_are_the_same_bytes_again(tmp_path: Path) -> None:
    first = theme.save({n: d(YI, VI, NAMES) for n, d in DRAW.items()}, tmp_path / "a")
    again = theme.save({n: d(YI, VI, NAMES) for n, d in DRAW.items()}, tmp_path / "b")
    assert [a.svg for a in first] == [b.svg for b in again]
