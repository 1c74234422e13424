"""How far the answers of neighboring records are mixed: found by an attacker of one's own."""

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.utils import _safe_indexing

from sklearn_aeppt._compat import take_fit_params
from sklearn_aeppt.attacks._augment import BitFlips, GaussianNoise
from sklearn_aeppt.attacks._variants import variant_features

#: Widths that are tried, the one first that is taken where the attacker sees no difference: the
#: nearest record alone, which hides most from hostile variants, unless its seams are seen.
TRIED = (0.0, 0.3, 0.5, 0.8)
N_TRIED = 3000  # records at most, one half of them trains the copy
FEW = 200  # records, below which an attacker learns nothing
N_EACH = 4  # variants of each size
FLIPS, SCALES = (1, 2, 4, 8, 16), (0.1, 0.4, 1.0, 1.5)
N_FOLDS, N_REPEATS = 5, 2  # of the copy


def choose_bandwidth(classifier, space, X, y, fit_params, rng):
    """Return the width at which an attacker on a small copy of the classifier sees least.

    The copy is fitted on half of some training records; the other half is new to it. The attacker
    learns from the answers to each record and to variants of it who is who. Where records cannot
    be varied there is nothing to look at, and the nearest record alone is taken: it is the form
    in which models that have seen a record stay silent furthest around it.
    """
    if not space.can_vary_:
        return 0.0
    n = len(y)
    if n < FEW:
        return TRIED[0]
    rows = rng.permutation(n)[:N_TRIED]
    half, fresh = np.sort(rows[::2]), np.sort(rows[1::2])
    if len(np.unique(y[half])) < 2:
        return TRIED[0]
    fresh = fresh[np.isin(y[fresh], y[half])]
    cv = classifier.cv if classifier.cv == "oob" else N_FOLDS
    params = {"cv": cv, "n_repeats": min(N_REPEATS, classifier.n_repeats), "bandwidth": 0.0}
    copied = clone(classifier).set_params(
        **params, labels="out_of_fold", random_state=rng.randint(2**31 - 1), verbose=0
    )
    copied.fit(_safe_indexing(X, half), y[half], **take_fit_params(X, fit_params, half))
    rows = np.concatenate([half, fresh])
    is_member = np.arange(len(rows)) < len(half)
    asked = _safe_indexing(X, rows)
    shown = {width: [copied.predict_proba(asked)] for width in TRIED}
    for vary in _variations(space):
        looked_up = copied._looked_up(vary(asked, rng))
        for width in TRIED:
            shown[width].append(copied._mixed(looked_up, width))
    label = np.searchsorted(copied.classes_, y[rows])
    seen = {width: _advantage(np.stack(p, 1), label, is_member) for width, p in shown.items()}
    return choose(seen, len(rows))


def choose(seen, n):
    """Return the first width whose AUC is no clear loss to the least, 0.5 if that is less."""
    error = 3 * np.sqrt(1 / 3 / n)  # three standard errors, between halves of n records
    least = max(0.5, min(seen.values()))
    return next(width for width, auc in seen.items() if auc <= least + error)


def _variations(space):
    makers = (
        [BitFlips(n_flips=n) for n in FLIPS]
        if space.is_binary_
        else [GaussianNoise(scale, relative=True) for scale in SCALES]
    )
    return [maker for maker in makers for _ in range(N_EACH)]


def _advantage(repeats, label, is_member):
    """Return the AUC of boosting over the answers to records and to their variants."""
    first = repeats[:, 0]
    rung = np.repeat(np.arange((repeats.shape[1] - 1) // N_EACH), N_EACH)
    mine = np.take_along_axis(first, label[:, None], axis=1)
    features = np.column_stack(
        [
            np.sort(first, axis=1)[:, ::-1][:, :5],
            mine,
            label,
            *variant_features(
                repeats.astype(np.float32), repeats.argmax(axis=2), label, rung, False
            ),
        ]
    )
    learner = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=100, max_bins=63, max_leaf_nodes=15, random_state=0
    )
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    score = cross_val_predict(learner, features, is_member, cv=folds, method="decision_function")
    return float(roc_auc_score(is_member, score))
