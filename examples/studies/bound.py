"""How often the bound on the advantage fails, on models whose outputs have atoms."""

from functools import cache

import numpy as np
from joblib import Memory, Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.neighbors import KNeighborsClassifier
from tqdm.auto import tqdm

from examples.studies._data import key_from
from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt._records import number_records

MODELS = {
    "extra trees": ExtraTreesClassifier(25),
    "forest": RandomForestClassifier(25),
    "forest, no bootstrap": RandomForestClassifier(25, bootstrap=False),
    "boosting to the end": HistGradientBoostingClassifier(
        learning_rate=0.5, max_iter=40, early_stopping=False
    ),
    "neighbors, by distance": KNeighborsClassifier(weights="distance"),
}
SETTINGS: dict = {
    "template": {},
    "rows equal": {"pairwise_delta": 0.0},
}
N_FITTED, N_FRESH = 800, 3000  # records on each side, and non-members that are new to the defense
N_DRAWN, N_CELLS = 8, 20


def run(scale="paper", seed=0, memory=None):
    """Return the bound beside the advantage of attackers who know how members and others look.

    Each repetition draws members, non-members and a key, trains the model on the members, fits the
    defense with a template, and attacks its single outputs. The advantage is over the members, all
    of them, and over non-members that nobody has seen. The attackers know how often members and
    non-members fall into each cell, and say "member" where members do so more often. Cells are the
    label, whether it is right, and nothing else ("labels"), one of twenty steps of the confidence
    ("outputs"), or how often the exact vector recurs ("equal outputs"). What they know comes from
    half of the outputs under this very key and the advantage from the other half, and the other way
    round; or else ("other draws", steps of the confidence) from the same records with the draws of
    others, eight times, and the advantage from all outputs under this key.

    The bound is violated where the greatest of these is above it.
    """
    smoke = scale != "paper"
    n_repetitions = 3 if smoke else 200
    names = ("neighbors, by distance",) if smoke else MODELS
    memory = memory if memory is not None else Memory(None)
    jobs = [
        (name, range(start, min(start + 10, seed + n_repetitions)))
        for name in names
        for start in range(seed, seed + n_repetitions, 10)
    ]
    played = Parallel(n_jobs=-1, return_as="generator")(
        delayed(memory.cache(play_some))(*job) for job in jobs
    )
    rows = [row for part in tqdm(played, desc="bound", total=len(jobs)) for row in part]
    return tables(rows)


def tables(rows):
    """Return how often the bound was violated, and how far below it each repetition stayed."""
    runs: dict = {}
    for row in rows:
        found = runs.setdefault(row["seed"], {"seed": row["seed"]})
        found[row["data"]] = round(row["advantage_bound_"] - row["advantage, greatest"], 4)
    return {"violated": summary(rows), "bound less greatest advantage": list(runs.values())}


def summary(rows):
    """Return a row per model and setting: how often the bound was violated, and the means."""
    found: dict = {}
    for row in rows:
        found.setdefault(row["data"], []).append(row)
    out = []
    for data, runs in found.items():
        violated = sum(run["violated"] for run in runs)
        out.append({"data": data, "repetitions": len(runs), "violated": int(violated)})
        means = [key for key in runs[0] if key not in ("data", "seed", "violated")]
        out[-1] |= {key: float(np.mean([run[key] for run in runs])) for key in means}
        least = min(run["advantage_bound_"] - run["advantage, greatest"] for run in runs)
        out[-1]["least distance to the bound"] = least
    return out


def play_some(name, seeds):
    """Return the rows of some repetitions with one model; the unit of the cache."""
    return [row for seed in seeds for row in play(name, seed)]


def play(name, seed, kind=EqualizedClassifier):
    """Return a row per setting of one repetition; `kind` is the class of the defense."""
    pool, classes = population()
    rows = np.random.default_rng(seed).permutation(len(pool))[: 2 * N_FITTED + N_FRESH]
    members, others, fresh = (
        (pool[part], classes[part]) for part in np.split(rows, [N_FITTED, 2 * N_FITTED])
    )
    model = clone(MODELS[name])
    if "random_state" in model.get_params():
        model.set_params(random_state=seed)
    model.fit(*members)
    X = np.concatenate([members[0], fresh[0]])
    y = np.concatenate([members[1], fresh[1]])
    is_member = np.arange(len(X)) < N_FITTED
    proba = model.predict_proba(X)
    right = proba.argmax(axis=1) == y
    out = []
    for setting, params in SETTINGS.items():
        defense = kind(
            model,
            other_classes="template",
            key=key_from("bound", name, seed),
            random_state=seed,
            **params,
        ).fit(members[0], others[0], y_mem=members[1], y_non=others[1])
        rng = np.random.default_rng(seed)
        shown = defense.perturb(proba, X)
        again = [defense.perturb(proba, rng.permutation(X)) for _ in range(N_DRAWN)]
        found = advantages(shown, again, y, is_member, rng)
        greatest = max(found.values())
        bound = defense.advantage_bound_
        out.append(
            {
                "data": f"{name}: {setting}",
                "seed": seed,
                "train accuracy": float(right[is_member].mean()),
                "test accuracy": float(right[~is_member].mean()),
                **{f"advantage, {key}": value for key, value in found.items()},
                "advantage, greatest": greatest,
                "advantage_bound_": bound,
                "violated": greatest > bound,
            }
        )
    return out


@cache
def population():
    """Return the records and labels that every repetition draws from."""
    return make_classification(
        100_000, 20, n_informative=10, n_classes=3, flip_y=0.05, random_state=0
    )


def advantages(shown, again, y, is_member, rng):
    """Return name -> measured advantage of an attacker on single outputs.

    Parameters
    ----------
    shown : ndarray of shape (n, K)
        Outputs under the key that is deployed.
    again : list of ndarray of shape (n, K)
        Outputs for the same records under other draws.
    y : int ndarray of shape (n,)
        True classes.
    is_member : boolean ndarray of shape (n,)
    rng : numpy Generator
        Cuts the outputs into halves.
    """
    label = shown.argmax(axis=1)
    known = 2 * label + (label == y)
    top = shown.max(axis=1)
    edges = np.quantile(top, np.linspace(0, 1, N_CELLS + 1)[1:-1])

    def by_confidence(outputs):
        return N_CELLS * known + np.searchsorted(edges, outputs.max(axis=1), side="right")

    number = number_records(shown)
    recurs = np.log2(np.bincount(number)[number]).astype(int)
    half = rng.random(len(y)) < 0.5

    def crossed(cell):
        both = ((half, ~half), (~half, half))
        return float(np.mean([
            advantage(cell[a], is_member[a], cell[b], is_member[b]) for a, b in both
        ]))  # fmt: skip

    often = np.concatenate([by_confidence(outputs) for outputs in again])
    return {
        "labels": crossed(known),
        "outputs": crossed(by_confidence(shown)),
        "equal outputs": crossed(16 * known + recurs),
        "other draws": advantage(
            often, np.tile(is_member, len(again)), by_confidence(shown), is_member
        ),
    }


def advantage(cell, is_member, asked, truth):
    """Return TPR - FPR on `asked` of saying "member" where members are more frequent in `cell`."""
    n_cells = max(cell.max(), asked.max()) + 1
    share = [np.bincount(cell[side], minlength=n_cells) / side.sum() for side in
             (is_member, ~is_member)]  # fmt: skip
    said = (share[0] > share[1])[asked]
    return float(said[truth].mean() - said[~truth].mean())
