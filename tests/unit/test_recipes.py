"""The recipes of docs/developers.md, done by the book in a copy of the package."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from headway.tables import RELEASED, TABLES
from tests.unit.pages_builder import analysed

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "developers.md").read_text(encoding="utf-8")
STEP = re.compile(
    r"In `([^`]+)`, after the line `([^`]+)`:\n\n(?:<!--.*?-->\n)?```\w+\n(.*?)```", re.DOTALL
)


def load_tool(name: str, root: Path = ROOT) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, root / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def follow(recipe: str, root: Path) -> int:
    """Do the steps of a recipe in a copy of the package; returns how many there were."""
    for folder in ("src", "tools"):
        shutil.copytree(
            ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
    part = TEXT[TEXT.index(f"### {recipe}\n") :]
    part = part[: part.index("\n### ", 5)]
    steps = STEP.findall(part)
    for file, line, block in steps:
        path = root / file
        text = path.read_text(encoding="utf-8")
        assert text.count(f"\n{line}\n") == 1, f"{file} has not one line {line!r}"
        path.write_text(text.replace(f"\n{line}\n", f"\n{line}\n{block}"), encoding="utf-8")
    return len(steps)


def run(code: str, root: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={"PYTHONPATH": str(root / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_measure_by_the_book(tmp_path: Path) -> None:
    assert follow("A measure", tmp_path) == 2
    run("import runpy; runpy.run_path('tools/measures.py', run_name='__main__')", tmp_path)
    out = run(
        "from headway import config\n"
        "from headway.config import review\n"
        "from headway.effects import escalc\n"
        "from headway.messages import t\n"
        "yi, vi = escalc('PCD', n1=[20], mean1=[6.0], sd1=[2.0], n2=[30], mean2=[8.0], sd2=[3.0])\n"
        "print(round(float(yi[0]), 6), round(float(vi[0]), 4))\n"
        "print('PCD' in review.MEASURES, 'PCD' in t('measure.PCD'))\n",
        tmp_path,
    ).splitlines()
    # 100 (6/8 - 1); 10^4 (6/8)² (2²/(20·6²) + 3²/(30·8²))
    assert out[0] == "-25.0 57.6172"
    assert out[1] == "True True"


def test_an_instrument_by_the_book(tmp_path: Path) -> None:
    assert follow("An instrument", tmp_path) == 1
    out = run(
        "from headway.outcomes.change import instruments as i\n"
        "known = i.describe('Example Questionnaire')\n"
        "print(known.name, known.high, i.canonical('example score'))\n",
        tmp_path,
    )
    assert out == "EXAMPLE 40.0 EXAMPLE"


def test_a_column_by_the_book(tmp_path: Path) -> None:
    assert follow("A column of a table", tmp_path) == 2
    out = run(
        "import pandas as pd\n"
        "from headway.disclosure import PRESETS, release\n"
        "from headway.outcomes.care.safety import build_safety\n"
        "few = pd.DataFrame({'patient_id': list('abcdef'), 'day': 0, 'technique': 'manual',\n"
        "    'setting': 'in_office', 'soreness_days': [1.0, 0, 0, 2, 0, 0],\n"
        "    'soreness_reported': 'asked'})\n"
        "made = build_safety(few)\n"
        "out = release({'safety': made}, PRESETS['opensafely'])['safety']\n"
        "print(made['stopped'].max(), out['stopped'].notna().sum())\n",
        tmp_path,
    )
    assert out == "6.0 0"  # six people: made, and not released


def test_every_path_that_the_developers_are_told_is_there() -> None:
    named = set(re.findall(r"`((?:src|tests|docs|tools|benchmarks|workflow)/[\w./]+)`", TEXT))
    rooms = "messages|tables|config|effects|meta|ingest|reviews|outcomes|disclosure|figures|report"
    inside = set(re.findall(rf"`((?:{rooms})/[\w./]+)`", TEXT))
    gone = {p for p in named if not (ROOT / p).exists()}
    gone |= {
        p
        for p in inside
        if not (ROOT / "src/headway" / p).exists()
        and not (ROOT / "src/headway" / f"{p}.py").exists()
    }
    assert len(named | inside) > 30
    assert gone == set()


def test_the_page_of_functions_is_that_of_the_code() -> None:
    tool = load_tool("where_doc")
    assert tool.PAGE.read_text(encoding="utf-8") == tool.write(), "run: python tools/where_doc.py"
    for table, functions in tool.MAKERS.items():
        assert table in TABLES
        for function in functions.values():
            module, _, name = function.rpartition(".")
            assert callable(getattr(importlib.import_module(f"headway.{module}"), name)), function
    released = {
        *RELEASED,
        *["effects", "pooled", "multiverse", "refits", "small_studies", "findings"],
    }
    assert released | {"reproduction", "consistency", "integrity"} <= set(tool.MAKERS)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("cohort", "statistic"),
        ("expected", "source"),
        ("sensitivity", "id"),
        ("checks", "id"),
        ("safety", "statistic"),
        ("cost", "statistic"),
        ("dose", "statistic"),
        ("traps", "id"),
        ("control_chart", "chart"),
    ],
)
def test_every_code_of_the_demo_leads_to_a_function(table: str, column: str) -> None:
    tool = load_tool("where_doc")
    assert tool.CODES[table] == column
    codes = analysed("demo")[1][table][column].dropna().unique()
    known = [k for k in tool.MAKERS[table] if k]
    lost = [
        c
        for c in codes
        if not any(c == k or (k[-1] == "*" and c.startswith(k[:-1])) for k in known)
    ]
    assert len(codes) > 0
    assert lost == []
