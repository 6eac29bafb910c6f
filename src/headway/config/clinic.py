"""The settings of a clinic: `clinic.yaml`. docs/clinic.yaml.md shows them by example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from headway.config.schema import About, FileName, Id, Key, Text

Value = str | float | int
Days = tuple[int, int]
Outcome = Literal["frequency", "intensity", "duration", "headache_index"]
# What the gate refuses a column for (headway.ingest.gate).
GateRule = Literal[
    "name",
    "birth_date",
    "phone",
    "email",
    "address",
    "record_number",
    "network",
    "biometric",
    "url",
    "ip",
    "ssn",
    "nhs_number",
    "national_number",
    "plan_number",
    "account",
    "device",
    "vehicle",
    "coordinates",
    "postcode",
    "full_date",
    "age_over_89",
    "person_name",
    "free_text",
    "near_unique",
]
FileKind = Annotated[
    str,
    About(allowed=("patients", "sessions", "diary", "attacks", "windows", "questionnaires")),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """How much may stay unread, and why; without it a fifth."""

    up_to: Annotated[
        float,
        About(
            "A larger share of a column's filled cells that cannot be read, or of a file's rows "
            "that are set aside, and the clinic is refused.",
            low=0,
            high=1,
        ),
    ]
    reason: Annotated[Text, About("Why the mapping is not at fault; printed in the account.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a file that is not read as it stands."""

    BESIDE: ClassVar[Mapping[str, Any]] = {
        "oneOf": [{"required": ["column"]}, {"required": ["checkboxes"]}]
    }
    column: Annotated[Text | None, About("The clinic's own column.")] = None
    checkboxes: Annotated[
        Text | None, About("Field of REDCap whose columns are field___code; what is ticked.")
    ] = None
    list: Annotated[Text | None, About("What separates the parts of a list in one cell.")] = None
    unit: (
        Literal[
            "days_per_28",
            "days_per_month",
            "nrs_0_10",
            "vas_0_100",
            "hours",
            "minutes",
            "days",
            "years",
            "months",
        ]
        | None
    ) = None
    codes: Annotated[
        Mapping[Any, Value],
        About('The clinic\'s code -> the canonical value; "*" is any other text.'),
    ] = field(default_factory=dict)
    shifted: Annotated[
        Literal[True] | None,
        About(
            "The column holds dates, with or without a time, that were shifted per patient: of "
            "days (`day`, `start_day`, `diary_from`, `diary_to`) or of a `start_hour`."
        ),
    ] = None
    format: Annotated[
        str | None,
        About(
            'How shifted dates are written, where not as 2031-12-24; "excel" for the serial '
            "numbers of a spreadsheet."
        ),
    ] = None
    loss: Annotated[
        Loss | None, About("If more than a fifth of the filled cells cannot be read.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """When a zero is not an answer."""

    blank: Annotated[str, About("A 0 is missing if this column is blank.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WideColumn:
    """A column that holds one outcome in one window."""

    column: str
    window: Key | None = None
    outcome: Key
    unit: Literal[
        "days_per_28",
        "days_per_month",
        "nrs_0_10",
        "vas_0_100",
        "hours",
        "minutes",
        "days",
        "score",
    ]
    low: float | None = None
    high: float | None = None
    zero_means_missing_when: Blank | None = None
    loss: Annotated[
        Loss | None, About("If more than a fifth of the filled cells cannot be read.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowColumn:
    """The column that names the window of each row."""

    column: str
    codes: Annotated[Mapping[Any, Key], About(least=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redcap:
    """Which rows of a flat export of REDCap belong here."""

    events: Annotated[
        tuple[str, ...] | None,
        About("Values of redcap_event_name, as exported (raw or label)."),
    ] = None
    instrument: Annotated[
        str | None,
        About("Value of redcap_repeat_instrument; without it the rows that do not repeat."),
    ] = None
    dictionary: Annotated[
        FileName | None,
        About("The project's data dictionary; columns with `Identifier?` = y are refused."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fhir:
    """Which FHIR R4 resources of a bundle become rows."""

    resource: Literal["Observation", "QuestionnaireResponse"]
    incomplete: Annotated[
        bool,
        About("The files are meant to end before the last page of the search; else it is missed."),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftedDates:
    """Dates that were shifted per patient before they left the clinic."""

    column: str
    shifted: Literal[True]
    format: Annotated[
        str,
        About(
            'How they are written; ISO dates are read in any case, and "excel" is the serial '
            "number of a spreadsheet."
        ),
    ] = "%Y-%m-%d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A diary with a column for each day, which `columns:` names with `{n}` for its number."""

    first: Annotated[
        int,
        About("Number of the column whose day is the `day` (or the date) of the row."),
    ] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicFile:
    """One file of a clinic, and what is in it."""

    path: Annotated[
        FileName,
        About(
            "A file of the folder, or several with the same columns: .csv .tsv .txt, .xlsx .xlsm "
            ".xls .xlsb .ods, .parquet, FHIR as .json or .ndjson; also packed as .gz, or alone in "
            "a .zip.",
            several=True,
        ),
    ]
    delimiter: Annotated[
        str,
        About(
            "One character; auto takes a `sep=` line, then the one under which the header has the "
            "columns named here.",
            pattern=r'^(auto|[^"\r\n])$',
        ),
    ] = "auto"
    header_row: Annotated[
        int | None,
        About(
            "Line of the header in the file or row in the sheet, from 1; else the first that "
            "holds the columns named here. Lines above it are not read.",
            low=1,
        ),
    ] = None
    encoding: Annotated[
        str,
        About(
            "Name of an encoding; auto takes a byte-order mark, then UTF-8 where the whole file "
            "is, then Windows-1252 where nothing in the file speaks against it."
        ),
    ] = "auto"
    sheet: Annotated[
        str | tuple[str, ...] | None,
        About('Sheet of a workbook, a list of sheets, or "*" for all; else the first.'),
    ] = None
    decimal: Literal[".", ","] = "."
    missing: Annotated[
        tuple[Value, ...], About('Cells that mean "not recorded". Missing is never zero.')
    ] = ("", "NA")
    columns: Annotated[
        Mapping[str, Text | Column],
        About("Canonical column -> the clinic's own column, or an object with unit and codes."),
    ] = field(default_factory=dict)
    constants: Annotated[
        Mapping[str, Value], About("Canonical column -> one value for the whole file.")
    ] = field(default_factory=dict)
    wide: Annotated[
        tuple[WideColumn, ...],
        About("Columns that hold one outcome in one window each (files.windows only)."),
    ] = ()
    window_from: Annotated[
        WindowColumn | None,
        About("Where each row is one window (files.windows), the column that names it."),
    ] = None
    grid: Annotated[
        Grid,
        About(
            "Where `columns:` has a name such as `day{n}` (files.diary only), the columns day1, "
            "day2, ... are days of the row's person. `day` or `offset_from:` then say when the "
            "first of them was. If they hold intensity or hours, 0 is a day without headache and "
            "more than 0 one with it; a blank cell is unknown."
        ),
    ] = Grid()
    redcap: Redcap | None = None
    fhir: Fhir | None = None
    band: Annotated[
        Mapping[str, Annotated[int, About(low=2)]],
        About("Column of ages -> width of its bands; 90 and over is one band.", unit="years"),
    ] = field(default_factory=dict)
    keep_where: Annotated[
        Mapping[str, Annotated[tuple[Value, ...], About(least=1)]],
        About("Column -> values; other rows are counted as not selected (an arm of a trial)."),
    ] = field(default_factory=dict)
    drop: Annotated[
        tuple[str, ...], About("Columns that are never read; identifiers go here.")
    ] = ()
    accept: Annotated[
        Mapping[str, tuple[GateRule, ...]],
        About(
            "Column -> rules of the gate that are wrong about it. Someone has looked; the page's "
            "methods say so."
        ),
    ] = field(default_factory=dict)
    offset_from: Annotated[
        ShiftedDates | None,
        About(
            "Dates that were shifted per patient before they left the clinic become days since "
            "the patient's first session at once."
        ),
    ] = None
    loss: Annotated[
        Loss | None, About("If more than a fifth of the file's rows cannot be used.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """When treatment starts and ends."""

    start: Annotated[
        int | None,
        About(
            "Day on which treatment starts, for everyone; it belongs to treatment. Without it: "
            "the day of each patient's first session that names a technique (of the first session "
            "where none does), or `start_day` of the patients file; days are counted from it.",
            unit="day",
            null=True,
        ),
    ] = None
    end: Annotated[
        int | None,
        About("Last day that counts; later rows are quarantined.", unit="day", null=True),
    ] = None
    gap_weeks: Annotated[
        int,
        About("A longer pause between sessions starts a new course.", unit="weeks", low=1),
    ] = 12
    plausible_years: Annotated[
        float,
        About(
            "A day or date further than this from the middle of the patient's own records is a "
            "slip of the pen and is set aside.",
            unit="years",
            above=0,
        ),
    ] = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacks:
    """How an attack log becomes diary days."""

    unknown_length_h: Annotated[
        float | None,
        About(
            "An attack whose length is not known may have lasted this long: the days after its "
            "first are then unknown. Without it 168 where the condition is tension-type headache, "
            "else 72 (ICHD-3); 24 where each row stands for one day.",
            unit="hours",
            above=0,
            null=True,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A span of days, both ends included."""

    from_: Annotated[int | None, About("First day; null leaves it open.", unit="day", null=True)]
    to: Annotated[int | None, About("Last day; null leaves it open.", unit="day", null=True)]
    label: str = ""
    min_days: Annotated[
        int | None, About("In place of `windows.min_days`.", unit="days", low=1)
    ] = None
    anchor: Annotated[
        Literal["start", "last_session"],
        About(
            "What the days count from. The end of a course depends on how it went, so windows "
            "after the last session are secondary."
        ),
    ] = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRecall:
    """Answers to "days in the last 28", asked at visits."""

    intake_days: Annotated[
        Days, About("Days on which the answer before treatment counts.", unit="days")
    ] = (-28, 0)
    target_day: Annotated[int, About("The answer nearest to this day counts.", unit="day")] = 84
    within_days: Annotated[
        Days, About("Days on which the answer after treatment counts.", unit="days")
    ] = (70, 112)


def _windows() -> dict[str, Window]:
    return {
        "earlier": Window(from_=-56, to=-29, label="weeks 8 to 5 before treatment"),
        "baseline": Window(from_=-28, to=-1, label="4 weeks before treatment"),
        "post": Window(from_=56, to=83, label="weeks 9 to 12"),
        "followup_1": Window(from_=84, to=111, label="weeks 13 to 16"),
        "post_course": Window(
            from_=1, to=28, label="4 weeks after the last session", anchor="last_session"
        ),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The windows of days that are compared."""

    min_days: Annotated[
        int,
        About("Days with an entry that make a window of 28 days complete.", unit="days", low=1),
    ] = 20
    named: Annotated[
        Mapping[Key, Window],
        About("Windows by name, first and last day included; null leaves an end open."),
    ] = field(default_factory=_windows)
    mean_of_two_baselines: Annotated[
        bool,
        About(
            "The value before is the mean of `earlier` and `baseline`, in every number of the "
            "page, and only people with both count."
        ),
    ] = False
    visit_recall: VisitRecall = VisitRecall()

    def days_needed(self, name: str) -> int:
        """Days with an entry that make a window complete."""
        window = self.named.get(name)
        return (window and window.min_days) or self.min_days


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPair:
    """Two windows to compare."""

    id: Id
    label: str = ""
    pre: str
    post: str
    primary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Individual:
    """Reliable change of one person in headache days (Jacobson and Truax 1991)."""

    sem: Annotated[
        float,
        About(
            "Standard error of measurement of one window, in untreated people.",
            unit="headache days",
            above=0,
        ),
    ] = 3.35
    source: str = "Vickers 2004, usual care, 28-day windows 3 months apart"
    border: Annotated[
        float | None,
        About(
            "Headache days of 28 in one window; improved from here or above to below it counts "
            "as recovered. No diagnosis: chronic headache (ICHD-3) lasts over 3 months.",
            unit="headache days",
            null=True,
        ),
    ] = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoff:
    """An entry threshold: only people with at least so many headache days were taken in."""

    days: Annotated[float, About(unit="headache days", low=0, high=28)]
    population_sd: Annotated[
        float,
        About("Standard deviation of one window in the population.", unit="headache days", above=0),
    ]
    source: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How people came to be taken in, where the clinic kept a limit; headache days per 28."""

    last: Annotated[
        float | None,
        About(
            "Fewest headache days in the last four weeks before treatment.",
            unit="days",
            low=0,
            high=28,
            null=True,
        ),
    ] = None
    both: Annotated[
        float | None,
        About(
            "Fewest headache days in each of the last two months.",
            unit="days",
            low=0,
            high=28,
            null=True,
        ),
    ] = None
    upper: Annotated[
        float | None,
        About(
            "Most headache days with which people were taken in.",
            unit="days",
            low=0,
            high=28,
            null=True,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What change in headache days would be expected without treatment."""

    population_means: Annotated[
        tuple[Annotated[float, About(low=0, high=28)], ...],
        About(
            "Means of the population that people come from, in headache days per 28, fixed before "
            "looking; the change has to clear the answer at each. Without it 3 to 8, by the "
            "clinic's own level. Page one says that it was declared, and its `source`.",
            unit="headache days",
            unique=True,
        ),
    ] = ()
    source: Text = (
        "bounds fixed before any clinic was looked at, from published untreated people "
        "(Vickers 2004, Jena 2008)"
    )
    retest: Annotated[
        float | None,
        About(
            "Correlation of two windows of one person, from people not treated. Without it .5 to "
            ".75, by the clinic's own level.",
            low=0,
            high=1,
            null=True,
        ),
    ] = None
    retest_n: Annotated[
        int | None, About("Number of people it comes from.", unit="people", low=4, null=True)
    ] = None
    retest_source: str = ""
    cutoff: Annotated[
        Cutoff | None,
        About("Only people with at least this many headache days were taken in.", null=True),
    ] = None
    leave_out: Annotated[
        tuple[Text, ...],
        About(
            "Published trials (by name or DOI) whose people are this clinic's own; the trial of "
            "the clinic's `doi` is left out in any case."
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Published trial arms beside the clinic's change: a description, not a comparison."""

    own_trial: Annotated[
        tuple[str, ...],
        About(
            "Trials (first author and year, or doi) made of the clinic's own people; left out. "
            "The clinic's own `doi` is left out without being named."
        ),
    ] = ()
    baseline_within: Annotated[
        float,
        About(
            "Arms whose mean before lies this many days from the clinic's, or nearer, come first, "
            "and only they are pooled. Intensity and duration take the same share of their scale.",
            unit="headache days",
            low=0,
        ),
    ] = 5
    time_within_days: Annotated[
        float,
        About(
            "An arm's time may lie this far from the middle of the clinic's window.",
            unit="days",
            low=0,
        ),
    ] = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class Relapse:
    """Time to relapse of responders in 28-day windows after the primary one."""

    response: Annotated[
        float,
        About("At risk are people whose frequency fell by at least this share.", above=0, high=1),
    ] = 0.5
    back_to: Annotated[
        float,
        About("A window at this share of the frequency before, or above, is a bad one.", above=0),
    ] = 0.75
    min_at_risk: Annotated[
        int,
        About(
            "A group with fewer people followed gets a curve but no number.", unit="people", low=1
        ),
    ] = 10
    horizon_days: Annotated[
        int | None,
        About(
            "Shares and mean times without relapse reach this far beyond the window after. Null: "
            "to the end of the last of `windows.named` that counts from the start and ends later, "
            "in whole windows; one window where there is none. Neither how many people are "
            "followed nor how they do decides.",
            unit="days",
            low=28,
            null=True,
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartNote:
    """Something that changed in the clinic, as a line in the control charts."""

    month: Annotated[int, About("Month index from which it holds.")]
    text: Annotated[Text, About("What it was, in a few words; no date and no name.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """Control charts."""

    phases: Annotated[
        tuple[int, ...],
        About("Month indices at which a new phase of the control charts starts."),
    ] = ()
    notes: Annotated[
        tuple[ChartNote, ...],
        About("What changed in the clinic and when: a labelled line in the control charts."),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """Resampling of people."""

    replicates: Annotated[int, About(low=200)] = 2000
    seed: Annotated[int, About(low=0)] = 20260101


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """How far the primary change depends on what is missing and on choices."""

    imputations: Annotated[
        int, About("Completed sets (multiple imputation by chained equations).", low=2)
    ] = 20
    cycles: Annotated[int, About("Cycles of the chain before a set is taken.", low=1)] = 10
    seed: Annotated[int, About(low=0)] = 20260101
    max_people: Annotated[
        int,
        About(
            "With more people, what is missing is imputed in a random sample of this many.",
            unit="people",
            low=100,
        ),
    ] = 5000
    completeness: Annotated[
        tuple[Annotated[int, About(low=1)], ...],
        About(
            "Rules for a complete window that are tried, beside `windows.min_days`.",
            unit="days",
            least=1,
        ),
    ] = (14, 20, 25)
    headache_hours: Annotated[
        tuple[Annotated[float, About(low=0)], ...],
        About("Shortest headaches that are tried, beside `min_duration_h`.", unit="hours", least=1),
    ] = (0.5, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Rules of the de-identification gate."""

    free_text_characters: Annotated[
        int,
        About(
            "A cell longer than this is free text, which can hold anything.",
            unit="characters",
            low=20,
        ),
    ] = 60
    k: Annotated[
        int | None,
        About(
            "Smallest group of patients alike in the quasi-identifiers. Without it 5, and no rule "
            "under `internal` and `public`, where k is only shown.",
            unit="people",
            low=1,
            null=True,
        ),
    ] = None
    quasi_identifiers: Annotated[
        tuple[
            Literal["age", "age_band", "sex", "condition", "chronicity_years", "start_year"], ...
        ],
        About("Columns of the patients file by which someone could be recognised."),
    ] = ("age", "age_band", "sex", "condition", "start_year")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinic:
    """What clinic.yaml may hold, with every default."""

    schema_version: Annotated[Literal[1], About("Version of this contract.")]
    id: Annotated[Id, About("Name of the folder.")]
    title: Text
    description: str = ""
    source: Annotated[Text, About("Where the records come from.")]
    licence: Annotated[Text, About("Under which terms they may be used.")]
    citation: str = ""
    doi: str = ""
    obtain: Annotated[
        str, About("How to get a file that is not shipped; shown when the clinic is skipped.")
    ] = ""
    condition: Annotated[
        str,
        About("ICHD-3 code of a headache, or another name (fibromyalgia, sciatica, ...)."),
    ] = "headache"
    language: Annotated[
        Literal["en", "es", "de"],
        About("Language of the page and its figures; tables carry codes."),
    ] = "en"
    synthetic: Annotated[
        bool, About("Made by a simulator; every page and figure is stamped SYNTHETIC.")
    ] = False
    disclosure: Annotated[
        Literal["opensafely", "cms", "nhs", "internal", "public"],
        About(
            "Small-number rules for everything that reaches results/. `internal` switches them "
            "off and stamps every page; `public` is for data that are already published."
        ),
    ] = "opensafely"
    primary_outcome: Outcome = "frequency"
    min_duration_h: Annotated[
        float,
        About(
            "A headache shorter than this counts as a headache day only if it was treated; where "
            "medication was not recorded, its day is unknown.",
            unit="hours",
            low=0,
        ),
    ] = 0.5
    course: Course = Course()
    attacks: Attacks = Attacks()
    files: Annotated[
        Mapping[
            FileKind,
            Annotated[tuple[ClinicFile, ...], About(several=True)],
        ],
        About(
            "What the clinic has, by kind: patients, sessions, diary, attacks, windows, "
            "questionnaires; one file or several with the same kind of rows.",
            least=1,
        ),
    ]
    windows: Windows = Windows()
    comparisons: Annotated[
        tuple[WindowPair, ...],
        About(
            "Pairs of windows to compare. The first with `primary` is the declared one.", least=1
        ),
    ] = (
        WindowPair(id="primary", pre="baseline", post="post", primary=True),
        WindowPair(id="follow_up", pre="baseline", post="followup_1"),
        WindowPair(id="post_course", pre="baseline", post="post_course"),
    )
    individual: Individual = Individual()
    entry: Annotated[
        Entry | None, About("The clinic's limits for taking people in, if it had any.", null=True)
    ] = None
    expected: Expected = Expected()
    benchmark: Benchmark = Benchmark()
    relapse: Relapse = Relapse()
    charts: Charts = Charts()
    bootstrap: Bootstrap = Bootstrap()
    sensitivity: Sensitivity = Sensitivity()
    gate: Gate = Gate()
