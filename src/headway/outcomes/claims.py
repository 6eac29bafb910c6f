"""What patients are told about trigger point treatment, held against a clinic's own records.

`claims.yaml` holds each claim, its parts, the rule of each verdict with its reason, and published
figures with their sources. A clinic's records have no comparison group, so that they never support
what treatment is said to do: the best that such a claim can get is `cannot tell` beside the
measured change, and `not supported` where the interval leaves no room for a benefit. What was not
recorded is said to be so, and never counted as nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import stdtr

from headway.config import load_yaml
from headway.config.faults import find_faults
from headway.errors import ConfigError, Problem
from headway.messages import Message
from headway.outcomes.care import clustered
from headway.outcomes.care.clustered import NAN, Estimate
from headway.outcomes.care.cost import Expected, less_expected
from headway.outcomes.change import instruments, windows
from headway.outcomes.change.attrition import newcombe_interval, welch_interval
from headway.outcomes.change.change import t_interval, wilson
from headway.tables import OUTCOMES, STATUSES, TECHNIQUES, conform, empty

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

CLAIMS_FILE = Path(__file__).with_name("claims.yaml")
Verdict = Literal["supported", "not supported", "cannot tell", "not recorded"]
COMPLAINT_COLUMNS = ("vertigo", "tinnitus", "digestion")
RELAPSE_SHARE = 0.75  # of the value before (DESIGN, section 4)
RESPONSE_SHARE = 0.5
DESIGN = (
    "design: without a comparison group nobody can tell what treatment did from what would have "
    "happened anyway"
)
_ICHD = re.compile(r"^\d+(\.\d+)*$")
_T, _WILSON = "95 %, t", "95 %, Wilson"


# ----------------------------------------------------------------------------- claims.yaml


@dataclass(frozen=True, slots=True)
class Rule:
    """How a verdict follows from an interval; limits are in the unit of the estimate."""

    kind: Literal["change", "within", "at_least", "description"]
    why: str
    benefit: Literal["lower", "higher"] = "lower"
    low: float = NAN
    high: float = NAN
    value: float = NAN
    currency: str = ""

    @property
    def text(self) -> str:
        """The rule in words."""
        if self.kind == "change":
            side = "below 0" if self.benefit == "lower" else "above 0"
            words = f"the whole interval {side} is a benefit; none of it there is none"
        elif self.kind == "within":
            unit = f" {self.currency}" if self.currency else ""
            words = f"the whole interval from {self.low:g} to {self.high:g}{unit}, or none of it"
        elif self.kind == "at_least":
            words = f"the whole interval at {self.value:g} or more, or below"
        else:
            words = "a description"
        return f"{words} ({self.why})"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a claim: what is computed, its rule, and a published figure."""

    row: int
    id: str
    claim: str
    label: str
    causal: bool
    rule: Rule
    anchor: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims and the words that records are read with."""

    parts: tuple[Part, ...]
    complaints: tuple[str, ...]
    headache_words: tuple[str, ...]
    cups: float
    assessments: Mapping[str, tuple[str, ...]]
    sites: Mapping[str, str]  # word -> region
    muscles: Mapping[str, frozenset[str]]  # muscle -> regions

    def of_row(self, row: int) -> dict[str, Part]:
        """Parts of one claim by their identifier."""
        return {p.id: p for p in self.parts if p.row == row}


_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_NUMBER: dict[str, Any] = {"type": "number"}
_WORDS: dict[str, Any] = {"type": "array", "minItems": 1, "items": _TEXT}


def _object(
    properties: Mapping[str, Any], required: Iterable[str], **more: object
) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": dict(properties),
        "required": list(required),
        **more,
    }


def _rule(kind: str, **properties: Any) -> dict[str, Any]:
    needed = [k for k in properties if k != "currency"]
    return _object({"kind": {"const": kind}, "why": _TEXT, **properties}, ["kind", "why", *needed])


_SCHEMA = _object(
    {
        "schema_version": {"const": 1},
        "claims": {
            "type": "array",
            "items": _object(
                {
                    "row": {"type": "integer", "minimum": 1},
                    "claim": _TEXT,
                    "causal": {"type": "boolean"},
                    "parts": {
                        "type": "object",
                        "minProperties": 1,
                        "additionalProperties": _object(
                            {
                                "label": _TEXT,
                                "causal": {"type": "boolean"},
                                "rule": {
                                    "oneOf": [
                                        _rule("change", benefit={"enum": ["lower", "higher"]}),
                                        _rule("within", low=_NUMBER, high=_NUMBER, currency=_TEXT),
                                        _rule("at_least", value=_NUMBER),
                                        _rule("description"),
                                    ]
                                },
                                "anchor": _object(
                                    {
                                        "text": _TEXT,
                                        "value": _NUMBER,
                                        "source": _TEXT,
                                        "doi": _TEXT,
                                        "status": {"enum": list(STATUSES)},
                                    },
                                    ["text", "source", "status"],
                                ),
                            },
                            ["label", "rule"],
                        ),
                    },
                },
                ["row", "claim", "causal", "parts"],
            ),
        },
        "complaints": _WORDS,
        "headache_words": _WORDS,
        "cups": _object({"value": _NUMBER, "why": _TEXT}, ["value", "why"]),
        "assessments": {"type": "object", "additionalProperties": _WORDS},
        "regions": _object(
            {
                "why": _TEXT,
                "sites": {"type": "object", "additionalProperties": _WORDS},
                "muscles": {"type": "object", "additionalProperties": _WORDS},
            },
            ["why", "sites", "muscles"],
        ),
    },
    ["schema_version", "claims", "complaints", "headache_words", "cups", "assessments", "regions"],
)


def load_claims(path: Path = CLAIMS_FILE) -> Claims:
    """Read and validate the file of claims.

    Raises
    ------
    ConfigError
        With every place that breaks a rule.
    """
    document = load_yaml(path)
    problems = find_faults(document, _SCHEMA, path.name)
    if not problems:
        problems = [Problem(path.name, rule, text) for rule, text in _contradictions(document)]
    if problems:
        raise ConfigError(Message("failure.schema", file=path.name), problems)
    parts = [
        Part(
            entry["row"],
            id,
            entry["claim"],
            part["label"],
            part.get("causal", entry["causal"]),
            Rule(**part["rule"]),
            part.get("anchor", {}),
        )
        for entry in document["claims"]
        for id, part in entry["parts"].items()
    ]
    regions = document["regions"]
    return Claims(
        parts=tuple(parts),
        complaints=tuple(_word(w) for w in document["complaints"]),
        headache_words=tuple(w.casefold() for w in document["headache_words"]),
        cups=float(document["cups"]["value"]),
        assessments={k: tuple(_word(w) for w in v) for k, v in document["assessments"].items()},
        sites={_word(w): region for region, words in regions["sites"].items() for w in words},
        muscles={_word(m): frozenset(v) for m, v in regions["muscles"].items()},
    )


def _contradictions(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    rows = [entry["row"] for entry in document["claims"]]
    if len(set(rows)) < len(rows):
        yield "row", "problem.claim_twice"
    for entry in document["claims"]:
        for id, part in entry["parts"].items():
            rule = part["rule"]
            if rule["kind"] == "within" and rule["low"] >= rule["high"]:
                yield "rule", Message("problem.claim_range", row=entry["row"], part=id)
    regions = document["regions"]
    owner: dict[str, str] = {}
    for region, words in regions["sites"].items():
        for word in words:
            if owner.setdefault(_word(word), region) != region:
                yield "sites", Message("problem.site_twice", word=word)
    for muscle, own in regions["muscles"].items():
        if set(own) - set(regions["sites"]):
            yield "muscles", Message("problem.muscle_region", muscle=muscle)


@cache
def _shipped() -> Claims:
    return load_claims()


def _word(text: str) -> str:
    """Write a code in one way: lower case, with one underscore between words."""
    return re.sub(r"[\s_-]+", "_", text.strip().casefold())


# --------------------------------------------------------------------------------- verdicts


def judge(
    rule: Rule, causal: bool, estimate: float, ci_low: float, ci_high: float
) -> tuple[Verdict, str]:
    """Reach a verdict from an interval.

    Parameters
    ----------
    rule
        Of the part; its limits are in the unit of the estimate.
    causal
        Whether the part says what treatment does: then never `supported`.
    estimate, ci_low, ci_high
        NaN where there is none.

    Returns
    -------
    verdict, reason : str
        `not recorded` is not decided here: it is for the absence of records.
    """
    if rule.kind == "description":
        return "cannot tell", DESIGN if causal else "a description: no verdict can come from it"
    if np.isnan(estimate) or np.isnan(ci_low) or np.isnan(ci_high):
        return "cannot tell", "n: too few for an interval"
    if rule.kind == "change":
        # One picture for both directions: more than 0 is a benefit.
        low, high = (-ci_high, -ci_low) if rule.benefit == "lower" else (ci_low, ci_high)
        yes, no = low > 0, high <= 0
        reasons = ("the whole interval is a benefit", "the interval leaves no room for a benefit")
    elif rule.kind == "within":
        yes = ci_low >= rule.low and ci_high <= rule.high
        no = ci_high < rule.low or ci_low > rule.high
        reasons = ("the whole interval lies in the range", "the whole interval lies outside")
    else:
        yes, no = ci_low >= rule.value, ci_high < rule.value
        reasons = ("the whole interval lies at the limit or above", "the whole interval lies below")
    if no:
        return "not supported", reasons[1]
    if causal:
        return "cannot tell", DESIGN
    if yes:
        return "supported", reasons[0]
    return "cannot tell", "interval too wide: it lies on both sides of the limit"


_NUMBER_TEXT = r"(-?[\d.]+(?:e[+-]?\d+)?)"
_WITHIN = re.compile(rf"the whole interval from {_NUMBER_TEXT} to {_NUMBER_TEXT}")
_AT_LEAST = re.compile(rf"the whole interval at {_NUMBER_TEXT} or more")


def read_rule(text: str) -> Rule:
    """Read a rule back from its words (`Rule.text`), as far as a verdict needs it."""
    if match := _WITHIN.match(text):
        return Rule("within", "", low=float(match[1]), high=float(match[2]))
    if match := _AT_LEAST.match(text):
        return Rule("at_least", "", value=float(match[1]))
    if text.startswith("the whole interval below 0"):
        return Rule("change", "", benefit="lower")
    if text.startswith("the whole interval above 0"):
        return Rule("change", "", benefit="higher")
    return Rule("description", "")


def judge_again(
    rule: str, causal: bool, estimate: float, ci_low: float, ci_high: float
) -> tuple[Verdict, str | None]:
    """Reach a verdict from a rule in words and the numbers as they are printed.

    Returns
    -------
    verdict, reason
        Of a description the reason is None: it does not come from numbers.
    """
    known = read_rule(rule)
    verdict, reason = judge(known, causal, estimate, ci_low, ci_high)
    return verdict, None if known.kind == "description" else reason


def holm(p: Sequence[float]) -> Array:
    """Adjust p values for their number (Holm 1979); NaN stay, and do not count."""
    values = np.asarray(p, float)
    out = np.full(len(values), NAN)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * (len(order) - np.arange(len(order)))
    out[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return out


# ---------------------------------------------------------------------------------- records


@dataclass(frozen=True, slots=True)
class Records:
    """Everything about one clinic that the claims are held against.

    sessions, patients, questionnaires are processed tables; windows, change, cohort, safety and
    cost are tables of the analysis; `comparisons` are `windows.list_comparisons`, the primary one
    first. `time_to_relapse` and `expected` come from other analyses, where there are any.
    """

    clinic: Mapping[str, Any]
    starters: pd.Index
    patients: pd.DataFrame
    sessions: pd.DataFrame
    questionnaires: pd.DataFrame
    windows: pd.DataFrame
    change: pd.DataFrame
    cohort: pd.DataFrame
    safety: pd.DataFrame
    cost: pd.DataFrame
    comparisons: Sequence[windows.Comparison]
    expected: Sequence[Expected] = ()
    time_to_relapse: Estimate | None = None

    def column(self, name: str) -> pd.Series:
        """Take a column of the sessions; all missing where the clinic's records lack it."""
        import pandas as pd

        if name in self.sessions:
            return self.sessions[name]
        return pd.Series(np.nan, index=self.sessions.index, dtype="object")


