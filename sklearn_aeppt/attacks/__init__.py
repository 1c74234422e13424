"""Membership inference attacks: binary classifiers over what the adversary sees (1 = member)."""

from sklearn_aeppt._mim import MIMAttack
from sklearn_aeppt._query import check_membership, query, read_view
from sklearn_aeppt._score_attack import ScoreAttack, best_threshold
from sklearn_aeppt.attacks._augment import BitFlips, GaussianNoise, NoiseLadder
from sklearn_aeppt.attacks._boosting import BoostingAttack
from sklearn_aeppt.attacks._collision import CollisionAttack
from sklearn_aeppt.attacks._forest import ForestAttack
from sklearn_aeppt.attacks._gap import GapAttack
from sklearn_aeppt.attacks._label_only import LabelOnlyAttack
from sklearn_aeppt.attacks._lira import LiRAAttack
from sklearn_aeppt.attacks._quantile import QuantileAttack
from sklearn_aeppt.attacks._rmia import RMIAAttack
from sklearn_aeppt.attacks._shadow import ShadowAttack
from sklearn_aeppt.attacks._threshold import ThresholdAttack
from sklearn_aeppt.attacks._variants import VariantsAttack
from sklearn_aeppt.attacks._wrappers import (
    AdversarialTrainingAttack,
    AveragingAttack,
    FlipAttack,
    RoundingAttack,
)

__all__ = [
    "AdversarialTrainingAttack",
    "AveragingAttack",
    "BitFlips",
    "BoostingAttack",
    "CollisionAttack",
    "FlipAttack",
    "ForestAttack",
    "GapAttack",
    "GaussianNoise",
    "LabelOnlyAttack",
    "LiRAAttack",
    "MIMAttack",
    "NoiseLadder",
    "QuantileAttack",
    "RMIAAttack",
    "RoundingAttack",
    "ScoreAttack",
    "ShadowAttack",
    "ThresholdAttack",
    "VariantsAttack",
    "best_threshold",
    "check_membership",
    "query",
    "read_view",
]
