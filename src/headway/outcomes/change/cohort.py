"""All people of a clinic -> the tables `change`, `cohort`, `window_means`, `change_histogram`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headway.messages import Message, is_missing, join, phrase, term
from headway.outcomes.care.visits import find_last_day
from headway.outcomes.change import cointerventions, instruments, recall, reliable
from headway.outcomes.change import windows as windows_of
from headway.outcomes.change.attrition import compare_lost
from headway.outcomes.change.change import (
    Statistic,
    repeat_of_started,
    summarise_change,
    t_interval,
)
from headway.outcomes.change.missingness import (
    bound_change,
    measure_completeness,
)
from headway.outcomes.change.sources import (
    ASKED_AT_VISITS,
    NOT_USED,
    Sources,
    find_sources,
    list_idle,
    name_source,
)
from headway.outcomes.change.windows import Comparison, pair_windows
from headway.tables import conform, empty, open_stored, read_categories, stack, write_parquet
from headway.tables.diary import read_table_sql
from headway.tables.engine import open_engine
from headway.tables.files import share_texts

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic
    from headway.tables.files import Stored

UNITS = {
    "frequency": "days_per_28",
    "intensity": "nrs_0_10",
    "duration": "hours",
    "headache_index": "index_per_28",
}
# What characteristics before treatment are named by: outcomes before it, other windows.
BEFORE, WINDOW = "_before", "window_"
# Headache days of 28 in the window before. The number is that of ICHD-3's chronic headache, which
# needs more than three months of it: nobody is diagnosed from one window.
MANY_DAYS = 15
SEVERAL_THERAPISTS = "several"  # gave as many of somebody's sessions as each other
# Of the table `sessions`, what people are grouped by.
GROUP_COLUMNS = ("patient_id", "technique", "setting", "therapist")
# People's lines of one outcome: of more than so many, so many are kept.
MANY_LINES, LINES = 10_000, 2_000
_BIN_WIDTH = {"frequency": 4.0, "intensity": 1.0, "duration": 2.0}


@dataclass(frozen=True, slots=True)
class Cohort:
    """What a clinic's records say, before disclosure control."""

    change: pd.DataFrame
    cohort: pd.DataFrame
    individual: pd.DataFrame
    lost: pd.DataFrame
    window_means: pd.DataFrame
    change_histogram: pd.DataFrame
    change_lines: pd.DataFrame
    flow: pd.DataFrame


def find_unit(outcome: str) -> str:
    """Find the code of the unit in which an outcome is held; questionnaires are in points."""
    return UNITS.get(outcome, "points")


def find_people(folder: Path) -> pd.Index:
    """List the codes of everyone in a processed table, sorted."""
    return _list_people(folder, "patients", "sessions", "days", "questionnaires", "given_windows")


def find_starters(folder: Path) -> pd.Index:
    """List who started: people with a session; without session records, everyone on record.

    `folder` holds the processed tables.
    """
    found = _list_people(folder, "sessions")
    return found if len(found) else _list_people(folder, "patients", "days", "given_windows")


def _list_people(folder: Path, *names: str) -> pd.Index:
    import pandas as pd

    parts = " UNION ALL ".join(
        f"SELECT patient_id FROM {read_table_sql(folder, name)}" for name in names
    )
    with open_engine(near=folder) as connection:
        found = connection.execute(f"SELECT DISTINCT patient_id FROM ({parts}) ORDER BY 1").df()
    return pd.Index(found["patient_id"], name="patient_id", dtype="str")


