"""The command line: `headway new-clinic | check | audit | import | reproduce | release | …`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import headway
from headway.errors import (
    MACHINE_EXIT_CODE,
    ConfigError,
    InputError,
    MissingPackageError,
    UserError,
    describe_fault,
    naming_the_extra,
)
from headway.version import describe

if TYPE_CHECKING:
    from headway.report import check as checking


def find_folder(named: Path, data_dir: Path) -> Path:
    """Take a folder as it is, or find the clinic or review of that name below `data_dir`/raw.

    Raises
    ------
    ConfigError
        If there is neither.
    """
    if named.is_dir():
        return named
    # `clinics/NAME` tells a clinic from a review of the same name.
    for kind in ("clinics", "trials", ""):
        folder = data_dir / "raw" / kind / named
        if folder.is_dir():
            return folder
    raise ConfigError(f"there is no folder, clinic or review called '{named}'")


def check(named: Path, data_dir: Path, as_json: bool) -> int:
    """Say what a build would make of a clinic or a review, and refuse what it would refuse."""
    from headway.report import check as checking

    try:
        folder = find_folder(named, data_dir)
    except UserError as error:
        found = checking.Checked(named.name, error)
    else:
        found = checking.check_folder(folder)
    if as_json:
        print(json.dumps(found.as_dict(), indent=1))
        return found.exit_code
    where = "" if data_dir == Path("data") else f" --data {data_dir}"
    build = "build" if found.review else f"audit {found.name}"
    again = f"headway check {named}{where}"
    verdict = checking.write_verdict(found, f"headway {build}{where}", again)
    _show(checking.write_lines(found), sys.stdout)
    _show(checking.write_problems(found), sys.stderr)
    _show(verdict, sys.stdout)
    return found.exit_code


def _show(paragraphs: Iterable[checking.Paragraph], stream: TextIO) -> None:
    """Print paragraphs: in colour and folded at a terminal, as they are elsewhere."""
    from headway.report import check as checking
    from headway.tables import printable

    coloured = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size().columns
    for words, colour in paragraphs:
        # A column's name is the clinic's own, and no command to a terminal.
        paragraph = printable(words), colour
        text = checking.dress(paragraph, width, coloured) if stream.isatty() else paragraph[0]
        print(text, file=stream, flush=True)


def simulate(folder: Path, patients: int, seed: int, scenario: str) -> int:
    """Write a synthetic clinic's files, its clinic.yaml and the truth behind them."""
    from headway.simulate import simulate_clinic, write_clinic, write_settings

    if patients < 1:
        raise InputError("--patients must be at least 1")
    simulated = simulate_clinic(n_patients=patients, seed=seed, scenario=scenario)
    write_clinic(simulated, folder, truth=True)
    if not write_settings(simulated, folder):
        print(f"{folder}: clinic.yaml was there and stays as it is")
    print(f"{folder}: {patients} people, scenario {scenario}, seed {seed}")
    return 0


def list_scenarios() -> int:
    """Print the scenarios of the simulator."""
    from headway.simulate import scenarios

    for name, description in scenarios().items():
        print(f"{name}: {description}")
    return 0


def find_workflow() -> Path:
    """Find the folder of the Snakefile: this checkout's, or the copy that a wheel carries."""
    package = Path(__file__).resolve().parent
    checkout = package.parents[1]
    return checkout if (checkout / "Snakefile").is_file() else package / "_workflow"


def run_workflow(
    data_dir: Path, results_dir: Path, cores: str, *settings: str, snakefile: str = "Snakefile"
) -> int:
    """Run the workflow in the current folder, where it keeps its logs and its own notes.

    Raises
    ------
    MissingPackageError
        If Snakemake is not installed.
    """
    from importlib.util import find_spec

    if find_spec("snakemake") is None:
        raise MissingPackageError("snakemake")
    home = find_workflow()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(home / snakefile)]
    command += ["--workflow-profile", str(home / "profiles" / "default"), "--cores", cores]
    # Names that are no default's are given in full: Snakemake takes a folder 2026 for a number.
    for name, place in (("data", data_dir), ("results", results_dir)):
        settings += (f"{name}_dir={place if place == Path(name) else place.resolve()}",)
    command += ["--config", *settings]
    return subprocess.run(command, check=False).returncode


def audit(data_dir: Path, results_dir: Path, clinic: str, cores: str) -> int:
    """Run the workflow for one clinic below `data_dir`/raw/clinics."""
    only = (f"clinics={json.dumps([clinic])}", "trials=[]", "notebooks=False")
    code = run_workflow(data_dir, results_dir, cores, *only)
    if code == 0:
        print(results_dir / "clinics" / clinic / "audit.html")
    return code


