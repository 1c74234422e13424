"""Intervals of the figures of one attack that are no accuracies: AUC and rates."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, rankdata

from sklearn_aeppt.metrics import clopper_pearson


def auc_interval(
    is_member: np.ndarray, score: np.ndarray, confidence: float
) -> tuple[float, float]:
    """Return an interval of the AUC, from the placements of either side among the other.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson (1988), "Comparing the areas under two or more correlated
    receiver operating characteristic curves: a nonparametric approach".
    """
    members, others = score[is_member], score[~is_member]
    m, n = len(members), len(others)
    rank = rankdata(np.concatenate([members, others]))
    of_members = (rank[:m] - rankdata(members)) / n
    of_others = 1 - (rank[m:] - rankdata(others)) / m
    auc = float(of_members.mean())
    variance = of_members.var(ddof=1) / m + of_others.var(ddof=1) / n
    half = float(norm.isf((1 - confidence) / 2) * np.sqrt(variance))
    low, high = auc - half, auc + half
    if half == 0:  # all or nothing: as of the smaller side, each of which is right
        least = ((1 - confidence) / 2) ** (1 / min(m, n))
        low, high = (min(auc, least), auc) if auc > 0.5 else (auc, max(auc, 1 - least))
    return max(0.0, low), min(1.0, high)


def rate_interval(rate: float, n: int, confidence: float) -> tuple[float, float]:
    """Return an interval of a share of `n` records, at the threshold that these records gave."""
    low, high = clopper_pearson(round(rate * n), n, confidence)
    return float(low), float(high)
