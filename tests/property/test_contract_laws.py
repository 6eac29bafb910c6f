"""The fast way to hold a table against its contract gives pandera's verdict, whatever is wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.errors import ContractError
from headway.tables import files
from headway.tables.columns import COUNT, KEY, Column, Table

TABLE = Table(
    row="a made-up row",
    columns={
        "code": Column("text", "key", KEY),
        "group": Column("text", "allowed", KEY, nullable=True, allowed=("a", "b")),
        "written": Column("text", "pattern", KEY, pattern=r"x\d+$", nullable=True),
        "n": Column("int", "count", COUNT, low=0, nullable=True),
        "share": Column("float", "share", COUNT, low=0.0, high=100.0),
        "flag": Column("bool", "flag", KEY),
    },
    key=("code", "group"),
)
# pandera's own rules, written out a second time.
SCHEMA = pa.DataFrameSchema(
    {
        "code": pa.Column("str"),
        "group": pa.Column("str", pa.Check.isin(["a", "b"]), nullable=True),
        "written": pa.Column("str", pa.Check.str_matches(r"x\d+$"), nullable=True),
        "n": pa.Column("Int64", pa.Check.ge(0), nullable=True),
        "share": pa.Column("float64", [pa.Check.ge(0), pa.Check.le(100)]),
        "flag": pa.Column("bool"),
    },
    strict=True,
    ordered=True,
    unique=["code", "group"],
)
CELLS = {
    "code": st.sampled_from(["p", "q", "r", "s", None]),
    "group": st.sampled_from(["a", "b", "c", "", None]),
    "written": st.sampled_from(["x1", "x22", "yx1", "x", None]),
    "n": st.sampled_from([0, 3, -1, None]),
    "share": st.sampled_from([0.0, 100.0, 50.5, 100.1, -0.1, np.inf, np.nan]),
    "flag": st.booleans(),
}
GOOD = {
    "code": st.sampled_from("pqrstuvw"),
    "group": st.sampled_from(["a", "b", None]),
    "written": st.sampled_from(["x1", "x22", None]),
    "n": st.sampled_from([0, 3, None]),
    "share": st.sampled_from([0.0, 100.0, 50.5]),
    "flag": st.booleans(),
}
DTYPES = {"code": "str", "group": "str", "written": "str", "n": "Int64", "flag": "bool"}


def make(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Make the table of rows in the contract's types."""
    return pd.DataFrame(
        {c: pd.Series([r[c] for r in rows], dtype=DTYPES.get(c, "float64")) for c in CELLS}
    )


FRAMES = st.one_of(
    st.lists(st.fixed_dictionaries(CELLS), max_size=4),
    st.lists(st.fixed_dictionaries(GOOD), max_size=4),
).map(make)
SHAPES = st.sampled_from(["as it is", "other order", "one too few", "one too many", "other type"])


def verdict(frame: pd.DataFrame) -> bool:
    """Ask pandera."""
    try:
        SCHEMA.validate(frame, lazy=True)
    except (pa.errors.SchemaErrors, pa.errors.SchemaError):
        return False
    return True


@given(frame=FRAMES, shape=SHAPES)
@settings(max_examples=300, deadline=None)
def test_the_verdict_is_panderas(frame: pd.DataFrame, shape: str) -> None:
    if shape == "other order":
        frame = frame[list(frame.columns[::-1])]
    elif shape == "one too few":
        frame = frame.drop(columns="n")
    elif shape == "one too many":
        frame = frame.assign(more=1)
    elif shape == "other type":
        frame = frame.assign(share=frame["share"].astype("str"))
    assert files.is_sound(TABLE, frame) == verdict(frame)


@given(rows=st.lists(st.fixed_dictionaries(GOOD), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_table_that_keeps_the_rules_is_never_explained(rows: list[dict[str, object]]) -> None:
    frame = make(rows).drop_duplicates(["code", "group"], ignore_index=True)
    assert files.is_sound(TABLE, frame)
    held = frame.assign(group=frame["group"].astype("category"))
    assert files.is_sound(TABLE, held)


def test_what_is_broken_is_said_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(files.TABLES, "made_up", TABLE)
    row = {"code": "secret", "group": "a", "written": "x1", "n": -17, "share": 1.0, "flag": True}
    with pytest.raises(ContractError) as caught:
        files.conform("made_up", make([row]))
    (problem,) = caught.value.problems
    assert problem.column == "n"
    assert "17" not in str(caught.value)
    assert "secret" not in str(caught.value)
