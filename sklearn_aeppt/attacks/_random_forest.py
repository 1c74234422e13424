"""A random forest over everything that an output holds."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from scipy.special import logit
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils._param_validation import Interval

from sklearn_aeppt.attacks._learned import LearnedAttack


class RandomForestAttack(LearnedAttack):
    """Learned attack: a random forest on the features of `GradientBoostingAttack`.

    Its leaves hold several records each, so that it does not overfit a small number of known
    records.

    Parameters
    ----------
    n_confidences : int >= 1, default=20
        Number of largest confidences that are features.
    n_estimators : int >= 1, default=300
        Number of trees.
    min_samples_leaf : int >= 1 or float in (0, 1), default=10
        Smallest number of known records in a leaf, or their share of all.
    n_jobs : int, default=None
        Number of trees to grow, or to evaluate, in parallel, as in ``RandomForestClassifier``.
    random_state : int, RandomState instance or None, default=None
        Seeds the forest. Pass an int for reproducible results.

    Attributes
    ----------
    estimator_ : RandomForestClassifier
        The fitted classifier of the features.
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        Number K of the target's classes.

    See Also
    --------
    GradientBoostingAttack : Gradient boosting on the same features.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import RandomForestAttack
    >>> rng = np.random.default_rng(0)
    >>> sure, unsure = rng.dirichlet([9, .1, .1], 200), rng.dirichlet([2, 1, 1], 200)
    >>> proba, member = np.r_[sure, unsure], np.r_[np.ones(200), np.zeros(200)]
    >>> attack = RandomForestAttack(n_estimators=30, random_state=0).fit(proba, member)
    >>> attack.score(proba, member) > 0.8
    True
    """

    _parameter_constraints: dict = {
        "n_confidences": [Interval(Integral, 1, None, closed="left")],
        **{
            key: RandomForestClassifier._parameter_constraints[key]
            for key in ("n_estimators", "min_samples_leaf", "n_jobs", "random_state")
        },
    }

    def __init__(
        self,
        n_confidences: int = 20,
        *,
        n_estimators: int = 300,
        min_samples_leaf: float = 10,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_confidences = n_confidences
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _learner(self, n):
        return RandomForestClassifier(
            self.n_estimators,
            min_samples_leaf=self.min_samples_leaf,
            class_weight="balanced",
            n_jobs=self.n_jobs,
            random_state=self.random_state,
        )

    def _logit(self, features):
        member = self.estimator_.predict_proba(features)[:, 1]
        return logit(member.clip(1e-9, 1 - 1e-9))  # trees may all agree
