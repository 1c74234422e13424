"""Threshold attacks: a statistic of the output above a threshold that the adversary learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt.attacks._base import ScoreAttack, best_threshold
from sklearn_aeppt.attacks._query import View, check_membership, read_view
from sklearn_aeppt.attacks._statistics import STATISTICS


class ThresholdAttack(ScoreAttack):
    """Classify a record as a member if a statistic of its output is above a learned threshold.

    The threshold is the one with the best balanced accuracy on the records of `fit`, for each
    label separately or for all together. A function as `statistic` makes it a threshold attack on
    any other score: LOGAN's rule (Hayes et al. 2019), for instance, or that of Song et al. (2019),
    which uses the output for an adversarial variant of the record.

    Parameters
    ----------
    statistic : {"confidence", "loss", "entropy", "modified_entropy"} or callable, \
default="confidence"
        "confidence" is the confidence in the label, "loss" its logarithm, and the entropies are
        negated, so that all are greater for members. A callable gets float32 confidences of shape
        (n, K) and int64 label indices of shape (n,) and returns an array of shape (n,), greater
        for members.
    per_class : bool, default=True
        Whether each label has its own threshold. A label with fewer than `min_records` members or
        non-members takes the threshold for all.
    min_records : int, default=5
        Smallest number of members, and of non-members, to learn a label's own threshold from.

    Attributes
    ----------
    thresholds_ : float64 ndarray of shape (K,)
        Threshold of each label.
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        Number K of the target's classes.

    See Also
    --------
    GradientBoostingAttack : Learns from the whole output.
    best_threshold : The threshold of any score.

    References
    ----------
    Yeom et al. (2018), "Privacy risk in machine learning"; Song and Mittal (2021), "Systematic
    evaluation of privacy risks of machine learning models", Section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import ThresholdAttack
    >>> proba = np.array([[0.9, 0.1], [0.95, 0.05], [0.6, 0.4], [0.7, 0.3]])
    >>> attack = ThresholdAttack(per_class=False).fit(proba, [1, 1, 0, 0])
    >>> attack.predict([[0.85, 0.15], [0.75, 0.25]])
    array([1, 0])
    """

    _parameter_constraints: dict = {
        "statistic": [StrOptions(set(STATISTICS)), callable],
        "per_class": ["boolean"],
        "min_records": [int],
    }

    def __init__(
        self,
        statistic: str | Callable[[np.ndarray, np.ndarray], ArrayLike] = "confidence",
        per_class: bool = True,
        *,
        min_records: int = 5,
    ) -> None:
        self.statistic = statistic
        self.per_class = per_class
        self.min_records = min_records

    def fit(self, X: View, y: ArrayLike) -> Self:
        """Learn the thresholds.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs: confidences and label indices. A plain array is read as
            confidences; each record's label is its predicted one then.
        y : array-like of shape (n,)
            Membership, two distinct values; the greater one (1 or True) marks members.

        Returns
        -------
        self : ThresholdAttack
            The fitted attack.

        Raises
        ------
        ValueError
            If `X` holds no valid outputs, or `y` does not hold two values, one for each record.
        """
        self._validate_params()
        proba, label = read_view(self, X, reset=True)
        self.classes_, member = check_membership(y, len(proba))
        score = self._score(proba, label)
        self.thresholds_ = np.full(proba.shape[1], best_threshold(score, member))
        for c in np.unique(label) if self.per_class else ():
            rows = label == c
            if np.bincount(member[rows], minlength=2).min() >= self.min_records:
                self.thresholds_[c] = best_threshold(score[rows], member[rows])
        return self

    def _score(self, proba, label):
        statistic = self.statistic if callable(self.statistic) else STATISTICS[self.statistic]
        return np.asarray(statistic(proba, label), dtype=np.float64)

    def decision_function(self, X: View) -> NDArray[np.float64]:
        """Compare each record's statistic with its label's threshold.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs, as in `fit`.

        Returns
        -------
        score : float64 ndarray of shape (n,)
            The statistic minus the threshold.
        """
        check_is_fitted(self)
        proba, label = read_view(self, X, reset=False)
        return self._score(proba, label) - self.thresholds_[label]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # on data whose classes are not memberships
        return tags
