"""Tables of any library as one of three kinds (pandas, numpy, scipy sparse), and back."""

import numpy as np
from scipy import sparse


def column_names(X):
    """Return the names of the columns of a frame of any library; of other tables, none."""
    # pyarrow's columns are what they hold
    return list(getattr(X, "column_names", getattr(X, "columns", [])))


def type_name(X):
    """Return the name of a container with that of its library."""
    return f"{type(X).__module__.partition('.')[0]}.{type(X).__name__}".removeprefix("builtins.")


def as_array(X):
    """Return an ndarray of a table, of a tensor too that is on a GPU or that is being trained."""
    if hasattr(X, "detach"):
        X = X.detach().cpu()
        X = X.float() if str(X.dtype) == "torch.bfloat16" else X  # numpy has none
    return np.asarray(X)


def as_csr(X):
    """Return a sparse table as a csr_array that stores no cell twice; `X` is not modified."""
    X = sparse.csr_array(X)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def check_unmasked(X, name="X"):
    """Refuse a masked array with masked values: most models, and numpy, look under the mask."""
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        raise ValueError(
            f"{name} is a masked array with masked values, which most models would read as if they "
            f"were not masked: give {name}.filled(np.nan), or another value for what is missing."
        )


def computed(X):
    """Return records that are still to be computed (Dask) as the array or frame they stand for."""
    return X.compute() if hasattr(X, "__dask_graph__") else X


def as_pandas(X):
    """Return frames and series (polars, pyarrow, Dask) as frames of pandas, the rest as it is."""
    X = computed(X)
    if hasattr(X, "to_pandas") and not hasattr(X, "iloc"):
        X = X.to_pandas()
    return X.to_frame() if hasattr(X, "iloc") and X.ndim == 1 else X


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
    return as_array(X) if hasattr(X, "__array__") else X


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
        keep = X.is_floating_point() or native.dtype.kind not in "f"  # no fraction is cut off
        return X.new_tensor(native, dtype=X.dtype if keep else None)
    if isinstance(X, (list, tuple)):
        return type(X)(_as_row(*pair) for pair in zip(X, native.tolist()))
    if sparse.issparse(X):
        return type(X)(native)
    if hasattr(X, "to_pandas") and not hasattr(X, "iloc"):
        if hasattr(X, "from_pandas"):  # pyarrow
            return type(X).from_pandas(native, preserve_index=False)
        numbers = native.infer_objects()  # polars: what holds no numbers stays as it came
        numbers = {name: v.to_numpy() for name, v in numbers.items() if v.dtype.kind in "biuf"}
        return X.with_columns(type(X)(numbers).get_columns())
    return native


def _as_row(row, values):
    """Return the values of a row as a row of the kind that came: a dict, a tuple or a list."""
    if isinstance(row, dict):
        return dict(zip(row, values))
    return tuple(values) if isinstance(row, tuple) else values
