"""Records that an attack may accuse: conformal p-values and a bounded false discovery rate."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import false_discovery_control
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import validate_params

from sklearn_aeppt.metrics._intervals import CONFIDENCE


class Accusations(NamedTuple):
    """Which records are accused of membership, and how sure that is of each.

    Parameters
    ----------
    accused : boolean ndarray of shape (n,)
        Whether a record is in the list. False for those that were not scored.
    p_value : float64 ndarray of shape (n,)
        Conformal p-value of each record; NaN where it was not scored.

    See Also
    --------
    accused_records : Makes it.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import accused_records
    >>> accused_records([20.0, 0.5], range(19), alpha=0.1)
    Accusations(accused=array([ True, False]), p_value=array([0.05, 0.95]))
    """

    accused: np.ndarray
    p_value: np.ndarray


def conformal_p_values(y_score: ArrayLike, non_member_score: ArrayLike) -> np.ndarray:
    """Conformal p-value of each record: how rare its score is among known non-members.

    ``p = (1 + number of known non-members with this score or a greater one) / (n_known + 1)``.

    For a record that is exchangeable with the known non-members, ``P(p <= t) <= t`` for every t,
    whatever the attack and the distribution of its scores. So a single p-value is a test of
    whether this record trained the target; of many, some are small by chance
    (`accused_records` takes that into account).

    Parameters
    ----------
    y_score : array-like of shape (n,)
        Attack scores; greater means more likely a member. May be infinite; NaN where a record was
        not scored.
    non_member_score : array-like of shape (n_known,)
        Scores of records that are known to be non-members, by the same attack. It must not have
        been trained on them.

    Returns
    -------
    p_value : float64 ndarray of shape (n,)
        At least ``1 / (n_known + 1)``; NaN where `y_score` is.

    Raises
    ------
    ValueError
        If there is no known non-member, or one has no score.

    See Also
    --------
    accused_records : A list of records of which few are accused wrongly.

    References
    ----------
    Bates, Candès, Lei, Romano, Sesia (2023), "Testing for outliers with conformal p-values",
    Section 1.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import conformal_p_values
    >>> conformal_p_values([3.0, 1.0, float("nan")], [0.0, 1.0, 2.0])
    array([0.25, 0.75,  nan])
    """
    score = column_or_1d(y_score).astype(np.float64)
    known = np.sort(column_or_1d(non_member_score).astype(np.float64))
    if not len(known) or np.isnan(known).any():
        raise ValueError(
            f"non_member_score has {len(known)} scores, {np.isnan(known).sum()} of them NaN: give "
            "the score of one known non-member or more, by the attack that scored y_score."
        )
    at_least = len(known) - np.searchsorted(known, score, side="left")
    return np.where(np.isnan(score), np.nan, (1 + at_least) / (len(known) + 1))


@validate_params({"alpha": CONFIDENCE}, prefer_skip_nested_validation=True)
def accused_records(
    y_score: ArrayLike, non_member_score: ArrayLike, *, alpha: float = 0.1
) -> Accusations:
    """List the records that an attack accuses of membership, of which few are accused wrongly.

    `conformal_p_values` against known non-members, and of these the list of Benjamini and Hochberg:
    the k smallest p-values, for the greatest k with ``p_(k) <= alpha * k / n``. The false discovery
    rate, the mean over many audits of the share of the list that is exchangeable with the known
    non-members (0 for an empty list), is at most `alpha`, whatever the attack.

    Parameters
    ----------
    y_score : array-like of shape (n,)
        Attack scores of the records in question; greater means more likely a member. May be
        infinite; NaN where a record was not scored: it is not accused, and not counted.
    non_member_score : array-like of shape (n_known,)
        Scores of records that are known to be non-members, by the same attack. It must not have
        been trained on them, nor chosen by them.
    alpha : float in (0, 1), default=0.1
        Greatest false discovery rate.

    Returns
    -------
    accusations : Accusations
        Named tuple of ``accused``, a boolean for each record, and ``p_value``.

    Raises
    ------
    ValueError
        If there is no known non-member, or one has no score.

    Warns
    -----
    UndefinedMetricWarning
        If so few non-members are known that no record can be accused at this `alpha`.

    See Also
    --------
    conformal_p_values : The test of one record.
    tpr_at_fpr : How many members are found, with no list.

    Notes
    -----
    The least p-value is ``1 / (n_known + 1)``, so that a list holds at least
    ``n / (alpha * (n_known + 1))`` records or none: to accuse few of many takes many known
    non-members.

    References
    ----------
    Benjamini, Hochberg (1995), "Controlling the false discovery rate".

    Bates, Candès, Lei, Romano, Sesia (2023), "Testing for outliers with conformal p-values",
    Theorem 2: p-values that share their known records are positively dependent, so that the rate
    holds.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.metrics import accused_records
    >>> rng = np.random.default_rng(0)
    >>> y_score = np.r_[rng.normal(5, 1, size=50), rng.normal(size=950)]  # 50 stand out
    >>> accused, p_value = accused_records(y_score, rng.normal(size=2000))
    >>> int(accused[:50].sum()), int(accused[50:].sum())
    (50, 3)
    """
    p_value = conformal_p_values(y_score, non_member_score)
    n_known = len(column_or_1d(non_member_score))
    if 1 / (n_known + 1) > alpha:
        warnings.warn(
            f"{n_known} known non-members are too few for alpha={alpha:g}: no record can be "
            "accused. Give at least 1 / alpha of them.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    return Accusations(accused_at(p_value, alpha), p_value)


def accused_at(p_value: np.ndarray, alpha: float) -> np.ndarray:
    """Return the list of Benjamini and Hochberg as a mask; NaN stands for no test."""
    tested = ~np.isnan(p_value)
    accused = np.zeros(len(p_value), dtype=bool)
    if tested.any():  # a p-value that is alpha * k / n may differ from it in the last digit
        accused[tested] = false_discovery_control(p_value[tested]) <= alpha * (1 + 1e-12)
    return accused
