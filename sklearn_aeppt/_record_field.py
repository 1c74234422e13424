"""Random numbers that belong to a record: a secret smooth field over the records' space.

For numeric records x, scaled to the range of the fitted ones::

    u(x) = F(sqrt(2 / D) * sum_i cos(w_i . x + b_i)),    w_i ~ N(0, 1 / length^2),  b_i uniform

with w and b from a secret key and F the normal distribution function, so that u is uniform over
the keys. Two properties follow. Tiny variants of a record share its numbers: asking around it
averages nothing away. And the numbers know nothing of the model's prediction: whether two answers
are alike tells nothing of what is hidden.

All sums are of whole numbers that a float holds exactly. So a record has the same numbers in any
batch, in any order, on any number of threads, in any process.
"""

import numpy as np
from scipy import sparse
from scipy.special import ndtr
from sklearn.neighbors import NearestNeighbors

from sklearn_aeppt._keyed_noise import (
    generator,
    keyed_seeds,
    masked,
    sub_key,
    uniform_from_seeds,
    with_masked_keys,
    with_plain_keys,
)
from sklearn_aeppt._record_numbers import RecordReader, is_plain

#: Share of the near distances between records at which a record's numbers become another's.
LENGTH = 0.5
NEAR = 0.05  # quantile of the distances to the nearest other record
N_MEASURED, N_OTHERS = 1000, 10_000  # records whose distances are measured, and to how many others
COSINES = (32, 8)  # of the first number, whose distribution matters, and of each further one
BLOCK = 1024, 2**17  # records at a time, and numbers in them, so that they stay in a cache
TABLE_BITS = 12
_ANGLES = 2 * np.pi * np.arange(2**TABLE_BITS) / 2**TABLE_BITS
_COSINE = np.rint(np.cos(_ANGLES) * 2**20)  # whole: their sum does not depend on its order
# infinite and missing values are expected, and so is what is too small or too large for a float32
_quiet = np.errstate(over="ignore", under="ignore", invalid="ignore")


