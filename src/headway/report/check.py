"""What `headway check` says of a source, for people and for programs: what a build would do.

A clinic's files go through the whole ingest in a scratch folder, a review's through its preview;
what those refuse is refused here, with the same error. Nothing is kept, and no value of a cell is
said.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway import config
from headway.errors import InputError, UserError
from headway.messages import Message, say_in_english, term
from headway.tables.private import scratch_folder

if TYPE_CHECKING:
    from headway.config.review import Review

Row = Mapping[str, Any]
Paragraph = tuple[str, str]  # its text, and the colour it has at a terminal


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check of one source found; `error` is what a build would refuse it with.

    Attributes
    ----------
    files
        Of each file: file, rows, kept, quarantined, not_selected, rules (rows set aside by rule).
    columns
        Of each column: file, column, mapped_to (None where nobody reads it), unread_share; for
        clinics also unread (cells) and rules.
    answers
        Of each question: question, answered, n, why; for clinics also of and remedy.
    k
        The smallest group of people alike, what the gate asks for, and in which columns.
    notes
        Of a review, how far its transcription is.
    """

    name: str
    error: UserError | None = None
    files: Sequence[Row] = ()
    columns: Sequence[Row] = ()
    answers: Sequence[Row] = ()
    k: tuple[int, int, tuple[str, ...]] | None = None
    review: bool = False
    notes: Sequence[str] = ()  # what else there is to know, as messages

    @property
    def state(self) -> str:
        """`ready` or `refused`."""
        return "ready" if self.error is None else "refused"

    @property
    def exit_code(self) -> int:
        """0, or the error's own."""
        return 0 if self.error is None else self.error.exit_code

    def as_dict(self) -> dict[str, Any]:
        """Write it for programs; messages are sentences in English."""
        problems = [] if self.error is None else self.error.as_problems()
        keys = ("file", "column", "line", "rule", "count", "message", "remedy")
        parts: dict[str, Any] = {
            "problems": [{key: problem[key] for key in keys} for problem in problems],
            "files": self.files,
            "columns": self.columns,
            "answers": self.answers,
        }
        if self.notes:
            parts["notes"] = self.notes
        return {"name": self.name, "state": self.state, **{k: _speak(v) for k, v in parts.items()}}


