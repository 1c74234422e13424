"""Adaptive attackers: each wraps any attack and does one thing against a defense."""

from copy import copy
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from skorch.helper import SliceDict

from sklearn_aeppt._answers import Answers
from sklearn_aeppt._one_step import OneStep, as_fitted
from sklearn_aeppt._query import check_membership, read_repeats, read_view


def _attack_has(name):
    return lambda self: hasattr(getattr(self, "attack_", self.attack), name)


def _with_the_rest(view, X):
    """Return the changed answers with what else the adversary sees: records, repeats."""
    return SliceDict(**({**X, **view} if isinstance(X, dict) and "proba" in X else view))


class AdaptiveAttack(ClassifierMixin, MetaEstimatorMixin, OneStep, BaseEstimator):
    """Base of the adaptive attacks: an attack of its own behind a change of what it sees.

    A subclass overrides ``_learn`` (what the attack is trained on), ``_see`` (what it is asked
    about), or ``_says`` (what becomes of its answer).
    """

    _parameter_constraints: dict = {"attack": [HasMethods(["fit", "predict"])]}

    def fit(self, X, y):
        """Train a clone of the attack on views `X` and memberships `y`; return self."""
        self._validate_params()
        proba, label = read_view(self, X, reset=True)
        self.classes_, member = check_membership(y, len(proba))
        view = _with_the_rest(self._learn(proba, label, member == 1), X)
        self.attack_ = clone(self.attack).fit(view, member)
        return self

    def _learn(self, proba, label, is_member):
        return self._see(proba, label)

    def _see(self, proba, label):
        return SliceDict(proba=proba, label=label)

    def _says(self, score):
        return score

    def _view(self, X):
        check_is_fitted(self)
        return _with_the_rest(self._see(*read_view(self, X, reset=False)), X)

    @available_if(_attack_has("decision_function"))
    @as_fitted
    def decision_function(self, X):
        """Return the attack's score of each record, ndarray of shape (n,)."""
        view = self._view(X)
        return self._says(self.attack_.decision_function(view))

    def predict(self, X):
        """Return the believed membership of each record, out of ``classes_``, shape (n,)."""
        view = self._view(X)
        return self.classes_[(self._says(2 * self.attack_.predict(view) - 1) > 0).astype(int)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.poor_score = True
        return tags


class FlipAttack(AdaptiveAttack):
    """Say the opposite of what the attack says.

    A defense that makes members look like non-members and the other way round hides nothing: a
    flipped signal is a signal. Train it on undefended answers and ask it about defended ones.

    Parameters
    ----------
    attack : attack estimator

    Attributes
    ----------
    attack_ : estimator
        The fitted attack.
    classes_ : ndarray of shape (2,)
        Non-member, member.

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

    def __init__(self, attack):
        self.attack = attack

    def _says(self, score):
        return -score


class RoundingAttack(AdaptiveAttack):
    """Round the confidences before training and asking, to wipe a small perturbation out.

    Parameters
    ----------
    attack : attack estimator
    decimals : int, default=3

    Attributes
    ----------
    attack_ : estimator
        The fitted attack.
    classes_ : ndarray of shape (2,)
        Non-member, member.

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
        **AdaptiveAttack._parameter_constraints,
        "decimals": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(self, attack, decimals=3):
        self.attack = attack
        self.decimals = decimals

    def _see(self, proba, label):
        return SliceDict(proba=np.round(proba, self.decimals), label=label)


class AdversarialTrainingAttack(AdaptiveAttack):
    """Build a defense of one's own, defend one's own answers with it, and train on the result.

    The adversary knows the method, not its key or its substitute. Train it on undefended answers
    of his own records and ask it about defended ones.

    Parameters
    ----------
    attack : attack estimator
    defense : output defense, such as ``AEPPTClassifier(None)``
        Its estimator is not used: the adversary defends answers.

    Attributes
    ----------
    attack_ : estimator
        The fitted attack.
    defense_ : output defense
        The adversary's own.
    classes_ : ndarray of shape (2,)
        Non-member, member.

    References
    ----------
    AEPPT, Section 5.5 and Table VIII.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt import EqualizedClassifier
    >>> from sklearn_aeppt.attacks import AdversarialTrainingAttack, BoostingAttack
    >>> rng = np.random.default_rng(0)
    >>> proba = np.r_[rng.dirichlet([9, 1, 1], 100), rng.dirichlet([2, 1, 1], 100)]
    >>> attack = AdversarialTrainingAttack(BoostingAttack(), EqualizedClassifier(None))
    >>> attack.fit(proba, np.arange(200) < 100).predict(proba).shape
    (200,)
    """

    _parameter_constraints: dict = {
        **AdaptiveAttack._parameter_constraints,
        "defense": [HasMethods(["fit", "perturb"])],
    }

    def __init__(self, attack, defense):
        self.attack = attack
        self.defense = defense

    def _learn(self, proba, label, is_member):
        defense = copy(self.defense).set_params(estimator=Answers(np.arange(proba.shape[1])))
        self.defense_ = clone(defense).fit(proba[is_member], proba[~is_member])
        return SliceDict(proba=self.defense_.perturb(proba), label=label)


class AveragingAttack(AdaptiveAttack):
    """Average the answers to the same question, asked several times.

    Noise drawn anew for each query averages away; a consistent answer gains the attacker nothing.

    Parameters
    ----------
    attack : attack estimator
    n_queries : int, default=10
        Answers to average; the views must come from ``query(target, X, y, n_queries=...)`` with
        at least as many.

    Attributes
    ----------
    attack_ : estimator
        The fitted attack.
    classes_ : ndarray of shape (2,)
        Non-member, member.

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
        **AdaptiveAttack._parameter_constraints,
        "n_queries": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, attack, n_queries=10):
        self.attack = attack
        self.n_queries = n_queries

    def fit(self, X, y):
        """Train a clone of the attack on averaged answers; return self."""
        self._validate_params()
        return super().fit(self._average(X), y)

    def _view(self, X):
        return super()._view(self._average(X))

    def _average(self, X):
        if self.n_queries == 1:
            return X
        repeats = read_repeats(X, self.n_queries)
        return SliceDict(proba=repeats.mean(axis=1), label=X["label"])
