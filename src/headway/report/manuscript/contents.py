"""What stands in the Word tables: studies, summary of findings, risk of bias, every effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.effects.measures import find_family
from headway.effects.units import name_unit
from headway.messages import say, t, term
from headway.report import formats
from headway.report.formats import MISSING, missing
from headway.report.manuscript.word import Grid
from headway.report.review.asked import say_quantity
from headway.report.review.judgements import MARKS
from headway.tables.risk_tools import OVERALL, RISK_TOOLS

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Review

RECOVERED = "†"


def list_grids(tables: Mapping[str, pd.DataFrame], review: Review) -> list[Grid]:
    """List the tables of a manuscript that have rows, in their order."""
    grids = [
        tell_studies(tables, review),
        tell_findings(tables["findings"], review),
        tell_risk(tables["risk_of_bias"], review),
        tell_pooled(tables["pooled"], review),
        tell_translated(tables, review),
        *(tell_effects(tables["effects"], one, review) for one in review.comparisons),
    ]
    return [grid for grid in grids if grid.rows]


def list_absent(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """List, as gaps in brackets, the tables that a reader expects and nobody filled."""
    ids = {"findings": "manuscript.no_findings", "risk_of_bias": "manuscript.no_risk"}
    return [t(id) for name, id in ids.items() if not len(tables[name])]


def tell_studies(tables: Mapping[str, pd.DataFrame], review: Review) -> Grid:
    """Describe each trial: condition, arms with their people, outcomes, times, where it is pooled.

    `n` of an arm is the largest that any of its rows has.
    """
    import pandas as pd

    arms, contrasts, effects = (tables[name] for name in ("arms", "contrasts", "effects"))
    names = pd.concat([arms["trial"], contrasts["trial"], effects["trial"]]).drop_duplicates()
    rows = []
    for name in names:
        own, pairs = arms[arms["trial"] == name], contrasts[contrasts["trial"] == name]
        facts = pd.concat([own, pairs])
        used = effects[(effects["trial"] == name) & effects["pooled"]]
        outcomes = [review.outcomes[o].label or o for o in _distinct(facts["outcome"])]
        rows.append(
            [
                name,
                _list(say(x) for x in _distinct(facts["condition"])),
                _list(_tell_arms(own, pairs)),
                _list(outcomes),
                _list(_distinct(facts["timepoint"])),
                _list(_distinct(facts["doi"])),
                _list(review.comparison(c).label for c in _distinct(used["comparison"])),
            ]
        )
    heads = ("trial", "condition", "arms", "outcomes", "times", "doi", "pooled_in")
    return Grid(t("manuscript.studies"), _name(heads), rows)


def _tell_arms(own: pd.DataFrame, pairs: pd.DataFrame) -> list[str]:
    out = []
    for (arm, role), rows in own.groupby(["arm", "role"], sort=False):
        n, kind = rows["n"].max(), "technique" if role == "treatment" else "comparator"
        told = [] if missing(n) else [t("manuscript.n", n=_count(n))]
        what = rows[kind].iloc[0]
        if not missing(what) and (word := say(term("technique", what))) != arm:
            told.append(word)
        out.append(f"{arm} ({', '.join(told)})" if told else str(arm))
    if not out:
        both = pairs["treatment_arm"] + " v " + pairs["control_arm"]
        out = _distinct(both)
    return out


def tell_findings(table: pd.DataFrame, review: Review) -> Grid:
    """Put together the summary of findings: computed facts, and the grade as typed and signed."""
    rows = []
    for r in table.to_dict("records"):
        effect = formats.number(r["estimate"])
        if not missing(r["estimate"]):
            effect += f" ({formats.limits(r['ci_low'], r['ci_high'])})"
        grade = t("manuscript.not_graded")
        if not missing(r["certainty"]):
            grade = f"{MARKS[r['certainty']]} {say(term('certainty', r['certainty']))}"
        signed = [] if missing(r["signed_by"]) else [str(r["signed_by"])]
        rows.append(
            [
                _name_part(review.comparison(r["comparison"]).label, r["subgroup"]),
                f"{_count(r['k'])}; {_count(r['n_total'])}",
                formats.as_text(r["control"]),
                f"{r['measure']} {effect}",
                formats.as_text(r["absolute"]),
                "; ".join([grade, *signed]),
                formats.as_text(r["judgements"]),
            ]
        )
    heads = ("comparison", "trials_people", "control", "effect", "absolute", "certainty", "reasons")
    return Grid(t("manuscript.findings"), _name(heads), rows)


def tell_risk(judged: pd.DataFrame, review: Review) -> Grid:
    """List each judgement of the risk of bias with what it rests on."""
    records = judged.to_dict("records")
    rows = [
        [
            r["trial"],
            t("manuscript.every") if missing(r["outcome"]) else str(r["outcome"]),
            t(RISK_TOOLS[r["tool"]].domains[r["domain"]]),
            t(RISK_TOOLS[r["tool"]].levels[r["judgement"]].label),
            formats.as_text(r["support"]),
            str(r["signed_by"]),
        ]
        for r in records
    ]
    bold = frozenset(i for i, r in enumerate(records) if r["domain"] == OVERALL)
    heads = ("trial", "outcome", "domain", "judgement", "support", "signed_by")
    tools = ", ".join(t(RISK_TOOLS[tool].name) for tool in _distinct(judged["tool"]))
    return Grid(t("manuscript.risk", tool=tools), _name(heads), rows, bold)


def tell_translated(tables: Mapping[str, pd.DataFrame], review: Review) -> Grid:
    """Say the estimates in other terms: numbers needed, days and points, without high risk."""
    rows = [
        [
            _name_part(review.comparison(r["comparison"]).label, r["subgroup"]),
            say_quantity(r, tables["pooled"], review),
            formats.as_text(r["basis"]),
        ]
        for r in tables["translated"].to_dict("records")
    ]
    heads = [t("asked.comparison"), t("asked.quantity"), t("asked.basis")]
    return Grid(t("asked.caption"), heads, rows)


def tell_pooled(pooled: pd.DataFrame, review: Review) -> Grid:
    """List the estimates of the declared models; one trial alone is no pooled result."""
    rows = []
    for r in pooled[pooled["declared"]].to_dict("records"):
        value, low, high, pi_low, pi_high = (
            formats.scale(r[c], r["measure"])
            for c in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
        )
        many = r["k"] > 1
        rows.append(
            [
                _name_part(review.comparison(r["comparison"]).label, r["subgroup"]),
                f"{_count(r['k'])}; {_count(r['n_total'])}",
                f"{r['measure']} {formats.number(value)} ({formats.limits(low, high)})",
                formats.limits(pi_low, pi_high) if many else MISSING,
                formats.p_value(r["p_value"]),
                formats.number(r["tau2"], 3) if many else MISSING,
                formats.percent(r["i2"]) if many else MISSING,
            ]
        )
    heads = ("comparison", "trials_people", "effect", "prediction", "p", "tau2", "i2")
    notes = [t("manuscript.levels", percent=100 * review.level)]
    return Grid(t("manuscript.pooled"), _name(heads), rows, notes=notes)


def tell_effects(effects: pd.DataFrame, comparison: Comparison, review: Review) -> Grid:
    """List the effect of every row of a comparison, those that are not pooled with the reason."""
    own = effects[effects["comparison"] == comparison.id]
    rows, notes = [], []
    for r in own.to_dict("records"):
        value, low, high = (formats.scale(r[c], r["measure"]) for c in ("yi", "ci_low", "ci_high"))
        effect = formats.number(value)
        if not missing(value):
            effect += f" ({formats.limits(low, high)})"
        mark = ""
        if not missing(r["recovered"]):
            mark = f" {RECOVERED}"
            notes.append(f"{RECOVERED} {r['trial']}, {r['timepoint']}: {say(r['recovered'])}")
        rows.append(
            [
                f"{r['trial']}{mark}",
                r["arms"],
                r["timepoint"],
                _tell_numbers(r, 1),
                _tell_numbers(r, 2),
                effect,
                formats.percent(r["weight"], 1) if r["pooled"] else MISSING,
                t("common.yes") if r["pooled"] else formats.as_text(r["why_not"]),
            ]
        )
    within = comparison.estimand == "within_arm"
    sides = ("after", "before") if within else ("treated", "control_arm")
    heads = ("trial", "arms_compared", "time", *sides, "effect_ci", "weight", "pooled")
    percent = 100 * review.level_of(comparison)
    notes.insert(0, t("manuscript.effects_note", percent=percent, measure=_name_measure(own)))
    named = t("manuscript.effects", label=comparison.label)
    return Grid(named, _name(heads), rows, notes=list(dict.fromkeys(notes)))


def _name_measure(own: pd.DataFrame) -> str:
    """Name the measure of a comparison and, where it has one of its own, the unit."""
    if not len(own):
        return ""
    first = own.iloc[0]
    measure = say(term("measure", first["measure"]))
    return f"{measure}, {say(name_unit(first['unit']))}"


def _tell_numbers(r: Mapping[str, Any], i: int) -> str:
    """Write the numbers of one side: n, mean (SD), or events and people."""
    n, mean, sd, events = (r.get(f"{c}{i}") for c in ("n", "mean", "sd", "events"))
    family = find_family(str(r["measure"]))
    if family == "rates" and not missing(events):
        return t("numbers.rate", events=events, years=r[f"time{i}"])
    if not missing(events):
        return f"{_count(events)}/{_count(n)}"
    if i == 1 and family == "correlations":
        return t("numbers.correlation", people=n, r=r["r"])
    if i == 1 and family == "reliability":
        return t("numbers.reliability", people=n, alpha=r["alpha"], items=r["items"])
    size = "" if missing(n) else t("manuscript.n", n=_count(n))
    if missing(mean):
        return size or MISSING
    spread = "" if missing(sd) else f" ({formats.number(sd)})"
    return "; ".join(x for x in (size, f"{formats.number(mean)}{spread}") if x)


def _count(value: Any) -> str:
    """Write a count that no line breaks within."""
    return formats.integer(value).replace(" ", "\u00a0")


def _name_part(label: str, subgroup: Any) -> str:
    return label if subgroup == "overall" else f"{label}: {subgroup}"


def _name(heads: Sequence[str]) -> list[str]:
    return [say(term("manuscript_head", head)) for head in heads]


def _distinct(values: pd.Series[Any]) -> list[str]:
    return [str(value) for value in values.dropna().drop_duplicates()]


def _list(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts)) or MISSING
