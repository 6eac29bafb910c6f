"""Diary days and visit answers -> one value per person, window and outcome.

Definitions (DESIGN, section 4; IHS: Bendtsen 2010 for tension-type headache, Tassorelli 2018 and
Diener 2020 for migraine). A headache day is a day with headache of at least `min_duration_h`
hours, or a treated one; a shorter one of which nobody recorded whether it was treated is unknown.
Frequency is headache days per 28. A day without an entry is unknown and never a headache-free day.
Intensity and duration are means over headache days. The headache index is the sum of intensity x
hours per 28 days, 0 where there was no headache; a headache day without both numbers counts with
the mean of the person's others in the window.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.messages import Message, phrase
from headway.outcomes.change import instruments
from headway.outcomes.change.sources import ASKED_AT_VISITS
from headway.tables import TABLES, conform, empty, replacing, settle_texts, stack
from headway.tables.diary import read_days_sql
from headway.tables.engine import open_engine, quote
from headway.tables.private import restrict

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from headway.config.clinic import Clinic, Window

DAYS_PER_WINDOW = 28
# Outcomes of a diary, in the order of their names.
DIARY_OUTCOMES = ("duration", "frequency", "headache_index", "intensity")
# The engine's types of the kinds of a contract, texts apart.
_SQL_TYPES = {"int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN"}
# Means over headache days: people without headache in a window have none.
CONDITIONAL = ("intensity", "duration")
# What the table `windows` says of a value that was asked or given, not counted.
_NO_DAYS: dict[str, Any] = {
    **dict.fromkeys(("count", "days_observed", "days_possible"), float("nan")),
    "complete": True,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A pair of windows from one kind of source, and the rule for who enters.

    With `mean_of_two_baselines` the value before is the mean of `earlier` and `pre`, and only
    people with both enter.
    """

    id: str
    label: str
    pre: str
    post: str
    source: str
    primary: bool
    mean_of_two_baselines: bool

    @property
    def befores(self) -> tuple[str, ...]:
        """The windows that the value before is made of."""
        return ("earlier", self.pre) if self.mean_of_two_baselines else (self.pre,)


def window_length(window: Window | None) -> int | None:
    """Count the days of a declared window; None where an end is open."""
    if window is None or window.from_ is None or window.to is None:
        return None
    return int(window.to) - int(window.from_) + 1


def find_middle(clinic: Clinic, comparison: Comparison) -> float:
    """Find the middle of the days that the value after is about, in days from the start.

    An answer at a visit is about the 28 days before it. NaN where they differ between people.
    """
    if comparison.source == "visit":
        day = clinic.windows.visit_recall.target_day
        return day - DAYS_PER_WINDOW / 2 if comparison.post == "post" else math.nan
    window = clinic.windows.named.get(comparison.post)
    if window is None or window.from_ is None or window.to is None or window.anchor != "start":
        return math.nan
    return (window.from_ + window.to) / 2


def find_courses(sessions: pd.DataFrame, gap_weeks: int) -> pd.DataFrame:
    """Tell courses of treatment apart: a pause of more than `gap_weeks` starts a new one.

    Returns
    -------
    DataFrame
        patient_id, last_day (of the first course, the one that is analysed), next_start (first
        day of a second course, else NaN), courses, sessions (of the first course).
    """
    import pandas as pd

    # Visits before day 0 assess and do not treat.
    treated = sessions.loc[sessions["day"] >= 0, ["patient_id", "day"]]
    treated = treated.sort_values(["patient_id", "day"], kind="stable")
    gap = treated.groupby("patient_id")["day"].diff() > 7 * gap_weeks
    treated = treated.assign(course=gap.groupby(treated["patient_id"]).cumsum())
    first = treated[treated["course"] == 0].groupby("patient_id")["day"]
    second = treated[treated["course"] == 1].groupby("patient_id")["day"].min()
    out = pd.DataFrame({"last_day": first.max(), "sessions": first.size()})
    out["next_start"] = second.reindex(out.index).astype("float64")
    out["courses"] = treated.groupby("patient_id")["course"].max() + 1
    return out.reset_index()


