"""Attack the released tables of many clinics with integer programmes.

python benchmarks/disclosure.py [--seeds 2]

Writes the table of docs/disclosure.md: per preset and kind of clinic the small counts that are not
printed, how many were recovered, what hiding small numbers alone would have lost, and how many
cells are printed either way. The adversary knows the definitions and has learned from all these
clinics which cells agree or add up (`tests/unit/disclosure_attack_values.py`). Seeded; about
15 s a clinic.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from unittest.mock import patch

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from headway.disclosure import Preset, choose_preset, release  # noqa: E402
from headway.disclosure.suppress import Ledger  # noqa: E402
from headway.tables import RELEASED, TABLES, write_text  # noqa: E402
from tests.unit.disclosure_attack import Learned, attack  # noqa: E402
from tests.unit.disclosure_attack_values import learn  # noqa: E402
from tests.unit.pages_builder import analysed  # noqa: E402
from tests.unit.simulated_clinic import simulated  # noqa: E402
from tests.unit.small_clinics import SMALL, small_clinic  # noqa: E402

PAGE = ROOT / "docs" / "disclosure.md"
START, END = "<!-- table: begin -->", "<!-- table: end -->"
PEOPLE = (12, 25, 60, 150)
SCENARIOS = ("real_effect", "small_cells", "therapist_outlier")
SHIPPED = ("demo", "kostecki_dillon_1999")
RULES = ("cms", "opensafely", "nhs")  # the last two have the same numbers: one row
ENOUGH = 20  # recovered counts at which the attack on the naive tables stops
HEADS = (
    "Preset",
    "Clinics",
    "How many",
    "Small counts",
    "Recovered",
    f"Recovered where only small counts are hidden (at most {ENOUGH} a clinic)",
    "Cells printed, all tables: only small hidden",
    "all rules",
    "Cells printed, `cohort`: only small hidden",
    "all rules",
)
Tables = Mapping[str, pd.DataFrame]
NUMBERS = ("count", "share", "estimate")


@dataclass(frozen=True, slots=True)
class Clinic:
    """A clinic before disclosure control: its kind is its row of the table."""

    kind: str
    seed: int
    tables: Tables


@dataclass(slots=True)
class Found:
    """What the attack made of one clinic, or of the clinics of a row; cells: printed of all."""

    clinics: int = 0
    targets: int = 0
    recovered: int = 0
    lost: int = 0
    before: int = 0
    after: int = 0
    cells: int = 0
    cohort_before: int = 0
    cohort_after: int = 0
    cohort_cells: int = 0

    def add(self, other: Found) -> None:
        """Take another clinic into the row."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


def list_clinics(seeds: int) -> Iterator[Clinic]:
    """List every clinic: simulated ones of each size, small ones, and those that are shipped."""
    for people in PEOPLE:
        for scenario in SCENARIOS:
            for seed in range(1, seeds + 1):
                kind = f"{people} people, `{scenario}`"
                yield Clinic(kind, seed, simulated(people, seed, scenario)[1])
    for i in range(len(SMALL)):
        yield Clinic("24 to 70 people, small groups of every kind", i, small_clinic(i)[1])
    for name in SHIPPED:
        found = analysed(name)[1]
        yield Clinic(f"shipped: `{name}`", 1, {table: found[table] for table in RELEASED})


def learn_all(clinics: list[Clinic]) -> Learned:
    """Learn from the simulated clinics, from the small ones, and from all of them."""
    equal, sums = [], []
    simulated_, small = ([c for c in clinics if ("small" in c.kind) == s] for s in (False, True))
    for some in (simulated_, small, clinics):
        one = learn([c.tables for c in some])
        equal += one[0]
        sums += one[1]
    return equal, list(dict.fromkeys(sums))


def count_cells(tables: Tables) -> int:
    """Count the cells of a clinic that hold a number of people or one computed from them."""
    out = 0
    for name, frame in tables.items():
        rules = TABLES[name].columns
        own = [c for c, r in rules.items() if r.disclosure.kind in NUMBERS and r.kind != "text"]
        out += int(frame[own].notna().sum().sum()) if name != "change_lines" else 0
    return out


def judge(clinic: Clinic, rules: Preset, learned: Learned) -> Found:
    """Attack one clinic as it is released, and as it would be if only small counts were hidden."""
    found = clinic.tables
    out = release(found, rules)
    adversary = attack(out, found, rules, learned)
    recovered = adversary.run(clinic.seed)
    for name, value in recovered.items():
        print("RECOVERED", clinic.kind, clinic.seed, rules.name, name, value, flush=True)
    with patch.object(Ledger, "protect", lambda self: self.hidden):
        naive = release(found, rules)
    lost = attack(naive, found, rules, learned).run(clinic.seed, enough=ENOUGH)
    ends = [[{"cohort": t["cohort"]} for t in (naive, out, found)], [naive, out, found]]
    cohort, every = ([count_cells(t) for t in tables] for tables in ends)
    return Found(1, len(adversary.targets()), len(recovered), len(lost), *every, *cohort)


def list_rules() -> dict[str, Preset]:
    """List the presets as they are used, each set of numbers once."""
    by: dict[tuple[int, int], list[Preset]] = {}
    for name in RULES:
        rules = choose_preset(name)
        by.setdefault((rules.redact_up_to, rules.round_to), []).append(rules)
    out = {}
    for alike in by.values():
        out[", ".join(r.name for r in alike)] = alike[0]
    return out


def main() -> int:
    """Write the table; the exit code is 1 if any count was recovered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    clinics = list(list_clinics(parser.parse_args().seeds))
    learned = learn_all(clinics)
    print(len(clinics), "clinics;", len(learned[0]), "sets,", len(learned[1]), "sums", flush=True)
    rows: dict[tuple[str, str], Found] = {}
    for clinic in clinics:
        for name, rules in list_rules().items():
            row = rows.setdefault((name, clinic.kind), Found())
            row.add(judge(clinic, rules, learned))
        print(clinic.kind, clinic.seed, astuple(row), flush=True)
    write_text(write_page(rows, PAGE.read_text(encoding="utf-8")), PAGE)
    return int(any(row.recovered for row in rows.values()))


def write_page(rows: Mapping[tuple[str, str], Found], page: str) -> str:
    """Write the table into the text of the page."""
    lines = ["| " + " | ".join(HEADS) + " |", "|---" * len(HEADS) + "|"]
    order = {preset: i for i, preset in enumerate(dict.fromkeys(preset for preset, _ in rows))}
    for (preset, kind), r in sorted(rows.items(), key=lambda row: order[row[0][0]]):
        cells = (preset, kind, r.clinics, r.targets, r.recovered, r.lost)
        shares = [(r.before, r.cells), (r.after, r.cells)]
        shares += [(r.cohort_before, r.cohort_cells), (r.cohort_after, r.cohort_cells)]
        shown = (f"{printed / of:.0%}" for printed, of in shares)
        lines.append("| " + " | ".join(str(c) for c in (*cells, *shown)) + " |")
    head, rest = page.split(START)
    table = "\n".join(lines)
    return f"{head}{START}\n{table}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    sys.exit(main())
