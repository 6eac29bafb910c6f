"""A made-up trial of people through the whole clinic path, against base R (write_clinic.R).

The counterpart of test_clinic_golden.py, whose records the project may not carry: the file has the
columns of that trial, stored zeros and a date included, and no row is a person.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from headway import config
from headway.errors import InputError, RefusedError
from headway.ingest import clinics
from headway.outcomes.change import attrition, reliable
from headway.outcomes.expectation import regression
from headway.reviews.ipd import ancova
from tests.conftest import ROOT
from tests.golden.ledger import FOLDER, INSIDE, Ledger, read_json
from tests.unit.clinic_builder import analyse, ingest, statistic

FILE = INSIDE / FOLDER / "data" / "two_arms_of_people.csv"
# Closed forms on both sides: a sum of a hundred numbers rounds at 1e-14.
RTOL = 1e-10


def drop_in(folder: Path, change: Any = None) -> Path:
    """Put the made-up file beside the shipped clinic.yaml of the trial it looks like."""
    shutil.copytree(ROOT / "data" / "raw" / "clinics" / "vickers2004", folder)
    document = yaml.safe_load((folder / "clinic.yaml").read_text(encoding="utf-8"))
    entry = document["files"]["windows"]
    shutil.copyfile(FILE, folder / entry["path"])
    if change is not None:
        change(entry)
    (folder / "clinic.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder


def read_people() -> pd.DataFrame:
    """Read the file with its stored zeros made missing."""
    rows = pd.read_csv(FILE).set_index("id")
    for days, score in (("f2", "pk2"), ("f5", "pk5")):
        rows[days] = rows[days].where(rows[score].notna())
    return rows


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("arms")
    found = {}
    for name, group in (("usual", 0), ("treated", 1)):
        change = {"keep_where": {"group": [group]}}
        found[name] = analyse(drop_in(folder / name, lambda entry, c=change: entry.update(c)))
    return found


def compare_arm(ledger: Ledger, arm: str, window: str, tables: dict[str, Any]) -> None:
    def get(name: str) -> Any:
        return statistic(tables, window, name)

    at = ("arms", arm, window)
    mean = get("change_mean")
    ledger.compare("n", (*at, "n"), mean["n"])
    if window == "month_3":
        ledger.compare("n", ("arms", arm, "of"), mean["of"])
    names = ["pre_mean", "pre_sd", "post_mean", "post_sd", "change_mean", "change_sd", "r"]
    names += ["smcc", "smcr", "romc", "responders_50", "responders_30"]
    for name in names:
        ledger.compare("statistic", (*at, name), get(name)["estimate"], rtol=RTOL, floor=1e-2)
    for name, key in (
        ("change_mean", "change_t"),
        ("smcr", "smcr_ci"),
        ("responders_50", "responders_50_wilson"),
    ):
        limits = [get(name)["ci_low"], get(name)["ci_high"]]
        ledger.compare("limit", (*at, key), limits, rtol=RTOL, floor=1e-2)


def test_every_stored_number_of_the_people_is_reproduced(arms: dict[str, Any]) -> None:
    section = read_json(INSIDE / "golden" / "clinic.json")
    ledger = Ledger("people", section, INSIDE)
    for arm, tables in arms.items():
        for window in ("month_3", "month_12"):
            compare_arm(ledger, arm, window, tables)
    people = read_people()
    usual = people[people["group"] == 0]
    noise = reliable.test_retest(usual["f1"], usual["f2"])
    ledger.compare("n", ("noise", "n"), noise.n)
    ledger.compare("retest", ("noise", "r"), noise.r, rtol=RTOL)
    own = usual.dropna(subset=["f5"])
    for i, known in enumerate(section["mee_chua"]):
        found = regression.mee_chua(own["f1"], own["f5"], known["mu"])
        at = ("mee_chua", i)
        ledger.compare("Mee and Chua", (*at, "effect"), found.effect, rtol=RTOL)
        limits = [found.ci_low[0], found.ci_high[0]]
        ledger.compare("Mee and Chua", (*at, "ci"), limits, rtol=RTOL, floor=1e-2)
    for i, case in enumerate(section["cutoff"]):
        found = regression.regression_to_mean_cutoff(
            case["mu"], case["s"], case["rho"], case["cutoff"], case["m"]
        )
        ledger.compare("regression to the mean", ("cutoff", i, "rtm"), found, rtol=RTOL)
    ledger.exclude(r"mee_chua / \d+ / mu|cutoff / \d+ / (mu|s|rho|cutoff|m)", "input of a case")
    raw = pd.read_csv(FILE).query("group == 0")
    literal = (raw["f5"] - raw["f1"]).mean()
    ledger.compare("statistic", ("literal_usual_change",), literal, rtol=RTOL)
    lost = attrition.compare_lost(
        people[["pk1"]], people.index[people["f5"].notna()], people.index
    ).iloc[0]
    ledger.compare("lost", ("lost", "mean_lost"), lost["value_lost"], rtol=RTOL)
    ledger.compare("lost", ("lost", "mean_kept"), lost["value_analysed"], rtol=RTOL)
    ledger.compare("lost", ("lost", "ci"), [lost["ci_low"], lost["ci_high"]], rtol=RTOL)
    known = people.dropna(subset=["pk5"])
    fit = ancova(known["pk5"], known["group"] == 1, known[["pk1", "age", "sex", "migraine"]])
    ledger.compare("ANCOVA", ("ancova", "estimate"), fit.estimate, rtol=RTOL)
    ledger.compare("ANCOVA", ("ancova", "ci"), [fit.ci_low, fit.ci_high], rtol=RTOL)
    ledger.close()


def test_stored_zeros_would_flatter_usual_care(arms: dict[str, Any]) -> None:
    known = read_json(INSIDE / "golden" / "clinic.json")
    change = statistic(arms["usual"], "month_12", "change_mean")["estimate"]
    assert known["literal_usual_change"] < change - 2


def test_a_date_is_refused_until_it_is_declared_dropped(tmp_path: Path) -> None:
    folder = drop_in(tmp_path / "v", lambda entry: entry.pop("drop"))
    with pytest.raises(RefusedError) as caught:
        clinics.ingest_clinic(folder, config.load_clinic(folder), tmp_path / "out")
    assert {p.column for p in caught.value.problems} == {"date_randomized"}
    assert "1900" not in str(caught.value)


def test_stored_zeros_are_found_and_refused_until_declared(tmp_path: Path) -> None:
    def forget(entry: dict[str, Any]) -> None:
        entry.pop("keep_where")
        for column in entry["wide"]:
            column.pop("zero_means_missing_when", None)

    with pytest.raises(InputError) as caught:
        ingest(drop_in(tmp_path / "v", forget))
    found = {p.column: str(p) for p in caught.value.problems}
    rows = pd.read_csv(FILE)
    assert set(found) == {"f2", "f5"}
    for days, score in (("f2", "pk2"), ("f5", "pk5")):
        zeros = int(((rows[days] == 0) & rows[score].isna()).sum())
        assert zeros == int(rows[score].isna().sum()) > 20
        assert f"{zeros} of" in found[days] and score in found[days]
    assert np.isfinite(rows["f1"]).all()
