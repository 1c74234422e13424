"""Records as numbers without the target, whose own encoding knows the members."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import OneHotEncoder

from sklearn_aeppt._containers import as_array, as_pandas, column_names
from sklearn_aeppt._groups import find_groups
from sklearn_aeppt._number_table import is_large
from sklearn_aeppt._record_numbers import are_numbers, as_numbers
from sklearn_aeppt._text import as_text

N_HASHED = 2**12


def records_as_numbers(X: Any) -> tuple[Any, list[str]] | None:
    """Return (table of finite numbers, dense float32 or csr float64; names of columns), or None.

    Missing values are the median of their column, and a column of their own says where they were.
    Words of texts, and values of columns without numbers, are hashed.
    """
    names = [as_text(name) for name in column_names(X)]
    numbers, X = as_numbers(X), as_pandas(X)
    if numbers is not None:
        if sparse.issparse(numbers) and not is_large(numbers):
            numbers = numbers.toarray()
        return _finite(numbers, names or _numbered(numbers.shape[1]))
    if hasattr(X, "iloc"):
        return _of_frame(X)
    texts = X if isinstance(X, (list, tuple)) else as_array(X)
    if len(texts) and all(isinstance(text, str) for text in texts):
        return _hashed(texts), [f"word (hash {i})" for i in range(N_HASHED)]
    return None


def with_labels(numbers: Any, names: list[str], y: np.ndarray) -> tuple[Any, list[str]]:
    """Return the table with one column for each class label."""
    classes, place = find_groups(y)
    encoder = OneHotEncoder(sparse_output=sparse.issparse(numbers), dtype=numbers.dtype)
    onehot = encoder.fit_transform(place[:, None])
    stack = sparse.hstack if sparse.issparse(numbers) else np.hstack
    table = stack([numbers, onehot])
    return table, [*names, *(f"label {as_text(label)}" for label in classes)]


def _of_frame(X):
    is_number = are_numbers(X)
    parts, names = [], []
    if is_number.any():
        part, found = _finite(
            as_numbers(X.iloc[:, is_number]), list(map(as_text, X.columns[is_number]))
        )
        parts.append(sparse.csr_array(part))
        names += found
    for i in np.flatnonzero(~is_number):
        name = as_text(X.columns[i])
        values = [f"{name}={as_text(value)}" for value in X.iloc[:, i]]
        # few values: each is one; many: what they are made of
        words = len(set(values)) > len(values) / 2
        parts.append(_hashed(values) if words else _each_value(values))
        names += [name] * parts[-1].shape[1]
    return sparse.csr_array(sparse.hstack(parts)), names


def _each_value(values):
    return OneHotEncoder().fit_transform(np.array(values, dtype=object)[:, None])


def _hashed(texts):
    return HashingVectorizer(n_features=N_HASHED, alternate_sign=False, norm=None).transform(texts)


def _numbered(n):
    return [f"column {i}" for i in range(n)]


def _finite(numbers, names):
    if sparse.issparse(numbers):
        numbers = sparse.csr_array(numbers, dtype=np.float64, copy=True)
        numbers.data = np.nan_to_num(numbers.data, posinf=1e30, neginf=-1e30)
        return numbers, names
    numbers = np.nan_to_num(numbers, nan=np.nan, posinf=1e30, neginf=-1e30)
    missing = np.isnan(numbers)
    some = np.flatnonzero(missing.any(axis=0))
    if not len(some):
        return numbers, names
    for i in some:
        known = numbers[~missing[:, i], i]
        numbers[missing[:, i], i] = np.median(known) if len(known) else 0.0
    table = np.hstack([numbers, missing[:, some]], dtype=numbers.dtype)
    return table, [*names, *(f"{names[i]} (missing)" for i in some)]
