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
from headway.ingest.cells import ident, is_marker, literal, markers_of
from headway.messages import Message, term

if TYPE_CHECKING:
    import duckdb

    from headway.ingest.open.staging import Stage

# Lists of codes, held against a pattern when they are read.
LISTS = (
    "trigger_points",
    "referral_zone",
    "pain_sites",
    "home_tools",
    "assessments",
    "other_complaints",
)

DROP = "remedy.drop"

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
        "redcap survey identifier",
    ),
    "network": ("ip", "ip address", "url", "website"),
    "biometric": ("photo", "photograph", "fingerprint", "foto", "voice print", "retina scan"),
}
# Words that say it wherever they stand in a name: contact_email_2, Telefon privat.
_TELLING: dict[str, str] = {
    word: rule
    for rule, words in {
        "name": "surname lastname firstname nachname vorname apellido apellidos familienname",
        "birth_date": "dob birthdate birthday geburtsdatum geburtstag geburtsjahrgang nacimiento",
        "phone": "phone telephone telefon telefono telefoon fax handynummer",
        "email": "email correo",
        "address": "street strasse anschrift direccion indirizzo",
        "record_number": (
            "mrn ssn nhs passport dni nif versichertennummer krankenversichertennummer imei vin "
            "certificate licence license plate serial beneficiary"
        ),
        "network": "ip url homepage",
        "biometric": "fingerprint biometric photograph",
    }.items()
    for word in words.split()
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
# Given names that are no other word in the languages above; two words of which the first is one
# of them are taken for a person. A list finds some names and certifies nothing.
_GIVEN = (
    "Adam|Ahmed|Alejandro|Alessandro|Alexander|Alice|Amanda|Ana|Andrea|Andreas|Andrew|Anna|Anne|"
    "Anthony|Antonio|Ashley|Barbara|Bernd|Betty|Brian|Carlos|Carmen|Carol|Catherine|Charles|"
    "Charlotte|Christian|Christine|Christopher|Claudia|Daniel|David|Deborah|Dennis|Diego|Dietmar|"
    "Donald|Donna|Edward|Elena|Elizabeth|Emily|Emma|Eric|Esther|Fatima|Fernando|Francesca|"
    "Francisco|Frank|Gabriel|George|Gerhard|Giovanni|Giulia|Hannah|Heike|Helen|Helga|Henry|Ingrid|"
    "Isabel|Jacob|James|Jan|Jane|Janet|Javier|Jennifer|Jessica|Joan|Johannes|John|Jonathan|Jorge|"
    "Joseph|Joshua|Juan|Judith|Julia|Karen|Karl|Katharina|Kathleen|Kevin|Kimberly|Klaus|Laura|"
    "Linda|Lisa|Lucia|Luis|Manuel|Marco|Margaret|Maria|Marie|Martha|Martin|Mary|Matthew|Matthias|"
    "Michael|Michelle|Miguel|Mohammed|Monika|Nancy|Nicholas|Nicole|Olivia|Pablo|Patricia|Patrick|"
    "Paul|Pedro|Peter|Petra|Philip|Pierre|Rachel|Rebecca|Richard|Robert|Ronald|Ruth|Samuel|Sandra|"
    "Sarah|Sergio|Sharon|Sofia|Sophie|Stefan|Stephanie|Stephen|Steven|Susan|Teresa|Thomas|Timothy|"
    "Ursula|Victoria|Walter|William|Wolfgang"
)
# RE2 expressions (DuckDB); matched anywhere in a cell unless anchored.
_CONTENT: dict[str, str] = {
    "email": r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}",
    "url": r"(?i)(https?://|www\.)",
    "ssn": r"\b\d{3}-\d{2}-\d{4}\b",
    "ip": r"\b(\d{1,3}\.){3}\d{1,3}\b|(?i)\b([0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b",
    "full_date": (
        r"(?i)\b(19|20)\d{2}[-/.]\d{1,2}[-/.]\d{1,2}(\b|T)"
        r"|\b\d{1,2}[-/.]\d{1,2}[-/.]((19|20)\d{2}|\d{2})\b"
        rf"|\b\d{{1,2}}[. -]*({_MONTHS})[a-z]*[., -]*(19|20)?\d{{2}}\b"
        rf"|\b({_MONTHS})[a-z]*[. -]+\d{{1,2}},? +(19|20)\d{{2}}\b"
    ),
    "phone": r"^\s*(\+\d{1,3}[ /-]?)?(\(\d{1,5}\)|\d{2,5})[ /-]\d{2,5}([ /-]\d{2,5}){1,3}\s*$"
    r"|^\s*\+\d{9,14}\s*$"
    # Within a remark: ten digits as North America groups them, or a country code behind a plus.
    r"|(^|[^\d.-])(1[ .-])?(\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}([^\d.-]|[.-]?$|[.-]\s)"
    r"|\+\d{1,3}[ .(/-]+\d[\d .()/-]{5,}\d"
    r"|(?i)\b(tel|phone|fax|mobile|cell|handy)\b[.:]? *\+?[\d ()/-]{6,}",
    "person_name": (
        r"\b(Mr|Mrs|Ms|Miss|Dr|Prof|Herr|Frau|Sr|Sra|Mme|M)\.? +[A-Z\x{00C0}-\x{00DE}]"
        r"[a-z\x{00DF}-\x{00FF}]+"
        rf"|\b({_GIVEN})( [A-Z]\.)? +[A-Z\x{{00C0}}-\x{{00DE}}][a-z\x{{00DF}}-\x{{00FF}}]+"
        rf"|^[A-Z\x{{00C0}}-\x{{00DE}}][a-z\x{{00DF}}-\x{{00FF}}-]+, *({_GIVEN})\b"
    ),
    # A number behind the words for it; a German insurance, a British insurance number.
    "record_number": (
        r"(?i)\b(mrn|medical record|record|patient|chart|case|policy|account|insurance|passport)"
        r"[ _-]*(no|nr|num|number|id)?[ .:#_-]*\d{5,}\b"
        r"|^[A-Z]\d{9}$|^[A-CEGHJ-PR-TW-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]$"
    ),
    "postcode": (
        r"\b\d{5}-\d{4}\b|^[A-Z]{1,2}\d[A-Z0-9]? \d[A-Z]{2}$"
        r"|(?i)\b(zip|plz|postcode)[ :]*\d{4,}"
    ),
    "age_over_89": r"(?i)\b(9\d|1[0-2]\d)[ -]?(years?|yrs?|y/?o|jahre|anos|ans|anni)\b",
}
# Anchored or loose forms that a plain number or a day such as 12-28 would not match are left to
# the tests of numbers below.
_REMEDY: dict[str, str] = {
    "full_date": "remedy.full_date",
    "age_over_89": "remedy.age_over_89",
    "postcode": "remedy.postcode",
    "free_text": "remedy.free_text",
}
# What REDCap puts behind a project's title, cut to 31 characters where it names a sheet; and the
# day and time behind the word export. REDCap is from 2004.
_DAY = r"20(?:0[4-9]|[1-9]\d)-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_CLOCK = r"(?:[01]\d|2[0-3])[:.-]?[0-5]\d(?:[:.-]?[0-5]\d)?"
_COPY = r"(?: ?\(\d{1,2}\))?"
_REDCAP_STAMP = re.compile(
    rf"_(?:DATA(?:_LABELS|_NOHDRS)?_{_DAY}(?:_\d{{0,4}})?|DataDictionary_{_DAY}(?:_\d{{4}})?){_COPY}$"
)
_EXPORT_STAMP = re.compile(rf"(?:(?<=[_ -])|^)[Ee]xport[_ -]{_DAY}(?:[T_ -]{_CLOCK}Z?)?{_COPY}$")
# Numbers below it are neither an age over 89 nor anyone's number.
_SMALLEST_NUMBER = 89.0
# Integers of as many digits in a column that nobody declared are taken for numbers of records.
_LONG_NUMBER = 100_000
# A text as the number that it may be.
_PLAIN = "TRY_CAST(v AS DOUBLE)"
# A text that is different in nearly every row points at one person.
_NEAR_UNIQUE, _NEAR_UNIQUE_ROWS = 0.9, 20
# One random number of ten digits in eleven passes the check of an NHS number.
_NHS_SHARE = 0.3


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
        found = next(
            (r for r, names in _NAMES.items() if words.removeprefix("patient ") in names), None
        )
        found = found or next((_TELLING[w] for w in words.split() if w in _TELLING), None)
        if found:
            problems.append(
                Problem(
                    file,
                    found,
                    Message("problem.name_says", what=term("identifier", found)),
                    column=column,
                    remedy=DROP,
                )
            )
    return problems


