"""How often the comparison of two reports finds a planted worsening, and is silent without one."""

import time
from functools import cache, partial

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from tqdm.auto import tqdm

from sklearn_aeppt._remember import open_memory, remembered
from sklearn_aeppt.audit import audit, compare_reports
from sklearn_aeppt.metrics import clopper_pearson

#: Smallest leaves of the forest, and the share of an overfit one in its answers with which the
#: strongest attack of a suite gains two to three points on 2,000 records a side.
LEAVES = {"quick": 7, "standard": 21}
SHARES = {"quick": 0.1, "standard": 0.016}
#: Of the suites: an audit of the second takes ten times as long.
N_SEEDS = {"quick": 10, "standard": 4}
N_RECORDS = 2000


class MixedForest(ClassifierMixin, BaseEstimator):
    """A forest into whose answers those of an overfit one are mixed.

    Parameters
    ----------
    min_samples_leaf : int, default=7
        Of the forest; leaves of the overfit one hold a single record.
    share : float in [0, 1], default=0.0
        Of the overfit one.
    random_state : int or None, default=None
    """

    def __init__(self, min_samples_leaf=7, share=0.0, random_state=None):
        self.min_samples_leaf = min_samples_leaf
        self.share = share
        self.random_state = random_state

    def fit(self, X, y):
        """Train both forests on the same records."""
        self.forests_ = [
            RandomForestClassifier(
                100, min_samples_leaf=leaf, random_state=self.random_state
            ).fit(X, y)
            for leaf in (self.min_samples_leaf, 1)
        ]  # fmt: skip
        self.classes_ = self.forests_[0].classes_
        return self

    def predict_proba(self, X):
        """Return the mixture of both forests' answers."""
        plain, overfit = (forest.predict_proba(X) for forest in self.forests_)
        return (1 - self.share) * plain + self.share * overfit

    def predict(self, X):
        """Return the class with the greatest share."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def run(scale="paper", seed=0, memory=None):
    """Return how often a later report is called worse than an earlier one on the same records.

    For each seed, records are drawn, and three models are trained on the same members: the earlier
    one; another of the same kind with another seed; and one that leaks more. All three are audited
    with the same seed, as a pipeline does.
    """
    smoke = scale != "paper"
    n, seeds = (60, {"quick": 2}) if smoke else (N_RECORDS, N_SEEDS)
    jobs = [(suite, n, seed + s) for suite in seeds for s in range(seeds[suite])]
    memory = open_memory(memory)  # a run that was cut off goes on with what is left
    played = Parallel(n_jobs=1, return_as="generator")(
        delayed(remembered(memory, partial(play, *job)))() for job in jobs
    )
    found = [row for rows in tqdm(played, desc="worsening", total=len(jobs)) for row in rows]
    return tables(found)


def tables(runs):
    """Return how often each kind of later model was called worse, and each comparison."""
    settings: dict = {}
    for one in runs:
        settings.setdefault((one["later model"], one["suite"]), []).append(one)
    out = []
    for (later, suite), found in settings.items():
        worse = sum(one["worse"] > 0 for one in found)
        low, high = clopper_pearson(worse, len(found))
        out.append({
            "later model": later, "suite": suite, "records a side": found[0]["records a side"],
            "seeds": len(found), "called worse": worse, "interval, low": float(low),
            "interval, high": float(high),
            "called worse at 95 %": sum(one["worse at 95 %"] > 0 for one in found),
            "called worse, unpaired": sum(one["worse, unpaired"] > 0 for one in found),
            "points gained": float(np.mean([one["points gained"] for one in found])),
            "seconds an audit": float(np.mean([one["seconds"] for one in found])),
        })  # fmt: skip
    return {"worsening": out, "runs": runs}


@cache
def pool():
    """Return (X, y) of the population, the same for all seeds."""
    return make_classification(
        20_000, 20, n_informative=8, n_classes=4, flip_y=0.1, random_state=0
    )  # fmt: skip


def play(suite, n, s):
    """Return one row for each of the later models."""
    X, y = pool()
    drawn = np.random.default_rng(s).permutation(len(X))
    sides = X[drawn[:n]], y[drawn[:n]], X[drawn[n : 2 * n]], y[drawn[n : 2 * n]]
    models = {
        "": MixedForest(LEAVES[suite], random_state=s),
        "equal, retrained": MixedForest(LEAVES[suite], random_state=1000 + s),
        "worse": MixedForest(LEAVES[suite], SHARES[suite], random_state=2000 + s),
    }
    reports, seconds = {}, {}
    for name, model in models.items():
        before = time.perf_counter()
        reports[name] = audit(model.fit(*sides[:2]), *sides, suite, random_state=s)
        seconds[name] = time.perf_counter() - before
    earlier = reports.pop("")
    return [
        {
            "later model": name, "suite": suite, "seed": s, "records a side": n,
            "worse": len(compare_reports(earlier, report).worse),
            "worse at 95 %": len(compare_reports(earlier, report, confidence=0.95).worse),
            "worse, unpaired": len(compare_reports(earlier, report, same_records=False).worse),
            "points gained": 100 * (strongest(report) - strongest(earlier)),
            "largest lower bound": 100 * max(
                row["low"] for row in compare_reports(earlier, report).rows
                if row["low"] is not None
            ),
            "seconds": seconds[name],
        }
        for name, report in reports.items()
    ]  # fmt: skip


def strongest(report):
    """Return the accuracy of the strongest attack."""
    return report.strongest["accuracy"]
