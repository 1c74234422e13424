"""Scorers of a target's privacy and of a defense's cost, and the paper's rule to choose by both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import BaseCrossValidator, StratifiedKFold, cross_val_predict
from sklearn.utils._param_validation import Options, StrOptions, validate_params

from sklearn_aeppt._ask import ask_as_attacker
from sklearn_aeppt._compat import BaseScorer
from sklearn_aeppt._fitted import is_fitted
from sklearn_aeppt.metrics._membership import as_membership
from sklearn_aeppt.metrics._output import perturbation_size
from sklearn_aeppt.metrics._rates import membership_advantage, tpr_at_fpr


class AttackMetric(NamedTuple):
    """How an attack is judged: its arguments are those of scikit-learn's ``make_scorer``."""

    score_func: Callable[..., float]
    response_method: tuple[str, ...]
    sign: int = -1  # what is good for an attack is bad for privacy
    kwargs: Mapping[str, Any] = {}


# Functions of the module, so that scorers pickle, and without weights: every record counts once.
def _abs_advantage(y_true, y_pred):
    return abs(membership_advantage(y_true, y_pred))


def _accuracy(y_true, y_pred):
    return balanced_accuracy_score(y_true, y_pred)


def _roc_auc(y_true, y_score):
    return roc_auc_score(y_true, y_score)


_DECISIONS = ("predict",)
_SCORES = ("decision_function", "predict_proba", "predict")

SCORER_METRICS = {
    "neg_abs_advantage": AttackMetric(_abs_advantage, _DECISIONS),
    "neg_accuracy": AttackMetric(_accuracy, _DECISIONS),
    "neg_advantage": AttackMetric(membership_advantage, _DECISIONS),
    "neg_roc_auc": AttackMetric(_roc_auc, _SCORES),
    "neg_tpr_at_1%_fpr": AttackMetric(tpr_at_fpr, _SCORES, kwargs={"fpr": 0.01}),
}


class _AttackScorer(BaseScorer):
    """Scorer of a target by what an attack achieves on its outputs."""

    # Membership is what the scorer is about: it is requested without being asked for.
    __metadata_request__score = {"is_member": True}

    def __init__(self, attack, metric, cv, random_state):
        self.attack, self.metric, self.cv, self.random_state = attack, metric, cv, random_state
        if callable(metric):
            self._attack_metric = AttackMetric(metric, _SCORES, sign=1)
        else:
            self._attack_metric = SCORER_METRICS[metric]
        score_func, _, sign, kwargs = self._attack_metric
        # of the target; the attack's own method is resolved when it is asked
        super().__init__(score_func, sign, dict(kwargs), response_method="predict_proba")

    def __repr__(self):
        return f"attack_scorer({self.attack!r}, metric={self.metric!r})"

    def __call__(self, estimator, X, y_true=None, *, is_member=None, **kwargs):
        """Return the score of `estimator` on records X; greater is better.

        y_true is the membership mask, or with `is_member` the true classes, which the attack sees
        then.
        """
        return self._score(None, estimator, X, y_true, is_member=is_member, **kwargs)

    # `method_caller` hands out one column of a binary target, so it is not of use here.
    def _score(self, method_caller, estimator, X, y_true=None, *, is_member=None, **kwargs):
        from sklearn_aeppt.attacks import query  # metrics know no attack at import

        if is_member is None and y_true is None:
            raise ValueError("y_true is None: it must be the membership mask of X's records.")
        if is_member is None:
            is_member, y_class = as_membership(y_true), None
        else:
            is_member, y_class = as_membership(is_member, "is_member"), y_true
        response = self._respond(query(estimator, X, y_class), is_member)
        score = self._score_func(is_member, response, **{**self._kwargs, **kwargs})
        return self._sign * float(score)

    def _respond(self, view, is_member):
        """Return the attack's decision or score of each record, cross-fitted if it is unfitted."""
        attack, names = self._attack(), self._attack_metric.response_method
        method = next((name for name in names if hasattr(attack, name)), None)
        if method is None:
            raise TypeError(
                f"attack={attack!r} has none of {list(names)}: give a binary classifier."
            )
        if is_fitted(attack):
            response = getattr(attack, method)(view)
        else:
            cv = self.cv
            if isinstance(cv, Integral):
                cv = StratifiedKFold(cv, shuffle=True, random_state=self.random_state)
            response = cross_val_predict(
                clone(attack), view, is_member.astype(int), cv=cv, method=method
            )
        response = np.asarray(response)
        response = response[:, 1] if response.ndim == 2 else response
        if method == "predict":
            return as_membership(response, "attack.predict(X)", both=False)
        return response

    def _attack(self):
        if self.attack is not None:
            return self.attack
        from sklearn_aeppt.attacks import GradientBoostingAttack  # as `query` above

        return GradientBoostingAttack(random_state=self.random_state)


