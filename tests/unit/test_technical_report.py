"""The technical report: a section is there only if these records give it something to say."""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headway import config, disclosure, tables
from headway.config.clinic import Clinic
from headway.figures import theme
from headway.figures.clinic.change import MOST_LINES, draw_change
from headway.figures.clinic.draw import draw_clinic
from headway.figures.theme import Saved
from headway.ingest import clinics
from headway.messages import LANGUAGES, t, write_integer
from headway.outcomes import audit
from headway.outcomes.change import cohort
from headway.report.clinic import page as clinic_page
from headway.report.clinic.expectation import list_sensitivity
from headway.report.clinic.tables import make_table
from headway.report.drawings import share_letters
from headway.report.render import LONG
from tests.unit.clinic_builder import DIARY, write_clinic
from tests.unit.pages_builder import READY
from tests.unit.simulated_clinic import arms, simulated

PEOPLE = 24
SMALL = {
    "bootstrap": {"replicates": 200, "seed": 1},
    "sensitivity": {"imputations": 2, "cycles": 2},
}
ALWAYS = ["Who and what is counted", "The change in every form", "Who improved and who got worse"]
EXPECTED = "What would be expected without treatment"
MISSING, WAYS = "What missing days and people could do", "Other ways of counting"
OTHERS, TIME = "Other outcomes and other times", "Over time"
CARE, GROUPS, SCORES = "Techniques, places and people", "Groups of people", "Questionnaires"
HARMS, FEES = "Soreness and harms", "Time and fees"
CLAIMS = "What patients are told"
LAST = ["How to read this", "Definitions and methods"]


def write_csv(head: str, rows: Any) -> str:
    return "\n".join([head, *(",".join(map(str, row)) for row in rows), ""])


def write_days(first: int, last: int) -> str:
    """Write a diary: about half of the days before treatment have headache, a third after it."""
    rng = np.random.default_rng(4)
    rows = [
        (f"P{i:02}", day, int(rng.random() < (0.5 if day < 0 else 0.33)))
        for i in range(PEOPLE)
        for day in range(first, last)
    ]
    return write_csv("code,day,headache", rows)


def recall_only(folder: Path) -> Path:
    """What people said at each visit, and nothing else."""
    visits = [
        (f"P{i:02}", day, days)
        for i in range(PEOPLE)
        for day, days in ((0, 12 + i % 5), (7, ""), (84, 8 + i % 7))
        if not (day == 84 and i < 4)
    ]
    columns = {"patient_id": "code", "day": "day", "headache_days_28": "days"}
    spec = {"sessions": {"path": "visits.csv", "columns": columns}}
    return write_clinic(folder, {"visits.csv": write_csv("code,day,days", visits)}, spec, **SMALL)


def attacks_only(folder: Path) -> Path:
    """A log of attacks of people whose diaries were open for sixteen weeks."""
    rng = np.random.default_rng(7)
    rows = [
        (f"P{i:02}", day, 8, 5)
        for i in range(PEOPLE)
        for day in range(-28, 84)
        if rng.random() < (0.4 if day < 0 else 0.25)
    ]
    people = [(f"P{i:02}", -28, 83) for i in range(PEOPLE)]
    files = {
        "log.csv": write_csv("code,day,start,hours", rows),
        "people.csv": write_csv("code,from,to", people),
    }
    names = {"patient_id": "code", "day": "day", "start_hour": "start", "duration_hours": "hours"}
    spec = {
        "attacks": {"path": "log.csv", "columns": names},
        "patients": {
            "path": "people.csv",
            "columns": {"patient_id": "code", "diary_from": "from", "diary_to": "to"},
        },
    }
    return write_clinic(folder, files, spec, course={"start": 0}, **SMALL)


