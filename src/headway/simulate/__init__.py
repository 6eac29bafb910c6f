"""Synthetic clinics with a known truth.

A clinic is made in the order in which the world makes one: people have headache days that
persist from day to day and drift from month to month; they come when it is worse than usual; they
are treated, some stop coming, and the diary has gaps. What happened (`truth`) is kept beside what
was recorded (`tables`), with the days that the same people would have had without treatment.

Every number stands in `simulate.yaml` with its source or the word `assumption`. All draws are made
whatever the scenario, so that two scenarios with one seed hold the same people. What only some
scenarios do (zeros for missing values, a second unit, people who leave because they are not better,
...) draws from generators of its own and leaves the others untouched.

Examples
--------
>>> from headway.simulate import simulate_clinic, write_clinic
>>> clinic = simulate_clinic(n_patients=120, seed=20260101, scenario="real_effect")
>>> clinic.truth["estimands"]["effect_mean"]          # doctest: +SKIP
>>> write_clinic(clinic, folder)                      # doctest: +SKIP
"""

from headway.simulate.clinic import simulate_clinic
from headway.simulate.course import (
    DAYS,
    FIRST_DAY,
    LAST_DAY,
    WINDOW,
    WINDOWS,
    Course,
    natural_course,
)
from headway.simulate.files import (
    CODES,
    COLUMNS,
    SimulatedClinic,
    clinic_files,
    describe_clinic,
    write_clinic,
    write_settings,
)
from headway.simulate.parameters import PARAMETER_FILE, load_parameters, scenarios
from headway.simulate.people import TECHNIQUES, THERAPISTS
from headway.simulate.sessions import ASSESSMENTS, MUSCLES

__all__ = [
    "ASSESSMENTS",
    "CODES",
    "COLUMNS",
    "DAYS",
    "FIRST_DAY",
    "LAST_DAY",
    "MUSCLES",
    "PARAMETER_FILE",
    "TECHNIQUES",
    "THERAPISTS",
    "WINDOW",
    "WINDOWS",
    "Course",
    "SimulatedClinic",
    "clinic_files",
    "describe_clinic",
    "load_parameters",
    "natural_course",
    "scenarios",
    "simulate_clinic",
    "write_clinic",
    "write_settings",
]
