"""A large diary through gate, casts, quarantine and windows, beside other programs.

A part of `benchmarks/scale.py`. A diary of people with 84 days each is generated, with blank
entries, unreadable cells and repeated rows. In one run, in turn, each in a process of its own:

- bare: DuckDB reads the file and sums each column per person and window, and nothing else;
- Headway: gate, casts, quarantine, the account of rows, and the windows;
- the workflow: the functions of its jobs, which write the processed diary, read it again and write
  the table of windows;
- pandas, Polars, data.table: every column read as text, four patterns for a gate, casts, repeated
  rows, windows. Their windows and what they set aside are held against Headway's.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "src"))

DAYS = 84
THREADS = 2
WINDOWS = {"baseline": (-28, -1), "first_28": (0, 27), "second_28": (28, 55)}
CLINIC = {
    "schema_version": 1,
    "id": "diary",
    "title": "Generated diary",
    "source": "benchmarks/rows.py",
    "licence": "none",
    "disclosure": "public",
    "course": {"start": 0},
    "files": {
        "diary": {
            "path": "diary.csv",
            "columns": {
                "patient_id": "code",
                "day": "day",
                "headache": "headache",
                "intensity": "worst",
                "duration_hours": "hours",
                "acute_medication": "tablets",
            },
        }
    },
    "windows": {
        "named": {name: {"from": a, "to": b} for name, (a, b) in WINDOWS.items()},
    },
    "comparisons": [{"id": "primary", "pre": "baseline", "post": "second_28", "primary": True}],
}
_IN_WINDOW = "CASE WHEN day < 0 THEN 'baseline' WHEN day < 28 THEN 'first_28' ELSE 'second_28' END"


def generate(folder: Path, people: int) -> int:
    """Write a clinic's folder with a diary of `people`; return its number of rows.

    One cell in 100,000 cannot be read and one row in 100,000 stands twice; 4 entries in 100 are
    blank.
    """
    import duckdb
    import yaml

    folder.mkdir(parents=True)
    (folder / "clinic.yaml").write_text(yaml.safe_dump(CLINIC), encoding="utf-8")
    row = "p * 1000 + d"
    rows = (
        f"SELECT 'P' || lpad(p::VARCHAR, 7, '0') AS code, d - 28 AS day, "
        f"CASE WHEN hash({row} + 11) % 100 < 4 THEN NULL "
        f"ELSE (hash({row}) % 100 < 55)::INT END AS ache, "
        f"CASE WHEN hash({row} + 7) % 100000 = 0 THEN '<1' "
        f"ELSE (1 + hash({row} + 1) % 10)::VARCHAR END AS worst, "
        f"round(0.1 + (hash({row} + 2) % 239) / 10.0, 1) AS hours, "
        f"hash({row} + 3) % 4 AS tablets, 1 + (hash({row} + 5) % 100000 = 0)::INT AS copies "
        f"FROM range({people}) t(p), range({DAYS}) u(d)"
    )
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {THREADS}")
        connection.execute("SET memory_limit = '2GB'")
        connection.execute("SET preserve_insertion_order = true")
        done: Any = connection.execute(
            "COPY (SELECT code, day, ache AS headache, CASE WHEN ache = 1 THEN worst END AS worst, "
            "CASE WHEN ache = 1 THEN hours END AS hours, tablets "
            f"FROM (SELECT *, unnest(range(copies)) AS copy FROM ({rows}))) "
            f"TO '{folder / 'diary.csv'}' (FORMAT csv, HEADER true)"
        ).fetchone()
    return int(done[0])


def run_bare(folder: Path, out: Path) -> None:
    """Let DuckDB sum every column per person and window, columns declared."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {THREADS}")
        connection.execute("SET memory_limit = '2GB'")
        connection.execute(f"SET temp_directory = '{out / 'spill'}'")
        connection.execute(
            "COPY (SELECT code, " + _IN_WINDOW + " AS w, count(headache) AS observed, "
            "sum(headache) AS hits, avg(TRY_CAST(worst AS DOUBLE)) AS intensity, "
            "avg(hours) AS duration, sum(tablets) AS tablets "
            f"FROM read_csv('{folder / 'diary.csv'}', header = true, auto_detect = false, "
            "columns = {'code': 'VARCHAR', 'day': 'INTEGER', 'headache': 'INTEGER', "
            "'worst': 'VARCHAR', 'hours': 'DOUBLE', 'tablets': 'INTEGER'}) GROUP BY ALL) "
            f"TO '{out / 'bare.parquet'}' (FORMAT parquet)"
        )


