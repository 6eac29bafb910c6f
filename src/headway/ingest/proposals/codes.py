"""Words and codes of cells -> our codes: yes and no, techniques, sex, drugs, conditions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from headway.ingest.cells import ANY_OTHER
from headway.ingest.proposals.columns import Named
from headway.ingest.proposals.records import Entry
from headway.ingest.proposals.values import MARKERS, UNREAD, is_missing, read_number
from headway.ingest.proposals.vocabulary import find_technique, fold, is_word
from headway.messages import Message

# What `ingest.cells` reads as yes and no without being told.
_KNOWN = ("1", "0", "yes", "no", "ja", "nein", "true", "false", "sí", "si", "y", "n", "j")
_ICHD = re.compile(r"^(?:ICHD[- ]?3?:? ?)?(\d{1,2}(?:\.\d+){0,3})\b")
_LONGEST = 40
# A word that is not known and stands in fewer cells may be a remark.
_FEW = 3
# Beginnings of diagnoses in words, and their ICHD-3 codes.
_DIAGNOSES = {"migrain": "1", "migran": "1", "tension": "2", "spannung": "2", "cluster": "3"}


def read_yes_no(column: Named, cells: Sequence[str]) -> tuple[list[str], Entry]:
    """Read a column of yes and no; words that no list has leave it off."""
    reason = Message("proposal.from_column", name=column.header)
    codes: dict[str, str | int] = {}
    strange = 0
    for cell, n in column.found.cells.items():
        if is_word(cell, "no") or cell == "0":
            codes[cell] = 0
        elif is_word(cell, "yes", "severity"):
            codes[cell] = 1
        elif not _is_unanswered(cell):
            strange += n
    known = {*codes, "x", "X"}
    plain = [c if c in known else "" if _is_unanswered(c) else UNREAD for c in cells]
    off = strange > 0.02 * column.found.filled or set(codes.values()) != {0, 1}
    if all(c.lower() in _KNOWN for c in codes):
        codes = {}
    doubt = "proposal.doubt_yes_no" if off else ""
    return plain, Entry(codes=codes, reasons=(reason,), doubt=doubt, off=off)


def _is_unanswered(cell: str) -> bool:
    """Tell whether a cell that is neither yes nor no says that nobody answered."""
    return is_missing(cell) or read_number(cell) in (9.0, *MARKERS)


def read_techniques(column: Named, cells: Sequence[str]) -> tuple[list[str], Entry, set[str]]:
    """Read the techniques of sessions; a word that is not known is `other`, and in doubt.

    Returns
    -------
    tuple
        Cells, empty where no technique is named; the line; the words that are not known.
    """
    reason = Message("proposal.from_column", name=column.header)
    codes: dict[str, str | int] = {}
    unknown, none = set(), set()
    for cell in column.found.cells:
        found = find_technique(cell)
        if found == "not_a_technique":
            none.add(cell)
        elif found in (None, "several") or len(cell) > _LONGEST:
            unknown |= {cell} if found is None else set()
        else:
            codes[cell] = found
    # A text of any length, or one that hardly anybody wrote, is no code, and may say anything.
    rare = {
        c
        for c, n in column.found.cells.items()
        if len(c) > _LONGEST or n < _FEW or not c.isprintable()
    }
    own = {c: str(codes.pop(c, "other")) for c in rare - none}
    codes |= {technique: technique for technique in sorted(set(own.values()) - {"other"})}
    codes[ANY_OTHER] = "other"
    plain = ["" if is_missing(c) or c in none else own.get(c, c) for c in cells]
    reasons = (reason, "proposal.not_a_technique") if none else (reason,)
    doubt = Message("proposal.doubt_technique", n=len(unknown)) if unknown else ""
    return plain, Entry(codes=codes, reasons=reasons, doubt=doubt), unknown


def read_sex(column: Named, cells: Sequence[str]) -> tuple[list[str], Entry]:
    """Read sex by the words of the column: beside H or V, M is a woman (mujer), else a man."""
    words = {fold(c) for c in column.found.cells}
    spanish = bool(words & {"h", "v"}) and "f" not in words and "w" not in words
    codes: dict[str, str | int] = {}
    for cell in column.found.cells:
        text = fold(cell)
        if text == "m":
            if not words & {"h", "v", "f", "w"}:
                continue
            codes[cell] = "female" if spanish else "male"
        elif text in ("d", "v", "h"):
            codes[cell] = "other" if text == "d" else "male"
        else:
            kinds = (("female", "female"), ("male", "male"), ("other_sex", "other"))
            said = next((sex for kind, sex in kinds if is_word(cell, kind)), None)
            if said:
                codes[cell] = said
    off = {"female", "male"} - set(codes.values()) != set()
    known = set(codes)
    if all(k == v for k, v in codes.items()):
        codes = {}
    plain = [c if c in known else "" if is_missing(c) else UNREAD for c in cells]
    return plain, Entry(
        codes=codes,
        reasons=(Message("proposal.from_column", name=column.header),),
        doubt="proposal.doubt_sex" if off else "",
        off=off,
    )


def read_drugs(column: Named, cells: Sequence[str]) -> tuple[list[str], Entry]:
    """Read acute medication: doses, yes and no, or names of drugs, of which only `none` is 0."""
    reason = Message("proposal.from_column", name=column.header)
    for told in (
        set(column.found.numbers),
        {c for c in column.found.cells if is_word(c, "yes", "no")},
    ):
        if column.found.share(told) >= 0.8:
            plain = [c if c in told else "" if is_missing(c) else UNREAD for c in cells]
            return plain, Entry(reasons=(reason,))
    codes: dict[str, str | int] = {
        cell: 0 for cell in column.found.cells if is_word(cell, "none_taken")
    }
    # The names of drugs say no more here than that one was taken.
    plain = [
        "" if is_missing(c) and c not in codes else "none" if c in codes else "taken" for c in cells
    ]
    return plain, Entry(codes={"none": 0, "taken": 1}, reasons=(reason, "proposal.drugs"))


def read_condition(cells: Sequence[str]) -> list[str] | None:
    """Read diagnoses as ICHD-3 codes; None where most of them are none."""
    out = []
    for cell in cells:
        found = _ICHD.match(cell)
        text = fold(cell)
        said = next((code for word, code in _DIAGNOSES.items() if word in text), "")
        out.append(found[1] if found else said)
    filled = sum(bool(c) for c in cells)
    # A plain number is a code of the clinic's own.
    bare = sum(c.isdigit() for c in cells)
    known = sum(bool(c) for c in out)
    return out if filled and known >= 0.9 * filled and not bare else None
