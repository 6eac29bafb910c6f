"""Several effects of one trial: all shown, one pooled by a rule, and the check names the choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway import config, meta
from headway.errors import InputError
from headway.figures.review.draw import draw_review
from headway.ingest import trials
from headway.ingest.adapters.folder import write_folder
from headway.ingest.adapters.metafor import read_metafor
from headway.messages import LANGUAGES, say, speaking
from headway.report.review import page
from headway.reviews.analyse import analyse_review
from headway.reviews.preview import preview_review
from tests.unit.pages_builder import READY
from tests.unit.review_builder import ARMS_HEADER, CONTRASTS, REVIEW, write_review

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
    assert "2 effects of this trial are equal by every rule" in answer(folder)


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


# ── several effects by a declared rule ────────────────────────────────────────────────────────


MANY = SCALES + "".join(
    pair(f"{name} 2005", scale, mean)
    for name, scale, mean in (
        ("C", "diary", 7.5),
        ("C", "recall", 6.0),
        ("D", "", 9.0),
        ("E", "diary", 4.0),
        ("E", "recall", 8.0),
    )
)


def analyse(folder: Path, text: str = MANY, **settings: Any) -> dict[str, Any]:
    comparison = {**MAIN, **settings}
    write_review(folder, {"arms.csv": text}, comparisons=[comparison])
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    return analyse_review(read.arms, read.contrasts, read.published, review)


def test_alike_effects_are_combined_with_an_assumed_correlation(tmp_path: Path) -> None:
    for r in (0.0, 0.5, 0.9):
        tables = analyse(tmp_path / f"r{r:g}".replace(".", ""), several_effects="combine",
                         several_r=r)  # fmt: skip
        rows = tables["effects"]
        used = rows[rows["pooled"]].set_index("trial")
        assert len(rows) == 11 and len(used) == 5
        v = 2 * 16 / 20
        assert used.loc["A 2001", "yi"] == pytest.approx(-4)
        assert used.loc["A 2001", "vi"] == pytest.approx((2 * v + 2 * r * v) / 4)
        assert used.loc["A 2001", "basis"] == "combined"
        assert used.loc["B 2002", "basis"] == "arms"
        others = rows[~rows["pooled"]]
        assert (others["why_not"] == "why_not.combined").all() and len(others) == 6
        assert tables["pooled"].iloc[0]["k"] == 5


@pytest.mark.parametrize("rule", ["multilevel", "multivariate"])
def test_dependent_effects_are_all_pooled_and_tested_by_trials(tmp_path: Path, rule: str) -> None:
    tables = analyse(tmp_path / rule, several_effects=rule, several_r=0.6)
    rows = tables["effects"]
    assert len(rows) == 8 and rows["pooled"].all()
    y, v, names = rows["yi"].to_numpy(), rows["vi"].to_numpy(), rows["trial"].tolist()
    spread = meta.impute_covariance(v, names, 0.6) if rule == "multivariate" else v
    fit = meta.fit_multilevel(y, spread, {"trial": names, "effect": range(8)})
    robust = meta.robust_inference(fit, names)
    assert len(tables["pooled"]) == 1
    row = tables["pooled"].iloc[0]
    for name in ("estimate", "se", "ci_low", "ci_high", "p_value"):
        assert row[name] == pytest.approx(float(getattr(robust, name)[0])), name
    assert (row["weighting"], row["test"], row["k"], row["n_total"]) == (rule, "cr2", 5, 200)
    assert rows["weight"].sum() == pytest.approx(100)
    assert say(row["note"]) == "8 effects in 5 trials"
    assert not len(tables["multiverse"]) and not len(tables["refits"])
    assert "small_study.dependent" in tables["small_studies"]["note"].iloc[0]


def test_a_single_trial_has_no_pooled_estimate_of_its_own_effects(tmp_path: Path) -> None:
    text = HEADER + pair("A 2001", "diary", 7) + pair("A 2001", "recall", 5)
    tables = analyse(tmp_path / "r", text, several_effects="multilevel")
    row = tables["pooled"].iloc[0]
    assert np.isnan(row["estimate"])
    assert "cannot be computed" in say(row["note"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_name_the_rule(tmp_path: Path, language: str) -> None:
    folder = tmp_path / "r"
    tables = analyse(folder, several_effects="multilevel")
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    every = {**tables, "arms": read.arms, "contrasts": read.contrasts, "published": read.published}
    every["risk_of_bias"] = read.risk_of_bias
    with speaking(language):
        html, _ = page.build(review, READY, every, [])
        caption = draw_review(every, review)["forest_main"].caption
    assert "CR2" in html and "CR2" in caption


@pytest.mark.parametrize("rule", ["combine", "split", "covariance"])
def test_people_whose_arms_are_pooled_do_not_enter_again_as_a_printed_difference(
    tmp_path: Path, rule: str
) -> None:
    # Two treatments share a control in A; B is printed only. Of A a difference is printed, too.
    arms = ARMS_HEADER + "".join(
        f"A,2001,{arm},{role},{kind},frequency,days_per_28,end,84,final,20,{mean},4,,retrieved,T\n"
        for arm, role, kind, mean in (
            ("massage", "treatment", "manual,", 7),
            ("needling", "treatment", "dry_needling,", 6),
            ("care", "control", ",usual_care", 10),
        )
    )
    head = CONTRASTS.splitlines()[0]
    printed = head + "".join(
        f"\n{trial},2001,massage,care,manual,usual_care,frequency,days_per_28,end,84,difference,-2,"
        "-4,0,40,treatment_minus_control,retrieved,T"
        for trial in "AB"
    )
    mapped = {kind: {"path": f"{kind}.csv"} for kind in ("arms", "contrasts")}
    files: dict[str, str | bytes] = {"arms.csv": arms, "contrasts.csv": printed + "\n"}
    comparison = {**MAIN, "several_arms": rule}
    found = effects(write_review(tmp_path / "r", files, mapped, comparisons=[comparison]))
    used = found[found["pooled"]].groupby("trial")["basis"].agg(list).to_dict()
    assert used == {"A": ["arms"] * (1 if rule == "combine" else 2), "B": ["contrast"]}
