"""Every defense on the same targets, by a fixed attacker and by the strongest retrained one."""

import time

import numpy as np
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from tqdm.auto import tqdm

from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier
from sklearn_aeppt.attacks import BoostingAttack, MIMAttack, ThresholdAttack, query
from sklearn_aeppt.defenses import (
    MemGuardClassifier,
    RoundingClassifier,
    TemperatureClassifier,
    TopKClassifier,
)
from sklearn_aeppt.experiments._data import games
from sklearn_aeppt.experiments.protection import summary
from sklearn_aeppt.metrics import (
    expected_calibration_error,
    label_only_floor,
    perturbation_size,
)


def defenses(model, seed):
    """Return name -> unfitted defense of the fitted `model`; None stands for none."""
    equalized = {"random_state": seed}
    return {
        "none": None,
        "AEPPT, auto": AEPPTClassifier(model, random_state=seed),
        "MemGuard": MemGuardClassifier(model, random_state=seed),
        "rounding, 3 decimals": RoundingClassifier(model, decimals=3),
        "rounding, 2 decimals": RoundingClassifier(model, decimals=2),
        "rounding, 1 decimal": RoundingClassifier(model, decimals=1),
        "top 1": TopKClassifier(model, k=1),
        "temperature 5": TemperatureClassifier(model, temperature=5.0),
        "equalized, cost L1": EqualizedClassifier(model, cost="l1", **equalized),
        "equalized, cost log loss": EqualizedClassifier(model, cost="log_loss", **equalized),
        "equalized, rows within 0.2": EqualizedClassifier(model, record_delta=0.2, **equalized),
        "equalized, template": EqualizedClassifier(model, rest="template", **equalized),
    }


def run(scale="paper", seed=0, data=None):
    """Return a row per defense, data set and seed.

    The defense is fitted on the members and on half of the non-members; the adversary knows the
    membership and the labels of half of the members and of half of the *other* non-members, and
    is scored on the rest of both: on records that the defender never saw. Log loss, calibration
    error and the AUC of confidence for right answers are those of the unseen non-members.
    """
    rows = []
    for name, s, model, X, y, is_member in games(scale, seed, data):
        rng = np.random.default_rng(s)
        other = rng.permutation(np.flatnonzero(~is_member))
        seen, unseen = np.split(other, [len(other) // 2])
        members = np.flatnonzero(is_member)
        fitted, judged = np.r_[members, seen], np.r_[members, unseen]
        truth = is_member[judged]
        known, scored = train_test_split(
            np.arange(len(judged)), test_size=0.5, stratify=truth, random_state=s
        )
        plain, pred = query(model, X[judged], y[judged]), model.predict(X[judged])
        fixed = MIMAttack(random_state=s).fit(plain[known], truth[known])
        floor = label_only_floor(y[judged][truth], pred[truth], y[judged][~truth], pred[~truth])
        for title, defense in tqdm(defenses(model, s).items(), desc=f"{name}, seed {s}"):
            shown, seconds = plain, 0.0
            if defense is not None:
                defense.fit(X[fitted], y[fitted], is_member=is_member[fitted])
                start = time.perf_counter()
                defense.perturb(plain["proba"])
                seconds = time.perf_counter() - start
                shown = query(defense, X[judged], y[judged])
            accuracy = {
                attack: balanced_accuracy_score(
                    truth[scored], fit.fit(shown[known], truth[known]).predict(shown[scored])
                )
                for attack, fit in retrained(s).items()
            }
            strongest = max(accuracy, key=accuracy.get)
            right = (pred == y[judged])[~truth]
            q, index = shown["proba"][~truth].astype(np.float64), shown["label"][~truth]
            q /= q.sum(axis=1, keepdims=True)  # views are float32, log_loss is strict
            rows.append(
                {
                    "data": f"{name}: {title}",
                    "seed": s,
                    "label-only floor": floor,
                    "fixed MIM0": float(
                        balanced_accuracy_score(truth[scored], fixed.predict(shown[scored]))
                    ),
                    "strongest retrained": float(accuracy[strongest]),
                    "excess over the floor": float(accuracy[strongest] - floor),
                    "labels kept": float(
                        (shown["proba"].argmax(1) == plain["proba"].argmax(1)).mean()
                    ),
                    "mean L1": perturbation_size(plain["proba"], shown["proba"]),
                    "log loss": float(log_loss(index, q, labels=np.arange(q.shape[1]))),
                    "ECE": expected_calibration_error(index, q),
                    "AUC of confidence": float(roc_auc_score(right, q.max(axis=1))),
                    "ms per 1,000 records": 1e6 * seconds / len(judged),
                }
            )
    return {"runs": rows, "mean and standard deviation over seeds": summary(rows)}


def retrained(seed):
    """Return the attackers that train on what is shown."""
    return {
        "boosting": BoostingAttack(random_state=seed),
        "MIM, substitute": MIMAttack("substitute", random_state=seed),
        "MIM0": MIMAttack("mim0", max_epochs=30, random_state=seed),
        **{
            f"threshold, {statistic}": ThresholdAttack(statistic)
            for statistic in ("confidence", "modified_entropy")
        },
    }
