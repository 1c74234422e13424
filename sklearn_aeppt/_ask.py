"""The one place that asks a target: checked confidences, and labels as indices of its classes.

A target is any object with ``predict_proba`` and ``classes_`` (`with_classes` makes one of a
function). What is wrong with its predictions is found here, before anything is attacked, defended
or drawn.
"""

from collections.abc import Hashable

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import _num_samples, column_or_1d

from sklearn_aeppt._class_columns import in_class_order
from sklearn_aeppt._fitted import is_fitted
from sklearn_aeppt._members import find_labels
from sklearn_aeppt._simplex import check_proba
from sklearn_aeppt._unchanged import run_on


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
    check_own_classes(target)


def check_takes(target, X, name, hint=""):
    """Refuse records about which a target raises an exception: name them, and say what it said.

    Parameters
    ----------
    target : fitted classifier
    X : records
    name : str
        What the message calls them, such as "X_mem".
    hint : str, default=""
        What else it says.
    """
    if not _num_samples(X):
        return
    for method in ("predict_proba", "predict"):
        try:
            if hasattr(target, method):
                run_on(target, method, X)
        except Warning:  # which somebody made an error
            raise
        except Exception as error:  # whatever a model raises of what it does not know
            said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            hint = hint or "Give the records in the form in which it was trained."
            raise ValueError(
                f"{name}: {type(target).__name__}.{method} fails on these records, with {said}. "
                f"{hint}"
            ) from error


def check_own_classes(target, name="target"):
    """Refuse classes that do not name every column of the confidences once, in their order."""
    if has_several_outputs(target):
        raise several_outputs(target)
    classes = target.classes_
    try:
        # a set has no order, and a dict or a text is no list of labels
        is_list = isinstance(classes, (list, tuple, range)) or hasattr(classes, "__array__")
        labels = np.asarray(classes).tolist() if is_list else []
        is_list = is_list and np.ndim(classes) == 1
        differ = is_list and 0 < len(labels) == len(set(labels))
        differ = differ and all(label == label for label in labels)  # NaN, which no label equals
    except (TypeError, ValueError):  # lists in it, of one length or of several
        differ = False
    if not differ:
        raise ValueError(
            f"classes_ of {name}={type(target).__name__} is {classes!r:.80}: give a "
            "one-dimensional array of different labels, one for each column of predict_proba, in "
            "their order."
        )


def ask(
    target,
    X,
    *,
    source="target.predict_proba(X)",
    sums=True,
    at_once=False,
    figures=True,
):
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
    figures : bool
        Whether messages may say what was answered. Those of a defense that is asked by anybody
        may not: what it hides would stand in them.

    Raises
    ------
    ValueError
        If there is not one finite, nonnegative column for each class, if rows do not sum to one,
        if there is not one row for each record, or if the target changed the records.
    """
    n = _num_samples(X)
    if n == 0:  # most models refuse to be asked about nothing
        return np.empty((0, len(target.classes_)))
    said = run_on(target, "predict_proba", X)
    try:
        proba = in_class_order(said, target.classes_, source)
        proba = check_proba(
            proba, source=source, n_classes=len(target.classes_), sums=sums, figures=figures
        )
    except ValueError:
        if has_several_outputs(target, X):
            raise several_outputs(target) from None
        raise
    if len(proba) != n:
        raise ValueError(f"{source} has {len(proba)} rows for {n} records.")
    return proba if at_once else np.array(proba)


def several_outputs(target):
    """Return the error about a target that gives a record several labels at once."""
    return ValueError(
        f"{type(target).__name__} is a multilabel or multioutput model, which gives a record "
        "several labels: use one classifier per output."
    )


def _listed(target):
    """Return the classes of a target where they are a list of objects, such as arrays."""
    classes = target.classes_
    is_list = isinstance(classes, (list, tuple)) or (
        isinstance(classes, np.ndarray) and classes.dtype.hasobject and classes.ndim
    )
    return classes if is_list else []


def has_several_outputs(target, X=None):
    """Return whether a target gives a record several labels, by its classes or its answers."""
    if any(isinstance(classes, np.ndarray) and classes.ndim for classes in _listed(target)):
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


def _one_label_each(said, n, source):
    """Return labels as an array of shape (n,); they may come in one column or in a list."""
    try:
        said = said if hasattr(said, "shape") else np.asarray(said)
        shape = tuple(said.shape)
    except ValueError:  # rows of unequal length
        shape = (n, "?")
    if len(shape) == 1 or shape[1:] == (1,):
        said = column_or_1d(said)
        if said.dtype != object or all(isinstance(label, Hashable) for label in said):
            return said
    raise ValueError(
        f"{source} has shape {shape}, or no labels in it: it must be one label for each of the {n} "
        "records, shape (n,), such as classes_[confidences.argmax(axis=1)]."
    )


def ask_labels(target, X, proba, *, source="target.predict(X)", figures=True):
    """Return the index into ``classes_`` of each predicted label, int64 of shape (n,).

    ``predict`` may return labels in one column or in a list. A target without it decides by the
    argmax of its confidences `proba`.

    Raises
    ------
    ValueError
        If a label is not one of ``classes_``, if there is not one for each record, or if the target
        changed the records.
    """
    if not hasattr(target, "predict"):
        return proba.argmax(axis=1).astype(np.int64)
    n = _num_samples(X)
    said = _one_label_each(run_on(target, "predict", X), n, source)
    if len(said) != n:
        raise ValueError(f"{source} has {len(said)} labels for {n} records.")
    label = find_labels(target.classes_, said)
    if (label < 0).any():
        # what is no class may be a confidence
        unknown = repr(np.asarray(said)[label < 0].tolist()[0]) if figures else "a value"
        raise ValueError(
            f"{source} returns {unknown}, which is not in classes_: fix the model first."
        )
    return label
