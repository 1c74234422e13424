"""What deployment does to a defended model: rows, threads, processes, forks, hours of calls."""

import multiprocessing
import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from examples.studies._data import key_from
from sklearn_aeppt import AEPPTClassifier, EqualizedClassifier
from sklearn_aeppt.attacks import MIMAttack
from sklearn_aeppt.defenses import (
    MemGuardClassifier,
    RoundingClassifier,
    TemperatureClassifier,
    TopKClassifier,
)


def run(scale="paper", seed=0):
    """Return one row per check and defense: how much was tried, and what went wrong.

    "rows amiss" counts rows that are no probability vectors, moved their argmax, or differ from
    what one plain call shows; "undefended" rows that a defense which moves every row showed as
    they came.
    """
    full = scale == "paper"
    checks = [
        (many_rows, 10_000_000 if full else 20_000),
        (many_classes, 5000 if full else 50),
        (threads, 16 if full else 4),
        (processes, 4 if full else 1),
        (forks, 4 if full else 1),
        (calls, 10_000 if full else 200),
        (layouts, 1000),
        (blas_threads, 1000),
    ]
    rows = []
    for check, size in tqdm(checks, desc="hardening"):
        rows += check(size, np.random.default_rng(seed))
    return {"checks": rows}


class Given:
    """A model whose records are its confidences, so that draws belong to something."""

    def __init__(self, n_classes):
        self.classes_ = np.arange(n_classes)

    def predict_proba(self, X):
        """Return the records."""
        return np.asarray(X)


def fitted(n_classes, rng, names=("AEPPT", "equalized")):
    """Return name -> defense of made-up answers to `n_classes` classes."""
    model, n = Given(n_classes), 400
    p, y = answers(n, n_classes, rng), rng.integers(n_classes, size=n)
    is_member = np.arange(n) < 200
    y[is_member] = p[is_member].argmax(axis=1)
    substitute = MIMAttack("substitute", max_epochs=5)
    keyed = {"key": key_from("hardening"), "random_state": 0}
    made = {
        "AEPPT": AEPPTClassifier(model, step_size=1e-3, substitute=substitute, **keyed),
        "equalized": EqualizedClassifier(model, **keyed),
        "equalized, template": EqualizedClassifier(model, other_classes="template", **keyed),
        "MemGuard": MemGuardClassifier(model, max_iter=20, defense_classifier=substitute, **keyed),
        "rounding": RoundingClassifier(model, decimals=2),
        "top 1": TopKClassifier(model, k=1),
        "temperature": TemperatureClassifier(model),
    }
    return {
        name: made[name].fit(p, y, is_member=is_member)
        for name in (made if names is None else names)
    }


def answers(n, n_classes, rng):
    """Return n vectors of confidences, float32."""
    p = rng.standard_gamma(0.2, size=(n, n_classes), dtype=np.float32) + np.float32(1e-6)
    return p / p.sum(axis=1, keepdims=True)


def amiss(p, shown, expected=None):
    """Count the rows of a defense's answer that are not as they must be."""
    wrong = ~np.isfinite(shown).all(axis=1) | (shown < 0).any(axis=1)
    wrong |= np.abs(shown.sum(axis=1, dtype=np.float64) - 1) > 1e-5
    wrong |= shown.argmax(axis=1) != p.argmax(axis=1)
    if expected is not None:
        wrong |= (shown != expected).any(axis=1)
    return int(wrong.sum())


def many_rows(n, rng):
    """Ten million records with two classes, in chunks out of a memory-mapped file."""
    out, size = [], min(n, 500_000)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "asked.npy"
        asked = np.lib.format.open_memmap(file, "w+", np.float32, (n, 2))
        for start in range(0, n, size):
            asked[start : start + size] = answers(len(asked[start : start + size]), 2, rng)
        asked.flush()
        for name, defense in fitted(2, rng).items():
            asked, wrong, same = np.load(file, mmap_mode="r"), 0, 0
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for start in range(0, n, size):
                p = asked[start : start + size]
                shown = defense.predict_proba(p)
                wrong += amiss(p, shown)
                same += int((shown == p).all(axis=1).sum())
            rise = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            out.append(row(
                "rows in chunks of a memory map", name, rows=n, amiss=wrong,
                undefended=same if name == "AEPPT" else None, peak=rise,
            ))  # fmt: skip
    return out


