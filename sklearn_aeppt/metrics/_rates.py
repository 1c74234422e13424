"""What an attack achieves: its advantage, its rates at a threshold, and the label-only floor."""

from __future__ import annotations

import warnings
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_aeppt.metrics._membership import as_decisions, as_membership, as_score

_RATE = [Interval(Real, 0, 1, closed="right")]


def label_only_floor(
    y_mem: ArrayLike, pred_mem: ArrayLike, y_non: ArrayLike, pred_non: ArrayLike
) -> float:
    """Accuracy of an attacker who only sees whether the predicted label is correct.

    They call a record a member if it is classified correctly (the label-only or gap attack) and
    reach a balanced accuracy of ``0.5 + (train accuracy - test accuracy) / 2``. A defense that
    keeps the predicted labels cannot bring every attack below it.

    The value is the plain, signed formula: it is below 0.5 where non-members are classified more
    accurately than members. An attacker who knows that inverts their decisions and reaches
    ``1 - floor``. Taking the greater of the two here would raise the floor by sampling noise
    wherever the two accuracies are similar, and so hide a small excess of other attacks over it.

    Parameters
    ----------
    y_mem : array-like of shape (n_members,)
        True classes of the members.
    pred_mem : array-like of shape (n_members,)
        The target's predicted classes of the members.
    y_non : array-like of shape (n_non_members,)
        True classes of the non-members.
    pred_non : array-like of shape (n_non_members,)
        The target's predicted classes of the non-members.

    Returns
    -------
    floor : float in [0, 1]
        Balanced accuracy of the label-only attack.

    Raises
    ------
    ValueError
        If the true and the predicted classes of a side differ in length, or a side is empty.

    See Also
    --------
    sklearn_aeppt.attacks.GapAttack : The attack that reaches this accuracy.
    balanced_accuracy_interval : Confidence interval of any attack's balanced accuracy.

    References
    ----------
    Yeom, Giacomelli, Fredrikson, Jha (2018), "Privacy risk in machine learning: analyzing the
    connection to overfitting", Section 3.1.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import label_only_floor
    >>> label_only_floor([0, 1, 1, 2], [0, 1, 1, 2], [0, 1, 2, 2], [0, 1, 1, 1])
    0.75
    """
    gap = accuracy_score(y_mem, pred_mem) - accuracy_score(y_non, pred_non)
    return float(0.5 + gap / 2)


