"""Metrics of a membership inference attack and of a defense, and scorers of both.

Membership (``y_true``) is 1 or True for the records that trained the target and 0 or False for all
others; a greater ``y_score`` means "more likely a member". Accuracy, precision, recall and AUC are
scikit-learn's own (``balanced_accuracy_score``, ``precision_score``, ``recall_score``,
``roc_auc_score``).
"""

from typing import TYPE_CHECKING

from sklearn_aeppt._lazy import lazy

if TYPE_CHECKING:  # a type checker does not see lazy names
    from sklearn_aeppt.metrics._accusations import Accusations as Accusations
    from sklearn_aeppt.metrics._accusations import accused_records as accused_records
    from sklearn_aeppt.metrics._accusations import conformal_p_values as conformal_p_values
    from sklearn_aeppt.metrics._epsilon import epsilon_lower_bound as epsilon_lower_bound
    from sklearn_aeppt.metrics._intervals import (
        balanced_accuracy_interval as balanced_accuracy_interval,
    )
    from sklearn_aeppt.metrics._intervals import bootstrap_interval as bootstrap_interval
    from sklearn_aeppt.metrics._intervals import clopper_pearson as clopper_pearson
    from sklearn_aeppt.metrics._one_run import OneRunEpsilon as OneRunEpsilon
    from sklearn_aeppt.metrics._one_run import most_certain_guesses as most_certain_guesses
    from sklearn_aeppt.metrics._one_run import one_run_epsilon as one_run_epsilon
    from sklearn_aeppt.metrics._output import (
        expected_calibration_error as expected_calibration_error,
    )
    from sklearn_aeppt.metrics._output import perturbation_size as perturbation_size
    from sklearn_aeppt.metrics._per_class import per_class_report as per_class_report
    from sklearn_aeppt.metrics._rates import counts_at_thresholds as counts_at_thresholds
    from sklearn_aeppt.metrics._rates import label_only_floor as label_only_floor
    from sklearn_aeppt.metrics._rates import membership_advantage as membership_advantage
    from sklearn_aeppt.metrics._rates import tnr_at_fnr as tnr_at_fnr
    from sklearn_aeppt.metrics._rates import tpr_at_fpr as tpr_at_fpr
    from sklearn_aeppt.metrics._scorers import aeppt_refit as aeppt_refit
    from sklearn_aeppt.metrics._scorers import attack_scorer as attack_scorer
    from sklearn_aeppt.metrics._scorers import perturbation_scorer as perturbation_scorer

#: Public name -> the module that it comes from.
MODULES = {
    "Accusations": "_accusations",
    "OneRunEpsilon": "_one_run",
    "accused_records": "_accusations",
    "aeppt_refit": "_scorers",
    "attack_scorer": "_scorers",
    "balanced_accuracy_interval": "_intervals",
    "bootstrap_interval": "_intervals",
    "clopper_pearson": "_intervals",
    "conformal_p_values": "_accusations",
    "counts_at_thresholds": "_rates",
    "epsilon_lower_bound": "_epsilon",
    "expected_calibration_error": "_output",
    "label_only_floor": "_rates",
    "membership_advantage": "_rates",
    "most_certain_guesses": "_one_run",
    "one_run_epsilon": "_one_run",
    "per_class_report": "_per_class",
    "perturbation_scorer": "_scorers",
    "perturbation_size": "_output",
    "tnr_at_fnr": "_rates",
    "tpr_at_fpr": "_rates",
}

__getattr__, __dir__, __all__ = lazy(__name__, MODULES)
