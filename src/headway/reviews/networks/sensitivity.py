"""A network pooled in other ways: other models, trials by risk of bias, each trial left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import UNCOMPUTABLE, log_frames
from headway.meta import network as nma
from headway.meta.network.fit import METHODS
from headway.reviews.specifications import find_judged
from headway.tables.risk_tools import HIGH

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from headway.config.review import Network

TESTS = ("adhoc", "knha", "t", "z")
TRIED = ("adhoc", "knha", "z")
# Beyond this number of trials none is left out in turn: each is a fit of the whole network.
MOST_TRIALS = 250


def vary_network(
    fit: nma.NetworkFit, network: Network, judged: pd.DataFrame
) -> list[dict[str, Any]]:
    """Pool a network in every other way that is tried, and list all treatments v the reference.

    Models are crossed with sets of trials; single trials are left out of the declared model.

    Parameters
    ----------
    fit
        As declared.
    network
        Its entry in review.yaml.
    judged
        Table `risk_of_bias`.

    Returns
    -------
    list of dict
        Rows of the table `network_sensitivity`; specification 0 is the declared one. A treatment
        that a set of trials leaves without connection to the reference has no row there.
    """
    out: list[dict[str, Any]] = []
    tried: set[tuple[str, str, str, str]] = set()
    for studies, left_out, rows, models in _list_ways(fit, network, judged):
        part = None if rows.all() else _keep(fit, rows)
        if not rows.all() and part is None:
            continue
        for method, test in models:
            key = (studies, left_out, method, test)
            if key in tried:
                continue
            tried.add(key)
            try:
                made = nma.pool_network(
                    fit.network if part is None else part,
                    method=method, test=test, level=fit.level, reference=fit.reference,
                )  # fmt: skip
            except UNCOMPUTABLE as error:
                log_frames(error, f"network {network.id}, {method}, {test}")
                continue
            head = {"network": network.id, "specification": len(tried) - 1, "studies": studies}
            head |= {"left_out": left_out, "method": method, "test": test}
            head |= {"declared": len(tried) == 1, "k": len(made.network.trials)}
            out += [{**head, **row} for row in _against_reference(made)]
    return out


def _list_ways(
    fit: nma.NetworkFit, network: Network, judged: pd.DataFrame
) -> Iterator[tuple[str, str, NDArray[np.bool_], list[tuple[str, str]]]]:
    """List sets of trials with the models that pool them, the declared way first."""
    own = (fit.method, fit.test)
    models = [own, *((m, t) for m in METHODS for t in TRIED if m != "EE" or t == "z")]
    trials = fit.network.trials
    everything = np.ones(len(trials), dtype=np.bool_)
    yield "all", "none", everything, models
    known = find_judged(judged, network)
    low = np.array([known.get(trial) == "low" for trial in trials])
    high = np.array([known.get(trial) in HIGH for trial in trials])
    if 0 < low.sum() < len(trials):
        yield "low_risk", "none", low, models
    if 0 < high.sum() < len(trials):
        yield "not_high_risk", "none", ~high, models
    if 1 < len(trials) <= MOST_TRIALS:
        for i, trial in enumerate(trials):
            yield "all", trial, np.arange(len(trials)) != i, [own]


def _keep(fit: nma.NetworkFit, trials: NDArray[np.bool_]) -> nma.Network | None:
    """Return what some trials leave connected with the reference; None where that is nothing."""
    network = fit.network
    part = network.keep(trials[network.trial])
    if fit.reference not in part.treatments:
        return None
    names = next(names for names in part.find_parts() if fit.reference in names)
    number = part.treatments.index
    inside = np.isin(part.treatment, [number(name) for name in names])
    return part.keep(inside)


def _against_reference(fit: nma.NetworkFit) -> Iterator[dict[str, Any]]:
    base = fit.place(fit.reference)
    for i, name in enumerate(fit.network.treatments):
        if i != base:
            yield {
                "treatment": name,
                "base": fit.reference,
                **{
                    column: float(getattr(fit, column)[i, base])
                    for column in ("estimate", "se", "ci_low", "ci_high", "p_value")
                },
                "tau2": fit.tau2,
            }
