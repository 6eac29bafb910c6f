"""The page and the figures of a review in every language: no sentence of English is left."""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from matplotlib.text import Text

from headway import config, messages
from headway.figures.review.draw import draw_review
from headway.figures.theme import Saved
from headway.ingest import trials
from headway.messages import LANGUAGES, speaking
from headway.report.review import page as report
from headway.reviews.analyse import analyse_review
from headway.tables.risk_tools import RISK_TOOLS
from tests.unit.review_builder import write_review

OTHERS = [language for language in LANGUAGES if language != "en"]
HEAD = (
    "trial,year,arm,role,technique,comparator,outcome,unit,timepoint,time_days,kind,n,mean,sd,"
    "events,status,source,zqdose,subgroup\n"
)
TRIALS = [f"Zq{i} {2001 + i}" for i in range(11)]
# What the review's own people typed, all of it words of no language.
TYPED = ("zqtitle", "zqmain", "zqevents", "zqwithin", "zqsingle", "zqpop", "zqsup", "zqdays")


def write_arms() -> str:
    rows = []
    for i, name in enumerate(TRIALS):
        for role, arm in (("treatment", "zqx"), ("control", "zqy")):
            kind = "manual," if role == "treatment" else ",usual_care"
            head = f"{name},{2001 + i},{arm},{role},{kind}"
            tail = f"{'recalled' if i == 9 else 'retrieved'},zqsource,zq{i},zq{'ab'[i % 2]}"
            mean = 12 - (3 + i % 4) * (role == "treatment")
            rows += [
                f"{head},frequency,days_per_28,zqtime,84,final,{30 + i},{mean}.3,4.1,,{tail}",
                f"{head},frequency,days_per_28,zqbefore,0,final,{30 + i},13.{i % 10},4.0,,{tail}",
            ]
            count = 0 if i == 3 else 4 + i % 3 + 5 * (role == "control")
            rows.append(f"{head},pain,participants,zqtime,84,events,{30 + i},,,{count},{tail}")
    return HEAD + "\n".join(rows) + "\n"


def write_risk() -> str:
    rows = ["trial,tool,domain,judgement,outcome,support,signed_by"]
    for i, name in enumerate(TRIALS):
        tool = list(RISK_TOOLS)[i % 3]
        kit = RISK_TOOLS[tool]
        for j, domain in enumerate(kit.domains):
            level = list(kit.levels)[(i + j) % len(kit.levels)]
            rows.append(f"{name},{tool},{domain},{level},,zqsup,ZQ")
    return "\n".join(rows) + "\n"


def compare(id: str, **more: Any) -> dict[str, Any]:
    one = {"id": id, "label": f"zq{id}", "outcome": "frequency", "estimand": "between_arm"}
    return one | {"measure": "MD"} | more


@cache
def analyse(folder: Path) -> tuple[Any, dict[str, Any], list[dict[str, Any]]]:
    made = write_review(
        folder,
        {"arms.csv": write_arms(), "rob.csv": write_risk()},
        {"arms": {"path": "arms.csv"}, "risk_of_bias": {"path": "rob.csv"}},
        title="zqtitle",
        question={"population": "zqpop", "intervention": "zqpop"},
        outcomes={
            "frequency": {"unit": "days_per_28", "label": "zqdays"},
            "pain": {"unit": "participants", "label": "zqdays"},
        },
        comparisons=[
            compare("main", subgroup_by="subgroup"),
            compare("events", outcome="pain", measure="RR"),
        ],
        published=[
            {
                "id": "one",
                "label": "zqlabel",
                "estimate": "-4.5",
                "ci": ["-9.0", "-3.0"],
                "source": "zqsource",
                "recompute": {"comparison": "main"},
            }
        ],
        forest={"columns": ["zqdose"]},
        flow={"databases": 90, "screened": 80, "studies": 11, "source": "zqsource"},
        findings=[
            {
                "comparison": "events",
                "subgroup": "overall",
                "certainty": "low",
                "signed_by": "ZQ",
                "meaningful": {"value": 0.1, "source": "zqsource"},
            },
        ],
    )
    review = config.load_review(made)
    read = trials.read_review(made, review)
    found = analyse_review(read.arms, read.contrasts, read.published, review, read.risk_of_bias)
    own = {n: getattr(read, n) for n in ("arms", "contrasts", "published", "risk_of_bias")}
    return review, found | own, []


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, list[str]]]:
    """The page and the texts of its figures, by language."""
    from dataclasses import replace

    folder = tmp_path_factory.mktemp("reviews")
    review, tables, problems = analyse(folder / "rev")
    status = {"state": "ready", "name": "rev", "problems": problems}
    out = {}
    for language in LANGUAGES:
        with speaking(language):
            drawn = draw_review(tables, review)
            texts = [
                x.get_text().replace("\n", " ")
                for one in drawn.values()
                for x in one.figure.findobj(Text)
                if x.get_visible()
            ]
            saved = [Saved(n, d.title, d.alt, d.caption, "<svg/>") for n, d in drawn.items()]
            texts += [text for one in saved for text in (one.title, one.alt, one.caption)]
        page, card = report.build(replace(review, language=language), status, tables, saved)
        assert f'<html lang="{language}">' in page
        # The index is in English, the command line speaks as the page does.
        assert "reproduced" in card["verdicts"]
        for line in card["page_one"]:
            assert line in unescape(page), (language, line)
        out[language] = (page, texts)
    return out


def list_sentences(page: str, texts: list[str]) -> set[str]:
    """List what a reader, a screen reader or a pointer at rest meets, without typed words."""
    page = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.DOTALL)
    # Raw rows carry the columns and the codes of their files.
    page = re.sub(r'<h2 id="rows">.*?</section>', " ", page, flags=re.DOTALL)
    named = re.findall(r'(?:aria-label|title|alt|data-[a-z]+)="([^"]*)"', page)
    parts = [unescape(x).strip() for x in (*re.split(r"<[^>]+>", page), *named, *texts)]
    return {part for part in parts if re.search(r"[A-Za-z]{3}", part) and not is_own(part)}


def is_own(part: str) -> bool:
    """Whether a text is made of typed words, files, numbers and codes of measures alone."""
    left = re.sub(r"\b[zZ][qQ]\w*|\w+\.(csv|R)\b", "", part)
    left = re.sub(r", final\b|Subtotal|Hartung–Knapp", "", left)
    left = re.sub(r"RoB 2|ROBINS-I|SMD|PRISMA 2020|REML|DerSimonian–Laird \(DL\)", "", left)
    return not re.search(r"[A-Za-z]{3}", left)


# The same word in both languages.
SAME = {
    "es": {"normal"},
    "de": {"Population", "Intervention", "Screening"},
}


@pytest.mark.parametrize("language", OTHERS)
def test_no_sentence_of_the_english_page_is_on_another(
    built: dict[str, tuple[str, list[str]]], language: str
) -> None:
    english, other = (list_sentences(*built[one]) for one in ("en", language))
    assert len(english) > 150
    assert english & other <= SAME[language]


@pytest.mark.parametrize("language", OTHERS)
def test_domains_and_levels_of_every_tool_are_named(
    built: dict[str, tuple[str, list[str]]], language: str
) -> None:
    page, _ = built[language]
    entries = messages.entries()
    for kit in RISK_TOOLS.values():
        levels = [level.label for level in kit.levels.values()]
        for id in (*kit.domains.values(), *levels):
            assert entries[id][language] in unescape(page), id
            assert entries[id]["en"] != entries[id][language], id
