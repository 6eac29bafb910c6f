"""Networks of a review: from files on disk to tables, verdicts, figures and the page."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.config.review import CINEMA_DOMAINS, NETWORK_MEASURES, Review
from headway.errors import InputError, UserError
from headway.figures.review.draw import draw_review
from headway.figures.theme import Drawing, Saved
from headway.messages import LANGUAGES, missed, say, speaking
from headway.meta import network as nma
from headway.meta.network.data import ADDITIVE
from headway.report.review import page
from headway.report.review.networks import describe_networks
from headway.reviews.candidates import Candidate
from headway.reviews.networks.analyse import OUTPUTS, read_network
from headway.reviews.networks.rows import TrialRows, list_pairs
from headway.reviews.networks.sensitivity import METHODS
from headway.reviews.preview import preview_review
from tests.unit.drawn import hold_apart
from tests.unit.network_builder import NETWORK, analyse, draw_arms, write_arms
from tests.unit.pages_builder import READY
from tests.unit.review_builder import REVIEW
from tests.unit.test_new_review import run_scripts

Tables = dict[str, pd.DataFrame]


def arm(trial: str, name: str, mean: float, **more: Any) -> dict[str, Any]:
    return {"trial": trial, "arm": name, "mean": mean, **more}


def pair(trial: str, one: str, mean: float, other: str, there: float) -> list[dict[str, Any]]:
    return [arm(trial, one, mean), arm(trial, other, there)]


# Equal arms of 30 people with SD 4: a contrast has the variance 2 · 16 / 30.
V = 2 * 16 / 30
TRIANGLE = [
    *pair("AB", "a", 10, "b", 8),
    *pair("AC", "a", 10, "c", 7),
    *pair("BC", "b", 8, "c", 8),
]


def row(tables: Tables, name: str = "networks", network: str = "all") -> Any:
    return tables[name].set_index("network").loc[network]


def find(tables: Tables, treatment: str, base: str, name: str = "network_pairs") -> Any:
    found = tables[name].set_index(["treatment", "base"])
    return found.sort_index().loc[(treatment, base)]


def draw(review: Review, tables: Tables) -> dict[str, Drawing]:
    drawn = draw_review(tables, review)
    return {name: each for name, each in drawn.items() if name.startswith("network")}


def write_page(review: Review, tables: Tables, drawn: Mapping[str, Drawing] | None = None) -> str:
    drawn = draw(review, tables) if drawn is None else drawn
    saved = [Saved(n, d.title, d.alt, d.caption, "<svg/>", d.wide) for n, d in drawn.items()]
    return page.build(review, READY, tables, saved)[0]


# ── numbers ───────────────────────────────────────────────────────────────────────────────────


def test_a_triangle_by_hand(tmp_path: Path) -> None:
    """b v a: direct −2 with variance v; by way of c −3 − 0 with 2v; the mean by precision."""
    declared = {**NETWORK, "reference": "a", "method": "EE", "test": "z"}
    _, tables = analyse(tmp_path / "r", TRIANGLE, [declared])
    found = find(tables, "b", "a")
    assert found["estimate"] == pytest.approx((-2 / V + -3 / (2 * V)) / (1.5 / V))
    assert found["se"] == pytest.approx(np.sqrt(V / 1.5))
    assert found["share_direct"] == pytest.approx(2 / 3)
    assert (found["direct"], found["indirect"]) == pytest.approx((-2, -3))
    assert found["side_difference"] == pytest.approx(1)
    z = 1 / np.sqrt(3 * V)
    assert found["side_difference_high"] == pytest.approx(1 + 1.959964 / z * 1, rel=1e-6)
    q = tables["network_consistency"].set_index("part").loc["inconsistency"]
    assert (q["q"], q["df"]) == (pytest.approx(z**2), 1)
    shares = tables["network_contributions"]
    own = shares[shares["treatment"].eq("b") & shares["base"].eq("a")]
    assert dict(zip(own["direct_treatment"] + own["direct_base"], own["share"], strict=True)) == (
        pytest.approx({"ba": 200 / 3, "ca": 50 / 3, "cb": 50 / 3})
    )
    whole = row(tables)
    assert (whole["trials"], whole["treatments"], whole["contrasts"]) == (3, 3, 3)
    assert whole["people"] == 180
    assert list(tables["network_ranks"]["treatment"]) == ["c", "b", "a"]


def test_the_tables_hold_what_the_engine_says_of_the_same_arms(tmp_path: Path) -> None:
    names = ["usual care", "massage", "needling", "sham"]
    arms = draw_arms(names, 14, several=0.5)
    _, tables = analyse(tmp_path / "r", arms, [{**NETWORK, "reference": "sham"}])
    frame = pd.DataFrame(arms)
    made = nma.read_arms("MD", frame["trial"], frame["arm"], n=frame["n"], mean=frame["mean"],
                         sd=np.full(len(frame), 4.0))  # fmt: skip
    fit = nma.pool_network(made)
    assert row(tables)["tau2"] == pytest.approx(fit.tau2, abs=1e-9)
    for found in tables["network_pairs"].to_dict("records"):
        i, j = fit.place(found["treatment"]), fit.place(found["base"])
        for name in ("estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high", "p_value"):
            assert found[name] == pytest.approx(getattr(fit, name)[i, j], rel=1e-6), name
    ranks = nma.rank_treatments(fit, "lower").set_index("treatment")
    own = tables["network_ranks"].set_index("treatment")
    assert own["p_score"].to_dict() == pytest.approx(ranks["p_score"].to_dict(), rel=1e-6)
    right = nma.check_consistency(made).to_frame()
    assert tables["network_consistency"]["q"].to_numpy() == pytest.approx(right["q"].to_numpy())
    # The variances of all pairs hold the covariance of trials with three arms.
    again = read_network(tables["network_effects"], "all")
    assert again is not None
    assert nma.pool_network(again).se == pytest.approx(fit.se, rel=1e-6, nan_ok=True)
    assert set(tables["network_pairs"]["base"]) >= {"sham"}
    assert "sham" not in set(tables["network_pairs"]["treatment"])


COUNTED = ("RR", "OR", "RD", "AS", "IRR", "IRD")


@pytest.mark.parametrize("counted", [True, False])
def test_every_measure_can_be_declared(tmp_path: Path, counted: bool) -> None:
    numbers: list[dict[str, Any]] = [
        {"mean": 9, "sd": 4}, {"mean": 7, "sd": 3}, {"mean": 6, "sd": 5},
    ]  # fmt: skip
    kind: dict[str, Any] = {"unit": "days_per_28"}
    if counted:
        numbers = [{"events": e, "person_years": 20, "unit": "participants"} for e in (12, 9, 0)]
        kind = {"unit": "participants", "lower_is_better": True}
    arms = [
        {"trial": trial, "arm": "abc"[i], **numbers[i]}
        for trial, chosen in {"1": (0, 1), "2": (0, 2), "3": (0, 1, 2)}.items()
        for i in chosen
    ]
    measures = [measure for measure in NETWORK_MEASURES if (measure in COUNTED) == counted]
    networks = [{**NETWORK, "id": m.lower(), "measure": m, "method": "EE"} for m in measures]
    _, tables = analyse(tmp_path / "r", arms, networks, own=["person_years"] if counted else [],
                        outcomes={"frequency": kind})  # fmt: skip
    for measure in measures:
        whole = row(tables, network=measure.lower())
        assert whole["state"] == "pooled", (measure, say(whole["note"]))
        assert (whole["treatments"], whole["contrasts"]) == (3, 4)
        ranked = row(tables, "network_ranks", measure.lower())["p_score"].notna().all()
        assert ranked == (measure not in ("VR", "CVR"))
    if counted:  # a difference is moved by what is added to an empty cell in no trial
        own = tables["network_effects"].set_index(["network", "trial"])
        assert abs(own.loc[("rd", "2"), "yi"].item()) == pytest.approx(12 / 30)
        assert abs(own.loc[("ird", "2"), "yi"].item()) == pytest.approx(12 / 20)
        assert abs(own.loc[("or", "2"), "yi"].item()) == pytest.approx(
            np.log(12.5 / 18.5 / (0.5 / 30.5))
        )


@pytest.mark.parametrize("policy", ["not_estimable", "metafor"])
@pytest.mark.parametrize("counted", [True, False])
def test_a_trial_of_two_arms_has_the_effect_of_a_pairwise_comparison(
    tmp_path: Path, counted: bool, policy: str
) -> None:
    rng = np.random.default_rng(3)
    arms: list[dict[str, Any]] = []
    for trial, counts in enumerate([(0, 0), (0, 3), (4, 0), (20, 20), (0, 20), (5, 9), (20, 7)]):
        for name, events in zip(("care", "rub"), counts, strict=True):
            mean, sd = rng.uniform(4, 9), rng.uniform(2, 5)
            more: dict[str, Any] = {"mean": round(mean, 1), "sd": round(sd, 1)}
            if counted:
                more = {"events": events, "person_years": 30 + trial, "unit": "participants"}
            arms.append({"trial": f"T{trial}", "arm": name, "n": 20, **more})
    measures = [measure for measure in NETWORK_MEASURES if (measure in COUNTED) == counted]
    networks = [{**NETWORK, "id": m.lower(), "measure": m, "reference": "care"} for m in measures]
    pairwise = [{**REVIEW["comparisons"][0], "id": m.lower(), "measure": m} for m in measures]
    unit = "participants" if counted else "days_per_28"
    _, tables = analyse(tmp_path / "r", arms, networks, comparisons=pairwise, zero_events=policy,
                        own=["person_years"] if counted else [],
                        outcomes={"frequency": {"unit": unit}})  # fmt: skip
    for measure in measures:
        found = row(tables, "network_effects", measure.lower()).set_index("trial")
        right = tables["effects"].set_index("comparison").loc[measure.lower()].set_index("trial")
        assert found["pooled"].to_dict() == right["pooled"].to_dict(), measure
        kept = right.index[right["pooled"]]
        assert len(kept) >= 5
        for name in ("yi", "vi"):
            assert found.loc[kept, name].to_numpy() == pytest.approx(
                right.loc[kept, name].to_numpy(), rel=1e-9, abs=1e-12
            ), (measure, name)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(0.01, 50)), min_size=2, max_size=6))
def test_all_pairs_of_a_trial_hold_the_covariance_of_its_contrasts(
    arms: list[tuple[float, float]],
) -> None:
    """Arms with a level and a variance: differences add up, the base's variance is shared."""
    level, v = np.array(arms).T
    one = Candidate("T", "", "", 84.0, "arms", "final", "retrieved", "", None)
    names = [f"t{i}" for i in range(len(arms))]
    trial = TrialRows(one, names, level[1:] - level[0], np.diag(v[1:]) + v[0])
    listed = list_pairs(trial)
    assert len(listed) == len(arms) * (len(arms) - 1) / 2
    for treatment, base, yi, vi in listed:
        i, j = names.index(treatment), names.index(base)
        assert yi == pytest.approx(level[i] - level[j], abs=1e-9)
        assert vi == pytest.approx(v[i] + v[j])
    treatments, bases, yi, vi = zip(*listed, strict=True)
    made = nma.read_pairs(yi, vi, ["T"] * len(listed), treatments, bases)
    assert made.v == pytest.approx(trial.v, rel=1e-6, abs=1e-9)
    assert made.y == pytest.approx(trial.y, abs=1e-9)


