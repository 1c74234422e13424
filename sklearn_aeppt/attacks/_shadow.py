"""Shadow-model attack: learn what membership looks like on models of one's own."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval

from sklearn_aeppt._seeding import reseed
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.attacks._gradient_boosting import GradientBoostingAttack
from sklearn_aeppt.attacks._query import check_membership, read_records
from sklearn_aeppt.attacks._record_attack import SHADOW_CONSTRAINTS, ShadowModels
from sklearn_aeppt.attacks._shadow_models import (
    balanced_design,
    check_refittable,
    train_shadow_models,
)
from sklearn_aeppt.attacks._wrappers import WrapperAttack


class ShadowAttack(ShadowModels, WrapperAttack):
    """Train an attack on the answers of shadow models, whose members the adversary knows.

    The adversary needs records of the target's population, not their membership: `y` of `fit`
    only says which value stands for members.

    Parameters
    ----------
    estimator : unfitted classifier or None, default=None
        The target's kind, defended or not; cloned for each shadow model.
        None is for `audit`, which takes the target's kind.
    attack : attack estimator or None, default=None
        Learns from all shadow models' answers; the label is among what it sees. None is
        `GradientBoostingAttack`.
    n_shadow_models : int, default=4
        Shadow models. One is the form of Salem et al.
    train_size : float, default=0.5
        Share of the records that trains a shadow model.
    n_jobs, memory, random_state, verbose
        As in `LiRAAttack`.

    Attributes
    ----------
    attack_ : estimator
        The fitted attack.
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        K.

    References
    ----------
    Shokri et al. (2017), "Membership inference attacks against machine learning models",
    Section V; Salem et al. (2019), "ML-Leaks", Section III.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_aeppt.attacks import ShadowAttack, query
    >>> rng = np.random.default_rng(0)
    >>> X, y, member = rng.normal(size=(200, 40)), rng.integers(2, size=200), np.arange(200) < 100
    >>> view = query(GaussianNB().fit(X[member], y[member]), X, y)
    >>> attack = ShadowAttack(GaussianNB(), random_state=0).fit(view, member)
    >>> attack.score(view, member) > 0.6
    True
    """

    _parameter_constraints: dict = {
        **SHADOW_CONSTRAINTS,
        "attack": [HasMethods(["fit", "predict"]), None],
        "n_shadow_models": [Interval(Integral, 1, None, closed="left")],
        "train_size": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self,
        estimator=None,
        attack=None,
        *,
        n_shadow_models=4,
        train_size=0.5,
        n_jobs=None,
        memory=None,
        random_state=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.attack = attack
        self.n_shadow_models = n_shadow_models
        self.train_size = train_size
        self.n_jobs = n_jobs
        self.memory = memory
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y):
        """Train the shadow models on records of `X` and the attack on their answers.

        Parameters
        ----------
        X : SliceDict of `query`, with the records
        y : array-like of shape (n,)
            Membership in the target, of which only the two values are used.

        Returns
        -------
        self : ShadowAttack

        Raises
        ------
        ValueError
            If the estimator is a fitted model that ``clone`` keeps, or if `X` holds no records.
        """
        self._validate_params()
        check_refittable(self)
        records, proba, label, labels = read_records(self, X, reset=True)
        classes, _ = check_membership(y, len(proba))
        rng = check_random_state(self.random_state)
        design = balanced_design(self.n_shadow_models, records, self.train_size, rng)
        if self.n_shadow_models == 1:  # which is balanced over records instead
            design = rng.permutation(len(label))[None] < self.train_size * len(label)
        answers, _ = train_shadow_models(
            self,
            records,
            (label, labels),
            design,
            proba.shape[1],
            seed=rng.randint(2**31 - 1),
            read=_whole,
            keep_models=False,
        )
        view = slice_dict(
            proba=answers.reshape(-1, proba.shape[1]), label=np.tile(label, self.n_shadow_models)
        )
        attack = GradientBoostingAttack() if self.attack is None else clone(self.attack)
        self.attack_ = reseed(attack, rng).fit(view, design.ravel().astype(int))
        self.classes_ = classes
        return self


def _whole(proba, label):
    return proba
