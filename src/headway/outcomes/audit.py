"""Everything that is said about one clinic: its change, and what that change can mean.

`cohort` describes the change. Here the other analyses join it: what would be expected without
treatment, what missing values and choices do, traps, safety, cost, and the claims.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from headway.errors import Problem
from headway.outcomes.change import cohort
from headway.outcomes.expectation.checks import SHOWN, build_checks
from headway.outcomes.expectation.expected import build_expected
from headway.tables import RELEASED, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic
    from headway.tables.files import Stored


def audit_clinic(
    folder: Path,
    clinic: Clinic,
    arms: pd.DataFrame | None = None,
    *,
    stored: Path | None = None,
    threads: int = 2,
) -> dict[str, pd.DataFrame]:
    """Take a clinic's processed tables through every analysis.

    Parameters
    ----------
    folder
        Folder of the processed tables and of quarantine.csv.
    clinic
        clinic.yaml with its defaults.
    arms
        Table `arms` of published trials, of all reviews together.
    stored
        Where the table `windows` is to be stored (parquet), as soon as it is made.

    Returns
    -------
    dict of DataFrame
        `windows` unless it is stored, `change` and `follow_up` (row-level; the last has rows under
        `internal` alone), and the tables of `headway.tables.RELEASED` before disclosure control.
    """
    found = cohort.prepare_clinic(folder, clinic, stored=stored, threads=threads)
    out = _audit_prepared(folder, found, clinic, arms, threads)
    if stored is None:
        out["windows"] = cohort.fill_windows(found.windows, clinic)
    return out


def _audit_prepared(
    folder: Path,
    found: cohort.Prepared,
    clinic: Clinic,
    arms: pd.DataFrame | None,
    threads: int,
) -> dict[str, pd.DataFrame]:
    from headway.outcomes.care import safety, visits
    from headway.outcomes.care.cost import build_cost
    from headway.outcomes.care.cost_per_day import Expected
    from headway.outcomes.care.durability import read_time_to_relapse
    from headway.outcomes.claims import Records, build_claims
    from headway.outcomes.expectation import traps
    from headway.outcomes.expectation.benchmark import build_benchmark, describe_clinic

    out = empty_audit() | cohort.analyse_prepared(found, clinic)
    out["traps"] = traps.build_traps(
        folder,
        clinic,
        found.windows,
        found.starters,
        found.comparisons,
        found.beside,
        found.sessions,
    )
    out["safety"] = safety.build_safety(_read_filled(found.sessions, *safety.SESSION_COLUMNS))
    if not found.comparisons:
        return out
    primary = found.comparisons[0]
    # The same people as those whose change is summarised.
    started = found.windows["patient_id"].isin(found.starters)
    own_windows = found.windows if started.all() else found.windows[started]
    out["expected"] = build_expected(own_windows, primary, clinic, arms)
    out["checks"] = build_checks(own_windows, primary)
    del own_windows
    out |= _follow(found, clinic, out["change"], threads)
    if clinic.disclosure == "internal":
        out["follow_up"] = _list_people(found, clinic, out["change"])
    if arms is not None:
        own = describe_clinic(
            out["change"],
            primary,
            clinic,
            outcome=clinic.primary_outcome,
            of=len(found.starters),
            techniques=found.groups.get("technique", ()),
        )
        out["benchmark"] = build_benchmark(own, arms, clinic)
    out |= _vary(found, clinic, threads)
    without = [Expected(*row) for row in _deciding(out["expected"], out["cohort"])]
    out["cost"], out["cost_plane"] = build_cost(
        found.sessions.read(*visits.SESSION_COLUMNS),
        out["change"],
        found.starters,
        clinic,
        primary.id,
        until=visits.find_last_day(clinic, primary),
        expected=without,
    )
    out["claims"] = build_claims(
        Records(
            clinic=clinic,
            starters=found.starters,
            patients=found.patients,
            sessions=found.sessions.read("patient_id", "day"),
            stored=found.sessions,
            questionnaires=found.questionnaires,
            windows=found.windows,
            change=out["change"],
            cohort=out["cohort"],
            safety=out["safety"],
            cost=out["cost"],
            comparisons=found.comparisons,
            expected=without,
            time_to_relapse=read_time_to_relapse(out["relapse"]) if "relapse" in out else None,
        )
    )
    return out


def _read_filled(sessions: Stored, *columns: str) -> pd.DataFrame:
    """Read whose each session is, and those of the columns that the clinic's records have."""
    there = {"patient_id", *sessions.filled}
    return sessions.read(*(column for column in columns if column in there))


