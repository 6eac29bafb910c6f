"""Zeros that are missing values in disguise (the trap in Vickers 2004's public file).

A follow-up that did not happen is sometimes stored as 0. Read literally, the lost patient has
become headache free. The sign: the zeros of a follow-up column stand where another column of the
same file is blank, and hardly anywhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headway import tables
from headway.errors import Problem
from headway.ingest.cells import cell_text, number_sql
from headway.messages import Message

if TYPE_CHECKING:
    import duckdb

    from headway.ingest.open.staging import Stage

# A column is doubted from 5 zeros on, if 9 in 10 of them stand beside a blank that at most 1 in
# 20 of the other values have beside them. In Vickers 2004 it is 75 of 75 and 100 of 100 zeros.
MIN_ZEROS = 5
MIN_SHARE_ZEROS = 0.9
MAX_SHARE_OTHERS = 0.05
# Or, where real zeros are common too: of 10 and more rows with a blank nearly all are 0, none of
# them blank itself, while of the others at most 4 in 5 are, so that chance is out of the question.
MIN_BLANKS = 10
MIN_ZEROS_AT_BLANKS = 0.95
MAX_ZEROS_ELSEWHERE = 0.8
MAX_CHANCE = 1e-6
_ANY_NUMBER = tables.Column("float", "Any number", tables.ROW_LEVEL)


def find_zero_coded(connection: duckdb.DuckDBPyConnection, stage: Stage) -> list[Problem]:
    """Find follow-up columns whose zeros coincide with blanks of another column.

    Looked at are wide columns of later windows. Columns that clinic.yaml settles with
    `zero_means_missing_when` are not doubted.

    Returns
    -------
    list of Problem
        One per doubtful column: how many zeros coincide, with which column, and what to do.
    """
    spec = stage.source.spec
    doubted = [
        entry.column
        for entry in spec.wide
        if entry.window not in ("baseline", "earlier") and entry.zero_means_missing_when is None
    ]
    problems = []
    for column in dict.fromkeys(doubted):
        zero = f"coalesce({_number(stage, column)} = 0, false)"
        others = [c for c in stage.columns if c != column]
        selects = []
        for other in others:
            text = cell_text(stage.cell(other), spec.missing)
            empty = f"({_number(stage, other)} IS NULL AND {text} IS NULL)"
            selects += [
                f"count(*) FILTER (WHERE {zero} AND {empty})",
                f"count(*) FILTER (WHERE NOT {zero} AND {empty})",
                f"count(*) FILTER (WHERE NOT {zero} AND {_number(stage, column)} IS NOT NULL "
                f"AND NOT {empty})",
            ]
        row: Any = connection.execute(
            f"SELECT count(*) FILTER (WHERE {zero}), count(*) FILTER (WHERE NOT {zero})"
            f"{''.join(', ' + s for s in selects)} FROM {stage.relation}"
        ).fetchone()
        zeros, rest = row[0], row[1]
        if zeros < MIN_ZEROS:
            continue
        best, coincide = "", 0
        for i, other in enumerate(others):
            at_zero, elsewhere, seen = row[2 + 3 * i : 5 + 3 * i]
            together = at_zero >= MIN_SHARE_ZEROS * zeros and elsewhere <= MAX_SHARE_OTHERS * rest
            if (
                together or _filled(at_zero, elsewhere, zeros - at_zero, seen)
            ) and at_zero > coincide:
                best, coincide = other, at_zero
        if best:
            problems.append(
                Problem(
                    stage.source.name,
                    "zero_coded_missing",
                    Message("problem.zeros_at_blanks", n=coincide, of=zeros, column=best),
                    column=column,
                    count=coincide,
                    remedy=Message("remedy.zeros_at_blanks", column=best),
                )
            )
    return problems


def _filled(at_zero: int, at_blank: int, zeros: int, others: int) -> bool:
    """Whether blanks of the other column are filled with zeros, beside real zeros elsewhere.

    `at_zero` and `at_blank` are the zeros and the rest where the other column is blank; `zeros`
    and `others` the zeros and the other numbers where it is not.
    """
    blanks, seen = at_zero + at_blank, zeros + others
    if min(blanks, seen) < MIN_BLANKS or at_zero < MIN_ZEROS_AT_BLANKS * blanks:
        return False
    share = zeros / seen
    return share <= MAX_ZEROS_ELSEWHERE and share**blanks < MAX_CHANCE


def _number(stage: Stage, column: str) -> str:
    return number_sql(stage.cell(column), stage.source.spec, "", _ANY_NUMBER)
