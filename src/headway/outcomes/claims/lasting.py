"""Claims about how long relief lasts, and what people do at home."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from headway.messages import Message
from headway.outcomes.care.clustered import Estimate
from headway.outcomes.change import windows
from headway.outcomes.change.attrition import newcombe_interval
from headway.outcomes.change.change import divide_by_before
from headway.outcomes.claims.file import Claims
from headway.outcomes.claims.records import (
    Finding,
    Records,
    count_people,
    name_missing,
    read_numbers,
)

if TYPE_CHECKING:
    import pandas as pd


def find_relapses(r: Records) -> pd.DataFrame:
    """Find who was back in the next window, of those who had halved their headache days.

    At risk: headache days fell by at least `relapse.response` in the window after. Back: at least
    `relapse.back_to` of the value before in the first follow-up window with a complete value. One
    window decides; the survival analysis asks for two.

    Returns
    -------
    DataFrame
        back (1 or 0), by patient_id.
    """
    import pandas as pd

    none = pd.DataFrame({"back": pd.Series(dtype="float64")})
    if not r.comparisons or not len(r.windows):
        return none
    primary = r.comparisons[0]
    later = sorted(
        {str(w) for w in r.windows["window"].unique() if re.fullmatch(r"followup_\d+", str(w))},
        key=lambda w: int(w.rpartition("_")[2]),
    )
    if primary.post in later:
        later = later[later.index(primary.post) + 1 :]
    pairs = windows.pair_windows(r.windows, primary, "frequency")
    rule = r.clinic.relapse
    fell = divide_by_before(pairs["pre"], pairs["post"]) <= round(1 - rule.response, 12)
    at_risk = pairs[fell]
    after = r.windows[
        (r.windows["source"] == primary.source)
        & (r.windows["outcome"] == "frequency")
        & r.windows["complete"]
        & r.windows["window"].isin(later)
    ]
    if not len(after) or not len(at_risk):
        return none
    # Numbers, not names, tell which follow-up comes first.
    after = after.assign(
        order=after["window"].map({w: i for i, w in enumerate(later)}).astype("float64")
    ).sort_values("order", kind="stable")
    first = after.drop_duplicates("patient_id").set_index("patient_id")["value"]
    known = at_risk.set_index("patient_id")
    value = first.reindex(known.index)
    back = divide_by_before(known["pre"], value) >= round(rule.back_to, 12)
    return pd.DataFrame({"back": back.astype(float)}, index=known.index)[value.notna()]


def hold_relapse(r: Records, claims: Claims) -> list[Finding]:
    """Row 8: how quickly it comes back."""
    back = find_relapses(r)["back"]
    part = "back_in_next_window"
    out = []
    if len(back):
        found = count_people(float(back.sum()), len(back))
        note = Message("claim.note.one_window")
        out.append(Finding(part, found, of=float(len(r.starters)), note=note))
    else:
        out.append(name_missing(part, Message("claim.missing.back")))
    if r.time_to_relapse is None:
        out.append(name_missing("time_to_relapse", Message("claim.missing.time_to_relapse")))
    else:
        out.append(Finding("time_to_relapse", r.time_to_relapse, "days", float(len(r.starters))))
    return out


def hold_self_care(r: Records, claims: Claims) -> list[Finding]:
    """Row 9: what people do at home."""
    import pandas as pd

    back = find_relapses(r)["back"]
    by = r.sessions["patient_id"]
    done = read_numbers(r.column("homework_done")).groupby(by).mean()
    tools = r.column("home_tools").astype("object")
    uses = tools.map(lambda t: float(str(t).casefold() != "none"), na_action="ignore")
    uses = pd.to_numeric(uses).groupby(by).max()
    setting = r.column("setting")
    home = (setting == "at_home").astype(float).groupby(by).max()
    office = (setting == "in_office").astype(float).groupby(by).max()
    both = home.where(office == 1.0)
    groups = (
        ("homework", (done >= 0.5).astype(float).where(done.notna()), "homework_done"),
        ("home_tools", uses, "home_tools"),
        ("home_sessions", both if home.any() else both * np.nan, "setting at_home"),
    )
    out = []
    for part, group, column in groups:
        known = group.dropna()
        if not len(known):
            out.append(name_missing(part, Message("claim.missing.column", column=column)))
            continue
        own = known.reindex(back.index)
        with_it, without = back[own == 1.0], back[own == 0.0]
        n = len(with_it) + len(without)
        if not len(with_it) or not len(without):
            out.append(name_missing(part, Message("claim.missing.nobody_to_compare")))
            continue
        low, high = newcombe_interval(with_it.sum(), len(with_it), without.sum(), len(without))
        found = Estimate(
            100 * float(with_it.mean() - without.mean()),
            float(100 * low),
            float(100 * high),
            Message("interval.newcombe"),
            n,
            patients=n,
        )
        note = Message("claim.note.told")
        out.append(Finding(part, found, "percentage_points", float(len(known)), note=note))
    return [*out, *_by_position(r, back)]


def _by_position(r: Records, back: pd.Series) -> list[Finding]:
    """Share who were back, by the sleeping position that each person named last."""
    part = "sleeping_position"
    position = r.column(part).astype("object")
    known = r.sessions.assign(position=position)[position.notna()]
    if not len(known):
        return [name_missing(part, Message("claim.missing.column", column=part))]
    last = known.sort_values(["patient_id", "day"], kind="stable").groupby("patient_id")["position"]
    own = last.last().reindex(back.index).dropna()
    if not len(own):
        return [name_missing(part, Message("claim.missing.position"))]
    of = float(last.ngroups)
    return [
        Finding(
            part,
            count_people(float(back[own.index[own == p]].sum()), (own == p).sum()),
            "percent",
            of,
            str(p),
        )
        for p in sorted(own.unique())
    ]
