"""Would the tests notice a fault? A sample of mutants of each package, and which tests kill them.

    pip install --group mutants       # pip 25.1 or later
    python benchmarks/mutants.py [--packages effects meta] [--sample 200] [--minutes 60] [--seed N]

Cosmic Ray makes one small change at a time (an operator, a comparison, a constant, a branch). A
seeded random sample of these mutants is drawn for each package; a mutant is killed when a test that
runs its line fails, ends with an error, or takes five times as long. Which tests those are is
measured once, with Coverage; for a line that runs when its module is imported they are those that
run any other line of the module. The tests of `make test` count, and the slow ones of what reads
files: the quickest of each file that take five seconds under Coverage, and a minute of all. What
was done is kept in `.mutants`, so that a later run goes on; `--list` prints what survived. The
table in docs/mutation.md is written anew. Another seed draws another sample, whose table is
printed: faults for which no test was written.

Types and what is imported for them are not mutated, as nothing reads them at run time, nor is `&`
made `*`, `|` made `+` or `~` made `-` (the same for truth values), nor `==` made `is` (the same for
the codes that Python keeps once).
"""

from __future__ import annotations

import argparse
import ast
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".mutants"
DOCS = ROOT / "docs" / "mutation.md"
PACKAGES = ("effects", "meta", "reviews", "outcomes", "disclosure", "ingest")
ELSEWHERE = "browser or outside or e2e or slurm"
QUICK = f"not (slow or {ELSEWHERE})"
# What reads files has most of its tests among the slow ones: those of these files count as well.
READERS = (
    *("attacks", "cells", "check", "cointerventions", "fhir", "gate", "interchange", "losses"),
    *("new_clinic", "opening", "propose_review", "redcap", "redcap_exports", "review_cells"),
    *("scales_and_days", "selectors", "spreadsheet", "transcribe", "trials_ingest"),
)
VARIANTS = "tests/golden/test_variants.py"
SEED = 20261130
WORKERS = 2
MEASURED = WORK / "measured"  # the tree whose lines were measured; never changed
FIRST, THEN = 6, 30  # tests that are run before the others, and before the rest
EACH, LONGEST = 5, 60  # seconds that the tests of a file, and all tests of a mutant, may take
# Changes that change nothing, with truth values and with codes.
SAME = (
    *("ReplaceBinaryOperator_BitAnd_Mul", "ReplaceBinaryOperator_BitOr_Add"),
    *("ReplaceComparisonOperator_Eq_Is", "ReplaceComparisonOperator_NotEq_IsNot"),
    "ReplaceUnaryOperator_Invert_USub",
)
# Imported once, before a process is forked for each mutant.
SHARED = (
    *("numpy", "pandas", "scipy.stats", "scipy.optimize", "matplotlib.figure", "duckdb", "jinja2"),
    *("jsonschema", "yaml", "openpyxl", "pytest", "hypothesis", "_pytest.assertion.rewrite"),
)


# ---- which tests run a line ---------------------------------------------------------------------


def copy_tree(target: Path) -> None:
    """Copy the tracked files, as they are now."""
    shutil.rmtree(target, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)


def environment(tree: Path) -> dict[str, str]:
    """Return the surroundings of tests on a tree: its own sources, one thread, nothing outside."""
    return {
        **{k: v for k, v in os.environ.items() if k != "CI"},
        "PYTHONPATH": os.pathsep.join([str(tree / "src"), os.environ.get("PYTHONPATH", "")]),
        "HEADWAY_SHARED": str(tree / "nowhere"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    }


def measure(tree: Path) -> None:
    """Run the tests that count once, and keep which of them runs which line, and for how long."""
    settings = WORK / "coverage.ini"
    settings.write_text(
        "[run]\nparallel = true\n"
        f"source = {tree / 'src' / 'headway'}\ndata_file = {WORK / 'lines'}\n",
        encoding="utf-8",
    )
    every = sorted(path.relative_to(tree).as_posix() for path in tree.glob("tests/**/test_*.py"))
    slow = [*(f"tests/unit/test_{name}.py" for name in READERS), VARIANTS]
    run_parts(tree, settings, QUICK, every)
    run_parts(tree, settings, f"slow and not ({ELSEWHERE})", slow)
    subprocess.run(
        [sys.executable, "-m", "coverage", "combine", f"--rcfile={settings}"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (WORK / "lines").replace(WORK / "lines.sqlite")


def run_parts(tree: Path, settings: Path, marked: str, files: Sequence[str]) -> None:
    """Run the tests of files under Coverage, in as many parts as there are workers."""
    parts = [files[i::WORKERS] for i in range(WORKERS)]
    running = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest"),
                *("-q", "-p", "no:cacheprovider", "-p", "tests.timing", "-m", marked, *part),
            ],
            cwd=tree,
            env=environment(tree) | {"HEADWAY_TIMES": str(WORK / f"times-{i}.jsonl")},
            stdout=(WORK / f"measured-{i}.log").open("a"),
            stderr=subprocess.STDOUT,
        )
        for i, part in enumerate(parts)
    ]
    ended = [process.wait() for process in running]
    if any(ended):
        raise SystemExit(f"the tests fail before anything is changed: see {WORK}/measured-*.log")