@dataclass(frozen=True, slots=True)
class Finding:
    """One number for a part; `group` tells several of one part apart."""

    part: str
    found: Estimate
    unit: str = "percent"
    of: float = NAN
    group: str = ""
    p_value: float = NAN
    label: str = ""
    note: str = ""
    rule: Rule | None = None  # where the part's own does not fit
    missing: str = ""  # why there is nothing


def _missing(part: str, why: str) -> Finding:
    return Finding(part, Estimate(NAN, NAN, NAN, "", 0), missing=why)


def _mean(values: Array) -> Estimate:
    """Mean with its t interval; without one where all values are equal."""
    n = len(values)
    if n > 1 and np.ptp(values) == 0:
        return Estimate(float(values[0]), NAN, NAN, "", n, note="all alike: no interval")
    low, high = t_interval(values)
    mean = float(values.mean()) if n else NAN
    return Estimate(mean, low, high, _T if n > 1 else "", n, patients=n)


def _p_value(values: Array) -> float:
    """Two-sided p value of the paired t test."""
    n = len(values)
    if n < 2 or np.ptp(values) == 0:
        return NAN
    t = values.mean() / (values.std(ddof=1) / np.sqrt(n))
    return float(2 * stdtr(n - 1, -abs(t)))


def _people(count: float, n: float) -> Estimate:
    """Share of independent people, in percent."""
    if not n > 0:
        return Estimate(NAN, NAN, NAN, "", 0)
    low, high = wilson(count, n)
    return Estimate(
        100 * count / n, float(100 * low), float(100 * high), _WILSON, int(n), count, int(n)
    )


