"""Summaries of made-up clinics, for tests of the registry."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headway import disclosure
from headway.config.clinic import Clinic, ClinicFile
from headway.disclosure import Preset
from headway.federation.hashes import hash_content, hash_value
from headway.federation.reading import Offered, hold_together, read_summaries
from headway.federation.summary import build_summary, write_summary
from headway.messages import Message
from headway.outcomes.change.change import summarise_change
from headway.tables import conform, empty

LABEL = Message("comparison.windows", before="before", after="after")
UNITS = {"frequency": "days_per_28", "intensity": "nrs_0_10", "duration": "hours"}


def make_clinic(id: str = "a", **settings: Any) -> Clinic:
    """Make the settings of a clinic, with every default but those given."""
    file = ClinicFile(path="diary.csv")
    own = {"title": f"Clinic {id}", "source": "made up", "licence": "none"} | settings
    return Clinic(schema_version=1, id=id, files={"diary": (file,)}, **own)


def make_pairs(seed: int, n: int = 60, shift: float = -2.0) -> tuple[Any, Any]:
    """Make headache days before and after of n people."""
    rng = np.random.default_rng(seed)
    before = np.clip(rng.normal(15, 6, n), 0, 28)
    after = np.clip(before + rng.normal(shift, 5, n), 0, 28)
    return before, after


def make_cohort(
    pairs: Mapping[str, tuple[Any, Any]], of: int, comparison: str = "primary"
) -> pd.DataFrame:
    """Make the table `cohort` of outcomes before and after, before disclosure control."""
    rows = []
    for outcome, (before, after) in pairs.items():
        unit = UNITS[outcome]
        for s in summarise_change(before, after, unit=unit, replicates=200, seed=1):
            row = {"outcome": outcome, "comparison": comparison, "comparison_label": LABEL}
            row |= {"group": "all", "primary": outcome == "frequency", "statistic": s.id}
            row |= {"label": s.label, "unit": s.unit or None, "estimate": s.estimate}
            row |= {"ci_low": s.ci_low, "ci_high": s.ci_high, "interval": s.interval or None}
            row |= {"n": float(s.n), "of": float(of), "count": s.count, "redacted": False}
            rows.append(row | {"note": s.note or None})
    return conform("cohort", pd.DataFrame(rows))


def make_tables(
    pairs: Mapping[str, tuple[Any, Any]], preset: Preset, of: int | None = None
) -> dict[str, pd.DataFrame]:
    """Make the released tables that a summary is built of."""
    n = max(len(before) for before, _ in pairs.values())
    own = {"cohort": make_cohort(pairs, of or n + 20), "lost": empty("lost")}
    return disclosure.release(own, preset)


def summarise(
    id: str, seed: int = 0, preset: str = "public", n: int = 60, shift: float = -2.0, **more: Any
) -> dict[str, Any]:
    """Make the summary of a clinic of n people."""
    rules = disclosure.choose_preset(preset)
    clinic = make_clinic(id, disclosure=preset, **more)
    return build_summary(_make_tables_once(seed, preset, n, shift), clinic, rules)


@cache
def _make_tables_once(seed: int, preset: str, n: int, shift: float) -> dict[str, pd.DataFrame]:
    rules = disclosure.choose_preset(preset)
    return make_tables({"frequency": make_pairs(seed, n, shift)}, rules)


def state(
    id: str,
    change: float,
    sd: float = 5.0,
    n: int = 50,
    mix: Mapping[tuple[str, str | None], float] | None = None,
) -> dict[str, Any]:
    """Make a summary that states given numbers, under `public`."""
    summary = summarise(id, n=20)
    row = summary["outcomes"][0]
    for field in row:
        if field.startswith(("responders", "worsened", "ci_", "sd_", "r")):
            row[field] = None
    se = sd / np.sqrt(n)
    row |= {"n": n, "of": n + 10, "mean_before": 15.0, "mean_after": 15.0 + change}
    row |= {"mean_change": change, "sd_change": sd, "se": float(se)}
    summary["case_mix"] = [
        {"characteristic": c, "level": level, "measure": "mean", "value": v, "count": None, "n": n}
        for (c, level), v in (mix or {}).items()
    ]
    return seal(summary)


def seal(summary: dict[str, Any]) -> dict[str, Any]:
    """Compute the hashes of a summary that was changed, as whoever forges one would."""
    summary["hashes"]["definitions"] = hash_value(summary["definitions"])
    summary["hashes"]["content"] = hash_content(summary)
    return summary


def write(folder: Path, summaries: Sequence[Mapping[str, Any]]) -> list[tuple[str, Path]]:
    """Write summaries into a folder: clinic a to a.json."""
    folder.mkdir(parents=True, exist_ok=True)
    out = []
    for summary in summaries:
        path = folder / f"{summary['clinic']['id']}.json"
        path.write_text(write_summary(summary), encoding="utf-8")
        out.append((path.name, path))
    return out


def offer(
    folder: Path, summaries: Sequence[Mapping[str, Any]], reference: str | None = None
) -> list[Offered]:
    """Write summaries and read them as the command does."""
    return hold_together(read_summaries(write(folder, summaries)), reference)


def copy(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a summary, all of it."""
    made: dict[str, Any] = json.loads(json.dumps(summary))
    return made
