"""The searches among the training records: scikit-learn's, one for many records, one given."""

from functools import cache

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import gen_batches
from threadpoolctl import ThreadpoolController  # a dependency of scikit-learn

LARGE = 2**22  # cells of a table above which products in float32 are the faster search
NARROW = 16  # columns, up to which a tree is
BLOCK = 2**24  # products at a time in each thread: 64 MB, up to a million records
GROUPS = 32  # of which the least product each bounds the k-th least of all
MANY = 512  # candidates of one query, beyond which scikit-learn's search is as fast
CELLS = 2**22  # of the table of candidates' differences


def exact_search(place, n_jobs):
    """Return the faster of two exact searches, fitted on the places of records."""
    large = place.shape[0] * place.shape[1] > LARGE and place.shape[1] > NARROW
    if sparse.issparse(place) or not large:
        return NearestNeighbors(n_jobs=n_jobs).fit(place)
    return ProductSearch(n_jobs=n_jobs).fit(place)


def nearest_others(search, place, k, n_jobs):
    """Return (distances, rows) of the k records nearest to each, itself left out.

    Parameters
    ----------
    search : estimator with ``kneighbors``, or None
        None is the exact search.
    place : float32 ndarray or csr_array of shape (n, d)
    k : int
        Cut to the number of other records.
    n_jobs : int or None
    """
    n = place.shape[0]
    search = exact_search(place, n_jobs) if search is None else clone(search).fit(place)
    distance, index = search_nearest(search, place, min(k + 1, n), n_jobs)
    own = index == np.arange(n)[:, None]
    own[~own.any(axis=1), -1] = True  # not found: so many are as near, or the search missed it
    return distance[~own].reshape(n, -1), index[~own].reshape(n, -1)


def search_nearest(search, place, k, n_jobs):
    """Return (distances, rows) of the k nearest, by as many threads as `n_jobs` says.

    scikit-learn's search among dense records takes all cores, by OpenMP, whatever its own `n_jobs`
    is. None leaves it so.
    """
    if n_jobs is None or not isinstance(search, NearestNeighbors):
        return search.kneighbors(place, n_neighbors=k)
    with _threads().limit(limits=effective_n_jobs(n_jobs), user_api="openmp"):
        return search.kneighbors(place, n_neighbors=k)


class ProductSearch(BaseEstimator):
    """The nearest places, as `sklearn.neighbors.NearestNeighbors` finds them, in less time.

    A product of matrices in float32 says of all places p how far they are from a query q, up to a
    rounding error that has a bound: for m terms with the sum of their absolute values S it is at
    most ``m * u / (1 - m * u) * S``, u = 2^-24, in whatever order they are added up, and here S is
    at most ``|q|^2 + 2 |p|^2``. All places that can be among the k nearest by these bounds are
    candidates, and their distances are computed from differences in float64. So the result is
    exact, though nearly all of the work is done in float32. Where a query has too many candidates,
    scikit-learn's own search takes over.

    Parameters
    ----------
    n_jobs : int or None, default=None
        Threads. None leaves their number to the library that multiplies matrices.

    Attributes
    ----------
    place_ : float32 ndarray of shape (n, d)
        The places as they were given.

    References
    ----------
    Higham (2002), "Accuracy and Stability of Numerical Algorithms", section 3.1.
    """

    def __init__(self, n_jobs=None):
        self.n_jobs = n_jobs

    def fit(self, X, y=None):
        """Keep the places; return self."""
        self.place_ = np.ascontiguousarray(X, dtype=np.float32)
        n, d = self.place_.shape
        unit = (d + 4) * 2.0**-24  # the squares, their sum, and rounding to float32 are terms too
        self._error = unit / (1 - unit)
        squares = np.einsum("ij,ij->i", self.place_, self.place_, dtype=np.float64)
        self._least_squares = ((1 - 2 * self._error) * squares).astype(np.float32)
        inner = squares[: n // GROUPS * GROUPS].reshape(GROUPS, -1)
        self._largest = inner.max(axis=0) if n >= GROUPS else squares
        return self

    def kneighbors(self, X, n_neighbors):
        """Return distances, float64 of shape (n_queries, n_neighbors), nearest first, and rows."""
        query = np.ascontiguousarray(X, dtype=np.float32)
        n = len(self.place_)
        size = max(16, BLOCK // n)
        if n_neighbors > n // GROUPS // 4 or not len(query):
            return self._by_scikit_learn(query, n_neighbors)
        ask = [delayed(self._search)(query[b], n_neighbors) for b in gen_batches(len(query), size)]
        limit = None if self.n_jobs is None else 1  # threads of ours in place of theirs
        with _threads().limit(limits=limit, user_api="blas"):
            found = Parallel(n_jobs=self.n_jobs, require="sharedmem")(ask)
        distance, index = (np.concatenate(part) for part in zip(*found))
        unknown = index[:, 0] < 0
        if unknown.any():
            distance[unknown], index[unknown] = self._by_scikit_learn(query[unknown], n_neighbors)
        return distance, index

    def _search(self, query, k):
        """Return the k nearest of each query; -1 where there were too many candidates."""
        n, d = self.place_.shape
        far = (-2 * query) @ self.place_.T
        far += self._least_squares  # no more than the distances, less the square of the query
        least = far[:, : n // GROUPS * GROUPS].reshape(len(query), GROUPS, -1).min(axis=1)
        # in each group one is no further than this, so the k-th nearest is no further than the k-th
        most = np.partition(least + 4 * self._error * self._largest, k - 1, axis=1)[:, k - 1]
        square = np.einsum("ij,ij->i", query, query, dtype=np.float64)
        most = (most + 2 * self._error * square).astype(np.float32)
        most = np.nextafter(most, np.float32(np.inf))
        row, column = np.divmod(np.flatnonzero(far <= most[:, None]), n)
        distance = np.full((len(query), k), np.inf)
        index = np.full((len(query), k), -1, dtype=np.int64)
        count = np.bincount(row, minlength=len(query))
        few = count[row] <= MANY
        row, column = row[few], column[few]
        apart = np.empty(len(row))
        size = max(1, CELLS // d)
        for b in (slice(start, start + size) for start in range(0, len(row), size)):
            step = self.place_[column[b]].astype(np.float64) - query[row[b]]
            apart[b] = np.einsum("ij,ij->i", step, step)
        order = np.lexsort((column, apart, row))
        count[count > MANY] = 0
        first = np.cumsum(count) - count
        some = np.flatnonzero(count)
        take = order[first[some, None] + np.arange(k)]
        distance[some], index[some] = np.sqrt(apart[take]), column[take]
        return distance, index

    def _by_scikit_learn(self, query, k):
        search = NearestNeighbors(algorithm="brute").fit(self.place_)
        return search_nearest(search, query, k, self.n_jobs)


@cache
def _threads():
    return ThreadpoolController()
