"""Traps that a clinic's records can hold: what each would look like, and whether these do.

A trap is a way of recording that makes a change look like something else. Each finder is a pure
function that returns a `Trap`; `build_traps` collects them. Records can look like a trap without
being one, so a flag is a doubt and never a verdict; and where a second source is needed and there
is none, the table says that the trap cannot be seen.

A flag on a clinic without the trap is to be rare: a rule that rests on a test is set to 1 % and
must stay below 2.5 % (benchmarks/traps.py counts both kinds of error).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit
from scipy.stats import binom, fisher_exact

from headway.errors import Problem
from headway.messages import Message, join, term
from headway.outcomes.change import recall
from headway.outcomes.change.attrition import SourceComparison
from headway.outcomes.change.windows import (
    DAYS_PER_WINDOW,
    Comparison,
    nearest,
    pair_windows,
)
from headway.tables import conform, empty
from headway.tables.diary import read_days_sql
from headway.tables.engine import open_engine

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from headway.config.clinic import Clinic
    from headway.tables.files import Stored

    Array = NDArray[np.float64]
    Bools = NDArray[np.bool_]

# Of the table `sessions`, what is looked at.
SESSION_COLUMNS = (*recall.SESSION_COLUMNS, "technique", "minutes")
NAN = float("nan")
MIN_PEOPLE = 5  # fewer people with a sign are typing errors, not a way of recording
IDS = ("zero_coded_missing", "unit_mix", "mnar_diary", "dropout_if_not_better")
# Answers: 0 among those without a sign of a visit or of a diary.
ZEROS_WITHOUT = 0.5  # at least this share of them is 0
CHANCE_OF_ZEROS = 1e-4
# Filled diaries: entries without headache at the end that half of somebody's headache days would
# leave with this chance.
FREE_ENTRIES = 28
CHANCE_OF_RUN = 1e-3
SHARE_OF_RUNS = 0.05
# Scales: people with at least so many scores, and the share of people on the other scale.
MIN_SCORES = 5
SHARE_ON_OTHER_SCALE = 0.05
OUTSIDE = 0.5  # of somebody's scores
TENTH = 1.0  # highest score of somebody on 0 to 10 whose scores were divided by ten
LEVEL = 0.98  # one-sided 1 %


@dataclass(frozen=True, slots=True)
class Trap:
    """Whether records look like a trap.

    Attributes
    ----------
    id
        One of `IDS`.
    flagged
        Whether the rule holds. False where the trap cannot be seen.
    n, of
        People the finding stands on, and out of how many; NaN where the trap cannot be seen.
    detail
        What was found, as messages; they hold no count of people, so that `n` and `of` are all
        that disclosure control has to look at.
    note
        The rule, or what would be needed to see the trap, as a message.
    """

    id: str
    flagged: bool
    n: float
    of: float
    detail: str
    note: str

    @property
    def seen(self) -> bool:
        """Whether the records could show the trap at all."""
        return not np.isnan(self.n)


def _unseen(id: str, why: Message) -> Trap:
    return Trap(id, False, NAN, NAN, "", why)


# --- zeros that stand for missing values ---------------------------------------------------------


def find_zero_answers(
    answers: pd.Series, observed: pd.Series, visited: pd.Series | None = None
) -> tuple[bool, int, int, str]:
    """Look for answers of 0 from people of whom nothing else is known.

    An answer "0 of the last 28 days" is doubted where it comes without a visit (no technique and
    no length stand beside it) or, in a clinic with a diary, without a diary entry in those days,
    while people with a visit or entries hardly ever say 0.

    The rule, for each of the two signs: at least 5 people without it say 0; they are at least half
    of all without it; and Fisher's exact test against the people with the sign has p < 1e-4
    (one-sided).

    Parameters
    ----------
    answers
        Days in the last 28 at the later visit, by patient_id.
    observed
        Days with a diary entry in the same 28 days, by patient_id; who is not in it has none.
        Empty where the clinic keeps no diary.
    visited
        Whether the answer stands beside a visit, by patient_id.

    Returns
    -------
    flag, zeros, answers, sign
        `zeros` are those without the sign if the rule holds, else all zeros; `sign` is what is
        missing beside them: `visit` or `entry`.
    """
    said = answers.dropna()
    zero = (said == 0).to_numpy()
    signs: list[tuple[str, Bools]] = []
    if visited is not None:
        signs.append(("visit", visited.reindex(said.index).fillna(False).to_numpy(dtype=bool)))
    if len(observed):
        entries = observed.reindex(said.index).fillna(0.0).to_numpy(dtype=float)
        signs.append(("entry", entries > 0))
    for name, sign in signs:
        bare, others = int((zero & ~sign).sum()), int((zero & sign).sum())
        n_bare, n_others = int((~sign).sum()), int(sign.sum())
        if bare < MIN_PEOPLE or bare < ZEROS_WITHOUT * n_bare or not n_others:
            continue
        table = [[bare, n_bare - bare], [others, n_others - others]]
        if fisher_exact(table, alternative="greater").pvalue < CHANCE_OF_ZEROS:
            return True, bare, len(said), name
    return False, int(zero.sum()), len(said), ""


def find_zero_spike(answers: pd.Series) -> tuple[bool, int, int]:
    """Look for more answers of 0 than of 1 to 3 days can explain.

    Headache days spread smoothly: few people have none where few have one, two or three. The rule:
    at least 5 people say 0, and that many or more among the answers of 0 to 3 have a chance below
    1e-4 if 0 were as likely as 1, 2 and 3 together (which leaves room for rounding).

    Returns
    -------
    flag, zeros, answers
    """
    said = answers.dropna().to_numpy(dtype=float)
    zeros, low = int((said == 0).sum()), int((said <= 3).sum())
    chance = float(binom.sf(zeros - 1, low, 0.5)) if low else 1.0
    return zeros >= MIN_PEOPLE and chance < CHANCE_OF_ZEROS, zeros, len(said)


def find_free_runs(entries: pd.DataFrame) -> tuple[bool, int, int]:
    """Look for diaries that were filled up with headache-free days.

    The rule: 5 people or more, and at least 5 % of those with a diary, end it with at least 28
    entries free of headache although, with half of the share of headache days they had until
    then, a run so long has a chance below 1e-3. Days are taken to follow each other as in
    `p(free | free) = 1 - p / 2 x (1 - 0.17)`, with the lag-1 correlation of the Kostecki-Dillon
    diary.

    Parameters
    ----------
    entries
        A row per person with headache: hits and entries up to the last headache day, run
        (entries after it).

    Returns
    -------
    flag, people, diaries
    """
    share = entries["hits"].to_numpy(dtype=float) / entries["entries"].to_numpy(dtype=float)
    length = entries["run"].to_numpy(dtype=float)
    with np.errstate(invalid="ignore"):
        chance = (1.0 - share / 2 * (1 - 0.17)) ** length
        long = (length >= FREE_ENTRIES) & (chance < CHANCE_OF_RUN)
    found, of = int(long.sum()), len(entries)
    return found >= MIN_PEOPLE and found >= SHARE_OF_RUNS * of, found, of


def find_zero_coded(
    sessions: pd.DataFrame,
    windows: pd.DataFrame,
    runs: pd.DataFrame,
    beside: pd.DataFrame,
    clinic: Clinic,
) -> Trap:
    """Look for zeros that stand for missing values in later answers and at the end of diaries.

    Wide files of one row per person are looked at before they are read, and refused
    (`headway.ingest.zero_coded`, `flag_refusal`).

    Parameters
    ----------
    sessions
        Table `sessions`.
    windows
        Table `windows`.
    runs
        As `find_free_runs` takes it; empty without a diary.
    beside
        As `recall.set_beside` makes it; empty without a diary.
    clinic
        clinic.yaml with its defaults.
    """
    id = "zero_coded_missing"
    own = windows[(windows["outcome"] == "frequency") & (windows["window"] == "post")]
    said = own[own["source"] == "visit"].set_index("patient_id")["value"]
    after = beside[beside["window"] == "post"]
    diary = after.set_index("patient_id")["days_observed"]
    if not len(said) and not len(runs):
        given = windows[
            (windows["source"] == "given")
            & (windows["outcome"] == "frequency")
            & ~windows["window"].isin(["earlier", "baseline"])
        ]
        if not len(given):
            return _unseen(id, Message("trap.nothing_after"))
        zeros = given.loc[given["value"] == 0, "patient_id"].nunique()
        return Trap(
            id,
            False,
            float(zeros),
            float(given["patient_id"].nunique()),
            Message("trap.zeros_apart"),
            Message("trap.held_when_read"),
        )
    n, of, signs = 0, 0, []
    if len(said):
        visited = _stand_beside_visit(sessions, clinic)
        flag, zeros, answered, sign = find_zero_answers(said, diary, visited)
        if flag:
            signs.append(
                Message(
                    "trap.zeros_without_visit" if sign == "visit" else "trap.zeros_without_entry"
                )
            )
        else:
            flag, zeros, answered = find_zero_spike(said)
            if flag:
                signs.append(Message("trap.far_more_zeros"))
        n, of = zeros, answered
    if len(runs):
        flag, filled, diaries = find_free_runs(runs)
        if flag:
            signs.append(Message("trap.filled_up"))
            if filled > n or len(signs) == 1:
                n, of = filled, diaries
        elif not len(said):
            n, of = filled, diaries
    found = join(signs or [Message("trap.zeros_expected")])
    return Trap(id, bool(signs), float(n), float(of), found, Message("trap.rules_of_zeros"))


def _stand_beside_visit(sessions: pd.DataFrame, clinic: Clinic) -> pd.Series | None:
    """Whether the answer after treatment stands in a row with a technique or a length.

    None where all or no answers do, so that it says nothing.
    """
    asked = sessions[sessions["headache_days_28"].notna()]
    treated = asked["technique"].notna() | asked["minutes"].notna()
    rule = clinic.windows.visit_recall
    low, high = rule.within_days
    near = nearest(asked.assign(treated=treated), "treated", low, high, rule.target_day)
    beside = near.set_index("patient_id")["value"].astype(bool)
    return beside if beside.any() and not beside.all() else None


# --- two scales in one column --------------------------------------------------------------------


def find_unit_mix(scores: pd.DataFrame, outside: int) -> Trap:
    """Look for people whose intensities are on another scale than the declared one.

    Declared as 0 to 10, scores of people who write 0 to 100 are out of range and set to missing:
    their headache days have no intensity, and the quarantine has as many cells. Declared as 0 to
    100, scores of people who write 0 to 10 become a tenth: nobody else stays at 1 or below.

    The rule: 5 people or more, and at least 5 % of those with five headache days or more, have
    (a) at least half of their intensities out of range, as far as the quarantined cells go round,
    or (b) none above 1 in five or more, while half of the others reach 4.

    Parameters
    ----------
    scores
        A row per person: headache_days, known (those with an intensity), highest (of them).
    outside
        Cells of the column that were out of range.
    """
    id = "unit_mix"
    if not len(scores) or not (scores["known"].sum() + outside):
        return _unseen(id, Message("trap.no_intensities"))
    days = scores["headache_days"].to_numpy(dtype=float)
    known = scores["known"].to_numpy(dtype=float)
    highest = scores["highest"].to_numpy(dtype=float)
    enough = days >= MIN_SCORES
    of = int(enough.sum())
    blank = enough & (days - known >= OUTSIDE * days)
    # Nobody's cells are counted twice: blanks that the quarantine cannot explain are blanks.
    unknown = np.sort((days - known)[blank])
    explained = int((np.cumsum(unknown) <= outside).sum())
    scored = known >= MIN_SCORES
    with np.errstate(invalid="ignore"):
        tenth = scored & (highest <= TENTH)
        rest = highest[scored & ~tenth]
    small = int(tenth.sum()) if len(rest) and np.median(rest) >= 4 else 0
    n = max(explained, small)
    flagged = n >= MIN_PEOPLE and n >= SHARE_ON_OTHER_SCALE * max(of, 1)
    if not flagged:
        detail = Message("trap.one_scale")
    elif explained >= small:
        detail = Message("trap.above_the_end")
    else:
        detail = Message("trap.below_a_tenth")
    return Trap(id, flagged, float(n), float(of), detail, Message("trap.rule_of_scales"))


# --- entries rather on headache days -------------------------------------------------------------


def find_chosen_days(beside: pd.DataFrame, starters: pd.Index) -> Trap:
    """Look for a diary that is opened rather on headache days, before or after.

    The rule is that of `attrition.compare_sources`, on the 28 days before each answer: a clinic
    whose diary is kept on any day is flagged in about 1 %.

    Parameters
    ----------
    beside
        As `recall.set_beside` makes it.
    starters
        Everyone who started.
    """
    id = "mnar_diary"
    # Without a count: it stands in `n`.
    found: list[tuple[Message, SourceComparison]] = []
    for window, label in (("baseline", "trap.entries_before"), ("post", "trap.entries_after")):
        result = recall.compare_side(beside, window, starters)
        if result is None or result.n < 2:
            continue
        # As printed: disclosure control has no look at the numbers of a message.
        places = {"value": round(result.difference, 1), "share": round(100 * result.share_observed)}
        places |= {"low": round(result.flag_low, 1), "high": round(result.flag_high, 1)}
        found.append((Message(label, **places), result))
    if not found:
        return _unseen(id, Message("trap.entries_not_said"))
    detail = join([message for message, _ in found])
    flagged = [result for _, result in found if result.flag]
    n = flagged[0].n if flagged else max(result.n for _, result in found)
    note = Message("trap.rule_of_entries")
    return Trap(id, bool(flagged), float(n), float(len(starters)), detail, note)


# --- people who left because they were not better -----------------------------------------------


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """The last answers of the lost against those of the analysed: lost - analysed, adjusted."""

    n: int
    n_analysed: int
    difference: float
    ci_low: float
    ci_high: float


def compare_last_answers(
    answers: pd.DataFrame, lost: Iterable[object], level: float = LEVEL
) -> LeftBehind:
    """Compare what the lost said last with what the analysed said at about that time.

    Of the lost the last later answer counts; of the analysed the one nearest to the median day of
    those. The difference is the coefficient of being lost in the analysis of covariance of the
    answer on being lost, the answer at intake and the day (ordinary least squares, t interval):
    people who start worse regress further, and time goes by.

    Parameters
    ----------
    answers
        patient_id, day, value (days in the last 28), before (the answer at intake); answers after
        at least 28 days only.
    lost
        Who did not enter the analysis.
    level
        Of the interval; 98 % errs in 1 % of clinics upwards.

    Returns
    -------
    LeftBehind
        NaN limits with fewer than 2 people on a side or too few for the covariates.
    """
    known = answers.dropna().sort_values(["patient_id", "day"], kind="stable")
    is_lost = known["patient_id"].isin(list(lost)).to_numpy()
    last = known[is_lost].drop_duplicates("patient_id", keep="last")
    stayed = known[~is_lost]
    if not len(last) or not len(stayed):
        return LeftBehind(len(last), stayed["patient_id"].nunique(), NAN, NAN, NAN)
    away = (stayed["day"] - float(last["day"].median())).abs()
    stayed = stayed.assign(away=away).sort_values(["patient_id", "away", "day"], kind="stable")
    stayed = stayed.drop_duplicates("patient_id")
    n, m = len(last), len(stayed)

    def columns(name: str) -> Array:
        return np.concatenate([last[name], stayed[name]]).astype(float)

    group = np.repeat([1.0, 0.0], [n, m])
    design = np.column_stack([np.ones(n + m), group, columns("before"), columns("day")])
    varied = np.ptp(design, axis=0) > 0
    varied[0] = True
    design, y = design[:, varied], columns("value")
    df = len(y) - design.shape[1]
    beta, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    difference = float(beta[1])
    if n < 2 or m < 2 or df < 1 or rank < design.shape[1]:
        return LeftBehind(n, m, NAN if rank < design.shape[1] else difference, NAN, NAN)
    residual = y - design @ beta
    variance = float(residual @ residual) / df * np.linalg.inv(design.T @ design)[1, 1]
    half = float(stdtrit(df, 0.5 + level / 2) * np.sqrt(variance))
    return LeftBehind(n, m, difference, difference - half, difference + half)


def find_dropout(
    sessions: pd.DataFrame,
    windows: pd.DataFrame,
    comparison: Comparison | None,
    starters: pd.Index,
    clinic: Clinic,
) -> Trap:
    """Look for people who left because they were not better.

    Flagged where the lost had more headache days at their last answer than the analysed at about
    that time: the 98 % interval of `compare_last_answers` lies above 0. The lost are those who
    started and have no complete value on both sides of the primary comparison.
    """
    import pandas as pd

    id = "dropout_if_not_better"
    if comparison is None:
        return _unseen(id, Message("trap.lost_not_said"))
    pairs = pair_windows(windows, comparison, clinic.primary_outcome)
    analysed = pd.Index(pairs["patient_id"])
    lost = starters.difference(analysed)
    if not len(lost):
        return Trap(id, False, 0.0, 0.0, Message("trap.nobody_lost"), "")
    intake = windows[
        (windows["source"] == "visit")
        & (windows["window"] == "baseline")
        & (windows["outcome"] == "frequency")
    ].set_index("patient_id")["value"]
    from_day = clinic.windows.visit_recall.intake_days[1] + DAYS_PER_WINDOW
    later = sessions["headache_days_28"].notna() & (sessions["day"] >= from_day)
    # An answer without a visit is no answer of somebody who came.
    later &= sessions["technique"].notna() | sessions["minutes"].notna()
    asked = sessions.loc[later & sessions["patient_id"].isin(starters)]
    answers = pd.DataFrame(
        {
            "patient_id": asked["patient_id"],
            "day": asked["day"].astype("float64"),
            "value": asked["headache_days_28"],
            "before": intake.reindex(asked["patient_id"]).to_numpy(),
        }
    )
    found = compare_last_answers(answers, lost)
    if not np.isfinite(found.ci_low):
        return _unseen(id, Message("trap.lost_not_said"))
    # As printed: disclosure control has no look at the numbers of a message.
    value, low, high = (round(v, 1) for v in (found.difference, found.ci_low, found.ci_high))
    detail = Message("trap.lost_were", value=value, low=low, high=high)
    note = Message("trap.rule_of_lost")
    return Trap(id, round(found.ci_low, 1) > 0, float(found.n), float(len(lost)), detail, note)


# --- together ------------------------------------------------------------------------------------


def build_traps(
    folder: Path,
    clinic: Clinic,
    windows: pd.DataFrame,
    starters: pd.Index,
    comparisons: list[Comparison],
    beside: pd.DataFrame | None = None,
    sessions: Stored | None = None,
) -> pd.DataFrame:
    """Look for every trap in a clinic's processed tables.

    Parameters
    ----------
    folder
        Folder of the processed tables (sessions, days) and of quarantine.csv.
    clinic
        clinic.yaml with its defaults.
    windows
        Table `windows`, all sources together.
    starters
        Everyone who started.
    comparisons
        Of `headway.outcomes.change.windows.list_comparisons`, the primary one first.
    beside
        `recall.set_beside` of these tables; None: it is made here.
    sessions
        The table `sessions`, opened; None: it is opened here.

    Returns
    -------
    DataFrame
        Table `traps`, before disclosure control.
    """
    from headway.tables import open_stored, read_csv

    quarantine = read_csv("quarantine", folder / "quarantine.csv")
    outside = count_outside(quarantine, clinic)
    # The diary first: it takes an engine, beside which the sessions would stand.
    people = summarise_diaries(folder / "days.parquet")
    mixed = find_unit_mix(people, outside)
    people = people[people["hits"] > 0]
    stored = open_stored(folder / "sessions.parquet") if sessions is None else sessions
    answers = stored.read(*SESSION_COLUMNS)
    if beside is None:
        # A diary that cannot be used (attacks alone) has no windows, and is held against nothing.
        both = {"diary", "visit"} <= set(windows["source"])
        asked = answers if both else answers.iloc[:0]
        beside = recall.set_beside(folder / "days.parquet", asked, clinic)
    return collect(
        [
            find_zero_coded(answers, windows, people, beside, clinic),
            mixed,
            find_chosen_days(beside, starters),
            find_dropout(
                answers, windows, comparisons[0] if comparisons else None, starters, clinic
            ),
        ]
    )


def collect(found: Iterable[Trap]) -> pd.DataFrame:
    """Write traps as the table `traps`."""
    import pandas as pd

    rows = [
        {
            "id": trap.id,
            "label": term("trap", trap.id),
            "flagged": bool(trap.flagged),
            "n": trap.n,
            "of": trap.of,
            "detail": trap.detail or None,
            "note": trap.note or None,
            "redacted": False,
        }
        for trap in found
    ]
    return conform("traps", pd.DataFrame(rows)) if rows else empty("traps")


def flag_refusal(problems: Iterable[Problem]) -> pd.DataFrame:
    """Write what a clinic was refused for as the table `traps`, where it is one of them.

    Parameters
    ----------
    problems
        Of the error that ingestion raised.
    """
    zeros = [p for p in problems if p.rule == "zero_coded_missing"]
    if not zeros:
        return empty("traps")
    most = max(p.count or 0 for p in zeros)
    places = sorted({(str(p.column), p.file) for p in zeros})
    columns = [Message("trap.column_of_file", column=c, file=f) for c, f in places]
    return collect(
        [
            Trap(
                "zero_coded_missing",
                True,
                float(most),
                NAN,
                Message("trap.zeros_in_columns", columns=columns),
                Message("trap.until_settled"),
            )
        ]
    )


def summarise_diaries(days: Path) -> pd.DataFrame:
    """Summarise each person's diary, for `find_free_runs` and `find_unit_mix`.

    Returns
    -------
    DataFrame
        patient_id, hits and entries up to the last headache day, run (entries after it),
        headache_days, known (headache days with an intensity), highest intensity.
    """
    sql = (
        "WITH e AS NOT MATERIALIZED (SELECT patient_id, day, headache, intensity "
        f"FROM {read_days_sql(days)} WHERE headache IS NOT NULL), "
        "l AS (SELECT patient_id, max(day) FILTER (WHERE headache = 1) AS last_day FROM e "
        "GROUP BY patient_id), "
        "d AS NOT MATERIALIZED (SELECT * FROM e JOIN l USING (patient_id)) "
        "SELECT patient_id, sum(headache)::DOUBLE AS hits, "
        "count(*) FILTER (WHERE day <= last_day)::DOUBLE AS entries, "
        "count(*) FILTER (WHERE day > last_day)::DOUBLE AS run, "
        "sum(headache)::DOUBLE AS headache_days, "
        "count(intensity) FILTER (WHERE headache = 1)::DOUBLE AS known, "
        "max(intensity) FILTER (WHERE headache = 1) AS highest "
        "FROM d GROUP BY patient_id ORDER BY patient_id"
    )
    with open_engine(threads=1, near=days.parent) as connection:
        return connection.execute(sql).df()


def count_outside(quarantine: pd.DataFrame, clinic: Clinic) -> int:
    """Count the diary's intensities that were out of range."""
    names = set()
    for kind in ("diary", "attacks"):
        for spec in clinic.files.get(kind, ()):
            entry = spec.columns.get("intensity")
            if entry is not None:
                names.add((spec.path, entry if isinstance(entry, str) else entry.column))
    cells = quarantine[(quarantine["scope"] == "cell") & (quarantine["rule"] == "out_of_range")]
    # A workbook's rows name the sheet behind the file.
    return sum(
        str(file).startswith(path) and column == own
        for file, column in zip(cells["file"], cells["column"], strict=True)
        for path, own in names
    )
