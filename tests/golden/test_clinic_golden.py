"""Real records through the whole clinic path, against R, the papers and hand counts."""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from headway import config, disclosure
from headway.errors import InputError, RefusedError
from headway.ingest import clinics
from headway.outcomes import audit
from headway.report.clinic import page as clinic_page
from tests.unit.clinic_builder import analyse, ingest, statistic
from tests.unit.pages_builder import READY

CLINICS = Path(__file__).resolve().parents[2] / "data" / "raw" / "clinics"
FILE = "vickers2004_acupuncture_headache_raw.csv"


def drop_in(folder: Path, shared: Path, change: Any = None) -> Path:
    """Put the public file beside the shipped clinic.yaml, with changes to the latter."""
    shutil.copytree(CLINICS / "vickers2004", folder)
    shutil.copyfile(shared / "data" / "vickers2004" / FILE, folder / FILE)
    document = yaml.safe_load((folder / "clinic.yaml").read_text())
    if change is not None:
        change(document["files"]["windows"])
    (folder / "clinic.yaml").write_text(yaml.safe_dump(document))
    return folder


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "golden" / "clinic.json").read_text())


@pytest.mark.parametrize(
    ("arm", "block"), [(1, "acupuncture_frequency_12m"), (0, "usual_care_frequency_12m")]
)
def test_vickers_at_12_months(
    arm: int, block: str, golden: dict[str, Any], shared: Path, tmp_path: Path
) -> None:
    folder = drop_in(tmp_path / "v", shared, lambda f: f.update(keep_where={"group": [arm]}))
    result, known = analyse(folder), golden[block]

    def get(name: str) -> Any:
        return statistic(result, "month_12", name)

    assert get("change_mean")["n"] == known["n"]
    # Closed forms, printed with six decimals.
    for name in ("pre_mean", "pre_sd", "post_mean", "post_sd", "change_mean", "change_sd"):
        assert abs(get(name)["estimate"] - known[name]) <= 5.1e-7, name
    assert abs(get("r")["estimate"] - known["r"]) <= 0.00051
    for name, key in (("smcr", "SMCR_g"), ("smcc", "SMCC_g"), ("romc", "ROMC_bias_corrected")):
        # One unit of the last printed digit: usual care's -0.17099 is printed as -0.1709.
        assert abs(get(name)["estimate"] - known[key]) <= 0.0001, name
    for name, key in (
        ("change_mean", "change_t_ci95"),
        ("smcr", "SMCR_ci95"),
        ("smcrh", "SMCRH_ci95"),
    ):
        digits = 0.0051 if name == "change_mean" else 0.00051
        ends = get(name)[["ci_low", "ci_high"]].astype(float)
        assert np.allclose(ends, known[key], atol=digits, rtol=0), name
    half = get("responders_50")
    assert abs(half["estimate"] - known["responders50_percent"]) <= 0.051
    ends = half[["ci_low", "ci_high"]].astype(float)
    assert np.allclose(ends, known["responders50_wilson95"], atol=0.051, rtol=0)
    assert abs(get("responders_30")["estimate"] - known["responders30_percent"]) <= 0.051
    # The lost are in the denominator: 205 were offered acupuncture, 196 usual care.
    assert get("change_mean")["of"] == (205 if arm else 196)


@pytest.mark.parametrize(
    ("arm", "told", "known"),
    [
        (1, "Headache days fell from 15.6 to 11.4", "161 of 205"),
        (0, "Headache days fell from 16.2 to 13.6", "140 of 196"),
    ],
)
def test_the_page_says_what_vickers_printed_and_judges_neither_arm(
    arm: int, told: str, known: str, shared: Path, tmp_path: Path
) -> None:
    """Vickers 2004, table 2: 15.6 to 11.4 and 16.2 to 13.6 days, in 161 and 140 people.

    One window before alone cannot tell either fall from what comes without treatment: the page of
    those who had usual care reads as that of those who had acupuncture.
    """
    folder = drop_in(tmp_path / "v", shared, lambda f: f.update(keep_where={"group": [arm]}))
    _, _, processed = ingest(folder)
    clinic = config.load_clinic(folder)
    rules = disclosure.PRESETS[clinic.disclosure]
    found = audit.audit_clinic(processed, clinic)
    released = disclosure.release({name: found[name] for name in disclosure.RULES}, rules)
    page, _ = clinic_page.build(clinic, READY, released, [], rules)
    assert told in page
    assert f"This is known for {known} people who started." in page
    assert 'data-verdict="not_recorded"' in page
    assert "We cannot tell how much of the fall would have happened without treatment." in page


def test_the_raw_vickers_file_is_refused_for_its_date(shared: Path, tmp_path: Path) -> None:
    folder = drop_in(tmp_path / "v", shared, lambda f: f.pop("drop"))
    with pytest.raises(RefusedError) as caught:
        clinics.ingest_clinic(folder, config.load_clinic(folder), tmp_path / "out")
    assert {p.column for p in caught.value.problems} == {"date_randomized"}
    assert "drop" in str(caught.value)
    with (folder / FILE).open(newline="") as stream:
        dates = {row["date_randomized"] for row in csv.DictReader(stream)}
    assert not [d for d in dates if d and d in str(caught.value)]


