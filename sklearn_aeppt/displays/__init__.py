"""Displays of attacks and defenses, made from arrays.

Each display stores what it shows and draws it in ``plot()``; ``from_predictions`` computes that
from outputs and scores, and ``from_estimator`` only asks a model for them first. matplotlib is
needed to plot, not to import this module. Names are drawn literally, whatever they are: a dollar
sign does not start a formula, long names are shortened, and a character that the font lacks is
drawn as its escape.
"""

from typing import TYPE_CHECKING

from sklearn_aeppt._lazy import lazy

if TYPE_CHECKING:  # a type checker does not see lazy names
    from sklearn_aeppt.displays._class_cdf import ClassCdfDisplay as ClassCdfDisplay
    from sklearn_aeppt.displays._iteration_loss import IterationLossDisplay as IterationLossDisplay
    from sklearn_aeppt.displays._membership_roc import MembershipRocDisplay as MembershipRocDisplay
    from sklearn_aeppt.displays._perturbation import PerturbationDisplay as PerturbationDisplay
    from sklearn_aeppt.displays._tradeoff import TradeoffDisplay as TradeoffDisplay

#: Public name -> the module that it comes from.
MODULES = {
    "ClassCdfDisplay": "_class_cdf",
    "IterationLossDisplay": "_iteration_loss",
    "MembershipRocDisplay": "_membership_roc",
    "PerturbationDisplay": "_perturbation",
    "TradeoffDisplay": "_tradeoff",
}

__getattr__, __dir__, __all__ = lazy(__name__, MODULES)
