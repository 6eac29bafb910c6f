"""What a build would make of a review, without writing anything: the check of a review.

Reading, effects, pooling, checks of small studies and integrity run as in the build; what the
build refuses is refused here, with file, line and remedy.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import Problem, UserError
from headway.ingest import trials
from headway.messages import Message, join, read
from headway.reviews.analyse import OVERALL, analyse_review
from headway.reviews.moderators import ALONE, AS_SUBGROUPS

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Comparison, Network, Review
    from headway.ingest.trials.files import File


@dataclass(frozen=True, slots=True)
class Preview:
    """What a build would make of a review.

    Attributes
    ----------
    problems
        What refuses the review; none where it can be built.
    files
        Of each file: file, rows (below the header), kept, quarantined (rows with a problem),
        not_selected (rows that `keep_where` leaves out), rules (rule -> problems).
    columns
        Of each column of a file: file, column, mapped_to (canonical; empty where nothing reads
        it), unread_share (share of its filled cells that cannot be used, 0 to 1).
    answers
        Of each comparison and network: question (its id), answered, n (trials pooled, or arms
        where arms are followed), why (message: how many are pooled, and why others are not).
    """

    problems: tuple[Problem, ...]
    files: tuple[dict[str, Any], ...]
    columns: tuple[dict[str, Any], ...]
    answers: tuple[dict[str, Any], ...]


def preview_review(folder: Path, review: Review) -> Preview:
    """Read a review's folder and compute what its build would, writing nothing.

    Parameters
    ----------
    folder
        Folder that holds review.yaml and its files.
    review
        review.yaml with its defaults.

    Returns
    -------
    Preview
        With problems instead of answers where the review is refused; nothing is raised for what
        its user can mend.
    """
    files, individual, found = trials.read_files(folder, review)
    answers: list[dict[str, Any]] = []
    problems = tuple(found)
    if not problems:
        try:
            read = trials.make_tables(files, individual, review)
            tables = analyse_review(
                read.arms,
                read.contrasts,
                read.published,
                review,
                read.risk_of_bias,
                read.ipd,
                explore=False,
            )
        except UserError as error:
            problems = error.problems or (Problem("", type(error).__name__, error.message),)
        else:
            answers = [answer_comparison(c, tables) for c in review.comparisons]
            answers += [answer_network(n, tables) for n in review.networks]
    return Preview(
        problems,
        tuple(_count_rows(file, problems) for file in files),
        tuple(row for file in files for row in _list_columns(file, problems)),
        tuple(answers),
    )


def _count_rows(file: File, problems: tuple[Problem, ...]) -> dict[str, Any]:
    own = [p for p in problems if p.file == file.name]
    bad = len({p.line for p in own if p.line is not None})
    # A file without its columns has no row that can be used.
    if any(p.line is None and p.count is None for p in own):
        bad = file.rows_in - file.not_selected
    rules: Counter[str] = Counter()
    for problem in own:
        rules[problem.rule] += problem.count or 1
    return {
        "file": file.name,
        "rows": file.rows_in,
        "kept": file.rows_in - file.not_selected - bad,
        "quarantined": bad,
        "not_selected": file.not_selected,
        "rules": dict(rules),
    }


def _list_columns(file: File, problems: tuple[Problem, ...]) -> list[dict[str, Any]]:
    """List a file's columns, what each is read as, and how much of it cannot be used."""
    lost: Counter[str] = Counter()
    for problem in problems:
        if problem.file == file.name and (problem.line is not None or problem.count):
            lost[problem.column] += problem.count or 1
    out = []
    for column, (canonical, filled) in file.columns.items():
        share = min(1.0, lost[canonical] / filled) if filled else 0.0
        out.append(
            {
                "file": file.name,
                "column": column,
                "mapped_to": canonical,
                "unread_share": share if canonical else 1.0,
            }
        )
    return out


def answer_comparison(comparison: Comparison, tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Say of one comparison how many trials are pooled, and why the others are not.

    Parameters
    ----------
    comparison
        Its entry in review.yaml.
    tables
        `effects`, `pooled` and `moderators` of the review.
    """
    effects, pooled = tables["effects"], tables["pooled"]
    own = effects[effects["comparison"] == comparison.id]
    used = own[own["pooled"]]
    rows = pooled[pooled["comparison"].eq(comparison.id) & pooled["declared"]]
    if (rows["subgroup"] == OVERALL).any():
        rows = rows[rows["subgroup"] == OVERALL]
    answered = bool(len(rows)) and bool(np.isfinite(rows["estimate"]).any())
    people = comparison.estimand == "between_arm"
    n = int(used["trial"].nunique() if people else len(used))
    of = int(own["trial"].nunique() if people else len(own))
    why: list[str] = [Message("preview.trials" if people else "preview.arms", n=n, of=of)]
    if n == 1:
        why.append(Message("preview.one_trial"))
    if len(used) and not answered:
        why.append(Message("fit.not_computable"))
    if "bayes" in tables:
        told = tables["bayes"]
        notes = dict.fromkeys(told.loc[told["comparison"].eq(comparison.id), "note"].dropna())
        if notes:
            reasons = [message for note in notes for message in read(str(note)) or []]
            why.append(Message("preview.no_bayes", why=reasons))
    # Of a trial that is pooled only what no rule decided is told: its user may choose.
    undecided = own["why_not"].fillna("").str.startswith("why_not.first_of_several")
    elsewhere = own["trial"].isin(used["trial"] if people else [])
    why += _list_reasons(own[~own["pooled"] & (undecided | ~elsewhere)])
    for row in tables["moderators"].to_dict("records") if "moderators" in tables else ():
        same = row["comparison"] == comparison.id and row["regression"] == ALONE
        if same and np.isnan(row["estimate"]) and row["note"] != AS_SUBGROUPS:
            reason = read(str(row["note"])) or []
            why.append(Message("preview.no_regression", name=row["moderator"], why=reason))
    return {"question": comparison.id, "answered": answered, "n": n, "why": join(why)}


def answer_network(network: Network, tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Say of one network how many trials are pooled, and why the others are not.

    Parameters
    ----------
    network
        Its entry in review.yaml.
    tables
        `networks` and `network_effects` of the review.
    """
    whole = tables["networks"].set_index("network").loc[network.id]
    own = tables["network_effects"]
    own = own[own["network"] == network.id]
    inside = own.loc[own["pooled"], "trial"]
    why: list[str] = [
        Message("preview.trials", n=inside.nunique(), of=own["trial"].nunique()),
        *([whole["note"]] if isinstance(whole["note"], str) else []),
        *_list_reasons(own[~own["trial"].isin(inside)]),
    ]
    answered = whole["state"] == "pooled"
    return {
        "question": network.id,
        "answered": bool(answered),
        "n": int(inside.nunique()),
        "why": join(why),
    }


def _list_reasons(others: pd.DataFrame) -> list[str]:
    """Say why trials are not pooled, those of one reason together."""
    out: list[str] = []
    for reason, part in others.groupby("why_not", sort=False):
        messages: list[Message] | list[str] = read(str(reason)) or [str(reason)]
        names = list(dict.fromkeys(part["trial"]))
        out.append(Message("preview.not_pooled", trials=names, why=messages))
    return out
