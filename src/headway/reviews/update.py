"""What a review says today beside what it said in an older run: which numbers changed, and how.

No boundary is computed for looking again and again. Cochrane discourages sequential methods for
standard updated meta-analyses and refuses them for main analyses (Cochrane Handbook 6.4,
chapter 22, key points).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from headway.effects.measures import MEASURES
from headway.messages import Message, is_missing, join, read
from headway.tables import TABLES, conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.reviews.kept import Results

Row = Mapping[str, Any]
# Tables hold 12 digits; what a search for a maximum leaves open lies far below this.
RELATIVE, ABSOLUTE = 1e-7, 1e-9
# Of a trial's row: what names it, and what follows from other rows or other columns.
_OF_ROW = ("comparison", "trial", "arms", "timepoint", "instrument")
_FOLLOWS = (
    *("label", "outcome", "estimand", "lines", "ci_low", "ci_high", "weight", "comparison"),
    "trial",
)
_NUMBERS = tuple(
    name
    for name, column in TABLES["effects"].columns.items()
    if column.kind == "float" and name not in _FOLLOWS
)
ESTIMATED = (
    *("measure", "unit", "weighting", "method", "test", "level", "k", "n_total", "estimate"),
    *("ci_low", "ci_high", "pi_low", "pi_high", "p_value", "tau2", "i2", "q"),
)
# An estimate moved if one of these differs.
MOVED = ("k", "n_total", "estimate", "ci_low", "ci_high")
_SIGNED = ("certainty", "judgements", "signed_by")
_FOUND = (
    *("certainty", "judgements", "signed_by", "doubts", "meaningful", "target", "crosses"),
    *("absolute", "control", "share", "settings", "information_size"),
)


def compare_results(before: Results, after: Results) -> pd.DataFrame:
    """Hold the results of an older run against today's.

    Returns
    -------
    DataFrame
        Table `changes`; without a row where nothing differs.

    Notes
    -----
    A trial's rows are matched by comparison, trial, arms, timepoint and instrument. What is left
    of a trial with one row on both sides, and a row with equal effect and variance under another
    name, is taken for the same. Numbers are the same within 1e-7 of their size.
    """
    import pandas as pd

    rows = [
        *_compare_trials(before, after),
        *_compare_estimates(before, after),
        *_compare_verdicts(before, after),
        *_compare_findings(before, after),
        *_compare_settings(before.settings, after.settings),
    ]
    if before.version and before.version != after.version:
        versions = {"before": before.version, "after": after.version}
        rows.append({"part": "versions", "change": "changed", "quantity": "headway", **versions})
    if not rows:
        return empty("changes")
    frame = pd.DataFrame(rows)
    return conform("changes", frame.drop_duplicates(ignore_index=True))


def name_row(row: Row) -> str:
    """Name the comparison of a row in words, or by its id where an older table has no words."""
    return str(row["comparison"] if is_missing(row["label"]) else row["label"])


def has_news(changes: pd.DataFrame) -> bool:
    """Whether anything but the version of the program differs."""
    return bool((changes["part"] != "versions").any())


def same(one: Any, other: Any) -> bool:
    """Whether two cells say the same: text by text, numbers within rounding; missing as missing."""
    if is_missing(one) or is_missing(other):
        return bool(is_missing(one) and is_missing(other))
    if isinstance(one, str | bool) or isinstance(other, str | bool):
        return bool(str(one) == str(other))
    return math.isclose(float(one), float(other), rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def pair_trials(
    before: list[Row], after: list[Row], unknown: Collection[str] = ()
) -> list[tuple[Row | None, Row | None]]:
    """Pair rows of `effects` of two runs; a row that came or went has None beside it.

    The pairs stand in the order of today's rows, those that went last. Columns that one of the
    tables lacks (`unknown`) name no row.
    """

    def by(*columns: str) -> Any:
        return lambda row: tuple(_text(row[c]) for c in columns)

    effect = by("comparison", "yi", "vi")
    left, right = list(before), list(after)
    pairs: list[tuple[Row | None, Row | None]] = []
    # Rows that are one to one: of the same name and place; of the same trial; of the same numbers.
    place_of = by(*(name for name in _OF_ROW if name not in unknown))
    for key, several in ((place_of, True), (by("comparison", "trial"), False), (effect, False)):
        there = _group(left, key)
        here = _group(right, key)
        for name in [n for n in there if n in here]:
            known = key is not effect or "" not in name
            if known and (several or len(there[name]) == len(here[name]) == 1):
                pairs += zip(there[name], here[name], strict=False)
        done = {id(row) for pair in pairs for row in pair}
        left = [row for row in left if id(row) not in done]
        right = [row for row in right if id(row) not in done]
    place = {id(row): i for i, row in enumerate(after)}
    pairs += [(None, row) for row in right]
    return [*sorted(pairs, key=lambda pair: place[id(pair[1])]), *((row, None) for row in left)]


def _group(rows: list[Row], key: Any) -> dict[tuple[str, ...], list[Row]]:
    out: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        out.setdefault(key(row), []).append(row)
    return out


def _compare_trials(before: Results, after: Results) -> Iterator[dict[str, Any]]:
    """List the numbers of trials that came, went or changed, in the order of today's table."""
    lacking = before.lacking.get("effects") or ()
    columns = [c for c in TABLES["effects"].columns if c not in (*_FOLLOWS, *lacking)]
    there, here = (one.tables["effects"].to_dict("records") for one in (before, after))
    for then, now in pair_trials(there, here, lacking):
        row = now or then
        assert row is not None
        head = {name: row[name] for name in ("comparison", "label", "outcome", "measure")}
        head |= {"part": "trials", "subgroup": row["subgroup"], "item": row["trial"]}
        head |= {"arms": row["arms"], "timepoint": row["timepoint"]}
        if then is None or now is None:
            change = "came" if then is None else "went"
            for name in (*_NUMBERS, "pooled"):
                if not is_missing(row[name]):
                    value = {"after" if then is None else "before": _text(row[name])}
                    yield {**head, "change": change, "quantity": name, **value}
            continue
        comparable = all(same(then[c], now[c]) for c in ("measure", "unit"))
        for name in (*(["trial"] if not same(then["trial"], now["trial"]) else []), *columns):
            if not same(then[name], now[name]):
                yield {**head, **_change(name, then[name], now[name], comparable)}


