"""Which attacks an audit runs, and what each of them sees."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from sklearn_aeppt._answers import Answers
from sklearn_aeppt._output_defense import OutputDefense, is_fitted
from sklearn_aeppt.attacks import (
    AdversarialTrainingAttack,
    AveragingAttack,
    BitFlips,
    BoostingAttack,
    CollisionAttack,
    FlipAttack,
    GapAttack,
    GaussianNoise,
    LabelOnlyAttack,
    LiRAAttack,
    MIMAttack,
    NoiseLadder,
    QuantileAttack,
    RMIAAttack,
    RoundingAttack,
    ShadowAttack,
    ThresholdAttack,
    VariantsAttack,
)
from sklearn_aeppt.attacks._augment import numeric_columns

N_REPEATS, N_VARIANTS, N_ON_LADDER = 5, 20, 33


@dataclass
class Contender:
    """An attack, and the views that it learns from and is asked about."""

    name: str
    attack: Any
    learns: str = "shown"
    asks: str = "shown"

    @property
    def adaptive(self):
        """Whether the attacker minds the defense: he learns from what is shown, or copies it."""
        return self.learns != "plain" or isinstance(self.attack, AdversarialTrainingAttack)

    @property
    def labels_only(self):
        """Whether the attacker looks at labels alone."""
        return getattr(self.attack, "labels_only", False)


def quick(seed, **_):
    """Return the attacks of a few seconds."""
    return [
        Contender("label only (gap)", GapAttack()),
        *(
            Contender(f"threshold on {statistic}", ThresholdAttack(statistic))
            for statistic in ("confidence", "modified_entropy")
        ),
        Contender("boosting", BoostingAttack(random_state=seed)),
    ]


def standard(seed, *, views, target, template):
    """Return the attacks on answers, adaptive ones included."""
    boosting = BoostingAttack(random_state=seed)
    mim = MIMAttack(max_epochs=30, random_state=seed)
    found = [
        *quick(seed),
        *(
            Contender(f"threshold on {statistic}", ThresholdAttack(statistic))
            for statistic in ("loss", "entropy")
        ),
        Contender("threshold on confidence, one for all", ThresholdAttack(per_class=False)),
        Contender("network (MIM0)", mim),
        Contender("rounding, then boosting", RoundingAttack(boosting)),
        Contender("equal answers counted", CollisionAttack(random_state=seed)),
    ]
    if "repeated" in views:
        averaging = AveragingAttack(boosting, n_queries=N_REPEATS)
        found.append(Contender("averaging of repeated queries", averaging, "repeated", "repeated"))
    if "varied" in views:
        label_only = LabelOnlyAttack(n_queries=N_VARIANTS)
        found.append(Contender("labels of varied records", label_only, "varied", "varied"))
    if "ladder" in views:
        n = views["ladder"]["repeats"].shape[1]
        on_ladder = VariantsAttack(n, random_state=seed)
        labels = VariantsAttack(n, labels_only=True, random_state=seed)
        found += [
            Contender("answers to slightly varied records", on_ladder, "ladder", "ladder"),
            Contender("labels of slightly varied records", labels, "ladder", "ladder"),
        ]
    if "plain" in views:
        own = clone(target).set_params(estimator=None)
        found += [
            Contender("network, not retrained", mim, "plain"),
            Contender("network, not retrained, flipped", FlipAttack(mim), "plain"),
            Contender("defense copied", AdversarialTrainingAttack(boosting, own), "plain"),
        ]
    return found


def full(seed, *, views, target, template):
    """Return the standard attacks and those that judge each record against shadow models."""
    found = standard(seed, views=views, target=target, template=template)
    if "varied" in views:  # numeric records
        found.append(Contender("quantile regression", QuantileAttack(random_state=seed)))
    if template is not None:
        shadow = {"estimator": template, "random_state": seed}
        found += [
            Contender("shadow models", ShadowAttack(**shadow)),
            Contender("likelihood ratio (LiRA)", LiRAAttack(**shadow)),
            Contender("population ratio (RMIA)", RMIAAttack(**shadow)),
        ]
    return found


SUITES = {"quick": quick, "standard": standard, "full": full}


def shadow_template(target):
    """Return an unfitted model of the target's kind, defense included; None if there is none."""
    if isinstance(target, FrozenEstimator):
        return shadow_template(target.estimator)
    if isinstance(target, Pipeline) and is_fitted(target):
        return clone(target)
    if isinstance(target, OutputDefense):
        inner = shadow_template(target.estimator)
        if inner is None:
            return None
        params = target.get_params(deep=False)
        return type(target)(**{**params, "estimator": inner})
    refittable = hasattr(target, "get_params") and not isinstance(target, Answers)
    return clone(target) if refittable else None


def variation(X):
    """Return how to vary records slightly: bit flips, noise, or None where they are no numbers."""
    if hasattr(X, "iloc"):
        kinds = {dtype.kind if isinstance(dtype, np.dtype) else "O" for dtype in X.dtypes}
        values = X.to_numpy() if kinds <= set("fiub") else None
    else:
        values = X if isinstance(X, np.ndarray) and X.dtype.kind in "fiub" else None
    if values is None or values.ndim != 2:
        return None
    if ((values == 0) | (values == 1)).all():
        return BitFlips(min(0.5, 2 / values.shape[1]))
    return GaussianNoise(0.1 * float(values.std()))


def ladder(X):
    """Return how to vary records at several scales, or None where nothing in them is a number."""
    if sparse.issparse(X):
        numbers, bits = X.dtype.kind in "fiub", (X.tocsr().data == 1).all()
    else:
        is_array = isinstance(X, np.ndarray) and X.ndim > 1 and X.dtype.kind in "fiub"
        numbers = is_array or (hasattr(X, "iloc") and bool(numeric_columns(X)))
        bits = isinstance(variation(X), BitFlips)
    return NoiseLadder(flips=(1, 2) if bits else ()) if numbers else None


def accepted(target, X, steps):
    """Return those of the ways to vary records that the target can be asked about; warn of others.

    A model of bits or codes may refuse fractions, as one-hot encoding does of unknown values.
    """
    few, rng = _safe_indexing(X, np.arange(2)), np.random.RandomState(0)
    taken, refused = [], {}
    for step in steps:
        try:
            target.predict_proba(step(few, rng))
        except Exception as error:  # whatever a model or a service raises: it goes into the warning
            refused[str(step)] = error
        else:
            taken.append(step)
    if refused:
        warnings.warn(
            f"The target refuses some variants of records, which are not asked: {refused}.",
            stacklevel=4,
        )
    return taken
