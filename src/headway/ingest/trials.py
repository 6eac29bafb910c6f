"""Published numbers -> the tables `arms`, `contrasts` and `published`.

A review's files are read as `review.yaml` maps them, exactly as printed; signs and units are then
made canonical (post - pre, treatment - control, the outcome's unit), beside the printed numbers.
Everything that is wrong in a review's files is reported at once, with file, line and column.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.effects import recover
from headway.effects.units import UNITS, convert
from headway.errors import InputError, Problem
from headway.ingest.ipd import read_individual
from headway.ingest.open.reading import read_cells
from headway.tables import (
    COMPARATORS,
    CONTRAST_SIGNS,
    SPREAD_LABELS,
    STATUSES,
    TABLES,
    TECHNIQUES,
    conform,
    empty,
)
from headway.tables.risk_tools import RISK_TOOLS

if TYPE_CHECKING:
    import pandas as pd

_LISTED = 100  # rows listed one by one for the same rule and column
KINDS = ("baseline", "final", "change", "events")
ARM_SIGNS = ("worse", "better", "unstated")

# What a file of each kind may hold: text columns and number columns, by canonical name.
_ORIGIN = ("status", "source", "note")
_TRIAL = (
    "trial",
    "doi",
    "condition",
    "technique",
    "comparator",
    "outcome",
    "unit",
    "timepoint",
    "positive_means",
    *_ORIGIN,
)
TEXTS: dict[str, tuple[str, ...]] = {
    "arms": (*_TRIAL, "arm", "role", "kind", "p", "spread_label"),
    "contrasts": (*_TRIAL, "treatment_arm", "control_arm", "effect_type", "p"),
    "pooled": (
        "outcome",
        "unit",
        "subgroup",
        "timepoint",
        "measure",
        "model",
        "positive_means",
        *_ORIGIN,
    ),
    "risk_of_bias": ("trial", "outcome", "domain", "judgement", "support", "signed_by"),
}
NUMBERS: dict[str, tuple[str, ...]] = {
    "arms": (
        "year",
        "time_days",
        "n",
        "mean",
        "sd",
        "se",
        "ci_low",
        "ci_high",
        "median",
        "q1",
        "q3",
        "range_low",
        "range_high",
        "t",
        "baseline_n",
        "baseline_mean",
        "baseline_sd",
        "events",
    ),
    "contrasts": (
        "year",
        "time_days",
        "effect",
        "ci_low",
        "ci_high",
        "se",
        "t",
        "f",
        "n_total",
    ),
    "pooled": ("k", "effect", "ci_low", "ci_high"),
    "risk_of_bias": (),
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "arms": (
        "trial",
        "arm",
        "role",
        "outcome",
        "unit",
        "timepoint",
        "kind",
        "n",
        "status",
        "source",
    ),
    "contrasts": (
        "trial",
        "treatment_arm",
        "control_arm",
        "outcome",
        "unit",
        "timepoint",
        "effect_type",
        "effect",
        "positive_means",
        "status",
        "source",
    ),
    "pooled": (
        "outcome",
        "unit",
        "subgroup",
        "timepoint",
        "effect",
        "ci_low",
        "ci_high",
        "positive_means",
        "status",
        "source",
    ),
    "risk_of_bias": ("trial", "domain", "judgement", "signed_by"),
}
ALLOWED: dict[str, tuple[str, ...]] = {
    "role": ("treatment", "control"),
    "kind": KINDS,
    "technique": TECHNIQUES,
    "comparator": COMPARATORS,
    "status": STATUSES,
    "unit": tuple(UNITS),
    "spread_label": SPREAD_LABELS,
}
# What a spreadsheet makes of 3-4 or 5.7, and a number written with a decimal comma.
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|m\u00e4r|mai|okt|dez)[a-z]{0,6}\.?"
_DATE = (
    r"(?i)^(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?: \d{1,2}:\d\d.*)?"
    rf"|\d{{1,2}}[-/. ]?{_MONTH}(?:[-/. ]\d{{2,4}})?|{_MONTH}[-/. ]\d{{1,4}})$"
)
_COMMA = r"^[-+\u2212]?\d+,\d+$"


@dataclass(frozen=True, slots=True)
class Published:
    """The tables of one review, canonical and validated."""

    arms: pd.DataFrame
    contrasts: pd.DataFrame
    published: pd.DataFrame
    risk_of_bias: pd.DataFrame
    ipd: pd.DataFrame


@dataclass(slots=True)
class _File:
    """One file being read: its rows as text by canonical column, and what is wrong with it."""

    kind: str
    name: str
    rows: pd.DataFrame
    problems: list[Problem] = field(default_factory=list)
    absent: frozenset[str] = frozenset()  # required columns that the file does not have

    def report(
        self, mask: pd.Series, rule: str, message: str, column: str, remedy: str = ""
    ) -> None:
        """Add a problem per row where `mask` holds; after the first hundred only their number."""
        lines = [int(line) for line in self.rows.loc[mask, "line"]]
        for line in lines[:_LISTED]:
            self.problems.append(Problem(self.name, rule, message, column, line, remedy))
        if len(lines) > _LISTED:
            more = len(lines) - _LISTED
            text = f"{message}, and so in {more} more rows"
            self.problems.append(Problem(self.name, rule, text, column, count=more))


def read_review(folder: Path, review: Mapping[str, Any]) -> Published:
    """Read a review's files into canonical tables.

    Parameters
    ----------
    folder
        Folder that holds the files.
    review
        review.yaml with its defaults.

    Raises
    ------
    InputError
        With every problem of every file: an unreadable file, a missing column, a cell that is no
        number, a word that is not in the vocabulary, n < 1, a negative standard deviation,
        reversed limits, a change or contrast without a declared sign, a duplicate row.
    """
    files: dict[str, _File] = {}
    problems: list[Problem] = []
    individual = empty("ipd")
    for kind, spec in review["files"].items():
        try:
            if kind == "ipd":
                individual = read_individual(folder, review)
                continue
            files[kind] = _read(folder / spec["path"], kind, spec)
        except InputError as error:
            problems += error.problems or [Problem(spec["path"], "unreadable", error.message)]
    for file in files.values():
        _check(file, review)
        problems += file.problems
    problems += _check_review(review)
    if problems:
        raise InputError(f"{folder.name}: these files cannot be used as they are", problems)
    return Published(
        arms=_make_arms(files.get("arms"), review),
        contrasts=_make_contrasts(files.get("contrasts"), review),
        published=_make_published(files.get("pooled")),
        risk_of_bias=_make_risk(files.get("risk_of_bias")),
        ipd=individual,
    )


def _read(path: Path, kind: str, spec: Mapping[str, Any]) -> _File:
    """Read one file as text and map its columns to canonical ones.

    What is wrong with the file is collected, and the rest of it is still read, so that a user
    learns everything at once.
    """
    import pandas as pd

    raw, problems = read_cells(path, spec)
    missing = {str(m) for m in spec["missing"]}
    for column, values in spec["keep_where"].items():
        if column in raw.columns:
            raw = raw[raw[column].isin([str(v) for v in values])]
        else:
            problems.append(_no_column(path.name, column))
    shared = _map_columns(raw, spec["columns"], path.name, problems)
    known = {*TEXTS[kind], *NUMBERS[kind]}
    if "wide" in spec:
        parts = []
        for role in ("treatment", "control"):
            part = shared | _map_columns(raw, spec["wide"][role], path.name, problems)
            parts.append(pd.DataFrame(part | {"line": raw["line"], "role": role}))
        rows = pd.concat(parts).sort_values("line", kind="stable").fillna("")
    else:
        own = {c: raw[c] for c in raw.columns if c in known and c not in shared}
        rows = pd.DataFrame(own | shared | {"line": raw["line"]})
    for column, value in spec["constants"].items():
        rows[column] = str(value)
    unknown = sorted(set(rows.columns) - known - {"line", "role"})
    problems += [
        Problem(
            path.name,
            "unknown_canonical_column",
            "is not a column of this table",
            c,
            remedy=f"known: {', '.join(sorted(known))}",
        )
        for c in unknown
    ]
    absent = {c for c in REQUIRED[kind] if c not in rows.columns}
    problems += [_no_column(path.name, c) for c in REQUIRED[kind] if c in absent]
    if not len(raw) and not problems and not spec["may_be_empty"]:
        problems.append(
            Problem(
                path.name,
                "no_rows",
                "has a header and no row",
                remedy="type the trials, or declare `may_be_empty: true` for a file that waits",
            )
        )
    rows = rows.drop(columns=unknown)
    for column in sorted(known - set(rows.columns)):
        rows[column] = ""
    text = rows.drop(columns="line")
    rows[text.columns] = text.mask(text.isin(missing), "")
    if spec["decimal"] == ",":
        numbers = [c for c in NUMBERS[kind] if c in rows.columns]
        rows[numbers] = rows[numbers].apply(lambda c: c.str.replace(",", ".", regex=False))
    return _File(kind, path.name, rows.reset_index(drop=True), problems, frozenset(absent))


def _map_columns(
    raw: pd.DataFrame, mapping: Mapping[str, Any], file: str, problems: list[Problem]
) -> dict[str, pd.Series]:
    """Take the columns that a map names: one, several joined by a space, or a fixed value."""
    import pandas as pd

    out = {}
    for canonical, entry in mapping.items():
        entry = {"column": entry} if isinstance(entry, str) else entry
        if "value" in entry:
            out[canonical] = pd.Series(str(entry["value"]), index=raw.index)
            continue
        names = entry.get("columns") or [entry.get("column", canonical)]
        absent = [name for name in names if name not in raw.columns]
        if absent:
            problems += [_no_column(file, name) for name in absent]
            continue
        cells = raw[names[0]]
        for name in names[1:]:
            cells = cells + " " + raw[name]
        if "codes" in entry:
            codes = {str(k): str(v) for k, v in entry["codes"].items()}
            bad = ~cells.isin(codes)
            problems += [
                Problem(
                    file,
                    "unknown_code",
                    "is not among the declared codes",
                    names[0],
                    int(line),
                    "declare the code in review.yaml, or mend the cell",
                )
                for line in raw.loc[bad, "line"]
            ]
            cells = cells.map(codes).fillna("")
        out[canonical] = cells
    return out


def _no_column(file: str, column: str) -> Problem:
    return Problem(
        file,
        "missing_column",
        "is missing",
        column,
        remedy="name it in `columns:`, or check the delimiter",
    )


def _check(file: _File, review: Mapping[str, Any]) -> None:
    """Hold every cell against its rule and turn number columns into numbers."""
    import pandas as pd

    rows = file.rows
    for column in NUMBERS[file.kind]:
        text = rows[column]
        if column in ("mean", "sd", "se", "effect", "ci_low", "ci_high"):
            rows[f"{column}_text"] = text  # its last digit is the precision
        # Papers and spreadsheets print a minus sign (U+2212) that is no hyphen.
        plain = text.str.replace("\u2212", "-", regex=False)
        numbers = pd.to_numeric(plain.where(plain != "", None), errors="coerce")
        numbers = numbers.where(~numbers.isin([float("inf"), float("-inf")]))
        _report_words(file, column, text, (text != "") & numbers.isna())
        rows[column] = numbers
    for column in REQUIRED[file.kind]:
        if column in file.absent:
            continue  # one message for the column, none for each of its cells
        empty_cell = rows[column].isna() | (rows[column] == "")
        if f"{column}_text" in rows.columns:
            empty_cell = rows[f"{column}_text"] == ""
        if column == "n":  # a trial may not print it; the row is then shown and not pooled
            continue
        if column == "positive_means":
            file.report(
                empty_cell,
                "sign_not_declared",
                "does not say what a positive number means",
                column,
                f"one of {', '.join(CONTRAST_SIGNS)}",
            )
        else:
            file.report(empty_cell, "required", "is empty", column, "type what the source prints")
    if file.kind == "risk_of_bias":
        _check_risk(file, review)
        return
    for column, words in ALLOWED.items():
        if column in rows.columns:
            bad = (rows[column] != "") & ~rows[column].isin(words)
            file.report(
                bad,
                "unknown_word",
                "is not in the vocabulary",
                column,
                f"one of {', '.join(words)}",
            )
    outcomes = list(review["outcomes"])
    file.report(
        (rows["outcome"] != "") & ~rows["outcome"].isin(outcomes),
        "unknown_outcome",
        "is not declared in review.yaml",
        "outcome",
        f"one of {', '.join(outcomes)}",
    )
    if file.kind == "arms":
        _check_arms(file)
    else:
        if file.kind == "contrasts":
            _check_contrasts(file)
        signs = rows["positive_means"]
        file.report(
            (signs != "") & ~signs.isin(CONTRAST_SIGNS),
            "unknown_word",
            "is not in the vocabulary",
            "positive_means",
            f"one of {', '.join(CONTRAST_SIGNS)}",
        )
    reversed_limits = rows["ci_low"] > rows["ci_high"]
    file.report(
        reversed_limits, "limits_reversed", "is above the upper limit", "ci_low", "swap the limits"
    )
    key = {
        "arms": ["trial", "arm", "outcome", "timepoint", "kind"],
        "contrasts": [
            "trial",
            "treatment_arm",
            "control_arm",
            "outcome",
            "timepoint",
            "effect_type",
        ],
        "pooled": ["outcome", "subgroup", "timepoint"],
    }[file.kind]
    file.report(
        rows.duplicated(key),
        "duplicate",
        "repeats an earlier row",
        key[0],
        f"one row per {' x '.join(key)}",
    )


def _check_risk(file: _File, review: Mapping[str, Any]) -> None:
    """Rules for judgements of risk of bias: the words of the declared tool."""
    rows, tool = file.rows, RISK_TOOLS[review["risk_of_bias"]["tool"]]
    for column, words in (
        ("domain", tool.domains),
        ("judgement", tool.levels),
        ("outcome", review["outcomes"]),
    ):
        file.report(
            (rows[column] != "") & ~rows[column].isin(list(words)),
            "unknown_word",
            "is not in the vocabulary",
            column,
            f"one of {', '.join(words)}",
        )
    key = ["trial", "outcome", "domain"]
    file.report(
        rows.duplicated(key),
        "duplicate",
        "repeats an earlier row",
        "domain",
        f"one row per {' x '.join(key)}",
    )


def _make_risk(file: _File | None) -> pd.DataFrame:
    """Make the table `risk_of_bias`: judgements as typed and signed."""
    if file is None or not len(file.rows):
        return empty("risk_of_bias")
    out = file.rows.assign(file=file.name)
    return conform("risk_of_bias", out[list(TABLES["risk_of_bias"].columns)])


def _report_words(file: _File, column: str, text: pd.Series, bad: pd.Series) -> None:
    """Say of each cell that is no number what it looks like, without repeating it."""
    comma = bad & text.str.match(_COMMA)
    date = bad & ~comma & text.str.match(_DATE)
    file.report(
        comma,
        "decimal_comma",
        "has a decimal comma",
        column,
        'write a point, or declare `decimal: ","` for the file',
    )
    file.report(
        date,
        "spreadsheet_date",
        "is a date: a spreadsheet may have turned a number or a range into it",
        column,
        "type the number again in a cell formatted as text",
    )
    file.report(
        bad & ~comma & ~date,
        "not_a_number",
        "is no number",
        column,
        "write the number alone, with the declared decimal mark",
    )


def _check_contrasts(file: _File) -> None:
    """Rules for printed differences alone."""
    rows = file.rows
    known = rows[["se", "t", "f"]].notna().any(axis=1) | (rows["p"] != "")
    known |= rows[["ci_low", "ci_high"]].notna().all(axis=1)
    file.report(
        ~known,
        "no_uncertainty",
        "an effect without an interval, a standard error, t, F or p",
        "effect",
        "type one of ci_low and ci_high, se, t, f, p as the source prints it; an effect without "
        "any cannot be weighed",
    )
    file.report(rows["se"] < 0, "negative_se", "is negative", "se", "check the sign")
    file.report(
        rows["f"] < 0, "negative_f", "is negative", "f", "an F is never negative; is it a t?"
    )
    file.report(
        rows["n_total"] < 2,
        "n_too_small",
        "is below 2",
        "n_total",
        "type the participants of both arms together",
    )
    bad_p = rows["p"].ne("") & rows["p"].map(
        lambda text: math.isnan(recover.p_bounds(text)[0])
    ).astype(bool)
    file.report(
        bad_p, "p_unreadable", "is no p value", "p", "write it as printed: 0.03, < 0.001 or n.s."
    )


def _descends(rows: pd.DataFrame) -> pd.Series:
    """Find rows whose printed numbers go down somewhere; gaps are passed over."""
    return (rows.ffill(axis=1).diff(axis=1) < 0).any(axis=1)


def _check_arms(file: _File) -> None:
    """Rules for arm rows alone."""
    rows = file.rows
    change = rows["kind"] == "change"
    file.report(
        change & (rows["positive_means"] == ""),
        "sign_not_declared",
        "a change without a declared sign",
        "positive_means",
        f"one of {', '.join(ARM_SIGNS)}",
    )
    bad = (rows["positive_means"] != "") & ~rows["positive_means"].isin(ARM_SIGNS)
    file.report(
        bad,
        "unknown_word",
        "is not in the vocabulary",
        "positive_means",
        f"one of {', '.join(ARM_SIGNS)}",
    )
    file.report(
        rows["n"] < 2,
        "n_too_small",
        "is below 2",
        "n",
        "an arm needs two participants to have a spread; type the number analysed",
    )
    for column in ("sd", "se", "baseline_sd"):
        file.report(
            rows[column] < 0,
            "negative_sd",
            "is negative",
            column,
            "a spread is never negative: check the column or the sign",
        )
    file.report(
        (rows["kind"] == "events") & (rows["events"].isna()),
        "required",
        "is empty",
        "events",
        "type the participants with the event",
    )
    file.report(
        rows["events"] > rows["n"],
        "events_above_n",
        "is above n",
        "events",
        "type participants, not a percentage",
    )
    file.report(rows["events"] < 0, "negative_events", "is negative", "events", "check the column")
    order = ["range_low", "q1", "median", "q3", "range_high"]
    file.report(
        _descends(rows[order]),
        "quantiles_reversed",
        "smallest value, quartiles, median and largest value do not ascend",
        "median",
        "check which number is which",
    )
    control = rows["role"] == "control"
    file.report(
        control & (rows["comparator"] == ""),
        "required",
        "a control arm without its kind",
        "comparator",
        f"one of {', '.join(COMPARATORS)}",
    )


def _check_review(review: Mapping[str, Any]) -> list[Problem]:
    """Find names in review.yaml that point at nothing."""
    problems = []

    def point(kind: str, name: str, known: Iterable[str], place: str) -> None:
        if name not in known:
            text = f"'{place}' names the {kind} '{name}', which is not declared"
            problems.append(
                Problem("review.yaml", f"unknown_{kind}", text, remedy=f"known: {', '.join(known)}")
            )

    for id, outcome in review["outcomes"].items():
        point("unit", outcome["unit"], UNITS, f"outcomes.{id}.unit")
    comparisons = [c["id"] for c in review["comparisons"]]
    for id in sorted({c for c in comparisons if comparisons.count(c) > 1}):
        problems.append(Problem("review.yaml", "duplicate", f"the comparison '{id}' stands twice"))
    for comparison in review["comparisons"]:
        point(
            "outcome",
            comparison["outcome"],
            review["outcomes"],
            f"comparisons.{comparison['id']}.outcome",
        )
    for finding in review["findings"]:
        name = finding["comparison"]
        point("comparison", name, comparisons, "findings")
    individual = review["files"].get("ipd", {})
    covariates = [*individual.get("covariates", []), *individual.get("factors", [])]
    for name in individual.get("adjust", []):
        point("covariate", name, covariates, "files.ipd.adjust")
    for one in individual.get("outcomes", []):
        point("outcome", one["outcome"], review["outcomes"], "files.ipd.outcomes")
        point("unit", one["unit"], UNITS, "files.ipd.outcomes.unit")
    for entry in review["published"]:
        place = f"published.{entry['id']}"
        target = entry["recompute"]
        if "comparison" in target:
            point("comparison", target["comparison"], comparisons, f"{place}.recompute")
        else:
            problems += _check_target(target, place)
            if "outcome" in target:
                point("outcome", target["outcome"], review["outcomes"], f"{place}.recompute")
        for name in target.get("adjust", []):
            point("covariate", name, ["baseline", *covariates], f"{place}.recompute.adjust")
        if ("estimate" in entry) == ("from_pooled" in entry):
            problems.append(
                Problem(
                    "review.yaml",
                    "published",
                    f"'{place}' needs either `estimate` or `from_pooled`",
                )
            )
    for check in review["consistency"]:
        for outcome in check["outcomes"]:
            point("outcome", outcome, review["outcomes"], f"consistency.{check['id']}.outcomes")
    return problems


def _check_target(target: Mapping[str, Any], place: str) -> list[Problem]:
    """Find what is not said about a number that is recomputed within one trial."""
    need = ["trial", "outcome", "timepoint"]
    if "arm" not in target and "adjust" not in target:
        need += ["treatment_arm", "control_arm"]
    absent = [key for key in need if key not in target]
    if not absent:
        return []
    return [
        Problem(
            "review.yaml",
            "recompute",
            f"'{place}.recompute' does not say {', '.join(absent)}",
            remedy="a comparison; or trial, outcome and timepoint with two arms, one arm or adjust",
        )
    ]


def _factors(rows: pd.DataFrame, review: Mapping[str, Any]) -> tuple[pd.Series, pd.Series]:
    """Find the factor and the unit that each row's numbers are carried on in."""
    import pandas as pd

    targets = rows["outcome"].map({k: v["unit"] for k, v in review["outcomes"].items()})
    factors = [convert(u, t) for u, t in zip(rows["unit"], targets, strict=True)]
    known = pd.Series([f is not None for f in factors], index=rows.index, dtype=bool)
    factor = pd.Series([1.0 if f is None else f for f in factors], index=rows.index, dtype=float)
    return factor, targets.where(known, rows["unit"])


