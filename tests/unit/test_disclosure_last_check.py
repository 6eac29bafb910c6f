"""The last check of disclosure control, on tables whose own rules have been forgotten."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from headway.disclosure.change import follow_from_shares
from headway.disclosure.classes import deny
from headway.disclosure.presets import PRESETS
from headway.disclosure.suppress import Ledger
from headway.tables import TABLES

NAN = math.nan
# Up to 7 people are hidden; other numbers are printed to the nearest 5.
PRESET = PRESETS["opensafely"]


def make(table: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows).reindex(columns=list(TABLES[table].columns))
    return frame.assign(redacted=False)


def test_every_number_that_breaks_a_rule_is_blank_and_its_row_is_marked() -> None:
    good = {"mean": 12.3, "ci_low": 11.1, "ci_high": 13.5, "p25": 8.0, "p75": 16.0}
    printed = {"right": 40, "small": 5, "exact": 43, "hidden": 50, "digits": 40, "few": 20}
    people = {"right": 41, "small": 6, "exact": 43, "hidden": 50, "digits": 40, "few": 21}
    rows = [{"window": name, **good, "n": float(n)} for name, n in printed.items()]
    frame = make("window_means", rows)
    frame.loc[4, "mean"] = 12.34
    true = frame.assign(n=[float(n) for n in people.values()])
    ledger = Ledger(PRESET)
    names = {("window_means", "n"): [ledger.add(*item) for item in people.items()]}
    ledger.hidden = {"small", "hidden"}
    found = deny("window_means", frame.copy(), true, names, ledger).set_index("window")

    blank = found[["n", *good]].isna()
    assert not blank.loc["right"].any()
    assert blank.loc["small"].all()
    assert list(blank.columns[blank.loc["digits"]]) == ["mean"]
    # Quartiles are numbers of single people: of 28 people or fewer they are not printed.
    assert list(blank.columns[blank.loc["few"]]) == ["p25", "p75"]
    # Without the number of people that it stands on, nothing of the row is printed.
    assert blank.loc["exact"].all() and blank.loc["hidden"].all()
    assert found["redacted"].to_dict() == {name: name != "right" for name in printed}
    kept = found.loc["right", list(good)].to_dict()
    assert kept == good and found.loc["right", "n"] == 40


def test_shares_and_their_difference_follow_from_the_counts_beside_them() -> None:
    shown = {"n_analysed": 60.0, "count_analysed": 15.0, "n_lost": 20.0, "count_lost": 10.0}
    row = {"characteristic": "sex", "level": "f", "value_analysed": 24.6, "value_lost": 52.4}
    differences = {"right": 25.0, "of exact numbers": 27.8}
    frame = make("lost", [{**shown, **row, "difference": d} for d in differences.values()])
    found = deny("lost", frame.copy(), frame, {}, Ledger(PRESET))
    assert found["value_analysed"].tolist() == [25.0] * 2
    assert found["value_lost"].tolist() == [50.0] * 2
    assert found["difference"].isna().tolist() == [False, True]
    assert found["redacted"].tolist() == [False, True]


def test_shares_and_their_standardised_difference_by_hand() -> None:
    counts = {"count_lost": 8.0, "n_lost": 20.0, "count_analysed": 12.0, "n_analysed": 60.0}
    found = follow_from_shares(pd.DataFrame([counts]))
    told = {name: float(np.asarray(values)[0]) for name, values in found.items()}
    assert math.isclose(told["value_lost"], 40) and math.isclose(told["value_analysed"], 20)
    # (0.4 - 0.2) over the root of the mean of 0.4 x 0.6 and 0.2 x 0.8 (Austin 2009).
    spread = math.sqrt((0.4 * 0.6 + 0.2 * 0.8) / 2)
    assert math.isclose(told["standardised_difference"], 0.2 / spread)
