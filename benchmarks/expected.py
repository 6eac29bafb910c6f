"""How often a clinic's change is called further, or less, than expected, with and without effect.

    python benchmarks/expected.py              writes the tables into docs/expected.md
    python benchmarks/expected.py --quick      a few clinics of a few cells; writes nothing
    python benchmarks/expected.py --seed 7     other clinics; writes nothing

The people are those of `untreated.py`, which shares no code with `headway.simulate`. A cell fails
where the lower 95 % Wilson limit of its rate of false verdicts lies above 2.5 %.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
sys.path.insert(0, str(ROOT / "benchmarks"))

import untreated as u  # noqa: E402

from headway.outcomes.change.change import wilson  # noqa: E402
from headway.outcomes.expectation import judge  # noqa: E402

PAGE = ROOT / "docs" / "expected.md"
START, END = "<!-- tables: begin -->", "<!-- tables: end -->"
SEED, CLINICS, MOST = 20_261_130, 1000, 2.5
POOL = 60_000
# Untreated arms of the project within reach of the window after; computed in the published data.
ARMS = (
    {"label": "Vickers 2004", "change": -1.843, "se": 0.407, "n": 153, "baseline": 16.38},
    {"label": "Jena 2008", "change": -0.55, "se": 0.11, "n": 1569, "baseline": 7.45},
)
# App diarists, six months: context, here as if the clinic's own time were as long.
LATE = {"label": "Raffaelli 2021", "change": -3.03, "se": 0.115, "n": 1545, "baseline": 9.42}


def at_time(*arms: dict[str, Any]) -> list[dict[str, Any]]:
    """Put arms at the clinic's own time."""
    return [{**arm, "time_days": 69.5} for arm in arms]


@dataclass(frozen=True)
class Cell:
    """One kind of clinic: its people, how they come, how many start, and what treatment does."""

    name: str
    population: u.Population
    coming: str
    start: int = 150
    effect: float = 0.0
    how: str = "proportional"
    kind: str = "grid"
    diary: u.Diary = field(default_factory=u.Diary)


WAYS: dict[str, u.Coming] = {
    "last window 8 or more": u.come_last(8),
    "last window 10 or more": u.come_last(10),
    "last window 12 or more": u.come_last(12),
    "last window 14 or more": u.come_last(14),
    "last window 15 or more": u.come_last(15),
    "both windows 8 or more": u.come_both(8),
    "both windows 10 or more": u.come_both(10),
    "both windows 12 or more": u.come_both(12),
    "both windows 15 or more": u.come_both(15),
    "rise of 2 or more": u.come_rise(2),
    "rise of 3 or more": u.come_rise(3),
    "last window 8 or more, rise of 2": u.come_rise(2, 8),
    "anybody": u.anybody,
    "both windows 4 to 14": u.come_both(4, 14),
    "mean of both 12 or more": u.come_mean(12),
    "soft, by the last window (12)": u.come_soft(12),
    "soft, by the last window (10)": u.come_soft(10),
    "soft, by the mean (12)": u.come_soft(12, of_both=1.0),
    "soft, by a rise of 2": u.come_soft(0, 99, 2),
    "soft, by 10 days and a rise": u.come_soft(10, 2, 1),
    "half by both at 12, half anybody": u.come_mixed(u.come_both(12), u.anybody, 0.5),
    "half by the last at 15, half by a rise": u.come_mixed(u.come_last(15), u.come_rise(2), 0.5),
    "half by the last at 15, half by a rise at 12": u.come_mixed(
        u.come_last(15), u.come_rise(2, 12), 0.5
    ),
    "last window 10 to 20": u.come_last(10, 20),
    "both windows 8 to 20": u.come_both(8, 20),
    "mean of both 8 to 16": u.come_mean(8, 16),
}
GRID_WAYS = (
    "last window 8 or more",
    "last window 12 or more",
    "last window 15 or more",
    "both windows 8 or more",
    "both windows 12 or more",
    "both windows 15 or more",
    "rise of 2 or more",
    "anybody",
    "both windows 4 to 14",
)


