"""The out-of-fold defense of several settings on one pool of models, for `folds_tradeoff`.

In a module of its own: what is remembered of a run depends on the text of the module.
"""

from copy import copy

import numpy as np

from examples.studies._data import key_from
from examples.studies.defenses import usefulness
from examples.studies.out_of_fold import N, judged, records, scored, told, variations
from sklearn_aeppt import EqualizedClassifier, OutOfFoldClassifier
from sklearn_aeppt._one_step import TWIN
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.defenses._fold_mix import Calibration
from sklearn_aeppt.defenses._fold_models import FoldModels, unseen_answers
from sklearn_aeppt.defenses._fold_nearness import choose_nearness

DEFAULT = "cv=3, n_repeats=10"
KEPT = ("forest", "location30")  # whose labels are kept as well
WIDTHS = (0.0, 0.1, 0.3, 0.6)  # of the mix
BLOCK = 1000  # records asked about at once


def nearness(name, seed, data, n):
    """Return what the defense finds out in `fit`: the power of a feature's use, and the width."""
    model, X, y = records(name, seed, data, n)
    n = len(X) // 3
    X, y, rng = X[:n], y[:n], np.random.RandomState(seed)
    defense = OutOfFoldClassifier(model, n_repeats=3, bandwidth=0.0, random_state=seed).fit(X, y)
    defense.set_params(n_repeats=OutOfFoldClassifier(model).n_repeats)
    return choose_nearness(defense, defense._space, X, y, np.arange(n), {}, rng)


def play(name, seed, data, n, cv, repeats, near):
    """Return title of a table -> its rows, of one model, number of folds and seed."""
    model, X, y = records(name, seed, data, n)
    n = len(X) // 3
    sides = (X[:n], y[:n]), (X[n : 2 * n], y[n : 2 * n])
    model.fit(*sides[0])
    power, width = near
    pool = OutOfFoldClassifier(
        model, cv=cv, n_repeats=max(repeats), bandwidth=width, random_state=seed
    ).fit(*sides[0])
    pool = vars(pool)[TWIN]  # which holds what was learned: copies of it can be changed
    pool._near = pool._near_with(power, X[:n], np.random.RandomState(seed))
    pool._models = Asked(pool.estimators_, pool.classes_)
    targets = {f"cv={cv}, n_repeats={r}": fewer(pool, *sides[0], r) for r in repeats}
    titles = {"folds": list(targets)}
    if DEFAULT in targets:
        titles |= beside(name, model, targets, sides, seed)

    def tell(X):
        blocks = [X[i : i + BLOCK] for i in range(0, len(X), BLOCK)]  # each to all: models remember
        said = [{t: one.predict_proba(block) for t, one in targets.items()} for block in blocks]
        return {title: np.concatenate([one[title] for one in said]) for title in targets}

    asked, label, is_member = scored(model, X, y, min(n, N))
    new = scored(model, X[n:], y[n:], n)[:2]
    kinds = variations(name, model, X[:n], seed)
    kinds = {kind: v if kind == "variants" else v[::-2] for kind, v in kinds.items()}
    worth, rows = tell(new[0]), {}
    labels = model.predict_proba(asked).argmax(axis=1)
    for title, (own, answers) in told(tell, asked, kinds, seed).items():
        same = own.argmax(axis=1) == labels
        rows[title] = {"data": f"{name}: {title}", "seed": seed}
        rows[title] |= judged(own, answers, label, is_member, seed)
        rows[title] |= usefulness(slice_dict(proba=worth[title], label=new[1]), slice(None))
        rows[title] |= {
            "accuracy on new records": float((worth[title].argmax(axis=1) == new[1]).mean()),
            "labels kept, members": float(same[is_member].mean()),
            "labels kept, new records": float(same[~is_member].mean()),
        }
    return {table: [rows[title] for title in these] for table, these in titles.items()}


class Asked(FoldModels):
    """Models that remember what they said of the records that they were asked about last."""

    def __init__(self, models, classes, memory=None):
        super().__init__(models, classes)
        self.memory = {} if memory is None else memory

    def ask(self, i, X):
        """Return what model `i` says, a column for each class."""
        if self.memory.get("of") is not X:
            self.memory.clear()
            self.memory["of"] = X
        if i not in self.memory:
            self.memory[i] = super().ask(i, X)
        return self.memory[i]


def fewer(pool, X, y, n_repeats):
    """Return a fitted defense with its first partitions only, calibrated anew."""
    folds = pool.fold_[:n_repeats]
    unseen = np.stack([fold == k for fold in folds for k in np.unique(fold)], axis=1)
    n = unseen.shape[1]
    one = copy(pool)
    one.n_repeats = n_repeats
    one.estimators_, one.fold_, one._unseen = pool.estimators_[:n], folds, pool._unseen[:, :n]
    one._models = Asked(one.estimators_, pool.classes_, pool._models.memory)
    honest = unseen_answers(one._models, X, unseen, None)
    one._calibrated = Calibration().fit(honest, np.searchsorted(pool.classes_, y))
    one.temperature_ = float(one._calibrated.temperature)
    return one


def beside(name, model, targets, sides, seed):
    """Add to the targets what the default is compared with; return title of a table -> titles."""
    tables = {"folds": ["undefended", *targets]}
    targets["undefended"], usual = model, targets[DEFAULT]
    targets["not calibrated"] = bare = copy(usual)
    bare._calibrated = np.asarray
    tables["calibration"] = ["undefended", DEFAULT, "not calibrated"]
    if name in KEPT:
        targets["labels kept"] = kept = copy(usual)
        kept.labels, kept.estimator_ = "kept", model
        (members, y_mem), (others, y_non) = sides
        keyed = {"key": key_from("kept", seed), "random_state": seed}
        for title, target in {"equalized": model, "labels kept, equalized": kept}.items():
            equalized = EqualizedClassifier(target, **keyed)
            targets[title] = equalized.fit(members, others, y_mem=y_mem, y_non=y_non)
        tables["labels"] = [
            "undefended", "equalized", DEFAULT, "labels kept", "labels kept, equalized"
        ]  # fmt: skip
    for width in WIDTHS:
        targets[f"bandwidth={width}"] = one = copy(usual)
        one.bandwidth_ = width
    tables["width"] = [DEFAULT, *(f"bandwidth={width}" for width in WIDTHS)]
    return tables
