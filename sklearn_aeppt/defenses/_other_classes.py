"""Three ways to show the other classes beside an equalized confidence, and what a ranking tells."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_aeppt._members import Records
from sklearn_aeppt._simplex import falling_order, shares

#: AUC that the ranking of the other classes may add to the label before the template replaces it.
RANKING_MAY_TELL = 0.02
ENOUGH_TO_TELL = 500  # records on a side, for that figure to mean something
MOST_TO_TELL = 2000
CROSS_FITTED = 8000  # records in all, over several cross-fits where there are few: one misses


class Ranking:
    """The model's own order of the other classes, with the values of the bin's mean vector."""

    @staticmethod
    def order(proba, label):
        """Return the other classes of each row as the tails have them, shape (n, K-1)."""
        masked = proba.astype(np.float32)
        masked[np.arange(len(proba)), label] = np.inf
        return falling_order(masked)[:, 1:]

    @classmethod
    def learn(cls, proba, label):
        """Return what the bins average: shares of what the label leaves, rows sum to one."""
        return shares(np.take_along_axis(proba, cls.order(proba, label), 1))

    @staticmethod
    def show(tail, proba, order):
        """Return the shares to show, in the order of `order`, shape (n, K-1)."""
        return tail


class Rescaled(Ranking):
    """The model's own values of the other classes, rescaled to what the label leaves."""

    @staticmethod
    def show(tail, proba, order):
        """Return the shares to show, in the order of `order`, shape (n, K-1)."""
        return shares(np.take_along_axis(proba, order, 1).astype(np.float64))


class Template:
    """The mean vector of the bin, class by class: nothing of the record but its label."""

    @staticmethod
    def order(proba, label):
        """Return the other classes of each row, shape (n, K-1), by their number."""
        others = np.arange(proba.shape[1] - 1)[None, :]
        return others + (others >= label[:, None])

    @staticmethod
    def learn(proba, label):
        """Return what the bins average: class by class, zero at the label, rows sum to one."""
        tail = proba.copy()
        tail[np.arange(len(proba)), label] = 0
        return shares(tail)

    @staticmethod
    def show(tail, proba, order):
        """Return the shares to show, in the order of `order`, shape (n, K-1)."""
        return shares(np.take_along_axis(tail, order, 1))


OTHER_CLASSES: dict[str, type[Ranking] | type[Template]] = {
    "ranking": Ranking,
    "rescaled": Rescaled,
    "template": Template,
}


def ranking_is_safe(members: Records, non_members: Records) -> bool:
    """Return whether a learned attack gets next to nothing from the ranking beyond the label.

    Boosting, cross-fitted several times, that sees the label, whether it is right, and the
    place of each class in the ranking, the true one's included, against one without the
    ranking. False also where there are too few records to tell, or no class labels: what cannot
    be excluded is not shown.

    Parameters
    ----------
    members : Records
        Members, with confidences, and true labels or None.
    non_members : Records
        Non-members, likewise.

    Returns
    -------
    safe : bool
        Whether the ranking adds at most 0.02 of AUC to the label.
    """
    # of `fit` alone: whoever loads a defense to be asked does not wait for these
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    sides: tuple[Any, Any] = (members, non_members)
    if any(s.label is None or len(s.proba) < ENOUGH_TO_TELL for s in sides):
        return False
    rng = np.random.default_rng(0)
    rows = [rng.permutation(len(s.proba))[:MOST_TO_TELL] for s in sides]
    proba = np.concatenate([s.proba[r] for s, r in zip(sides, rows)])
    truth = np.concatenate([s.label[r] for s, r in zip(sides, rows)])
    is_member = np.arange(len(proba)) < len(rows[0])
    label = proba.argmax(axis=1)
    order = np.argsort(-proba, axis=1, kind="stable")
    place = np.argsort(order, axis=1).astype(np.float32)
    known = np.column_stack([label, label == truth])
    # equal confidences stand in the order of their columns: rising steps count them
    rising = (np.diff(order[:, 1:], axis=1) > 0).mean(axis=1) if proba.shape[1] > 2 else label
    all_ = np.column_stack(
        [known, place, order[:, 1:3], rising, place[np.arange(len(place)), truth.clip(0)]]
    )

    def auc(seen, seed):
        attack = HistGradientBoostingClassifier(max_iter=40, early_stopping=False, random_state=0)
        folds = StratifiedKFold(2, shuffle=True, random_state=seed)
        score = cross_val_predict(attack, seen, is_member, cv=folds, method="decision_function")
        return roc_auc_score(is_member, score)

    n_cross_fits = max(2, round(CROSS_FITTED / len(proba)))
    gain = np.mean([auc(all_, seed) - auc(known, seed) for seed in range(n_cross_fits)])
    return bool(gain <= RANKING_MAY_TELL)
