"""Which attacks an audit runs."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_aeppt._fitted import is_fitted
from sklearn_aeppt._members import draw_members
from sklearn_aeppt._number_table import is_large
from sklearn_aeppt._precomputed import takes_confidences
from sklearn_aeppt._seeding import seed_alike
from sklearn_aeppt._text import as_text
from sklearn_aeppt.attacks import (
    AdversarialTrainingAttack,
    AveragingAttack,
    BaVarIAAttack,
    CollisionAttack,
    FlipAttack,
    GapAttack,
    GradientBoostingAttack,
    LabelOnlyAttack,
    LabelOnlyLiRAAttack,
    LiRAAttack,
    QuantileRegressionAttack,
    RMIAAttack,
    RoundingAttack,
    ShadowAttack,
    ThresholdAttack,
    VariantsAttack,
)
from sklearn_aeppt.attacks._base import traits_of
from sklearn_aeppt.attacks._fit_params import fit_on
from sklearn_aeppt.audit._views import variation
from sklearn_aeppt.defenses._base import OutputDefense

N_REPEATS, N_VARIANTS, N_ON_LADDER = 5, 20, 33


@dataclass
class Contender:
    """An attack by the name that the report gives it, or the reason why it is not run."""

    name: str
    attack: Any = None
    not_run: str | None = None
    retrained: bool = True  # False: it learns from undefended outputs, whatever the attack says
    if_repeats_differ: bool = False  # not worth its time where a repeated query gets the same
    matrix: Any = None  # the audit's shadow models, in the place of the attack's own
    seconds: float | None = None  # of both halves

    @cached_property
    def traits(self):
        """What the attack needs and is."""
        traits = traits_of(self.attack)
        return traits if self.retrained else replace(traits, learns_undefended=True, adaptive=False)


def quick(seed, **_):
    """Return the attacks of a few seconds."""
    return [
        Contender("label only (gap)", GapAttack()),
        *(
            Contender(f"threshold on {statistic}", ThresholdAttack(statistic))
            for statistic in ("confidence", "modified_entropy")
        ),
        Contender("boosting", GradientBoostingAttack(random_state=seed)),
    ]


def standard(seed, *, target, X):
    """Return the attacks on outputs, adaptive ones included."""
    boosting = GradientBoostingAttack(random_state=seed)
    on_ladder = VariantsAttack(N_ON_LADDER, random_state=seed)
    labels = VariantsAttack(N_ON_LADDER, labels_only=True, random_state=seed)
    found = [
        *quick(seed),
        *(
            Contender(f"threshold on {statistic}", ThresholdAttack(statistic))
            for statistic in ("loss", "entropy")
        ),
        Contender("global confidence threshold", ThresholdAttack(per_class=False)),
        network("network (MIM0)", seed),
        Contender("rounding, then boosting", RoundingAttack(boosting)),
        Contender("counts of equal outputs", CollisionAttack(random_state=seed)),
        Contender(
            "averaging over repeated queries",
            AveragingAttack(boosting, n_queries=N_REPEATS),
            if_repeats_differ=True,
        ),
        Contender("label only, perturbed inputs", LabelOnlyAttack(n_queries=N_VARIANTS)),
        Contender("outputs for slightly perturbed inputs", on_ladder),
        Contender("labels of slightly perturbed inputs", labels),
    ]
    if isinstance(target, OutputDefense):
        own = clone(target).set_params(estimator=None)
        if "key" in own.get_params(deep=False):  # they know the method, not the key
            own.set_params(key=None)
        found += [
            network("network, non-adaptive", seed, retrained=False),
            network("network, non-adaptive, flipped", seed, FlipAttack, retrained=False),
            Contender("adversarial training", AdversarialTrainingAttack(boosting, own)),
        ]
    return found


def network(name, seed, wrapper=None, **options):
    """Return the paper's adversary as a contender, which is not run without torch."""
    try:
        from sklearn_aeppt.attacks import MIMAttack
    except ImportError as error:
        return Contender(name, not_run=str(error), **options)
    attack = MIMAttack(max_epochs=30, random_state=seed)
    return Contender(name, attack if wrapper is None else wrapper(attack), **options)


def full(seed, *, target, X):
    """Return the standard attacks and those that judge each record by how hard it is."""
    name, regression = "quantile regression", QuantileRegressionAttack(random_state=seed)
    fits = variation(X) is not None and not is_large(X)
    reason = None if fits else "it needs the records as a table of numbers that can be made dense"
    return [
        *standard(seed, target=target, X=X),
        Contender(name, regression, not_run=reason),
        Contender("shadow models", ShadowAttack(random_state=seed)),
        Contender("labels and shadow models (LiRA)", LabelOnlyLiRAAttack(random_state=seed)),
        Contender("likelihood ratio (LiRA)", LiRAAttack(random_state=seed)),
        Contender("likelihood ratio with priors (BaVarIA)", BaVarIAAttack(random_state=seed)),
        Contender("pairwise likelihood ratio (RMIA)", RMIAAttack(random_state=seed)),
        Contender(
            "ratio to the mean over models (BASE)", RMIAAttack(form="ratio", random_state=seed)
        ),
    ]


SUITES = {"quick": quick, "standard": standard, "full": full}


def contenders(attacks, seed, *, target, X):
    """Return the contenders of a suite, or of attacks that were handed in.

    The latter are cloned, named, and seeded where they are not.
    """
    if isinstance(attacks, str):
        if attacks not in SUITES:
            raise ValueError(
                f"attacks={attacks!r} is not a suite: choose from {', '.join(SUITES)}, or give a "
                "list."
            )
        return SUITES[attacks](seed, target=target, X=X)
    if not isinstance(attacks, Iterable):
        raise ValueError(
            f"attacks={attacks!r} is neither the name of a suite nor several attacks: choose from "
            f"{', '.join(SUITES)}, or give a list, as in attacks=[GapAttack()]."
        )
    named = [*attacks.items()] if isinstance(attacks, dict) else [(str(a), a) for a in attacks]
    if not named:
        raise ValueError(f"attacks={attacks!r} is empty: give attacks, or the name of a suite.")
    for _, attack in named:
        if isinstance(attack, type) or not hasattr(attack, "get_params"):
            mend = (
                f"a suite runs by itself, as in attacks={attack!r}"
                if isinstance(attack, str) and attack in SUITES
                else "give instances of attack classes, as in attacks=[GapAttack()]"
            )
            raise TypeError(f"attacks holds {attack!r}, which is no attack: {mend}.")
    return [Contender(as_text(name), seed_alike(clone(attack), seed)) for name, attack in named]


def shadow_template(target):
    """Return an unfitted model of the target's kind, defense included; None if there is none."""
    if takes_confidences(target):
        return None
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
    return clone(target) if hasattr(target, "get_params") else None


def try_template(template, X, y, is_member, given):
    """Return why a model of the target's kind cannot be trained on half of the members, or None.

    Hours of shadow models begin with one that shows whether the target's parameters are enough:
    early stopping wants a validation set, sample weights or a routed parameter may be missing.
    """
    half = np.zeros(len(y), dtype=bool)
    half[is_member] = draw_members(y[is_member], 0.5, np.random.RandomState(0))
    said = result_or_reason(partial(fit_on, clone(template), X, y, half, given))
    if not isinstance(said, str):
        return None
    hint = "" if any(given) else " (fit_params of the audit take what the target's fit was given)"
    return said + hint


def result_or_reason(run):
    """Return what `run` returns, or the text of the error that it ends with.

    For code of anyone's (models, attacks): its error becomes a row of the report.
    """
    try:
        return run()
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