def test_measures_and_models_of_the_settings_are_those_of_the_engine() -> None:
    assert set(NETWORK_MEASURES) == {*ADDITIVE, "SMD"}
    assert {"REML", "ML", "DL", "PM", "EE"} == set(METHODS)


# ── how arms become treatments ────────────────────────────────────────────────────────────────


def test_arms_go_by_technique_and_comparator_unless_they_are_named(tmp_path: Path) -> None:
    kinds = [
        arm("1", "TuiNa", 7, role="treatment", technique="manual", comparator=""),
        arm("1", "TAU", 9, role="control", technique="", comparator="usual_care"),
        arm("2", "DN", 6, role="treatment", technique="dry_needling", comparator=""),
        arm("2", "rub", 8, role="control", technique="manual", comparator="active"),
        arm("3", "DN", 6, role="treatment", technique="dry_needling", comparator=""),
        arm("3", "fake", 8, role="control", technique="dry_needling", comparator="sham"),
        arm("4", "DN", 5, role="treatment", technique="dry_needling", comparator=""),
        arm("4", "TAU", 8, role="control", technique="", comparator="usual_care"),
    ]
    plain = {**NETWORK, "treatment_is": "kind"}
    named = {**plain, "id": "named", "treatments": {"DN": "needles", "4: DN": "many needles"}}
    _, tables = analyse(tmp_path / "r", kinds, [plain, named])
    own = tables["network_ranks"].groupby("network")["treatment"].agg(set)
    assert own["all"] == {"manual", "usual_care", "dry_needling", "sham"}
    assert own["named"] == {"manual", "usual_care", "needles", "sham", "many needles"}


