"""A function that returns confidences, as a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


class FunctionTarget:
    """What is asked by calling it: no scikit-learn estimator, and nothing to fit.

    Parameters
    ----------
    function : callable
        Takes records and returns their confidences, shape (n, K).
    classes : array-like of shape (K,)
        Class labels of the columns, all different.
    """

    def __init__(self, function: Callable[[Any], ArrayLike], classes: ArrayLike):
        self.function = function
        self.classes_ = np.asarray(classes)

    def __repr__(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def predict_proba(self, X: Any) -> Any:
        """Return what the function says of records."""
        return self.function(X)


def with_classes(target: Any, classes: ArrayLike | None) -> Any:
    """Return `target`, with functions in it (or in a dict or list of targets) made targets.

    Raises
    ------
    TypeError
        If a target has classes of its own, or is no function.
    ValueError
        If `classes` is not a list of different labels.
    """
    if classes is None:
        return target
    if isinstance(target, dict):
        return {name: with_classes(one, classes) for name, one in target.items()}
    if isinstance(target, (list, tuple)):
        return [with_classes(one, classes) for one in target]
    if hasattr(target, "predict_proba") or not callable(target):
        raise TypeError(
            f"classes={classes!r} is for a function that returns confidences; target={target!r} "
            + ("knows its own classes_: leave classes out." if hasattr(target, "predict_proba")
               else "is none: give a function of the records, or a fitted classifier.")
        )  # fmt: skip
    return FunctionTarget(target, check_classes(classes))


def check_classes(classes: ArrayLike) -> np.ndarray:
    """Return class labels as an array, or refuse what names a column twice."""
    labels = np.asarray(classes)
    if labels.ndim != 1 or len(set(labels.tolist())) < max(len(labels), 1):
        raise ValueError(
            f"classes={classes!r} must be a one-dimensional list of different labels, one for "
            "each column of the confidences, in their order."
        )
    return labels
