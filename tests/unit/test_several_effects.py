"""Several effects of one trial: all shown, one pooled by a rule, and the check names the choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway import config
from headway.errors import InputError
from headway.ingest import trials
from headway.ingest.adapters.folder import write_folder
from headway.ingest.adapters.metafor import read_metafor
from headway.messages import say
from headway.reviews.analyse import analyse_review
from headway.reviews.preview import preview_review
from tests.unit.review_builder import ARMS_HEADER, REVIEW, write_review

MAIN: dict[str, Any] = REVIEW["comparisons"][0]
DECIDED = {"unit": "points", "comparator": "sham", "technique": "manual"}


def effects(folder: Path) -> Any:
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    return analyse_review(read.arms, read.contrasts, read.published, review)["effects"]


def answer(folder: Path) -> str:
    found = preview_review(folder, config.load_review(folder))
    assert not found.problems
    return say(found.answers[0]["why"])


HEADER = ARMS_HEADER.replace("unit,", "unit,instrument,")


def pair(trial: str, instrument: str, mean: float, timepoint: str = "end") -> str:
    shared = f"frequency,days_per_28,{instrument},{timepoint},84,final,20"
    return (
        f"{trial},2001,massage,treatment,manual,,{shared},{mean},4,,retrieved,T1\n"
        f"{trial},2001,care,control,,usual_care,{shared},10,4,,retrieved,T1\n"
    )


SCALES = HEADER + pair("A 2001", "diary", 7) + pair("A 2001", "recall", 5) + pair("B 2002", "", 8)


def test_two_scales_of_one_outcome_are_shown_and_one_is_pooled(tmp_path: Path) -> None:
    folder = write_review(tmp_path / "r", {"arms.csv": SCALES})
    found = effects(folder)
    assert sorted(found["yi"]) == [-5, -3, -2]
    assert sorted(found.loc[found["pooled"], "yi"]) == [-3, -2]
    assert found["lines"].tolist() == ["arms.csv 2, 3", "arms.csv 4, 5", "arms.csv 6, 7"]
    assert "2 effects of this trial are alike" in answer(folder)


@pytest.mark.parametrize("chosen", ["recall", "diary"])
def test_a_choice_by_instrument_is_followed_and_said(tmp_path: Path, chosen: str) -> None:
    choice = [{**MAIN, "choose": {"A 2001": chosen}}]
    found = effects(write_review(tmp_path / "r", {"arms.csv": SCALES}, comparisons=choice))
    own = found[found["trial"] == "A 2001"].set_index("instrument")
    assert own["pooled"].to_dict() == {"diary": chosen == "diary", "recall": chosen == "recall"}
    left = own[~own["pooled"]]["why_not"].iloc[0]
    assert say(left) == f"review.yaml chooses '{chosen}' for this trial"


def test_a_repeated_row_names_what_would_tell_it_apart(tmp_path: Path) -> None:
    text = HEADER + pair("A 2001", "", 7) + pair("A 2001", "", 5)
    folder = write_review(tmp_path / "r", {"arms.csv": text})
    with pytest.raises(InputError) as caught:
        trials.read_review(folder, config.load_review(folder))
    assert [(p.line, p.rule) for p in caught.value.problems] == [(4, "duplicate"), (5, "duplicate")]
    assert "instrument" in str(caught.value)
    found = preview_review(folder, config.load_review(folder))
    assert found.problems == caught.value.problems and not found.answers
    assert found.files[0]["quarantined"] == 2 and found.files[0]["kept"] == 2


FILES = {
    "effects by instrument": (
        "study,instrument,yi,sei\nA 2001,knee,-0.2,0.1\nA 2001,hip,-0.3,0.1\n"
        "B 2002,knee,-0.1,0.2\n",
        [-0.3, -0.2, -0.1],
    ),
    "effects that only their numbers tell apart": (
        "study,yi,vi\nA 2001,-0.2,0.01\nA 2001,-0.3,0.01\nA 2001,-0.4,0.02\nB 2002,-0.1,0.04\n",
        [-0.4, -0.3, -0.2, -0.1],
    ),
    "means at three times": (
        "study,time,n1i,m1i,sd1i,n2i,m2i,sd2i\nA 2001,1,20,5,2,20,7,2\nA 2001,2,20,6,2,20,7,2\n"
        "A 2001,3,20,4,2,20,7,2\nB 2002,1,30,4,2,30,6,2\n",
        [-3, -2, -2, -1],
    ),
    "means on two scales": (
        "study,scale,n1i,m1i,sd1i,n2i,m2i,sd2i\nA 2001,x,20,5,2,20,7,2\nA 2001,y,20,60,9,20,70,9\n"
        "B 2002,x,30,4,2,30,6,2\n",
        [-10, -2, -2],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_an_imported_file_of_several_effects_can_be_checked_and_built(
    tmp_path: Path, name: str
) -> None:
    text, values = FILES[name]
    (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
    rows = read_metafor(tmp_path / "rows.csv", DECIDED)
    assert not rows.problems
    write_folder(rows, tmp_path / "several", source="rows.csv")
    found = effects(tmp_path / "several")
    assert np.allclose(sorted(found["yi"]), values)
    assert found.groupby("trial")["pooled"].sum().to_dict() == {"A 2001": 1, "B 2002": 1}
    assert found.loc[~found["pooled"], "why_not"].notna().all()
    assert "A 2001" in answer(tmp_path / "several")


def test_the_same_effect_twice_is_reported(tmp_path: Path) -> None:
    text = "study,yi,vi\nA 2001,-0.2,0.01\nA 2001,-0.2,0.01\n"
    (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
    found = read_metafor(tmp_path / "rows.csv", DECIDED)
    assert [(p.line, p.rule) for p in found.problems] == [(3, "duplicate")]
