"""Attackers who know how hard each record is, and defend their shadow models likewise."""

import warnings
from functools import partial

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from tqdm.auto import tqdm

from examples.studies._data import key_from, made_up, tables
from examples.studies.defenses import draw, usefulness
from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier
from sklearn_aeppt._remember import open_memory, remembered
from sklearn_aeppt.attacks import LiRAAttack, MIMAttack, RMIAAttack, query
from sklearn_aeppt.defenses import OutputDefense
from sklearn_aeppt.metrics import perturbation_size, tpr_at_fpr
from sklearn_aeppt.paper._experiments import summary

ATTACKS: dict = {"LiRA": LiRAAttack, "RMIA": RMIAAttack}


class Remembered(ClassifierMixin, BaseEstimator):
    """An overfit dense network that is trained once on the same records, whoever wraps it."""

    def __init__(self, folder, max_iter=60):
        self.folder = folder
        self.max_iter = max_iter

    def fit(self, X, y):
        """Train, or find what was trained before."""
        self.model_ = remembered(open_memory(self.folder), partial(_train, X, y, self.max_iter))()
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        """Return the network's answers."""
        return self.model_.predict_proba(X)

    def predict(self, X):
        """Return the network's labels."""
        return self.model_.predict(X)


def _train(X, y, max_iter):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # overfit is what is wanted
        return MLPClassifier((128,), alpha=0, max_iter=max_iter, random_state=0).fit(X, y)


class LabelOnly(OutputDefense):
    """Shows the label, always as sure: what an attacker then knows is the floor."""

    def __init__(self, estimator, *, member_fraction=0.5, random_state=None):
        self.estimator = estimator
        self.member_fraction = member_fraction
        self.random_state = random_state

    def _perturb_block(self, proba):
        n_classes = proba.shape[1]
        shown = np.full_like(proba, 0.1 / n_classes)
        shown[np.arange(len(proba)), proba.argmax(axis=1)] += 0.9
        return shown


KEYED = {"key": key_from("records"), "random_state": 0}
DEFENSES = {
    "labels only": LabelOnly,
    "none": None,
    "AEPPT, step 1e-4": partial(
        AEPPTClassifier,
        step_size=1e-4,
        substitute=MIMAttack("substitute", max_epochs=30),
        **KEYED,
    ),
    "equalized, cost L1": partial(EqualizedClassifier, cost="l1", **KEYED),
    "equalized, cost log loss": partial(EqualizedClassifier, **KEYED),
    "the same, rows within 0.5": partial(EqualizedClassifier, pairwise_delta=0.5, **KEYED),
    "the same, rows within 0.2": partial(EqualizedClassifier, pairwise_delta=0.2, **KEYED),
    "the same, rows within 0.05": partial(EqualizedClassifier, pairwise_delta=0.05, **KEYED),
    "equalized for accuracy": partial(EqualizedClassifier, constraint="attack_accuracy", **KEYED),
}


def run(scale="paper", seed=0, data=None, memory=None):
    """Return LiRA's and RMIA's success on each defense, 32 shadow models with the same defense.

    2,000 members and 2,000 others of each data set, two seeds ("smoke": 200 made up); the adversary
    knows the membership of half of them and is scored on the rest. "excess" is above
    the better of the two attacks on labels alone. Log loss, calibration error and the AUC of
    confidence for right answers are those of the non-members.
    """
    smoke = scale != "paper"
    n, n_shadow_models = (200, 4) if smoke else (2000, 32)
    memory = open_memory(memory)
    jobs = []
    for s in range(seed, seed + (1 if smoke else 2)):
        if data is None:
            pools = {"made-up": made_up(np.random.default_rng(s), 2 * n)}
        else:
            pools = tables(data)
        for name, (X, y) in pools.items():
            sides = draw(X, y, n, s)
            jobs += [
                (name, s, *sides, title, n_shadow_models, memory.location) for title in DEFENSES
            ]
    played = Parallel(n_jobs=-1, return_as="generator")(
        delayed(remembered(memory, partial(play, *job)))() for job in jobs
    )
    rows = list(tqdm(played, desc="defenses", total=len(jobs)))
    for name, s in {(row["data"].split(":")[0], row["seed"]) for row in rows}:
        mine = [r for r in rows if r["data"].startswith(f"{name}:") and r["seed"] == s]
        floor = max(next(r for r in mine if "labels only" in r["data"])[a] for a in ATTACKS)
        for row in mine:
            row["excess"] = max(row[a] for a in ATTACKS) - floor
    return {"runs": rows, "mean and standard deviation over seeds": summary(rows)}


def play(name, s, X, y, is_member, title, n_shadow_models, folder):
    """Return the row of one data set, seed and defense."""
    template = Remembered(folder)
    model = clone(template).fit(X[is_member], y[is_member])
    target, plain = model, query(model, X, y)
    if DEFENSES[title] is not None:
        template = DEFENSES[title](template)
        target = DEFENSES[title](model).fit(X, y, is_member=is_member)
    view = query(target, X, y)
    known, scored = train_test_split(
        np.arange(len(X)), test_size=0.5, stratify=is_member, random_state=s
    )
    row = {"data": f"{name}: {title}", "seed": s}
    for attack, kind in ATTACKS.items():
        # the same shadow models for both
        fitted = kind(template, n_shadow_models=n_shadow_models, random_state=s, memory=folder)
        fitted.fit(view[known], is_member[known])
        score = fitted.decision_function(view[scored])
        row[attack] = float(balanced_accuracy_score(is_member[scored], score >= 0))
        row[f"{attack}, TPR at 1 % FPR"] = tpr_at_fpr(is_member[scored], score, fpr=0.01)
    return {
        **row,
        "excess": np.nan,
        "mean L1": perturbation_size(plain["proba"], view["proba"]),
        **usefulness(view, ~is_member),
    }
