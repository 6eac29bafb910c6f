"""Make what the site shows of the program at work: python tools/docs_pictures.py.

In docs/_made: the figures of the clinic and the reviews of the tutorials, what their commands
print, and drawings of regression to the mean. The tutorials' own commands are run for it, so that
the build fails where a tutorial does. Nothing is made again while the package stays the same.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tools")]

import docs_blocks  # noqa: E402
import regression_pictures  # noqa: E402

_CLINIC, _TRIALS = "results/clinics/first/figures", "results/trials"
# Tutorial -> the shipped reviews it needs, and picture of the site -> the figure that it is.
TUTORIALS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "docs/tutorials/clinic.md": (
        (),
        {
            "clinic_change.png": f"{_CLINIC}/change_frequency.png",
            "clinic_sensitivity.png": f"{_CLINIC}/sensitivity.png",
        },
    ),
    "docs/tutorials/reviewer.md": (
        ("lee_done_2004_acupoint",),
        {
            "review_forest.png": f"{_TRIALS}/lee_done_2004_acupoint/figures/forest_nausea.png",
            "review_own.png": f"{_TRIALS}/my_review/figures/forest_imported.png",
        },
    ),
}
# What a tutorial's command says is printed on the site: how the command begins -> the file.
SAID = {
    "headway new-clinic": "said_new_clinic.txt",
    "headway import": "said_import.txt",
    "headway check lee": "said_check.txt",
}
_WIDTH = 92


def sign() -> str:
    """Sign everything that the pictures come from."""
    digest = hashlib.sha256()
    places = ["src/headway", "workflow", "docs/tutorials", "data/raw/trials/lee_done_2004_acupoint"]
    tools = [f"tools/{name}.py" for name in ("docs_blocks", "docs_pictures", "recording_workbook")]
    for place in (*places, *tools, "tools/regression_pictures.py"):
        for path in sorted([ROOT / place, *(ROOT / place).rglob("*")]):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
                digest.update(path.read_bytes())
    return digest.hexdigest()


def run_tutorial(page: str, place: Path, out: Path) -> None:
    """Run a tutorial's commands in a folder, and keep what they print and draw.

    Raises
    ------
    RuntimeError
        If a command fails.
    """
    reviews, figures = TUTORIALS[page]
    environment = docs_blocks.lay_out(place, *reviews)
    for block in docs_blocks.read_blocks(page):
        said = docs_blocks.run_shell(block, place, environment)
        for start, name in SAID.items():
            if any(line.startswith(start) for line in block.code.splitlines()):
                lines = [
                    textwrap.fill(
                        line,
                        _WIDTH,
                        subsequent_indent="    ",
                        drop_whitespace=line.lstrip() == line,
                    )
                    for line in said.splitlines()
                ]
                (out / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, figure in figures.items():
        shutil.copyfile(place / figure, out / name)


def make(out: Path) -> None:
    """Make everything that is not there yet.

    Raises
    ------
    RuntimeError
        If a command of a tutorial fails.
    """
    stamp, signed = out / "stamp", sign()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == signed:
        return
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    regression_pictures.draw(out)
    with ThreadPoolExecutor() as pool:
        jobs = [
            pool.submit(run_tutorial, page, out / "work" / Path(page).stem, out)
            for page in TUTORIALS
        ]
        for job in jobs:
            job.result()
    shutil.rmtree(out / "work")
    stamp.write_text(signed, encoding="utf-8")


if __name__ == "__main__":
    make(ROOT / "docs" / "_made")
