"""What clinic.yaml says in words, and what a workbook says of itself, looked at like cells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from headway.config.clinic import Clinic, ClinicFile
from headway.errors import Problem
from headway.ingest.gate import ages, dates, patterns, persons, places
from headway.ingest.gate.checksums import find_checked, find_in_remark
from headway.ingest.gate.fold import LONGEST, fold
from headway.messages import Message, term

# Where works are cited, with their authors and addresses.
_CITING = ("citation", "licence", "obtain", "source")
# What two pieces of a long text share.
_OVERLAP = 60
_DOI = re.compile(r"\b(?:doi:? ?|https?://(?:dx\.)?doi\.org/)?10\.\d{4,9}/\S+", re.IGNORECASE)


def find_in_text(text: str, *, citing: bool = False) -> list[str]:
    """List the rules that a text breaks; where works are cited, authors and addresses are none."""
    long = _DOI.sub(" ", " ".join(text.split()))
    rules: list[str] = []
    for start in range(0, max(1, len(long)), LONGEST - _OVERLAP):
        rules += _find_in_piece(fold(long[start : start + LONGEST]), citing)
    return list(dict.fromkeys(rules))


def _find_in_piece(plain: str, citing: bool) -> list[str]:
    rules = [r for r in patterns.find_sure(plain) if not (citing and r in ("url", "address"))]
    rules += find_in_remark(plain)
    rules += ["full_date"] * dates.find_date(plain)
    rules += ["age_over_89"] * ages.find_age(plain)
    rules += ["person_name"] * persons.find_person(plain)
    rules += ["postcode"] * bool(places.fits_postcode(plain))
    return [*rules, *find_checked([plain])]


def check_texts(clinic: Clinic) -> list[Problem]:
    """Find identifiers in the texts of clinic.yaml: titles, labels, constants, codes."""
    problems = []
    published = bool(clinic.doi or clinic.citation or clinic.disclosure == "public")
    for place, text in _list_texts(clinic):
        key = place.rpartition(".")[2]
        citing = key in _CITING
        for rule in find_in_text(text, citing=citing):
            if rule == "person_name" and (key in ("citation", "licence") or (citing and published)):
                continue  # authors
            if rule == "url" and ".keep_where." in place:
                continue  # the system of a code, or the name of a questionnaire (FHIR)
            problems.append(
                Problem(
                    "clinic.yaml",
                    rule,
                    Message("problem.text_looks_like", what=term("identifier", rule)),
                    column=place,
                    remedy="remedy.reword",
                    count=1,
                )
            )
    return problems


def _list_texts(clinic: Clinic) -> Iterator[tuple[str, str]]:
    """List every text that a clinic writes freely, with its place in clinic.yaml."""
    for key in ("title", "description", "source", "licence", "citation", "obtain", "condition"):
        yield key, str(getattr(clinic, key))
    yield "expected.source", clinic.expected.source if clinic.expected.population_means else ""
    yield "expected.retest_source", clinic.expected.retest_source
    yield "expected.cutoff.source", clinic.expected.cutoff.source if clinic.expected.cutoff else ""
    yield "individual.source", clinic.individual.source
    for name, window in clinic.windows.named.items():
        yield f"windows.named.{name}.label", window.label
    for pair in clinic.comparisons:
        yield f"comparisons.{pair.id}.label", pair.label
    for i, note in enumerate(clinic.charts.notes):
        yield f"charts.notes.{i}.text", note.text
    for kind, several in clinic.files.items():
        for spec in several:
            for place, text in _list_values(spec):
                yield f"files.{kind}.{place}", text


def _list_values(spec: ClinicFile) -> Iterator[tuple[str, str]]:
    """List the values that a file's entry gives for cells, and its reasons."""
    for canonical, value in spec.constants.items():
        yield f"constants.{canonical}", _as_text(value)
    for canonical, entry in spec.columns.items():
        if not isinstance(entry, str):
            for key, value in entry.codes.items():
                yield f"columns.{canonical}.codes", _as_text(key)
                yield f"columns.{canonical}.codes", _as_text(value)
            yield f"columns.{canonical}.loss.reason", entry.loss.reason if entry.loss else ""
    for i, wide in enumerate(spec.wide):
        yield f"wide.{i}.loss.reason", wide.loss.reason if wide.loss else ""
    for column, values in spec.keep_where.items():
        for value in values:
            yield f"keep_where.{column}", _as_text(value)
    for code in spec.window_from.codes if spec.window_from else ():
        yield "window_from.codes", _as_text(code)
    if spec.redcap is not None:
        for event in spec.redcap.events or ():
            yield "redcap.events", event
        yield "redcap.instrument", spec.redcap.instrument or ""
    yield "loss.reason", spec.loss.reason if spec.loss else ""


def _as_text(value: object) -> str:
    """Write a value as text; a number is none."""
    return value if isinstance(value, str) else ""


def check_properties(
    file: str, properties: Mapping[str, str], accept: frozenset[tuple[str, str]] = frozenset()
) -> list[Problem]:
    """Find identifiers in what a workbook says of itself: author, title, company, comments."""
    return [
        Problem(
            file,
            rule,
            Message("problem.property_looks_like", what=term("identifier", rule)),
            column=name,
            remedy=Message("remedy.properties", accept=f"accept: {{{name}: [{rule}]}}"),
            count=1,
        )
        for name, text in properties.items()
        for rule in find_in_text(text)
        if (name, rule) not in accept
    ]
