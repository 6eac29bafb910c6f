"""RevMan's analysis data: its two CSV exports -> a review's rows, and effects -> its data rows.

Read are "Data and analyses" of RevMan 5 (headings for comparison, outcome and subgroup above the
studies) and the data rows of RevMan Web, which the Cochrane Library also offers for download (one
row per study, no headings). RevMan knows neither units nor time points nor kinds of control, and
its continuous rows do not say whether they are final values or changes: the caller does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.effects.measures import escalc
from headway.effects.units import name_unit
from headway.errors import Problem
from headway.ingest.adapters.exchange import (
    Z95,
    Basket,
    ImportedRows,
    Row,
    Sheet,
    as_text,
    check_defaults,
    guard,
    make_contrast,
    missing_columns,
    read_sheet,
    same_name,
    to_float,
    write_number,
    write_rows,
)
from headway.messages import say_in_english

if TYPE_CHECKING:
    import pandas as pd

# Compared names of the columns of each format, by what they hold.
_OLD: dict[str, tuple[str, ...]] = {
    "study": ("name", "studyorsubgroup", "study"),
    "year": ("yearofstudy", "year"),
    "events1": ("events1",),
    "mean1": ("mean1",),
    "sd1": ("sd1",),
    "n1": ("total1",),
    "events2": ("events2",),
    "mean2": ("mean2",),
    "sd2": ("sd2",),
    "n2": ("total2",),
    "effect": ("effectestimate",),
    "se": ("se",),
    "shown": ("effectestimate",),
    "low": ("cistart",),
    "high": ("ciend",),
    "expected": ("oe",),
    "footnotes": ("footnotes",),
}
_WEB: dict[str, tuple[str, ...]] = {
    "study": ("study",),
    "year": ("studyyear",),
    "events1": ("experimentalcases",),
    "mean1": ("experimentalmean",),
    "sd1": ("experimentalsd",),
    "n1": ("experimentaln",),
    "events2": ("controlcases",),
    "mean2": ("controlmean",),
    "sd2": ("controlsd",),
    "n2": ("controln",),
    "effect": ("givmean",),
    "se": ("givse",),
    "shown": ("mean",),
    "low": ("cistart",),
    "high": ("ciend",),
    "expected": ("oe",),
    "footnotes": ("footnotes",),
}
_NUMBERS = ("events1", "mean1", "sd1", "n1", "events2", "mean2", "sd2", "n2")
# RevMan's names and codes of effect measures, as compared.
_MEASURES = {
    **dict.fromkeys(("or", "oddsratio", "petoor", "petooddsratio", "oddsrationonevent"), "OR"),
    **dict.fromkeys(("rr", "riskratio"), "RR"),
    **dict.fromkeys(("rd", "riskdifference"), "RD"),
    **dict.fromkeys(("md", "meandifference"), "MD"),
    **dict.fromkeys(
        (
            "smd",
            "stdmeandifference",
            "standardizedmeandifference",
            "standardisedmeandifference",
        ),
        "SMD",
    ),
}
_RATIOS = ("or", "rr", "hr", "irr", "petoor")

# Columns of the data rows, in the order of RevMan Web's own file.
DATA_ROWS = (
    "Analysis group",
    "Analysis number",
    "Analysis name",
    "Subgroup",
    "Applicability",
    "Study",
    "Study year",
    "GIV Mean",
    "GIV SE",
    "Experimental mean",
    "Experimental SD",
    "Experimental cases",
    "Experimental N",
    "Control mean",
    "Control SD",
    "Control cases",
    "Control N",
    "O-E",
    "Variance",
    "Weight",
    "Mean",
    "CI start",
    "CI end",
    "Footnotes",
)
_ARM_MEASURES = {"MD": "mean sd", "SMD": "mean sd", "RR": "events", "OR": "events", "RD": "events"}


@dataclass(frozen=True, slots=True)
class RevManRows(ImportedRows):
    """Rows of a RevMan file; `rob` holds its judgements on the risk of bias.

    Attributes
    ----------
    rob : DataFrame
        One row per judgement: trial, domain, judgement, and the outcome it was made for. It is
        kept beside the review: no column of arms.csv or contrasts.csv holds it.
    """

    rob: pd.DataFrame


@dataclass(slots=True)
class _Analysis:
    """One outcome of one comparison, as RevMan numbers them."""

    id: str
    label: str
    declared: str = ""  # type of data; empty where the file does not say
    measure: str = ""
    method: str = ""
    log_scale: str = ""
    arms: tuple[str, str] = ("experimental", "control")
    subgroups: dict[str, str] = field(default_factory=dict)
    studies: list[_Study] = field(default_factory=list)
    # Headings by subgroup number ("" above all) that no study has been found below yet.
    bare: dict[str, Row] = field(default_factory=dict)

    def name_subgroup(self, number: str) -> str:
        """Return a subgroup's name; its number where the file has no heading for it."""
        none = number in ("", "0")
        return "" if none else self.subgroups.get(number, f"subgroup {number}")


