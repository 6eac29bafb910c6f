"""Bayesian answers declared in review.yaml: numbers, reasons, page and figure."""

from __future__ import annotations

import math
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import config
from headway.config import review as settings
from headway.effects.measures import MEASURES
from headway.errors import ConfigError, InputError
from headway.figures import theme
from headway.figures.review import draw
from headway.figures.review.posterior import draw_posterior
from headway.figures.review.sheet import JOURNAL, SCREEN
from headway.figures.theme import Drawing
from headway.ingest import trials
from headway.messages import LANGUAGES, say, speaking
from headway.meta import bayes
from headway.report.review import page
from headway.report.review.bayes import describe_answer
from headway.reviews.analyse import OUTPUTS, analyse_review, empty_review
from headway.reviews.preview import answer_comparison, preview_review
from headway.tables import read_csv, write_csv
from tests.unit.pages_builder import READY
from tests.unit.review_builder import write_review

HALF: dict[str, Any] = {"half_normal": 0.5}
TABLES = ("bayes", "bayes_trials", "bayes_density")
LONG = "A collaborative group of headache clinics in primary care of three countries"
# Mean and standard deviation of twenty people in each arm: treatment, then control.
MEANS = [(7.0, 4.0, 10.0, 4.0), (8.0, 5.0, 10.0, 5.0), (9.5, 3.0, 10.0, 4.0), (6.0, 6.0, 9.0, 5.0)]
COUNTS = [(8, 20, 4, 20), (12, 30, 9, 31), (30, 60, 20, 61)]
HEAD = (
    "trial,year,arm,role,technique,comparator,outcome,unit,timepoint,time_days,kind,n,{},status,"
    "source\n"
)


def write_means(means: list[tuple[float, ...]], name: str = "") -> str:
    out = HEAD.format("mean,sd")
    for i, (m1, s1, m2, s2) in enumerate(means):
        trial = f"{name}T{i} 2010,2010"
        tail = "frequency,days_per_28,3 months,84,final,20"
        out += f"{trial},massage,treatment,manual,,{tail},{m1},{s1},retrieved,T1\n"
        out += f"{trial},care,control,,sham,{tail},{m2},{s2},retrieved,T1\n"
    return out


def write_counts(counts: list[tuple[int, ...]]) -> str:
    out = HEAD.format("events")
    for i, (e1, n1, e2, n2) in enumerate(counts):
        trial, tail = f"T{i} 2010,2010", "frequency,participants,3 months,84,events"
        out += f"{trial},massage,treatment,manual,,{tail},{n1},{e1},retrieved,T1\n"
        out += f"{trial},care,control,,sham,{tail},{n2},{e2},retrieved,T1\n"
    return out


def build(
    folder: Path, declared: Any, measure: str = "MD", text: str = "", low: bool = True, **more: Any
) -> Path:
    counted = MEASURES[measure].counts_events
    comparison = {
        "id": "main",
        "label": "Massage v sham",
        "outcome": "frequency",
        "estimand": "between_arm",
        "measure": measure,
    }
    if declared is not None:
        comparison["bayes"] = declared
    language = more.pop("language", "en")
    outcome = {"unit": "participants" if counted else "days_per_28", "lower_is_better": low}
    return write_review(
        folder,
        {"arms.csv": text or (write_counts(COUNTS) if counted else write_means(MEANS))},
        outcomes={"frequency": outcome},
        comparisons=[comparison | more],
        language=language,
        sensitivity_models=[],
    )


def analyse(folder: Path) -> tuple[Any, dict[str, pd.DataFrame]]:
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    found = analyse_review(read.arms, read.contrasts, read.published, review, explore=False)
    found |= {"arms": read.arms, "contrasts": read.contrasts, "published": read.published}
    return review, found | {"risk_of_bias": read.risk_of_bias}


def draw_one(review: Any, tables: dict[str, pd.DataFrame], form: Any = SCREEN) -> list[Drawing]:
    with speaking(review.language):
        own = tables["bayes"][tables["bayes"]["declared"]]
        others = (tables["bayes_trials"], tables["bayes_density"])
        return draw_posterior(own, *others, review.comparisons[0], form=form)


def write_page(folder: Path) -> str:
    review, tables = analyse(folder)
    return page.build(review, READY, tables, [])[0]


