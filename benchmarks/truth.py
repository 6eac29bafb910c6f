"""How often every interval covers, and every flag is raised for nothing: docs/truth.md.

python benchmarks/truth.py [--rows NAME ...] [--replicates 2000] [--minutes M] [--again] [--page]

Two worlds that share no code make clinics and trials whose truth is known (`truth_a.py`,
`truth_b.py`); the lines are in `truth_clinics.py` and `truth_reviews.py`. Each family of lines is
kept below `.truth/` as it is done, so that a run goes on where the last one stopped; a family is
done again if its function, its world, its replicates or its seed change (`--again`: in any case).
`--page` only writes the page.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import sys
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT / "src")]

import truth_a  # noqa: E402
import truth_b  # noqa: E402
import truth_clinics  # noqa: E402
import truth_lines  # noqa: E402
import truth_reviews  # noqa: E402
from truth_lines import FAMILIES, Family, Line, World  # noqa: E402

from headway.messages import entries  # noqa: E402
from headway.outcomes.care.control_charts import RULES  # noqa: E402
from headway.outcomes.change.change import wilson  # noqa: E402
from headway.outcomes.expectation import judge, traps  # noqa: E402
from headway.reviews.checks import _CHECKS as CHECKS  # noqa: E402
from headway.tables import TABLES  # noqa: E402
from headway.tables.care import CLAIM_VERDICTS  # noqa: E402
from headway.tables.reviews import NETWORK_PARTS, VERDICTS  # noqa: E402

PAGE = ROOT / "docs" / "truth.md"
KEPT = ROOT / ".truth"
START, END = "<!-- truth: begin -->", "<!-- truth: end -->"
SEED = 20261130
REPLICATES = 2000
PEOPLE = 30_000
BAND = (93.0, 97.0)
# What a page says in words, not in a column of its own.
_IN_WORDS = {
    "individual.class",
    "control_chart.signals",
    "registry_clinics.outside_95",
    "registry_clinics.outside_998",
    "subgroups.p",
    "moderators.permutation",
    "tau2.q_profile",
}
# Tables that hold what was read, and columns that are no interval of a number on a page.
_READ = ("arms", "contrasts", "published")
_NO_INTERVAL = {
    "expected.ci": "empty: the expected change is a bound, `expected.diff_ci` is the interval",
    "expected.range": "the lowest and highest expected change that decide; no interval",
    "registry.loss": "bounds of what rounding can do; `tests/unit/test_federation.py`",
    "registry.loss_ci": "bounds of what rounding can do; `tests/unit/test_federation.py`",
    "cost_plane.difference": "edges of cells",
    "cost_plane.cost": "edges of cells",
    "change_histogram.bin": "edges of bars",
    "dose.dose": "the least and the largest dose of a third",
}
_SAME = {
    "multiverse.ci": "the intervals of `pooled`, of other choices of trials and estimators",
    "multiverse.p_value": "the test of `pooled`",
    "refits.ci": "the intervals of `pooled`, without a trial or of the first trials",
    "refits.pi": "the prediction interval of `pooled`",
    "refits.p_value": "the test of `pooled`",
    "findings.ci": "the limits of `pooled`, written as a finding",
    "translated.ci": "the limits of `pooled`, carried through a monotone function",
    "consistency.q_p_value": "the test of Q of `pooled`",
    "claims.p_value": "Holm's adjustment of tests whose intervals are held here",
}
_PARTS = {
    f"network_consistency.{part}": "the same Q, of one design" for part in ("within", "detached")
}
_EXACT = "follows from arithmetic: true numbers, rounded, pass; `tests/unit/test_integrity.py`"
_THUMB = "a rule of thumb about sizes, without chance; `tests/unit/test_integrity.py`"
_RULES_OF_THUMB = (
    "se_that_is_sd",
    "sd_that_may_be_se",
    "sd_beside_literature",
    "skewed_median",
    "extreme_effect",
    "extreme_change",
    "identical_rows",
    "difference_of_arms",
    "width",
    "not_judged",
)
_CHECKS = {
    id: _THUMB if id.removeprefix("check.") in _RULES_OF_THUMB else _EXACT
    for id in entries()
    if id.startswith("check.") and id not in ("check.grim", "check.grimmer")
}
ELSEWHERE = _NO_INTERVAL | _SAME | _PARTS | _CHECKS
"""Code -> why it has no line of its own."""


def list_codes() -> set[str]:
    """List every interval, p value, flag and verdict, by contracts and catalogue."""
    codes = _IN_WORDS | {id for id in entries() if id.startswith("interval.")}
    for name, table in TABLES.items():
        if name in _READ:
            continue
        for column, kind in table.columns.items():
            stem = column.removesuffix("_low")
            if stem != column and f"{stem}_high" in table.columns:
                codes.add(f"{name}.{stem}")
            if column.endswith("p_value") or (kind.kind == "bool" and column in _FLAGS):
                codes.add(f"{name}.{column}")
    codes |= {f"trap.{id}" for id in traps.IDS}
    codes |= {f"control_chart.{rule}" for rule in RULES}
    codes |= {f"small_studies.{check}" for check in CHECKS}
    codes |= {f"verdict.{kind}" for kind in (judge.FURTHER, judge.LESS, *VERDICTS[:2])}
    codes |= {f"claims.{verdict}" for verdict in CLAIM_VERDICTS[:2]}
    codes |= {f"network_consistency.{part}" for part in NETWORK_PARTS}
    return codes | {id for id in entries() if id.startswith("check.")}


_COUNTS = "counts are whole: right on average over shares (Brown 2001), not at each; this page"
_WIDE = "wider than it promises; left"
_ALIKE = "where τ² is estimated as 0: too narrow if they do differ"
_KNOWN = "among the limits: Q takes variances as known and speaks somewhat too often"
_SHAPE = "holds for normal true effects; this page"
SAYS = {
    "change: smcr": _WIDE,
    "change: responders_75": _COUNTS,
    "change: worsened_30": _COUNTS,
    "individual change: reliable_deteriorated": _COUNTS,
    "checks: oldham": _WIDE,
    "expected: mee_chua": _WIDE,
    "benchmark: new": "figure: too narrow if few arms made τ² too small",
    "lost at random: pairs": "note: `lost like the others` is assumed",
    "lost at random: pairs strongly": "note: `lost like the others` is assumed",
    "lost at random: imputed": "note: somewhat narrow with few people",
    "lost at random: imputed strongly": "note: more so if most with high values were lost",
    "therapists: usual": "note: a flag calls for a closer look and is not a judgement",
    "fees: median": f"{_WIDE}: many pay the same",
    "harms: days": f"{_WIDE}: whole days",
    "harms: people": _WIDE,
    "registry: new": _ALIKE,
    "registry: q": "methods: Q takes standard errors as known and speaks somewhat too often",
    "pooled: z": "shown beside Hartung-Knapp; [coverage](coverage.md)",
    "pooled: kr": f"{_WIDE}; [coverage](coverage.md)",
    "pooled: adhoc 4": f"{_WIDE}; [coverage](coverage.md)",
    "pooled: pi": _ALIKE,
    "pooled: pi 4": _ALIKE,
    "pooled: q": _KNOWN,
    "pooled: tau2": _SHAPE,
    "small studies: limit": "note: asymmetry can have other causes; this page",
    "small studies: filled": "note: counts filled trials as observed and is too narrow",
    "subgroups and moderators: rest": _KNOWN,
    "several effects of a trial: cr2": _SHAPE,
    "several effects of a trial: cr1": _SHAPE,
    "network: new": "caption: too narrow if τ² was estimated lower than it is",
    "network: direct": _WIDE,
    "network: indirect": _WIDE,
    "network: slope": _WIDE,
    "network: designs": "with the test: τ² is often too low, and designs then disagree too often",
    "network: within": _KNOWN,
    "network: between": _KNOWN,
    "network: q": _KNOWN,
    "bayes: tau": "holds if prior and model do",
    "bayes: fixed_new": "holds if prior and model do: over the prior, not at every τ",
    "reproduced: coarse": "above the table: few digits can move a total by more",
    "reproduced: wrong": "above the table: another choice of trials can give the same number",
}
"""Family and line -> what the page says, or this one, where a rate lies outside."""

_FLAGS = ("flag", "flagged", "beyond")


def list_held() -> set[str]:
    """List the codes that the lines hold."""
    return {code for f in FAMILIES.values() for line in f.lines.values() for code in line.holds}


# --- running --------------------------------------------------------------------------------------


def digest(family: Family, world: World, replicates: int) -> str:
    """Return a short digest of what the numbers of a family follow from."""
    parts = [
        inspect.getsource(family.run),
        inspect.getsource(world.draws),
        inspect.getsource(truth_lines),
        repr((replicates, world.size, world.seed)),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def count_hits(family: Family, world: World, replicates: int) -> dict[str, dict[str, float]]:
    """Draw the clinics or trials of a family; sums by line."""
    rng = np.random.default_rng([world.seed, ord(world.name), zlib.crc32(family.name.encode())])
    runs = max(int(replicates * family.share), 2)
    values = {name: np.full(runs, np.nan) for name in family.lines}
    for i, hits in enumerate(family.run(world, rng, runs)):
        for name, own in values.items():
            own[i] = hits.get(name, np.nan)
    return {
        name: {
            "n": int((~np.isnan(own)).sum()),
            "of": runs,
            "sum": float(np.nansum(own)),
            "squares": float(np.nansum(own**2)),
        }
        for name, own in values.items()
    }


def place_of(family: Family, world: World) -> Path:
    """Say where a family's numbers are kept."""
    return KEPT / f"{family.name.replace(' ', '-')}-{world.name}.json"