def _change(name: str, then: Any, now: Any, comparable: bool = True) -> dict[str, Any]:
    """Describe a cell that changed."""
    out: dict[str, Any] = {"change": "changed", "quantity": name}
    out |= {"before": _text(then), "after": _text(now)}
    numbers = [
        isinstance(x, int | float) and not isinstance(x, bool) and not is_missing(x)
        for x in (then, now)
    ]
    if comparable and all(numbers):
        out["difference"] = float(now) - float(then)
    return out


def _text(value: Any) -> str:
    """Write a cell as tables do; empty where it is missing."""
    if is_missing(value):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{float(value):.12g}"


def list_declared(results: Results) -> dict[tuple[str, str, str], Row]:
    """List the estimates of the declared model by comparison, subgroup and assumption."""
    pooled = results.tables["pooled"]
    rows = pooled[pooled["declared"].astype(bool)].to_dict("records")
    names = ("comparison", "subgroup", "assumption")
    return {(str(r[names[0]]), str(r[names[1]]), _text(r[names[2]])): r for r in rows}


def includes_none(row: Row) -> str:
    """Say whether an interval includes no effect: yes, no, or empty where nobody can tell."""
    measure = MEASURES.get(str(row["measure"]))
    null = math.nan if measure is None else measure.scale.null_yi
    if is_missing(row["ci_low"]) or is_missing(row["ci_high"]) or math.isnan(null):
        return ""
    return "yes" if row["ci_low"] <= null <= row["ci_high"] else "no"


def _compare_estimates(before: Results, after: Results) -> Iterator[dict[str, Any]]:
    there, here = list_declared(before), list_declared(after)
    lacking = before.lacking.get("pooled") or ()
    columns = [c for c in ESTIMATED if c not in lacking]
    for key in (*here, *(k for k in there if k not in here)):
        row = here.get(key) or there[key]
        head = {name: row[name] for name in ("comparison", "label", "subgroup", "outcome")}
        head |= {"part": "estimates", "measure": row["measure"], "item": key[2] or None}
        if key not in there or key not in here:
            change, place = ("came", "after") if key in here else ("went", "before")
            for name in ("k", "n_total", "estimate", "ci_low", "ci_high", "tau2", "i2"):
                if not is_missing(row[name]):
                    yield {**head, "change": change, "quantity": name, place: _text(row[name])}
            continue
        then, now = there[key], here[key]
        comparable = all(same(then[c], now[c]) for c in ("measure", "unit"))
        for name in columns:
            if not same(then[name], now[name]):
                # What has no unit can be compared whatever the measure.
                free = comparable or name in ("k", "n_total", "level", "i2", "p_value")
                yield {**head, **_change(name, then[name], now[name], free)}
        if includes_none(then) != includes_none(now):
            yield {**head, **_change("includes_none", includes_none(then), includes_none(now))}


