"""The index of all results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headway.report.render import render

Card = Mapping[str, Any]


def build(
    trials: Sequence[Card],
    clinics: Sequence[Card],
    skipped: Sequence[Mapping[str, Any]],
    notebooks: Sequence[str],
    record: Mapping[str, Any],
) -> str:
    """Write index.html.

    Parameters
    ----------
    trials, clinics
        Cards of all reviews and clinics.
    skipped
        Sources that wait for a file: name, missing, folder, obtain.
    notebooks
        Names of the executed notebooks.
    record
        provenance.json.
    """
    refused = [c for c in [*trials, *clinics] if c["state"] == "refused"]
    ready = {
        k: [c for c in cards if c["state"] != "refused"]
        for k, cards in (("trials", trials), ("clinics", clinics))
    }
    versions = [
        {"kind": "", "cells": [name, version]}
        for name, version in {
            "headway": record["headway"],
            "python": record["python"],
            **record["packages"],
        }.items()
    ]
    return render(
        "index.html",
        title="Headway: results",
        home="",
        stamp="",
        refused=refused,
        kinds=[
            ("Clinics", "clinics", ready["clinics"]),
            ("Reviews of published trials", "trials", ready["trials"]),
        ],
        skipped=skipped,
        notebooks=notebooks,
        versions=versions,
    )
