"""The out-of-fold defense beside the others: attackers below the label-only floor, and utility."""

from functools import partial
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from tqdm.auto import tqdm

from examples.studies._data import images, key_from, overfit_network, short_texts, tables
from examples.studies.defenses import usefulness
from examples.studies.equalized import _ConstantClassifier
from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier, OutOfFoldClassifier
from sklearn_aeppt._remember import open_memory, remembered
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.attacks import BitFlips, GradientBoostingAttack, VariantsAttack
from sklearn_aeppt.datasets import make_purchase
from sklearn_aeppt.metrics import label_only_floor
from sklearn_aeppt.networks import NetworkClassifier
from sklearn_aeppt.paper._experiments import summary
from sklearn_aeppt.paper._targets import ALEXNET

N = 1500  # members, others that defenses learn from, and new records, each
N_IMAGES = 3000  # for the convolutional network, which a tenth of these would teach nothing
N_EACH = 20  # texts of each of 150 classes among members, others and new records
BITS = ("location30", "walmart37", "make_purchase", "short texts")
#: Name -> what trains on the table "five classes" of twenty features, five of them noise.
ON_TABLES = {
    "forest": RandomForestClassifier(200),
    "forest, out of bag": RandomForestClassifier(1000),
    "boosting": HistGradientBoostingClassifier(max_iter=100),
}
SIZES, EACH = (1, 2, 4, 8, 12, 16), 3  # of the ordinary variants of bits
SCALES, EACH_SCALE = (0.05, 0.1, 0.2, 0.4, 0.8, 1.2), 3  # and of numbers, in deviations
N_HOSTILE = 12  # variants of each hostile kind


def run(scale="paper", seed=0, data=None, dataset=None, memory=None):
    """Return rows per model, defense and seed: attackers' accuracies and AUC, and utility.

    Thirds: members, others that the equalized defense learns from, records new to everybody. The
    attackers are boosting, cross-fitted on what members and new records are told: one answer;
    answers to 18 variants; their labels alone; how far and where they jump; all of these at once;
    and all of these at hostile variants, which move what the model hardly uses, or far. Utility is
    that on the new records.
    """
    smoke = scale != "paper"
    bits = [] if data is None else [name for name in tables(data) if name in BITS]
    pictures = [] if data is None or images(data) is None else ["cifar100"]
    quiet = ["logistic regression", "regularized network"]
    names = [*bits, "make_purchase", *ON_TABLES, *quiet, *pictures]
    names = chosen(names, smoke, dataset)
    seeds = range(seed, seed + (1 if smoke else 3))
    memory = open_memory(memory)
    jobs = [(name, s, data, smoke) for s in seeds for name in names]
    played = Parallel(n_jobs=1, return_as="generator")(
        delayed(remembered(memory, partial(play, *job)))() for job in jobs
    )
    rows = [row for part in tqdm(played, desc="out of fold", total=len(jobs)) for row in part]
    return {"runs": rows, "mean and standard deviation over seeds": summary(rows)}


def chosen(names, smoke, dataset):
    """Return the targets to run: all, the one asked for, or the one of a smoke run."""
    if smoke:
        return ["forest, out of bag"]
    if dataset not in (None, *names):
        raise ValueError(f"dataset={dataset!r}: choose from {', '.join(names)}.")
    return names if dataset is None else [dataset]


def defense_of(name, model, seed):
    """Return the unfitted out-of-fold defense of a target."""
    cv = "oob" if name == "forest, out of bag" else 3
    return OutOfFoldClassifier(model, cv=cv, random_state=seed)


def records(name, seed, data, n):
    """Return (unfitted model, X, y) of 3 n records at most."""
    rng = np.random.default_rng(seed)
    if name == "short texts":
        return overfit_network(seed), *short_texts(rng, 3 * N_EACH)
    if name == "make_purchase":
        X, y = make_purchase(3 * n, random_state=seed)
        model = overfit_network(seed)
    elif name in BITS:
        X, y = tables(Path(data))[name]
        model = overfit_network(seed)
    elif name == "cifar100":
        X, y = images(data)
        X, n = X / np.float32(255), N_IMAGES
        model = NetworkClassifier(**{**ALEXNET, "max_epochs": 30}, random_state=seed)
    else:
        X, y = make_classification(
            3 * n, 20, n_informative=12, n_redundant=3, n_classes=5, flip_y=0.05,
            shuffle=False, random_state=seed,
        )  # fmt: skip
        model = {
            **ON_TABLES,
            "logistic regression": LogisticRegression(max_iter=1000),
            "regularized network": overfit_network(seed).set_params(alpha=10.0),
        }[name]
        model = clone(model)  # results are remembered by what these were before they were fitted
        if "random_state" in model.get_params():
            model.set_params(random_state=seed)
    rows = rng.permutation(len(X))[: 3 * n]
    return model, np.asarray(X[rows], dtype=np.float32), y[rows]


