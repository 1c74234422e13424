"""How often the gate of an audit fails a model that leaks nothing, and one that leaks."""

import time
from functools import cache, partial

import numpy as np
from joblib import Parallel, delayed
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from tqdm.auto import tqdm

from sklearn_aeppt._remember import open_memory, remembered
from sklearn_aeppt.audit import audit
from sklearn_aeppt.metrics import clopper_pearson

LIMIT = 0.02
SUITES = ("quick", "standard")
#: Records a side. Few where nothing leaks: the fewer there are, the more chance leaves above zero.
N_NULL, N_LEAK = 250, 2000
#: Smallest leaves with which the strongest attack of a suite gains about five points over the floor
#: on 2,000 records a side. That of "standard", which varies the records, finds more: it gets a
#: forest that leaks less.
LEAVES = {"quick": 5, "standard": 21}


def run(scale="paper", seed=0, memory=None):
    """Return how often the lower bound on the excess of the strongest attack is above the limit.

    Where nothing leaks, a forest is trained on records of which none is audited, and membership is
    drawn at random among others. The forest that leaks is audited on the records that trained it
    and on as many others. "Excess of the strongest" is that of the attack whose mean over all seeds
    is the greatest: picked once, not for each seed.
    """
    smoke = scale != "paper"
    settings = ((False, N_NULL, 200), (True, N_LEAK, 60))  # an audit of many records takes longer
    settings = ((False, 40, 2), (True, 80, 2)) if smoke else settings
    jobs = [
        (leaks, suite, n, s)
        for leaks, n, n_seeds in settings
        for suite in SUITES
        for s in range(seed, seed + n_seeds)
    ]
    memory = open_memory(memory)  # a run that was cut off goes on with what is left
    played = Parallel(n_jobs=-1, return_as="generator")(
        delayed(remembered(memory, partial(play, *job)))() for job in jobs
    )
    return tables(list(tqdm(played, desc="gate", total=len(jobs))))


def tables(runs):
    """Return how often the gate failed, and what each audit found."""
    settings: dict = {}
    for run in runs:
        settings.setdefault((run["data"], run["suite"]), []).append(run)
    out = []
    for (data, suite), found in settings.items():
        failed = sum(run["excess at least"] > LIMIT for run in found)
        low, high = clopper_pearson(failed, len(found))
        means = {name: mean(found, "excess", name) for name in found[0]["excess"]}
        strongest = max(means, key=lambda name: means[name])
        out.append({
            "data": data, "suite": suite, "records a side": found[0]["records a side"],
            "seeds": len(found), "limit": LIMIT, "failed": failed,
            "interval, low": float(low), "interval, high": float(high),
            "strongest attack": strongest, "its excess": means[strongest],
            "alarm in the verdict": sum(run["alarm"] for run in found),
            "floor": mean(found, "floor"), "seconds an audit": mean(found, "seconds"),
        })  # fmt: skip
    return {"gate": out, "runs": [{**run, "excess": max(run["excess"].values())} for run in runs]}


def mean(runs, *keys):
    """Return the mean over runs of what stands under the keys."""
    values = runs
    for key in keys:
        values = [run[key] for run in values]
    return float(np.mean(values))


@cache
def pool():
    """Return (X, y) of the population, the same for all seeds: so one true excess is estimated."""
    return make_classification(
        20_000, 20, n_informative=8, n_classes=4, flip_y=0.1, random_state=0
    )  # fmt: skip


def play(leaks, suite, n, s):
    """Return what one audit finds."""
    X, y = pool()
    drawn = np.random.default_rng(s).permutation(len(X))
    mem, non, other = drawn[:n], drawn[n : 2 * n], drawn[2 * n : 2 * n + N_LEAK]
    trained = mem if leaks else other
    forest = RandomForestClassifier(100, min_samples_leaf=LEAVES[suite], random_state=s)
    forest.fit(X[trained], y[trained])
    before = time.perf_counter()
    report = audit(forest, X[mem], y[mem], X[non], y[non], suite, random_state=s)
    return {
        "data": "forest that leaks" if leaks else "random membership",
        "suite": suite,
        "seed": s,
        "records a side": n,
        "floor": report.floor,
        "excess at least": report.excess_at_least,
        "excess": {row["attack"]: row["excess"] for row in report.ran},
        "alarm": report.leakage in ("labels", "confidences"),
        "seconds": time.perf_counter() - before,
    }
