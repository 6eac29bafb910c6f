"""Bayesian pooling: closed forms, another integration, a published analysis, calibration."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from headway import meta
from headway.messages import say, speaking
from headway.meta import bayes

# Six trials: log odds ratios of acute rejection. Counts: Crins et al., Pediatr Transplant
# 2014;18:839-850; as in Roever, J Stat Softw 2020;93(6), table 3.
EVENTS = np.array([14, 16, 3, 9, 4, 0]), np.array([61, 28, 18, 54, 36, 50])
CONTROLS = np.array([15, 19, 8, 29, 11, 3]), np.array([20, 28, 12, 54, 36, 34])
SCHOOLS = (
    np.array([28.39, 7.94, -2.75, 6.82, -0.64, 0.63, 18.01, 12.16]),
    np.array([14.9, 10.2, 16.3, 11.0, 9.4, 11.4, 10.4, 17.6]) ** 2,
)
# bayesmeta gives its posterior on a grid of its own; it lies this far from the exact one.
BAYESMETA = 2e-3
PARTS = ("mean", "median", "sd", "low", "high", "short_low", "short_high")


def read_crins() -> tuple[np.ndarray, np.ndarray]:
    """Log odds ratios; the trial without events gets halves."""
    (a, n1), (c, n2) = EVENTS, CONTROLS
    add = 0.5 * (a == 0)
    a, b, c, d = a + add, n1 - a + add, c + add, n2 - c + add
    return np.log(a * d / (b * c)), 1 / a + 1 / b + 1 / c + 1 / d


DATA: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "schools": SCHOOLS,
    "crins": read_crins(),
    "two": (np.array([-3.1, 1.2]), np.array([0.4, 1.9])),
    "one": (np.array([0.7]), np.array([0.2])),
    "one precise trial": (np.array([0.0, 2.0, 2.2, -1.0]), np.array([1e-5, 1.0, 0.8, 2.0])),
    "apart": (np.array([-8.0, -7.5, 8.0, 7.7]), np.array([0.05, 0.1, 0.02, 0.3])),
}
# Name -> prior, and the density of tau written out anew.
PRIORS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "half-normal": (bayes.HalfNormal(0.8), stats.halfnorm(scale=0.8).pdf),
    "half-Cauchy": (bayes.HalfCauchy(2.0), stats.halfcauchy(scale=2.0).pdf),
    "uniform": (bayes.Uniform(6.0), stats.uniform(0, 6.0).pdf),
    "log-normal": (
        bayes.LogNormal(-2.56, 1.74),
        lambda t: stats.norm(-2.56, 1.74).pdf(2 * np.log(t)) * 2 / t,
    ),
    "log-t": (
        bayes.LogT(-3.44, 2.59),
        lambda t: stats.t(5, -3.44, 2.59).pdf(2 * np.log(t)) * 2 / t,
    ),
}
MUS = {"flat": None, "normal": bayes.Normal(0.5, 1.5)}


class Reference:
    """The same posterior by Gauss-Legendre panels over log(tau), from the covariance of y.

    Independent of the engine: the likelihood by Cholesky factors of y's covariance (of its
    differences from the first trial where mu is flat), the axis cut into 340 pieces.
    """

    def __init__(self, y: np.ndarray, v: np.ndarray, prior: Callable[[Any], Any], mu: Any):
        self.y, self.v, self.prior, self.mu = y, v, prior, mu
        self.t, self.weight = self.lay_out(50.0)
        logs = self.log_likelihood(self.t)
        self.peak = logs.max()
        self.p = self.weight * np.exp(logs - self.peak)
        self.total = self.p.sum()
        weights = 1 / (v + self.t[:, None] ** 2)
        prior_mean, prior_precision = (0.0, 0.0) if mu is None else (mu.mean, mu.sd**-2)
        precision = weights.sum(axis=1) + prior_precision
        self.mean = (weights @ y + prior_mean * prior_precision) / precision
        self.sd = precision**-0.5

    def lay_out(self, end: float) -> tuple[np.ndarray, np.ndarray]:
        """Nodes of tau up to exp(end), and their weights with the prior."""
        edges = np.union1d(np.arange(-120, min(end, 50), 0.5), [min(end, math.log(6.0)), end])
        x, w = np.polynomial.legendre.leggauss(16)
        half = np.diff(edges) / 2
        u = (edges[:-1, None] + half[:, None] * (x + 1)).ravel()
        t = np.exp(u)
        return t, (half[:, None] * w).ravel() * t * self.prior(t)

    def log_likelihood(self, t: np.ndarray) -> np.ndarray:
        k = len(self.y)
        cov = np.einsum("ij,n->nij", np.eye(k), t**2) + np.diag(self.v)
        if self.mu is None:
            contrasts = np.eye(k)[1:] - np.eye(k)[0]
            residual, cov = contrasts @ self.y, contrasts @ cov @ contrasts.T
        else:
            residual, cov = self.y - self.mu.mean, cov + self.mu.sd**2
        root = np.linalg.cholesky(cov)
        white = np.linalg.solve(
            root, np.broadcast_to(residual[:, None], (t.size, len(residual), 1))
        )
        logs = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        squares = (white**2).sum(axis=(1, 2))
        return -0.5 * squares - logs - len(residual) / 2 * math.log(2 * math.pi)

    def expect(self, values: np.ndarray) -> float:
        return float(self.p @ values / self.total)

    def below(self, q: float, spread: np.ndarray | float) -> float:
        """Probability that mu, with `spread` added, is at most q."""
        return self.expect(stats.norm.cdf((q - self.mean) / np.hypot(self.sd, spread)))

    def tau_below(self, q: float) -> float:
        t, weight = self.lay_out(math.log(q))
        return float(weight @ np.exp(self.log_likelihood(t) - self.peak) / self.total)


@pytest.mark.parametrize("mu", MUS)
@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("data", DATA)
def test_another_integration_finds_the_same(data: str, prior: str, mu: str) -> None:
    y, v = DATA[data]
    tau_prior, density = PRIORS[prior]
    fit = bayes.pool_bayes(y, v, tau=tau_prior, mu=MUS[mu])
    other = Reference(y, v, density, MUS[mu])
    for s, spread in ((fit.mu, 0.0), (fit.new, other.t)):
        for q, p in ((s.low, 0.025), (s.median, 0.5), (s.high, 0.975)):
            assert other.below(q, spread) == pytest.approx(p, abs=1e-6)
        held = other.below(s.short_high, spread) - other.below(s.short_low, spread)
        assert held == pytest.approx(0.95, abs=1e-6)
    for q, p in ((fit.tau.low, 0.025), (fit.tau.median, 0.5), (fit.tau.high, 0.975)):
        assert other.tau_below(q) == pytest.approx(p, abs=1e-6)
    if math.isfinite(fit.mu.sd):
        mean = other.expect(other.mean)
        sd = math.sqrt(other.expect((other.mean - mean) ** 2 + other.sd**2))
        assert fit.mu.mean == pytest.approx(mean, abs=1e-6)
        assert fit.mu.sd == pytest.approx(sd, rel=1e-6)
        assert fit.tau.mean == pytest.approx(other.expect(other.t), rel=1e-6)
    if mu == "normal":
        log_marginal = math.log(other.total) + other.peak
        assert fit.log_marginal == pytest.approx(log_marginal, abs=1e-6)
    else:
        assert math.isnan(fit.log_marginal)


@pytest.mark.parametrize("data", DATA)
def test_a_known_tau_has_the_closed_form(data: str) -> None:
    y, v = DATA[data]
    t, prior = 0.9, bayes.Normal(0.5, 1.5)
    weights = 1 / (v + t**2)
    precision = weights.sum() + 1.5**-2
    mean, sd = (weights @ y + 0.5 * 1.5**-2) / precision, precision**-0.5
    fit = bayes.pool_bayes(y, v, tau=bayes.Fixed(t), mu=prior)
    z = 1.959963984540054
    expected = (mean, mean, sd, mean - z * sd, mean + z * sd, mean - z * sd, mean + z * sd)
    for name, value in zip(PARTS, expected, strict=True):
        assert getattr(fit.mu, name) == pytest.approx(value, rel=1e-9), name
    assert fit.new.sd == pytest.approx(math.hypot(sd, t), rel=1e-12)
    assert fit.tau.low == fit.tau.high == pytest.approx(t, rel=1e-15)
    joint = stats.multivariate_normal(np.full(len(y), 0.5), np.diag(v + t**2) + 1.5**2)
    assert fit.log_marginal == pytest.approx(joint.logpdf(y), rel=1e-9)
    # Each trial's effect: the joint normal of (theta_i, y).
    cov = np.diag(np.full(len(y), t**2)) + 1.5**2
    gain = cov @ np.linalg.inv(cov + np.diag(v))
    assert fit.trials.mean == pytest.approx(0.5 + gain @ (y - 0.5), rel=1e-8, abs=1e-9)
    assert fit.trials.sd == pytest.approx(np.sqrt(np.diag(cov - gain @ cov)), rel=1e-7)


def test_tau_known_as_zero_is_the_common_effect_model() -> None:
    y, v = SCHOOLS
    fit, common = (
        bayes.pool_bayes(y, v, tau=bayes.Fixed(0.0)),
        meta.pool(y, v, method="EE", test="z"),
    )
    assert fit.mu.mean == pytest.approx(common.estimate, rel=1e-12)
    assert (fit.mu.low, fit.new.high) == pytest.approx((common.ci_low, common.ci_high), rel=1e-9)
    assert fit.trials.mean == pytest.approx(np.full(8, common.estimate), rel=1e-12)


@pytest.mark.parametrize("prior", PRIORS)
def test_one_trial_says_nothing_of_tau_under_a_flat_mu(prior: str) -> None:
    tau, density = PRIORS[prior]
    fit = bayes.pool_bayes([0.7], [0.2], tau=tau)
    for p, found in ((0.025, fit.tau.low), (0.5, fit.tau.median), (0.975, fit.tau.high)):
        assert found == pytest.approx(tau.quantile(p), rel=1e-7)
        assert fit.density([found], "tau")[0] == pytest.approx(density(found), rel=1e-7)
    # With mu flat the trial's own effect is what it printed.
    assert (fit.trials.mean[0], fit.trials.sd[0]) == pytest.approx((0.7, math.sqrt(0.2)), rel=1e-9)


def test_the_published_analysis_of_six_trials() -> None:
    """Roever, J Stat Softw 2020;93(6): pages 22, 23 and 28. Its intervals are shortest ones."""
    y, v = read_crins()
    fit = bayes.pool_bayes(y, v, tau=bayes.HalfNormal(0.5), mu=bayes.Normal(0, 4))

    def near(*values: float) -> Any:
        return pytest.approx(values, abs=BAYESMETA)

    def read(s: Any) -> tuple[float, ...]:
        return s.median, s.mean, s.sd, s.short_low, s.short_high

    assert read(fit.tau) == near(0.3445023, 0.3810562, 0.2593672, 0.0, 0.8607193)
    assert read(fit.mu) == near(-1.5734819, -1.5764365, 0.3295301, -2.2311251, -0.9263075)
    assert read(fit.new) == near(-1.5701653, -1.5764365, 0.5671855, -2.7661319, -0.4072970)
    trials = fit.trials
    assert (trials.median[0], trials.mean[0], trials.sd[0]) == near(-1.7411356, -1.7778965, 0.42294)
    assert (trials.median[1], trials.mean[1], trials.sd[1]) == near(-1.2821722, -1.2339736, 0.44888)


def test_the_published_analysis_of_eight_schools() -> None:
    """bayesmeta 3.4, introduction: half-Cauchy with scale 25, mu normal with sd 50."""
    fit = bayes.pool_bayes(*SCHOOLS, tau=bayes.HalfCauchy(25), mu=bayes.Normal(0, 50))
    width = BAYESMETA * 10
    assert fit.mu.median == pytest.approx(7.962961, abs=width)
    assert fit.mu.sd == pytest.approx(4.995762, abs=width)
    assert (fit.tau.median, fit.tau.mean) == pytest.approx((4.758539, 5.884511), abs=width)
    assert (fit.tau.low, fit.tau.high) == pytest.approx((0.2199559, 18.0531718), abs=width)
    assert (fit.tau.short_low, fit.tau.short_high) == pytest.approx((0.0, 15.16589), abs=width)
    assert fit.probability_beyond(0, "above") == pytest.approx(0.9487521, abs=1e-4)
    assert fit.trials.mean[[0, 6, 7]] == pytest.approx([11.095255, 10.336032, 8.474644], abs=width)


@pytest.mark.parametrize("mu", MUS)
@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("data", DATA)
def test_twice_the_nodes_change_nothing(data: str, prior: str, mu: str) -> None:
    y, v = DATA[data]
    few = bayes.pool_bayes(y, v, tau=PRIORS[prior][0], mu=MUS[mu])
    many = bayes.pool_bayes(y, v, tau=PRIORS[prior][0], mu=MUS[mu], nodes=1025)
    assert few.error < 1e-8
    for quantity in ("mu", "tau", "new", "trials"):
        a, b = getattr(few, quantity), getattr(many, quantity)
        width = np.max(np.asarray(b.high) - b.low)
        for name in PARTS:
            expected = pytest.approx(getattr(b, name), rel=1e-9, abs=1e-6 * width, nan_ok=True)
            assert getattr(a, name) == expected, (quantity, name)


@pytest.mark.parametrize("prior", ["half-Cauchy", "log-t"])
def test_a_moment_that_does_not_exist_is_no_number(prior: str) -> None:
    """Tau's density falls as 1/tau² times the likelihood, which falls as 1/tau^(k-1)."""
    tau = PRIORS[prior][0]
    one, two, three = (bayes.pool_bayes([0.1, 0.9, 0.3][:k], [0.2] * k, tau=tau) for k in (1, 2, 3))
    assert one.tau.mean == math.inf and math.isnan(one.mu.mean) and one.mu.sd == math.inf
    assert math.isfinite(two.tau.mean) and two.tau.sd == two.mu.sd == two.new.sd == math.inf
    assert math.isfinite(three.tau.sd) and math.isfinite(three.new.sd)
    # A proper prior bounds mu, but not a new trial.
    proper = bayes.pool_bayes([0.1], [0.2], tau=tau, mu=bayes.Normal(0, 1))
    assert proper.mu.sd < 1 and proper.new.sd == math.inf


