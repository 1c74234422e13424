"""What the out-of-fold defense costs: queries beside base predictions, memory, and their timing."""

import gc
import os
import pickle
import resource
import time

import numpy as np
from joblib.externals.loky import get_reusable_executor
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier
from tqdm.auto import tqdm

from sklearn_aeppt import OutOfFoldClassifier

BATCH = 1000
N_BITS = 600
N_CLASSES = 20
N_ASKED = 5  # times that each record is asked about, for its time


def run(scale="paper", seed=0):
    """Return times and memory for 100,000 records of 600 bits, and what queries' times tell.

    The models are forests of 20 trees, at most 12 deep. "base predictions" are those of the models
    of the defense, one after the other, "of 100 trees" as many of a forest with scikit-learn's
    defaults; "search" is that for the nearest training records. Each round asks for one new batch,
    the parts in turn, all by one job. In "timing", as many training
    records as new ones are asked about, one by one, several times, in an order drawn anew each
    time: the AUC of the least time that an answer, or the search alone, takes, with the interval of
    95 % of a bootstrap over records. "load" is that of the machine when the row began and ended.
    """
    smoke = scale != "paper"
    n = 1000 if smoke else 100_000
    n_rounds, size = (2, 100) if smoke else (10, BATCH)
    X, y = baskets(n + n_rounds * size, seed)
    load = os.getloadavg()[0]
    start, cpu = time.perf_counter(), _cpu()
    defended = defense(seed).set_params(n_jobs=2).fit(X[:n], y[:n])
    row = {
        "training records": n, "features": N_BITS, "models": len(defended.estimators_),
        "fit, seconds": time.perf_counter() - start,
        "peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "training table, MB": X[:n].nbytes / 1e6,
        "search, MB": len(pickle.dumps(defended.neighbors_)) / 1e6,
        "file, MB": len(pickle.dumps(defended)) / 1e6,
    }  # fmt: skip
    get_reusable_executor().shutdown()  # whose time is known when it has ended
    row["fit, CPU seconds"] = _cpu() - cpu
    rows = np.random.default_rng(seed).permutation(n)[: 2 * n // 3]
    grown = RandomForestClassifier(random_state=seed).fit(X[rows], y[rows])
    row |= queries(defended.set_params(n_jobs=1), grown, X[n:], n_rounds, size)
    row["load"] = [load, os.getloadavg()[0]]
    n_timed = 30 if smoke else 300
    return {"queries": [row], "timing": [timing(d, n_timed, seed) for d in (5, 60)]}


def defense(seed):
    """Return the classifier whose cost is measured."""
    forest = RandomForestClassifier(20, max_depth=12, random_state=seed)
    return OutOfFoldClassifier(forest, bandwidth=0.1, random_state=seed)


def baskets(n, seed, n_bits=N_BITS):
    """Return bits of twenty classes, and labels, a tenth of them wrong."""
    rng = np.random.default_rng(seed)
    share = rng.beta(0.3, 2, (N_CLASSES, n_bits))
    y = rng.integers(N_CLASSES, size=n)
    X = (rng.random((n, n_bits), dtype=np.float32) < share[y]).astype(np.float32)
    return X, np.where(rng.random(n) < 0.1, rng.integers(N_CLASSES, size=n), y)


def queries(defended, grown, X, n_rounds, size):
    """Return medians over rounds of new batches."""
    seconds: dict = {}
    models = defended.estimators_
    near = defended._near
    near.n_jobs = near.search_.n_jobs = 1
    for r in tqdm(range(n_rounds), desc="batches"):
        batch = X[r * size : (r + 1) * size]
        calls = {
            "base predictions": lambda batch=batch: [
                model.predict_proba(batch) for model in models
            ],
            "one prediction of 100 trees": lambda batch=batch: grown.predict_proba(batch),
            "search": lambda batch=batch: near(batch),
            "whole query": lambda batch=batch: defended.predict_proba(batch),
        }
        for name, call in calls.items():
            start = time.process_time()
            call()
            seconds.setdefault(name, []).append(time.process_time() - start)
    bases = {
        "base predictions": np.array(seconds["base predictions"]),
        "base predictions of 100 trees": len(models)
        * np.array(seconds["one prediction of 100 trees"]),
    }
    found = {"batch": size, "rounds": n_rounds}
    for name, taken in seconds.items():
        found[f"{name}, CPU seconds"] = float(np.median(taken))
    for base, taken in bases.items():
        found[f"search / {base}"] = float(np.median(seconds["search"] / taken))
    return found


def timing(n_features, n, seed):
    """Return the AUC of the time that an answer takes, of members against others."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(3000 + n, n_features)), rng.integers(3, size=3000 + n)
    tree = DecisionTreeClassifier(max_depth=8, random_state=seed)
    defended = OutOfFoldClassifier(tree, bandwidth=0.1, random_state=seed, n_jobs=1)
    defended.fit(X[:3000], y[:3000])
    asked = np.concatenate([X[:n], X[3000:]])
    is_member = np.arange(2 * n) < n
    row = {"training records": 3000, "features": n_features, "queries a side": n}
    load = os.getloadavg()[0]
    for name, ask in {"answer": defended.predict_proba, "search": defended._near}.items():
        taken = np.empty((N_ASKED, 2 * n))
        for _ in range(20):  # warms up
            ask(asked[-1:])
        gc.disable()
        for r in tqdm(range(N_ASKED), desc=f"single queries, {name}"):
            for i in rng.permutation(2 * n):
                start = time.perf_counter()
                ask(asked[i : i + 1])
                taken[r, i] = time.perf_counter() - start
        gc.enable()
        least = taken.min(axis=0)
        row[f"{name}, members, ms"] = float(1e3 * np.median(least[is_member]))
        row[f"{name}, others, ms"] = float(1e3 * np.median(least[~is_member]))
        row[f"{name}, AUC"], row[f"{name}, interval"] = auc_interval(is_member, -least, rng)
    row["load"] = [load, os.getloadavg()[0]]
    return row


def auc_interval(is_member, score, rng):
    """Return the AUC, and the middle 95 % of it over a thousand bootstrap samples of each side."""
    sides = np.flatnonzero(is_member), np.flatnonzero(~is_member)
    drawn = [
        roc_auc_score(is_member[rows], score[rows])
        for rows in (
            np.concatenate([rng.choice(side, len(side)) for side in sides]) for _ in range(1000)
        )
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(roc_auc_score(is_member, score)), [float(low), float(high)]


def _cpu():
    """Return the CPU seconds of this process and of its children that have ended."""
    return sum(
        use.ru_utime + use.ru_stime
        for use in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
