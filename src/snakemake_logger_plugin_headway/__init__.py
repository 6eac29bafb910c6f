"""Progress of a Headway run: one line per job, and a failing job's own error.

Snakemake finds this package by its name (`logger: headway` in a profile). `--verbose` and
`--debug-dag` print what Snakemake itself would print.
"""

from __future__ import annotations

import errno
import logging
import re
import sys
import time
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from headway import errors
from headway.messages import Message, say_in_english

# The end of a log is enough for an error; the whole is in the file.
LINES_OF_A_LOG = 20
FRAMES_OF_A_BUG = 3
LINES_OF_A_BATCH = 3
# An output that stands there and may not be written.
PROTECTED = re.compile(r"Write-protected output files.*?affected files:\n *([^\n]+)", re.DOTALL)
LOCKED = "Directory cannot be locked"
# What the system says of a fault, with the file.
FAULT = re.compile(r"\[Errno (\d+)\] [^:\n]+(?:: '([^'\n]*)')?")
OUR_ERRORS = tuple(
    name
    for name, item in vars(errors).items()
    if isinstance(item, type) and issubclass(item, errors.UserError)
)
# What Snakemake adds at the end of a run in which a job failed.
AFTER_A_FAILURE = (
    "Exiting because a job execution failed",
    "WorkflowError:\nAt least one job did not complete successfully",
)
# Answers to commands other than a run.
ANSWERS = ("Congratulations", "Unlock", "Delet", "Would delet", "Touching")


class LogHandler(LogHandlerBase):
    """Print what is being done, how far the run is, and why a job failed."""

    def __post_init__(self) -> None:
        """Start with nothing done."""
        settings = self.common_settings
        self.plain = bool(settings.verbose or settings.debug_dag)
        # A log of Snakemake's own on a full disk fails at each line; the run itself says why.
        logging.raiseExceptions = self.plain
        self.quiet = {str(getattr(q, "name", q)).lower() for q in settings.quiet or ()}
        self.begun = time.monotonic()
        self.names: dict[int, str] = {}
        self.total, self.started, self.done = 0, 0, 0
        self.failed: set[int] = set()  # some versions of Snakemake tell of a failure twice
        self.running = False

    @property
    def writes_to_stream(self) -> bool:
        """Say that lines go to the terminal."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Say that no file is written."""
        return False

    @property
    def has_filter(self) -> bool:
        """Look at every record here, unless Snakemake's own filter is asked for."""
        return not self.plain

    @property
    def has_formatter(self) -> bool:
        """Make lines here, unless Snakemake's own are asked for."""
        return not self.plain

    @property
    def needs_rulegraph(self) -> bool:
        """Say that the graph of rules is not needed."""
        return False

    def emit(self, record: logging.LogRecord) -> None:
        """Print the records that a reader of the run needs."""
        try:
            self._print(self.format(record) if self.plain else self._line(record))
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Say how the run ended."""
        if self.running and not self.plain:
            self.running = False
            self._print(self._summary())
        super().close()

    def _print(self, text: str) -> None:
        if text and text != "None":
            stream = sys.stdout if self.common_settings.stdout else sys.stderr
            print(text, file=stream, flush=True)

    def _line(self, record: logging.LogRecord) -> str:
        """Turn a record into what is printed; most records are not."""
        event, data = getattr(record, "event", None), record.__dict__
        if event == LogEvent.RUN_INFO:
            return self._begin(data.get("stats") or {})
        if event == LogEvent.JOB_INFO:
            return self._start(data)
        if event == LogEvent.JOB_FINISHED:
            self.done += int(data["job_id"]) in self.names
            return ""
        if event == LogEvent.JOB_ERROR:
            return self._fail(data)
        text = str(record.msg or "")
        if event == LogEvent.ERROR:
            return self._explain(text, str(data.get("exception")))
        if event is None and record.levelno >= logging.WARNING:
            return "" if text.startswith(AFTER_A_FAILURE) else text
        if event is None and text.startswith("Nothing to be done"):
            return "headway: nothing to do, everything is up to date"
        return text if event is None and text.startswith(ANSWERS) else ""

    def _begin(self, stats: dict[str, int]) -> str:
        # `all` only asks for files; it is not a job to wait for.
        total = int(stats.get("total", 0)) - int(stats.get("all", 0))
        if self.common_settings.dryrun:
            # A dry run counts its jobs before and after it lists them.
            text = f"headway: {_jobs(total)} would run" if not self.total else ""
            self.total = total
            return text
        self.total, self.running, self.begun = total, True, time.monotonic()
        return ""

    def _start(self, data: dict[str, Any]) -> str:
        if not data.get("output"):
            return ""
        rule, values = str(data["rule_name"]), data.get("wildcards") or {}
        name = data.get("rule_msg") or " ".join([rule, *map(str, dict(values).values())])
        self.names[int(data["jobid"])] = str(name)
        self.started += 1
        if self.common_settings.dryrun:
            return f"{rule}: {name}\n    {data.get('reason', '')}".rstrip()
        if self.quiet & {"all", "rules", "progress"}:
            return ""
        return f"{self._count(self.started)}{name}"

    def _fail(self, data: dict[str, Any]) -> str:
        job = int(data["jobid"])
        if job in self.failed:
            return ""
        self.failed.add(job)
        name = self.names.get(job, str(data["rule_name"]))
        lines = [f"FAILED {name}"]
        logs = [Path(str(path)) for path in data.get("log") or ()]
        if logs and says_why(logs[0]):
            lines += [*(f"    {line}" for line in read_error(logs[0])), f"    (log: {logs[0]})"]
            return "\n".join(lines)
        # Snakemake itself makes the log of a job that wrote none, sooner or later.
        lines += [f"    {line}" for line in tell("machine.ended", "machine.memory")]
        for path in logs:
            lines += [*(f"    {line}" for line in read_batch(path)), f"    (log: {path})"]
        return "\n".join(lines)

    def _explain(self, text: str, exception: str) -> str:
        """Print an error of the engine, unless it repeats a job's own."""
        if "CalledProcessError" in text or text.startswith(AFTER_A_FAILURE):
            return ""
        if LOCKED in text:
            remedy = Message("frame.what_to_do_remedy", remedy=Message("machine.unlock"))
            return (
                f"headway: {say_in_english(Message('machine.locked'))}\n  {say_in_english(remedy)}"
            )
        if found := PROTECTED.search(text):
            fault = errors.tell_fault(errno.EACCES, found[1])
            return f"headway: {say_in_english(Message('command.machine', fault=fault))}"
        if (found := FAULT.search(text)) and (
            fault := errors.tell_fault(int(found[1]), *filter(None, [found[2]]))
        ):
            return f"headway: {say_in_english(Message('command.machine', fault=fault))}"
        if exception in OUR_ERRORS:
            # Snakemake's first line and its last ones say where in our code it was raised.
            lines = text.splitlines()[1:]
            while lines and lines[-1].startswith('  File "'):
                lines.pop()
            return "headway: " + "\n".join(lines)
        return text

    def _count(self, number: int) -> str:
        if not self.total:  # one job of a run that another process counts
            return ""
        return f"[{number:>{len(str(self.total))}}/{self.total}] "

    def _summary(self) -> str:
        text = f"headway: {self.done} of {_jobs(self.total)} done"
        left = self.total - self.done - len(self.failed)
        text += f", {len(self.failed)} failed" if self.failed else ""
        text += f", {left} not finished" if left > 0 else ""
        if "all" in self.quiet and self.done == self.total:
            return ""
        return f"{text}, {_duration(time.monotonic() - self.begun)}"


