"""Moderators of a review, from files on disk, against R's metafor (stored answers, 1e-6)."""

from __future__ import annotations

from pathlib import Path

import pytest

from headway import config
from headway.ingest import trials
from headway.reviews.analyse import analyse_review
from tests.golden.ledger import INSIDE, read_answers
from tests.golden.test_oracle_regression import read_rows
from tests.unit.review_builder import REVIEW, write_review

HEADER = (
    "trial,year,arm,role,technique,comparator,outcome,unit,timepoint,time_days,kind,n,events,"
    "status,source,ablat,alloc\n"
)
# Levels of the factor, the reference first: outside, inside.
LEVELS = (["alternate", "random", "systematic"], ["manual", "needle", "other"])
MODERATORS = [
    {"column": "ablat", "label": "latitude", "unit": "degree", "planned": True, "reason": "cold"},
    {"column": "alloc", "type": "factor", "reason": "bias"},
]


def list_trials(source: Path) -> list[dict[str, str]]:
    """Give the trials of a set under the same names: vaccines outside, made-up ones inside."""
    if source != INSIDE:
        return [
            row | {"name": f"{row['author'].replace(',', '')} {row['year']} {row['trial']}"}
            for row in read_rows(source, "bcg")
        ]
    return [
        row
        | {"name": f"Trial {row['study']}", "ablat": row["dose"], "alloc": row["grp"]}
        | {"tpos": row["ai"], "tneg": str(int(row["n1i"]) - int(row["ai"]))}
        | {"cpos": row["ci"], "cneg": str(int(row["n2i"]) - int(row["ci"]))}
        for row in read_rows(source, "responders")
    ]


def write_review_of(source: Path, folder: Path, model: dict[str, str]) -> Path:
    lines = HEADER
    for row in list_trials(source):
        name, ablat, alloc = row["name"], row["ablat"], row["alloc"]
        for arm, role, kinds, yes, no in (
            ("vaccine", "treatment", "other,", row["tpos"], row["tneg"]),
            ("none", "control", ",no_treatment", row["cpos"], row["cneg"]),
        ):
            lines += (
                f"{name},{row['year']},{arm},{role},{kinds},infection,participants,end,3650,events,"
                f"{int(yes) + int(no)},{yes},retrieved,T1,{ablat},{alloc}\n"
            )
    comparison = {**REVIEW["comparisons"][0], "outcome": "infection", "measure": "RR"}
    moderators = [MODERATORS[0], MODERATORS[1] | {"reference": LEVELS[source == INSIDE][0]}]
    comparison |= {"moderators": moderators, "together": True}
    return write_review(
        folder,
        {"arms.csv": lines},
        outcomes={"infection": {"unit": "participants"}},
        comparisons=[comparison],
        model=model,
        sensitivity_models=[],
    )


@pytest.mark.parametrize("method", ["REML", "DL", "EE"])
@pytest.mark.parametrize("test", ["z", "knha", "adhoc"])
def test_metafor_says_the_same(source: Path, tmp_path: Path, method: str, test: str) -> None:
    folder = write_review_of(source, tmp_path / "r", {"method": method, "test": test})
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    found = analyse_review(read.arms, read.contrasts, read.published, review, explore=False)
    table = found["moderators"]
    answers = read_answers(source)["meta_regression"]
    inside = source == INSIDE
    names = ("dose", "grp") if inside else ("ablat", "alloc")
    for formula, rows in (
        ("~ablat", table[table["regression"].eq("alone") & table["moderator"].eq("ablat")]),
        ("~factor(alloc)", table[table["regression"].eq("alone") & table["moderator"].eq("alloc")]),
        ("~ablat + factor(alloc)", table[table["regression"].eq("together")]),
    ):
        theirs = formula.replace("ablat", names[0]).replace("alloc", names[1])
        key = "responders" if inside else "bcg"
        want = answers[f"{key}|RR|{theirs}"]["models"][method]
        own = want[test]
        assert rows["estimate"].tolist() == pytest.approx(own["est"], rel=1e-6)
        assert rows["se"].tolist() == pytest.approx(own["se"], rel=1e-6)
        assert rows["ci_low"].tolist() == pytest.approx(own["lb"], rel=1e-6, abs=1e-6)
        assert rows["ci_high"].tolist() == pytest.approx(own["ub"], rel=1e-6, abs=1e-6)
        assert rows["p_value"].tolist() == pytest.approx(own["p"], rel=1e-6)
        assert set(rows["k"]) == {16 if inside else 13}
        last = rows.iloc[-1]
        assert last["qe"] == pytest.approx(want["QE"], rel=1e-6)
        if method != "EE":
            assert last["tau2"] == pytest.approx(want["tau2"], rel=1e-6)
            assert last["i2"] == pytest.approx(want["I2"], abs=1e-6)
            assert last["r2"] == pytest.approx(want["R2"], abs=1e-4)
        if formula != "~ablat + factor(alloc)":
            assert last["qm"] == pytest.approx(own["QM"], rel=1e-6)
            assert last["qm_p_value"] == pytest.approx(own["QMp"], rel=1e-6)
    levels = table.loc[table["category"].notna(), ["category", "reference"]].drop_duplicates()
    reference, *categories = LEVELS[inside]
    assert levels["category"].tolist() == categories
    assert set(levels["reference"]) == {reference}
