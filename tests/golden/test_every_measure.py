"""Every measure of the registry through a review on disk: declared, computed, pooled, shown.

Effects are held against metafor's stored answers, or against closed forms where none is stored.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from html import unescape
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import config
from headway.effects.measures import FAMILIES, MEASURES, find_family
from headway.errors import InputError
from headway.figures.review.draw import draw_review
from headway.figures.theme import Saved
from headway.ingest import trials
from headway.ingest.adapters.metafor import write_metafor, write_script
from headway.ingest.adapters.revman_export import write_revman
from headway.messages import say, term
from headway.report import formats
from headway.report.review import page
from headway.reviews.analyse import analyse_review
from tests.golden.ledger import INSIDE, read_answers
from tests.golden.test_metafor_effects import find_arguments
from tests.unit.pages_builder import READY
from tests.unit.review_builder import write_review

# What each measure is, typed apart from the registry.
RATIOS = ["ROM", "VR", "CVR", "D2OR", "ROMC", "VRC", "CVRC", "RR", "OR", "PETO", "IRR"]
LEVELS = ["MN", "SMN", "PR", "PLN", "PLO", "PAS", "PFT", "ABT"]
HALVES = ["CLES", "CLESN", "CLESCN"]
BACK = {
    **dict.fromkeys([*RATIOS, "PLN"], np.exp),
    **dict.fromkeys(["ZPB", "ZCOR"], np.tanh),
    "PLO": lambda x: 1 / (1 + np.exp(-x)),
    "PAS": lambda x: np.sin(x) ** 2,
    "ABT": lambda x: 1 - np.exp(-x),
}
# Data set of metafor's answers, by family: outside the repository, and inside.
DATASETS = {
    "two_groups": "gibson2002",
    "paired": "grid_pre_post",
    "controlled": "morris2008_dppc2",
    "counts": "bcg",
    "rates": "hart1999",
    "means": "senn2013_arms_placebo",
    "proportions": "debruin2009",
    "correlations": "molloy2014",
    "reliability": "bonett2010",
}
INSIDE_DATASETS = {
    "two_groups": "two_groups",
    "paired": "before_after",
    "controlled": "controlled",
    "counts": "responders",
    "rates": "attacks",
    "means": "means",
    "proportions": "relapses",
    "correlations": "correlations",
    "reliability": "reliability",
}
MANY = {"counts": 10}  # enough for a funnel
UNITS = {"counts": "participants", "rates": "participants", "proportions": "participants"}
UNITS |= {"correlations": "correlation", "reliability": "reliability"}


def name_dataset(family: str, source: Path) -> str:
    return (INSIDE_DATASETS if source == INSIDE else DATASETS)[family]


def close_form(measure: str, x: dict[str, Any], shared: Path) -> tuple[Any, Any] | None:
    """Give effects and variances of what metafor's file does not hold."""
    if measure == "CLES":
        return answer("CLESN", shared)
    if measure not in ("PR", "PLN", "PAS"):
        return None
    events, n = x["events"], x["n"]
    p = events / n
    with np.errstate(divide="ignore"):  # a level without events has no logarithm
        return _close_form(measure, p, events, n)


def _close_form(measure: str, p: Any, events: Any, n: Any) -> tuple[Any, Any]:
    return {
        "PR": (p, p * (1 - p) / n),
        "PLN": (np.log(p), 1 / events - 1 / n),
        "PAS": (np.arcsin(np.sqrt(p)), 1 / (4 * n)),
    }[measure]


def answer(measure: str, shared: Path) -> tuple[Any, Any]:
    stored = read_answers(shared, "oracle_metafor_5.1.json")["escalc"]
    entry = stored[name_dataset(find_family(measure), shared)]
    found = entry.get(measure) or entry[f"{measure}:LS"]
    return tuple(np.array(found[k], dtype=float) for k in ("yi", "vi"))  # type: ignore[return-value]


def list_rows(measure: str, x: dict[str, Any], i: int) -> list[dict[str, Any]]:
    """Type one trial of a data set as the rows of arms.csv that a reviewer would type."""
    family = find_family(measure)
    one = {"kind": "events" if MEASURES[measure].counts_events else "final", "n": ""}
    if family == "counts":
        pairs = (("a", "b"), ("c", "d"))
        return [{**one, "n": x[p][i] + x[q][i], "events": x[p][i]} for p, q in pairs]
    if family == "rates":
        return [
            {**one, "events": x[f"events{g}"][i], "person_years": x[f"time{g}"][i]} for g in "12"
        ]
    if family == "two_groups":
        names = [(g, [c for c in ("n", "mean", "sd") if f"{c}{g}" in x]) for g in "12"]
        return [one | {c: x[f"{c}{g}"][i] for c in own} for g, own in names]
    if family == "controlled":
        columns = {"n": "n", "mean": "mean_post", "sd": "sd_pre", "baseline_mean": "mean_pre"}
        columns |= {"baseline_sd": "sd_pre"}
        return [
            one | {c: x[f"{name}{g}"][i] for c, name in columns.items()} | {"r": x["r"][i]}
            for g in "12"
        ]
    if family == "paired":
        # sd1 is the SD before where the measure divides by it.
        after, before = ("sd2", "sd1") if MEASURES[measure].sd1_before else ("sd1", "sd2")
        columns = {"n": "n", "baseline_n": "n", "mean": "mean1", "baseline_mean": "mean2"}
        columns |= {"sd": after, "baseline_sd": before, "r": "r"}
        return [one | {c: x[name][i] for c, name in columns.items()}]
    return [one | {name: x[name][i] for name in x}]


