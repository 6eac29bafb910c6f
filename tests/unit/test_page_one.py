"""Page one of a clinic: plain enough for a child of twelve, and no more than the tables carry."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from html import unescape
from typing import Any

import pandas as pd
import pytest

from headway import config, disclosure
from headway.config.clinic import Window
from headway.disclosure import PRESETS
from headway.figures.clinic import draw as clinic_figures
from headway.messages import say, t, writing_released
from headway.outcomes.audit import empty_audit
from headway.outcomes.expectation.benchmark import explain_benchmark
from headway.outcomes.expectation.traps import IDS
from headway.outcomes.expectation.verdict import read_verdict
from headway.report import formats
from headway.report.clinic import answer as clinic_answer
from headway.report.clinic import page as clinic_page
from tests.unit.pages_builder import PROBLEM, READY, released
from tests.unit.simulated_clinic import scenario

# Clinic -> scenario, seed, whether there is an earlier window.
SIMULATED = {
    "effect": ("real_effect", 1, True),
    "null": ("null_rtm", 2, True),
    "no earlier window": ("real_effect", 1, False),
    "zeros": ("zero_coded_sessions", 1, True),
    "filled diaries": ("zero_coded_diary", 1, True),
    "two scales": ("unit_mix", 1, True),
    "chosen days": ("mnar_diary", 1, True),
    "left": ("dropout_if_not_better", 1, True),
    "one therapist": ("therapist_outlier", 1, True),
}
CLINICS = ("demo", "demo, small numbers hidden", *SIMULATED)
TRAPS = {
    "zeros": "zero_coded_missing",
    "filled diaries": "zero_coded_missing",
    "two scales": "unit_mix",
    "chosen days": "mnar_diary",
    "left": "dropout_if_not_better",
}


@cache
def built(name: str) -> tuple[str, dict[str, pd.DataFrame], dict[str, Any]]:
    """Build a clinic's page without its figures: page, released tables, card."""
    if name.startswith("demo"):
        settings, out, rules = released("demo", "opensafely" if "hidden" in name else "")
    else:
        settings, found = scenario(SIMULATED[name][0], 150, *SIMULATED[name][1:])
        rules = PRESETS[settings.disclosure]
        out = disclosure.release(found, rules)
    page, card = clinic_page.build(settings, READY, out, [], rules)
    return page, out, card


def page_one(page: str) -> str:
    """Cut the answers out of a page, as its reader sees them; a sentence ends with a full stop."""
    start = page.index('<section class="answer"')
    part = page[start : page.index("</section>", start)]
    part = re.sub(r"</(h2|p|li|a)>", r" </\1>", part)
    part = re.sub(r"<a [^>]*>(.*?)</a>", r"\1.", part)  # a link stands for itself
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", part))).strip()


# ---- readability ---------------------------------------------------------------------------------


def count_syllables(word: str) -> int:
    """Count groups of vowels; a silent e at the end, and -ed after most letters, are none."""
    plain = re.sub(r"[^a-z]", "", word.lower())
    if len(plain) <= 3:
        return 1
    plain = re.sub(r"(?<![lr])es$|(?<![td])ed$|(?<!l)e$", "", plain)
    return max(1, len(re.findall(r"[aeiouy]+", plain)))


def grade(text: str) -> tuple[float, float]:
    """Compute two reading grades of US schools (Kincaid et al. 1975, Research Branch Report 8-75).

    Flesch-Kincaid: 0.39 words per sentence + 11.8 syllables per word - 15.59. Beside it, since it
    needs no syllables, the Automated Readability Index (Smith and Senter 1967): 4.71 letters per
    word + 0.5 words per sentence - 21.43. Figures are words of a sentence, and are left out of
    syllables and letters, as Flesch (1949) has it for text that holds several.
    """
    sentences = [s for s in re.split(r"(?<=[.?!:])\s+", text) if re.search(r"[A-Za-z]", s)]
    tokens = [w for s in sentences for w in s.split() if re.search(r"\w", w)]
    letters = [w for w in tokens if re.fullmatch(r"[^\w]*[A-Za-z’'-]+[^\w]*", w)]
    syllables = sum(count_syllables(w) for w in letters) / len(letters)
    characters = sum(len(re.sub(r"[^A-Za-z]", "", w)) for w in letters) / len(letters)
    length = len(tokens) / len(sentences)
    return (
        0.39 * length + 11.8 * syllables - 15.59,
        4.71 * characters + 0.5 * length - 21.43,
    )


