"""What attacks that learn from everything in an output have in common."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt.attacks._base import LogitAttack, prior_logit
from sklearn_aeppt.attacks._query import (
    View,
    check_membership,
    read_predicted,
    read_view,
)
from sklearn_aeppt.attacks._statistics import STATISTICS


class LearnedAttack(LogitAttack):
    """Base class of attacks that train a scikit-learn classifier on features of the outputs.

    Features are the largest confidences in decreasing order, the statistics of `ThresholdAttack`,
    the index of the label and of the predicted label, and whether the two agree. A subclass has
    the parameter ``n_confidences`` and implements ``_learner(n)``, the unfitted classifier for
    `n` known records, and ``_logit(features)``.
    """

    def fit(self, X: View, y: ArrayLike) -> Self:
        """Train the classifier of members and non-members.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs: confidences and label indices. A plain array is read as
            confidences; each record's label is its predicted one then.
        y : array-like of shape (n,)
            Membership, two distinct values; the greater one (1 or True) marks members.

        Returns
        -------
        self : object
            The fitted attack.

        Raises
        ------
        ValueError
            If `X` holds no valid outputs, or `y` does not hold two values, one for each record.
        """
        self._validate_params()
        features = self._see(X, reset=True)
        self.classes_, member = check_membership(y, len(features))
        self.estimator_ = self._learner(len(features)).fit(features, member)
        self._prior = prior_logit(member)
        return self

    def decision_function(self, X: View) -> NDArray[np.float64]:
        """Return the membership logit of each record.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs, as in `fit`.

        Returns
        -------
        score : float64 ndarray of shape (n,)
            Log odds of membership, under equal priors.
        """
        check_is_fitted(self)
        return self._logit(self._see(X, reset=False))

    def _see(self, X, *, reset):
        """Return the features of the records of a view, shape (n, n_features)."""
        proba, label = read_view(self, X, reset=reset)
        return self._features(proba, label, read_predicted(X, proba))

    def _features(self, proba, label, predicted):
        return np.column_stack(
            [
                -np.sort(-proba, axis=1)[:, : self.n_confidences],
                *(statistic(proba, label) for statistic in STATISTICS.values()),
                label,
                predicted,
                predicted == label,
            ]
        )
