"""A clinic from its exports: shapes, languages and spellings, each held against its own count."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headway import config
from headway.errors import ConfigError, InputError
from headway.ingest import clinics
from headway.ingest.proposals import Made, make_clinic
from headway.ingest.proposals.codes import read_yes_no
from headway.ingest.proposals.columns import Named
from headway.ingest.proposals.opening import read_files
from headway.ingest.proposals.values import profile
from headway.ingest.proposals.write import Proposal
from headway.outcomes.change import cohort
from headway.report.proposed import write_made
from tests.unit.exports_builder import (
    ENGLISH,
    GERMAN,
    SPANISH,
    STYLES,
    Day,
    Pair,
    Person,
    Style,
    as_moment,
    as_number,
    count_diary,
    count_recall,
    make_people,
    pair,
    write_book,
    write_diary,
    write_json,
    write_parquet,
    write_sessions,
    write_table,
)


def silent(question: str, answers: Sequence[str]) -> None:
    """Answer no question."""


def make(folder: Path, paths: Sequence[Path], ask: Any = silent, name: str = "new") -> Made:
    before = [p.read_bytes() for p in paths]
    made = make_clinic(paths, name, folder / "data", "internal", ask)
    assert [p.read_bytes() for p in paths] == before
    return made


def analyse(made: Made) -> dict[tuple[str, str], Pair]:
    """Take a clinic's folder to the changes of everyone: (comparison, outcome) -> n, mean."""
    out = made.folder.parent / "processed"
    clinic = config.load_clinic(made.folder)
    clinics.ingest_clinic(made.folder, clinic, out)
    found = cohort.analyse_clinic(out, clinic)["cohort"]
    found = found[(found["group"] == "all") & (found["statistic"] == "change_mean")]
    return {
        (r.comparison, r.outcome): (int(r.n), float(r.estimate))
        for r in found.itertuples()
        if r.n and not pd.isna(r.estimate)
    }


def hold(made: Made, comparison: str, right: Mapping[str, Pair]) -> None:
    """Hold a clinic's numbers against the answers."""
    found = analyse(made)
    for outcome, (n, change) in right.items():
        assert (comparison, outcome) in found, (outcome, (made.folder / "clinic.yaml").read_text())
        assert found[comparison, outcome][0] == n, outcome
        assert found[comparison, outcome][1] == pytest.approx(change, abs=0.001), outcome


def hold_no_identifier(made: Made, people: Sequence[Person], style: Style = ENGLISH) -> None:
    """Find neither names, codes nor dates of anyone in what was written."""
    text = "".join(p.read_text(encoding="utf-8") for p in made.folder.iterdir())
    for person in people:
        assert person.surname not in text
        assert person.code not in text
        for day in (person.start, person.born):
            assert day.isoformat() not in text
            assert day.strftime(style.dates) not in text


# ---- session logs and diaries --------------------------------------------------------------------


@pytest.mark.parametrize("language", STYLES)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_session_log(tmp_path: Path, language: str, seed: int) -> None:
    style, people = STYLES[language], make_people(seed, codes="{}")
    made = make(tmp_path, [write_sessions(tmp_path, people, style, seed)])
    hold(made, "visit_recall", count_recall(people))
    patients = pd.read_csv(made.folder / "patients.csv")
    assert len(patients) == len(people)
    sexes = patients["sex"].value_counts()
    assert sexes[style.sexes[0]] == sum(p.woman for p in people)
    people = [replace(p, code=p.surname) for p in people]  # a short number may be a day
    hold_no_identifier(made, people, style)


@pytest.mark.parametrize("language", STYLES)
@pytest.mark.parametrize("seed", [3, 4])
def test_a_day_diary(tmp_path: Path, language: str, seed: int) -> None:
    style, people = STYLES[language], make_people(seed)
    made = make(tmp_path, write_diary(tmp_path, people, style, seed))
    hold(made, "primary", count_diary(people))
    hold_no_identifier(made, people, style)


@pytest.mark.parametrize("types", ["boolean", "float", "text"])
def test_parquet_files_of_a_database(tmp_path: Path, types: str) -> None:
    people, s = make_people(6), ENGLISH
    days = [
        (p.code, p.surname, p.on(n), d.headache, d.pain, d.hours)
        for p in people
        for n, d in p.diary.items()
    ]
    visits = [(p.code, p.on(d), s.techniques[t]) for p in people for d, t in p.visits.items()]
    tables = {
        "diary": (days, (s.code, s.surname, s.day, s.headache, s.worst, s.hours)),
        "visits": (visits, (s.code, s.visit, s.treatment)),
    }
    paths = []
    for name, (rows, header) in tables.items():
        frame = pd.DataFrame(rows, columns=list(header))
        if types == "text":
            frame = frame.astype("str").replace({"None": "", "nan": "", "<NA>": ""})
        elif types == "boolean" and s.headache in frame:
            frame[s.headache] = frame[s.headache].astype("boolean")
        paths.append(write_parquet(tmp_path / f"{name}.parquet", frame))
    made = make(tmp_path, paths)
    hold(made, "primary", count_diary(people))
    hold_no_identifier(made, people)


def test_a_visit_without_treatment_is_not_day_0(tmp_path: Path) -> None:
    people = make_people(5)
    paths = write_diary(tmp_path, people, GERMAN)
    lines = paths[1].read_text("cp1252").splitlines()
    for p in people:
        day = p.on(-10).strftime(GERMAN.dates)
        lines.append(f"{p.code};{p.surname};{day};Erstgespräch;30")
    paths[1].write_text("\n".join(lines), "cp1252")
    hold(make(tmp_path, paths), "primary", count_diary(people))


