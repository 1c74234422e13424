"""A model of which only the confidences are at hand."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline

from sklearn_aeppt._class_columns import in_class_order
from sklearn_aeppt._function_target import check_classes


class PrecomputedClassifier(ClassifierMixin, BaseEstimator):
    """Classifier whose records are confidences that were computed elsewhere.

    For a model that is served by somebody else, or written in another language: hand its
    confidences to `audit`, to an attack's `query` or to a defense in place of records, with this
    as the target. It is fitted as it stands. Attacks that need the records or further queries
    cannot be run on it, and an audit says so.

    Parameters
    ----------
    classes : array-like of shape (K,)
        Class labels, all different, in the order of the columns of confidences.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The class labels.

    See Also
    --------
    sklearn_aeppt.audit.audit : Attacks a target.
    EqualizedClassifier : Its ``perturb`` defends confidences that were computed elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt import EqualizedClassifier, PrecomputedClassifier
    >>> rng = np.random.default_rng(0)
    >>> proba_mem = rng.dirichlet([0.1, 0.1, 0.1], size=600)  # overconfident on members
    >>> proba_non = rng.dirichlet([1.0, 1.0, 1.0], size=600)
    >>> model = PrecomputedClassifier(classes=["no", "perhaps", "yes"])
    >>> defense = EqualizedClassifier(model, random_state=0).fit(proba_mem, proba_non)
    >>> shown = defense.perturb(proba_mem)
    >>> bool((shown.argmax(axis=1) == proba_mem.argmax(axis=1)).all())
    True
    >>> model.predict(proba_mem[:2]).tolist()
    ['yes', 'yes']
    """

    def __init__(self, classes: ArrayLike):
        self.classes = classes

    @property
    def classes_(self) -> np.ndarray:
        """The class labels, ndarray of shape (K,)."""
        return check_classes(self.classes)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Do nothing: there is nothing to fit.

        Parameters
        ----------
        X : array-like of shape (n, K)
            Ignored.
        y : array-like of shape (n,), default=None
            Ignored.

        Returns
        -------
        self : PrecomputedClassifier
            This object.
        """
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the confidences as they are.

        Parameters
        ----------
        X : array-like of shape (n, K)
            Confidences. Columns of a frame are taken by name: those of the classes, with one
            prefix before all or none. Columns without names are in the order of ``classes_``.

        Returns
        -------
        proba : ndarray of shape (n, K)
            The confidences, columns in the order of ``classes_``.

        Raises
        ------
        ValueError
            If columns have names, and they are not those of the classes.
        """
        return in_class_order(X, self.classes_, "X")

    def predict(self, X: Any) -> np.ndarray:
        """Return the label with the largest confidence.

        Parameters
        ----------
        X : array-like of shape (n, K)
            Confidences.

        Returns
        -------
        y_pred : ndarray of shape (n,)
            Class labels.
        """
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_is_fitted__(self):
        return True


def takes_confidences(estimator: Any) -> bool:
    """Return whether records of `estimator` are confidences: of a `PrecomputedClassifier` inside.

    Defenses, frozen estimators, the last step of pipelines: whatever stands around it.
    """
    while not isinstance(estimator, PrecomputedClassifier):
        if isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        elif isinstance(estimator, BaseEstimator):
            estimator = getattr(estimator, "estimator_", getattr(estimator, "estimator", None))
        else:
            return False
    return True
