"""What a file is, told by its first bytes, and what is packed in it.

A name may lie: programs call a web page `.xls`, and a workbook `.csv`. The bytes do not.
"""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from headway.errors import InputError, Problem
from headway.ingest.adapters.spreadsheet import MAX_UNPACKED
from headway.messages import Message

_CHUNK = 1024 * 1024
# A table of text packs fifty to one, nothing but zeros a thousand to one.
MAX_RATIO = 200
_GZIP, _ZIP, _EMPTY_ZIP = b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06"
_OLE = b"\xd0\xcf\x11\xe0"
_PARQUET = b"PAR1"
WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".ods", ".xls")
_TEXTS = (".csv", ".tsv", ".txt", ".tab", ".dat")
_KINDS = (*_TEXTS, *WORKBOOKS, ".parquet", ".json", ".ndjson")
_MARKUP = re.compile(rb"^(\xef\xbb\xbf)?\s*<(!doctype|html|head|meta|table|body|\?xml)", re.I)
# What programs put into a zip beside what was asked for.
_BESIDE = re.compile(r"(^|/)(__MACOSX/|\.|Thumbs\.db$|desktop\.ini$)", re.I)


@dataclass(frozen=True, slots=True)
class Content:
    """A file that is no longer packed: where it lies, and `form`: workbook, parquet, fhir, text."""

    path: Path
    form: str
    suffix: str


def find_content(raw: Path, scratch: Path) -> Content:
    """Unpack a file into `scratch` where it is packed, and tell what it is.

    Raises
    ------
    InputError
        `damaged_gzip`, `damaged_zip`, `locked_zip`, `oversized_gzip`, `oversized_zip`,
        `zip_of_several`, `damaged_parquet`, `web_page`.
    """
    suffixes = [suffix.lower() for suffix in raw.suffixes]
    packed = suffixes[-1:] == [".gz"]
    inner = suffixes[-2:-1] if packed else suffixes[-1:]
    path, suffix = raw, inner[0] if inner else ""
    if packed or _starts(path, _GZIP):
        if suffix in (".json", ".ndjson"):
            return Content(raw, "fhir", suffix)  # read as it is packed
        path = _unpack_gzip(raw, scratch / "gz" / raw.name)
    if _starts(path, _ZIP, _EMPTY_ZIP) and not _is_workbook(path) and suffix not in WORKBOOKS:
        path, suffix = _unpack_zip(path, scratch / "zip" / raw.name, raw.name)
        if _starts(path, _GZIP):
            path = _unpack_gzip(path, scratch / "gz" / raw.name)
    elif suffix == ".zip":
        raise _cannot_read(raw.name, "damaged_zip", "problem.damaged_zip", "remedy.copy_again")
    return Content(path, _form(path, suffix, raw.name), suffix)


def _form(path: Path, suffix: str, name: str) -> str:
    if _starts(path, _PARQUET):
        return "parquet"
    if suffix == ".parquet":
        raise _cannot_read(name, "damaged_parquet", "problem.damaged_parquet", "remedy.write_again")
    if suffix in (".json", ".ndjson"):
        return "fhir"
    if _starts(path, _ZIP, _EMPTY_ZIP, _OLE):
        return "workbook"
    with path.open("rb") as stream:
        if _MARKUP.match(stream.read(1024)):
            raise _cannot_read(name, "web_page", "problem.web_page", "remedy.open_and_save")
    return "text"


def _starts(path: Path, *marks: bytes) -> bool:
    with path.open("rb") as stream:
        return stream.read(8).startswith(marks)


def _cannot_read(name: str, rule: str, message: str, remedy: str) -> InputError:
    return InputError("failure.unreadable", [Problem(name, rule, message, remedy=remedy)])


def _is_workbook(path: Path) -> bool:
    """Tell a workbook from another zip file by what is in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return "[Content_Types].xml" in names or {"mimetype", "content.xml"} <= names


def _unpack_gzip(raw: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with gzip.open(raw) as packed:
            return _write(packed, target, raw)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise _cannot_read(
            raw.name, "damaged_gzip", "problem.damaged_gzip", "remedy.copy_again"
        ) from None


def _write(packed: object, target: Path, raw: Path | None = None) -> Path:
    """Write what is unpacked; of `raw`, which does not say how long it is, nothing absurd."""
    written, size = 0, raw.stat().st_size if raw is not None else 0
    with target.open("wb") as plain:
        while chunk := packed.read(_CHUNK):  # type: ignore[attr-defined]
            written += len(chunk)
            if raw is not None and written > max(MAX_UNPACKED, MAX_RATIO * size):
                target.unlink()
                text = Message("problem.oversized_workbook", gigabytes=MAX_UNPACKED // 1024**3)
                raise _cannot_read(raw.name, "oversized_gzip", text, "remedy.unpack_it")
            plain.write(chunk)
    return target


def _unpack_zip(path: Path, target: Path, name: str) -> tuple[Path, str]:
    """Unpack the one file of records in a zip file; names within it stay unsaid."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [
                (entry, suffix)
                for entry in archive.infolist()
                if not entry.is_dir()
                and not _BESIDE.search(entry.filename)
                and (suffix := _suffix(entry.filename)) in _KINDS
            ]
            if len(inside) != 1:
                text = Message("problem.zip_of_several", n=len(inside))
                raise _cannot_read(name, "zip_of_several", text, "remedy.zip_of_several")
            entry, suffix = inside[0]
            if entry.flag_bits & 1:
                raise _cannot_read(name, "locked_zip", "problem.locked_zip", "remedy.unpack_it")
            if entry.file_size > MAX_UNPACKED:
                text = Message("problem.oversized_workbook", gigabytes=MAX_UNPACKED // 1024**3)
                raise _cannot_read(name, "oversized_zip", text, "remedy.unpack_it")
            with archive.open(entry) as packed:
                return _write(packed, target), suffix
    except (zipfile.BadZipFile, EOFError, zlib.error, ValueError, NotImplementedError):
        raise _cannot_read(
            name, "damaged_zip", "problem.damaged_zip", "remedy.copy_again"
        ) from None


def _suffix(name: str) -> str:
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""
