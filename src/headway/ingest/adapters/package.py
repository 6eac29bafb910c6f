"""The Cochrane Library's data package (.zip) -> analyses with their settings and estimates.

A package holds `…-data-rows.csv`, and beside it `…-overall-estimates-and-settings.csv` and
`…-subgroup-estimates.csv`; older ones name no estimator of tau2 and no method of the interval.
Source: "Data package specification", RevMan knowledge base, versions 1 and 2.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from headway.errors import InputError
from headway.ingest.adapters.analyses import (
    Analysis,
    name_kind,
    name_measure,
    name_method,
    read_level,
)
from headway.ingest.adapters.exchange import Row, Sheet, parse_sheet, refuse, same_name
from headway.ingest.adapters.exports import Walked, add_total, is_count, is_export, walk

# More than any review's, and less than what fills a memory.
LARGEST = 200_000_000
_SHOWN = ("mean", "cistart", "ciend")


def open_package(path: Path) -> tuple[Walked, Sheet]:
    """Read the analyses of a package, and the sheet of its data rows.

    Raises
    ------
    InputError
        No package, or one without data rows.
    """
    sheets = _read_sheets(path)
    if "data" not in sheets:
        raise refuse(path.name, "no_data_rows", "problem.no_data_rows", "remedy.no_data_rows")
    found = walk(sheets["data"])
    for row in sheets["settings"].rows if "settings" in sheets else ():
        analysis = _find(found, row)
        if analysis is not None:
            _read_settings(row, analysis)
    for row in sheets["subgroups"].rows if "subgroups" in sheets else ():
        analysis = _find(found, row)
        if analysis is not None and analysis.totals != "none":
            _read_subgroup(row, analysis)
    return found, sheets["data"]


def _read_sheets(path: Path) -> dict[str, Sheet]:
    """Read the CSV files of a package that hold its analyses, by what they hold."""
    found: dict[str, Sheet] = {}
    total = 0
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.is_dir() or not entry.filename.casefold().endswith(".csv"):
                    continue
                total += entry.file_size
                if total > LARGEST:
                    text, cure = "problem.package_too_large", "remedy.package_too_large"
                    raise refuse(path.name, "too_large", text, cure)
                name = entry.filename.rpartition("/")[2]
                with archive.open(entry) as stream:
                    data = stream.read(LARGEST)
                try:
                    sheet = parse_sheet(name, data)
                except InputError:
                    if "data-rows" in name:
                        raise
                    continue  # of another kind, such as a table of characteristics
                kind = _find_kind(sheet)
                if kind:
                    found.setdefault(kind, sheet)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError):
        # RuntimeError: a password; the others: a broken archive.
        raise refuse(path.name, "unreadable", "problem.no_zip", "remedy.no_zip") from None
    return found


def _find_kind(sheet: Sheet) -> str:
    """Tell by its columns what a sheet of a package holds."""
    if not is_export(sheet):
        return ""
    if "statisticalmethod" in sheet.headers and "study" not in sheet.headers:
        return "settings"
    if "study" in sheet.headers:
        return "data"
    return "subgroups" if "subgroup" in sheet.headers else ""


def _find(found: Walked, row: Row) -> Analysis | None:
    one, two = (row.text(key).removesuffix(".0") for key in ("analysisgroup", "analysisnumber"))
    return found.find(one, two) if is_count(one) and is_count(two) else None


def _read_settings(row: Row, analysis: Analysis) -> None:
    """Read the settings of an analysis, and its total where the library shows it."""
    analysis.group_name = row.text("analysisgroupname")
    kind = name_kind(row.text("datatype"))
    analysis.kind = kind if kind != "other" else ""
    analysis.measure_name = row.text("effectmeasure")
    analysis.measure = (
        name_measure(analysis.measure_name) if analysis.kind in ("events", "means") else ""
    )
    analysis.method = name_method(row.text("statisticalmethod"))
    model = row.text("analysismodel").casefold()
    analysis.model = "random" if "random" in model else "fixed" if "fixed" in model else ""
    analysis.tau2 = _name_tau2(row.text("heterogeneityestimator"))
    analysis.ci = _name_ci(row.text("cimethod"))
    if row.text("predictioninterval"):
        analysis.prediction = is_yes(row.text("predictioninterval"))
    analysis.level = read_level(row.text("estimateci", "cipilevel"))
    analysis.row_level = read_level(row.text("studyci", "cipilevel"))
    analysis.swap = is_yes(row.text("swapeventandnonevent"))
    log = row.text("logscaledata")
    if analysis.kind in ("giv", "o_e") and log:
        analysis.log = is_yes(log)
    labels = row.text("experimentalgrouplabel"), row.text("controlgrouplabel")
    if labels[0] and labels[1] and labels[0] != labels[1]:
        analysis.arms = labels
    overall, parts = row.text("overallestimates"), row.text("subgroupestimates")
    if overall and not is_yes(overall):
        analysis.totals = "subgroups" if is_yes(parts) else "none"
    else:
        analysis.totals = "all"
        add_total(analysis, "", [row.text(name) for name in _SHOWN], row)
    for study in analysis.rows:
        study.kind = analysis.kind


def _read_subgroup(row: Row, analysis: Analysis) -> None:
    """Read the total of a subgroup."""
    name, number = row.name("subgroup"), row.text("subgroupnumber").removesuffix(".0")
    known = [no for no, text in analysis.subgroups.items() if text == name]
    if number in analysis.subgroups and analysis.subgroups[number] == name:
        known = [number]
    elif known and is_count(number) and number not in analysis.subgroups:
        _renumber(analysis, known[0], number)
        known = [number]
    if known:
        add_total(analysis, known[0], [row.text(n) for n in _SHOWN], row)


def _renumber(analysis: Analysis, old: str, new: str) -> None:
    """Give a subgroup that was counted the number that the file has for it."""
    analysis.subgroups[new] = analysis.subgroups.pop(old)
    for study in analysis.rows:
        if study.subgroup == old:
            study.subgroup = new


def is_yes(text: str) -> bool:
    """Read TRUE and FALSE, in RevMan's several ways to write them."""
    return text.casefold() in ("true", "yes", "1", "shown", "show")


def _name_tau2(text: str) -> str:
    name = same_name(text)
    if "dersimonian" in name or name == "dl":
        return "DL"
    return "REML" if "reml" in name or "restricted" in name else ""


def _name_ci(text: str) -> str:
    name = same_name(text)
    if "hksj" in name or "hartung" in name or "knapp" in name:
        return "hksj"
    return "wald" if "wald" in name else ""
