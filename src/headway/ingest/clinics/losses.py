"""The loss gate: what of a clinic's files could not be read, and whether that is too much.

Rows and cells that cannot be used are accounted for by the quarantine; where they are many, what is
left over no longer says what the file said. A clinic is refused where more than a fifth of a
column's filled cells, or of a file's rows, is lost (`loss:` in clinic.yaml allows more, with a
reason), and the line of clinic.yaml that would cure it is named (`cures`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headway.config.clinic import ClinicFile, Loss
from headway.errors import Problem
from headway.ingest.adapters import redcap
from headway.ingest.cells import boxes_of, literal
from headway.ingest.clinics.casts import Cast, find_wide
from headway.ingest.clinics.contract import CONTRACT
from headway.ingest.clinics.cures import Place, cure_column, cure_rows
from headway.ingest.clinics.opening import name_wanted
from headway.ingest.clinics.selectors import selected_sql
from headway.ingest.clinics.shapes import Shape, find_format, find_shapes
from headway.ingest.open.staging import REST, Stage
from headway.ingest.quarantine import HARMLESS, RowAccount
from headway.messages import Message

if TYPE_CHECKING:
    import duckdb

# More than this share, and the clinic is refused.
UP_TO = 0.2
# Fewer rows than these are listed, however small their file, as long as any row is left.
FEW_ROWS = 10
# Shapes of cells that a message shows.
_SHAPES = 3
# Columns that a program writes beside what was recorded.
_REDCAP = (*redcap.EVENT, *redcap.INSTRUMENT, "Repeat Instance", "Data Access Group")
_FHIR = ("patient", "code", "status", "effective", "unit", "questionnaire", "authored")


@dataclass(frozen=True, slots=True)
class ColumnLoss:
    """Cells of one column of one file that broke a rule, among those that hold something.

    `column` is the clinic's own name, `canonical` ours; `filled` counts cells of selected rows that
    are neither blank nor a missing marker, `unread` those of them that broke a rule, `rules` the
    same by rule. `up_to` is the share that may be unread, `reason` why clinic.yaml sets it.
    """

    file: str
    column: str
    canonical: str
    filled: int
    unread: int
    rules: Mapping[str, int]
    up_to: float = UP_TO
    reason: str = ""

    @property
    def share(self) -> float:
        """Share of the filled cells that could not be read."""
        return self.unread / self.filled if self.filled else 0.0

    def as_flow(self) -> dict[str, object]:
        """Write the loss as a row of the table `flow`."""
        note = Message("account.loss_declared", reason=self.reason) if self.reason else None
        return {
            "account": "column",
            "item": f"{self.file}: {self.column}",
            "step": self.canonical,
            "n": float(self.unread),
            "of": float(self.filled),
            "note": note,
            "redacted": False,
        }


def count_losses(
    connection: duckdb.DuckDBPyConnection, cast: Cast
) -> dict[tuple[int, str], ColumnLoss]:
    """Count the cells of every column of every file of a kind that could not be read.

    What is unread is known from the rows that `judge_rows` flagged; all rows are read once more
    only where a cell was unread. In the other columns `filled` is not counted and stands as 0.

    Returns
    -------
    dict
        (number of the file, column as the cast names it) -> its loss.
    """
    if not cast.columns:
        return {}
    broken = ", ".join(f"q_{c} AS {c}" for c in cast.columns)
    rules: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for number, name, rule, n in connection.execute(
        f"SELECT file, name, rule, count(*) FROM (UNPIVOT (SELECT file, {broken} FROM "
        f"flagged_{cast.kind}) ON COLUMNS(* EXCLUDE file) INTO NAME name VALUE rule) "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        rules[number, name][rule] = n
    kept: dict[tuple[int, str], int] = {}
    if hit := sorted({name for _, name in rules}):
        stored = _count_stored(connection, cast, hit)
        where = "selected" if stored is None else f"row >= {REST}"
        for number, *counts in connection.execute(
            f"SELECT file, {', '.join(f'count(v_{c})' for c in hit)} FROM {cast.relation} "
            f"WHERE {where} GROUP BY file"
        ).fetchall():
            kept |= {(number, c): n for c, n in zip(hit, counts, strict=True)}
        for c, n in (stored or {}).items():
            kept[0, c] = kept.get((0, c), 0) + n
    losses = {}
    for number, (staged, own) in enumerate(zip(cast.stages, cast.own, strict=True)):
        spec = staged.source.spec
        for canonical, column in own.items():
            if canonical in spec.constants:
                continue
            at = number, canonical
            by_rule, declared = rules.get(at, {}), _allowed(spec, canonical)
            unread = sum(by_rule.values())
            losses[at] = ColumnLoss(
                staged.source.name,
                column,
                _name(spec, canonical),
                unread + kept.get(at, 0),
                unread,
                by_rule,
                UP_TO if declared is None else declared.up_to,
                "" if declared is None else declared.reason,
            )
    return losses


def _count_stored(
    connection: duckdb.DuckDBPyConnection, cast: Cast, columns: Sequence[str]
) -> dict[str, int] | None:
    """Count the usable cells of a file that was staged as its table, from what it says of itself.

    None where it was not, or where rows are left out. Rows from `REST` on are not in that file.
    """
    first = cast.stages[0]
    if first.laid_out is None or cast.narrowed or selected_sql(first) != "true":
        return None
    filled = dict(
        connection.execute(
            "SELECT path_in_schema, sum(num_values - stats_null_count)::BIGINT "
            f"FROM parquet_metadata({literal(first.laid_out)}) GROUP BY ALL"
        ).fetchall()
    )
    broken = ", ".join(f"count(q_{c})" for c in columns)
    found: Any = connection.execute(
        f"SELECT {broken} FROM flagged_{cast.kind} WHERE row < {REST}"
    ).fetchone()
    return {c: filled[c] - n for c, n in zip(columns, found, strict=True)}


def _name(spec: ClinicFile, canonical: str) -> str:
    """Name a column by the contract; a wide one by its outcome."""
    wide = find_wide(spec, canonical)
    return canonical if wide is None else wide.outcome


def _allowed(spec: ClinicFile, canonical: str) -> Loss | None:
    """Find what clinic.yaml allows a column to lose."""
    entry = find_wide(spec, canonical) or spec.columns.get(canonical)
    return None if entry is None or isinstance(entry, str) else entry.loss


def judge_losses(
    connection: duckdb.DuckDBPyConnection,
    cast: Cast,
    losses: Mapping[tuple[int, str], ColumnLoss],
    accounts: Sequence[RowAccount],
) -> list[Problem]:
    """Hold the losses of the files of a kind against what may be lost.

    A cell of a key column costs its row, and is judged with the rows.

    Parameters
    ----------
    connection, cast
        The engine and the cast files, after every verdict.
    losses
        Of `count_losses`.
    accounts
        One for each file, in their order.

    Returns
    -------
    list of Problem
        `unreadable_column` and `rows_set_aside`, for every column and file that loses too much.
    """
    keys = {*CONTRACT[cast.kind][1], "window"}
    problems = [
        _refuse_column(connection, Place(cast, number, canonical), loss)
        for (number, canonical), loss in losses.items()
        if canonical not in keys and loss.share > loss.up_to
    ]
    for number, account in enumerate(accounts):
        allowed = cast.stages[number].source.spec.loss
        limit = UP_TO if allowed is None else allowed.up_to
        much = account.lost > limit * (account.kept + account.lost)
        if much and (account.lost >= FEW_ROWS or not account.kept):
            problems.append(_refuse_rows(connection, cast, number, account))
    return problems


def _refuse_column(
    connection: duckdb.DuckDBPyConnection, place: Place, loss: ColumnLoss
) -> Problem:
    shapes = find_shapes(connection, *place)
    return Problem(
        loss.file,
        "unreadable_column",
        Message(
            "problem.unreadable_column",
            n=loss.unread,
            of=loss.filled,
            percent=100 * loss.share,
            rules=_list_rules(loss.rules),
            look=_show(shapes),
        ),
        column=loss.column,
        count=loss.unread,
        remedy=cure_column(place, shapes, find_format(connection, *place)),
    )


def _refuse_rows(
    connection: duckdb.DuckDBPyConnection, cast: Cast, number: int, account: RowAccount
) -> Problem:
    lost = {rule: n for rule, n in account.rules.items() if rule not in HARMLESS}
    leading = max(lost, key=lambda rule: (lost[rule], rule))
    found = connection.execute(
        "SELECT \"column\" FROM quarantine WHERE file = ? AND rule = ? AND scope = 'row' "
        "GROUP BY ALL ORDER BY count(*) DESC, 1 LIMIT 1",
        [account.file, leading],
    ).fetchone()
    column = str(found[0] or "") if found else ""
    canonical = next((c for c, own in cast.own[number].items() if own == column), "")
    place = Place(cast, number, canonical)
    shapes = find_shapes(connection, *place)
    of = account.kept + account.lost
    return Problem(
        account.file,
        "rows_set_aside",
        Message(
            "problem.rows_set_aside",
            n=account.lost,
            of=of,
            percent=100 * account.lost / of,
            rules=_list_rules(lost),
            look=_show(shapes),
        ),
        column=column,
        count=account.lost,
        remedy=cure_rows(place, leading, shapes, find_format(connection, *place)),
    )


def _show(shapes: Sequence[Shape]) -> Message | str:
    """Say what cells look like; nothing where no one column holds them."""
    texts = list(dict.fromkeys(f"`{shape.text}`" for shape in shapes))
    return Message("problem.look_like", shapes=texts[:_SHAPES]) if texts else ""


def _list_rules(rules: Mapping[str, int]) -> list[str]:
    """Write rules with their counts, most common first."""
    common = sorted(rules.items(), key=lambda item: (-item[1], item[0]))
    return [f"{rule} {n}" for rule, n in common]


def list_unmapped(stages: Sequence[Stage]) -> list[tuple[str, str]]:
    """List the columns of each file that clinic.yaml neither reads nor drops: (file, column).

    A file that is read several times (REDCap) is one file here. What a program adds of its own
    accord, such as the columns of REDCap's events, is left out.
    """
    used: dict[str, set[str]] = defaultdict(set)
    there: dict[str, dict[str, None]] = defaultdict(dict)
    for staged in stages:
        source = staged.source
        spec, header = source.spec, source.header
        name = source.name if source.sheet else source.raw.name
        there[name] |= dict.fromkeys(header)
        used[name] |= {*name_wanted(spec), ""}
        for entry in spec.columns.values():
            if box := boxes_of(entry):
                used[name] |= set(redcap.find_boxes(box, header).values())
        if spec.redcap is not None:
            used[name] |= {c for c in header if c.startswith("redcap_") or c in _REDCAP}
            used[name] |= set(filter(redcap.is_status, header))
        if spec.fhir is not None:
            used[name] |= set(_FHIR)
    return [(file, c) for file, columns in there.items() for c in columns if c not in used[file]]
