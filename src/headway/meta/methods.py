"""How a fit was computed, as the messages of the sentences that a paper needs.

Every sentence follows from the fields of the result, so that the text cannot say what was not
done; references are those of the docstrings. The fits call it; it knows nothing of them but the
names of their fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headway.messages import Message, say_in_english, term
from headway.version import describe


def write(sentences: Sequence[Message]) -> str:
    """Write sentences in English, whatever the language in use."""
    return " ".join(map(say_in_english, sentences))


def describe_software() -> Message:
    """Return the message that names the software and its versions."""
    import scipy

    return Message(
        "method.software", headway=describe(), numpy=np.__version__, scipy=scipy.__version__
    )


def describe_interval(test: str, level: float, df: float) -> Message:
    """Return the message on confidence intervals and tests."""
    if test == "z":
        return Message("method.interval_z", percent=100 * level)
    ways = {
        "t": "method.interval_t",
        "knha": "method.interval_knha",
        "adhoc": "method.interval_adhoc",
        "kr": "method.interval_kr",
    }
    return Message(ways[test], percent=100 * level, df=df)


def describe_fit(fit: Any, outcome: str = "") -> list[Message]:
    """Return the methods of a pooled estimate as messages, with versions and references.

    Parameters
    ----------
    fit : Fit
        The result for one set of studies.
    outcome : str
        What was pooled, for example "change in headache days per 28 days".

    Raises
    ------
    ValueError
        For a batch: a text describes one analysis.
    """
    _check_single(fit)
    percent, what = 100 * fit.level, _name_outcome(outcome)
    if fit.k == 1:
        return [Message("method.single", what=what, percent=percent), describe_software()]
    if fit.method == "EE":
        model = Message("method.pooled_common", k=fit.k, what=what)
    else:
        estimator = term("estimator", fit.method)
        given = fit.method == "GENQ"
        id = "method.pooled_given" if given else "method.pooled_random"
        model = Message(id, k=fit.k, what=what, estimator=estimator)
    out = [model, describe_interval(fit.test, fit.level, float(fit.df))]
    if fit.method == "EE":
        return [*out, Message("method.heterogeneity_common"), describe_software()]
    if np.isnan(fit.pi_low):
        out.append(Message("method.no_prediction"))
    elif np.isnan(fit.pi_df):
        out.append(Message("method.prediction_normal", percent=percent))
    else:
        out.append(Message("method.prediction_t", percent=percent, df=float(fit.pi_df)))
    return [*out, Message("method.heterogeneity_random"), describe_software()]


def describe_regression(fit: Any, outcome: str = "") -> list[Message]:
    """Return the methods of a meta-regression as messages, with versions and references.

    Raises
    ------
    ValueError
        For a batch: a text describes one analysis.
    """
    _check_single(fit)
    terms = list(fit.design.terms) or [Message("method.intercept_only")]
    places: dict[str, Any] = {"k": fit.k, "what": _name_outcome(outcome), "terms": terms}
    if fit.method == "EE":
        out = [Message("method.regression_common", **places)]
    else:
        places["estimator"] = term("estimator", fit.method)
        out = [Message("method.regression_mixed", **places)]
    out.append(describe_interval(fit.test, fit.level, float(fit.df)))
    if fit.design.levels and fit.design.has_intercept:
        bases = [f"{levels[0]} ({name})" for name, levels in fit.design.levels.items()]
        out.append(Message("method.reference_levels", bases=bases))
    wald = np.isnan(fit.qm_df2)
    out.append(Message("method.moderators_wald" if wald else "method.moderators_f"))
    if not np.isnan(fit.r2):
        out.append(Message("method.r2_common" if fit.method == "EE" else "method.r2_mixed"))
    return [*out, describe_software()]


def describe_multilevel(fit: Any, outcome: str = "") -> list[Message]:
    """Return the methods of a multilevel model as messages, with versions and references."""
    nested: Message | str = ""
    structure: Message | str = ""
    if fit.units:
        units = [
            Message("method.units", units=n, name=name) for name, n in reversed(fit.units.items())
        ]
        nested = Message("method.random_intercepts", units=units)
    if fit.structure:
        structure = Message(
            "method.structure",
            kind=term("covariance", fit.structure),
            outcomes=list(map(str, fit.outcomes)),
        )
    id = "method.multilevel_reml" if fit.method == "REML" else "method.multilevel_ml"
    what = _name_outcome(outcome)
    out = [
        Message(id, k=fit.k, what=what, nested=nested, structure=structure),
        describe_interval(fit.test, fit.level, float(fit.df)),
    ]
    if not np.isnan(fit.pi_low):
        out.append(Message("method.prediction_levels"))
    return [*out, describe_software()]


def describe_dose(fit: Any, outcome: str = "") -> list[Message]:
    """Return the methods of a trend over doses as messages, with versions and references."""
    id = "method.dose_spline" if fit.knots else "method.dose_line"
    places: dict[str, Any] = {"k": fit.k, "what": _name_outcome(outcome)}
    if fit.knots:
        places["knots"] = [f"{knot:g}" for knot in fit.knots]
    if fit.method == "EE":
        pooled = Message("method.dose_common")
    else:
        pooled = Message("method.dose_pooled", estimator=term("estimator", fit.method))
    out = [Message(id, **places), pooled]
    return [*out, describe_interval(fit.test, fit.level, float(fit.df)), describe_software()]


def describe_network(fit: Any, outcome: str = "") -> list[Message]:
    """Return the methods of a network meta-analysis as messages, with versions and references."""
    network = fit.network
    places: dict[str, Any] = {
        "trials": len(network.trials),
        "treatments": len(network.treatments),
        "what": _name_outcome(outcome),
    }
    if fit.regression.method == "EE":
        out = [Message("method.network_common", **places)]
    else:
        estimator = term("estimator", fit.method)
        out = [Message("method.network_random", **places, estimator=estimator)]
    several = sum(len(arms) > 2 for arms in network.list_arms())
    if several:
        out.append(Message("method.network_arms", several=several))
    if fit.moderator:
        one = len(fit.moderator) == 1
        id = "method.network_slope_common" if one else "method.network_slope_separate"
        slope = Message(id, reference=fit.reference)
        out.append(Message("method.network_moderator", kind=slope))
    out.append(describe_interval(fit.regression.test, fit.level, float(fit.df)))
    return [*out, Message("method.network_ranks"), describe_software()]


def describe_bayes(fit: Any, outcome: str = "") -> list[Message]:
    """Return the methods of a Bayesian meta-analysis as messages, with versions and references.

    Raises
    ------
    ValueError
        For a batch: a text describes one analysis.
    """
    _check_single(fit)
    places = {"k": fit.k, "what": _name_outcome(outcome)}
    out = [
        Message("method.bayes_model", **places),
        Message("method.bayes_priors", tau=fit.tau_prior.describe(), mu=fit.mu_prior.describe()),
        Message("method.bayes_integral"),
        Message("method.bayes_interval", percent=100 * fit.level),
    ]
    return [*out, describe_software()]


def _name_outcome(outcome: str) -> Message | str:
    return Message("method.of", outcome=outcome) if outcome else ""


def _check_single(fit: Any) -> None:
    if not isinstance(fit.k, int):
        raise ValueError("methods_text describes one set of studies, not a batch")