def _file(node: str) -> str:
    return node.partition("::")[0]


@cache
def list_bodies(path: Path) -> list[tuple[int, int]]:
    """List the first and last lines of what functions of a module do."""
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [(n.body[0].lineno, n.end_lineno or 0) for n in found if isinstance(n, kinds)]


def is_called(path: Path, line: int) -> bool:
    """Tell whether a line runs when a function is called, rather than at import."""
    return any(first <= line <= last for first, last in list_bodies(path))


class Lines:
    """Which tests run a line of the package."""

    def __init__(self) -> None:
        from coverage import CoverageData

        self.data = CoverageData(basename=str(WORK / "lines.sqlite"))
        self.data.read()
        self.seconds: dict[str, float] = {}
        self.heaviest: dict[str, float] = {}
        for path in WORK.glob("times-*.jsonl"):
            for line in path.read_text(encoding="utf-8").splitlines():
                node, seconds = json.loads(line)
                self.seconds[node] = seconds
                self.heaviest[_file(node)] = max(self.heaviest.get(_file(node), 0.0), seconds)

    def find(self, module: str, first: int, last: int) -> list[str]:
        """List the tests that run any of these lines of a module, as many as time allows."""
        ran = self.data.contexts_by_lineno(str(MEASURED / module))
        own = {test for line in range(first, last + 1) for test in ran.get(line, ())}
        if not is_called(MEASURED / module, first):
            own = set()  # it runs at import, in whichever test comes first
        # Where none is known, the expression may have begun above.
        tests = own & self.seconds.keys() or {t for every in ran.values() for t in every}
        tests &= self.seconds.keys()
        # What a file makes once falls to the first of its tests that runs: these come last.
        ordered = sorted(
            tests, key=lambda t: (self.heaviest[_file(t)] > LONGEST / 4, self.seconds[t], t)
        )
        chosen, spent = [], Counter[str]()
        for test in ordered:
            if spent[_file(test)] <= EACH and spent.total() <= LONGEST:
                spent[_file(test)] += self.seconds[test]
                chosen.append(test)
        return chosen


# ---- mutants -------------------------------------------------------------------------------------


def list_annotations(path: Path) -> list[tuple[int, int, int, int]]:
    """List where annotations of a module begin and end."""
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.arg | ast.AnnAssign):
            found.append(node.annotation)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(node.returns)
    return [
        (n.lineno, n.col_offset, n.end_lineno or n.lineno, n.end_col_offset or n.col_offset)
        for n in found
        if n is not None
    ]


