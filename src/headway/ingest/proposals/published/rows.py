"""A sheet of trials -> rows of `arms.csv` or `contrasts.csv`: one for each arm, or for each trial.

Nothing is guessed that turns a number's meaning: which arm is the control, which way a difference
was taken and what stands behind a mean in brackets is said by the table, answered, or refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from headway.errors import InputError, Problem
from headway.ingest.proposals.measures import Ask
from headway.ingest.proposals.opening import Sheet
from headway.ingest.proposals.published import cells
from headway.ingest.proposals.published.words import (
    Head,
    find_comparator,
    find_length,
    find_length_unit,
    find_treatment,
    is_about_people,
    is_control,
    is_sum,
    read_head,
)
from headway.messages import Message

NUMBERS = ("n", "mean", "sd", "se", "events", "median", "iqr", "range", "ci", "ci_low", "ci_high")
_TEXTS = ("study", "year", "arm", "outcome", "unit", "time", "subgroup", "condition")
_WHOLE = ("n", "events")
_PERCENT = re.compile(r"%|percent|prozent|porcentaje|\brates?\b", re.I)
# What keeps a table from being read, and what to do about it.
_RULES = {
    "decimal_sign": ("problem.decimal_open", "remedy.decimal_open"),
    "no_trial": ("problem.row_without_trial", "remedy.row_without_trial"),
    "no_arm": ("problem.row_without_arm", "remedy.row_without_arm"),
    "no_arms": ("problem.no_two_arms", "remedy.no_two_arms"),
    "sides": ("problem.sides_open", "remedy.sides_open"),
    "control_open": ("problem.control_open", "remedy.control_open"),
    "not_a_number": ("problem.cell_of_trials", "remedy.cell_of_trials"),
    "not_whole": ("problem.count_not_whole", "remedy.count_not_whole"),
    "bracket": ("problem.bracket_open", "remedy.bracket_open"),
    "other_level": ("problem.level_not_95", "remedy.level_not_95"),
}


@dataclass(slots=True)
class Found:
    """What a sheet gives: rows, where each column came from, what was left out, what is in doubt.

    `reasons` and `doubts` are messages by canonical column; `effect` is the statistic of printed
    contrasts; `texts` are all titles and headers.
    """

    kind: str
    rows: list[dict[str, str]] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    effect: str = ""
    texts: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Table:
    """A sheet with what its headers say, the columns of each kind, and its decimal sign."""

    sheet: Sheet
    heads: list[Head]
    decimal: str
    ask: Ask
    found: Found
    problems: list[Problem] = field(default_factory=list)

    def named(self, field: str, role: str | None = None) -> list[Head]:
        """List the columns of a field, of one arm where `role` is given."""
        return [h for h in self.heads if field in h.fields and (role is None or h.role == role)]

    def text(self, row: Sequence[str], name: str) -> str:
        """Return the cell of the first column that describes rows by this name."""
        return next((row[h.at].strip() for h in self.named(name) if row[h.at].strip()), "")

    def report(
        self, rule: str, column: str = "", line: int | None = None, **values: object
    ) -> None:
        """Keep a problem of a rule, with its remedy."""
        message, remedy = _RULES[rule]
        said = Message(message, **values)
        self.problems.append(Problem(self.sheet.name, rule, said, column, line, remedy))

    def refuse(self) -> InputError:
        """Make the error of what was kept."""
        return InputError("failure.new_review", self.problems)


def read_table(sheet: Sheet, ask: Ask) -> Found | None:
    """Read a sheet of trials; None where it is none.

    Raises
    ------
    InputError
        Where what the table leaves open would turn a number's meaning.
    """
    heads = [read_head(i, name) for i, name in enumerate(sheet.header) if name]
    heads = [h for h in heads if not is_about_people(h.name)]
    heads = [h for h in heads if not _counts_rows(sheet.column(h.at), h)]
    if not any("study" in h.fields for h in heads):
        if not sheet.header or sheet.header[0] or not any(h.fields for h in heads):
            return None
        # A table's first column often has no name: its rows are the trials.
        heads.insert(0, Head(0, "", ("study",)))
    numbers = [h for h in heads if {*h.fields} & {*NUMBERS, "effect"}]
    if not numbers:
        return None
    table = Table(sheet, heads, ".", ask, Found("arms"))
    decimal = cells.find_decimal(c for h in numbers for c in sheet.column(h.at))
    if decimal is None:
        answer = ask(Message("published.ask_decimal", file=sheet.name), (".", ","))
        if answer is None:
            table.report("decimal_sign")
            raise table.refuse()
        decimal = answer
    table.decimal = decimal
    rows = _list_rows(table)
    if not rows:
        return None
    table.found.texts = [*sheet.titles, sheet.tab, *sheet.header]
    layout = _choose_layout(table)
    for head in heads:
        if head.level != 95 and {*head.fields} & {"ci", "ci_low", "ci_high"}:
            table.report("other_level", head.name)
    layout(table, rows)
    if table.problems:
        raise table.refuse()
    _note_columns(table)
    return table.found


def _counts_rows(column: Sequence[str], head: Head) -> bool:
    """Whether a column called No. only numbers the rows."""
    filled = [c for c in column if c.strip()]
    return head.fields == ("n",) and filled == [str(i) for i in range(1, len(filled) + 1)]


def _list_rows(table: Table) -> list[tuple[int, Sequence[str]]]:
    """List the rows of trials with their lines; sums and remarks are passed over and told."""
    out: list[tuple[int, Sequence[str]]] = []
    sums = 0
    above: list[str] = []
    columns = [h.at for h in table.heads if {*h.fields} & {*NUMBERS, "effect"}]
    names = [h.at for h in table.named("study")]
    for line, row in zip(table.sheet.lines, table.sheet.rows, strict=True):
        name = next((row[i] for i in names if row[i].strip()), "")
        if is_sum(name) or not any(row[i].strip() for i in columns):
            sums += 1
            continue
        cells_of = list(row)
        told = [*names, *(h.at for h in table.named("year"))]
        if name:
            above = [row[i] for i in told]
        elif above and table.named("arm"):
            # The name of a trial stands at its first arm alone.
            for i, text in zip(told, above, strict=True):
                cells_of[i] = cells_of[i] or text
        else:
            table.report("no_trial", table.heads[0].name, line)
        out.append((line, cells_of))
    if sums:
        note = Message("published.passed_over", file=table.sheet.name, n=sums)
        table.found.notes.append(note)
    return out


Layout = Callable[[Table, Sequence[tuple[int, Sequence[str]]]], None]


def _choose_layout(table: Table) -> Layout:
    """Tell whether a row holds an arm, both arms, or a contrast."""
    roles = {h.role for h in table.heads if {*h.fields} & {*NUMBERS} and h.role}
    if roles == {"1", "2"}:
        _name_sides(table)
        roles = {h.role for h in table.heads if {*h.fields} & {*NUMBERS} and h.role}
    if roles == {"control"}:
        # Columns named after the treatment itself mirror those of the control.
        fields = {h.fields for h in table.heads if h.role == "control"}
        table.heads = [
            replace(h, role="treatment", arm=h.outcome, outcome="")
            if not h.role and h.fields in fields and h.outcome
            else h
            for h in table.heads
        ]
        roles |= {h.role for h in table.heads if h.role == "treatment"}
    values = [h for h in table.heads if {*h.fields} & {"mean", "events", "median"}]
    if {"treatment", "control"} <= {h.role for h in values}:
        return read_wide
    if table.named("effect"):
        return read_contrasts
    if table.named("arm") and values:
        return read_long
    table.report("no_arms")
    raise table.refuse()


def _name_sides(table: Table) -> None:
    answer = table.ask(Message("published.ask_first", file=table.sheet.name), ("1", "2"))
    if answer is None:
        table.report("sides")
        raise table.refuse()
    roles = {answer: "treatment", "12".replace(answer, ""): "control"}
    table.heads = [
        replace(h, role=roles[h.role], arm=roles[h.role]) if h.role in roles else h
        for h in table.heads
    ]


def describe_row(table: Table, row: Sequence[str], line: int) -> dict[str, str]:
    """Read what describes a row: trial, year, time, subgroup, condition, and where it stands."""
    study, year = table.text(row, "study"), table.text(row, "year")
    if year.endswith(".0"):
        year = year[:-2]
    trial = study if not year or year in study else f"{study} {year}"
    out = {"trial": trial, "year": year if year.isdigit() and len(year) == 4 else ""}
    out["subgroup"] = table.text(row, "subgroup")
    out["condition"] = table.text(row, "condition")
    out["timepoint"], out["time_days"] = read_time(table, row)
    place = f"{table.sheet.tab}, " if table.sheet.tab else ""
    out["source"] = f"{table.sheet.path.name}, {place}row {line}"
    out["status"] = "retrieved"
    out["outcome_text"] = table.text(row, "outcome")
    out["unit_text"] = table.text(row, "unit")
    return out


def read_time(table: Table, row: Sequence[str]) -> tuple[str, str]:
    """Read a row's time: as written, and in days where it says the unit."""
    for head in table.named("time"):
        cell = row[head.at].strip()
        if not cell:
            continue
        written, days = find_length(cell)
        unit = find_length_unit(head.name)
        number = cells.read_one(cell, table.decimal)
        if days is None and number and unit:
            days = float(number) * unit
            word = next(
                (
                    w
                    for w in head.name.replace("(", " ").replace(")", " ").split()
                    if find_length_unit(w)
                ),
                "",
            )
            cell = f"{number} {word}".strip()
        return cell or written, "" if days is None else f"{days:g}"
    return "as reported", ""


