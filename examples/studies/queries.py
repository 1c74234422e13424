"""The equalized defense asked a thousand times: the same record again, and slightly varied."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from tqdm.auto import tqdm

from examples.studies._data import games, key_from
from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.audit._suites import variation
from sklearn_aeppt.metrics import balanced_accuracy_interval, label_only_floor
from sklearn_aeppt.paper._experiments import summary

N_SCORED = 2000  # records in all; each is asked a thousand times


def run(scale="paper", seed=0, data=None):
    """Return what averaging many answers adds to one, and to the labels of the same queries.

    Boosting learns, on half of the records, from one answer; from the mean of the answers to
    1,000 variants of the record (two flipped bits, or noise) and the frequencies of their labels;
    and from those frequencies alone.
    """
    n_queries, rows = (1000 if scale == "paper" else 5), []
    for name, s, model, X, y, is_member in targets(scale, seed, data):
        equalized = {"key": key_from("queries", s), "random_state": s}
        shown = {
            "none": None,
            "equalized": EqualizedClassifier(model, **equalized),
            "rows within 0.2": EqualizedClassifier(model, pairwise_delta=0.2, **equalized),
            "rows equal, template": EqualizedClassifier(
                model,
                pairwise_delta=0.0,
                other_classes="template",
                holdout_fraction=0.0,
                **equalized,
            ),
        }
        for defense in shown.values():
            if defense is not None:
                defense.fit(X, y, is_member=is_member)
        few = np.random.default_rng(s).permutation(len(X))[:N_SCORED]
        X, y, is_member = X[few], y[few], is_member[few]
        label = np.searchsorted(model.classes_, y)
        vary = variation(X)
        rng = np.random.RandomState(s)
        one = model.predict_proba(X)
        mean = {key: np.zeros_like(one) for key in shown}
        often = np.zeros_like(one)
        for _ in tqdm(range(n_queries), desc=f"{name}, seed {s}: queries"):
            varied = vary(X, rng)
            p = model.predict_proba(varied)
            often[np.arange(len(p)), p.argmax(axis=1)] += 1 / n_queries
            for key, defense in shown.items():
                mean[key] += (p if defense is None else defense.predict_proba(varied)) / n_queries
        pred = model.predict(X)
        m = is_member
        floor = label_only_floor(y[m], pred[m], y[~m], pred[~m])
        from_labels = attack([often, np.eye(one.shape[1])[one.argmax(1)]], label, m, s)
        for key, defense in shown.items():
            single = one if defense is None else defense.predict_proba(X)
            again = single if defense is None else defense.predict_proba(X)
            several = attack([mean[key], often, single], label, m, s)
            rows.append(
                {
                    "data": f"{name}: {key}",
                    "seed": s,
                    "label-only floor": floor,
                    "one answer": attack([single], label, m, s)["accuracy"],
                    "labels of variants": from_labels["accuracy"],
                    "answers to variants": several["accuracy"],
                    "gain": several["accuracy"] - from_labels["accuracy"],
                    "interval, half": (several["high"] - several["low"]) / 2,
                    "answers that differ when repeated": float((single != again).any(1).mean()),
                }
            )
    return {"runs": rows, "mean and standard deviation over seeds": summary(rows)}


def targets(scale, seed, data):
    """Yield overfit networks on the bit tables, and a forest on scikit-learn's digits."""
    yield from games(scale, seed, data, n_max=2500)
    X, y = load_digits(return_X_y=True)
    for s in range(seed, seed + (3 if scale == "paper" else 1)):
        is_member = np.random.default_rng(s).random(len(X)) < 0.5
        forest = RandomForestClassifier(random_state=s).fit(X[is_member], y[is_member])
        yield "digits, forest", s, forest, X, y, is_member


def attack(answers, label, is_member, seed):
    """Return accuracy and interval of boosting on answers: sorted, and at the true class."""
    rows = np.arange(len(label))
    looks = [np.column_stack([np.sort(p, axis=1)[:, ::-1], p[rows, label]]) for p in answers]
    known, scored = train_test_split(rows, test_size=0.5, stratify=is_member, random_state=seed)
    F = np.hstack(looks)
    boosting = HistGradientBoostingClassifier(max_iter=60, random_state=seed)
    said = boosting.fit(F[known], is_member[known]).predict(F[scored])
    low, high = balanced_accuracy_interval(is_member[scored], said)
    accuracy = float(balanced_accuracy_score(is_member[scored], said))
    return {"accuracy": accuracy, "low": low, "high": high}
