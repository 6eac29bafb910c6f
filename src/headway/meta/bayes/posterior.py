"""The normal-normal random-effects model, Bayesian, by deterministic integration over tau."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headway.messages import Message, say_in_english
from headway.meta.batch import Batch, prepare_batch
from headway.meta.bayes.distributions import Distribution, Mixture, TauPosterior, find_shortest
from headway.meta.bayes.priors import Fixed, Flat, Normal, Prior
from headway.meta.bayes.quadrature import MOST_NODES, NODES, Grid, Model, build_grids
from headway.meta.distributions import check_level
from headway.meta.methods import describe_bayes, write

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Number = float | Array
Count = int | NDArray[np.int64]
SIDES = ("below", "above")
QUANTITIES = ("mu", "new", "tau")
# Nodes of all trials of a batch that are looked at together.
CHUNK = 400_000


@dataclass(frozen=True, slots=True)
class Summary:
    """A posterior in numbers, in the unit of the effects (tau as tau, not squared).

    Attributes
    ----------
    mean, median, sd : float
        Mean and standard deviation are NaN or infinite where the posterior has none: with two
        studies and a half-Cauchy prior, for instance.
    low, high : float
        Equal-tailed interval.
    short_low, short_high : float
        Shortest (highest-density) interval of a posterior with one peak; NaN for trials.
    """

    mean: Number
    median: Number
    sd: Number
    low: Number
    high: Number
    short_low: Number
    short_high: Number


@dataclass(frozen=True, slots=True)
class BayesFactor:
    """The evidence for a parameter being free over its being fixed.

    Attributes
    ----------
    bf10, log_bf10 : float
        How much more probable the data are with the parameter free under its prior than with the
        parameter fixed; its natural logarithm.
    null : Message
        What the data were held against, with the prior of what was free.
    """

    bf10: Number
    log_bf10: Number
    null: Message

    def __str__(self) -> str:
        return f"{say_in_english(self.null)}: {self.bf10:.4g}"


@dataclass(frozen=True, slots=True, repr=False)
class Posterior:
    """The posterior of one set of studies, or of a batch of them.

    Numbers are floats for one set and arrays of the leading shape for a batch; NaN for a set
    without studies.

    Attributes
    ----------
    k : int
        Studies.
    mu, tau, new : Summary
        Mean effect; between-study standard deviation; true effect of a new trial.
    trials : Summary
        True effect of each trial (shrunken), shape (..., k); NaN for studies not held.
    log_marginal : float
        Log marginal likelihood; NaN under the improper prior for mu, where it has no scale.
    error : float
        What the integration and that of half its nodes differ by, relative to the integral and to
        the spread; the result itself is closer.
    level : float
        Coverage of the intervals.
    tau_prior, mu_prior
        The priors.
    """

    k: Count
    mu: Summary
    tau: Summary
    new: Summary
    trials: Summary
    log_marginal: Number
    error: Number
    level: float
    tau_prior: Prior
    mu_prior: Normal | Flat
    _batch: Batch
    _model: Model
    _grids: tuple[Grid, ...]
    _sets: Indices

    def cdf(self, x: ArrayLike, of: str = "mu") -> Number:
        """Return the posterior probability of at most `x`.

        Parameters
        ----------
        x : float or array_like
            For a batch: of its leading shape, or one number for all.
        of : {"mu", "new", "tau"}
            Mean effect, a new trial's true effect, or the between-study standard deviation.

        Raises
        ------
        ValueError
            Unknown `of`, or a value that is NaN.
        """

        def ask(distribution: Distribution, x: Array) -> Array:
            return distribution.cdf(x)  # type: ignore[attr-defined]

        values = np.broadcast_to(np.asarray(x, dtype=np.float64), self._batch.shape)
        if of == "tau" and isinstance(self.tau_prior, Fixed):
            _check_values(values)
            return self._shape(np.where(self._held, values >= self.tau_prior.tau, np.nan))
        return self._shape(self._ask(ask, values.reshape(-1, 1), of, density=False))

    def density(self, x: ArrayLike, of: str = "mu") -> Array:
        """Return the posterior density at some values, for a plot.

        Parameters
        ----------
        x : array_like, shape (n,)
            Values, the same for all sets.
        of : {"mu", "new", "tau"}
            As for :meth:`cdf`; a known tau has no density.

        Returns
        -------
        ndarray, shape (..., n)
        """

        def ask(distribution: Distribution, x: Array) -> Array:
            return distribution.density(x)  # type: ignore[attr-defined]

        if of == "tau" and isinstance(self.tau_prior, Fixed):
            raise ValueError("a fixed tau has no density: give tau a prior")
        values = np.atleast_1d(np.asarray(x, dtype=np.float64))
        if values.ndim != 1:
            raise ValueError("x must have one dimension: the same values for all sets")
        columns = np.broadcast_to(values, (self._batch.k.size, values.size))
        found = self._ask(ask, columns, of, density=True)
        return found.reshape(*self._batch.shape, values.size)

    def density_of_trials(self, x: ArrayLike) -> Array:
        """Return the posterior density of each trial's true effect at some values.

        Returns
        -------
        ndarray, shape (..., k, n)
            NaN for studies not held.
        """
        values = np.atleast_1d(np.asarray(x, dtype=np.float64))
        studies, sets = self._batch.y.shape
        out = np.full((sets, studies, values.size), np.nan)
        root, centre = np.sqrt(self._batch.unit), self._batch.centre
        for grid in self._grids:
            where = self._sets[grid.sets]
            for study in range(studies):
                part = _shrink(self._model, grid, study)
                for at, value in enumerate(values):
                    found = part.density((value - centre[where]) / root[where]) / root[where]
                    out[where, study, at] = np.where(self._batch.held[study, where], found, np.nan)
        return out.reshape(*self._batch.shape, studies, values.size)

    def probability_beyond(
        self, threshold: ArrayLike, side: str = "below", of: str = "mu"
    ) -> Number:
        """Return the posterior probability beyond a threshold.

        Parameters
        ----------
        threshold : float or array_like
            In the unit of the effects: the smallest difference that matters, for instance.
        side : {"below", "above"}
            Which side of it counts; fewer headache days are "below".
        of : {"mu", "new", "tau"}
            As for :meth:`cdf`.

        Raises
        ------
        ValueError
            Unknown `side` or `of`, or a threshold that is NaN.
        """
        if side not in SIDES:
            raise ValueError("side must be 'below' or 'above'")
        below = self.cdf(threshold, of)
        return below if side == "below" else 1 - below

    def bayes_factor(self, of: str = "mu", at: float = 0.0) -> BayesFactor:
        """Return the Bayes factor of a parameter that is free over one that is known.

        Parameters
        ----------
        of : {"mu", "tau"}
            Mu = `at` against mu under its prior; tau = `at` against tau under its prior. The other
            parameter has its prior on both sides.
        at : float
            The known value.

        Raises
        ------
        ValueError
            An improper prior for mu: it has no scale, and so has the factor; a fixed tau.

        Notes
        -----
        Kass and Raftery (1995). Both marginal likelihoods are integrated, so that the factor holds
        far from the data, where the ratio of densities at the point would not.
        """
        if of not in ("mu", "tau"):
            raise ValueError("of must be 'mu' or 'tau'")
        if isinstance(self.mu_prior, Flat):
            raise ValueError(
                "a Bayes factor needs a proper prior for mu: mu=Normal(mean, sd), for instance "
                "Normal(0, 2) for log odds ratios"
            )
        if of == "tau" and isinstance(self.tau_prior, Fixed):
            raise ValueError("tau is fixed: give it a prior, for instance HalfNormal(scale)")
        if not np.isfinite(at) or (of == "tau" and at < 0):
            raise ValueError("at must be finite, and for tau not below 0")
        model = self._model
        if of == "mu":
            root, centre = model.root, model.batch.centre
            null = Model(model.batch, model.tau, (at - centre) / root, np.zeros(root.shape))
            id, free = "prior.factor_mu", self.mu_prior.describe()
        else:
            null = Model(model.batch, Fixed(at), model.mu_mean, model.mu_sd)
            id, free = "prior.factor_tau", self.tau_prior.describe()
        known = np.full(self._batch.k.size, np.nan)
        for grid in build_grids(null):
            known[self._sets[grid.sets]] = grid.log_marginal
        log_bf = self._log_marginal_in_unit() - known
        with np.errstate(over="ignore"):
            factor = np.exp(log_bf)
        text = Message(id, at=at, prior=free)
        return BayesFactor(self._shape(factor), self._shape(log_bf), text)

    def methods_text(self, outcome: str = "") -> str:
        """Return the sentences a paper needs on how this was computed, with references."""
        return write(describe_bayes(self, outcome))

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per set of studies, without the trials."""
        import pandas as pd

        columns: dict[str, Any] = {"k": np.ravel(self.k)}
        for name in QUANTITIES:
            summary = getattr(self, name)
            for field in fields(summary):
                columns[f"{name}_{field.name}"] = np.ravel(getattr(summary, field.name))
        columns |= {"log_marginal": np.ravel(self.log_marginal), "error": np.ravel(self.error)}
        frame = pd.DataFrame(columns)
        frame["level"] = self.level
        frame["tau_prior"] = say_in_english(self.tau_prior.describe())
        frame["mu_prior"] = say_in_english(self.mu_prior.describe())
        return frame

    def trials_to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row per trial of one set: its shrunken effect.

        Raises
        ------
        ValueError
            For a batch.
        """
        import pandas as pd

        if not isinstance(self.k, int):
            raise ValueError("trials_to_frame describes one set of studies, not a batch")
        held = np.flatnonzero(self._batch.held[:, 0])
        names = ("mean", "median", "sd", "low", "high")
        columns = {name: np.asarray(getattr(self.trials, name))[held] for name in names}
        return pd.DataFrame({"study": held, **columns})

    def summary(self) -> str:
        """Return the result as a statistician would print it."""
        if not isinstance(self.k, int):
            return f"{self!r}\nUse to_frame() for one row per set."
        percent = f"{100 * self.level:g} %"
        studies = "study" if self.k == 1 else "studies"
        lines = [
            f"Bayesian random-effects meta-analysis of {self.k} {studies}",
            f"prior of tau: {say_in_english(self.tau_prior.describe())}",
            f"prior of mu: {say_in_english(self.mu_prior.describe())}",
            "",
            f"      median    mean      sd        {percent} equal-tailed     {percent} shortest",
        ]
        for name in QUANTITIES:
            s = getattr(self, name)
            lines.append(
                f"{name:4}  {s.median:<8.4g}  {s.mean:<8.4g}  {s.sd:<8.4g}  "
                f"{f'{s.low:.4g} to {s.high:.4g}':21}  {s.short_low:.4g} to {s.short_high:.4g}"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        if not isinstance(self.k, int):
            return f"Posterior(batch of {np.shape(self.k)} sets of studies)"
        mu, tau = self.mu, self.tau
        return (
            f"Posterior(k={self.k}: {mu.median:.4g} [{mu.low:.4g}, {mu.high:.4g}], "
            f"tau {tau.median:.4g} [{tau.low:.4g}, {tau.high:.4g}])"
        )

    @property
    def _held(self) -> NDArray[np.bool_]:
        return self._batch.k.reshape(self._batch.shape) > 0

    def _shape(self, values: Array) -> Number:
        """Return values in the leading shape of the caller's arrays."""
        flat = np.asarray(values)
        return flat.reshape(self._batch.shape) if self._batch.shape else float(flat.reshape(-1)[0])

    def _log_marginal_in_unit(self) -> Array:
        out = np.full(self._batch.k.size, np.nan)
        for grid in self._grids:
            out[self._sets[grid.sets]] = grid.log_marginal
        return out

    def _ask(
        self, what: Callable[[Distribution, Array], Array], x: Array, of: str, density: bool
    ) -> Array:
        """Return what a distribution says at `x` (sets, values), which are in the unit of yi."""
        _check_quantity(of)
        _check_values(x)
        out = np.full(x.shape, np.nan)
        for grid in self._grids:
            where = self._sets[grid.sets]
            root = np.sqrt(self._batch.unit[where])
            centre = np.zeros(root.shape) if of == "tau" else self._batch.centre[where]
            distribution = _distribute(self._model.take(grid.sets), grid, of)
            for at in range(x.shape[1]):
                found = what(distribution, (x[where, at] - centre) / root)
                out[where, at] = found / root if density else found
        return out


