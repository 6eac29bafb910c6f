"""A number and its limits are written with equal decimals, wherever they stand together."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.messages import Message, say, write_number, writing_released
from headway.outcomes.expectation.verdict import read_verdict
from headway.report import formats
from headway.report.clinic.answer import in_ten
from headway.report.clinic.care import list_claims, list_dose
from headway.report.clinic.tables import share_row, show_ends
from tests.unit.pages_builder import released

ROW = {"redacted": False, "interval": "interval.t", "count": float("nan"), "unit": "hours"}


def decimals(text: str) -> set[int]:
    return {len(n.partition(".")[2]) for n in re.findall(r"\d+(?:\.\d+)?", text)}


def test_a_small_value_takes_its_limits_along() -> None:
    assert show_ends(-0.049, -0.2, 0.1) == "−0.05 (−0.20 to 0.10)"
    assert show_ends(66.7, 0.38, 100.0, 0, " %") == "66.7 % (0.4 to 100.0)"
    assert formats.ends(-0.049, 1.25, 1) == {"low": "−0.05", "high": "1.25"}
    row = ROW | {"estimate": 0.3, "ci_low": -0.004, "ci_high": 0.6}
    assert formats.interval(row, 1).startswith("0.300 (95 % CI −0.004 to 0.600")
    shares = {"label": "x", "note": "", "n": 900, "redacted": False, "count": 1}
    shares |= {"estimate": 0.11, "ci_low": 0.02, "ci_high": 0.63}
    assert "0.11 % (95 % CI 0.02 to 0.63" in share_row(shares, released("demo")[2])[3]


def test_what_is_there_without_a_value_is_one_dash() -> None:
    assert show_ends(float("nan"), float("nan"), float("nan"), 0, " %") == "–"
    assert show_ends(94.0, float("nan"), float("nan"), 0, " %") == "94 %"


@given(st.floats(-30, 30), st.floats(0, 10), st.integers(0, 2))
def test_any_value_and_its_limits_have_equal_decimals(value: float, half: float, d: int) -> None:
    three = (value, value - half, value + half)
    if all(abs(v) > 10.0 ** -(d + 2) or v == 0 for v in three):
        assert len(decimals(show_ends(*three, d))) == 1
        written = [write_number(v, d, three) for v in three]
        assert all(
            (w.strip("−0.") == "0" or float(w.replace("−", "-")) != 0) or v == 0
            for w, v in zip(written, three, strict=True)
        )


def test_numbers_of_a_release_get_no_decimal_that_was_not_released() -> None:
    with writing_released():
        assert show_ends(-0.04, -0.21, 0.1) == "−0.04 (−0.21 to 0.10)"
        assert show_ends(-0.6, -1.1, -0.011) == "−0.6 (−1.1 to 0.0)"


def test_signed_numbers_of_one_sentence_have_equal_decimals() -> None:
    row = Message("verdict.row", source="x", difference=0.03, low=-1.25, high=1.31)
    assert say(row) == "+0.03 (−1.25 to +1.31) from x"


@pytest.mark.parametrize(
    ("percent", "words"),
    [
        (4.9, "Fewer than 1 in 20"),
        (5.3, "About 1 in 20"),
        (9.3, "About 1 in 10"),
        (94.0, "About 19 in 20"),
        (91.0, "About 9 in 10"),
    ],
)
def test_a_share_in_words_is_near_the_share(percent: float, words: str) -> None:
    assert in_ten(percent) == words


def test_tables_read_from_files_name_their_sources_in_words() -> None:
    _, out, _ = released("demo")
    expected = out["expected"].copy()
    expected["label"] = expected["label"].map(str)  # as a file holds it
    said = say(read_verdict(expected).message)
    assert "source." not in said and "{" not in said
    assert "both windows before treatment" in said


def test_no_two_rows_of_the_claims_read_alike() -> None:
    _, out, preset = released("demo")
    made = list_claims(out["claims"].astype({"part": str}), preset)
    assert made is not None
    read = [tuple(row["cells"][:2]) for row in made["rows"]]
    assert len(set(read)) == len(read)
    assert any("technique: dry needling" in what for _, what in read)
    assert all(row["cells"][2] != "–" for row in made["rows"])


def test_a_third_is_named_once() -> None:
    _, out, preset = released("demo")
    made = list_dose(out["dose"], preset)
    assert made is not None
    assert all(
        not row["cells"][1].endswith((", least", ", middle", ", most")) for row in made["rows"]
    )
