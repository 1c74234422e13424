"""The equalized defense against variants, counts of equal outputs, and several keys."""

from copy import copy
from pathlib import Path

import numpy as np
from joblib import Memory, Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from skorch.helper import SliceDict
from tqdm.auto import tqdm

from examples.studies._data import overfit_network, tables
from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.attacks import BitFlips, CollisionAttack, GaussianNoise, VariantsAttack
from sklearn_aeppt.paper._experiments import summary

VARIANTS: dict = {
    "default": {},
    "cost L1": {"cost": "l1"},
    "ranking": {"other_classes": "ranking"},
    "rescaled": {"other_classes": "rescaled"},
    "template": {"other_classes": "template"},
    "attack accuracy, rank 0.25": {"constraint": "attack_accuracy", "rank_weight": 0.25},
    "rows within 0.2": {"pairwise_delta": 0.2},
    "rows equal, template": {"pairwise_delta": 0.0, "other_classes": "template"},
}
MODELS = {
    "extra trees": ExtraTreesClassifier(100),
    "forest": RandomForestClassifier(100),
    "forest, no bootstrap": RandomForestClassifier(100, bootstrap=False),
    "boosting, 400 rounds": HistGradientBoostingClassifier(max_iter=400),
    "neighbors, by distance": KNeighborsClassifier(weights="distance"),
}
NOISES = {f"noise {scale:g}": GaussianNoise(scale) for scale in (1e-7, 1e-6, 1e-4, 1e-2)}
FLIPS = {f"{n} bit{'s' * (n > 1)} flipped": BitFlips(n_flips=n) for n in (1, 2)}
KEYS = "other keys"
N_FITTED, N_SCORED = 1500, 500  # of members and of others; the others that are scored are new


def run(scale="paper", seed=0, data=None, memory=None):
    """Return the AUC of attackers who ask cleverly, beside that of labels of the same queries.

    Boosting, cross-fitted on defended outputs: one output (with counts of equal outputs), or the
    outputs for 2, 32 and 257 variants of the record, or of 2 to 16 deployments with other keys.
    """
    smoke = scale != "paper"
    seeds = range(seed, seed + (1 if smoke else 3))
    bits = [] if data is None else sorted(tables(data))
    names = ["neighbors, by distance"] if smoke else [*bits, *MODELS]
    jobs = []
    for name in names:
        kinds = [KEYS, *NOISES, *(FLIPS if name in bits else ())]
        kinds = [KEYS, "noise 0.01"] if smoke else kinds
        jobs += [(name, s, kind, data, smoke) for s in seeds for kind in kinds]
    memory = memory if memory is not None else Memory(None)
    played = Parallel(n_jobs=-1, return_as="generator")(
        delayed(memory.cache(play))(*job) for job in jobs
    )
    rows = [row for part in tqdm(played, desc="oracles", total=len(jobs)) for row in part]
    return {
        "runs": rows,
        "largest excess over labels, mean over seeds": excess(rows),
        "mean and standard deviation over seeds": summary(rows),
    }


def excess(rows):
    """Return by how much each variant's AUC is above that of labels, for each kind of question.

    The mean over seeds, and of the numbers of queries the largest.
    """
    found: dict = {}
    for row in rows:
        found.setdefault(row["data"], []).append(row)
    largest: dict = {}
    for data, runs in found.items():
        model, _, question = data.partition(": ")
        kind = question.partition(" queries, ")[2] or question
        out = largest.setdefault((model, kind), {"data": f"{model}: {kind}"})
        for variant in ("undefended", *VARIANTS):
            above = float(np.mean([run[variant] - run["labels"] for run in runs]))
            out[variant] = max(out.get(variant, -1.0), above)
    return list(largest.values())


