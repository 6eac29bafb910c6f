"""The gate over a clinic's files: what can identify a person, and people alone in their group."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headway.config.clinic import Clinic, Column
from headway.errors import Problem
from headway.ingest import gate
from headway.ingest.adapters import redcap
from headway.ingest.adapters.spreadsheet import read_properties
from headway.ingest.cells import boxes_of, own_column
from headway.ingest.clinics.casts import Cast, count_one
from headway.ingest.clinics.contract import list_columns
from headway.ingest.clinics.verdicts import kept_rows
from headway.ingest.open.staging import Stage
from headway.messages import Message, term

if TYPE_CHECKING:
    import duckdb


def check_gate(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    stages: Sequence[Stage],
    clinic: Clinic,
) -> list[Problem]:
    """Run the de-identification gate over every column that is not declared dropped."""
    problems = gate.check_texts(clinic)
    for staged in stages:
        source = staged.source
        spec, name = source.spec, source.name
        shifted = {spec.offset_from.column} if spec.offset_from is not None else set()
        shifted |= {
            own_column(how)
            for how in spec.columns.values()
            if isinstance(how, Column) and how.shifted
        }
        mapped = {own_column(v): c for c, v in spec.columns.items() if not boxes_of(v)} | {
            e.column: e.outcome for e in spec.wide
        }
        numeric = {c for c, rule in list_columns(source.kind).items() if rule.kind != "text"}
        numeric |= {e.outcome for e in spec.wide}
        accept = frozenset((c, rule) for c, rules in spec.accept.items() for rule in rules)
        problems += gate.check_file_name(source.raw.name)
        problems += gate.check_properties(name, read_properties(source.raw), accept)
        if source.sheet:
            problems += gate.check_file_name(source.sheet, "sheet")
        named = {*spec.drop, *mapped, *(spec.keep_where if spec.fhir is not None else ())}
        unnamed = ["" if c in named else c for c in source.header]
        problems += gate.check_header_cells(name, unnamed, accept)
        problems += gate.check_names(name, staged.columns, accept)
        if spec.redcap is not None and spec.redcap.dictionary is not None:
            dictionary = redcap.read_dictionary(folder / spec.redcap.dictionary)
            problems += redcap.gate(dictionary, staged.columns, spec.drop, name)
        problems += gate.check_content(
            connection,
            staged,
            mapped=mapped,
            banded=spec.band,
            shifted_dates=shifted,
            free_text_characters=clinic.gate.free_text_characters,
            numeric=numeric,
            accept=accept,
        )
    # One problem per file, column and rule: the dictionary and the names may say the same.
    return list({(p.file, p.column, p.rule, p.message): p for p in problems}.values())


def check_k(
    connection: duckdb.DuckDBPyConnection, cast: Cast, clinic: Clinic
) -> tuple[int | None, tuple[str, ...], list[Problem]]:
    """Measure k-anonymity of the patients that are kept, and refuse less than is configured."""
    settings = clinic.gate
    columns = tuple(c for c in settings.quasi_identifiers if c in cast.columns)
    kept = f"(SELECT * FROM {cast.relation} WHERE {kept_rows(connection, cast)})"
    if not columns or not count_one(connection, f"SELECT count(*) FROM {kept}"):
        return None, columns, []
    wanted = required_k(clinic)
    k, few = gate.measure_k(connection, kept, [f"v_{c}" for c in columns], wanted)
    if k >= wanted:
        return k, columns, []
    return (
        k,
        columns,
        [
            Problem(
                ", ".join(s.source.name for s in cast.stages),
                "k_anonymity",
                Message("problem.k_anonymity", n=few, k=wanted, columns=name_columns(columns)),
                count=few,
                remedy="remedy.k_anonymity",
            )
        ],
    )


def name_columns(columns: Sequence[str]) -> list[str]:
    """Name the columns by which someone could be recognised."""
    return [term("quasi_identifier", column) for column in columns]


def required_k(clinic: Clinic) -> int:
    """Take the smallest group that the gate lets pass: 5, and no rule where nothing is released.

    Under `internal` and `public` k is measured and shown; `gate: {k: ...}` makes it a rule.
    """
    if clinic.gate.k is not None:
        return int(clinic.gate.k)
    return 1 if clinic.disclosure in ("internal", "public") else 5
