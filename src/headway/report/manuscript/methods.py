"""The methods paragraph of a review, from what it declares and what its tables hold.

A sentence stands only where the review declares what it says, or its tables show that it was
done. What nobody can know but the authors is a gap in brackets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from headway.ingest.trials.figures import count_transcribed
from headway.messages import is_missing, say, t, term
from headway.report.manuscript.references import cite, load_works
from headway.reviews.candidates import ANY_DAY
from headway.reviews.effects_table import ASSUMED
from headway.reviews.totals import describe_row
from headway.tables.risk_tools import RISK_TOOLS
from headway.version import describe

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Review
    from headway.report.manuscript.references import Work

OWN, WITHOUT_HIGH = "own", "without_high_risk"
# What a choice stands on.
_ESTIMATORS = {
    "DL": ("dersimonian_1986",),
    "HE": ("hedges_1985",),
    "HS": ("schmidt_2015",),
    "HSk": ("brannick_2019",),
    "SJ": ("sidik_2005",),
    "ML": ("hardy_1996",),
    "REML": ("viechtbauer_2005",),
    "EB": ("morris_1983",),
    "PM": ("paule_1982",),
}
_TESTS = {
    "knha": ("hartung_2001", "inthout_2014"),
    "adhoc": ("hartung_2001", "inthout_2014", "rover_2015"),
    "kr": ("kenward_1997",),
    "cr2": ("pustejovsky_2018",),
}
_MEASURES = {
    **dict.fromkeys(("SMD", "SMDH", "SMD1", "SMD1H"), ("hedges_1981",)),
    **dict.fromkeys(("SMCR", "SMCRH", "SMCRP", "SMCRPH", "SMCC"), ("becker_1988",)),
    "PETO": ("yusuf_1985",),
}
_CORRECTED = ("RR", "OR", "RD")  # measures of counts that a policy for empty cells is about
_WEIGHTINGS = {"MH": ("mantel_1959", "greenland_1985"), "Peto": ("yusuf_1985",)}
_CHECKS = {
    "egger": ("egger_1997",),
    "rank_correlation": ("begg_1994",),
    "trim_and_fill": ("duval_2000",),
}
# Of the question, with what stands where a part is not declared.
_QUESTION = {
    "population": "manuscript.gap_population",
    "intervention": "manuscript.gap_intervention",
    "comparator": "manuscript.gap_comparator",
    "outcome": "manuscript.gap_outcome",
}
_TOOLS = {"rob2": "sterne_2019", "rob1": "higgins_2011", "robins_i": "sterne_2016"}


@dataclass(slots=True)
class Methods:
    """A methods paragraph.

    Attributes
    ----------
    sentences
        In their order.
    gaps
        Texts in brackets, within the sentences, that the authors still have to write.
    cited
        Keys of the works that the sentences stand on, in the order of their first use.
    """

    sentences: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    cited: list[str] = field(default_factory=list)

    def say(self, id: str, *works: str, **values: Any) -> None:
        """Add a sentence; its place `by` takes the works that it cites."""
        if works:
            values["by"] = cite(*works)
        self.sentences.append(t(id, **values))
        self.cite(*works)

    def ask(self, id: str) -> str:
        """Open a gap, and return the text that marks it."""
        text = t(id)
        self.gaps.append(text)
        return text

    def leave_open(self, id: str) -> None:
        """Add a sentence that the authors still have to write."""
        self.sentences.append(self.ask(id))

    def cite(self, *works: str) -> None:
        """Note works that a sentence stands on."""
        self.cited += [key for key in works if key not in self.cited]

    @property
    def text(self) -> str:
        """The paragraph."""
        return " ".join(self.sentences)

    @property
    def works(self) -> list[Work]:
        """The works that are cited, by their keys."""
        return [load_works()[key] for key in sorted(self.cited)]


def describe_methods(tables: Mapping[str, pd.DataFrame], review: Review) -> Methods:
    """Describe a review's methods from search to synthesis, as its paper can.

    Parameters
    ----------
    tables
        arms, contrasts, risk_of_bias, effects, pooled, multiverse, refits, small_studies, findings,
        moderators, translated.
    review
        review.yaml with its defaults.
    """
    said = Methods()
    _describe_search(said, review)
    _describe_risk(said, tables["risk_of_bias"])
    _describe_measures(said, tables["effects"], review)
    _describe_numbers(said, tables, review)
    _describe_pooling(said, tables, review)
    _describe_checks(said, tables, review)
    _describe_certainty(said, tables["findings"])
    software = {name.lower(): version(name) for name in ("numpy", "scipy")}
    said.say("method.software", headway=describe(), **software)
    if len(tables["pooled"]):
        agreed = said.ask("manuscript.gap_r")
        said.say("manuscript.r_script", "viechtbauer_2010", agreed=agreed)
    return said


def _describe_search(said: Methods, review: Review) -> None:
    said.leave_open("manuscript.gap_protocol")
    question = review.question
    parts = {part: getattr(question, part) or said.ask(gap) for part, gap in _QUESTION.items()}
    said.say("manuscript.eligible", **parts)
    said.leave_open("manuscript.gap_search")
    said.leave_open("manuscript.gap_selection")
    flow = review.flow
    counts = {
        "manuscript.screened": flow.screened,
        "manuscript.assessed": flow.assessed,
        "manuscript.included": flow.studies,
    }
    for id, count in counts.items():
        if count is not None:
            said.say(id, n=count)
    if flow:
        said.say("manuscript.flow", "page_2021")
    else:
        said.leave_open("manuscript.gap_flow")


def _describe_risk(said: Methods, judged: pd.DataFrame) -> None:
    if not len(judged):
        said.leave_open("manuscript.gap_risk")
        return
    for code, rows in judged.groupby("tool", sort=False):
        judges = [str(x) for x in rows["signed_by"].dropna().drop_duplicates()]
        name, trials = t(RISK_TOOLS[str(code)].name), int(rows["trial"].nunique())
        said.say("manuscript.judged", _TOOLS[str(code)], tool=name, judges=judges, n=trials)


def _describe_measures(said: Methods, effects: pd.DataFrame, review: Review) -> None:
    """Name the measure of each comparison that has an effect."""
    known = set(effects.loc[effects["yi"].notna(), "comparison"])
    labels: dict[str, list[str]] = {}
    for comparison in review.comparisons:
        if comparison.id in known:
            labels.setdefault(comparison.measure, []).append(comparison.label)
    for measure, of in labels.items():
        works = _MEASURES.get(measure, ())
        id = "manuscript.measure_by" if works else "manuscript.measure"
        quoted = [t("manuscript.quoted", text=label) for label in of]
        said.say(id, *works, measure=term("measure", measure), comparisons=quoted)


def _describe_numbers(said: Methods, tables: Mapping[str, pd.DataFrame], review: Review) -> None:
    """Say how the numbers of the trials were chosen, converted and completed, where they were."""
    effects = tables["effects"]
    used = effects[effects["pooled"]]
    for day in _list_days(effects, review):
        said.say("manuscript.nearest", day=day)
    if any(_was_converted(tables[name]) for name in ("arms", "contrasts")):
        said.say("manuscript.converted")
    if n := count_transcribed(tables):
        said.say("transcription.entered", n=n)
    derived = used["recovered"].notna()
    if derived.any():
        said.say("manuscript.derived", n=int(derived.sum()), of=len(used))
    if used["r_from"].eq(ASSUMED).any():
        assumed = review.assumed_r
        said.say("manuscript.assumed_r", r=assumed.value, others=list(assumed.sensitivity))
    policies = {
        review.zero_events_of(c)
        for c in review.comparisons
        if c.measure in _CORRECTED and _has_empty_cells(effects[effects["comparison"] == c.id], c)
    }
    for policy in sorted(policies):
        said.say({"metafor": "manuscript.zero_added"}.get(policy, "manuscript.zero_left"))
    if effects["status"].eq("recalled").any():
        said.say("manuscript.recalled")
    if left := _list_left_out(effects, review):
        said.say("manuscript.left_out", n=len(left), trials=left)


def _list_days(effects: pd.DataFrame, review: Review) -> list[float]:
    """List the days aimed at, of comparisons with a trial that has several timepoints."""
    days = []
    for c in review.comparisons:
        own = effects[effects["comparison"] == c.id]
        # The rows of a file's own analysis are pooled as the file pools them.
        if len(own) and not c.analysis and (own.groupby("trial")["timepoint"].nunique() > 1).any():
            days.append(float(ANY_DAY if c.target_day is None else c.target_day))
    return sorted(set(days))


def _was_converted(rows: pd.DataFrame) -> bool:
    return bool((rows["unit"].ne(rows["unit_printed"]) & rows["unit_printed"].notna()).any())


def _has_empty_cells(own: pd.DataFrame, comparison: Comparison) -> bool:
    """Whether 0.5 has to do with a comparison: a row has an arm without events, or without others.

    RevMan's sums take the counts as they are.
    """
    cells = [own[f"events{i}"] for i in (1, 2)]
    cells += [own[f"n{i}"] - own[f"events{i}"] for i in (1, 2)]
    return not comparison.method and any(bool(cell.eq(0).any()) for cell in cells)


def _list_left_out(effects: pd.DataFrame, review: Review) -> list[str]:
    """List the trials that the review leaves out by name, with the reason that it types."""
    out = []
    for comparison in review.comparisons:
        there = set(effects.loc[effects["comparison"] == comparison.id, "trial"])
        out += [f"{trial} ({why})" for trial, why in comparison.leave_out.items() if trial in there]
    return list(dict.fromkeys(out))


def _describe_pooling(said: Methods, tables: Mapping[str, pd.DataFrame], review: Review) -> None:
    pooled = tables["pooled"]
    declared = pooled[pooled["declared"] & (pooled["k"] > 1)]
    if not len(declared):
        said.say("manuscript.nothing_pooled")
        return
    for (weighting, method, test), rows in declared.groupby(
        ["weighting", "method", "test"], sort=False
    ):
        _describe_model(said, str(weighting), str(method), str(test), rows)
    if len(pooled[pooled["declared"] & (pooled["k"] == 1)]):
        said.say("manuscript.one_trial")
    if declared["q"].notna().any():
        said.say("manuscript.heterogeneity", "higgins_2002", "higgins_2003")
    if declared["pi_low"].notna().any():
        said.say("manuscript.prediction", "higgins_2009")
    parts = set(declared.loc[declared["subgroup"] != "overall", "comparison"])
    groupings = dict.fromkeys(c.grouping for c in review.comparisons if c.id in parts)
    if groupings:
        said.say("manuscript.subgroups", what=[term("grouping", g) for g in groupings])
    levels = sorted({100 * level for level in declared["level"]})
    said.say("manuscript.level", percent=levels)


def _describe_model(
    said: Methods, weighting: str, method: str, test: str, rows: pd.DataFrame
) -> None:
    """Say how results were pooled: the model, the estimator of tau², the interval."""
    if weighting != OWN:
        said.say("manuscript.pooled_otherwise", how=describe_row(rows.iloc[0].to_dict()))
        said.cite(*_WEIGHTINGS.get(weighting, ()))
    elif method == "EE":
        said.say("manuscript.pooled_common")
    else:
        said.say("manuscript.pooled_random", estimator=term("estimator", method))
    if method != "EE" and method in _ESTIMATORS:
        said.cite(*_ESTIMATORS[method])
    if weighting == OWN or test == "cr2":
        id = {
            "z": "manuscript.test_z",
            "t": "manuscript.test_t",
            "knha": "manuscript.test_knha",
            "adhoc": "manuscript.test_adhoc",
            "kr": "manuscript.test_kr",
            "cr2": "manuscript.test_cr2",
        }[test]
        said.say(id, *_TESTS.get(test, ()))


def _describe_checks(said: Methods, tables: Mapping[str, pd.DataFrame], review: Review) -> None:
    """Say which sensitivity analyses and which checks of small-study effects there are."""
    models, works = _name_other_models(tables["pooled"])
    if models:
        id = "manuscript.other_models_by" if works else "manuscript.other_models"
        said.say(id, *works, models=models)
    done = set(tables["refits"]["analysis"])
    if "leave one out" in done:
        said.say("manuscript.leave_one_out")
    if "cumulative" in done:
        said.say("manuscript.cumulative")
    translated = tables["translated"]
    left = translated["quantity"].eq(WITHOUT_HIGH) & translated["estimate"].notna()
    if left.any():
        said.say("manuscript.without_high_risk")
    if len(tables["multiverse"]) > 1:
        said.say("manuscript.multiverse", "simonsohn_2020")
    checks = [c for c in tables["small_studies"]["check"].drop_duplicates() if c != "none"]
    if checks:
        works = [work for check in checks for work in _CHECKS.get(check, ())]
        said.say(
            "manuscript.small_studies",
            *works,
            checks=[term("small_study_check", check) for check in checks],
        )
    elif len(tables["small_studies"]):
        said.say("manuscript.no_small_studies")
    _describe_moderators(said, tables["moderators"], review)


def _describe_moderators(said: Methods, table: pd.DataFrame, review: Review) -> None:
    """Say what effects were regressed on, and whether it was chosen beforehand."""
    fitted = table[table["estimate"].notna()]
    done = set(zip(fitted["comparison"], fitted["moderator"], strict=True))
    for planned in (True, False):
        names = [
            one.name
            for comparison in review.comparisons
            for one in comparison.moderators
            if one.planned == planned and (comparison.id, one.column) in done
        ]
        if names:
            id = "manuscript.moderators_planned" if planned else "manuscript.moderators_unplanned"
            said.say(id, names=list(dict.fromkeys(names)))


def _name_other_models(pooled: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Name the models that trials are pooled by beside the declared one, and their works."""
    beside = pooled[~pooled["declared"] & (pooled["k"] > 1) & pooled["weighting"].eq(OWN)]
    beside = beside[beside["assumption"].isna()]
    names, works = [], dict[str, None]()
    for method, test in beside[["method", "test"]].drop_duplicates().itertuples(index=False):
        works |= dict.fromkeys((*_ESTIMATORS.get(method, ()), *_TESTS.get(test, ())))
        code = f"{'common' if method == 'EE' else 'random'}_{test}"
        estimator = "" if method == "EE" else f" ({method})"
        names.append(say(term("manuscript_model", code)) + estimator)
    return names, list(works)


def _describe_certainty(said: Methods, findings: pd.DataFrame) -> None:
    graded = findings[findings["certainty"].notna()] if len(findings) else findings
    if not len(graded):
        said.leave_open("manuscript.gap_certainty")
        return
    judges: Sequence[str] = [str(x) for x in graded["signed_by"] if not is_missing(x)]
    who = list(dict.fromkeys(judges)) or [said.ask("manuscript.gap_judges")]
    said.say("manuscript.graded", "guyatt_2008", judges=who)
