"""Shadow models of an audit: trained once for all attacks that would train the same."""

import warnings
from functools import partial

from sklearn_aeppt.attacks import ShadowMatrix
from sklearn_aeppt.attacks._record_attack import RecordAttack
from sklearn_aeppt.audit._suites import result_or_reason


def share_shadow_models(ready, X, y, params, *, asks_labels, n_jobs, memory, verbose):
    """Give attacks on records the answers of shadow models; return the contenders still ready.

    Online, an attack's shadow models are trained on known and scored records alike, each in a
    random half: who is known makes no difference, and one matrix serves both folds of the audit and
    every attack of the same design. Without it, each attack would train its models four times, for
    the decisions and the scores of either fold.

    Parameters
    ----------
    ready : list of Contender
        Those with attacks that were given the audit's own kind of model get a matrix.
    X, y : records and their labels
    params : FitParams
    asks_labels : bool
        Whether the target decides by something else than the argmax of its confidences.
    n_jobs, memory, verbose
        As of the audit.
    """
    matrices = {}
    for contender in ready:
        design = _design(contender, params)
        if design is None:
            continue
        if design not in matrices:
            attack = contender.attack
            train = partial(
                ShadowMatrix.train,
                attack.estimator,
                X,
                y,
                n_shadow_models=attack.n_shadow_models,
                train_size=attack.train_size,
                asks_labels=asks_labels,
                fit_params=params.constant,
                record_params=params.by_record,
                n_jobs=attack.n_jobs if n_jobs is None else n_jobs,
                memory=attack.memory if memory is None else memory,
                random_state=attack.random_state,
                verbose=max(int(verbose), int(attack.verbose)),
            )
            matrices[design] = result_or_reason(train)
        if isinstance(matrices[design], str):
            contender.not_run = matrices[design]
            said = f"{contender.name} is not in the report: {contender.not_run}."
            warnings.warn(said, stacklevel=3)
        else:
            contender.matrix = matrices[design]
    return [contender for contender in ready if contender.not_run is None]


def _design(contender, params):
    """Return what two attacks have in common that can share models; None for one of its own."""
    attack = contender.attack
    if not isinstance(attack, RecordAttack) or not contender.traits.lacks_estimator:
        return None
    given = attack.fit_params or {}
    own = given.keys() != params.constant.keys() or any(
        given[name] is not value for name, value in params.constant.items()
    )
    if attack.mode != "online" or own or isinstance(result_or_reason(attack._validate_params), str):
        return None  # and what is wrong with a parameter, the attack says itself
    if not isinstance(attack.random_state, int):
        return None
    return attack.n_shadow_models, attack.train_size, attack.random_state