@dataclass(slots=True)
class _Study:
    """One row of a study, with its numbers read."""

    row: Row
    trial: str
    subgroup: str
    values: dict[str, str]
    year: str = ""
    kind: str = ""
    applies: str = ""
    log: bool = False
    taken: bool = False


def read_revman(path: Path, defaults: Mapping[str, str] | None = None) -> RevManRows:
    """Read a CSV file that RevMan 5 or RevMan Web exported.

    Parameters
    ----------
    path
        The file. Delimiter, byte order mark, line ends and the spelling of the header (case,
        spaces, dots) do not matter.
    defaults
        Values for what RevMan does not hold: ``unit``, ``timepoint``, ``time_days``, ``source``,
        ``status``, ``condition``, ``technique``, ``comparator``, and ``kind`` (``final`` or
        ``change``) with ``positive_means`` for continuous rows. Counts are in participants
        whatever `unit` says, and a ratio's logarithm has no unit. Without ``condition``, a
        subgroup's name takes that column, since comparisons can be split by it.

    Returns
    -------
    RevManRows
        Rows that a review can use as they are once ``undecided`` is decided. One outcome and one
        comparison per RevMan analysis, named by its numbers.

    Raises
    ------
    InputError
        The file cannot be read or is neither export, or `defaults` cannot be used.
    """
    given = check_defaults(defaults)
    sheet = read_sheet(path)
    if "comparisonnumber" in sheet.headers:
        need = {"comparisonnumber": "Comparison Number", "outcomenumber": "Outcome Number"}
        # Without the type of data a heading cannot be told from a study.
        need |= {"subgroupnumber": "Subgroup Number", "datatype": "Data Type"}
        columns = _OLD
    else:
        need = {"analysisgroup": "Analysis group", "analysisnumber": "Analysis number"}
        columns = _WEB
    absent = [name for key, name in need.items() if key not in sheet.headers]
    if not any(name in sheet.headers for name in columns["study"]):
        absent.append("Name" if columns is _OLD else "Study")
    if absent:
        raise missing_columns(
            sheet,
            absent,
            "export 'Data and analyses' from RevMan 5 with its numbers, or the data rows from "
            "RevMan Web",
        )
    basket = Basket(given)
    basket.problems += sheet.broken
    basket.reported += len(sheet.broken)
    analyses: dict[str, _Analysis] = {}
    headings = (
        _walk_old(sheet, analyses, basket)
        if columns is _OLD
        else _walk_web(sheet, analyses, basket)
    )
    judgements: list[dict[str, str]] = []
    for analysis in analyses.values():
        _take(analysis, columns, basket, judgements)
    return _finish(sheet, analyses, basket, headings, judgements)


