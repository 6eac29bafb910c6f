"""A clinic's tables -> what may be printed of them: the only door to `results/`.

Rules that hold in every preset but `internal` and `public`:

- a statistic on a small number of people is hidden with that number;
- a share is hidden where its count or the count of the others is small, and is computed again,
  with its interval, from rounded counts;
- 0 is printed where the number of people it is out of is printed;
- totals are the sums of rounded parts, or are rounded themselves;
- whatever else a small number would follow from is hidden too (`headway.disclosure.suppress`);
- an estimate is printed no finer than its number of people lets it be: from a mean to twelve
  digits, or from an interval and a standard deviation, the exact number can be worked out. Where
  counts are rounded, an interval is that of the fewest people whose number is printed so, and
  is never narrower than the one computed;
- quartiles need more people per quarter than the threshold; no minimum, maximum or single
  person's line is released.

OpenSAFELY and NHS Digital ask for no rounding of standard errors, intervals and coefficients
("analytical results ... generally do not present any disclosure risk"; NHS HES rules). Here they
are held to the same test as counts, since a clinic is small.

A registry (`headway.federation`) has no rules here: its tables are made of clinics' summaries, and
these of tables that have passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from headway.disclosure import change, classes, counts, rederive, relations, releases, same
from headway.disclosure.presets import Preset
from headway.disclosure.statistics import SHAPES, enter_statistics, release_statistics
from headway.disclosure.suppress import Ledger, Names
from headway.disclosure.survival import CURVES, enter_curve, release_survival
from headway.tables import TABLES, conform

if TYPE_CHECKING:
    import pandas as pd


def release(
    tables: Mapping[str, pd.DataFrame],
    preset: Preset,
    earlier: Sequence[releases.Release] = (),
) -> dict[str, pd.DataFrame]:
    """Apply a preset to all of a clinic's tables at once.

    Parameters
    ----------
    tables
        `cohort`, `flow`, `individual`, `lost`, `window_means`, `change_histogram`,
        `change_lines` as the outcomes room makes them, and the tables of `SHAPES` and `CURVES`.
        Counts of one table bear on those of another, so they belong into one call.
    earlier
        What was released of the clinic before (`headway.disclosure.releases`).

    Returns
    -------
    dict of DataFrame
        The same tables, fit to be written to `results/`.

    Raises
    ------
    KeyError
        If there is no rule for a table.
    ContractError
        If a table has a column that its contract does not declare.
    """
    unknown = sorted(set(tables) - set(RULES))
    if unknown:
        raise KeyError(f"no disclosure rule for the table(s): {', '.join(unknown)}")
    own = {name: conform(name, frame, check=preset.open) for name, frame in tables.items()}
    if preset.open:
        return own
    if "change_histogram" in own:
        own["change_histogram"] = change.collapse(own["change_histogram"], preset)
    ledger, names, rest = build_ledger(own, preset)
    releases.enter(ledger, own, names | rest, earlier)
    ledger.protect()
    out = {}
    for name, frame in own.items():
        ready = classes.prepare(name, frame.copy(), rest, ledger)
        out[name] = RULES[name](ready, names, ledger)
    rederive.follow(out, own, preset)
    for name, frame in out.items():
        shown = classes.deny(name, frame, own[name], names | rest, ledger)
        out[name] = conform(name, releases.keep_back(name, shown, own[name], earlier, preset))
    return out


def build_ledger(tables: Mapping[str, pd.DataFrame], preset: Preset) -> tuple[Ledger, Names, Names]:
    """Enter the tables into a ledger, one name for counts that are the same people.

    Returns
    -------
    ledger, names of the tables that have a rule of their own, names of the others' columns
    """
    ledger = Ledger(preset)
    names = enter(ledger, tables)
    rest = classes.enter_rest(ledger, tables, names)
    same.join_equal(ledger, tables, names | rest)
    for given in (names, rest):
        _rename(given, ledger)
    return ledger, names, rest


def _rename(names: Names, ledger: Ledger) -> None:
    """Replace the names that others stand for now; those of a text are tuples of names."""
    renamed = ledger.renamed
    for (table, column), own in names.items():
        spec = TABLES[table].columns.get(column)
        if spec is not None and spec.disclosure.kind == "text":
            names[table, column] = [
                n and tuple(renamed.get(one, one) for one in n)  # type: ignore[attr-defined]
                for n in own
            ]
        else:
            names[table, column] = [None if n is None else renamed.get(n, n) for n in own]


def enter(ledger: Ledger, tables: Mapping[str, pd.DataFrame]) -> Names:
    """Enter every count of the tables into the ledger, with what ties them together.

    Returns
    -------
    dict
        (table, column) -> the name of each row's count, None where there is none.
    """
    names: Names = {}
    items: dict[str, tuple[str, str]] = {}
    if "cohort" in tables:
        items = counts.enter_cohort(ledger, tables["cohort"], names)
    if "flow" in tables:
        counts.enter_flow(ledger, tables["flow"], items, names)
    for table in ("window_means", "change_histogram"):
        if table in tables:
            counts.enter_outcomes(ledger, table, tables[table], names)
    if "individual" in tables:
        counts.enter_individual(ledger, tables["individual"], names)
    if "lost" in tables:
        counts.enter_lost(ledger, tables["lost"], tables.get("cohort"), names)
    for table in [t for t in SHAPES if t in tables]:
        enter_statistics(ledger, table, tables[table], names)
        relations.tie(ledger, table, tables[table], names)
    for table in [t for t in CURVES if t in tables]:
        enter_curve(ledger, table, tables[table], names)
    return names


Rule = Callable[..., Any]
RULES: dict[str, Rule] = {
    "cohort": change.release_cohort,
    "flow": change.release_flow,
    "individual": partial(change.release_cells, "individual"),
    "lost": change.release_lost,
    "window_means": change.release_window_means,
    "change_histogram": partial(change.release_cells, "change_histogram"),
    "change_lines": lambda frame, names, ledger: frame.iloc[:0],
    **{name: partial(release_statistics, name) for name in SHAPES},
    **{name: partial(release_survival, name) for name in CURVES},
}