def test_stored_zeros_are_found_and_refused_until_declared(shared: Path, tmp_path: Path) -> None:
    """f5 is 0 for all 100 people without a 12-month score, f2 for all 75 without one at 3."""

    def forget(file: dict[str, Any]) -> None:
        file.pop("keep_where")
        for entry in file["wide"]:
            entry.pop("zero_means_missing_when", None)

    folder = drop_in(tmp_path / "v", shared, forget)
    with pytest.raises(InputError) as caught:
        ingest(folder)
    found = {p.column: p for p in caught.value.problems}
    assert set(found) == {"f2", "f5"}
    assert "75 of" in str(found["f2"]) and "pk2" in str(found["f2"])
    assert "100 of" in str(found["f5"]) and "pk5" in str(found["f5"])


def test_read_literally_the_same_file_would_flatter_usual_care(
    golden: dict[str, Any], shared: Path
) -> None:
    """The trap, straight from the file: what the detector keeps a clinic from printing."""
    known = golden["naive_zero_as_value_usual_care"]
    with (shared / "data" / "vickers2004" / FILE).open(newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["group"] == "0"]
    pre, post = (np.array([float(r[c]) for r in rows]) for c in ("f1", "f5"))
    assert abs((post - pre).mean() - known["change_mean"]) <= 0.0051
    keep = pre > 0
    share = 100 * (post[keep] <= 0.5 * pre[keep]).mean()
    assert abs(share - known["responders50_percent"]) <= 0.51


def test_kostecki_dillon(golden: dict[str, Any]) -> None:
    known = golden["kostecki_dillon"]
    result = analyse_shipped("kostecki_dillon_1999")
    all_days = statistic(result, "all_days", "change_mean")
    expected = known["after_removing_the_one_duplicate_row_id90_day17"]
    assert (all_days["n"], all_days["of"]) == (expected["n"], 133)
    assert abs(all_days["estimate"] - expected["change"]) <= 0.0051
    strict = statistic(result, "first_28_days", "change_mean")
    expected = known["rule_20_of_28_first_28_days"]
    assert strict["n"] == expected["n"]
    assert abs(strict["estimate"] - expected["change"]) <= 0.0051
    ends = strict[["ci_low", "ci_high"]].astype(float)
    assert np.allclose(ends, expected["ci95"], atol=0.0051, rtol=0)


def test_kostecki_dillon_by_hand(tmp_path: Path) -> None:
    """The same mean, person by person, from the file alone."""
    folder = CLINICS / "kostecki_dillon_1999"
    days: dict[tuple[str, int], int] = {}
    with (folder / "kostecki_dillon_migraine_diary.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        days[row["id"], int(row["time"])] = int(row["headache"] == "yes")
    assert (len(rows), len(days)) == (4152, 4151)
    sides: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for (person, day), headache in days.items():
        sides[person][day >= 0].append(headache)
    both = [(before, after) for before, after in sides.values() if before and after]
    change = np.mean([28 * (np.mean(a) - np.mean(b)) for b, a in both])
    found = statistic(analyse_shipped("kostecki_dillon_1999"), "all_days", "change_mean")
    assert found["n"] == len(both) == 55
    assert found["of"] == len(sides) == 133
    assert np.isclose(found["estimate"], change, rtol=1e-12)


def test_the_demo_by_hand() -> None:
    """One window before and one after, person by person, from the file alone."""
    raw = pd.read_csv(CLINICS / "demo" / "diary.csv", dtype=str).drop_duplicates()
    rows = raw.apply(pd.to_numeric, errors="coerce").assign(code=raw["code"])
    rows = rows[rows["headache"].isin([0, 1])].drop_duplicates(["code", "day"], keep=False)
    short = (rows["hours"] < 0.5) & (rows["headache"] == 1) & ~(rows["tablets"] > 0)
    rows["hit"] = rows["headache"].where(~short, 0)

    def window(first: int) -> pd.Series:
        own = rows[rows["day"].between(first, first + 27)].groupby("code")["hit"]
        return 28 * own.mean()[own.size() >= 20]

    change = (window(56) - window(-28)).dropna()
    earlier = window(-56).reindex(change.index).notna()
    found = analyse_shipped("demo")
    mean = statistic(found, "primary", "change_mean")
    assert mean["n"] == len(change)
    assert np.isclose(mean["estimate"], change.mean())
    for label, members in (("known", earlier), ("not known", ~earlier)):
        row = statistic(found, "primary", "change_mean", group=f"earlier: {label}")
        assert row["n"] == members.sum()
        assert np.isclose(row["estimate"], change[members].mean())
    both = found["expected"].set_index("source").loc["both_windows"]
    assert both["n"] == earlier.sum() and np.isclose(both["change"], change[earlier].mean())


def analyse_shipped(name: str) -> dict[str, Any]:
    from tests.unit.pages_builder import analysed

    return analysed(name)[1]


def test_the_one_duplicate_row_is_quarantined(tmp_path: Path) -> None:
    folder = shutil.copytree(CLINICS / "kostecki_dillon_1999", tmp_path / "k")
    accounts, quarantine, _ = ingest(folder)
    account = accounts["kostecki_dillon_migraine_diary.csv"]
    assert (account.rows_in, account.kept, account.quarantined) == (4152, 4151, 1)
    assert quarantine["rule"].tolist() == ["duplicate_row"]
    with (folder / "kostecki_dillon_migraine_diary.csv").open(newline="") as stream:
        lines = list(csv.reader(stream))
    line = lines[quarantine["line"].iloc[0] - 1]
    row = dict(zip(lines[0], line, strict=True))
    assert (row["id"], row["time"]) == ("90", "17")