def _speak(value: Any) -> Any:
    """Turn every message within lists and mappings into its sentence."""
    if isinstance(value, str):
        return say_in_english(value)
    if isinstance(value, Mapping):
        return {str(key): _speak(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_speak(part) for part in value]
    return value


def check_folder(folder: Path) -> Checked:
    """Check a clinic's or a review's folder."""
    if (folder / "review.yaml").is_file():
        return _check_review(folder)
    return _check_clinic(folder)


def _check_review(folder: Path) -> Checked:
    from headway.reviews.preview import preview_review

    try:
        review = config.load_review(folder)
        found = preview_review(folder, review)
    except UserError as error:
        return Checked(folder.name, error, review=True)
    refusal = None
    if found.problems:
        refusal = InputError(Message("failure.review_files", name=folder.name), found.problems)
    columns = [{**row, "mapped_to": row["mapped_to"] or None} for row in found.columns]
    notes = [] if found.problems else note_transcription(folder, review)
    return Checked(
        folder.name, refusal, found.files, columns, found.answers, review=True, notes=notes
    )


def note_transcription(folder: Path, review: Review) -> list[str]:
    """Say how far a sheet is that two people fill, unless all of it is in the review."""
    from headway.ingest import transcription

    try:
        found = transcription.preview(folder, review)
    except UserError as error:
        return [str(error)]
    if found is None:
        return []
    reading, entered = found
    waits = [Message("checked.rows_wait", name=folder.name)] if entered.files else []
    if waits or entered.rows < entered.of or entered.problems:
        return [Message("checked.cells_read", **reading.counts()), *waits]
    return []


def _check_clinic(folder: Path) -> Checked:
    from headway.ingest import clinics
    from headway.outcomes.answers import list_answers

    with scratch_folder(None, "headway-check-") as scratch:
        processed = scratch / "processed"
        answers: Sequence[Row] = ()
        refusal: UserError | None = None
        try:
            clinic = config.load_clinic(folder)
            found = clinics.ingest_clinic(folder, clinic, processed)
            answers = list_answers(processed, clinic)
        except clinics.LossError as error:
            found, refusal = error.found, error
        except UserError as error:
            return Checked(folder.name, error)
    k = None if found.k is None else (found.k, found.required_k, found.quasi_identifiers)
    columns: list[Row] = [
        {
            "file": loss.file,
            "column": loss.column,
            "mapped_to": loss.canonical,
            "unread_share": round(loss.share, 6),
            "unread": loss.unread,
            "rules": dict(loss.rules),
        }
        for loss in found.columns
    ]
    columns += [
        {
            "file": file,
            "column": column,
            "mapped_to": None,
            "unread_share": 1.0,
            "unread": None,
            "rules": {},
        }
        for file, column in found.unmapped
    ]
    files = [
        {
            "file": account.file,
            "rows": account.rows_in,
            "kept": account.kept,
            "quarantined": account.quarantined,
            "not_selected": account.not_selected,
            "rules": dict(account.rules),
        }
        for account in found.accounts
    ]
    return Checked(folder.name, refusal, files, columns, answers, k)


# ---- in words ------------------------------------------------------------------------------------


def write_lines(found: Checked) -> Iterator[Paragraph]:
    """Write what was found, without the problems and the verdict, a paragraph at a time."""
    for row in found.files:
        text = _say("checked.file", file=row["file"], n=row["rows"], kept=row["kept"])
        if row["quarantined"]:
            rules = [f"{rule} {n}" for rule, n in row["rules"].items()]
            text += _say("checked.set_aside", n=row["quarantined"], rules=rules)
        if row["not_selected"]:
            text += _say("checked.not_selected", n=row["not_selected"])
        yield text, "yellow" if row["quarantined"] else ""
    for row in found.columns:
        if row["mapped_to"] is not None and row.get("unread"):
            rules = [f"{rule} {n}" for rule, n in row["rules"].items()]
            share = 100 * row["unread_share"]
            values = {"file": row["file"], "column": row["column"], "n": row["unread"]}
            yield _say("checked.unread", **values, percent=share, rules=rules), "yellow"
    nobody: dict[str, list[str]] = {}
    for row in found.columns:
        if row["mapped_to"] is None:
            nobody.setdefault(row["file"], []).append(row["column"])
    for file, names in nobody.items():
        settings = "review.yaml" if found.review else "clinic.yaml"
        yield _say("checked.unmapped", file=file, names=names, settings=settings), ""
    if found.k is not None and found.k[2]:
        smallest, needed, columns = found.k
        names = [term("quasi_identifier", column) for column in columns]
        yield _say("checked.k", k=smallest, needed=needed, columns=names), ""
    yield from ((say_in_english(note), "yellow") for note in found.notes)
    yield from _write_answers(found)


def _write_answers(found: Checked) -> Iterator[Paragraph]:
    for row in found.answers:
        # What the numbers count differs: people, visits, trials. `why` says it.
        values = {"question": term("question", row["question"]), "why": say_in_english(row["why"])}
        if row["answered"]:
            yield _say("checked.answered", **values), "green"
            continue
        text = _say("checked.not_answered", **values)
        if row.get("remedy"):
            text += ". " + _say("frame.what_to_do_remedy", remedy=say_in_english(row["remedy"]))
        yield text, "yellow"


def _say(id: str, **values: Any) -> str:
    return say_in_english(Message(id, **values))


def write_problems(found: Checked) -> Iterator[Paragraph]:
    """Write what a build would refuse the source with, a paragraph at a time."""
    if found.error is None:
        return
    head = str(found.error).partition("\n")[0]
    yield f"headway: {head}", "red"
    yield from ((f"  - {problem}", "") for problem in found.error.problems)


def write_verdict(found: Checked, command: str, again: str) -> Iterator[Paragraph]:
    """Write whether the source is ready, and what to do next."""
    if found.error is not None:
        yield _say("checked.refused", name=found.name, command=again), "red"
    else:
        said = "checked.ready_review" if found.review else "checked.ready"
        yield _say(said, name=found.name, command=command), "green"


_COLOURS = {"red": "31", "green": "32", "yellow": "33"}


def dress(paragraph: Paragraph, width: int, coloured: bool) -> str:
    """Fold a paragraph into lines for a terminal, the later ones indented, and colour it."""
    text, colour = paragraph
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    lines = textwrap.fill(
        text,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    code = _COLOURS.get(colour) if coloured else None
    return lines if code is None else f"\033[{code}m{lines}\033[0m"
