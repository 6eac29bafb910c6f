"""What the class of a column asks for, where no rule of its table does it, and what it forbids.

Every column of a contract has a class (`headway.tables.Disclosure`). The rules of single tables
may be stricter than it, never weaker:

- `enter_rest` puts counts that no table's own rules know into the ledger, each tied to the others
  of its row by size; so are the counts within messages of columns of text;
- `prepare` hides and rounds these, and erases whatever is to be computed again from what is
  printed;
- `deny`, last of all, computes shares from the printed counts and blanks every number for which
  the rule of its class does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.disclosure import precision
from headway.disclosure.change import follow_from_shares
from headway.disclosure.statistics import SHAPES
from headway.disclosure.suppress import Ledger, Names, Worth
from headway.messages import Message, is_missing, join, read
from headway.outcomes.change.change import wilson
from headway.tables import TABLES, Disclosure
from headway.tables.places import PLACES

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]

NAN = float("nan")
# Columns of `lost` that follow from the counts of both sides.
_OF_BOTH = ("difference", "ci_low", "ci_high", "standardised_difference")
_SAME = 1e-9  # numbers that agree to nine digits are one number


def classes(table: str) -> dict[str, Disclosure]:
    """List the classes of a table's columns."""
    return {name: column.disclosure for name, column in TABLES[table].columns.items()}


def _find_own(table: str, frame: pd.DataFrame) -> Bools:
    """Find the rows that are about this clinic."""
    own = TABLES[table].own
    return np.ones(len(frame), bool) if own is None else frame[own[0]].eq(own[1]).to_numpy(bool)


# ---- before the rules of single tables -----------------------------------------------------------


def enter_rest(ledger: Ledger, tables: Mapping[str, pd.DataFrame], names: Names) -> Names:
    """Enter every count that no table's own rules have entered.

    Each is taken to be a part of every larger count of its row, and to hold every smaller one;
    the groups of a family add up to everyone.

    Returns
    -------
    dict
        (table, column) -> the name of each row's count; of a column of text, the names of the
        counts within its messages, as a tuple.
    """
    rest: Names = {}
    for table, frame in tables.items():
        rules, own = classes(table), _find_own(table, frame)
        beside = [names[table, c] for c in rules if (table, c) in names]
        for column, rule in rules.items():
            if rule.again and rule.kind == "count" and not rule.blocks:
                rest[table, column] = _enter_erased(ledger, (table, column), frame[column], beside)
            if rule.again or rule.blocks or (table, column) in names:
                continue
            if rule.kind == "count":
                found = [[v] for v in frame[column]]
            elif rule.kind == "text":
                found = [_find_counts(v) for v in frame[column]]
            else:
                continue
            out: list[Hashable | None] = []
            for i, values in enumerate(found):
                others = [o[i] for o in beside if o[i] is not None]
                out.append(
                    tuple(
                        _enter(ledger, (table, column, i, j), v, others, Worth.STEP)
                        for j, v in enumerate(values)
                        if own[i] and not np.isnan(v)
                    )
                )
            if rule.kind == "count":
                out = [cell[0] if cell else None for cell in out]  # type: ignore[index]
                _tie_groups(ledger, table, frame, out)
                beside.append(out)
            rest[table, column] = out
    return rest


def _enter_erased(
    ledger: Ledger, at: tuple[str, str], values: pd.Series, beside: list[list[Hashable | None]]
) -> list[Hashable | None]:
    """Enter counts that their own table does not print, since another one may."""
    out: list[Hashable | None] = [None] * len(values)
    for i, value in enumerate(values):
        if not np.isnan(value):
            others = [o[i] for o in beside if o[i] is not None]
            out[i] = _enter(ledger, (*at, i), value, others)
    return out


def _enter(
    ledger: Ledger, name: Hashable, value: float, others: list[Any], worth: int | None = None
) -> Hashable:
    ledger.add(name, value, worth)
    for other in others:
        inner, outer = sorted((name, other), key=lambda m: ledger.values[m])
        ledger.split(outer, [inner], nested=True)
    return name


def _tie_groups(
    ledger: Ledger, table: str, frame: pd.DataFrame, out: list[Hashable | None]
) -> None:
    """State that the groups of each family add up to everyone."""
    if "group" not in frame:
        return
    what = [c for c in TABLES[table].key if c != "group"]
    rows: dict[tuple[Any, ...], dict[str, list[Hashable]]] = {}
    for name, r in zip(out, frame.to_dict("records"), strict=True):
        if name is not None:
            family = rows.setdefault(tuple(str(r[c]) for c in what), {})
            family.setdefault(r["group"].split(": ")[0], []).append(name)
    for families in rows.values():
        whole = families.pop("all", None)
        for members in families.values():
            if whole:
                ledger.split(whole[0], members)