def _percent(found: Estimate) -> Estimate:
    return replace(
        found,
        estimate=100 * found.estimate,
        ci_low=100 * found.ci_low,
        ci_high=100 * found.ci_high,
    )


def _statistic(r: Records, outcome: str, statistic: str, group: str = "all") -> Any:
    """Find a row of the cohort table, of the first comparison that has it."""
    rows = r.cohort[
        (r.cohort["outcome"] == outcome)
        & (r.cohort["statistic"] == statistic)
        & (r.cohort["group"] == group)
        & (r.cohort["n"] > 0)
    ]
    for comparison in r.comparisons:
        if comparison.id == "before_treatment":
            continue
        hit = rows[rows["comparison"] == comparison.id]
        if len(hit):
            return hit.iloc[0]
    return None


def _estimate(row: Any, patients: int = 0) -> Estimate:
    """Take an estimate with its interval out of a row of a table."""
    return Estimate(
        estimate=float(row["estimate"]),
        ci_low=float(row["ci_low"]),
        ci_high=float(row["ci_high"]),
        interval=row["interval"] if isinstance(row["interval"], str) else "",
        n=int(row["n"]),
        count=float(row["count"]),
        patients=patients,
    )


def _from_cohort(part: str, row: Any, group: str = "") -> Finding:
    unit = row["unit"] if isinstance(row["unit"], str) else ""
    found, note = _estimate(row, int(row["n"])), str(row["comparison_label"])
    return Finding(part, found, unit, float(row["of"]), group, note=note)


# ---------------------------------------------------------------------------- the 17 claims


def _relief(r: Records, claims: Claims) -> list[Finding]:
    out = []
    headache = _headache_people(r, claims)
    for outcome in ("frequency", "intensity", "duration"):
        row = _statistic(r, outcome, "change_mean")
        if row is None:
            out.append(_missing(outcome, f"no {outcome} before and after"))
        else:
            finding = _from_cohort(outcome, row)
            if headache is not None and not headache.all():
                others = "people with other conditions are among them"
                finding = replace(finding, note=f"{finding.note}; {others}")
            out.append(finding)
    row = _statistic(r, "frequency", "change_mean")
    part = "frequency_beyond_expected"
    if row is None or not r.expected:
        out.append(_missing(part, "no change in frequency, or no expected change, to compare"))
        return out
    for expected in r.expected:
        base = _from_cohort(part, row, expected.source)
        estimate, low, high = less_expected(
            base.found.estimate, base.found.ci_low, base.found.ci_high, expected
        )
        found = replace(base.found, estimate=estimate, ci_low=low, ci_high=high)
        out.append(replace(base, found=found))
    return out


