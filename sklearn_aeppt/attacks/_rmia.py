"""RMIA: how often a record's likelihood ratio exceeds those of known non-members."""

from __future__ import annotations

from numbers import Real
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import roc_auc_score
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_aeppt.attacks._masked import masked_mean
from sklearn_aeppt.attacks._record_attack import RecordAttack


class RMIAAttack(RecordAttack):
    """Robust membership inference attack: a likelihood ratio against the population.

    With ``r_x = p_x / pbar_x``, the target's confidence in the label divided by its mean over
    reference models, the score is the share of known non-members z with ``r_x / r_z > gamma``.
    It is counted after one sort, in O((n + z) log z) for n records and z known non-members. The
    attack works with few reference models.

    With ``form="ratio"``, it is ``log r_x`` itself, as BASE has it: the loss, compared with the
    log of the mean of the models' likelihoods. The order of the records is the same, but for those
    that dominate all known non-members, or as many: their shares are equal and their ratios are
    not.

    Parameters
    ----------
    estimator : unfitted classifier, default=None
        The target's kind of model, defended or not; cloned for each reference (shadow) model. A
        model that ``clone`` would keep fitted is refused. None leaves the choice to
        `sklearn_aeppt.audit.audit`, which uses the target's own kind. Not needed where views hold
        the answers of a `ShadowMatrix`.
    n_shadow_models : int >= 2, default=16
        Number of reference models. At least two of them must be trained without each record,
        online also two with it.
    mode : {"online", "offline"}, default="online"
        "online" trains the reference models whenever records are scored, on known and scored
        records together, so that a score depends on the other records of the call. "offline"
        trains them once, in `fit`, on the known records; it estimates the mean over models with
        and without the record by ``((1 + a) pbar_out + 1 - a) / 2``, where a is `offline_a`.
    gamma : float > 0, default=2.0
        Factor by which a record's ratio must exceed that of a non-member.
    offline_a : float in [0, 1] or "auto", default="auto"
        Parameter of the offline mean. "auto" is the one of 11 values from 0 to 1 with the best
        AUC on the records of `fit`.
    form : {"dominance", "ratio"}, default="dominance"
        "dominance" is the share of known non-members, RMIA's; "ratio" is BASE's, which has no
        `gamma`.
    train_size : float in (0, 1), default=0.5
        Share of the records that trains each reference model; ideally the target's own share of
        members.
    fit_params : dict or None, default=None
        What ``fit`` of every reference model is given besides records and labels, see `LiRAAttack`.
    n_jobs : int, default=None
        Number of reference models to train in parallel, through joblib and its current backend.
    memory : str or joblib.Memory, default=None
        Cache of trained reference models, see `LiRAAttack`.
    random_state : int, RandomState instance or None, default=None
        Seeds the split and every ``random_state`` of every reference model. Pass an int for
        reproducible results.
    verbose : int, default=0
        Above 0, a progress bar is shown.

    Attributes
    ----------
    shadow_estimators_ : list of n_shadow_models fitted classifiers
        The reference models; offline only, and not where views hold their answers.
    in_mask_ : boolean ndarray of shape (n_shadow_models, n)
        Which known record trained which of them.
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        Number K of the target's classes.

    See Also
    --------
    LiRAAttack : A likelihood ratio from moments over shadow models.
    BaVarIAAttack : The same with priors for mean and variance.
    ShadowMatrix : Models trained once for several attacks.
    QuantileRegressionAttack : Calibration per example without shadow models.

    References
    ----------
    Zarifzadeh, Liu, Shokri (2024), "Low-cost high-power membership inference attacks", Section 3.
    Lassila et al. (2025), arXiv 2505.24089, for BASE.

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
        "form": [StrOptions({"dominance", "ratio"})],
        "offline_a": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
    }

    def __init__(
        self,
        estimator: BaseEstimator | None = None,
        *,
        n_shadow_models: int = 16,
        mode: str = "online",
        gamma: float = 2.0,
        offline_a: float | str = "auto",
        form: str = "dominance",
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
        self.gamma = gamma
        self.offline_a = offline_a
        self.form = form
        self.train_size = train_size
        self.fit_params = fit_params
        self.n_jobs = n_jobs
        self.memory = memory
        self.random_state = random_state
        self.verbose = verbose

    def _check_counts(self):
        if self._shadows is None:
            return super()._check_counts()
        mask = self._shadows.in_mask
        used = ~mask if self.mode == "offline" else np.ones_like(mask)
        if not used.any(axis=0).all():
            raise ValueError(
                f"mode={self.mode!r}: record {used.any(axis=0).argmin()} trained all of the "
                f"{len(mask)} shadow models in X: give more of them, or mode='online'."
            )

    def _score(self, target, shadows, in_mask, member):
        p = target[..., 0]
        out = masked_mean(shadows[..., 0], ~in_mask)
        if self.mode == "online":
            inside = masked_mean(shadows[..., 0], in_mask)
            mean = (out + inside) / 2
            for only, mask in ((out, ~in_mask), (inside, in_mask)):  # where all or none are in
                mean = np.where(mask.all(axis=0), only, mean)
            return self._against(p, mean, member)
        if self.offline_a != "auto":
            return self._against(p, _offline_mean(out, self.offline_a), member)
        known = member >= 0
        scores = [self._against(p, _offline_mean(out, a), member) for a in np.linspace(0, 1, 11)]
        return max(scores, key=lambda score: roc_auc_score(member[known], score[known]))

    def _against(self, p, mean, member):
        tiny = np.finfo(float).tiny
        mean = np.maximum(mean, tiny)
        if self.form == "ratio":
            return np.log(np.maximum(p, tiny)) - np.log(mean)
        ratio = p / mean
        others = np.sort(ratio[member == 0])
        return np.searchsorted(others, ratio / self.gamma) / len(others)


def _offline_mean(out, a):
    return ((1 + a) * out + 1 - a) / 2
