"""Attack accuracy class by class."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import balanced_accuracy_score
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import validate_params

from sklearn_aeppt._groups import as_labels, find_groups
from sklearn_aeppt.metrics._intervals import CONFIDENCE, balanced_accuracy_interval
from sklearn_aeppt.metrics._membership import as_membership, as_score
from sklearn_aeppt.metrics._rates import membership_advantage


@validate_params({"confidence": CONFIDENCE}, prefer_skip_nested_validation=True)
def per_class_report(
    y_class: ArrayLike,
    is_member: ArrayLike,
    y_pred: ArrayLike,
    *,
    y_score: ArrayLike | None = None,
    pred_class: ArrayLike | None = None,
    confidence: float = 0.95,
) -> dict[str, np.ndarray]:
    """Attack accuracy class by class, with its interval, its floor and the score distributions.

    Parameters
    ----------
    y_class : array-like of shape (n,)
        Classes to report on: the true ones, or any other grouping; labels of any kind (tuples,
        None, numbers beside text). Labels without a common order are sorted by type and text.
    is_member : array-like of shape (n,), boolean or 0/1
        Membership; both values must occur.
    y_pred : array-like of shape (n,), boolean or 0/1
        The attack's decisions.
    y_score : array-like of shape (n,), default=None
        Attack score, top confidence or loss of each record. If given, its empirical distributions
        are returned.
    pred_class : array-like of shape (n,), default=None
        The target's predicted classes. If given, with `y_class` the true classes, each class gets
        its label-only floor.
    confidence : float in (0, 1), default=0.95
        Of each class's interval, see `balanced_accuracy_interval`. The classes are not corrected
        for multiplicity: among 100 classes, expect 5 intervals of 95 % to miss.

    Returns
    -------
    report : dict of ndarray of shape (n_classes,)
        ``class``, ``n_members``, ``n_non_members``, ``accuracy`` (balanced), ``low``, ``high``,
        and, where asked for, ``floor``, ``member_scores`` and ``non_member_scores``: for each
        class the sorted scores v, whose empirical distribution function rises by 1 / len(v) at
        each. NaN stands where a class has no members or no non-members.
        ``pandas.DataFrame(report)`` is a table.

    Raises
    ------
    ValueError
        If the lengths differ, a mask holds a value other than 0 and 1, a score is NaN, or
        `is_member` holds one side only.

    See Also
    --------
    balanced_accuracy_interval : Interval over all classes together.
    label_only_floor : Floor over all classes together.
    sklearn_aeppt.displays.ClassCdfDisplay : Draws the score distributions.

    References
    ----------
    AEPPT (arXiv 2011.13696), Fig. 4.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import per_class_report
    >>> report = per_class_report(list("aaaabb"), [1, 1, 0, 0, 1, 0], [1, 1, 1, 0, 0, 0])
    >>> report["class"], report["accuracy"]
    (array(['a', 'b'], dtype='<U1'), array([0.75, 0.5 ]))
    """
    y_class = as_labels(y_class)
    is_member = as_membership(is_member, "is_member")
    decision = as_membership(y_pred, "y_pred", both=False)
    check_consistent_length(y_class, is_member, decision)
    classes, place = find_groups(y_class)
    size = np.bincount(place)
    members = np.bincount(place[is_member], minlength=len(classes))
    report = {"class": classes, "n_members": members, "n_non_members": size - members}
    groups = np.split(np.argsort(place, kind="stable"), np.cumsum(size)[:-1])
    # a rate needs records of both sides
    whole = {i: groups[i] for i in np.flatnonzero((members > 0) & (members < size))}
    report.update(_accuracies(whole, len(classes), is_member, decision, confidence))
    if pred_class is not None:
        correct = as_labels(pred_class) == y_class
        report["floor"] = np.full(len(classes), np.nan)
        for i, rows in whole.items():
            report["floor"][i] = 0.5 + membership_advantage(is_member[rows], correct[rows]) / 2
    if y_score is not None:
        score = as_score(y_class, y_score)
        report["member_scores"] = _sorted_scores(groups, score, is_member)
        report["non_member_scores"] = _sorted_scores(groups, score, ~is_member)
    return report


def _accuracies(whole, n_classes, is_member, decision, confidence):
    """Return accuracy, low and high of each class."""
    found = {key: np.full(n_classes, np.nan) for key in ("accuracy", "low", "high")}
    for i, rows in whole.items():
        truth, decided = is_member[rows], decision[rows]
        found["accuracy"][i] = balanced_accuracy_score(truth, decided)
        found["low"][i], found["high"][i] = balanced_accuracy_interval(truth, decided, confidence)
    return found


def _sorted_scores(groups, score, side):
    """Return the sorted scores of each group's records on one side, as an array of arrays."""
    found = np.empty(len(groups), dtype=object)
    for i, rows in enumerate(groups):
        found[i] = np.sort(score[rows[side[rows]]])
    return found
