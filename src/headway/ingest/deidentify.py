"""The gate: refuse a clinic's file that can identify a person, before anything else reads it.

HIPAA Safe Harbor, 45 CFR 164.514(b)(2), by column name and by content. A refusal names file,
column, rule, count and what to do, and never a value. Passing the gate is not a certificate of
de-identification: no list of patterns is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.errors import Problem

if TYPE_CHECKING:
    import duckdb

# Lists of codes, held against a pattern when they are read.
LISTS = ("trigger_points", "referral_zone")

DROP = "remove the column before export, or list it under `drop:` in clinic.yaml"

# Column names, in the languages that exports of headache clinics come in (en, de, es, fr, it,
# nl, pt). Compared after lower case and with everything but letters and digits as a separator.
_NAMES: dict[str, tuple[str, ...]] = {
    "name": (
        "name",
        "patient name",
        "full name",
        "first name",
        "last name",
        "given name",
        "family name",
        "forename",
        "firstname",
        "lastname",
        "fullname",
        "patientname",
        "surname",
        "vorname",
        "nachname",
        "familienname",
        "nombre",
        "apellido",
        "apellidos",
        "prenom",
        "nom",
        "cognome",
        "nome",
        "voornaam",
        "achternaam",
        "sobrenome",
        "initials",
    ),
    "birth_date": (
        "dob",
        "birth date",
        "birthdate",
        "date of birth",
        "birthday",
        "geburtsdatum",
        "fecha nacimiento",
        "fecha de nacimiento",
        "date de naissance",
        "data di nascita",
        "geboortedatum",
        "data de nascimento",
    ),
    "phone": (
        "phone",
        "telephone",
        "phone number",
        "mobile",
        "cell",
        "cell phone",
        "fax",
        "telefon",
        "handy",
        "telefono",
        "movil",
        "telefoon",
    ),
    "email": ("email", "e mail", "mail", "correo", "correo electronico"),
    "address": (
        "address",
        "street",
        "home address",
        "adresse",
        "anschrift",
        "strasse",
        "direccion",
        "domicilio",
        "indirizzo",
        "adres",
        "morada",
        "city",
        "town",
        "ort",
        "ciudad",
    ),
    "record_number": (
        "mrn",
        "medical record number",
        "record number",
        "ssn",
        "social security number",
        "nhs no",
        "nhs number",
        "insurance no",
        "insurance number",
        "policy number",
        "account no",
        "account number",
        "versichertennummer",
        "dni",
        "passport",
        "license number",
        "licence number",
        "vehicle",
        "license plate",
        "device serial",
    ),
    "network": ("ip", "ip address", "url", "website"),
    "biometric": ("photo", "photograph", "fingerprint", "foto"),
}
_AGE = {"age", "alter", "edad", "leeftijd", "eta", "idade", "age years", "patient age"}
_POSTCODE = {
    "zip",
    "zip code",
    "zipcode",
    "postcode",
    "postal code",
    "plz",
    "postleitzahl",
    "cp",
    "codigo postal",
}

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mai|okt|dez|ene|abr|ago|dic"
# RE2 expressions (DuckDB); matched anywhere in a cell unless anchored.
_CONTENT: dict[str, str] = {
    "email": r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}",
    "url": r"(?i)(https?://|www\.)",
    "ssn": r"\b\d{3}-\d{2}-\d{4}\b",
    "ip": r"\b(\d{1,3}\.){3}\d{1,3}\b",
    "full_date": (
        r"(?i)\b(19|20)\d{2}[-/.]\d{1,2}[-/.]\d{1,2}(\b|T)"
        r"|\b\d{1,2}[-/.]\d{1,2}[-/.]((19|20)\d{2}|\d{2})\b"
        rf"|\b\d{{1,2}}[. -]*({_MONTHS})[a-z]*[., -]*(19|20)?\d{{2}}\b"
        rf"|\b({_MONTHS})[a-z]*[. -]+\d{{1,2}},? +(19|20)\d{{2}}\b"
    ),
    "phone": r"^\s*(\+\d{1,3}[ /-]?)?(\(\d{1,5}\)|\d{2,5})[ /-]\d{2,5}([ /-]\d{2,5}){1,3}\s*$"
    r"|^\s*\+\d{9,14}\s*$",
    "person_name": (
        r"\b(Mr|Mrs|Ms|Miss|Dr|Prof|Herr|Frau|Sr|Sra|Mme|M)\.? +[A-Z\x{00C0}-\x{00DE}]"
        r"[a-z\x{00DF}-\x{00FF}]+"
    ),
}
_REMEDY: dict[str, str] = {
    "full_date": (
        "give days since the first session instead; for dates that were shifted, declare "
        "`offset_from:` in clinic.yaml; else list the column under `drop:`"
    ),
    "age_over_89": "write 90 and over as a band of their own (`age_band`), without the age",
    "postcode": "keep at most the first three digits, or list the column under `drop:`",
}


def _words(name: str) -> str:
    """Normalise a column name: camel case and punctuation become single spaces."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    plain = split.lower().translate(str.maketrans("áéíóúñüäöàèç", "aeiounuaoaec"))
    return " ".join(re.findall(r"[a-z0-9]+", plain))