def _disjoint(named: Mapping[str, Window]) -> list[list[str]]:
    """Sort windows into sets that do not overlap, so that one pass over the days serves a set."""
    sets: list[list[str]] = []
    for name, window in named.items():
        for members in sets:
            if not any(windows_overlap(window, named[m]) for m in members):
                members.append(name)
                break
        else:
            sets.append([name])
    return sets


def windows_overlap(a: Window, b: Window) -> bool:
    """Whether two declared windows can share a day for somebody."""
    if a.anchor != b.anchor:
        return True  # where one lies beside the other differs from person to person
    lows = [-math.inf if w.from_ is None else w.from_ for w in (a, b)]
    highs = [math.inf if w.to is None else w.to for w in (a, b)]
    return bool(lows[0] <= highs[1] and lows[1] <= highs[0])


def headache_day_sql(clinic: Clinic) -> str:
    """Write SQL for a diary day: 1 a headache day, 0 free of headache, NULL unknown.

    A headache shorter than `min_duration_h` counts if it was treated. Where medication was not
    recorded nobody knows, and the day is unknown. A headache of unknown length is taken as long
    enough.
    """
    return (
        f"CASE WHEN headache = 1 AND duration_hours < {float(clinic.min_duration_h)!r} "
        "THEN CAST(acute_medication > 0 AS INT) ELSE headache END"
    )


def diary_windows_sql(days: str, clinic: Clinic, courses: str | None = None) -> str:
    """Write SQL that aggregates diary days into the declared windows, a row per person and window.

    Each outcome of `DIARY_OUTCOMES` has a column `value_<outcome>`, NULL where it is unknown, and
    `count_<outcome>` with the days that it rests on. Only windows with an entry have a row.

    Sums are made of whole billionths, so that neither the order of the rows nor the number of
    threads can move a last digit.

    Parameters
    ----------
    days
        FROM clause of the table `days`.
    clinic
        clinic.yaml with its defaults.
    courses
        FROM clause of the courses (`find_courses`); windows that count from the last session
        need it.
    """
    named = {
        name: window
        for name, window in clinic.windows.named.items()
        if courses is not None or window.anchor == "start"
    }
    hd = headache_day_sql(clinic)
    join = "" if courses is None else f" LEFT JOIN {courses} USING (patient_id)"
    more = "" if courses is None else ", last_day, next_start"
    number = {name: i for i, name in enumerate(named)}
    # Days outside every window make a group of their own (k is NULL) that no rule takes: left out
    # before, they would cost the engine twice as much.
    parts = []
    for members in _disjoint(named):
        whens = " ".join(f"WHEN {_within(named[m])} THEN {number[m]}" for m in members)
        parts.append(
            "SELECT patient_id, k, count(hd) AS days_observed, CAST(sum(hd) AS DOUBLE) AS hits, "
            f"{', '.join(_mean(v) for v in ('intensity', 'duration', 'area'))}, "
            f"{'max(next_start)' if courses else 'NULL'} AS next_start, "
            f"{'max(last_day)' if courses else 'NULL'} AS last_day "
            f"FROM (SELECT *, CASE {whens} END AS k FROM d) "
            "GROUP BY patient_id, k HAVING count(hd) > 0"
        )
    rules = ", ".join(
        f"({number[name]}, '{name}', {window_length(w) or 'NULL'}, "
        f"{clinic.windows.days_needed(name)}, "
        f"{'NULL' if w.to is None else w.to}, {w.anchor == 'last_session'})"
        for name, w in named.items()
    )
    if not parts:
        columns = ", ".join(
            f"NULL::DOUBLE AS value_{o}, NULL::DOUBLE AS count_{o}" for o in DIARY_OUTCOMES
        )
        return (
            'SELECT NULL::VARCHAR AS patient_id, NULL::VARCHAR AS "window", 0 AS days_observed, '
            f"0 AS days_possible, false AS complete, {columns} WHERE false"
        )
    scale = f"({float(DAYS_PER_WINDOW)!r} / w.days_observed)"
    outcomes = {
        "duration": ("duration", "duration_n"),
        "frequency": (f"{scale} * hits", "hits"),
        # Not recorded is not an index of 0; a window without headache is.
        "headache_index": (
            "CASE WHEN (SELECT max(area_n) FILTER (WHERE k IS NOT NULL) FROM w) > 0 THEN "
            f"CASE WHEN hits = 0 THEN 0 ELSE {scale} * hits * area END END",
            "hits",
        ),
        "intensity": ("intensity", "intensity_n"),
    }
    selects = ", ".join(
        f"CAST({value} AS DOUBLE) AS value_{name}, CAST({count} AS DOUBLE) AS count_{name}"
        for name, (value, count) in outcomes.items()
    )
    # A later window that reaches into a second course is not follow-up of the first.
    reaches = (
        "coalesce(w.next_start <= r.last + CASE WHEN r.moving THEN w.last_day ELSE 0 END, false)"
    )
    values = {
        "intensity": "intensity",
        "duration": "duration_hours",
        "area": "intensity * duration_hours",
    }
    # Whole billionths: sums of them are exact in double precision, in whatever order they are made.
    exact = ", ".join(
        f"CASE WHEN {hd} = 1 THEN round(({value}) * 1e9) END AS {name}"
        for name, value in values.items()
    )
    return (
        f"WITH d AS (SELECT patient_id, day, {hd} AS hd, {exact}{more} FROM {days}{join}), "
        f"w AS MATERIALIZED ({' UNION ALL '.join(parts)}), "
        f'rules(k, name, possible, min_days, "last", moving) AS (VALUES {rules}) '
        'SELECT w.patient_id, r.name AS "window", w.days_observed, r.possible AS days_possible, '
        f"(w.days_observed >= r.min_days AND NOT {reaches}) AS complete, {selects} "
        "FROM w JOIN rules r ON w.k = r.k"
    )


