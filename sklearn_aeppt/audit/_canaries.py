"""Worst case: mislabeled records, which a model can only know by heart."""

import numpy as np
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.utils import _safe_indexing, check_random_state

from sklearn_aeppt._seeding import reseed
from sklearn_aeppt.attacks import ThresholdAttack, query
from sklearn_aeppt.attacks._fit_params import fit_on
from sklearn_aeppt.audit._intervals import auc_interval
from sklearn_aeppt.metrics import balanced_accuracy_interval


def canary_risk(template, X, y, is_member, given, seed):
    """Plant half of some mislabeled non-members among the members, train again, and find them.

    What an attack gets on average says little of the records that stand out. A mislabeled record
    stands out as far as any can: whoever trained on it says so.

    Parameters
    ----------
    template : unfitted classifier
        The target's kind, defense included.
    X : records
    y : array-like of shape (n,)
    is_member : boolean ndarray of shape (n,)
    given : FitParams
        What ``fit`` of the target was given besides.
    seed : int

    Returns
    -------
    risk : dict
        ``n``, how many; ``accuracy`` of a threshold on the loss, with its interval ``low`` and
        ``high``; ``auc``, with ``auc_low`` and ``auc_high``.

    References
    ----------
    Aerni, Zhang, Tramer (2024), "Evaluations of machine learning privacy defenses are misleading".
    """
    rng = check_random_state(seed)
    others = np.flatnonzero(~is_member)
    n = 2 * max(2, min(100, len(others) // 4))
    canaries = rng.permutation(others)[:n]
    planted = np.arange(n) < n // 2
    classes = np.unique(y)
    labels = np.array(y)
    place = np.searchsorted(classes, labels[canaries])
    labels[canaries] = classes[(place + rng.randint(1, len(classes), size=n)) % len(classes)]

    trains = is_member.copy()
    trains[canaries[planted]] = True
    model = fit_on(reseed(template, rng), X, labels, trains, given)
    view = query(model, _safe_indexing(X, canaries), labels[canaries])
    attack = ThresholdAttack("loss", per_class=False)
    said = cross_val_predict(attack, view, planted, cv=2)
    score = ThresholdAttack("loss", per_class=False).fit(view, planted).decision_function(view)
    low, high = balanced_accuracy_interval(planted, said)
    auc_low, auc_high = auc_interval(planted, score, 0.95)
    return {
        "n": n,
        "accuracy": float(balanced_accuracy_score(planted, said)),
        "low": low,
        "high": high,
        "auc": float(roc_auc_score(planted, score)),
        "auc_low": auc_low,
        "auc_high": auc_high,
    }
