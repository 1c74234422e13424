"""By how much an attack exceeds what labels alone give, on the same records, with its bounds."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from sklearn_aeppt.metrics import balanced_accuracy_interval


def excess_bounds(
    is_member: np.ndarray, said: np.ndarray, labels_say: np.ndarray, confidence: float
) -> tuple[float, float]:
    """Return one-sided bounds on an attack's excess over the label-only attack.

    Both decide about the same records, so that the difference of their balanced accuracies is far
    more certain than either of them. Where labels alone are worse than a coin toss, the coin toss
    takes their place in the lower bound.

    Parameters
    ----------
    is_member, said, labels_say : boolean ndarray of shape (n,)
        Membership, the attack's decision, and that of the label-only attack (whether the label is
        right).
    confidence : float in (0, 1)
        Of each of the bounds.

    Returns
    -------
    low, high : float
        At least and at most this much balanced accuracy, -1 to 1.

    References
    ----------
    Agresti, Min (2005), "Simple improved confidence intervals for comparing matched proportions":
    half a pair is added to each of the four cells.
    """
    mean = variance = 0.0
    for side in (is_member, ~is_member):
        won = np.sum((said == is_member)[side] & (labels_say != is_member)[side]) + 0.5
        lost = np.sum((said != is_member)[side] & (labels_say == is_member)[side]) + 0.5
        n = side.sum() + 2
        difference = (won - lost) / n
        mean += difference / 2
        variance += ((won + lost) / n - difference**2) / n / 4
    half = norm.isf(1 - confidence) * np.sqrt(variance)
    # one-sided: each end of a two-sided interval errs half as often
    over_coin = balanced_accuracy_interval(is_member, said, 2 * confidence - 1)[0] - 0.5
    return float(min(mean - half, over_coin)), float(mean + half)