def _walk_old(sheet: Sheet, analyses: dict[str, _Analysis], basket: Basket) -> int:
    """Sort the rows of RevMan 5's export into analyses; return the number of headings."""
    names: dict[str, str] = {}
    headings = 0
    for row in sheet.rows:
        one, two, three = (
            row.text(key).removesuffix(".0")
            for key in ("comparisonnumber", "outcomenumber", "subgroupnumber")
        )
        name, type_ = row.text(*_OLD["study"]), _name_type(row.text("datatype"))
        three = "" if three == "0" else three
        if not _number_all(row, (one, two or "0", three or "0")):
            basket.keep(row, [])
            continue
        id = _name_analysis(one, two or "0")
        if two in ("", "0"):
            names[one] = name
            headings += 1
        elif id not in analyses and type_:
            label = ": ".join(text for text in (names.get(one, ""), name) if text)
            analyses[id] = _describe_old(row, id, f"{one}.{two} {label}".strip(), type_)
            analyses[id].bare[""] = row
            headings += 1
        elif id not in analyses:
            row.report("no_heading", "stands above the heading of its analysis", "datatype")
            basket.keep(row, [])
        elif type_ and three and three not in analyses[id].subgroups:
            analyses[id].subgroups[three] = name
            analyses[id].bare[three] = row
            headings += 1
        elif type_:
            row.report(
                "heading_twice",
                "repeats the heading of its analysis",
                "datatype",
                "only headings have a data type",
            )
            basket.keep(row, [])
        else:
            for number in ("", three):
                analyses[id].bare.pop(number, None)
            _add(analyses[id], row, name, analyses[id].name_subgroup(three), _OLD)
    # In a file without headings a study would pass for one.
    for analysis in analyses.values():
        for row in analysis.bare.values():
            row.report("no_studies", "has a data type, as a heading, and no study stands below it")
            basket.keep(row, [])
            headings -= 1
    return headings


def _describe_old(row: Row, id: str, label: str, declared: str) -> _Analysis:
    """Make an analysis of its heading."""
    one, two = row.text("grouplabel1"), row.text("grouplabel2")
    method = " ".join(
        text for text in (row.text("statisticalmethod"), row.text("analysismodel")) if text
    )
    if row.text("swapeventandnonevent").casefold() in ("yes", "true"):
        method += ", events and non-events swapped"
    scale = row.text(
        "entereddataareonlogscalegenericinversevarianceonly", "entereddataareonlogscale"
    )
    return _Analysis(
        id,
        label,
        declared,
        same_name(row.text("effectmeasure")),
        method,
        scale.casefold(),
        (one, two) if one and two and one != two else ("experimental", "control"),
    )


def _walk_web(sheet: Sheet, analyses: dict[str, _Analysis], basket: Basket) -> int:
    """Sort the data rows of RevMan Web into analyses; it has no headings."""
    for row in sheet.rows:
        one, two = (row.text(key).removesuffix(".0") for key in ("analysisgroup", "analysisnumber"))
        if not _number_all(row, (one, two)):
            basket.keep(row, [])
            continue
        id = _name_analysis(one, two)
        if id not in analyses:
            analyses[id] = _Analysis(id, f"{one}.{two} {row.text('analysisname')}".strip())
        study = _add(analyses[id], row, row.text("study"), row.text("subgroup"), _WEB)
        study.applies = same_name(row.text("applicability"))
    return 0


def _number_all(row: Row, numbers: Iterable[str]) -> bool:
    """Tell whether a row says which analysis it belongs to; report it if not."""
    if all(n.isascii() and n.isdigit() for n in numbers):
        return True
    row.report("no_analysis", "does not say by whole numbers which analysis it belongs to")
    return False


def _name_analysis(group: str, number: str) -> str:
    return f"analysis_{int(group)}_{int(number)}"


def _name_type(text: str) -> str:
    """Name the type of data: means, events, giv, or other."""
    name = same_name(text)
    if name.startswith(("iv", "giv", "generic", "contrast")):
        return "giv"
    if name.startswith("dic"):
        return "events"
    if name.startswith("con"):
        return "means"
    return "other" if name else ""