def test_a_word_at_first_visits_alone_is_not_guessed(tmp_path: Path) -> None:
    people = make_people(5)
    paths = write_diary(tmp_path, people, GERMAN)
    lines = paths[1].read_text("cp1252").splitlines()
    for p in people:
        day = p.on(-10).strftime(GERMAN.dates)
        lines.append(f"{p.code};{p.surname};{day};Zirbelgang;30")
    paths[1].write_text("\n".join(lines), "cp1252")
    with pytest.raises(InputError, match="first_visit") as refused:
        make(tmp_path, paths)
    assert "Zirbelgang" not in str(refused.value)
    assert not (tmp_path / "data" / "raw" / "clinics" / "new").exists()


def test_dates_of_which_nobody_knows_the_order_are_refused_or_asked(tmp_path: Path) -> None:
    people = make_people(6, n=8)
    for p in people:
        p.start = p.start.replace(day=min(p.start.day, 5))
        p.visits = {0: "manual"}
        p.recall = {0: (10, 50, 4.0)}
        p.born = p.born.replace(day=min(p.born.day, 12))
    style = replace(ENGLISH, dates="%d/%m/%Y", encoding="utf-8")
    path = write_sessions(tmp_path, people, style)
    with pytest.raises(InputError, match="ambiguous_dates"):
        make(tmp_path, [path])
    asked = []
    made = make(tmp_path, [path], lambda question, answers: asked.append(answers) or answers[0])
    assert asked == [("dmy", "mdy")]
    assert set(pd.read_csv(made.folder / "sessions.csv")["day"]) == {0}


VISITS = "Patient ID,Visit date,Treatment\n" + "".join(
    f"{i},{14 + k}/03/2021,manual\n" for i in range(9) for k in range(3)
)


@pytest.mark.parametrize("kept", range(1, 9))
@pytest.mark.parametrize("sign", ["/", "-"])
def test_dates_of_both_orders_in_one_column_are_no_order(
    tmp_path: Path, kept: int, sign: str
) -> None:
    """However many of them are of either order, and not that the table holds no dates."""
    rows = [
        f"{i},{'14/03' if i < kept else '03/14'}/202{k},manual" for i in range(9) for k in (1, 2)
    ]
    path = tmp_path / "visits.csv"
    path.write_text("Patient ID,Visit date,Treatment\n" + "\n".join(rows).replace("/", sign))
    with pytest.raises(InputError) as refused:
        make(tmp_path, [path])
    assert [(p.rule, p.column) for p in refused.value.problems] == [("mixed_dates", "Visit date")]


@pytest.mark.parametrize(
    ("header", "cell"),
    [("Headache", "yes"), ("Kopfschmerz", "ja"), ("Cefalea", "sí"), ("Headache", "1")],
)
def test_a_diary_of_headache_days_alone_says_nothing_of_the_others(
    tmp_path: Path, header: str, cell: str
) -> None:
    rows = [f"{i},{d}/02/2021,{cell}" for i in range(9) for d in range(14, 28)]
    (tmp_path / "v.csv").write_text(VISITS)
    (tmp_path / "d.csv").write_text(f"Patient ID,Date,{header}\n" + "\n".join(rows))
    with pytest.raises(InputError) as refused:
        make(tmp_path, [tmp_path / "v.csv", tmp_path / "d.csv"])
    (problem,) = refused.value.problems
    assert (problem.rule, problem.file, problem.column) == ("only_headache_days", "d.csv", header)
    rows[0] = rows[0].replace(cell, {"yes": "no", "ja": "nein", "sí": "no", "1": "0"}[cell])
    (tmp_path / "d.csv").write_text(f"Patient ID,Date,{header}\n" + "\n".join(rows))
    made = make(tmp_path, [tmp_path / "v.csv", tmp_path / "d.csv"])
    assert "headache" in config.load_clinic(made.folder).files["diary"][0].columns


# ---- attack logs ---------------------------------------------------------------------------------


def write_attacks(
    folder: Path, people: Sequence[Person], *, end: str, style: str
) -> tuple[list[Path], dict[str, Pair]]:
    """Write attacks, each within its day or over midnight, with begin and end."""
    draw = random.Random(9)
    rows, members = [], []
    for p in people:
        p.diary = {day: Day(0) for day in range(-28, 100)}
        for day in sorted(draw.sample(range(-28, 98), draw.randrange(20, 70))):
            begin, length = draw.randrange(8, 22), draw.randrange(1, 9)
            pain = draw.randrange(2, 11)
            moments = as_moment(p.on(day), begin), as_moment(p.on(day), begin + length)
            rows.append((p, moments, pain))
            within = min(length, 24 - begin)
            for n, hours in ((day, within), (day + 1, length - within)):
                if hours > 0:
                    now = p.diary[n]
                    now.headache = 1
                    now.hours = (now.hours or 0) + hours
                    now.pain = max(now.pain or 0, pain)
        members.append((p.code, p.surname, p.on(-28), p.on(99), p.start))
    draw.shuffle(rows)
    heads = {
        "en": ("Participant", "Headache started", "Headache ended", "Pain (0-10)", "Comments"),
        "de": ("Nutzer-ID", "Beginn", "Ende", "Schmerzstärke (0-10)", "Kommentar"),
        "es": ("Usuario", "Inicio", "Fin", "Intensidad (0-10)", "Comentarios"),
    }
    lists = {
        "en": ("Participant", "Surname", "Diary from", "Diary to", "Start of treatment"),
        "de": ("Nutzer-ID", "Name", "Tagebuch von", "Tagebuch bis", "Behandlungsbeginn"),
        "es": ("Usuario", "Apellidos", "Diario desde", "Diario hasta", "Inicio del tratamiento"),
    }
    log = [(p.code, *(m.strftime(end) for m in ms), pain, "") for p, ms, pain in rows]
    day = end.split(" ")[0]
    paths = [
        write_table(folder / "attacks.csv", heads[style], log, above="Export\r\n\r\n"),
        write_table(
            folder / "members.csv",
            lists[style],
            [(code, name, *(d.strftime(day) for d in days)) for code, name, *days in members],
        ),
    ]
    return paths, count_diary(people)