def _make_arms(file: _File | None, review: Mapping[str, Any]) -> pd.DataFrame:
    """Make the table `arms`: mean and spread recovered, signs and units canonical, baselines."""
    import numpy as np

    if file is None or not len(file.rows):
        return empty("arms")
    rows = file.rows
    mean, mean_from = _recover_mean(rows)
    sd, sd_from = _recover_sd(rows)
    factor, unit = _factors(rows, review)
    outcomes = review["outcomes"]
    better_is_low = rows["outcome"].map({k: v["lower_is_better"] for k, v in outcomes.items()})
    sign = np.where(
        rows["kind"] == "change", _change_sign(rows["positive_means"], better_is_low), 1.0
    )
    spread = ("median", "q1", "q3", "range_low", "range_high")
    scaled = {c: rows[c] * factor for c in (*spread, "baseline_mean", "baseline_sd")}
    # A decrease printed as positive turns over: its largest value becomes the smallest.
    low, high = scaled["range_low"] * sign, scaled["range_high"] * sign
    scaled |= {"range_low": np.fmin(low, high), "range_high": np.fmax(low, high)}
    first, third = scaled["q1"] * sign, scaled["q3"] * sign
    scaled |= {"q1": np.fmin(first, third), "q3": np.fmax(first, third)}
    scaled["median"] = scaled["median"] * sign
    steps = [
        outcomes[o]["steps"].get(u) for o, u in zip(rows["outcome"], rows["unit"], strict=True)
    ]
    out = rows.assign(
        printed_mean=rows["mean"],
        printed_sd=rows["sd"].fillna(rows["se"]),
        mean_decimals=_count_decimals(rows["mean_text"]),
        sd_decimals=_count_decimals(rows["sd_text"].where(rows["sd_text"] != "", rows["se_text"])),
        step=np.array([np.nan if step is None else step for step in steps], dtype=float),
        mean=mean * factor * sign,
        mean_from=mean_from,
        sd=sd * factor,
        sd_from=sd_from,
        unit_printed=rows["unit"],
        unit=unit,
        file=file.name,
        **scaled,
    )
    out = _join_baselines(out)
    return conform("arms", out[[c for c in TABLES["arms"].columns if c in out.columns]])