def _add(
    analysis: _Analysis, row: Row, name: str, subgroup: str, columns: Mapping[str, tuple[str, ...]]
) -> _Study:
    """Read the numbers of a study's row and put it into its analysis."""
    entered = [*_NUMBERS, "expected"]
    if columns is _WEB or analysis.declared == "giv":
        entered += ["effect", "se"]
    values = {key: row.number(columns[key][0]) for key in entered}
    # The others are results of RevMan's, and may read "Not estimable".
    seen = len(row.problems)
    results = {"effect", "se", "shown", "low", "high"}.difference(entered)
    values |= {key: row.number(columns[key][0]) for key in results}
    del row.problems[seen:]
    study = _Study(row, name, subgroup, values)
    study.year = row.text(*columns["year"]).removesuffix(".0")
    study.kind = analysis.declared or _find_kind(values)
    analysis.studies.append(study)
    return study


def _find_kind(values: Mapping[str, str]) -> str:
    """Find what a data row holds: it does not say."""

    def holds(*names: str) -> bool:
        return any(values[name] for name in names)

    if holds("effect", "se"):
        return "giv"
    if holds("expected"):
        return "other"
    if holds("mean1", "sd1", "mean2", "sd2"):
        return "means"
    return "events" if holds("events1", "events2") else ""


def _take(
    analysis: _Analysis,
    columns: Mapping[str, tuple[str, ...]],
    basket: Basket,
    judgements: list[dict[str, str]],
) -> None:
    """Turn the studies of an analysis into rows, or report them."""
    given = basket.given
    pairs = {(study.trial, study.subgroup) for study in analysis.studies}
    several = Counter(trial for trial, _ in pairs)
    for study in analysis.studies:
        row = study.row
        if not study.trial:
            row.report("required", "does not name its study", columns["study"][0])
            basket.keep(row, [])
            continue
        # The same people, or others of the same trial, in another subgroup: a row of its own.
        if several[study.trial] > 1 and study.subgroup:
            study.trial = f"{study.trial} ({study.subgroup})"
        judgements += _read_judgements(study, analysis)
        notes = [row.text("footnotes")]
        notes += [f"subgroup: {study.subgroup}"] if study.subgroup else []
        dated = study.year.isascii() and study.year.isdigit()
        notes += [f"year as printed: {study.year}"] if study.year and not dated else []
        shared = {
            "trial": study.trial,
            "year": study.year if dated else "",
            "condition": given["condition"] or study.subgroup,
            "outcome": analysis.id,
            "source": f"{given['source'] or row.file}, analysis {analysis.label.split()[0]}",
        }
        if study.kind == "giv":
            found = _read_generic(study, analysis, notes)
            unit = {"unit": "log_ratio"} if study.log else {}
            arms = {"treatment_arm": analysis.arms[0], "control_arm": analysis.arms[1]}
            note = {"note": "; ".join(text for text in notes if text)}
            study.taken = basket.keep(row, [], [shared | arms | unit | found | note])
            continue
        note = {"note": "; ".join(text for text in notes if text)}
        study.taken = basket.keep(
            row, [shared | one | note for one in _read_arms(study, analysis, given)]
        )


def _read_arms(
    study: _Study, analysis: _Analysis, given: Mapping[str, str]
) -> list[dict[str, str]]:
    """Read the two arms of a row; report what is missing."""
    row, v = study.row, study.values
    if study.kind not in ("means", "events"):
        if study.kind == "other" and (v["expected"] or analysis.declared):
            row.report(
                "unsupported_type",
                "is of a type of data that is not read",
                "datatype",
                "enter (O-E)/V with the standard error 1/sqrt(V) as generic inverse variance",
            )
        elif not row.problems:
            row.report("no_numbers", "holds no numbers of a study")
        return []
    parts = ("mean", "sd", "n") if study.kind == "means" else ("events", "n")
    nothing = all(to_float(v[f"{p}{i}"] or "0") == 0 for p in parts for i in (1, 2))
    if nothing and not row.problems:
        row.report("no_numbers", "holds no numbers of a study")
        return []
    needed = ("mean",) if study.kind == "means" else ("events", "n")
    for part in needed:
        if not row.problems and not (v[f"{part}1"] and v[f"{part}2"]):
            row.report("required", f"lacks the {part} of an arm")
    arms = []
    for number, role in ((1, "treatment"), (2, "control")):
        one = {part: v[f"{part}{number}"] for part in parts}
        one |= {"role": role, "arm": analysis.arms[number - 1]}
        one["kind"] = given["kind"] if study.kind == "means" else "events"
        arms.append(one)
    return arms


