"""Count how often a simulated clinic is told that its change is beyond what would be expected.

python benchmarks/expected.py [--seeds 1000] [--unseen] [--whole] [--processes 2]

Writes the tables of docs/expected.md. The same settings give the same numbers; `--unseen` takes
other seeds, prints what it finds and leaves the page alone. Only the parts of headway.simulate
that headache days and diary entries stand on are run; `--whole` makes whole clinics instead, some
six times slower, and leaves the page alone too. A test holds both ways against each other.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway.config.clinic import Expected

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "src"))

import pandas as pd  # noqa: E402

from headway import simulate  # noqa: E402
from headway.outcomes.change.change import wilson  # noqa: E402
from headway.outcomes.expectation import expected  # noqa: E402
from headway.simulate import TECHNIQUES, SimulatedClinic, simulate_clinic  # noqa: E402
from headway.simulate.course import live_days  # noqa: E402
from headway.simulate.people import draw_people  # noqa: E402
from headway.simulate.visits import draw_visits, find_exposure  # noqa: E402

PAGE = ROOT / "docs" / "expected.md"
START, END = "<!-- tables: begin -->", "<!-- tables: end -->"
FIRST_SEED = 20_260_000
UNSEEN_FROM = 900_000_000
SEEDS = 1000
PATIENTS = 150
MIN_DAYS = 20
# As clinic.yaml has it by default.
RULE: dict[str, Any] = {
    "population_means": [6, 7, 8, 9, 10],
    "retest": 0.746,
    "retest_n": 153,
    "cutoff": None,
}
# Usual care of Vickers 2004 at 3 months (computed from its public data).
ARM = {
    "label": "Vickers 2004, usual care",
    "change": -1.843,
    "se": 5.03 / 153**0.5,
    "n": 153,
    "baseline": 16.38,
    "note": "",
}
EVERYBODY = {"diary.starts_56": 1.0}
# Odds ratio at full effect, the same for every technique, at which treatment takes away 3.0 days
# per 28 in weeks 9 to 12 of all who started.
THREE_DAYS = {f"treatment.odds_ratio.{name}": 0.515 for name in TECHNIQUES}


@dataclass(frozen=True)
class Cell:
    """One kind of clinic."""

    name: str
    effect: bool
    parameters: dict[str, float] = field(default_factory=dict)
    patients: int = PATIENTS
    share: float = 1.0  # of the seeds


WORSE = "came because it got worse"
CELLS = (
    Cell("natural course about −0.5", False, {**EVERYBODY, "entry.slope_per_day": 0.04}),
    Cell(f"about −1.84, {WORSE}", False, EVERYBODY),
    Cell(f"about −1.84, {WORSE}; earlier window in 3 of 4", False),
    Cell(f"about −3.0, {WORSE}", False, {**EVERYBODY, "entry.intercept": -4.0}),
    Cell(
        f"about −3.0, {WORSE} and is bad (10 days or more; population mean about 9.4)",
        False,
        {**EVERYBODY, "natural_course.mu": -1.0, "entry.min_days": 10},
    ),
    Cell(
        "came because it is bad only (15 days or more)",
        False,
        {**EVERYBODY, "entry.slope_per_day": 0.0, "entry.min_days": 15},
    ),
    Cell(
        "came because it is bad only (15 days or more; population mean about 9.4)",
        False,
        {
            **EVERYBODY,
            "natural_course.mu": -1.0,
            "entry.slope_per_day": 0.0,
            "entry.min_days": 15,
        },
    ),
    Cell(
        "stronger than asked: both (15 days or more; population mean about 9.4)",
        False,
        {**EVERYBODY, "natural_course.mu": -1.0, "entry.min_days": 15},
        share=0.5,
    ),
    Cell(
        "stronger than asked: both (12 days or more; population mean about 7.4)",
        False,
        {**EVERYBODY, "natural_course.mu": -1.5, "entry.min_days": 12},
        share=0.5,
    ),
    Cell(
        f"about −3.0, {WORSE} and is bad (as above); 600 people",
        False,
        {**EVERYBODY, "natural_course.mu": -1.0, "entry.min_days": 10},
        600,
        0.2,
    ),
    Cell(f"3 days; natural course about −1.84, {WORSE}", True, {**EVERYBODY, **THREE_DAYS}),
    Cell("3 days; the same; earlier window in 3 of 4", True, THREE_DAYS),
    Cell(
        "3 days; natural course about −0.5",
        True,
        {**EVERYBODY, **THREE_DAYS, "entry.slope_per_day": 0.04},
        share=0.5,
    ),
    Cell(
        f"3 days; natural course about −3.0, {WORSE}",
        True,
        {**EVERYBODY, **THREE_DAYS, "entry.intercept": -4.0},
        share=0.5,
    ),
    *(
        Cell(f"3 days; about −1.84; {n} people", True, {**EVERYBODY, **THREE_DAYS}, n, 0.3)
        for n in (75, 100, 125, 200, 300)
    ),
)
RATES = ("said", "said without arm", "one window too", "without earlier", "wolf", "wolf, mu 10")


def digest_settings(seeds: int) -> str:
    """Return a short digest of all that the numbers follow from, for the page they stand on."""
    rule = (expected.MIN_PEOPLE, expected.MIN_SHARE, expected.POOL_FROM, expected.BASELINE_WITHIN)
    settings = (FIRST_SEED, seeds, PATIENTS, MIN_DAYS, sorted(RULE.items()), ARM, CELLS, rule)
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:12]


def read_windows(clinic: SimulatedClinic) -> np.ndarray:
    """Count each person's headache days per 28: earlier, baseline, post, shape (n, 3).

    As the pipeline does by default: windows with 20 entries or more, scaled to 28; one entry a
    day; entries under a code that is nobody's are left out.
    """
    ids = clinic.tables["patients"]["patient_id"].to_numpy().astype(str)
    diary = clinic.tables["diary"][["patient_id", "day", "headache"]]
    diary = diary.drop_duplicates(["patient_id", "day"])
    code = diary["patient_id"].to_numpy().astype(str)
    place = np.minimum(np.searchsorted(ids, code), len(ids) - 1)
    known = ids[place] == code
    day, headache = diary["day"].to_numpy(int), diary["headache"].to_numpy(float)
    out = np.full((len(ids), 3), np.nan)
    for j, first in enumerate((-56, -28, 56)):
        rows = known & (day >= first) & (day < first + 28)
        seen = np.bincount(place[rows], minlength=len(ids))
        hits = np.bincount(place[rows], headache[rows], minlength=len(ids))
        enough = seen >= MIN_DAYS
        out[enough, j] = 28 * hits[enough] / seen[enough]
    return out


def _treat(
    rng: np.random.Generator,
    course: simulate.Course,
    people: Any,
    exposure: np.ndarray,
    p: dict[str, Any],
) -> np.ndarray:
    """Live the days from the start again under treatment, as `simulate_clinic` does."""
    ratio = np.log([p[f"treatment.odds_ratio.{name}"] for name in TECHNIQUES])
    therapist = rng.normal(0.0, p["treatment.therapist_sd"], len(simulate.THERAPISTS))
    effect = ratio[people.technique] + therapist[people.therapist]
    effect = effect + rng.normal(0.0, p["treatment.person_sd"], len(effect))
    start = -simulate.FIRST_DAY
    logit = course.logit[:, start:] + effect[:, None] * exposure[:, start:]
    return live_days(
        1 / (1 + np.exp(-logit)),
        course.uniform[:, start:],
        p["natural_course.day_lag1"],
        course.headache[:, start - 1],
    )


def _write_entries(rng: np.random.Generator, people: Any, p: dict[str, Any]) -> np.ndarray:
    """On which days there is an entry, as the simulator's diary has it (missing at random)."""
    days = simulate.DAYS
    n, t = len(people.code), len(days)
    since = days - people.diary_from[:, None]
    weekday = (days + rng.integers(0, 7, n)[:, None]) % 7
    logit = (
        np.log(p["diary.entry"] / (1 - p["diary.entry"]))
        + rng.normal(0.0, p["diary.entry_person_sd"], n)[:, None]
        + np.log(p["diary.odds_ratio_first_two_weeks"]) * (since < 14)
        + np.log(p["diary.odds_ratio_weekend"]) * (weekday >= 5)
        + np.log(p["diary.odds_ratio_per_window"]) * (since / simulate.WINDOW)
    )
    written = rng.random((n, t)) < 1 / (1 + np.exp(-logit))
    starts = rng.random((n, t)) < p["diary.gap_start"]
    length = rng.geometric(1.0 / p["diary.gap_days"], (n, t))
    end = np.maximum.accumulate(np.where(starts, np.arange(t) + length, 0), axis=1)
    reaches = (since >= 0) & (people.last_recorded[:, None] >= days)
    return written & (np.arange(t) >= end) & reaches