def list_grid() -> list[Cell]:
    """List means x correlations x ways of coming, without effect."""
    return [
        Cell(f"{mean}; {r}", u.Population(mean, r), way, start)
        for mean in (5, 7, 9, 12, 14)
        for r in (0.5, 0.6, 0.7)
        for way, start in zip(GRID_WAYS, (100, 150, 200) * 3, strict=True)
    ]


def list_populations() -> list[Cell]:
    """List people of other kinds, without effect, drift or flares."""
    p, gaps = u.Population, u.Diary(filled=0.72, person_sd=1.2, lost=0.3, no_earlier=0.1)
    people = {
        "3; .55": p(3, 0.55),
        "5; .60": p(5, 0.6),
        "7; .37": p(7, 0.37),
        "8; .51": p(8, 0.51),
        "10; .44": p(10, 0.44),
        "9; .77 adjacent, .63 later": p(9, 0.63, decay=0.55),
        "9; .67": p(9, 0.67),
        "10; .60, heavy tails": p(10, 0.6, shape="heavy"),
        "9; .60, skewed": p(9, 0.6, shape="skewed"),
        "14; .45": p(14, 0.45),
        "14; .71": p(14, 0.71),
        "5; .80, wide": p(5, 0.8, 1.8),
        "20; .70": p(20, 0.7),
    }
    ways = (
        "last window 8 or more",
        "last window 8 or more, rise of 2",
        "both windows 8 or more",
        "last window 12 or more",
        "both windows 12 or more",
        "anybody",
    )
    out = [Cell(name, who, way, kind="people") for name, who in people.items() for way in ways]
    out += [
        Cell("12; .60, days missing", p(12, 0.6), way, kind="people", diary=gaps) for way in ways
    ]
    out += [
        Cell(f"9; .60, {start} start", p(9, 0.6), way, start, kind="people")
        for start in (30, 500)
        for way in ways
    ]
    return out


def list_beyond() -> list[Cell]:
    """List what no window before can show: drift, flares; and people harder than the grid's."""
    p = u.Population
    ways = ("last window 12 or more", "both windows 8 or more", "rise of 2 or more", "anybody")
    people = {
        "7; .60, drift of -1": p(7, 0.6, drift=-1),
        "9; .65, drift of -2": p(9, 0.65, drift=-2),
        "14; .70, drift of -2": p(14, 0.7, drift=-2),
        "7; .65, flares": p(7, 0.65, flare=0.1, flare_logit=1.0),
        "12; .65, flares": p(12, 0.65, flare=0.1, flare_logit=1.0),
    }
    out = [Cell(name, who, way, kind="drift") for name, who in people.items() for way in ways]
    harder = {
        "5; .62 adjacent, .50 later": p(5, 0.5, decay=0.6),
        "7; .62 adjacent, .50 later": p(7, 0.5, decay=0.6),
        "5; .50, narrow": p(5, 0.5, 0.9),
        "5; .50, heavy tails": p(5, 0.5, shape="heavy"),
        "5; .50, two kinds of people": p(5, 0.5, shape="two"),
    }
    ways = (
        "last window 8 or more",
        "last window 12 or more",
        "last window 15 or more",
        "both windows 12 or more",
        "soft, by the last window (12)",
        "soft, by the mean (12)",
        "half by the last at 15, half by a rise",
    )
    out += [Cell(name, who, way, kind="harder") for name, who in harder.items() for way in ways]
    many = {"17; .50": p(17, 0.5), "20; .70, limits": p(20, 0.7)}
    ways = ("last window 10 to 20", "both windows 8 to 20", "mean of both 8 to 16")
    out += [Cell(name, who, way, kind="harder") for name, who in many.items() for way in ways]
    return out + [
        Cell("14; .70, two ways", p(14, 0.7), way, kind="harder")
        for way in (
            "half by the last at 15, half by a rise",
            "half by the last at 15, half by a rise at 12",
        )
    ]