def _read_generic(study: _Study, analysis: _Analysis, notes: list[str]) -> dict[str, str]:
    """Read an effect with its standard error, on the scale on which it is pooled."""
    row, v = study.row, study.values
    empty = {"effect": "", "effect_type": "generic inverse variance"}
    if row.problems:
        return empty
    if not v["effect"]:
        row.report("no_numbers", "holds no effect")
        return empty
    if not v["se"] or float(v["se"]) <= 0:
        row.report(
            "no_standard_error",
            "has no standard error above 0",
            "se" if "se" in row.headers else "givse",
        )
        return empty
    if "givmean" in row.headers:
        # Entered on the scale of analysis; what is shown tells whether that was a logarithm.
        effect, shown = float(v["effect"]), to_float(v["shown"])
        far = abs(shown - math.exp(effect)) if abs(effect) < 700 else math.inf
        study.log = far < abs(shown - effect) and far <= 1e-3 * abs(shown)
        text = v["effect"]
    else:
        study.log = _was_logged(study, analysis)
        if row.problems:
            return empty
        text = write_number(math.log(float(v["effect"]))) if study.log else v["effect"]
    kind = "generic inverse variance" + (", log scale" if study.log else "")
    if any(to_float(v[n] or "0") for n in ("n1", "n2")):
        notes.append(f"{v['n1'] or '?'} and {v['n2'] or '?'} participants")
    notes.append("95 % limits made from the printed standard error")
    return make_contrast(text, v["se"]) | {"effect_type": kind}


def _was_logged(study: _Study, analysis: _Analysis) -> bool:
    """Tell whether RevMan 5 shows the antilogarithm of an effect whose SE is of the logarithm.

    The interval tells: it is symmetric, and as wide as the standard error asks, on one scale only.
    """
    row, v = study.row, study.values
    effect, se, low, high = (to_float(v[name]) for name in ("effect", "se", "low", "high"))
    ratio = analysis.measure in _RATIOS or "ratio" in analysis.measure
    declared = {"yes": True, "no": False}.get(analysis.log_scale)
    if math.isnan(low) or math.isnan(high):
        if declared is None and ratio:
            row.report(
                "scale_unclear",
                "does not say whether the effect is a logarithm",
                "effectestimate",
                "export the limits of the interval too",
            )
        logged = bool(declared)
        if logged and effect <= 0:
            row.report("scale_unclear", "is not above 0, as a ratio is", "effectestimate")
        return logged

    def misfit(effect: float, low: float, high: float) -> float:
        width = 2 * Z95 * se
        return max(abs(low + high - 2 * effect) / width, abs((high - low) / width - 1))

    plain = misfit(effect, low, high)
    logged_misfit = math.inf
    if min(effect, low, high) > 0 and (ratio or declared or not analysis.measure):
        logged_misfit = misfit(math.log(effect), math.log(low), math.log(high))
    if min(plain, logged_misfit) > 0.02:
        row.report(
            "scale_unclear",
            "does not fit its interval and standard error on either scale",
            "effectestimate",
            "a 95 % interval of the effect or of its logarithm is expected",
        )
    return logged_misfit < plain


def _read_judgements(study: _Study, analysis: _Analysis) -> list[dict[str, str]]:
    """List the judgements on the risk of bias of a row."""
    found = []
    for key, header in study.row.headers.items():
        if "judgement" not in key and "judgment" not in key:
            continue
        text = study.row.text(key)
        if not text:
            continue
        domain = header.replace(".", " ").replace("_", " ").strip()
        for word in (" judgement", " judgment"):
            if domain.casefold().endswith(word):
                domain = domain[: -len(word)]
        domain = domain.removeprefix("Domain (judgement):").strip()
        found.append(
            {
                "trial": study.trial,
                "domain": domain,
                "judgement": text,
                "outcome": analysis.id,
            }
        )
    return found


