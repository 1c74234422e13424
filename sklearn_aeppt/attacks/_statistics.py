"""One number an answer: what membership shows in, in float64, greater for members."""

import numpy as np

TINY = 1e-30


def confidence(proba, label):
    """Return the confidence of the given label, shape (n,)."""
    return _at(proba, label)


def loss(proba, label):
    """Return the log-likelihood of the label, minus the cross-entropy loss (Yeom et al. 2018)."""
    return np.log(_at(proba, label).clip(TINY))


def entropy(proba, label=None):
    """Return minus the entropy of the confidences (Song and Mittal 2021, Eq. 7)."""
    p = np.asarray(proba, dtype=np.float64)
    return (p * np.log(p.clip(TINY))).sum(axis=1)


def modified_entropy(proba, label):
    """Return minus the modified entropy (Song and Mittal 2021, Eq. 8).

    ``(1 - p_y) log p_y + sum_{j != y} p_j log(1 - p_j)``: monotone in the label's confidence.
    """
    p = np.asarray(proba, dtype=np.float64)
    p_y = _at(p, label)
    others = p * np.log((1 - p).clip(TINY))
    others[np.arange(len(p)), label] = 0
    return (1 - p_y) * np.log(p_y.clip(TINY)) + others.sum(axis=1)


STATISTICS = {f.__name__: f for f in (confidence, loss, entropy, modified_entropy)}


def _at(proba, label):
    return np.asarray(proba, dtype=np.float64)[np.arange(len(proba)), label]
