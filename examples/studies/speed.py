"""Time and memory of the perturbation and of the substitute's training, paired in one run."""

import resource
import subprocess
import sys
import time

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from skorch.helper import SliceDict
from torch.nn import functional as F
from tqdm.auto import tqdm

from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier
from sklearn_aeppt._nets._three_branch import ARCHITECTURES, ThreeBranch
from sklearn_aeppt._nets._training import BalancedLoss
from sklearn_aeppt._precomputed import PrecomputedClassifier
from sklearn_aeppt.attacks import MIMAttack

K, T, STEP = 100, 100, 1e-4
N_FEATURES = 500


def run(scale="paper", seed=0):
    """Return the tables of the experiment; see docs/benchmarks.md for what they mean."""
    full = scale == "paper"
    defense = fitted_defense(seed, n=2000 if full else 200)
    tables = {"perturbation": [], "memory": [], "substitute training": []}
    for n, rounds in ((1, 200), (4096, 9)) if full else ((1, 3), (64, 1)):
        tables["perturbation"] += time_perturbation(defense, n, rounds, seed)
    tables["memory"].append(peak_memory(1_000_000 if full else 10_000, seed))
    tables["substitute training"].append(
        time_training(
            40_000 if full else 1_000, epochs=5 if full else 2, rounds=9 if full else 1, seed=seed
        )
    )
    tables["equalized"] = time_equalized(40_000 if full else 1_000, 9 if full else 1, seed)
    return tables


class Stored(ClassifierMixin, BaseEstimator):
    """A model that costs next to nothing: confidences by the number in a record's first feature."""

    def __init__(self, proba):
        self.proba = proba
        self.classes_ = np.arange(proba.shape[1])

    def fit(self, X, y):
        """Do nothing."""
        return self

    def predict_proba(self, X):
        """Return the stored confidences."""
        return self.proba[X[:, 0].astype(np.intp)]

    def __sklearn_is_fitted__(self):
        return True


