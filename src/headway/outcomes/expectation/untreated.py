"""Published untreated people: which of them decide, and their change at a like time.

The list in untreated.yaml is fixed before looking. Headache days per 28; negative is improvement.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.config import load_yaml
from headway.messages import Message, phrase

if TYPE_CHECKING:
    import pandas as pd

FILE = Path(__file__).with_name("untreated.yaml")
UNTREATED = ("waiting_list", "no_treatment", "usual_care")
RETEST = 0.746  # Vickers 2004, usual care, 28-day windows 3 months apart (153 people)


@cache
def load_untreated() -> dict[str, list[dict[str, Any]]]:
    """Read the list: `arms` of the project and `cohorts` with their numbers."""
    return dict(load_yaml(FILE))


def select_arms(
    arms: pd.DataFrame,
    *,
    time_days: float,
    leave_out: Collection[str] = (),
    retest: float = RETEST,
) -> pd.DataFrame:
    """Select untreated arms with a change in headache days at a like time.

    Parameters
    ----------
    arms
        Table `arms`, of one review or several.
    time_days
        Time of the clinic's later window, days from the start. An arm's may lie 28 days or a
        quarter of it away, whichever is more.
    leave_out
        Trials or DOIs that are not used: the trial the clinic's people come from.
    retest
        Correlation by which the standard error of a change is made where only both means are
        printed.

    Returns
    -------
    DataFrame
        label, change, se, n, baseline, time_days, note, decides; one row per trial and arm: a
        printed change before one made from two means, then the nearest time. Rows that were
        recalled rather than read, not in days per 28 or without n, spread or baseline are left
        out. The cohorts of the list follow, whatever their time.
    """
    import pandas as pd

    columns = ["label", "change", "se", "n", "baseline", "time_days", "note", "decides"]
    reach = max(28.0, time_days / 4)
    listed = {(a["trial"], a["comparator"]) for a in load_untreated()["arms"]}
    own = {str(name).strip().casefold() for name in leave_out if str(name).strip()}
    use = arms[
        arms["comparator"].isin(UNTREATED)
        & (arms["outcome"] == "frequency")
        & (arms["unit"] == "days_per_28")
        & arms["status"].isin(["retrieved", "computed"])
        & ~arms["trial"].astype("str").str.casefold().isin(own)
        & ~arms["doi"].astype("str").str.casefold().isin(own)
    ]
    start = use[use["kind"] == "baseline"].drop_duplicates(["trial", "arm"])
    start = start.set_index(["trial", "arm"])[["mean", "sd"]]
    late = use[
        use["kind"].isin(["change", "final"]) & ((use["time_days"] - time_days).abs() <= reach)
    ].join(start.rename(columns={"mean": "start_mean", "sd": "start_sd"}), on=["trial", "arm"])
    before = late["baseline_mean"].fillna(late["start_mean"])
    before_sd = late["baseline_sd"].fillna(late["start_sd"])
    printed = late["kind"] == "change"
    made = np.sqrt(late["sd"] ** 2 + before_sd**2 - 2 * retest * late["sd"] * before_sd)
    out = pd.DataFrame(
        {
            "trial": late["trial"],
            "arm": late["arm"],
            "label": [name_arm(*names) for names in zip(late["trial"], late["arm"], strict=True)],
            "change": late["mean"].where(printed, late["mean"] - before),
            "se": late["sd"].where(printed, made) / np.sqrt(late["n"]),
            "n": late["n"],
            "baseline": before,
            "time_days": late["time_days"],
            "note": np.where(printed, "", Message("basis.two_means", retest=retest)),
            "decides": [
                pair in listed for pair in zip(late["trial"], late["comparator"], strict=True)
            ],
            "order": (~printed).astype(int),
            "distance": (late["time_days"] - time_days).abs(),
        }
    )
    out = out[(out["se"] > 0) & (out["n"] > 1)].dropna(subset=["change", "se", "n", "baseline"])
    out = out.sort_values(["trial", "arm", "order", "distance"], kind="stable")
    out = out.drop_duplicates(["trial", "arm"])[columns]
    rows = out.to_dict("records") + list_cohorts(own)
    return pd.DataFrame(rows, columns=columns)


def list_cohorts(leave_out: Collection[str] = ()) -> list[dict[str, Any]]:
    """List the cohorts with numbers of their own; `leave_out` in lower case."""
    return [
        {
            "label": name_arm(c["trial"], c["arm"]),
            "change": float(c["change"]),
            "se": (float(c["ci_high"]) - float(c["ci_low"])) / 2 / 1.96,
            "n": float(c["n"]),
            "baseline": float(c["baseline"]),
            "time_days": float(c["time_days"]),
            "note": "",
            "decides": True,
        }
        for c in load_untreated()["cohorts"]
        if not {str(c["trial"]).casefold(), str(c["doi"]).casefold()} & set(leave_out)
    ]


def name_arm(trial: Any, arm: Any) -> Message:
    """Name an arm by its trial and the source's own words."""
    return Message("arm.of_trial", trial=str(trial), arm=phrase("arm", arm))
