"""`headway`: its commands, put together, and what it exits with."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence

import headway
from headway.cli import checking, clinics, federating, reviews, screen, updating, workflow
from headway.cli.signals import STOPPED, stopping
from headway.cli.threads import limit_threads
from headway.errors import (
    MACHINE_EXIT_CODE,
    ConfigError,
    ContractError,
    InputError,
    MissingPackageError,
    RefusedError,
    UserError,
    describe_fault,
    naming_the_extra,
)
from headway.version import describe

# In the order in which they are met.
FAMILIES = (checking, clinics, federating, reviews, updating, workflow)
ORDER = (
    *("new-clinic", "check", "audit", "open", "release", "new-review", "import", "transcribe"),
    *("reproduce", "update", "manuscript", "export", "federate", "build", "simulate"),
)
EXIT_CODES = {
    0: "done",
    1: "a job of the workflow failed, and says why; or a bug of headway",
    2: "the command line is not understood",
    UserError.exit_code: "something else that you can mend",
    ConfigError.exit_code: "a YAML file, a name or an option",
    InputError.exit_code: "a data file",
    RefusedError.exit_code: "a clinic or review is refused; everything else was built",
    ContractError.exit_code: "a table breaks its own contract: please report it",
    MissingPackageError.exit_code: "a package that an extra installs is not there",
    MACHINE_EXIT_CODE: "the machine could not go on: disk, memory or rights",
    STOPPED: "stopped by Ctrl-C or SIGTERM; nothing is left half-written",
}


def parser() -> argparse.ArgumentParser:
    """Describe the commands; each says by `run` what carries it out."""
    codes = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())
    top = argparse.ArgumentParser(
        prog="headway",
        description=headway.__doc__,
        epilog="first steps:\n  headway new-clinic export.xlsx --name mine\n"
        "  headway audit mine\n  headway open mine\n\n"
        f"exit codes:\n{codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"headway {describe()}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for family in FAMILIES:
        family.add(commands)
    shown = {action.dest: action for action in commands._choices_actions}
    commands._choices_actions[:] = [shown[name] for name in ORDER]
    return top


def complete(top: argparse.ArgumentParser) -> None:
    """Answer a shell that asks how a line goes on (argcomplete); else do nothing."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(top)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; a user's error is printed without a traceback, with its own exit code."""
    limit_threads()
    screen.speak_utf8()
    top = parser()
    complete(top)
    options = top.parse_args(arguments)
    with stopping() as stop:
        try:
            with naming_the_extra():
                return int(options.run(options))
        except KeyboardInterrupt:
            return _say_stopped()
        except UserError as error:
            if stop.asked:
                return _say_stopped()
            print(f"headway: {error}", file=sys.stderr)
            return error.exit_code
        except Exception as error:
            return _say_stopped() if stop.asked else _explain(error, options)


def _say_stopped() -> int:
    print(f"\nheadway: {screen.say('command.stopped')}", file=sys.stderr)
    return STOPPED


def _explain(error: Exception, options: argparse.Namespace) -> int:
    """Say what the machine failed to do; a bug is raised, or told without its own words."""
    fault = describe_fault(error)
    if fault:
        print(f"headway: {screen.say('command.machine', fault=fault)}", file=sys.stderr)
        return MACHINE_EXIT_CODE
    if not options.private:
        raise error
    # The error's own message may repeat a cell of a clinic.
    frames = "".join(traceback.format_tb(error.__traceback__))
    print(f"{frames}{type(error).__name__}\nheadway: {screen.say('command.bug')}", file=sys.stderr)
    return 1
