"""Confidence intervals of proportions, of an attack's accuracy, and of any other metric."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta, bootstrap
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_aeppt.metrics._membership import as_decisions, as_membership, as_score

CONFIDENCE = [Interval(Real, 0, 1, closed="neither")]


@validate_params({"confidence": CONFIDENCE}, prefer_skip_nested_validation=True)
def clopper_pearson(
    successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95
) -> tuple[float | np.ndarray, float | np.ndarray]:
    """Exact (Clopper-Pearson) confidence interval of a proportion.

    Each end errs with probability at most ``(1 - confidence) / 2``, whatever the true proportion.

    Parameters
    ----------
    successes : int or array-like of int
        Counts of successes, 0 to `trials`.
    trials : int or array-like of int
        Counts of trials, at least 0; `successes` and `trials` are broadcast.
    confidence : float in (0, 1), default=0.95
        Probability with which the interval covers the proportion, at least.

    Returns
    -------
    low, high : float or ndarray of float, in [0, 1]
        Ends of the interval; (0, 1) where there were no trials.

    Raises
    ------
    ValueError
        If a count is negative or there are more successes than trials.

    See Also
    --------
    balanced_accuracy_interval : Interval of the mean of two proportions.
    scipy.stats.binomtest : The same interval, one proportion at a time.

    References
    ----------
    Clopper, Pearson (1934), "The use of confidence or fiducial limits illustrated in the case of
    the binomial".

    Examples
    --------
    >>> from sklearn_aeppt.metrics import clopper_pearson
    >>> low, high = clopper_pearson(7, 10)
    >>> round(float(low), 4), round(float(high), 4)
    (0.3475, 0.9333)
    """
    k, n = np.broadcast_arrays(np.asarray(successes), np.asarray(trials))
    if (k < 0).any() or (k > n).any():
        raise ValueError("successes must lie between 0 and trials, entry by entry.")
    tail = (1 - confidence) / 2
    low = np.where(k > 0, beta.ppf(tail, np.maximum(k, 1), n - k + 1), 0.0)
    high = np.where(k < n, beta.isf(tail, k + 1, np.maximum(n - k, 1)), 1.0)
    return low[()], high[()]


@validate_params({"confidence": CONFIDENCE}, prefer_skip_nested_validation=True)
def balanced_accuracy_interval(
    y_true: ArrayLike, y_pred: ArrayLike, confidence: float = 0.95
) -> tuple[float, float]:
    """Confidence interval of an attack's balanced accuracy.

    Balanced accuracy is ``(TPR + TNR) / 2``: members and non-members have equal weight, however
    many there are of each. They are independent samples, so their Clopper-Pearson intervals are
    combined by the method of variance estimates recovery (MOVER)::

        low = accuracy - sqrt((TPR - TPR_low)**2 + (TNR - TNR_low)**2) / 2

    and likewise for `high`.

    Parameters
    ----------
    y_true : array-like of shape (n,), boolean or 0/1
        Membership; both values must occur.
    y_pred : array-like of shape (n,), boolean or 0/1
        The attack's decisions.
    confidence : float in (0, 1), default=0.95
        Nominal probability with which the interval covers the balanced accuracy.

    Returns
    -------
    low, high : float in [0, 1]
        Ends of the interval around ``sklearn.metrics.balanced_accuracy_score(y_true, y_pred)``.

    Raises
    ------
    ValueError
        If the lengths differ, a value is neither 0 nor 1, or `y_true` holds one side only.

    See Also
    --------
    bootstrap_interval : Interval of any other metric.
    label_only_floor : The accuracy to compare it with.

    References
    ----------
    Newcombe (1998), "Interval estimation for the difference between independent proportions:
    comparison of eleven methods", method 10.

    Zou, Donner (2008), "Construction of confidence limits about effect measures: a general
    approach".

    Examples
    --------
    >>> from sklearn_aeppt.metrics import balanced_accuracy_interval
    >>> y_true, y_pred = [1] * 100 + [0] * 100, [1] * 80 + [0] * 120
    >>> low, high = balanced_accuracy_interval(y_true, y_pred)
    >>> round(low, 3), round(high, 3)
    (0.851, 0.937)
    """
    is_member, decision = as_decisions(y_true, y_pred)
    hits = np.array([decision[is_member].sum(), (~decision[~is_member]).sum()])
    trials = np.array([is_member.sum(), (~is_member).sum()])
    rate = hits / trials
    low, high = clopper_pearson(hits, trials, confidence)
    below, above = (np.sqrt(((rate - end) ** 2).sum()) / 2 for end in (low, high))
    return float(rate.mean() - below), float(rate.mean() + above)


@validate_params(
    {
        "metric": [callable],
        "confidence": CONFIDENCE,
        "n_resamples": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"percentile", "basic", "BCa"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def bootstrap_interval(
    metric: Callable[[np.ndarray, np.ndarray], float],
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    confidence: float = 0.95,
    n_resamples: int = 999,
    method: str = "percentile",
    random_state: int | np.random.RandomState | None = None,
) -> tuple[float, float]:
    """Stratified bootstrap confidence interval of any metric of an attack.

    Members and non-members are resampled separately (``scipy.stats.bootstrap``), so every resample
    has as many of each as `y_true`.

    Parameters
    ----------
    metric : callable ``metric(y_true, y_score) -> float``
        Such as ``sklearn.metrics.roc_auc_score`` or `tpr_at_fpr`.
    y_true : array-like of shape (n,), boolean or 0/1
        Membership; both values must occur.
    y_score : array-like of shape (n,)
        What `metric` takes: attack scores, or decisions (0 or 1). May be infinite.
    confidence : float in (0, 1), default=0.95
        Nominal probability with which the interval covers the metric.
    n_resamples : int >= 1, default=999
        Number of resamples.
    method : {"percentile", "basic", "BCa"}, default="percentile"
        How the interval is made from the resamples. "BCa" corrects bias and skew, at the price of
        n more evaluations of `metric`.
    random_state : int, RandomState instance or None, default=None
        Controls the resampling. Pass an int for reproducible results.

    Returns
    -------
    low, high : float
        Ends of the interval, in the metric's unit.

    Raises
    ------
    ValueError
        If the lengths differ, a score is NaN, or `y_true` holds one side only.

    See Also
    --------
    balanced_accuracy_interval : Interval of the balanced accuracy, without resampling.

    References
    ----------
    Efron, Tibshirani (1993), "An introduction to the bootstrap", Chapters 13 and 14.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics import roc_auc_score
    >>> from sklearn_aeppt.metrics import bootstrap_interval
    >>> rng = np.random.default_rng(0)
    >>> y_true, y_score = np.r_[np.ones(200), np.zeros(200)], rng.normal(size=400)
    >>> low, high = bootstrap_interval(
    ...     roc_auc_score, y_true, y_score, n_resamples=200, random_state=0
    ... )
    >>> bool(low < 0.5 < high)
    True
    """
    is_member = as_membership(y_true)
    score = as_score(is_member, y_score)
    if min(is_member.sum(), (~is_member).sum()) < 2:
        raise ValueError(
            f"y_true has {is_member.sum()} members and {(~is_member).sum()} non-members: give at "
            "least two of each to resample."
        )

    def statistic(members, non_members):
        drawn = np.arange(len(members) + len(non_members)) < len(members)
        return metric(drawn, np.concatenate([members, non_members]))

    result = bootstrap(
        (score[is_member], score[~is_member]),
        statistic,
        vectorized=False,
        n_resamples=n_resamples,
        confidence_level=confidence,
        method=method,
        random_state=check_random_state(random_state),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
