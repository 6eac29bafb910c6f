"""Subgroups of studies and the test of their differences."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.meta.batch import read_labels, read_pair
from headway.meta.design import build_design
from headway.meta.distributions import find_chi2_tail, find_critical, find_f_tail
from headway.meta.pooling import FEWEST, Array, Fit, describe_prediction, pool, print_p
from headway.meta.regression import regress

if TYPE_CHECKING:
    import pandas as pd

NAN = float("nan")


@dataclass(frozen=True, slots=True, repr=False)
class Subgroups:
    """Fits of all subgroups, the overall fit and the test of differences between subgroups.

    Attributes
    ----------
    groups : dict
        Label to fit, in the order in which the labels first appear.
    overall : Fit
        All studies together.
    q_between : float
        Test of differences: the weighted sum of squares of the group estimates, each weighed by
        its own squared standard error, for separate tau2 (divided as Welch does for F); the
        omnibus statistic of the meta-regression on the groups for a common one. NaN with fewer
        than two groups.
    df : int
        Number of groups minus 1.
    df2 : float
        Second degrees of freedom where the statistic is F; NaN where it is chi-squared.
    p_value : float
    tau2 : str
        ``separate`` or ``common``.
    definition : str
        The test in words.
    """

    groups: dict[Hashable, Fit]
    overall: Fit
    q_between: float
    df: int
    df2: float
    p_value: float
    tau2: str
    definition: str

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per group and one for all studies."""
        import pandas as pd

        fits = {**self.groups, "all studies": self.overall}
        frame = pd.concat([fit.to_frame() for fit in fits.values()], ignore_index=True)
        frame.insert(0, "group", list(fits))
        return frame

    def summary(self) -> str:
        """Return the result as a statistician would print it."""
        width = max(len(str(name)) for name in [*self.groups, "all studies"])
        lines = []
        for name, fit in {**self.groups, "all studies": self.overall}.items():
            lines.append(
                f"{name!s:{width}s}  k = {fit.k}, {fit.estimate:.4f} "
                f"({100 * fit.level:g} % CI {fit.ci_low:.4f} to {fit.ci_high:.4f})"
            )
        if np.isnan(self.q_between):
            lines.append(f"no test of differences: {self.definition}")
        else:
            kind = f"Q({self.df})" if np.isnan(self.df2) else f"F({self.df}, {self.df2:g})"
            lines.append(
                f"differences: {kind} = {self.q_between:.2f}, {print_p(self.p_value)} "
                f"({self.definition})"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}: k={fit.k}" for name, fit in self.groups.items())
        return f"Subgroups({sizes}; differences p={self.p_value:.4g})"


def subgroups(
    yi: ArrayLike,
    vi: ArrayLike,
    groups: Sequence[Hashable] | ArrayLike,
    *,
    method: str = "REML",
    test: str = "adhoc",
    level: float = 0.95,
    tau2: str = "separate",
    differences: str = "wald",
) -> Subgroups:
    """Pool each subgroup and test whether the subgroups differ.

    Parameters
    ----------
    yi, vi : array_like, shape (k,)
        Effects and sampling variances.
    groups : sequence, shape (k,)
        Label of each study's subgroup; none may be missing.
    method, test, level
        As for :func:`headway.meta.pool`.
    tau2 : {"separate", "common"}
        Whether each subgroup has a between-study variance of its own or all share one, estimated
        within subgroups: better where they are small (fewer than five studies, Borenstein et al.),
        if they can be thought equally varied.
    differences : {"wald", "f"}
        Test of differences: as `test` has it, chi-squared for separate tau2, which finds too many
        differences with few studies; or an F test whatever the `test`.

    Returns
    -------
    Subgroups

    Raises
    ------
    ValueError
        Unknown `tau2` or `differences`; a common tau2 with fewer than two groups, with as many
        groups as studies or with ``test="kr"``; more than one dimension; as many labels as effects
        not given; missing labels, with their positions; or as :func:`headway.meta.pool`.

    Notes
    -----
    Borenstein et al. (2009), chapter 19. A common tau2 is that of the meta-regression on the
    groups, whose omnibus test is the test of differences; the groups' estimates, standard errors
    and degrees of freedom are its own, too. With separate ones, the test takes the standard
    errors the groups are reported with, so it uses the Hartung-Knapp errors where `test` does; a
    group of one study enters with its own error. The F test of separate tau2 is that of Welch
    (1951) on the group estimates, their standard errors having as many degrees of freedom as
    studies less one; there is none with a group of one. That of a common tau2 is the
    meta-regression's (Knapp and Hartung 2003), without a floor, which would find too few. See
    docs/coverage.md for the rates of false differences.
    """
    y, v = read_pair(yi, vi)
    labels = read_labels(groups, "groups", y.size)
    if tau2 not in ("separate", "common"):
        raise ValueError("tau2 must be 'separate' or 'common'")
    if differences not in ("wald", "f"):
        raise ValueError("differences must be 'wald' or 'f'")
    overall = pool(y, v, method=method, test=test, level=level)
    names: list[Hashable] = list(dict.fromkeys(labels))
    held = np.array([[label == name for label in labels] for name in names])
    if tau2 == "common":
        return _share_tau2(y, v, names, held, overall, differences)
    fits: dict[Hashable, Fit] = {
        name: pool(y[own], v[own], method=method, test=test, level=level)
        for name, own in zip(names, held, strict=True)
    }
    return _test_separate(fits, overall, differences)


