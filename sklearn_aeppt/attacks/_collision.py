"""Attack on defenses in which several records share their draws: outputs that recur."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._records import number_records
from sklearn_aeppt.attacks._base import LogitAttack, prior_logit
from sklearn_aeppt.attacks._query import (
    View,
    check_membership,
    read_predicted,
    read_view,
)


class CollisionAttack(LogitAttack):
    """Learned attack: how often exactly the same output recurs among other records.

    Models whose confidences take few values (forests, nearest neighbors, fully fitted
    boosting) return one saturated vector for many members. A defense whose draws depend on that
    vector turns it into one other vector for all of them: counting equal outputs then identifies
    members, whatever the values are. Features are the share of other records with the same
    confidence vector, with the same largest confidence, and with the same vector after rounding,
    and also the index of the label and of the predicted label and whether the two agree.

    Counting needs no membership, so the adversary counts over all outputs that they have
    collected: those of `fit` and those to be scored. Gradient boosting then learns, on the records
    of `fit`, which counts are typical of members. It is trained when records are scored, so that
    both counts are over the same records. Hence the score of a record depends on the others that
    are scored with it, and records of `fit` that are scored again count twice.

    Parameters
    ----------
    decimals : sequence of int, default=(6, 3)
        Numbers of decimals to round confidences to; each adds a feature to that of the exact
        vector.
    random_state : int, RandomState instance or None, default=None
        Seeds the gradient boosting, once in `fit`. Pass an int for reproducible results.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        Number K of the target's classes.

    See Also
    --------
    VariantsAttack : Outputs that recur, or do not, among variants of one record.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import CollisionAttack
    >>> rng = np.random.default_rng(0)
    >>> member = np.tile([True, False], 200)
    >>> proba = rng.dirichlet([2, 1, 1], 400)
    >>> proba[member] = rng.dirichlet([2, 1, 1], 10)[rng.integers(10, size=200)]  # 10 atoms
    >>> CollisionAttack(random_state=0).fit(proba[:200], member[:200]).score(
    ...     proba[200:], member[200:]
    ... )
    1.0
    """

    _parameter_constraints: dict = {"decimals": ["array-like"], "random_state": ["random_state"]}

    def __init__(
        self,
        decimals: Sequence[int] = (6, 3),
        *,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.decimals = decimals
        self.random_state = random_state

    def fit(self, X: View, y: ArrayLike) -> Self:
        """Store the outputs and their membership.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs: confidences and label indices. A plain array is read as
            confidences; each record's label is its predicted one then.
        y : array-like of shape (n,)
            Membership, two distinct values; the greater one (1 or True) marks members.

        Returns
        -------
        self : CollisionAttack
            The fitted attack.

        Raises
        ------
        ValueError
            If `X` holds no valid outputs, or `y` does not hold two values, one for each record,
            or if `decimals` holds anything but integers.
        """
        self._validate_params()
        if not all(isinstance(d, Integral) for d in self.decimals):
            raise ValueError(f"decimals={self.decimals!r} must hold integers, such as (6, 3).")
        proba, label = read_view(self, X, reset=True)
        classes, member = check_membership(y, len(proba))
        self._known = proba, label, read_predicted(X, proba), member
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.classes_ = classes
        return self

    def decision_function(self, X: View) -> NDArray[np.float64]:
        """Count equal outputs and return the membership logit of each record.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs, as in `fit`.

        Returns
        -------
        score : float64 ndarray of shape (n,)
            Log odds of membership, under equal priors.
        """
        check_is_fitted(self)
        proba, label = read_view(self, X, reset=False)
        known, member = self._known[:-1], self._known[-1]
        asked = proba, label, read_predicted(X, proba)
        features = self._features(*(np.r_[pair] for pair in zip(known, asked)))
        n_known = len(member)
        learner = HistGradientBoostingClassifier(
            max_iter=50,
            min_samples_leaf=min(20, max(1, n_known // 10)),
            random_state=self._seed,
        ).fit(features[:n_known], member)
        return learner.decision_function(features[n_known:]) - prior_logit(member)

    def _features(self, proba, label, predicted):
        seen = [proba, proba.max(axis=1, keepdims=True)]
        seen += [np.round(proba, d) for d in self.decimals]
        return np.column_stack(
            [*(recurrence(values) for values in seen), label, predicted, predicted == label]
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


def recurrence(rows):
    """Return the share of the other rows that equal each row, ndarray of shape (n,)."""
    number = number_records(rows + 0.0)  # no -0.0: its bits differ
    return (np.bincount(number)[number] - 1) / max(len(rows) - 1, 1)
