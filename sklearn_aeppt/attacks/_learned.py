"""What attacks that learn from everything in an answer have in common."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._query import check_membership, read_view
from sklearn_aeppt._score_attack import LogitAttack, prior_logit
from sklearn_aeppt.attacks._statistics import STATISTICS


class LearnedAttack(LogitAttack):
    """Attack that trains a classifier of scikit-learn's on the features of the answers.

    Features are the largest confidences in falling order, the statistics of `ThresholdAttack`,
    the index of the label and of the predicted label, and whether the two agree. A subclass has
    the parameter ``n_confidences`` and implements ``_learner(n)``, the unfitted classifier for
    `n` known records, and ``_logit(features)``.
    """

    def fit(self, X, y):
        """Train the classifier on views `X` and memberships `y`; return self."""
        self._validate_params()
        features = self._see(X, reset=True)
        self.classes_, member = check_membership(y, len(features))
        self.estimator_ = self._learner(len(features)).fit(features, member)
        self._prior = prior_logit(member)
        return self

    def decision_function(self, X):
        """Return the membership logit of each record, ndarray of shape (n,)."""
        check_is_fitted(self)
        return self._logit(self._see(X, reset=False))

    def _see(self, X, *, reset):
        """Return the features of the records of a view, shape (n, n_features)."""
        return self._features(*read_view(self, X, reset=reset))

    def _features(self, proba, label):
        predicted = proba.argmax(axis=1)
        return np.column_stack(
            [
                -np.sort(-proba, axis=1)[:, : self.n_confidences],
                *(statistic(proba, label) for statistic in STATISTICS.values()),
                label,
                predicted,
                predicted == label,
            ]
        )
