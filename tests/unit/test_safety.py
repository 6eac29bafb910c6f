"""Harms by hand, against the parameters of the synthetic clinic, and where there is little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import config, simulate, tables
from headway.ingest import clinics
from headway.outcomes.care.safety import build_safety

DEMO = Path(__file__).resolve().parents[2] / "data" / "raw" / "clinics" / "demo"


def sessions(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Make the table `sessions` from what matters."""
    frame = pd.DataFrame(rows)
    frame["day"] = frame.groupby("patient_id").cumcount() * 7
    frame["line"] = np.arange(len(frame)) + 2
    return tables.conform("sessions", frame)


def pick(table: pd.DataFrame, **where: str) -> pd.Series:
    """Pick one row."""
    hit = table
    for column, value in ({"event": "any", "group": "all", "per": "session"} | where).items():
        hit = hit[hit[column] == value]
    assert len(hit) == 1, where
    return hit.iloc[0]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    out = tmp_path_factory.mktemp("demo")
    clinics.ingest_clinic(DEMO, config.load_clinic(DEMO), out)
    return tables.read_parquet(out / "sessions.parquet")


def test_by_hand() -> None:
    table = build_safety(
        sessions(
            [
                # Three sessions asked about, two sore (1 and 3 days); one volunteered; one silent.
                {"patient_id": "a", "soreness_days": 1, "soreness_reported": "asked"},
                {"patient_id": "a", "soreness_days": 0, "soreness_reported": "asked"},
                {"patient_id": "b", "soreness_days": 3, "soreness_reported": "asked"},
                {"patient_id": "b", "soreness_days": 2, "soreness_reported": "volunteered"},
                {"patient_id": "c"},
                {"patient_id": "c", "setting": "at_home"},
                {"patient_id": "c", "soreness_reported": "asked"},  # no answer: in `of` alone
            ]
        )
    )
    asked = pick(table, harm="soreness", reported="asked", statistic="share")
    assert asked["estimate"] == pytest.approx(200 / 3)
    assert (asked["n"], asked["of"], asked["count"], asked["patients"]) == (3, 7, 2, 2)
    people = pick(table, harm="soreness", reported="asked", statistic="share", per="patient")
    assert (people["estimate"], people["n"], people["of"], people["count"]) == (100, 2, 3, 2)
    assert people["interval"] == "interval.wilson"
    days = pick(table, harm="soreness", reported="asked", statistic="median_days")
    assert (days["estimate"], days["n"], days["unit"]) == (2.0, 2, "days")
    short = pick(table, harm="soreness", reported="asked", statistic="share_within_2_days")
    assert (short["estimate"], short["count"], short["n"]) == (50, 1, 2)
    # A floor: one of the two sessions in the office at which nobody asked.
    told = pick(table, harm="soreness", reported="volunteered", statistic="share")
    assert (told["estimate"], told["n"], told["count"]) == (50, 2, 1)
    assert told["note"].startswith("safety.a_floor")
    assert set(table["harm"]) == {"soreness"}  # what nobody recorded has no row


def test_events_and_how_they_became_known() -> None:
    table = build_safety(
        sessions(
            [
                {"patient_id": p, "technique": "manual", "adverse_event": e, **more}
                for p, e, more in [
                    ("a", "none", {"adverse_event_reported": "asked"}),
                    ("a", "Bruise", {"adverse_event_reported": "asked"}),
                    ("b", "none", {"adverse_event_reported": "asked"}),
                    ("b", "faint", {}),
                    ("c", None, {}),
                ]
            ]
        )
    )
    found = pick(table, harm="adverse_event", reported="asked", statistic="share")
    assert (found["n"], found["count"], found["of"]) == (3, 1, 5)
    bruise = pick(table, harm="adverse_event", event="bruise", reported="asked", statistic="share")
    assert bruise["count"] == 1
    faint = pick(table, harm="adverse_event", event="faint", reported="unstated", statistic="share")
    assert (faint["count"], faint["n"]) == (1, 1)
    none = pick(table, harm="adverse_event", event="faint", reported="asked", statistic="share")
    assert none["count"] == 0
    assert none["ci_high"] == pytest.approx(100 * (1 - 0.05 ** (1 / 2)))  # two patients
    upper = pick(
        table,
        harm="adverse_event",
        event="faint",
        reported="asked",
        statistic="zero_upper_sessions",
    )
    assert upper["estimate"] == pytest.approx(100 * (1 - 0.05 ** (1 / 3)))  # three sessions
    assert upper["note"] == "safety.if_sessions_were_independent"
    same = table[table["group"] == "technique: manual"].drop(columns="group")
    pd.testing.assert_frame_equal(
        same.reset_index(drop=True),
        table[table["group"] == "all"].drop(columns="group").reset_index(drop=True),
    )


