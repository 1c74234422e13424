"""Whether a model leaves the records alone that it is given.

Draws belong to the record, attacks ask about a record again, and the next model of an ensemble is
given the same table: whoever writes into it (a scaler without a copy, a column that is added, zeros
in the place of missing values) makes all of these about other records. All of a table is looked at,
not its first rows: what is filled in or clipped may stand anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zlib import crc32

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import _num_samples

from sklearn_aeppt._containers import as_array, as_csr, check_unmasked
from sklearn_aeppt._records import joined_as
from sklearn_aeppt._value_bytes import describe

#: Bytes of an array up to which it is kept as it is, and of the blocks in which others are hashed.
SMALL, BLOCK = 2**16, 2**20
#: Size of a value in bytes -> the whole number whose bits are its.
WORDS = {np.dtype(word).itemsize: word for word in (np.uint8, np.uint16, np.uint32, np.uint64)}
#: Values that nobody can write into.
FIXED = (
    str, bytes, int, float, complex, type(None), np.generic, date, time, timedelta, Decimal,
    Fraction,
)  # fmt: skip


def run_on(model: Any, method: str, X: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what a method of a model returns of records; refuse a model that changes them.

    Parameters
    ----------
    model : estimator
    method : str
    X : records
    *args, **kwargs
        What else the method is given.

    Raises
    ------
    ValueError
        If the records are others afterwards, if values of them are masked, or if they are dicts and
        the model fails on them.
    """
    check_unmasked(X)
    unchanged = watch(X)
    try:
        said = getattr(model, method)(X, *args, **kwargs)
    except (TypeError, ValueError, AttributeError) as error:
        if isinstance(X, (list, tuple)) and any(isinstance(record, dict) for record in X):
            raise ValueError(
                f"X is a list of dicts, which {type(model).__name__} does not take: put a "
                "DictVectorizer before the model, or give a frame, as in pandas.DataFrame(X)."
            ) from error
        raise
    if not unchanged():
        did = "trained on" if method == "fit" else "asked about"
        raise ValueError(
            f"{type(model).__name__} changed the records that it was {did}, so that another "
            "query would be about others: make it work on a copy, such as "
            "StandardScaler(copy=True)."
        )
    return said


def watch(X: Any) -> Callable[[], bool]:
    """Return a function that says whether records are still what they are now."""
    if type(X) is np.ndarray and not X.dtype.hasobject:  # one record is in a hurry
        before = _array_state(X)
        return lambda: _array_state(X) == before
    if hasattr(X, "__dask_graph__"):  # a plan, which nobody can change
        return lambda: True
    if isinstance(X, dict) and not issparse(X):
        parts = {name: watch(values) for name, values in X.items()}
        return lambda: list(X) == list(parts) and all(part() for part in parts.values())
    return WATCHES[joined_as(X)](X)


def _array_state(X):
    """Return what an array is and holds: its bytes, or sums of them over rows and over columns."""
    if X.nbytes <= SMALL:
        return X.shape, X.dtype, X.tobytes()
    word = WORDS.get(X.dtype.itemsize)
    if word is None:
        return X.shape, X.dtype, _hashed(X)
    # wherever a value changes, or changes places, a sum does: at five times the speed of a hash
    table = X.view(word).reshape(len(X), -1)
    sums = (table.sum(axis=axis, dtype=np.uint64).tobytes() for axis in (0, 1))
    return X.shape, X.dtype, *sums


def _hashed(X):
    table = X.T if X.flags.f_contiguous else X
    step, found = max(1, BLOCK * len(table) // X.nbytes), 0
    for start in range(0, len(table), step):
        found = crc32(table[start : start + step].tobytes(), found)
    return found


def _watch_array(X):
    """Watch arrays of other kinds (masked, of objects, tensors), lists, and whatever has rows."""
    if isinstance(X, (list, tuple)):
        return _watch_cells(lambda: X)
    if isinstance(X, np.ma.MaskedArray):
        return _watch_states(lambda: [np.asarray(X), np.ma.getmaskarray(X)])
    if not hasattr(X, "__array__"):
        return _watch_cells(lambda: [X[i] for i in range(_num_samples(X))])
    if as_array(X).dtype.hasobject:
        return _watch_cells(lambda: as_array(X).ravel().tolist())
    return _watch_states(lambda: [as_array(X)])


def _watch_states(arrays):
    before = [_array_state(array) for array in arrays()]
    return lambda: [_array_state(array) for array in arrays()] == before


def _watch_cells(read):
    """Watch a list of objects: which they are, and what is in those that can be written into."""
    before = _cells_state(read())
    return lambda: _are_same(before, _cells_state(read()))


def _cells_state(cells):
    if _are_fixed(cells):
        return list(cells)
    return [describe(cell) for cell in cells]


def _are_fixed(cells):
    return all(
        issubclass(kind, FIXED) or kind.__name__ in ("NAType", "NaTType")
        for kind in set(map(type, cells))
    )


def _are_same(before, after):
    """Return whether lists hold the same objects or equal ones; a missing value equals nothing."""
    return len(before) == len(after) and all(
        a is b or (type(a) is type(b) and bool(a == b)) for a, b in zip(before, after)
    )


def _watch_pandas(X):
    before = X.copy()
    columns = [X] if X.ndim == 1 else [X.iloc[:, i] for i in _objects(X)]
    inside = [_watch_cells(column.tolist) for column in columns if not _are_fixed(column.tolist())]
    return lambda: before.equals(X) and all(part() for part in inside)


def _objects(X):
    return [i for i, kind in enumerate(X.dtypes) if kind.kind == "O"]


def _watch_sparse(X):
    """Watch a sparse table by its values: how they are stored, many a model puts in order."""
    before = X.copy()
    return lambda: before.shape == X.shape and _equal_values(before, X)


def _equal_values(one, other):
    one, other = (as_csr(table).copy() for table in (one, other))
    for table in (one, other):
        table.eliminate_zeros()
        table.sort_indices()
    names = "data", "indices", "indptr"
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name == "data")
        for name in names
    )


def _watch_polars(X):
    kinds = getattr(X, "dtypes", None) or [X.dtype]
    if "Object" in map(str, kinds):  # of which polars compares nothing
        return _watch_cells(lambda: [cell for row in X.rows() for cell in (*X.columns, *row)])
    before = X.clone()
    return lambda: _schema(X) == _schema(before) and before.equals(X, null_equal=True)


def _schema(X):
    return X.schema if hasattr(X, "schema") else (X.name, X.dtype)


#: What a table is joined as -> what watches it.
WATCHES = {
    "array": _watch_array,
    "pandas": _watch_pandas,
    "sparse": _watch_sparse,
    "polars": _watch_polars,
    "pyarrow": lambda X: lambda: True,  # which cannot be changed
    "torch": _watch_array,
}