def label_groups(
    sessions: pd.DataFrame, patients: pd.DataFrame, windows: pd.DataFrame, starters: pd.Index
) -> dict[str, pd.Series]:
    """Label each person with technique, setting, therapist, condition, year and baseline group.

    technique: the one used in most of the person's sessions in the office (`mixed` on a tie, or
    the most used one at home for people never seen in the office); setting: `in_office`,
    `at_home` or `both`; therapist: who gave most of the person's sessions (`several` on a tie);
    year: of the first session; baseline: at least 15
    or fewer than 15 headache days of 28 in the window before.
    """
    import pandas as pd

    out: dict[str, pd.Series] = {}
    sessions = sessions[list(GROUP_COLUMNS)]
    if sessions["technique"].notna().any():
        used = sessions[sessions["technique"].notna()]
        office = used[used["setting"] != "at_home"]
        never = used[~used["patient_id"].isin(office["patient_id"])]
        used = pd.concat([office, never])
        out["technique"] = _most_frequent(used, "technique", "mixed").reindex(starters)
    if sessions["setting"].notna().any():
        kinds = sessions[sessions["setting"].notna()].groupby("patient_id")["setting"]
        one = kinds.nunique() == 1
        out["setting"] = kinds.first().astype("str").where(one, "both").reindex(starters)
    known = sessions[sessions["therapist"].notna()]
    if known["therapist"].nunique() > 1:
        out["therapist"] = _most_frequent(known, "therapist", SEVERAL_THERAPISTS).reindex(starters)
    if patients["condition"].notna().any():
        out["condition"] = patients.set_index("patient_id")["condition"].reindex(starters)
    if patients["start_year"].notna().any():
        year = patients.set_index("patient_id")["start_year"].astype("Int64").reindex(starters)
        out["year"] = year.astype("str").where(year.notna())
    base = windows[
        (windows["window"] == "baseline")
        & (windows["outcome"] == "frequency")
        & windows["complete"]
    ].drop_duplicates("patient_id")
    if len(base):
        value = base.set_index("patient_id")["value"].reindex(starters)
        texts = np.array(["fewer than 15 of 28 days", "at least 15 of 28 days"], object)
        label = pd.Series(texts[(value >= MANY_DAYS).to_numpy(int)], index=starters, dtype="str")
        out["baseline"] = label.where(value.notna())
    return out


def label_earlier(
    windows: pd.DataFrame, comparison: Comparison, starters: pd.Index
) -> pd.Series | None:
    """Label who has the window before the baseline too; None where all have it, or none.

    Of the people who have it the expectation without treatment is judged; the others are shown
    beside them.
    """
    import pandas as pd

    if comparison.pre != "baseline":
        return None
    own = windows[
        (windows["source"] == comparison.source)
        & (windows["window"] == "earlier")
        & (windows["outcome"] == "frequency")
        & windows["complete"]
    ]
    known = starters.isin(own["patient_id"])
    if known.all() or not known.any():
        return None
    texts = np.array(["not known", "known"], object)
    return pd.Series(texts[known.astype(int)], index=starters, dtype="str")


def _most_frequent(sessions: pd.DataFrame, column: str, tie: str) -> pd.Series:
    """Take each person's most frequent value of a column; `tie` where two are as frequent."""
    counts = sessions.groupby(["patient_id", column]).size().unstack(fill_value=0)
    top = counts.max(axis=1)
    several = counts.eq(top, axis=0).sum(axis=1) > 1
    return counts.idxmax(axis=1).astype("str").where(~several, tie)


