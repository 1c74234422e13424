"""Shadow models that are there already: folds, and sub-models that did not draw a record."""

import numpy as np
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklearn_aeppt._members import check_labels, find_labels
from sklearn_aeppt._records import number_records
from sklearn_aeppt._unchanged import run_on
from sklearn_aeppt.attacks._shadow_models import (
    answers_seen,
    ask_shadow_models,
    label_columns,
)

NUMBERS_AT_ONCE = 2**24  # confidences of all sub-models


def answers_of_folds(models, trains, X, y, n=None):
    """Return (in_mask, answers) of models and the rows that each was trained on.

    Equal records count as one: a model that was trained on one of them knows the others.
    """
    y = check_labels(y, _num_samples(X), "y")
    n = max((int(np.max(rows, initial=-1)) + 1 for rows in trains), default=0) if n is None else n
    if n > len(y):
        raise ValueError(
            f"X has {len(y)} records, and the models were trained on {n} or more: give the same "
            "records, in the same order."
        )
    number = number_records(X)
    trained = np.zeros((len(models), number.max() + 1), dtype=bool)
    for row, rows in zip(trained, trains):
        row[number[rows]] = True
    classes, label = np.unique(y, return_inverse=True)
    _check_classes(models, classes)
    columns = label_columns(label, y)
    answers = ask_shadow_models(models, X, label, len(classes), columns, read=answers_seen)
    return trained[:, number], answers


def _check_classes(models, classes):
    for model in models:
        known = np.asarray(model.classes_)
        unknown = known[find_labels(classes, known) < 0].tolist()
        if unknown:
            raise ValueError(
                f"y holds no {unknown[0]!r}, which a model was trained on: give the same labels."
            )


def answers_of_forests(ensemble, X, y, n_shadow_models, rng):
    """Return (in_mask, answers) of small ensembles of sub-models, put together for each record."""
    y = check_labels(y, _num_samples(X), "y")
    if isinstance(n_shadow_models, bool) or n_shadow_models < 4:
        raise ValueError(f"n_shadow_models={n_shadow_models!r}: give a whole number >= 4.")
    X, bag = _unwrapped(ensemble, X)
    drew = _who_drew(bag, number_records(X), len(y))
    in_mask, chosen = small_ensembles(drew, n_shadow_models, rng)
    label = find_labels(bag.classes_, y)
    if (label < 0).any():
        unknown = y[label < 0].tolist()[0]
        raise ValueError(
            f"y holds {unknown!r}, which {type(bag).__name__} does not know: give the same labels."
        )
    answers = np.empty((*in_mask.shape, 3))
    step = max(1, NUMBERS_AT_ONCE // (len(drew) * len(bag.classes_)))
    for start in range(0, len(y), step):
        rows = np.arange(start, min(start + step, len(y)))
        asked = _safe_indexing(X, rows)
        said = np.stack([_ask(bag, i, asked) for i in range(len(drew))])
        for m, mine in enumerate(chosen[:, rows]):
            proba = said[mine, np.arange(len(rows))[:, None]].mean(axis=1)
            answers[m, rows] = answers_seen(proba, label[rows], proba.argmax(axis=1))
    return in_mask, answers


def small_ensembles(drew, n_models, rng):
    """Put sub-models together, for each record on its own.

    Parameters
    ----------
    drew : boolean ndarray of shape (n_sub_models, n)
        Which sub-model drew which record.
    n_models : int
    rng : RandomState

    Returns
    -------
    in_mask : boolean ndarray of shape (n_models, n)
        Half of the models of a record are trained with it: they hold sub-models as they come.
    chosen : int ndarray of shape (n_models, n, size)
        The sub-models, none of them twice for a record.
    """
    n_sub, n = drew.shape
    in_mask = rng.random_sample((n_models, n)).argsort(axis=0) < n_models // 2
    n_in, n_out = n_models // 2, n_models - n_models // 2
    share = drew.mean(axis=0)
    without = (~drew).sum(axis=0)
    # as many without the record as those of the one half need, and of the other half on average
    size = int(np.floor(without / (n_out + n_in * (1 - share))).min())
    if size < 1:
        record = int(without.argmin())
        raise ValueError(
            f"n_shadow_models={n_models} needs more sub-models: only {without[record]} of {n_sub} "
            f"did not draw record {record}. Give fewer, or an ensemble of more sub-models."
        )
    chosen = np.empty((n_models, n, size), dtype=np.intp)
    for i in range(n):
        inside = rng.permutation(np.flatnonzero(drew[:, i]))
        outside = rng.permutation(np.flatnonzero(~drew[:, i]))
        spare = len(outside) - n_out * size  # of those without it, for models as they come
        count = rng.binomial(n_in * size, 1 - share[i])
        count = min(max(count, n_in * size - len(inside)), spare)
        mixed = np.r_[outside[n_out * size :][:count], inside[: n_in * size - count]]
        chosen[~in_mask[:, i], i] = outside[: n_out * size].reshape(n_out, size)
        chosen[in_mask[:, i], i] = rng.permutation(mixed).reshape(n_in, size)
    return in_mask, chosen


def _unwrapped(ensemble, X):
    """Return what the ensemble's sub-models are asked about, and the ensemble itself."""
    check_is_fitted(ensemble)
    if isinstance(ensemble, Pipeline):
        X = run_on(ensemble[:-1], "transform", X) if len(ensemble) > 1 else X
        ensemble = ensemble[-1]
    return (X if issparse(X) else np.asarray(X)), ensemble


def _who_drew(bag, number, n):
    """Return which sub-model drew which record, or one equal to it, (n_sub_models, n)."""
    kind = type(bag).__name__
    samples = getattr(bag, "estimators_samples_", None)
    if samples is None or not hasattr(bag, "classes_") or not isinstance(bag.estimators_, list):
        raise ValueError(
            f"ensemble={kind} is no forest or bagging ensemble of classifiers: give one, or use "
            "from_cross_validate."
        )
    if not getattr(bag, "bootstrap", True):
        raise ValueError(
            f"ensemble={kind} has bootstrap=False: every sub-model has seen every record. Train "
            "it with bootstrap=True, or use from_cross_validate."
        )
    known = getattr(bag, "_n_samples", n)
    if known != n:
        raise ValueError(
            f"X has {n} records, and ensemble={kind} was trained on {known}: give the same "
            "records, in the same order."
        )
    drew = np.zeros((len(samples), number.max() + 1), dtype=bool)
    for row, rows in zip(drew, samples):
        row[number[rows]] = True
    return drew[:, number]


def _ask(bag, i, X):
    """Return what a sub-model says, float32 with a column for each class of the ensemble."""
    model, features = bag.estimators_[i], getattr(bag, "estimators_features_", None)
    said = model.predict_proba(X if features is None else X[:, features[i]])
    proba = np.zeros((len(said), len(bag.classes_)), dtype=np.float32)
    proba[:, np.asarray(model.classes_).astype(np.intp)] = said  # sub-models know indices
    return proba
