"""A comparison's moderators in sentences and a table: what goes with its effects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from headway.effects.measures import MEASURES
from headway.effects.units import name_unit
from headway.messages import Message, capital, say, t
from headway.meta.methods import describe_regression
from headway.report import formats

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Moderator

INTERCEPT = "intercept"
ALONE, TOGETHER = "alone", "together"


def describe_moderators(comparison: Comparison, table: pd.DataFrame) -> dict[str, Any] | None:
    """Put a comparison's meta-regressions into words.

    Parameters
    ----------
    comparison
        Its entry in review.yaml.
    table
        Table `moderators`.

    Returns
    -------
    dict or None
        title, sentences, why (heads and rows), caption, heads, rows, numeric and methods; None
        without moderators.
    """
    own = table[table["comparison"] == comparison.id]
    if not comparison.moderators or not len(own):
        return None
    level = f"{100 * float(own['level'].iloc[0]):g}"
    rows = own.to_dict("records")
    sentences = [
        text
        for moderator in comparison.moderators
        for text in _say(moderator, [r for r in rows if _is_of(r, moderator, ALONE)], comparison)
    ]
    tried = len(comparison.moderators)
    computed = own["estimate"].notna().any()
    if computed:
        sentences.append(t("moderated.ecological"))
    if computed and tried > 1:
        sentences.append(t("moderated.several_looks", n=tried))
    return {
        "title": t("moderated.title"),
        "sentences": sentences,
        "why": {
            "caption": t("moderated.why_caption", label=comparison.label),
            "heads": [t("moderated.moderator"), t("moderated.planned"), t("moderated.why")],
            "rows": [
                {
                    "kind": "",
                    "cells": [
                        one.name,
                        t("common.yes") if one.planned else t("common.no"),
                        one.reason,
                    ],
                }
                for one in comparison.moderators
            ],
        },
        "caption": t("moderated.caption", label=comparison.label),
        "heads": [
            t("moderated.moderator"),
            t("moderated.compared"),
            t("moderated.trials"),
            t("moderated.coefficient"),
            t("moderated.ci", percent=level),
            "p",
            t("moderated.permuted"),
            t("moderated.omnibus"),
            "R²",
            t("moderated.tau2"),
            t("moderated.i2"),
            t("moderated.remarks"),
        ],
        "rows": [_list_row(r, comparison) for r in rows if _is_shown(r, comparison)],
        "numeric": [2, 3, 4, 5, 6, 8, 9, 10],
        "methods": _list_methods(rows, comparison),
    }


def _is_of(row: Mapping[str, Any], moderator: Moderator, regression: str) -> bool:
    return row["moderator"] == moderator.column and row["regression"] == regression


def _is_shown(row: Mapping[str, Any], comparison: Comparison) -> bool:
    """Leave out effects at a moderator of 0, such as the year 0: the file has them."""
    levels = {one.column for one in comparison.moderators if one.type == "factor"}
    return row["coefficient"] != INTERCEPT or row["moderator"] in levels


def _is_ratio(measure: str) -> bool:
    return MEASURES[measure].scale.code == "ratio"


def _shown(row: Mapping[str, Any]) -> tuple[float, float, float]:
    """Bring a coefficient to what is shown: of ratios a ratio of ratios, else as it is."""
    three = [row[c] for c in ("estimate", "ci_low", "ci_high")]
    if _is_ratio(row["measure"]):
        three = [formats.scale(value, row["measure"]) for value in three]
    return three[0], three[1], three[2]


def _digits(row: Mapping[str, Any]) -> int:
    """Find the decimals of a coefficient: more where it is near no difference."""
    value, *_ = _shown(row)
    apart = abs(value - 1) if _is_ratio(row["measure"]) else abs(value)
    return 4 if 0 < apart < 0.1 else 2


def _say(moderator: Moderator, rows: list[dict[str, Any]], comparison: Comparison) -> Iterator[str]:
    if not rows:
        return
    first = rows[-1]
    name = moderator.name
    if formats.missing(first["estimate"]):
        yield t("moderated.none", name=name, why=say(first["note"]))
    elif moderator.type == "number":
        yield _say_slope(moderator, first)
    else:
        yield _say_levels(name, first)
    if first["left_out"] and not formats.missing(first["estimate"]):
        out = say(first["left_out_trials"])
        yield t("moderated.left_out", name=name, n=int(first["left_out"]), trials=out)


def _say_slope(moderator: Moderator, row: Mapping[str, Any]) -> str:
    value, low, high = _shown(row)
    digits = _digits(row)
    text = t(
        "moderated.slope_ratio" if _is_ratio(row["measure"]) else "moderated.slope",
        name=moderator.name,
        unit=moderator.unit or t("moderated.a_unit"),
        measure=row["measure"],
        value=formats.number(value, digits),
        of=say(name_unit(row["unit"])),
        percent=f"{100 * row['level']:g}",
        limits=formats.limits(low, high, digits),
        p=formats.p_value(row["p_value"]),
        n=int(row["k"]),
    )
    return f"{text}{_say_permuted(row, 'permutation_p')}. {_say_rest(row)}{_say_notes(row)}"


def _say_levels(name: str, row: Mapping[str, Any]) -> str:
    if formats.missing(row["qm"]):
        return f"{t('moderated.levels_apart', name=name, n=int(row['k']))} {_say_rest(row)}" + (
            _say_notes(row)
        )
    text = t(
        "moderated.levels",
        name=name,
        test=_write_test(row),
        p=formats.p_value(row["qm_p_value"]),
        n=int(row["k"]),
    )
    return f"{text}{_say_permuted(row, 'qm_permutation_p')}. {_say_rest(row)}{_say_notes(row)}"


def _say_permuted(row: Mapping[str, Any], column: str) -> str:
    if formats.missing(row[column]):
        return ""
    id = "moderated.dealt_all" if row["exact"] == "yes" else "moderated.dealt"
    seed = "" if formats.missing(row["seed"]) else f"{int(row['seed'])}"
    return t(id, p=formats.p_value(row[column]), n=int(row["arrangements"]), seed=seed)


def _say_rest(row: Mapping[str, Any]) -> str:
    if formats.missing(row["r2"]):
        return ""
    return t(
        "moderated.rest",
        r2=formats.number(row["r2"], 0),
        tau2=formats.number(row["tau2"], 3),
        i2=formats.number(row["i2"], 0),
    )


def _say_notes(row: Mapping[str, Any]) -> str:
    if formats.missing(row["note"]):
        return ""
    return f" {capital(say(row['note']))}."


def _write_test(row: Mapping[str, Any]) -> str:
    """Write the test of a moderator's coefficients: chi-squared, or F."""
    if formats.missing(row["qm"]):
        return formats.MISSING
    value, df = formats.number(row["qm"]), formats.integer(row["qm_df"])
    if formats.missing(row["qm_df2"]):
        return f"χ²({df}) = {value}"
    df2 = formats.number(row["qm_df2"], 0 if float(row["qm_df2"]).is_integer() else 1)
    return f"F({df}; {df2}) = {value}"


