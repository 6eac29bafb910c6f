"""Measure how fast a diary goes through gate, casts, quarantine and windows.

python benchmarks/diary.py [--millions 1 10 84] [--pairs 3] [--scratch FOLDER]

A diary of a million people and 84 days each (84 million rows, about 2 GB) is generated, with blank
entries, unreadable cells and repeated rows. In one run, in turn, each in a process of its own:

- bare: DuckDB reads the file and sums each column per person and window, and nothing else;
- Headway: gate, casts, quarantine, the account of rows, and the table of windows;
- as the workflow runs it: the same, with the processed diary written and read again;
- pandas: every column read as text, four patterns for a gate, casts, repeated rows, windows; once
  per size, and its windows are held against Headway's.

The full run writes docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "src"))

PAGE = ROOT / "docs" / "benchmarks.md"
START, END = "<!-- diary: begin -->", "<!-- diary: end -->"
DAYS = 84
THREADS = 2
WINDOWS = {"baseline": (-28, -1), "first_28": (0, 27), "second_28": (28, 55)}
CLINIC = {
    "schema_version": 1,
    "id": "diary",
    "title": "Generated diary",
    "source": "benchmarks/diary.py",
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
        for account in found.accounts():
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
    from headway.outcomes.change.windows import build_diary_windows

    clinic = config.load_clinic(folder)
    clinics.ingest_clinic(folder, clinic, out / "processed", threads=THREADS)
    build_diary_windows(out / "processed" / "days.parquet", clinic, threads=THREADS)


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
        connection.execute(f"COPY sums TO '{out / 'pandas.parquet'}' (FORMAT parquet)")
    (out / "pandas.json").write_text(json.dumps({"unreadable": unreadable, "rows": len(gone)}))


RUNS: dict[str, Callable[[Path, Path], None]] = {
    "bare": run_bare,
    "headway": run_headway,
    "workflow": run_workflow,
    "pandas": run_pandas,
}


def measure(what: str, folder: Path, out: Path) -> tuple[float, float]:
    """Run one of `RUNS` in a process of its own; return seconds and peak memory in GB."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    command = [sys.executable, str(Path(__file__).resolve()), "--one", what, str(folder), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{what}: {done.stderr[-2000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return float(told["seconds"]), float(told["peak"])


def compare(ours: Path, theirs: Path) -> float:
    """Hold every window and outcome of pandas against Headway's; return the worst difference."""
    import duckdb

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
            f"'{ours / 'windows.parquet'}' a FULL JOIN "
            f"'{theirs / 'pandas.parquet'}' b USING (patient_id, \"window\")"
        ).fetchone()
        held = connection.execute(
            f"SELECT scope, sum(n) FROM '{ours / 'quarantine.parquet'}' GROUP BY ALL"
        ).fetchall()
    told = json.loads((theirs / "pandas.json").read_text())
    if not row[0] or row[1] or any(row[3::2]):
        raise AssertionError("pandas and Headway do not hold the same windows")
    if {str(s): int(n) for s, n in held} != {
        s: n for s, n in (("cell", told["unreadable"]), ("row", told["rows"])) if n
    }:
        raise AssertionError("pandas and Headway do not set the same rows and cells aside")
    return float(max(row[2::2]))


def describe_machine() -> list[str]:
    """List what the figures depend on."""
    import duckdb
    import pandas

    import headway

    return [
        f"{os.cpu_count()} cores, {platform.system()}; {THREADS} threads, DuckDB's memory 2 GB",
        f"Headway {headway.__version__}; Python {platform.python_version()}, DuckDB "
        f"{duckdb.__version__}, pandas {pandas.__version__}",
    ]


def slope(seconds: dict[int, float]) -> str:
    """Write the seconds that a million rows more take, between the last two sizes."""
    if len(seconds) < 2:
        return "–"
    (fewer, low), (more, high) = list(seconds.items())[-2:]
    return f"{1e6 * (high - low) / (more - fewer):.3f} s"