def test_two_arms_of_one_treatment_become_one(tmp_path: Path) -> None:
    """n = 30 + 60; mean 7 · 1/3 + 10 · 2/3 = 9; the sum of squares holds the gap of the means."""
    arms = [
        arm("1", "low dose", 7), arm("1", "high dose", 10, n=60), arm("1", "care", 12),
        *pair("2", "care", 12, "low dose", 10),
    ]  # fmt: skip
    declared = {**NETWORK, "treatments": {"low dose": "drug", "high dose": "drug"}}
    _, tables = analyse(tmp_path / "r", arms, [declared])
    found = tables["network_effects"].set_index("trial").loc["1"]
    sign = 1 if found["base"] == "care" else -1
    assert sign * found["yi"] == pytest.approx(9 - 12)
    squares = 29 * 16 + 59 * 16 + 30 * 60 / 90 * 9
    assert found["vi"] == pytest.approx(squares / 89 / 90 + 16 / 30)
    assert "low dose" in say(found["recovered"])


def test_one_timepoint_of_a_trial_enters(tmp_path: Path) -> None:
    later = [{**each, "timepoint": "late", "time_days": 300, "mean": 1} for each in TRIANGLE[:2]]
    _, tables = analyse(tmp_path / "r", [*TRIANGLE, *later])
    own = tables["network_effects"].query("trial == 'AB'").set_index("timepoint")
    assert own["pooled"].to_dict() == {"end, final": True, "late, final": False}
    assert "end" in say(own.loc["late, final", "why_not"])


# ── contrasts ─────────────────────────────────────────────────────────────────────────────────

CONTRASTS = (
    "trial,year,treatment_arm,control_arm,technique,comparator,outcome,unit,timepoint,time_days,"
    "effect_type,effect,ci_low,ci_high,n_total,positive_means,status,source\n"
)


def contrast(trial: str, one: str, other: str, effect: float, half: float = 2.0) -> str:
    return (
        f"{trial},2003,{one},{other},manual,usual_care,frequency,days_per_28,end,84,difference,"
        f"{effect},{effect - half},{effect + half},60,treatment_minus_control,retrieved,abstract\n"
    )


