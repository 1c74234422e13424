"""Values that no record could have are read as the nearest that one could.

A bit is zero or one, a count is whole, a pixel is one of 256. Whoever sends 1.003 for a bit does
not ask about a record: they look at how the model changes nearby, and members and non-members
differ in that, whatever a single output shows. So the confidences are those of the record on the
grid. The label stays that of the query as it came.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy import sparse

from sklearn_aeppt._containers import as_csr, as_kind_of, as_pandas
from sklearn_aeppt._record_numbers import are_numbers, as_numbers, must_be_numbers


def _two_values(values, low, high):
    return np.where(values - low < high - values, low, high)


def _whole_numbers(values, low, high):
    return np.rint(values)


def _pixels(values, low, high):
    return np.rint(values * np.float32(255)) / np.float32(255)


GRIDS = _two_values, _whole_numbers, _pixels


def _cells(side):
    """Return (values, columns) of a sparse table: those stored, and a zero where any is not."""
    n_stored = np.bincount(side.indices, minlength=side.shape[1])
    zero = np.flatnonzero(n_stored < side.shape[0])
    values = np.concatenate([side.data, np.zeros(len(zero), dtype=side.dtype)])
    return values, np.concatenate([side.indices, zero])


def _reduce(function, side):
    """Return np.fmin or np.fmax of each column, NaN where all of its values are missing."""
    if not sparse.issparse(side):
        return function.reduce(side, axis=0)
    reduced = np.full(side.shape[1], np.nan, dtype=side.dtype)
    values, columns = _cells(side)
    function.at(reduced, columns, values)
    return reduced


def _is_on(grid, side, low, high):
    """Return which columns lie on a grid, missing values aside."""
    if not sparse.issparse(side):
        return ((side == grid(side, low, high)) | np.isnan(side)).all(axis=0)
    values, columns = _cells(side)
    off = (values != grid(values, low[columns], high[columns])) & ~np.isnan(values)
    return np.bincount(columns[off], minlength=side.shape[1]) == 0


def _n_nonzero(side):
    if not sparse.issparse(side):
        return np.count_nonzero(side, axis=0)
    return np.bincount(side.indices[side.data != 0], minlength=side.shape[1])


def _stacked(one, other):
    """Return the cells that either of two coo_arrays of one shape stores."""
    data, row, col = (
        np.concatenate([getattr(part, name) for part in (one, other)])
        for name in ("data", "row", "col")
    )
    return sparse.coo_array((data, (row, col)), one.shape)


class RecordGrid:
    """The grid on which the columns of the fitted records lie, where they lie on one.

    Attributes
    ----------
    columns_ : intp ndarray of shape (n_columns,)
        Columns that lie on a grid, counted in the flat record; empty for records that are not
        numbers, which have none of the following.
    kinds_ : intp ndarray of shape (n_columns,)
        Index of the grid of each in `GRIDS`.
    low_ : float32 ndarray of shape (n_columns,)
        Least value of each, missing values aside.
    high_ : float32 ndarray of shape (n_columns,)
        Greatest value of each, missing values aside.
    zero_off_ : intp ndarray of shape (n_off,)
        Those of the columns whose grid has no zero.
    """

    def fit(self, X_mem: Any, X_non: Any) -> Self:
        """Find columns of two values, of whole numbers and of 255ths; return self."""
        self.columns_ = np.empty(0, dtype=np.intp)
        sides, numeric = [as_pandas(X) for X in (X_mem, X_non)], None
        if all(hasattr(X, "iloc") for X in sides):  # a frame may hold other things, too
            numeric = np.flatnonzero(np.all([are_numbers(X) for X in sides], axis=0))
            sides = [X.iloc[:, numeric] for X in sides]
        sides = [as_numbers(X) for X in sides]
        if any(side is None for side in sides):
            return self
        # missing values aside
        low, high = (
            f.reduce([_reduce(f, side) for side in sides], axis=0) for f in (np.fmin, np.fmax)
        )
        fits = [np.all([_is_on(grid, side, low, high) for side in sides], axis=0) for grid in GRIDS]
        # one number among zeros, such as the weight of a rare word, is not the only one possible
        fits[0] &= sum(_n_nonzero(side) for side in sides) != 1
        on_one = np.flatnonzero(np.any(fits, axis=0))
        self.columns_ = on_one if numeric is None else numeric[on_one]
        self.kinds_ = np.argmax(fits, axis=0)[on_one]  # the first that fits
        low, high = low[on_one], high[on_one]
        self.low_, self.high_ = low, high
        zero = self._on_grid(np.zeros_like(low), np.arange(len(low)))
        self.zero_off_ = self.columns_[(zero != 0) & np.isfinite(zero)]
        return self

    def _of_kind(self) -> list[tuple[Any, Any]]:
        """Return each grid with the columns that lie on it."""
        first = self.kinds_[0]
        if (self.kinds_ == first).all():
            return [(GRIDS[first], slice(None))]
        return [(grid, self.kinds_ == kind) for kind, grid in enumerate(GRIDS)]

    def nearest(self, X: Any) -> tuple[np.ndarray, Any]:
        """Return (rows off the grid, those rows as they would be on it); the rows may be none."""
        came, X = X, as_pandas(X)
        if not len(self.columns_):
            return np.empty(0, dtype=np.intp), None
        if sparse.issparse(X):
            return self._nearest_of_sparse(X)
        if hasattr(X, "iloc"):
            values = must_be_numbers(X.iloc[:, self.columns_])
        elif isinstance(X, np.ndarray):
            values = must_be_numbers(X.reshape(len(X), -1)[:, self.columns_])
        else:
            values = must_be_numbers(X)[:, self.columns_]
        on_grid = np.empty_like(values)
        for grid, of in self._of_kind():
            on_grid[:, of] = grid(values[:, of], self.low_[of], self.high_[of])
        off = (values != on_grid) & np.isfinite(values)
        rows = np.flatnonzero(off.any(axis=1))
        if not len(rows):
            return rows, None
        if hasattr(X, "iloc"):
            moved = X.iloc[rows].copy()
            for j, column in enumerate(self.columns_):
                hit = off[rows, j]
                if hit.any():
                    before = values[rows, j].astype(np.float64)
                    moved.isetitem(column, np.where(hit, on_grid[rows, j], before))
            return rows, as_kind_of(came, moved)
        moved = np.array(np.asarray(X)[rows], order="C")
        if moved.dtype.kind in "biu":  # the grid may lie between whole numbers
            moved = moved.astype(np.float64)
        flat = moved.reshape(len(rows), -1)
        flat[:, self.columns_] = np.where(off[rows], on_grid[rows], flat[:, self.columns_])
        return rows, as_kind_of(came, moved)

    def _nearest_of_sparse(self, X):
        """Return what `nearest` does, of a sparse table: from the values that it stores."""
        must_be_numbers(X)
        table = self._store_zeros(as_csr(X))
        place = np.searchsorted(self.columns_, table.indices).clip(max=len(self.columns_) - 1)
        of = np.flatnonzero(self.columns_[place] == table.indices)
        values = table.data[of].astype(np.float32)
        on_grid = self._on_grid(values, place[of])
        off = (values != on_grid) & np.isfinite(values)
        row = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
        rows = np.unique(row[of[off]])
        if not len(rows):
            return rows, None
        # the grid may lie between whole numbers
        moved = table.astype(np.float64 if table.dtype.kind in "biu" else table.dtype, copy=True)
        moved.data[of[off]] = on_grid[off]
        moved = moved[rows]
        moved.eliminate_zeros()
        return rows, type(X)(moved)

    def _on_grid(self, values, place):
        """Return the nearest of each value on the grid of the column at `place` in `columns_`."""
        on_grid = np.empty_like(values)
        for kind, grid in enumerate(GRIDS):
            of = self.kinds_[place] == kind
            on_grid[of] = grid(values[of], self.low_[place[of]], self.high_[place[of]])
        return on_grid

    def _store_zeros(self, table):
        """Return a csr_array that stores zeros, too, where the grid of their column has none."""
        columns = self.zero_off_
        if not len(columns):
            return table
        n = table.shape[0]
        row, column = np.repeat(np.arange(n), len(columns)), np.tile(columns, n)
        zeros = sparse.coo_array((np.zeros_like(row, table.dtype), (row, column)), table.shape)
        return _stacked(table.tocoo(), zeros).tocsr()  # which adds up what is stored twice
