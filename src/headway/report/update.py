"""The page of an update: today's results of a review beside those of an older run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headway.effects.measures import MEASURES
from headway.effects.units import name_unit
from headway.figures.review.update import Row, draw_update
from headway.messages import current, is_missing, phrase, say, t, term
from headway.report import formats
from headway.report.drawings import share_letters
from headway.report.render import render
from headway.report.review.sentences import TESTS
from headway.reviews.update import MOVED, has_news, list_declared, name_row

if TYPE_CHECKING:
    import pandas as pd

    from headway.figures.theme import Drawing, Saved
    from headway.reviews.kept import Results

_LISTED = 12  # names in a sentence
_MOST_DIGITS = 6
# Quantities that are on the scale of an effect.
_EFFECTS = ("yi", "estimate", "ci_low", "ci_high", "pi_low", "pi_high")
_COUNTS = ("k", "n_total", "information_size")


@dataclass(frozen=True, slots=True)
class Update:
    """What was held against each other, and the table `changes`."""

    before: Results
    after: Results
    changes: pd.DataFrame


# ---- sentences -----------------------------------------------------------------------------------


def write_sentences(update: Update) -> list[str]:
    """Write what the page says first, in the language in use."""
    if not has_news(update.changes):
        return [t("update.nothing", before=update.before.name), _say_version(update)]
    return [
        *_say_trials(update),
        *_say_estimates(update),
        *_say_judged(update.changes),
        _say_version(update),
    ]


def _list_names(names: Sequence[str]) -> list[str]:
    several = list(dict.fromkeys(names))
    more = len(several) - _LISTED
    return several if more < 2 else [*several[:_LISTED], t("update.and_more", n=more)]


def _say_trials(update: Update) -> Iterator[str]:
    """Say which trials came, went and changed; those known on the other side apart."""
    rows = update.changes[update.changes["part"] == "trials"]
    there, here = (set(one.tables["effects"]["trial"]) for one in (update.before, update.after))
    names = {change: list(part["item"]) for change, part in rows.groupby("change", sort=False)}
    for change, other, new, old in (
        ("came", there, "update.came", "update.rows_came"),
        ("went", here, "update.went", "update.rows_went"),
    ):
        for id, known in ((new, False), (old, True)):
            found = [name for name in names.get(change, []) if (name in other) == known]
            if found:
                yield t(id, names=_list_names(found))
    if names.get("changed"):
        yield t("update.changed", names=_list_names(names["changed"]))


def _say_estimates(update: Update) -> Iterator[str]:
    """Say what became of each declared estimate that moved, and what its interval crosses now."""
    there, here = list_declared(update.before), list_declared(update.after)
    for key in (*here, *(k for k in there if k not in here)):
        then, now = there.get(key), here.get(key)
        name = _name_estimate(now or then or {})
        if then is None or now is None:
            yield t("update.new_estimate" if then is None else "update.no_estimate", name=name)
            continue
        own = _pick(update.changes, "estimates", key)
        if own["quantity"].isin(MOVED).any():
            before, after = write_estimates(then, now)
            both = {"before": before, "after": after}
            trials = {"k0": formats.integer(then["k"]), "k1": formats.integer(now["k"])}
            yield t("update.moved", name=name, measure=now["measure"], **both, **trials)
        crossed = own[own["quantity"] == "includes_none"][["before", "after"]]
        if len(crossed) and crossed.isin(["yes", "no"]).all(axis=None):
            yes = crossed["after"].iloc[0] == "yes"
            yield t("update.now_includes" if yes else "update.now_excludes", name=name)


def _pick(changes: pd.DataFrame, part: str, key: tuple[str, str, str]) -> pd.DataFrame:
    own = changes[changes["part"] == part]
    same = (own["comparison"] == key[0]) & (own["subgroup"] == key[1])
    return own[same & (own["item"].fillna("") == key[2])]


def _say_judged(changes: pd.DataFrame) -> Iterator[str]:
    """Say verdicts, thresholds and certainty that changed or that older numbers carry; settings."""
    rows = changes.to_dict("records")
    verdicts = [
        t("update.one_verdict", item=r["item"], before=_say_cell(r, "before"),
          after=_say_cell(r, "after"))
        for r in rows if r["part"] == "verdicts" and r["quantity"] == "verdict"
    ]  # fmt: skip
    if verdicts:
        yield t("update.verdicts_changed", names=_list_names(verdicts))
    for r in rows:
        if r["part"] != "findings":
            continue
        name, both = _name_finding(r), {c: _say_cell(r, c) for c in ("before", "after")}
        if r["change"] == "stale":
            yield t("update.stale", name=name)
        elif r["quantity"] == "certainty":
            yield t("update.certainty_changed", name=name, **both)
        elif r["quantity"] == "crosses":
            yield t("update.now_crosses", name=name, **both)
    keys = [str(r["item"]) for r in rows if r["part"] == "settings"]
    if keys:
        yield t("update.settings_changed", names=_list_names(keys))


def _say_version(update: Update) -> str:
    before, after = update.before.version, update.after.version
    if not before:
        return t("update.unknown_version", after=after)
    if before == after:
        return t("update.same_version", after=after)
    return t("update.versions", before=before, after=after)


def _say_left_out(update: Update) -> Iterator[str]:
    """Say what the older folder did not let us compare."""
    before = update.before
    if before.settings is None:
        yield t("update.no_older_settings")
    if not len(before.tables["effects"]) and not len(before.tables["pooled"]):
        yield t("update.no_older_rows")
    for table, columns in before.lacking.items():
        if columns is None:
            yield t("update.table_missing", file=f"{table}.csv")
        else:
            yield t("update.columns_missing", file=f"{table}.csv", names=list(columns))
    for table, columns in before.beyond.items():
        yield t("update.columns_unknown", file=f"{table}.csv", names=list(columns))


# ---- cells ---------------------------------------------------------------------------------------


def _name_estimate(row: Mapping[str, Any]) -> str:
    parts = [name_row(row)]
    if row["subgroup"] != "overall":
        parts.append(str(row["subgroup"]))
    if not is_missing(row["assumption"]):
        parts.append(say(row["assumption"]))
    return ", ".join(parts)


def _name_finding(row: Mapping[str, Any]) -> str:
    name = row["outcome"] if is_missing(row["label"]) else row["label"]
    return str(name) if row["subgroup"] == "overall" else f"{name}, {row['subgroup']}"


def write_estimates(*rows: Mapping[str, Any]) -> list[str]:
    """Write estimates with their intervals, with the decimals that tell them apart."""
    texts: list[str] = []
    for digits in range(2, _MOST_DIGITS + 1):
        texts = [_write_estimate(row, digits) for row in rows]
        if len(set(texts)) == len(texts):
            break
    return texts


def _write_estimate(row: Mapping[str, Any], digits: int) -> str:
    value, low, high = (_scale(row[c], row["measure"]) for c in ("estimate", "ci_low", "ci_high"))
    text = formats.number(value, digits)
    return text if is_missing(low) else f"{text} ({formats.limits(low, high, digits)})"


def _scale(value: Any, measure: Any) -> float:
    """Bring an effect to what is shown; one of a measure that is not known stays as it is."""
    if is_missing(value):
        return math.nan
    return formats.scale(value, measure) if measure in MEASURES else float(value)


def _read_number(cell: Any) -> float:
    try:
        return math.nan if is_missing(cell) or cell == "" else float(cell)
    except ValueError:
        return math.nan


def _show_number(row: Mapping[str, Any], place: str) -> float:
    """Read a number of the table `changes` as it is shown: a ratio from its log."""
    value = _read_number(row[place])
    return _scale(value, row["measure"]) if row["quantity"] in _EFFECTS else value


def _find_digits(row: Mapping[str, Any]) -> int:
    """Find the decimals at which two numbers that differ are told apart, two at least."""
    one, other = (_show_number(row, place) for place in ("before", "after"))
    for digits in range(2, _MOST_DIGITS):
        if formats.number(one, digits) != formats.number(other, digits):
            return digits
    return _MOST_DIGITS


def _say_cell(row: Mapping[str, Any], place: str) -> str:
    """Write a cell `before` or `after` by what its quantity is."""
    cell, quantity = row[place], row["quantity"]
    if is_missing(cell) or cell == "":
        return formats.MISSING
    if row["part"] in ("settings", "versions"):
        return str(cell)
    value = _show_number(row, place)
    if quantity == "verdict":
        return say(phrase("update_verdict", cell))
    if quantity == "certainty":
        return say(term("certainty", cell))
    if quantity == "target":
        return say(term("target", cell))
    if quantity in ("pooled", "includes_none"):
        return t("common.yes") if cell == "yes" else t("common.no")
    if quantity == "unit":
        return say(name_unit(str(cell)))
    if quantity == "test":
        return t(TESTS[str(cell)]) if cell in TESTS else str(cell)
    if quantity == "published" or math.isnan(value):
        return say(cell)
    if quantity == "p_value":
        return formats.p_value(value)
    if quantity in _COUNTS and value.is_integer():
        return formats.integer(value)
    return formats.number(value, _find_digits(row))


def _say_difference(row: Mapping[str, Any]) -> str:
    """Write a difference with its sign; between ratios the factor."""
    if is_missing(row["difference"]):
        return formats.MISSING
    one, other = (_show_number(row, place) for place in ("before", "after"))
    measure = MEASURES.get(str(row["measure"]))
    if row["quantity"] in _EFFECTS and measure is not None and measure.scale.code == "ratio":
        return f"× {formats.number(other / one, 3)}" if one else formats.MISSING
    if row["quantity"] in _COUNTS:
        text = formats.integer(other - one)
    else:
        text = formats.number(other - one, _find_digits(row))
    return f"+{text}" if other > one else text


def _both(row: Mapping[str, Any]) -> list[str]:
    return [_say_cell(row, "before"), _say_cell(row, "after"), _say_difference(row)]


# ---- the page ------------------------------------------------------------------------------------


def draw(update: Update) -> dict[str, Drawing]:
    """Draw each comparison whose estimates moved, came or went."""
    there, here = list_declared(update.before), list_declared(update.after)
    rows = update.changes[update.changes["part"] == "estimates"]
    out = {}
    for comparison in dict.fromkeys(rows["comparison"]):
        own = rows[rows["comparison"] == comparison]
        if not own["quantity"].isin(MOVED).any():
            continue
        keys = [k for k in dict.fromkeys((*here, *there)) if k[0] == comparison]
        pairs = [(k, there.get(k), here.get(k)) for k in keys]
        last = next(now or then or {} for _, then, now in reversed(pairs))
        measure, unit = str(last["measure"]), str(last["unit"])
        # Two measures have no axis in common.
        lines: list[Row] = [
            (
                _name_line(now or then or {}),
                _of_measure(then, measure, unit),
                _of_measure(now, measure, unit),
            )
            for _, then, now in pairs
        ]
        lines = [line for line in lines if line[1] is not None or line[2] is not None]
        shown = formats.unit(measure, unit) if measure in MEASURES else unit
        if lines and measure in MEASURES:
            out[f"update_{comparison}"] = draw_update(lines, name_row(last), measure, shown)
    return out


def _of_measure(row: Mapping[str, Any] | None, measure: str, unit: str) -> Mapping[str, Any] | None:
    return row if row is not None and (row["measure"], row["unit"]) == (measure, unit) else None


def _name_line(row: Mapping[str, Any]) -> str:
    name = t("update.all_trials") if row["subgroup"] == "overall" else str(row["subgroup"])
    return name if is_missing(row["assumption"]) else f"{name}, {say(row['assumption'])}"


def build(update: Update, figures: Sequence[Saved]) -> str:
    """Write the page; `figures` are those of `draw`, saved."""
    figures, letters = share_letters(figures)
    return render(
        "update.html",
        title=t("update.title", before=update.before.name),
        language=current(),
        home="../../index.html",
        stamp="",
        letters=letters,
        sentences=write_sentences(update),
        sections=_list_sections(update.changes.to_dict("records")),
        figures=figures,
        left_out=[_say_version(update), *_say_left_out(update)],
    )


def _list_sections(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, list[Any]]]:
    """List the sections of the page: id, title, tables."""
    values = ("before", "after", "difference")
    parts = {
        name: [r for r in rows if r["part"] == name]
        for name in ("estimates", "trials", "verdicts", "findings", "settings")
    }
    changed = [
        [str(r["item"]), name_row(r), say(r["timepoint"]), _tell(r)[1], *_both(r)]
        for r in parts["trials"]
        if r["change"] == "changed"
    ]
    verdicts = [[str(r["item"]), *_tell(r), *_both(r)] for r in parts["verdicts"]]
    findings = [[_name_finding(r), *_tell(r), *_both(r)[:2]] for r in parts["findings"]]
    settings = [[str(r["item"]), _tell(r)[0], *_both(r)[:2]] for r in parts["settings"]]
    effects = ("trial", "change", "comparison", "arms", "time", "people", "effect", "pooled")
    time, found = ("trial", "comparison", "time"), ("comparison", "change", "quantity")
    titles = {
        "trials": t("update.trials_title"),
        "verdicts": t("update.verdicts_title"),
        "findings": t("update.findings_title"),
        "settings": t("update.settings_title"),
    }
    # A table of a section is not called as the section is, for those who move by landmarks.
    told = {id: t("update.what_changed", title=title) for id, title in titles.items()}
    tables = [
        ("trials", t("update.came_and_went"), effects, _list_came(parts["trials"])),
        ("trials", t("update.numbers_changed"), (*time, "quantity", *values), changed),
        ("verdicts", told["verdicts"], ("number", "change", "quantity", *values), verdicts),
        ("findings", told["findings"], (*found, "before", "after"), findings),
        ("settings", told["settings"], ("key", "change", "before", "after"), settings),
    ]
    moved = _list_moved(parts["estimates"]) or [_make_table(t("update.moved_title"), (), [])]
    return [
        ("moved", t("update.moved_title"), moved),
        *(
            (id, title, [_make_table(c, h, cells) for name, c, h, cells in tables if name == id])
            for id, title in titles.items()
        ),
    ]


def _list_moved(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Make a table of each estimate that changed, came or went."""
    found: dict[str, list[list[str]]] = {}
    for r in rows:
        name = _name_estimate({**r, "assumption": r["item"]})
        found.setdefault(name, []).append([_tell(r)[1], *_both(r)])
    heads = ("quantity", "before", "after", "difference")
    return [_make_table(name, heads, cells) for name, cells in found.items()]


