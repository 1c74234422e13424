"""Where nothing leaks: the audit's false alarms, and what the equalized defense changes."""

import numpy as np
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from tqdm.auto import tqdm

from examples.studies._data import key_from, made_up, tables
from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.attacks import query
from sklearn_aeppt.audit import audit
from sklearn_aeppt.metrics import clopper_pearson, perturbation_size


def run(scale="paper", seed=0, data=None):
    """Return what happens when membership is drawn at random among records never trained on."""
    n_seeds, n = (100, 1000) if scale == "paper" else (3, 200)
    pools = (
        {"made-up": made_up(np.random.default_rng(seed), 8 * n)} if data is None else tables(data)
    )
    rows = []
    for name, (X, y) in pools.items():
        jobs = (delayed(play)(X, y, n, s) for s in range(seed, seed + n_seeds))
        done = Parallel(n_jobs=-1, return_as="generator")(jobs)
        leaks, sizes = zip(*tqdm(done, desc=name, total=n_seeds))
        quiet = sum(leak in ("none", "inconclusive") for leak in leaks)
        low, high = clopper_pearson(quiet, n_seeds)
        rows.append(
            {
                "data": name,
                "seeds": n_seeds,
                "records on each side": n,
                "verdict: no alarm": quiet,
                "interval, low": float(low),
                "interval, high": float(high),
                "equalized, mean L1": float(np.mean(sizes)),
            }
        )
    return {"runs": rows}


def play(X, y, n, s):
    """Return the verdict on one random membership, and the size of the defense's change."""
    rng = np.random.default_rng(s)
    rows = rng.permutation(len(X))[: 3 * n]
    X, y = X[rows], y[rows]
    model = LogisticRegression(max_iter=200).fit(X[:n], y[:n])
    kept = np.isin(y, model.classes_)
    kept[:n] = False  # the training records are no part of it
    X, y = X[kept], y[kept]
    is_member = rng.permutation(len(y)) < len(y) // 2
    sides = X[is_member], y[is_member], X[~is_member], y[~is_member]
    report = audit(model, *sides, "quick", random_state=s)
    defense = EqualizedClassifier(model, key=key_from("control", s), random_state=s)
    defense.fit(X, y, is_member=is_member)
    p = query(model, X)["proba"]
    return report.leakage, perturbation_size(p, defense.perturb(p, X))
