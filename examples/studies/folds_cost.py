"""What the out-of-fold defense costs: training, queries beside base predictions, memory, timing."""

import gc
import pickle
import time

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from tqdm.auto import tqdm

from sklearn_aeppt import OutOfFoldClassifier

BATCH = 1000
N_BITS = 600
N_CLASSES = 20


def run(scale="paper", seed=0):
    """Return times for 100,000 records of 600 bits, and what single queries' times tell.

    Base predictions are those of the models of the defense, one after the other; "search" is that
    for the nearest training records. Each round asks for one new batch, the parts in turn. In
    "timing", single training records and new ones are asked about in turn: the AUC of the time an
    answer takes.
    """
    smoke = scale != "paper"
    n = 1000 if smoke else 100_000
    X, y = baskets(n + 20 * BATCH if not smoke else n + 400, seed)
    forest = RandomForestClassifier(20, max_depth=12, random_state=seed)
    defense = OutOfFoldClassifier(forest, bandwidth=0.1, random_state=seed)
    fits = []
    for r in range(1 if smoke else 3):
        for n_jobs in (1, 2):
            start = time.perf_counter()
            defended = clone(defense).set_params(n_jobs=n_jobs).fit(X[:n], y[:n])
            fits.append({"round": r, "n_jobs": n_jobs, "seconds": time.perf_counter() - start})
    rows = {"fit": fits, "fit, 2 jobs": [speedup(fits)]}
    rows["queries"] = [queries(defended, X[n:], 2 if smoke else 20, 100 if smoke else BATCH)]
    rows["queries"][0] |= {
        "training records": n,
        "features": N_BITS,
        "models": len(defended.estimators_),
        "file, MB": len(pickle.dumps(defended)) / 1e6,
        "training table, MB": X[:n].nbytes / 1e6,
    }
    small = clone(defense).fit(X[:1000], y[:1000])
    rows["timing"] = [timing(small, X[:1000], X[n:], 50 if smoke else 1000)]
    return rows


def baskets(n, seed):
    """Return bits of twenty classes, and labels, a tenth of them wrong."""
    rng = np.random.default_rng(seed)
    share = rng.beta(0.3, 2, (N_CLASSES, N_BITS))
    y = rng.integers(N_CLASSES, size=n)
    X = (rng.random((n, N_BITS), dtype=np.float32) < share[y]).astype(np.float32)
    return X, np.where(rng.random(n) < 0.1, rng.integers(N_CLASSES, size=n), y)


def speedup(fits):
    """Return the median over rounds of the time of one job over that of two."""
    seconds = np.array([fit["seconds"] for fit in fits]).reshape(-1, 2)
    ratio = seconds[:, 0] / seconds[:, 1]
    return {
        "rounds": len(ratio), "times as fast": float(np.median(ratio)),
        "lowest": float(ratio.min()), "highest": float(ratio.max()),
    }  # fmt: skip


def queries(defended, X, n_rounds, size):
    """Return medians over rounds of new batches."""
    seconds: dict = {"base predictions": [], "search": [], "whole query": []}
    models = defended.estimators_
    for r in tqdm(range(n_rounds), desc="batches"):
        batch = X[r * size : (r + 1) * size]
        calls = {
            "base predictions": lambda batch=batch: [
                model.predict_proba(batch) for model in models
            ],
            "search": lambda batch=batch: defended._near(batch),
            "whole query": lambda batch=batch: defended.predict_proba(batch),
        }
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    base = np.array(seconds["base predictions"])
    found = {"batch": size, "rounds": n_rounds}
    for name, taken in seconds.items():
        found[f"{name}, seconds"] = float(np.median(taken))
    for name in ("search", "whole query"):
        found[f"{name} / base predictions"] = float(np.median(seconds[name] / base))
    return found


def timing(defended, members, others, n):
    """Return the AUC of the time that an answer takes, of members against others."""
    taken = np.empty((n, 2))
    gc.disable()
    for i in tqdm(range(-20, n), desc="single queries"):  # the first ones warm up
        for side, X in enumerate((members, others)) if i % 2 else ((1, others), (0, members)):
            start = time.perf_counter()
            defended.predict_proba(X[i : i + 1] if i >= 0 else X[:1])
            taken[i, side] = time.perf_counter() - start
    gc.enable()
    is_member = np.tile([True, False], n)
    return {
        "queries a side": n,
        "median, members, ms": float(1e3 * np.median(taken[:, 0])),
        "median, others, ms": float(1e3 * np.median(taken[:, 1])),
        "AUC of the time": float(roc_auc_score(is_member, taken.ravel())),
        "AUC at chance, standard deviation": float(np.sqrt((2 * n + 1) / (12 * n * n))),
    }