def build_cohort(
    windows: pd.DataFrame,
    starters: pd.Index,
    groups: Mapping[str, pd.Series],
    comparisons: list[Comparison],
    clinic: Clinic,
    characteristics: pd.DataFrame,
) -> Cohort:
    """Summarise every comparison and outcome; groups for the primary outcome and comparison.

    Parameters
    ----------
    windows
        Table `windows`, all sources together.
    starters
        Everyone who started; every denominator `of` counts them.
    groups
        Family -> label per person (`label_groups`).
    characteristics
        What was known of each person before treatment (`describe_people`).
    """
    import pandas as pd

    crossed, lost = empty("individual"), empty("lost")
    rows: list[dict[str, object]] = []
    means: list[dict[str, object]] = []
    bins: list[dict[str, object]] = []
    flow: list[dict[str, object]] = []
    changes = []
    columns = ["patient_id", "comparison", "outcome", "pre", "post", "change"]
    primary_outcome = clinic.primary_outcome
    boot = clinic.bootstrap
    for comparison in comparisons:
        pairs = pair_windows(windows, comparison)
        pairs = pairs[pairs["patient_id"].isin(starters)]
        own_id = pd.Categorical.from_codes(np.zeros(len(pairs), int), [comparison.id])
        changes.append(pairs[columns[:1] + columns[2:]].assign(comparison=own_id))
        outcomes = _outcomes(windows, comparison)
        for outcome in outcomes:
            part = pairs[pairs["outcome"] == outcome]
            primary = comparison.primary and outcome == primary_outcome
            unit = find_unit(outcome)

            def add(
                statistics: list[Statistic],
                group: str,
                of: int,
                outcome: str = outcome,
                comparison: Comparison = comparison,
                primary: bool = primary,
            ) -> None:
                rows.extend(
                    _cohort_row(s, outcome, comparison, group, primary, of) for s in statistics
                )

            pre, post = part["pre"].to_numpy(), part["post"].to_numpy()
            statistics = summarise_change(
                pre, post, unit=unit, replicates=boot.replicates, seed=boot.seed
            )
            statistics += repeat_of_started(statistics, len(starters))
            statistics += _bounds(windows, starters, comparison, clinic, outcome, unit)
            if outcome == "frequency":
                statistics += _days_only(windows, part, starters, comparison, clinic)
                statistics += _individual(part, clinic, unit)
            elif comparison.source == "visit" and instruments.canonical(outcome):
                statistics += instruments.summarise_scores(outcome, pre, post)
            add(statistics, "all", len(starters))
            if primary:
                if outcome == "frequency":
                    crossed = _cross(part, clinic, comparison)
                lost = conform(
                    "lost",
                    compare_lost(characteristics, part["patient_id"], starters).assign(
                        redacted=False
                    ),
                )
                for family, labels in groups.items():
                    for label in sorted(labels.dropna().unique()):
                        members = labels.index[labels == label]
                        own = part[part["patient_id"].isin(members)]
                        of_group = summarise_change(
                            own["pre"].to_numpy(),
                            own["post"].to_numpy(),
                            unit=unit,
                            replicates=boot.replicates,
                            seed=boot.seed,
                        )
                        of_group += repeat_of_started(of_group, len(members))
                        if outcome == "frequency":
                            of_group += _individual(own, clinic, unit)
                        add(of_group, f"{family}: {label}", len(members))
            flow += _people_flow(windows, starters, comparison, outcome, part)
            means += _window_means(part, comparison, outcome, clinic)
            bins += _histogram(part["change"].to_numpy(), outcome, comparison)
    rows += _pgic_rows(windows, starters, comparisons)
    change = stack(changes) if changes else empty("change")
    change = conform("change", change[columns], check=False)
    lines = _draw_lines(change)

    def table(name: str, data: list[dict[str, object]]) -> pd.DataFrame:
        return conform(name, pd.DataFrame(data)) if data else empty(name)

    return Cohort(
        change=change,
        cohort=table("cohort", rows),
        individual=crossed,
        lost=lost,
        window_means=table("window_means", means),
        change_histogram=table("change_histogram", bins),
        change_lines=conform("change_lines", lines),
        flow=table("flow", flow),
    )


def _draw_lines(change: pd.DataFrame) -> pd.DataFrame:
    """List people's values before and after by pair of windows and outcome.

    Of more than `MANY_LINES` people every so many are taken, evenly over their changes in order.
    """
    import pandas as pd

    parts = []
    columns = ["outcome", "comparison", "pre", "post"]
    # Grouping would copy the whole table.
    for comparison, outcome in product(change["comparison"].unique(), change["outcome"].unique()):
        own = change[change["comparison"].eq(comparison) & change["outcome"].eq(outcome)]
        if not len(own):
            continue
        part = own[columns]
        if len(own) > MANY_LINES:
            order = np.lexsort([part["pre"], part["post"], own["change"]])
            kept = np.linspace(0, len(own) - 1, LINES).round().astype(int)
            part = part.iloc[order[kept]]
        parts.append(part.astype({"outcome": "str", "comparison": "str"}))
    lines = pd.concat(parts) if parts else empty("change_lines")
    return lines.sort_values(["outcome", "comparison", "pre", "post"], kind="stable")


def _outcomes(windows: pd.DataFrame, comparison: Comparison) -> list[str]:
    """Outcomes recorded on both sides, frequency, intensity and duration first."""
    own = windows["source"] == comparison.source
    pre, post = (
        set(windows.loc[own & (windows["window"] == window), "outcome"].unique())
        for window in (comparison.pre, comparison.post)
    )
    order = list(UNITS)
    return sorted(pre & post, key=lambda o: (order.index(o) if o in order else len(order), o))


