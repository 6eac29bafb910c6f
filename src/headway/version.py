"""The version with the commit that the code was taken from: `0.1.0 (b194000)`."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from headway import __version__

ROOT = Path(__file__).resolve().parents[2]
# Put into every wheel when it is built (tools/hatch_build.py); a checkout asks git instead.
WRITTEN = Path(__file__).with_name("commit.txt")
# What makes a result. Data are hashed in provenance.json; tests and docs make none.
CODE = ("Snakefile", "notebooks", "src", "workflow")


@cache
def find_commit() -> str:
    """Find the commit of the code: seven digits, and `+` where tracked code differs from it.

    Empty where nobody knows: a copy without git's folder, or a machine without git.
    """
    # Only a `.git` of this very folder: an environment may stand within somebody's repository.
    if not (ROOT / ".git").exists():
        return WRITTEN.read_text(encoding="utf-8").strip() if WRITTEN.is_file() else ""
    ask = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch"]
    try:
        done = subprocess.run(
            [*ask, "--untracked-files=no", "--", *CODE],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    lines = done.stdout.splitlines()
    commit = next((x.split()[2][:7] for x in lines if x.startswith("# branch.oid ")), "")
    changed = any(not line.startswith("#") for line in lines)
    return f"{commit}{'+' * changed}" if commit.isalnum() else ""  # "(initial)": no commit yet


def describe() -> str:
    """Write the version as pages, methods and provenance print it."""
    commit = find_commit()
    return f"{__version__} ({commit})" if commit else __version__