def _list_people(found: cohort.Prepared, clinic: Clinic, change: pd.DataFrame) -> pd.DataFrame:
    """List whom the clinic may want to look at."""
    import pandas as pd

    from headway.outcomes.care.follow_up import build_follow_up

    primary, outcome = found.comparisons[0], clinic.primary_outcome
    own = found.windows
    own = own[own["outcome"].eq(outcome) & own["source"].eq(primary.source) & own["complete"]]
    own = own[own["value"].notna()]
    # The value before is that of all its windows, for people with all of them.
    values = own[own["window"].isin(primary.befores)].groupby("patient_id")["value"]
    before = values.mean()[values.size() == len(primary.befores)]
    return build_follow_up(
        change[change["comparison"].eq(primary.id) & change["outcome"].eq(outcome)],
        found.starters,
        found.sessions.read("patient_id", "day", "month"),
        found.days,
        primary,
        clinic,
        before=before,
        after=pd.Index(own.loc[own["window"].eq(primary.post), "patient_id"]),
    )


def _vary(found: cohort.Prepared, clinic: Clinic, threads: int) -> dict[str, pd.DataFrame]:
    """Work out the change in each outcome under other ways to count and to treat the missing."""
    import pandas as pd

    from headway.outcomes.expectation.multiverse import build_specifications, vary_diary
    from headway.outcomes.expectation.sensitivity import build_sensitivity

    primary = found.comparisons[0]
    own = found.windows["source"] == primary.source
    own &= found.windows["window"].isin([primary.pre, primary.post])
    there = set(found.windows.loc[own, "outcome"].unique())
    sensitivity, specifications = [], []
    for outcome in dict.fromkeys((clinic.primary_outcome, *SHOWN)):
        if outcome not in there:
            continue
        varied = None
        if primary.source == "diary" and outcome == "frequency":
            varied = vary_diary(
                found.days, clinic, found.courses, primary, found.everyone, threads=threads
            )
        same = (found.windows, found.starters, primary, clinic, found.people)
        therapists = found.groups.get("therapist")
        sample = _draw(found, clinic, outcome)
        sensitivity.append(build_sensitivity(*same, therapists, outcome=outcome, sample=sample))
        specifications.append(build_specifications(*same, varied, outcome=outcome, sample=sample))
    out = {"sensitivity": sensitivity, "specifications": specifications}
    return {name: pd.concat(parts, ignore_index=True) for name, parts in out.items() if parts}


def _draw(found: cohort.Prepared, clinic: Clinic, outcome: str) -> pd.Index | None:
    """Draw in whom what is missing of an outcome is imputed; None for everyone."""
    from headway.outcomes.expectation import imputation

    rule, primary = clinic.sensitivity, found.comparisons[0]
    if len(found.starters) <= rule.max_people:
        return None
    sides = imputation.before_and_after(found.windows, found.starters, primary, outcome)
    people = imputation.add_auxiliaries(sides, found.windows, primary, outcome, found.people)
    return imputation.draw_people(people, rule.max_people, rule.seed)