def test_printed_differences_enter_where_their_covariance_is_known(tmp_path: Path) -> None:
    text = (
        CONTRASTS
        + contrast("C1", "d", "a", -1)
        + contrast("C2", "b", "a", -2) + contrast("C2", "c", "a", -3) + contrast("C2", "c", "b", -1)
        + contrast("C3", "b", "a", -2) + contrast("C3", "c", "a", -3)
        + contrast("C4", "b", "a", -2) + contrast("C4", "c", "a", 9) + contrast("C4", "c", "b", -1)
    )  # fmt: skip
    _, tables = analyse(tmp_path / "r", TRIANGLE, files={"contrasts.csv": text})
    own = tables["network_effects"].groupby("trial")
    assert own["pooled"].all().to_dict() == {
        "AB": True, "AC": True, "BC": True, "C1": True, "C2": True, "C3": False, "C4": False,
    }  # fmt: skip
    assert own.size()["C2"] == 3
    made = read_network(tables["network_effects"], "all")
    assert made is not None
    rows = made.trial == made.trials.index("C2")
    v = (2 / 1.959964) ** 2
    assert np.diag(made.v)[rows] == pytest.approx(v, rel=1e-6)
    assert made.v[np.ix_(rows, rows)][0, 1] == pytest.approx(v / 2, rel=1e-6)
    why = tables["network_effects"].set_index("trial")["why_not"]
    assert "covariance is not known" in say(why["C3"])
    assert "contradict" in say(why["C4"])


def test_an_adjusted_difference_stands_for_two_arms_and_not_for_three(tmp_path: Path) -> None:
    """Adjusted differences come first (Handbook 10.5.2), unless they would lose an arm."""
    arms = [*LINE, arm("3", "a", 10), arm("3", "b", 8), arm("3", "c", 7)]
    text = CONTRASTS + contrast("AB", "b", "a", -5) + contrast("3", "b", "a", -5)
    text = text.replace("difference", "ANCOVA")
    _, tables = analyse(tmp_path / "r", arms, files={"contrasts.csv": text})
    own = tables["network_effects"].query("pooled").groupby("trial")["basis"].agg(set)
    assert own.to_dict() == {"AB": {"contrast"}, "BC": {"arms"}, "3": {"arms"}}


def test_clusters_count_less_and_crossover_arms_wait(tmp_path: Path) -> None:
    """Design effect 1 + 9 × 0.05 for one trial; the same people cannot be two arms."""
    cluster = {"design": "cluster", "cluster_size": 10, "icc": 0.05}
    arms = [*LINE, *({**each, **cluster} for each in pair("CL", "a", 10, "c", 7))]
    arms += [{**each, "design": "crossover"} for each in pair("XO", "a", 10, "c", 7)]
    own = ("design", "cluster_size", "icc")
    _, tables = analyse(tmp_path / "r", arms, own=own)
    effects = tables["network_effects"].set_index("trial")
    assert effects.loc["CL", "vi"] == pytest.approx(1.45 * effects.loc["AB", "vi"])
    assert "design effect 1.45" in say(effects.loc["CL", "recovered"])
    assert not effects.loc["XO", "pooled"]
    assert "same people" in say(effects.loc["XO", "why_not"])


# ── broken networks ───────────────────────────────────────────────────────────────────────────

LINE = [*pair("AB", "a", 10, "b", 8), *pair("BC", "b", 8, "c", 7)]
BROKEN: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "two treatments": (pair("1", "a", 9, "b", 7), {}, "pooled"),
    "a tree": (LINE, {}, "pooled"),
    "one arm": ([arm("1", "a", 9)], {}, "no_trials"),
    "one treatment": (pair("1", "a", 9, "a2", 7), {"treatments": {"a2": "a"}}, "no_trials"),
    "no spread": ([arm("1", "a", 9, sd=""), arm("1", "b", 7)], {}, "no_trials"),
    "all left out": (LINE, {"leave_out": {"AB": "copied", "BC": "copied"}}, "no_trials"),
    "no such reference": (LINE, {"reference": "z"}, "pooled"),
    "order of others": (LINE, {"order": ["z", "a"]}, "pooled"),
    "an unknown treatment": (
        [{**each, "technique": ""} for each in LINE],
        {"treatment_is": "kind"},
        "no_trials",
    ),
    "nothing of the outcome": ([], {}, "no_trials"),
    "no spread of people": ([arm("1", "a", 9, sd=0), arm("1", "b", 7, sd=0)], {}, "no_trials"),
    "a wild number": (
        [*LINE, arm("W", "a", 9, sd=1e-16), arm("W", "c", 7, sd=1e-16)],
        {},
        "pooled",
    ),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tables, str]:
    """One review with every broken network, and a whole one at its end."""
    cases = [*BROKEN.values(), (TRIANGLE, {}, "pooled")]
    arms: list[dict[str, Any]] = []
    networks = []
    for i, (rows, changes, _) in enumerate(cases):
        arms += [{**each, "outcome": f"o{i}", "trial": f"{each['trial']} {i}"} for each in rows]
        moved = dict(changes)
        if "leave_out" in moved:
            moved["leave_out"] = {f"{t} {i}": why for t, why in moved["leave_out"].items()}
        networks.append({**NETWORK, "id": f"n{i}", "outcome": f"o{i}", **moved})
    outcomes = {f"o{i}": {"unit": "days_per_28"} for i in range(len(cases))}
    compared = [{**REVIEW["comparisons"][0], "outcome": "o0", "techniques": ["other"]}]
    folder = tmp_path_factory.mktemp("broken") / "r"
    review, tables = analyse(folder, arms, networks, outcomes=outcomes, comparisons=compared,
                             explore=True)  # fmt: skip
    return tables, write_page(review, tables)