def test_the_formula_gives_what_a_hand_count_gives() -> None:
    # 10 words, 2 sentences, 12 syllables (only "window" and "again" have two), 35 letters.
    text = "The cat sat by the window. It was there again."
    known = {"window": 2, "headache": 2, "changed": 1, "treatment": 2, "people": 2, "entry": 2}
    assert {w: count_syllables(w) for w in known} == known
    flesch, index = grade(text)
    assert flesch == pytest.approx(0.39 * 5 + 11.8 * 12 / 10 - 15.59)
    assert index == pytest.approx(4.71 * 35 / 10 + 0.5 * 5 - 21.43)


@pytest.mark.parametrize("name", CLINICS)
def test_a_child_of_twelve_can_read_page_one(name: str) -> None:
    """Twelve-year-olds sit in grade 6 or 7 of US schools; the formula's error is about a grade."""
    flesch, index = grade(page_one(built(name)[0]))
    assert flesch <= 7, flesch
    assert index <= 7, index
    # An average hides one endless sentence.
    longest = max(len(s.split()) for s in re.split(r"(?<=[.?!:])\s+", page_one(built(name)[0])))
    assert longest <= 25


# ---- no more than the tables carry ---------------------------------------------------------------


def verdicts(page: str) -> dict[str, str]:
    """Read outcome -> verdict from the marks of page one."""
    return dict(re.findall(r'<p id="verdict-(\w+)" data-verdict="(\w+)">', page))


def first_answer(text: str) -> str:
    """Cut what page one says of the primary outcome's change."""
    return text[: text.index("Would this have happened without treatment?")]


@pytest.mark.parametrize("name", CLINICS)
def test_the_verdict_is_that_of_the_table(name: str) -> None:
    page, out, _ = built(name)
    text, said = page_one(page), read_verdict(out["expected"])
    assert verdicts(page)["frequency"] == said.kind
    assert ("beyond what would be expected" in text) == (said.kind == "further")
    assert ("more than would be expected" in text) == (said.kind == "less")
    if said.kind == "further":
        assert said.change < said.low
    shown = f"from {formats.number(said.low, 1)} to {formats.number(said.high, 1)}."
    assert (shown in text) == (said.kind in ("further", "cannot_tell", "less"))
    assert formats.find_forbidden(text) == []


@pytest.mark.parametrize("name", CLINICS)
def test_the_change_stands_with_its_interval_denominators_and_bounds(name: str) -> None:
    page, out, card = built(name)
    text = page_one(page)
    main = out["cohort"].query("primary").set_index("statistic")
    row = main.loc["change_mean"].to_dict()
    with writing_released("hidden" in name):
        shown = formats.interval(row)
        low, high = (formats.number(main.loc[b, "estimate"]) for b in ("bound_low", "bound_high"))
    assert f"The mean change is {shown}." in text
    assert f"for {row['n']:.0f} of {row['of']:.0f} people who started." in text
    assert f"anywhere from {low} to {high}." in text
    clear = row["ci_low"] > 0 or row["ci_high"] < 0
    assert ("fell from" in first_answer(text)) == (clear and row["estimate"] < 0)
    assert ("We cannot tell if headache days changed." in text) != clear
    # Who improved never stands without who got worse.
    better = text.count("half as many headache days") + text.count("had a fall of half or more")
    assert better == text.count("got worse by 30 %") >= int("hidden" not in name)
    told = card["headline"][0].replace(t("page_one.some_records_could_not_be_used") + " ", "")
    assert all(s in text for s in told.split(". "))


def test_three_verdicts_are_among_the_clinics() -> None:
    kinds = {read_verdict(built(n)[1]["expected"]).kind for n in CLINICS}
    assert {"further", "cannot_tell", "not_recorded"} <= kinds


