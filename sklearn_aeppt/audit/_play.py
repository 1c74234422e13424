"""One attack after the other, each trained on one half of the records and scored on the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from joblib import Memory, Parallel, delayed
from sklearn.base import clone
from tqdm.auto import tqdm

from sklearn_aeppt._remember import open_memory, remembered
from sklearn_aeppt.audit._suites import result_or_reason


def play_all(
    ready: Sequence[Any],
    views: Any,
    is_member: np.ndarray,
    halves: Sequence[np.ndarray],
    units: Any,
    memory: str | Memory | None,
    n_jobs: int | None,
    verbose: int,
) -> list[Any]:
    """Return what each attack says of every unit, having learned from the other half.

    Each contender is told how long it took: its first run, where it comes from a cache.
    """
    memory, folds = open_memory(memory), (halves, halves[::-1])
    plays = (
        partial(
            play, contender.attack, views.learned(contender)[known],
            views.asked(contender)[scored], is_member[known],
        )
        for contender in ready
        for known, scored in folds
    )  # fmt: skip
    jobs = (delayed(result_or_reason)(remembered(memory, one)) for one in plays)
    said = iter(Parallel(n_jobs=n_jobs, return_as="generator")(jobs))
    done = []
    for contender in tqdm(ready, "attacks", disable=not verbose):
        parts = [next(said) for _ in folds]
        done.append(pool(parts, units))
        if not isinstance(done[-1], str):
            contender.seconds = round(sum(part[2] for part in parts), 3)
    return done


def pool(parts: Sequence[Any], units: Any) -> Any:
    """Return what an attack says of the units, or why it failed on one of the halves.

    The first of the parts was learned from the first half, and is about the second.
    """
    for part in parts:
        if isinstance(part, str):
            return part
    return units.pool([part[:2] for part in parts[::-1]])


def play(attack: Any, learned: Any, asked: Any, is_member: np.ndarray) -> tuple:
    """Return what one attack says of the records it is asked about, its score, and its seconds."""
    before = perf_counter()
    attack = clone(attack).fit(learned, is_member)
    said = attack.predict(asked)
    score = attack.decision_function(asked) if hasattr(attack, "decision_function") else said
    said, score = np.asarray(said, dtype=bool), np.asarray(score, dtype=np.float64)
    return said, score, perf_counter() - before
