"""Jobs that start warm: forked from a process that has their imports done.

A job of a small clinic spends more on imports than on its work. On Linux a run therefore keeps one
process that learns from the first job of each script what it imports. Before the next job of that
script it imports the same, prepares what every such job would, and forks. `ask.py` stands in for
Python in a job's command: it hands over the script, the environment and the open files, and waits
for the end. A job that cannot be taken over (more threads, no such process, another system) starts
Python as ever.

The process ends with the run, however that ends: it reads a pipe that closes with the run. Its
jobs end with it, or when the one that asked for them is gone. The socket has no name in the file
system, and both sides speak only to processes of their own user.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import runpy
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import NoReturn

from ask import LENGTH, REFUSED, STATUS, is_own, read_all
from blas import NAMES, choose

# Set to anything: every job starts Python itself.
OFF = "HEADWAY_COLD_JOBS"
# What modules read or set up alike in each job, whatever its source; kept once it is there.
PREPARED = (
    ("headway.messages", "entries"),
    ("headway.report.render", "prepare"),
    ("headway.figures.theme", "prepare"),
    ("headway.outcomes.claims.file", "load_shipped"),
    ("headway.outcomes.expectation.untreated", "load_untreated"),
)
_ASKED_S = 10.0  # for somebody to say what is asked
_DIE_WITH_PARENT = 1  # of Linux's prctl


def start(python: str, environment: Mapping[str, str]) -> str:
    """Start the process; give the words that stand for `python` in the command of a job.

    Parameters
    ----------
    python
        Path of the Python that runs the jobs.
    environment
        Variables of the run.

    Returns
    -------
    str
        For a shell: `python` alone where the system lacks what it takes, or the user set `OFF`.
    """
    if sys.platform != "linux" or not hasattr(os, "pidfd_open") or environment.get(OFF):
        return quote(python)
    name = f"headway-{secrets.token_hex(16)}"
    here = Path(__file__).resolve()
    try:
        process = subprocess.Popen(
            [python, str(here), name],
            stdin=subprocess.PIPE,
            env={**environment, **choose(environment, threads=1)},
        )
    except OSError:
        return quote(python)
    atexit.register(end, process)
    return f"{quote(python)} -I -S {quote(str(here.with_name('ask.py')))} {name}"


def end(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe by which the process knows that the run is at work, and wait for its end."""
    process.communicate()


@dataclass(frozen=True, slots=True)
class Job:
    """A job at work: its process, whoever waits for it, and where it leaves what it imported."""

    script: str
    process: int
    handle: int
    asker: socket.socket
    imported: int


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: a command, where it runs, and its open files."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    files: list[int]

    @property
    def script(self) -> str:
        """Name the script without the random part that the engine puts before it."""
        return Path(self.arguments[0]).name.partition(".")[2]


