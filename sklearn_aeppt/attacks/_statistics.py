"""What membership shows in: single numbers, greater for members, and all of it, in float64."""

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


def answer_features(proba, label, n_confidences):
    """Return all that an answer holds for a learner, shape (n, n_features).

    The largest confidences in falling order, every statistic, the label, the predicted label, and
    whether the two agree.
    """
    predicted = proba.argmax(axis=1)
    return np.column_stack(
        [
            -np.sort(-proba, axis=1)[:, :n_confidences],
            *(statistic(proba, label) for statistic in STATISTICS.values()),
            label,
            predicted,
            predicted == label,
        ]
    )


def _at(proba, label):
    return np.asarray(proba, dtype=np.float64)[np.arange(len(proba)), label]
