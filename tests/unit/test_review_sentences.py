"""What the sentence of a pooled estimate says with few trials, without spread, and at the edges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headway import config
from headway.ingest import trials
from headway.messages import LANGUAGES, speaking
from headway.report.review.sentences import name_null, say_estimates, say_heterogeneity
from headway.reviews.analyse import analyse_review
from tests.unit.review_builder import ARMS_HEADER, REVIEW, write_review

HEADER = ARMS_HEADER.strip() + ",baseline_n,baseline_mean,baseline_sd,events\n"
REML = {"method": "REML", "test": "adhoc"}


def say_all(
    folder: Path, means: list[float], n: int = 20, sd: float = 3, **changes: Any
) -> tuple[str, str]:
    """Say the estimate and its heterogeneity of trials with these means against 8."""
    rows = HEADER
    kind = "events" if changes.get("comparison", {}).get("measure") == "RR" else "final"
    for i, mean in enumerate(means):
        for who, value in (
            ("massage,treatment,manual,", mean),
            ("sham,control,,sham", 8.0),
        ):
            rows += (
                f"T{i},2001,{who},frequency,days_per_28,end,84,{kind},{n},{value},{sd},worse,"
                f"retrieved,T,{n},9,4,{min(n - 1, max(1, int(value)))}\n"
            )
    comparison = {**REVIEW["comparisons"][0], **changes.pop("comparison", {})}
    changes.setdefault("model", REML)
    review = config.load_review(
        write_review(folder, {"arms.csv": rows}, comparisons=[comparison], **changes)
    )
    read = trials.read_review(folder, review)
    made = analyse_review(read.arms, read.contrasts, read.published, review, explore=False)
    declared = made["pooled"][made["pooled"]["declared"]]
    row = declared.iloc[-1].to_dict()
    entry = review.comparisons[0]
    found = say_estimates(entry, made["effects"], declared)[-1]
    return found, say_heterogeneity(row, entry, made["effects"]) if row["k"] > 1 else ""


def test_two_trials_say_in_the_sentence_what_they_cannot_show(tmp_path: Path) -> None:
    text, rest = say_all(tmp_path / "r", [5, 7])
    assert "from 2 trials, 80 people; 0 lies within the interval" in text
    assert "two trials can hardly show how much trials differ" in text
    assert "With fewer than three there is no prediction interval" in rest
    assert "would be expected" not in rest and "no difference" not in text


def test_a_common_effect_of_two_trials_has_no_such_caveat(tmp_path: Path) -> None:
    text, _ = say_all(tmp_path / "r", [5, 7], model={"method": "EE", "test": "z"})
    assert "hardly show" not in text


def test_without_spread_the_prediction_says_what_it_assumes(tmp_path: Path) -> None:
    _, rest = say_all(tmp_path / "r", [6, 6.1, 5.9])
    sentence = rest.split("). ", 1)[1]
    assert sentence.startswith("A new trial of the same kind would be expected between ")
    assert "prediction interval); this assumes no differences between trials" in sentence
    _, rest = say_all(tmp_path / "s", [1, 6, 9])
    assert "prediction interval)" in rest and "assumes" not in rest


def test_limits_beyond_the_scale_are_noted_and_not_cut(tmp_path: Path) -> None:
    text, _ = say_all(tmp_path / "r", [1, 9], n=5, sd=6)
    assert "limits beyond ±28 (headache days per 28 days) are not possible" in text
    low = float(text.split(" CI ")[1].split(" to ")[0].replace("−", "-"))
    assert low < -28
    _, rest = say_all(tmp_path / "s", [0.5, 9, 20], n=5, sd=3)
    assert "prediction interval); limits beyond ±28" in rest
    text, rest = say_all(tmp_path / "t", [6, 6.2, 5.9])
    assert "not possible" not in text + rest


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_fall_beyond_the_mean_before_is_noted(tmp_path: Path, k: int) -> None:
    within = {"estimand": "within_arm", "measure": "MC", "subgroup_by": "arm"}
    text, rest = say_all(tmp_path / "r", [0.5, 6, 11][:k], n=3, sd=14, comparison=within)
    # The last group are the controls: 9 days before, 8 after.
    assert "a fall of more than the mean before, 9.0, is not possible" in text + rest
    assert ("two arms can hardly show how much arms differ" in text) == (k == 2)


def test_of_a_ratio_it_is_1_that_lies_within(tmp_path: Path) -> None:
    text, _ = say_all(tmp_path / "r", [5, 9, 7], comparison={"measure": "RR"})
    assert "; 1 lies within the interval" in text and "not possible" not in text
    assert (name_null("RR"), name_null("MD"), name_null("OR")) == ("1", "0", "1")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sentences_are_there_in_every_language(tmp_path: Path, language: str) -> None:
    with speaking(language):
        text, rest = say_all(tmp_path / "r", [1, 9], n=5, sd=6)
        _, spread = say_all(tmp_path / "s", [6, 6.1, 5.9])
    words = {
        "en": ("lies within", "two trials", "not possible", "assumes no differences"),
        "es": ("está dentro", "dos ensayos", "no son posibles", "supone que no hay diferencias"),
        "de": ("liegt im", "zwei Studien", "nicht möglich", "setzt voraus"),
    }[language]
    for word in words[:3]:
        assert word in text
    assert words[3] in spread and rest
    comma = language != "en"
    assert (", p = 0," in spread or "p = 0," in spread) == comma
