"""Label-only attack: members keep their label longer when the record is shaken."""

from numbers import Integral

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._query import check_membership, read_repeats, read_view
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

    needs_variants = True
    labels_only = True

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
        said = read_repeats(X, self.n_queries, varied=True)[:, 1:].argmax(axis=2)
        return np.column_stack([right, (said == label[:, None]).mean(axis=1)])

    def decision_function(self, X):
        """Return the membership logit of each record, ndarray of shape (n,)."""
        check_is_fitted(self)
        return self.estimator_.decision_function(self._right(X, reset=False))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags
