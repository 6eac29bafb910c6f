"""What is read from small files stays what it was, until somebody means to change it.

That it is right is held by other tests, many of them slow. Here each file of the fuzzer's corpus,
and exports in three languages, go the way that commands take: what is proposed, what the gate and
the reader make of it, with every reason. Another secret than a clinic's own makes the codes.
`tests/golden/write_stored.py` writes the answers.
"""

from __future__ import annotations

import json
import lzma
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import time, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from headway import config, tables
from headway.errors import UserError
from headway.ingest import clinics
from headway.ingest.adapters import folder as imported
from headway.ingest.adapters import forms
from headway.ingest.adapters.exchange import ImportedRows
from headway.ingest.adapters.metafor import write_metafor
from headway.ingest.adapters.revman_export import write_revman
from headway.ingest.gate import checksums, content
from headway.ingest.gate import texts as gate_texts
from headway.ingest.gate.columns import Cells, make_cells
from headway.ingest.gate.content import Kind
from headway.ingest.gate.fold import fold
from headway.ingest.gate.names import find_in_column_name
from headway.ingest.proposals import propose
from headway.ingest.proposals.measures import Ask
from headway.ingest.proposals.published import make_review
from headway.ingest.proposals.write import Proposal, write_yaml
from headway.ingest.trials import read_review
from tests.fuzz_targets import SECRET, list_corpus
from tests.golden.test_stored import MADE_UP, REMEDY, REVIEWS, STORED, assert_close_texts
from tests.golden.test_stored import stored as review_answers
from tests.unit.exports_builder import (
    STYLES,
    as_moment,
    make_people,
    write_book,
    write_diary,
    write_sessions,
    write_table,
)
from tests.unit.test_cochrane import count, write_rm5, write_sheet
from tests.unit.test_interchange import DECIDED, OLD, WEB, put
from tests.unit.test_new_clinic import LATER, draw_times, write_attacks, write_months, write_redcap

Texts = dict[str, str]


def unasked(question: str, answers: Sequence[str]) -> None:
    """Leave every question open."""


def take_first(question: str, answers: Sequence[str]) -> str:
    """Answer every question by its first answer."""
    return answers[0]


def list_texts(folder: Path) -> Texts:
    """List the files of a folder as text."""
    texts = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        stored = path.suffix == ".parquet"
        text = tables.read_parquet(path).to_csv(index=False) if stored else path.read_text("utf-8")
        texts[path.relative_to(folder).as_posix()] = text
    return texts


def take_exports(paths: Sequence[Path], folder: Path, ask: Ask = unasked) -> Texts:
    """Propose a clinic of exports, and read it through the gate."""
    proposal: Proposal = propose(paths, SECRET, "made_up", ask)
    own = folder / "made_up"
    own.mkdir()
    settings = write_yaml(proposal, "made_up", "internal")
    (own / "clinic.yaml").write_text(settings, encoding="utf-8")
    for table in proposal.tables:
        (own / f"{table.kind}.csv").write_text(table.as_csv(), encoding="utf-8")
    dropped = "\n".join(map(str, (*proposal.dropped, *proposal.notes)))
    account = clinics.ingest_clinic(own, config.load_clinic(own), folder / "read")
    texts = {f"proposed/{k}": v for k, v in list_texts(own).items()} | {"dropped": dropped}
    texts["account"] = "\n".join(map(str, account.as_flow()))
    return texts | {f"read/{k}": v for k, v in list_texts(folder / "read").items()}


def take_files(names: Sequence[str], data: bytes, folder: Path, ask: Ask) -> Texts:
    """Take a file as exports of these names; an empty page parts what belongs to each."""
    paths = [folder / name for name in names]
    parts = data.split(b"\f") if len(names) > 1 else [data]
    for path, part in zip(paths, parts, strict=True):
        path.write_bytes(part)
    return take_exports(paths, folder, ask)


def take_table(data: bytes, folder: Path, ask: Ask) -> Texts:
    """Make a review of a table of trials, and read its trials."""
    (folder / "trials.csv").write_bytes(data)
    made = make_review(folder / "trials.csv", "made_up", folder, ask)
    return list_texts(made.folder) | tell_trials(made.folder)


def take_rm5(data: bytes, folder: Path, ask: Ask) -> Texts:
    """Import a file of RevMan, and read its trials."""
    (folder / "review.rm5").write_bytes(data)
    own = folder / "review"
    imported.write_folder(forms.read_file(folder / "review.rm5", {}), own, source="review.rm5")
    return list_texts(own) | tell_trials(own)


def tell_trials(folder: Path) -> Texts:
    found = read_review(folder, config.load_review(folder))
    frames = {name: getattr(found, name) for name in ("arms", "contrasts", "published")}
    return {name: frame.to_csv(index=False) for name, frame in frames.items()}