class RecordField:
    """Secret smooth numbers over a space of records.

    Parameters
    ----------
    key : bytes
        What the numbers follow from.
    n_draws : int
        Numbers a record, independent of each other.

    Attributes
    ----------
    length_ : float
        Distance, in ranges of the features, at which the numbers change.
    """

    def __init__(self, key, n_draws):
        self.key = masked(key)
        self.n_draws = n_draws

    def __getstate__(self):
        return {**vars(self), **with_plain_keys(vars(self))}

    def __setstate__(self, state):
        vars(self).update({**state, **with_masked_keys(state)})

    @_quiet
    def fit(self, estimator, X_mem, X_non):
        """Measure ranges and distances on the fitted records; return self."""
        self.reader_ = RecordReader().fit(estimator, (X_mem, X_non))
        numbers = [self.reader_(estimator, X)[0] for X in (X_mem, X_non)]
        self.widths_ = [COSINES[0]] + [COSINES[1]] * (self.n_draws - 1)
        n_cosines, rng = sum(self.widths_), generator(self.key, "field")
        # which cosines are summed for which number: whole, so that the product is exact
        self.belongs_ = np.repeat(np.eye(self.n_draws), self.widths_, axis=0)
        self.factor_ = 2**0.5 / 2**20 / np.sqrt(self.widths_)
        self.offset_ = rng.integers(2**32, size=n_cosines)
        self.bits_, self.weights_, self.length_ = 32, None, 0.0
        if numbers[0] is None:
            return self
        ends = [_range(side) for side in numbers]
        low, high = np.min([e[0] for e in ends], axis=0), np.max([e[1] for e in ends], axis=0)
        width = high - low
        varies = width > 0
        self.low_ = low
        self.per_range_ = np.divide(1, width, out=np.zeros_like(width), where=varies)
        self.scale_ = self.per_range_
        self.length_ = LENGTH * near_distance([self._scaled(side, 1) for side in numbers])
        directions = rng.standard_normal((len(low), n_cosines)) / (2 * np.pi * self.length_)
        # whole weights of about 32, so that float32 holds each sum; wide records need float64
        for self.levels_, self.dtype_ in ((1024, "f4"), (256, "f4"), (64, "f4"), (1024, "f8")):
            scale = 32 * 2 * np.pi * self.length_ * self.levels_
            self.bits_ = int(np.clip(np.rint(np.log2(scale)), TABLE_BITS, 32))
            weights = np.rint(directions * (2.0**self.bits_ / self.levels_)) * varies[:, None]
            if 2 * self.levels_ * np.abs(weights).sum(axis=0).max() < 2**24:
                break
        self.weights_ = weights.astype(self.dtype_)
        self.scale_ = self.per_range_ * np.float32(self.levels_)
        return self

    @_quiet
    def __call__(self, estimator, X):
        """Return float64 numbers in (0, 1) of each record, shape (n, n_draws)."""
        in_blocks = is_plain(X) and self.reader_.is_numeric_  # a pipeline's steps are called once
        numbers, others = (X, None) if in_blocks else self.reader_(estimator, X)
        n = numbers.shape[0] if others is None else len(others)
        d = 1 if numbers is None else max(numbers.shape[1], 1)
        block = min(BLOCK[0], max(1, BLOCK[1] // d))
        draws = np.empty((n, self.n_draws))
        for start in range(0, n, block):
            rows = slice(start, start + block)
            part = [a if a is None else a[rows] for a in (numbers, others)]
            draws[rows] = self._draw(*(self.reader_(estimator, part[0]) if in_blocks else part))
        return draws

    def _draw(self, numbers, others):
        phase = self.offset_[None]
        if numbers is not None:
            phase = self._sums(numbers).astype(np.int64) + phase
        if others is not None:  # what is no number moves the whole field somewhere else
            seeds = keyed_seeds(others, sub_key(self.key, "others"))
            turned = uniform_from_seeds(seeds, phase.shape[1])
            phase = phase + (turned * 2.0**self.bits_).astype(np.int64)
        phase = (phase & (2**self.bits_ - 1)) >> (self.bits_ - TABLE_BITS)
        return ndtr((_COSINE[phase] @ self.belongs_) * self.factor_)

    def _sums(self, numbers):
        """Return the whole-numbered sums of levels times weights, shape (n, cosines)."""
        if sparse.issparse(numbers):
            columns = numbers.indices
            at_zero = np.rint(_clip(-self.low_ * self.scale_, self.levels_))
            level = (numbers.data - self.low_[columns]) * self.scale_[columns]
            apart = numbers.astype(self.dtype_)
            apart.data[:] = np.rint(_clip(level, self.levels_)) - at_zero[columns]
            return apart @ self.weights_ + at_zero.astype(self.dtype_) @ self.weights_
        levels = self._scaled(numbers, self.levels_)
        return np.rint(levels, out=levels).astype(self.dtype_, copy=False) @ self.weights_

    def _scaled(self, numbers, levels):
        """Return numbers from 0 to `levels` over the fitted range; beyond it, its ends."""
        if sparse.issparse(numbers):  # for distances, which no shift changes
            return numbers @ sparse.diags_array(self.scale_)
        scaled = np.subtract(numbers, self.low_)
        scaled *= self.scale_
        return _clip(scaled, levels)


def _clip(scaled, levels):
    """Clip in place to what the levels go to; a missing value is a place of its own."""
    np.minimum(scaled, levels, out=scaled)
    np.maximum(scaled, 0, out=scaled)
    if np.isnan(scaled.min(initial=0)):
        scaled[np.isnan(scaled)] = -levels
    return scaled


def near_distance(sides):
    """Return a near distance between different records of some numeric tables; 1.0 without any."""
    is_sparse = sparse.issparse(sides[0])
    table = sparse.vstack(sides).tocsr() if is_sparse else np.concatenate(sides)
    rng = np.random.default_rng(0)  # which records are measured is no secret
    rows = rng.permutation(table.shape[0])[:N_OTHERS]
    table = table[rows]
    search = NearestNeighbors(n_neighbors=min(2, table.shape[0]), algorithm="brute")
    distance = search.fit(table).kneighbors(table[:N_MEASURED])[0][:, -1]
    apart = distance[distance > 1e-6]  # equal records are one
    return float(np.quantile(apart, NEAR)) if len(apart) else 1.0


def _range(side):
    """Return the least and the greatest value of each column, missing ones aside, float32."""
    if sparse.issparse(side):
        return [getattr(side, name)(axis=0).toarray().ravel() for name in ("min", "max")]
    known = np.isfinite(side)
    low = np.where(known, side, np.inf).min(axis=0)
    high = np.where(known, side, -np.inf).max(axis=0)
    none = ~known.any(axis=0)
    low[none] = high[none] = 0
    return [low, high]
