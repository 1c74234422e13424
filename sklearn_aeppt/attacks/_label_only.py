"""Label-only attack: the labels of members are more robust to perturbations of the input."""

from __future__ import annotations

from numbers import Integral
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt.attacks._base import LogitAttack
from sklearn_aeppt.attacks._query import (
    View,
    check_membership,
    read_predicted,
    read_repeats,
    read_repeats_predicted,
    read_view,
)


class LabelOnlyAttack(LogitAttack):
    """Label-only attack: how often variants of a record are classified correctly.

    A logistic regression on two features: whether the predicted label of the record is its true
    one, and the share of its variants for which it is. No label-preserving defense changes either.
    With one query it uses what `GapAttack` uses.

    Parameters
    ----------
    n_queries : int >= 1, default=10
        Number of outputs per record to use, the record's own included; views must come from
        ``query(target, X, y, n_queries=..., augment=...)`` with at least as many.

    Attributes
    ----------
    estimator_ : LogisticRegression
        The fitted classifier of the two features.
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        Number K of the target's classes.

    See Also
    --------
    GapAttack : The label of the record alone.
    VariantsAttack : Confidences of variants as well.
    GaussianNoise : Variants of numeric records.
    BitFlips : Variants of binary records.

    References
    ----------
    Choquette-Choo et al. (2021), "Label-only membership inference attacks", Sections 4.2 and 4.3:
    noise, bit flips for binary features, or augmentation of images.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_aeppt.attacks import GaussianNoise, LabelOnlyAttack, query
    >>> X, y = load_iris(return_X_y=True)
    >>> tree = DecisionTreeClassifier(random_state=0).fit(X[::2], y[::2])
    >>> options = {"n_queries": 20, "augment": GaussianNoise(0.1), "random_state": 0}
    >>> view = query(tree, X, y, **options)
    >>> LabelOnlyAttack(n_queries=20).fit(view, [1, 0] * 75).predict(view).shape
    (150,)
    """

    needs_variants = "noise"
    labels_only = True

    _parameter_constraints: dict = {"n_queries": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n_queries: int = 10) -> None:
        self.n_queries = n_queries

    @property
    def needs_queries(self) -> int:  # type: ignore[override]  # the base's is a constant
        """Number of outputs per record that a view must hold: `n_queries`."""
        return self.n_queries

    def fit(self, X: View, y: ArrayLike) -> Self:
        """Train the logistic regression.

        Parameters
        ----------
        X : SliceDict of `query`
            The target's outputs for records and their variants: confidences, label indices, and
            at least `n_queries` outputs per record.
        y : array-like of shape (n,)
            Membership, two distinct values; the greater one (1 or True) marks members.

        Returns
        -------
        self : LabelOnlyAttack
            The fitted attack.

        Raises
        ------
        ValueError
            If `X` holds no valid outputs or fewer than `n_queries` per record, or `y` does not
            hold two values, one for each record.
        """
        self._validate_params()
        right = self._right(X, reset=True)
        self.classes_, member = check_membership(y, len(right))
        self.estimator_ = LogisticRegression(class_weight="balanced").fit(right, member)
        return self

    def _right(self, X, *, reset):
        """Return whether the label is right and how often those of variants are, (n, 2)."""
        proba, label = read_view(self, X, reset=reset)
        right = (read_predicted(X, proba) == label).astype(np.float64)
        if self.n_queries == 1:
            return np.column_stack([right, right])
        repeats = read_repeats(X, self.n_queries, varied=True)
        said = read_repeats_predicted(X, repeats)[:, 1:]
        return np.column_stack([right, (said == label[:, None]).mean(axis=1)])

    def decision_function(self, X: View) -> NDArray[np.float64]:
        """Return the membership logit of each record.

        Parameters
        ----------
        X : SliceDict of `query`
            The target's outputs, as in `fit`.

        Returns
        -------
        score : float64 ndarray of shape (n,)
            Log odds of membership, under equal priors.
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(self._right(X, reset=False))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags
