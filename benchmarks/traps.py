"""Count how often the traps of synthetic clinics are flagged, and how often clean clinics are.

python benchmarks/traps.py [--seeds 200] [--first 1] [--only SCENARIO ...] [--patients 150]

Writes the rows of docs/traps.md that it counts. Seeded: the same settings give the same numbers.
200 seeds take about twenty minutes in one process; rows that hardly vary take a quarter of them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from headway.config.clinic import Clinic

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "src"))

from headway import config, disclosure, tables  # noqa: E402
from headway import simulate as sim  # noqa: E402
from headway.errors import InputError, RefusedError  # noqa: E402
from headway.ingest import clinics  # noqa: E402
from headway.outcomes.change import cohort  # noqa: E402
from headway.outcomes.change import windows as windows_of  # noqa: E402
from headway.outcomes.change.change import wilson  # noqa: E402
from headway.outcomes.expectation import traps  # noqa: E402

PAGE = ROOT / "docs" / "traps.md"
START, END = "<!-- tables: begin -->", "<!-- tables: end -->"
SEEDS, FIRST, PATIENTS = 200, 1, 150
KEPT_CLEAN = {"windows_file.kept": 1, "remarks.kept": 1}
PRESETS = ("opensafely", "nhs", "cms")


def write_settings(folder: Path, clinic: sim.SimulatedClinic, *files: str) -> Clinic:
    """Write the clinic.yaml of some of a clinic's files and read it with its defaults."""
    document = sim.describe_clinic(clinic, "synthetic")
    document["files"] = {k: v for k, v in document["files"].items() if not files or k in files}
    document["bootstrap"] = {"replicates": 200, "seed": 1}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "clinic.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return config.load_clinic(folder)


def process(clinic: sim.SimulatedClinic, folder: Path, *, per_ten: float = 1.0) -> None:
    """Write the processed tables of a clinic as ingestion does, without its files.

    A test holds the traps found in them against those found by way of the files. `per_ten` is
    the factor of the unit of intensity that clinic.yaml declares.
    """
    t = clinic.tables
    known = set(t["patients"]["patient_id"])
    diary = t["diary"].drop_duplicates()
    diary = diary[diary["patient_id"].isin(known)].copy()
    score = per_ten * diary["intensity"]
    outside = score > 10
    lines = diary.index[outside] + 2
    diary["intensity"] = score.mask(outside)
    sessions = t["sessions"].rename(
        columns={"retention_min": "retention_minutes", "soreness_how": "soreness_reported"}
    )
    sessions = sessions.drop(columns=["assessments", "rotation_deg", "remark"], errors="ignore")
    sessions["minutes"] = sessions["minutes"].mask(sessions["minutes"] < 0)
    for column in ("insured", "homework_given", "homework_done"):
        sessions[column] = sessions[column].map({"yes": 1, "no": 0})
    sessions = sessions.assign(currency="USD", line=np.arange(len(sessions)) + 2)
    asked = t["questionnaires"]
    asked = asked.assign(line=np.arange(len(asked)) + 2)
    wide = pd.DataFrame(columns=["patient_id", "window", "outcome", "value"])
    for name, frame in (
        ("patients", t["patients"]),
        ("sessions", sessions),
        ("days", diary),
        ("questionnaires", asked),
    ):
        tables.write_parquet(tables.conform(name, frame, check=False), folder / f"{name}.parquet")
    given = wide.astype({"value": "float64"}).assign(line=pd.Series(dtype="int64"))
    tables.write_parquet(given, folder / "given_windows.parquet")
    quarantine = pd.DataFrame(
        {
            "file": "diary.csv",
            "line": lines,
            "column": sim.COLUMNS["diary"]["intensity"],
            "rule": "out_of_range",
            "scope": "cell",
        }
    )
    tables.write_csv(tables.conform("quarantine", quarantine), folder / "quarantine.csv")


