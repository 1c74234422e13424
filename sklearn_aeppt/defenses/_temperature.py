"""Softer confidences: a higher temperature of the output layer."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from sklearn_aeppt._simplex import to_simplex
from sklearn_aeppt.defenses._base import OutputDefense


class TemperatureClassifier(OutputDefense):
    """Classifier whose confidences are ``p ** (1 / temperature)``, divided by their sum.

    The same as dividing the logits of a softmax by the temperature, on any probabilities. Keeps
    labels and ranking; a monotone map, so it hides nothing from an attacker who retrains.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        Fitted: defended as it is. Not fitted: `fit` trains a clone on part of the records.
    temperature : float > 0, default=2.0
        Above 1 the confidences come closer to each other, below 1 they part.
    member_fraction : float in (0, 1), default=0.5
        Share of each class that trains an unfitted `estimator`; the rest are non-members.
    random_state : int, RandomState instance or None, default=None
        Governs that draw.

    Attributes
    ----------
    estimator_ : classifier
        The wrapped estimator; undefended.
    classes_ : ndarray of shape (K,)
        Class labels.
    n_features_in_ : int
        Number of features; only if the records have a fixed width.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if the records have names, all of them strings.

    See Also
    --------
    RoundingClassifier : Coarser confidences instead of softer ones.
    sklearn_aeppt.EqualizedClassifier : For attackers who retrain on defended outputs.

    References
    ----------
    Shokri, Stronati, Song, Shmatikov (2017), "Membership inference attacks against machine
    learning models", Section VIII.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_aeppt.defenses import TemperatureClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> defended = TemperatureClassifier(LogisticRegression(max_iter=500), random_state=0)
    >>> defended.fit(X, y).perturb([[0.9, 0.1, 0.0]])
    array([[0.75, 0.25, 0.  ]])
    """

    _parameter_constraints: dict = {
        **OutputDefense._parameter_constraints,
        "temperature": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        estimator: BaseEstimator,
        *,
        temperature: float = 2.0,
        member_fraction: float = 0.5,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.temperature = temperature
        self.member_fraction = member_fraction
        self.random_state = random_state

    def _perturb_block(self, proba):
        # relative to the largest, so that no power underflows to a row of zeros
        relative = proba.astype(np.float64) / proba.max(axis=1, keepdims=True)
        return to_simplex(proba, relative ** (1 / self.temperature), proba.argmax(axis=1))
