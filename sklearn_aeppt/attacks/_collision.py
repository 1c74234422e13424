"""Attack on defenses whose draws several records share: answers that recur."""

from numbers import Integral

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._query import check_membership, read_view
from sklearn_aeppt._records import number_records
from sklearn_aeppt._score_attack import LogitAttack, prior_logit


class CollisionAttack(LogitAttack):
    """Learn from how often an exact answer recurs among the answers to other records.

    On models whose confidences have atoms (forests, neighbors, boosting to the end) members get
    one saturated vector over and over. A defense whose draws depend on that vector shows it as
    one other vector over and over: counting equal answers then names members, whatever the values
    are. Features are the share of other records with the same confidence vector, with the same
    largest confidence, and with the same vector after rounding, beside the index of the label and
    of the predicted label and whether the two agree.

    Counting needs no membership, so this attacker counts over all answers that they collect: the
    records of `fit` and those that the attack is asked about. Gradient boosting then learns, on
    the records of `fit`, which counts go with members. It is trained when the attack is asked, for
    the counts of both to be of the same records: what is said of a record depends on the others
    asked about, and records of `fit` that are asked about again count twice.

    Parameters
    ----------
    decimals : tuple of int, default=(6, 3)
        Digits that confidences are rounded to, a feature each; beside the exact vector.
    random_state : int, RandomState instance or None, default=None

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        K.

    See Also
    --------
    VariantsAttack : Answers that recur, or do not, among variants of one record.

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

    def __init__(self, decimals=(6, 3), *, random_state=None):
        self.decimals = decimals
        self.random_state = random_state

    def fit(self, X, y):
        """Collect views `X` and memberships `y`; return self."""
        self._validate_params()
        if not all(isinstance(d, Integral) for d in self.decimals):
            raise ValueError(f"decimals={self.decimals!r} must hold integers, such as (6, 3).")
        proba, label = read_view(self, X, reset=True)
        classes, member = check_membership(y, len(proba))
        self._known = proba, label, member
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.classes_ = classes
        return self

    def decision_function(self, X):
        """Return the membership logit of each record, ndarray of shape (n,)."""
        check_is_fitted(self)
        asked, asked_label = read_view(self, X, reset=False)
        proba, label, member = self._known
        features = self._features(np.r_[proba, asked], np.r_[label, asked_label])
        n_known = len(member)
        learner = HistGradientBoostingClassifier(
            max_iter=50,
            min_samples_leaf=min(20, max(1, n_known // 10)),
            random_state=self._seed,
        ).fit(features[:n_known], member)
        return learner.decision_function(features[n_known:]) - prior_logit(member)

    def _features(self, proba, label):
        predicted = proba.argmax(axis=1)
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