def test_the_demo_shows_the_parameters_that_it_was_made_with(demo: pd.DataFrame) -> None:
    table, p = build_safety(demo), simulate.load_parameters("real_effect")
    # Soreness and events are drawn session by session, so that the binomial error is the true one.
    for technique in simulate.TECHNIQUES:
        row = pick(
            table,
            harm="soreness",
            group=f"technique: {technique}",
            reported="asked",
            statistic="share",
        )
        truth = 100 * p[f"harms.sore.{technique}"]
        error = np.sqrt(truth * (100 - truth) / row["n"])
        assert abs(row["estimate"] - truth) <= 3 * error, technique
        assert row["ci_low"] <= row["estimate"] <= row["ci_high"]
        event = pick(
            table,
            harm="adverse_event",
            group=f"technique: {technique}",
            reported="unstated",
            statistic="share",
        )
        kind = "other" if technique in ("manual", "self_care") else "needling"
        truth = 100 * sum(p[f"harms.event_{kind}.{e}"] for e in ("bruise", "bleeding", "pain"))
        assert abs(event["estimate"] - truth) <= 3 * np.sqrt(truth * (100 - truth) / event["n"])
    wet, dry = (
        pick(table, harm="soreness", group=f"technique: {t}", reported="asked", statistic="share")
        for t in ("wet_needling", "dry_needling")
    )
    assert wet["ci_high"] < dry["ci_low"]
    # Geometric with 0.5 a day: a median between 1 and 2, three of four within 2 days.
    short = pick(
        table,
        harm="soreness",
        group="technique: dry_needling",
        reported="asked",
        statistic="share_within_2_days",
    )
    assert abs(short["estimate"] - 75) <= 3 * np.sqrt(75 * 25 / short["n"])
    # Sessions at home carry no answer; they stay in `of` and out of `n`.
    everything = pick(table, harm="soreness", reported="asked", statistic="share")
    assert everything["of"] == len(demo)
    asked = (demo["soreness_reported"] == "asked") & demo["soreness_days"].notna()
    assert everything["n"] == asked.sum()


def test_where_there_is_little() -> None:
    assert len(build_safety(tables.empty("sessions"))) == 0
    silent = sessions([{"patient_id": "a"}])
    assert len(build_safety(silent)) == 0  # unknown is not free of harm
    one = build_safety(
        sessions([{"patient_id": "a", "technique": "manual", "soreness_days": d} for d in (0, 1)])
    )
    row = pick(one, harm="soreness", reported="unstated", statistic="share")
    assert (
        row["estimate"] == 50 and np.isnan(row["ci_low"]) and row["note"] == "estimate.one_patient"
    )
    lacking = silent[["patient_id", "day"]].assign(soreness_days=[2.0])
    assert len(build_safety(lacking))  # an older table without the newer columns


def test_order_of_rows_and_names_of_patients_change_nothing(demo: pd.DataFrame) -> None:
    table = build_safety(demo)
    codes = {c: f"x{i:04d}" for i, c in enumerate(sorted(set(demo["patient_id"]))[::-1])}
    other = demo.sample(frac=1, random_state=1).assign(
        patient_id=lambda f: f["patient_id"].map(codes)
    )
    pd.testing.assert_frame_equal(build_safety(other), table, rtol=1e-12)
