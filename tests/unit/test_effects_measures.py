"""Effect sizes: closed forms worked by hand, edges, and refusals."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from headway import effects
from headway.effects import escalc, hedges_j

TWO = {"n1": 12, "mean1": 4.0, "sd1": 2.0, "n2": 10, "mean2": 6.0, "sd2": 2.0}
PAIRED = {"n": 10, "mean1": 4.0, "mean2": 6.0, "sd1": 2.0, "sd2": 2.0, "r": 0.5}
COUNTS = {"a": 4, "b": 119, "c": 11, "d": 128}


def test_j_has_its_closed_forms() -> None:
    # gamma(1) / (sqrt(1) gamma(1/2)), gamma(3/2) / (sqrt(3/2) gamma(1)), gamma(2) / (sqrt(2)
    # gamma(3/2)).
    expected = [1 / math.sqrt(math.pi), math.sqrt(math.pi / 6), math.sqrt(2 / math.pi)]
    assert hedges_j([2, 3, 4]) == pytest.approx(expected, rel=1e-15)


def test_j_is_accurate_for_large_samples() -> None:
    # Where the series takes over it must meet the gamma functions, and far out 1 - 3/(4m).
    below, above = hedges_j([500.0, np.nextafter(500.0, 501.0)])
    assert above == pytest.approx(below, rel=1e-12)
    assert 1 - hedges_j(1e8) == pytest.approx(0.75e-8, rel=1e-7)
    assert hedges_j(1e300) == 1


def test_j_of_one_degree_of_freedom_is_undefined() -> None:
    assert np.isnan(hedges_j(1))
    assert np.isnan(hedges_j(np.nan))
    with pytest.raises(ValueError, match="m must be at least 1: see position 1 "):
        hedges_j([2, 0.5])


def test_md_and_smd_by_hand() -> None:
    yi, vi = escalc("MD", **TWO)
    assert float(yi) == -2
    assert float(vi) == pytest.approx(4 / 12 + 4 / 10)
    assert float(escalc("MD", **TWO, vtype="HO").vi) == pytest.approx(4 / 12 + 4 / 10)
    j = float(hedges_j(20))
    yi, vi = escalc("SMD", **TWO)
    assert float(yi) == pytest.approx(-j)
    assert float(vi) == pytest.approx(1 / 12 + 1 / 10 + j**2 / 44)
    yi, vi = escalc("SMD", **TWO, correct=False)
    assert float(yi) == -1


def test_change_measures_by_hand() -> None:
    # With r = 1/2 and SDs of 2, the SD of the change is 2 as well.
    j = float(hedges_j(9))
    assert [float(x) for x in escalc("MC", **PAIRED)] == pytest.approx([-2, 0.4])
    assert [float(x) for x in escalc("SMCC", **PAIRED)] == pytest.approx([-j, 0.1 + j**2 / 20])
    assert [float(x) for x in escalc("SMCR", **PAIRED)] == pytest.approx([-j, 0.1 + j**2 / 20])
    assert [float(x) for x in escalc("SMCRH", **PAIRED)] == pytest.approx([-j, 1 / 9 + j**2 / 18])
    cv1, cv2 = 2 / 4, 2 / 6
    yi, vi = escalc("ROMC", **PAIRED)
    assert float(yi) == pytest.approx(math.log(4 / 6) + (cv1**2 - cv2**2) / 20)
    assert float(vi) == pytest.approx((cv1**2 + cv2**2 - cv1 * cv2) / 10)
    assert float(escalc("ROMC", **PAIRED, correct=False).yi) == pytest.approx(math.log(4 / 6))


def test_unbiased_variance_of_a_raw_change() -> None:
    # metafor refuses this one without an extra package; here against its definition.
    j = float(hedges_j(9))
    vi = float(escalc("SMCR", **PAIRED, vtype="UB").vi)
    assert vi == pytest.approx(0.1 + (1 - 7 / (9 * j**2)) * j**2)


def test_sd_of_change_may_be_given_instead_of_r() -> None:
    direct = escalc("SMCC", n=10, mean1=-2.0, mean2=0.0, sd1=2.0, sd2=0.0, r=0.0)
    assert float(direct.yi) == pytest.approx(float(escalc("SMCC", **PAIRED).yi))


def test_counts_by_hand() -> None:
    # First trial of the BCG vaccine review; log risk ratio and variance as printed by
    # Viechtbauer (2010), section 3.1.
    yi, vi = escalc("RR", **COUNTS)
    assert float(yi) == pytest.approx(-0.8893, abs=5e-5)
    assert float(vi) == pytest.approx(0.3256, abs=5e-5)
    yi, vi = escalc("OR", **COUNTS)
    assert float(yi) == pytest.approx(math.log(4 * 128 / (11 * 119)))
    assert float(vi) == pytest.approx(1 / 4 + 1 / 119 + 1 / 11 + 1 / 128)
    yi, vi = escalc("RD", **COUNTS)
    assert float(yi) == pytest.approx(4 / 123 - 11 / 139)


def test_zero_cells_follow_the_named_option() -> None:
    counts = {"a": [0, 4], "b": [10, 6], "c": [3, 5], "d": [7, 5]}
    plain = {name: value[1] for name, value in counts.items()}
    touched = escalc("OR", **{k: np.array(v) + 0.5 for k, v in counts.items()}, to="none").yi
    only0 = escalc("OR", **counts).yi
    assert only0[0] == pytest.approx(touched[0])
    assert only0[1] == pytest.approx(float(escalc("OR", **plain).yi))
    assert escalc("OR", **counts, to="if0all").yi == pytest.approx(touched)
    assert escalc("OR", **counts, to="all").yi == pytest.approx(touched)
    assert float(escalc("OR", **plain, to="if0all").yi) == pytest.approx(only0[1])
    yi, vi = escalc("OR", **counts, to="none")
    assert np.isnan([yi[0], vi[0]]).all()
    assert np.isfinite(yi[1])
    quarter = escalc("OR", **counts, add=0.25).yi[0]
    assert quarter == pytest.approx(math.log(0.25 * 7.25 / (10.25 * 3.25)))


@pytest.mark.parametrize("measure", ["MD", "SMD", "ROM"])
def test_nan_in_gives_nan_out_in_its_place_only(measure: str) -> None:
    for name in TWO:
        arguments = {key: np.array([value, value]) for key, value in TWO.items()}
        arguments[name] = arguments[name].astype(float)
        arguments[name][0] = np.nan
        yi, vi = escalc(measure, **arguments)
        assert np.isnan([yi[0], vi[0]]).all()
        assert np.isfinite([yi[1], vi[1]]).all()


def test_missing_studies_do_not_enter_the_average_of_av() -> None:
    arguments = {key: np.array([value, value, np.nan]) for key, value in TWO.items()}
    vi = escalc("SMD", **arguments, vtype="AV").vi
    assert vi[:2] == pytest.approx([float(escalc("SMD", **TWO).vi)] * 2)
    assert np.isnan(vi[2])


def test_undefined_measures_are_nan_never_infinite() -> None:
    flat = TWO | {"sd1": 0.0, "sd2": 0.0}
    opposite = TWO | {"mean2": -6.0}
    zero = TWO | {"mean2": 0.0}
    for effect in (escalc("SMD", **flat), escalc("ROM", **opposite), escalc("ROM", **zero)):
        assert np.isnan([effect.yi, effect.vi]).all()
    # Two patients leave one degree of freedom: no corrected standardised change.
    assert np.isnan(escalc("SMCR", **(PAIRED | {"n": 2})).yi)
    assert float(escalc("MC", **(PAIRED | {"n": 2})).yi) == -2


def test_perfect_correlation_never_gives_a_negative_variance() -> None:
    sd = np.array([0.1, 0.3, 1.1, 7.7])
    vi = escalc("MC", n=10, mean1=1.0, mean2=0.0, sd1=sd, sd2=sd, r=1.0).vi
    assert (vi >= 0).all()


@pytest.mark.parametrize(
    ("measure", "base", "name", "bad", "rule"),
    [
        ("MD", TWO, "n1", 1, "at least 2"),
        ("SMD", TWO, "n2", -3, "at least 2"),
        ("MD", TWO, "sd1", -9.75, "at least 0"),
        ("ROM", TWO, "mean2", np.inf, "finite"),
        ("MC", PAIRED, "n", 1.5, "at least 2"),
        ("SMCR", PAIRED, "r", 9.75, "between -1 and 1"),
        ("SMCC", PAIRED, "sd2", -9.75, "at least 0"),
        ("RR", COUNTS, "c", -9.75, "at least 0"),
    ],
)
def test_impossible_input_names_argument_and_positions_never_the_value(
    measure: str, base: dict[str, float], name: str, bad: float, rule: str
) -> None:
    arguments = {key: np.full(3, float(value)) for key, value in base.items()}
    arguments[name][[0, 2]] = bad
    if measure == "SMCR":
        del arguments["sd2"]
    with pytest.raises(ValueError, match=f"^{name} must be {rule}.*positions 0, 2 ") as error:
        escalc(measure, **arguments)
    assert "9.75" not in str(error.value)


def test_positions_are_those_of_the_argument_and_are_not_endless() -> None:
    with pytest.raises(ValueError, match=r"sd1 must be at least 0.*and 15 more"):
        escalc("MD", **(TWO | {"sd1": np.full(25, -1.0)}))
    with pytest.raises(ValueError, match=r"position \(1, 0\)"):
        escalc("MD", **(TWO | {"sd1": np.array([[1.0], [-1.0]])}))
    with pytest.raises(ValueError, match="see a single value"):
        escalc("MD", **(TWO | {"sd1": -1.0}))


def test_wrong_calls_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"measure must be one of .*'SMD'.* not 'g'"):
        escalc("g", **TWO)
    with pytest.raises(ValueError, match=r"not given: \['n2', 'mean2', 'sd2'\]"):
        escalc("MD", n1=3, mean1=1, sd1=1)
    with pytest.raises(ValueError, match=r"does not take \['r'\]"):
        escalc("MD", **TWO, r=0.5)
    with pytest.raises(ValueError, match=r"vtype for MD must be one of \['LS', 'HO'\]"):
        escalc("MD", **TWO, vtype="UB")
    with pytest.raises(ValueError, match="to must be one of"):
        escalc("RR", **COUNTS, to="only")
    with pytest.raises(ValueError, match="add must be"):
        escalc("RR", **COUNTS, add=-1)
    with pytest.raises(ValueError, match="one shape or broadcast: n1"):
        escalc("MD", **(TWO | {"n1": [3, 3], "n2": [3, 3, 3]}))
    with pytest.raises(ValueError, match=r"^sd1 must be numbers$"):
        escalc("MD", **(TWO | {"sd1": "private"}))
    with pytest.raises(ValueError, match="measure must be one of"):
        effects.measure_two_group_means("RR", **TWO)
    with pytest.raises(ValueError, match="measure must be one of"):
        effects.measure_two_by_two("MD", **COUNTS)


def test_result_unpacks_keeps_shape_and_names_its_definition() -> None:
    grid = {key: np.full((2, 3), float(value)) for key, value in TWO.items()}
    result = escalc("SMD", **grid)
    yi, vi = result
    assert yi.shape == vi.shape == (2, 3)
    assert (result.measure, result.vtype) == ("SMD", "LS")
    assert "Hedges g" in result.definition
    assert "large sample" in repr(result)
    assert escalc("MD", **(TWO | {"n1": [12, 30]})).yi.shape == (2,)
    assert isinstance(escalc("MD", **TWO).yi, np.ndarray)
    assert "5.1" in escalc("SMCRH", **PAIRED).definition
    assert "0.5 added" in escalc("RR", **COUNTS).definition


def test_empty_input_gives_empty_output() -> None:
    for measure, base in (("SMD", TWO), ("ROMC", PAIRED), ("OR", COUNTS)):
        yi, vi = escalc(measure, **{name: [] for name in base})
        assert yi.shape == vi.shape == (0,)


def test_import_loads_no_heavy_library() -> None:
    code = (
        "import sys, headway.effects; heavy = {'pandas', 'scipy.stats', 'statsmodels', "
        "'matplotlib', 'scipy.optimize'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
