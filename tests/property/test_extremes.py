"""Whatever numbers come, up to the ends of floating point: an answer that can be, or a refusal."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from headway import meta

METHODS = [method for method in meta.METHODS if method != "GENQ"]
FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        meta.baujat,
        meta.confint_tau2,
        meta.cumulate,
        meta.excess_significance,
        meta.find_outliers,
        meta.henmi_copas,
        meta.influence,
        meta.leave_one_out,
        meta.pet_peese,
        meta.rank_test,
        meta.regression_test,
        meta.select_by_steps,
        meta.shrink,
        meta.standardise_residuals,
        meta.trim_and_fill,
    )
}
searching = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def studies(effects: Any, variances: Any) -> Any:
    """Draw up to eight studies; now and then all effects are the same."""
    several = st.lists(st.tuples(effects, variances), max_size=8)
    return st.tuples(several, st.booleans()).map(
        lambda drawn: (
            np.array([drawn[0][0][0] if drawn[1] else y for y, _ in drawn[0]], dtype=float),
            np.array([v for _, v in drawn[0]], dtype=float),
        )
    )


ENDS = studies(
    st.floats(-1e308, 1e308) | st.sampled_from([0.0, 1.0, -1.0, 5e-324]),
    st.floats(0, 1e308) | st.sampled_from([0.0, 1.0, 5e-324, 1e-300, 1e300]),
)
FAR = studies(
    st.floats(-1e9, 1e9) | st.sampled_from([0.0, 1.0, -1.0, 1e-12]),
    st.floats(1e-12, 1e12) | st.sampled_from([1.0, 1e-8, 1e8]),
)


def check(found: Any) -> None:
    """Assert that limits enclose their estimate, and that nothing is where it cannot be."""

    def read(name: str) -> np.ndarray:
        return np.ravel(np.asarray(getattr(found, name, np.nan), dtype=float))

    for low, middle, high in (
        ("ci_low", "estimate", "ci_high"),
        ("tau2_low", "tau2_high", "tau2_high"),
    ):
        assert not np.any(read(low) > read(middle)), low
        assert not np.any(read(middle) > read(high)), high
    for name in ("p_value", "q_p_value"):
        assert not np.any((read(name) < 0) | (read(name) > 1)), name
    for name in ("tau2", "se", "q"):
        assert not np.any(read(name) < 0), name


def answer(function: Callable[..., Any], *arguments: Any, **settings: Any) -> None:
    """Check an answer; a ValueError says what cannot be computed."""
    try:
        found = function(*arguments, **settings)
    except ValueError:
        return
    check(found)


@pytest.mark.parametrize("method", METHODS)
@given(data=ENDS, test=st.sampled_from(["z", "t", "knha", "adhoc", "kr"]))
@searching
def test_pooling_to_the_ends_of_floating_point(method: str, data: Any, test: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        answer(meta.pool, *data, method=method, test=test)


@pytest.mark.parametrize("method", METHODS)
@given(data=FAR, test=st.sampled_from(["z", "t", "knha", "adhoc", "kr"]))
@searching
def test_pooling_far_values_without_a_warning(method: str, data: Any, test: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer(meta.pool, *data, method=method, test=test)


@pytest.mark.parametrize("name", FUNCTIONS)
@given(data=ENDS)
@searching
def test_all_else_to_the_ends_of_floating_point(name: str, data: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        answer(FUNCTIONS[name], *data)


@pytest.mark.parametrize("name", FUNCTIONS)
@given(data=FAR)
@searching
def test_all_else_of_far_values_without_a_warning(name: str, data: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer(FUNCTIONS[name], *data)
