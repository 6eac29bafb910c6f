"""Means and SDs from quantiles against R's metafor 5.1 (conv.fivenum), and SEs from intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway.effects import recover
from headway.meta import se_from_ci
from tests.golden.ledger import read_answers


@pytest.fixture(scope="module")
def stored(source: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_answers(source, "oracle_metafor_5.1.json")["conversions"]
    return found


def read(values: list[Any]) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], dtype=float)


# Hozo 2005, Bland 2015 and Walter 2007 are not offered: they are the less exact forerunners.
NOT_OFFERED = {"hozo2005", "bland2015", "walter2007"}


@pytest.mark.parametrize(
    ("name", "mean_weights", "sd_weights"),
    [("luo/wan/shi", "luo", "shi"), ("wan2014", "wan", "wan")],
)
def test_every_stored_conversion(
    stored: dict[str, Any], name: str, mean_weights: Any, sd_weights: Any
) -> None:
    cases = stored["fivenum"]["input"]
    a, q1, m, q3, b, n = (
        read([case[k] for case in cases]) for k in ("min", "q1", "median", "q3", "max", "n")
    )
    five, ranges = np.isfinite(a) & np.isfinite(q1), np.isfinite(a)
    mean = np.select(
        [five, ranges],
        [
            recover.mean_from_five(a, q1, m, q3, b, n, weights=mean_weights),
            recover.mean_from_range(a, m, b, n, weights=mean_weights),
        ],
        recover.mean_from_quartiles(q1, m, q3, n, weights=mean_weights),
    )
    sd = np.select(
        [five, ranges],
        [
            recover.sd_from_five(a, q1, m, q3, b, n, weights=sd_weights),
            recover.sd_from_range(a, b, n),
        ],
        recover.sd_from_iqr(q1, q3, n),
    )
    expected = stored["fivenum"][name]
    # Closed forms: only the normal quantile is computed, to the last digits of a float.
    np.testing.assert_allclose(mean, read(expected["mean"]), rtol=1e-13)
    np.testing.assert_allclose(sd, read(expected["sd"]), rtol=1e-13)
    assert len(cases) in (45, 72)


def test_nothing_of_the_section_is_left_out(stored: dict[str, Any]) -> None:
    assert set(stored) == {"fivenum", "wald"}
    assert set(stored["fivenum"]) - NOT_OFFERED == {"input", "luo/wan/shi", "wan2014"}


def test_variances_of_the_six_published_intervals(stored: dict[str, Any]) -> None:
    limits = [
        (-4.91, -2.09),
        (-3.03, -0.8),
        (-19.49, -6.17),
        (-19.54, -7.66),
        (-0.97, -0.04),
        (-14.41, -6.95),
    ]
    low, high = np.array(limits).T
    np.testing.assert_allclose(se_from_ci(low, high) ** 2, stored["wald"]["vi"], rtol=1e-12)
    n = np.full(6, np.nan)
    np.testing.assert_allclose(
        recover.se_of_difference(low, high, n) ** 2, stored["wald"]["vi"], rtol=1e-12
    )
