"""RMIA: how often the answer beats those to records that the target never saw."""

from numbers import Real

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_aeppt.attacks._record_attack import RecordAttack, masked_mean


class RMIAAttack(RecordAttack):
    """Robust membership inference attack: a likelihood ratio against the population.

    With ``r_x = p_x / pbar_x``, the target's confidence in the label beside its mean over
    reference models, the score is the share of known non-members z with ``r_x / r_z > gamma``.
    Counted by one sort: O((n + z) log z). Few reference models serve it well.

    Parameters
    ----------
    estimator : unfitted classifier or None, default=None
        The target's kind, defended or not; cloned for each reference (shadow) model.
        None is for `audit`, which takes the target's kind.
    n_shadow_models : int, default=16
        Reference models.
    mode : {"online", "offline"}, default="online"
        As in `LiRAAttack`. Offline, ``pbar = ((1 + a) pbar_out + 1 - a) / 2`` stands for the mean
        over models with and without the record, a being `offline_a`.
    gamma : float, default=2.0
        By how much a record must be more likely than another.
    offline_a : float or "auto", default="auto"
        Offline only, in [0, 1]. "auto" takes the value that ranks the records of `fit` best.
    train_size, n_jobs, memory, random_state, verbose
        As in `LiRAAttack`.

    Attributes
    ----------
    shadow_estimators_ : list of fitted estimators
        Offline only.
    in_mask_ : boolean ndarray of shape (n_shadow_models, n)
        Which known record trained which of them; offline only.
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        K.

    References
    ----------
    Zarifzadeh, Liu, Shokri (2024), "Low-cost high-power membership inference attacks", Section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_aeppt.attacks import RMIAAttack, query
    >>> rng = np.random.default_rng(0)
    >>> X, y, member = rng.normal(size=(80, 30)), rng.integers(2, size=80), np.arange(80) < 40
    >>> view = query(GaussianNB().fit(X[member], y[member]), X, y)
    >>> half = np.arange(80) % 2 == 0
    >>> attack = RMIAAttack(GaussianNB(), n_shadow_models=4, random_state=0)
    >>> attack.fit(view[half], member[half]).score(view[~half], member[~half]) > 0.6
    True
    """

    _parameter_constraints: dict = {
        **RecordAttack._parameter_constraints,
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "offline_a": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
    }

    def __init__(
        self,
        estimator=None,
        *,
        n_shadow_models=16,
        mode="online",
        gamma=2.0,
        offline_a="auto",
        train_size=0.5,
        n_jobs=None,
        memory=None,
        random_state=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.n_shadow_models = n_shadow_models
        self.mode = mode
        self.gamma = gamma
        self.offline_a = offline_a
        self.train_size = train_size
        self.n_jobs = n_jobs
        self.memory = memory
        self.random_state = random_state
        self.verbose = verbose

    def _score(self, target, shadows, in_mask, member):
        p = target[:, 0]
        out = masked_mean(shadows[..., 0], ~in_mask)
        if self.mode == "online":
            mean = (out + masked_mean(shadows[..., 0], in_mask)) / 2
            return self._dominance(p, mean, member)
        if self.offline_a != "auto":
            return self._dominance(p, _offline_mean(out, self.offline_a), member)
        known = member >= 0
        scores = [self._dominance(p, _offline_mean(out, a), member) for a in np.linspace(0, 1, 11)]
        return max(scores, key=lambda score: roc_auc_score(member[known], score[known]))

    def _dominance(self, p, mean, member):
        tiny = np.finfo(float).tiny
        ratio = p / np.maximum(mean, tiny)
        others = np.sort(ratio[member == 0])
        return np.searchsorted(others, ratio / self.gamma) / len(others)


def _offline_mean(out, a):
    return ((1 + a) * out + 1 - a) / 2
