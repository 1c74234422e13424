"""What attacks with a score have in common."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class ScoreAttack(ClassifierMixin, BaseEstimator):
    """Attack that calls a record a member where its ``decision_function`` is above zero."""

    def predict(self, X):
        """Return the believed membership of each record, out of ``classes_``, shape (n,)."""
        is_member = self.decision_function(X) > 0
        return self.classes_[is_member.astype(int)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


class LogitAttack(ScoreAttack):
    """Attack whose ``decision_function`` is the logit of membership."""

    def predict_proba(self, X):
        """Return the probabilities of (non-member, member), ndarray of shape (n, 2)."""
        member = 1 / (1 + np.exp(-self.decision_function(X).clip(-700, 700)))
        return np.column_stack([1 - member, member])