def run_headway(folder: Path, out: Path) -> None:
    """Gate, casts, quarantine and account, then windows straight from the usable rows."""
    from headway import config
    from headway.ingest import clinics
    from headway.outcomes.change.windows import diary_windows_sql

    clinic = config.load_clinic(folder)
    with clinics.judged(folder, clinic, out, threads=THREADS) as found:
        for account in found.count().accounts:
            account.check()
        sql = diary_windows_sql(f"({found.select('days')})", clinic)
        found.connection.execute(f"COPY ({sql}) TO '{out / 'windows.parquet'}' (FORMAT parquet)")
        found.connection.execute(
            f"COPY (SELECT rule, scope, count(*) AS n FROM quarantine GROUP BY ALL) "
            f"TO '{out / 'quarantine.parquet'}' (FORMAT parquet)"
        )


def run_workflow(folder: Path, out: Path) -> None:
    """Do as the workflow does: write the processed diary, and read it again for the windows."""
    from headway import config
    from headway.ingest import clinics
    from headway.outcomes.change.windows import store_diary_windows

    clinic = config.load_clinic(folder)
    clinics.ingest_clinic(folder, clinic, out / "processed", threads=THREADS)
    processed = out / "processed"
    windows = processed / "windows.parquet"
    store_diary_windows(processed / "days.parquet", clinic, windows, threads=THREADS)


def run_pandas(folder: Path, out: Path) -> None:
    """Read, cast, tell repeated rows and aggregate, as a careful analyst writes it."""
    import numpy as np
    import pandas as pd

    # Any cell may be unreadable, so every column is read as text first, in pieces for memory.
    numbers = {"day": None, "headache": (0, 1), "worst": (0, 10), "hours": (0, 24), "tablets": None}
    looks = "|".join((r"@", r"\d{4}-\d\d-\d\d", r"https?://|www\.", r"\d{3}-\d{2}-\d{4}"))
    parts, unreadable = [], 0
    for piece in pd.read_csv(folder / "diary.csv", dtype="str", chunksize=5_000_000):
        if any(piece[c].drop_duplicates().str.contains(looks).any() for c in piece.columns):
            raise ValueError("a column looks as if it held identifiers")
        for name, limits in numbers.items():
            value = pd.to_numeric(piece[name], errors="coerce").astype("float64")
            bad = value.isna() & piece[name].notna()
            if limits is not None:
                bad |= value.notna() & ~value.between(*limits)
            unreadable += int(bad.sum())
            piece[name] = value.mask(bad)
        parts.append(piece)
    days = pd.concat(parts, ignore_index=True)
    del parts
    # A key that stands twice: identical rows are kept once, contradictory ones not at all.
    several = days.duplicated(["code", "day"], keep=False)
    part = days[several]
    sizes = part.groupby(["code", "day"])["day"].transform("size")
    alike = part.groupby(list(part.columns), dropna=False)["day"].transform("size")
    gone = part.index[(alike < sizes) | part.duplicated(keep="first")]
    days = days.drop(index=gone)
    ache = days["headache"].to_numpy()
    short = (ache == 1) & (days["hours"] < 0.5).to_numpy() & (days["tablets"] == 0).to_numpy()
    days["hit"] = np.where(short, 0.0, ache)
    on = days["hit"] == 1
    days["worst"], days["hours"] = days["worst"].where(on), days["hours"].where(on)
    days["area"] = days["worst"] * days["hours"]
    days["w"] = np.select([days["day"] < 0, days["day"] < 28], [0, 1], 2)
    sums = days.groupby(["code", "w"], sort=False).agg(
        observed=("hit", "count"),
        hits=("hit", "sum"),
        intensity=("worst", "mean"),
        duration=("hours", "mean"),
        area=("area", "mean"),
    )
    sums = sums[sums["observed"] > 0].reset_index()
    sums["frequency"] = 28 * sums["hits"] / sums["observed"]
    sums["headache_index"] = np.where(sums["hits"] == 0, 0.0, sums["frequency"] * sums["area"])
    sums["window"] = np.array(list(WINDOWS))[sums["w"]]
    sums = sums.rename(columns={"code": "patient_id"})
    import duckdb

    names = ("patient_id", "window", "observed", "frequency", "intensity", "duration")
    with duckdb.connect() as connection:
        connection.register("sums", sums[[*names, "headache_index"]])
        connection.execute(f"COPY sums TO '{out / 'theirs.parquet'}' (FORMAT parquet)")
    (out / "told.json").write_text(json.dumps({"unreadable": unreadable, "rows": len(gone)}))


