"""The out-of-fold defense: answers of models that have not seen the record next to the query."""

from __future__ import annotations

import warnings
from functools import partial
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import (
    _safe_indexing,
    assert_all_finite,
    check_array,
    check_random_state,
    indexable,
)
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _num_samples,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)
from tqdm.auto import tqdm

from sklearn_aeppt._ask import ask, ask_labels
from sklearn_aeppt._compat import check_feature_names, check_n_features
from sklearn_aeppt._containers import as_array, computed
from sklearn_aeppt._fitted import FittedInside, is_fitted, keeps_a_model, thawed
from sklearn_aeppt._one_step import OneStep
from sklearn_aeppt._records import RecordRows, number_records
from sklearn_aeppt._remember import open_memory, remembered
from sklearn_aeppt._seeding import seed_alike
from sklearn_aeppt._unchanged import run_on
from sklearn_aeppt.defenses._decision import decide_by_argmax
from sklearn_aeppt.defenses._fold_groups import N_NEAR, deal_folds, find_near_duplicates
from sklearn_aeppt.defenses._fold_mix import (
    Calibration,
    mixed,
    neighbor_weights,
    shares_of_models,
)
from sklearn_aeppt.defenses._fold_models import (
    LABELS,
    SOURCE,
    BagModels,
    FoldModels,
    answers,
    fit_without,
    unseen_answers,
)
from sklearn_aeppt.defenses._fold_nearness import choose_nearness, usual
from sklearn_aeppt.defenses._fold_neighborhood import Neighborhood
from sklearn_aeppt.defenses._fold_search import nearest_others
from sklearn_aeppt.defenses._fold_space import RecordSpace
from sklearn_aeppt.defenses._wraps import WrapsClassifier

LARGEST = 0.02  # share of the records that a group of near-duplicates may hold
BLOCK = 1024, 2**24  # records at a time, and numbers that all models say of them


