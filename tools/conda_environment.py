"""Write environment.yml: python tools/conda_environment.py.

Conda users get the versions of requirements.lock, under conda's names.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# The few packages that conda knows by another name.
CONDA_NAMES = {
    "duckdb": "python-duckdb",
    "jupyter-client": "jupyter_client",
    "matplotlib": "matplotlib-base",
    "snakemake": "snakemake-minimal",
    "pandera": "pandera-pandas",
}
BUILD = ["hatchling", "editables"]
# conda's `typst` is the program, not the package for Python.
FROM_PIP = ("typst",)
HEAD = """\
# For conda users: conda env create -f environment.yml. The versions are those of requirements.lock
# (tools/conda_environment.py writes this file; a test holds the two against each other).
name: headway
channels:
  - conda-forge
  - bioconda
  - nodefaults
dependencies:
  - python >=3.11
  - pip
"""


def read_lock(text: str) -> dict[str, str]:
    """Read name -> version of every package in the lock."""
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", text, flags=re.MULTILINE))


def direct_names(project: dict[str, object]) -> list[str]:
    """List the package's own dependencies by name, those of the main extras too."""
    table: Any = project["project"]
    extras = table["optional-dependencies"]
    wanted = (extras[name] for name in ("pipeline", "notebooks", "docs"))
    requirements = [*table["dependencies"], *(r for extra in wanted for r in extra)]
    return [re.split(r"[<>=!~\[ ;]", r, maxsplit=1)[0].lower() for r in requirements]


def write() -> str:
    """Make environment.yml."""
    versions = read_lock((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = sorted([*direct_names(project), *BUILD])
    conda = [n for n in names if n not in FROM_PIP]
    lines = [f"  - {CONDA_NAMES.get(name, name)} =={versions[name]}\n" for name in conda]
    pip = [f"      - {name}=={versions[name]}\n" for name in names if name in FROM_PIP]
    return HEAD + "".join(lines) + "  - pip:\n" + "".join(pip) + "      - --editable .\n"


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(write(), encoding="utf-8")
