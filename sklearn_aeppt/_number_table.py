"""The numbers in a table of any kind, read by their values, and how to put others in their place.

A number is one in whatever container it stands: in an array, in a frame whose columns have no type,
in a list of rows. So what is done to the numbers of a table does not depend on how it came.
"""

from decimal import Decimal
from numbers import Real

import numpy as np
from scipy import sparse

from sklearn_aeppt._containers import as_csr, as_kind_of, as_native
from sklearn_aeppt._missing import is_missing

#: Largest number of cells of a sparse table that is worked on as the dense one it stands for.
DENSE_CELLS = 2**22


class NumberTable:
    """The columns of a table that hold numbers and missing values only.

    Parameters
    ----------
    X : table
        A frame, array, tensor or list of rows; a sparse matrix of at most `DENSE_CELLS` cells.

    Attributes
    ----------
    shape : tuple
        Shape of the whole table; of images, all dimensions.
    columns : int ndarray or None
        Positions of the columns with numbers, counted in the flat record; None where all have.
    values : float64 ndarray of shape (n, n_columns), or `shape` where all columns have numbers
        The numbers, NaN where one is missing, in rows whatever the order in memory was.
    """

    def __init__(self, X):
        self.came, native = X, _as_table(X)
        self.native = native.toarray() if sparse.issparse(native) else native
        self.shape = np.shape(self.native)
        self.columns = None
        if getattr(self.native, "dtype", None) is not None and self.native.dtype.kind in "biuf":
            self.values = np.ascontiguousarray(self.native, dtype=np.float64)
            return
        found = {i: v for i, v in enumerate(map(_numbers_in, self._columns())) if v is not None}
        self.values = np.empty((len(self.native), len(found)))
        for place, column in enumerate(found.values()):
            self.values[:, place] = column
        if len(found) < np.prod(self.shape[1:]):
            self.columns = np.fromiter(found, dtype=np.intp, count=len(found))
        else:
            self.values = self.values.reshape(self.shape)

    @property
    def has_numbers(self):
        """Whether there is any number, missing values aside; of no records, nobody can say."""
        return not len(self.native) or bool((~np.isnan(self.values)).any())

    def take(self, cells):
        """Return those of the cells of the whole table, an array of `shape`, that are numbers."""
        return cells if self.columns is None else cells[:, self.columns]

    def replaced(self, values, *, whole=False):
        """Return the table with other numbers in their place, in the container that it came in.

        Parameters
        ----------
        values : ndarray of the shape of `values`
            What is missing in the table stays as it is.
        whole : bool
            Whether the values are of the kind that each column holds, as flipped bits are; columns
            of whole numbers and of booleans keep their type then, and become float64 otherwise.
        """
        kinds = "biuf" if whole else "f"
        if hasattr(self.native, "iloc"):
            return as_kind_of(self.came, self._replaced_columns(values, kinds))
        if self.native.dtype.kind == "O":
            table = np.array(self.native, order="C")
            flat, values = table.reshape(len(table), -1), values.reshape(len(table), -1)
            columns = range(flat.shape[1]) if self.columns is None else self.columns
            for column, moved in zip(columns, values.T):
                _put(flat[:, column], moved)
        else:
            kind = self.native.dtype
            table = values.astype(kind, copy=False) if kind.kind in kinds else values
        return as_kind_of(self.came, table)

    def held(self, moved, columns):
        """Return a varied table with the marked ones of `columns` as they are in this one."""
        other = NumberTable(moved)
        values = np.where(columns, self.values, other.values)
        return other.replaced(values)

    def _columns(self):
        if hasattr(self.native, "iloc"):
            return (self.native.iloc[:, i] for i in range(self.native.shape[1]))
        return self.native.reshape(len(self.native), -1).T

    def _replaced_columns(self, values, kinds):
        table = self.native.copy()
        columns = range(table.shape[1]) if self.columns is None else self.columns
        for column, moved in zip(columns, values.T):
            kind = table.dtypes.iloc[column]
            if isinstance(kind, np.dtype) and kind.kind == "O":
                objects = table.iloc[:, column].to_numpy(dtype=object, copy=True)
                table.isetitem(column, _put(objects, moved))
            elif np.isfinite(moved).any():  # a column of text may hold nothing at all
                keep = isinstance(kind, np.dtype) and kind.kind in kinds
                table.isetitem(column, moved.astype(kind) if keep else moved)
        return table


def read_numbers(X):
    """Return the `NumberTable` of `X`, or None where `X` is no table or holds no number."""
    native = _as_table(X)
    if native is None or len(np.shape(native)) < 2 or is_large(native):
        return None
    table = NumberTable(X)
    return table if table.has_numbers else None


def is_large(X):
    """Return whether `X` is a sparse table that is not worked on as a dense one."""
    return sparse.issparse(X) and np.prod(X.shape, dtype=np.float64) > DENSE_CELLS


def stored_cells(X):
    """Return the stored cells of a large sparse table, float64, or None where they are no numbers.

    No cell stands twice, and no zero.
    """
    if X.dtype.kind not in "biuf":
        return None
    table = as_csr(X)
    return table.data[table.data != 0].astype(np.float64)


def _as_table(X):
    """Return a table as a frame, an ndarray or a sparse matrix; None where it is no table."""
    native = as_native(X)
    if isinstance(native, np.ndarray):
        return np.asarray(native)  # np.matrix multiplies otherwise
    if hasattr(native, "iloc") or sparse.issparse(native):
        return native
    if not isinstance(X, (list, tuple)) or not len(X):
        return None
    rows = [list(row.values()) if isinstance(row, dict) else row for row in X]
    if not all(isinstance(row, (list, tuple)) and len(row) == len(rows[0]) for row in rows):
        return None
    if any(isinstance(row, dict) and list(row) != list(X[0]) for row in X):
        return None
    table = np.empty((len(rows), len(rows[0])), dtype=object)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):  # which may be a list itself
            table[i, j] = value
    return table


def _numbers_in(column):
    """Return a column as float64, NaN where a value is missing; None where one is no number."""
    kind = column.dtype
    if kind.kind in "biuf":
        if isinstance(column, np.ndarray):
            return column.astype(np.float64)
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if kind.kind != "O" or hasattr(kind, "categories"):
        return None
    values = np.asarray(column, dtype=object)
    kinds = set(map(type, values))
    if not all(issubclass(one, (Real, np.bool_, Decimal)) for one in kinds):
        missing = np.fromiter(map(is_missing, values), dtype=bool, count=len(values))
        kinds = set(map(type, values[~missing]))
        if not all(issubclass(one, (Real, np.bool_, Decimal)) for one in kinds):
            return None
        values = np.where(missing, np.nan, values)
    try:
        return values.astype(np.float64)
    except (OverflowError, ValueError):  # beyond the range of float64
        return None


def _put(objects, values):
    """Write numbers over those in a column of objects; what is missing stays. Return the column."""
    there = ~np.isnan(values)
    objects[there] = values[there]
    return objects
