"""A draft of a clinic -> a release: held against all earlier ones, written whole, remembered."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from headway import config, disclosure
from headway.disclosure import releases
from headway.errors import InputError, Problem, RefusedError
from headway.figures import theme
from headway.figures.clinic import draw
from headway.figures.clinic.brief import draw_brief
from headway.messages import Message
from headway.report.clinic import brief_pages, page
from headway.report.clinic.brief import write_brief
from headway.tables import write_csv, write_text
from headway.tables.private import hide_from_git, make_private, read_secret, restrict, sign

if TYPE_CHECKING:
    import pandas as pd

    from headway.disclosure import Preset

MEMORY = ".releases"


def find_draft(name: str, data_dir: Path, results_dir: Path) -> Path:
    """Find the folder of the tables that a clinic's draft was made of.

    Raises
    ------
    InputError
        If there is no draft.
    """
    made = data_dir / "processed" / "clinics" / name
    draft = results_dir / "clinics" / name / "audit.html"
    if not (draft.is_file() and (made / "status.json").is_file()):
        raise InputError("failure.no_draft", [_no_draft(name)])
    return made


def release(
    made: Path,
    data_dir: Path,
    results_dir: Path,
    tables: Mapping[str, pd.DataFrame],
    people: Mapping[str, str],
) -> tuple[Path, bool]:
    """Release a clinic's draft.

    Parameters
    ----------
    made
        What `find_draft` found, in a folder of the clinic's name.
    tables
        Those of the draft before disclosure control.
    people
        `headway.ingest.clinics.people.sign_people` of its records.

    Returns
    -------
    tuple
        The folder of the release, and whether it is new: a draft that was released already is
        written again as it was.

    Raises
    ------
    RefusedError
        If the clinic was refused, the preset is not for release, or few people differ from an
        earlier release.
    """
    name = made.name
    status = json.loads((made / "status.json").read_text(encoding="utf-8"))
    clinic = config.read_clinic(made / "clinic.json")
    preset = disclosure.choose_preset(clinic.disclosure)
    if status["state"] != "ready" or preset.name == "internal":
        inside = status["state"] == "ready"
        text = "problem.release_internal" if inside else "problem.release_refused"
        check = Message("remedy.run", line=f"headway check {name}")
        remedy = "remedy.release_internal" if inside else check
        problem = Problem("clinic.yaml", "not_for_release", text, remedy=remedy)
        raise RefusedError("failure.release", [problem])
    memory = data_dir / "raw" / "clinics" / name / MEMORY
    earlier = releases.read_releases(memory)
    secret = read_secret(data_dir)
    digest = _sign_tables(secret, preset.name, tables)
    known = next((r for r in earlier if r.digest == digest), None)
    before = [r for r in earlier if known is None or r.number < known.number]
    if known is None:
        _check(releases.find_few(before, people, preset), preset)
    released = disclosure.release(tables, preset, () if preset.open else before)
    number = known.number if known else max([0, *(r.number for r in earlier)]) + 1
    folder = results_dir / "releases" / name / f"{number:04d}"
    if known is None:  # first, so that nothing leaves the house that is not remembered
        _remember(memory, number, digest, people, preset, tables, released)
    _write(folder, clinic, status, released, preset)
    return folder, known is None


def _no_draft(name: str) -> Problem:
    remedy = Message("remedy.run", line=f"headway audit {name}")
    return Problem("", "no_draft", "problem.no_draft", remedy=remedy)


def _check(few: tuple[int, int] | None, preset: Preset) -> None:
    if few is None:
        return
    number, people = few
    text = Message("problem.release_few", n=people, number=number)
    remedy = Message("remedy.release_few", most=preset.redact_up_to, number=number)
    raise RefusedError("failure.release", [Problem("", "few_people", text, remedy=remedy)])


def _remember(
    memory: Path,
    number: int,
    digest: str,
    people: Mapping[str, str],
    preset: Preset,
    tables: Mapping[str, pd.DataFrame],
    released: Mapping[str, pd.DataFrame],
) -> None:
    """Keep what the next release has to be held against; nobody else may read it."""
    true = releases.keep_counts(tables, preset)
    make_private(memory)
    hide_from_git(memory)
    made = releases.Release(number, digest, people, true, dict(released))
    releases.write_release(made, memory)
    for path in memory.rglob("*"):
        restrict(path, 0o700 if path.is_dir() else 0o600)


def _write(
    folder: Path,
    clinic: config.clinic.Clinic,
    status: Mapping[str, object],
    released: Mapping[str, pd.DataFrame],
    preset: Preset,
) -> None:
    """Write tables, figures and page beside their place and move them there whole."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for table, frame in released.items():
        write_csv(frame, part / f"{table}.csv")
    saved = theme.save(draw.draw_clinic(released, clinic, preset), part / "figures")
    home = "../../../index.html"
    text, _ = page.build(clinic, status, released, saved, preset, home=home)
    write_text(text, part / "audit.html")
    own = theme.save(draw_brief(released, clinic, preset), part / "figures")
    content = write_brief(clinic, status, released, preset)
    write_text(brief_pages.write_html(content, own, home=home), part / "brief.html")
    (part / "brief.pdf").write_bytes(brief_pages.write_pdf(content, own))
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(part, folder)  # noqa: PTH105  (of a folder)


def _sign_tables(secret: bytes, preset: str, tables: Mapping[str, pd.DataFrame]) -> str:
    parts = [f"{t}\n{frame.to_csv(float_format='%.12g')}" for t, frame in sorted(tables.items())]
    return sign(secret, preset, *parts)
