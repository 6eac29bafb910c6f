"""How often the interval of a share of sessions covers: python benchmarks/clustered.py.

Patients have 1 to 12 sessions; their shares are beta-distributed around the true share with the
given intraclass correlation. Beside the interval of `headway.outcomes.care.clustered` stands
Wilson's, which takes sessions as independent. Writes docs/clustered.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from headway.outcomes.care import clustered
from headway.outcomes.change.change import wilson

RUNS = 2000
SEED = 20260101
PATIENTS = (5, 10, 20, 40, 120)
SHARES = (0.02, 0.1, 0.3, 0.5, 0.9)
CORRELATIONS = (0.05, 0.3)

HEAD = f"""\
# Intervals of shares of sessions

Sessions of one patient are alike. Share of {RUNS} simulated clinics in which the 95 % interval of a
share of sessions holds the truth, in percent: clustered by patient as in `safety.csv` and
`claims.csv` (logit, linearised variance, t; the rule of three over patients where nothing or
everything happened), and Wilson's over sessions, which is not used. Monte Carlo error of 95 %: 0.5.
Clinics without an interval (one share in all patients) count as not covered. Made by
`python benchmarks/clustered.py`.

| patients | share | intraclass correlation | clustered | none or all seen | Wilson over sessions |
|---|---|---|---|---|---|
"""


def main() -> None:
    """Run the grid and write the page."""
    rng = np.random.default_rng(SEED)
    lines = []
    for k in PATIENTS:
        for p in SHARES:
            for icc in CORRELATIONS:
                hits = naive = none = 0
                for _ in range(RUNS):
                    m = rng.integers(1, 13, k)
                    own = rng.beta(p * (1 - icc) / icc, (1 - p) * (1 - icc) / icc, k)
                    patient = np.repeat(np.arange(k), m)
                    y = (rng.random(len(patient)) < own[patient]).astype(float)
                    found = clustered.share(y, patient)
                    hits += found.ci_low <= p <= found.ci_high
                    none += found.interval.startswith(clustered.RULE_OF_THREE)
                    low, high = wilson(y.sum(), len(y))
                    naive += bool(low <= p <= high)
                share = [f"{100 * x / RUNS:.1f}" for x in (hits, none, naive)]
                lines.append(f"| {k} | {p:g} | {icc:g} | {' | '.join(share)} |\n")
    page = Path(__file__).resolve().parents[1] / "docs" / "clustered.md"
    page.write_text(HEAD + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
