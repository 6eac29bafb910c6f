"""Diary days and visit answers -> one value per person, window and outcome.

Definitions (DESIGN, section 4; IHS: Bendtsen 2010 for tension-type headache, Tassorelli 2018 and
Diener 2020 for migraine). A headache day is a day with headache of at least `min_duration_h`
hours, or a treated one. Frequency is headache days per 28. A day without an entry is unknown and
never a headache-free day. Intensity and duration are means over headache days. The headache index
is the sum of intensity x hours per 28 days, 0 where there was no headache; a headache day without
both numbers counts with the mean of the person's others in the window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.tables import OUTCOMES, conform, empty

if TYPE_CHECKING:
    import pandas as pd

DAYS_PER_WINDOW = 28


@dataclass(frozen=True, slots=True)
class Comparison:
    """A pair of windows from one kind of source, and the rule for who enters."""

    id: str
    label: str
    pre: str
    post: str
    source: str
    primary: bool
    mean_of_two_baselines: bool


def _quote(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def window_length(window: Mapping[str, Any]) -> int | None:
    """Count the days of a declared window; None where an end is open."""
    if window["from"] is None or window["to"] is None:
        return None
    return int(window["to"]) - int(window["from"]) + 1


def build_diary_windows(days: Path, clinic: Mapping[str, Any], *, threads: int = 2) -> pd.DataFrame:
    """Aggregate diary days into the declared windows.

    Parameters
    ----------
    days
        Processed table `days` (parquet).
    clinic
        clinic.yaml with its defaults.

    Returns
    -------
    DataFrame
        Table `windows`, source `diary`: a row per person, window and outcome in which at least
        one day has an entry.
    """
    import duckdb
    import pandas as pd

    start = clinic["course"]["start"]
    selects = []
    for name, window in clinic["windows"]["named"].items():
        length = window_length(window)
        bounds = []
        if window["from"] is not None:
            bounds.append(f"day - {start} >= {int(window['from'])}")
        if window["to"] is not None:
            bounds.append(f"day - {start} <= {int(window['to'])}")
        min_days = window.get("min_days", clinic["windows"]["min_days"])
        selects.append(
            f"SELECT patient_id, '{name}' AS \"window\", {length or 'NULL'} AS days_possible, "
            f"{min_days} AS min_days, count(hd) AS days_observed, sum(hd) AS count, "
            "avg(intensity) FILTER (WHERE hd = 1) AS intensity, "
            "avg(duration_hours) FILTER (WHERE hd = 1) AS duration, "
            "count(*) FILTER (WHERE hd = 1 AND intensity IS NOT NULL) AS n_intensity, "
            "count(*) FILTER (WHERE hd = 1 AND duration_hours IS NOT NULL) AS n_duration, "
            "CASE WHEN sum(hd) = 0 THEN 0 ELSE "
            "sum(hd) * avg(intensity * duration_hours) FILTER (WHERE hd = 1) END AS area "
            f"FROM d WHERE {' AND '.join(bounds) or 'true'} "
            "GROUP BY patient_id HAVING count(hd) > 0"
        )
    # A short untreated headache does not make a headache day; unknown length is taken as enough.
    hd = (
        "CASE WHEN headache = 1 AND duration_hours < "
        f"{float(clinic['min_duration_h'])!r} AND coalesce(acute_medication, 0) = 0 "
        "THEN 0 ELSE headache END"
    )
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {int(threads)}")
        wide = connection.execute(
            f"WITH d AS (SELECT patient_id, day, {hd} AS hd, intensity, duration_hours "
            f"FROM read_parquet({_quote(days)})) {' UNION ALL '.join(selects)} "
            'ORDER BY patient_id, "window"'
        ).df()
    wide["complete"] = wide["days_observed"] >= wide["min_days"]
    scale = DAYS_PER_WINDOW / wide["days_observed"]
    parts = []
    for outcome in OUTCOMES:
        if outcome == "headache_index" and not (wide["n_intensity"] * wide["n_duration"]).any():
            continue  # not recorded, which is not an index of 0
        part = wide[["patient_id", "window", "days_observed", "days_possible", "complete"]].copy()
        part["source"], part["outcome"] = "diary", outcome
        part["count"] = wide["count"]
        if outcome == "frequency":
            part["value"] = scale * wide["count"]
        elif outcome == "headache_index":
            part["value"] = scale * wide["area"]
        else:
            part["value"] = wide[outcome]
            part["count"] = wide[f"n_{outcome}"]
        parts.append(part[part["value"].notna()])
    out = pd.concat(parts, ignore_index=True)
    return conform("windows", out.sort_values(["patient_id", "window", "outcome"]))


def build_visit_windows(sessions: pd.DataFrame, clinic: Mapping[str, Any]) -> pd.DataFrame:
    """Take the intake answer and the answer nearest the target day from session records.

    The question asked at visits is "days in the last 28". The intake answer is the first within
    `intake_days`; the later one is the nearest to `target_day` within `within_days` (the earlier
    of two equally near ones). The last visit is not used: how long a course lasts depends on how
    it went.
    """
    import pandas as pd

    rule = clinic["windows"]["visit_recall"]
    columns = {
        "frequency": "headache_days_28",
        "intensity": "usual_intensity",
        "duration": "usual_duration_hours",
    }
    parts = []
    for outcome, column in columns.items():
        asked = sessions.loc[sessions[column].notna(), ["patient_id", "day", column]]
        for window, (low, high), target in (
            ("baseline", rule["intake_days"], rule["intake_days"][0]),
            ("post", rule["within_days"], rule["target_day"]),
        ):
            near = asked[asked["day"].between(low, high)].copy()
            near["distance"] = (near["day"] - target).abs()
            near = near.sort_values(["patient_id", "distance", "day"], kind="stable")
            part = near.drop_duplicates("patient_id")[["patient_id", column]]
            part = part.rename(columns={column: "value"})
            parts.append(part.assign(window=window, outcome=outcome))
    out = pd.concat(parts, ignore_index=True)
    out = out.assign(
        source="visit",
        count=float("nan"),
        days_observed=float("nan"),
        days_possible=float("nan"),
        complete=True,
    )
    return conform("windows", out.sort_values(["patient_id", "window", "outcome"]))


def build_given_windows(given: pd.DataFrame) -> pd.DataFrame:
    """Take values that come as windows already; a blank stays unknown."""
    out = given.loc[given["value"].notna(), ["patient_id", "window", "outcome", "value"]]
    out = out.assign(
        source="given",
        count=float("nan"),
        days_observed=float("nan"),
        days_possible=float("nan"),
        complete=True,
    )
    return conform("windows", out.sort_values(["patient_id", "window", "outcome"]))


def build_questionnaire_windows(
    questionnaires: pd.DataFrame, clinic: Mapping[str, Any]
) -> pd.DataFrame:
    """Take each instrument's intake score and the score nearest the target day (as for visits)."""
    import pandas as pd

    rule = clinic["windows"]["visit_recall"]
    parts = [empty("windows")]
    for instrument, scores in questionnaires.groupby("instrument", sort=True):
        for window, (low, high), target in (
            ("baseline", (-28, rule["intake_days"][1]), 0),
            ("post", rule["within_days"], rule["target_day"]),
        ):
            near = scores[scores["day"].between(low, high)].copy()
            near["distance"] = (near["day"] - target).abs()
            near = near.sort_values(["patient_id", "distance", "day"], kind="stable")
            part = near.drop_duplicates("patient_id")[["patient_id", "score"]]
            parts.append(
                part.rename(columns={"score": "value"}).assign(
                    window=window,
                    outcome=str(instrument),
                    source="visit",
                    count=float("nan"),
                    days_observed=float("nan"),
                    days_possible=float("nan"),
                    complete=True,
                )
            )
    out = pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)
    return conform("windows", out.sort_values(["patient_id", "window", "outcome"]))


