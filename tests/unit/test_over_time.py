"""The shipped synthetic clinic, from its files to every table and figure of this room."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from headway import config, messages
from headway.figures.clinic.durability import draw_durability
from headway.figures.clinic.funnel import draw_funnel
from headway.messages import say
from headway.outcomes.care import control_charts, dose, durability, funnel
from headway.outcomes.change import cohort
from headway.outcomes.change import windows as windows_of
from headway.outcomes.expectation import benchmark
from headway.report import formats
from headway.tables import empty, read_parquet, validate
from tests.conftest import ROOT
from tests.unit.clinic_builder import ingest


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = ROOT / "data" / "raw" / "clinics" / "demo"
    link = tmp_path_factory.mktemp("demo") / "demo"
    link.symlink_to(folder, target_is_directory=True)
    _, _, out = ingest(link)
    clinic = config.load_clinic(folder)
    clinic = replace(clinic, bootstrap=replace(clinic.bootstrap, replicates=200))
    sessions, patients = (read_parquet(out / f"{n}.parquet") for n in ("sessions", "patients"))
    tables = cohort.analyse_clinic(out, clinic)
    starters = cohort.find_starters(out)
    groups = cohort.label_groups(sessions, patients, tables["windows"], starters)
    comparison = windows_of.list_comparisons(clinic, {"diary", "visit"})[0]
    pairs = windows_of.pair_windows(tables["windows"], comparison)
    return {
        "clinic": clinic,
        "sessions": sessions,
        "patients": patients,
        "tables": tables,
        "starters": starters,
        "groups": groups,
        "comparison": comparison,
        "pairs": pairs[pairs["outcome"] == "frequency"],
        "days": out / "days.parquet",
        "courses": windows_of.find_courses(sessions, clinic.course.gap_weeks),
    }


def test_every_table_keeps_its_contract(demo: dict[str, Any]) -> None:
    clinic, pairs, groups = demo["clinic"], demo["pairs"], demo["groups"]
    own = benchmark.describe_clinic(
        demo["tables"]["change"],
        demo["comparison"],
        clinic,
        outcome="frequency",
        of=len(demo["starters"]),
        techniques=demo["sessions"]["technique"].dropna().unique(),
    )
    found = benchmark.build_benchmark(own, empty("arms"), clinic)
    mean = demo["tables"]["cohort"]
    mean = mean[mean["primary"] & (mean["statistic"] == "change_mean")].iloc[0]
    row = found.iloc[0]
    for ours, theirs in (("change", "estimate"), ("ci_low", "ci_low"), ("ci_high", "ci_high")):
        assert row[ours] == pytest.approx(mean[theirs])
    assert (row["n"], row["of"]) == (mean["n"], mean["of"])
    assert "No published arm" in say(benchmark.explain_benchmark(found)[0])

    later = durability.build_later_windows(
        demo["days"], clinic, demo["comparison"], demo["courses"]
    )
    lasting = durability.build_durability(pairs, later, clinic, groups["technique"])
    responders = demo["tables"]["cohort"]
    responders = responders[
        responders["primary"] & (responders["statistic"] == "responders_50")
    ].iloc[0]
    for name, table in (("relapse", lasting.relapse), ("relapse_curve", lasting.curve)):
        validate(name, table)
    whole = lasting.relapse[lasting.relapse["group"] == "all"]
    assert (whole["n"] == responders["count"]).all()
    # A one-window relapse is a wider net.
    events = whole.set_index("rule")["events"]
    assert events["one"] >= events["two"]
    assert "at risk at the start" in draw_durability(lasting.curve, lasting.relapse).alt

    wide = funnel.pair_widely(demo["days"], clinic, demo["comparison"], demo["courses"])
    assert wide is not None
    more = wide.pairs[wide.pairs["outcome"] == "frequency"]
    assert set(more["patient_id"]) >= set(pairs["patient_id"])
    baseline = funnel.describe_baseline(more, demo["patients"])
    table = funnel.build_funnel(
        more,
        groups["therapist"],
        baseline,
        outcome="frequency",
        unit="days_per_28",
        rule=wide.rule,
    )
    validate("funnel", table)
    assert table["n"].sum() == (groups["therapist"].reindex(more["patient_id"]) != "several").sum()
    assert "days 28 to 111" in draw_funnel(table).caption

    first_day = clinic.windows.named["post"].from_
    doses = dose.build_dose(pairs, demo["sessions"], first_day, unit="days_per_28")
    validate("dose", doses)
    assert set(doses["dose"]) == {"sessions", "minutes"}

    # Where no months are counted there is nothing to chart, and nothing is made up.
    months = control_charts.find_start_months(demo["sessions"])
    assert set(months.index) == set(demo["starters"])
    without = demo["sessions"].assign(month=pd.array([pd.NA] * len(demo["sessions"]), "Int64"))
    months = control_charts.find_start_months(without)
    charts = control_charts.build_control_charts(
        pairs, months, demo["starters"], clinic, unit="days_per_28", last_month=None
    )
    assert not len(months) and not len(charts)
    made_up = pd.Series({p: i % 14 for i, p in enumerate(demo["starters"])})
    charts = control_charts.build_control_charts(
        pairs, made_up, demo["starters"], clinic, unit="days_per_28", last_month=None
    )
    validate("control_chart", charts)
    lost = charts[charts["chart"] == "lost"]
    assert lost["n"].sum() == len(demo["starters"])
    assert lost["count"].sum() == len(demo["starters"]) - len(pairs)


def read_texts(path: Path) -> list[str]:
    return [
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


# Families of messages about care over time.
FAMILIES = {
    "beside",
    "benchmark",
    "chart",
    "charts",
    "dose",
    "relapse",
    "signal",
    "therapists",
    "third",
}


def test_nothing_that_is_said_claims_what_treatment_did() -> None:
    said: list[str] = []
    for id, entry in messages.entries().items():
        if id.split(".")[0] in FAMILIES:
            said += [entry["en"]] if isinstance(entry["en"], str) else entry["en"].values()
    for place in (
        "expectation/benchmark",
        "care/durability",
        "care/funnel",
        "care/control_charts",
        "care/dose",
    ):
        said += read_texts(ROOT / "src/headway/outcomes" / f"{place}.py")
    for name in ("benchmark", "durability", "funnel", "control_chart"):
        said += read_texts(ROOT / "src/headway/figures/clinic" / f"{name}.py")
    assert len(said) > 300
    assert {text: found for text in said if (found := formats.find_forbidden(text))} == {}
