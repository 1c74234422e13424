"""Who is a member: the forms of `fit`, told apart by the form of the call, never by a guess."""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.validation import _num_samples, column_or_1d

from sklearn_aeppt._class_columns import some
from sklearn_aeppt._containers import as_native, check_unmasked, column_names, type_name


@dataclass
class Records:
    """Records of one side: as they came, their class labels or None, and what the model says."""

    X: object
    y: object = None
    proba: object = None  # (n, K) confidences
    label: object = None  # (n,) index of the true class, -1 for one the model does not know
    draws: object = None  # (n, n_draws) numbers from U(0, 1) that belong to the records


def split_for_fitted(X, y, is_member, *, two_sets=False):
    """Tell members from non-members by the form of the call; never by a guess.

    `two_sets`: another argument says so, the labels of either side, whatever the records are.
    """
    if is_member is not None:
        return split_by_mask(X, y, is_member, "is_member")
    if y is None:
        raise ValueError(
            "The estimator is fitted, so fit requires y to be passed, but the target y is None: "
            "call fit(X_mem, X_non), or fit(X, membership) with a boolean mask."
        )
    if two_sets or _ndim(y) > 1:
        return check_two_sets(X, y)
    if not _is_boolean(y):
        raise ValueError(
            "The estimator is fitted and the second argument is one-dimensional but not boolean, "
            f"such as {np.asarray(y, dtype=object)[:3].tolist()}: it could be class labels. Give "
            "a boolean mask that is true for members, or two-dimensional non-members, or class "
            "labels together with is_member=mask. For texts and other one-dimensional records, "
            "put both sides into X and give the mask, or give their class labels, y_mem and y_non."
        )
    return split_by_mask(X, None, y, "the membership mask")


def split_by_mask(X, y, is_member, name):
    """Return (members, non_members) as `Records` out of one table."""
    if name == "is_member" and _ndim(is_member) == 1 and _is_zero_or_one(is_member):
        is_member = np.asarray(is_member, dtype=bool)  # by its name, they are no class labels
    if _ndim(is_member) != 1 or not _is_boolean(is_member):
        raise ValueError(
            f"{name} must be a one-dimensional boolean mask over the rows of X, true for members"
            f"{' (or 1 for members and 0 for the rest)' if name == 'is_member' else ''}, "
            f"got {str(is_member)[:80]!r}: compare it with the member's value, as in "
            "is_member == 1."
        )
    is_member = np.asarray(is_member, dtype=bool)
    count_records(X, "X")
    X, y, _ = indexable(X, y, is_member)
    if is_member.all() or not is_member.any():
        raise ValueError(
            f"{name} must mark some records as members and others not, got {is_member.sum()} "
            f"members out of n_samples={len(is_member)}: the defense is fitted on both."
        )
    return tuple(
        Records(_safe_indexing(X, rows), None if y is None else _safe_indexing(y, rows))
        for rows in (np.flatnonzero(is_member), np.flatnonzero(~is_member))
    )


def check_two_sets(X_mem, X_non, names=("X_mem", "X_non")):
    """Return (members, non_members) as `Records` out of two tables of the same columns."""
    one, other = names
    for name, X in ((one, X_mem), (other, X_non)):
        if count_records(X, name) == 0:
            raise ValueError(f"{name} is empty, 0 sample(s): the defense is fitted on both sides.")
    shapes = [_shape_of_each(X) for X in (X_mem, X_non)]
    if None not in shapes and shapes[0] != shapes[1]:
        raise ValueError(
            f"{one} has records of shape {shapes[0]} and {other} of shape {shapes[1]}: give both "
            "sides the same columns."
        )
    columns = [column_names(X) for X in (X_mem, X_non)]
    if bool(columns[0]) != bool(columns[1]):
        raise ValueError(
            f"{one} is of type {type_name(X_mem)} and {other} of {type_name(X_non)}, and only one "
            "of them names its columns: give both sides in the same container."
        )
    if columns[0] != columns[1]:
        differing = sorted(set(map(str, columns[0])) ^ set(map(str, columns[1])))[:5]
        raise ValueError(
            f"{one} and {other} have different columns, or the same in another order "
            f"({differing}): give both sides the same columns, as in {other}[{one}.columns]."
        )
    return Records(X_mem), Records(X_non)


