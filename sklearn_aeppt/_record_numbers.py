"""What of a record is numbers, and what is not: for draws that belong to the record."""

import numpy as np
from scipy import sparse
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_aeppt._records import record_bytes


def read_numbers(estimator, X):
    """Return (numbers, others) of records as they are handed to `estimator`.

    Numeric tables, dense or sparse, stand for themselves. Others are taken as the wrapped
    pipeline sees them, by all of its steps but the last; without one, the numeric columns of a
    frame are its numbers and the rest of each record is bytes.

    Parameters
    ----------
    estimator : the wrapped classifier
    X : records

    Returns
    -------
    numbers : float32 ndarray or csr_array of shape (n, d), or None
    others : list of n bytes, or None
    """
    numbers = as_numbers(X)
    if numbers is not None:
        return numbers, None
    while isinstance(estimator, FrozenEstimator):
        estimator = estimator.estimator
    if isinstance(estimator, Pipeline) and len(estimator) > 1:
        numbers = as_numbers(estimator[:-1].transform(X))
        if numbers is not None:
            return numbers, None
    if hasattr(X, "select_dtypes"):
        numeric = X.select_dtypes(["number", "bool"])
        if numeric.shape[1]:
            rest = X.drop(columns=numeric.columns)
            return _float32(numeric.to_numpy(np.float64, na_value=np.nan)), record_bytes(rest)
    return None, record_bytes(X)


def as_numbers(X):
    """Return `X` as a float32 table of shape (n, d), dense or csr; None where it is not numeric."""
    if sparse.issparse(X):
        X = sparse.csr_array(X)
        return X.astype(np.float32) if X.dtype.kind in "biuf" else None
    if hasattr(X, "to_pandas") and not hasattr(X, "iloc"):  # polars, pyarrow
        X = X.to_pandas()
    if hasattr(X, "iloc"):
        if any(dtype.kind not in "biuf" for dtype in X.dtypes):
            return None
        return _float32(X.to_numpy(np.float64, na_value=np.nan))
    if isinstance(X, list) and X and isinstance(X[0], str):
        return None
    try:
        X = np.asarray(X)
        if X.dtype == object:
            X = X.astype(np.float64)
    except (ValueError, TypeError):  # rows of unequal length, words, tensors on a GPU
        return None
    if X.dtype.kind not in "biuf":
        return None
    return _float32(X.reshape(len(X), int(np.prod(X.shape[1:]))))


def _float32(X):
    with np.errstate(over="ignore"):  # what float32 cannot hold lies beyond the range anyway
        return np.ascontiguousarray(X, dtype=np.float32)