def _as_rows(wide: str, clinic: Clinic, outcomes: Sequence[str], person: str) -> str:
    """Write SQL that turns `diary_windows_sql` into rows of the table `windows`, in its order.

    Texts come as numbers of an ENUM, codes of people as the type `person`.
    """
    names = ", ".join(f"'{outcome}'" for outcome in sorted(outcomes))
    values, counts = (
        ", ".join(f"{kind}_{outcome}" for outcome in sorted(outcomes))
        for kind in ("value", "count")
    )
    window, outcome = (
        "ENUM(" + ", ".join(f"'{name}'" for name in sorted(set(texts))) + ")"
        for texts in (clinic.windows.named or ["baseline"], outcomes)
    )
    return (
        "SELECT * FROM (SELECT patient_id, \"window\", 'diary'::ENUM('diary') AS source, "
        f"unnest([{names}])::{outcome} AS outcome, unnest([{values}]) AS value, "
        f'unnest([{counts}]) AS "count", days_observed, days_possible, complete '
        f"FROM (SELECT * REPLACE (patient_id::{person} AS patient_id, "
        f'"window"::{window} AS "window") FROM ({wide}) ORDER BY patient_id, "window")) '
        "WHERE value IS NOT NULL"
    )


def _within(window: Window) -> str:
    day = "day - last_day" if window.anchor == "last_session" else "day"
    tests = []
    if window.from_ is not None:
        tests.append(f"{day} >= {int(window.from_)}")
    if window.to is not None:
        tests.append(f"{day} <= {int(window.to)}")
    return " AND ".join(tests) or "true"


def _mean(name: str) -> str:
    """Write SQL for a mean over headache days from whole billionths, and its number of days."""
    return f"sum({name}) / 1e9 / nullif(count({name}), 0) AS {name}, count({name}) AS {name}_n"


