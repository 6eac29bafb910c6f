"""Measure how fast a network of treatments is pooled beside R's metafor.

python benchmarks/network.py [--quick]

A made-up network of 50 treatments and 200 trials, every fifth of three arms: contrasts and their
covariances go to `headway.meta.network.pool_network` and to metafor's rma.mv, in turn on one
machine, both on one thread; the answers of both are compared first. The full run writes
docs/benchmarks.md.
"""

from __future__ import annotations

import os

# Before numpy is imported: a library for matrices would start a thread for each processor.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse  # noqa: E402
import csv  # noqa: E402
import platform  # noqa: E402
import shutil  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "src"))

import headway  # noqa: E402
from headway.meta.network import Network, pool_network, read_contrasts  # noqa: E402

PAGE = ROOT / "docs" / "benchmarks.md"
START, END = "<!-- network: begin -->", "<!-- network: end -->"
SEED = 20261130
LIMIT_S = 2.0
TAU2 = 0.04
# rma.mv stops where its own rules say, some digits before the maximum.
AGREE = 1e-3


def draw(treatments: int, trials: int) -> Network:
    """Draw a connected network: effects against the first treatment, one tau2, shared arms."""
    rng = np.random.default_rng(SEED)
    truth = rng.normal(0, 0.3, treatments)
    rows: list[tuple[float, str, str, str]] = []
    blocks: list[np.ndarray] = []
    for i in range(trials):
        arms = rng.choice(treatments, 3 if i % 5 == 4 else 2, replace=False)
        if i < treatments - 1:  # a tree first, so that nothing is left unconnected
            arms[0], arms[1] = i + 1, rng.integers(0, i + 1)
            arms = arms[: 2 if arms[-1] in arms[:2] else len(arms)]
        v = rng.uniform(0.01, 0.15, len(arms))
        level = truth[arms] + rng.normal(0, np.sqrt(v + TAU2 / 2))
        for arm, value in zip(arms[1:], level[1:], strict=True):
            rows.append((value - level[0], f"trial {i}", f"t{arm:02d}", f"t{arms[0]:02d}"))
        blocks.append(np.diag(v[1:]) + v[0])
    size = sum(map(len, blocks))
    covariance, at = np.zeros((size, size)), 0
    for block in blocks:
        covariance[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    y, names, of, bases = zip(*rows, strict=True)
    return read_contrasts(y, covariance, names, of, bases)


def run_r(network: Network, repeats: int) -> tuple[list[float], np.ndarray]:
    """Return metafor's seconds per fit, and its tau2, estimates and standard errors."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with (place / "contrasts.csv").open("w", newline="") as stream:
            out = csv.writer(stream)
            out.writerow(["y", "trial", "arm"])
            out.writerows(zip(network.y, network.trial, network.treatment, strict=True))
        np.savetxt(place / "v.csv", network.v, delimiter=",", fmt="%.17g")
        np.savetxt(place / "x.csv", network.design[:, 1:], delimiter=",", fmt="%.17g")
        names = ["contrasts.csv", "v.csv", "x.csv", "seconds.csv", "answers.csv", str(repeats)]
        command = ["Rscript", "--vanilla", str(HERE / "network.R"), *names]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        seconds = np.loadtxt(place / "seconds.csv", ndmin=1)
        return list(map(float, seconds)), np.loadtxt(place / "answers.csv")


def time_ours(network: Network, repeats: int) -> list[float]:
    """Return our seconds per fit."""
    pool_network(network, test="z")
    spent = []
    for _ in range(repeats):
        started = time.perf_counter()
        pool_network(network, test="z")
        spent.append(time.perf_counter() - started)
    return spent


def compare_answers(network: Network, theirs: np.ndarray) -> float:
    """Return the worst difference of estimates, in standard errors.

    Raises
    ------
    AssertionError
        If the programs do not agree.
    """
    fit = pool_network(network, test="z", reference=network.treatments[0])
    n = len(network.treatments) - 1
    errors = theirs[-n:]
    off = float(np.max(np.abs(fit.estimate[1:, 0] - theirs[-2 * n : -n]) / errors))
    wide = float(np.max(np.abs(fit.se[1:, 0] / errors - 1)))
    if max(off, wide) > AGREE:
        raise AssertionError(f"the programs do not agree: {off:.1e}, {wide:.1e}")
    return max(off, wide)


def main() -> int:
    """Compare, measure, print, write; 1 where the limit of two seconds is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run; writes nothing")
    quick = parser.parse_args().quick
    sizes, rounds = ((8, 25), 1) if quick else ((50, 200), 5)
    network = draw(*sizes)
    ours = statistics.median(time_ours(network, 3 if quick else 21))
    what = f"{sizes[0]} treatments, {sizes[1]} trials, {len(network.y)} contrasts: REML"
    kept = ours < LIMIT_S
    print(f"{what}: {ours:.3f} s; under {LIMIT_S:g} s: {'yes' if kept else 'no'}")
    if shutil.which("Rscript") is None:
        print("R is not here: nothing is compared")
        return 0 if kept else 1
    try:
        worst = compare_answers(network, run_r(network, 1)[1])
    except RuntimeError as error:
        if "there is no package" not in str(error):
            raise
        print("R's metafor is not here: nothing is compared")
        return 0 if kept else 1
    print(f"answers agree to {worst:.0e} of a standard error")
    pairs = [
        (statistics.median(time_ours(network, 3 if quick else 11)), run_r(network, 1)[0][0])
        for _ in range(rounds)
    ]
    ratios = [theirs / mine for mine, theirs in pairs]
    mine, theirs = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
    lines = [
        "| what | metafor, rma.mv | Headway | median ratio | range |",
        "|---|---|---|---|---|",
        f"| {what} | {theirs:.3g} s | {1000 * mine:.3g} ms | {statistics.median(ratios):,.0f} × | "
        f"{min(ratios):,.0f} – {max(ratios):,.0f} |",
    ]
    print("\n".join(lines))
    if quick:
        return 0 if kept else 1
    ask = 'cat(R.version.string, as.character(packageVersion("metafor")), sep="; metafor ")'
    versions = subprocess.run(["Rscript", "-e", ask], capture_output=True, text=True, check=True)
    lines += [
        "",
        f"Estimates and standard errors of both agree to {worst:.0e} of a standard error. Pairs of "
        f"measurements taken in turn: {rounds}.",
        "",
        f"- {os.cpu_count()} cores, {platform.system()}; one process, one thread of each",
        f"- Headway {headway.__version__}; Python {platform.python_version()}, NumPy "
        f"{np.__version__}",
        f"- {versions.stdout}",
    ]
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(START)[0], text.split(END)[1]
    block = "\n".join(lines)
    PAGE.write_text(f"{before}{START}\n{block}\n{END}{after}", encoding="utf-8")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