def prepare(table: str, frame: pd.DataFrame, rest: Names, ledger: Ledger) -> pd.DataFrame:
    """Do what the classes ask for before the rules of a table; changes the frame.

    What is computed again is erased, so that nothing but a number that follows from printed ones
    can stand there.
    """
    own = _find_own(table, frame)
    for column, rule in classes(table).items():
        if rule.again:
            _blank(frame, column, np.ones(len(frame), bool))
        elif (table, column) in rest and rule.kind == "count":
            gone = ledger.find_hidden(rest[table, column])
            shown = frame[column].map(ledger.preset.round).mask(gone)
            frame[column] = shown.where(own, frame[column])
        elif (table, column) in rest:
            cells = [
                _withhold(cell, counts, ledger) if mine else cell
                for cell, counts, mine in zip(frame[column], rest[table, column], own, strict=True)
            ]
            frame[column] = frame[column].where(frame[column].isna(), cells)
    return frame


def _blank(frame: pd.DataFrame, column: str, rows: Bools) -> None:
    kind = frame[column].dtype.kind
    frame.loc[rows, column] = False if kind == "b" else NAN if kind == "f" else None


# ---- numbers within messages ---------------------------------------------------------------------


def _walk(value: Any, place: str, change: Callable[[str, Any], Any]) -> Any:
    """Change the numbers and words of a message, place by place, always in the same order."""
    if isinstance(value, Message):
        return Message(value.id, **{p: _walk(v, p, change) for p, v in value.values.items()})
    if isinstance(value, list):
        return [_walk(v, place, change) for v in value]
    return change(place, value)


def _find_counts(cell: Any) -> list[float]:
    """List the counts within the messages of a cell."""
    found: list[float] = []

    def note(place: str, value: Any) -> Any:
        if _is_count(place, value):
            found.append(float(value))
        return value

    for message in _read(cell) or ():
        _walk(message, "", note)
    return found


def _read(cell: Any) -> list[Message] | None:
    return None if is_missing(cell) else read(str(cell))


def _is_count(place: str, value: Any) -> bool:
    rule = PLACES.get(place)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and float(value).is_integer() and rule is not None and rule.kind == "count"


def _withhold(cell: Any, names: Any, ledger: Ledger) -> Any:
    """Hide and round the numbers within the messages of a cell, as the classes of places say."""
    messages, counts = _read(cell), iter(names)
    if messages is None:
        return cell

    def change(place: str, value: Any) -> Any:
        if isinstance(value, str):
            return None if re.fullmatch(r"[-−]?[\d., ]+%?", value) else value
        if value is None or isinstance(value, bool):
            return value
        if _is_count(place, value):
            return None if next(counts) in ledger.hidden else ledger.preset.round(value)
        rule = PLACES.get(place)
        if rule is None or rule.kind not in ("constant", "published", "estimate"):
            return None
        return value if rule.kind != "estimate" else round(value, rule.decimals or 0)

    return join([_walk(m, "", change) for m in messages])


# ---- after the rules of single tables ------------------------------------------------------------


def deny(
    table: str, frame: pd.DataFrame, true: pd.DataFrame, names: Names, ledger: Ledger
) -> pd.DataFrame:
    """Blank every number for which the rule of its class does not hold, and mark its row.

    Parameters
    ----------
    table, frame
        A table after its own rules, its index that of `true`; changed in place.
    true
        The table before them.
    names
        (table, column) -> the name of each row's count.

    Returns
    -------
    DataFrame
        The same frame.
    """
    if any(rule.kind == "row_level" for rule in classes(table).values()):
        return frame.iloc[:0]  # rows of single people
    true = true.loc[frame.index]
    rules, own = classes(table), _find_own(table, frame)
    denied = np.zeros(len(frame), bool)
    for kinds, find in (
        (("count",), _find_bad_counts),
        (("share", "estimate"), _find_bad_estimates),
        (("text",), _find_bad_text),
    ):
        for column in [c for c, rule in rules.items() if rule.kind in kinds]:
            held = frame[column].notna() if frame[column].dtype != bool else frame[column]
            bad = find(table, column, frame, true, names, ledger) & own & held.to_numpy(bool)
            _blank(frame, column, bad)
            denied |= bad
    if denied.any() and "redacted" in frame:
        frame["redacted"] |= denied
    return frame


