"""The settings of a review: `review.yaml`. docs/review.yaml.md shows them by example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, ClassVar, Literal

from headway.config.schema import About, FileName, Id, Key, Text

Value = str | float
Count = Annotated[int, About(low=0)]
Correlation = Annotated[float, About(low=-1, below=1)]
Printed = Annotated[
    str,
    About(
        "A number as printed, in quotes, since its last digit is its precision; of more than nine "
        "digits, as a program stored it.",
        pattern=r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$",
    ),
]
NOT_ESTIMABLE = "not estimable"
Stored = Annotated[
    str,
    About(
        "A number as printed, in quotes, since its last digit is its precision; of more than nine "
        "digits, as a program stored it; or 'not estimable'.",
        pattern=r"^(-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?|not estimable)$",
    ),
]
AnalysisNumber = Annotated[
    str, About("Number of an analysis in the file it comes from.", pattern=r"^[0-9]+(\.[0-9]+)*$")
]
ZeroEvents = Literal["not_estimable", "metafor"]
Unit = Annotated[str, About("See headway.effects.units.", pattern="^[a-z][a-z0-9_]*$")]
Technique = Literal["manual", "dry_needling", "wet_needling", "acupuncture", "self_care", "other"]
Comparator = Literal["waiting_list", "no_treatment", "usual_care", "sham", "active"]
# The codes of `headway.effects.measures`; `python tools/measures.py` writes them here.
MEASURES = (
    "MD",
    "SMD",
    "SMDH",
    "SMD1",
    "SMD1H",
    "ROM",
    "VR",
    "CVR",
    "CLES",
    "RPB",
    "ZPB",
    "D2OR",
    "CLESN",
    "MC",
    "SMCC",
    "SMCR",
    "SMCRH",
    "SMCRP",
    "SMCRPH",
    "ROMC",
    "VRC",
    "CVRC",
    "CLESCN",
    "dppc2",
    "RR",
    "OR",
    "RD",
    "AS",
    "PETO",
    "IRR",
    "IRD",
    "RATIO",
    "MN",
    "SMN",
    "PR",
    "PLN",
    "PLO",
    "PAS",
    "PFT",
    "COR",
    "ZCOR",
    "ABT",
)
# Those whose contrasts within a trial add up: `headway.meta.network`.
NETWORK_MEASURES = ("MD", "SMD", "ROM", "VR", "CVR", "RR", "OR", "RD", "AS", "IRR", "IRD")
Domain = Annotated[
    str,
    About(
        allowed=(
            "risk_of_bias",
            "inconsistency",
            "indirectness",
            "imprecision",
            "publication_bias",
        )
    ),
]
# Nikolakopoulou et al. (2020), in their order.
CINEMA_DOMAINS = (
    "within_study_bias",
    "reporting_bias",
    "indirectness",
    "imprecision",
    "heterogeneity",
    "incoherence",
)
CinemaDomain = Annotated[str, About(allowed=CINEMA_DOMAINS)]
# Types of outcome and of comparison of Turner et al. (2015) and Rhodes et al. (2015): the keys of
# `headway.meta.bayes.TURNER` and `RHODES`; a test holds the two together.
TURNER_OUTCOMES = (
    "any",
    "all-cause mortality",
    "obstetric outcomes",
    "cause-specific mortality, major morbidity",
    "resource use, hospital stay, process",
    "surgical or device success or failure",
    "withdrawals",
    "internal, structure-related outcomes",
    "general physical health",
    "adverse events",
    "infection, onset of new disease",
    "signs or symptoms, continuation or end of condition",
    "pain",
    "quality of life, functioning",
    "mental health",
    "biological markers",
    "subjective outcomes",
)
TURNER_COMPARISONS = (
    "any",
    "pharmacological v control",
    "pharmacological v pharmacological",
    "non-pharmacological v control",
    "non-pharmacological v pharmacological",
    "non-pharmacological v non-pharmacological",
)
RHODES_OUTCOMES = (
    "any",
    "obstetric outcomes",
    "resource use, hospital stay, process",
    "internal, external structure-related outcomes",
    "physical health, adverse events, pain, quality of life",
    "signs or symptoms, infection, onset of new disease",
    "mental health",
    "biological markers",
    "subjective outcomes",
)
RHODES_COMPARISONS = (
    "any",
    "pharmacological v control",
    "pharmacological v pharmacological",
    "non-pharmacological",
)
Delimiter = Literal[",", ";", "\t", "|"]
Encoding = Literal["utf-8", "latin-1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The question in PICO form."""

    population: str = ""
    intervention: str = ""
    comparator: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Smallest and largest value one person can have, in the outcome's unit."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An outcome and the unit in which it is pooled."""

    label: str = ""
    unit: Unit
    lower_is_better: bool = True
    scale: Scale = Scale()
    steps: Annotated[
        Mapping[str, Annotated[float, About(above=0)]],
        About(
            "Unit as printed -> step between the values one person can have in it, such as "
            "{hit6_36_78: 1}. Declared, it lets GRIM and GRIMMER judge means and SDs."
        ),
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of meta-analysis; the codes are those of docs/meta.md."""

    # Kenward-Roger rests on restricted maximum likelihood.
    BESIDE: ClassVar[Mapping[str, Any]] = {
        "if": {"properties": {"test": {"const": "kr"}}, "required": ["test"]},
        "then": {"properties": {"method": {"const": "REML"}}},
    }
    method: Literal["EE", "DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM"] = "REML"
    test: Literal["z", "t", "knha", "adhoc", "kr"] = "adhoc"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssumedR:
    """Correlation of before and after, where the data do not give it."""

    value: Correlation = 0.7
    sensitivity: tuple[Correlation, ...] = (0.5, 0.8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How near a recomputed number must come to the printed one."""

    units: Annotated[
        float,
        About(
            "Units of the last printed digit within which a number is reproduced.",
            unit="last digits",
            low=0,
        ),
    ] = 1
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column that is not read as it stands: several (joined by a space), a value, codes."""

    column: Text | None = None
    columns: Annotated[tuple[str, ...] | None, About(least=1)] = None
    value: Value | None = None
    codes: Mapping[Any, Value] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WideArms:
    """One row of files.arms holds both arms; canonical column -> the arm's column."""

    treatment: Mapping[str, Text | Column]
    control: Mapping[str, Text | Column]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFile:
    """A file of published numbers, and what is in it."""

    path: FileName
    delimiter: Delimiter = ","
    encoding: Encoding = "utf-8"
    decimal: Literal[".", ","] = "."
    may_be_empty: Annotated[
        bool, About("The file waits for rows; a header alone is then no error.")
    ] = False
    missing: tuple[Value, ...] = ("", "NA")
    columns: Annotated[
        Mapping[str, Text | Column],
        About(
            "Canonical column -> the file's own column, or an object with several columns (joined "
            "by a space) and codes. Columns that are not named here keep their own name."
        ),
    ] = field(default_factory=dict)
    constants: Annotated[
        Mapping[str, Value], About("Canonical column -> one value for the whole file.")
    ] = field(default_factory=dict)
    keep_where: Annotated[
        Mapping[str, Annotated[tuple[Value, ...], About(least=1)]],
        About("Column -> values; other rows are not read."),
    ] = field(default_factory=dict)
    wide: WideArms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmIs:
    """What an arm of individual data is."""

    role: Literal["treatment", "control"]
    technique: Technique | None = None
    comparator: Comparator | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IpdArm:
    """How an arm is coded, and what it is."""

    code: Value
    is_: ArmIs


@dataclass(frozen=True, slots=True, kw_only=True)
class IpdOutcome:
    """The columns of one outcome at one time."""

    outcome: str
    unit: Unit
    baseline: str | None = None
    value: str
    timepoint: str
    time_days: Annotated[float | None, About(unit="days")] = None
    blank_means_missing: Annotated[
        str | None, About("Column; if it is blank the value is missing, whatever is typed.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IpdFile:
    """Individual data of one trial; only the columns named here are read."""

    path: FileName
    clinic: Annotated[
        Id | None, About("The file is in this clinic's folder, not in the review's.")
    ] = None
    delimiter: Delimiter = ","
    encoding: Encoding = "utf-8"
    decimal: Literal[".", ","] = "."
    missing: tuple[Value, ...] = ("", "NA")
    disclosure: Annotated[
        Literal["public", "restricted"],
        About("Of restricted data, arms of seven people or fewer are withheld."),
    ] = "restricted"
    trial: Text
    year: int | None = None
    doi: str | None = None
    condition: str | None = None
    source: Text
    arm: Annotated[Text, About("Column that says who is in which arm.")]
    arms: Annotated[Mapping[str, IpdArm], About(least=2)]
    covariates: Annotated[tuple[str, ...], About("Numbers.")] = ()
    factors: Annotated[tuple[str, ...], About("Codes.")] = ()
    adjust: Annotated[
        tuple[str, ...],
        About("Covariates that the trial's difference is adjusted for, beside the baseline."),
    ] = ()
    outcomes: Annotated[tuple[IpdOutcome, ...], About(least=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFiles:
    """The files of a review."""

    BESIDE: ClassVar[Mapping[str, Any]] = {"minProperties": 1}
    arms: ReviewFile | None = None
    contrasts: ReviewFile | None = None
    pooled: ReviewFile | None = None
    risk_of_bias: ReviewFile | None = None
    ipd: IpdFile | None = None

    def declared(self) -> dict[str, ReviewFile | IpdFile]:
        """List the files that there are, by what they hold."""
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        return {kind: file for kind, file in held.items() if file is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderator:
    """What effects may go with: a column of the files, or what is known of every trial."""

    # A number has no levels.
    BESIDE: ClassVar[Mapping[str, Any]] = {
        "if": {"required": ["reference"]},
        "then": {"properties": {"type": {"const": "factor"}}, "required": ["type"]},
    }
    column: Annotated[
        Text,
        About(
            "A column of files.arms or files.contrasts (of several rows of a trial, the treatment "
            "arm's comes first), or: `year`, `n` (people, as pooled), `time_days`, `baseline_mean` "
            "and `control_risk` (in percent) of the control arm, `risk_of_bias` (overall)."
        ),
    ]
    label: Annotated[str, About("What it is called on the page. Default: the column.")] = ""
    unit: Annotated[str, About("What one more of a number is, such as `session`.")] = ""
    type: Annotated[
        Literal["number", "factor"],
        About("One coefficient per unit, or one per level against the reference."),
    ] = "number"
    reference: Annotated[
        str | None, About("Level that others are compared with. Default: the most frequent.")
    ] = None
    planned: Annotated[
        bool, About("Whether it was chosen before the results were seen, as a protocol says.")
    ] = False
    reason: Annotated[Text, About("Why effects should go with it; the page prints it.")]

    @property
    def name(self) -> str:
        """What the page calls it."""
        return self.label or self.column.replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnerPrior:
    """Prior of tau² for log odds ratios by type of outcome and comparison (Turner 2015)."""

    outcome: Annotated[str, About("`any` with any comparison.", allowed=TURNER_OUTCOMES)] = "any"
    comparison: Annotated[str, About(allowed=TURNER_COMPARISONS)] = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class RhodesPrior:
    """Prior of tau² for SMD, or for MD by `sd`, by type of outcome and comparison (Rhodes 2015)."""

    outcome: Annotated[str, About("`any` with any comparison.", allowed=RHODES_OUTCOMES)] = "any"
    comparison: Annotated[str, About(allowed=RHODES_COMPARISONS)] = "any"
    sd: Annotated[
        float | None,
        About("Of MD: the outcome's standard deviation between people, in its unit.", above=0),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TauPrior:
    """Prior of the between-trial standard deviation tau: one of its keys."""

    BESIDE: ClassVar[Mapping[str, Any]] = {
        "oneOf": [
            {"required": [key]}
            for key in ("half_normal", "half_cauchy", "uniform", "turner", "rhodes")
        ]
    }
    half_normal: Annotated[
        float | None, About("Scale, in the unit of the effects (of ratios: of logs).", above=0)
    ] = None
    half_cauchy: Annotated[
        float | None, About("Scale, in the unit of the effects (of ratios: of logs).", above=0)
    ] = None
    uniform: Annotated[
        float | None, About("From 0 to this, in the unit of the effects (of logs).", above=0)
    ] = None
    turner: TurnerPrior | None = None
    rhodes: RhodesPrior | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MuPrior:
    """Normal prior of the mean effect, in the unit of the effects (of ratios: of logs)."""

    mean: float
    sd: Annotated[float, About(above=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bayes:
    """Bayesian answer to a comparison, beside the other; docs/bayes.md."""

    tau: Annotated[
        tuple[TauPrior, ...],
        About(
            "The declared prior of the between-trial standard deviation, then others that show "
            "how much it decides.",
            several=True,
        ),
    ]
    mu: Annotated[
        MuPrior | None,
        About("Prior of the mean effect; flat without it, and then there is no Bayes factor."),
    ] = None
    threshold: Annotated[
        float | None,
        About(
            "Difference that matters, as the page shows effects (ratios as ratios): how probable "
            "an effect beyond it is, on the side that is better."
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is pooled."""

    id: Key
    label: Text
    outcome: str
    estimand: Annotated[
        Literal["between_arm", "within_arm", "single_arm"],
        About(
            "A difference between arms, the change within arms, or what single arms have. Never "
            "pooled together."
        ),
    ]
    measure: Annotated[
        str, About("metafor's code; docs/measures.md lists what each needs.", allowed=MEASURES)
    ]
    techniques: tuple[Technique, ...] = ()
    comparators: tuple[Comparator, ...] = ()
    kinds: Annotated[
        tuple[Literal["final", "change", "events"], ...] | None,
        About(
            "Kinds of arm rows, the preferred one first. Default: for MD and changes within arms "
            "[change, final], for measures of counts [events], for others [final] (change and "
            "final scores are not mixed in a standardised measure, nor in a ratio).",
            least=1,
        ),
    ] = None
    analysis: Annotated[
        AnalysisNumber | None,
        About(
            "Only rows with this number in their column `analysis` enter, as the file pools them: "
            "none is merged, and their column `subgroup` makes the subgroups."
        ),
    ] = None
    method: Annotated[
        Literal["MH", "Peto", "IV", "EXP_O_E"] | None,
        About(
            "Pool as RevMan does: Mantel-Haenszel, Peto, inverse variance, or O - E. The settings "
            "below and not the review's `model` then hold; docs/meta.md has the formulas."
        ),
    ] = None
    model: Annotated[
        Literal["fixed", "random"], About("Under `method`: one common effect, or a distribution.")
    ] = "random"
    ci_level: Annotated[
        float | None,
        About(
            "Of the intervals of this comparison; default: the review's level.",
            unit="percent",
            above=50,
            below=100,
        ),
    ] = None
    tau2: Annotated[
        Literal["DL", "REML"], About("Under `method`: estimator of the between-trial variance.")
    ] = "DL"
    ci: Annotated[
        Literal["wald", "hksj"],
        About("Under `method`: normal interval, or Hartung-Knapp-Sidik-Jonkman's."),
    ] = "wald"
    prediction: Annotated[
        bool, About("Under `method`: whether a prediction interval is given (RevMan Web, 2025).")
    ] = False
    swap_events: Annotated[bool, About("Of counts: effects of the non-event.")] = False
    totals: Annotated[
        Literal["all", "subgroups", "none"],
        About("What is pooled: everything, the subgroups alone, or nothing."),
    ] = "all"
    zero_events: Annotated[
        ZeroEvents | None, About("As the review's, for this comparison alone.")
    ] = None
    target_day: Annotated[
        float | None,
        About(
            "Of several timepoints of a trial, the one nearest to this day is pooled, and none "
            "further from it than `within_days`. Default: the nearest to day 84, however far.",
            unit="day",
        ),
    ] = None
    within_days: Annotated[
        float | None,
        About(
            "How far from `target_day` a result may lie. Default: half of `target_day`, and at "
            "least 14; a timepoint that `timepoints` names is never too far.",
            unit="days",
            low=0,
        ),
    ] = None
    timepoints: Annotated[
        Mapping[str, str], About("Trial -> the timepoint to pool, as the source names it.")
    ] = field(default_factory=dict)
    choose: Annotated[
        Mapping[str, str],
        About(
            "Trial -> which of its several effects to use, by its treatment arm, instrument or "
            "effect type."
        ),
    ] = field(default_factory=dict)
    several_arms: Annotated[
        Literal["combine", "split", "covariance"],
        About(
            "Treatment arms that share a control arm become one arm (Handbook 6.5.2.10), each "
            "meets its share of the control (23.3.4), or each meets all of it and the covariance "
            "that the shared arm brings is allowed for (Gleser and Olkin 2009)."
        ),
    ] = "combine"
    several_effects: Annotated[
        Literal["one", "combine", "multilevel", "multivariate"],
        About(
            "What becomes of effects of a trial that every rule leaves alike (scales, tests, "
            "differences between arms): the first in the file, one effect of them all, or all as "
            "dependent effects, tested by trials (CR2); `multivariate` also correlates their "
            "sampling errors."
        ),
    ] = "one"
    several_r: Annotated[
        Correlation, About("Assumed correlation of such effects, if it is needed.")
    ] = 0.5
    leave_out: Annotated[Mapping[str, str], About("Trial -> why it is shown and not pooled.")] = (
        field(default_factory=dict)
    )
    subgroup_by: Annotated[
        Literal["none", "comparator", "condition", "technique", "arm", "subgroup"],
        About(
            "`arm` (not between_arm): the technique, or for a control arm its kind; `subgroup`: "
            "the column of that name."
        ),
    ] = "none"
    moderators: Annotated[
        tuple[Moderator, ...],
        About("Meta-regressions, one for each; a level of trials, not of people."),
    ] = ()
    together: Annotated[
        bool, About("Whether all moderators also enter one regression, each beside the others.")
    ] = False
    bayes: Bayes | None = None
    note: str = ""

    @property
    def dependence(self) -> str:
        """Model of a trial's several effects, as table `pooled` names it; empty for one each."""
        if self.several_arms == "covariance":
            return "covariance"
        rule = self.several_effects
        return rule if rule in ("multilevel", "multivariate") else ""

    @property
    def grouping(self) -> str:
        """What subgroups are made of; the rows of an analysis bring their own."""
        return "subgroup" if self.analysis and self.subgroup_by == "none" else self.subgroup_by


@dataclass(frozen=True, slots=True, kw_only=True)
class CinemaJudgement:
    """A judgement of one domain of confidence in a network's estimate."""

    judgement: Literal["no_concerns", "some_concerns", "major_concerns"]
    why: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Cinema:
    """Confidence in one estimate of a network (CINeMA); typed and signed by people."""

    treatment: Text
    base: Text
    domains: Annotated[
        Mapping[CinemaDomain, CinemaJudgement],
        About("By domain; one that is absent is shown as still to be judged."),
    ] = field(default_factory=dict)
    confidence: Literal["high", "moderate", "low", "very_low"] | None = None
    signed_by: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Treatments that are compared with each other in one network (docs/network.md)."""

    id: Key
    label: Text
    outcome: str
    measure: Annotated[
        str, About("Contrasts within a trial must add up.", allowed=NETWORK_MEASURES)
    ]
    treatment_is: Annotated[
        Literal["kind", "arm"],
        About(
            "What an arm's treatment is called by: `kind`, its technique or, for a control arm, "
            "its comparator (of an active control its technique, where there is one); `arm`, the "
            "name of the arm."
        ),
    ] = "kind"
    treatments: Annotated[
        Mapping[Text, Text],
        About("Arm, or `trial: arm` -> treatment; arms not named here go by `treatment_is`."),
    ] = field(default_factory=dict)
    reference: Annotated[
        str, About("What the others are set against. Default: the treatment in most trials.")
    ] = ""
    method: Annotated[
        Literal["REML", "ML", "DL", "PM", "EE"] | None,
        About("Estimator of the one tau2. Default: the review's, or REML where that is another."),
    ] = None
    test: Annotated[
        Literal["adhoc", "knha", "t", "z"] | None,
        About("Default: the review's, or adhoc where that is another."),
    ] = None
    kinds: Annotated[
        tuple[Literal["final", "change", "events"], ...] | None,
        About("Kinds of arm rows, the preferred one first; defaults as for comparisons.", least=1),
    ] = None
    target_day: Annotated[float | None, About("As for comparisons.", unit="day")] = None
    within_days: Annotated[float | None, About("As for comparisons.", unit="days", low=0)] = None
    timepoints: Annotated[
        Mapping[str, str], About("Trial -> the timepoint to pool, as the source names it.")
    ] = field(default_factory=dict)
    leave_out: Annotated[Mapping[str, str], About("Trial -> why it is shown and not pooled.")] = (
        field(default_factory=dict)
    )
    order: Annotated[
        tuple[Text, ...],
        About(
            "All treatments, from the one that small trials would favour least to the one they "
            "would favour most; without it no comparison-adjusted funnel is drawn."
        ),
    ] = ()
    moderator: Annotated[
        Text | None,
        About("Column of numbers in files.arms: one coefficient against the reference."),
    ] = None
    modifiers: Annotated[
        tuple[Text, ...],
        About("Columns of files.arms that may modify effects, listed by comparison."),
    ] = ()
    cinema: tuple[Cinema, ...] = ()
    note: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of files.arms that are read for this network alone."""
        named = (*self.modifiers, self.moderator or "")
        return tuple(dict.fromkeys(name for name in named if name))


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledRow:
    """The row of files.pooled that holds the printed numbers."""

    outcome: str
    subgroup: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recompute:
    """What is held against a printed result.

    A pooled estimate (comparison), a coefficient of one of its moderators (moderator), a pair of a
    network (network, treatment, base), two arms of one trial, one arm of a trial (arm), or a
    difference adjusted from individual data (adjust).
    """

    BESIDE: ClassVar[Mapping[str, Any]] = {"minProperties": 1}
    comparison: Key | None = None
    subgroup: str = "overall"
    network: Key | None = None
    treatment: Text | None = None
    base: Text | None = None
    moderator: Annotated[
        str | None,
        About("One of the comparison's moderators: the number is its coefficient, alone."),
    ] = None
    level: Annotated[
        str | None, About("Of a factor: the level that is compared with the reference.")
    ] = None
    trial: str | None = None
    outcome: str | None = None
    timepoint: str | None = None
    treatment_arm: str | None = None
    control_arm: str | None = None
    arm: str | None = None
    adjust: Annotated[
        tuple[str, ...] | None,
        About("Covariates of files.ipd to adjust for; `baseline` is the value before."),
    ] = None

    @property
    def place(self) -> tuple[str, str, str]:
        """Trial, outcome and timepoint of a number that stands within one trial."""
        return self.trial or "", self.outcome or "", self.timepoint or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedResult:
    """A printed result, and what to hold against it."""

    id: Key
    label: Text
    analysis: Annotated[
        AnalysisNumber | None,
        About("Its number in the file it was stored in: an analysis (1.2) or a subgroup (1.2.1)."),
    ] = None
    estimate: Stored | None = None
    ci: tuple[Printed, Printed] | None = None
    from_pooled: Annotated[
        PooledRow | None, About("Take the printed numbers from this row of files.pooled.")
    ] = None
    sd: Printed | None = None
    n: Printed | None = None
    k: Annotated[int | None, About("Trials that the source pooled.", low=1)] = None
    unit: Unit | None = None
    positive_means: Literal["treatment_minus_control", "control_minus_treatment"] = (
        "treatment_minus_control"
    )
    source: str = ""
    status: Literal["retrieved", "computed", "recalled"] = "retrieved"
    model: Model | None = None
    level: Annotated[
        float | None,
        About("Level of its interval, if not the review's.", unit="percent", above=50, below=100),
    ] = None
    recompute: Recompute
    not_public: Annotated[str, About("What is missing where the number cannot be recomputed.")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskOfBias:
    """How the risk of bias is judged."""

    tool: Annotated[
        Literal["rob2", "rob1", "robins_i"],
        About(
            "RoB 2, the tool of 2011, or ROBINS-I for studies without randomisation. A column "
            "`tool` in files.risk_of_bias names another for a row."
        ),
    ] = "rob2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """What forest plots show beside the effects."""

    columns: Annotated[
        tuple[Text, ...],
        About(
            "Columns beside each trial: of files.arms or files.contrasts, such as "
            "[dose, sessions], or of the table effects, such as year."
        ),
    ] = ()
    show: Annotated[
        Literal["all", "pooled"],
        About("Whether rows that are not pooled stand in the plot too, or in the table alone."),
    ] = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Counts of the search, drawn as a PRISMA 2020 flow; what is absent is not stated."""

    databases: Count | None = None
    registers: Count | None = None
    other_sources: Count | None = None
    duplicates: Count | None = None
    automation: Count | None = None
    removed_other: Count | None = None
    screened: Count | None = None
    excluded: Count | None = None
    sought: Count | None = None
    not_retrieved: Count | None = None
    assessed: Count | None = None
    excluded_reasons: Mapping[str, Count] | None = None
    studies: Count | None = None
    reports: Count | None = None
    source: str | None = None

    def __bool__(self) -> bool:
        """Whether anything is stated."""
        return self != Flow()


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaningful:
    """Smallest difference that matters, in the outcome's unit (RR, OR, RD - risk)."""

    value: Annotated[float, About(above=0)]
    source: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What people without the treatment have; from the pooled trials if absent."""

    mean: float | None = None
    sd: Annotated[float | None, About(above=0)] = None
    risk: Annotated[
        float | None,
        About("With the event; without it under `swap_events`.", low=0, high=1),
    ] = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A judgement of one domain of certainty."""

    levels: Annotated[int, About("Levels down.", low=-2, high=0)]
    why: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row of the summary of findings."""

    comparison: Key
    subgroup: str = "overall"
    meaningful: Meaningful | None = None
    control: Control | None = None
    judgements: Annotated[
        Mapping[Domain, Judgement], About("By domain of certainty; each is signed for.")
    ] = field(default_factory=dict)
    certainty: Literal["high", "moderate", "low", "very_low"] | None = None
    signed_by: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """Published subgroup results combined; a check, never the source's analysis."""

    id: Key
    label: Text
    claim: Annotated[str, About("The printed sentence it is held against.")] = ""
    outcomes: Annotated[tuple[str, ...], About(least=1)]
    models: tuple[Model, ...] = (
        Model(method="EE", test="z"),
        Model(method="DL", test="z"),
        Model(method="DL", test="knha"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure or table whose numbers two people read by eye."""

    place: Annotated[Text, About("The figure or table, as the paper calls it.")]
    trials: Annotated[tuple[Text, ...], About("Its trials, from top to bottom.")] = ()
    unnamed: Annotated[
        Count, About("Trials below them whose names are still to be read, twice as well.")
    ] = 0
    into: Annotated[
        Literal["arms", "contrasts"],
        About("What its rows become: an arm each for treatment and control, or a contrast."),
    ] = "arms"
    numbers: Annotated[
        tuple[Text, ...],
        About(
            "Columns to read. Default: of each arm [n, mean, sd], of a contrast "
            "[effect, ci_low, ci_high]."
        ),
    ] = ()
    columns: Annotated[
        Mapping[str, Value],
        About("Canonical column -> what it holds in every row of the figure, such as outcome."),
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcribe:
    """What `headway transcribe` asks two readers for: docs/howto/transcribe.md."""

    figures: tuple[Figure, ...] = ()
    columns: Annotated[
        Mapping[str, Value], About("As those of a figure, for all of them; a figure's own win.")
    ] = field(default_factory=dict)
    treatment: Annotated[
        Mapping[Annotated[str, About(allowed=("arm", "technique"))], Text],
        About("The treatment arm of every row."),
    ] = field(default_factory=dict)
    control: Annotated[
        Mapping[Annotated[str, About(allowed=("arm", "comparator"))], Text],
        About("The control arm of every row."),
    ] = field(default_factory=dict)
    per_trial: Annotated[
        tuple[Text, ...],
        About("Further columns to read once for each row of a figure, such as comparator."),
    ] = ()
    seconds: Annotated[
        float, About("What one reader needs for one cell.", unit="seconds", above=0)
    ] = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What review.yaml may hold, with every default."""

    schema_version: Annotated[Literal[1], About("Version of this contract.")]
    id: Annotated[Id, About("The folder's name.")]
    title: Text
    language: Annotated[
        Literal["en", "es", "de"],
        About("Language of the page and its figures; tables carry codes, names stay as typed."),
    ] = "en"
    description: str = ""
    statement: Annotated[
        str, About("A plain sentence that the page shows first, such as what is not public.")
    ] = ""
    question: Question = Question()
    source: Text
    licence: Text
    citation: str = ""
    doi: str = ""
    obtain: Annotated[str, About("How to get a file that is not shipped.")] = ""
    limitations: tuple[str, ...] = ()
    outcomes: Annotated[
        Mapping[Key, Outcome],
        About(
            "Outcome -> its unit; numbers in other units of the same kind are converted to it.",
            least=1,
        ),
    ]
    model: Annotated[Model, About("The declared model; the others are a sensitivity analysis.")] = (
        Model()
    )
    sensitivity_models: tuple[Model, ...] = (
        Model(method="EE", test="z"),
        Model(method="DL", test="z"),
        Model(method="REML", test="z"),
        Model(method="REML", test="knha"),
        Model(method="REML", test="adhoc"),
    )
    level: Annotated[float, About("Of every interval.", above=0.5, below=1)] = 0.95
    zero_events: Annotated[
        ZeroEvents,
        About(
            "Of trials with empty cells. `not_estimable`: a ratio without events, or with events "
            "only, in both arms is shown and not pooled; 0.5 is added to the cells of others; a "
            "risk difference is never moved. `metafor`: 0.5 is added wherever a cell is empty, and "
            "all are pooled."
        ),
    ] = "not_estimable"
    assumed_r: AssumedR = AssumedR()
    assumed_icc: Annotated[
        float | None,
        About(
            "Intracluster correlation of cluster trials that print none; they wait without it.",
            low=0,
            below=1,
        ),
    ] = None
    assumed_period_r: Annotated[
        Correlation | None,
        About(
            "Correlation of a person's values in the periods of crossover trials that print none; "
            "they wait without it."
        ),
    ] = None
    tolerance: Tolerance = Tolerance()
    files: ReviewFiles
    transcribe: Annotated[
        Transcribe, About("Numbers that stand in images and are to be read by two people.")
    ] = Transcribe()
    comparisons: Annotated[tuple[Comparison, ...], About(least=1)]
    networks: Annotated[
        tuple[Network, ...], About("Networks of treatments; docs/network.md shows one.")
    ] = ()
    published: Annotated[
        tuple[PublishedResult, ...], About("Printed results, and what to hold against them.")
    ] = ()
    risk_of_bias: RiskOfBias = RiskOfBias()
    forest: Forest = Forest()
    flow: Flow = Flow()
    findings: Annotated[
        tuple[Finding, ...],
        About(
            "Rows of the summary of findings. What can be computed is computed; the grade is typed "
            "by people and signed, and is never filled in."
        ),
    ] = ()
    consistency: Annotated[
        tuple[Consistency, ...],
        About("Published subgroup results combined; a check, never the source's analysis."),
    ] = ()

    @property
    def own_columns(self) -> tuple[str, ...]:
        """List columns of the files that are no contract's: of plots, networks, moderators."""
        of_networks = (name for network in self.networks for name in network.columns)
        of_moderators = (m.column for one in self.comparisons for m in one.moderators)
        return tuple(dict.fromkeys([*self.forest.columns, *of_networks, *of_moderators]))

    def model_of(self, network: Network) -> tuple[str, str]:
        """Find a network's estimator and test: its own, else the review's where networks have it.

        Whoever declares Kenward-Roger, or an estimator that needs rows without covariance, gets
        REML and the ad hoc interval.
        """
        methods, tests = ("REML", "ML", "DL", "PM", "EE"), ("adhoc", "knha", "t", "z")
        method, test = self.model.method, self.model.test
        method = network.method or (method if method in methods else "REML")
        test = network.test or (test if test in tests else "adhoc")
        return method, test

    def level_of(self, comparison: Comparison) -> float:
        """Find the coverage of a comparison's intervals, between 0 and 1."""
        return self.level if comparison.ci_level is None else comparison.ci_level / 100

    def zero_events_of(self, comparison: Comparison) -> ZeroEvents:
        """Find what becomes of a comparison's trials without events."""
        return comparison.zero_events or self.zero_events

    def comparison(self, id: str | None) -> Comparison:
        """Find a comparison by its id."""
        return next(c for c in self.comparisons if c.id == id)

    def network(self, id: str | None) -> Network:
        """Find a network by its id."""
        return next(n for n in self.networks if n.id == id)
