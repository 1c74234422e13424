"""The neighborhood of a query: its nearest training records, in one order whatever the batch."""

import numpy as np
from scipy import sparse
from sklearn.base import clone

from sklearn_aeppt.defenses._fold_search import ProductSearch, exact_search, search_nearest

N_MEASURED = 1000  # records whose near distances give the unit of a space
TIE = 0.001  # of a near distance: what tells apart records that are equally near
LOST = 0.01  # share of the records that a given search may miss: they are searched exactly


class Neighborhood:
    """Search for the nearest training records.

    Parameters
    ----------
    search : estimator with ``kneighbors``, or None
        None is the exact search.
    n_neighbors : int
        How many are found.
    n_jobs : int or None, default=None
        Threads of the exact search.

    Attributes
    ----------
    search_ : estimator with ``kneighbors``
        Fitted on the places of the training records.
    lost_ : int ndarray
        Training records whose own place `search_` misses. Every query is compared with them too, so
        that they are found all the same.
    nearest_other_ : float ndarray of shape (n,)
        Distance of each training record to its nearest one of another group.
    n_missed_ : int
        Number of training records for which a query finds one of another group first.
    """

    def __init__(self, search, n_neighbors, n_jobs=None):
        self.search = search
        self.n_neighbors = n_neighbors
        self.n_jobs = n_jobs

    def fit(self, space, place, group, rng, others=None):
        """Learn the places of the training records and their distances; return self.

        With `others`, what `nearest_others` has found among the same places, a search among many
        records is not made again.
        """
        self.space_ = space
        n = place.shape[0]
        unit = near_distance(place, self.n_jobs)
        # equally near records are told apart in the same way in any batch: one is a bit further
        tie = (TIE * unit * rng.permutation(n) / n).astype(np.float32)
        table = _hstack([place, tie[:, None]])
        self.lost_ = np.arange(0)
        exact = self.search is None
        self.search_ = exact_search(table, self.n_jobs) if exact else clone(self.search).fit(table)
        k = min(self.n_neighbors + 1, n)
        known = others is not None and isinstance(self.search_, ProductSearch)
        if known and (others[0][:, -1] > tie).all():  # else one not listed might come before
            distance, index = _with_ties(others[0], others[1], tie, k)
        else:
            distance, index = self._search(place, k)
        missed = group[index[:, 0]] != group
        if not exact and 0 < missed.sum() <= LOST * n:
            self.lost_ = np.flatnonzero(missed)
            self.beside_ = exact_search(table[self.lost_], self.n_jobs)
            distance, index = self._search(place, k)
            missed = group[index[:, 0]] != group
        self.n_missed_ = int(missed.sum())
        other = group[index] != group[:, None]
        first = other.argmax(axis=1)
        first[~other.any(axis=1)] = k - 1  # all of them copies: further away than the last
        self.nearest_other_ = distance[np.arange(n), first]
        return self

    def __call__(self, X):
        """Return (distances, rows) of the nearest training records, nearest first."""
        return self._search(
            self.space_.transform(X), min(self.n_neighbors, len(self.nearest_other_))
        )

    def _search(self, place, k):
        query = _hstack([place, np.zeros((place.shape[0], 1), np.float32)])
        distance, index = search_nearest(self.search_, query, k, self.n_jobs)
        if not len(self.lost_) or not len(index):
            return distance, index
        apart, row = search_nearest(self.beside_, query, min(k, len(self.lost_)), self.n_jobs)
        row = self.lost_[row]
        twice = (row[:, :, None] == index[:, None, :]).any(axis=2)
        apart = np.where(twice, np.inf, apart)
        return _nearest(np.hstack([distance, apart]), np.hstack([index, row]), k)


def _with_ties(distance, other, tie, k):
    """Return the k nearest of all records to each, as if they had been looked for with ties."""
    n = len(tie)
    squares = np.hstack([np.zeros((n, 1)), distance**2])
    index = np.hstack([np.arange(n)[:, None], other])
    return _nearest(np.sqrt(squares + tie.astype(np.float64)[index] ** 2), index, k)


def _nearest(distance, index, k):
    order = np.argsort(distance, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distance, order, axis=1), np.take_along_axis(index, order, axis=1)


def _hstack(parts):
    if any(sparse.issparse(part) for part in parts):
        return sparse.hstack([sparse.csr_array(part) for part in parts], format="csr")
    return np.hstack(parts).astype(np.float32, copy=False)


def near_distance(place, n_jobs=None):
    """Return the median distance from one of some records to the nearest different one."""
    rows = np.random.default_rng(0).permutation(place.shape[0])[:N_MEASURED]
    search = exact_search(place, n_jobs)
    distance = search_nearest(search, place[rows], min(10, place.shape[0]), n_jobs)[0]
    apart = np.where(distance > 0, distance, np.inf).min(axis=1)
    apart = apart[np.isfinite(apart)]
    return float(np.median(apart)) if len(apart) else 1.0
