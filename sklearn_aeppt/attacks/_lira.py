"""LiRA: how likely the target's answer is from models that saw the record and from others."""

import numpy as np
from scipy.stats import norm
from sklearn.utils._param_validation import StrOptions

from sklearn_aeppt.attacks._record_attack import RecordAttack, masked_mean

#: How many shadow models the pooled variance counts for beside a record's own.
PRIOR_MODELS = 4


class LiRAAttack(RecordAttack):
    """Likelihood ratio attack with shadow models.

    Online, the score is ``log N(s; mu_in, sd_in) - log N(s; mu_out, sd_out)`` of the statistic s
    of the target's answer, with moments over the shadow models that a record trained and that it
    did not. Offline, only models without the record are known, and the score is
    ``-log P(S >= s)`` under ``N(mu_out, sd_out)``: one-sided, for a member is surer than others.

    The adversary of `fit` knows the membership of some records of the target's population: that
    gives the threshold. Shadow models are trained on these records, and online on the asked ones
    too, each record in half of the models. A defended `estimator`, say
    ``AEPPTClassifier(MLPClassifier())``, is trained with its defense, whose members are that half:
    the attack is adaptive.

    Parameters
    ----------
    estimator : unfitted classifier or None, default=None
        The target's kind, defended or not; cloned for each shadow model. Anything that ``clone``
        would hand on fitted is refused.
        None is for `audit`, which takes the target's kind.
    n_shadow_models : int, default=16
        Shadow models.
    mode : {"online", "offline"}, default="online"
        "online" trains them whenever it is asked, on known and asked records together; its
        answers depend on what else is asked. "offline" trains them once, in `fit`, on the known
        records.
    statistic : {"logit", "loss", "confidence"}, default="logit"
        ``log p_y - log sum_{j != y} p_j``, ``log p_y`` or ``p_y``, in float64. Zeros are taken
        for half of the smallest positive confidence seen, so that one vote of a forest is no
        astronomical distance.
    variance : {"shrunk", "pooled", "per_record"}, default="shrunk"
        One variance for all records (the mean within records), one for each, or one for each
        drawn towards that mean, the more so the fewer shadow models there are.
    train_size : float, default=0.5
        Share of the records that trains a shadow model; best the target's own share of members.
    n_jobs : int or None, default=None
        Shadow models trained at once, through joblib and whatever backend it is set to.
    memory : str, joblib.Memory or None, default=None
        Cache of trained shadow models: a run that was cut off goes on where it stopped. Its key
        holds parameters, data, split and versions. joblib stores pickles: use a folder that only
        you can write to.
    random_state : int, RandomState instance or None, default=None
        Seeds the split and every ``random_state`` of every shadow model.
    verbose : int, default=0
        Above 0 shows a progress bar.

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
    Carlini et al. (2022), "Membership inference attacks from first principles", Algorithm 1 and
    Section 6.

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
        **RecordAttack._parameter_constraints,
        "statistic": [StrOptions({"logit", "loss", "confidence"})],
        "variance": [StrOptions({"shrunk", "pooled", "per_record"})],
    }

    def __init__(
        self,
        estimator=None,
        *,
        n_shadow_models=16,
        mode="online",
        statistic="logit",
        variance="shrunk",
        train_size=0.5,
        n_jobs=None,
        memory=None,
        random_state=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.n_shadow_models = n_shadow_models
        self.mode = mode
        self.statistic = statistic
        self.variance = variance
        self.train_size = train_size
        self.n_jobs = n_jobs
        self.memory = memory
        self.random_state = random_state
        self.verbose = verbose

    def _score(self, target, shadows, in_mask, member):
        positive = [a[a > 0].min(initial=1.0) for a in (target, shadows)]
        floor = min(positive) / 2
        s, seen = (self._statistic(answers.clip(floor)) for answers in (target, shadows))
        mu_out, sd_out = self._moments(seen, ~in_mask)
        if self.mode == "offline":
            return -norm.logsf((s - mu_out) / sd_out)
        mu_in, sd_in = self._moments(seen, in_mask)
        return norm.logpdf(s, mu_in, sd_in) - norm.logpdf(s, mu_out, sd_out)

    def _statistic(self, answers):
        mine, others = answers[..., 0], answers[..., 1]
        if self.statistic == "confidence":
            return mine
        return np.log(mine) - np.log(others) if self.statistic == "logit" else np.log(mine)

    def _moments(self, seen, mask):
        count = mask.sum(axis=0)
        mean = masked_mean(seen, mask)
        squares = (np.where(mask, seen - mean, 0) ** 2).sum(axis=0)
        pooled = squares.sum() / (count - 1).sum()
        weight = {"pooled": np.inf, "per_record": 0, "shrunk": PRIOR_MODELS}[self.variance]
        own = squares / (count - 1)
        share = 1 if weight == np.inf else weight / (weight + count - 1)
        variance = share * pooled + (1 - share) * own
        # a record on which all models agree to the last bit
        return mean, np.sqrt(np.maximum(variance, 1e-6 * seen.var() + 1e-30))
