"""Members that attacks accuse with few false discoveries, and the bound on epsilon from one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples

from sklearn_aeppt._containers import computed
from sklearn_aeppt.metrics import conformal_p_values, most_certain_guesses, one_run_epsilon
from sklearn_aeppt.metrics._accusations import accused_at

#: False discovery rate of the list that a report prints.
ALPHA = 0.1
#: Share of the records about whose coins the attack guesses: fixed before anything is known.
GUESSED = 0.2


def record_table(
    X_mem: Any,
    X_non: Any,
    kept: np.ndarray,
    units: Any,
    done: Sequence[tuple],
    persons: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """Return what is known of each record that was handed in, column -> values, members first.

    Records that were left out are not scored: their score and p-value are NaN.
    """
    indices = [_index(X) for X in (X_mem, X_non)]
    n, n_mem = sum(map(len, indices)), len(indices[0])
    score, p_value, _ = exposure(units.is_member, done, units.halves)
    table: dict[str, np.ndarray] = {
        "is_member": np.arange(n) < n_mem,
        "row": np.concatenate([np.arange(n_mem), np.arange(n - n_mem)]),
        "index": np.concatenate(indices),
        "scored": np.isin(np.arange(n), kept),
    }
    if persons is not None:
        table["person"] = persons
    of_units = {"score": score, "p_value": p_value, "accused": accused_at(p_value, ALPHA)}
    for name, values in of_units.items():
        column = np.full(n, False if values.dtype == bool else np.nan)
        column[kept] = values[units.of]
        table[name] = column
    return table


def count_exposed(records: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return how many members are accused, without saying who: what a report tells of a table."""
    accused = records["accused"]
    found = {
        "false_discovery_rate": ALPHA,
        "accused": int(accused.sum()),
        "not_scored": int((~records["scored"]).sum()),
    }
    if "person" in records:
        found["accused_persons"] = len({str(person) for person in records["person"][accused]})
    return found


def _index(X):
    """Return the index of a frame of pandas, the numbers of the rows of other tables."""
    X = computed(X)
    found = list(X.index) if hasattr(X, "iloc") else range(_num_samples(X))
    return np.fromiter(found, dtype=object, count=len(found))


def exposure(
    is_member: np.ndarray, done: Sequence[tuple], halves: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Return (score, conformal p-value, attack of each half) of every record or person.

    Each half is judged by the attack that accuses most members of the other half (of those that
    accuse equally many, the one with the greatest AUC there), against the non-members of its own
    half. So the attack is picked by others than those whom it accuses. P-values are of members
    only: non-members are what they are measured against, and theirs are NaN.
    """
    score, p_value, picked = np.empty(len(is_member)), np.full(len(is_member), np.nan), []
    for here, there in ((0, 1), (1, 0)):
        best = max(range(len(done)), key=lambda i: _found(is_member, done[i][1], halves[there]))
        half = halves[here]
        score[half] = done[best][1][half]
        members = half[is_member[half]]
        p_value[members] = _p_values(is_member, score, half)
        picked.append(best)
    return score, p_value, picked


def _found(is_member, score, half):
    p_value = _p_values(is_member, score, half)
    return accused_at(p_value, ALPHA).sum(), roc_auc_score(is_member[half], score[half])


def _p_values(is_member, score, half):
    member = is_member[half]
    return conformal_p_values(score[half][member], score[half][~member])


def from_one_run(
    is_member: np.ndarray, done: Sequence[tuple], halves: Sequence[np.ndarray], seed: int
) -> dict | None:
    """Return what `one_run_epsilon` says of as many members as non-members, as a dict.

    None where scores tell nobody apart, so that no guess is made.

    Each half is judged by the attack with the greatest AUC on the other. The guesses are about the
    fifth of the records with the most extreme scores.
    """
    score = np.empty(len(is_member))
    for here, there in ((0, 1), (1, 0)):
        half = halves[there]
        auc = [roc_auc_score(is_member[half], one[half]) for _, one in done]
        score[halves[here]] = done[int(np.argmax(auc))][1][halves[here]]
    rng, sides = check_random_state(seed), [np.flatnonzero(is_member), np.flatnonzero(~is_member)]
    n = min(map(len, sides))
    drawn = np.sort(np.concatenate([rng.permutation(side)[:n] for side in sides]))
    guess = most_certain_guesses(score[drawn], max(1, round(GUESSED * 2 * n)))
    if np.isnan(guess).all():  # scores are equal where the guesses would end
        return None
    return asdict(one_run_epsilon(is_member[drawn], guess))
