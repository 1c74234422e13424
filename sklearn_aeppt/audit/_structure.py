"""What the fitted model itself holds of its training records: no attack, no shadow models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _num_samples

from sklearn_aeppt._one_step import TWIN
from sklearn_aeppt._record_numbers import as_numbers
from sklearn_aeppt._records import are_among

#: Leaves below these sizes are small: 5 in SACRO-ML's limits for trees, 10 in ACRO's for cells.
SMALL = (5, 10)


@dataclass(frozen=True)
class StructuralRisk:
    """What a fitted model holds of its training records; made by `structural_risk`.

    Parameters
    ----------
    n_records : int
        Training records that were given.
    stored : dict, default={}
        Attribute of the model, by its path -> how many of the training records stand in it as they
        are (or as the steps before it transform them). Attributes with none are left out.
    smallest_leaf : int or None, default=None
        Training records in the smallest leaf that holds any, over all trees; None without trees.
    small_leaves : dict, default={}
        5 and 10 -> share of the training records, over all trees, whose leaf holds fewer.
    n_parameters : int or None, default=None
        Numbers that were fitted: coefficients and intercepts, weights, and of trees the feature and
        threshold of each split and K - 1 values of each leaf. None where they are not known.
    degrees_of_freedom : int or None, default=None
        `n_records` less `n_parameters`.

    Attributes
    ----------
    risks : list of str
        One sentence for each finding.

    See Also
    --------
    structural_risk : Makes it.

    Examples
    --------
    >>> from sklearn_aeppt.audit import StructuralRisk
    >>> print(StructuralRisk(n_records=90, stored={"_fit_X": 90}))
    The model stores 90 of 90 training records (_fit_X): whoever gets its file has them.
    """

    n_records: int
    stored: dict[str, int] = field(default_factory=dict)
    smallest_leaf: int | None = None
    small_leaves: dict[int, float] = field(default_factory=dict)
    n_parameters: int | None = None
    degrees_of_freedom: int | None = None

    @property
    def risks(self) -> list[str]:
        """One sentence for each finding, a list of str."""
        said = []
        if self.stored:
            most = max(self.stored, key=lambda path: self.stored[path])
            said.append(
                f"The model stores {self.stored[most]:,} of {self.n_records:,} training records "
                f"({most}): whoever gets its file has them."
            )
        if self.smallest_leaf is not None and self.smallest_leaf < max(SMALL):
            shares = ", ".join(f"{self.small_leaves[k]:.1%} in one of less than {k}" for k in SMALL)
            said.append(
                f"Trees: the smallest leaf holds {self.smallest_leaf:,} training record(s); of "
                f"all records, {shares}: raise min_samples_leaf."
            )
        if self.degrees_of_freedom is not None and self.degrees_of_freedom < max(SMALL):
            said.append(
                f"Degrees of freedom: {self.n_parameters:,} fitted parameters for "
                f"{self.n_records:,} training records: the model can hold all of them."
            )
        return said

    def __str__(self) -> str:
        return "\n".join(self.risks) or "No structural risk found."


def structural_risk(estimator: BaseEstimator, X: Any) -> StructuralRisk:
    """Find out what a fitted model itself holds of its training records.

    Three checks of the model as whoever receives its file can make them; they take seconds and
    need no non-members. Stored rows: every two-dimensional array that the model or a part of it
    holds is searched for the training records, as neighbors, support vectors and Gaussian
    processes keep them. Leaves: how many of the training records share the leaf of each (their
    k-anonymity in the tree). Degrees of freedom: training records less fitted parameters.

    Parameters
    ----------
    estimator : fitted estimator
        A classifier, pipeline, ensemble, search or defense; its parts are looked at, too.
    X : records
        The records that trained it, as it takes them.

    Returns
    -------
    risk : StructuralRisk
        The findings; ``str(risk)`` says those that are risks.

    Raises
    ------
    ValueError
        If X is empty.

    See Also
    --------
    audit : What attackers achieve who only see answers.

    Notes
    -----
    No finding is no proof of safety: a network stores no rows and may know them all. A finding is
    about the file; that a model stores its training records does not mean that its answers show
    them.

    References
    ----------
    Smith, Preen, McCarthy et al. (2022), "Safe machine learning model release from trusted research
    environments: the SACRO-ML package": its structural attack makes such checks.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_aeppt.audit import structural_risk
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), KNeighborsClassifier()).fit(X, y)
    >>> structural_risk(model, X).stored
    {'kneighborsclassifier._fit_X': 150}
    """
    n = _num_samples(X)
    if n == 0:
        raise ValueError("X is empty: give the records that trained the estimator.")
    stored: dict[str, int] = {}
    sizes: list[np.ndarray] = []
    n_parameters, unknown = 0, False
    for path, part, records in parts_of(estimator, X):
        stored.update(_stored_rows(path, part, records))
        leaves = _leaf_sizes(part, records)
        if leaves is not None:
            sizes.append(leaves)
        count = _count_parameters(part)
        n_parameters += count or 0
        unknown |= count is None
    each = np.concatenate(sizes) if sizes else None
    known = n_parameters > 0 and not unknown
    return StructuralRisk(
        n_records=n,
        stored=stored,
        smallest_leaf=None if each is None else int(each.min()),
        small_leaves={} if each is None else {k: float((each < k).mean()) for k in SMALL},
        n_parameters=n_parameters if known else None,
        degrees_of_freedom=n - n_parameters if known else None,
    )


def parts_of(estimator: Any, X: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, estimator, records as it takes them or None) of an estimator and its parts.

    The trees of an ensemble that says itself in which leaves records are (``apply``) are left out.
    """
    if isinstance(estimator, Pipeline):
        for name, step in estimator.steps:
            if not hasattr(step, "fit"):  # "passthrough"
                continue
            yield from parts_of(step, X, _join(path, name))
            X = step.transform(X) if X is not None and hasattr(step, "transform") else None
        return
    yield path, estimator, X
    if hasattr(estimator, "apply") and hasattr(estimator, "estimators_"):
        return
    features = getattr(estimator, "estimators_features_", None)
    for name, value in _held(estimator):
        for i, part in value:
            records = X
            if features is not None and name == "estimators_":
                numbers = None if X is None else as_numbers(X)
                records = None if numbers is None else numbers[:, features[i]]
            yield from parts_of(part, records, _join(path, name if i is None else f"{name}[{i}]"))