PAIN = {"outcome": "pain", "comparison": "non-pharmacological v control"}
PRIORS: dict[str, list[tuple[dict[str, Any], Any]]] = {
    "MD": [
        ({"half_normal": 2}, bayes.HalfNormal(2)),
        ({"half_cauchy": 1.5}, bayes.HalfCauchy(1.5)),
        ({"uniform": 10}, bayes.Uniform(10)),
        ({"rhodes": {"sd": 5}}, bayes.rhodes(measure="MD", sd=5)),
    ],
    "SMD": [({"rhodes": {}}, bayes.rhodes())],
    "OR": [({"turner": PAIN}, bayes.turner(**PAIN)), (HALF, bayes.HalfNormal(0.5))],
    "RR": [(HALF, bayes.HalfNormal(0.5))],
}


@pytest.mark.parametrize(
    ("measure", "mu"),
    [
        ("MD", None),
        ("MD", {"mean": 0.5, "sd": 3}),
        ("SMD", None),
        ("OR", {"mean": 0, "sd": 3}),
        ("RR", None),
    ],
)
def test_the_numbers_are_those_of_the_model(
    tmp_path: Path, measure: str, mu: dict[str, float] | None
) -> None:
    entries = [entry for entry, _ in PRIORS[measure]]
    declared = {"tau": entries, "threshold": 0.8} | ({"mu": mu} if mu else {})
    _, tables = analyse(build(tmp_path / "r", declared, measure))
    used = tables["effects"][tables["effects"]["pooled"]]
    centre = None if mu is None else bayes.Normal(**mu)
    fits = [
        bayes.pool_bayes(used["yi"], used["vi"], tau=prior, mu=centre)
        for _, prior in PRIORS[measure]
    ]
    at = math.log(0.8) if measure in ("OR", "RR") else 0.8
    for fit, row in zip(fits, tables["bayes"].to_dict("records"), strict=True):
        for name in ("mu", "tau", "new"):
            for end in ("median", "low", "high"):
                own = getattr(getattr(fit, name), end)
                assert row[f"{name}_{end}"] == pytest.approx(own, rel=1e-9)
        assert row["side"] == "below"
        assert row["p_mean"] == pytest.approx(fit.probability_beyond(at))
        assert row["p_new"] == pytest.approx(fit.probability_beyond(at, of="new"))
        if mu is None:
            assert np.isnan(row["factor_mu"]) and "flat" in say(row["factor_note"])
        else:
            assert row["factor_mu"] == pytest.approx(fit.bayes_factor("mu").bf10)
            assert row["factor_tau"] == pytest.approx(fit.bayes_factor("tau").bf10)
            assert "standard deviation 3" in say(row["factor_note"])
    assert tables["bayes_trials"]["median"].to_numpy() == pytest.approx(fits[0].trials.median)
    assert tables["bayes_trials"]["yi"].tolist() == used["yi"].tolist()


@pytest.mark.parametrize("measure", ["MD", "OR"])
def test_a_density_holds_one_along_its_axis(tmp_path: Path, measure: str) -> None:
    _, tables = analyse(build(tmp_path / "r", {"tau": HALF}, measure))
    for _, own in tables["bayes_density"].groupby("of"):
        x = np.log(own["x"]) if measure == "OR" else own["x"]
        assert np.trapezoid(own["density"], x) == pytest.approx(1, abs=0.01)


def test_a_share_has_its_density_along_the_axis_of_shares(tmp_path: Path) -> None:
    text = write_counts(COUNTS).replace(",sham,", ",,")
    text = "".join(line for line in text.splitlines(True) if ",control," not in line)
    folder = build(tmp_path / "r", {"tau": HALF, "threshold": 0.5}, "PLO", text,
                   estimand="single_arm")  # fmt: skip
    _, tables = analyse(folder)
    own = tables["bayes_density"].query("of == 'mu'")
    assert own["x"].between(0, 1).all()
    assert np.trapezoid(own["density"], own["x"]) == pytest.approx(1, abs=0.01)
    row = tables["bayes"].iloc[0]
    assert 0 < row["p_mean"] < 1 and row["threshold"] == 0.5


