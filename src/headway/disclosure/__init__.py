"""Small-number rules: the only door through which a clinic's numbers reach `results/`.

Presets follow published rules: `opensafely` (counts of 7 or fewer hidden, then the rest rounded
to 5), `cms` (counts of 1 to 10 hidden; where fewer than 98 people started, the rest is rounded to
5 as well), `nhs` (1 to 7 hidden, the rest rounded to 5). `internal` and `public` let everything
through; pages under `internal` are stamped.
"""

from headway.disclosure.door import RULES, release
from headway.disclosure.presets import PRESETS, Preset, choose_preset, write_count
from headway.disclosure.statistics import SHAPES, Shape
from headway.disclosure.survival import CURVES, Curve

__all__ = [
    "CURVES",
    "PRESETS",
    "RULES",
    "SHAPES",
    "Curve",
    "Preset",
    "Shape",
    "choose_preset",
    "release",
    "write_count",
]
