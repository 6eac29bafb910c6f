"""Contracts of care: harms, cost, claims, durability, control charts, therapists, dose."""

from __future__ import annotations

from headway.tables.columns import STATUSES, Table, flag, integer, number, text
from headway.tables.records import REPORTED

SAFETY = Table(
    row="one statistic of one kind of harm, technique and way of learning of it",
    key=("harm", "event", "group", "reported", "per", "statistic"),
    columns={
        "harm": text("Kind of harm", allowed=("soreness", "lethargy", "adverse_event")),
        "event": text("any, or the code of the adverse event"),
        "group": text("all, or a technique as 'technique: manual'"),
        "reported": text("How it became known", allowed=(*REPORTED, "unstated")),
        "per": text("What is counted", allowed=("session", "patient")),
        "statistic": text(
            "Identifier of the statistic",
            allowed=("share", "zero_upper_sessions", "median_days", "share_within_2_days"),
        ),
        "label": text("The statistic in words"),
        "unit": text("Unit", nullable=True),
        "estimate": number("Estimate"),
        "ci_low": number("Lower limit"),
        "ci_high": number("Upper limit"),
        "interval": text("Method of the interval", nullable=True),
        "n": number("Sessions or patients with an answer"),
        "of": number("Sessions or patients in all"),
        "count": number("Of n, those with the harm (or within 2 days)"),
        "patients": number("Patients that n comes from"),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("Remark", nullable=True),
    },
)

COST = Table(
    row="one statistic of time, fees or cost",
    key=("topic", "visit", "currency", "basis", "statistic"),
    columns={
        "topic": text("What it is about", allowed=("minutes", "fee", "insured", "cost")),
        "visit": text("Visits it is about", allowed=("first", "later", "all")),
        "currency": text("Currency; empty for time", nullable=True),
        "basis": text(
            "records; uncontrolled; or the change less one that would be expected, with its source"
        ),
        "statistic": text("Identifier of the statistic"),
        "label": text("The statistic in words"),
        "unit": text("Unit", nullable=True),
        "estimate": number("Estimate"),
        "ci_low": number("Lower limit"),
        "ci_high": number("Upper limit"),
        "interval": text("Method of the interval", nullable=True),
        "p25": number("Lower quartile"),
        "p75": number("Upper quartile"),
        "n": number("Patients it stands on"),
        "of": number("Patients who started"),
        "count": number("Patients with the property, for shares"),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("Remark", nullable=True),
    },
)

COST_PLANE = Table(
    row="a cell of the cost plane: share of bootstrap replicates in it",
    key=("currency", "basis", "difference_low", "cost_low"),
    columns={
        "currency": text("Currency"),
        "basis": text("uncontrolled, or less an expected change, with its source"),
        "difference_low": number("Headache days a year of difference, from", nullable=False),
        "difference_high": number("Headache days a year of difference, to", nullable=False),
        "cost_low": number("Mean fees per patient, from", nullable=False),
        "cost_high": number("Mean fees per patient, to", nullable=False),
        "share": number("Replicates in the cell", "percent", low=0, high=100),
        "n": number("Patients it stands on"),
        "redacted": flag("Whether disclosure control withheld numbers"),
    },
)

CLAIM_VERDICTS = ("supported", "not supported", "cannot tell", "not recorded")

CLAIMS = Table(
    row="a part of one claim that patients are told, against this clinic's records",
    key=("row", "part"),
    columns={
        "row": integer("Number of the claim", low=1),
        "part": text("Part of the claim"),
        "claim": text("The claim, paraphrased"),
        "label": text("What is computed"),
        "causal": flag("Whether the part says what treatment does"),
        "unit": text("Unit; empty for a pure number", nullable=True),
        "estimate": number("This clinic"),
        "ci_low": number("Lower limit"),
        "ci_high": number("Upper limit"),
        "interval": text("Method of the interval", nullable=True),
        "n": number("Patients, sessions or points it stands on"),
        "of": number("Patients, sessions or points in all"),
        "count": number("Of n, those with the property, for shares"),
        "patients": number("Patients that n comes from, where n counts something else"),
        "p_value": number("p value, where several parts are tested", low=0, high=1),
        "p_adjusted": number("p value after Holm 1979", low=0, high=1),
        "anchor": text("Published figure, in words", nullable=True),
        "anchor_value": number("Published figure, in the unit of the estimate"),
        "anchor_source": text("Source of the published figure", nullable=True),
        "anchor_status": text("How it was obtained", allowed=STATUSES, nullable=True),
        "rule": text("Rule of the verdict, in words"),
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
        "rule": text("Windows in a row that make a relapse", allowed=("two", "one")),
        "rule_label": text("The rule in words"),
        "group": text("all, or a technique as 'technique: manual'"),
        "n": number("People at risk at the start: responders in the window after", low=0),
        "events": number("People who relapsed", low=0),
        "gaps": number("People whose record ended at an incomplete window before the last", low=0),
        "followed": number("People followed for at least one window", low=0),
        "horizon_days": number("Common horizon, days after the window after", "days", low=0),
        "free_at_horizon": number("Share without relapse at the horizon", "percent"),
        "free_low": number("Lower limit, 95 %, Greenwood log-log", "percent"),
        "free_high": number("Upper limit", "percent"),
        "rmst_days": number("Mean days without relapse up to the horizon (RMST)", "days", low=0),
        "rmst_se": number("Standard error of the RMST", "days", low=0),
        "rmst_low": number("Lower limit, 95 %, normal", "days"),
        "rmst_high": number("Upper limit", "days"),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("What the numbers cannot say", nullable=True),
    },
)