@pytest.mark.parametrize(
    ("low", "swap", "side"),
    [
        (True, False, "below"),
        (False, False, "above"),
        (True, True, "above"),
        (False, True, "below"),
    ],
)
def test_beyond_is_the_side_that_is_better(
    tmp_path: Path, low: bool, swap: bool, side: str
) -> None:
    declared = {"tau": HALF, "threshold": 1.2}
    folder = build(tmp_path / "r", declared, "OR", low=low, swap_events=swap)
    _, tables = analyse(folder)
    row = tables["bayes"].iloc[0]
    used = tables["effects"][tables["effects"]["pooled"]]
    fit = bayes.pool_bayes(used["yi"], used["vi"], tau=bayes.HalfNormal(0.5))
    assert row["side"] == side
    assert row["p_mean"] == pytest.approx(fit.probability_beyond(math.log(1.2), side))


def test_a_ratio_is_shown_as_a_ratio(tmp_path: Path) -> None:
    folder = build(tmp_path / "r", {"tau": HALF, "threshold": 0.8}, "OR")
    review, tables = analyse(folder)
    row = tables["bayes"].iloc[0]
    html = page.build(review, READY, tables, [])[0]
    (drawn,) = draw_one(review, tables)
    shown = f"{math.exp(row['mu_median']):.2f}"
    assert f"the posterior median is {shown}" in html
    assert "below 0.80" in html
    assert shown in drawn.alt
    axes = drawn.figure.axes[0]
    assert axes.get_xscale() == "log" and axes.get_xlim()[0] > 0


def test_the_first_prior_is_declared_and_the_others_stand_beside_it(tmp_path: Path) -> None:
    entries = [{"half_normal": 1}, {"half_cauchy": 1}, {"uniform": 20}]
    folder = build(tmp_path / "r", {"tau": entries})
    review, tables = analyse(folder)
    table = tables["bayes"]
    assert table["declared"].tolist() == [True, False, False]
    assert table["kind"].tolist() == ["half_normal", "half_cauchy", "uniform"]
    assert table["mu_high"].is_monotonic_increasing  # ever less is known of tau
    html = page.build(review, READY, tables, [])[0]
    assert "half-normal with scale 1 (declared)" in html and "uniform from 0 to 20" in html
    assert "Under the 3 priors of τ" in html


def test_what_a_bayes_factor_compares_is_a_sentence(tmp_path: Path) -> None:
    folder = build(tmp_path / "r", {"tau": HALF, "mu": {"mean": 0, "sd": 3}})
    review, tables = analyse(folder)
    said = describe_answer(review.comparisons[0], tables, review)
    assert said is not None
    (told,) = (text for text in said["sentences"] if "Bayes factor" in text)
    assert told.startswith("The Bayes factor compares mu free (prior: ")
    assert told.endswith(") with mu = 0.") and "standard deviation 3" in told


# Measure, priors, settings, and what the reason of each prior says.
UNUSABLE: list[tuple[str, list[dict[str, Any]], dict[str, Any], list[str]]] = [
    (
        "MD",
        [{"turner": {}}, {"rhodes": {}}, {"half_normal": 1e-300}],
        {},
        ["half_normal", "sd:", "unit of the effects"],
    ),
    ("RR", [{"turner": PAIN}, {"rhodes": {"sd": 4}}], {}, ["odds", "half_normal"]),
    (
        "SMD",
        [
            {"rhodes": {"sd": 4}},
            {"rhodes": {"outcome": "mental health", "comparison": "non-pharmacological"}},
        ],
        {},
        ["sd:", "verified"],
    ),
    ("OR", [{"turner": {"outcome": "pain"}}, {"rhodes": {}}], {}, ["any", "half_normal"]),
    ("MD", [HALF], {"several_effects": "multilevel"}, ["several_effects: combine"]),
    ("MD", [HALF], {"several_arms": "covariance"}, ["several_arms: combine"]),
    ("MD", [HALF], {"totals": "none"}, ["totals: all"]),
    ("MD", [HALF], {"totals": "subgroups", "subgroup_by": "comparator"}, ["for each"]),
    ("MD", [HALF], {"leave_out": {f"T{i} 2010": "why not" for i in range(4)}}, ["no trial"]),
]


@pytest.mark.parametrize(("measure", "entries", "more", "cures"), UNUSABLE)
def test_what_cannot_be_used_is_a_reason_on_the_page_and_in_the_check(
    tmp_path: Path,
    measure: str,
    entries: list[dict[str, Any]],
    more: dict[str, Any],
    cures: list[str],
) -> None:
    review, tables = analyse(build(tmp_path / "r", {"tau": entries}, measure, **more))
    table = tables["bayes"]
    assert table["mu_median"].isna().all() and table["note"].notna().all()
    told = say(answer_comparison(review.comparisons[0], tables)["why"])
    said = describe_answer(review.comparisons[0], tables, review)
    assert said is not None and said["methods"] == []
    assert (
        "there is no Bayesian answer" in said["sentences"][0] and cures[0] in said["sentences"][0]
    )
    shown = [said["sentences"][0], *(row["cells"][-1] for row in said["priors"]["rows"])]
    for cure, note in zip(cures, table["note"], strict=True):
        assert cure in say(note) and say(note) in told
        assert any(cure in text for text in shown)
    assert not len(tables["bayes_trials"]) and not len(tables["bayes_density"])