class Server:
    """Forks a job for everybody who asks, until the run is over."""

    def __init__(self, name: str, alive: int = 0) -> None:
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(f"\0{name}")
        self.listener.listen(64)
        self.alive = alive
        self.jobs: set[Job] = set()
        self.learned: dict[str, list[str]] = {}
        self.tried: set[str] = set()
        self.prepared: set[tuple[str, str]] = set()
        self.waiting = selectors.DefaultSelector()
        self.waiting.register(self.listener, selectors.EVENT_READ)
        self.waiting.register(alive, selectors.EVENT_READ)

    def serve(self) -> None:
        """Work until the run is gone; its jobs are killed with this process."""
        while True:
            for key, _ in self.waiting.select():
                if key.fileobj == self.alive:
                    return
                if key.fileobj is self.listener:
                    self._answer()
                elif key.data in self.jobs:
                    self._end(key.data, left=key.fileobj is key.data.asker)

    def _answer(self) -> None:
        asker, _ = self.listener.accept()
        request = None
        try:
            asker.settimeout(_ASKED_S)
            request = receive(asker) if is_own(asker) else None
            taken = request is not None and self._can_take(request)
            if request is not None and taken:
                self._fork(request, asker)
            asker.sendall(STATUS.pack(0 if taken else REFUSED))
        except (OSError, ValueError):
            taken = False
        if not taken:
            asker.close()
        for file in request.files if request else ():
            os.close(file)

    def _can_take(self, request: Request) -> bool:
        """Prepare what such a job needs; tell whether a fork of this process is the same as it."""
        same = all(request.environment.get(name) == os.environ.get(name) for name in NAMES)
        if not same or not request.arguments or request.arguments[0].startswith("-"):
            return False
        for name in self.learned.pop(request.script, ()):
            if name not in self.tried:
                self.tried.add(name)
                with suppress(Exception):
                    import_module(name)
        for module, function in PREPARED:
            if module in sys.modules and (module, function) not in self.prepared:
                self.prepared.add((module, function))
                with suppress(Exception):
                    getattr(sys.modules[module], function)()
        gc.freeze()
        # A thread would not be there in the fork, and what it holds would stay held.
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208

    def _fork(self, request: Request, asker: socket.socket) -> None:
        imported = os.memfd_create("imported")
        parent = os.getpid()
        process = os.fork()
        if process == 0:
            try:
                self._leave(asker)
                die_with(parent)
            except BaseException:
                os._exit(1)
            work(request, imported)
        asker.settimeout(None)
        job = Job(request.script, process, os.pidfd_open(process), asker, imported)
        self.jobs.add(job)
        self.waiting.register(job.handle, selectors.EVENT_READ, job)
        self.waiting.register(asker, selectors.EVENT_READ, job)

    def _leave(self, asker: socket.socket) -> None:
        """Close, in a fork, what is not the job's."""
        self.waiting.close()
        self.listener.close()
        asker.close()
        for job in self.jobs:
            job.asker.close()
            os.close(job.handle)
            os.close(job.imported)

    def _end(self, job: Job, *, left: bool) -> None:
        """Take leave of a job that ended, or end one for which nobody waits any more."""
        if left:
            with suppress(OSError):
                signal.pidfd_send_signal(job.handle, signal.SIGTERM)
            self.waiting.unregister(job.asker)
            return
        _, status = os.waitpid(job.process, 0)
        with suppress(OSError):
            job.asker.sendall(STATUS.pack(os.waitstatus_to_exitcode(status)))
        with suppress(KeyError, ValueError):
            self.waiting.unregister(job.asker)
        self.waiting.unregister(job.handle)
        job.asker.close()
        os.close(job.handle)
        with os.fdopen(job.imported, "rb") as stream:
            stream.seek(0)
            names = stream.read().decode().split()
        if names:
            self.learned[job.script] = names
        self.jobs.remove(job)


def receive(asker: socket.socket) -> Request | None:
    """Read what is asked; None where it is cut short."""
    head, files, _, _ = socket.recv_fds(asker, LENGTH.size, 3)
    text = b""
    if len(head) == LENGTH.size:
        (n,) = LENGTH.unpack(head)
        text = read_all(asker, n)
    if len(files) != 3 or len(head) != LENGTH.size or len(text) != n:
        for file in files:
            os.close(file)
        return None
    return Request(files=files, **json.loads(text))


def die_with(parent: int) -> None:
    """Have the system kill this process when its parent ends."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def work(request: Request, imported: int) -> NoReturn:
    """Run a script as Python runs it, and leave the names of the modules that it imported."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(request.files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    tempfile.tempdir = None  # asked again, of the job's variables
    before = set(sys.modules)
    sys.argv[:] = request.arguments
    sys.path[0] = str(Path(request.arguments[0]).parent)
    code = run(request.arguments[0])
    os.write(imported, "\n".join(name for name in sys.modules if name not in before).encode())
    # What Python does at its end, but for taking its memory apart piece by piece.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def run(script: str) -> int:
    """Run a script, and give the exit code that Python would give."""
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main(name: str) -> None:
    """Serve under a name, through Ctrl-C, which the run and its jobs heed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Server(name).serve()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
