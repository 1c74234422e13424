"""Membership inference attacks: binary classifiers over what the adversary sees (1 = member)."""

from typing import TYPE_CHECKING

from sklearn_aeppt._lazy import lazy

if TYPE_CHECKING:  # a type checker does not see lazy names
    from sklearn_aeppt.attacks._augment import BitFlips as BitFlips
    from sklearn_aeppt.attacks._augment import GaussianNoise as GaussianNoise
    from sklearn_aeppt.attacks._augment import NoiseLadder as NoiseLadder
    from sklearn_aeppt.attacks._base import ScoreAttack as ScoreAttack
    from sklearn_aeppt.attacks._base import best_threshold as best_threshold
    from sklearn_aeppt.attacks._bavaria import BaVarIAAttack as BaVarIAAttack
    from sklearn_aeppt.attacks._collision import CollisionAttack as CollisionAttack
    from sklearn_aeppt.attacks._gap import GapAttack as GapAttack
    from sklearn_aeppt.attacks._gradient_boosting import (
        GradientBoostingAttack as GradientBoostingAttack,
    )
    from sklearn_aeppt.attacks._label_lira import LabelOnlyLiRAAttack as LabelOnlyLiRAAttack
    from sklearn_aeppt.attacks._label_only import LabelOnlyAttack as LabelOnlyAttack
    from sklearn_aeppt.attacks._lira import LiRAAttack as LiRAAttack
    from sklearn_aeppt.attacks._mim import MIMAttack as MIMAttack
    from sklearn_aeppt.attacks._quantile_regression import (
        QuantileRegressionAttack as QuantileRegressionAttack,
    )
    from sklearn_aeppt.attacks._query import check_membership as check_membership
    from sklearn_aeppt.attacks._query import query as query
    from sklearn_aeppt.attacks._query import read_predicted as read_predicted
    from sklearn_aeppt.attacks._query import read_view as read_view
    from sklearn_aeppt.attacks._random_forest import RandomForestAttack as RandomForestAttack
    from sklearn_aeppt.attacks._rmia import RMIAAttack as RMIAAttack
    from sklearn_aeppt.attacks._shadow import ShadowAttack as ShadowAttack
    from sklearn_aeppt.attacks._shadow_matrix import ShadowMatrix as ShadowMatrix
    from sklearn_aeppt.attacks._threshold import ThresholdAttack as ThresholdAttack
    from sklearn_aeppt.attacks._variants import VariantsAttack as VariantsAttack
    from sklearn_aeppt.attacks._wrappers import (
        AdversarialTrainingAttack as AdversarialTrainingAttack,
    )
    from sklearn_aeppt.attacks._wrappers import AveragingAttack as AveragingAttack
    from sklearn_aeppt.attacks._wrappers import FlipAttack as FlipAttack
    from sklearn_aeppt.attacks._wrappers import RoundingAttack as RoundingAttack

#: Public name -> the module that it comes from.
MODULES = {
    "AdversarialTrainingAttack": "_wrappers",
    "AveragingAttack": "_wrappers",
    "BaVarIAAttack": "_bavaria",
    "BitFlips": "_augment",
    "CollisionAttack": "_collision",
    "FlipAttack": "_wrappers",
    "GapAttack": "_gap",
    "GaussianNoise": "_augment",
    "GradientBoostingAttack": "_gradient_boosting",
    "LabelOnlyAttack": "_label_only",
    "LabelOnlyLiRAAttack": "_label_lira",
    "LiRAAttack": "_lira",
    "MIMAttack": "_mim",
    "NoiseLadder": "_augment",
    "QuantileRegressionAttack": "_quantile_regression",
    "RMIAAttack": "_rmia",
    "RandomForestAttack": "_random_forest",
    "RoundingAttack": "_wrappers",
    "ScoreAttack": "_base",
    "ShadowAttack": "_shadow",
    "ShadowMatrix": "_shadow_matrix",
    "ThresholdAttack": "_threshold",
    "VariantsAttack": "_variants",
    "best_threshold": "_base",
    "check_membership": "_query",
    "query": "_query",
    "read_predicted": "_query",
    "read_view": "_query",
}

__getattr__, __dir__, __all__ = lazy(__name__, MODULES)
