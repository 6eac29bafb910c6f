"""Contracts of what a change is held against: expected courses, other analyses, published arms."""

from __future__ import annotations

from headway.tables.columns import (
    CONSTANT,
    PUBLISHED,
    STATUSES,
    Disclosure,
    Table,
    constant,
    count,
    estimate,
    flag,
    integer,
    key,
    number,
    published,
    share,
    text,
)

SENSITIVITY = Table(
    row="the change in one outcome under one way to treat what is missing, or under one model",
    key=("outcome", "id"),
    columns={
        "outcome": key("Outcome; the primary one first"),
        "id": key("Identifier of the analysis"),
        "label": constant("The analysis in words"),
        "estimate": estimate(
            "Estimate, in `unit`; empty where the analysis was not done",
            limits=("ci_low", "ci_high"),
        ),
        "ci_low": estimate("Lower limit"),
        "ci_high": estimate("Upper limit"),
        "interval": constant("Method of the interval", nullable=True),
        "n": count("People it stands on"),
        "of": count("People who started"),
        "unit": constant("Unit; empty for a pure number", nullable=True),
        "note": text("What it assumes, or why it was not done", nullable=True),
        "redacted": flag("Whether disclosure control withheld numbers"),
    },
)

SPECIFICATIONS = Table(
    row="one way to analyse the change in one outcome: a choice per axis",
    key=("outcome", "window", "value", "completeness", "headache_day", "before", "lost"),
    columns={
        "outcome": key("Outcome; the primary one first"),
        "specification": integer("Number; the declared one is 1", low=1, disclosure=CONSTANT),
        "declared": flag("Whether it is the declared analysis"),
        "window": key("Axis: the window after"),
        "value": key("Axis: days scaled to 28, or counted as they are"),
        "completeness": key("Axis: days with an entry that make a window complete"),
        "headache_day": key("Axis: shortest headache that makes a headache day"),
        "before": key("Axis: the window before alone, or the mean of two"),
        "lost": key("Axis: how the lost are counted"),
        "estimate": estimate("Mean change, after - before", limits=("ci_low", "ci_high")),
        "ci_low": estimate("Lower limit"),
        "ci_high": estimate("Upper limit"),
        "interval": constant("Method of the interval", nullable=True),
        "n": count("People it stands on"),
        "of": count("People who started"),
        "unit": constant("Unit"),
        "note": text("Remark", nullable=True),
        "redacted": flag("Whether disclosure control withheld numbers"),
    },
)

EXPECTED = Table(
    row="one answer to what change would be expected without treatment",
    key=("outcome", "comparison", "source", "label"),
    columns={
        "outcome": key("Outcome"),
        "comparison": key("Identifier of the pair of windows and the rule"),
        "source": key(
            "Where the expectation comes from",
            allowed=(
                "both_windows_mu",
                "both_windows_noise",
                "earlier",
                "both_windows",
                "both_windows_high",
                "change",
                "mee_chua",
                "cutoff",
                "arm",
            ),
        ),
        "label": key("The source in words"),
        "mu": number(
            "Assumed mean of the population that people come from", "days", disclosure=CONSTANT
        ),
        "change": estimate(
            "The clinic's change from the last window before, among n", "days", decimals=1
        ),
        "expected": estimate(
            "Expected change without treatment", "days", limits=("ci_low", "ci_high"), decimals=1
        ),
        "ci_low": estimate(
            "Lower limit of the expected change, where it has one", "days", decimals=1
        ),
        "ci_high": estimate("Upper limit of the expected change", "days", decimals=1),
        "difference": estimate(
            "change - expected", "days", limits=("diff_ci_low", "diff_ci_high"), decimals=1
        ),
        "diff_ci_low": estimate("Lower limit of the difference", "days", decimals=1),
        "diff_ci_high": estimate("Upper limit of the difference", "days", decimals=1),
        "interval": constant("Method of the interval of the difference", nullable=True),
        "n": count("People of the clinic it stands on"),
        "beyond": flag(
            "Whether the interval of the difference lies below 0; above it on the side `less`",
            disclosure=Disclosure("estimate", ("n",)),
        ),
        "decides": flag("Whether the row counts for the verdict; else it is shown"),
        "side": constant(
            "Verdict that needs the row, where it decides",
            allowed=("further", "less"),
            nullable=True,
        ),
        "range_low": estimate("Lowest expected change that decides", "days", decimals=1),
        "range_high": estimate("Highest expected change that decides", "days", decimals=1),
        "tipping_mean": estimate(
            "Mean of the population at which the row both_windows_mu (for a rise "
            "both_windows_high) is just cleared",
            "days",
            decimals=1,
        ),
        "tipping_r": estimate("Correlation of two windows at which it is", decimals=2),
        "published_fall": number(
            "Largest fall of the published arms that decide", "days", disclosure=PUBLISHED
        ),
        "note": text("Remark", nullable=True),
        "redacted": flag("Whether disclosure control withheld numbers"),
    },
)

