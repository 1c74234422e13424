"""The equalized defense beside the others: what each leaves, and what it costs."""

from pathlib import Path

import numpy as np

from examples.studies._data import images, key_from, made_up, open_arrays, tables
from examples.studies.defenses import (
    LONG_ALEXNET,
    draw,
    no_models,
    output_defenses,
    play_all,
)
from sklearn_aeppt import EqualizedClassifier, OutOfFoldClassifier
from sklearn_aeppt.datasets import make_purchase
from sklearn_aeppt.defenses import OutputDefense
from sklearn_aeppt.networks import NetworkClassifier
from sklearn_aeppt.paper._targets import ALEXNET

MEMBERS = {"location30": 1500, "walmart37": 6000}
OTHERS = ("AEPPT, auto", "MemGuard", "rounding, 2 decimals", "top 1", "temperature 5")


class _ConstantClassifier(OutputDefense):
    """Shows the mean non-member's vector of the label: all that a label says, and no more."""

    def __init__(self, estimator, *, member_fraction=0.5, random_state=None):
        self.estimator = estimator
        self.member_fraction = member_fraction
        self.random_state = random_state

    def _fit_defense(self, members, non_members):
        p = non_members.proba.astype(np.float64)
        label = p.argmax(axis=1)
        self.shown_ = np.eye(p.shape[1]) * 0.5 + 0.5 / p.shape[1]  # of labels never answered
        for c in np.unique(label):
            self.shown_[c] = p[label == c].mean(axis=0)

    def _perturb_block(self, proba):
        return self.shown_[proba.argmax(axis=1)].astype(proba.dtype)


def defenses(model, seed):
    """Return name -> unfitted defense of the fitted `model`."""
    others = output_defenses(model, seed)
    equalized = {"key": key_from("equalized", seed), "random_state": seed}
    return {
        **{name: others[name] for name in OTHERS},
        "constant per label": _ConstantClassifier(model),
        "equalized, cost L1": EqualizedClassifier(model, cost="l1", **equalized),
        "equalized, cost log loss": EqualizedClassifier(model, cost="log_loss", **equalized),
        "equalized, delta 0.05": EqualizedClassifier(model, delta=0.05, **equalized),
        "equalized for accuracy": EqualizedClassifier(
            model, constraint="attack_accuracy", **equalized
        ),
        "equalized for accuracy, ordered 0.25": EqualizedClassifier(
            model, constraint="attack_accuracy", rank_weight=0.25, **equalized
        ),
        "equalized for accuracy, cost L1": EqualizedClassifier(
            model, constraint="attack_accuracy", cost="l1", **equalized
        ),
        "equalized, rows within 0.2": EqualizedClassifier(model, pairwise_delta=0.2, **equalized),
        "equalized, template": EqualizedClassifier(model, other_classes="template", **equalized),
    }


def below_the_floor(net):
    """Return name -> unfitted defense that trains models of its own: thirty, too many on images."""
    model = NetworkClassifier(**net)
    return {"out of fold": OutOfFoldClassifier(model, random_state=net["random_state"])}


def run(scale="paper", seed=0, data=None, dataset=None, memory=None):
    """Return a row per defense, data set and seed, by the protocol of `defenses`.

    Data sets: the bit tables and images in `data` (1,500 members of location30, 6,000 of
    walmart37, 3,000 of CIFAR-100: a network trained to the end and one stopped early),
    `make_purchase` (5,000 members) and, as answers without a model, those published with MemGuard
    (1,000 members).
    """
    if scale != "paper":
        X, y = made_up(np.random.default_rng(seed), 400)
        net = {"hidden_layer_sizes": (32,), "lr": 0.01, "max_epochs": 20}
        return play_all(
            [("made-up", seed, *draw(X, y, 200, seed), net, defenses, below_the_floor)], memory
        )
    jobs = []
    pools = {} if data is None else tables(data)
    pictures = None if data is None else images(data)
    published = None if data is None else answers(data)
    for s in range(seed, seed + 3):
        sets = [("make_purchase", *draw(*make_purchase(10_000, random_state=s), 5000, s), {})]
        sets += [
            (name, *draw(X, y, MEMBERS.get(name, 5000), s), {}) for name, (X, y) in pools.items()
        ]
        if pictures is not None:
            sets.append(("cifar100", *draw(*pictures, 3000, s), LONG_ALEXNET))
            early = {**ALEXNET, "max_epochs": 16}
            sets.append(("cifar100-early", *draw(*pictures, 3000, s), early))
        if published is not None:
            sets.append(("published", *published, None))
        sets = [one for one in sets if dataset in (None, one[0])]
        jobs += [
            (name, s, X, y, is_member, net, defenses, no_models if net != {} else below_the_floor)
            for name, X, y, is_member, net in sets
        ]
    if not jobs:
        raise ValueError(f"dataset={dataset!r}: no such set here, or not without data=FOLDER.")
    return play_all(jobs, memory)


def answers(folder):
    """Return (confidences, y, is_member) published with MemGuard; None where they are absent."""
    file = Path(folder) / "memguard_location.npz"
    if not file.exists():
        return None
    with open_arrays(file) as z:
        return z["target_undefended"], z["target_y"], z["target_member"]
