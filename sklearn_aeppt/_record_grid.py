"""Values that no record could have are read as the nearest that one could.

A bit is zero or one, a count is whole, a pixel is one of 256. Whoever sends 1.003 for a bit does not
ask about a record: they look at how the model changes nearby, and members and non-members differ
in that, whatever a single answer shows. So confidences are those of the record on the grid.
"""

import numpy as np
from scipy import sparse

from sklearn_aeppt._record_numbers import as_numbers


class RecordGrid:
    """The grid on which the columns of the fitted records lie, where they lie on one."""

    def fit(self, X_mem, X_non):
        """Find columns of two values, of whole numbers and of 255ths; return self."""
        self.columns_ = np.empty(0, dtype=np.intp)
        sides = [as_numbers(X) for X in (X_mem, X_non)]
        if sides[0] is None or sparse.issparse(sides[0]):  # a stored value off a grid is rare
            return self
        low, high = (f([f(side, axis=0) for side in sides], axis=0) for f in (np.min, np.max))
        two = np.logical_and.reduce([((s == low) | (s == high)).all(axis=0) for s in sides])
        whole, pixel = (
            np.logical_and.reduce([(s == grid(s)).all(axis=0) for s in sides])
            for grid in (np.rint, _pixels)
        )
        self.columns_ = np.flatnonzero((two & (low < high)) | whole | pixel)
        kinds = np.select([two & (low < high), whole], [0, 1], 2)
        self.kinds_, self.low_, self.high_ = (a[self.columns_] for a in (kinds, low, high))
        return self

    def nearest(self, X):
        """Return (rows off the grid, those rows as they would be on it); the rows may be none."""
        none = np.empty(0, dtype=np.intp), None
        if not len(self.columns_) or not hasattr(X, "dtype" if not hasattr(X, "iloc") else "dtypes"):
            return none
        is_frame = hasattr(X, "iloc")
        dtypes = set(X.dtypes) if is_frame else {X.dtype}
        if not any(getattr(d, "kind", "O") == "f" for d in dtypes):
            return none  # whole numbers are on any grid of ours but that of two values
        values = as_numbers(X)
        if values is None or sparse.issparse(values):
            return none
        values = values[:, self.columns_]
        on_grid = np.select(
            [self.kinds_ == 0, self.kinds_ == 1],
            [np.where(values - self.low_ < self.high_ - values, self.low_, self.high_),
             np.rint(values)],
            _pixels(values),
        )  # fmt: skip
        off = (values != on_grid) & np.isfinite(values)
        rows = np.flatnonzero(off.any(axis=1))
        if not len(rows):
            return none
        if is_frame:
            moved = X.iloc[rows].copy()
            for j, column in enumerate(self.columns_):
                hit = off[rows, j]
                if hit.any():
                    moved.iloc[np.flatnonzero(hit), column] = on_grid[rows, j][hit]
            return rows, moved
        moved = np.array(X[rows])
        flat = moved.reshape(len(rows), -1)
        flat[:, self.columns_] = np.where(off[rows], on_grid[rows], flat[:, self.columns_])
        return rows, moved


def _pixels(values):
    return np.rint(values * np.float32(255)).astype(np.float32) / np.float32(255)
