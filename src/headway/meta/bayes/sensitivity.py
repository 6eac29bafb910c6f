"""How much the answer depends on the prior: one analysis under several priors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from headway.messages import say_in_english
from headway.meta.bayes.posterior import Posterior, pool_bayes
from headway.meta.bayes.priors import Flat, Normal, Prior

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class PriorSensitivity:
    """One analysis under several priors.

    Attributes
    ----------
    fits : tuple of Posterior
        One for each prior of mu and, within it, of tau, in the order given.
    """

    fits: tuple[Posterior, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per fit (and, for a batch, set): see Posterior."""
        import pandas as pd

        return pd.concat([fit.to_frame() for fit in self.fits], ignore_index=True)

    def summary(self) -> str:
        """Return one line per prior: median and interval of mu, median of tau."""
        lines = ["mu: median, equal-tailed interval; tau: median; priors of tau and mu"]
        for fit in self.fits:
            if not isinstance(fit.k, int):
                return "A batch of sets of studies. Use to_frame() for one row per prior and set."
            mu, tau = fit.mu, fit.tau
            lines.append(
                f"{mu.median:.4g} [{mu.low:.4g}, {mu.high:.4g}]; {tau.median:.4g}; "
                f"{say_in_english(fit.tau_prior.describe())}; "
                f"{say_in_english(fit.mu_prior.describe())}"
            )
        return "\n".join(lines)


def compare_priors(
    yi: ArrayLike,
    vi: ArrayLike,
    tau: Sequence[Prior],
    mu: Sequence[Normal | Flat] = (Flat(),),
    *,
    level: float = 0.95,
    mask: ArrayLike | None = None,
) -> PriorSensitivity:
    """Fit every combination of some priors.

    Parameters
    ----------
    yi, vi, level, mask
        As for :func:`headway.meta.bayes.pool_bayes`.
    tau, mu : sequence
        Priors of the between-study standard deviation and of the mean effect.

    Raises
    ------
    ValueError
        No prior; as :func:`headway.meta.bayes.pool_bayes`.
    """
    if not tau or not mu:
        raise ValueError("give at least one prior for tau and one for mu")
    fits = (
        pool_bayes(yi, vi, tau=one, mu=centre, level=level, mask=mask)
        for centre in mu
        for one in tau
    )
    return PriorSensitivity(tuple(fits))
