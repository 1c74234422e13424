"""Records of any kind (arrays, frames, sparse matrices, lists): sliced late, joined, told apart."""

import pickle

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples


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
        self.X = X
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


def join_records(first, second):
    """Return one table of the rows of two tables of the same kind."""
    if sparse.issparse(first):
        return sparse.vstack([first, second], format="csr")
    if hasattr(first, "iloc"):
        import pandas as pd

        return pd.concat([first, second], ignore_index=True)
    if isinstance(first, np.ndarray):
        return np.concatenate([first, second])
    return [*first, *second]


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
    if hasattr(X, "to_pandas") and not hasattr(X, "iloc"):  # polars, pyarrow
        X = X.to_pandas()
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
