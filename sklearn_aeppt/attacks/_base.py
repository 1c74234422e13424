"""What attacks with a score have in common, and what each says of itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from sklearn_aeppt._one_step import OneStep
from sklearn_aeppt.attacks._query import View


@dataclass(frozen=True)
class Traits:
    """What an attack needs to be shown, and what it is; asked of the attack by `traits_of`.

    An audit prepares the views and reports the rows by these alone, for attacks of the suites and
    for those that are handed in. What an attack does not say is as it stands here.
    """

    #: Predictions a record that a view must hold, that of the record itself included.
    needs_queries: int = 1
    #: What all but the first are of: None, the record itself; "noise", variants of it; "ladder",
    #: variants at several scales.
    needs_variants: str | None = None
    #: Whether it reads the records themselves; "numeric": as a table of numbers.
    needs_records: bool | str = False
    #: Whether it trains models of the target's kind, and whether it lacks one to train.
    needs_shadow_models: bool = False
    lacks_estimator: bool = False
    #: Whether it learns from undefended outputs and is asked about the defended ones.
    learns_undefended: bool = False
    #: Whether it looks at labels alone, which no defense that keeps them can hide.
    labels_only: bool = False
    #: Whether it takes the defense into account.
    adaptive: bool = True
    #: Whether it judges each record by how hard that very record is.
    per_record: bool = False


def traits_of(attack: BaseEstimator) -> Traits:
    """Return the `Traits` that an attack states, as attributes of the same names."""
    stated: dict[str, Any] = {f.name: getattr(attack, f.name, f.default) for f in fields(Traits)}
    return Traits(**stated)


class ScoreAttack(ClassifierMixin, OneStep, BaseEstimator):
    """Base class of attacks with a score: members are records with a score above zero.

    A subclass implements ``fit``, which sets ``classes_``, and ``decision_function``. It states
    what it needs and what it is by class attributes or properties: those of the attributes below
    that differ from their defaults, which describe an adaptive attack on one output per record.

    Attributes
    ----------
    needs_queries : int, default=1
        Number of outputs per record that a view must hold, the record's own included.
    needs_variants : {None, "noise", "ladder"}, default=None
        What the outputs other than the first belong to: the record itself (None), variants of it
        ("noise"), or variants at several scales ("ladder").
    needs_records : bool or "numeric", default=False
        Whether the attack reads the records themselves; "numeric": as a table of numbers.
    needs_shadow_models : bool, default=False
        Whether it trains models of the target's kind.
    learns_undefended : bool, default=False
        Whether it is trained on undefended outputs and then applied to defended ones.
    labels_only : bool, default=False
        Whether it uses labels alone, which no label-preserving defense can hide.
    adaptive : bool, default=True
        Whether it takes the defense into account.
    per_record : bool, default=False
        Whether it is calibrated per example.

    See Also
    --------
    read_view : Converts what ``fit`` and ``decision_function`` are given.
    check_membership : Checks the membership that ``fit`` is given.
    best_threshold : Learns a threshold of any score.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import ScoreAttack, check_membership, read_view
    >>> class TopAttack(ScoreAttack):
    ...     def fit(self, X, y):
    ...         proba, label = read_view(self, X, reset=True)
    ...         self.classes_, is_member = check_membership(y, len(proba))
    ...         return self
    ...
    ...     def decision_function(self, X):
    ...         proba, label = read_view(self, X, reset=False)
    ...         return proba.max(axis=1) - 0.7
    >>> proba = np.array([[0.9, 0.1], [0.4, 0.6]])
    >>> TopAttack().fit(proba, [True, False]).predict(proba)
    array([ True, False])
    """

    needs_queries = Traits.needs_queries
    needs_variants: str | None = Traits.needs_variants
    needs_records: bool | str = Traits.needs_records
    needs_shadow_models = Traits.needs_shadow_models
    learns_undefended = Traits.learns_undefended
    labels_only = Traits.labels_only
    adaptive = Traits.adaptive
    per_record = Traits.per_record

    def predict(self, X: View) -> np.ndarray:
        """Classify records as members or non-members.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs, as in ``fit``.

        Returns
        -------
        y_pred : ndarray of shape (n,)
            Predicted membership, a value of ``classes_`` for each record: the second one where
            ``decision_function`` is above zero.
        """
        is_member = self.decision_function(X) > 0
        return self.classes_[is_member.astype(int)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


class LogitAttack(ScoreAttack):
    """Base class of attacks whose ``decision_function`` is the logit of membership."""

    def predict_proba(self, X: View) -> NDArray[np.float64]:
        """Estimate the probability of membership of each record.

        Members and non-members have equal prior probabilities, however many of each ``fit`` was
        given.

        Parameters
        ----------
        X : SliceDict of `query`, or array-like of shape (n, K)
            The target's outputs, as in ``fit``.

        Returns
        -------
        proba : float64 ndarray of shape (n, 2)
            Probabilities of non-member and member, in the order of ``classes_``.
        """
        member = 1 / (1 + np.exp(-self.decision_function(X).clip(-700, 700)))
        return np.column_stack([1 - member, member])


def prior_logit(is_member):
    """Return the logit of membership among known records: what to take off for equal sides."""
    return float(np.log(np.sum(is_member == 1) / np.sum(is_member == 0)))


@np.errstate(under="ignore")  # the float below zero is a denormal
def best_threshold(score: np.ndarray, is_member: ArrayLike) -> float:
    """Return the threshold t for which ``score > t`` has the best balanced accuracy.

    Parameters
    ----------
    score : float ndarray of shape (n,)
        Attack scores; greater means more likely a member.
    is_member : array-like of shape (n,), boolean or 0/1
        Membership; both values must occur.

    Returns
    -------
    threshold : float
        Halfway between two neighboring scores, or just below all of them. Of several thresholds
        with the best balanced accuracy, the greatest.

    See Also
    --------
    ScoreAttack : Base class of attacks that compare a score with a threshold.
    ThresholdAttack : Learns such thresholds, per class or for all classes together.
    sklearn_aeppt.metrics.counts_at_thresholds : Counts of members and non-members per threshold.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_aeppt.attacks import best_threshold
    >>> float(best_threshold(np.array([0.9, 0.75, 0.25, 0.1]), [1, 1, 0, 0]))
    0.5
    """
    order = np.argsort(-score, kind="stable")
    falling, member = score[order], np.asarray(is_member, dtype=int)[order]
    tpr = np.cumsum(member) / member.sum()
    fpr = np.cumsum(1 - member) / (1 - member).sum()
    last = np.r_[falling[1:] != falling[:-1], True]  # of equal scores, only all or none
    best = np.argmax(np.where(last, tpr - fpr, -np.inf))
    middle = falling[best : best + 2].mean() if best + 1 < len(falling) else falling[best]
    return middle if middle < falling[best] else np.nextafter(falling[best], -np.inf)