@pytest.mark.parametrize("prior", PRIORS)
def test_bayes_factors_are_ratios_of_integrals(prior: str) -> None:
    y, v = DATA["crins"]
    mu = bayes.Normal(0.5, 1.5)
    tau, density = PRIORS[prior]
    fit = bayes.pool_bayes(y, v, tau=tau, mu=mu)
    # Savage and Dickey: the density at the point before and after the data.
    before, after = stats.norm(0.5, 1.5).pdf(-1.0), fit.density([-1.0])[0]
    assert fit.bayes_factor("mu", at=-1.0).bf10 == pytest.approx(before / after, rel=1e-6)
    joint = stats.multivariate_normal(np.full(6, 0.5), np.diag(v) + 1.5**2)
    factor = fit.bayes_factor("tau")
    assert factor.log_bf10 == pytest.approx(fit.log_marginal - joint.logpdf(y), abs=1e-9)
    if prior in ("half-normal", "half-Cauchy", "uniform"):
        assert factor.bf10 == pytest.approx(density(0.0) / fit.density([0.0], "tau")[0], rel=1e-6)
    assert "Bayes factor of tau free" in str(factor)
    with speaking("de"):
        assert "a priori" in say(factor.null)


def test_a_bayes_factor_far_from_the_data_has_its_digits() -> None:
    y, v = np.array([40.0, 41.0]), np.array([0.1, 0.1])
    fit = bayes.pool_bayes(y, v, tau=bayes.HalfNormal(0.5), mu=bayes.Normal(0, 20))
    other = Reference(y, v, stats.halfnorm(scale=0.5).pdf, bayes.Normal(0, 1e-9))
    known = math.log(other.total) + other.peak
    assert fit.bayes_factor("mu").log_bf10 == pytest.approx(fit.log_marginal - known, rel=1e-6)


