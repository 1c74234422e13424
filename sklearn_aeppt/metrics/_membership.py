"""Checks of the arrays that every metric of an attack takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length, column_or_1d


def as_membership(y: ArrayLike, name: str = "y_true", *, both: bool = True) -> np.ndarray:
    """Return a boolean member mask; `both` requires members and non-members to be there."""
    mask: np.ndarray = column_or_1d(y)
    if mask.dtype != bool:
        known = np.isin(mask, [0, 1])
        if not known.all():
            raise ValueError(
                f"{name} holds {np.unique(mask[~known])[:3].tolist()}: it must be boolean, or 1 "
                "for members and 0 for non-members."
            )
        mask = mask == 1
    if both and (mask.all() or not mask.any()):
        raise ValueError(
            f"{name} must hold members and non-members, got {mask.sum()} members out of "
            f"{len(mask)} records: an attack is scored on both."
        )
    return mask


def as_decisions(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return membership and an attack's decisions as boolean masks of the same length."""
    is_member = as_membership(y_true)
    decision = as_membership(y_pred, "y_pred", both=False)
    check_consistent_length(is_member, decision)
    return is_member, decision


def as_score(y_true: ArrayLike, y_score: ArrayLike) -> np.ndarray:
    """Return the scores as float64, one for each of `y_true`; they may be infinite, but not NaN."""
    score = column_or_1d(y_score).astype(np.float64)
    check_consistent_length(y_true, score)
    missing = np.isnan(score).sum()
    if missing:
        raise ValueError(f"y_score contains NaN in {missing} of {len(score)} records.")
    return score
