"""What labels add inside a group: one map for labels that behave differently hides neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import random_table

from sklearn_aeppt.defenses._bins import find_bins
from sklearn_aeppt.defenses._label_groups import mean_confidence

#: Accuracy beyond that of labels which attackers who use the label may gain: two points.
MOST = 0.02
FEWEST = 50  # right records on each side of a group, with which a map can be learned
N_SHUFFLED, CLEAR = 20, 4.0  # labels shuffled, and standard deviations above them


def label_excess(
    sides: Sequence[Any], edges: np.ndarray, transport: np.ndarray, sizes: Sequence[int]
) -> float:
    """Return what attackers who use the label gain beyond labels from one group's outputs.

    A map makes the histograms of a whole group equal. Where labels behave differently, those of
    one label need not be: of classes whose members all get one confidence, each another one, a
    group's members look like its non-members, but no label's do.

    Parameters
    ----------
    sides : pair of Side
        Members and non-members of the group's labels.
    edges : ndarray of shape (B - 1,)
        Edges of the bins.
    transport : ndarray of shape (B, B)
        The map.
    sizes : pair of int
        Numbers of all members and non-members, whatever their label.

    Returns
    -------
    excess : float
        Accuracy among as many members as non-members, less what labels give that behave alike:
        those of each side, shuffled; 0.0 where it is not clearly above that.
    """
    cells = []
    for side in sides:
        cell = np.zeros((side.proba.shape[1], len(transport)), dtype=np.int64)
        np.add.at(cell, (side.label[side.right], find_bins(edges, side.top[side.right])), 1)
        cells.append(cell)

    def seen(both):
        """Return the accuracy, over 2, of who knows how members and others of a label look."""
        return np.maximum(*(c @ transport / n for c, n in zip(both, sizes))).sum(axis=(-2, -1)) / 2

    alike = [  # by "boyett": its sibling is wrong about some tables with empty rows
        random_table(c.sum(axis=1), c.sum(axis=0)).rvs(N_SHUFFLED, method="boyett", random_state=i)
        for i, c in enumerate(cells)
    ]
    chance = seen(alike)
    above = seen(cells) - chance.mean()
    return float(above) if above > CLEAR * chance.std() else 0.0


def halved(sides: Sequence[Any], group: np.ndarray, g: int) -> np.ndarray | None:
    """Return the groups of all labels with group `g` cut in two; None if its records are too few.

    Cut is the order of the labels by the mean confidence of members, where half of the group's
    scarcer side is reached.
    """
    n_classes = len(group)
    counts = np.array([np.bincount(s.label[s.right], minlength=n_classes) for s in sides])
    sure = mean_confidence(sides[0], n_classes)
    labels = np.flatnonzero((group == g) & counts.any(axis=0))
    labels = labels[np.argsort(sure[labels], kind="stable")]
    reached = np.cumsum(counts[:, labels], axis=1)
    enough = (reached >= FEWEST) & (reached[:, -1:] - reached >= FEWEST)
    cuts = np.flatnonzero(enough.all(axis=0))
    if len(cuts) == 0:
        return None
    scarcer = reached[reached[:, -1].argmin()]
    cut = cuts[np.abs(scarcer[cuts] - scarcer[-1] / 2).argmin()]
    out = group.copy()
    out[labels[cut + 1 :]] = group.max() + 1
    return out