@pytest.mark.parametrize("name", [*BROKEN, "a whole one"])
def test_a_broken_network_gets_a_sentence_and_stops_no_other(
    broken: tuple[Tables, str], name: str
) -> None:
    tables, text = broken
    i = list(BROKEN).index(name) if name in BROKEN else len(BROKEN)
    state = BROKEN[name][2] if name in BROKEN else "pooled"
    assert row(tables, network=f"n{i}")["state"] == state
    own = tables["network_effects"].query(f"network == 'n{i}' and not pooled")
    assert own["why_not"].notna().all()
    part = text.split(f'id="network-n{i}"')[1].split("<h3")[0]
    if state != "pooled":
        assert "could not be pooled" in part
        assert "no trial has two arms" in part.lower()
    else:
        assert "against" in part
        assert ("consistency cannot be checked" in part) == (name != "a whole one")
    said = {"no such reference": "the declared reference", "order of others": "does not name each"}
    assert said.get(name, "").lower() in part.lower()


@pytest.mark.parametrize("step", ["pool_network", "split_sides", "check_consistency"])
def test_a_network_that_cannot_be_computed_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("singular")

    monkeypatch.setattr(nma, step, fail)
    review, tables = analyse(tmp_path / "r", TRIANGLE, published=[publish("-2.33")])
    assert row(tables)["state"] == "not_computable"
    assert len(tables["network_pairs"]) == 0
    assert len(tables["network_effects"]) == 3
    assert "could not be pooled" in write_page(review, tables)


def test_an_arm_without_numbers_leaves_the_others_of_its_trial(tmp_path: Path) -> None:
    arms = [arm("1", "a", 10), arm("1", "b", 8), arm("1", "c", 7, sd=""), *LINE]
    _, tables = analyse(tmp_path / "r", arms)
    own = tables["network_effects"].set_index("trial").loc["1"]
    assert own["pooled"]
    assert {own["treatment"], own["base"]} == {"a", "b"}
    assert "c (" in say(own["note"])


def test_a_network_in_parts_pools_one_and_names_the_others(tmp_path: Path) -> None:
    arms = [*TRIANGLE, *pair("XY", "x", 9, "y", 7)]
    review, tables = analyse(tmp_path / "r", arms)
    assert say(row(tables)["parts"]) == "x and y"
    away = tables["network_effects"].set_index("trial")
    assert not away.loc["XY", "pooled"]
    assert "not connected" in say(away.loc["XY", "why_not"])
    text = write_page(review, tables)
    assert "falls into parts" in text
    assert "x and y" in text
    _, tables = analyse(tmp_path / "s", arms, [{**NETWORK, "reference": "y"}])
    assert say(row(tables)["parts"]) == "a, b and c"
    assert set(tables["network_ranks"]["treatment"]) == {"x", "y"}


def test_trials_without_events_go_by_the_policy(tmp_path: Path) -> None:
    events = {"1": (3, 9, None), "2": (5, None, 8), "3": (0, 0, 0), "4": (30, 30, None)}
    arms = [
        {"trial": trial, "arm": name, "events": count, "unit": "participants"}
        for trial, counts in events.items()
        for name, count in zip("abc", counts, strict=True)
        if count is not None
    ]
    declared = {**NETWORK, "measure": "OR"}
    of = {"outcomes": {"frequency": {"unit": "participants"}}}
    _, tables = analyse(tmp_path / "r", arms, [declared], **of)
    own = tables["network_effects"].groupby("trial")["pooled"].all()
    assert own.to_dict() == {"1": True, "2": True, "3": False, "4": False}
    _, tables = analyse(tmp_path / "s", arms, [declared], zero_events="metafor", **of)
    assert tables["network_effects"]["pooled"].all()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"outcome": "nausea"}, "nausea"),
        ({"kinds": ["events"]}, "events"),
        ({"modifiers": ["dose"]}, "dose"),
        ({"moderator": "dose"}, "dose"),
    ],
)
def test_what_points_at_nothing_is_named(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        analyse(tmp_path / "r", TRIANGLE, [{**NETWORK, **changes}])


@pytest.mark.parametrize(
    "changes", [{"measure": "PETO"}, {"method": "SJ"}, {"cinema": [{"treatment": "a", "base": "b",
                "domains": {"luck": {"judgement": "no_concerns", "why": "x"}}}]}]
)  # fmt: skip
def test_what_networks_do_not_have_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        analyse(tmp_path / "r", TRIANGLE, [{**NETWORK, **changes}])


def test_two_networks_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="appears twice"):
        analyse(tmp_path / "r", TRIANGLE, [NETWORK, NETWORK])


def test_a_model_that_networks_lack_is_replaced_and_said(tmp_path: Path) -> None:
    review, tables = analyse(tmp_path / "r", TRIANGLE, model={"method": "REML", "test": "kr"})
    assert review.model_of(review.networks[0]) == ("REML", "adhoc")
    assert (row(tables)["method"], row(tables)["test"]) == ("REML", "adhoc")


# ── verdicts ──────────────────────────────────────────────────────────────────────────────────


def publish(estimate: str, pair: tuple[str, str] = ("b", "a"), **more: Any) -> dict[str, Any]:
    target = {"network": "all", "treatment": pair[0], "base": pair[1]}
    model = {"method": "EE", "test": "z"}
    return {"id": "printed", "label": "b v a", "estimate": estimate, "recompute": target,
            "model": model, **more}  # fmt: skip


