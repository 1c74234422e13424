"""The paper's setting: its target networks, its defender and its adversary, each made once."""

import zipfile
import zlib
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import balanced_accuracy_score, precision_score, recall_score
from sklearn.model_selection import train_test_split

from sklearn_aeppt import AEPPTClassifier
from sklearn_aeppt._precomputed import PrecomputedClassifier
from sklearn_aeppt._records import number_records
from sklearn_aeppt._remember import open_memory, remembered
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.attacks import GradientBoostingAttack, MIMAttack, query
from sklearn_aeppt.datasets import (
    fetch_cifar100,
    fetch_location30,
    fetch_purchase100,
    fetch_texas100,
    make_purchase,
    purchase_classes,
)
from sklearn_aeppt.metrics import label_only_floor, perturbation_size
from sklearn_aeppt.networks import NetworkClassifier

#: The paper's AlexNet for images of 32 by 32.
ALEXNET: dict[str, Any] = {
    "architecture": "alexnet",
    "activation": "relu",
    "lr": 0.001,
    "batch_size": 64,
}

#: Dataset -> members at scale "paper". The paper's columns are the first two; "baskets" are the
#: whole Walmart baskets by Purchase-100's recipe: the 600 most bought products, k-means classes.
MEMBERS = {
    "cifar100": 50_000, "purchase100": 20_000, "make_purchase": 20_000, "baskets": 7_000,
    "location30": 2_500, "texas100": 20_000,
}  # fmt: skip
FETCH = {
    "purchase100": fetch_purchase100, "texas100": fetch_texas100, "location30": fetch_location30,
}  # fmt: skip
SMOKE: dict[str, Any] = {"hidden_layer_sizes": (64,), "lr": 0.01, "max_epochs": 20}


class Game:
    """One target, its answers, its defender and its adversary.

    Parameters
    ----------
    dataset : str
        A key of `MEMBERS`.
    scale : {"smoke", "paper"}
        "smoke" takes 150 members, few classes and a small network.
    seed : int
    data : path-like or None
        ``data_home`` of the fetchers; the folder of ``walmart37.npz``.
    members : int or None
        Members, and at most as many non-members; None as `MEMBERS`.
    n_classes : int or None
        Of baskets; None is 100 ("smoke": 5).
    memory : str, joblib.Memory or None
        Cache of what takes long: the target's answers, the defender, attackers.
    """

    def __init__(
        self, dataset, scale, seed, *, data=None, members=None, n_classes=None, memory=None
    ):
        if dataset not in MEMBERS:
            raise ValueError(f"dataset={dataset!r}: choose from {', '.join(MEMBERS)}.")
        smoke = scale != "paper"
        self.dataset, self.seed, self.smoke = dataset, seed, smoke
        self.max_epochs = 20 if smoke else 100  # of attackers and substitutes
        self.memory = open_memory(memory)
        n = members or (150 if smoke else MEMBERS[dataset])
        n_classes = n_classes or (5 if smoke else 100)
        game = (dataset, n, n_classes, seed, data, smoke)
        checkpoint = checkpoint_of(self.memory, dataset, n, n_classes, seed)
        made = remembered(self.memory, partial(target_answers, *game, checkpoint), game)()
        self.p, self.foreign, self.y, self.is_member = made
        self.model = PrecomputedClassifier(np.arange(self.p.shape[1]))
        self.plain = query(self.model, self.p, self.y)
        self.known, self.scored = train_test_split(
            np.arange(len(self.y)), test_size=0.5, stratify=self.is_member, random_state=seed
        )

    @property
    def target(self):
        """Facts of the target: data, seed, sizes, accuracies and the label-only floor."""
        m, pred = self.is_member, self.p.argmax(axis=1)
        return {
            "data": self.dataset,
            "seed": self.seed,
            "members": int(m.sum()),
            "non-members": int((~m).sum()),
            "train accuracy": float((pred == self.y)[m].mean()),
            "test accuracy": float((pred == self.y)[~m].mean()),
            "label-only floor": label_only_floor(self.y[m], pred[m], self.y[~m], pred[~m]),
        }

    def defend(self, **params):
        """Return AEPPT fitted on all members and non-members, as the paper's defender does."""
        params = {"random_state": self.seed, **params}
        if self.smoke:
            params.setdefault("step_size", 1e-3)
        game = (self.model, self.p, self.y, self.is_member, params)
        return remembered(self.memory, partial(fit_aeppt, *game, self.substitute), game)()

    @cached_property
    def substitute(self):
        """The defender's MIM, one for all steps; it has predicted labels only."""
        mim = MIMAttack("substitute", max_epochs=self.max_epochs, random_state=self.seed)
        view = dict(query(self.model, self.p))
        return FrozenEstimator(self._fit(mim, view, self.is_member))

    def show(self, defense):
        """Return what the adversary sees of a defense."""
        return query(defense, self.p, self.y)

    def attacker(self, view=None, attack=None, known=None):
        """Return an attack, the paper's MIM0 unless given, trained on its half of a view."""
        view = self.plain if view is None else view
        known = self.known if known is None else known
        if attack is None:
            attack = MIMAttack(max_epochs=self.max_epochs, random_state=self.seed + 100)
        rows = {"proba": view["proba"][known], "label": view["label"][known]}
        return self._fit(attack, rows, self.is_member[known])

    def _fit(self, attack, rows, is_member):
        return remembered(self.memory, partial(fit_attack, attack, rows, is_member))()

    def judge(self, attack, view):
        """Return inference accuracy, precision and recall on the other half (the paper's 3.2)."""
        said, truth = attack.predict(view[self.scored]), self.is_member[self.scored]
        return {
            "accuracy": float(balanced_accuracy_score(truth, said)),
            "precision": float(precision_score(truth, said, zero_division=0)),
            "recall": float(recall_score(truth, said)),
        }

    def outcome(self, view):
        """Return the fixed MIM0, who retrains, and the perturbation's size."""
        p, q = self.plain["proba"], view["proba"]
        boosting = GradientBoostingAttack(random_state=self.seed)
        return {
            "fixed MIM0": self.judge(self.attacker(), view)["accuracy"],
            "MIM0 retrained": self.judge(self.attacker(view), view)["accuracy"],
            "boosting retrained": self.judge(self.attacker(view, boosting), view)["accuracy"],
            "labels kept": float((p.argmax(axis=1) == q.argmax(axis=1)).mean()),
            "mean L1": perturbation_size(p, q),
        }


