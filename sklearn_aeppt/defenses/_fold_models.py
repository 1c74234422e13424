"""The models behind an out-of-fold answer, and who of them has not seen which record."""

import numpy as np
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_aeppt._ask import ask
from sklearn_aeppt._compat import take_fit_params
from sklearn_aeppt._members import find_labels
from sklearn_aeppt._record_numbers import must_be_numbers
from sklearn_aeppt.defenses._fold_space import unwrapped

SOURCE, LABELS = "estimator.predict_proba(X)", "estimator.predict(X)"


def fit_without(estimator, X, y, rows, fit_params):
    """Return a model of some of the records; one that knows a single class says just that."""
    labels = y[rows]
    if (labels == labels[0]).all():
        return DummyClassifier(strategy="prior").fit(np.zeros((len(labels), 1)), labels)
    return estimator.fit(_safe_indexing(X, rows), labels, **take_fit_params(X, fit_params, rows))


class FoldModels:
    """Clones, each trained without one fold of one partition.

    Attributes
    ----------
    models : list of fitted classifiers
    classes : ndarray of shape (K,)
    """

    def __init__(self, models, classes):
        self.models = models
        self.classes = classes
        self.columns = [find_labels(classes, model.classes_) for model in models]

    def __len__(self):
        return len(self.models)

    def ask(self, i, X):
        """Return what model `i` says, a column for each class; zero for one it never saw."""
        said = ask(self.models[i], X, source=SOURCE, figures=False)
        if said.shape[1] == len(self.classes) and (np.diff(self.columns[i]) > 0).all():
            return said
        proba = np.zeros((len(said), len(self.classes)), dtype=said.dtype)
        proba[:, self.columns[i]] = said
        return proba

    def prepare(self, X):
        """Return the records as `ask` takes them."""
        return X


class BagModels:
    """The sub-models of a fitted forest or bagging ensemble, each trained on its bootstrap sample.

    Attributes
    ----------
    ensemble : fitted ensemble, maybe in a pipeline
    unseen : bool ndarray of shape (n, n_models)
        Which sub-model has not seen which training record.
    """

    def __init__(self, ensemble, y):
        self.ensemble = ensemble
        n = len(y)
        bag = last_step(ensemble)
        kind = type(bag).__name__
        samples = getattr(bag, "estimators_samples_", None)
        trees = getattr(bag, "estimators_", None)
        if samples is None or not isinstance(trees, list):
            raise ValueError(
                f"cv='oob' needs a forest or bagging ensemble of classifiers, not {kind}: give a "
                "number of folds, such as cv=10."
            )
        if not getattr(bag, "bootstrap", True):
            raise ValueError(
                f"cv='oob' needs sub-models that have not seen all records, but bootstrap=False "
                f"for estimator={kind}: train it with bootstrap=True, or give cv=10."
            )
        known = getattr(bag, "_n_samples", n)
        if known != n:
            raise ValueError(
                f"X has {n} records, but cv='oob' needs those that the estimator was trained on, "
                f"and it was trained on {known}: fit with the same records in the same order."
            )
        self.classes = bag.classes_
        self.unseen = np.ones((n, len(trees)), dtype=bool)
        for i, rows in enumerate(samples):
            self.unseen[rows, i] = False
        self.models = trees
        self.features = getattr(bag, "estimators_features_", None)
        self.prior = (y[:, None] == self.classes).mean(axis=0)
        share = self.unseen.mean()
        # so many that about five sub-models have seen none of them
        self.largest_group = max(1, int(np.log(5 / len(trees)) / np.log(share)) if share < 1 else n)

    def unseen_of(self, group):
        """Return which sub-model has seen no record of the group of each, (n, n_models + 1).

        Where all have, the last column answers: the shares of the classes.
        """
        unseen = np.ones((group.max() + 1, len(self)), dtype=bool)
        np.logical_and.at(unseen, group, np.c_[self.unseen, np.ones(len(group), dtype=bool)])
        unseen[:, -1] = ~unseen[:, :-1].any(axis=1)
        return unseen[group]

    def __len__(self):
        return len(self.models) + 1

    def prepare(self, X):
        """Return what the ensemble itself is given, as the table that its sub-models take."""
        X = unwrapped(self.ensemble, X)[1]
        if self.features is None or isinstance(X, list) or hasattr(X, "iloc"):
            return must_be_numbers(X)
        return X

    def ask(self, i, X):
        """Return what sub-model `i` says, a column for each class."""
        if i == len(self.models):
            return np.tile(self.prior, (_num_samples(X), 1))
        model = self.models[i]
        if self.features is not None:
            X = X[:, self.features[i]]
        options = {"check_input": False} if self._is_checked(model, X) else {}
        said = model.predict_proba(X, **options)
        index = np.asarray(model.classes_).astype(np.int64)  # sub-models know indices of classes
        if len(index) == len(self.classes):
            return said
        proba = np.zeros((len(said), len(self.classes)), dtype=said.dtype)
        proba[:, index] = said
        return proba

    @staticmethod
    def _is_checked(model, X):
        return (
            hasattr(model, "tree_")
            and isinstance(X, np.ndarray)
            and X.dtype == np.float32
            and X.flags.c_contiguous
            and not sparse.issparse(X)
        )


def last_step(estimator):
    """Return the last step of a pipeline, the estimator in a FrozenEstimator, or the estimator."""
    while isinstance(estimator, (FrozenEstimator, Pipeline)):
        estimator = estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator[-1]
    return estimator


def answers(models, X, n_jobs):
    """Return what every model says of every record, float32 of shape (n_models, n, K)."""
    X = models.prepare(X)
    said = Parallel(n_jobs=n_jobs, require="sharedmem")(
        delayed(models.ask)(i, X) for i in range(len(models))
    )
    return np.stack([proba.astype(np.float32, copy=False) for proba in said])


def unseen_answers(models, X, unseen, n_jobs):
    """Return for each training record the mean of the models that have not seen it, (n, K)."""
    total = np.zeros((len(unseen), len(models.classes)))
    X = models.prepare(X)

    def ask_rows(i):
        rows = np.flatnonzero(unseen[:, i])
        return rows, models.ask(i, _safe_indexing(X, rows)) if len(rows) else None

    for rows, said in Parallel(n_jobs=n_jobs, require="sharedmem")(
        delayed(ask_rows)(i) for i in range(len(models))
    ):
        if said is not None:
            total[rows] += said
    return total / unseen.sum(axis=1, keepdims=True)
