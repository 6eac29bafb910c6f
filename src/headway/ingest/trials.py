"""Published numbers -> the tables `arms`, `contrasts` and `published`.

A review's files are read as `review.yaml` maps them, exactly as printed; signs and units are then
made canonical (post - pre, treatment - control, the outcome's unit), beside the printed numbers.
Everything that is wrong in a review's files is reported at once, with file, line and column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headway.effects import recover
from headway.effects.units import UNITS, convert
from headway.errors import InputError, Problem
from headway.tables import (
    COMPARATORS,
    CONTRAST_SIGNS,
    STATUSES,
    TABLES,
    TECHNIQUES,
    conform,
    empty,
)

if TYPE_CHECKING:
    import pandas as pd

_LISTED = 5  # rows listed one by one for the same rule and column
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
    "arms": (*_TRIAL, "arm", "role", "kind"),
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
        "range_low",
        "range_high",
        "baseline_n",
        "baseline_mean",
        "baseline_sd",
        "events",
    ),
    "contrasts": ("year", "time_days", "effect", "ci_low", "ci_high", "n_total"),
    "pooled": ("k", "effect", "ci_low", "ci_high"),
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
}
ALLOWED: dict[str, tuple[str, ...]] = {
    "role": ("treatment", "control"),
    "kind": KINDS,
    "technique": TECHNIQUES,
    "comparator": COMPARATORS,
    "status": STATUSES,
    "unit": tuple(UNITS),
}


@dataclass(frozen=True, slots=True)
class Published:
    """The three tables of one review, canonical and validated."""

    arms: pd.DataFrame
    contrasts: pd.DataFrame
    published: pd.DataFrame


@dataclass(slots=True)
class _File:
    """One file being read: its rows as text by canonical column, and what is wrong with it."""

    kind: str
    name: str
    rows: pd.DataFrame
    problems: list[Problem] = field(default_factory=list)

    def report(
        self, mask: pd.Series, rule: str, message: str, column: str, remedy: str = ""
    ) -> None:
        """Add a problem per row where `mask` holds; after the first few only their number."""
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
    for kind, spec in review["files"].items():
        try:
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
    )


def _read(path: Path, kind: str, spec: Mapping[str, Any]) -> _File:
    """Read one file as text and map its columns to canonical ones."""
    import pandas as pd

    raw = _read_text(path, spec)
    missing = {str(m) for m in spec["missing"]}
    problems: list[Problem] = []
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
    problems += [_no_column(path.name, c) for c in REQUIRED[kind] if c not in rows.columns]
    if problems:
        raise InputError("", problems)
    for column in sorted(known - set(rows.columns)):
        rows[column] = ""
    text = rows.drop(columns="line")
    rows[text.columns] = text.mask(text.isin(missing), "")
    if spec["decimal"] == ",":
        numbers = [c for c in NUMBERS[kind] if c in rows.columns]
        rows[numbers] = rows[numbers].apply(lambda c: c.str.replace(",", ".", regex=False))
    return _File(kind, path.name, rows.reset_index(drop=True))


def _read_text(path: Path, spec: Mapping[str, Any]) -> pd.DataFrame:
    """Read a delimited file as text, with the line of each row; blank lines are passed over."""
    import csv

    import pandas as pd

    encoding = "utf-8-sig" if spec["encoding"] == "utf-8" else spec["encoding"]
    lines: list[int] = []
    cells: list[list[str]] = []
    try:
        with path.open(encoding=encoding, newline="") as stream:
            reader = csv.reader(stream, delimiter=spec["delimiter"], strict=True)
            for row in reader:
                if any(cell.strip() for cell in row):
                    lines.append(reader.line_num)
                    cells.append([cell.strip() for cell in row])
    except (UnicodeDecodeError, csv.Error):
        text = "cannot be read with the declared encoding and delimiter"
        raise InputError("", [Problem(path.name, "unreadable", text)]) from None
    if not cells:
        raise InputError("", [Problem(path.name, "empty_file", "has no header")])
    header = cells[0]
    problems = [
        Problem(path.name, "duplicate_column", "stands twice in the header", name)
        for name in sorted({c for c in header if header.count(c) > 1})
    ]
    problems += [
        Problem(
            path.name,
            "field_count",
            "does not have as many fields as the header",
            line=line,
            remedy="quote a cell that holds the delimiter",
        )
        for line, row in zip(lines[1:], cells[1:], strict=True)
        if len(row) != len(header)
    ]
    if problems:
        raise InputError("", problems)
    raw = pd.DataFrame(cells[1:], columns=header, dtype=str)
    raw.insert(0, "line", lines[1:])
    return raw


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
                    file, "unknown_code", "is not among the declared codes", names[0], int(line)
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
        if file.kind == "pooled" and column in ("effect", "ci_low", "ci_high"):
            rows[f"{column}_text"] = text
        numbers = pd.to_numeric(text.where(text != "", None), errors="coerce")
        file.report(
            (text != "") & numbers.isna(),
            "not_a_number",
            "is no number",
            column,
            "write the number alone, with the declared decimal mark",
        )
        rows[column] = numbers
    for column in REQUIRED[file.kind]:
        empty_cell = rows[column].isna() | (rows[column] == "")
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
            file.report(empty_cell, "required", "is empty", column)
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
        signs = rows["positive_means"]
        file.report(
            (signs != "") & ~signs.isin(CONTRAST_SIGNS),
            "unknown_word",
            "is not in the vocabulary",
            "positive_means",
            f"one of {', '.join(CONTRAST_SIGNS)}",
        )
    reversed_limits = rows["ci_low"] > rows["ci_high"]
    file.report(reversed_limits, "limits_reversed", "is above the upper limit", "ci_low")
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
    file.report(rows["n"] < 1, "n_too_small", "is below 1", "n")
    for column in ("sd", "se", "baseline_sd"):
        file.report(rows[column] < 0, "negative_sd", "is negative", column)
    for column in ("sd", "se"):
        file.report(
            (rows["n"] < 2) & rows[column].notna(),
            "n_too_small",
            "a spread needs n of at least 2",
            column,
        )
    file.report(
        (rows["kind"] == "events") & rows["events"].isna(), "required", "is empty", "events"
    )
    file.report(rows["events"] > rows["n"], "events_above_n", "is above n", "events")
    file.report(rows["events"] < 0, "negative_events", "is negative", "events")
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
    for entry in review["published"]:
        place = f"published.{entry['id']}"
        target = entry["recompute"]
        if "comparison" in target:
            point("comparison", target["comparison"], comparisons, f"{place}.recompute")
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


def _factors(rows: pd.DataFrame, review: Mapping[str, Any]) -> tuple[pd.Series, pd.Series]:
    """Find the factor and the unit that each row's numbers are carried on in."""
    import pandas as pd

    targets = rows["outcome"].map({k: v["unit"] for k, v in review["outcomes"].items()})
    factors = [convert(u, t) for u, t in zip(rows["unit"], targets, strict=True)]
    known = pd.Series([f is not None for f in factors], index=rows.index, dtype=bool)
    factor = pd.Series([1.0 if f is None else f for f in factors], index=rows.index, dtype=float)
    return factor, targets.where(known, rows["unit"])