def pool_bayes(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    tau: Prior,
    mu: Normal | Flat | None = None,
    level: float = 0.95,
    mask: ArrayLike | None = None,
    nodes: int = NODES,
) -> Posterior:
    """Pool effects in the Bayesian normal-normal random-effects model.

    Parameters
    ----------
    yi, vi : array_like, shape (..., k)
        Effects and sampling variances, as for :func:`headway.meta.pool`.
    tau : HalfNormal, HalfCauchy, Uniform, LogNormal, LogT or Fixed
        Prior of the between-study standard deviation, in the unit of `yi`. There is no default: a
        scale that is wide for log odds ratios says nothing of days.
    mu : Normal or Flat, optional
        Prior of the mean effect; improper and flat if not given.
    level : float
        Coverage of the intervals.
    mask : array_like of bool, shape (..., k), optional
        True where a study counts.
    nodes : int
        With how many nodes the integration begins; odd. Sets that need more get them.

    Returns
    -------
    Posterior

    Raises
    ------
    ValueError
        As :func:`headway.meta.pool`; something else than a prior.
    ArithmeticError
        Prior and data so far apart that rounding decides; in a batch such a set has no numbers
        (NaN), and an infinite `error`.

    Notes
    -----
    Röver (2020), whose model and closed forms given tau these are; the integration is another
    (:mod:`headway.meta.bayes.quadrature`).
    """
    level, mu = check_level(level), Flat() if mu is None else mu
    if nodes < 17 or nodes % 2 == 0 or nodes > MOST_NODES:
        raise ValueError(f"nodes must be odd, from 17 to {MOST_NODES}")
    batch = prepare_batch(yi, vi, mask)
    sets = np.flatnonzero(batch.k > 0)
    model = _build_model(batch.take(sets), tau, mu)
    grids = build_grids(model, nodes)
    if not batch.shape and not grids:
        raise ArithmeticError(
            "the prior of tau and the data are too far apart for the posterior to be computed: "
            "check that both have one unit"
        )
    flat = _Numbers(batch)
    for grid in grids:
        _summarise(flat, model.take(grid.sets), grid, sets[grid.sets], level)
    flat.log_marginal[sets] -= model.batch.k * np.log(model.root)
    if isinstance(mu, Flat):
        flat.log_marginal[:] = np.nan
    shape = batch.shape
    return Posterior(
        k=batch.k.reshape(shape) if shape else int(batch.k[0]),
        mu=flat.shape("mu"),
        tau=flat.shape("tau"),
        new=flat.shape("new"),
        trials=flat.shape_trials(),
        log_marginal=flat.log_marginal.reshape(shape) if shape else float(flat.log_marginal[0]),
        error=flat.error.reshape(shape) if shape else float(flat.error[0]),
        level=level,
        tau_prior=tau,
        mu_prior=mu,
        _batch=batch,
        _model=model,
        _grids=tuple(grids),
        _sets=sets,
    )


