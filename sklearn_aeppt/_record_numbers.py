"""What of a record is numbers, and what is not: for draws that belong to the record."""

import numpy as np
from scipy import sparse
from sklearn.pipeline import Pipeline

from sklearn_aeppt._containers import as_array, as_csr, as_pandas
from sklearn_aeppt._fitted import thawed
from sklearn_aeppt._records import record_bytes
from sklearn_aeppt._unchanged import run_on


class RecordReader:
    """Reads records as numbers and bytes, in the way that the fitted ones can be read.

    Numeric tables, dense or sparse, stand for themselves. Others are taken as the wrapped
    pipeline sees them, by all of its steps but the last, also where it stands inside a search or a
    calibration; without one, the numeric columns of a frame are its numbers and the rest of each
    record is bytes. Which of these is decided by the fitted records: a query may have lost its
    types (a column without any value, numbers as objects), and is read like the others all the
    same.
    """

    def fit(self, estimator, sides):
        """Decide by the tables `sides`; return self."""
        came, sides = sides, [as_pandas(X) for X in sides]
        self.columns_ = None
        self.steps_ = False
        self.is_numeric_ = all(as_numbers(X) is not None for X in sides)
        if self.is_numeric_:
            return self
        steps = steps_inside(estimator)
        if steps is not None:
            self.steps_ = all(as_numbers(run_on(steps, "transform", X)) is not None for X in came)
        if not self.steps_ and all(hasattr(X, "iloc") for X in sides):
            self.columns_ = np.flatnonzero(np.all([are_numbers(X) for X in sides], axis=0))
        return self

    def __call__(self, estimator, X):
        """Return (numbers, others) of records as they are handed to `estimator`.

        Returns
        -------
        numbers : float32 ndarray or csr_array of shape (n, d), or None
        others : list of n bytes, or None
        """
        if self.is_numeric_:
            return must_be_numbers(X), None
        if self.steps_:  # which know the records as they came
            return must_be_numbers(run_on(steps_inside(estimator), "transform", X)), None
        X = as_pandas(X)
        if self.columns_ is None or not len(self.columns_):
            return None, record_bytes(X)
        if not hasattr(X, "iloc"):
            import pandas as pd

            X = pd.DataFrame(X)
        rest = np.setdiff1d(np.arange(X.shape[1]), self.columns_)
        return must_be_numbers(X.iloc[:, self.columns_]), record_bytes(X.iloc[:, rest])


def steps_before(estimator):
    """Return the steps of a fitted pipeline before its last one, or None."""
    estimator = thawed(estimator)
    return estimator[:-1] if isinstance(estimator, Pipeline) and len(estimator) > 1 else None


#: Where estimators around others keep what they fitted; "estimator" is what was fitted only where
#: it is all there is.
INSIDE = ("best_estimator_", "estimator_", "estimators_", "calibrated_classifiers_")


def steps_inside(estimator):
    """Return the steps before the last one of the first fitted pipeline inside, or None.

    It may stand in searches, calibrations, votes, thresholds or defenses.
    """
    around = [estimator]
    for part in around:  # which grows
        steps = steps_before(part)
        if steps is not None:
            return steps
        fitted = [getattr(part, name) for name in INSIDE if hasattr(part, name)]
        if isinstance(part, Pipeline):  # of one step
            fitted = [part[-1]]
        for one in fitted or [getattr(part, "estimator", None)]:
            around += one if isinstance(one, list) else [] if one is None else [one]
    return None


def are_numbers(X):
    """Return which columns of a pandas frame hold numbers, a boolean array."""
    return np.array([dtype.kind in "biuf" for dtype in _inferred(X).dtypes], dtype=bool)


def _inferred(X):
    """Return a frame whose columns of objects have a type, where all their values are of one."""
    return X.infer_objects() if any(dtype.kind == "O" for dtype in X.dtypes) else X


def must_be_numbers(X):
    """Return `X`, of a kind that was read as numbers, as numbers; what is none is missing.

    Raises
    ------
    ValueError
        If it is no table of numbers at all.
    """
    numbers, X = as_numbers(X), as_pandas(X)
    if numbers is None and hasattr(X, "iloc"):
        import pandas as pd

        numbers = as_numbers(X.apply(pd.to_numeric, errors="coerce"))
    if numbers is None:
        raise ValueError(
            f"X is a {type(X).__name__} that holds no numbers, but the defense was fitted on "
            "records that do: give records of the same kind."
        )
    return numbers


def is_plain(X):
    """Return whether `X` is a table of floats as it stands."""
    return type(X) is np.ndarray and X.dtype.kind == "f" and X.ndim == 2


def as_numbers(X):
    """Return `X` as a float32 table of shape (n, d), dense or csr; None where it is not numeric."""
    if is_plain(X):  # one record is in a hurry
        return _float32(X)
    X = as_pandas(X)
    if sparse.issparse(X):
        return _float32(as_csr(X)) if X.dtype.kind in "biuf" else None
    if hasattr(X, "iloc"):
        if not are_numbers(X).all():
            return None
        return _float32(_inferred(X).to_numpy(np.float64, na_value=np.nan))
    if isinstance(X, list) and X and isinstance(X[0], str):
        return None
    try:
        X = as_array(X)
        if X.dtype == object:
            X = X.astype(np.float64)
    except (ValueError, TypeError, OverflowError):  # rows of unequal length, words, huge numbers
        return None
    if X.dtype.kind not in "biuf":
        return None
    return _float32(X.reshape(len(X), int(np.prod(X.shape[1:]))))


def _float32(X):
    if X.dtype == np.float32:
        return X if sparse.issparse(X) else np.ascontiguousarray(X)
    # what float32 cannot hold lies beyond the range, or is nothing
    with np.errstate(over="ignore", under="ignore"):
        return X.astype(np.float32) if sparse.issparse(X) else np.ascontiguousarray(X, dtype="f4")