@cache
def take(family: str, turned: bool, shared: Path) -> tuple[Any, ...]:
    """Take a review of a family's measures through its path; returns what was to be found too.

    `turned`: those of the family whose `sd1` is the SD before, so that its rows are typed so.
    """
    every = FAMILIES[family].measures
    own = [measure for measure in every if every[measure].sd1_before == turned]
    dataset = name_dataset(family, shared)
    x = find_arguments(shared, dataset, "SMCC" if family == "paired" else own[0])
    assert x is not None
    wanted = {m: close_form(m, x, shared) or answer(m, shared) for m in own}
    known = np.isfinite([numbers for pair in wanted.values() for numbers in pair]).all(axis=0)
    step = (11 if shared == INSIDE else 37) if family == "paired" else 1
    chosen = np.flatnonzero(known)[::step][: MANY.get(family, 3)]
    rows = []
    for number, i in enumerate(chosen):
        sides = list_rows(own[0], x, int(i))
        for side, role in zip(sides, ("treatment", "control"), strict=False):
            where = {"technique": "manual"} if role == "treatment" else {"comparator": "sham"}
            rows.append(
                {
                    "trial": f"Trial {2001 + number}", "year": 2001 + number, "arm": role,
                    "role": role, **where, "outcome": "any", "unit": UNITS.get(family, "points"),
                    "timepoint": "end", "time_days": 84, **side, "status": "retrieved",
                    "source": "made up",
                }
            )  # fmt: skip
    wanted = {m: (yi[chosen], vi[chosen]) for m, (yi, vi) in wanted.items()}
    pooled = {
        m: BACK.get(m, float)((yi / vi).sum() / (1 / vi).sum()) for m, (yi, vi) in wanted.items()
    }
    head = {"outcome": "any", "estimand": FAMILIES[family].estimand}
    folder = write_review(
        Path(mkdtemp()) / "example",
        {"arms.csv": pd.DataFrame(rows).to_csv(index=False)},
        outcomes={"any": {"unit": UNITS.get(family, "points")}},
        model={"method": "EE", "test": "z"},
        sensitivity_models=[{"method": "DL", "test": "z"}],
        comparisons=[head | {"id": m.lower(), "label": f"All by {m}", "measure": m} for m in own],
        published=[
            {"id": m.lower(), "label": m, "estimate": f"{pooled[m]:.3f}"}
            | {"recompute": {"comparison": m.lower()}}
            for m in own
        ],
    )
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    found = analyse_review(read.arms, read.contrasts, read.published, review, read.risk_of_bias)
    tables = {**found, "arms": read.arms, "contrasts": read.contrasts}
    tables |= {"published": read.published, "risk_of_bias": read.risk_of_bias, "ipd": read.ipd}
    drawings = draw_review(tables, review)
    saved = [Saved(n, d.title, d.alt, d.caption, "<svg/>", d.wide) for n, d in drawings.items()]
    html, _ = page.build(review, READY, tables, saved)
    text = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))
    return review, tables, wanted, drawings, text


def find_null(axes: Any) -> tuple[str, list[float]]:
    """Find the scale of an axis, and where lines stand from its top to its bottom."""
    upright = [line.get_xdata() for line in axes.lines if list(line.get_ydata()) == [0, 1]]
    return axes.get_xscale(), [float(x[0]) for x in upright]


