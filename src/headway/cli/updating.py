"""`headway update`: a review's results of today beside those of an older run."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from headway.cli.arguments import Command, Subparsers, add_cores, add_places
from headway.cli.places import Source, locate_own
from headway.cli.screen import say, show, working
from headway.cli.workflow import read_state, run_for, tell
from headway.errors import InputError, Problem, RefusedError
from headway.messages import LANGUAGES, Message, speaking

PAGE, TABLE, FIGURES = "update.html", "changes.csv", "update"


def update(
    named: Path,
    against: Path | None,
    keep: bool,
    data: Path | None,
    results: Path | None,
    cores: str,
    language: str,
) -> int:
    """Build a review, hold it against an older run, and keep today's results where asked to."""
    from headway.reviews.kept import find_kept, read_results

    source = locate_own("trials", named, data, results)
    folder = _find_older(source, against, keep, find_kept(source.place.data, source.name))
    # Said before the workflow runs for nothing.
    older = None if folder is None else read_results(folder, source.name)
    code = run_for(source, cores)
    _refuse_refused(source)
    if code or not source.page.is_file():
        return tell(source, code)
    if folder is not None and older is not None:
        with working(say("command.writing")):
            lines, page = _write(source, folder, language)
        show((line, "") for line in lines)
        print(page)
    if keep:
        _keep(source)
    return 0


def _find_older(source: Source, against: Path | None, keep: bool, kept: list[Path]) -> Path | None:
    """Choose the older folder: the one that was named, or the last that was kept.

    Raises
    ------
    InputError
        Where there is none, or it is the folder that the build writes into.
    """
    line = f"headway update {source.name} --keep"
    if against is None and not kept and not keep:
        remedy = Message("remedy.run", line=line)
        place = (source.place.data / "kept" / source.name).as_posix()
        problem = Problem(place, "nothing_kept", "problem.nothing_kept", remedy=remedy)
        raise InputError(Message("failure.no_update", name=source.name), [problem])
    if against is None:
        return kept[-1] if kept else None
    if against.resolve() == source.page.parent.resolve():
        remedy = Message("remedy.keep_before", line=line)
        problem = Problem(str(against), "is_today", "problem.older_is_today", remedy=remedy)
        raise InputError(Message("failure.no_update", name=source.name), [problem])
    return against


def _refuse_refused(source: Source) -> None:
    """Refuse to compare where today's review is refused: its tables are empty."""
    if read_state(source) == "refused":
        remedy = Message("remedy.run", line=f"headway check {source.name}")
        problem = Problem(source.name, "refused", "problem.refused_today", remedy=remedy)
        raise RefusedError(Message("failure.no_update", name=source.name), [problem])


def _write(source: Source, folder: Path, language: str) -> tuple[list[str], Path]:
    """Write page, table and figures beside the review's page; returns its first sentences."""
    from headway.config import load_yaml
    from headway.figures import theme
    from headway.figures.review.draw import save_review
    from headway.report import update as report
    from headway.reviews.kept import read_results, refuse_stranger
    from headway.reviews.update import compare_results
    from headway.tables import replacing_folder, write_csv, write_text
    from headway.version import describe

    made = source.page.parent
    before = read_results(folder, source.name)
    after = read_results(made, source.name)
    after = replace(after, settings=load_yaml(source.folder / "review.yaml"), version=describe())
    refuse_stranger(before, source.name, set(after.tables["pooled"]["comparison"]), folder)
    found = report.Update(before, after, compare_results(before, after))
    with speaking(language):
        with replacing_folder(made) as part:
            saved = save_review(report.draw(found), part / FIGURES)
            write_csv(found.changes, part / TABLE)
            write_text(report.build(found, saved), part / PAGE)
        theme.remove_others(made / FIGURES, {drawn.id for drawn in saved})
    return report.write_sentences(found), made / PAGE


def _keep(source: Source) -> None:
    """Keep today's results, unless the last that were kept say the same."""
    from datetime import date

    from headway.config import load_yaml
    from headway.errors import UserError
    from headway.reviews.kept import find_kept, keep_results, read_results
    from headway.reviews.update import compare_results, has_news
    from headway.version import describe

    made, data = source.page.parent, source.place.data
    after = replace(
        read_results(made, source.name), settings=load_yaml(source.folder / "review.yaml")
    )
    for last in find_kept(data, source.name)[-1:]:
        with suppress(UserError):
            if not has_news(compare_results(read_results(last, source.name), after)):
                print(say("update.not_kept", folder=last.as_posix()))
                return
    day = date.today().isoformat()
    folder = keep_results(made, source.folder, data, day, describe())
    print(say("update.kept", folder=folder.as_posix()))


def add(commands: Subparsers) -> None:
    """Describe the command."""
    one = Command(
        commands,
        "update",
        "say what changed in a review since an older run",
        (
            "headway update my_review --keep",
            "headway update my_review",
            "headway update my_review --against ../2030/results/trials/my_review",
        ),
        "It builds the review and writes results/trials/NAME/update.html: trials that came, went "
        "or changed, and what moved. It exits with 0 whether or not anything changed.",
    )
    one.add_source("review", "a review: its name, or its folder", "trials")
    one.parser.add_argument(
        "--against",
        type=Path,
        metavar="FOLDER",
        help="results of an older run (default: the last that were kept)",
    )
    one.parser.add_argument(
        "--keep", action="store_true", help="keep today's results in data/kept/NAME/DATE"
    )
    one.parser.add_argument(
        "--language", choices=LANGUAGES, default="en", help="of the page (default: %(default)s)"
    )
    add_places(one.parser)
    add_cores(one.parser)
    one.does(lambda o: update(o.review, o.against, o.keep, o.data, o.results, o.cores, o.language))
