"""Defended answers beside training with differential privacy (Opacus), which is another promise."""

import warnings

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from examples.studies._data import games, key_from
from examples.studies.defenses import retrained, usefulness
from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier
from sklearn_aeppt._nets._target_networks import FullyConnected
from sklearn_aeppt.attacks import query
from sklearn_aeppt.metrics import label_only_floor
from sklearn_aeppt.paper._experiments import summary

DELTA = 1e-5
EPSILONS = (1.0, 8.0, 64.0)


class PrivateNetwork(ClassifierMixin, BaseEstimator):
    """One hidden layer of 128 units, trained by Opacus's DP-SGD until `epsilon` is spent."""

    def __init__(self, epsilon, max_epochs=30, batch_size=256, lr=0.01, random_state=0):
        self.epsilon = epsilon
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state

    def fit(self, X, y):
        """Train; the noise is drawn from a generator of its own."""
        from opacus import PrivacyEngine

        self.classes_, index = np.unique(y, return_inverse=True)
        seed = self.random_state
        net = FullyConnected(X.shape[1], len(self.classes_), (128,), "tanh", 0.0, seed)
        draws = torch.Generator().manual_seed(seed)
        records = TensorDataset(torch.tensor(X, dtype=torch.float32), torch.tensor(index))
        with warnings.catch_warnings():
            # seeded noise, which suits an experiment; a logarithm of zero in the accountant
            warnings.simplefilter("ignore")
            engine = PrivacyEngine()
            private, optimizer, batches = engine.make_private_with_epsilon(
                module=net,
                optimizer=torch.optim.Adam(net.parameters(), lr=self.lr),
                data_loader=DataLoader(records, self.batch_size, generator=draws),
                epochs=self.max_epochs,
                target_epsilon=self.epsilon,
                target_delta=DELTA,
                max_grad_norm=1.0,
                noise_generator=draws,
            )
            for _ in range(self.max_epochs):
                for rows, labels in batches:
                    optimizer.zero_grad()
                    cross_entropy(private(rows), labels).backward()
                    optimizer.step()
            self.epsilon_ = engine.get_epsilon(DELTA)
        self.module_ = net.eval()
        return self

    def predict_proba(self, X):
        """Return the confidences, ndarray of shape (n, K)."""
        with torch.inference_mode():
            return torch.softmax(self.module_(torch.tensor(X)).double(), dim=1).numpy()

    def predict(self, X):
        """Return the most likely class of each record."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def run(scale="paper", seed=0, data=None):
    """Return a row per model, data set and seed.

    Defenses are fitted on the members and on half of the non-members; attackers know half of the
    members and of the *other* non-members, train on what is shown of them and are scored on the
    rest. Labels included, a model trained with differential privacy leaks at most what its
    epsilon allows; a defense of the answers leaves the labels as they are.
    """
    rows = []
    for name, s, model, X, y, is_member in games(scale, seed, data, n_max=2500):
        others = np.flatnonzero(~is_member)
        seen, unseen = train_test_split(others, test_size=0.5, random_state=s)
        fitted, judged = (np.r_[np.flatnonzero(is_member), half] for half in (seen, unseen))
        keyed = {"key": key_from("dp", s), "random_state": s}
        shown = {
            "undefended network": model,
            "AEPPT": AEPPTClassifier(model, **keyed),
            "equalized": EqualizedClassifier(model, **keyed),
        }
        for defense in list(shown.values())[1:]:
            defense.fit(X[fitted], y[fitted], is_member=is_member[fitted])
        for epsilon in EPSILONS if scale == "paper" else EPSILONS[-1:]:
            private = PrivateNetwork(epsilon, random_state=s)
            shown[f"DP-SGD, epsilon {epsilon:g}"] = private.fit(X[is_member], y[is_member])
        for title, target in shown.items():
            rows.append(
                {
                    "data": f"{name}: {title}",
                    "seed": s,
                    **judge(target, X[judged], y[judged], is_member[judged], s),
                }
            )
    return {"runs": rows, "mean and standard deviation over seeds": summary(rows)}


def judge(target, X, y, is_member, seed):
    """Return the figures of one model."""
    view, pred = query(target, X, y), target.predict(X)
    known, scored = train_test_split(
        np.arange(len(y)), test_size=0.5, stratify=is_member, random_state=seed
    )
    strongest = max(
        balanced_accuracy_score(
            is_member[scored], attack.fit(view[known], is_member[known]).predict(view[scored])
        )
        for attack in retrained(seed).values()
    )
    right = pred == y
    floor = label_only_floor(y[is_member], pred[is_member], y[~is_member], pred[~is_member])
    advantage = 1.0  # of an attacker who knows all but the membership (Kairouz et al. 2015)
    if epsilon := getattr(target, "epsilon_", None):
        advantage = min(1.0, (np.expm1(epsilon) + 2 * DELTA) / (np.exp(epsilon) + 1))
    return {
        "bound on any attack": 0.5 + advantage / 2,
        "train accuracy": float(right[is_member].mean()),
        "test accuracy": float(right[~is_member].mean()),
        "label-only floor": floor,
        "strongest retrained": float(strongest),
        "excess over the floor": float(strongest - floor),
        **usefulness(view, ~is_member),
    }
