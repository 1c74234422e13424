"""Records of any kind (arrays, frames, sparse matrices, lists): sliced late, joined, told apart."""

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
    if sparse.issparse(X):
        X = sparse.csr_array(X)
        X.sum_duplicates()
        ends = zip(X.indptr[:-1], X.indptr[1:])
        keys = [X.indices[a:b].tobytes() + X.data[a:b].tobytes() for a, b in ends]
    elif hasattr(X, "iloc"):
        import pandas as pd

        keys = pd.util.hash_pandas_object(X, index=False)
    elif isinstance(X, np.ndarray) and X.dtype != object:
        keys = [row.tobytes() for row in np.ascontiguousarray(X)]
    else:
        keys = [repr(x) for x in X]
    numbers = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
