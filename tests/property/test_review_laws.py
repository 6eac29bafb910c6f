"""Laws of reviews whatever is printed: nothing ends the build, and every row is accounted for."""

from __future__ import annotations

import csv
import io
import math
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from headway import config, tables
from headway.effects.measures import FAMILIES, MEASURES, find_family
from headway.errors import InputError
from headway.figures.review.draw import draw_review, save_review
from headway.ingest import trials
from headway.ingest.adapters.metafor import write_metafor
from headway.messages import is_message
from headway.report.review import page
from headway.reviews.analyse import analyse_review
from headway.reviews.preview import preview_review
from tests.unit.review_builder import write_review

# Numbers that papers do not print and files hold.
HOSTILE = ("0", "1", "2", "-5", "-0.5", "1e-9", "1e-160", "1e11", "1e150", "1e308", "100", "")
P_VALUES = ("", "0", "0.000", "1", "0.03", "<0.001", "n.s.")
COLUMNS = (
    "trial", "year", "condition", "arm", "role", "technique", "comparator", "outcome", "unit",
    "timepoint", "time_days", "kind", "n", "mean", "sd", "se", "ci_low", "ci_high", "t", "p",
    "median", "q1", "q3", "baseline_n", "baseline_mean", "baseline_sd", "events", "person_years",
    "r", "alpha", "items", "positive_means", "status", "source",
)  # fmt: skip
SOUND = {
    "n": "20", "mean": "8", "sd": "3", "baseline_n": "20", "baseline_mean": "9",
    "baseline_sd": "3", "events": "4", "person_years": "10", "r": "0.5", "alpha": "0.8",
    "items": "10",
}  # fmt: skip
RARE = ("se", "ci_low", "ci_high", "t", "median", "q1", "q3")


@st.composite
def arms(draw: st.DrawFn, kinds: Sequence[str]) -> list[dict[str, str]]:
    """Rows of arms of up to twelve trials, most numbers sound, some hostile."""
    out = []
    alike = draw(st.booleans())
    for i in range(draw(st.sampled_from([1, 2, 3, 11]))):
        kind = draw(st.sampled_from(list(kinds)))
        for role in draw(st.sampled_from([("treatment", "control"), ("treatment",), ("control",)])):
            row = dict.fromkeys(COLUMNS, "") | SOUND
            if not alike:
                row |= {"n": str(20 + i), "mean": str(5 + i % 4)}
            for name in draw(st.lists(st.sampled_from([*SOUND, *RARE]), max_size=2)):
                row[name] = draw(st.sampled_from(HOSTILE))
            row |= {
                "trial": f"T{i} $2001$",
                "year": "2001",
                "condition": draw(st.sampled_from(["migraine", "tension", ""])),
                "arm": role,
                "role": role,
                "technique": "manual" if role == "treatment" else "",
                "comparator": "sham" if role == "control" else "",
                "outcome": "frequency",
                "unit": "days_per_28",
                "timepoint": "end",
                "time_days": draw(st.sampled_from(["84", ""])),
                "kind": kind,
                "p": draw(st.sampled_from(P_VALUES)),
                "positive_means": "worse",
                "status": draw(st.sampled_from(["retrieved", "retrieved", "recalled"])),
                "source": "T",
            }
            out.append(row)
    return out