def _find_bad_counts(
    table: str,
    column: str,
    frame: pd.DataFrame,
    true: pd.DataFrame,
    names: Names,
    ledger: Ledger,
) -> Bools:
    """Find counts that are small, hidden in the ledger, or not printed as the preset has it."""
    preset, value = ledger.preset, frame[column].to_numpy(dtype=float)
    if TABLES[table].columns[column].disclosure.blocks:
        return np.asarray(value % (preset.block / 2) != 0)
    bad = np.array([preset.hides(v) or preset.round(v) != v for v in value], bool)
    if (table, column) in names:
        hidden = [names[table, column][i] in ledger.hidden for i in frame.index]
        bad |= np.array(hidden, bool)
    return bad


def _find_bad_estimates(
    table: str,
    column: str,
    frame: pd.DataFrame,
    true: pd.DataFrame,
    names: Names,
    ledger: Ledger,
) -> Bools:
    """Find estimates of few people, of a hidden number, or with more digits than they may have.

    A share and its limits are compared with those of the printed counts. Where a table keeps
    estimates whose number of people is hidden only since another would follow from it, so does
    this rule.
    """
    rules, preset = classes(table), ledger.preset
    rule = rules[column]
    bad, share = np.zeros(len(frame), bool), _find_shares(table, column, frame, true)
    keep = table in SHAPES and SHAPES[table].keep
    for n in rule.n:
        gone = frame[n].isna().to_numpy()
        if not rules[n].blocks:
            small = np.array([np.isnan(v) or preset.hides(v) for v in true[n]], bool)
            gone = small | (gone & (share | np.bool_(not keep)))
        bad |= gone
    if frame[column].dtype == bool or rule.again:
        return bad
    value = frame[column].to_numpy(dtype=float, copy=True)
    digits = np.full(len(frame), rule.decimals or 0)
    if rule.decimals is None and "unit" in frame:
        leading = "estimate" if "estimate" in true else column
        digits = precision.find_decimals(true["unit"], true[leading])
    fine = ~_same(value, np.round(value * 10.0**digits) / 10.0**digits)
    if share.any():
        again = _follow_shares(table, frame)[column]
        if rule.kind == "share":
            shown = share & _find_own(table, frame) & ~np.isnan(value)
            frame.loc[shown, column] = value[shown] = again[shown]
        other = _same(value, again) | _same(value, np.round(value)) | (rule.kind == "share")
        fine = np.where(share, ~other, fine)
    if rule.single:
        bad |= (true[rule.n[0]] <= 4 * preset.redact_up_to).to_numpy()
    return np.asarray(bad | fine, bool)


def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> Bools:
    return np.asarray(np.abs(one - other) <= _SAME * np.maximum(1, np.abs(one)), bool)


def _find_shares(table: str, column: str, frame: pd.DataFrame, true: pd.DataFrame) -> Bools:
    """Find the rows in which a column follows from counts: a share, or a limit of one."""
    shares = {name: rule for name, rule in classes(table).items() if rule.kind == "share"}
    counts = [r.count for name, r in shares.items() if column in (name, *r.limits)]
    if not counts and table == "lost" and column in _OF_BOTH:
        counts = ["count_lost"]
    out = true[counts].notna().any(axis=1).to_numpy()
    if "unit" in frame and not TABLES[table].columns[column].unit:
        out = out & true["unit"].eq("percent").to_numpy(dtype=bool)
    return np.asarray(out, bool)


def _follow_shares(table: str, frame: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Compute what follows from the printed counts: shares in percent, and Wilson's limits."""
    out = follow_from_shares(frame) if table == "lost" else {}
    for name, rule in classes(table).items():
        if rule.kind == "share":
            count, n = (frame[c].to_numpy(dtype=float) for c in (rule.count, rule.n[0]))
            with np.errstate(divide="ignore", invalid="ignore"):
                out[name] = 100 * count / n
                limits = wilson(count, n) if rule.limits else ()
            out |= {c: 100 * v for c, v in zip(rule.limits, limits, strict=True)}
    return out


def _find_bad_text(
    table: str,
    column: str,
    frame: pd.DataFrame,
    true: pd.DataFrame,
    names: Names,
    ledger: Ledger,
) -> Bools:
    """Find text that is neither a message nor one of the column's codes."""
    codes = TABLES[table].columns[column].allowed
    return np.array(
        [not (is_missing(c) or c in codes or _read(c) is not None) for c in frame[column]], bool
    )
