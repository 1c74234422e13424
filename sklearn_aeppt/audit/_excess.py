"""By how much an attack exceeds what labels alone give, on the same records, with its bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm
from sklearn.utils import check_random_state

from sklearn_aeppt.metrics import balanced_accuracy_interval

N_DRAWS = 50_000


def excess_bounds(
    is_member: np.ndarray, said: np.ndarray, labels_say: np.ndarray, confidence: float
) -> tuple[float, float]:
    """Return one-sided bounds on an attack's excess over the label-only attack.

    Both decide about the same records, so that the difference of their balanced accuracies is far
    more certain than either of them. Where labels alone are worse than a coin toss, the coin toss
    takes their place in the lower bound.

    Parameters
    ----------
    is_member, said, labels_say : boolean ndarray of shape (n,)
        Membership, the attack's decision, and that of the label-only attack (whether the label is
        right).
    confidence : float in (0, 1)
        Of each of the bounds.

    Returns
    -------
    low, high : float
        At least and at most this much balanced accuracy, -1 to 1.

    References
    ----------
    Agresti, Min (2005), "Simple improved confidence intervals for comparing matched proportions":
    half a pair is added to each of the four cells.
    """
    mean = variance = 0.0
    for side in (is_member, ~is_member):
        won = np.sum((said == is_member)[side] & (labels_say != is_member)[side]) + 0.5
        lost = np.sum((said != is_member)[side] & (labels_say == is_member)[side]) + 0.5
        n = side.sum() + 2
        difference = (won - lost) / n
        mean += difference / 2
        variance += ((won + lost) / n - difference**2) / n / 4
    half = norm.isf(1 - confidence) * np.sqrt(variance)
    # one-sided: each end of a two-sided interval errs half as often
    over_coin = balanced_accuracy_interval(is_member, said, 2 * confidence - 1)[0] - 0.5
    return float(min(mean - half, over_coin)), float(mean + half)


def confidence_of_each(
    is_member: np.ndarray, decisions: Sequence[np.ndarray], labels_say: np.ndarray, together: float
) -> float:
    """Return the confidence of each one-sided bound at which the bounds of all attacks hold.

    Bonferroni's rule holds for any attacks, and pays for it where they decide about the same
    records in much the same way, as thresholds on related statistics do. Their correlations are in
    the decisions: with them, the greatest of the estimates' errors is drawn from its normal
    distribution, always with the same seed.

    Parameters
    ----------
    is_member : boolean ndarray of shape (n,)
        Membership.
    decisions : sequence of boolean ndarray of shape (n,)
        Of each attack.
    labels_say : boolean ndarray of shape (n,)
        Decision of the label-only attack.
    together : float in (0, 1)
        Confidence of all bounds together.

    Returns
    -------
    confidence : float in (0, 1)
        `together` for one attack, more for several; at most what Bonferroni's rule gives, but for
        the error of the draws.

    References
    ----------
    Hothorn, Bretz, Westfall (2008), "Simultaneous inference in general parametric models".
    """
    right = np.array([said == is_member for said in decisions], dtype=np.float64)
    normal = check_random_state(0).standard_normal((N_DRAWS, len(right)))
    # the two parts of the lower bound: above the labels, and above a coin
    greatest = [
        (normal @ _correlation_root(gain, is_member)).max(axis=1)
        for gain in (right - (labels_say == is_member), right)
    ]
    quantiles = (norm.cdf(np.quantile(error, together)) for error in greatest)
    return float(max(together, *quantiles))


def greatest_excess_at_least(
    is_member: np.ndarray,
    decisions: Sequence[np.ndarray],
    labels_say: np.ndarray,
    confidence: float,
) -> float:
    """Return a lower bound on the excess of the strongest of several attacks.

    An attack that is certainly weaker than the bound is not the strongest one, whichever that is:
    it needs no correction. Step by step, such attacks are left out and the bound rises. A tenth of
    the error is spent on saying who is weaker.

    The parameters are those of `confidence_of_each`; `confidence` is that of the bound, however
    many attacks there are.

    Returns
    -------
    low : float
        At least this much balanced accuracy, -1 to 1.

    References
    ----------
    Romano, Shaikh, Wolf (2014), "A practical two-step method for testing moment inequalities".
    """

    def bounds(rivals, together):
        each = confidence_of_each(is_member, rivals, labels_say, together)
        return np.array([excess_bounds(is_member, said, labels_say, each) for said in rivals])

    doubt, rivals = (1 - confidence) / 10, np.asarray(decisions)
    high = bounds(rivals, 1 - doubt)[:, 1]
    while True:
        low = float(bounds(rivals, confidence + doubt)[:, 0].max())
        if (high > low).all():
            return low
        rivals, high = rivals[high > low], high[high > low]


def _correlation_root(gain, is_member):
    """Return the symmetric root of the correlation matrix of the attacks' mean gains.

    Of the roots, it is the one that does not depend on the signs of eigenvectors.
    """
    sides = (gain[:, side] for side in (is_member, ~is_member))
    covariance = sum(np.atleast_2d(np.cov(side)) / side.shape[1] for side in sides)
    scale = np.sqrt(np.diag(covariance))
    scale[scale == 0] = 1  # decides as the labels do, and has no error
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    return vectors * np.sqrt(values.clip(0)) @ vectors.T
