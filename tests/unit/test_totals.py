"""Comparisons pooled by RevMan's methods, and what becomes of empty cells: files to verdicts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import config
from headway.figures.review.draw import draw_review
from headway.ingest import trials
from headway.messages import LANGUAGES, say, speaking
from headway.report.review import page
from headway.reviews.analyse import analyse_review
from headway.reviews.preview import preview_review
from tests.unit.pages_builder import READY
from tests.unit.review_builder import write_review

HEADER = (
    "trial,year,arm,role,technique,comparator,outcome,unit,timepoint,time_days,kind,analysis,"
    "subgroup,n,events,mean,sd,status,source\n"
)
# Events and people of the two groups; one trial has a cell of 0, one no event at all.
COUNTS = [
    ("Ash 2001", "women", (4, 60, 9, 58)),
    ("Birch 2003", "women", (0, 25, 0, 30)),
    ("Cedar 2005", "women", (0, 40, 5, 41)),
    ("Dog 2008", "men", (30, 50, 20, 50)),
    ("Elm 2011 a", "men", (5, 80, 12, 78)),
    ("Elm 2011 b", "men", (18, 18, 20, 20)),
    ("Ash 2001", "men", (11, 33, 14, 31)),
]


def write_counts(rows: list[Any], analysis: str = "1.1") -> str:
    lines = []
    for trial, group, (a, n, c, m) in rows:
        for arm, role, x, size in (("new", "treatment", a, n), ("old", "control", c, m)):
            kinds = "manual," if role == "treatment" else ",sham"
            lines.append(
                f"{trial},{trial.split()[1]},{arm},{role},{kinds},harm,participants,end,84,events,"
                f"{analysis},{group},{size},{x},,,retrieved,T1\n"
            )
    return "".join(lines)


def compare(measure: str = "RR", **settings: Any) -> dict[str, Any]:
    return {
        "id": "harm",
        "label": "New v old",
        "outcome": "harm",
        "estimand": "between_arm",
        "measure": measure,
        **settings,
    }


def build(folder: Path, rows: list[Any], *comparisons: dict[str, Any], **other: Any) -> Path:
    return write_review(
        folder,
        {"arms.csv": HEADER + write_counts(rows)},
        outcomes={"harm": {"label": "harm", "unit": "participants"}},
        comparisons=list(comparisons),
        **other,
    )


def analyse(folder: Path, **options: Any) -> tuple[Any, dict[str, pd.DataFrame], Any]:
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    tables = analyse_review(read.arms, read.contrasts, read.published, review, **options)
    return review, tables, read


def declared(tables: dict[str, pd.DataFrame], subgroup: str = "overall") -> Any:
    rows = tables["pooled"]
    return rows[rows["declared"] & rows["subgroup"].eq(subgroup)].iloc[0]


def pool_mh(rows: list[tuple[float, float, float, float]]) -> float:
    """Mantel and Haenszel's risk ratio; half an event in each cell of a table with an empty one."""
    above = below = 0.0
    for a, n, c, m in rows:
        half = 0.5 if 0 in (a, n - a, c, m - c) else 0.0
        a, n, c, m = a + half, n + 2 * half, c + half, m + 2 * half
        above, below = above + a * m / (n + m), below + c * n / (n + m)
    return math.log(above / below)


# ── the comparison's own method ───────────────────────────────────────────────────────────────


def test_a_comparison_is_pooled_by_its_own_method(tmp_path: Path) -> None:
    folder = build(
        tmp_path / "r",
        COUNTS,
        compare(analysis="1.1", method="MH", model="fixed", ci_level=90),
    )
    _, tables, _ = analyse(folder)
    counted = [x for _, _, x in COUNTS if x[0] + x[2] not in (0, x[1] + x[3])]
    whole = declared(tables)
    assert whole["estimate"] == pytest.approx(pool_mh(counted), abs=1e-12)
    assert (whole["weighting"], whole["method"], whole["level"], whole["k"]) == ("MH", "EE", 0.9, 5)
    women = declared(tables, "women")
    assert women["estimate"] == pytest.approx(pool_mh([COUNTS[0][2], COUNTS[2][2]]), abs=1e-12)
    assert whole["ci_high"] - whole["estimate"] == pytest.approx(1.6448536269514722 * whole["se"])
    assert "subgroups.difference" in whole["note"]
    effects = tables["effects"]
    assert len(effects) == len(COUNTS)  # the trial that stands in both subgroups is two rows
    assert effects["weight"].sum() == pytest.approx(100)
    assert set(effects["analysis"]) == {"1.1"}
    others = tables["pooled"][~tables["pooled"]["declared"]]
    assert set(others["weighting"]) == {"own"}


