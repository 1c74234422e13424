"""Bins of the largest confidence, wide enough that a tiny change of a record stays inside one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import logit

#: Least width of a bin: in confidence, or else in log-odds; and where the last bin begins at most.
#: A model is often sure beyond all measure of what it has memorized (1.0 where a neighbor of the
#: record gets 0.999999). Bins that resolve this move members, and only them, to another bin when
#: a record is varied by next to nothing.
WIDTH, LOG_ODDS_WIDTH, LAST_EDGE = 0.01, 0.5, 0.999
N_QUANTILES = 33  # of the confidences inside a bin


def quantile_edges(confidences: Sequence[np.ndarray], n_bins: int, wide: bool = True) -> np.ndarray:
    """Return the inner edges of bins: quantiles of several samples in equal weight.

    Parameters
    ----------
    confidences : sequence of ndarray of shape (n_i,)
        The samples, none of them empty.
    n_bins : int >= 2
        Number of bins at most.
    wide : bool, default=True
        Whether to leave out edges closer than the least width.

    Returns
    -------
    edges : float64 ndarray of shape (B - 1,)
        Increasing; at least one.
    """
    pooled = np.concatenate([np.quantile(c, np.linspace(0, 1, 2001)) for c in confidences])
    found = np.unique(np.quantile(pooled, np.linspace(0, 1, n_bins + 1)[1:-1]))
    edges: list[float] = []
    for edge in found[found <= LAST_EDGE]:
        far = not wide or not edges or edge - edges[-1] >= WIDTH
        if far or logit(edge) - logit(edges[-1]) >= LOG_ODDS_WIDTH:
            edges.append(edge)
    return np.array(edges or [min(found[0], LAST_EDGE)])


def find_bins(edges: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Return the bin of each confidence.

    Parameters
    ----------
    edges : ndarray of shape (B - 1,)
        Inner edges, increasing; each belongs to the bin above it.
    confidence : ndarray of shape (n,)
        Confidences.

    Returns
    -------
    bins : intp ndarray of shape (n,)
        From 0 to B - 1.
    """
    return np.searchsorted(edges, confidence, side="right")


def bin_contents(
    edges: np.ndarray, confidence: np.ndarray, tail: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what stands for each bin: quantiles of its confidences, and its mean tail.

    Parameters
    ----------
    edges : ndarray of shape (B - 1,)
        Inner edges of the bins, increasing.
    confidence : ndarray of shape (n,)
        Largest confidence of each record.
    tail : ndarray of shape (n, n_columns)
        Shares of the other classes of each record.

    Returns
    -------
    values : float64 ndarray of shape (B, 33)
        Quantiles of the confidences in each bin, from the least to the greatest.
    tails : float64 ndarray of shape (B, n_columns)
        Mean of the tails in each bin.
    """
    bins, n_bins = find_bins(edges, confidence), len(edges) + 1
    values, tails = np.empty((n_bins, N_QUANTILES)), np.empty((n_bins, tail.shape[1]))
    for j in range(n_bins):
        inside = bins == j
        if not inside.any():  # ties can empty the bin below an edge
            inside = np.abs(confidence - edges[min(j, len(edges) - 1)]).argsort()[:1]
        values[j] = np.quantile(confidence[inside], np.linspace(0, 1, N_QUANTILES))
        tails[j] = tail[inside].mean(axis=0)
    return values, tails