def _test_separate(fits: dict[Hashable, Fit], overall: Fit, differences: str) -> Subgroups:
    """Test the differences of groups that have a tau2 each."""
    estimate = np.array([fit.estimate for fit in fits.values()])
    se = np.array([fit.se for fit in fits.values()])
    k = np.array([fit.k for fit in fits.values()])
    df = len(fits) - 1
    q = p = df2 = NAN
    words = f"chi-squared on {df} df over group estimates, tau2 and standard error of each group"
    # A Hartung-Knapp error of 0 (a group without spread) would weigh without bound: no test.
    if df <= 0:
        words = "there is one group only"
    elif not (se > 0).all():
        words = "a group has effects without spread, and with them a standard error of 0"
    elif differences == "f" and (k < 2).any():
        words = "a group of one study has no spread of its own: use a common tau2"
    else:
        w = 1 / se**2
        q = float((w * (estimate - (w * estimate).sum() / w.sum()) ** 2).sum())
        p = float(find_chi2_tail(np.array(q), np.array(float(df))))
        if differences == "f":
            off = float(((1 - w / w.sum()) ** 2 / (k - 1)).sum())
            g = len(fits)
            df2 = (g**2 - 1) / (3 * off)
            q = q / df / (1 + 2 * (g - 2) * off / (g**2 - 1))
            p = float(find_f_tail(np.array(q), np.array(float(df)), np.array(df2)))
            words = f"Welch's F on {df} and {df2:.3g} df over group estimates, tau2 of each group"
    return Subgroups(fits, overall, q, df, df2, p, "separate", words)


def _share_tau2(
    y: Array,
    v: Array,
    names: list[Hashable],
    held: NDArray[np.bool_],
    overall: Fit,
    differences: str,
) -> Subgroups:
    """Pool subgroups with one tau2, by meta-regression on their membership."""
    if len(names) < 2:
        raise ValueError("a common tau2 needs at least two groups")
    if len(names) >= y.size:
        raise ValueError("a common tau2 needs groups of more than one study")
    member = {str(i): own.astype(np.float64) for i, own in enumerate(held)}
    options: Any = {"method": overall.method, "test": overall.test, "level": overall.level}
    means = regress(y, v, build_design(member, intercept=False), **options)
    others = dict(list(member.items())[1:])
    tests = ("knha", "adhoc") if differences == "f" else (overall.test,)
    for test in tests:
        difference = regress(y, v, others, **{**options, "test": test})
        if not np.isnan(difference.qm_p_value):  # without spread Hartung-Knapp errors are 0
            break
    freedom = float(means.df)
    pi_se = np.sqrt(means.tau2 + means.se**2)
    reach = float(find_critical(overall.level, np.array(freedom))) * pi_se
    fits: dict[Hashable, Fit] = {}
    for i, (name, own) in enumerate(zip(names, held, strict=True)):
        alone = pool(y[own], v[own], **options)
        several = alone.k >= FEWEST and overall.method != "EE"
        fits[name] = replace(
            alone,
            estimate=float(means.estimate[i]),
            se=float(means.se[i]),
            ci_low=float(means.ci_low[i]),
            ci_high=float(means.ci_high[i]),
            pi_low=float(means.estimate[i] - reach[i]) if several else NAN,
            pi_high=float(means.estimate[i] + reach[i]) if several else NAN,
            pi_se=float(pi_se[i]) if several else NAN,
            pi_df=freedom if several else NAN,
            p_value=float(means.p_value[i]),
            statistic=float(means.statistic[i]),
            df=freedom,
            tau2=means.tau2,
            se_tau2=means.se_tau2,
            # Those of the group alone would belong to another tau2.
            i2=means.i2,
            h2=means.h2,
            log_likelihood=NAN,
            remark="note.of_all_groups",
            ci_code=means.ci_code,
            pi_code=describe_prediction(overall.method, overall.test, "default", len(names)),
        )
    kind = f"F on {difference.qm_df} and {difference.qm_df2:g} df"
    if np.isnan(difference.qm_df2):
        kind = f"chi-squared on {difference.qm_df} df"
    return Subgroups(
        fits,
        overall,
        float(difference.qm),
        difference.qm_df,
        float(difference.qm_df2),
        float(difference.qm_p_value),
        "common",
        f"{kind} of the meta-regression on the groups, one tau2 for all",
    )
