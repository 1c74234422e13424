"""Whether an estimator is ready to predict, and that nobody writes into one that is."""

from typing import Any, Self

from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted


def is_fitted(estimator):
    """Return whether `estimator` is ready to predict; what cannot be fitted at all is.

    What is no scikit-learn estimator is fitted where it knows its classes.
    """
    if not hasattr(estimator, "fit"):
        return True
    if not hasattr(estimator, "__sklearn_tags__"):
        return hasattr(estimator, "classes_")
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def thawed(estimator):
    """Return the estimator in a FrozenEstimator, others as they are."""
    while isinstance(estimator, FrozenEstimator):
        estimator = estimator.estimator
    return estimator


def keeps_a_model(cloned):
    """Return the part of a clone that is still fitted, frozen or a defense of one; None without."""
    for part in (cloned, *cloned.get_params(deep=True).values()):
        if isinstance(part, FrozenEstimator):
            return part
        inner = getattr(part, "estimator", None)
        if hasattr(inner, "fit") and not isinstance(inner, type) and is_fitted(inner):
            return part
    return None


class FittedInside:
    """Mixin, before BaseEstimator: parameters of a fitted ``estimator`` are not set through it.

    scikit-learn's ``set_params`` writes into the nested object itself. A search over
    ``estimator__...`` would change a model that its owner serves, which `clone` keeps fitted here.
    """

    def set_params(self, **params: Any) -> Self:
        """Set parameters of this estimator; those of a fitted `estimator` are refused.

        Parameters
        ----------
        **params : dict
            Parameters by name; ``<component>__<parameter>`` for those of a component.

        Returns
        -------
        self : object
            This estimator.

        Raises
        ------
        ValueError
            If a parameter is that of a fitted `estimator`.
        """
        nested = sorted(name for name in params if name.startswith("estimator__"))
        inner = params.get("estimator", getattr(self, "estimator", None))
        if nested and is_fitted(inner):
            raise ValueError(
                f"{nested[0]}={params[nested[0]]!r} would change a fitted model, "
                f"{type(inner).__name__}, which is wrapped as it is: wrap an unfitted one, "
                f"{type(self).__name__}(estimator=clone(model)), or change and fit the model "
                "before it is wrapped."
            )
        return super().set_params(**params)  # type: ignore[misc]  # BaseEstimator comes after
