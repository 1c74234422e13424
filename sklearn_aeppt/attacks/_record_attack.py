"""What attacks that compare each record with shadow models have in common."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._fitted import FittedInside
from sklearn_aeppt._records import join_records, number_records
from sklearn_aeppt.attacks._base import ScoreAttack, best_threshold
from sklearn_aeppt.attacks._fit_params import FitParams, read_fit_params
from sklearn_aeppt.attacks._query import (
    View,
    check_membership,
    read_predicted,
    read_records,
    read_view,
)
from sklearn_aeppt.attacks._shadow_columns import Shadows, read_shadows
from sklearn_aeppt.attacks._shadow_models import (
    answers_seen,
    ask_shadow_models,
    balanced_design,
    check_refittable,
    label_columns,
    train_shadow_models,
)

SHADOW_CONSTRAINTS: dict = {
    "estimator": "no_validation",  # `fit` checks it, to name the fix
    "fit_params": [dict, None],
    "n_jobs": [Integral, None],
    "memory": "no_validation",  # joblib's own message is good
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


class ShadowModels(FittedInside):
    """Mixin of the attacks that train models of the target's kind, their ``estimator``."""

    estimator: BaseEstimator | None
    fit_params: dict[str, Any] | None = None
    needs_records: bool | str = True
    needs_shadow_models = True

    @property
    def lacks_estimator(self) -> bool:
        """Whether the kind of model to train is not given yet."""
        return self.estimator is None

    def _take_estimator(self, estimator, fit_params=None):
        """Train models like this unfitted one, where none was given; return self."""
        if self.estimator is None:
            self.estimator = estimator
            self.fit_params = {**(fit_params or {}), **(self.fit_params or {})}
        return self


class Asked(NamedTuple):
    """What an attack is given of some records."""

    records: Any  # None where the view holds what shadow models answer
    labels: tuple[np.ndarray, np.ndarray]  # as columns of the target, and in its own terms
    answers: np.ndarray  # the target's, as `answers_seen` returns them
    given: FitParams
    decides_otherwise: bool  # than by the argmax of the confidences


