"""A clinic's raw files -> processed tables, by DuckDB: gate, casts, quarantine, account.

The order is fixed. Each file is opened and staged as it stands (`opening`); the gate (`identity`)
looks at every column that clinic.yaml does not drop; only a clinic that passes is cast into
canonical columns (`casts`). A cell that cannot be read or is out of range becomes missing and is
listed; a row without its key, a repeated row or a row of an unknown patient is quarantined
(`verdicts`); the rows that are kept make the tables (`processed`). Rows in = kept + quarantined +
not selected, for each file. A clinic of which too much could not be read is refused (`losses`).

Days are counted from each patient's first treatment: day 0 is the first session that names a
technique (the first session of all where none does), or what clinic.yaml declares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from headway import tables
from headway.config.clinic import Clinic
from headway.errors import InputError, Problem, RefusedError
from headway.ingest import zero_coded
from headway.ingest.cells import literal
from headway.ingest.clinics.attacks import attacks_sql
from headway.ingest.clinics.casts import Cast, cast_files, check_dates, count_one
from headway.ingest.clinics.clock import (
    check_clocks,
    find_starts,
    judge_days,
    judge_open_days,
    judge_plausible,
    judge_starts,
)
from headway.ingest.clinics.contract import CONTRACT, PROCESSED
from headway.ingest.clinics.identity import check_gate, check_k, name_columns, required_k
from headway.ingest.clinics.losses import ColumnLoss, count_losses, judge_losses, list_unmapped
from headway.ingest.clinics.opening import staged_files
from headway.ingest.clinics.processed import (
    Amended,
    amend_days,
    empty_sql,
    kept_sql,
)
from headway.ingest.clinics.selectors import check_selectors, note_selectors, selected_sql
from headway.ingest.clinics.verdicts import check_codes, judge_rows, kept_rows, write_quarantine
from headway.ingest.quarantine import HARMLESS, RowAccount
from headway.messages import Message, join
from headway.tables.diary import AMENDED
from headway.tables.engine import open_engine
from headway.tables.private import restrict

if TYPE_CHECKING:
    import duckdb


def ingest_clinic(folder: Path, clinic: Clinic, destination: Path, *, threads: int = 2) -> Ingested:
    """Read a clinic's files into processed tables (parquet) below `destination`.

    Writes patients, sessions, days, questionnaires, given_windows (as far as the clinic has
    them; the others empty) and quarantine.csv. Nothing is written unless every file passes, but
    the quarantine of a clinic that lost too much, beside empty tables.

    Parameters
    ----------
    folder
        The clinic's folder of raw files.
    clinic
        clinic.yaml with its defaults filled in (`headway.config.load_clinic`).
    destination
        Folder for the processed tables.

    Returns
    -------
    Ingested
        One account per file, each of which balances; what of each column could not be read;
        k-anonymity of the patients.

    Raises
    ------
    RefusedError
        If the gate finds what can identify a person, or people are too alone in their group.
    InputError
        If a file does not match clinic.yaml or cannot be read, or if a column of zeros looks
        like missing values (`headway.ingest.zero_coded`).
    LossError
        If too many cells of a column or rows of a file cannot be used.
    """
    with judged(folder, clinic, destination.parent, threads=threads) as found:
        counted = found.count()
        for account in counted.accounts:
            account.check()
        problems, amended = found.judge_losses(), None
        if problems:
            write_empty(destination)
        else:
            destination.mkdir(parents=True, exist_ok=True)
            for table in PROCESSED:
                if table != "days":
                    _write(found.connection, found.select(table), destination / f"{table}.parquet")
            amended = found.amend_days()
            others = empty_sql("days_amended") if amended is None else amended.rows
            _write(found.connection, others, destination / AMENDED)
            if amended is None:
                _write(found.connection, found.select("days"), destination / "days.parquet")
        rows = found.connection.execute(
            'SELECT * FROM quarantine ORDER BY file, line, "column", rule'
        ).df()
        tables.write_csv(tables.conform("quarantine", rows), destination / "quarantine.csv")
        if problems:
            raise LossError(problems, counted)
        if amended is not None:
            # Last: until here its rows were looked at.
            with tables.replacing(destination / "days.parquet") as part:
                amended.days.replace(part)
                restrict(part)
        return counted


def _write(connection: duckdb.DuckDBPyConnection, sql: str, path: Path) -> None:
    with tables.replacing(path) as part:
        connection.execute(f"COPY ({sql}) TO {literal(part)} (FORMAT parquet, COMPRESSION zstd)")
        restrict(part)


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of every row and column, and the k-anonymity of the patients (None without).

    `columns` holds every mapped column, `unmapped` (file, column) of those that clinic.yaml neither
    reads nor drops.
    """

    accounts: tuple[RowAccount, ...]
    k: int | None
    required_k: int
    quasi_identifiers: tuple[str, ...]
    columns: tuple[ColumnLoss, ...] = ()
    unmapped: tuple[tuple[str, str], ...] = ()

    def as_flow(self) -> list[dict[str, object]]:
        """Write accounts, what could not be read of each column, and k as rows of `flow`."""
        rows = [row for account in self.accounts for row in account.as_flow()]
        rows += [loss.as_flow() for loss in self.columns if loss.unread]
        if self.k is not None:
            columns = name_columns(self.quasi_identifiers)
            rows.append(
                {
                    "account": "gate",
                    "item": "patients",
                    "step": Message("account.smallest_group", columns=columns),
                    "n": float(self.k),
                    "of": float("nan"),
                    "note": Message("account.k_anonymity", n=self.required_k),
                    "redacted": False,
                }
            )
        return rows


