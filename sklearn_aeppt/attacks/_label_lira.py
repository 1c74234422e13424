"""Label-only LiRA: whether the label is right, next to shadow models."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln
from sklearn.base import BaseEstimator

from sklearn_aeppt.attacks._record_attack import RecordAttack

#: Bounds of a and b of the prior: it counts for at least a tenth of a model and at most a million.
COUNTS = (0.05, 5e5)


class LabelOnlyLiRAAttack(RecordAttack):
    """Likelihood ratio attack on labels: the floor of what shadow models find in the tail.

    Of k models trained without a record, r predict its label. Another one does with probability
    ``q_out = (a + r) / (a + b + k)``, where Beta(a, b) is the prior of that rate, fitted to all
    records (empirical Bayes); q_in likewise, for models trained with the record. Online, the score
    is ``log q_in - log q_out`` where the target predicts the label, and ``log (1 - q_in) -
    log (1 - q_out)`` where it does not. Offline it is ``-log q_out`` where it does, and zero
    elsewhere. No defense that keeps the labels changes it.

    Parameters
    ----------
    estimator : unfitted classifier, default=None
        The target's kind of model, defended or not; cloned for each shadow model. A model that
        ``clone`` would keep fitted is refused. None leaves the choice to
        `sklearn_aeppt.audit.audit`, which uses the target's own kind. Not needed where views hold
        the answers of a `ShadowMatrix`.
    n_shadow_models : int >= 2, default=16
        Number of shadow models. At least two of them must be trained without each record, online
        also two with it.
    mode : {"online", "offline"}, default="online"
        When shadow models are trained, and on what, as for `LiRAAttack`.
    train_size : float in (0, 1), default=0.5
        Share of the records that trains each shadow model; ideally the target's own share of
        members.
    fit_params : dict or None, default=None
        What ``fit`` of every shadow model is given besides records and labels, see `LiRAAttack`.
    n_jobs : int, default=None
        Number of shadow models to train in parallel, through joblib and its current backend.
    memory : str or joblib.Memory, default=None
        Cache of trained shadow models, see `LiRAAttack`.
    random_state : int, RandomState instance or None, default=None
        Seeds the split and every ``random_state`` of every shadow model. Pass an int for
        reproducible results.
    verbose : int, default=0
        Above 0, a progress bar is shown.

    Attributes
    ----------
    shadow_estimators_ : list of n_shadow_models fitted classifiers
        The shadow models; offline only, and not where views hold their answers.
    in_mask_ : boolean ndarray of shape (n_shadow_models, n)
        Which known record trained which of them.
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        Number K of the target's classes.

    See Also
    --------
    LiRAAttack : The same with confidences.
    LabelOnlyAttack : Labels of variants of a record, without shadow models.
    GapAttack : The label of the record alone.

    References
    ----------
    Aerni, Zhang, Tramer (2024), "Evaluations of machine learning privacy defenses are misleading",
    for LiRA on labels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_aeppt.attacks import LabelOnlyLiRAAttack, query
    >>> rng = np.random.default_rng(0)
    >>> X, y, member = rng.normal(size=(200, 80)), rng.integers(2, size=200), np.arange(200) < 100
    >>> view = query(GaussianNB().fit(X[member], y[member]), X, y)
    >>> half = np.arange(200) % 2 == 0
    >>> attack = LabelOnlyLiRAAttack(GaussianNB(), n_shadow_models=8, random_state=0)
    >>> attack.fit(view[half], member[half]).score(view[~half], member[~half]) > 0.6
    True
    """

    labels_only = True

    def __init__(
        self,
        estimator: BaseEstimator | None = None,
        *,
        n_shadow_models: int = 16,
        mode: str = "online",
        train_size: float = 0.5,
        fit_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
        memory: str | joblib.Memory | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.n_shadow_models = n_shadow_models
        self.mode = mode
        self.train_size = train_size
        self.fit_params = fit_params
        self.n_jobs = n_jobs
        self.memory = memory
        self.random_state = random_state
        self.verbose = verbose

    def _score(self, target, shadows, in_mask, member):
        right, said = target[..., 2] > 0, shadows[..., 2] > 0
        out = rate_of_another(said, ~in_mask)
        if self.mode == "offline":
            return np.where(right, -np.log(out), 0.0)
        inside = rate_of_another(said, in_mask)
        return np.where(right, np.log(inside / out), np.log((1 - inside) / (1 - out)))


def rate_of_another(said, mask):
    """Return the probability that another model is right of each record, strictly in (0, 1)."""
    count, hits = mask.sum(axis=0), (said & mask).sum(axis=0)
    a, b = fit_beta(count, hits)
    return (a + hits) / (a + b + count)


def fit_beta(count, hits):
    """Return a and b of the Beta prior of largest likelihood of these hits, one rate a record."""

    def loss(theta):
        a, b = np.exp(theta)
        return -(betaln(a + hits, b + count - hits) - betaln(a, b)).mean()

    mean = (hits.sum() + 0.5) / (count.sum() + 1)
    start = np.clip(2 * np.array([mean, 1 - mean]), *COUNTS)
    found = minimize(loss, np.log(start), method="L-BFGS-B", bounds=2 * [np.log(COUNTS)])
    return tuple(map(float, np.exp(found.x)))