@pytest.mark.parametrize(
    ("style", "end"),
    [
        ("en", "%Y-%m-%d %H:%M"),
        ("de", "%d.%m.%Y %H:%M"),
        ("es", "%d/%m/%Y %H:%M:%S"),
        ("en", "%m/%d/%Y %I:%M %p"),
    ],
)
def test_attacks_with_begin_and_end(tmp_path: Path, style: str, end: str) -> None:
    people = make_people(11, n=14)
    paths, right = write_attacks(tmp_path, people, end=end, style=style)
    made = make(tmp_path, paths)
    hold(made, "primary", right)
    hold_no_identifier(made, people)


# ---- workbooks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("style", [GERMAN, ENGLISH], ids=["de", "en"])
def test_a_workbook_with_a_sheet_for_each_patient(tmp_path: Path, style: Style) -> None:
    people = make_people(12, n=12)
    head = (style.visit, style.treatment, style.days, style.pain, style.length, style.remark)
    sheets = {}
    for p in people:
        rows: list[Sequence[Any]] = [("Kartei", None), (), head]
        rows += [
            (as_moment(p.on(d)), style.techniques[t], *p.recall.get(d, (None, None, None)), "x y")
            for d, t in p.visits.items()
        ]
        sheets[p.surname] = rows
    made = make(tmp_path, [write_book(tmp_path / "book.xlsx", sheets)])
    hold(made, "visit_recall", count_recall(people))
    hold_no_identifier(made, [replace(p, code=p.surname) for p in people])


def test_a_workbook_of_patients_visits_and_diary(tmp_path: Path) -> None:
    people = make_people(13, n=14)
    s = SPANISH
    visits = [
        (p.code, as_moment(p.on(d)), s.techniques[t]) for p in people for d, t in p.visits.items()
    ]
    diary = [
        (p.code, as_moment(p.on(n)), d.headache, d.pain, d.hours)
        for p in people
        for n, d in p.diary.items()
    ]
    sheets = {
        "Pacientes": [(s.code, s.surname, s.sex), *((p.code, p.surname, "M") for p in people)],
        "Visitas": [("Registro", None, None), (s.code, s.visit, s.treatment), *visits],
        "Diario": [(s.code, s.day, s.headache, s.worst, s.hours), *diary, ("Total", None, None, 3)],
        "Leyenda": [("sigla", "significado"), ("PS", "punción seca")],
    }
    made = make(tmp_path, [write_book(tmp_path / "libro.xlsx", sheets)])
    hold(made, "primary", count_diary(people))


# ---- REDCap --------------------------------------------------------------------------------------


def write_redcap(folder: Path, people: Sequence[Person], *, labels: bool) -> Path:
    boxes = {"manual": "Manual therapy", "dry_needling": "Dry needling"}
    boxes |= {"wet_needling": "Wet needling", "acupuncture": "Acupuncture"}
    if labels:
        head = ["Record ID", "Event Name", "Repeat Instrument", "Repeat Instance", "Surname"]
        head += ["Complete?", "Date of visit"]
        head += [f"Treatment given (choice={label})" for label in boxes.values()]
        head += ["Complete?", "Diary day", "Headache today?", "Worst pain (0-10)", "Hours"]
        head += ["Complete?"]
    else:
        head = ["record_id", "redcap_event_name", "redcap_repeat_instrument"]
        head += ["redcap_repeat_instance", "surname", "enrolment_complete", "visit_date"]
        head += [f"treatment___{code}" for code in boxes]
        head += ["visit_complete", "diary_date", "headache", "worst_pain", "headache_hours"]
        head += ["daily_diary_complete"]
    tick, done = ("Checked", "Unchecked"), "Complete" if labels else "2"
    rows = []
    for p in people:
        names = ("Enrolment", "Daily diary") if labels else ("enrolment_arm_1", "daily_diary")
        rows.append([p.code, names[0], "", "", p.surname, done, *[""] * 11])
        for k, (day, technique) in enumerate(p.visits.items()):
            event = f"Visit {k + 1}" if labels else f"visit_{k + 1}_arm_1"
            marks = tick if labels else ("1", "0")
            ticks = [marks[t != technique] for t in boxes]
            rows.append(
                [p.code, event, "", "", "", "", p.on(day).isoformat(), *ticks, done, *[""] * 5]
            )
        for k, (day, d) in enumerate(p.diary.items()):
            event = "Diary" if labels else "diary_arm_1"
            known = d.headache is not None
            yes = (("Yes" if d.headache else "No") if labels else d.headache) if known else ""
            if not known:  # what a form that was not completed says does not count
                yes = "Yes" if labels else 1
            closed = (done if known else "Incomplete") if labels else (2 if known else 0)
            answers = (p.on(day), yes, d.pain, d.hours, closed)
            rows.append([p.code, event, names[1], k + 1, *[""] * 8, *answers])
    name = "Reg_DATA_LABELS_2025-01-02_0304.csv" if labels else "Reg_DATA_2025-01-02_0304.csv"
    assert all(len(row) == len(head) for row in rows), (len(head), {len(r) for r in rows})
    return write_table(folder / name, head, rows)