VERDICTS = {
    "as printed": (publish("-2.33"), "reproduced"),
    "turned": (publish("2.33", ("a", "b")), "reproduced"),
    "sign": (publish("2.33", positive_means="control_minus_treatment"), "reproduced"),
    "unit": (publish("-2.53", unit="days_per_month"), "reproduced"),
    "another": (publish("-2.0"), "not reproduced"),
    "more trials": (publish("-2.33", k=5), "not recomputable"),
    "nobody": (publish("-2.33", ("b", "nobody")), "not recomputable"),
    "model": (publish("-2.33") | {"model": {"method": "SJ", "test": "z"}}, "not recomputable"),
}


def test_printed_pairs_are_judged(tmp_path: Path) -> None:
    entries = [{**entry, "id": f"p{i}"} for i, (entry, _) in enumerate(VERDICTS.values())]
    _, tables = analyse(tmp_path / "r", TRIANGLE, published=entries, explore=True)
    found = tables["reproduction"].query("part == 'estimate'")
    assert dict(zip(VERDICTS, found["verdict"], strict=True)) == {
        name: verdict for name, (_, verdict) in VERDICTS.items()
    }
    assert all("network meta-analysis" in say(how) for how in found["how"])


def test_the_trials_of_a_printed_pair_are_counted(tmp_path: Path) -> None:
    _, tables = analyse(tmp_path / "r", TRIANGLE, published=[publish("-2.33", k=2)])
    found = tables["reproduction"].set_index("part")
    assert found.loc["k", "verdict"] == "not reproduced"


def test_half_a_pair_is_refused(tmp_path: Path) -> None:
    entry = publish("-2.33")
    del entry["recompute"]["base"]
    with pytest.raises(InputError, match="base"):
        analyse(tmp_path / "r", TRIANGLE, published=[entry])


# ── sensitivity, modifiers, confidence ────────────────────────────────────────────────────────