def take_yaml(data: bytes, folder: Path, ask: Ask) -> Texts:
    """Read settings."""
    texts = {}
    folder = folder / "made_up"
    folder.mkdir()
    for name, load in (("clinic.yaml", config.load_clinic), ("review.yaml", config.load_review)):
        (folder / name).write_bytes(data)
        try:
            texts[name] = str(load(folder))
        except UserError as error:
            texts[name] = str(error)
    return texts


def take_language(language: str, kind: str, folder: Path, ask: Ask) -> Texts:
    people = make_people(7, 6)
    if kind == "sessions":
        return take_exports([write_sessions(folder, people, STYLES[language])], folder, ask)
    return take_exports(write_diary(folder, people, STYLES[language]), folder, ask)


def take_import(write: Callable[[Path], Path], folder: Path, ask: Ask) -> Texts:
    """Import a file of a review that a function writes."""
    path = write(folder)
    own = folder / "review"
    imported.write_folder(forms.read_file(path, {}), own, source=path.name)
    return list_texts(own) | tell_trials(own)


def take_shape(write: Callable[[Path], list[Path]], folder: Path, ask: Ask) -> Texts:
    """Take exports that a function writes."""
    return take_exports(write(folder), folder, ask)


def write_two_logs(folder: Path) -> list[Path]:
    """Write the sessions of six people in two files, whose columns stand otherwise."""
    paths = []
    for part in (0, 1):
        (folder / str(part)).mkdir()
        people = make_people(8, 6)[part::2]
        paths.append(write_sessions(folder / str(part), people, STYLES["en"], seed=part))
    return paths


def write_typed_book(folder: Path) -> list[Path]:
    """Write a workbook of patients, visits and a diary, with dates, times, numbers and truths."""
    people, s = make_people(9, 6), STYLES["es"]
    visits = [
        (p.code, as_moment(p.on(d)), s.techniques[t]) for p in people for d, t in p.visits.items()
    ]
    diary = [
        (
            p.code,
            as_moment(p.on(n)),
            bool(d.headache),
            d.pain,
            time(8, 30),
            timedelta(hours=d.hours or 0),
        )
        for p in people
        for n, d in p.diary.items()
    ]
    sheets: dict[str, list[Sequence[Any]]] = {
        "Pacientes": [(s.code, s.surname, s.sex), *((p.code, p.surname, "M") for p in people)],
        "Visitas": [("Registro", None, None), (s.code, s.visit, s.treatment), *visits],
        "Diario": [(s.code, s.day, s.headache, s.worst, "Inicio", s.hours), *diary],
        "Leyenda": [("sigla", "significado"), ("PS", "punción seca")],
    }
    return [write_book(folder / "libro.xlsx", sheets)]


def write_columns(folder: Path) -> list[Path]:
    """Write pain before and at three later times as columns, and days before and after."""
    head = ("ID", *(text.format("VAS 0-100") for text in LATER["en"]), "Days before", "Days after")
    rows = [(f"Z{i:03d}", *one, 20 - i, 12 - i % 5) for i, one in enumerate(draw_times(34)[:12])]
    return [write_table(folder / "out.csv", head, rows)]


def write_rows(folder: Path) -> Path:
    """Write data rows as RevMan exports them, with what it shows of each."""
    rows: list[dict[str, object]] = [
        count("T1", 3, 20, 5, 21) | {"Subgroup": "One"},
        count("T2", 8, 40, 12, 39) | {"Subgroup": "Two"},
        count("T3", 0, 15, 2, 16) | {"Subgroup": "Two"},
    ]
    return write_sheet(folder, rows)


# Rows as metafor holds them, of a user's own: with and without names, measures and effects.
OWN = """\
study,outcome,comparison,label,measure,m1i,sd1i,n1i,m2i,sd2i,n2i,ai,bi,ci,di,yi,vi,year
Abel 2001,days,main,Headache days,MD,8.1,4.2,20,10.0,5,21,,,,,,,2001
Bode 2003,days,main,Headache days,MD,7.5,4,20,8.2,4.5,20,,,,,,,2003
Cole 2010,response,more,,RR,,,,,,,12,8,6,15,,,2010
Dahl 2011,response,more,,RR,,,,,,,0,20,3,18,,,2011
Eder 2012,days,,,SMD,,,,,,,,,,,-0.4,0.04,2012
,days,main,,MD,1,1,10,1,1,10,,,,,,,
Falk 2013,days,main,,MD,x,1,10,1,1,10,,,,,,,2013
"""


