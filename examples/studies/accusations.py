"""Statements about chance, counted: false discoveries, the bound from one run, blind baselines."""

from functools import partial

import numpy as np
from joblib import Parallel, delayed
from scipy.special import expit
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from tqdm.auto import tqdm

from sklearn_aeppt._remember import open_memory, remembered
from sklearn_aeppt.attacks import GapAttack, ThresholdAttack, query
from sklearn_aeppt.audit import audit
from sklearn_aeppt.audit._before import before
from sklearn_aeppt.audit._units import Records, split_halves
from sklearn_aeppt.metrics import (
    accused_records,
    clopper_pearson,
    most_certain_guesses,
    one_run_epsilon,
)

ALPHA = 0.1
#: Each decides by another value, so that the audit has a choice of lists.
ATTACKS = {
    "labels": GapAttack(),
    **{name: ThresholdAttack(name) for name in ("confidence", "loss", "entropy")},
    "global": ThresholdAttack("confidence", per_class=False),
}
DELTA = 1e-5
#: (epsilon of randomized response, coins, guesses)
RESPONSES = ((0.5, 200, 200), (1.0, 200, 200), (2.0, 200, 200), (4.0, 200, 200), (1.0, 1000, 1000))
#: (mu of Gaussian noise, coins, guesses): the guesses are the most extreme scores
GAUSSIANS = ((0.5, 200, 200), (1.0, 500, 100), (2.0, 500, 100))
#: (records a side, columns that are shifted, by how many deviations)
SHIFTS = (
    (250, 0, 0.0), (1000, 0, 0.0), (250, 1, 0.5), (250, 1, 1.0), (1000, 1, 0.25), (1000, 1, 0.5),
    (250, 5, 0.3), (1000, 5, 0.15),
)  # fmt: skip


def run(scale="paper", seed=0, memory=None):
    """Return how often each statement fails, with its interval."""
    smoke = scale != "paper"
    n_lists, n_runs, n_fair, n_shifted = (4, 20, 2, 2) if smoke else (200, 500, 100, 40)
    size = 60 if smoke else 150
    jobs = [
        *(partial(lists, kind, size, s) for kind in LISTS for s in range(seed, seed + n_lists)),
        *(partial(coins, *r, n_runs, seed) for r in RESPONSES),
        *(partial(noise, *g, n_runs, seed) for g in GAUSSIANS),
        *(
            partial(blind, *x, s)
            for x in SHIFTS
            for s in range(seed, seed + (n_shifted if x[1] else n_fair))
        ),
    ]
    memory = open_memory(memory)
    played = Parallel(n_jobs=-1, return_as="generator")(
        delayed(remembered(memory, job))() for job in jobs
    )
    found = list(tqdm(played, desc="accusations", total=len(jobs)))
    return tables(found)


def tables(found):
    """Return one table for each kind of statement."""
    groups: dict = {}
    for row in found:
        groups.setdefault(row["table"], {}).setdefault(row["data"], []).append(row)
    return {
        "false discoveries": [of_lists(*item) for item in groups["lists"].items()],
        "one run": [of_runs(*item) for item in groups["runs"].items()],
        "blind baseline": [of_splits(*item) for item in groups["splits"].items()],
    }


def of_lists(data, rows):
    """Return the false discovery rate over seeds, with its interval."""
    share = np.array([row["false share"] for row in rows])
    half = 1.96 * share.std(ddof=1) / np.sqrt(len(share))
    if np.isin(share, [0, 1]).all():  # random membership: a list is wrong altogether, or empty
        low, high = clopper_pearson(int(share.sum()), len(share))
    else:
        low, high = share.mean() - half, share.mean() + half
    return {
        "data": data, "seeds": len(rows), "stated rate": ALPHA,
        "false discovery rate": float(share.mean()),
        "interval, low": float(low), "interval, high": float(high),
        "lists that are not empty": sum(row["accused"] > 0 for row in rows),
        "accused, mean": float(np.mean([row["accused"] for row in rows])),
        "members found": float(np.mean([row["found"] for row in rows])),
    }  # fmt: skip


def of_runs(data, rows):
    """Return how often the bound was above the truth, with its interval."""
    (row,) = rows
    low, high = clopper_pearson(row["above"], row["runs"])
    return {
        "data": data, "coins": row["coins"], "guesses": row["guesses"], "runs": row["runs"],
        "truth": row["truth"], "bound above the truth": row["above"],
        "interval, low": float(low), "interval, high": float(high),
        "bound, mean": row["mean"], "ceiling": row["ceiling"],
    }  # fmt: skip


def of_splits(data, rows):
    """Return how often the blind baseline called out a split."""
    called = sum(row["differs"] for row in rows)
    low, high = clopper_pearson(called, len(rows))
    return {
        "data": data, "records a side": rows[0]["records a side"], "seeds": len(rows),
        "called out": called, "interval, low": float(low), "interval, high": float(high),
        "AUC, mean": float(np.mean([row["auc"] for row in rows])),
    }  # fmt: skip


