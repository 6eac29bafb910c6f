"""Contracts of care: harms, cost, claims, durability, control charts, therapists, dose."""

from __future__ import annotations

from headway.tables.columns import (
    CONSTANT,
    KEY,
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
from headway.tables.records import REPORTED

SAFETY = Table(
    row="one statistic of one kind of harm, technique and way of learning of it",
    key=("harm", "event", "group", "reported", "per", "statistic"),
    columns={
        "harm": key("Kind of harm", allowed=("soreness", "lethargy", "adverse_event")),
        "event": key("any, or the code of the adverse event"),
        "group": key("all, or a technique as 'technique: manual'"),
        "reported": key("How it became known", allowed=(*REPORTED, "unstated")),
        "per": key("What is counted", allowed=("session", "patient")),
        "statistic": key(
            "Identifier of the statistic",
            allowed=("share", "zero_upper_sessions", "median_days", "share_within_2_days"),
        ),
        "label": constant("The statistic in words"),
        "unit": constant("Unit", nullable=True),
        "estimate": share("Estimate", "count", "n", limits=("ci_low", "ci_high")),
        "ci_low": estimate("Lower limit"),
        "ci_high": estimate("Upper limit"),
        "interval": constant("Method of the interval", nullable=True),
        "n": count("Sessions or patients with an answer", unit=""),
        "of": count("Sessions or patients in all", unit=""),
        "count": count("Of n, those with the harm (or within 2 days)", unit=""),
        "patients": count("Patients that n comes from"),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("Remark", nullable=True),
    },
)

COST = Table(
    row="one statistic of time, fees or cost",
    key=("topic", "visit", "currency", "basis", "statistic"),
    columns={
        "topic": key("What it is about", allowed=("minutes", "fee", "insured", "cost")),
        "visit": key("Visits it is about", allowed=("first", "later", "all")),
        "currency": key("Currency; empty for time", nullable=True),
        "basis": key(
            "records; uncontrolled; or the change less one that would be expected, with its source"
        ),
        "statistic": key("Identifier of the statistic"),
        "label": constant("The statistic in words"),
        "unit": constant("Unit", nullable=True),
        "estimate": share("Estimate", "count", "n", limits=("ci_low", "ci_high")),
        "ci_low": estimate("Lower limit"),
        "ci_high": estimate("Upper limit"),
        "interval": constant("Method of the interval", nullable=True),
        "p25": estimate("Lower quartile", single=True),
        "p75": estimate("Upper quartile", single=True),
        "n": count("Patients it stands on"),
        "of": count("Patients who started"),
        "count": count("Patients with the property, for shares"),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("Remark", nullable=True),
    },
)

COST_PLANE = Table(
    row="a cell of the cost plane: share of bootstrap replicates in it",
    key=("currency", "basis", "difference_low", "cost_low"),
    columns={
        "currency": key("Currency"),
        "basis": key("uncontrolled, or less an expected change, with its source"),
        "difference_low": number(
            "Headache days a year of difference, from", nullable=False, disclosure=KEY
        ),
        "difference_high": number(
            "Headache days a year of difference, to", nullable=False, disclosure=CONSTANT
        ),
        "cost_low": number("Mean fees per patient, from", nullable=False, disclosure=KEY),
        "cost_high": number("Mean fees per patient, to", nullable=False, disclosure=CONSTANT),
        "share": estimate("Replicates in the cell", "percent", low=0, high=100, decimals=1),
        "n": count("Patients it stands on"),
        "redacted": flag("Whether disclosure control withheld numbers"),
    },
)

CLAIM_VERDICTS = ("supported", "not supported", "cannot tell", "not recorded")

CLAIMS = Table(
    row="a part of one claim that patients are told, against this clinic's records",
    key=("row", "part"),
    columns={
        "row": integer("Number of the claim", low=1, disclosure=KEY),
        "part": key("Part of the claim"),
        "claim": constant("The claim, paraphrased"),
        "label": constant("What is computed"),
        "causal": flag("Whether the part says what treatment does"),
        "unit": constant("Unit; empty for a pure number", nullable=True),
        "estimate": share("This clinic", "count", "n", limits=("ci_low", "ci_high")),
        "ci_low": estimate("Lower limit"),
        "ci_high": estimate("Upper limit"),
        "interval": constant("Method of the interval", nullable=True),
        "n": count("Patients, sessions or points it stands on", unit=""),
        "of": count("Patients, sessions or points in all", unit=""),
        "count": count("Of n, those with the property, for shares", unit=""),
        "patients": count("Patients that n comes from, where n counts something else"),
        "p_value": estimate("p value, where several parts are tested", low=0, high=1, decimals=2),
        "p_adjusted": estimate("p value after Holm 1979", low=0, high=1, decimals=2),
        "anchor": published("Published figure, in words", nullable=True),
        "anchor_value": number(
            "Published figure, in the unit of the estimate", disclosure=PUBLISHED
        ),
        "anchor_source": published("Source of the published figure", nullable=True),
        "anchor_status": published("How it was obtained", allowed=STATUSES, nullable=True),
        "rule": constant("Rule of the verdict, in words"),
        "verdict": text("Verdict", allowed=CLAIM_VERDICTS),
        "reason": text("Why"),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("Remark", nullable=True),
    },
)

RELAPSE = Table(
    row="a group's time to relapse in one number each",
    key=("rule", "group"),
    columns={
        "rule": key("Windows in a row that make a relapse", allowed=("two", "one")),
        "rule_label": constant("The rule in words"),
        "group": key("all, or a technique as 'technique: manual'"),
        "n": count("People at risk at the start: responders in the window after"),
        "events": count("People who relapsed", again=True, blocks=True),
        "gaps": count("People without relapse, with an incomplete window before the last complete"),
        "followed": count("People followed for at least one window", again=True),
        "horizon_days": estimate(
            "Horizon declared beforehand, days after the window after", "days", low=0, decimals=0
        ),
        "free_at_horizon": estimate("Share without relapse at the horizon", "percent", again=True),
        "free_low": estimate("Lower limit, 95 %, profile likelihood", "percent", again=True),
        "free_high": estimate("Upper limit", "percent", again=True),
        "rmst_days": estimate(
            "Mean days without relapse up to the horizon (RMST), relapses midway in intervals",
            "days",
            low=0,
            again=True,
        ),
        "rmst_low": estimate("Lower limit, 95 %, profile likelihood", "days", again=True),
        "rmst_high": estimate("Upper limit", "days", again=True),
        "rmst_low_bound": estimate(
            "The same mean with every relapse at the start of its interval", "days", again=True
        ),
        "rmst_high_bound": estimate(
            "The same mean with every relapse at the end of its interval", "days", again=True
        ),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("What the numbers cannot say", nullable=True),
    },
)

RELAPSE_CURVE = Table(
    row="a window after the window after: share of responders without relapse (Turnbull)",
    key=("rule", "group", "window"),
    columns={
        "rule": key("Windows in a row that make a relapse", allowed=("two", "one")),
        "group": key("all, or a technique as 'technique: manual'"),
        "window": integer("Window after the window after; 0 is the start", low=0, disclosure=KEY),
        "days": number(
            "Days after the window after at which the window ends",
            "days",
            low=0,
            disclosure=CONSTANT,
        ),
        "at_risk": count("People at risk in the window (at 0: at the start)", blocks=True),
        "events": count(
            "People who relapsed in the window; expected where windows are missing", blocks=True
        ),
        "censored": count("People last known to be free of relapse at its end", blocks=True),
        "survival": estimate(
            "Share without relapse at its end", low=0, high=1, n="at_risk", again=True
        ),
        "ci_low": estimate(
            "Lower limit, 95 %, profile likelihood", low=0, high=1, n="at_risk", again=True
        ),
        "ci_high": estimate("Upper limit", low=0, high=1, n="at_risk", again=True),
        "lowest": estimate(
            "Share with every relapse at the start of its interval",
            low=0,
            high=1,
            n="at_risk",
            again=True,
        ),
        "highest": estimate(
            "Share with every relapse at the end of its interval",
            low=0,
            high=1,
            n="at_risk",
            again=True,
        ),
        "redacted": flag("Whether disclosure control withheld numbers"),
    },
)

CONTROL_CHART = Table(
    row="a month on a control chart",
    key=("chart", "month"),
    columns={
        "chart": key("Identifier of the chart"),
        "label": constant("The chart in words"),
        "kind": constant("Kind of chart", allowed=("XmR", "p")),
        "unit": constant("Unit"),
        "month": integer("Month index, as the clinic counts months", disclosure=KEY),
        "phase": integer("Phase; the limits are its own", low=1, disclosure=CONSTANT),
        "n": count("People of the month"),
        "count": count("People with the property (p chart)"),
        "value": estimate("Mean (XmR) or percent (p) of the month", decimals=1),
        "moving_range": estimate(
            "Absolute difference from the month before it on the chart", low=0, again=True
        ),
        "centre": estimate("Centre line", again=True),
        "low": estimate("Lower limit (3 sigma)", again=True),
        "high": estimate("Upper limit (3 sigma)", again=True),
        "range_high": estimate("Upper limit of the moving range", again=True),
        "signals": text(
            "Western Electric rules that the month completes",
            nullable=True,
            disclosure=Disclosure("text", again=True),
        ),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("What the chart cannot say", nullable=True),
    },
)

FUNNEL = Table(
    row="a therapist on the funnel plot",
    key=("therapist",),
    columns={
        "therapist": key("Therapist, as a code"),
        "outcome": constant("Outcome"),
        "unit": constant("Unit"),
        "n": count("People whose change is known"),
        "observed": estimate("Mean change, post - pre", decimals=1),
        "expected": estimate("Mean change expected from baseline variables", decimals=1),
        "difference": estimate("observed - expected; positive is less improvement", again=True),
        "se": estimate(
            "Standard error of the difference from the spread within therapists", low=0, again=True
        ),
        "target": estimate(
            "Mean difference of the therapists that this one is held against", again=True
        ),
        "tau2": estimate(
            "Additive over-dispersion: the usual one, or more where it is clear", low=0, again=True
        ),
        "z": estimate("Distance from the target in its standard errors", again=True),
        "low_95": estimate("Lower inner limit (95 %)", again=True),
        "high_95": estimate("Upper inner limit (95 %)", again=True),
        "low_998": estimate("Lower outer limit (99.8 %)", again=True),
        "high_998": estimate("Upper outer limit (99.8 %)", again=True),
        "flag": flag(
            "Outside the outer limit", disclosure=Disclosure("estimate", ("n",), again=True)
        ),
        "adjusted_for": constant("Baseline variables that were adjusted for", nullable=True),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("What the plot cannot say", nullable=True),
    },
)

DOSE = Table(
    row="one statistic of how much was given against the change",
    key=("dose", "statistic", "level"),
    columns={
        "dose": key("sessions or minutes, before the window after"),
        "statistic": key(
            "Statistic", allowed=("spearman", "slope", "mean_change_of_third", "mean_dose")
        ),
        "level": key("Third, from the least to the most; empty for all", nullable=True),
        "label": constant("The statistic in words"),
        "unit": constant("Unit; empty for a pure number", nullable=True),
        "dose_low": estimate("Least dose of the level"),
        "dose_high": estimate("Largest dose of the level"),
        "estimate": estimate("Estimate", limits=("ci_low", "ci_high")),
        "ci_low": estimate("Lower limit, 95 %"),
        "ci_high": estimate("Upper limit, 95 %"),
        "interval": constant("Method of the interval", nullable=True),
        "n": count("People"),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("The warning that belongs beside it", nullable=True),
    },
)
