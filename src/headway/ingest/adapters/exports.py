"""RevMan's two CSV exports -> analyses.

Read are "Data and analyses" of RevMan 5 (headings for comparison, outcome and subgroup above the
studies) and the data rows of RevMan Web, which the Cochrane Library also offers for download (one
row per study, no headings, no settings).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from headway.ingest.adapters.analyses import (
    COUNTS,
    Analysis,
    StoredTotal,
    StudyRow,
    name_kind,
    name_measure,
    name_method,
    read_level,
)
from headway.ingest.adapters.exchange import (
    Z95,
    Row,
    Sheet,
    missing_columns,
    same_name,
    to_float,
    write_number,
)

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
    "o_e": ("oe",),
    "variance": ("variance",),
    "shown": ("effectestimate",),
    "low": ("cistart",),
    "high": ("ciend",),
    "weight": ("weight",),
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
    "o_e": ("oe",),
    "variance": ("variance",),
    "shown": ("mean",),
    "low": ("cistart",),
    "high": ("ciend",),
    "weight": ("weight",),
    "footnotes": ("footnotes",),
}
_ENTERED = (*COUNTS, "mean1", "sd1", "mean2", "sd2", "o_e", "variance")
_RESULTS = ("shown", "low", "high", "weight")
_RATIOS = ("or", "rr", "hr", "irr", "petoor")


class Walked:
    """What the rows of a CSV export were sorted into."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.analyses: list[Analysis] = []
        self.by: dict[str, Analysis] = {}
        self.left: list[Row] = []  # rows that belong to no analysis
        self.headings = 0
        self.judgements: list[dict[str, str]] = []

    def find(self, one: str, two: str) -> Analysis | None:
        """Find an analysis by its numbers."""
        return self.by.get(f"{int(one)}.{int(two)}")

    def add(self, analysis: Analysis) -> Analysis:
        """Take a new analysis."""
        self.by[analysis.code] = analysis
        self.analyses.append(analysis)
        return analysis


def is_export(sheet: Sheet) -> bool:
    """Tell whether a sheet has the columns of one of RevMan's exports."""
    pairs = (("comparisonnumber", "outcomenumber"), ("analysisgroup", "analysisnumber"))
    return any(all(name in sheet.headers for name in pair) for pair in pairs)


def walk(sheet: Sheet) -> Walked:
    """Sort the rows of an export into analyses.

    Raises
    ------
    InputError
        Columns that every export has are not there.
    """
    old = "comparisonnumber" in sheet.headers
    if old:
        need = {"comparisonnumber": "Comparison Number", "outcomenumber": "Outcome Number"}
        # Without the type of data a heading cannot be told from a study.
        need |= {"subgroupnumber": "Subgroup Number", "datatype": "Data Type"}
    else:
        need = {"analysisgroup": "Analysis group", "analysisnumber": "Analysis number"}
    columns = _OLD if old else _WEB
    absent = [name for key, name in need.items() if key not in sheet.headers]
    if not any(name in sheet.headers for name in columns["study"]):
        absent.append("Name" if old else "Study")
    if absent:
        raise missing_columns(sheet, absent, "remedy.revman_export")
    found = Walked()
    (_walk_old if old else _walk_web)(sheet, found)
    for analysis in found.analyses:
        _note_empty(analysis)
        for study in analysis.rows:
            found.judgements += _read_judgements(study, analysis)
    return found


def _note_empty(analysis: Analysis) -> None:
    """Take an empty effect for "not estimable" where other rows of the analysis show theirs."""
    if any(all(row.shown) for row in analysis.rows):
        for row in analysis.rows:
            row.not_estimable = row.not_estimable or not row.shown[0]


