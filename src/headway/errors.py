"""Errors that a user can mend, kept apart from bugs and from faults of the machine.

Records are health data: a message names file, column, row number and rule, and never the value
of a cell. Each class has its own exit code, so that someone who may not read the logs still
learns what kind of problem there was.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from headway.messages import say, speaking, t

# What a disk, a network, the rights of a user or the memory do to a file that is as it should be.
_OF_THE_MACHINE = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO", "EMFILE", "ENFILE"),
        *("ENOMEM", "EBUSY", "ESTALE", "ETIMEDOUT", "ENODEV", "EREMOTEIO", "EHOSTDOWN"),
    )
    if hasattr(errno, name)
)
MACHINE_EXIT_CODE = 17
# A path in quotes, which may be written out in JSON.
_PLACE = re.compile(r'"([^"\\\n]*/[^"\\\n]*)\\?"')


def describe_fault(error: BaseException | None) -> str | None:
    """Say what the machine failed to do: a full disk, missing rights, memory; else None.

    The words are the system's own, with the file; nothing that stands in a file is repeated.
    """
    if isinstance(error, OSError) and error.errno and error.errno in _OF_THE_MACHINE:
        names = [os.fsdecode(n) for n in (error.filename, error.filename2) if n and n != -1]
        return ": ".join([os.strerror(error.errno or 0), *names])
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryException":
        return os.strerror(errno.ENOMEM)
    if type(error).__name__ == "IOException":  # of DuckDB, which names the file in quotes
        text = str(error)
        for code in sorted(_OF_THE_MACHINE):
            if os.strerror(code) in text:
                return ": ".join([os.strerror(code), *_PLACE.findall(text)[:1]])
    return None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input, with the place and the rule but never the value.

    `message` and `remedy` are messages (`headway.messages`); as text a problem speaks English.
    """

    file: str
    rule: str
    message: str
    column: str = ""
    line: int | None = None
    remedy: str = ""
    count: int | None = None

    def as_dict(self) -> dict[str, object]:
        """Write a problem for a status file or a page, with `text` in English."""
        return {**asdict(self), "text": str(self)}

    def __str__(self) -> str:
        with speaking("en"):
            place = [self.file or t("frame.this_source")]
            if self.line is not None:
                place.append(t("frame.line_n", n=self.line))
            if self.column:
                place.append(t("frame.column", name=self.column))
            text = f"{', '.join(place)}: {say(self.message)} [{self.rule}]"
            if self.remedy:
                text += f" {t('frame.what_to_do_remedy', remedy=say(self.remedy))}"
        return text


class UserError(Exception):
    """An input or setting that the user can mend; printed without a traceback.

    A fault of the machine is no fault of a file: where one is being handled, it goes on as it is
    and no such error is made of it.
    """

    exit_code = 10

    def __init__(self, message: str, problems: Iterable[Problem] = ()) -> None:
        handled = sys.exception()
        if handled is not None and describe_fault(handled):
            raise handled
        self.message = message
        self.problems = tuple(problems)
        with speaking("en"):
            head = say(message)
        super().__init__("\n".join([head, *(f"  - {p}" for p in self.problems)]))

    def as_problems(self) -> list[dict[str, object]]:
        """List the problems for a status file or a page: messages, and `text` in English."""
        if not self.problems:
            alone = Problem("", type(self).__name__, self.message)
            return [{**asdict(alone), "text": str(self)}]
        return [problem.as_dict() for problem in self.problems]


class ConfigError(UserError):
    """A YAML file does not keep to its schema."""

    exit_code = 11


class InputError(UserError):
    """A data file cannot be read as its YAML declares."""

    exit_code = 12


class RefusedError(UserError):
    """The de-identification gate refused a clinic's files."""

    exit_code = 13


class ContractError(UserError):
    """A table that the pipeline made breaks its own contract (`headway.tables`)."""

    exit_code = 14


# What numbers that nothing can be computed from raise (LinAlgError is a ValueError). It becomes a
# reason where the unit of work is: a row, a comparison, a check, a figure.
UNCOMPUTABLE = (ValueError, ArithmeticError)


def log_frames(error: BaseException, what: str) -> None:
    """Log where a computation stopped, without the error's own words, which may repeat a value."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    logging.getLogger(__name__).warning(
        "%s: not computable (%s)\n%s", what, type(error).__name__, frames
    )


class MissingPackageError(UserError):
    """A package that only an extra of ours installs is not there."""

    exit_code = 16

    def __init__(self, package: str, extra: str = "pipeline") -> None:
        super().__init__(f"'{package}' is not installed; do: pip install 'headway[{extra}]'")


@contextmanager
def naming_the_extra(extra: str = "pipeline") -> Iterator[None]:
    """Turn a failed import of anything but our own modules into an error that a user can mend."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "headway"):
            raise
        raise MissingPackageError(package, extra) from error
