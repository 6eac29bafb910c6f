"""What the names of columns, files and sheets say."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from headway.errors import Problem
from headway.ingest.gate.checksums import find_checked, find_in_remark
from headway.ingest.gate.dates import find_date
from headway.ingest.gate.fold import fold, split_words
from headway.ingest.gate.patterns import find_sure
from headway.ingest.gate.persons import find_person, find_person_in_name
from headway.ingest.gate.remedies import DROP, remedy_of
from headway.ingest.gate.vocabulary import known, known_by_rule
from headway.messages import Message, term

# So many parts of a phrase, and letters of a part of a compound word.
_PHRASE, _PART, _COMPOUND = 6, 3, 40
_SHORT = {"nr", "no", "id", "ip", "n", "s", "en", "es", "er"}
# Rules of cells that hold for the name of a column as well.
_IN_HEADER = ("email", "url", "ssn", "phone", "record_number", "ip", "coordinates")
_IN_FILE = ("email", "ssn", "phone", "record_number")

# What REDCap puts behind a project's title, cut to 31 characters where it names a sheet; and the
# day and time behind the word export. REDCap is from 2004.
_DAY = r"20(?:0[4-9]|[1-9]\d)-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_CLOCK = r"(?:[01]\d|2[0-3])[:.-]?[0-5]\d(?:[:.-]?[0-5]\d)?"
_COPY = r"(?: ?\(\d{1,2}\))?"
_REDCAP_STAMP = re.compile(
    rf"_(?:DATA(?:_LABELS|_NOHDRS)?_{_DAY}(?:_\d{{0,4}})?|DataDictionary_{_DAY}(?:_\d{{4}})?){_COPY}$"
)
_EXPORT_STAMP = re.compile(rf"(?:(?<=[_ -])|^)[Ee]xport[_ -]{_DAY}(?:[T_ -]{_CLOCK}Z?)?{_COPY}$")


@functools.cache
def _pieces() -> frozenset[str]:
    """List the words of which a compound word may be made."""
    pieces = {w for w in known_by_rule("columns", "heads") if "_" not in w and len(w) >= _PART}
    for key in ("beside", "number", "numbered", "numbered_id"):
        pieces |= {w for w in known("columns", key) if len(w) >= _PART}
    return frozenset(pieces | _SHORT)


@functools.lru_cache(maxsize=4096)
def _split_compound(word: str) -> tuple[str, ...] | None:
    """Take a compound word apart into known ones: patienten + foto. None if that cannot be."""
    if word in _pieces():
        return (word,)
    for end in range(len(word) - 1, _PART - 1, -1):
        if word[:end] in _pieces() and word[:end] not in _SHORT:
            # An s may join two words: Mitglied-s-nummer.
            rest = _split_compound(word[end:]) or (
                _split_compound(word[end + 1 :]) if word[end] == "s" else None
            )
            if rest:
                return (word[:end], *rest)
    return None


def _parts(name: str) -> tuple[str, ...]:
    """List the parts of a name; compounds that are made of known words are taken apart."""
    heads = known_by_rule("columns", "heads")
    out: list[str] = []
    for word in split_words(name):
        if word in heads or word.isdigit() or not _PART < len(word) <= _COMPOUND:
            out.append(word)
        else:
            out += _split_compound(word) or (word,)
    return tuple(out)


@functools.lru_cache(maxsize=4096)
def find_in_column_name(name: str) -> str | None:
    """Find which identifier a column's name says that it holds; None if none.

    Every part of the name has to be known (columns.yaml): an unknown word may turn its meaning.
    """
    plain = split_words(name)
    if says_year_of_birth(name):
        return None  # a year is allowed; which one, the cells say
    telling = known_by_rule("columns", "telling")
    about = known("columns", "about")
    if not about & set(plain):
        for word in plain:
            if word in telling:
                return telling[word]
    parts = _parts(name)
    joined = ("".join(plain),) if len(plain) > 1 else ()  # LinkedIn, e-mail
    return _find_known(parts) or _find_known(plain) or (_find_known(joined) if joined else None)


def _find_known(parts: tuple[str, ...]) -> str | None:
    """Find the rule of a name of which every part is known, by its longest phrase."""
    heads = known_by_rule("columns", "heads")
    beside = known("columns", "beside")
    numbered, with_id = known("columns", "numbered"), known("columns", "numbered_id")
    number = known("columns", "number")
    # The leading and the other words of a phrase may be used up by the phrase itself.
    for size in range(min(_PHRASE, len(parts)), 0, -1):
        for start in range(len(parts) - size + 1):
            phrase = "_".join(parts[start : start + size])
            rest = parts[:start] + parts[start + size :]
            if phrase not in heads:
                continue
            if all(w in beside or w in heads or w.isdigit() or w in numbered for w in rest):
                return heads[phrase]
    words = set(parts)
    of_birth, of_date = words & known("columns", "birth"), words & known("columns", "date")
    if of_birth and of_date and words <= of_birth | of_date | beside:
        return "birth_date"
    others = words - numbered - with_id - number - beside - {"id"}
    if any(not w.isdigit() for w in others):
        return None
    if words & with_id and words & (number | {"id"}):
        return "record_number"
    if words & numbered and words & number:
        # `contact number` is a telephone's.
        contact = {"contact", "kontakt", "contacto", "contatto", "contato"}
        return "phone" if not (words & numbered - contact) else "record_number"
    return None


def says_age(name: str) -> bool:
    """Tell whether a column is called an age in years."""
    parts = {*split_words(name), *_parts(name)}
    return bool(parts & known("columns", "age")) and not parts & known("columns", "age_units")


def says_year_of_birth(name: str) -> bool:
    """Tell whether a column is called a year of birth."""
    parts = {*split_words(name), *_parts(name)}
    return bool(
        parts & known("columns", "year_of_birth")
        or (parts & known("columns", "birth") and parts & known("columns", "year"))
    )


def says_postcode(name: str) -> bool:
    """Tell whether a column is called a postcode."""
    words = {w for w in split_words(name) if not w.isdigit()}
    heads, beside = known("columns", "postcode"), known("columns", "postal_beside")
    return bool(words & heads) and words <= heads | beside | known("columns", "beside")


def says_date(name: str) -> bool:
    """Tell whether a column is called a date."""
    heads = known("columns", "date")
    return any(w in heads or w.endswith("datum") for w in split_words(name))


def says_place(name: str) -> bool:
    """Tell whether a column is called a latitude or a longitude, also in short."""
    return bool({*split_words(name)} & {"lat", "lon", "lng", "long", "latitude", "longitude"})


def check_names(
    file: str, columns: Sequence[str], accept: frozenset[tuple[str, str]] | None = None
) -> list[Problem]:
    """Find columns whose names say that they hold one of the 18 Safe Harbor identifiers.

    Parameters
    ----------
    file
        What messages call the file.
    columns
        The clinic's own columns.
    accept
        (column, rule) that clinic.yaml accepts; None where nothing can be accepted.

    Returns
    -------
    list of Problem
        File, column and rule.
    """
    found = [(column, find_in_column_name(column)) for column in columns]
    return [
        Problem(
            file,
            rule,
            Message("problem.name_says", what=term("identifier", rule)),
            column=column,
            remedy=DROP if accept is None else remedy_of(column, rule),
        )
        for column, rule in found
        if rule and (accept is None or (column, rule) not in accept)
    ]


def check_header_cells(
    file: str, header: Sequence[str], accept: frozenset[tuple[str, str]] = frozenset()
) -> list[Problem]:
    """Find column names that are themselves a date, an address or a name, by their position."""
    problems = []
    for i, column in enumerate(header, start=1):
        if not column:
            continue
        text = fold(column)
        rules = [rule for rule in find_sure(text) if rule in _IN_HEADER]
        rules += ["full_date"] * find_date(text) + ["person_name"] * find_person(text)
        problems += [
            Problem(
                file,
                rule,
                Message("problem.column_name_looks_like", number=i, what=term("identifier", rule)),
                remedy="remedy.rename_column",
            )
            for rule in dict.fromkeys(rules)
            if (column, rule) not in accept
        ]
    return problems


def check_file_name(file: str, what: str = "file") -> list[Problem]:
    """Find an identifier in the name of a file or of a sheet."""
    name = _without_stamp(re.sub(r"\.[A-Za-z]{2,7}(\.gz)?$", "", file))
    # A sign of a name joins what stands in it: 03.03.1961 behind geb_, a title behind visits-.
    texts = [fold(t) for t in (name, re.sub(r"[_-]+", " ", name), name.replace("_", "-"))]
    texts.append(re.sub(r"_+", " ", texts[0]))
    hit = [r for r in _IN_FILE if any(r in find_sure(t) for t in texts)]
    hit += [r for text in texts for r in (*find_in_remark(text), *find_checked(text.split()))]
    hit += ["full_date"] * any(map(find_date, texts))
    hit += ["person_name"] * (find_person_in_name(name) or any(map(find_person, texts)))
    # The name is what is wrong with the file, so the message does not repeat it.
    return [
        Problem(
            "",
            rule,
            Message(
                "problem.name_of_sheet_holds" if what == "sheet" else "problem.name_of_file_holds",
                what=term("identifier", rule),
            ),
            remedy="remedy.rename_sheet" if what == "sheet" else "remedy.rename_file",
        )
        for rule in dict.fromkeys(hit)
    ]


def _without_stamp(name: str) -> str:
    """Take the day of an export off the end of a name: that of REDCap, or one behind `export`.

    REDCap joins the words of a project's title, which are told apart for what is left.
    """
    found = _REDCAP_STAMP.search(name)
    if found:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name[: found.start()])
    return _EXPORT_STAMP.sub("", name)
