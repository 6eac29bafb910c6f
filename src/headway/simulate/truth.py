"""What happened to all who started, with every day known."""

from __future__ import annotations

import numpy as np

from headway.simulate.draws import Bools, Ints


def summarise(counts: Ints, without: Ints, lost: Bools) -> dict[str, float | None]:
    """Summarise what happened to all who started, with every day known.

    A statistic that the clinic is too small for, or too uniform, is None.
    """
    before, after, untreated = counts[:, 1], counts[:, 4], without[:, 4]
    change = after - before
    several = len(before) > 1
    varied = several and before.std() > 0 and after.std() > 0
    return {
        "baseline_mean": float(before.mean()),
        "baseline_sd": float(before.std(ddof=1)) if several else None,
        "post_mean": float(after.mean()),
        "r": float(np.corrcoef(before, after)[0, 1]) if varied else None,
        "change_mean": float(change.mean()),
        "change_sd": float(change.std(ddof=1)) if several else None,
        "change_without_treatment_mean": float((untreated - before).mean()),
        "effect_mean": float((after - untreated).mean()),
        "responders_50": float((2 * after <= before).mean()),
        "responders_50_without_treatment": float((2 * untreated <= before).mean()),
        "lost": float(lost.mean()),
    }
