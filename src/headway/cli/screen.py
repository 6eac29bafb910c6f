"""What a command prints: UTF-8 on any terminal, colours and a sign of life only at one."""

from __future__ import annotations

import io
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from headway.report import check as checking

# What takes less than this says nothing; what takes longer is told as often.
_PATIENCE_S = 4.0
# Held while something is asked: no line may run through a prompt.
_WIDTH = 40
_asking = threading.Lock()


def speak_utf8() -> None:
    """Write UTF-8 whatever the terminal says it takes; what cannot be written is replaced."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def is_plain() -> bool:
    """Whether no colour is wanted: NO_COLOR (no-color.org), or a terminal that has none."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def say(id: str, **values: object) -> str:
    """Make a sentence of the catalogue in English."""
    from headway.messages import Message, say_in_english

    return say_in_english(Message(id, **values))


def show(paragraphs: Iterable[checking.Paragraph], stream: TextIO | None = None) -> None:
    """Print paragraphs: in colour and folded at a terminal, as they are elsewhere."""
    from headway.report import check as checking
    from headway.tables import printable

    stream = stream or sys.stdout
    width = shutil.get_terminal_size().columns
    for words, colour in paragraphs:
        # A column's name is the clinic's own, and no command to a terminal.
        paragraph = printable(words), colour
        at_terminal = stream.isatty()
        text = checking.dress(paragraph, width, not is_plain()) if at_terminal else paragraph[0]
        print(text, file=stream, flush=True)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say at a terminal what is being done and for how long, where it takes long."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    over = threading.Event()
    begun = time.monotonic()

    def turn() -> None:
        while not over.wait(_PATIENCE_S):
            if _asking.acquire(blocking=False):
                _write_over(f"{what}, {time.monotonic() - begun:.0f} s")
                _asking.release()
        if time.monotonic() - begun >= _PATIENCE_S:
            _write_over("")

    thread = threading.Thread(target=turn, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def asking() -> Iterator[None]:
    """Keep the line of `working` away while something is asked."""
    with _asking:
        _write_over("")
        yield


def _write_over(text: str) -> None:
    """Write over the line that the cursor is in, and stay there."""
    if sys.stderr.isatty():
        print(f"\r{' ' * _WIDTH}\r{text}", end="", file=sys.stderr, flush=True)