def shown_by(name, model, sides, seed):
    """Return title -> fitted classifier."""
    (members, y_mem), (others, y_non) = sides
    model.fit(members, y_mem)
    both = {"y_mem": y_mem, "y_non": y_non}
    keyed = {"key": key_from("oof", seed), "random_state": seed}
    return {
        "undefended": model,
        "AEPPT": AEPPTClassifier(model, **keyed).fit(members, others, **both),
        "equalized": EqualizedClassifier(model, **keyed).fit(members, others, **both),
        "constant per label": _ConstantClassifier(model).fit(members, others),
        "out of fold": defense_of(name, model, seed).fit(members, y_mem),
    }


def play(name, seed, data, smoke):
    """Return the rows of one model and seed."""
    n = 150 if smoke else N
    model, X, y = records(name, seed, data, n)
    n = len(X) // 3
    sides = [(X[:n], y[:n]), (X[n : 2 * n], y[n : 2 * n])]
    targets = shown_by(name, model, sides, seed)
    asked, label, is_member = scored(model, X, y, n)
    kinds = variations(name, model, X[:n], seed)

    def tell(X):
        return {title: target.predict_proba(X) for title, target in targets.items()}

    rows = []
    for title, (own, answers) in told(tell, asked, kinds, seed).items():
        rows.append({"data": f"{name}: {title}", "seed": seed})
        rows[-1] |= judged(own, answers, label, is_member, seed)
    return rows


def scored(model, X, y, n):
    """Return records, indices of labels and membership of the first and of the last n records.

    Less the records of classes that the model does not know.
    """
    rows = np.flatnonzero(np.isin(y, model.classes_))
    rows = rows[(rows < n) | (rows >= len(X) - n)]
    return X[rows], np.searchsorted(model.classes_, y[rows]).astype(np.int64), rows < n


def told(tell, asked, kinds, seed):
    """Return title -> (answers to the records, kind -> those to the records and their variants).

    `tell` returns title -> answers to some records.
    """
    rng = np.random.RandomState(seed)
    own = tell(asked)
    found = {title: (proba, {}) for title, proba in own.items()}
    for kind, varies in kinds.items():
        said = {title: [proba.astype(np.float32)] for title, proba in own.items()}
        for vary in varies:
            for title, proba in tell(vary(asked, rng).astype(np.float32)).items():
                said[title].append(proba.astype(np.float32))
        for title, repeats in said.items():
            found[title][1][kind] = np.stack(repeats, axis=1)
    return found


def judged(own, answers, label, is_member, seed):
    """Return what a target's answers tell attackers, and what they are worth on new records."""
    view = slice_dict(proba=own.astype(np.float32), label=label)
    right = own.argmax(axis=1) == label
    floor = label_only_floor(
        label[is_member], own[is_member].argmax(1), label[~is_member], own[~is_member].argmax(1)
    )
    found = {
        "train accuracy": float(right[is_member].mean()),
        "accuracy on new records": float(right[~is_member].mean()),
        "label-only floor": float(floor),
        **usefulness(view, ~is_member),
    }
    for kind, repeats in answers.items():
        features = features_of(view, repeats, label)
        if kind != "variants":
            features = {kind: features["all"]}
        for attacker, columns in features.items():
            accuracy, auc = attacked(columns, is_member, seed)
            found |= {attacker: accuracy, f"{attacker}, AUC": auc}
    attackers = [key.removesuffix(", AUC") for key in found if key.endswith(", AUC")]
    ordinary = ("one answer", "variants", "labels of variants", "jumps", "all")
    found["strongest"] = max(found[key] for key in attackers if key in ordinary)
    found["strongest, hostile"] = max(found[key] for key in attackers if key not in ordinary)
    return found


