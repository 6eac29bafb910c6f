"""Reading settings by the version of their contract.

A step takes a document of one version to the next. It never changes what it is given, and raises
`Changed` where only the person who wrote the file can say what is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from headway.errors import ConfigError, Problem

Step = Callable[[Mapping[str, Any]], dict[str, Any]]

VERSION = 1
# File -> version -> the step from it to the next one.
STEPS: Mapping[str, Mapping[int, Step]] = {"clinic": {}, "review": {}}


class Changed(ValueError):
    """A key of an older version that cannot be read for its writer."""

    def __init__(self, key: str, remedy: str) -> None:
        self.key, self.remedy = key, remedy
        super().__init__(f"'{key}' has changed; {remedy}")


def upgrade(
    document: dict[str, Any],
    kind: str,
    path: Path,
    *,
    steps: Mapping[str, Mapping[int, Step]] = STEPS,
    version: int = VERSION,
) -> dict[str, Any]:
    """Take a document to today's version, step by step.

    Parameters
    ----------
    document
        What the YAML file holds.
    kind
        `clinic` or `review`.
    path
        The file, for the line in a message.
    steps, version
        The steps there are, and the version they lead to.

    Raises
    ------
    ConfigError
        If the file is of a later version, or of an earlier one that cannot be read; with the line
        and what to write there.
    """
    found = document.get("schema_version")
    if not isinstance(found, int) or isinstance(found, bool) or found == version:
        return document  # a version that is none is the schema's to report
    key, remedy = "schema_version", f"write 'schema_version: {version}' and hold the file to it"
    if found > version:
        reason = f"version {found} is newer than {version}, the version that is read here"
        remedy = f"install a newer headway, or {remedy}"
    else:
        reason = f"version {found} is no longer read"
        try:
            for step in range(found, version):
                document = {**steps[kind][step](document), "schema_version": step + 1}
            return document
        except KeyError:
            pass
        except Changed as change:
            key, remedy = change.key, change.remedy
            reason = f"'{key}' of version {found} has changed"
    problem = Problem(path.name, "schema_version", reason, line=_find(path, key), remedy=remedy)
    raise ConfigError(f"{path.parent.name}/{path.name} cannot be read", [problem])


def _find(path: Path, key: str) -> int | None:
    """Find the line of a key such as `windows.min_days` in a YAML file."""
    import yaml

    node, line = yaml.compose(path.read_text(encoding="utf-8-sig"), yaml.SafeLoader), None
    for part in key.split("."):
        for name, value in node.value if isinstance(node, yaml.MappingNode) else ():
            if name.value == part:
                node, line = value, name.start_mark.line + 1
                break
    return line
