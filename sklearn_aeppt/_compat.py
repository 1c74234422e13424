"""The private scikit-learn names we need, one import each, with the reason."""

# `__sklearn_clone__` must end in the ordinary clone of everything but a fitted estimator.
from sklearn.base import _clone_parametrized as clone_parametrized

# Scorers that need the records and not only predictions; what makes scorers gives no other way in.
from sklearn.metrics._scorer import _BaseScorer as BaseScorer

# Whether metadata are routed by request, which decides who is handed `fit_params`.
from sklearn.utils._metadata_requests import _routing_enabled as routing_enabled

# Parameters of estimators in a list of (name, estimator), as scikit-learn's own ensembles.
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition

# Meta-estimators hand X on untouched, so `validate_data` (which converts) is not for them.
from sklearn.utils.validation import _check_feature_names as check_feature_names

# Fit parameters of a record each, for the records that train the wrapped estimator.
from sklearn.utils.validation import _check_method_params as take_fit_params
from sklearn.utils.validation import _check_n_features as check_n_features

# Weights of records, with the messages that scikit-learn's checks of estimators expect.
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

__all__ = [
    "BaseComposition",
    "BaseScorer",
    "check_feature_names",
    "check_n_features",
    "check_sample_weight",
    "clone_parametrized",
    "routing_enabled",
    "take_fit_params",
]
