"""Twelve clinics with groups of one to seven people, against what an adversary can learn.

He has every table, page, figure and notebook, and has taken other clinics through the program.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import replace
from functools import cache
from html import escape
from pathlib import Path
from tempfile import mkdtemp
from unittest.mock import patch

import pandas as pd
import pytest
from matplotlib.text import Text

from headway import tables
from headway.disclosure import PRESETS, Preset, choose_preset, release
from headway.figures import theme
from headway.figures.clinic import draw
from headway.figures.clinic.brief import draw_brief
from headway.figures.theme import Saved
from headway.report.clinic import page
from headway.report.clinic.brief import write_brief
from headway.report.clinic.brief_pages import write_html
from tests.conftest import ROOT
from tests.unit import disclosure_attack_text as reader
from tests.unit.disclosure_attack import Learned, attack
from tests.unit.disclosure_attack_text import Printed, Texts
from tests.unit.disclosure_attack_values import learn
from tests.unit.notebook_runner import run_notebook
from tests.unit.small_clinics import SMALL, small_clinic

ALL = range(len(SMALL))
AUDIT = ROOT / "notebooks" / "audit_a_clinic.ipynb"
STATUS = {"name": "clinic", "state": "ready", "problems": []}
# Of each preset the language of its pages, and of how many clinics they are read.
SPOKEN = {"opensafely": ("en", ALL), "cms": ("es", range(6))}


@cache
def learned() -> Learned:
    """Learn from the tables of all clinics which cells always agree, or add up."""
    return learn([small_clinic(i)[1] for i in ALL])


@cache
def released(i: int, preset: str) -> dict[str, pd.DataFrame]:
    return release(small_clinic(i)[1], choose_preset(preset))


@pytest.mark.parametrize("preset", ["opensafely", "cms"])
@pytest.mark.parametrize("clinic", ALL)
def test_tables_give_no_small_number_away(clinic: int, preset: str) -> None:
    """Exact counts did, also where only those up to 10 were hidden; so they are rounded."""
    found, rules = small_clinic(clinic)[1], choose_preset(preset)
    assert rules.round_to == 5
    adversary = attack(released(clinic, preset), found, rules, learned())
    assert len(adversary.targets()) > 1000
    assert adversary.run(clinic) == {}


def test_nhs_prints_what_opensafely_prints() -> None:
    nhs = release(small_clinic(0)[1], choose_preset("nhs"))
    for name, table in released(0, "opensafely").items():
        pd.testing.assert_frame_equal(table, nhs[name])
    same = replace(PRESETS["nhs"], name="opensafely", source=PRESETS["opensafely"].source)
    assert same == PRESETS["opensafely"]


def test_whatever_hides_small_counts_rounds_the_others() -> None:
    for name, rules in PRESETS.items():
        used = choose_preset(name)
        assert (used.name, used.redact_up_to) == (rules.name, rules.redact_up_to)
        assert used.round_to == (1 if rules.open else 5)


def test_people_asked_are_hidden_in_every_table() -> None:
    """60 of 63 were asked: the number is hidden in safety, and so in claims."""
    found = small_clinic(2)[1]
    out = release(found, PRESETS["cms"])  # as it stands, without rounding
    key = {"harm": "soreness", "group": "all", "per": "patient", "statistic": "share"}
    asked = found["safety"].query("reported == 'asked'")
    for column, value in key.items():
        asked = asked[asked[column] == value]
    assert asked["n"].tolist() == [60.0]
    assert out["safety"].loc[asked.index, "n"].isna().all()
    assert out["claims"].loc[out["claims"]["part"] == "soreness", "patients"].isna().all()


# What is written: pages, figures, notebooks


def show(i: int, shown: dict[str, pd.DataFrame], rules: Preset, language: str) -> dict[str, Texts]:
    """Write page, brief, figures and notebook of a clinic; the numbers in them, by surface."""
    clinic = replace(small_clinic(i)[0], disclosure=rules.name, synthetic=False, language=language)
    drawings = draw.draw_clinic(shown, clinic, rules) | draw_brief(shown, clinic, rules)
    saved, words = [], []
    for name, d in drawings.items():
        drawn = " ".join(f"<!--{t.get_text()}-->" for t in d.figure.findobj(Text))
        tips = "".join(
            f"<li>{escape(x)}</li>" for own in theme._TIPS.get(d.figure, ()) for x in own
        )
        words.append(f"<p>{d.title}</p><p>{d.alt}</p>{drawn}{tips}")
        saved.append(Saved(name, d.title, d.alt, d.caption, "", d.wide))
    html, card = page.build(clinic, STATUS, shown, saved, rules)
    brief = write_html(write_brief(clinic, STATUS, shown, rules), saved)
    folder = Path(mkdtemp())
    with patch("headway.tables.files.validate"):  # they are valid: `release` looked
        for name in tables.RELEASED:
            tables.write_csv(shown[name], folder / "results/clinics/demo" / f"{name}.csv")
        said = run_notebook(AUDIT, ROOT / "data", folder / "results")
    return {
        "page": reader.read_page(html),
        "card": reader.read_words("card", [escape(json.dumps(card, ensure_ascii=False))]),
        "brief": reader.read_page(brief, "brief"),
        "figures": reader.read_words("figure", words),
        "notebook": reader.read_words("notebook", said),
    }


@cache
def texts(i: int, preset: str) -> dict[Hashable, Printed]:
    """List every number of the surfaces of a clinic, and what it says."""
    language, rules = SPOKEN[preset][0], choose_preset(preset)
    printed, true = (
        {place: v for numbers in made.values() for place, v in numbers.items()}
        for made in (
            show(i, released(i, preset), rules, language),
            show(i, small_clinic(i)[1], PRESETS["internal"], language),
        )
    )
    return reader.enter(printed, true, rules)


@pytest.mark.parametrize("preset", SPOKEN)
def test_page_figures_and_notebook_give_no_small_number_away(preset: str) -> None:
    _, some = SPOKEN[preset]
    found = [small_clinic(i)[1] for i in some]
    lesson = learn(found, [reader.list_true(texts(i, preset)) for i in some])
    both = [s for s in lesson[0] if {n[0] for n in s} > {"cell"}]  # type: ignore[index]
    assert len(both) > 20  # which numbers of a text are which counts is learned
    for i in some:
        read = texts(i, preset)
        adversary = attack(released(i, preset), found[i], choose_preset(preset), lesson, read)
        assert len(adversary.texts) > 2500
        assert adversary.run(i) == {}, SMALL[i]


# What the net is there to catch


def plant(surface: str, number: float) -> Texts:
    """Write a number into a sentence of a surface."""
    sentence = f"In these records {number:.0f} people got worse."
    if surface == "page":
        return reader.read_page(f"<h2>Flow</h2><p>{sentence}</p>")
    return reader.read_words(surface, [f"<!--{sentence}-->" if surface == "figure" else sentence])


@pytest.mark.parametrize("surface", ["page", "figure", "notebook"])
def test_a_number_that_is_written_and_not_released_is_recovered(surface: str) -> None:
    preset = "opensafely"
    rules = choose_preset(preset)
    key = {"outcome": "frequency", "comparison": "primary", "group": "all"}
    at = "worsened_30"

    def worse(frame: pd.DataFrame) -> float:
        own = frame[(frame[list(key)] == list(key.values())).all(axis=1)]
        return float(own.set_index("statistic").loc[at, "count"])

    told = {i: worse(small_clinic(i)[1]["cohort"]) for i in ALL}
    few = [i for i in ALL if rules.hides(told[i])]
    assert len(set(told.values())) >= 3 and few
    written = {i: reader.enter(plant(surface, n), {}, rules) for i, n in told.items()}
    lesson = learn([small_clinic(i)[1] for i in ALL], [reader.list_true(written[i]) for i in ALL])
    i = few[0]
    assert pd.isna(worse(released(i, preset)["cohort"]))
    found = attack(released(i, preset), small_clinic(i)[1], rules, lesson, written[i]).run(i)
    assert told[i] in {low for low, _ in found.values()}
