"""Variants of records for ``query(augment=...)``: noise, bit flips, and ladders of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.sparsefuncs import mean_variance_axis

from sklearn_aeppt._containers import as_kind_of, as_native


@dataclass(frozen=True)
class GaussianNoise:
    """Variants of numeric records: normal noise on every feature, for ``query(augment=...)``.

    In a frame, noise is added to the floating-point columns (to the integer columns if there are
    none, else to the boolean ones) and the others stay as they are; in a sparse matrix, it is
    added to the stored entries.

    Parameters
    ----------
    scale : float
        Standard deviation of the noise, in units of the features.
    relative : bool, default=False
        Whether `scale` is in units of each feature's own standard deviation over the records
        instead. A constant feature, which a model can ignore, gets noise of `scale` itself.

    See Also
    --------
    BitFlips : Variants of binary records.
    NoiseLadder : Variants at several scales, for `VariantsAttack`.

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

    def __call__(self, X: Any, rng: np.random.RandomState) -> Any:
        """Return a variant of every record of `X`, a table of the same kind, drawn with `rng`."""
        return as_kind_of(X, self._vary(as_native(X), rng))

    def _vary(self, X, rng):
        if sparse.issparse(X):
            return self._move_stored(X, rng)
        if hasattr(X, "iloc"):
            return self._move_columns(X, rng)
        noisy = self._move(X.astype(np.float64) if X.dtype.kind == "O" else X, rng)
        return noisy.astype(X.dtype) if X.dtype.kind in "fO" else noisy

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
    """Variants of binary records: some bits flipped, for ``query(augment=...)``.

    Exactly one of the two parameters must be given.

    Parameters
    ----------
    probability : float in [0, 1], default=None
        Each bit is flipped with this probability, independently of the others.
    n_flips : int, default=None
        Exactly this many different bits of each record are flipped; all of them if a record has
        fewer.

    Raises
    ------
    ValueError
        If both parameters are given, or neither.

    See Also
    --------
    GaussianNoise : Variants of numeric records.
    NoiseLadder : Variants at several scales, for `VariantsAttack`.

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

    def __call__(self, X: Any, rng: np.random.RandomState) -> Any:
        """Return a variant of every record of `X`, a table of the same kind, drawn with `rng`."""
        return as_kind_of(X, self._vary(as_native(X), rng))

    def _vary(self, X, rng):
        turned = self._turned(np.shape(X), rng)
        if sparse.issparse(X):
            turned = sparse.csr_array(turned)
            # trees take indices of 32 bits only
            turned.indices, turned.indptr = (
                i.astype(np.int32) for i in (turned.indices, turned.indptr)
            )
            return abs(sparse.csr_array(X) - turned)
        if sparse.issparse(turned):
            turned = turned.toarray().reshape(np.shape(X))
        if getattr(getattr(X, "dtype", None), "kind", None) == "b":
            return X ^ turned
        turned = turned.astype(getattr(X, "dtype", float))  # unsigned types do not go below zero
        return X + turned - 2 * X * turned

    def _turned(self, shape, rng):
        if self.n_flips is None:
            return rng.random_sample(shape) < self.probability
        n, n_columns = shape if len(shape) < 3 else (shape[0], int(np.prod(shape[1:])))
        chosen = distinct_columns(n, n_columns, min(self.n_flips, n_columns), rng)
        ends = np.arange(n + 1) * chosen.shape[1]
        bits = np.ones(chosen.size, bool), chosen.ravel(), ends
        return sparse.csr_array(bits, shape=(n, n_columns))


@dataclass(frozen=True)
class NoiseLadder(Sequence[GaussianNoise | BitFlips]):
    """Variants at several scales, taken in turn: a sequence of `GaussianNoise` and `BitFlips`.

    A randomized defense whose draws depend on what it hides may reveal it at one scale only: tiny
    noise leaves a saturated confidence vector as it is and changes any other, larger noise yields
    fresh draws to average. ``query(..., augment=NoiseLadder())`` assigns each variant a scale in
    turn and records its rung under the key ``rung``.

    Parameters
    ----------
    scales : tuple of float, default=(1e-7, 1e-6, 1e-4, 1e-2)
        Standard deviations of the noise, in units of each feature's own standard deviation; one
        rung each.
    flips : tuple of int, default=()
        Numbers of bits to flip, for binary features; one more rung each.

    See Also
    --------
    VariantsAttack : Learns from the outputs for such variants.
    GaussianNoise : A rung of `scales`.
    BitFlips : A rung of `flips`.

    Examples
    --------
    >>> from sklearn_aeppt.attacks import NoiseLadder
    >>> list(NoiseLadder(scales=(1e-6,), flips=(1,)))  # doctest: +NORMALIZE_WHITESPACE
    [GaussianNoise(scale=1e-06, relative=True), BitFlips(probability=None, n_flips=1)]
    """

    scales: tuple[float, ...] = (1e-7, 1e-6, 1e-4, 1e-2)
    flips: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.scales) + len(self.flips)

    def __getitem__(self, i: int | slice) -> Any:
        """Return a rung, or a list of rungs for a slice."""
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
