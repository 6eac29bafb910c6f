"""Simulate how often intervals cover and how far estimators of tau² are off.

python benchmarks/coverage.py [--replicates 20000]

Writes the tables of docs/coverage.md and docs/coverage.svg. Seeded: the same settings give the same
numbers. A few minutes in one process.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "src"))

from headway import meta  # noqa: E402

PAGE = ROOT / "docs" / "coverage.md"
FIGURE = ROOT / "docs" / "coverage.svg"
START, END = "<!-- tables: begin -->", "<!-- tables: end -->"
SEED = 20261123
REPLICATES = 20_000
# Spread of the sampling variances, on the log scale.
LOG_SD = 0.8
STUDIES = (3, 5, 10, 20)
# tau² in units of the typical sampling variance: I² of about 0, 25 and 75 %.
SPREADS = {"none": 0.0, "small": 1 / 3, "large": 3.0}
TESTS = ("z", "t", "knha", "adhoc", "kr")
CLASSIC_TESTS = ("z", "t", "knha", "adhoc")
# Also with one degree of freedom less in the prediction interval.
RILEY_TESTS = ("t", "adhoc")
METHODS = tuple(code for code in meta.METHODS if code not in ("EE", "GENQ"))


@dataclass(frozen=True)
class Cell:
    """One set of circumstances."""

    k: int
    spread: str
    equal: bool = False

    @property
    def tau2(self) -> float:
        """The true between-study variance."""
        return SPREADS[self.spread]


def digest_settings(replicates: int) -> str:
    """Return a short digest of all that the numbers follow from, for the page they stand on."""
    settings = (SEED, replicates, LOG_SD, list_cells(), TESTS, CLASSIC_TESTS, RILEY_TESTS, METHODS)
    settings = (*settings, sorted(SPREADS.items()))
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:12]


def list_cells() -> list[Cell]:
    """List all circumstances: unequal trials, and equal ones for the largest contrast."""
    cells = [Cell(k, spread) for k in STUDIES for spread in SPREADS]
    return cells + [Cell(5, spread, equal=True) for spread in SPREADS]


def draw(cell: Cell, replicates: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw effects and sampling variances of many meta-analyses with a true mean of 0.

    Variances are log-normal with an SD of 0.8 on the log scale, so that the largest of ten trials
    is some ten times the smallest, and are scaled so that their typical value is 1.
    """
    key = [SEED, cell.k, list(SPREADS).index(cell.spread), int(cell.equal)]
    rng = np.random.default_rng(key)
    shape = (replicates, cell.k)
    v = np.ones(shape) if cell.equal else np.exp(rng.normal(0, LOG_SD, shape))
    w = 1 / v
    total = w.sum(axis=1)
    typical = (cell.k - 1) * total / (total**2 - (w**2).sum(axis=1))
    v = v / typical[:, None]
    return rng.normal(0, np.sqrt(v + cell.tau2)), v


def cover(cell: Cell, replicates: int) -> dict[str, dict[str, float]]:
    """Return coverage and mean width of confidence and prediction intervals by test."""
    y, v = draw(cell, replicates)
    rng = np.random.default_rng([SEED, cell.k, 99])
    new = rng.normal(0, np.sqrt(cell.tau2), replicates)
    out: dict[str, dict[str, float]] = {}
    for test in TESTS:
        fit = meta.pool(y, v, method="REML", test=test)
        low, high = np.asarray(fit.ci_low), np.asarray(fit.ci_high)
        inside = (np.asarray(fit.pi_low) < new) & (new < np.asarray(fit.pi_high))
        out[test] = {
            "coverage": float(np.mean((low < 0) & (high > 0))),
            "width": float(np.median(high - low)),
            "prediction": float(np.mean(inside)),
        }
        if test == "z":
            wald = high - low
        elif test == "knha":
            out[test]["narrower"] = float(np.mean(high - low < wald))
        elif test == "adhoc":
            # On the boundary the estimate is 0 itself, not a small number.
            zero = np.asarray(fit.tau2) == 0
            out[test]["zero"] = float(np.mean(zero))
            out[test]["prediction at zero"] = float(np.mean(inside[zero])) if zero.any() else np.nan
    for test in RILEY_TESTS:
        fit = meta.pool(y, v, method="REML", test=test, prediction="riley")
        inside = (np.asarray(fit.pi_low) < new) & (new < np.asarray(fit.pi_high))
        out[test]["prediction k - 2"] = float(np.mean(inside))
    for test in CLASSIC_TESTS:
        fit = meta.pool(y, v, method="DL", test=test)
        hit = (np.asarray(fit.ci_low) < 0) & (np.asarray(fit.ci_high) > 0)
        out[f"DL {test}"] = {"coverage": float(np.mean(hit))}
    return out


def estimate(cell: Cell, replicates: int) -> dict[str, tuple[float, float]]:
    """Return bias and root mean squared error of each estimator of tau²."""
    y, v = draw(cell, replicates)
    out = {}
    for method in METHODS:
        error = np.asarray(meta.pool(y, v, method=method, test="z").tau2) - cell.tau2
        out[method] = (float(error.mean()), float(np.sqrt((error**2).mean())))
    return out


