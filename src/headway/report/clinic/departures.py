"""Page one on settings that are not the defaults: a choice that is not seen is no declared one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.config.clinic import Cutoff, Window
from headway.config.departures import list_departures
from headway.messages import decimal, phrase, t
from headway.report import formats

if TYPE_CHECKING:
    from headway.config.clinic import Clinic


def write_departures(clinic: Clinic) -> list[dict[str, str]]:
    """Write a line for each setting that is not the default: key, what it is, and its source."""
    out = []
    for found in list_departures(clinic):
        value, default = (_show(found.key, v) for v in (found.value, found.default))
        text = t("page_one.value_in_place_of_default", value=value, default=default)
        if found.source:
            text += " " + t("page_one.its_source", source=found.source.rstrip(". "))
        out.append({"key": found.key, "text": text})
    return out


def _show(key: str, value: Any) -> str:
    if key == "comparisons":
        before, after = (phrase("window", window) for window in value)
        return t("comparison.windows", before=before, after=after)
    return show_setting(value)


def show_setting(value: Any) -> str:
    """Write a setting: numbers as the page's language has them, windows by their days."""
    if value is None or (isinstance(value, Sequence | Mapping) and not len(value)):
        return t("page_one.nothing")
    if isinstance(value, bool):
        return formats.as_text(value)
    if isinstance(value, int | float):
        return decimal(f"{value:g}".replace("-", "−"))
    if isinstance(value, Window):
        return show_window(value)
    if isinstance(value, Cutoff):
        return f"≥ {show_setting(value.days)} (SD {show_setting(value.population_sd)})"
    if isinstance(value, Mapping):
        return "; ".join(f"{k} {show_setting(v)}" for k, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(show_setting(v) for v in value)
    return str(value).replace("_", " ")


def show_window(window: Window) -> str:
    """Write a window: its days, what they count from, and how many need an entry."""
    ends = (("window.the_start", window.from_), ("window.the_end", window.to))
    low, high = (t(open_) if day is None else t("window.day", day=day) for open_, day in ends)
    text = t("common.low_to_high", low=low, high=high)
    if window.anchor == "last_session":
        text += t("methods.counted_from_the_last_session")
    if window.min_days is not None:
        text += t("methods.at_least_n_days_with_an_entry", n=window.min_days)
    return text
