"""Made-up clinics with small groups of every kind, taken through the path, for the attack.

Each starts as a simulated clinic. Then some of its people are moved into groups of one to seven:
a technique, a therapist, a condition, people who were lost, who were asked or were not asked about
harms, who got worse, whose diary begins early enough to look back, or does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd
import yaml

from headway import config, simulate, tables
from headway.config.clinic import Clinic
from headway.ingest import clinics
from headway.outcomes import audit
from headway.outcomes.change import cohort
from tests.unit.simulated_clinic import arms


@dataclass(frozen=True, slots=True)
class Small:
    """How many people are in each small group; 0: as simulated."""

    people: int
    seed: int
    scenario: str = "real_effect"
    technique: int = 0
    therapists: tuple[int, ...] = ()
    condition: int = 0
    lost: int = 0
    asked: int = 0
    not_asked: int = 0
    worse: int = 0
    earlier: int = 0
    not_earlier: int = 0


SMALL: tuple[Small, ...] = (
    Small(30, 1, technique=1, not_asked=3, lost=2),
    Small(40, 2, "small_cells", therapists=(1, 2, 3), worse=4),
    Small(63, 3, technique=3, not_asked=3, not_earlier=5),
    Small(24, 4, therapists=(2, 2), condition=4, earlier=7),
    Small(48, 5, asked=6, lost=1, worse=1),
    Small(36, 6, "therapist_outlier", technique=5, not_earlier=1, condition=2),
    Small(55, 7, therapists=(7, 6, 1), not_asked=7, worse=7),
    Small(28, 8, technique=2, lost=5, asked=4),
    Small(70, 9, "small_cells", condition=6, not_asked=1, earlier=4),
    Small(33, 10, therapists=(3, 3, 3), lost=7, not_earlier=3),
    Small(45, 11, technique=7, therapists=(5,), not_asked=2, worse=2),
    Small(52, 12, technique=4, condition=1, lost=3, not_earlier=7),
)


def shape(made: simulate.SimulatedClinic, small: Small) -> dict[str, pd.DataFrame]:
    """Move people of a simulated clinic into its small groups."""
    out = {name: frame.copy() for name, frame in made.tables.items()}
    rng = np.random.default_rng(small.seed)
    codes = rng.permutation(sorted(set(out["patients"]["patient_id"])))
    sessions, diary = out["sessions"], out["diary"]
    patients = out["patients"]

    def take(n: int) -> set[str]:
        nonlocal codes
        codes = np.roll(codes, -n)
        return set(codes[-n:]) if n else set()

    def of(frame: pd.DataFrame, who: set[str]) -> pd.Series:
        return frame["patient_id"].isin(who)

    if small.technique:
        who = take(small.technique)
        sessions["technique"] = sessions["technique"].where(of(sessions, who), "manual")
        sessions.loc[of(sessions, who), "technique"] = "wet_needling"
    for i, n in enumerate(small.therapists):
        sessions.loc[of(sessions, take(n)), "therapist"] = f"T9{i}"
    if small.condition:
        patients.loc[of(patients, take(small.condition)), "condition"] = "3.1"
    if small.lost:
        who = take(small.lost)
        out["diary"] = diary = diary[~(of(diary, who) & (diary["day"] > 20))]
    if small.worse:
        who = take(small.worse)
        late = of(diary, who) & (diary["day"] > 20)
        diary.loc[late, "headache"] = 1
    if small.asked or small.not_asked:
        who = take(small.asked or small.not_asked)
        out_of = ~of(sessions, who) if small.asked else of(sessions, who)
        sessions["soreness_days"] = sessions["soreness_days"].fillna(1.0).mask(out_of)
        sessions["soreness_how"] = pd.Series("asked", index=sessions.index).mask(out_of)
    if small.earlier or small.not_earlier:
        who = take(small.earlier or small.not_earlier)
        gone = ~of(diary, who) if small.earlier else of(diary, who)
        out["diary"] = diary = diary[~(gone & (diary["day"] < -28))]
    return out


@cache
def small_clinic(i: int) -> tuple[Clinic, dict[str, pd.DataFrame]]:
    """Take one of the small clinics through the path, up to disclosure control."""
    small = SMALL[i]
    folder = Path(mkdtemp()) / "clinic"
    made = simulate.simulate_clinic(
        n_patients=small.people, seed=small.seed, scenario=small.scenario
    )
    made.tables.update(shape(made, small))
    simulate.write_clinic(made, folder)
    document = simulate.describe_clinic(made, "clinic") | {
        "disclosure": "internal",
        "bootstrap": {"replicates": 200, "seed": 1},
        "sensitivity": {"imputations": 2, "cycles": 2},
    }
    (folder / "clinic.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    clinic = config.load_clinic(folder)
    flow = clinics.ingest_clinic(folder, clinic, folder.parent / "out").as_flow()
    found = audit.audit_clinic(folder.parent / "out", clinic, arms())
    found["flow"] = cohort.join_flow(tables.conform("flow", pd.DataFrame(flow)), found["flow"])
    return clinic, {name: found[name] for name in tables.RELEASED}
