"""Label-only attack: members keep their label longer when the record is shaken."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._query import check_membership, read_view
from sklearn_aeppt._score_attack import LogitAttack


class LabelOnlyAttack(LogitAttack):
    """Call a record a member where variants of it keep the right label.

    Sees labels only: whether the label of the record is right, and the share of right labels
    among the answers to variants of it, which a logistic regression weighs. No defense that keeps
    labels changes what it finds. With one query it is `GapAttack`.

    Parameters
    ----------
    n_queries : int, default=10
        Answers to use, the record's own included; the views must come from
        ``query(target, X, y, n_queries=..., augment=...)`` with at least as many.

    Attributes
    ----------
    estimator_ : LogisticRegression
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        K.

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

    _parameter_constraints: dict = {"n_queries": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n_queries=10):
        self.n_queries = n_queries

    def fit(self, X, y):
        """Learn how much the labels tell, on views `X` and memberships `y`; return self."""
        self._validate_params()
        right = self._right(X, reset=True)
        self.classes_, member = check_membership(y, len(right))
        self.estimator_ = LogisticRegression(class_weight="balanced").fit(right, member)
        return self

    def _right(self, X, *, reset):
        """Return whether the label is right and how often those of variants are, (n, 2)."""
        proba, label = read_view(self, X, reset=reset)
        right = (proba.argmax(axis=1) == label).astype(np.float64)
        if self.n_queries == 1:
            return np.column_stack([right, right])
        repeats = X.get("repeats") if isinstance(X, dict) else None
        there = 1 if repeats is None else repeats.shape[1]
        if there < self.n_queries:
            raise ValueError(
                f"n_queries={self.n_queries}, but X holds {there} answer(s) a record: make it "
                f"with query(target, X, y, n_queries={self.n_queries}, augment=...)."
            )
        said = repeats[:, 1 : self.n_queries].argmax(axis=2)
        return np.column_stack([right, (said == label[:, None]).mean(axis=1)])

    def decision_function(self, X):
        """Return the membership logit of each record, ndarray of shape (n,)."""
        check_is_fitted(self)
        return self.estimator_.decision_function(self._right(X, reset=False))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


@dataclass(frozen=True)
class GaussianNoise:
    """Variants of numeric records: normal noise on every feature, for ``query(augment=...)``.

    Parameters
    ----------
    scale : float
        Standard deviation, in units of the features.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import GaussianNoise
    >>> GaussianNoise(0.1)(np.zeros((2, 3)), np.random.RandomState(0)).round(2)
    array([[ 0.18,  0.04,  0.1 ],
           [ 0.22,  0.19, -0.1 ]])
    """

    scale: float

    def __call__(self, X, rng):
        """Return a variant of every record of `X`, drawn from a numpy RandomState."""
        noisy = X + self.scale * rng.standard_normal(np.shape(X))
        return noisy.astype(X.dtype) if getattr(X, "dtype", np.dtype(int)).kind == "f" else noisy


@dataclass(frozen=True)
class BitFlips:
    """Variants of binary records: each bit turns with a probability, for ``query(augment=...)``.

    Parameters
    ----------
    probability : float
        In [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import BitFlips
    >>> BitFlips(0.5)(np.zeros((2, 4), dtype=int), np.random.RandomState(0))
    array([[0, 0, 0, 0],
           [1, 0, 1, 0]])
    """

    probability: float

    def __call__(self, X, rng):
        """Return a variant of every record of `X`, drawn from a numpy RandomState."""
        turned = rng.random_sample(np.shape(X)) < self.probability
        if sparse.issparse(X):
            return abs(X - sparse.csr_array(turned))
        if getattr(getattr(X, "dtype", None), "kind", None) == "b":
            return X ^ turned
        turned = turned.astype(getattr(X, "dtype", float))  # unsigned types do not go below zero
        return X + turned - 2 * X * turned