CHECKS = Table(
    row="one check of what was before treatment, for the primary comparison",
    key=("outcome", "id"),
    columns={
        "id": key("Check", allowed=("baseline_trend", "oldham")),
        "label": constant("The check in words"),
        "outcome": key("Outcome"),
        "comparison": constant("Identifier of the pair of windows and the rule"),
        "estimate": share("Value, in `unit`", "count", "n", limits=("ci_low", "ci_high")),
        "ci_low": estimate("Lower limit"),
        "ci_high": estimate("Upper limit"),
        "interval": constant("Method of the interval", nullable=True),
        "n": count("People it stands on"),
        "count": count("People counted, for a share"),
        "unit": constant("Unit of the value", nullable=True),
        "note": text("Remark", nullable=True),
        "redacted": flag("Whether disclosure control withheld numbers"),
    },
)

TRAPS = Table(
    row="a trap that records can hold, and whether these look like it",
    key=("id",),
    columns={
        "id": key("Identifier of the trap"),
        "label": constant("The trap in words"),
        "flagged": flag(
            "Whether the records look like it; False too where it cannot be seen",
            disclosure=Disclosure("estimate", ("n",)),
        ),
        "n": count("People the finding stands on; empty where the trap cannot be seen"),
        "of": count("Out of"),
        "detail": text("What was found, without counts of people", nullable=True),
        "note": text("The rule, or what would be needed to see the trap", nullable=True),
        "redacted": flag("Whether disclosure control withheld numbers"),
    },
)

BENCHMARK = Table(
    row="a change from before to after: the clinic's, a published arm's, or arms pooled by kind",
    key=("block", "kind", "trial", "arm"),
    own=("block", "clinic"),
    columns={
        "block": key(
            "clinic; arm (drawn); pooled (arms of one kind); not_used (says why)",
            allowed=("clinic", "arm", "pooled", "not_used"),
        ),
        "kind": key("Kind of comparator of a control arm, or technique of a treated one"),
        "label": constant("The row in words"),
        "trial": key("Trial, by first author and year", nullable=True),
        "arm": key("Arm, as the source names it", nullable=True),
        "outcome": constant("Outcome"),
        "unit": constant("Unit of change and baseline"),
        "condition": constant("Condition of the people", nullable=True),
        "technique": text("What was done", nullable=True),
        "n": count("People the change stands on"),
        "of": count("People who started (the clinic)"),
        "k": number("Trials pooled", low=0, disclosure=PUBLISHED),
        "timepoint": constant("Time of the value after, as the source names it", nullable=True),
        "time_days": number(
            "Days from the start to the (middle of the) time after", "days", disclosure=CONSTANT
        ),
        "baseline": estimate("Mean before", decimals=1),
        "change": estimate(
            "Mean change, post - pre (negative = fewer)", limits=("ci_low", "ci_high"), decimals=1
        ),
        "se": estimate("Standard error of the change", low=0, decimals=1),
        "df": estimate("Degrees of freedom of the interval", low=0, decimals=1),
        "ci_low": estimate("Lower limit, 95 %", decimals=1),
        "ci_high": estimate("Upper limit, 95 %", decimals=1),
        "interval": constant("Method of the interval", nullable=True),
        "pi_low": estimate("Lower limit of the prediction interval", decimals=1),
        "pi_high": estimate("Upper limit of the prediction interval", decimals=1),
        "sd_from": constant("How the standard deviation of the change was obtained", nullable=True),
        "romc": estimate(
            "Log ratio of the means, after / before", limits=("romc_low", "romc_high"), decimals=2
        ),
        "romc_low": estimate("Lower limit, 95 %, Wald", decimals=2),
        "romc_high": estimate("Upper limit, 95 %, Wald", decimals=2),
        "difference": estimate(
            "Clinic - this row: a description, no comparison of treatments", again=True
        ),
        "difference_low": estimate("Lower limit, 95 %, both standard errors (Welch)", again=True),
        "difference_high": estimate("Upper limit, 95 %, both standard errors (Welch)", again=True),
        "like_baseline": text(
            "Whether the mean before lies within the declared distance of the clinic's",
            allowed=("yes", "no", "not_printed"),
            nullable=True,
        ),
        "why_not": text("Why the row is not used, or has no interval", nullable=True),
        "status": published("How the numbers were obtained", allowed=STATUSES, nullable=True),
        "source": published("Page or table that prints the numbers", nullable=True),
        "note": text("Remark", nullable=True),
        "redacted": flag("Whether disclosure control withheld numbers"),
    },
)
