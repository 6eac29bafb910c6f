"""Which rows of a file belong to its entry in clinic.yaml; what selects nothing is refused.

`keep_where` and REDCap's `events` and `instrument` name values of a column. They are compared in
the normal form of a cell, so that blanks and `1.0` for `1` do not matter; capitals do. Names of
REDCap's events and forms are also known by their labels, and labels by their names, by the rule by
which REDCap makes the one from the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from headway.config.clinic import Column
from headway.errors import Problem
from headway.ingest.adapters import redcap
from headway.ingest.adapters.fhir import CODING, write_code
from headway.ingest.cells import (
    cell_text,
    choose,
    code_key,
    key_of,
    literal,
    normal,
    own_column,
)
from headway.ingest.open.staging import Stage
from headway.messages import Message

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Selector:
    """Values of one column that rows must have.

    Attributes
    ----------
    key, column
        Where it stands in clinic.yaml, and the column.
    values
        As clinic.yaml has them; none for the rows of REDCap that do not repeat.
    ways
        Ways to compare: SQL of the cell, and SQL of what it equals for each of the values (empty:
        not comparable in this way).
    """

    key: str
    column: str
    values: tuple[str, ...]
    ways: tuple[tuple[str, tuple[str, ...]], ...]

    def sql(self, number: int | None = None) -> str:
        """Write SQL for whether a row has one of the values, or that of a number."""
        tests = []
        for cell, accepted in self.ways:
            of = accepted if number is None else accepted[number : number + 1]
            listed = ", ".join(one for one in of if one)
            if listed:
                tests.append(f"coalesce({cell} IN ({listed}), false)")
        return f"({' OR '.join(tests) or 'false'})"


def list_selectors(staged: Stage) -> list[Selector]:
    """List what selects the rows of a file."""
    spec = staged.source.spec
    found = []
    for column, values in spec.keep_where.items():
        told = tuple(str(value) for value in values)
        own = tuple(write_code(text) if spec.fhir is not None else text for text in told)
        cell = staged.cell(column).text
        # An answer that has several meanings is listed, and must not go by unseen.
        marks = (CODING,) if spec.fhir is not None else ()
        accepted = tuple(literal(key_of(text)) for text in own)
        ways: list[tuple[str, tuple[str, ...]]] = [(code_key(cell), accepted)]
        ways += [(cell, (literal(mark),) * len(told)) for mark in marks]
        found.append(Selector("keep_where", column, told, tuple(ways)))
    if spec.redcap is None:
        return found
    forms = spec.redcap
    instrument = None if forms.instrument is None else (forms.instrument,)
    for key, names, wanted in (
        ("events", redcap.EVENT, forms.events),
        ("instrument", redcap.INSTRUMENT, instrument),
    ):
        there = next((c for c in names if c in staged.columns), None)
        if there is None:
            continue
        text = f"coalesce({staged.cell(there).text}, '')"
        if wanted is not None:
            write = redcap.name_event if key == "events" else redcap.name_form
            slug = redcap.event_sql(text) if key == "events" else redcap.form_sql(text)
            exact = tuple(normal(literal(value)) for value in wanted)
            slugs = tuple(literal(name) if (name := write(value)) else "" for value in wanted)
            found.append(Selector(f"redcap: {key}", there, wanted, ((text, exact), (slug, slugs))))
        elif key == "instrument":
            # Without an instrument the file's own, not repeating, rows are meant.
            found.append(Selector("redcap", there, (), ((text, ("''",)),)))
    return found


def selected_sql(staged: Stage) -> str:
    """Write SQL for whether a row belongs to this clinic: `keep_where`, and REDCap's forms."""
    return " AND ".join(selector.sql() for selector in list_selectors(staged)) or "true"


def _entries(stages: Sequence[Stage]) -> Iterator[list[Stage]]:
    """Put together the files (and sheets) of each entry in clinic.yaml."""
    for _, several in groupby(stages, lambda staged: staged.source.entry):
        yield list(several)


def _count(
    connection: duckdb.DuckDBPyConnection, entry: Sequence[Stage], tests: Sequence[Sequence[str]]
) -> list[int]:
    """Count, over the files of an entry, the rows that pass each test (of each file)."""
    totals = [0] * len(tests[0]) if tests else []
    for staged, own in zip(entry, tests, strict=True):
        counts = ", ".join(f"count(*) FILTER (WHERE {test})" for test in own)
        row: Any = connection.execute(f"SELECT {counts} FROM {staged.relation}").fetchone()
        totals = [total + int(n) for total, n in zip(totals, row, strict=True)]
    return totals


def check_selectors(
    connection: duckdb.DuckDBPyConnection, stages: Sequence[Stage]
) -> list[Problem]:
    """Find selectors and codes of clinic.yaml that no row of any file of their entry has.

    Parameters
    ----------
    connection, stages
        DuckDB and the staged files.

    Returns
    -------
    list of Problem
        Rule `selects_nothing` or `no_code_matches`; with the text of clinic.yaml and never a value.
    """
    problems = []
    for entry in _entries(stages):
        of = [list_selectors(staged) for staged in entry]
        # Files of one entry have the same selectors, but for columns that a file lacks.
        if not sum(staged.rows for staged in entry) or len({len(several) for several in of}) > 1:
            continue
        problems += _check_rows(connection, entry, of) or _check_codes(connection, entry)
    return problems


