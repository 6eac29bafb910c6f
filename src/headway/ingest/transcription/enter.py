"""Write the rows in which two readers agree into a review's files, and leave all others alone."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headway.config.review import Review, ReviewFile
from headway.errors import Problem
from headway.ingest.open.names import tidy
from headway.ingest.open.reading import read_cells, read_separator
from headway.ingest.transcription.entries import Reading, read_entries
from headway.ingest.transcription.sheet import NAME
from headway.ingest.trials.checks import check_file
from headway.ingest.trials.columns import NUMBERS
from headway.ingest.trials.figures import ROLES, STATUS, Row, list_lines, list_rows
from headway.ingest.trials.files import read_file
from headway.messages import Message
from headway.tables import guard, replacing

_Key = tuple[int, int]
_Made = list[tuple[_Key, dict[str, str]]]  # the row of a figure -> a row of a file, by column


@dataclass(slots=True)
class Entered:
    """What came of a reading: rows of figures that are in the review's files, files that change.

    `files` holds the new bytes of each file that is not as it should be; `rows` counts what is
    in, `of` all rows of the figures.
    """

    rows: int
    of: int
    files: dict[str, bytes] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def enter(folder: Path, review: Review, reading: Reading) -> Entered:
    """Write the rows whose cells all agree into the files that review.yaml declares.

    A row that came from the same place of a figure is replaced, or goes where the readers no
    longer agree; any other row stays as it is. A row that the review would refuse, such as one of
    a trial that is there already, stays out.

    Raises
    ------
    InputError
        If a file that is to take rows cannot be read.
    """
    found = prepare(folder, review, reading)
    for name, content in found.files.items():
        with replacing(folder / name) as part:
            part.write_bytes(content)
    return found


def preview(folder: Path, review: Review, name: str = NAME) -> tuple[Reading, Entered] | None:
    """Read the sheet beside review.yaml, and say what would be entered; None where nothing is."""
    path = folder / name
    if not review.transcribe.figures or not path.is_file():
        return None
    reading = read_entries(path, review)
    return (reading, prepare(folder, review, reading)) if reading.filled else None


def prepare(folder: Path, review: Review, reading: Reading) -> Entered:
    """Work out what `enter` writes."""
    rows = {(row.figure, row.number): row for row in list_rows(review)}
    out = Entered(0, len(rows), problems=list(reading.problems))
    for kind in ("arms", "contrasts"):
        spec: ReviewFile | None = getattr(review.files, kind)
        own = {key: row for key, row in rows.items() if row.kind == kind}
        if not own or spec is None:
            continue
        made = [
            (key, cells)
            for key, row in own.items()
            if key in reading.values
            for cells in _make_rows(row, reading.values[key], review, reading.readers)
        ]
        path = folder / spec.path
        replaced = [row for key, row in own.items() if key in reading.touched]
        table = _Table(path, spec, replaced)
        made, problems = _hold_back(table, made, spec, kind, review, reading)
        out.rows += len({key for key, _ in made})
        out.problems += problems
        content = table.write(cells for _, cells in made)
        if content != table.before:
            out.files[spec.path] = content
    return out


def _make_rows(
    row: Row, values: Mapping[tuple[str, str], str], review: Review, readers: Sequence[str]
) -> list[dict[str, str]]:
    """Make the rows of a file from a row of a figure: two arms, or one contrast."""
    asked = review.transcribe
    shared = row.columns | {"trial": row.trial or values["", "trial"], "status": STATUS}
    shared |= {column: text for (role, column), text in values.items() if not role}
    shared["source"] = f"{row.name}, read by {readers[0]} and {readers[1]}"
    if row.kind == "contrasts":
        names = {"treatment_arm": asked.treatment["arm"], "control_arm": asked.control["arm"]}
        both = {**asked.treatment, **asked.control}
        more = {k: v for k, v in both.items() if k != "arm"}
        return [{**names, **more, **shared}]
    out = []
    for role, arm, other in zip(
        ROLES, (asked.treatment, asked.control), ("comparator", "technique"), strict=True
    ):
        own = {column: text for (side, column), text in values.items() if side == role}
        # What was done in the one arm is not what was done in the other.
        mine = {column: text for column, text in shared.items() if column != other}
        out.append({**arm, "role": role, **mine, **own})
    return out


class _Table:
    """A file of a review as it stands, without the rows that are to be written anew."""

    def __init__(self, path: Path, spec: ReviewFile, replaced: Iterable[Row]) -> None:
        self.spec = spec
        self.before = path.read_bytes() if path.is_file() else b""
        if self.before.strip():
            read_cells(path, spec)  # says what is wrong with a file that cannot be read
        self.mark = b"\xef\xbb\xbf" if self.before.startswith(b"\xef\xbb\xbf") else b""
        text = self.before.removeprefix(self.mark).decode(spec.encoding)
        self.end = "\r\n" if "\r\n" in text else "\n"
        stream = io.StringIO(text, newline="")
        self.delimiter, _ = read_separator(stream, spec.delimiter)
        self.top = text[: stream.tell()]
        rows = list(csv.reader(stream, delimiter=self.delimiter))
        self.header = rows[0] if rows else []
        names = [tidy(name) for name in self.header]
        status, source = (self._place(names, column) for column in ("status", "source"))
        starts = tuple(guard(f"{row.name}, ") for row in replaced)

        def is_replaced(row: Sequence[str]) -> bool:
            cells = [row[i] if i is not None and i < len(row) else "" for i in (status, source)]
            return tidy(cells[0]) == STATUS and cells[1].startswith(starts)

        self.kept = [row for row in rows[1:] if not (starts and is_replaced(row))]
        self.same = len(self.kept) == len(rows[1:])

    def _own(self, column: str) -> str:
        entry = self.spec.columns.get(column, column)
        return entry if isinstance(entry, str) else column

    def _place(self, names: Sequence[str], column: str) -> int | None:
        own = tidy(self._own(column))
        return names.index(own) if own in names else None

    def write(self, made: Iterable[Mapping[str, str]]) -> bytes:
        """Write the file with further rows at its end; without any change, byte for byte."""
        rows = list(made)
        if not rows and self.same:
            return self.before
        header, names = list(self.header), [tidy(name) for name in self.header]
        for column in dict.fromkeys(column for row in rows for column in row):
            if self._place(names, column) is None:
                header.append(self._own(column))
                names.append(tidy(self._own(column)))
        stream = io.StringIO(newline="")
        stream.write(self.top)
        writer = csv.writer(stream, delimiter=self.delimiter, lineterminator=self.end)
        writer.writerow(header)
        for old in self.kept:
            writer.writerow(old + [""] * (len(header) - len(old)) if any(old) else old)
        for row in rows:
            cells = [""] * len(header)
            for column, text in row.items():
                at = self._place(names, column)
                if at is not None:
                    cells[at] = self._cell(column, text)
            writer.writerow(cells)
        return self.mark + stream.getvalue().encode(self.spec.encoding)

    def _cell(self, column: str, text: str) -> str:
        if any(column in numbers for numbers in NUMBERS.values()):
            return text.replace(".", self.spec.decimal)
        return guard(text)


def _hold_back(
    table: _Table,
    made: _Made,
    spec: ReviewFile,
    kind: str,
    review: Review,
    reading: Reading,
) -> tuple[_Made, list[Problem]]:
    """Part the rows that the review takes from those that it would refuse, with the reasons."""
    problems, bad = [], set()
    for key, cells in made:
        if not _is_in(spec.encoding, cells):
            bad.add(key)
            text = Message("problem.not_of_encoding", encoding=spec.encoding)
            line = _line_of(key, "", "trial", review, reading)
            problems.append(
                Problem(reading.file, "unreadable", text, line=line,
                        remedy="remedy.utf8_or_latin1")
            )  # fmt: skip
    made = [one for one in made if one[0] not in bad]
    if not made:
        return made, problems
    content = table.write(cells for _, cells in made)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / spec.path
        path.write_bytes(content)
        file = read_file(path, kind, spec)
    check_file(file, review)
    # New rows stand at the end, each on one line.
    first = content.decode(spec.encoding).count("\n") - len(made) + 1
    for problem in file.problems:
        if problem.line is None or problem.line < first:
            continue
        key, cells = made[problem.line - first]
        bad.add(key)
        line = _line_of(key, cells.get("role", ""), problem.column, review, reading)
        problems.append(
            Problem(reading.file, problem.rule, problem.message, problem.column, line,
                    problem.remedy)
        )  # fmt: skip
    return [(key, cells) for key, cells in made if key not in bad], problems


def _is_in(encoding: str, cells: Mapping[str, str]) -> bool:
    """Whether every text can be written in an encoding."""
    try:
        "".join(cells.values()).encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _line_of(key: _Key, role: str, column: str, review: Review, reading: Reading) -> int | None:
    """Find the line of the sheet that a number came from, else the first line of its row."""
    row = next(row for row in list_rows(review) if (row.figure, row.number) == key)
    own = [line for line in list_lines(review, row) if line.id in reading.at]
    exact = [ln for ln in own if ln.column == column and ln.role in ("", role)]
    return reading.at[(exact or own)[0].id] if own else None