SHAPES: dict[str, Callable[[Path], list[Path]]] = {
    "attacks": lambda folder: write_attacks(
        folder, make_people(11, 6), end="%Y-%m-%d %H:%M", style="en"
    )[0],
    "calendar": lambda folder: write_months(folder, make_people(16, 6), ("x", "-")),
    "columns": write_columns,
    "labels": lambda folder: [write_redcap(folder, make_people(14, 6), labels=True)],
    "raw": lambda folder: [write_redcap(folder, make_people(14, 6), labels=False)],
    "two logs": write_two_logs,
    "workbook": write_typed_book,
}


TAKE: dict[str, Callable[[bytes, Path, Ask], Texts]] = {
    "csv": partial(take_files, ["export.csv"]),
    "fhir": partial(take_files, ["export.ndjson"]),
    "redcap": partial(take_files, ["export.csv", "dictionary.csv"]),
    "rm5": take_rm5,
    "table": take_table,
    "xlsx": partial(take_files, ["export.xlsx"]),
    "yaml": take_yaml,
}


# 0 stands for a digit, A for a letter.
FORMS = (
    *("000-0000", "00000", "0000 00", "+49 30 000000", "+49 (0)170 0000000", "0171/0000000"),
    *(
        "030 0000000",
        "(030) 000000",
        "06-00000000",
        "06 00 00 00 00",
        "600 00 00 00",
        "91 000 00 00",
    ),
    *("555-000-0000", "(212) 000-0000", "call 00000", "tel 000000", "fax: 0000 0000", "00-0000-00"),
    *("00.00.2021", "0/00/21", "00-00-00", "2021-00-00", "0. May 2021", "May 0, 2021", "0 de mayo"),
    *("seit 0.00.", "00.00.", "00000-000-00", "aged 00", "0 years old", "00 J.", "age: 000", "9A"),
    *(
        "000 mg",
        "0.0 ml",
        "0000-0",
        "A.000@A.com",
        "A at A dot de",
        "www.A0.de/A",
        "A0.example",
        "@A0",
    ),
    *("00.000.0.00", "0.0.0.0", "192.168.00.0", "fe80::00", "00:1A:00:00:AB:00", "SN-0000AA00"),
    *(
        "000-00-0000",
        "MRN 000000",
        "Nr. 00000",
        "No 00000/00",
        "A-00000",
        "AA 00 AA 000",
        "AA-AA 000",
    ),
    *("00.000000, 0.000000", "00° 00' N", "A0000.jpg", "DSC_0000", "00 Main Street", "A-Straße 00"),
    *(
        "SW0A 0AA",
        "00000 A",
        "00000-000",
        "0000 AB",
        "A Müller",
        "Mr A",
        "Frau Dr. A",
        "A, A",
        "O'A",
    ),
)
HEADINGS = (
    *(
        "Name",
        "patient name",
        "surname of the patient",
        "Vorname",
        "apellido",
        "DOB",
        "geb.",
        "e-mail",
    ),
    *(
        "phone no",
        "Telefonnummer",
        "IP",
        "ip address",
        "zip",
        "PLZ",
        "address",
        "room number",
        "ID",
    ),
    *(
        "patient id",
        "Fallnummer",
        "drug name",
        "file name",
        "instrument_name",
        "test date",
        "datum",
    ),
    *("headache days", "pain 0-10", "age", "year of birth", "MRN", "insurance no", "Kassennummer"),
    *(
        "remarks",
        "therapist",
        "therapist name",
        "medication",
        "Straße",
        "occupation",
        "photo",
        "url",
    ),
)
NUMBERS = (
    *("000000000", "0000000000", "00000000000", "000000000000", "0000000000000", "000000000000000"),
    *("0000000000000000", "00000000A", "X0000000A", "A000000000", "A0000000A0", "AAAAAA00A00A000A"),
    *(
        "756.0000.0000.00",
        "000.000.000-00",
        "00.00.00-000.00",
        "00 000000 A 000",
        "00-000000-000000-0",
    ),
    *("DE00 0000 0000 0000 0000 00", "GB00 AAAA 0000 0000 0000 00", "1 00 00 00 000 000 00"),
    *(
        "4000 0000 0000 0000",
        "3000-000000-00000",
        "AAA00AAA000000000",
        "00000000 0 AA0",
        "00/00000000/00",
    ),
)


