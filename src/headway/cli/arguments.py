"""What the commands share: how they are described, their options, and names that complete."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from headway.cli.places import SETTINGS, find_place

_WIDTH = 80
Subparsers = Any  # argparse has no public name for what add_subparsers returns


class Command:
    """A command being described: its help, examples, arguments and what carries it out."""

    def __init__(
        self, commands: Subparsers, name: str, help: str, examples: Sequence[str], about: str = ""
    ) -> None:
        shown = "\n".join(f"  {line}" for line in examples)
        title = "example" if len(examples) == 1 else "examples"
        self.examples = tuple(examples)
        self.parser: argparse.ArgumentParser = commands.add_parser(
            name,
            help=help,
            description=_fill(f"{help[:1].upper()}{help[1:]}. {about}"),
            epilog=f"{title}:\n{shown}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.parser.set_defaults(examples=self.examples)

    def add_source(self, name: str, help: str, *kinds: str, nargs: str | None = None) -> None:
        """Add the argument that names a clinic or a review; its names complete."""
        more: dict[str, Any] = {} if nargs is None else {"nargs": nargs}
        action: Any = self.parser.add_argument(name, type=Path, help=help, **more)
        action.completer = complete_sources(kinds or tuple(SETTINGS))

    def does(self, run: Callable[[argparse.Namespace], int], *, private: bool = False) -> None:
        """Say what carries it out; a bug of a `private` one is told without its own words."""
        self.parser.set_defaults(run=run, private=private)


def complete_sources(kinds: Sequence[str]) -> Callable[..., list[str]]:
    """Make what lists the names of clinics and reviews for a shell's completion."""

    def complete(
        prefix: str, parsed_args: argparse.Namespace | None = None, **_: object
    ) -> list[str]:
        raw = find_place(getattr(parsed_args, "data", None)).data / "raw"
        return sorted(
            path.name
            for kind in kinds
            for path in (raw / kind).glob("*")
            if path.name.startswith(prefix) and (path / SETTINGS[kind]).is_file()
        )

    return complete


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add --data."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder that holds raw/ (default: data, here or in the nearest folder above)",
    )


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add --data and --results."""
    add_data(parser)
    add_results(parser)


def add_results(parser: argparse.ArgumentParser) -> None:
    """Add --results."""
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="folder for pages and tables (default: results)",
    )


def add_cores(parser: argparse.ArgumentParser) -> None:
    """Add --cores."""
    parser.add_argument("--cores", default="all", metavar="N", help="processors (default: all)")


def _fill(text: str) -> str:
    return textwrap.fill(text.strip(), _WIDTH, break_on_hyphens=False, break_long_words=False)
