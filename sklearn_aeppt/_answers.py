"""A model of which only the answers are at hand."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Answers(ClassifierMixin, BaseEstimator):
    """Classifier whose records are its answers, made elsewhere; fitted as it stands.

    Parameters
    ----------
    classes : array-like of shape (K,)
        Labels, in the order of the columns.
    """

    def __init__(self, classes):
        self.classes = classes

    @property
    def classes_(self):
        """The labels, ndarray of shape (K,)."""
        return np.asarray(self.classes)

    def fit(self, X, y=None):
        """Do nothing: there is nothing to fit."""
        return self

    def predict_proba(self, X):
        """Return the answers as they came."""
        return np.asarray(X)

    def predict(self, X):
        """Return the label of the largest confidence, ndarray of shape (n,)."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_is_fitted__(self):
        return True
