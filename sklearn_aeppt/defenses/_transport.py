"""The linear program that makes members and non-members look alike for the least cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.optimize import linprog


def equalizing_map(
    p: np.ndarray,
    n: np.ndarray,
    cost: np.ndarray,
    delta: float = 0.0,
    pairwise_delta: float = 1.0,
    odds: float = 1.0,
    budget: tuple[np.ndarray, float] | None = None,
) -> tuple[np.ndarray, float]:
    """Return the random map between bins that equalizes two histograms at the least cost.

    Solves, over the rows-sum-to-one matrix W::

        minimize    sum_ij cost_ij W_ij
        subject to  sum_j max(0, (n W)_j - odds (p W)_j) <= delta
                    0.5 * || W_i - r ||_1 <= pairwise_delta / 2   for all i and a common row r

    so that any two rows are within `pairwise_delta` in total variation. With odds of one the first
    sum is the total variation between what members and non-members are shown.

    Parameters
    ----------
    p : ndarray of shape (B,)
        Shares of the bins among members.
    n : ndarray of shape (B,)
        Shares of the bins among non-members.
    cost : ndarray of shape (B, B)
        Cost of moving bin i to bin j, weighted by how often i occurs.
    delta : float in [0, 1], default=0.0
        How much evidence for a non-member the released values may keep.
    pairwise_delta : float in [0, 1], default=1.0
        Total variation that may be left between the outputs for any two records.
    odds : float >= 1, default=1.0
        How much more often a member than a non-member is among the records in question.
    budget : tuple (ndarray of shape (B, B), float) or None, default=None
        A second cost, and what the map may spend of it at most.

    Returns
    -------
    W : ndarray of shape (B, B)
        Nonnegative, rows sum to one.
    least_cost : float
        The expected cost of W.

    Raises
    ------
    RuntimeError
        If the solver fails.

    See Also
    --------
    scipy.optimize.linprog : The solver.
    """
    bins = len(p)
    # variables: W row by row, then e >= (n - odds p) W, then the common row r and t >= |W - r|
    n_w, n_e = bins * bins, bins
    bound_rows = pairwise_delta < 1
    n_r, n_t = (bins, n_w) if bound_rows else (0, 0)
    eye = sparse.eye_array(bins)
    shown = sparse.kron((n - odds * p)[None, :], eye)  # (n - odds p) W

    def row(*blocks):
        return sparse.hstack([sparse.csr_array(block) for block in blocks])

    def zeros(height, width):
        return sparse.csr_array((height, width))

    upper = [
        row(shown, -eye, zeros(bins, n_r + n_t)),
        row(zeros(1, n_w), np.ones((1, n_e)), zeros(1, n_r + n_t)),
    ]
    limits: list[ArrayLike] = [np.zeros(bins), [delta]]
    if budget is not None:
        upper.append(row(budget[0].reshape(1, -1), zeros(1, n_e + n_r + n_t)))
        limits.append([budget[1]])
    if bound_rows:
        common = sparse.kron(np.ones((bins, 1)), eye)
        every = sparse.eye_array(n_w)
        sums = sparse.kron(eye, np.ones((1, bins)))
        upper += [
            row(every, zeros(n_w, n_e), -common, -every),
            row(-every, zeros(n_w, n_e), common, -every),
            row(zeros(bins, n_w + n_e + n_r), sums),
        ]
        limits += [np.zeros(2 * n_w), np.full(bins, pairwise_delta)]
    equal = [row(sparse.kron(eye, np.ones((1, bins))), zeros(bins, n_e + n_r + n_t))]
    ones: list[ArrayLike] = [np.ones(bins)]
    if bound_rows:
        equal.append(row(zeros(1, n_w + n_e), np.ones((1, n_r)), zeros(1, n_t)))
        ones.append([1])
    solved = linprog(
        np.r_[cost.ravel(), np.zeros(n_e + n_r + n_t)],
        A_ub=sparse.vstack(upper),
        b_ub=np.concatenate(limits),
        A_eq=sparse.vstack(equal),
        b_eq=np.concatenate(ones),
        method="highs",
    )
    if solved.status != 0:
        raise RuntimeError(f"The equalizing linear program failed: {solved.message}")
    w = solved.x[:n_w].reshape(bins, bins).clip(0)
    return w / w.sum(axis=1, keepdims=True), float(solved.fun)