def _conditions(r: Records) -> pd.Series:
    """Condition of each person who started: their own, else the clinic's."""
    import pandas as pd

    own = pd.Series(dtype="object")
    if "condition" in r.patients and len(r.patients):
        own = r.patients.drop_duplicates("patient_id").set_index("patient_id")["condition"]
    own = own.astype("object").reindex(r.starters)
    common = r.clinic.get("condition") or None
    return own if common is None else own.where(own.notna(), common)


def _is_headache(condition: object, claims: Claims) -> bool:
    text = str(condition).casefold()
    return bool(_ICHD.match(text)) or any(w in text for w in claims.headache_words)


def _headache_people(r: Records, claims: Claims) -> pd.Series | None:
    known = _conditions(r).dropna()
    return known.map(lambda c: _is_headache(c, claims)) if len(known) else None


def _by_condition(r: Records, claims: Claims) -> list[Finding]:
    condition = _conditions(r).dropna()
    if not len(condition):
        return [_missing("condition", "no condition is recorded")]
    others = sorted(c for c in condition.unique() if not _is_headache(c, claims))
    if not others:
        return [_missing("condition", "no condition other than headache (for that see claim 1)")]
    out = []
    part = claims.of_row(2)["condition"]
    ids = [c.id for c in r.comparisons if c.id != "before_treatment"]
    labels = {c.id: c.label for c in r.comparisons}
    found_outcomes = sorted(
        set(r.change["outcome"]),
        key=lambda o: (o != "intensity", OUTCOMES.index(o) if o in OUTCOMES else len(OUTCOMES), o),
    )
    for name in others:
        people = condition.index[condition == name]
        own = r.change[r.change["patient_id"].isin(people)]
        for outcome in found_outcomes:
            of_outcome = own[own["outcome"] == outcome]
            first = next((i for i in ids if (of_outcome["comparison"] == i).any()), None)
            if first is None:
                continue
            values = of_outcome.loc[of_outcome["comparison"] == first, "change"].to_numpy(float)
            out.append(
                Finding(
                    "condition",
                    _mean(values),
                    _outcome_unit(outcome),
                    float(len(people)),
                    f"{name}: {outcome}",
                    note=labels[first],
                    rule=_direction(outcome, part.rule),
                )
            )
    return out or [_missing("condition", "no outcome before and after")]


def _outcome_unit(outcome: str) -> str:
    units = {"frequency": "days per 28", "intensity": "0-10", "duration": "hours"}
    return units.get(outcome, "points")


def _direction(outcome: str, rule: Rule) -> Rule:
    """Turn the rule the way of the outcome; without a known way there is no verdict."""
    if outcome in OUTCOMES:
        return rule
    if instruments.canonical(outcome):
        return replace(rule, benefit=instruments.describe(outcome).better)
    return Rule("description", "which way is better is not known for this outcome")


def read_complaints(r: Records, known: Sequence[str]) -> pd.DataFrame:
    """Collect ratings of complaints: from their own columns, the list, and questionnaires.

    Returns
    -------
    DataFrame
        patient_id, day, instrument (the complaint), score; a complaint that is not in a list of
        that visit is unknown there.
    """
    import pandas as pd

    parts = []
    keys = r.sessions[["patient_id", "day"]]
    for name in COMPLAINT_COLUMNS:
        score = pd.to_numeric(r.column(name))
        parts.append(keys.assign(instrument=name, score=score)[score.notna()])
    listed = r.column("other_complaints")
    listed = listed[listed.notna()].astype(str).str.split(";").explode()
    if len(listed):
        pairs = listed.str.rpartition(":")
        parts.append(
            keys.loc[listed.index].assign(
                instrument=pairs[0].map(_word).to_numpy(),
                score=pd.to_numeric(pairs[2]).to_numpy(),
            )
        )
    asked = r.questionnaires
    if len(asked):
        names = asked["instrument"].map(_word)
        hit = names.isin(known)
        own = asked.loc[hit, ["patient_id", "day", "score"]]
        parts.append(own.assign(instrument=names[hit]))
    columns = ["patient_id", "day", "instrument", "score"]
    return pd.concat([p[columns] for p in parts], ignore_index=True)


def _complaints(r: Records, claims: Claims) -> list[Finding]:
    ratings = read_complaints(r, claims.complaints)
    if not len(ratings):
        return [_missing("complaint", "no other complaint is recorded")]
    values = windows.build_questionnaire_windows(ratings, r.clinic)
    wide = values.pivot(index=["outcome", "patient_id"], columns="window", values="value")
    out = []
    for name in sorted(ratings["instrument"].unique()):
        asked = ratings.loc[ratings["instrument"] == name]
        binary = bool(asked["score"].isin([0, 1]).all())
        change = np.empty(0)
        if name in wide.index.get_level_values(0) and {"baseline", "post"} <= set(wide.columns):
            own = wide.loc[name].dropna(subset=["baseline", "post"])
            change = (own["post"] - own["baseline"]).to_numpy(float)
        scale = 100.0 if binary else 1.0
        note = "all with both answers, those without the complaint among them"
        if binary:
            note += "; every answer is 0 or 1, read as no and yes"
        out.append(
            Finding(
                "complaint",
                _mean(scale * change),
                "percentage points" if binary else "0-10",
                float(asked["patient_id"].nunique()),
                name,
                p_value=_p_value(change),
                note=note,
            )
        )
    return out


