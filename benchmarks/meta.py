"""Measure how fast the engine is beside R's metafor.

python benchmarks/meta.py [--quick]

Ratios of two programs in one run on one machine, interleaved and repeated; before anything is
timed, the answers of both are compared. The full run writes docs/benchmarks.md. metafor is timed at
its default settings, on part of the fits where all would take hours, which the table says.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "src"))

import headway  # noqa: E402
from headway import meta  # noqa: E402

PAGE = ROOT / "docs" / "benchmarks.md"
START, END = "<!-- meta: begin -->", "<!-- meta: end -->"
SEED = 20261123
# What did not converge in metafor at its default settings.
FAILED: dict[str, str] = {}


@dataclass(frozen=True)
class Row:
    """One line of the table: seconds per fit of both, and the range of their ratios."""

    what: str
    peer: str
    ours: float
    theirs: float
    ratios: list[float]

    def print(self) -> str:
        """Return the line."""
        return (
            f"| {self.what} | {self.peer} | {show(self.theirs)} | {show(self.ours)} | "
            f"{statistics.median(self.ratios):,.0f} × | "
            f"{min(self.ratios):,.0f} – {max(self.ratios):,.0f} |"
        )


def show(seconds: float) -> str:
    """Write a time in the unit that fits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def draw(rng: np.random.Generator, sets: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw sets of studies: unequal variances, tau² of their size."""
    v = rng.uniform(0.02, 0.3, (sets, k))
    return rng.normal(0.3, np.sqrt(v + 0.1)), v


def write(folder: Path, y: np.ndarray, v: np.ndarray) -> list[str]:
    """Write a batch for R and return the names of its files."""
    for name, array in (("y.csv", y), ("v.csv", v)):
        np.savetxt(folder / name, array, delimiter=",", fmt="%.17g")
    return ["y.csv", "v.csv"]


def run_r(folder: Path, *arguments: str) -> str:
    """Run metafor's side."""
    command = ["Rscript", "--vanilla", str(HERE / "meta.R"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout


def time_r(what: str, y: np.ndarray, v: np.ndarray, repeats: int) -> float:
    """Return metafor's seconds per call; note calls that did not converge."""
    with tempfile.TemporaryDirectory() as folder:
        names = write(Path(folder), y, v)
        seconds, failed = run_r(Path(folder), "time", what, *names, str(repeats)).split()
    if int(failed):
        FAILED[f"{what}, k = {y.shape[1]}"] = f"{failed} of {repeats}"
    return float(seconds)


def time_ours(call: Callable[[], object], fits: int, least: float) -> float:
    """Return our seconds per fit: the median of many short measurements, as on the other side."""
    call()
    started = time.perf_counter()
    call()
    calls = max(1, int(0.005 / (time.perf_counter() - started)))
    spent: list[float] = []
    while sum(spent) * calls < least or not spent:
        started = time.perf_counter()
        for _ in range(calls):
            call()
        spent.append((time.perf_counter() - started) / calls)
    return statistics.median(spent) / fits


def check_answers(sets: int, longest: int) -> float:
    """Compare all that is timed against metafor; return the worst difference, in widths."""
    rng = np.random.default_rng(SEED)
    worst = max(check_fits(*draw(rng, sets, 10)), check_fits(*draw(rng, 1, longest)))
    y, v = draw(rng, 1, 8)
    with tempfile.TemporaryDirectory() as folder:
        names = write(Path(folder), y, v)
        run_r(Path(folder), "subsets", *names, "out.csv")
        theirs = np.loadtxt(Path(folder) / "out.csv", delimiter=",")
    subsets = meta.gosh(y[0], v[0])
    # Theirs come in another order; a subset's number has one binary digit per study.
    theirs = theirs[np.argsort(theirs[:, :8] @ 2 ** np.arange(8))]
    if not np.array_equal(theirs[:, :8] == 1, subsets.members):
        raise AssertionError("the programs do not form the same subsets")
    ours = np.column_stack([subsets.estimate, subsets.tau2])
    worst = max(worst, float(np.max(np.abs(ours - theirs[:, 8:]))))
    if not worst < 1e-6:
        raise AssertionError(f"the programs do not agree: {worst:.1e}")
    return worst


def check_fits(y: np.ndarray, v: np.ndarray) -> float:
    """Return the worst difference of fits and Q-profile limits, in widths of the intervals."""
    with tempfile.TemporaryDirectory() as folder:
        names = write(Path(folder), y, v)
        run_r(Path(folder), "fits", *names, "out.csv")
        theirs = np.loadtxt(Path(folder) / "out.csv", delimiter=",", ndmin=2)
    fit = meta.pool(y, v, test="knha")
    limits = meta.confint_tau2(y, v)
    ours = np.column_stack(
        [fit.tau2, fit.estimate, fit.se, fit.ci_low, fit.pi_low, limits.tau2_low, limits.tau2_high]
    )
    width = np.column_stack(
        [v.mean(axis=1)] + [fit.ci_high - fit.ci_low] * 4 + [limits.tau2_high] * 2
    )
    return float(np.max(np.abs(ours - theirs) / width))


def compare(
    what: str,
    peer: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    repeats: int,
) -> Row:
    """Time both in turn, several times."""
    pairs = [(ours(), theirs()) for _ in range(repeats)]
    row = Row(
        what,
        peer,
        statistics.median(pair[0] for pair in pairs),
        statistics.median(pair[1] for pair in pairs),
        [pair[1] / pair[0] for pair in pairs],
    )
    print(row.print(), flush=True)
    return row


def measure(quick: bool) -> list[Row]:
    """Take all measurements."""
    rng = np.random.default_rng(SEED)
    repeats, least = (1, 0.01) if quick else (5, 1.0)
    sets, sample = (200, 10) if quick else (100_000, 1000)
    rows = []

    y, v = draw(rng, sets, 10)
    rows.append(
        compare(
            f"{sets:,} fits, k = 10: REML, Hartung-Knapp, prediction interval",
            f"metafor, {sample} of them",
            lambda: time_ours(lambda: meta.pool(y, v, test="knha"), sets, least),
            lambda: time_r("batch", y[:sample], v[:sample], sample),
            repeats,
        )
    )
    for k, times in ((10, 20 if quick else 500), (1000, 1 if quick else 3)):
        one_y, one_v = draw(rng, 1, k)
        rows.append(
            compare(
                f"one fit, k = {k:,}: REML, Hartung-Knapp",
                "metafor",
                lambda a=one_y[0], b=one_v[0]: time_ours(
                    lambda: meta.pool(a, b, test="knha"), 1, least
                ),
                lambda a=one_y, b=one_v, n=times: time_r("single", a, b, n),
                repeats,
            )
        )
    k = 8 if quick else 15
    some_y, some_v = draw(rng, 1, k)
    subsets = 2**k - 1
    drawn = 1000 if k == 15 else 100
    rows.append(
        compare(
            f"GOSH, k = {k}, all {subsets:,} subsets, REML",
            "metafor, 1,000 random subsets, scaled" if k == 15 else "metafor",
            lambda: time_ours(lambda: meta.gosh(some_y[0], some_v[0]), 1, least),
            lambda: time_r("gosh", some_y, some_v, 1) * subsets / (drawn if k == 15 else subsets),
            repeats,
        )
    )
    q_sets, q_sample = (100, 10) if quick else (10_000, 500)
    q_y, q_v = draw(rng, q_sets, 10)
    rows.append(
        compare(
            f"{q_sets:,} Q-profile intervals, k = 10",
            f"metafor, {q_sample} of them",
            lambda: time_ours(lambda: meta.confint_tau2(q_y, q_v), q_sets, least),
            lambda: time_r("qprofile", q_y[:q_sample], q_v[:q_sample], q_sample),
            repeats,
        )
    )
    rows.append(compare_statsmodels(rng, least, repeats))
    return rows


def compare_statsmodels(rng: np.random.Generator, least: float, repeats: int) -> Row:
    """Compare with the other Python library that pools: DerSimonian-Laird, Hartung-Knapp."""
    from statsmodels.stats.meta_analysis import combine_effects

    # It warns of intervals of single studies, which are not looked at.
    warnings.simplefilter("ignore")
    y, v = draw(rng, 1, 10)
    ours = meta.pool(y[0], v[0], method="DL", test="knha")
    theirs = combine_effects(y[0], v[0], method_re="chi2", use_t=True)
    assert abs(theirs.mean_effect_re - ours.estimate) < 1e-9
    return compare(
        "one fit, k = 10: DL, Hartung-Knapp",
        "statsmodels",
        lambda: time_ours(lambda: meta.pool(y[0], v[0], method="DL", test="knha"), 1, least),
        lambda: time_ours(
            lambda: combine_effects(y[0], v[0], method_re="chi2", use_t=True).summary_frame(),
            1,
            least,
        ),
        repeats,
    )


def describe_machine() -> list[str]:
    """Return machine and versions, a line each."""
    import statsmodels

    model = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*:\s*(.+)", info.read_text())
        model = found[1] if found else model
    versions = subprocess.run(
        [
            "Rscript",
            "-e",
            'cat(R.version.string, as.character(packageVersion("metafor")), sep="; metafor "); '
            # The folder tells the libraries apart: Debian gives all of them one file name.
            "blas <- sessionInfo()$BLAS; "
            'cat("; matrix products by", file.path(basename(dirname(blas)), basename(blas)))',
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [
        f"{os.cpu_count()} cores ({model}), {platform.system()}; one process, one thread of each",
        f"Headway {headway.__version__}; Python {platform.python_version()}, NumPy "
        f"{np.__version__}, SciPy {scipy.__version__}, statsmodels {statsmodels.__version__}",
        versions,
    ]


def main() -> None:
    """Compare, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run; writes nothing")
    quick = parser.parse_args().quick
    worst = check_answers(5, 100) if quick else check_answers(200, 1000)
    print(f"answers agree to {worst:.0e} of an interval's width")
    head = [
        "| what | peer | peer, per fit | Headway, per fit | median ratio | range |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(head))
    rows = measure(quick)
    if quick:
        return
    text = PAGE.read_text(encoding="utf-8")
    lines = [*head, *(row.print() for row in rows), ""]
    lines += [
        f"The answers of both agree to {worst:.0e} of an interval's width (200 sets, metafor at "
        "tight stopping rules). Five pairs of measurements taken in turn, each the median of many.",
        "",
        *(
            f"At default settings metafor did not converge in {count} ({what}); these are timed."
            for what, count in FAILED.items()
        ),
        "",
        *(f"- {line}" for line in describe_machine()),
    ]
    block = "\n".join(lines)
    before, after = text.split(START)[0], text.split(END)[1]
    PAGE.write_text(f"{before}{START}\n{block}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
