"""AEPPT in rounds: each substitute learns from the answers that the rounds before it defend."""

import numpy as np

from examples.studies._data import key_from, made_up, tables
from examples.studies.defenses import draw, no_models, play_all
from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier
from sklearn_aeppt._precomputed import PrecomputedClassifier
from sklearn_aeppt.defenses._base import OutputDefense


class _RoundsClassifier(OutputDefense):
    """AEPPT over AEPPT, `n_rounds` times."""

    def __init__(self, estimator, *, n_rounds=2, member_fraction=0.5, random_state=None):
        self.estimator = estimator
        self.n_rounds = n_rounds
        self.member_fraction = member_fraction
        self.random_state = random_state

    def _fit_defense(self, members, non_members):
        p = np.concatenate([members.proba, non_members.proba])
        y = np.concatenate([members.label, non_members.label])
        is_member = np.arange(len(p)) < len(members.proba)
        self.rounds_ = []
        for i in range(self.n_rounds):
            one = AEPPTClassifier(PrecomputedClassifier(np.arange(p.shape[1])), random_state=i)
            p = one.fit(p, y, is_member=is_member).perturb(p)
            self.rounds_.append(one)

    def _perturb_block(self, proba):
        for one in self.rounds_:
            proba = one.perturb(proba)
        return proba


def run(scale="paper", seed=0, data=None, memory=None):
    """Return a row per number of rounds and seed, by the protocol of `defenses`.

    The paper's network on 1,500 members of location30 (made-up records without `data`).
    """
    smoke = scale != "paper"
    n, net = (
        (150, {"hidden_layer_sizes": (32,), "lr": 0.01, "max_epochs": 20}) if smoke else (1500, {})
    )
    name, jobs = "made-up" if data is None else "location30", []
    for s in range(seed, seed + (1 if smoke else 3)):
        X, y = made_up(np.random.default_rng(s), 2 * n) if data is None else tables(data)[name]
        jobs.append((name, s, *draw(X, y, n, s), net, in_rounds, no_models))
    return play_all(jobs, memory)


def in_rounds(model, seed):
    """Return name -> unfitted defense."""
    return {
        **{
            f"AEPPT, {n} round{'s' if n > 1 else ''}": _RoundsClassifier(
                model, n_rounds=n, random_state=seed
            )
            for n in (1, 2, 4, 8)
        },
        "equalized": EqualizedClassifier(model, key=key_from("rounds", seed), random_state=seed),
    }
