"""Tools for risk of bias, their domains and levels, in their own words.

Sterne and others 2019 (RoB 2, BMJ 366:l4898); Higgins and others 2011 (BMJ 343:d5928); Sterne and
others 2016 (ROBINS-I, BMJ 355:i4919).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

OVERALL = "overall"
# Levels that a sensitivity analysis leaves out (Handbook 10.14).
HIGH = ("high", "serious", "critical")


@dataclass(frozen=True, slots=True)
class Level:
    """A judgement of a tool: its sign in a figure, its words, and whether it judges at all."""

    sign: str
    label: str
    rank: int
    judges: bool = True


@dataclass(frozen=True, slots=True)
class RiskTool:
    """A tool for risk of bias: domains in order (the last is overall), and levels, best first."""

    name: str
    domains: Mapping[str, str]
    levels: Mapping[str, Level]


RISK_TOOLS: dict[str, RiskTool] = {
    "rob2": RiskTool(
        "RoB 2",
        {
            "randomisation": "Randomisation process",
            "deviations": "Deviations from intended interventions",
            "missing_data": "Missing outcome data",
            "measurement": "Measurement of the outcome",
            "reporting": "Selection of the reported result",
            OVERALL: "Overall",
        },
        {
            "low": Level("+", "low risk", 0),
            "some_concerns": Level("!", "some concerns", 1),
            "high": Level("\u00d7", "high risk", 2),
        },
    ),
    "rob1": RiskTool(
        "Cochrane tool of 2011",
        {
            "sequence": "Random sequence generation",
            "concealment": "Allocation concealment",
            "blinding_people": "Blinding of participants and personnel",
            "blinding_assessment": "Blinding of outcome assessment",
            "incomplete_data": "Incomplete outcome data",
            "selective_reporting": "Selective reporting",
            "other": "Other bias",
            OVERALL: "Overall",
        },
        {
            "low": Level("+", "low risk", 0),
            "unclear": Level("?", "unclear risk", 1),
            "high": Level("\u00d7", "high risk", 2),
        },
    ),
    "robins_i": RiskTool(
        "ROBINS-I",
        {
            "confounding": "Confounding",
            "selection": "Selection of participants into the study",
            "classification": "Classification of interventions",
            "deviations": "Deviations from intended interventions",
            "missing_data": "Missing data",
            "measurement": "Measurement of outcomes",
            "reporting": "Selection of the reported result",
            OVERALL: "Overall",
        },
        {
            "low": Level("+", "low risk", 0),
            "moderate": Level("\u2212", "moderate risk", 1),
            "serious": Level("\u00d7", "serious risk", 2),
            "critical": Level("!", "critical risk", 3),
            "no_information": Level("?", "no information", 1, judges=False),
        },
    ),
}