# ---- lists


def lists(kind, n, seed):
    """Return the false share of one list."""
    accused, false, found = LISTS[kind](n, seed)
    share = false / max(1, accused)
    return {
        "table": "lists",
        "data": kind,
        "accused": accused,
        "false share": share,
        "found": found,
    }


def forest(n, seed):
    """Return a forest that leaks, fitted on the first 2 n of 8 n records, and the records."""
    X, y = make_classification(
        8 * n, 20, n_informative=8, n_classes=4, flip_y=0.1, random_state=seed
    )  # fmt: skip
    return RandomForestClassifier(50, random_state=seed).fit(X[: 2 * n], y[: 2 * n]), X, y


def in_audit(n, seed):
    """Nobody audited trained the forest: whoever the audit accuses, is accused wrongly."""
    model, X, y = forest(n, seed)
    X, y = X[2 * n :], y[2 * n :]
    m = np.random.default_rng(seed).permutation(len(X)) < len(X) // 2
    report = audit(model, X[m], y[m], X[~m], y[~m], ATTACKS, random_state=seed)
    n_accused = len(report.accused)
    return n_accused, n_accused, 0.0


def single_score(n, seed):
    """Nobody in question trained the forest, and the score is one that needs no training."""
    model, X, y = forest(n, seed)
    score = loss_score(model, X[2 * n :], y[2 * n :])
    accused = accused_records(score[: n // 3], score[n // 3 :], alpha=ALPHA).accused
    return int(accused.sum()), int(accused.sum()), 0.0


def half_are_members(n, seed):
    """Half of the records in question trained the forest."""
    model, X, y = forest(n, seed)
    score = loss_score(model, X, y)
    accused = accused_records(score[n : 3 * n], score[3 * n :], alpha=ALPHA).accused
    return int(accused.sum()), int(accused[n:].sum()), float(accused[:n].mean())


def few_are_members(n, seed):
    """A tenth of the records in question trained the forest."""
    model, X, y = forest(n, seed)
    score = loss_score(model, X, y)
    few = n // 5
    accused = accused_records(score[2 * n - few : 4 * n - few], score[4 * n - few :], alpha=ALPHA)
    accused = accused.accused
    return int(accused.sum()), int(accused[few:].sum()), float(accused[:few].mean())


def loss_score(model, X, y):
    """Return the score of the loss attack, fitted on membership that says nothing."""
    view = query(model, X, y)
    anybody = np.arange(len(X)) % 2 == 0
    return ThresholdAttack("loss", per_class=False).fit(view, anybody).decision_function(view)


LISTS = {
    "random membership, the list of an audit with five attacks": in_audit,
    "random membership, loss": single_score,
    "half of the records are members, loss": half_are_members,
    "a tenth of the records are members, loss": few_are_members,
}


# ---- one run


def coins(epsilon, m, r, n_runs, seed):
    """Return how often the bound is above the epsilon of randomized response."""
    rng, bounds = np.random.default_rng(seed), []
    for _ in range(n_runs):
        truth = rng.random(m) < 0.5
        guess = np.where(rng.random(m) < expit(epsilon), truth, ~truth)
        bounds.append(one_run_epsilon(truth, guess))
    return runs(f"randomized response, epsilon {epsilon:g}", epsilon, m, r, bounds, float)


def noise(mu, m, r, n_runs, seed):
    """Return how often the bound is above the mu of Gaussian noise, with abstention."""
    rng, bounds = np.random.default_rng(seed), []
    for _ in range(n_runs):
        truth = rng.random(m) < 0.5
        guess = most_certain_guesses(mu * truth + rng.normal(size=m), r)
        bounds.append(one_run_epsilon(truth, guess, delta=DELTA, family="gaussian"))
    return runs(f"Gaussian noise, mu {mu:g}", mu, m, r, bounds, lambda bound: bound.mu)


def runs(data, truth, m, r, bounds, value):
    values = np.array([value(bound) for bound in bounds])
    return {
        "table": "runs", "data": f"{data}, {r} of {m}", "coins": m, "guesses": r,
        "runs": len(values), "truth": truth, "above": int((values > truth).sum()),
        "mean": float(values.mean()), "ceiling": bounds[0].ceiling,
    }  # fmt: skip


# ---- blind baseline


def blind(n, columns, shift, seed):
    """Return whether members are called out whose first columns are shifted."""
    rng = np.random.default_rng(seed)
    X, y = make_classification(
        2 * n, 20, n_informative=8, n_classes=4, flip_y=0.1, shuffle=True, random_state=seed
    )  # fmt: skip
    m = rng.permutation(2 * n) < n
    X[m, :columns] += shift * X[:, :columns].std(axis=0)
    found = before(X, y, Records(m, split_halves(m, None, seed)), seed)["blind"]
    what = f"{columns} of 20 columns shifted by {shift:g}" if columns else "fair"
    return {
        "table": "splits", "data": f"{what}, {n} a side", "records a side": n, "auc": found["auc"],
        "differs": found["differs"],
    }  # fmt: skip
