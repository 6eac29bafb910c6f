"""Measure what size costs: rows of a diary, clinics of a run, people of a clinic.

    python benchmarks/scale.py [--only rows clinics people] [--pairs 3] [--pandas-up-to 84]
                               [--scratch FOLDER] [--quick]

- rows: a diary of 1, 10 and 84 million rows beside bare DuckDB, Polars, pandas and R's data.table
  (`benchmarks/rows.py`), their answers compared before time is;
- clinics: the whole workflow of 1, 50 and 200 clinics of 100 people, one that joins, and the plan
  of 500 finished ones (`benchmarks/many_clinics.py`);
- people: the jobs of one clinic of 10 000, 100 000 and 1 000 000 people.

A program that is not installed is named and left out. The blocks of docs/benchmarks.md and the
figures of the sections that were run are written, unless `--quick` asks for a smoke run.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from benchmarks import many_clinics, rows  # noqa: E402

PAGE = ROOT / "docs" / "benchmarks.md"
PICTURES = ROOT / "docs" / "_static"
SECTIONS = ("rows", "clinics", "people")
JOBS = ("ingest_clinic", "analyse_clinic", "report_clinic")
BLOCK, SEED = 10_000, 20260101
# x, y and the aim of each panel; a point is (size, cost).
Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Block:
    """Lines of docs/benchmarks.md, and the curves of a figure: label -> points."""

    lines: list[str]
    curves: Mapping[str, Points]


@dataclass(frozen=True)
class Sizes:
    """What is measured; `--quick` takes the smallest."""

    millions: list[float]
    clinics: list[int]
    people: list[int]
    pairs: int
    planned: int  # finished clinics, of which a run is planned
    patients: int  # of each of several clinics


FULL = Sizes([1, 10, 84], [1, 50, 200], [10_000, 100_000, 1_000_000], 3, 500, 100)
QUICK = Sizes([0.02, 0.04], [1, 2], [100], 1, 4, 40)


def measure_rows(sizes: Sizes, scratch: Path, up_to: Mapping[str, float]) -> Block:
    """Hold Headway beside other programs on a diary of several sizes."""
    lines = [
        "| rows | file | bare DuckDB | Headway / bare | the workflow / bare | Polars / bare "
        "| data.table / bare | pandas / bare | memory: workflow, Polars, data.table, pandas |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    curves: dict[str, Points] = {}
    found = []
    for size in rows.study(sizes.millions, sizes.pairs, scratch, up_to):
        found.append(size)

        def ratio(what: str, size: rows.Size = size) -> str:
            if what not in size.costs:
                return "–"
            middle, low, high = size.ratio(what)
            spread = f" ({low:.2f} – {high:.2f})" if len(size.costs[what]) > 1 else ""
            return f"{middle:.2f}{spread}"

        def peak(what: str, size: rows.Size = size) -> str:
            return f"{size.peak(what):.1f}" if what in size.costs else "–"

        cells = [f"{size.rows:,}", f"{size.gigabytes:.2f} GB", f"{size.wall('bare'):.1f} s"]
        cells += [ratio(w) for w in ("headway", "workflow", "polars", "data.table", "pandas")]
        cells.append(", ".join(map(peak, ("workflow", "polars", "data.table", "pandas"))) + " GB")
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
        for what in size.costs:
            curves.setdefault(what, []).append((size.rows, size.wall(what)))
    if len(found) > 1 and found[-1].rows - found[-2].rows > 1e6:
        a, b = found[-2:]
        more = 1e6 * (b.wall("workflow") - a.wall("workflow")) / (b.rows - a.rows)
        lines += [
            "",
            f"A million rows more cost the workflow {more:.2f} s (from the two largest sizes).",
        ]
    worst = max(size.difference for size in found)
    if worst > 1e-9:
        raise SystemExit(f"the windows of two programs differ by {worst}")
    compared = [p for p in rows.PEERS if any(p in size.costs for size in found)]
    if compared:
        lines += [
            "",
            f"Windows of Headway and of {', '.join(compared)} agree to {worst:.0e}; all set the "
            "same rows and cells aside.",
        ]
    names = {
        "bare": "bare DuckDB",
        "headway": "Headway, in memory",
        "workflow": "Headway's jobs",
        "polars": "Polars",
    }
    return Block(lines, {names.get(what, what): points for what, points in curves.items()})


def measure_clinics(sizes: Sizes, scratch: Path, up_to: Mapping[str, float]) -> Block:
    """Run the whole workflow for more and more clinics; then add one, and plan many."""
    lines = [
        "| clinics | whole run | CPU | CPU of each clinic beyond the first | memory |",
        "|---|---|---|---|---|",
    ]
    curves: dict[str, Points] = {"whole run": [], "whole run, CPU": []}
    further = {}
    each, first = 0.0, (0, 0.0)
    for what, n, done in many_clinics.study(scratch, sizes.clinics, sizes.planned, sizes.patients):
        cost = done.cost
        if what != "built":
            further[what] = done
            continue
        if not first[0]:
            first, more = (n, cost.cpu), "–"
        else:
            each = (cost.cpu - first[1]) / (n - first[0])
            more = f"{each:.2f} s"
        lines.append(
            f"| {n} | {cost.wall:.1f} s | {cost.cpu:.1f} s | {more} | {cost.peak:.2f} GB |"
        )
        print(lines[-1], flush=True)
        curves["whole run"].append((n, cost.wall))
        curves["whole run, CPU"].append((n, cost.cpu))
    joined, idle, plan = (further[what] for what in ("joined", "idle", "planned"))
    own = many_clinics.JOBS_OF_A_CLINIC

    def told(done: many_clinics.Run) -> str:
        return f"{done.cost.wall:.1f} s, {done.cost.cpu:.1f} s of CPU"

    if len(sizes.clinics) > 1:
        start = first[1] - first[0] * each
        lines += [
            "",
            f"The start of a run, from the first and the last line: {start:.1f} s of CPU.",
        ]
    lines += [
        "",
        f"- One folder more: {joined.jobs} jobs, {own} of its own and those of the index; "
        f"{told(joined)}",
        f"- {sizes.planned} finished clinics, nothing to do: {idle.jobs} jobs; {told(idle)}",
        f"- {sizes.planned} finished clinics, planned after a change to one file: {told(plan)}",
    ]
    return Block(lines, curves)


def make_clinic(folder: Path, people: int) -> None:
    """Write a simulated clinic; large ones are laid side by side (`benchmarks/people.py`)."""
    from headway.simulate import simulate_clinic, write_clinic, write_settings

    if people > BLOCK:
        import_module("benchmarks.people").make_clinic(folder, people)
        return
    one = simulate_clinic(n_patients=people, scenario="real_effect", seed=SEED)
    write_clinic(one, folder)
    write_settings(one, folder, folder.name)


def measure_people(sizes: Sizes, scratch: Path, up_to: Mapping[str, float]) -> Block:
    """Run the jobs of one clinic of more and more people, one after the other."""
    lines = [
        "| people | raw files | ingest | analyse | report | whole audit | highest memory |",
        "|---|---|---|---|---|---|---|",
    ]
    curves: dict[str, Points] = {job.split("_")[0]: [] for job in JOBS}
    for people in sizes.people:
        home = scratch / f"people{people}"
        (home / "data" / "raw" / "clinics").mkdir(parents=True)
        raw = home / "data" / "raw" / "clinics" / "one"
        make_clinic(raw, people)
        gigabytes = sum(f.stat().st_size for f in raw.iterdir()) / 1e9
        costs = [many_clinics.run(home, "--until", job).cost for job in JOBS]
        cells = [f"{c.wall:.0f} s ({c.cpu:.0f} s CPU, {c.peak:.1f} GB)" for c in costs]
        lines.append(
            f"| {people:,} | {gigabytes:.2f} GB | {' | '.join(cells)} "
            f"| {sum(c.wall for c in costs) / 60:.1f} min | {max(c.peak for c in costs):.1f} GB |"
        )
        print(lines[-1], flush=True)
        for job, cost in zip(JOBS, costs, strict=True):
            curves[job.split("_")[0]].append((people, cost.wall))
        shutil.rmtree(home)
    return Block(lines, curves)


MEASURES: Mapping[str, Callable[[Sizes, Path, Mapping[str, float]], Block]] = {
    "rows": measure_rows,
    "clinics": measure_clinics,
    "people": measure_people,
}
AXES = {"rows": "rows of the diary", "clinics": "clinics of 100 people", "people": "people"}


def draw(section: str, curves: Mapping[str, Points], path: Path) -> None:
    """Draw cost against size, both on log scales, each curve named at its last point."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    from headway.figures.theme import new_figure

    figure = new_figure(7.0, 4.2)
    axes = figure.add_subplot()
    ends = []
    for number, (label, points) in enumerate(curves.items()):
        x, y = zip(*points, strict=True)
        (line,) = axes.plot(x, y, marker="o", markersize=4, color=f"C{number}", linewidth=1.6)
        ends.append((y[-1], x[-1], label, line.get_color()))
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain = FuncFormatter(lambda value, _: f"{value:,.10g}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(base=10, subs=(1,)))
        axis.set_major_formatter(plain)
        axis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * (high / low) ** 0.35)
    bottom, top = axes.get_ylim()
    # Names of curves that end together are moved apart.
    gap, place = (top / bottom) ** 0.055, 0.0
    longest = max(x for _, x, _, _ in ends)
    for y, x, label, colour in sorted(ends):
        # Above a curve that others go on beside.
        place = max(y if x == longest else y * gap, place * gap)
        axes.annotate(
            label, (x, y), (x * (high / low) ** 0.02, place), color=colour, va="center", fontsize=9
        )
    axes.set_ylim(bottom, max(top, place * gap))
    axes.set_xlabel(AXES[section])
    axes.set_ylabel("seconds")
    axes.spines[["top", "right"]].set_visible(False)
    dated = {"Date": None} if path.suffix == ".svg" else None
    figure.savefig(path, metadata=dated, bbox_inches="tight")


