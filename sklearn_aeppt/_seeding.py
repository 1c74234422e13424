"""Seeds and keys for the estimators inside an estimator; never for a fitted model inside."""

from sklearn_aeppt._fitted import FittedInside, is_fitted


def seed_unseeded(estimator, rng):
    """Give a seed to every ``random_state`` of `estimator` that is None; return `estimator`.

    What the user seeded stays. `rng` is a numpy RandomState.
    """
    return _set_seeds(estimator, _drawn(rng), keep=lambda value: value is not None)


def seed_alike(estimator, seed):
    """Give the same seed to every ``random_state`` of `estimator` that is None; return it."""
    return _set_seeds(estimator, lambda: seed, keep=lambda value: value is not None)


def reseed(estimator, rng):
    """Give a new seed to every ``random_state`` and a new key to every defense; return `estimator`.

    For shadow models: neither the seed nor the key that the target's owner chose is the
    adversary's to know. A key of None gets one too, so that `rng` fixes the shadow models.
    """
    _set_seeds(estimator, _drawn(rng), keep=lambda value: False)
    params = sorted(open_params(estimator).items(), key=lambda item: item[0])
    for name, value in params:
        if name.rpartition("__")[2] == "key" and isinstance(value, (bytes, type(None))):
            estimator.set_params(**{name: rng.bytes(32)})
    return estimator


def open_params(estimator):
    """Return the parameters, nested ones too, but for those of fitted models that are wrapped."""
    params = estimator.get_params(deep=True)
    closed = []
    for name, value in params.items():
        outer, _, last = name.rpartition("__")
        around = params[outer] if outer else estimator
        if last == "estimator" and isinstance(around, FittedInside) and is_fitted(value):
            closed.append(f"{name}__")
    return {name: value for name, value in params.items() if not name.startswith(tuple(closed))}


def _drawn(rng):
    return lambda: rng.randint(2**31 - 1)


def _set_seeds(estimator, draw, keep):
    # nested ones too; estimators without any (a pipeline, nearest neighbors) stay as they are
    seeded = sorted(
        key
        for key, value in open_params(estimator).items()
        if (key == "random_state" or key.endswith("__random_state")) and not keep(value)
    )
    estimator.set_params(**{key: int(draw()) for key in seeded})
    return estimator  # not what set_params returns: a FrozenEstimator's returns nothing