def study(
    millions: list[float], pairs: int, scratch: Path, pandas_up_to: float
) -> tuple[list[str], float]:
    """Measure every size; return the lines of the table and the worst difference to pandas."""
    lines, worst = [], 0.0
    seconds: dict[int, float] = {}
    for size in millions:
        folder = scratch / f"c{size:g}"
        rows = generate(folder, max(1, round(size * 1e6 / DAYS)))
        gigabytes = (folder / "diary.csv").stat().st_size / 1e9
        runs: dict[str, list[tuple[float, float]]] = {"bare": [], "headway": [], "workflow": []}
        for _ in range(pairs):
            for what in runs:
                runs[what].append(measure(what, folder, scratch / what))
        own = [r[0] for r in runs["headway"]]
        seconds[rows] = statistics.median(own)

        def ratio(what: str, runs: dict[str, list[tuple[float, float]]] = runs) -> str:
            each = [a[0] / b[0] for a, b in zip(runs[what], runs["bare"], strict=True)]
            return f"{statistics.median(each):.2f} ({min(each):.2f} – {max(each):.2f})"

        beside = "–"
        if size <= pandas_up_to:
            theirs, peak = measure("pandas", folder, scratch / "pandas")
            measure("headway", folder, scratch / "headway")
            worst = max(worst, compare(scratch / "headway", scratch / "pandas"))
            beside = f"{theirs / statistics.median(own):.1f} × (pandas: {peak:.1f} GB)"
        bare = statistics.median([r[0] for r in runs["bare"]])
        lines.append(
            f"| {rows:,} | {gigabytes:.2f} GB | {bare:.1f} s | {seconds[rows]:.1f} s "
            f"| {ratio('headway')} | {ratio('workflow')} | {beside} | "
            f"{max(r[1] for r in runs['headway']):.2f} GB | "
            f"{slope(seconds)} |"
        )
        print(lines[-1], flush=True)
        shutil.rmtree(folder)
    lines += [
        "",
        f"Windows of pandas and Headway agree to {worst:.0e}; both set the same rows aside.",
    ]
    return lines, worst


HEAD = [
    "| rows | file | bare DuckDB | Headway | ratio to bare (range) | as the workflow runs it "
    "| pandas / Headway | peak memory | a million rows more |",
    "|---|---|---|---|---|---|---|---|---|",
]


def main() -> None:
    """Measure, print, write."""
    if len(sys.argv) > 1 and sys.argv[1] == "--one":
        what, folder, out = sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
        import duckdb  # noqa: F401  what is imported is not measured

        if what == "pandas":
            import pandas  # noqa: F401
        elif what != "bare":
            import pandera.pandas  # noqa: F401

            from headway.ingest import clinics  # noqa: F401
        start = time.perf_counter()
        RUNS[what](folder, out)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps({"seconds": seconds, "peak": peak}))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 10, 84])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--pandas-up-to", type=float, default=84, help="millions of rows")
    parser.add_argument("--scratch", type=Path, default=None)
    parser.add_argument("--quick", action="store_true", help="a smoke run; writes nothing")
    options = parser.parse_args()
    if options.quick:
        options.millions, options.pairs = [0.02], 1
    scratch = Path(tempfile.mkdtemp(prefix="diary-", dir=options.scratch))
    print("\n".join(HEAD), flush=True)
    try:
        lines, worst = study(options.millions, options.pairs, scratch, options.pandas_up_to)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if worst > 1e-9:
        raise SystemExit(f"pandas and Headway differ by {worst}")
    print(lines[-1])
    if options.quick:
        return
    text = PAGE.read_text(encoding="utf-8")
    block = "\n".join([*HEAD, *lines, "", *(f"- {line}" for line in describe_machine())])
    before, after = text.split(START)[0], text.split(END)[1]
    PAGE.write_text(f"{before}{START}\n{block}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