def two_columns(folder: Path) -> Path:
    """One answer before and one after: headache days, and a questionnaire."""
    rows = [(f"P{i:02}", 12 + i % 5, 8 + i % 7, 62 + i % 4, 56 + i % 6) for i in range(PEOPLE)]
    wide = [
        {"column": column, "window": window, "outcome": outcome, "unit": unit}
        for outcome, unit, pair in (
            ("frequency", "days_per_28", ("before", "after")),
            ("hit6", "score", ("hit_before", "hit_after")),
        )
        for window, column in zip(("baseline", "post"), pair, strict=True)
    ]
    spec = {"windows": {"path": "w.csv", "columns": {"patient_id": "code"}, "wide": wide}}
    head = "code,before,after,hit_before,hit_after"
    return write_clinic(folder, {"w.csv": write_csv(head, rows)}, spec, **SMALL)


def diary_only(folder: Path) -> Path:
    """A diary from eight weeks before treatment on, and no session."""
    files = {"diary.csv": write_days(-56, 84)}
    return write_clinic(folder, files, {"diary": DIARY}, course={"start": 0}, **SMALL)


def take(folder: Path) -> tuple[Clinic, dict[str, pd.DataFrame]]:
    """Take a clinic from its raw files to its tables."""
    clinic, out = config.load_clinic(folder), folder.parent / "out"
    flow = clinics.ingest_clinic(folder, clinic, out).as_flow()
    found = audit.audit_clinic(out, clinic, arms())
    found["flow"] = cohort.join_flow(tables.conform("flow", pd.DataFrame(flow)), found["flow"])
    return clinic, found


@cache
def built(name: str) -> str:
    """Write the page of a clinic, its figures without their outlines."""
    make = {f.__name__: f for f in (recall_only, attacks_only, two_columns, diary_only)}
    if name in make:
        clinic, found = take(make[name](Path(mkdtemp()) / "clinic"))
    else:
        clinic, found = simulated(60, 2)
    rules = disclosure.PRESETS[clinic.disclosure]
    out = disclosure.release({n: found[n] for n in disclosure.RULES}, rules)
    drawn = draw_clinic(out, clinic, rules)
    saved = [Saved(n, d.title, d.alt, d.caption, "<svg/>", d.wide) for n, d in drawn.items()]
    return clinic_page.build(clinic, READY, out, saved, rules)[0]


def headings(page: str) -> list[str]:
    return [unescape(h) for h in re.findall(r'<summary><h2 id="head-[^"]+">(.*?)</h2>', page)]


def read(page: str) -> str:
    page = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


