"""Write docs/commands.md, the reference of the command line: python tools/commands_doc.py."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from headway.cli import parser
from headway.cli.program import EXIT_CODES

HEAD = """\
# Commands

What `headway COMMAND --help` says, written from the same source (`python tools/commands_doc.py`; a
test holds the page against it). A clinic or a review is named by its name or by its folder. By name
it is found below `data/raw` of the current folder, or of the nearest folder above it; a folder may
stand anywhere, and its data and results are then those that it stands in. Where a clinic and a
review share a name, `clinics/NAME` and `trials/NAME` tell them apart.

Messages go to standard error and results to standard output, in UTF-8. Colours and a sign of life
are shown at a terminal only, and no colours where `NO_COLOR` is set. Ctrl-C ends a command; what it
was writing is removed.
"""
COMPLETION = """
## Completion

Shells complete commands, options and the names of clinics and reviews after one line in their
start-up file (argcomplete, which is installed with Headway):

| shell | line |
|---|---|
| bash, zsh | `eval "$(register-python-argcomplete headway)"` |
| fish | `register-python-argcomplete --shell fish headway \\| source` |
"""


def list_commands() -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """List the commands: name, help and parser, in the order of the help."""
    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for shown in action._choices_actions:
                yield shown.dest, str(shown.help), action.choices[shown.dest]


def describe(command: argparse.ArgumentParser) -> Iterator[str]:
    """List the rows of a command's table of arguments."""
    for action in command._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        names = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
        if action.option_strings and value and action.nargs != 0:
            names = f"{names} {value}"
        said = (action.help or "") % {"default": action.default}
        yield "| " + " | ".join(f.replace("|", "\\|") for f in (f"`{names}`", said)) + " |\n"


def write() -> str:
    """Make the page."""
    os.environ["COLUMNS"] = "80"
    out = [HEAD, "\n| command | what it does |\n|---|---|\n"]
    out += [f"| [`{name}`](#{name}) | {said} |\n" for name, said, _ in list_commands()]
    for name, _, command in list_commands():
        about = " ".join(str(command.description).split())
        examples = "\n".join(command.get_default("examples"))
        out.append(f"\n## {name}\n\n{about}\n\n```sh\n{examples}\n```\n\n")
        out.append("| argument | meaning |\n|---|---|\n")
        out += describe(command)
    out.append("\n## Exit codes\n\n| code | meaning |\n|---|---|\n")
    out += [f"| {code} | {said} |\n" for code, said in EXIT_CODES.items()]
    out.append(COMPLETION)
    return "".join(out)


if __name__ == "__main__":
    page = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
    page.write_text(write(), encoding="utf-8")