def look(folder: Path, clinic: Clinic, *, asked: bool = True) -> pd.DataFrame:
    """Look for traps in processed tables; `asked=False` takes the visits' answers away."""
    sessions = tables.read_parquet(folder / "sessions.parquet")
    if not asked:
        sessions["headache_days_28"] = np.nan
        tables.write_parquet(sessions, folder / "sessions.parquet")
    courses = windows_of.find_courses(sessions, clinic.course.gap_weeks)
    parts = [windows_of.build_diary_windows(folder / "days.parquet", clinic, courses, threads=1)]
    sources = {"diary"}
    if asked:
        parts.append(windows_of.build_visit_windows(sessions, clinic))
        sources.add("visit")
    windows = pd.concat(parts, ignore_index=True)
    comparisons = windows_of.list_comparisons(clinic, sources)
    starters = cohort.find_starters(folder)
    return traps.build_traps(folder, clinic, windows, starters, comparisons)


def look_at(
    folder: Path, clinic: sim.SimulatedClinic, *, asked: bool = True, per_ten: float = 1.0
) -> pd.DataFrame:
    """Look for traps in a simulated clinic, without its files."""
    settings = write_settings(folder, clinic)
    process(clinic, folder, per_ten=per_ten)
    return look(folder, settings, asked=asked)


@dataclass
class Tally:
    """How often each finding came up in how many clinics."""

    hits: dict[str, int] = field(default_factory=dict)
    of: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, hit: bool) -> None:
        """Count one clinic."""
        self.hits[name] = self.hits.get(name, 0) + bool(hit)
        self.of[name] = self.of.get(name, 0) + 1


def refused(folder: Path, clinic: sim.SimulatedClinic, file: str) -> tuple[set[str], int]:
    """Read one file as ingestion does; the rules that refused it and the largest count."""
    settings = write_settings(folder, clinic, file)
    sim.write_clinic(clinic, folder)
    try:
        with clinics.judged(folder, settings, folder / "scratch", threads=1):
            return set(), 0
    except (InputError, RefusedError) as error:
        found = error.problems
        return {p.rule for p in found}, max(p.count or 0 for p in found)


def leaks_of(found: Mapping[str, pd.DataFrame], preset: str) -> tuple[int, int]:
    """Count the small cells of a clinic, and those of them that its released tables show.

    Looked at are people in groups: n and, for shares, the count, from 1 to the preset's limit.
    """
    rule = disclosure.PRESETS[preset]
    names = ("cohort", "flow", "individual", "lost", "window_means", "change_histogram")
    before = {name: found[name] for name in (*names, "change_lines")}
    after = disclosure.release(before, rule)
    small = shown = 0
    for name in names:
        people = [c for c in after[name] if c.split("_")[0] in ("n", "of", "count")]
        for column in people:
            small += int(before[name][column].between(1, rule.redact_up_to).sum())
            shown += int(after[name][column].between(1, rule.redact_up_to).sum())
    table, released = before["cohort"], after["cohort"]
    few = table["n"].between(1, rule.redact_up_to).to_numpy()
    numbers = released.loc[few, ["estimate", "ci_low", "ci_high", "count"]]
    return small, shown + int(numbers.notna().any(axis=1).sum()) + len(after["change_lines"])


def run(name: str, seeds: Iterable[int], patients: int, scratch: Path) -> Tally:
    """Simulate the clinics of one row of the page and count what is flagged."""
    tally = Tally()
    scenario, _, variant = name.partition(" ")
    for seed in seeds:
        own = KEPT_CLEAN if variant == "(more files)" else {}
        clinic = sim.simulate_clinic(
            n_patients=patients, seed=seed, scenario=scenario, parameters=own
        )
        with tempfile.TemporaryDirectory(dir=scratch) as temporary:
            folder = Path(temporary)
            if scenario == "zero_coded_missing" or variant == "(more files)":
                rules, count = refused(folder / "w", clinic, "windows")
                tally.add("zero_coded_missing", "zero_coded_missing" in rules)
                if scenario == "zero_coded_missing":
                    whole = count == clinic.truth["planted"]["zero_coded_windows"]
                    tally.add("all of the lost counted", whole)
            if scenario == "identifier_leak" or variant == "(more files)":
                rules, _ = refused(folder / "s", clinic, "sessions")
                kind = clinic.truth["planted"]["identifier"]
                tally.add("refused by the gate", bool(rules))
                if kind:
                    tally.add(f"refused by the gate: {kind}", bool(rules))
            if scenario in ("zero_coded_missing", "identifier_leak") or variant == "(more files)":
                continue
            if scenario == "small_cells":
                settings = write_settings(folder, clinic)
                process(clinic, folder)
                found = cohort.analyse_clinic(folder, settings, threads=1)
                for preset in PRESETS:
                    small, shown = leaks_of(found, preset)
                    tally.add(f"has small cells ({preset})", small > 0)
                    tally.add(f"all suppressed ({preset})", shown == 0)
                continue
            table = look_at(
                folder,
                clinic,
                asked=variant != "(no answers)",
                per_ten=0.1 if variant == "(declared 0-100)" else 1.0,
            ).set_index("id")
            for id, row in table.iterrows():
                tally.add(str(id), row["flagged"])
                tally.add(f"{id} seen", not np.isnan(row["n"]))
    return tally


