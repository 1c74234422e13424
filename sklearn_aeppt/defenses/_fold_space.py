"""The space in which a query's nearest training record is found.

Two parts side by side. The records' own numbers: scaled, and no further out than the training
records reach, so that a feature moved far away does not move the record far away. And, for models
of trees, the leaves: records that share them are treated alike, whatever the numbers say. Each
part is in units of its own near distances.
"""

from contextlib import suppress

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_aeppt._containers import as_pandas
from sklearn_aeppt._fitted import is_fitted
from sklearn_aeppt._record_numbers import are_numbers, as_numbers, must_be_numbers, steps_before

N_BUCKETS = 256  # of the sketch of leaves: squared distances within about 9 %
N_TREES = 300  # whose leaves are looked at
N_MEASURED = 1000  # records whose near distances give the unit of a space
DENSE = 2**22  # cells up to which a sparse table is searched as a dense one, which is faster
TIE = 0.01  # of a near distance: what tells apart records that are equally near


class RecordSpace:
    """The records' own numbers, scaled: a table whose Euclidean distances are those of records.

    Numeric tables stand for themselves, a pipeline's records are what its last step is given, and
    the columns of a frame that hold no numbers are encoded, one column a value. A column of two
    values is divided by their difference, any other by its standard deviation.

    Attributes
    ----------
    is_binary_ : bool
        Whether the records as they came are numbers, all of them 0 or 1.
    can_vary_ : bool
        Whether the records as they came are numbers, or frames with some.
    """

    def fit(self, estimator, X, y):
        """Learn steps, encoder, range and scale from the training records; return self."""
        steps = steps_before(estimator)
        if steps is not None and not is_fitted(estimator):
            steps = clone(steps).fit(X, y)
        self.steps_ = steps
        own = as_pandas(X)
        numbers = as_numbers(own)
        self.is_binary_ = numbers is not None and _is_binary(numbers)
        self.can_vary_ = numbers is not None or (hasattr(own, "iloc") and are_numbers(own).any())
        self.encoder_ = None
        seen = as_pandas(X if steps is None else steps.transform(X))
        if as_numbers(seen) is None:
            if not hasattr(seen, "iloc"):
                raise _no_numbers(seen)
            self.encoder_ = _FrameEncoder().fit(seen)
        numbers = self._numbers(X)
        if 0 in numbers.shape:
            raise ValueError(
                f"X holds {numbers.shape[1]} feature(s) (shape={numbers.shape}) while a minimum of "
                "1 is required."
            )
        low, high, mean, std, two_valued = _moments(numbers)
        self.low_, self.high_, self.mean_ = low, high, mean
        scale = np.where(two_valued, high - low, std)
        self.per_scale_ = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
        self.is_sparse_ = sparse.issparse(numbers) and np.prod(numbers.shape) > DENSE
        return self

    def transform(self, X):
        """Return the records' places, float32 of shape (n, d), sparse where they are and wide."""
        numbers = self._numbers(X)
        if not self.is_sparse_:
            dense = numbers.toarray() if sparse.issparse(numbers) else numbers
            known = np.where(np.isnan(dense), self.mean_, dense)
            return (np.clip(known, self.low_, self.high_) * self.per_scale_).astype(np.float32)
        places = sparse.csr_array(numbers, copy=True)
        columns = places.indices
        known = np.where(np.isnan(places.data), self.mean_[columns], places.data)
        low, high = np.minimum(self.low_, 0), np.maximum(self.high_, 0)  # zeros are not stored
        within = np.clip(known, low[columns], high[columns])
        places.data = (within * self.per_scale_[columns]).astype(np.float32)
        return places

    def _numbers(self, X):
        X = X if self.steps_ is None else self.steps_.transform(X)
        return must_be_numbers(X) if self.encoder_ is None else self.encoder_.transform(X)


def _no_numbers(X):
    with suppress(
        ValueError
    ):  # a TypeError is scikit-learn's own message, about dicts and the like
        np.asarray(X, dtype=np.float64)
    return ValueError(
        f"X is a {type(X).__name__} that holds no numbers, so no record is near another: give the "
        "estimator as a Pipeline whose first steps turn the records into numbers, such as "
        "make_pipeline(TfidfVectorizer(), model)."
    )


