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
    *,
    refused: Sequence[Mapping[str, Any]] = (),
    unread: Sequence[Mapping[str, Any]] = (),
    registry: bool = False,
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
    refused
        Sources that have no page, as no job could read them: name, problems.
    unread
        Folders and files that are no source: kind, name, problems.
    registry
        Whether `headway federate` has written a page beside the index.
    """
    without_page = [{"title": s["name"], "page": "", "problems": s["problems"]} for s in refused]
    pages = [c for c in [*trials, *clinics] if c["state"] == "refused"]
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
        refused=[*without_page, *pages],
        kinds=[
            ("Clinics", "clinics", ready["clinics"]),
            ("Reviews of published trials", "trials", ready["trials"]),
        ],
        skipped=skipped,
        unread=[problem for one in unread for problem in one["problems"]],
        notebooks=notebooks,
        registry=registry,
        versions=versions,
    )