def _finish(
    sheet: Sheet,
    analyses: Mapping[str, _Analysis],
    basket: Basket,
    headings: int,
    judgements: list[dict[str, str]],
) -> RevManRows:
    """Put the result together, with what review.yaml needs to know of it."""
    import pandas as pd

    outcomes: dict[str, dict[str, Any]] = {}
    comparisons = []
    for analysis in analyses.values():
        taken = [study for study in analysis.studies if study.taken]
        if not taken:
            continue
        unit, comparison = _suggest(analysis, taken, basket.given)
        outcomes[analysis.id] = {"label": analysis.label, "unit": unit, "lower_is_better": True}
        comparisons.append(comparison)
    arms, contrasts = basket.frames()
    lines = len(sheet.rows) + len(sheet.broken)
    return RevManRows(
        arms=arms,
        contrasts=contrasts,
        outcomes=outcomes,
        comparisons=comparisons,
        problems=tuple(sorted(basket.problems, key=lambda p: p.line or 0)),
        rows_in=lines - headings,
        rows_kept=basket.kept,
        rows_reported=basket.reported,
        headings=headings,
        undecided=basket.undecided(),
        rob=pd.DataFrame(
            judgements, columns=["trial", "domain", "judgement", "outcome"], dtype=str
        ),
    )


