"""Membership inference attacks: binary classifiers over what the adversary sees (1 = member)."""

from sklearn_aeppt._lazy import lazy

#: Public name -> the module that it comes from.
MODULES = {
    "AdversarialTrainingAttack": "_wrappers",
    "AveragingAttack": "_wrappers",
    "BitFlips": "_augment",
    "CollisionAttack": "_collision",
    "FlipAttack": "_wrappers",
    "GapAttack": "_gap",
    "GaussianNoise": "_augment",
    "GradientBoostingAttack": "_gradient_boosting",
    "LabelOnlyAttack": "_label_only",
    "LiRAAttack": "_lira",
    "MIMAttack": "_mim",
    "NoiseLadder": "_augment",
    "QuantileRegressionAttack": "_quantile_regression",
    "RMIAAttack": "_rmia",
    "RandomForestAttack": "_random_forest",
    "RoundingAttack": "_wrappers",
    "ScoreAttack": "_base",
    "ShadowAttack": "_shadow",
    "ThresholdAttack": "_threshold",
    "VariantsAttack": "_variants",
    "best_threshold": "_base",
    "check_membership": "_query",
    "query": "_query",
    "read_view": "_query",
}

__getattr__, __dir__, __all__ = lazy(__name__, MODULES)