def test_probabilities_lie_beyond_a_threshold() -> None:
    fit = bayes.pool_bayes(*SCHOOLS, tau=bayes.HalfNormal(10))
    for of in ("mu", "new", "tau"):
        summary = getattr(fit, of)
        assert fit.probability_beyond(summary.low, of=of) == pytest.approx(0.025, abs=1e-9)
        assert fit.probability_beyond(summary.high, "above", of) == pytest.approx(0.025, abs=1e-9)
        x = np.linspace(summary.low, summary.high, 2001)
        assert integrate.simpson(fit.density(x, of), x=x) == pytest.approx(0.95, abs=1e-8)
    x = np.linspace(-60, 80, 2001)
    shares = integrate.simpson(fit.density_of_trials(x), x=x)
    assert shares == pytest.approx(np.ones(8), abs=1e-6)
    known = bayes.pool_bayes(*SCHOOLS, tau=bayes.Fixed(3.0))
    assert (known.cdf(2.9, "tau"), known.cdf(3.0, "tau")) == (0.0, 1.0)
    assert fit.cdf(-1.0, "tau") == 0.0


def test_shortest_intervals_are_shorter_and_as_dense_at_both_ends() -> None:
    rng = np.random.default_rng(8)
    y, v = rng.normal(0, 1, (40, 6)), rng.uniform(0.1, 0.5, (40, 6))
    for tau in (bayes.HalfNormal(1.0), bayes.LogNormal(-1.0, 1.0), bayes.Uniform(0.6)):
        fit = bayes.pool_bayes(y, v, tau=tau, level=0.8)
        for of in ("mu", "new", "tau"):
            s = getattr(fit, of)
            assert (s.short_high - s.short_low <= (s.high - s.low) * (1 + 1e-9)).all()
            held = fit.cdf(s.short_high, of) - fit.cdf(s.short_low, of)
            assert held == pytest.approx(np.full(40, 0.8), abs=1e-8)
            for i in range(40):
                low, high = fit.density([s.short_low[i], s.short_high[i]], of)[i]
                if s.short_low[i] == 0:
                    assert low >= high
                elif of == "tau" and s.short_high[i] == getattr(tau, "bound", None):
                    assert low <= high * (1 + 1e-6)
                else:
                    assert low == pytest.approx(high, rel=1e-6)


