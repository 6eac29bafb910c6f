"""`headway check`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from headway.cli.arguments import Command, Subparsers, add_data
from headway.cli.places import Source, find_place, locate
from headway.cli.screen import say, show, working
from headway.errors import UserError


def check(named: Path, data: Path | None, as_json: bool = False) -> int:
    """Say what a build would make of a clinic or a review, and refuse what it would refuse."""
    from headway.report import check as checking

    source: Source | None = None
    try:
        source = locate(named, data)
    except UserError as error:
        found = checking.Checked(named.name, error)
    else:
        with working(say("command.reading")):
            found = checking.check_folder(source.folder)
    if as_json:
        print(json.dumps(found.as_dict(), indent=1))
        return found.exit_code
    build, again = _name_commands(named, data, source, found.review)
    show(checking.write_lines(found), sys.stdout)
    show(checking.write_problems(found), sys.stderr)
    show(checking.write_verdict(found, build, again), sys.stdout)
    return found.exit_code


def _name_commands(
    named: Path, data: Path | None, source: Source | None, review: bool
) -> tuple[str, str]:
    """Write the lines to type next: the build of the source, and this check again."""
    where = "" if data in (None, Path("data")) else f" --data {data}"
    command = "reproduce" if review else "audit"
    name = named.name if source is None else source.name
    if source is not None and not where:
        here = find_place(None).data.resolve()
        # From here the name alone would not find it.
        name = name if source.place.data.resolve() == here else str(named)
    return f"headway {command} {name}{where}", f"headway check {named}{where}"


def add(commands: Subparsers) -> None:
    """Describe the command."""
    one = Command(
        commands,
        "check",
        "say what a build would make of a clinic or review",
        (
            "headway check mine",
            "headway check data/raw/trials/my_review",
            "headway check mine --json",
        ),
        "Nothing is written. Every problem is named in one run, with the line that mends it.",
    )
    one.add_source("folder", "a clinic or review: its name, or its folder")
    add_data(one.parser)
    one.parser.add_argument("--json", action="store_true", help="one JSON document, for programs")
    one.does(lambda o: check(o.folder, o.data, o.json), private=True)
