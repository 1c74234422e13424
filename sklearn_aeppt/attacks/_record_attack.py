"""What attacks that compare each record with shadow models have in common."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_aeppt._fitted import FittedInside
from sklearn_aeppt._records import join_records, number_records
from sklearn_aeppt.attacks._base import ScoreAttack, best_threshold
from sklearn_aeppt.attacks._fit_params import read_fit_params
from sklearn_aeppt.attacks._query import View, check_membership, read_records
from sklearn_aeppt.attacks._shadow_models import (
    ask_shadow_models,
    balanced_design,
    check_refittable,
    label_and_rest,
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


class RecordAttack(ShadowModels, ScoreAttack):
    """Base class of LiRA and RMIA: the target's output for a record next to shadow models'.

    A subclass implements ``_score(target, shadows, in_mask, member)``: the outputs of the target
    and of the shadow models for each record (the label's confidence and the sum of the others),
    which shadow models each record trained, and membership (1, 0, or -1 for records to score).
    """

    per_record = True

    _parameter_constraints: dict = {
        **SHADOW_CONSTRAINTS,
        "n_shadow_models": [Interval(Integral, 2, None, closed="left")],
        "mode": [StrOptions({"online", "offline"})],
        "train_size": [Interval(Real, 0, 1, closed="neither")],
    }

    def fit(self, X: View, y: ArrayLike) -> Self:
        """Store the known records; with ``mode="offline"``, train the shadow models on them.

        Parameters
        ----------
        X : SliceDict of `query`
            The known records and the target's outputs for them: confidences and label indices.
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
        check_refittable(self)
        self.estimator = clone(self.estimator)  # the twin's own, which it may train when asked
        records, proba, label, labels = read_records(self, X, reset=True)
        given = read_fit_params(self, X)
        classes, member = check_membership(y, len(proba))
        trained_by = self.train_size * self.n_shadow_models
        n_out, n_in = int(self.n_shadow_models - trained_by), int(trained_by)
        if n_out < 2 or (self.mode == "online" and n_in < 2):
            raise ValueError(
                f"n_shadow_models={self.n_shadow_models} and train_size={self.train_size} leave "
                f"{n_in} shadow model(s) trained with a given record and {n_out} without it: at "
                "least 2 are needed to estimate the spread. Raise n_shadow_models."
            )
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._known = records, proba, label, labels, member
        self._given = given
        if self.mode == "offline":
            self.in_mask_, self._answers, self.shadow_estimators_ = self._train(
                records, (label, labels), given, keep_models=True
            )
        self.classes_ = classes
        return self

    def _train(self, records, labels, given, *, keep_models):
        rng = check_random_state(self._seed)
        in_mask = balanced_design(self.n_shadow_models, records, self.train_size, rng, labels[0])
        answers, models = train_shadow_models(
            self,
            records,
            labels,
            in_mask,
            given,
            self.n_features_in_,
            seed=self._seed,
            read=label_and_rest,
            keep_models=keep_models,
        )
        return in_mask, answers, models

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
        asked, proba, label, labels = read_records(self, X, reset=False)
        known, known_proba, known_label, known_labels, member = self._known
        n_known = len(member)
        pool, pool_label = join_records(known, asked), np.r_[known_label, label]
        if self.mode == "online":
            pool_labels = pool_label, np.concatenate([known_labels, labels])
            given = self._given.joined(read_fit_params(self, X))
            in_mask, shadows, _ = self._train(pool, pool_labels, given, keep_models=False)
        else:
            in_mask, shadows = self._ask(asked, label, number_records(pool))
        target = label_and_rest(np.concatenate([known_proba, proba]), pool_label)
        member = np.r_[member, np.full(len(label), -1)]
        score = self._score(target, shadows, in_mask, member)
        threshold = best_threshold(score[:n_known], member[:n_known])
        return score[n_known:] - threshold

    def _ask(self, asked, label, number):
        n_known = self.in_mask_.shape[1]
        models, n_classes = self.shadow_estimators_, self.n_features_in_
        columns = label_columns(self._known[2], self._known[3])
        answers = ask_shadow_models(
            self, models, asked, label, n_classes, columns, read=label_and_rest
        )
        # an asked record that equals a known one trained the same models
        first = np.unique(number, return_index=True)[1][number[n_known:]]
        trained = self.in_mask_[:, first.clip(max=n_known - 1)] & (first < n_known)
        return np.hstack([self.in_mask_, trained]), np.hstack([self._answers, answers])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


def masked_mean(values, mask):
    """Return the mean over models of the values that the mask marks, shape (n,)."""
    return np.where(mask, values, 0).sum(axis=0) / np.maximum(mask.sum(axis=0), 1)