def build_diary_windows(
    days: Path,
    clinic: Clinic,
    courses: pd.DataFrame | None = None,
    people: pd.Index | None = None,
    *,
    outcomes: Sequence[str] = DIARY_OUTCOMES,
    threads: int = 2,
) -> pd.DataFrame:
    """Aggregate diary days into the declared windows.

    Parameters
    ----------
    days
        Processed table `days` (parquet), counted from each person's start.
    clinic
        clinic.yaml with its defaults.
    courses
        `find_courses`, where there are sessions.
    people
        Codes of everyone, so that each is held once.
    outcomes
        Of `DIARY_OUTCOMES`, those that are wanted.

    Returns
    -------
    DataFrame
        Table `windows`, source `diary`, texts held as categories: a row per person, window and
        outcome in which at least one day has an entry. Not validated.
    """
    with open_engine(threads=threads, near=days.parent) as connection:
        rows = _diary_rows(connection, days, clinic, courses, people, outcomes)
        out = connection.execute(rows).df()
    return conform("windows", settle_texts(out, people), check=False)


def store_diary_windows(
    days: Path,
    clinic: Clinic,
    target: Path,
    courses: pd.DataFrame | None = None,
    *,
    threads: int = 2,
) -> None:
    """Aggregate diary days into the table `windows`, and store it as it is made.

    Parameters
    ----------
    days, clinic, courses
        As for `build_diary_windows`.
    target
        Where the table is to stand (parquet).
    """
    # Texts stay numbers of an ENUM up to the file, where they are texts.
    columns = ", ".join(
        f'"{column}"'
        if rule.kind == "text"
        else f'"{column}"::{_SQL_TYPES[rule.kind]} AS "{column}"'
        for column, rule in TABLES["windows"].columns.items()
    )
    with (
        replacing(target) as part,
        open_engine(threads=threads, near=days.parent) as connection,
    ):
        rows = _diary_rows(connection, days, clinic, courses, None, DIARY_OUTCOMES)
        connection.execute(
            f"COPY (SELECT {columns} FROM ({rows})) TO {quote(part)} "
            "(FORMAT parquet, COMPRESSION zstd)"
        )
        restrict(part)


def _diary_rows(
    connection: duckdb.DuckDBPyConnection,
    days: Path,
    clinic: Clinic,
    courses: pd.DataFrame | None,
    people: pd.Index | None,
    outcomes: Sequence[str],
) -> str:
    """Write SQL for the rows of the table `windows`, and hand the engine what it needs for it."""
    import pandas as pd

    if people is not None:
        connection.register("people", pd.DataFrame({"v": people.astype("str")}))
        connection.execute("CREATE TYPE person AS ENUM (SELECT v FROM people ORDER BY 1)")
    if courses is not None:
        own = courses[["patient_id", "last_day", "next_start"]]
        connection.register("courses", own.astype({"patient_id": "str"}))
    sql = diary_windows_sql(read_days_sql(days), clinic, None if courses is None else "courses")
    return _as_rows(sql, clinic, outcomes, "VARCHAR" if people is None else "person")


def nearest(
    answers: pd.DataFrame, column: str, low: float, high: float, target: float
) -> pd.DataFrame:
    """Take each person's answer nearest to a day within a range; the earlier of two as near."""
    near = answers[answers["day"].between(low, high)].copy()
    near["distance"] = (near["day"] - target).abs()
    near = near.sort_values(["patient_id", "distance", "day"], kind="stable")
    part = near.drop_duplicates("patient_id")[["patient_id", column]]
    return part.rename(columns={column: "value"})


def recall_ranges(clinic: Clinic) -> tuple[tuple[str, float, float, float], ...]:
    """List the windows of answers about the last 28 days: name, first and last day, target.

    An answer about 28 days that reaches back before treatment overlaps with the intake answer,
    so the last visit counts from day 28 on.
    """
    rule = clinic.windows.visit_recall
    (first, intake), (low, high) = rule.intake_days, rule.within_days
    return (
        ("baseline", first, intake, intake),
        ("post", low, high, rule.target_day),
        ("last_visit", intake + DAYS_PER_WINDOW, math.inf, math.inf),
    )