def _list_row(row: Mapping[str, Any], comparison: Comparison) -> dict[str, Any]:
    by = {one.column: one for one in comparison.moderators}
    moderator = by.get(row["moderator"])
    name = str(row["moderator"]) if moderator is None else moderator.name
    if row["regression"] == TOGETHER:
        name = t("moderated.together", name=name)
    value, low, high = _shown(row)
    digits = _digits(row)
    omnibus = _write_test(row)
    if omnibus != formats.MISSING:
        omnibus += f", {formats.p_value(row['qm_p_value'])}"
    notes = [] if formats.missing(row["note"]) else [str(row["note"])]
    if not formats.missing(row["left_out_trials"]):
        trials = str(row["left_out_trials"])
        notes.append(Message("moderated.without", trials=say(trials)))
    return {
        "kind": "",
        "cells": [
            name,
            _name_coefficient(row, moderator),
            formats.integer(row["k"]),
            formats.number(value, digits),
            formats.limits(low, high, digits),
            formats.p_value(row["p_value"]),
            formats.p_value(row["permutation_p"]),
            omnibus,
            formats.percent(row["r2"]),
            formats.number(row["tau2"], 3),
            formats.percent(row["i2"]),
            "; ".join(say(note) for note in notes) or formats.MISSING,
        ],
    }


def _name_coefficient(row: Mapping[str, Any], moderator: Moderator | None) -> str:
    """Say what a coefficient compares."""
    kind = row["coefficient"]
    if formats.missing(kind):
        return formats.MISSING
    if kind == "difference":
        return t("moderated.against", level=row["category"], reference=row["reference"])
    if kind == "slope":
        unit = moderator.unit if moderator is not None else ""
        return t("moderated.per", unit=unit or t("moderated.a_unit"))
    return t("moderated.intercept", reference=row["reference"])


def _list_methods(rows: list[dict[str, Any]], comparison: Comparison) -> list[str]:
    """Say how the regressions were computed: those of one kind in one sentence."""
    out: dict[str, None] = {}
    fitted = [r for r in rows if not formats.missing(r["estimate"])]
    for regression in (ALONE, TOGETHER):
        own = [r for r in fitted if r["regression"] == regression]
        seen = dict.fromkeys(r["moderator"] for r in own if not formats.missing(r["moderator"]))
        groups = [list(seen)] if regression == TOGETHER else [[name] for name in seen]
        for names in groups:
            part = [r for r in own if r["moderator"] in names]
            if part:
                out |= dict.fromkeys(_describe(part, names, comparison))
    if any(not formats.missing(r["arrangements"]) for r in fitted):
        out[t("method.moderators_dealt")] = None
    return list(out)


def _describe(part: list[dict[str, Any]], names: list[str], comparison: Comparison) -> list[str]:
    """Say how one regression was computed, from its rows."""
    by = {one.column: one.name for one in comparison.moderators}
    row = part[-1]
    if row["test"] == "cr2":
        terms = [by[name] for name in names]
        text = Message(
            "method.moderators_robust", k=int(row["effects"]), terms=terms, trials=int(row["k"])
        )
        return [say(text)]
    levels = {
        by[r["moderator"]]: (str(r["reference"]),) for r in part if r["coefficient"] == "difference"
    }
    fit = SimpleNamespace(
        k=int(row["effects"]),
        method=row["method"],
        test=row["test"],
        level=float(row["level"]),
        df=row["df"],
        design=SimpleNamespace(
            terms=[by[name] for name in names], levels=levels, has_intercept=True
        ),
        qm_df2=float(row["qm_df2"]),
        r2=float(row["r2"]),
    )
    return [say(one) for one in describe_regression(fit, comparison.label)[:-1]]
