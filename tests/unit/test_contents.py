"""The digest of raw files: content alone moves it, and what is kept only saves time."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "workflow"))
import contents
from contents import Contents


@pytest.fixture
def raw(tmp_path, monkeypatch) -> Path:
    """Write a raw file, in a time in which every file has settled."""
    monkeypatch.setattr(contents, "_SETTLED_NS", 0)
    path = tmp_path / "d.csv"
    path.write_text("a\n1\n")
    return path


def digest(raw: Path) -> str:
    """Take the digest as a run does: read what is kept, hash, keep."""
    found = Contents(raw.parent / "made" / ".contents.json")
    value = found.digest([raw])
    found.save()
    return value


def count_reads(monkeypatch) -> list[Path]:
    """Note every file that is hashed."""
    read: list[Path] = []
    real = contents.hashlib.file_digest
    monkeypatch.setattr(
        contents.hashlib, "file_digest", lambda s, name: read.append(Path(s.name)) or real(s, name)
    )
    return read


def test_a_file_is_read_once(raw, monkeypatch):
    read = count_reads(monkeypatch)
    assert digest(raw) == digest(raw) == digest(raw)
    assert read == [raw]


def test_an_older_file_with_other_content_moves_it(raw):
    before = digest(raw)
    raw.write_text("a\n2\n")
    os.utime(raw, (1_500_000_000, 1_500_000_000))
    assert digest(raw) != before


def test_the_same_size_and_time_with_other_content_moves_it(raw):
    stat = raw.stat()
    before = digest(raw)
    raw.write_text("a\n2\n")
    os.utime(raw, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    while raw.stat().st_ctime_ns == stat.st_ctime_ns:  # its clock ticks every few milliseconds
        os.utime(raw, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert raw.stat().st_mtime_ns == stat.st_mtime_ns
    assert digest(raw) != before


def test_a_file_that_was_moved_there_with_the_same_size_and_time_moves_it(raw):
    stat = raw.stat()
    before = digest(raw)
    other = raw.with_name("other.csv")
    other.write_text("a\n2\n")
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(raw)
    assert digest(raw) != before


def test_a_touched_file_does_not_move_it(raw):
    before = digest(raw)
    os.utime(raw)
    assert digest(raw) == before
    content = raw.read_text()
    raw.unlink()
    raw.write_text(content)
    assert digest(raw) == before


def test_a_renamed_file_moves_it(raw):
    assert digest(raw) != digest(raw.rename(raw.with_name("e.csv")))


def test_a_file_that_changed_just_now_is_not_kept(raw, monkeypatch):
    monkeypatch.setattr(contents, "_SETTLED_NS", 3600 * 10**9)
    read = count_reads(monkeypatch)
    assert digest(raw) == digest(raw)
    assert read == [raw, raw]


@pytest.mark.parametrize(
    "kept",
    ["", "{", "[]", "null", '{"x": 1}', "\x00", "[" * 100_000, '{"d.csv": [1, 2]}', "ü"],
)
def test_what_is_kept_may_be_damaged(raw, kept):
    before = digest(raw)
    (raw.parent / "made" / ".contents.json").write_bytes(kept.encode("latin-1"))
    assert digest(raw) == before
    assert json.loads((raw.parent / "made" / ".contents.json").read_text())


def test_a_folder_that_cannot_be_written_stops_nothing(raw):
    before = digest(raw)
    store = raw.parent / "made" / ".contents.json"
    store.unlink()
    store.mkdir()
    assert digest(raw) == before
    assert [p.name for p in store.parent.iterdir()] == [store.name]
    found = Contents(raw / "below_a_file" / ".contents.json")
    assert found.digest([raw]) == before
    found.save()


def test_a_file_that_cannot_be_read_has_a_digest_of_its_own(raw, monkeypatch):
    before = digest(raw)
    raw.unlink()
    raw.mkdir()
    unreadable = digest(raw)
    assert unreadable != before
    raw.rmdir()
    raw.write_text("a\n1\n")
    assert digest(raw) == before


def test_two_runs_at_once_leave_a_whole_file(raw, tmp_path):
    store = tmp_path / "made" / ".contents.json"
    one, two = Contents(store), Contents(store)
    assert one.digest([raw]) == two.digest([raw])
    one.save()
    two.save()
    assert [p.name for p in store.parent.iterdir()] == [store.name]
    assert Contents(store).known
