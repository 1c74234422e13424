"""Displays of attacks and defenses, made from arrays.

Each display stores what it shows and draws it in ``plot()``; ``from_predictions`` computes that
from outputs and scores, and ``from_estimator`` only asks a model for them first. matplotlib is
needed to plot, not to import this module. Names are drawn literally, whatever they are: a dollar
sign does not start a formula, long names are shortened, and a character that the font lacks is
drawn as its escape.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn_aeppt.displays._class_cdf import ClassCdfDisplay
    from sklearn_aeppt.displays._iteration_loss import IterationLossDisplay
    from sklearn_aeppt.displays._membership_roc import MembershipRocDisplay
    from sklearn_aeppt.displays._perturbation import PerturbationDisplay
    from sklearn_aeppt.displays._tradeoff import TradeoffDisplay

__all__ = [
    "ClassCdfDisplay",
    "IterationLossDisplay",
    "MembershipRocDisplay",
    "PerturbationDisplay",
    "TradeoffDisplay",
]

# Names are imported when they are asked for, as in scikit-learn's own `__init__`.
_MODULES = {
    "ClassCdfDisplay": "_class_cdf",
    "IterationLossDisplay": "_iteration_loss",
    "MembershipRocDisplay": "_membership_roc",
    "PerturbationDisplay": "_perturbation",
    "TradeoffDisplay": "_tradeoff",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
