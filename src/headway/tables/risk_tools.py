"""Tools for risk of bias: their domains and levels. Words are ids of the catalogue.

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
    """A judgement of a tool: its sign in a figure, its id, and whether it judges at all."""

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
        "risk_tool.rob2",
        {
            "randomisation": "risk_domain.randomisation",
            "deviations": "risk_domain.deviations",
            "missing_data": "risk_domain.missing_outcome_data",
            "measurement": "risk_domain.measurement_of_outcome",
            "reporting": "risk_domain.reporting",
            OVERALL: "risk_domain.overall",
        },
        {
            "low": Level("+", "risk_level.low", 0),
            "some_concerns": Level("!", "risk_level.some_concerns", 1),
            "high": Level("\u00d7", "risk_level.high", 2),
        },
    ),
    "rob1": RiskTool(
        "risk_tool.rob1",
        {
            "sequence": "risk_domain.sequence",
            "concealment": "risk_domain.concealment",
            "blinding_people": "risk_domain.blinding_people",
            "blinding_assessment": "risk_domain.blinding_assessment",
            "incomplete_data": "risk_domain.incomplete_data",
            "selective_reporting": "risk_domain.selective_reporting",
            "other": "risk_domain.other",
            OVERALL: "risk_domain.overall",
        },
        {
            "low": Level("+", "risk_level.low", 0),
            "unclear": Level("?", "risk_level.unclear", 1),
            "high": Level("\u00d7", "risk_level.high", 2),
        },
    ),
    "robins_i": RiskTool(
        "risk_tool.robins_i",
        {
            "confounding": "risk_domain.confounding",
            "selection": "risk_domain.selection",
            "classification": "risk_domain.classification",
            "deviations": "risk_domain.deviations",
            "missing_data": "risk_domain.missing_data",
            "measurement": "risk_domain.measurement_of_outcomes",
            "reporting": "risk_domain.reporting",
            OVERALL: "risk_domain.overall",
        },
        {
            "low": Level("+", "risk_level.low", 0),
            "moderate": Level("\u2212", "risk_level.moderate", 1),
            "serious": Level("\u00d7", "risk_level.serious", 2),
            "critical": Level("!", "risk_level.critical", 3),
            "no_information": Level("?", "risk_level.no_information", 1, judges=False),
        },
    ),
}
