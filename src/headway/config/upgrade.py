"""Reading settings by the version of their contract.

A step takes a document of one version to the next. It never changes what it is given, and raises
`Changed` where only the person who wrote the file can say what is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from headway.config.document import Keys, find_line
from headway.errors import ConfigError, Problem
from headway.messages import Message

Step = Callable[[Mapping[str, Any]], dict[str, Any]]

VERSION = 1
# File -> version -> the step from it to the next one.
STEPS: Mapping[str, Mapping[int, Step]] = {"clinic": {}, "review": {}}


class Changed(ValueError):
    """A key of an older version that cannot be read for its writer."""

    def __init__(self, key: str, remedy: Message) -> None:
        self.key, self.remedy = key, remedy
        super().__init__(key)


def upgrade(
    document: dict[str, Any],
    kind: str,
    path: Path,
    lines: Mapping[Keys, int] = MappingProxyType({}),
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
    path, lines
        The file and the lines of its keys, for messages.
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
    key, remedy = "schema_version", Message("remedy.version", version=version)
    if found > version:
        reason = Message("problem.version_newer", found=found, version=version)
        remedy = Message("remedy.version_newer", version=version)
    else:
        reason = Message("problem.version_old", found=found)
        try:
            for step in range(found, version):
                document = {**steps[kind][step](document), "schema_version": step + 1}
            return document
        except KeyError:
            pass
        except Changed as change:
            key, remedy = change.key, change.remedy
            reason = Message("problem.version_changed", key=key, found=found)
    line = find_line(lines, tuple(key.split(".")))
    problem = Problem(path.name, "schema_version", reason, line=line, remedy=remedy)
    raise ConfigError(Message("failure.version", file=f"{path.parent.name}/{path.name}"), [problem])