def _follow(
    found: cohort.Prepared, clinic: Clinic, change: pd.DataFrame, threads: int
) -> dict[str, pd.DataFrame]:
    """Follow the primary outcome over time, and across therapists and doses."""
    from headway.outcomes.care.control_charts import (
        build_control_charts,
        find_last_month,
        find_start_months,
    )
    from headway.outcomes.care.dose import build_dose
    from headway.outcomes.care.durability import build_durability, build_later_windows
    from headway.outcomes.care.funnel import build_funnel, describe_baseline, pair_widely
    from headway.outcomes.care.visits import find_last_day

    primary, outcome = found.comparisons[0], clinic.primary_outcome
    unit = cohort.find_unit(outcome)
    pairs = change[(change["comparison"] == primary.id) & (change["outcome"] == outcome)]
    out = {}
    if primary.source == "diary" and outcome == "frequency":
        later = build_later_windows(
            found.days, clinic, primary, found.courses, found.everyone, threads=threads
        )
        relapse = build_durability(
            pairs, later, clinic, found.groups.get("technique"), post=primary.post
        )
        out = {"relapse": relapse.relapse, "relapse_curve": relapse.curve}
    if not len(found.sessions):
        return out
    window = clinic.windows.named.get(primary.post)
    last = find_last_day(clinic, primary)
    if last is None and window is not None:
        last = window.to  # of other anchors and of given windows: no earlier than that
    begun = found.sessions.read("patient_id", "day", "month")
    out["control_chart"] = build_control_charts(
        pairs,
        find_start_months(begun),
        found.starters,
        clinic,
        unit=unit,
        # Who started too late to be measured again is not lost.
        last_month=None if last is None else find_last_month(begun, last),
    )
    del begun
    if "therapist" in found.groups:
        # One window is too noisy to tell therapists apart.
        wide = pair_widely(
            found.days, clinic, primary, found.courses, found.everyone, threads=threads
        )
        own, rule = pairs, ""
        if wide is not None:
            own, rule = wide.pairs[wide.pairs["outcome"] == outcome], wide.rule
        before = describe_baseline(own, found.patients)
        out["funnel"] = build_funnel(
            own, found.groups["therapist"], before, outcome=outcome, unit=unit, rule=rule
        )
    if window is not None and window.from_ is not None and window.anchor == "start":
        given = found.sessions.read("patient_id", "day", "minutes")
        out["dose"] = build_dose(pairs, given, float(window.from_), unit=unit)
    return out


def empty_audit(problems: Iterable[Mapping[str, Any]] = ()) -> dict[str, pd.DataFrame]:
    """Make the tables of `audit_clinic` for a clinic that was refused.

    They have no row, but for the trap that `problems` (of status.json) name: zeros that stand for
    missing values are seen before anything is analysed.
    """
    from headway.outcomes.expectation.traps import flag_refusal

    named = {f.name for f in fields(Problem)}
    found = [Problem(**{k: v for k, v in p.items() if k in named}) for p in problems]
    out = {name: empty(name) for name in ("windows", "change", "follow_up", *RELEASED)}
    return out | {"traps": flag_refusal(found)}


def _deciding(expected: pd.DataFrame, summary: pd.DataFrame) -> list[tuple[str, float, float]]:
    """Take the expected changes that decide: label, change, standard error.

    A source compares its own windows and people (the last window before, those with an earlier
    one). What carries over to the primary change is therefore the difference that it found, and
    its error beyond the error of the primary change.
    """
    main = summary[summary["primary"] & (summary["statistic"] == "change_mean")]
    if not len(main) or main["outcome"].iloc[0] != "frequency":
        return []
    change, low, high = main.iloc[0][["estimate", "ci_low", "ci_high"]].astype("float64")
    out = []
    for row in expected[expected["decides"] & (expected["side"] == "further")].to_dict("records"):
        own, half = (row["diff_ci_high"] - row["diff_ci_low"]) / 2, (high - low) / 2
        se = math.sqrt(max(0.0, own**2 - half**2)) / NormalDist().inv_cdf(0.975)
        if not math.isnan(row["difference"] + change):
            out.append((str(row["label"]), change - row["difference"], se))
    return out