def test_one_prior_that_cannot_be_used_leaves_the_others(tmp_path: Path) -> None:
    folder = build(tmp_path / "r", {"tau": [{"half_normal": 2}, {"turner": {}}]})
    review, tables = analyse(folder)
    assert tables["bayes"]["note"].notna().tolist() == [False, True]
    saved = draw.save_review(draw.draw_review(tables, review), tmp_path / "figures")
    html = page.build(review, READY, tables, saved)[0]
    assert "Turner et al. 2015" in html and "Remark" in html
    assert 'id="figure-posterior_main"' in html
    found = preview_review(folder, review)
    assert not found.problems and "log odds ratios" in say(found.answers[0]["why"])


def test_a_figure_that_has_nothing_to_show_is_not_drawn(tmp_path: Path) -> None:
    review, tables = analyse(build(tmp_path / "r", {"tau": {"turner": {}}}))
    assert "posterior_main" not in draw.draw_review(tables, review)


REFUSED: list[tuple[Any, str]] = [
    ({"tau": {"half_normal": -1}}, "bayes.tau.half_normal"),
    ({"tau": {"half_normal": 0}}, "bayes.tau.half_normal"),
    ({"tau": {"half_normal": "wide"}}, "bayes.tau.half_normal"),
    ({"tau": {"halfnormal": 1}}, "half_normal"),
    ({"tau": {"half_normal": 1, "uniform": 2}}, "bayes.tau"),
    ({"tau": {}}, "bayes.tau"),
    ({"tau": []}, "bayes.tau"),
    ({"tau": [HALF, {"turner": {"outcome": "pian"}}]}, "bayes.tau.1.turner.outcome"),
    ({"tau": {"rhodes": {"sd": 0}}}, "bayes.tau.rhodes.sd"),
    ({"tau": HALF, "mu": {"mean": 0}}, "bayes.mu.sd"),
    ({"tau": HALF, "mu": {"mean": 0, "sd": 0}}, "bayes.mu.sd"),
    ({"mu": {"mean": 0, "sd": 1}}, "bayes.tau"),
    ({"tau": HALF, "threshold": "1.2.3"}, "bayes.threshold"),
]


@pytest.mark.parametrize(("declared", "place"), REFUSED)
def test_a_setting_that_says_nothing_is_refused_with_its_key(
    tmp_path: Path, declared: Any, place: str
) -> None:
    folder = build(tmp_path / "r", declared)
    with pytest.raises(ConfigError) as caught:
        config.load_review(folder)
    assert place in str(caught.value) and "line" in str(caught.value)


def test_names_of_a_published_table_can_be_told_apart(tmp_path: Path) -> None:
    folder = build(tmp_path / "r", {"tau": {"turner": {"outcome": "pian"}}})
    with pytest.raises(ConfigError) as caught:
        config.load_review(folder)
    assert "pain, 'quality of life, functioning', mental health" in str(caught.value)


@pytest.mark.parametrize(
    ("measure", "threshold"), [("OR", 0), ("RR", -0.5), ("PLO", 1.5), ("ROM", 0)]
)
def test_a_threshold_that_no_effect_can_have_is_refused(
    tmp_path: Path, measure: str, threshold: float
) -> None:
    estimand = "single_arm" if measure == "PLO" else "between_arm"
    declared = {"tau": HALF, "threshold": threshold}
    folder = build(tmp_path / "r", declared, measure, estimand=estimand)
    review = config.load_review(folder)
    with pytest.raises(InputError) as caught:
        trials.read_review(folder, review)
    assert [p.rule for p in caught.value.problems] == ["threshold_of_another_scale"]
    assert "threshold: 0.8" in str(caught.value)


