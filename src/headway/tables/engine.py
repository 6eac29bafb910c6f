"""One way to open DuckDB: how much memory it may take, and where it puts what does not fit."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from headway.tables.private import scratch_folder

if TYPE_CHECKING:
    import duckdb

MEMORY_MB = 2000
SPILL = ".spill-"
_MMAP_THRESHOLD = -3  # of mallopt


class _Limit:
    """What this process lets each engine take, in MB; `limit_memory` sets it."""

    mb = MEMORY_MB


def limit_memory(mb: int) -> None:
    """Let every engine that this process opens from now on take so many megabytes."""
    if mb < 1:
        raise ValueError("the engine needs memory")
    _Limit.mb = int(mb)


def quote(text: object) -> str:
    """Write a text, such as a path, as a literal of SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def return_memory_early() -> None:
    """Have the C library return large blocks to the system as soon as they are free.

    glibc keeps them otherwise, in pieces that the next table does not fit into; other libraries are
    left as they are.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 1 << 18)


@dataclass(frozen=True, slots=True)
class _Kept:
    """An engine that stays open for a while, of whom it is, and the numbers of its users."""

    process: int
    threads: int
    connection: duckdb.DuckDBPyConnection
    numbers: Iterator[int]


_KEPT: ContextVar[_Kept | None] = ContextVar("kept", default=None)


@contextmanager
def keep_open(*, near: Path, threads: int = 1) -> Iterator[None]:
    """Keep one engine open for everything in the block that opens one: each takes 15 ms of CPU.

    Whoever opens it has a database of their own, without the tables of others. What memory their
    tables took is free for the next, but goes back to the system only at the end.

    Parameters
    ----------
    near
        As for `open_engine`.
    threads
        Threads that it may use; whoever asks for another number opens an engine of their own.
    """
    with _connect(threads, near, enable_external_file_cache=False) as connection:
        token = _KEPT.set(_Kept(os.getpid(), threads, connection, count()))
        try:
            yield
        finally:
            _KEPT.reset(token)


def _find_kept(threads: int | None) -> _Kept | None:
    kept = _KEPT.get()
    fits = kept is not None and kept.process == os.getpid() and threads in (None, kept.threads)
    return kept if fits else None


@contextmanager
def open_engine(
    *, threads: int | None = None, near: Path | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB in memory.

    Parameters
    ----------
    threads
        Threads that it may use; as many as there are cores where it is None.
    near
        Folder in which a private scratch folder is made for what does not fit into memory.
        Without it, or where nothing can be made there, what does not fit is an error.

    Yields
    ------
    DuckDBPyConnection
        Closed, and its scratch folder gone, afterwards.
    """
    kept = _find_kept(threads)
    if kept is None:
        with _connect(threads, near) as connection:
            yield connection
        return
    name = f"own{next(kept.numbers)}"
    kept.connection.execute(f"ATTACH ':memory:' AS {name}")
    try:
        with kept.connection.cursor() as connection:
            connection.execute(f"USE {name}")
            yield connection
    finally:
        kept.connection.execute(f"DETACH {name}")


@contextmanager
def _connect(
    threads: int | None, near: Path | None, **more: bool
) -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    config: dict[str, str | int | bool] = {"memory_limit": f"{_Limit.mb}MB", "temp_directory": ""}
    config |= more
    if threads is not None:
        config["threads"] = int(threads)
    with ExitStack() as stack:
        with suppress(OSError):
            if near is not None:
                config["temp_directory"] = str(stack.enter_context(scratch_folder(near, SPILL)))
        yield stack.enter_context(duckdb.connect(config=config))


@contextmanager
def share_engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """Use an engine without tables that this process opens once: each would take 10 ms to open.

    It keeps nothing of a file that it has read, which may be a large one.
    """
    kept = _find_kept(None)
    shared = _open_shared(os.getpid(), _Limit.mb) if kept is None else kept.connection
    with shared.cursor() as connection:
        yield connection


@cache
def _open_shared(process: int, mb: int) -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(
        config={
            "memory_limit": f"{mb}MB",
            "temp_directory": "",
            "enable_external_file_cache": False,
        }
    )