def change(item: Any) -> str:
    """Return a mutant's source."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    (mutation,) = item.mutations
    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    source = mutation.module_path.read_text(encoding="utf-8")
    return mutate_code(source, operator, mutation.occurrence) or source


def is_fault(source: str) -> bool:
    """Tell whether Python reads a mutant, and whether it does anything else.

    The star before keywords is taken for an operator: it fails to compile, or becomes a slash.
    """
    with warnings.catch_warnings(action="ignore"):
        try:
            tree = ast.parse(source)
            compile(source, "", "exec")
        except SyntaxError:
            return False
    typed = "if not TYPE_CHECKING:" in source
    return not typed and not any(
        isinstance(n, ast.arguments) and n.posonlyargs for n in ast.walk(tree)
    )


def find_drawn(package: str, seed: int) -> Path:
    """Say where the mutants of a package that a seed draws are kept."""
    return WORK / f"{package}-{seed}.sqlite"


def draw(package: str, size: int, seed: int) -> None:
    """Draw a package's mutants, unless they have been drawn."""
    from cosmic_ray.commands import init
    from cosmic_ray.work_db import WorkDB

    path = find_drawn(package, seed)
    if path.exists():
        return
    every = WORK / f"{package}-all.sqlite"
    every.unlink(missing_ok=True)
    modules = sorted((MEASURED / "src" / "headway" / package).rglob("*.py"))
    whole = WorkDB(every, WorkDB.Mode.create)
    init(modules, whole, {})
    typed = {module: list_annotations(module) for module in modules}
    items = []
    for item in whole.work_items:
        (mutation,) = item.mutations
        at = mutation.start_pos
        if mutation.operator_name.removeprefix("core/") in SAME:
            continue
        if not any((a, b) <= at < (c, d) for a, b, c, d in typed[mutation.module_path]):
            items.append(item)
    items.sort(
        key=lambda i: [(str(m.module_path), m.operator_name, m.occurrence) for m in i.mutations]
    )
    drawn = random.Random(f"{seed} {package}").sample(items, min(size + size // 5, len(items)))
    chosen = [item for item in drawn if is_fault(change(item))][:size]
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    drawn = WorkDB(part, WorkDB.Mode.create)
    drawn.add_work_items(chosen)
    drawn.close()
    whole.close()
    every.unlink()
    (WORK / f"{package}.json").write_text(json.dumps({"mutants": len(items)}), encoding="utf-8")
    part.rename(path)


def plant(tree: Path) -> None:
    """Make a tree to change, whole even if an earlier run was killed within a mutant.

    Its modules and tests are compiled once; what is changed later is compiled when it is run.
    """
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(MEASURED, tree)
    own = {k: v for k, v in environment(tree).items() if k != "PYTHONDONTWRITEBYTECODE"}
    for words in (["compileall", "-q", "src"], ["pytest", "--collect-only", "-q"]):
        command = [sys.executable, "-m", *words]
        subprocess.run(command, cwd=tree, env=own, check=True, stdout=subprocess.DEVNULL)


def run_tests(tree: Path, tests: Sequence[str], limit: float) -> str:
    """Run tests in a process of their own: `survived`, `killed`, or `timeout`."""
    child = os.fork()
    if not child:
        try:
            os.setsid()
            os.chdir(tree)
            os.environ.clear()
            os.environ.update(environment(tree))
            sys.dont_write_bytecode = True
            sys.path[:0] = [str(tree), str(tree / "src")]
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(quiet, stream)
            import pytest

            code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])
            os._exit(int(code))
        finally:
            os._exit(3)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "survived" if status == 0 else "killed"
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


def work(number: int, todo: Any, done: Any, end: float) -> None:
    """Take mutants until none, or no time, is left."""
    try:
        _work(WORK / f"tree-{number}", todo, done, end)
    finally:
        done.put(None)


def _work(tree: Path, todo: Any, done: Any, end: float) -> None:
    os.environ.update(environment(tree))
    for name in SHARED:
        __import__(name)
    from cosmic_ray.mutating import use_mutation
    from cosmic_ray.plugins import get_operator

    lines = Lines()
    for item in iter(todo.get, None):
        if time.monotonic() > end:
            continue
        (change,) = item.mutations
        module = change.module_path.relative_to(MEASURED)
        tests = lines.find(module.as_posix(), change.start_pos[0], change.end_pos[0])
        outcome, started = "not run", time.monotonic()
        operator = get_operator(change.operator_name)(**change.operator_args)
        with use_mutation(tree / module, operator, change.occurrence) as (_, mutated):
            if mutated is None:
                outcome, tests = "none", []
            # Most are killed by a few tests; pytest imports the files of all before it runs one.
            for batch in filter(None, (tests[:FIRST], tests[FIRST:THEN], tests[THEN:])):
                limit = 20 + 5 * sum(lines.seconds[t] for t in batch)
                outcome = run_tests(tree, batch, limit)
                if outcome != "survived":
                    break
        done.put((item, outcome, len(tests), time.monotonic() - started))


