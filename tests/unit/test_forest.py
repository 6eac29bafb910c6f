"""Forest plots that a journal takes: every script, an axis cut to the bulk, lights, sums."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway import config, messages
from headway.effects.measures import MEASURES
from headway.errors import InputError
from headway.figures import fonts, theme
from headway.figures.review import draw, sheet
from headway.figures.review.sheet import Line, find_limits
from headway.ingest import trials
from headway.reviews.analyse import analyse_review
from tests.unit.drawn import hold_apart
from tests.unit.review_builder import write_review

HEAD = (
    "trial,year,arm,role,technique,comparator,outcome,unit,timepoint,time_days,kind,n,mean,sd,"
    "events,status,source,dose,subgroup\n"
)
NAMES = [
    "王小明 2011",
    "김철수 2012",
    "أحمد بن محمد 2013",
    "Παπαδόπουλος 2014",
    "A$b_c$ <d> \\e{1} 2015",
]
LONG = "The " + "Multicentre " * 9 + "Group 2016"
DIFFERENCE, RATIO = MEASURES["MD"].scale, MEASURES["RR"].scale


def write_arms(names: list[str], *, ratio: bool = False, wide: str = "") -> str:
    rows = []
    for i, name in enumerate(names):
        for role, arm in (("treatment", "massage"), ("control", "care")):
            treated = role == "treatment"
            kinds = "manual," if treated else ",usual_care"
            mean, sd = 10 - 2 * treated + 0.3 * (i % 4), 200 if name == wide else 4
            numbers = f"events,40,,,{4 + i % 5 + 6 * (not treated)}" if ratio else (
                f"final,40,{mean:.1f},{sd},")  # fmt: skip
            what = "pain,participants" if ratio else "frequency,days_per_28"
            rows.append(
                f'"{name}",{2001 + i % 20},{arm},{role},{kinds},{what},3 months,84,{numbers},'
                f"retrieved,T1,{i + 1} × 20 min,{'left' if i % 2 else 'right'}"
            )
    return HEAD + "\n".join(rows) + "\n"


def analyse(folder: Path) -> tuple[Any, dict[str, Any]]:
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    found = analyse_review(
        read.arms, read.contrasts, read.published, review, read.risk_of_bias, explore=False
    )
    own = {n: getattr(read, n) for n in ("arms", "contrasts", "published", "risk_of_bias")}
    return review, found | own


def make(tmp_path: Path, names: list[str], risk: str = "", **changes: Any) -> Any:
    ratio = changes.pop("ratio", False)
    files = {"arms.csv": write_arms(names, ratio=ratio, wide=changes.pop("wide", ""))}
    mapped = {"arms": {"path": "arms.csv"}}
    if risk:
        files["risk.csv"] = risk
        mapped["risk_of_bias"] = {"path": "risk.csv"}
    one = {"id": "main", "label": "Massage v care", "outcome": "frequency", "measure": "MD"}
    if ratio:
        one |= {"outcome": "pain", "measure": "RR"}
        changes["outcomes"] = {"pain": {"unit": "participants"}}
    one |= {"estimand": "between_arm", **changes.pop("comparison", {})}
    return analyse(write_review(tmp_path / "r", files, mapped, comparisons=[one], **changes))


def texts_of(figure: Any) -> list[str]:
    return [t.get_text() for axes in figure.axes for t in axes.texts] + [
        t.get_text() for t in figure.texts
    ]


@pytest.mark.parametrize("kind", ["risk_of_bias", "leave_one_out_main", "cumulative_main"])
def test_other_plots_hold_long_names_apart(tmp_path: Path, kind: str) -> None:
    names = [LONG, "W" * 120, NAMES[0]]
    risk = "trial,domain,judgement,signed_by\n" + "".join(
        f'"{name}",overall,high,AB\n' for name in names
    )
    review, tables = make(tmp_path, names, risk)
    hold_apart(draw.draw_review(tables, review)[kind].figure, most=3)


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_names_of_any_script_and_length_stand_apart(tmp_path: Path, language: str) -> None:
    risk = "trial,domain,judgement,signed_by\n" + "".join(
        f'"{name}",overall,high,AB\n' for name in NAMES
    )
    names = [*NAMES, LONG, "W" * 120]
    review, tables = make(tmp_path, names, risk, forest={"columns": ["dose", "year"]})
    with messages.speaking(language):
        figure = draw.draw_review(tables, review)["forest_main"].figure
    hold_apart(figure, most=3)
    assert any("A$b_c$ <d> \\e{1} 2015" in text for text in texts_of(figure))


def test_no_letter_is_drawn_as_a_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fonts, "_list_families", dict)
    review, tables = make(tmp_path, NAMES)
    drawn = draw.draw_review(tables, review)["forest_main"]
    with caplog.at_level(logging.WARNING):
        (saved,) = theme.save({"forest_main": drawn}, tmp_path / "figures")
    assert "No font on this machine has Chinese characters and Hangul: […]" in saved.caption
    assert "['CJK', 'HANGUL']" in caplog.text
    assert "王小明" in saved.alt
    assert not any("王" in text for text in texts_of(drawn.figure))


def test_a_script_that_a_font_holds_is_drawn_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_list_families", lambda: {"One": "one", "Two": "two"})
    held = {"one": "王", "two": "王小明"}
    monkeypatch.setattr(
        fonts, "_list_letters", lambda path: frozenset(map(ord, held.get(path, "Ab")))
    )
    assert fonts.find_families("王小明A") == (["Two"], set())
    assert fonts.find_families("王하") == (["One"], {"하"})


@given(st.text(alphabet="ab W王-", max_size=80), st.floats(0.5, 3))
@settings(max_examples=40, deadline=None)
def test_wrapped_text_keeps_its_letters_and_fits(text: str, inches: float) -> None:
    lines = fonts.wrap(text, inches, 9)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(fonts.measure(line, 9) <= inches + 1e-9 for line in lines)


def rows(values: list[tuple[float, float]]) -> list[Line]:
    return [Line("row", "x", value=v, low=v - h, high=v + h) for v, h in values]


def test_one_wide_interval_does_not_flatten_forty_trials() -> None:
    lines = rows([(-1 + 0.05 * i, 1.0) for i in range(40)] + [(0.0, 68.0)])
    low, high = find_limits(lines, DIFFERENCE)
    assert -6 < low < -2
    assert 2 < high < 6


def test_an_axis_is_not_cut_where_that_gains_little() -> None:
    lines = rows([(-1.0, 1.0), (0.0, 2.0), (1.0, 3.0)])
    low, high = find_limits(lines, DIFFERENCE)
    assert low < -2
    assert high > 4


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(0.01, 500)), min_size=1, max_size=30),
    st.floats(-50, 50),
)
@settings(max_examples=60, deadline=None)
def test_no_difference_and_what_is_pooled_are_always_within(
    values: list[tuple[float, float]], pooled: float
) -> None:
    lines = [*rows(values), Line("diamond", "all", value=pooled, low=pooled - 1, high=pooled + 1)]
    low, high = find_limits(lines, DIFFERENCE)
    assert low < min(0, pooled)
    assert high > max(0, pooled)
    ends = [x for v, h in values for x in (v - h, v + h)]
    assert low >= min(0, pooled - 1, *ends) - 0.07 * (high - low)


def test_what_leaves_the_axis_has_an_arrow_and_its_numbers(tmp_path: Path) -> None:
    names = [f"Trial {i}" for i in range(12)]
    review, tables = make(tmp_path, names, wide="Trial 3")
    figure = draw.draw_review(tables, review)["forest_main"].figure
    arrows = [ln for axes in figure.axes for ln in axes.lines if ln.get_marker() in "<>"]
    assert len(arrows) == 2
    row = tables["effects"].set_index("trial").loc["Trial 3"]
    assert any(f"{row['ci_high']:.2f}]" in text for text in texts_of(figure))


def test_ratios_have_a_log_axis_in_every_plot(tmp_path: Path) -> None:
    review, tables = make(tmp_path, [f"Trial {i}" for i in range(4)], ratio=True)
    drawn = draw.draw_review(tables, review)
    for name in ("forest_main", "leave_one_out_main", "cumulative_main"):
        assert "log" in [axes.get_xscale() for axes in drawn[name].figure.axes], name


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.004, "0.0040"), (0.0064, "0.0064"), (0.05, "0.050"), (0.98, "0.98"), (3e-9, "< 0.000001")],
)
def test_a_limit_of_a_ratio_is_never_0(value: float, written: str) -> None:
    assert theme.write_effect(value, ratio=True) == written
    with messages.speaking("de"):
        assert theme.write_effect(value, ratio=True) == written.replace(".", ",")


def test_limits_of_a_difference_have_equal_decimals() -> None:
    """A limit next to 0 is not 0, and does not stand out by its digits."""
    assert theme.write_interval(1.91, -0.0041, 3.82) == "1.910 [−0.004, 3.820]"
    assert theme.write_interval(1.9, -0.4, 3.8) == "1.90 [−0.40, 3.80]"
    assert theme.write_interval(float("nan"), -0.4, 3.8) == "[−0.40, 3.80]"
    assert theme.write_interval(0.5, 0.02, 12.0, ratio=True) == "0.50 [0.020, 12.00]"
    with messages.speaking("de"):
        assert theme.write_interval(1.91, -0.0041, 3.82) == "1,910 [−0,004; 3,820]"


@given(st.floats(1e-4, 1), st.floats(1.01, 1e4))
def test_ticks_of_ratios_are_few_and_within(low: float, factor: float) -> None:
    ticks = theme.find_ratio_ticks(low, low * factor)
    assert len(ticks) <= 6 or factor > 1e6
    assert all(low <= tick <= low * factor for tick in ticks)


def test_weights_of_subgroups_add_up_to_the_total(tmp_path: Path) -> None:
    review, tables = make(
        tmp_path, [f"Trial {i}" for i in range(6)], comparison={"subgroup_by": "subgroup"}
    )
    drawn = draw.draw_review(tables, review)["forest_main"]
    used = tables["effects"]
    shares = used.groupby("subgroup")["weight"].sum()
    assert math.isclose(shares.sum(), 100)
    texts = texts_of(drawn.figure)
    for share in shares:
        assert f"{share:.1f} %" in texts
    assert "100 %" in texts
    assert "Weights are percent of all trials" in drawn.caption


def test_model_and_tests_stand_in_the_plot(tmp_path: Path) -> None:
    review, tables = make(
        tmp_path, [f"Trial {i}" for i in range(6)], comparison={"subgroup_by": "subgroup"}
    )
    texts = texts_of(draw.draw_review(tables, review)["forest_main"].figure)
    row = tables["pooled"].query("declared and subgroup == 'overall'").iloc[0]
    t = row["estimate"] / row["se"]
    assert "Model: random effects, REML, Hartung–Knapp interval with ad hoc floor" in texts
    p = "< 0.001" if row["p_value"] < 0.001 else f"{row['p_value']:.3f}"
    assert f"Overall effect: t {t:.2f} on 5 df, p {p}".replace("-", "−") in texts
    assert any(text.startswith("Difference between subgroups: F") for text in texts)


def test_lights_stand_in_the_order_of_the_tools_domains(tmp_path: Path) -> None:
    risk = """trial,tool,domain,judgement,outcome,signed_by