def check_names(file: str, columns: Sequence[str]) -> list[Problem]:
    """Find columns whose names say that they hold one of the 18 Safe Harbor identifiers."""
    problems = []
    for column in columns:
        words = _words(column)
        for rule, names in _NAMES.items():
            if words in names or any(words == f"patient {n}" for n in names):
                problems.append(
                    Problem(
                        file,
                        rule,
                        f"the name says that the column holds: {rule}",
                        column=column,
                        remedy=DROP,
                    )
                )
                break
    return problems


def check_content(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    file: str,
    columns: Sequence[str],
    *,
    mapped: Mapping[str, str],
    shifted_dates: Collection[str] = (),
    free_text_characters: int = 60,
) -> list[Problem]:
    """Find columns whose cells look like identifiers, in one pass over the file.

    Parameters
    ----------
    connection, relation
        A DuckDB connection and a FROM clause that yields every column as text.
    columns
        Columns to look at: all of the file but those under `drop:`.
    mapped
        Own column -> canonical column, for those that clinic.yaml maps.
    shifted_dates
        Columns of dates that clinic.yaml declares shifted.
    free_text_characters
        A longer cell is free text.

    Returns
    -------
    list of Problem
        File, column, rule and count; never a value.
    """
    if not columns:
        return []

    def cell(column: str) -> str:
        return '"' + column.replace('"', '""') + '"'

    # Patterns are tried on columns that hold something other than numbers; most hold numbers.
    texts = _counts(
        connection,
        relation,
        {
            (c, "text"): f"{cell(c)} IS NOT NULL AND TRY_CAST({cell(c)} AS DOUBLE) IS NULL"
            for c in columns
        },
    )
    conditions: dict[tuple[str, str], str] = {}
    for column in columns:
        own, words = cell(column), _words(column)
        if words in _AGE or mapped.get(column) == "age":
            conditions[column, "age_over_89"] = f"TRY_CAST({own} AS DOUBLE) > 89"
        if words in _POSTCODE:
            conditions[column, "postcode"] = f"length(regexp_replace({own}, '\\W', '', 'g')) > 3"
        hits = {rule: f"regexp_matches({own}, '{pattern}')" for rule, pattern in _CONTENT.items()}
        conditions[column, "phone"] = hits["phone"]
        if not texts[column, "text"]:
            continue
        hits["phone"] += f" AND NOT {hits['full_date']}"
        if column in shifted_dates:
            del hits["full_date"]
        conditions |= {(column, rule): hit for rule, hit in hits.items()}
        if mapped.get(column) not in LISTS:
            conditions[column, "free_text"] = f"length({own}) > {free_text_characters}"
    counts = _counts(connection, relation, conditions)
    # A text that is different in nearly every row points at one person.
    loose = [c for c in columns if c not in mapped and texts[c, "text"] >= 20]
    if loose:
        shares = connection.execute(
            "SELECT "
            + ", ".join(f"count(DISTINCT {cell(c)}) / nullif(count({cell(c)}), 0)" for c in loose)
            + f" FROM {relation}"
        ).fetchone()
        for column, share in zip(loose, shares or (), strict=True):
            if share is not None and share > 0.9:
                counts[column, "near_unique"] = texts[column, "text"]
    return [
        Problem(
            file,
            rule,
            f"{count} cell(s) look like: {rule.replace('_', ' ')}",
            column=column,
            remedy=_REMEDY.get(rule, DROP),
            count=count,
        )
        for (column, rule), count in counts.items()
        if count
    ]


def _counts(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    conditions: Mapping[tuple[str, str], str],
) -> dict[tuple[str, str], int]:
    """Count the rows that meet each condition, in one pass over the file."""
    if not conditions:
        return {}
    filters = ", ".join(f"count(*) FILTER (WHERE {c})" for c in conditions.values())
    row: Any = connection.execute(f"SELECT {filters} FROM {relation}").fetchone()
    return {key: int(count) for key, count in zip(conditions, row, strict=True)}


def check_file_name(file: str) -> list[Problem]:
    """Find a date or an e-mail address in a file's own name."""
    hit = [r for r in ("email", "full_date") if re.search(_CONTENT[r], file.replace("_", " "))]
    # The name is what is wrong with the file, so the message does not repeat it.
    return [
        Problem("(a file)", r, "the file's name holds an identifier", remedy="rename the file")
        for r in hit
    ]
