"""Shadow-model attack: learn what membership looks like from models trained for it."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import joblib
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval

from sklearn_aeppt._seeding import reseed
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.attacks._fit_params import read_fit_params
from sklearn_aeppt.attacks._gradient_boosting import GradientBoostingAttack
from sklearn_aeppt.attacks._query import View, check_membership, read_records
from sklearn_aeppt.attacks._record_attack import SHADOW_CONSTRAINTS, ShadowModels
from sklearn_aeppt.attacks._shadow_models import (
    balanced_design,
    check_refittable,
    train_shadow_models,
)
from sklearn_aeppt.attacks._wrappers import WrapperAttack


class ShadowAttack(ShadowModels, WrapperAttack):
    """Train an attack on the outputs of shadow models, whose members the adversary knows.

    The adversary needs records of the target's population, but not their membership: `y` of `fit`
    only says which value stands for members.

    Parameters
    ----------
    estimator : unfitted classifier, default=None
        The target's kind of model, defended or not; cloned for each shadow model. A model that
        ``clone`` would keep fitted is refused. None leaves the choice to
        `sklearn_aeppt.audit.audit`, which uses the target's own kind.
    attack : attack classifier, default=None
        Trained on the outputs of all shadow models, confidences and labels, and then applied to
        the target's. None is `GradientBoostingAttack`.
    n_shadow_models : int >= 1, default=4
        Number of shadow models. With one it is the attack of Salem et al.
    train_size : float in (0, 1), default=0.5
        Share of the records that trains each shadow model.
    fit_params : dict or None, default=None
        What ``fit`` of every shadow model is given besides records and labels, see `LiRAAttack`.
    n_jobs : int, default=None
        Number of shadow models to train in parallel, through joblib and its current backend.
    memory : str or joblib.Memory, default=None
        Cache of trained shadow models, see `LiRAAttack`.
    random_state : int, RandomState instance or None, default=None
        Seeds the split and every ``random_state`` of every shadow model and of the attack. Pass
        an int for reproducible results.
    verbose : int, default=0
        Above 0, a progress bar is shown.

    Attributes
    ----------
    attack_ : estimator
        The fitted attack.
    classes_ : ndarray of shape (2,)
        Non-member, member.
    n_features_in_ : int
        Number K of the target's classes.

    See Also
    --------
    LiRAAttack : Shadow models compared with the target record by record.
    RMIAAttack : Likelihood ratios from shadow models, compared with the population.

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
        estimator: BaseEstimator | None = None,
        attack: BaseEstimator | None = None,
        *,
        n_shadow_models: int = 4,
        train_size: float = 0.5,
        fit_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
        memory: str | joblib.Memory | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.attack = attack
        self.n_shadow_models = n_shadow_models
        self.train_size = train_size
        self.fit_params = fit_params
        self.n_jobs = n_jobs
        self.memory = memory
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: View, y: ArrayLike) -> Self:
        """Train the shadow models on records of `X`, and the attack on their outputs.

        Parameters
        ----------
        X : SliceDict of `query`
            Records, their label indices, and the target's outputs, which are not trained on.
        y : array-like of shape (n,)
            Membership in the target, of which only the two values are used; the greater one (1 or
            True) stands for members.

        Returns
        -------
        self : ShadowAttack
            The fitted attack.

        Raises
        ------
        TypeError
            If `estimator` has no ``fit`` or no ``predict_proba``.
        ValueError
            If `estimator` is None or a fitted model that ``clone`` keeps, if `X` holds no records
            or no valid outputs, or if `y` does not hold two values, one for each record.
        """
        self._validate_params()
        check_refittable(self.estimator, type(self).__name__)
        records, proba, label, labels = read_records(self, X, reset=True)
        given = read_fit_params(self, X)
        classes, _ = check_membership(y, len(proba))
        rng = check_random_state(self.random_state)
        design = balanced_design(self.n_shadow_models, records, self.train_size, rng, label)
        if self.n_shadow_models == 1:  # which is balanced over records instead
            design = rng.permutation(len(label))[None] < self.train_size * len(label)
        answers, _ = train_shadow_models(
            self.estimator,
            records,
            (label, labels),
            design,
            given,
            proba.shape[1],
            seed=rng.randint(2**31 - 1),
            read=_whole,
            keep_models=False,
            n_jobs=self.n_jobs,
            memory=self.memory,
            verbose=self.verbose,
        )
        view = slice_dict(
            proba=answers.reshape(-1, proba.shape[1]), label=np.tile(label, self.n_shadow_models)
        )
        attack = GradientBoostingAttack() if self.attack is None else clone(self.attack)
        self.attack_ = reseed(attack, rng).fit(view, design.ravel().astype(int))
        self.classes_ = classes
        return self

    def _see(self, proba, label):
        # of shadow models it learned the argmax: of the target, that too, not another decision
        return slice_dict(proba=proba, label=label, predicted=proba.argmax(axis=1))


def _whole(proba, label, said):
    return proba
