"""A column is released as its class says, also one that no rule of its table names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from headway import tables
from headway.disclosure import PRESETS, release
from headway.disclosure.suppress import Ledger
from headway.errors import ContractError
from headway.messages import Message, join, known
from headway.tables import CONSTANT, KEY, PUBLISHED, ROW_LEVEL, TABLES, Column, Disclosure
from headway.tables.columns import count, estimate, flag, key, number, published, share, text
from headway.tables.places import PLACES
from tests.unit.simulated_clinic import CLINIC, simulated

CLOSED = ("opensafely", "cms", "nhs")
FEW = 3.0
# The count that an estimate or a share of a new column stands on.
PEOPLE = {
    "individual": "n",
    "lost": "n_analysed",
    "relapse_curve": "at_risk",
    "change_lines": "",
}


@contextmanager
def declared(table: str, **columns: Column) -> Iterator[None]:
    """Add columns to a contract for a while."""
    simulated(*CLINIC)  # kept, and made without them
    own = TABLES[table].columns
    own.update(columns)  # type: ignore[attr-defined]
    try:
        TABLES[table].check()
        yield
    finally:
        for name in columns:
            del own[name]  # type: ignore[attr-defined]


def released(table: str, preset: str, **columns: object) -> pd.DataFrame:
    """Release a table of a simulated clinic with new columns, beside the people they are of."""
    found = simulated(*CLINIC)[1]
    return release({table: found[table].assign(**columns)}, PRESETS[preset])[table]


def own_rows(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    own = TABLES[table].own
    return frame if own is None else frame[frame[own[0]] == own[1]]


@pytest.mark.parametrize("preset", CLOSED)
@pytest.mark.parametrize("table", tables.RELEASED)
def test_a_new_column_is_released_as_its_class_says(table: str, preset: str) -> None:
    """One column of every class, small counts in it where there can be."""
    n = PEOPLE.get(table, "n")
    new = {
        "stopped": count("People who stopped"),
        "name": key("A code"),
        "setting": number("A setting", disclosure=CONSTANT),
        "printed_by_others": number("A published number", disclosure=PUBLISHED),
        "remark": text("A remark", nullable=True),
        "source_of_it": published("A source", nullable=True),
    }
    if n:
        new["mean_of_it"] = estimate("A mean", n=n, decimals=1)
        new["seen"] = flag("Whether it was seen", disclosure=Disclosure("estimate", (n,)))
        new["share_of_it"] = share("Share of people who stopped", "stopped", n, "percent")
        new["again"] = estimate("A number that follows from others", n=n, again=True)
    size = len(simulated(*CLINIC)[1][table])
    counts = [FEW, 23.0, 0.0, np.nan] * (size // 4 + 1)
    values = {
        "stopped": counts[:size],
        "name": "a",
        "setting": FEW,
        "printed_by_others": FEW,
        "remark": Message("frame.n_cells", n=3),
        "source_of_it": "table 3",
        "mean_of_it": 2.123456,
        "seen": True,
        "share_of_it": 41.987654,
        "again": 7.0,
    }
    with declared(table, **new):
        out = released(table, preset, **{c: values[c] for c in new})
        if table == "change_lines":
            assert not len(out)
            return
        assert len(out)
        rules = PRESETS[preset]
        assert (out[["setting", "printed_by_others"]] == FEW).all(axis=None)
        assert (out["source_of_it"] == "table 3").all()
        ours = own_rows(table, out)
        printed = ours["stopped"].dropna()
        assert not printed.map(rules.hides).any()
        assert (printed == printed.map(rules.round)).all()
        if len(ours) > 3:
            assert ours["stopped"].isna().any()
        assert not ours["remark"].str.contains("3").any()
        if not n:
            return
        assert ours["again"].isna().all()
        mean = ours["mean_of_it"].dropna()
        assert (mean == 2.1).all()
        few = own_rows(table, ours)[n].isna() & (table not in KEPT)
        assert ours.loc[few, ["mean_of_it", "share_of_it"]].isna().all(axis=None)
        assert not ours.loc[few, "seen"].any()
        shown = ours[ours["share_of_it"].notna()]
        assert np.allclose(shown["share_of_it"], 100 * shown["stopped"] / shown[n])


KEPT = ("expected", "sensitivity", "specifications", "cost", "cost_plane", "dose", "claims")


@pytest.mark.parametrize("preset", CLOSED)
def test_no_row_of_single_people_passes(preset: str) -> None:
    with declared("safety", age=number("Age of a person", disclosure=ROW_LEVEL)):
        assert not len(released("safety", preset, age=41.0))


@pytest.mark.parametrize("preset", CLOSED)
def test_small_counts_of_a_new_column_do_not_pass(preset: str) -> None:
    with declared("safety", stopped=count("People who stopped")):
        out = released("safety", preset, stopped=FEW)
    assert out["stopped"].isna().all()


def test_a_new_count_is_not_the_rest_of_another() -> None:
    """n - 2 people under exact counts: with n printed, the two others would follow."""
    n = simulated(*CLINIC)[1]["safety"]["n"]
    with declared("safety", stayed=count("People who stayed")):
        out = released("safety", "cms", stayed=n - 2)
    assert (out["stayed"].isna() | out["n"].isna()).all()


def test_groups_of_a_new_count_add_up_to_everyone() -> None:
    found = simulated(*CLINIC)[1]["safety"]
    groups = [g for g in dict.fromkeys(found["group"]) if g != "all"][:3]
    sizes = dict(zip(groups, (40.0, 30.0, FEW), strict=True)) | {"all": 73.0}
    with declared("safety", stopped=count("People who stopped")):
        rows = found["group"].map(sizes)
        out = released("safety", "cms", stopped=rows)
    for _, part in out.groupby(["harm", "event", "reported", "per", "statistic"]):
        hidden = part["stopped"].isna() & part["group"].isin(sizes)
        assert hidden.sum() != 1 or set(part["group"]) != set(sizes)


def test_a_column_without_a_class_cannot_be_declared() -> None:
    for kind in ("float", "int", "bool", "text"):
        with pytest.raises(TypeError):
            Column(kind, "People who stopped")  # type: ignore[arg-type, call-arg]
        with pytest.raises(ValueError, match="class of disclosure"):
            Column(kind, "People who stopped", None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no text"):
        Column("float", "People who stopped", Disclosure("text"))
    with pytest.raises(ValueError, match="names its n"):
        Disclosure("estimate")
    with pytest.raises(ValueError, match="names its numerator"):
        Disclosure("share", ("n",))
    with pytest.raises(ValueError, match="no column of counts"):
        tables.Table("a row", {"n": key("no count"), "x": estimate("A mean")})


def test_every_column_has_a_class_and_a_unit_of_the_catalogue() -> None:
    for name, table in TABLES.items():
        table.check()
        for column in table.columns.values():
            assert not column.unit or known(f"unit.{column.unit}"), (name, column.unit)
            if table.level == "row-level":
                assert column.disclosure == ROW_LEVEL, name
        for column in table.key if name in tables.RELEASED else ():
            assert table.columns[column].disclosure == KEY, (name, column)


@pytest.mark.parametrize("preset", [*CLOSED, "internal", "public"])
def test_what_is_not_declared_does_not_pass(preset: str) -> None:
    found = simulated(*CLINIC)[1]
    with pytest.raises(ContractError, match="safety") as error:
        release({"safety": found["safety"].assign(stopped=FEW)}, PRESETS[preset])
    assert "stopped" in str([p.column for p in error.value.problems])
    with pytest.raises(KeyError, match="no disclosure rule"):
        release({"harms": found["safety"]}, PRESETS[preset])


def test_the_last_check_holds_where_a_rule_of_a_table_fails(monkeypatch) -> None:
    """Rules that let everything pass: no small count and no estimate of few is printed."""
    from headway.disclosure import door

    passing = {name: lambda frame, names, ledger: frame for name in door.RULES}
    monkeypatch.setattr(door, "RULES", passing)
    monkeypatch.setattr(door.rederive, "follow", lambda out, true, preset: None)
    for preset in CLOSED:
        rules, found = PRESETS[preset], simulated(*CLINIC)[1]
        for name, frame in release(found, rules).items():
            ours = own_rows(name, frame)
            for column, spec in TABLES[name].columns.items():
                if spec.disclosure.kind == "count" and not spec.disclosure.blocks:
                    shown = ours[column].dropna()
                    assert (shown == shown.map(rules.round)).all(), (name, column)
                    assert not shown.map(rules.hides).any(), (name, column)
                for n in spec.disclosure.n:
                    if spec.kind == "float" and not TABLES[name].columns[n].disclosure.blocks:
                        few = found[name].loc[ours.index, n].map(rules.hides)
                        assert ours.loc[few, column].isna().all(), (name, column)
            assert name not in ("cohort", "safety") or ours["redacted"].any()


# ---- numbers within messages ---------------------------------------------------------------------


@pytest.mark.parametrize("preset", CLOSED)
def test_a_small_count_does_not_pass_inside_a_message(preset: str, monkeypatch) -> None:
    monkeypatch.setitem(PLACES, "days", CONSTANT)
    monkeypatch.setitem(PLACES, "mean", Disclosure("estimate", ("n",), decimals=1))
    inner = Message("made.up", count=3, days=28)
    cell = join(
        [
            Message("made.of", n=3, of=23, days=20, mean=2.345, other=4, words="5", own="ours"),
            Message("made.deep", parts=[inner, 6, "6"], why=inner),
        ]
    )
    found = simulated(*CLINIC)[1]["traps"]
    out = release({"traps": found.assign(n=40.0, of=41.0, note=cell)}, PRESETS[preset])["traps"]
    said = out["note"].iloc[0]
    hidden = Message("made.up", count=None, days=28)
    of = PRESETS[preset].round(23)
    first = Message("made.of", n=None, of=of, days=20, mean=2.3, other=None, words=None, own="ours")
    assert said == join([first, Message("made.deep", parts=[hidden, None, None], why=hidden)])


def test_counts_of_messages_stand_in_the_ledger() -> None:
    """37 of 40 in a remark: the three others follow from n, so that it is not printed."""
    found = simulated(*CLINIC)[1]["traps"]
    note = Message("made.of", n=37)
    ledger = Ledger(PRESETS["cms"])
    one = found.iloc[:1].assign(n=40.0, of=120.0, note=note)
    out = release({"traps": one}, ledger.preset)["traps"]
    assert out["n"].isna().iloc[0] or out["note"].iloc[0] == Message("made.of", n=None)


def test_text_that_is_no_message_is_withheld(monkeypatch) -> None:
    found = simulated(*CLINIC)[1]["traps"]
    cells = ["plain English"] * (len(found) - 1) + [Message("made.up", days=20)]
    frame = found.assign(n=40.0, of=41.0, note=cells)
    monkeypatch.setitem(PLACES, "days", CONSTANT)
    out = release({"traps": frame}, PRESETS["cms"])["traps"]["note"]
    assert out.iloc[:-1].isna().all()
    assert out.iloc[-1] == cells[-1]
