"""One decision is shown: confidences whose argmax is the label that the wrapped model predicts.

Some models decide by another rule than the argmax of their confidences: a threshold, or a second
look as support vector machines have it. Shown as they are, ``predict`` and ``predict_proba`` would
be two looks at one record, and no defense of the second could equalize both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_aeppt._members import find_labels
from sklearn_aeppt._simplex import let_lead

#: The decision is not left to a tie, nor to rounding, by whoever stores it as float32 either.
EPS = float(np.finfo(np.float32).eps)


def own_threshold(estimator: Any) -> tuple[float, int] | None:
    """Return (threshold, index of the positive class) of a model that decides by one, or None.

    Raises
    ------
    ValueError
        If the threshold is not a number.
    """
    # of `fit` alone: whoever loads a defense to be asked does not wait for these
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
    from sklearn.pipeline import Pipeline

    while isinstance(estimator, (FrozenEstimator, Pipeline)):
        estimator = estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator[-1]
    if isinstance(estimator, TunedThresholdClassifierCV):
        threshold, positive = estimator.best_threshold_, None
    elif isinstance(estimator, FixedThresholdClassifier):
        threshold = 0.5 if estimator.threshold == "auto" else estimator.threshold
        positive = estimator.pos_label
    else:
        return None
    if estimator.response_method == "decision_function":
        return None  # in units of its own, not of confidence
    if np.isnan(threshold):  # no confidence is above it, or below
        raise ValueError(
            f"threshold={threshold} of {type(estimator).__name__} is no number to decide by: give "
            "one between 0 and 1, or 'auto'."
        )
    classes = estimator.classes_
    # of the type it has: numpy compares a float32 with a Python float as float32
    return threshold, 1 if positive is None else int(find_labels(classes, [positive])[0])


def decide_by_argmax(proba: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return confidences whose argmax is `label`: the largest one changes places with the label's.

    Rows that already agree are left as they are; `proba` is not modified.
    """
    top = proba.argmax(axis=1)
    rows = np.flatnonzero(top != label)
    if not len(rows):
        return proba
    proba = proba.copy()
    above = proba[rows, top[rows]]
    proba[rows, top[rows]] = proba[rows, label[rows]]
    proba[rows, label[rows]] = above
    proba[rows] = let_lead(proba[rows], label[rows])  # where they are equal
    return proba


def stretch_around(proba: np.ndarray, threshold: float, positive: int) -> np.ndarray:
    """Return two-class confidences stretched so that the threshold comes to lie at one half.

    In order, and linear on either side of the threshold: the argmax of the result is what the
    threshold decides.
    """
    below = proba[:, positive] < threshold
    p = proba[:, positive].astype(np.float64)
    with np.errstate(all="ignore"):
        stretched = np.where(
            below, 0.5 * p / threshold, 0.5 + 0.5 * (p - threshold) / (1 - threshold)
        )
    stretched = np.nan_to_num(stretched, nan=1.0).clip(0, 1)  # a threshold of one, and p = 1
    edge = 2 * EPS
    stretched = np.where(
        below, np.minimum(stretched, 0.5 - edge), np.maximum(stretched, 0.5 + edge)
    )
    return _two_columns(stretched.astype(proba.dtype), positive)


def keep_threshold(
    shown: np.ndarray, label: np.ndarray, threshold: float, positive: int
) -> np.ndarray:
    """Raise the shown label, in place, to where the model's own threshold decides for it too."""
    edge = 4 * EPS
    sides = np.arange(2) == positive
    least = np.where(sides, max(threshold, 0.5 + edge), max(1 - threshold, 0.5) + edge).clip(max=1)
    rows = np.arange(len(shown))
    rounded = least.astype(np.float32)
    rounded = np.where(rounded < least, np.nextafter(rounded, 1, dtype=np.float32), rounded)
    confidence = np.maximum(shown[rows, label], rounded[label])
    shown[rows, label] = confidence
    shown[rows, 1 - label] = 1 - confidence
    return shown


def keep_side(proba: np.ndarray, asked: np.ndarray, threshold: float, positive: int) -> np.ndarray:
    """Return `proba`, each row on that side of the threshold on which the row of `asked` is."""
    p, above = proba[:, positive], asked[:, positive] >= threshold
    below = np.nextafter(threshold, 0, dtype=proba.dtype)
    kept = np.where(above, np.maximum(p, threshold), np.minimum(p, below)).astype(proba.dtype)
    return _two_columns(kept, positive)


def _two_columns(p, positive):
    return np.column_stack([1 - p, p] if positive == 1 else [p, 1 - p])
