"""A text file in any encoding and with any line ends -> UTF-8 with one kind of line end.

A file that is so already is read where it stands. One bad byte never changes how the whole file is
read: it is named by its line.
"""

from __future__ import annotations

import codecs
import io
import mmap
import re
from dataclasses import dataclass
from pathlib import Path

from headway.errors import InputError, Problem
from headway.messages import Message

_CHUNK = 1024 * 1024
_FEED = ord("\n")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# A character of UTF-8 beyond ASCII: a file that has one is not in Windows-1252.
_UTF8 = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf](?![\x80-\xbf])|[\xe1-\xef][\x80-\xbf]{2}(?![\x80-\xbf])"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}"
)
# What Windows-1252 does not have, or has as a sign that stands in no word: there it is a letter of
# an older code page (`\x84` is an a with two dots in DOS).
_NOT_CP1252 = re.compile(
    rb"[\x81\x8d\x8f\x90\x9d]|[A-Za-z][\x82\x84\x86-\x89\x93-\x95\x98\x9b][A-Za-z]"
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one pass over a file saw; `lines` where they were counted."""

    encoding: str
    lines: int | None = None
    even: bool = True  # one kind of line end, and that one the engine reads


def as_utf8(path: Path, name: str, declared: str, target: Path) -> tuple[Path, int | None]:
    """Return the file itself if it is plain UTF-8, else a copy that is; and its lines, if counted.

    Raises
    ------
    InputError
        `encoding`, with the line of the first byte that does not fit; `not_text` for NUL bytes.
    """
    seen = _look(path, name, declared)
    if seen.encoding == "utf-8" and seen.even:
        return path, seen.lines
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Line ends become one kind while reading; how many lines there are does not change.
        with (
            path.open(encoding=seen.encoding, newline=None) as source,
            target.open("w", encoding="utf-8", newline="") as copy,
        ):
            line = 1
            while chunk := source.read(_CHUNK):
                if "\0" in chunk:
                    raise _nul(name, line + chunk[: chunk.index("\0")].count("\n"))
                line += chunk.count("\n")
                copy.write(chunk)
    except (UnicodeError, LookupError):
        raise _wrong(name, _bad_line(path, seen.encoding), seen.encoding) from None
    return target, None


def _look(path: Path, name: str, declared: str) -> _Seen:
    """Tell the encoding: a byte-order mark, else as declared, else UTF-8 or Windows-1252.

    UTF-8 is held against the whole file, whose lines are counted on the way, and a file with NUL
    bytes is no text.
    """
    import numpy as np

    with path.open("rb") as stream:
        start = stream.read(4096)
        found = next((code for mark, code in _BOMS if start.startswith(mark)), "")
        if not found and declared != "auto":
            found = codecs.lookup(declared).name
        found = found or _unmarked_utf16(start)
        if found not in ("", "utf-8"):
            return _Seen(found)
        stream.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        feeds, returns, both, last = 0, 0, 0, b"\n"
        while chunk := stream.read(_CHUNK):
            # Several times as fast as `bytes.count` where lines are short.
            feeds += int(np.count_nonzero(np.frombuffer(chunk, "u1") == _FEED))
            if b"\r" in chunk or last == b"\r":
                returns += chunk.count(b"\r")
                both += chunk.count(b"\r\n") + (last == b"\r" and chunk.startswith(b"\n"))
            if b"\0" in chunk:
                line = feeds - chunk[chunk.index(b"\0") :].count(b"\n") + 1
                raise _nul(name, line)
            last = chunk[-1:]
            try:
                # Plain ASCII, the usual case, needs no decoder; a cut character stays with it.
                if not chunk.isascii() or decoder.getstate()[0]:
                    decoder.decode(chunk)
            except UnicodeDecodeError:
                return _Seen(_not_utf8(path, name, found))
        if decoder.getstate()[0]:
            return _Seen(_not_utf8(path, name, found))
    even = not returns or returns == both == feeds
    return _Seen("utf-8", feeds + (last != b"\n"), even)


def _unmarked_utf16(start: bytes) -> str:
    """Tell UTF-16 without its mark by the zeros beside each letter of a header."""
    half = len(start) // 2
    if half < 2 or b"\0" not in start:
        return ""
    low, high = start[1::2].count(0), start[::2].count(0)
    if low > 0.6 * half and high == 0:
        return "utf-16-le"
    return "utf-16-be" if high > 0.6 * half and low == 0 else ""


def _not_utf8(path: Path, name: str, declared: str) -> str:
    """Return Windows-1252 for a file that is not UTF-8, if the whole of it may be that."""
    line = _bad_line(path, "utf-8")
    if declared:
        raise _wrong(name, line, declared)
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if _UTF8.search(data):
            raise InputError("failure.unreadable", [_mixed(name, line)])
        strange = _NOT_CP1252.search(data)
        if strange:
            line = sum(1 for _ in re.finditer(rb"\r\n?|\n", data[: strange.start() + 1])) + 1
            raise _wrong(name, line, "Windows-1252")
    return "cp1252"


def _bad_line(path: Path, encoding: str) -> int | None:
    """Find the line of the first byte that does not fit an encoding."""
    line = 1
    try:
        inner = codecs.getincrementaldecoder(encoding)()
        decoder = io.IncrementalNewlineDecoder(inner, translate=True)
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                line += decoder.decode(chunk).count("\n")
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        text = error.object[: error.start].decode(encoding, "ignore")
        return line + text.replace("\r\n", "\n").replace("\r", "\n").count("\n")
    except (UnicodeError, LookupError):
        return None
    return line


def _nul(name: str, line: int) -> InputError:
    return InputError(
        "failure.unreadable",
        [Problem(name, "not_text", "problem.nul_bytes", line=line, remedy="remedy.nul_bytes")],
    )


def _wrong(name: str, line: int | None, encoding: str) -> InputError:
    text = Message("problem.not_of_encoding", encoding=encoding)
    return InputError(
        "failure.unreadable", [Problem(name, "encoding", text, line=line, remedy="remedy.encoding")]
    )


def _mixed(name: str, line: int | None) -> Problem:
    return Problem(
        name, "encoding", "problem.mixed_encoding", line=line, remedy="remedy.mixed_encoding"
    )
