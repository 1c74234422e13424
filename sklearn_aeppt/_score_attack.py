"""What attacks with a score have in common."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from sklearn_aeppt._one_step import OneStep


class ScoreAttack(ClassifierMixin, OneStep, BaseEstimator):
    """Attack that calls a record a member where its ``decision_function`` is above zero.

    Attributes
    ----------
    needs_variants : bool
        Whether `fit` takes views of ``n_queries`` answers to variants of each record.
    labels_only : bool
        Whether the attack looks at labels alone, which no defense that keeps them can hide.
    """

    needs_variants = False
    labels_only = False

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


@np.errstate(under="ignore")  # the float below zero is a denormal
def prior_logit(member):
    """Return the logit of membership among known records: what to take off for equal sides."""
    return float(np.log(np.sum(member == 1) / np.sum(member == 0)))


def best_threshold(score, member):
    """Return the threshold t for which ``score > t`` has the best balanced accuracy.

    Halfway between two neighboring scores, or just below all of them.
    """
    order = np.argsort(-score, kind="stable")
    falling, member = score[order], member[order]
    tpr = np.cumsum(member) / member.sum()
    fpr = np.cumsum(1 - member) / (1 - member).sum()
    last = np.r_[falling[1:] != falling[:-1], True]  # of equal scores, only all or none
    best = np.argmax(np.where(last, tpr - fpr, -np.inf))
    middle = falling[best : best + 2].mean() if best + 1 < len(falling) else falling[best]
    return middle if middle < falling[best] else np.nextafter(falling[best], -np.inf)