@pytest.mark.parametrize("labels", [True, False], ids=["labels", "raw"])
def test_redcap_without_its_dictionary(tmp_path: Path, labels: bool) -> None:
    people = make_people(14, n=14)
    made = make(tmp_path, [write_redcap(tmp_path, people, labels=labels)])
    hold(made, "primary", count_diary(people))
    hold_no_identifier(made, people)


# ---- grids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "marks", "periods"),
    [
        (
            ("Patient", "Name", "Zeitraum", "Tag {}"),
            ("x", "-"),
            ("4 Wochen vorher", "Woche 1-4", "Woche 5-8", "Woche 9-12"),
        ),
        (
            ("Paciente", "Apellidos", "Periodo", "Día {}"),
            ("sí", "no"),
            ("4 semanas antes", "semanas 1 a 4", "semanas 5 a 8", "semanas 9 a 12"),
        ),
        (
            ("Code", "Surname", "Weeks", "{}"),
            ("1", "0"),
            ("weeks -4 to -1", "weeks 1 to 4", "weeks 5 to 8", "weeks 9 to 12"),
        ),
    ],
    ids=["de", "es", "en"],
)
def test_a_grid_of_four_weeks(
    tmp_path: Path, head: Sequence[str], marks: Sequence[str], periods: Sequence[str]
) -> None:
    people = make_people(15, n=16)
    rows = []
    for p in people:
        for k, period in enumerate(periods):
            days = [p.diary.get(-28 + 28 * k + i) for i in range(28)]
            cells = ["" if d is None or d.headache is None else marks[not d.headache] for d in days]
            if any(cells):
                rows.append((p.code, p.surname, period, *cells))
    random.Random(1).shuffle(rows)
    header = (*head[:3], *(head[3].format(i) for i in range(1, 29)))
    made = make(tmp_path, [write_table(tmp_path / "grid.csv", header, rows, delimiter=";")])
    hold(made, "primary", {"frequency": count_diary(people)["frequency"]})
    hold_no_identifier(made, people)


def write_months(folder: Path, people: Sequence[Person], marks: Sequence[str]) -> list[Path]:
    rows = []
    for p in people:
        months: dict[tuple[int, int], list[str]] = {}
        for n, d in p.diary.items():
            when = p.on(n)
            cells = months.setdefault((when.year, when.month), [""] * 31)
            cells[when.day - 1] = "" if d.headache is None else marks[not d.headache]
        rows += [(p.code, f"{m:02d}/{y}", *cells) for (y, m), cells in months.items()]
    visits = [
        (p.code, p.on(d).strftime("%d.%m.%Y"), GERMAN.techniques[t])
        for p in people
        for d, t in p.visits.items()
    ]
    return [
        write_table(folder / "kalender.csv", ("Pat.-Nr.", "Monat", *range(1, 32)), rows),
        write_table(folder / "visits.csv", ("Pat.-Nr.", "Datum", "Behandlung"), visits),
    ]


def test_a_calendar_of_months_with_marks(tmp_path: Path) -> None:
    people = make_people(16, n=12)
    made = make(tmp_path, write_months(tmp_path, people, ("x", "-")))
    hold(made, "primary", {"frequency": count_diary(people)["frequency"]})
    assert "# ? " in (made.folder / "clinic.yaml").read_text(encoding="utf-8")


def test_marks_beside_blanks_alone_are_refused(tmp_path: Path) -> None:
    people = make_people(16, n=12)
    with pytest.raises(InputError, match="only_marks"):
        make(tmp_path, write_months(tmp_path, people, ("x", "")))


# ---- before and after ----------------------------------------------------------------------------


def draw_pairs(seed: int, n: int = 30) -> list[dict[str, tuple[Any, Any]]]:
    draw = random.Random(seed)

    def two(make: Any) -> tuple[Any, Any]:
        return make(), None if draw.random() < 0.2 else make()

    return [
        {
            "frequency": two(lambda: draw.randrange(2, 30)),
            "intensity": two(lambda: draw.randrange(20, 95)),
            "duration": two(lambda: draw.randrange(2, 30) / 2),
        }
        for _ in range(n)
    ]


@pytest.mark.parametrize(
    ("head", "comma"),
    [
        (
            (
                "Historia",
                "Iniciales",
                "Días con cefalea al mes ({})",
                "Dolor medio EVA 0-100 ({})",
                "Duración en horas ({})",
                ("antes", "después"),
            ),
            True,
        ),
        (
            (
                "Patientencode",
                "Initialen",
                "{}: Kopfschmerztage pro Monat",
                "{}: Schmerz (VAS 0-100)",
                "{}: Kopfschmerzdauer (Std.)",
                ("Vor Behandlung", "12 Wochen nach Behandlung"),
            ),
            True,
        ),
        (
            (
                "Study no.",
                "Initials",
                "Monthly headache days {}",
                "Mean pain (0-100) {}",
                "Headache hours {}",
                ("at baseline", "at follow-up"),
            ),
            False,
        ),
    ],
    ids=["es", "de", "en"],
)
def test_columns_before_and_after(tmp_path: Path, head: tuple[Any, ...], comma: bool) -> None:
    found = draw_pairs(20)
    code, initials, days, pain, length, times = head
    header = [code, initials, *(c.format(t) for c in (days, pain, length) for t in times)]
    rows = []
    for i, one in enumerate(found):
        cells = [as_number(v, comma) for values in one.values() for v in values]
        if i in (3, 7):
            cells[0], cells[2], cells[4] = "99", "999", "99"
            one |= {k: (None, one[k][1]) for k in one}
        rows.append([f"Z{i:03d}", f"{chr(65 + i % 26)}.Q.", *cells])
    paths = [write_table(tmp_path / "out.csv", header, rows, delimiter=";" if comma else ",")]
    scale = {"frequency": 28 / 30.4375, "intensity": 0.1, "duration": 1}
    right = {}
    for what, factor in scale.items():
        n, change = pair(one[what] for one in found)
        right[what] = (n, change * factor)
    made = make(tmp_path, paths)
    hold(made, "primary", right)
    text = (made.folder / "windows.csv").read_text()
    assert ".Q." not in text
    assert "Z00" not in text


