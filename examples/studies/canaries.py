"""Shadow models that carry the out-of-fold defense: ordinary records, and mislabeled canaries."""

from functools import partial

import numpy as np
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from tqdm.auto import tqdm

from examples.studies._data import tables
from examples.studies.out_of_fold import BITS, chosen, defense_of, records
from sklearn_aeppt._remember import open_memory, remembered
from sklearn_aeppt._seeding import seed_alike
from sklearn_aeppt.attacks import BitFlips, GaussianNoise, LiRAAttack, RMIAAttack
from sklearn_aeppt.attacks._shadow_models import balanced_design, confidences, label_and_rest
from sklearn_aeppt.paper._experiments import summary

N = 3000  # ordinary records, each of which trains half of the models
N_CANARIES = 200  # mislabeled records, and as many again with a near-duplicate beside them
N_MODELS = 17  # each in turn the target, with fifteen of the others as shadow models
N_BOOT = 200  # resamples of records, for an interval over all targets
FLIPS, SCALES = (1, 2, 4, 8), (0.1, 0.2, 0.4, 0.8)  # variants, two of each size


def run(scale="paper", seed=0, data=None, dataset=None, memory=None):
    """Return what shadow models find per model, defense, kind of record and seed.

    The kinds: ordinary records; records with a wrong label; records with a wrong label in whose
    training set there is a near-duplicate, one to three bits or a twentieth of a deviation away,
    with the same wrong label. Every record trains half of the models. Each model is a target, with
    all but one of the others as shadow models, defended as it is; figures are over all targets.
    """
    smoke = scale != "paper"
    bits = [] if data is None else [name for name in tables(data) if name in BITS]
    names = chosen([*bits, "make_purchase", "forest, out of bag", "boosting"], smoke, dataset)
    sizes = (120, 20, 8) if smoke else (N, N_CANARIES, N_MODELS)
    games = [(name, s) for s in range(seed, seed + (1 if smoke else 3)) for name in names]
    rows = []
    for name, s in tqdm(games, desc="canaries"):
        rows += play(name, s, data, sizes, open_memory(memory))
    return {"runs": rows, "mean and standard deviation over seeds": summary(rows)}


