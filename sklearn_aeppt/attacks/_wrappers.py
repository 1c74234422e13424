"""Wrappers around any attack: each changes one thing that it sees or predicts."""

from __future__ import annotations

from copy import copy
from numbers import Integral
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._one_step import OneStep, as_fitted
from sklearn_aeppt._precomputed import PrecomputedClassifier
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.attacks._base import traits_of
from sklearn_aeppt.attacks._query import View, check_membership, read_repeats, read_view


def _attack_has(name):
    return lambda self: hasattr(getattr(self, "attack_", self.attack), name)


def _of_the_attack(trait):
    """Return a property: what the attack inside says of itself."""
    return property(lambda self: getattr(traits_of(self.attack), trait))


def _with_the_rest(view, X):
    """Return the changed answers with what else the adversary sees: records, repeats."""
    return slice_dict(**({**X, **view} if isinstance(X, dict) and "proba" in X else view))


class WrapperAttack(ClassifierMixin, MetaEstimatorMixin, OneStep, BaseEstimator):
    """Base class of the wrappers: an attack inside that sees something other than the view.

    Its traits are those of the attack inside, unless a subclass says otherwise.

    A subclass overrides ``_learn`` (what the attack is trained on), ``_see`` (what it is applied
    to), or ``_says`` (what becomes of its score).
    """

    attack: BaseEstimator | None  # None is the default of `ShadowAttack` alone
    _parameter_constraints: dict = {"attack": [HasMethods(["fit", "predict"])]}

    needs_queries, needs_variants, needs_records = map(
        _of_the_attack, ("needs_queries", "needs_variants", "needs_records")
    )
    needs_shadow_models, lacks_estimator, per_record = map(
        _of_the_attack, ("needs_shadow_models", "lacks_estimator", "per_record")
    )
    learns_undefended, labels_only, adaptive = map(
        _of_the_attack, ("learns_undefended", "labels_only", "adaptive")
    )

    def _take_estimator(self, estimator, fit_params=None):
        """Give the attack inside the kind of model to train, where it lacks one; return self."""
        if traits_of(self.attack).lacks_estimator:
            self.attack = clone(self.attack)._take_estimator(estimator, fit_params)
        return self

    def fit(self, X: View, y: ArrayLike) -> Self:
        """Train a clone of the attack.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs, and whatever else the attack needs. A plain array is read as
            confidences; each record's label is its predicted one then.
        y : array-like of shape (n,)
            Membership, two distinct values; the greater one (1 or True) marks members.

        Returns
        -------
        self : object
            The fitted wrapper.

        Raises
        ------
        ValueError
            If `X` holds no valid outputs, or `y` does not hold two values, one for each record.
        """
        self._validate_params()
        proba, label = read_view(self, X, reset=True)
        self.classes_, member = check_membership(y, len(proba))
        view = _with_the_rest(self._learn(proba, label, member == 1), X)
        self.attack_ = clone(self.attack).fit(view, member)
        return self

    def _learn(self, proba, label, is_member):
        return self._see(proba, label)

    def _see(self, proba, label):
        return slice_dict(proba=proba, label=label)

    def _says(self, score):
        return score

    def _view(self, X):
        check_is_fitted(self)
        return _with_the_rest(self._see(*read_view(self, X, reset=False)), X)

    @available_if(_attack_has("decision_function"))
    @as_fitted
    def decision_function(self, X: View) -> np.ndarray:
        """Score records with the attack inside, if that has a ``decision_function``.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs, as in `fit`.

        Returns
        -------
        score : float ndarray of shape (n,)
            Greater means more likely a member.
        """
        view = self._view(X)
        return self._says(self.attack_.decision_function(view))

    def predict(self, X: View) -> np.ndarray:
        """Classify records as members or non-members.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs, as in `fit`.

        Returns
        -------
        y_pred : ndarray of shape (n,)
            Predicted membership, a value of ``classes_`` for each record.
        """
        view = self._view(X)
        return self.classes_[(self._says(2 * self.attack_.predict(view) - 1) > 0).astype(int)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.poor_score = True
        return tags


class FlipAttack(WrapperAttack):
    """Predict the opposite of what the attack predicts.

    A defense that makes members look like non-members and vice versa hides nothing: a flipped
    signal is still a signal. Fit it on undefended outputs and apply it to defended ones.

    Parameters
    ----------
    attack : attack classifier
        The attack to flip; cloned.

    Attributes
    ----------
    attack_ : estimator
        The fitted attack.
    classes_ : ndarray of shape (2,)
        Non-member, member.

    See Also
    --------
    RoundingAttack : Rounds the confidences first.
    AdversarialTrainingAttack : Trains on outputs that the adversary defended.

    References
    ----------
    AEPPT, Section 5.5 and Table VIII.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import FlipAttack, ThresholdAttack
    >>> proba, member = np.array([[0.9, 0.1], [0.6, 0.4]]), [1, 0]
    >>> FlipAttack(ThresholdAttack(per_class=False)).fit(proba, member).predict(proba)
    array([0, 1])
    """

    learns_undefended = True
    adaptive = False  # an attack trained on defended outputs needs no flip

    def __init__(self, attack: BaseEstimator) -> None:
        self.attack = attack

    def _says(self, score):
        return -score


class RoundingAttack(WrapperAttack):
    """Round the confidences before training and scoring, to remove small perturbations.

    Parameters
    ----------
    attack : attack classifier
        The attack on the rounded confidences; cloned.
    decimals : int >= 0, default=3
        Number of decimals to keep.

    Attributes
    ----------
    attack_ : estimator
        The fitted attack.
    classes_ : ndarray of shape (2,)
        Non-member, member.

    See Also
    --------
    AveragingAttack : Averages repeated outputs instead.
    sklearn_aeppt.defenses.RoundingClassifier : Rounding as a defense.

    References
    ----------
    AEPPT, Section 5.5 and Table VIII.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import RoundingAttack, ThresholdAttack
    >>> proba, member = np.array([[0.9004, 0.0996], [0.6, 0.4]]), [1, 0]
    >>> RoundingAttack(ThresholdAttack(per_class=False)).fit(proba, member).predict(proba)
    array([1, 0])
    """

    _parameter_constraints: dict = {
        **WrapperAttack._parameter_constraints,
        "decimals": [Interval(Integral, 0, None, closed="left")],
    }

    labels_only = False  # rounding can tie the label with another class

    def __init__(self, attack: BaseEstimator, decimals: int = 3) -> None:
        self.attack = attack
        self.decimals = decimals

    def _see(self, proba, label):
        return slice_dict(proba=np.round(proba, self.decimals), label=label)


class AdversarialTrainingAttack(WrapperAttack):
    """Fit a defense of the adversary's own, defend outputs with it, and train on the result.

    The adversary knows the defense's method, but neither its key nor its substitute. Fit the
    attack on undefended outputs, which it defends itself, and apply it to defended ones.

    Parameters
    ----------
    attack : attack classifier
        The attack on the defended outputs; cloned.
    defense : output defense, such as ``AEPPTClassifier(None)``
        The adversary's defense; cloned. Its estimator is not used, since it defends given outputs.

    Attributes
    ----------
    attack_ : estimator
        The fitted attack.
    defense_ : output defense
        The adversary's fitted defense.
    classes_ : ndarray of shape (2,)
        Non-member, member.

    See Also
    --------
    FlipAttack : Flips an attack on undefended outputs instead.
    sklearn_aeppt.AEPPTClassifier : The paper's defense.

    References
    ----------
    AEPPT, Section 5.5 and Table VIII.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt import EqualizedClassifier
    >>> from sklearn_aeppt.attacks import AdversarialTrainingAttack, GradientBoostingAttack
    >>> rng = np.random.default_rng(0)
    >>> proba = np.r_[rng.dirichlet([9, 1, 1], 100), rng.dirichlet([2, 1, 1], 100)]
    >>> attack = AdversarialTrainingAttack(GradientBoostingAttack(), EqualizedClassifier(None))
    >>> attack.fit(proba, np.arange(200) < 100).predict(proba).shape
    (200,)
    """

    _parameter_constraints: dict = {
        **WrapperAttack._parameter_constraints,
        "defense": [HasMethods(["fit", "perturb"])],
    }

    learns_undefended = True
    adaptive = True

    def __init__(self, attack: BaseEstimator, defense: BaseEstimator) -> None:
        self.attack = attack
        self.defense = defense

    def _learn(self, proba, label, is_member):
        defense = copy(self.defense).set_params(
            estimator=PrecomputedClassifier(np.arange(proba.shape[1]))
        )
        self.defense_ = clone(defense).fit(proba[is_member], proba[~is_member])
        return slice_dict(proba=self.defense_.perturb(proba), label=label)


class AveragingAttack(WrapperAttack):
    """Average the outputs of repeated queries before training and scoring.

    Noise drawn anew for each query averages away; against consistent outputs, the attacker gains
    nothing.

    Parameters
    ----------
    attack : attack classifier
        The attack on the averages; cloned.
    n_queries : int >= 1, default=10
        Number of outputs per record to average; views must come from
        ``query(target, X, y, n_queries=...)`` with at least as many.

    Attributes
    ----------
    attack_ : estimator
        The fitted attack.
    classes_ : ndarray of shape (2,)
        Non-member, member.

    See Also
    --------
    VariantsAttack : Learns from outputs for variants of the record.
    query : Makes views with repeated queries.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_aeppt.attacks import AveragingAttack, ThresholdAttack, query
    >>> X, y = load_iris(return_X_y=True)
    >>> view = query(GaussianNB().fit(X[::2], y[::2]), X, y, n_queries=4)
    >>> member = [1, 0] * 75
    >>> AveragingAttack(ThresholdAttack(), n_queries=4).fit(view, member).predict(view).shape
    (150,)
    """

    _parameter_constraints: dict = {
        **WrapperAttack._parameter_constraints,
        "n_queries": [Interval(Integral, 1, None, closed="left")],
    }

    labels_only = False  # an average of confidences is one of confidences

    def __init__(self, attack: BaseEstimator, n_queries: int = 10) -> None:
        self.attack = attack
        self.n_queries = n_queries

    @property
    def needs_queries(self) -> int:
        """Outputs per record that a view must hold: `n_queries`, or more for the attack inside."""
        return max(self.n_queries, traits_of(self.attack).needs_queries)

    def fit(self, X: View, y: ArrayLike) -> Self:
        """Train a clone of the attack on averaged outputs.

        Parameters
        ----------
        X : SliceDict of `query`
            The target's outputs, at least `n_queries` of them per record, and whatever else the
            attack needs.
        y : array-like of shape (n,)
            Membership, two distinct values; the greater one (1 or True) marks members.

        Returns
        -------
        self : AveragingAttack
            The fitted wrapper.

        Raises
        ------
        ValueError
            If `X` holds no valid outputs or fewer than `n_queries` per record, or `y` does not
            hold two values, one for each record.
        """
        self._validate_params()
        return super().fit(self._average(X), y)

    def _view(self, X):
        return super()._view(self._average(X))

    def _average(self, X):
        if self.n_queries == 1:
            return X
        repeats = read_repeats(X, self.n_queries)
        return slice_dict(**{**X, "proba": repeats.mean(axis=1)})
