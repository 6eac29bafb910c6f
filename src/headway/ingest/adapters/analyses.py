"""Analyses of a review as RevMan stores them: settings, rows of studies, totals.

Every form of a Cochrane review (RevMan 5's file, a data package, a sheet of data rows, RevMan's two
CSV exports) is read into these and nothing else; `headway.ingest.adapters.shown` holds them against
what the file shows, `headway.ingest.adapters.analysis_rows` makes a review's rows of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from headway.ingest.adapters.exchange import Row, same_name
from headway.ingest.open.names import tidy

COUNTS = ("events1", "n1", "events2", "n2")
MEANS = ("mean1", "sd1", "n1", "mean2", "sd2", "n2")
NUMBERS = (*COUNTS, "mean1", "sd1", "mean2", "sd2", "effect", "se", "o_e", "variance")
# What a row of each kind rests on.
NEEDED = {
    "events": COUNTS,
    "means": MEANS,
    "giv": ("effect", "se"),
    "o_e": ("o_e", "variance"),
}
RATIOS = ("RR", "OR", "PETO")
# RevMan's names and codes of effect measures, as compared.
_MEASURES = {
    **dict.fromkeys(("petoor", "petooddsratio"), "PETO"),
    **dict.fromkeys(("or", "oddsratio", "oddsrationonevent"), "OR"),
    **dict.fromkeys(("rr", "riskratio", "risksratio", "relativerisk"), "RR"),
    **dict.fromkeys(("rd", "riskdifference"), "RD"),
    **dict.fromkeys(("md", "wmd", "meandifference", "weightedmeandifference"), "MD"),
    **dict.fromkeys(
        (
            "smd",
            "stdmeandifference",
            "stdmeandifferences",
            "standardizedmeandifference",
            "standardisedmeandifference",
        ),
        "SMD",
    ),
}
_METHODS = {
    **dict.fromkeys(("mh", "mantelhaenszel"), "MH"),
    **dict.fromkeys(("iv", "inversevariance", "inverse", "giv"), "IV"),
    "peto": "Peto",
    **dict.fromkeys(("expoe", "expoevar", "expoeandvariance", "oeandvariance"), "EXP_O_E"),
}


@dataclass(slots=True)
class StudyRow:
    """One row of a study in an analysis.

    Attributes
    ----------
    study : str
        The study's name.
    subgroup : str
        Number of its subgroup within the analysis; empty where there is none.
    values : dict
        `NUMBERS` as printed; empty where missing.
    shown : tuple of str
        Effect and limits that the file shows for the row, ratios as ratios; empty where none.
    not_estimable : bool
        Whether the file says, by words or by an empty effect, that the row has none.
    kind : str
        ``events``, ``means``, ``giv`` or ``o_e``: what the effect is computed from.
    logged : bool
        Of ``giv``: the effect is the logarithm of a ratio.
    in_total : bool
        Whether the row enters the total over all subgroups.
    trial : str
        Name within the review; a study that stands twice in a (sub)group has a letter.
    """

    row: Row
    study: str
    subgroup: str
    values: dict[str, str]
    shown: tuple[str, str, str] = ("", "", "")
    not_estimable: bool = False
    weight: str = ""
    year: str = ""
    kind: str = ""
    logged: bool = False
    in_total: bool = True
    trial: str = ""
    notes: list[str] = field(default_factory=list)
    taken: bool = False


@dataclass(frozen=True, slots=True)
class StoredTotal:
    """A total that the file stores and its reader sees.

    Attributes
    ----------
    subgroup : str
        Number of the subgroup; empty for the total over all rows.
    shown : tuple of str
        Estimate and limits, ratios as ratios; empty where `estimable` is False.
    """

    subgroup: str
    shown: tuple[str, str, str]
    estimable: bool = True


@dataclass(slots=True)
class Analysis:
    """One analysis: what RevMan calls an outcome of a comparison.

    Attributes
    ----------
    group, number : int
        Its number in the file is ``group.number``.
    kind, measure, method, model : str
        Empty where the file does not say. `measure` is RR, OR, RD, PETO, MD, SMD or empty.
    level, row_level : float
        Levels of the totals' and of the rows' intervals, in percent; NaN where not said.
    log : bool or None
        Whether effects of ``giv`` are logarithms; None where the file does not say.
    own : bool
        Whether another program than RevMan made the rows: their effects come near to RevMan's only.
    stored : list of StoredTotal
        Totals that a reader of the file sees.
    found : list of str
        Settings that the file does not say and that its numbers tell.
    assumed : list of str
        Settings that neither tells.
    """

    group: int
    number: int
    name: str
    group_name: str = ""
    kind: str = ""
    measure: str = ""
    measure_name: str = ""
    method: str = ""
    model: str = ""
    tau2: str = ""
    ci: str = ""
    prediction: bool | None = None
    level: float = float("nan")
    row_level: float = float("nan")
    swap: bool = False
    log: bool | None = None
    totals: str = ""
    own: bool = False
    arms: tuple[str, str] = ("experimental", "control")
    subgroups: dict[str, str] = field(default_factory=dict)
    rows: list[StudyRow] = field(default_factory=list)
    stored: list[StoredTotal] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)

    @property
    def code(self) -> str:
        """Number in the file, such as ``1.2``."""
        return f"{self.group}.{self.number}"

    @property
    def id(self) -> str:
        """Identifier in review.yaml."""
        return f"analysis_{self.group}_{self.number}"

    @property
    def label(self) -> str:
        """Number and names, in words."""
        return f"{self.code} {': '.join(t for t in (self.group_name, self.name) if t)}".strip()

    @property
    def ratio(self) -> bool:
        """Whether effects are shown as ratios and pooled as their logarithms."""
        return self.measure in RATIOS or self.kind == "o_e" or bool(self.log)

    def code_of(self, subgroup: str) -> str:
        """Return the number of a subgroup in the file, such as ``1.2.1``, or of the analysis."""
        return f"{self.code}.{subgroup}" if subgroup else self.code

    def name_of(self, subgroup: str) -> str:
        """Return the name of a subgroup; its number where the file has no name for it."""
        return self.subgroups.get(subgroup, f"subgroup {subgroup}") if subgroup else ""


def name_measure(text: str) -> str:
    """Name RevMan's measure by metafor's code; empty for one that it only names in words."""
    return _MEASURES.get(same_name(text), "")


def name_method(text: str) -> str:
    """Name RevMan's method; empty for one that is not known."""
    return _METHODS.get(same_name(text), "")


