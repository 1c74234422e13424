"""Defenses that the paper compares with, behind the protocol of `AEPPTClassifier`."""

from sklearn_aeppt.defenses._memguard import MemGuardClassifier
from sklearn_aeppt.defenses._rounding import RoundingClassifier
from sklearn_aeppt.defenses._temperature import TemperatureClassifier
from sklearn_aeppt.defenses._top_k import TopKClassifier

__all__ = ["MemGuardClassifier", "RoundingClassifier", "TemperatureClassifier", "TopKClassifier"]