def read_points(sessions: pd.DataFrame) -> pd.DataFrame:
    """Read trigger points and whether each refers pain, once per person and point.

    A point that is treated again is one point; what was recorded first stands. Sessions whose
    numbers of points and zones differ cannot be read and are left out.

    Returns
    -------
    DataFrame
        patient_id, point, refers (1 or 0); `attrs["left_out"]` counts those sessions.
    """
    import pandas as pd

    rows: list[tuple[str, str, float]] = []
    left_out = 0
    known = sessions[sessions["referral_zone"].notna()].sort_values(
        ["patient_id", "day"], kind="stable"
    )
    for patient, points, zones in zip(
        known["patient_id"], known["trigger_points"], known["referral_zone"], strict=True
    ):
        zone = [_word(z) for z in str(zones).split(";")]
        if isinstance(points, str):
            point = [_word(p) for p in points.split(";")]
        else:
            # Without names a point cannot be known again: each record is one.
            point = [f"record {len(rows) + i}" for i in range(len(zone))]
        if len(point) != len(zone):
            left_out += 1
            continue
        rows += [(patient, p, float(z != "none")) for p, z in zip(point, zone, strict=True)]
    out = pd.DataFrame(rows, columns=["patient_id", "point", "refers"])
    out = out.drop_duplicates(["patient_id", "point"], ignore_index=True)
    out.attrs["left_out"] = left_out
    return out


def _referral(r: Records, claims: Claims) -> list[Finding]:
    if "referral_zone" not in r.sessions or not r.sessions["referral_zone"].notna().any():
        return [_missing("refers", "no referral zone is recorded")]
    sessions = r.sessions
    if "trigger_points" not in sessions:
        sessions = sessions.assign(trigger_points=None)
    points = read_points(sessions)
    if not len(points):
        return [_missing("refers", "points and zones do not match in any session")]
    found = _percent(clustered.share(points["refers"], points["patient_id"]))
    left = points.attrs["left_out"]
    note = "a point of one person counts once; who is examined decides what is found"
    if left:
        note += f"; {left} session(s) left out, where points and zones do not match"
    return [Finding("refers", found, of=float(len(points)), note=note)]


def _from_safety(r: Records, harm: str, statistic: str, part: str) -> Finding:
    rows = r.safety[
        (r.safety["harm"] == harm)
        & (r.safety["statistic"] == statistic)
        & (r.safety["group"] == "all")
        & (r.safety["reported"] == "asked")
        & (r.safety["per"] == "session")
    ]
    if not len(rows):
        return _missing(part, f"nobody was recorded as asked about {harm}")
    row = rows.iloc[0]
    return Finding(part, _estimate(row, int(row["patients"])), of=float(row["of"]))


def _aftermath(r: Records, claims: Claims) -> list[Finding]:
    out = [
        _from_safety(r, harm, statistic, f"{harm}{suffix}")
        for harm in ("soreness", "lethargy")
        for statistic, suffix in (("share", ""), ("share_within_2_days", "_short"))
    ]
    used, days = _numbers(r.column("compress_used")), _numbers(r.column("soreness_days"))
    sore = used.notna() & (days > 0)
    if not sore.any():
        return [*out, _missing("compress", "no use of a compress is recorded with soreness")]
    # One value per person and group, so that people and not sessions are compared.
    means = [
        days[sore & (used == u)].groupby(r.sessions["patient_id"]).mean().to_numpy(float)
        for u in (1, 0)
    ]
    estimate, low, high = welch_interval(*means)
    n = int(sore.sum())
    people = int(r.sessions.loc[sore, "patient_id"].nunique())
    interval = "" if np.isnan(low) else "95 %, Welch, over people's means"
    found = Estimate(estimate, low, high, interval, n, patients=people)
    note = "who is sorer may use a compress more"
    return [*out, Finding("compress", found, "days", float((days > 0).sum()), note=note)]


def _numbers(column: pd.Series) -> pd.Series:
    import pandas as pd

    return pd.to_numeric(column).astype("float64")


def _sore_difference(
    r: Records, part: str, first: pd.Series, second: pd.Series, note: str, why: str
) -> Finding:
    """Compare sessions followed by soreness between two sets of sessions, of those asked."""
    days = _numbers(r.column("soreness_days"))
    asked = days.notna() & (r.column("soreness_reported") == "asked").astype(bool)
    a, b = asked & first, asked & second
    if not a.any() or not b.any():
        return _missing(part, why)
    who = r.sessions["patient_id"]
    sore = (days > 0).astype(float)
    found = _percent(clustered.difference(sore[a], who[a], sore[b], who[b]))
    of = float((first | second).sum())
    return Finding(part, found, "percentage points", of, note=note)


def _wet_and_dry(r: Records, claims: Claims) -> list[Finding]:
    technique, drug = r.column("technique"), r.column("drug").astype("object")
    wet = (technique == "wet_needling").astype(bool)
    note = "sessions at which soreness was asked for"
    if drug[wet].notna().any():
        lidocaine = drug.astype(str).str.casefold().str.contains("lidocain|lignocain|xylocain")
        wet &= lidocaine
    else:
        note += "; the drug is not recorded"
    dry = (technique == "dry_needling").astype(bool)
    why = "soreness was not asked for after both wet (with lidocaine) and dry needling"
    return [_sore_difference(r, "wet_less_dry", wet, dry, note, why)]


def _techniques(r: Records, claims: Claims) -> list[Finding]:
    outcome = r.clinic["primary_outcome"]
    out = []
    for technique in (*TECHNIQUES, "mixed"):
        row = _statistic(r, outcome, "change_mean", f"technique: {technique}")
        if row is not None:
            out.append(_from_cohort("technique", row, technique))
    return out or [_missing("technique", "no change is known by technique")]