# A printed ratio has no arms to stand on: tests/unit/test_ratios.py takes it the same way.
@pytest.mark.parametrize("measure", [m for m in MEASURES if find_family(m) != "printed"])
def test_a_review_of_any_measure_goes_all_the_way(
    measure: str, source: Path, tmp_path: Path
) -> None:
    family, name = find_family(measure), measure.lower()
    review, every, wanted, drawings, text = take(family, MEASURES[measure].sd1_before, source)
    tables = {n: t[t["comparison"] == name] for n, t in every.items() if "comparison" in t.columns}
    effects = tables["effects"]
    assert effects["pooled"].all(), effects["why_not"].tolist()
    np.testing.assert_allclose(effects["yi"], wanted[measure][0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(effects["vi"], wanted[measure][1], rtol=1e-9)
    own = every["reproduction"][every["reproduction"]["quantity"] == name]
    assert set(own["verdict"]) == {"reproduced"}

    # No effect, and what a p value is about.
    null = 1.0 if measure in RATIOS else np.nan if measure in LEVELS else 0.0
    null = 0.5 if measure in HALVES else null
    row = tables["pooled"][tables["pooled"]["declared"]].iloc[0]
    back = BACK.get(measure, float)
    shown = [float(back(row[c])) for c in ("estimate", "ci_low", "ci_high")]
    if measure in LEVELS:
        assert np.isnan(row["p_value"]) and tables["refits"]["p_value"].isna().all()
        assert not len(tables["multiverse"])
    else:
        assert (row["p_value"] < 0.05) == (not shown[1] <= null <= shown[2])
        first = tables["multiverse"].iloc[0]
        np.testing.assert_allclose(first["estimate"], row["estimate"])
        np.testing.assert_allclose(first["p_value"], row["p_value"], atol=1e-12)

    # Figures.
    for kind in ("forest", "leave_one_out", "cumulative"):
        drawing = drawings[f"{kind}_{name}"]
        scale, lines = find_null(drawing.figure.axes[1 if kind == "forest" else 0])
        assert (scale == "log") == (measure in RATIOS)
        assert (null in lines) == (measure not in LEVELS), (kind, lines)
        for number in shown:
            assert f"{number:.2f}".lstrip("-") in drawing.alt, kind
    if family in MANY:
        axes = drawings[f"funnel_{name}"].figure.axes[0]
        assert ("1" in [x.get_text() for x in axes.get_xticklabels()]) == (measure in RATIOS)
    assert (f"multiverse_{name}" in drawings) == (FAMILIES[family].estimand == "between_arm")
    if f"multiverse_{name}" in drawings:
        curve = drawings[f"multiverse_{name}"]
        assert f"{shown[0]:z.2f}".replace("-", "\N{MINUS SIGN}") in curve.alt
        unit = curve.figure.axes[0].get_ylabel()
        assert ("log" in unit) is False

    # Page.
    unit = "points" if MEASURES[measure].unit == "" else say(term("unit", MEASURES[measure].unit))
    number = [formats.number(x) for x in shown]
    assert (
        f"All by {measure}: {number[0]} {unit} (95 % CI {number[1]} to {number[2]}; normal)" in text
    )
    sentence = re.search(rf"All by {measure}: [^;]*; normal\) from [^.]*\.", text)
    assert sentence is not None
    assert ("lies within the interval" in sentence.group()) == (shown[1] <= null <= shown[2])
    assert say(term("measure", measure)) in text and f"({measure}" in text
    assert "nan" not in re.findall(r"\w+", text)

    # Exports.
    write_metafor(effects, tmp_path / "metafor.csv")
    write_revman(effects, tmp_path / "revman.csv")
    assert "refit(" in write_script(review)


def test_the_schema_lists_the_registry(repo_root: Path) -> None:
    spec = importlib.util.spec_from_file_location("measures", repo_root / "tools/measures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    source = module.SETTINGS.read_text(encoding="utf-8")
    assert source == module.write(source), "run: python tools/measures.py"


def test_what_cannot_be_computed_is_refused_with_its_reason(tmp_path: Path) -> None:
    comparison = {"id": "main", "label": "All", "outcome": "frequency", "estimand": "between_arm"}
    cases = (
        ({"measure": "ROMC"}, "measure_of_another_estimand", "estimand: within_arm"),
        ({"measure": "PR"}, "measure_of_another_estimand", "estimand: single_arm"),
        ({"measure": "ROM", "kinds": ["events"]}, "kinds_of_another_measure", "kinds: final"),
        ({"measure": "IRR", "kinds": ["final"]}, "kinds_of_another_measure", "kinds: [events]"),
    )
    for number, (changes, rule, remedy) in enumerate(cases):
        folder = write_review(tmp_path / f"r{number}", comparisons=[comparison | changes])
        with pytest.raises(InputError) as raised:
            trials.read_review(folder, config.load_review(folder))
        (problem,) = raised.value.problems
        assert problem.rule == rule and remedy in say(problem.remedy)


def test_rows_without_a_number_that_the_measure_needs_say_so(tmp_path: Path) -> None:
    comparison = {"id": "main", "label": "All", "outcome": "frequency", "estimand": "between_arm"}
    rows = (
        "trial,arm,role,technique,comparator,outcome,unit,timepoint,kind,n,events,status,source\n"
        "A,a,treatment,manual,,frequency,days_per_28,end,events,20,5,retrieved,T1\n"
        "A,b,control,,sham,frequency,days_per_28,end,events,20,9,retrieved,T1\n"
    )
    folder = write_review(
        tmp_path / "rates", {"arms.csv": rows}, comparisons=[comparison | {"measure": "IRR"}]
    )
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    effects = analyse_review(read.arms, read.contrasts, read.published, review)["effects"]
    assert effects["why_not"].tolist() == ["why_not.no_person_years"]
    assert say(effects["why_not"].iloc[0]) == "no person-years"