def _make_table(caption: str, heads: Sequence[str], cells: list[list[str]]) -> dict[str, Any]:
    return {
        "caption": caption,
        "heads": [say(term("update_head", head)) for head in heads],
        "rows": [{"kind": "", "cells": line} for line in cells],
        "numeric": [],
    }


def _tell(row: Mapping[str, Any]) -> list[str]:
    """Say how something changed, and what it is."""
    quantity = say(term("update_quantity", row["quantity"]))
    return [say(term("update_change", row["change"])), quantity]


def _list_came(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """List effects that came or went, each in one line."""
    found: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = {}
    for r in rows:
        if r["part"] == "trials" and r["change"] in ("came", "went"):
            names = ("change", "comparison", "subgroup", "item", "arms", "timepoint")
            key = tuple(str(r[name]) for name in names)
            found.setdefault(key, {})[str(r["quantity"])] = r
    out = []
    for parts in found.values():
        r = next(iter(parts.values()))
        place = "after" if r["change"] == "came" else "before"
        people = [_read_number(parts[n][place]) for n in ("n1", "n2") if n in parts]
        effect = _say_cell(parts["yi"], place) if "yi" in parts else formats.MISSING
        pooled = _say_cell(parts["pooled"], place) if "pooled" in parts else formats.MISSING
        out.append(
            [
                *(str(r["item"]), _tell(r)[0], name_row(r), str(r["arms"]), say(r["timepoint"])),
                formats.integer(sum(people)) if people else formats.MISSING,
                effect if effect == formats.MISSING else f"{r['measure']} {effect}",
                pooled,
            ]
        )
    return out
