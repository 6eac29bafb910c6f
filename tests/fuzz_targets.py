"""What a fuzzer calls: one function for each kind of file that people bring.

Each takes the bytes of a file and reads it as a command would. Whatever they are, the file is read,
or refused by a `UserError` that says what to do; nothing else may come out. `benchmarks/fuzz.py`
searches; `tests/property/test_fuzz_corpus.py` tries what it found again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from headway import config
from headway.errors import UserError

CORPUS = Path(__file__).with_name("fuzz")
RAW = Path(__file__).parents[1] / "data" / "raw"
# Files of the project that a search starts from, too.
SEEDS = {
    "rm5": [Path(__file__).with_name("golden") / "made_up_1.rm5"],
    "yaml": [*sorted(RAW.glob("clinics/*/clinic.yaml")), *sorted(RAW.glob("trials/*/review.yaml"))],
}
SECRET = bytes(32)


def _propose(data: bytes, name: str, *beside: tuple[str, bytes]) -> None:
    from headway.ingest.proposals import propose
    from headway.ingest.proposals.write import write_yaml

    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for file, content in ((name, data), *beside):
            path = Path(folder, file)
            path.write_bytes(content)
            paths.append(path)
        try:
            proposal = propose(paths, SECRET, "fuzzed", lambda question, answers: None)
        except UserError:
            return
        # What was proposed is a clinic.yaml that loads, whatever the export holds.
        own = Path(folder, "fuzzed")
        own.mkdir()
        (own / "clinic.yaml").write_text(write_yaml(proposal, "fuzzed", "internal"), "utf-8")
        config.load_clinic(own)
        for table in proposal.tables:
            table.as_csv()


def read_csv(data: bytes) -> None:
    """Read a clinic's export as `headway new-clinic` does."""
    _propose(data, "export.csv")


def read_xlsx(data: bytes) -> None:
    """Read a workbook of a clinic."""
    _propose(data, "export.xlsx")


def read_redcap(data: bytes) -> None:
    """Read an export of REDCap with its data dictionary, which stand apart by an empty page."""
    export, _, dictionary = data.partition(b"\f")
    _propose(export, "export.csv", ("dictionary.csv", dictionary))


def read_fhir(data: bytes) -> None:
    """Read resources of FHIR, as a bundle or one in each line."""
    _propose(data, "export.ndjson" if data[:1] != b"[" else "export.json")


def read_rm5(data: bytes) -> None:
    """Read a file of RevMan as `headway import` does, and write the review that it makes."""
    from headway.ingest.adapters import folder as review
    from headway.ingest.adapters import forms

    with tempfile.TemporaryDirectory() as folder, suppress(UserError):
        path = Path(folder, "review.rm5")
        path.write_bytes(data)
        review.write_folder(forms.read_file(path, {}), Path(folder, "review"), source=path.name)
        config.load_review(Path(folder, "review"))


def read_table(data: bytes) -> None:
    """Read a table of trials as `headway new-review` does."""
    from headway.ingest.proposals.published import make_review

    with tempfile.TemporaryDirectory() as folder, suppress(UserError):
        path = Path(folder, "trials.csv")
        path.write_bytes(data)
        make_review(path, "fuzzed", Path(folder), lambda question, answers: None)


def read_yaml(data: bytes) -> None:
    """Read the same text as clinic.yaml and as review.yaml."""
    with tempfile.TemporaryDirectory() as folder:
        for name, load in (
            ("clinic.yaml", config.load_clinic),
            ("review.yaml", config.load_review),
        ):
            Path(folder, name).write_bytes(data)
            with suppress(UserError):
                load(Path(folder))


def list_corpus(target: str) -> list[Path]:
    """List the files that a target's search starts from, and those that it found."""
    own = (CORPUS / target).glob("*")
    return [*SEEDS.get(target, []), *sorted(own)]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "csv": read_csv,
    "fhir": read_fhir,
    "redcap": read_redcap,
    "rm5": read_rm5,
    "table": read_table,
    "xlsx": read_xlsx,
    "yaml": read_yaml,
}