def _name_rows(rows: pd.DataFrame, **texts: str) -> pd.DataFrame:
    """Add columns in which every row has the same text, held once."""
    import pandas as pd

    same = np.zeros(len(rows), "int8")
    return rows.assign(
        **{name: pd.Categorical.from_codes(same, [text]) for name, text in texts.items()}
    )


def build_visit_windows(sessions: pd.DataFrame, clinic: Clinic) -> pd.DataFrame:
    """Take the intake answer and later answers to "days in the last 28" from session records.

    The intake answer is the one nearest to the start within `intake_days`; the primary later one
    is the nearest to `target_day` within `within_days` (the earlier of two as near). The last
    visit is secondary: how long a course lasts depends on how it went.
    """
    parts = []
    for outcome, column in ASKED_AT_VISITS.items():
        asked = sessions.loc[sessions[column].notna(), ["patient_id", "day", column]]
        for window, low, high, target in recall_ranges(clinic):
            reach = asked["day"].max() if target == math.inf and len(asked) else target
            part = nearest(asked, column, low, high, reach)
            parts.append(_name_rows(part, window=window, outcome=outcome))
    out = _name_rows(stack(parts), source="visit").assign(**_NO_DAYS)
    return conform("windows", out.sort_values(["patient_id", "window", "outcome"]))


def build_given_windows(given: pd.DataFrame) -> pd.DataFrame:
    """Take values that come as windows already; a blank stays unknown."""
    out = given.loc[given["value"].notna(), ["patient_id", "window", "outcome", "value"]]
    out = out.assign(source="given", **_NO_DAYS)
    return conform("windows", out.sort_values(["patient_id", "window", "outcome"]))


def build_questionnaire_windows(questionnaires: pd.DataFrame, clinic: Clinic) -> pd.DataFrame:
    """Take each instrument's intake score and the score nearest the target day (as for visits).

    The outcome is the instrument's canonical name; a score that the instrument cannot give is
    unknown (`headway.outcomes.change.instruments`).
    """
    parts = [empty("windows")]
    recall = clinic.windows.visit_recall
    (_, intake), (low, high) = recall.intake_days, recall.within_days
    target = recall.target_day
    ranges = (("baseline", -DAYS_PER_WINDOW, intake, 0), ("post", low, high, target))
    names = questionnaires["instrument"].map(lambda n: instruments.canonical(n) or n)
    for instrument, scores in questionnaires.groupby(names, sort=True):
        if instruments.canonical(str(instrument)):
            wrong = instruments.out_of_range(str(instrument), scores["score"])
            scores = scores[~wrong]
        for window, first, last, wanted in ranges:
            parts.append(
                _name_rows(
                    nearest(scores, "score", first, last, wanted),
                    window=window,
                    outcome=str(instrument),
                    source="visit",
                ).assign(**_NO_DAYS)
            )
    out = stack([p[list(parts[0])] for p in parts if len(p)] or parts[:1])
    return conform("windows", out.sort_values(["patient_id", "window", "outcome"]))


def list_comparisons(clinic: Clinic, sources: set[str]) -> list[Comparison]:
    """List the pairs of windows to compare, the primary one first.

    Diary windows are compared with diary windows and visit answers with visit answers; a mixed
    pair is never a change. Where `earlier` exists, its pair with `baseline` shows how the
    outcome moved before treatment started.
    """
    out = []
    two = clinic.windows.mean_of_two_baselines
    named = clinic.windows.named
    source = "given" if "given" in sources else "diary"
    if sources & {"given", "diary"}:
        declared_primary = [c.id for c in clinic.comparisons if c.primary]
        first = declared_primary[0] if declared_primary else clinic.comparisons[0].id
        for c in clinic.comparisons:
            mean_of_two = two and c.pre == "baseline" and "earlier" in named
            label = phrase("comparison", c.label) or Message(
                "comparison.mean_of_two" if mean_of_two else "comparison.windows",
                before=name_window(named, c.pre),
                after=name_window(named, c.post),
            )
            out.append(Comparison(c.id, label, c.pre, c.post, source, c.id == first, mean_of_two))
        if "earlier" in named and "baseline" in named:
            out.append(
                Comparison(
                    "before_treatment",
                    Message(
                        "comparison.before_treatment",
                        before=name_window(named, "earlier"),
                        after=name_window(named, "baseline"),
                    ),
                    "earlier",
                    "baseline",
                    source,
                    False,
                    False,
                )
            )
    if "visit" in sources:
        low, high = clinic.windows.visit_recall.within_days
        intake = Message("window.asked_at_intake")
        after = Message("window.asked_at_a_visit", low=low, high=high)
        label = Message("comparison.windows", before=intake, after=after)
        out.append(Comparison("visit_recall", label, "baseline", "post", "visit", not out, False))
        after = Message("window.asked_at_the_last_visit")
        label = Message("comparison.windows", before=intake, after=after)
        out.append(Comparison("last_visit", label, "baseline", "last_visit", "visit", False, False))
    return sorted(out, key=lambda c: not c.primary)


