"""From the answers of all models to the one that is shown: weights of neighbors, calibration."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

FLOOR = 1e-6  # least share of the uniform vector in an answer: no class is impossible


def neighbor_weights(distance, nearest_other, bandwidth):
    """Return the weights of the nearest training records, rows that sum to one.

    ``max(0, 1 - (d_k^2 - d_1^2) / (bandwidth * s^2))`` with s the distance from the nearest record
    to the nearest one of another group. For a bandwidth below 1 all but the first are exactly zero
    at a training record and around it. The width is cut where the last record found would weigh
    something: else another one would come in with a jump.

    Parameters
    ----------
    distance : float ndarray of shape (n, k)
        Nearest first.
    nearest_other : float ndarray of shape (n,)
        The s of each row's nearest record.
    bandwidth : float in [0, 1)
        0 takes the nearest record alone.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.defenses._fold_mix import neighbor_weights
    >>> neighbor_weights(np.array([[0.0, 2.0, 3.0]]), np.array([2.0]), 0.5)
    array([[1., 0., 0.]])
    >>> neighbor_weights(np.array([[1.0, 1.0, 3.0]]), np.array([2.0]), 0.5)
    array([[0.5, 0.5, 0. ]])
    """
    further = distance**2 - distance[:, :1] ** 2
    width = bandwidth * nearest_other**2
    if distance.shape[1] > 1:
        width = np.minimum(width, further[:, -1])
    width = width[:, None]
    weight = np.where(width > 0, 1 - further / np.where(width > 0, width, 1), 0).clip(0)
    weight[:, 0] = 1
    return weight / weight.sum(axis=1, keepdims=True)


def shares_of_models(weight, index, unseen):
    """Return how much each model has to say in each row's answer, (n, n_models).

    The models that have not seen a record share its weight alike.
    """
    shares = np.zeros((len(weight), unseen.shape[1]))
    for w, rows in zip(weight.T, index.T):
        speak = unseen[rows]
        shares += (w / speak.sum(axis=1))[:, None] * speak
    return shares


def mixed(said, shares):
    """Return the answers (n_models, n, K) mixed by each row's shares, float64 of shape (n, K)."""
    return np.einsum("nm,mnk->nk", shares, said, dtype=np.float64)


class Calibration:
    """A temperature and a floor, fitted on honest answers: they keep every argmax.

    ``q = (1 - floor) * p^(1 / temperature) / sum + floor / K``
    """

    def fit(self, proba, label):
        """Find both by the least log loss of the labels' indices; return self."""
        proba = proba / proba.sum(axis=1, keepdims=True)

        def loss(point):
            self.temperature = float(np.exp(point[0]))
            self.floor = float(FLOOR + (1 - FLOOR) * expit(point[1]))
            return -np.log(self(proba)[np.arange(len(label)), label]).mean()

        found = minimize(loss, [0.0, -4.0], method="Nelder-Mead", options={"maxfev": 200})
        loss(np.clip(found.x, [-2.0, -20.0], [2.0, 2.0]))
        return self

    def __call__(self, proba):
        """Return calibrated rows."""
        top = proba.max(axis=1, keepdims=True)
        with np.errstate(under="ignore"):
            soft = (proba / top) ** (1 / self.temperature)
        soft /= soft.sum(axis=1, keepdims=True)
        return (1 - self.floor) * soft + self.floor / proba.shape[1]