def run(package: str, end: float, seed: int) -> None:
    """Try a package's mutants that have not been tried."""
    from cosmic_ray.work_db import WorkDB
    from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

    database = WorkDB(find_drawn(package, seed), WorkDB.Mode.open)
    tried = {job for job, r in database.results if not (r.output or "").startswith("not run")}
    context = multiprocessing.get_context("fork")
    todo, done = context.Queue(), context.Queue()
    for item in database.work_items:
        if item.job_id not in tried:
            todo.put(item)
    for _ in range(WORKERS):
        todo.put(None)
    workers = [context.Process(target=work, args=(n, todo, done, end)) for n in range(WORKERS)]
    for worker in workers:
        worker.start()
    for _ in range(WORKERS):
        for item, outcome, tests, seconds in iter(done.get, None):
            alive = outcome in ("survived", "not run")
            result = WorkResult(
                worker_outcome=WorkerOutcome.NO_TEST if outcome == "none" else WorkerOutcome.NORMAL,
                test_outcome=TestOutcome.SURVIVED if alive else TestOutcome.KILLED,
                output=f"{outcome}; {tests} tests; {seconds:.1f} s",
            )
            database.set_result(item.job_id, result)
            print(f"{package}: {outcome}, {tests} tests, {seconds:.1f} s", flush=True)
    for worker in workers:
        worker.join()
    database.close()


# ---- what came of it -----------------------------------------------------------------------------


def read(package: str, seed: int) -> list[dict[str, Any]]:
    """Read a package's mutants with what came of them."""
    from cosmic_ray.work_db import WorkDB

    database = WorkDB(find_drawn(package, seed), WorkDB.Mode.open)
    results = dict(database.results)
    rows = []
    for item in database.work_items:
        if item.job_id in results:
            (change,) = item.mutations
            rows.append(
                {
                    "module": change.module_path.relative_to(MEASURED).as_posix(),
                    "line": change.start_pos[0],
                    "operator": change.operator_name.removeprefix("core/"),
                    "occurrence": change.occurrence,
                    "within": change.definition_name or "",
                    "outcome": (results[item.job_id].output or "").partition(";")[0],
                }
            )
    database.close()
    return [row for row in rows if row["outcome"] != "none"]


def tabulate(packages: Iterable[str], seed: int) -> str:
    """Write the table of mutants: how many there are, were tried, and were killed."""
    from statsmodels.stats.proportion import proportion_confint

    lines = [
        "| package | mutants | tried | killed | % killed (95 % CI; Wilson) | survived "
        "| not run by a test |",
        "|---|---|---|---|---|---|---|",
    ]
    for package in packages:
        if not find_drawn(package, seed).exists():
            continue
        rows = read(package, seed)
        if not rows:
            continue
        counts = Counter(row["outcome"] for row in rows)
        killed = counts["killed"] + counts["timeout"]
        low, high = proportion_confint(killed, len(rows), method="wilson")
        total = json.loads((WORK / f"{package}.json").read_text(encoding="utf-8"))["mutants"]
        lines.append(
            f"| `{package}` | {total:,} | {len(rows)} | {killed} | {100 * killed / len(rows):.0f} "
            f"({100 * low:.0f} to {100 * high:.0f}) | {counts['survived']} | {counts['not run']} |"
        )
    return "\n".join(lines)


def write(packages: Iterable[str]) -> None:
    """Put the table into the document."""
    begin, end = "<!-- mutants: begin -->", "<!-- mutants: end -->"
    text = DOCS.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    table = tabulate(packages, SEED)
    DOCS.write_text(f"{before}{begin}\n{table}\n\nSeed {SEED}.\n{end}{after}", encoding="utf-8")
    print(table)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw, try and count mutants."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packages", nargs="+", default=PACKAGES, choices=PACKAGES)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--list", action="store_true", help="print what survived, and stop")
    asked = parser.parse_args(arguments)
    if asked.list:
        for package in asked.packages:
            for row in sorted(read(package, asked.seed), key=lambda r: (r["module"], r["line"])):
                if row["outcome"] in ("survived", "not run"):
                    print(*row.values())
        return
    # A neighbour of this script is called coverage, too.
    sys.path[:] = [p for p in sys.path if Path(p).resolve() != Path(__file__).parent]
    end = time.monotonic() + 60 * asked.minutes
    WORK.mkdir(exist_ok=True)
    if not (WORK / "lines.sqlite").exists():
        copy_tree(MEASURED)
        measure(MEASURED)
    for n in range(WORKERS):
        plant(WORK / f"tree-{n}")
    for package in asked.packages:
        draw(package, asked.sample, asked.seed)
        run(package, end, asked.seed)
    if asked.seed == SEED:
        write(PACKAGES)
    else:
        print(tabulate(PACKAGES, asked.seed))


if __name__ == "__main__":
    main()