def test_random_totals_take_tau2_about_the_mantel_haenszel_estimate(tmp_path: Path) -> None:
    rows = [(t, "", x) for t, _, x in COUNTS if t not in ("Birch 2003", "Elm 2011 b")]
    rows[-1] = ("Fir 2015", "", rows[-1][2])
    found = {}
    for method in ("MH", "IV"):
        folder = build(tmp_path / method.lower(), rows, compare(analysis="1.1", method=method))
        found[method] = declared(analyse(folder)[1])
    y, v = [], []
    for _, _, (a, n, c, m) in rows:
        half = 0.5 if 0 in (a, n - a, c, m - c) else 0.0
        a, n, c, m = a + half, n + 2 * half, c + half, m + 2 * half
        y.append(math.log(a / n / (c / m)))
        v.append(1 / a - 1 / n + 1 / c - 1 / m)
    w = 1 / np.array(v)
    centre = {"MH": pool_mh([x for *_, x in rows]), "IV": (w * y).sum() / w.sum()}
    for method, row in found.items():
        q = (w * (np.array(y) - centre[method]) ** 2).sum()
        tau2 = max(0.0, (q - (len(y) - 1)) / (w.sum() - (w * w).sum() / w.sum()))
        u = 1 / (np.array(v) + tau2)
        assert row["q"] == pytest.approx(q), method
        assert row["tau2"] == pytest.approx(tau2), method
        assert row["estimate"] == pytest.approx((u * y).sum() / u.sum()), method
    assert found["MH"]["tau2"] != found["IV"]["tau2"]


@pytest.mark.parametrize(
    ("totals", "shown"),
    [("all", {"overall", "women", "men"}), ("subgroups", {"women", "men"}), ("none", set())],
)
def test_only_the_totals_that_are_shown_are_pooled(
    tmp_path: Path, totals: str, shown: set[str]
) -> None:
    folder = build(tmp_path / "r", COUNTS, compare(analysis="1.1", method="MH", totals=totals))
    _, tables, _ = analyse(folder)
    assert set(tables["pooled"]["subgroup"]) == shown
    assert len(tables["effects"]) == len(COUNTS)
    if not shown:
        assert not tables["effects"]["pooled"].any()
        assert tables["effects"]["why_not"].str.contains("no_totals").all()


def test_swapped_events_are_those_of_the_people_without(tmp_path: Path) -> None:
    rows = [(t, "", x) for t, _, x in COUNTS[:1]] + [("Oak 2020", "", (10, 40, 15, 40))]
    folder = build(
        tmp_path / "r", rows, compare(analysis="1.1", method="MH", model="fixed", swap_events=True)
    )
    _, tables, _ = analyse(folder)
    turned = [(n - a, n, m - c, m) for _, _, (a, n, c, m) in rows]
    assert declared(tables)["estimate"] == pytest.approx(pool_mh(turned))
    assert tables["effects"]["events1"].tolist() == [56, 30]
    assert tables["effects"]["note"].str.contains("events_swapped").all()