def build(data_dir: Path, results_dir: Path, cores: str) -> int:
    """Run the workflow for everything below `data_dir`/raw; notebooks where their extra is."""
    from importlib.util import find_spec

    settings = () if find_spec("nbclient") else ("notebooks=False",)
    code = run_workflow(data_dir, results_dir, cores, *settings)
    if code == 0:
        print(results_dir / "index.html")
    return code


def new_clinic(
    paths: Sequence[Path], name: str, data_dir: Path, disclosure: str | None, yes: bool
) -> int:
    """Make or update a clinic's folder from its exports, and check it."""
    from headway.ingest.proposals import make_clinic
    from headway.report.proposed import write_made

    made = make_clinic(paths, name, data_dir, disclosure, _leave_open if yes else _ask)
    for line in write_made(made):
        print(line, flush=True)
    return check(Path("clinics") / name, data_dir, as_json=False)


def _leave_open(question: str, answers: Sequence[str]) -> None:
    """Answer nothing."""


def _ask(question: str, answers: Sequence[str]) -> str | None:
    """Ask at the prompt; None where nothing is answered or nobody is there."""
    from headway.messages import Message, say_in_english

    print(say_in_english(question))
    for number, answer in enumerate(answers, start=1):
        print(f"  {number}  {answer}")
    prompt = say_in_english(Message("proposal.ask_number", n=len(answers)))
    while True:
        try:
            typed = input(f"{prompt}: ").strip()
        except EOFError:
            return None
        if not typed:
            return None
        if typed in answers:
            return typed
        if typed.isdigit() and 1 <= int(typed) <= len(answers):
            return answers[int(typed) - 1]


def release(data_dir: Path, results_dir: Path, clinic: str) -> int:
    """Release a clinic's draft, held against its earlier releases."""
    from headway.ingest.clinics.people import sign_people
    from headway.report.clinic import release as releasing
    from headway.tables import RELEASED, read_csv
    from headway.tables.private import read_secret

    name = find_folder(Path("clinics") / clinic, data_dir).name
    made = releasing.find_draft(name, data_dir, results_dir)
    draft = {table: read_csv(table, made / f"{table}.csv") for table in RELEASED}
    people = sign_people(made, read_secret(data_dir))
    folder, new = releasing.release(made, data_dir, results_dir, draft, people)
    print(folder if new else f"{folder} (released before; written again as it was)")
    return 0


def new_review(name: str, data_dir: Path) -> int:
    """Write a commented template of a review below `data_dir`/raw/trials."""
    from headway.ingest.template import check_name, write_template

    check_name(name)
    for path in write_template(data_dir / "raw" / "trials" / name):
        print(path)
    print("type the trials, then: headway check, headway build")
    print("Git ignores the folder until you add it -f")
    return 0


def import_rows(file: Path, name: str, program: str, given: Sequence[str], data_dir: Path) -> int:
    """Make a review's folder from another program's rows; a bad row is named and ends in 12."""
    from headway.ingest.adapters import folder, forms
    from headway.ingest.template import check_name
    from headway.report.imported import write_doubts, write_summary

    check_name(name)
    pairs = [text.partition("=") for text in given]
    if any(not mark for _, mark, _ in pairs):
        raise InputError("--set takes column=value, such as --set unit=days_per_28")
    rows = forms.read_file(file, {key: value for key, _, value in pairs}, program)
    for path in folder.write_folder(rows, data_dir / "raw" / "trials" / name, source=file.name):
        print(path)
    print(f"{rows.rows_in} rows: {rows.rows_kept} kept, {rows.rows_reported} reported")
    if rows.undecided:
        print(f"still to decide, with --set or by hand: {', '.join(rows.undecided)}")
    for line in (*write_doubts(rows), *write_summary(rows)):
        print(line)
    if rows.problems:
        raise InputError("these rows were not taken", rows.problems)
    return 0


def reproduce(folder: Path, out: Path, cores: str, figures: bool) -> int:
    """Judge the stored totals of every file and review below a folder: one table, one page."""
    from headway.reviews.library import import_sources, list_sources

    if not folder.is_dir():
        raise ConfigError(f"there is no folder called '{folder}'")
    if folder.resolve() == out.resolve():
        raise ConfigError("the results need a folder of their own: --out")
    sources = list_sources(folder, out)
    print(f"files and reviews below {folder}: {len(sources)}", flush=True)
    code = run_workflow(folder, out, cores, snakefile="workflow/reproduce.smk")
    if code == 0:
        print(out / "index.html")
    if code or not figures:
        return code
    data, faults = import_sources(sources, out)
    for fault in faults:
        print(f"headway: {fault}", file=sys.stderr)
    chosen = [name for name in sources if (data / "raw" / "trials" / name).is_dir()]
    words = f"trials=[{','.join(chosen)}]", "clinics=[]", "notebooks=False"
    return run_workflow(data, out / "reviews", cores, *words) if chosen else 0


