"""Gradient boosting over everything that an answer holds: the strongest simple attacker."""

from numbers import Integral

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils._param_validation import Interval

from sklearn_aeppt.attacks._learned import LearnedAttack


class BoostingAttack(LearnedAttack):
    """Learned attack: gradient boosting on features of the answer.

    Features are the largest confidences in falling order, the statistics of `ThresholdAttack`,
    the index of the label and of the predicted label, and whether the two agree. Trained on
    defended answers it is what a defense is to be judged by.

    Parameters
    ----------
    n_confidences : int, default=20
        How many of the largest confidences are features.
    max_iter : int, default=100
        Trees.
    learning_rate : float, default=0.05
    random_state : int, RandomState instance or None, default=None

    Attributes
    ----------
    estimator_ : HistGradientBoostingClassifier
    n_iter_ : int
        Trees.
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        K.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import BoostingAttack
    >>> rng = np.random.default_rng(0)
    >>> sure, unsure = rng.dirichlet([9, .1, .1], 200), rng.dirichlet([2, 1, 1], 200)
    >>> proba, member = np.r_[sure, unsure], np.r_[np.ones(200), np.zeros(200)]
    >>> BoostingAttack(random_state=0).fit(proba, member).score(proba, member) > 0.8
    True
    """

    _parameter_constraints: dict = {
        "n_confidences": [Interval(Integral, 1, None, closed="left")],
        **{
            key: HistGradientBoostingClassifier._parameter_constraints[key]
            for key in ("max_iter", "learning_rate", "random_state")
        },
    }

    def __init__(self, n_confidences=20, *, max_iter=100, learning_rate=0.05, random_state=None):
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
    def n_iter_(self):
        """Trees."""
        return self.estimator_.n_iter_