def _cohort_row(
    s: Statistic,
    outcome: str,
    comparison: Comparison,
    group: str,
    primary: bool,
    of: int,
) -> dict[str, object]:
    return {
        "outcome": outcome,
        "comparison": comparison.id,
        "comparison_label": comparison.label,
        "group": group,
        "primary": primary and group == "all",
        "statistic": s.id,
        "label": s.label,
        "unit": s.unit or None,
        "estimate": s.estimate,
        "ci_low": s.ci_low,
        "ci_high": s.ci_high,
        "interval": s.interval or None,
        "n": float(s.n),
        "of": float(of),
        "count": s.count,
        "redacted": False,
        "note": s.note or None,
    }


def _bounds(
    windows: pd.DataFrame,
    starters: pd.Index,
    comparison: Comparison,
    clinic: Clinic,
    outcome: str,
    unit: str,
) -> list[Statistic]:
    """Add the lowest and highest mean change that the records allow."""
    found = bound_change(windows, starters, comparison, clinic, outcome)
    if found is None:
        return []
    days = outcome == "frequency"
    note = Message("remark.unknown_days" if days else "remark.unknown_values")
    return [
        Statistic(id, value, found.n, unit=unit, note=note)
        for id, value in (("bound_low", found.low), ("bound_high", found.high))
    ]


def _days_only(
    windows: pd.DataFrame,
    pairs: pd.DataFrame,
    starters: pd.Index,
    comparison: Comparison,
    clinic: Clinic,
) -> list[Statistic]:
    """Add what is never left out beside a frequency scaled from a diary: count, completeness."""
    completeness = measure_completeness(windows, starters, comparison, clinic)
    if completeness is None:
        return []
    counted = (pairs["post_count"] - pairs["pre_count"]).dropna().to_numpy()
    n = len(starters)
    return [
        Statistic(
            "change_count_only",
            float(counted.mean()) if len(counted) else float("nan"),
            len(counted),
            *t_interval(counted),
            interval=Message("interval.t"),
            unit="headache_days",
            note=Message("remark.no_entry_adds_nothing"),
        ),
        Statistic(
            "completeness_difference",
            completeness["completeness_post"] - completeness["completeness_pre"],
            n,
            unit="percentage_points",
            note=Message("remark.kept_less_well"),
        ),
        *(Statistic(id, share, n, unit="percent_of_days") for id, share in completeness.items()),
    ]


def _individual(pairs: pd.DataFrame, clinic: Clinic, unit: str) -> list[Statistic]:
    rule = clinic.individual
    return reliable.summarise_individual(
        pairs["pre"].to_numpy(),
        pairs["post"].to_numpy(),
        rule.sem,
        pairs["n_pre"].to_numpy(),
        border=rule.border,
        worst=float(windows_of.DAYS_PER_WINDOW),
        unit=unit,
        source=rule.source,
    )


def _cross(pairs: pd.DataFrame, clinic: Clinic, comparison: Comparison) -> pd.DataFrame:
    rule = clinic.individual
    table = reliable.cross_tabulate(
        pairs["pre"].to_numpy(),
        pairs["post"].to_numpy(),
        rule.sem,
        pairs["n_pre"].to_numpy(),
        rule.border,
    )
    return conform(
        "individual",
        table.assign(outcome="frequency", comparison=comparison.id, redacted=False),
    )


def _pgic_rows(
    windows: pd.DataFrame, starters: pd.Index, comparisons: list[Comparison]
) -> list[dict[str, object]]:
    """Count what people say about their change; asked once, afterwards."""
    comparison = next((c for c in comparisons if c.id == "visit_recall"), None)
    said = windows[(windows["outcome"] == "PGIC") & (windows["window"] == "post")]
    said = said[said["patient_id"].isin(starters)]
    if comparison is None or not len(said):
        return []
    label = Message("comparison.asked_at_a_later_visit")
    asked = Comparison(comparison.id, label, "", comparison.post, "visit", False, False)
    return [
        _cohort_row(s, "PGIC", asked, "all", False, len(starters))
        for s in instruments.summarise_pgic(said["value"])
    ]


