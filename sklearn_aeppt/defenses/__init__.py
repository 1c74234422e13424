"""Defenses: classifiers whose confidences, or whose training, are to give away less.

Those on the output follow the protocol of `OutputDefense`; those in training are classifiers.
"""

from sklearn_aeppt._lazy import lazy

#: Public name -> the module that it comes from.
MODULES = {
    "AEPPTClassifier": "_aeppt",
    "AdversarialRegularizationClassifier": "_adversarial_regularization",
    "DropoutClassifier": "_dropout",
    "EqualizedClassifier": "_equalized",
    "MemGuardClassifier": "_memguard",
    "ModelStackingClassifier": "_stacking",
    "OutputDefense": "_base",
    "RoundingClassifier": "_rounding",
    "TemperatureClassifier": "_temperature",
    "TopKClassifier": "_top_k",
    "to_simplex": "._simplex",
}

__getattr__, __dir__, __all__ = lazy(__name__, MODULES)
