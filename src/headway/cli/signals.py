"""Ctrl-C and SIGTERM: a command stops, keeps nothing half-written and exits with 130."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

STOPPED = 130  # as shells have it: 128 + SIGINT
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class Stop:
    """Whether the user asked the command to stop: a library may turn that into an error."""

    asked: bool = False


@contextmanager
def stopping() -> Iterator[Stop]:
    """Raise KeyboardInterrupt within the block at Ctrl-C and at SIGTERM."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def halt(number: int, frame: FrameType | None) -> None:
        stop.asked = True
        raise KeyboardInterrupt

    before = {number: signal.signal(number, halt) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
