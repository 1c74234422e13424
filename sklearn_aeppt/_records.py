"""Records of any kind (arrays, frames, sparse matrices, lists): sliced late, joined, told apart."""

import pickle
import sys
from datetime import date, time

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_aeppt._containers import as_array, as_pandas, computed


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


EXACT = 2**53  # up to here, float64 holds every whole number
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

    A number that one table holds as float32 is compared as float32: it is what the other's became
    where it was stored.
    """
    joined = as_pandas(join_records(first, second))
    kinds = [_float_kinds(X) for X in (first, second)]
    coarse = [np.float32 in pair and pair[0] != pair[1] for pair in zip(*kinds)]
    number = number_records(_as_float32(joined, coarse) if any(coarse) else joined)
    n = _num_samples(first)
    return np.isin(number[:n], number[n:])


def _float_kinds(X):
    """Return the numpy dtype of each column of a frame; one in a list for other tables."""
    X = as_pandas(X)
    if hasattr(X, "iloc"):  # pandas' and pyarrow's own types name that of numpy
        return [getattr(dtype, "numpy_dtype", dtype) for dtype in X.dtypes]
    if hasattr(X, "detach"):
        X = as_array(X[:0])
    return [getattr(X, "dtype", None)]


def _as_float32(X, columns):
    """Return a table with the numbers in the marked columns as float32."""
    with np.errstate(over="ignore", under="ignore"):  # as wherever the other side was stored
        if not hasattr(X, "iloc"):
            X = X if sparse.issparse(X) else as_array(X)
            return X.astype(np.float32) if X.dtype.kind in "biuf" else X
        X = X.copy(deep=False)
        for i in np.flatnonzero(columns):
            if X.dtypes.iloc[i].kind in "biuf":
                X.isetitem(i, X.iloc[:, i].to_numpy(np.float32, na_value=np.nan))
        return X


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
        values = _as_float64(X.data) if X.dtype.kind in "biuf" else X.data
        ends = zip(X.indptr[:-1], X.indptr[1:])
        return [X.indices[a:b].tobytes() + values[a:b].tobytes() for a, b in ends]
    X = as_pandas(X)
    if hasattr(X, "iloc"):
        X = X.to_numpy(dtype=object)
    elif not isinstance(X, list):
        X = as_array(X)
    if isinstance(X, np.ndarray) and X.dtype.kind in "biuf" and not _is_too_large(X):
        kinds = _kinds_of(X.shape[1:] or (1,))
        return [kinds + row.tobytes() for row in _as_float64(X)]
    return [_one_record(record) for record in X]


def _as_float64(values):
    """Return numbers as float64, equal ones with equal bytes."""
    values = np.ascontiguousarray(values, dtype=np.float64) + 0.0  # no -0.0
    values[np.isnan(values)] = np.nan  # whose bits may be others
    return values


def _is_too_large(values):
    """Return whether there are whole numbers that float64 may round, such as identifiers."""
    return values.dtype.kind in "iu" and bool(((values > EXACT) | (values < -EXACT)).any())


def _one_record(record):
    kinds, values = _describe(record)
    return (kinds if kinds.startswith(b"[") else b"[" + kinds + b"]") + values  # one value is a row


def _describe(value):
    """Return (kinds, bytes) of a record or of one value in it; numbers alike in any type.

    The kinds say where lists begin and end and which kind of value stands where; each value's
    bytes have one length, or begin with it. Together they tell any two records apart.
    """
    if isinstance(value, str):
        return b"s", _sized(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, (int, np.integer)) and not -EXACT <= value <= EXACT:
        return b"i", _sized(str(int(value)).encode())
    if isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
        return b"n", _as_float64([value]).tobytes()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # those of pandas
        return b"n", _as_float64([np.nan]).tobytes()
    if isinstance(value, bytes):
        return b"b", _sized(value)
    if isinstance(value, (date, time)):  # pandas' are too
        return b"d", _sized(value.isoformat().encode())
    if isinstance(value, dict):  # in whatever order
        items = sorted(_sized(_one_record(item)) for item in value.items())
        return b"{", _sized(b"".join(items))
    if isinstance(value, (list, tuple)):
        kinds, values = (b"".join(part) for part in zip((b"", b""), *map(_describe, value)))
        return b"[" + kinds + b"]", values
    if hasattr(value, "__array__"):
        value = as_array(value)
        if value.dtype.kind in "biuf" and not _is_too_large(value):
            return _kinds_of(value.shape), _as_float64(value).tobytes()
        if value.ndim:
            return _describe(value.tolist())
    return b"p", _sized(pickle.dumps(value))


def _kinds_of(shape):
    """Return the kinds of an array of numbers: those of the nested lists that it stands for."""
    kinds = b"n"
    for size in reversed(shape):
        kinds = b"[" + kinds * size + b"]"
    return kinds


def _sized(value):
    """Return bytes that begin with their length, so that what follows cannot belong to them."""
    return len(value).to_bytes(8, "little") + value