@pytest.mark.parametrize("name", ["demo", "demo, small numbers hidden"])
def test_intensity_and_hours_have_their_own_lines_and_cannot_be_told(name: str) -> None:
    page, out, _ = built(name)
    text, said = page_one(page), verdicts(page)
    for outcome in ("intensity", "duration"):
        own = out["cohort"].query("comparison == 'primary' and group == 'all'")
        rows = own[own["outcome"] == outcome].set_index("statistic")
        assert said[outcome] == "cannot_tell"
        part = text[text.index(f"{outcome.capitalize()} ") :]
        part = part[: part.index("happened without treatment.")]
        with writing_released("hidden" in name):
            shown = formats.interval(rows.loc["change_mean"].to_dict())
            low, high = (
                formats.number(rows.loc[f"bound_{b}", "estimate"]) for b in ("low", "high")
            )
        assert f"The mean change is {shown}." in part
        n = f"{rows.loc['change_mean', 'n']:.0f}"
        assert f"Only the {n} people with headache both before and after count." in part
        assert f"The records allow any change from {low} to {high}." in part


def test_what_may_go_without_treatment_stands_beside_what_was_seen_to() -> None:
    page, out, _ = built("effect")
    deciding = out["expected"][out["expected"]["decides"]]
    first = page_one(page)
    assert f"allows for a fall of {-deciding['expected'].min():.1f} days without" in first
    arms = deciding[deciding["source"] == "arm"]
    fall = f"largest fall in any study of people like these is {-arms['expected'].min():.1f} days"
    assert (fall in first) == bool(len(arms))


def test_intensity_and_hours_are_counted_in_other_ways_too() -> None:
    page, out, _ = built("demo")
    own = out["cohort"][
        (out["cohort"]["group"] == "all") & (out["cohort"]["comparison"] == "primary")
    ]
    ways = out["sensitivity"].set_index(["outcome", "id"])
    listed = out["specifications"]
    assert list(dict.fromkeys(out["sensitivity"]["outcome"])) == [
        "frequency",
        "intensity",
        "duration",
    ]
    for outcome in ("intensity", "duration"):
        change = own[(own["outcome"] == outcome) & (own["statistic"] == "change_mean")].iloc[0]
        pairs = ways.loc[(outcome, "complete_pairs")]
        assert pairs["estimate"] == pytest.approx(change["estimate"])
        declared = listed[(listed["outcome"] == outcome) & listed["declared"]].iloc[0]
        assert declared["estimate"] == pytest.approx(change["estimate"])
        trend = out["checks"].set_index(["id", "outcome"]).loc[("baseline_trend", outcome)]
        assert f"the mean changed by {trend['estimate']:.1f}" in page_one(page).replace("−", "-")


def test_a_primary_outcome_is_never_answered_with_the_verdict_of_another() -> None:
    """Headache days went beyond the expected; intensity, declared primary, has its own answer."""
    settings, _ = scenario("zero_coded_diary", 150, 1, True)
    _, out, _ = built("filled diaries")
    assert read_verdict(out["expected"]).kind == "further"
    cohort = out["cohort"].copy()
    main = (cohort["comparison"] == "primary") & (cohort["group"] == "all")
    cohort["primary"] = main & (cohort["outcome"] == "intensity")
    settings = replace(settings, primary_outcome="intensity")
    rules = PRESETS[settings.disclosure]
    page, card = clinic_page.build(settings, READY, {**out, "cohort": cohort}, [], rules)
    assert verdicts(page) == {
        "intensity": "cannot_tell",
        "frequency": "further",
        "duration": "cannot_tell",
    }
    leads = re.findall(r"<strong>(.*?)</strong>", page)
    assert "We cannot tell how much of the change would have happened without treatment." in leads
    assert "beyond" not in card["headline"][0]
    own = page_one(page).split("What else changed?")[0]
    assert "beyond" not in own and "Only people with headache both before and after" in own


@pytest.mark.parametrize(
    ("percent", "text"),
    [
        (0, "No one"),
        (4.9, "Fewer than 1 in 20"),
        (5, "About 1 in 20"),
        (26, "About 3 in 10"),
        (94, "About 19 in 20"),
        (96, "More than 19 in 20"),
        (100, "All"),
    ],
)
def test_shares_are_so_many_in_ten(percent: float, text: str) -> None:
    assert clinic_answer.in_ten(percent) == text