def check_content(
    connection: duckdb.DuckDBPyConnection,
    stage: Stage,
    *,
    mapped: Mapping[str, str],
    banded: Collection[str] = (),
    shifted_dates: Collection[str] = (),
    free_text_characters: int = 60,
) -> list[Problem]:
    """Find columns whose cells look like identifiers.

    Every column that clinic.yaml does not drop is looked at, whether it is used or not; each
    different text once.

    Parameters
    ----------
    connection, stage
        DuckDB and the staged file.
    mapped
        Own column -> canonical column, for those that clinic.yaml maps.
    banded
        Columns of ages that become bands before anything is written.
    shifted_dates
        Columns of dates that clinic.yaml declares shifted.
    free_text_characters
        A longer cell is free text.

    Returns
    -------
    list of Problem
        File, column, rule and count; never a value.
    """
    problems = []
    for own in stage.columns:
        canonical = mapped.get(own)
        marks = markers_of(canonical or "", stage.source.spec.missing)
        sources = _list_sources(stage, own)
        if not sources:
            continue
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE gate_cells AS SELECT v, sum(n) AS n FROM "
            f"({' UNION ALL '.join(sources)}) "
            # A marker of missing answers says nothing of anyone.
            f"WHERE NOT coalesce({is_marker('v', marks)}, false) "
            "GROUP BY v"
        )
        conditions = _write_conditions(
            own,
            canonical,
            banded=own in banded,
            shifted=own in shifted_dates,
            free_text_characters=free_text_characters,
        )
        filters = ", ".join(f"sum(n) FILTER (WHERE {c})" for c in conditions.values())
        row: Any = connection.execute(
            f"SELECT {filters}, count(*) FILTER (WHERE {_PLAIN} IS NULL), "
            f"sum(n) FILTER (WHERE {_PLAIN} IS NULL), "
            f"count(*) FILTER (WHERE {conditions['long_number']}) FROM gate_cells"
        ).fetchone()
        *hits, texts, cells, long_numbers = (int(x or 0) for x in row)
        counts = dict(zip(conditions, hits, strict=True))
        ten_digits, long_cells = counts.pop("ten_digits"), counts.pop("long_number")
        if counts["nhs_number"] < _NHS_SHARE * ten_digits:
            counts["nhs_number"] = 0
        # Shifted dates differ from row to row of one patient, and become days at once.
        if canonical is None and own not in shifted_dates and not any(counts.values()):
            if cells >= _NEAR_UNIQUE_ROWS and texts > _NEAR_UNIQUE * cells:
                counts["near_unique"] = cells
            if long_cells >= _NEAR_UNIQUE_ROWS and long_numbers > _NEAR_UNIQUE * long_cells:
                counts["record_number"] = long_cells
        problems += [
            Problem(
                stage.source.name,
                rule,
                Message("problem.cells_look_like", n=count, what=term("identifier", rule)),
                column=own,
                remedy=_REMEDY.get(rule, DROP),
                count=count,
            )
            for rule, count in counts.items()
            if count
        ]
    return problems


