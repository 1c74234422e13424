"""Confidence bounds on figures of which a report holds the value and the numbers of records."""

from __future__ import annotations

from math import log, sqrt

from scipy.stats import norm

from sklearn_aeppt.metrics import clopper_pearson

Bounds = tuple[float, float]


def auc_bounds(auc: float, n_members: int, n_non_members: int, error: float) -> Bounds:
    """Return one-sided bounds on an AUC, whatever the distributions of the scores.

    No estimate of an AUC varies more than ``AUC * (1 - AUC) / min(m, n)`` (Birnbaum and Klose), as
    a proportion of min(m, n) trials does: so its bounds are those of Wilson for that proportion.

    Parameters
    ----------
    auc : float in [0, 1]
        The estimate.
    n_members, n_non_members : int
        Records of either side.
    error : float in (0, 1)
        Rate at which each of the bounds may err.

    Returns
    -------
    low, high : float in [0, 1]
        At least and at most.

    References
    ----------
    Birnbaum, Klose (1957), "Bounds for the variance of the Mann-Whitney statistic".

    Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    n, z = min(n_members, n_non_members), norm.isf(error)
    center = (auc + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(auc * (1 - auc) / n + z**2 / (4 * n**2))
    return float(max(0.0, center - half)), float(min(1.0, center + half))


def tpr_bounds(tpr: float, fpr: float, n_members: int, n_non_members: int, error: float) -> Bounds:
    """Return one-sided bounds on the true positive rate at a false positive rate.

    The threshold comes from the same non-members: j = floor(fpr * n) of them are above it, and its
    true false positive rate is known only to lie between the Clopper-Pearson bounds a and b of j
    among n. Members know nothing of the threshold, so that theirs above it are a proportion.

    Below: whoever accuses a share fpr / b of those above the threshold, by lot, certainly keeps
    to `fpr`, and finds that share of the members. Above: on a concave ROC curve (that of any score
    which is ordered as the likelihood ratio) the rate at `fpr` is at most fpr / a times that at the
    threshold. Nobody finds less than by lot alone, that is, `fpr`.

    Parameters
    ----------
    tpr, fpr : float in [0, 1]
        The estimate and the rate of false alarms that it was allowed.
    n_members, n_non_members : int
        Records of either side; ``fpr * n_non_members`` is at least 1.
    error : float in (0, 1)
        Rate at which each of the bounds may err; half of it goes to either side's count.

    Returns
    -------
    low, high : float in [0, 1]
        At least and at most.
    """
    # a product such as 0.001 * 10_000 may end just below the whole number
    n_above = int(fpr * n_non_members + 1e-9)
    least, most = clopper_pearson(n_above, n_non_members, 1 - error)
    low, high = clopper_pearson(round(tpr * n_members), n_members, 1 - error)
    return float(low * min(1.0, fpr / most)), float(min(1.0, max(fpr, high * fpr / least)))


def accuracy_bounds(accuracy: float, n_members: int, n_non_members: int, error: float) -> Bounds:
    """Return one-sided bounds on a balanced accuracy by Hoeffding's inequality.

    The shares of right decisions on either side are not known apart, only their mean. The bound
    holds for any of them, and for any number of records.

    Parameters
    ----------
    accuracy : float in [0, 1]
        Mean of the two shares.
    n_members, n_non_members : int
        Records of either side.
    error : float in (0, 1)
        Rate at which each of the bounds may err.

    Returns
    -------
    low, high : float in [0, 1]
        At least and at most.

    References
    ----------
    Hoeffding (1963), "Probability inequalities for sums of bounded random variables", Theorem 2.
    """
    half = sqrt(-log(error) / 8 * (1 / n_members + 1 / n_non_members))
    return max(0.0, accuracy - half), min(1.0, accuracy + half)
