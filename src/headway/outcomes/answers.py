"""What a clinic's page will and will not be able to answer, told without running the analysis.

Each answer counts the people, sessions or visits that it would stand on, by the rules of the
analysis itself: the same sources, windows and pairs (`headway.outcomes.change`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.config.clinic import Window
from headway.messages import Message
from headway.outcomes.change import windows as windows_of
from headway.outcomes.change.cohort import find_starters
from headway.outcomes.change.sources import ASKED_AT_VISITS, Sources, find_sources, name_source
from headway.outcomes.change.windows import DAYS_PER_WINDOW, Comparison
from headway.tables import read_parquet
from headway.tables.diary import read_days_sql
from headway.tables.engine import open_engine

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from headway.config.clinic import Clinic

OUTCOMES = ("frequency", "intensity", "duration")
LEAST = 2  # people: one has no interval
_LATER = "later"  # the window after the one after
_RECORD = {
    "frequency": "answers.record_frequency",
    "intensity": "answers.record_intensity",
    "duration": "answers.record_duration",
    "headache_index": "answers.record_index",
    "safety": "answers.record_safety",
    "cost": "answers.record_cost",
}
_SESSIONS = {"safety": "answers.sessions_with_harms", "cost": "answers.visits_with_fee"}


@dataclass(frozen=True, slots=True)
class _Counts:
    """People of the primary comparison: by outcome, with an earlier window, followed later."""

    started: int
    paired: dict[str, int]
    earlier: int = 0
    responders: int = 0
    followed: int = 0


def list_answers(processed: Path, clinic: Clinic) -> list[dict[str, object]]:
    """List the questions of a clinic's page and whether its records can answer them.

    Parameters
    ----------
    processed
        Folder of the processed tables.
    clinic
        clinic.yaml with its defaults.

    Returns
    -------
    list of dict
        question (`frequency`, `intensity`, `duration`, `expected`, `relapse`, `safety`, `cost`),
        answered, n and of (people; sessions for `safety` and `cost`), why and remedy (messages;
        remedy is empty where there is nothing to mend).
    """
    sources = find_sources(processed, clinic)
    comparisons = windows_of.list_comparisons(clinic, set(sources.usable))
    primary = comparisons[0] if comparisons else None
    found = _count_people(processed, clinic, primary)
    outcomes = dict.fromkeys((*OUTCOMES, clinic.primary_outcome))
    out = [_outcome(o, found, sources, clinic) for o in outcomes]
    out += [_expected(found, primary, clinic), _relapse(found, primary, clinic)]
    return out + _sessions(processed)


def _answer(
    question: str, n: int, of: int, why: Message, remedy: str = "", *, least: int = LEAST
) -> dict[str, object]:
    return {
        "question": question,
        "answered": n >= least,
        "n": n,
        "of": of,
        "why": why,
        "remedy": remedy,
    }


# ---- people --------------------------------------------------------------------------------------


def _outcome(outcome: str, found: _Counts, sources: Sources, clinic: Clinic) -> dict[str, object]:
    n, of = found.paired.get(outcome, 0), found.started
    window = clinic.windows.named.get("post")
    places = {
        "target": clinic.windows.visit_recall.target_day,
        "first": -DAYS_PER_WINDOW,
        "last": 83 if window is None or window.to is None else window.to,
    }
    remedy: str = Message(_RECORD[outcome], **places)
    if n >= LEAST:
        remedy = ""
        if outcome == "frequency" and sources.short_untold:
            remedy = Message("answers.record_medication", hours=float(clinic.min_duration_h))
    why = Message("answers.people_with_both", n=n, of=of)
    if not n and sources.idle:
        kind, reason = next(iter(sources.idle.items()))
        why = Message("answers.nothing_of", source=name_source(kind), why=reason)
    elif not n and outcome not in found.paired:
        why = Message("answers.not_recorded")
    return _answer(outcome, n, of, why, remedy)


def _expected(found: _Counts, primary: Comparison | None, clinic: Clinic) -> dict[str, object]:
    of = found.paired.get(clinic.primary_outcome, 0)
    window = clinic.windows.named.get("earlier")
    first = -2 * DAYS_PER_WINDOW if window is None or window.from_ is None else window.from_
    why = Message("answers.people_with_earlier", n=found.earlier, of=of)
    if primary is not None and primary.source == "visit":
        why = Message("answers.visits_have_no_earlier")
    remedy = "" if found.earlier >= LEAST else Message("answers.record_earlier", first=first)
    return _answer("expected", found.earlier, of, why, remedy)


def _relapse(found: _Counts, primary: Comparison | None, clinic: Clinic) -> dict[str, object]:
    why = Message("answers.responders_followed", n=found.followed, of=found.responders)
    remedy = "" if found.followed else Message("answers.record_later", weeks=4)
    if primary is None or primary.source != "diary" or clinic.primary_outcome != "frequency":
        why = Message("answers.relapse_needs_diary")
    return _answer("relapse", found.followed, found.responders, why, remedy, least=1)


def _count_people(processed: Path, clinic: Clinic, primary: Comparison | None) -> _Counts:
    """Count who has both windows of the primary comparison, and what else is known of them."""
    starters = find_starters(processed)
    if primary is None:
        return _Counts(len(starters), {})
    if primary.source == "diary":
        return _count_diary(processed, clinic, primary, starters)
    if primary.source == "given":
        windows = windows_of.build_given_windows(read_parquet(processed / "given_windows.parquet"))
    else:
        asked = _read_columns(processed / "sessions.parquet", *ASKED_AT_VISITS.values())
        windows = windows_of.build_visit_windows(asked, clinic)
    windows = windows[windows["patient_id"].isin(starters)]
    pairs = windows_of.pair_windows(windows, primary)
    earlier = windows[windows["window"] == "earlier"]
    main = pairs.loc[pairs["outcome"] == clinic.primary_outcome, "patient_id"]
    with_earlier = earlier.loc[earlier["outcome"] == clinic.primary_outcome, "patient_id"]
    counts = pairs["outcome"].value_counts()
    return _Counts(
        len(starters),
        {o: int(counts.get(o, 0)) for o in set(windows["outcome"])},
        earlier=int(main.isin(with_earlier).sum()),
    )


def _read_columns(path: Path, *columns: str) -> pd.DataFrame:
    with open_engine(near=path.parent) as connection:
        names = ", ".join(("patient_id", "day", *columns))
        return connection.execute(f"SELECT {names} FROM read_parquet(?)", [str(path)]).df()


def _count_diary(
    processed: Path, clinic: Clinic, primary: Comparison, starters: pd.Index
) -> _Counts:
    """Count within DuckDB, so that a million people are never held in memory."""
    courses = None
    visits = _read_columns(processed / "sessions.parquet")
    if len(visits):
        courses = windows_of.find_courses(visits, clinic.course.gap_weeks)
    wanted = (primary.pre, primary.post, "earlier")
    named = {k: w for k, w in clinic.windows.named.items() if k in wanted}
    after = named.get(primary.post)
    if after is not None and after.to is not None and after.anchor == "start":
        named[_LATER] = Window(from_=after.to + 1, to=after.to + DAYS_PER_WINDOW)
    narrowed = replace(clinic, windows=replace(clinic.windows, named=named))
    with open_engine(near=processed) as connection:
        connection.register("starters", starters.to_frame(index=False))
        if courses is not None:
            connection.register("courses", courses[["patient_id", "last_day", "next_start"]])
        wide = windows_of.diary_windows_sql(
            read_days_sql(processed / "days.parquet"),
            narrowed,
            None if courses is None else "courses",
        )
        connection.execute(
            f"CREATE TEMP TABLE w AS SELECT * FROM ({wide}) "
            "WHERE complete AND patient_id IN (SELECT patient_id FROM starters)"
        )
        return _count_pairs(connection, clinic, primary, len(starters))


def _count_pairs(
    connection: duckdb.DuckDBPyConnection, clinic: Clinic, primary: Comparison, started: int
) -> _Counts:
    outcomes = windows_of.DIARY_OUTCOMES
    value = f"value_{clinic.primary_outcome}"
    two = primary.mean_of_two_baselines

    def before(outcome: str) -> str:
        own = f"pre.value_{outcome}"
        return f"(({own} + e.value_{outcome}) / 2)" if two else own

    def both(outcome: str) -> str:
        return f"{before(outcome)} IS NOT NULL AND post.value_{outcome} IS NOT NULL"

    first = before(clinic.primary_outcome)
    # As `change.divide_by_before` has it.
    least = round(1 - clinic.relapse.response, 12)
    fell = f"{first} > 0 AND round(post.{value} / {first}, 12) <= {least!r}"
    tests = [
        *(both(o) for o in outcomes),
        f"{both(clinic.primary_outcome)} AND e.{value} IS NOT NULL",
        fell,
        f"{fell} AND l.{value} IS NOT NULL",
    ]
    joins = " ".join(
        f"{how} JOIN (SELECT * FROM w WHERE \"window\" = '{name}') {alias} USING (patient_id)"
        for how, name, alias in (
            ("", primary.post, "post"),
            ("LEFT", "earlier", "e"),
            ("LEFT", _LATER, "l"),
        )
    )
    found: Any = connection.execute(
        f"SELECT {', '.join(f'count(*) FILTER ({test})' for test in tests)} "
        f"FROM (SELECT * FROM w WHERE \"window\" = '{primary.pre}') pre {joins}"
    ).fetchone()
    known: Any = connection.execute(
        f"SELECT {', '.join(f'count(value_{o})' for o in outcomes)} FROM w"
    ).fetchone()
    paired = {o: n for o, n, any_ in zip(outcomes, found, known, strict=False) if any_}
    relapse = clinic.primary_outcome == "frequency"
    earlier, responders, followed = found[len(outcomes) :]
    return _Counts(started, paired, earlier, responders * relapse, followed * relapse)


# ---- sessions ------------------------------------------------------------------------------------


def _sessions(processed: Path) -> list[dict[str, object]]:
    """Tell whether harms were asked about and fees recorded."""
    with open_engine() as connection:
        found: Any = connection.execute(
            "SELECT count(*), count(*) FILTER (soreness_days IS NOT NULL "
            "OR lethargy_days IS NOT NULL OR adverse_event IS NOT NULL), "
            "count(*) FILTER (setting IS DISTINCT FROM 'at_home'), "
            "count(fee) FILTER (setting IS DISTINCT FROM 'at_home') FROM read_parquet(?)",
            [str(processed / "sessions.parquet")],
        ).fetchone()
    sessions, told, visits, paid = found
    out = []
    for question, n, of in (("safety", told, sessions), ("cost", paid, visits)):
        why = Message(_SESSIONS[question], n=n, of=of)
        if not sessions:
            why = Message("answers.no_sessions")
        remedy = "" if n else Message(_RECORD[question])
        out.append(_answer(question, n, of, why, remedy, least=1))
    return out