def _build_model(held: Batch, tau: Prior, mu: Normal | Flat) -> Model:
    """Return sets of at least one study with their priors, in the unit of their batch."""
    if not isinstance(tau, Prior):
        raise ValueError("tau must be a prior, for instance HalfNormal(0.5)")
    if not isinstance(mu, Normal | Flat):
        raise ValueError("mu must be Normal(mean, sd) or Flat()")
    root = np.sqrt(held.unit)
    if isinstance(mu, Flat):
        return Model(held, tau, np.zeros(root.shape), np.full(root.shape, np.inf))
    return Model(held, tau, (mu.mean - held.centre) / root, mu.sd / root)


class _Numbers:
    """The numbers of all sets while they are computed."""

    def __init__(self, batch: Batch) -> None:
        studies, sets = batch.y.shape
        names = [field.name for field in fields(Summary)]
        self.leading, self.studies = batch.shape, studies
        self.of = {q: {n: np.full(sets, np.nan) for n in names} for q in QUANTITIES}
        self.trials = {n: np.full((sets, studies), np.nan) for n in names}
        self.log_marginal = np.full(sets, np.nan)
        self.error = np.where(batch.k > 0, np.inf, np.nan)  # until a set is settled

    def shape(self, quantity: str) -> Summary:
        """Return a summary in the caller's shape."""
        columns = self.of[quantity]
        if not self.leading:
            return Summary(**{name: float(column[0]) for name, column in columns.items()})
        return Summary(**{n: column.reshape(self.leading) for n, column in columns.items()})

    def shape_trials(self) -> Summary:
        """Return the trials' summary in the caller's shape."""
        shape = (*self.leading, self.studies)
        return Summary(**{n: column.reshape(shape) for n, column in self.trials.items()})


