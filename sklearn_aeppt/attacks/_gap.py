"""The gap attack: correctly classified records are members."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt.attacks._base import ScoreAttack
from sklearn_aeppt.attacks._query import (
    View,
    check_membership,
    read_predicted,
    read_view,
)


class GapAttack(ScoreAttack):
    """Classify a record as a member if its predicted label is its true one.

    Confidences are not used, so no label-preserving defense has any effect on the attack: its
    accuracy is the label-only floor. `fit` only stores the two values of `y`.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        Number K of the target's classes.

    See Also
    --------
    LabelOnlyAttack : Uses the labels of variants of the record as well.
    sklearn_aeppt.metrics.label_only_floor : The accuracy of this attack, from labels.

    References
    ----------
    Yeom, Giacomelli, Fredrikson, Jha (2018), "Privacy risk in machine learning", Attack 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import GapAttack
    >>> view = {"proba": np.array([[0.9, 0.1], [0.8, 0.2]]), "label": np.array([0, 1])}
    >>> GapAttack().fit(view, [1, 0]).predict(view)
    array([1, 0])
    """

    labels_only = True

    def fit(self, X: View, y: ArrayLike) -> Self:
        """Check the input and store the two values of `y`.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs: confidences and label indices. A plain array is read as
            confidences; each record's label is its predicted one then.
        y : array-like of shape (n,)
            Membership, two distinct values; the greater one (1 or True) marks members.

        Returns
        -------
        self : GapAttack
            The fitted attack.

        Raises
        ------
        ValueError
            If `X` holds no valid outputs, or `y` does not hold two values, one for each record.
        """
        proba, _ = read_view(self, X, reset=True)
        self.classes_, _ = check_membership(y, len(proba))
        return self

    def decision_function(self, X: View) -> NDArray[np.float64]:
        """Compare each record's predicted label with its true one.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs, as in `fit`.

        Returns
        -------
        score : float64 ndarray of shape (n,)
            1.0 where the two are equal, -1.0 elsewhere.
        """
        check_is_fitted(self)
        proba, label = read_view(self, X, reset=False)
        return np.where(read_predicted(X, proba) == label, 1.0, -1.0)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # on data whose classes are not memberships
        return tags
