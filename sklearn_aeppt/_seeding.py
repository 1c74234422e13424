"""Seeds for the estimators inside an estimator."""


def seed_unseeded(estimator, rng):
    """Give a seed to every ``random_state`` of `estimator`, nested ones too, that is None.

    What the user seeded stays; estimators without any ``random_state`` (a pipeline, nearest
    neighbors) are fine as they are. `rng` is a numpy RandomState. Returns `estimator`.
    """
    unseeded = sorted(
        key
        for key, value in estimator.get_params(deep=True).items()
        if (key == "random_state" or key.endswith("__random_state")) and value is None
    )
    return estimator.set_params(**{key: int(rng.randint(2**31 - 1)) for key in unseeded})
