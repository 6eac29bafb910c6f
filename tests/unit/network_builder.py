"""Made-up networks of trials as files: arms of means or of counts, named as the test needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headway import config
from headway.config.review import Review
from headway.ingest import trials
from headway.reviews.analyse import analyse_review
from tests.unit.review_builder import ARMS_HEADER, REVIEW, write_review

HEADER = ARMS_HEADER.replace("mean,sd", "mean,sd,events")
NETWORK: dict[str, Any] = {
    "id": "all",
    "label": "All treatments, headache days",
    "outcome": "frequency",
    "measure": "MD",
    "treatment_is": "arm",
}
Arm = Mapping[str, Any]


def write_arms(arms: Sequence[Arm], own: Sequence[str] = ()) -> str:
    """Write arms as a CSV file: trial, arm, n, mean and sd or events, and what else is given."""
    import csv
    import io

    columns = [*HEADER.strip().split(","), *own]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    first: set[str] = set()
    for arm in arms:
        control = arm["trial"] not in first
        first.add(arm["trial"])
        row: dict[str, Any] = {
            "year": 2001,
            "role": "control" if control else "treatment",
            "technique": "" if control else "manual",
            "comparator": "usual_care" if control else "",
            "outcome": "frequency",
            "unit": "days_per_28",
            "timepoint": "end",
            "time_days": 84,
            "kind": "events" if "events" in arm else "final",
            "n": 30,
            "sd": "" if "events" in arm else 4,
            "status": "retrieved",
            "source": "Table 1",
        }
        writer.writerow(row | dict(arm))
    return stream.getvalue()


def draw_arms(
    names: Sequence[str], k: int, seed: int = 20261130, several: float = 0.25, **more: Any
) -> list[dict[str, Any]]:
    """Draw trials of means that connect all treatments; `more` goes into every arm."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(k):
        if i < len(names) - 1:
            chosen = [0 if rng.random() < 0.5 else i, i + 1]
        else:
            size = 3 if rng.random() < several and len(names) > 2 else 2
            chosen = sorted(rng.choice(len(names), size, replace=False))
        for arm in chosen:
            n = int(rng.integers(20, 90))
            mean = 10 - 0.4 * arm + rng.normal(0, 0.5) + rng.normal(0, 4 / np.sqrt(n))
            row = {"trial": f"Trial {i + 1}", "arm": names[arm], "n": n, "mean": round(mean, 2)}
            out.append(row | more)
    return out


def analyse(
    folder: Path,
    arms: Sequence[Arm] | str,
    networks: Sequence[Mapping[str, Any]] = (NETWORK,),
    *,
    files: Mapping[str, str] | None = None,
    mapped: Mapping[str, Any] | None = None,
    own: Sequence[str] = (),
    explore: bool = False,
    **changes: Any,
) -> tuple[Review, dict[str, Any]]:
    """Write a review's files, read them as a build does, and analyse them."""
    # A comparison that no arm is part of: what is drawn is the networks.
    changes.setdefault("comparisons", [{**REVIEW["comparisons"][0], "techniques": ["other"]}])
    text = arms if isinstance(arms, str) else write_arms(arms, own)
    held = {"arms.csv": text, **(files or {})}
    mapped = mapped or {name.removesuffix(".csv"): {"path": name} for name in held}
    write_review(folder, dict(held), dict(mapped), networks=[dict(n) for n in networks], **changes)
    review = config.load_review(folder)
    read = trials.read_review(folder, review)
    tables = analyse_review(
        read.arms, read.contrasts, read.published, review, read.risk_of_bias, explore=explore
    )
    kept = {"arms": read.arms, "contrasts": read.contrasts, "published": read.published}
    return review, {**tables, **kept, "risk_of_bias": read.risk_of_bias}
