"""GRIM and GRIMMER against every sample there is, and against the papers' own examples."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.reviews.integrity import granularity


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("decimals", [1, 2])
def test_exactly_the_means_that_some_sample_has_are_possible(n: int, decimals: int) -> None:
    values = range(6)
    samples = [np.array(s, float) for s in combinations_with_replacement(values, n)]
    means = {round(float(s.mean()) + 1e-12, decimals) for s in samples}
    means |= {round(float(s.mean()) - 1e-12, decimals) for s in samples}
    for i in range(5 * 10**decimals + 1):
        mean = i / 10**decimals
        assert granularity.check_mean(mean, n, 1.0, decimals) == (mean in means), mean


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_every_sample_has_a_possible_sd_and_few_others_do(n: int) -> None:
    # Values are not bounded for GRIMMER, so that it may let an SD pass that 0 to 7 cannot give.
    samples = [np.array(s, float) for s in combinations_with_replacement(range(8), n)]
    seen = {(round(float(s.mean()), 2), round(float(s.std(ddof=1)), 2)) for s in samples}
    for mean, sd in seen:
        assert granularity.check_sd(mean, sd, n, 1.0, 2, 2), (mean, sd)
    rng = np.random.default_rng(n)
    wrong = 0
    for mean, _ in list(seen)[:60]:
        sd = round(float(rng.uniform(0.3, 3.0)), 2)
        wrong += not granularity.check_sd(mean, sd, n, 1.0, 2, 2)
    assert wrong > 30  # most SDs taken at random are impossible in so small a sample


def test_the_example_of_the_grim_paper() -> None:
    # Brown and Heathers 2017: 28 people on a whole-number scale cannot have a mean of 5.19.
    assert not granularity.check_mean(5.19, 28, 1.0, 2)
    assert granularity.check_mean(5.18, 28, 1.0, 2)
    assert granularity.check_mean(5.21, 28, 1.0, 2)


def test_the_example_of_the_grimmer_papers() -> None:
    # Allard 2018: n 18, mean 3.44, SD 2.47 is impossible while the mean passes GRIM.
    assert granularity.check_mean(3.44, 18, 1.0, 2)
    assert not granularity.check_sd(3.44, 2.47, 18, 1.0, 2, 2)


def test_a_spread_below_that_of_the_most_even_split_is_impossible() -> None:
    # Ten people with a mean of 1.5: at best five have 1 and five have 2, an SD of 0.53 (0.50).
    even = [1] * 5 + [2] * 5
    for ddof in (0, 1):
        least = round(float(np.std(even, ddof=ddof)), 2)
        assert granularity.check_sd(1.5, least, 10, 1.0, 1, 2)
    assert not any(granularity.check_sd(1.5, sd / 100, 10, 1.0, 1, 2) for sd in range(50))
    # With a mean of 1.3 seven have 1 and three have 2.
    least = round(float(np.std([1] * 7 + [2] * 3)), 2)
    assert granularity.check_sd(1.3, least, 10, 1.0, 1, 2)
    assert not any(granularity.check_sd(1.3, sd / 100, 10, 1.0, 1, 2) for sd in range(46))


@given(
    st.lists(st.integers(0, 28), min_size=2, max_size=60),
    st.sampled_from([0.25, 0.5, 1.0, 5.0]),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_no_real_sample_is_ever_doubted(
    steps: list[int], step: float, decimals: int, sd_decimals: int
) -> None:
    values = np.array(steps, dtype=float) * step
    mean = round(float(values.mean()), decimals)
    assert granularity.check_mean(mean, len(steps), step, decimals)
    for ddof in (0, 1):
        sd = round(float(values.std(ddof=ddof)), sd_decimals)
        assert granularity.check_sd(mean, sd, len(steps), step, decimals, sd_decimals)


def test_large_samples_are_beyond_the_test() -> None:
    assert granularity.has_power(20, 1.0, 2)
    assert not granularity.has_power(200, 1.0, 2)
