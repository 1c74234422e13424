"""The approximate search of the out-of-fold defense compared with the exact one."""

import pickle
import time

import numpy as np
from tqdm.auto import tqdm

from examples.studies.folds_cost import baskets
from sklearn_aeppt.defenses import GraphNeighbors
from sklearn_aeppt.defenses._fold_search import ProductSearch

N_ASKED = 1000
N_CHECKED = 20_000  # training records that are asked for their own place
K = 8
FLIPS = 8  # of a variant of bits
NOISE = 0.3  # of a variant of numbers, in standard deviations


def run(scale="paper", seed=0):
    """Return for each data set and setting what `GraphNeighbors` finds, and its time and memory.

    "table": 50 numbers, which depend on 15, in 30 clusters. "noise": 50 normal numbers, independent
    of each other. "bits": 600 bits of twenty classes. "recall" is the share of the exact search's
    nearest records that are found, of new records; "variants" that of the nearest one, of training
    records a step away. "missed" are training records whose own place is not found first. CPU
    seconds, of one thread.
    """
    smoke = scale != "paper"
    n = 2000 if smoke else 100_000
    n_asked = 100 if smoke else N_ASKED
    settings = [(32, 200)] if smoke else [(32, 100), (32, 200), (32, 400)]
    return {
        "searches": [
            row
            for name in ("table", "noise", "bits")
            for row in compared(name, n, n_asked, settings, seed)
        ]
    }


def compared(name, n, n_asked, settings, seed):
    """Return a row for each pair of links and candidates."""
    rng = np.random.default_rng(seed)
    X = records(name, n + n_asked, rng)
    place, new = X[:n], X[n:]
    variants = varied(name, place[:n_asked], rng)
    exact = ProductSearch(n_jobs=1).fit(place)
    (_, nearest), to_search = timed(exact.kneighbors, new, K)
    of_variants = exact.kneighbors(variants, 1)[1]
    rows, built = [], {}
    for n_links, n_searched in tqdm(settings, desc=name):
        if n_links not in built:
            built[n_links] = timed(GraphNeighbors(n_links=n_links).fit, place)
        search, to_build = built[n_links]
        search.set_params(n_searched=n_searched)
        (_, found), to_find = timed(search.kneighbors, new, K)
        same = (found[:, :, None] == nearest[:, None, :]).any(axis=2)
        own = search.kneighbors(place[:N_CHECKED], 1)[1][:, 0]
        rows.append({
            "data": name, "records": n, "features": place.shape[1], "n_links": n_links,
            "n_searched": n_searched, "build, CPU seconds": to_build,
            "index, MB": len(pickle.dumps(search)) / 1e6, "records, MB": place.nbytes / 1e6,
            "ms a query": 1e3 * to_find / n_asked,
            "exact, ms a query": 1e3 * to_search / n_asked,
            "recall, nearest": float((found[:, 0] == nearest[:, 0]).mean()),
            f"recall, nearest {K}": float(same.mean()),
            "recall, variants": float(
                (search.kneighbors(variants, 1)[1] == of_variants).mean()
            ),
            "missed": int((own != np.arange(len(own))).sum()),
            "of": len(own),
        })  # fmt: skip
    return rows


def records(name, n, rng):
    """Return different records as float32."""
    if name == "bits":
        return baskets(n, rng.integers(2**31))[0]
    if name == "noise":
        return rng.normal(size=(n, 50)).astype(np.float32)
    mixing, centers = rng.normal(size=(15, 50)), 1.5 * rng.normal(size=(30, 15))
    inner = centers[rng.integers(30, size=n)] + rng.normal(size=(n, 15))
    return (inner @ mixing + 0.5 * rng.normal(size=(n, 50))).astype(np.float32)


def varied(name, X, rng):
    """Return a variant of each record."""
    if name != "bits":
        return X + (NOISE * X.std(axis=0) * rng.normal(size=X.shape)).astype(np.float32)
    flipped = np.argsort(rng.random(X.shape), axis=1)[:, :FLIPS]
    X = X.copy()
    np.put_along_axis(X, flipped, 1 - np.take_along_axis(X, flipped, axis=1), axis=1)
    return X


def timed(call, *args):
    """Return what a call returns, and its CPU seconds."""
    start = time.process_time()
    found = call(*args)
    return found, time.process_time() - start