def describe_people(
    patients: pd.DataFrame,
    windows: pd.DataFrame,
    groups: Mapping[str, pd.Series],
    comparisons: list[Comparison],
    starters: pd.Index,
) -> pd.DataFrame:
    """Collect what was known of each person before treatment, for who was lost.

    Outcomes in the primary comparison's window before, age, sex, years with the condition,
    condition and technique, as far as they are recorded.
    """
    import pandas as pd

    out = pd.DataFrame(index=starters)
    if comparisons:
        first = comparisons[0]
        before = windows[
            (windows["source"] == first.source)
            & (windows["window"] == first.pre)
            & windows["complete"]
        ]
        for outcome in [o for o in UNITS if (before["outcome"] == o).any()] + sorted(
            set(before["outcome"]) - set(UNITS)
        ):
            own = before[before["outcome"] == outcome].set_index("patient_id")["value"]
            out[f"{outcome}{BEFORE}"] = own.reindex(starters)
    known = patients.set_index("patient_id").reindex(starters)
    known = known.rename(columns={"chronicity_years": "years_with_condition"})
    for column in ("age", "age_band", "years_with_condition", "sex", "condition"):
        if known[column].notna().any():
            out[column] = known[column]
    if "technique" in groups:
        out["technique"] = groups["technique"]
    return out


def name_characteristic(code: str) -> str:
    """Name what was known of people before treatment, or in another window than the two."""
    window = code.removeprefix(WINDOW)
    if window != code:
        return Message("characteristic.in_window", window=phrase("window", window))
    outcome = code.removesuffix(BEFORE)
    if outcome != code:
        return Message("characteristic.before", outcome=instruments.name_outcome(outcome))
    return term("characteristic", code)


def _begun_rows(
    prepared: Prepared, clinic: Clinic, change: pd.DataFrame
) -> list[dict[str, object]]:
    """Count who began a new preventive drug, of the people of the primary change."""
    import pandas as pd

    sessions = empty("sessions")
    if cointerventions.NEW_PREVENTIVE in prepared.sessions.filled:
        sessions = prepared.sessions.read("patient_id", "day", cointerventions.NEW_PREVENTIVE)
    recorded = cointerventions.is_recorded(prepared.patients, sessions)
    if not prepared.comparisons or not recorded:
        return []
    primary, outcome = prepared.comparisons[0], clinic.primary_outcome
    own = change[(change["comparison"] == primary.id) & (change["outcome"] == outcome)]
    if not len(own):
        return []
    last = find_last_day(clinic, primary)
    begun = cointerventions.find_new_preventives(prepared.patients, sessions, last)
    statistic = cointerventions.count_new_preventives(begun, pd.Index(own["patient_id"]))
    return [_cohort_row(statistic, outcome, primary, "all", True, len(prepared.starters))]


def _entry_checks(beside: pd.DataFrame, starters: pd.Index) -> list[dict[str, object]]:
    """Compare the diary with what people recall of the same 28 days, where both exist."""
    rows = []
    for window, id, label in (
        ("baseline", "diary_v_recall_before", Message("comparison.diary_v_recall_before")),
        ("post", "diary_v_recall_after", Message("comparison.diary_v_recall_after")),
    ):
        found = recall.compare_side(beside, window, starters)
        if found is None:
            continue
        note: str = Message("remark.nobody_has_both")
        if found.n:
            note = join(
                [
                    Message("remark.days_observed", share=round(100 * found.share_observed)),
                    Message("remark.FLAG_headache_days" if found.flag else "remark.no_sign"),
                ]
            )
        statistic = Statistic(
            "diary_minus_recall",
            found.difference,
            found.n,
            found.ci_low,
            found.ci_high,
            Message("interval.t"),
            unit=UNITS["frequency"],
            note=note,
        )
        compared = Comparison(id, label, window, window, "", False, False)
        rows.append(_cohort_row(statistic, "frequency", compared, "all", False, len(starters)))
    return rows


