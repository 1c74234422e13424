"""Records of any kind (arrays, frames, sparse matrices, lists): sliced late, joined, told apart."""

import sys

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_aeppt._containers import as_array, as_pandas, computed
from sklearn_aeppt._float_types import rounded_alike
from sklearn_aeppt._value_bytes import as_float64, is_rounded, kinds_of, one_record


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


#: Library (imported, if a table is its own) -> what joins its tables. A column without any value on
#: one side, or of whole numbers, takes the type that it has on the other.
JOINS: dict[str, tuple[str, dict[str, str]]] = {
    "polars": ("concat", {"how": "vertical_relaxed"}),
    "pyarrow": ("concat_tables", {"promote_options": "permissive"}),
    "torch": ("cat", {}),
}


def joined_as(X):
    """Return what a table is joined as, with others of which the same is returned."""
    X = X._meta if hasattr(X, "__dask_graph__") else X
    if sparse.issparse(X):
        return "sparse"
    library = type(X).__module__.partition(".")[0]
    return "pandas" if hasattr(X, "iloc") else library if library in JOINS else "array"


def join_records(first, second):
    """Return one table of the rows of two tables of the same kind."""
    first, second = computed(first), computed(second)
    library = joined_as(first)
    if library == "sparse":
        return sparse.vstack([first, second], format="csr")
    if library == "pandas":
        import pandas as pd

        return pd.concat(_with_all_categories(first, second), ignore_index=True)
    if library in JOINS:
        name, options = JOINS[library]
        options = options if hasattr(first, "columns") else {}  # a series of polars takes none
        return getattr(sys.modules[library], name)([first, second], **options)
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


def are_among(first, second):
    """Return which records of the first table stand in the second, too, a boolean array.

    A number that one table holds as a coarser float type is compared as that type: it is what the
    other's became where it was stored. Whole numbers are compared as they are.
    """
    first, second = rounded_alike(as_pandas(first), as_pandas(second))
    known = set(record_bytes(second))
    return np.fromiter((key in known for key in record_bytes(first)), dtype=bool)


def record_bytes(X):
    """Return what each record is, as bytes: alike for equal records, different for others.

    Values count, not their container: rows of an array, a frame, a sparse matrix or a list with
    the same values are the same record, and one missing value is as good as another. Lists in
    lists and arrays count by their shape, too.
    """
    if sparse.issparse(X):
        X = sparse.csr_array(X, copy=True)  # what follows would change the caller's
        X.sum_duplicates()
        X.eliminate_zeros()
        ends = list(zip(X.indptr[:-1], X.indptr[1:]))
        columns = X.indices.astype(np.int64)  # of whichever type, as the table's size asks for
        values = as_float64(X.data) if X.dtype.kind in "biuf" else X.data
        if X.dtype.kind not in "biuf" or not is_rounded(X.data):
            return [columns[a:b].tobytes() + values[a:b].tobytes() for a, b in ends]
        return [
            one_record(list(zip(columns[a:b].tolist(), X.data[a:b].tolist())))
            if is_rounded(X.data[a:b])
            else columns[a:b].tobytes() + values[a:b].tobytes()
            for a, b in ends
        ]
    X = as_pandas(X)
    if hasattr(X, "iloc"):
        X = X.to_numpy(dtype=object)
    elif not isinstance(X, list):
        X = as_array(X)
    if isinstance(X, np.ndarray) and X.dtype.kind in "biuf" and not is_rounded(X):
        kinds = kinds_of(X.shape[1:] or (1,))
        return [kinds + row.tobytes() for row in as_float64(X)]
    return [one_record(record) for record in X]
