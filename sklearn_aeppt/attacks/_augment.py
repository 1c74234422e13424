"""Variants of records for ``query(augment=...)``: noise, bit flips, and ladders of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.sparsefuncs import mean_variance_axis

from sklearn_aeppt._containers import as_csr, type_name
from sklearn_aeppt._number_table import DENSE_CELLS, is_large, read_numbers


@dataclass(frozen=True)
class GaussianNoise:
    """Variants of numeric records: normal noise on every feature, for ``query(augment=...)``.

    Noise is added to every column of numbers, whole ones and booleans included, whatever container
    they stand in; text, dates, categories and missing values stay as they are. A sparse matrix is
    varied as the dense one that it stands for, up to 4 million cells; above, where the noise itself
    would no longer be sparse, in the stored entries only.

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
        if is_large(X):
            return self._move_stored(X, rng)
        table = numbers_of(X)
        scale: Any = self.scale
        if self.relative:
            spread = np.ma.masked_invalid(table.values).std(axis=0)
            scale = scale * _positive(np.ma.filled(spread, 0))
        # a number for every cell: what is drawn for one column is no matter of the others' types
        noise = table.take(rng.standard_normal(table.shape))
        return table.replaced(table.values + scale * noise)

    def _move_stored(self, X, rng):
        noisy = as_csr(X).copy()
        if noisy.dtype.kind != "f":
            noisy = noisy.astype(np.float64)
        scale = self.scale
        if self.relative:
            scale = scale * _positive(np.sqrt(mean_variance_axis(noisy, axis=0)[1]))[noisy.indices]
        noise = scale * rng.standard_normal(len(noisy.data))
        noisy.data += noise.astype(noisy.dtype, copy=False)
        return type(X)(noisy)


@dataclass(frozen=True)
class BitFlips:
    """Variants of binary records: some bits flipped, for ``query(augment=...)``.

    Exactly one of the two parameters must be given. All columns may be flipped, in sparse matrices
    too; those of more than 4 million cells take other draws for `probability` than dense ones.

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
        if sparse.issparse(X):
            bits, turned = sparse.csr_array(X, dtype=np.float64), self._turned_sparse(X.shape, rng)
            return type(X)((bits + turned - 2 * bits.multiply(turned)).astype(X.dtype))
        table = numbers_of(X)
        if table.columns is not None:
            raise ValueError(
                f"X has {len(table.columns)} columns with numbers of {table.shape[1]}: flip the "
                "bits of a table of bits alone."
            )
        if self.n_flips is None:
            turned = rng.random_sample(table.shape) < self.probability
        else:
            turned = self._turned_sparse(table.shape, rng).toarray().reshape(table.shape)
        return table.replaced(table.values + turned - 2 * table.values * turned, whole=True)

    def _turned_sparse(self, shape, rng):
        """Return which bits are flipped, a float64 csr_array of ones, one row a record."""
        n, n_columns = shape[0], int(np.prod(shape[1:]))
        if self.n_flips is None:
            if n * n_columns <= DENSE_CELLS:
                return _as_float(sparse.csr_array(rng.random_sample(shape) < self.probability))
            return _as_float(drawn_cells(n, n_columns, self.probability, rng))
        chosen = distinct_columns(n, n_columns, min(self.n_flips, n_columns), rng)
        ends = np.arange(n + 1) * chosen.shape[1]
        bits = np.ones(chosen.size, bool), chosen.ravel(), ends
        return _as_float(sparse.csr_array(bits, shape=(n, n_columns)))


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


def numbers_of(X):
    """Return the `NumberTable` of `X`; refuse what holds no number that could be varied."""
    table = read_numbers(X)
    if table is None:
        raise ValueError(
            f"X is a {type_name(X)} without any number to vary: give records with columns of "
            "numbers."
        )
    return table


def drawn_cells(n, n_columns, probability, rng):
    """Return a csr_array of ones in cells drawn independently of each other, never made dense."""
    n_drawn = rng.binomial(n * n_columns, probability)
    cells = np.empty(0, dtype=np.int64)
    while len(cells) < n_drawn:  # given their number, all sets of cells are equally likely
        more = rng.randint(n * n_columns, size=n_drawn - len(cells), dtype=np.int64)
        cells = np.unique(np.concatenate([cells, more]))
    place = cells // n_columns, cells % n_columns
    return sparse.csr_array((np.ones(n_drawn), place), shape=(n, n_columns))


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


def _as_float(turned):
    """Return a csr_array as float64, with indices of 32 bits, which trees can take."""
    turned = turned.astype(np.float64)
    turned.indices, turned.indptr = (i.astype(np.int32) for i in (turned.indices, turned.indptr))
    return turned