def test_peto_and_the_interval_of_hartung_and_knapp(tmp_path: Path) -> None:
    rows = [(t, "", x) for t, _, x in COUNTS[:6]]
    folder = build(tmp_path / "p", rows, compare("PETO", method="Peto", model="fixed"))
    row = declared(analyse(folder)[1])
    off = spread = 0.0
    for _, _, (a, n, c, m) in rows:
        events, size = a + c, n + m
        off += a - n * events / size
        spread += n * m * events * (size - events) / (size**2 * (size - 1))
    assert row["estimate"] == pytest.approx(off / spread)
    assert row["se"] == pytest.approx(spread**-0.5)
    wide = compare(method="IV", tau2="REML", ci="hksj", prediction=True)
    row = declared(analyse(build(tmp_path / "h", rows, wide))[1])
    assert (row["method"], row["test"]) == ("REML", "knha")
    assert row["pi_low"] < row["ci_low"]


# ── verdicts on stored totals ─────────────────────────────────────────────────────────────────


def store(analysis: str, subgroup: str, estimate: str, *ci: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": "t" + analysis.replace(".", "_"),
        "label": analysis,
        "analysis": analysis,
        "estimate": estimate,
        "recompute": {"comparison": "harm", "subgroup": subgroup},
    }
    return entry | ({"ci": list(ci)} if ci else {})


def test_each_stored_total_has_three_rows_by_its_number(tmp_path: Path) -> None:
    counted = [x for _, _, x in COUNTS if x[0] + x[2] not in (0, x[1] + x[3])]
    right = math.exp(pool_mh(counted))
    silent = [("Yew 2001", "empty", (0, 20, 0, 21)), ("Yew 2002", "empty", (9, 9, 8, 8))]
    folder = build(
        tmp_path / "r",
        COUNTS + silent,
        compare(analysis="1.1", method="MH", model="fixed"),
        published=[
            store("1.1", "overall", repr(right), "0.1", "9.0"),
            store("1.1.3", "empty", "not estimable"),
            store("1.1.2", "men", "not estimable"),
        ],
    )
    found = analyse(folder)[1]["reproduction"]
    parts = ["estimate", "lower limit", "upper limit"]
    assert found["analysis"].tolist() == ["1.1"] * 3 + ["1.1.3"] * 3 + ["1.1.2"] * 3
    assert found["part"].tolist() == parts * 3
    assert found["verdict"].iloc[0] == "reproduced"
    assert found["recomputed"].iloc[0] == pytest.approx(right, rel=1e-12)
    assert set(found["verdict"].iloc[1:3]) == {"not reproduced"}
    assert set(found["verdict"].iloc[3:6]) == {"not estimable"}
    assert found["recomputed"].iloc[3:6].isna().all()
    assert set(found["verdict"].iloc[6:]) == {"not reproduced"}
    assert found["recomputed"].iloc[6:].notna().all()


def test_a_number_for_what_is_not_estimable_is_not_reproduced(tmp_path: Path) -> None:
    folder = build(
        tmp_path / "r",
        [("Yew 2001", "", (0, 20, 0, 21))],
        compare(analysis="1.1", method="MH"),
        published=[store("1.1", "overall", "0.95", "0.02", "46.0")],
    )
    found = analyse(folder)[1]["reproduction"]
    assert set(found["verdict"]) == {"not reproduced"}
    assert "not estimable" in say(found["explanation"].iloc[0])


def test_the_choice_behind_another_number_is_named(tmp_path: Path) -> None:
    rows = [(t, "", x) for t, _, x in COUNTS if t not in ("Birch 2003", "Elm 2011 b")][:4]
    one = build(tmp_path / "a", rows, compare(analysis="1.1", method="IV", model="fixed"))
    row = declared(analyse(one)[1])
    printed = [f"{math.exp(row[c]):.4f}" for c in ("estimate", "ci_low", "ci_high")]
    two = build(
        tmp_path / "b",
        rows,
        compare(analysis="1.1", method="MH", model="random"),
        published=[store("1.1", "overall", *printed)],
    )
    found = analyse(two)[1]["reproduction"]
    assert "inverse variance" in say(found["explanation"].iloc[0])
    assert "fixed effect" in say(found["explanation"].iloc[0])


# ── empty cells, whatever the model ───────────────────────────────────────────────────────────


