"""A clinic's raw files -> processed tables, by DuckDB: gate, casts, quarantine, account.

The order is fixed. Each file is opened and staged as it stands (`opening`); the gate (`identity`)
looks at every column that clinic.yaml does not drop; only a clinic that passes is cast into
canonical columns (`casts`). A cell that cannot be read or is out of range becomes missing and is
listed; a row without its key, a repeated row or a row of an unknown patient is quarantined
(`verdicts`); the rows that are kept make the tables (`processed`). Rows in = kept + quarantined +
not selected, for each file.

Days are counted from each patient's first treatment: day 0 is the first session that names a
technique (the first session of all where none does), or what clinic.yaml declares.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headway import tables
from headway.config.clinic import Clinic
from headway.errors import InputError, RefusedError
from headway.ingest import zero_coded
from headway.ingest.cells import literal
from headway.ingest.clinics.casts import Cast, cast_files, check_dates, count_one, selected_sql
from headway.ingest.clinics.contract import CONTRACT, PROCESSED
from headway.ingest.clinics.identity import check_gate, check_k, name_columns, required_k
from headway.ingest.clinics.opening import staged_files
from headway.ingest.clinics.processed import attacks_sql, empty_sql, kept_sql
from headway.ingest.clinics.verdicts import (
    find_starts,
    judge_days,
    judge_rows,
    kept_rows,
    write_quarantine,
)
from headway.ingest.quarantine import RowAccount
from headway.messages import Message, join

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Check:
    """What `check_clinic` saw: rows and columns per file, and k of the patients table."""

    files: tuple[tuple[str, int, int], ...]
    k: int | None
    quasi_identifiers: tuple[str, ...]


def check_clinic(folder: Path, clinic: Clinic, *, threads: int = 2) -> Check:
    """Hold a clinic's files against clinic.yaml and run the gate, and nothing else.

    Raises
    ------
    InputError, RefusedError
        With every problem found.
    """
    with staged_files(folder, clinic, None, threads) as (connection, stages, _):
        refused = check_gate(connection, folder, stages, clinic)
        own = [s for s in stages if s.source.kind == "patients"]
        casts = [cast_files(connection, "patients", own)]
        k: int | None = None
        columns: tuple[str, ...] = ()
        if casts[0].stages:
            connection.execute("CREATE TEMP TABLE doubtful (patient_id VARCHAR)")
            judge_rows(connection, casts[0], None)
            k, columns, few = check_k(connection, casts[0], clinic)
            refused += few
        if refused:
            raise RefusedError("failure.refused", refused)
        files = tuple((s.source.name, s.rows_in, len(s.source.header)) for s in stages)
        return Check(files, k, columns)


def ingest_clinic(folder: Path, clinic: Clinic, destination: Path, *, threads: int = 2) -> Ingested:
    """Read a clinic's files into processed tables (parquet) below `destination`.

    Writes patients, sessions, days, questionnaires, given_windows (as far as the clinic has
    them; the others empty) and quarantine.csv. Nothing is written unless every file passes.

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
        One account per file, each of which balances; k-anonymity of the patients.

    Raises
    ------
    RefusedError
        If the gate finds what can identify a person, or people are too alone in their group.
    InputError
        If a file does not match clinic.yaml or cannot be read, or if a column of zeros looks
        like missing values (`headway.ingest.zero_coded`).
    """
    with judged(folder, clinic, destination.parent, threads=threads) as found:
        accounts = found.accounts()
        for account in accounts:
            account.check()
        destination.mkdir(parents=True, exist_ok=True)
        for table in PROCESSED:
            _write(found.connection, found.select(table), destination / f"{table}.parquet")
        rows = found.connection.execute(
            'SELECT * FROM quarantine ORDER BY file, line, "column", rule'
        ).df()
        tables.write_csv(tables.conform("quarantine", rows), destination / "quarantine.csv")
        return Ingested(accounts, found.k, required_k(clinic), found.quasi_identifiers)


def _write(connection: duckdb.DuckDBPyConnection, sql: str, path: Path) -> None:
    with tables.replacing(path) as part:
        connection.execute(f"COPY ({sql}) TO {literal(part)} (FORMAT parquet, COMPRESSION zstd)")


@dataclass(frozen=True, slots=True)
class Ingested:
    """The account of every file, and the k-anonymity of the patients table (None without one)."""

    accounts: tuple[RowAccount, ...]
    k: int | None
    required_k: int
    quasi_identifiers: tuple[str, ...]

    def as_flow(self) -> list[dict[str, object]]:
        """Write accounts and k as rows of the table `flow`."""
        rows = [row for account in self.accounts for row in account.as_flow()]
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


@dataclass(slots=True)
class Judged:
    """A clinic's files with a verdict on every row, ready to be written or aggregated."""

    connection: duckdb.DuckDBPyConnection
    casts: dict[str, Cast]
    k: int | None
    quasi_identifiers: tuple[str, ...]

    def accounts(self) -> tuple[RowAccount, ...]:
        """Make the account of every file."""
        return tuple(a for cast in self.casts.values() for a in _accounts(self.connection, cast))

    def select(self, table: str) -> str:
        """SELECT that yields a processed table from nothing but usable rows."""
        if table == "days" and "attacks" in self.casts:
            return attacks_sql(self.connection, self.casts)
        for kind, (name, _) in CONTRACT.items():
            if name == table and kind in self.casts:
                return kept_sql(self.connection, self.casts[kind])
        return empty_sql(table)


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
    with staged_files(folder, clinic, scratch_root, threads) as (connection, stages, _):
        refused = check_gate(connection, folder, stages, clinic)
        if refused:
            raise RefusedError("failure.refused", refused)
        problems = check_dates(connection, stages)
        if problems:
            raise InputError("failure.dates", problems)
        doubts = [p for s in stages for p in zero_coded.find_zero_coded(connection, s)]
        if doubts:
            raise InputError("failure.zeros", doubts)
        connection.execute(
            'CREATE TEMP TABLE quarantine (file VARCHAR, line BIGINT, "column" VARCHAR, '
            "rule VARCHAR, scope VARCHAR)"
        )
        connection.execute("CREATE TEMP TABLE doubtful (patient_id VARCHAR)")
        casts: dict[str, Cast] = {}
        known: str | None = None
        k: int | None = None
        columns: tuple[str, ...] = ()
        for kind in CONTRACT:
            own = [s for s in stages if s.source.kind == kind]
            if not own:
                continue
            casts[kind] = cast_files(connection, kind, own)
            judge_rows(connection, casts[kind], known)
            if kind == "patients":
                connection.execute(
                    "CREATE TEMP TABLE known AS SELECT DISTINCT v_patient_id AS patient_id "
                    "FROM cast_patients WHERE selected AND v_patient_id IS NOT NULL"
                )
                known = "known"
                k, columns, few = check_k(connection, casts[kind], clinic)
                if few:
                    raise RefusedError("failure.refused", few)
        find_starts(connection, casts, clinic)
        judge_days(connection, casts, clinic)
        for cast in casts.values():
            write_quarantine(connection, cast)
        yield Judged(connection, casts, k, columns)


def _accounts(connection: duckdb.DuckDBPyConnection, cast: Cast) -> list[RowAccount]:
    """Make the account of each file of a kind; what was kept is counted, not inferred."""
    out = []
    for number, staged in enumerate(cast.stages):
        name = staged.source.name
        of_file = f"FROM {cast.relation} WHERE file = {number}"
        zeros = len(staged.source.spec.wide)
        unselected = selected_sql(staged) != "true"
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
            )
        )
    return out


def write_empty(destination: Path) -> None:
    """Write every processed table without a row, for a clinic that was refused."""
    import duckdb

    destination.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        for table in PROCESSED:
            _write(connection, empty_sql(table), destination / f"{table}.parquet")
    tables.write_csv(tables.empty("quarantine"), destination / "quarantine.csv")
