"""A notebook's cells in this process: what they print and show, without an interpreter of its own.

`tests/unit/test_notebooks.py` executes the notebooks as the workflow does.
"""

from __future__ import annotations

import ast
import io
from contextlib import redirect_stdout
from html import escape
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbformat
from matplotlib.text import Text

from headway.figures.theme import Drawing


def run_notebook(path: Path, data: Path, results: Path) -> list[str]:
    """Run every code cell; one text for each: what it printed and showed."""
    cells = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    space: dict[str, Any] = {"display": _display}
    environment = {"HEADWAY_DATA": str(data), "HEADWAY_RESULTS": str(results)}
    with patch.dict("os.environ", environment):
        return [_run(source, space) for source in cells]


def _run(source: str, space: dict[str, Any]) -> str:
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    said = io.StringIO()
    with redirect_stdout(said):
        exec(compile(tree, "cell", "exec"), space)
        if last is not None:
            _display(eval(compile(ast.Expression(last.value), "cell", "eval"), space))
    return said.getvalue()


def _display(*values: Any) -> None:
    """Print what a notebook shows of a value: of a figure its alt text and its letters."""
    for value in values:
        if isinstance(value, Drawing):
            print(f"<p>{escape(value.alt)}</p>")
            print(*(f"<!--{text.get_text()}-->" for text in value.figure.findobj(Text)))
        elif value is not None:
            html = getattr(value, "_repr_html_", None)
            print(html() if html else repr(value))
