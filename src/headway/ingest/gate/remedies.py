"""What to do about a column that the gate refuses."""

from __future__ import annotations

import json
import re

from headway.messages import Message

DROP = "remedy.drop"
_REMEDY: dict[str, str] = {
    "full_date": "remedy.full_date",
    "age_over_89": "remedy.age_over_89",
    "postcode": "remedy.postcode",
    "free_text": "remedy.free_text",
}


def remedy_of(column: str, rule: str) -> Message:
    """Say what to do about a column: the lines of clinic.yaml to type."""
    plain = bool(re.fullmatch(r"[A-Za-z_]\w*", column))
    name = column if plain else json.dumps(column, ensure_ascii=False)
    return Message(
        _REMEDY.get(rule, "remedy.drop_line"),
        drop=f"drop: [{name}]",
        accept=f"accept: {{{name}: [{rule}]}}",
    )
