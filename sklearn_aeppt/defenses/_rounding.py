"""Coarser confidences: rounded to a few decimals."""

from __future__ import annotations

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from sklearn_aeppt._simplex import to_simplex
from sklearn_aeppt.defenses._base import OutputDefense

#: No float has more; numpy makes NaN of hundreds.
MOST_DECIMALS = 17


class RoundingClassifier(OutputDefense):
    """Classifier whose confidences are rounded.

    Keeps labels and, up to ties, the ranking; hides nothing that the first decimals tell. Rows
    are divided by their sum afterwards, which gives away nothing but the rounded values. Where
    rounding ties the label with another class, it is shown half a unit above.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        Fitted: defended as it is. Not fitted: `fit` trains a clone on part of the records.
    decimals : int >= 1, default=3
        Decimals that are left. Where the model's floats have no more than that, nothing is
        hidden, and `fit` warns.
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
    TopKClassifier : Hides the small confidences instead of the last decimals.
    sklearn_aeppt.attacks.RoundingAttack : An attacker who rounds what they see likewise.

    References
    ----------
    Shokri, Stronati, Song, Shmatikov (2017), "Membership inference attacks against machine
    learning models", Section VIII; AEPPT, Section 5.6.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_aeppt.defenses import RoundingClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> defended = RoundingClassifier(LogisticRegression(max_iter=500), decimals=1, random_state=0)
    >>> defended.fit(X, y).perturb([[0.86, 0.14, 0.0]])
    array([[0.9, 0.1, 0. ]])
    """

    _parameter_constraints: dict = {
        **OutputDefense._parameter_constraints,
        "decimals": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        estimator: BaseEstimator,
        *,
        decimals: int = 3,
        member_fraction: float = 0.5,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.decimals = decimals
        self.member_fraction = member_fraction
        self.random_state = random_state

    def _fit_defense(self, members, non_members):
        dtype = np.promote_types(members.proba.dtype, np.float32)
        precision = np.finfo(dtype).precision
        if 10.0**-self.decimals < np.finfo(dtype).eps:
            warnings.warn(
                f"decimals={self.decimals} hides nothing, since {dtype} confidences have about "
                f"{precision}: give fewer, such as decimals=2.",
                UserWarning,
                stacklevel=5,
            )

    def _perturb_block(self, proba):
        label = proba.argmax(axis=1)
        q = np.round(proba, min(self.decimals, MOST_DECIMALS))
        tied = np.flatnonzero(q.argmax(axis=1) != label)
        q[tied, label[tied]] = q[tied].max(axis=1) + 0.5 * 10.0**-self.decimals
        # all of a row may round to nothing; the label is then all that is left to show
        nothing = np.flatnonzero(q.sum(axis=1) == 0)
        q[nothing] = 1.0
        q[nothing, label[nothing]] = 1.001
        return to_simplex(proba, q, label)