class RecordAttack(ShadowModels, ScoreAttack):
    """Base class of LiRA, BaVarIA, RMIA: the target's output for a record next to shadow models'.

    A subclass implements ``_score(target, shadows, in_mask, member)``: the outputs of the target
    and of the shadow models for each record (the label's confidence, the sum of the others, and
    whether the label is predicted), which shadow models each record trained, and membership (1, 0,
    or -1 for records to score).

    A view that holds what shadow models answer, see `ShadowMatrix.join`, is scored by these, and
    nothing is trained.
    """

    per_record = True
    estimator: BaseEstimator | None
    n_shadow_models: int
    mode: str
    train_size: float
    n_jobs: int | None
    random_state: Any
    #: Fewest models trained without a record, and with it, that a score can do with.
    _fewest = 2

    _parameter_constraints: dict = {
        **SHADOW_CONSTRAINTS,
        "n_shadow_models": [Interval(Integral, 2, None, closed="left")],
        "mode": [StrOptions({"online", "offline"})],
        "train_size": [Interval(Real, 0, 1, closed="neither")],
    }

    def fit(self, X: View, y: ArrayLike) -> Self:
        """Store the known records; unless ``mode="online"``, train the shadow models on them.

        Parameters
        ----------
        X : SliceDict of `query`
            The known records and the target's outputs for them: confidences and label indices.
            With the columns of `ShadowMatrix.join`, no shadow model is trained.
        y : array-like of shape (n,)
            Membership, two distinct values; the greater one (1 or True) marks members.

        Returns
        -------
        self : object
            The fitted attack.

        Raises
        ------
        TypeError
            If `estimator` has no ``fit`` or no ``predict_proba``.
        ValueError
            If `estimator` is None or a fitted model that ``clone`` keeps, if `X` holds no records
            or no valid outputs, if `y` does not hold two values, one for each record, or if there
            are too few shadow models.
        """
        self._validate_params()
        self._shadows = read_shadows(X)
        if self._shadows is None:
            check_refittable(self.estimator, type(self).__name__)
            self.estimator = clone(self.estimator)  # the twin's own, which it may train when asked
        known = self._read(X, reset=True)
        classes, self._member = check_membership(y, len(known.answers))
        self._check_counts()
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._known = known
        if self._shadows is None and self.mode != "online":
            found, self.shadow_estimators_ = self._train(known, keep_models=True)
            self.in_mask_, self._answers = found
        self.classes_ = classes
        return self

    def _read(self, X, *, reset):
        if self._shadows is None:
            records, proba, label, labels = read_records(self, X, reset=reset)
            given = read_fit_params(self, X)
        else:
            (proba, label), records = read_view(self, X, reset=reset), None
            labels, given = label, FitParams({}, {})
        said = read_predicted(X, proba)
        otherwise = bool((said != proba.argmax(axis=1)).any())
        return Asked(records, (label, labels), answers_seen(proba, label, said), given, otherwise)

    def _check_counts(self):
        """Refuse fewer shadow models of a kind, for any record, than the score needs."""
        if self._shadows is None:
            trained_by = self.train_size * self.n_shadow_models
            n_out, n_in = int(self.n_shadow_models - trained_by), int(trained_by)
            what = f"n_shadow_models={self.n_shadow_models} and train_size={self.train_size} leave"
            fix = "Raise n_shadow_models."
        else:
            trained_by = self._shadows.in_mask.sum(axis=0)
            n_in, n_out = trained_by.min(), (len(self._shadows.in_mask) - trained_by).min()
            what = "The shadow models in X leave"
            fix = (
                "Give a matrix of more models, for cross-validation one of repeated folds, or use "
                "RMIAAttack, which compares with the mean of all."
            )
        if n_out < self._fewest or (self.mode == "online" and n_in < self._fewest):
            raise ValueError(
                f"{what} {n_in} shadow model(s) trained with a given record and {n_out} without "
                f"it: at least {self._fewest} are needed to estimate the spread. {fix}"
            )

    def _train(self, asked, *, keep_models):
        rng = check_random_state(self._seed)
        in_mask = balanced_design(
            self.n_shadow_models, asked.records, self.train_size, rng, asked.labels[0]
        )
        answers, models = train_shadow_models(
            self.estimator,
            asked.records,
            asked.labels,
            in_mask,
            asked.given,
            self.n_features_in_,
            seed=self._seed,
            read=answers_seen,
            keep_models=keep_models,
            asks_labels=asked.decides_otherwise,
            n_jobs=self.n_jobs,
            memory=self.memory,
            verbose=self.verbose,
        )
        return Shadows(in_mask, answers), models

    def decision_function(self, X: View) -> NDArray[np.float64]:
        """Compare records with shadow models; with ``mode="online"``, train those first.

        Parameters
        ----------
        X : SliceDict of `query`
            Records to score and the target's outputs for them, as in `fit`.

        Returns
        -------
        score : float64 ndarray of shape (n,)
            The attack's score minus the threshold with the best balanced accuracy on the records
            of `fit`.
        """
        check_is_fitted(self)
        asked, n_known = self._read(X, reset=False), len(self._member)
        if self._shadows is not None:
            there = read_shadows(X)
            if there is None:
                raise ValueError(
                    "X holds no shadow models' answers, but the view that fit was given does: make "
                    "both with the join of one ShadowMatrix."
                )
            in_mask, shadows = self._shadows.joined(there)
        elif self.mode == "online":
            (in_mask, shadows), _ = self._train(_join(self._known, asked), keep_models=False)
        else:
            in_mask, shadows = self._ask(asked)
        target = np.concatenate([self._known.answers, asked.answers])
        member = np.r_[self._member, np.full(len(asked.answers), -1)]
        score = self._score(target, shadows, in_mask, member)
        return score[n_known:] - best_threshold(score[:n_known], member[:n_known])

    def _ask(self, asked):
        n_known = len(self._member)
        answers = ask_shadow_models(
            self.shadow_estimators_,
            asked.records,
            asked.labels[0],
            self.n_features_in_,
            label_columns(*self._known.labels),
            n_jobs=self.n_jobs,
            read=answers_seen,
            asks_labels=self._known.decides_otherwise,
        )
        # an asked record that equals a known one trained the same models
        number = number_records(join_records(self._known.records, asked.records))
        first = np.unique(number, return_index=True)[1][number[n_known:]]
        trained = self.in_mask_[:, first.clip(max=n_known - 1)] & (first < n_known)
        return np.hstack([self.in_mask_, trained]), np.hstack([self._answers, answers])

    def _score(self, target, shadows, in_mask, member):
        raise NotImplementedError

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


def _join(known, asked):
    """Return what is given of two tables of records as of one."""
    column, label = (np.concatenate(pair) for pair in zip(known.labels, asked.labels))
    return Asked(
        join_records(known.records, asked.records),
        (column, label),
        np.concatenate([known.answers, asked.answers]),
        known.given.joined(asked.given),
        known.decides_otherwise or asked.decides_otherwise,
    )