def play(name, seed, data, sizes, memory):
    """Return the rows of one data set and seed."""
    n, n_canaries, n_models = sizes
    rng = np.random.RandomState(seed)
    model, X, y = records(name, seed, data, -(-(n + 2 * n_canaries) // 3))
    n = min(n, len(X) - 2 * n_canaries)
    X, y = X[: n + 2 * n_canaries], y[: n + 2 * n_canaries].copy()
    kind = np.repeat(["ordinary", "mislabeled", "with a near-duplicate"], [n] + [n_canaries] * 2)
    wrong = kind != "ordinary"
    classes, label = np.unique(y, return_inverse=True)
    label[wrong] += rng.randint(1, len(classes), wrong.sum())
    y = classes[label % len(classes)]
    design = balanced_design(n_models, X, 0.5, rng)
    near = np.flatnonzero(kind == "with a near-duplicate")
    if name in BITS:
        changes = [BitFlips(n_flips=k) for k in (1, 2, 3)]
        vary = [BitFlips(n_flips=k) for k in FLIPS for _ in range(2)]
    else:
        changes = [GaussianNoise(0.05, relative=True)]
        vary = [GaussianNoise(scale, relative=True) for scale in SCALES for _ in range(2)]
    beside = X[near].copy()
    for i, change in enumerate(changes):
        beside[i :: len(changes)] = change(X[near], rng)[i :: len(changes)]
    pool = np.concatenate([X, beside]).astype(np.float32), np.r_[y, y[near]]
    design = np.c_[design, design[:, near]]
    asked = [X, *(change(X, rng).astype(np.float32) for change in vary)]
    model.set_params(random_state=None)  # every shadow model has its own
    templates = {"undefended": model, "out of fold": defense_of(name, model, None)}
    rows = []
    for title, template in templates.items():
        jobs = [(template, i, *pool, is_in, asked, y) for i, is_in in enumerate(design)]
        calls = [remembered(memory, partial(answers, *job)) for job in jobs]
        found = [call() for call in tqdm(calls, desc=f"{name}: {title}")]
        shown, right = map(np.stack, zip(*found))
        for which in np.unique(kind):
            here = kind == which
            given = shown[:, here], right[:, here], design[:, : len(X)][:, here]
            rows.append({"data": f"{name}: {title}, {which}", "seed": seed})
            rows[-1] |= judged(*given, rng)
    return rows


def answers(template, i, X, y, is_in, asked, label):
    """Train a model; return confidence of the label and the rest, and how often it is right."""
    model = seed_alike(clone(template), i).fit(X[is_in], y[is_in])
    known, column = np.unique(label, return_inverse=True)
    columns = known, np.arange(len(known))
    said = [confidences(model, records, len(known), columns) for records in asked]
    right = np.mean([proba.argmax(axis=1) == column for proba in said], axis=0)
    return label_and_rest(said[0], column), right


def judged(shown, right, design, rng):
    """Return AUC and TPR of every score, pooled over pairs of targets.

    Every model and the next one are targets for the records that one of them was trained on and
    the other was not, with all other models as shadow models: as many trained on a record stand
    beside either target, so that their number, and moments of more or fewer, tell nothing.
    """
    votes = np.stack([0.9 * right + 0.05, 0.95 - 0.9 * right], axis=-1)  # no logarithm of zero
    scores = {"LiRA": [], "RMIA": [], "label-only LiRA": [], "loss": []}
    told = []  # of each target: the records that it is asked about
    for i in range(len(design)):
        pair = [i, (i + 1) % len(design)]
        differ = design[pair[0]] != design[pair[1]]
        others = np.setdiff1d(np.arange(len(design)), pair)
        for one in pair:
            known = np.where(rng.random_sample(len(differ)) < 0.5, design[one], -1)
            given = design[others], known.astype(int)
            scores["LiRA"].append(LiRAAttack()._score(shown[one], shown[others], *given))
            scores["RMIA"].append(RMIAAttack()._score(shown[one], shown[others], *given))
            label = LiRAAttack()._score(votes[one], votes[others], *given)
            scores["label-only LiRA"].append(label)
            scores["loss"].append(shown[one][:, 0])
            told.append((differ, design[one]))
    asked, is_member = map(np.stack, zip(*told))
    found = {"records": design.shape[1], "models": len(design)}
    for name, parts in scores.items():
        score = scores[name] = np.stack(parts)
        found[f"{name}, AUC"] = float(roc_auc_score(is_member[asked], score[asked]))
        for fpr in (0.01, 0.001):
            tpr = pooled_tpr(score[asked], is_member[asked], fpr)
            found[f"{name}, TPR at {100 * fpr:g} % FPR"] = tpr
    worst = max(scores, key=lambda name: found[f"{name}, TPR at 1 % FPR"])
    drawn = [rng.randint(0, design.shape[1], design.shape[1]) for _ in range(N_BOOT)]
    ends = [
        pooled_tpr(scores[worst][:, rows][asked[:, rows]], is_member[:, rows][asked[:, rows]], 0.01)
        for rows in drawn
    ]
    low, high = np.quantile(ends, (0.025, 0.975))
    return found | {
        "strongest AUC": max(found[f"{name}, AUC"] for name in scores),
        "strongest TPR at 1 % FPR": found[f"{worst}, TPR at 1 % FPR"],
        "its interval, low": float(low),
        "its interval, high": float(high),
    }


def pooled_tpr(score, is_member, fpr):
    """Return the share of members above the threshold that `fpr` of all non-members exceed."""
    threshold = np.quantile(score[~is_member], 1 - fpr, method="higher")
    return float((score[is_member] > threshold).mean())