def test_hidden_numbers_are_no_finding() -> None:
    settings, found = scenario("small_cells", 150)
    rules = PRESETS[settings.disclosure]
    out = disclosure.release(found, rules)
    hidden = {n: t.assign(redacted=True) if n == "cohort" else t for n, t in out.items()}
    hidden["cohort"][["estimate", "ci_low", "ci_high", "n", "count"]] = float("nan")
    columns = ["change", "expected", "difference", "diff_ci_low", "diff_ci_high"]
    hidden["expected"] = out["expected"].assign(redacted=True)
    hidden["expected"][[*columns, "range_low", "range_high"]] = float("nan")
    text = page_one(clinic_page.build(settings, READY, hidden, [], rules)[0])
    assert "The change in headache days cannot be shown: too few people." in text
    assert "This cannot be shown: too few people." in text
    assert "beyond" not in text and "in 10" not in text


# ---- doubts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*TRAPS, "one therapist"])
def test_a_flag_is_seen_on_page_one_with_the_way_to_its_section(name: str) -> None:
    page, out, _ = built(name)
    text, ids = page_one(page), set(re.findall(r'\bid="([^"]+)"', page))
    if name == "one therapist":
        assert out["funnel"]["flag"].sum() == 1
        sentence, href = (
            "The results of one therapist differ from those of the others.",
            "#table-funnel",
        )
    else:
        assert out["traps"].query("flagged")["id"].tolist() == [TRAPS[name]]
        sentence, href = t(clinic_answer._DOUBTS[TRAPS[name]]), "#traps"
    assert f"Careful: {sentence}" in text
    assert href[1:] in ids
    assert f'{sentence} <a href="{href}">' in page
    assert text.count("But see the warning: the records may mislead.") == 2


@pytest.mark.parametrize("name", ["demo", "effect", "null", "no earlier window"])
def test_a_clinic_without_a_flag_has_no_doubt_on_page_one(name: str) -> None:
    page, out, _ = built(name)
    assert not out["traps"]["flagged"].any() and not out["funnel"]["flag"].any()
    assert "Careful" not in page_one(page) and 'class="doubts"' not in page


def test_every_trap_has_its_words() -> None:
    assert set(clinic_answer._DOUBTS) == set(IDS)


def test_zeros_for_which_a_clinic_is_refused_are_a_doubt_too() -> None:
    status = {"name": "x", "state": "refused", "problems": [PROBLEM]}
    found = empty_audit(status["problems"])
    assert found["traps"]["flagged"].tolist() == [True]
    rules = PRESETS["opensafely"]
    out = disclosure.release({n: found[n] for n in disclosure.RULES}, rules)
    page, _ = clinic_page.build(config.name_clinic("x"), status, out, [], rules)
    assert t(clinic_answer._DOUBTS["zero_coded_missing"]) in page
    assert not len(empty_audit()["traps"])


# ---- before treatment ----------------------------------------------------------------------------


def test_the_page_says_what_the_benchmark_holds() -> None:
    page, out, _ = built("demo")
    for sentence in explain_benchmark(out["benchmark"]):
        assert f"<p>{say(sentence)}</p>" in page
    none = {**out, "benchmark": out["benchmark"].query("block == 'clinic'")}
    settings, _, rules = released("demo")
    page, _ = clinic_page.build(settings, READY, none, [], rules)
    assert "No published arm with a similar time, unit and condition was found." in page


def test_the_checks_before_treatment_are_on_the_page() -> None:
    page, out, _ = built("effect")
    checks = out["checks"][out["checks"]["outcome"] == "frequency"].set_index("id")
    for id in ("baseline_trend", "oldham"):
        assert say(checks.loc[id, "label"]) in page
        assert formats.interval(checks.loc[id].to_dict()) in page
    # People come when it has got worse, and half of the rise is expected to go again.
    assert checks.loc["baseline_trend", "estimate"] > 0
    assert out["expected"].set_index("source").loc["both_windows", "expected"] < 0


# ---- verdicts that none of the clinics above gets ------------------------------------------------


def rewrite(expected: pd.DataFrame) -> tuple[str, list[str]]:
    """Write page one of the clinic without an earlier window, with another table `expected`."""
    settings, _ = scenario("real_effect", 150, 1, False)
    _, out, _ = built("no earlier window")
    rules = PRESETS[settings.disclosure]
    page, _ = clinic_page.build(settings, READY, {**out, "expected": expected}, [], rules)
    return page_one(page), re.findall(r"<strong>(.*?)</strong>", page)


