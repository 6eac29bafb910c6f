"""The commands for published trials: new-review, import, transcribe, reproduce, manuscript."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from headway.cli.arguments import Command, Subparsers, add_cores, add_data, add_places
from headway.cli.checking import check
from headway.cli.places import Place, find_place, locate, locate_own, refuse_elsewhere
from headway.cli.prompt import ask, leave_open
from headway.cli.screen import say, show, working
from headway.cli.workflow import run_for, run_workflow, tell
from headway.errors import ConfigError, InputError, Problem
from headway.messages import LANGUAGES


def new_review(what: str, name: str | None, data: Path | None, yes: bool) -> int:
    """Make a review of a table of trials and check it, or write a commented template."""
    from headway.ingest.template import check_name, write_template

    if Path(what).is_file() or Path(what).suffix:
        return _propose_review(Path(what), name, data, yes)
    if name is not None:
        problem = Problem(what, "missing_file", "problem.not_there", remedy="remedy.file_name")
        raise InputError("failure.file_missing", [problem])
    check_name(what)
    folder = find_place(data).data / "raw" / "trials" / what
    for path in write_template(folder):
        print(path)
    print(say("command.type_the_trials", name=what))
    print(say("command.git_ignores"))
    return 0


def _propose_review(path: Path, name: str | None, data: Path | None, yes: bool) -> int:
    from headway.ingest.proposals.published import make_review, name_review
    from headway.report.proposed import write_made_review

    name = name or name_review(path)
    with working(say("command.reading")):
        made = make_review(path, name, find_place(data).data, leave_open if yes else ask)
    for line in write_made_review(made):
        print(line, flush=True)
    return check(Path("trials") / name, data)


def import_rows(
    file: Path, name: str, program: str, given: Sequence[str], data: Path | None
) -> int:
    """Make a review's folder from another program's rows; a bad row is named and ends in 12."""
    from headway.ingest.adapters import folder, forms
    from headway.ingest.template import check_name
    from headway.report.imported import write_doubts, write_summary

    check_name(name)
    pairs = [text.partition("=") for text in given]
    if any(not mark for _, mark, _ in pairs):
        raise InputError("failure.set_takes")
    target = find_place(data).data / "raw" / "trials" / name
    with working(say("command.reading")):
        rows = forms.read_file(file, {key: value for key, _, value in pairs}, program)
        written = folder.write_folder(rows, target, source=file.name)
    for path in written:
        print(path)
    print(say("command.imported", n=rows.rows_in, kept=rows.rows_kept, reported=rows.rows_reported))
    if rows.undecided:
        print(say("command.undecided", names=list(rows.undecided)))
    for line in (*write_doubts(rows), *write_summary(rows)):
        print(line)
    if rows.problems:
        raise InputError("failure.rows_not_taken", rows.problems)
    return 0


def transcribe(named: Path, file: Path | None, data: Path | None, language: str) -> int:
    """Make the sheet on which two people read figures; if it is filled, enter what they agree on.

    What is not settled is named, and ends in 12.
    """
    from headway import config
    from headway.ingest import transcription
    from headway.ingest.trials.figures import check_figures, count_minutes, list_rows

    source = locate(named, data, kinds=("trials", "clinics"))
    if source.kind == "clinics":
        refuse_elsewhere(source, "trials")
    review = config.load_review(source.folder)
    problems = check_figures(review)
    if not list_rows(review):
        what = ("review.yaml", "no_figures", "problem.no_figures")
        problems.append(Problem(*what, remedy="remedy.no_figures"))
    if problems:
        raise ConfigError("failure.transcription", problems)
    if file is not None and not file.is_file():
        problem = Problem(str(file), "missing_file", "problem.not_there", remedy="remedy.file_name")
        raise InputError("failure.file_missing", [problem])
    sheet = file or source.folder / transcription.NAME
    with working(say("command.reading")):
        reading = transcription.read_entries(sheet, review) if sheet.is_file() else None
    if reading is None or (file is None and not reading.filled):
        cells, minutes = count_minutes(review)
        transcription.write_sheet(review, sheet, language)
        print(sheet)
        of = {"cells": cells, "minutes": minutes, "seconds": review.transcribe.seconds}
        print(say("command.sheet_made", **of, command=f"headway transcribe {named}"))
        return 0
    found = transcription.enter(source.folder, review, reading)
    print(say("checked.cells_read", **reading.counts()))
    print(say("command.rows_entered", n=found.rows, of=found.of))
    for name in found.files:
        print(source.folder / name)
    if not found.files:
        print(say("command.nothing_changed"))
    if found.rows and source.kind:
        print(say("remedy.run", line=f"headway reproduce {named}"))
    if found.problems:
        raise InputError("failure.cells_not_taken", found.problems)
    return 0


def reproduce(
    named: Path,
    out: Path,
    data: Path | None,
    results: Path | None,
    cores: str,
    figures: bool,
) -> int:
    """Judge the printed results of a review, or of every file and review below a folder."""
    if named.is_dir() and not (named / "review.yaml").is_file():
        return _reproduce_library(named, out, cores, figures)
    source = locate_own("trials", named, data, results)
    return tell(source, run_for(source, cores))


def _reproduce_library(folder: Path, out: Path, cores: str, figures: bool) -> int:
    """Judge the stored totals of every file and review below a folder: one table, one page."""
    from headway.report.library import write_sentences
    from headway.reviews.library import import_sources, list_sources
    from headway.tables import read_csv

    if folder.resolve() == out.resolve():
        problem = Problem(
            str(out), "same_folder", "problem.results_in_library", remedy="remedy.results_elsewhere"
        )
        raise ConfigError("failure.results_in_library", [problem])
    sources = list_sources(folder, out)
    print(say("command.library", folder=str(folder), n=len(sources)), flush=True)
    place = Place(folder, out)
    code = run_workflow(place, cores, snakefile="workflow/reproduce.smk")
    if code == 0:
        files = read_csv("library_files", out / "library_files.csv")
        show((line, "") for line in write_sentences(files))
        print(out / "index.html")
    if code or not figures:
        return code
    made, faults = import_sources(sources, out)
    for fault in faults:
        print(f"headway: {fault}", file=sys.stderr)
    chosen = [name for name in sources if (made / "raw" / "trials" / name).is_dir()]
    words = f"trials=[{','.join(chosen)}]", "clinics=[]", "notebooks=False"
    return run_workflow(Place(made, out / "reviews"), cores, *words) if chosen else 0


def manuscript(
    named: Path, data: Path | None, results: Path | None, cores: str, language: str | None
) -> int:
    """Build a review, and write the folder that goes to a journal beside its page."""
    source = locate_own("trials", named, data, results)
    # Said before the workflow runs for nothing.
    import docx  # noqa: F401
    import pypdf  # noqa: F401

    from headway.report.manuscript.folder import FOLDER

    code = run_for(source, cores, f"manuscripts={language or 'own'}")
    folder = source.page.parent / FOLDER
    if code or not folder.is_dir():
        return tell(source, code)
    print(folder)
    return 0


def add(commands: Subparsers) -> None:
    """Describe the commands."""
    one = Command(
        commands,
        "new-review",
        "make a review of a table of trials, or write a commented template",
        (
            "headway new-review trials.xlsx --name my_review",
            "headway new-review my_review",
        ),
        "Of a table (CSV or workbook, one row for each arm or for each trial) it proposes the "
        "columns, the measure and the comparisons; review.yaml gives the reason of each line and "
        "marks what is in doubt with `# ?`. With a name alone it writes an empty template.",
    )
    one.parser.add_argument("what", metavar="FILE|NAME", help="a table of trials, or a name")
    one.parser.add_argument(
        "--name", help="of the review (default: the file's, in lower-case letters)"
    )
    one.parser.add_argument("--yes", action="store_true", help="ask nothing; doubts stay marked")
    add_data(one.parser)
    one.does(lambda o: new_review(o.what, o.name, o.data, o.yes))

    two = Command(
        commands,
        "import",
        "make a review of another program's rows",
        (
            "headway import cochrane.rm5 my_review",
            "headway import effects.csv my_review --from metafor --set unit=days_per_28",
        ),
        "It reads RevMan's .rm5, Cochrane's data packages and rows, and columns of metafor.",
    )
    two.parser.add_argument("file", type=Path, help=".rm5, data package, or a table of rows")
    two.parser.add_argument(
        "name", help="of the new review: lower-case letters, digits, underscores"
    )
    two.parser.add_argument(
        "--from",
        dest="program",
        choices=("revman", "metafor"),
        default="",
        help="where the file does not tell: RevMan's rows, or metafor's columns",
    )
    two.parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="what the file does not hold, such as unit=days_per_28",
    )
    add_data(two.parser)
    two.does(lambda o: import_rows(o.file, o.name, o.program, o.set, o.data))

    _add_transcribe(commands)
    three = Command(
        commands,
        "reproduce",
        "say whether printed totals follow from their rows",
        ("headway reproduce my_review", "headway reproduce library --out results/library"),
        "Of a review it builds the page; of a folder of files (.rm5, packages, sheets) and reviews "
        "it makes one table and one page.",
    )
    three.add_source("folder", "a review (its name or folder), or a folder of many", "trials")
    three.parser.add_argument(
        "--out",
        type=Path,
        default=Path("results/library"),
        metavar="DIR",
        help="results of a folder of many (default: %(default)s)",
    )
    three.parser.add_argument(
        "--figures", action="store_true", help="of a folder of many: a page with figures for each"
    )
    add_places(three.parser)
    add_cores(three.parser)
    three.does(lambda o: reproduce(o.folder, o.out, o.data, o.results, o.cores, o.figures))

    four = Command(
        commands,
        "manuscript",
        "write the files that a journal asks for, of a review",
        ("headway manuscript my_review", "headway manuscript my_review --language de"),
        "It builds the review and writes results/trials/NAME/manuscript: Word tables, a methods "
        "paragraph, figures at the width of a journal's columns, references, data, R script.",
    )
    four.add_source("review", "a review: its name, or its folder", "trials")
    four.parser.add_argument(
        "--language",
        choices=LANGUAGES,
        help="of tables, text and figures (default: the review's own); names stay as typed",
    )
    add_places(four.parser)
    add_cores(four.parser)
    four.does(lambda o: manuscript(o.review, o.data, o.results, o.cores, o.language))


def _add_transcribe(commands: Subparsers) -> None:
    one = Command(
        commands,
        "transcribe",
        "let two people read figures, and enter what both read alike",
        (
            "headway transcribe my_review",
            "headway transcribe my_review --from filled.xlsx",
        ),
        "It makes transcription.xlsx beside review.yaml, with a line for each cell that "
        "`transcribe` in review.yaml asks for. Once the sheet is filled, the same command says "
        "where the two agree, and those rows enter the review as `transcribed`.",
    )
    one.add_source("review", "a review: its name, or its folder", "trials")
    one.parser.add_argument(
        "--from", dest="file", type=Path, metavar="FILE", help="a filled sheet that is elsewhere"
    )
    one.parser.add_argument(
        "--language",
        choices=LANGUAGES,
        default="en",
        help="of an empty sheet (default: %(default)s)",
    )
    add_data(one.parser)
    one.does(lambda o: transcribe(o.review, o.file, o.data, o.language))
