"""Shipped sources taken through the path, for tests of figures and pages."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pandas as pd

from headway import config, disclosure, tables
from headway.config.clinic import Clinic
from headway.config.review import Review
from headway.ingest import clinics, trials
from headway.outcomes import audit
from headway.outcomes.change import cohort
from headway.reviews.analyse import analyse_review

RAW = Path(__file__).resolve().parents[2] / "data" / "raw"
READY = {"name": "x", "state": "ready", "problems": []}
# Of status.json: a clinic that was refused for its zeros.
PROBLEM = {
    "file": "windows.csv",
    "rule": "zero_coded_missing",
    "message": "zeros stand where another column is blank",
    "column": "days_after",
    "line": None,
    "count": 30,
    "remedy": "name 0 in missing:",
    "text": "",
}


@cache
def published_arms() -> pd.DataFrame:
    """Read the arms of every review whose files are there."""
    ready = [s for s in config.find_sources(RAW.parent, "trials") if s.ready]
    read = [trials.read_review(s.folder, config.load_review(s.folder)).arms for s in ready]
    return pd.concat([a for a in read if len(a)], ignore_index=True)


@cache
def analysed(name: str) -> tuple[Clinic, dict[str, pd.DataFrame]]:
    """Take a shipped clinic through gate, windows and cohort, before disclosure control."""
    folder, out = RAW / "clinics" / name, Path(mkdtemp()) / "out"  # a scratch folder of its own
    clinic = config.load_clinic(folder)
    flow = clinics.ingest_clinic(folder, clinic, out).as_flow()
    found = audit.audit_clinic(out, clinic, published_arms())
    rows = tables.conform("flow", pd.DataFrame(flow))
    found["flow"] = cohort.join_flow(rows, found["flow"])
    return clinic, found


def released(name: str, preset: str = "") -> tuple[Clinic, dict[str, pd.DataFrame], Any]:
    """Release a shipped clinic's tables under its own or another preset."""
    clinic, found = analysed(name)
    rules = disclosure.PRESETS[preset or clinic.disclosure]
    out = disclosure.release({n: found[n] for n in disclosure.RULES}, rules)
    if preset:
        clinic = replace(clinic, disclosure=preset, synthetic=False)
    return clinic, out, rules


@cache
def review(name: str) -> tuple[Review, dict[str, pd.DataFrame]]:
    """Take a shipped review through its whole path."""
    document = config.load_review(RAW / "trials" / name)
    read = trials.read_review(RAW / "trials" / name, document)
    found = analyse_review(
        read.arms, read.contrasts, read.published, document, read.risk_of_bias, read.ipd
    )
    return document, {
        **found,
        "arms": read.arms,
        "contrasts": read.contrasts,
        "published": read.published,
        "risk_of_bias": read.risk_of_bias,
        "ipd": read.ipd,
    }
