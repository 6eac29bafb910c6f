"""Contracts of who was analysed, and of change from before to after."""

from __future__ import annotations

from headway.tables.columns import Table, flag, integer, number, text

FLOW = Table(
    row="a step in the account of rows or people",
    key=("account", "item", "step"),
    columns={
        "account": text("What is counted", allowed=("rows", "cells", "gate", "people")),
        "item": text("File, or outcome and comparison"),
        "step": text("Step"),
        "n": number("Count"),
        "of": number("Out of"),
        "note": text("Remark", nullable=True),
        "redacted": flag("Whether disclosure control withheld the count"),
    },
)

COHORT = Table(
    row="one statistic of one outcome over one pair of windows",
    key=("outcome", "comparison", "group", "statistic"),
    columns={
        "outcome": text("Outcome"),
        "comparison": text("Identifier of the pair of windows and the rule"),
        "comparison_label": text("The pair of windows and the rule in words"),
        "group": text("all, or a subgroup as 'technique: manual'"),
        "primary": flag("The declared primary outcome, time and rule"),
        "statistic": text("Identifier of the statistic"),
        "label": text("The statistic in words"),
        "unit": text("Unit; empty for a pure number", nullable=True),
        "estimate": number("Estimate"),
        "ci_low": number("Lower limit"),
        "ci_high": number("Upper limit"),
        "interval": text("Method of the interval", nullable=True),
        "n": number("People it stands on"),
        "of": number("People who started"),
        "count": number("People with the property, for shares"),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("Remark", nullable=True),
    },
)

INDIVIDUAL = Table(
    row="a class of reliable change x a class of relative change, primary comparison",
    key=("outcome", "comparison", "class", "response"),
    columns={
        "outcome": text("Outcome"),
        "comparison": text("Identifier of the pair of windows and the rule"),
        "class": text("recovered, improved, unchanged or deteriorated (Jacobson & Truax 1991)"),
        "response": text("Relative change"),
        "n": number("People"),
        "of": number("People with a class"),
        "redacted": flag("Whether disclosure control withheld the count"),
    },
)

LOST = Table(
    row="one characteristic before treatment, of the analysed and of the lost",
    key=("characteristic", "level"),
    columns={
        "characteristic": text("What is compared"),
        "level": text("Level, for a share", nullable=True),
        "measure": text("mean or percent"),
        "n_analysed": number("Analysed people with a value"),
        "of_analysed": number("Analysed people"),
        "count_analysed": number("Analysed people at the level"),
        "value_analysed": number("Mean or percent of the analysed"),
        "n_lost": number("Lost people with a value"),
        "of_lost": number("Lost people"),
        "count_lost": number("Lost people at the level"),
        "value_lost": number("Mean or percent of the lost"),
        "difference": number("Lost - analysed"),
        "ci_low": number("Lower limit"),
        "ci_high": number("Upper limit"),
        "interval": text("Method of the interval", nullable=True),
        "standardised_difference": number("Difference in standard deviations (Austin 2009)"),
        "redacted": flag("Whether disclosure control withheld numbers"),
    },
)

COURSE_OF_WINDOWS = Table(
    row="mean of one outcome in one window",
    key=("outcome", "comparison", "window"),
    columns={
        "outcome": text("Outcome"),
        "comparison": text("Identifier of the pair of windows and the rule"),
        "window": text("Window"),
        "order": integer("Position from left to right"),
        "label": text("The window in words"),
        "mean": number("Mean"),
        "ci_low": number("Lower limit (t)"),
        "ci_high": number("Upper limit (t)"),
        "p25": number("Lower quartile"),
        "p75": number("Upper quartile"),
        "n": number("People"),
        "redacted": flag("Whether disclosure control withheld numbers"),
    },
)

HISTOGRAM = Table(
    row="one bin of the change",
    key=("outcome", "comparison", "bin_low"),
    columns={
        "outcome": text("Outcome"),
        "comparison": text("Identifier of the pair of windows and the rule"),
        "bin_low": number("From (included)", nullable=False),
        "bin_high": number("To (not included)", nullable=False),
        "n": number("People"),
        "redacted": flag("Whether disclosure control withheld the count"),
    },
)

LINES = Table(
    row="one person's change, without the code; only under `internal` and `public`",
    columns={
        "outcome": text("Outcome"),
        "comparison": text("Identifier of the pair of windows and the rule"),
        "pre": number("Value before"),
        "post": number("Value after"),
    },
)