def _suggest(
    analysis: _Analysis, taken: list[_Study], given: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    """Suggest the unit of an outcome, and the comparison that repeats RevMan's analysis."""
    kinds = {study.kind for study in taken}
    measure = "MD"
    if "means" in kinds or "events" in kinds:
        kind = "means" if "means" in kinds else "events"
        known = ("MD", "SMD") if kind == "means" else ("RR", "OR", "RD")
        declared = _MEASURES.get(analysis.measure, "")
        measure = declared if declared in known else _find_measure(taken, known)
    comparison: dict[str, Any] = {
        "id": analysis.id,
        "label": analysis.label,
        "outcome": analysis.id,
        "estimand": "between_arm",
        "measure": measure,
    }
    unit = "participants" if kinds == {"events"} else given["unit"]
    logged = any(study.log for study in taken)
    if logged:
        unit = "log_ratio"
    if "means" in kinds:
        comparison["kinds"] = [given["kind"]]
    if any(study.subgroup for study in taken) and not given["condition"]:
        comparison["subgroup_by"] = "condition"
    outside = [s.trial for s in taken if s.applies and "overall" not in s.applies]
    if outside:
        reason = "RevMan counts it in its subgroup only"
        comparison["leave_out"] = dict.fromkeys(outside, reason)
    notes = [f"RevMan: {analysis.method}"] if analysis.method else []
    notes += ["effects are logarithms of ratios"] if logged else []
    if notes:
        comparison["note"] = "; ".join(notes)
    return unit, comparison


def _find_measure(taken: list[_Study], known: tuple[str, ...]) -> str:
    """Find the measure whose effects are the ones RevMan shows; the first if none is."""
    rows = [study.values for study in taken if study.kind != "giv" and study.values["shown"]]
    if not rows:
        return known[0]
    worst = {}
    for measure in known:
        errors = []
        for v in rows:
            numbers = {name: to_float(v[name]) for name in _NUMBERS}
            shown = float(v["shown"])
            if measure in ("MD", "SMD"):
                names = ("n1", "mean1", "sd1", "n2", "mean2", "sd2")
                effect = float(escalc(measure, **{n: numbers[n] for n in names}).yi)
            else:
                a, c = numbers["events1"], numbers["events2"]
                cells = {"a": a, "b": numbers["n1"] - a, "c": c, "d": numbers["n2"] - c}
                effect = float(escalc(measure, **cells).yi)
                effect = effect if measure == "RD" else math.exp(effect)
            if not math.isnan(effect):
                errors.append(abs(effect - shown) / max(abs(shown), 0.01))
        worst[measure] = max(errors, default=math.inf)
    best = min(known, key=lambda m: worst[m])
    return best if worst[best] < 0.02 else known[0]


def write_revman(effects: pd.DataFrame, path: Path) -> tuple[Problem, ...]:
    """Write effects as RevMan Web's data rows.

    A comparison of means or counts of two arms is written as such. One that holds a printed
    difference, or that follows single arms, is written as generic inverse variance throughout,
    since an analysis of RevMan has one type of data. Numbers have as many digits as give back
    the same number; text that a spreadsheet would run as a formula gets an apostrophe.

    Parameters
    ----------
    effects
        Table `effects`; its rows with `pooled` are written, as RevMan pools what it holds.
    path
        File to write.

    Returns
    -------
    tuple of Problem
        One per row that was left out, with its place in the table (1 = first row).
    """
    effects = effects.assign(year=effects["year"].astype("float64"))
    left: list[Problem] = []
    rows: list[list[str]] = []
    for place, (pooled, yi) in enumerate(zip(effects["pooled"], effects["yi"], strict=True), 1):
        if not pooled or math.isnan(yi):
            text = "is not pooled, and RevMan would pool it"
            left.append(Problem("effects", "not_pooled", text, "pooled", place))
    for number, (id, part) in enumerate(effects.groupby("comparison", sort=False), 1):
        used = part[part["pooled"] & part["yi"].notna()]
        # A study stands once in an analysis; here each arm of a trial may be followed.
        twice = used.duplicated("trial", keep=False)
        names = used["trial"].mask(twice, used["trial"] + " (" + used["arms"] + ")")
        rows += [
            _as_data_row(number, str(id), row, _by_arms(used))
            for row in used.assign(trial=names).itertuples()
        ]
    write_rows(path, DATA_ROWS, rows)
    return tuple(left)


def _by_arms(used: pd.DataFrame) -> bool:
    """Tell whether every row of a comparison has the numbers of both its arms."""
    if not len(used) or (used["basis"] != "arms").any():
        return False
    parts = _ARM_MEASURES.get(used["measure"].iloc[0], "").split()
    names = [f"{part}{i}" for part in [*parts, "n"] for i in (1, 2)]
    return bool(parts) and bool(used[names].notna().all(axis=None))


def _as_data_row(number: int, id: str, row: Any, by_arms: bool) -> list[str]:
    """Write one row of the table `effects`."""
    ratio = row.measure in ("RR", "OR")
    shown = [math.exp(x) if ratio else x for x in (row.yi, row.ci_low, row.ci_high)]
    subgroup, unit = as_text(row.subgroup), say_in_english(name_unit(row.unit))
    cells = {
        "Analysis group": "1",
        "Analysis number": str(number),
        "Analysis name": guard(as_text(row.label) or id),
        "Subgroup": guard(subgroup),
        "Applicability": "SUBGROUP_AND_OVERALL" if subgroup else "",
        "Study": guard(row.trial),
        "Study year": write_number(row.year),
        "Experimental N": write_number(row.n1),
        "Control N": write_number(row.n2),
        "Weight": write_number(row.weight),
        "Footnotes": guard(
            "; ".join(
                say_in_english(text)
                for text in (f"{row.arms}, {row.timepoint}, {unit}", row.source, row.note)
                if isinstance(text, str)
            )
        ),
    }
    cells |= dict(zip(("Mean", "CI start", "CI end"), map(write_number, shown), strict=True))
    if by_arms:
        for side, i in (("Experimental", "1"), ("Control", "2")):
            cells |= {
                f"{side} {name}": write_number(getattr(row, f"{part}{i}"))
                for name, part in (("mean", "mean"), ("SD", "sd"), ("cases", "events"))
            }
    else:
        cells |= {"GIV Mean": write_number(row.yi), "GIV SE": write_number(math.sqrt(row.vi))}
    return [cells.get(name, "") for name in DATA_ROWS]