@pytest.mark.parametrize("k", [1, 2])
def test_one_trial_or_two_have_an_answer_and_a_warning(tmp_path: Path, k: int) -> None:
    folder = build(tmp_path / "r", {"tau": {"half_cauchy": 1}}, text=write_means(MEANS[:k]))
    review, tables = analyse(folder)
    row = tables["bayes"].iloc[0]
    assert row["k"] == k and row["mu_low"] < row["mu_median"] < row["mu_high"]
    html = page.build(review, READY, tables, [])[0]
    assert "fewer than five trials" in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_it_in_three_languages(tmp_path: Path, language: str) -> None:
    declared = {"tau": [HALF, {"uniform": 3}], "mu": {"mean": 0, "sd": 2}, "threshold": 0.8}
    review, tables = analyse(build(tmp_path / "r", declared, "OR", language=language))
    html = page.build(review, READY, tables, [])[0]
    (drawn,) = draw_one(review, tables)
    words = {"en": "credible", "es": "credibilidad", "de": "Kredibilitätsintervall"}
    given = {"en": "given the prior", "es": "condicionada", "de": "gilt unter der A-priori"}
    assert words[language] in html and given[language] in html
    assert "Röver 2020" in html  # the methods
    assert drawn.alt.count(" 2010") == len(COUNTS)
    assert f'lang="{language}"' in html
    plain = re.sub(r"<[^>]+>", " ", html)
    assert "bayes." not in plain and "prior." not in plain.lower().replace("priori.", "")


@pytest.mark.parametrize(("k", "unit"), [(3, 1e6), (40, 1.0)])
def test_names_and_numbers_stay_on_the_figure(tmp_path: Path, k: int, unit: float) -> None:
    rng = np.random.default_rng(k)
    means = [
        (round(unit * (10 - d), 1), 4 * unit, 10 * unit, 5 * unit) for d in rng.normal(2, 1.5, k)
    ]
    text = write_means(means, f"{LONG} ")
    folder = build(tmp_path / "r", {"tau": {"half_normal": 2 * unit}}, text=text)
    review, tables = analyse(folder)
    parts = draw_one(review, tables, JOURNAL)
    assert (len(parts) > 1) == (k == 40)
    for drawing in [*draw_one(review, tables), *parts]:
        figure = drawing.figure
        figure.draw_without_rendering()
        box = figure.bbox
        for axes in figure.axes:
            for text in axes.texts:
                drawn = text.get_window_extent()
                assert box.x0 <= drawn.x0 and drawn.x1 <= box.x1, text.get_text()
                assert box.y0 <= drawn.y0 and drawn.y1 <= box.y1, text.get_text()
            boxes = [text.get_window_extent() for text in axes.texts]
            assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
        tall, wide = figure.get_size_inches()[::-1]
        assert drawing not in parts or tall / wide <= JOURNAL.tall / JOURNAL.width + 0.05


def test_every_mark_tells_its_numbers_and_files_keep_them(tmp_path: Path) -> None:
    folder = build(tmp_path / "r", {"tau": [{"half_normal": 2}, {"turner": {}}]})
    review, tables = analyse(folder)
    (saved,) = theme.save({"posterior": draw_one(review, tables)[0]}, tmp_path / "figures")
    assert saved.svg.count("<title>T") == 2 * len(MEANS)
    assert "<title>Mean effect: " in saved.svg
    for name in TABLES:
        write_csv(tables[name], tmp_path / f"{name}.csv")
        pd.testing.assert_frame_equal(read_csv(name, tmp_path / f"{name}.csv"), tables[name])


def test_a_review_without_it_has_empty_tables_and_no_section(tmp_path: Path) -> None:
    folder = build(tmp_path / "r", None)
    tables = analyse(folder)[1]
    assert all(len(tables[name]) == 0 for name in TABLES)
    assert "Bayesian" not in write_page(folder)
    assert set(TABLES) <= set(OUTPUTS) & set(empty_review())


def test_the_settings_know_the_published_tables() -> None:
    assert ("any", *bayes.TURNER) == settings.TURNER_OUTCOMES
    assert ("any", *bayes.TURNER_COMPARISONS) == settings.TURNER_COMPARISONS
    assert ("any", *bayes.RHODES) == settings.RHODES_OUTCOMES
    assert ("any", *bayes.RHODES_COMPARISONS) == settings.RHODES_COMPARISONS


def test_a_number_as_shown_leads_back_to_its_yi() -> None:
    for measure, entry in MEASURES.items():
        shown = float(entry.scale.back(0.3))
        assert entry.scale.to_yi(shown) == pytest.approx(0.3), measure
