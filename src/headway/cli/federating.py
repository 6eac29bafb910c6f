"""The commands of a registry: export and federate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headway.cli.arguments import Command, Subparsers, add_places, add_results
from headway.cli.clinics import read_draft
from headway.cli.places import find_place, locate_own
from headway.cli.screen import say, show, working
from headway.errors import InputError, RefusedError
from headway.messages import LANGUAGES, speaking

REGISTRY = "registry"


def export(
    named: Path, alias: str | None, to: Path | None, data: Path | None, results: Path | None
) -> int:
    """Release a clinic's draft, and write the summary that other clinics may have."""
    from headway.federation.summary import SOURCES, write_summary
    from headway.report.clinic import summary
    from headway.tables import read_csv, write_text

    summary.check_alias(alias)
    source = locate_own("clinics", named, data, results)
    with working(say("command.releasing")):
        draft = read_draft(source)
        folder = summary.find_released(*draft)
        released = {table: read_csv(table, folder / f"{table}.csv") for table in SOURCES}
        found = summary.summarise(draft[0], released, alias)
    path = to or source.place.results / "clinics" / source.name / summary.NAME
    if path.is_dir() or not path.suffix:
        path = path / f"{found['clinic']['id']}.json"
    write_text(write_summary(found), path)
    told = found["disclosure"]
    places = {"outcomes": len(found["outcomes"]), "preset": told["preset"]}
    print(say("command.exported", n=len(told["withheld"]), **places))
    print(path)
    return 0


def federate(
    paths: Sequence[Path], definitions_of: str | None, results: Path | None, language: str
) -> int:
    """Pool clinics' summaries; one that is refused is named, and ends in 13."""
    from headway.federation.pooling import build_registry
    from headway.federation.reading import find_files, hold_together, read_summaries
    from headway.report import registry as report

    folder = find_place(None, results).results / REGISTRY
    with working(say("command.pooling")):
        files = find_files(paths, folder)
        offered = hold_together(read_summaries(files), definitions_of)
        problems = [problem for one in offered for problem in one.problems]
        if not any(one.usable for one in offered):
            raise InputError("failure.no_summaries", problems)
        registry = build_registry(offered)
        with speaking(language):
            page = report.write(registry, offered, dict(files), folder)
            sentences = report.write_sentences(registry)
    show((line, "") for line in sentences)
    print(page)
    if problems:
        raise RefusedError("failure.summaries_refused", problems)
    return 0


def add(commands: Subparsers) -> None:
    """Describe the commands."""
    one = Command(
        commands,
        "export",
        "write the summary of a clinic that a registry may have",
        ("headway export mine", "headway export mine --as clinic_a --to summaries"),
        "It releases the draft as `headway release` does, and writes means, standard deviations "
        "and numbers of people of that release into one small JSON file: no record, and nothing "
        "that the release did not print.",
    )
    one.add_source("clinic", "a clinic that was audited or built: its name, or folder", "clinics")
    one.parser.add_argument(
        "--as", dest="alias", metavar="NAME", help="pseudonym in place of the clinic's name"
    )
    one.parser.add_argument(
        "--to",
        type=Path,
        metavar="PATH",
        help="file or folder (default: results/clinics/CLINIC/summary.json)",
    )
    add_places(one.parser)
    one.does(lambda o: export(o.clinic, o.alias, o.to, o.data, o.results), private=True)

    two = Command(
        commands,
        "federate",
        "pool the summaries of several clinics",
        ("headway federate summaries", "headway federate summaries --definitions-of clinic_a"),
        "Each clinic writes its summary with `headway export`; records stay where they are. Page, "
        "tables and figures go to results/registry. A summary that is broken, changed, there "
        "twice or defined otherwise is refused by name.",
    )
    two.parser.add_argument(
        "paths", type=Path, nargs="+", metavar="PATH", help="folder with summaries, or files"
    )
    two.parser.add_argument(
        "--definitions-of",
        metavar="CLINIC",
        help="where definitions differ, pool the clinics that agree with this one",
    )
    add_results(two.parser)
    two.parser.add_argument(
        "--language", choices=LANGUAGES, default="en", help="of the page (default: %(default)s)"
    )
    two.does(lambda o: federate(o.paths, o.definitions_of, o.results, o.language))