@pytest.mark.parametrize(
    ("before", "after", "days"),
    [
        ("{} before", "{} after 12 months", (337, 364)),
        ("{} vor Behandlung", "{} nach 1 Jahr", (337, 364)),
        ("{} vor Behandlung", "12 Wochen nach Behandlung: {}", (56, 83)),
        ("{} basal", "{} a los 6 meses", (155, 182)),
        ("{} antes", "{} después de un año", (337, 364)),
        ("{}_T0", "{}_M6", (155, 182)),
        ("{} baseline", "{} weeks 21-24", (140, 167)),
        ("{} 0 weeks before", "{} 4 weeks after", (0, 27)),
    ],
)
def test_the_page_says_the_time_that_the_export_says(
    tmp_path: Path, before: str, after: str, days: tuple[int, int]
) -> None:
    found = draw_pairs(22)
    names = ("Pain (0-100)",) if "fore" in before or "line" in before else ("VAS 0-100",)
    header = ["ID", *(t.format(n) for n in names for t in (before, after))]
    rows = [(f"Z{i:03d}", *one["intensity"]) for i, one in enumerate(found)]
    made = make(tmp_path, [write_table(tmp_path / "out.csv", header, rows)])
    n, change = pair(one["intensity"] for one in found)
    hold(made, "primary", {"intensity": (n, change / 10)})
    window = config.load_clinic(made.folder).windows.named["post"]
    assert (window.from_, window.to) == days
    assert ("9" in window.label) == (days == (56, 83)), window.label
    assert "# ? " not in (made.folder / "clinic.yaml").read_text("utf-8")


@pytest.mark.parametrize("times", [("vorher", "nach 6 Monaten"), ("before", "12 months after")])
def test_rows_say_their_time(tmp_path: Path, times: tuple[str, str]) -> None:
    rows = [
        (f"Z{i}", when, value)
        for i, one in enumerate(draw_pairs(23))
        for when, value in zip(times, one["intensity"], strict=True)
    ]
    header = ("Patient", "Zeitpunkt", "Schmerz VAS 0-100")
    made = make(tmp_path, [write_table(tmp_path / "out.csv", header, rows)])
    window = config.load_clinic(made.folder).windows.named["post"]
    assert window.to == {"nach 6 Monaten": 182, "12 months after": 364}[times[1]]


LATER = {
    "en": ("{} before", "{} after 12 months", "{} after 3 months", "{} at 6 months"),
    "de": ("{} vor Behandlung", "{} nach 12 Monaten", "{} 3 Monate", "{} nach 6 Monaten"),
    "es": ("{} antes", "{} a los 12 meses", "{} a los 3 meses", "{} después de 6 meses"),
    "codes": ("{}_T0", "{}_M12", "{}_M3", "{}_M6"),
}
SPANS = {"primary": (63, 90), "followup_1": (155, 182), "followup_2": (337, 364)}


def draw_times(seed: int) -> list[list[int | None]]:
    """Draw pain of 0 to 100 before and at 12, 3 and 6 months; some did not answer."""
    draw = random.Random(seed)
    return [
        [draw.randrange(20, 95)]
        + [None if draw.random() < 0.25 else draw.randrange(5, 95) for _ in range(3)]
        for _ in range(30)
    ]


def hold_times(made: Made, people: Sequence[Sequence[int | None]], outcome: str) -> None:
    found, windows = analyse(made), config.load_clinic(made.folder).windows.named
    for comparison, at in {"primary": 2, "followup_1": 3, "followup_2": 1}.items():
        n, change = pair((one[0], one[at]) for one in people)
        assert found[comparison, outcome] == (n, pytest.approx(change / 10, abs=1e-9)), comparison
        window = windows["post" if comparison == "primary" else comparison]
        assert (window.from_, window.to) == SPANS[comparison]


@pytest.mark.parametrize("language", LATER)
def test_several_times_after_treatment_in_columns(tmp_path: Path, language: str) -> None:
    people = draw_times(31)
    header = ["ID", *(text.format("VAS 0-100") for text in LATER[language])]
    rows = [(f"Z{i:03d}", *one) for i, one in enumerate(people)]
    made = make(tmp_path, [write_table(tmp_path / "out.csv", header, rows)])
    assert "# ? " not in (made.folder / "clinic.yaml").read_text("utf-8")
    hold_times(made, people, "intensity")


@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_several_times_after_treatment_in_rows(tmp_path: Path, language: str) -> None:
    people = draw_times(32)
    times = [text.format("").strip() for text in LATER[language]]
    rows = [
        (f"Z{i:03d}", when, value)
        for i, one in enumerate(people)
        for when, value in zip(times, one, strict=True)
        if value is not None
    ]
    random.Random(1).shuffle(rows)
    header = ("Patient", "Zeitpunkt", "Schmerz VAS 0-100")
    made = make(tmp_path, [write_table(tmp_path / "out.csv", header, rows)])
    hold_times(made, people, "intensity")


