"""The one place that asks a target: checked confidences, and labels as indices of its classes.

A target is any object with ``predict_proba`` and ``classes_`` (`with_classes` makes one of a
function). What is wrong with its predictions is found here, before anything is attacked, defended
or drawn.
"""

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.exceptions import NotFittedError
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, column_or_1d

from sklearn_aeppt._class_columns import in_class_order
from sklearn_aeppt._containers import column_names
from sklearn_aeppt._fitted import is_fitted
from sklearn_aeppt._members import find_labels
from sklearn_aeppt._records import record_bytes
from sklearn_aeppt._simplex import check_proba


def check_ready(target):
    """Refuse a target that cannot be asked; one without ``fit`` is fitted elsewhere."""
    if not hasattr(target, "predict_proba"):
        mend = ": give the labels of its columns, classes=[...]" if callable(target) else ""
        raise TypeError(f"target={target!r} has no predict_proba to attack{mend}.")
    if not is_fitted(target):
        raise NotFittedError(
            f"This {type(target).__name__} instance is not fitted yet: call its fit first."
        )
    if not hasattr(target, "classes_"):
        raise TypeError(
            f"target={target!r} has no classes_: give it the labels of its columns, in their order."
        )
    if has_several_outputs(target):
        raise several_outputs(target)


def ask(target, X, *, source="target.predict_proba(X)", sums=True, at_once=False):
    """Return a target's confidences for records, float of shape (n, K), checked.

    Parameters
    ----------
    target : fitted classifier
    X : records
    source : str
        What messages call the confidences.
    sums : bool
        Whether rows must sum to one.
    at_once : bool
        Whether the answer is used before anything else is asked: it may be the target's own array
        then. What is kept is copied, for targets that write all their answers into one array.

    Raises
    ------
    ValueError
        If there is not one finite, nonnegative column for each class, if rows do not sum to one,
        if there is not one row for each record, or (unless `at_once`) if the target changed the
        records.
    """
    n = _num_samples(X)
    if n == 0:  # most models refuse to be asked about nothing
        return np.empty((0, len(target.classes_)))
    before = None if at_once else _first_of(X)
    try:
        proba = in_class_order(target.predict_proba(X), target.classes_, source)
        proba = check_proba(proba, source=source, n_classes=len(target.classes_), sums=sums)
    except ValueError as error:
        if has_several_outputs(target, X):
            raise several_outputs(target) from error
        raise
    if len(proba) != n:
        raise ValueError(f"{source} has {len(proba)} rows for {n} records.")
    if at_once:
        return proba
    if before != _first_of(X):
        raise ValueError(
            f"{type(target).__name__} changed the records that it was asked about, so that another "
            "query would be about others: make it work on a copy, such as "
            "StandardScaler(copy=True)."
        )
    return np.array(proba)


def _first_of(X):
    """Return what the columns are called and what the first two records hold."""
    if hasattr(X, "__dask_graph__"):  # a plan, which nobody can change
        return None
    if issparse(X) and X.format == "coo":  # which has no rows to take, and is not converted whole
        kept = X.row < 2
        shape = min(2, X.shape[0]), X.shape[1]
        X = csr_array((X.data[kept], (X.row[kept], X.col[kept])), shape=shape)
    elif issparse(X) and X.format in ("bsr", "dia"):
        X = X.tocsr()
    return column_names(X), record_bytes(_safe_indexing(X, np.arange(min(2, _num_samples(X)))))


def several_outputs(target):
    """Return the error about a target that gives a record several labels at once."""
    return ValueError(
        f"{type(target).__name__} is a multilabel or multioutput model, which gives a record "
        "several labels: use one classifier per output."
    )


def has_several_outputs(target, X=None):
    """Return whether a target gives a record several labels, by its classes or its answers."""
    if any(isinstance(classes, np.ndarray) and classes.ndim for classes in target.classes_):
        return True
    if X is None:
        return False
    said: np.ndarray = np.asarray(target.predict(X) if hasattr(target, "predict") else [])
    return said.ndim == 2 and said.shape[1] > 1


def ask_as_attacker(target, X):
    """Return what a target shows of records, as `ask` does.

    A defense may release vectors that do not sum to one on purpose, as the paper's literal method
    does; its ``shows_probabilities`` is false then.
    """
    return ask(target, X, sums=getattr(target, "shows_probabilities", True))


def ask_labels(target, X, proba, *, source="target.predict(X)"):
    """Return the index into ``classes_`` of each predicted label, int64 of shape (n,).

    ``predict`` may return labels in one column or in a list. A target without it decides by the
    argmax of its confidences `proba`.

    Raises
    ------
    ValueError
        If a label is not one of ``classes_``, or if there is not one for each record.
    """
    if not hasattr(target, "predict"):
        return proba.argmax(axis=1).astype(np.int64)
    said = target.predict(X)
    said = column_or_1d(said if hasattr(said, "shape") else np.asarray(said))
    if len(said) != _num_samples(X):
        raise ValueError(f"{source} has {len(said)} labels for {_num_samples(X)} records.")
    label = find_labels(target.classes_, said)
    if (label < 0).any():
        unknown = np.asarray(said)[label < 0].tolist()[0]
        raise ValueError(
            f"{source} returns {unknown!r}, which is not in classes_: fix the model first."
        )
    return label
