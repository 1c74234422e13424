"""Every defense on the paper's target networks, by a fixed attacker and by retrained ones."""

import time
from functools import partial

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from tqdm.auto import tqdm

from examples.studies._data import images, key_from, made_up, tables
from sklearn_aeppt import AEPPTClassifier
from sklearn_aeppt._precomputed import PrecomputedClassifier
from sklearn_aeppt._remember import open_memory, remembered
from sklearn_aeppt.attacks import GradientBoostingAttack, MIMAttack, ThresholdAttack, query
from sklearn_aeppt.defenses import (
    AdversarialRegularizationClassifier,
    DropoutClassifier,
    MemGuardClassifier,
    ModelStackingClassifier,
    RoundingClassifier,
    TemperatureClassifier,
    TopKClassifier,
)
from sklearn_aeppt.metrics import (
    expected_calibration_error,
    label_only_floor,
    perturbation_size,
)
from sklearn_aeppt.networks import NetworkClassifier
from sklearn_aeppt.paper._experiments import summary
from sklearn_aeppt.paper._targets import ALEXNET

LONG_ALEXNET = {**ALEXNET, "max_epochs": 60}


def output_defenses(model, seed):
    """Return name -> unfitted defense of the fitted `model`."""
    keyed = {"key": key_from("defenses", seed), "random_state": seed}
    return {
        "AEPPT, auto": AEPPTClassifier(model, **keyed),
        "MemGuard": MemGuardClassifier(model, **keyed),
        "rounding, 3 decimals": RoundingClassifier(model, decimals=3),
        "rounding, 2 decimals": RoundingClassifier(model, decimals=2),
        "rounding, 1 decimal": RoundingClassifier(model, decimals=1),
        "top 1": TopKClassifier(model, k=1),
        "temperature 5": TemperatureClassifier(model, temperature=5.0),
    }


def no_models(net):
    """Return no classifiers to train in the target's place."""
    return {}


def trained_defenses(net):
    """Return name -> unfitted model, each a change of the training of the network with `net`."""
    seed = net["random_state"]

    def stacking(network, leaf):
        forest = RandomForestClassifier(min_samples_leaf=leaf, random_state=seed)
        models = [("network", NetworkClassifier(**network)), ("forest", forest)]
        return ModelStackingClassifier(models, random_state=seed)

    return {
        "dropout 0.5": DropoutClassifier(0.5, **net),
        "weight decay 0.001": NetworkClassifier(**{**net, "weight_decay": 0.001}),
        "stacking": stacking(net, 1),
        "stacking, 20 epochs and leaves of 5": stacking({**net, "max_epochs": 20}, 5),
        "adversarial regularization, alpha 3": AdversarialRegularizationClassifier(3.0, **net),
        "adversarial regularization, alpha 6": AdversarialRegularizationClassifier(6.0, **net),
    }


def run(scale="paper", seed=0, data=None, memory=None):
    """Return a row per defense, data set and seed.

    Tables train the paper's fully connected network, 1,500 members; images AlexNet, 3,000
    members, one seed. A defense is fitted on the members and on half of the non-members; the
    adversary knows the membership and the labels of half of the members and of half of the
    *other* non-members, and is scored on the rest of both: on records that the defender never
    saw. Log loss, calibration error and the AUC of confidence for right answers are those of the
    unseen non-members.
    """
    smoke = scale != "paper"
    n, n_seeds = (200, 1) if smoke else (1500, 3)
    jobs, net = [], {"hidden_layer_sizes": (32,), "lr": 0.01, "max_epochs": 20} if smoke else {}
    for s in range(seed, seed + n_seeds):
        rng = np.random.default_rng(s)
        pools = {"made-up": made_up(rng, 2 * n)} if data is None else tables(data)
        jobs += [(name, s, *draw(X, y, n, s), net) for name, (X, y) in pools.items()]
    pictures = None if data is None or smoke else images(data)
    if pictures is not None:
        jobs.append(("cifar100", seed, *draw(*pictures, 3000, seed), LONG_ALEXNET))
    return play_all(jobs, memory)


def play_all(jobs, memory):
    """Return the rows of all jobs, run side by side, finished ones from the cache."""
    memory = open_memory(memory)  # a run that was cut off goes on with what is left
    played = Parallel(n_jobs=-1, return_as="generator")(
        delayed(remembered(memory, partial(play, *job)))() for job in jobs
    )
    rows = [row for part in tqdm(played, desc="targets", total=len(jobs)) for row in part]
    return {"runs": rows, "mean and standard deviation over seeds": summary(rows)}


