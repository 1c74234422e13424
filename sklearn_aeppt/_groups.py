"""Labels of classes and groups, of any kind: tuples, None, numbers beside text."""

from numbers import Number
from typing import Any

import numpy as np
from sklearn.utils.validation import column_or_1d

from sklearn_aeppt._missing import is_missing
from sklearn_aeppt._text import as_text


def as_labels(values):
    """Return labels as a one-dimensional array that changes none of them.

    ``np.asarray`` makes a table of a list of tuples, text of numbers beside text, and cuts NUL off
    the end of text.
    """
    if not isinstance(values, (list, tuple)):
        return column_or_1d(values)
    kinds = {type(value) for value in values}
    alike = len(kinds) == 1 or all(issubclass(kind, Number) for kind in kinds)
    ends = any(isinstance(value, str) and value.endswith("\0") for value in values)
    if alike and tuple not in kinds and not ends:
        return column_or_1d(values)
    return _objects(values)


def join_labels(first, second):
    """Return the labels of two sides as one array."""
    first, second = as_labels(first), as_labels(second)
    kinds = {"number" if side.dtype.kind in "biuf" else side.dtype.kind for side in (first, second)}
    if len(kinds) > 1:  # numpy would make text of numbers that are joined to text
        return np.concatenate([first.astype(object), second.astype(object)])
    return np.concatenate([first, second])


def find_groups(labels):
    """Return (distinct labels in order, index of each label), as ``np.unique`` does.

    Labels without a common order (text beside numbers) are ordered by kind and text. All that is
    missing (None, NaN of any type, NaT, NA) is one group, None, which comes last. Lone surrogates
    stand as their escape, so that frames and files can hold the labels.
    """
    if labels.dtype.kind in "fcmM" and any(map(is_missing, labels)):
        labels = labels.astype(object)
    if labels.dtype != object:
        found, place = np.unique(labels, return_inverse=True)
        return as_written(found), place
    number: dict[Any, int] = {}
    keys = [None if is_missing(label) else label for label in labels]
    place = np.array([number.setdefault(key, len(number)) for key in keys], dtype=np.int64)
    distinct = list(number)
    try:
        order = sorted(range(len(distinct)), key=lambda i: (distinct[i] is None, distinct[i]))
    except TypeError:
        order = sorted(range(len(distinct)), key=lambda i: _by_text(distinct[i]))
    rank = np.argsort(order)
    return as_written(_objects([distinct[i] for i in order])), rank[place]


def as_written(labels):
    """Return an array of labels with lone surrogates replaced, the array itself where none is."""
    before = labels.tolist()
    after = [as_text(label) if isinstance(label, str) else label for label in before]
    return labels if before == after else _objects(after)


def _by_text(label):
    return label is None, type(label).__name__, as_text(label)


def _objects(values):
    return np.fromiter(values, dtype=object, count=len(values))
