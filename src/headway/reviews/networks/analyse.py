"""The tables of a review's networks, from the rows that enter to ranks and consistency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import UNCOMPUTABLE, log_frames
from headway.messages import Message, join, term
from headway.meta import network as nma
from headway.meta.distributions import find_critical
from headway.meta.methods import describe_network
from headway.meta.network.fit import choose_reference
from headway.reviews.effects_table import describe_unit
from headway.reviews.networks.modifiers import list_modifiers, read_values
from headway.reviews.networks.rows import TrialRows, list_pairs, list_trials
from headway.reviews.networks.sensitivity import vary_network
from headway.tables import conform, empty

if TYPE_CHECKING:
    import pandas as pd

    from headway.config.review import Network, Review

NAN = float("nan")
OUTPUTS = (
    "networks",
    "network_effects",
    "network_pairs",
    "network_ranks",
    "network_consistency",
    "network_contributions",
    "network_modifiers",
    "network_sensitivity",
)
# Above this number of treatments contributions are listed against the reference only.
MOST_PAIRED = 10
# Measures of which neither end is the better one.
UNRANKED = ("VR", "CVR")
POOLED, NOTHING, NO_NUMBER = "pooled", "no_trials", "not_computable"


def pool_networks(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    review: Review,
    risk_of_bias: pd.DataFrame,
    *,
    explore: bool = True,
) -> dict[str, pd.DataFrame]:
    """Pool every network of a review; one that cannot be pooled says why, and stops no other.

    Parameters
    ----------
    arms, contrasts, risk_of_bias
        Tables of the contract.
    review
        review.yaml with its defaults.
    explore
        Try other models and sets of trials.

    Returns
    -------
    dict of DataFrame
        The tables of `OUTPUTS`.
    """
    import pandas as pd

    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in OUTPUTS}
    for network in review.networks:
        work = _Work(network, review, rows, {}, len(rows["network_effects"]))
        try:
            work.run(arms, contrasts, risk_of_bias, explore)
        except UNCOMPUTABLE as error:
            log_frames(error, f"network {network.id}")
            work.give_up()
    return {
        name: conform(name, pd.DataFrame(found)) if found else empty(name)
        for name, found in rows.items()
    }


def read_network(network_effects: pd.DataFrame, id: str) -> nma.Network | None:
    """Put a network together again from its rows in `network_effects`; None where none is pooled.

    The variances of all pairs of a trial hold the covariance of its contrasts.
    """
    own = network_effects[network_effects["network"].eq(id) & network_effects["pooled"]]
    if not len(own):
        return None
    return nma.read_pairs(own["yi"], own["vi"], own["trial"], own["treatment"], own["base"])


def find_part(
    network: nma.Network, reference: str
) -> tuple[nma.Network, list[tuple[str, ...]], np.ndarray]:
    """Find the part of a network that can be pooled: the reference's, else the one of most trials.

    Returns
    -------
    tuple
        That part, the treatments of the other parts, and which of the network's trials are in it.
    """
    parts = network.find_parts()
    # All arms of a trial are in one part: the first says which.
    of_trial = [network.treatments[arms[0]] for arms in network.list_arms()]

    def rank(part: tuple[str, ...]) -> tuple[bool, int, int]:
        return reference not in part, -sum(name in part for name in of_trial), -len(part)

    chosen = min(parts, key=rank)
    inside = np.array([name in chosen for name in of_trial])
    return network.keep(inside[network.trial]), [p for p in parts if p != chosen], inside


@dataclass(slots=True)
class _Work:
    """One network on its way into the tables."""

    network: Network
    review: Review
    rows: dict[str, list[dict[str, Any]]]
    head: dict[str, Any]
    first: int  # row of `network_effects` that is the network's first

    def run(
        self, arms: pd.DataFrame, contrasts: pd.DataFrame, judged: pd.DataFrame, explore: bool
    ) -> None:
        network, review = self.network, self.review
        method, test = review.model_of(network)
        self.head = {
            "network": network.id,
            "label": network.label,
            "outcome": network.outcome,
            "measure": network.measure,
            "unit": describe_unit(network.measure, review.outcomes[network.outcome].unit),
            "state": NOTHING,
            "reference": None,
            "treatments": 0,
            "trials": 0,
            "contrasts": 0,
            "method": method,
            "test": test,
            "level": review.level,
            "moderator": network.moderator,
        }
        found = list_trials(arms, contrasts, network, review)
        used = [one for one in found if one.candidate.usable and len(one.y)]
        if not used:
            self._list_effects(found, "")
            self.rows["networks"].append({**self.head, "note": Message("network.no_trials")})
            return
        whole = _assemble(used)
        part, others, inside = find_part(whole, network.reference)
        for one, within in zip(used, inside, strict=True):
            if not within:
                one.candidate.reasons.append(Message("why_not.network_other_part"))
        declared = network.reference if network.reference in part.treatments else ""
        reference = part.treatments[choose_reference(part, declared)]
        self._list_effects(found, reference)
        self.head |= {"reference": reference, "treatments": len(part.treatments)}
        self.head |= {"trials": len(part.trials), "contrasts": len(part.y), "state": NO_NUMBER}
        notes: list[str] = []
        if network.reference and not declared:
            notes.append(Message("network.no_such_reference", name=network.reference))
        if network.order and sorted(network.order) != sorted(part.treatments):
            notes.append(Message("network.order_incomplete"))
        listed = (
            join(
                [
                    Message("network.part", names=[term("technique", name) for name in each])
                    for each in others
                ]
            )
            or None
        )
        pooled = [one for one, within in zip(used, inside, strict=True) if within]
        self.head |= {"parts": listed, "people": _add_people(pooled)}
        fit = nma.pool_network(
            part, method=method, test=test, level=review.level, reference=reference
        )
        self._fill(fit, pooled, notes)
        values = {name: read_values(arms, contrasts, network, review, name)
                  for name in network.columns}  # fmt: skip
        self.rows["network_modifiers"] += list_modifiers(
            part, reference, network.modifiers, values, self.network.id
        )
        if network.moderator is not None:
            slope, note = _find_slope(fit, values[network.moderator])
            self.head |= slope
            notes += [note] if note else []
        self.rows["networks"].append({**self.head, "note": join(notes) or None})
        if explore:
            self.rows["network_sensitivity"] += vary_network(fit, network, judged)

    def give_up(self) -> None:
        """Leave the rows as they are listed, and say that no number came of them."""
        told = {row["network"] for row in self.rows["networks"]}
        if self.network.id in told:
            return
        numbers = [name for name in OUTPUTS if name not in ("networks", "network_effects")]
        for name in numbers:
            self.rows[name] = [r for r in self.rows[name] if r["network"] != self.network.id]
        self.head["state"] = NO_NUMBER
        note = Message("fit.not_computable")
        self.rows["networks"].append({**self.head, "note": note})

    def _list_effects(self, found: list[TrialRows], reference: str) -> None:
        for one in found:
            self.rows["network_effects"] += _list_rows(one, self, reference)

    def _fill(self, fit: nma.NetworkFit, pooled: list[TrialRows], notes: list[str]) -> None:
        """Take a fit into the tables."""
        head = {"network": self.network.id}
        self.head |= {
            "state": POOLED,
            "methods": join(describe_network(fit)[:-1]),  # without the versions of programs
            "ci_method": fit.ci_code,
            "pi_method": fit.pi_code,
            "q_df": fit.q_df,
            **{n: getattr(fit, n) for n in ("tau2", "se_tau2", "i2", "q", "q_p_value")},
        }
        if fit.remark:
            notes.append(Message(fit.remark))
        self.rows["network_pairs"] += list_estimates(fit, head)
        better = "lower" if self.review.outcomes[self.network.outcome].lower_is_better else "higher"
        ranked = nma.rank_treatments(fit, better)
        if self.network.measure in UNRANKED:
            ranked = ranked.assign(p_score=NAN, mean_rank=NAN)
        else:
            # Within their bounds but for rounding.
            ranked["p_score"] = ranked["p_score"].clip(0, 1)
            ranked["mean_rank"] = ranked["mean_rank"].clip(lower=1)
        people = _count_people(pooled)
        self.rows["network_ranks"] += [
            {**head, **row, "people": people[row["treatment"]]} for row in ranked.to_dict("records")
        ]
        checked = nma.check_consistency(fit.network)
        for row in checked.to_frame().to_dict("records"):
            tau2 = checked.tau2_within if row["part"] == "inconsistency_random" else NAN
            self.rows["network_consistency"].append({**head, **row, "tau2": tau2})
        self.rows["network_contributions"] += _list_contributions(fit, head)


def _order(fit: nma.NetworkFit) -> list[str]:
    """List treatments with the reference first, so that others stand against it."""
    return [fit.reference, *(name for name in fit.network.treatments if name != fit.reference)]


def _assemble(used: list[TrialRows]) -> nma.Network:
    from scipy.linalg import block_diag

    rows = [
        (one.candidate.trial, name, one.treatments[0])
        for one in used
        for name in one.treatments[1:]
    ]
    y = np.concatenate([one.y for one in used])
    return nma.read_contrasts(y, block_diag(*(one.v for one in used)), *zip(*rows, strict=True))


def _list_rows(one: TrialRows, work: _Work, reference: str) -> list[dict[str, Any]]:
    """Make the rows of a trial: all its pairs, or one row that says why there are none."""
    review, c = work.review, one.candidate
    half = float(find_critical(review.level, np.array([np.nan]))[0])
    head = {
        **{k: work.head[k] for k in ("network", "outcome", "measure", "unit")},
        "trial": c.trial,
        "year": c.values.get("year"),
        "arms": c.arms,
        "timepoint": f"{c.timepoint}, {c.kind}" if c.kind in ("change", "final") else c.timepoint,
        "instrument": c.instrument or None,
        "basis": c.basis,
        "lines": c.lines,
        "pooled": c.usable and len(one.y) > 0,
        "why_not": join(list(dict.fromkeys(c.reasons))) or None,
        "status": c.status,
        "source": c.source,
        "recovered": join(list(dict.fromkeys(c.recovered))) or None,
        "note": join(list(dict.fromkeys(c.notes))) or None,
    }
    nothing = {"treatment": None, "base": None}
    nothing |= dict.fromkeys(("n1", "n2", "yi", "vi", "ci_low", "ci_high"), NAN)  # type: ignore[arg-type]
    out = []
    for treatment, base, yi, vi in list_pairs(one):
        if treatment == reference:
            treatment, base, yi = base, treatment, -yi
        reach = half * float(np.sqrt(vi))
        numbers = {"yi": yi, "vi": vi, "ci_low": yi - reach, "ci_high": yi + reach}
        people = {"n1": one.people.get(treatment, NAN), "n2": one.people.get(base, NAN)}
        out.append({**head, "treatment": treatment, "base": base, **people, **numbers})
    return out or [{**head, **nothing}]


def list_estimates(fit: nma.NetworkFit, head: dict[str, Any]) -> list[dict[str, Any]]:
    """List every pair of a fit, each once, against the reference where it is part of it."""
    order = _order(fit)
    evidence = nma.tabulate_evidence(fit)
    sides = nma.split_sides(fit.network, method=fit.method, test=fit.test, level=fit.level)
    split = {frozenset((r["treatment"], r["base"])): r for r in sides.to_dict("records")}
    out = []
    for row in evidence.to_dict("records"):
        treatment, base = row["treatment"], row["base"]
        swap = order.index(treatment) < order.index(base)
        if swap:
            treatment, base = base, treatment
        i, j = fit.place(treatment), fit.place(base)
        made = {"treatment": treatment, "base": base, "k_direct": row["k_direct"]}
        made["share_direct"] = min(row["share_direct"], 1.0)  # 1 but for rounding
        for name in ("estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high", "p_value"):
            made[name] = float(getattr(fit, name)[i, j])
        for name in ("direct", "indirect"):
            made |= _turn(row, name, swap, name)
        side = split.get(frozenset((treatment, base)))
        if side is not None:
            swapped = side["treatment"] != treatment
            for name in ("direct", "indirect", "difference"):
                made |= _turn(side, name, swapped, f"side_{name}")
            made["side_p_value"] = side["p_value"]
        out.append({**head, **made})
    return sorted(out, key=lambda r: (order.index(r["base"]), order.index(r["treatment"])))


def _list_contributions(fit: nma.NetworkFit, head: dict[str, Any]) -> list[dict[str, Any]]:
    """List what direct comparisons contribute, each pair named as in `network_pairs`."""
    order = _order(fit)
    base, *others = order
    pairs = [(name, base) for name in others] if len(order) > MOST_PAIRED else None
    out = []
    for row in nma.find_contributions(fit, pairs).to_dict("records"):
        for one, other in (("treatment", "base"), ("direct_treatment", "direct_base")):
            row[one], row[other] = sorted((row[one], row[other]), key=order.index, reverse=True)
        out.append({**head, **row})
    names = ("base", "treatment", "direct_base", "direct_treatment")
    return sorted(out, key=lambda row: [order.index(row[name]) for name in names])


def _turn(row: dict[str, Any], name: str, swap: bool, out: str) -> dict[str, float]:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    if swap:
        value, low, high = -value, -high, -low
    return {out: value, f"{out}_low": low, f"{out}_high": high}


def _count_people(pooled: list[TrialRows]) -> dict[str, float]:
    """Add up the people of each treatment; NaN where a trial does not print them."""
    out: dict[str, float] = {}
    for one in pooled:
        for name in one.treatments:
            out[name] = out.get(name, 0.0) + one.people.get(name, NAN)
    return out


def _add_people(pooled: list[TrialRows]) -> float:
    return float(np.sum(list(_count_people(pooled).values())))


def _find_slope(
    fit: nma.NetworkFit, values: dict[str, list[Any]]
) -> tuple[dict[str, Any], Message | None]:
    """Fit the moderator's one coefficient to the trials that state it."""
    network = fit.network
    number = {trial: float(np.mean([v for v in held if isinstance(v, float)]))
              for trial, held in values.items()
              if any(isinstance(v, float) for v in held)}  # fmt: skip
    known = np.array([trial in number for trial in network.trials])
    slope: dict[str, Any] = {"slope_trials": int(known.sum())}
    if not known.any():
        return slope, Message("network.moderator_nowhere")
    part = network.keep(known[network.trial])
    try:
        part, _, _ = find_part(part, fit.reference)
        made = nma.pool_network(
            part,
            method=fit.method,
            test=fit.test,
            level=fit.level,
            reference=fit.reference if fit.reference in part.treatments else "",
            moderator=[number[trial] for trial in part.trials],
        )
    except UNCOMPUTABLE as error:
        log_frames(error, "network, moderator")
        return slope, Message("network.moderator_not_told")
    value, _, low, high, p = made.moderator["moderator"]
    slope = {"slope": value, "slope_low": low, "slope_high": high, "slope_p_value": p}
    return {**slope, "slope_trials": len(part.trials)}, None
