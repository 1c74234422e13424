"""Records of any kind (arrays, frames, sparse matrices, lists): sliced late, joined, told apart."""

import pickle
import sys

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_aeppt._containers import as_pandas


class RecordRows:
    """Some rows of a table of records, copied out only when asked for.

    A view of an adversary goes through many splits of cross-validation; only attacks with shadow
    models read the records in it. ``shape`` and ``[rows]`` are what
    `skorch.helper.SliceDict` and scikit-learn need.

    Parameters
    ----------
    X : records
    rows : int ndarray or None, default=None
        None stands for all.
    """

    def __init__(self, X, rows=None):
        self.X = sparse.csr_array(X) if sparse.issparse(X) and X.format not in ("csr", "csc") else X
        self.rows = np.arange(_num_samples(X)) if rows is None else rows

    @property
    def shape(self):
        """(n,), whatever the table's other dimensions."""
        return self.rows.shape

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, rows):
        return RecordRows(self.X, self.rows[rows])

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.take(), dtype=dtype)

    def take(self):
        """Return the rows as a table of the kind they came from."""
        if isinstance(self.X, np.ndarray) and np.array_equal(self.rows, np.arange(len(self.X))):
            return self.X
        return _safe_indexing(self.X, self.rows)


def computed(X):
    """Return records that are still to be computed (Dask) as the array or frame they stand for."""
    return X.compute() if hasattr(X, "__dask_graph__") else X


def join_records(first, second):
    """Return one table of the rows of two tables of the same kind."""
    first, second = computed(first), computed(second)
    if sparse.issparse(first):
        return sparse.vstack([first, second], format="csr")
    if hasattr(first, "iloc"):
        import pandas as pd

        return pd.concat(_with_all_categories(first, second), ignore_index=True)
    library = type(first).__module__.partition(".")[0]
    if library in ("polars", "pyarrow", "torch"):  # has been imported, then
        module = sys.modules[library]
        join = {"polars": "concat", "pyarrow": "concat_tables", "torch": "cat"}[library]
        return getattr(module, join)([first, second])
    if isinstance(first, (list, tuple)):
        return [*first, *second]
    return np.concatenate([first, second])


def _with_all_categories(first, second):
    """Return frames whose categorical columns have one set of categories, so that joining keeps it.

    Those of the first frame come first.
    """
    frames = [first, second]
    if not all(hasattr(frame, "columns") for frame in frames):  # series
        return frames
    frames = [frame.copy(deep=False) for frame in frames]
    for i in range(frames[0].shape[1]):
        kinds = [frame.dtypes.iloc[i] for frame in frames]
        if all(hasattr(kind, "categories") for kind in kinds) and kinds[0] != kinds[1]:
            known, others = (kind.categories for kind in kinds)
            every = known.append(others.difference(known, sort=False))
            for frame in frames:
                frame.isetitem(i, frame.iloc[:, i].cat.set_categories(every))
    return frames


def number_records(X):
    """Return an int64 number for each record, alike for equal ones, in order of appearance."""
    numbers: dict[bytes, int] = {}
    keys = record_bytes(X)
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def record_bytes(X):
    """Return what each record is, as bytes: alike for equal records, different for others.

    Values count, not their container: rows of an array, a frame, a sparse matrix or a list with
    the same values are the same record.
    """
    if sparse.issparse(X):
        X = sparse.csr_array(X)
        X.sum_duplicates()
        X.eliminate_zeros()
        values = X.data.astype(np.float64) if X.dtype.kind in "biuf" else X.data
        ends = zip(X.indptr[:-1], X.indptr[1:])
        return [X.indices[a:b].tobytes() + values[a:b].tobytes() for a, b in ends]
    X = as_pandas(X)
    if hasattr(X, "iloc"):
        X = X.to_numpy(dtype=object)
    elif not isinstance(X, list):
        X = np.asarray(X)
    if isinstance(X, np.ndarray) and X.dtype.kind in "biuf":
        return _rows_of_bytes(X)
    return [_value_bytes(row) for row in X]


def _rows_of_bytes(X):
    rows = np.ascontiguousarray(X.reshape(len(X), -1), dtype=np.float64) + 0.0  # no -0.0
    return [row.tobytes() for row in rows]


def _value_bytes(value):
    """Return the bytes of a record or of one value in it; numbers alike in any type."""
    if isinstance(value, str):
        return b"s" + value.encode("utf-8", "surrogatepass") + b"\0"
    if isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
        return np.float64(value).tobytes()
    if isinstance(value, bytes):
        return b"b" + value + b"\0"
    if isinstance(value, (list, tuple)):
        return b"".join(map(_value_bytes, value))
    if hasattr(value, "__array__"):
        value = np.asarray(value)
        if value.dtype.kind in "biuf":
            return np.ascontiguousarray(value, dtype=np.float64).tobytes()
        if value.ndim:
            return b"".join(map(_value_bytes, value.ravel().tolist()))
    return b"p" + pickle.dumps(value)
