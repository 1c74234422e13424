"""What an attack rules out about differential privacy."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_aeppt.metrics._intervals import CONFIDENCE, clopper_pearson
from sklearn_aeppt.metrics._membership import as_membership, as_score
from sklearn_aeppt.metrics._rates import counts_at_thresholds


@validate_params(
    {
        "confidence": CONFIDENCE,
        "delta": [Interval(Real, 0, 1, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def epsilon_lower_bound(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    confidence: float = 0.95,
    delta: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    """Lower confidence bound on the epsilon of differential privacy that an attack demonstrates.

    If the target were (epsilon, delta)-differentially private, every set of scores S would satisfy
    ``P(S | member) <= exp(epsilon) * P(S | non-member) + delta``, and the same with the two sides
    exchanged. Hence ``epsilon >= log((P(S | one) - delta) / P(S | other))``.

    The maximum of such bounds over all thresholds would exceed 0 on pure noise nearly always.
    Therefore one random half of the records selects S, a threshold and a direction, and the other
    half alone bounds the two probabilities by Clopper-Pearson, each end erring with probability at
    most ``(1 - confidence) / 2``. So the bound holds with probability `confidence`.

    Parameters
    ----------
    y_true : array-like of shape (n,), boolean or 0/1
        Membership; at least two records of each side.
    y_score : array-like of shape (n,)
        Attack scores; greater means more likely a member. May be infinite. They must not have been
        learned from these very records.
    confidence : float in (0, 1), default=0.95
        Probability with which the bound holds, at least.
    delta : float in [0, 1), default=0.0
        The delta of (epsilon, delta)-differential privacy.
    random_state : int, RandomState instance or None, default=None
        Controls the split into halves. Pass an int for reproducible results.

    Returns
    -------
    epsilon : float >= 0
        0 where nothing is ruled out.

    Raises
    ------
    ValueError
        If the lengths differ, a score is NaN, or a side has fewer than two records.

    See Also
    --------
    one_run_epsilon : The bound on the training procedure where coins decided who trained.
    tpr_at_fpr : The rates at one threshold.
    clopper_pearson : The interval of each probability.

    Notes
    -----
    The bound is about the difference between the members and the non-members that were given, as
    in every audit of a single trained model. Records drawn at random make it a statement about the
    model. `one_run_epsilon` speaks of the training procedure instead: it needs records that a coin
    included or left out, and takes all of them as one draw of the procedure's randomness.

    References
    ----------
    Jagielski, Ullman, Oprea (2020), "Auditing differentially private machine learning: how private
    is private SGD?", Section 4.

    Kairouz, Oh, Viswanath (2015), "The composition theorem for differential privacy", Section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.metrics import epsilon_lower_bound
    >>> y_true = np.r_[np.ones(1000), np.zeros(1000)]
    >>> y_score = np.r_[np.linspace(0, 1, 1000), np.linspace(0, 0.7, 1000)]
    >>> 2.0 < epsilon_lower_bound(y_true, y_score, random_state=0) < 4.1
    True
    >>> epsilon_lower_bound(y_true, np.zeros(2000), random_state=0)
    0.0
    """
    is_member = as_membership(y_true)
    score = as_score(is_member, y_score)
    if min(is_member.sum(), (~is_member).sum()) < 2:
        raise ValueError(
            f"y_true has {is_member.sum()} members and {(~is_member).sum()} non-members: give at "
            "least two of each, one to choose the threshold and one to measure."
        )
    choosing = _half_of_each_side(is_member, check_random_state(random_state))
    direction, threshold = _best_set(is_member[choosing], score[choosing], confidence, delta)
    above, mask = score[~choosing] >= threshold, is_member[~choosing]
    held_out = _bounds(
        np.array([above[mask].sum()]),
        np.array([above[~mask].sum()]),
        mask.sum(),
        (~mask).sum(),
        confidence,
        delta,
    )
    return max(0.0, float(held_out[direction, 0]))


def _half_of_each_side(is_member, rng):
    """Return a mask of a random half of the members and a random half of the non-members."""
    chosen = np.zeros(len(is_member), dtype=bool)
    for side in (is_member, ~is_member):
        rows = rng.permutation(np.flatnonzero(side))
        chosen[rows[: len(rows) // 2]] = True
    return chosen


def _best_set(is_member, score, confidence, delta):
    """Return the (direction, threshold) with the greatest bound."""
    threshold, members, non_members = counts_at_thresholds(is_member, score)
    # every choice is allowed; steps in proportion to the distance from either end are fine enough
    near = np.unique(np.geomspace(1, len(threshold), 500).astype(int)) - 1
    tried = np.unique(np.concatenate([near, len(threshold) - 1 - near]))
    found = _bounds(
        members[tried], non_members[tried], members[-1], non_members[-1], confidence, delta
    )
    direction, place = np.unravel_index(found.argmax(), found.shape)
    return direction, threshold[tried[place]]


def _bounds(members, non_members, n_members, n_non_members, confidence, delta):
    """Return the bound of each (direction, threshold), shape (4, n_thresholds)."""
    mem = np.stack([members, n_members - members])
    non = np.stack([non_members, n_non_members - non_members])
    mem_low, mem_high = clopper_pearson(mem, n_members, confidence)
    non_low, non_high = clopper_pearson(non, n_non_members, confidence)
    # upper ends are never 0; a lower end at or below delta bounds nothing
    ratio = np.concatenate([(mem_low - delta) / non_high, (non_low - delta) / mem_high])
    return np.log(np.maximum(ratio, np.finfo(float).tiny))