@st.composite
def reviews(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """A comparison of any measure and its rows."""
    measure = draw(st.sampled_from(sorted(MEASURES)))
    estimand = FAMILIES[find_family(measure)].estimand
    counted = MEASURES[measure].counts_events
    comparison = {
        "id": "main",
        "label": "A $x_1$ v B",
        "outcome": "frequency",
        "estimand": estimand,
        "measure": measure,
        "subgroup_by": draw(st.sampled_from(["none", "condition"])),
        "several_arms": draw(st.sampled_from(["combine", "split"])),
    }
    model = draw(
        st.sampled_from(
            [("DL", "z"), ("REML", "adhoc"), ("REML", "kr"), ("PM", "knha"), ("HE", "t")]
        )
    )
    settings_of = {
        "comparisons": [comparison],
        "model": {"method": model[0], "test": model[1]},
        "findings": [{"comparison": "main", "meaningful": {"value": 1, "source": "T"}}],
        "published": [
            {"id": "p", "label": "P", "estimate": "1.0", "recompute": {"comparison": "main"}}
        ],
    }
    return settings_of, draw(arms(["events"] if counted else ["final", "change"]))


def write(folder: Path, rows: Sequence[dict[str, str]], changes: dict[str, Any]) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    mapped = {"arms": {"path": "arms.csv", "may_be_empty": True}}
    return write_review(folder, {"arms.csv": text.getvalue()}, mapped=mapped, **changes)


def read_rest(
    folder: Path, rows: list[dict[str, str]], changes: dict[str, Any]
) -> tuple[Any, Any, list[dict[str, str]]]:
    """Read a review, without the rows that are refused by their line."""
    while True:
        review = config.load_review(write(folder, rows, changes))
        problems = preview_review(folder, review).problems
        if not problems:
            return review, trials.read_review(folder, review), rows
        with pytest.raises(InputError) as caught:
            trials.read_review(folder, review)
        assert caught.value.problems == problems
        assert all(p.line and p.column and p.remedy for p in problems)
        bad = {p.line for p in problems}
        rows = [row for i, row in enumerate(rows, 2) if i not in bad]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(reviews())
def test_every_row_is_pooled_or_says_why(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[dict[str, Any], list[dict[str, str]]]
) -> None:
    changes, rows = drawn
    folder = tmp_path_factory.mktemp("laws")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        review, read, rows = read_rest(folder / "r", rows, changes)
        found = analyse_review(read.arms, read.contrasts, read.published, review, explore=False)
        write_metafor(found["effects"], folder / "metafor.csv")
        answers = preview_review(folder / "r", review).answers
    effects = found["effects"]
    listed = {int(n) for cell in effects["lines"] for n in re.findall(r"\d+", cell[8:])}
    assert listed == set(range(2, len(rows) + 2))
    used = effects[effects["pooled"]]
    assert np.isfinite(used[["yi", "vi"]]).all().all() and (used["vi"] > 0).all()
    assert effects.loc[~effects["pooled"], "why_not"].map(is_message).all()
    assert not np.isinf(effects.select_dtypes("float")).any().any()
    for row in found["pooled"].to_dict("records"):
        assert not math.isnan(row["estimate"]) or "fit.not_computable" in row["note"]
    assert [a["n"] for a in answers] == [
        used["trial"].nunique() if review.comparisons[0].estimand == "between_arm" else len(used)
    ]


@settings(max_examples=6, deadline=None, derandomize=True)
@given(reviews())
def test_the_page_is_written_whatever_is_printed(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[dict[str, Any], list[dict[str, str]]]
) -> None:
    changes, rows = drawn
    folder = tmp_path_factory.mktemp("laws")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        review, read, _ = read_rest(folder / "r", rows, changes)
        made = analyse_review(read.arms, read.contrasts, read.published, review)
        made |= {n: getattr(read, n) for n in ("arms", "contrasts", "published", "risk_of_bias")}
        again = {}
        for name, table in made.items():
            tables.write_csv(table, folder / f"{name}.csv")
            again[name] = tables.read_csv(name, folder / f"{name}.csv")
        saved = save_review(draw_review(again, review), folder / "figures")
        status = {"name": "r", "state": "ready", "problems": []}
        html, _ = page.build(review, status, again, saved)
    words = re.sub(r"<(svg|script).*?</\1>|<[^>]*>", " ", html, flags=re.DOTALL)
    assert not re.search(r"\b(nan|inf)\b", words, re.IGNORECASE)
