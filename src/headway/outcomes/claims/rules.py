"""The rule of a part of a claim, and the verdict that follows from it and an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from headway.messages import Message, read, term
from headway.outcomes.care.clustered import NAN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Verdict = Literal["supported", "not supported", "cannot tell", "not recorded"]
DESIGN = Message("claim.reason.design")


@dataclass(frozen=True, slots=True)
class Rule:
    """How a verdict follows from an interval; limits are in the unit of the estimate.

    `why` is the id of the message that says where the limits come from, or that message.
    """

    kind: Literal["change", "within", "at_least", "description"]
    why: str
    benefit: Literal["lower", "higher"] = "lower"
    low: float = NAN
    high: float = NAN
    value: float = NAN
    currency: str = ""

    @property
    def code(self) -> Message:
        """The rule with its limits, as a table holds it."""
        why = self.why if isinstance(self.why, Message) else Message(self.why)
        if self.kind == "change":
            better = {"lower": "claim.rule.lower", "higher": "claim.rule.higher"}
            return Message(better[self.benefit], why=why)
        if self.kind == "at_least":
            return Message("claim.rule.at_least", value=self.value, why=why)
        if self.kind == "description":
            return Message("claim.rule.description", why=why)
        limits = {"low": self.low, "high": self.high}
        if self.currency:
            money = term("currency", self.currency)
            return Message("claim.rule.within_currency", **limits, currency=money, why=why)
        return Message("claim.rule.within", **limits, why=why)


def judge(
    rule: Rule, causal: bool, estimate: float, ci_low: float, ci_high: float
) -> tuple[Verdict, Message]:
    """Reach a verdict from an interval.

    Parameters
    ----------
    rule
        Of the part; its limits are in the unit of the estimate.
    causal
        Whether the part says what treatment does: then always `cannot tell`, for the design. What
        records without a comparison group cannot support, they cannot refute.
    estimate, ci_low, ci_high
        NaN where there is none.

    Returns
    -------
    verdict : str
    reason : Message
        `not recorded` is not decided here: it is for the absence of records.
    """
    if causal:
        return "cannot tell", DESIGN
    if rule.kind == "description":
        return "cannot tell", Message("claim.reason.description")
    if np.isnan(estimate) or np.isnan(ci_low) or np.isnan(ci_high):
        return "cannot tell", Message("claim.reason.too_few")
    if rule.kind == "change":
        # One picture for both directions: more than 0 is a benefit.
        low, high = (-ci_high, -ci_low) if rule.benefit == "lower" else (ci_low, ci_high)
        yes, no = low > 0, high <= 0
        reasons = ("claim.reason.benefit", "claim.reason.no_benefit")
    elif rule.kind == "within":
        yes = ci_low >= rule.low and ci_high <= rule.high
        no = ci_high < rule.low or ci_low > rule.high
        reasons = ("claim.reason.within", "claim.reason.outside")
    else:
        yes, no = ci_low >= rule.value, ci_high < rule.value
        reasons = ("claim.reason.at_or_above", "claim.reason.below")
    if no:
        return "not supported", Message(reasons[1])
    if yes:
        return "supported", Message(reasons[0])
    return "cannot tell", Message("claim.reason.both_sides")


def judge_again(
    rule: str, causal: bool, estimate: float, ci_low: float, ci_high: float
) -> tuple[Verdict, str | None]:
    """Reach a verdict from the code of a rule (`Rule.code`) and the numbers as they are printed.

    Returns
    -------
    verdict, reason
        Of a description the reason is None: it does not come from numbers.

    Raises
    ------
    ValueError
        If the code is none of a rule.
    """
    found = read(rule)
    if not found or found[0].id not in _KINDS:
        raise ValueError(f"{rule} is no code of a rule")
    limits = {k: v for k, v in found[0].values.items() if k in ("low", "high", "value")}
    known = Rule(**_KINDS[found[0].id], why="", **limits)
    verdict, reason = judge(known, causal, estimate, ci_low, ci_high)
    return verdict, None if known.kind == "description" else reason


_KINDS: dict[str, dict[str, Any]] = {
    "claim.rule.lower": {"kind": "change", "benefit": "lower"},
    "claim.rule.higher": {"kind": "change", "benefit": "higher"},
    "claim.rule.within": {"kind": "within"},
    "claim.rule.within_currency": {"kind": "within"},
    "claim.rule.at_least": {"kind": "at_least"},
    "claim.rule.description": {"kind": "description"},
}


def holm(p: Sequence[float]) -> Array:
    """Adjust p values for their number (Holm 1979); NaN stay, and do not count."""
    values = np.asarray(p, float)
    out = np.full(len(values), NAN)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * (len(order) - np.arange(len(order)))
    out[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return out