def read_kept(family: Family, world: World) -> dict[str, Any] | None:
    """Read the numbers of a family, whatever they were computed with."""
    file = place_of(family, world)
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def run_families(
    families: Iterable[Family],
    worlds: Iterable[World],
    replicates: int,
    *,
    minutes: float = float("inf"),
    again: bool = False,
) -> list[str]:
    """Run the families that are not done; returns the names of those left for want of time."""
    start, left = time.monotonic(), []
    worlds = list(worlds)
    for one in families:
        for world in worlds:
            wanted, kept = digest(one, world, replicates), read_kept(one, world)
            if kept is not None and kept["digest"] == wanted and not again:
                continue
            if time.monotonic() - start > 60 * minutes:
                left.append(f"{one.name} ({world.name})")
                continue
            began = time.process_time()
            found = {"digest": wanted, "lines": count_hits(one, world, replicates)}
            KEPT.mkdir(exist_ok=True)
            place_of(one, world).write_text(json.dumps(found, indent=1), encoding="utf-8")
            seconds = time.process_time() - began
            print(f"{world.name} {one.name}: {seconds:.0f} s", file=sys.stderr, flush=True)
    return left


# --- the page -------------------------------------------------------------------------------------


def rate(found: dict[str, float]) -> tuple[float, float, float]:
    """Return a rate in percent with its 95 % Monte Carlo interval (Wilson; t of shares)."""
    n, total = found["n"], found["sum"]
    if not n:
        return float("nan"), float("nan"), float("nan")
    mean = total / n
    if abs(found["squares"] - total) < 1e-9:
        low, high = (float(x) for x in wilson(total, n))
    else:
        half = 1.96 * (max(found["squares"] / n - mean**2, 0) / n) ** 0.5
        low, high = max(mean - half, 0.0), min(mean + half, 1.0)
    return 100 * mean, 100 * low, 100 * high


