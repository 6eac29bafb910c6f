"""Claims about sessions: soreness, referred pain, places that are treated, other complaints."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr

from headway.messages import Message, join, term
from headway.outcomes.care import clustered
from headway.outcomes.care.clustered import NAN, Estimate
from headway.outcomes.change import windows
from headway.outcomes.change.attrition import welch_interval
from headway.outcomes.claims.file import Claims, read_word
from headway.outcomes.claims.records import (
    Finding,
    Records,
    as_percent,
    average,
    name_missing,
    read_estimate,
    read_numbers,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_LIDOCAINE = re.compile("lidocain|lignocain|xylocain")
COMPLAINT_COLUMNS = ("vertigo", "tinnitus", "digestion")


def read_complaints(r: Records, known: Sequence[str]) -> pd.DataFrame:
    """Collect ratings of complaints: from their own columns, the list, and questionnaires.

    Returns
    -------
    DataFrame
        patient_id, day, instrument (the complaint), score; a complaint that is not in a list of
        that visit is unknown there.
    """
    import pandas as pd

    parts = []
    keys = r.sessions[["patient_id", "day"]]
    for name in COMPLAINT_COLUMNS:
        score = pd.to_numeric(r.column(name))
        parts.append(keys.assign(instrument=name, score=score)[score.notna()])
    listed = r.column("other_complaints")
    listed = listed[listed.notna()].astype(str).str.split(";").explode()
    if len(listed):
        pairs = listed.str.rpartition(":")
        parts.append(
            keys.loc[listed.index].assign(
                instrument=pairs[0].map(read_word).to_numpy(),
                score=pd.to_numeric(pairs[2]).to_numpy(),
            )
        )
    asked = r.questionnaires
    if len(asked):
        names = asked["instrument"].map(read_word)
        hit = names.isin(known)
        own = asked.loc[hit, ["patient_id", "day", "score"]]
        parts.append(own.assign(instrument=names[hit]))
    columns = ["patient_id", "day", "instrument", "score"]
    return pd.concat([p[columns] for p in parts], ignore_index=True)


def _p_value(values: Array) -> float:
    """Two-sided p value of the paired t test."""
    n = len(values)
    if n < 2 or np.ptp(values) == 0:
        return NAN
    t = values.mean() / (values.std(ddof=1) / np.sqrt(n))
    return float(2 * stdtr(n - 1, -abs(t)))


def hold_complaints(r: Records, claims: Claims) -> list[Finding]:
    """Row 3: complaints that seem unrelated."""
    ratings = read_complaints(r, claims.complaints)
    if not len(ratings):
        return [name_missing("complaint", Message("claim.missing.complaint"))]
    values = windows.build_questionnaire_windows(ratings, r.clinic)
    wide = values.pivot(index=["outcome", "patient_id"], columns="window", values="value")
    out = []
    for name in sorted(ratings["instrument"].unique()):
        asked = ratings.loc[ratings["instrument"] == name]
        binary = bool(asked["score"].isin([0, 1]).all())
        change = np.empty(0)
        if name in wide.index.get_level_values(0) and {"baseline", "post"} <= set(wide.columns):
            own = wide.loc[name].dropna(subset=["baseline", "post"])
            change = (own["post"] - own["baseline"]).to_numpy(float)
        scale = 100.0 if binary else 1.0
        answers = Message("claim.note.yes_and_no") if binary else None
        out.append(
            Finding(
                "complaint",
                average(scale * change),
                "percentage_points" if binary else "nrs_0_10",
                float(asked["patient_id"].nunique()),
                name,
                p_value=_p_value(change),
                note=join([Message("claim.note.both_answers"), answers]),
            )
        )
    return out


def read_points(sessions: pd.DataFrame) -> pd.DataFrame:
    """Read trigger points and whether each refers pain, once per person and point.

    A point that is treated again is one point; what was recorded first stands. Sessions whose
    numbers of points and zones differ cannot be read and are left out.

    Returns
    -------
    DataFrame
        patient_id, point, refers (1 or 0); `attrs["left_out"]` counts those sessions.
    """
    import pandas as pd

    columns = ["patient_id", "day", "trigger_points", "referral_zone"]
    known = sessions.loc[sessions["referral_zone"].notna(), columns]
    known = known.sort_values(["patient_id", "day"], kind="stable")
    # What each pair of texts says is read once.
    texts = known[["trigger_points", "referral_zone"]].astype("category")
    pair = texts.groupby(list(texts), dropna=False, sort=False, observed=True).ngroup().to_numpy()
    _, first = np.unique(pair, return_index=True)
    words: dict[str, int] = {}
    refers, named, sizes = [], [], []
    for points, zones in texts.iloc[first].astype("object").itertuples(index=False):
        zone = [read_word(z) for z in str(zones).split(";")]
        # Without names a point cannot be known again: each record is one.
        point = [read_word(p) for p in points.split(";")] if isinstance(points, str) else None
        same = point is None or len(point) == len(zone)
        sizes.append(len(zone) if same else 0)
        if same:
            refers += [float(z != "none") for z in zone]
            told = [words.setdefault(p, len(words)) for p in point or ()]
            named += told or [-1] * len(zone)
    patient = known["patient_id"]
    del texts, known
    size = np.array(sizes, int)
    each, start = size[pair], np.concatenate([[0], np.cumsum(size)[:-1]]).astype(int)
    row = np.repeat(np.arange(len(pair), dtype="int32"), each)
    at = start[pair[row]] + np.arange(len(row)) - np.repeat(np.cumsum(each) - each, each)
    number = np.array(named, int)[at]
    alone = number < 0
    number[alone] = len(words) + np.flatnonzero(alone)
    codes = patient.astype("category").cat.codes.to_numpy("int64")
    key = codes[row] * (len(words) + len(row) + 1) + number
    kept = np.sort(np.unique(key, return_index=True)[1])
    del key, codes
    names = np.array([*words, ""], dtype=object)
    point = names[np.minimum(number[kept], len(words))]
    point[alone[kept]] = [f"record {i}" for i in kept[alone[kept]]]
    out = pd.DataFrame(
        {
            "patient_id": patient.iloc[row[kept]].to_numpy(),
            "point": point,
            "refers": np.array(refers, float)[at[kept]],
        }
    )
    out.attrs["left_out"] = int((size[pair] == 0).sum())
    return out


def hold_referral(r: Records, claims: Claims) -> list[Finding]:
    """Row 4: points that refer pain."""
    zones = r.column("referral_zone")
    if not zones.notna().any():
        return [name_missing("refers", Message("claim.missing.referral_zone"))]
    points = read_points(
        r.sessions[["patient_id", "day"]].assign(
            trigger_points=r.column("trigger_points"), referral_zone=zones
        )
    )
    if not len(points):
        return [name_missing("refers", Message("claim.missing.matching_zones"))]
    found = as_percent(clustered.share(points["refers"], points["patient_id"]))
    left = points.attrs["left_out"]
    note = join(
        [
            Message("claim.note.points_once"),
            Message("claim.note.examined"),
            Message("claim.note.left_out", n=left) if left else None,
        ]
    )
    return [Finding("refers", found, of=float(len(points)), note=note)]


def _from_safety(r: Records, harm: str, statistic: str, part: str) -> Finding:
    rows = r.safety[
        (r.safety["harm"] == harm)
        & (r.safety["statistic"] == statistic)
        & (r.safety["group"] == "all")
        & (r.safety["reported"] == "asked")
        & (r.safety["per"] == "session")
    ]
    if not len(rows):
        return name_missing(part, Message("claim.missing.nobody_asked", harm=term("harm", harm)))
    row = rows.iloc[0]
    return Finding(part, read_estimate(row, int(row["patients"])), of=float(row["of"]))


def hold_aftermath(r: Records, claims: Claims) -> list[Finding]:
    """Row 5: soreness, lethargy, a hot compress."""
    out = [
        _from_safety(r, harm, statistic, f"{harm}{suffix}")
        for harm in ("soreness", "lethargy")
        for statistic, suffix in (("share", ""), ("share_within_2_days", "_short"))
    ]
    used, days = read_numbers(r.column("compress_used")), read_numbers(r.column("soreness_days"))
    sore = used.notna() & (days > 0)
    if not sore.any():
        return [*out, name_missing("compress", Message("claim.missing.compress"))]
    # One value per person and group, so that people and not sessions are compared.
    means = [
        days[sore & (used == u)].groupby(r.sessions["patient_id"]).mean().to_numpy(float)
        for u in (1, 0)
    ]
    estimate, low, high = welch_interval(*means)
    n = int(sore.sum())
    people = int(r.sessions.loc[sore, "patient_id"].nunique())
    interval = "" if np.isnan(low) else Message("interval.welch_people")
    found = Estimate(estimate, low, high, interval, n, patients=people)
    note = Message("claim.note.sorer")
    return [*out, Finding("compress", found, "days", float((days > 0).sum()), note=note)]


def _sore_difference(
    r: Records, part: str, first: pd.Series, second: pd.Series, note: str, why: Message
) -> Finding:
    """Compare sessions followed by soreness between two sets of sessions, of those asked."""
    days = read_numbers(r.column("soreness_days"))
    asked = days.notna() & (r.column("soreness_reported") == "asked").astype(bool)
    a, b = asked & first, asked & second
    if not a.any() or not b.any():
        return name_missing(part, why)
    who = r.sessions["patient_id"]
    sore = (days > 0).astype(float)
    found = as_percent(clustered.difference(sore[a], who[a], sore[b], who[b]))
    of = float((first | second).sum())
    return Finding(part, found, "percentage_points", of, note=note)


def hold_wet_and_dry(r: Records, claims: Claims) -> list[Finding]:
    """Row 6: soreness after wet and dry needling."""
    technique, drug = r.column("technique"), r.column("drug")
    wet = (technique == "wet_needling").astype(bool)
    note: str = Message("claim.note.asked")
    if drug[wet].notna().any():
        named = [d for d in drug.dropna().unique() if _LIDOCAINE.search(str(d).casefold())]
        wet &= drug.isin(named)
    else:
        note = join([note, Message("claim.note.drug")])
    dry = (technique == "dry_needling").astype(bool)
    why = Message("claim.missing.wet_and_dry")
    return [_sore_difference(r, "wet_less_dry", wet, dry, note, why)]


def hold_water(r: Records, claims: Claims) -> list[Finding]:
    """Row 12: water before a session."""
    cups = read_numbers(r.column("water_cups"))
    why, note = Message("claim.missing.cups"), Message("claim.note.asked")
    return [_sore_difference(r, "soreness", cups >= claims.cups, cups < claims.cups, note, why)]


def read_places(r: Records, claims: Claims) -> pd.DataFrame:
    """Say for each session whether a treated muscle lies outside every painful region.

    Pain sites that were recorded earlier stand until the next record. A session is left out where
    a site or a muscle is not in the map.

    Returns
    -------
    DataFrame
        patient_id, outside (1 or 0); `attrs["unknown"]` counts sessions that the map cannot read.
    """
    import pandas as pd

    frame = pd.DataFrame(
        {
            "patient_id": r.sessions["patient_id"],
            "day": r.sessions["day"],
            "sites": r.column("pain_sites").astype("object"),
            "points": r.column("trigger_points").astype("object"),
        }
    ).sort_values(["patient_id", "day"], kind="stable")
    frame["sites"] = frame.groupby("patient_id")["sites"].ffill()
    frame = frame.dropna(subset=["sites", "points"])
    rows, unknown = [], 0
    for patient, sites, points in zip(
        frame["patient_id"], frame["sites"], frame["points"], strict=True
    ):
        regions = [claims.sites.get(read_word(s)) for s in str(sites).split(";")]
        names = [read_word(p.partition(":")[0]) for p in str(points).split(";")]
        muscles = [claims.muscles.get(name) for name in names]
        if None in regions or None in muscles:
            unknown += 1
            continue
        rows.append((patient, float(any(not (m or set()) & set(regions) for m in muscles))))
    out = pd.DataFrame(rows, columns=["patient_id", "outside"])
    out.attrs["unknown"] = unknown
    return out


def hold_far_away(r: Records, claims: Claims) -> list[Finding]:
    """Row 14: treated far from where it hurts."""
    if not r.column("pain_sites").notna().any():
        return [name_missing("outside", Message("claim.missing.column", column="pain_sites"))]
    if not r.column("trigger_points").notna().any():
        return [name_missing("outside", Message("claim.missing.column", column="trigger_points"))]
    places = read_places(r, claims)
    unknown = places.attrs["unknown"]
    if not len(places):
        return [name_missing("outside", Message("claim.missing.places"))]
    found = as_percent(clustered.share(places["outside"], places["patient_id"]))
    note = Message("claim.note.not_in_the_map", n=unknown) if unknown else ""
    return [Finding("outside", found, of=float(len(places) + unknown), note=note)]
