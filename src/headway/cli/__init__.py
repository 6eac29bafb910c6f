"""The command line: `program` puts the commands together; each other module holds a family."""

from headway.cli.program import main, parser

__all__ = ["main", "parser"]
