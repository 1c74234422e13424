"""What a defense does to the confidences: how far it moves them, how well they are calibrated."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils._param_validation import Interval, Options, validate_params

from sklearn_aeppt._simplex import check_proba


@validate_params(
    {"ord": [Options(Real, {1, 2, np.inf})], "per_record": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def perturbation_size(
    p: ArrayLike, q: ArrayLike, ord: float = 1, *, per_record: bool = False
) -> float | np.ndarray:
    """Size of the change from confidences `p` to `q`.

    Parameters
    ----------
    p : array-like of shape (n, K)
        Confidence vectors before the defense, as probabilities (0 to 1).
    q : array-like of shape (n, K)
        Confidence vectors of the same records after the defense.
    ord : {1, 2, inf}, default=1
        Norm of each row's difference: 1 sums the absolute changes over the classes, as the paper's
        tables do; 2 is the Euclidean norm; inf is the greatest absolute change. Between
        probability vectors they are at most 2, sqrt(2) and 1.
    per_record : bool, default=False
        Return one value for each record instead of their mean.

    Returns
    -------
    size : float >= 0, or ndarray of shape (n,) with `per_record`
        Mean size, or the size of each record's change.

    Raises
    ------
    ValueError
        If the shapes differ, are not two-dimensional, or hold no records, or if a value is no
        probability (0 to 1).

    See Also
    --------
    perturbation_scorer : The same for a grid search.
    sklearn_aeppt.displays.PerturbationDisplay : One record's confidences before and after.

    Notes
    -----
    The paper measures vectors that were clipped but need not sum to one. On the simplex, whatever
    one class gains another loses: compare the paper's L1 with half of this one.

    References
    ----------
    AEPPT (arXiv 2011.13696), Tables I and II.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.metrics import perturbation_size
    >>> p, q = [[0.75, 0.25], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]]
    >>> perturbation_size(p, q)
    0.25
    >>> perturbation_size(p, q, ord=np.inf, per_record=True)
    array([0.25, 0.  ])
    """
    before, after = np.asarray(p), np.asarray(q)
    if before.shape != after.shape or before.ndim != 2 or not len(before):
        raise ValueError(
            f"p has shape {before.shape} and q {after.shape}: both must have the same shape "
            "(n_records, n_classes), with at least one record."
        )
    before, after = _check_range(before, "p"), _check_range(after, "q")
    change = np.subtract(before, after, dtype=np.result_type(before, after, np.float32))
    size = np.linalg.norm(change, ord=ord, axis=1)
    return size if per_record else float(size.mean(dtype=np.float64))


def _check_range(proba, name):
    """Return confidences from 0 to 1; they need not sum to one, as the paper's do not."""
    proba = check_proba(proba, source=name, sums=False)
    if proba.max() > 1 + 1e-3:
        raise ValueError(
            f"{name} contains {proba.max():.6g}, but confidences are at most 1: divide percentages "
            "by 100, and unnormalized scores by the sum of their row."
        )
    return proba


@validate_params(
    {"n_bins": [Interval(Integral, 1, None, closed="left")]}, prefer_skip_nested_validation=True
)
def expected_calibration_error(
    y_true: ArrayLike, proba: ArrayLike, n_bins: int = 15, *, classes: ArrayLike | None = None
) -> float:
    """Expected calibration error (ECE) of the predicted label, over bins of equal width.

    ``sum over bins b of n_b / n * |accuracy(b) - mean confidence(b)|``.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        True classes.
    proba : array-like of shape (n, K)
        Confidence vectors; each row sums to one.
    n_bins : int >= 1, default=15
        Number of bins of the top confidence; bin i is ``((i - 1) / n_bins, i / n_bins]``.
    classes : array-like of shape (K,), default=None
        The class of each column, a classifier's ``classes_``. None means 0 to K - 1.

    Returns
    -------
    error : float in [0, 1]
        0 for perfect calibration.

    Raises
    ------
    ValueError
        If rows of `proba` are not probability vectors, or `y_true` has another length or holds an
        unknown class.

    See Also
    --------
    sklearn.calibration.calibration_curve : Accuracy and confidence bin by bin.
    sklearn.metrics.log_loss : A proper scoring rule.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger (2017), "On calibration of modern neural networks", Eq. 3.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import expected_calibration_error
    >>> round(expected_calibration_error([0, 1, 1, 1], [[0.75, 0.25]] * 4), 6)
    0.5
    """
    y, p = column_or_1d(y_true), check_proba(proba, source="proba")
    check_consistent_length(y, p)
    K = p.shape[1]
    known = np.arange(K) if classes is None else np.asarray(classes)
    if len(known) != K:
        raise ValueError(
            f"classes has {len(known)} entries, but proba has {K} columns: give one class for each."
        )
    unknown = ~np.isin(y, known)
    if unknown.any():
        raise ValueError(
            f"y_true holds {np.unique(y[unknown])[:3].tolist()}, which proba has no column for: "
            "give classes=estimator.classes_."
        )
    top = p.max(axis=1).astype(np.float64)
    correct = known[p.argmax(axis=1)] == y
    place = (np.ceil(top * n_bins).astype(int) - 1).clip(0, n_bins - 1)
    return float(np.abs(np.bincount(place, correct - top)).sum() / len(y))