def run_polars(folder: Path, out: Path) -> None:
    """Do the same with Polars, in streams as far as it can."""
    pl: Any = import_module("polars")  # optional, and not in the lock

    numbers = {"day": None, "headache": (0, 1), "worst": (0, 10), "hours": (0, 24), "tablets": None}
    looks = r"@|\d{4}-\d\d-\d\d|https?://|www\.|\d{3}-\d{2}-\d{4}"
    text = pl.scan_csv(folder / "diary.csv", infer_schema=False).with_row_index("row")
    casts, bad = [pl.col("row"), pl.col("code")], []
    for name, limits in numbers.items():
        value = pl.col(name).cast(pl.Float64, strict=False)
        unread = pl.col(name).is_not_null() & value.is_null()
        if limits is not None:
            unread |= value.is_not_null() & ~value.is_between(*limits)
        bad.append(unread.fill_null(False).sum().alias(name))
        casts.append(pl.when(~unread.fill_null(False)).then(value).alias(name))
    names = ["code", *numbers]
    seen = [
        text.select(pl.col(name).unique().str.contains(looks).any().alias("found"))
        for name in names
    ]
    days = text.select(casts)
    values = ["code", "day", "headache", "worst", "hours", "tablets"]
    twice = days.group_by("code", "day").len().filter(pl.col("len") > 1).drop("len")
    told = pl.collect_all([*seen, text.select(bad), twice], engine="streaming")
    if any(found["found"][0] for found in told[:-2]):
        raise ValueError("a column looks as if it held identifiers")
    unreadable, keys = sum(told[-2].row(0)), told[-1]
    # A key that stands twice: identical rows are kept once, contradictory ones not at all.
    gone = pl.DataFrame({"row": []}, schema={"row": days.collect_schema()["row"]})
    if len(keys):
        part = days.join(keys.lazy(), on=["code", "day"], nulls_equal=True).collect(
            engine="streaming"
        )
        part = part.sort("row").with_columns(
            size=pl.len().over("code", "day"),
            alike=pl.len().over(values),
            copy=pl.int_range(pl.len()).over(values),
        )
        gone = part.filter((pl.col("alike") < pl.col("size")) | (pl.col("copy") > 0)).select("row")
        days = days.join(gone.lazy(), on="row", how="anti")
    short = (pl.col("headache") == 1) & (pl.col("hours") < 0.5) & (pl.col("tablets") == 0)
    hit = pl.when(short.fill_null(False)).then(0.0).otherwise(pl.col("headache"))
    on = pl.col("hit") == 1
    sums = (
        days.with_columns(hit=hit)
        .with_columns(worst=pl.when(on).then("worst"), hours=pl.when(on).then("hours"))
        .with_columns(
            area=pl.col("worst") * pl.col("hours"),
            w=pl.when(pl.col("day") < 0).then(0).when(pl.col("day") < 28).then(1).otherwise(2),
        )
        .group_by("code", "w")
        .agg(
            observed=pl.col("hit").count(),
            hits=pl.col("hit").sum(),
            intensity=pl.col("worst").mean(),
            duration=pl.col("hours").mean(),
            area=pl.col("area").mean(),
        )
        .filter(pl.col("observed") > 0)
        .with_columns(frequency=28 * pl.col("hits") / pl.col("observed"))
        .select(
            pl.col("code").alias("patient_id"),
            pl.col("w").replace_strict(dict(enumerate(WINDOWS))).alias("window"),
            "observed",
            "frequency",
            "intensity",
            "duration",
            pl.when(pl.col("hits") == 0)
            .then(0.0)
            .otherwise(pl.col("frequency") * pl.col("area"))
            .alias("headache_index"),
        )
    )
    sums.sink_parquet(out / "theirs.parquet")
    (out / "told.json").write_text(json.dumps({"unreadable": unreadable, "rows": len(gone)}))


