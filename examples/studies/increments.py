"""AEPPT by increments: its time against products and the torch loop, and whose vectors differ."""

import copy
import time

import numpy as np
import torch
from tqdm.auto import tqdm

from examples.studies._data import games
from examples.studies.speed import matrix_products
from sklearn_aeppt._nets._engine import increments_of, perturb_rows
from sklearn_aeppt._nets._perturbation import logit_gradient, perturb_block
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.attacks import MIMAttack, query

T = 100
STEPS = (1e-5, 1e-4, 1e-3, 1e-2)
#: Two answers are the same if no confidence differs by more.
TOLERANCE = 1e-6


def run(scale="paper", seed=0, data=None):
    """Return the times and the comparison of vectors; see docs/benchmarks.md.

    One thread throughout. Contenders take turns, so that their ratios hold on a busy machine.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _tables(scale, seed, data)
    finally:
        torch.set_num_threads(threads)


def _tables(scale, seed, data):
    full = scale == "paper"
    settings = {}
    if data is not None:
        for name, _, model, X, _, is_member in games(scale, seed, data, n_seeds=1):
            settings[name] = trained(query(model, X)["proba"], is_member, seed, full)
    for K in (2, 30, 100, 150, 300, 1000) if full else (2, 30):
        proba, is_member = drawn(K, 4096 if full else 100, seed)
        settings[f"drawn, K = {K}"] = trained(proba, is_member, seed, full)
    for name, (module, _) in settings.items():
        if increments_of(module) is None:
            raise ValueError(f"{name}: the numba engine does not answer; install the extra 'fast'")
    times = [
        row
        for name, (module, proba) in tqdm(settings.items(), desc="times")
        for step in STEPS
        for row in timed(name, module, proba, step, seed, rounds=5 if full else 1)
    ]
    vectors = [
        {"records of": kind, **compared(module, proba, seed)}
        for kind, module, proba in tqdm(kinds(200_000 if full else 350, seed, full), desc="vectors")
    ]
    return {"times": times, "vectors": vectors}


def drawn(K, n, seed):
    """Return confidences as an overfit model gives them and memberships, n rows."""
    rng = np.random.default_rng([seed, K])
    members = rng.dirichlet(np.full(K, 2 / K), n // 2)
    others = 0.7 * rng.dirichlet(np.full(K, 2 / K), n // 2)
    others += 0.3 * rng.dirichlet(np.full(K, 10 / K), n // 2)
    proba = np.concatenate([members, others]).astype(np.float32)
    return proba, np.arange(len(proba)) < n // 2


def trained(proba, is_member, seed, full):
    """Return the module of a substitute trained on these, and the confidences in random order."""
    view = slice_dict(proba=proba.astype(np.float32), label=proba.argmax(axis=1))
    mim = MIMAttack("substitute", max_epochs=20 if full else 2, random_state=seed)
    order = np.random.default_rng(seed).permutation(len(proba))[:4096]
    return mim.fit(view, is_member).module_, view["proba"][order]


def torch_loop(module, proba, draws, step, dtype=torch.float32):
    """Return the vectors of the torch engine, block by block."""
    gradient = logit_gradient(module)
    p, r = torch.as_tensor(proba, dtype=dtype), torch.as_tensor(draws, dtype=dtype)
    label = torch.as_tensor(proba.argmax(axis=1))
    blocks = [slice(start, start + 1024) for start in range(0, len(p), 1024)]
    return np.concatenate(
        [perturb_block(gradient, p[b], label[b], r[:, b], step).numpy() for b in blocks]
    )


def timed(name, module, proba, step, seed, rounds):
    """Yield a row for all records and one for single ones."""
    for n, times in ((len(proba), rounds), (1, 20 * rounds)):
        p = proba[:n]
        draws = np.random.default_rng(seed).random((T, n), dtype=np.float32)
        label, as_tensor = p.argmax(axis=1), torch.as_tensor(p)
        seconds = []
        for round_ in range(times + 1):
            if n == 1:
                p = proba[round_ % len(proba)][None]
                label, as_tensor = p.argmax(axis=1), torch.as_tensor(p)
            started = [time.perf_counter()]
            perturb_rows(module, p, label, draws, step)
            started.append(time.perf_counter())
            torch_loop(module, p, draws, step)
            started.append(time.perf_counter())
            matrix_products(module, as_tensor)
            started.append(time.perf_counter())
            if round_:  # the first one warms up, and compiles
                seconds.append(np.diff(started))
        ours, loop, products = np.array(seconds).T
        yield {
            "answers": name, "step": step, "records": n, "rounds": times,
            "microseconds a record": 1e6 * float(np.median(ours)) / n,
            "times the products alone": float(np.median(ours / products)),
            "times the torch loop": float(np.median(ours / loop)),
            "times as fast as the torch loop": float(np.median(loop / ours)),
        }  # fmt: skip


def kinds(n_records, seed, full):
    """Yield (kind, module, rows) of seven kinds of records, n_records in all."""
    rng = np.random.default_rng(seed)
    K, n = 30, round(0.18 * n_records)
    module, _ = trained(*drawn(K, 4096 if full else 100, seed), seed, full)
    one_hot = np.eye(K)[rng.integers(K, size=n)]
    ties = np.eye(K)[rng.integers(K, size=n)]
    ties = (ties + np.roll(ties, 1, axis=1)) / 2
    awkward = {
        "saturated": rng.dirichlet(np.full(K, 0.02), n),
        "uniform": 1 / K + 1e-4 * (rng.dirichlet(np.ones(K), n) - 1 / K),
        "ties": ties,
        "one-hot": one_hot,
        "denormal": np.where(one_hot > 0, 1, 1e-42 * rng.random((n, K))),
    }
    for kind, rows in awkward.items():
        yield kind, module, rows.astype(np.float32)
    for k, share in ((2, 0.08), (1000, 0.02)):
        proba, is_member = drawn(k, max(round(share * n_records), 8), seed + 1)
        yield f"K = {k}", trained(proba, is_member, seed, full)[0], proba


def compared(module, proba, seed):
    """Return how many vectors differ from the torch loop's, and which a double loop confirms."""
    differ = ours_right = loop_right = neither = 0
    differences, off = [], 0.0
    exact = copy.deepcopy(module).double()
    for i, step in enumerate(STEPS):
        p = proba[i :: len(STEPS)]
        draws = np.random.default_rng([seed, i]).random((T, len(p)), dtype=np.float32)
        ours = perturb_rows(module, p, p.argmax(axis=1), draws, step)
        loop = torch_loop(module, p, draws, step)
        apart = np.abs(ours - loop).max(axis=1)
        differences.append(apart)
        # every record that differs is decided, and as many others beside them
        rows = np.flatnonzero(apart > TOLERANCE)
        others = np.flatnonzero(apart <= TOLERANCE)[: max(len(rows), 64)]
        asked = np.concatenate([rows, others])
        decided = torch_loop(exact, p[asked], draws[:, asked], step, torch.float64)
        from_ours = np.abs(ours[asked] - decided).max(axis=1)
        from_loop = np.abs(loop[asked] - decided).max(axis=1)
        off = max(off, float(from_ours.max()))
        from_ours, from_loop = from_ours[: len(rows)], from_loop[: len(rows)]
        differ += len(rows)
        ours_right += int((from_ours <= TOLERANCE).sum())
        loop_right += int(((from_ours > TOLERANCE) & (from_loop <= TOLERANCE)).sum())
        neither += int(((from_ours > TOLERANCE) & (from_loop > TOLERANCE)).sum())
    return {
        "records": len(proba),
        "median difference": float(np.median(np.concatenate(differences))),
        "more than 1e-6 apart": differ,
        "share": differ / len(proba),
        "the double loop agrees with increments": ours_right,
        "with the torch loop": loop_right,
        "with neither": neither,
        "largest distance of increments from the double loop": off,
    }