def time_equalized(n, rounds, seed):
    """Return rows of the seconds to fit, and the microseconds a record beyond the model's own.

    500 features; half of the records are asked, all at once and one at a time, model and defense
    in turn.
    """
    rng = np.random.default_rng(seed)
    p = confident_vectors(n, rng)
    p[n // 2 :] = 0.7 * p[n // 2 :] + 0.3 / K
    is_member = np.arange(n) < n // 2
    y = np.where(is_member | (rng.random(n) < 0.7), p.argmax(axis=1), rng.integers(K, size=n))
    X = rng.standard_normal((n, N_FEATURES), dtype=np.float32)
    X[:, 0] = np.arange(n)
    model, rows = Stored(p), []
    for other_classes in ("ranking", "auto"):
        start = time.perf_counter()
        defense = EqualizedClassifier(model, other_classes=other_classes, random_state=seed)
        defense.fit(X, y, is_member=is_member)
        row = {"other_classes": other_classes, "fitted records": n, "classes": K}
        row |= {"features": N_FEATURES, "seconds to fit": time.perf_counter() - start}
        for name, asked, times in (("row", X[::2], rounds), ("single record", X[:1], 200 * rounds)):
            beyond = []
            for _ in range(times):
                started = time.perf_counter()
                model.predict_proba(asked)
                between = time.perf_counter()
                defense.predict_proba(asked)
                took = time.perf_counter() - between - (between - started)
                beyond.append(1e6 * took / len(asked))
            row[f"µs a {name}, median"] = float(np.median(beyond))
            row[f"least, {name}"] = min(beyond)
        rows.append(row)
    return rows


def confident_vectors(n, rng):
    """Return n probability vectors as an overfit model gives them, float32 (n, K)."""
    return rng.dirichlet(np.full(K, 0.02), n).astype(np.float32)


def fitted_defense(seed, n):
    """Return a defense fitted on n made-up answers of K classes a side."""
    rng = np.random.default_rng(seed)
    members, non_members = confident_vectors(n, rng), 0.7 * confident_vectors(n, rng) + 0.3 / K
    substitute = MIMAttack("substitute", max_epochs=5)
    defense = AEPPTClassifier(
        PrecomputedClassifier(np.arange(K)),
        step_size=STEP,
        substitute=substitute,
        random_state=seed,
    )
    return defense.fit(members, non_members.astype(np.float32))


def autograd_loop(module, p, label, draws):
    """Algorithm 1 as one would write it down: loss and autograd, the whole batch at once."""
    belief = (module(p, label) >= 0).to(p.dtype)
    q = p
    for r in draws:
        q = q.detach().requires_grad_()
        loss = F.binary_cross_entropy_with_logits(module(q, label), belief, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, q)
        q = (q.detach() + r[:, None] * STEP * gradient.sign()).clamp(0, 1)
    return q


def matrix_products(module, p, size=1024):
    """Only the products that the iterations cannot do without, in blocks."""
    w1 = module.prediction[0].weight.detach()
    w2 = module.joint[0].weight.detach()[:, : w1.shape[0]].contiguous()
    for start in range(0, len(p), size):
        q = p[start : start + size]
        a, b = q.new_empty(len(q), w1.shape[0]), q.new_empty(len(q), w2.shape[0])
        c, d = torch.empty_like(a), torch.empty_like(q)
        for _ in range(T):
            torch.mm(q, w1.T, out=a)
            torch.mm(a, w2.T, out=b)
            torch.mm(b, w2, out=c)
            torch.mm(c, w1, out=d)


def art_basic_iterative_method(module):
    """Return the Adversarial Robustness Toolbox's BIM on the same network, or None without it."""
    try:
        from art.attacks.evasion import BasicIterativeMethod
        from art.estimators.classification import PyTorchClassifier
    except ImportError:
        return None

    class TwoClasses(torch.nn.Module):
        """The MIM as a classifier of confidences alone; the label is their argmax."""

        def __init__(self):
            super().__init__()
            self.mim = module

        def forward(self, p):
            logit = self.mim(p, p.argmax(dim=1))
            return torch.stack([torch.zeros_like(logit), logit], dim=1)

    classifier = PyTorchClassifier(
        TwoClasses(),
        torch.nn.CrossEntropyLoss(),
        input_shape=(K,),
        nb_classes=2,
        clip_values=(0, 1),
    )
    attack = BasicIterativeMethod(
        classifier, eps=1.0, eps_step=STEP, max_iter=T, batch_size=4096, verbose=False
    )
    return attack.generate


def time_perturbation(defense, n, rounds, seed):
    """Return a row per contender: seconds, and its ratio to ours, paired round by round."""
    proba = confident_vectors(n, np.random.default_rng(seed))
    p, label = torch.as_tensor(proba), torch.as_tensor(proba.argmax(1))
    draws = torch.rand(T, n, generator=torch.Generator().manual_seed(seed))
    module = defense.substitute_.module_
    bim = art_basic_iterative_method(module)
    contenders = {
        "AEPPTClassifier.perturb": lambda: defense.perturb(proba),
        "plain autograd loop": lambda: autograd_loop(module, p, label, draws),
        "matrix products alone": lambda: matrix_products(module, p),
    }
    if bim is not None:
        contenders["ART BasicIterativeMethod"] = lambda: bim(proba)
    seconds = {name: [] for name in contenders}
    for round_ in tqdm(range(rounds + 1), desc=f"{n} records"):
        for name, call in contenders.items():
            start = time.perf_counter()
            call()
            if round_:  # the first one warms up
                seconds[name].append(time.perf_counter() - start)
    ours = np.array(seconds["AEPPTClassifier.perturb"])
    return [
        {"records": n, "what": name, "rounds": rounds, "seconds": float(np.median(s)),
         **spread("times ours", np.array(s) / ours)}
        for name, s in seconds.items()
    ]  # fmt: skip


def spread(name, ratios):
    """Return median, lowest and highest of paired ratios as table cells."""
    return {
        name: float(np.median(ratios)),
        "lowest": float(ratios.min()),
        "highest": float(ratios.max()),
    }


def peak_memory(n, seed):
    """Return the peak memory of perturbing n rows, beyond input and output, in MB.

    Measured in a process of its own, from after the fit to after the call.
    """
    code = f"from examples.studies.speed import _memory_here; _memory_here({n}, {seed})"
    before, after, arrays = map(
        int, subprocess.check_output([sys.executable, "-c", code], text=True).split()
    )
    return {
        "records": n,
        "input and output, MB": arrays / 1e6,
        "peak beyond them, MB": (after - before) * 1024 / 1e6,
    }


def _memory_here(n, seed):
    defense = fitted_defense(seed, n=200)
    defense.perturb(confident_vectors(10, np.random.default_rng(seed)))
    rng = np.random.default_rng(seed)
    proba = np.empty((n, K), dtype=np.float32)
    for start in range(0, n, 10_000):
        proba[start : start + 10_000] = confident_vectors(min(10_000, n - start), rng)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shown = defense.perturb(proba)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # the input stands in memory already, the output comes on top
    print(before, after - shown.nbytes // 1024, proba.nbytes + shown.nbytes)


def time_training(n, epochs, rounds, seed):
    """Return the substitute's training time over a bare torch loop of the same steps."""
    proba = confident_vectors(n, np.random.default_rng(seed))
    label, member = proba.argmax(1), np.arange(n) % 2
    view = SliceDict(proba=proba, label=label)

    def ours():
        MIMAttack("substitute", max_epochs=epochs, random_state=seed).fit(view, member)

    def bare():
        generator = torch.Generator().manual_seed(seed)
        module = ThreeBranch(K, **ARCHITECTURES["substitute"], seed=seed)
        adam = torch.optim.Adam(module.parameters(), lr=0.001, fused=True)
        loss_of = BalancedLoss("cross_entropy", 1.0)
        p, c = torch.as_tensor(proba), torch.as_tensor(label)
        y = torch.as_tensor(member, dtype=torch.float32)
        for _ in range(epochs):
            order = torch.randperm(n, generator=generator)
            for start in range(0, n, 256):
                rows = order[start : start + 256]
                adam.zero_grad()
                loss_of(module(p[rows], c[rows]), y[rows]).backward()
                adam.step()

    ratios, seconds = [], []
    for _ in tqdm(range(rounds), desc="training"):
        times = []
        for call in (ours, bare):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        ratios.append(times[0] / times[1])
        seconds.append(times[0])
    return {
        "records": n, "epochs": epochs, "rounds": rounds, "seconds": float(np.median(seconds)),
        **spread("times a bare loop", np.array(ratios)),
    }  # fmt: skip