def test_other_ways_to_pool_are_the_engines(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d"]
    arms = draw_arms(names, 9)
    risk = "trial,domain,judgement,support,signed_by\n" + "".join(
        f"Trial {i},overall,{'high' if i < 3 else 'low'},seen,A\n" for i in range(1, 10)
    )
    _, tables = analyse(tmp_path / "r", arms, [{**NETWORK, "reference": "a"}], explore=True,
                        files={"risk_of_bias.csv": risk})  # fmt: skip
    own = tables["network_sensitivity"]
    first = own[own["specification"].eq(0)].set_index("treatment")["estimate"]
    assert own[own["specification"].eq(0)]["declared"].all()
    pairs = tables["network_pairs"].query("base == 'a'").set_index("treatment")["estimate"]
    assert first.to_dict() == pytest.approx(pairs.to_dict())
    whole = read_network(tables["network_effects"], "all")
    assert whole is not None
    fit = nma.pool_network(whole, method="DL", test="z", reference="a")
    found = own.query("studies == 'all' and left_out == 'none' and method == 'DL' and test == 'z'")
    assert found.set_index("treatment").loc["b", "ci_low"] == pytest.approx(
        fit.ci_low[fit.place("b"), fit.place("a")], rel=1e-6
    )
    gone = whole.trials.index("Trial 9")
    rest = nma.pool_network(whole.keep(whole.trial != gone), reference="a")
    found = own[own["left_out"].eq("Trial 9")].set_index("treatment")
    assert found.loc["d", "estimate"] == pytest.approx(
        rest.estimate[rest.place("d"), rest.place("a")], rel=1e-6
    )
    assert (own.query("studies == 'low_risk'")["k"] <= 7).all()
    assert own.duplicated(["specification", "treatment"]).sum() == 0


def test_modifiers_are_listed_by_comparison_and_a_moderator_is_fitted(tmp_path: Path) -> None:
    arms = draw_arms(["a", "b", "c"], 9, several=0)
    for i, each in enumerate(arms):
        each |= {"age": 30 + i // 2, "setting": "clinic" if i % 4 < 2 else "home"}
    arms[0]["age"] = arms[1]["age"] = arms[0]["year"] = arms[1]["year"] = ""
    declared = {**NETWORK, "reference": "a", "modifiers": ["age", "setting", "year"],
                "moderator": "age"}  # fmt: skip
    review, tables = analyse(tmp_path / "r", arms, [declared], own=["age", "setting"])
    own = tables["network_modifiers"].set_index(["treatment", "base", "modifier"])
    trials = [each["trial"] for each in arms[::2]]
    pairs = [{arms[2 * i]["arm"], arms[2 * i + 1]["arm"]} for i in range(len(trials))]
    ages = [30 + i for i in range(1, len(trials)) if pairs[i] == {"a", "b"}]
    found = own.loc[("b", "a", "age")]
    assert (found["low"], found["high"]) == (min(ages), max(ages))
    assert found["mean"] == pytest.approx(np.mean(ages))
    assert own.loc[("b", "a", "setting"), "words"] in ("clinic, home", "home, clinic", "clinic")
    assert own.loc[("b", "a", "year"), "mean"] == 2001
    whole = read_network(tables["network_effects"], "all")
    assert whole is not None
    kept = whole.keep(whole.trial != whole.trials.index("Trial 1"))
    value = [30 + trials.index(trial) for trial in kept.trials]
    fit = nma.pool_network(kept, reference="a", moderator=value)
    assert row(tables)["slope"] == pytest.approx(fit.moderator["moderator"][0], rel=1e-6)
    assert row(tables)["slope_trials"] == len(trials) - 1
    assert "Per unit of age" in write_page(review, tables)


def test_columns_are_read_as_the_file_writes_numbers(tmp_path: Path) -> None:
    """Semicolons, decimal commas and a sign for what is missing; a column under another name."""
    arms = draw_arms(["a", "b", "c"], 8, several=0)
    for i, each in enumerate(arms):
        each["mean age"] = "n.r." if i < 2 else f"{30 + i // 2},5"
        each["mean"] = str(each["mean"]).replace(".", ",")
    text = write_arms(arms, ["mean age"])
    text = "\n".join(";".join(row) for row in csv.reader(io.StringIO(text)))
    mapped = {"arms": {"path": "arms.csv", "delimiter": ";", "decimal": ",",
                       "missing": ["", "n.r."]}}  # fmt: skip
    declared = {**NETWORK, "modifiers": ["mean age", "n"], "moderator": "mean age"}
    _, tables = analyse(tmp_path / "r", text, [declared], mapped=mapped)
    people = tables["network_modifiers"].query("modifier == 'n'")
    assert people["high"].max() == max(each["n"] for each in arms)
    own = tables["network_modifiers"].query("modifier == 'mean age'")
    assert own["words"].isna().all()
    assert own["high"].max() == 30.5 + 7
    assert own["stated"].sum() == own["trials"].sum() - 1
    assert row(tables)["slope_trials"] == 7
    assert np.isfinite(row(tables)["slope"])


def test_confidence_is_shown_as_typed_and_never_filled_in(tmp_path: Path) -> None:
    judged = {"judgement": "some_concerns", "why": "Few people"}
    typed = [{"treatment": "b", "base": "a", "domains": {"imprecision": judged},
              "confidence": "low", "signed_by": "A. Example"},
             {"treatment": "q", "base": "a", "domains": {"indirectness": judged}}]  # fmt: skip
    review, tables = analyse(tmp_path / "r", TRIANGLE, [{**NETWORK, "cinema": typed}])
    text = write_page(review, tables)
    assert "some concerns: Few people" in text
    assert "A. Example" in text
    assert "pairs that this network does not hold" in text
    # Three pairs and the one that is not there: six domains and the whole, less three typed.
    assert text.count("to be judged") >= 4 * (len(CINEMA_DOMAINS) + 1) - 3


# ── figures and page ──────────────────────────────────────────────────────────────────────────

LONG = "cognitive behavioural therapy with relaxation, biofeedback and a booster after half a year "
HOSTILE = [
    "<script>alert(1)</script>",
    "針灸和推拿治疗头痛",
    (LONG * 2)[:120],
    "x" * 120,
    '$\\frac{1}{0}$ & "quotes"',
    "=1+1; a : b v c",
    "technique.manual",
    "{placeholder}",
]


Analysed = tuple[Review, Tables]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Analysed:
    declared = {**NETWORK, "label": HOSTILE[0], "order": HOSTILE}
    return analyse(tmp_path_factory.mktemp("hostile") / "r", draw_arms(HOSTILE, 12), [declared])


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_names_are_drawn_and_written_as_text(hostile: Analysed, language: str) -> None:
    review, tables = hostile
    with speaking(language):
        drawn = draw(review, tables)
        assert len(drawn) == 4
        for figure in drawn.values():
            hold_apart(figure.figure)
        text = write_page(review, tables, drawn)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert HOSTILE[1] in text
    assert "{placeholder}" in text


@pytest.mark.parametrize("n", [2, 4, 8, 15])
def test_texts_of_the_figures_stay_apart(tmp_path: Path, n: int) -> None:
    names = [f"treatment number {i}" for i in range(n)]
    declared = {**NETWORK, "reference": names[0], "order": names}
    review, tables = analyse(tmp_path / "r", draw_arms(names, 3 * n), [declared])
    drawn = draw(review, tables)
    assert len(drawn) == (3 if n == 2 else 4)
    for figure in drawn.values():
        hold_apart(figure.figure)
    graph = drawn["network_all"]
    counts = tables["network_pairs"]["k_direct"]
    written = [text.get_text() for text in graph.figure.axes[0].texts]
    numbers = sorted(int(text) for text in written if text.isdigit())
    assert numbers == sorted(counts[counts > 0])
    assert all(any(name in text.replace("\n", " ") for text in written) for name in names)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Analysed:
    arms = draw_arms(["a", "b", "c", "d"], 10)
    return analyse(tmp_path_factory.mktemp("plain") / "r", arms, explore=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_what_was_compared_and_what_it_cannot_say(
    plain: Analysed, language: str
) -> None:
    review, tables = plain
    review = replace(review, language=language)  # type: ignore[arg-type]
    with speaking(language):
        text = write_page(review, tables, {})
        missed.clear()
        describe_networks(tables, {}, review)
        assert missed == set()
    said = {
        "en": ("Ranks are no differences", "no proof of consistency", "League table"),
        "es": ("Los rangos no son diferencias", "no prueba la consistencia", "Tabla de clasif"),
        "de": ("Ränge sind keine Unterschiede", "kein Beweis für Konsistenz", "Ligatabelle"),
    }
    assert [words for words in said[language] if words not in text] == []
    status = {"en": "retrieved", "es": "leído en la fuente", "de": "in der Quelle gelesen"}
    rows = text.split(f"({len(tables['network_effects'])})</summary>")[1].split("</table>")[0]
    assert f"<td>{status[language]}</td>" in rows
    for source in ("Bucher", "Rücker", "Krahn", "Papakonstantinou", "Nikolakopoulou", "Hutton"):
        assert source in text
    assert all(f"S{i}, " in text for i in range(1, 6))


def test_the_league_holds_each_pair_both_ways(tmp_path: Path) -> None:
    review, tables = analyse(tmp_path / "r", TRIANGLE, [{**NETWORK, "method": "EE", "test": "z"}])
    text = write_page(review, tables)
    league = text.split('<div class="league">')[1].split("</div>")[0]
    # Best first: c, b, a. Below the diagonal b v c, above it c v b from its one trial.
    assert "0.33 (" in league
    assert "0.00 (−2.02 to 2.02)" in league


def test_a_review_without_networks_has_empty_tables_and_no_section(tmp_path: Path) -> None:
    review, tables = analyse(tmp_path / "r", TRIANGLE, [])
    assert all(len(tables[name]) == 0 for name in OUTPUTS)
    text = write_page(review, tables)
    assert 'id="networks"' not in text


def test_an_axis_of_wide_ratios_has_marks(tmp_path: Path) -> None:
    counts = {"1": (1, 10, 15), "2": (0, 12, None), "3": (None, 9, 18), "4": (3, 1, None)}
    arms = [
        {"trial": trial, "arm": name, "events": count, "unit": "participants"}
        for trial, each in counts.items()
        for name, count in zip("abc", each, strict=True)
        if count is not None
    ]
    declared = {**NETWORK, "measure": "OR", "reference": "a"}
    review, tables = analyse(tmp_path / "r", arms, [declared],
                             outcomes={"frequency": {"unit": "participants"}})  # fmt: skip
    axes = draw(review, tables)["network_forest_all"].figure.axes[0]
    low, high = axes.get_xlim()
    assert high / low > 1e6
    assert 2 <= sum(low <= tick <= high for tick in axes.get_xticks()) <= 6


def test_ratios_are_shown_as_ratios(tmp_path: Path) -> None:
    arms = [
        {"trial": trial, "arm": name, "events": count, "unit": "participants"}
        for trial, counts in {"1": (5, 10, 15), "2": (6, 12, None), "3": (None, 9, 18)}.items()
        for name, count in zip("abc", counts, strict=True)
        if count is not None
    ]
    declared = {**NETWORK, "measure": "RR", "method": "EE", "test": "z", "reference": "a"}
    review, tables = analyse(tmp_path / "r", arms, [declared],
                             outcomes={"frequency": {"unit": "participants"}})  # fmt: skip
    found = find(tables, "b", "a")
    text = write_page(review, tables)
    assert f"{np.exp(found['estimate']):.2f} ({np.exp(found['ci_low']):.2f} to" in text


def test_the_workflow_takes_hostile_names_from_files_to_the_page(tmp_path: Path) -> None:
    """Through CSV files, where a name may look like a formula, a number or nothing."""
    names = ["=1+1", "007", "NA", "null", "-5", "<b>bold</b>"]
    arms = draw_arms(names, 10)
    files = {"arms": {"path": "arms.csv", "missing": [""]}}
    risk = "trial,domain,judgement,support,signed_by\nTrial 1,overall,high,seen,A\n"
    analyse(tmp_path / "r", arms, files={"risk_of_bias.csv": risk},
            mapped={**files, "risk_of_bias": {"path": "risk_of_bias.csv"}})  # fmt: skip
    text, tables = run_scripts(tmp_path / "r", tmp_path / "out")
    assert row(tables)["state"] == "pooled"
    assert set(tables["network_ranks"]["treatment"]) == set(names)
    assert (tmp_path / "out" / "figures" / "network_forest_all.svg").is_file()
    assert "&lt;b&gt;bold&lt;/b&gt;" in text
    assert "<b>bold" not in text
    assert "without high" not in text
    own = tables["network_sensitivity"]
    assert own.query("studies == 'not_high_risk'")["k"].eq(9).all()


def test_the_check_says_what_a_build_would_pool(tmp_path: Path) -> None:
    arms = [*TRIANGLE, *pair("XY", "x", 9, "y", 7), arm("1", "a", 9)]
    review, _ = analyse(tmp_path / "r", arms)
    found = {each["question"]: each for each in preview_review(tmp_path / "r", review).answers}
    assert (found["all"]["answered"], found["all"]["n"]) == (True, 3)
    told = say(found["all"]["why"])
    assert "3 of 5" in told
    assert "not connected" in told
    assert "fewer than two arms" in told


def test_the_writer_of_test_files_writes_every_row() -> None:
    assert len(write_arms(TRIANGLE).splitlines()) == 1 + len(TRIANGLE)