def _people_flow(
    windows: pd.DataFrame,
    starters: pd.Index,
    comparison: Comparison,
    outcome: str,
    pairs: pd.DataFrame,
) -> list[dict[str, object]]:
    asked = (windows["source"] == comparison.source) & (windows["outcome"] == outcome)
    own = windows.loc[asked, ["patient_id", "window", "complete"]]
    own = own[own["patient_id"].isin(starters)]

    def people(windows: tuple[str, ...], complete: bool) -> int:
        """Count who has all of the windows complete, or a record in any of them."""
        rows = own[own["window"].isin(windows) & (own["complete"] | (not complete))]
        if len(windows) == 1:
            return len(rows)  # a row per person and window
        found = rows.groupby("patient_id").size()
        return int((found >= (len(windows) if complete else 1)).sum())

    n = len(starters)
    steps = [
        ("started", n, None),
        ("any_record_before", people(comparison.befores, False), None),
        ("complete_before", people(comparison.befores, True), None),
        ("any_record_after", people((comparison.post,), False), None),
        ("complete_after", people((comparison.post,), True), None),
        ("analysed", len(pairs), None),
        ("not_analysed", n - len(pairs), Message("flow.lost_or_too_few")),
    ]
    return [
        {
            "account": "people",
            "item": f"{outcome}: {comparison.id}",
            "step": step,
            "n": float(count),
            "of": float(n),
            "note": note,
            "redacted": False,
        }
        for step, count, note in steps
    ]


def _window_means(
    pairs: pd.DataFrame,
    comparison: Comparison,
    outcome: str,
    clinic: Clinic,
) -> list[dict[str, object]]:
    """Describe the values of the same people before and after."""
    named = clinic.windows.named
    sides = {"baseline": "before", "post": "after"}
    out: list[dict[str, object]] = []
    columns = [(comparison.pre, pairs["pre"]), (comparison.post, pairs["post"])]
    for order, (window, values) in enumerate(columns):
        v = values.to_numpy()
        low, high = t_interval(v)
        declared = window in named and named[window].label
        label = phrase("window", declared or sides.get(window, window))
        if comparison.source == "visit":
            label = windows_of.name_visit(clinic, window)
        out.append(
            {
                "outcome": outcome,
                "comparison": comparison.id,
                "window": window,
                "order": order,
                "label": label,
                "mean": float(v.mean()) if len(v) else float("nan"),
                "ci_low": low,
                "ci_high": high,
                "p25": float(np.quantile(v, 0.25)) if len(v) else float("nan"),
                "p75": float(np.quantile(v, 0.75)) if len(v) else float("nan"),
                "n": float(len(v)),
                "redacted": False,
            }
        )
    return out


