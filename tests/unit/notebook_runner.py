"""A notebook's cells in this process: what they print and show, without an interpreter of its own.

`tests/unit/test_notebooks.py` executes the notebooks as the workflow does.
"""

from __future__ import annotations

import ast
import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import matplotlib as mpl
import nbformat


def run_notebook(path: Path, data: Path, results: Path) -> list[str]:
    """Run every code cell; one text for each: what it printed, its last value, its figures."""
    import matplotlib.pyplot as plt

    cells = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    space: dict[str, Any] = {}
    out = []
    environment = {"HEADWAY_DATA": str(data), "HEADWAY_RESULTS": str(results)}
    with patch.dict("os.environ", environment), mpl.rc_context({"svg.hashsalt": "test"}):
        plt.switch_backend("agg")
        for source in cells:
            out.append(_run(source, space))
            for number in plt.get_fignums():
                picture = io.StringIO()
                plt.figure(number).savefig(picture, format="svg", metadata={"Date": None})
                out[-1] += picture.getvalue()
            plt.close("all")
    return out


def _run(source: str, space: dict[str, Any]) -> str:
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    said = io.StringIO()
    with redirect_stdout(said):
        exec(compile(tree, "cell", "exec"), space)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), space)
            if value is not None:
                html = getattr(value, "_repr_html_", None)
                print(html() if html else repr(value))
    return said.getvalue()
