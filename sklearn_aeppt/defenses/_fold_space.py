"""The space in which a query's nearest training record is found.

The records' own numbers, scaled, and no further out than the training records reach: a feature
moved far away does not move the record far away. And near for the model, not for the eye: a column
counts by how much it moves the models' answers. Otherwise an attacker moves what the model ignores
until another record is the nearest, and the model that has seen this one answers.
"""

from contextlib import suppress
from copy import copy
from functools import partial

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_aeppt._containers import as_kind_of, as_pandas, column_names
from sklearn_aeppt._fitted import is_fitted
from sklearn_aeppt._record_numbers import are_numbers, as_numbers, must_be_numbers, steps_before
from sklearn_aeppt._unchanged import run_on

N_MOVED = 100  # records on which the use of a column is measured
MOST_MOVED = 200_000  # records that a model is asked about for that, over all columns
DENSE = 2**22  # cells up to which a sparse table is searched as a dense one, which is faster
#: Least use of a column, beside the greatest: records that differ only in what the models were not
#: seen to use are at different places still.
LEAST_USE = 0.05


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
    is_plain_ : bool
        Whether they are an array of the numbers that are compared.
    use_ : float ndarray of shape (d,) or None
        Of `weigh`: how much each column moves the answers, 1 at most. None: all alike.
    """

    def fit(self, estimator, X, y):
        """Learn steps, encoder, range and scale from the training records; return self."""
        steps = steps_before(estimator)
        if steps is not None and not is_fitted(estimator):
            steps = run_on(clone(steps), "fit", X, y)
        self.steps_ = steps
        own = as_pandas(X)
        numbers = as_numbers(own)
        self.is_binary_ = numbers is not None and _is_binary(numbers)
        self.can_vary_ = numbers is not None or (hasattr(own, "iloc") and are_numbers(own).any())
        self.encoder_ = None
        seen = as_pandas(X if steps is None else run_on(steps, "transform", X))
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
        self.is_plain_ = steps is None and isinstance(own, np.ndarray) and own.ndim == 2
        self.use_ = None
        low, high, mean, std, two_valued = _moments(numbers)
        self.low_, self.high_, self.mean_, self.std_ = low, high, mean, std
        scale = np.where(two_valued, high - low, std)
        self.two_valued_ = two_valued
        self.per_scale_ = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
        self.is_sparse_ = sparse.issparse(numbers) and np.prod(numbers.shape) > DENSE
        return self

    def transform(self, X):
        """Return the records' places, float32 of shape (n, d), sparse where they are and wide."""
        numbers = self._numbers(X)
        if not self.is_sparse_:
            dense = numbers.toarray() if sparse.issparse(numbers) else numbers
            known = np.where(np.isnan(dense), self.mean_, dense)
            centered = np.clip(known, self.low_, self.high_) - self.mean_
            return (centered * self.per_scale_).astype(np.float32)
        places = sparse.csr_array(numbers, copy=True)
        columns = places.indices
        known = np.where(np.isnan(places.data), self.mean_[columns], places.data)
        low, high = np.minimum(self.low_, 0), np.maximum(self.high_, 0)  # zeros are not stored
        within = np.clip(known, low[columns], high[columns])
        places.data = (within * self.per_scale_[columns]).astype(np.float32)
        return places

    def weigh(self, models, X, rng):
        """Find how much each column moves the answers of some models; return self.

        In some training records, a column of two values takes the other one, any other column
        that of another record; its use is the mean L1 change of the answers. Columns too many for
        that, those that an encoder made, and those that are others in every fold (of words) all
        count alike.
        """
        n_columns = len(self.per_scale_)
        n = min(N_MOVED, MOST_MOVED // n_columns, _num_samples(X))
        if self.encoder_ is not None or n < 10:
            return self
        rows = rng.permutation(_num_samples(X))[:n]
        order = np.roll(np.arange(n), 1)
        use = np.zeros(n_columns)
        for model in models:
            if not _same_columns(self.steps_, steps_before(model)):
                return self
            model, given = unwrapped(model, _safe_indexing(X, rows))
            ask = partial(_said_of_numbers, model, given)
            numbers = must_be_numbers(given)
            numbers = numbers.toarray() if sparse.issparse(numbers) else numbers
            before = ask(numbers)
            for i in np.flatnonzero(self.per_scale_):
                moved = numbers.copy()
                other = self.low_[i] + self.high_[i] - numbers[:, i]
                moved[:, i] = other if self.two_valued_[i] else numbers[order, i]
                use[i] += np.abs(ask(moved) - before).mean()
        if use.max() > 0:
            self.use_ = use / use.max()
        return self

    def at(self, power):
        """Return this space with every column scaled by a power of its use."""
        scaled = copy(self)
        if self.use_ is not None:
            scaled.per_scale_ = self.per_scale_ * np.maximum(self.use_, LEAST_USE) ** power
        return scaled

    def _numbers(self, X):
        X = X if self.steps_ is None else run_on(self.steps_, "transform", X)
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


def _said_of_numbers(model, like, numbers):
    """Return what a model says of numbers, handed to it in the container that it knows."""
    if sparse.issparse(like):
        return model.predict_proba(sparse.csr_array(numbers))
    names = column_names(like)
    if names:
        import pandas as pd

        numbers = pd.DataFrame(numbers, columns=names)
    elif getattr(like, "ndim", 2) > 2:
        numbers = numbers.reshape(like.shape)
    return model.predict_proba(as_kind_of(like, numbers))


def _same_columns(first, second):
    """Return whether two fitted pipelines of steps name the columns that they make alike."""
    if first is None or first is second:
        return True
    try:
        names = [steps.get_feature_names_out() for steps in (first, second)]
    except (AttributeError, ValueError, NotFittedError):  # steps that know no names
        return False
    return np.array_equal(*names)


def unwrapped(model, X):
    """Return the last step of a fitted pipeline and what it is given; others as they are."""
    while isinstance(model, (FrozenEstimator, Pipeline)):
        if isinstance(model, FrozenEstimator):
            model = model.estimator
        else:
            X = X if len(model) == 1 else run_on(model[:-1], "transform", X)
            model = model[-1]
    return model, X
