"""What to judge attacks and defenses by: plain functions on labels, memberships and scores."""

import numpy as np
from scipy.stats import binomtest
from sklearn.utils import check_consistent_length

__all__ = ["clopper_pearson", "label_only_floor", "perturbation_size"]


def label_only_floor(y_mem, pred_mem, y_non, pred_non):
    """Return the attack accuracy that the predicted label alone gives away.

    The gap attack calls a record a member where its label is predicted right. Among equally many
    members and non-members it is right with ``0.5 + (train accuracy - test accuracy) / 2``. No
    defense that keeps labels gets below that, so every attack accuracy is to be read beside it.

    Parameters
    ----------
    y_mem, pred_mem : array-like of shape (n_members,)
        True and predicted labels of members.
    y_non, pred_non : array-like of shape (n_non_members,)
        The same of non-members.

    Returns
    -------
    floor : float in [0, 1]

    References
    ----------
    Yeom, Giacomelli, Fredrikson, Jha (2018), "Privacy risk in machine learning", Attack 1;
    AEPPT names it the baseline of Section 5.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import label_only_floor
    >>> label_only_floor([0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1])
    0.75
    """
    accuracy = []
    for y, pred in ((y_mem, pred_mem), (y_non, pred_non)):
        check_consistent_length(y, pred)
        accuracy.append(np.mean(np.asarray(y) == np.asarray(pred)))
    return float(0.5 + (accuracy[0] - accuracy[1]) / 2)


def perturbation_size(p, q, ord=1):
    """Return the mean over records of the norm of the change of their confidence vectors.

    Parameters
    ----------
    p, q : array-like of shape (n, K)
        Confidences before and after.
    ord : {1, 2, numpy.inf}, default=1
        1 is the sum over classes of the absolute change, the paper's measure; 2 the Euclidean
        length; inf the largest change of one class. Between probability vectors L1 is at most 2.

    Returns
    -------
    size : float

    References
    ----------
    AEPPT, Section 5.3 and Table IV.

    Examples
    --------
    >>> from sklearn_aeppt.metrics import perturbation_size
    >>> perturbation_size([[1.0, 0.0], [0.5, 0.5]], [[0.75, 0.25], [0.5, 0.5]])
    0.25
    """
    change = np.asarray(p, dtype=np.float64) - np.asarray(q, dtype=np.float64)
    return float(np.linalg.norm(change, ord=ord, axis=1).mean())


def clopper_pearson(successes, trials, confidence=0.95):
    """Return the exact (Clopper-Pearson) confidence interval of a proportion.

    Parameters
    ----------
    successes, trials : int
    confidence : float in (0, 1), default=0.95

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> from sklearn_aeppt.metrics import clopper_pearson
    >>> [round(end, 3) for end in clopper_pearson(50, 100)]
    [0.398, 0.602]
    """
    interval = binomtest(int(successes), int(trials)).proportion_ci(confidence, method="exact")
    return float(interval.low), float(interval.high)
