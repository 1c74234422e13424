"""Our black-box attacks beside those of two toolboxes, on the same halves of the same answers."""

import tempfile
import warnings

import numpy as np
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from tqdm.auto import tqdm

from examples.studies._data import games
from sklearn_aeppt.attacks import (
    GapAttack,
    GradientBoostingAttack,
    MIMAttack,
    RandomForestAttack,
    ThresholdAttack,
    query,
)
from sklearn_aeppt.paper._experiments import summary


def run(scale="paper", seed=0, data=None):
    """Return accuracy and AUC of every attack on undefended answers.

    The adversary knows the membership, and the true label, of one half of the records and is
    scored on the other. Accuracy is balanced over members and non-members.
    """
    rows = []
    for name, s, model, X, y, is_member in games(scale, seed, data):
        view = query(model, X, y)
        known, scored = train_test_split(
            np.arange(len(X)), test_size=0.5, stratify=is_member, random_state=s
        )
        contenders = {**ours(s), **art(), **sacro(s)}
        for attack, play in tqdm(contenders.items(), desc=f"{name}, seed {s}"):
            score, said = play(view, is_member, known, scored)
            rows.append(
                {
                    "data": f"{name}: {attack}",
                    "seed": s,
                    "accuracy": float(balanced_accuracy_score(is_member[scored], said)),
                    "AUC": float(roc_auc_score(is_member[scored], score)),
                }
            )
    return {"runs": rows, "mean and standard deviation over seeds": summary(rows)}


def ours(seed):
    """Return name -> play of our attacks."""
    attacks = {
        "GapAttack (label-only floor)": GapAttack(),
        **{
            f"ThresholdAttack, {statistic}": ThresholdAttack(statistic)
            for statistic in ("confidence", "loss", "entropy", "modified_entropy")
        },
        "GradientBoostingAttack": GradientBoostingAttack(random_state=seed),
        "RandomForestAttack": RandomForestAttack(random_state=seed),
        "MIMAttack, mim0": MIMAttack("mim0", random_state=seed),
        "MIMAttack, mim1": MIMAttack("mim1", random_state=seed),
        "MIMAttack, substitute": MIMAttack("substitute", random_state=seed),
    }

    def play_with(attack):
        def play(view, is_member, known, scored):
            attack.fit(view[known], is_member[known])
            seen = view[scored]
            score = getattr(attack, "decision_function", attack.predict)(seen)
            return score, attack.predict(seen)

        return play

    return {name: play_with(attack) for name, attack in attacks.items()}


def art():
    """Return name -> play of the Adversarial Robustness Toolbox's attacks; none without it."""
    try:
        from art.attacks.inference.membership_inference import MembershipInferenceBlackBox
        from art.estimators.classification import BlackBoxClassifier
    except ImportError:
        return {}

    def play_with(kind):
        def play(view, is_member, known, scored):
            p, c, k = view["proba"], view["label"], view["proba"].shape[1]
            members, others = known[is_member[known]], known[~is_member[known]]
            asked = BlackBoxClassifier(lambda x: x, input_shape=(k,), nb_classes=k)
            attack = MembershipInferenceBlackBox(asked, attack_model_type=kind)
            one_hot = np.eye(k, dtype=np.float32)[c]
            attack.fit(
                y=one_hot[members], test_y=one_hot[others], pred=p[members], test_pred=p[others]
            )
            options = {"y": one_hot[scored], "pred": p[scored], "probabilities": True}
            score = attack.infer(None, **options)
            score = np.asarray(score).reshape(len(scored), -1)[:, -1]
            return score, score >= 0.5

        return play

    return {
        f"ART MembershipInferenceBlackBox, {kind}": play_with(kind) for kind in ("nn", "rf", "gb")
    }


def sacro(seed):
    """Return name -> play of SACRO-ML's worst-case attacks; none without it."""
    try:
        from sacroml.attacks.worst_case_attack import WorstCaseAttack
    except ImportError:
        return {}
    models = {
        "random forest": ("sklearn.ensemble.RandomForestClassifier", None),
        "gradient boosting": ("sklearn.ensemble.HistGradientBoostingClassifier", None),
        "MLP": ("sklearn.neural_network.MLPClassifier", {"max_iter": 500}),
    }

    def play_with(model, params):
        def play(view, is_member, known, scored):
            right = (view["proba"].argmax(1) == view["label"]).astype(int)
            # it takes members and non-members apart and makes its own halves: give it the
            # records in the order that makes them ours
            with tempfile.TemporaryDirectory() as folder:
                attack = WorstCaseAttack(
                    output_dir=folder,
                    write_report=False,
                    n_reps=1,
                    n_dummy_reps=0,
                    reproduce_split=[seed],
                    test_prop=0.5,
                    include_model_correct_feature=True,
                    attack_model=model,
                    attack_model_params=params,
                    report_individual=True,
                )
                order = np.r_[np.flatnonzero(is_member), np.flatnonzero(~is_member)]
                _, theirs = train_test_split(
                    np.arange(len(order)),
                    test_size=0.5,
                    stratify=is_member[order],
                    random_state=seed,
                )
                if not (order == np.arange(len(order))).all() or (theirs != scored).any():
                    raise RuntimeError("SACRO-ML would be scored on another half")
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    attack.attack_from_preds(
                        view["proba"][is_member],
                        view["proba"][~is_member],
                        train_correct=right[is_member],
                        test_correct=right[~is_member],
                    )
            score = np.asarray(attack.attack_metrics[0]["individual"]["member_prob"])
            return score, score >= 0.5

        return play

    return {f"SACRO-ML WorstCaseAttack, {name}": play_with(*m) for name, m in models.items()}