def _walk_old(sheet: Sheet, found: Walked) -> None:
    """Sort the rows of RevMan 5's export into analyses."""
    names: dict[str, str] = {}
    bare: dict[str, dict[str, Row]] = {}  # headings that no study has been found below yet
    for row in sheet.rows:
        one, two, three = (
            row.text(key).removesuffix(".0")
            for key in ("comparisonnumber", "outcomenumber", "subgroupnumber")
        )
        name, kind = row.name(*_OLD["study"]), name_kind(row.text("datatype"))
        three = "" if three == "0" else three
        if not _number_all(row, (one, two or "0", three or "0")):
            found.left.append(row)
            continue
        analysis = found.find(one, two or "0")
        if two in ("", "0"):
            names[one] = name
            found.headings += 1
        elif analysis is None and kind:
            analysis = found.add(_describe_old(row, int(one), int(two), name, kind))
            analysis.group_name = names.get(one, "")
            bare[analysis.code] = {"": row}
            _read_total(row, analysis, "")
            found.headings += 1
        elif analysis is None:
            row.report("no_heading", "problem.above_heading", "datatype", "remedy.revman_export")
            found.left.append(row)
        elif kind and three and three not in analysis.subgroups:
            analysis.subgroups[three] = name
            bare[analysis.code][three] = row
            _read_total(row, analysis, three)
            found.headings += 1
        elif kind:
            row.report("heading_twice", "problem.heading_twice", "datatype", "remedy.heading_twice")
            found.left.append(row)
        else:
            for number in ("", three):
                bare[analysis.code].pop(number, None)
            _add(analysis, row, name, three, _OLD)
    # In a file without headings a study would pass for one.
    for rows in bare.values():
        for row in rows.values():
            row.report("no_studies", "problem.no_studies", remedy="remedy.revman_export")
            found.left.append(row)
            found.headings -= 1


def _describe_old(row: Row, group: int, number: int, name: str, kind: str) -> Analysis:
    """Make an analysis of its heading."""
    one, two = row.text("grouplabel1"), row.text("grouplabel2")
    found = Analysis(group, number, name, kind=kind)
    found.measure_name = row.text("effectmeasure")
    found.measure = name_measure(found.measure_name) if kind in ("events", "means") else ""
    found.method = name_method(row.text("statisticalmethod"))
    model = row.text("analysismodel").casefold()
    found.model = "random" if "random" in model else "fixed" if "fixed" in model else ""
    # RevMan 5 knows no other estimator and no other interval.
    found.tau2, found.ci = "DL", "wald"
    found.swap = row.text("swapeventandnonevent", "swapeventsandnonevents").casefold() in (
        "yes",
        "true",
    )
    found.level = read_level(row.text("totalconfidenceinterval"))
    found.row_level = read_level(row.text("studyconfidenceinterval"))
    scale = row.text(
        "entereddataareonlogscalegenericinversevarianceonly", "entereddataareonlogscale"
    )
    found.log = {"yes": True, "true": True, "no": False, "false": False}.get(scale.casefold())
    totals = row.text("totals").casefold()
    if totals:
        found.totals = "subgroups" if "sub" in totals else "none" if "no" in totals else "all"
    if one and two and one != two:
        found.arms = (one, two)
    return found


def _read_total(row: Row, analysis: Analysis, subgroup: str) -> None:
    """Read the total that stands in a heading."""
    if analysis.kind == "other" or analysis.totals == "none":
        return
    if analysis.totals == "subgroups" and not subgroup:
        return
    add_total(analysis, subgroup, [row.text(_OLD[n][0]) for n in ("shown", "low", "high")], row)


def add_total(analysis: Analysis, subgroup: str, texts: list[str], row: Row) -> None:
    """Take a total as the file shows it, or that it is not estimable."""
    if texts[0].casefold().startswith("not estimable"):
        analysis.stored.append(StoredTotal(subgroup, ("", "", ""), estimable=False))
        return
    seen = len(row.problems)
    numbers = [row.read(text) for text in texts]
    del row.problems[seen:]
    if all(numbers):
        analysis.stored.append(StoredTotal(subgroup, (numbers[0], numbers[1], numbers[2])))


def _walk_web(sheet: Sheet, found: Walked) -> None:
    """Sort the data rows of RevMan Web into analyses; it has no headings."""
    for row in sheet.rows:
        one, two = (row.text(key).removesuffix(".0") for key in ("analysisgroup", "analysisnumber"))
        if not _number_all(row, (one, two)):
            found.left.append(row)
            continue
        analysis = found.find(one, two)
        if analysis is None:
            analysis = found.add(Analysis(int(one), int(two), row.text("analysisname")))
        name = row.name("subgroup")
        subgroup = _number_subgroup(analysis, name, row.text("subgroupnumber").removesuffix(".0"))
        study = _add(analysis, row, row.name("study"), subgroup, _WEB)
        applies = same_name(row.text("applicability"))
        study.in_total = not applies or "overall" in applies