class _FrameEncoder:
    """A frame as numbers: its numeric columns, and one column for each value of the others."""

    def fit(self, X):
        self.names_ = list(X.columns)
        self.numeric_ = np.flatnonzero(are_numbers(X))
        self.others_ = np.setdiff1d(np.arange(X.shape[1]), self.numeric_)
        self.encoder_ = OneHotEncoder(handle_unknown="ignore", dtype=np.float32)
        self.encoder_.fit(self._words(X))
        return self

    def transform(self, X):
        X = as_pandas(X)
        if not hasattr(X, "iloc"):
            import pandas as pd

            X = pd.DataFrame(X, columns=self.names_)
        words = self.encoder_.transform(self._words(X))
        if not len(self.numeric_):
            return sparse.csr_array(words)
        numbers = must_be_numbers(X.iloc[:, self.numeric_])
        return np.hstack([numbers, words.toarray()])

    def _words(self, X):
        return X.iloc[:, self.others_].astype(str).to_numpy(dtype=object)


def _is_binary(numbers):
    values = numbers.data if sparse.issparse(numbers) else numbers
    return bool(np.isin(values, (0, 1)).all())


def _moments(numbers):
    """Return least, greatest, mean and standard deviation of each column, and which are bits."""
    if sparse.issparse(numbers):
        low, high = (getattr(numbers, name)(axis=0).toarray().ravel() for name in ("min", "max"))
        numbers = numbers.astype(np.float64)
        mean = np.asarray(numbers.mean(axis=0)).ravel()
        square = np.asarray(numbers.multiply(numbers).mean(axis=0)).ravel()
        std = np.sqrt(np.maximum(square - mean**2, 0))
        off = numbers.tocsc()
        ends = zip(off.indptr[:-1], off.indptr[1:])
        inner = [np.isin(off.data[a:b], (low[i], high[i])).all() for i, (a, b) in enumerate(ends)]
        stored = np.diff(off.indptr) == numbers.shape[0]
        two_valued = np.array(inner) & (stored | (low == 0) | (high == 0))
        return low.astype(np.float64), high.astype(np.float64), mean, std, two_valued
    numbers = np.ma.masked_invalid(numbers.astype(np.float64))
    low, high, mean = (getattr(numbers, name)(axis=0).filled(0) for name in ("min", "max", "mean"))
    std = numbers.std(axis=0).filled(0)
    two_valued = ((numbers == low) | (numbers == high)).filled(True).all(axis=0)
    return low, high, mean, std, two_valued


