"""How DuckDB is opened: its memory, its threads, and what does not fit."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
import resources

from headway.config import check_config
from headway.tables import engine

# More than the small engine of these tests holds.
MUCH = "CREATE TEMP TABLE t AS SELECT i, hash(i) AS a, hash(i + 1) AS b FROM range(9000000) r(i)"


@pytest.fixture
def little():
    engine.limit_memory(60)
    yield
    engine.limit_memory(engine.MEMORY_MB)


def asked(connection, name):
    return connection.execute(f"SELECT current_setting('{name}')").fetchone()[0]


def test_an_engine_has_the_memory_and_threads_that_it_was_given(tmp_path, little):
    with engine.open_engine(threads=1, near=tmp_path) as connection:
        assert asked(connection, "memory_limit") == "57.2 MiB"  # 60 MB
        assert asked(connection, "threads") == 1
        assert Path(asked(connection, "temp_directory")).parent == tmp_path


def test_what_does_not_fit_goes_to_a_private_folder_that_is_gone_afterwards(tmp_path, little):
    with engine.open_engine(threads=1, near=tmp_path) as connection:
        connection.execute(MUCH)
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        assert sum(f.stat().st_size for f in folder.rglob("*")) > 1e6
        assert connection.execute("SELECT count(*), sum(i) FROM t").fetchone() == (
            9_000_000,
            9_000_000 * 8_999_999 // 2,
        )
    assert not list(tmp_path.iterdir())


def test_without_a_folder_nothing_is_written_and_too_much_is_an_error(
    tmp_path, monkeypatch, little
):
    monkeypatch.chdir(tmp_path)
    with engine.open_engine(threads=1) as connection, pytest.raises(duckdb.OutOfMemoryException):
        connection.execute(MUCH)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_read_all_the_same(tmp_path):
    with engine.open_engine(near=tmp_path / "a file") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    (tmp_path / "held").write_text("")
    with engine.open_engine(near=tmp_path / "held") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_users_of_an_engine_that_is_kept_open_see_nothing_of_each_other(tmp_path):
    make = "CREATE TYPE who AS ENUM ('a'); CREATE TABLE t AS SELECT 'a'::who AS v"
    with engine.keep_open(near=tmp_path):
        with engine.open_engine() as one, engine.open_engine(threads=1) as two:
            for connection in (one, two):
                connection.execute(make)
            one.execute("INSERT INTO t VALUES ('a')")
            counts = [c.execute("SELECT count(*) FROM t").fetchone()[0] for c in (one, two)]
            assert counts == [2, 1]
            assert asked(one, "temp_directory") == asked(two, "temp_directory") != ""
        with pytest.raises(duckdb.BinderException), engine.open_engine() as connection:
            connection.execute("SELECT nothing")
        with engine.open_engine() as connection:
            there = "SELECT database_name FROM duckdb_databases() WHERE NOT internal"
            assert len(connection.execute(there).fetchall()) == 2  # the first, and its own
        with engine.open_engine(threads=2) as other:
            assert asked(other, "threads") == 2
    assert not list(tmp_path.iterdir())


def test_an_engine_that_is_kept_open_spills_where_it_was_told(tmp_path, little):
    with engine.keep_open(near=tmp_path):
        for _ in range(2):  # what the first took is free for the second
            with engine.open_engine() as connection:
                connection.execute(MUCH)
                (folder,) = tmp_path.iterdir()
                assert folder.stat().st_mode & 0o077 == 0
                assert connection.execute("SELECT count(*) FROM t").fetchone() == (9_000_000,)
    assert not list(tmp_path.iterdir())


def test_no_memory_is_refused():
    with pytest.raises(ValueError, match="memory"):
        engine.limit_memory(0)


def test_every_engine_of_the_package_is_opened_here(repo_root):
    source = repo_root / "src" / "headway"
    found = [
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if re.search(r"duckdb\.(connect|sql|query)\(", path.read_text(encoding="utf-8"))
    ]
    assert found == ["tables/engine.py"]


def test_the_memory_of_a_run_is_a_setting():
    assert check_config({}).memory_gb == engine.MEMORY_MB / 1000
    assert check_config({"memory_gb": 8}).memory_gb == 8


def test_a_job_asks_for_as_much_more_as_its_engine_may_take():
    large = 20_000_000_000
    more = resources.memory("ingest_clinic", large, engine_mb=6000)
    usual = resources.memory("ingest_clinic", large, engine_mb=2000)
    assert more - usual == 1.5 * 4000
