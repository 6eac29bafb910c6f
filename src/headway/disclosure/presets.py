"""The small-number rules by name, and how a count or an interval is printed under them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from headway.messages import Message, join, t

# Exact counts say too much about one another: whoever knows which cells always agree or add up
# works out what is hidden, in clinics of 24 people and of 400 alike (docs/disclosure.md).
_ROUND_TO = 5


@dataclass(frozen=True, slots=True)
class Preset:
    """A set of small-number rules."""

    name: str
    redact_up_to: int
    round_to: int
    source: str

    @property
    def open(self) -> bool:
        """Whether everything may pass."""
        return self.redact_up_to == 0

    @property
    def text(self) -> str:
        """The rule as messages, for the page."""
        rounded = Message("preset.rounded", to=self.round_to) if self.round_to > 1 else None
        if self.open:
            return Message("preset.internal" if self.name == "internal" else "preset.public")
        return join([Message("preset.hidden", name=self.name, most=self.redact_up_to), rounded])

    def hides(self, n: float) -> bool:
        """Whether a count is small enough to be hidden. 0 is not."""
        return bool(0 < n <= self.redact_up_to)

    def round(self, n: float) -> float:
        """Round a count that is not hidden."""
        if np.isnan(n) or self.round_to == 1:
            return n
        return float(np.floor(n / self.round_to + 0.5) * self.round_to)

    def prints(self, n: float, printed: float) -> bool:
        """Whether a count is printed as these rules print it."""
        return not self.hides(n) and bool(self.round(n) == printed)

    def range_of(self, n: float) -> tuple[float, float]:
        """Range of the counts that are printed as the count `n` is; `n` is not hidden."""
        if n == 0 or self.round_to == 1:
            return n, n
        printed = self.round(n)
        low = np.ceil(printed - self.round_to / 2)
        high = np.ceil(printed + self.round_to / 2) - 1
        return float(max(low, self.redact_up_to + 1)), float(high)

    @property
    def block(self) -> int:
        """Width of the blocks whose midpoints are printed in survival curves.

        6 by OpenSAFELY's rule; where up to 10 are hidden, the next multiple that hides them.
        """
        return 6 if self.redact_up_to <= 7 else 12


PRESETS: dict[str, Preset] = {
    "opensafely": Preset("opensafely", 7, 5, "OpenSAFELY, statistical disclosure control"),
    "cms": Preset("cms", 10, 1, "CMS cell size suppression policy (ResDAC)"),
    "nhs": Preset("nhs", 7, 5, "NHS Digital, Hospital Episode Statistics, since September 2018"),
    "internal": Preset("internal", 0, 1, "off"),
    "public": Preset("public", 0, 1, "off"),
}


def choose_preset(name: str) -> Preset:
    """Take a preset by name; one that hides small counts rounds the others, to 5 if it names none.

    Parameters
    ----------
    name
        Key of `PRESETS`, which has each rule as its authors wrote it.
    """
    preset = PRESETS[name]
    if preset.open or preset.round_to > 1:
        return preset
    return replace(preset, round_to=_ROUND_TO)


def explain(preset: Preset) -> Message:
    """Say that a row is hidden, without saying which of the two reasons it has."""
    return Message("withheld.small_or_follows", most=preset.redact_up_to)


def explain_small(preset: Preset) -> Message:
    """Say that a count is small itself, where a reader has to know."""
    return Message("withheld.small", most=preset.redact_up_to)


def write_count(value: float, redacted: bool, note: str | None, preset: Preset) -> str:
    """Write a count that is never left out, such as one of harms.

    Parameters
    ----------
    value, redacted, note
        `count`, `redacted` and `note` of a released row.

    Returns
    -------
    str
        The count; "≤ 7" (the preset's threshold) for one that is small itself; "hidden", in the
        language in use, for one from which a small one would follow; an en dash for one that is
        not known.
    """
    if not np.isnan(value):
        return f"{round(value):,}".replace(",", " ")
    if not redacted:
        return "–"
    return f"≤ {preset.redact_up_to}" if note == explain_small(preset) else t("common.hidden")