def read_numbers(
    table: Table, heads: Sequence[Head], row: Sequence[str], line: int
) -> dict[str, str]:
    """Read the numbers of one arm of a row, as printed, by canonical column."""
    out: dict[str, str] = {}
    for head in heads:
        got = _read_cell(table, head, row[head.at])
        if got is None:
            table.report("not_a_number", head.name, line)
            continue
        prefix = "baseline_" if head.moment == "baseline" else ""
        for name, number in got.items():
            key = f"{prefix}{name}" if name in ("n", "mean", "sd") else name
            if prefix and key == name:
                continue
            if number and name in _WHOLE and float(number) % 1:
                table.report("not_whole", head.name, line)
            if number or key not in out:
                out[key] = number
                if number:
                    table.found.reasons.setdefault(
                        key, Message("published.from_column", name=head.name)
                    )
    return out


def _read_cell(table: Table, head: Head, cell: str) -> dict[str, str] | None:
    """Read a cell by what its header says that it holds; None where it holds something else."""
    fields, decimal = {*head.fields}, table.decimal
    if "events" in fields and _PERCENT.search(head.name) and cells.read_one(cell, decimal):
        return None
    if {"events", "n"} <= fields or ("events" in fields and "/" in cell):
        pair = cells.read_two(cell, decimal, "share")
        if pair:
            return dict(zip(("events", "n"), pair, strict=True))
    if "median" in fields and fields & {"iqr", "range"}:
        three = cells.read_three(cell, decimal)
        names = ("q1", "q3") if "iqr" in fields else ("range_low", "range_high")
        return three and dict(zip(("median", *names), three, strict=True))
    if "mean" in fields and "ci" in fields:
        three = cells.read_three(cell, decimal)
        return three and dict(zip(("mean", "ci_low", "ci_high"), three, strict=True))
    for spread in ("sd", "se"):
        if {"mean", spread} <= fields:
            pair = cells.read_two(cell, decimal, "spread")
            return pair and dict(zip(("mean", spread), pair, strict=True))
    for name, kind, columns in (
        ("ci", "limits", ("ci_low", "ci_high")),
        ("iqr", "limits", ("q1", "q3")),
        ("range", "limits", ("range_low", "range_high")),
    ):
        if name in fields:
            pair = cells.read_two(cell, decimal, kind)
            return pair and dict(zip(columns, pair, strict=True))
    number = cells.read_one(cell, decimal)
    if number is None and "mean" in fields:
        return _read_unlabelled(table, head, cell)
    first = next((f for f in head.fields if f in NUMBERS), "")
    return None if number is None else {first: number}


