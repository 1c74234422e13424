"""A defended model under the paper's fixed attacker and under every adaptive one."""

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from tqdm.auto import tqdm

from examples.studies._data import games, key_from
from sklearn_aeppt import AEPPTClassifier
from sklearn_aeppt.attacks import (
    AdversarialTrainingAttack,
    FlipAttack,
    GradientBoostingAttack,
    MIMAttack,
    RoundingAttack,
    query,
)
from sklearn_aeppt.metrics import balanced_accuracy_interval, label_only_floor
from sklearn_aeppt.paper._experiments import summary


def run(scale="paper", seed=0, data=None):
    """Return the accuracy of each attacker on AEPPT's answers, with its interval."""
    rows = []
    for name, s, model, X, y, is_member in games(scale, seed, data, n_max=2500):
        defense = AEPPTClassifier(model, key=key_from("adaptive", s), random_state=s)
        defense.fit(X, y, is_member=is_member)
        plain, shown = query(model, X, y), query(defense, X, y)
        known, scored = train_test_split(
            np.arange(len(X)), test_size=0.5, stratify=is_member, random_state=s
        )
        pred = model.predict(X)
        sides = [(y[m], pred[m]) for m in (is_member, ~is_member)]
        mim = MIMAttack(random_state=s)
        # an adversary of the defense's own kind, who knows all but its key and its weights
        copied = AdversarialTrainingAttack(
            mim, AEPPTClassifier(None, step_size=defense.step_size_, random_state=s + 1)
        )
        fixed = FrozenEstimator(clone(mim).fit(plain[known], is_member[known]))
        attackers = {
            "MIM0 on undefended answers, undefended": (fixed, plain, plain),
            "MIM0 trained on undefended answers (the paper's)": (fixed, plain, shown),
            "FlipAttack(MIM0)": (FlipAttack(fixed), plain, shown),
            "RoundingAttack(MIM0), trained on undefended": (RoundingAttack(mim), plain, shown),
            "AdversarialTrainingAttack(MIM0, AEPPT)": (copied, plain, shown),
            "RoundingAttack(MIM0), retrained": (RoundingAttack(mim), shown, shown),
            "MIM0 retrained": (mim, shown, shown),
            "GradientBoostingAttack retrained": (
                GradientBoostingAttack(random_state=s),
                shown,
                shown,
            ),
        }
        for attacker, (attack, learned, asked) in tqdm(attackers.items(), desc=f"{name}, {s}"):
            attack.fit(learned[known], is_member[known])
            said = attack.predict(asked[scored])
            low, high = balanced_accuracy_interval(is_member[scored], said)
            rows.append(
                {
                    "data": f"{name}: {attacker}",
                    "seed": s,
                    "accuracy": float(balanced_accuracy_score(is_member[scored], said)),
                    "interval, low": low,
                    "interval, high": high,
                    "label-only floor": label_only_floor(*sides[0], *sides[1]),
                }
            )
    return {"runs": rows, "mean and standard deviation over seeds": summary(rows)}