@validate_params(
    {
        "attack": [object],
        "metric": [StrOptions(set(SCORER_METRICS)), callable],
        "cv": ["cv_object"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def attack_scorer(
    attack: BaseEstimator | None = None,
    metric: str | Callable[..., float] = "neg_abs_advantage",
    *,
    cv: int | BaseCrossValidator = 5,
    random_state: int | np.random.RandomState | None = None,
) -> Callable[..., float]:
    """Make a scorer of a target's privacy for ``GridSearchCV`` and ``cross_validate``.

    The scorer is called with a target, records X and, as y, their membership mask. It asks the
    target for its outputs on X and lets the attack tell members from non-members. Greater is
    better, that is, more private.

    Parameters
    ----------
    attack : binary classifier, default=None
        A fitted attack stays as it is: the paper's non-adaptive attacker, who is unaware of the
        defense. An unfitted one is cross-fitted on the very outputs it is scored on: the adaptive
        attacker, and the honest choice. None is ``GradientBoostingAttack()``, unfitted: as strong
        as the paper's networks when retrained, in seconds, and without torch.
    metric : str or callable ``metric(y_true, y_score) -> float``, default="neg_abs_advantage"
        - "neg_abs_advantage": minus the absolute `membership_advantage`, that is, twice the
          distance of the balanced accuracy from 50 %, which the paper minimizes. An attack that is
          wrong more often than right reveals as much as one that is right;
        - "neg_accuracy", "neg_advantage": of the attack's decisions; accuracy is balanced;
        - "neg_roc_auc", "neg_tpr_at_1%_fpr": of its scores. Like the two above, they keep growing
          below chance: prefer "neg_abs_advantage" to choose a defense against a fitted attack.

        A callable gets the attack's score (``decision_function``, else the probability of
        "member", else its decisions) and must be greater for better privacy.
    cv : int, cross-validation splitter or iterable of splits, default=5
        Folds of an unfitted attack within the scored records. An int is the number of folds, which
        are shuffled and stratified by membership.
    random_state : int, RandomState instance or None, default=None
        Controls the shuffled folds, and the attack where `attack` is None. Pass an int to make
        the candidates of a search comparable.

    Returns
    -------
    scorer : callable ``scorer(estimator, X, y_true, *, is_member=None) -> float``
        A scorer as those of ``sklearn.metrics.make_scorer``. It pickles if `attack` and `metric`
        do.

    Raises
    ------
    sklearn.exceptions.InvalidParameterError
        If `metric` is neither a callable nor one of the names above.

    See Also
    --------
    perturbation_scorer : What the defense costs.
    aeppt_refit : Choose a candidate by both scorers.
    sklearn.metrics.make_scorer : Scorers of a classifier's own predictions.

    Notes
    -----
    The label that the attack sees is the predicted one, because y carries membership: fit a fixed
    attack on predicted labels too. Under ``sklearn.set_config(enable_metadata_routing=True)``,
    ``search.fit(X, y_class, is_member=mask)`` hands the scorer true classes and membership
    separately. Then the attack sees the true classes, as the paper's adversary does, and
    ``"accuracy"`` and other scorers of classifiers can be used beside it. `is_member` is requested
    by default.

    The outputs of a cross-fitted attack are pooled over its folds before `metric` is computed.

    References
    ----------
    AEPPT (arXiv 2011.13696), Section 5: the step size is chosen by the accuracy of MIM0.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_aeppt.attacks import ThresholdAttack
    >>> from sklearn_aeppt.metrics import attack_scorer
    >>> X, y = load_digits(return_X_y=True)
    >>> is_member = [True] * 300 + [False] * 300
    >>> target = RandomForestClassifier(random_state=0).fit(X[:300], y[:300])
    >>> scorer = attack_scorer(ThresholdAttack(), cv=2, random_state=0)
    >>> scorer(target, X[:600], is_member) < -0.6
    True
    """
    return _AttackScorer(attack, metric, cv, random_state)


class _PerturbationScorer(BaseScorer):
    """Scorer of a defense by the mean size of its perturbation."""

    def __init__(self, base, ord):
        self.base, self.ord = base, ord
        super().__init__(perturbation_size, -1, {"ord": ord}, response_method="predict_proba")

    def __repr__(self):
        return f"perturbation_scorer({self.base!r}, ord={self.ord!r})"

    def __call__(self, estimator, X, y_true=None, **kwargs):
        """Return minus the mean size of the perturbation on records X; y_true is not used."""
        return self._score(None, estimator, X, y_true, **kwargs)

    # `method_caller` hands out one column of a binary target, so it is not of use here.
    def _score(self, method_caller, estimator, X, y_true=None, **kwargs):
        base = estimator.estimator_ if self.base is None else self.base
        before, after = (ask_as_attacker(one, X) for one in (base, estimator))
        return self._sign * self._score_func(before, after, **{**self._kwargs, **kwargs})


@validate_params(
    {"base": [object], "ord": [Options(Real, {1, 2, np.inf})]}, prefer_skip_nested_validation=True
)
def perturbation_scorer(base: BaseEstimator | None = None, ord: float = 1) -> Callable[..., float]:
    """Make a scorer of what a defense costs: minus the mean `perturbation_size`.

    Parameters
    ----------
    base : fitted classifier, default=None
        The undefended model. None is the defense's own ``estimator_``.
    ord : {1, 2, inf}, default=1
        Norm of each record's change, see `perturbation_size`.

    Returns
    -------
    scorer : callable ``scorer(estimator, X, y_true=None) -> float``
        A scorer as those of ``sklearn.metrics.make_scorer``; at most 0, and 0 for a defense that
        changes nothing.

    Raises
    ------
    sklearn.exceptions.InvalidParameterError
        If `ord` is not one of the norms above.

    See Also
    --------
    attack_scorer : What the defense achieves.
    aeppt_refit : Choose a candidate by both scorers.

    References
    ----------
    AEPPT (arXiv 2011.13696), Tables I and II.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_aeppt.metrics import perturbation_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> sharp, flat = (LogisticRegression(C=C, max_iter=1000).fit(X, y) for C in (1, 1e-3))
    >>> -2 < perturbation_scorer(sharp)(flat, X) < 0
    True
    """
    return _PerturbationScorer(base, ord)


def aeppt_refit(
    cv_results: Mapping[str, Any],
    *,
    neg_abs_advantage: str = "neg_abs_advantage",
    perturbation: str = "perturbation",
    tolerance: float = 1e-9,
) -> int:
    """Choose as the paper does: attack accuracy closest to 50 %, then the least perturbation.

    For ``GridSearchCV(..., scoring={"neg_abs_advantage": attack_scorer(...), "perturbation":
    perturbation_scorer()}, refit=aeppt_refit)``; ``functools.partial`` sets the keywords.

    Parameters
    ----------
    cv_results : dict of ndarray of shape (n_candidates,)
        ``GridSearchCV.cv_results_``.
    neg_abs_advantage : str, default="neg_abs_advantage"
        Name in `scoring` of the scorer of privacy; greater is better.
    perturbation : str, default="perturbation"
        Name in `scoring` of the scorer of the defense's cost; greater is better.
    tolerance : float >= 0, default=1e-9
        Candidates whose advantage is within `tolerance` of the best count as tied. The attack's
        sampling error is a fair choice; the advantage is twice the distance of the accuracy from
        50 %.

    Returns
    -------
    best_index : int
        Index of the chosen candidate; never one whose fit failed (NaN).

    Raises
    ------
    ValueError
        If a scorer is missing, or no candidate has a finite score.

    See Also
    --------
    attack_scorer : Scorer of privacy.
    perturbation_scorer : Scorer of the defense's cost.

    References
    ----------
    AEPPT (arXiv 2011.13696), Section 5.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.metrics import aeppt_refit
    >>> results = {"mean_test_neg_abs_advantage": np.array([-0.2, -0.01, -0.01]),
    ...            "mean_test_perturbation": np.array([-0.1, -0.5, -0.3])}
    >>> aeppt_refit(results)
    2
    """
    private = _mean_score(cv_results, neg_abs_advantage)
    small = _mean_score(cv_results, perturbation)
    valid = np.isfinite(private) & np.isfinite(small)
    if not valid.any():
        raise ValueError("cv_results holds no finite score: every candidate failed.")
    tied = valid & (private >= private[valid].max() - tolerance)
    return int(np.where(tied, small, -np.inf).argmax())


def _mean_score(cv_results, name):
    """Return the mean test score of each candidate under the scorer `name`."""
    if f"mean_test_{name}" not in cv_results:
        given = sorted(k.removeprefix("mean_test_") for k in cv_results if "mean_test_" in k)
        raise ValueError(
            f"cv_results has no scorer {name!r} among {given}: give the scorers the names that "
            "aeppt_refit expects, or pass it theirs with functools.partial(aeppt_refit, ...)."
        )
    return np.asarray(cv_results[f"mean_test_{name}"], dtype=float)