def list_effects() -> list[Cell]:
    """List clinics in which three days go, or come."""
    p = u.Population
    kinds = (
        ("14; .70", p(14, 0.7), "soft, by a rise of 2"),
        ("14; .70", p(14, 0.7), "anybody"),
        ("13.5; .70", p(13.5, 0.7), "rise of 3 or more"),
        ("12; .70", p(12, 0.7), "soft, by the last window (12)"),
        ("10; .70", p(10, 0.7), "both windows 8 or more"),
        ("9; .65", p(9, 0.65), "last window 15 or more"),
        ("9; .60", p(9, 0.6), "last window 14 or more"),
        ("9; .65", p(9, 0.65), "soft, by 10 days and a rise"),
        ("7.5; .60", p(7.5, 0.6), "last window 12 or more"),
        ("7; .65", p(7, 0.65), "last window 8 or more"),
    )
    return [
        Cell(name, who, way, start, days, how, "effect")
        for name, who, way in kinds
        for start in (94, 188, 375)
        for days in (-3.0, 3.0)
        for how in ("proportional", "additive")
    ]


def run_cell(cell: Cell, clinics: int, seed: int) -> dict[str, float]:
    """Judge clinics of a cell, without arms, with those of the project, and with the late one too.

    Returns
    -------
    dict
        Counts of `further`, `less` and `not_recorded` for each, of verdicts whose range holds the
        change, and the people's mean before and change.
    """
    words = f"{seed}|{cell.name}|{cell.coming}|{cell.start}".encode()
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(words).digest()[:8], "big"))
    pool = u.draw_pool(
        rng, cell.population, WAYS[cell.coming], min(POOL, clinics * cell.start), 3_000_000
    )
    out: dict[str, float] = {"clinics": clinics, "pool": len(pool), "wrong range": 0}
    if len(pool) < 20 * cell.start:
        return out
    natural = float((pool[:, 2] - pool[:, 1]).mean())
    pool = u.change_after(rng, pool, cell.effect, cell.how)
    out |= {"before": float(pool[:, 1].mean()), "natural": natural}
    # Arms can only keep a verdict back, so that clinics without effect are judged without them.
    sets: dict[str, Any] = {"": None}
    if cell.effect:
        sets |= {", arms": at_time(*ARMS), ", arms and late": at_time(*ARMS, LATE)}
    for name in sets:
        out |= {f"{kind}{name}": 0 for kind in ("further", "less", "cannot_tell", "not_recorded")}
    for clinic in u.draw_clinics(rng, pool, clinics, cell.start, cell.diary):
        for name, arms in sets.items():
            found = judge.judge_change(*clinic.T, arms=arms)
            out[f"{found.kind}{name}"] += 1
            wrong = (found.kind == "further" and found.change >= found.low) or (
                found.kind == "less" and found.change <= found.high
            )
            out["wrong range"] += wrong
    return out


def digest_settings(clinics: int) -> str:
    """Return a short digest of all that the numbers follow from, for the page they stand on."""
    cells = [list_grid(), list_populations(), list_beyond(), list_effects()]
    told = (SEED, clinics, cells, ARMS, LATE, judge.list_settings(judge.DEFAULT))
    rules = (judge.expect_further, judge.expect_less, judge.chosen_by_last_alone)
    code = inspect.getsource(u) + "".join(map(inspect.getsource, rules))
    return hashlib.sha256((repr(told) + code).encode()).hexdigest()[:12]


def _rate(row: dict[str, float], name: str) -> str:
    low, high = wilson(row[name], row["clinics"])
    share = 100 * row[name] / row["clinics"]
    return f"{share:.1f} ({100 * float(low):.1f} to {100 * float(high):.1f})"


def fails(row: dict[str, float], name: str, most: float = MOST) -> bool:
    """Whether the lower limit of a rate lies above what is allowed, in percent."""
    return 100 * float(wilson(row[name], row["clinics"])[0]) > most


def write_null(found: dict[Cell, dict[str, float]]) -> str:
    """Write the table of clinics without effect: the worst cell of each kind of people."""
    out = [
        "\n**No treatment effect, no arms: false verdicts of the way of coming that does worst, "
        "percent (95 % Wilson)**\n\n"
        "| people (mean; r) | ways | further, worst | less, worst | cells that fail |\n"
        "|---|---|---|---|---|\n"
    ]
    groups: dict[str, list[Cell]] = {}
    for cell, row in found.items():
        if not cell.effect and "further" in row:
            groups.setdefault(cell.name, []).append(cell)
    for name, cells in groups.items():
        most = 10 if cells[0].kind == "drift" else MOST
        worst = {k: max(cells, key=lambda c, k=k: found[c][k]) for k in ("further", "less")}
        bad = sum(any(fails(found[c], k, most) for k in worst) for c in cells)
        told = [f"{_rate(found[c], k)}, {c.coming}" for k, c in worst.items()]
        out.append(f"| {name} | {len(cells)} | {told[0]} | {told[1]} | {bad} |\n")
    return "".join(out)


