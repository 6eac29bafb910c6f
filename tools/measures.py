"""Write the registry's codes into the schema of review.yaml: `python tools/measures.py`."""

from __future__ import annotations

import re
import textwrap

from headway.config import SCHEMA_DIR
from headway.effects.measures import MEASURES

SCHEMA = SCHEMA_DIR / "review.schema.yaml"
_ENUM = re.compile(r"(?<=\n        measure:\n          enum:)[^]]*\]")


def write(schema: str) -> str:
    """Put every code of the registry into the text of the schema."""
    lines = textwrap.wrap(", ".join(MEASURES), 84)
    listed = "\n".join(f"              {line}" for line in lines)
    text, times = _ENUM.subn(f"\n            [\n{listed},\n            ]", schema)
    assert times == 1, "the schema has no list of measures"
    return text


if __name__ == "__main__":
    SCHEMA.write_text(write(SCHEMA.read_text(encoding="utf-8")), encoding="utf-8")
