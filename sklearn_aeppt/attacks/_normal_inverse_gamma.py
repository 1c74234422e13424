"""Normal answers with unknown mean and variance: priors from all records, predictive densities."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln
from scipy.stats import norm, t

from sklearn_aeppt.attacks._masked import moments

#: Bounds of what is estimated: alpha, and the weight of the prior mean, in models.
SHAPE, WEIGHT = (0.25, 1e4), (1e-6, 1e4)


class Prior(NamedTuple):
    """``sigma^2 ~ InvGamma(alpha, beta)`` and ``mu | sigma^2 ~ N(mean, sigma^2 / kappa)``."""

    mean: np.ndarray | float  # of each record, or of all
    kappa: float
    alpha: float
    beta: float


class Posterior(NamedTuple):
    """The same, updated by a record's own answers; arrays of shape (n,)."""

    mean: np.ndarray
    kappa: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray


def fit_prior(values, mask, beside=None):
    """Estimate the prior of a record's answers from those to all records (empirical Bayes).

    kappa, alpha and beta maximize the likelihood of all answers, mean and variance of each record
    integrated out.

    Parameters
    ----------
    values : ndarray of shape (n_models, n)
    mask : boolean ndarray of shape (n_models, n)
        Which of them count; at least two of each record.
    beside : ndarray of shape (n,), default=None
        What else is known of each record: the prior mean is a line over it. None: one for all.

    Returns
    -------
    prior : Prior
    """
    count, mean, squares = moments(values, mask)
    center = mean.mean() if beside is None else _line(beside, mean)
    least = 1e-6 * values.var() + 1e-30  # a record on which all models agree to the last bit
    pooled = max(squares.sum() / (count - 1).sum(), least)
    spread = np.mean((mean - center) ** 2) / pooled - np.mean(1 / count)
    kappa = 1 / np.clip(spread, 1 / WEIGHT[1], 1 / WEIGHT[0])
    squares = np.maximum(squares, least * (count - 1))

    def loss(theta):
        kappa, alpha, scale = np.exp(theta)
        beta, n = alpha * scale, kappa + count
        after = alpha + count / 2, beta + squares / 2 + kappa * count * (mean - center) ** 2 / n / 2
        likelihood = (
            gammaln(after[0])
            - gammaln(alpha)
            + alpha * np.log(beta)
            - after[0] * np.log(after[1])
            + np.log(kappa / n) / 2
        )
        return -likelihood.mean()

    found = minimize(
        loss,
        np.log([kappa, 2.0, pooled]),
        method="L-BFGS-B",
        bounds=np.log([WEIGHT, SHAPE, (least, 1e6 * pooled)]),
    )
    kappa, alpha, scale = map(float, np.exp(found.x))
    return Prior(center, kappa, alpha, alpha * scale)


def _line(x, y):
    """Return the least squares line of y over x, at x."""
    centered = x - x.mean()
    slope = (centered * y).sum() / max((centered**2).sum(), np.finfo(float).tiny)
    return y.mean() + slope * centered


def update(prior, values, mask):
    """Return the `Posterior` of each record's mean and variance."""
    count, mean, squares = moments(values, mask)
    kappa = prior.kappa + count
    shift = mean - prior.mean
    return Posterior(
        mean=(prior.kappa * prior.mean + count * mean) / kappa,
        kappa=kappa,
        alpha=prior.alpha + count / 2,
        beta=prior.beta + squares / 2 + prior.kappa * count * shift**2 / (2 * kappa),
    )


def predictive(posterior, form):
    """Return the distribution of another answer, frozen, of shape (n,).

    Integrated over mean and variance that is Student's t with ``2 alpha`` degrees of freedom,
    location ``mean`` and scale^2 ``beta (kappa + 1) / (alpha kappa)``. "gaussian": a normal
    distribution with the posterior means of mean and variance in their place.
    """
    mean, kappa, alpha, beta = posterior
    if form == "gaussian":
        return norm(mean, np.sqrt(beta / (alpha - 1)))
    return t(2 * alpha, mean, np.sqrt(beta * (kappa + 1) / (alpha * kappa)))


def log_sf(distribution, x):
    """Return the log of the probability of x or more, also where that probability is no float.

    There it is ``log pdf - log h`` with h = -d log pdf / dx, to a factor of (1 + 1 / degrees).
    scipy's normal distribution needs none of that.
    """
    with np.errstate(divide="ignore"):
        found = distribution.logsf(x)
    far = ~np.isfinite(found)
    if far.any():
        degrees, center, scale = (np.broadcast_to(a, far.shape)[far] for a in distribution.args)
        z = (np.asarray(x)[far] - center) / scale
        found[far] = t.logpdf(z, degrees) - np.log((degrees + 1) * z / (degrees + z**2))
    return found
