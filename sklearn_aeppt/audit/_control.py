"""The negative control: the same attack where there is nothing to find."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.utils import check_random_state

from sklearn_aeppt._groups import find_groups
from sklearn_aeppt.audit._play import play, pool
from sklearn_aeppt.audit._suites import result_or_reason
from sklearn_aeppt.audit._units import split_units
from sklearn_aeppt.metrics import balanced_accuracy_interval

#: Confidence of the interval that must hold 50 %: one sound audit in a hundred misses it.
CONFIDENCE = 0.99
FEWEST = 4  # records, or persons, of a side: as of an audit


def negative_control(
    contender: Any, views: Any, is_member: np.ndarray, persons: np.ndarray | None, seed: int
) -> dict[str, Any]:
    """Let an attack tell non-members from non-members, of whom half are said to be members.

    Nobody among them trained the target, and who is called a member is drawn at random. The attack
    is trained and scored as in the audit, on what the target shows of them. What it finds is
    chance, or a fault: records of one half that are known in the other, scores that know the
    answer.

    Parameters
    ----------
    contender : Contender
        The strongest attack that trains no models of its own.
    views : Views
    is_member : boolean ndarray of shape (n,)
    persons : ndarray of shape (n,) or None
    seed : int

    Returns
    -------
    control : dict
        ``attack``, ``n`` (records), ``accuracy``, ``low`` and ``high`` (99 %), ``auc``, ``passed``
        (whether 50 % is within) and ``seconds``; or ``{"not_run": reason}``.
    """
    found = result_or_reason(partial(_run, contender, views, is_member, persons, seed))
    return {"not_run": found} if isinstance(found, str) else found


def _run(contender, views, is_member, persons, seed):
    before, rows = perf_counter(), np.flatnonzero(~is_member)
    persons = None if persons is None else persons[rows]
    pretended = _pretend(len(rows), persons, check_random_state(seed))
    halves, units = split_units(pretended, persons, seed)
    learned, asked = views.learned(contender)[rows], views.asked(contender)[rows]
    parts = [
        play(contender.attack, learned[known], asked[scored], pretended[known])
        for known, scored in (halves, halves[::-1])
    ]
    said, score = pool(parts, units)
    low, high = balanced_accuracy_interval(units.is_member, said, CONFIDENCE)
    return {
        "attack": contender.name,
        "n": len(rows),
        "accuracy": float(balanced_accuracy_score(units.is_member, said)),
        "low": low,
        "high": high,
        "auc": float(roc_auc_score(units.is_member, score)),
        "passed": bool(low <= 0.5 <= high),
        "seconds": round(perf_counter() - before, 3),
    }


def _pretend(n, persons, rng):
    """Return who is called a member: half of the records, or all records of half of the persons."""
    of = np.arange(n) if persons is None else find_groups(persons)[1]
    n_units = int(of.max()) + 1
    if n_units < 2 * FEWEST:
        what = "records" if persons is None else "persons"
        raise ValueError(f"{n_units} non-members ({what}) are too few for two sides of {FEWEST}")
    return (rng.permutation(n_units) < n_units // 2)[of]
