"""What is read from small files stays what it was, until somebody means to change it.

That it is right is held by other tests, many of them slow. Here each file of the fuzzer's corpus,
and exports in three languages, go the way that commands take: what is proposed, what the gate and
the reader make of it, with every reason. Another secret than a clinic's own makes the codes.
`tests/golden/write_stored.py` writes the answers.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Sequence
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
from headway.ingest.proposals import propose
from headway.ingest.proposals.measures import Ask
from headway.ingest.proposals.published import make_review
from headway.ingest.proposals.write import Proposal, write_yaml
from headway.ingest.trials import read_review
from tests.fuzz_targets import SECRET, list_corpus
from tests.golden.test_stored import REMEDY, STORED
from tests.unit.exports_builder import STYLES, make_people, write_diary, write_sessions

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
    for path, content in zip(paths, parts, strict=True):
        path.write_bytes(content)
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


TAKE: dict[str, Callable[[bytes, Path, Ask], Texts]] = {
    "csv": partial(take_files, ["export.csv"]),
    "fhir": partial(take_files, ["export.ndjson"]),
    "redcap": partial(take_files, ["export.csv", "dictionary.csv"]),
    "rm5": take_rm5,
    "table": take_table,
    "xlsx": partial(take_files, ["export.xlsx"]),
    "yaml": take_yaml,
}


def list_cases() -> dict[str, Callable[[Path, Ask], Texts]]:
    """List what is read, by name."""
    cases: dict[str, Callable[[Path, Ask], Texts]] = {}
    for kind, take in TAKE.items():
        for path in list_corpus(kind):
            # Every settings file of the project has the same name.
            name = f"{kind}/{path.parent.name}/{path.name}"
            cases[name] = partial(take, path.read_bytes())
    for language in STYLES:
        for kind in ("sessions", "diary"):
            cases[f"{language}/{kind}"] = partial(take_language, language, kind)
    return cases


CASES = list_cases()


def read(name: str) -> Texts:
    """Read one case; where it is refused, say why, and read it with the first of the answers."""
    refused: Texts = {}
    for ask in (unasked, take_first):
        with TemporaryDirectory() as place:
            try:
                return refused | CASES[name](Path(place), ask)
            except UserError as error:
                refused[ask.__name__] = str(error)
    return refused


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
        assert found[part] == text, f"{part}: {REMEDY}"
