"""Proxies: answers of models trained with other records, to which models answer alike."""

import numpy as np

#: How many records stand in for one, and numbers at once.
N_PROXIES, NUMBERS_AT_ONCE = 16, 2**23


def proxy_answers(seen, in_mask):
    """Return (answers, mask) of models trained with the nearest other records, of each record.

    The distance of two records is the root of the mean squared difference of their statistics,
    over the models that were trained on neither: what such models say of the one is what they say
    of the other, and so may be what models trained with them say.

    Parameters
    ----------
    seen : ndarray of shape (n_models, n)
        The statistic of each model's answer to each record.
    in_mask : boolean ndarray of shape (n_models, n)

    Returns
    -------
    answers : ndarray of shape (n_models * k, n)
    mask : boolean ndarray of the same shape
        Which of these come from models trained with the proxy.
    """
    found = np.flatnonzero(in_mask.any(axis=0))
    n = seen.shape[1]
    k = min(N_PROXIES, len(found) - 1)
    if k < 2:
        raise ValueError(
            f"mode='proxy': {len(found)} record(s) trained a shadow model, and at least 3 are "
            "needed to stand in for others: give more known records."
        )
    step = max(1, NUMBERS_AT_ONCE // len(found))
    out = (~in_mask).astype(float)
    nearest = np.empty((n, k), dtype=np.intp)
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        distance = _distances(seen, out, rows, found)
        distance[rows[:, None] == found] = np.inf  # no record stands in for itself
        nearest[rows] = found[np.argpartition(distance, k - 1, axis=1)[:, :k]]
    answers, mask = (a[:, nearest].transpose(0, 2, 1).reshape(-1, n) for a in (seen, in_mask))
    return answers, mask


def _distances(seen, out, rows, found):
    """Return mean squared differences over the models trained on neither, infinite without any."""
    a, b = seen[:, rows] * out[:, rows], seen[:, found] * out[:, found]
    in_a, in_b = out[:, rows], out[:, found]
    count = in_a.T @ in_b
    squares = (a * a).T @ in_b - 2 * a.T @ b + in_a.T @ (b * b)
    return np.where(count > 0, np.maximum(squares, 0) / np.maximum(count, 1), np.inf)
