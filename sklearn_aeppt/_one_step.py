"""`fit` is one step: what it learns is put in place at its end, all at once, or not at all.

An estimator that learns into itself, attribute by attribute, answers half old and half new while
it is fitted again, and stays so where that fit fails or is interrupted: for a defense, answers
with next to no protection. Here `fit` learns into a twin, one assignment puts the finished twin in
place of the last one, and whatever answers reads that reference once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import getattr_static, isfunction
from typing import Any, TypeVar, cast

#: Where an estimator keeps its fitted twin: absent before `fit`, None in the twin itself.
TWIN = "_fitted_twin"

ANSWERS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "perturb")

_Method = TypeVar("_Method", bound=Callable[..., Any])


def one_step(fit: _Method) -> _Method:
    """Make a `fit` learn into a twin that takes the place of the last one when it is done.

    Parameters
    ----------
    fit : function
        A method that sets fitted attributes and returns its estimator.

    Returns
    -------
    fit_a_twin : function
        The same method; an exception in it leaves the estimator as it was.

    See Also
    --------
    as_fitted : For methods that read what it learned.
    """

    @wraps(fit)
    def fit_a_twin(self: OneStep, *args: Any, **kwargs: Any) -> Any:
        if is_twin_state(vars(self)):  # a subclass's `fit` has called this one
            return fit(self, *args, **kwargs)
        twin = type(self).__new__(type(self))
        vars(twin).update(vars(self), **{TWIN: None})
        fitted = fit(twin, *args, **kwargs)
        self._fitted_twin = twin
        return self if fitted is twin else fitted

    vars(fit_a_twin)["one_step"] = True
    return cast(_Method, fit_a_twin)


def as_fitted(method: _Method) -> _Method:
    """Make a method run on the fitted twin: on one `fit`, with the parameters of that time.

    Parameters
    ----------
    method : function
        A method that reads fitted attributes.

    Returns
    -------
    answer : function
        The same method; a concurrent `fit` does not change what one call of it reads.

    See Also
    --------
    one_step : For `fit`.
    """

    @wraps(method)
    def answer(self: OneStep, *args: Any, **kwargs: Any) -> Any:
        twin = vars(self).get(TWIN)  # once: a `fit` in another thread may be about to replace it
        return method(self if twin is None else twin, *args, **kwargs)

    vars(answer)["one_step"] = True
    return cast(_Method, answer)


def is_twin_state(state: dict[str, Any]) -> bool:
    """Return whether these attributes are those of a twin."""
    return state.get(TWIN, state) is None


class OneStep:
    """Mixin, before BaseEstimator: `fit` takes effect in one step, and parameters through it only.

    Subclasses, those of others too, are written as ever: a `fit` that sets ``classes_`` and the
    like, and methods that read them. Each `fit` they define becomes `one_step`, and each of the
    methods in `ANSWERS` is run `as_fitted`; any other method that answers from several fitted
    attributes takes that decorator by hand. Fitted attributes are read through to the twin.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name in ("fit", *ANSWERS):
            method = getattr_static(cls, name, None)
            if isfunction(method) and not hasattr(method, "one_step"):
                setattr(cls, name, (one_step if name == "fit" else as_fitted)(method))

    def __getattr__(self, name):
        # only for what the object itself has not; `vars`, so that an empty object has no twin
        twin = vars(self).get(TWIN)
        if twin is not None and name in vars(twin):
            return vars(twin)[name]
        return self.__getattribute__(name)  # for the message that belongs to it

    def __setattr__(self, name, value):
        twin = vars(self).get(TWIN)
        learned = twin is not None and name in vars(twin) and name not in vars(self)
        object.__setattr__(twin if learned else self, name, value)

    def __dir__(self):
        return sorted({*super().__dir__(), *vars(vars(self).get(TWIN) or self)})

    def __sklearn_is_fitted__(self):
        learned = vars(vars(self).get(TWIN) or self)  # as scikit-learn tells, where there is none
        return any(name.endswith("_") and not name.startswith("__") for name in learned)

    def __getstate__(self):
        """Return the state with the twin as a dict of what it holds beyond the estimator itself.

        Some writers (skops) would otherwise write a wrapped model's trees once for either.
        """
        state: Any = super().__getstate__()
        twin = state.get(TWIN)
        if twin is None:
            return state
        own = {k: v for k, v in twin.__getstate__().items() if k not in state or v is not state[k]}
        return {**state, TWIN: own}

    def __setstate__(self, state):
        state = dict(state)
        if state.get(TWIN) is not None:
            twin = type(self).__new__(type(self))
            twin.__setstate__({**state, **state[TWIN]})
            state[TWIN] = twin
        super().__setstate__(state)  # type: ignore[misc]  # of BaseEstimator, which comes after