def read_error(path: Path) -> list[str]:
    """Read a job's own error from the end of its log.

    A user's error starts at the last line that begins with `headway:`. A bug ends there; its
    last frames and its type stand before.

    Returns
    -------
    list of str
        At most `LINES_OF_A_LOG` lines and a line that says how many were left out.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    marks = [i for i, line in enumerate(lines) if line.startswith("headway:")]
    start = marks[-1] if marks else max(0, len(lines) - LINES_OF_A_LOG)
    if marks and lines[start].startswith("headway: this is a bug"):
        frames = [i for i in range(start) if re.match(r'  File "', lines[i])]
        start = frames[-FRAMES_OF_A_BUG:][0] if frames else max(0, start - 1)
    found = lines[start:]
    if len(found) <= LINES_OF_A_LOG:
        return found
    half = LINES_OF_A_LOG // 2
    left_out = f"... {len(found) - 2 * half} more lines ..."
    return [*found[:half], left_out, *found[-half:]]


def says_why(path: Path) -> bool:
    """Tell whether a job's log holds its error: each of ours writes one, unless it is killed."""
    if not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as stream:
        return any(line.startswith("headway:") for line in stream)


def tell(what: str, remedy: str) -> list[str]:
    """Say two messages of the catalogue: what happened, and what to do."""
    cure = Message("frame.what_to_do_remedy", remedy=Message(remedy))
    return [f"headway: {say_in_english(Message(what))}", f"  {say_in_english(cure)}"]


def read_batch(path: Path) -> list[str]:
    """Read why SLURM ended a job, from its log of it: cancelled, over its time or memory."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if line.startswith("slurmstepd")][-LINES_OF_A_BATCH:]


def _jobs(number: int) -> str:
    return f"{number} job" if number == 1 else f"{number} jobs"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
