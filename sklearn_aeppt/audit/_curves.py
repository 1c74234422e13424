"""What the pictures of a report are drawn from: thinned ROC curves and counts of scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_aeppt.metrics import counts_at_thresholds

#: Points of a curve, at most, and bars of a histogram.
N_POINTS, N_BARS = 40, 20


def drawn(rows: list[dict[str, Any]], judged: list[int], best: int) -> list[int]:
    """Return the places of the attacks to draw: the strongest, also by AUC and by TPR at 1 %."""

    def strongest(measure):
        return max(judged, key=lambda i: (rows[i][measure] or 0.0, rows[i]["auc"]))

    return list(dict.fromkeys([best, strongest("auc"), strongest("tpr_at_0.01_fpr")]))


def roc(is_member: np.ndarray, score: np.ndarray) -> dict[str, list[float]]:
    """Return false and true positive rates, at rates that are even on a logarithmic axis.

    Each true positive rate is the greatest with at most so many false positives.
    """
    _, members, others = counts_at_thresholds(is_member, score)
    n = int((~is_member).sum())
    allowed = np.unique(np.r_[0, np.geomspace(1, n, N_POINTS - 1).round()].astype(int))
    best = np.searchsorted(others, allowed, side="right")
    true = np.r_[0, members][best] / is_member.sum()
    return {"fpr": (allowed / n).tolist(), "tpr": true.tolist()}


def of_labels(is_member: np.ndarray, labels_say: np.ndarray) -> dict[str, float]:
    """Return the one point that the label-only attack has: its two rates."""
    return {
        "fpr": float(labels_say[~is_member].mean()),
        "tpr": float(labels_say[is_member].mean()),
    }


def score_counts(is_member: np.ndarray, score: np.ndarray) -> dict[str, list[int]]:
    """Return how many members and non-members have a score in each twentieth from 0 to 1.

    Scores are ranks within a half: without a leak, every bar is as high as any other.
    """
    place = np.minimum((score * N_BARS).astype(int), N_BARS - 1)
    sides = {"members": is_member, "non_members": ~is_member}
    return {
        name: np.bincount(place[side], minlength=N_BARS).tolist() for name, side in sides.items()
    }


def curves(
    is_member: np.ndarray,
    labels_say: np.ndarray,
    scores: list[tuple[str, np.ndarray]],
) -> dict[str, Any]:
    """Return what the pictures need.

    Parameters
    ----------
    is_member, labels_say : boolean ndarray of shape (n_units,)
    scores : list of (str, ndarray)
        Names of the attacks whose curves are drawn, the strongest first, and their scores, 0 to 1.
    """
    name, score = scores[0]
    return {
        "roc": [{"attack": name, **roc(is_member, score)} for name, score in scores],
        "labels": of_labels(is_member, labels_say),
        "scores": {"attack": name, **score_counts(is_member, score)},
    }
