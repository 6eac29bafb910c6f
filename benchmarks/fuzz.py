"""Search for files that Headway neither reads nor refuses, led by the code that they reach.

    pip install --group fuzz
    python benchmarks/fuzz.py [--targets csv xlsx] [--minutes 10] [--jobs 2]

Atheris (libFuzzer) changes the files of `tests/fuzz` and keeps what reaches new code of
`headway`. Workbooks are changed inside their parts and packed again. A file that ends in anything
but a `UserError`, or takes more than 20 seconds or 2 GB, is kept below `.fuzz`; mend the
fault, and put the file into `tests/fuzz`, where a test tries it for good. The table in
docs/fuzzing.md is written anew.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".fuzz"
DOCS = ROOT / "docs" / "fuzzing.md"
LARGEST = 40_000  # bytes


Mutate = Callable[[bytes, int], bytes]
# What is changed of texts with a grammar, so that most of what is made still follows it.
VALUES = {
    "fhir": re.compile(rb':\s*"([^"]*)"|:\s*([-\d.eE]+|true|false|null)'),
    "rm5": re.compile(rb'="([^"]*)"|>([^<>]+)<'),
}


def change_value(pattern: re.Pattern[bytes], data: bytes, seed: int, mutate: Mutate) -> bytes:
    """Change one value of a text; now and then the text as it is."""
    found = list(pattern.finditer(data))
    if not found or seed % 8 == 0:
        return mutate(data, LARGEST)
    chosen = found[seed // 8 % len(found)]
    start, end = chosen.span(chosen.lastindex or 0)
    return data[:start] + mutate(data[start:end], 200) + data[end:]


def change_workbook(data: bytes, seed: int, mutate: Mutate) -> bytes:
    """Change one part of a workbook, or its bytes where it is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            parts = {name: packed.read(name) for name in packed.namelist()}
    except Exception:  # a broken archive raises nearly anything
        parts = {}
    if not parts or seed % 16 == 0:
        return mutate(data, LARGEST)
    name = sorted(parts)[seed // 16 % len(parts)]
    parts[name] = change_value(VALUES["rm5"], parts[name], seed, mutate)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return made.getvalue()


def choose_mutator(target: str, mutate: Mutate) -> Callable[[bytes, int, int], bytes] | None:
    """Choose how a target's files are changed; None where libFuzzer's own way will do."""
    if target == "xlsx":
        return lambda data, largest, seed: change_workbook(data, seed, mutate)
    if target in VALUES:
        return lambda data, largest, seed: change_value(VALUES[target], data, seed, mutate)
    return None


def hunt(target: str, seconds: int) -> None:
    """Fuzz one target in this process; libFuzzer ends it."""
    import atheris
    from atheris import core_with_libfuzzer as core  # whose Mutate is the one that fuzzes

    with atheris.instrument_imports(include=["headway.ingest", "headway.config"]):
        from tests.fuzz_targets import TARGETS, list_corpus

        for module in ("headway.ingest.proposals", "headway.ingest.adapters.forms"):
            __import__(module)
        seeds = list_corpus(target)
        for path in seeds:  # what is imported when it is needed
            TARGETS[target](path.read_bytes())
    found = WORK / target
    found.mkdir(parents=True, exist_ok=True)
    mutator = choose_mutator(target, core.Mutate)
    atheris.Setup(
        [
            *(sys.argv[0], str(found), f"-seed_inputs={','.join(map(str, seeds))}"),
            *(f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=2048"),
            *(f"-artifact_prefix={WORK / target}-", f"-max_len={LARGEST}", "-print_final_stats=1"),
            "-seed=20261130",
        ],
        TARGETS[target],
        **({"custom_mutator": mutator} if mutator else {}),
    )
    atheris.Fuzz()


def read_log(text: str) -> dict[str, int]:
    """Read how many files were tried, and how many places of the code they reached."""
    tried = re.findall(r"stat::number_of_executed_units:\s+(\d+)", text)
    reached = re.findall(r"cov: (\d+)", text)
    return {"tried": int(tried[-1]) if tried else 0, "reached": int(reached[-1]) if reached else 0}


def tabulate(rows: Sequence[dict[str, Any]]) -> str:
    """Write what was tried for how long, and what it found."""
    lines = [
        "| files | minutes | tried | places of the code reached | crashes, hangs |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{r['target']}` | {r['seconds'] / 60:.0f} | {r['tried']:,} | {r['reached']:,} "
        f"| {r['found']} |"
        for r in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Fuzz every target for some minutes, a few at a time."""
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    # Nothing of Headway is imported before `hunt`.
    targets = ["csv", "fhir", "redcap", "rm5", "table", "xlsx", "yaml"]

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", nargs="+", default=targets, choices=targets)
    parser.add_argument("--minutes", type=float, default=10, help="for each")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--hunt", choices=targets, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    seconds = round(60 * asked.minutes)
    if asked.hunt:
        sys.argv[1:] = []
        hunt(asked.hunt, seconds)
        return
    WORK.mkdir(exist_ok=True)
    waiting, running, rows = list(asked.targets), {}, []
    while waiting or running:
        while waiting and len(running) < asked.jobs:
            target = waiting.pop(0)
            before = set(WORK.glob(f"{target}-*"))
            log = (WORK / f"{target}.log").open("w")
            process = subprocess.Popen(
                [sys.executable, __file__, "--hunt", target, "--minutes", str(asked.minutes)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
            running[process] = (target, before, time.monotonic())
        time.sleep(1)
        for process in [p for p in running if p.poll() is not None]:
            target, before, began = running.pop(process)
            text = (WORK / f"{target}.log").read_text(encoding="utf-8", errors="replace")
            found = len({*WORK.glob(f"{target}-*")} - before)
            rows.append({"target": target, "seconds": time.monotonic() - began, "found": found})
            rows[-1] |= read_log(text)
            print(json.dumps(rows[-1]), flush=True)
    begin, end = "<!-- fuzzing: begin -->", "<!-- fuzzing: end -->"
    text = DOCS.read_text(encoding="utf-8")
    before_it, _, rest = text.partition(begin)
    after_it = rest.partition(end)[2]
    table = tabulate(sorted(rows, key=lambda r: r["target"]))
    DOCS.write_text(f"{before_it}{begin}\n{table}\n{end}{after_it}", encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
