"""Do the stored totals of a whole library follow from its rows? One file, or review, at a time.

A file of RevMan's is judged by its own settings, without making a review of it; a review's folder
by what `headway.reviews.reproduce` says of it.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway import config
from headway.errors import UserError
from headway.ingest import trials
from headway.ingest.adapters import shown
from headway.ingest.adapters.analysis_rows import complete, describe_settings, summarise
from headway.ingest.adapters.folder import write_folder
from headway.ingest.adapters.forms import find_program, read_file
from headway.ingest.adapters.revman import find_form, read_analyses
from headway.messages import Message
from headway.reviews.analyse import analyse_review
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.errors import Problem
    from headway.ingest.adapters.analyses import Analysis, StoredTotal
    from headway.ingest.adapters.shown import Check

SETTINGS = "review.yaml"
SUFFIXES = (".rm5", ".xml", ".zip", ".csv", ".tsv", ".txt", ".xlsx")
REPRODUCED, OTHER, MISSING, NONE = (
    "reproduced",
    "not reproduced",
    "not recomputable",
    "not estimable",
)
_SAID = 3  # problems of a file that its note says
_PARTS = {"estimate": 0, "lower limit": 1, "upper limit": 2}
_COUNTS = (
    *("analyses", "rows", "rows_shown", "rows_agree", "totals", "reproduced"),
    *("not_reproduced", "explained", "not_recomputable", "not_estimable"),
)


def list_sources(folder: Path, results: Path) -> dict[str, Path]:
    """List what a library holds: reviews' folders, and files outside of them, by identifier.

    Names that begin with a dot, files that no import reads, and the folder of the `results` are
    passed over. An identifier depends on the path below `folder` alone, so that it stays when
    others come and go.
    """
    own = results.resolve()
    found: list[Path] = []
    # A folder that cannot be opened is a source, whose job says so.
    tree = os.walk(folder, onerror=lambda error: found.append(Path(error.filename)))
    for here, folders, files in tree:
        place = Path(here)
        if place != folder and SETTINGS in files:
            found.append(place)
            folders.clear()
            continue
        folders[:] = [
            name for name in folders if not name.startswith(".") and (place / name).resolve() != own
        ]
        found += [
            place / name
            for name in files
            if not name.startswith(".")
            and Path(name).suffix.casefold() in SUFFIXES
            and os.path.isfile(place / name)  # noqa: PTH113 - of no right to look, False
        ]
    return {name_source(path.relative_to(folder)): path for path in sorted(found)}


def name_source(path: Path) -> str:
    """Name a file or folder of a library by small letters, digits and underscores."""
    words = re.sub(r"[^a-z0-9]+", "_", path.stem.casefold()).strip("_")[:40]
    mark = hashlib.sha256(os.fsencode(path.as_posix())).hexdigest()[:8]
    return f"{words or 'file'}_{mark}"


def show_source(path: Path) -> str:
    """Write the path of a source for a table or a page; no two paths are written alike."""
    text = path.as_posix()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def import_sources(sources: Mapping[str, Path], results: Path) -> tuple[Path, list[UserError]]:
    """Make reviews of the files of a library, so that their pages can be built.

    Parameters
    ----------
    sources
        Paths by identifier (`list_sources`); reviews' folders are passed over.
    results
        Where their verdicts stand. A review is made again when those are newer.

    Returns
    -------
    tuple
        The data folder that holds the reviews, and why others could not be made.
    """
    data = results / "data"
    faults = []
    for name, path in sources.items():
        target, judged = data / "raw" / "trials" / name, results / "files" / f"{name}.json"
        made = target / SETTINGS
        if path.is_dir() or (made.is_file() and _time(made) >= _time(judged)):
            continue
        shutil.rmtree(target, ignore_errors=True)
        try:
            write_folder(read_file(path), target, source=show_source(Path(path.name)))
        except UserError as error:
            faults.append(error)
    return data, faults


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns


def judge_source(path: Path, name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Judge every stored total of a file, or of a review's folder.

    Parameters
    ----------
    path
        File or folder.
    name
        What to call it.

    Returns
    -------
    tuple
        Table `library` of this source, and its row of `library_files`; one that cannot be read has
        no number, and a note that says why. A note also says which lines could not be read.
    """
    try:
        if path.is_dir():
            return _judge_review(path, name)
        if find_program(path) == "metafor":
            rows = read_file(path, program="metafor")
            counts = {"analyses": len(rows.comparisons), "rows": rows.rows_in}
            return empty("library"), _count(name, "metafor", counts)
        problems: list[Problem] = []
        analyses = read_analyses(path, problems)
        complete(analyses)
    except UserError as error:
        return empty("library"), _count(name, "unread", {}, _note(error.problems) or str(error))
    any_row = any(analysis.rows for analysis in analyses)
    found, account = judge_analyses(
        analyses, name, find_form(path) if any_row or not problems else "unread"
    )
    return found, {**account, "note": _note(problems) or None}