def test_ranks_of_true_values_are_uniform() -> None:
    """Simulation-based calibration: truth from the priors, data from the truth."""
    rng = np.random.default_rng(20261130)
    sets, k = 2000, 5
    tau = np.abs(rng.normal(0, 0.5, sets))
    mu = rng.normal(0.2, 0.8, sets)
    v = rng.uniform(0.02, 0.6, (sets, k))
    theta = rng.normal(mu[:, None], tau[:, None], (sets, k))
    y = rng.normal(theta, np.sqrt(v))
    new = rng.normal(mu, tau)
    held = rng.random((sets, k)) < 0.8
    held[:, 0] = True
    prior = {"tau": bayes.HalfNormal(0.5), "mu": bayes.Normal(0.2, 0.8)}
    fit = bayes.pool_bayes(y, v, mask=held, **prior)
    for of, truth in (("mu", mu), ("tau", tau), ("new", new)):
        counts = np.histogram(fit.cdf(truth, of), bins=20, range=(0, 1))[0]
        assert counts.sum() == sets
        assert stats.chisquare(counts).pvalue > 0.001, of
    inside = (theta > fit.trials.low) & (theta < fit.trials.high)
    assert inside[held].mean() == pytest.approx(0.95, abs=0.01)
    # A prior that is wrong by a factor of 4 is found out.
    wrong = bayes.pool_bayes(y, v, mask=held, tau=bayes.HalfNormal(2.0), mu=prior["mu"])
    counts = np.histogram(wrong.cdf(tau, "tau"), bins=20, range=(0, 1))[0]
    assert stats.chisquare(counts).pvalue < 1e-6


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_extremes_have_numbers() -> None:
    rng = np.random.default_rng(3)
    large = rng.normal(0.3, 0.5, 1000), rng.uniform(0.01, 0.1, 1000)
    for name, (y, v) in {
        "two, far apart": (np.array([-1e6, 1e6]), np.array([1.0, 1.0])),
        "two, equal": (np.array([0.3, 0.3]), np.array([0.1, 0.2])),
        "variances next to nothing": (np.array([0.1, 0.2, 0.4]), np.full(3, 1e-18)),
        "a thousand": large,
        "of every size": (np.array([0.0, 1.0, 5.0, 30.0]), np.array([1e-8, 1.0, 1e4, 1e8])),
    }.items():
        for tau in (bayes.HalfNormal(0.5), bayes.HalfCauchy(10.0), bayes.LogT(-3.4, 2.6)):
            fit = bayes.pool_bayes(y, v, tau=tau)
            for s in (fit.mu, fit.tau, fit.new):
                assert s.low < s.median < s.high, name
                assert s.short_high - s.short_low <= (s.high - s.low) * (1 + 1e-6), name
            assert np.isfinite(fit.trials.mean).all(), name
    y, v = large
    fit, classic = bayes.pool_bayes(y, v, tau=bayes.Uniform(50.0)), meta.pool(y, v, test="z")
    assert fit.mu.median == pytest.approx(classic.estimate, abs=1e-3)
    assert fit.tau.median == pytest.approx(math.sqrt(classic.tau2), abs=5e-3)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_prior_in_another_unit_than_the_data_stops_one_set_only() -> None:
    y, v = np.array([[-1e9, 1e9], [0.1, 0.3]]), np.full((2, 2), 1e-4)
    tau = bayes.HalfNormal(1e-6)
    with pytest.raises(ArithmeticError, match="one unit"):
        bayes.pool_bayes(y[0], v[0], tau=tau)
    both = bayes.pool_bayes(y, v, tau=tau)
    assert np.isnan(both.mu.mean[0]) and both.error[0] == math.inf
    assert both.mu.mean[1] == pytest.approx(0.2, abs=1e-12) and both.error[1] < 1e-8