def membership_advantage(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Advantage of an attack: its true positive rate minus its false positive rate.

    It is twice the excess of the attack's balanced accuracy over 0.5: 0 for random guessing,
    negative for an attack that points the wrong way.

    Parameters
    ----------
    y_true : array-like of shape (n,), boolean or 0/1
        Membership; both values must occur.
    y_pred : array-like of shape (n,), boolean or 0/1
        The attack's decisions.

    Returns
    -------
    advantage : float in [-1, 1]
        True positive rate minus false positive rate.

    Raises
    ------
    ValueError
        If the lengths differ, a value is neither 0 nor 1, or `y_true` holds one side only.

    See Also
    --------
    balanced_accuracy_interval : Confidence interval of the same quantity, on accuracy's scale.

    References
    ----------
    Yeom, Giacomelli, Fredrikson, Jha (2018), "Privacy risk in machine learning: analyzing the
    connection to overfitting", Definition 4.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import membership_advantage
    >>> membership_advantage([1, 1, 0, 0], [1, 1, 1, 0])
    0.5
    """
    is_member, decision = as_decisions(y_true, y_pred)
    return float(decision[is_member].mean() - decision[~is_member].mean())


def counts_at_thresholds(
    y_true: ArrayLike, y_score: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the members and non-members at or above each distinct score.

    Records with equal scores are counted together, so no result depends on the order of the rows.

    Parameters
    ----------
    y_true : array-like of shape (n,), boolean or 0/1
        Membership; both values must occur.
    y_score : array-like of shape (n,)
        Attack scores; greater means more likely a member. May be infinite.

    Returns
    -------
    threshold : float64 ndarray of shape (n_thresholds,)
        The distinct scores, greatest first.
    members : int64 ndarray of shape (n_thresholds,)
        Members whose score is at least the threshold (true positives).
    non_members : int64 ndarray of shape (n_thresholds,)
        Non-members whose score is at least the threshold (false positives).

    Raises
    ------
    ValueError
        If the lengths differ, a score is NaN, or `y_true` holds one side only.

    See Also
    --------
    tpr_at_fpr : The rate that is read off these counts.
    sklearn.metrics.roc_curve : Rates instead of counts.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import counts_at_thresholds
    >>> threshold, members, non_members = counts_at_thresholds([1, 1, 0, 0], [3.0, 2.0, 2.0, 1.0])
    >>> threshold, members, non_members
    (array([3., 2., 1.]), array([1, 2, 2]), array([0, 1, 2]))
    """
    is_member = as_membership(y_true)
    threshold, place = np.unique(-as_score(is_member, y_score), return_inverse=True)
    members = np.bincount(place[is_member], minlength=len(threshold)).cumsum()
    non_members = np.bincount(place[~is_member], minlength=len(threshold)).cumsum()
    return -threshold, members, non_members


@validate_params({"fpr": _RATE}, prefer_skip_nested_validation=True)
def tpr_at_fpr(y_true: ArrayLike, y_score: ArrayLike, fpr: float = 0.01) -> float:
    """Greatest true positive rate at a false positive rate of at most `fpr`.

    Records with equal scores are decided together and nothing is interpolated, so the value is one
    that a threshold on the score really reaches.

    Parameters
    ----------
    y_true : array-like of shape (n,), boolean or 0/1
        Membership; both values must occur.
    y_score : array-like of shape (n,)
        Attack scores; greater means more likely a member. May be infinite.
    fpr : float in (0, 1], default=0.01
        Greatest share of non-members that may be taken for members.

    Returns
    -------
    tpr : float in [0, 1]
        0 if every threshold has too many false positives.

    Raises
    ------
    ValueError
        If the lengths differ, a score is NaN, or `y_true` holds one side only.

    Warns
    -----
    UndefinedMetricWarning
        If there are fewer than ``10 / fpr`` non-members: then fewer than ten of them decide the
        threshold. It is a warning and not an error because a scorer inside cross-validation sees
        one fold at a time, and an error would leave NaN where a noisy value still ranks.

    See Also
    --------
    tnr_at_fnr : How many non-members can be ruled out.
    sklearn_aeppt.displays.MembershipRocDisplay : The whole curve on logarithmic axes.

    References
    ----------
    Carlini, Chien, Nasr, Song, Terzis, Tramer (2022), "Membership inference attacks from first
    principles", Section IV.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.metrics import tpr_at_fpr
    >>> y_true = np.r_[np.ones(1000), np.zeros(1000)]
    >>> y_score = np.r_[np.linspace(0, 1, 1000), np.linspace(0, 0.7, 1000)]
    >>> tpr_at_fpr(y_true, y_score, fpr=0.01)
    0.307
    """
    return _rate_at(y_true, y_score, fpr, "fpr", "non-members")


@validate_params({"fnr": _RATE}, prefer_skip_nested_validation=True)
def tnr_at_fnr(y_true: ArrayLike, y_score: ArrayLike, fnr: float = 0.01) -> float:
    """Greatest true negative rate at a false negative rate of at most `fnr`.

    The mirror image of `tpr_at_fpr`: the share of non-members that an attacker can rule out.

    Parameters
    ----------
    y_true : array-like of shape (n,), boolean or 0/1
        Membership; both values must occur.
    y_score : array-like of shape (n,)
        Attack scores; greater means more likely a member. May be infinite.
    fnr : float in (0, 1], default=0.01
        Greatest share of members that may be taken for non-members.

    Returns
    -------
    tnr : float in [0, 1]
        0 if every threshold has too many false negatives.

    Raises
    ------
    ValueError
        If the lengths differ, a score is NaN, or `y_true` holds one side only.

    Warns
    -----
    UndefinedMetricWarning
        If there are fewer than ``10 / fnr`` members.

    See Also
    --------
    tpr_at_fpr : How many members can be identified.

    References
    ----------
    Carlini, Chien, Nasr, Song, Terzis, Tramer (2022), "Membership inference attacks from first
    principles", Section IV.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import tnr_at_fnr
    >>> tnr_at_fnr([1] * 20 + [0] * 20, [1] * 20 + [0] * 15 + [1] * 5, fnr=0.5)
    0.75
    """
    is_member = as_membership(y_true)
    return _rate_at(~is_member, -as_score(is_member, y_score), fnr, "fnr", "members")


def _rate_at(y_true, y_score, limit, name, side):
    """Return the greatest rate of right positives while wrong ones stay within `limit`."""
    _, right, wrong = counts_at_thresholds(y_true, y_score)
    if wrong[-1] * limit < 10 - 1e-9:
        warnings.warn(
            f"{wrong[-1]} {side} are too few for {name}={limit:g}: fewer than ten "
            f"determine the threshold. Give at least 10 / {name} of them, or raise {name}.",
            UndefinedMetricWarning,
            stacklevel=4,
        )
    within = wrong / wrong[-1] <= limit
    return float(right[within].max(initial=0) / right[-1])