def _number_subgroup(analysis: Analysis, name: str, number: str) -> str:
    """Return the number of a subgroup: the file's own, or its place among those of the analysis."""
    if not name and number in ("", "0"):
        return ""
    if not is_count(number) or number == "0":
        known = [no for no, text in analysis.subgroups.items() if text == name]
        number = known[0] if known else str(len(analysis.subgroups) + 1)
    analysis.subgroups.setdefault(number, name or f"subgroup {number}")
    return number


def is_count(text: str) -> bool:
    """Tell whether a text is the number of an analysis, or of a part of one."""
    return text.isascii() and text.isdigit() and len(text) < 10


def _number_all(row: Row, numbers: Iterable[str]) -> bool:
    """Tell whether a row says which analysis it belongs to; report it if not."""
    if all(map(is_count, numbers)):
        return True
    row.report("no_analysis", "problem.no_analysis", remedy="remedy.revman_export")
    return False


def _add(
    analysis: Analysis, row: Row, name: str, subgroup: str, columns: Mapping[str, tuple[str, ...]]
) -> StudyRow:
    """Read the numbers of a study's row and put it into its analysis."""
    entered = list(_ENTERED)
    if columns is _WEB or analysis.kind == "giv":
        entered += ["effect", "se"]
    values = {key: row.number(columns[key][0]) for key in entered}
    # The others are results of RevMan's, and may read "Not estimable".
    seen = len(row.problems)
    results = {key: row.number(columns[key][0]) for key in _RESULTS}
    del row.problems[seen:]
    study = StudyRow(row, name, subgroup, values)
    if all(results[key] for key in ("shown", "low", "high")):
        study.shown = (results["shown"], results["low"], results["high"])
    study.not_estimable = row.text(columns["shown"][0]).casefold().startswith("not estimable")
    study.weight = results["weight"]
    study.year = row.text(*columns["year"]).removesuffix(".0")
    study.kind = analysis.kind
    study.notes = [row.text(*columns["footnotes"])]
    if analysis.kind == "giv" and columns is _OLD:
        _read_shown_effect(study, analysis)
    analysis.rows.append(study)
    return study


def _read_shown_effect(study: StudyRow, analysis: Analysis) -> None:
    """Take a generic effect back to the scale of its standard error: RevMan 5 shows a ratio."""
    v = study.values
    if study.row.problems or not v["effect"] or not to_float(v["se"]) > 0:
        return
    study.logged = _was_logged(study, analysis)
    if study.logged and not study.row.problems:
        if analysis.log is None:
            analysis.log = True
        v["effect"] = write_number(math.log(float(v["effect"])))


def _was_logged(study: StudyRow, analysis: Analysis) -> bool:
    """Tell whether RevMan 5 shows the antilogarithm of an effect whose SE is of the logarithm.

    The interval tells: it is symmetric, and as wide as the standard error asks, on one scale only.
    """
    row, v = study.row, study.values
    effect, se = to_float(v["effect"]), to_float(v["se"])
    low, high = (to_float(text) for text in study.shown[1:])
    name = same_name(analysis.measure_name)
    ratio = name in _RATIOS or "ratio" in name
    if math.isnan(low) or math.isnan(high):
        if analysis.log is None and ratio:
            row.report(
                "scale_unclear", "problem.scale_not_said", "effectestimate", "remedy.scale_not_said"
            )
        logged = bool(analysis.log)
        if logged and effect <= 0:
            row.report("scale_unclear", "problem.no_ratio", "effectestimate", "remedy.no_ratio")
        return logged

    def misfit(effect: float, low: float, high: float) -> float:
        width = 2 * Z95 * se
        return max(abs(low + high - 2 * effect) / width, abs((high - low) / width - 1))

    plain = misfit(effect, low, high)
    logged_misfit = math.inf
    if min(effect, low, high) > 0 and (ratio or analysis.log or not name):
        logged_misfit = misfit(math.log(effect), math.log(low), math.log(high))
    if min(plain, logged_misfit) > 0.02 and not math.isfinite(analysis.row_level):
        row.report("scale_unclear", "problem.scale_misfit", "effectestimate", "remedy.scale_misfit")
    return logged_misfit < plain


def _read_judgements(study: StudyRow, analysis: Analysis) -> list[dict[str, str]]:
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
                "trial": study.study,
                "domain": domain,
                "judgement": text,
                "outcome": analysis.id,
            }
        )
    return found