def draw_clinic(cell: Cell, seed: int) -> tuple[np.ndarray, float, float]:
    """Draw what the verdict needs of a clinic, by the steps of `simulate_clinic`.

    Returns
    -------
    windows, natural, effect
        As of `read_windows`; true mean change without treatment and true mean effect.
    """
    scenario = "real_effect" if cell.effect else "null_rtm"
    p = simulate.load_parameters(scenario, cell.parameters)
    if p["diary.odds_ratio_headache_day"] != 1:
        raise ValueError("here entries do not depend on headache; use whole clinics")
    rng = np.random.default_rng(seed)
    course = simulate.natural_course(rng, cell.patients, p)
    people = draw_people(rng, course, p)
    headache = course.headache
    if cell.effect:
        visits = draw_visits(rng, people, p)
        exposure = find_exposure(people, visits, p)
        treated = _treat(rng, course, people, exposure, p)
        headache = np.concatenate([headache[:, : -simulate.FIRST_DAY], treated], axis=1)
    written = _write_entries(rng, people, p)
    out = np.full((cell.patients, 3), np.nan)
    true = np.empty((3, cell.patients))
    for j, first in enumerate((-56, -28, 56)):
        place = slice(first - simulate.FIRST_DAY, first - simulate.FIRST_DAY + 28)
        seen = written[:, place].sum(axis=1)
        enough = seen >= MIN_DAYS
        hits = (headache[:, place] & written[:, place]).sum(axis=1)
        out[enough, j] = 28 * hits[enough] / seen[enough]
        true[j] = headache[:, place].sum(axis=1)
    untreated = course.headache[:, place].sum(axis=1)
    return out, float((untreated - true[1]).mean()), float((true[2] - untreated).mean())