def features_of(view, repeats, label):
    """Return attacker -> the columns that it learns from."""
    counted = np.tile((np.arange(repeats.shape[1]) > 0).astype(np.int8), (len(label), 1))
    counted *= 1 + (np.arange(repeats.shape[1]) - 1) // EACH
    asked = slice_dict(proba=view["proba"], label=label, repeats=repeats, rung=counted)
    n = repeats.shape[1]
    one = GradientBoostingAttack()._see(view, reset=True)
    variants = VariantsAttack(n)._see(asked, reset=True)
    labels = VariantsAttack(n, labels_only=True)._see(asked, reset=True)
    away = np.abs(repeats[:, 1:] - repeats[:, :1])
    apart = np.abs(np.diff(repeats, axis=1))
    jumps = np.column_stack(
        [
            away.max(axis=2),
            np.sort(away.sum(axis=2), axis=1),
            np.sort(apart.sum(axis=2), axis=1),
            np.take_along_axis(repeats, label[:, None, None], axis=2)[:, :, 0].std(axis=1),
        ]
    )
    every = np.column_stack([variants, jumps, labels])
    return {
        "one answer": one,
        "variants": variants,
        "labels of variants": labels,
        "jumps": jumps,
        "all": every,
    }


def attacked(columns, is_member, seed):
    """Return accuracy and AUC of boosting, trained on one half and scored on the other, twice."""
    learner = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=100, max_bins=63, max_leaf_nodes=15, random_state=seed
    )
    folds = StratifiedKFold(2, shuffle=True, random_state=seed)
    score = cross_val_predict(learner, columns, is_member, cv=folds, method="decision_function")
    accuracy = balanced_accuracy_score(is_member, score > 0)
    return float(accuracy), float(roc_auc_score(is_member, score))


def variations(name, model, X, seed):
    """Return kind -> functions that make a variant of every record."""
    if name == "cifar100":
        sizes = [
            (1, False, 0),
            (2, False, 0),
            (4, False, 0),
            (1, True, 0),
            (0, 0, 0.02),
            (0, 0, 0.1),
        ]
        return {
            "variants": [partial(move_image, *size) for size in sizes for _ in range(EACH)],
            "noise of half the range": [partial(move_image, 0, False, 0.5)] * N_HOSTILE,
            "stretched out of range": [partial(stretch, 4.0)] * N_HOSTILE,
        }
    use = use_of_features(model, X, name in BITS, seed)
    if name in BITS:
        least = np.argsort(use)[:100]
        return {
            "variants": [BitFlips(n_flips=k) for k in SIZES for _ in range(EACH)],
            "40 bits": [BitFlips(n_flips=40)] * N_HOSTILE,
            "40 bits, least used": [partial(flip_some, least, 40)] * N_HOSTILE,
        }
    std = X.std(axis=0)
    unused = np.argsort(use)[:5]
    alone = [partial(move, std, [unused[i % 5]], 8.0) for i in range(N_HOSTILE - 2)]
    return {
        "variants": [partial(blur, scale * std) for scale in SCALES for _ in range(EACH_SCALE)],
        "unused by 8": [*alone, *[partial(move, std, unused, 8.0)] * 2],
        "each by 1.5": [partial(move, std, np.arange(X.shape[1]), 1.5)] * N_HOSTILE,
    }


def use_of_features(model, X, binary, seed):
    """Return how much each feature moves the answers: flipped, or moved by a deviation."""
    rng = np.random.RandomState(seed)
    X = X[rng.permutation(len(X))[:100]]
    before, std = model.predict_proba(X), X.std(axis=0)
    use = np.empty(X.shape[1])
    for i in range(X.shape[1]):
        moved = X.copy()
        moved[:, i] = 1 - X[:, i] if binary else X[:, i] + std[i]
        use[i] = np.abs(model.predict_proba(moved) - before).sum(axis=1).mean()
    return use


def blur(scale, X, rng):
    return X + scale * rng.standard_normal(X.shape)


def move(std, columns, deviations, X, rng):
    moved = X.copy()
    sign = rng.choice([-1, 1], size=(len(X), len(columns)))
    moved[:, columns] += deviations * sign * std[columns]
    return moved


def move_image(pixels, mirrored, noise, X, rng):
    images = X.reshape(-1, 32, 32, 3)
    padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)), mode="edge")
    moved = np.empty_like(images)
    for i, (down, right) in enumerate(rng.randint(0, 2 * pixels + 1, (len(X), 2))):
        moved[i] = padded[i, down : down + 32, right : right + 32]
    moved = moved[:, :, ::-1] if mirrored else moved
    return moved.reshape(X.shape) + noise * rng.standard_normal(X.shape)


def stretch(most, X, rng):
    factor = rng.uniform(1, most, (len(X), 1))
    return 0.5 + factor * (X - 0.5)


def flip_some(columns, n_flips, X, rng):
    moved = X.copy()
    moved[:, columns] = BitFlips(n_flips=n_flips)(X[:, columns], rng)
    return moved
