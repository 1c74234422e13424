"""Groups of labels that behave alike, each with enough records to learn a map from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

RECORDS_A_GROUP, MOST_GROUPS = 500, 10


def mean_confidence(side: Any, n_classes: int) -> np.ndarray:
    """Return how sure the model is of each label on average, zero of labels never predicted."""
    count = np.bincount(side.label, minlength=n_classes)
    return np.bincount(side.label, side.top, n_classes) / np.maximum(count, 1)


def group_labels(sides: Sequence[Any], n_groups: int | str, n_classes: int) -> np.ndarray:
    """Return the group of each label, labels whose non-members are about equally sure together.

    Parameters
    ----------
    sides : pair of Side
        Members and non-members.
    n_groups : int or "auto"
        "auto" gives each group at least 500 members and 500 non-members, and makes at most 10.
    n_classes : int
        K, the number of labels.

    Returns
    -------
    group : intp ndarray of shape (n_classes,)
        Numbers from 0 without a gap. No group lacks members or non-members altogether.
    """
    counts = np.array([np.bincount(s.label[s.right], minlength=n_classes) for s in sides])
    if isinstance(n_groups, str):
        n_groups = int(np.clip(counts.sum(axis=1).min() // RECORDS_A_GROUP, 1, MOST_GROUPS))
    order = np.argsort(mean_confidence(sides[1], n_classes), kind="stable")
    # cut where the scarcer side has had its share
    scarcer = counts[counts.sum(axis=1).argmin()][order]
    share = np.cumsum(scarcer) - scarcer / 2
    group = np.empty(n_classes, dtype=np.intp)
    group[order] = np.minimum(share * n_groups / max(scarcer.sum(), 1), n_groups - 1)
    # a group that lacks a side altogether joins its neighbor
    for g in range(group.max() + 1):
        if any(not (group[s.label] == g).any() for s in sides):
            below = group[group < g]
            group[group == g] = g + 1 if g < group.max() else below.max() if len(below) else g
    return np.unique(group, return_inverse=True)[1]
