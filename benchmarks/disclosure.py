"""Attack the released tables of many simulated clinics with integer programmes.

python benchmarks/disclosure.py [--seeds 4]

Prints, per preset and number of people: clinics, small counts that are not printed, how many of
them were recovered, and how much of the cohort is printed. Seeded; about 10 s a clinic.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from headway.disclosure import PRESETS, release  # noqa: E402
from tests.unit.disclosure_attack import attack  # noqa: E402
from tests.unit.simulated_clinic import simulated  # noqa: E402

PEOPLE = (12, 15, 18, 21, 25, 33, 40, 50, 60, 75, 90, 120, 150)


def main() -> int:
    """Print the table; the exit code is 1 if any count was recovered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    seeds = range(1, parser.parse_args().seeds + 1)
    print("| Preset | People | Clinics | Small counts | Recovered | Rows printed |")
    print("|---|---|---|---|---|---|")
    worst = 0
    for people in PEOPLE:
        for preset in ("opensafely", "cms"):
            targets = recovered = printed = rows = 0
            for seed in seeds:
                _, found = simulated(people, seed)
                out = release(found, PRESETS[preset])
                adversary = attack(out, found, PRESETS[preset])
                targets += len(adversary.targets())
                recovered += len(adversary.run(seed))
                printed += int((~out["cohort"]["redacted"]).sum())
                rows += len(out["cohort"])
            worst += recovered
            cells = (preset, people, len(seeds), targets, recovered, f"{printed / rows:.0%}")
            print("| " + " | ".join(str(c) for c in cells) + " |", flush=True)
    return int(worst > 0)


if __name__ == "__main__":
    sys.exit(main())