def _compare_verdicts(before: Results, after: Results) -> Iterator[dict[str, Any]]:
    if "reproduction" not in before.tables:
        return

    def list_rows(results: Results) -> dict[str, Row]:
        rows = results.tables["reproduction"].to_dict("records")
        return {f"{r['quantity']}: {r['part']}": r for r in rows}

    there, here = list_rows(before), list_rows(after)
    for key in (*here, *(k for k in there if k not in here)):
        row = here.get(key) or there[key]
        head = {"part": "verdicts", "item": key, "label": row["label"]}
        if key not in there or key not in here:
            change, place = ("came", "after") if key in here else ("went", "before")
            yield {**head, "change": change, "quantity": "verdict", place: row["verdict"]}
            continue
        for name in ("published", "verdict", "recomputed"):
            if not same(there[key][name], here[key][name]):
                yield {**head, **_change(name, there[key][name], here[key][name])}


def _compare_findings(before: Results, after: Results) -> Iterator[dict[str, Any]]:
    """List what changed in the summary of findings, and certainty that older numbers carry."""
    if "findings" not in before.tables:
        return

    def list_rows(results: Results) -> dict[tuple[str, str], Row]:
        rows = results.tables["findings"].to_dict("records")
        return {
            (str(r["comparison"]), str(r["subgroup"])): {**r, "crosses": find_crossed(r)}
            for r in rows
        }

    there, here = list_rows(before), list_rows(after)
    lacking = before.lacking.get("findings") or ()
    labels = {k[:2]: r["label"] for k, r in list_declared(after).items()}
    columns = [c for c in _FOUND if c not in lacking]
    for key in (*here, *(k for k in there if k not in here)):
        row = here.get(key) or there[key]
        head: dict[str, Any] = {"part": "findings", "comparison": key[0], "subgroup": key[1]}
        head |= {"outcome": row["outcome"], "measure": row["measure"], "label": labels.get(key)}
        if key not in there or key not in here:
            change, place = ("came", "after") if key in here else ("went", "before")
            said = row["certainty"]
            value = {} if is_missing(said) else {place: said}
            yield {**head, "change": change, "quantity": "certainty", **value}
            continue
        then, now = there[key], here[key]
        for name in columns:
            if not same(then[name], now[name]):
                yield {**head, **_change(name, then[name], now[name])}
        judged = not is_missing(now["certainty"]) or not is_missing(now["judgements"])
        kept = all(same(then[name], now[name]) for name in _SIGNED)
        if judged and kept and not all(same(then[name], now[name]) for name in MOVED):
            value = {"before": _text(then["certainty"]), "after": _text(now["certainty"])}
            yield {**head, "change": "stale", "quantity": "certainty", **value}


def find_crossed(row: Row) -> str:
    """Find which thresholds the interval of a finding crosses; empty where none is declared."""
    cell = row["imprecision"]
    for message in [] if is_missing(cell) else read(str(cell)) or []:
        if message.id == "finding.interval_within":
            return Message("update.no_threshold")
        if message.id == "finding.interval_across":
            return join(list(message.values["crossed"]))
    return ""


def _compare_settings(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Iterator[dict[str, Any]]:
    if before is None or after is None:
        return
    there, here = _flatten(before), _flatten(after)
    for key in (*here, *(k for k in there if k not in here)):
        then, now = there.get(key), here.get(key)
        if then == now:
            continue
        change = "came" if then is None else "went" if now is None else "changed"
        yield {
            "part": "settings",
            "change": change,
            "item": key,
            "quantity": "value",
            "before": then,
            "after": now,
        }


def _flatten(value: Any, at: str = "") -> dict[str, str]:
    """List the keys of a document with their values as text; entries of a list by their id."""
    if isinstance(value, Mapping) and value:
        parts = {str(k): v for k, v in value.items()}
    elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
        parts = {str(v.get("id") or v.get("comparison") or i): v for i, v in enumerate(value, 1)}
        if len(parts) < len(value):
            parts = {str(i): v for i, v in enumerate(value, 1)}
    else:
        return {at: _write_value(value)}
    out: dict[str, str] = {}
    for name, part in parts.items():
        out |= _flatten(part, f"{at}.{name}" if at else name)
    return out


def _write_value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_write_value, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return str(value)