HEADINGS = {
    "recall_only": [*ALWAYS, EXPECTED, MISSING, WAYS, OTHERS, GROUPS, *LAST],
    "attacks_only": [*ALWAYS, EXPECTED, MISSING, WAYS, OTHERS, GROUPS, *LAST],
    "two_columns": [*ALWAYS, EXPECTED, WAYS, OTHERS, GROUPS, *LAST],
    "diary_only": [*ALWAYS, EXPECTED, MISSING, WAYS, OTHERS, GROUPS, *LAST],
    "everything": [
        *ALWAYS, EXPECTED, MISSING, WAYS, OTHERS, SCORES, TIME, CARE, HARMS, FEES, CLAIMS, *LAST,
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", HEADINGS)
def test_a_page_has_the_sections_that_its_records_fill(name: str) -> None:
    assert headings(built(name)) == HEADINGS[name]


@pytest.mark.parametrize("name", HEADINGS)
def test_every_section_holds_a_table_a_figure_or_definitions(name: str) -> None:
    page = built(name)
    for part in re.findall(r'<details class="part">.*?</section>', page, re.DOTALL):
        assert re.search(r"<td|<figure|<dd>|<li>", part), part[:200]
    # Links lead somewhere, and none of them into a section that is not there.
    ids = set(re.findall(r'\bid="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= ids


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("recall_only", ["days without an entry", "Headache index", "trigger point"]),
        ("attacks_only", ["Day 0", "claims", "fees", "trigger point treatment"]),
        (
            "two_columns",
            [
                "days without an entry", "A day without an entry", "Hit6", "hit6",
                "Complete window", "those who get one technique",
                "Day 0", "lost to follow-up compared", "what makes a headache day", "claims.csv",
                "Intensity, duration", "no one with", "nobody at risk",
            ],
        ),
        ("diary_only", ["Day 0", "fees", "soreness", "Intensity, duration", "Relapse"]),
    ],
)  # fmt: skip
def test_no_sentence_speaks_of_what_is_not_there(name: str, absent: list[str]) -> None:
    text = read(built(name))
    assert [word for word in absent if word in text] == []


def test_a_questionnaire_has_the_name_that_its_owners_write() -> None:
    assert "HIT-6: 4 weeks before treatment v weeks 9 to 12" in read(built("two_columns"))


def test_where_everyone_was_measured_again_nothing_is_said_to_be_missing() -> None:
    text = read(built("two_columns"))
    assert "Everyone who started was measured again." in text
    assert "Nothing is known about" not in text
    assert "Nothing is known about the people who were not measured again." in read(
        built("recall_only")
    )


# ---- long tables ---------------------------------------------------------------------------------


def test_tables_of_more_than_thirty_rows_sort_and_no_others() -> None:
    page = built("everything")
    found = re.findall(r'<div class="scroll"([^>]*)>.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert len(found) > 15
    long = ["data-tools=" in more for more, _ in found]
    assert long == [body.count("<tr") > LONG for _, body in found]
    assert any(long)


def test_every_way_to_count_is_a_figure_and_a_file_and_no_table() -> None:
    page = built("everything")
    assert page.count("<figure") > 8
    assert '<a href="specifications.csv">' in page
    assert "Every way of counting the primary change" not in page


# ---- figures -------------------------------------------------------------------------------------


def draw_lines(people: int, **more: Any) -> theme.Drawing:
    """Draw a change with a line for each of so many people."""
    rng = np.random.default_rng(1)
    pre = rng.uniform(8, 20, people)
    lines = pd.DataFrame({"pre": pre, "post": pre + rng.normal(-3, 4, people)})
    means = pd.DataFrame(
        {
            "order": [0, 1],
            "label": ["before", "after"],
            "mean": [14.0, 11.0],
            "ci_low": [13.0, 10.0],
            "ci_high": [15.0, 12.0],
            "n": [float(people)] * 2,
            "redacted": [False, False],
        }
    )
    bins = pd.DataFrame(
        {"bin_low": [-4.0, 0.0], "bin_high": [0.0, 4.0], "n": [30.0, 10.0], "redacted": [False] * 2}
    )
    change = {"unit": "days_per_28", "redacted": False, "estimate": -3.0, "ci_low": -4.0}
    change |= {
        "ci_high": -2.0,
        "n": float(people),
        "of": float(people),
        "comparison_label": "a v b",
    }
    return draw_change(means, bins, lines, change, "headache days", **more)


def count_thin(drawing: theme.Drawing) -> int:
    return sum(line.get_linewidth() == 0.6 for line in drawing.figure.axes[0].get_lines())


def test_beyond_two_hundred_people_a_sample_is_drawn_and_said_to_be_one() -> None:
    few, many = draw_lines(MOST_LINES), draw_lines(20_000)
    assert count_thin(few) == count_thin(many) == 200
    assert "thin lines are people" in few.caption
    assert "thin lines are 200 of 20 000 people, evenly spread over their changes." in many.caption
    changes = [np.diff(line.get_ydata())[0] for line in many.figure.axes[0].get_lines()
               if line.get_linewidth() == 0.6]  # fmt: skip
    assert np.mean(changes) == pytest.approx(-3, abs=0.2)
    assert np.std(changes) == pytest.approx(4, abs=0.4)


def test_marks_say_their_numbers_at_the_pointer(tmp_path: Path) -> None:
    (saved,) = theme.save({"change": draw_lines(50)}, tmp_path)
    titles = [unescape(x) for x in re.findall(r"<title>(.*?)</title>", saved.svg)]
    assert "after: 11.0 (10.0 to 12.0), n 50" in titles
    assert "−4 to 0: n 30" in titles
    assert len(titles) == 4
    assert saved.svg.count("<title") == 5  # the figure's own


def test_a_tooltip_is_text(tmp_path: Path) -> None:
    from headway.figures.theme import Drawing, new_figure, tip

    figure = new_figure(3, 2)
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    (line,) = axes.plot([0, 1], [0, 1], marker="o")
    tip(axes, line, ["</title><script>x</script>", "b & c"])
    (beyond,) = axes.plot([0, 9], [0, 9], marker="o")
    tip(axes, beyond, ["one", "two", "three"])  # more texts than marks: none is shown
    (saved,) = theme.save({"f": Drawing(figure, "T", "A", "C")}, tmp_path)
    assert "<script" not in saved.svg and "b &amp; c" in saved.svg
    assert "&lt;/title&gt;&lt;script&gt;" in saved.svg
    assert "three" not in saved.svg


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_value_with_its_limits_is_written_in_every_language(language: str) -> None:
    from headway.messages import speaking

    with speaking(language):
        text = theme.say_value(12.4, 10.7, 14.1, 75)
        hidden = theme.say_value(12.4, 10.7, 14.1, float("nan"))
    assert (
        text
        == {
            "en": "12.4 (10.7 to 14.1), n 75",
            "es": "12,4 (10,7 a 14,1), n 75",
            "de": "12,4 (10,7 bis 14,1), n 75",
        }[language]
    )
    assert "75" not in hidden and hidden.startswith(text[:10])


def test_letters_of_several_figures_are_written_once_and_found(tmp_path: Path) -> None:
    saved = theme.save({"one": draw_lines(30), "two": draw_lines(40)}, tmp_path)
    shared, letters = share_letters(saved)
    defined = re.findall(r'<path id="(DejaVuSans[^"]*)"', letters)
    assert len(defined) == len(set(defined)) > 20
    for before, after in zip(saved, shared, strict=True):
        used = set(re.findall(r'href="#(DejaVuSans[^"]*)"', after.svg))
        assert used and used <= set(defined)
        assert f'"{after.id}-DejaVuSans' not in after.svg
        assert after.svg.count("<use") == before.svg.count("<use")
    assert share_letters([]) == ([], "")


def test_where_nothing_is_unknown_the_lost_have_no_rows() -> None:
    ids = ["complete_pairs", "baseline_carried_forward", "bound_low", "bound_high", "tipping_mean"]
    frame = pd.DataFrame({"outcome": "frequency", "id": [*ids, "gee_binomial"], "estimate": -1.6})
    frame = frame.assign(ci_low=np.nan, ci_high=np.nan, interval="", n=24, of=24)
    frame = frame.assign(unit="days_per_28", note="", redacted=False, label=frame["id"])
    (made,) = list_sensitivity(frame, disclosure.PRESETS["public"])
    assert [row["cells"][0] for row in made["rows"]] == ["complete_pairs", "gee_binomial"]
    frame.loc[2, "estimate"] = -3.0
    (made,) = list_sensitivity(frame, disclosure.PRESETS["public"])
    assert len(made["rows"]) == 6


def test_counts_of_thousands_are_written_in_one_way() -> None:
    assert t("brief.people_started", n=20000) == f"{write_integer(20000)} people started here."
    assert theme.say_value(1.0, 0.5, 1.5, 13346) == f"1.0 (0.5 to 1.5), n {write_integer(13346)}"


def test_a_remark_that_all_rows_share_stands_once() -> None:
    heads = ["change.n", "answer.remark"]
    made = make_table("c", heads, [["1", "so it is"], ["2", "so it is"]])
    assert [row["cells"] for row in made["rows"]] == [["1"], ["2"]]
    assert made["note"] == "So it is." and len(made["heads"]) == 1
    made = make_table("c", heads, [["1", "–"], ["2", "–"]])
    assert made["note"] == "" and len(made["heads"]) == 1  # an empty column is none
    made = make_table("c", heads, [["1", "–"], ["2", "but here"]])
    assert made["note"] == "" and len(made["heads"]) == 2