def checkpoint_of(memory, *game):
    """Return the file in which a target's training is kept while it runs, beside the cache."""
    if memory.location is None:
        return None
    return Path(memory.location) / f"{'-'.join(map(str, game))}.pt"


def target_answers(dataset, n, n_classes, seed, data, smoke, checkpoint=None):
    """Return (answers, answers to records of another distribution, y, is_member) of a target."""
    X_mem, y_mem, X_non, y_non = records(dataset, n, n_classes, seed, data)
    X, y = np.concatenate([X_mem, X_non]), np.concatenate([y_mem, y_non])
    is_member = np.arange(len(X)) < len(X_mem)
    first = np.sort(np.unique(number_records(X), return_index=True)[1])
    first = first[np.isin(y[first], y[is_member])]
    X, y, is_member = X[first].astype(np.float32) / max(X.max(), 1), y[first], is_member[first]
    if smoke:
        params = SMOKE
    elif dataset == "cifar100":
        # batches whose products are fast; epochs that end at the paper's training accuracy, 96 %
        params = {**ALEXNET, "batch_size": 256, "max_epochs": 30}
    else:
        params = {}
    net = NetworkClassifier(**params, random_state=seed, checkpoint=checkpoint)
    net.fit(X[is_member], y[is_member])
    strange = another_distribution(X[~is_member], dataset, np.random.default_rng(seed))
    label = np.searchsorted(net.classes_, y)
    return net.predict_proba(X), net.predict_proba(strange), label, is_member


def records(dataset, n, n_classes, seed, data):
    """Return (X_mem, y_mem, X_non, y_non), n members and at most as many non-members."""
    rng = np.random.default_rng(seed)
    if dataset == "cifar100":  # members from the training set, non-members from the test set
        sides = [
            fetch_cifar100(subset=s, data_home=data, return_X_y=True) for s in ("train", "test")
        ]
        drawn = [rng.permutation(len(y))[:n] for _, y in sides]
        return tuple(a[r] for side, r in zip(sides, drawn) for a in side)
    if dataset == "make_purchase":
        X, y = make_purchase(2 * n, n_classes=n_classes, random_state=seed)
    elif dataset == "baskets":
        X = walmart_baskets(data)
        X = X[rng.permutation(len(X))[: 2 * n]]
        y = purchase_classes(X, n_classes, random_state=seed)
    else:
        X, y = FETCH[dataset](data_home=data, return_X_y=True)
    rows = rng.permutation(len(X))[: 2 * n]
    half = min(n, len(rows) // 2)
    return X[rows[:half]], y[rows[:half]], X[rows[half:]], y[rows[half:]]


@contextmanager
def open_arrays(file):
    """Open an ``.npz`` file; what is wrong with it is said by its name."""
    broken = (LookupError, TypeError, ValueError, EOFError, zlib.error, zipfile.BadZipFile)
    try:
        with Path(file).open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            yield arrays
    except broken as error:
        raise ValueError(
            f"{file} is damaged or not the expected file ({error}): unpack or download it again."
        ) from error


def walmart_baskets(folder, n_products=600):
    """Return distinct whole baskets over the most bought products, (n, n_products) uint8."""
    if folder is None or not (Path(folder) / "walmart37.npz").exists():
        raise ValueError(f"data={folder}: dataset='baskets' needs walmart37.npz in that folder.")
    with open_arrays(Path(folder) / "walmart37.npz") as z:
        indptr, indices = z["indptr"], z["indices"]
    baskets = sparse.csr_array((np.ones(len(indices), np.uint8), indices, indptr))
    bought = np.asarray(baskets.sum(axis=0)).ravel()
    X = baskets[:, np.argsort(-bought, kind="stable")[:n_products]].toarray()
    X = X[X.any(axis=1)]
    return X[np.sort(np.unique(number_records(X), return_index=True)[1])]


def another_distribution(X, dataset, rng):
    """Return records unlike X: images in negative, tables with each column shuffled by itself."""
    if dataset == "cifar100":
        return 1 - X
    return rng.permuted(X, axis=0)


def fit_aeppt(model, p, y, is_member, params, substitute):
    """Return AEPPT fitted on answers; the unit of the cache."""
    defense = AEPPTClassifier(model, substitute=substitute, **params)
    return defense.fit(p, y, is_member=is_member)


def fit_attack(attack, rows, is_member):
    """Return a fitted attack; the unit of the cache."""
    return clone(attack).fit(slice_dict(**rows), is_member)