def describe_machine(section: str) -> list[str]:
    """List what the figures depend on."""
    names = ["duckdb", "pandas"]
    if section == "rows":
        names.append("polars")
    else:
        names.append("snakemake")
    versions = [f"Python {platform.python_version()}"]
    for name in names:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    if section == "rows" and "data.table" not in rows.find_absent():
        asked = ["Rscript", "--vanilla", "-e", "cat(as.character(packageVersion('data.table')))"]
        told = subprocess.run(asked, capture_output=True, text=True, check=False)
        versions.append(f"data.table {told.stdout}")
    import headway

    return [
        f"- {os.cpu_count()} cores, {platform.system()}; {many_clinics.CORES} threads, "
        "DuckDB's memory 2 GB",
        f"- Headway {headway.__version__}; {', '.join(versions)}",
    ]


def write_block(section: str, lines: Sequence[str], page: Path) -> None:
    """Put a section's lines between its marks."""
    start, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    picture = f"![Cost against {AXES[section]}](_static/scale_{section}.svg)"
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(start)
    after = rest.split(end)[1]
    page.write_text(
        before
        + "\n".join([start, picture, "", *lines, "", *describe_machine(section), end])
        + after,
        encoding="utf-8",
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--millions", type=float, nargs="+")
    parser.add_argument("--clinics", type=int, nargs="+")
    parser.add_argument("--planned", type=int, help="finished clinics of which a run is planned")
    parser.add_argument("--people", type=int, nargs="+")
    parser.add_argument("--pairs", type=int)
    most = "millions of rows up to which it is run"
    parser.add_argument("--pandas-up-to", type=float, default=84, help=most + " (11 GB at 84)")
    parser.add_argument("--polars-up-to", type=float, default=84, help=most)
    parser.add_argument("--table-up-to", type=float, default=84, help=f"data.table: {most}")
    parser.add_argument("--scratch", type=Path, help="folder with room for 6 GB")
    parser.add_argument("--figures", type=Path, help="write the figures there, too")
    parser.add_argument("--quick", action="store_true", help="a smoke run; the page is left alone")
    asked = parser.parse_args()
    start = QUICK if asked.quick else FULL
    sizes = Sizes(
        asked.millions or start.millions,
        asked.clinics or start.clinics,
        asked.people or start.people,
        asked.pairs or start.pairs,
        asked.planned or start.planned,
        start.patients,
    )
    up_to = {
        "pandas": asked.pandas_up_to,
        "polars": asked.polars_up_to,
        "data.table": asked.table_up_to,
    }
    if "rows" in asked.only:
        for absent in rows.find_absent():
            print(f"{absent} is not installed: not compared")
            del up_to[absent]
    if asked.scratch:
        Path(asked.scratch).mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="scale-", dir=asked.scratch))
    try:
        for section in asked.only:
            began = time.perf_counter()
            block = MEASURES[section](sizes, scratch, up_to)
            print("\n".join(block.lines), flush=True)
            print(f"{section}: {time.perf_counter() - began:.0f} s", flush=True)
            if asked.figures:
                asked.figures.mkdir(parents=True, exist_ok=True)
                for kind in ("svg", "png"):
                    draw(section, block.curves, asked.figures / f"scale_{section}.{kind}")
            if not asked.quick:
                draw(section, block.curves, PICTURES / f"scale_{section}.svg")
                write_block(section, block.lines, PAGE)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
