"""What attacks with a score have in common, and what each says of itself."""

from dataclasses import dataclass, fields

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from sklearn_aeppt._one_step import OneStep


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


def traits_of(attack):
    """Return the `Traits` that an attack states, as attributes of the same names."""
    stated = {f.name: getattr(attack, f.name, f.default) for f in fields(Traits)}
    return Traits(**stated)


class ScoreAttack(ClassifierMixin, OneStep, BaseEstimator):
    """Attack that calls a record a member where its ``decision_function`` is above zero.

    A subclass states what it needs and what it is by class attributes or properties: those of
    `Traits` that differ from the values there, which stand for an adaptive attack on single
    outputs.

    Attributes
    ----------
    needs_queries : int
        Predictions a record that a view must hold, that of the record itself included.
    needs_variants : {None, "noise", "ladder"}
        What all but the first are of: the record itself, variants of it, or variants at several
        scales.
    needs_records : bool or "numeric"
        Whether the attack reads the records themselves, "numeric": as a table of numbers.
    needs_shadow_models : bool
        Whether it trains models of the target's kind.
    learns_undefended : bool
        Whether it learns from undefended outputs and is asked about the defended ones.
    labels_only : bool
        Whether the attack looks at labels alone, which no defense that keeps them can hide.
    adaptive : bool
        Whether it takes the defense into account.
    per_record : bool
        Whether it judges each record by how hard that very record is.
    """

    needs_queries = Traits.needs_queries
    needs_variants: str | None = Traits.needs_variants
    needs_records: bool | str = Traits.needs_records
    needs_shadow_models = Traits.needs_shadow_models
    learns_undefended = Traits.learns_undefended
    labels_only = Traits.labels_only
    adaptive = Traits.adaptive
    per_record = Traits.per_record

    def predict(self, X):
        """Return the believed membership of each record, out of ``classes_``, shape (n,)."""
        is_member = self.decision_function(X) > 0
        return self.classes_[is_member.astype(int)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


class LogitAttack(ScoreAttack):
    """Attack whose ``decision_function`` is the logit of membership."""

    def predict_proba(self, X):
        """Return the probabilities of (non-member, member), ndarray of shape (n, 2)."""
        member = 1 / (1 + np.exp(-self.decision_function(X).clip(-700, 700)))
        return np.column_stack([1 - member, member])


def prior_logit(is_member):
    """Return the logit of membership among known records: what to take off for equal sides."""
    return float(np.log(np.sum(is_member == 1) / np.sum(is_member == 0)))


@np.errstate(under="ignore")  # the float below zero is a denormal
def best_threshold(score, is_member):
    """Return the threshold t for which ``score > t`` has the best balanced accuracy.

    Halfway between two neighboring scores, or just below all of them.
    """
    order = np.argsort(-score, kind="stable")
    falling, member = score[order], np.asarray(is_member, dtype=int)[order]
    tpr = np.cumsum(member) / member.sum()
    fpr = np.cumsum(1 - member) / (1 - member).sum()
    last = np.r_[falling[1:] != falling[:-1], True]  # of equal scores, only all or none
    best = np.argmax(np.where(last, tpr - fpr, -np.inf))
    middle = falling[best : best + 2].mean() if best + 1 < len(falling) else falling[best]
    return middle if middle < falling[best] else np.nextafter(falling[best], -np.inf)