def find_relapses(r: Records) -> pd.DataFrame:
    """Find who was back in the next window, of those who had halved their headache days.

    At risk: at least 50 % fewer headache days in the window after (DESIGN, section 4). Back: at
    least 75 % of the value before in the first follow-up window with a complete value. One window
    decides; the survival analysis asks for two.

    Returns
    -------
    DataFrame
        back (1 or 0), by patient_id.
    """
    import pandas as pd

    none = pd.DataFrame({"back": pd.Series(dtype="float64")})
    if not r.comparisons or not len(r.windows):
        return none
    primary = r.comparisons[0]
    later = sorted(
        {str(w) for w in r.windows["window"] if re.fullmatch(r"followup_\d+", str(w))},
        key=lambda w: int(w.rpartition("_")[2]),
    )
    if primary.post in later:
        later = later[later.index(primary.post) + 1 :]
    pairs = windows.pair_windows(r.windows, primary)
    pairs = pairs[(pairs["outcome"] == "frequency") & (pairs["pre"] > 0)]
    at_risk = pairs[(pairs["post"] / pairs["pre"]).round(12) <= RESPONSE_SHARE]
    after = r.windows[
        (r.windows["source"] == primary.source)
        & (r.windows["outcome"] == "frequency")
        & r.windows["complete"]
        & r.windows["window"].isin(later)
    ]
    if not len(after) or not len(at_risk):
        return none
    # Numbers, not names, tell which follow-up comes first.
    after = after.assign(order=after["window"].map(later.index)).sort_values("order", kind="stable")
    first = after.drop_duplicates("patient_id").set_index("patient_id")["value"]
    known = at_risk.set_index("patient_id")
    value = first.reindex(known.index)
    back = ((value / known["pre"]).round(12) >= RELAPSE_SHARE).astype(float)
    return pd.DataFrame({"back": back[value.notna()]})


def _relapse(r: Records, claims: Claims) -> list[Finding]:
    back = find_relapses(r)["back"]
    part = "back_in_next_window"
    out = []
    if len(back):
        found = _people(float(back.sum()), len(back))
        out.append(Finding(part, found, of=float(len(r.starters)), note="one window decides"))
    else:
        out.append(_missing(part, "nobody had half the days or fewer and a later window"))
    if r.time_to_relapse is None:
        out.append(_missing("time_to_relapse", "no time to relapse was computed"))
    else:
        out.append(Finding("time_to_relapse", r.time_to_relapse, "days", float(len(r.starters))))
    return out


def _self_care(r: Records, claims: Claims) -> list[Finding]:
    import pandas as pd

    back = find_relapses(r)["back"]
    by = r.sessions["patient_id"]
    done = _numbers(r.column("homework_done")).groupby(by).mean()
    tools = r.column("home_tools").astype("object")
    uses = tools.map(lambda t: float(str(t).casefold() != "none"), na_action="ignore")
    uses = pd.to_numeric(uses).groupby(by).max()
    setting = r.column("setting")
    home = (setting == "at_home").astype(float).groupby(by).max()
    office = (setting == "in_office").astype(float).groupby(by).max()
    both = home.where(office == 1.0)
    groups = (
        ("homework", (done >= 0.5).astype(float).where(done.notna()), "homework_done"),
        ("home_tools", uses, "home_tools"),
        ("home_sessions", both if home.any() else both * np.nan, "setting at_home"),
    )
    out = []
    for part, group, column in groups:
        known = group.dropna()
        if not len(known):
            out.append(_missing(part, f"{column} is not recorded"))
            continue
        own = known.reindex(back.index)
        with_it, without = back[own == 1.0], back[own == 0.0]
        n = len(with_it) + len(without)
        if not len(with_it) or not len(without):
            out.append(_missing(part, "nobody to compare among those who could relapse"))
            continue
        low, high = newcombe_interval(with_it.sum(), len(with_it), without.sum(), len(without))
        found = Estimate(
            100 * float(with_it.mean() - without.mean()),
            float(100 * low),
            float(100 * high),
            "95 %, Newcombe",
            n,
            patients=n,
        )
        note = "people who do what they are told differ from others in more than that"
        out.append(Finding(part, found, "percentage points", float(len(known)), note=note))
    return [*out, *_by_position(r, back)]


def _by_position(r: Records, back: pd.Series) -> list[Finding]:
    """Share who were back, by the sleeping position that each person named last."""
    part = "sleeping_position"
    position = r.column(part).astype("object")
    known = r.sessions.assign(position=position)[position.notna()]
    if not len(known):
        return [_missing(part, "sleeping_position is not recorded")]
    last = known.sort_values(["patient_id", "day"], kind="stable").groupby("patient_id")["position"]
    own = last.last().reindex(back.index).dropna()
    if not len(own):
        return [_missing(part, "no position is known of those who could relapse")]
    of = float(last.ngroups)
    return [
        Finding(
            part,
            _people(float(back[own.index[own == p]].sum()), (own == p).sum()),
            "percent",
            of,
            str(p),
        )
        for p in sorted(own.unique())
    ]


def _from_cost(r: Records, topic: str, visit: str, statistic: str) -> list[tuple[Any, Estimate]]:
    rows = r.cost[
        (r.cost["topic"] == topic)
        & (r.cost["visit"] == visit)
        & (r.cost["statistic"] == statistic)
        & (r.cost["n"] > 0)
    ]
    return [(row, _estimate(row)) for _, row in rows.iterrows()]


def _minutes(r: Records, claims: Claims) -> list[Finding]:
    out = []
    for visit in ("first", "later"):
        rows = _from_cost(r, "minutes", visit, "median")
        out += [Finding(visit, f, "minutes", float(row["of"])) for row, f in rows]
        if not rows:
            out.append(_missing(visit, "no minutes are recorded"))
    return out