def _read_unlabelled(table: Table, head: Head, cell: str) -> dict[str, str] | None:
    """Read `12.3 (4.5)` below a header that does not say what the brackets hold."""
    pair = cells.read_two(cell, table.decimal, "spread")
    if pair is None:
        return None
    known = table.found.reasons.get("bracket")
    if known is None:
        question = Message("published.ask_bracket", name=head.name)
        known = table.ask(question, ("sd", "se")) or ""
        table.found.reasons["bracket"] = known
    if not known:
        table.problems = [p for p in table.problems if p.rule != "bracket"]
        table.report("bracket", head.name)
        return {}
    return {"mean": pair[0], known: pair[1]}


def finish_arm(values: dict[str, str], role: str, name: str) -> dict[str, str]:
    """Complete a row of arms.csv: its role, what its name says, and the kind of its numbers."""
    said = {"technique": find_treatment(name)} if role == "treatment" else {}
    if role == "control":
        said = {"comparator": find_comparator(name)}
    return {**values, "arm": name, "role": role, **said}


def read_wide(table: Table, rows: Sequence[tuple[int, Sequence[str]]]) -> None:
    """Read rows that hold both arms of a trial."""
    numbers = [h for h in table.heads if {*h.fields} & {*NUMBERS} and h.role]
    outcomes = list(dict.fromkeys(_name_outcome(h) for h in numbers if _holds_value(h)))
    labels = {
        "treatment": [h for h in table.heads if h.fields == ("arm",)],
        "control": [h for h in table.heads if not h.fields and h.role == "control"],
    }
    for line, row in rows:
        shared = describe_row(table, row, line)
        for outcome in outcomes:
            for role in ("treatment", "control"):
                own = [h for h in numbers if h.role == role]
                # A count of people stands once for all outcomes of a table.
                use = [h for h in own if _name_outcome(h) == outcome]
                use += [
                    h
                    for h in own
                    if not _holds_value(h) and not _name_outcome(h)[0] and h not in use
                ]
                values = read_numbers(table, use, row, line)
                if not any(values.get(c) for c in ("mean", "events", "median")):
                    continue
                named = next((row[h.at] for h in labels[role] if row[h.at].strip()), "")
                arm = named or next((h.arm for h in use if h.arm), role)
                _add(table, {**shared, **values}, role, arm, outcome, use)
    table.found.kind = "arms"


