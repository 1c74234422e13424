"""Gradient boosting over everything that an output holds: the strongest simple attack."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils._param_validation import Interval

from sklearn_aeppt.attacks._learned import LearnedAttack


class GradientBoostingAttack(LearnedAttack):
    """Learned attack: gradient boosting on features of the output.

    Features are the largest confidences in decreasing order, the statistics of `ThresholdAttack`,
    the index of the label and of the predicted label, and whether the two agree. Judge a defense
    by this attack, trained on defended outputs.

    Parameters
    ----------
    n_confidences : int >= 1, default=20
        Number of largest confidences that are features.
    max_iter : int >= 1, default=100
        Largest number of boosting iterations, that is, of trees.
    learning_rate : float > 0, default=0.05
        Weight of each tree.
    random_state : int, RandomState instance or None, default=None
        Seeds the gradient boosting. Pass an int for reproducible results.

    Attributes
    ----------
    estimator_ : HistGradientBoostingClassifier
        The fitted classifier of the features.
    n_iter_ : int
        Number of boosting iterations.
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        Number K of the target's classes.

    See Also
    --------
    RandomForestAttack : A random forest on the same features.
    VariantsAttack : Learns from the outputs for variants of the record too.
    MIMAttack : The paper's neural networks.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import GradientBoostingAttack
    >>> rng = np.random.default_rng(0)
    >>> sure, unsure = rng.dirichlet([9, .1, .1], 200), rng.dirichlet([2, 1, 1], 200)
    >>> proba, member = np.r_[sure, unsure], np.r_[np.ones(200), np.zeros(200)]
    >>> GradientBoostingAttack(random_state=0).fit(proba, member).score(proba, member) > 0.8
    True
    """

    _parameter_constraints: dict = {
        "n_confidences": [Interval(Integral, 1, None, closed="left")],
        **{
            key: HistGradientBoostingClassifier._parameter_constraints[key]
            for key in ("max_iter", "learning_rate", "random_state")
        },
    }

    def __init__(
        self,
        n_confidences: int = 20,
        *,
        max_iter: int = 100,
        learning_rate: float = 0.05,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_confidences = n_confidences
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.random_state = random_state

    def _learner(self, n):
        return HistGradientBoostingClassifier(
            max_iter=self.max_iter,
            learning_rate=self.learning_rate,
            min_samples_leaf=min(20, max(1, n // 10)),
            random_state=self.random_state,
        )

    def _logit(self, features):
        # not by class_weight: with weights, scikit-learn looks for the bins ten times as long
        return self.estimator_.decision_function(features) - self._prior

    @property
    def n_iter_(self) -> int:
        """Number of boosting iterations."""
        return self.estimator_.n_iter_
