"""Attacks that judge each record, beside the loss threshold; LiRA's time beside SACRO-ML's."""

import tempfile
import time
import warnings

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from tqdm.auto import tqdm

from examples.studies._data import games
from sklearn_aeppt.attacks import (
    BitFlips,
    GradientBoostingAttack,
    LabelOnlyAttack,
    LiRAAttack,
    QuantileRegressionAttack,
    RMIAAttack,
    ShadowAttack,
    ThresholdAttack,
    query,
)
from sklearn_aeppt.metrics import tpr_at_fpr
from sklearn_aeppt.paper._experiments import summary

N_SHADOW = 16


def run(scale="paper", seed=0, data=None):
    """Return what each attack gets from an undefended dense network, and LiRA's time."""
    n_shadow_models, rows, times = (N_SHADOW if scale == "paper" else 4), [], []
    for name, s, model, X, y, is_member in games(scale, seed, data):
        if not times:
            times = race(
                name, X, y, is_member, n_shadow_models, n_rounds=3 if scale == "paper" else 1
            )
        flips = BitFlips(2 / X.shape[1])  # two a record
        view = query(model, X, y, n_queries=20, augment=flips, random_state=s)
        known, scored = train_test_split(
            np.arange(len(X)), test_size=0.5, stratify=is_member, random_state=s
        )
        with tempfile.TemporaryDirectory() as memory:
            shadow = {
                "n_shadow_models": n_shadow_models,
                "n_jobs": -1,
                "memory": memory,
                "random_state": s,
            }
            attacks = {
                "ThresholdAttack, loss": ThresholdAttack("loss", per_class=False),
                "GradientBoostingAttack": GradientBoostingAttack(random_state=s),
                "LabelOnlyAttack, bit flips": LabelOnlyAttack(n_queries=20),
                "QuantileRegressionAttack": QuantileRegressionAttack(random_state=s),
                "ShadowAttack": ShadowAttack(model, **{**shadow, "n_shadow_models": 4}),
                "LiRAAttack, offline": LiRAAttack(model, mode="offline", **shadow),
                "RMIAAttack, offline": RMIAAttack(model, mode="offline", **shadow),
                "LiRAAttack, online": LiRAAttack(model, **shadow),
                "RMIAAttack, online": RMIAAttack(model, **shadow),
            }
            for attack, estimator in tqdm(attacks.items(), desc=f"{name}, seed {s}"):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)  # as for the target
                    estimator.fit(view[known], is_member[known])
                    score = estimator.decision_function(view[scored])
                said = estimator.classes_[(score > 0).astype(int)]
                rows.append(
                    {
                        "data": f"{name}: {attack}",
                        "seed": s,
                        "accuracy": float(balanced_accuracy_score(is_member[scored], said)),
                        "AUC": float(roc_auc_score(is_member[scored], score)),
                        "TPR at 1 % FPR": float(tpr_at_fpr(is_member[scored], score, fpr=0.01)),
                    }
                )
    tables = {"runs": rows, "mean and standard deviation over seeds": summary(rows)}
    return {**tables, "LiRA's time": times} if times else tables


def race(name, X, y, is_member, n_shadow_models, n_rounds):
    """Return the times of our online LiRA and SACRO-ML's, in turn; none without SACRO-ML."""
    try:
        from sacroml.attacks.likelihood_attack import LIRAAttack
        from sacroml.attacks.target import Target
    except ImportError:
        return []
    rows = []
    models = {
        "logistic regression": LogisticRegression(max_iter=200),
        "forest": RandomForestClassifier(random_state=0),
        "32 units, 10 epochs": MLPClassifier((32,), learning_rate_init=0.004, max_iter=10),
        "128 units, 30 epochs": MLPClassifier((128,), max_iter=30),
    }
    for kind, model in models.items():
        if isinstance(model, MLPClassifier):
            model.set_params(alpha=0, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X[is_member], y[is_member])
            view = query(model, X, y)
            # SACRO-ML has no adversary's half: ours knows two hundred records and asks the rest
            known = np.r_[np.flatnonzero(is_member)[:100], np.flatnonzero(~is_member)[:100]]
            asked = np.setdiff1d(np.arange(len(X)), known)
            for r in tqdm(range(n_rounds + 1), desc=f"{kind}: rounds"):
                with tempfile.TemporaryDirectory() as folder:
                    target = Target(
                        model=model, dataset_name=name,
                        X_train=X[is_member], y_train=y[is_member],
                        X_test=X[~is_member], y_test=y[~is_member],
                    )  # fmt: skip
                    for i in range(X.shape[1]):
                        target.add_feature(f"V{i}", [i], "float")
                    start = time.perf_counter()
                    theirs = LIRAAttack(
                        output_dir=folder, write_report=False, n_shadow_models=n_shadow_models,
                        mode="online-carlini", fix_variance=True, report_individual=True,
                    )  # fmt: skip
                    theirs.attack(target)
                    middle = time.perf_counter()
                ours = LiRAAttack(model, n_shadow_models=n_shadow_models, n_jobs=-1, random_state=r)
                score = ours.fit(view[known], is_member[known]).decision_function(view[asked])
                end = time.perf_counter()
                if r == 0:
                    continue  # workers start, libraries are imported
                individual = theirs.attack_metrics[0]["individual"]
                their_auc = roc_auc_score(individual["member"], individual["member_prob"])
                rows.append(
                    {
                        "data": f"{name}: {kind}",
                        "round": r,
                        "SACRO-ML, seconds": middle - start,
                        "ours, seconds": end - middle,
                        "ratio": (middle - start) / (end - middle),
                        "SACRO-ML, AUC": float(their_auc),
                        "ours, AUC": float(roc_auc_score(is_member[asked], score)),
                    }
                )
    return rows
