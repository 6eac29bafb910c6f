"""Figures draw what the tables say, alike on every run, and hide what is hidden."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headway import config
from headway.figures import theme
from headway.figures.clinic import draw as clinic_figures
from headway.figures.review import draw as review_figures
from headway.figures.review import forest
from headway.figures.theme import Drawing
from headway.outcomes.expectation.verdict import read_verdict
from tests.unit.drawn import hold_apart
from tests.unit.pages_builder import RAW, released, review

REVIEWS = sorted(
    source.name for source in config.find_sources(RAW.parent, "trials") if source.ready
)


def find_polygon(figure: object) -> np.ndarray:
    patches = [p for axes in figure.axes for p in axes.patches]  # type: ignore[attr-defined]
    return patches[-1].get_xy()


def test_the_diamond_stands_where_the_table_says() -> None:
    document, tables = review("lee_done_2004_acupoint")
    drawn = review_figures.draw_review(tables, document)["forest_nausea"]
    row = tables["pooled"].query("declared").iloc[0]
    xy = find_polygon(drawn.figure)
    assert np.isclose(xy[:, 0].min(), np.exp(row["ci_low"]))
    assert np.isclose(xy[:, 0].max(), np.exp(row["ci_high"]))
    middle = xy[np.argmax(xy[:, 1]), 0]
    assert np.isclose(middle, np.exp(row["estimate"]))


def test_every_trial_is_a_square_at_its_effect_with_area_by_weight() -> None:
    document, tables = review("lee_done_2004_acupoint")
    drawn = review_figures.draw_review(tables, document)["forest_nausea"]
    squares = [
        line for axes in drawn.figure.axes for line in axes.lines if line.get_marker() == "s"
    ]
    effects = tables["effects"]
    assert len(squares) == len(effects) == 16
    assert np.allclose([s.get_xdata()[0] for s in squares], np.exp(effects["yi"]))
    order = np.argsort(effects["weight"].to_numpy(), kind="stable")
    sizes = np.array([s.get_markersize() for s in squares])
    assert (np.diff(sizes[order]) >= -1e-12).all()


def test_rows_that_are_not_pooled_are_open_circles_with_their_reason() -> None:
    document, tables = review("acupuncture_headache")
    drawn = review_figures.draw_review(tables, document)["forest_usual_care"]
    circles = [
        line for axes in drawn.figure.axes for line in axes.lines if line.get_marker() == "o"
    ]
    rest = tables["effects"].query("comparison == 'usual_care' and not pooled")
    assert len(circles) == rest["yi"].notna().sum() > 0
    texts = " ".join(t.get_text() for axes in drawn.figure.axes for t in axes.texts)
    for reason in ("another time point is pooled", "recalled", "no estimate"):
        assert reason in texts


def test_one_trial_has_no_diamond_and_says_so() -> None:
    document, tables = review("manual_therapy_headache")
    drawn = review_figures.draw_review(tables, document)["forest_frequency_active"]
    assert not [p for axes in drawn.figure.axes for p in axes.patches]
    texts = " ".join(t.get_text() for axes in drawn.figure.axes for t in axes.texts)
    assert "one trial, not pooled" in texts


@pytest.mark.parametrize("name", REVIEWS)
def test_no_text_of_a_forest_plot_leaves_the_figure_or_meets_another(name: str) -> None:
    document, tables = review(name)
    for drawn in review_figures.draw_review(tables, document).values():
        hold_apart(drawn.figure)


def test_a_long_forest_stays_legible() -> None:
    document, tables = review("lee_done_2004_acupoint")
    effects = pd.concat([tables["effects"]] * 3, ignore_index=True)
    drawn = forest.draw_forest(
        effects, tables["pooled"].query("declared"), document.comparisons[0]
    )[0]
    assert drawn.figure.get_size_inches()[1] > 48 * forest.ROW


@pytest.mark.parametrize("name", REVIEWS)
def test_alt_texts_hold_the_numbers(name: str) -> None:
    document, tables = review(name)
    for key, drawn in review_figures.draw_review(tables, document).items():
        if key.startswith("forest_"):
            own = tables["effects"].query(f"comparison == '{key[7:]}' and pooled")
            for trial in own["trial"]:
                assert trial in drawn.alt
        assert len(drawn.alt) > 60
        assert len(drawn.caption) > 20


def test_published_results_and_their_combination_are_drawn_apart() -> None:
    document, tables = review("falsiroli_maistrello_2018")
    drawn = review_figures.draw_review(tables, document)
    assert set(drawn) == {"published_frequency", "published_intensity", "published_duration"}
    assert "−2.53 [−3.40, −1.65]" in drawn["published_frequency"].alt
    assert "not the paper’s analysis" in drawn["published_frequency"].caption


def test_a_clinics_means_and_bins_are_those_released() -> None:
    clinic, tables, rules = released("demo")
    drawn = clinic_figures.draw_clinic(tables, clinic, rules)
    assert list(drawn)[:2] == ["change_frequency", "responders_frequency"]
    left, right = drawn["change_frequency"].figure.axes
    means = tables["window_means"].query("outcome == 'frequency' and comparison == 'primary'")
    line = next(ln for ln in left.lines if ln.get_marker() == "o")
    assert np.allclose(line.get_ydata(), means.sort_values("order")["mean"])
    bins = tables["change_histogram"].query("outcome == 'frequency' and comparison == 'primary'")
    assert [p.get_height() for p in right.patches] == bins["n"].tolist()
    people = [ln for ln in left.lines if ln.get_linewidth() == 0.6]
    assert len(people) == 75


def test_no_persons_line_is_drawn_where_it_is_not_released() -> None:
    clinic, tables, rules = released("demo", "opensafely")
    left, _ = clinic_figures.draw_clinic(tables, clinic, rules)["change_frequency"].figure.axes
    assert not [ln for ln in left.lines if ln.get_linewidth() == 0.6]


def test_hidden_numbers_are_neither_drawn_nor_told() -> None:
    clinic, tables, rules = released("demo", "opensafely")
    rows = tables["cohort"].query("primary and statistic == 'responders_75'")
    assert rows["redacted"].all()  # 5 of 75
    drawn = clinic_figures.draw_clinic(tables, clinic, rules)["responders_frequency"]
    assert "improved by at least 75 %: hidden." in drawn.alt
    widths = [p.get_width() for p in drawn.figure.axes[0].patches]
    assert len(widths) == 4
    assert widths[2] == 100  # the whole axis, whatever the number


@pytest.mark.parametrize(
    ("preset", "mark"), [("", "SYNTHETIC"), ("internal", "INTERNAL"), ("opensafely", "")]
)
def test_synthetic_and_internal_figures_are_stamped(preset: str, mark: str) -> None:
    clinic, tables, rules = released("demo", preset)
    for drawn in clinic_figures.draw_clinic(tables, clinic, rules).values():
        stamps = [t.get_text() for t in drawn.figure.texts]
        assert any(mark in s for s in stamps) if mark else not {"SYNTHETIC", "INTERNAL"} & {*stamps}
        assert drawn.alt.startswith(mark)


def test_nothing_to_draw_is_no_figure() -> None:
    clinic, tables, rules = released("demo")
    nothing = {n: t.iloc[:0] for n, t in tables.items()}
    assert clinic_figures.draw_clinic(nothing, clinic, rules) == {}


def test_places_are_rounded_to_a_hundredth_and_scales_are_not() -> None:
    svg = (
        '<g transform="translate(72.716151 247.803473) scale(0.015625 -0.09)">'
        '<path d="M 2253 4666.123456 L -0.001 1.5" style="stroke-width: 1.123456"/>'
        '<use x="107.090526" y="233.064"/></g>'
    )
    assert theme._round_places(svg) == (
        '<g transform="translate(72.72 247.8) scale(0.015625 -0.09)">'
        '<path d="M 2253 4666.12 L -0 1.5" style="stroke-width: 1.123456"/>'
        '<use x="107.09" y="233.06"/></g>'
    )


def test_the_range_of_a_clinics_benchmark_is_that_of_the_table() -> None:
    clinic, tables, rules = released("demo")
    row, said = tables["expected"].iloc[0], read_verdict(tables["expected"])
    assert (row["range_low"], row["range_high"]) == (said.low, said.high)
    axes = clinic_figures.draw_clinic(tables, clinic, rules)["benchmark"].figure.axes[1]
    band = axes.patches[0]
    assert np.isclose(band.get_x(), said.low)
    assert np.isclose(band.get_x() + band.get_width(), said.high)
    # One source withheld, none drawn: the range would say where it lies.
    hidden = {**tables, "expected": tables["expected"].assign(range_low=np.nan, range_high=np.nan)}
    axes = clinic_figures.draw_clinic(hidden, clinic, rules)["benchmark"].figure.axes[1]
    assert not [p for p in axes.patches if p.get_hatch() == "//"]


def test_further_figures_are_drawn_only_where_there_is_something_to_show() -> None:
    clinic, tables, rules = released("demo")
    names = set(clinic_figures.draw_clinic(tables, clinic, rules))
    assert {"sensitivity", "cost_USD_1", "cost_USD_2", "funnel", "months"} <= names
    for table, gone in (
        ("sensitivity", {"sensitivity"}),
        ("cost_plane", {"cost_USD_1", "cost_USD_2"}),
        ("funnel", {"funnel"}),
        ("control_chart", {"months"}),
    ):
        without = {**tables, table: tables[table].iloc[:0]}
        assert set(clinic_figures.draw_clinic(without, clinic, rules)) == names - gone
    hidden = {**tables, "control_chart": tables["control_chart"].copy()}
    hidden["control_chart"].loc[hidden["control_chart"]["chart"] == "lost", "value"] = np.nan
    months = clinic_figures.draw_clinic(hidden, clinic, rules)["months"]
    assert len(months.figure.axes) == 2 and "without a change" not in months.alt


def test_inlined_figures_share_no_identifier(tmp_path: Path) -> None:
    clinic, tables, rules = released("demo")
    saved = theme.save(clinic_figures.draw_clinic(tables, clinic, rules), tmp_path)
    ids = re.findall(r'\bid="([^"]+)"', "".join(s.svg for s in saved))
    assert len(ids) == len(set(ids)) > 20
    for one in saved:
        own = set(re.findall(r'\bid="([^"]+)"', one.svg))
        used = set(re.findall(r'(?:href="|url\()#([^")]+)', one.svg))
        assert used <= own
        assert 'role="img"' in one.svg
        assert (tmp_path / f"{one.name}.png").stat().st_size > 1000


SCRIPT = """
import sys
from pathlib import Path
from headway.figures import theme
from headway.figures.clinic import draw as clinic
from headway.figures.review import draw as review
from tests.unit.pages_builder import released, review as read_review
document, tables = read_review("lee_done_2004_acupoint")
theme.save(review.draw_review(tables, document), Path(sys.argv[1]))
settings, tables, rules = released("kostecki_dillon_1999")
theme.save(clinic.draw_clinic(tables, settings, rules), Path(sys.argv[1]))
"""


def test_figures_are_the_same_bytes_in_another_process(tmp_path: Path, repo_root: Path) -> None:
    hashes = []
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": f"src{os.pathsep}."}
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / seed)],
            check=True,
            cwd=repo_root,
            env=environment,
        )
        hashes.append(
            {
                p.name: hashlib.sha256(p.read_bytes()).hexdigest()
                for p in (tmp_path / seed).iterdir()
            }
        )
    assert len(hashes[0]) == 18
    assert hashes[0] == hashes[1]


def test_a_name_is_drawn_as_it_is_typed(tmp_path: Path) -> None:
    """Two dollar signs would open mathematics, which a name is not, and end the build."""
    with theme.style():
        figure = theme.new_figure(3.0, 1.0)
        text = figure.text(0.1, 0.5, r"Smith $\frac{1$ 2001 _a_ <b>")
    saved = theme.save({"one": Drawing(figure, "a", "b", "c")}, tmp_path)
    assert (tmp_path / f"{saved[0].name}.png").stat().st_size > 1000
    assert text.get_text() == r"Smith $\frac{1$ 2001 _a_ <b>"
