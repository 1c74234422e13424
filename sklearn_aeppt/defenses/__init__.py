"""Defenses: classifiers whose confidences, or whose training, are to give away less.

Those on the output follow the protocol of `OutputDefense`; those in training are classifiers.
"""

from typing import TYPE_CHECKING

from sklearn_aeppt._lazy import lazy

if TYPE_CHECKING:  # a type checker does not see lazy names
    from sklearn_aeppt._simplex import to_simplex as to_simplex
    from sklearn_aeppt.defenses._adversarial_regularization import (
        AdversarialRegularizationClassifier as AdversarialRegularizationClassifier,
    )
    from sklearn_aeppt.defenses._aeppt import AEPPTClassifier as AEPPTClassifier
    from sklearn_aeppt.defenses._base import OutputDefense as OutputDefense
    from sklearn_aeppt.defenses._dropout import DropoutClassifier as DropoutClassifier
    from sklearn_aeppt.defenses._equalized import EqualizedClassifier as EqualizedClassifier
    from sklearn_aeppt.defenses._fold_index import GraphNeighbors as GraphNeighbors
    from sklearn_aeppt.defenses._memguard import MemGuardClassifier as MemGuardClassifier
    from sklearn_aeppt.defenses._out_of_fold import OutOfFoldClassifier as OutOfFoldClassifier
    from sklearn_aeppt.defenses._rounding import RoundingClassifier as RoundingClassifier
    from sklearn_aeppt.defenses._stacking import ModelStackingClassifier as ModelStackingClassifier
    from sklearn_aeppt.defenses._temperature import TemperatureClassifier as TemperatureClassifier
    from sklearn_aeppt.defenses._top_k import TopKClassifier as TopKClassifier

#: Public name -> the module that it comes from.
MODULES = {
    "AEPPTClassifier": "_aeppt",
    "AdversarialRegularizationClassifier": "_adversarial_regularization",
    "DropoutClassifier": "_dropout",
    "EqualizedClassifier": "_equalized",
    "GraphNeighbors": "_fold_index",
    "MemGuardClassifier": "_memguard",
    "ModelStackingClassifier": "_stacking",
    "OutOfFoldClassifier": "_out_of_fold",
    "OutputDefense": "_base",
    "RoundingClassifier": "_rounding",
    "TemperatureClassifier": "_temperature",
    "TopKClassifier": "_top_k",
    "to_simplex": "._simplex",
}

__getattr__, __dir__, __all__ = lazy(__name__, MODULES)
