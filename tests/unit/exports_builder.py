"""Made-up clinics and their exports in several shapes, languages and spellings, with the answers.

The answers are counted here from the made-up truth, by the definitions of the documentation, and
by no code of the package.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

import duckdb
import pandas as pd

Pair = tuple[int, float]  # people with both, mean change

SURNAMES = ("Quillmarsh", "Drovanter", "Pelluxen", "Varstedt", "Ombrelli", "Tazencourt", "Wyndrake")


@dataclass
class Day:
    headache: int | None
    pain: int | None = None
    hours: float | None = None
    pills: int = 0


@dataclass
class Person:
    code: str
    surname: str
    born: date
    woman: bool
    start: date
    visits: dict[int, str] = field(default_factory=dict)  # day -> technique
    recall: dict[int, tuple[int | None, int | None, float | None]] = field(default_factory=dict)
    diary: dict[int, Day] = field(default_factory=dict)

    def on(self, day: int) -> date:
        return self.start + timedelta(days=day)


def make_people(seed: int, n: int = 24, *, codes: str = "K-{}") -> list[Person]:
    """Make people with a diary, visits, and answers at visits about the last 28 days."""
    draw = random.Random(seed)
    numbers = draw.sample(range(100, 999), n)
    people = []
    for i in range(n):
        person = Person(
            codes.format(numbers[i]),
            f"{draw.choice(SURNAMES)}{chr(97 + i % 26)}",
            date(1950 + draw.randrange(45), 1 + draw.randrange(12), 1 + draw.randrange(28)),
            draw.random() < 0.6,
            date(2023, 1, 1) + timedelta(days=draw.randrange(400)),
        )
        techniques = ("manual", "dry_needling", "wet_needling", "acupuncture")
        for day in sorted({0, *draw.sample(range(3, 70), 6), draw.randrange(75, 110)}):
            person.visits[day] = draw.choice(techniques)
        level, fall, pain = draw.uniform(6, 20), draw.uniform(0, 6), draw.uniform(4, 8)
        for day in (0, *(d for d in person.visits if d > 60 or draw.random() < 0.2)):
            now = max(0, level - fall * (day > 20))
            person.recall[day] = (
                None if draw.random() < 0.1 else min(28, round(now)),
                None if draw.random() < 0.1 else round(pain * 10 - 8 * (day > 20)),
                None if draw.random() < 0.1 else round(8 - (day > 20) + draw.random() * 2, 1),
            )
        last = draw.choice((60, 95, 100, 100, 110))
        for day in range(-28, last):
            if draw.random() < 0.05:
                continue
            if draw.random() < 0.03:
                person.diary[day] = Day(None)
                continue
            has = draw.random() < max(0, level - fall * (day > 20)) / 28
            person.diary[day] = (
                Day(1, draw.randrange(2, 11), draw.randrange(2, 60) / 4, draw.randrange(3))
                if has
                else Day(0)
            )
        people.append(person)
    return people


# ---- the answers ---------------------------------------------------------------------------------


def pair(values: Iterable[tuple[float | None, float | None]]) -> Pair:
    both = [(a, b) for a, b in values if a is not None and b is not None]
    return len(both), fmean(b - a for a, b in both) if both else 0.0


def count_diary(people: Sequence[Person]) -> dict[str, Pair]:
    """Count days -28 to -1 against 56 to 83, of which at least 20 are known."""

    def window(person: Person, first: int, last: int, what: str) -> float | None:
        days = [d for n, d in person.diary.items() if first <= n <= last and d.headache is not None]
        if len(days) < 20:
            return None
        ache = [d for d in days if d.headache]
        if what == "frequency":
            return len(ache) * 28 / len(days)
        found = [v for d in ache if (v := d.pain if what == "intensity" else d.hours) is not None]
        return fmean(found) if found else None

    return {
        what: pair((window(p, -28, -1, what), window(p, 56, 83, what)) for p in people)
        for what in ("frequency", "intensity", "duration")
    }


def count_recall(people: Sequence[Person]) -> dict[str, Pair]:
    """Count the answer at intake against the one nearest day 84 within days 70 to 112."""

    def after(person: Person, i: int) -> float | None:
        found = [
            (abs(d - 84), d, a[i])
            for d, a in person.recall.items()
            if 70 <= d <= 112 and a[i] is not None
        ]
        return min(found)[2] if found else None

    out = {}
    for i, what in enumerate(("frequency", "intensity", "duration")):
        n, change = pair((p.recall[0][i], after(p, i)) for p in people)
        out[what] = (n, change / 10 if what == "intensity" else change)
    return out


# ---- files ---------------------------------------------------------------------------------------


def write_table(
    path: Path,
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    delimiter: str = ",",
    encoding: str = "utf-8",
    above: str = "",
) -> Path:
    """Write a table as text."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([["" if c is None else c for c in row] for row in rows])
    path.write_bytes((above + stream.getvalue()).encode(encoding))
    return path