def fill(form: str, draw: random.Random) -> str:
    """Put digits and letters into a form."""
    letters = draw.choice(("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    held = {"0": "0123456789", "A": letters}
    return "".join(draw.choice(held[c]) if c in held else c for c in form)


def judge_texts(folder: Path, ask: Ask) -> Texts:
    """Ask the gate which rules texts break, and which numbers pass their check digits."""
    draw = random.Random(20261201)
    texts = [fill(form, draw) for form in FORMS for _ in range(6)]
    told = [f"{text}: {gate_texts.find_in_text(text)}" for text in texts]
    numbers = [fold(fill(form, draw)) for form in NUMBERS for _ in range(1500)]
    passed = [
        f"{check.rule} {check.form.pattern}: {list(filter(check.passes, own))}"
        for check in checksums._CHECKS
        for own in [list(filter(check.form.fullmatch, numbers))]
    ]
    headings = [f"{name}: {find_in_column_name(name)}" for name in HEADINGS]
    columns = []
    for form in FORMS:
        for name in ("code", "notes", "ort", "latitude", "postal code", "icd"):
            filled = Counter(fill(form, draw) for _ in range(12))
            broken = sorted(content.judge(make_column(filled), Kind(name)).items())
            columns.append(f"{name}, {form}: {broken}")
    told_of = {"texts": told, "numbers": passed, "headings": headings, "columns": columns}
    return {name: "\n".join(lines) for name, lines in told_of.items()}


def make_column(filled: Mapping[str, int]) -> Cells:
    """Make a column of these cells, of which each stands there so many times."""
    texts = [n for cell, n in filled.items() if not cell.isdigit()]
    return Cells(make_cells(filled.items()), len(texts), sum(texts))


def take_rows(text: str, folder: Path, ask: Ask) -> Texts:
    """Import rows of RevMan or metafor, with what they leave open decided."""
    found = forms.read_file(put(folder, text), DECIDED)
    return tell_imported(found)


def tell_imported(found: ImportedRows) -> Texts:
    texts = {name: getattr(found, name).to_csv(index=False) for name in ("arms", "contrasts")}
    texts |= {name: str(getattr(found, name)) for name in ("outcomes", "comparisons")}
    return texts | {"problems": "\n".join(map(str, found.problems))}


def take_effects(name: str, folder: Path, ask: Ask) -> Texts:
    """Write a review's stored effects for metafor and RevMan, and import them again."""
    effects = review_answers(name)["tables"]["effects"]
    write_metafor(effects, folder / "metafor.csv")
    problems = write_revman(effects, folder / "revman.csv")
    texts = list_texts(folder) | {"problems": "\n".join(map(str, problems))}
    for file in ("metafor", "revman"):
        found = forms.read_file(folder / f"{file}.csv", DECIDED)
        texts |= {f"{file}/{part}": text for part, text in tell_imported(found).items()}
    return texts


def list_cases() -> dict[str, Callable[[Path, Ask], Texts]]:
    """List what is read, by name."""
    cases: dict[str, Callable[[Path, Ask], Texts]] = {}
    for kind, take in TAKE.items():
        for path in list_corpus(kind):
            # Every settings file of the project has the same name.
            name = f"{kind}/{path.parent.name}/{path.name}"
            cases[name] = partial(take, path.read_bytes())
    cases["gate"] = judge_texts
    cases |= {f"rows/{i}": partial(take_rows, text) for i, text in enumerate((OLD, WEB, OWN))}
    cases |= {f"effects/{name}": partial(take_effects, name) for name in (MADE_UP, REVIEWS[0])}
    cases |= {f"shape/{name}": partial(take_shape, write) for name, write in SHAPES.items()}
    cases |= {f"import/{w.__name__}": partial(take_import, w) for w in (write_rm5, write_rows)}
    for language in STYLES:
        for kind in ("sessions", "diary"):
            cases[f"{language}/{kind}"] = partial(take_language, language, kind)
    return cases


CASES = list_cases()


def answer(take: Callable[[Path, Ask], Texts]) -> Texts:
    """Read what a function takes; where it is refused, say why, and give the first answers."""
    refused: Texts = {}
    for ask in (unasked, take_first):
        with TemporaryDirectory() as place:
            try:
                return refused | take(Path(place), ask)
            except UserError as error:
                refused[ask.__name__] = str(error)
    return refused


def read(name: str) -> Texts:
    """Read one case."""
    return answer(CASES[name])


def stored() -> dict[str, Any]:
    """Return the stored answers."""
    document: dict[str, Any] = json.loads(
        lzma.decompress((STORED / "readings.json.xz").read_bytes())
    )
    return document


def test_every_file_has_an_answer() -> None:
    assert set(stored()) == set(CASES), REMEDY


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_read_as_it_was(name: str) -> None:
    found, kept = read(name), stored()[name]
    assert set(found) == set(kept), REMEDY
    for part, text in kept.items():
        if name.startswith(("effects/", "rows/")):  # computed
            assert_close_texts(found[part].splitlines(), text.splitlines(), part)
        else:
            assert found[part] == text, f"{part}: {REMEDY}"
