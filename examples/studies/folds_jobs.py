"""How much faster two jobs fit the out-of-fold defense than one: for a machine that is idle."""

import os
import time

import numpy as np
from tqdm.auto import tqdm

from examples.studies.folds_cost import baskets, defense


def run(scale="paper", seed=0):
    """Return times of `fit` by one job and by two, in turn, on 100,000 records of 600 bits.

    "times as fast" is the median over rounds of the time of one job over that of two. "load" is
    that of the machine before each fit: two jobs are no faster than one where others use the cores.
    """
    smoke = scale != "paper"
    n = 1000 if smoke else 100_000
    X, y = baskets(n, seed)
    fits = []
    for r in tqdm(range(1 if smoke else 3), desc="rounds"):
        for n_jobs in (1, 2) if r % 2 else (2, 1):
            load, start = os.getloadavg()[0], time.perf_counter()
            defense(seed).set_params(n_jobs=n_jobs).fit(X, y)
            seconds = time.perf_counter() - start
            fits.append({"round": r, "n_jobs": n_jobs, "seconds": seconds, "load": load})
    one, two = (np.array([f["seconds"] for f in fits if f["n_jobs"] == k]) for k in (1, 2))
    ratio = one / two
    summary = {
        "rounds": len(ratio), "cores": os.cpu_count(), "times as fast": float(np.median(ratio)),
        "lowest": float(ratio.min()), "highest": float(ratio.max()),
    }  # fmt: skip
    return {"fit": fits, "fit, 2 jobs": [summary]}