def _check_rows(
    connection: duckdb.DuckDBPyConnection, entry: Sequence[Stage], of: Sequence[Sequence[Selector]]
) -> list[Problem]:
    """Find selectors that select no row, alone or all together."""
    if not of[0]:
        return []
    tests = [[s.sql() for s in own] + [" AND ".join(s.sql() for s in own)] for own in of]
    *alone, together = _count(connection, entry, tests)
    rows = sum(staged.rows for staged in entry)
    file = ", ".join(staged.source.name for staged in entry)
    problems = [
        _explain(connection, entry, [own[i] for own in of], file, rows)
        for i, n in enumerate(alone)
        if not n
    ]
    if not problems and not together:
        columns = [selector.column for selector in of[0]]
        said = Message("problem.selects_nothing_together", n=rows, columns=columns)
        problems.append(Problem(file, "selects_nothing", said, remedy="remedy.selector"))
    return problems


def _explain(
    connection: duckdb.DuckDBPyConnection,
    entry: Sequence[Stage],
    selectors: Sequence[Selector],
    file: str,
    rows: int,
) -> Problem:
    """Say what a selector without a row may have meant."""
    first = selectors[0]
    if not first.values:
        return Problem(
            file,
            "selects_nothing",
            Message("problem.all_rows_repeat", n=rows),
            column=first.column,
            remedy="remedy.redcap_forms",
        )

    def bare(text: str) -> str:
        return rf"lower(regexp_replace({text}, '[\s_.-]+', '', 'g'))"

    wanted = ", ".join(bare(literal(value)) for value in first.values)
    like = [
        [f"coalesce({bare(staged.cell(s.column).text)} IN ({wanted}), false)"]
        for staged, s in zip(entry, selectors, strict=True)
    ]
    near = _count(connection, entry, like)[0]
    said = Message(
        "problem.selects_nothing", n=rows, selector=f"{first.key}: {', '.join(first.values)}"
    )
    return Problem(
        file,
        "selects_nothing",
        said,
        column=first.column,
        remedy="remedy.selector_spelling" if near else "remedy.selector",
    )


def _list_codes(staged: Stage) -> dict[str, tuple[str, Mapping[Any, object]]]:
    """List the columns of an entry that are read by nothing but their codes."""
    spec = staged.source.spec
    codes: dict[str, tuple[str, Mapping[Any, object]]] = {
        canonical: (own_column(entry), entry.codes)
        for canonical, entry in spec.columns.items()
        if isinstance(entry, Column) and entry.codes and not entry.list and not entry.checkboxes
    }
    if spec.window_from is not None:
        codes["window"] = (spec.window_from.column, spec.window_from.codes)
    return codes


def _check_codes(connection: duckdb.DuckDBPyConnection, entry: Sequence[Stage]) -> list[Problem]:
    """Find columns with filled cells, none of which is a code that clinic.yaml knows."""
    codes = _list_codes(entry[0])
    if not codes:
        return []
    tests: list[list[str]] = []
    for staged in entry:
        spec, own = staged.source.spec, []
        chosen = selected_sql(staged)
        for column, known in codes.values():
            cell = staged.cell(column)
            filled = cell_text(cell, spec.missing)
            shown = f"coalesce({filled}, CAST({cell.number} AS VARCHAR))"
            spelled = {write_code(str(c)) if spec.fhir else c: known[c] for c in known}
            own.append(f"{chosen} AND {shown} IS NOT NULL")
            own.append(f"{chosen} AND {choose(shown, spelled)} IS NOT NULL")
        tests.append(own)
    counts = _count(connection, entry, tests)
    file = ", ".join(staged.source.name for staged in entry)
    return [
        Problem(
            file,
            "no_code_matches",
            Message("problem.no_code_matches", n=counts[2 * i]),
            column=column,
            count=counts[2 * i],
            remedy="remedy.no_code_matches",
        )
        for i, (column, _) in enumerate(codes.values())
        if counts[2 * i] and not counts[2 * i + 1]
    ]


def note_selectors(connection: duckdb.DuckDBPyConnection, stages: Sequence[Stage]) -> list[Stage]:
    """Add to the account of an entry's first file which of several values select no row."""
    noted: list[Stage] = []
    for entry in _entries(stages):
        notes = []
        of = [list_selectors(staged) for staged in entry]
        for i, selector in enumerate(of[0] if len({len(own) for own in of}) == 1 else []):
            if len(selector.values) < 2:
                continue
            tests = [[own[i].sql(v) for v in range(len(selector.values))] for own in of]
            counts = _count(connection, entry, tests)
            empty = [value for value, n in zip(selector.values, counts, strict=True) if not n]
            if empty and any(counts):
                notes.append(Message("account.selects_nothing", key=selector.key, values=empty))
        first = entry[0]
        source = replace(first.source, notes=(*first.source.notes, *notes))
        noted += [replace(first, source=source) if notes else first, *entry[1:]]
    return noted
