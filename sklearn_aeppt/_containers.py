"""Tables of any library as one of three kinds (pandas, numpy, scipy sparse), and back."""

import numpy as np
from scipy import sparse


def as_pandas(X):
    """Return frames of other kinds (polars, pyarrow) as those of pandas, the rest as it is."""
    return X.to_pandas() if hasattr(X, "to_pandas") and not hasattr(X, "iloc") else X


def as_native(X):
    """Return a table as a frame of pandas, an ndarray or a sparse matrix.

    What is none of these (texts, a list of unequal rows) is returned as it is.
    """
    X = as_pandas(X)
    if hasattr(X, "iloc") or sparse.issparse(X) or isinstance(X, np.ndarray):
        return X
    if isinstance(X, (list, tuple)):
        try:
            values = np.asarray(X)
        except ValueError:  # rows of unequal length
            return X
        return values if values.dtype.kind in "biuf" else X
    return np.asarray(X) if hasattr(X, "__array__") else X


def as_kind_of(X, native):
    """Return a native table in the container that `X` came in, column by column where it has some.

    Parameters
    ----------
    X : table
        As it came; gives the container, and the dtype of a tensor.
    native : DataFrame, ndarray or sparse matrix
        What `as_native` made of such a table, with other values.
    """
    if hasattr(X, "new_tensor"):
        return X.new_tensor(native, dtype=X.dtype)
    if isinstance(X, (list, tuple)):
        return type(X)(native.tolist())
    if hasattr(X, "to_pandas") and not hasattr(X, "iloc"):
        if hasattr(X, "from_pandas"):  # pyarrow
            return type(X).from_pandas(native, preserve_index=False)
        return type(X)({name: native[name].to_numpy() for name in native})  # polars
    return native
