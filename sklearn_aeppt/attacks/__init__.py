"""Membership inference attacks: binary classifiers over what the adversary sees (1 = member)."""

from sklearn_aeppt._mim import MIMAttack
from sklearn_aeppt._query import query
from sklearn_aeppt.attacks._boosting import BoostingAttack
from sklearn_aeppt.attacks._gap import GapAttack
from sklearn_aeppt.attacks._threshold import ThresholdAttack
from sklearn_aeppt.attacks._wrappers import (
    AdversarialTrainingAttack,
    AveragingAttack,
    FlipAttack,
    RoundingAttack,
)

__all__ = [
    "AdversarialTrainingAttack",
    "AveragingAttack",
    "BoostingAttack",
    "FlipAttack",
    "GapAttack",
    "MIMAttack",
    "RoundingAttack",
    "ThresholdAttack",
    "query",
]