def draw(X, y, n, s):
    """Return (X, y, is_member) of n members at most, and as many others, in the range [0, 1]."""
    n = min(n, len(X) // 2)
    rows = np.random.default_rng(s).permutation(len(X))[: 2 * n]
    X, y = X[rows].astype(np.float32), y[rows]
    kept = np.isin(y, y[:n])
    return X[kept] / max(X.max(), 1), y[kept], (np.arange(2 * n) < n)[kept]


def play(name, s, X, y, is_member, net, defenses=output_defenses, trained=trained_defenses):
    """Return the rows of one data set and seed.

    `net` holds the parameters of the target network; None takes the records for answers. `trained`
    returns name -> unfitted classifier that is trained on the members in the target's place.
    """
    rng = np.random.default_rng(s)
    members, other = np.flatnonzero(is_member), rng.permutation(np.flatnonzero(~is_member))
    seen, unseen = np.split(other, [len(other) // 2])
    fitted, judged = np.r_[members, seen], np.r_[members, unseen]
    truth = is_member[judged]
    known, scored = train_test_split(
        np.arange(len(judged)), test_size=0.5, stratify=truth, random_state=s
    )

    def judge(title, shown, plain, fixed, pred, seconds):
        right = pred == y[judged]
        floor = label_only_floor(y[judged][truth], pred[truth], y[judged][~truth], pred[~truth])
        accuracy = {
            attack: balanced_accuracy_score(
                truth[scored], fit.fit(shown[known], truth[known]).predict(shown[scored])
            )
            for attack, fit in retrained(s).items()
        }
        strongest = max(accuracy.values())
        return {
            "data": f"{name}: {title}",
            "seed": s,
            "train accuracy": float(right[truth].mean()),
            "test accuracy": float(right[~truth].mean()),
            "label-only floor": floor,
            "fixed MIM0": float(
                balanced_accuracy_score(truth[scored], fixed.predict(shown[scored]))
            ),
            "strongest retrained": float(strongest),
            "excess over the floor": float(strongest - floor),
            "labels kept": float((shown["proba"].argmax(1) == plain["proba"].argmax(1)).mean()),
            "mean L1": perturbation_size(plain["proba"], shown["proba"]),
            **usefulness(shown, ~truth),
            "ms per 1,000 records": 1e6 * seconds / len(judged),
        }

    if net is None:
        model = PrecomputedClassifier(np.arange(X.shape[1]))
    else:
        net = {**net, "random_state": s}
        model = NetworkClassifier(**net).fit(X[is_member], y[is_member])
    plain, pred = query(model, X[judged], y[judged]), model.predict(X[judged])
    fixed = MIMAttack(random_state=s).fit(plain[known], truth[known])
    out = [judge("none", plain, plain, fixed, pred, 0.0)]
    for title, defense in defenses(model, s).items():
        defense.fit(X[fitted], y[fitted], is_member=is_member[fitted])
        start = time.perf_counter()
        defense.perturb(plain["proba"], X[judged])
        seconds = time.perf_counter() - start
        out.append(judge(title, query(defense, X[judged], y[judged]), plain, fixed, pred, seconds))
    for title, other_model in trained(net).items():
        if isinstance(other_model, AdversarialRegularizationClassifier):
            other_model.fit(X[fitted], y[fitted], is_member=is_member[fitted])
        else:
            other_model.fit(X[is_member], y[is_member])
        shown = query(other_model, X[judged], y[judged])
        pred = other_model.predict(X[judged])
        out.append(judge(title, shown, plain, fixed, pred, 0.0))
    return out


def usefulness(shown, rows):
    """Return log loss, calibration error and the AUC of confidence for right answers."""
    q, label = shown["proba"][rows].astype(np.float64), shown["label"][rows]
    q /= q.sum(axis=1, keepdims=True)  # views are float32, log_loss is strict
    return {
        "log loss": float(log_loss(label, q, labels=np.arange(q.shape[1]))),
        "ECE": expected_calibration_error(label, q),
        "AUC of confidence": float(roc_auc_score(q.argmax(axis=1) == label, q.max(axis=1))),
    }


def retrained(seed):
    """Return the attackers that train on what is shown."""
    return {
        "boosting": GradientBoostingAttack(random_state=seed),
        "MIM": MIMAttack("substitute", random_state=seed),
        **{
            f"threshold, {statistic}": ThresholdAttack(statistic)
            for statistic in ("confidence", "loss", "entropy", "modified_entropy")
        },
    }