def test_several_times_are_taken_where_one_outcome_has_them_all(tmp_path: Path) -> None:
    people = draw_times(33)
    pain = [text.format("VAS 0-100") for text in LATER["en"]]

    def write(name: str, *hours: str) -> str:
        rows = [(f"Z{i}", *one, *(one[0:1] * len(hours))) for i, one in enumerate(people)]
        folder = tmp_path / name
        folder.mkdir()
        path = write_table(folder / "out.csv", ("ID", *pain, *hours), rows)
        return (make(folder, [path]).folder / "clinic.yaml").read_text("utf-8")

    text = write("within", "Hours before", "Hours after 12 months")
    assert "{column: duration_after, window: followup_2," in text
    assert "# ? " not in text
    # A time of its own, or none: which window it is, is open.
    assert "\n      - {" not in write("beside", "Hours before", "Hours after 9 months")
    assert "\n      - {" not in write("unsaid", "Hours before", "Hours after")


def test_a_time_that_is_open_is_in_doubt(tmp_path: Path) -> None:
    found = draw_pairs(24)

    def write(pain: tuple[str, str], length: tuple[str, str]) -> tuple[str, set[str]]:
        rows = [(f"Z{i}", *one["intensity"], *one["duration"]) for i, one in enumerate(found)]
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        path = write_table(folder / "out.csv", ("ID", *pain, *length), rows)
        made = make(folder, [path])
        text = (made.folder / "clinic.yaml").read_text("utf-8")
        wide = {line.strip() for line in text.splitlines() if "window:" in line}
        return text, {line for line in wide if not line.startswith("#")}

    hours = ("Hours before", "Hours after")
    text, taken = write(("VAS 0-100 before", "VAS 0-100 after"), hours)
    assert len(taken) == 4
    assert text.count("# ? ") == 2
    assert "weeks 9 to 12" in text
    # Two times cannot be one window, nor can six months be the four weeks before.
    pain = ("VAS 0-100 before", "VAS 0-100 after 6 months")
    assert not write(pain, ("Hours before", "Hours after 12 months"))[1]
    last = max(tmp_path.iterdir(), key=lambda p: int(p.name))
    with pytest.raises(InputError, match="wide"):
        analyse(Made(last / "data/raw/clinics/new", Proposal([], "en"), updated=False))
    _, taken = write(("VAS 0-100 6 months before", "VAS 0-100 6 months after"), hours)
    assert {"duration" in line for line in taken} == {True}


def test_rows_before_and_after(tmp_path: Path) -> None:
    found = draw_pairs(21)
    header = ("Patient", "Zeitpunkt", "Kopfschmerztage (28 Tage)", "Schmerz NRS 0-10")
    rows = []
    for i, one in enumerate(found):
        for k, when in enumerate(("vorher", "nachher")):
            pain = one["intensity"][k]
            days = one["frequency"][k]
            days = None if days is None else min(days, 28)
            one["frequency"] = (*one["frequency"][:k], days, *one["frequency"][k + 1 :])
            rows.append((f"Z{i}", when, days, None if pain is None else round(pain / 10)))
    made = make(tmp_path, [write_table(tmp_path / "out.csv", header, rows)])
    n, change = pair(
        tuple(None if v is None else round(v / 10) for v in one["intensity"]) for one in found
    )
    right = {"frequency": pair(one["frequency"] for one in found), "intensity": (n, change)}
    hold(made, "primary", right)


# ---- FHIR ----------------------------------------------------------------------------------------


def test_fhir_answers_by_the_wording_of_their_items(tmp_path: Path) -> None:
    people = make_people(22, n=14)
    texts = (GERMAN.days, GERMAN.pain, GERMAN.length)
    entries: list[Any] = []
    for p in people:
        name = [{"family": p.surname}]
        entries.append({"resource": {"resourceType": "Patient", "id": p.code, "name": name}})
        for day, answers in p.recall.items():
            items = [
                {"linkId": f"q{i}", "text": texts[i], "answer": [{"valueDecimal": v}]}
                for i, v in enumerate(answers)
                if v is not None
            ]
            when = f"{p.on(day).isoformat()}T10:00:00+01:00"
            entries.append(
                {
                    "resource": {
                        "resourceType": "QuestionnaireResponse",
                        "id": f"{p.code}-{day}",
                        "status": "completed",
                        "subject": {"reference": f"Patient/{p.code}", "display": p.surname},
                        "authored": when,
                        "item": items,
                    }
                }
            )
    document = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    made = make(tmp_path, [write_json(tmp_path / "answers.json", document)])
    hold(made, "visit_recall", count_recall(people))
    hold_no_identifier(made, people)


def test_fhir_observations_and_procedures(tmp_path: Path) -> None:
    people = make_people(27, n=14)
    texts = ("Headache days in the last 28 days", "Pain intensity VAS 0-100", "Usual duration")
    units = ("d", "mm", "h")
    entries = []

    def add(kind: str, p: Person, day: int, key: str, **more: Any) -> None:
        own = {"resourceType": kind, "id": f"{p.code}-{day}-{key}"}
        entries.append({"resource": own | {"subject": {"reference": f"Patient/{p.code}"}} | more})

    for p in people:
        p.recall[-9] = p.recall.pop(0)  # asked nine days before the first treatment
        for day, technique in p.visits.items():
            code = {"text": ENGLISH.techniques[technique]}
            when = p.on(day).isoformat()
            add("Procedure", p, day, "t", status="completed", code=code, performedDateTime=when)
        add("Procedure", p, -20, "n", status="not-done", performedDateTime=p.on(-20).isoformat())
        for day, answers in p.recall.items():
            when = p.on(day).isoformat()
            for i, value in enumerate(answers):
                if value is not None:
                    more = {
                        "code": {"coding": [{"code": f"c{i}", "display": texts[i]}]},
                        "effectiveDateTime": when,
                        "valueQuantity": {"value": value, "unit": units[i]},
                    }
                    add("Observation", p, day, f"o{i}", status="final", **more)
    document = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    made = make(tmp_path, [write_json(tmp_path / "records.json", document)])
    for p in people:
        p.recall[0] = p.recall.pop(-9)
    hold(made, "visit_recall", count_recall(people))


