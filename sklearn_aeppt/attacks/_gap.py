"""The gap attack: a record whose label is predicted right is a member."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._query import check_membership, read_view
from sklearn_aeppt._score_attack import ScoreAttack


class GapAttack(ScoreAttack):
    """Call a record a member where its predicted label is its true one.

    It needs no confidences, so no defense that keeps labels can hinder it: its accuracy is the
    label-only floor. `fit` learns nothing but the names of the two classes.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        K.

    References
    ----------
    Yeom, Giacomelli, Fredrikson, Jha (2018), "Privacy risk in machine learning", Attack 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skorch.helper import SliceDict
    >>> from sklearn_aeppt.attacks import GapAttack
    >>> view = SliceDict(proba=np.array([[0.9, 0.1], [0.8, 0.2]]), label=np.array([0, 1]))
    >>> GapAttack().fit(view, [1, 0]).predict(view)
    array([1, 0])
    """

    labels_only = True

    def fit(self, X, y):
        """Check the input and remember the classes of `y`; return self."""
        proba, _ = read_view(self, X, reset=True)
        self.classes_, _ = check_membership(y, len(proba))
        return self

    def decision_function(self, X):
        """Return 1.0 where the predicted label is the true one, -1.0 elsewhere, shape (n,)."""
        check_is_fitted(self)
        proba, label = read_view(self, X, reset=False)
        return np.where(proba.argmax(axis=1) == label, 1.0, -1.0)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # on data whose classes are not memberships
        return tags
