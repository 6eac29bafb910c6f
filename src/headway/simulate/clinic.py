"""A synthetic clinic, made in the order in which the world makes one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from headway.errors import ConfigError
from headway.simulate.course import LAST_DAY, WINDOWS, count_days, natural_course, treat
from headway.simulate.diary import change_unit, draw_diary, draw_windows_file, fill_diary
from headway.simulate.draws import Parameters, make_generator
from headway.simulate.files import COLUMNS, SimulatedClinic
from headway.simulate.parameters import load_parameters
from headway.simulate.people import (
    TECHNIQUES,
    THERAPISTS,
    draw_patients,
    draw_people,
    fill_outlier,
    regroup,
    shift_outlier,
)
from headway.simulate.questionnaires import draw_questionnaires
from headway.simulate.sessions import (
    count_months,
    draw_home_sessions,
    draw_office_sessions,
    draw_points,
    draw_remarks,
    empty_check_ups,
)
from headway.simulate.truth import summarise
from headway.simulate.typing_errors import add_errors
from headway.simulate.visits import cut, draw_visits, find_exposure, leave


def simulate_clinic(
    *,
    n_patients: int = 120,
    seed: int,
    scenario: str = "real_effect",
    parameters: Parameters | None = None,
) -> SimulatedClinic:
    """Make a synthetic clinic.

    Parameters
    ----------
    n_patients
        People who start treatment. About 70 MB of memory for each 1000 of them.
    seed
        Of the generator behind the people and their records (PCG64), and of its children, one for
        each mechanism that only some scenarios have.
    scenario
        `null_rtm` (no treatment effect), `real_effect` or one with a trap; see `scenarios`.
    parameters
        Dotted name -> value, in place of the values in `simulate.yaml`.

    Returns
    -------
    SimulatedClinic

    Notes
    -----
    Headache days follow `natural_course`. Treatment multiplies the odds of a headache day: the
    odds ratio of a person is that of the main technique, with a normal deviation by person and by
    therapist on the log scale, times the share of the full effect reached that day. Days with and
    without treatment come from the same uniform draws, so that `truth` can tell both.

    Entries are missing at random given person, weekday and time, with gaps of several days;
    a day without an entry has no row. People who are lost start out a little worse. Neither loss
    nor gaps depend on how the treatment went, unless the scenario says so.
    """
    if n_patients < 1:
        raise ConfigError("a clinic needs at least one patient")
    p = load_parameters(scenario, parameters)
    rng = np.random.Generator(np.random.PCG64(seed))
    course = natural_course(rng, n_patients, p)
    people, planted = regroup(make_generator(seed, "groups"), draw_people(rng, course, p), p)
    people = fill_outlier(make_generator(seed, "therapist"), people, p)
    planned = draw_visits(rng, people, p)
    visits = planned

    exposure = find_exposure(people, visits, p)
    odds_ratio = np.array([p[f"treatment.odds_ratio.{t}"] for t in TECHNIQUES])
    by_therapist = rng.normal(0.0, p["treatment.therapist_sd"], len(THERAPISTS))
    effect = np.log(odds_ratio)[people.technique] + by_therapist[people.therapist]
    effect += rng.normal(0.0, p["treatment.person_sd"], n_patients)
    shift = shift_outlier(people, course, effect, exposure, p)
    headache = treat(course, effect, exposure, shift, p)
    leaves = leave(make_generator(seed, "dropout"), headache, visits, p)
    if (leaves >= 0).any():
        people, visits = cut(people, visits, leaves)
        exposure = find_exposure(people, visits, p)
        headache = treat(course, effect, exposure, shift, p)
    planted |= {"left_not_better": int((leaves >= 0).sum())}
    counts, without = count_days(headache), count_days(course.headache)

    patients = draw_patients(rng, people, counts[:, :2].mean(axis=1), p)
    points = draw_points(rng, n_patients, p)
    # Rows are drawn for all planned visits and then cut, so that the draws are the same.
    drawn = replace(planned, last_day=visits.last_day)
    office = draw_office_sessions(rng, people, drawn, points, headache, exposure, p)
    home = draw_home_sessions(rng, people, planned, points, p)
    sessions = pd.concat([office, home], ignore_index=True)
    gone = (leaves >= 0) & (visits.last_day < planned.last_day)
    stays = (
        sessions["day"].to_numpy()
        <= np.where(gone, visits.last_day, LAST_DAY)[sessions["person"].to_numpy()]
    )
    sessions = sessions[stays]
    if p["recall.zero_coded"]:
        sessions = pd.concat([sessions, empty_check_ups(seed, people, p)], ignore_index=True)
        planted["zero_coded_answers"] = int(people.lost.sum())
    sessions["patient_id"] = people.code[sessions.pop("person")]
    tables = {
        "patients": patients,
        "sessions": sessions,
        "diary": draw_diary(rng, people, headache, exposure, p),
        "questionnaires": draw_questionnaires(rng, people, visits, counts, p),
    }
    for name, table in tables.items():  # by random code: the order of the rows tells nothing
        keys = [c for c in ("patient_id", "day") if c in table.columns]
        table = table.sort_values(keys, kind="stable", ignore_index=True)
        tables[name] = table[list(COLUMNS[name])]
    if p["diary.zero_filled"]:
        tables["diary"] = fill_diary(tables["diary"], people, p)
        planted["zero_filled_diaries"] = int(people.lost.sum())
    on_0_100 = change_unit(make_generator(seed, "unit"), tables["diary"], people, p)
    planted["people_on_0_100"] = int(on_0_100.sum())
    if p["windows_file.kept"]:
        generator = make_generator(seed, "windows_file")
        tables["windows"] = draw_windows_file(generator, people, counts, p)
        planted["zero_coded_windows"] = int(people.lost.sum()) * int(p["windows_file.zero_coded"])
    if p["visits.start_within_months"]:
        tables["sessions"]["month"] = count_months(
            make_generator(seed, "calendar"), tables["sessions"], people, p
        )
    if p["remarks.kept"]:
        remarks, kind = draw_remarks(make_generator(seed, "remarks"), tables["sessions"], p)
        tables["sessions"]["remark"] = remarks
        planted["identifier"] = kind
    dirty = add_errors(rng, tables, p)

    order = np.argsort(people.code)
    per_person: dict[str, NDArray[Any]] = {
        "patient_id": people.code,
        "log_odds": course.log_odds.round(6),
        "technique": np.array(TECHNIQUES)[people.technique],
        "therapist": np.array(THERAPISTS)[people.therapist],
        "effect_log_odds": (p["treatment.enabled"] * effect).round(6) + 0.0,
        "homework_adherent": people.adherent,
        "intensity_on_0_100": on_0_100,
        "left_not_better": leaves >= 0,
        "lost": people.lost,
        "stopped_visits": people.stopped,
        "last_recorded_day": people.last_recorded,
        "last_session_day": visits.last_day,
        **{f"days_{w}": counts[:, j] for j, w in enumerate(WINDOWS)},
        **{f"days_{w}_without_treatment": without[:, j] for j, w in enumerate(WINDOWS) if j > 1},
    }
    truth: dict[str, Any] = {
        "scenario": scenario,
        "seed": seed,
        "n_patients": n_patients,
        "parameters": p,
        "therapist_log_odds": {
            t: float(p["treatment.enabled"] * by_therapist[j].round(6)) + 0.0
            for j, t in enumerate(THERAPISTS)
        },
        "estimands": summarise(counts, without, people.lost),
        "planted": planted,
        "dirty_rows": dirty,
        "people": {name: value[order].tolist() for name, value in per_person.items()},
    }
    return SimulatedClinic(tables, truth)
