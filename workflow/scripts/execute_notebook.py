"""Execute a notebook as a reader would, and write it as one self-contained page."""

import json
import os
import re
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from headway import tables
from headway.errors import UserError, naming_the_extra

SECONDS_PER_CELL = 600
STYLE = """
body{margin:0 auto;max-width:52rem;padding:1rem;color:#1a1a1a;background:#fff;
 font:1rem/1.55 system-ui,sans-serif}
h1,h2,h3{line-height:1.25}a{color:#0b5394}
pre,code{font:.85rem/1.45 ui-monospace,monospace}
pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}
.code_cell{margin:1rem 0}
.input_area{background:#f5f6f8;border-left:3px solid #8a9bb0;padding:.5rem .75rem}
.output_area{padding:.5rem .75rem}
.output_html{overflow-x:auto}
.output_stdout pre{font:inherit}
table{border-collapse:collapse;border:0;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .6rem;text-align:left;vertical-align:top;border:0;border-bottom:1px solid #ddd}
img{max-width:100%;height:auto}
@media print{body{max-width:none}.code_cell{break-inside:avoid}}
"""
# What of HTML a cell may put on the page: tables. Text of a trial or a clinic is never more.
TAGS = ("br", "code", "div", "p", "pre", "span", "table", "thead", "tbody", "tr", "th", "td")
ATTRIBUTES = {"*": ["class", "id", "scope", "colspan", "rowspan"]}
REFUSED = "Not run: what it reads was refused. The index says why."
OUTPUTS = {"metadata", "text/plain", "image/png"}


class NotebookError(UserError):
    """A cell failed; the log shows which one, what it says and how it failed."""

    exit_code = 15


def execute(notebook, name, environment, scratch):
    """Run every cell with the interpreter that runs this script, from the repository's root."""
    from ipykernel.kernelspec import get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    class ThisInterpreter(KernelSpecManager):
        """A kernel that needs no installed kernelspec."""

        def get_kernel_spec(self, kernel_name):
            return KernelSpec(**get_kernel_dict())

    manager = AsyncKernelManager(
        kernel_spec_manager=ThisInterpreter(), connection_file=f"{scratch}/kernel.json"
    )
    socket = f"{scratch}/k"
    if os.name == "posix" and len(os.fsencode(socket)) < 90:
        # Files, not ports: two notebooks that start at once cannot take each other's.
        manager.transport, manager.ip = "ipc", socket
    started = [0]

    def start(cell, cell_index):
        started[0] = cell_index
        print(f"cell {cell_index + 1} of {len(notebook.cells)}")

    client = NotebookClient(
        notebook,
        km=manager,
        timeout=SECONDS_PER_CELL,
        on_cell_start=start,
        record_timing=False,  # would differ from run to run
    )
    reason = ""
    try:
        client.execute(env=environment, cwd=str(Path.cwd()), cleanup_kc=True)
    except CellExecutionError as error:
        reason = f"{error.ename}: {error.evalue}"
    except CellTimeoutError:
        reason = f"it took longer than {SECONDS_PER_CELL} s"
    except DeadKernelError:
        reason = "the interpreter died (out of memory?)"
    if reason:
        source = notebook.cells[started[0]].source.splitlines()
        raise NotebookError(
            "\n".join(
                [
                    f"{name}, cell {started[0] + 1} of {len(notebook.cells)} failed",
                    *(f"    {line}" for line in source),
                    reason,
                ]
            )
        )


def join_streams(outputs):
    """Join what a cell printed between two figures or tables: its pieces are a matter of time."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.output_type == "stream" and output.get("name") == last.get("name"):
            last["text"] += output.text
        else:
            joined.append(output)
    return joined


def convert(notebook, title):
    """Write the executed notebook as one page that asks for nothing else and runs nothing."""
    from nbconvert.exporters import HTMLExporter
    from nbconvert.preprocessors.sanitize import SanitizeHTML
    from pygments.formatters import HtmlFormatter

    exporter = HTMLExporter(
        template_name="basic",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    cleaner = SanitizeHTML(tags=list(TAGS), attributes=ATTRIBUTES, safe_output_keys=OUTPUTS)
    for cell in (c for c in notebook.cells if c.cell_type == "code"):
        cell.outputs = join_streams(cell.outputs)
        for shown in (o.data for o in cell.outputs if "text/html" in o.get("data", ())):
            shown["text/html"] = re.sub(r"(?s)<style.*?</style>", "", shown["text/html"])
        cleaner.sanitize_code_outputs(cell.outputs)
    body, _ = exporter.from_notebook_node(notebook)
    # A table that is wider than a phone scrolls, by the keyboard too.
    scrolls = '<div tabindex="0" role="group" aria-label="Table" class="output_html '
    body = tables.printable(body).replace('<div class="output_html ', scrolls)
    colours = HtmlFormatter(style="default").get_style_defs(".highlight")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{colours}</style>\n</head>\n<body>\n"
        '<nav><a href="../index.html">All results</a></nav>\n'
        f"<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


@naming_the_extra("notebooks")
def main(snakemake):
    """Execute, then convert."""
    import nbformat

    path = Path(snakemake.input.notebook)
    notebook = nbformat.read(path, as_version=4)
    heading = notebook.cells[0].source.splitlines()[0].lstrip("# ")
    card = getattr(snakemake.input, "results", None)
    if card and json.loads(Path(card).read_text(encoding="utf-8"))["state"] == "refused":
        # One refused source leaves the index and the other pages as they are.
        notebook.cells = [nbformat.v4.new_markdown_cell(f"# {heading}\n\n{REFUSED}")]
        tables.write_text(convert(notebook, heading), Path(snakemake.output.page))
        return
    with tempfile.TemporaryDirectory(prefix="hw") as scratch:
        # Nothing of the user's own Jupyter or IPython settings may change a page.
        folders = ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")
        environment = (
            os.environ
            | dict.fromkeys(folders, scratch)
            | {
                "HEADWAY_DATA": str(Path(snakemake.params.data_dir).resolve()),
                "HEADWAY_RESULTS": str(Path(snakemake.params.results_dir).resolve()),
                "PYTHONPATH": str(Path(tables.__file__).parents[2]),
                "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            }
        )
        execute(notebook, path.as_posix(), environment, scratch)
    tables.write_text(convert(notebook, heading), Path(snakemake.output.page))


if "snakemake" in globals():
    from _job import run

    run(main, snakemake)