@pytest.mark.parametrize("measure", ["RR", "OR", "PETO"])
def test_ratios_without_events_are_shown_and_not_pooled(tmp_path: Path, measure: str) -> None:
    folder = build(tmp_path / "r", [(t, "", x) for t, _, x in COUNTS[:6]], compare(measure))
    effects = analyse(folder)[1]["effects"].set_index("trial")
    for trial, why in (("Birch 2003", "none"), ("Elm 2011 b", "all")):
        assert not effects.loc[trial, "pooled"]
        assert effects.loc[trial, "why_not"] == f"why_not.not_estimable_{why}"
        assert np.isnan(effects.loc[trial, "yi"])
    told = effects["recovered"].fillna("").str.contains("half_added")
    assert told[told].index.tolist() == ([] if measure == "PETO" else ["Cedar 2005"])


def test_a_risk_difference_is_never_moved(tmp_path: Path) -> None:
    folder = build(tmp_path / "r", [(t, "", x) for t, _, x in COUNTS[:6]], compare("RD"))
    effects = analyse(folder)[1]["effects"].set_index("trial")
    for trial, _, (a, n, c, m) in COUNTS[:6]:
        assert effects.loc[trial, "yi"] == pytest.approx(a / n - c / m, abs=1e-15)
        assert effects.loc[trial, "pooled"]
    assert "half_in_variance" in effects.loc["Birch 2003", "recovered"]
    assert pd.isna(effects.loc["Cedar 2005", "recovered"])
    assert effects.loc["Cedar 2005", "vi"] == pytest.approx(5 * 36 / 41**3)


@pytest.mark.parametrize("place", ["review", "comparison"])
def test_metafors_default_is_there_on_request(tmp_path: Path, place: str) -> None:
    rows = [(t, "", x) for t, _, x in COUNTS[:4]]
    asked: dict[str, Any] = {"zero_events": "metafor"}
    one = compare("RR", **(asked if place == "comparison" else {}))
    folder = build(tmp_path / "r", rows, one, **(asked if place == "review" else {}))
    effects = analyse(folder)[1]["effects"].set_index("trial")
    assert effects["pooled"].all()
    assert effects.loc["Birch 2003", "yi"] == pytest.approx(math.log((0.5 / 26) / (0.5 / 31)))
    assert "half_added" in effects.loc["Birch 2003", "recovered"]


def test_the_multiverse_holds_policies_and_methods(tmp_path: Path) -> None:
    rows = [(t, "", x) for t, _, x in COUNTS[:6]]
    folder = build(tmp_path / "r", rows, compare("OR", method="MH", model="fixed"))
    _, tables, _ = analyse(folder)
    ways = tables["multiverse"]
    assert set(ways["zero_events"]) >= {"not_estimable", "metafor"}
    assert set(ways["weighting"]) == {"own", "MH", "Peto"}
    first = ways.iloc[0]
    assert first["declared"] and ways["declared"].sum() == 1
    assert first["weighting"] == "MH"
    assert first["estimate"] == declared(tables)["estimate"]


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sentence_and_the_plot_name_the_method(tmp_path: Path, language: str) -> None:
    folder = build(
        tmp_path / "r", COUNTS, compare(analysis="1.1", method="MH", model="fixed", ci_level=90)
    )
    review, tables, read = analyse(folder)
    every = {**tables, "arms": read.arms, "contrasts": read.contrasts, "published": read.published}
    every["risk_of_bias"] = read.risk_of_bias
    with speaking(language):
        drawn = draw_review(every, review)
        html, _ = page.build(review, READY, every, [])
    assert "Mantel–Haenszel" in html
    assert "Mantel–Haenszel" in drawn["forest_harm"].caption
    said = {"en": "90 % CI", "es": "IC del 90 %", "de": "90-%-KI"}[language]
    assert said in drawn["forest_harm"].alt
    assert "why_not." not in html and "totals." not in html


def test_check_says_why_a_trial_is_not_pooled(tmp_path: Path) -> None:
    folder = build(tmp_path / "r", COUNTS, compare(analysis="1.1", method="MH"))
    found = preview_review(folder, config.load_review(folder))
    assert not found.problems
    assert "nobody in either arm had the event" in say(found.answers[0]["why"])
