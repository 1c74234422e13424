"""What counts as near, and how far neighbors are mixed: found by an attacker of one's own."""

from functools import partial

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.utils import _safe_indexing

from sklearn_aeppt._compat import take_fit_params
from sklearn_aeppt._fitted import thawed
from sklearn_aeppt.attacks._augment import BitFlips, GaussianNoise
from sklearn_aeppt.attacks._variants import variant_features
from sklearn_aeppt.defenses._fold_models import answers

#: Powers of a column's use in its scale, the one first that is taken where the attacker sees no
#: difference. Numbers: a move of what the models ignore must not count; but where they use few
#: columns, a high power leaves little room around each record. Bits: one flipped at random seldom
#: is another record's, and to count all alike keeps records of few bits apart; where models ignore
#: most bits, their use has to count all the same.
POWERS_OF_NUMBERS, POWERS_OF_BITS = (2, 1), (0, 0.5, 2)
#: Widths of the mix, likewise.
WIDTHS = (0.1, 0.0, 0.3)
N_TRIED = 3000  # records at most, one half of them trains the copy
FEW = 200  # records, below which an attacker learns nothing
N_EACH = 4  # variants of each size
FLIPS, SCALES = (1, 2, 4, 8, 16), (0.1, 0.4, 1.0, 1.5)
IGNORED = 0.2  # share of the columns, those used least, that hostile variants move
FAR = 8.0  # deviations by which they do
N_FOLDS, N_REPEATS = 3, 4  # of the copy


def usual(space):
    """Return the power and the width that are taken where nothing can be found out."""
    return _powers(space)[0], WIDTHS[0] if space.can_vary_ else 0.0


def _powers(space):
    return POWERS_OF_BITS if space.is_binary_ else POWERS_OF_NUMBERS


def choose_nearness(classifier, space, X, y, group, fit_params, rng):
    """Return the power and the width at which an attacker on a small copy sees least.

    The copy is fitted on half of some training records; the other half is new to it. The attacker
    learns from the answers to each record and to variants of it who is who: small ones, and
    hostile ones that move what the models use least. Where records cannot be varied there is
    nothing to look at, and the nearest record alone is taken: it is the form in which models that
    have seen a record stay silent furthest around it.
    """
    n = len(y)
    if not space.can_vary_ or n < FEW:
        return usual(space)
    rows = rng.permutation(n)[:N_TRIED]
    half, fresh = np.sort(rows[::2]), np.sort(rows[1::2])
    fresh = fresh[np.isin(y[fresh], y[half])]
    few = len(np.unique(group[half])) < FEW // 4 or len(fresh) < FEW // 4
    if few or len(np.unique(y[half])) < 2:
        return usual(space)
    cv = classifier.cv if classifier.cv == "oob" else N_FOLDS
    params = {"cv": cv, "n_repeats": min(N_REPEATS, classifier.n_repeats), "bandwidth": 0.0}
    copied = clone(classifier).set_params(
        **params, estimator=clone(thawed(classifier.estimator)), labels="out_of_fold",
        random_state=rng.randint(2**31 - 1), verbose=0,
    )  # fmt: skip
    own = _safe_indexing(X, half)
    copied.fit(own, y[half], **take_fit_params(X, fit_params, half))
    near = {power: copied._near_with(power, own, rng) for power in _powers(space)}
    rows = np.concatenate([half, fresh])
    is_member = np.arange(len(rows)) < len(half)
    asked = _safe_indexing(X, rows)
    tried = [(power, width) for width in WIDTHS for power in near]
    shown: dict = {one: [] for one in tried}
    for vary in (lambda X, _: X, *_variations(space)):
        varied = vary(asked, rng)
        said = answers(copied._models, varied, copied.n_jobs)
        found = {power: search(varied) for power, search in near.items()}
        for power, width in tried:
            shown[power, width].append(copied._mixed(said, near[power], found[power], width))
    label = np.searchsorted(copied.classes_, y[rows])
    seen = {one: _advantage(np.stack(p, 1), label, is_member) for one, p in shown.items()}
    return choose(seen, len(rows))


def choose(seen, n):
    """Return the first choice whose AUC is no clear loss to the least, 0.5 if that is less."""
    error = 3 * np.sqrt(1 / 3 / n)  # three standard errors, between halves of n records
    least = max(0.5, min(seen.values()))
    return next(one for one, auc in seen.items() if auc <= least + error)


def _variations(space):
    makers: list = (
        [BitFlips(n_flips=n) for n in FLIPS]
        if space.is_binary_
        else [GaussianNoise(scale, relative=True) for scale in SCALES]
    )
    if space.use_ is not None and space.is_plain_:
        used_least = np.argsort(space.use_)[: max(1, int(IGNORED * len(space.use_)))]
        makers.append(partial(_move, used_least, space))
    return [maker for maker in makers for _ in range(N_EACH)]


def _move(columns, space, X, rng):
    """Return records with some columns moved far, or a random half of them flipped."""
    moved = X.copy() if space.is_binary_ else X.astype(np.float64)
    chosen = rng.random_sample((len(X), len(columns))) < 0.5
    if space.is_binary_:
        moved[:, columns] = np.where(chosen, 1 - X[:, columns], X[:, columns])
    else:
        far = np.where(chosen, FAR, -FAR) * space.std_[columns]
        moved[:, columns] += far
    return moved


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
