"""The main job on real records: a fixed attacker before and after, and one who retrains."""

import numpy as np

from examples.studies._data import games, key_from
from sklearn_aeppt import AEPPTClassifier
from sklearn_aeppt.attacks import MIMAttack, query
from sklearn_aeppt.metrics import label_only_floor, perturbation_size
from sklearn_aeppt.paper._experiments import summary


def run(scale="paper", seed=0, data=None):
    """Return a row per data set and seed, then the mean and spread of each data set.

    The target is a network of one hidden layer of 128, without weight decay. AEPPT is fitted on
    all members and non-members with ``step_size="auto"``; the adversary's MIM0 (true labels)
    knows half of both and is scored on the other half.
    """
    rows = [
        {"data": name, "seed": s, **measure(model, X, y, is_member, s)}
        for name, s, model, X, y, is_member in games(scale, seed, data)
    ]
    return {"runs": rows, "mean and standard deviation over seeds": summary(rows)}


def measure(model, X, y, is_member, seed):
    """Return the figures of one target."""
    defense = AEPPTClassifier(model, key=key_from("protection", seed), random_state=seed)
    defense.fit(X, y, is_member=is_member)
    known = np.random.default_rng(seed).random(len(X)) < 0.5
    plain, shown = query(model, X, y), query(defense, X, y)

    def accuracy(trained_on, asked):
        attack = MIMAttack(random_state=seed + 100).fit(trained_on[known], is_member[known])
        return [float(attack.score(view[~known], is_member[~known])) for view in asked]

    undefended, fixed = accuracy(plain, (plain, shown))
    (retrained,) = accuracy(shown, (shown,))
    pred, p, q = model.predict(X), plain["proba"], shown["proba"]
    hit = pred == y
    return {
        "members": int(is_member.sum()),
        "non-members": int((~is_member).sum()),
        "train accuracy": float(hit[is_member].mean()),
        "test accuracy": float(hit[~is_member].mean()),
        "label-only floor": label_only_floor(
            y[is_member], pred[is_member], y[~is_member], pred[~is_member]
        ),
        "MIM0, undefended": undefended,
        "MIM0, AEPPT": fixed,
        "MIM0 retrained, AEPPT": retrained,
        "step_size_": defense.step_size_,
        "mean L1": perturbation_size(p, q),
        "mean L2": perturbation_size(p, q, ord=2),
        "labels kept": float((defense.predict(X) == pred).mean()),
        "argmax kept": float((p.argmax(1) == q.argmax(1)).mean()),
        "largest error of a row's sum": float(np.abs(q.sum(1, dtype=np.float64) - 1).max()),
    }