def _check_values(x: Array) -> None:
    if np.isnan(x).any():
        raise ValueError("x must not be NaN")


def _check_quantity(of: str) -> None:
    if of not in QUANTITIES:
        raise ValueError(f"of must be one of {list(QUANTITIES)}, not {of!r}")


def _distribute(model: Model, grid: Grid, of: str) -> Distribution:
    """Return the posterior of one quantity for the sets of a grid, `model` holding these alone."""
    if of == "mu":
        return Mixture(grid.p, grid.mean, grid.sd)
    if of == "new":
        return Mixture(grid.p, grid.mean, np.hypot(grid.sd, grid.tau))
    return TauPosterior(model, grid, grid.cumulate())


def _shrink(model: Model, grid: Grid, study: int) -> Mixture:
    """Return the posterior of one trial's true effect; `model` holds all sets."""
    y = model.batch.y[study, grid.sets][:, None]
    v = model.batch.v[study, grid.sets][:, None]
    held = np.isfinite(v)
    v = np.where(held, v, 1.0)
    towards = v / (v + grid.tau**2)
    mean = y + towards * (grid.mean - y)
    # v tau²/(v + tau²), which tau² beyond all bounds must leave at v.
    own = v * (1 - towards)
    return Mixture(grid.p, mean, np.sqrt(own + (towards * grid.sd) ** 2))


