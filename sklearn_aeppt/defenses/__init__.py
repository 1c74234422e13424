"""Defenses that the paper compares with or names.

Those on the output follow the protocol of `AEPPTClassifier`; those in training are classifiers.
"""

from sklearn_aeppt._simplex import to_simplex
from sklearn_aeppt.defenses._base import OutputDefense
from sklearn_aeppt.defenses._adversarial_regularization import (
    AdversarialRegularizationClassifier,
)
from sklearn_aeppt.defenses._dropout import DropoutClassifier
from sklearn_aeppt.defenses._memguard import MemGuardClassifier
from sklearn_aeppt.defenses._rounding import RoundingClassifier
from sklearn_aeppt.defenses._stacking import ModelStackingClassifier
from sklearn_aeppt.defenses._temperature import TemperatureClassifier
from sklearn_aeppt.defenses._top_k import TopKClassifier

__all__ = [
    "AdversarialRegularizationClassifier",
    "DropoutClassifier",
    "MemGuardClassifier",
    "ModelStackingClassifier",
    "OutputDefense",
    "RoundingClassifier",
    "TemperatureClassifier",
    "TopKClassifier",
    "to_simplex",
]