def test_the_latest_version_of_a_resource_counts_and_ids_are_a_persons_own(tmp_path: Path) -> None:
    def answer(who: str, number: int, updated: str, value: int) -> dict[str, Any]:
        return {
            "resource": {
                "resourceType": "QuestionnaireResponse",
                "id": "1",  # two servers count from 1
                "meta": {"lastUpdated": updated},
                "status": "completed",
                "subject": {"reference": f"Patient/{who}"},
                "authored": f"2031-03-0{number}",
                "item": [{"linkId": "days", "answer": [{"valueInteger": value}]}],
            }
        }

    entries = [
        answer("a", 1, "2031-03-02T00:30:00+01:00", 3),
        answer("a", 1, "2031-03-01T23:45:00Z", 4),  # a quarter of an hour later
        answer("b", 2, "2031-03-03T00:00:00Z", 5),
    ]
    document = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    (sheet,), _ = read_files([write_json(tmp_path / "a.json", document)], tmp_path / "scratch")
    at = sheet.header.index("item.days")
    assert [(row[0], row[at]) for row in sheet.rows] == [("a", "4"), ("b", "5")]
    assert sheet.lines == (2, 3)


def test_a_number_that_is_neither_yes_nor_no_is_not_taken_for_a_blank() -> None:
    cells = ["yes"] * 99 + ["no"] * 99 + ["5", "12", "9", "-99", "n/a", ""]
    plain, entry = read_yes_no(Named(0, "headache", "headache", profile(cells)), cells)
    assert plain[-6:] == ["?", "?", "", "", "", ""]
    assert not entry.off


# ---- traps ---------------------------------------------------------------------------------------


def test_visits_missed_other_dates_other_periods_and_other_pains(tmp_path: Path) -> None:
    people = make_people(28, n=16)
    header = ("Initials", "Entry ID", "Patient code", "Date of visit", "Status", "Treatment")
    header += ("Headache days in the last 28", "Headache days in the last 3 months")
    header += ("Worst pain 0-100", "Usual pain 0-100", "Pain today 0-10", "Usual hours")
    header += ("Next appointment", "Invoice date")
    rows: list[tuple[Any, ...]] = []
    for p in people:
        short = f"{p.surname[0]}.A."
        missed = (p.on(-12), "no show", "DN", *[""] * 6, p.on(0), p.on(0))
        rows.append((short, len(rows), p.code, *missed))
        for d, technique in p.visits.items():
            days, pain, hours = p.recall.get(d, (None, None, None))
            months = None if days is None else 3 * days
            worst = None if pain is None else min(100, pain + 9)
            seen = (p.on(d), "attended", ENGLISH.techniques[technique])
            asked = (days, months, worst, pain, 5, hours)
            rows.append((short, len(rows), p.code, *seen, *asked, p.on(d + 7), p.on(d + 1)))
    path = write_table(tmp_path / "log.csv", header, rows)
    hold(make(tmp_path, [path]), "visit_recall", count_recall(people))


def test_initials_alone_say_whose_no_row_is(tmp_path: Path) -> None:
    people = make_people(28, n=16)
    rows = [(f"{p.surname[0]}.A.", p.on(d), "DN", 9) for p in people for d in p.visits]
    header = ("Initials", "Date", "Treatment", "Headache days/28")
    with pytest.raises(InputError, match="initials"):
        make(tmp_path, [write_table(tmp_path / "log.csv", header, rows)])


