"""Measure how fast the Bayesian engine is: python benchmarks/bayes.py [--sets 10000].

One process, one thread of each library. Prints the seconds of one batch of sets of ten studies, all
of it: intervals, shortest intervals, a new trial, and every trial's own effect.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

import numpy as np  # noqa: E402

from headway.meta import bayes  # noqa: E402

SEED = 20261130


def main() -> None:
    """Draw, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=10_000)
    sets = parser.parse_args().sets
    rng = np.random.default_rng(SEED)
    v = rng.uniform(0.02, 0.3, (sets, 10))
    y = rng.normal(0.3, np.sqrt(v + 0.1))
    priors = {
        "half-normal, flat": (bayes.HalfNormal(0.5), None),
        "half-Cauchy, normal": (bayes.HalfCauchy(0.5), bayes.Normal(0, 2)),
        "log-normal, flat": (bayes.turner(), None),
    }
    for what, (tau, mu) in priors.items():
        started, used = time.perf_counter(), time.process_time()
        fit = bayes.pool_bayes(y, v, tau=tau, mu=mu)
        wall, cpu = time.perf_counter() - started, time.process_time() - used
        print(
            f"{sets:,} fits, k = 10 ({what}): {wall:.1f} s, of them {cpu:.1f} s of computing; "
            f"largest difference from half the nodes {np.max(fit.error):.0e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