class LossError(InputError):
    """Too much of a clinic's files cannot be used; `found` is what was counted all the same."""

    def __init__(self, problems: Sequence[Problem], found: Ingested) -> None:
        super().__init__("failure.losses", problems)
        self.found = found


# The accounts of the files of a kind, and what was lost of each of their columns.
Tally = tuple[list[RowAccount], dict[tuple[int, str], ColumnLoss]]


@dataclass(slots=True)
class Judged:
    """A clinic's files with a verdict on every row, ready to be written or aggregated."""

    connection: duckdb.DuckDBPyConnection
    clinic: Clinic
    casts: dict[str, Cast]
    k: int | None
    quasi_identifiers: tuple[str, ...]

    _tallies: dict[str, Tally] = field(default_factory=dict)

    def tally(self) -> dict[str, Tally]:
        """Count, kind by kind, what became of the rows and the cells of every file; once."""
        for kind, cast in self.casts.items():
            if kind not in self._tallies:
                losses = count_losses(self.connection, cast)
                self._tallies[kind] = _accounts(self.connection, cast), losses
        return self._tallies

    def count(self) -> Ingested:
        """Put together what became of every row and column."""
        tallies = self.tally().values()
        accounts = tuple(account for several, _ in tallies for account in several)
        columns = tuple(c for _, losses in tallies for c in losses.values())
        unmapped = list_unmapped([s for cast in self.casts.values() for s in cast.stages])
        needed = required_k(self.clinic)
        return Ingested(accounts, self.k, needed, self.quasi_identifiers, columns, tuple(unmapped))

    def judge_losses(self) -> list[Problem]:
        """List every column and file of which too much was lost."""
        return [
            problem
            for kind, (accounts, losses) in self.tally().items()
            for problem in judge_losses(self.connection, self.casts[kind], losses, accounts)
        ]

    def select(self, table: str) -> str:
        """SELECT that yields a processed table from nothing but usable rows."""
        if table == "days" and "attacks" in self.casts:
            return attacks_sql(self.connection, self.casts, self.clinic)
        for kind, (name, _) in CONTRACT.items():
            if name == table and kind in self.casts:
                return kept_sql(self.connection, self.casts[kind])
        return empty_sql(table)

    def amend_days(self) -> Amended | None:
        """Tell what of the staged diary has to be replaced for it to be the table `days`.

        None where it was not written as one, or where too much of it would have to be.
        """
        diary = self.casts.get("diary")
        if diary is None or "attacks" in self.casts:
            return None
        return amend_days(self.connection, diary)


