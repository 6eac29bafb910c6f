"""What a wheel carries beside the package: the workflow, and commit and day of its code."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# One source for checkout and wheel; in the wheel it stands below headway/_workflow.
WORKFLOW = (
    "Snakefile",
    "config/config.yaml",
    "environment.yml",
    "notebooks",
    "profiles",
    "workflow",
)


class CustomBuildHook(BuildHookInterface[Any]):
    """Add both to a wheel, and commit and day to a source archive, which has no git."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files; an editable install reads the checkout and needs none."""
        if version == "editable":
            return
        root, include = Path(self.root), build_data["force_include"]
        if self.target_name == "wheel":
            include |= {str(root / name): f"headway/_workflow/{name}" for name in WORKFLOW}
        sys.path.insert(0, str(root / "src"))
        from headway.version import WRITTEN, find_commit, find_date

        if WRITTEN.is_file():  # an unpacked source archive: it is one of the package's files
            return
        self.scratch = tempfile.TemporaryDirectory()
        path = Path(self.scratch.name, WRITTEN.name)
        path.write_text(f"{find_commit()} {find_date()}\n", encoding="utf-8")
        folder = "headway" if self.target_name == "wheel" else "src/headway"
        include[str(path)] = f"{folder}/{WRITTEN.name}"