def _histogram(change: np.ndarray, outcome: str, comparison: Comparison) -> list[dict[str, object]]:
    """Count changes in bins of a fixed width, so that no bin edge is somebody's value."""
    if not len(change):
        return []
    width = _BIN_WIDTH.get(outcome)
    if width is None:
        spread = float(np.ptp(change)) or 1.0
        width = float(10 ** np.floor(np.log10(spread)))
        while spread / width > 14:
            width *= 2
        while spread / width < 5:
            width /= 2
    # Rounded, so that who stands on an edge does not fall beside it by a binary fraction.
    place = np.floor(np.round(change / width, 9)).astype(int)
    counts = np.bincount(place - place.min())
    edges = np.arange(place.min(), place.max() + 1) * width
    return [
        {
            "outcome": outcome,
            "comparison": comparison.id,
            "bin_low": float(low),
            "bin_high": float(low + width),
            "n": float(n),
            "redacted": False,
        }
        for low, n in zip(edges, counts, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A clinic's people and windows, from which every analysis starts.

    Attributes
    ----------
    patients, questionnaires
        Processed tables.
    sessions
        Processed table, of which each analysis reads the columns that it needs.
    days
        Path of the processed diary.
    courses
        `windows.find_courses`; None without sessions.
    windows
        Table `windows`, all sources together, as `slim_windows` leaves it.
    everyone
        Codes of all people on record, sorted.
    starters
        Everyone who started.
    groups, people
        `label_groups`, `describe_people`.
    comparisons
        `windows.list_comparisons`, the primary one first.
    notes
        Rows of `flow` about records that cannot be used.
    sources
        `sources.find_sources`.
    beside
        `recall.set_beside`; empty without a diary or without answers at visits.
    """

    patients: pd.DataFrame
    sessions: Stored
    questionnaires: pd.DataFrame
    days: Path
    courses: pd.DataFrame | None
    windows: pd.DataFrame
    everyone: pd.Index
    starters: pd.Index
    groups: dict[str, pd.Series]
    people: pd.DataFrame
    comparisons: list[Comparison]
    notes: list[pd.DataFrame]
    sources: Sources
    beside: pd.DataFrame


def prepare_clinic(
    folder: Path, clinic: Clinic, *, stored: Path | None = None, threads: int = 2
) -> Prepared:
    """Read a clinic's processed tables and make its windows.

    Parameters
    ----------
    folder
        Folder of the processed tables (patients, sessions, days, questionnaires, given_windows).
    clinic
        clinic.yaml with its defaults.
    stored
        Where the table `windows` is to be stored as well (parquet).
    """
    everyone = find_people(folder)
    patients, questionnaires, given = (
        read_categories(folder / f"{name}.parquet", everyone)
        for name in ("patients", "questionnaires", "given_windows")
    )
    sessions = open_stored(folder / "sessions.parquet", everyone)
    days = folder / "days.parquet"
    parts, sources = [], find_sources(folder, clinic)
    courses = None
    if len(sessions):
        visits = sessions.read("patient_id", "day")
        courses = windows_of.find_courses(visits, clinic.course.gap_weeks)
        del visits
    alone = stored if sources.usable == {"diary"} else None
    if alone is not None:
        # Stored by the engine as it is made, and read from there.
        windows_of.store_diary_windows(days, clinic, alone, courses, threads=threads)
        parts.append(conform("windows", read_categories(alone, everyone), check=False))
    elif "diary" in sources.usable:
        parts.append(
            windows_of.build_diary_windows(days, clinic, courses, everyone, threads=threads)
        )
    if "visit" in sources.usable:
        asked = sessions.read("patient_id", "day", *ASKED_AT_VISITS.values())
        parts.append(windows_of.build_visit_windows(asked, clinic))
        del asked
        parts.append(windows_of.build_questionnaire_windows(questionnaires, clinic))
    if "given" in sources.usable:
        parts.append(windows_of.build_given_windows(given))
    both = {"diary", "visit"} <= set(sources.usable)
    asked = sessions.read(*recall.SESSION_COLUMNS) if both else empty("sessions")
    beside = share_texts(recall.set_beside(days, asked, clinic, threads=threads), everyone)
    del asked
    parts = [slim_windows(parts.pop(0)) for _ in range(len(parts))]
    parts = [p for p in parts if len(p)]
    windows = stack(parts) if parts else slim_windows(empty("windows"))
    if stored is not None and alone is None:
        write_parquet(fill_windows(windows, clinic), stored)
    found = find_starters(folder)
    starters = everyone[everyone.get_indexer(found)]
    groups = label_groups(sessions.read(*GROUP_COLUMNS), patients, windows, starters)
    comparisons = windows_of.list_comparisons(clinic, set(sources.usable))
    earlier = label_earlier(windows, comparisons[0], starters) if comparisons else None
    if earlier is not None:
        groups["earlier"] = earlier
    people = describe_people(patients, windows, groups, comparisons, starters)
    notes = [] if courses is None else [_courses_note(courses, starters, clinic)]
    notes.append(list_idle(sources, _answering(windows, comparisons, clinic)))
    return Prepared(
        patients,
        sessions,
        questionnaires,
        days,
        courses,
        windows,
        everyone,
        starters,
        groups,
        people,
        comparisons,
        notes,
        sources,
        beside,
    )


def slim_windows(windows: pd.DataFrame) -> pd.DataFrame:
    """Take out of the table `windows` what takes memory and tells nothing more.

    The days in a window are those of its rule, and single precision holds numbers of days exactly.
    `fill_windows` makes it whole again.
    """
    days = dict.fromkeys(("count", "days_observed"), "float32")
    return windows.drop(columns="days_possible").astype(days)


def fill_windows(windows: pd.DataFrame, clinic: Clinic) -> pd.DataFrame:
    """Make the table `windows` of one that `slim_windows` made; it is not validated."""
    named = clinic.windows.named
    names = windows["window"].astype("category").cat
    lengths = [windows_of.window_length(named[n]) if n in named else None for n in names.categories]
    possible = np.array([*lengths, None], float)[names.codes]  # the last one where there is none
    possible[(windows["source"] != "diary").to_numpy()] = np.nan
    return conform("windows", windows.assign(days_possible=possible), check=False)


def _answering(windows: pd.DataFrame, comparisons: list[Comparison], clinic: Clinic) -> str | None:
    """Find the source from which the primary outcome is answered; None where none is."""
    if not comparisons:
        return None
    source = comparisons[0].source
    own = windows[(windows["source"] == source) & (windows["outcome"] == clinic.primary_outcome)]
    return source if len(own) else None


def analyse_clinic(folder: Path, clinic: Clinic, *, threads: int = 2) -> dict[str, pd.DataFrame]:
    """Take a clinic's processed tables through windows and change to the cohort.

    Parameters
    ----------
    folder, clinic
        As for `prepare_clinic`.

    Returns
    -------
    dict of DataFrame
        windows, change (row-level) and cohort, individual, lost, window_means,
        change_histogram, change_lines, flow, before disclosure control.
    """
    out = analyse_prepared(prepare_clinic(folder, clinic, threads=threads), clinic)
    return out | {"windows": fill_windows(out["windows"], clinic)}


def analyse_prepared(prepared: Prepared, clinic: Clinic) -> dict[str, pd.DataFrame]:
    """Summarise a prepared clinic (`analyse_clinic`); `windows` stays slim."""
    import pandas as pd

    result = build_cohort(
        prepared.windows,
        prepared.starters,
        prepared.groups,
        prepared.comparisons,
        clinic,
        prepared.people,
    )
    more = _begun_rows(prepared, clinic, result.change)
    more += _entry_checks(prepared.beside, prepared.starters)
    table = result.cohort
    if more:
        added = conform("cohort", pd.DataFrame(more))
        table = pd.concat([table, added], ignore_index=True) if len(table) else added
    notes = [part for part in prepared.notes if len(part)]
    flow = conform("flow", pd.concat([result.flow, *notes])) if notes else result.flow
    _remark(table, _doubts(prepared, clinic))
    return {
        "windows": prepared.windows,
        "change": result.change,
        "cohort": table,
        "individual": result.individual,
        "lost": result.lost,
        "window_means": result.window_means,
        "change_histogram": result.change_histogram,
        "change_lines": result.change_lines,
        "flow": flow,
    }


def _doubts(prepared: Prepared, clinic: Clinic) -> list[Message]:
    """Say of the primary change which source it stands in for, and which days nobody can judge."""
    answering = _answering(prepared.windows, prepared.comparisons, clinic)
    idle = list_idle(prepared.sources, answering)
    out = [
        Message("remark.in_place_of", source=name_source(kind))
        for kind in idle.loc[idle["step"] != NOT_USED, "item"]
    ]
    if answering == "diary" and prepared.sources.short_untold:
        hours = float(clinic.min_duration_h)
        recorded = prepared.sources.medication
        out.append(
            Message("remark.short_untold" if recorded else "remark.no_medication", hours=hours)
        )
    return out


def _remark(cohort: pd.DataFrame, remarks: list[Message]) -> None:
    """Add remarks to the mean change of the primary outcome; changes the frame."""
    main = cohort["primary"] & (cohort["statistic"] == "change_mean")
    if remarks and main.any():
        cohort.loc[main, "note"] = [
            join([None if is_missing(note) else note, *remarks])
            for note in cohort.loc[main, "note"]
        ]


def join_flow(account: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Put the account of rows before the account of people."""
    import pandas as pd

    parts = [p for p in (account, people) if len(p)]
    return conform("flow", pd.concat(parts, ignore_index=True)) if parts else empty("flow")


def _courses_note(courses: pd.DataFrame, starters: pd.Index, clinic: Clinic) -> pd.DataFrame:
    import pandas as pd

    row = {
        "account": "people",
        "item": "courses",
        "step": "second_course",
        "n": float((courses["courses"] > 1).sum()),
        "of": float(len(starters)),
        "note": Message("flow.second_course", weeks=clinic.course.gap_weeks),
        "redacted": False,
    }
    return pd.DataFrame([row])
