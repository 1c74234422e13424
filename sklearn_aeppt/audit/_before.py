"""Before anything is attacked: whether members can be told from others without the target."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from scipy.stats import norm
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing, check_random_state

from sklearn_aeppt.audit._features import records_as_numbers, with_labels
from sklearn_aeppt.audit._structure import structural_risk
from sklearn_aeppt.audit._suites import result_or_reason

#: Significance at which members and non-members are said to differ.
SIGNIFICANCE = 0.01
#: Records of a half that the baseline learns from and is scored on, at most.
LARGEST_HALF = 5_000
#: Share of the usual distance to the nearest member within which a record is a near-duplicate.
NEAR = 0.1
#: Work of the search for near-duplicates, in products of two numbers, at most.
LARGEST_SEARCH = 1e10


def before(
    X: Any, y: np.ndarray, units: Any, seed: int, have_records: bool = True
) -> dict[str, dict[str, Any]]:
    """Return the checks of the records that need no target.

    Parameters
    ----------
    X, y : records and their labels
    units : Records or Persons
    seed : int
    have_records : bool, default=True
        False where X holds confidences, which are the target's.

    Returns
    -------
    checks : dict of dict
        ``blind``: see `blind_baseline`; ``near_duplicates``: see `near_duplicates`. Each is
        ``{"not_run": reason}`` where it could not be run.
    """
    reason: str | None = "only confidences are given, not the records"
    if have_records:
        found = result_or_reason(partial(records_as_numbers, X))
        reason = "the records are neither numbers nor texts" if found is None else None
        reason = found if isinstance(found, str) else reason
    if reason is not None:
        return {"blind": {"not_run": reason}, "near_duplicates": {"not_run": reason}}
    (numbers, names), is_member = found, units.is_member[units.of]
    checks = {
        "blind": partial(blind_baseline, *with_labels(numbers, names, y), units=units, seed=seed),
        "near_duplicates": partial(near_duplicates, numbers, is_member, seed),
    }
    said = {name: result_or_reason(check) for name, check in checks.items()}
    return {k: {"not_run": v} if isinstance(v, str) else v for k, v in said.items()}


def inside(target: Any, X: Any, is_member: np.ndarray) -> dict[str, Any]:
    """Return `structural_risk` of a target as a dict, or ``{"not_run": reason}``."""
    if not hasattr(target, "get_params"):
        return {"not_run": "the target is not an estimator that can be looked into"}
    members = _safe_indexing(X, np.flatnonzero(is_member))
    risk = result_or_reason(partial(structural_risk, target, members))
    return {"not_run": risk} if isinstance(risk, str) else asdict(risk)


def blind_baseline(numbers: Any, names: Sequence[str], units: Any, seed: int) -> dict[str, Any]:
    """Tell members from non-members by the records alone, each half by what the other teaches.

    Three classifiers try it: a linear one, trees, and the single column that differs most. None of
    them may succeed where membership was drawn at random. The two halves agree or disagree with
    each other by chance, so that the mean of their two AUCs varies up to as much as one of them:
    its deviation is that of one half.

    Returns
    -------
    blind : dict
        ``auc``, of the classifier that succeeds best; ``classifier``, its name; ``p_value``,
        corrected for the three; ``differs``, whether that is below `SIGNIFICANCE`; and ``columns``,
        names of up to three columns that differ most, where it is.

    References
    ----------
    Das, Zhang, Tramèr (2024), "Blind baselines beat membership inference attacks for foundation
    models".

    Lopez-Paz, Oquab (2017), "Revisiting classifier two-sample tests".
    """
    rng = check_random_state(seed)
    halves = [_some(units, half, rng) for half in units.halves]
    is_member = units.is_member[units.of]
    scaler = StandardScaler(with_mean=not sparse.issparse(numbers))
    classifiers = {
        "linear": make_pipeline(scaler, LogisticRegression(C=0.01, max_iter=1000)),
        "trees": ExtraTreesClassifier(50, min_samples_leaf=5, random_state=seed),
        "one column": OneColumn(),
    }
    auc, p_value = {}, {}
    for name, classifier in classifiers.items():
        parts = []
        for known, asked in (halves, halves[::-1]):
            with warnings.catch_warnings():  # a line that did not converge is one that tells less
                warnings.simplefilter("ignore", ConvergenceWarning)
                classifier.fit(numbers[known], is_member[known])
            parts.append(_auc(units, asked, classifier.predict_proba(numbers[asked])[:, 1]))
        auc[name] = float(np.mean([one for one, _ in parts]))
        deviation = max(sd for _, sd in parts)
        p_value[name] = float(norm.sf((auc[name] - 0.5) / deviation))
    best = min(p_value, key=lambda name: (p_value[name], -auc[name]))
    corrected = min(1.0, len(classifiers) * p_value[best])
    differs = corrected < SIGNIFICANCE
    difference = np.abs(_differences(numbers, is_member))
    columns = [names[i] for i in np.argsort(-difference, kind="stable")[:3]] if differs else []
    return {
        "auc": auc[best],
        "classifier": best,
        "p_value": corrected,
        "differs": bool(differs),
        "columns": list(dict.fromkeys(columns)),
    }


def near_duplicates(numbers: Any, is_member: np.ndarray, seed: int) -> dict[str, Any]:
    """Count non-members that are nearly equal to a member.

    Near is at most a tenth of the usual (median) distance of a non-member to its nearest member:
    in bits that differ where all numbers are 0 or 1, else between standardized columns.

    Returns
    -------
    found : dict
        ``n``, the non-members that were looked at; ``near``, how many are near-duplicates; and
        ``distance``, up to which they are.
    """
    values = numbers.data if sparse.issparse(numbers) else numbers
    are_bits = bool(((values == 0) | (values == 1)).all())
    table = numbers if are_bits else StandardScaler(with_mean=False).fit_transform(numbers)
    table = table.astype(np.float32, copy=False)
    members, others = np.flatnonzero(is_member), np.flatnonzero(~is_member)
    most = max(50, int(LARGEST_SEARCH / (len(members) * max(1, table.shape[1]))))
    others = np.sort(check_random_state(seed).permutation(others)[:most])
    search = NearestNeighbors(n_neighbors=1).fit(table[members])
    distance = search.kneighbors(table[others])[0][:, 0] ** (2 if are_bits else 1)
    limit = NEAR * float(np.median(distance))
    # float32 products leave a rest between equal records
    return {"n": len(others), "near": int((distance <= limit + 1e-3).sum()), "distance": limit}


class OneColumn(ClassifierMixin, BaseEstimator):
    """Classify by the one column whose means differ most, in deviations."""

    def fit(self, X, y):
        self.classes_ = np.array([False, True])
        difference = _differences(X, y)
        self.column_ = int(np.argmax(np.abs(difference)))
        self.sign_ = np.sign(difference[self.column_])
        return self

    def predict_proba(self, X):
        """Return the column, in the place of a probability: only its order counts."""
        column = X[:, [self.column_]]
        column = column.toarray() if sparse.issparse(column) else column
        return np.hstack([-self.sign_ * column, self.sign_ * column])


def _differences(X, is_member):
    """Return the difference of the means of each column, in standard deviations; 0 if constant."""
    sides = (X[is_member], X[~is_member], X)  # float32 would lose the spread of large numbers
    *means, mean = (np.asarray(side.mean(axis=0, dtype=np.float64)).ravel() for side in sides)
    if sparse.issparse(X):
        variance = np.asarray(X.multiply(X).mean(axis=0)).ravel() - mean**2
    else:
        variance = X.var(axis=0, dtype=np.float64)
    constant = variance <= 1e-12 * (1 + mean**2)
    return np.where(constant, 0.0, (means[0] - means[1]) / np.sqrt(np.where(constant, 1, variance)))


def _some(units, half, rng):
    """Return the records of some units of a half, at most `LARGEST_HALF` of them."""
    rows = np.flatnonzero(np.isin(units.of, half))
    if len(rows) <= LARGEST_HALF:
        return rows
    drawn = rng.permutation(half)[: max(2, LARGEST_HALF * len(half) // len(rows))]
    return np.flatnonzero(np.isin(units.of, drawn))


def _auc(units, rows, score):
    """Return the AUC of the units whose records were scored, and its deviation under chance."""
    found, place = np.unique(units.of[rows], return_inverse=True)
    score = np.bincount(place, weights=score) / np.bincount(place)
    truth = units.is_member[found]
    m, n = truth.sum(), (~truth).sum()
    return roc_auc_score(truth, score), np.sqrt((m + n + 1) / (12 * m * n))