class LeafSpace:
    """The leaves that records fall into: a squared distance is the share of trees that part two.

    A sketch of them: every leaf of every tree goes to one of `N_BUCKETS` columns with a sign, both
    by a hash. In the mean, squared distances are those of one column a leaf.
    """

    def fit(self, models, rng):
        """Choose the trees, and the hashes; return self."""
        self.models_ = models
        self.factors_ = None
        self.seed_ = int(rng.randint(2**31 - 1))
        return self

    def transform(self, X):
        """Return the sketches, float32 of shape (n, `N_BUCKETS`)."""
        per_model = max(1, N_TREES // len(self.models_))
        leaves = np.hstack([leaves_of(model, X)[:, :per_model] for model in self.models_])
        n, n_trees = leaves.shape
        draws = np.random.default_rng(self.seed_).integers(
            2**63, size=(2, n_trees), dtype=np.uint64
        )
        with np.errstate(over="ignore"):  # multiplication modulo 2^64 is the hash
            mixed = (leaves.astype(np.uint64) + draws[1]) * (draws[0] | np.uint64(1))
            mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        bucket = (mixed >> np.uint64(56)).astype(np.int64)  # 2^8 of them
        sign = 1 - 2 * ((mixed >> np.uint64(55)) & np.uint64(1)).astype(np.float32)
        row = np.repeat(np.arange(n), n_trees)
        sketch = sparse.csr_array((sign.ravel(), (row, bucket.ravel())), shape=(n, N_BUCKETS))
        return (sketch.toarray() / np.sqrt(2 * n_trees)).astype(np.float32)


def leaves_of(model, X):
    """Return the leaf that each tree of a fitted model puts each record into, (n, n_trees)."""
    model, X = unwrapped(model, X)
    if hasattr(model, "apply"):
        leaves = model.apply(X)
    else:
        table = must_be_numbers(X)
        leaves = np.stack(
            [
                tree.apply(table[:, features])
                for tree, features in zip(model.estimators_, model.estimators_features_)
            ],
            axis=1,
        )
    return np.asarray(leaves).reshape(len(leaves), -1).astype(np.int64)


def has_leaves(model):
    """Return whether `leaves_of` can say of a fitted model where it puts records."""
    while isinstance(model, (FrozenEstimator, Pipeline)):
        model = model.estimator if isinstance(model, FrozenEstimator) else model[-1]
    if callable(getattr(model, "apply", None)):
        return True
    trees = getattr(model, "estimators_", None)
    return (
        hasattr(model, "estimators_features_")
        and isinstance(trees, list)
        and all(hasattr(tree, "tree_") for tree in trees)
    )


def unwrapped(model, X):
    """Return the last step of a fitted pipeline and what it is given; others as they are."""
    while isinstance(model, (FrozenEstimator, Pipeline)):
        if isinstance(model, FrozenEstimator):
            model = model.estimator
        else:
            X = X if len(model) == 1 else model[:-1].transform(X)
            model = model[-1]
    return model, X


class Neighborhood:
    """Search for the nearest training records, in several spaces at once.

    Parameters
    ----------
    search : estimator with ``kneighbors``, or None
        None is scikit-learn's exact search.
    n_neighbors : int
        How many are found.

    Attributes
    ----------
    search_ : estimator with ``kneighbors``
        Fitted on the places of the training records.
    nearest_other_ : float ndarray of shape (n,)
        Distance of each training record to its nearest one of another group.
    """

    def __init__(self, search, n_neighbors):
        self.search = search
        self.n_neighbors = n_neighbors

    def fit(self, spaces, places, group, rng):
        """Learn units and distances from the records' places in each space; return self."""
        self.spaces_ = spaces
        self.units_ = [near_unit(place) for place in places]
        joined = self._joined(places)
        # equally near records are told apart in the same way in any batch: one is a bit further
        n = joined.shape[0]
        apart = (TIE * rng.permutation(n) / n)[:, None].astype(np.float32)
        stack = _hstack([joined, apart])
        search = NearestNeighbors() if self.search is None else clone(self.search)
        self.search_ = search.fit(stack)
        k = min(self.n_neighbors + 1, n)
        distance, index = self.search_.kneighbors(_hstack([joined, 0 * apart]), n_neighbors=k)
        other = group[index] != group[:, None]
        first = other.argmax(axis=1)
        first[~other.any(axis=1)] = k - 1  # all of them copies: further away than the last
        self.nearest_other_ = distance[np.arange(n), first]
        return self

    def __call__(self, X):
        """Return (distances, rows) of the nearest training records, nearest first."""
        joined = self._joined([space.transform(X) for space in self.spaces_])
        query = _hstack([joined, np.zeros((joined.shape[0], 1), np.float32)])
        k = min(self.n_neighbors, len(self.nearest_other_))
        return self.search_.kneighbors(query, n_neighbors=k)

    def _joined(self, places):
        return _hstack([place * (1 / unit) for place, unit in zip(places, self.units_)])


def _hstack(parts):
    if any(sparse.issparse(part) for part in parts):
        return sparse.hstack([sparse.csr_array(part) for part in parts], format="csr")
    return np.hstack(parts).astype(np.float32, copy=False)


def near_unit(place):
    """Return the median distance from one of some records to the nearest different one."""
    rows = np.random.default_rng(0).permutation(place.shape[0])[:N_MEASURED]
    search = NearestNeighbors(n_neighbors=min(10, place.shape[0])).fit(place)
    distance = search.kneighbors(place[rows])[0]
    apart = np.where(distance > 1e-6, distance, np.inf).min(axis=1)
    apart = apart[np.isfinite(apart)]
    return float(np.median(apart)) if len(apart) else 1.0
