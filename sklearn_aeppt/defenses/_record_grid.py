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

from sklearn_aeppt._containers import as_kind_of, as_pandas
from sklearn_aeppt._record_numbers import are_numbers, as_numbers, must_be_numbers


def _two_values(values, low, high):
    return np.where(values - low < high - values, low, high)


def _whole_numbers(values, low, high):
    return np.rint(values)


def _pixels(values, low, high):
    return np.rint(values * np.float32(255)) / np.float32(255)


GRIDS = _two_values, _whole_numbers, _pixels


def _is_on(grid, side, low, high):
    """Return which columns lie on a grid, missing values aside."""
    return ((side == grid(side, low, high)) | np.isnan(side)).all(axis=0)


class RecordGrid:
    """The grid on which the columns of the fitted records lie, where they lie on one.

    Attributes
    ----------
    columns_ : intp ndarray of shape (n_columns,)
        Columns that lie on a grid, counted in the flat record; empty for sparse tables and for
        records that are not numbers, which have none of the following.
    kinds_ : intp ndarray of shape (n_columns,)
        Index of the grid of each in `GRIDS`.
    low_ : float32 ndarray of shape (n_columns,)
        Least value of each, missing values aside.
    high_ : float32 ndarray of shape (n_columns,)
        Greatest value of each, missing values aside.
    """

    def fit(self, X_mem: Any, X_non: Any) -> Self:
        """Find columns of two values, of whole numbers and of 255ths; return self."""
        self.columns_ = np.empty(0, dtype=np.intp)
        sides, numeric = [as_pandas(X) for X in (X_mem, X_non)], None
        if all(hasattr(X, "iloc") for X in sides):  # a frame may hold other things, too
            numeric = np.flatnonzero(np.all([are_numbers(X) for X in sides], axis=0))
            sides = [X.iloc[:, numeric] for X in sides]
        sides = [as_numbers(X) for X in sides]
        # of sparse tables, a stored value off a grid is rare
        if any(side is None or sparse.issparse(side) for side in sides):
            return self
        # missing values aside
        low, high = (
            f.reduce([f.reduce(side, axis=0) for side in sides], axis=0) for f in (np.fmin, np.fmax)
        )
        fits = [np.all([_is_on(grid, side, low, high) for side in sides], axis=0) for grid in GRIDS]
        on_one = np.flatnonzero(np.any(fits, axis=0))
        self.columns_ = on_one if numeric is None else numeric[on_one]
        self.kinds_ = np.argmax(fits, axis=0)[on_one]  # the first that fits
        low, high = low[on_one], high[on_one]
        self.low_, self.high_ = low, high
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
        if not len(self.columns_) or sparse.issparse(X):
            return np.empty(0, dtype=np.intp), None
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
