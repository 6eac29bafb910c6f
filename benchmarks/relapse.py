"""Simulate how often the limits of the mean time without relapse cover the truth.

python benchmarks/relapse.py [--runs 1000]

Writes the table of docs/relapse.md. Seeded; a few minutes in one process.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "src"))

from headway.outcomes.care.turnbull import estimate_free, fit_turnbull, restrict_mean  # noqa: E402

PAGE = ROOT / "docs" / "relapse.md"
START, END = "<!-- table: begin -->", "<!-- table: end -->"
SEED = 20261130
WINDOW, WINDOWS, MISSED = 28, 8, 0.2
SIZES = (20, 40, 100)
HORIZONS = (28, 84, 168)
Array = np.ndarray
# Days to relapse: how they are drawn, and the share without relapse at each day.
COURSES: dict[str, tuple[Callable[[np.random.Generator, int], Array], Callable[[Array], Array]]] = {
    "as likely in every window (mean 150 days)": (
        lambda rng, n: rng.exponential(150, n),
        lambda t: np.exp(-t / 150),
    ),
    "ever likelier (Weibull, shape 1.8, scale 160)": (
        lambda rng, n: 160 * rng.weibull(1.8, n),
        lambda t: np.exp(-((t / 160) ** 1.8)),
    ),
    "six in ten early (mean 40 days; others 600)": (
        lambda rng, n: np.where(
            rng.random(n) < 0.6, rng.exponential(40, n), rng.exponential(600, n)
        ),
        lambda t: 0.6 * np.exp(-t / 40) + 0.4 * np.exp(-t / 600),
    ),
}


def look(rng: np.random.Generator, days: Array) -> tuple[Array, Array]:
    """Look at people at the end of each window, but for missed ones, until they leave."""
    number = np.arange(1, WINDOWS + 1)
    seen = rng.random((len(days), WINDOWS)) >= MISSED
    seen &= number <= rng.integers(1, WINDOWS + 4, len(days))[:, None]
    happened = number * WINDOW >= days[:, None]
    left = np.where(seen & ~happened, number, 0).max(axis=1)
    right = np.where(seen & happened, number, WINDOWS + 1).min(axis=1)
    return WINDOW * left, np.where(right > WINDOWS, np.inf, WINDOW * right)


def simulate(runs: int) -> list[str]:
    """Count, for every course, horizon and number of people, how often limits cover."""
    lines = [
        "| relapse | horizon, days | true mean | " + " | ".join(f"n = {n}" for n in SIZES) + " |",
        "|---|---|---|" + "---|" * len(SIZES),
    ]
    grid = WINDOW * np.arange(WINDOWS + 1)
    for name, (draw, free) in COURSES.items():
        for horizon in HORIZONS:
            fine = np.linspace(0, horizon, 10_001)
            truth, share = float(np.trapezoid(free(fine), fine)), float(free(np.array(horizon)))
            cells = []
            for n in SIZES:
                rng = np.random.default_rng([SEED, n, horizon])
                found = []
                for _ in range(runs):
                    fit = fit_turnbull(*look(rng, draw(rng, n)), grid=grid)
                    if not fit.is_known(horizon):
                        continue
                    mean, at = restrict_mean(fit, horizon), estimate_free(fit, horizon)
                    found.append(
                        (
                            mean.ci_low <= truth <= mean.ci_high,
                            at.ci_low <= share <= at.ci_high,
                        )
                    )
                cover = 100 * np.mean(found, axis=0)
                cells.append(f"{cover[0]:.1f} / {cover[1]:.1f}")
            lines.append(f"| {name} | {horizon} | {truth:.1f} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Simulate, and write the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    text = PAGE.read_text(encoding="utf-8")
    before, after = text[: text.index(START) + len(START)], text[text.index(END) :]
    table = "\n".join(simulate(runs))
    PAGE.write_text(f"{before}\n\n{table}\n\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
