"""LiRA: how likely the target's output is from models that saw the record and from others."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
from scipy.stats import norm
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import StrOptions

from sklearn_aeppt.attacks._masked import moments
from sklearn_aeppt.attacks._record_statistic import StatisticAttack

#: How many shadow models the pooled variance counts for beside a record's own.
PRIOR_MODELS = 4


class LiRAAttack(StatisticAttack):
    """Likelihood ratio attack with shadow models.

    Online, the score is ``log N(s; mu_in, sd_in) - log N(s; mu_out, sd_out)``, where s is the
    statistic of the target's output and the moments are over the shadow models that were trained
    with the record and without it. Offline, there are only models without the record, and the
    score is ``-log P(S >= s)`` under ``N(mu_out, sd_out)``: one-sided, since models are more
    confident on their members. With proxies, models trained with other records to which models
    answer alike stand in for those trained with the record: the score is the ratio again.

    The adversary knows the membership of some records of the target's population, those of `fit`,
    from which the threshold is learned. Shadow models are trained on these records, and online on
    those to be scored too, each record in a share `train_size` of the models. A defended
    `estimator`, such as ``AEPPTClassifier(MLPClassifier())``, is trained together with its
    defense, which takes the records of the shadow model for members: the attack is adaptive.

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
        "online" trains the shadow models whenever records are scored, on known and scored records
        together, so that a score depends on the other records of the call. "offline" trains them
        once, in `fit`, on the known records. So does "proxy" (PMIA), where the 16 records nearest
        to a record, by what models trained on neither say of them, lend it their answers of models
        trained with them.
    statistic : {"logit", "loss", "confidence"}, default="logit"
        ``log p_y - log sum_{j != y} p_j``, ``log p_y`` or ``p_y``, in float64. Zeros are replaced
        by half of the smallest positive confidence, so that a single vote of a forest does not
        make an astronomical difference.
    variance : {"shrunk", "pooled", "per_record"}, default="shrunk"
        "pooled" is one variance for all records (the mean within records), "per_record" one for
        each record, and "shrunk" one for each record, shrunk towards the pooled one, the more so
        the fewer shadow models there are.
    train_size : float in (0, 1), default=0.5
        Share of the records that trains each shadow model; ideally the target's own share of
        members.
    fit_params : dict or None, default=None
        What the target's ``fit`` was given besides records and labels, the same for all models:
        ``{"eval_set": [(X_val, y_val)]}``, callbacks and the like. Every shadow model gets a copy.
        What has one value for each record, such as ``sample_weight``, is given to `query`, as
        `record_params`.
    n_jobs : int, default=None
        Number of shadow models to train in parallel, through joblib and its current backend.
    memory : str or joblib.Memory, default=None
        Cache of trained shadow models, from which an interrupted run resumes. Its key holds
        parameters, data, split and versions. joblib stores pickles: use a folder that only you
        can write to.
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
    BaVarIAAttack : The same with priors for mean and variance; stronger with few models.
    RMIAAttack : Compares with the population too; works with few shadow models.
    ShadowMatrix : Models trained once for several attacks.
    ShadowAttack : Shadow models without known membership.
    QuantileRegressionAttack : Calibration per example without shadow models.

    References
    ----------
    Carlini et al. (2022), "Membership inference attacks from first principles", Algorithm 1 and
    Section 6. Du et al. (2025), "Cascading and proxy membership inference attacks", arXiv
    2507.21412, for proxies; nearness by the shadow models' answers is as described at `mode`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_aeppt.attacks import LiRAAttack, query
    >>> rng = np.random.default_rng(0)
    >>> X, y, member = rng.normal(size=(200, 80)), rng.integers(2, size=200), np.arange(200) < 100
    >>> view = query(GaussianNB().fit(X[member], y[member]), X, y)
    >>> half = np.arange(200) % 2 == 0
    >>> attack = LiRAAttack(GaussianNB(), random_state=0).fit(view[half], member[half])
    >>> attack.score(view[~half], member[~half]) > 0.6
    True
    """

    _parameter_constraints: dict = {
        **StatisticAttack._parameter_constraints,
        "variance": [StrOptions({"shrunk", "pooled", "per_record"})],
    }

    def __init__(
        self,
        estimator: BaseEstimator | None = None,
        *,
        n_shadow_models: int = 16,
        mode: str = "online",
        statistic: str = "logit",
        variance: str = "shrunk",
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
        self.variance = variance
        self.train_size = train_size
        self.fit_params = fit_params
        self.n_jobs = n_jobs
        self.memory = memory
        self.random_state = random_state
        self.verbose = verbose

    def _compare(self, s, outside, inside):
        mu_out, sd_out = self._moments(*outside)
        if inside is None:
            return -norm.logsf((s - mu_out) / sd_out)
        mu_in, sd_in = self._moments(*inside)
        return norm.logpdf(s, mu_in, sd_in) - norm.logpdf(s, mu_out, sd_out)

    def _moments(self, seen, mask):
        count, mean, squares = moments(seen, mask)
        pooled = squares.sum() / (count - 1).sum()
        weight = {"pooled": np.inf, "per_record": 0, "shrunk": PRIOR_MODELS}[self.variance]
        own = squares / (count - 1)
        share = 1 if weight == np.inf else weight / (weight + count - 1)
        variance = share * pooled + (1 - share) * own
        # a record on which all models agree to the last bit
        return mean, np.sqrt(np.maximum(variance, 1e-6 * seen.var() + 1e-30))
