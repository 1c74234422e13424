"""BaVarIA: likelihood ratios of normal answers whose means and variances have priors."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import StrOptions

from sklearn_aeppt.attacks._masked import moments
from sklearn_aeppt.attacks._normal_inverse_gamma import fit_prior, log_sf, predictive, update
from sklearn_aeppt.attacks._record_statistic import StatisticAttack


class BaVarIAAttack(StatisticAttack):
    """Bayesian likelihood ratio attack with shadow models: for few of them.

    As `LiRAAttack`, with what a handful of models leaves unknown of a record's mean and variance
    integrated out. The statistic s of models trained without the record is normal, with

        sigma^2 ~ InvGamma(alpha, beta),   mu | sigma^2 ~ N(m, sigma^2 / kappa)

    and so is, with other values, that of models trained with it. alpha, beta and kappa maximize the
    likelihood of the answers to all records (empirical Bayes). After k answers to a record, with
    mean a and sum of squares Q around it, kappa' = kappa + k, m' = (kappa m + k a) / kappa',
    alpha' = alpha + k / 2 and beta' = beta + Q / 2 + kappa k (a - m)^2 / (2 kappa'), and another
    answer has Student's t distribution with 2 alpha' degrees of freedom, location m' and scale^2
    beta' (kappa' + 1) / (alpha' kappa'). Online, the score is the log of the ratio of the two
    densities at s; offline it is ``-log P(S >= s)`` of models trained without the record.

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
    mode : {"online", "offline", "proxy"}, default="online"
        When shadow models are trained and on what, and where answers of models trained with a
        record come from, as for `LiRAAttack`.
    statistic : {"logit", "loss", "confidence"}, default="logit"
        As for `LiRAAttack`.
    form : {"t", "gaussian"}, default="t"
        "t" is the predictive distribution above. "gaussian" is a normal one with the posterior
        means of mean and variance, ``N(m', beta' / (alpha' - 1))``.
    prior_mean : {"regression", "pooled"}, default="regression"
        "pooled" is one m for all records: their mean. "regression": the m of a record's answers by
        models trained with it is a line over the mean of those by models trained without it, and
        the other way round, fitted to all records. Offline it is pooled.
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
        The shadow models; not online, and not where views hold their answers.
    in_mask_ : boolean ndarray of shape (n_shadow_models, n)
        Which known record trained which of them.
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        Number K of the target's classes.

    See Also
    --------
    LiRAAttack : Moments in the place of priors.
    RMIAAttack : Ratios against the mean over models.
    ShadowMatrix : Models trained once for several attacks.

    References
    ----------
    Brannvall (2026), "Exponential-family membership inference: from LiRA and RMIA to BaVarIA",
    arXiv 2603.11799. How the prior is fitted, and the regression, are ours. Murphy (2007),
    "Conjugate Bayesian analysis of the Gaussian distribution", Section 6, for the densities.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_aeppt.attacks import BaVarIAAttack, query
    >>> rng = np.random.default_rng(0)
    >>> X, y, member = rng.normal(size=(200, 80)), rng.integers(2, size=200), np.arange(200) < 100
    >>> view = query(GaussianNB().fit(X[member], y[member]), X, y)
    >>> half = np.arange(200) % 2 == 0
    >>> attack = BaVarIAAttack(GaussianNB(), n_shadow_models=4, random_state=0)
    >>> attack.fit(view[half], member[half]).score(view[~half], member[~half]) > 0.6
    True
    """

    _parameter_constraints: dict = {
        **StatisticAttack._parameter_constraints,
        "form": [StrOptions({"t", "gaussian"})],
        "prior_mean": [StrOptions({"regression", "pooled"})],
    }

    def __init__(
        self,
        estimator: BaseEstimator | None = None,
        *,
        n_shadow_models: int = 16,
        mode: str = "online",
        statistic: str = "logit",
        form: str = "t",
        prior_mean: str = "regression",
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
        self.statistic = statistic
        self.form = form
        self.prior_mean = prior_mean
        self.train_size = train_size
        self.fit_params = fit_params
        self.n_jobs = n_jobs
        self.memory = memory
        self.random_state = random_state
        self.verbose = verbose

    def _compare(self, s, outside, inside):
        if inside is None:
            return -log_sf(self._predictive(outside, None), s)
        said_in = self._predictive(inside, outside)
        return said_in.logpdf(s) - self._predictive(outside, inside).logpdf(s)

    def _predictive(self, side, beside):
        """Return the distribution of another answer on one side of each record."""
        line = None if beside is None or self.prior_mean == "pooled" else moments(*beside)[1]
        values, mask = side
        return predictive(update(fit_prior(values, mask, line), values, mask), self.form)
