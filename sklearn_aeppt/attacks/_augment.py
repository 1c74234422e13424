"""Variants of records for ``query(augment=...)``: noise, bit flips, and ladders of both."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.utils.sparsefuncs import mean_variance_axis

from sklearn_aeppt._containers import as_kind_of, as_native


@dataclass(frozen=True)
class GaussianNoise:
    """Variants of numeric records: normal noise on every feature, for ``query(augment=...)``.

    Of a frame it moves the floating-point columns (the integer columns where there are none) and
    leaves the others as they are; of a sparse matrix it moves the stored entries.

    Parameters
    ----------
    scale : float
        Standard deviation, in units of the features.
    relative : bool, default=False
        Whether `scale` is in units of each feature's own standard deviation over the records
        instead. A constant feature, which a model can ignore, is moved by `scale` itself.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import GaussianNoise
    >>> GaussianNoise(0.1)(np.zeros((2, 3)), np.random.RandomState(0)).round(2)
    array([[ 0.18,  0.04,  0.1 ],
           [ 0.22,  0.19, -0.1 ]])
    """

    scale: float
    relative: bool = False

    def __call__(self, X, rng):
        """Return a variant of every record of `X`, drawn from a numpy RandomState."""
        return as_kind_of(X, self._vary(as_native(X), rng))

    def _vary(self, X, rng):
        if sparse.issparse(X):
            return self._move_stored(X, rng)
        if hasattr(X, "iloc"):
            return self._move_columns(X, rng)
        noisy = self._move(X, rng)
        return noisy.astype(X.dtype) if X.dtype.kind == "f" else noisy

    def _move(self, values, rng):
        scale = self.scale
        if self.relative:
            scale = scale * _positive(np.ma.masked_invalid(values).std(axis=0).filled(0))
        return values + scale * rng.standard_normal(values.shape)

    def _move_stored(self, X, rng):
        noisy = X.tocsr(copy=True)
        if noisy.dtype.kind != "f":
            noisy = noisy.astype(np.float64)
        scale = self.scale
        if self.relative:
            scale = scale * _positive(np.sqrt(mean_variance_axis(noisy, axis=0)[1]))[noisy.indices]
        noise = scale * rng.standard_normal(len(noisy.data))
        noisy.data += noise.astype(noisy.dtype, copy=False)
        return noisy

    def _move_columns(self, X, rng):
        columns = numeric_columns(X)
        values = X.iloc[:, columns].to_numpy(dtype=np.float64, na_value=np.nan)
        noisy = X.copy()
        for column, moved in zip(columns, self._move(values, rng).T):
            kind = X.dtypes.iloc[column]
            keep = isinstance(kind, np.dtype) and kind.kind == "f"
            noisy.isetitem(column, moved.astype(kind) if keep else moved)
        return noisy


@dataclass(frozen=True)
class BitFlips:
    """Variants of binary records: some bits turned, for ``query(augment=...)``.

    Parameters
    ----------
    probability : float or None, default=None
        In [0, 1]: each bit turns with this probability.
    n_flips : int or None, default=None
        Exactly this many different bits of each record turn. Give one of the two.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import BitFlips
    >>> BitFlips(0.5)(np.zeros((2, 4), dtype=int), np.random.RandomState(0))
    array([[0, 0, 0, 0],
           [1, 0, 1, 0]])
    >>> BitFlips(n_flips=1)(np.zeros((2, 4), dtype=int), np.random.RandomState(0)).sum(axis=1)
    array([1, 1])
    """

    probability: float | None = None
    n_flips: int | None = None

    def __post_init__(self):
        if (self.probability is None) == (self.n_flips is None):
            raise ValueError(
                f"probability={self.probability!r} and n_flips={self.n_flips!r}: give exactly one "
                "of the two."
            )

    def __call__(self, X, rng):
        """Return a variant of every record of `X`, drawn from a numpy RandomState."""
        return as_kind_of(X, self._vary(as_native(X), rng))

    def _vary(self, X, rng):
        turned = self._turned(np.shape(X), rng)
        if sparse.issparse(X):
            return abs(X - sparse.csr_array(turned))
        if sparse.issparse(turned):
            turned = turned.toarray()
        if getattr(getattr(X, "dtype", None), "kind", None) == "b":
            return X ^ turned
        turned = turned.astype(getattr(X, "dtype", float))  # unsigned types do not go below zero
        return X + turned - 2 * X * turned

    def _turned(self, shape, rng):
        if self.n_flips is None:
            return rng.random_sample(shape) < self.probability
        chosen = distinct_columns(*shape, min(self.n_flips, shape[1]), rng)
        ends = np.arange(shape[0] + 1) * chosen.shape[1]
        return sparse.csr_array((np.ones(chosen.size, bool), chosen.ravel(), ends), shape=shape)


@dataclass(frozen=True)
class NoiseLadder(Sequence):
    """Variants at several scales, taken in turn: a sequence of `GaussianNoise` and `BitFlips`.

    A randomized defense whose draws depend on what it hides may show it at one scale only: tiny
    noise leaves a saturated confidence vector as it is and changes any other, larger noise yields
    fresh draws to average. ``query(..., augment=NoiseLadder())`` gives each variant its scale in
    turn and notes the rung under the key ``rung``.

    Parameters
    ----------
    scales : tuple of float, default=(1e-7, 1e-6, 1e-4, 1e-2)
        Standard deviations of the noise, in units of each feature's own.
    flips : tuple of int, default=()
        For binary features: how many bits to flip, one more rung for each.

    Examples
    --------
    >>> from sklearn_aeppt.attacks import NoiseLadder
    >>> list(NoiseLadder(scales=(1e-6,), flips=(1,)))  # doctest: +NORMALIZE_WHITESPACE
    [GaussianNoise(scale=1e-06, relative=True), BitFlips(probability=None, n_flips=1)]
    """

    scales: tuple = (1e-7, 1e-6, 1e-4, 1e-2)
    flips: tuple = ()

    def __len__(self):
        return len(self.scales) + len(self.flips)

    def __getitem__(self, i):
        """Return the rung, or for a slice the rungs, a list."""
        rungs = [
            *(GaussianNoise(scale, relative=True) for scale in self.scales),
            *(BitFlips(n_flips=n) for n in self.flips),
        ]
        return rungs[i]


def numeric_columns(frame):
    """Return the positions of a frame's floating-point columns, else integer, else boolean."""
    from pandas.api.types import is_bool_dtype, is_float_dtype, is_integer_dtype

    for of_kind in (is_float_dtype, is_integer_dtype, is_bool_dtype):
        found = [i for i, dtype in enumerate(frame.dtypes) if of_kind(dtype)]
        if found:
            return found
    return []


def distinct_columns(n, n_columns, n_chosen, rng):
    """Return `n_chosen` different columns for each of n rows, drawn uniformly."""
    chosen = np.empty((n, 0), dtype=np.intp)
    for i in range(n_chosen):
        column = rng.randint(n_columns - i, size=n)
        for taken in np.sort(chosen, axis=1).T:  # counted among those not yet taken
            column += column >= taken
        chosen = np.column_stack([chosen, column])
    return chosen


def _positive(spread):
    return np.where(spread > 0, spread, 1.0)