Trial 0,,randomisation,low,,AB
Trial 0,,overall,high,,AB
Trial 0,,overall,some_concerns,frequency,AB
Trial 1,robins_i,confounding,critical,,AB
Trial 1,robins_i,overall,no_information,,AB
"""
    review, tables = make(tmp_path, ["Trial 0", "Trial 1"], risk)
    drawn = draw.draw_review(tables, review)
    texts = texts_of(drawn["forest_main"].figure)
    heads = [text for text in texts if text in ("D1", "D2", "D3", "D4", "D5", "D6", "D7", "O")]
    assert heads == [*(f"D{i}" for i in range(1, 6)), "O", *(f"D{i}" for i in range(1, 8)), "O"]
    assert [text for text in texts if text and text in "+!×?"] == ["+", "!", "!", "?"]
    assert any("D1 Confounding" in text for text in texts)
    assert {"risk_of_bias", "risk_of_bias_robins_i"} <= set(drawn)


def test_words_of_another_tool_are_refused(tmp_path: Path) -> None:
    risk = """trial,tool,domain,judgement,signed_by
Trial 0,rob2,confounding,low,AB
Trial 1,robins_i,overall,high,AB
"""
    with pytest.raises(InputError) as caught:
        make(tmp_path, ["Trial 0", "Trial 1"], risk)
    found = {(p.line, p.column) for p in caught.value.problems}
    assert found == {(2, "domain"), (3, "judgement")}


def test_own_columns_stand_beside_the_trials(tmp_path: Path) -> None:
    review, tables = make(tmp_path, ["Trial 0", "Trial 1"], forest={"columns": ["dose", "year"]})
    texts = texts_of(draw.draw_review(tables, review)["forest_main"].figure)
    assert {"dose", "year", "1 × 20 min", "2 × 20 min", "2001", "2002"} <= set(texts)


def test_an_own_column_that_no_file_has_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        make(tmp_path, ["Trial 0", "Trial 1"], forest={"columns": ["doze"]})
    assert [p.column for p in caught.value.problems] == ["doze"]


def test_rows_that_are_not_pooled_can_be_left_out(tmp_path: Path) -> None:
    names = [f"Trial {i}" for i in range(4)]
    changes = {"comparison": {"leave_out": {"Trial 2": "no controls"}}}
    review, tables = make(tmp_path, names, forest={"show": "pooled"}, **changes)
    drawn = draw.draw_review(tables, review)["forest_main"]
    assert "Trial 2" not in texts_of(drawn.figure)
    assert "1 more row" in drawn.alt
    assert "Circles" not in drawn.caption


def test_a_line_is_as_high_as_its_texts() -> None:
    lines = [Line("row", LONG, "care", ("1", "2"), value=0.0, low=-1.0, high=1.0)]
    columns = sheet.Columns(("a", "b"), (), ("MD", "Weight"), ())
    short = [Line("row", "A", "care", ("1", "2"), value=0.0, low=-1.0, high=1.0)]
    heights = [
        sheet.draw_sheet(one, columns, DIFFERENCE, ())[0][0].get_figheight()
        for one in (lines, short)
    ]
    assert heights[0] > heights[1] + 2 * sheet.PITCH * sheet.ROW
    assert np.isfinite(heights).all()
