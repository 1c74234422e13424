"""Which records stay together, and the folds that they are dealt into."""

import warnings

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.base import clone
from sklearn.utils.validation import _num_samples

from sklearn_aeppt.defenses._fold_search import nearest_others

N_NEAR = 8  # other records that each may be linked to
#: Shares of the median distance between neighbors, tried from the first, within which two records
#: are near-duplicates: until no chain of them is too long.
SHARES = (0.4, 0.3, 0.2, 0.1)


def find_near_duplicates(place, radius, largest, others=None):
    """Return the group of each different record, and the radius that they were found with.

    Parameters
    ----------
    place : float ndarray or csr_array of shape (n, d)
        Places of different records.
    radius : float or "auto"
        Distance up to which two records are linked; a group is what links connect.
    largest : float
        Records that a group may hold before "auto" takes a smaller radius.
    others : pair of ndarrays of shape (n, k), default=None
        Distances and rows of the nearest other records, of `nearest_others`. None looks for them.

    Returns
    -------
    group : int ndarray of shape (n,)
    radius : float
    """
    n = place.shape[0]
    if n == 1 or radius == 0:
        return np.arange(n), 0.0
    distance, other = others or nearest_others(None, place, N_NEAR, None)
    distance, other = distance[:, :N_NEAR], other[:, :N_NEAR]
    if radius != "auto":
        return _linked(distance, other, radius), float(radius)
    middle = float(np.median(distance[:, 0]))
    for share in SHARES:
        group = _linked(distance, other, share * middle)
        if np.bincount(group).max() <= largest:
            return group, share * middle
    return np.arange(n), 0.0


def _linked(distance, other, radius):
    n = len(distance)
    row, column = np.nonzero(distance <= radius)
    links = sparse.csr_array((np.ones(len(row)), (row, other[row, column])), shape=(n, n))
    return connected_components(links, directed=False)[1]


def deal_folds(cv, n_repeats, X, y, group, rng):
    """Return the fold of each record in each partition, int of shape (n_repeats, n).

    Parameters
    ----------
    cv : int or splitter
        A number of folds: the groups of each class are dealt out evenly. A splitter: its test
        sets; a group goes where its first record does.
    n_repeats : int
    X, y : records and their labels
    group : int ndarray of shape (n,)
    rng : RandomState
    """
    first = np.unique(group, return_index=True)[1]
    if isinstance(cv, (int, np.integer)):
        if cv > len(first):
            raise ValueError(
                f"cv={cv} folds cannot be cut from n_samples={_num_samples(y)}, which are "
                f"{len(first)} groups of (near-)duplicates: give a smaller cv or duplicate_radius."
            )
        return np.stack([_dealt(y[first], cv, rng)[group] for _ in range(n_repeats)])
    folds = []
    for _ in range(n_repeats):
        splitter = clone(cv, safe=False)
        if getattr(splitter, "random_state", 0) is None and getattr(splitter, "shuffle", True):
            splitter.random_state = int(rng.randint(2**31 - 1))
        folds += _partitions(splitter, X, y, group)
    dealt = np.stack(folds)[:, first][:, group]
    if (dealt == dealt[:, :1]).all(axis=1).any():
        raise ValueError(
            f"cv={cv!r} puts all records into one fold: there are {len(first)} groups of "
            "(near-)duplicates, each of which stays together. Give a number of folds, or a smaller "
            "duplicate_radius."
        )
    return dealt


def _dealt(y, n_folds, rng):
    fold = np.empty(len(y), dtype=np.int64)
    start = 0
    for label in np.unique(y):  # each class begins where the last one ended: folds of one size
        rows = rng.permutation(np.flatnonzero(y == label))
        fold[rows] = (start + np.arange(len(rows))) % n_folds
        start += len(rows)
    return fold


def _partitions(splitter, X, y, group):
    """Return the folds of each full round of a splitter's test sets."""
    found, fold, k = [], np.full(len(y), -1), 0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The groups parameter is ignored")  # kept by the caller
        tests = [test for _, test in splitter.split(X, y, group)]
    for test in tests:
        if (fold[test] >= 0).any():
            raise ValueError(f"cv={splitter!r} tests a record twice before all of them: {FIX}")
        fold[test] = k
        k += 1
        if (fold >= 0).all():
            found.append(fold)
            fold, k = np.full(len(y), -1), 0
    if k or not found:
        raise ValueError(f"cv={splitter!r} does not test every record: {FIX}")
    return found


FIX = "give a number of folds, or a splitter whose test sets are a partition, such as KFold."