def judge_line(line: Line, value: float) -> str:
    """Say whether a rate lies where it should: in words of the page."""
    if np.isnan(value):
        return "no interval"
    shown = round(value, 1)
    if line.most is not None:
        return "within" if shown <= line.most else "too often"
    if shown < BAND[0]:
        return "too narrow"
    return "wide" if shown > BAND[1] else "inside"


def write_cell(found: dict[str, float]) -> str:
    """Write a rate as the table shows it."""
    value, low, high = rate(found)
    none = found["of"] - found["n"]
    if np.isnan(value):
        return "none"
    text = f"{value:.1f} ({low:.1f}–{high:.1f}; {found['n']:,})"
    return text if none < 0.005 * found["of"] else f"{text}, none in {none:,}"


_TITLES = {
    truth_clinics.CLINIC: "A clinic's page",
    truth_clinics.REGISTRY: "The registry's page",
    truth_reviews.REVIEW: "A review's page",
    truth_reviews.PACKAGE: "Given by the package, on no page",
}


def write_table(worlds: list[World]) -> str:
    """Write the table, one section a page, from what is kept."""
    sections: dict[str, list[str]] = {}
    counts = {"inside": 0, "outside": 0}
    for one in FAMILIES.values():
        kept = [read_kept(one, w) for w in worlds]
        for name, line in one.lines.items():
            found = [k["lines"].get(name) if k else None for k in kept]
            if any(f is None for f in found):
                continue
            told = [judge_line(line, rate(f)[0]) for f in found if f]
            good = set(told) <= {"inside", "within"}
            counts["inside" if good else "outside"] += 1
            wanted = f"at most {line.most:g}" if line.most is not None else "93–97"
            verdict = (
                told[0]
                if len(set(told)) == 1
                else ", ".join(f"{w.name}: {v}" for w, v in zip(worlds, told, strict=True))
            )
            cells = (line.what, line.method, wanted, *(write_cell(f) for f in found if f))
            says = "" if good else SAYS.get(f"{one.name}: {name}", "")
            text = f"| {' | '.join(cells)} | {verdict} | {says} |"
            sections.setdefault(line.where, []).append(text)
    head = [
        "| what | how | wanted | world A | world B | verdict | what the page says |",
        "|---|---|---|---|---|---|---|",
    ]
    lines = [
        f"Seed {SEED}; {counts['inside']} lines inside in both worlds, {counts['outside']} outside "
        "in one or both. Cells: percent (95 % Monte Carlo interval; replicates).",
    ]
    titles = {
        "clinic": "A clinic's page",
        "registry": "The registry's page",
        "review": "A review's page",
    }
    for where, rows in sections.items():
        lines += [
            "",
            f"### {titles.get(where, 'Given by the package, on no page')}",
            "",
            *head,
            *rows,
        ]
    return "\n".join(lines)