def make_clinic(cell: Cell, seed: int) -> tuple[np.ndarray, float, float]:
    """Do the same by a whole clinic of `simulate_clinic`."""
    scenario = "real_effect" if cell.effect else "null_rtm"
    clinic = simulate_clinic(
        n_patients=cell.patients, seed=seed, scenario=scenario, parameters=cell.parameters
    )
    truth = clinic.truth["estimands"]
    return (
        read_windows(clinic),
        truth["change_without_treatment_mean"],
        truth["effect_mean"],
    )


def judge_clinic(cell: Cell, seed: int, whole: bool = False) -> dict[str, float]:
    """Simulate one clinic and see what would be said under several rules."""
    windows, natural, effect = (make_clinic if whole else draw_clinic)(cell, seed)
    earlier, baseline, post = windows.T
    arms = pd.DataFrame([ARM])
    full = expected.list_sources(earlier, baseline, post, Expected(**RULE), arms)
    bare = [s for s in full if s.source != "arm"]
    single = [s.beyond for s in full if s.source == "mee_chua"]
    blind = expected.list_sources(
        np.full(len(post), np.nan), baseline, post, Expected(**RULE), arms
    )
    verdict = expected.judge(blind)
    rows = {s.source: s for s in full}
    paired = ~np.isnan(baseline) & ~np.isnan(post)
    return {
        "natural": natural,
        "effect": effect,
        "n": float(paired.sum()),
        "n both": float((paired & ~np.isnan(earlier)).sum()),
        "after − earlier": rows["earlier"].difference,
        "after − mean of both": rows["both_windows"].difference,
        "after − mean of both, mu 6": next(
            s.difference for s in full if s.source == "both_windows_mu" and s.mu == 6
        ),
        "said": float(expected.judge(full).beyond),
        "said without arm": float(expected.judge(bare).beyond),
        "one window too": float(expected.judge(full).beyond and all(single)),
        "without earlier": float(verdict.beyond),
        "wolf": float(verdict.kind == "not_recorded"),
        "wolf, mu 10": float(single[-1]),
    }


