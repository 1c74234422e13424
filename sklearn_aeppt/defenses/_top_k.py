"""Only the largest confidences."""

from __future__ import annotations

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from sklearn_aeppt.defenses._base import OutputDefense


class TopKClassifier(OutputDefense):
    """Classifier that shows the k largest confidences; the others share the rest evenly.

    Keeps labels, the values and the ranking of the k classes; hides the other classes, not how
    sure the model is, which is what gives members away.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        Fitted: defended as it is. Not fitted: `fit` trains a clone on part of the records.
    k : int >= 1, default=3
        Classes shown. Nothing changes, and `fit` warns, unless two classes or more are left:
        one alone has all of the rest already, so that nothing hides anything of two classes.
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
    RoundingClassifier : Hides the last decimals instead of the small confidences.
    sklearn_aeppt.EqualizedClassifier : Changes the largest confidence, which reveals members.

    References
    ----------
    Shokri, Stronati, Song, Shmatikov (2017), "Membership inference attacks against machine
    learning models", Section VIII.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_aeppt.defenses import TopKClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> defended = TopKClassifier(LogisticRegression(max_iter=500), k=1, random_state=0)
    >>> defended.fit(X, y).perturb([[0.75, 0.25, 0.0]])
    array([[0.75 , 0.125, 0.125]])
    """

    _parameter_constraints: dict = {
        **OutputDefense._parameter_constraints,
        "k": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        estimator: BaseEstimator,
        *,
        k: int = 3,
        member_fraction: float = 0.5,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.k = k
        self.member_fraction = member_fraction
        self.random_state = random_state

    def _fit_defense(self, members, non_members):
        n_classes = members.proba.shape[1]
        if self.k <= n_classes - 2 or n_classes == 1:  # of one, there is nothing to hide
            return
        mend = (
            f"give k <= {n_classes - 2}"
            if n_classes > 2
            else "no k does, use RoundingClassifier or EqualizedClassifier"
        )
        warnings.warn(
            f"k={self.k} hides nothing of {n_classes} classes, since the rest is shared by at most "
            f"one: {mend}.",
            UserWarning,
            stacklevel=5,
        )

    def _perturb_block(self, proba):
        n_hidden = proba.shape[1] - self.k
        if n_hidden < 2:
            return proba.copy()
        # stable, so that the label, the first of the largest, is always among the shown
        hidden = np.argsort(-proba, axis=1, kind="stable")[:, self.k :]
        shown = proba.copy()
        rest = np.take_along_axis(proba, hidden, 1).mean(axis=1, keepdims=True)
        # tied with the label, a mean may exceed it by its last bit
        np.put_along_axis(shown, hidden, np.minimum(rest, proba.max(axis=1, keepdims=True)), 1)
        label = proba.argmax(axis=1)
        early = np.flatnonzero(shown.argmax(axis=1) != label)
        shown[early, label[early]] = np.nextafter(
            shown[early].max(axis=1), np.inf, dtype=shown.dtype
        )
        return shown