def write_elsewhere() -> str:
    """Write the codes that have no line, with the reason."""
    rows = [f"| `{code}` | {why} |" for code, why in sorted(ELSEWHERE.items())]
    return "\n".join(["| limits or p value | why it has no line |", "|---|---|", *rows])


def update_page(text: str, worlds: list[World]) -> str:
    """Put the tables into the page."""
    for start, end, table in (
        (START, END, write_table(worlds)),
        ("<!-- elsewhere: begin -->", "<!-- elsewhere: end -->", write_elsewhere()),
    ):
        before, after = text.split(start)[0], text.split(end)[1]
        text = f"{before}{start}\n{table}\n{end}{after}"
    return text


def make_worlds(size: int = PEOPLE) -> list[World]:
    """Make both worlds; their people are drawn when they are first asked for, and kept."""
    return [World(draws, size, SEED, KEPT) for draws in (truth_a, truth_b)]


def main() -> None:
    """Run what is not done, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="families whose name holds NAME")
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start none after them")
    parser.add_argument("--again", action="store_true", help="also what is done already")
    parser.add_argument("--page", action="store_true", help="only write the page")
    parser.add_argument("--list", action="store_true", help="list the families")
    options = parser.parse_args()
    if options.list:
        print("\n".join(FAMILIES))
        return
    worlds = make_worlds()
    chosen = [
        f
        for name, f in FAMILIES.items()
        if not options.rows or any(r in name for r in options.rows)
    ]
    if not options.page:
        left = run_families(
            chosen, worlds, options.replicates, minutes=options.minutes, again=options.again
        )
        if left:
            print("not done in that time: " + "; ".join(left), file=sys.stderr)
    PAGE.write_text(update_page(PAGE.read_text(encoding="utf-8"), worlds), encoding="utf-8")


if __name__ == "__main__":
    main()
