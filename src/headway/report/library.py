"""The page of a library: which stored totals follow from their rows, per file and over all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headway.messages import say, t, term
from headway.report import formats
from headway.report.render import render

if TYPE_CHECKING:
    import pandas as pd

_LISTED = 600  # rows on the page; the table beside it holds all
_COUNTS = (
    *("rows", "rows_agree", "totals", "reproduced", "not_reproduced", "explained"),
    *("not_recomputable", "not_estimable"),
)
_HEADS = {"rows": "rows_of", "rows_agree": "as_shown"}


def build(library: pd.DataFrame, files: pd.DataFrame, title: str) -> str:
    """Write the page.

    Parameters
    ----------
    library, files
        Tables `library` and `library_files`.
    title
        Name of the library.
    """
    sums = _sum(files)
    off = library[~library["verdict"].isin(["reproduced", "not estimable"])]
    unread = files[files["note"].notna()]
    heads = [say(term("library", _HEADS.get(name, name))) for name in _COUNTS]
    return render(
        "library.html",
        title=f"{t('library.title')} {title}".strip(),
        home="",
        stamp="",
        sentences=[*write_sentences(files), t("library.tables")],
        columns=[t("library.file"), t("library.form"), *heads],
        by_file=[
            *[_cells([row.file, row.form, *_list_counts(row)]) for row in files.itertuples()],
            _cells([t("library.all"), "", *[sums[name] for name in _COUNTS]]),
        ],
        parts=[
            t("library.file"),
            t("library.analysis"),
            t("library.settings"),
            t("library.part"),
            t("library.stored"),
            t("library.recomputed"),
            t("library.difference"),
            t("library.why"),
        ],
        otherwise=[_cells(_list_parts(row)) for row in off.head(_LISTED).itertuples()],
        more=t("library.more", n=len(off) - _LISTED) if len(off) > _LISTED else "",
        unread=[f"{row.file}: {row.note}" for row in unread.itertuples()],
    )


def write_sentences(files: pd.DataFrame) -> list[str]:
    """Write what the page says first, of the table `library_files`."""
    sums = _sum(files)
    return [
        t(
            "library.headline",
            reproduced=sums["reproduced"],
            # Of a total that is not estimable there is nothing to come back.
            totals=sums["totals"] - sums["not_estimable"],
            files=len(files),
            none=sums["not_estimable"],
        ),
        t(
            "library.rest",
            other=sums["not_reproduced"],
            explained=sums["explained"],
            missing=sums["not_recomputable"],
        ),
        t("library.rows", agree=sums["rows_agree"], shown=sums["rows_shown"]),
    ]


def _sum(files: pd.DataFrame) -> dict[str, int]:
    return {name: int(files[name].sum()) for name in (*_COUNTS, "rows_shown")}


def _cells(values: list[Any]) -> dict[str, Any]:
    return {"kind": "", "cells": [str(value) for value in values]}


def _list_counts(row: Any) -> list[int]:
    return [int(getattr(row, name)) for name in _COUNTS]


def _list_parts(row: Any) -> list[str]:
    settings = say(row.settings) if isinstance(row.settings, str) else ""
    why = say(row.explanation) if isinstance(row.explanation, str) else ""
    found = [formats.as_text(row.recomputed), formats.as_text(row.difference)]
    return [row.file, row.analysis, settings, row.part, row.published, *found, why]