RELAPSE_CURVE = Table(
    row="a window after the window after: share of responders without relapse (Kaplan-Meier)",
    key=("rule", "group", "window"),
    columns={
        "rule": text("Windows in a row that make a relapse", allowed=("two", "one")),
        "group": text("all, or a technique as 'technique: manual'"),
        "window": integer("Window after the window after; 0 is the start", low=0),
        "days": number("Days after the window after at which the window ends", "days", low=0),
        "at_risk": number("People at risk in the window (at 0: at the start)", low=0),
        "events": number("People who relapsed in the window", low=0),
        "censored": number("People last judged in the window, without relapse", low=0),
        "survival": number("Share without relapse", low=0, high=1),
        "ci_low": number("Lower limit, 95 %, Greenwood log-log", low=0, high=1),
        "ci_high": number("Upper limit", low=0, high=1),
        "redacted": flag("Whether disclosure control withheld numbers"),
    },
)

CONTROL_CHART = Table(
    row="a month on a control chart",
    key=("chart", "month"),
    columns={
        "chart": text("Identifier of the chart"),
        "label": text("The chart in words"),
        "kind": text("Kind of chart", allowed=("XmR", "p")),
        "unit": text("Unit"),
        "month": integer("Month index, as the clinic counts months"),
        "phase": integer("Phase; the limits are its own", low=1),
        "n": number("People of the month", low=0),
        "count": number("People with the property (p chart)", low=0),
        "value": number("Mean (XmR) or percent (p) of the month"),
        "moving_range": number("Absolute difference from the month before it on the chart", low=0),
        "centre": number("Centre line"),
        "low": number("Lower limit (3 sigma)"),
        "high": number("Upper limit (3 sigma)"),
        "range_high": number("Upper limit of the moving range"),
        "signals": text("Western Electric rules that the month completes", nullable=True),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("What the chart cannot say", nullable=True),
    },
)

FUNNEL = Table(
    row="a therapist on the funnel plot",
    key=("therapist",),
    columns={
        "therapist": text("Therapist, as a code"),
        "outcome": text("Outcome"),
        "unit": text("Unit"),
        "n": number("People whose change is known", low=0),
        "observed": number("Mean change, post - pre"),
        "expected": number("Mean change expected from baseline variables"),
        "difference": number("observed - expected; positive is less improvement"),
        "se": number("Standard error of the difference from the spread within therapists", low=0),
        "target": number("Mean difference of the therapists that this one is held against"),
        "tau2": number("Additive over-dispersion: the usual one, or more where it is clear", low=0),
        "z": number("Distance from the target in its standard errors"),
        "low_95": number("Lower inner limit (95 %)"),
        "high_95": number("Upper inner limit (95 %)"),
        "low_998": number("Lower outer limit (99.8 %)"),
        "high_998": number("Upper outer limit (99.8 %)"),
        "flag": flag("Outside the outer limit"),
        "adjusted_for": text("Baseline variables that were adjusted for", nullable=True),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("What the plot cannot say", nullable=True),
    },
)

DOSE = Table(
    row="one statistic of how much was given against the change",
    key=("dose", "statistic", "level"),
    columns={
        "dose": text("sessions or minutes, before the window after"),
        "statistic": text(
            "Statistic", allowed=("spearman", "slope", "mean_change_of_third", "mean_dose")
        ),
        "level": text("Third, from the least to the most; empty for all", nullable=True),
        "label": text("The statistic in words"),
        "unit": text("Unit; empty for a pure number", nullable=True),
        "dose_low": number("Least dose of the level"),
        "dose_high": number("Largest dose of the level"),
        "estimate": number("Estimate"),
        "ci_low": number("Lower limit, 95 %"),
        "ci_high": number("Upper limit, 95 %"),
        "interval": text("Method of the interval", nullable=True),
        "n": number("People", low=0),
        "redacted": flag("Whether disclosure control withheld numbers"),
        "note": text("The warning that belongs beside it", nullable=True),
    },
)
