"""Stand-in for Python in a job's command: hand the script to the process of `warm.py`, and wait.

python -I -S ask.py NAME SCRIPT [ARGUMENT...]

It starts without the site's packages, since it needs none. Where the script is not taken over, it
becomes the Python that it stands for.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys

LENGTH = struct.Struct("!I")
STATUS = struct.Struct("!i")  # an exit code; minus the number of the signal that ended the job
REFUSED = -(2**31)
_PEER = struct.Struct("3i")  # of Linux: process, user, group


def is_own(other: socket.socket) -> bool:
    """Tell whether the process at the other end is of this process's user."""
    if sys.platform != "linux":
        return False
    found = other.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return bool(_PEER.unpack(found)[1] == os.geteuid())


def read_all(other: socket.socket, n: int) -> bytes:
    """Read `n` bytes, or fewer where the other end has closed."""
    parts = []
    while n > 0 and (part := other.recv(n)):
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def ask(name: str, arguments: list[str]) -> int:
    """Have a script run elsewhere; its status, or `REFUSED` where nobody took it over."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        try:
            other.connect(f"\0{name}")
            if not is_own(other):
                return REFUSED
            request = {
                "arguments": arguments,
                "folder": os.getcwd(),  # noqa: PTH109 (pathlib is slow to import)
                "environment": dict(os.environ),
            }
            text = json.dumps(request).encode()
            socket.send_fds(other, [LENGTH.pack(len(text))], [0, 1, 2])
            other.sendall(text)
            taken = read_all(other, STATUS.size)
        except OSError:
            return REFUSED
        if len(taken) < STATUS.size or STATUS.unpack(taken)[0] == REFUSED:
            return REFUSED
        # From here on the job is at work. At Ctrl-C it ends by itself, as every process of the run.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        status = read_all(other, STATUS.size)
        return STATUS.unpack(status)[0] if len(status) == STATUS.size else -signal.SIGKILL


if __name__ == "__main__":
    status = ask(sys.argv[1], sys.argv[2:])
    if status == REFUSED:
        os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
    sys.exit(status if status >= 0 else 128 - status)
