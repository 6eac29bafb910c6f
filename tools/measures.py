"""Write the registry's codes into the settings of a review: `python tools/measures.py`.

`headway.config` stands below the registry and cannot ask it.
"""

from __future__ import annotations

import re
from pathlib import Path

from headway.effects.measures import MEASURES

SETTINGS = Path(__file__).resolve().parents[1] / "src" / "headway" / "config" / "review.py"


def write(source: str) -> str:
    """Put every code of the registry into the source of the settings."""
    listed = "".join(f'    "{code}",\n' for code in MEASURES)
    text, times = re.subn(r"(?m)^MEASURES = \(\n[^)]*\)", f"MEASURES = (\n{listed})", source)
    assert times == 1, "the settings have no list of measures"
    return text


if __name__ == "__main__":
    SETTINGS.write_text(write(SETTINGS.read_text(encoding="utf-8")), encoding="utf-8")