ROWS: dict[str, tuple[str, ...]] = {
    "zero_coded_missing": ("zero_coded_missing", "all of the lost counted"),
    "zero_coded_sessions": ("zero_coded_missing",),
    "zero_coded_diary": ("zero_coded_missing",),
    "unit_mix": ("unit_mix",),
    "unit_mix (declared 0-100)": ("unit_mix",),
    "mnar_diary": ("mnar_diary",),
    "dropout_if_not_better": ("dropout_if_not_better",),
    "mnar_diary (no answers)": ("mnar_diary", "mnar_diary seen"),
    "dropout_if_not_better (no answers)": (
        "dropout_if_not_better",
        "dropout_if_not_better seen",
    ),
    "identifier_leak": (
        "refused by the gate",
        "refused by the gate: email",
        "refused by the gate: phone",
        "refused by the gate: name",
    ),
    "small_cells": tuple(
        f"{what} ({preset})" for preset in PRESETS for what in ("has small cells", "all suppressed")
    ),
    "real_effect": ("zero_coded_missing", "unit_mix", "mnar_diary", "dropout_if_not_better"),
    "real_effect (more files)": ("zero_coded_missing", "refused by the gate"),
    "null_rtm": ("zero_coded_missing", "unit_mix", "mnar_diary", "dropout_if_not_better"),
}
"""Row of the page -> what is counted in it."""


# Whether a source is there, and whether a rule of suppression holds, is hardly left to chance.
FEWER = ("mnar_diary (no answers)", "dropout_if_not_better (no answers)", "small_cells")


def write_rows(name: str, tally: Tally) -> list[str]:
    """Return the rates of one scenario as rows of Markdown."""
    lines = []
    for finding in ROWS[name]:
        n = tally.of.get(finding, 0)
        if n:
            hits = tally.hits[finding]
            low, high = (float(100 * x) for x in wilson(hits, n))
            lines.append(
                f"| {name} | {finding} | {hits} of {n} | {100 * hits / n:.1f} | "
                f"{low:.1f} to {high:.1f} |"
            )
    return lines


def update_page(text: str, name: str, rows: list[str], patients: int) -> str:
    """Put a scenario's rows into the page, in the order of `ROWS`, in place of its old ones."""
    before, table, after = text.split(START)[0], *text.split(START)[1].split(END)
    found: dict[str, list[str]] = {}
    for line in table.splitlines():
        known = line.split(" | ")[0].removeprefix("| ")
        if known in ROWS:
            found.setdefault(known, []).append(line)
    found[name] = rows
    head = [
        f"Clinics of {patients} people; 95 % intervals by Wilson.",
        "",
        "| scenario | finding | clinics | in percent | interval |",
        "|---|---|---|---|---|",
    ]
    lines = head + [line for known in ROWS for line in found.get(known, [])]
    return f"{before}{START}\n" + "\n".join(lines) + f"\n{END}{after}"


def main() -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first", type=int, default=FIRST)
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--only", nargs="+", choices=list(ROWS), metavar="SCENARIO")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for name in options.only or ROWS:
            number = -(-options.seeds // 4) if name in FEWER else options.seeds
            seeds = range(options.first, options.first + number)
            rows = write_rows(name, run(name, seeds, options.patients, Path(temporary)))
            print("\n".join(rows), flush=True)
            text = PAGE.read_text(encoding="utf-8")
            page = update_page(text, name, rows, options.patients)
            PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
