"""Sampling covariance of effects that share people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.effects.shared import describe_positions
from headway.meta.batch import number_labels, read_labels, read_numbers
from headway.meta.multilevel import read_covariance

Array = NDArray[np.float64]


def impute_covariance(vi: ArrayLike, clusters: Sequence[Any] | ArrayLike, rho: float) -> Array:
    """Return a covariance matrix with one correlation between all effects of a cluster.

    Parameters
    ----------
    vi : array_like, shape (k,)
        Sampling variances, > 0.
    clusters : sequence, shape (k,)
        Label of each effect's cluster: effects measured on the same people.
    rho : float
        Assumed correlation, in (−1, 1); vary it, and follow with cluster-robust inference.

    Raises
    ------
    ValueError
        Variances that are not finite and above 0; labels missing; `rho` that gives no covariance
        matrix.

    Notes
    -----
    The correlated part of the working model of Pustejovsky and Tipton (2022).
    """
    v = read_numbers(vi, "vi")
    if v.ndim != 1:
        raise ValueError(f"vi must have one dimension, not {v.ndim}")
    bad = ~(np.isfinite(v) & (v > 0))
    if bad.any():
        raise ValueError(f"vi must be finite and above 0: see {describe_positions(bad)}")
    if not -1 < rho < 1:
        raise ValueError("rho must lie between -1 and 1")
    number, _ = number_labels(read_labels(clusters, "clusters", v.size))
    matrix = np.where(number[:, None] == number, rho, 0.0) * np.sqrt(np.outer(v, v))
    matrix[np.diag_indices(v.size)] = v
    try:
        return read_covariance(matrix, v.size)
    except ValueError:
        raise ValueError("rho is too low for clusters of this size") from None


def share_control(
    vi: ArrayLike, v_control: ArrayLike, controls: Sequence[Any] | ArrayLike
) -> Array:
    """Return the covariance of differences that share a control arm.

    Parameters
    ----------
    vi : array_like, shape (k,)
        Sampling variances of the differences.
    v_control : array_like, shape (k,)
        The control arm's part of each: ``sd² / n`` for mean differences, ``1 / c − 1 / n`` for log
        risk ratios. Standardised mean differences: see :func:`share_control_smd`.
    controls : sequence, shape (k,)
        Label of each difference's control arm; no two trials may share one.

    Raises
    ------
    ValueError
        A control's part that is not above 0 or not below the whole; labels missing; parts of one
        arm that give no covariance matrix.

    Notes
    -----
    Gleser and Olkin (2009): the covariance of two differences from one arm is that arm's variance.
    """
    v, part = read_numbers(vi, "vi"), read_numbers(v_control, "v_control")
    if v.ndim != 1 or part.shape != v.shape:
        raise ValueError("vi and v_control must be one-dimensional, of one length")
    bad = ~((part > 0) & (part < v) & np.isfinite(v))
    if bad.any():
        raise ValueError(f"v_control must lie between 0 and vi: see {describe_positions(bad)}")
    number, _ = number_labels(read_labels(controls, "controls", v.size))
    matrix = np.where(number[:, None] == number, np.sqrt(np.outer(part, part)), 0.0)
    matrix[np.diag_indices(v.size)] = v
    return read_covariance(matrix, v.size)


def share_control_smd(
    yi: ArrayLike, n: ArrayLike, n_control: ArrayLike, controls: Sequence[Any] | ArrayLike
) -> Array:
    """Return the covariance of standardised mean differences that share a control arm.

    Parameters
    ----------
    yi : array_like, shape (k,)
        Standardised mean differences.
    n, n_control : array_like, shape (k,)
        People in the treated arm, and in the control arm that it is compared with.
    controls : sequence, shape (k,)
        Label of each difference's control arm.

    Returns
    -------
    ndarray, shape (k, k)
        With the variances on the diagonal; the SD is pooled over all arms of a trial.

    Raises
    ------
    ValueError
        Groups below 2; control arms of different size under one label; labels missing.

    Notes
    -----
    Gleser and Olkin (2009), equations 19.26 and 19.27: 1/n₀ + d_i d_j/(2N), N all people of the
    trial.
    """
    d, treated = read_numbers(yi, "yi"), read_numbers(n, "n")
    control = read_numbers(n_control, "n_control")
    if d.ndim != 1 or treated.shape != d.shape or control.shape != d.shape:
        raise ValueError("yi, n and n_control must be one-dimensional, of one length")
    bad = ~(np.isfinite(d) & (treated >= 2) & (control >= 2))
    if bad.any():
        raise ValueError(
            f"effects must be finite and groups at least 2: see {describe_positions(bad)}"
        )
    number, _ = number_labels(read_labels(controls, "controls", d.size))
    same = number[:, None] == number
    bad = (same & (control[:, None] != control)).any(axis=1)
    if bad.any():
        raise ValueError(f"one control arm has one size: see {describe_positions(bad)}")
    everyone = control + same @ treated
    shared = np.sqrt(np.outer(1 / control, 1 / control))
    shared = shared + np.outer(d, d) / (2 * np.sqrt(np.outer(everyone, everyone)))
    matrix = np.where(same, shared, 0.0)
    matrix[np.diag_indices(d.size)] += 1 / treated
    return read_covariance(matrix, d.size)
