"""Tables of the same numbers in float types of different precision, made comparable."""

import numpy as np
from scipy import sparse

from sklearn_aeppt._containers import as_array

COARSE = np.float16, np.float32


def rounded_alike(first, second):
    """Return two tables whose float numbers are rounded to the coarser type of each column.

    Where a column holds objects, that is the coarsest type of its values. Whole numbers stay.

    Parameters
    ----------
    first, second : frame of pandas, ndarray, sparse matrix, tensor or list
    """
    tables = [_readable(X) for X in (first, second)]
    kinds = [_coarse_types(X) for X in tables]
    if not any(kind for side in kinds for kind in side):
        return first, second
    n = max(map(len, kinds))
    kinds = [side * n if len(side) == 1 else side for side in kinds]
    coarse = [min(filter(None, pair), key=_size, default=None) for pair in zip(*kinds)]
    return tuple(_rounded(X, coarse) for X in tables)


def _size(kind):
    return np.dtype(kind).itemsize


def _readable(X):
    """Return a table with rows and columns, if its records are of one length; else as it is."""
    if hasattr(X, "iloc") or sparse.issparse(X):
        return X
    if not isinstance(X, (list, tuple)):
        return as_array(X)
    if {type(row) for row in X} & {str, dict} or not len(X):
        return X
    try:
        values = np.asarray(X)
        if values.dtype.kind == "f" and _size(values.dtype) < 8:
            return values
    except ValueError:  # rows of unequal length
        return X
    if any(np.ndim(row) != 1 for row in X) or len({len(row) for row in X}) != 1:
        return X
    cells = [list(row) for row in X]
    table: np.ndarray = np.empty((len(cells), len(cells[0])), dtype=object)
    for i, row in enumerate(cells):
        for j, cell in enumerate(row):
            table[i, j] = cell
    return table


def _coarse_types(X):
    """Return the coarse float type of each column, None where it has none; one for all numbers."""
    if hasattr(X, "iloc"):
        return [_coarse_type(X.iloc[:, i]) for i in range(X.shape[1])]
    if isinstance(X, (list, tuple)):
        return [None]
    if X.dtype == object and X.ndim == 2 and X.shape[1]:
        return [_coarse_of(X[:, j]) for j in range(X.shape[1])]
    return [_coarse_of(X) if X.dtype == object else _of_dtype(X.dtype)]


def _coarse_type(column):
    """Return what `_coarse_types` does of one column of a frame."""
    dtype = getattr(column.dtype, "categories", column).dtype
    if dtype.kind == "O":
        return _coarse_of(column.to_numpy())
    return _of_dtype(getattr(dtype, "numpy_dtype", dtype))  # of pandas' and pyarrow's own types


def _of_dtype(dtype):
    return next((kind for kind in COARSE if dtype == kind), None)


def _coarse_of(values):
    kinds = {type(value) for value in values.ravel()}
    return next((kind for kind in COARSE if kind in kinds), None)


def _rounded(X, coarse):
    """Return a table with the floats in each column as the type in `coarse`, if there is one."""
    with np.errstate(over="ignore", under="ignore"):  # as wherever the other side was stored
        if hasattr(X, "iloc"):
            X = X.copy(deep=False)
            for i, kind in enumerate(coarse):
                if kind is not None:
                    X.isetitem(i, _rounded_column(X.iloc[:, i], kind))
            return X
        if isinstance(X, (list, tuple)):
            return X
        if X.dtype.kind == "f" and len(set(coarse)) == 1:
            return X.astype(coarse[0])
        if X.dtype.kind not in "Of" or sparse.issparse(X):
            return X
        X = X.astype(object)
        by_column = X.ndim == 2 and len(coarse) == X.shape[1]
        for j, kind in enumerate(coarse):
            of = (slice(None), j) if by_column else ...
            X[of] = X[of] if kind is None else _rounded_cells(X[of], kind)
        return X


def _rounded_column(column, kind):
    if column.dtype.kind == "f":
        return column.to_numpy(kind, na_value=np.nan)
    return _rounded_cells(column.to_numpy(dtype=object), kind)


def _rounded_cells(values, kind):
    rounded = np.empty(values.shape, dtype=object)
    for place, value in np.ndenumerate(values):
        is_float = isinstance(value, (float, np.floating))
        rounded[place] = kind(value) if is_float else value
    return rounded