def play(name, seed, kind, data, smoke):
    """Return the rows of one model, seed and kind of variants."""
    model, sides, scored, label, is_member = target(name, seed, data, smoke)
    counts = (2, 4, 8, 16) if kind == KEYS else (2, 32, 257)
    counts = counts[:2] if smoke else counts
    shown = {"undefended": model, **defended(model, sides, seed)}
    rekey(shown.values(), seed, key=0)
    views = {key: [] for key in shown}
    rng = np.random.RandomState(seed)
    augment = {**NOISES, **FLIPS}.get(kind)
    for i in range(max(counts)):
        if augment is None and i > 0:
            rekey(shown.values(), seed, key=i)
        asked = scored if i == 0 or augment is None else augment(scored, rng)
        asked = np.asarray(asked, dtype=np.float32)
        for key, one in shown.items():
            views[key].append(one.predict_proba(asked).astype(np.float32))
    rung = np.tile((np.arange(max(counts)) > 0).astype(np.int8), (len(label), 1))
    views = {
        key: SliceDict(proba=p[0], label=label, repeats=np.stack(p, axis=1), rung=rung)
        for key, p in views.items()
    }
    folds = StratifiedKFold(2, shuffle=True, random_state=seed)

    def auc(attack, view):
        if isinstance(attack, VariantsAttack):  # its features once, not for each fold
            view, attack = attack._see(view, reset=True), attack._learner(len(is_member))
        score = cross_val_predict(attack, view, is_member, cv=folds, method="decision_function")
        return float(roc_auc_score(is_member, score))

    rows = []
    if kind == KEYS:
        row = {"data": f"{name}: one output", "seed": seed}
        row["labels"] = auc(VariantsAttack(1, labels_only=True, random_state=0), views["default"])
        row |= {key: auc(CollisionAttack(random_state=0), view) for key, view in views.items()}
        rows.append(row)
    for n in counts:
        attack = VariantsAttack(n, random_state=0)
        row = {"data": f"{name}: {n} queries, {kind}", "seed": seed}
        row["labels"] = auc(clone(attack).set_params(labels_only=True), views["default"])
        rows.append(row | {key: auc(attack, view) for key, view in views.items()})
    return rows


def defended(model, sides, seed):
    """Return name -> fitted defense."""
    (members, y_mem), (others, y_non) = sides
    return {
        name: EqualizedClassifier(model, random_state=seed, **params).fit(
            members, others, y_mem=y_mem, y_non=y_non
        )
        for name, params in VARIANTS.items()
    }


def rekey(targets, seed, key):
    """Give all defenses the field of one key, as a fit with that key does; maps stay as they are.

    One field for all of them, since they were fitted on the same records: so it is asked once.
    """
    twins = [one._fitted_twin for one in targets if isinstance(one, EqualizedClassifier)]
    field = copy(getattr(twins[0]._field, "function", twins[0]._field))
    field.key = f"oracles, seed {seed}, key {key}".encode()
    field = Remembered(field.fit(twins[0].estimator_, *twins[0].estimator_.fitted))
    grid = twins[0]._grid
    grid.nearest = Remembered(getattr(grid.nearest, "function", grid.nearest))
    for twin in twins:
        twin._field, twin._grid = field, grid


class Remembered:
    """A function that is computed once for all who ask about one of the last two arrays."""

    def __init__(self, function):
        self.function, self.last = function, []

    def __call__(self, *args):
        """Return what the function says of the last argument."""
        for asked, said in self.last:
            if asked is args[-1]:
                return said
        self.last = [*self.last[-1:], (args[-1], self.function(*args))]
        return self.last[-1][1]


class Model:
    """A fitted model that predicts once for all who ask the same array."""

    def __init__(self, model, fitted):
        self.classes_, self.fitted = model.classes_, fitted
        self.predict_proba = Remembered(model.predict_proba)


def target(name, seed, data, smoke):
    """Return (model, fitted sides, scored records, their class indices, their membership)."""
    rng = np.random.default_rng(seed)
    n, n_scored = (300, 150) if smoke else (N_FITTED, N_SCORED)
    if name in MODELS:
        X, y = make_classification(
            3 * n, 20, n_informative=10, n_classes=5, flip_y=0.05, random_state=seed
        )
        model = MODELS[name]
        if "random_state" in model.get_params():
            model = clone(model).set_params(random_state=seed)
    else:
        X, y = tables(Path(data))[name]
        model = overfit_network(seed)
    rows = rng.permutation(len(X))[: 3 * n]
    X, y = X[rows].astype(np.float32), y[rows]
    model.fit(X[:n], y[:n])
    known = np.isin(y, model.classes_)
    part = [np.flatnonzero(known & (np.arange(3 * n) // n == i)) for i in range(3)]
    scored = np.concatenate([part[0][:n_scored], part[2][:n_scored]])
    sides = [(X[rows], y[rows]) for rows in part[:2]]
    label = np.searchsorted(model.classes_, y[scored]).astype(np.int64)
    return Model(model, [X for X, _ in sides]), sides, X[scored], label, np.isin(scored, part[0])
