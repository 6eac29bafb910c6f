"""What every script job does: write its log, and fail with its own error."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from headway.errors import MACHINE_EXIT_CODE, UserError, describe_fault


def run(main: Callable[[Any], None], snakemake: Any, *, private: bool = False) -> None:
    """Run a job with everything it prints in its log, and exit with the error's own code.

    A user's error is logged as it is. A bug is logged with its traceback; for jobs that read
    health data (`private`) without the error's own message, which may repeat a cell. A full disk,
    missing rights or memory is told in the system's words; the job is tried again at the next run.
    """
    log = Path(str(snakemake.log[0]))
    told, code = "", 0
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with (
            log.open("w", encoding="utf-8", buffering=1) as stream,
            redirect_stdout(stream),
            redirect_stderr(stream),
        ):
            told, code = _attempt(main, snakemake, private=private)
            if told:
                print(told)
    except OSError as error:
        # The log cannot be written; what it would say goes to the run, without a traceback.
        fault = f"headway: the machine could not go on: {describe_fault(error) or error.strerror}"
        print(told or fault, file=sys.stderr)
        code = code or MACHINE_EXIT_CODE
    if code:
        sys.exit(code)


def _attempt(main: Callable[[Any], None], snakemake: Any, *, private: bool) -> tuple[str, int]:
    """Run a job; return what is to be said of its failure, and its exit code."""
    try:
        main(snakemake)
    except UserError as error:
        return f"headway: {error}", error.exit_code
    except Exception as error:
        fault = describe_fault(error)
        if fault:
            return f"headway: the machine could not go on: {fault}", MACHINE_EXIT_CODE
        frames = "".join(traceback.format_tb(error.__traceback__))
        text = "(withheld: it may repeat a cell)" if private else str(error)
        return f"{frames}{type(error).__name__}: {text}\nheadway: this is a bug", 1
    return "", 0
