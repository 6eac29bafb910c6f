"""Progress of a Headway run: one line per job, and a failing job's own error.

Snakemake finds this package by its name (`logger: headway` in a profile). A dry run, or a run
with `--verbose`, prints what Snakemake itself would print.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

# A log's last lines are enough for an error; the whole is in the file.
LINES_OF_A_LOG = 40


class LogHandler(LogHandlerBase):
    """Print what is being done, how far the run is, and why a job failed."""

    def __post_init__(self) -> None:
        self.started = time.monotonic()
        self.done, self.total, self.failed = 0, 0, 0
        self.names: dict[int, str] = {}
        self.plain = self.common_settings.dryrun or self.common_settings.verbose
        if self.plain:
            from snakemake.logging import DefaultFilter, DefaultFormatter

            settings = self.common_settings
            quiet: Any = settings.quiet or []
            self.setFormatter(DefaultFormatter(quiet, settings.show_failed_logs))
            self.addFilter(
                DefaultFilter(quiet, settings.debug_dag, settings.dryrun, settings.printshellcmds)
            )

    @property
    def writes_to_stream(self) -> bool:
        """This handler prints to the terminal."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """This handler writes no file."""
        return False

    @property
    def has_filter(self) -> bool:
        """Every record is looked at here."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Lines are made here."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """The graph of rules is not needed."""
        return False

    def emit(self, record: logging.LogRecord) -> None:
        """Print the records that a reader of the run needs."""
        try:
            if self.plain:
                text = self.format(record)
            else:
                text = self._line(record)
            if text:
                print(text, file=sys.stderr, flush=True)
        except Exception:
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> str:
        event = getattr(record, "event", None)
        data = record.__dict__
        if event == LogEvent.RUN_INFO:
            self.total = int(data.get("stats", {}).get("total", 0))
            return f"headway: {self.total} job(s) to do" if self.total else ""
        if event == LogEvent.PROGRESS:
            self.done, self.total = int(data["done"]), int(data["total"])
            return ""
        if event == LogEvent.JOB_INFO:
            name = data.get("rule_msg") or data.get("rule_name") or "a job"
            self.names[int(data["jobid"])] = str(name)
            return ""
        if event == LogEvent.JOB_STARTED:
            return "\n".join(self._at(self.names.get(int(j), f"job {j}")) for j in data["jobs"])
        if event == LogEvent.JOB_ERROR:
            return self._failure(data)
        if event == LogEvent.ERROR and self.failed:
            return ""  # the engine's account of an error that is already on the screen
        if event is None and record.levelno >= logging.ERROR and self.failed:
            return ""
        if event in (None, LogEvent.ERROR) and record.levelno >= logging.WARNING:
            return record.getMessage()
        if event is None and str(record.msg or "").startswith("Nothing to be done"):
            return "headway: everything is up to date"
        return ""

    def _at(self, text: str) -> str:
        seconds = time.monotonic() - self.started
        width = len(str(self.total))
        # Jobs that are running count as not done yet.
        return f"[{self.done:>{width}}/{self.total} done, {seconds:3.0f} s] {text}"

    def _failure(self, data: dict[str, Any]) -> str:
        self.failed += 1
        name = self.names.get(int(data.get("jobid", -1)), data.get("rule_name", "a job"))
        lines = [self._at(f"FAILED: {name}")]
        for path in data.get("log") or []:
            file = Path(str(path))
            if file.is_file():
                text = file.read_text(encoding="utf-8", errors="replace").rstrip()
                lines += [f"    {line}" for line in text.splitlines()[-LINES_OF_A_LOG:]]
                lines.append(f"    (log: {file})")
        return "\n".join(lines)
