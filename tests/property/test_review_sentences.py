"""Whatever few trials print: no sentence of a review's page holds what is not a number."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from headway.messages import LANGUAGES, speaking
from headway.report.review import page
from headway.report.review.sentences import say_estimates, say_heterogeneity
from headway.reviews.analyse import analyse_review
from tests.property.test_review_laws import COLUMNS, read_rest, reviews

# A number that is none, a value that is none, and a place that was not filled.
WRONG = re.compile(r"\b(nan|inf|none|null)\b|[{}]", re.IGNORECASE)
# A dash that stands for a number.
DASH = re.compile(r"(?<!\w)–(?!\w)")


def _row(
    i: int, role: str, condition: str, kind: str, n: int, mean: float, sd: float
) -> dict[str, str]:
    treated = role == "treatment"
    return dict.fromkeys(COLUMNS, "") | {
        "trial": f"T{i}", "year": "2001", "condition": condition, "arm": role, "role": role,
        "technique": "manual" if treated else "", "comparator": "" if treated else "sham",
        "outcome": "frequency", "unit": "days_per_28", "timepoint": "end", "time_days": "84",
        "kind": kind, "n": str(n), "mean": f"{mean:.1f}", "sd": f"{sd:.1f}",
        "baseline_n": str(n), "baseline_mean": "12.0", "baseline_sd": "4", "events": str(n // 4),
        "r": "0.6", "positive_means": "worse", "status": "retrieved", "source": "T",
    }  # fmt: skip


@st.composite
def small(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """One to six sound trials in up to three conditions, by any model."""
    measure = draw(st.sampled_from(["MD", "SMD", "MC", "SMCR", "RR", "OR", "RD"]))
    alike = draw(st.booleans())
    rows = []
    for i in range(draw(st.integers(1, 6))):
        condition = draw(st.sampled_from(["migraine", "tension", "mixed"]))
        for role in ("treatment", "control"):
            mean = 8.0 if alike else draw(st.floats(0, 28))
            n, sd = draw(st.integers(2, 60)), draw(st.floats(0.1, 12))
            kind = "events" if measure in ("RR", "OR", "RD") else "final"
            rows.append(_row(i, role, condition, kind, n, mean, sd))
    method, test = draw(
        st.sampled_from(
            [("EE", "z"), ("DL", "z"), ("REML", "adhoc"), ("REML", "kr"), ("PM", "knha")]
        )
    )
    comparison = {
        "id": "main", "label": "A v B", "outcome": "frequency", "measure": measure,
        "estimand": "within_arm" if measure in ("MC", "SMCR") else "between_arm",
        "subgroup_by": draw(st.sampled_from(["none", "condition"])),
    }  # fmt: skip
    changes = {
        "comparisons": [comparison],
        "model": {"method": method, "test": test},
        "findings": [{"comparison": "main", "meaningful": {"value": 1, "source": "T"}}],
        "assumed_r": {"value": 0.6},
    }
    return changes, rows


def _check(folder: Path, changes: dict[str, Any], rows: Sequence[dict[str, str]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        review, read, _ = read_rest(folder / "r", list(rows), changes)
        made = analyse_review(
            read.arms, read.contrasts, read.published, review, read.risk_of_bias, explore=False
        )
    made |= {n: getattr(read, n) for n in ("arms", "contrasts", "published", "risk_of_bias")}
    status = {"name": "r", "state": "ready", "problems": []}
    comparison = review.comparisons[0]
    own, declared = made["effects"], made["pooled"][made["pooled"]["declared"]]
    for language in LANGUAGES:
        with speaking(language):
            html, card = page.build(review, status, made, [])
            sentences = say_estimates(comparison, own, declared)
            sentences += [
                say_heterogeneity(row, comparison, own)
                for row in declared.to_dict("records")
                if row["k"] > 1
            ]
        words = re.sub(r"<(style|svg|script).*?</\1>|<[^>]*>", " ", html, flags=re.DOTALL)
        found = WRONG.findall(" ".join([words, *card["headline"]]).replace("none of", ""))
        assert not [w for w in found if w.lower() in ("nan", "inf", "{", "}")], found
        for text in sentences:
            assert not WRONG.search(text.replace("none of", "").replace("that there are none", ""))
            assert not DASH.search(text), text
        for row, text in zip(declared.to_dict("records"), sentences, strict=False):
            if row["k"] < 3:
                assert row["pi_low"] != row["pi_low"] and row["pi_high"] != row["pi_high"]
            assert text.count("(") == text.count(")")


@settings(max_examples=30, deadline=None, derandomize=True)
@given(small())
def test_sentences_of_small_reviews(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[dict[str, Any], list[dict[str, str]]]
) -> None:
    _check(tmp_path_factory.mktemp("small"), *drawn)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(reviews())
def test_sentences_of_hostile_reviews(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[dict[str, Any], list[dict[str, str]]]
) -> None:
    _check(tmp_path_factory.mktemp("hostile"), *drawn)