def _note(problems: Sequence[Problem]) -> str:
    """Say the first of a file's problems."""
    more = len(problems) - _SAID
    return " ".join([*map(str, problems[:_SAID]), *([f"(+ {more})"] if more > 0 else [])])


def judge_analyses(
    analyses: Sequence[Analysis], name: str, form: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Judge the stored totals of analyses whose settings are complete."""
    rows: list[dict[str, Any]] = []
    for analysis in analyses:
        checks = shown.check_totals(analysis)
        for stored, check in zip(analysis.stored, checks, strict=True):
            rows += _judge_total(name, analysis, stored, check)
    counts = {
        key: sum(one[key] for one in summarise(analyses))
        for key in ("rows", "rows_shown", "rows_agree")
    }
    counts["analyses"] = sum(bool(a.rows) and a.kind != "other" for a in analyses)
    return _as_table(rows), _count(name, form, counts | count_verdicts(rows))


def _judge_total(
    name: str, analysis: Analysis, stored: StoredTotal, check: Check
) -> list[dict[str, Any]]:
    """Judge one total: three rows, of one verdict."""
    explanation: Message | None = None
    if check.agrees:
        verdict = REPRODUCED if stored.estimable else NONE
    elif math.isnan(check.found[0]):
        verdict, explanation = MISSING, Message("library.no_number")
    else:
        verdict = OTHER
        choice = shown.explain(analysis, check, stored.shown)
        explanation = Message("library.no_choice")
        if not stored.estimable:
            explanation = Message("library.none_stored")
        elif choice:
            explanation = Message("library.choice", choice=choice)
    head = {
        "file": name,
        "analysis": analysis.code_of(stored.subgroup),
        "label": analysis.name_of(stored.subgroup) or analysis.name or None,
        "settings": describe_settings(analysis),
        "verdict": verdict,
        "explanation": explanation,
    }
    return [
        {
            **head,
            "part": part,
            "published": stored.shown[i] or NONE,
            "recomputed": check.found[i],
            "difference": check.found[i] - check.shown[i],
        }
        for part, i in _PARTS.items()
    ]


def _judge_review(path: Path, name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Judge the printed results of a review, as its page does."""
    review = config.load_review(path)
    read = trials.read_review(path, review)
    found = analyse_review(
        read.arms,
        read.contrasts,
        read.published,
        review,
        read.risk_of_bias,
        read.ipd,
        explore=False,
    )
    rows: list[dict[str, Any]] = [
        {
            "file": name,
            "analysis": row.analysis if isinstance(row.analysis, str) else row.quantity,
            "label": row.label,
            "settings": row.how,
            "part": row.part,
            "published": row.published,
            "recomputed": row.recomputed,
            "difference": row.difference,
            "verdict": row.verdict,
            "explanation": row.explanation,
        }
        for row in found["reproduction"].itertuples()
    ]
    counts = {"analyses": len(review.comparisons), "rows": len(found["effects"])}
    return _as_table(rows), _count(name, "review", counts | count_verdicts(rows))


def count_verdicts(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Count totals by their verdict: that of the part that comes out worst."""
    order = (REPRODUCED, NONE, MISSING, OTHER)
    worst: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["file"], row["analysis"])
        kept = worst.setdefault(key, row)
        if order.index(row["verdict"]) > order.index(kept["verdict"]):
            worst[key] = row
    found = Counter(row["verdict"] for row in worst.values())
    told = [str(row["explanation"]) for row in worst.values() if row["verdict"] == OTHER]
    return {
        "totals": len(worst),
        "reproduced": found[REPRODUCED],
        "not_reproduced": found[OTHER],
        "explained": sum(text.startswith("library.choice") for text in told),
        "not_recomputable": found[MISSING],
        "not_estimable": found[NONE],
    }


def _count(name: str, form: str, counts: dict[str, int], note: str = "") -> dict[str, Any]:
    return {"file": name, "form": form, **dict.fromkeys(_COUNTS, 0), **counts, "note": note or None}


def _as_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return conform("library", pd.DataFrame(rows)) if rows else empty("library")
