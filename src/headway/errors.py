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
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

from headway.messages import Message, say, say_in_english, speaking, t

# What a disk, a network, the rights of a user or the memory do to a file that is as it should be.
_OF_THE_MACHINE = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO", "EMFILE", "ENFILE"),
        *("ENOMEM", "EBUSY", "ESTALE", "ETIMEDOUT", "ENODEV", "EREMOTEIO", "EHOSTDOWN"),
    )
    if hasattr(errno, name)
)
# What is said of a library that does not fit into the memory.
_NOT_LOADED = re.compile(r"failed to map segment|[Cc]annot allocate memory")
_FULL = frozenset({"ENOSPC", "EDQUOT", "EFBIG"})
_RIGHTS = frozenset({"EROFS", "EACCES", "EPERM"})
MACHINE_EXIT_CODE = 17
# A path in quotes, which may be written out in JSON.
_PLACE = re.compile(r'"([^"\\\n]*/[^"\\\n]*)\\?"')


def describe_fault(error: BaseException | None) -> str | None:
    """Say what the machine failed to do and what cures it: a full disk, rights, memory; else None.

    The words are the system's own, with the file; nothing that stands in a file is repeated.
    """
    found = _find_fault(error)
    return None if found is None else tell_fault(found[0], *found[1])


def tell_fault(number: int, *places: str) -> str | None:
    """Say the same of the system's own number of a fault; None if it is no fault of the machine."""
    if number not in _OF_THE_MACHINE:
        return None
    text = ": ".join([os.strerror(number), *places])
    with suppress(MemoryError):  # of a machine without memory there may be no more to say
        remedy = say_in_english(Message("frame.what_to_do_remedy", remedy=_name_remedy(number)))
        text += f"\n  {remedy}"
    return text


def _find_fault(error: BaseException | None) -> tuple[int, list[str]] | None:
    """Find the system's number of a fault of the machine, and the files that it names."""
    if isinstance(error, OSError) and error.errno and error.errno in _OF_THE_MACHINE:
        return error.errno, [
            os.fsdecode(n) for n in (error.filename, error.filename2) if n and n != -1
        ]
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryException":
        return errno.ENOMEM, []
    if isinstance(error, ImportError) and _NOT_LOADED.search(str(error)):
        return errno.ENOMEM, []
    if type(error).__name__ == "IOException":  # of DuckDB, which names the file in quotes
        text = str(error)
        for code in sorted(_OF_THE_MACHINE):
            if os.strerror(code) in text:
                return code, _PLACE.findall(text)[:1]
    return None


def _name_remedy(number: int) -> Message:
    name = errno.errorcode.get(number, "")
    if name in _FULL:
        return Message("machine.full")
    if name in _RIGHTS:
        return Message("machine.rights")
    return Message("machine.memory" if name == "ENOMEM" else "machine.other")


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
                place.append(t("frame.line_n", line=self.line))
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
        if handled is not None and _find_fault(handled):
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