def list_comparisons(clinic: Mapping[str, Any], sources: set[str]) -> list[Comparison]:
    """List the pairs of windows to compare, the primary one first.

    Diary windows are compared with diary windows and visit answers with visit answers; a mixed
    pair is never a change. Where `earlier` exists, its pair with `baseline` shows how the
    outcome moved before treatment started.
    """
    out = []
    two = clinic["windows"]["mean_of_two_baselines"]
    named = clinic["windows"]["named"]
    source = "given" if "given" in sources else "diary"
    if sources & {"given", "diary"}:
        declared_primary = [c["id"] for c in clinic["comparisons"] if c["primary"]]
        first = declared_primary[0] if declared_primary else clinic["comparisons"][0]["id"]
        for c in clinic["comparisons"]:
            mean_of_two = two and c["pre"] == "baseline" and "earlier" in named
            before = _label(named, c["pre"])
            if mean_of_two:
                before += " (mean with the 4 weeks before them, where both are complete)"
            label = c["label"] or f"{before} v {_label(named, c['post'])}"
            out.append(
                Comparison(
                    c["id"], label, c["pre"], c["post"], source, c["id"] == first, mean_of_two
                )
            )
        if "earlier" in named and "baseline" in named:
            out.append(
                Comparison(
                    "before_treatment",
                    f"{_label(named, 'earlier')} v {_label(named, 'baseline')}, "
                    "before treatment started",
                    "earlier",
                    "baseline",
                    source,
                    False,
                    False,
                )
            )
    if "visit" in sources:
        low, high = clinic["windows"]["visit_recall"]["within_days"]
        out.append(
            Comparison(
                "visit_recall",
                f"asked at intake v asked at a visit on days {low} to {high}",
                "baseline",
                "post",
                "visit",
                not out,
                False,
            )
        )
    return sorted(out, key=lambda c: not c.primary)


def _label(named: Mapping[str, Any], window: str) -> str:
    rule = named.get(window)
    if rule is None:
        return window
    if "label" in rule:
        return str(rule["label"])
    low = "the start" if rule["from"] is None else f"day {rule['from']}"
    high = "the end" if rule["to"] is None else f"day {rule['to']}"
    return f"{window} ({low} to {high})"


def pair_windows(windows: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """Pair each person's values before and after, once, by id, before anything is dropped.

    Returns
    -------
    DataFrame
        patient_id, outcome, pre, post, change, pre_count, post_count; people with a complete
        value on both sides only. With `mean_of_two_baselines` the value before is the mean of
        `earlier` and `baseline` where both are complete.
    """
    keys = ["patient_id", "outcome"]
    usable = windows[(windows["source"] == comparison.source) & windows["complete"]]

    def side(window: str) -> pd.DataFrame:
        rows = usable.loc[usable["window"] == window, [*keys, "value", "count"]]
        return rows.set_index(keys)

    pre, post = side(comparison.pre), side(comparison.post)
    if comparison.mean_of_two_baselines:
        earlier = side("earlier").reindex(pre.index)
        pre = pre.where(earlier["value"].isna(), (pre + earlier) / 2)
    pre = pre.rename(columns={"value": "pre", "count": "pre_count"})
    post = post.rename(columns={"value": "post", "count": "post_count"})
    both = pre.join(post, how="inner")
    both["change"] = both["post"] - both["pre"]
    both = both[both["pre"].notna() & both["post"].notna()]
    return both.reset_index().sort_values(keys, kind="stable", ignore_index=True)
