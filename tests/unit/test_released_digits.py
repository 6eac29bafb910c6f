"""Numbers that were rounded for release are written with the digits that were released."""

from __future__ import annotations

import pytest

from headway.disclosure import PRESETS
from headway.messages import speaking, write_number, writing_released
from headway.report import formats
from headway.report.clinic.tables import make_table, show_count

ROW = {"estimate": -4.3, "ci_low": -5.1, "ci_high": -3.0, "unit": "days_per_28", "count": None}
ROW |= {"redacted": False, "interval": "interval.t"}


def test_no_zero_is_padded_and_other_numbers_stay_as_they_were() -> None:
    assert formats.interval(ROW).startswith("−4.30 (95 % CI −5.10 to −3.00")
    with writing_released():
        assert formats.interval(ROW).startswith("−4.3 (95 % CI −5.1 to −3.0")
        assert write_number(-4.0, 1) == "−4.0"
        assert write_number(62.46, 1) == "62.5"


def test_three_numbers_that_stand_together_have_equal_decimals() -> None:
    row = ROW | {"estimate": -4.1, "ci_low": -5.12, "ci_high": -3.07, "unit": "sd"}
    with writing_released():
        assert formats.interval(row).startswith("−4.10 (95 % CI −5.12 to −3.07")


def test_no_decimal_is_finer_than_those_beside_it() -> None:
    row = ROW | {"estimate": -0.6, "ci_low": -1.1, "ci_high": -0.011}
    with writing_released():
        assert formats.interval(row, 1).startswith("−0.6 (95 % CI −1.1 to 0.0")
        assert write_number(-0.01, 1) == "−0.01"


def test_a_share_of_days_is_whole_where_it_was_released_whole() -> None:
    row = ROW | {"estimate": 83.0, "ci_low": None, "unit": "percent_of_days"}
    with writing_released():
        assert formats.interval(row, 1) == "83"


@pytest.mark.parametrize(
    ("language", "words"), [("en", "rounded to 5"), ("es", "de 5"), ("de", "von 5")]
)
def test_a_table_of_rounded_counts_says_so_once(language: str, words: str) -> None:
    for preset in PRESETS.values():
        with speaking(language):
            table = make_table("n", [""], [["all", show_count(40.0, False, preset)]])
        assert (words in table["counts"]) == (preset.round_to == 5)
    assert make_table("n", [""], [["all"]])["counts"] == ""
