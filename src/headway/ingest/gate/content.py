"""What the cells of a column say: every rule of content, over every different cell."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.errors import Problem
from headway.ingest.gate import ages, categories, dates, names, patterns, persons, places
from headway.ingest.gate.checksums import find_checked, find_in_remark
from headway.ingest.gate.columns import Cells, read_column
from headway.ingest.gate.remedies import remedy_of
from headway.ingest.gate.vocabulary import known
from headway.messages import Message, term

if TYPE_CHECKING:
    import duckdb

    from headway.ingest.open.staging import Stage

# Lists of codes, held against a pattern when they are read.
LISTS = (
    "trigger_points",
    "referral_zone",
    "pain_sites",
    "home_tools",
    "assessments",
    "other_complaints",
)
# Rules that codes of a classification would break by their form.
_NOT_OF_CODES = {"phone", "postcode", "vehicle", "device", "address"}
# Most different cells of a column have the form of a rule of `patterns.WHOLE`.
_MOST = 0.5
# A number as fine as a degree of latitude or longitude.
_FINE = re.compile(r"[-+]?\d{1,3}[.,]\d{3,}")
# A column of so many texts of which nearly all look like a full name is one of names.
_NAMES, _INITIALS, _NAMES_SHARE = 10, 3, 0.9


@dataclass(frozen=True, slots=True)
class Kind:
    """What clinic.yaml and the name of a column say that it is."""

    own: str
    canonical: str | None = None
    numeric: bool = False  # mapped to a number, which has a range of its own
    banded: bool = False
    shifted: bool = False
    free_text_characters: int = 60


def judge(cells: Cells, kind: Kind) -> dict[str, int]:
    """Count, rule by rule, the cells of a column that break it.

    Returns
    -------
    dict
        Rule -> cells; only rules that are broken.
    """
    counts: dict[str, int] = {}
    marked = _mark_texts(cells, kind)
    for rule in dict.fromkeys(r for rules in marked.values() for r in rules):
        counts[rule] = cells.count(lambda c, r=rule: c.number is None and r in marked[c.text])  # type: ignore[misc]
    for rule, found in _mark_numbers(cells, kind).items():
        counts[rule] = counts.get(rule, 0) + cells.count(lambda c, f=found: c.whole in f)  # type: ignore[misc]
    if names.says_place(kind.own) and not kind.numeric:
        counts["coordinates"] = cells.count(lambda c: bool(_FINE.fullmatch(c.text)))
    if kind.canonical not in LISTS:
        long = cells.count(lambda c: len(c.raw) > kind.free_text_characters)
        if long:
            counts["free_text"] = long
    if not any(counts.values()):
        counts |= _find_singling(cells, kind)
    return {rule: n for rule, n in counts.items() if n}


def _mark_texts(cells: Cells, kind: Kind) -> Mapping[str, set[str]]:
    """List the rules that each different text breaks."""
    texts = cells.texts
    coded = kind.canonical == "condition" or categories.says_classification(kind.own)
    coded = coded or categories.are_ichd(texts)
    marked: dict[str, set[str]] = {t: set() for t in texts}
    for text, rules in marked.items():
        rules.update(patterns.find_sure(text))
        rules.update(find_in_remark(text))
        if dates.find_date(text):
            rules.add("full_date")
        if ages.find_age(text):
            rules.add("age_over_89")
        if kind.canonical not in LISTS and persons.find_person(text):
            rules.add("person_name")
        if coded:
            rules -= _NOT_OF_CODES
    if not coded:
        _mark_by_form(marked, texts, cells)
        measured = categories.says_measure(kind.own)
        if not measured:
            for text in dates.find_short_dates(texts):
                marked[text].add("full_date")
    for rule, found in find_checked([] if coded else texts).items():
        for text in found:
            marked[text].add(rule)
    if names.says_postcode(kind.own):
        for text, rules in marked.items():
            if len(re.sub(r"\W", "", text)) > 3:
                rules.add("postcode")
    lifted = {"full_date"} if kind.shifted else set()
    lifted |= {"age_over_89"} if kind.banded else set()
    for rules in marked.values():
        rules -= lifted
    return marked


def _mark_by_form(marked: dict[str, set[str]], texts: Sequence[str], cells: Cells) -> None:
    """Mark texts whose form counts where most of a column has it."""
    enough = _MOST * (len(texts) + len(cells.numbers))
    for rule, pattern in patterns.WHOLE:
        found = [t for t in texts if pattern.fullmatch(t)]
        if found and len(found) >= enough and sum(map(_is_unit, found)) < _MOST * len(found):
            for text in found:
                marked[text].add(rule)
    forms = {t: form for t in texts if (form := places.fits_postcode(t))}
    if forms and len(forms) >= enough:
        for text in forms:
            marked[text].add("postcode")
    if places.are_geohashes(texts):
        for text in texts:
            marked[text].add("coordinates")
    full = [t for t in texts if persons.looks_like_full_name(t)]
    short = [t for t in texts if persons.is_initialled(t)]
    if len(short) >= _INITIALS and len(short) >= _NAMES_SHARE * len(texts):
        for text in short:
            marked[text].add("person_name")
    many = len(texts) >= _NAMES and cells.different >= 0.5 * cells.filled
    if many and len(full) >= _NAMES_SHARE * len(texts):
        for text in full:
            marked[text].add("person_name")


def _is_unit(text: str) -> bool:
    return re.sub(r"[^a-z]", "", text.lower()) in known("places", "units")


def _mark_numbers(cells: Cells, kind: Kind) -> dict[str, set[int]]:
    """List the whole numbers that break each rule."""
    numbers = cells.numbers
    out: dict[str, set[int]] = {}
    called_age = kind.canonical in ("age", "age_band") or names.says_age(kind.own)
    if called_age and not kind.banded:
        out["age_over_89"] = {n for n in numbers if ages.is_too_old(n)}
    if names.says_year_of_birth(kind.own):
        out["age_over_89"] = {n for n in numbers if ages.shows_age(n)}
    if names.says_postcode(kind.own):
        out["postcode"] = {c.whole for c in cells.all if c.whole is not None and len(c.text) > 3}
    coded = kind.canonical == "condition" or categories.says_classification(kind.own)
    measured = kind.numeric or categories.says_measure(kind.own)
    if not kind.shifted and not coded:
        of_numbers = sum(c.n for c in cells.all if c.whole is not None)
        out["full_date"] = dates.find_counted(
            numbers,
            of_numbers,
            called_date=names.says_date(kind.own) and not measured,
            free=not measured,
        )
    if not kind.numeric and not coded and not measured:
        whole = {c.text: c.whole for c in cells.all if c.whole is not None}
        for rule, found in find_checked([t for t in whole if t.isdigit()]).items():
            out.setdefault(rule, set()).update(n for t in found if (n := whole[t]) is not None)
        phones = {n for t, n in whole.items() if n is not None and _is_dialled(t)}
        if phones:
            out["phone"] = phones
    return out


def _is_dialled(text: str) -> bool:
    """Tell whether digits in one are dialled: they begin with 0 or a plus."""
    return text[0] in "0+" and patterns.find_phone(text)


def _find_singling(cells: Cells, kind: Kind) -> dict[str, int]:
    """Find texts and long numbers that are different in nearly every row."""
    if kind.shifted:
        # Shifted dates differ from row to row of one patient, and become days at once.
        return {}
    out: dict[str, int] = {}
    if categories.is_near_unique(kind.canonical, cells.different, cells.filled):
        texts = cells.texts
        spared = kind.canonical in (None, "condition") and (
            categories.are_study_codes(texts) or categories.are_ichd(texts)
        )
        measured = kind.canonical is None and _are_measures(texts)
        if not spared and not measured:
            out["near_unique"] = cells.filled
    coded = categories.says_classification(kind.own) or categories.says_measure(kind.own)
    if kind.canonical is None and not coded:
        long = [c for c in cells.all if c.whole is not None and categories.is_long(c.whole)]
        filled = sum(c.n for c in long)
        if categories.is_numbered([c.whole or 0 for c in long], filled):
            out["record_number"] = filled
    return out


# A short number, with a sign, a currency or a unit, or two of them; or a length in ISO 8601.
_MEASURE = re.compile(
    r"[<>=~€$£ ]*(?:[A-Z]{3} )?[-+]?\d[\d.,: /x%-]*(?: ?[A-Za-z/%²³µ€$£.,-]{0,12}\d{0,2})?"
    r"(?: \d[\d.,]*(?: ?[A-Za-z]{1,5})?)?|P(?:T?[\d.]+[A-Z])+"
)


def _are_measures(texts: Sequence[str]) -> bool:
    """Tell whether nearly all texts are a short number with a unit, a length of time or money."""
    short = [t for t in texts if len(t) <= 16 and sum(map(str.isdigit, t)) <= 7]
    fits = [t for t in short if _MEASURE.fullmatch(t)]
    return len(fits) >= 0.9 * len(texts) > 0


def check_content(
    connection: duckdb.DuckDBPyConnection,
    stage: Stage,
    *,
    mapped: Mapping[str, str],
    banded: Collection[str] = (),
    shifted_dates: Collection[str] = (),
    free_text_characters: int = 60,
    numeric: Collection[str] = (),
    accept: frozenset[tuple[str, str]] = frozenset(),
) -> list[Problem]:
    """Find columns whose cells look like identifiers.

    Every column that clinic.yaml does not drop is looked at, whether it is used or not; each
    different text once, of columns with very many a sample of every form.

    Parameters
    ----------
    connection, stage
        DuckDB and the staged file.
    mapped
        Own column -> canonical column, for those that clinic.yaml maps.
    banded
        Columns of ages that become bands before anything is written.
    shifted_dates
        Columns of dates that clinic.yaml declares shifted.
    free_text_characters
        A longer cell is free text.
    numeric
        Canonical columns that hold a number, with a range of its own.
    accept
        (own column, rule) that clinic.yaml accepts.

    Returns
    -------
    list of Problem
        File, column, rule and count; never a value.
    """
    problems = []
    fine: dict[str, list[str]] = {}
    for own in stage.columns:
        canonical = mapped.get(own)
        cells = read_column(connection, stage, own, canonical)
        if cells is None:
            continue
        kind = Kind(
            own,
            canonical,
            canonical in numeric,
            own in banded,
            own in shifted_dates,
            free_text_characters,
        )
        counts = judge(cells, kind)
        if canonical is None and not categories.says_measure(own):
            fine[own] = [c.text for c in cells.all]
        problems += _problems(stage.source.name, own, counts, accept)
    for own in places.find_pairs(fine):
        if not any(p.column == own and p.rule == "coordinates" for p in problems):
            n = len(fine[own])
            problems += _problems(stage.source.name, own, {"coordinates": n}, accept)
    return problems


def _problems(
    file: str, own: str, counts: Mapping[str, int], accept: frozenset[tuple[str, str]]
) -> list[Problem]:
    return [
        Problem(
            file,
            rule,
            Message("problem.cells_look_like", n=count, what=term("identifier", rule)),
            column=own,
            remedy=remedy_of(own, rule),
            count=count,
        )
        for rule, count in counts.items()
        if (own, rule) not in accept
    ]
