"""What can be proved of shown answers: a bound from counts, and the limit of any defense."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_aeppt.defenses._transport import equalizing_map


def advantage_bound(
    cells_mem: np.ndarray,
    cells_non: np.ndarray,
    wrong_mem: float,
    n_mem: int,
    n_non: int,
    level: float,
) -> float:
    """Return an upper confidence bound on the advantage of any attacker on single answers.

    The advantage of the best attacker is the total variation between what members and
    non-members are shown. Whoever knows the true label may tell a wrong answer from a right one,
    and gains at most the members' error rate by it, so that::

        advantage <= T = sum_cells max(0, P - N) + P(wrong)

    over the cells (label, bin) of right answers. T is convex in (P, N), so counts overestimate it
    in the mean; and one record moves it by at most its weight, so that by McDiarmid's inequality
    T <= T(counts) + sqrt(log(1 / (1 - level)) / 2 * (1 / n_mem + 1 / n_non)) holds at the stated
    level. The counts must be of records that the maps were not fitted on.

    Parameters
    ----------
    cells_mem : ndarray of shape (K, B)
        Shares of the cells among the held-out members.
    cells_non : ndarray of shape (K, B)
        Shares of the cells among the held-out non-members.
    wrong_mem : float in [0, 1]
        Share of wrong answers among the held-out members.
    n_mem : int
        Number of held-out members.
    n_non : int
        Number of held-out non-members.
    level : float in (0, 1)
        Confidence level at which the bound holds.

    Returns
    -------
    bound : float in [0, 1]
        Upper bound on TPR - FPR.

    See Also
    --------
    sklearn_aeppt.EqualizedClassifier : Has it as ``advantage_bound_``.
    """
    counted = np.maximum(cells_mem - cells_non, 0).sum() + wrong_mem
    slack = np.sqrt(np.log(1 / (1 - level)) / 2 * (1 / n_mem + 1 / n_non))
    return float(min(1.0, counted + slack))


def frontier(histograms: Sequence[dict[str, Any]], n_points: int) -> dict[str, np.ndarray]:
    """Return the least perturbation that any defense of the largest confidence needs.

    Parameters
    ----------
    histograms : list of dict
        For each group of labels: ``p`` and ``n``, the shares of the bins among members and
        non-members with right answers; ``mass_p`` and ``mass_n``, how much of all members and
        non-members these are; ``all``, the mass of each bin among all records, both sides in
        equal weight; ``center``, the confidence of each bin.
    n_points : int
        Number of values of delta.

    Returns
    -------
    result : dict of float64 ndarray of shape (n_points,)
        ``delta``, from 0 to what is left undefended; ``l1``, the mean L1: on the simplex what the
        largest confidence loses others gain, so that it counts twice; ``excess``, what the
        confidences add to the accuracy of the best attacker who knows the true labels, above what
        labels give.

    See Also
    --------
    sklearn_aeppt.EqualizedClassifier.frontier : The same of a fitted defense.
    """
    odds = [max(1.0, h["mass_p"] / h["mass_n"]) for h in histograms]
    widest = max(
        np.maximum(h["n"] - o * h["p"], 0).sum() for h, o in zip(histograms, odds)
    )  # what the identity leaves
    deltas = np.linspace(0, widest, n_points)
    l1, excess = np.zeros(n_points), np.zeros(n_points)
    for h, o in zip(histograms, odds):
        cost = 2 * h["all"][:, None] * np.abs(h["center"][:, None] - h["center"])
        for i, delta in enumerate(deltas):
            moved, least = equalizing_map(h["p"], h["n"], cost, delta, odds=o)
            l1[i] += least
            shown = h["mass_p"] * (h["p"] @ moved) - h["mass_n"] * (h["n"] @ moved)
            labels = max(0.0, h["mass_p"] - h["mass_n"])
            excess[i] += (np.maximum(shown, 0).sum() - labels) / 2
    return {"delta": deltas, "l1": l1, "excess": excess}
