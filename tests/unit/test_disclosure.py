"""Small numbers: an adversary reads the released tables."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway.disclosure import PRESETS, release
from tests.unit import pages_builder
from tests.unit.disclosure_attack import attack
from tests.unit.pages_builder import analysed

STRICT = ("opensafely", "cms")  # nhs has the numbers of opensafely, as the last test says
TABLES = ("cohort", "flow", "window_means", "change_histogram", "change_lines")


@cache
def released(name: str, preset: str) -> Any:
    """Release a shipped clinic once for all tests."""
    return pages_builder.released(name, preset)


def small(values: pd.Series, preset: str) -> pd.Series:
    return (values > 0) & (values <= PRESETS[preset].redact_up_to)


@pytest.mark.parametrize("preset", STRICT)
@pytest.mark.parametrize("name", ["demo", "kostecki_dillon_1999"])
def test_no_small_count_is_released(name: str, preset: str) -> None:
    _, before = analysed(name)
    _, out, _ = released(name, preset)
    counts = [before["cohort"]["count"], before["flow"]["n"], before["change_histogram"]["n"]]
    assert any(small(c, preset).any() for c in counts)  # there is something to hide
    for table, columns in (
        ("cohort", ["n", "of", "count"]),
        ("flow", ["n", "of"]),
        ("window_means", ["n"]),
        ("change_histogram", ["n"]),
    ):
        for column in columns:
            assert not small(out[table][column], preset).any(), (table, column)
    assert len(out["change_lines"]) == 0


def test_what_is_released_is_rounded() -> None:
    _, out, _ = released("demo", "opensafely")
    for table, column in (
        ("cohort", "n"),
        ("cohort", "count"),
        ("flow", "n"),
        ("change_histogram", "n"),
    ):
        values = out[table][column].dropna()
        assert (values % 5 == 0).all(), (table, column)


def test_who_is_lost_is_compared_by_the_interval_of_the_fewest_people_printed_so() -> None:
    _, true = analysed("demo")
    _, out, _ = released("demo", "opensafely")
    shown = ~out["lost"]["redacted"] & (out["lost"]["measure"] == "mean")
    printed, before = out["lost"][shown], true["lost"][shown]
    assert len(printed) > 1
    for (_, p), (_, b) in zip(printed.iterrows(), before.iterrows(), strict=True):
        fewer, shown_as = min((b[f"n_{s}"], p[f"n_{s}"]) for s in ("lost", "analysed"))
        fewest = next(n for n in range(1, 200) if n // 5 * 5 + 5 * (n % 5 > 2) == shown_as)
        wider = (fewer / fewest) ** 0.5
        for limit in ("ci_low", "ci_high"):
            right = b["difference"] + wider * (b[limit] - b["difference"])
            assert p[limit] == pytest.approx(right, abs=0.0501)


@pytest.mark.parametrize("preset", STRICT)
def test_a_share_is_that_of_the_released_counts(preset: str) -> None:
    _, out, _ = released("demo", preset)
    rows = out["cohort"]
    shares = rows[rows["statistic"].str.startswith(("responders_", "worsened_"))]
    shown = shares[~shares["redacted"]]
    assert len(shown) > 0
    assert np.allclose(shown["estimate"], 100 * shown["count"] / shown["n"])
    hidden = shares[shares["redacted"]]
    assert hidden[["estimate", "ci_low", "ci_high", "count"]].isna().all(axis=None)


@pytest.mark.parametrize("preset", STRICT)
def test_the_total_of_a_file_is_that_of_the_printed_parts(preset: str) -> None:
    _, out, _ = released("kostecki_dillon_1999", preset)
    flow = out["flow"]
    rows = flow[flow["account"] == "rows"].pivot(index="item", columns="step", values="n")
    parts = rows.drop(columns="in_the_file").fillna(0).sum(axis=1)
    assert (rows["in_the_file"] == parts).all()


@pytest.mark.parametrize("preset", STRICT)
def test_tails_of_a_histogram_hold_no_single_value(preset: str) -> None:
    for name in ("demo", "kostecki_dillon_1999"):
        _, out, _ = released(name, preset)
        for _, part in out["change_histogram"].groupby(["outcome", "comparison"]):
            assert np.isinf(part["bin_low"].iloc[0])
            assert np.isinf(part["bin_high"].iloc[-1])
            assert part["n"].iloc[[0, -1]].fillna(99).gt(PRESETS[preset].redact_up_to).all()


@pytest.mark.parametrize("preset", ["opensafely", "cms"])
@pytest.mark.parametrize("name", ["demo", "kostecki_dillon_1999"])
def test_shipped_clinics_withstand_the_attack(name: str, preset: str) -> None:
    """Subtraction, margins, ladders, steps of the flow: see `disclosure_attack`."""
    _, found = analysed(name)
    _, out, rules = released(name, preset)
    assert attack(out, found, rules).run() == {}


def test_open_presets_let_everything_pass_and_unknown_tables_nothing() -> None:
    _, found = analysed("demo")
    tables = {name: found[name] for name in TABLES}
    for preset in ("internal", "public"):
        out = release(tables, PRESETS[preset])
        assert all(out[name].equals(tables[name]) for name in TABLES)
    with pytest.raises(KeyError, match="no disclosure rule"):
        release({"days": found["change"]}, PRESETS["public"])


def test_the_presets_are_the_published_rules() -> None:
    rules = {n: (p.redact_up_to, p.round_to) for n, p in PRESETS.items()}
    assert rules == {
        "opensafely": (7, 5),
        "cms": (10, 1),
        "nhs": (7, 5),
        "internal": (0, 1),
        "public": (0, 1),
    }