class OutOfFoldClassifier(WrapsClassifier, ClassifierMixin, OneStep, FittedInside, BaseEstimator):
    """Classifier that answers every query by models that have not seen the record next to it.

    The training records are cut into folds, `n_repeats` times, near-duplicates always in one fold
    together, and a clone of `estimator` is trained without each fold. A query x is answered for
    the training records z_1, z_2, ... nearest to it::

        p(x) = sum_k w_k(x) * mean over r of f_(r, fold_r(z_k))(x)

    where ``f_(r, j)`` is the model trained without fold j of partition r, and the weights ``w_k``
    (see `bandwidth`) are zero but for the first at a training record and around it. So what a
    training record is told, its label too, is what it would have been told had it not been among
    the training records. Attackers who use the label alone gain nothing from that record either,
    which no defense that keeps the labels can say.

    Every query costs the same work, whatever it is: all models and one search.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        Cloned for each fold, whether fitted, frozen or not. A fitted one is used as it is for
        ``cv="oob"`` and for the labels of ``labels="kept"``.
    cv : int >= 2, splitter or "oob", default=3
        Number of folds, dealt out evenly within each class; or a scikit-learn splitter whose test
        sets are a partition of the records. "oob": `estimator` is a forest or a bagging ensemble
        with bootstrap, and a query is answered by those of its sub-models that have not seen the
        neighbor. Nothing else is trained; a fitted one has to be fitted on the same records, in
        the same order.
    n_repeats : int >= 1, default=10
        Number of partitions, and of models behind an answer. With few of them, answers jump where
        another record becomes the nearest, which happens around new records and not around
        training records. At the same cost, many partitions into few folds hide more than few into
        many, and models of smaller shares make up for it by their number. No effect with
        ``cv="oob"``, where it is the number of sub-models that counts.
    neighbors : estimator with ``kneighbors`` or None, default=None
        The search; a clone is fitted on the records as numbers, for a Pipeline what its last step
        is given: no further out than the training records reach, and scaled by a power of how much
        a feature moves the models' answers: with a `bandwidth` given, the square for numbers, and
        all alike for bits. None is an exact search: scikit-learn's `NearestNeighbors`, or one as
        exact that is faster among many records of many features. `GraphNeighbors` is an
        approximate one, for millions of records: training records whose own place it misses are
        found in `fit` and searched exactly beside it, and where it misses more than one of a
        hundred, it is refused. What it cannot promise: that all near-duplicates are found, and
        that a record altered by somebody finds the one that it was made from.
    n_neighbors : int >= 1, default=8
        Number of nearest records that are mixed at most.
    bandwidth : float in [0, 1) or "auto", default="auto"
        Width of the mix, relative to the squared distance between neighboring training records; 0
        takes the nearest record alone. "auto" attacks a small copy of the defense, fitted on half
        of the records, with the help of the others, and takes the first of 0.1, 0 and 0.3 that
        leaks no more than the best of them; where records cannot be varied (texts), 0. In the same
        way it finds out how much a feature's use counts in the search.
    duplicate_radius : float >= 0 or "auto", default="auto"
        Distance, in the scaled space of the records, up to which two records are near-duplicates
        and stay in one fold; chains of them too. "auto" takes a share of the median distance
        between neighbors; equal records are together at any radius.
    labels : {"out_of_fold", "kept"}, default="out_of_fold"
        "kept": predict the labels of `estimator` trained on all records, with out-of-fold
        confidences whose largest one changes places with that of the label where it is another.
        What labels alone tell an attacker is not hidden then.
    n_jobs : int or None, default=None
        Models trained, or asked, at once, as joblib counts them, and threads of the exact search;
        None leaves its threads to the libraries that it uses. A search that was given has its own.
    memory : str, joblib.Memory or None, default=None
        Cache of the models that were trained, by their records, parameters and seeds.
    random_state : int, RandomState instance or None, default=None
        Governs the folds, and seeds clones whose own `random_state` is None: alike within a
        partition, so that they differ by their records only.
    verbose : int, default=0
        1 shows a progress bar over the models that are trained.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        Class labels.
    estimators_ : list of classifiers
        The models: fold 0 of partition 0, fold 1, ...; with ``cv="oob"`` the sub-models.
    estimator_ : classifier
        The estimator trained on all records; only with ``labels="kept"`` or ``cv="oob"``.
    fold_ : int ndarray of shape (n_partitions, n)
        Fold of each training record in each partition; not with ``cv="oob"``.
    neighbors_ : estimator with ``kneighbors``
        The fitted search; it holds the training records as scaled numbers, and one number more
        that tells equally near ones apart.
    duplicate_radius_ : float
        The radius that was used.
    n_groups_ : int
        Number of groups of near-duplicates, single records counted.
    bandwidth_ : float
        The width that was used.
    temperature_ : float
        Exponent ``1 / temperature_`` that calibrates the answers, fitted on those to the training
        records, see Notes.
    n_features_in_ : int
        Number of features; only if the records have a fixed width.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if the records have names, all of them strings.

    See Also
    --------
    EqualizedClassifier : Keeps all labels, and hides what confidences add to them.
    sklearn_aeppt.defenses.GraphNeighbors : An approximate search, for many records.
    AEPPTClassifier : The paper's perturbation.
    sklearn.model_selection.cross_val_predict : The same answers to the training records alone.

    Notes
    -----
    The fitted classifier holds its training records, in `neighbors_`: so does a file of it.

    The answers to the training records come from models that have not seen them. They calibrate
    the classifier: a temperature and a small uniform share are fitted to their log loss, which
    change no label.

    References
    ----------
    Tang et al. (2022), "Mitigating Membership Inference Attacks by Self-Distillation Through a
    Novel Ensemble Architecture" (SELENA), looks the training records up exactly and distills.
    Chernozhukov et al. (2018), "Double/debiased machine learning", on cross-fitting.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_aeppt import OutOfFoldClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> tree = DecisionTreeClassifier(random_state=0)
    >>> float(tree.fit(X, y).score(X, y))
    1.0
    >>> defended = OutOfFoldClassifier(tree, bandwidth=0.5, random_state=0).fit(X, y)
    >>> 0.9 < defended.score(X, y) < 1  # as on new records
    True
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "cv": [
            Interval(Integral, 2, None, closed="left"),
            HasMethods("split"),
            StrOptions({"oob"}),
        ],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "neighbors": [HasMethods(["fit", "kneighbors"]), None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "bandwidth": [Interval(Real, 0, 1, closed="left"), StrOptions({"auto"})],
        "duplicate_radius": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "labels": [StrOptions({"out_of_fold", "kept"})],
        "n_jobs": [Integral, None],
        "memory": [str, HasMethods("cache"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: BaseEstimator,
        *,
        cv: Any = 3,
        n_repeats: int = 10,
        neighbors: BaseEstimator | None = None,
        n_neighbors: int = 8,
        bandwidth: float | str = "auto",
        duplicate_radius: float | str = "auto",
        labels: str = "out_of_fold",
        n_jobs: int | None = None,
        memory: Any = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.cv = cv
        self.n_repeats = n_repeats
        self.neighbors = neighbors
        self.n_neighbors = n_neighbors
        self.bandwidth = bandwidth
        self.duplicate_radius = duplicate_radius
        self.labels = labels
        self.n_jobs = n_jobs
        self.memory = memory
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, X: Any, y: ArrayLike, *, sample_weight: ArrayLike | None = None, **fit_params: Any
    ) -> Self:
        """Train the models of all folds.

        Parameters
        ----------
        X : records of length n
            All training records; passed to the estimator as they are.
        y : array-like of shape (n,)
            Class labels, of two classes or more.
        sample_weight : array-like of shape (n,), default=None
            Weights of the records, for the estimator, which has to take them. Folds and the
            calibration count all records alike.
        **fit_params : dict
            Further parameters of the estimator's ``fit``; those with one value for each record
            are cut to the records that train it. With scikit-learn's metadata routing enabled
            they are routed by request.

        Returns
        -------
        self : OutOfFoldClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of its range, if a part of `estimator` would stay fitted in every
            fold, if `y` is missing, invalid or holds one class only, if lengths differ, if there
            are fewer groups of near-duplicates than folds, if a splitter does not test every record
            once, if the records are no numbers and no pipeline makes them so, if `neighbors` misses
            too many of them at their own places, if ``cv="oob"`` is
            given an estimator without bootstrap samples or other records than it was trained on, or
            if parameters are given for the training of a fitted estimator that is used as it is.
        """
        self._validate_params()
        X, y = self._check_training(X, y)
        if sample_weight is not None:
            check_consistent_length(X, sample_weight)
            fit_params = {"sample_weight": sample_weight, **fit_params}
        fit_params = self._routed(fit_params)
        kept = None if self.cv == "oob" else keeps_a_model(clone(thawed(self.estimator)))
        if kept is not None:
            raise ValueError(
                f"estimator={self.estimator!r} holds a fitted model that clone keeps, "
                f"{type(kept).__name__}: the models of all folds would have seen all records. Give "
                "it unfitted, or a fitted forest or bagging ensemble with cv='oob'."
            )
        rng = check_random_state(self.random_state)
        self.classes_ = np.unique(y)
        space = RecordSpace().fit(self.estimator, X, y)
        record, first = self._different(space.transform(X))
        place = space.transform(_safe_indexing(X, first))
        if self.cv == "oob" or self.labels == "kept":
            self._fit_on_all(X, y, fit_params, rng)
        if self.cv == "oob":
            models: Any = BagModels(self.estimator_, y)
            largest: float = models.largest_group
        else:
            largest = max(2, LARGEST * len(first))
        others = None
        if self.duplicate_radius != 0 and len(first) > 1:
            k = max(N_NEAR, self.n_neighbors + 1)
            others = nearest_others(self.neighbors, place, k, self.n_jobs)
        group, self.duplicate_radius_ = find_near_duplicates(
            place, self.duplicate_radius, largest, others
        )
        del place  # as large as X
        self.n_groups_ = int(group.max()) + 1
        if self.cv == "oob":
            unseen = models.unseen_of(group[record])
        else:
            models, unseen = self._fit_folds(X, y, group[record], fit_params, rng)
        self.estimators_ = models.models
        self._models, self._unseen = models, unseen[first]
        self._space = space.weigh(self._some(models), X, rng)
        self._first, self._group = first, group
        honest = unseen_answers(models, X, unseen, self.n_jobs)
        self._calibrated = Calibration().fit(honest, np.searchsorted(self.classes_, y))
        self.temperature_ = float(self._calibrated.temperature)
        if self.bandwidth == "auto":
            power, width = choose_nearness(self, space, X, y, group[record], fit_params, rng)
        else:
            power, width = usual(space)[0], self.bandwidth
        self._near = self._near_with(power, X, rng, others)
        while self._near.n_missed_ and power > 0:  # places too close: less apart by use
            power = power - 1 if power > 1 else 0
            self._near = self._near_with(power, X, rng, others)
        self._must_find_all()
        self.neighbors_ = self._near.search_
        self.bandwidth_ = float(width)
        return self

    def _check_training(self, X, y):
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: give "
                "the class labels of the training records."
            )
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        X, y = indexable(_sliceable(X), y)
        check_feature_names(self, X, reset=True)
        check_n_features(self, X, reset=True)
        if not len(y):
            raise ValueError("X and y are empty, 0 sample(s): give the training records.")
        if (y == y[0]).all():
            raise ValueError(
                f"y holds one class only, {y[0]!r}, n_samples={len(y)}: a classifier needs two."
            )
        return X, y

    @staticmethod
    def _different(place):
        """Return the number of each record, alike for equal places, and the first row of each."""
        record = number_records(place)
        return record, np.unique(record, return_index=True)[1]

    def _fit_on_all(self, X, y, fit_params, rng):
        if not is_fitted(self.estimator):
            model = seed_alike(clone(self.estimator), int(rng.randint(2**31 - 1)))
            self.estimator_ = run_on(model, "fit", X, y, **fit_params)
            return
        if fit_params and self.cv == "oob":
            raise ValueError(
                f"{next(iter(fit_params))} is for training, and with cv='oob' nothing is trained "
                "but an unfitted estimator: leave it out, or give the estimator unfitted."
            )
        self.estimator_ = self.estimator
        if not np.array_equal(self.estimator.classes_, self.classes_):
            raise ValueError(
                f"y holds the classes {self.classes_.tolist()[:10]}, but the fitted estimator "
                f"knows {self.estimator.classes_.tolist()[:10]}: give the records and labels that "
                "it was trained on."
            )

    def _fit_folds(self, X, y, group, fit_params, rng):
        """Return the models of all folds, and which of them have not seen which record."""
        self.fold_ = deal_folds(self.cv, self.n_repeats, X, y, group, rng)
        memory = open_memory(self.memory)
        calls, unseen = [], []
        for fold in self.fold_:
            seed = int(rng.randint(2**31 - 1))
            for k in np.unique(fold):
                rows = np.flatnonzero(fold != k)
                unfitted = seed_alike(clone(thawed(self.estimator)), seed)
                calls.append(
                    remembered(memory, partial(fit_without, unfitted, X, y, rows, fit_params))
                )
                unseen.append(fold == k)
        fitted = Parallel(n_jobs=self.n_jobs, return_as="generator")(
            delayed(call)() for call in calls
        )
        shown = tqdm(
            fitted,
            desc=type(self).__name__,
            total=len(calls),
            unit="model",
            disable=not self.verbose,
        )
        return FoldModels(list(shown), self.classes_), np.stack(unseen, axis=1)

    def _some(self, models):
        """Return the models that say what moves their answers: the ensemble, or one a partition."""
        if isinstance(models, BagModels):
            return [models.ensemble]
        starts = np.cumsum([0, *(len(np.unique(fold)) for fold in self.fold_[:-1])])
        return [models.models[i] for i in starts[:3]]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the confidences of the models that have not seen the records next to each query.

        Parameters
        ----------
        X : records of length n
            Passed to the models as they are.

        Returns
        -------
        proba : float64 ndarray of shape (n, K)
            Probability vectors, columns in the order of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        ValueError
            If `X` has another number of features or other names than in `fit`.
        """
        check_is_fitted(self)
        check_feature_names(self, X, reset=False)
        if getattr(X, "ndim", 2) > 1:  # else the models know best what is wrong
            check_n_features(self, X, reset=False)
        elif hasattr(self, "n_features_in_"):
            check_array(X, dtype=None)  # scikit-learn's own message, how to reshape it
        X = _sliceable(X)
        n = _num_samples(X)
        proba = np.empty((n, len(self.classes_)))
        size = max(1, min(BLOCK[0], BLOCK[1] // (len(self._models) * len(self.classes_))))
        for start in range(0, n, size):
            rows = np.arange(start, min(start + size, n))
            block = X if len(rows) == n else _safe_indexing(X, rows)
            said = answers(self._models, block, self.n_jobs)
            proba[rows] = self._mixed(said, self._near, self._near(block), self.bandwidth_)
        if self.labels == "kept" and n:
            asked = partial(ask, self.estimator_, X, source=SOURCE, figures=False)
            label = ask_labels(self.estimator_, X, asked(), source=LABELS, figures=False)
            proba = decide_by_argmax(proba, label)
        return proba

    def _near_with(self, power, X, rng, others=None):
        """Return the search among training records, columns scaled by a power of their use.

        `others` are the nearest other records as long as all columns count alike.
        """
        near = Neighborhood(self.neighbors, self.n_neighbors + 1, self.n_jobs)
        space = self._space.at(power)
        place = space.transform(_safe_indexing(X, self._first))
        others = others if power == 0 or self._space.use_ is None else None
        return near.fit(space, place, self._group, rng, others)

    def _must_find_all(self):
        """Refuse a search that misses training records: models that have seen them would answer."""
        n = self._near.n_missed_
        missed = f"{n} of {len(self._first)} training records"
        if n and self.neighbors is not None:
            raise ValueError(
                f"neighbors={self.neighbors!r} does not find {missed} at their own places, where "
                "models that have seen them would answer: give an index that searches more "
                "thoroughly, or neighbors=None, which is exact."
            )
        if n:
            warnings.warn(
                f"duplicate_radius={self.duplicate_radius!r} keeps apart records that are too near "
                f"to each other for a search: models that have seen them may answer {missed}. Give "
                f"a larger one than {self.duplicate_radius_:.3g}.",
                stacklevel=3,
            )

    def _mixed(self, said, near, found, bandwidth):
        """Return what is shown of what all models said, where a search found these neighbors."""
        distance, index = found
        weight = neighbor_weights(distance, near.nearest_other_[index[:, 0]], bandwidth)
        return self._calibrated(mixed(said, shares_of_models(weight, index, self._unseen)))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of the confidences.

        Parameters
        ----------
        X : records of length n
            Passed to the models as they are.

        Returns
        -------
        log_proba : float64 ndarray of shape (n, K)
            Natural logarithm of `predict_proba`.
        """
        return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most likely class of each record.

        Parameters
        ----------
        X : records of length n
            Passed to the models as they are.

        Returns
        -------
        y_pred : ndarray of shape (n,)
            Class labels, of the dtype of ``classes_``: the argmax of each row of `predict_proba`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        ValueError
            If `X` has another number of features or other names than in `fit`.
        """
        most_likely = self.predict_proba(X).argmax(axis=1)
        return self.classes_[most_likely]

    def __sklearn_is_fitted__(self):
        return hasattr(self, "bandwidth_")


def _sliceable(X):
    """Return records as a table whose rows can be taken."""
    X = RecordRows(computed(X)).X
    return X if hasattr(X, "__getitem__") or not hasattr(X, "__array__") else as_array(X)