def _fees(r: Records, claims: Claims) -> list[Finding]:
    out = []
    for visit in ("first", "later"):
        rule = claims.of_row(11)[visit].rule
        rows = _from_cost(r, "fee", visit, "median")
        for row, found in rows:
            currency = str(row["currency"])
            other = Rule("description", f"the claim is in {rule.currency}; nothing is converted")
            same = currency == rule.currency
            out.append(
                Finding(
                    visit,
                    found,
                    currency,
                    float(row["of"]),
                    currency if not same or len(rows) > 1 else "",
                    rule=None if same else other,
                )
            )
        if not rows:
            out.append(_missing(visit, "no fees are recorded"))
    paid = _from_cost(r, "insured", "all", "share_not_paid")
    out += [Finding("insurance", f, of=float(row["of"])) for row, f in paid]
    if not paid:
        out.append(_missing("insurance", "insurance is not recorded"))
    days = _from_cost(r, "cost", "all", "per_day")
    for row, found in days:
        note = str(row["note"]) if isinstance(row["note"], str) else ""
        group = f"{row['currency']}, {row['basis']}"
        out.append(Finding("per_day", found, str(row["unit"]), float(row["of"]), group, note=note))
    if not days:
        out.append(_missing("per_day", "no person has both fees and a change in frequency"))
    return out


def _water(r: Records, claims: Claims) -> list[Finding]:
    cups = _numbers(r.column("water_cups"))
    why = "no cups of water are recorded with asked soreness, many and few"
    note = "sessions at which soreness was asked for"
    return [_sore_difference(r, "soreness", cups >= claims.cups, cups < claims.cups, note, why)]


def _first_visit(r: Records, claims: Claims) -> list[Finding]:
    import pandas as pd

    names = ("history", "posture", "range_of_motion", "leg_length", "neurological")
    at_home = (r.column("setting") == "at_home").astype(bool)
    listed = r.column("assessments").astype("object")
    day = r.sessions["day"]
    visits = pd.DataFrame({"patient_id": r.sessions["patient_id"], "day": day, "did": listed})
    visits = visits[~at_home]
    first = visits[visits["day"] == visits.groupby("patient_id")["day"].transform("min")]
    done = first.dropna(subset=["did"]).groupby("patient_id")["did"].agg(";".join)
    out = []
    if len(done):
        codes = done.map(lambda t: {_word(c) for c in str(t).split(";")})
        of = float(first["patient_id"].nunique())
        for name in names:
            words = set(claims.assessments[name]) | {name}
            count = int(codes.map(lambda c, words=words: bool(c & words)).sum())
            out.append(Finding(name, _people(count, len(codes)), of=of))
    else:
        out += [_missing(name, "no assessments are recorded") for name in names]
    motion = _numbers(r.column("range_of_motion_degrees"))
    known = r.sessions.loc[motion.notna(), ["patient_id", "day"]].assign(
        value=motion[motion.notna()]
    )
    known = known.sort_values(["patient_id", "day"], kind="stable")
    by = known.groupby("patient_id")
    twice = by["day"].max() > by["day"].min()
    if not len(known) or not twice.any():
        return [*out, _missing("motion_change", "range of motion was not measured twice")]
    change = (by["value"].last() - by["value"].first())[twice].to_numpy(float)
    of = float(len(r.starters))
    note = "the last visit comes late for some and early for others"
    return [*out, Finding("motion_change", _mean(change), "degrees", of, note=note)]


def read_places(r: Records, claims: Claims) -> pd.DataFrame:
    """Say for each session whether a treated muscle lies outside every painful region.

    Pain sites that were recorded earlier stand until the next record. A session is left out where
    a site or a muscle is not in the map.

    Returns
    -------
    DataFrame
        patient_id, outside (1 or 0); `attrs["unknown"]` counts sessions that the map cannot read.
    """
    import pandas as pd

    frame = pd.DataFrame(
        {
            "patient_id": r.sessions["patient_id"],
            "day": r.sessions["day"],
            "sites": r.column("pain_sites").astype("object"),
            "points": r.column("trigger_points").astype("object"),
        }
    ).sort_values(["patient_id", "day"], kind="stable")
    frame["sites"] = frame.groupby("patient_id")["sites"].ffill()
    frame = frame.dropna(subset=["sites", "points"])
    rows, unknown = [], 0
    for patient, sites, points in zip(
        frame["patient_id"], frame["sites"], frame["points"], strict=True
    ):
        regions = [claims.sites.get(_word(s)) for s in str(sites).split(";")]
        muscles = [claims.muscles.get(_word(p.partition(":")[0])) for p in str(points).split(";")]
        if None in regions or None in muscles:
            unknown += 1
            continue
        rows.append((patient, float(any(not (m or set()) & set(regions) for m in muscles))))
    out = pd.DataFrame(rows, columns=["patient_id", "outside"])
    out.attrs["unknown"] = unknown
    return out


def _far_away(r: Records, claims: Claims) -> list[Finding]:
    if not r.column("pain_sites").notna().any():
        return [_missing("outside", "pain_sites is not recorded")]
    if not r.column("trigger_points").notna().any():
        return [_missing("outside", "trigger_points is not recorded")]
    places = read_places(r, claims)
    unknown = places.attrs["unknown"]
    if not len(places):
        return [_missing("outside", "no session has sites and muscles that the map knows")]
    found = _percent(clustered.share(places["outside"], places["patient_id"]))
    note = f"{unknown} session(s) with a site or muscle that the map lacks" if unknown else ""
    return [Finding("outside", found, of=float(len(places) + unknown), note=note)]


