"""The code blocks of the documents: python tools/docs_blocks.py writes docs/not_run.md.

A block in ```sh or ```python is run by a test, or the line before it says why it is not:
`<!-- not run here: reason -->`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "not_run.md"
_FENCE = re.compile(r"^ *(`{3,})(sh|bash|python)\n(.*?)^ *\1 *$", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"<!-- not run here: ((?:(?!-->).)+) -->\n\Z", re.DOTALL)
# Pages that only show how commands are written: alternatives that are no sequence.
FORMS = {"docs/commands.md": "forms of one command; a test parses each of them"}
HEAD = """\
# Examples that no test runs

Every command and every block of Python in the README and in these pages is run by
`tests/unit/test_docs_blocks.py` or by the site's own build (`make docs`), but for those below.
Written by `python tools/docs_blocks.py`; a test keeps the list true.

| page | begins | not run because |
|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code: its page, its first line in the page, and why it is not run, if so."""

    page: str
    line: int
    language: str
    code: str
    reason: str = ""


def list_pages() -> list[str]:
    """List the pages that may hold examples, from the project's folder."""
    made = ("docs/_", PAGE.relative_to(ROOT).as_posix())
    pages = (path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
    return ["README.md", "CONTRIBUTING.md", *sorted(p for p in pages if not p.startswith(made))]


def read_blocks(page: str) -> Iterator[Block]:
    """Read the blocks of a page in their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        before = text[: found.start()]
        mark = _MARK.search(before)
        reason = " ".join(mark[1].split()) if mark else FORMS.get(page, "")
        yield Block(page, before.count("\n") + 2, found[2], found[3], reason)


def lay_out(place: Path, *reviews: str) -> dict[str, str]:
    """Lay out a folder like the project's own, once; returns the environment for its commands.

    `headway` and `python` are this interpreter, on the path and in `.venv/bin`; of the sources it
    holds the named reviews.
    """
    programs, raw = place / ".venv" / "bin", place / "data" / "raw"
    path = f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"}
    if programs.is_dir():
        return environment
    programs.mkdir(parents=True)
    (programs / "activate").touch()
    for name, words in {"python": "", "headway": " -m headway"}.items():
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}"{words} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    for entry in ROOT.iterdir():
        if not entry.name.startswith(".") and entry.name not in ("data", "results", "logs"):
            (place / entry.name).symlink_to(entry)
    (raw / "clinics").mkdir(parents=True)
    for name in reviews:
        shutil.copytree(ROOT / "data/raw/trials" / name, raw / "trials" / name)
    return environment


def run_shell(block: Block, place: Path, environment: dict[str, str]) -> str:
    """Run a block of commands in a folder; returns what it prints.

    Raises
    ------
    RuntimeError
        If a command fails.
    """
    done = subprocess.run(
        ["sh", "-eu", "-c", block.code],
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        where = f"{block.page}, line {block.line}"
        raise RuntimeError(f"{where}:\n{block.code}\n{done.stdout}{done.stderr}")
    return done.stdout


def write() -> str:
    """Make the page of the blocks that are not run."""
    rows = []
    for page in list_pages():
        for block in read_blocks(page):
            if block.reason:
                start = block.code.strip().splitlines()[0].replace("|", "\\|")
                link = f"`{page}`"
                rows.append(f"| {link} | `{start}` | {block.reason} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(write(), encoding="utf-8")