def _make_arms(file: _File | None, review: Mapping[str, Any]) -> pd.DataFrame:
    """Make the table `arms`: spread recovered, signs and units canonical, baselines joined."""
    import numpy as np

    if file is None or not len(file.rows):
        return empty("arms")
    rows = file.rows
    n = rows["n"]
    sd, sd_from = rows["sd"].copy(), rows["sd"].notna().map({True: "printed", False: ""})
    ways = {
        "from the standard error (Handbook 6.5.2.2)": recover.sd_from_se(rows["se"], n),
        "from the confidence interval (Handbook 6.5.2.2)": recover.sd_from_ci(
            rows["ci_low"], rows["ci_high"], n
        ),
    }
    for way, found in ways.items():
        use = sd.isna() & ~np.isnan(found)
        sd, sd_from = sd.mask(use, found), sd_from.mask(use, way)
    factor, unit = _factors(rows, review)
    better_is_low = rows["outcome"].map(
        {k: v["lower_is_better"] for k, v in review["outcomes"].items()}
    )
    sign = np.where(
        rows["kind"] == "change", _change_sign(rows["positive_means"], better_is_low), 1.0
    )
    out = rows.assign(
        printed_mean=rows["mean"],
        mean=rows["mean"] * factor * sign,
        sd=sd * factor,
        sd_from=sd_from,
        unit_printed=rows["unit"],
        unit=unit,
        file=file.name,
        **{
            c: rows[c] * factor for c in ("range_low", "range_high", "baseline_mean", "baseline_sd")
        },
    )
    out = _join_baselines(out)
    return conform("arms", out[[c for c in TABLES["arms"].columns if c in out.columns]])


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
    se = recover.se_of_difference(rows["ci_low"], rows["ci_high"], rows["n_total"]) * factor
    small = rows["n_total"] < recover.SMALL_SAMPLE
    way = np.where(
        small,
        "from the interval, t (Handbook 6.5.2.3)",
        "from the interval, normal (Handbook 6.5.2.3)",
    )
    out = rows.assign(
        printed_effect=rows["effect"],
        printed_ci_low=rows["ci_low"],
        printed_ci_high=rows["ci_high"],
        effect=rows["effect"] * sign * factor,
        ci_low=np.minimum(low, high),
        ci_high=np.maximum(low, high),
        se=se,
        se_from=np.where(np.isnan(se), "", way),
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