def _count_decimals(texts: pd.Series) -> pd.Series:
    """Count the decimals of printed numbers; empty where nothing is printed."""
    return texts.str.partition(".")[2].str.len().where(texts != "").astype("Int64")


def _fill(printed: pd.Series, ways: Iterable[tuple[Any, Any]]) -> tuple[pd.Series, pd.Series]:
    """Fill gaps of a printed number by the first way that gives one, and say which."""
    import numpy as np

    value, origin = printed.copy(), printed.notna().map({True: "printed", False: ""})
    for way, found in ways:
        use = value.isna() & ~np.isnan(found)
        value, origin = value.mask(use, found), origin.mask(use, way)
    return value, origin


def _recover_mean(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Find each row's mean, from the median and its neighbours where it is not printed."""
    n, five = rows["n"], [rows[c] for c in ("range_low", "q1", "median", "q3", "range_high")]
    low, q1, median, q3, high = five
    return _fill(
        rows["mean"],
        [
            (
                "origin.luo_five",
                recover.mean_from_five(low, q1, median, q3, high, n),
            ),
            (
                "origin.luo_quartiles",
                recover.mean_from_quartiles(q1, median, q3, n),
            ),
            ("origin.luo_range", recover.mean_from_range(low, median, high, n)),
        ],
    )


def _recover_sd(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Find each row's standard deviation, from the most exact thing printed."""
    import numpy as np

    n, five = rows["n"], [rows[c] for c in ("range_low", "q1", "median", "q3", "range_high")]
    low, q1, median, q3, high = five
    change = np.where(rows["kind"] == "change", rows["mean"], np.nan)
    p = rows["p"].map(lambda text: _exact_p(text)).astype(float)
    return _fill(
        rows["sd"],
        [
            (
                "origin.standard_error",
                recover.sd_from_se(rows["se"], n),
            ),
            (
                "origin.confidence_interval",
                recover.sd_from_ci(rows["ci_low"], rows["ci_high"], n),
            ),
            (
                "origin.paired_t",
                recover.sd_change_from_t(change, rows["t"], n),
            ),
            (
                "origin.paired_p",
                recover.sd_change_from_p(change, p, n),
            ),
            (
                "origin.shi_five",
                recover.sd_from_five(low, q1, median, q3, high, n),
            ),
            ("origin.wan_quartiles", recover.sd_from_iqr(q1, q3, n)),
            ("origin.wan_range", recover.sd_from_range(low, high, n)),
        ],
    )


def _exact_p(text: str) -> float:
    """Read a printed p value; NaN where it is only a bound, which implies no standard error."""
    if not text:
        return math.nan
    p, relation = recover.p_bounds(text)
    return p if relation == "=" else math.nan


def _change_sign(positive: pd.Series, lower_is_better: pd.Series) -> pd.Series:
    """Find what turns a printed change into post - pre; NaN where the source does not say."""
    # A positive number that means "worse" is post - pre where low values are good.
    sign = positive.map({"worse": 1.0, "better": -1.0})
    return sign.where(lower_is_better.astype(bool), -sign)


def _join_baselines(rows: pd.DataFrame) -> pd.DataFrame:
    """Put baseline rows beside the later rows of the same trial, arm, outcome and unit."""
    key = ["trial", "arm", "outcome", "unit"]
    base = rows[(rows["kind"] == "baseline") & ~rows.duplicated([*key, "kind"])].set_index(key)
    at = rows.set_index(key).index
    later = (rows["kind"] != "baseline") & rows["baseline_mean"].isna()
    for column, origin in (("baseline_n", "n"), ("baseline_mean", "mean"), ("baseline_sd", "sd")):
        found = base[origin].reindex(at).to_numpy()
        rows[column] = rows[column].mask(later, found) if len(base) else rows[column]
    return rows


def _make_contrasts(file: _File | None, review: Mapping[str, Any]) -> pd.DataFrame:
    """Make the table `contrasts`: treatment - control, in the outcome's unit, with its error."""
    import numpy as np

    if file is None or not len(file.rows):
        return empty("contrasts")
    rows = file.rows
    factor, unit = _factors(rows, review)
    sign = rows["positive_means"].map(
        {"treatment_minus_control": 1.0, "control_minus_treatment": -1.0}
    )
    low, high = rows["ci_low"] * sign * factor, rows["ci_high"] * sign * factor
    small = rows["n_total"] < recover.SMALL_SAMPLE
    effect, p = rows["effect"], rows["p"].map(_exact_p).astype(float)
    ways = [
        (
            np.where(small, "origin.interval_t", "origin.interval_normal"),
            recover.se_of_difference(rows["ci_low"], rows["ci_high"], rows["n_total"]),
        ),
        ("origin.t", recover.se_from_t(effect, rows["t"])),
        ("origin.f", recover.se_from_f(effect, rows["f"])),
        (
            np.where(rows["n_total"].isna(), "origin.p_normal", "origin.p_t"),
            recover.se_from_p(effect, p, rows["n_total"]),
        ),
    ]
    se, se_from = _fill(rows["se"], ways)
    out = rows.assign(
        printed_effect=rows["effect"],
        printed_ci_low=rows["ci_low"],
        printed_ci_high=rows["ci_high"],
        **{
            f"{name}_decimals": _count_decimals(rows[f"{name}_text"])
            for name in ("effect", "ci_low", "ci_high")
        },
        effect=rows["effect"] * sign * factor,
        ci_low=np.minimum(low, high),
        ci_high=np.maximum(low, high),
        se=se * factor,
        se_from=se_from,
        unit_printed=rows["unit"],
        unit=unit,
        file=file.name,
    )
    return conform("contrasts", out[[c for c in TABLES["contrasts"].columns if c in out.columns]])


def _make_published(file: _File | None) -> pd.DataFrame:
    """Make the table `published`: pooled results as printed."""
    if file is None or not len(file.rows):
        return empty("published")
    texts = file.rows[["effect_text", "ci_low_text", "ci_high_text"]]
    decimals = texts.apply(lambda c: c.str.partition(".")[2].str.len()).max(axis=1)
    out = file.rows.assign(decimals=decimals, file=file.name)
    return conform("published", out[[c for c in TABLES["published"].columns if c in out.columns]])