def name_window(named: Mapping[str, Window], window: str) -> str:
    """Name a window in a message: by its declared label, else by its first and last day."""
    rule = named.get(window)
    if rule is None:
        return phrase("window", window)
    if rule.label:
        return phrase("window", rule.label)
    low, high = (
        Message("window.day", day=end) if end is not None else Message(open_end)
        for end, open_end in ((rule.from_, "window.the_start"), (rule.to, "window.the_end"))
    )
    return Message("window.from_to", window=phrase("window", window), low=low, high=high)


def name_visit(clinic: Clinic, window: str) -> str:
    """Name a window that is an answer at a visit."""
    if window == "post":
        day = clinic.windows.visit_recall.target_day
        return Message("window.asked_near_day", day=day)
    named = {"baseline": "window.asked_at_intake", "last_visit": "window.asked_at_the_last_visit"}
    return Message(named[window]) if window in named else phrase("window", window)


def pair_windows(
    windows: pd.DataFrame, comparison: Comparison, outcome: str | None = None
) -> pd.DataFrame:
    """Pair each person's values before and after, once, by id, before anything is dropped.

    Parameters
    ----------
    windows
        Table `windows`.
    comparison
        The pair of windows.
    outcome
        The only outcome that is wanted; None: all of them.

    Returns
    -------
    DataFrame
        patient_id, outcome, pre, post, change, pre_count, post_count, n_pre (windows before);
        people with a complete value in every window only.
    """
    import pandas as pd

    keys = ["patient_id", "outcome"]
    asked = windows["window"].isin([*comparison.befores, comparison.post])
    asked &= (windows["source"] == comparison.source) & windows["complete"]
    if outcome is not None:
        asked &= windows["outcome"] == outcome
    usable = windows.loc[asked, [*keys, "window", "value", "count"]].astype({"count": "float64"})

    def side(own: pd.DataFrame, window: str) -> pd.DataFrame:
        rows = own.loc[own["window"] == window, ["patient_id", "value", "count"]]
        return rows.set_index("patient_id")

    parts = []
    for _, own in usable.groupby("outcome", observed=True):
        pre, post = side(own, comparison.pre), side(own, comparison.post)
        if comparison.mean_of_two_baselines:
            pre = (pre + side(own, "earlier").reindex(pre.index)) / 2
        pre["n_pre"] = len(comparison.befores)
        pre = pre.rename(columns={"value": "pre", "count": "pre_count"})
        post = post.rename(columns={"value": "post", "count": "post_count"})
        both = pre.join(post, how="inner").reset_index()
        both.insert(1, "outcome", own["outcome"].iloc[:1].repeat(len(both)).array)
        both["change"] = both["post"] - both["pre"]
        parts.append(both[both["pre"].notna() & both["post"].notna()])
    if not parts:
        numbers = ["pre", "pre_count", "n_pre", "post", "post_count", "change"]
        return usable[keys].assign(**dict.fromkeys(numbers, pd.Series(dtype="float64")))
    return stack(parts).sort_values(keys, kind="stable", ignore_index=True)
