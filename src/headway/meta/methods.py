"""How a fit was computed, in the words a paper needs.

Every sentence follows from the fields of the result, so that the text cannot say what was not
done; references are those of the docstrings. The fits call it; it knows nothing of them but the
names of their fields.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from headway.version import describe

ESTIMATORS: dict[str, str] = {
    "DL": "the method of moments (DerSimonian and Laird 1986)",
    "HE": "the unweighted variance component estimator (Hedges and Olkin 1985)",
    "HS": "the Hunter-Schmidt estimator (Schmidt and Hunter 2015)",
    "HSk": "the Hunter-Schmidt estimator with a small-sample factor (Brannick et al. 2019)",
    "SJ": "the estimator of Sidik and Jonkman (2005)",
    "ML": "maximum likelihood (Hardy and Thompson 1996)",
    "REML": "restricted maximum likelihood (Viechtbauer 2005)",
    "EB": "the empirical Bayes estimator (Morris 1983)",
    "PM": "the estimator of Paule and Mandel (1982)",
    "PMM": "the median-unbiased Paule-Mandel estimator (Viechtbauer 2021)",
    "GENQ": "the generalised method of moments with given weights (DerSimonian and Kacker 2007)",
}

INTERVALS: dict[str, str] = {
    "z": "are of the Wald type and use the normal distribution",
    "t": "are of the Wald type and use a t distribution with {df} degrees of freedom",
    "knha": "use the adjustment of Hartung and Knapp (2001) and Sidik and Jonkman (2002), "
    "a t distribution with {df} degrees of freedom",
    "adhoc": "use the adjustment of Hartung and Knapp (2001) with a variance factor of at least "
    "1 (Knapp and Hartung 2003; Röver, Knapp and Friede 2015), a t distribution with {df} "
    "degrees of freedom",
    "kr": "use the adjustment of Kenward and Roger (1997; Partlett and Riley 2017), a t "
    "distribution with {df} degrees of freedom",
}


def describe_software() -> str:
    """Return the sentence that names the software and its versions."""
    return (
        f"Computations were made with Headway {describe()} "
        f"(NumPy {np.__version__}, SciPy {scipy.__version__})."
    )


def describe_interval(test: str, level: float, df: float) -> str:
    """Return the sentence on confidence intervals and tests."""
    percent = f"{100 * level:g} %"
    words = INTERVALS[test].format(df=f"{df:.4g}")
    return f"The {percent} confidence interval and the test of the estimate {words}."


def describe_fit(fit: Any, outcome: str = "") -> str:
    """Return the methods of a pooled estimate as sentences with versions and references.

    Parameters
    ----------
    fit : Fit
        The result for one set of studies.
    outcome : str
        What was pooled, for example "change in headache days per 28 days".

    Returns
    -------
    str

    Raises
    ------
    ValueError
        For a batch: a text describes one analysis.
    """
    if not isinstance(fit.k, int):
        raise ValueError("methods_text describes one set of studies, not a batch")
    what = f" of {outcome}" if outcome else ""
    if fit.k == 1:
        return (
            f"The only estimate{what} was not pooled. Its {100 * fit.level:g} % confidence "
            f"interval uses the normal distribution. {describe_software()}"
        )
    several = f"{fit.k} estimates{what}"
    if fit.method == "EE":
        model = f"We pooled {several} with inverse-variance weights under a common-effect model."
    else:
        model = (
            f"We pooled {several} with inverse-variance weights under a random-effects model; the "
            f"between-study variance tau² was estimated by {ESTIMATORS[fit.method]}."
        )
        if fit.method == "GENQ":
            model = model.replace("inverse-variance weights", "weights fixed beforehand")
    parts = [model, describe_interval(fit.test, fit.level, float(fit.df))]
    if fit.method == "EE":
        parts.append(
            "Heterogeneity is described by Cochran's Q and by I² computed from it (Higgins and "
            "Thompson 2002)."
        )
    else:
        if np.isnan(fit.pi_low):
            parts.append("No prediction interval is defined for so few studies.")
        else:
            curve = (
                "a normal distribution"
                if np.isnan(fit.pi_df)
                else f"a t distribution with {fit.pi_df:.4g} degrees of freedom"
            )
            parts.append(
                f"The {100 * fit.level:g} % prediction interval for the effect in a new setting "
                f"adds tau² to the squared standard error and uses {curve} (Higgins, Thompson and "
                "Spiegelhalter 2009)."
            )
        parts.append(
            "Heterogeneity is described by tau², by I² computed from tau² and the typical sampling "
            "variance (Higgins and Thompson 2002), and tested with Cochran's Q."
        )
    parts.append(describe_software())
    return " ".join(parts)


def describe_regression(fit: Any, outcome: str = "") -> str:
    """Return the methods of a meta-regression as sentences with versions and references.

    Raises
    ------
    ValueError
        For a batch: a text describes one analysis.
    """
    if not isinstance(fit.k, int):
        raise ValueError("methods_text describes one set of studies, not a batch")
    what = f" of {outcome}" if outcome else ""
    names = list(fit.design.terms)
    last = names.pop() if names else "nothing but an intercept"
    listed = f"{', '.join(names)} and {last}" if names else last
    kind = "common-effect" if fit.method == "EE" else "mixed-effects"
    parts = [f"We regressed {fit.k} estimates{what} on {listed} in a {kind} meta-regression"]
    if fit.method == "EE":
        parts[0] += " with inverse-variance weights."
    else:
        parts[0] += (
            f"; the residual between-study variance tau² was estimated by {ESTIMATORS[fit.method]}."
        )
    parts.append(describe_interval(fit.test, fit.level, float(fit.df)))
    if fit.design.levels:
        bases = ", ".join(f"{levels[0]} ({name})" for name, levels in fit.design.levels.items())
        if fit.design.has_intercept:
            parts.append(f"Factors are compared with their reference level: {bases}.")
    if np.isnan(fit.qm_df2):
        parts.append("Moderators were tested together with a Wald chi-squared test.")
    else:
        parts.append("Moderators were tested together with an F test (Knapp and Hartung 2003).")
    if not np.isnan(fit.r2):
        parts.append(
            "R² is the share of tau² that the moderators account for (Raudenbush 2009)."
            if fit.method != "EE"
            else "R² is the adjusted one of the weighted regression."
        )
    parts.append(describe_software())
    return " ".join(parts)


STRUCTURES: dict[str, str] = {
    "UN": "an unstructured covariance matrix",
    "CS": "one variance and one correlation (compound symmetry)",
    "DIAG": "independent variances",
    "ID": "one variance",
}


def describe_multilevel(fit: Any, outcome: str = "") -> str:
    """Return the methods of a multilevel model as sentences with versions and references."""
    what = f" of {outcome}" if outcome else ""
    parts = [f"We fitted a multilevel meta-analysis to {fit.k} effects{what}"]
    if fit.units:
        nested = " within ".join(f"{n} units of {name}" for name, n in reversed(fit.units.items()))
        parts[0] += f", with random intercepts for {nested} (Konstantopoulos 2011)"
    if fit.structure:
        listed = ", ".join(map(str, fit.outcomes))
        parts[0] += f", with {STRUCTURES[fit.structure]} between {listed} (Berkey et al. 1998)"
    full = "restricted maximum" if fit.method == "REML" else "maximum"
    parts[0] += f"; variances were estimated by {full} likelihood."
    parts.append(describe_interval(fit.test, fit.level, float(fit.df)))
    if not np.isnan(fit.pi_low):
        parts.append("The prediction interval adds the variances of all levels.")
    parts.append(describe_software())
    return " ".join(parts)
