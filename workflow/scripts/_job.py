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
    log.parent.mkdir(parents=True, exist_ok=True)
    code = 0
    with (
        log.open("w", encoding="utf-8", buffering=1) as stream,
        redirect_stdout(stream),
        redirect_stderr(stream),
    ):
        try:
            main(snakemake)
        except UserError as error:
            print(f"headway: {error}")
            code = error.exit_code
        except Exception as error:
            fault = describe_fault(error)
            if fault:
                print(f"headway: the machine could not go on: {fault}")
                code = MACHINE_EXIT_CODE
            else:
                frames = "".join(traceback.format_tb(error.__traceback__))
                text = "(withheld: it may repeat a cell)" if private else str(error)
                print(f"{frames}{type(error).__name__}: {text}\nheadway: this is a bug")
                code = 1
    if code:
        sys.exit(code)