def as_number(value: float | None, comma: bool) -> str:
    if value is None:
        return ""
    text = f"{value:g}"
    return text.replace(".", ",") if comma else text


@dataclass(frozen=True)
class Style:
    """How a clinic writes: words of headers and cells, dates, numbers, file."""

    code: str
    surname: str
    born: str
    sex: str
    visit: str
    therapist: str
    treatment: str
    minutes: str
    days: str
    pain: str
    length: str
    remark: str
    day: str
    headache: str
    worst: str
    hours: str
    pills: str
    yes_no: tuple[str, str]
    sexes: tuple[str, str]
    techniques: Mapping[str, str]
    dates: str = "%d.%m.%Y"
    comma: bool = False
    delimiter: str = ","
    encoding: str = "utf-8"

    def number(self, value: float | None) -> str:
        return as_number(value, self.comma)

    def table(
        self, path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]], above: str = ""
    ) -> Path:
        return write_table(
            path, header, rows, delimiter=self.delimiter, encoding=self.encoding, above=above
        )


GERMAN = Style(
    code="Patienten-Nr.",
    surname="Nachname",
    born="Geburtsdatum",
    sex="Geschlecht",
    visit="Datum der Behandlung",
    therapist="Behandler",
    treatment="Behandlungsart",
    minutes="Dauer (min)",
    days="Kopfschmerztage in den letzten 4 Wochen",
    pain="Übliche Schmerzstärke (VAS 0-100)",
    length="Übliche Dauer in Stunden",
    remark="Bemerkungen",
    day="Tag",
    headache="Kopfschmerzen",
    worst="Stärkster Schmerz (0-10)",
    hours="Dauer (h)",
    pills="Schmerzmittel (Anzahl)",
    yes_no=("ja", "nein"),
    sexes=("w", "m"),
    techniques={
        "manual": "Triggerpunktmassage",
        "dry_needling": "trockenes Nadeln",
        "wet_needling": "Lokalanästhetikum-Infiltration",
        "acupuncture": "Akupunktur",
    },
    comma=True,
    delimiter=";",
    encoding="cp1252",
)
SPANISH = Style(
    code="Nº de historia",
    surname="Apellidos",
    born="F. nacimiento",
    sex="Sexo",
    visit="Fecha de la sesión",
    therapist="Fisioterapeuta",
    treatment="Técnica",
    minutes="Minutos",
    days="Días con cefalea en los últimos 28 días",
    pain="Dolor habitual (EVA 0-100)",
    length="Horas que dura la cefalea",
    remark="Notas",
    day="Fecha",
    headache="¿Dolor de cabeza?",
    worst="Intensidad máxima (0 a 10)",
    hours="Horas",
    pills="Comprimidos",
    yes_no=("sí", "no"),
    sexes=("M", "V"),
    techniques={
        "manual": "terapia manual",
        "dry_needling": "punción seca",
        "wet_needling": "infiltración anestésica",
        "acupuncture": "acupuntura",
    },
    dates="%d/%m/%Y",
    comma=True,
    delimiter="\t",
    encoding="utf-8-sig",
)
ENGLISH = Style(
    code="Patient ID",
    surname="Last name",
    born="DOB",
    sex="Gender",
    visit="Appointment date",
    therapist="Seen by",
    treatment="Intervention",
    minutes="Session minutes",
    days="How many days with headache in the last 4 weeks?",
    pain="Typical pain 0-100",
    length="Typical length of a headache (hours)",
    remark="Comments",
    day="Diary date",
    headache="Headache today",
    worst="Worst pain (NRS)",
    hours="Duration in hours",
    pills="Painkillers taken",
    yes_no=("Y", "N"),
    sexes=("F", "M"),
    techniques={
        "manual": "Manual pressure",
        "dry_needling": "DN",
        "wet_needling": "Lidocaine injection",
        "acupuncture": "Acupuncture",
    },
    dates="%m/%d/%Y",
    delimiter="|",
    encoding="utf-16",
)
STYLES = {"de": GERMAN, "es": SPANISH, "en": ENGLISH}


