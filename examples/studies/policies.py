"""How often policies fail a model that leaks nothing, and one that leaks about ten points."""

from functools import partial

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import RandomForestClassifier
from tqdm.auto import tqdm

from examples.studies.gate import mean, pool
from sklearn_aeppt._remember import open_memory, remembered
from sklearn_aeppt.audit import apply_policy, audit
from sklearn_aeppt.metrics import clopper_pearson

#: Records a side, the fewest that give a TPR at 1 % FPR; the smallest leaves with which the
#: strongest attack of "quick" gains about ten points over the floor on them.
N, LEAVES = 1000, 3
PRESETS = ("default", "aisvs")
#: What random guessing gives: no tighter limits make sense, and none raise more false alarms.
GUESSING = {
    "excess": 0.0,
    "accuracy": 0.5,
    "auc": 0.5,
    "tpr_at_0.1_fpr": 0.1,
    "tpr_at_0.01_fpr": 0.01,
    "epsilon": 0.0,
}
SLICES = {"class": 0.5}


def run(scale="paper", seed=0, memory=None):
    """Return how often policies fail, and how often each limit at random guessing is exceeded.

    Where nothing leaks, a forest is trained on records of which none is audited, and membership is
    drawn at random among others. The forest that leaks is audited on the records that trained it
    and on as many others.
    """
    smoke = scale != "paper"
    settings = ((False, 80, 2), (True, 80, 2)) if smoke else ((False, N, 100), (True, N, 40))
    jobs = [(leaks, n, s) for leaks, n, seeds in settings for s in range(seed, seed + seeds)]
    memory = open_memory(memory)  # a run that was cut off goes on with what is left
    played = Parallel(n_jobs=-1, return_as="generator")(
        delayed(remembered(memory, partial(play, *job)))() for job in jobs
    )
    return tables(list(tqdm(played, desc="policies", total=len(jobs))))


def tables(runs):
    """Return counts over seeds."""
    outcomes, limits = [], []
    for data in dict.fromkeys(run["data"] for run in runs):
        found = [run for run in runs if run["data"] == data]
        for name in PRESETS:
            said = [run[name] for run in found]
            outcomes.append({
                "data": data, "policy": name, "seeds": len(found),
                "its excess": mean(found, "excess"),
                **{outcome: said.count(outcome) for outcome in ("pass", "fail", "void")},
                **interval(said.count("fail"), len(found)),
            })  # fmt: skip
        fair = [run for run in found if run["default"] != "void"]
        for rule in fair[0]["exceeded"]:
            n = sum(run["exceeded"][rule] for run in fair)
            limits.append({"data": data, "limit at random guessing on": rule, "seeds": len(fair),
                           "exceeded": n, **interval(n, len(fair))})  # fmt: skip
    plain = [{k: v for k, v in run.items() if k != "exceeded"} for run in runs]
    return {"policies": outcomes, "limits": limits, "runs": plain}


def interval(n, of):
    """Return the 95 % interval of a share."""
    low, high = clopper_pearson(n, of)
    return {"interval, low": float(low), "interval, high": float(high)}


def play(leaks, n, s):
    """Return what one audit finds."""
    X, y = pool()
    drawn = np.random.default_rng(s).permutation(len(X))
    mem, non, other = drawn[:n], drawn[n : 2 * n], drawn[2 * n : 3 * n]
    trained = mem if leaks else other
    forest = RandomForestClassifier(100, min_samples_leaf=LEAVES, random_state=s)
    forest.fit(X[trained], y[trained])
    report = audit(forest, X[mem], y[mem], X[non], y[non], "quick", random_state=s)
    guessing = {"limits": GUESSING, "slices": SLICES, "not_judged": "pass"}
    exceeded: dict[str, bool] = {}
    for row in apply_policy(report, guessing).policy["rules"]:  # any part of a slice
        exceeded[row["rule"]] = exceeded.get(row["rule"], False) or row["outcome"] == "fail"
    return {
        "data": "forest that leaks" if leaks else "random membership",
        "seed": s,
        "records a side": n,
        "excess": max(row["excess"] for row in report.ran),
        **{name: apply_policy(report, name).policy["outcome"] for name in PRESETS},
        "exceeded": exceeded,
    }
