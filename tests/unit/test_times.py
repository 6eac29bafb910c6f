"""Times of day and lengths of time as people write them, in three languages."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.ingest.times import read_clock, read_hours


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("4 h", 4),
        ("1d 06h 30m", 30.5),
        ("2d", 48),
        ("1 day, 6:30:00", 30.5),
        ("1 days 06:30:00", 30.5),
        ("PT1H30M", 1.5),
        ("P1DT6H", 30),
        ("P1W", 168),
        ("4:15", 4.25),
        ("02:15:30", 2 + 15 / 60 + 30 / 3600),
        ("90 min", 1.5),
        ("1h30", 1.5),
        ("2 hours and 15 minutes", 2.25),
        ("half an hour", 0.5),
        ("1½ h", 1.5),
        ("1 1/2 hours", 1.5),
        ("1,5 Std.", 1.5),
        ("2 Stunden und 30 Minuten", 2.5),
        ("1 Tag 4 Std", 28),
        ("eine halbe Stunde", 0.5),
        ("anderthalb Stunden", 1.5),
        ("2 días", 48),
        ("1 hora y 20 minutos", 1 + 1 / 3),
        ("media hora", 0.5),
        ("una hora y media", 1.5),
    ],
)
def test_lengths(text: str, hours: float) -> None:
    assert read_hours(text) == pytest.approx(hours)
    assert read_hours(f"  {text.upper()}\u00a0") == pytest.approx(hours)


@pytest.mark.parametrize(
    "text", ["", "4", "4.5", "5-7 h", "<1 h", "about 4 h", "2 h 5", "h", "P", "4 x", "8/10", None]
)
def test_what_is_not_wholly_understood_is_no_length(text: str | None) -> None:
    assert read_hours(text) is None


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("14:30", 14.5),
        ("0:00", 0),
        ("24:00", 24),
        ("22:30:00", 22.5),
        ("2:30 pm", 14.5),
        ("2:30 p. m.", 14.5),
        ("12:00 am", 0),
        ("12 pm", 12),
        ("14 Uhr 30", 14.5),
        ("14.30 Uhr", 14.5),
        ("14 Uhr", 14),
        ("14h30", 14.5),
        ("2031-02-01 22:30:00", 22.5),
        ("2031-02-01T22:30:00+02:00", 22.5),
        ("2031-02-01 00:00:00", 0),
        ("2031-02-01", 0),
        ("1.2.2031 22:30", 22.5),
    ],
)
def test_times_of_day(text: str, hour: float) -> None:
    assert read_clock(text) == pytest.approx(hour)


@pytest.mark.parametrize(
    "text", ["", "14", "9.5", "25:00", "13 pm", "0 am", "9:5", "morning", "14:30-15:00", None]
)
def test_what_is_no_time_of_day(text: str | None) -> None:
    assert read_clock(text) is None


@given(st.integers(0, 9), st.integers(0, 23), st.integers(0, 59))
def test_one_length_in_every_spelling(days: int, hours: int, minutes: int) -> None:
    total = 24 * days + hours + minutes / 60
    for text in (
        f"{days}d {hours}h {minutes}m",
        f"{days} days, {hours:02d}:{minutes:02d}:00",
        f"P{days}DT{hours}H{minutes}M",
        f"{days} Tage {hours} Stunden {minutes} Minuten",
        f"{days} días, {hours} horas y {minutes} minutos",
        f"{24 * days + hours}:{minutes:02d}",
    ):
        assert math.isclose(read_hours(text) or 0.0, total, abs_tol=1e-9), text


@given(st.integers(0, 23), st.integers(0, 59))
def test_one_time_in_every_spelling(hour: int, minute: int) -> None:
    half = "am" if hour < 12 else "pm"
    for text in (
        f"{hour}:{minute:02d}",
        f"{(hour + 11) % 12 + 1}:{minute:02d} {half}",
        f"{hour} Uhr {minute:02d}",
        f"2031-02-01 {hour:02d}:{minute:02d}:00",
    ):
        assert read_clock(text) == pytest.approx(hour + minute / 60), text


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_none(text: str) -> None:
    hours, clock = read_hours(text), read_clock(text)
    assert hours is None or hours >= 0
    assert clock is None or 0 <= clock <= 24