def _join(path, name):
    return f"{path}.{name}" if path else name


def _held(estimator):
    """Return (attribute, [(place or None, fitted estimator)]) of what an estimator holds."""
    found: list[tuple[str, list[tuple[int | None, Any]]]] = []
    for name, value in _state(estimator).items():
        if not name.endswith("_") and name != "estimator":  # parameters: unfitted, or frozen
            continue
        if name == "estimator" and "estimator_" in _state(estimator):
            continue
        if _is_part(value):
            found.append((name, [(None, value)]))
        elif isinstance(value, (list, tuple)) or (
            isinstance(value, np.ndarray) and value.dtype == object
        ):
            flat = list(np.ravel(np.array(value, dtype=object))) if len(value) else []
            parts: list[tuple[int | None, Any]] = []
            parts += [(i, part) for i, part in enumerate(flat) if _is_part(part)]
            if parts:
                found.append((name, parts))
    return found


def _state(estimator):
    """Return the attributes of an estimator, those of its last `fit` included."""
    held = getattr(estimator, "__dict__", {})
    twin = held.get(TWIN)
    return {**held, **vars(twin)} if twin is not None else held


def _is_part(value):
    is_estimator = hasattr(value, "fit") and hasattr(value, "get_params")
    of_calibration = type(value).__name__ == "_CalibratedClassifier"
    return not isinstance(value, type) and (is_estimator or of_calibration)


def _stored_rows(path, part, records):
    """Return attribute -> number of the records that stand in it."""
    numbers = None if records is None else as_numbers(records)
    if numbers is None:
        return {}
    found = {}
    for name, value in _state(part).items():
        is_table = isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
        if not (is_table or sparse.issparse(value)) or (np.ndim(value) != 2 and is_table):
            continue
        if value.shape[1] != numbers.shape[1] or not value.shape[0]:
            continue
        n = int(are_among(_alike(numbers), _alike(value)).sum())
        if n:
            found[_join(path, name)] = n
    return found


def _alike(table):
    return sparse.csr_array(table, dtype=np.float32)


def _leaf_sizes(part, records):
    """Return how many records share the leaf of each, one for each record and tree; or None."""
    if hasattr(part, "_predictors"):  # histogram boosting counts its training records itself
        nodes = [tree.nodes for trees in part._predictors for tree in trees]
        counts = [each["count"][each["is_leaf"] == 1] for each in nodes]
        return np.concatenate([np.repeat(count, count) for count in counts]) if counts else None
    leaves = _leaves(part, records)
    if leaves is None:
        return None
    leaves = np.asarray(leaves).reshape(len(leaves), -1)
    found = []
    for column in leaves.T:
        _, place, count = np.unique(column, return_inverse=True, return_counts=True)
        found.append(count[place])
    return np.concatenate(found)


def _leaves(part, records):
    """Return the leaf of each record in each tree, or None where there are no trees."""
    if records is None:
        return None
    library = type(part).__module__.partition(".")[0]
    if library == "lightgbm":
        return part.predict(records, pred_leaf=True)
    if library == "catboost":
        return part.calc_leaf_indexes(records)
    trees = hasattr(part, "tree_") or hasattr(part, "estimators_") or library == "xgboost"
    if library == "sklearn" and not hasattr(part, "feature_names_in_"):
        records = as_numbers(records)  # a part of an ensemble, which knows no names
    return part.apply(records) if hasattr(part, "apply") and trees else None


def _count_parameters(part):
    """Return the number of fitted numbers of one part; 0 where it has none, None if unknown."""
    if hasattr(part, "tree_"):
        return _of_trees([part.tree_])
    if hasattr(part, "apply") and hasattr(part, "estimators_"):
        return _of_trees([tree.tree_ for tree in np.ravel(part.estimators_)])
    if hasattr(part, "_predictors"):
        leaves = [tree.nodes["is_leaf"] for trees in part._predictors for tree in trees]
        return int(sum((leaf == 1).sum() + 2 * (leaf == 0).sum() for leaf in leaves))
    if type(part).__module__.partition(".")[0] in ("lightgbm", "catboost", "xgboost"):
        return None
    held = _state(part)
    names = ("coef_", "coefs_", "intercept_", "intercepts_")
    if "support_vectors_" in held:  # coef_ is made of them
        return None
    return sum(
        int(np.size(one))
        for name in names
        for one in (held[name] if isinstance(held.get(name), list) else [held.get(name, [])])
    )


def _of_trees(trees):
    n_splits = sum(int((tree.children_left >= 0).sum()) for tree in trees)
    n_values = sum(
        int((tree.children_left < 0).sum()) * max(1, tree.value.shape[2] - 1) for tree in trees
    )
    return 2 * n_splits + n_values