def run_seeds(cell: Cell, seeds: range, whole: bool = False) -> list[dict[str, float]]:
    """Judge the clinics of some seeds."""
    return [judge_clinic(cell, seed, whole) for seed in seeds]


def run_cell(
    cell: Cell,
    first: int,
    seeds: int,
    *,
    pool: ProcessPoolExecutor | None = None,
    whole: bool = False,
) -> dict[str, float]:
    """Average over the clinics of a cell."""
    count = max(1, round(seeds * cell.share))
    parts = [range(first + i, first + min(i + 25, count)) for i in range(0, count, 25)]
    given = ([cell] * len(parts), parts, [whole] * len(parts))
    done = map(run_seeds, *given) if pool is None else pool.map(run_seeds, *given)
    rows = [row for part in done for row in part]
    return {name: float(np.mean([r[name] for r in rows])) for name in rows[0]} | {
        "seeds": float(count)
    }


def _percent(row: dict[str, float], name: str) -> str:
    return f"{100 * row[name]:.1f}"


def _limits(row: dict[str, float], name: str) -> str:
    low, high = wilson(round(row[name] * row["seeds"]), row["seeds"])
    return f"{100 * row[name]:.1f} ({100 * float(low):.1f} to {100 * float(high):.1f})"


def write_tables(found: dict[str, dict[str, float]], seeds: int) -> str:
    """Write what was counted as the tables of the page."""
    out = [f"Settings `{digest_settings(seeds)}`, {seeds} seeds from {FIRST_SEED}.\n"]
    for effect, title in ((False, "No treatment effect"), (True, "A real effect")):
        cells = [c for c in CELLS if c.effect is effect]
        out.append(
            f"\n**{title}: how often the page says it, percent (95 % Wilson)**\n\n"
            "| clinic | seeds | analysed, with both windows | change without treatment | effect | "
            "says it | says it, no published arm | were one window at every mean required too | "
            "earlier window not recorded |\n|---|---|---|---|---|---|---|---|---|\n"
        )
        for cell in cells:
            r = found[cell.name]
            out.append(
                f"| {cell.name} | {r['seeds']:.0f} | {r['n']:.0f}, {r['n both']:.0f} | "
                f"{r['natural']:.2f} | {r['effect']:.2f} | **{_limits(r, 'said')}** | "
                f"{_limits(r, 'said without arm')} | {_percent(r, 'one window too')} | "
                f"{_percent(r, 'without earlier')} |\n"
            )
    out.append(
        "\n**Without treatment effect: what each contrast is off by, in days (0 is unbiased, above "
        "0 leans against the clinic), and what one window would have claimed, percent**\n\n"
        "| clinic | after − before | after − earlier | after − mean of both | the same, drawn to "
        "6 | one window, mean of 10 | one window at every mean, and the published arm |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    for cell in CELLS:
        if cell.effect:
            continue
        r = found[cell.name]
        out.append(
            f"| {cell.name} | {r['natural']:+.2f} | {r['after − earlier']:+.2f} | "
            f"{r['after − mean of both']:+.2f} | {r['after − mean of both, mu 6']:+.2f} | "
            f"{_percent(r, 'wolf, mu 10')} | {_percent(r, 'wolf')} |\n"
        )
    return "".join(out)


def main() -> None:
    """Run the grid and write the page's tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument(
        "--unseen", action="store_true", help="other seeds; the page stays as it is"
    )
    parser.add_argument("--whole", action="store_true", help="whole clinics; the page stays")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    began = time.perf_counter()
    first = UNSEEN_FROM if given.unseen else FIRST_SEED
    found = {}
    with ProcessPoolExecutor(given.processes) as pool:
        for cell in CELLS:
            found[cell.name] = row = run_cell(
                cell, first, given.seeds, pool=pool, whole=given.whole
            )
            said = ", ".join(f"{name} {_percent(row, name)}" for name in RATES)
            print(f"{cell.name}: effect {row['effect']:.2f}; {said}", flush=True)
    tables = write_tables(found, given.seeds)
    print(f"{time.perf_counter() - began:.0f} s", flush=True)
    if given.unseen or given.whole:
        print(tables)
        return
    page = PAGE.read_text(encoding="utf-8")
    head, rest = page.split(START)
    tail = rest.split(END)[1]
    PAGE.write_text(f"{head}{START}\n{tables}{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