def show(cell: Cell) -> str:
    """Name a cell."""
    return f"{cell.k}, {cell.spread}" + (", equal trials" if cell.equal else "")


def write_tables(results: dict[Cell, Any], biases: dict[Cell, Any], replicates: int) -> str:
    """Return the tables as Markdown."""
    error, wider = (100 * np.sqrt(p * (1 - p) / replicates) for p in (0.95, 0.85))
    lines = [
        f"{replicates:,} replicates per row, seed {SEED}, settings {digest_settings(replicates)}; "
        f"Monte Carlo standard error of a coverage of 95 %: {error:.2f} points, of 85 %: "
        f"{wider:.2f}; of a bias: the root of (squared error in brackets less squared bias), over "
        f"{np.sqrt(replicates):.0f}.",
        "",
        "### Coverage of the 95 % confidence interval, in percent (REML; before it DL)",
        "",
        "| k, tau² | DL, z | DL, t | DL, knha | DL, adhoc | z | t | knha | adhoc | kr |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    order = (*(f"DL {test}" for test in CLASSIC_TESTS), *TESTS)
    for cell, result in results.items():
        row = " | ".join(f"{100 * result[test]['coverage']:.1f}" for test in order)
        lines.append(f"| {show(cell)} | {row} |")
    lines += [
        "",
        "### Median width relative to z; share of sets where knha is narrower than z, in percent",
        "",
        "| k, tau² | t | knha | adhoc | kr | knha narrower |",
        "|---|---|---|---|---|---|",
    ]
    for cell, result in results.items():
        base = result["z"]["width"]
        row = " | ".join(f"{result[test]['width'] / base:.2f}" for test in TESTS[1:])
        narrower = 100 * result["knha"]["narrower"]
        lines.append(f"| {show(cell)} | {row} | {narrower:.1f} |")
    lines += [
        "",
        "### Coverage of the 95 % prediction interval, in percent (REML)",
        "",
        "| k, tau² | z | t | knha | adhoc | kr | t, k − 2 df | adhoc, k − 2 df "
        "| sets with REML = 0 | adhoc in these |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for cell, result in results.items():
        shares = [result[test]["prediction"] for test in TESTS]
        shares += [result[test]["prediction k - 2"] for test in RILEY_TESTS]
        shares += [result["adhoc"]["zero"], result["adhoc"]["prediction at zero"]]
        lines.append(f"| {show(cell)} | " + " | ".join(f"{100 * s:.1f}" for s in shares) + " |")
    lines += [
        "",
        "### Bias of tau² (root mean squared error), in typical sampling variances",
        "",
        "| k, tau² (true) | " + " | ".join(METHODS) + " |",
        "|---" * (len(METHODS) + 1) + "|",
    ]
    for cell, result in biases.items():
        row = " | ".join(f"{bias:+.2f} ({rmse:.2f})" for bias, rmse in result.values())
        lines.append(f"| {show(cell)} ({cell.tau2:.2f}) | {row} |")
    return "\n".join(lines)


def draw_figure(results: dict[Cell, Any]) -> None:
    """Draw coverage against the number of studies, a panel per heterogeneity."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    marks = {"z": ("o", "#b34700"), "knha": ("s", "#0b5394"), "adhoc": ("D", "#111111")}
    marks["kr"] = ("^", "#6a6a6a")
    labels = {"z": "z", "knha": "Hartung–Knapp", "adhoc": "with floor", "kr": "Kenward–Roger"}
    pyplot.rcParams.update({"svg.hashsalt": "headway", "font.size": 9})
    figure, axes = pyplot.subplots(1, 3, figsize=(9.5, 3.6), sharey=True, layout="constrained")
    for ax, spread in zip(axes, SPREADS, strict=True):
        ax.axhline(95, color="#999999", linewidth=0.8)
        for i, (test, (mark, colour)) in enumerate(marks.items()):
            values = [100 * results[Cell(k, spread)][test]["coverage"] for k in STUDIES]
            # Beside each other, so that points of equal coverage are seen.
            place = np.arange(len(STUDIES)) + 0.1 * (i - 1.5)
            ax.plot(place, values, marker=mark, color=colour, linewidth=1.1, label=labels[test])
        ax.set_xticks(range(len(STUDIES)), [str(k) for k in STUDIES])
        ax.set_xlabel("studies")
        ax.set_title({"none": "no", "small": "small", "large": "large"}[spread] + " heterogeneity")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("coverage of the 95 % interval, %")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.savefig(FIGURE, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    replicates = parser.parse_args().replicates
    results, biases = {}, {}
    for cell in list_cells():
        results[cell] = cover(cell, replicates)
        biases[cell] = estimate(cell, replicates)
        print(
            show(cell), {t: round(r["coverage"], 3) for t, r in results[cell].items()}, flush=True
        )
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(START)[0], text.split(END)[1]
    tables = write_tables(results, biases, replicates)
    PAGE.write_text(f"{before}{START}\n{tables}\n{END}{after}", encoding="utf-8")
    draw_figure(results)


if __name__ == "__main__":
    main()