def parser() -> argparse.ArgumentParser:
    """Describe the commands; each says by `run` what carries it out."""
    top = argparse.ArgumentParser(prog="headway", description=headway.__doc__)
    top.add_argument("--version", action="version", version=f"headway {describe()}")
    commands = top.add_subparsers(dest="command", required=True)
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, default=Path("data"), help="folder with raw/")
    runs = argparse.ArgumentParser(add_help=False, parents=[data])
    runs.add_argument("--results", type=Path, default=Path("results"))
    runs.add_argument("--cores", default="all")

    one = commands.add_parser(
        "check", parents=[data], help="what a build would make of a clinic or review"
    )
    one.add_argument("folder", type=Path, help="a clinic or review: its folder, or its name")
    one.add_argument("--json", action="store_true", help="one JSON document, for programs")
    one.set_defaults(run=lambda o: check(o.folder, o.data, o.json), private=True)
    two = commands.add_parser("simulate", help="write a synthetic clinic")
    two.add_argument("folder", type=Path, nargs="?", help="folder to write; without it: the list")
    two.add_argument("--patients", type=int, default=120)
    two.add_argument("--seed", type=int, default=20260101)
    two.add_argument("--scenario", default="real_effect", help="without a folder they are listed")
    two.set_defaults(
        run=lambda o: (
            simulate(o.folder, o.patients, o.seed, o.scenario) if o.folder else list_scenarios()
        )
    )
    three = commands.add_parser("audit", parents=[runs], help="run the workflow for one clinic")
    three.add_argument("clinic", help="name of the folder below raw/clinics")
    three.set_defaults(run=lambda o: audit(o.data, o.results, o.clinic, o.cores))
    four = commands.add_parser("build", parents=[runs], help="run the workflow for all sources")
    four.set_defaults(run=lambda o: build(o.data, o.results, o.cores))
    five = commands.add_parser(
        "new-review", parents=[data], help="write a commented template of a review"
    )
    five.add_argument("name", help="small letters, digits and underscores")
    five.set_defaults(run=lambda o: new_review(o.name, o.data))
    seven = commands.add_parser(
        "new-clinic", parents=[data], help="make a clinic from its exports, or update it"
    )
    seven.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="exported files")
    seven.add_argument("--name", required=True, help="small letters, digits and underscores")
    seven.add_argument("--yes", action="store_true", help="ask nothing; doubts stay marked")
    presets = ("opensafely", "cms", "nhs", "internal", "public")
    seven.add_argument("--disclosure", choices=presets, help="without it opensafely")
    seven.set_defaults(
        run=lambda o: new_clinic(o.paths, o.name, o.data, o.disclosure, o.yes), private=True
    )
    six = commands.add_parser(
        "import", parents=[data], help="make a review from another program's rows"
    )
    six.add_argument("file", type=Path, help=".rm5, data package, or a table of rows")
    six.add_argument("name", help="name of the new review")
    six.add_argument(
        "--from",
        dest="program",
        choices=("revman", "metafor"),
        default="",
        help="where the file does not tell: RevMan's rows, or metafor's columns",
    )
    six.add_argument("--set", action="append", default=[], metavar="COLUMN=VALUE")
    six.set_defaults(run=lambda o: import_rows(o.file, o.name, o.program, o.set, o.data))
    seven = commands.add_parser(
        "reproduce", help="do the stored totals of a folder of reviews follow from their rows?"
    )
    seven.add_argument("folder", type=Path, help=".rm5, packages, sheets, or review folders")
    seven.add_argument("--out", type=Path, default=Path("results/library"))
    seven.add_argument("--cores", default="all")
    seven.add_argument("--figures", action="store_true", help="also a page with figures for each")
    seven.set_defaults(run=lambda o: reproduce(o.folder, o.out, o.cores, o.figures))
    nine = commands.add_parser("release", parents=[data], help="release a clinic's draft")
    nine.add_argument("clinic", help="name of a clinic that was audited or built")
    nine.add_argument("--results", type=Path, default=Path("results"))
    nine.set_defaults(run=lambda o: release(o.data, o.results, o.clinic), private=True)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; a user's error is printed without a traceback, with its own exit code."""
    options = parser().parse_args(arguments)
    try:
        with naming_the_extra():
            return int(options.run(options))
    except UserError as error:
        print(f"headway: {error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        fault = describe_fault(error)
        if fault:
            print(f"headway: the machine could not go on: {fault}", file=sys.stderr)
            return MACHINE_EXIT_CODE
        if not getattr(options, "private", False):
            raise
        # The error's own message may repeat a cell of a clinic.
        frames = "".join(traceback.format_tb(error.__traceback__))
        print(f"{frames}{type(error).__name__}\nheadway: this is a bug", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
