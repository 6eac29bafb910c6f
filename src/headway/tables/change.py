"""Contracts of who was analysed, and of change from before to after."""

from __future__ import annotations

from headway.tables.columns import (
    CONSTANT,
    KEY,
    ROW_LEVEL,
    Table,
    constant,
    count,
    estimate,
    flag,
    integer,
    key,
    number,
    share,
    text,
)

FLOW = Table(
    row="a step in the account of rows or people",
    key=("account", "item", "step"),
    people=("account", "people"),
    columns={
        "account": key(
            "What is counted", allowed=("rows", "cells", "column", "gate", "source", "people")
        ),
        "item": key("File, file and column, kind of file, or outcome and comparison"),
        "step": key("Step"),
        "n": count("Count", unit=""),
        "of": count("Out of", unit=""),
        "note": text("Remark", nullable=True),
        "redacted": flag("Whether disclosure control withheld the count"),
    },
)

COHORT = Table(
    row="one statistic of one outcome over one pair of windows",
    key=("outcome", "comparison", "group", "statistic"),
    columns={
        "outcome": key("Outcome"),
        "comparison": key("Identifier of the pair of windows and the rule"),
        "comparison_label": constant("The pair of windows and the rule in words"),
        "group": key("all, or a subgroup as 'technique: manual'"),
        "primary": flag("The declared primary outcome, time and rule"),
        "statistic": key("Identifier of the statistic"),
        "label": constant("The statistic in words"),
        "unit": constant("Unit; empty for a pure number", nullable=True),
        "estimate": share("Estimate", "count", "n", limits=("ci_low", "ci_high")),
        "ci_low": estimate("Lower limit"),
        "ci_high": estimate("Upper limit"),
        "interval": constant("Method of the interval", nullable=True),
        "n": count("People it stands on"),
        "of": count("People who started"),
        "count": count("People with the property, for shares"),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("Remark", nullable=True),
    },
)

INDIVIDUAL = Table(
    row="a class of reliable change x a class of relative change, primary comparison",
    key=("outcome", "comparison", "class", "response"),
    columns={
        "outcome": key("Outcome"),
        "comparison": key("Identifier of the pair of windows and the rule"),
        "class": key("recovered, improved, unchanged or deteriorated (Jacobson & Truax 1991)"),
        "response": key("Relative change"),
        "n": count("People"),
        "of": count("People with a class"),
        "redacted": flag("Whether disclosure control withheld the count"),
    },
)

_BOTH = ("n_analysed", "n_lost")
LOST = Table(
    row="one characteristic before treatment, of the analysed and of the lost",
    key=("characteristic", "level"),
    columns={
        "characteristic": key("What is compared"),
        "level": key("Level, for a share", nullable=True),
        "measure": constant("mean or percent"),
        "n_analysed": count("Analysed people with a value"),
        "of_analysed": count("Analysed people"),
        "count_analysed": count("Analysed people at the level"),
        "value_analysed": share(
            "Mean or percent of the analysed", "count_analysed", "n_analysed", decimals=1
        ),
        "n_lost": count("Lost people with a value"),
        "of_lost": count("Lost people"),
        "count_lost": count("Lost people at the level"),
        "value_lost": share("Mean or percent of the lost", "count_lost", "n_lost", decimals=1),
        "difference": estimate(
            "Lost - analysed", n=_BOTH, limits=("ci_low", "ci_high"), decimals=1
        ),
        "ci_low": estimate("Lower limit", n=_BOTH, decimals=1),
        "ci_high": estimate("Upper limit", n=_BOTH, decimals=1),
        "interval": constant("Method of the interval", nullable=True),
        "standardised_difference": estimate(
            "Difference in standard deviations (Austin 2009)", n=_BOTH, decimals=2
        ),
        "redacted": flag("Whether disclosure control withheld numbers"),
    },
)

COURSE_OF_WINDOWS = Table(
    row="mean of one outcome in one window",
    key=("outcome", "comparison", "window"),
    columns={
        "outcome": key("Outcome"),
        "comparison": key("Identifier of the pair of windows and the rule"),
        "window": key("Window"),
        "order": integer("Position from left to right", disclosure=CONSTANT),
        "label": constant("The window in words"),
        "mean": estimate("Mean", limits=("ci_low", "ci_high"), decimals=1),
        "ci_low": estimate("Lower limit (t)", decimals=1),
        "ci_high": estimate("Upper limit (t)", decimals=1),
        "p25": estimate("Lower quartile", decimals=1, single=True),
        "p75": estimate("Upper quartile", decimals=1, single=True),
        "n": count("People"),
        "redacted": flag("Whether disclosure control withheld numbers"),
    },
)

HISTOGRAM = Table(
    row="one bin of the change",
    key=("outcome", "comparison", "bin_low"),
    columns={
        "outcome": key("Outcome"),
        "comparison": key("Identifier of the pair of windows and the rule"),
        "bin_low": number("From (included)", nullable=False, disclosure=KEY),
        "bin_high": number("To (not included)", nullable=False, disclosure=CONSTANT),
        "n": count("People"),
        "redacted": flag("Whether disclosure control withheld the count"),
    },
)

LINES = Table(
    row="one person's change, without the code; only under `internal` and `public`; "
    "of more than 10 000 people 2 000, evenly over their changes",
    columns={
        "outcome": constant("Outcome"),
        "comparison": constant("Identifier of the pair of windows and the rule"),
        "pre": number("Value before", disclosure=ROW_LEVEL),
        "post": number("Value after", disclosure=ROW_LEVEL),
    },
)