def write_effects(found: dict[Cell, dict[str, float]], arms: str, title: str) -> str:
    """Write the table of clinics in which three days go or come, under one set of arms."""
    starts = (94, 188, 375)
    out = [
        f"\n**Three days, {title}: seen in so many percent of clinics in which 94, 188 and 375 "
        "start (75, 150 and 300 are left)**\n\n"
        "| people (mean; r) | who comes | before; change without | proportional | additive | "
        "3 days more, additive |\n|---|---|---|---|---|---|\n"
    ]
    every: list[float] = []
    harm: list[float] = []
    keys = dict.fromkeys((c.name, c.coming) for c in found if c.effect)
    for name, way in keys:
        cells = {
            (c.start, c.effect, c.how): found[c]
            for c in found
            if c.effect and (c.name, c.coming) == (name, way)
        }

        def seen(days: float, how: str, cells: Any = cells) -> list[float]:
            kind = "further" if days < 0 else "less"
            rows = [cells[start, days, how] for start in starts]
            return [100 * row[f"{kind}{arms}"] / row["clinics"] for row in rows]

        gone, less, worse = seen(-3, "proportional"), seen(-3, "additive"), seen(3, "additive")
        every, harm = every + gone + less, harm + worse
        row = cells[188, -3.0, "additive"]
        told = [" / ".join(f"{x:.0f}" for x in each) for each in (gone, less, worse)]
        out.append(
            f"| {name} | {way} | {row['before']:.1f}; {row['natural']:+.1f} | "
            f"{' | '.join(told)} |\n"
        )
    out.append(f"| mean | | | {np.mean(every):.0f} (both) | | {np.mean(harm):.0f} |\n")
    return "".join(out)


def run(
    cells: list[Cell], clinics: int, seed: int, processes: int = 1
) -> dict[Cell, dict[str, float]]:
    """Run cells one by one, or side by side."""
    given = (cells, [clinics] * len(cells), [seed] * len(cells))
    if processes == 1:
        return dict(zip(cells, map(run_cell, *given), strict=True))
    with ProcessPoolExecutor(processes) as pool:
        return dict(zip(cells, pool.map(run_cell, *given), strict=True))


def main() -> None:
    """Run the grid and write the page's tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clinics", type=int, default=CLINICS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    began = time.perf_counter()
    clinics = 40 if given.quick else given.clinics
    null = list_grid() + list_populations() + list_beyond()
    effects = list_effects()
    if given.quick:
        null, effects = null[::9], effects[:12]
    found = run(null, clinics, given.seed, given.processes)
    found |= run(
        effects, clinics if given.quick else max(1, clinics // 5), given.seed, given.processes
    )
    wrong = sum(row["wrong range"] for row in found.values())
    judged = [(c, r) for c, r in found.items() if not c.effect and "further" in r]
    held = [c for c, r in judged if c.kind in ("grid", "people")]
    bad = [c for c in held if fails(found[c], "further") or fails(found[c], "less")]
    tables = (
        f"Settings `{digest_settings(given.clinics)}`, {clinics} clinics a cell without effect, "
        f"a fifth of that with one. {len(held)} cells without drift or flares, {len(bad)} of them "
        f"fail; {wrong:.0f} verdicts whose range holds their change.\n"
        + write_null(found)
        + write_effects(found, "", "no arms")
        + write_effects(found, ", arms", "the arms of Vickers 2004 and Jena 2008")
        + write_effects(found, ", arms and late", "those and the app diarists of Raffaelli 2021")
    )
    print(tables)
    for cell in bad:
        print("fails:", cell.name, cell.coming, found[cell])
    print(f"{time.perf_counter() - began:.0f} s")
    if given.quick or given.seed != SEED or given.clinics != CLINICS:
        return
    page = PAGE.read_text(encoding="utf-8")
    head, rest = page.split(START)
    PAGE.write_text(f"{head}{START}\n{tables}{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