def _holds_value(head: Head) -> bool:
    return bool({*head.fields} & {"mean", "events", "median"}) and head.moment != "baseline"


def _name_outcome(head: Head) -> tuple[str, str]:
    """Name the outcome and the time that a header is of."""
    return head.outcome, head.time


def _add(
    table: Table,
    values: dict[str, str],
    role: str,
    arm: str,
    outcome: tuple[str, str],
    heads: Sequence[Head],
) -> None:
    values = finish_arm(values, role, arm)
    values["outcome_text"] = values["outcome_text"] or outcome[0]
    days = next((h.days for h in heads if h.days is not None and h.time == outcome[1]), None)
    if outcome[1] and days is not None:
        values["timepoint"], values["time_days"] = outcome[1], f"{days:g}"
    changed = any(h.moment == "change" and _holds_value(h) for h in heads)
    values["kind"] = "events" if values.get("events") else "change" if changed else "final"
    table.found.rows.append(values)


def read_long(table: Table, rows: Sequence[tuple[int, Sequence[str]]]) -> None:
    """Read rows that hold one arm each."""
    numbers = [h for h in table.heads if {*h.fields} & {*NUMBERS} and not h.role]
    names = list(dict.fromkeys(table.text(row, "arm") for _, row in rows))
    controls = _find_controls(table, rows, [name for name in names if name])
    if controls is None:
        raise table.refuse()
    outcomes = list(dict.fromkeys(_name_outcome(h) for h in numbers if _holds_value(h)))
    for line, row in rows:
        shared = describe_row(table, row, line)
        arm = table.text(row, "arm")
        if not arm:
            table.report("no_arm", table.named("arm")[0].name, line)
            continue
        role = "control" if arm in controls else "treatment"
        for outcome in outcomes:
            use = [h for h in numbers if _name_outcome(h) == outcome]
            use += [
                h
                for h in numbers
                if not _holds_value(h) and not _name_outcome(h)[0] and h not in use
            ]
            values = read_numbers(table, use, row, line)
            if any(values.get(c) for c in ("mean", "events", "median")):
                _add(table, {**shared, **values}, role, arm, outcome, use)
    table.found.kind = "arms"


