"""Effect sizes against R's metafor, every entry of the stored answers for our measures.

Nothing is picked by hand: the tests walk the whole file, and floors on the numbers of compared
effects keep the walk from shrinking unseen. ``pytest -s`` prints the worst differences.
"""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway import effects

OURS = {"MD", "SMD", "ROM", "MC", "SMCC", "SMCR", "SMCRH", "ROMC", "RR", "OR", "RD"}
# Closed forms in double precision, stored with 15 digits: 1e-12 would do but for the two below.
RTOL = 1e-11
# R's J is exp of a difference of log-gammas. At m = 400 that difference has lost 3 digits (5e-13,
# measured), and the unbiased variance 1 - (m - 2)/(m J^2), itself near 1/m, loses another 3.
RTOL_UNBIASED = 1e-9

# Where metafor 5.1 redefined a measure, 3.8's answer is compared with `correct=False` (ROM, ROMC)
# or not at all (vi of SMCRH).
MIN_EFFECTS = {"3.8": 7446, "5.1": 9031}

# Columns of the 2 x 2 data: events and sizes of both groups, or all four cells.
COUNT_COLUMNS = (
    ("ai", "n1i", "ci", "n2i"),
    ("xt", "nt", "xc", "nc"),
    ("xTi", "nTi", "xCi", "nCi"),
    ("b.xti", "nti", "b.xci", "nci"),
)


def read_columns(shared: Path, dataset: str) -> dict[str, np.ndarray] | None:
    for folder in ("golden/metafor/data", "data/metadat-1.7-2"):
        path = shared / folder / f"{dataset}.csv"
        if path.exists():
            break
    else:
        return None
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))

    def read(cell: str) -> float:
        try:
            return float(cell)
        except ValueError:
            return np.nan

    return {name: np.array([read(row[name]) for row in rows]) for name in rows[0]}


def find_arguments(shared: Path, dataset: str, measure: str) -> dict[str, np.ndarray] | None:
    """Return the arguments of escalc for a data set, None if its data are not in the folder."""
    study, _, arm = dataset.partition("_")
    if study == "morris2008":
        x = read_columns(shared, study)
        assert x is not None
        g = arm[0].upper()
        return {
            "n": x[f"n{g}"],
            "mean1": x[f"mpost{g}"],
            "mean2": x[f"mpre{g}"],
            "sd1": x[f"sdpre{g}"],
            "sd2": x[f"sdpost{g}"],
            "r": x[f"r{g}"],
        }
    x = read_columns(shared, dataset)
    if x is None:
        return None
    if measure in ("MD", "SMD", "ROM"):
        names = {"n1": "n1i", "mean1": "m1i", "sd1": "sd1i"}
        names |= {"n2": "n2i", "mean2": "m2i", "sd2": "sd2i"}
        return {ours: x[theirs] for ours, theirs in names.items()}
    if measure in ("RR", "OR", "RD"):
        if "tpos" in x:
            return dict(zip("abcd", (x[c] for c in ("tpos", "tneg", "cpos", "cneg")), strict=True))
        e1, n1, e2, n2 = next(c for c in COUNT_COLUMNS if c[0] in x)
        # metafor drops trials without counts before it counts rows.
        known = np.isfinite(x[e1] + x[n1] + x[e2] + x[n2])
        a, b, c, d = (x[e1], x[n1] - x[e1], x[e2], x[n2] - x[e2])
        return {"a": a[known], "b": b[known], "c": c[known], "d": d[known]}
    names = {"n": "ni", "mean1": "m1i", "sd1": "sd1i", "mean2": "m2i", "sd2": "sd2i", "r": "ri"}
    return {ours: x[theirs] for ours, theirs in names.items()}


def to_array(values: list[Any]) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], dtype=float)


