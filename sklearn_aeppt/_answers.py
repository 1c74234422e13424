"""A model of which only the answers are at hand."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin


class Answers(ClassifierMixin, BaseEstimator):
    """Classifier whose records are its answers, made elsewhere; fitted as it stands.

    Parameters
    ----------
    classes : array-like of shape (K,)
        Labels, in the order of the columns.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels.

    See Also
    --------
    sklearn_aeppt.defenses.OutputDefense.perturb : Defends such answers.
    """

    def __init__(self, classes: ArrayLike) -> None:
        self.classes = classes

    @property
    def classes_(self) -> np.ndarray:
        """The labels, ndarray of shape (K,)."""
        return np.asarray(self.classes)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Do nothing: there is nothing to fit.

        Parameters
        ----------
        X : object
            Ignored.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : Answers
            The classifier as it was.
        """
        return self

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the answers as they came.

        Parameters
        ----------
        X : array-like of shape (n, K)
            Confidence vectors, columns in the order of `classes`.

        Returns
        -------
        proba : ndarray of shape (n, K)
            The same values, of the same dtype; no copy is made of an array.
        """
        return np.asarray(X)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the label of the largest confidence.

        Parameters
        ----------
        X : array-like of shape (n, K)
            Confidence vectors, columns in the order of `classes`.

        Returns
        -------
        y_pred : ndarray of shape (n,)
            Class labels, of the dtype of `classes_`.
        """
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_is_fitted__(self):
        return True
