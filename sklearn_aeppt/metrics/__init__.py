"""Metrics of a membership inference attack and of a defense, and scorers of both.

Membership (``y_true``) is 1 or True for the records that trained the target and 0 or False for all
others; a greater ``y_score`` means "more likely a member". Accuracy, precision, recall and AUC are
scikit-learn's own (``balanced_accuracy_score``, ``precision_score``, ``recall_score``,
``roc_auc_score``).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn_aeppt.metrics._epsilon import epsilon_lower_bound
    from sklearn_aeppt.metrics._intervals import (
        balanced_accuracy_interval,
        bootstrap_interval,
        clopper_pearson,
    )
    from sklearn_aeppt.metrics._output import expected_calibration_error, perturbation_size
    from sklearn_aeppt.metrics._per_class import per_class_report
    from sklearn_aeppt.metrics._rates import (
        counts_at_thresholds,
        label_only_floor,
        membership_advantage,
        tnr_at_fnr,
        tpr_at_fpr,
    )
    from sklearn_aeppt.metrics._scorers import aeppt_refit, attack_scorer, perturbation_scorer

__all__ = [
    "aeppt_refit",
    "attack_scorer",
    "balanced_accuracy_interval",
    "bootstrap_interval",
    "clopper_pearson",
    "counts_at_thresholds",
    "epsilon_lower_bound",
    "expected_calibration_error",
    "label_only_floor",
    "membership_advantage",
    "per_class_report",
    "perturbation_scorer",
    "perturbation_size",
    "tnr_at_fnr",
    "tpr_at_fpr",
]

# Names are imported when they are asked for, as in scikit-learn's own `__init__`.
_MODULES = {
    "aeppt_refit": "_scorers",
    "attack_scorer": "_scorers",
    "balanced_accuracy_interval": "_intervals",
    "bootstrap_interval": "_intervals",
    "clopper_pearson": "_intervals",
    "counts_at_thresholds": "_rates",
    "epsilon_lower_bound": "_epsilon",
    "expected_calibration_error": "_output",
    "label_only_floor": "_rates",
    "membership_advantage": "_rates",
    "per_class_report": "_per_class",
    "perturbation_scorer": "_scorers",
    "perturbation_size": "_output",
    "tnr_at_fnr": "_rates",
    "tpr_at_fpr": "_rates",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