@pytest.mark.parametrize(
    ("version", "file"), [("3.8", "oracle.json"), ("5.1", "oracle_metafor_5.1.json")]
)
def test_every_stored_effect_size_is_reproduced(shared: Path, version: str, file: str) -> None:
    path = shared / "golden" / "metafor" / file
    stored = json.loads(path.read_text(encoding="utf-8"))["escalc"]
    worst: dict[str, float] = defaultdict(float)
    skipped: Counter[str] = Counter()
    compared = 0
    for dataset, entries in stored.items():
        for key, answer in entries.items():
            measure, *options = key.split(":")
            if measure not in OURS:
                continue
            if "yi" not in answer:
                # An error message of R: a variance that version does not have.
                assert options == ["UB"]
                skipped["refused by metafor"] += 1
                continue
            arguments = find_arguments(shared, dataset, measure)
            if arguments is None:
                skipped["data not stored"] += 1
                continue
            settings: dict[str, Any] = {}
            if "nocorrect" in options or (version == "3.8" and measure in ("ROM", "ROMC")):
                settings["correct"] = False
            if options and options[0] != "nocorrect":
                settings["vtype"] = options[0]
            yi, vi = effects.escalc(measure, **arguments, **settings)
            expected_y, expected_v = to_array(answer["yi"]), to_array(answer["vi"])
            place = f"{version} {dataset} {key}"
            assert yi.shape == expected_y.shape, place
            defined = np.isfinite(expected_y)
            if "AV" in options and not defined.any():
                # One undefined study makes metafor's average, and so every row, undefined; ours
                # is the average of the effects there are.
                skipped["average undefined in metafor"] += 1
                continue
            assert (np.isfinite(yi) == defined).all(), place
            assert (np.isfinite(vi) == defined).all(), place
            # Effects near 0 are differences of means, exact on the scale of those means only.
            scale = np.maximum(np.abs(expected_y), np.sqrt(expected_v))[defined]
            scale = np.where(scale > 0, scale, 1.0)
            # NaN would vanish in max(); both are finite here, as asserted above.
            gap = float(np.max(np.abs(yi - expected_y)[defined] / scale, initial=0))
            worst[f"yi {key}"] = max(worst[f"yi {key}"], gap)
            compared += int(defined.sum())
            if version == "3.8" and measure == "SMCRH":
                skipped["vi of SMCRH redefined in 4.6"] += 1
                continue
            # A group without spread (poole2003) has a variance of exactly 0.
            scale = np.where(expected_v > 0, expected_v, 1.0)[defined]
            gap = float(np.max(np.abs(vi - expected_v)[defined] / scale, initial=0))
            worst[f"vi {key}"] = max(worst[f"vi {key}"], gap)
    print(f"\nmetafor {version}: {compared} effects; not compared: {dict(skipped)}")
    for name, difference in sorted(worst.items(), key=lambda item: -item[1])[:8]:
        print(f"  {name:22s} {difference:.1e}")
    for name, difference in worst.items():
        assert difference <= (RTOL_UNBIASED if "UB" in name else RTOL), name
    assert compared >= MIN_EFFECTS[version]


def test_effects_of_individual_records_are_reproduced(shared: Path) -> None:
    path = shared / "golden" / "metafor" / "oracle_metafor_5.1.json"
    stored = json.loads(path.read_text(encoding="utf-8"))["ipd"]
    compared = 0
    for name, answer in stored.items():
        if "mean_pre" not in answer:  # a regression on the same records
            continue
        summary = {
            "n": answer["n"],
            "mean1": answer["mean_post"],
            "mean2": answer["mean_pre"],
            "sd1": answer["sd_pre"],
            "sd2": answer["sd_post"],
            "r": answer["r"],
        }
        for measure in sorted(OURS & set(answer)):
            # Means, SDs and r are stored with 15 digits, of which differences lose one or two.
            yi, vi = effects.escalc(measure, **summary)
            expected = answer[measure]
            assert float(yi) == pytest.approx(expected["yi"], rel=1e-11), (name, measure)
            assert float(vi) == pytest.approx(expected["vi"], rel=1e-11), (name, measure)
            compared += 1
    assert compared >= 16