def _list_sources(stage: Stage, own: str) -> list[str]:
    """Write SQL for every different text of a column, and for its larger whole numbers.

    A number that is large enough to be an age over 89 is looked at as text.
    """
    cell = stage.cell(own)
    sources = []
    for part in stage.parts:
        known = stage.cell(own, part)
        if own in part.texts:
            sources.append(f"SELECT v, n FROM {part.texts[own]}")
            continue  # no number stands in a column of text
        if not known.plain:
            sources.append(
                f"SELECT {cell.text} AS v, 1 AS n FROM {part.relation} "
                f"WHERE {cell.text} IS NOT NULL"
            )
        if not known.plain or not known.highest < _SMALLEST_NUMBER:
            sources.append(
                f"SELECT CAST(CAST({cell.number} AS HUGEINT) AS VARCHAR) AS v, 1 AS n "
                f"FROM {part.relation} "
                f"WHERE {cell.number} >= {_SMALLEST_NUMBER} AND {cell.number} < 1e18 "
                f"AND {cell.number} = floor({cell.number})"
            )
    return sources


def _write_conditions(
    own: str, canonical: str | None, *, banded: bool, shifted: bool, free_text_characters: int
) -> dict[str, str]:
    """Write SQL for what each rule finds in a text `v`, as far as the rule holds for a column."""
    words = _words(own)
    conditions = {
        rule: f"{_PLAIN} IS NULL AND regexp_matches(v, {literal(pattern)})"
        for rule, pattern in _CONTENT.items()
    }
    conditions["phone"] = (
        f"regexp_matches(v, {literal(_CONTENT['phone'])}) "
        f"AND NOT regexp_matches(v, {literal(_CONTENT['full_date'])})"
    )
    if shifted:
        del conditions["full_date"]
    if words in _AGE or canonical in ("age", "age_band"):
        conditions["age_over_89"] += f" OR {_PLAIN} > 89"
    if banded:
        del conditions["age_over_89"]
    if words in _POSTCODE:
        conditions["postcode"] = r"length(regexp_replace(v, '\W', '', 'g')) > 3"
    if canonical not in LISTS:
        conditions["free_text"] = f"length(v) > {free_text_characters}"
    else:
        # Names of muscles and sides; the pattern of the list is held when it is read.
        del conditions["person_name"]
    digits = r"regexp_replace(v, '[ -]', '', 'g')"
    ten = f"regexp_matches({digits}, '^\\d{{10}}$')"
    conditions |= {"ten_digits": ten, "nhs_number": f"{ten} AND {_nhs_sql(digits)}"}
    conditions["long_number"] = f"{_PLAIN} = floor({_PLAIN}) AND {_PLAIN} >= {_LONG_NUMBER}"
    return conditions


