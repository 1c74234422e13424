"""What a defense costs its users: the same model's answers with it and without it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from sklearn_aeppt._ask import ask_as_attacker
from sklearn_aeppt._members import find_labels
from sklearn_aeppt.attacks import read_predicted
from sklearn_aeppt.metrics import (
    clopper_pearson,
    expected_calibration_error,
    perturbation_size,
)


def utility(
    target: Any, X: Any, view: Any, is_member: np.ndarray, confidence: float
) -> dict[str, Any]:
    """Return what a defended target and the model inside it give their users.

    Parameters
    ----------
    target : fitted output defense
    X : records
    view : dict
        What the target shows of them, with their labels.
    is_member : boolean ndarray of shape (n,)
    confidence : float in (0, 1)
        Of the intervals.

    Returns
    -------
    cost : dict
        ``members`` and ``non_members``, each with ``undefended`` and ``defended``, see `answers`,
        ``l1``, the mean change of a confidence vector (0 to 2), and ``labels_kept``, the share of
        predicted labels that are the same.
    """
    inner = target.estimator_
    before = ask_as_attacker(inner, X)[:, find_labels(inner.classes_, target.classes_)]
    after, label = np.asarray(view["proba"], dtype=np.float64), view["label"]
    decided = [before.argmax(axis=1), read_predicted(view, view["proba"])]
    cost = {}
    for name, side in (("members", is_member), ("non_members", ~is_member)):
        first, second = (p[side] for p in (before, after))
        cost[name] = {
            "undefended": answers(first, decided[0][side], label[side], confidence),
            "defended": answers(second, decided[1][side], label[side], confidence),
            "l1": float(perturbation_size(first, second)),
            "labels_kept": float((decided[0][side] == decided[1][side]).mean()),
        }
    return cost


def answers(
    proba: np.ndarray, decided: np.ndarray, label: np.ndarray, confidence: float
) -> dict[str, float | None]:
    """Return accuracy and log loss with their intervals, ECE, and the AUC of confidence.

    The last is how well the top confidence tells right answers from wrong ones (None where all are
    right or all are wrong).
    """
    n, right = len(label), decided == label
    loss = -np.log(np.clip(proba[np.arange(n), label], np.finfo(np.float32).eps, 1))
    half = norm.isf((1 - confidence) / 2) * loss.std(ddof=1) / np.sqrt(n)
    low, high = clopper_pearson(int(right.sum()), n, confidence)
    mixed = right.any() and not right.all()
    return {
        "accuracy": float(right.mean()),
        "accuracy_low": float(low),
        "accuracy_high": float(high),
        "log_loss": float(loss.mean()),
        "log_loss_low": float(max(0.0, loss.mean() - half)),
        "log_loss_high": float(loss.mean() + half),
        "ece": float(expected_calibration_error(label, proba)),
        "confidence_auc": float(roc_auc_score(right, proba.max(axis=1))) if mixed else None,
    }
