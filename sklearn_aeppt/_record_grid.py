"""Values that no record could have are read as the nearest that one could.

A bit is zero or one, a count is whole, a pixel is one of 256. Whoever sends 1.003 for a bit does
not ask about a record: they look at how the model changes nearby, and members and non-members
differ in that, whatever a single output shows. So the confidences are those of the record on the
grid. The label stays that of the query as it came.
"""

import numpy as np
from scipy import sparse

from sklearn_aeppt._record_numbers import as_numbers


def _two_values(values, low, high):
    return np.where(values - low < high - values, low, high)


def _whole_numbers(values, low, high):
    return np.rint(values)


def _pixels(values, low, high):
    return np.rint(values * np.float32(255)) / np.float32(255)


GRIDS = _two_values, _whole_numbers, _pixels


class RecordGrid:
    """The grid on which the columns of the fitted records lie, where they lie on one."""

    def fit(self, X_mem, X_non):
        """Find columns of two values, of whole numbers and of 255ths; return self."""
        self.columns_ = np.empty(0, dtype=np.intp)
        sides = [as_numbers(X) for X in (X_mem, X_non)]
        if sides[0] is None or sparse.issparse(sides[0]):  # a stored value off a grid is rare
            return self
        low, high = (f([f(side, axis=0) for side in sides], axis=0) for f in (np.min, np.max))
        fits = [
            np.logical_and.reduce([(side == grid(side, low, high)).all(axis=0) for side in sides])
            for grid in GRIDS
        ]
        self.columns_ = np.flatnonzero(np.any(fits, axis=0))
        self.kinds_ = np.argmax(fits, axis=0)[self.columns_]  # the first that fits
        self.low_, self.high_ = low[self.columns_], high[self.columns_]
        return self

    def nearest(self, X):
        """Return (rows off the grid, those rows as they would be on it); the rows may be none."""
        values = as_numbers(X) if len(self.columns_) else None
        if values is None or sparse.issparse(values):
            return np.empty(0, dtype=np.intp), None
        values = values[:, self.columns_]
        on_grid = np.empty_like(values)
        for kind in np.unique(self.kinds_):
            of = self.kinds_ == kind
            on_grid[:, of] = GRIDS[kind](values[:, of], self.low_[of], self.high_[of])
        off = (values != on_grid) & np.isfinite(values)
        rows = np.flatnonzero(off.any(axis=1))
        if not len(rows):
            return rows, None
        if hasattr(X, "iloc"):
            moved = X.iloc[rows].copy()
            for j, column in enumerate(self.columns_):
                hit = off[rows, j]
                if hit.any():
                    moved.iloc[np.flatnonzero(hit), column] = on_grid[rows, j][hit]
            return rows, moved
        moved = np.asarray(X)[rows]
        flat = moved.reshape(len(rows), -1)
        flat[:, self.columns_] = np.where(off[rows], on_grid[rows], flat[:, self.columns_])
        return rows, moved
