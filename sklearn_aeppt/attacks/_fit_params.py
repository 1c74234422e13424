"""Shadow models learn what the target learned: `fit` with the target's parameters and weights."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, has_fit_parameter

from sklearn_aeppt._compat import routing_enabled
from sklearn_aeppt._unchanged import run_on

#: Keys of a view for what ``fit`` takes for each record, as in ``fit__sample_weight``.
PREFIX = "fit__"
#: What to do with a parameter that is not of the records.
CONSTANT = (
    " What is the same for all models belongs in fit_params, as in LiRAAttack(fit_params={...})."
)


class FitParams(NamedTuple):
    """What the target's ``fit`` was given besides records and labels."""

    constant: dict[str, Any]  # the same for all models
    by_record: dict[str, np.ndarray]  # one value for each record

    def checked(self):
        """Return self, or refuse names that stand in the wrong place or in both."""
        for name in self.constant:
            if name in self.by_record:
                raise ValueError(f"fit_params and record_params both hold {name!r}: leave one out.")
            if _is_weight(name):
                raise ValueError(
                    f"fit_params[{name!r}] has one value for each record, and every shadow model "
                    f"is trained on other records: give it as record_params={{{name!r}: ...}} to "
                    "query or audit."
                )
        return self

    def train(self, n):
        """Return which of n records train a model: those without weights, or any but zero."""
        weights = [values != 0 for name, values in self.by_record.items() if _is_weight(name)]
        return np.any(weights, axis=0) if weights else np.ones(n, dtype=bool)

    def of(self, rows):
        """Return those of some of the records."""
        return self._replace(by_record={name: v[rows] for name, v in self.by_record.items()})

    def joined(self, other):
        """Return those of two tables of records as those of one."""
        mine, others = self.by_record, other.by_record
        if set(mine) != set(others):
            name = sorted(set(mine) ^ set(others))[0]
            raise ValueError(
                f"{name} is given for the records of fit or for those asked about, but not for "
                "both: make both views by query with the same names in record_params."
            )
        joined = {name: np.concatenate([mine[name], others[name]]) for name in mine}
        return self._replace(by_record=joined)


def _is_weight(name):
    return name.rpartition("__")[2] == "sample_weight"


def view_params(record_params, n):
    """Return the keys and arrays that a view of n records holds of `record_params`."""
    given = check_dict("record_params", record_params, "values, one for each record")
    for name, values in given.items():
        check_length(f"record_params[{name!r}]", values, n, "records", CONSTANT)
    return {PREFIX + name: np.asarray(values) for name, values in given.items()}


def check_dict(parameter, given, what):
    """Return a dict by name, empty for None; refuse anything else."""
    if given is not None and not isinstance(given, Mapping):
        shown = " ".join(str(given).split())[:80]
        raise ValueError(f"{parameter}={shown} is no dict: give name -> {what}.")
    return given or {}


def check_length(name, values, n, what, hint=""):
    """Refuse what does not hold one value for each of n records."""
    columns = hasattr(values, "__len__") and not isinstance(values, (str, dict))
    length = _num_samples(values) if columns else 0
    if length != n:
        raise ValueError(f"{name} holds {length} value(s) for {n} {what}: give one for each.{hint}")


def read_fit_params(attack, X):
    """Return the `FitParams` of an attack's own parameters and of the view that it is given."""
    by_record = {key[len(PREFIX) :]: X[key] for key in X if key.startswith(PREFIX)}
    return FitParams(dict(attack.fit_params or {}), by_record).checked()


def mask_name(estimator):
    """Return what fit calls the mask of members; None where it takes members only."""
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = mask_name(last)
        return inner and (inner if routing_enabled() else f"{name}__{inner}")
    takes = hasattr(estimator, "fit") and has_fit_parameter(estimator, "is_member")
    return "is_member" if takes else None


def fit_on(template, X, y, is_in, given):
    """Train a model on the marked records; a defended one on all, of which it is told.

    Some classifiers (XGBoost) take no labels but 0 to K - 1, and a class can be too rare to train
    every shadow model. What refuses integer labels with such a gap is trained on the places of
    the labels instead and answers in the labels themselves. Not where something else may name
    labels (a validation set, weights by class): it would mean other classes then.

    Parameters
    ----------
    template : unfitted classifier
    X, y : records and their labels
    is_in : boolean ndarray of shape (n,)
    given : FitParams

    Returns
    -------
    model : fitted classifier
    """
    try:
        return _fit(template, X, y, is_in, given)
    except ValueError as error:
        labels = np.unique(y[is_in])
        if labels.dtype.kind not in "iu" or np.array_equal(labels, np.arange(len(labels))):
            raise
        if given.constant or _holds_dict(template):
            shown = f"{labels[:9].tolist()}{'...' if len(labels) > 9 else ''}"
            raise ValueError(
                f"{error} (The labels that train this model, {shown}, have a gap. If that is the "
                "reason: they cannot be renumbered, because fit_params or a parameter of the model "
                "may name labels; give more records of the rare classes.)"
            ) from error
        order = np.r_[labels, np.setdiff1d(y, labels)]  # classes of non-members alone come last
        place = np.argsort(order)[np.searchsorted(np.sort(order), y)]
        try:
            model = _fit(clone(template), X, place, is_in, given)
        except ValueError:  # it was not the gap
            raise error from None
        return Renumbered(model, order)


def _fit(template, X, y, is_in, given):
    constant = deepcopy(given.constant)  # callbacks keep a state
    mask = mask_name(template)
    if mask is not None:
        return run_on(template, "fit", X, y, **{mask: is_in}, **constant, **given.by_record)
    rows = np.flatnonzero(is_in)
    mine = {name: values[rows] for name, values in given.by_record.items()}
    return template.fit(_safe_indexing(X, rows), y[rows], **constant, **mine)


def _holds_dict(template):
    return any(isinstance(value, dict) for value in template.get_params(deep=True).values())


class Renumbered:
    """A classifier trained on the places of labels, which answers in the labels.

    Parameters
    ----------
    estimator : fitted classifier
    labels : ndarray
        The label of each place.
    """

    def __init__(self, estimator, labels):
        self.estimator = estimator
        self.labels = labels

    @property
    def classes_(self):
        """The label of each column."""
        return self.labels[self.estimator.classes_]

    @property
    def shows_probabilities(self):
        """Whether rows sum to one, as the classifier itself says."""
        return getattr(self.estimator, "shows_probabilities", True)

    def predict_proba(self, X):
        """Return the classifier's confidences."""
        return self.estimator.predict_proba(X)

    def predict(self, X):
        """Return the classifier's predictions, as labels."""
        return self.labels[self.estimator.predict(X)]