def _summarise(flat: _Numbers, model: Model, grid: Grid, sets: Indices, level: float) -> None:
    """Fill in the numbers of the sets of a grid."""
    flat.log_marginal[sets], flat.error[sets] = grid.log_marginal, grid.error
    root, centre = model.root, model.batch.centre
    chunk = max(CHUNK // grid.nodes, 1)
    for start in range(0, sets.size, chunk):
        rows = np.arange(start, min(start + chunk, sets.size))
        part = grid.take(rows)
        own = model.take(rows)
        for quantity in QUANTITIES:
            offset = np.zeros(rows.size) if quantity == "tau" else centre[rows]
            values = _describe(own, part, quantity, level)
            _place(flat.of[quantity], sets[rows], values, offset, root[rows])
        inner = replace(part, sets=rows)
        for study in range(model.batch.y.shape[0]):
            mixture = _shrink(model, inner, study)
            keep = np.flatnonzero(model.batch.held[study, rows])
            if keep.size:
                values = _describe_mixture(mixture.take(keep), level)
                columns = {name: column[:, study] for name, column in flat.trials.items()}
                where = rows[keep]
                _place(columns, sets[where], values, centre[where], root[where])


def _place(
    columns: dict[str, Array], sets: Indices, values: dict[str, Array], offset: Array, root: Array
) -> None:
    """Write values in the unit of the effects where they belong."""
    for name, value in values.items():
        columns[name][sets] = value * root + (0 if name == "sd" else offset)


def _describe_mixture(mixture: Mixture, level: float) -> dict[str, Array]:
    mean, sd = mixture.moments()
    out = {"mean": mean, "sd": sd}
    ones = np.ones(mean.size)
    for name, p in (("low", (1 - level) / 2), ("median", 0.5), ("high", (1 + level) / 2)):
        out[name] = mixture.quantile(p * ones)
    return out


def _describe(model: Model, grid: Grid, quantity: str, level: float) -> dict[str, Array]:
    """Return the numbers of one quantity, in the unit and from the centre of the batch."""
    ones = np.ones(grid.sets.size)
    if quantity == "tau" and isinstance(model.tau, Fixed):
        known = grid.tau[:, 0]
        names = ("mean", "median", "low", "high", "short_low", "short_high")
        return {**dict.fromkeys(names, known), "sd": 0 * known}
    distribution = _distribute(model, grid, quantity)
    if isinstance(distribution, Mixture):
        out = _describe_mixture(distribution, level)
        ends = (-np.inf * ones, np.inf * ones)
    else:
        assert isinstance(distribution, TauPosterior)
        mean, sd = distribution.moments()
        out = {"mean": mean, "sd": sd}
        for name, p in (("low", (1 - level) / 2), ("median", 0.5), ("high", (1 + level) / 2)):
            out[name] = distribution.quantile(p * ones)
        ends = (0 * ones, model.tau.upper / model.root)  # type: ignore[union-attr]
    out["short_low"], out["short_high"] = find_shortest(distribution, level, *ends)
    if not isinstance(model.tau, Fixed):
        _drop_moments(out, model, quantity)
    return out


def _drop_moments(out: dict[str, Array], model: Model, quantity: str) -> None:
    """Take back moments that do not exist: no number of nodes would settle them.

    Given tau the spread of a new trial is tau, and so is that of mu under the improper prior, while
    a proper prior bounds mu.
    """
    assert not isinstance(model.tau, Fixed)
    first = model.tau.has_moment(1, model.power)
    second = model.tau.has_moment(2, model.power)
    bounded = np.isfinite(model.mu_sd) & (quantity == "mu")
    nothing = np.inf if quantity == "tau" else np.nan
    out["mean"] = np.where(first | bounded, out["mean"], nothing)
    out["sd"] = np.where(second | bounded, out["sd"], np.inf)