def _nhs_sql(digits: str) -> str:
    """Write SQL for the check digit of an NHS number (modulus 11; NHS Data Dictionary)."""
    total = " + ".join(
        f"{11 - i} * TRY_CAST(substr({digits}, {i}, 1) AS INT)" for i in range(1, 10)
    )
    check = f"(11 - ({total}) % 11) % 11"
    return f"{check} = TRY_CAST(substr({digits}, 10, 1) AS INT)"


def measure_k(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str], k: int
) -> tuple[int, int]:
    """Measure k-anonymity: the size of the smallest group alike in all quasi-identifiers.

    Sweeney 2002. An empty cell is a value of its own.

    Returns
    -------
    tuple of int
        The size of the smallest group, and how many people are in groups smaller than `k`.
    """
    names = ", ".join(ident(c) for c in columns)
    row: Any = connection.execute(
        f"SELECT min(n), sum(n) FILTER (WHERE n < {int(k)}) FROM "
        f"(SELECT count(*) AS n FROM {relation} GROUP BY {names})"
    ).fetchone()
    return int(row[0] or 0), int(row[1] or 0)


def check_file_name(file: str, what: str = "file") -> list[Problem]:
    """Find an identifier in the name of a file or of a sheet."""
    name = _without_stamp(re.sub(r"\.[A-Za-z]{2,7}(\.gz)?$", "", file))
    texts = (name, re.sub(r"[_-]+", " ", name), name.replace("_", "-"))
    rules = ("email", "full_date", "ssn", "phone", "person_name", "record_number")
    hit = [r for r in rules if any(re.search(_python(_CONTENT[r]), t) for t in texts)]
    # The name is what is wrong with the file, so the message does not repeat it.
    return [
        Problem(
            "",
            rule,
            Message(
                "problem.name_of_sheet_holds" if what == "sheet" else "problem.name_of_file_holds",
                what=term("identifier", rule),
            ),
            remedy="remedy.rename_sheet" if what == "sheet" else "remedy.rename_file",
        )
        for rule in hit
    ]


def _without_stamp(name: str) -> str:
    """Take the day of an export off the end of a name: that of REDCap, or one behind `export`.

    REDCap joins the words of a project's title, which are told apart for what is left.
    """
    found = _REDCAP_STAMP.search(name)
    if found:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name[: found.start()])
    return _EXPORT_STAMP.sub("", name)


def check_header_cells(file: str, header: Sequence[str]) -> list[Problem]:
    """Find column names that are themselves a date, an address or a name, by their position."""
    rules = ("email", "full_date", "ssn", "phone", "person_name", "url")
    return [
        Problem(
            file,
            rule,
            Message("problem.column_name_looks_like", number=i, what=term("identifier", rule)),
            remedy="remedy.rename_column",
        )
        for i, column in enumerate(header, start=1)
        for rule in rules
        if re.search(_python(_CONTENT[rule]), column)
    ]


def _python(pattern: str) -> str:
    """Write an RE2 expression for Python: flags go to the front, code points as escapes."""
    plain = re.sub(r"\\x\{([0-9A-F]{4})\}", r"\\u\1", pattern)
    return f"(?i:{plain.replace('(?i)', '')})" if "(?i)" in plain else plain
