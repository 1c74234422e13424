"""Several arrays of one length as one table, which scikit-learn slices row by row."""

from typing import Any


def slice_dict(**arrays):
    """Return arrays as skorch's `SliceDict`, or as `PlainSliceDict` where skorch is not installed.

    skorch is imported here, late: it brings torch, and whoever only protects a model needs neither.
    """
    try:
        from skorch.helper import SliceDict
    except ImportError:
        return PlainSliceDict(**arrays)
    return SliceDict(**arrays)


class PlainSliceDict(dict):
    """What skorch's `SliceDict` is, without skorch: a dict of arrays, sliced all at once.

    Parameters
    ----------
    **arrays : arrays with the same number of rows

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt._slices import PlainSliceDict
    >>> view = PlainSliceDict(proba=np.eye(3), label=np.arange(3))
    >>> len(view), view.shape, view[1:]["label"]
    (3, (3,), array([1, 2]))
    """

    def __init__(self, **arrays):
        super().__init__()
        self._n = 0
        self.update(arrays)

    @property
    def shape(self):
        """(n,)."""
        return (self._n,)

    def __len__(self):
        return self._n

    def __bool__(self):
        return self._n > 0

    def __getitem__(self, key):
        if isinstance(key, str):
            return super().__getitem__(key)
        if isinstance(key, int):
            raise ValueError(f"key={key}: select one record with a slice, [{key}:{key + 1}].")
        return type(self)(**{name: array[key] for name, array in self.items()})

    def __setitem__(self, name, array):
        if not isinstance(name, str):
            raise TypeError(f"name={name!r} is not a str.")
        if self.keys() and array.shape[0] != self._n:
            raise ValueError(
                f"{name} has {array.shape[0]} rows and the others {self._n}: give one for each."
            )
        self._n = array.shape[0]
        super().__setitem__(name, array)

    def update(self, *arrays: Any, **more: Any) -> None:
        """Set several arrays, given as `dict` takes them."""
        for name, array in dict(*arrays, **more).items():
            self[name] = array

    def copy(self):
        """Return another dict of the same arrays."""
        return type(self)(**self)

    def __repr__(self):
        return f"{type(self).__name__}(**{super().__repr__()})"