def test_published_priors_are_those_of_their_tables() -> None:
    """As transcribed in bayesmeta 3.4, of Turner et al. 2015 (table IV), Rhodes et al. 2015 (3)."""
    assert bayes.turner() == bayes.LogNormal(-2.56, 1.74, "Turner et al. 2015")
    pain = bayes.turner("pain", "non-pharmacological v control")
    assert (pain.mean, pain.sd) == (-2.05, 1.71)
    assert {len(row) for row in bayes.TURNER.values()} == {5} and len(bayes.TURNER) == 16
    assert {len(row) for row in bayes.RHODES.values()} == {3} and len(bayes.RHODES) == 8
    general = bayes.rhodes()
    assert (general.location, general.scale) == (-3.44, 2.59)
    # Tau is a standard deviation: it has the unit of the outcome.
    for p in (0.1, 0.5, 0.9):
        days = bayes.rhodes(measure="MD", sd=4.5)
        assert days.quantile(p) == pytest.approx(4.5 * general.quantile(p), rel=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bayes.rhodes(measure="MD"), "sd=4.5"),
        (lambda: bayes.rhodes(sd=2.0), "leave sd out"),
        (lambda: bayes.rhodes(measure="MD", sd=-1.0), "above 0"),
        (lambda: bayes.rhodes(measure="OR"), "SMD"),
        (lambda: bayes.rhodes("mental health", "non-pharmacological"), "could not be verified"),
        (lambda: bayes.turner("joy", "pharmacological v control"), "outcome must be"),
        (lambda: bayes.turner("pain", "homeopathy"), "comparison must be"),
        (lambda: bayes.HalfNormal(0.0), "above 0"),
        (lambda: bayes.HalfCauchy(math.inf), "finite"),
        (lambda: bayes.Uniform(-1.0), "above 0"),
        (lambda: bayes.LogNormal(math.nan, 1.0), "finite"),
        (lambda: bayes.LogT(0.0, 0.0), "above 0"),
        (lambda: bayes.Fixed(-0.1), "at least 0"),
        (lambda: bayes.Normal(0.0, 0.0), "above 0"),
        (lambda: bayes.pool_bayes([1.0], [1.0], tau=0.5), "HalfNormal"),  # type: ignore[arg-type]
        (lambda: fit_schools(mu=3.0), "Normal"),
        (lambda: fit_schools(nodes=18), "odd"),
        (lambda: fit_schools(level=95), "between 0 and 1"),
        (lambda: fit_schools().bayes_factor("mu"), r"mu=Normal\(mean, sd\)"),
        (lambda: fit_schools().bayes_factor("tau"), r"mu=Normal\(mean, sd\)"),
        (lambda: fit_schools().bayes_factor("theta"), "'mu' or 'tau'"),
        (lambda: fit_schools().cdf(0.0, "theta"), "of must be"),
        (lambda: fit_schools().cdf(math.nan), "NaN"),
        (lambda: bayes.pool_bayes(*SCHOOLS, tau=bayes.Fixed(3.0)).cdf(math.nan, "tau"), "NaN"),
        (lambda: fit_schools(nodes=8193), "from 17 to 4097"),
        (lambda: fit_schools().probability_beyond(0.0, "left"), "side"),
        (lambda: fit_schools().density([[0.0]]), "one dimension"),
        (lambda: bayes.compare_priors(*SCHOOLS, []), "at least one"),
        (lambda: bayes.pool_bayes([1.0], [0.0], tau=bayes.HalfNormal(1)), "vi must be"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_cure(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def fit_schools(**other: Any) -> bayes.Posterior:
    return bayes.pool_bayes(*SCHOOLS, tau=bayes.HalfNormal(10), **other)


def test_priors_are_compared_in_one_table() -> None:
    taus = [bayes.HalfNormal(5), bayes.HalfCauchy(5), bayes.Fixed(0.0)]
    compared = bayes.compare_priors(*SCHOOLS, taus, [bayes.Flat(), bayes.Normal(0, 10)])
    frame = compared.to_frame()
    assert (
        len(frame) == 6 and frame["tau_prior"].nunique() == 3 and frame["mu_prior"].nunique() == 2
    )
    assert frame["mu_median"].tolist() == [fit.mu.median for fit in compared.fits]
    assert compared.summary().count("\n") == 6 and "half-Cauchy with scale 5" in compared.summary()


def test_a_batch_holds_what_single_sets_hold() -> None:
    rng = np.random.default_rng(5)
    y, v = rng.normal(0, 1, (2, 3, 4)), rng.uniform(0.1, 1, (2, 3, 4))
    held = np.ones(y.shape, dtype=bool)
    held[0, 1, 2:], held[1, 2] = False, False
    fit = bayes.pool_bayes(y, v, tau=bayes.HalfNormal(1), mu=bayes.Normal(0, 1), mask=held)
    assert fit.mu.median.shape == (2, 3) and fit.trials.low.shape == (2, 3, 4)
    assert fit.density([0.0, 1.0]).shape == (2, 3, 2)
    assert np.isnan(fit.mu.mean[1, 2]) and np.isnan(fit.bayes_factor("tau").bf10[1, 2])
    assert np.isnan(fit.trials.median[~held]).all()
    one = bayes.pool_bayes(y[0, 1, :2], v[0, 1, :2], tau=bayes.HalfNormal(1), mu=bayes.Normal(0, 1))
    for quantity in ("mu", "tau", "new"):
        for name in PARTS:
            found = getattr(getattr(fit, quantity), name)[0, 1]
            assert found == pytest.approx(getattr(getattr(one, quantity), name), rel=1e-9, abs=1e-9)
    assert fit.trials.median[0, 1, :2] == pytest.approx(one.trials.median, rel=1e-9)
    assert fit.log_marginal[0, 1] == pytest.approx(one.log_marginal, rel=1e-9)
    assert len(fit.to_frame()) == 6 and "to_frame" in fit.summary()
    with pytest.raises(ValueError, match="not a batch"):
        fit.trials_to_frame()


def test_a_batch_of_no_sets_is_an_empty_batch() -> None:
    fit = bayes.pool_bayes(np.zeros((0, 3)), np.ones((0, 3)), tau=bayes.HalfNormal(1))
    assert fit.mu.median.shape == fit.cdf(0.0).shape == (0,) and fit.trials.low.shape == (0, 3)
    assert fit.to_frame().empty


@pytest.mark.parametrize("language", ["en", "es", "de"])
def test_the_methods_name_model_and_priors_in_three_languages(language: str) -> None:
    from headway.meta.methods import describe_bayes

    for tau in (*(prior for prior, _ in PRIORS.values()), bayes.Fixed(0.2), bayes.turner()):
        fit = bayes.pool_bayes(*SCHOOLS, tau=tau, mu=bayes.Normal(1.25, 3.5))
        with speaking(language):
            said = " ".join(say(message) for message in describe_bayes(fit, "score"))
        assert "Röver" in said and "score" in said and "{" not in said
        assert ("1,25" if language != "en" else "1.25") in said
    assert "Turner et al. 2015" in fit.methods_text()