def test_further_by_one_window_alone_is_not_beyond() -> None:
    table = built("no earlier window")[1]["expected"].assign(diff_ci_high=-0.5, beyond=True)
    assert read_verdict(table).kind == "not_recorded"
    text, leads = rewrite(table)
    assert leads[1] == "We cannot tell how much of the fall would have happened without treatment."
    assert "beyond what would be expected" not in text
    assert "judged if half of these people, and at least 20, had noted" in text
    assert "The records do not go back far enough to show whether people came because they" in text
    assert max(grade(text)) <= 7


def test_without_any_source_no_part_is_put_down_to_treatment() -> None:
    table = built("no earlier window")[1]["expected"]
    for other in (table.iloc[:0],):
        text, leads = rewrite(other)
        assert leads[1].startswith("Nothing here shows how much people would have changed")
        assert "So no part of the change can be put down to treatment." in text
        assert "beyond" not in text and max(grade(text)) <= 7


def test_a_rise_is_a_rise() -> None:
    settings, _ = scenario("real_effect", 150, 1, False)
    _, out, _ = built("no earlier window")
    cohort = out["cohort"].copy()
    change = cohort["primary"] & (cohort["statistic"] == "change_mean")
    cohort.loc[change, ["estimate", "ci_low", "ci_high"]] = [2.0, 1.0, 3.0]
    rules = PRESETS[settings.disclosure]
    text = page_one(clinic_page.build(settings, READY, {**out, "cohort": cohort}, [], rules)[0])
    assert "rose from" in text and "fell from" not in first_answer(text)
    assert "We cannot tell how much of the rise would have happened without treatment." in text
    assert "A rise was seen: 2.0 (1.0 to 3.0)." in text


def test_what_chance_would_explain_is_no_fall() -> None:
    settings, out, rules = released("kostecki_dillon_1999")
    page, _ = clinic_page.build(settings, READY, out, [], rules)
    assert verdicts(page) == {"frequency": "not_recorded"}
    text = page_one(page)
    assert "No fall larger than chance could explain was seen: −0.1 (−2.1 to 1.8)." in text
    assert "beyond" not in text and "A fall" not in text


def test_a_hidden_source_does_not_take_the_range_of_the_others_along() -> None:
    expected = built("effect")[1]["expected"]
    whole = clinic_figures._read_range(expected)
    assert whole is not None
    hidden = expected.copy()
    numbers = ["change", "expected", "difference", "diff_ci_low", "diff_ci_high"]
    hidden.loc[hidden["source"] == "earlier", numbers] = float("nan")
    assert clinic_figures._read_range(hidden) == whole
    assert clinic_figures._read_range(expected.iloc[:0]) is None


# ---- settings that are not the defaults ----------------------------------------------------------


def test_settings_that_are_not_the_defaults_stand_on_page_one() -> None:
    settings, out, rules = released("demo")
    assert 'id="departures"' not in built("demo")[0]
    rule = replace(
        settings.expected,
        population_means=(15,),
        retest=0.987,
        source="our own guess",
        leave_out=("Trial 2000",),
    )
    named = {**settings.windows.named, "post": Window(from_=84, to=111, label="later", min_days=5)}
    changed = replace(
        settings,
        expected=rule,
        min_duration_h=4,
        windows=replace(settings.windows, named=named, min_days=14),
    )
    for language, number in (("en", "0.987"), ("de", "0,987"), ("es", "0,987")):
        page, _ = clinic_page.build(replace(changed, language=language), READY, out, [], rules)
        lines = dict(re.findall(r"<li><code>(.*?)</code>: (.*?)</li>", page))
        assert set(lines) == {
            "expected.population_means",
            "expected.retest",
            "expected.leave_out",
            "min_duration_h",
            "windows.min_days",
            "windows.named.post",
        }
        assert lines["expected.retest"].startswith(number)
        assert "our own guess" in lines["expected.population_means"]
        assert "our own guess" not in lines["expected.retest"]
        assert "84" in lines["windows.named.post"] and "111" in lines["windows.named.post"]
        assert "Trial 2000" in lines["expected.leave_out"]