def run_data_table(folder: Path, out: Path) -> float:
    """Do the same with R's data.table; return its own seconds, R's start left out."""
    import csv

    files = [str(folder / "diary.csv"), str(out / "theirs.csv"), str(out / "told.csv")]
    command = ["Rscript", "--vanilla", str(HERE / "rows.R"), *files, str(THREADS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    with (out / "told.csv").open() as stream:
        told = {name: float(value) for name, value in next(csv.DictReader(stream)).items()}
    counts = {name: int(told[name]) for name in ("unreadable", "rows")}
    (out / "told.json").write_text(json.dumps(counts))
    return told["seconds"]


RUNS: dict[str, Callable[[Path, Path], float | None]] = {
    "bare": run_bare,
    "headway": run_headway,
    "workflow": run_workflow,
    "pandas": run_pandas,
    "polars": run_polars,
    "data.table": run_data_table,
}
PEERS = ("pandas", "polars", "data.table")


def find_absent() -> list[str]:
    """Name the programs that are not installed."""
    absent = [name for name in ("pandas", "polars") if find_spec(name) is None]
    if shutil.which("Rscript") is None:
        return [*absent, "data.table"]
    asked = ["Rscript", "--vanilla", "-e", "library(data.table)"]
    there = subprocess.run(asked, capture_output=True, check=False).returncode == 0
    return absent if there else [*absent, "data.table"]


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock and of the processors, and the highest memory in GB, of one process."""

    wall: float
    cpu: float
    peak: float


def measure(what: str, folder: Path, out: Path) -> Cost:
    """Run one of `RUNS` in a process of its own."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    command = [sys.executable, str(Path(__file__).resolve()), what, str(folder), str(out)]
    environment = os.environ | {"POLARS_MAX_THREADS": str(THREADS)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{what}: {done.stderr[-2000:]}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def compare(ours: Path, theirs: Path) -> float:
    """Hold every window and outcome of another program against Headway's; return the worst gap.

    Raises
    ------
    AssertionError
        If the two do not hold the same windows, or do not set the same rows and cells aside.
    """
    import duckdb

    table = theirs / "theirs.parquet"
    if not table.is_file():
        table = theirs / "theirs.csv"
    differences = ", ".join(
        f"max(abs(a.value_{o} - b.{o})), count(*) FILTER (WHERE (a.value_{o} IS NULL) <> "
        f"(b.{o} IS NULL OR isnan(b.{o})))"
        for o in ("frequency", "intensity", "duration", "headache_index")
    )
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '4GB'")
        connection.execute(f"SET temp_directory = '{ours.parent / 'spill'}'")
        row: Any = connection.execute(
            f"SELECT count(*), count(*) FILTER (WHERE a.days_observed <> b.observed "
            f"OR a.patient_id IS NULL OR b.patient_id IS NULL), {differences} FROM "
            f"'{ours / 'windows.parquet'}' a FULL JOIN '{table}' b USING (patient_id, \"window\")"
        ).fetchone()
        held = connection.execute(
            f"SELECT scope, sum(n) FROM '{ours / 'quarantine.parquet'}' GROUP BY ALL"
        ).fetchall()
    told = json.loads((theirs / "told.json").read_text())
    if not row[0] or row[1] or any(row[3::2]):
        raise AssertionError(f"{theirs.name} and Headway do not hold the same windows")
    if {str(s): int(n) for s, n in held} != {
        s: n for s, n in (("cell", told["unreadable"]), ("row", told["rows"])) if n
    }:
        raise AssertionError(f"{theirs.name} and Headway do not set the same rows and cells aside")
    return float(max(row[2::2]))


@dataclass(frozen=True)
class Size:
    """What one size of the diary cost: `costs` by program, one a pair; the worst difference."""

    rows: int
    gigabytes: float
    costs: dict[str, list[Cost]]
    difference: float

    def ratio(self, what: str, to: str = "bare") -> tuple[float, float, float]:
        """Median, lowest and highest ratio of the times by the clock, pair by pair."""
        pairs = zip(self.costs[what], self.costs[to], strict=False)
        each = [a.wall / b.wall for a, b in pairs]
        return statistics.median(each), min(each), max(each)

    def wall(self, what: str) -> float:
        """Median time by the clock, in seconds."""
        return statistics.median(c.wall for c in self.costs[what])

    def peak(self, what: str) -> float:
        """Highest memory, in GB."""
        return max(c.peak for c in self.costs[what])


def study(
    millions: list[float], pairs: int, scratch: Path, up_to: Mapping[str, float]
) -> Iterator[Size]:
    """Measure every size, the answers of each peer held against Headway's before its time counts.

    `up_to` gives the millions of rows up to which a peer is run; a peer that is not named is not.
    """
    for size in millions:
        folder = scratch / f"c{size:g}"
        rows = generate(folder, max(1, round(size * 1e6 / DAYS)))
        gigabytes = (folder / "diary.csv").stat().st_size / 1e9
        costs: dict[str, list[Cost]] = {"bare": [], "headway": [], "workflow": []}
        for _ in range(pairs):
            for what, measured in costs.items():
                measured.append(measure(what, folder, scratch / what))
        worst = 0.0
        for peer, most in up_to.items():
            if size <= most:
                costs[peer] = [measure(peer, folder, scratch / peer)]
                worst = max(worst, compare(scratch / "headway", scratch / peer))
                shutil.rmtree(scratch / peer)
        shutil.rmtree(folder)
        yield Size(rows, gigabytes, costs, worst)


def main() -> None:
    """Run one program, and print what it cost; what is imported first is not measured."""
    what, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    import duckdb  # noqa: F401

    if what in ("pandas", "polars"):
        import_module(what)
    elif what in ("headway", "workflow"):
        import pandera.pandas  # noqa: F401

        from headway.ingest import clinics  # noqa: F401
    whose = resource.RUSAGE_CHILDREN if what == "data.table" else resource.RUSAGE_SELF
    before, start = resource.getrusage(whose), time.perf_counter()
    told = RUNS[what](folder, out)
    wall = time.perf_counter() - start if told is None else told
    after = resource.getrusage(whose)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": after.ru_maxrss / 1e6}))


if __name__ == "__main__":
    main()
