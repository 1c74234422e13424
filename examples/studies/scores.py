"""Every score from one matrix of 4 to 64 shadow models, on the same targets."""

import numpy as np
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import roc_auc_score
from tqdm.auto import tqdm

from examples.studies._data import overfit_network, tables
from sklearn_aeppt._remember import open_memory
from sklearn_aeppt.attacks import BaVarIAAttack, LabelOnlyLiRAAttack, LiRAAttack, RMIAAttack
from sklearn_aeppt.attacks._fit_params import FitParams
from sklearn_aeppt.attacks._shadow_models import answers_seen, balanced_design, train_shadow_models
from sklearn_aeppt.paper._experiments import summary

N = 3000  # records, of which every model is trained on half
N_MODELS = (4, 8, 16, 64)  # shadow models; fewer are the first of more
N_TARGETS = 8  # beside them: 12,000 non-members together
BITS = ("location30", "walmart37")
SCORES = {
    "loss": None,
    "LiRA": LiRAAttack(),
    "LiRA, pooled variance": LiRAAttack(variance="pooled"),
    "LiRA, variance per record": LiRAAttack(variance="per_record"),
    "BaVarIA": BaVarIAAttack(),
    "BaVarIA, Gaussian": BaVarIAAttack(form="gaussian"),
    "BaVarIA, pooled prior mean": BaVarIAAttack(prior_mean="pooled"),
    "BaVarIA, confidence": BaVarIAAttack(statistic="confidence"),
    "RMIA": RMIAAttack(),
    "BASE": RMIAAttack(form="ratio"),
    "label-only LiRA": LabelOnlyLiRAAttack(),
    "LiRA, proxies (PMIA)": LiRAAttack(mode="proxy"),
    "BaVarIA, proxies": BaVarIAAttack(mode="proxy"),
    "LiRA, offline": LiRAAttack(mode="offline"),
    "BaVarIA, offline": BaVarIAAttack(mode="offline"),
    "RMIA, offline": RMIAAttack(mode="offline"),
    "BASE, offline": RMIAAttack(mode="offline", form="ratio"),
}


def run(scale="paper", seed=0, data=None, dataset=None, memory=None):
    """Return AUC and TPR at low FPR of every score, for each target, number of models and seed.

    Per seed, 64 shadow models and 8 targets, each trained on a random half of the records. The
    first 4, 8 and 16 of the shadow models are balanced designs themselves. A target is compared
    with shadow models only, never with other targets. AUC is the mean over the targets; the
    threshold of a TPR is that of their non-members together.
    """
    smoke = scale != "paper"
    bits = [] if data is None else [name for name in tables(data) if name in BITS]
    names = [*bits, "digits-forest", "boosted-table"]
    if dataset is not None and dataset not in names:
        raise ValueError(f"dataset={dataset!r}: choose from {', '.join(names)}.")
    names = ["digits-forest"] if smoke else names if dataset is None else [dataset]
    sizes = (200, (4, 8), 2) if smoke else (N, N_MODELS, N_TARGETS)
    games = [(name, s) for s in range(seed, seed + (1 if smoke else 3)) for name in names]
    rows = []
    for name, s in tqdm(games, desc="scores"):
        rows += play(name, s, data, sizes, open_memory(memory))
    return {"runs": rows, "mean and standard deviation over seeds": summary(rows)}


def records(name, seed, data, n):
    """Return (unfitted model, X, y) of n records at most."""
    if name in BITS:
        X, y = tables(data)[name]
        model = overfit_network(None)
    elif name == "digits-forest":
        X, y = load_digits(return_X_y=True)
        model = RandomForestClassifier(100)
    else:
        X, y = make_classification(
            n, 20, n_informative=12, n_redundant=3, n_classes=5, flip_y=0.05, random_state=seed
        )
        model = HistGradientBoostingClassifier(max_iter=50)
    rows = np.random.default_rng(seed).permutation(len(X))[:n]
    return model, X[rows].astype(np.float32), y[rows]


def play(name, seed, data, sizes, memory):
    """Return the rows of one data set and seed."""
    n, n_models, n_targets = sizes
    model, X, y = records(name, seed, data, n)
    rng = np.random.RandomState(seed)
    blocks = max(n_models) // n_models[0]  # of which each is balanced, and so are several
    designs = [balanced_design(n_models[0], X, 0.5, rng) for _ in range(blocks)]
    targets = [rng.permutation(len(X)) < len(X) // 2 for _ in range(n_targets)]
    classes, label = np.unique(y, return_inverse=True)
    answers, _ = train_shadow_models(
        model,
        X,
        (label, y),
        np.vstack([*designs, *targets]),
        FitParams({}, {}),
        len(classes),
        seed=seed,
        read=answers_seen,
        keep_models=False,
        n_jobs=None,
        memory=memory,
        verbose=1,
    )
    shadows, shown, is_member = answers[:-n_targets], answers[-n_targets:], np.stack(targets)
    in_mask = np.vstack(designs)
    known = rng.permutation(len(X)) < len(X) // 2
    rows = []
    for n_used in n_models:
        given = shadows[:n_used], in_mask[:n_used]
        for score, attack in SCORES.items():
            found = scores_of(attack, shown, *given, is_member, known)
            rows.append({"data": f"{name}, {n_used} models: {score}", "seed": seed})
            rows[-1]["AUC"] = float(np.mean([*map(roc_auc_score, is_member, found)]))
            for fpr in (0.01, 0.001):
                tpr = pooled_tpr(found, is_member, fpr)
                rows[-1][f"TPR at {100 * fpr:g} % FPR"] = tpr
    return rows


def scores_of(attack, shown, shadows, in_mask, is_member, known):
    """Return a score of each target's answer to each record, (n_targets, n).

    RMIA is told who is a member in one half of the records, and is asked about the other half; then
    the halves change places. The other scores need not be told.
    """
    if attack is None:
        return shown[..., 0]
    if not isinstance(attack, RMIAAttack):
        return attack._score(shown, shadows, in_mask, None)
    score = np.empty(shown.shape[:2])
    for told in (known, ~known):
        for one, answers, member in zip(score, shown, is_member):
            said = np.where(told, member, -1).astype(int)
            one[~told] = attack._score(answers, shadows, in_mask, said)[~told]
    return score


def pooled_tpr(score, is_member, fpr):
    """Return the share of members above the threshold that `fpr` of all non-members exceed."""
    threshold = np.quantile(score[~is_member], 1 - fpr, method="higher")
    return float((score[is_member] > threshold).mean())