def _not_everyone(r: Records, claims: Claims) -> list[Finding]:
    order = (r.clinic["primary_outcome"], *OUTCOMES)
    outcome = next((o for o in order if _statistic(r, o, "responders_30") is not None), None)
    if outcome is None:
        why = "no outcome before and after"
        return [_missing(p, why) for p in claims.of_row(15)]
    better = _from_cohort("not_improved", _statistic(r, outcome, "responders_30"))
    n, of = better.found.n, better.of
    others = replace(better, found=_people(n - better.found.count, n))
    out = [
        replace(others, note=f"{outcome}; {others.note}"),
        _from_cohort("worsened", _statistic(r, outcome, "worsened_30")),
    ]
    row = _statistic(r, "frequency", "reliable_deteriorated")
    if row is None:
        out.append(_missing("reliably_deteriorated", "no headache days before and after"))
    else:
        out.append(_from_cohort("reliably_deteriorated", row))
    return [replace(f, of=of) if not f.missing else f for f in out]


def _good_results(r: Records, claims: Claims) -> list[Finding]:
    out = []
    row = _statistic(r, "PGIC", "pgic_at_least_much_improved")
    if row is None:
        out += [_missing(p, "no PGIC is recorded") for p in ("pgic", "pgic_of_all")]
    else:
        said = _from_cohort("pgic", row)
        out.append(said)
        everyone = _people(said.found.count, said.of)
        note = "who gave no answer counts as not improved"
        out.append(Finding("pgic_of_all", everyone, of=said.of, note=note))
    row = _statistic(r, r.clinic["primary_outcome"], "change_mean")
    if row is None:
        out += [_missing(p, "no primary outcome before and after") for p in ("change", "lost")]
        return out
    change = _from_cohort("change", row)
    out.append(change)
    lost = _people(change.of - change.found.n, change.of)
    out.append(Finding("lost", lost, of=change.of, note=change.note))
    return out


def _acupuncture(r: Records, claims: Claims) -> list[Finding]:
    row = _statistic(r, r.clinic["primary_outcome"], "change_mean", "technique: acupuncture")
    if row is None:
        return [_missing("acupuncture", "no change is known of people treated by acupuncture")]
    return [_from_cohort("acupuncture", row)]


_ROWS: dict[int, Callable[[Records, Claims], list[Finding]]] = {
    1: _relief,
    2: _by_condition,
    3: _complaints,
    4: _referral,
    5: _aftermath,
    6: _wet_and_dry,
    7: _techniques,
    8: _relapse,
    9: _self_care,
    10: _minutes,
    11: _fees,
    12: _water,
    13: _first_visit,
    14: _far_away,
    15: _not_everyone,
    16: _good_results,
    17: _acupuncture,
}


def build_claims(records: Records, claims: Claims | None = None) -> pd.DataFrame:
    """Hold every claim against a clinic's records.

    Parameters
    ----------
    records
        What the clinic recorded and what was computed from it.
    claims
        `load_claims`; the shipped file without it.

    Returns
    -------
    DataFrame
        Table `claims`: at least one row for every part of every claim, `not recorded` where there
        is nothing to hold it against.
    """
    import pandas as pd

    known = claims or _shipped()
    own_doi = str(records.clinic.get("doi") or "").casefold()
    rows = []
    for number, compute in _ROWS.items():
        parts = known.of_row(number)
        found = compute(records, known)
        if found and not len(records.sessions) and all(f.missing for f in found):
            found = [replace(f, missing=f"{f.missing}; there are no sessions") for f in found]
        adjusted = holm([f.p_value for f in found])
        tested = int(np.isfinite(adjusted).sum())
        for finding, p_adjusted in zip(found, adjusted, strict=True):
            part = parts[finding.part]
            if own_doi and part.anchor.get("doi", "").casefold() == own_doi:
                # Its own trial is no yardstick for a clinic.
                part = replace(part, anchor={})
            rows.append(_row(part, finding, float(p_adjusted), tested))
    return conform("claims", pd.DataFrame(rows)) if rows else empty("claims")


def _row(part: Part, finding: Finding, p_adjusted: float, tested: int) -> dict[str, object]:
    found, rule = finding.found, finding.rule or part.rule
    verdict: Verdict = "not recorded"
    reason = finding.missing
    if not finding.missing:
        verdict, reason = judge(rule, part.causal, found.estimate, found.ci_low, found.ci_high)
        if found.n == 0:
            verdict, reason = "not recorded", "nobody has a value before and after"
        elif rule.kind == "description" and finding.rule is not None:
            reason = rule.why
    notes = [finding.note, found.note]
    if tested > 1 and not np.isnan(finding.p_value):
        notes.append(f"{tested} tested together: read the p value after Holm 1979")
    anchor = part.anchor
    recorded = verdict != "not recorded"
    return {
        "row": part.row,
        "part": f"{part.id}: {finding.group}" if finding.group else part.id,
        "claim": part.claim,
        "label": finding.label or part.label,
        "causal": part.causal,
        "unit": finding.unit if recorded else None,
        "estimate": found.estimate,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "interval": found.interval or None,
        "n": float(found.n),
        "of": finding.of,
        "count": found.count if recorded else NAN,
        "patients": float(found.patients) if found.patients else NAN,
        "p_value": finding.p_value,
        "p_adjusted": p_adjusted,
        "anchor": anchor.get("text"),
        "anchor_value": float(anchor.get("value", NAN)),
        "anchor_source": anchor.get("source"),
        "anchor_status": anchor.get("status"),
        "rule": rule.text,
        "verdict": verdict,
        "reason": reason,
        "redacted": False,
        "note": "; ".join(t for t in notes if t) or None,
    }
