"""The release with the commit that the code was taken from: `0.2.0 (b194000)`."""

from __future__ import annotations

import os
import re
import subprocess
import time
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Put into every wheel when it is built (tools/hatch_build.py); a checkout asks git instead.
WRITTEN = Path(__file__).with_name("commit.txt")
# What makes a result. Data are hashed in provenance.json; tests and docs make none.
CODE = ("Snakefile", "notebooks", "src", "workflow")


@cache
def find_version() -> str:
    """Find what git said when the package was installed: `0.2.0`, `0.2.0.post1.dev3`.

    "0" where the sources are run without having been installed.
    """
    try:
        return metadata.version("headway")
    except metadata.PackageNotFoundError:
        return "0"


@cache
def find_commit() -> str:
    """Find the commit of the code: seven digits, and `+` where tracked code differs from it.

    Empty where nobody knows: a copy without git's folder, or a machine without git.
    """
    # Only a `.git` of this very folder: an environment may stand within somebody's repository.
    if not (ROOT / ".git").exists():
        return _read_written()[0]
    ask = ("--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=no")
    lines = _ask_git(*ask, "--", *CODE).splitlines()
    commit = next((x.split()[2][:7] for x in lines if x.startswith("# branch.oid ")), "")
    changed = any(not line.startswith("#") for line in lines)
    return f"{commit}{'+' * changed}" if commit.isalnum() else ""  # "(initial)": no commit yet


@cache
def find_date() -> str:
    """Find the day of that commit, ISO 8601.

    Where nobody knows it, the day of SOURCE_DATE_EPOCH, and without one that is a number of
    seconds today (UTC).
    """
    if not (ROOT / ".git").exists():
        found = _read_written()[1]
    else:
        found = _ask_git("show", "--no-patch", "--format=%cs").strip()
    if found:
        return found
    try:
        now = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        now = datetime.fromtimestamp(time.time(), UTC)
    return now.date().isoformat()


def _ask_git(*arguments: str) -> str:
    """Return what git says of this checkout; nothing where it cannot be asked."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout


def _read_written() -> tuple[str, str]:
    """Read commit and day that a wheel carries."""
    words = WRITTEN.read_text(encoding="utf-8").split() if WRITTEN.is_file() else []
    commit, day, *_ = [*words, "", ""]
    return commit, day


def describe() -> str:
    """Write the version as pages, methods and provenance print it.

    The release alone with the commit: how many commits lie between is git's, and a checkout that
    was updated since its installation would say it wrongly.
    """
    release = re.match(r"[\d.]*\d", find_version())
    commit = find_commit()
    return " ".join([release[0] if release else "0", *([f"({commit})"] if commit else [])])
