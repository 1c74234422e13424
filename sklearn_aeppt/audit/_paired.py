"""How much two audits differ in what attacks are right about, from the counts in their bundles."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

SIDES = ("members", "non_members")
N_DRAWS = 50_000


def right_in_bundles(report: Any, attacks: list[str]) -> list[np.ndarray]:
    """Return for each side the counts of each bundle: its size, labels alone, then each attack.

    Each is of shape (2 + n_attacks, n_bundles).
    """
    bundles = report.bundles
    by_name = {one["attack"]: one for one in bundles["attacks"]}
    return [
        np.array([bundles[side], bundles["labels"][side], *(by_name[a][side] for a in attacks)],
                 dtype=np.float64)
        for side in SIDES
    ]  # fmt: skip


def measures(counts: np.ndarray) -> np.ndarray:
    """Return what is compared, bundle by bundle: labels, each attack, and each above labels."""
    labels, attacks = counts[1], counts[2:]
    return np.vstack([labels, attacks, attacks - labels])


def mean_and_covariance(
    values: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the means per record of sums over bundles, their covariance, degrees of freedom.

    The bundles are independent draws of the same population: what is alike in all of them is the
    mean, and how they scatter about it is its error, with all that two audits of the same records
    have in common.
    """
    total, n = sizes.sum(), len(sizes)
    mean = values.sum(axis=1) / total
    rest = values - mean[:, None] * sizes
    return mean, n / (n - 1) * (rest @ rest.T) / total**2, n - 1


def difference(
    old: list[np.ndarray], new: list[np.ndarray], paired: bool
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return by how much the balanced measures grew, with covariance and degrees of freedom."""
    parts = []
    for before, after in zip(old, new):
        if paired:
            grown = measures(after) - measures(before)
            parts.append((1.0, *mean_and_covariance(grown, before[0])))
        else:
            parts.append((-1.0, *mean_and_covariance(measures(before), before[0])))
            parts.append((1.0, *mean_and_covariance(measures(after), after[0])))
    mean = sum(sign * part / 2 for sign, part, _, _ in parts)
    covariance = sum(part / 4 for _, _, part, _ in parts)
    return np.asarray(mean), np.asarray(covariance), min(n for *_, n in parts)


def simultaneous(covariance: np.ndarray, freedom: int, confidence: float) -> float:
    """Return how many standard errors all estimates together stay within, on one side.

    The greatest of the errors is drawn from their common distribution, always with the same seed,
    so that attacks that decide in much the same way cost little more than one of them.

    References
    ----------
    Hothorn, Bretz, Westfall (2008), "Simultaneous inference in general parametric models".
    """
    scale = np.sqrt(np.diag(covariance))
    known = scale > 0
    if not known.any():
        return 0.0
    correlation = covariance[np.ix_(known, known)] / np.outer(scale[known], scale[known])
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    rng = check_random_state(0)
    normal = rng.standard_normal((N_DRAWS, int(known.sum())))
    spread = np.sqrt(rng.chisquare(freedom, N_DRAWS) / freedom)
    return float(np.quantile((normal @ root).max(axis=1) / spread, confidence))
