"""Attack the released tables of many simulated clinics with integer programmes.

python benchmarks/disclosure.py [--seeds 1]

Writes the table of docs/disclosure.md: per preset, scenario and number of people the small counts
that are not printed, how many were recovered, what hiding small numbers alone would have lost, and
how much of the cohort is printed either way. Seeded; about 10 s a clinic.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from headway.disclosure import PRESETS, Preset, release  # noqa: E402
from headway.disclosure.suppress import Ledger  # noqa: E402
from headway.tables import write_text  # noqa: E402
from tests.unit.disclosure_attack import attack  # noqa: E402
from tests.unit.simulated_clinic import simulated  # noqa: E402

PAGE = ROOT / "docs" / "disclosure.md"
START, END = "<!-- table: begin -->", "<!-- table: end -->"
PEOPLE = (12, 25, 60, 150)
SCENARIOS = ("real_effect", "small_cells", "therapist_outlier")
RULES = ("opensafely", "cms")  # nhs has the numbers of opensafely
ENOUGH = 20  # recovered counts at which the attack on the naive tables stops


def judge(
    people: int, seed: int, scenario: str, rules: Preset
) -> tuple[int, int, int, float, float]:
    """Attack one clinic: targets, recovered, recovered of the naive tables, both shares printed."""
    _, found = simulated(people, seed, scenario)
    out = release(found, rules)
    adversary = attack(out, found, rules)
    recovered = len(adversary.run(seed))
    with patch.object(Ledger, "protect", lambda self: self.hidden):
        naive = release(found, rules)
    lost = len(attack(naive, found, rules).run(seed, enough=ENOUGH))
    printed, before = (float((~t["cohort"]["redacted"]).mean()) for t in (out, naive))
    return len(adversary.targets()), recovered, lost, before, printed


def main() -> int:
    """Write the table; the exit code is 1 if any count was recovered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    seeds = range(1, parser.parse_args().seeds + 1)
    rows: dict[tuple[str, str, int], list[tuple[int, int, int, float, float]]] = {}
    worst = 0
    for people in PEOPLE:
        for scenario in SCENARIOS:
            for seed in seeds:
                for preset in RULES:
                    one = judge(people, seed, scenario, PRESETS[preset])
                    rows.setdefault((preset, scenario, people), []).append(one)
                simulated.cache_clear()
            worst = write_page(rows)
            print(people, scenario, worst, flush=True)
    return int(worst > 0)


def write_page(rows: dict[tuple[str, str, int], list[tuple[int, int, int, float, float]]]) -> int:
    """Write the table of what has been attacked so far; returns how many were recovered."""
    lines = [
        "| Preset | Scenario | People | Small counts | Recovered | Recovered where only small "
        f"counts are hidden (at most {ENOUGH} a clinic) | Rows of the cohort printed: only small "
        "hidden | all rules |",
        "|---|---|---|---|---|---|---|---|",
    ]
    worst = 0
    for (preset, scenario, people), ones in sorted(rows.items()):
        targets, recovered, lost = (sum(o[k] for o in ones) for k in range(3))
        before, printed = (sum(o[k] for o in ones) / len(ones) for k in (3, 4))
        worst += recovered
        cells = (preset, f"`{scenario}`", people, targets, recovered, lost)
        cells += (f"{before:.0%}", f"{printed:.0%}")
        lines.append("| " + " | ".join(str(c) for c in cells) + " |")
    head, rest = PAGE.read_text(encoding="utf-8").split(START)
    table = "\n".join(lines)
    write_text(f"{head}{START}\n{table}\n{END}{rest.split(END)[1]}", PAGE)
    return worst


if __name__ == "__main__":
    sys.exit(main())