def put_in_any_order(
    columns: Mapping[str, Callable[..., Any]], rows: Iterable[tuple[Any, ...]], draw: random.Random
) -> tuple[list[str], list[list[Any]]]:
    """Write the cells of rows, the columns shuffled; returns the header and the cells."""
    names = list(columns)
    draw.shuffle(names)
    return names, [[columns[name](*row) for name in names] for row in rows]


def write_sessions(folder: Path, people: Sequence[Person], style: Style, seed: int = 1) -> Path:
    """Write a session log with answers about the last four weeks, its columns in any order."""
    draw = random.Random(seed)
    s = style
    columns: dict[str, Callable[[Person, int], Any]] = {
        s.code: lambda p, d: p.code,
        s.surname: lambda p, d: p.surname,
        s.born: lambda p, d: p.born.strftime(s.dates),
        s.sex: lambda p, d: s.sexes[0] if p.woman else s.sexes[1],
        s.visit: lambda p, d: p.on(d).strftime(s.dates),
        s.therapist: lambda p, d: "AB" if d % 2 else "CD",
        s.treatment: lambda p, d: s.techniques[p.visits[d]],
        s.minutes: lambda p, d: 60,
        s.days: lambda p, d: s.number(p.recall[d][0]) if d in p.recall else "",
        s.pain: lambda p, d: s.number(p.recall[d][1]) if d in p.recall else "",
        s.length: lambda p, d: s.number(p.recall[d][2]) if d in p.recall else "",
        s.remark: lambda p, d: f"{p.surname} called" if d == 0 else "",
    }
    rows = [(p, d) for p in people for d in p.visits]
    draw.shuffle(rows)
    return s.table(folder / "log.csv", *put_in_any_order(columns, rows, draw))


def write_diary(folder: Path, people: Sequence[Person], style: Style, seed: int = 1) -> list[Path]:
    """Write a day diary and the list of treatments."""
    draw = random.Random(seed)
    s = style
    columns: dict[str, Callable[[Person, int, Day], Any]] = {
        s.code: lambda p, n, d: p.code,
        s.surname: lambda p, n, d: p.surname,
        s.day: lambda p, n, d: p.on(n).strftime(s.dates),
        s.headache: lambda p, n, d: "" if d.headache is None else s.yes_no[0 if d.headache else 1],
        s.worst: lambda p, n, d: s.number(d.pain),
        s.hours: lambda p, n, d: s.number(d.hours),
        s.pills: lambda p, n, d: "" if d.headache is None else d.pills,
        s.remark: lambda p, n, d: "",
    }
    days = put_in_any_order(columns, [(p, n, d) for p in people for n, d in p.diary.items()], draw)
    visits = [
        (p.code, p.surname, p.on(d).strftime(s.dates), s.techniques[t], 45)
        for p in people
        for d, t in p.visits.items()
    ]
    header = (s.code, s.surname, s.visit, s.treatment, s.minutes)
    return [
        s.table(folder / "diary.csv", *days),
        s.table(folder / "treatments.csv", header, visits),
    ]


def write_book(path: Path, sheets: Mapping[str, Sequence[Sequence[Any]]]) -> Path:
    """Write a workbook."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def as_moment(day: date, hour: float = 0) -> datetime:
    return datetime(day.year, day.month, day.day) + timedelta(hours=hour)


def write_json(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def write_parquet(path: Path, frame: pd.DataFrame) -> Path:
    """Write a table as a database exports it, with the types of its columns."""
    with duckdb.connect() as connection:
        connection.register("frame", frame)
        connection.execute(f"COPY (SELECT * FROM frame) TO '{path}' (FORMAT parquet)")
    return path