def test_words_for_severity_say_that_there_was_a_headache(tmp_path: Path) -> None:
    people = make_people(29, n=16)
    paths = write_diary(tmp_path, people, replace(ENGLISH, encoding="utf-8"))
    words = ("None", "mild", "moderate", "severe")
    rows = [
        (p.code, p.on(n), "" if d.headache is None else words[(d.pain or 0) // 4 + d.headache])
        for p in people
        for n, d in p.diary.items()
    ]
    write_table(paths[0], ("Patient ID", "Date", "Headache"), rows)
    made = make(tmp_path, paths)
    hold(made, "primary", {"frequency": count_diary(people)["frequency"]})


def test_zeros_that_a_workbook_dropped_part_nobody(tmp_path: Path) -> None:
    people = make_people(30, n=14, codes="00{}")
    diary = [(p.code, p.on(n), d.headache) for p in people for n, d in p.diary.items()]
    visits = [(int(p.code), as_moment(p.on(d)), "DN") for p in people for d in p.visits]
    paths = [
        write_table(tmp_path / "diary.csv", ("ID", "Date", "Headache"), diary),
        write_book(tmp_path / "v.xlsx", {"v": [("ID", "Date", "Treatment"), *visits]}),
    ]
    hold(make(tmp_path, paths), "primary", {"frequency": count_diary(people)["frequency"]})


@pytest.mark.parametrize("marks", [("k.A.", "k.A.", "k.A."), (-9, 888, 88), (99, 999, 99)])
def test_what_means_no_answer_is_no_number(tmp_path: Path, marks: tuple[Any, ...]) -> None:
    people = make_people(31)
    rows = []
    for p in people:
        for d in p.visits:
            asked = p.recall.get(d, ("", "", ""))
            answers = [mark if v is None else v for v, mark in zip(asked, marks, strict=True)]
            rows.append((p.code, p.on(d), "MT", *answers))
    header = ("ID", "Datum", "Behandlung", "Kopfschmerztage (28 Tage)", "VAS 0-100", "Stunden")
    path = write_table(tmp_path / "log.csv", header, rows)
    hold(make(tmp_path, [path]), "visit_recall", count_recall(people))


def test_what_hardly_anybody_wrote_is_no_code(tmp_path: Path) -> None:
    people = make_people(24)
    first = people[0]
    header = (
        "ID",
        "Date",
        "Treatment\a",
        "Headache days\u2028in the last 28 days",
        "Mary Quillmarsh",
    )
    rows = []
    for p in people:
        for d, technique in p.visits.items():
            told = "massage of A. Quillmarsh" if p is first and d == 0 else f"{technique}\a"
            rows.append((p.code, p.on(d), told, p.recall.get(d, (None,))[0], "x"))
    made = make(tmp_path, [write_table(tmp_path / "log.csv", header, rows)])
    hold(made, "visit_recall", {"frequency": count_recall(people)["frequency"]})
    written = "".join(p.read_text("utf-8") for p in made.folder.iterdir())
    assert "Quillmarsh" not in written
    assert "Quillmarsh" not in "\n".join(write_made(made))
    sessions = pd.read_csv(made.folder / "sessions.csv")
    assert set(sessions["technique"]) == {"manual", "dry_needling", "wet_needling", "acupuncture"}


# ---- units, doubts -------------------------------------------------------------------------------


def rename(style: Style, **names: str) -> Style:
    return replace(style, **names)


@pytest.mark.parametrize(
    ("names", "left_out"),
    [
        ({"days": "Kopfschmerztage"}, "frequency"),
        ({"days": "Kopfschmerztage in den letzten 3 Monaten"}, "frequency"),
        ({"pain": "Schmerz (0-10)"}, "intensity"),
    ],
)
def test_what_is_in_doubt_is_left_out(
    tmp_path: Path, names: Mapping[str, str], left_out: str
) -> None:
    people = make_people(23)
    style = rename(GERMAN, **names)
    made = make(tmp_path, [write_sessions(tmp_path, people, style)])
    right = count_recall(people)
    found = analyse(made)
    assert ("visit_recall", left_out) not in found
    assert "# ? " in (made.folder / "clinic.yaml").read_text(encoding="utf-8")
    hold(made, "visit_recall", {k: v for k, v in right.items() if k != left_out})


def test_a_doubt_is_settled_by_taking_the_mark_away(tmp_path: Path) -> None:
    people = make_people(23)
    style = rename(GERMAN, days="Kopfschmerztage")
    path = write_sessions(tmp_path, people, style)
    made = make(tmp_path, [path])
    settings = made.folder / "clinic.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("# headache_days_28:", "headache_days_28:"), "utf-8")
    hold(made, "visit_recall", count_recall(people))
    again = make(tmp_path, [path])
    assert again.updated
    hold(again, "visit_recall", count_recall(people))


def test_the_unit_is_asked_for(tmp_path: Path) -> None:
    people = make_people(23)
    style = rename(GERMAN, days="Kopfschmerztage")
    made = make(
        tmp_path,
        [write_sessions(tmp_path, people, style)],
        lambda question, answers: "days_per_28" if "days_per_28" in answers else None,
    )
    hold(made, "visit_recall", count_recall(people))


# ---- the next export -----------------------------------------------------------------------------


def test_next_months_export_keeps_codes_and_settings(tmp_path: Path) -> None:
    people = make_people(24)
    first = make(tmp_path, [write_sessions(tmp_path, people[:20], SPANISH)])
    settings = first.folder / "clinic.yaml"
    settings.write_text(settings.read_text("utf-8") + "condition: '1.1'\n", "utf-8")
    edited = settings.read_text("utf-8")
    before = pd.read_csv(first.folder / "sessions.csv", dtype=str)
    second = make(tmp_path, [write_sessions(tmp_path, people, SPANISH, seed=8)])
    assert second.updated
    assert settings.read_text("utf-8") == edited
    after = pd.read_csv(second.folder / "sessions.csv", dtype=str)
    keys = ["patient_id", "day"]
    merged = before[keys].merge(after[keys], on=keys)
    assert len(merged) == len(before) < len(after)
    assert any('"new"' in change for change in second.changes)
    hold(second, "visit_recall", count_recall(people))


def test_an_export_that_lacks_what_was_there_is_refused(tmp_path: Path) -> None:
    people = make_people(24)
    made = make(tmp_path, [write_sessions(tmp_path, people, SPANISH)])
    before = (made.folder / "sessions.csv").read_bytes()
    for p in people:
        p.visits = {d: t for d, t in p.visits.items() if d > 30}
    with pytest.raises(InputError, match="records_lost"):
        make(tmp_path, [write_sessions(tmp_path, people, SPANISH)])
    assert (made.folder / "sessions.csv").read_bytes() == before


def test_a_folder_of_somebody_elses_making_stays(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "raw" / "clinics" / "new"
    folder.mkdir(parents=True)
    (folder / "clinic.yaml").write_text("id: new\n")
    path = write_sessions(tmp_path, make_people(24), SPANISH)
    with pytest.raises(ConfigError, match="new/ already exists"):
        make(tmp_path, [path])
    assert [p.name for p in folder.iterdir()] == ["clinic.yaml"]


def test_another_secret_makes_other_codes(tmp_path: Path) -> None:
    people = make_people(25)
    path = write_sessions(tmp_path, people, SPANISH)
    codes = []
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        made = make(tmp_path / place, [path])
        codes.append(set(pd.read_csv(made.folder / "sessions.csv")["patient_id"]))
    assert not codes[0] & codes[1]
    secret = tmp_path / "a" / "data" / ".headway" / "secret"
    assert secret.stat().st_mode & 0o077 == 0