def check_columns(X, name):
    """Refuse a frame with several columns of one name: which of them is meant, nobody knows."""
    check_names(column_names(X), name)


def check_names(names, source):
    """Refuse names of columns of which some stand there twice."""
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise ValueError(
            f"{source} has several columns of the name(s) {some(map(repr, twice))}: give each "
            "column a name of its own."
        )


def count_records(X, name):
    """Return how many records there are; refuse what is no table, by its name."""
    check_unmasked(X, name)
    check_columns(X, name)
    # what has a length and no rows in an order
    is_no_table = isinstance(X, (str, bytes, Set, Mapping)) and not hasattr(X, "shape")
    try:
        if is_no_table:
            raise TypeError(f"{type(X).__name__} has no rows")
        return _num_samples(X)
    except TypeError as error:
        raise TypeError(
            f"{name}={str(X)[:80]} holds no records: give an array, a frame, a sparse matrix or a "
            "list of records."
        ) from error


def _shape_of_each(X):
    """Return the shape of one record, or None where records may differ in it."""
    X = as_native(X) if isinstance(X, (list, tuple)) else X
    if hasattr(X, "shape"):
        return tuple(X.shape[1:])
    return () if all(isinstance(record, str) for record in X) else None


def check_labels(y, n, name):
    """Return the class labels of `n` records as an array of shape (n,)."""
    check_unmasked(y, name)
    try:
        labels = column_or_1d(y)
    except ValueError as error:
        shape = f"of shape {y.shape}" if hasattr(y, "shape") else f"{str(y)[:80]!r}"
        raise ValueError(
            f"{name} is {shape}: give one class label for each of the {n} records, shape ({n},); "
            "instead of one-hot rows, classes_[y.argmax(axis=1)]."
        ) from error
    if len(labels) != n:
        raise ValueError(f"{name} has {len(labels)} labels for {n} records: give one for each.")
    return labels


def draw_members(y, fraction, rng):
    """Return a boolean mask of `fraction` of each class, at least one record of each."""
    mask = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        mask[rows[: max(1, round(fraction * len(rows)))]] = True
    return mask


def find_labels(classes, y):
    """Return the int64 index into `classes` of every label in `y`, -1 where it is not there."""
    classes, y = np.asarray(classes), np.asarray(y)
    if y.dtype.kind in "OUS" and classes.dtype.kind in "OUS":
        place = {value: i for i, value in enumerate(classes.tolist())}
        return np.array([place.get(value, -1) for value in y.tolist()], dtype=np.int64)
    if (y.dtype.kind in "OUS") != (classes.dtype.kind in "OUS"):
        y, classes = y.astype(object), classes.astype(object)
        return find_labels(classes, y)
    order = np.argsort(classes)
    place = np.searchsorted(classes, y, sorter=order).clip(max=len(classes) - 1)
    index = order[place].astype(np.int64)
    return np.where(classes[index] == y, index, -1)


def find_some_labels(classes, y, name):
    """Return what `find_labels` does; refuse labels of which the model knows none."""
    index = find_labels(classes, y)
    if len(index) and (index < 0).all():
        raise ValueError(
            f"{name}={np.unique(np.asarray(y))[:5].tolist()} holds no label that the estimator "
            f"knows; it knows {np.asarray(classes)[:5].tolist()}: give labels from its classes_, "
            "of the same type."
        )
    return index


def _ndim(y):
    return y.ndim if hasattr(y, "ndim") else 2 if isinstance(y, dict) else np.ndim(y)


def _is_zero_or_one(y):
    y = np.asarray(y)
    return y.dtype.kind in "iuf" and bool(np.isin(y, (0, 1)).all())


def _is_boolean(y):
    y = np.asarray(y)
    # pandas' nullable booleans and lists out of a frame come as objects
    return y.dtype == bool or (y.dtype == object and all(isinstance(v, bool) for v in y))