def _find_controls(
    table: Table, rows: Sequence[tuple[int, Sequence[str]]], names: Sequence[str]
) -> set[str] | None:
    """Tell which arms are controls: every trial has one, and a treatment beside it."""
    controls = {name for name in names if is_control(name)}
    trials: dict[str, set[str]] = {}
    for line, row in rows:
        trials.setdefault(describe_row(table, row, line)["trial"], set()).add(
            table.text(row, "arm")
        )
    open_ = {t: arms for t, arms in trials.items() if not _are_told(arms, controls)}
    if not open_:
        return controls
    among = sorted({arm for arms in open_.values() for arm in arms})
    if len(among) > 1 and not any(arms & controls for arms in open_.values()):
        answer = table.ask(Message("published.ask_control", file=table.sheet.name), among)
        if answer is not None and all(answer in arms for arms in open_.values()):
            return {*controls, answer}
    table.report("control_open", names=sorted(open_)[:6])
    return None


def _are_told(arms: set[str], controls: set[str]) -> bool:
    """Whether a trial has a treatment and a control, or several of different known kinds."""
    own = arms & controls
    kinds = {find_comparator(name) for name in own} - {""}
    return bool(own) and bool(arms - own) and (len(own) == 1 or len(kinds) == len(own))


def read_contrasts(table: Table, rows: Sequence[tuple[int, Sequence[str]]]) -> None:
    """Read rows that hold an effect with its limits or its standard error."""
    found = table.found
    found.kind = "contrasts"
    effects = table.named("effect")
    head = effects[0]
    found.effect = head.effect
    if len({h.effect for h in effects}) > 1:
        found.notes.append(Message("published.one_effect", name=head.name))
    for line, row in rows:
        shared = describe_row(table, row, line)
        values = _read_effect(table, head, row, line)
        if not values.get("effect"):
            continue
        if not any(values.get(c) for c in ("ci_low", "se", "p")):
            found.notes.append(Message("published.no_spread", trial=shared["trial"]))
        shared["outcome_text"] = shared["outcome_text"] or head.outcome
        found.rows.append({**shared, **values, "effect_type": head.name or "effect"})


def _read_effect(table: Table, head: Head, row: Sequence[str], line: int) -> dict[str, str]:
    out: dict[str, str] = {}

    def take(names: Sequence[str], numbers: Sequence[str] | None, of: Head) -> None:
        if numbers is None:
            table.report("not_a_number", of.name, line)
            return
        out.update({k: v for k, v in zip(names, numbers, strict=True) if v})
        for name in names:
            table.found.reasons.setdefault(name, Message("published.from_column", name=of.name))

    cell, decimal = row[head.at], table.decimal
    one = cells.read_one(cell, decimal)
    if one is not None:
        take(("effect",), (one,), head)
    elif "ci" in head.fields or cells.read_three(cell, decimal):
        take(("effect", "ci_low", "ci_high"), cells.read_three(cell, decimal), head)
    else:
        pair = cells.read_two(cell, decimal, "spread") if "se" in head.fields else None
        take(("effect", "se"), pair, head)
    for other in table.heads:
        if other is head or "effect" in other.fields or other.role:
            continue
        for name in ("ci_low", "ci_high", "se", "p", "n"):
            if name in other.fields and "ci" not in other.fields:
                text = row[other.at]
                number = text.strip() if name == "p" else cells.read_one(text, decimal)
                key = "n_total" if name == "n" else name
                take((key,), None if number is None else (number,), other)
        if "ci" in other.fields:
            take(("ci_low", "ci_high"), cells.read_two(row[other.at], decimal, "limits"), other)
    return out


def _note_columns(table: Table) -> None:
    """Say where each column came from, and which were not used."""
    table.found.reasons.pop("bracket", None)
    used = {"trial": "study", "year": "year", "timepoint": "time", "subgroup": "subgroup"}
    for key, name in (*used.items(), ("arm", "arm"), ("outcome", "outcome"), ("unit", "unit")):
        for head in table.named(name)[:1]:
            text = Message("published.from_column", name=head.name)
            table.found.reasons.setdefault(key, text)
    known = {h.at for h in table.heads if h.fields or h.role}
    unused = [n for i, n in enumerate(table.sheet.header) if n and i not in known]
    if unused:
        table.found.notes.append(
            Message("published.unused", file=table.sheet.name, names=unused[:20])
        )
