"""Model stacking: no model sees all the records, and none that a query reaches saw them twice."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils import _safe_indexing, check_random_state, get_tags, indexable
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping, process_routing
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _num_samples,
    assert_all_finite,
    check_is_fitted,
    column_or_1d,
)

from sklearn_aeppt._compat import (
    BaseComposition,
    check_feature_names,
    check_n_features,
    check_sample_weight,
    routing_enabled,
    take_fit_params,
)
from sklearn_aeppt._one_step import OneStep
from sklearn_aeppt._seeding import seed_unseeded
from sklearn_aeppt._unchanged import run_on
from sklearn_aeppt.defenses._wraps import takes_weights


class ModelStackingClassifier(ClassifierMixin, OneStep, BaseComposition):
    """Stack of classifiers, each trained on a part of the records of its own.

    The records are cut into disjoint parts, alike in classes: one for each first-level estimator,
    and one on whose confidences the final estimator learns to combine them. So no estimator can
    overfit to all of the records. Changes the model itself: labels, ranking and calibration
    become those of the stack, whose members had less to learn from.

    Parameters
    ----------
    estimators : list of (str, classifier)
        First-level classifiers with ``predict_proba``.
    final_estimator : classifier with ``predict_proba`` or None, default=None
        Combines their confidences. None is ``LogisticRegression(max_iter=1000)``.
    n_jobs : int or None, default=None
        First-level classifiers trained at once, as joblib counts them.
    random_state : int, RandomState instance or None, default=None
        Governs the parts, and seeds the classifiers whose own `random_state` is None.

    Attributes
    ----------
    stack_ : StackingClassifier
        The fitted stack; its ``final_estimator_.estimator_`` is the fitted final estimator.
    parts_ : list of int ndarray
        Rows of each part, the final estimator's last.
    classes_ : ndarray of shape (K,)
        Class labels.
    n_features_in_ : int
        Number of features; only if the records have a fixed width.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if the records have names, all of them strings.

    See Also
    --------
    sklearn.ensemble.StackingClassifier : Every first-level classifier sees all the records.
    DropoutClassifier : Narrows the same gap within one network.

    References
    ----------
    Salem, Zhang, Humbert, Berrang, Fritz, Backes (2019), "ML-Leaks", Section VI.B: a network and
    a random forest under a logistic regression.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_aeppt.defenses import ModelStackingClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0)
    >>> stack = ModelStackingClassifier([("nb", GaussianNB()), ("forest", forest)], random_state=0)
    >>> stack.fit(X, y).score(X, y) > 0.9
    True
    """

    _parameter_constraints: dict = {
        "estimators": [list],
        "final_estimator": [HasMethods(["fit", "predict_proba"]), None],
        "n_jobs": [int, None],
        "random_state": ["random_state"],
    }

    #: Weights are for the classifiers inside, which request them or do not.
    __metadata_request__fit = {"sample_weight": UNUSED}

    def __init__(
        self,
        estimators: list[tuple[str, BaseEstimator]],
        final_estimator: BaseEstimator | None = None,
        *,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimators = estimators
        self.final_estimator = final_estimator
        self.n_jobs = n_jobs
        self.random_state = random_state

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Include the named estimators, and the parameters of each as ``name__parameter``.

        Returns
        -------
        params : dict of str to object
            Name -> value of each parameter.
        """
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Set parameters.

        Parameters
        ----------
        **params : dict
            Parameters by the names of `get_params`, such as ``forest__n_estimators=10``, or a
            named estimator itself.

        Returns
        -------
        self : ModelStackingClassifier
            The same classifier; a change takes effect at the next `fit`.

        Raises
        ------
        ValueError
            If there is no parameter of that name.
        """
        self._set_params("estimators", **params)
        return self

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train each first-level estimator on its part, then the final one on the last part.

        Parameters
        ----------
        X : records
            Passed to the estimators as they are.
        y : array-like of shape (n,)
            Class labels, of two classes or more.
        sample_weight : array-like of shape (n,), default=None
            Weights of the records; every classifier inside gets those of its part, and has to
            take them. With scikit-learn's metadata routing enabled, those that request them do.
            The parts count records, whatever they weigh.

        Returns
        -------
        self : ModelStackingClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter or a name is invalid, if `y` is missing, invalid or holds one class
            only, if lengths differ, if `X` holds NaN and an estimator does not allow it, or if
            weights are given and an estimator takes none.
        """
        self._validate_params()
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None.")
        labels = column_or_1d(y, warn=True)
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        X, labels = indexable(X, labels)
        check_feature_names(self, X, reset=True)
        check_n_features(self, X, reset=True)
        if hasattr(X, "dtype") and not get_tags(self).input_tags.allow_nan:
            assert_all_finite(X, input_name="X")  # whichever part a missing value falls into
        names = [name for name, _ in self.estimators]
        self._validate_names(names)
        rng = check_random_state(self.random_state)
        parts = disjoint_parts(labels, len(self.estimators) + 1, rng)
        weights = self._weights(sample_weight, X, parts)
        fitted = Parallel(n_jobs=self.n_jobs)(
            delayed(seed_unseeded(clone(estimator), rng).fit)(
                _safe_indexing(X, rows), labels[rows], **weight
            )
            for (_, estimator), rows, weight in zip(self.estimators, parts, weights)
        )
        final = seed_unseeded(clone(self._final), rng)
        self.stack_ = StackingClassifier(
            [(name, FrozenEstimator(model)) for name, model in zip(names, fitted)],
            OnLabels(final, np.unique(labels[parts[-1]])),
            cv="prefit",
            stack_method="predict_proba",
        )
        last = _safe_indexing(X, parts[-1])
        run_on(self.stack_, "fit", last, labels[parts[-1]], **weights[-1])
        self.parts_ = parts
        self.classes_ = self.stack_.classes_
        return self

    @property
    def _final(self):
        given = self.final_estimator
        return LogisticRegression(max_iter=1000) if given is None else given

    def _inside(self):
        return [*self.estimators, ("final_estimator", self._final)]

    def _weights(self, sample_weight, X, parts):
        """Return the weights as keywords of each classifier's ``fit``, the final one last."""
        if sample_weight is None:
            return [{}] * len(parts)
        weight = check_sample_weight(sample_weight, X)
        if routing_enabled():
            routed = process_routing(self, "fit", sample_weight=weight)
            given = [routed[name].fit for name, _ in self._inside()]
        else:
            for name, estimator in self._inside():
                if not takes_weights(estimator):
                    raise ValueError(
                        f"sample_weight is given, but {name}={estimator!r} takes none: use an "
                        "estimator that does, or leave the weights out."
                    )
            given = [{"sample_weight": weight}] * len(parts)
        return [take_fit_params(X, params, rows) for params, rows in zip(given, parts)]

    def get_metadata_routing(self) -> MetadataRouter:
        """Return who takes which metadata, see scikit-learn's user guide on metadata routing.

        Returns
        -------
        routing : sklearn.utils.metadata_routing.MetadataRouter
            ``fit`` hands weights to that of every named estimator and of "final_estimator".
        """
        training = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self)
        for name, estimator in self._inside():
            router.add(**{name: estimator}, method_mapping=training)
        return router

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the stack's confidences, those of the final estimator.

        Parameters
        ----------
        X : records of length n
            Passed to the first-level estimators as they are.

        Returns
        -------
        proba : float ndarray of shape (n, K)
            Probability vectors, columns in the order of ``classes_``, of the final estimator's
            dtype.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the stack is not fitted.
        ValueError
            If `X` has another number of features or other names than in `fit`.
        """
        check_is_fitted(self)
        check_feature_names(self, X, reset=False)
        if getattr(X, "ndim", 2) > 1:  # else the estimators know best what is wrong
            check_n_features(self, X, reset=False)
        return run_on(self.stack_, "predict_proba", X)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most likely class of each record.

        Parameters
        ----------
        X : records of length n
            Passed to the first-level estimators as they are.

        Returns
        -------
        y_pred : ndarray of shape (n,)
            Class labels, of the dtype of ``classes_``: the argmax of each row of `predict_proba`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the stack is not fitted.
        ValueError
            If `X` has another number of features or other names than in `fit`.
        """
        most_likely = self.predict_proba(X).argmax(axis=1)
        return self.classes_[most_likely]

    def __sklearn_is_fitted__(self):
        return hasattr(self, "stack_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = [get_tags(estimator).input_tags for _, estimator in self.estimators]
        tags.input_tags.sparse = all(t.sparse for t in inner)
        tags.input_tags.allow_nan = all(t.allow_nan for t in inner)
        return tags


class OnLabels(ClassifierMixin, BaseEstimator):
    """Classifier of indices of classes whose estimator learns the labels that these stand for.

    A `StackingClassifier` hands indices to its final estimator, whose own parameters, such as
    `class_weight`, may name labels.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        The estimator; `fit` trains a clone.
    classes : ndarray of shape (K,)
        Label of each index, in order.
    """

    def __init__(self, estimator: BaseEstimator, classes: np.ndarray) -> None:
        self.estimator = estimator
        self.classes = classes

    def fit(self, X, y, **fit_params):
        """Train the estimator on the labels of the indices `y`."""
        self.estimator_ = clone(self.estimator).fit(X, self.classes[y], **fit_params)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        """Return the estimator's confidences."""
        return self.estimator_.predict_proba(X)

    def predict(self, X):
        """Return the index of the most likely class of each record."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def disjoint_parts(y: np.ndarray, n_parts: int, rng: np.random.RandomState) -> list[np.ndarray]:
    """Return `n_parts` arrays of rows, of about equal size and alike in classes."""
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        raise ValueError(
            f"y holds {classes.tolist()}, n_samples={len(y)}: a classifier needs two classes."
        )
    part = np.empty(_num_samples(y), dtype=int)
    for label, count in zip(classes, counts):
        # a class too rare for all parts is first of all known to the final estimator
        first = rng.randint(n_parts) if count >= n_parts else n_parts - 1
        part[rng.permutation(np.flatnonzero(y == label))] = (first + np.arange(count)) % n_parts
    return [np.flatnonzero(part == i) for i in range(n_parts)]
