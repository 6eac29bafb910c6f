"""References of a manuscript: the trials, and the methods that were used; as BibTeX, RIS, text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.config import load_yaml
from headway.messages import is_missing, t
from headway.tables import printable

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Review

WORKS = Path(__file__).with_name("works.yaml")
_NAMED = 2  # authors that are named where a text cites; of more, the first
# What BibTeX and LaTeX take for a command. Braces are counted even behind a backslash.
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A reference; what nobody declared is empty."""

    key: str
    title: str
    authors: tuple[str, ...] = ()
    more: bool = False
    year: int | None = None
    journal: str = ""
    publisher: str = ""
    volume: str = ""
    issue: str = ""
    pages: str = ""
    doi: str = ""
    note: str = ""


@cache
def load_works() -> Mapping[str, Work]:
    """Read the works on methods, by their keys."""
    held = load_yaml(WORKS)
    return {
        key: Work(key=key, **{**values, "authors": tuple(values["authors"])})
        for key, values in held.items()
    }


def cite(*keys: str) -> str:
    """Write how a text cites works: `Hartung and Knapp 2001; IntHout et al. 2014`."""
    return "; ".join(_cite(load_works()[key]) for key in keys)


def _cite(work: Work) -> str:
    families = [author.partition(",")[0] for author in work.authors]
    if work.more or len(families) > _NAMED:
        return t("manuscript.et_al", name=families[0], year=str(work.year))
    return t("manuscript.by", names=families, year=str(work.year))


def write_entry(work: Work) -> str:
    """Write a reference as a list of references has it."""
    names = [author.replace(".", "").replace(", ", " ") for author in work.authors]
    names = [re.sub(r"(?<= [A-Z]) (?=[A-Z])", "", name) for name in names]
    text = ", ".join(names) + (", et al" if work.more else "")
    text = f"{text}. {work.title}." if text else f"{work.title}."
    if work.journal or work.publisher:
        text += f" {work.journal or work.publisher}"
    if work.year:
        text += f" {work.year}"
    if work.volume:
        text += f";{work.volume}" + (f"({work.issue})" if work.issue else "")
    text += f":{work.pages}." if work.pages else "."
    text = text.replace("..", ".")
    return text + (f" doi:{work.doi}" if work.doi else "")


def list_trials(tables: Mapping[str, pd.DataFrame], review: Review) -> list[Work]:
    """List a review's source and its trials, with as much of each as is declared.

    A trial is known by its label, year, DOI and the page that prints its numbers; its authors and
    its title are not.
    """
    out = []
    if review.citation or review.doi:
        title = review.citation or review.title
        out.append(Work(key=f"review_{review.id}", title=title, doi=review.doi))
    facts: dict[str, dict[str, Any]] = {}
    for name in ("arms", "contrasts", "effects"):
        for row in tables[name].to_dict("records"):
            held = facts.setdefault(row["trial"], {"year": None, "doi": "", "sources": []})
            for column in ("year", "doi"):
                value = row.get(column)
                if not held[column] and not is_missing(value):
                    held[column] = int(value) if column == "year" else str(value)
            source = row.get("source")
            if isinstance(source, str) and source and source not in held["sources"]:
                held["sources"].append(source)
    for trial, held in sorted(facts.items()):
        note = "; ".join(held["sources"])
        out.append(
            Work(key=trial, title=trial, year=held["year"], doi=held["doi"], note=note),
        )
    return out


def write_bib(works: Iterable[Work]) -> str:
    """Write works as BibTeX (UTF-8), for BibTeX and biber alike."""
    out, taken = [], set[str]()
    for work in works:
        key = _make_key(work.key, taken)
        kind = "article" if work.journal else "book" if work.publisher else "misc"
        authors = [_escape(author) for author in work.authors] + ["others"] * work.more
        fields = {
            "author": " and ".join(authors),
            # In braces of its own, so that no style changes its capitals.
            "title": f"{{{_escape(work.title)}}}",
            "journal": _escape(work.journal),
            "publisher": _escape(work.publisher),
            "year": "" if work.year is None else str(work.year),
            "volume": work.volume,
            "number": work.issue,
            "pages": work.pages.replace("–", "--"),
            "doi": _escape_doi(work.doi),
            "note": _escape(work.note),
        }
        lines = [f"  {name} = {{{text}}}" for name, text in fields.items() if text]
        out.append(f"@{kind}{{{key},\n" + ",\n".join(lines) + "\n}\n")
    return "\n".join(out)


def write_ris(works: Iterable[Work]) -> str:
    """Write works as RIS: a tag, two blanks, a hyphen and a blank; lines end in CR LF."""
    out = []
    for work in works:
        kind = "JOUR" if work.journal else "BOOK" if work.publisher else "GEN"
        first, _, last = work.pages.partition("–")
        pairs: Sequence[tuple[str, str]] = (
            ("TY", kind),
            *(("AU", author) for author in work.authors),
            ("TI", work.title),
            ("JO", work.journal),
            ("PB", work.publisher),
            ("PY", "" if work.year is None else str(work.year)),
            ("VL", work.volume),
            ("IS", work.issue),
            ("SP", first),
            ("EP", last),
            ("DO", work.doi),
            ("N1", work.note),
        )
        out += [f"{tag}  - {_on_a_line(text)}" for tag, text in pairs if text]
        out.append("ER  - ")
    return "".join(f"{line}\r\n" for line in out)


def _on_a_line(text: str) -> str:
    return " ".join(printable(text).split())


def _escape(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in _on_a_line(text))


def _escape_doi(doi: str) -> str:
    """Write a DOI as it is, since it is a link; braces and backslashes as a link has them."""
    signs = {"{": "%7B", "}": "%7D", "\\": "%5C"}
    return "".join(signs.get(letter, letter) for letter in "".join(printable(doi).split()))


def _make_key(text: str, taken: set[str]) -> str:
    """Make a key of letters, digits and `_` that no other work has."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    key = stem = re.sub(r"\W+", "_", plain).strip("_").lower()[:60]
    if not stem[:1].isalpha():  # some programs take no key that begins with a digit
        key = stem = f"trial_{stem}".rstrip("_")
    number = 1
    while key in taken:
        number += 1
        key = f"{stem}_{number}"
    taken.add(key)
    return key