def name_kind(text: str) -> str:
    """Name the type of data: means, events, giv, o_e, or other (empty where none is named)."""
    name = same_name(text)
    if name.startswith(("iv", "giv", "generic", "contrast")):
        return "giv"
    if name.startswith("dic"):
        return "events"
    if name.startswith("con"):
        return "means"
    if name.startswith(("ipd", "oe", "expoe", "timetoevent")):
        return "o_e"
    return "other" if name else ""


def read_level(text: str) -> float:
    """Read a level as percent: 95, 95% or 0.95; NaN where there is none."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%?\s*", text)
    if found is None:
        return float("nan")
    level = float(found[1])
    level = 100 * level if level < 1 else level
    return level if 0 < level < 100 else float("nan")


def count_letters(n: int) -> str:
    """Write a number as letters: a, b, ... z, aa, ab."""
    text = ""
    while n >= 0:
        text = chr(ord("a") + n % 26) + text
        n = n // 26 - 1
    return text


def name_trials(analyses: Iterable[Analysis]) -> None:
    """Give every row the name of its trial.

    A study that stands several times in one (sub)group, with several arms against one control as a
    rule, is as many rows: they get a letter each. So does one that its subgroup alone counts, where
    the study has other rows in the total.
    """
    for analysis in analyses:
        parts: dict[str, list[StudyRow]] = {}
        for one in analysis.rows:
            one.trial = tidy(one.study)
            parts.setdefault(one.subgroup, []).append(one)
        counted = {one.trial for one in analysis.rows if one.in_total}
        for rows in parts.values():
            names = Counter(one.trial for one in rows)
            taken = set(names)
            next_: Counter[str] = Counter()
            for one in rows:
                name = one.trial
                alone = not one.in_total and name in counted
                if not name or not (names[name] > 1 or alone):
                    continue
                while (lettered := f"{name} {count_letters(next_[name])}") in taken:
                    next_[name] += 1
                one.trial = lettered
                taken.add(lettered)
