"""Threshold attacks: a statistic of the answer above a bound that the adversary learned."""

import numpy as np
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt.attacks._base import ScoreAttack, best_threshold
from sklearn_aeppt.attacks._query import check_membership, read_view
from sklearn_aeppt.attacks._statistics import STATISTICS


class ThresholdAttack(ScoreAttack):
    """Call a record a member where a statistic of its answer is above a learned threshold.

    The threshold is the one with the best balanced accuracy on the adversary's own records, for
    each class of the label by itself or one for all. With a function as `statistic` it is the
    score-threshold attack of whoever has a score: LOGAN's rule (Hayes et al. 2019), say, or that
    of Song et al. (2019) with the answer to an adversarial variant of the record.

    Parameters
    ----------
    statistic : {"confidence", "loss", "entropy", "modified_entropy"} or callable, \
default="confidence"
        ``statistic(proba, label)`` -> ndarray of shape (n,), greater for members.
    per_class : bool, default=True
        A threshold for each label; a label with fewer than `min_records` members or
        non-members takes the threshold for all.
    min_records : int, default=5

    Attributes
    ----------
    thresholds_ : ndarray of shape (K,)
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        K.

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

    def __init__(self, statistic="confidence", per_class=True, *, min_records=5):
        self.statistic = statistic
        self.per_class = per_class
        self.min_records = min_records

    def fit(self, X, y):
        """Learn the thresholds.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
        y : array-like of shape (n,)
            Membership: 1 (or True) for members, 0 for non-members.

        Returns
        -------
        self : ThresholdAttack
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
        statistic = STATISTICS.get(self.statistic, self.statistic)
        return np.asarray(statistic(proba, label), dtype=np.float64)

    def decision_function(self, X):
        """Return by how much each statistic exceeds its threshold, ndarray of shape (n,)."""
        check_is_fitted(self)
        proba, label = read_view(self, X, reset=False)
        return self._score(proba, label) - self.thresholds_[label]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # on data whose classes are not memberships
        return tags
