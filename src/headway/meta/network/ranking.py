"""How treatments rank. A rank is no difference: two treatments a hair apart have two ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headway.meta.distributions import find_lower_tail
from headway.meta.network.fit import NetworkFit

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

BETTER = ("lower", "higher")


def rank_treatments(fit: NetworkFit, better: str) -> pd.DataFrame:
    """Rank treatments by their P-scores, the best first.

    Parameters
    ----------
    fit : NetworkFit
    better : {"lower", "higher"}
        Which effects are good ones: fewer headache days are "lower".

    Returns
    -------
    DataFrame
        `treatment`; `p_score`, the mean certainty that it is better than another treatment, in
        [0, 1]; `mean_rank`, 1 for the best; `trials` that have it.

    Raises
    ------
    ValueError
        Unknown `better`.

    Notes
    -----
    Rücker and Schwarzer (2015), equation 3: the mean of one-sided p-values over the other
    treatments; the frequentist counterpart of SUCRA (Salanti, Ades and Ioannidis 2011).
    """
    import pandas as pd

    if better not in BETTER:
        raise ValueError(f"better must be one of {list(BETTER)}, not {better!r}")
    t = len(fit.network.treatments)
    z = fit.estimate / fit.se
    sure = find_lower_tail(z if better == "higher" else -z, np.full(z.shape, fit.df))
    score = np.nansum(np.where(np.eye(t, dtype=np.bool_), np.nan, sure), axis=1) / (t - 1)
    frame = pd.DataFrame(
        {
            "treatment": list(fit.network.treatments),
            "p_score": score,
            "mean_rank": 1 + (1 - score) * (t - 1),
            "trials": fit.network.count_trials(),
        }
    )
    return frame.sort_values(["p_score", "treatment"], ascending=[False, True], ignore_index=True)