@contextmanager
def judged(
    folder: Path, clinic: Clinic, scratch_root: Path | None, *, threads: int = 2
) -> Iterator[Judged]:
    """Take a clinic's files through gate, casts and quarantine, up to the verdict on every row.

    Raises
    ------
    RefusedError, InputError
        As `ingest_clinic`.
    """
    with staged_files(folder, clinic, scratch_root, threads) as (connection, stages, problems):
        refused = check_gate(connection, folder, stages, clinic)
        if problems:
            raise _refuse(refused, problems)
        problems += check_selectors(connection, stages)
        stages = note_selectors(connection, stages)
        problems += check_dates(connection, stages)
        problems += [p for s in stages for p in zero_coded.find_zero_coded(connection, s)]
        connection.execute(
            'CREATE TEMP TABLE quarantine (file VARCHAR, line BIGINT, "column" VARCHAR, '
            "rule VARCHAR, scope VARCHAR)"
        )
        connection.execute("CREATE TEMP TABLE doubtful (patient_id VARCHAR)")
        found = Judged(connection, clinic, {}, None, ())
        known: str | None = None
        unselected: str | None = None
        for kind in CONTRACT:
            own = [s for s in stages if s.source.kind == kind]
            if not own:
                continue
            found.casts[kind] = cast_files(connection, kind, own, unselected)
            judge_rows(connection, found.casts[kind], known)
            if kind == "patients":
                connection.execute(
                    "CREATE TEMP TABLE known AS SELECT DISTINCT v_patient_id AS patient_id "
                    "FROM cast_patients WHERE selected AND v_patient_id IS NOT NULL"
                )
                known = "known"
                connection.execute(
                    "CREATE TEMP TABLE unselected AS SELECT DISTINCT v_patient_id AS patient_id "
                    "FROM cast_patients WHERE NOT selected AND v_patient_id IS NOT NULL "
                    "AND v_patient_id NOT IN (SELECT patient_id FROM known)"
                )
                if count_one(connection, "SELECT count(*) FROM unselected"):
                    unselected = "unselected"
                found.k, found.quasi_identifiers, few = check_k(
                    connection, found.casts[kind], clinic
                )
                refused += few
        problems += check_clocks(found.casts, clinic)
        problems += check_codes(connection, found.casts)
        judge_plausible(connection, found.casts, clinic)
        find_starts(connection, found.casts, clinic)
        judge_starts(connection, found.casts)
        judge_days(connection, found.casts, clinic)
        judge_open_days(connection, found.casts)
        for cast in found.casts.values():
            write_quarantine(connection, cast)
        if refused or problems:
            # What is lost to a fault that is named already is not named again.
            named = {(p.file, column) for p in [*refused, *problems] for column in (p.column, "")}
            losses = [
                p
                for p in found.judge_losses()
                if (p.file, p.column if p.rule == "unreadable_column" else "") not in named
            ]
            raise _refuse(refused, [*problems, *losses])
        yield found


def _refuse(refused: Sequence[Problem], problems: Sequence[Problem]) -> InputError | RefusedError:
    """Put everything that is wrong with a clinic's files into one error."""
    if refused:
        return RefusedError("failure.refused", [*refused, *problems])
    heads = {
        "file_changed": "failure.changed",
        "mixed_dates": "failure.dates",
        "no_code_matches": "failure.selectors",
        "selects_nothing": "failure.selectors",
        "zero_coded_missing": "failure.zeros",
    }
    found = {heads.get(p.rule, "failure.clinic_files") for p in problems}
    return InputError(found.pop() if len(found) == 1 else "failure.clinic_files", problems)


def _accounts(connection: duckdb.DuckDBPyConnection, cast: Cast) -> list[RowAccount]:
    """Make the account of each file of a kind; what was kept is counted, not inferred."""
    out = []
    rules, lost = _count_rules(connection)
    for number, staged in enumerate(cast.stages):
        name = staged.source.name
        of_file = f"FROM {cast.relation} WHERE file = {number}"
        zeros = len(staged.source.spec.wide)
        unselected = cast.narrowed or selected_sql(staged) != "true"
        out.append(
            RowAccount(
                file=name,
                rows_in=staged.rows_in,
                kept=count_one(
                    connection, f"SELECT count(*) {of_file} AND {kept_rows(connection, cast)}"
                ),
                quarantined=len(staged.malformed)
                + count_one(
                    connection,
                    f"SELECT count(DISTINCT row) FROM verdict_{cast.kind} WHERE file = {number}",
                ),
                not_selected=count_one(connection, f"SELECT count(*) {of_file} AND NOT selected")
                if unselected
                else 0,
                cells_quarantined=count_one(
                    connection,
                    f"SELECT count(*) FROM quarantine WHERE file = {literal(name)} "
                    "AND scope = 'cell'",
                ),
                zeros_declared_missing=sum(
                    count_one(connection, f"SELECT count(*) {of_file} AND selected AND z_{i}")
                    for i in range(zeros)
                ),
                note=join(staged.source.notes),
                rules=rules.get(name, {}),
                lost=lost.get(name, 0),
            )
        )
    return out


def _count_rules(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """Count the rows in quarantine, file by file: by rule, and those of which something is lost."""
    rules: dict[str, dict[str, int]] = {}
    of_rows = "FROM quarantine WHERE scope = 'row'"
    for file, rule, n in connection.execute(
        f"SELECT file, rule, count(DISTINCT line) {of_rows} GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        rules.setdefault(file, {})[rule] = n
    harmless = ", ".join(literal(rule) for rule in sorted(HARMLESS))
    lost = connection.execute(
        f"SELECT file, count(DISTINCT line) {of_rows} AND rule NOT IN ({harmless}) GROUP BY ALL"
    ).fetchall()
    return rules, dict(lost)


def write_empty(destination: Path) -> None:
    """Write every processed table without a row, for a clinic that was refused."""
    destination.mkdir(parents=True, exist_ok=True)
    with open_engine() as connection:
        for table in PROCESSED:
            _write(connection, empty_sql(table), destination / f"{table}.parquet")
        _write(connection, empty_sql("days_amended"), destination / AMENDED)
    tables.write_csv(tables.empty("quarantine"), destination / "quarantine.csv")