def many_classes(most, rng):
    """Two classes, and thousands."""
    out = []
    for k in (2, most):
        p = answers(200, k, rng)
        for name, defense in fitted(k, rng, None).items():
            out.append(
                row(f"{k} classes", name, rows=len(p), amiss=amiss(p, defense.perturb(p, p)))
            )
    return out


def threads(n, rng):
    """Threads that ask one object at once are told what one alone is told."""
    return [
        at_once(f"{n} threads at once", name, defense, ThreadPoolExecutor(n), n, rng)
        for name, defense in fitted(10, rng).items()
    ]


def processes(n, rng):
    """New processes that were sent the object answer like this one."""
    context = multiprocessing.get_context("spawn")
    return [
        at_once(f"{n} processes at once", name, defense, ProcessPoolExecutor(n, context), n, rng)
        for name, defense in fitted(10, rng).items()
    ]


def forks(n, rng):
    """Children forked after torch has used its threads answer, and do not hang."""
    context = multiprocessing.get_context("fork")
    out = []
    for name, defense in fitted(10, rng).items():
        torch.ones(500, 500) @ torch.ones(500, 500)
        pool = ProcessPoolExecutor(n, context)
        out.append(at_once(f"{n} forked after torch", name, defense, pool, n, rng))
    return out


def at_once(check, name, defense, pool, n, rng):
    """Return the row of `n` workers asking for five tables each."""
    tables = [answers(500, 10, rng) for _ in range(5 * n)]
    expected = [defense.predict_proba(p) for p in tables]
    with pool:
        told = list(pool.map(defense.predict_proba, tables, timeout=600))
    wrong = sum(map(amiss, tables, told, expected))
    return row(check, name, rows=500 * len(tables), amiss=wrong)


def calls(n, rng):
    """Thousands of calls leave the memory where it was after the first hundred."""
    out = []
    for name, defense in fitted(10, rng).items():
        p, peak, wrong = answers(8, 10, rng), [], 0
        expected = defense.predict_proba(p)
        for i in range(n):
            wrong += amiss(p, defense.predict_proba(p), expected)
            if i in (100, n - 1):
                peak.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        out.append(row(f"{n} calls", name, rows=8 * n, amiss=wrong, peak=peak[1] - peak[0]))
    return out


def layouts(n, rng):
    """Read-only, Fortran-ordered, strided, foreign-endian: one answer."""
    out = []
    for name, defense in fitted(10, rng, None).items():
        p = answers(n, 10, rng)
        expected, wrong = defense.perturb(p, p), 0
        read_only = p.copy()
        read_only.setflags(write=False)
        strided = np.repeat(p, 2, axis=0)[::2]
        forms = (read_only, np.asfortranarray(p), strided, p.astype(">f4"))
        wrong = sum(amiss(p, defense.perturb(form, form), expected) for form in forms)
        wrong += int((read_only != p).any(axis=1).sum())
        out.append(row("4 memory layouts", name, rows=len(forms) * n, amiss=wrong))
    return out


def blas_threads(n, rng):
    """One thread or four, of BLAS and of torch."""
    out, before = [], torch.get_num_threads()
    for name, defense in fitted(100, rng, None).items():
        p, told = answers(n, 100, rng), []
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            with threadpool_limits(count):
                told.append(defense.perturb(p, p))
        torch.set_num_threads(before)
        apart = max(float(np.abs(t - told[0]).max()) for t in told)
        wrong = sum(amiss(p, t) for t in told)
        out.append(row("1, 2, 4 BLAS threads", name, rows=3 * n, amiss=wrong, apart=apart))
    return out


def row(check, defense, *, rows, amiss, undefended=None, peak=None, apart=None):
    """Return a row of the table; None is "does not apply"."""
    return {
        "check": check, "defense": defense, "rows": rows, "rows amiss": amiss,
        "undefended": undefended, "rise of the peak memory, MB": peak,
        "largest difference": apart,
    }  # fmt: skip
