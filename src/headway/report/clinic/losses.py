"""What page one says of records that could not be used: a banner, and which source stands in.

It is read from nothing but the released table `flow`: account `rows` (a file), `column` (a column
of a file; item `file: column`) and `source` (a declared source of which nothing can be used).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.messages import capital, say, t, term
from headway.outcomes.change.sources import NOT_USED, SOURCE, name_source
from headway.report import formats

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.clinic import Clinic
    from headway.disclosure import Preset

MOST = 0.02  # share of a file's rows or of a column's filled cells that is no news
LOST, QUARANTINED, IN_THE_FILE = "lost", "quarantined", "in_the_file"  # steps of account `rows`
# Columns without which nobody knows on which days there was headache.
_OF_THE_DAY = {
    "diary": ("patient_id", "day", "headache", "diary_complete"),
    "attacks": ("patient_id", "day", "start_hour", "duration_hours"),
}
_REPLACED = {
    "replaced_by_visit": "page_one.rests_on_visits",
    "replaced_by_diary": "page_one.rests_on_the_diary",
    NOT_USED: "page_one.nothing_of_source_could_be_used",
}


def list_losses(flow: pd.DataFrame, clinic: Clinic, preset: Preset) -> list[dict[str, str]]:
    """List, file by file, rows and columns of which more than `MOST` could not be used.

    A hidden number is told as "some", and counts as too many unless it cannot be.

    Returns
    -------
    list of dict
        text (which file and column, how many of how many), meaning (what that does to the page).
    """
    out = []
    rows, columns = flow[flow["account"] == "rows"], flow[flow["account"] == "column"]
    files = list(dict.fromkeys(rows["item"]))
    for file, part in rows.groupby("item", sort=False):
        steps = {r["step"]: r for r in part.to_dict("records")}
        lost = steps.get(LOST, steps.get(QUARANTINED))
        if lost is not None and _is_much(lost, lost["of"], preset):
            days = _kind_of(str(file), clinic) in _OF_THE_DAY
            out.append(
                {
                    "text": _say_how_many("page_one.rows_could_not_be_used", lost, file=str(file)),
                    "meaning": _meaning(days),
                }
            )
    for r in columns.to_dict("records"):
        if not _is_much(r, r["of"], preset):
            continue
        file, column = _split(str(r["item"]), files)
        days = r["step"] in _OF_THE_DAY.get(_kind_of(file, clinic), ())
        text = _say_how_many("page_one.cells_could_not_be_read", r, file=file, column=column)
        out.append({"text": text, "meaning": _meaning(days)})
    return out


def _is_much(row: Mapping[str, Any], of: Any, preset: Preset) -> bool:
    n = row["n"]
    if formats.missing(n):
        if not row["redacted"]:
            return False
        n = preset.redact_up_to  # the most that it can be
    return bool(n > 0 and (formats.missing(of) or n > MOST * of))


def _say_how_many(id: str, row: Mapping[str, Any], **places: str) -> str:
    """Say how many of how many, as far as both numbers are printed."""
    n, of = row["n"], row["of"]
    some = formats.missing(n)
    places["n"] = t("page_one.some") if some else formats.integer(n)
    places["of"] = (
        t("page_one.a_hidden_number_of") if formats.missing(of) or not of else formats.integer(of)
    )
    return t(id, **places)


def _meaning(days: bool) -> str:
    return t("page_one.these_days_are_unknown" if days else "page_one.they_are_not_recorded")


def _split(item: str, files: list[str]) -> tuple[str, str]:
    """Take file and column apart; either may hold a colon."""
    known = [f for f in files if item.startswith(f"{f}: ")]
    file = max(known, key=len) if known else item.partition(": ")[0]
    return file, item.removeprefix(f"{file}: ")


def _kind_of(file: str, clinic: Clinic) -> str:
    """Find the kind of a file by its declared path; a sheet is named after its workbook."""
    paths = {
        path: kind
        for kind, entries in clinic.files.items()
        for entry in entries
        for path in ([entry.path] if isinstance(entry.path, str) else entry.path)
    }
    near = [path for path in paths if file.startswith(path)]
    return paths[max(near, key=len)] if near else ""


def say_replaced(flow: pd.DataFrame, *, answered: bool) -> list[str]:
    """Say of which declared source nothing could be used, what answers instead, and why.

    Parameters
    ----------
    flow
        Released table.
    answered
        Whether the primary outcome is answered at all. A source that is idle beside the one that
        answers is no news for page one.
    """
    own = flow[(flow["account"] == SOURCE) & flow["step"].isin(list(_REPLACED))]
    out = []
    for r in own[(own["step"] != NOT_USED) | (not answered)].to_dict("records"):
        out.append(capital(t(_REPLACED[r["step"]], source=say(name_source(r["item"])))))
        out.append(t("page_one.the_reason", why=say(r["note"])))
    return out


def list_unused(flow: pd.DataFrame) -> list[str]:
    """List sources that were not used, with the reason, for the account of rows and people."""
    return [
        f"{say(name_source(r['item']))}: {say(term('step', r['step']))} ({say(r['note'])})."
        for r in flow[flow["account"] == SOURCE].to_dict("records")
    ]
